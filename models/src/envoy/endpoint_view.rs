//! What the proxies of a site see of an upstream: its endpoints by priority level, nearest first.
//!
//! # Models
//! One view per (site, upstream), shared by all proxies of the site. Its levels are Istio's
//! priorities where those are in force, else one level with the endpoints of all clusters. Where
//! localities are weighted, the endpoints of a level stand locality by locality. An endpoint may be
//! sent as unhealthy. A request goes to a level by the levels' loads (`priority_load`).
//!
//! A view either has a list of its own, or its levels are parts of the list of all endpoints, with what is
//! different for the site (`endpoint_list`); nobody can tell which.
//!
//! # Assumptions
//! - A view may keep only the first levels where nothing can make an endpoint unhealthy.
//! - Which endpoints are ejected differs between proxies: a proxy that ejects keeps a load and lists
//!   of its own (`upstream`).
//!
//! # Source
//! Istio `loadbalancer.go`; `endpoint_builder.go`; Envoy, arch_overview/upstream/load_balancing.

use super::endpoint_list::{Edits, EndpointList, Part, Row};
use super::priority_load::{HostCounts, Level, PriorityLoad};
use crate::ids::PodId;
use meshsim_core::SimTime;
use std::sync::Arc;

/// An endpoint as istiod sends it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Endpoint {
    /// The pod.
    pub pod: PodId,
    /// Its priority.
    pub priority: u32,
    /// Its locality, by any number; counts only where localities are weighted.
    pub locality: u32,
    /// Load balancing weight of its locality; absent where localities are not weighted.
    pub locality_weight: Option<u32>,
    /// Its own load balancing weight.
    pub weight: u32,
    /// Whether it is sent as healthy.
    pub healthy: bool,
    /// When this cluster's proxies first saw it, for slow start; absent: before the run.
    pub added: Option<SimTime>,
}

/// The endpoints that a site's proxies choose from.
#[derive(Clone, Debug, Default)]
pub struct EndpointView {
    /// Level by level, then locality by locality; otherwise in the order in which they were given.
    endpoints: Endpoints,
    /// Where each level ends.
    ends: Vec<u32>,
    /// Whether all are sent as healthy.
    is_healthy: bool,
    /// Of all levels, where localities are weighted.
    localities: Vec<Locality>,
    /// The load of the levels without any ejection.
    load: PriorityLoad,
    /// Changes whenever the view does.
    generation: u32,
}

/// Where a view's endpoints stand.
#[derive(Clone, Debug)]
enum Endpoints {
    /// In lists of its own; the second is empty where all are alike.
    Own(Vec<PodId>, Vec<Detail>),
    /// By level, in the list of all.
    Shared(Arc<EndpointList>, Vec<SharedLevel>),
}

/// A level that is a part of the list of all endpoints.
#[derive(Clone, Debug, Default)]
pub struct SharedLevel {
    /// The part; nothing of it if absent.
    pub part: Option<Part>,
    /// What is not sent to this site, and what is not in the list, in ascending order of the pods.
    pub edits: Edits<(PodId, Detail)>,
    /// What sets endpoints of the list apart, by their position there, ascending. All others weigh as the list says,
    /// are healthy and were there before the run.
    pub details: Vec<(u32, Detail)>,
}

/// What sets an endpoint apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// Load balancing weight.
    pub weight: u32,
    /// Whether it is sent as healthy.
    pub healthy: bool,
    /// When it was first seen; absent: before the run.
    pub added: Option<SimTime>,
}

/// The endpoints of a locality in a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locality {
    /// The level.
    pub level: u32,
    /// Its first position in the view.
    pub start: u32,
    /// The position after its last.
    pub end: u32,
    /// Its weight.
    pub weight: u32,
}

const PLAIN: Detail = Detail { weight: 1, healthy: true, added: None };

impl EndpointView {
    /// The view over these endpoints, with its first `levels` levels, under a panic threshold
    /// (percent).
    #[must_use]
    pub fn new(mut endpoints: Vec<Endpoint>, levels: u32, panic_threshold: u32, generation: u32) -> Self {
        endpoints.retain(|endpoint| endpoint.priority < levels);
        let weighted = endpoints.iter().any(|endpoint| endpoint.locality_weight.is_some());
        // Stable: the given order holds inside.
        endpoints.sort_by_key(|endpoint| (endpoint.priority, if weighted { endpoint.locality } else { 0 }));
        let mut view = Self { generation, ..Self::default() };
        let last = endpoints.last().map_or(0, |endpoint| endpoint.priority + 1);
        for level in 0..last {
            view.ends.push(endpoints.partition_point(|endpoint| endpoint.priority <= level) as u32);
        }
        let detail = |it: &Endpoint| Detail { weight: it.weight, healthy: it.healthy, added: it.added };
        let pods = endpoints.iter().map(|endpoint| endpoint.pod).collect();
        let mut details: Vec<Detail> = endpoints.iter().map(detail).collect();
        view.is_healthy = details.iter().all(|detail| detail.healthy);
        if details.iter().all(|detail| *detail == PLAIN) {
            details = Vec::new();
        }
        view.endpoints = Endpoints::Own(pods, details);
        if weighted {
            view.localities = localities(&endpoints);
        }
        view.load = view.load_where(|_| true, panic_threshold);
        view
    }

    /// The view whose levels are these of a list, empty ones left out, with its first `most` levels, under a panic
    /// threshold (percent). Localities are not weighted.
    #[must_use]
    pub fn shared(
        list: &Arc<EndpointList>,
        levels: impl IntoIterator<Item = SharedLevel>,
        most: u32,
        panic_threshold: u32,
        generation: u32,
    ) -> Self {
        let levels: Vec<SharedLevel> =
            levels.into_iter().filter(|it| it.len(list) > 0).take(most as usize).collect();
        let ends = levels.iter().scan(0, |end, level| {
            *end += level.len(list);
            Some(*end)
        });
        let counts = |level: &SharedLevel| {
            let total = u64::from(level.len(list));
            let healthy = total - level.unhealthy();
            Level::new(HostCounts { healthy, ..HostCounts::healthy(total) })
        };
        Self {
            ends: ends.collect(),
            is_healthy: levels.iter().all(|level| level.unhealthy() == 0),
            localities: Vec::new(),
            load: PriorityLoad::new(&levels.iter().map(counts).collect::<Vec<_>>(), panic_threshold),
            generation,
            endpoints: Endpoints::Shared(Arc::clone(list), levels),
        }
    }

    /// Levels kept.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.ends.len()
    }

    /// Changes whenever the view does.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// How many endpoints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.last().map_or(0, |&end| end as usize)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All endpoints, level by level.
    pub fn pods(&self) -> impl Iterator<Item = PodId> {
        let (own, shared) = match &self.endpoints {
            Endpoints::Own(pods, _) => (&pods[..], None),
            Endpoints::Shared(list, levels) => (&[][..], Some(levels.iter().map(move |level| (list, level)))),
        };
        let shared = shared.into_iter().flatten().flat_map(|(list, level)| level.pods(list));
        own.iter().copied().chain(shared)
    }

    /// The endpoint at a position.
    #[must_use]
    #[inline]
    pub fn pod(&self, position: usize) -> PodId {
        match &self.endpoints {
            Endpoints::Own(pods, _) => pods[position],
            Endpoints::Shared(list, levels) => self.shared_pod(list, levels, position),
        }
    }

    /// Where the endpoints of a level stand.
    #[must_use]
    pub fn positions(&self, level: usize) -> std::ops::Range<usize> {
        let start = if level == 0 { 0 } else { self.ends[level - 1] as usize };
        start..self.ends[level] as usize
    }

    /// Which part of the list of all endpoints a level is; nothing where it is none.
    #[must_use]
    pub fn part(&self, level: usize) -> Option<Part> {
        match &self.endpoints {
            Endpoints::Own(..) => None,
            Endpoints::Shared(_, levels) => levels[level].part.filter(|_| levels[level].edits.is_empty()),
        }
    }

    /// The endpoints of a level.
    pub fn level(&self, level: usize) -> impl Iterator<Item = PodId> {
        self.positions(level).map(|position| self.pod(position))
    }

    /// What sets the endpoint at a position apart.
    #[must_use]
    #[inline]
    pub fn detail(&self, position: usize) -> Detail {
        match &self.endpoints {
            Endpoints::Own(_, details) => details.get(position).copied().unwrap_or(PLAIN),
            Endpoints::Shared(list, levels) => self.shared_detail(list, levels, position),
        }
    }

    /// Whether all endpoints are sent as healthy.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.is_healthy
    }

    /// Whether nothing sets any endpoint apart.
    #[must_use]
    pub fn are_alike(&self) -> bool {
        match &self.endpoints {
            Endpoints::Own(_, details) => details.is_empty(),
            Endpoints::Shared(list, levels) => {
                let are_alike = |level: &SharedLevel| level.details.is_empty() && level.adds_plain();
                list.weigh_alike() && levels.iter().all(are_alike)
            }
        }
    }

    fn shared_row<'a>(
        &self,
        list: &EndpointList,
        levels: &'a [SharedLevel],
        position: usize,
    ) -> (&'a SharedLevel, Result<usize, &'a (PodId, Detail)>) {
        // Nearly all requests stay at the first level.
        let (number, start) = match self.ends.first() {
            Some(&end) if position < end as usize => (0, 0),
            _ => {
                let number = self.ends.partition_point(|&end| end as usize <= position);
                (number, self.positions(number).start)
            }
        };
        let level = &levels[number];
        let row = match level.edits.row((position - start) as u32) {
            Row::Added(row) => Err(row),
            Row::Shared(rank) => Ok(list.position(level.part.expect("it has rows"), rank)),
        };
        (level, row)
    }

    fn shared_pod(&self, list: &EndpointList, levels: &[SharedLevel], position: usize) -> PodId {
        match self.shared_row(list, levels, position).1 {
            Ok(at) => list.pod(at),
            Err((pod, _)) => *pod,
        }
    }

    fn shared_detail(&self, list: &EndpointList, levels: &[SharedLevel], position: usize) -> Detail {
        match self.shared_row(list, levels, position) {
            (_, Err((_, detail))) => *detail,
            (level, Ok(at)) => {
                match level.details.binary_search_by_key(&(at as u32), |(position, _)| *position) {
                    Ok(found) => level.details[found].1,
                    Err(_) => Detail { weight: list.weight(at), ..PLAIN },
                }
            }
        }
    }

    /// What the endpoint at a position weighs in a hash table: where localities are weighted, its part
    /// of its locality times the locality's weight.
    #[must_use]
    pub fn hash_weight(&self, position: usize) -> f64 {
        let own = f64::from(self.detail(position).weight);
        let holds = |it: &&Locality| (it.start as usize..it.end as usize).contains(&position);
        let Some(locality) = self.localities.iter().find(holds) else { return own };
        let positions = locality.start as usize..locality.end as usize;
        let all: f64 = positions.map(|position| f64::from(self.detail(position).weight)).sum();
        own / all * f64::from(locality.weight)
    }

    /// The weighted localities of a level; none where localities are not weighted.
    pub fn localities(&self, level: usize) -> impl Iterator<Item = Locality> + Clone {
        self.localities.iter().filter(move |it| it.level as usize == level).copied()
    }

    /// The load of the levels without any ejection.
    #[must_use]
    pub const fn load(&self) -> &PriorityLoad {
        &self.load
    }

    /// The load of the levels where only some of the endpoints that are sent as healthy are so to a
    /// proxy, under a panic threshold (percent).
    #[must_use]
    pub fn load_where(&self, healthy: impl Fn(PodId) -> bool, panic_threshold: u32) -> PriorityLoad {
        let level = |level| {
            let positions = self.positions(level);
            let total = positions.len() as u64;
            let healthy = positions.filter(|&at| self.detail(at).healthy && healthy(self.pod(at))).count();
            Level::new(HostCounts { healthy: healthy as u64, ..HostCounts::healthy(total) })
        };
        PriorityLoad::new(&(0..self.levels()).map(level).collect::<Vec<_>>(), panic_threshold)
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::Own(Vec::new(), Vec::new())
    }
}

impl SharedLevel {
    /// The endpoints, in ascending order.
    fn pods<'a>(&'a self, list: &'a EndpointList) -> impl Iterator<Item = PodId> + 'a {
        let mut listed = self.part.into_iter().flat_map(move |part| list.positions(part));
        let mut passed = 0;
        (0..self.len(list)).map(move |row| match self.edits.row(row) {
            Row::Added((pod, _)) => *pod,
            Row::Shared(rank) => {
                let at = listed.nth((rank - passed) as usize).expect("a row of the part");
                passed = rank + 1;
                list.pod(at as usize)
            }
        })
    }

    fn len(&self, list: &EndpointList) -> u32 {
        self.edits.len(self.part.map_or(0, |part| list.len(part)))
    }

    /// How many are sent as unhealthy.
    fn unhealthy(&self) -> u64 {
        let listed = self.details.iter().map(|(_, detail)| detail);
        listed.chain(self.edits.added().map(|(_, detail)| detail)).filter(|it| !it.healthy).count() as u64
    }

    /// Whether nothing sets an endpoint apart that is not in the list.
    fn adds_plain(&self) -> bool {
        self.edits.added().all(|(_, detail)| *detail == PLAIN)
    }
}

/// The runs of equal localities of sorted endpoints.
fn localities(endpoints: &[Endpoint]) -> Vec<Locality> {
    let mut localities: Vec<Locality> = Vec::new();
    let mut before = None;
    for (position, endpoint) in endpoints.iter().enumerate() {
        let key = (endpoint.priority, endpoint.locality);
        if before != Some(key) {
            let (start, weight) = (position as u32, endpoint.locality_weight.unwrap_or(0));
            localities.push(Locality { level: endpoint.priority, start, end: start, weight });
        }
        before = Some(key);
        localities.last_mut().expect("pushed above").end += 1;
    }
    localities
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(pod: u32, priority: u32) -> Endpoint {
        Endpoint {
            pod: PodId(pod),
            priority,
            locality: 0,
            locality_weight: None,
            weight: 1,
            healthy: true,
            added: None,
        }
    }

    fn view(endpoints: &[(u32, u32)], levels: u32) -> EndpointView {
        let endpoints = endpoints.iter().map(|&(pod, priority)| endpoint(pod, priority)).collect();
        EndpointView::new(endpoints, levels, 0, 0)
    }

    #[test]
    fn a_view_may_keep_only_its_first_levels() {
        let of = |levels| view(&[(0, 1), (1, 0), (2, 0), (3, 1)], levels);
        assert_eq!(of(1).levels(), 1);
        assert_eq!(of(1).level(0).collect::<Vec<_>>(), [PodId(1), PodId(2)]);
        assert_eq!(of(9).level(1).collect::<Vec<_>>(), [PodId(0), PodId(3)]);
        assert_eq!(of(9).load().choose(99), (0, super::super::priority_load::Availability::Healthy));
    }

    #[test]
    fn what_is_not_healthy_spills_to_the_next_level() {
        let view = view(&[(0, 1), (1, 0), (2, 0), (3, 1)], 9);
        let load = view.load_where(|pod| pod != PodId(1), 0);
        // Half of the first level: 70 %.
        assert_eq!([0, 69, 70, 99].map(|hash| load.choose(hash).0), [0, 0, 1, 1]);
    }

    #[test]
    fn weighted_localities_stand_together() {
        let at =
            |pod, locality, weight| Endpoint { locality, locality_weight: Some(weight), ..endpoint(pod, 0) };
        let view = EndpointView::new(vec![at(0, 7, 20), at(1, 3, 80), at(2, 7, 20)], 1, 0, 0);
        assert_eq!(view.pods().collect::<Vec<_>>(), [PodId(1), PodId(0), PodId(2)]);
        let found: Vec<_> = view.localities(0).map(|it| (it.start, it.end, it.weight)).collect();
        assert_eq!(found, [(0, 1, 80), (1, 3, 20)]);
    }

    #[test]
    fn an_endpoint_may_be_sent_as_unhealthy() {
        let sick = Endpoint { healthy: false, ..endpoint(0, 0) };
        let view = EndpointView::new(vec![sick, endpoint(1, 1)], 2, 0, 0);
        assert_eq!(view.load().choose(0).0, 1);
        assert!(!view.detail(0).healthy && view.detail(1).healthy);
    }
}
