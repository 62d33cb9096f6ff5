//! Power of a machine by its load.
//!
//! # Models
//! Power is known at loads that are evenly spaced from idle to full, and linear in between: two of them are a line.
//!
//! # Source
//! SPECpower_ssj2008: average active power at target loads of 100 %, 90 % and so on, and at active idle.

/// Power by load.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerCurve {
    /// At evenly spaced loads, from idle to full (W): two or more.
    watts: Vec<f64>,
}

impl PowerCurve {
    /// Linear from idle to full (W).
    #[must_use]
    pub fn linear(idle: f64, full: f64) -> Self {
        Self { watts: vec![idle, full] }
    }

    /// By points at evenly spaced loads, from idle to full (W). Nothing of fewer than two.
    #[must_use]
    pub fn through(watts: Vec<f64>) -> Option<Self> {
        (watts.len() >= 2).then_some(Self { watts })
    }

    /// At a load, of which more than 1 is 1 (W).
    #[must_use]
    pub fn at(&self, load: f64) -> f64 {
        let steps = self.watts.len() - 1;
        let position = load.clamp(0.0, 1.0) * steps as f64;
        let below = (position as usize).min(steps - 1);
        let [low, high] = [self.watts[below], self.watts[below + 1]];
        low + (high - low) * (position - below as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_points_power_is_linear() {
        let line = PowerCurve::linear(50.0, 150.0);
        assert_eq!([0.0, 0.25, 1.0, 7.0].map(|load| line.at(load)), [50.0, 75.0, 150.0, 150.0]);
        let bent = PowerCurve::through(vec![40.0, 100.0, 120.0]).unwrap();
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|load| bent.at(load)), [40.0, 70.0, 100.0, 110.0, 120.0]);
        assert_eq!(PowerCurve::through(vec![1.0]), None);
    }
}
