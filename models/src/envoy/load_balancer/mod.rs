//! Chooses a host. One file per member; this list alone names them all.

pub mod earliest_deadline;
pub mod hash_tables;
mod least_request;
pub mod maglev;
mod random;
pub mod ring_hash;
mod round_robin;
pub mod slow_start;

pub use least_request::{DEFAULT_ACTIVE_REQUEST_BIAS, LeastRequest, WeightedLeastRequest, weight_under_load};
pub use maglev::Maglev;
pub use random::Random;
pub use ring_hash::{HashedHost, RingHash};
pub use round_robin::{RoundRobin, WeightedRoundRobin};

use meshsim_core::random::{Draw, bits};
use std::sync::Arc;

/// A load balancer as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// In turn.
    RoundRobin,
    /// The less busy of several drawn at random (Istio's default since 1.14).
    LeastRequest {
        /// How many are drawn (Envoy's default is 2).
        choice_count: u32,
    },
    /// Any.
    Random,
    /// By a hash of the request, on a ring.
    RingHash {
        /// Points that the ring has at least.
        minimum_size: u64,
    },
    /// By a hash of the request, in a table.
    Maglev {
        /// Entries of the table, a prime number.
        table_size: u32,
    },
}

/// A load balancer's state in one worker of a proxy, for one service.
#[derive(Clone, Debug)]
pub enum LoadBalancer {
    /// See [`RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`LeastRequest`].
    LeastRequest(LeastRequest),
    /// See [`Random`].
    Random(Random),
    /// See [`WeightedRoundRobin`].
    WeightedRoundRobin(WeightedRoundRobin),
    /// See [`WeightedLeastRequest`].
    WeightedLeastRequest(WeightedLeastRequest),
    /// See [`RingHash`].
    RingHash(Arc<RingHash>),
    /// See [`Maglev`].
    Maglev(Arc<Maglev>),
}

impl Policy {
    /// Whether a request's hash decides.
    #[must_use]
    pub const fn hashes(self) -> bool {
        matches!(self, Self::RingHash { .. } | Self::Maglev { .. })
    }

    /// A balancer of this kind, which does not hash; `draw` gives it its random start, if it has one.
    #[must_use]
    pub fn start(self, hosts: usize, draw: &mut Draw) -> LoadBalancer {
        match self {
            Self::RoundRobin => LoadBalancer::RoundRobin(RoundRobin::start(hosts, draw)),
            Self::LeastRequest { choice_count } => LoadBalancer::LeastRequest(LeastRequest { choice_count }),
            Self::Random => LoadBalancer::Random(Random),
            Self::RingHash { .. } | Self::Maglev { .. } => unreachable!("`hash_tables` makes it"),
        }
    }

    /// A balancer over hosts whose weights (times their factor of slow start) differ, or of which
    /// one is in slow start.
    #[must_use]
    pub fn start_weighted(
        self,
        hosts: usize,
        weight: impl Fn(usize) -> f64,
        draw: &mut Draw,
    ) -> LoadBalancer {
        match self {
            Self::RoundRobin => {
                LoadBalancer::WeightedRoundRobin(WeightedRoundRobin::start(hosts, weight, draw))
            }
            Self::LeastRequest { .. } => {
                let bias = DEFAULT_ACTIVE_REQUEST_BIAS;
                LoadBalancer::WeightedLeastRequest(WeightedLeastRequest::start(bias, hosts, weight, draw))
            }
            // RANDOM knows no weights.
            Self::Random => LoadBalancer::Random(Random),
            Self::RingHash { .. } | Self::Maglev { .. } => unreachable!("`hash_tables` makes it"),
        }
    }
}

impl LoadBalancer {
    /// Picks one of `hosts` (at least one); `active` tells the proxy's own active requests to a
    /// host, `weight` its load balancing weight, which balancers over equal hosts do not ask. `hash`
    /// and `attempt` (counted from 0) are for those that hash; without a hash they take a random one.
    ///
    /// # Panics
    /// If a weighted balancer has no host of positive weight, which is never made.
    pub fn pick(
        &mut self,
        hosts: usize,
        weight: impl Fn(usize) -> f64,
        active: impl Fn(usize) -> u32,
        hash: Option<u64>,
        attempt: u32,
        draw: &mut Draw,
    ) -> usize {
        match self {
            Self::RingHash(ring) => ring.pick(hash.unwrap_or_else(|| bits(draw)), attempt),
            Self::Maglev(table) => table.pick(hash.unwrap_or_else(|| bits(draw)), attempt),
            Self::RoundRobin(policy) => policy.pick(hosts),
            Self::LeastRequest(policy) => policy.pick(hosts, active, draw),
            Self::Random(policy) => policy.pick(hosts, draw),
            Self::WeightedRoundRobin(policy) => policy.pick(weight).expect("a host has a weight"),
            Self::WeightedLeastRequest(policy) => policy.pick(weight, active).expect("a host has a weight"),
        }
    }
}
