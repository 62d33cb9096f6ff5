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
    RateCurve::new(points.iter().enumerate().map(|(index, point)| {
        let slope = match (between, points.get(index + 1)) {
            (Between::Ramps, Some(next)) => {
                (next.per_second - point.per_second) / (next.at - point.at).as_secs_f64()
            }
            _ => 0.0,
        };
        (point.at.as_secs_f64(), Shape::Line { from: point.per_second, slope })
    }))
}

/// The points as a run sees them that begins at a moment of theirs.
#[must_use]
pub fn beginning_at(points: &[Point], begins: SimTime, between: Between) -> Vec<Point> {
    let (before, after): (Vec<Point>, Vec<Point>) = points.iter().partition(|it| it.at <= begins);
    let rate = curve(points, between).rate((begins - SimTime::ZERO).as_secs_f64());
    let first = (!before.is_empty()).then_some(Point { at: SimTime::ZERO, per_second: rate });
    let later = after.iter().map(|it| Point { at: SimTime::ZERO + (it.at - begins), ..*it });
    first.into_iter().chain(later).collect()
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

    #[test]
    fn a_run_that_begins_later_sees_the_rest() {
        let point = |secs, per_second| Point { at: SimTime::ZERO + SimDuration::from_secs(secs), per_second };
        let points = [point(0, 10.0), point(60, 40.0), point(120, 0.0)];
        for (between, begins) in
            [Between::Steps, Between::Ramps].into_iter().flat_map(|it| [0, 30, 60, 90, 500].map(|s| (it, s)))
        {
            let later = beginning_at(&points, SimTime::ZERO + SimDuration::from_secs(begins), between);
            let (whole, later) = (curve(&points, between), curve(&later, between));
            for at in [0.0, 1.0, 29.0, 31.0, 100.0] {
                let (expected, found) = (whole.rate(begins as f64 + at), later.rate(at));
                assert!((expected - found).abs() < 1e-9, "{between:?} from {begins} after {at}: {found}");
            }
        }
    }
}
