//! A proxy chooses an endpoint, and learns from what comes of it.
//!
//! # Models
//! The proxy looks at what its site sees of the upstream and picks as its balancer says; a retry
//! asks again while it gets an endpoint that was tried. What comes of an attempt goes to outlier
//! detection, whose interval's timer runs while there is something to give back.
//!
//! # Assumptions
//! - Cells pass on no headers, cookies or parameters: under consistent hashing by one of them only
//!   gateways have a hash; sidecars choose at random. A source address is that of the calling pod. A
//!   cookie that a sidecar makes is lost, so it is made anew per worker process of the cell.
//! - A proxy's interval begins at a random moment: its proxies were not all started at once.
//!
//! # Source
//! Envoy `router.cc`, `load_balancer_impl.cc`, `outlier_detection_impl.cc` (`armIntervalTimer`).

use super::Outbound;
use super::hop::{Hop, Origin};
use crate::cluster::around::Around;
use crate::cluster::changed_views::view_of;
use crate::cluster::outbound::router::route_of;
use crate::draws::{Purpose, draw};
use crate::envoy::host_selection;
use crate::envoy::session_affinity::{Downstream, HashPolicy};
use crate::envoy::upstream::{Picking, Upstream};
use crate::ids::{PodId, PoolId, PopulationId, ProxyId, UpstreamId};
use crate::telemetry::metrics::Counter;
use meshsim_core::{Handle, Id};

impl Outbound {
    /// Chooses an endpoint for a request, whose attempt begins: the pool of connections to it; none if no host may be
    /// chosen.
    #[inline(always)]
    pub(super) fn choose_endpoint(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        proxy: ProxyId,
        worker: u16,
    ) -> Option<PoolId> {
        let state = &self.hops[hop];
        let (id, attempts, address) = (state.upstream(), state.attempts, state.address);
        let again = match attempts {
            0 => 0,
            _ => route_of(at, state).retry.as_ref().map_or(0, |retry| retry.host_selection_attempts),
        };
        self.prepare_upstream(at, proxy, id);
        let spec = at.spec(proxy, id);
        let hash = match &spec.hash {
            None => None,
            Some(policy) => {
                let state = self.hops[hop];
                self.hash_of(at, &state, policy)
            }
        };
        let Self { upstreams, endpoints, previous_hosts, pools, .. } = self;
        let row = &at.proxies[proxy];
        let view = view_of(endpoints, at.topology, at.here, row.viewer(), id);
        let picking = Picking { spec, view, addresses: &at.topology.addresses, now: at.now };
        let workers = usize::from(row.workers());
        let upstream = upstreams.get_mut(proxy, id).expect("prepared above");
        let mut rng = draw(address.child(u64::from(attempts)), Purpose::Balance);
        let mut asked = 0;
        let balance = || {
            asked += 1;
            upstream.pick(&picking, worker, hash, asked - 1, &mut rng)
        };
        // A retry looks for an endpoint that was not tried before.
        let tried = |pod| previous_hosts.contains(hop.slot(), attempts, pod);
        let pod = host_selection::select(balance, tried, again).host?;
        debug_assert!(view.pods().any(|it| it == pod), "an endpoint that the proxy sees");
        let breaker = upstream.breaker;
        let shares = spec.protocol.shares_connections();
        let host = upstream.host_or_insert(pod, || pools.add(workers, Some(breaker), shares));
        let pool = PoolId(host.pools.0 + u32::from(worker));
        self.begin_attempt(at, hop, pod);
        Some(pool)
    }

    /// Counts an attempt at `pod`.
    #[inline(always)]
    pub(in crate::cluster) fn begin_attempt(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, pod: PodId) {
        let target = at.topology.pod_ids.cluster_of(pod);
        let crosses = target != at.here;
        let state = &mut self.hops[hop];
        state.pod = pod;
        state.routed = at.now;
        state.attempts += 1;
        if at.recorder.traces() {
            self.trace_attempt(at, hop);
        }
        let state = &mut self.hops[hop];
        if !matches!(state.origin, Origin::Mirror) {
            at.recorder.attempt_sent(at.now, target);
        }
        if crosses {
            let returns = state.path.contains(target);
            at.recorder.work_done(at.now, state.work, |work| {
                work.crossings += 1;
                work.returns += u64::from(returns);
            });
        }
        if let Origin::User { population, user, .. } = state.origin
            && at.topology.description.populations[population.index()].counts_session_moves
        {
            self.follow_session(at, hop, population, user);
        }
    }

    /// Counts users' sessions that move.
    fn follow_session(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, population: PopulationId, user: u32) {
        let users = &at.topology.description.populations[population.index()];
        let Hop { pod, endpoint, .. } = self.hops[hop];
        if self.sessions[population].moves(users, user, pod) {
            let service = at.topology.service_of(endpoint);
            at.recorder.counted(at.now, service, Counter::SessionMoves);
        }
    }

    /// A proxy's state of an upstream is there and fits what the proxy sees.
    #[inline(always)]
    pub(super) fn prepare_upstream(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let view = view_of(&self.endpoints, at.topology, at.here, at.proxies[proxy].viewer(), id);
        let known = self.upstreams.get(proxy, id);
        if known.is_none_or(|upstream| !upstream.is_made_for(view)) {
            self.make_upstream(at, proxy, id);
        }
    }

    #[cold]
    fn make_upstream(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let topology = at.topology;
        let Self { upstreams, endpoints, tables, pools, .. } = self;
        let row = &at.proxies[proxy];
        let (site, workers) = (row.site, usize::from(row.workers()));
        let view = view_of(endpoints, topology, at.here, row.viewer(), id);
        let spec = at.spec(proxy, id);
        let slot = upstreams.slot_mut(proxy, id);
        let is_new = slot.is_none();
        let limits = spec.policy.thresholds;
        let upstream = slot.get_or_insert_with(|| Box::new(Upstream::new(pools.add_breaker(limits))));
        let picking = Picking { spec, view, addresses: &topology.addresses, now: at.now };
        let table = &mut tables[topology.row_in(at.here, site, id)];
        upstream.make(&picking, table, workers, || draw(at.next_draw(), Purpose::BalancerStart));
        let statistics = spec.outlier_detection.is_some_and(|config| config.judges_statistics());
        if is_new && statistics {
            self.schedule_tick(at, proxy, id);
        }
    }

    /// The pool of a worker to a pod that was chosen.
    pub(super) fn pool_of(&self, proxy: ProxyId, worker: u16, id: UpstreamId, pod: PodId) -> PoolId {
        let pools = self.upstreams.get(proxy, id).and_then(|upstream| upstream.pools(pod));
        PoolId(pools.expect("it was chosen").0 + u32::from(worker))
    }

    /// What a request is hashed by, if it has that.
    fn hash_of(&mut self, at: &Around<'_>, hop: &Hop, policy: &HashPolicy) -> Option<u64> {
        if let Origin::User { population, user, .. } = hop.origin {
            let users = &at.topology.description.populations[population.index()];
            return self.sessions[population].hash(users, population.0, user, at.now, policy);
        }
        let caller = hop.waiting_caller()?;
        let ip = at.topology.addresses.ip_of(caller.pod);
        let remote = format!("{ip}:{}", 40_000 + u32::from(caller.cell_worker));
        let from = Downstream { source_ip: &ip, remote: &remote, local: "127.0.0.1:15001" };
        policy.affinity(None, from).hash
    }
}
