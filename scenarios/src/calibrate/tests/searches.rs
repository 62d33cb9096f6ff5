use crate::calibrate::resample::{is_long_enough, resample_sorted};
use crate::calibrate::search::minimize;
use crate::calibrate::surrogate::Surrogate;
use meshsim_core::random::Address;

fn found(dimensions: usize, cost: &(dyn Fn(&[f64]) -> f64 + Sync)) -> (Vec<f64>, usize) {
    let whole = |point: &[f64]| point.to_vec();
    let cost = |point: &[f64]| Some(cost(point));
    let found = minimize(dimensions, vec![vec![0.5; dimensions]], &whole, &cost).unwrap();
    assert!(!found.interrupted);
    (found.point, found.evaluations)
}

#[test]
fn a_minimum_is_found_inside_and_at_the_border() {
    let (point, evaluations) = found(1, &|p| (p[0] - 0.37).abs());
    assert!((point[0] - 0.37).abs() < 1e-3 && evaluations < 60, "{point:?} in {evaluations}");
    let (point, _) = found(1, &|p| p[0]);
    assert!(point[0] < 1e-3, "{point:?}");
    // A narrow valley that is aslant.
    let (point, evaluations) = found(2, &|p| {
        let (along, across) = (p[0] + p[1] - 0.9, p[0] - p[1] + 0.3);
        along * along + 0.05 * across * across
    });
    assert!((point[0] - 0.3).abs() < 0.03 && (point[1] - 0.6).abs() < 0.03, "{point:?} in {evaluations}");
}

#[test]
fn a_search_that_is_stopped_keeps_the_best_so_far() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let looked = AtomicUsize::new(0);
    let cost = |point: &[f64]| (looked.fetch_add(1, Ordering::Relaxed) < 6).then(|| (point[0] - 0.4).abs());
    let whole = |point: &[f64]| point.to_vec();
    let found = minimize(1, vec![vec![0.45]], &whole, &cost).unwrap();
    assert!(found.interrupted && found.evaluations == 6, "{found:?}");
    assert!(minimize(1, Vec::new(), &whole, &|_| None).is_none());
}

#[test]
fn a_surrogate_refits_what_is_linear_exactly() {
    // Quantiles that shift by 100 ms over the first range and stretch over the second.
    let at = |p: &[f64]| -> Vec<f64> {
        (0..400).map(|level| 100.0 * p[0] + (1.0 + p[1]) * f64::from(level)).collect()
    };
    let best = [0.5, 0.5];
    let side = |axis: usize, by: f64| {
        let mut point = best;
        point[axis] += by;
        Some((point[axis], at(&point)))
    };
    let around = [[side(0, -0.05), side(0, 0.05)], [side(1, -0.1), None]];
    let surrogate = Surrogate::new(&best, at(&best), &around);
    let (point, distance) = surrogate.refit(&at(&[0.6, 0.45]));
    assert!((point[0] - 0.6).abs() < 0.01 && (point[1] - 0.45).abs() < 0.01, "{point:?}, {distance}");
    let (point, _) = surrogate.profile(0, 0.5, &at(&[0.5, 0.7]));
    assert!(point[0] == 0.5 && (point[1] - 0.7).abs() < 0.01, "{point:?}");
}

#[test]
fn a_drawn_series_is_as_long_as_the_measured_one() {
    let observations: Vec<(u64, f64)> = (0..1_000).map(|k| (7 + k * 200_000, k as f64)).collect();
    assert!(is_long_enough(&observations) && !is_long_enough(&observations[..500]));
    let drawn = resample_sorted(&observations, Address::root(1, 0));
    assert!((990..=1_010).contains(&drawn.len()), "{}", drawn.len());
    assert!(drawn.is_sorted());
    let means: Vec<f64> = (0..200)
        .map(|k| {
            let drawn = resample_sorted(&observations, Address::root(1, 0).child(k));
            drawn.iter().sum::<f64>() / drawn.len() as f64
        })
        .collect();
    // Every request is as likely: the mean of 7 blocks that are uniform on 0 to 1000, within 4 errors.
    let mean = means.iter().sum::<f64>() / 200.0;
    assert!((mean - 499.5).abs() < 4.0 * 289.0 / f64::sqrt(7.0 * 200.0), "{mean}");
    assert!(resample_sorted(&[], Address::root(1, 0)).is_empty());
    assert_eq!(resample_sorted(&[(5, 2.0)], Address::root(1, 0)), [2.0]);
}
