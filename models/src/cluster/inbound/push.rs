//! istiod pushes: what servers' sidecars are told of their own services changes.
//!
//! # Assumptions
//! The limits of what a sidecar has under way to its application change, and what it has under way counts against the
//! new ones, where Envoy replaces its inbound cluster and counts anew.

use super::Inbound;
use crate::cluster::around::Around;
use crate::cluster::news::Push;
use crate::envoy::proxies::ProxyKind;
use crate::ids::BreakerId;
use meshsim_core::Id;

impl Inbound {
    /// The proxies of this cluster, or the one that was pushed to, have taken a configuration over.
    pub(crate) fn take_push(&mut self, at: &Around<'_>, push: Push) {
        if !at.topology.has_sidecars() {
            return;
        }
        match push {
            Push::Content { .. } => (0..at.pods.len()).for_each(|slot| self.limit(at, slot)),
            Push::To { proxy, .. } => {
                if let ProxyKind::Sidecar(pod) = at.proxies[at.proxy_of(proxy)].kind {
                    self.limit(at, at.pods.slot_of(pod));
                }
            }
        }
    }

    /// The sidecar of the pod in a slot limits what it sends to its application as it is told.
    fn limit(&mut self, at: &Around<'_>, slot: usize) {
        let (upstreams, service) = (&at.topology.upstreams, at.pods.service_of(slot));
        let configuration = at.proxies[at.proxies.sidecar(slot)].configuration;
        let limits = upstreams.spec(false, upstreams.of_service(configuration, service)).limits_of_server();
        self.pools.breaker(BreakerId::from_index(slot)).set_limits(limits);
    }
}
