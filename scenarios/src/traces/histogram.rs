//! Latencies of which only the buckets are known.
//!
//! # Models
//! Within a bucket latencies are spread evenly, as Prometheus' `histogram_quantile` has it; those of
//! a bucket without an upper border are taken as its lower one.
//!
//! # Assumptions
//! The above. Effect: a quantile is off by at most the width of its bucket. The distribution
//! function is exact at the borders, and so is the mean where the file has the sum.
//!
//! # Source
//! Prometheus documentation, Query functions, `histogram_quantile`.

/// Latencies from `low_ms`, exclusive, to `high_ms`, inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Lower border (ms).
    pub low_ms: f64,
    /// Upper border (ms); infinite in a last bucket without one.
    pub high_ms: f64,
    /// How many: not whole where a file has shares or rates.
    pub count: f64,
}

/// How many latencies fell into which bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Ascending, without overlap.
    pub buckets: Vec<Bucket>,
    /// The mean of the latencies in it, where the file has it (ms).
    pub exact_mean_ms: Option<f64>,
    /// Requests in all, also those that are in no bucket.
    pub requests: u64,
    /// Those that failed; whether their latencies are in the buckets depends on the format.
    pub failed: u64,
    /// Above this share no quantile is known but the maximum, where a file has no more.
    pub unknown_above: Option<f64>,
}

impl Histogram {
    /// A histogram of cumulative counts: how many latencies are at most each border (ms), ascending
    /// in border and count. `low_ms` is the lower border of the first bucket.
    pub(super) fn of_cumulative(low_ms: f64, points: &[(f64, f64)]) -> Self {
        let (mut low, mut before) = (low_ms, 0.0);
        let mut buckets = Vec::new();
        for &(border, cumulative) in points {
            let count = cumulative - before;
            if count > 0.0 {
                buckets.push(Bucket { low_ms: low.min(border), high_ms: border, count });
                before = cumulative;
            }
            low = border;
        }
        Self { buckets, ..Self::default() }
    }

    fn total(&self) -> f64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// How many latencies are in it, rounded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total().round() as u64
    }

    /// The mean (ms): of the file, or else of the buckets. None if it is empty.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        let total = self.total();
        let sum: f64 = self.buckets.iter().map(|bucket| bucket.count * bucket.at(0.5)).sum();
        self.exact_mean_ms.or((total > 0.0).then_some(sum / total))
    }

    /// Whether the quantile of order `q` is known, and not only spread up to the maximum.
    #[must_use]
    pub fn knows(&self, q: f64) -> bool {
        self.unknown_above.is_none_or(|share| q <= share || q >= 1.0)
    }

    /// The quantile of order `q`, from 0 to 1 (ms). None if it is empty.
    #[must_use]
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let total = self.total();
        let mut left = q.clamp(0.0, 1.0) * total;
        for bucket in &self.buckets {
            if left <= bucket.count {
                return Some(bucket.at(left / bucket.count));
            }
            left -= bucket.count;
        }
        // Only rounding leads here.
        self.buckets.last().map(|bucket| bucket.at(1.0))
    }

    /// The largest difference at a border between the distribution function of the buckets and that
    /// of a sample (ms, ascending): a lower bound of the Kolmogorov-Smirnov distance. NaN if one is
    /// empty.
    #[must_use]
    pub fn kolmogorov_smirnov(&self, sorted_ms: &[f64]) -> f64 {
        let total = self.total();
        if total <= 0.0 || sorted_ms.is_empty() {
            return f64::NAN;
        }
        let share =
            |border: f64| sorted_ms.partition_point(|&value| value <= border) as f64 / sorted_ms.len() as f64;
        let mut passed = 0.0;
        let mut largest = 0.0_f64;
        for bucket in &self.buckets {
            // Between buckets nothing was measured: the lower border is one as well.
            largest = largest.max((share(bucket.low_ms) - passed / total).abs());
            passed += bucket.count;
            largest = largest.max((share(bucket.high_ms) - passed / total).abs());
        }
        largest
    }

    /// The mean distance between equal quantiles of the buckets and of a sample (ms, ascending), at
    /// the middle of each of the sample's steps. NaN if one is empty, or not all quantiles are known.
    #[must_use]
    pub fn wasserstein_ms(&self, sorted_ms: &[f64]) -> f64 {
        if self.unknown_above.is_some() {
            return f64::NAN;
        }
        let n = sorted_ms.len() as f64;
        let at = |index: usize| self.quantile_ms((index as f64 + 0.5) / n).unwrap_or(f64::NAN);
        let distances = sorted_ms.iter().enumerate().map(|(index, value)| (value - at(index)).abs());
        distances.sum::<f64>() / n
    }
}

impl Bucket {
    /// The value below which this share of the bucket lies (ms).
    fn at(&self, share: f64) -> f64 {
        if self.high_ms.is_finite() {
            self.low_ms + share * (self.high_ms - self.low_ms)
        } else {
            self.low_ms
        }
    }
}
