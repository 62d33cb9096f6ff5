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

use super::record::{Hop, Origin};
use crate::cluster::changed_views::view_of;
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::state::Cluster;
use crate::draws::{Purpose, draw};
use crate::ids::{PodId, PoolId, ProxyId, UpstreamId};
use crate::mesh::host_selection;
use crate::mesh::load_balancer::address_of;
use crate::mesh::outlier_detection::AtTick;
use crate::mesh::session_affinity::{Downstream, HashPolicy};
use crate::mesh::upstream::{AttemptResult, Picking, Upstream};
use crate::telemetry::metrics::Counter;
use crate::users::open_request::OpenRequest;
use meshsim_core::random::uniform;
use meshsim_core::{Handle, Id, SimDuration};

impl Context<'_> {
    /// An endpoint for a request and its pool; none if no host may be chosen.
    pub(super) fn choose_endpoint(
        &mut self,
        hop: Handle<Hop>,
        proxy: ProxyId,
        worker: u16,
    ) -> Option<(PodId, PoolId)> {
        let it = self.cluster.hops[hop];
        let id = it.upstream();
        self.prepare_upstream(proxy, id);
        let spec = self.spec_of(&it, proxy);
        let hash = spec.hash.as_ref().and_then(|policy| self.hash_of(&it, policy));
        let again = match it.attempts {
            0 => 0,
            _ => self.route_of(&it).retry.as_ref().map_or(0, |retry| retry.host_selection_attempts),
        };
        let topology = self.topology;
        let Cluster { proxies, changed_views, previous_hosts, pools, id: here, .. } = &mut *self.cluster;
        let proxy = &mut proxies[proxy];
        let view = view_of(changed_views, topology, *here, proxy.site, id);
        let picking = Picking { spec, view, everywhere: topology.everywhere(spec.service), now: self.now };
        let workers = proxy.workers();
        let upstream = proxy.upstreams[id.index()].as_mut().expect("prepared above");
        let mut rng = draw(it.address.child(u64::from(it.attempts)), Purpose::Balance);
        let mut asked = 0;
        let balance = || {
            asked += 1;
            upstream.pick(&picking, worker, hash, asked - 1, &mut rng)
        };
        // A retry looks for an endpoint that was not tried before.
        let tried = |pod| previous_hosts.contains(hop.slot(), it.attempts, pod);
        let pod = host_selection::select(balance, tried, again).host?;
        debug_assert!(view.pods().any(|it| it == pod), "an endpoint that the proxy sees");
        let breaker = upstream.breaker;
        let shares = spec.protocol.shares_connections();
        let host = upstream.host_or_insert(pod, || pools.add(workers, Some(breaker), shares));
        Some((pod, PoolId(host.pools.0 + u32::from(worker))))
    }

    /// A proxy's state of an upstream is there and fits what the proxy sees.
    #[inline(always)]
    pub(super) fn prepare_upstream(&mut self, proxy: ProxyId, id: UpstreamId) {
        let Cluster { proxies, changed_views, id: here, .. } = &*self.cluster;
        let view = view_of(changed_views, self.topology, *here, proxies[proxy].site, id);
        let known = proxies[proxy].upstreams[id.index()].as_ref();
        if known.is_none_or(|upstream| !upstream.is_made_for(view)) {
            self.make_upstream(proxy, id);
        }
    }

    #[cold]
    fn make_upstream(&mut self, proxy: ProxyId, id: UpstreamId) {
        let topology = self.topology;
        let Cluster { proxies, changed_views, tables, pools, draws, id: here, .. } = &mut *self.cluster;
        let site = proxies[proxy].site;
        let view = view_of(changed_views, topology, *here, site, id);
        let place = &mut proxies[proxy].upstreams[id.index()];
        let is_new = place.is_none();
        let spec = topology.upstreams.spec(topology.is_gateway(proxy), id);
        let limits = spec.policy.thresholds;
        let upstream = place.get_or_insert_with(|| Box::new(Upstream::new(pools.add_breaker(limits))));
        let picking = Picking { spec, view, everywhere: topology.everywhere(spec.service), now: self.now };
        let place_in_cluster = site.index() - topology.sites_in(*here).start;
        let table = &mut tables[place_in_cluster * topology.upstreams.len() + id.index()];
        let workers = topology.workers_of(proxy);
        upstream.make(&picking, table, workers, || {
            *draws += 1;
            draw(topology.draws.of_cluster(*here, *draws), Purpose::BalancerStart)
        });
        let statistics = spec.outlier_detection.is_some_and(|config| config.judges_statistics());
        if is_new && statistics {
            self.schedule_tick(proxy, id);
        }
    }

    /// The pool of a worker to a pod that was chosen.
    pub(super) fn pool_of(&self, proxy: ProxyId, worker: u16, id: UpstreamId, pod: PodId) -> PoolId {
        let upstream = self.cluster.proxies[proxy].upstreams[id.index()].as_ref();
        let pools = upstream.and_then(|upstream| upstream.pools(pod)).expect("it was chosen");
        PoolId(pools.0 + u32::from(worker))
    }

    pub(super) fn upstream_mut(&mut self, proxy: ProxyId, id: UpstreamId) -> &mut Upstream {
        let upstream = self.cluster.proxies[proxy].upstreams[id.index()].as_mut();
        upstream.expect("an endpoint was chosen through it")
    }

    /// Outlier detection learns what came of an attempt, if that can matter.
    #[inline(always)]
    pub(super) fn host_result(&mut self, proxy: ProxyId, id: UpstreamId, pod: PodId, result: AttemptResult) {
        let spec = self.topology.upstreams.spec(self.topology.is_gateway(proxy), id);
        if self.upstream_mut(proxy, id).cares_about(spec, result) {
            self.detect_outlier(proxy, id, pod, result);
        }
    }

    #[cold]
    fn detect_outlier(&mut self, proxy: ProxyId, id: UpstreamId, pod: PodId, result: AttemptResult) {
        let topology = self.topology;
        let spec = topology.upstreams.spec(topology.is_gateway(proxy), id);
        let Cluster { proxies, changed_views, id: cluster, .. } = &mut *self.cluster;
        let view = view_of(changed_views, topology, *cluster, proxies[proxy].site, id);
        let picking = Picking { spec, view, everywhere: topology.everywhere(spec.service), now: self.now };
        let upstream =
            proxies[proxy].upstreams[id.index()].as_mut().expect("an endpoint was chosen through it");
        let overflow = upstream.overflow();
        let ejection = upstream.result(&picking, pod, result);
        let stopped = upstream.overflow() - overflow;
        if stopped > 0 {
            self.cluster.recorder.counted(self.now, spec.service, Counter::EjectionOverflows);
        }
        if ejection.is_some() {
            self.cluster.recorder.counted(self.now, spec.service, Counter::Ejections);
            self.schedule_tick(proxy, id);
            self.health_changes(proxy, id);
        }
    }

    /// A proxy has ejected a host or given one back.
    fn health_changes(&mut self, proxy: ProxyId, upstream: UpstreamId) {
        let now = self.now;
        if let Some(at) = self.upstream_mut(proxy, upstream).health_changes(now) {
            self.scheduler.schedule(at, Event::TakesOverHealth { proxy, upstream });
        }
    }

    /// A proxy takes over what has changed within a second.
    pub(crate) fn take_over_health(&mut self, proxy: ProxyId, upstream: UpstreamId) {
        let now = self.now;
        // The proxy may have died, and its state with it.
        if let Some(upstream) = self.cluster.proxies[proxy].upstreams[upstream.index()].as_mut() {
            upstream.take_over_health(now);
        }
    }

    /// A proxy's interval of outlier detection is over.
    pub(crate) fn outlier_tick(&mut self, proxy: ProxyId, id: UpstreamId) {
        let topology = self.topology;
        let spec = topology.upstreams.spec(topology.is_gateway(proxy), id);
        let Some(config) = &spec.outlier_detection else { return };
        let now = self.now;
        // The proxy may have died, and its state with it.
        let Some(upstream) = self.cluster.proxies[proxy].upstreams[id.index()].as_mut() else { return };
        upstream.ticks = false;
        let (mut ejections, mut returns) = (0, 0);
        let again = upstream.tick(config, now, |what| match what {
            AtTick::Ejected(..) => ejections += 1,
            AtTick::Returned(_) => returns += 1,
            AtTick::Threshold(..) => {}
        });
        for _ in 0..ejections {
            self.cluster.recorder.counted(now, spec.service, Counter::Ejections);
        }
        if ejections + returns > 0 {
            self.health_changes(proxy, id);
        }
        if again {
            self.schedule_tick(proxy, id);
        }
    }

    fn schedule_tick(&mut self, proxy: ProxyId, id: UpstreamId) {
        let spec = self.topology.upstreams.spec(self.topology.is_gateway(proxy), id);
        let Some(config) = &spec.outlier_detection else { return };
        let interval = config.interval.as_nanos().max(1);
        if std::mem::replace(&mut self.upstream_mut(proxy, id).ticks, true) {
            return;
        }
        let of_proxy = self.topology.draws.of_proxy(self.cluster.id, proxy);
        let begins = uniform(&mut draw(of_proxy, Purpose::OutlierInterval)) * interval as f64;
        // The first end of an interval after now.
        let passed = (self.now.as_nanos() + interval - begins as u64) % interval;
        let at = self.now.saturating_add(SimDuration::from_nanos(interval - passed));
        self.scheduler.schedule(at, Event::OutlierTick { proxy, upstream: id });
    }

    /// What a request is hashed by, if it has that.
    fn hash_of(&mut self, hop: &Hop, policy: &HashPolicy) -> Option<u64> {
        match hop.origin {
            Origin::User(request) => {
                let OpenRequest { population, number, .. } = self.cluster.open_requests[request];
                let it = &self.topology.description.populations[population.index()];
                let user = it.arrivals.user(u64::from(number), hop.address, it.users);
                self.cluster.sessions[population].hash(it, population.0, user, self.now, policy)
            }
            Origin::Call { call, .. } if self.cluster.calls.contains(call) => {
                let call = &self.cluster.calls[call];
                let address = address_of(call.pod);
                let ip = address.split(':').next().unwrap_or_default();
                let remote = format!("{ip}:{}", 40_000 + u32::from(call.cell_worker));
                let from = Downstream { source_ip: ip, remote: &remote, local: "127.0.0.1:15001" };
                policy.affinity(None, from).hash
            }
            Origin::Call { .. } | Origin::Mirror | Origin::Gone => None,
        }
    }
}
