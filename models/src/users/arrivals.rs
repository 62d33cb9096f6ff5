//! When users send requests.
//!
//! # Models
//! Open loop: Poisson arrivals or a constant rate, whatever the answers take. Closed loop: each
//! user waits for its answer, thinks for an exponential or constant time, and sends the next one.
//!
//! # Assumptions
//! Users of a closed loop begin at random moments of their first think time.

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, exponential, uniform, uniform_index};

/// How a population's requests come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Independent of each other.
    Poisson {
        /// Requests per second of the whole population.
        per_second: f64,
    },
    /// At equal distances.
    Constant {
        /// Requests per second of the whole population.
        per_second: f64,
    },
    /// Each user sends the next request after an answer and a think time.
    ClosedLoop {
        /// Mean think time.
        think_time: SimDuration,
        /// Whether think times are exponential or all alike.
        exponential: bool,
    },
}

impl Arrivals {
    /// Time from the request at `address` to the next one of an open loop; nothing in a closed one.
    #[must_use]
    pub fn gap(self, address: Address) -> Option<SimDuration> {
        match self {
            Self::Poisson { per_second } => {
                let mean = 1e9 / per_second;
                let gap = exponential(&mut draw(address, Purpose::Interarrival), mean);
                Some(SimDuration::from_nanos_f64(gap))
            }
            Self::Constant { per_second } => Some(SimDuration::from_nanos_f64(1e9 / per_second)),
            Self::ClosedLoop { .. } => None,
        }
    }

    /// Who of `users` users sends request `number`, whose address is `address`: Poisson arrivals are
    /// those of independent users, so it is any of them; the others take turns.
    #[must_use]
    pub fn user(self, number: u64, address: Address, users: u32) -> u32 {
        match self {
            Self::Poisson { .. } => uniform_index(&mut draw(address, Purpose::User), users as usize) as u32,
            Self::Constant { .. } | Self::ClosedLoop { .. } => (number % u64::from(users)) as u32,
        }
    }

    /// Think time before the request at `address` of a closed loop; zero in an open one. The first
    /// one is a random part of it.
    #[must_use]
    pub fn think(self, address: Address, first: bool) -> SimDuration {
        let Self::ClosedLoop { think_time, exponential: random } = self else {
            return SimDuration::ZERO;
        };
        let mut rng = draw(address, Purpose::ThinkTime);
        let nanos = think_time.as_nanos() as f64;
        let time = match (random, first) {
            (true, _) => exponential(&mut rng, nanos),
            (false, true) => uniform(&mut rng) * nanos,
            (false, false) => nanos,
        };
        SimDuration::from_nanos_f64(time)
    }

    /// Whether requests come whatever the answers take.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::ClosedLoop { .. })
    }

    /// Requests per second, if nothing slows the users down.
    #[must_use]
    pub fn offered_per_second(self, users: u32) -> f64 {
        match self {
            Self::Poisson { per_second } | Self::Constant { per_second } => per_second,
            Self::ClosedLoop { think_time, .. } => f64::from(users) / think_time.as_secs_f64().max(1e-3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_gaps_are_those_of_the_rate() {
        let poisson = Arrivals::Poisson { per_second: 50.0 };
        let mean = (0..40_000)
            .map(|k| poisson.gap(Address::root(1, 0).child(k)).unwrap().as_secs_f64())
            .sum::<f64>()
            / 40_000.0;
        // Standard error: 0.5 %.
        assert!((mean - 0.02).abs() < 0.0004, "{mean}");
        let constant = Arrivals::Constant { per_second: 50.0 };
        assert_eq!(constant.gap(Address::root(1, 0)), Some(SimDuration::from_millis(20)));
    }

    #[test]
    fn a_closed_loop_has_no_gaps_but_think_times() {
        let think_time = SimDuration::from_secs(2);
        let closed = Arrivals::ClosedLoop { think_time, exponential: false };
        let address = Address::root(1, 0);
        assert_eq!((closed.gap(address), closed.think(address, false)), (None, think_time));
        assert!(closed.think(address, true) < think_time);
    }
}
