//! Mean latencies freed of the luck that the draws of their requests tell.
//!
//! # Models
//! Control variates (`meshsim_core::stats::control_variates`) are what the requests of a strategy were drawn to be: calls,
//! crossings, rounds and CPU time, of which the means are known (`experiment/controls`). Coefficients come from ten batches of
//! each replication, of each strategy and each group of requests by itself. One replication alone has none.

use crate::experiment::controls::{ControlSum, Controls};
use crate::experiment::replication::Figures;
use meshsim_core::stats::{Batch, Histogram, Tally, control_coefficients};
use meshsim_models::world::foreseen::FIGURES;
use std::collections::BTreeMap;

/// What a unit of each control is worth in the mean latency (ms), in the order of [`FIGURES`]; 0 of those that do not help.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coefficients(Controls);

impl Coefficients {
    /// Of all requests of a strategy.
    #[must_use]
    pub fn of_all(figures: &[&Figures]) -> Self {
        Self::of(figures.iter().map(|it| (&it.batches[..], &it.controls[..])))
    }

    /// Of a group of them, by its index.
    #[must_use]
    pub fn of_group(figures: &[&Figures], group: usize) -> Self {
        Self::of(figures.iter().map(|it| &it.groups[group]).map(|it| (&it.batches[..], &it.controls[..])))
    }

    /// Of replications: latencies (ns) and controls of each of their batches.
    pub(super) fn of<'a>(replications: impl Iterator<Item = (&'a [Histogram], &'a [ControlSum])>) -> Self {
        let batch = |(latencies, controls): (&Histogram, &ControlSum)| Batch {
            value: latencies.mean().map_or(f64::NAN, |mean| mean / 1e6),
            controls: controls.means().to_vec(),
        };
        let batches = |(latencies, controls): (&'a [Histogram], &'a [ControlSum])| -> Vec<Batch> {
            latencies.iter().zip(controls).map(batch).collect()
        };
        let found = control_coefficients(&replications.map(batches).collect::<Vec<_>>());
        Self(std::array::from_fn(|index| found.get(index).copied().unwrap_or(0.0)))
    }

    /// What the luck of requests with these means of controls adds to their mean latency (ms).
    #[must_use]
    pub fn luck_ms(&self, controls: &Controls) -> f64 {
        let worth =
            |(coefficient, mean): (&f64, &f64)| if *coefficient == 0.0 { 0.0 } else { coefficient * mean };
        self.0.iter().zip(controls).map(worth).sum()
    }

    /// Those of the controls that help, by their names.
    #[must_use]
    pub fn named(&self) -> BTreeMap<&'static str, f64> {
        FIGURES.into_iter().zip(self.0).filter(|(_, it)| *it != 0.0).collect()
    }
}

/// How many times as large the variance of some values is as that of others; nothing where either has none, or none is smaller
/// because nothing was changed.
#[must_use]
pub fn variance_ratio(plain: &[f64], freed: &[f64]) -> Option<f64> {
    let variance = |values: &[f64]| values.iter().copied().collect::<Tally>().variance();
    let ratio = variance(plain)? / variance(freed)?;
    (plain != freed && ratio.is_finite()).then_some(ratio)
}
