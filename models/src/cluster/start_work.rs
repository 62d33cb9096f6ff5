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

use super::handle::{Context, Job};
use crate::ids::PodId;
use crate::kubernetes::pod::Phase;

impl Context<'_> {
    /// The application in a place begins to burn CPU, unless it is dead.
    pub(super) fn start_work_begins(&mut self, place: usize) {
        let it = self.topology.pods[self.pod_in(place)];
        let Some(work) = self.topology.description.kubernetes.workload(it.service).start else { return };
        if self.topology.faults.is_dead(self.pod_in(place), self.now) {
            return;
        }
        let demand = self.slowed(self.pod_in(place), work.demand());
        self.cluster.recorder.start_used_cpu(self.now, demand);
        let job = Job::Start(place as u32);
        self.compute.start_beside(self.now, it.container, work.cores, demand, job);
    }

    /// The application in a place has burnt the CPU of its start.
    pub(super) fn start_work_is_done(&mut self, place: usize) {
        let times = &self.topology.description.kubernetes.pods;
        let pod = &mut self.cluster.workloads.pods[place];
        let is_starting = pod.phase == Phase::Starting;
        if pod.work_is_done(self.now, times) && is_starting {
            let ready = pod.ready_from;
            self.pod_advances_at(place, ready);
        }
    }

    /// A pod that had died is back.
    pub(super) fn pod_is_back(&mut self, pod: PodId) {
        let place = self.topology.slot_of(pod);
        let life = self.cluster.workloads.pods[place];
        let begins = match life.phase {
            Phase::Starting => life.works && life.runs_from <= self.now,
            Phase::Ready => life.works || self.topology.burns_after_ready(pod),
            Phase::Absent | Phase::Pending | Phase::Terminating => false,
        };
        if begins {
            self.start_work_begins(place);
        }
    }
}
