//! What stands at the entrance of a cluster: nothing, the gateways of Liqo's tunnels, or east-west gateways.
//!
//! # Models
//! Under Liqo every message that leaves over a tunnel passes its gateway before it enters the link, and every one that
//! comes out of a tunnel passes the gateway there before anything else happens to it, one that is only passed on, too.
//!
//! An east-west gateway is passed by requests from other networks and by the answers to them: on the worker that accepted
//! the connection, and then on the way between the gateway and the pod. TCP between the clusters ends there, so an answer
//! that has passed it is sent round by round.
//!
//! # Assumptions
//! - What API servers and istiods send passes Liqo's gateways as pods' traffic does, and no east-west gateway.
//! - A handshake passes no queue of a gateway. What resets a request overtakes it at an east-west gateway.
//!
//! # Source
//! `liqo/gateway`, `multi_network/gateway`, which say what it takes.

use super::around::Around;
use super::event::Event;
use super::message::{Body, Message, Request, Response};
use crate::ids::ClusterId;
use crate::liqo::gateway::{Passage, TunnelGateway};
use crate::liqo::settings::packets;
use crate::telemetry::exporters::carried::Way;
use crate::telemetry::trace::{Lane, Part, earlier};
use crate::telemetry::work::{RequestId, WorkId};
use crate::world::topology::Topology;
use meshsim_core::{Handle, SimDuration, SimTime, Slab};

/// The gateways of a cluster, and what is in them.
#[derive(Clone, Debug)]
pub(super) struct Gateways {
    kind: Kind,
    /// What has come in.
    inside: Slab<Message>,
    /// Answers that go out.
    answers: Slab<Response>,
}

#[derive(Clone, Debug)]
enum Kind {
    Nothing,
    /// By the ports of the cluster.
    Tunnels(Vec<TunnelGateway>),
    /// Among the proxies of the cluster.
    EastWest,
}

impl Gateways {
    /// Those of a cluster, with nothing to do.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Self {
        let tunnel = |cost| topology.ways.ports(here).iter().map(|_| TunnelGateway::new(cost)).collect();
        let description = &topology.description;
        let kind = match description.liqo() {
            Some(liqo) => Kind::Tunnels(tunnel(liqo.gateways[here])),
            None if description.east_west().is_some() => Kind::EastWest,
            None => Kind::Nothing,
        };
        Self { kind, inside: Slab::new(), answers: Slab::new() }
    }

    /// Whether what comes in may pass one.
    #[inline]
    pub(super) const fn are_there(&self) -> bool {
        !matches!(self.kind, Kind::Nothing)
    }

    /// Whether answers to other clusters pass one before TCP sends them.
    #[inline]
    pub(super) const fn end_connections(&self) -> bool {
        matches!(self.kind, Kind::EastWest)
    }

    /// A message leaves over a port: when it reaches the link.
    #[inline]
    pub(super) fn leave(&mut self, at: &mut Around<'_>, port: u32, wire_bytes: u32) -> SimTime {
        match self.kind {
            Kind::Tunnels(_) => self.pass_tunnel(at, (port, Way::Out), wire_bytes),
            Kind::Nothing | Kind::EastWest => at.now,
        }
    }

    /// A message comes in over a link; it is given back if it passes no gateway.
    pub(super) fn enter(&mut self, at: &mut Around<'_>, message: Message) -> Option<Message> {
        let leaves = match (&self.kind, &message.body) {
            (Kind::Tunnels(_), _) => {
                let port = at.topology.ways.ports(at.here).binary_search(&message.link);
                let port = port.expect("a message comes over a link of the cluster") as u32;
                self.pass_tunnel(at, (port, Way::In), message.wire_bytes)
            }
            (Kind::EastWest, Body::Request(request)) if message.to == at.here => {
                let Request { gateway_worker, address, .. } = *request;
                let takes = at.topology.passes.east_west().request(address);
                pass_east_west(at, gateway_worker, takes) + local_delay(at)
            }
            (Kind::Nothing | Kind::EastWest, _) => return Some(message),
        };
        let inside = self.inside.insert(message);
        at.schedule(leaves, Event::LeavesGateway(inside));
        None
    }

    /// A message has passed the gateway by which it came in.
    pub(super) fn take(&mut self, message: Handle<Message>) -> Message {
        self.inside.remove(message)
    }

    /// An answer goes to a client in another network.
    pub(super) fn answer(&mut self, at: &mut Around<'_>, response: Response) {
        let pass = at.topology.passes.east_west();
        let body = response.answer.body;
        let (takes, cpu) = (pass.response(response.address, body), pass.cpu(body));
        let reaches = local_delay(at);
        let (gateway, worker) = at.proxies.east_west(response.gateway_worker);
        at.proxies.use_cpu(gateway, cpu);
        at.recorder.gateway_used_cpu(at.now, cpu);
        let leaves = at.proxies.pass(gateway, worker, at.now + reaches, takes);
        if at.recorder.traces() {
            trace_passes(at, &response, at.now + reaches, (leaves, takes));
        }
        let answer = self.answers.insert(response);
        at.schedule(leaves, Event::AnswerLeavesGateway(answer));
    }

    /// An answer has passed its gateway.
    pub(super) fn take_answer(&mut self, answer: Handle<Response>) -> Response {
        self.answers.remove(answer)
    }

    /// The user requests that what has come in is for, if that is kept.
    pub(super) fn requests(&self) -> impl Iterator<Item = RequestId> {
        self.inside.handles().filter_map(|it| self.inside[it].request())
    }

    /// Whose work the answers in them are.
    pub(super) fn works(&self) -> impl Iterator<Item = WorkId> {
        self.answers.handles().map(|it| self.answers[it].work)
    }

    /// Memory that grows with the load (bytes).
    pub(super) fn bytes(&self) -> usize {
        self.inside.bytes() + self.answers.bytes()
    }

    #[cold]
    fn pass_tunnel(&mut self, at: &mut Around<'_>, (port, way): (u32, Way), wire_bytes: u32) -> SimTime {
        let Kind::Tunnels(tunnels) = &mut self.kind else { return at.now };
        let Passage { leaves, cpu } = tunnels[port as usize].pass(at.now, packets(wire_bytes));
        at.recorder.gateway_used_cpu(at.now, cpu.as_nanos() as f64);
        if let Some(exporters) = at.recorder.exporters() {
            exporters.tunnel_carries(port, way, wire_bytes);
        }
        leaves
    }
}

/// An answer reaches a gateway at a moment, and passes it.
#[cold]
fn trace_passes(
    at: &mut Around<'_>,
    response: &Response,
    reaches: SimTime,
    (leaves, takes): (SimTime, SimDuration),
) {
    let now = at.now;
    if let Some(mut lane) = at.recorder.tracer(response.work, response.address, Lane::Back) {
        lane.spends(now, Part::Way).spends(reaches, Part::ProxyQueue);
        lane.spends(earlier(leaves, takes), Part::Proxy);
    }
}

/// A request passes a worker of the east-west gateways: when it comes out.
fn pass_east_west(at: &mut Around<'_>, worker: u16, takes: SimDuration) -> SimTime {
    let (gateway, worker) = at.proxies.east_west(worker);
    at.proxies.pass(gateway, worker, at.now, takes)
}

/// The way between a gateway and a pod.
fn local_delay(at: &Around<'_>) -> SimDuration {
    at.topology.description.clusters[at.here].local_delay
}
