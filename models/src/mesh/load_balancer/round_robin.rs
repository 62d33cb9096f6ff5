//! ROUND_ROBIN over hosts of equal weight.
//!
//! # Models
//! Plain rotation from a random start. Each worker of a proxy has a rotation of its own.
//!
//! # Source
//! Envoy, arch_overview/upstream/load_balancing/load_balancers.

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

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn everyone_has_its_turn() {
        let mut policy = RoundRobin::start(3, &mut Address::root(1, 0).draw(0));
        let first = policy.next;
        let picks: Vec<_> = (0..6).map(|_| policy.pick(3)).collect();
        assert_eq!(picks, (0..6).map(|i| (first + i) % 3).collect::<Vec<_>>());
    }
}
