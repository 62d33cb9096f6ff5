//! A histogram of few values: the buckets of a [`Histogram`](super::Histogram), of which only those are there that
//! hold something.
//!
//! It takes 8 bytes per distinct bucket, where a [`Histogram`](super::Histogram) takes room for all up to the largest
//! value; recording searches its bucket and may move others. For many histograms of some thousand values each.

use super::histogram::Resolution;

/// Counts of `u64` values in those buckets that hold some.
#[derive(Clone, Debug)]
pub struct SparseHistogram {
    resolution: Resolution,
    /// Number of the bucket and values in it, ascending.
    buckets: Vec<(u32, u32)>,
    count: u64,
    min: u64,
    max: u64,
}

impl SparseHistogram {
    /// An empty histogram.
    #[must_use]
    pub const fn new(resolution: Resolution) -> Self {
        Self { resolution, buckets: Vec::new(), count: 0, min: u64::MAX, max: 0 }
    }

    /// Counts `value` once.
    ///
    /// # Panics
    /// If a bucket comes to hold 2^32 values.
    pub fn record(&mut self, value: u64) {
        let index = self.resolution.index_of(value) as u32;
        match self.buckets.binary_search_by_key(&index, |&(index, _)| index) {
            Ok(at) => {
                let count = &mut self.buckets[at].1;
                *count = count.checked_add(1).expect("a bucket holds fewer than 2^32 values");
            }
            Err(at) => self.buckets.insert(at, (index, 1)),
        }
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Number of values counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The `q` quantile, `q` in `0..=1`, interpolated between neighbouring values as
    /// [`quantile_of_sorted`](super::quantile_of_sorted) does, each of which is the midpoint of its bucket, clamped to
    /// the least and the greatest value: within the relative error of the [`Resolution`] of the exact one. `None`
    /// without values.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        debug_assert!((0.0..=1.0).contains(&q), "a quantile needs q in 0..=1");
        let last = self.count.checked_sub(1)?;
        let position = q * last as f64;
        let below = (position.floor() as u64).min(last);
        let [lower, upper] = [below, (below + 1).min(last)].map(|rank| self.value_at(rank));
        Some(lower + (position - below as f64) * (upper - lower))
    }

    /// The value before which `rank` others stand.
    fn value_at(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for &(index, count) in &self.buckets {
            seen += u64::from(count);
            if seen > rank {
                let (lower, width) = self.resolution.bounds_of(index as usize);
                return (lower + (width - 1) / 2).clamp(self.min, self.max) as f64;
            }
        }
        self.max as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantile_of_sorted;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_values_there_is_no_quantile() {
        let histogram = SparseHistogram::new(Resolution::PerMille);
        assert_eq!((histogram.count(), histogram.quantile(0.5)), (0, None));
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec((0..1_u64 << 40, 0..40_u32).prop_map(|(value, octaves)| value >> octaves), 1..300),
            q in 0.0..=1.0_f64,
        ) {
            let mut histogram = SparseHistogram::new(Resolution::PerMille);
            values.iter().for_each(|&value| histogram.record(value));
            prop_assert_eq!(histogram.count(), values.len() as u64);
            values.sort_unstable();
            let sorted: Vec<f64> = values.iter().map(|&value| value as f64).collect();
            let exact = quantile_of_sorted(&sorted, q).unwrap();
            let found = histogram.quantile(q).unwrap();
            prop_assert!((found - exact).abs() <= 0.001 * exact, "{} for {}", found, exact);
        }
    }
}
