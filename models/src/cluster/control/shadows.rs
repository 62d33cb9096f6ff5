//! What Liqo keeps of a cluster's pods: those that run at its providers, and those that run here for its consumers.

use crate::cluster::news::ShadowName;
use crate::ids::ClusterId;
use crate::kubernetes::scheduler::resources::Resource;
use crate::liqo::quota::Quota;
use crate::world::topology::Topology;
use std::collections::BTreeMap;

/// What Liqo keeps of a cluster's pods.
#[derive(Clone, Debug)]
pub(super) struct Liqo {
    /// Its own nodes; those that stand for providers follow.
    own_nodes: usize,
    /// Who these stand for.
    providers: Vec<ClusterId>,
    /// How often each pod that is bound to one of them was refused, by slot.
    pub(super) refusals: BTreeMap<usize, u32>,
    /// The pods that run here for others, by slot.
    pub(super) shadows: BTreeMap<usize, Shadow>,
    /// What each consumer may have here.
    pub(super) quotas: BTreeMap<ClusterId, Quota<ShadowName>>,
}

/// Whose pod one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    /// Whose.
    pub(super) consumer: ClusterId,
    /// How it is named there.
    pub(super) name: ShadowName,
}

impl Liqo {
    /// As a cluster begins, if Liqo joins it to others.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Option<Box<Self>> {
        let description = &topology.description;
        let liqo = description.liqo()?;
        let quotas = liqo.peerings.iter().filter(|it| it.provider == here);
        Some(Box::new(Self {
            own_nodes: description.clusters[here].nodes.len(),
            providers: liqo.providers_of(here).map(|it| it.provider).collect(),
            refusals: BTreeMap::new(),
            shadows: BTreeMap::new(),
            quotas: quotas
                .map(|it| (it.consumer, Quota::new(it.enforcement, Some(it.granted.clone()))))
                .collect(),
        }))
    }

    /// Who a node stands for, if for another cluster.
    pub(super) fn provider(&self, node: usize) -> Option<ClusterId> {
        self.providers.get(node.checked_sub(self.own_nodes)?).copied()
    }

    /// Checks that quotas count what their consumers' pods here count, by slot (thousandths of a core), and no more than
    /// was granted.
    pub(super) fn check_quotas(&self, counted: impl Fn(usize) -> u64) {
        for (consumer, quota) in &self.quotas {
            let of_consumer = self.shadows.iter().filter(|(_, it)| it.consumer == *consumer);
            let runs: u64 = of_consumer.map(|(&slot, _)| counted(slot)).sum();
            assert_eq!(quota.used(Resource::CPU), runs as i64, "the quota of cluster {}", consumer.0);
        }
    }
}
