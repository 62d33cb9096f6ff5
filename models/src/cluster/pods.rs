//! The pods of a cluster as they are. Everybody reads them; only `control` makes and changes them.
//!
//! # Models
//! A pod has a slot in the tables of its cluster for as long as it has its number. Tables grow when a pod is made
//! and no number of its service is free; a number is free again a while after its pod has ended, and the pod that
//! takes it is its next generation. So tables are as long as there were pods at a time, however many come and go.

use crate::ids::{ClusterId, ContainerId, PodId, ServiceId};
use crate::kubernetes::pod::{PodLife, PodStage};
use crate::pod_id::PodIds;
use crate::world::topology::Topology;
use meshsim_core::{SimDuration, SimTime, Table};
use std::ops::Index;

/// Nobody sends a pod anything so long after its end: proxies far away have been told of it, too.
pub const ADDRESS_RESTS: SimDuration = SimDuration::from_secs(60);

/// The pods of a cluster, by slot.
#[derive(Clone, Debug)]
pub struct Pods {
    ids: PodIds,
    /// Whether any of them has come or gone.
    change: bool,
    lives: Vec<PodLife>,
    rows: Vec<Row>,
    /// Of each service, the slots of its pods in the order of their ordinals.
    slots: Table<ServiceId, Vec<u32>>,
}

/// What never changes of the pods that have a slot one after the other.
#[derive(Clone, Copy, Debug)]
struct Row {
    pod: PodId,
    service: ServiceId,
    container: ContainerId,
    before: Before,
}

/// What a request passes before it reaches the application of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The sidecar of the pod.
    Sidecar,
    /// The ztunnel of its node.
    Ztunnel,
    /// Nothing: there is no mesh, or the pod has no sidecar, or is outside.
    Nothing,
}

impl Pods {
    /// Those of a cluster that run from the start, with their containers.
    #[must_use]
    pub(super) fn new(topology: &Topology, here: ClusterId, containers: Vec<ContainerId>) -> Self {
        let mut pods = Self {
            ids: topology.pod_ids,
            change: false,
            lives: Vec::new(),
            rows: Vec::new(),
            slots: topology.application().services.iter().map(|_| Vec::new()).collect(),
        };
        for (it, container) in topology.pods_at_start(here).iter().zip(containers) {
            pods.add(topology, it.pod, container, PodLife::running(it.node));
        }
        pods
    }

    /// A pod has a slot from now on: the next one.
    pub(super) fn add(
        &mut self,
        topology: &Topology,
        pod: PodId,
        container: ContainerId,
        life: PodLife,
    ) -> usize {
        let (slot, service) = (self.lives.len(), self.ids.service_of(pod));
        let before = match (topology.is_behind_sidecar(pod), topology.has_ztunnel(pod)) {
            (true, _) => Before::Sidecar,
            (false, true) => Before::Ztunnel,
            (false, false) => Before::Nothing,
        };
        self.slots[service].push(slot as u32);
        self.rows.push(Row { pod, service, container, before });
        self.lives.push(life);
        slot
    }

    /// Pods come and go from now on.
    pub(super) fn begin_to_change(&mut self) {
        self.change = true;
    }

    /// How many slots there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// The slot of a pod of this cluster.
    #[must_use]
    #[inline]
    pub fn slot_of(&self, pod: PodId) -> usize {
        self.slots[self.ids.service_of(pod)][self.ids.ordinal_of(pod) as usize] as usize
    }

    /// The slots of a service's pods, in the order of their ordinals.
    #[must_use]
    pub fn slots_of(&self, service: ServiceId) -> &[u32] {
        &self.slots[service]
    }

    /// The pod in a slot.
    #[must_use]
    pub fn pod_in(&self, slot: usize) -> PodId {
        self.rows[slot].pod
    }

    /// What the pod in a slot runs.
    #[must_use]
    pub fn service_of(&self, slot: usize) -> ServiceId {
        self.rows[slot].service
    }

    /// The container of the pod in a slot.
    #[must_use]
    pub fn container_of(&self, slot: usize) -> ContainerId {
        self.rows[slot].container
    }

    /// What stands before the application of the pod in a slot.
    #[must_use]
    #[inline]
    pub fn before(&self, slot: usize) -> Before {
        self.rows[slot].before
    }

    /// The containers of all, by slot.
    pub fn containers(&self) -> impl Iterator<Item = ContainerId> {
        self.rows.iter().map(|row| row.container)
    }

    /// The slot of a service's pod that ended first, if its number has had its rest since then.
    #[must_use]
    pub fn free_slot(&self, service: ServiceId, now: SimTime, rests: SimDuration) -> Option<usize> {
        let free = |&slot: &usize| self.lives[slot].stage == PodStage::Absent;
        let slots = self.slots[service].iter().map(|&slot| slot as usize).filter(free);
        let first = slots.min_by_key(|&slot| (self.lives[slot].ended, slot))?;
        (now >= self.lives[first].ended.saturating_add(rests)).then_some(first)
    }

    /// Whether the pod in a slot can be reached.
    #[must_use]
    #[inline]
    pub fn is_reachable(&self, slot: usize) -> bool {
        !self.change || self.lives[slot].is_reachable()
    }

    /// Whether the application of the pod in a slot takes connections.
    #[must_use]
    #[inline]
    pub fn accepts(&self, slot: usize, now: SimTime) -> bool {
        !self.change || self.lives[slot].accepts(now)
    }

    /// Pods of a service that are in a stage, but for those that run in another cluster.
    #[must_use]
    pub fn count(&self, service: ServiceId, stage: PodStage) -> u32 {
        let counts = |life: &PodLife| life.stage == stage && !life.offloaded;
        self.slots[service].iter().filter(|&&slot| counts(&self.lives[slot as usize])).count() as u32
    }

    /// The pod in a slot, to be changed by whoever decides on its life.
    pub(super) fn life_mut(&mut self, slot: usize) -> &mut PodLife {
        &mut self.lives[slot]
    }
}

impl Index<usize> for Pods {
    type Output = PodLife;

    #[inline]
    fn index(&self, slot: usize) -> &PodLife {
        &self.lives[slot]
    }
}
