//! What a proxy knows of an upstream (Envoy's cluster): which endpoints it may use, how it picks
//! one, which of them it has ejected.
//!
//! # Models
//! A pick goes level, then locality where localities are weighted, then host. In a level that
//! panics all hosts take part, whatever their health and without weights of localities. Each worker
//! has a balancer of its own; active requests are counted over all workers. Lists and balancers are
//! made anew when the view changes or a host is ejected or returns: at once, unless the last change
//! of health was less than a second ago; then a second later, with all that came meanwhile (Envoy's
//! `update_merge_window`). So a host that returns, and fails again at once, is used for a second.
//!
//! # Assumptions
//! - Changes of health are merged over all levels, by Envoy per level.
//! - A change makes all levels anew, where Envoy makes only the levels that changed. Effect: a
//!   rotation or schedule starts again at a random point.
//! - Degraded hosts do not occur: nothing in Istio reports them.
//! - Errors in a row are counted from the first failure on; successes before it change nothing.
//!
//! # Source
//! Envoy `load_balancer_impl.cc`, `ZoneAwareLoadBalancerBase`; `outlier_detection_impl.cc`;
//! `cluster_manager_impl.cc`, `scheduleUpdate`; measured on Envoy 1.40.

use super::circuit_breaker::Thresholds;
use super::endpoint_view::{EndpointView, Locality};
use super::load_balancer::hash_tables::HashTables;
use super::load_balancer::slow_start::SlowStart;
use super::load_balancer::{LoadBalancer, Policy};
use super::locality_weights::{LocalityHosts, LocalityWeights};
use super::outlier_detection::{AtTick, Detector, EjectionType, HostResult, OutlierDetection};
use super::priority_load::{DEFAULT_OVERPROVISIONING_FACTOR, LevelLoad, PriorityLoad};
use super::session_affinity::HashPolicy;
use crate::application::call_graph::Protocol;
use crate::ids::{BreakerId, PodId, PoolId, ServiceId};
use crate::istiod::cluster_policy::ClusterPolicy;
use crate::istiod::locality_setting::InForce;
use crate::istiod::subset::Selector;
use crate::pod_id::PodAddresses;
use meshsim_core::random::{Draw, bits, uniform_index};
use meshsim_core::{SimDuration, SimTime};
use std::ops::Range;

/// What all proxies are told of an upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamSpec {
    /// Whose endpoints it has.
    pub service: ServiceId,
    /// Only those that this selects, if it is a subset.
    pub subset: Option<Selector>,
    /// In which order istiod sends its endpoints, if in any.
    pub locality: Option<InForce>,
    /// What its requests are.
    pub protocol: Protocol,
    /// Limits, time-outs, health.
    pub policy: ClusterPolicy,
    /// How a host is picked.
    pub balancer: Policy,
    /// What a request is hashed by, under consistent hashing.
    pub hash: Option<HashPolicy>,
    /// Ejections.
    pub outlier_detection: Option<OutlierDetection>,
    /// Panic threshold (percent).
    pub panic_threshold: u32,
    /// Whether its limits hold for what a server's sidecar has under way to its application, and one is
    /// set.
    pub limits_servers: bool,
    /// How often a server's sidecar tries again to reach its application.
    pub inbound_retries: u8,
}

impl UpstreamSpec {
    /// The limits of what a server's sidecar has under way to its application: of TCP only connections count.
    #[must_use]
    pub fn limits_of_server(&self) -> Thresholds {
        let limits = self.policy.thresholds;
        match self.protocol {
            Protocol::Tcp => Thresholds { max_connections: limits.max_connections, ..Thresholds::ISTIO },
            Protocol::Http1 | Protocol::Http2 | Protocol::Grpc => limits,
            Protocol::Udp => Thresholds::ISTIO,
        }
    }
}

/// A proxy's state of an upstream.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The counts of its connections and requests.
    pub breaker: BreakerId,
    /// Of the view that the rest is made for; none if it has to be made.
    made_for: Option<u32>,
    /// Its own load, while it has ejected a host.
    load: Option<PriorityLoad>,
    levels: Vec<Level>,
    /// Endpoints that were called, sorted by pod.
    hosts: Vec<Host>,
    /// Made at the first failure.
    detection: Option<Box<Detection>>,
    /// Whether a tick is scheduled.
    pub ticks: bool,
    /// When the last change of health was taken over.
    health_updated: Option<SimTime>,
    /// Whether another waits.
    update_waits: bool,
}

/// What a proxy keeps of an endpoint that it calls.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The endpoint.
    pub pod: PodId,
    /// Requests on their way, over all workers.
    pub active: u32,
    /// The pool of worker 0; those of the other workers follow.
    pub pools: PoolId,
}

/// What may be picked from in a priority level.
#[derive(Clone, Debug)]
struct Level {
    /// One per locality where localities are weighted, else one.
    sets: Vec<HostSet>,
    /// Per worker; empty where localities are not weighted.
    weights: Vec<LocalityWeights>,
}

/// Hosts that are picked from alike.
#[derive(Clone, Debug)]
struct HostSet {
    positions: Positions,
    /// Per worker.
    balancers: Vec<LoadBalancer>,
}

/// Positions in the view.
#[derive(Clone, Debug)]
enum Positions {
    /// All of these.
    Range(Range<usize>),
    /// These, in ascending order.
    Some(Vec<u32>),
}

impl Positions {
    fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Some(positions) => positions.len(),
        }
    }

    fn at(&self, index: usize) -> usize {
        match self {
            Self::Range(range) => range.start + index,
            Self::Some(positions) => positions[index] as usize,
        }
    }
}

/// How a pick is made beside the state of the upstream.
pub struct Picking<'a> {
    /// What the proxy is told.
    pub spec: &'a UpstreamSpec,
    /// What it sees.
    pub view: &'a EndpointView,
    /// The addresses of pods.
    pub addresses: &'a PodAddresses,
    /// When.
    pub now: SimTime,
}

/// What the proxy has seen of the hosts' failures.
#[derive(Clone, Debug, Default)]
struct Detection {
    /// The hosts, in ascending order: their numbers here are the detector's.
    pods: Vec<PodId>,
    detector: Detector,
}

impl Detection {
    fn number(&self, pod: PodId) -> Option<usize> {
        self.pods.binary_search(&pod).ok()
    }

    fn is_ejected(&self, pod: PodId) -> bool {
        self.number(pod).is_some_and(|host| self.detector.is_ejected(host))
    }

    /// The hosts become those of a view; those that were there stay as they are.
    fn follow(&mut self, view: &EndpointView) {
        let mut pods: Vec<PodId> = view.pods().collect();
        // Each level is in this order already, which a stable sort makes use of.
        pods.sort();
        let (before, mut at) = (&self.pods, 0);
        self.detector.renumber(pods.iter().map(|pod| {
            at += before[at..].iter().take_while(|it| *it < pod).count();
            (before.get(at) == Some(pod)).then_some(at)
        }));
        self.pods = pods;
    }
}

impl Upstream {
    /// Nothing called yet.
    #[must_use]
    pub const fn new(breaker: BreakerId) -> Self {
        Self {
            breaker,
            made_for: None,
            load: None,
            levels: Vec::new(),
            hosts: Vec::new(),
            detection: None,
            ticks: false,
            health_updated: None,
            update_waits: false,
        }
    }

    /// Whether the lists are those of the view as it is.
    #[must_use]
    pub fn is_made_for(&self, view: &EndpointView) -> bool {
        self.made_for == Some(view.generation())
    }

    /// Makes lists and balancers for the view as it is; `start` gives a random start for each
    /// balancer of `workers` workers.
    pub fn make(
        &mut self,
        picking: &Picking<'_>,
        tables: &mut HashTables,
        workers: usize,
        mut start: impl FnMut() -> Draw,
    ) {
        let (spec, view) = (picking.spec, picking.view);
        if let Some(detection) = &mut self.detection {
            detection.follow(view);
        }
        let ejected = self.detection.as_deref().filter(|it| it.detector.ejected() > 0);
        let in_service = |pod| ejected.is_none_or(|it| !it.is_ejected(pod));
        let load = ejected.map(|_| view.load_where(in_service, spec.panic_threshold));
        let ejects = ejected.is_some();
        let mut making = Making { picking, tables, workers, ejects, in_service, start: &mut start };
        let loads = load.as_ref().unwrap_or(view.load()).levels();
        self.levels = loads.iter().enumerate().map(|(level, it)| making.level(level, it.panic)).collect();
        self.load = load;
        self.made_for = Some(view.generation());
    }

    /// A worker picks an endpoint by a hash, if the request has one, or at random; none if no host
    /// may be chosen. `attempt` counts the picks of a request from 0.
    pub fn pick(
        &mut self,
        picking: &Picking<'_>,
        worker: u16,
        hash: Option<u64>,
        attempt: u32,
        draw: &mut Draw,
    ) -> Option<PodId> {
        let Self { levels, hosts, load, .. } = self;
        let (spec, view, now) = (picking.spec, picking.view, picking.now);
        let load = load.as_ref().unwrap_or(view.load());
        // Without a hash one random number takes its place, for the level too.
        let hash = if spec.balancer.hashes() { hash.or_else(|| Some(bits(draw))) } else { None };
        let level = match load.levels().first() {
            None => return None,
            Some(first) if first.load == 100 => 0,
            Some(_) => load.choose(hash.unwrap_or_else(|| uniform_index(draw, 100) as u64)).0,
        };
        let level = &mut levels[level];
        let set = match level.weights.get_mut(usize::from(worker)) {
            Some(weights) => weights.pick().expect("a locality has a weight"),
            None => 0,
        };
        let HostSet { positions, balancers } = &mut level.sets[set];
        if positions.len() == 0 {
            return None;
        }
        let active = |index: usize| active(hosts, view.pod(positions.at(index)));
        let weight = |index: usize| weight_of(spec.policy.slow_start, view, positions.at(index), now);
        let picked =
            balancers[usize::from(worker)].pick(positions.len(), weight, active, hash, attempt, draw);
        Some(view.pod(positions.at(picked)))
    }

    /// This proxy's active requests to a pod.
    #[must_use]
    pub fn active(&self, pod: PodId) -> u32 {
        active(&self.hosts, pod)
    }

    /// The state of an endpoint, made by `pools` at its first call.
    #[inline]
    pub fn host_or_insert(&mut self, pod: PodId, pools: impl FnOnce() -> PoolId) -> &mut Host {
        match self.hosts.binary_search_by_key(&pod, |host| host.pod) {
            Ok(at) => &mut self.hosts[at],
            Err(at) => {
                self.hosts.insert(at, Host { pod, active: 0, pools: pools() });
                &mut self.hosts[at]
            }
        }
    }

    /// The pools of worker 0 to all endpoints that were called.
    pub fn all_pools(&self) -> impl Iterator<Item = PoolId> {
        self.hosts.iter().map(|host| host.pools)
    }

    /// The pool of worker 0 to an endpoint that was chosen.
    #[must_use]
    pub fn pools(&self, pod: PodId) -> Option<PoolId> {
        self.hosts.binary_search_by_key(&pod, |host| host.pod).ok().map(|at| self.hosts[at].pools)
    }

    /// A request goes out to a pod that was chosen.
    ///
    /// # Panics
    /// If it was not.
    pub fn begins(&mut self, pod: PodId) {
        let at = self.hosts.binary_search_by_key(&pod, |host| host.pod).expect("it was chosen");
        self.hosts[at].active += 1;
    }

    /// A request to the pod has ended.
    ///
    /// # Panics
    /// If none was active.
    pub fn ended(&mut self, pod: PodId) {
        let at = self.hosts.binary_search_by_key(&pod, |host| host.pod).expect("it was called");
        let active = &mut self.hosts[at].active;
        *active = active.checked_sub(1).expect("active requests never go below zero");
    }

    /// Active requests to all endpoints.
    #[must_use]
    pub fn total_active(&self) -> u32 {
        self.hosts.iter().map(|host| host.active).sum()
    }

    /// Endpoints that are ejected.
    #[must_use]
    pub fn ejected(&self) -> u32 {
        self.detection.as_ref().map_or(0, |it| it.detector.ejected())
    }

    /// Until when the endpoints of a view are ejected at least, of those that are.
    pub fn ejected_until(
        &self,
        config: &OutlierDetection,
        view: &EndpointView,
    ) -> impl Iterator<Item = (PodId, SimTime)> {
        let detection = self.detection.as_deref().filter(|it| it.detector.ejected() > 0);
        let until = move |pod| {
            let detection = detection?;
            Some((pod, detection.detector.ejected_until(config, detection.number(pod)?)?))
        };
        view.pods().filter_map(until)
    }

    /// The loads of the levels as this proxy has them, if it has ejected something.
    #[must_use]
    pub fn loads(&self) -> &[LevelLoad] {
        self.load.as_ref().map_or(&[], PriorityLoad::levels)
    }

    /// Whether no more are ejected than may be, of all hosts that there have been: those that are ejected stay so when
    /// others go.
    #[must_use]
    pub fn keeps_to(&self, config: &OutlierDetection) -> bool {
        self.detection
            .as_ref()
            .is_none_or(|it| config.allows(it.detector.ejected(), it.detector.ever_present()))
    }

    /// Detections that the largest part that may be ejected stopped.
    #[must_use]
    pub fn overflow(&self) -> u64 {
        self.detection.as_ref().map_or(0, |it| it.detector.overflow())
    }

    /// Whether what came of an attempt can matter: successes only end what failures began, unless
    /// statistics are judged.
    #[must_use]
    pub fn cares_about(&self, spec: &UpstreamSpec, result: AttemptResult) -> bool {
        let knows = |config: &OutlierDetection| {
            self.detection.is_some() || !result.is_success() || config.judges_statistics()
        };
        spec.outlier_detection.as_ref().is_some_and(knows)
    }

    /// A host has answered, or failed to: why it is ejected now, if it is.
    pub fn result(
        &mut self,
        picking: &Picking<'_>,
        pod: PodId,
        result: AttemptResult,
    ) -> Option<EjectionType> {
        let config = picking.spec.outlier_detection.as_ref()?;
        if !self.cares_about(picking.spec, result) {
            return None;
        }
        let detection = self.detection.get_or_insert_with(|| {
            let mut detection = Box::<Detection>::default();
            detection.follow(picking.view);
            detection
        });
        let host = detection.number(pod)?;
        let detector = &mut detection.detector;
        match result {
            AttemptResult::Status(status) => detector.put_status(config, host, status, picking.now),
            AttemptResult::Local(result) => detector.put_result(config, host, result, None, picking.now),
        }
    }

    /// The health of a host has changed: when that is to be taken over, if not at once.
    pub fn health_changes(&mut self, now: SimTime) -> Option<SimTime> {
        let merges = self.health_updated.is_some_and(|last| now - last <= UPDATE_MERGE_WINDOW);
        if !merges {
            self.take_over_health(now);
            return None;
        }
        let waits = std::mem::replace(&mut self.update_waits, true);
        (!waits).then(|| now + UPDATE_MERGE_WINDOW)
    }

    /// Changes of health are taken over.
    pub fn take_over_health(&mut self, now: SimTime) {
        self.health_updated = Some(now);
        self.update_waits = false;
        self.made_for = None;
    }

    /// The interval's timer fires; `report` learns what came of it. Tells whether it must fire
    /// again: as long as there is something to give back or to forget.
    pub fn tick(
        &mut self,
        config: &OutlierDetection,
        now: SimTime,
        mut report: impl FnMut(Option<PodId>, AtTick),
    ) -> bool {
        let Some(it) = &mut self.detection else { return config.judges_statistics() };
        let Detection { pods, detector } = &mut **it;
        detector.tick(config, now, |what| match what {
            AtTick::Ejected(host, _) | AtTick::Returned(host) => report(Some(pods[host]), what),
            AtTick::Threshold(..) => report(None, what),
        });
        config.judges_statistics() || !it.detector.is_at_rest()
    }
}

/// Envoy's default `update_merge_window`.
const UPDATE_MERGE_WINDOW: SimDuration = SimDuration::from_secs(1);

/// What came of an attempt, for outlier detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// An answer with this status.
    Status(u16),
    /// No answer.
    Local(HostResult),
}

impl AttemptResult {
    fn is_success(self) -> bool {
        match self {
            Self::Status(status) => !(500..600).contains(&status),
            Self::Local(result) => result.status().is_none_or(|status| status < 500),
        }
    }
}

/// Makes the lists and balancers of an upstream.
struct Making<'a, S, D> {
    picking: &'a Picking<'a>,
    tables: &'a mut HashTables,
    workers: usize,
    /// Whether any pod is ejected.
    ejects: bool,
    /// Whether a pod is not ejected.
    in_service: S,
    start: &'a mut D,
}

impl<S: Fn(PodId) -> bool, D: FnMut() -> Draw> Making<'_, S, D> {
    fn level(&mut self, level: usize, panics: bool) -> Level {
        let view = self.picking.view;
        // Hashing weighs localities in its tables; in panic they do not count.
        let by_locality = !panics && !self.picking.spec.balancer.hashes();
        let localities: Vec<_> = view.localities(level).filter(|_| by_locality).collect();
        let positions: Vec<_> =
            localities.iter().map(|it| self.available(it.start as usize..it.end as usize, false)).collect();
        let of = |(it, positions): (&Locality, &Positions)| LocalityHosts {
            weight: it.weight,
            total: it.end - it.start,
            healthy: positions.len() as u32,
            excluded: 0,
        };
        let hosts: Vec<_> = localities.iter().zip(&positions).map(of).collect();
        let factor = DEFAULT_OVERPROVISIONING_FACTOR;
        if hosts.iter().any(|it| it.effective_weight(factor) > 0.0) {
            let weights = (0..self.workers)
                .map(|_| LocalityWeights::start(&hosts, factor, &mut (self.start)()))
                .collect();
            return Level {
                sets: positions.into_iter().map(|positions| self.set(positions, None)).collect(),
                weights,
            };
        }
        // Without any weight all healthy hosts of the level are used.
        let all = self.available(view.positions(level), panics);
        let whole = all.len() == view.positions(level).len();
        Level { sets: vec![self.set(all, whole.then_some(level))], weights: Vec::new() }
    }

    /// The hosts of a range that may be picked.
    fn available(&self, range: Range<usize>, panics: bool) -> Positions {
        let view = self.picking.view;
        let ok = |&position: &usize| view.detail(position).healthy && (self.in_service)(view.pod(position));
        let are_all_ok = !self.ejects && view.is_healthy();
        if panics || are_all_ok || range.clone().all(|position| ok(&position)) {
            Positions::Range(range)
        } else {
            Positions::Some(range.filter(ok).map(|position| position as u32).collect())
        }
    }

    fn set(&mut self, positions: Positions, whole_level: Option<usize>) -> HostSet {
        let (hosts, policy) = (positions.len(), self.picking.spec.balancer);
        let balancers = if hosts == 0 {
            Vec::new()
        } else if policy.hashes() {
            let view = self.picking.view;
            let shared = whole_level.map(|level| (view.generation(), level));
            let host = |index| {
                let position = positions.at(index);
                (self.picking.addresses.address_of(view.pod(position)), view.hash_weight(position))
            };
            vec![self.tables.balancer(policy, shared, hosts, host); self.workers]
        } else {
            let weights = self.weights(&positions);
            let mut balancer = || match &weights {
                None => policy.start(hosts, &mut (self.start)()),
                Some(weights) => policy.start_weighted(hosts, |index| weights[index], &mut (self.start)()),
            };
            (0..self.workers).map(|_| balancer()).collect()
        };
        HostSet { positions, balancers }
    }

    /// The weights of hosts, if they differ or one of them warms up.
    fn weights(&self, positions: &Positions) -> Option<Vec<f64>> {
        let Picking { spec, view, now, .. } = *self.picking;
        if view.are_alike() {
            return None;
        }
        let slow_start = spec.policy.slow_start;
        let detail = |index| view.detail(positions.at(index));
        let warms_up =
            |index| slow_start.zip(detail(index).added).is_some_and(|(it, added)| it.holds(now - added));
        let differs = |index| detail(index).weight != detail(0).weight;
        let hosts = 0..positions.len();
        let weighted = hosts.clone().any(|index| warms_up(index) || differs(index));
        weighted.then(|| hosts.map(|index| weight_of(slow_start, view, positions.at(index), now)).collect())
    }
}

fn weight_of(slow_start: Option<SlowStart>, view: &EndpointView, position: usize, now: SimTime) -> f64 {
    let detail = view.detail(position);
    let factor = slow_start.zip(detail.added).map_or(1.0, |(it, added)| it.factor(now - added));
    f64::from(detail.weight) * factor
}

fn active(hosts: &[Host], pod: PodId) -> u32 {
    hosts.binary_search_by_key(&pod, |host| host.pod).map_or(0, |at| hosts[at].active)
}

#[cfg(test)]
mod tests;
