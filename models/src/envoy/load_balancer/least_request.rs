//! LEAST_REQUEST: the less busy of a few, or an even load over weights.
//!
//! # Models
//! Equal weights: draws `choice_count` hosts at random with replacement and takes the one to which *this proxy* has
//! the fewest active requests; of equal ones the first drawn. A proxy knows only its own
//! requests: with many clients this approaches RANDOM, which is real.
//! Different weights, or any host in slow start: an earliest-deadline-first schedule whose weights
//! are load balancing weight / (active requests + 1)^bias, read when a host is put back.
//!
//! # Assumptions
//! Which of the two holds is decided when the balancer is made, as in Envoy, which makes it anew
//! whenever the set of hosts or their weights change.
//!
//! # Source
//! Envoy, arch_overview/upstream/load_balancing/load_balancers; `least_request_lb.cc`.

use super::earliest_deadline::EarliestDeadline;
use meshsim_core::elementary::pow;
use meshsim_core::random::{Draw, uniform_index};

/// Envoy's default `active_request_bias`.
pub const DEFAULT_ACTIVE_REQUEST_BIAS: f64 = 1.0;

/// The policy; it has no state.
#[derive(Clone, Copy, Debug)]
pub struct LeastRequest {
    /// How many hosts are drawn.
    pub choice_count: u32,
}

impl LeastRequest {
    /// Picks one of `hosts`.
    pub fn pick(self, hosts: usize, active: impl Fn(usize) -> u32, draw: &mut Draw) -> usize {
        if hosts == 1 {
            return 0;
        }
        let drawn = (0..self.choice_count).map(|_| uniform_index(draw, hosts));
        Self::least(drawn, active).expect("at least one choice")
    }

    /// Of the hosts drawn, in the order of drawing, the one with the fewest active requests.
    pub fn least(drawn: impl Iterator<Item = usize>, active: impl Fn(usize) -> u32) -> Option<usize> {
        // `min_by_key` keeps the first of equal ones, as Envoy does.
        drawn.min_by_key(|&host| active(host))
    }
}

/// What a host of this load balancing weight counts for while it has `active` requests.
#[must_use]
pub fn weight_under_load(weight: f64, active: u32, active_request_bias: f64) -> f64 {
    let load = f64::from(active) + 1.0;
    if active_request_bias == 1.0 {
        weight / load
    } else if active_request_bias == 0.0 {
        weight
    } else {
        weight / pow(load, active_request_bias)
    }
}

/// The schedule of one worker over hosts of different weights.
#[derive(Clone, Debug)]
pub struct WeightedLeastRequest {
    active_request_bias: f64,
    schedule: EarliestDeadline,
}

impl WeightedLeastRequest {
    /// A schedule in which nothing was thrown away.
    #[must_use]
    pub fn new(
        active_request_bias: f64,
        hosts: usize,
        weight: impl Fn(usize) -> f64,
        active: impl Fn(usize) -> u32,
    ) -> Self {
        let now = |host| weight_under_load(weight(host), active(host), active_request_bias);
        Self { active_request_bias, schedule: EarliestDeadline::new(hosts, now) }
    }

    /// Starts at a random point of the schedule of hosts that have no requests.
    #[must_use]
    pub fn start(
        active_request_bias: f64,
        hosts: usize,
        weight: impl Fn(usize) -> f64,
        draw: &mut Draw,
    ) -> Self {
        Self { active_request_bias, schedule: EarliestDeadline::start(hosts, weight, draw) }
    }

    /// The next one of the schedule; none if no host has a positive weight.
    pub fn pick(&mut self, weight: impl Fn(usize) -> f64, active: impl Fn(usize) -> u32) -> Option<usize> {
        let bias = self.active_request_bias;
        self.schedule.pick(|host| weight_under_load(weight(host), active(host), bias))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn a_host_counts_for_less_the_more_requests_it_has() {
        assert_eq!(weight_under_load(2.0, 4, 1.0), 0.4);
        assert_eq!(weight_under_load(2.0, 7, 0.0), 2.0);
        assert!((weight_under_load(3.0, 2, 0.5) - 3.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn weights_are_read_when_a_host_is_put_back() {
        let weight = |host| [1.0, 2.0][host];
        let mut policy = WeightedLeastRequest::new(1.0, 2, weight, |_| 0);
        let mut picks = |active: [u32; 2], count: usize| -> Vec<_> {
            (0..count).filter_map(|_| policy.pick(weight, |host| active[host])).collect()
        };
        assert_eq!(picks([0, 0], 6), [1, 0, 1, 1, 0, 1]);
        // One request at host 1 makes both count alike.
        assert_eq!(picks([0, 1], 5), [1, 0, 1, 0, 1]);
    }

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
        let policy = LeastRequest { choice_count: 2 };
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
