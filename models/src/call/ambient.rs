//! Ambient mode: a call passes the ztunnel of its pod's node, then perhaps a waypoint.
//!
//! # Models
//! Every node has a ztunnel, which all connections of its pods pass, out and in. It sees connections,
//! not requests: it chooses an endpoint when a cell connects, at random among those that are nearest
//! by the Service's `trafficDistribution`, and never retries. Between ztunnels runs one HTTP/2
//! connection (HBONE) per calling and called pod, in which each connection is a stream: opening one
//! costs a round trip, and a handshake with certificates before it unless the tunnel was used in the
//! last five minutes.
//! A service may have a waypoint: an Envoy that all requests to the service go through, and that
//! balances, retries and limits them as its DestinationRule and routes say.
//!
//! # Assumptions
//! - Every cluster has a waypoint of its own for a service that has one, on its first node; pods reach it
//!   in the cluster's local delay. Connections to it are kept.
//! - A gateway goes straight to pods, and follows DestinationRules only of services with a waypoint.
//! - A tunnel carries any number of streams (100 in ztunnel).
//!
//! # Source
//! ztunnel `src/proxy/pool.rs`, `src/state.rs`; Istio, ambient architecture; `cluster_waypoint.go`.

use super::record::{Client, Hop, Origin};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::ids::{PodId, ProxyId};
use meshsim_core::{Handle, Id, SimDuration, SimTime};

/// How long ztunnel keeps a tunnel that nobody uses.
const TUNNEL_IDLE: SimDuration = SimDuration::from_secs(300);

/// The branch of a call's address for its way through the client's node.
const NODE: u64 = u64::MAX;

impl Context<'_> {
    /// A cell's call leaves its pod through the ztunnel of the node.
    pub(super) fn enter_node(&mut self, hop: Handle<Hop>, pod: PodId, cell_worker: u16) {
        let it = self.cluster.hops[hop];
        let takes = self.topology.ztunnel_out.request(it.address.child(NODE));
        let at = self.pass_ztunnel(pod, cell_worker, takes);
        match it.client {
            // Its waypoint; if the pod stays cut off, nothing ever reaches that.
            Client::Proxy { .. } => {
                let delay = self.topology.description.clusters[self.cluster.id].local_delay;
                if let Some(opens) = self.way_of_pod_opens(pod) {
                    self.scheduler.schedule(at.max(opens) + delay, Event::ReachesProxy(hop));
                }
            }
            Client::Cell => self.scheduler.schedule(at, Event::LeavesNode(hop)),
        }
    }

    /// A call that has no waypoint leaves its node.
    pub(crate) fn leave_node(&mut self, hop: Handle<Hop>) {
        if let Some((pod, worker)) = self.caller_of(hop) {
            self.call_from_cell(hop, pod, worker);
        }
    }

    /// The answer to a call is back at the node of the caller.
    pub(crate) fn answer_reaches_node(&mut self, hop: Handle<Hop>) {
        let Some((pod, worker)) = self.caller_of(hop) else { return self.hop_completes(hop) };
        let it = self.cluster.hops[hop];
        match self.way_of_pod_opens(pod) {
            Some(opens) if opens > self.now => {
                return self.scheduler.schedule(opens, Event::AnswerReachesNode(hop));
            }
            Some(_) => {}
            // TCP gives up, and the caller waits for as long as it does.
            None => return,
        }
        let pass = &self.topology.ztunnel_out;
        let (takes, cpu) = (pass.response(it.address.child(NODE), it.answer.body), pass.cpu(it.answer.body));
        self.cluster.recorder.proxy_used_cpu(self.now, cpu);
        let at = self.pass_ztunnel(pod, worker, takes);
        self.scheduler.schedule(at, Event::HopCompletes(hop));
    }

    /// Something passes the ztunnel of a pod's node: when it comes out.
    pub(super) fn pass_ztunnel(&mut self, pod: PodId, worker: u16, takes: SimDuration) -> SimTime {
        let node = self.cluster.workloads.pods[self.topology.slot_of(pod)].node;
        let ztunnel = self.topology.ztunnel_of(node);
        let proxy = &mut self.cluster.proxies[ztunnel];
        let worker = worker % proxy.workers() as u16;
        proxy.pass(worker, self.now, takes)
    }

    /// How many round trips opening a connection to a pod costs, and whether there is a handshake
    /// with certificates among them. `client` names the tunnel's other end.
    pub(super) fn open_stream(&mut self, client: u32, pod: PodId) -> (u64, bool) {
        let now = self.now;
        let used = self.cluster.tunnels.insert((client, pod.0), now);
        let warm = used.is_some_and(|used| now - used < TUNNEL_IDLE);
        let encrypts = self.topology.encrypts();
        if warm { (1, false) } else { (2 + u64::from(encrypts), encrypts) }
    }

    /// The pod and the worker process whose call a hop is, unless the pod has died.
    fn caller_of(&self, hop: Handle<Hop>) -> Option<(PodId, u16)> {
        if !self.cluster.hops.contains(hop) {
            return None;
        }
        let Origin::Call { call, .. } = self.cluster.hops[hop].origin else { return None };
        let alive = self.cluster.calls.contains(call);
        alive.then(|| (self.cluster.calls[call].pod, self.cluster.calls[call].cell_worker))
    }
}

impl crate::world::topology::Topology {
    /// The ztunnel of a node: they come after the gateways.
    #[must_use]
    pub fn ztunnel_of(&self, node: u32) -> ProxyId {
        ProxyId::from_index(usize::from(self.description.gateway.replicas) + node as usize)
    }
}
