//! The life of a pod: from its creation to its end.
//!
//! # Models
//! A pod waits for a node, then for its image pulls (a node pulls one image after the other, and each only
//! once), then its containers start: the sidecar and the application at the same time, or one after
//! the other. It is ready once the application has answered a probe and the sidecar is ready. A kubelet
//! probes when the containers run, when the sidecar becomes ready, and at fixed distances from the later
//! one of these on; probes before the initial delay is over are left out. When a pod is deleted its
//! endpoint is removed and, after the preStop hook, SIGTERM is sent: the application takes nothing new
//! and ends what it has; what is left at the end of the grace period is killed. Whether a pod has ended
//! is looked at once a second, as a kubelet does.
//!
//! A sidecar of Kubernetes' own kind (Istio 1.27 and later) is ready before the application starts, and
//! drains when that has had its SIGTERM. A classic one gets its SIGTERM when the pod is deleted: when its
//! drain time is over it ends, whatever is under way.
//!
//! An application that burns CPU until it is ready (`StartWork`) answers when that is done and its start
//! is over, both from the moment on at which its container runs.
//!
//! # Assumptions
//! - Pods that run when a run begins started long ago: they burn nothing.
//! - An application that is deleted while it burns CPU goes on until its pod has ended.
//! - An application answers its first probe that comes after its start; the sidecar's own probe asks
//!   often enough not to matter.
//! - A pod ends with its classic sidecar, even if the preStop hook takes longer. Effect: nobody can reach
//!   it any more in either case, but its node is free earlier.
//! - Liveness probes are left out. A container that crashes is a fault (`faults/pod`); when it starts again and again is
//!   `crash_loop` (`faults/repeated`).
//!
//! # Source
//! kubernetes.io, Pod Lifecycle; kubernetes/kubernetes `pkg/kubelet/prober/prober_manager.go`
//! (`UpdatePodStatus` triggers a probe at every sync of a pod), `prober/worker.go` (`doProbe`; a
//! triggered run restarts the ticker), `pkg/kubelet/pleg/generic.go` (1 s); Istio `ProxyConfig`
//! (`terminationDrainDuration`), `pkg/envoy/agent.go`.

use super::hpa::pod_groups::{PodPhase, PodState, ReadyCondition};
use super::settings::{PodTimes, StartWhen, StartWork};
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodStage {
    /// It has ended, or was never made.
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

impl PodStage {
    /// Whether it has a node and is not being deleted.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Starting | Self::Ready)
    }

    /// Whether it is there, with or without a node, and is not being deleted.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        self.is_bound() || matches!(self, Self::Pending)
    }

    /// Whether it has a node, being deleted or not.
    #[must_use]
    pub const fn has_node(self) -> bool {
        self.is_bound() || matches!(self, Self::Terminating)
    }
}

/// A pod, and how many had its number before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodLife {
    /// Where it is in its life.
    pub stage: PodStage,
    /// How many pods had its number before; the first of all run before the run begins.
    pub generation: u32,
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
    /// When its sidecar is ready.
    pub sidecar_from: SimTime,
    /// When its application has started, but for work that it does until it is ready.
    pub started_from: SimTime,
    /// Whether it still has work to do before it is ready.
    pub works: bool,
    /// When its application answers.
    pub serves_from: SimTime,
    /// When it is ready.
    pub ready_from: SimTime,
    /// When it was deleted.
    pub deleted: SimTime,
    /// When it ended.
    pub ended: SimTime,
    /// When its application gets SIGTERM, or nothing can reach it any more; never is [`SimTime::MAX`].
    pub refuses_from: SimTime,
    /// When it is looked at first whether it has ended.
    pub ends_from: SimTime,
    /// When what is left of it is killed.
    pub killed_from: SimTime,
    /// Whether no node took it when it was tried.
    pub unschedulable: bool,
    /// When that was last.
    pub tried: SimTime,
    /// Whether what runs of it runs in another cluster.
    pub offloaded: bool,
}

/// What kind of sidecar a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sidecar {
    /// None.
    None,
    /// A container like any other.
    Classic,
    /// A container that Kubernetes starts first and stops last.
    Native,
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

/// What the start of a pod depends on.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// How long the steps take.
    pub times: &'a PodTimes,
    /// By how much they differ this time.
    pub factors: StartFactors,
    /// What kind of sidecar it has.
    pub sidecar: Sidecar,
    /// CPU that its application burns.
    pub work: Option<StartWork>,
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
            stage: PodStage::Ready,
            generation: 0,
            revision: 0,
            node,
            created: SimTime::ZERO,
            bound: SimTime::ZERO,
            runs_from: SimTime::ZERO,
            sidecar_from: SimTime::ZERO,
            started_from: SimTime::ZERO,
            works: false,
            serves_from: SimTime::ZERO,
            ready_from: SimTime::ZERO,
            deleted: SimTime::MAX,
            ended: SimTime::ZERO,
            refuses_from: SimTime::MAX,
            ends_from: SimTime::MAX,
            killed_from: SimTime::MAX,
            unschedulable: false,
            tried: SimTime::ZERO,
            offloaded: false,
        }
    }

    /// A pod that is made during the run.
    #[must_use]
    pub const fn made(generation: u32, revision: u32, now: SimTime) -> Self {
        Self {
            stage: PodStage::Pending,
            generation,
            revision,
            created: now,
            serves_from: SimTime::MAX,
            ready_from: SimTime::MAX,
            ..Self::running(0)
        }
    }

    /// It has a node, whose images are there at `images`.
    pub fn start(&mut self, node: u32, now: SimTime, images: SimTime, start: &Start<'_>) {
        let Start { times, factors, sidecar, work } = *start;
        let scaled =
            |time: SimDuration, factor: f64| SimDuration::from_nanos_f64(time.as_nanos() as f64 * factor);
        let container = scaled(times.container_start, factors.containers);
        let mut runs = images.saturating_add(container);
        let sidecar_ready = match sidecar {
            Sidecar::None => runs,
            Sidecar::Classic | Sidecar::Native => {
                runs.saturating_add(scaled(times.sidecar_start, factors.sidecar))
            }
        };
        if sidecar == Sidecar::Native || (sidecar == Sidecar::Classic && times.hold_application) {
            runs = sidecar_ready.saturating_add(container);
        }
        self.stage = PodStage::Starting;
        self.unschedulable = false;
        self.node = node;
        self.bound = now;
        self.runs_from = runs;
        self.sidecar_from = sidecar_ready;
        self.started_from = runs.saturating_add(scaled(times.application_start, factors.application));
        self.works = work.is_some_and(|it| it.when == StartWhen::UntilReady);
        self.serves_at(if self.works { SimTime::MAX } else { self.started_from }, times);
    }

    /// It is bound to a node that stands for another cluster, where it will run.
    pub const fn offload(&mut self, node: u32, now: SimTime) {
        self.stage = PodStage::Starting;
        self.unschedulable = false;
        self.offloaded = true;
        self.node = node;
        self.bound = now;
        self.runs_from = SimTime::MAX;
        self.ready_from = SimTime::MAX;
    }

    /// What it had to do before it is ready is done: tells whether that is news.
    pub fn work_is_done(&mut self, now: SimTime, times: &PodTimes) -> bool {
        let is_news = self.works && self.stage != PodStage::Terminating;
        if is_news {
            self.works = false;
            self.serves_at(self.started_from.max(now), times);
        }
        is_news
    }

    /// Its application answers from a moment on: when it is ready.
    fn serves_at(&mut self, serves: SimTime, times: &PodTimes) {
        let (runs, sidecar) = (self.runs_from, self.sidecar_from);
        let answers = times.readiness.map_or(runs, |probe| {
            if serves == SimTime::MAX {
                return SimTime::MAX;
            }
            let from = serves.max(runs.saturating_add(probe.initial_delay));
            let first = probe.first(runs, from);
            if first < sidecar { first } else { probe.first(runs.max(sidecar), from) }
        });
        self.serves_from = serves;
        self.ready_from = answers.max(sidecar);
    }

    /// It is deleted: tells when it is looked at first.
    pub fn delete(&mut self, now: SimTime, times: &PodTimes, sidecar: Sidecar) -> SimTime {
        let terminated = now.saturating_add(times.pre_stop);
        let drained = now.saturating_add(times.sidecar_drain);
        self.stage = PodStage::Terminating;
        self.deleted = now;
        self.killed_from = now.saturating_add(times.grace);
        (self.refuses_from, self.ends_from) = match sidecar {
            Sidecar::None => (terminated, terminated),
            Sidecar::Native => (terminated, terminated.saturating_add(times.sidecar_drain)),
            Sidecar::Classic => {
                self.killed_from = self.killed_from.min(drained);
                (terminated.min(drained), drained)
            }
        };
        self.ends_from = self.ends_from.min(self.killed_from);
        self.ends_from
    }

    /// Since when it is ready, if it is, given what was seen last of its faults.
    #[must_use]
    pub fn ready_since(&self, fault: Option<ReadyCondition>) -> Option<SimTime> {
        let is_ready = self.stage == PodStage::Ready && fault.is_none_or(|it| it.ready);
        is_ready.then(|| fault.map_or(self.ready_from, |it| it.last_transition.max(self.ready_from)))
    }

    /// Whether its application takes a request.
    #[must_use]
    pub fn accepts(&self, now: SimTime) -> bool {
        let there = matches!(self.stage, PodStage::Ready | PodStage::Terminating);
        there && self.serves_from <= now && now < self.refuses_from
    }

    /// Whether its network can be reached.
    #[must_use]
    pub const fn is_reachable(&self) -> bool {
        matches!(self.stage, PodStage::Ready | PodStage::Terminating) && !self.offloaded
    }

    /// What an autoscaler knows of it, if there is one, given what was seen last of its faults.
    #[must_use]
    pub fn seen_by_autoscaler(&self, now: SimTime, fault: Option<ReadyCondition>) -> Option<PodState> {
        let deleted = match self.stage {
            PodStage::Absent => return None,
            PodStage::Terminating => true,
            PodStage::Pending | PodStage::Starting | PodStage::Ready => false,
        };
        let bound = self.stage != PodStage::Pending;
        let runs = bound && self.runs_from <= now;
        let was_ready = matches!(self.stage, PodStage::Ready | PodStage::Terminating);
        let last_transition = match fault {
            Some(seen) if was_ready => seen.last_transition.max(self.ready_from),
            None if was_ready => self.ready_from,
            _ => self.bound,
        };
        let ready = was_ready && fault.is_none_or(|it| it.ready);
        let condition = ReadyCondition { ready, last_transition };
        Some(PodState {
            phase: if runs { PodPhase::Running } else { PodPhase::Pending },
            deleted,
            condition: bound.then_some(condition),
            started: bound.then_some(self.bound),
            is_old: self.generation == 0,
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

    fn started(times: &PodTimes, sidecar: Sidecar) -> PodLife {
        let mut pod = PodLife::made(1, 0, at(0));
        pod.start(0, at(100), at(100), &Start { times, factors: EXACT, sidecar, work: None });
        pod
    }

    #[test]
    fn a_pod_is_ready_at_the_first_probe_after_its_start() {
        let times = PodTimes { application_start: SimDuration::from_millis(2_500), ..PodTimes::default() };
        let started = |times: PodTimes| started(&times, Sidecar::None);
        let pod = started(times);
        assert_eq!((pod.runs_from, pod.serves_from), (at(1_100), at(3_600)));
        // Probes at 1.1 s and 11.1 s.
        assert_eq!(pod.ready_from, at(11_100));
        let often =
            ReadinessProbe { initial_delay: SimDuration::from_secs(2), period: SimDuration::from_secs(1) };
        assert_eq!(started(PodTimes { readiness: Some(often), ..times }).ready_from, at(4_100));
        // A delay moves no probe, it only leaves the earlier ones out.
        let late =
            ReadinessProbe { initial_delay: SimDuration::from_secs(2), period: SimDuration::from_secs(10) };
        let quick = PodTimes { application_start: SimDuration::ZERO, ..times };
        assert_eq!(started(PodTimes { readiness: Some(late), ..quick }).ready_from, at(11_100));
        // Without a probe it is ready before it answers.
        let unprobed = started(PodTimes { readiness: None, ..times });
        assert_eq!(unprobed.ready_from, at(1_100));
        assert!(unprobed.serves_from > unprobed.ready_from);
    }

    /// The application answers at 2.1 s, its sidecar is ready at 4.1 s or 1.6 s: the kubelet looks then.
    #[test]
    fn a_sidecar_that_becomes_ready_makes_the_kubelet_probe() {
        let times = |sidecar_ms| PodTimes {
            sidecar_start: SimDuration::from_millis(sidecar_ms),
            ..PodTimes::default()
        };
        assert_eq!(started(&times(3_000), Sidecar::Classic).ready_from, at(4_100));
        // The next one comes a period after that.
        assert_eq!(started(&times(500), Sidecar::Classic).ready_from, at(11_600));
        // With a period of 1 s the application is known to serve before its sidecar is.
        let second = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(1) };
        let often = PodTimes { readiness: Some(second), ..times(3_500) };
        assert_eq!(started(&often, Sidecar::Classic).ready_from, at(4_600));
    }

    #[test]
    fn an_application_that_is_held_starts_after_its_sidecar() {
        let often = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_millis(1) };
        let times = PodTimes { readiness: Some(often), ..PodTimes::default() };
        assert_eq!(started(&times, Sidecar::Classic).ready_from, at(2_100));
        let held = PodTimes { hold_application: true, ..times };
        assert_eq!(started(&held, Sidecar::Classic).ready_from, at(4_100));
        assert_eq!(started(&times, Sidecar::Native).ready_from, at(4_100));
    }

    /// The container runs at 1.1 s, the application starts in 1 s, its work is done when the test says.
    #[test]
    fn an_application_that_works_until_it_is_ready_is_probed_after_that() {
        let work = StartWork { cores: 2.0, lasts: SimDuration::from_secs(40), when: StartWhen::UntilReady };
        let begun = |times: &PodTimes, when| {
            let work = Some(StartWork { when, ..work });
            let mut pod = PodLife::made(1, 0, at(0));
            let start = Start { times, factors: EXACT, sidecar: Sidecar::None, work };
            pod.start(0, at(100), at(100), &start);
            pod
        };
        let times = PodTimes::default();
        let mut pod = begun(&times, StartWhen::UntilReady);
        assert_eq!((pod.ready_from, pod.serves_from), (SimTime::MAX, SimTime::MAX));
        assert!(pod.work_is_done(at(41_100), &times));
        assert_eq!((pod.serves_from, pod.ready_from), (at(41_100), at(41_100)));
        assert!(!pod.work_is_done(at(42_000), &times));
        // Work that is done before the start is over delays nothing.
        let mut quick = begun(&times, StartWhen::UntilReady);
        quick.work_is_done(at(1_500), &times);
        assert_eq!((quick.serves_from, quick.ready_from), (at(2_100), at(11_100)));
        // Without a probe nobody waits for it.
        let unprobed = PodTimes { readiness: None, ..times };
        let mut pod = begun(&unprobed, StartWhen::UntilReady);
        assert_eq!((pod.ready_from, pod.serves_from), (at(1_100), SimTime::MAX));
        pod.work_is_done(at(41_100), &unprobed);
        assert_eq!((pod.ready_from, pod.serves_from), (at(1_100), at(41_100)));
        let after = begun(&times, StartWhen::AfterReady);
        assert_eq!((after.ready_from, after.works), (at(11_100), false));
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
        assert_eq!(pod.delete(at(10_000), &times, Sidecar::Native), at(18_000));
        assert!(pod.accepts(at(12_999)) && !pod.accepts(at(13_000)));
        assert_eq!(pod.killed_from, at(40_000));
        let short = PodTimes { grace: SimDuration::from_secs(2), ..times };
        assert_eq!(PodLife::running(0).delete(at(10_000), &short, Sidecar::Native), at(12_000));
    }

    #[test]
    fn a_classic_sidecar_drains_from_the_deletion_on_and_takes_everything_with_it() {
        let deleted = |pre_stop| {
            let times = PodTimes { pre_stop: SimDuration::from_secs(pre_stop), ..PodTimes::default() };
            let mut pod = PodLife::running(0);
            let looked_at = pod.delete(at(10_000), &times, Sidecar::Classic);
            assert_eq!((looked_at, pod.killed_from), (at(15_000), at(15_000)));
            pod.refuses_from
        };
        assert_eq!([3, 20].map(deleted), [at(13_000), at(15_000)]);
    }

    #[test]
    fn an_autoscaler_sees_phase_condition_and_deletion() {
        let mut pod = PodLife::default();
        assert_eq!(pod.seen_by_autoscaler(at(0), None), None);
        pod = PodLife::made(2, 0, at(0));
        let seen = pod.seen_by_autoscaler(at(1), None).unwrap();
        assert_eq!((seen.phase, seen.condition, seen.started), (PodPhase::Pending, None, None));
        let times = PodTimes::default();
        let start = Start { times: &times, factors: EXACT, sidecar: Sidecar::None, work: None };
        pod.start(0, at(100), at(5_000), &start);
        let pulling = pod.seen_by_autoscaler(at(4_000), None).unwrap();
        assert_eq!((pulling.phase, pulling.started), (PodPhase::Pending, Some(at(100))));
        pod.stage = PodStage::Ready;
        let ready = pod.seen_by_autoscaler(pod.ready_from, None).unwrap();
        assert!(ready.is_running_and_ready());
        let condition = |fault| pod.seen_by_autoscaler(at(60_000), Some(fault)).unwrap().condition.unwrap();
        let since = |ready, seconds: u64| ReadyCondition { ready, last_transition: at(seconds * 1_000) };
        assert_eq!(condition(since(false, 50)), since(false, 50));
        assert_eq!(condition(since(true, 55)), since(true, 55));
        pod.delete(at(70_000), &PodTimes::default(), Sidecar::None);
        assert!(pod.seen_by_autoscaler(at(70_001), None).unwrap().deleted);
    }
}
