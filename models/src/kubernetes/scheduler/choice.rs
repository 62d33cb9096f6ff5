//! Which node a pod goes to.
//!
//! # Models
//! Of the nodes that the filters leave (`node`, `fit`) the one with the largest sum of weighted
//! scores: `least_allocated`, `balanced_allocation` and `topology_spread` under the system defaults.
//!
//! # Assumptions
//! - Ties go to the first node, where the scheduler takes any. Effect: none where nodes are alike.
//! - `ImageLocality` (weight 1) is left out. Effect: a node that has the image already is preferred
//!   less, by at most as much as `LeastAllocated` gives.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/schedule_one.go`, `prioritizeNodes`, `selectHost`.

use super::fit::{Insufficient, fits};
use super::node::{Node, Toleration};
use super::node_affinity::NodeSelector;
use super::resources::{DEFAULT_RESOURCES, PodRequests, Resource};
use super::topology_spread::{ConstraintOrigin, SpreadNode, system_defaults};
use super::{BALANCED_ALLOCATION_WEIGHT, FIT_WEIGHT, TOPOLOGY_SPREAD_WEIGHT};
use super::{balanced_allocation, least_allocated, topology_spread};
use crate::kubernetes::version::KubernetesVersion;
use serde::{Deserialize, Serialize};

/// What a pod wants of a node.
#[derive(Clone, Copy, Debug)]
pub struct PodNeeds<'a> {
    /// What it requests.
    pub requests: &'a PodRequests,
    /// Labels that the node must have; absent: any.
    pub node_selector: Option<&'a NodeSelector>,
    /// Taints that it does not mind.
    pub tolerations: &'a [Toleration],
}

/// Why a node does not take a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unfit {
    /// Its labels do not match.
    NodeAffinity,
    /// It has a taint that the pod does not tolerate.
    Taint,
    /// It takes no more pods.
    TooManyPods,
    /// Too little CPU is left.
    InsufficientCpu,
    /// Too little memory is left.
    InsufficientMemory,
}

impl Unfit {
    /// As `kubectl describe pod` says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::Taint => "node(s) had untolerated taint",
            Self::TooManyPods => "Too many pods",
            Self::InsufficientCpu => "Insufficient cpu",
            Self::InsufficientMemory => "Insufficient memory",
        }
    }
}

/// The node that a pod goes to; `alike` tells how many pods of the same kind each node has.
///
/// # Errors
/// No node takes it: why the first one does not.
pub fn choose(
    version: KubernetesVersion,
    nodes: &[Node],
    pod: &PodNeeds<'_>,
    alike: &[u32],
) -> Result<usize, Unfit> {
    let verdicts: Vec<Result<(), Unfit>> = nodes.iter().map(|node| filter(node, pod)).collect();
    let candidates = || (0..nodes.len()).filter(|&index| verdicts[index].is_ok());
    if candidates().next().is_none() {
        // What is lacking says more than what is not meant.
        return Err(verdicts.into_iter().filter_map(Result::err).max().unwrap_or(Unfit::NodeAffinity));
    }
    // Per constraint: of hosts and of zones.
    let matching: Vec<[u32; 2]> = alike.iter().map(|&count| [count; 2]).collect();
    let spread: Vec<SpreadNode<'_>> = nodes
        .iter()
        .zip(&verdicts)
        .zip(&matching)
        .map(|((node, verdict), matching)| SpreadNode {
            labels: &node.labels,
            candidate: verdict.is_ok(),
            matching,
        })
        .collect();
    let spread = topology_spread::score(&system_defaults(), ConstraintOrigin::SystemDefaults, &spread);
    let mut best: Option<(u64, usize)> = None;
    for (rank, index) in candidates().enumerate() {
        let spread = spread.as_ref().map_or(0, |scores| scores[rank].score);
        let score = score(version, &nodes[index], pod.requests) + TOPOLOGY_SPREAD_WEIGHT * spread;
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, index));
        }
    }
    Ok(best.expect("there is a candidate").1)
}

fn filter(node: &Node, pod: &PodNeeds<'_>) -> Result<(), Unfit> {
    if !node.is_tolerated(pod.tolerations) {
        return Err(Unfit::Taint);
    }
    if !node.matches(pod.node_selector) {
        return Err(Unfit::NodeAffinity);
    }
    fits(pod.requests, &node.resources).map_err(|lacking| match lacking {
        Insufficient::Pods => Unfit::TooManyPods,
        Insufficient::Resource(Resource::MEMORY) => Unfit::InsufficientMemory,
        Insufficient::Resource(_) => Unfit::InsufficientCpu,
    })
}

fn score(version: KubernetesVersion, node: &Node, requests: &PodRequests) -> u64 {
    let resources = [Resource::CPU, Resource::MEMORY];
    let balanced = balanced_allocation::score(version, &resources, requests, &node.resources).unwrap_or(0);
    FIT_WEIGHT * least_allocated::score(&DEFAULT_RESOURCES, requests, &node.resources)
        + BALANCED_ALLOCATION_WEIGHT * balanced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::node::{Effect, Taint};
    use crate::kubernetes::scheduler::resources::{NodeResources, ResourceList};
    use crate::kubernetes::scheduler::topology_spread::{HOSTNAME, ZONE};
    use crate::kubernetes::version::NEWEST;

    const GIB: u64 = 1 << 30;

    fn node(name: &str, zone: &str, milli_cpu: u64) -> Node {
        let labels = [(HOSTNAME, name), (ZONE, zone)];
        Node {
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            taints: Vec::new(),
            resources: NodeResources::new(ResourceList::new(milli_cpu, 8 * GIB), 110),
        }
    }

    fn requests(milli_cpu: u64) -> PodRequests {
        PodRequests::of([&ResourceList::new(milli_cpu, GIB)])
    }

    fn choose_for(nodes: &[Node], requests: &PodRequests, alike: &[u32]) -> Result<usize, Unfit> {
        choose(NEWEST, nodes, &PodNeeds { requests, node_selector: None, tolerations: &[] }, alike)
    }

    #[test]
    fn the_emptier_node_is_taken_and_the_first_of_equals() {
        let mut nodes = [node("a", "z", 4_000), node("b", "z", 4_000)];
        assert_eq!(choose_for(&nodes, &requests(1_000), &[0, 0]), Ok(0));
        nodes[0].resources.add(&requests(1_000));
        assert_eq!(choose_for(&nodes, &requests(1_000), &[0, 0]), Ok(1));
    }

    #[test]
    fn pods_of_a_kind_are_spread_though_the_other_node_is_fuller() {
        let mut nodes = [node("a", "z", 4_000), node("b", "z", 4_000)];
        nodes[1].resources.add(&requests(500));
        assert_eq!(choose_for(&nodes, &requests(500), &[1, 0]), Ok(1));
    }

    #[test]
    fn a_pod_that_fits_nowhere_is_told_what_is_lacking() {
        let mut nodes = [node("a", "z", 1_000), node("b", "z", 1_000)];
        assert_eq!(choose_for(&nodes, &requests(1_001), &[0, 0]), Err(Unfit::InsufficientCpu));
        let taint = Taint { key: "gpu".into(), value: String::new(), effect: Effect::NoSchedule };
        nodes[0].taints.push(taint);
        assert_eq!(choose_for(&nodes, &requests(500), &[0, 0]), Ok(1));
        assert_eq!(choose_for(&nodes[..1], &requests(500), &[0]), Err(Unfit::Taint));
    }
}
