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
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::{Request, Reset, Response};
use crate::cluster::pooling::Pooling;
use crate::envoy::circuit_breaker::{CircuitBreaker, Resource};
use crate::envoy::connection_pool::{ConnectionPools, Left, Taken};
use crate::envoy::idle_timeout::DEFAULT_IDLE_TIMEOUT;
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{BreakerId, PodId, PoolId};
use crate::network::tcp::Window;
use crate::request::answer::{Answer, Status};
use crate::telemetry::metrics::Counter;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

impl Inbound {
    /// A request arrives, wherever it comes from.
    pub(crate) fn request_arrives(&mut self, at: &mut Around<'_>, request: &Request) {
        let Request { client, hop, flow, address, work, pod, server_worker, .. } = *request;
        if at.is_down(pod) {
            return at.hand(Handed::Reset(Reset { client, hop, flow, address, work }));
        }
        let call = self.calls.insert(Call {
            client,
            hop,
            flow,
            work,
            address,
            endpoint: request.endpoint,
            pod,
            path: request.path.then(at.here),
            server_worker,
            cell_worker: server_worker,
            open_groups: 0,
            connection: None,
            retries: 0,
            holds_retry: false,
            answer: Answer::pending(),
            window: request.window,
            arrived: at.now,
            closes_at: SimTime::MAX,
            next_in_queue: None,
        });
        if at.topology.has_sidecar(pod) {
            let takes = at.topology.passes.sidecar_in.request(address);
            let sidecar = at.proxies.sidecar(at.pods.slot_of(pod));
            let out = at.proxies.pass(sidecar, server_worker, at.now, takes);
            at.schedule(out + at.topology.description.mesh.loopback, Event::CellReceives(call));
        } else if at.topology.has_ztunnel(pod) {
            let takes = at.topology.passes.ztunnel_in.request(address);
            let out = at.pass_ztunnel(pod, server_worker, takes);
            at.schedule(out, Event::CellReceives(call));
        } else {
            self.cell_receives(at, call);
        }
    }

    /// A request has passed what stands before its pod.
    pub(crate) fn cell_receives(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        if !self.calls.contains(call) {
            return;
        }
        if at.topology.has_sidecar(self.calls[call].pod) {
            return self.enter_by_sidecar(at, call);
        }
        if !listens(at, self.calls[call].pod) {
            // The connection is refused.
            let state = self.calls.remove(call);
            return at.hand(Handed::Reset(state.reset()));
        }
        self.enter_cell(at, call);
    }

    /// A request has passed the sidecar of its pod and needs a connection to the application.
    pub(super) fn enter_by_sidecar(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = self.calls[call];
        let slot = at.pods.slot_of(state.pod) as u32;
        let workers = u32::from(at.topology.description.mesh.concurrency);
        let pool = PoolId(slot * workers + u32::from(state.server_worker));
        if inbound_of(at, state.pod).protocol == Protocol::Tcp {
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
        self.return_retry_of_server(at, call);
        // Without one, the client has given up meanwhile.
        let Some(connection) = self.calls[call].connection.take() else { return };
        let pod = self.calls[call].pod;
        self.breaker_of(at, pod).release(Resource::Requests);
        let known = at.now + at.topology.description.mesh.loopback;
        self.pools.rest(connection, known, closes_at, Some(&inbound_of(at, pod).policy));
        let left = self.pools.give_back(connection, u32::MAX);
        if !matches!(left, Left::Idle) {
            self.has_left(at, left, call);
        }
    }

    /// The application has written its answer, which passes what stands before the pod; it closes its connection at
    /// `closes_at` if nothing follows.
    pub(super) fn answer_is_written(&mut self, at: &mut Around<'_>, call: Handle<Call>, closes_at: SimTime) {
        let pod = self.calls[call].pod;
        if at.topology.has_sidecar(pod) {
            self.application_has_answered(at, call, closes_at);
            return self.respond_through_sidecar(at, call, at.topology.description.mesh.loopback);
        }
        if !at.topology.has_ztunnel(pod) {
            self.answer_is_ready(at, call, at.now, closes_at);
            return self.response_leaves(at, call);
        }
        let state = &self.calls[call];
        let (pass, body) = (&at.topology.passes.ztunnel_in, state.answer.body);
        let (takes, cpu) = (pass.response(state.address, body), pass.cpu(body));
        at.recorder.proxy_used_cpu(at.now, cpu);
        let out = at.pass_ztunnel(state.pod, state.server_worker, takes);
        self.answer_is_ready(at, call, out, closes_at);
        at.schedule(out, Event::ResponseLeaves(call));
    }

    /// A response passes the server's sidecar, which it reaches after so long.
    pub(super) fn respond_through_sidecar(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        after: SimDuration,
    ) {
        let state = self.calls[call];
        let body = state.answer.body;
        let pass = &at.topology.passes.sidecar_in;
        let (takes, cpu) = (pass.response(state.address, body), pass.cpu(body));
        let sidecar = at.proxies.sidecar(at.pods.slot_of(state.pod));
        at.charge_proxy(sidecar, cpu);
        let leaves = at.proxies.pass(sidecar, state.server_worker, at.now + after, takes);
        self.answer_is_ready(at, call, leaves, at.now.saturating_add(DEFAULT_IDLE_TIMEOUT));
        at.schedule(leaves, Event::ResponseLeaves(call));
    }

    /// The answer of a call leaves its pod at `leaves`, over a connection that closes at `closes_at`.
    fn answer_is_ready(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        leaves: SimTime,
        closes_at: SimTime,
    ) {
        let state = &mut self.calls[call];
        state.closes_at = closes_at;
        let service = at.topology.pod_ids.service_of(state.pod);
        at.recorder.answer_left(at.now, service, leaves - state.arrived);
    }

    /// A response leaves the pod for the network.
    pub(crate) fn response_leaves(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        if self.calls.contains(call) {
            at.hand(Handed::Response(call));
        }
    }

    /// A response that was handed over: its call is over here.
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
            took: at.now - state.arrived,
            window: state.window,
            closes_at: state.closes_at,
        }
    }

    pub(super) fn return_retry_of_server(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = &mut self.calls[call];
        if std::mem::take(&mut state.holds_retry) {
            let pod = state.pod;
            self.breaker_of(at, pod).release(Resource::Retries);
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
        // The loopback has no use for a window.
        let window = Window::new(at.now, at.topology.tcp_of(call.pod));
        let connection = self.pools.open(at.now, pool, call.pod, worker, window);
        self.pools.connected(connection);
        connection
    }

    /// What the sidecar of a pod has under way to its application: breakers are one per pod.
    pub(super) fn breaker_of(&mut self, at: &Around<'_>, pod: PodId) -> &mut CircuitBreaker {
        self.pools.breaker(BreakerId::from_index(at.pods.slot_of(pod)))
    }
}

/// Whether a pod's application takes connections.
fn listens(at: &Around<'_>, pod: PodId) -> bool {
    at.pods.accepts(at.pods.slot_of(pod), at.now)
}

/// When a sidecar sent a request that is at the application now, and how long news of a close take.
pub(super) fn sent_by_sidecar(at: &Around<'_>) -> (SimTime, SimDuration) {
    let loopback = at.topology.description.mesh.loopback;
    (SimTime::from_nanos(at.now.as_nanos().saturating_sub(loopback.as_nanos())), loopback)
}

/// What the sidecar of a pod is told of its own service, as far as it holds for a server.
pub(super) fn inbound_of<'a>(at: &Around<'a>, pod: PodId) -> &'a UpstreamSpec {
    let sidecar = at.proxies.sidecar(at.pods.slot_of(pod));
    let upstreams = &at.topology.upstreams;
    let configuration = at.proxies[sidecar].configuration;
    upstreams.spec(false, upstreams.of_service(configuration, at.topology.pod_ids.service_of(pod)))
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
        let state = self.calls[call];
        if !listens(at, state.pod) {
            self.cannot_connect(at, call);
            return false;
        }
        if !self.breaker_of(at, state.pod).acquire(Resource::Requests) {
            self.overflows(at, call);
            return false;
        }
        let most = inbound_of(at, state.pod).policy.max_requests_per_connection;
        let connected = self.pools.attach(connection, most);
        // While it has a request it is not idle.
        connected.closes_at = SimTime::MAX;
        let worker = connected.server_worker;
        let state = &mut self.calls[call];
        (state.connection, state.cell_worker) = (Some(connection), worker);
        self.enter_cell(at, call);
        true
    }

    /// The sidecar answers for its application: a 503 that is real to the client's proxy.
    #[cold]
    fn meet_close(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        self.return_retry_of_server(at, call);
        self.fail(at, call, Status::UpstreamReset, at.topology.description.mesh.loopback);
    }

    #[cold]
    fn overflows(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        self.return_retry_of_server(at, call);
        let service = at.topology.pod_ids.service_of(self.calls[call].pod);
        at.recorder.counted(at.now, service, Counter::RequestOverflows);
        self.fail(at, call, Status::ServerOverflow, SimDuration::ZERO);
    }

    fn waits(&mut self, _: Handle<Call>) {}

    fn connect(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) {
        let state = self.calls[call];
        let connection = self.open_at_server(at, &state, pool);
        self.release(at, connection);
    }

    #[cold]
    fn connection_overflows(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let service = at.topology.pod_ids.service_of(self.calls[call].pod);
        at.recorder.counted(at.now, service, Counter::ConnectionOverflows);
    }

    fn kept_most(&self, _: PoolId) -> u32 {
        u32::MAX
    }
}
