//! Quantiles of a sorted sample.
//!
//! Point estimate: linear interpolation, type 7 of Hyndman & Fan (Sample
//! Quantiles in Statistical Packages, The American Statistician 50(4), 1996),
//! the default of R.

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

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
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
