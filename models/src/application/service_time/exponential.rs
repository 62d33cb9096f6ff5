//! Times without memory.
//!
//! # Models
//! The exponential law: the standard deviation is the mean.

use meshsim_core::elementary::{exp, ln, ln_1p};

/// The exponential law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    mean_ms: f64,
}

impl Exponential {
    /// With this mean (ms, above zero).
    #[must_use]
    pub const fn new(mean_ms: f64) -> Self {
        Self { mean_ms }
    }

    /// Its mean (ms).
    #[must_use]
    pub const fn mean_ms(&self) -> f64 {
        self.mean_ms
    }

    /// The time below which a share `p` is (ms).
    #[must_use]
    pub fn quantile_ms(&self, p: f64) -> f64 {
        -self.mean_ms * ln_1p(-p)
    }

    /// The share that takes at most `ms`.
    #[must_use]
    pub fn share_below(&self, ms: f64) -> f64 {
        if ms <= 0.0 { 0.0 } else { 1.0 - exp(-ms / self.mean_ms) }
    }

    /// The logarithm of the density (1/ms).
    #[must_use]
    pub fn ln_density(&self, ms: f64) -> f64 {
        if ms < 0.0 { f64::NEG_INFINITY } else { -ln(self.mean_ms) - ms / self.mean_ms }
    }
}
