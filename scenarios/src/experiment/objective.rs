//! What users are to get: a bound of a figure.

use super::groups::Which;

/// A bound that a figure is to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Whose requests, as it is written.
    pub users: Option<String>,
    /// Which of them, as it is written.
    pub request: Option<String>,
    /// The application whose requests they are, as it is written.
    pub application: Option<String>,
    /// The same, as figures tell them apart.
    pub which: Which,
    /// What is judged.
    pub figure: Figure,
    /// The bound: ms of a latency, else a share. An availability is to be above it, all others below.
    pub bound: f64,
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Mean latency of the successful requests.
    Mean,
    /// A quantile of their latency, by its index in [`QUANTILES`](super::replication::QUANTILES).
    Quantile(usize),
    /// Share of the requests that failed, of those that ended.
    Failures,
    /// Share of those that succeeded.
    Availability,
}

impl Figure {
    /// Its name in scenarios and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Quantile(0) => "p50",
            Self::Quantile(1) => "p90",
            Self::Quantile(2) => "p95",
            Self::Quantile(_) => "p99",
            Self::Failures => "failures",
            Self::Availability => "availability",
        }
    }
}

impl Objective {
    /// Whether a figure keeps the bound; one that is not a number does not.
    #[must_use]
    pub fn is_kept_by(&self, value: f64) -> bool {
        if self.figure == Figure::Availability { value > self.bound } else { value < self.bound }
    }
}
