//! A rate that is given at some moments: it jumps there, or goes straight from one to the next.

use super::rate_curve::{RateCurve, Shape};
use meshsim_core::SimTime;

/// A rate from a moment on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The moment.
    pub at: SimTime,
    /// Requests per second.
    pub per_second: f64,
}

/// What happens between two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// The rate stays and jumps.
    Steps,
    /// The rate goes straight to the next one.
    Ramps,
}

/// The curve through points, the first of which is the start of the run; the last one's rate stays.
#[must_use]
pub fn curve(points: &[Point], between: Between) -> RateCurve {
    RateCurve::new(points.iter().enumerate().map(|(place, point)| {
        let slope = match (between, points.get(place + 1)) {
            (Between::Ramps, Some(next)) => {
                (next.per_second - point.per_second) / (next.at - point.at).as_secs_f64()
            }
            _ => 0.0,
        };
        (point.at.as_secs_f64(), Shape::Line { from: point.per_second, slope })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    #[test]
    fn steps_jump_and_ramps_do_not() {
        let point = |secs, per_second| Point { at: SimTime::ZERO + SimDuration::from_secs(secs), per_second };
        let points = [point(0, 10.0), point(60, 40.0), point(120, 0.0)];
        let (steps, ramps) = (curve(&points, Between::Steps), curve(&points, Between::Ramps));
        assert_eq!([30.0, 60.0, 90.0, 200.0].map(|at| steps.rate(at)), [10.0, 40.0, 40.0, 0.0]);
        assert_eq!([30.0, 60.0, 90.0, 200.0].map(|at| ramps.rate(at)), [25.0, 40.0, 20.0, 0.0]);
        assert_eq!((steps.expected(120.0), ramps.expected(120.0)), (3_000.0, 2_700.0));
    }
}
