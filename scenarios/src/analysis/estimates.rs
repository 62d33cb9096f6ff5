//! Estimates over replications.
//!
//! # Models
//! Replication and deletion: each replication gives one value of a figure; the estimate is their mean, its interval
//! Student's t over the replications. Mean latencies are freed of what is known of their luck (`coefficients`). Latencies have more to them (`meshsim_core::stats::Repeated`): quantiles are
//! those of all requests together, intervals are wider where queueing leaves few independent pieces, and a single
//! replication has intervals from ten stretches of its time, if it is meant to settle. What these intervals cover
//! is measured by `benches/examples/coverage.rs` and stands in `docs/statistics.md`.
//!
//! # Source
//! Law, Simulation modeling and analysis, 2015, sections 9.5 and 9.6.

use super::coefficients::Coefficients;
use crate::experiment::controls::ControlSum;
use crate::experiment::replication::{Figures, QUANTILES};
use meshsim_core::stats::{Estimate, Histogram, Interval, Repeated, mean_estimate};

/// Confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// A figure over the replications of one strategy.
#[must_use]
pub fn over_replications(figures: &[&Figures], of: impl Fn(&Figures) -> f64) -> Option<Estimate> {
    let values: Vec<f64> = figures.iter().map(|f| of(f)).filter(|value| value.is_finite()).collect();
    mean_estimate(&values, CONFIDENCE)
}

/// Latencies of the successful requests of one strategy.
pub struct Latencies<'a> {
    repeated: Option<Repeated<'a>>,
    has_intervals: bool,
    replications: Vec<Parts<'a>>,
}

/// Latencies of a replication, whole and in batches, and what was drawn for the requests of each batch.
type Parts<'a> = (&'a Histogram, &'a [Histogram], &'a [ControlSum]);

impl<'a> Latencies<'a> {
    /// Of these replications. `settles`: whether no part of a run is meant to differ from another.
    #[must_use]
    pub fn new(figures: &[&'a Figures], settles: bool) -> Self {
        let parts = figures.iter().map(|it| (&it.histogram, &it.batches[..], &it.controls[..]));
        Self::of(parts.collect(), settles)
    }

    /// Of requests that are reported together, by the index of their group.
    #[must_use]
    pub fn of_group(figures: &[&'a Figures], index: usize, settles: bool) -> Self {
        let groups = figures.iter().map(|it| &it.groups[index]);
        let parts = groups.map(|it| (&it.histogram, &it.batches[..], &it.controls[..]));
        Self::of(parts.collect(), settles)
    }

    fn of(replications: Vec<Parts<'a>>, settles: bool) -> Self {
        // Stretches of a run that does not settle have nothing in common.
        let has_intervals = settles || replications.len() > 1;
        let repeated = match &replications[..] {
            [(_, batches, _)] => Repeated::one_run(batches),
            all => Repeated::replications(all.iter().map(|&(all, batches, _)| (all, batches))),
        };
        Self { repeated, has_intervals, replications }
    }

    /// The mean (ms).
    #[must_use]
    pub fn mean(&self) -> Option<Estimate> {
        self.repeated.as_ref().map(|it| self.in_ms(it.mean_less(&self.luck(), CONFIDENCE)))
    }

    /// What control variates take off the mean of each replication (ns).
    fn luck(&self) -> Vec<f64> {
        let batches = self.replications.iter().map(|&(_, batches, controls)| (batches, controls));
        let coefficients = Coefficients::of(batches);
        let luck_ms = |parts: &Parts<'_>| coefficients.luck_ms(&ControlSum::means_of_all(parts.2));
        // Those without a success are no units.
        let units = self.replications.iter().filter(|(all, ..)| all.count() > 0);
        units.map(|parts| luck_ms(parts) * 1e6).collect()
    }

    /// A quantile, by its index in [`QUANTILES`] (ms).
    #[must_use]
    pub fn quantile(&self, index: usize) -> Option<Estimate> {
        self.repeated.as_ref().map(|it| self.in_ms(it.quantile(QUANTILES[index], CONFIDENCE)))
    }

    fn in_ms(&self, nanos: Estimate) -> Estimate {
        let ms = |nanos: f64| nanos / 1e6;
        let interval = nanos.interval.filter(|_| self.has_intervals);
        let interval = interval.map(|it| Interval { low: ms(it.low), high: ms(it.high) });
        Estimate { value: ms(nanos.value), interval, ..nanos }
    }
}
