//! The life of a pod: from its creation to its end.
//!
//! # Models
//! A pod waits for a node, then for its images (a node pulls one after the other, and each only
//! once), then its containers start: the sidecar and the application at the same time, or one after
//! the other. It is ready once the application has answered a probe, which asks at fixed distances,
//! and the sidecar is ready. When it is deleted its endpoint is removed and, after the preStop hook,
//! SIGTERM is sent: the application takes nothing new and ends what it has, its sidecar stays for a
//! drain time; what is left at the end of the grace period is killed. Whether a pod has ended is
//! looked at once a second, as a kubelet does.
//!
//! # Assumptions
//! - An application answers its first probe that comes after its start; the sidecar's own probe asks
//!   often enough not to matter.
//! - Liveness probes and restarts are left out: a container that crashes is a fault (`faults/pod`).
//!
//! # Source
//! kubernetes.io, Pod Lifecycle; kubernetes/kubernetes `pkg/kubelet/prober/worker.go`,
//! `pkg/kubelet/pleg/generic.go` (1 s); Istio `ProxyConfig` (`terminationDrainDuration`).

use super::hpa::pod_groups::{Phase as HpaPhase, PodState, ReadyCondition};
use super::settings::PodTimes;
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none in this place.
    #[default]
    Absent,
    /// It has no node.
    Pending,
    /// It has a node and is not ready.
    Starting,
    /// It is ready.
    Ready,
    /// It is being deleted.
    Terminating,
}

/// A place for a pod, and the pod in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodLife {
    /// Where it is in its life.
    pub phase: Phase,
    /// How many pods were in this place before.
    pub incarnation: u32,
    /// The version of its template.
    pub revision: u32,
    /// Its node, once it has one.
    pub node: u32,
    /// When it was made.
    pub created: SimTime,
    /// When its node's kubelet took it.
    pub bound: SimTime,
    /// When its containers run.
    pub runs_from: SimTime,
    /// When its application answers.
    pub serves_from: SimTime,
    /// When it is ready.
    pub ready_from: SimTime,
    /// When it was deleted.
    pub deleted: SimTime,
    /// When it ended.
    pub ended: SimTime,
    /// When its application gets SIGTERM; never is [`SimTime::MAX`].
    pub refuses_from: SimTime,
    /// Whether no node took it when it was tried.
    pub unschedulable: bool,
}

/// Random factors of a start, each with mean 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartFactors {
    /// Of both containers' start.
    pub containers: f64,
    /// Of the sidecar's readiness.
    pub sidecar: f64,
    /// Of the application's start.
    pub application: f64,
}

/// The images that a node has.
#[derive(Clone, Debug, Default)]
pub struct ImageCache {
    /// When each is there.
    there: BTreeMap<u32, SimTime>,
    /// When the last one that is pulled is there.
    free_at: SimTime,
}

/// The number of the sidecar's image.
pub const SIDECAR_IMAGE: u32 = u32::MAX;

impl ImageCache {
    /// An image is there from the start.
    pub fn hold(&mut self, image: u32) {
        self.there.insert(image, SimTime::ZERO);
    }

    /// When an image of so many bytes is there, pulled now if need be.
    pub fn pull(&mut self, image: u32, bytes: f64, bits_per_second: f64, now: SimTime) -> SimTime {
        if let Some(&at) = self.there.get(&image) {
            return at.max(now);
        }
        let takes = SimDuration::from_secs_f64(bytes * 8.0 / bits_per_second);
        self.free_at = self.free_at.max(now).saturating_add(takes);
        self.there.insert(image, self.free_at);
        self.free_at
    }
}

impl PodLife {
    /// A pod that ran before the run began.
    #[must_use]
    pub const fn running(node: u32) -> Self {
        Self {
            phase: Phase::Ready,
            incarnation: 0,
            revision: 0,
            node,
            created: SimTime::ZERO,
            bound: SimTime::ZERO,
            runs_from: SimTime::ZERO,
            serves_from: SimTime::ZERO,
            ready_from: SimTime::ZERO,
            deleted: SimTime::MAX,
            ended: SimTime::ZERO,
            refuses_from: SimTime::MAX,
            unschedulable: false,
        }
    }

    /// A new pod in this place.
    #[must_use]
    pub const fn next(&self, revision: u32, now: SimTime) -> Self {
        Self {
            phase: Phase::Pending,
            incarnation: self.incarnation + 1,
            revision,
            created: now,
            serves_from: SimTime::MAX,
            ready_from: SimTime::MAX,
            ..Self::running(0)
        }
    }

    /// It has a node, whose images are there at `images`.
    pub fn start(
        &mut self,
        node: u32,
        now: SimTime,
        images: SimTime,
        times: &PodTimes,
        factors: StartFactors,
        has_sidecar: bool,
    ) {
        let scaled =
            |time: SimDuration, factor: f64| SimDuration::from_nanos_f64(time.as_nanos() as f64 * factor);
        let container = scaled(times.container_start, factors.containers);
        let mut runs = images.saturating_add(container);
        let sidecar_ready = if has_sidecar {
            runs.saturating_add(scaled(times.sidecar_start, factors.sidecar))
        } else {
            runs
        };
        if has_sidecar && times.hold_application {
            runs = sidecar_ready.saturating_add(container);
        }
        let serves = runs.saturating_add(scaled(times.application_start, factors.application));
        let answers = times.readiness.map_or(runs, |probe| {
            let first = runs.saturating_add(probe.initial_delay);
            let missed = if serves > first { (serves - first).as_nanos() } else { 0 };
            let probes = missed.div_ceil(probe.period.as_nanos().max(1));
            first.saturating_add(SimDuration::from_nanos(probes.saturating_mul(probe.period.as_nanos())))
        });
        self.phase = Phase::Starting;
        self.unschedulable = false;
        self.node = node;
        self.bound = now;
        self.runs_from = runs;
        self.serves_from = serves;
        self.ready_from = answers.max(sidecar_ready);
    }

    /// It is deleted: tells when it is looked at first.
    pub fn delete(&mut self, now: SimTime, times: &PodTimes, has_sidecar: bool) -> SimTime {
        self.phase = Phase::Terminating;
        self.deleted = now;
        self.refuses_from = now.saturating_add(times.pre_stop);
        let drained = if has_sidecar {
            self.refuses_from.saturating_add(times.sidecar_drain)
        } else {
            self.refuses_from
        };
        drained.min(self.killed_at(times))
    }

    /// When a pod that is being deleted is killed.
    #[must_use]
    pub fn killed_at(&self, times: &PodTimes) -> SimTime {
        self.deleted.saturating_add(times.grace)
    }

    /// Whether its application takes a request.
    #[must_use]
    pub fn accepts(&self, now: SimTime) -> bool {
        let there = matches!(self.phase, Phase::Ready | Phase::Terminating);
        there && self.serves_from <= now && now < self.refuses_from
    }

    /// Whether its network can be reached.
    #[must_use]
    pub const fn is_reachable(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Terminating)
    }

    /// What an autoscaler knows of it, if there is one; `broken` since then, if it is.
    #[must_use]
    pub fn seen_by_autoscaler(&self, now: SimTime, broken: Option<SimTime>) -> Option<PodState> {
        let deleted = match self.phase {
            Phase::Absent => return None,
            Phase::Terminating => true,
            Phase::Pending | Phase::Starting | Phase::Ready => false,
        };
        let bound = self.phase != Phase::Pending;
        let runs = bound && self.runs_from <= now;
        let ready = matches!(self.phase, Phase::Ready | Phase::Terminating);
        let last_transition = match broken {
            Some(since) => since,
            None if ready => self.ready_from,
            None => self.bound,
        };
        let condition = ReadyCondition { ready: ready && broken.is_none(), last_transition };
        Some(PodState {
            phase: if runs { HpaPhase::Running } else { HpaPhase::Pending },
            deleted,
            condition: bound.then_some(condition),
            started: bound.then_some(self.bound),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::settings::ReadinessProbe;

    const EXACT: StartFactors = StartFactors { containers: 1.0, sidecar: 1.0, application: 1.0 };

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    fn started(times: &PodTimes, has_sidecar: bool) -> PodLife {
        let mut pod = PodLife::default().next(0, at(0));
        pod.start(0, at(100), at(100), times, EXACT, has_sidecar);
        pod
    }

    #[test]
    fn a_pod_is_ready_at_the_first_probe_after_its_start() {
        let times = PodTimes { application_start: SimDuration::from_millis(2_500), ..PodTimes::default() };
        let pod = started(&times, false);
        assert_eq!((pod.runs_from, pod.serves_from), (at(1_100), at(3_600)));
        // Probes at 1.1 s and 11.1 s.
        assert_eq!(pod.ready_from, at(11_100));
        let often =
            ReadinessProbe { initial_delay: SimDuration::from_secs(2), period: SimDuration::from_secs(1) };
        assert_eq!(started(&PodTimes { readiness: Some(often), ..times }, false).ready_from, at(4_100));
        // Without a probe it is ready before it answers.
        let unprobed = started(&PodTimes { readiness: None, ..times }, false);
        assert_eq!(unprobed.ready_from, at(1_100));
        assert!(unprobed.serves_from > unprobed.ready_from);
    }

    #[test]
    fn an_application_that_is_held_starts_after_its_sidecar() {
        let often = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_millis(1) };
        let times = PodTimes { readiness: Some(often), ..PodTimes::default() };
        assert_eq!(started(&times, true).ready_from, at(2_100));
        let held = PodTimes { hold_application: true, ..times };
        assert_eq!(started(&held, true).ready_from, at(4_100));
    }

    #[test]
    fn an_image_is_pulled_once_and_one_after_the_other() {
        let mut node = ImageCache::default();
        node.hold(9);
        // 100 MB at 80 Mbit/s are 10 s.
        let mut pull = |image, now| node.pull(image, 100e6, 80e6, at(now));
        assert_eq!(pull(9, 5), at(5));
        assert_eq!(pull(1, 0), at(10_000));
        assert_eq!(pull(2, 1_000), at(20_000));
        assert_eq!(pull(1, 2_000), at(10_000));
        assert_eq!(pull(1, 30_000), at(30_000));
    }

    #[test]
    fn a_deleted_pod_takes_requests_until_its_hook_is_done_and_is_killed_in_the_end() {
        let times = PodTimes { pre_stop: SimDuration::from_secs(3), ..PodTimes::default() };
        let mut pod = PodLife::running(0);
        assert_eq!(pod.delete(at(10_000), &times, true), at(18_000));
        assert!(pod.accepts(at(12_999)) && !pod.accepts(at(13_000)));
        assert_eq!(pod.killed_at(&times), at(40_000));
        let short = PodTimes { grace: SimDuration::from_secs(2), ..times };
        assert_eq!(PodLife::running(0).delete(at(10_000), &short, true), at(12_000));
    }

    #[test]
    fn an_autoscaler_sees_phase_condition_and_deletion() {
        let mut pod = PodLife::default();
        assert_eq!(pod.seen_by_autoscaler(at(0), None), None);
        pod = pod.next(0, at(0));
        let seen = pod.seen_by_autoscaler(at(1), None).unwrap();
        assert_eq!((seen.phase, seen.condition, seen.started), (HpaPhase::Pending, None, None));
        pod.start(0, at(100), at(5_000), &PodTimes::default(), EXACT, false);
        let pulling = pod.seen_by_autoscaler(at(4_000), None).unwrap();
        assert_eq!((pulling.phase, pulling.started), (HpaPhase::Pending, Some(at(100))));
        pod.phase = Phase::Ready;
        let ready = pod.seen_by_autoscaler(pod.ready_from, None).unwrap();
        assert!(ready.is_running_and_ready());
        let broken = pod.seen_by_autoscaler(at(60_000), Some(at(50_000))).unwrap();
        assert_eq!(broken.condition, Some(ReadyCondition { ready: false, last_transition: at(50_000) }));
        pod.delete(at(70_000), &PodTimes::default(), false);
        assert!(pod.seen_by_autoscaler(at(70_001), None).unwrap().deleted);
    }
}
