//! A part of the trace against the calibrated scenario.

use super::report::{Residual, Residuals};
use crate::validate::distance::{kolmogorov_smirnov, relative_error, wasserstein};
use meshsim_core::stats::quantile_of_sorted;

/// Of latencies (ms), ascending.
pub(super) fn residuals(measured: &[f64], simulated: &[f64]) -> Residuals {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let quantile = |of: &[f64], q| quantile_of_sorted(of, q).unwrap_or(f64::NAN);
    let row = |figure, of: &dyn Fn(&[f64]) -> f64| {
        let (measured_ms, simulated_ms) = (of(measured), of(simulated));
        Residual {
            figure,
            measured_ms,
            simulated_ms,
            relative_error: relative_error(simulated_ms, measured_ms),
        }
    };
    Residuals {
        requests: measured.len(),
        figures: vec![
            row("mean", &mean),
            row("p50", &|of| quantile(of, 0.5)),
            row("p90", &|of| quantile(of, 0.9)),
            row("p95", &|of| quantile(of, 0.95)),
            row("p99", &|of| quantile(of, 0.99)),
        ],
        kolmogorov_smirnov: kolmogorov_smirnov(measured, simulated),
        wasserstein: wasserstein(measured, simulated) / mean(measured),
    }
}
