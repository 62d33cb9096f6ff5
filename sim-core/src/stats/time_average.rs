//! Time-weighted mean of a piecewise constant value: queue length, number of
//! busy channels, power drawn.
//!
//! The mean over `[start, now]` is the integral of the value divided by the
//! elapsed time (Law, Simulation Modeling and Analysis, 5th ed., 1.4.1). The
//! integral is in value × nanoseconds; for whole-number values it is exact up
//! to 2^53 (a value of 1 held for 104 days).

use crate::time::SimTime;

/// Integrates a value that holds until it is next changed.
///
/// Times must not decrease from call to call; debug builds panic if they do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeAverage {
    start: SimTime,
    changed: SimTime,
    value: f64,
    integral: f64,
}

impl TimeAverage {
    /// Starts observing at `start`, when the quantity equals `value`.
    pub fn new(start: SimTime, value: f64) -> Self {
        debug_assert!(value.is_finite(), "a time average takes finite values");
        Self { start, changed: start, value, integral: 0.0 }
    }

    /// The quantity becomes `value` at `now`.
    #[inline]
    pub fn set(&mut self, now: SimTime, value: f64) {
        debug_assert!(value.is_finite(), "a time average takes finite values");
        self.integral = self.integral_until(now);
        self.changed = now;
        self.value = value;
    }

    /// The quantity changes by `delta` at `now`.
    ///
    /// Whole-number deltas add up exactly; fractional ones drift by rounding,
    /// so prefer [`set`](Self::set) for them.
    #[inline]
    pub fn add(&mut self, now: SimTime, delta: f64) {
        self.set(now, self.value + delta);
    }

    /// The present value.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Mean since the start (or the last restart) until `now`; `None` when no
    /// time has passed.
    pub fn mean(&self, now: SimTime) -> Option<f64> {
        let elapsed = nanos_between(self.start, now);
        (elapsed > 0.0).then(|| self.integral_until(now) / elapsed)
    }

    /// Forgets the past and observes from `now` on, keeping the present value:
    /// the end of the warm-up.
    pub fn restart(&mut self, now: SimTime) {
        debug_assert!(now >= self.changed, "time ran backwards");
        *self = Self::new(now, self.value);
    }

    #[inline]
    fn integral_until(&self, now: SimTime) -> f64 {
        self.integral + self.value * nanos_between(self.changed, now)
    }
}

#[inline]
fn nanos_between(from: SimTime, to: SimTime) -> f64 {
    debug_assert!(to >= from, "time ran backwards");
    to.as_nanos().saturating_sub(from.as_nanos()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    #[test]
    fn no_mean_before_time_passes() {
        let average = TimeAverage::new(at(5), 3.0);
        assert_eq!(average.mean(at(5)), None);
        assert_eq!(average.mean(at(6)), Some(3.0));
    }

    #[test]
    fn weights_each_value_by_its_duration() {
        let mut average = TimeAverage::new(at(10), 1.0);
        average.set(at(20), 4.0);
        average.add(at(50), -2.0);
        assert_eq!(average.value(), 2.0);
        assert_eq!(average.mean(at(50)), Some((10.0 + 120.0) / 40.0));
        assert_eq!(average.mean(at(110)), Some((10.0 + 120.0 + 120.0) / 100.0));
    }

    #[test]
    fn a_value_held_for_no_time_has_no_weight() {
        let mut average = TimeAverage::new(at(0), 1.0);
        average.set(at(7), 1e9);
        average.set(at(7), 3.0);
        assert_eq!(average.mean(at(14)), Some(2.0));
    }

    #[test]
    fn restart_forgets_the_past_and_keeps_the_value() {
        let mut average = TimeAverage::new(at(0), 100.0);
        average.set(at(10), 2.0);
        average.restart(at(30));
        assert_eq!(average.value(), 2.0);
        assert_eq!(average.mean(at(30)), None);
        average.add(at(40), 2.0);
        assert_eq!(average.mean(at(50)), Some(3.0));
    }

    #[test]
    fn long_runs_of_whole_numbers_are_exact() {
        let mut average = TimeAverage::new(at(0), 0.0);
        let mut sum = 0_u64;
        for step in 0..1_000_000_u64 {
            let value = step % 7;
            average.set(at(step * 1_000), value as f64);
            sum += value * 1_000;
        }
        let expected = sum as f64 / 1e9;
        assert_eq!(average.mean(at(1_000_000_000)), Some(expected));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "backwards")]
    fn time_may_not_decrease() {
        TimeAverage::new(at(10), 0.0).set(at(9), 1.0);
    }
}
