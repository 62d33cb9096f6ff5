//! istiod pushes: what servers' sidecars are told of their own services changes.
//!
//! # Assumptions
//! The limits of what a sidecar has under way to its application change, and what it has under way counts against the
//! new ones, where Envoy replaces its inbound cluster and counts anew.

use super::Inbound;
use crate::cluster::around::Around;
use crate::ids::{BreakerId, PodId};
use meshsim_core::Id;

impl Inbound {
    /// The sidecars of this cluster have taken a configuration over.
    pub(crate) fn configuration_changes(&mut self, at: &Around<'_>) {
        if !at.topology.has_sidecars() {
            return;
        }
        let (topology, configuration) = (at.topology, at.proxies.configuration());
        for pod in topology.pods_of(at.here).map(PodId) {
            let upstream = topology.upstreams.of_service(configuration, topology.pods[pod].service);
            let limits = topology.upstreams.spec(false, upstream).limits_of_server();
            self.pools.breaker(BreakerId::from_index(topology.slot_of(pod))).set_limits(limits);
        }
    }
}
