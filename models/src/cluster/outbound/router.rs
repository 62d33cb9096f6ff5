//! The client's side of a call: route, attempts, answer.
//!
//! # Models
//! The client is a proxy (gateway or sidecar), or without a mesh the calling cell itself. A proxy
//! finds the request's route, injects faults, chooses an endpoint (`choose_host`) and a connection
//! (`connect`), sends, waits, and tries again or gives up. An attempt whose endpoint is in another
//! cluster is a crossing, into a cluster that was on the way already also a return.
//! A request whose client has given up goes on where it is: what it asked for is still done.
//!
//! # Assumptions
//! - A request that is reset has sent no bytes.
//! - A response whose client has given up still crosses the link between clusters, but not within.
//! - An answer that a proxy gives itself costs no time on its worker.
//! - A time-out per try runs until the whole answer is there, where Envoy's ends at its headers.
//!
//! # Source
//! Envoy `router.cc`; the rules are cited where they are kept, in `envoy/*` and `kube_proxy`.

use super::Outbound;
use super::exported::{pod_counts, proxy_counts, time_in_proxy};
use super::hop::{AttemptPhase, Caller, Client, Hop, NewRequest, Origin};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::{Answered, Handed};
use crate::cluster::message::Response;
use crate::draws::{Purpose, call_address, draw};
use crate::envoy::retry::AttemptOutcome;
use crate::envoy::route::Route;
use crate::ids::{ClusterId, EndpointId, ProxyId, ServiceId, UpstreamId};
use crate::request::answer::{LOCAL_REPLY_BODY, Status};
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use crate::telemetry::scrapes;
use crate::telemetry::trace::{Part, Rule};
use crate::world::description::DataPlane;
use meshsim_core::random::{Address, bernoulli, uniform, uniform_index};
use meshsim_core::{Handle, Id, SimDuration, SimTime};

/// The group number of a mirrored request's address: no call graph has so many groups.
const MIRRORED: u16 = u16::MAX;

impl Outbound {
    /// Somebody makes a request: its client begins. Whoever calls this knows who it is.
    #[inline(always)]
    pub(crate) fn begins(&mut self, at: &mut Around<'_>, new: &NewRequest) {
        match (new.origin, new.caller) {
            (Origin::User { population, user, .. }, _) => {
                // A user's connection ends in one worker of one gateway.
                let proxy = ProxyId(user % u32::from(at.proxies.gateways()));
                let workers = usize::from(at.proxies[proxy].workers());
                let of_user = at.topology.draws.of_user(population, user);
                let worker = uniform_index(&mut draw(of_user, Purpose::AcceptingWorker), workers);
                let hop = self.hops.insert(Hop::new(new, Client::proxy(proxy, worker as u16), at.now));
                if at.recorder.traces() {
                    self.trace_begins(at, hop, Part::Access);
                }
                at.recorder.hop_begins(hop.slot(), new.reaches_proxy);
                if let Some(timeout) = at.topology.description.populations[population.index()].timeout {
                    self.user_waits(at, hop, population, timeout);
                }
                if new.reaches_proxy == at.now {
                    self.proxy_receives(at, hop);
                } else {
                    at.schedule(new.reaches_proxy, Event::ReachesProxy(hop));
                }
            }
            (_, Some(caller)) => self.cell_begins(at, new, caller),
            (_, None) => unreachable!("a user or a cell makes a request"),
        }
    }

    /// A cell makes a call.
    #[inline]
    fn cell_begins(&mut self, at: &mut Around<'_>, new: &NewRequest, caller: Caller) {
        let mesh = &at.topology.description.mesh;
        let worker = caller.cell_worker % mesh.concurrency;
        let is_datagram = at.topology.is_datagram(at.topology.service_of(new.endpoint));
        let proxy = match mesh.data_plane {
            _ if is_datagram => None,
            DataPlane::Sidecar if at.topology.has_sidecar(caller.pod) => {
                Some(at.proxies.sidecar(at.pods.slot_of(caller.pod)))
            }
            DataPlane::Ambient => at.proxies.waypoint(at.topology.service_of(new.endpoint)),
            DataPlane::Sidecar | DataPlane::None => None,
        };
        let client = proxy.map_or(Client::Cell, |proxy| Client::proxy(proxy, worker));
        let hop = self.hops.insert(Hop::new(new, client, at.now));
        let way = proxy.map_or(SimDuration::ZERO, |proxy| at.proxies[proxy].to_caller);
        at.recorder.hop_begins(hop.slot(), new.reaches_proxy + way);
        if let Some(timeout) = at.topology.description.cell.client_timeout {
            self.cell_waits(at, hop, timeout);
        }
        if is_datagram {
            return self.send_datagram(at, hop);
        }
        if at.topology.limits_clients() && !self.takes_pooled(at, hop, caller) {
            if at.recorder.traces() {
                self.trace_begins(at, hop, Part::ClientPool);
            }
            return;
        }
        self.leaves_cell(at, hop, caller, new.reaches_proxy);
    }

    /// A call leaves its cell at `leaves`.
    #[inline(always)]
    pub(super) fn leaves_cell(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        caller: Caller,
        leaves: SimTime,
    ) {
        let Hop { client, address, endpoint, .. } = self.hops[hop];
        if at.recorder.traces() {
            self.trace_begins(at, hop, Part::ClientPool);
        }
        match (at.topology.description.mesh.data_plane, client) {
            (DataPlane::Ambient, _) => self.enter_node(at, hop, caller),
            (_, Client::Cell) => self.call_from_cell(at, hop, caller),
            (_, Client::Proxy { proxy: sidecar, worker, .. }) => {
                let (pass, loopback) = at.pass_to(sidecar, at.topology.service_of(endpoint));
                let takes = pass.request(address);
                let out = at.proxies.pass(sidecar, u16::from(worker), leaves + loopback, takes);
                if at.recorder.traces() {
                    self.trace_passes(at, hop, leaves + loopback, (out, takes), Part::Proxy);
                }
                at.schedule(out, Event::Routes(hop));
            }
        }
    }

    /// A gateway takes a user's request in, or a waypoint a call.
    #[inline(always)]
    pub(crate) fn proxy_receives(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        // The calling pod may have died.
        let Some(state) = self.hops.get(hop) else { return };
        let Client::Proxy { proxy, worker, .. } = state.client else { return };
        let takes = at.pass_to(proxy, at.topology.service_of(state.endpoint)).0.request(state.address);
        let out = at.proxies.pass(proxy, u16::from(worker), at.now, takes);
        if at.recorder.traces() {
            self.trace_passes(at, hop, at.now, (out, takes), Part::Proxy);
        }
        at.schedule(out, Event::Routes(hop));
    }

    /// A client's proxy has a request ready: it looks for its route.
    pub(crate) fn route(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        // Its proxy may have died meanwhile.
        let Some(state) = self.hops.get_mut(hop) else { return };
        let upstreams = &at.topology.upstreams;
        let Client::Proxy { proxy, upstream: chosen, .. } = &mut state.client else {
            unreachable!("a cell has no routes")
        };
        let (proxy, access) = (*proxy, &at.topology.access);
        if access.denies() && at.proxies[proxy].is_waypoint() && is_denied(at, state.caller, state.endpoint) {
            return self.answer_itself(at, hop, Status::AccessDenied);
        }
        let configuration = at.proxies[proxy].configuration;
        let route = match state.origin {
            Origin::User { population, .. } => {
                upstreams.route_of_users(configuration, population, state.endpoint)
            }
            Origin::Call { .. } | Origin::Mirror | Origin::Gone => {
                upstreams.plain_route(configuration, state.endpoint)
            }
        };
        let Some(route) = route else { return self.answer_itself(at, hop, Status::NoRoute) };
        state.route = route;
        let route = upstreams.route(route);
        if let Some(upstream) = route.plain {
            *chosen = upstream.0 as u16;
            return self.attempt_now(at, hop);
        }
        match route.fault.delay_of(state.address) {
            Some(delay) => {
                if at.recorder.traces() {
                    self.trace_rule(at, hop, Rule::FaultDelay(delay), Some(Part::InjectedDelay));
                }
                at.schedule(at.now + delay, Event::FollowsRoute(hop));
            }
            None => self.follow_route(at, hop),
        }
    }

    /// A request goes where its route says.
    pub(crate) fn follow_route(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        // Its client may have died while it was held up.
        if !self.hops.contains(hop) {
            return;
        }
        let mut state = self.hops[hop];
        let route = route_of(at, &state);
        if let Some(status) = route.fault.abort_of(state.address) {
            return self.answer_itself(at, hop, Status::FaultInjected(status));
        }
        if let Some(status) = route.redirect {
            return self.answer_itself(at, hop, Status::Redirected(status));
        }
        if let Some(endpoint) = route.rewritten(state.endpoint) {
            self.hops[hop].endpoint = endpoint;
            state.endpoint = endpoint;
        }
        let drawn = || uniform(&mut draw(state.address, Purpose::TrafficSplit));
        let Some(upstream) = route.destination(drawn) else {
            return self.answer_itself(at, hop, Status::NoCluster);
        };
        self.set_upstream(hop, upstream);
        if at.recorder.traces() {
            self.trace_route(at, hop, route, upstream);
        }
        if let Some(timeout) = route.timeout {
            self.set_deadline(at, hop, route.number, timeout, 0);
        }
        if let Some((mirror, percent)) = route.mirror
            && bernoulli(&mut draw(state.address, Purpose::Mirror), percent / 100.0)
        {
            self.send_copy(at, &state, mirror);
        }
        self.attempt(at, hop);
    }

    /// An attempt begins: a proxy chooses an endpoint for a request and gives it a connection.
    pub(crate) fn attempt(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.attempt_now(at, hop);
    }

    /// The same, in the midst of what comes before a first attempt.
    #[inline(always)]
    fn attempt_now(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        // It may have timed out in its back-off.
        let Some(state) = self.hops.get(hop) else { return };
        let Client::Proxy { proxy, worker, .. } = state.client else { return };
        let worker = u16::from(worker);
        if state.phase == AttemptPhase::Answered {
            return;
        }
        if let Some(caller) = state.waiting_caller()
            && self.is_tcp(at, state)
        {
            return self.attempt_over_tcp(at, hop, caller, proxy, worker);
        }
        let Some(pool) = self.choose_endpoint(at, hop, proxy, worker) else {
            return self.answer_itself(at, hop, Status::NoHealthyUpstream);
        };
        self.take_connection(at, hop, pool);
    }

    /// The answer of a pod of this or another cluster reaches the client.
    pub(crate) fn response_arrives(&mut self, at: &mut Around<'_>, response: &Response) {
        let hop = response.hop;
        if !self.is_awaited(hop, response.address) {
            return;
        }
        if at.topology.takes_datagrams(response.pod) {
            return self.datagram_arrives(at, response);
        }
        if at.topology.swallows() && self.answer_is_swallowed(at, response) {
            return;
        }
        let state = &mut self.hops[hop];
        state.answer = response.answer;
        let &mut Hop { client, pod, routed, address, holds_retry, .. } = state;
        if at.topology.pod_ids.cluster_of(pod) != at.here {
            let waited = at.now - routed;
            at.recorder.crossing_answered(at.now, waited.saturating_sub(response.took));
        }
        self.attempt_is_answered(at, hop, response);
        let Client::Proxy { proxy, worker, .. } = client else {
            self.hops[hop].phase = AttemptPhase::Answered;
            if at.topology.is_ambient() {
                return self.answer_reaches_node(at, hop);
            }
            if at.recorder.traces() {
                self.trace_ends(at, hop, at.now);
            }
            return self.completes(at, hop);
        };
        let body = response.answer.body;
        let (pass, to_caller) = at.pass_to(proxy, at.topology.pod_ids.service_of(pod));
        let takes = pass.response(address, body);
        let out = at.pass_with_answer(proxy, u16::from(worker), at.now, takes, pass.cpu(body));
        if at.recorder.traces() {
            self.trace_passes(at, hop, at.now, (out, takes), Part::Loopback);
            self.trace_ends(at, hop, out + to_caller);
        }
        // Most answers are good ones to a first attempt.
        let settled = response.answer.is_ok() && !holds_retry;
        if settled || !self.try_again(at, hop, AttemptOutcome::Answered(response.answer.status.code()), out) {
            self.hops[hop].phase = AttemptPhase::Answered;
            let by_waypoint = at.proxies[proxy].is_waypoint();
            let event = if by_waypoint { Event::AnswerReachesNode(hop) } else { Event::HopCompletes(hop) };
            at.schedule(out + to_caller, event);
        }
    }

    /// The client's proxy, or its own library, answers in place of the upstream.
    pub(in crate::cluster) fn answer_itself(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        status: Status,
    ) {
        let state = &mut self.hops[hop];
        (state.answer.status, state.answer.body) = (status, status.local_body());
        state.phase = AttemptPhase::Answered;
        let wait = match state.client {
            Client::Proxy { proxy, .. } => at.proxies[proxy].to_caller,
            Client::Cell => SimDuration::ZERO,
        };
        charge_attempt(at, state);
        // Envoy counts what it answers itself for the cluster that it has chosen.
        if let Client::Proxy { proxy, upstream, .. } = state.client
            && upstream != u16::MAX
        {
            let called = at.spec(proxy, state.upstream()).service;
            at.proxy_counts(proxy, Some(called), Happens::Answer(status.code()));
        }
        if at.recorder.traces() {
            self.trace_rule(at, hop, Rule::LocalReply(status), Some(Part::Loopback));
            self.trace_ends(at, hop, at.now + wait);
        }
        at.schedule(at.now + wait, Event::HopCompletes(hop));
    }

    /// A request is over for its client: who learns of it, unless nobody does.
    #[must_use]
    #[inline(always)]
    pub(crate) fn hop_completes(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) -> Option<Answered> {
        let state = self.hops.get(hop)?;
        if state.holds_retry {
            self.return_retry(hop);
        }
        let state = self.hops.remove(hop);
        if state.pooled {
            self.gives_back_pooled(at, &state);
        }
        if !matches!(state.origin, Origin::Gone) {
            client_is_done(at, hop, &state, state.answer.is_ok().then_some(state.answer.body));
        }
        let is_awaited = matches!(state.origin, Origin::User { .. } | Origin::Call { .. });
        is_awaited.then_some(Answered { origin: state.origin, answer: state.answer })
    }

    /// A request is over, in the midst of something else.
    pub(in crate::cluster) fn completes(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if let Some(answered) = self.hop_completes(at, hop) {
            at.hand(Handed::Answered(answered));
        }
    }

    /// Whether a client still waits for what came of the attempt at `address`.
    pub(super) fn is_awaited(&self, hop: Handle<Hop>, address: Address) -> bool {
        let is_of_attempt =
            |state: &Hop| state.phase == AttemptPhase::Sent && state.attempt_address() == address;
        self.hops.get(hop).is_some_and(is_of_attempt)
    }

    fn set_upstream(&mut self, hop: Handle<Hop>, upstream: UpstreamId) {
        if let Client::Proxy { upstream: chosen, .. } = &mut self.hops[hop].client {
            *chosen = upstream.0 as u16;
        }
    }

    fn send_copy(&mut self, at: &mut Around<'_>, original: &Hop, mirror: UpstreamId) {
        let service = at.topology.upstreams.spec(false, mirror).service;
        let endpoint = at.topology.application().counterpart(original.endpoint, service);
        let new = NewRequest {
            origin: Origin::Mirror,
            work: original.work,
            caller: original.caller,
            address: call_address(original.address, MIRRORED, 0, 0),
            endpoint,
            path: ClusterPath::default().then(at.here),
            reaches_proxy: at.now,
        };
        let copy = self.hops.insert(Hop::new(&new, original.client, at.now));
        at.recorder.hop_begins(copy.slot(), at.now);
        self.hops[copy].route = at.topology.upstreams.first_route(at.proxies.configuration(), service);
        self.set_upstream(copy, mirror);
        if at.recorder.traces() {
            self.trace_copy(at, original, copy);
        }
        self.attempt(at, copy);
    }
}

/// Whether policies deny what a waypoint is asked for, which counts it.
#[cold]
fn is_denied(at: &mut Around<'_>, caller: Option<Caller>, endpoint: EndpointId) -> bool {
    let caller = caller.map(|caller| at.topology.pod_ids.service_of(caller.pod));
    let allows = at.topology.access.allows(caller, endpoint);
    if !allows {
        at.recorder.counted(at.now, at.topology.service_of(endpoint), Counter::Denied);
    }
    !allows
}

/// What an attempt costs a proxy that has no answer for it.
pub(super) fn charge_attempt(at: &mut Around<'_>, hop: &Hop) {
    if let Client::Proxy { proxy, .. } = hop.client {
        let cpu = at.pass_to(proxy, at.topology.service_of(hop.endpoint)).0.cpu(LOCAL_REPLY_BODY);
        at.charge_proxy(proxy, cpu);
    }
}

/// The client of a hop has its answer, of this body if it is a good one, or its caller has given up.
#[inline(always)]
pub(super) fn client_is_done(at: &mut Around<'_>, handle: Handle<Hop>, hop: &Hop, body: Option<u32>) {
    let (service, took) = (at.topology.service_of(hop.endpoint), at.now - hop.routed);
    at.recorder.client_answered(service, body.is_some(), took);
    if !at.recorder.counts_calls() {
        return;
    }
    let took_proxy = time_in_proxy(at, handle, hop);
    if at.recorder.exporters().is_some() {
        pod_counts(at, hop, body);
        proxy_counts(at, hop, took_proxy);
    }
    if hop.attempts > 0 {
        let server = at.topology.pod_ids.cluster_of(hop.pod);
        let flow = at.flow(hop.caller.map(|caller| caller.pod), hop.pod);
        at.recorder.call_ended(server, flow, body, took);
        if at.recorder.counts_clients() {
            let client = scraped_client(at, hop, service, server);
            at.recorder.client_call_ended(client, body, took_proxy);
        }
    }
}

/// Whose counters those of a hop are.
#[cold]
fn scraped_client(at: &Around<'_>, hop: &Hop, called: ServiceId, server: ClusterId) -> scrapes::Client {
    let pod = hop.caller.map(|caller| caller.pod);
    let instance = match (pod, hop.client) {
        (Some(pod), _) => at.pods[at.pods.slot_of(pod)].generation,
        (None, Client::Proxy { proxy, .. }) => proxy.0,
        (None, Client::Cell) => 0,
    };
    scrapes::Client { pod, instance, called, server }
}

/// The route that a hop takes.
pub(super) fn route_of<'a>(at: &Around<'a>, hop: &Hop) -> &'a Route {
    at.topology.upstreams.route(hop.route)
}
