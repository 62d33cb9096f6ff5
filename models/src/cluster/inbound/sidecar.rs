//! What stands before an application, in and out: its sidecar with its own connections and limits, its node's ztunnel,
//! or nothing.
//!
//! # Models
//! The `connectionPool` of a service's DestinationRule holds twice: at every client (`outbound/connect`), and at
//! the inbound cluster of the sidecar of every pod that serves it, which counts what all clients together
//! have under way to this pod. The limits, idle time-outs and ages are the same, and so is the code
//! (`cluster/pooling`); pools are one per worker of the sidecar, limits are shared by them. Outlier detection,
//! balancing and subsets' policies do not hold there. What is not passed on is in `refusal`.
//!
//! # Assumptions
//! - A connection to the own application takes no time to be made. It is free when the application has
//!   written its answer, and a request that waits takes it at once; in Envoy that takes the way over the
//!   loopback twice. Effect: 0.1 ms per request that has to wait.
//! - In ambient mode the waypoint is the client, and a ztunnel has no limits.
//!
//! # Source
//! Istio `cluster_builder.go`, `buildInboundCluster` ("they need to be set on the receiver end (server
//! side) as well as client side"), `cluster_traffic_policy.go`, `applyTrafficPolicy` (tags 1.14.0 to
//! 1.26.0 and later).

use super::Inbound;
use super::call::{Call, ServerConnection};
use super::cell::accepting_worker;
use super::exported::server_counts;
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::{Request, Response};
use crate::cluster::pods::Before;
use crate::cluster::pooling::Pooling;
use crate::envoy::circuit_breaker::{CircuitBreaker, Resource};
use crate::envoy::connection_pool::{ConnectionPools, Left, Taken};
use crate::envoy::idle_timeout::DEFAULT_IDLE_TIMEOUT;
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{BreakerId, PoolId};
use crate::network::tcp::Window;
use crate::request::answer::{Answer, Status};
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use crate::telemetry::trace::Part;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

impl Inbound {
    /// A request arrives, wherever it comes from.
    pub(crate) fn request_arrives(&mut self, at: &mut Around<'_>, request: &Request) {
        let &Request { client, hop, flow, address, work, pod, server_worker, .. } = request;
        let slot = at.pods.slot_of(pod);
        let is_datagram = at.topology.takes_datagrams(pod);
        // Who sends a datagram does not know whether its node is there.
        if is_datagram && (at.is_down(pod, slot) || at.is_swallowing(pod, at.now)) {
            return;
        }
        if at.is_down(pod, slot) {
            return at.hand(Handed::Reset(request.reset()));
        }
        if at.topology.access.guards() && self.is_reset(at, request) {
            return;
        }
        let call = self.calls.insert(Call {
            client,
            hop,
            flow,
            work,
            address,
            endpoint: request.endpoint,
            pod,
            slot: slot as u32,
            path: request.path.then(at.here),
            server_worker,
            gateway_worker: request.gateway_worker,
            cell_worker: server_worker,
            open_groups: 0,
            connection: None,
            retries: 0,
            holds_retry: false,
            speed: 1.0,
            answer: Answer::pending(),
            window: request.window,
            arrived: at.now,
            closes_at: SimTime::MAX,
            next_in_queue: None,
        });
        match at.pods.before(slot) {
            Before::Sidecar => {
                let takes = at.pass_in(flow, slot).request(address);
                let out = at.proxies.pass(at.proxies.sidecar(slot), server_worker, at.now, takes);
                if at.recorder.traces() {
                    self.trace_arrives(at, call, (out, takes), at.topology.description.mesh.loopback);
                }
                at.schedule(out + at.topology.description.mesh.loopback, Event::CellReceives(call));
            }
            Before::Ztunnel => {
                let takes = at.topology.passes.ztunnel_in.request(address);
                let out = at.pass_ztunnel(pod, server_worker, takes);
                if at.recorder.traces() {
                    self.trace_arrives(at, call, (out, takes), SimDuration::ZERO);
                }
                at.schedule(out, Event::CellReceives(call));
            }
            Before::Nothing => {
                if at.recorder.traces() {
                    self.trace_arrives(at, call, (at.now, SimDuration::ZERO), SimDuration::ZERO);
                }
                self.cell_receives(at, call);
            }
        }
    }

    /// A request has passed what stands before its pod.
    #[inline(always)]
    pub(crate) fn cell_receives(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let Some(state) = self.calls.get(call) else { return };
        let slot = state.slot();
        if at.pods.before(slot) == Before::Sidecar {
            return self.enter_by_sidecar(at, call);
        }
        if !at.pods.accepts(slot, at.now) {
            // The connection is refused.
            let state = self.calls.remove(call);
            if at.topology.takes_datagrams(state.pod) {
                return;
            }
            return at.hand(Handed::Reset(state.reset()));
        }
        self.enter_cell(at, call);
    }

    /// A request has passed the sidecar of its pod and needs a connection to the application.
    pub(super) fn enter_by_sidecar(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        if at.topology.access.denies() && self.is_denied(at, call) {
            return;
        }
        let state = &self.calls[call];
        let pool = pool_of(at, state);
        if inbound_of(at, state.slot()).protocol == Protocol::Tcp {
            return self.enter_over_tcp(at, call, pool);
        }
        let (sent, loopback) = sent_by_sidecar(at);
        match self.pools.take(pool, call, sent, |_| loopback) {
            Taken::Sent(connection) => {
                if !self.dispatch(at, call, connection) {
                    self.release(at, connection);
                }
            }
            not_sent => self.is_not_sent(at, not_sent, call, pool),
        }
    }

    /// The application has answered: its connection is free for others.
    fn application_has_answered(&mut self, at: &mut Around<'_>, call: Handle<Call>, closes_at: SimTime) {
        self.return_retry_of_server(call);
        let state = &mut self.calls[call];
        application_counts(at, state.slot(), Happens::Answer(state.answer.status.code()));
        // Without one, the client has given up meanwhile.
        let Some(connection) = state.connection.take() else { return };
        let slot = state.slot();
        self.breaker_of(slot).release(Resource::Requests);
        let known = at.now + at.topology.description.mesh.loopback;
        self.pools.rest(connection, known, closes_at, Some(&inbound_of(at, slot).policy));
        let left = self.pools.give_back(connection);
        if !matches!(left, Left::Idle) {
            self.has_left(at, left, call);
        }
    }

    /// The application has written its answer, which passes what stands before the pod; it closes its connection at
    /// `closes_at` if nothing follows.
    pub(super) fn answer_is_written(&mut self, at: &mut Around<'_>, call: Handle<Call>, closes_at: SimTime) {
        match at.pods.before(self.calls[call].slot()) {
            Before::Sidecar => {
                self.application_has_answered(at, call, closes_at);
                self.respond_through_sidecar(at, call, at.topology.description.mesh.loopback);
            }
            Before::Ztunnel => self.respond_through_ztunnel(at, call, closes_at),
            Before::Nothing => {
                if at.recorder.traces() {
                    self.trace_answers(at, call, at.now, (at.now, SimDuration::ZERO));
                }
                self.answer_is_ready(at, call, at.now, closes_at);
                at.hand(Handed::Response(call));
            }
        }
    }

    /// A response passes the ztunnel of the server's node.
    fn respond_through_ztunnel(&mut self, at: &mut Around<'_>, call: Handle<Call>, closes_at: SimTime) {
        let state = &self.calls[call];
        let (pass, body) = (&at.topology.passes.ztunnel_in, state.answer.body);
        let (takes, cpu) = (pass.response(state.address, body), pass.cpu(body));
        at.recorder.proxy_used_cpu(at.now, cpu);
        let out = at.pass_ztunnel(state.pod, state.server_worker, takes);
        if at.recorder.traces() {
            self.trace_answers(at, call, at.now, (out, takes));
        }
        self.answer_is_ready(at, call, out, closes_at);
        at.schedule(out, Event::ResponseLeaves(call));
    }

    /// A response passes the server's sidecar, which it reaches after so long.
    #[inline(always)]
    pub(super) fn respond_through_sidecar(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        after: SimDuration,
    ) {
        let state = &self.calls[call];
        let body = state.answer.body;
        let pass = at.pass_in(state.flow, state.slot());
        let (takes, cpu) = (pass.response(state.address, body), pass.cpu(body));
        let sidecar = at.proxies.sidecar(state.slot());
        let leaves = at.pass_with_answer(sidecar, state.server_worker, at.now + after, takes, cpu);
        if at.recorder.traces() {
            self.trace_answers(at, call, at.now + after, (leaves, takes));
        }
        self.answer_is_ready(at, call, leaves, at.now.saturating_add(DEFAULT_IDLE_TIMEOUT));
        at.schedule(leaves, Event::ResponseLeaves(call));
    }

    /// The answer of a call leaves its pod at `leaves`, over a connection that closes at `closes_at`.
    #[inline(always)]
    fn answer_is_ready(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        leaves: SimTime,
        closes_at: SimTime,
    ) {
        let state = &mut self.calls[call];
        state.closes_at = closes_at;
        let service = at.pods.service_of(state.slot());
        at.recorder.answer_left(at.now, service, leaves - state.arrived);
        if at.recorder.exporters().is_some() {
            server_counts(at, state, leaves);
        }
    }

    /// A response leaves the pod for the network, unless the pod has died.
    #[inline(always)]
    pub(crate) fn response_leaves(&mut self, at: &mut Around<'_>, call: Handle<Call>) -> Option<Response> {
        self.calls.contains(call).then(|| self.take_response(at, call))
    }

    /// A response that leaves, or was handed over: its call is over here.
    #[inline(always)]
    pub(crate) fn take_response(&mut self, at: &Around<'_>, call: Handle<Call>) -> Response {
        let state = self.calls.remove(call);
        Response {
            client: state.client,
            hop: state.hop,
            flow: state.flow,
            work: state.work,
            address: state.address,
            pod: state.pod,
            answer: state.answer,
            gateway_worker: state.gateway_worker,
            took: at.now - state.arrived,
            window: state.window,
            closes_at: state.closes_at,
        }
    }

    pub(super) fn return_retry_of_server(&mut self, call: Handle<Call>) {
        let state = &mut self.calls[call];
        if std::mem::take(&mut state.holds_retry) {
            let slot = state.slot();
            self.breaker_of(slot).release(Resource::Retries);
        }
    }

    /// A new connection to the application, which one of its workers accepts.
    pub(super) fn open_at_server(
        &mut self,
        at: &mut Around<'_>,
        call: &Call,
        pool: PoolId,
    ) -> Handle<ServerConnection> {
        let service = at.topology.pod_ids.service_of(call.pod);
        let worker = accepting_worker(at, at.topology.application().services[service].workers);
        application_counts(at, call.slot(), Happens::Counted(Counter::Connections));
        // The loopback has no use for a window.
        let window = Window::new(at.now, at.topology.tcp_of(call.pod));
        let connection = self.pools.open(at.now, pool, call.pod, worker, window);
        self.pools.connected(connection);
        connection
    }

    /// What the sidecar of the pod in a slot has under way to its application: breakers are one per pod.
    #[inline]
    pub(super) fn breaker_of(&mut self, slot: usize) -> &mut CircuitBreaker {
        self.pools.breaker(BreakerId::from_index(slot))
    }
}

/// Something happens between the sidecar of the pod in a slot and the application beside it.
#[inline]
pub(super) fn application_counts(at: &mut Around<'_>, slot: usize, what: Happens) {
    at.proxy_counts(at.proxies.sidecar(slot), None, what);
}

/// The connections to the application of the sidecar's worker that has a call.
pub(super) fn pool_of(at: &Around<'_>, call: &Call) -> PoolId {
    let workers = u32::from(at.topology.description.mesh.concurrency);
    PoolId(call.slot * workers + u32::from(call.server_worker))
}

/// When a sidecar sent a request that is at the application now, and how long news of a close take.
pub(super) fn sent_by_sidecar(at: &Around<'_>) -> (SimTime, SimDuration) {
    let loopback = at.topology.description.mesh.loopback;
    (SimTime::from_nanos(at.now.as_nanos().saturating_sub(loopback.as_nanos())), loopback)
}

/// What the sidecar of the pod in a slot is told of its own service, as far as it holds for a server.
#[inline(always)]
pub(super) fn inbound_of<'a>(at: &Around<'a>, slot: usize) -> &'a UpstreamSpec {
    let upstreams = &at.topology.upstreams;
    let configuration = at.proxies[at.proxies.sidecar(slot)].configuration;
    upstreams.spec(false, upstreams.of_service(configuration, at.pods.service_of(slot)))
}

/// The server's side.
impl Pooling<Handle<Call>> for Inbound {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Call>> {
        &mut self.pools
    }

    fn dispatch(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        connection: Handle<ServerConnection>,
    ) -> bool {
        let slot = self.calls[call].slot();
        if !at.pods.accepts(slot, at.now) {
            self.cannot_connect(at, call);
            return false;
        }
        if !self.breaker_of(slot).acquire(Resource::Requests) {
            self.overflows(at, call);
            return false;
        }
        let most = inbound_of(at, slot).policy.max_requests_per_connection;
        let connected = self.pools.attach(connection, most);
        // While it has a request it is not idle.
        connected.closes_at = SimTime::MAX;
        let worker = connected.server_worker;
        application_counts(at, slot, Happens::Request);
        let state = &mut self.calls[call];
        (state.connection, state.cell_worker) = (Some(connection), worker);
        self.enter_cell(at, call);
        true
    }

    /// The sidecar answers for its application: a 503 that is real to the client's proxy.
    #[cold]
    fn meet_close(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        self.return_retry_of_server(call);
        self.fail(at, call, Status::UpstreamReset, at.topology.description.mesh.loopback);
    }

    #[cold]
    fn overflows(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        self.return_retry_of_server(call);
        let service = at.pods.service_of(self.calls[call].slot());
        at.recorder.counted(at.now, service, Counter::RequestOverflows);
        application_counts(at, self.calls[call].slot(), Happens::Counted(Counter::RequestOverflows));
        self.fail(at, call, Status::ServerOverflow, SimDuration::ZERO);
    }

    fn waits(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        if at.recorder.traces() {
            self.trace_waits(at, call, Part::ServerPool);
        }
    }

    fn connect(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) {
        let state = self.calls[call];
        let connection = self.open_at_server(at, &state, pool);
        self.release(at, connection);
    }

    #[cold]
    fn connection_overflows(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let service = at.pods.service_of(self.calls[call].slot());
        at.recorder.counted(at.now, service, Counter::ConnectionOverflows);
        application_counts(at, self.calls[call].slot(), Happens::Counted(Counter::ConnectionOverflows));
    }
}
