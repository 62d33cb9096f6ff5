//! What the controllers of nodes know: when each was heard of, which pods they have marked, and which are to be evicted.

use crate::ids::ClusterId;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::node_lifecycle::{NodeDecision, NodeLifecycle, Ready, ZoneId};
use crate::kubernetes::taint_eviction::Eviction;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimTime};
use std::collections::BTreeMap;

/// What is known of the nodes of a cluster that may be lost.
#[derive(Clone, Debug)]
pub(super) struct NodesWatch {
    pub(super) lifecycle: NodeLifecycle,
    /// The pods, by slot and generation, whose condition the controller or the kubelet has changed last.
    pub(super) conditions: BTreeMap<(usize, u32), ReadyCondition>,
    /// The pods that are to be evicted.
    pub(super) evictions: BTreeMap<(usize, u32), Eviction>,
    pub(super) decisions: Vec<NodeDecision>,
}

impl NodesWatch {
    /// Of a cluster, if a node of it is ever lost.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Option<Box<Self>> {
        if !topology.outages.lose_nodes_of(here) {
            return None;
        }
        let nodes = &topology.description.clusters[here].nodes;
        let mut zones: Vec<_> = nodes.iter().map(|it| (&it.locality.region, &it.locality.zone)).collect();
        zones.sort();
        zones.dedup();
        let settings = topology.description.kubernetes.node_lifecycle();
        let mut lifecycle = NodeLifecycle::new(settings, zones.len());
        for node in nodes {
            let zone = (&node.locality.region, &node.locality.zone);
            let zone = zones.binary_search(&zone).expect("it is one of theirs");
            lifecycle.add(ZoneId::from_index(zone), SimTime::ZERO, Some(Ready::True));
        }
        Some(Box::new(Self {
            lifecycle,
            conditions: BTreeMap::new(),
            evictions: BTreeMap::new(),
            decisions: Vec::new(),
        }))
    }

    /// What was written last of a pod because of its node.
    pub(super) fn condition(&self, slot: usize, generation: u32) -> Option<ReadyCondition> {
        self.conditions.get(&(slot, generation)).copied()
    }
}
