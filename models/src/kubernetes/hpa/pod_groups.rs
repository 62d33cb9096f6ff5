//! Which pods count for a metric.
//!
//! # Models
//! Deleted and failed pods are ignored. Pending pods are unready. Of the rest, a pod without a metric
//! is missing. For CPU alone, a pod is also unready if it has no start time or no ready condition; if
//! it is within the CPU initialization period after its start and either not ready or measured over a
//! window that began before its condition last changed; and, later on, if it is not ready and its
//! condition last changed within the initial readiness delay after its start (it has never been
//! ready). All others are ready.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/replica_calculator.go`, `groupPods`,
//! `getReadyPodsCount`.

use super::metrics::PodMetric;
use meshsim_core::{SimDuration, SimTime};

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all containers run yet.
    Pending,
    /// It runs.
    Running,
    /// All containers ended well.
    Succeeded,
    /// A container ended badly.
    Failed,
    /// The node cannot be asked.
    Unknown,
}

/// The condition `Ready` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyCondition {
    /// Whether it is ready.
    pub ready: bool,
    /// When that changed last; the start of the run if nobody knows.
    pub last_transition: SimTime,
}

/// What the autoscaler knows of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodState {
    /// Where it is in its life.
    pub phase: PodPhase,
    /// Whether its deletion was asked for.
    pub deleted: bool,
    /// Its readiness; absent before the kubelet has reported any.
    pub condition: Option<ReadyCondition>,
    /// When the kubelet took it; absent before.
    pub started: Option<SimTime>,
    /// Whether that was long before the run began.
    pub is_old: bool,
}

/// How a pod counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodGroup {
    /// By its metric.
    Ready,
    /// Set aside: as unused, and only when scaling up.
    Unready,
    /// Set aside for want of a metric: as unused when scaling up, as busy when scaling down.
    Missing,
    /// Not at all.
    Ignored,
}

/// For how long after its start the CPU of a pod is not believed, by the controller's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartUp {
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization_period: SimDuration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay: SimDuration,
}

impl Default for StartUp {
    /// 5 minutes and 30 seconds.
    fn default() -> Self {
        Self {
            cpu_initialization_period: SimDuration::from_secs(300),
            initial_readiness_delay: SimDuration::from_secs(30),
        }
    }
}

impl PodState {
    /// Whether it runs and is ready, whatever is measured.
    #[must_use]
    pub fn is_running_and_ready(&self) -> bool {
        self.phase == PodPhase::Running && self.condition.is_some_and(|condition| condition.ready)
    }

    /// How it counts for a metric, of CPU or not.
    #[must_use]
    pub fn group(
        &self,
        metric: Option<&PodMetric>,
        of_cpu: bool,
        start_up: StartUp,
        now: SimTime,
    ) -> PodGroup {
        if self.deleted || self.phase == PodPhase::Failed {
            return PodGroup::Ignored;
        }
        if self.phase == PodPhase::Pending {
            return PodGroup::Unready;
        }
        match metric {
            None => PodGroup::Missing,
            Some(metric) if of_cpu && !self.is_old && self.is_starting(metric, start_up, now) => {
                PodGroup::Unready
            }
            Some(_) => PodGroup::Ready,
        }
    }

    /// Whether its CPU still is that of a start.
    fn is_starting(&self, metric: &PodMetric, start_up: StartUp, now: SimTime) -> bool {
        let (Some(condition), Some(started)) = (self.condition, self.started) else { return true };
        if started.saturating_add(start_up.cpu_initialization_period) > now {
            let trusted_from = condition.last_transition.saturating_add(metric.window);
            !condition.ready || metric.timestamp < trusted_from
        } else {
            let never_ready_until = started.saturating_add(start_up.initial_readiness_delay);
            !condition.ready && never_ready_until > condition.last_transition
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime::from_nanos(10_000_000_000_000);

    fn ago(secs: u64) -> SimTime {
        SimTime::ZERO + (NOW - SimTime::ZERO).saturating_sub(SimDuration::from_secs(secs))
    }

    fn pod(ready: bool, started: u64, changed: u64) -> PodState {
        PodState {
            phase: PodPhase::Running,
            deleted: false,
            condition: Some(ReadyCondition { ready, last_transition: ago(changed) }),
            started: Some(ago(started)),
            is_old: false,
        }
    }

    fn group(pod: PodState, of_cpu: bool) -> PodGroup {
        let metric = PodMetric { value: 1, timestamp: NOW, window: SimDuration::from_secs(15) };
        pod.group(Some(&metric), of_cpu, StartUp::default(), NOW)
    }

    #[test]
    fn deleted_and_failed_pods_come_first_and_pending_ones_next() {
        let running = pod(true, 1_000, 900);
        assert_eq!(group(PodState { deleted: true, ..running }, true), PodGroup::Ignored);
        assert_eq!(group(PodState { phase: PodPhase::Failed, ..running }, true), PodGroup::Ignored);
        let pending = PodState { phase: PodPhase::Pending, ..running };
        assert_eq!(pending.group(None, true, StartUp::default(), NOW), PodGroup::Unready);
        assert_eq!(running.group(None, true, StartUp::default(), NOW), PodGroup::Missing);
    }

    #[test]
    fn a_young_pod_counts_once_a_whole_window_lies_after_its_readiness() {
        assert_eq!(group(pod(true, 60, 14), true), PodGroup::Unready);
        assert_eq!(group(pod(true, 60, 15), true), PodGroup::Ready);
        assert_eq!(group(pod(false, 60, 50), true), PodGroup::Unready);
        // Exactly at the end of the period it is no longer young.
        assert_eq!(group(pod(true, 300, 1), true), PodGroup::Ready);
    }

    #[test]
    fn an_old_pod_is_set_aside_only_if_it_was_never_ready() {
        assert_eq!(group(pod(false, 1_000, 971), true), PodGroup::Unready);
        assert_eq!(group(pod(false, 1_000, 970), true), PodGroup::Ready);
        // That it ran before the run began, the times of the run do not say.
        assert_eq!(group(PodState { is_old: true, ..pod(false, 60, 50) }, true), PodGroup::Ready);
    }

    #[test]
    fn readiness_is_nothing_to_other_metrics() {
        assert_eq!(group(pod(false, 60, 50), false), PodGroup::Ready);
        let unknown = PodState { condition: None, started: None, ..pod(true, 0, 0) };
        assert_eq!((group(unknown, false), group(unknown, true)), (PodGroup::Ready, PodGroup::Unready));
    }
}
