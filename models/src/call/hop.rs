//! The client's side of a call: endpoint, connection, request out, response in, retry or end.
//!
//! # Models
//! The client is a proxy (gateway or sidecar), or without a mesh the calling cell itself. It picks
//! an endpoint and a connection, sends, waits, and gives the connection back; a proxy may try
//! again. An attempt whose endpoint is in another cluster is a crossing, into a cluster that was on
//! the way already also a return.
//!
//! # Assumptions
//! - Handshakes and acknowledgements are time, not bytes: `cross_wire` has requests and responses
//!   only. Effect: a new mTLS connection's 3 to 5 kB are missing.
//! - Handshakes have no random part of the link's delay.
//! - A request that is reset has sent no bytes.
//!
//! # Source
//! Envoy, life of a request; the rules are cited where they are kept, in `mesh/*` and `kube_proxy`.

use super::position::ClusterPath;
use super::record::{Answer, Client, Hop, Origin, Status};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::message::{Body, Message, Request, Response};
use crate::draws::{Purpose, draw};
use crate::ids::{EndpointId, PodId, PoolId, ProxyId};
use crate::kube_proxy;
use crate::mesh::connection_pool::{Checkout, Connection};
use crate::mesh::host_selection;
use crate::mesh::load_balancer::{LoadBalancer, Policy};
use crate::mesh::proxy::Upstream;
use crate::mesh::proxy_cost::ProxyPass;
use crate::mesh::retry;
use crate::network::link::serialization;
use crate::network::path::{Path, REQUEST_HEADER, stream_bytes};
use meshsim_core::random::uniform_index;
use meshsim_core::{Handle, Id, SimDuration, SimTime};

/// urllib3 keeps at most so many idle connections per host.
const KEPT_BY_CELL: u32 = 10;

/// Envoy's idle time-out of a connection, also Istio's default.
const PROXY_IDLE_TIMEOUT: SimDuration = SimDuration::from_secs(3600);

impl Context<'_> {
    /// A proxy chooses an endpoint for a request and gives it a connection.
    pub(crate) fn route(&mut self, hop: Handle<Hop>) {
        let it = self.cluster.hops[hop];
        let Client::Proxy { proxy, worker } = it.client else { return };
        let pod = self.choose_endpoint(&it, proxy, worker);
        let workers = self.cluster.proxies[proxy].workers();
        let service = self.topology.service_of(it.endpoint);
        let upstream = self.cluster.proxies[proxy].upstreams[service.index()].as_mut();
        let pools = &mut self.cluster.pools;
        let host =
            upstream.expect("the endpoint was chosen through it").host_or_insert(pod, || pools.add(workers));
        host.active += 1;
        let pool = PoolId(host.pools.0 + u32::from(worker));
        self.begin_attempt(hop, pod);
        match self.check_out(pool) {
            Checkout::Kept(connection) => self.dispatch(hop, connection),
            Checkout::Closed(pod) => self.reset(hop, pod),
            Checkout::None => {
                // Whichever connection is ready first takes the request.
                self.open(pool, pod, None);
                self.cluster.pools.wait(pool, hop, &mut self.cluster.hops);
            }
        }
    }

    /// A cell calls a Service without a mesh: kube-proxy chooses once per connection.
    pub(crate) fn call_from_cell(&mut self, hop: Handle<Hop>, calling_pod: PodId, cell_worker: u16) {
        let service = self.topology.service_of(self.cluster.hops[hop].endpoint);
        let services = self.topology.application().services.len();
        let index = crate::cluster::state::Cluster::cell_pool_index(cell_worker, service, services);
        let slot = self.topology.slot_of(calling_pod);
        let known = self.cluster.cell_pools[slot][index];
        let pool = known.unwrap_or_else(|| self.cluster.pools.add(1));
        self.cluster.cell_pools[slot][index] = Some(pool);
        match self.check_out(pool) {
            Checkout::Kept(connection) => {
                let pod = self.cluster.pools[connection].pod;
                self.begin_attempt(hop, pod);
                self.dispatch(hop, connection);
            }
            Checkout::Closed(pod) => {
                self.begin_attempt(hop, pod);
                self.reset(hop, pod);
            }
            Checkout::None => {
                let address = self.next_draw();
                let endpoints = self.topology.everywhere(service);
                let pod = kube_proxy::pick(endpoints, &mut draw(address, Purpose::KubeProxy));
                self.begin_attempt(hop, pod);
                self.open(pool, pod, Some(hop));
            }
        }
    }

    /// A handshake is done.
    pub(crate) fn connection_ready(&mut self, connection: Handle<Connection>) {
        let it = self.cluster.pools[connection];
        if let Some(hop) = it.bound {
            self.cluster.pools[connection].bound = None;
            self.dispatch(hop, connection);
        } else {
            self.release(connection, it.pool, u32::MAX);
        }
    }

    /// The answer of a pod of this or another cluster reaches the client.
    pub(crate) fn response_arrives(&mut self, response: &Response) {
        let hop = response.hop;
        let it = &mut self.cluster.hops[hop];
        it.answer.totals.add(&response.answer.totals);
        it.answer.status = response.answer.status;
        it.answer.body = response.answer.body;
        let (client, pod, endpoint, address) = (it.client, it.pod, it.endpoint, it.address);
        let connection = it.connection.take().expect("an answer comes over a connection");
        let kept = &mut self.cluster.pools[connection];
        kept.window = response.window;
        kept.closes_at = response.closes_at.min(self.now.saturating_add(PROXY_IDLE_TIMEOUT));
        let pool = kept.pool;
        let Client::Proxy { proxy, worker } = client else {
            self.release(connection, pool, KEPT_BY_CELL);
            self.hop_completes(hop);
            return;
        };
        self.end_attempt(proxy, pod, endpoint);
        self.release(connection, pool, u32::MAX);
        let body = response.answer.body;
        let (pass, loopback) = self.pass_of(proxy);
        let (takes, cpu) = (pass.response(address, body), pass.cpu(body));
        self.cluster.metrics.add_proxy_cpu(self.now, cpu);
        let at = self.cluster.proxies[proxy].pass(worker, self.now, takes) + loopback;
        self.scheduler.schedule(at, Event::HopCompletes(hop));
    }

    /// The client learns that its connection was closed under its request.
    pub(crate) fn reset_arrives(&mut self, hop: Handle<Hop>) {
        let it = &mut self.cluster.hops[hop];
        it.answer.status = Status::UpstreamReset;
        it.answer.body = 0;
        // Neither Istio's default nor a cell's own client retries a reset.
        it.attempts = u8::MAX;
        let (client, pod, endpoint) = (it.client, it.pod, it.endpoint);
        if let Client::Proxy { proxy, .. } = client {
            self.end_attempt(proxy, pod, endpoint);
        }
        self.hop_completes(hop);
    }

    /// A request is over for its client, or tried again.
    pub(crate) fn hop_completes(&mut self, hop: Handle<Hop>) {
        let it = self.cluster.hops[hop];
        let version = self.topology.description.mesh.istio_version;
        let proxied = matches!(it.client, Client::Proxy { .. });
        if proxied && retry::retries(version, it.answer.status.code(), it.attempts) {
            let wait = retry::back_off(it.attempts, it.address);
            self.cluster.hops[hop].answer.totals.retries += 1;
            self.scheduler.schedule(self.now + wait, Event::Routes(hop));
            return;
        }
        self.cluster.hops.remove(hop);
        match it.origin {
            Origin::User { population, row } => self.answer_user(population, row, &it.answer),
            Origin::Call { call, group, step } => self.call_answered(call, group, step, &it.answer),
        }
    }

    fn choose_endpoint(&mut self, hop: &Hop, proxy: ProxyId, worker: u16) -> PodId {
        let service = self.topology.service_of(hop.endpoint);
        let view = self.topology.view(self.cluster.id, service);
        if self.cluster.proxies[proxy].upstreams[service.index()].is_none() {
            let levels = (0..view.levels()).map(|level| view.level(level).len());
            let balancers = levels.map(|hosts| self.start_balancers(proxy, hosts)).collect();
            let made = Some(Box::new(Upstream::new(balancers)));
            self.cluster.proxies[proxy].upstreams[service.index()] = made;
        }
        let upstream = self.cluster.proxies[proxy].upstreams[service.index()].as_mut();
        let upstream = upstream.expect("made above");
        let address = hop.address.child(u64::from(hop.attempts));
        let mut rng = draw(address, Purpose::Balance);
        let balance = || {
            let level = view.choose_level(|| uniform_index(&mut rng, 100) as u64);
            Some(upstream.pick(worker, level, view.level(level), &mut rng))
        };
        // A retry looks for an endpoint that was not tried before.
        let again = if hop.attempts == 0 { 0 } else { retry::HOST_SELECTION_RETRIES };
        let selection = host_selection::select(balance, |pod| pod == hop.pod, again);
        selection.host.expect("all endpoints are healthy")
    }

    fn start_balancers(&mut self, proxy: ProxyId, hosts: usize) -> Vec<LoadBalancer> {
        let policy = self.policy_of(proxy);
        let workers = self.cluster.proxies[proxy].workers();
        (0..workers)
            .map(|_| {
                let address = self.next_draw();
                policy.start(hosts, &mut draw(address, Purpose::BalancerStart))
            })
            .collect()
    }

    fn is_gateway(&self, proxy: ProxyId) -> bool {
        proxy.0 < u32::from(self.topology.description.gateway.replicas)
    }

    fn policy_of(&self, proxy: ProxyId) -> Policy {
        let description = &self.topology.description;
        if self.is_gateway(proxy) {
            description.gateway.load_balancer
        } else {
            description.mesh.load_balancer
        }
    }

    /// What passing a client-side proxy takes, and the way from there to its cell.
    fn pass_of(&self, proxy: ProxyId) -> (&ProxyPass, SimDuration) {
        if self.is_gateway(proxy) {
            (&self.topology.gateway_pass, SimDuration::ZERO)
        } else {
            (&self.topology.outbound_pass, self.topology.description.mesh.loopback)
        }
    }

    fn check_out(&mut self, pool: PoolId) -> Checkout {
        let (topology, here) = (self.topology, self.cluster.id);
        let one_way = |pod| topology.path(here, topology.pods[pod].cluster).one_way;
        self.cluster.pools.check_out(pool, self.now, one_way)
    }

    fn path_to(&self, pod: PodId) -> Path {
        self.topology.path(self.cluster.id, self.topology.pods[pod].cluster)
    }

    /// Counts an attempt at `pod`.
    fn begin_attempt(&mut self, hop: Handle<Hop>, pod: PodId) {
        let target = self.topology.pods[pod].cluster;
        let crosses = target != self.cluster.id;
        let returns = crosses && self.clusters_before(self.cluster.hops[hop].origin).contains(target);
        let it = &mut self.cluster.hops[hop];
        it.pod = pod;
        it.routed = self.now;
        it.attempts += 1;
        it.answer.totals.crossings += u16::from(crosses);
        it.answer.totals.returns += u16::from(returns);
    }

    /// The clusters that lead to a hop, this one included.
    fn clusters_before(&self, origin: Origin) -> ClusterPath {
        match origin {
            Origin::User { .. } => ClusterPath::default().then(self.cluster.id),
            Origin::Call { call, .. } => self.cluster.calls[call].path,
        }
    }

    fn end_attempt(&mut self, proxy: ProxyId, pod: PodId, endpoint: EndpointId) {
        let service = self.topology.service_of(endpoint);
        let upstream = self.cluster.proxies[proxy].upstreams[service.index()].as_mut();
        upstream.expect("the attempt was begun through it").ended(pod);
    }

    /// Begins to make a connection; `bound` tells whom it is for, if not for whoever waits.
    fn open(&mut self, pool: PoolId, pod: PodId, bound: Option<Handle<Hop>>) {
        let server = &self.topology.application().services[self.topology.pods[pod].service];
        let workers = if self.topology.has_sidecars() {
            self.topology.description.mesh.concurrency
        } else {
            server.workers
        };
        let address = self.next_draw();
        let worker = uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers));
        let connection = self.cluster.pools.open(self.now, pool, pod, worker as u16);
        self.cluster.pools[connection].bound = bound;
        // TCP, and TLS 1.3 where proxies encrypt.
        let round_trips = 1 + u64::from(self.topology.encrypts());
        let ready = self.now + self.path_to(pod).round_trip * round_trips;
        self.scheduler.schedule(ready, Event::ConnectionReady(connection));
    }

    /// A connection has nothing to do: the next waiting request takes it, or it falls idle.
    fn release(&mut self, connection: Handle<Connection>, pool: PoolId, kept_max: u32) {
        match self.cluster.pools.take_waiting(pool, &mut self.cluster.hops) {
            Some(hop) => self.dispatch(hop, connection),
            None => self.cluster.pools.check_in(connection, kept_max),
        }
    }

    /// The client will learn a round trip later that the server had closed the connection.
    fn reset(&mut self, hop: Handle<Hop>, pod: PodId) {
        let at = self.now + self.path_to(pod).round_trip;
        self.scheduler.schedule(at, Event::ResetArrives(hop));
    }

    /// Sends a request over its connection.
    fn dispatch(&mut self, hop: Handle<Hop>, connection: Handle<Connection>) {
        let it = &mut self.cluster.hops[hop];
        it.connection = Some(connection);
        let waited = (self.now - it.routed).as_nanos() / 1_000;
        it.answer.totals.connect_us = it.answer.totals.connect_us.saturating_add(waited as u32);
        let pod = it.pod;
        let target = self.topology.pods[pod].cluster;
        let stream = stream_bytes(REQUEST_HEADER, 0, self.topology.encrypts());
        let path = self.topology.path(self.cluster.id, target);
        let wire_bytes = path.wire_bytes(stream, path.segments(stream));
        if target == self.cluster.id {
            let at = self.now + path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second);
            self.scheduler.schedule(at, Event::RequestArrives(hop));
            return;
        }
        let totals = &mut self.cluster.hops[hop].answer.totals;
        totals.cross_wire = totals.cross_wire.saturating_add(wire_bytes);
        let request = self.request_of(hop, connection);
        let message = Message { to: target, wire_bytes, body: Body::Request(request) };
        self.send(message, request.address, Purpose::LinkRequest);
    }

    /// What the server learns of a hop.
    pub(crate) fn request_of(&self, hop: Handle<Hop>, connection: Handle<Connection>) -> Request {
        let it = &self.cluster.hops[hop];
        let connection = &self.cluster.pools[connection];
        let further_attempts = it.attempts - 1;
        Request {
            client: self.cluster.id,
            hop,
            // The first attempt is common to all strategies; further ones are others' luck.
            address: if further_attempts == 0 {
                it.address
            } else {
                it.address.child(u64::from(further_attempts))
            },
            endpoint: it.endpoint,
            pod: it.pod,
            path: self.clusters_before(it.origin),
            server_worker: connection.server_worker,
            window: connection.window,
        }
    }

    /// When a proxy's connection is closed for idleness.
    pub(crate) fn proxy_closes_at(&self) -> SimTime {
        self.now.saturating_add(PROXY_IDLE_TIMEOUT)
    }
}

impl Answer {
    /// Whether the client got what it asked for.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.is_ok()
    }
}
