//! The latency that a dashboard shows: Prometheus' `histogram_quantile` over Istio's buckets.
//!
//! # Models
//! `istio_request_duration_milliseconds` has few and wide buckets; a quantile is interpolated
//! linearly inside one. So a dashboard's p90 differs from the true one, and only like may be
//! compared with like.
//!
//! # Source
//! Envoy's default histogram buckets (`stats_config.proto`), which Istio keeps; Prometheus,
//! `promql/quantile.go`, `bucketQuantile`.

use super::promql::histogram_quantile;

/// Upper bounds of the buckets (ms); one without a bound follows.
pub const BOUNDS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Counts of latencies in Istio's buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IstioHistogram {
    counts: [u64; BOUNDS_MS.len() + 1],
}

impl IstioHistogram {
    /// Counts a latency (ms).
    pub fn record(&mut self, latency_ms: f64) {
        self.counts[BOUNDS_MS.partition_point(|bound| *bound < latency_ms)] += 1;
    }

    /// Adds those of another one.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// Latencies in each bucket, not in those below it.
    #[must_use]
    pub const fn counts(&self) -> &[u64; BOUNDS_MS.len() + 1] {
        &self.counts
    }

    /// What `histogram_quantile(q, ...)` would show (ms); nothing if there is no latency.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        histogram_quantile(q, &BOUNDS_MS, &self.counts.map(|count| count as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(latencies: &[f64]) -> IstioHistogram {
        let mut histogram = IstioHistogram::default();
        latencies.iter().for_each(|&ms| histogram.record(ms));
        histogram
    }

    #[test]
    fn quantiles_are_interpolated_inside_a_bucket() {
        let h = histogram(&[300.0; 10]);
        assert_eq!(h.quantile(0.9), Some(250.0 + 250.0 * 0.9));
        let h = histogram(&[0.4, 0.4, 700.0, 700.0]);
        assert_eq!(h.quantile(0.5), Some(0.5));
        assert_eq!(h.quantile(0.75), Some(750.0));
        assert_eq!(IstioHistogram::default().quantile(0.9), None);
        assert_eq!(histogram(&[1e9]).quantile(0.5), Some(3_600_000.0));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert_eq!(histogram(&[5.0]), histogram(&[4.0]));
    }
}
