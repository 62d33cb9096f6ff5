//! What the proxies of a cluster see of a service: its endpoints by priority level, nearest first.
//!
//! # Models
//! One view per (cluster, service), shared by all proxies of the cluster. With locality failover
//! its levels are Istio's priorities; without, all endpoints of all clusters are one level. A
//! request goes to a level by the levels' loads (`priority_load`).
//!
//! # Assumptions
//! - While nothing makes an endpoint unhealthy the first level takes all the load, so a view may
//!   keep only the first levels: what 1,000 clusters see must not cost 1,000 times all endpoints.
//! - Which endpoints are ejected differs between proxies: a proxy that ejects keeps a load of its
//!   own ([`EndpointView::load_where`]) and chooses by it ([`EndpointView::level_by`]).
//!
//! # Source
//! Istio `loadbalancer.go`, `applyLocalityFailover`; Envoy, arch_overview/upstream/load_balancing.

use super::locality_priority::{Locality, priorities};
use super::priority_load::{HostCounts, Level, PriorityLoad};
use crate::ids::{ClusterId, PodId};

/// The endpoints that a cluster's proxies choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointView {
    /// Level by level; in the order of the clusters, then of the pods.
    pods: Vec<PodId>,
    /// Where each level ends in `pods`.
    ends: Vec<u32>,
    /// The load of the levels while all endpoints are healthy.
    load: PriorityLoad,
}

impl EndpointView {
    /// The view of a proxy at `proxy`, over all endpoints of a service (`(pod, cluster)`), with its
    /// first `levels` levels.
    #[must_use]
    pub fn new(
        proxy: &Locality,
        endpoints: &[(PodId, ClusterId)],
        locality_of: impl Fn(ClusterId) -> Locality,
        failover: bool,
        levels: u32,
    ) -> Self {
        let groups: Vec<_> = endpoints.iter().map(|&(_, cluster)| locality_of(cluster)).collect();
        let priorities = if failover { priorities(proxy, &groups, &[]) } else { vec![0; groups.len()] };
        let mut view = Self::default();
        let last = priorities.iter().max().map_or(0, |&last| (last + 1).min(levels));
        for level in 0..last {
            let here = endpoints.iter().zip(&priorities).filter(|(_, priority)| **priority == level);
            view.pods.extend(here.map(|(&(pod, _), _)| pod));
            view.ends.push(view.pods.len() as u32);
        }
        // The threshold matters to nobody while all are healthy.
        view.load = view.load_where(|_| true, 0);
        view
    }

    /// Levels kept.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.ends.len()
    }

    /// The endpoints of a level.
    #[must_use]
    pub fn level(&self, level: usize) -> &[PodId] {
        let start = if level == 0 { 0 } else { self.ends[level - 1] };
        &self.pods[start as usize..self.ends[level] as usize]
    }

    /// The level of a request while all endpoints are healthy; `hash` is asked only if several
    /// levels have load.
    #[must_use]
    pub fn choose_level(&self, hash: impl FnOnce() -> u64) -> usize {
        self.level_by(&self.load, hash)
    }

    /// The level of a request under a load of this view's levels.
    #[must_use]
    pub fn level_by(&self, load: &PriorityLoad, hash: impl FnOnce() -> u64) -> usize {
        if load.levels().first().is_none_or(|first| first.load == 100) { 0 } else { load.choose(hash()).0 }
    }

    /// The load of the levels where only some endpoints are healthy, under a panic threshold
    /// (percent).
    #[must_use]
    pub fn load_where(&self, healthy: impl Fn(PodId) -> bool, panic_threshold: u32) -> PriorityLoad {
        let level = |level| {
            let pods = self.level(level);
            let healthy = pods.iter().filter(|pod| healthy(**pod)).count() as u64;
            Level::new(HostCounts { healthy, ..HostCounts::healthy(pods.len() as u64) })
        };
        PriorityLoad::new(&(0..self.levels()).map(level).collect::<Vec<_>>(), panic_threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(endpoints: &[(u32, u32)], failover: bool, levels: u32) -> EndpointView {
        let zones =
            ["cloud", "edge1", "edge1"].map(|zone| Locality { zone: zone.into(), ..Locality::default() });
        let endpoints: Vec<_> = endpoints.iter().map(|&(p, c)| (PodId(p), ClusterId(c))).collect();
        EndpointView::new(&zones[1], &endpoints, |c| zones[c.0 as usize].clone(), failover, levels)
    }

    #[test]
    fn the_own_cluster_comes_first_and_others_only_if_it_has_none() {
        assert_eq!(view(&[(0, 0), (1, 0), (2, 1)], true, 1).level(0), [PodId(2)]);
        assert_eq!(view(&[(0, 0), (1, 0)], true, 1).level(0), [PodId(0), PodId(1)]);
        assert_eq!(view(&[(0, 0), (1, 0), (2, 1)], false, 1).level(0).len(), 3);
    }

    #[test]
    fn all_levels_can_be_kept_and_the_first_has_all_the_load() {
        let view = view(&[(0, 0), (1, 1), (2, 2), (3, 0)], true, u32::MAX);
        assert_eq!(view.levels(), 2);
        assert_eq!(view.level(0), [PodId(1), PodId(2)]);
        assert_eq!(view.level(1), [PodId(0), PodId(3)]);
        assert_eq!(view.choose_level(|| panic!("one level has it all")), 0);
    }

    #[test]
    fn what_is_not_healthy_spills_to_the_next_level() {
        let view = view(&[(0, 0), (1, 1), (2, 2), (3, 0)], true, u32::MAX);
        let load = view.load_where(|pod| pod != PodId(1), 0);
        // Half of the first level: 70 %.
        assert_eq!([0, 69, 70, 99].map(|hash| view.level_by(&load, || hash)), [0, 0, 1, 1]);
    }
}
