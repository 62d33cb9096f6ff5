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
//! - What reset a connection of a pod that is cut off still reaches it.
//! - The way from a pod to a waypoint of its cluster is swallowed, the waypoint's own way to others is not.
//!
//! # Source
//! `network/retransmission`; Envoy `conn_pool_base.cc` (`onConnectTimeout`), `router.cc`
//! (`onPoolFailure`, `onUpstreamReset`).

use super::record::{Call, Client, ClientConnection, Hop, Origin};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::message::Response;
use crate::faults::link;
use crate::ids::{ClusterId, PodId};
use crate::network::path::Path;
use crate::network::retransmission::{Fate, of_segment, of_syn};
use crate::world::topology::Topology;
use meshsim_core::{Handle, SimTime};

impl Context<'_> {
    /// When the SYN of a connection that a hop's client asks for now gets through, if ever.
    pub(super) fn fate_of_syn(&self, hop: &Hop, pod: PodId, path: &Path) -> Fate {
        if !self.topology.swallows() {
            return Fate::Passes(self.now);
        }
        let caller = self.caller_pod(hop);
        of_syn(self.now, |at| self.is_swallowed(caller, pod, at, path))
    }

    /// When the last message of a handshake gets through that is to be sent at `sent`.
    pub(super) fn fate_of_handshake(&self, hop: &Hop, pod: PodId, path: &Path, sent: SimTime) -> Fate {
        if !self.topology.swallows() {
            return Fate::Passes(sent);
        }
        let caller = self.caller_pod(hop);
        of_segment(sent, path, |at| self.is_swallowed(caller, pod, at, path))
    }

    /// Whether a request over a connection is swallowed; if so it is sent again, or reset.
    #[cold]
    pub(super) fn request_is_swallowed(
        &mut self,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) -> bool {
        let it = self.cluster.hops[hop];
        let path = self.path_to(it.pod);
        let before = self.cluster.pools[connection].stalled.filter(|fate| self.now < fate.at());
        let fate = before.unwrap_or_else(|| {
            let caller = self.caller_pod(&it);
            of_segment(self.now, &path, |at| self.is_swallowed(caller, it.pod, at, &path))
        });
        if fate == Fate::Passes(self.now) {
            return false;
        }
        let kept = &mut self.cluster.pools[connection];
        kept.stalled = Some(fate);
        let attempt = it.attempts;
        match fate {
            Fate::Passes(at) => self.scheduler.schedule(at, Event::RequestLeaves { hop, attempt }),
            Fate::Lost(at) => {
                kept.closes_at = kept.closes_at.min(at);
                self.scheduler.schedule(at, Event::ResetArrives { hop, attempt });
            }
        }
        true
    }

    /// A request that was swallowed is sent again.
    pub(crate) fn request_leaves(&mut self, hop: Handle<Hop>, attempt: u8) {
        if self.is_under_way(hop, attempt) {
            let connection = self.cluster.hops[hop].connection.expect("it was sent over one");
            self.transmit_request(hop, connection);
        }
    }

    /// When what a pod has to send of an answer gets through. Nothing if never: then the answer is gone.
    #[inline]
    pub(super) fn answer_passes_at(&mut self, call: Handle<Call>) -> Option<SimTime> {
        if !self.topology.swallows() {
            return Some(self.now);
        }
        let it = self.cluster.calls[call];
        let path = self.topology.path(self.cluster.id, it.client);
        let is_lost = |at| {
            self.topology.faults.is_swallowing(it.pod, at)
                || self.topology.is_cut(self.cluster.id, it.client, at)
        };
        match of_segment(self.now, &path, is_lost) {
            Fate::Passes(at) => Some(at),
            Fate::Lost(_) => {
                self.cluster.calls.remove(call);
                None
            }
        }
    }

    /// Whether an answer is swallowed because its caller is cut off; if so it comes again, or never.
    #[cold]
    pub(super) fn answer_is_swallowed(&mut self, response: &Response) -> bool {
        let it = self.cluster.hops[response.hop];
        let Some(caller) = self.caller_pod(&it) else { return false };
        let path = self.path_to(it.pod);
        let fate = of_segment(self.now, &path, |at| self.topology.faults.is_swallowing(caller, at));
        if fate == Fate::Passes(self.now) {
            return false;
        }
        if let Fate::Passes(at) = fate {
            let held = self.cluster.held.insert(*response);
            self.scheduler.schedule(at, Event::HeldResponseArrives(held));
        }
        true
    }

    /// An answer that was swallowed comes again.
    pub(crate) fn held_response_arrives(&mut self, held: Handle<Response>) {
        let response = self.cluster.held.remove(held);
        self.response_arrives(&response);
    }

    /// When what a pod sends to its node's network, or gets from it, gets through; nothing if never.
    pub(super) fn way_of_pod_opens(&self, pod: PodId) -> Option<SimTime> {
        if !self.topology.swallows() {
            return Some(self.now);
        }
        let path = self.topology.path(self.cluster.id, self.cluster.id);
        match of_segment(self.now, &path, |at| self.topology.faults.is_swallowing(pod, at)) {
            Fate::Passes(at) => Some(at),
            Fate::Lost(_) => None,
        }
    }

    /// Whether what a client sends to a pod at `at` is lost.
    fn is_swallowed(&self, caller: Option<PodId>, pod: PodId, at: SimTime, path: &Path) -> bool {
        let faults = &self.topology.faults;
        caller.is_some_and(|caller| faults.is_swallowing(caller, at))
            || faults.is_swallowing(pod, at.saturating_add(path.one_way))
            || self.topology.is_cut(self.cluster.id, self.topology.pods[pod].cluster, at)
    }

    /// The pod from which a hop is sent, unless that is a gateway or a waypoint, or dead.
    fn caller_pod(&self, hop: &Hop) -> Option<PodId> {
        let Origin::Call { call, .. } = hop.origin else { return None };
        let alive = self.cluster.calls.contains(call);
        let from_pod = matches!(hop.client, Client::Cell) || self.topology.has_sidecars();
        (alive && from_pod).then(|| self.cluster.calls[call].pod)
    }
}

impl Topology {
    /// Whether a pod or a link swallows packets at any time.
    #[must_use]
    #[inline]
    pub fn swallows(&self) -> bool {
        self.faults.swallows() || !self.description.link_faults.is_empty()
    }

    /// Whether a link on the way from one cluster to another swallows packets.
    #[must_use]
    pub fn is_cut(&self, from: ClusterId, to: ClusterId, now: SimTime) -> bool {
        let faults = &self.description.link_faults;
        let mut here = from;
        while here != to && !faults.is_empty() {
            let Some(route) = self.route(here, to) else { return false };
            if link::is_cut(faults, route.link, now) {
                return true;
            }
            here = route.next;
        }
        false
    }

    /// When what a control plane sends at `at` leaves over the link to the next cluster on the way to
    /// another; never is [`SimTime::MAX`].
    #[must_use]
    pub fn told_at(&self, from: ClusterId, to: ClusterId, at: SimTime) -> SimTime {
        let faults = &self.description.link_faults;
        let Some(route) = self.route(from, to).filter(|_| !faults.is_empty()) else { return at };
        match of_segment(at, &route.path, |at| link::is_cut(faults, route.link, at)) {
            Fate::Passes(at) => at,
            Fate::Lost(at) => link::ends(faults, route.link, at),
        }
    }
}
