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
use crate::cluster::event::Event;
use crate::cluster::outbound::router::route_of;
use crate::draws::{Purpose, draw};
use crate::envoy::host_selection;
use crate::envoy::load_balancer::hash_tables::address_of;
use crate::envoy::outlier_detection::AtTick;
use crate::envoy::session_affinity::{Downstream, HashPolicy};
use crate::envoy::upstream::{AttemptResult, Picking, Upstream};
use crate::ids::{PodId, PoolId, ProxyId, UpstreamId};
use crate::telemetry::metrics::Counter;
use meshsim_core::random::uniform;
use meshsim_core::{Handle, Id, SimDuration};

impl Outbound {
    /// An endpoint for a request and its pool; none if no host may be chosen.
    pub(super) fn choose_endpoint(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        proxy: ProxyId,
        worker: u16,
    ) -> Option<(PodId, PoolId)> {
        let it = self.hops[hop];
        let id = it.upstream();
        self.prepare_upstream(at, proxy, id);
        let spec = at.spec(proxy, id);
        let hash = spec.hash.as_ref().and_then(|policy| self.hash_of(at, &it, policy));
        let again = match it.attempts {
            0 => 0,
            _ => route_of(at, &it).retry.as_ref().map_or(0, |retry| retry.host_selection_attempts),
        };
        let Self { upstreams, endpoints, previous_hosts, pools, .. } = self;
        let row = &at.proxies[proxy];
        let view = view_of(endpoints, at.topology, at.here, row.site, id);
        let picking = Picking { spec, view, everywhere: at.topology.everywhere(spec.service), now: at.now };
        let workers = usize::from(row.workers());
        let upstream = upstreams.get_mut(proxy, id).expect("prepared above");
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
    pub(super) fn prepare_upstream(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let view = view_of(&self.endpoints, at.topology, at.here, at.proxies[proxy].site, id);
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
        let view = view_of(endpoints, topology, at.here, site, id);
        let spec = at.spec(proxy, id);
        let place = upstreams.place_mut(proxy, id);
        let is_new = place.is_none();
        let limits = spec.policy.thresholds;
        let upstream = place.get_or_insert_with(|| Box::new(Upstream::new(pools.add_breaker(limits))));
        let picking = Picking { spec, view, everywhere: topology.everywhere(spec.service), now: at.now };
        let place_in_cluster = site.index() - topology.sites_in(at.here).start;
        let table = &mut tables[place_in_cluster * topology.upstreams.len() + id.index()];
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

    /// What a proxy that has chosen an endpoint of an upstream knows of it.
    pub(super) fn upstream_mut(&mut self, proxy: ProxyId, id: UpstreamId) -> &mut Upstream {
        self.upstreams.get_mut(proxy, id).expect("an endpoint was chosen through it")
    }

    /// Outlier detection learns what came of an attempt, if that can matter.
    #[inline(always)]
    pub(super) fn host_result(
        &mut self,
        at: &mut Around<'_>,
        proxy: ProxyId,
        id: UpstreamId,
        pod: PodId,
        result: AttemptResult,
    ) {
        let spec = at.spec(proxy, id);
        if self.upstream_mut(proxy, id).cares_about(spec, result) {
            self.detect_outlier(at, proxy, id, pod, result);
        }
    }

    #[cold]
    fn detect_outlier(
        &mut self,
        at: &mut Around<'_>,
        proxy: ProxyId,
        id: UpstreamId,
        pod: PodId,
        result: AttemptResult,
    ) {
        let spec = at.spec(proxy, id);
        let view = view_of(&self.endpoints, at.topology, at.here, at.proxies[proxy].site, id);
        let picking = Picking { spec, view, everywhere: at.topology.everywhere(spec.service), now: at.now };
        let upstream = self.upstreams.get_mut(proxy, id).expect("an endpoint was chosen through it");
        let overflow = upstream.overflow();
        let ejection = upstream.result(&picking, pod, result);
        let stopped = upstream.overflow() - overflow;
        if stopped > 0 {
            at.recorder.counted(at.now, spec.service, Counter::EjectionOverflows);
        }
        if ejection.is_some() {
            at.recorder.counted(at.now, spec.service, Counter::Ejections);
            self.schedule_tick(at, proxy, id);
            self.health_changes(at, proxy, id);
        }
    }

    /// A proxy has ejected a host or given one back.
    fn health_changes(&mut self, at: &mut Around<'_>, proxy: ProxyId, upstream: UpstreamId) {
        if let Some(merged) = self.upstream_mut(proxy, upstream).health_changes(at.now) {
            at.schedule(merged, Event::TakesOverHealth { proxy, upstream });
        }
    }

    /// A proxy takes over what has changed within a second.
    pub(crate) fn take_over_health(&mut self, at: &mut Around<'_>, proxy: ProxyId, upstream: UpstreamId) {
        // The proxy may have died, and its state with it.
        if let Some(upstream) = self.upstreams.get_mut(proxy, upstream) {
            upstream.take_over_health(at.now);
        }
    }

    /// A proxy's interval of outlier detection is over.
    pub(crate) fn outlier_tick(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let spec = at.spec(proxy, id);
        let Some(config) = &spec.outlier_detection else { return };
        let now = at.now;
        // The proxy may have died, and its state with it.
        let Some(upstream) = self.upstreams.get_mut(proxy, id) else { return };
        upstream.ticks = false;
        let (mut ejections, mut returns) = (0, 0);
        let again = upstream.tick(config, now, |what| match what {
            AtTick::Ejected(..) => ejections += 1,
            AtTick::Returned(_) => returns += 1,
            AtTick::Threshold(..) => {}
        });
        for _ in 0..ejections {
            at.recorder.counted(now, spec.service, Counter::Ejections);
        }
        if ejections + returns > 0 {
            self.health_changes(at, proxy, id);
        }
        if again {
            self.schedule_tick(at, proxy, id);
        }
    }

    fn schedule_tick(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let spec = at.spec(proxy, id);
        let Some(config) = &spec.outlier_detection else { return };
        let interval = config.interval.as_nanos().max(1);
        if std::mem::replace(&mut self.upstream_mut(proxy, id).ticks, true) {
            return;
        }
        let of_proxy = at.topology.draws.of_proxy(at.here, proxy);
        let begins = uniform(&mut draw(of_proxy, Purpose::OutlierInterval)) * interval as f64;
        // The first end of an interval after now.
        let passed = (at.now.as_nanos() + interval - begins as u64) % interval;
        let ends = at.now.saturating_add(SimDuration::from_nanos(interval - passed));
        at.schedule(ends, Event::OutlierTick { proxy, upstream: id });
    }

    /// What a request is hashed by, if it has that.
    fn hash_of(&mut self, at: &Around<'_>, hop: &Hop, policy: &HashPolicy) -> Option<u64> {
        if let Origin::User { population, user, .. } = hop.origin {
            let it = &at.topology.description.populations[population.index()];
            return self.sessions[population].hash(it, population.0, user, at.now, policy);
        }
        let caller = hop.waiting_caller()?;
        let address = address_of(caller.pod);
        let ip = address.split(':').next().unwrap_or_default();
        let remote = format!("{ip}:{}", 40_000 + u32::from(caller.cell_worker));
        let from = Downstream { source_ip: ip, remote: &remote, local: "127.0.0.1:15001" };
        policy.affinity(None, from).hash
    }
}
