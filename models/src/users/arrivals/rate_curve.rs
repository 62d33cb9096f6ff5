//! A rate of requests as a function of time that is known from the start.
//!
//! # Models
//! Stretches of time one after the other: straight lines, an exponential decay, a wave. Each has
//! its integral, the expected number of requests, in closed form. The inverse of the integral says
//! when the expected number comes to a value: in closed form for lines, by Newton's method between
//! bounds for the others.
//!
//! # Assumptions
//! The inverse is exact to 0.1 ns, or to the precision of a double (1e-8 s after three years).

use meshsim_core::SimTime;
use meshsim_core::elementary::{exp, sin, sqrt};
use std::f64::consts::TAU;

/// A rate over time (1/s over s), from the start of the run on. The last stretch never ends.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCurve {
    stretches: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    /// When it begins (s).
    begins: f64,
    /// Requests expected before it.
    before: f64,
    shape: Shape,
}

/// How the rate goes on from the beginning of a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Along a straight line.
    Line {
        /// At the beginning (1/s).
        from: f64,
        /// Growth per second (1/s^2).
        slope: f64,
    },
    /// Down to a floor, exponentially.
    Decay {
        /// In the end (1/s).
        floor: f64,
        /// What is above it at the beginning (1/s).
        above: f64,
        /// After which time a part of 1/e of that is left (s).
        time_constant: f64,
    },
    /// Up and down for ever, `mean + swing * cos(2 pi (s - peak) / period)`.
    Wave {
        /// Mean (1/s).
        mean: f64,
        /// At most the mean (1/s).
        swing: f64,
        /// From peak to peak (s).
        period: f64,
        /// Time of a peak, from the beginning of the stretch (s).
        peak: f64,
    },
}

impl RateCurve {
    /// A curve of stretches with their beginnings (s), which grow from zero.
    #[must_use]
    pub fn new(stretches: impl IntoIterator<Item = (f64, Shape)>) -> Self {
        let mut all: Vec<Stretch> = Vec::new();
        for (begins, shape) in stretches {
            let before = all.last().map_or(0.0, |it| it.before + it.shape.expected(begins - it.begins));
            all.push(Stretch { begins, before, shape });
        }
        Self { stretches: all }
    }

    /// The rate at a time (1/s).
    #[must_use]
    pub fn rate(&self, at: f64) -> f64 {
        self.at(at).map_or(0.0, |it| it.shape.rate(at - it.begins))
    }

    /// Requests expected before a time.
    #[must_use]
    pub fn expected(&self, at: f64) -> f64 {
        self.at(at).map_or(0.0, |it| it.before + it.shape.expected(at - it.begins))
    }

    /// When so many requests have been expected (s); nothing if never.
    #[must_use]
    pub fn when(&self, expected: f64) -> Option<f64> {
        let index = self.stretches.partition_point(|it| it.before <= expected).checked_sub(1)?;
        let stretch = &self.stretches[index];
        Some(stretch.begins + stretch.shape.when(expected - stretch.before)?)
    }

    /// Moments before `end` (s) among which is the one with the highest rate.
    #[must_use]
    pub fn turning_points(&self, end: f64) -> Vec<SimTime> {
        let mut times = Vec::new();
        for (index, it) in self.stretches.iter().enumerate() {
            let ends = self.stretches.get(index + 1).map_or(end, |next| next.begins.min(end));
            if it.begins >= end {
                break;
            }
            // The last moment of a stretch that rises until the next one begins lower.
            times.extend([it.begins, (ends - 1e-6).max(it.begins)]);
            if let Shape::Wave { period, peak, .. } = it.shape {
                let first = it.begins + peak - period * (peak / period).floor();
                times.extend(Some(first).filter(|&at| at < ends));
            }
        }
        times.iter().map(|&at| SimTime::from_nanos((at * 1e9) as u64)).collect()
    }

    /// The stretch that a time is in.
    fn at(&self, at: f64) -> Option<&Stretch> {
        self.stretches
            .partition_point(|it| it.begins <= at)
            .checked_sub(1)
            .map(|index| &self.stretches[index])
    }
}

impl Shape {
    /// The rate after `s` seconds.
    fn rate(self, s: f64) -> f64 {
        match self {
            Self::Line { from, slope } => (from + slope * s).max(0.0),
            Self::Decay { floor, above, time_constant } => floor + above * exp(-s / time_constant),
            Self::Wave { mean, swing, period, peak } => {
                // A cosine is a sine that is a quarter ahead.
                mean + swing * sin(TAU * ((s - peak) / period + 0.25))
            }
        }
    }

    /// The integral of the rate over `s` seconds.
    fn expected(self, s: f64) -> f64 {
        match self {
            Self::Line { from, slope } => s * (from + slope * s / 2.0),
            Self::Decay { floor, above, time_constant } => {
                floor * s + above * time_constant * (1.0 - exp(-s / time_constant))
            }
            Self::Wave { mean, swing, period, peak } => {
                let turns = |s: f64| sin(TAU * (s - peak) / period);
                mean * s + swing * period / TAU * (turns(s) - turns(0.0))
            }
        }
    }

    /// After how many seconds the integral is `x`; nothing if never.
    fn when(self, x: f64) -> Option<f64> {
        match self {
            _ if x <= 0.0 => Some(0.0),
            Self::Line { from, slope } => {
                // The root of the quadratic in the form that loses no digits where the slope is small.
                let root = sqrt((from * from + 2.0 * slope * x).max(0.0));
                Some(2.0 * x / (from + root)).filter(|s| s.is_finite())
            }
            Self::Decay { floor, above, time_constant } => {
                let most = above * time_constant;
                let latest = if floor > 0.0 { x / floor } else { time_constant * 64.0 };
                (floor > 0.0 || x < most)
                    .then(|| self.root(x, (x - most).max(0.0) / floor.max(1e-300), latest))
            }
            Self::Wave { mean, swing, period, .. } => {
                // Whole periods have the mean's integral.
                let periods = (x / (mean * period)).floor();
                let rest = x - periods * mean * period;
                let swings = swing * period / std::f64::consts::PI;
                let bounds = [(rest - swings) / mean, (rest + swings) / mean];
                Some(periods * period + self.root(rest, bounds[0].max(0.0), bounds[1].min(period)))
            }
        }
    }

    /// Where the integral is `x`, between two bounds: by Newton's method, halving where it would
    /// leave them.
    fn root(self, x: f64, mut low: f64, mut high: f64) -> f64 {
        let mut s = low + (high - low) / 2.0;
        for _ in 0..MOST_STEPS {
            let excess = self.expected(s) - x;
            if excess > 0.0 {
                high = high.min(s);
            } else {
                low = low.max(s);
            }
            let newton = s - excess / self.rate(s);
            let next = if newton >= low && newton <= high { newton } else { low + (high - low) / 2.0 };
            let step = (next - s).abs();
            s = next;
            if step <= PRECISION {
                break;
            }
        }
        s
    }
}

/// Halving an interval of a century so often leaves nothing.
const MOST_STEPS: u32 = 100;

/// Of a root (s).
const PRECISION: f64 = 1e-10;

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> [Shape; 6] {
        [
            Shape::Line { from: 3.0, slope: 0.0 },
            Shape::Line { from: 0.0, slope: 0.5 },
            Shape::Line { from: 50.0, slope: -0.1 },
            Shape::Decay { floor: 2.0, above: 30.0, time_constant: 20.0 },
            Shape::Wave { mean: 10.0, swing: 10.0, period: 60.0, peak: 13.0 },
            Shape::Wave { mean: 7.0, swing: 2.0, period: 86_400.0, peak: 50_000.0 },
        ]
    }

    #[test]
    fn the_inverse_undoes_the_integral() {
        for shape in shapes() {
            for step in 1..400 {
                let s = f64::from(step);
                let back = shape.when(shape.expected(s)).unwrap();
                // Where the rate is next to nothing, so is the precision.
                let tolerance = 1e-9 + 1e-12 / shape.rate(s).max(1e-9);
                assert!((back - s).abs() < tolerance, "{shape:?}: {back}, not {s}");
            }
        }
    }

    #[test]
    fn the_integral_is_that_of_the_rate() {
        for shape in shapes() {
            let (mut sum, step) = (0.0, 1e-3);
            for k in 0..200_000 {
                sum += step * shape.rate((f64::from(k) + 0.5) * step);
            }
            let exact = shape.expected(200.0);
            assert!((sum - exact).abs() < 1e-6 * exact, "{shape:?}: {sum}, not {exact}");
        }
    }

    #[test]
    fn a_rate_that_ends_brings_nothing_more() {
        let line = |from| Shape::Line { from, slope: 0.0 };
        let curve = RateCurve::new([(0.0, line(2.0)), (5.0, line(0.0)), (8.0, line(1.0)), (9.0, line(0.0))]);
        assert_eq!(curve.expected(100.0), 11.0);
        assert_eq!([9.0, 10.5, 10.99, 11.5].map(|x| curve.when(x)), [Some(4.5), Some(8.5), Some(8.99), None]);
        assert_eq!(Shape::Decay { floor: 0.0, above: 1.0, time_constant: 2.0 }.when(2.5), None);
    }
}
