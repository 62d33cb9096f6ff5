//! What Liqo keeps of a cluster's pods: those that run at its providers, and those that run here for its consumers.

use crate::cluster::news::{ShadowName, ShadowNews};
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::scheduler::resources::Resource;
use crate::liqo::quota::Quota;
use crate::world::topology::Topology;
use meshsim_core::SimTime;
use std::collections::{BTreeMap, BTreeSet};

/// What Liqo keeps of a cluster's pods.
#[derive(Clone, Debug)]
pub(super) struct Liqo {
    /// Its own nodes; those that stand for providers follow.
    own_nodes: usize,
    /// Who these stand for.
    providers: Vec<ClusterId>,
    /// The pods that are bound to one of them, by slot.
    pub(super) offloaded: BTreeMap<usize, Offloaded>,
    /// Those that have ended there though nobody here had deleted them: they stay, Failed, as long as their Deployments do.
    pub(super) failed: Vec<Failed>,
    /// The pods that run here for others, by slot.
    pub(super) shadows: BTreeMap<usize, Shadow>,
    /// Whose ShadowPods have been deleted while these have not ended.
    pub(super) deleted: BTreeSet<Shadow>,
    /// ShadowPods whose pods have ended by themselves, with what these ran: they keep their part of the quota.
    pub(super) ended: BTreeMap<Shadow, ServiceId>,
    /// The pods here that count because an offloading controller has made them, by slot.
    pub(super) steered: BTreeMap<usize, SteeredPod>,
    /// What each consumer may have here.
    pub(super) quotas: BTreeMap<ClusterId, Quota<ShadowName>>,
    /// What others have told, and what is to be told to others, while the API server here is down.
    pub(super) unwritten: Vec<(ClusterId, ShadowNews)>,
    pub(super) unsaid: Vec<(ClusterId, ShadowNews)>,
}

/// A pod that is bound to the node of a provider.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offloaded {
    /// How often the provider has not done what it was asked for last.
    pub(super) failures: u32,
    /// When it is asked again.
    pub(super) again: Option<SimTime>,
    /// Whether its quota has not let the pod in.
    pub(super) is_refused: bool,
    /// What runs there.
    pub(super) runs_as: Option<PodId>,
    /// What was seen there last of its faults.
    pub(super) condition: Option<ReadyCondition>,
}

/// A pod that has ended at its provider by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    /// Where.
    pub(super) provider: ClusterId,
    /// How it is named there.
    pub(super) name: ShadowName,
    /// What it ran.
    pub(super) service: ServiceId,
}

/// Whose pod one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shadow {
    /// Whose.
    pub(super) consumer: ClusterId,
    /// How it is named there.
    pub(super) name: ShadowName,
}

/// A pod that counts in the quota of whose controller has made it, or is to.
#[derive(Clone, Copy, Debug)]
pub(super) struct SteeredPod {
    /// Whose.
    pub(super) consumer: ClusterId,
    /// Its name in the quota: those of the consumer's own pods have slots there.
    pub(super) name: ShadowName,
    /// How often it was not let in.
    pub(super) failures: u32,
    /// Whether it is.
    pub(super) is_in: bool,
}

impl SteeredPod {
    /// One that is not let in yet.
    pub(super) fn new(consumer: ClusterId, slot: usize, generation: u32) -> Self {
        let name = ShadowName { slot: u32::MAX - slot as u32, generation };
        Self { consumer, name, failures: 0, is_in: false }
    }
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
            offloaded: BTreeMap::new(),
            failed: Vec::new(),
            deleted: BTreeSet::new(),
            ended: BTreeMap::new(),
            unwritten: Vec::new(),
            unsaid: Vec::new(),
            shadows: BTreeMap::new(),
            steered: BTreeMap::new(),
            quotas: quotas
                .map(|it| (it.consumer, Quota::new(it.enforcement, Some(it.granted.clone()))))
                .collect(),
        }))
    }

    /// Who a node stands for, if for another cluster.
    pub(super) fn provider(&self, node: usize) -> Option<ClusterId> {
        self.providers.get(node.checked_sub(self.own_nodes)?).copied()
    }

    /// Checks that quotas count what their consumers' ShadowPods here ask for that nobody has deleted, by what they run
    /// (thousandths of a core).
    pub(super) fn check_quotas(
        &self,
        service_of: impl Fn(usize) -> ServiceId,
        asks: impl Fn(ServiceId) -> u64,
    ) {
        for (consumer, quota) in &self.quotas {
            let is_wanted = |it: &&Shadow| it.consumer == *consumer && !self.deleted.contains(it);
            let running =
                self.shadows.iter().filter(|(_, it)| is_wanted(it)).map(|(&slot, _)| service_of(slot));
            let ended =
                self.ended.iter().filter(|(it, _)| it.consumer == *consumer).map(|(_, &service)| service);
            let steered = self.steered.iter().filter(|(_, it)| it.consumer == *consumer && it.is_in);
            let steered = steered.map(|(&slot, _)| service_of(slot));
            let counted: u64 = running.chain(ended).chain(steered).map(&asks).sum();
            assert_eq!(quota.used(Resource::CPU), counted as i64, "the quota of cluster {}", consumer.0);
        }
        let are_there = |it: &Shadow| self.shadows.values().any(|there| there == it);
        assert!(self.deleted.iter().all(are_there) && !self.ended.keys().any(are_there));
    }
}
