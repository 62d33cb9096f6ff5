use crate::validate::distance::{error_outside_interval, kolmogorov_smirnov, relative_error, wasserstein};
use meshsim_core::stats::{Estimate, Interval};
use proptest::prelude::*;

fn near(got: f64, exact: f64) {
    assert!((got - exact).abs() < 1e-12, "{got}, not {exact}");
}

#[test]
fn kolmogorov_smirnov_of_known_samples() {
    near(kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 0.0);
    near(kolmogorov_smirnov(&[1.0, 2.0], &[3.0, 4.0, 5.0]), 1.0);
    near(kolmogorov_smirnov(&[3.0, 4.0, 5.0], &[1.0, 2.0]), 1.0);
    near(kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]), 1.0 / 3.0);
    // F is 1/2, G 1/3 on [1, 2), then 1 and 1/3 up to 5.
    near(kolmogorov_smirnov(&[1.0, 2.0], &[1.0, 5.0, 6.0]), 2.0 / 3.0);
    // The same shares with ties and another size.
    near(kolmogorov_smirnov(&[1.0, 7.0], &[1.0, 1.0, 1.0, 7.0, 7.0, 7.0]), 0.0);
}

#[test]
fn wasserstein_of_known_samples() {
    near(wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), 5.0);
    near(wasserstein(&[0.0], &[0.0, 1.0]), 0.5);
    near(wasserstein(&[2.0, 2.0], &[2.0]), 0.0);
    // Moving 1/3 of the mass from 0 to 2 and 1/3 from 1 to 2.
    near(wasserstein(&[0.0, 1.0, 2.0], &[2.0]), 1.0);
}

/// Quantiles of two exponential laws with means 1 and 2: the area is the difference of the means,
/// the largest difference 2^-1 - 2^-2 at ln 4.
#[test]
fn exponential_laws_are_as_far_apart_as_they_should_be() {
    let n = 20_000;
    let law = |mean: f64| -> Vec<f64> {
        (0..n)
            .map(|i| -mean * meshsim_core::elementary::ln(1.0 - (f64::from(i) + 0.5) / f64::from(n)))
            .collect()
    };
    assert!((wasserstein(&law(1.0), &law(2.0)) - 1.0).abs() < 1e-3);
    assert!((kolmogorov_smirnov(&law(1.0), &law(2.0)) - 0.25).abs() < 1e-3);
}

#[test]
fn an_empty_sample_is_at_no_distance() {
    for (a, b) in [(&[][..], &[1.0][..]), (&[1.0], &[]), (&[], &[])] {
        assert!(kolmogorov_smirnov(a, b).is_nan() && wasserstein(a, b).is_nan());
    }
}

#[test]
fn a_relative_error_has_the_sign_of_the_deviation() {
    near(relative_error(110.0, 100.0), 0.1);
    near(relative_error(90.0, 100.0), -0.1);
    near(relative_error(0.0, 0.0), 0.0);
    assert_eq!(relative_error(1.0, 0.0), f64::INFINITY);
}

#[test]
fn only_what_is_outside_the_interval_counts() {
    let interval = Some(Interval { low: 90.0, high: 120.0 });
    let measured = Estimate { value: 100.0, interval, samples: 10 };
    for inside in [90.0, 100.0, 120.0] {
        near(error_outside_interval(inside, &measured), 0.0);
    }
    near(error_outside_interval(80.0, &measured), 0.1);
    near(error_outside_interval(125.0, &measured), 0.05);
    assert!(error_outside_interval(f64::NAN, &measured).is_nan());
    let exact = Estimate { interval: None, ..measured };
    near(error_outside_interval(80.0, &exact), 0.2);
    near(error_outside_interval(100.0, &exact), 0.0);
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0..12_u32, 1..15).prop_map(|mut values| {
        values.sort_unstable();
        values.into_iter().map(f64::from).collect()
    })
}

fn each_repeated(values: &[f64], times: usize) -> Vec<f64> {
    values.iter().flat_map(|&value| std::iter::repeat_n(value, times)).collect()
}

proptest! {
    #[test]
    fn both_agree_with_their_definitions(a in sample(), b in sample()) {
        let share = |of: &[f64], x: f64| of.iter().filter(|&&v| v <= x).count() as f64 / of.len() as f64;
        let largest = a.iter().chain(&b).map(|&x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
        prop_assert!((kolmogorov_smirnov(&a, &b) - largest).abs() < 1e-12);
        // The optimal coupling of equal sizes is that of the order.
        let (long_a, long_b) = (each_repeated(&a, b.len()), each_repeated(&b, a.len()));
        let moved: f64 = long_a.iter().zip(&long_b).map(|(x, y)| (x - y).abs()).sum();
        prop_assert!((wasserstein(&a, &b) - moved / long_a.len() as f64).abs() < 1e-9);
    }
}
