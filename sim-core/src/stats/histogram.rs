//! Log-linear histogram of integer values with a guaranteed relative error.
//!
//! The idea of HdrHistogram (Tene, <http://hdrhistogram.org>): every octave
//! `[2^m, 2^(m+1))` is divided into `2^k` equal buckets, so a bucket is never
//! wider than `2^-k` of its lower end and its midpoint is within `2^-(k+1)` of
//! every value in it. Values under `2^(k+1)` have a bucket each and are exact.
//! The bucket of a value follows from its leading zeros; recording is one
//! counter increment.
//!
//! Counters are 32 bits wide and carry into a sparse side table, so counts are
//! exact however often a bucket is hit: nothing wraps or saturates.
//!
//! Why not the crate `hdrhistogram`, which is the oracle of the tests: recording takes the same time
//! (4 to 7 ns), but its error bound of 0.1 % costs four times the memory, 264 KiB up to an hour in
//! nanoseconds instead of 68 KiB, because it reports upper ends where midpoints halve the buckets, and
//! counts in 64 bits; and there is one histogram per service, cluster and strategy. Sum, least and
//! greatest value are exact here, and any `u64` may be recorded without a range or an error.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Guaranteed relative error of a reported quantile, and with it the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    /// At most 0.1 %: 512 buckets (2 KiB) per octave, exact under 1024.
    PerMille,
    /// At most 1 %: 64 buckets (256 bytes) per octave, exact under 128.
    Percent,
}

impl Resolution {
    /// log2 of the buckets per octave, `k`: the error bound is `2^-(k+1)`.
    const fn bits(self) -> u32 {
        match self {
            Self::PerMille => 9,
            Self::Percent => 6,
        }
    }

    /// The bucket that holds `value`; `|` makes the exact range octave 0.
    #[inline]
    pub(super) const fn index_of(self, value: u64) -> usize {
        let bits = self.bits();
        let octave = 63 - bits - (value | (1 << bits)).leading_zeros();
        ((octave as usize) << bits) + (value >> octave) as usize
    }

    /// Lowest value and width of a bucket.
    pub(super) const fn bounds_of(self, index: usize) -> (u64, u64) {
        let bits = self.bits();
        let octave = (index >> bits).saturating_sub(1);
        let lower = ((index - (octave << bits)) as u64) << octave;
        (lower, 1 << octave)
    }

    /// Number of buckets up to the end of the octave of bucket `index`.
    const fn buckets_through(self, index: usize) -> usize {
        ((index >> self.bits()) + 1) << self.bits()
    }
}

/// Counts of `u64` values (commonly nanoseconds) in log-linear buckets.
///
/// Any `u64` may be recorded. Memory grows octave by octave with the largest
/// value, to at most 112 KiB (`PerMille`) or 15 KiB (`Percent`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histogram {
    resolution: Resolution,
    #[serde(with = "runs_of_zeros")]
    counters: Vec<u32>,
    /// Multiples of 2^32 that overflowed a counter, by bucket.
    carries: BTreeMap<usize, u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Counters as they are written: most are zero, so each that is not comes with the zeros before it.
mod runs_of_zeros {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(counters: &[u32], to: S) -> Result<S::Ok, S::Error> {
        let (mut pairs, mut zeros) = (Vec::new(), 0_u32);
        for &counter in counters {
            if counter == 0 {
                zeros += 1;
            } else {
                pairs.push((zeros, counter));
                zeros = 0;
            }
        }
        (pairs, zeros).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
        let (pairs, zeros) = <(Vec<(u32, u32)>, u32)>::deserialize(from)?;
        let mut counters = Vec::new();
        for (zeros, counter) in pairs {
            counters.resize(counters.len() + zeros as usize, 0);
            counters.push(counter);
        }
        counters.resize(counters.len() + zeros as usize, 0);
        Ok(counters)
    }
}

impl Histogram {
    /// An empty histogram that allocates as larger values arrive.
    pub const fn new(resolution: Resolution) -> Self {
        Self {
            resolution,
            counters: Vec::new(),
            carries: BTreeMap::new(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// An empty histogram in which recording values up to `max_value` does not
    /// allocate, except for an entry of the carry table at a bucket's 2^32nd
    /// value.
    pub fn with_capacity_for(resolution: Resolution, max_value: u64) -> Self {
        let mut histogram = Self::new(resolution);
        histogram.grow_to_hold(resolution.index_of(max_value));
        histogram
    }

    /// The resolution chosen at construction.
    pub const fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Counts `value` once.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let index = self.resolution.index_of(value);
        match self.counters.get_mut(index) {
            Some(counter) if *counter < u32::MAX => *counter += 1,
            _ => self.add_to_bucket(index, 1),
        }
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Counts `value` `n` times.
    ///
    /// # Panics
    /// If the total count would reach 2^64.
    pub fn record_n(&mut self, value: u64, n: u64) {
        if n == 0 {
            return;
        }
        self.count = checked_total(self.count, n);
        self.add_to_bucket(self.resolution.index_of(value), n);
        self.sum += u128::from(value) * u128::from(n);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds everything `other` counted; exact.
    ///
    /// # Panics
    /// If the resolutions differ or the total count would reach 2^64.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.resolution, other.resolution, "histograms of different resolution cannot be merged");
        self.count = checked_total(self.count, other.count);
        for (index, count) in other.occupied() {
            self.add_to_bucket(index, count);
        }
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Number of values counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Smallest value, exact; `None` without values.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value, exact; `None` without values.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Mean of the recorded values themselves, not of their buckets; `None`
    /// without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The value of rank `ceil(q n)`, clamped to `1..=n`, in ascending order,
    /// for `q` in `0..=1`; `None` without values.
    ///
    /// Reported as the midpoint of its bucket, clamped to `[min, max]`: within
    /// the relative error of the [`Resolution`] of the exact order statistic.
    /// The product `q n` is rounded to `f64` before the ceiling.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        debug_assert!((0.0..=1.0).contains(&q), "a quantile needs q in 0..=1");
        if self.count == 0 {
            return None;
        }
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        let (index, _) = self.occupied().find(|&(_, count)| {
            seen += count;
            seen >= rank
        })?;
        let (lower, width) = self.resolution.bounds_of(index);
        Some((lower + (width - 1) / 2).clamp(self.min, self.max))
    }

    /// The `q` quantile, `q` in `0..=1`, with values spread evenly over their bucket, clamped to
    /// `[min, max]`; `None` without values.
    ///
    /// Unlike [`Self::quantile`] it moves smoothly with the sample: what estimators compare.
    pub fn smooth_quantile(&self, q: f64) -> Option<f64> {
        self.smooth_quantile_without(None, q)
    }

    /// The same of what is left if everything that `part` counted, which is counted here too, is taken away.
    pub(super) fn smooth_quantile_without(&self, part: Option<&Self>, q: f64) -> Option<f64> {
        debug_assert!((0.0..=1.0).contains(&q), "a quantile needs q in 0..=1");
        let taken =
            |index: usize| part.filter(|it| index < it.counters.len()).map_or(0, |it| it.count_of(index));
        let count = (self.count - part.map_or(0, Self::count)).checked_sub(1)?;
        // Each value stands in the middle of its own part of the bucket.
        let rank = q * count as f64 + 0.5;
        let mut seen = 0.0;
        for index in 0..self.counters.len() {
            let here = (self.count_of(index) - taken(index)) as f64;
            if here > 0.0 && seen + here >= rank {
                let (lower, width) = self.resolution.bounds_of(index);
                let value = lower as f64 + width as f64 * ((rank - seen) / here).max(0.0);
                return Some(value.clamp(self.min as f64, self.max as f64));
            }
            seen += here;
        }
        Some(self.max as f64)
    }

    /// How many values are at most `value`, with values spread evenly over their bucket.
    pub fn count_at_most(&self, value: f64) -> f64 {
        let mut count = 0.0;
        for (lower, upper, here) in self.buckets() {
            let (lower, upper) = (lower as f64, upper as f64);
            if value < lower {
                break;
            }
            count += here as f64 * ((value - lower) / (upper - lower)).min(1.0);
        }
        count
    }

    /// Sum of the squared deviations from the mean, with every value in the middle of its bucket.
    pub fn squared_deviations(&self) -> f64 {
        let Some(mean) = self.mean() else { return 0.0 };
        let of = |(index, count): (usize, u64)| {
            let (lower, width) = self.resolution.bounds_of(index);
            let middle = lower as f64 + 0.5 * (width - 1) as f64;
            let deviation = middle.clamp(self.min as f64, self.max as f64) - mean;
            count as f64 * deviation * deviation
        };
        self.occupied().map(of).sum()
    }

    /// Sum of the recorded values themselves.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The non-empty buckets in ascending order as
    /// `(lower, upper_exclusive, count)`.
    ///
    /// The bucket that ends at 2^64 reports `u64::MAX` as its upper end.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.occupied().map(|(index, count)| {
            let (lower, width) = self.resolution.bounds_of(index);
            (lower, lower.saturating_add(width), count)
        })
    }

    /// The non-empty buckets as (index, count).
    fn occupied(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        (0..self.counters.len()).map(|index| (index, self.count_of(index))).filter(|&(_, count)| count > 0)
    }

    fn count_of(&self, index: usize) -> u64 {
        let carried = match self.carries.is_empty() {
            true => 0,
            false => self.carries.get(&index).copied().unwrap_or(0),
        };
        (carried << 32) + u64::from(self.counters[index])
    }

    /// Adds `n` to a bucket, growing and carrying as needed.
    #[inline(never)]
    fn add_to_bucket(&mut self, index: usize, n: u64) {
        if index >= self.counters.len() {
            self.grow_to_hold(index);
        }
        let low = u64::from(self.counters[index]) + (n & u64::from(u32::MAX));
        self.counters[index] = low as u32;
        let carry = (n >> 32) + (low >> 32);
        if carry > 0 {
            *self.carries.entry(index).or_insert(0) += carry;
        }
    }

    fn grow_to_hold(&mut self, index: usize) {
        let wanted = self.resolution.buckets_through(index);
        self.counters.reserve_exact(wanted - self.counters.len());
        self.counters.resize(wanted, 0);
    }
}

fn checked_total(count: u64, more: u64) -> u64 {
    count.checked_add(more).expect("a histogram counts fewer than 2^64 values")
}

#[cfg(test)]
mod tests {
    use super::super::test_random::Lcg;
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Resolution; 2] = [Resolution::PerMille, Resolution::Percent];

    fn error_bound(resolution: Resolution) -> f64 {
        match resolution {
            Resolution::PerMille => 0.001,
            Resolution::Percent => 0.01,
        }
    }

    fn of(resolution: Resolution, values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new(resolution);
        values.iter().for_each(|&value| histogram.record(value));
        histogram
    }

    /// Values spread evenly over the octaves 0..40.
    fn spread(seed: u64, n: usize) -> Vec<u64> {
        let mut lcg = Lcg::new(seed);
        let mut draw = || lcg.next_u64() >> 24;
        (0..n).map(|_| draw() >> (draw() % 40)).collect()
    }

    #[test]
    fn empty_histogram_reports_nothing() {
        let histogram = Histogram::new(Resolution::PerMille);
        assert_eq!(histogram.count(), 0);
        assert_eq!((histogram.min(), histogram.max()), (None, None));
        assert_eq!(histogram.mean(), None);
        assert_eq!(histogram.quantile(0.5), None);
        assert_eq!(histogram.buckets().count(), 0);
    }

    #[test]
    fn small_values_are_exact() {
        for (resolution, limit) in [(Resolution::PerMille, 1024), (Resolution::Percent, 128)] {
            let histogram = of(resolution, &(0..limit).collect::<Vec<_>>());
            let exact: Vec<_> = (0..limit).map(|v| (v, v + 1, 1)).collect();
            assert_eq!(histogram.buckets().collect::<Vec<_>>(), exact);
            assert_eq!(histogram.quantile(0.5), Some(limit / 2 - 1));
        }
    }

    #[test]
    fn buckets_tile_the_whole_range() {
        for resolution in BOTH {
            let last = resolution.index_of(u64::MAX);
            let mut next = 0_u128;
            for index in 0..=last {
                let (lower, width) = resolution.bounds_of(index);
                assert_eq!(u128::from(lower), next);
                assert_eq!(resolution.index_of(lower), index);
                assert_eq!(resolution.index_of(lower + (width - 1)), index);
                next += u128::from(width);
            }
            assert_eq!(next, 1 << 64);
        }
    }

    #[test]
    fn the_top_of_the_range_is_counted() {
        let histogram = of(Resolution::Percent, &[1 << 63, u64::MAX]);
        let lowest = 1_u64 << 63;
        let width = 1_u64 << 57;
        let expected = [(lowest, lowest + width, 1), (u64::MAX - width + 1, u64::MAX, 1)];
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), expected);
        assert_eq!(histogram.mean(), Some(1.5 * lowest as f64));
    }

    #[test]
    fn quantile_ranks_round_up() {
        let histogram = of(Resolution::PerMille, &[10, 20, 30, 40]);
        let reported = [0.0, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76, 1.0].map(|q| histogram.quantile(q));
        assert_eq!(reported, [10, 10, 20, 20, 30, 30, 40, 40].map(Some));
    }

    #[test]
    fn smooth_quantiles_are_those_of_the_sample() {
        let values: Vec<u64> = (0..1000).map(|it| 5_000 + 7 * it).collect();
        let whole = of(Resolution::PerMille, &values);
        let sample: Vec<f64> = values.iter().map(|&it| it as f64).collect();
        for q in [0.0, 0.01, 0.5, 0.99, 1.0] {
            let exact = super::super::quantile_of_sorted(&sample, q).unwrap();
            let smooth = whole.smooth_quantile(q).unwrap();
            assert!((smooth / exact - 1.0).abs() < 0.001, "q {q}: {smooth} {exact}");
        }
        assert_eq!(of(Resolution::Percent, &[123_456_789; 9]).smooth_quantile(0.9), Some(123_456_789.0));
        assert_eq!(Histogram::new(Resolution::Percent).smooth_quantile(0.5), None);
    }

    #[test]
    fn what_is_left_of_a_histogram_is_that_of_the_rest() {
        let [first, second] = [spread(3, 5_000), spread(4, 3_000)];
        let rest = of(Resolution::PerMille, &second);
        let mut whole = of(Resolution::PerMille, &first);
        let part = whole.clone();
        whole.merge(&rest);
        for q in [0.1, 0.5, 0.99] {
            let [left, right] = [whole.smooth_quantile_without(Some(&part), q), rest.smooth_quantile(q)];
            assert_eq!(left, right, "q {q}");
        }
        assert_eq!(whole.smooth_quantile_without(Some(&whole), 0.5), None);
    }

    #[test]
    fn counts_and_deviations_follow_the_buckets() {
        let histogram = of(Resolution::PerMille, &[10, 20, 20, 50]);
        let counts = [9.0, 11.0, 20.5, 21.0, 1e9].map(|it| histogram.count_at_most(it));
        assert_eq!(counts, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!((histogram.sum(), histogram.squared_deviations()), (100, 900.0));
        assert_eq!(of(Resolution::Percent, &[123_456_789; 9]).squared_deviations(), 0.0);
    }

    #[test]
    fn quantiles_stay_between_the_extremes() {
        let histogram = of(Resolution::Percent, &[1_000_001, 1_000_003]);
        assert_eq!(histogram.quantile(0.5), Some(1_000_003));
        let lonely = of(Resolution::Percent, &[123_456_789]);
        assert_eq!(lonely.quantile(0.5), Some(123_456_789));
    }

    #[test]
    fn counters_carry_instead_of_wrapping() {
        let mut histogram = Histogram::new(Resolution::PerMille);
        histogram.record_n(7, u64::from(u32::MAX));
        histogram.record(7);
        histogram.record(7);
        histogram.record_n(9, 5 << 32);
        let (sevens, nines) = ((1 << 32) + 1, 5 << 32);
        let expected = vec![(7, 8, sevens), (9, 10, nines)];
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), expected);
        histogram.merge(&histogram.clone());
        let doubled = vec![(7, 8, 2 * sevens), (9, 10, 2 * nines)];
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), doubled);
        assert_eq!(histogram.count(), 2 * (sevens + nines));
        assert_eq!(histogram.quantile(0.16), Some(7));
        assert_eq!(histogram.quantile(0.17), Some(9));
    }

    #[test]
    #[should_panic(expected = "fewer than 2^64")]
    fn total_overflow_is_refused() {
        let mut histogram = Histogram::new(Resolution::Percent);
        histogram.record_n(1, u64::MAX);
        histogram.record_n(1, 1);
    }

    #[test]
    #[should_panic(expected = "different resolution")]
    fn resolutions_do_not_mix() {
        Histogram::new(Resolution::Percent).merge(&Histogram::new(Resolution::PerMille));
    }

    #[test]
    fn reserved_capacity_is_never_exceeded() {
        for resolution in BOTH {
            for max_value in [0, 1, 1023, 1024, 5_000_000_000, 1 << 63, u64::MAX] {
                let mut histogram = Histogram::with_capacity_for(resolution, max_value);
                let before = (histogram.counters.as_ptr(), histogram.counters.len());
                [0, max_value / 2, max_value].iter().for_each(|&v| histogram.record(v));
                let after = (histogram.counters.as_ptr(), histogram.counters.len());
                assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn memory_grows_by_octaves() {
        let mut histogram = Histogram::new(Resolution::PerMille);
        assert_eq!(histogram.counters.capacity(), 0);
        histogram.record(100);
        assert_eq!(histogram.counters.capacity(), 512);
        histogram.record(1024);
        assert_eq!(histogram.counters.capacity(), 3 * 512);
        histogram.record(u64::MAX);
        assert_eq!(histogram.counters.capacity() * 4, 112 * 1024);
    }

    /// HdrHistogram with 3 digits has 1024 buckets per octave, each half of one
    /// of ours, so its counts over our buckets must be exactly ours.
    #[test]
    fn counts_equal_those_of_hdrhistogram() {
        let values = spread(1, 50_000);
        let mut oracle = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        values.iter().for_each(|&v| oracle.record(v).unwrap());
        for resolution in BOTH {
            let ours = of(resolution, &values);
            for (lower, upper, count) in ours.buckets() {
                assert_eq!(oracle.count_between(lower, upper - 1), count);
            }
            assert_eq!(oracle.len(), ours.count());
        }
    }

    /// Up to an hour in nanoseconds.
    #[test]
    fn it_needs_a_quarter_of_the_memory_of_hdrhistogram() {
        const HOUR: u64 = 3_600_000_000_000;
        for (resolution, digits, bytes) in
            [(Resolution::PerMille, 3, [69_632, 270_336]), (Resolution::Percent, 2, [9_472, 36_864])]
        {
            let ours = of(resolution, &[HOUR]);
            let mut theirs = hdrhistogram::Histogram::<u64>::new(digits).unwrap();
            theirs.record(HOUR).unwrap();
            let got = [ours.counters.len() * size_of::<u32>(), theirs.distinct_values() * size_of::<u64>()];
            assert_eq!(got, bytes, "{resolution:?}");
        }
    }

    #[test]
    fn quantiles_agree_with_hdrhistogram() {
        let values = spread(2, 50_000);
        let mut oracle = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        values.iter().for_each(|&v| oracle.record(v).unwrap());
        for resolution in BOTH {
            let ours = of(resolution, &values);
            for step in 0..=1000 {
                let q = f64::from(step) / 1000.0;
                let theirs = oracle.value_at_quantile(q) as f64;
                let reported = ours.quantile(q).unwrap() as f64;
                let allowed = (error_bound(resolution) + 0.001) * theirs;
                assert!((reported - theirs).abs() <= allowed, "q {q}: {reported} {theirs}");
            }
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_error_bound(
            raw in prop::collection::vec((any::<u64>(), 0..64_u32), 1..200),
            q in 0.0..=1.0_f64,
        ) {
            let mut values: Vec<u64> = raw.iter().map(|&(v, shift)| v >> shift).collect();
            let histograms = BOTH.map(|resolution| of(resolution, &values));
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1];
            for histogram in histograms {
                let reported = histogram.quantile(q).unwrap();
                let allowed = error_bound(histogram.resolution()) * exact as f64;
                prop_assert!(reported.abs_diff(exact) as f64 <= allowed);
            }
        }

        #[test]
        fn sums_and_extremes_are_exact(values in prop::collection::vec(any::<u64>(), 1..100)) {
            let histogram = of(Resolution::Percent, &values);
            let sum: u128 = values.iter().map(|&v| u128::from(v)).sum();
            prop_assert_eq!(histogram.mean(), Some(sum as f64 / values.len() as f64));
            prop_assert_eq!(histogram.min(), values.iter().copied().min());
            prop_assert_eq!(histogram.max(), values.iter().copied().max());
        }

        #[test]
        fn merging_equals_recording_together(
            a in prop::collection::vec((0..1_u64 << 40, 1..5_u64), 0..50),
            b in prop::collection::vec((0..1_u64 << 40, 1..5_u64), 0..50),
        ) {
            let mut parts = [&a, &b].map(|part| {
                let mut histogram = Histogram::new(Resolution::PerMille);
                part.iter().for_each(|&(value, n)| histogram.record_n(value, n));
                histogram
            });
            let [merged, other] = &mut parts;
            merged.merge(other);
            let repeated: Vec<u64> = a.iter().chain(&b)
                .flat_map(|&(value, n)| std::iter::repeat_n(value, n as usize)).collect();
            let together = of(Resolution::PerMille, &repeated);
            prop_assert!(merged.buckets().eq(together.buckets()));
            prop_assert_eq!(
                (merged.count(), merged.mean(), merged.min(), merged.max()),
                (together.count(), together.mean(), together.min(), together.max())
            );
        }
    }
}
