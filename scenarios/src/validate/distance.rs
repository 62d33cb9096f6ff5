//! How far two samples, or a figure and its measurement, are apart.
//!
//! # Models
//! Two distances between empirical distribution functions F and G: the largest difference
//! (Kolmogorov-Smirnov) and the area between them (Wasserstein, of order 1), both exact, ties and
//! unequal sizes included. Two distances between figures: plain, and beyond what the measurement's
//! own uncertainty explains.
//!
//! # Source
//! Conover, Practical nonparametric statistics, 3rd ed., 1999, section 6.3 (two-sample statistic).
//! Vallender, Calculation of the Wasserstein distance between probability distributions on the
//! line, Theory of Probability and Its Applications 18(4), 1974 (the area form).

use meshsim_core::stats::{Estimate, Interval};
use std::cmp::Ordering;

/// The largest difference between the two distribution functions, from 0 to 1.
///
/// Both samples ascending, in the same unit; NaN if one is empty.
#[must_use]
pub fn kolmogorov_smirnov(a_sorted: &[f64], b_sorted: &[f64]) -> f64 {
    if a_sorted.is_empty() || b_sorted.is_empty() {
        return f64::NAN;
    }
    Steps::new(a_sorted, b_sorted).map(|step| step.difference).fold(0.0, f64::max)
}

/// The area between the two distribution functions, in the unit of the values: how far a value must
/// be moved on average to turn one sample into the other.
///
/// Both samples ascending, in the same unit; NaN if one is empty.
#[must_use]
pub fn wasserstein(a_sorted: &[f64], b_sorted: &[f64]) -> f64 {
    if a_sorted.is_empty() || b_sorted.is_empty() {
        return f64::NAN;
    }
    Steps::new(a_sorted, b_sorted).map(|step| step.difference * step.width).sum()
}

/// The simulated figure's deviation as a share of the measured one: positive if it is larger.
///
/// 0 if both are 0; infinite if only the measured one is 0.
#[must_use]
pub fn relative_error(simulated: f64, measured: f64) -> f64 {
    share(simulated - measured, measured)
}

/// How far the simulated figure is outside the measurement's own interval, as a share of the
/// measured value: 0 inside, never negative.
///
/// A measurement without an interval is taken as exact. Infinite if the measured value is 0 and the
/// simulated one outside.
#[must_use]
pub fn error_outside_interval(simulated: f64, measured: &Estimate) -> f64 {
    let exact = Interval { low: measured.value, high: measured.value };
    let interval = measured.interval.unwrap_or(exact);
    if interval.contains(simulated) {
        return 0.0;
    }
    let beyond = if simulated < interval.low { interval.low - simulated } else { simulated - interval.high };
    share(beyond, measured.value).abs()
}

fn share(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole.abs() }
}

/// A stretch of the axis over which both distribution functions are constant.
struct Step {
    /// |F - G| there.
    difference: f64,
    /// Its length, 0 after the last value.
    width: f64,
}

/// Walks both samples at once, from value to value.
struct Steps<'a> {
    samples: [&'a [f64]; 2],
    /// How many values of each have been passed.
    passed: [usize; 2],
}

impl<'a> Steps<'a> {
    fn new(a: &'a [f64], b: &'a [f64]) -> Self {
        debug_assert!(a.is_sorted() && b.is_sorted(), "the samples must be sorted, without NaN");
        Self { samples: [a, b], passed: [0, 0] }
    }

    /// The smallest value not yet passed.
    fn next_value(&self) -> Option<f64> {
        let [a, b] = [0, 1].map(|side| self.samples[side].get(self.passed[side]).copied());
        match (a, b) {
            (Some(a), Some(b)) => Some(if a.total_cmp(&b) == Ordering::Greater { b } else { a }),
            (one, other) => one.or(other),
        }
    }

    /// Passes every value up to `value`: at least one, as `value` is the next.
    fn pass(&mut self, value: f64) {
        for (sample, passed) in self.samples.iter().zip(&mut self.passed) {
            *passed +=
                sample[*passed..].iter().take_while(|v| v.total_cmp(&value) != Ordering::Greater).count();
        }
    }

    /// |F - G|, with one rounding: a difference of shares that are equal is 0.
    fn difference(&self) -> f64 {
        let [n, m] = self.samples.map(|sample| sample.len() as u128);
        let [i, j] = self.passed.map(|passed| passed as u128);
        (i * m).abs_diff(j * n) as f64 / (n * m) as f64
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let value = self.next_value()?;
        self.pass(value);
        let width = self.next_value().map_or(0.0, |next| next - value);
        Some(Step { difference: self.difference(), width })
    }
}
