//! Estimates over replications.
//!
//! # Models
//! Replication and deletion: each replication gives one value of a figure (a mean, a quantile); the
//! estimate is their mean, its interval Student's t over the replications. With a single
//! replication the mean has an interval from 20 batch means, and a quantile one from order
//! statistics.
//!
//! # Assumptions
//! Order statistics take requests as independent. Effect: with a single replication the interval
//! of a quantile is too narrow where queueing correlates neighbours.
//!
//! # Source
//! Law, Simulation modeling and analysis, 2015, sections 9.5 and 9.6.

use crate::experiment::replication::{Figures, QUANTILES};
use meshsim_core::stats::{Estimate, batch_means, mean_estimate, order_statistic_interval};

/// Confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

const BATCHES: usize = 20;

/// A figure over the replications of one strategy.
#[must_use]
pub fn over_replications(figures: &[&Figures], of: impl Fn(&Figures) -> f64) -> Option<Estimate> {
    let values: Vec<f64> = figures.iter().map(|f| of(f)).filter(|value| value.is_finite()).collect();
    mean_estimate(&values, CONFIDENCE)
}

/// The mean latency (ms).
#[must_use]
pub fn mean_latency(figures: &[&Figures]) -> Option<Estimate> {
    match figures {
        [only] if !only.latencies_ms.is_empty() => {
            let batches = batch_means(&only.latencies_ms, BATCHES, CONFIDENCE);
            let alone = over_replications(figures, |f| f.mean_ms)?;
            // The batches may leave a remainder out; the value is that of all requests.
            Some(batches.map_or(alone, |estimate| Estimate { value: alone.value, ..estimate }))
        }
        _ => over_replications(figures, |f| f.mean_ms),
    }
}

/// A latency quantile, by its place in [`QUANTILES`] (ms).
#[must_use]
pub fn latency_quantile(figures: &[&Figures], place: usize) -> Option<Estimate> {
    let estimate = over_replications(figures, |f| f.quantiles_ms[place])?;
    match figures {
        [only] if !only.latencies_ms.is_empty() => {
            let mut sorted = only.latencies_ms.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let interval = order_statistic_interval(&sorted, QUANTILES[place], CONFIDENCE);
            Some(Estimate { interval, ..estimate })
        }
        _ => Some(estimate),
    }
}
