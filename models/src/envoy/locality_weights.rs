//! Locality-weighted balancing: which locality of a priority level a request goes to.
//!
//! # Models
//! A locality's effective weight is its weight x min(1, 1.4 x healthy / (hosts - excluded)), whatever
//! the number of its hosts. Localities are picked by an earliest-deadline-first schedule over the
//! effective weights; those with weight 0 are left out. If all are 0 there is no schedule: all
//! healthy hosts of the level are used.
//!
//! # Source
//! Envoy `locality_wrr.cc`, `effectiveLocalityWeight`;
//! arch_overview/upstream/load_balancing/locality_weight.

use super::load_balancer::earliest_deadline::EarliestDeadline;
use meshsim_core::random::Draw;

/// A locality of a priority level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalityHosts {
    /// Its weight, as istiod sends it.
    pub weight: u32,
    /// All its hosts.
    pub total: u32,
    /// Hosts that may be chosen.
    pub healthy: u32,
    /// Hosts that do not count (warming).
    pub excluded: u32,
}

impl LocalityHosts {
    /// The weight that counts, under an overprovisioning factor (percent).
    #[must_use]
    pub fn effective_weight(&self, overprovisioning_factor: u32) -> f64 {
        let counted = self.total.saturating_sub(self.excluded);
        if counted == 0 {
            return 0.0;
        }
        let available = f64::from(self.healthy) / f64::from(counted);
        f64::from(self.weight) * (f64::from(overprovisioning_factor) / 100.0 * available).min(1.0)
    }
}

/// The localities of a level, scheduled.
#[derive(Clone, Debug)]
pub struct LocalityWeights {
    effective: Vec<f64>,
    schedule: EarliestDeadline,
}

impl LocalityWeights {
    /// A schedule in which nothing was thrown away.
    #[must_use]
    pub fn new(localities: &[LocalityHosts], overprovisioning_factor: u32) -> Self {
        let effective: Vec<_> =
            localities.iter().map(|locality| locality.effective_weight(overprovisioning_factor)).collect();
        let schedule = EarliestDeadline::new(effective.len(), |locality| effective[locality]);
        Self { effective, schedule }
    }

    /// A schedule that starts at a random point.
    #[must_use]
    pub fn start(localities: &[LocalityHosts], overprovisioning_factor: u32, draw: &mut Draw) -> Self {
        let mut weights = Self::new(localities, overprovisioning_factor);
        let effective = &weights.effective;
        weights.schedule = EarliestDeadline::start(effective.len(), |locality| effective[locality], draw);
        weights
    }

    /// Makes picks that nobody uses.
    pub fn throw_away(&mut self, picks: usize) {
        self.schedule.throw_away(picks, |locality| self.effective[locality]);
    }

    /// The locality of the next request; none if no locality has a weight.
    pub fn pick(&mut self) -> Option<usize> {
        self.schedule.pick(|locality| self.effective[locality])
    }

    /// The weights that count.
    #[must_use]
    pub fn effective(&self) -> &[f64] {
        &self.effective
    }

    /// The part of a locality in the long run (0 to 1); none if no locality has a weight.
    #[must_use]
    pub fn share(&self, locality: usize) -> Option<f64> {
        let sum: f64 = self.effective.iter().sum();
        (sum > 0.0).then(|| self.effective[locality] / sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(healthy: u32) -> LocalityWeights {
        let x = LocalityHosts { weight: 1, total: 100, healthy, excluded: 0 };
        let y = LocalityHosts { weight: 2, total: 10, healthy: 10, excluded: 0 };
        LocalityWeights::new(&[x, y], 140)
    }

    #[test]
    fn what_is_not_available_loses_weight() {
        for (healthy, share) in [(100, 33.3), (72, 33.3), (69, 32.6), (50, 25.9), (25, 14.9), (0, 0.0)] {
            let got = two(healthy).share(0).unwrap() * 100.0;
            assert!((got - share).abs() < 0.05, "{healthy}: {got}");
        }
    }

    #[test]
    fn picks_follow_the_shares() {
        let mut weights = two(50);
        let picks = (0..270).filter(|_| weights.pick() == Some(0)).count();
        assert_eq!(picks, 70);
    }

    #[test]
    fn without_any_weight_there_is_no_locality() {
        let none = LocalityHosts { weight: 1, total: 2, healthy: 0, excluded: 0 };
        let empty = LocalityHosts { weight: 5, total: 3, healthy: 0, excluded: 3 };
        let mut weights = LocalityWeights::new(&[none, empty], 140);
        assert_eq!((weights.pick(), weights.share(0)), (None, None));
    }
}
