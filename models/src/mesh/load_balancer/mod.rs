//! Chooses a host. One file per member; this list is the only place that names them all.

mod least_request;
mod random;
mod round_robin;

pub use least_request::LeastRequest;
pub use random::Random;
pub use round_robin::RoundRobin;

use meshsim_core::random::Draw;

/// A load balancer as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// In turn.
    RoundRobin,
    /// The less busy of several drawn at random (Istio's default since 1.14).
    LeastRequest {
        /// How many are drawn (Envoy's default is 2).
        choices: u32,
    },
    /// Any.
    Random,
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
}

impl Policy {
    /// A balancer of this kind; `draw` gives it its random start, if it has one.
    #[must_use]
    pub fn start(self, hosts: usize, draw: &mut Draw) -> LoadBalancer {
        match self {
            Self::RoundRobin => LoadBalancer::RoundRobin(RoundRobin::start(hosts, draw)),
            Self::LeastRequest { choices } => LoadBalancer::LeastRequest(LeastRequest { choices }),
            Self::Random => LoadBalancer::Random(Random),
        }
    }
}

impl LoadBalancer {
    /// Picks one of `hosts` (at least one); `active` tells the proxy's own active requests to a
    /// host.
    pub fn pick(&mut self, hosts: usize, active: impl Fn(usize) -> u32, draw: &mut Draw) -> usize {
        match self {
            Self::RoundRobin(policy) => policy.pick(hosts),
            Self::LeastRequest(policy) => policy.pick(hosts, active, draw),
            Self::Random(policy) => policy.pick(hosts, draw),
        }
    }
}
