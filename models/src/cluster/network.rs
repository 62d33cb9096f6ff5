//! The door of a cluster: everything that one pod sends to another passes here.
//!
//! # Models
//! Within a cluster nothing queues: a request, an answer and a reset take the way's delay and their bytes'
//! time. What goes to another cluster enters the link that leads there, and the link's queue. An answer goes
//! round by round, as TCP allows: between clusters each round enters the link's queue when the one before it is
//! acknowledged. What passes through on its way elsewhere is put on the next link.
//!
//! # Assumptions
//! - A request enters the link's queue as a whole when it is sent, and its further rounds are time after that.
//! - Only a response's last round has the random part of the link's delay, and what a loss costs.
//! - What is told waits for the oldest that has not got through a cut link, as on one connection: up to two minutes after a long cut,
//!   where client-go closes a connection that has been silent for 45 s and lists anew.
//! - Within a cluster a server knows at once that its client has given up.
//!   A request that is under way then reaches its pod all the same.
//! - An answer between clusters whose last round has not left dies with its pod; what is under way does not.
//! - Acknowledgements are time, not bytes. Handshakes are bytes that no queue knows of (`telemetry/link_traffic`).
//!
//! # Source
//! `network/{path, link, tcp, retransmission}`, which decide.

use super::around::Around;
use super::crossing::{Crossing, Sending};
use super::event::Event;
use super::gateways::Gateways;
use super::handed::Handed;
use super::message::{Body, GivenUp, Message, Request, Reset, Response};
use super::news::{EndpointNews, News};
use crate::draws::Purpose;
use crate::ids::{ClusterId, PodId};
use crate::network::link::{Link, Transmission, jitter, serialization};
use crate::network::link_state::LinkState;
use crate::network::path::{REQUEST_HEADER, RESPONSE_HEADER, stream_bytes};
use crate::network::retransmission::{Fate, of_segment};
use crate::network::tcp::{Loss, further_rounds_of_request};
use crate::network::ways::NextHop;
use crate::sparse_table::SparseTable;
use crate::telemetry::link_traffic::LinkUse;
use crate::telemetry::trace::{Lane, Part, Rule};
use crate::telemetry::traffic_matrix::{Direction, Traffic};
use crate::telemetry::work::{RequestId, WorkId};
use crate::world::topology::Topology;
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimDuration, SimTime, Slab};

/// A TCP segment without data, with its headers (bytes).
const RESET_WIRE_BYTES: u32 = 52;

/// An EndpointSlice of some endpoints, as an API server sends it to those who watch it (bytes).
const ENDPOINT_UPDATE_BYTES: u32 = 1_500;

/// The network of a cluster, and the links that leave it.
#[derive(Clone, Debug)]
pub struct Network {
    /// By their ports (`network/ways`).
    links: Vec<Link>,
    /// When the last of what control planes tell another cluster arrives, by that and by [`stream_of`].
    streams: SparseTable<ClusterId, [SimTime; 3]>,
    gateways: Gateways,
    /// What crosses the cluster; the dispatcher takes out what has arrived.
    pub(super) crossings: Slab<Crossing>,
    sending: Slab<Sending>,
}

impl Network {
    /// Nothing is on its way, with room for so much.
    #[must_use]
    pub(super) fn new(here: ClusterId, topology: &Topology, room: usize) -> Self {
        Self {
            links: vec![Link::default(); topology.ways.ports(here).len()],
            streams: SparseTable::new(),
            gateways: Gateways::new(here, topology),
            crossings: Slab::with_capacity(room),
            sending: Slab::with_capacity(room),
        }
    }

    /// An attempt is sent to its pod.
    pub(super) fn carry_request(&mut self, at: &mut Around<'_>, request: &Request) {
        if at.topology.takes_datagrams(request.pod) {
            return self.carry_request_datagram(at, request);
        }
        let target = at.topology.pod_ids.cluster_of(request.pod);
        let body = at.topology.application().endpoints[request.endpoint].request_bytes;
        let stream = stream_bytes(REQUEST_HEADER, body, at.topology.encrypts());
        let path = at.topology.path(at.here, target, at.now);
        let segments = path.segments(stream);
        let wire_bytes = path.wire_bytes(stream, segments);
        let tcp = &at.topology.description.clusters[at.here].tcp;
        let rounds = further_rounds_of_request(segments, &path, tcp);
        let sent = Traffic::of_message(body, wire_bytes);
        if target == at.here {
            at.recorder.sent_here(at.now, request.flow, Direction::ToServer, sent);
            let takes = path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second) + rounds;
            if at.recorder.traces() {
                trace_crosses(at, (request.work, request.address, Lane::Client), at.now + rounds);
            }
            return self.cross(at, at.now + takes, Crossing::Request(*request));
        }
        at.recorder.crossed(at.now, request.work, (target, request.flow), Direction::ToServer, sent);
        let address = request.address;
        let lost = at.topology.loss((at.here, target), at.now, segments, address, Purpose::LossRequest);
        let late = rounds + lost.map_or(SimDuration::ZERO, |lost| lost.costs(&path));
        let message = Message::new(target, wire_bytes, Body::Request(*request));
        self.send_with(at, message, address, Purpose::LinkRequest, late);
    }

    /// A client has given up an attempt: its server is told, unless what swallows packets swallows this too.
    pub(super) fn carry_given_up(&mut self, at: &mut Around<'_>, gone: &GivenUp) -> Option<GivenUp> {
        let to = at.topology.pod_ids.cluster_of(gone.pod);
        if at.is_swallowing(gone.pod, at.now) || at.topology.is_cut(at.here, to, at.now) {
            return None;
        }
        if to == at.here {
            return Some(*gone);
        }
        let sent = Traffic::of_part(RESET_WIRE_BYTES);
        at.recorder.crossed(at.now, gone.work, (to, gone.flow), Direction::ToServer, sent);
        let message = Message::new(to, RESET_WIRE_BYTES, Body::GivenUp(*gone));
        // It follows its request on the same way.
        self.send(at, message, gone.address, Purpose::LinkRequest);
        None
    }

    /// The client of an attempt is to learn that its connection is lost.
    pub(super) fn carry_reset(&mut self, at: &mut Around<'_>, reset: &Reset) {
        if reset.client == at.here {
            let arrives = at.now + at.topology.path_within(at.here).one_way;
            return self.cross(at, arrives, Crossing::Reset(*reset));
        }
        let sent = Traffic::of_part(RESET_WIRE_BYTES);
        at.recorder.crossed(at.now, reset.work, (reset.client, reset.flow), Direction::ToClient, sent);
        let message = Message::new(reset.client, RESET_WIRE_BYTES, Body::Reset(*reset));
        self.send(at, message, reset.address, Purpose::LinkResponse);
    }

    /// An answer leaves its pod.
    pub(super) fn carry_response(&mut self, at: &mut Around<'_>, response: Response) {
        if at.topology.takes_datagrams(response.pod) {
            return self.carry_response_datagram(at, &response);
        }
        if response.client == at.here && !at.topology.swallows() {
            return self.cross_whole(at, response);
        }
        if self.gateways.end_connections() && response.client != at.here {
            return self.gateways.answer(at, response);
        }
        self.send_response(at, response);
    }

    /// An answer goes out round by round.
    fn send_response(&mut self, at: &mut Around<'_>, response: Response) {
        let mut sending = Sending { response, transfer: None };
        if let Some(goes_on) = self.send_round(at, &mut sending) {
            let sending = self.sending.insert(sending);
            at.schedule(goes_on, Event::RoundLeaves(sending));
        }
    }

    /// An answer within the cluster: nobody else queues on its way, so all rounds leave at once.
    fn cross_whole(&mut self, at: &mut Around<'_>, mut response: Response) {
        let path = at.topology.path_within(at.here);
        let stream = stream_bytes(RESPONSE_HEADER, response.answer.body, at.topology.encrypts());
        let segments = path.segments(stream);
        let tcp = at.topology.tcp_of(response.pod);
        let window = &mut response.window;
        let transfer = window.start(at.now, segments, None, &path, tcp);
        let last = at.now + path.round_trip * u64::from(transfer.further_rounds(window, &path));
        window.sent(last);
        if at.recorder.traces() {
            trace_crosses(at, (response.work, response.address, Lane::Back), last);
        }
        let wire_bytes = path.wire_bytes(stream, segments);
        let sent = Traffic::of_message(response.answer.body, wire_bytes);
        at.recorder.sent_here(at.now, response.flow, Direction::ToClient, sent);
        let arrives = last + path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second);
        self.cross(at, arrives, Crossing::Response(response));
    }

    /// The next round of an answer leaves.
    pub(super) fn round_leaves(&mut self, at: &mut Around<'_>, sending: Handle<Sending>) {
        // Its pod may have died.
        let Some(mut state) = self.sending.get(sending).copied() else { return };
        match self.send_round(at, &mut state) {
            Some(goes_on) => {
                self.sending[sending] = state;
                at.schedule(goes_on, Event::RoundLeaves(sending));
            }
            None => {
                self.sending.remove(sending);
            }
        }
    }

    /// The next round of an answer to another cluster, or of one that was swallowed, leaves if it gets through: tells when
    /// it goes on, unless that was all or it never gets through.
    fn send_round(&mut self, at: &mut Around<'_>, it: &mut Sending) -> Option<SimTime> {
        let Sending { response, transfer } = it;
        let passes = passes_at(at, response)?;
        if passes > at.now {
            if at.recorder.traces() {
                trace_round(at, response, (Rule::Swallowed(passes), Part::Stalled));
            }
            return Some(passes);
        }
        if response.client == at.here {
            self.cross_whole(at, *response);
            return None;
        }
        let path = at.topology.path(at.here, response.client, at.now);
        let stream = stream_bytes(RESPONSE_HEADER, response.answer.body, at.topology.encrypts());
        let all = path.segments(stream);
        let tcp = at.topology.tcp_of(response.pod);
        let ends = (response.client, response.flow);
        let mut rest = match *transfer {
            Some(rest) => rest,
            None => {
                let lost = lost_of(at, response, all);
                let before = response.window.segments();
                let transfer = response.window.start(at.now, all, lost, &path, tcp);
                if at.recorder.traces() {
                    let window = transfer.round;
                    let rule = Rule::Window { window, segments: all, decayed: before > window };
                    trace_round(at, response, (rule, Part::Rounds));
                }
                transfer
            }
        };
        let segments = rest.next_round(&response.window, &path);
        response.window.sent(at.now);
        if rest.remaining > 0 {
            if at.recorder.traces() {
                let rule = Rule::Round { segments, remaining: rest.remaining };
                trace_round(at, response, (rule, Part::Rounds));
            }
            *transfer = Some(rest);
            let wire_bytes = path.wire_bytes(segments * path.segment_bytes(), segments);
            at.recorder.work_done(at.now, response.work, |work| work.rounds += 1);
            let part = Traffic::of_part(wire_bytes);
            at.recorder.crossed(at.now, response.work, ends, Direction::ToClient, part);
            let (_, _, sent) = self.transmit(at, response.client, wire_bytes, LinkUse::Call);
            return Some(sent.begins + path.round_trip);
        }
        let last = stream - (all - segments) * path.segment_bytes();
        let wire_bytes = path.wire_bytes(last, segments);
        let sent = Traffic::of_message(response.answer.body, wire_bytes);
        at.recorder.crossed(at.now, response.work, ends, Direction::ToClient, sent);
        let mut late = SimDuration::ZERO;
        if let Some(lost) = lost_of(at, response, all) {
            response.window.lose(tcp);
            late = lost.costs(&path);
        }
        let message = Message::new(response.client, wire_bytes, Body::Response(*response));
        self.send_with(at, message, response.address, Purpose::LinkResponse, late);
        None
    }

    /// A pod dies: the clients of the answers that it was sending learn that their connections are lost.
    pub(super) fn pod_dies(&mut self, at: &mut Around<'_>, pod: PodId) {
        for sending in self.sending.handles().collect::<Vec<_>>() {
            let response = self.sending[sending].response;
            if response.pod == pod {
                self.sending.remove(sending);
                at.hand(Handed::Reset(response.reset()));
            }
        }
    }

    /// How many answers a pod is sending.
    #[must_use]
    pub fn sending_of(&self, pod: PodId) -> u32 {
        self.sending.handles().filter(|&it| self.sending[it].response.pod == pod).count() as u32
    }

    /// Sends a message of a call that begins or ends here: it goes onto the first link of its way at once.
    fn send(&mut self, at: &mut Around<'_>, message: Message, address: Address, purpose: Purpose) {
        self.send_with(at, message, address, purpose, SimDuration::ZERO);
    }

    /// The same of a message that has arrived so much later, because a part of it was lost.
    pub(super) fn send_with(
        &mut self,
        at: &mut Around<'_>,
        message: Message,
        address: Address,
        purpose: Purpose,
        late: SimDuration,
    ) {
        self.send_for(at, message, (address, purpose), late, LinkUse::Call);
    }

    fn send_for(
        &mut self,
        at: &mut Around<'_>,
        mut message: Message,
        (address, purpose): (Address, Purpose),
        late: SimDuration,
        what: LinkUse,
    ) {
        let (route, state, sent) = self.transmit(at, message.to, message.wire_bytes, what);
        let mut arrives = sent.ends + state.delay + jitter(state.jitter, address, purpose) + late;
        if at.recorder.traces() && what == LinkUse::Call {
            trace_leaves(at, &message.body, (sent, late));
        }
        // Requests and answers over a link that is cut are not sent at all.
        if !at.topology.links.are_always_up() && !matches!(message.body, Body::Request(_) | Body::Response(_))
        {
            let leaves = at.topology.told_at(at.here, message.to, at.now);
            arrives = arrives.saturating_add(leaves - at.now);
        }
        if let Some(stream) = stream_of(&message.body, at.topology.links.are_always_up()) {
            let last = &mut self.streams.or_default(message.to)[stream];
            arrives = arrives.max(*last);
            *last = arrives;
        }
        message.link = route.link;
        at.scheduler.send(route.next.entity(), arrives, message);
    }

    /// An API server tells those of another cluster who watch it, or of all others.
    pub(super) fn tell(&mut self, at: &mut Around<'_>, news: News, to: Option<ClusterId>) {
        match to {
            None => self.tell_others(at, Body::News(news)),
            Some(to) => self.push(at, to, Body::News(news), ENDPOINT_UPDATE_BYTES),
        }
    }

    /// A control plane sends something to another cluster, if there is a way.
    pub(super) fn push(&mut self, at: &mut Around<'_>, to: ClusterId, body: Body, wire_bytes: u32) {
        if to == at.here || at.topology.route(at.here, to).is_none() {
            return;
        }
        let address = address_of(at, &body, to);
        let draw = (address, Purpose::LinkControl);
        self.send_for(at, Message::new(to, wire_bytes, body), draw, SimDuration::ZERO, LinkUse::Control);
    }

    /// A control plane tells all other clusters that there is a way to.
    pub(super) fn tell_others(&mut self, at: &mut Around<'_>, body: Body) {
        for to in at.topology.description.clusters.ids() {
            self.push(at, to, body, ENDPOINT_UPDATE_BYTES);
        }
    }

    /// Whether what comes from other clusters passes a gateway first.
    #[inline]
    pub(super) fn has_gateways(&self) -> bool {
        self.gateways.are_there()
    }

    /// A message comes from another cluster to the gateway here; it is given back if it passes none.
    pub(super) fn enter_gateway(&mut self, at: &mut Around<'_>, message: Message) -> Option<Message> {
        self.gateways.enter(at, message)
    }

    /// An answer to another cluster has passed the gateway here.
    pub(super) fn answer_leaves_gateway(&mut self, at: &mut Around<'_>, answer: Handle<Response>) {
        let response = self.gateways.take_answer(answer);
        self.send_response(at, response);
    }

    /// A message has passed the gateway.
    pub(super) fn leave_gateway(&mut self, message: Handle<Message>) -> Message {
        self.gateways.take(message)
    }

    /// The user requests for which something is in a gateway, if that is kept.
    pub fn requests_in_gateways(&self) -> impl Iterator<Item = RequestId> {
        self.gateways.requests()
    }

    /// A message on its way to another cluster passes through this one.
    pub(super) fn forward(&mut self, at: &mut Around<'_>, message: Message) {
        let (what, address, purpose) = match &message.body {
            Body::Request(request) => (LinkUse::Passing, request.address, Purpose::TransitRequest),
            Body::GivenUp(gone) => (LinkUse::Passing, gone.address, Purpose::TransitRequest),
            Body::Response(response) => (LinkUse::Passing, response.address, Purpose::TransitResponse),
            Body::Reset(reset) => (LinkUse::Passing, reset.address, Purpose::TransitResponse),
            Body::News(_)
            | Body::Push(_)
            | Body::Shadow { .. }
            | Body::Telemetry
            | Body::Offloading(_)
            | Body::PodEnded { .. } => {
                (LinkUse::Control, address_of(at, &message.body, message.to), Purpose::LinkControl)
            }
        };
        let draw = (address.child(u64::from(at.here.0)), purpose);
        self.send_for(at, message, draw, SimDuration::ZERO, what);
    }

    /// Whose work what crosses the cluster is, or is being sent.
    pub fn works(&self) -> impl Iterator<Item = WorkId> {
        let crossing = |it: &Crossing| match it {
            Crossing::Request(request) => request.work,
            Crossing::Response(response) => response.work,
            Crossing::Reset(reset) => reset.work,
        };
        let crossings = self.crossings.handles().map(move |it| crossing(&self.crossings[it]));
        let sent = self.sending.handles().map(|it| self.sending[it].response.work);
        crossings.chain(sent).chain(self.gateways.works())
    }

    /// The links that leave the cluster, by their ports.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Memory that grows with the load (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.crossings.bytes() + self.sending.bytes() + self.gateways.bytes()
    }

    #[inline(always)]
    pub(super) fn cross(&mut self, at: &mut Around<'_>, arrives: SimTime, what: Crossing) {
        let crossing = self.crossings.insert(what);
        at.schedule(arrives, Event::Arrives(crossing));
    }

    /// Puts bytes on the first link of the way to another cluster, through a gateway where there is one: which link that
    /// is, and what it is like now.
    pub(super) fn transmit(
        &mut self,
        at: &mut Around<'_>,
        to: ClusterId,
        wire_bytes: u32,
        what: LinkUse,
    ) -> (NextHop, LinkState, Transmission) {
        let route = at.topology.route(at.here, to).expect("a way to whoever calls or is called");
        let state = at.topology.links.at(route.link, route.next, at.now);
        at.recorder.link_entered(at.now, route.port, what, wire_bytes);
        let ready = self.gateways.leave(at, route.port, wire_bytes);
        let link = &mut self.links[route.port as usize];
        (route, state, link.transmit(ready, wire_bytes, state.bits_per_second))
    }
}

/// A message crosses the cluster after TCP's rounds, of which the last leaves then.
#[cold]
fn trace_crosses(at: &mut Around<'_>, (work, address, lane): (WorkId, Address, Lane), last: SimTime) {
    let now = at.now;
    if let Some(mut lane) = at.recorder.tracer(work, address, lane) {
        lane.spends(now, Part::Rounds).spends(last, Part::Way);
    }
}

/// An answer does not leave as a whole.
#[cold]
fn trace_round(at: &mut Around<'_>, response: &Response, (rule, part): (Rule, Part)) {
    let now = at.now;
    if let Some(mut lane) = at.recorder.tracer(response.work, response.address, Lane::Back) {
        lane.applies(now, rule).spends(now, part);
    }
}

/// A message of a call enters a link, and arrives later by so much.
#[cold]
fn trace_leaves(at: &mut Around<'_>, body: &Body, (sent, late): (Transmission, SimDuration)) {
    let (work, address, lane) = match body {
        Body::Request(it) => (it.work, it.address, Lane::Client),
        Body::Response(it) => (it.work, it.address, Lane::Back),
        _ => return,
    };
    let now = at.now;
    let Some(mut lane) = at.recorder.tracer(work, address, lane) else { return };
    if late > SimDuration::ZERO {
        lane.applies(now, Rule::Late(late));
    }
    lane.spends(now, Part::Rounds).spends(now + late, Part::LinkQueue);
    lane.spends(sent.begins + late, Part::Transmission).spends(sent.ends + late, Part::Way);
}

/// Which of a control plane's streams to another cluster a message is of: each is a connection, on which nothing overtakes
/// what was sent before it. Where no link is ever cut, what is told and pushed has only a link's jitter to overtake by.
const fn stream_of(body: &Body, links_are_up: bool) -> Option<usize> {
    match body {
        Body::Shadow { .. } => Some(0),
        Body::News(_) if !links_are_up => Some(1),
        Body::Push(_) if !links_are_up => Some(2),
        _ => None,
    }
}

/// The address of the draws of what a control plane sends. A fault that is told shifts nobody else's.
fn address_of(at: &mut Around<'_>, body: &Body, to: ClusterId) -> Address {
    match *body {
        Body::News(News::Endpoint { pod, what: EndpointNews::Ready | EndpointNews::Unready }) => {
            at.topology.draws_of_pod(pod, at.now.as_nanos()).child(u64::from(to.0))
        }
        _ => at.next_draw(),
    }
}

/// When what a pod has to send of an answer gets through; nothing if never.
#[inline]
fn passes_at(at: &Around<'_>, response: &Response) -> Option<SimTime> {
    if !at.topology.swallows() {
        return Some(at.now);
    }
    let path = at.topology.path(at.here, response.client, at.now);
    let is_lost =
        |sent| at.is_swallowing(response.pod, sent) || at.topology.is_cut(at.here, response.client, sent);
    match of_segment(at.now, &path, is_lost) {
        Fate::Passes(passes) => Some(passes),
        Fate::Lost(_) => None,
    }
}

/// The segment that an answer loses on its way, if it loses one of so many.
fn lost_of(at: &Around<'_>, response: &Response, segments: u32) -> Option<Loss> {
    let ends = (at.here, response.client);
    at.topology.loss(ends, at.now, segments, response.address, Purpose::LossResponse)
}
