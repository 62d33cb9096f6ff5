//! ROUND_ROBIN: in turn, or in proportion to weights.
//!
//! # Models
//! Equal weights: plain rotation from a random start. Different weights, or a host in slow start:
//! an earliest-deadline-first schedule over the weights. Each worker of a proxy has a rotation or a
//! schedule of its own.
//!
//! # Assumptions
//! Which of the two holds is decided when the balancer is made, as in Envoy, which makes it anew
//! whenever the set of hosts or their weights change.
//!
//! # Source
//! Envoy, arch_overview/upstream/load_balancing/load_balancers.

use super::earliest_deadline::EarliestDeadline;
use meshsim_core::random::{Draw, uniform_index};

/// The rotation of one worker.
#[derive(Clone, Copy, Debug)]
pub struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// Starts at a random host.
    #[must_use]
    pub fn start(hosts: usize, draw: &mut Draw) -> Self {
        Self { next: uniform_index(draw, hosts) }
    }

    /// The next one in turn.
    pub fn pick(&mut self, hosts: usize) -> usize {
        let pick = self.next % hosts;
        self.next = pick + 1;
        pick
    }
}

/// The schedule of one worker over hosts of different weights.
#[derive(Clone, Debug)]
pub struct WeightedRoundRobin {
    schedule: EarliestDeadline,
}

impl WeightedRoundRobin {
    /// Starts at a random point of the schedule.
    #[must_use]
    pub fn start(hosts: usize, weight: impl Fn(usize) -> f64, draw: &mut Draw) -> Self {
        Self { schedule: EarliestDeadline::start(hosts, weight, draw) }
    }

    /// The next one of the schedule; none if no host has a positive weight.
    pub fn pick(&mut self, weight: impl Fn(usize) -> f64) -> Option<usize> {
        self.schedule.pick(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn twice_the_weight_is_twice_the_picks() {
        let weight = |host| [1.0, 2.0][host];
        let mut policy = WeightedRoundRobin::start(2, weight, &mut Address::root(1, 0).draw(0));
        let picks = (0..300).filter(|_| policy.pick(weight) == Some(1)).count();
        assert_eq!(picks, 200);
    }

    #[test]
    fn everyone_has_its_turn() {
        let mut policy = RoundRobin::start(3, &mut Address::root(1, 0).draw(0));
        let first = policy.next;
        let picks: Vec<_> = (0..6).map(|_| policy.pick(3)).collect();
        assert_eq!(picks, (0..6).map(|i| (first + i) % 3).collect::<Vec<_>>());
    }
}
