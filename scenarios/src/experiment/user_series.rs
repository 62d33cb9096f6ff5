//! What users waited, interval by interval.

use meshsim_core::stats::{Resolution, SparseHistogram};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::ids::PopulationId;
use meshsim_models::telemetry::request_log::RequestRow;
use serde::{Deserialize, Serialize};

/// A population's requests that arrived in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserSample {
    /// The end of the interval.
    pub at: SimTime,
    /// Whose requests.
    pub population: PopulationId,
    /// Requests that arrived, per second.
    pub offered_per_second: f64,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that had not ended when the run did.
    pub in_flight: u32,
    /// Quantiles of the latency of the others: 0.5, 0.9, 0.99 (ms), to 0.1 %; absent if there are none.
    pub latency_ms: Option<[f64; 3]>,
}

/// The whole run in intervals; the last one ends with the run, and may be shorter.
pub(super) struct UserSeries {
    populations: usize,
    interval: SimDuration,
    end: SimTime,
    /// By interval and population.
    seen: Vec<Seen>,
}

/// Requests of a population that arrived in an interval.
#[derive(Clone)]
struct Seen {
    latency: SparseHistogram,
    failed: u32,
    in_flight: u32,
}

impl UserSeries {
    /// Of so many populations in a run that ends at `end`.
    pub(super) fn new(populations: usize, interval: SimDuration, end: SimTime) -> Self {
        let interval = interval.max(SimDuration::from_nanos(1));
        let count = end.as_nanos().div_ceil(interval.as_nanos()) as usize;
        let seen = Seen { latency: SparseHistogram::new(Resolution::PerMille), failed: 0, in_flight: 0 };
        Self { populations, interval, end, seen: vec![seen; count * populations] }
    }

    /// A request has ended, or was in flight at the end of the run.
    pub(super) fn add(&mut self, row: &RequestRow) {
        let number = (row.arrival.as_nanos() / self.interval.as_nanos()) as usize;
        let seen = &mut self.seen[number * self.populations + row.population.index()];
        match row.end {
            Some(it) if it.status.is_ok() => seen.latency.record(it.latency.as_nanos()),
            Some(_) => seen.failed += 1,
            None => seen.in_flight += 1,
        }
    }

    /// A sample per interval and population, in this order.
    pub(super) fn samples(&self) -> Vec<UserSample> {
        self.seen.iter().enumerate().map(|(index, seen)| self.sample(index, seen)).collect()
    }

    fn sample(&self, index: usize, seen: &Seen) -> UserSample {
        let quantile = |q| seen.latency.quantile(q).map(|nanos| nanos / 1e6);
        let latency_ms = match [0.5, 0.9, 0.99].map(quantile) {
            [Some(p50), Some(p90), Some(p99)] => Some([p50, p90, p99]),
            _ => None,
        };
        let begins = SimTime::ZERO + self.interval * ((index / self.populations) as u64);
        let ends = self.end.min(begins.saturating_add(self.interval));
        let offered = seen.latency.count() as f64 + f64::from(seen.failed + seen.in_flight);
        UserSample {
            at: ends,
            population: PopulationId::from_index(index % self.populations),
            offered_per_second: offered / (ends - begins).as_secs_f64(),
            failed: seen.failed,
            in_flight: seen.in_flight,
            latency_ms,
        }
    }
}
