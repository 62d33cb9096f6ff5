//! Quantiles of a sorted sample, with distribution-free confidence intervals.
//!
//! Point estimate: linear interpolation, type 7 of Hyndman & Fan (Sample
//! Quantiles in Statistical Packages, The American Statistician 50(4), 1996),
//! the default of R.
//!
//! Interval: the number of independent observations below the true quantile is
//! Binomial(n, q), so the order statistics of ranks `l < u` enclose it with
//! probability P(l ≤ B ≤ u − 1) or more, whatever the distribution (Conover,
//! Practical Nonparametric Statistics, 3rd ed., 3.2; Hahn & Meeker, Statistical
//! Intervals, 1991, 5.2).

use super::interval::Interval;

/// The `q` quantile, `q` in `0..=1`, of an ascending sample; `None` if empty.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    debug_assert!((0.0..=1.0).contains(&q), "a quantile needs q in 0..=1");
    debug_assert!(sorted.is_sorted(), "the sample must be sorted, without NaN");
    let last = sorted.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let fraction = position - below as f64;
    Some(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

/// A confidence interval for the `q` quantile of the distribution from which
/// the ascending sample was drawn independently.
///
/// The ends are order statistics at equal rank distance from `(n + 1) q`, the
/// smallest distance at which the exact binomial coverage is at least
/// `confidence` (between 0 and 1); near an end of the sample, the side that
/// reaches it stays there while the other moves on. The coverage is therefore
/// at least, and usually above, `confidence`.
///
/// `None` if even the whole range of the sample falls short of `confidence`
/// (the median needs 6 values for 95 %, the 0.99 quantile 299), or if `q` is
/// not strictly between 0 and 1.
pub fn order_statistic_interval(sorted: &[f64], q: f64, confidence: f64) -> Option<Interval> {
    debug_assert!(sorted.is_sorted(), "the sample must be sorted, without NaN");
    let (low, high) = enclosing_ranks(sorted.len(), q, confidence)?;
    Some(Interval { low: sorted[low - 1], high: sorted[high - 1] })
}

/// The ranks, from 1, of the ends of the interval.
fn enclosing_ranks(n: usize, q: f64, confidence: f64) -> Option<(usize, usize)> {
    debug_assert!(confidence > 0.0 && confidence < 1.0, "a confidence between 0 and 1");
    let inside = q > 0.0 && q < 1.0;
    if n == 0 || !inside {
        return None;
    }
    let below = Binomial::new(n, q);
    let centre = (n + 1) as f64 * q;
    let (left, right) = (centre.floor() as usize, centre.ceil() as usize);
    (0..n)
        .map(|reach| (left.saturating_sub(reach).max(1), (right + reach).min(n)))
        .find(|&(low, high)| below.at_most(high - 1) - below.at_most(low - 1) >= confidence)
}

/// The distribution function of Binomial(n, q), 0 < q < 1.
///
/// Probabilities follow from the mode outwards by the ratio of neighbours and
/// are divided by their sum. Every term is positive, so nothing cancels; there
/// is no power that could underflow and no lgamma that loses digits for large
/// n. Terms under 1e-25 of the mode are omitted: memory is O(sqrt(n)).
struct Binomial {
    /// The outcome of the first entry of `cumulative`.
    first: usize,
    cumulative: Vec<f64>,
}

impl Binomial {
    fn new(n: usize, q: f64) -> Self {
        let odds = q / (1.0 - q);
        let mode = (((n + 1) as f64 * q).floor() as usize).min(n);
        let downward = relative_weights((1..=mode).rev(), |k| k as f64 / ((n - k + 1) as f64 * odds));
        let upward = relative_weights(mode..n, |k| (n - k) as f64 * odds / (k + 1) as f64);
        let weights = || downward.iter().rev().chain([&1.0]).chain(&upward);
        let total: f64 = weights().sum();
        let cumulative = weights().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum / total)
        });
        Self { first: mode - downward.len(), cumulative: cumulative.collect() }
    }

    /// P(B ≤ k).
    fn at_most(&self, k: usize) -> f64 {
        match k.checked_sub(self.first) {
            None => 0.0,
            Some(index) => self.cumulative.get(index).copied().unwrap_or(1.0),
        }
    }
}

/// Weights relative to the mode, walking away from it by `ratio` per step.
fn relative_weights(steps: impl Iterator<Item = usize>, ratio: impl Fn(usize) -> f64) -> Vec<f64> {
    let walk = steps.scan(1.0, |weight, k| {
        *weight *= ratio(k);
        Some(*weight)
    });
    walk.take_while(|&weight| weight > 1e-25).collect()
}

#[cfg(test)]
mod tests {
    use super::super::test_random::Lcg;
    use super::*;
    use crate::elementary::{ln, pow};
    use proptest::prelude::*;

    #[test]
    fn interpolates_as_r_type_7() {
        // R: quantile(c(1, 2, 4, 8), c(0, .1, .25, .5, .9, 1))
        let sample = [1.0, 2.0, 4.0, 8.0];
        let expected = [(0.0, 1.0), (0.1, 1.3), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)];
        for (q, value) in expected {
            let quantile = quantile_of_sorted(&sample, q).unwrap();
            assert!((quantile - value).abs() < 1e-12, "q {q}: {quantile}");
        }
    }

    #[test]
    fn quantile_of_tiny_samples() {
        assert_eq!(quantile_of_sorted(&[], 0.5), None);
        assert_eq!(quantile_of_sorted(&[7.0], 0.0), Some(7.0));
        assert_eq!(quantile_of_sorted(&[7.0], 0.9), Some(7.0));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "sorted")]
    fn nan_is_refused_in_debug_builds() {
        quantile_of_sorted(&[1.0, f64::NAN, 2.0], 0.5);
    }

    /// Ranks from 50-digit binomial sums; the medians are also in the tables of
    /// Conover and of Hahn & Meeker.
    #[test]
    fn ranks_match_exact_binomial_sums() {
        for (n, q, confidence, expected) in [
            (5, 0.5, 0.95, None),
            (6, 0.5, 0.95, Some((1, 6))),
            (10, 0.5, 0.95, Some((2, 9))),
            (20, 0.5, 0.95, Some((6, 15))),
            (21, 0.5, 0.95, Some((6, 16))),
            (100, 0.5, 0.95, Some((40, 61))),
            (100, 0.9, 0.95, Some((84, 97))),
            (100, 0.9, 0.99, Some((82, 99))),
            (298, 0.99, 0.95, None),
            (299, 0.99, 0.95, Some((289, 299))),
            (300, 0.99, 0.95, Some((290, 300))),
            (400, 0.99, 0.95, Some((392, 400))),
            (1000, 0.99, 0.95, Some((984, 997))),
            (1000, 0.25, 0.90, Some((227, 274))),
            (58, 0.95, 0.95, None),
            (59, 0.95, 0.95, Some((50, 59))),
            (59, 0.95, 0.90, Some((53, 59))),
            (2000, 0.95, 0.99, Some((1875, 1926))),
        ] {
            let ranks = enclosing_ranks(n, q, confidence);
            assert_eq!(ranks, expected, "n {n}, q {q}, confidence {confidence}");
        }
    }

    #[test]
    fn low_quantiles_mirror_high_ones() {
        for (n, q) in [(59, 0.0625), (64, 0.125), (500, 0.015625)] {
            let (low, high) = enclosing_ranks(n, q, 0.9).unwrap();
            let mirrored = enclosing_ranks(n, 1.0 - q, 0.9);
            assert_eq!(mirrored, Some((n + 1 - high, n + 1 - low)), "n {n}");
        }
    }

    #[test]
    fn degenerate_requests_have_no_interval() {
        let sample = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(order_statistic_interval(&[], 0.5, 0.5), None);
        assert_eq!(order_statistic_interval(&[1.0], 0.5, 0.5), None);
        assert_eq!(order_statistic_interval(&sample, 0.0, 0.5), None);
        assert_eq!(order_statistic_interval(&sample, 1.0, 0.5), None);
        let whole = Interval { low: 1.0, high: 7.0 };
        assert_eq!(order_statistic_interval(&sample, 0.5, 0.98), Some(whole));
    }

    #[test]
    fn huge_samples_approach_the_normal_interval() {
        let n = 4_000_000;
        let (low, high) = enclosing_ranks(n, 0.5, 0.95).unwrap();
        let half = (high - low) as f64 / 2.0;
        assert!((half - 1.959964 * 1000.0).abs() < 2.0, "half-width {half}");
        assert_eq!(low + high, n + 1);
        assert!(enclosing_ranks(n, 1e-9, 0.95).is_none());
    }

    #[test]
    fn exponential_quantiles_are_covered_as_promised() {
        let mut lcg = Lcg::new(21);
        let (n, q, repetitions) = (120, 0.9, 3000);
        let truth = -ln(1.0 - q);
        let covered = (0..repetitions).filter(|_| {
            let mut sample: Vec<f64> = (0..n).map(|_| -ln(lcg.uniform())).collect();
            sample.sort_by(f64::total_cmp);
            let interval = order_statistic_interval(&sample, q, 0.95);
            interval.unwrap().contains(truth)
        });
        let coverage = covered.count() as f64 / f64::from(repetitions);
        let (low, high) = enclosing_ranks(n, q, 0.95).unwrap();
        let below = Binomial::new(n, q);
        let exact = below.at_most(high - 1) - below.at_most(low - 1);
        assert!((0.95..0.98).contains(&exact), "{exact}");
        assert!((coverage - exact).abs() < 0.012, "{coverage}, not {exact}");
    }

    proptest! {
        #[test]
        fn binomial_matches_direct_sums(n in 1..60_usize, q in 0.01..0.99_f64) {
            let binomial = Binomial::new(n, q);
            let mut choose = 1.0;
            let mut sum = 0.0;
            for k in 0..=n {
                sum += choose * pow(q, k as f64) * pow(1.0 - q, (n - k) as f64);
                prop_assert!((binomial.at_most(k) - sum).abs() < 1e-12);
                choose *= (n - k) as f64 / (k + 1) as f64;
            }
        }

        #[test]
        fn quantile_is_monotone_and_within_the_sample(
            mut sample in prop::collection::vec(-1e3..1e3_f64, 1..40),
            a in 0.0..=1.0_f64,
            b in 0.0..=1.0_f64,
        ) {
            sample.sort_by(f64::total_cmp);
            let [lower, upper] = [a.min(b), a.max(b)]
                .map(|q| quantile_of_sorted(&sample, q).unwrap());
            prop_assert!(lower <= upper + 1e-9);
            prop_assert!(sample[0] <= lower && upper <= sample[sample.len() - 1] + 1e-9);
        }
    }
}
