//! The client's connections: one for each attempt, kept, made or waited for.
//!
//! # Models
//! An attempt gets a connection of its worker's pool as `pooling` says. A handshake is a round trip for TCP and one more
//! for TLS 1.3, and CPU on both sides where certificates are checked. If a connection cannot be made,
//! all that wait for one in its pool fail: because it is refused, or because it is not made within the
//! proxy's `connectTimeout`, handshake included.
//! Over a `tcp` service a cell's own connection goes through its sidecar, which chooses an endpoint
//! when the connection is made and never again.
//! Where a cell itself is the client of an HTTP/2 or gRPC service (without a mesh, or in ambient mode
//! without a waypoint), each of its worker processes has one connection, a channel, to the Service,
//! whose endpoint kube-proxy or the ztunnel chose when it was made: all requests go there, pods that
//! come later get none, and only a connection that is closed or lost leads to a new choice.
//!
//! # Assumptions
//! - Handshakes and acknowledgements are time, not bytes: `cross_wire` has requests and responses
//!   only. Effect: a new mTLS connection's 3 to 5 kB are missing.
//! - Handshakes have no random part of the link's delay. Their CPU is counted for the client's
//!   cluster and blocks no worker.
//! - Over a `tcp` service the sidecar's active connections are counted while they carry a request.
//! - A gRPC channel has no back-off after a connection that failed, and no GOAWAY tells it that its
//!   server is about to stop. Effect: where a pod is lost the next request connects at once, and one
//!   request per channel meets the stop.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `newStreamImpl`, `attachStreamToClient`, `onConnectionEvent`;
//! `tcp_proxy.cc`. gRPC, `doc/load-balancing.md` (`pick_first` over one address); kubernetes.io, blog of
//! 2018-11-07.

use super::pooling::Pooling;
use super::record::{Client, ClientConnection, Hop, Origin, Phase, Status};
use crate::application::call_graph::Protocol;
use crate::cluster::changed_views::view_of;
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::message::{Body, Message, Response};
use crate::cluster::state::Cluster;
use crate::draws::{Purpose, draw};
use crate::ids::{BreakerId, PodId, PoolId, ProxyId, ServiceId, UpstreamId};
use crate::kube_proxy;
use crate::mesh::circuit_breaker::Resource;
use crate::mesh::cluster_policy::ClusterPolicy;
use crate::mesh::connection_pool::{ConnectionPools, DEFAULT_IDLE_TIMEOUT, Kept, Taken};
use crate::mesh::outlier_detection::HostResult;
use crate::mesh::retry::Outcome;
use crate::mesh::upstream::{AttemptResult, UpstreamSpec};
use crate::network::link::serialization;
use crate::network::path::{Path, REQUEST_HEADER, stream_bytes};
use crate::network::tcp::Window;
use crate::telemetry::metrics::Counter;
use crate::world::description::DataPlane;
use meshsim_core::random::uniform_index;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

/// urllib3 keeps at most so many idle connections per host.
const KEPT_BY_CELL: u32 = 10;

const FOR_EVER: SimDuration = SimDuration::from_nanos(u64::MAX);

impl Context<'_> {
    /// A cell calls a Service without a proxy for requests: kube-proxy or the ztunnel chooses once per
    /// connection, which over HTTP/2 all requests of the worker share.
    pub(crate) fn call_from_cell(&mut self, hop: Handle<Hop>, calling_pod: PodId, cell_worker: u16) {
        let pool = self.cell_pool(hop, calling_pod, cell_worker, None);
        if self.takes_kept(hop, pool) {
            return;
        }
        if let Some(connection) = self.cluster.pools.shared_in_making(pool) {
            return self.wait_for_shared(hop, connection);
        }
        let service = self.topology.service_of(self.cluster.hops[hop].endpoint);
        let Some(pod) = self.endpoint_for_cell(calling_pod, service) else {
            // kube-proxy rejects what no endpoint is there for.
            return self.answer_itself(hop, Status::ConnectFailure);
        };
        let it = self.cluster.hops[hop];
        let connection = self.open(&it, pool, pod);
        if self.cluster.pools.is_shared(pool) {
            return self.wait_for_shared(hop, connection);
        }
        self.begin_attempt(hop, pod);
        self.cluster.hops[hop].phase = Phase::Waiting;
        self.cluster.pools[connection].bound = Some(hop);
    }

    /// A cell's request goes out on a connection that its pool has kept, if it has.
    fn takes_kept(&mut self, hop: Handle<Hop>, pool: PoolId) -> bool {
        let (topology, here) = (self.topology, self.cluster.id);
        let one_way = |pod| topology.path(here, topology.pods[pod].cluster).one_way;
        match self.cluster.pools.take_kept(pool, self.now, one_way) {
            Kept::Open(connection) => {
                let pod = self.cluster.pools[connection].pod;
                self.begin_attempt(hop, pod);
                self.dispatch(hop, connection);
            }
            Kept::Closed(pod) => {
                self.begin_attempt(hop, pod);
                self.meet_close(hop);
            }
            Kept::Nothing => return false,
        }
        true
    }

    /// A cell's request waits for the shared connection that is being made.
    fn wait_for_shared(&mut self, hop: Handle<Hop>, connection: Handle<ClientConnection>) {
        let (pool, pod) = (self.cluster.pools[connection].pool, self.cluster.pools[connection].pod);
        self.begin_attempt(hop, pod);
        let it = &mut self.cluster.hops[hop];
        it.phase = Phase::Waiting;
        it.connection = Some(connection);
        // The pool counts nowhere, so nothing limits it.
        let waits = self.cluster.pools.wait(pool, hop);
        debug_assert!(waits, "nothing limits a cell");
    }

    /// The pool of the calling cell's worker, if the hop is a call to a `tcp` service.
    pub(super) fn pool_of_caller(&mut self, hop: &Hop) -> Option<(PodId, u16)> {
        if !self.is_tcp(hop) {
            return None;
        }
        match hop.origin {
            Origin::Call { call, .. } if self.cluster.calls.contains(call) => {
                let call = &self.cluster.calls[call];
                Some((call.pod, call.cell_worker))
            }
            _ => None,
        }
    }

    /// A cell's connection through its sidecar to a `tcp` service.
    #[cold]
    pub(super) fn attempt_over_tcp(
        &mut self,
        hop: Handle<Hop>,
        (calling_pod, cell_worker): (PodId, u16),
        proxy: ProxyId,
        worker: u16,
    ) {
        let it = self.cluster.hops[hop];
        self.prepare_upstream(proxy, it.upstream());
        let breaker = self.breaker_of(&it);
        let pool = self.cell_pool(hop, calling_pod, cell_worker, Some(breaker));
        if self.takes_kept(hop, pool) {
            return;
        }
        let Some((pod, _)) = self.choose_endpoint(hop, proxy, worker) else {
            return self.answer_itself(hop, Status::NoHealthyUpstream);
        };
        self.begin_attempt(hop, pod);
        if !self.cluster.pools.breaker(breaker).acquire(Resource::Connections) {
            self.count(hop, Counter::ConnectionOverflows);
            return self.attempt_fails(hop, Status::Overflow, Outcome::Refused);
        }
        self.cluster.hops[hop].phase = Phase::Waiting;
        let it = self.cluster.hops[hop];
        let connection = self.open(&it, pool, pod);
        self.cluster.pools[connection].bound = Some(hop);
    }

    /// A handshake is done.
    pub(crate) fn connection_ready(&mut self, connection: Handle<ClientConnection>) {
        self.cluster.pools.connected(connection);
        let bound = self.cluster.pools[connection].bound.take();
        match bound {
            Some(hop) if self.cluster.hops.contains(hop) => {
                if !self.dispatch(hop, connection) {
                    self.release(connection);
                }
            }
            // Who wanted it is gone, and has closed it.
            Some(_) => self.cluster.pools.drain(connection),
            None => self.release(connection),
        }
    }

    /// A handshake has failed.
    pub(crate) fn connection_failed(&mut self, connection: Handle<ClientConnection>) {
        let bound = self.cluster.pools[connection].bound;
        let pool = self.cluster.pools.connect_failed(connection);
        let mut failed = std::mem::take(&mut self.cluster.failed);
        failed.extend(bound.filter(|hop| self.cluster.hops.contains(*hop)));
        failed.extend(std::iter::from_fn(|| self.cluster.pools.take_waiting(pool)));
        for hop in failed.drain(..) {
            self.waiting_ends(hop);
            let it = self.cluster.hops[hop];
            self.count(hop, Counter::ConnectFailures);
            if let Client::Proxy { proxy, .. } = it.client {
                let result = AttemptResult::Local(HostResult::LocalOriginConnectFailed);
                self.host_result(proxy, it.upstream(), it.pod, result);
            }
            self.attempt_fails(hop, Status::ConnectFailure, Outcome::ConnectFailure);
        }
        self.cluster.failed = failed;
    }

    /// A request waits for a connection no longer.
    pub(super) fn stop_waiting(&mut self, hop: Handle<Hop>) {
        self.waiting_ends(hop);
        let it = self.cluster.hops[hop];
        let pool = match it.client {
            Client::Proxy { .. } if self.is_tcp(&it) => return,
            Client::Proxy { proxy, worker, .. } => {
                self.pool_of(proxy, u16::from(worker), it.upstream(), it.pod)
            }
            // Only over HTTP/2 does a cell's request wait for what others wait for too.
            Client::Cell => match self.cluster.hops[hop].connection.take() {
                Some(connection) => self.cluster.pools[connection].pool,
                None => return,
            },
        };
        self.cluster.pools.give_up(pool, hop);
    }

    /// Counts how long an attempt has waited for a connection, if it had to: whether it gets one or not.
    #[inline(always)]
    fn waiting_ends(&mut self, hop: Handle<Hop>) {
        let it = &self.cluster.hops[hop];
        if it.phase == Phase::Waiting {
            let (work, waited) = (it.work, self.now - it.routed);
            self.cluster.recorder.work_done(self.now, work, |work| work.connect_nanos += waited.as_nanos());
        }
    }

    /// The connection of an attempt that ends without an answer is closed, if it is not lost already.
    pub(super) fn close_connection(&mut self, hop: Handle<Hop>, is_lost: bool) {
        let it = &mut self.cluster.hops[hop];
        // Without one, the attempt met a connection that was closed already.
        let Some(connection) = it.connection.take() else { return };
        let it = *it;
        // Over HTTP/2 only the request is reset, unless the server is gone.
        let gone = is_lost
            || self.topology.faults.is_dead(it.pod, self.now)
            || self.cluster.pools.is_lost(connection, self.now);
        let left = self.cluster.pools.abandon(connection, !gone);
        self.has_left(left, hop);
    }

    /// The answer of an attempt is there: its connection is free for others.
    pub(super) fn connection_is_free(&mut self, hop: Handle<Hop>, response: &Response) {
        let connection = self.cluster.hops[hop].connection.take().expect("an answer comes over a connection");
        let it = self.cluster.hops[hop];
        let policy = self.policy_of(&it);
        self.cluster.pools.rest(connection, self.now, response.closes_at, policy);
        let kept = &mut self.cluster.pools[connection];
        kept.window = response.window;
        if !self.topology.faults.is_empty() {
            kept.closes_at = kept.closes_at.min(self.topology.faults.next_crash(it.pod, kept.opened));
        }
        let left = self.cluster.pools.give_back(connection);
        self.has_left(left, hop);
    }

    /// An attempt of a proxy is over for its upstream.
    pub(super) fn end_attempt(&mut self, hop: Handle<Hop>, result: AttemptResult) {
        let it = self.cluster.hops[hop];
        let Client::Proxy { proxy, .. } = it.client else { return };
        self.release_request(hop);
        self.host_result(proxy, it.upstream(), it.pod, result);
    }

    /// A request that was sent counts no more.
    #[inline(always)]
    pub(super) fn release_request(&mut self, hop: Handle<Hop>) {
        let it = self.cluster.hops[hop];
        let Client::Proxy { proxy, .. } = it.client else { return };
        let upstream = self.upstream_mut(proxy, it.upstream());
        upstream.ended(it.pod);
        let breaker = upstream.breaker;
        self.cluster.pools.breaker(breaker).release(Resource::Requests);
        self.cluster.hops[hop].phase = Phase::Idle;
    }

    /// When a proxy's connection is closed for idleness.
    pub(crate) fn proxy_closes_at(&self) -> SimTime {
        self.now.saturating_add(DEFAULT_IDLE_TIMEOUT)
    }

    /// Whether a hop goes to a `tcp` service.
    pub(super) fn is_tcp(&self, hop: &Hop) -> bool {
        matches!(hop.client, Client::Proxy { proxy, .. } if self.spec_of(hop, proxy).protocol == Protocol::Tcp)
    }

    /// What is in use is not closed for idleness.
    #[inline(always)]
    fn keeps_open(&mut self, connection: Handle<ClientConnection>) {
        let it = &mut self.cluster.pools[connection];
        let faults = &self.topology.faults;
        it.closes_at = if faults.is_empty() { SimTime::MAX } else { faults.next_crash(it.pod, it.opened) };
    }

    /// A proxy's limit of requests, its active requests and its time-out per try.
    #[inline(always)]
    fn begins_at_proxy(&mut self, hop: Handle<Hop>, proxy: ProxyId) -> bool {
        let it = self.cluster.hops[hop];
        let Cluster { proxies, pools, .. } = &mut *self.cluster;
        let upstream = proxies[proxy].upstreams[it.upstream().index()].as_mut();
        let upstream = upstream.expect("an endpoint was chosen through it");
        if !pools.breaker(upstream.breaker).acquire(Resource::Requests) {
            return false;
        }
        upstream.begins(it.pod);
        if !self.topology.upstreams.has_per_try_timeouts() {
            return true;
        }
        let route = self.route_of(&it);
        let retry = route.retry.as_ref().filter(|_| !matches!(it.origin, Origin::Mirror));
        let per_try = retry.and_then(|retry| retry.per_try_timeout);
        if let Some(timeout) = per_try.filter(|per_try| route.timeout.is_none_or(|all| *per_try < all)) {
            self.set_deadline(hop, route.number, timeout, it.attempts);
        }
        true
    }

    /// The request goes to its pod.
    pub(super) fn transmit_request(&mut self, hop: Handle<Hop>, connection: Handle<ClientConnection>) {
        if self.topology.swallows() && self.request_is_swallowed(hop, connection) {
            return;
        }
        let pod = self.cluster.hops[hop].pod;
        let target = self.topology.pods[pod].cluster;
        let stream = stream_bytes(REQUEST_HEADER, 0, self.topology.encrypts());
        let path = self.topology.path(self.cluster.id, target);
        let segments = path.segments(stream);
        let wire_bytes = path.wire_bytes(stream, segments);
        if target == self.cluster.id {
            let at = self.now + path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second);
            let attempt = self.cluster.hops[hop].attempts;
            self.scheduler.schedule(at, Event::RequestArrives { hop, attempt });
            return;
        }
        let work = self.cluster.hops[hop].work;
        self.cluster.recorder.work_done(self.now, work, |work| work.cross_wire += u64::from(wire_bytes));
        let request = self.request_of(hop, connection);
        let message = Message { to: target, wire_bytes, body: Body::Request(request) };
        let here = self.cluster.id;
        let lost = self.topology.loss(here, target, segments, request.address, Purpose::LossRequest);
        let late = lost.map_or(SimDuration::ZERO, |lost| lost.costs(&path));
        self.send_with(message, request.address, Purpose::LinkRequest, late);
    }

    pub(super) fn path_to(&self, pod: PodId) -> Path {
        self.topology.path(self.cluster.id, self.topology.pods[pod].cluster)
    }

    /// Begins to make a connection.
    fn open(&mut self, hop: &Hop, pool: PoolId, pod: PodId) -> Handle<ClientConnection> {
        let service = self.topology.pods[pod].service;
        let server = &self.topology.application().services[service];
        let workers = if self.topology.has_sidecars() {
            self.topology.description.mesh.concurrency
        } else {
            server.workers
        };
        let address = self.next_draw();
        let worker = uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers));
        let window = Window::new(self.now, self.topology.tcp_of(pod));
        let connection = self.cluster.pools.open(self.now, pool, pod, worker as u16, window);
        self.cluster.recorder.counted(self.now, service, Counter::Connections);
        let gives_up = self.now.saturating_add(self.patience(pool, service));
        match self.handshake(hop, connection) {
            Ok(ready) if ready <= gives_up => {
                self.scheduler.schedule(ready, Event::ConnectionReady(connection));
            }
            Ok(at) | Err(at) => self.scheduler.schedule(at.min(gives_up), Event::ConnectionFails(connection)),
        }
        connection
    }

    /// When a connection that is asked for now is ready, if its client waits for so long.
    ///
    /// # Errors
    /// When its client learns that it is refused, or TCP gives it up.
    fn handshake(&mut self, hop: &Hop, connection: Handle<ClientConnection>) -> Result<SimTime, SimTime> {
        let ClientConnection { pool, pod, .. } = self.cluster.pools[connection];
        let (path, faults) = (self.path_to(pod), &self.topology.faults);
        let syn = self.fate_of_syn(hop, pod, &path).passes()?;
        let dies = !faults.is_empty() && faults.is_dead(pod, syn + path.one_way);
        let here = self.topology.pods[pod].cluster == self.cluster.id;
        if dies || (here && self.is_down(pod)) {
            return Err(syn + path.round_trip);
        }
        if !faults.is_empty() {
            self.cluster.pools[connection].closes_at = faults.next_crash(pod, self.now);
        }
        // TCP, and TLS 1.3 where proxies encrypt.
        let (round_trips, handshakes) = if self.topology.is_ambient() {
            self.open_stream(self.cluster.pools.owner(pool), pod)
        } else {
            let encrypts = self.topology.encrypts();
            (1 + u64::from(encrypts), encrypts)
        };
        let last = syn + path.round_trip * (round_trips - 1);
        let mut ready = self.fate_of_handshake(hop, pod, &path, last).passes()? + path.round_trip;
        if handshakes {
            let handshake = self.topology.description.mesh.handshake;
            ready += handshake * 2;
            self.cluster.recorder.proxy_used_cpu(self.now, 2.0 * handshake.as_nanos() as f64);
        }
        Ok(ready)
    }

    /// What the kube-proxy or ztunnel of a pod's node chooses for a new connection: any ready endpoint,
    /// or any healthy one of the nearest level that has one.
    fn endpoint_for_cell(&mut self, pod: PodId, service: ServiceId) -> Option<PodId> {
        let address = self.next_draw();
        let mut rng = draw(address, Purpose::KubeProxy);
        if !self.topology.is_ambient() {
            let ready = self.cluster.ready_pods(self.topology, service);
            return kube_proxy::pick(ready.len(), &mut rng).map(|rank| ready.pod(rank));
        }
        let node = self.cluster.workloads.pods[self.topology.slot_of(pod)].node;
        let (site, id) = (self.topology.site_of_node(self.cluster.id, node), UpstreamId(service.0));
        let view = view_of(&self.cluster.changed_views, self.topology, self.cluster.id, site, id);
        let healthy = |level| view.places(level).filter(|&place| view.detail(place).healthy);
        let level = (0..view.levels()).find(|&level| healthy(level).next().is_some())?;
        let number = uniform_index(&mut rng, healthy(level).count());
        healthy(level).nth(number).map(|place| view.pod(place))
    }

    /// The pool of a cell's worker for a Service, made at its first call.
    fn cell_pool(
        &mut self,
        hop: Handle<Hop>,
        calling_pod: PodId,
        cell_worker: u16,
        breaker: Option<BreakerId>,
    ) -> PoolId {
        let service = self.topology.service_of(self.cluster.hops[hop].endpoint);
        let services = self.topology.application().services.len();
        let index = Cluster::cell_pool_index(cell_worker, service, services);
        let slot = self.topology.slot_of(calling_pod);
        let known = self.cluster.cell_pools[slot][index];
        let shares = self.topology.description.services[service].protocol.shares_connections();
        let pool = known.unwrap_or_else(|| self.cluster.pools.add_of_cell(calling_pod, breaker, shares));
        self.cluster.cell_pools[slot][index] = Some(pool);
        pool
    }

    /// How long the client of a pool waits for a connection to a pod of a service.
    fn patience(&self, pool: PoolId, service: ServiceId) -> SimDuration {
        let description = &self.topology.description;
        match description.mesh.data_plane {
            DataPlane::None if self.cluster.pools.is_of_cell(pool) => {
                description.cell.client_timeout.unwrap_or(FOR_EVER)
            }
            // A ztunnel waits for as long as it takes.
            DataPlane::Ambient if self.cluster.pools.is_of_cell(pool) => FOR_EVER,
            _ => self.topology.upstreams.spec(false, UpstreamId(service.0)).policy.connect_timeout,
        }
    }

    pub(super) fn count(&mut self, hop: Handle<Hop>, counter: Counter) {
        let it = &self.cluster.hops[hop];
        let service = match it.client {
            Client::Proxy { proxy, .. } => self.spec_of(it, proxy).service,
            Client::Cell => self.topology.service_of(it.endpoint),
        };
        self.cluster.recorder.counted(self.now, service, counter);
    }
}

/// The client's side.
impl Pooling<Handle<Hop>> for Context<'_> {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Hop>> {
        &mut self.cluster.pools
    }

    #[inline(always)]
    fn take(&mut self, hop: Handle<Hop>, pool: PoolId) -> Taken<Handle<Hop>> {
        let (topology, here) = (self.topology, self.cluster.id);
        let one_way = |pod| topology.path(here, topology.pods[pod].cluster).one_way;
        self.cluster.pools.take(pool, hop, self.now, one_way)
    }

    fn dispatch(&mut self, hop: Handle<Hop>, connection: Handle<ClientConnection>) -> bool {
        self.waiting_ends(hop);
        match self.cluster.hops[hop].client {
            Client::Proxy { proxy, .. } => {
                if !self.begins_at_proxy(hop, proxy) {
                    self.overflows(hop);
                    return false;
                }
            }
            Client::Cell => self.cell_waits_without_mesh(hop),
        }
        let most = self.policy_of(&self.cluster.hops[hop]).and_then(|it| it.max_requests_per_connection);
        self.cluster.pools.attach(connection, most);
        self.keeps_open(connection);
        let it = &mut self.cluster.hops[hop];
        it.connection = Some(connection);
        it.phase = Phase::Sent;
        self.transmit_request(hop, connection);
        true
    }

    /// Its client will learn of the close a round trip later.
    #[cold]
    fn meet_close(&mut self, hop: Handle<Hop>) {
        if let Client::Proxy { proxy, .. } = self.cluster.hops[hop].client
            && !self.begins_at_proxy(hop, proxy)
        {
            return self.overflows(hop);
        }
        let it = &mut self.cluster.hops[hop];
        it.phase = Phase::Sent;
        let (pod, attempt) = (it.pod, it.attempts);
        let at = self.now + self.path_to(pod).round_trip;
        self.scheduler.schedule(at, Event::ResetArrives { hop, attempt });
    }

    #[cold]
    fn overflows(&mut self, hop: Handle<Hop>) {
        self.count(hop, Counter::RequestOverflows);
        self.attempt_fails(hop, Status::Overflow, Outcome::Refused);
    }

    fn waits(&mut self, hop: Handle<Hop>) {
        self.cluster.hops[hop].phase = Phase::Waiting;
    }

    fn connect(&mut self, hop: Handle<Hop>, pool: PoolId) {
        let it = self.cluster.hops[hop];
        self.open(&it, pool, it.pod);
    }

    fn connection_overflows(&mut self, hop: Handle<Hop>) {
        self.count(hop, Counter::ConnectionOverflows);
    }

    fn kept_most(&self, pool: PoolId) -> u32 {
        if self.cluster.pools.is_of_cell(pool) { KEPT_BY_CELL } else { u32::MAX }
    }
}

impl<'a> Context<'a> {
    /// What a hop's proxy is told of its upstream.
    pub(super) fn spec_of(&self, hop: &Hop, proxy: ProxyId) -> &'a UpstreamSpec {
        let topology = self.topology;
        topology.upstreams.spec(topology.is_gateway(proxy), hop.upstream())
    }

    /// What limits a hop's upstream.
    ///
    /// # Panics
    /// If its proxy has not chosen an endpoint yet.
    pub(super) fn breaker_of(&self, hop: &Hop) -> BreakerId {
        let Client::Proxy { proxy, .. } = hop.client else { unreachable!("a cell has no limits") };
        let upstream = self.cluster.proxies[proxy].upstreams[hop.upstream().index()].as_ref();
        upstream.expect("made before an endpoint is chosen").breaker
    }

    /// How a proxy keeps the connections of a hop's upstream; nothing for a cell's own.
    fn policy_of(&self, hop: &Hop) -> Option<&'a ClusterPolicy> {
        let Client::Proxy { proxy, .. } = hop.client else { return None };
        Some(&self.spec_of(hop, proxy).policy)
    }
}
