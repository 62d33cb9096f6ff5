//! The client's connections: one for each attempt, kept, made or waited for.
//!
//! # Models
//! An attempt gets a connection of its worker's pool as `cluster/pooling` says. How one is made is in `handshake`; what a
//! cell connects to by itself is in `from_cell`.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `newStreamImpl`, `attachStreamToClient`.

use super::Outbound;
use super::hop::{AttemptPhase, Client, ClientConnection, Hop, Origin};
use super::router::route_of;
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::datagrams::worker_of_datagram;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::{Request, Response};
use crate::cluster::pooling::Pooling;
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::connection_pool::{ConnectionPools, Left, Taken};
use crate::envoy::outlier_detection::HostResult;
use crate::envoy::per_try_timeout::per_try_timeout;
use crate::envoy::retry::AttemptOutcome;
use crate::envoy::upstream::{AttemptResult, Upstream};
use crate::ids::{BreakerId, EndpointId, PodId, PoolId, ProxyId, UpstreamId};
use crate::istiod::cluster_policy::ClusterPolicy;
use crate::network::tcp::Window;
use crate::request::answer::Status;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use crate::telemetry::trace::{Part, Rule};
use meshsim_core::{Handle, SimTime};

impl Outbound {
    /// An attempt gets a connection of its pool, now or later.
    #[inline(always)]
    pub(super) fn take_connection(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pool: PoolId) {
        let (topology, here, now) = (at.topology, at.here, at.now);
        let one_way = |pod| topology.path(here, topology.pod_ids.cluster_of(pod), now).one_way;
        match self.pools.take(pool, hop, now, one_way) {
            Taken::Sent(connection) => {
                if !self.dispatch(at, hop, connection) {
                    self.release(at, connection);
                }
            }
            not_sent => self.is_not_sent(at, not_sent, hop, pool),
        }
    }

    /// A handshake is done.
    pub(crate) fn connection_ready(&mut self, at: &mut Around<'_>, connection: Handle<ClientConnection>) {
        self.pools.connected(connection);
        let bound = self.pools[connection].bound.take();
        match bound {
            Some(hop) if self.hops.contains(hop) => {
                self.tcp_connected(at, hop);
                if !self.dispatch(at, hop, connection) {
                    self.release(at, connection);
                }
            }
            // Who wanted it is gone, and has closed it.
            Some(_) => self.pools.drain(connection),
            None => self.release(at, connection),
        }
    }

    /// Outlier detection of the TCP proxy learns of a connection.
    #[inline(always)]
    fn tcp_connected(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let state = &self.hops[hop];
        if let Client::Proxy { proxy, .. } = state.client
            && self.is_tcp(at, state)
        {
            let connected = AttemptResult::Local(HostResult::LocalOriginConnectSuccessFinal);
            self.detect_outlier(at, proxy, state.upstream(), state.pod, connected);
        }
    }

    /// A request waits for a connection no longer.
    pub(super) fn stop_waiting(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.waiting_ends(at, hop);
        let state = self.hops[hop];
        let pool = match state.client {
            Client::Proxy { .. } if self.is_tcp(at, &state) => return,
            Client::Proxy { proxy, worker, .. } => {
                self.pool_of(proxy, u16::from(worker), state.upstream(), state.pod)
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
    pub(super) fn waiting_ends(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let state = &self.hops[hop];
        if state.phase == AttemptPhase::Waiting {
            let (work, waited) = (state.work, at.now - state.routed);
            at.recorder.work_done(at.now, work, |work| work.connect_nanos += waited.as_nanos());
        }
    }

    /// The connection of an attempt that ends without an answer is closed, if it is not lost already.
    pub(super) fn close_connection(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, is_lost: bool) {
        // Without one, the attempt met a connection that was closed already.
        let Some(connection) = self.hops[hop].connection.take() else { return };
        // Over HTTP/2 only the request is reset, unless the server is gone.
        let gone = is_lost
            || at.topology.faults.is_dead(self.pools[connection].pod, at.now)
            || self.pools.is_lost(connection, at.now);
        let left = self.pools.abandon(connection, !gone);
        self.has_left(at, left, hop);
    }

    /// The answer of an attempt is there: its connection is free for others, and its upstream has one request less.
    pub(super) fn attempt_is_answered(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, response: &Response) {
        let state = &mut self.hops[hop];
        let connection = state.connection.take().expect("an answer comes over a connection");
        let (faults, policy) = (&at.topology.faults, policy_of(at, state));
        let kept = self.pools.rest(connection, at.now, response.closes_at, policy);
        kept.window = response.window;
        if !faults.is_empty() {
            kept.closes_at = kept.closes_at.min(faults.next_crash(kept.pod, kept.opened));
        }
        let left = self.pools.give_back(connection);
        if !matches!(left, Left::Idle) {
            self.has_left(at, left, hop);
        }
        self.end_attempt(at, hop, AttemptResult::Status(response.answer.status.code()));
    }

    /// An attempt of a proxy is over for its upstream, and outlier detection learns what came of it, if that can
    /// matter.
    #[inline(always)]
    pub(super) fn end_attempt(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, result: AttemptResult) {
        let state = &mut self.hops[hop];
        let Client::Proxy { proxy, .. } = state.client else { return };
        state.phase = AttemptPhase::Idle;
        let (id, pod) = (state.upstream(), state.pod);
        let upstream = self.counts_no_more(proxy, id, pod);
        let spec = at.spec(proxy, id);
        if let AttemptResult::Status(code) = result {
            at.proxy_counts(proxy, Some(spec.service), Happens::Answer(code));
        }
        // Whether it has connected is all that the TCP proxy tells.
        if upstream.cares_about(spec, result) && spec.protocol != Protocol::Tcp {
            self.detect_outlier(at, proxy, id, pod, result);
        }
    }

    /// A request that a proxy has sent counts no more.
    pub(super) fn release_request(&mut self, hop: Handle<Hop>) {
        let state = &mut self.hops[hop];
        let Client::Proxy { proxy, .. } = state.client else { return };
        state.phase = AttemptPhase::Idle;
        let (id, pod) = (state.upstream(), state.pod);
        self.counts_no_more(proxy, id, pod);
    }

    /// A request of a proxy to a pod of an upstream counts no more. Tells the upstream.
    #[inline(always)]
    fn counts_no_more(&mut self, proxy: ProxyId, id: UpstreamId, pod: PodId) -> &mut Upstream {
        let upstream = self.upstreams.known_mut(proxy, id);
        upstream.ended(pod);
        self.pools.breaker(upstream.breaker).release(Resource::Requests);
        upstream
    }

    /// Whether a hop goes to a `tcp` service.
    pub(super) fn is_tcp(&self, at: &Around<'_>, hop: &Hop) -> bool {
        matches!(hop.client, Client::Proxy { proxy, .. } if at.spec(proxy, hop.upstream()).protocol == Protocol::Tcp)
    }

    /// A proxy's limit of requests, its active requests and its time-out per try.
    fn begins_at_proxy(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, proxy: ProxyId) -> bool {
        let state = &self.hops[hop];
        let (id, pod) = (state.upstream(), state.pod);
        self.counts_from_now_on(at, hop, (proxy, id, pod))
    }

    /// The same of a request to a pod of an upstream.
    #[inline(always)]
    fn counts_from_now_on(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        (proxy, id, pod): (ProxyId, UpstreamId, PodId),
    ) -> bool {
        let upstream = self.upstreams.known_mut(proxy, id);
        if !self.pools.breaker(upstream.breaker).acquire(Resource::Requests) {
            return false;
        }
        upstream.begins(pod);
        let upstreams = &at.topology.upstreams;
        if upstreams.has_per_try_timeouts() || upstreams.splits_origins() {
            self.has_begun(at, hop, proxy);
        }
        true
    }

    /// A proxy has begun a request, which some proxies look at more closely.
    #[inline(never)]
    fn has_begun(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, proxy: ProxyId) {
        let state = self.hops[hop];
        if at.topology.upstreams.has_per_try_timeouts() {
            let route = route_of(at, &state);
            if let Some(timeout) = per_try_timeout(route, matches!(state.origin, Origin::Mirror)) {
                self.set_deadline(at, hop, route.number, timeout, state.attempts);
            }
        }
        if at.topology.upstreams.splits_origins() && !self.is_tcp(at, &state) {
            let connected = AttemptResult::Local(HostResult::LocalOriginConnectSuccess);
            self.detect_outlier(at, proxy, state.upstream(), state.pod, connected);
        }
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
        at.hand(Handed::Request(hop));
    }

    /// An attempt that was handed over: what its server learns of it.
    pub(crate) fn request_of(&self, at: &Around<'_>, hop: Handle<Hop>) -> Request {
        let state = &self.hops[hop];
        let (pod, server_worker, gateway_worker, window) = match state.connection.map(|it| &self.pools[it]) {
            Some(connection) => {
                (connection.pod, connection.server_worker, connection.gateway_worker, connection.window)
            }
            // A datagram.
            None => {
                let service = at.topology.pod_ids.service_of(state.pod);
                let workers = at.topology.application().services[service].workers;
                let window = Window::new(at.now, at.topology.tcp_of(state.pod));
                (state.pod, worker_of_datagram(state.attempt_address(), workers), 0, window)
            }
        };
        Request {
            client: at.here,
            hop,
            flow: at.flow(state.caller.map(|caller| caller.pod), state.pod),
            request: at.recorder.request_of(state.work),
            work: state.work,
            address: state.attempt_address(),
            endpoint: endpoint_of(at, state),
            pod,
            path: state.path,
            server_worker,
            gateway_worker,
            window,
        }
    }

    pub(super) fn count(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, counter: Counter) {
        let state = &self.hops[hop];
        let service = match state.client {
            Client::Proxy { proxy, .. } => {
                let service = at.spec(proxy, state.upstream()).service;
                at.proxy_counts(proxy, Some(service), Happens::Counted(counter));
                service
            }
            Client::Cell => at.topology.service_of(state.endpoint),
        };
        at.recorder.counted(at.now, service, counter);
    }
}

/// The client's side.
impl Pooling<Handle<Hop>> for Outbound {
    fn pools(&mut self) -> &mut ConnectionPools<Handle<Hop>> {
        &mut self.pools
    }

    fn dispatch(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) -> bool {
        self.waiting_ends(at, hop);
        if at.recorder.traces() {
            self.trace_sent(at, hop, Some(connection));
        }
        let state = &self.hops[hop];
        let most = match state.client {
            Client::Proxy { proxy, .. } => {
                let (id, pod) = (state.upstream(), state.pod);
                if !self.counts_from_now_on(at, hop, (proxy, id, pod)) {
                    self.overflows(at, hop);
                    return false;
                }
                let spec = at.spec(proxy, id);
                at.proxy_counts(proxy, Some(spec.service), Happens::Request);
                spec.policy.max_requests_per_connection
            }
            Client::Cell => {
                self.cell_waits_without_mesh(at, hop);
                None
            }
        };
        let taken = self.pools.attach(connection, most);
        // What is in use is not closed for idleness.
        let faults = &at.topology.faults;
        taken.closes_at =
            if faults.is_empty() { SimTime::MAX } else { faults.next_crash(taken.pod, taken.opened) };
        let state = &mut self.hops[hop];
        state.connection = Some(connection);
        state.phase = AttemptPhase::Sent;
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
        let state = &mut self.hops[hop];
        state.phase = AttemptPhase::Sent;
        let (pod, attempt) = (state.pod, state.attempts);
        if at.recorder.traces() {
            self.trace_rule(at, hop, Rule::MetClose, Some(Part::Way));
        }
        at.schedule(at.now + at.path_to(pod).round_trip, Event::ResetArrives { hop, attempt });
    }

    #[cold]
    fn overflows(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if at.recorder.traces() {
            self.trace_overflow(at, hop);
        }
        self.count(at, hop, Counter::RequestOverflows);
        self.attempt_fails(at, hop, Status::Overflow, AttemptOutcome::Refused);
    }

    fn waits(&mut self, _: &mut Around<'_>, hop: Handle<Hop>) {
        self.hops[hop].phase = AttemptPhase::Waiting;
    }

    fn connect(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pool: PoolId) {
        let state = self.hops[hop];
        self.open(at, &state, pool, state.pod);
    }

    fn connection_overflows(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.count(at, hop, Counter::ConnectionOverflows);
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
pub(super) fn policy_of<'a>(at: &Around<'a>, hop: &Hop) -> Option<&'a ClusterPolicy> {
    let Client::Proxy { proxy, .. } = hop.client else { return None };
    Some(&at.spec(proxy, hop.upstream()).policy)
}

/// What is asked of a pod: another service's endpoint if the request was split off to that.
fn endpoint_of(at: &Around<'_>, hop: &Hop) -> EndpointId {
    let service = at.topology.pod_ids.service_of(hop.pod);
    if service == at.topology.service_of(hop.endpoint) {
        hop.endpoint
    } else {
        at.topology.application().counterpart(hop.endpoint, service)
    }
}
