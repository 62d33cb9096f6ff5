//! Connections that a cell makes by itself: without a mesh, in ambient mode without a waypoint, and to `tcp` services.
//!
//! # Models
//! A cell's worker keeps its connections per Service. Over a `tcp` service a cell's own connection goes
//! through its sidecar, which chooses an endpoint when the connection is made and never again.
//! Where a cell itself is the client of an HTTP/2 or gRPC service (without a mesh, or in ambient mode
//! without a waypoint), each of its worker processes has one connection, a channel, to the Service,
//! whose endpoint kube-proxy or the ztunnel chose when it was made: all requests go there, pods that
//! come later get none, and only a connection that is closed or lost leads to a new choice.
//!
//! # Assumptions
//! - When the policy of a `tcp` service changes, cells make new connections to it; those of Envoy's old cluster stay.
//! - Over a `tcp` service the sidecar's active connections are counted while they carry a request.
//! - A gRPC channel has no back-off after a connection that failed, and no GOAWAY tells it that its
//!   server is about to stop. Effect: where a pod is lost the next request connects at once, and one
//!   request per channel meets the stop.
//!
//! # Source
//! Envoy `tcp_proxy.cc`. gRPC, `doc/load-balancing.md` (`pick_first` over one address); kubernetes.io, blog of
//! 2018-11-07.

use super::hop::{AttemptPhase, Caller, ClientConnection, Hop};
use super::{Outbound, kube_proxy};
use crate::cluster::around::Around;
use crate::cluster::changed_views::view_of;
use crate::cluster::handed::Handed;
use crate::cluster::pooling::Pooling;
use crate::draws::{Purpose, draw};
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::connection_pool::Kept;
use crate::envoy::retry::AttemptOutcome;
use crate::ids::{BreakerId, PodId, PoolId, ProxyId, ServiceId};
use crate::request::answer::Status;
use crate::telemetry::metrics::Counter;
use meshsim_core::Handle;
use meshsim_core::random::uniform_index;

/// urllib3 keeps at most so many idle connections per host.
const KEPT_BY_CELL: u32 = 10;

impl Outbound {
    /// A cell calls a Service without a proxy for requests: kube-proxy or the ztunnel chooses once per
    /// connection, which over HTTP/2 all requests of the worker share.
    pub(super) fn call_from_cell(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, caller: Caller) {
        let pool = self.cell_pool(at, hop, caller, None);
        if self.takes_kept(at, hop, pool) {
            return;
        }
        if let Some(connection) = self.pools.shared_in_making(pool) {
            return self.wait_for_shared(at, hop, connection);
        }
        let service = at.topology.service_of(self.hops[hop].endpoint);
        let Some(pod) = self.endpoint_for_cell(at, caller.pod, service) else {
            // kube-proxy rejects what no endpoint is there for.
            return self.answer_itself(at, hop, Status::ConnectFailure);
        };
        let state = self.hops[hop];
        let connection = self.open(at, &state, pool, pod);
        if self.pools.is_shared(pool) {
            return self.wait_for_shared(at, hop, connection);
        }
        self.begin_attempt(at, hop, pod);
        self.hops[hop].phase = AttemptPhase::Waiting;
        self.pools[connection].bound = Some(hop);
    }

    /// A cell's request goes out on a connection that its pool has kept, if it has.
    fn takes_kept(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pool: PoolId) -> bool {
        let (topology, here, now) = (at.topology, at.here, at.now);
        let one_way = |pod| topology.path(here, topology.pod_ids.cluster_of(pod), now).one_way;
        match self.pools.take_kept(pool, now, one_way) {
            Kept::Open(connection) => {
                let host = at.topology.host_of(here, self.pools[connection].pod);
                self.begin_attempt(at, hop, host);
                self.dispatch(at, hop, connection);
            }
            Kept::Closed(pod) => {
                self.begin_attempt(at, hop, at.topology.host_of(here, pod));
                self.meet_close(at, hop);
            }
            Kept::Nothing => return false,
        }
        true
    }

    /// A cell's request waits for the shared connection that is being made.
    fn wait_for_shared(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Handle<ClientConnection>,
    ) {
        let (pool, pod) = (self.pools[connection].pool, self.pools[connection].pod);
        self.begin_attempt(at, hop, pod);
        let state = &mut self.hops[hop];
        state.phase = AttemptPhase::Waiting;
        state.connection = Some(connection);
        // The pool counts nowhere, so nothing limits it.
        let waits = self.pools.wait(pool, hop);
        debug_assert!(waits, "nothing limits a cell");
    }

    /// A cell's connection through its sidecar to a `tcp` service.
    #[cold]
    pub(super) fn attempt_over_tcp(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        caller: Caller,
        proxy: ProxyId,
        worker: u16,
    ) {
        let state = self.hops[hop];
        self.prepare_upstream(at, proxy, state.upstream());
        let breaker = self.breaker_of(&state);
        let pool = self.cell_pool(at, hop, caller, Some(breaker));
        if self.takes_kept(at, hop, pool) {
            return;
        }
        if self.choose_endpoint(at, hop, proxy, worker).is_none() {
            return self.answer_itself(at, hop, Status::NoHealthyUpstream);
        }
        if !self.pools.breaker(breaker).acquire(Resource::Connections) {
            self.count(at, hop, Counter::ConnectionOverflows);
            return self.attempt_fails(at, hop, Status::Overflow, AttemptOutcome::Refused);
        }
        self.hops[hop].phase = AttemptPhase::Waiting;
        let state = self.hops[hop];
        let connection = self.open(at, &state, pool, state.pod);
        self.pools[connection].bound = Some(hop);
    }

    /// What the kube-proxy or ztunnel of a pod's node chooses for a new connection: any ready endpoint,
    /// or any healthy one of the nearest level that has one.
    fn endpoint_for_cell(&mut self, at: &mut Around<'_>, pod: PodId, service: ServiceId) -> Option<PodId> {
        if !at.topology.is_ambient() || at.topology.description.services[service].external {
            return self.endpoint_of_kube_proxy(at, service);
        }
        let address = at.next_draw();
        let mut rng = draw(address, Purpose::KubeProxy);
        let node = at.pods[at.pods.slot_of(pod)].node;
        let ztunnel = &at.proxies[at.proxies.ztunnel(node)];
        let id = at.topology.upstreams.of_service(ztunnel.configuration, service);
        let view = view_of(&self.endpoints, at.topology, at.here, ztunnel.viewer(), id);
        let healthy = |level| view.positions(level).filter(|&position| view.detail(position).healthy);
        let level = (0..view.levels()).find(|&level| healthy(level).next().is_some())?;
        let number = uniform_index(&mut rng, healthy(level).count());
        healthy(level).nth(number).map(|position| view.pod(position))
    }

    /// What kube-proxy chooses: any ready endpoint; of a service outside the clusters each cluster reaches its own, and
    /// so it does where clusters are networks of their own: nobody else knows of gateways between them.
    pub(in crate::cluster) fn endpoint_of_kube_proxy(
        &self,
        at: &mut Around<'_>,
        service: ServiceId,
    ) -> Option<PodId> {
        if at.topology.description.services[service].external {
            let all = at.topology.at_start(service).iter();
            return all.copied().find(|&it| at.topology.pod_ids.cluster_of(it) == at.here);
        }
        let address = at.next_draw();
        let ready = self.ready_pods(at.topology, service);
        if at.topology.description.east_west().is_some() {
            let near = |pod: &PodId| !at.topology.is_behind_gateway(at.here, *pod);
            let mut near = (0..ready.len()).map(|rank| ready.pod(rank)).filter(near);
            let rank = kube_proxy::pick(near.clone().count(), &mut draw(address, Purpose::KubeProxy))?;
            return near.nth(rank);
        }
        let rank = kube_proxy::pick(ready.len(), &mut draw(address, Purpose::KubeProxy));
        rank.map(|rank| ready.pod(rank))
    }

    /// A request goes out without a connection.
    pub(in crate::cluster) fn sends_without_connection(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.hops[hop].phase = AttemptPhase::Sent;
        if at.recorder.traces() {
            self.trace_sent(at, hop, None);
        }
        self.cell_waits_without_mesh(at, hop);
        if !self.swallows_datagram(at, hop) {
            at.hand(Handed::Request(hop));
        }
    }

    /// The pool of a cell's worker for a Service, made at its first call.
    fn cell_pool(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        caller: Caller,
        breaker: Option<BreakerId>,
    ) -> PoolId {
        let service = at.topology.service_of(self.hops[hop].endpoint);
        let number = self.pool_of_process(at, caller, service);
        // What limits its upstream is another one after a change of its policy.
        let known = self.cell_pools.get(number).filter(|&pool| self.pools.breaker_of(pool) == breaker);
        let shares = at.topology.description.services[service].protocol.shares_connections();
        // A pool that is limited keeps all that it may have.
        let kept = at.topology.application().services[service].pool_size.unwrap_or(KEPT_BY_CELL);
        let pool = known.unwrap_or_else(|| self.pools.add_of_cell(caller.pod, breaker, shares, kept));
        *self.cell_pools.get_mut(number) = Some(pool);
        pool
    }
}
