//! Calls to and from a pod, or over a link, that swallows packets.
//!
//! # Models
//! Nothing is refused and nothing is told. A new connection is tried again by TCP (`network/retransmission`)
//! until its client's patience ends: a proxy's `connect_timeout` (503 UF, a local-origin failure of the host),
//! a cell's `client_timeout` or TCP's 127 s. A request over a connection that is there waits, with its client,
//! for the end of the fault and TCP's next try, for a time-out of its caller, its route or its try, or for the
//! limit at which the connection is lost (503 UC). Over HTTP/2 those behind it wait with it. A pod goes on with
//! what it has under way; its answer leaves when it can, and if TCP gives up before, its client is told nothing
//! and waits for as long as it does. What such a pod itself calls is swallowed as well.
//!
//! # Assumptions
//! - Whether a packet meets the fault is decided by when it leaves and when it would arrive over an idle link:
//!   what is in a link's queue when a fault begins passes.
//! - Of HTTP/2's answers over one connection each is sent again by itself.
//! - An idle connection that its server closes meanwhile is known to be closed, though the FIN was swallowed:
//!   a caller connects anew where a real one may send into the void.
//! - A pod of another cluster is on a node that is lost if this cluster has heard of it there.
//! - What reset a connection of a pod that is cut off still reaches it.
//! - The way from a pod to a waypoint of its cluster is swallowed, the waypoint's own way to others is not.
//!
//! # Source
//! `network/retransmission`; Envoy `conn_pool_base.cc` (`onConnectTimeout`), `router.cc`
//! (`onPoolFailure`, `onUpstreamReset`).

use super::Outbound;
use super::hop::{Client, ClientConnection, Hop};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::message::Response;
use crate::ids::{ClusterId, PodId};
use crate::network::path::Path;
use crate::network::retransmission::{Fate, of_segment, of_syn};
use crate::telemetry::trace::{Part, Rule};
use crate::world::topology::Topology;
use meshsim_core::{Handle, SimTime};

impl Outbound {
    /// When the SYN of a connection that a hop's client asks for now gets through, if ever.
    pub(super) fn fate_of_syn(&self, at: &Around<'_>, hop: &Hop, pod: PodId, path: &Path) -> Fate {
        if !at.topology.swallows() {
            return Fate::Passes(at.now);
        }
        let ends = self.ends_of(at, hop, pod);
        of_syn(at.now, |sent| is_unanswered(at, &ends, sent, path))
    }

    /// When the last message of a handshake gets through that is to be sent at `sent`.
    pub(super) fn fate_of_handshake(
        &self,
        at: &Around<'_>,
        hop: &Hop,
        pod: PodId,
        path: &Path,
        sent: SimTime,
    ) -> Fate {
        if !at.topology.swallows() {
            return Fate::Passes(sent);
        }
        let ends = self.ends_of(at, hop, pod);
        of_segment(sent, path, |sent| is_unanswered(at, &ends, sent, path))
    }

    /// Whether a request over a connection is swallowed; if so it is sent again, or reset.
    #[cold]
    pub(super) fn request_is_swallowed(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) -> bool {
        let state = self.hops[hop];
        let (path, pod) = (at.path_to(state.pod), self.pools[connection].pod);
        let before = self.pools[connection].stalled.filter(|fate| at.now < fate.at());
        let fate = before.unwrap_or_else(|| {
            let ends = self.ends_of(at, &state, pod);
            of_segment(at.now, &path, |sent| is_swallowed(at, &ends, sent, &path))
        });
        if fate == Fate::Passes(at.now) {
            return false;
        }
        if at.recorder.traces() {
            self.trace_rule(at, hop, Rule::Swallowed(fate.at()), Some(Part::Stalled));
        }
        let kept = &mut self.pools[connection];
        kept.stalled = Some(fate);
        let attempt = state.attempts;
        match fate {
            Fate::Passes(again) => at.schedule(again, Event::RequestLeaves { hop, attempt }),
            Fate::Lost(lost) => {
                kept.closes_at = kept.closes_at.min(lost);
                at.schedule(lost, Event::ResetArrives { hop, attempt });
            }
        }
        true
    }

    /// A request that was swallowed is sent again.
    pub(crate) fn request_leaves(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, attempt: u8) {
        if self.is_under_way(hop, attempt) {
            let connection = self.hops[hop].connection.expect("it was sent over one");
            self.transmit_request(at, hop, connection);
        }
    }

    /// Whether an answer is swallowed because its caller is cut off; if so it comes again, or never.
    #[cold]
    pub(super) fn answer_is_swallowed(&mut self, at: &mut Around<'_>, response: &Response) -> bool {
        let state = self.hops[response.hop];
        let Some(caller) = caller_pod(at, &state) else { return false };
        let path = at.path_to(state.pod);
        let fate = of_segment(at.now, &path, |sent| at.is_swallowing(caller, sent));
        if fate == Fate::Passes(at.now) {
            return false;
        }
        if let Fate::Passes(again) = fate {
            let held = self.held.insert(*response);
            at.schedule(again, Event::HeldResponseArrives(held));
        }
        true
    }

    /// An answer that was swallowed comes again.
    pub(crate) fn held_response_arrives(&mut self, at: &mut Around<'_>, held: Handle<Response>) {
        let response = self.held.remove(held);
        self.response_arrives(at, &response);
    }
}

/// When what a pod sends to its node's network, or gets from it, gets through; nothing if never.
pub(super) fn way_of_pod_opens(at: &Around<'_>, pod: PodId) -> Option<SimTime> {
    if !at.topology.swallows() {
        return Some(at.now);
    }
    let path = at.topology.path_within(at.here);
    match of_segment(at.now, &path, |time| at.is_swallowing(pod, time)) {
        Fate::Passes(time) => Some(time),
        Fate::Lost(_) => None,
    }
}

impl Outbound {
    fn ends_of(&self, at: &Around<'_>, hop: &Hop, pod: PodId) -> Ends {
        let cluster = at.topology.pod_ids.cluster_of(pod);
        let node = match at.topology.outages.lose_nodes() {
            false => None,
            true if cluster == at.here => Some(at.pods[at.pods.slot_of(pod)].node),
            true => self.endpoints.node_of(at.topology, pod),
        };
        Ends { caller: caller_pod(at, hop), pod, cluster, node }
    }
}

/// Who sends, and to whom.
struct Ends {
    caller: Option<PodId>,
    pod: PodId,
    cluster: ClusterId,
    /// The node of the pod, where that matters and is known.
    node: Option<u32>,
}

/// Whether what a client sends to a pod at `sent` is lost.
fn is_swallowed(at: &Around<'_>, ends: &Ends, sent: SimTime, path: &Path) -> bool {
    let Topology { faults, outages, .. } = at.topology;
    let arrives = sent.saturating_add(path.one_way);
    ends.caller.is_some_and(|caller| at.is_swallowing(caller, sent))
        || faults.is_swallowing(ends.pod, arrives)
        || ends.node.is_some_and(|node| outages.is_node_lost(ends.cluster, node, arrives))
        || at.topology.is_cut(at.here, ends.cluster, sent)
}

/// Whether what a client sends to a pod at `sent`, or the pod's reply to it, is lost.
fn is_unanswered(at: &Around<'_>, ends: &Ends, sent: SimTime, path: &Path) -> bool {
    is_swallowed(at, ends, sent, path)
        || at.topology.is_cut(ends.cluster, at.here, sent.saturating_add(path.one_way))
}

/// The pod from which a hop is sent, unless that is a gateway or a waypoint, or dead.
pub(in crate::cluster) fn caller_pod(at: &Around<'_>, hop: &Hop) -> Option<PodId> {
    let from_pod = matches!(hop.client, Client::Cell) || at.topology.has_sidecars();
    hop.waiting_caller().filter(|_| from_pod).map(|caller| caller.pod)
}
