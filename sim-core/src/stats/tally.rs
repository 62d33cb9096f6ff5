//! Moments and extremes of a sample, in one pass and constant memory.
//!
//! Recording uses Welford's update (Technometrics 4(3), 1962), merging the
//! pairwise formula of Chan, Golub and LeVeque (Updating Formulae and a
//! Pairwise Algorithm for Computing Sample Variances, COMPSTAT 1982). Neither
//! subtracts large sums of squares, so a small variance around a large mean
//! survives.

/// Count, mean, variance and extremes of the values recorded so far.
///
/// The unit of every result is that of the recorded values (its square for the
/// variance). Values must be finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    count: u64,
    mean: f64,
    squared_deviations: f64,
    min: f64,
    max: f64,
}

impl Tally {
    /// An empty tally.
    pub const fn new() -> Self {
        Self { count: 0, mean: 0.0, squared_deviations: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    /// Adds one finite value.
    #[inline]
    pub fn record(&mut self, value: f64) {
        debug_assert!(value.is_finite(), "a tally takes finite values");
        self.count += 1;
        let delta = value - self.mean;
        // Signed, because that takes fewer instructions.
        self.mean += delta / self.count as i64 as f64;
        self.squared_deviations += delta * (value - self.mean);
        // A finite value needs no more than these.
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }

    /// Number of values recorded.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Arithmetic mean; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Unbiased sample variance (divisor n − 1); `None` under two values.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squared_deviations / (self.count - 1) as f64)
    }

    /// Sum of squared deviations from the mean; 0 without values.
    pub const fn squared_deviations(&self) -> f64 {
        self.squared_deviations
    }

    /// Smallest value; `None` without values.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value; `None` without values.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// Adds everything `other` recorded.
    ///
    /// Equal to recording both sequences into one tally, up to rounding.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let total = self.count + other.count;
        let delta = other.mean - self.mean;
        let share = other.count as f64 / total as f64;
        self.squared_deviations += other.squared_deviations + delta * delta * self.count as f64 * share;
        self.mean += delta * share;
        self.count = total;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<f64> for Tally {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut tally = Self::new();
        values.into_iter().for_each(|value| tally.record(value));
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn empty_tally_has_no_moments() {
        let tally = Tally::new();
        assert_eq!(tally.count(), 0);
        assert_eq!(tally.mean(), None);
        assert_eq!(tally.variance(), None);
        assert_eq!((tally.min(), tally.max()), (None, None));
    }

    #[test]
    fn one_value_has_a_mean_but_no_variance() {
        let tally = Tally::from_iter([-3.5]);
        assert_eq!(tally.mean(), Some(-3.5));
        assert_eq!(tally.variance(), None);
        assert_eq!((tally.min(), tally.max()), (Some(-3.5), Some(-3.5)));
    }

    #[test]
    fn moments_of_a_known_sample() {
        let tally = Tally::from_iter([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(tally.mean(), Some(5.0));
        assert!((tally.variance().unwrap() - 32.0 / 7.0).abs() < 1e-14);
        assert!((tally.squared_deviations() - 32.0).abs() < 1e-13);
        assert_eq!((tally.min(), tally.max()), (Some(2.0), Some(9.0)));
    }

    #[test]
    fn small_variance_around_a_large_mean_survives() {
        let tally = Tally::from_iter([4.0, 7.0, 13.0, 16.0].map(|x| x + 1e9));
        assert!((tally.variance().unwrap() - 30.0).abs() < 1e-6);
    }

    #[test]
    fn merging_with_empty_changes_nothing() {
        let full = Tally::from_iter([1.0, 2.0, 4.0]);
        let mut left = full;
        left.merge(&Tally::new());
        let mut right = Tally::new();
        right.merge(&full);
        assert_eq!(left, full);
        assert_eq!(right, full);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "finite")]
    fn nan_is_refused_in_debug_builds() {
        Tally::new().record(f64::NAN);
    }

    proptest! {
        #[test]
        fn matches_two_pass_and_merge(
            a in prop::collection::vec(-1e6..1e6_f64, 1..60),
            b in prop::collection::vec(-1e6..1e6_f64, 1..60),
        ) {
            let all: Vec<f64> = a.iter().chain(&b).copied().collect();
            let n = all.len() as f64;
            let mean = all.iter().sum::<f64>() / n;
            let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
            let mut merged = Tally::from_iter(a);
            merged.merge(&Tally::from_iter(b));
            for tally in [Tally::from_iter(all.iter().copied()), merged] {
                prop_assert_eq!(tally.count(), all.len() as u64);
                prop_assert!((tally.mean().unwrap() - mean).abs() < 1e-8);
                prop_assert!((tally.variance().unwrap() - variance).abs() <= 1e-10 * variance + 1e-6);
                prop_assert_eq!(tally.min(), all.iter().copied().reduce(f64::min));
                prop_assert_eq!(tally.max(), all.iter().copied().reduce(f64::max));
            }
        }
    }
}
