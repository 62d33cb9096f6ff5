//! LEAST_REQUEST over hosts of equal weight.
//!
//! # Models
//! Draws `choices` hosts at random with replacement and takes the one to which *this proxy* has
//! the fewest active requests; of equal ones the first drawn. A proxy knows only its own
//! requests: with many clients this approaches RANDOM, which is real.
//!
//! # Source
//! Envoy, arch_overview/upstream/load_balancing/load_balancers; `least_request_lb.cc`.

use meshsim_core::random::{Draw, uniform_index};

/// The policy; it has no state.
#[derive(Clone, Copy, Debug)]
pub struct LeastRequest {
    /// How many hosts are drawn.
    pub choices: u32,
}

impl LeastRequest {
    /// Picks one of `hosts`.
    pub fn pick(self, hosts: usize, active: impl Fn(usize) -> u32, draw: &mut Draw) -> usize {
        if hosts == 1 {
            return 0;
        }
        let drawn = (0..self.choices).map(|_| uniform_index(draw, hosts));
        Self::least(drawn, active).expect("at least one choice")
    }

    /// Of the hosts drawn, in the order of drawing, the one with the fewest active requests.
    pub fn least(drawn: impl Iterator<Item = usize>, active: impl Fn(usize) -> u32) -> Option<usize> {
        // `min_by_key` keeps the first of equal ones, as Envoy does.
        drawn.min_by_key(|&host| active(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn the_less_busy_of_the_drawn_wins_and_a_tie_goes_to_the_first() {
        let least = |active: &'static [u32], drawn: [usize; 2]| {
            LeastRequest::least(drawn.into_iter(), |host| active[host])
        };
        assert_eq!(least(&[1, 2], [0, 1]), Some(0));
        assert_eq!(least(&[2, 1], [0, 1]), Some(1));
        assert_eq!(least(&[5, 5, 5], [2, 0]), Some(2));
        assert_eq!(least(&[4, 3, 2, 1], [0, 0]), Some(0));
    }

    #[test]
    fn a_busy_host_is_taken_only_if_drawn_twice() {
        let policy = LeastRequest { choices: 2 };
        let picks = (0..90_000)
            .filter(|&k| {
                let draw = &mut Address::root(1, 0).child(k).draw(0);
                policy.pick(3, |host| u32::from(host == 1), draw) == 1
            })
            .count();
        // One in nine, with a standard deviation of 94.
        assert!((9_600..10_400).contains(&picks), "{picks}");
    }
}
