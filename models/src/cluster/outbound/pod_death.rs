//! A pod or a gateway dies: what it, or its sidecar, had sent goes on in other pods, but nobody waits for it.
//!
//! # Source
//! Linux: the sockets of a process that dies are closed (RFC 9293, section 3.6).

use super::Outbound;
use super::hop::{AttemptPhase, Client, Hop, Origin};
use crate::cluster::around::Around;
use crate::cluster::handed::{Answered, Handed};
use crate::envoy::connection_pool::Owner;
use crate::ids::{PodId, ProxyId};
use crate::request::answer::{Answer, Status};
use meshsim_core::{Handle, Id, SimTime};

impl Outbound {
    /// A pod of this cluster dies.
    pub(crate) fn pod_dies(&mut self, at: &mut Around<'_>, pod: PodId) {
        let slot = at.pods.slot_of(pod);
        for pool in self.cell_pools.take(self.of_processes[slot]..self.of_processes[slot + 1]).flatten() {
            self.pools.leave(pool, 1);
        }
        if at.topology.limits_clients() {
            self.client_pools_die(pod, slot);
        }
        if at.topology.has_sidecar(pod) {
            self.proxy_dies(at, at.proxies.sidecar(slot));
            // What it has sent beside its sidecar are datagrams.
            if !at.topology.has_datagrams() {
                return;
            }
        }
        for hop in self.hops.handles().collect::<Vec<_>>() {
            let state = &mut self.hops[hop];
            if state.waiting_caller().is_some_and(|caller| caller.pod == pod) {
                state.origin = Origin::Gone;
            }
        }
    }

    /// A pod of another cluster, so far away, has closed its connections.
    pub(crate) fn remote_pod_ended(&mut self, at: &Around<'_>, pod: PodId) {
        let away = at.topology.path(at.topology.pod_ids.cluster_of(pod), at.here, at.now).one_way;
        let closed = SimTime::from_nanos(at.now.as_nanos().saturating_sub(away.as_nanos()));
        match at.topology.is_behind_gateway(at.here, pod) {
            // Others of the pool lead to other pods.
            true => self.pools.server_closed(pod, closed),
            false => self.close_connections(pod, closed),
        }
    }

    /// A pod closed all its connections at `closed`.
    pub(crate) fn close_connections(&mut self, pod: PodId, closed: SimTime) {
        self.pools.retire(pod);
        self.pools.server_closed(pod, closed);
        self.tunnels.server_ended(pod);
        self.tunnels.client_died(Owner::Cell(pod));
    }

    /// The gateways of this cluster die: their users learn that their requests are lost.
    pub(crate) fn gateways_die(&mut self, at: &mut Around<'_>) {
        for gateway in 0..usize::from(at.proxies.gateways()) {
            self.proxy_dies(at, ProxyId::from_index(gateway));
        }
    }

    /// The requests that a proxy had under way are nobody's any more.
    fn proxy_dies(&mut self, at: &mut Around<'_>, dead: ProxyId) {
        for hop in self.hops.handles().collect::<Vec<_>>() {
            let state = self.hops[hop];
            let Client::Proxy { proxy, .. } = state.client else { continue };
            if proxy != dead {
                continue;
            }
            match state.phase {
                AttemptPhase::Waiting => self.stop_waiting(at, hop),
                AttemptPhase::Sent => {
                    self.tell_server(at, hop);
                    if let Some(connection) = self.hops[hop].connection.take() {
                        self.pools.detach(connection);
                        self.pools.drain(connection);
                    }
                    self.release_request(hop);
                }
                AttemptPhase::Idle | AttemptPhase::Answered => {}
            }
            self.return_retry(hop);
            self.hops.remove(hop);
            if matches!(state.origin, Origin::User { .. }) {
                let answer = Answer { status: Status::NoIngress, body: 0 };
                at.hand(Handed::Answered(Answered { origin: state.origin, answer }));
            }
        }
        at.proxies.restart(dead);
        if let (Some(instance), Some(exporters)) = (at.instance(dead), at.recorder.exporters()) {
            exporters.proxy_restarts(instance);
        }
        let workers = usize::from(at.proxies[dead].workers());
        for known in self.upstreams.forget(dead) {
            known.all_pools().for_each(|first| self.pools.leave(first, workers));
            self.pools.leave_breaker(known.breaker);
            self.tunnels.client_died(Owner::Proxy(known.breaker));
        }
    }

    /// Whether an attempt that was sent is still waited for.
    pub(super) fn is_under_way(&self, hop: Handle<Hop>, attempt: u8) -> bool {
        self.hops.contains(hop) && {
            let state = &self.hops[hop];
            state.attempts == attempt && state.phase == AttemptPhase::Sent
        }
    }

    /// An attempt of a request of this cluster is reset.
    pub(crate) fn attempt_is_reset(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, attempt: u8) {
        if self.is_under_way(hop, attempt) {
            let address = self.hops[hop].attempt_address();
            self.reset_arrives(at, hop, address);
        }
    }
}
