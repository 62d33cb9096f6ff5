//! The client's connections: one for each attempt, kept, made or waited for.
//!
//! # Models
//! An attempt gets a connection of its worker's pool as `cluster/pooling` says. A handshake is a round trip for TCP and one more
//! for TLS 1.3, and CPU on both sides where certificates are checked. If a connection cannot be made,
//! all that wait for one in its pool fail: because it is refused, or because it is not made within the
//! proxy's `connectTimeout`, handshake included.
//! What a cell connects to by itself is in `from_cell`.
//!
//! # Assumptions
//! - Handshakes and acknowledgements are time, not bytes: `cross_wire` has requests and responses
//!   only. Effect: a new mTLS connection's 3 to 5 kB are missing.
//! - Handshakes have no random part of the link's delay. Their CPU is counted for the client's
//!   cluster and blocks no worker.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `newStreamImpl`, `attachStreamToClient`, `onConnectionEvent`.

use super::Outbound;
use super::hop::{Client, ClientConnection, Hop, Origin, Phase};
use super::router::route_of;
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::Response;
use crate::cluster::pooling::Pooling;
use crate::draws::{Purpose, draw};
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::connection_pool::{ConnectionPools, Taken};
use crate::envoy::mtls::Handshake;
use crate::envoy::outlier_detection::HostResult;
use crate::envoy::per_try_timeout::per_try_timeout;
use crate::envoy::retry::Outcome;
use crate::envoy::upstream::AttemptResult;
use crate::ids::{BreakerId, PodId, PoolId, ProxyId, ServiceId, UpstreamId};
use crate::istiod::cluster_policy::ClusterPolicy;
use crate::network::tcp::Window;
use crate::request::answer::Status;
use crate::telemetry::metrics::Counter;
use crate::world::description::DataPlane;
use meshsim_core::random::uniform_index;
use meshsim_core::{Handle, SimDuration, SimTime};

/// urllib3 keeps at most so many idle connections per host.
const KEPT_BY_CELL: u32 = 10;

const FOR_EVER: SimDuration = SimDuration::from_nanos(u64::MAX);

impl Outbound {
    /// A handshake is done.
    pub(crate) fn connection_ready(&mut self, at: &mut Around<'_>, connection: Handle<ClientConnection>) {
        self.pools.connected(connection);
        let bound = self.pools[connection].bound.take();
        match bound {
            Some(hop) if self.hops.contains(hop) => {
                if !self.dispatch(at, hop, connection) {
                    self.release(at, connection);
                }
            }
            // Who wanted it is gone, and has closed it.
            Some(_) => self.pools.drain(connection),
            None => self.release(at, connection),
        }
    }

    /// A handshake has failed.
    pub(crate) fn connection_failed(&mut self, at: &mut Around<'_>, connection: Handle<ClientConnection>) {
        let bound = self.pools[connection].bound;
        let pool = self.pools.connect_failed(connection);
        let mut failed = std::mem::take(&mut self.failed);
        failed.extend(bound.filter(|hop| self.hops.contains(*hop)));
        failed.extend(std::iter::from_fn(|| self.pools.take_waiting(pool)));
        for hop in failed.drain(..) {
            self.waiting_ends(at, hop);
            let it = self.hops[hop];
            self.count(at, hop, Counter::ConnectFailures);
            if let Client::Proxy { proxy, .. } = it.client {
                let result = AttemptResult::Local(HostResult::LocalOriginConnectFailed);
                self.host_result(at, proxy, it.upstream(), it.pod, result);
            }
            self.attempt_fails(at, hop, Status::ConnectFailure, Outcome::ConnectFailure);
        }
        self.failed = failed;
    }

    /// A request waits for a connection no longer.
    pub(super) fn stop_waiting(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.waiting_ends(at, hop);
        let it = self.hops[hop];
        let pool = match it.client {
            Client::Proxy { .. } if self.is_tcp(at, &it) => return,
            Client::Proxy { proxy, worker, .. } => {
                self.pool_of(proxy, u16::from(worker), it.upstream(), it.pod)
            }
            // Only over HTTP/2 does a cell's request wait for what others wait for too.
            Client::Cell => match self.hops[hop].connection.take() {
                Some(connection) => self.pools[connection].pool,
                None => return,
            },
        };
        self.pools.give_up(pool, hop);
    }

    /// Counts how long an attempt has waited for a connection, if it had to: whether it gets one or not.
    #[inline(always)]
    fn waiting_ends(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let it = &self.hops[hop];
        if it.phase == Phase::Waiting {
            let (work, waited) = (it.work, at.now - it.routed);
            at.recorder.work_done(at.now, work, |work| work.connect_nanos += waited.as_nanos());
        }
    }

    /// The connection of an attempt that ends without an answer is closed, if it is not lost already.
    pub(super) fn close_connection(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, is_lost: bool) {
        let it = &mut self.hops[hop];
        // Without one, the attempt met a connection that was closed already.
        let Some(connection) = it.connection.take() else { return };
        let it = *it;
        // Over HTTP/2 only the request is reset, unless the server is gone.
        let gone =
            is_lost || at.topology.faults.is_dead(it.pod, at.now) || self.pools.is_lost(connection, at.now);
        let left = self.pools.abandon(connection, !gone);
        self.has_left(at, left, hop);
    }

    /// The answer of an attempt is there: its connection is free for others.
    pub(super) fn connection_is_free(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, response: &Response) {
        let connection = self.hops[hop].connection.take().expect("an answer comes over a connection");
        let it = self.hops[hop];
        let policy = policy_of(at, &it);
        self.pools.rest(connection, at.now, response.closes_at, policy);
        let kept = &mut self.pools[connection];
        kept.window = response.window;
        if !at.topology.faults.is_empty() {
            kept.closes_at = kept.closes_at.min(at.topology.faults.next_crash(it.pod, kept.opened));
        }
        let left = self.pools.give_back(connection);
        self.has_left(at, left, hop);
    }

    /// An attempt of a proxy is over for its upstream.
    pub(super) fn end_attempt(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, result: AttemptResult) {
        let it = self.hops[hop];
        let Client::Proxy { proxy, .. } = it.client else { return };
        self.release_request(hop);
        self.host_result(at, proxy, it.upstream(), it.pod, result);
    }

    /// A request that was sent counts no more.
    #[inline(always)]
    pub(super) fn release_request(&mut self, hop: Handle<Hop>) {
        let it = self.hops[hop];
        let Client::Proxy { proxy, .. } = it.client else { return };
        let upstream = self.upstream_mut(proxy, it.upstream());
        upstream.ended(it.pod);
        let breaker = upstream.breaker;
        self.pools.breaker(breaker).release(Resource::Requests);
        self.hops[hop].phase = Phase::Idle;
    }

    /// Whether a hop goes to a `tcp` service.
    pub(super) fn is_tcp(&self, at: &Around<'_>, hop: &Hop) -> bool {
        matches!(hop.client, Client::Proxy { proxy, .. } if at.spec(proxy, hop.upstream()).protocol == Protocol::Tcp)
    }

    /// What is in use is not closed for idleness.
    #[inline(always)]
    fn keeps_open(&mut self, at: &mut Around<'_>, connection: Handle<ClientConnection>) {
        let it = &mut self.pools[connection];
        let faults = &at.topology.faults;
        it.closes_at = if faults.is_empty() { SimTime::MAX } else { faults.next_crash(it.pod, it.opened) };
    }

    /// A proxy's limit of requests, its active requests and its time-out per try.
    #[inline(always)]
    fn begins_at_proxy(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, proxy: ProxyId) -> bool {
        let it = self.hops[hop];
        let upstream = self.upstreams.get_mut(proxy, it.upstream());
        let upstream = upstream.expect("an endpoint was chosen through it");
        if !self.pools.breaker(upstream.breaker).acquire(Resource::Requests) {
            return false;
        }
        upstream.begins(it.pod);
        if at.topology.upstreams.has_per_try_timeouts() {
            let route = route_of(at, &it);
            if let Some(timeout) = per_try_timeout(route, matches!(it.origin, Origin::Mirror)) {
                self.set_deadline(at, hop, route.number, timeout, it.attempts);
            }
        }
        true
    }

    /// The request goes to its pod.
    pub(super) fn transmit_request(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) {
        if at.topology.swallows() && self.request_is_swallowed(at, hop, connection) {
            return;
        }
        let request = self.request_of(at, hop, connection);
        at.hand(Handed::Request(request));
    }

    /// Begins to make a connection.
    pub(super) fn open(
        &mut self,
        at: &mut Around<'_>,
        hop: &Hop,
        pool: PoolId,
        pod: PodId,
    ) -> Handle<ClientConnection> {
        let service = at.topology.pods[pod].service;
        let server = &at.topology.application().services[service];
        let workers = if at.topology.has_sidecars() {
            at.topology.description.mesh.concurrency
        } else {
            server.workers
        };
        let address = at.next_draw();
        let worker = uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers));
        let window = Window::new(at.now, at.topology.tcp_of(pod));
        let connection = self.pools.open(at.now, pool, pod, worker as u16, window);
        at.recorder.counted(at.now, service, Counter::Connections);
        let gives_up = at.now.saturating_add(self.patience(at, pool, service));
        match self.handshake(at, hop, connection) {
            Ok(ready) if ready <= gives_up => {
                at.schedule(ready, Event::ConnectionReady(connection));
            }
            Ok(ends) | Err(ends) => at.schedule(ends.min(gives_up), Event::ConnectionFails(connection)),
        }
        connection
    }

    /// When a connection that is asked for now is ready, if its client waits for so long.
    ///
    /// # Errors
    /// When its client learns that it is refused, or TCP gives it up.
    fn handshake(
        &mut self,
        at: &mut Around<'_>,
        hop: &Hop,
        connection: Handle<ClientConnection>,
    ) -> Result<SimTime, SimTime> {
        let ClientConnection { pool, pod, .. } = self.pools[connection];
        let (path, faults) = (at.path_to(pod), &at.topology.faults);
        let syn = self.fate_of_syn(at, hop, pod, &path).passes()?;
        let dies = !faults.is_empty() && faults.is_dead(pod, syn + path.one_way);
        let here = at.topology.pods[pod].cluster == at.here;
        if dies || (here && at.is_down(pod)) {
            return Err(syn + path.round_trip);
        }
        if !faults.is_empty() {
            self.pools[connection].closes_at = faults.next_crash(pod, at.now);
        }
        let handshake = if at.topology.is_ambient() {
            self.open_stream(at, self.pools.owner(pool), pod)
        } else {
            Handshake::of_connection(at.topology.encrypts())
        };
        let last = syn + path.round_trip * (handshake.round_trips - 1);
        let mut ready = self.fate_of_handshake(at, hop, pod, &path, last).passes()? + path.round_trip;
        if handshake.checks {
            let work = handshake.work(at.topology.description.mesh.handshake);
            ready += work;
            at.recorder.proxy_used_cpu(at.now, work.as_nanos() as f64);
        }
        Ok(ready)
    }

    /// How long the client of a pool waits for a connection to a pod of a service.
    fn patience(&self, at: &Around<'_>, pool: PoolId, service: ServiceId) -> SimDuration {
        let description = &at.topology.description;
        match description.mesh.data_plane {
            DataPlane::None if self.pools.is_of_cell(pool) => {
                description.cell.client_timeout.unwrap_or(FOR_EVER)
            }
            // A ztunnel waits for as long as it takes.
            DataPlane::Ambient if self.pools.is_of_cell(pool) => FOR_EVER,
            _ => at.topology.upstreams.spec(false, UpstreamId(service.0)).policy.connect_timeout,
        }
    }

    pub(super) fn count(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, counter: Counter) {
        let it = &self.hops[hop];
        let service = match it.client {
            Client::Proxy { proxy, .. } => at.spec(proxy, it.upstream()).service,
            Client::Cell => at.topology.service_of(it.endpoint),
        };
        at.recorder.counted(at.now, service, counter);
    }
}

/// The client's side.
impl Pooling<Handle<Hop>> for Outbound {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Hop>> {
        &mut self.pools
    }

    #[inline(always)]
    fn take(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pool: PoolId) -> Taken<Handle<Hop>> {
        let (topology, here) = (at.topology, at.here);
        let one_way = |pod| topology.path(here, topology.pods[pod].cluster).one_way;
        self.pools.take(pool, hop, at.now, one_way)
    }

    fn dispatch(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) -> bool {
        self.waiting_ends(at, hop);
        match self.hops[hop].client {
            Client::Proxy { proxy, .. } => {
                if !self.begins_at_proxy(at, hop, proxy) {
                    self.overflows(at, hop);
                    return false;
                }
            }
            Client::Cell => self.cell_waits_without_mesh(at, hop),
        }
        let most = policy_of(at, &self.hops[hop]).and_then(|it| it.max_requests_per_connection);
        self.pools.attach(connection, most);
        self.keeps_open(at, connection);
        let it = &mut self.hops[hop];
        it.connection = Some(connection);
        it.phase = Phase::Sent;
        self.transmit_request(at, hop, connection);
        true
    }

    /// Its client will learn of the close a round trip later.
    #[cold]
    fn meet_close(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if let Client::Proxy { proxy, .. } = self.hops[hop].client
            && !self.begins_at_proxy(at, hop, proxy)
        {
            return self.overflows(at, hop);
        }
        let it = &mut self.hops[hop];
        it.phase = Phase::Sent;
        let (pod, attempt) = (it.pod, it.attempts);
        at.schedule(at.now + at.path_to(pod).round_trip, Event::ResetArrives { hop, attempt });
    }

    #[cold]
    fn overflows(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.count(at, hop, Counter::RequestOverflows);
        self.attempt_fails(at, hop, Status::Overflow, Outcome::Refused);
    }

    fn waits(&mut self, hop: Handle<Hop>) {
        self.hops[hop].phase = Phase::Waiting;
    }

    fn connect(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pool: PoolId) {
        let it = self.hops[hop];
        self.open(at, &it, pool, it.pod);
    }

    fn connection_overflows(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.count(at, hop, Counter::ConnectionOverflows);
    }

    fn kept_most(&self, pool: PoolId) -> u32 {
        if self.pools.is_of_cell(pool) { KEPT_BY_CELL } else { u32::MAX }
    }
}

impl Outbound {
    /// What limits a hop's upstream.
    ///
    /// # Panics
    /// If its proxy has not chosen an endpoint yet.
    pub(super) fn breaker_of(&self, hop: &Hop) -> BreakerId {
        let Client::Proxy { proxy, .. } = hop.client else { unreachable!("a cell has no limits") };
        self.upstreams.get(proxy, hop.upstream()).expect("made before an endpoint is chosen").breaker
    }
}

/// How a proxy keeps the connections of a hop's upstream; nothing for a cell's own.
fn policy_of<'a>(at: &Around<'a>, hop: &Hop) -> Option<&'a ClusterPolicy> {
    let Client::Proxy { proxy, .. } = hop.client else { return None };
    Some(&at.spec(proxy, hop.upstream()).policy)
}
