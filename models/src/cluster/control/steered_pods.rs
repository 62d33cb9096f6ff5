//! The quota of what an offloading controller has made at an edge under Liqo.
//!
//! # Models
//! Under Liqo what a controller of a consumer orders at its provider are offloaded pods: each counts in the quota that the
//! provider has granted that consumer, as others do. One that the quota does not let in waits without a node, and asks again
//! after 5 ms, 10 ms, and so on up to 1000 s. A deletion frees at once.
//!
//! # Assumptions
//! - The pods are objects of the edge alone, as everything that a controller orders; what Liqo tells of them both ways takes
//!   the time of the order only.
//! - What runs at the start counts as far as the quota lets it in.
//!
//! # Source
//! As `liqo/quota` and `control/liqo`; mSvcBench/muPlacer `examples/liqo`: an edge's slice of 20 cores and 20 GiB.

use super::liqo::gap_after;
use super::pods_come_and_go::pod_advances_at;
use super::shadow_pods::containers_of;
use super::shadows::SteeredPod;
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::pods::Pods;
use crate::ids::ClusterId;
use crate::telemetry::control_log::PodStep;
use crate::world::topology::Topology;

impl Control {
    /// Whether a pod here may have a node as far as a quota is concerned; one that may not asks again.
    pub(super) fn is_let_in(&mut self, at: &mut Around<'_>, slot: usize) -> bool {
        let (topology, service, generation) =
            (at.topology, at.pods.service_of(slot), at.pods[slot].generation);
        let (Some(liqo), Some(consumer)) = (&mut self.liqo, topology.description.steers(service, at.here))
        else {
            return true;
        };
        let pod = liqo.steered.entry(slot).or_insert_with(|| SteeredPod::new(consumer, slot, generation));
        if pod.is_in {
            return true;
        }
        let containers = containers_of(topology, service, at.here);
        let quota = liqo.quotas.get_mut(&consumer);
        pod.is_in = quota.is_none_or(|quota| quota.creates(pod.name, &containers, &[]));
        if pod.is_in {
            return true;
        }
        let again = at.now.saturating_add(gap_after(pod.failures));
        pod.failures += 1;
        let is_first = pod.failures == 1;
        if is_first {
            self.record(at, slot, PodStep::Refused);
        }
        pod_advances_at(at, slot, again);
        false
    }

    /// What runs here at the start counts in the quotas of those whose controllers may move it.
    pub(super) fn count_steered(&mut self, here: ClusterId, topology: &Topology, pods: &Pods) {
        let Some(liqo) = &mut self.liqo else { return };
        for slot in 0..pods.len() {
            let service = pods.service_of(slot);
            if let Some(consumer) = topology.description.steers(service, here)
                && let Some(quota) = liqo.quotas.get_mut(&consumer)
            {
                let mut pod = SteeredPod::new(consumer, slot, pods[slot].generation);
                pod.is_in = quota.creates(pod.name, &containers_of(topology, service, here), &[]);
                liqo.steered.insert(slot, pod);
            }
        }
    }

    /// A pod here is to be deleted.
    pub(super) fn frees_quota_of_steered(&mut self, slot: usize) {
        let Some(liqo) = &mut self.liqo else { return };
        if let Some(pod) = liqo.steered.remove(&slot).filter(|it| it.is_in)
            && let Some(quota) = liqo.quotas.get_mut(&pod.consumer)
        {
            quota.deletes(&pod.name);
        }
    }
}
