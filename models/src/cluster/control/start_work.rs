//! Applications burn CPU when they start: acts on `kubernetes/settings`, `StartWork`.
//!
//! # Models
//! The work is done beside the worker processes of the pod's own container, under its limit and on its
//! host: it slows requests, is throttled and is seen by whoever reads the container's CPU time. A crash
//! ends it; an application that is back begins anew, with what it does after its readiness or, if it was
//! not ready yet, with what it does before.
//!
//! # Assumptions
//! - Of a pod that was ready, what its application does until it is ready lies within the time that a
//!   crash takes, and burns nothing there. Effect: its host has more CPU for others during a crash.
//!
//! # Source
//! Kubernetes issue 71255 and #67252: CPU at the start of a Java application, before and after
//! readiness, is what an autoscaler's initialization period and readiness delay are for.

use super::pods_come_and_go::{pod_advances_at, times_of};
use super::state::Control;
use crate::cluster::around::{Around, cpu_events};
use crate::cluster::job::Job;
use crate::ids::PodId;
use crate::kubernetes::pod::PodStage;

impl Control {
    /// The application in a slot begins to burn CPU, unless it is dead.
    pub(super) fn start_work_begins(&mut self, at: &mut Around<'_>, slot: usize) {
        let pod = at.pods.pod_in(slot);
        let workload = at.topology.description.kubernetes.workload(at.topology.pod_ids.service_of(pod));
        let Some(work) = workload.start else { return };
        if at.topology.faults.is_dead(pod, at.now) {
            return;
        }
        let demand = at.slowed(pod, work.demand());
        at.recorder.start_used_cpu(at.now, demand);
        let (container, job) = (at.pods.container_of(slot), Job::Start(slot as u32));
        let events = cpu_events(at.scheduler);
        at.compute.start_beside(at.now, container, work.cores, demand, job, events);
    }

    /// The application in a slot has burnt the CPU of its start.
    pub(in crate::cluster) fn start_work_is_done(&mut self, at: &mut Around<'_>, slot: usize) {
        let times = times_of(at, slot);
        let pod = at.pods.life_mut(slot);
        let is_starting = pod.stage == PodStage::Starting;
        if pod.work_is_done(at.now, times) && is_starting {
            // Without a probe it was ready before, but for an istiod that was down.
            let ready = pod.ready_from.max(at.now);
            pod_advances_at(at, slot, ready);
        }
    }

    /// A pod that had died is back.
    pub(in crate::cluster) fn pod_is_back(&mut self, at: &mut Around<'_>, pod: PodId) {
        let slot = at.pods.slot_of(pod);
        let life = at.pods[slot];
        let begins = match life.stage {
            // What would burn is in another cluster.
            _ if life.offloaded => false,
            PodStage::Starting => life.works && life.runs_from <= at.now,
            PodStage::Ready => life.works || at.topology.burns_after_ready(pod),
            PodStage::Absent | PodStage::Pending | PodStage::Terminating => false,
        };
        if begins {
            self.start_work_begins(at, slot);
        }
    }
}
