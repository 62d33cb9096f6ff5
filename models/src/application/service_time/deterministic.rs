//! Always the same time.
//!
//! # Models
//! The constant law: an atom at its mean.

/// The constant law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deterministic {
    mean_ms: f64,
}

impl Deterministic {
    /// Always `mean_ms` (ms, zero or more).
    #[must_use]
    pub const fn new(mean_ms: f64) -> Self {
        Self { mean_ms }
    }

    /// Its mean (ms).
    #[must_use]
    pub const fn mean_ms(&self) -> f64 {
        self.mean_ms
    }

    /// The same for every share (ms).
    #[must_use]
    pub const fn quantile_ms(&self, _: f64) -> f64 {
        self.mean_ms
    }

    /// All or nothing.
    #[must_use]
    pub const fn share_below(&self, ms: f64) -> f64 {
        if ms < self.mean_ms { 0.0 } else { 1.0 }
    }

    /// Infinite at the atom, minus infinity elsewhere.
    #[must_use]
    pub const fn ln_density(&self, ms: f64) -> f64 {
        if ms == self.mean_ms { f64::INFINITY } else { f64::NEG_INFINITY }
    }
}
