//! A product of many small factors.
//!
//! # Models
//! The log-normal law, given by mean and coefficient of variation.
//!
//! # Assumptions
//! Draws between the 1/128 and the 127/128 quantile are interpolated linearly over a table of 1024
//! cells, others are exact. Effect: below 0.1 % of the mean for coefficients up to 1.
//!
//! # Source
//! Johnson, Kotz and Balakrishnan, Continuous univariate distributions, vol. 1, 1994, chapter 14.

use super::quantile_table::QuantileTable;
use meshsim_core::elementary::{erfc, exp, ln, sqrt};
use meshsim_core::stats::normal_quantile;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// The log-normal law.
#[derive(Clone, Debug)]
pub struct LogNormal {
    mu: f64,
    sigma: f64,
    table: QuantileTable,
}

impl LogNormal {
    /// With this mean (ms) and coefficient of variation, both above zero.
    #[must_use]
    pub fn new(mean_ms: f64, cv: f64) -> Self {
        let variance = ln(1.0 + cv * cv);
        let (mu, sigma) = (ln(mean_ms) - variance / 2.0, sqrt(variance));
        Self { mu, sigma, table: QuantileTable::new(|p| exp(mu + sigma * normal_quantile(p))) }
    }

    /// Its mean (ms).
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        exp(self.mu + self.sigma * self.sigma / 2.0)
    }

    /// Its coefficient of variation.
    #[must_use]
    pub fn cv(&self) -> f64 {
        sqrt(exp(self.sigma * self.sigma) - 1.0)
    }

    /// The time below which a share `p` is (ms).
    #[must_use]
    pub fn quantile_ms(&self, p: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        if p >= 1.0 {
            return f64::INFINITY;
        }
        exp(self.mu + self.sigma * normal_quantile(p))
    }

    /// The same by the table.
    #[must_use]
    pub fn fast_quantile_ms(&self, p: f64) -> f64 {
        self.table.get(p).unwrap_or_else(|| self.quantile_ms(p))
    }

    /// The share that takes at most `ms`.
    #[must_use]
    pub fn share_below(&self, ms: f64) -> f64 {
        if ms <= 0.0 { 0.0 } else { 0.5 * erfc((self.mu - ln(ms)) / self.sigma * FRAC_1_SQRT_2) }
    }

    /// The logarithm of the density (1/ms).
    #[must_use]
    pub fn ln_density(&self, ms: f64) -> f64 {
        if ms <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let z = (ln(ms) - self.mu) / self.sigma;
        -0.5 * z * z - ln(ms * self.sigma) - 0.5 * ln(TAU)
    }
}
