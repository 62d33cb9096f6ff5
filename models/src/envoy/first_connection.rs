//! The limit of connections, and the first one of a pool beyond it.
//!
//! # Models
//! Connections are limited per proxy and upstream, but every worker has a pool of its own per host. A pool
//! without any connection makes one whatever the limit says, or its requests would wait for ever; it is
//! counted as an overflow all the same.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `tryCreateNewConnection` ("If we are at the connection circuit-breaker limit due
//! to other upstreams having too many open connections, and this upstream has no connections, always create
//! one, to prevent pending requests being queued to this upstream with no way to be processed").

use super::circuit_breaker::{CircuitBreaker, Resource};

/// Whether a connection is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// No: nobody waits for one, or only for one that is being made.
    NotNeeded,
    /// Yes.
    Allowed,
    /// Yes, though the limit is reached: the pool has none.
    Forced,
    /// No: the limit is reached.
    Refused,
}

/// Counts a connection of a pool that has so many, if it may be made.
pub fn may_open(breaker: &mut CircuitBreaker, connections: u32) -> Opening {
    if breaker.acquire(Resource::Connections) {
        Opening::Allowed
    } else if connections == 0 {
        breaker.force(Resource::Connections);
        Opening::Forced
    } else {
        Opening::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::super::circuit_breaker::Thresholds;
    use super::*;

    #[test]
    fn only_a_pool_without_a_connection_goes_beyond_the_limit() {
        let limits = Thresholds { max_connections: 1, ..Thresholds::ISTIO };
        let mut breaker = CircuitBreaker::new(limits);
        assert_eq!(may_open(&mut breaker, 0), Opening::Allowed);
        assert_eq!(may_open(&mut breaker, 1), Opening::Refused);
        assert_eq!(may_open(&mut breaker, 0), Opening::Forced);
        assert_eq!(breaker.count(Resource::Connections), 2);
    }
}
