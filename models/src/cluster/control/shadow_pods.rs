//! Pods of others that run here: acts on what `liqo/quota` says of their ShadowPods.
//!
//! # Models
//! A ShadowPod is let in by its consumer's quota, and counts there until its consumer deletes it. Its pod is the cluster's own:
//! its scheduler places it. A pod that ends here by itself, because its node is
//! drained or it is evicted, is another matter: its ShadowPod stays. Kubelets before Kubernetes 1.27 leave no more of such a
//! pod, and the ShadowPod controller makes it anew; to the consumer it is not ready for a while. Later ones say that it
//! is Failed or Succeeded before it is gone, and a ShadowPod in either phase is left alone: the consumer's pod is in the
//! same phase, its Deployment makes another one, and the old one keeps its part of the quota until that is removed.
//!
//! # Assumptions
//! - An endpoint leaves at once when its node is drained, where the consumer's own EndpointSlice has it until its containers
//!   have ended. Effect: fewer requests meet a pod that ends.
//! - What is left on a node that is lost is not deleted by force (`enableNodeFailureController`, off by default).
//! - Nothing collects pods that are Failed (Kubernetes does from 12,500 on), and their deletion with their Deployment is asked
//!   for once.
//! - A container's limit of memory is its request; Istio's sidecar has its defaults (2 cores, 1 GiB).
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/liqo-controller-manager/offloading/shadowpod-controller` (`Reconcile`; phases since #3245),
//! `pkg/virtualKubelet/reflection/workload/podns.go` (`HandleStatus`), `pkg/webhooks/shadowpod` (`HandleDelete` alone frees, of
//! which #3137 complains); `kubernetes/version`.

use super::pods_come_and_go::{make_pod, try_to_schedule};
use super::shadows::Shadow;
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::news::{ShadowName, ShadowNews};
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::kubernetes::metrics_server::Counters;
use crate::kubernetes::scheduler::resources::{Resource, ResourceList};
use crate::liqo::quota::Container;
use crate::telemetry::control_log::PodStep;
use crate::world::topology::Topology;

/// What Istio limits its sidecar to: thousandths of a core, bytes.
const SIDECAR_LIMITS: (u64, u64) = (2_000, 1 << 30);

impl Control {
    /// A consumer wants a pod here.
    pub(super) fn provide(&mut self, at: &mut Around<'_>, shadow: Shadow, service: ServiceId, revision: u32) {
        let containers = containers_of(at.topology, service, at.here);
        let Some(liqo) = &mut self.liqo else { return };
        // It is there already, or was.
        if liqo.shadows.values().any(|it| *it == shadow) || liqo.ended.contains_key(&shadow) {
            return;
        }
        let quota = liqo.quotas.get_mut(&shadow.consumer);
        if !quota.is_some_and(|quota| quota.creates(shadow.name, &containers, &[])) {
            let news = ShadowNews::Refused { name: shadow.name };
            return at.hand(Handed::Shadow { to: shadow.consumer, news });
        }
        self.make_shadow(at, shadow, service, revision);
    }

    /// A pod is made here for a consumer.
    fn make_shadow(&mut self, at: &mut Around<'_>, shadow: Shadow, service: ServiceId, revision: u32) {
        self.begin_to_change(at.here, at.topology, at.pods);
        let slot = make_pod(at, service, revision);
        if let Some(liqo) = &mut self.liqo {
            liqo.shadows.insert(slot, shadow);
        }
        self.record(at, slot, PodStep::Created);
        try_to_schedule(at, slot);
    }

    /// A consumer wants a pod here no more: what it counts of the quota is free at once.
    pub(super) fn provide_no_more(&mut self, at: &mut Around<'_>, shadow: Shadow) {
        let Some(liqo) = &mut self.liqo else { return };
        let slot = liqo.shadows.iter().find(|(_, it)| **it == shadow).map(|(&slot, _)| slot);
        // It may be asked for again.
        let counted = match slot {
            Some(_) => liqo.deleted.insert(shadow),
            None => liqo.ended.remove(&shadow).is_some(),
        };
        if let Some(quota) = liqo.quotas.get_mut(&shadow.consumer).filter(|_| counted) {
            quota.deletes(&shadow.name);
        }
        match slot {
            Some(slot) if at.pods[slot].stage.is_owned() => self.delete_pod(at, slot),
            // It is on its way out, and tells when it has ended.
            Some(_) => {}
            None => self.tell_consumer(at, shadow, |name| ShadowNews::Ended { name }),
        }
    }

    /// A pod here has come a step further: whose it is learns that it is ready.
    pub(super) fn shadow_steps(&mut self, at: &mut Around<'_>, slot: usize, step: PodStep) {
        let shadow = self.liqo.as_ref().and_then(|it| it.shadows.get(&slot));
        if let (PodStep::Ready, Some(&shadow)) = (step, shadow) {
            let pod = at.pods.pod_in(slot);
            self.tell_consumer(at, shadow, |name| ShadowNews::Ready { name, pod });
        }
    }

    /// A pod here has ended: whose it is learns of it, or, where nothing says how it ended, it is made anew.
    pub(super) fn shadow_has_ended(&mut self, at: &mut Around<'_>, slot: usize) {
        let Some(liqo) = &mut self.liqo else { return };
        let Some(shadow) = liqo.shadows.remove(&slot) else { return };
        let (service, revision) = (at.pods.service_of(slot), at.pods[slot].revision);
        let has_phase = at.topology.description.kubernetes.controller.version.deleted_pods_end_in_a_phase();
        let is_wanted = !liqo.deleted.remove(&shadow);
        if is_wanted && !has_phase {
            self.tell_consumer(at, shadow, |name| ShadowNews::Condition { name, ready: false });
            return self.make_shadow(at, shadow, service, revision);
        }
        if is_wanted {
            liqo.ended.insert(shadow, service);
        }
        self.tell_consumer(at, shadow, |name| ShadowNews::Ended { name });
    }

    /// The consumer of a pod here is told of it, once the API server here can.
    fn tell_consumer(
        &mut self,
        at: &mut Around<'_>,
        shadow: Shadow,
        news: impl Fn(ShadowName) -> ShadowNews,
    ) {
        let news = news(shadow.name);
        match &mut self.liqo {
            Some(liqo) if !at.has_api_server() => liqo.unsaid.push((shadow.consumer, news)),
            _ => at.hand(Handed::Shadow { to: shadow.consumer, news }),
        }
    }

    /// The EndpointSlice of a pod here says that it is ready, or not: whose it is learns of it.
    pub(super) fn tell_consumer_of_condition(&self, at: &mut Around<'_>, pod: PodId, ready: bool) {
        let slot = at.pods.slot_of(pod);
        if let Some(&Shadow { consumer, name }) = self.liqo.as_ref().and_then(|it| it.shadows.get(&slot)) {
            at.hand(Handed::Shadow { to: consumer, news: ShadowNews::Condition { name, ready } });
        }
    }

    /// What was scraped of a pod here goes to whose it is, if an autoscaler there wants to know.
    pub(super) fn tell_counters(&self, at: &mut Around<'_>, slot: usize) {
        let Some(Shadow { consumer, name }) =
            self.liqo.as_ref().and_then(|it| it.shadows.get(&slot).copied())
        else {
            return;
        };
        let kubernetes = &at.topology.description.kubernetes;
        if kubernetes.autoscaler(at.pods.service_of(slot), consumer).is_some() {
            at.hand(Handed::Shadow { to: consumer, news: ShadowNews::Counted { name } });
        }
    }

    /// What was scraped last of the pod of a consumer that some news are of.
    pub(in crate::cluster) fn counters_of(&self, consumer: ClusterId, news: ShadowNews) -> Counters {
        let ShadowNews::Counted { name } = news else { return Counters::default() };
        let shadows = self.liqo.as_ref().map(|it| &it.shadows);
        let shadow = Shadow { consumer, name };
        let slot = shadows.and_then(|it| it.iter().find(|(_, it)| **it == shadow).map(|(&slot, _)| slot));
        slot.and_then(|slot| self.histories.get(slot)?.newest()).unwrap_or_default()
    }
}

/// What the containers of a service's pods at a provider ask for.
pub(super) fn containers_of(topology: &Topology, service: ServiceId, here: ClusterId) -> Vec<Container> {
    let description = &topology.description;
    let workload = description.kubernetes.workload(service);
    let limit = description.deployments.iter().find(|it| (it.service, it.cluster) == (service, here));
    let mut limits = ResourceList::default();
    if let Some(cores) = limit.and_then(|it| it.cpu_limit) {
        limits.set(Resource::CPU, (cores.0 * 1_000.0).round() as u64);
    }
    if let Some(memory) = workload.application.get(Resource::MEMORY) {
        limits.set(Resource::MEMORY, memory);
    }
    let mut containers = vec![Container { requests: workload.application.clone(), limits }];
    if description.is_injected(service) {
        let (milli_cpu, memory) = SIDECAR_LIMITS;
        let limits = ResourceList::new(milli_cpu, memory);
        containers.push(Container { requests: workload.sidecar.clone(), limits });
    }
    containers
}
