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

use super::Outbound;
use super::blackhole::way_of_pod_opens;
use super::hop::{Caller, Client, Hop};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::telemetry::trace::{Part, Rule};
use meshsim_core::{Handle, SimTime};

/// The branch of a call's address for its way through the client's node.
const NODE: u64 = u64::MAX;

impl Outbound {
    /// A cell's call leaves its pod through the ztunnel of the node.
    pub(super) fn enter_node(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, caller: Caller) {
        let state = self.hops[hop];
        let takes = at.topology.passes.ztunnel_out.request(state.address.child(NODE));
        let out = at.pass_ztunnel(caller.pod, caller.cell_worker, takes);
        if at.recorder.traces() {
            self.trace_passes(at, hop, at.now, (out, takes), Part::Way);
        }
        match state.client {
            // Its waypoint; if the pod stays cut off, nothing ever reaches that.
            Client::Proxy { .. } => {
                let delay = at.topology.description.clusters[at.here].local_delay;
                if let Some(opens) = way_of_pod_opens(at, caller.pod) {
                    at.schedule(out.max(opens) + delay, Event::ReachesProxy(hop));
                }
            }
            Client::Cell => at.schedule(out, Event::LeavesNode(hop)),
        }
    }

    /// A call that has no waypoint leaves its node.
    pub(crate) fn leave_node(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if let Some(caller) = self.caller_of(hop) {
            self.call_from_cell(at, hop, caller);
        }
    }

    /// The answer to a call is back at the node of the caller.
    pub(crate) fn answer_reaches_node(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let Some(caller) = self.caller_of(hop) else { return self.completes(at, hop) };
        let state = self.hops[hop];
        let opens = way_of_pod_opens(at, caller.pod);
        if at.recorder.traces() && opens != Some(at.now) {
            let rule = Rule::Swallowed(opens.unwrap_or(SimTime::MAX));
            self.trace_rule(at, hop, rule, Some(Part::Stalled));
        }
        match opens {
            Some(opens) if opens > at.now => {
                return at.schedule(opens, Event::AnswerReachesNode(hop));
            }
            Some(_) => {}
            // TCP gives up, and the caller waits for as long as it does.
            None => return,
        }
        let pass = &at.topology.passes.ztunnel_out;
        let (takes, cpu) =
            (pass.response(state.address.child(NODE), state.answer.body), pass.cpu(state.answer.body));
        at.recorder.proxy_used_cpu(at.now, cpu);
        let out = at.pass_ztunnel(caller.pod, caller.cell_worker, takes);
        if at.recorder.traces() {
            self.trace_passes(at, hop, at.now, (out, takes), Part::Proxy);
            self.trace_ends(at, hop, out);
        }
        at.schedule(out, Event::HopCompletes(hop));
    }

    /// The worker process that waits for a hop, unless nobody does any more.
    fn caller_of(&self, hop: Handle<Hop>) -> Option<Caller> {
        if self.hops.contains(hop) { self.hops[hop].waiting_caller() } else { None }
    }
}
