//! What the controllers of nodes know: when each was heard of, which pods they have marked, and which are to be evicted.

use super::peers::is_ready;
use crate::ids::ClusterId;
use crate::istiod::locality_setting::REGION_LABEL;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::node_lifecycle::{NodeDecision, NodeLifecycle, Ready, ZoneId};
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::topology_spread::ZONE;
use crate::kubernetes::taint_eviction::Eviction;
use crate::world::placement::empty_nodes;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimTime};
use std::collections::BTreeMap;

/// What is known of the nodes of a cluster, those that stand for its providers behind its own.
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
    /// Of a cluster, if something may happen to a node of it.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Option<Box<Self>> {
        if !topology.watches_nodes(here) {
            return None;
        }
        let description = &topology.description;
        let nodes = empty_nodes(description, here);
        let zone = |node: &Node| [REGION_LABEL, ZONE].map(|key| node.labels.get(key).cloned());
        let mut zones: Vec<_> = nodes.iter().map(zone).collect();
        zones.sort();
        zones.dedup();
        let settings = description.kubernetes.node_lifecycle();
        let mut lifecycle = NodeLifecycle::new(settings, zones.len());
        let granted: Vec<_> = description
            .liqo()
            .into_iter()
            .flat_map(|it| it.providers_of(here))
            .map(|it| &it.granted)
            .collect();
        let own = nodes.len() - granted.len();
        for (number, node) in nodes.iter().enumerate() {
            let zone = zones.binary_search(&zone(node)).expect("it is one of theirs");
            let is_ready = number.checked_sub(own).is_none_or(|it| is_ready(granted[it], true));
            let ready = if is_ready { Ready::True } else { Ready::False };
            lifecycle.add(ZoneId::from_index(zone), SimTime::ZERO, Some(ready));
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
