//! Pods of a consumer on its providers: acts on what `liqo/{pod_mutation, virtual_node, quota}` say.
//!
//! # Models
//! The consumer's scheduler chooses among its own nodes and those that stand for its providers. A pod that is bound to
//! such a node stays as an object of the consumer, which its controllers go by; what runs is another pod, which the
//! provider makes when the order has crossed the link and its quota lets it in, and which the provider's scheduler places
//! by the provider's own rules. That it is ready, or has ended, crosses the link back. A pod that the quota refuses stays
//! bound, and is asked for again after 5 ms, 10 ms, and so on up to 1000 s; so is what the provider's API server does not
//! answer, a deletion, too. What that says of the pod's readiness crosses the link as well. Several consumers meet on a provider's nodes,
//! each within a quota of its own.
//!
//! What the provider does is in `shadow_pods`. A pod that has ended there by itself is Failed here: it counts no more, and
//! its Deployment makes another one.
//!
//! Autoscalers stand at the consumer: what a provider scrapes of an offloaded pod crosses the link to them.
//!
//! # Assumptions
//! - Offloaded services begin a run without pods: the first are made when it begins, and take their time.
//! - What has the consumer's API server for its end waits for that where it is down.
//! - The virtual kubelet, the API servers and their watches take no time of their own.
//! - Endpoints of offloaded pods are announced by the provider's API server to every istiod that watches it, which takes as
//!   long as the way over the consumer's.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/virtualKubelet/reflection/workload/podns.go`; client-go
//! `util/workqueue/default_rate_limiters.go`.

use super::pods_come_and_go::{pod_advances, pod_advances_at};
use super::shadows::{Failed, Offloaded, Shadow};
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::news::{ShadowName, ShadowNews};
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::metrics_server::{Counters, PodHistory};
use crate::kubernetes::pod::PodStage;
use crate::telemetry::control_log::PodStep;
use meshsim_core::SimDuration;

/// The first gap before a pod that was refused is asked for again, and the longest.
const FIRST_GAP: SimDuration = SimDuration::from_millis(5);
const LONGEST_GAP: SimDuration = SimDuration::from_secs(1_000);

impl Control {
    /// Who a node stands for, if for another cluster.
    pub(super) fn provider(&self, node: usize) -> Option<ClusterId> {
        self.liqo.as_ref()?.provider(node)
    }

    /// A pod here is bound to the node that stands for a provider.
    pub(super) fn offload(&mut self, at: &mut Around<'_>, slot: usize, node: usize) {
        at.pods.life_mut(slot).offload(node as u32, at.now);
        if let Some(liqo) = &mut self.liqo {
            liqo.offloaded.insert(slot, Offloaded::default());
        }
        self.record(at, slot, PodStep::Offloaded(node as u32));
        self.ask_provider(at, slot);
    }

    /// A gap is over after which the provider of a pod here is asked again.
    pub(super) fn ask_provider_again(&mut self, at: &mut Around<'_>, slot: usize) {
        if at.waits_for_api_server(pod_advances(at, slot)) {
            return;
        }
        // Other steps of its life that were due when it had no node are none of these.
        let state = self.offloaded_mut(slot);
        if state.is_some_and(|it| it.again.take_if(|again| *again <= at.now).is_some()) {
            self.ask_provider(at, slot);
        }
    }

    /// The provider of a pod here is asked to make it, or to delete it.
    fn ask_provider(&self, at: &mut Around<'_>, slot: usize) {
        let (name, service, revision) = (name_of(at, slot), at.pods.service_of(slot), at.pods[slot].revision);
        let news = match at.pods[slot].stage {
            PodStage::Terminating => ShadowNews::Delete { name },
            _ => ShadowNews::Create { name, service, revision },
        };
        self.tell_provider(at, slot, news);
    }

    /// A pod here that runs at a provider is deleted.
    pub(super) fn delete_offloaded(&mut self, at: &mut Around<'_>, slot: usize) {
        let life = at.pods.life_mut(slot);
        life.stage = PodStage::Terminating;
        life.deleted = at.now;
        if let Some(state) = self.offloaded_mut(slot) {
            (state.failures, state.again) = (0, None);
        }
        self.ask_provider(at, slot);
    }

    /// Whether what runs elsewhere runs for a pod here that is being deleted.
    pub(super) fn is_deleted_here(&self, at: &Around<'_>, pod: PodId) -> bool {
        let mut of = self.liqo.iter().flat_map(|it| &it.offloaded).filter(|(_, it)| it.runs_as == Some(pod));
        of.any(|(&slot, _)| at.pods[slot].stage == PodStage::Terminating)
    }

    /// What the provider of the pod in a slot saw last of its faults.
    pub(super) fn seen_at_provider(&self, slot: usize) -> Option<ReadyCondition> {
        self.liqo.as_ref()?.offloaded.get(&slot)?.condition
    }

    /// What is kept of the pod in a slot, if it is bound to the node of a provider.
    fn offloaded_mut(&mut self, slot: usize) -> Option<&mut Offloaded> {
        self.liqo.as_mut()?.offloaded.get_mut(&slot)
    }

    fn tell_provider(&self, at: &mut Around<'_>, slot: usize, news: ShadowNews) {
        if let Some(to) = self.provider(at.pods[slot].node as usize) {
            at.hand(Handed::Shadow { to, news });
        }
    }

    /// Something is told by the other side of a peering.
    pub(in crate::cluster) fn shadow_news(
        &mut self,
        at: &mut Around<'_>,
        from: ClusterId,
        news: ShadowNews,
        counters: &Counters,
    ) {
        if !at.has_api_server() {
            return match news {
                ShadowNews::Create { name, .. } | ShadowNews::Delete { name } => {
                    at.hand(Handed::Shadow { to: from, news: ShadowNews::Unavailable { name } });
                }
                ShadowNews::Counted { .. } => {}
                _ => self.liqo.as_mut().map_or((), |it| it.unwritten.push((from, news))),
            };
        }
        match news {
            ShadowNews::Create { name, service, revision } => {
                self.provide(at, Shadow { consumer: from, name }, service, revision);
            }
            ShadowNews::Delete { name } => self.provide_no_more(at, Shadow { consumer: from, name }),
            ShadowNews::Refused { name } => self.is_refused(at, name, true),
            ShadowNews::Unavailable { name } => self.is_refused(at, name, false),
            ShadowNews::Ready { name, pod } => self.offloaded_is_ready(at, from, name, pod),
            ShadowNews::Condition { name, ready } => self.offloaded_has_condition(at, name, ready),
            ShadowNews::Ended { name } => self.offloaded_has_ended(at, name),
            ShadowNews::Counted { name } => self.offloaded_is_counted(at, name, *counters),
        }
    }

    /// The API server of this cluster is back: what could not be written to it is, and what it could not say is said.
    pub(super) fn says_what_it_could_not(&mut self, at: &mut Around<'_>) {
        let Some(liqo) = &mut self.liqo else { return };
        let unwritten = std::mem::take(&mut liqo.unwritten);
        for (to, news) in std::mem::take(&mut liqo.unsaid) {
            at.hand(Handed::Shadow { to, news });
        }
        for (from, news) in unwritten {
            self.shadow_news(at, from, news, &Counters::default());
        }
    }

    /// A provider does not make or delete a pod, because its quota does not let it in or its API server does not answer:
    /// it is asked again after a gap.
    fn is_refused(&mut self, at: &mut Around<'_>, name: ShadowName, by_quota: bool) {
        let slot = name.slot as usize;
        let life = &at.pods[slot];
        let waits = matches!(life.stage, PodStage::Starting | PodStage::Terminating);
        let is_known = life.generation == name.generation && waits;
        let state = self.offloaded_mut(slot).filter(|_| is_known);
        let Some(state) = state else { return };
        let again = at.now.saturating_add(gap_after(state.failures));
        state.failures += 1;
        state.again = Some(again);
        if by_quota && !std::mem::replace(&mut state.is_refused, true) {
            self.record(at, slot, PodStep::Refused);
        }
        pod_advances_at(at, slot, again);
    }

    fn offloaded_is_ready(&mut self, at: &mut Around<'_>, provider: ClusterId, name: ShadowName, pod: PodId) {
        let slot = name.slot as usize;
        let life = at.pods.life_mut(slot);
        if life.generation != name.generation || life.stage == PodStage::Absent {
            // It was deleted before the order came there that it be made.
            return at.hand(Handed::Shadow { to: provider, news: ShadowNews::Delete { name } });
        }
        let mut is_news = life.stage == PodStage::Starting;
        if is_news {
            life.stage = PodStage::Ready;
            (life.runs_from, life.ready_from) = (at.now, at.now);
        }
        if let Some(state) = self.offloaded_mut(slot)
            && state.runs_as.replace(pod).is_some_and(|before| before != pod)
        {
            // What was said of the one before it.
            state.condition = Some(ReadyCondition { ready: true, last_transition: at.now });
            is_news = true;
        }
        if is_news {
            self.reconcile(at, self.deployment_of(at.pods, slot));
        }
    }

    fn offloaded_has_condition(&mut self, at: &mut Around<'_>, name: ShadowName, ready: bool) {
        let slot = name.slot as usize;
        if at.pods[slot].generation != name.generation {
            return;
        }
        if let Some(state) = self.offloaded_mut(slot) {
            state.condition = Some(ReadyCondition { ready, last_transition: at.now });
            self.reconcile(at, self.deployment_of(at.pods, slot));
        }
    }

    fn offloaded_has_ended(&mut self, at: &mut Around<'_>, name: ShadowName) {
        let slot = name.slot as usize;
        let (provider, service) = (self.provider(at.pods[slot].node as usize), at.pods.service_of(slot));
        let life = at.pods.life_mut(slot);
        let is_there = life.offloaded && life.stage.has_node();
        if life.generation == name.generation && is_there {
            // Where it has ended by itself, as where it is evicted, its owner makes another.
            let is_wanted =
                std::mem::replace(&mut life.stage, PodStage::Terminating) != PodStage::Terminating;
            if let Some(liqo) = &mut self.liqo {
                liqo.offloaded.remove(&slot);
                let failed =
                    provider.filter(|_| is_wanted).map(|provider| Failed { provider, name, service });
                liqo.failed.extend(failed);
            }
            self.pod_has_ended(at, slot, 0);
        }
    }

    /// What is left here of a Deployment's pods that have ended by themselves goes with it.
    pub(super) fn delete_failed(&mut self, at: &mut Around<'_>, service: ServiceId) {
        let Some(liqo) = &mut self.liqo else { return };
        for it in liqo.failed.extract_if(.., |it| it.service == service) {
            at.hand(Handed::Shadow { to: it.provider, news: ShadowNews::Delete { name: it.name } });
        }
    }

    fn offloaded_is_counted(&mut self, at: &Around<'_>, name: ShadowName, counters: Counters) {
        let slot = name.slot as usize;
        if at.pods[slot].generation == name.generation && at.pods[slot].stage != PodStage::Absent {
            let metrics = &at.topology.description.kubernetes.metrics;
            let kept = metrics.scrapes_kept(metrics.resolution);
            self.histories.resize_with(at.pods.len(), PodHistory::default);
            self.histories[slot].scrape(at.now, counters, kept);
        }
    }
}

/// How long a pod that was refused so often waits before it asks again.
pub(super) fn gap_after(failures: u32) -> SimDuration {
    SimDuration::from_nanos(FIRST_GAP.as_nanos() << failures.min(20)).min(LONGEST_GAP)
}

/// How a consumer names the pod in a slot.
fn name_of(at: &Around<'_>, slot: usize) -> ShadowName {
    ShadowName { slot: slot as u32, generation: at.pods[slot].generation }
}
