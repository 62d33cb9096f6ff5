//! Calls to services that speak UDP: a message each way, which arrives or is lost.
//!
//! # Models
//! No proxy takes datagrams, so there is no balancing by localities, no mTLS, no retry, no outlier detection: kube-proxy, or
//! Liqo's fabric beside it, sends each request to any ready endpoint of all clusters. There is no connection, no handshake and
//! no window: a message of several packets leaves at once. If a link loses one of its packets the message is lost, and so it
//! is on a link that is cut, at a pod that is down, and when its server dies. Nobody tells the caller, which waits until its own time is up
//! (`cell.client_timeout`).
//!
//! # Assumptions
//! - Each request has a socket of its own, so the endpoint is chosen anew, and any of the pod's workers takes it. Effect: a client
//!   that keeps its socket stays at one endpoint for as long as the node remembers the flow.
//! - Messages are bodies alone, in packets of the path's largest size (fragments of IP). An endpoint that is down sends no
//!   ICMP message.
//!
//! # Source
//! RFC 768; Istio, "Traffic management", protocol selection: "non-TCP based protocols, such as UDP, are not proxied"; Kubernetes,
//! `pkg/proxy/iptables/proxier.go`.

use super::around::Around;
use super::crossing::Crossing;
use super::message::{Body, Message, Request, Response};
use super::network::Network;
use super::outbound::Outbound;
use super::outbound::blackhole::caller_pod;
use super::outbound::hop::{AttemptPhase, Hop};
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, FlowId, PodId};
use crate::network::link::serialization;
use crate::request::answer::Status;
use crate::telemetry::link_traffic::LinkUse;
use crate::telemetry::trace::Part;
use crate::telemetry::traffic_matrix::{Direction, Traffic};
use crate::telemetry::work::WorkId;
use meshsim_core::random::{Address, uniform_index};
use meshsim_core::{Handle, SimDuration};

/// The client's side.
impl Outbound {
    /// A cell sends a request in a datagram.
    #[cold]
    pub(super) fn send_datagram(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if at.recorder.traces() {
            self.trace_begins(at, hop, Part::Way);
        }
        let service = at.topology.service_of(self.hop(hop).endpoint);
        let Some(pod) = self.endpoint_of_kube_proxy(at, service) else {
            // It rejects what no endpoint is there for.
            return self.answer_itself(at, hop, Status::ConnectFailure);
        };
        self.begin_attempt(at, hop, pod);
        self.sends_without_connection(at, hop);
    }

    /// Whether a datagram to or from the caller of a hop is swallowed before it leaves the caller's node or gets there.
    #[cold]
    pub(super) fn swallows_datagram(&self, at: &Around<'_>, hop: Handle<Hop>) -> bool {
        at.topology.swallows()
            && caller_pod(at, self.hop(hop)).is_some_and(|caller| at.is_swallowing(caller, at.now))
    }

    /// An answer has come in a datagram.
    #[cold]
    pub(super) fn datagram_arrives(&mut self, at: &mut Around<'_>, response: &Response) {
        if self.swallows_datagram(at, response.hop) {
            return;
        }
        let state = self.hop_mut(response.hop);
        state.answer = response.answer;
        state.phase = AttemptPhase::Answered;
        let routed = state.routed;
        if at.recorder.traces() {
            self.trace_ends(at, response.hop, at.now);
        }
        if response.client != at.topology.pod_ids.cluster_of(response.pod) {
            at.recorder.crossing_answered(at.now, (at.now - routed).saturating_sub(response.took));
        }
        self.completes(at, response.hop);
    }
}

/// The worker of a pod, of so many, that takes the datagram of the request at `address`.
pub(super) fn worker_of_datagram(address: Address, workers: u16) -> u16 {
    uniform_index(&mut draw(address, Purpose::DatagramWorker), usize::from(workers)) as u16
}

/// A message in datagrams.
struct Datagrams {
    to: ClusterId,
    flow: FlowId,
    direction: Direction,
    work: WorkId,
    address: Address,
    bytes: u32,
    /// The pod at one end.
    pod: PodId,
}

/// The way.
impl Network {
    /// A request goes to its pod.
    #[cold]
    pub(super) fn carry_request_datagram(&mut self, at: &mut Around<'_>, request: &Request) {
        let message = Datagrams {
            to: at.topology.pod_ids.cluster_of(request.pod),
            flow: request.flow,
            direction: Direction::ToServer,
            work: request.work,
            address: request.address,
            bytes: at.topology.application().endpoints[request.endpoint].request_bytes,
            pod: request.pod,
        };
        self.carry(at, &message, Crossing::Request(*request), Body::Request(*request));
    }

    /// An answer goes to its client.
    #[cold]
    pub(super) fn carry_response_datagram(&mut self, at: &mut Around<'_>, response: &Response) {
        let message = Datagrams {
            to: response.client,
            flow: response.flow,
            direction: Direction::ToClient,
            work: response.work,
            address: response.address,
            bytes: response.answer.body,
            pod: response.pod,
        };
        self.carry(at, &message, Crossing::Response(*response), Body::Response(*response));
    }

    fn carry(&mut self, at: &mut Around<'_>, it: &Datagrams, here: Crossing, away: Body) {
        if at.is_swallowing(it.pod, at.now) {
            return;
        }
        let path = at.topology.path(at.here, it.to, at.now);
        let packets = path.packets(it.bytes);
        let wire_bytes = path.packet_bytes(it.bytes, packets);
        let sent = Traffic::of_message(it.bytes, wire_bytes);
        if it.to == at.here {
            at.recorder.sent_here(at.now, it.flow, it.direction, sent);
            let takes = path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second);
            return self.cross(at, at.now + takes, here);
        }
        if at.topology.is_cut(at.here, it.to, at.now) {
            return;
        }
        at.recorder.crossed(at.now, it.work, (it.to, it.flow), it.direction, sent);
        let (loses, delays) = match it.direction {
            Direction::ToServer => (Purpose::LossRequest, Purpose::LinkRequest),
            Direction::ToClient => (Purpose::LossResponse, Purpose::LinkResponse),
        };
        if at.topology.loss((at.here, it.to), at.now, packets, it.address, loses).is_some() {
            // Its bytes were sent all the same.
            self.transmit(at, it.to, wire_bytes, LinkUse::Call);
            return;
        }
        let message = Message::new(it.to, wire_bytes, away);
        self.send_with(at, message, it.address, delays, SimDuration::ZERO);
    }
}
