//! An east-west gateway: the Envoy by which other networks reach the pods of a cluster.
//!
//! # Models
//! A cluster has so many of them behind one address. Whoever is in another network sees that address as one endpoint of a
//! service, which weighs as much as the ready pods behind it (`endpoints`). TCP ends at the gateway and TLS does not: it
//! reads the name of the service (SNI) and passes the connection on to a pod, which it chooses when the connection begins,
//! by LEAST_REQUEST over connections; all requests of the connection go there. A connection belongs to one worker, and what
//! passes through a worker queues first in first out.
//!
//! # Assumptions
//! - The choice is made with what the client's cluster knows of the pods, which the gateway knows half a round trip
//!   earlier, and with the connections of that cluster's clients. Effect: clients of several clusters may meet on a pod.
//! - What passing takes is what a ztunnel takes, which is a proxy of connections, too; nobody has published it. Encryption
//!   and telemetry of requests are not the gateway's.
//! - A gateway stands as an endpoint where the first pod behind it is, also where these are in several localities, of which
//!   Istio lists the address once each, and Envoy keeps one (istio/istio#56355).
//! - Each version of a service behind a gateway is a host of its own.
//! - There is no UDP.
//!
//! # Source
//! Istio, "Install Multi-Primary on different networks" (`AUTO_PASSTHROUGH`); `pilot/pkg/xds/endpoints/ep_filters.go`.

use crate::envoy::proxy_cost::ProxyCost;
use meshsim_core::random::{Draw, uniform_index};

/// The east-west gateways: one kind, in every cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EastWestSettings {
    /// Pods per cluster.
    pub replicas: u16,
    /// Worker threads of each.
    pub concurrency: u16,
    /// What passing costs.
    pub cost: ProxyCost,
}

impl EastWestSettings {
    /// Worker threads of a cluster's gateways together.
    #[must_use]
    pub const fn workers(&self) -> u16 {
        self.replicas.saturating_mul(self.concurrency)
    }
}

/// The pod among `ready` that a new connection is passed on to, of two at random the one with fewer `connections`.
pub fn choose<P: Copy>(ready: &[P], connections: impl Fn(P) -> usize, draw: &mut Draw) -> Option<P> {
    if ready.is_empty() {
        return None;
    }
    let [one, other] = [(); 2].map(|()| ready[uniform_index(draw, ready.len())]);
    Some(if connections(other) < connections(one) { other } else { one })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    #[test]
    fn of_two_pods_the_one_with_fewer_connections_gets_the_next() {
        let mut counts = [0_usize; 4];
        for n in 0..400 {
            let mut rng = Address::root(3, 0).child(n).draw(0);
            let chosen = choose(&[0, 1, 2, 3], |pod: usize| counts[pod], &mut rng).unwrap();
            counts[chosen] += 1;
        }
        assert!(counts.iter().all(|count| (97..=103).contains(count)), "{counts:?}");
        assert_eq!(choose(&[], |_: u8| 0, &mut Address::root(3, 0).draw(0)), None);
    }
}
