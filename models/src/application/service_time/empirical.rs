//! Times as they were measured.
//!
//! # Models
//! A distribution function that is linear between quantiles at equal steps: a histogram whose cells
//! are equally likely.

use meshsim_core::elementary::ln;

/// The law of measured times.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    /// The quantiles of 0, 1/k, 2/k, ... 1 (ms), ascending.
    quantiles_ms: Box<[f64]>,
}

impl Empirical {
    /// The law of these quantiles of 0, 1/k, ... 1 (ms): two or more, ascending, zero or more.
    #[must_use]
    pub fn new(quantiles_ms: Box<[f64]>) -> Self {
        debug_assert!(quantiles_ms.len() > 1 && quantiles_ms.is_sorted(), "quantiles ascend");
        Self { quantiles_ms }
    }

    /// Its quantiles (ms).
    #[must_use]
    pub const fn quantiles_ms(&self) -> &[f64] {
        &self.quantiles_ms
    }

    /// Its mean (ms).
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        let middles = self.quantiles_ms.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]));
        middles.sum::<f64>() / self.cells()
    }

    /// The time below which a share `p` is (ms).
    #[must_use]
    pub fn quantile_ms(&self, p: f64) -> f64 {
        let position = p.clamp(0.0, 1.0) * self.cells();
        let cell = (position as usize).min(self.quantiles_ms.len() - 2);
        let (low, high) = (self.quantiles_ms[cell], self.quantiles_ms[cell + 1]);
        low + (high - low) * (position - cell as f64)
    }

    /// The share that takes at most `ms`.
    #[must_use]
    pub fn share_below(&self, ms: f64) -> f64 {
        // The first quantile above it.
        let above = self.quantiles_ms.partition_point(|&quantile| quantile <= ms);
        let (Some(&low), Some(&high)) =
            (self.quantiles_ms.get(above.wrapping_sub(1)), self.quantiles_ms.get(above))
        else {
            return if above == 0 { 0.0 } else { 1.0 };
        };
        ((above - 1) as f64 + (ms - low) / (high - low)) / self.cells()
    }

    /// The logarithm of the density (1/ms).
    #[must_use]
    pub fn ln_density(&self, ms: f64) -> f64 {
        let (first, last) = (self.quantiles_ms[0], self.quantiles_ms[self.quantiles_ms.len() - 1]);
        if !(first..=last).contains(&ms) {
            return f64::NEG_INFINITY;
        }
        // A border belongs to the cell on its left; the first one has none.
        let above = self.quantiles_ms.partition_point(|&quantile| quantile < ms).max(1);
        let width = self.quantiles_ms[above] - self.quantiles_ms[above - 1];
        if width > 0.0 { -ln(width * self.cells()) } else { f64::INFINITY }
    }

    const fn cells(&self) -> f64 {
        (self.quantiles_ms.len() - 1) as f64
    }
}
