//! The server's sidecar and its own application: connections, limits, further attempts.
//!
//! # Models
//! The `connectionPool` of a service's DestinationRule holds twice: at every client (`outbound/connect`), and at
//! the inbound cluster of the sidecar of every pod that serves it, which counts what all clients together
//! have under way to this pod. The limits, idle time-outs and ages are the same, and so is the code
//! (`cluster/pooling`); pools are one per worker of the sidecar, limits are shared by them. Outlier detection,
//! balancing and subsets' policies do not hold there. What the sidecar refuses is an answer of 503 to the
//! client's proxy: it counts for ejections, and is retried where 503 is.
//! From 1.23 on the sidecar tries twice again to reach an application that it could not connect to, after
//! back-offs, at the same pod; not over gRPC and TCP.
//! A client that gives up closes its connection (over HTTP/2 resets its stream), so the sidecar counts the
//! request no more and one that waits leaves its queue; the application goes on with what it has begun.
//!
//! # Assumptions
//! - A connection to the own application takes no time to be made. It is free when the application has
//!   written its answer, and a request that waits takes it at once; in Envoy that takes the way over the
//!   loopback twice. Effect: 0.1 ms per request that has to wait.
//! - Within a cluster the server knows at once that its client has given up. Requests that are in the
//!   sidecar's own queue at that moment go on to the application.
//! - Over a `tcp` service the sidecar's connections are counted from a request that needed one until they
//!   are closed; those that idle clients keep beside are not. The other limits do not hold for it.
//! - 1.23 itself tries again over gRPC too, its followers and this model do not.
//! - In ambient mode the waypoint is the client, and a ztunnel has no limits.
//!
//! # Source
//! Istio `cluster_builder.go`, `buildInboundCluster` ("they need to be set on the receiver end (server
//! side) as well as client side"), `cluster_traffic_policy.go`, `applyTrafficPolicy` (tags 1.14.0 to
//! 1.26.0 and later); `route.go`, `BuildDefaultHTTPInboundRoute` (from tag 1.23.0 on; istio/istio#52055).

use super::Inbound;
use super::call::{Call, ServerConnection};
use super::cell::{accepting_worker, listens};
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::GivenUp;
use crate::cluster::pooling::Pooling;
use crate::draws::Purpose;
use crate::envoy::circuit_breaker::{CircuitBreaker, Resource};
use crate::envoy::connection_pool::{ConnectionPools, Kept, Taken};
use crate::envoy::retry::{BackOff, back_off};
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{BreakerId, PodId, PoolId, ServiceId, UpstreamId};
use crate::network::tcp::Window;
use crate::request::answer::{LOCAL_REPLY_BODY, Status};
use crate::telemetry::metrics::Counter;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

impl Inbound {
    /// A request has passed the sidecar of its pod and needs a connection to the application.
    pub(super) fn enter_by_sidecar(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let it = self.calls[call];
        let slot = at.topology.slot_of(it.pod) as u32;
        let workers = u32::from(at.topology.description.mesh.concurrency);
        let pool = PoolId(slot * workers + u32::from(it.server_worker));
        if inbound_of(at, it.pod).protocol == Protocol::Tcp {
            return self.enter_over_tcp(at, call, pool);
        }
        self.take_connection(at, call, pool);
    }

    /// A TCP proxy has a connection for each of its client's, or closes that.
    #[cold]
    fn enter_over_tcp(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) {
        let it = self.calls[call];
        let (sent, loopback) = sent_by_sidecar(at);
        let connection = match self.pools.take_kept(pool, sent, |_| loopback) {
            Kept::Open(connection) => connection,
            Kept::Closed(_) => return self.meet_close(at, call),
            Kept::Nothing => {
                if !self.breaker_of(at, it.pod).acquire(Resource::Connections) {
                    self.connection_overflows(at, call);
                    return self.fail(at, call, Status::ServerOverflow, SimDuration::ZERO);
                }
                self.open_at_server(at, &it, pool)
            }
        };
        if !self.dispatch(at, call, connection) {
            self.release(at, connection);
        }
    }

    /// The application has answered; it closes its connection at `closes_at` if nothing follows.
    pub(super) fn application_has_answered(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        closes_at: SimTime,
    ) {
        self.return_retry_of_server(at, call);
        // Without one, the client has given up meanwhile.
        let Some(connection) = self.calls[call].connection.take() else { return };
        let it = self.calls[call];
        self.breaker_of(at, it.pod).release(Resource::Requests);
        let known = at.now + at.topology.description.mesh.loopback;
        let policy = &inbound_of(at, it.pod).policy;
        self.pools.rest(connection, known, closes_at, Some(policy));
        let left = self.pools.give_back(connection);
        self.has_left(at, left, call);
    }

    /// A client has given up an attempt that it has sent here.
    #[cold]
    pub(crate) fn client_gives_up(&mut self, at: &mut Around<'_>, gone: &GivenUp) {
        let calls = &self.calls;
        let same = |it: &Call| it.hop == gone.hop && it.client == gone.client && it.address == gone.address;
        let Some(call) = calls.handles().find(|&call| same(&calls[call])) else { return };
        let it = self.calls[call];
        if let Some(connection) = self.calls[call].connection.take() {
            self.return_retry_of_server(at, call);
            self.breaker_of(at, it.pod).release(Resource::Requests);
            let left = self.pools.abandon(connection, true);
            return self.has_left(at, left, call);
        }
        let slot = at.topology.slot_of(it.pod) as u32;
        let workers = u32::from(at.topology.description.mesh.concurrency);
        let pool = PoolId(slot * workers + u32::from(it.server_worker));
        if self.pools.give_up(pool, call) {
            self.return_retry_of_server(at, call);
            self.calls.remove(call);
        }
    }

    /// The application's port is closed: the sidecar tries again, or answers for it.
    #[cold]
    fn cannot_connect(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let it = self.calls[call];
        let service = at.topology.pods[it.pod].service;
        at.recorder.counted(at.now, service, Counter::ConnectFailures);
        self.return_retry_of_server(at, call);
        let back = at.topology.description.mesh.loopback * 2;
        if it.retries < inbound_of(at, it.pod).inbound_retries {
            if self.breaker_of(at, it.pod).acquire(Resource::Retries) {
                at.recorder.counted(at.now, service, Counter::Retries);
                let n = it.retries + 1;
                let call_mut = &mut self.calls[call];
                (call_mut.retries, call_mut.holds_retry) = (n, true);
                let wait = back_off(BackOff::DEFAULT, n, it.address, Purpose::InboundBackOff);
                return at.schedule(at.now + back + wait, Event::CellReceives(call));
            }
            at.recorder.counted(at.now, service, Counter::RetryOverflows);
        }
        self.fail(at, call, Status::ConnectFailure, at.topology.description.mesh.loopback);
    }

    /// The sidecar answers for its application, of which it knows `after` so long; over TCP it closes the
    /// connection.
    fn fail(&mut self, at: &mut Around<'_>, call: Handle<Call>, status: Status, after: SimDuration) {
        let it = self.calls[call];
        if inbound_of(at, it.pod).protocol == Protocol::Tcp {
            self.calls.remove(call);
            return at.hand(Handed::Reset(it.reset()));
        }
        let answer = &mut self.calls[call].answer;
        (answer.status, answer.body) = (status, LOCAL_REPLY_BODY);
        self.respond_through_sidecar(at, call, after);
    }

    fn return_retry_of_server(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let it = &mut self.calls[call];
        if std::mem::take(&mut it.holds_retry) {
            let pod = it.pod;
            self.breaker_of(at, pod).release(Resource::Retries);
        }
    }

    /// A new connection to the application, which one of its workers accepts.
    fn open_at_server(&mut self, at: &mut Around<'_>, call: &Call, pool: PoolId) -> Handle<ServerConnection> {
        let service = at.topology.pods[call.pod].service;
        let worker = accepting_worker(at, at.topology.application().services[service].workers);
        // The loopback has no use for a window.
        let window = Window::new(at.now, at.topology.tcp_of(call.pod));
        let connection = self.pools.open(at.now, pool, call.pod, worker, window);
        self.pools.connected(connection);
        connection
    }

    /// What the sidecar of a pod has under way to its application: breakers are one per pod.
    fn breaker_of(&mut self, at: &Around<'_>, pod: PodId) -> &mut CircuitBreaker {
        self.pools.breaker(BreakerId::from_index(at.topology.slot_of(pod)))
    }
}

/// When a sidecar sent a request that is at the application now, and how long news of a close take.
fn sent_by_sidecar(at: &Around<'_>) -> (SimTime, SimDuration) {
    let loopback = at.topology.description.mesh.loopback;
    (SimTime::from_nanos(at.now.as_nanos().saturating_sub(loopback.as_nanos())), loopback)
}

/// What the sidecar of a pod is told of its own service, as far as it holds for a server.
fn inbound_of<'a>(at: &Around<'a>, pod: PodId) -> &'a UpstreamSpec {
    let ServiceId(service) = at.topology.pods[pod].service;
    at.topology.upstreams.spec(false, UpstreamId(service))
}

/// The server's side.
impl Pooling<Handle<Call>> for Inbound {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Call>> {
        &mut self.pools
    }

    #[inline(always)]
    fn take(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) -> Taken<Handle<Call>> {
        let (sent, loopback) = sent_by_sidecar(at);
        self.pools.take(pool, call, sent, |_| loopback)
    }

    fn dispatch(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        connection: Handle<ServerConnection>,
    ) -> bool {
        let it = self.calls[call];
        if !listens(at, it.pod) {
            self.cannot_connect(at, call);
            return false;
        }
        if !self.breaker_of(at, it.pod).acquire(Resource::Requests) {
            self.overflows(at, call);
            return false;
        }
        let most = inbound_of(at, it.pod).policy.max_requests_per_connection;
        self.pools.attach(connection, most);
        let connected = &mut self.pools[connection];
        // While it has a request it is not idle.
        connected.closes_at = SimTime::MAX;
        let worker = connected.server_worker;
        let it = &mut self.calls[call];
        (it.connection, it.cell_worker) = (Some(connection), worker);
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
        let service = at.topology.pods[self.calls[call].pod].service;
        at.recorder.counted(at.now, service, Counter::RequestOverflows);
        self.fail(at, call, Status::ServerOverflow, SimDuration::ZERO);
    }

    fn waits(&mut self, _: Handle<Call>) {}

    fn connect(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) {
        let it = self.calls[call];
        let connection = self.open_at_server(at, &it, pool);
        self.release(at, connection);
    }

    #[cold]
    fn connection_overflows(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let service = at.topology.pods[self.calls[call].pod].service;
        at.recorder.counted(at.now, service, Counter::ConnectionOverflows);
    }

    fn kept_most(&self, _: PoolId) -> u32 {
        u32::MAX
    }
}
