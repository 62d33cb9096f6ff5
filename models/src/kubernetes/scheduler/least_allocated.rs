//! Prefers the emptiest node.
//!
//! # Models
//! The weighted mean over the resources of (allocatable - requested) / allocatable x 100, each cut
//! to an integer, 0 where more is requested than there is; the mean is cut too. A container that
//! says nothing of CPU or memory counts as 100m and 200 MiB.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/noderesources/least_allocated.go`.

use super::MAX_NODE_SCORE;
use super::resources::{Allocation, NodeResources, PodRequests, Requests, WeightedResource};

/// The score of a node for a pod, 0 to 100.
#[must_use]
pub fn score(resources: &[WeightedResource], pod: &PodRequests, node: &NodeResources) -> u64 {
    let (mut sum, mut weights) = (0_u64, 0);
    for &WeightedResource { resource, weight } in resources {
        if let Some(allocation) = node.with(pod, resource, Requests::NonZero) {
            sum += free(allocation) * weight;
            weights += weight;
        }
    }
    sum.checked_div(weights).unwrap_or(0)
}

/// Percent that would be left, cut.
const fn free(of: Allocation) -> u64 {
    of.allocatable.saturating_sub(of.requested) * MAX_NODE_SCORE / of.allocatable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::resources::{DEFAULT_RESOURCES, ResourceList};

    fn scored(pod: &ResourceList, node: &NodeResources) -> u64 {
        score(&DEFAULT_RESOURCES, &PodRequests::of([pod]), node)
    }

    fn node(milli_cpu: u64, memory: u64) -> NodeResources {
        NodeResources::new(ResourceList::new(milli_cpu, memory), 110)
    }

    #[test]
    fn the_mean_of_what_is_left_of_cpu_and_memory() {
        // (25 + 50) / 2 cut, and (50 + 50) / 2.
        assert_eq!(scored(&ResourceList::new(3_000, 5_000), &node(4_000, 10_000)), 37);
        assert_eq!(scored(&ResourceList::new(3_000, 5_000), &node(6_000, 10_000)), 50);
    }

    #[test]
    fn over_capacity_counts_as_0() {
        let mut full = node(4_000, 10_000);
        full.add(&PodRequests::of([&ResourceList::new(3_000, 5_000)]));
        assert_eq!(scored(&ResourceList::new(3_000, 0), &full), 25);
    }

    #[test]
    fn a_container_without_requests_counts_as_100m_and_200_mib() {
        let (gib, nothing) = (1 << 30, ResourceList::default());
        assert_eq!(scored(&nothing, &node(4_000, 8 * gib)), 97);
        assert_eq!(scored(&nothing, &node(1_000, gib)), 85);
    }

    #[test]
    fn without_anything_to_look_at_it_is_0() {
        assert_eq!(score(&[], &PodRequests::default(), &node(1, 1)), 0);
        assert_eq!(scored(&ResourceList::new(1, 1), &node(0, 0)), 0);
    }
}
