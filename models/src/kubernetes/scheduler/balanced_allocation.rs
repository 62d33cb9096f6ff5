//! Prefers the node whose resources would be used evenly.
//!
//! # Models
//! (1 - standard deviation of requested / allocatable over the resources) x 100, cut, where a part
//! above 1 counts as 1. Requests are as containers say; a pod that requests nothing is not scored, or,
//! in older releases, like any other.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`,
//! `balancedResourceScorer`; issue 129138.

use super::MAX_NODE_SCORE;
use super::resources::{NodeResources, PodRequests, Requests, Resource};
use crate::kubernetes::version::KubernetesVersion;
use meshsim_core::elementary::sqrt;

/// The score of a node for a pod, 0 to 100; nothing where the plugin is skipped for this pod.
#[must_use]
pub fn score(
    version: KubernetesVersion,
    resources: &[Resource],
    pod: &PodRequests,
    node: &NodeResources,
) -> Option<u64> {
    let requests_nothing = resources.iter().all(|resource| pod.requested.amount(*resource) == 0);
    if requests_nothing && version.skips_balance_without_requests() {
        return None;
    }
    let parts = || {
        let allocations = resources.iter().filter_map(|it| node.with(pod, *it, Requests::AsSaid));
        allocations.map(|it| (it.requested as f64 / it.allocatable as f64).min(1.0))
    };
    Some(((1.0 - deviation(parts)) * MAX_NODE_SCORE as f64) as u64)
}

fn deviation<I: Iterator<Item = f64>>(parts: impl Fn() -> I) -> f64 {
    let count = parts().count();
    let mut first_two = parts();
    match (count, first_two.next(), first_two.next()) {
        // As Kubernetes writes it: other bits than the formula below.
        (2, Some(a), Some(b)) => ((a - b) / 2.0).abs(),
        (0..=2, ..) => 0.0,
        _ => {
            let mean = parts().sum::<f64>() / count as f64;
            let squares: f64 = parts().map(|part| (part - mean) * (part - mean)).sum();
            sqrt(squares / count as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::resources::ResourceList;
    use crate::kubernetes::version::NEWEST;

    const BOTH: [Resource; 2] = [Resource::CPU, Resource::MEMORY];

    fn scored(milli_cpu: u64, memory: u64, allocatable: ResourceList) -> Option<u64> {
        let pod = PodRequests::of([&ResourceList::new(milli_cpu, memory)]);
        score(NEWEST, &BOTH, &pod, &NodeResources::new(allocatable, 110))
    }

    #[test]
    fn half_the_difference_of_two_parts_is_taken_off() {
        // 75 % and 50 %; 50 % and 50 %.
        assert_eq!(scored(3_000, 5_000, ResourceList::new(4_000, 10_000)), Some(87));
        assert_eq!(scored(3_000, 5_000, ResourceList::new(6_000, 10_000)), Some(100));
    }

    #[test]
    fn beyond_capacity_is_full() {
        assert_eq!(scored(9_000, 5_000, ResourceList::new(4_000, 10_000)), Some(75));
    }

    #[test]
    fn a_pod_that_asks_for_nothing_is_not_scored() {
        assert_eq!(scored(0, 0, ResourceList::new(4_000, 10_000)), None);
        // Up to 1.32 the node's own balance decides: 50 % and 20 %.
        let mut node = NodeResources::new(ResourceList::new(4_000, 10_000), 110);
        node.add(&PodRequests::of([&ResourceList::new(2_000, 2_000)]));
        let nothing = PodRequests::of([&ResourceList::new(0, 0)]);
        assert_eq!(score(KubernetesVersion::new(32), &BOTH, &nothing, &node), Some(85));
    }

    #[test]
    fn of_three_resources_the_standard_deviation() {
        let (gpu, mut asks, mut has) =
            (Resource::extended(0), ResourceList::new(50, 50), ResourceList::new(100, 100));
        asks.set(gpu, 8);
        has.set(gpu, 10);
        let resources = [Resource::CPU, Resource::MEMORY, gpu];
        let score = score(NEWEST, &resources, &PodRequests::of([&asks]), &NodeResources::new(has, 110));
        // Parts 0.5, 0.5, 0.8: 0.1414.
        assert_eq!(score, Some(85));
    }
}
