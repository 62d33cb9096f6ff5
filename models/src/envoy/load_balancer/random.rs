//! RANDOM: every host alike.
//!
//! # Source
//! Envoy, arch_overview/upstream/load_balancing/load_balancers.

use meshsim_core::random::{Draw, uniform_index};

/// The policy; it has no state.
#[derive(Clone, Copy, Debug)]
pub struct Random;

impl Random {
    /// Picks one of `hosts`.
    pub fn pick(self, hosts: usize, draw: &mut Draw) -> usize {
        uniform_index(draw, hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn every_host_is_picked_alike() {
        let mut counts = [0; 3];
        for k in 0..90_000 {
            counts[Random.pick(3, &mut Address::root(1, 0).child(k).draw(0))] += 1;
        }
        // Standard deviation of each: 141.
        assert!(counts.iter().all(|n| (29_300..30_700).contains(n)), "{counts:?}");
    }
}
