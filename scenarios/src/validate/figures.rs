//! The figures that a simulation is held against, and how far each is off.
//!
//! # Models
//! Every figure has a measured value, with an interval where the measurement gives one, and a
//! simulated one. Its *error* is the distance from the simulated value to the nearer end of the
//! measurement's own 95 % interval, zero inside it: what the measurement's own uncertainty does not
//! explain. Errors of times and of the CPU split are shares of the measured value; those of figures
//! that are shares or distances themselves are absolute.

use super::distance::{error_outside_interval, relative_error};
use crate::analysis::value::Value;
use meshsim_core::stats::{Estimate, Interval};
use serde::{Serialize, Serializer};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FigureKey {
    /// Mean latency of successful requests (ms).
    Mean,
    /// Median latency (ms).
    P50,
    /// 90 % quantile of the latency (ms).
    P90,
    /// 95 % quantile of the latency (ms).
    P95,
    /// 99 % quantile of the latency (ms).
    P99,
    /// What a dashboard shows as 90 % quantile: `histogram_quantile` over Istio's buckets (ms).
    DashboardP90,
    /// Kolmogorov-Smirnov distance of the latencies.
    Ks,
    /// Wasserstein distance of the latencies (ms).
    Wasserstein,
    /// Share of requests that failed.
    Failed,
    /// The proxies' share of the CPU time of applications and proxies.
    CpuSplit,
    /// Shares of each service's calls that each cluster served: the largest error of them.
    Served,
    /// Time between clusters per crossing, there and back, without the time of who answers (ms).
    Rounds,
}

impl FigureKey {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::DashboardP90,
        Self::Ks,
        Self::Wasserstein,
        Self::Failed,
        Self::CpuSplit,
        Self::Served,
        Self::Rounds,
    ];

    /// Its name in a file and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::DashboardP90 => "dashboard_p90",
            Self::Ks => "ks",
            Self::Wasserstein => "wasserstein",
            Self::Failed => "failed",
            Self::CpuSplit => "cpu_split",
            Self::Served => "served",
            Self::Rounds => "rounds",
        }
    }

    /// The figure of the simulation, by its name in the catalogue; none of those that need a trace.
    #[must_use]
    pub const fn catalogued(self) -> Option<&'static str> {
        Some(match self {
            Self::Mean => "latency_ms.mean",
            Self::P50 => "latency_ms.p50",
            Self::P90 => "latency_ms.p90",
            Self::P95 => "latency_ms.p95",
            Self::P99 => "latency_ms.p99",
            Self::DashboardP90 => "dashboard_p90_ms",
            Self::Failed => "failures",
            Self::CpuSplit => "proxy_cpu_share",
            Self::Rounds => "crossing_ms",
            Self::Ks | Self::Wasserstein | Self::Served => return None,
        })
    }

    /// The key of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its unit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Failed | Self::CpuSplit | Self::Served => Unit::Share,
            Self::Ks => Unit::Distance,
            _ => Unit::Milliseconds,
        }
    }

    /// Whether its error is in its own unit, and not a share of the measured value.
    #[must_use]
    pub const fn is_absolute(self) -> bool {
        matches!(self, Self::Ks | Self::Wasserstein | Self::Failed | Self::Served)
    }
}

impl Serialize for FigureKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A share of one.
    Share,
    /// A distance between distribution functions, from 0 to 1.
    Distance,
}

/// One figure, measured and simulated.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Row {
    /// Which.
    pub figure: FigureKey,
    /// Measured, with its interval; of a distance, the distance between the two with the interval
    /// that the trace's own noise leaves.
    pub measured: Value,
    /// Simulated, with an interval over replications; of a distance, 0.
    pub simulated: Value,
    /// The simulated less the measured value: over the measured one, unless the figure's errors are
    /// absolute.
    #[serde(serialize_with = "finite")]
    pub difference: f64,
    /// Distance to the nearer end of the measured interval: over the measured value, unless the
    /// figure's errors are absolute; 0 inside.
    #[serde(serialize_with = "finite")]
    pub error: f64,
}

impl Row {
    /// A figure with a value on either side.
    #[must_use]
    pub fn new(figure: FigureKey, measured: &Estimate, simulated: Option<Estimate>) -> Self {
        let value = simulated.map_or(f64::NAN, |estimate| estimate.value);
        let absolute = figure.is_absolute();
        let scale = if absolute { measured.value.abs() } else { 1.0 };
        let outside = if absolute && measured.value == 0.0 {
            beyond(value, measured)
        } else {
            error_outside_interval(value, measured) * scale
        };
        Self {
            figure,
            measured: (*measured).into(),
            simulated: simulated.into(),
            difference: if absolute { value - measured.value } else { relative_error(value, measured.value) },
            error: outside,
        }
    }

    /// A distance between both sides, of which the trace's noise explains so much; nothing if that is
    /// not known.
    #[must_use]
    pub fn of_distance(figure: FigureKey, distance: f64, noise: Option<f64>, samples: u64) -> Self {
        let interval =
            noise.map(|noise| Interval { low: at_least_0(distance - noise), high: distance + noise });
        let error = interval.map_or(distance, |interval| interval.low);
        let measured = Estimate { value: distance, interval, samples };
        let simulated = Value { value: 0.0, ci95: None };
        Self { figure, measured: measured.into(), simulated, difference: distance, error }
    }

    /// Half the width of the measured interval: over the measured value, unless the figure's errors
    /// are absolute. 0 without an interval.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        let Some([low, high]) = self.measured.interval() else { return 0.0 };
        // A distance's interval ends at 0: what lies above is all of the noise.
        let is_distance = matches!(self.figure, FigureKey::Ks | FigureKey::Wasserstein);
        let half = if is_distance { high - self.measured.value } else { 0.5 * (high - low) };
        if self.figure.is_absolute() { half } else { half / self.measured.value.abs() }
    }
}

/// How far a value is outside an interval, in its own unit.
fn beyond(value: f64, measured: &Estimate) -> f64 {
    let Some(interval) = measured.interval else { return (value - measured.value).abs() };
    at_least_0((interval.low - value).max(value - interval.high))
}

/// Not below 0; a NaN stays, where `f64::max` would hide it.
fn at_least_0(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// A number, or nothing where it is none: JSON has no NaN.
fn finite<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_none() }
}
