//! Confidence intervals for means of independent observations.
//!
//! An observation is commonly the mean of one replication, so that Student's t
//! applies by the central limit theorem (Law, Simulation Modeling and Analysis,
//! 5th ed., 4.5 and 9.4.1). Configurations run with common random numbers are
//! compared by their paired differences (Law, 10.2.1 and 11.2).

use super::student_t::student_t_quantile;
use super::tally::Tally;
use crate::elementary::sqrt;

/// A closed interval, in the unit of the quantity it bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end, included.
    pub low: f64,
    /// Upper end, included; not below `low`.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies between the ends, both included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half the distance between the ends.
    pub fn half_width(&self) -> f64 {
        0.5 * (self.high - self.low)
    }
}

/// An estimated quantity with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Point estimate.
    pub value: f64,
    /// Confidence interval around `value`; `None` if the observations do not
    /// reveal their own spread (fewer than two).
    pub interval: Option<Interval>,
    /// Number of observations used.
    pub samples: u64,
}

impl Estimate {
    /// The mean of independent observations and its two-sided Student-t
    /// interval at `confidence` (between 0 and 1); `None` for an empty tally.
    pub fn of_mean(tally: &Tally, confidence: f64) -> Option<Self> {
        debug_assert!(confidence > 0.0 && confidence < 1.0, "a confidence between 0 and 1");
        let value = tally.mean()?;
        let samples = tally.count();
        let interval = tally.variance().map(|variance| {
            let t = student_t_quantile(0.5 + 0.5 * confidence, (samples - 1) as f64);
            let half_width = t * sqrt(variance / samples as f64);
            Interval { low: value - half_width, high: value + half_width }
        });
        Some(Self { value, interval, samples })
    }
}

/// The comparison of two configurations observed in pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean of the differences a − b.
    pub difference: Estimate,
    /// (var a + var b) / var(a − b): how many times as many independent runs
    /// would give the same precision, 1 for no gain from pairing. `None` if
    /// the differences do not vary or there are fewer than two pairs.
    pub variance_ratio: Option<f64>,
}

/// Mean of independent observations with its Student-t interval.
///
/// `confidence` is between 0 and 1. `None` without values; the interval is
/// `None` with one value.
pub fn mean_estimate(values: &[f64], confidence: f64) -> Option<Estimate> {
    Estimate::of_mean(&values.iter().copied().collect(), confidence)
}

/// Compares `a[i]` with `b[i]`, observed under common random numbers.
///
/// `confidence` is between 0 and 1. `None` if there is no pair or the lengths
/// differ.
pub fn paired_difference(a: &[f64], b: &[f64], confidence: f64) -> Option<Paired> {
    if a.len() != b.len() {
        return None;
    }
    let differences: Tally = a.iter().zip(b).map(|(a, b)| a - b).collect();
    Some(Paired {
        difference: Estimate::of_mean(&differences, confidence)?,
        variance_ratio: variance_ratio(a, b, &differences),
    })
}

fn variance_ratio(a: &[f64], b: &[f64], differences: &Tally) -> Option<f64> {
    let variance = |values: &[f64]| values.iter().copied().collect::<Tally>().variance();
    let unpaired = variance(a)? + variance(b)?;
    let paired = differences.variance()?;
    (paired > 0.0).then(|| unpaired / paired)
}

#[cfg(test)]
mod tests {
    use super::super::test_random::Lcg;
    use super::*;

    #[test]
    fn interval_includes_its_ends() {
        let interval = Interval { low: -1.0, high: 3.0 };
        assert!(interval.contains(-1.0) && interval.contains(3.0));
        assert!(!interval.contains(-1.1) && !interval.contains(3.1));
        assert!(!interval.contains(f64::NAN));
        assert_eq!(interval.half_width(), 2.0);
    }

    #[test]
    fn few_values_give_no_interval() {
        assert_eq!(mean_estimate(&[], 0.95), None);
        let single = Estimate { value: 4.5, interval: None, samples: 1 };
        assert_eq!(mean_estimate(&[4.5], 0.95), Some(single));
    }

    /// Law, 5th ed., example 4.27: mean 1.34, 90 % half-width 0.24.
    #[test]
    fn textbook_example() {
        let values = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09];
        let estimate = mean_estimate(&values, 0.90).unwrap();
        let half_width = estimate.interval.unwrap().half_width();
        assert!((estimate.value - 1.343).abs() < 1e-12);
        assert!((half_width - 0.237253414489).abs() < 1e-10, "{half_width}");
        assert_eq!(estimate.samples, 10);
    }

    #[test]
    fn constant_values_have_an_interval_of_no_width() {
        let estimate = mean_estimate(&[0.1; 7], 0.99).unwrap();
        let point = Interval { low: 0.1, high: 0.1 };
        assert_eq!(estimate.interval, Some(point));
    }

    #[test]
    fn normal_samples_are_covered_as_promised() {
        let mut lcg = Lcg::new(11);
        let repetitions = 4000;
        for (confidence, n) in [(0.95, 5), (0.80, 3)] {
            let covered = (0..repetitions).filter(|_| {
                let values: Vec<f64> = (0..n).map(|_| 10.0 + lcg.normal()).collect();
                let estimate = mean_estimate(&values, confidence).unwrap();
                estimate.interval.unwrap().contains(10.0)
            });
            let coverage = covered.count() as f64 / f64::from(repetitions);
            let spread = (confidence * (1.0 - confidence) / f64::from(repetitions)).sqrt();
            let deviation = (coverage - confidence) / spread;
            assert!(deviation.abs() < 3.5, "{coverage} for {confidence}");
        }
    }

    #[test]
    fn paired_difference_of_a_known_sample() {
        let paired = paired_difference(&[3.0, 5.0, 10.0], &[1.0, 4.0, 7.0], 0.95).unwrap();
        assert_eq!(paired.difference.value, 2.0);
        assert_eq!(paired.difference.samples, 3);
        let half_width = paired.difference.interval.unwrap().half_width();
        assert!((half_width - 4.30265272991 / 3.0_f64.sqrt()).abs() < 1e-9);
        let expected = 13.0 + 9.0;
        assert!((paired.variance_ratio.unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn degenerate_pairs_have_no_ratio() {
        assert_eq!(paired_difference(&[], &[], 0.95), None);
        assert_eq!(paired_difference(&[1.0, 2.0], &[1.0], 0.95), None);
        let lonely = paired_difference(&[5.0], &[3.0], 0.95).unwrap();
        assert_eq!(lonely.difference.value, 2.0);
        assert_eq!(lonely.difference.interval, None);
        assert_eq!(lonely.variance_ratio, None);
        let shifted = paired_difference(&[2.0, 5.0, 9.0], &[1.0, 4.0, 8.0], 0.95).unwrap();
        assert_eq!(shifted.difference.interval.unwrap().half_width(), 0.0);
        assert_eq!(shifted.variance_ratio, None);
    }

    /// a = s + e, b = s + f with var s = 9, var e = var f = 1: ratio 20/2.
    #[test]
    fn variance_ratio_measures_the_shared_part() {
        let mut lcg = Lcg::new(12);
        let (mut a, mut b, mut unrelated) = (vec![], vec![], vec![]);
        for _ in 0..20_000 {
            let shared = 3.0 * lcg.normal();
            a.push(shared + lcg.normal());
            b.push(shared + lcg.normal());
            unrelated.push(lcg.normal());
        }
        let related = paired_difference(&a, &b, 0.95).unwrap();
        assert!((related.variance_ratio.unwrap() - 10.0).abs() < 0.5);
        let independent = paired_difference(&a, &unrelated, 0.95).unwrap();
        assert!((independent.variance_ratio.unwrap() - 1.0).abs() < 0.05);
    }
}
