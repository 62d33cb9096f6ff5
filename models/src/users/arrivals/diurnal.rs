//! A rate that follows the day: a sine around its mean.

use super::rate_curve::{RateCurve, Shape};
use meshsim_core::SimDuration;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diurnal {
    /// Requests per second on average over a period.
    pub mean: f64,
    /// Highest rate over the mean, less 1: from 0 to 1.
    pub amplitude: f64,
    /// From peak to peak.
    pub period: SimDuration,
    /// The first peak, from the start of the run.
    pub peak_at: SimDuration,
}

impl Diurnal {
    /// The rate over time.
    #[must_use]
    pub fn curve(&self) -> RateCurve {
        let wave = Shape::Wave {
            mean: self.mean,
            swing: self.mean * self.amplitude,
            period: self.period.as_secs_f64(),
            peak: self.peak_at.as_secs_f64(),
        };
        RateCurve::new([(0.0, wave)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_peak_and_its_mean() {
        let hours = |hours: u64| SimDuration::from_secs(3_600 * hours);
        let day = Diurnal { mean: 20.0, amplitude: 0.5, period: hours(24), peak_at: hours(14) };
        let curve = day.curve();
        assert!((curve.rate(14.0 * 3_600.0) - 30.0).abs() < 1e-9);
        assert!((curve.rate(2.0 * 3_600.0) - 10.0).abs() < 1e-9);
        assert!((curve.expected(86_400.0) - 20.0 * 86_400.0).abs() < 1e-6);
        let peaks: Vec<f64> =
            curve.turning_points(86_400.0).iter().map(|at| curve.rate(at.as_secs_f64())).collect();
        assert!(peaks.iter().any(|rate| (rate - 30.0).abs() < 1e-9), "{peaks:?}");
    }
}
