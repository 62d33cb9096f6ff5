//! A crowd that comes at once, stays and goes.

use super::rate_curve::{RateCurve, Shape};
use meshsim_core::SimDuration;

/// A flash crowd.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlashCrowd {
    /// Requests per second before it, and in the end.
    pub base: f64,
    /// Requests per second while it is there.
    pub peak: f64,
    /// When the rate begins to rise, from the start of the run.
    pub starts: SimDuration,
    /// How long it rises, in a straight line.
    pub ramp_up: SimDuration,
    /// How long it stays.
    pub hold: SimDuration,
    /// How long it takes to go.
    pub decay: SimDuration,
    /// How it goes.
    pub decays: DecayShape,
}

/// How a crowd goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecayShape {
    /// Exponentially: after the decay time a part of 1/e is left.
    Exponential,
    /// In a straight line, until the decay time has passed.
    Linear,
}

impl FlashCrowd {
    /// The rate over time.
    #[must_use]
    pub fn curve(&self) -> RateCurve {
        let level = |from| Shape::Line { from, slope: 0.0 };
        let above = self.peak - self.base;
        let [ramp_up, hold, decay] = [self.ramp_up, self.hold, self.decay].map(SimDuration::as_secs_f64);
        let rises = self.starts.as_secs_f64();
        let (stays, goes) = (rises + ramp_up, rises + ramp_up + hold);
        let mut stretches = vec![(0.0, level(self.base))];
        if ramp_up > 0.0 {
            stretches.push((rises, Shape::Line { from: self.base, slope: above / ramp_up }));
        }
        stretches.push((stays, level(self.peak)));
        match self.decays {
            _ if decay <= 0.0 => stretches.push((goes, level(self.base))),
            DecayShape::Exponential => {
                stretches.push((goes, Shape::Decay { floor: self.base, above, time_constant: decay }));
            }
            DecayShape::Linear => stretches.extend([
                (goes, Shape::Line { from: self.peak, slope: -above / decay }),
                (goes + decay, level(self.base)),
            ]),
        }
        RateCurve::new(stretches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_comes_stays_and_goes() {
        let secs = SimDuration::from_secs;
        let crowd = FlashCrowd {
            base: 10.0,
            peak: 110.0,
            starts: secs(100),
            ramp_up: secs(20),
            hold: secs(60),
            decay: secs(40),
            decays: DecayShape::Exponential,
        };
        let curve = crowd.curve();
        assert_eq!([99.0, 110.0, 120.0, 179.0].map(|at| curve.rate(at)), [10.0, 60.0, 110.0, 110.0]);
        assert!((curve.rate(220.0) - (10.0 + 100.0 / std::f64::consts::E)).abs() < 1e-9);
        // In all: the base, the ramp's half, the hold, and the decay time once more.
        assert!((curve.expected(10_000.0) - (100_000.0 + 100.0 * (10.0 + 60.0 + 40.0))).abs() < 1e-6);
        let linear = FlashCrowd { decays: DecayShape::Linear, ..crowd }.curve();
        assert_eq!([200.0, 220.0].map(|at| linear.rate(at)), [60.0, 10.0]);
        let sudden = FlashCrowd { ramp_up: secs(0), decay: secs(0), ..crowd }.curve();
        assert_eq!([99.9, 100.0, 159.9, 160.0].map(|at| sudden.rate(at)), [10.0, 110.0, 110.0, 10.0]);
    }
}
