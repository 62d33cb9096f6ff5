//! The server's sidecar and its own application: connections, limits, further attempts.
//!
//! # Models
//! The `connectionPool` of a service's DestinationRule holds twice: at every client (`connection`), and at
//! the inbound cluster of the sidecar of every pod that serves it, which counts what all clients together
//! have under way to this pod. The limits, idle time-outs and ages are the same, and so is the code
//! (`pooling`); pools are one per worker of the sidecar, limits are shared by them. Outlier detection,
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

use super::hop::LOCAL_REPLY_BODY;
use super::pod_death::RESET_WIRE_BYTES;
use super::pooling::Pooling;
use super::record::{Call, Hop, ServerConnection, Status};
use crate::application::call_graph::Protocol;
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::message::{Body, Message};
use crate::draws::Purpose;
use crate::ids::{BreakerId, ClusterId, PodId, PoolId, ServiceId, UpstreamId};
use crate::mesh::circuit_breaker::{CircuitBreaker, Resource};
use crate::mesh::connection_pool::{ConnectionPools, Kept, Taken};
use crate::mesh::retry::{BackOff, back_off};
use crate::mesh::upstream::UpstreamSpec;
use crate::network::tcp::Window;
use crate::telemetry::metrics::Counter;
use meshsim_core::random::Address;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

impl Context<'_> {
    /// A request has passed the sidecar of its pod and needs a connection to the application.
    pub(super) fn enter_by_sidecar(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls[call];
        let slot = self.topology.slot_of(it.pod) as u32;
        let workers = u32::from(self.topology.description.mesh.concurrency);
        let pool = PoolId(slot * workers + u32::from(it.server_worker));
        if self.inbound_of(it.pod).protocol == Protocol::Tcp {
            return self.enter_over_tcp(call, pool);
        }
        self.take_connection(call, pool);
    }

    /// A TCP proxy has a connection for each of its client's, or closes that.
    #[cold]
    fn enter_over_tcp(&mut self, call: Handle<Call>, pool: PoolId) {
        let it = self.cluster.calls[call];
        let (sent, loopback) = self.sent_by_sidecar();
        let connection = match self.cluster.inbound.take_kept(pool, sent, |_| loopback) {
            Kept::Open(connection) => connection,
            Kept::Closed(_) => return self.meet_close(call),
            Kept::Nothing => {
                if !self.breaker_of_server(it.pod).acquire(Resource::Connections) {
                    self.connection_overflows(call);
                    return self.fail(call, Status::ServerOverflow, SimDuration::ZERO);
                }
                self.open_at_server(&it, pool)
            }
        };
        if !self.dispatch(call, connection) {
            self.release(connection);
        }
    }

    /// The application has answered; it closes its connection at `closes_at` if nothing follows.
    pub(super) fn application_has_answered(&mut self, call: Handle<Call>, closes_at: SimTime) {
        self.return_retry_of_server(call);
        // Without one, the client has given up meanwhile.
        let Some(connection) = self.cluster.calls[call].connection.take() else { return };
        let it = self.cluster.calls[call];
        self.breaker_of_server(it.pod).release(Resource::Requests);
        let known = self.now + self.topology.description.mesh.loopback;
        let policy = &self.inbound_of(it.pod).policy;
        self.cluster.inbound.rest(connection, known, closes_at, Some(policy));
        let left = self.cluster.inbound.give_back(connection);
        self.has_left(left, call);
    }

    /// The server of an attempt learns that its client has given up, where that counts what it has.
    pub(super) fn tell_server(&mut self, hop: Handle<Hop>) {
        let it = self.cluster.hops[hop];
        if !self.topology.has_sidecars() || it.connection.is_none() || !self.inbound_of(it.pod).limits_servers
        {
            return;
        }
        let (client, address) = (self.cluster.id, it.attempt_address());
        let to = self.topology.pods[it.pod].cluster;
        // What swallows packets swallows this too.
        if self.topology.faults.is_swallowing(it.pod, self.now) || self.topology.is_cut(client, to, self.now)
        {
            return;
        }
        if to == client {
            return self.client_gives_up(hop, client, address);
        }
        self.cluster.recorder.work_done(self.now, it.work, |it| it.cross_wire += u64::from(RESET_WIRE_BYTES));
        let body = Body::GivenUp { hop, client, address };
        let message = Message { to, wire_bytes: RESET_WIRE_BYTES, body };
        // It follows its request on the same way.
        self.send(message, address, Purpose::LinkRequest);
    }

    /// A client has given up an attempt that it has sent here.
    #[cold]
    pub(crate) fn client_gives_up(&mut self, hop: Handle<Hop>, client: ClusterId, address: Address) {
        let calls = &self.cluster.calls;
        let same = |it: &Call| it.hop == hop && it.client == client && it.address == address;
        let Some(call) = calls.handles().find(|&call| same(&calls[call])) else { return };
        let it = self.cluster.calls[call];
        if let Some(connection) = self.cluster.calls[call].connection.take() {
            self.return_retry_of_server(call);
            self.breaker_of_server(it.pod).release(Resource::Requests);
            let left = self.cluster.inbound.abandon(connection, true);
            return self.has_left(left, call);
        }
        let slot = self.topology.slot_of(it.pod) as u32;
        let workers = u32::from(self.topology.description.mesh.concurrency);
        let pool = PoolId(slot * workers + u32::from(it.server_worker));
        if self.cluster.inbound.give_up(pool, call) {
            self.return_retry_of_server(call);
            self.cluster.calls.remove(call);
        }
    }

    /// The application's port is closed: the sidecar tries again, or answers for it.
    #[cold]
    fn cannot_connect(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls[call];
        let service = self.topology.pods[it.pod].service;
        self.cluster.recorder.counted(self.now, service, Counter::ConnectFailures);
        self.return_retry_of_server(call);
        let back = self.topology.description.mesh.loopback * 2;
        if it.retries < self.inbound_of(it.pod).inbound_retries {
            if self.breaker_of_server(it.pod).acquire(Resource::Retries) {
                self.cluster.recorder.counted(self.now, service, Counter::Retries);
                let n = it.retries + 1;
                let call_mut = &mut self.cluster.calls[call];
                (call_mut.retries, call_mut.holds_retry) = (n, true);
                let wait = back_off(BackOff::DEFAULT, n, it.address, Purpose::InboundBackOff);
                return self.scheduler.schedule(self.now + back + wait, Event::CellReceives(call));
            }
            self.cluster.recorder.counted(self.now, service, Counter::RetryOverflows);
        }
        self.fail(call, Status::ConnectFailure, self.topology.description.mesh.loopback);
    }

    /// The sidecar answers for its application, of which it knows `after` so long; over TCP it closes the
    /// connection.
    fn fail(&mut self, call: Handle<Call>, status: Status, after: SimDuration) {
        let it = self.cluster.calls[call];
        if self.inbound_of(it.pod).protocol == Protocol::Tcp {
            self.cluster.calls.remove(call);
            return self.reset_client(it.client, it.hop, it.address, it.work);
        }
        let answer = &mut self.cluster.calls[call].answer;
        (answer.status, answer.body) = (status, LOCAL_REPLY_BODY);
        self.respond_through_sidecar(call, after);
    }

    fn return_retry_of_server(&mut self, call: Handle<Call>) {
        let it = &mut self.cluster.calls[call];
        if std::mem::take(&mut it.holds_retry) {
            let pod = it.pod;
            self.breaker_of_server(pod).release(Resource::Retries);
        }
    }

    /// A new connection to the application, which one of its workers accepts.
    fn open_at_server(&mut self, call: &Call, pool: PoolId) -> Handle<ServerConnection> {
        let service = self.topology.pods[call.pod].service;
        let worker = self.accepting_worker(self.topology.application().services[service].workers);
        // The loopback has no use for a window.
        let window = Window::new(self.now, self.topology.tcp_of(call.pod));
        let connection = self.cluster.inbound.open(self.now, pool, call.pod, worker, window);
        self.cluster.inbound.connected(connection);
        connection
    }

    /// Whether a pod's application takes connections.
    pub(super) fn listens(&self, pod: PodId) -> bool {
        let workloads = &self.cluster.workloads;
        !workloads.is_elastic || workloads.pods[self.topology.slot_of(pod)].accepts(self.now)
    }

    /// When a sidecar sent a request that is at the application now, and how long news of a close take.
    fn sent_by_sidecar(&self) -> (SimTime, SimDuration) {
        let loopback = self.topology.description.mesh.loopback;
        (SimTime::from_nanos(self.now.as_nanos().saturating_sub(loopback.as_nanos())), loopback)
    }

    /// What the sidecar of a pod has under way to its application: breakers are one per pod.
    fn breaker_of_server(&mut self, pod: PodId) -> &mut CircuitBreaker {
        let slot = self.topology.slot_of(pod);
        self.cluster.inbound.breaker(BreakerId::from_index(slot))
    }
}

impl<'a> Context<'a> {
    /// What the sidecar of a pod is told of its own service, as far as it holds for a server.
    fn inbound_of(&self, pod: PodId) -> &'a UpstreamSpec {
        let ServiceId(service) = self.topology.pods[pod].service;
        self.topology.upstreams.spec(false, UpstreamId(service))
    }
}

/// The server's side.
impl Pooling<Handle<Call>> for Context<'_> {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Call>> {
        &mut self.cluster.inbound
    }

    #[inline(always)]
    fn take(&mut self, call: Handle<Call>, pool: PoolId) -> Taken<Handle<Call>> {
        let (sent, loopback) = self.sent_by_sidecar();
        self.cluster.inbound.take(pool, call, sent, |_| loopback)
    }

    fn dispatch(&mut self, call: Handle<Call>, connection: Handle<ServerConnection>) -> bool {
        let it = self.cluster.calls[call];
        if !self.listens(it.pod) {
            self.cannot_connect(call);
            return false;
        }
        if !self.breaker_of_server(it.pod).acquire(Resource::Requests) {
            self.overflows(call);
            return false;
        }
        let most = self.inbound_of(it.pod).policy.max_requests_per_connection;
        self.cluster.inbound.attach(connection, most);
        let connected = &mut self.cluster.inbound[connection];
        // While it has a request it is not idle.
        connected.closes_at = SimTime::MAX;
        let worker = connected.server_worker;
        let it = &mut self.cluster.calls[call];
        (it.connection, it.cell_worker) = (Some(connection), worker);
        self.enter_cell(call);
        true
    }

    /// The sidecar answers for its application: a 503 that is real to the client's proxy.
    #[cold]
    fn meet_close(&mut self, call: Handle<Call>) {
        self.return_retry_of_server(call);
        self.fail(call, Status::UpstreamReset, self.topology.description.mesh.loopback);
    }

    #[cold]
    fn overflows(&mut self, call: Handle<Call>) {
        self.return_retry_of_server(call);
        let service = self.topology.pods[self.cluster.calls[call].pod].service;
        self.cluster.recorder.counted(self.now, service, Counter::RequestOverflows);
        self.fail(call, Status::ServerOverflow, SimDuration::ZERO);
    }

    fn waits(&mut self, _: Handle<Call>) {}

    fn connect(&mut self, call: Handle<Call>, pool: PoolId) {
        let it = self.cluster.calls[call];
        let connection = self.open_at_server(&it, pool);
        self.release(connection);
    }

    #[cold]
    fn connection_overflows(&mut self, call: Handle<Call>) {
        let service = self.topology.pods[self.cluster.calls[call].pod].service;
        self.cluster.recorder.counted(self.now, service, Counter::ConnectionOverflows);
    }

    fn kept_most(&self, _: PoolId) -> u32 {
        u32::MAX
    }
}
