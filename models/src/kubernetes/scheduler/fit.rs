//! Whether a pod fits on a node.
//!
//! # Models
//! A node has room for one more pod, and for what it requests beside what the pods there request; a
//! resource of which the pod requests nothing does not matter, however full the node is.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/noderesources/fit.go`, `fitsRequest`.

use super::resources::{NodeResources, PodRequests, Resource};

/// What a node has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insufficient {
    /// Pods that it takes.
    Pods,
    /// A resource.
    Resource(Resource),
}

/// Whether a pod fits on a node, and if not, the first thing that is lacking.
///
/// # Errors
/// It does not fit.
pub fn fits(pod: &PodRequests, node: &NodeResources) -> Result<(), Insufficient> {
    if node.pods() + 1 > node.allowed_pods {
        return Err(Insufficient::Pods);
    }
    let lacks = |&(resource, asked): &(Resource, u64)| {
        let taken = node.requested().requested.amount(resource);
        asked > 0 && taken + asked > node.allocatable.amount(resource)
    };
    match pod.requested.iter().find(lacks) {
        Some((resource, _)) => Err(Insufficient::Resource(resource)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::resources::ResourceList;

    fn pod(milli_cpu: u64, memory: u64) -> PodRequests {
        PodRequests::of([&ResourceList::new(milli_cpu, memory)])
    }

    fn node(allowed_pods: u64) -> NodeResources {
        let mut node = NodeResources::new(ResourceList::new(1_000, 1_000), allowed_pods);
        node.add(&pod(900, 500));
        node
    }

    #[test]
    fn exactly_full_fits_and_one_more_does_not() {
        assert_eq!(fits(&pod(100, 500), &node(110)), Ok(()));
        assert_eq!(fits(&pod(101, 0), &node(110)), Err(Insufficient::Resource(Resource::CPU)));
        assert_eq!(fits(&pod(100, 501), &node(110)), Err(Insufficient::Resource(Resource::MEMORY)));
    }

    #[test]
    fn a_place_is_needed_even_for_nothing() {
        assert_eq!(fits(&pod(0, 0), &node(1)), Err(Insufficient::Pods));
        assert_eq!(fits(&pod(0, 0), &node(2)), Ok(()));
    }

    #[test]
    fn what_is_not_asked_for_does_not_matter() {
        let mut full = node(110);
        full.allocatable = ResourceList::new(1_000, 400);
        assert_eq!(fits(&pod(100, 0), &full), Ok(()));
        // A default counts for scores, not for this.
        assert_eq!(fits(&PodRequests::of([&ResourceList::default()]), &full), Ok(()));
    }

    #[test]
    fn an_extended_resource_must_be_there() {
        let gpu = Resource::extended(0);
        let mut asks = ResourceList::new(0, 0);
        asks.set(gpu, 1);
        let asks = PodRequests::of([&asks]);
        let mut with = node(110);
        assert_eq!(fits(&asks, &with), Err(Insufficient::Resource(gpu)));
        with.allocatable.set(gpu, 1);
        assert_eq!(fits(&asks, &with), Ok(()));
    }
}
