//! What users waited, interval by interval, from the rows of their requests.

use meshsim_core::stats::quantile_of_sorted;
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::ids::PopulationId;
use meshsim_models::telemetry::request_log::RequestRow;

/// A population's requests that arrived in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Quantiles of the latency of the others: 0.5, 0.9, 0.99 (ms); absent if there are none.
    pub latency_ms: Option<[f64; 3]>,
}

/// The whole run in intervals; the last one ends with the run, and may be shorter.
#[must_use]
pub fn user_series(
    rows: &[RequestRow],
    populations: usize,
    interval: SimDuration,
    end: SimTime,
) -> Vec<UserSample> {
    let count = end.as_nanos().div_ceil(interval.as_nanos().max(1)) as usize;
    let mut latencies: Vec<Vec<f64>> = vec![Vec::new(); count * populations];
    let mut others = vec![[0_u32; 2]; count * populations];
    for row in rows {
        let number = (row.arrival.as_nanos() / interval.as_nanos().max(1)) as usize;
        let place = number * populations + row.population.index();
        match row.end {
            Some(it) if it.status.is_ok() => latencies[place].push(it.latency.as_millis_f64()),
            Some(_) => others[place][0] += 1,
            None => others[place][1] += 1,
        }
    }
    let sample = |(place, latencies): (usize, &mut Vec<f64>)| {
        latencies.sort_unstable_by(f64::total_cmp);
        let [failed, in_flight] = others[place];
        let quantile = |q| quantile_of_sorted(latencies, q);
        let latency_ms = match [0.5, 0.9, 0.99].map(quantile) {
            [Some(p50), Some(p90), Some(p99)] => Some([p50, p90, p99]),
            _ => None,
        };
        let begins = SimTime::ZERO + interval * ((place / populations) as u64);
        let ends = end.min(begins.saturating_add(interval));
        UserSample {
            at: ends,
            population: PopulationId::from_index(place % populations),
            offered_per_second: (latencies.len() as f64 + f64::from(failed + in_flight))
                / (ends - begins).as_secs_f64(),
            failed,
            in_flight,
            latency_ms,
        }
    };
    latencies.iter_mut().enumerate().map(sample).collect()
}
