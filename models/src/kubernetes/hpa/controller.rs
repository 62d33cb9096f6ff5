//! One sync of a HorizontalPodAutoscaler.
//!
//! # Models
//! - With 0 replicas, unless the minimum is 0: nothing; scaling is switched off.
//! - With more than the maximum or fewer than the minimum: to it, at once.
//! - Else the metrics' largest proposal (`replica_calculator`, `metrics`), held back by
//!   `stabilization` and limited by `scaling_policy`.
//!
//! The decision says what led to it, and [`Autoscaler::proposals`] what each metric asked for.
//!
//! # Assumptions
//! Setting the scale always succeeds. Every autoscaler is synced on time ([`SYNC_PERIOD`]); the order
//! of several does not matter.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`, `reconcileAutoscaler`,
//! `normalizeDesiredReplicas`, `normalizeDesiredReplicasWithBehaviors`.

use super::decision::{Decision, Reason};
use super::metrics::{Largest, largest};
use super::observations::Observations;
use super::pod_groups::StartUp;
use super::replica_calculator::{MetricError, Proposal, ReplicaCalculator, Tolerances};
use super::scaling_policy::{Bounds, ScaleEvents, limited_by_default};
use super::spec::HpaSpec;
use super::stabilization::{Recommendations, Windows};
use crate::kubernetes::version::KubernetesVersion;
use meshsim_core::{SimDuration, SimTime};

/// Time between syncs (`--horizontal-pod-autoscaler-sync-period`).
pub const SYNC_PERIOD: SimDuration = SimDuration::from_secs(15);

/// The flags of the kube-controller-manager.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerFlags {
    /// Its release, which is that of the scheduler and of all nodes too.
    pub version: KubernetesVersion,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`: the window for scaling down where no
    /// behavior sets one.
    pub downscale_stabilization: SimDuration,
    /// `--horizontal-pod-autoscaler-tolerance`, both ways; a behavior may set its own.
    pub tolerances: Tolerances,
    /// How long a pod's CPU is not believed.
    pub start_up: StartUp,
}

/// An autoscaler, with what it remembers from sync to sync.
#[derive(Clone, Debug, Default)]
pub struct Autoscaler {
    recommendations: Recommendations,
    events: ScaleEvents,
    proposals: Vec<Result<Proposal, MetricError>>,
}

impl Default for ControllerFlags {
    fn default() -> Self {
        Self {
            version: KubernetesVersion::default(),
            downscale_stabilization: SimDuration::from_secs(300),
            tolerances: Tolerances::default(),
            start_up: StartUp::default(),
        }
    }
}

impl HpaSpec {
    /// How far from 1 a ratio may be.
    #[must_use]
    pub fn tolerances(&self, flags: &ControllerFlags) -> Tolerances {
        let Some(behavior) = &self.behavior else { return flags.tolerances };
        Tolerances {
            up: behavior.scale_up.tolerance.unwrap_or(flags.tolerances.up),
            down: behavior.scale_down.tolerance.unwrap_or(flags.tolerances.down),
        }
    }

    /// What is decided without a look at any metric.
    fn at_once(&self, current: u32) -> Option<Decision> {
        if current == 0 && self.min_replicas != 0 {
            Some(Decision::at_once(current, 0, Reason::ScalingDisabled))
        } else if current > self.max_replicas {
            Some(Decision::at_once(current, self.max_replicas, Reason::AboveMax))
        } else if current < self.min_replicas {
            Some(Decision::at_once(current, self.min_replicas, Reason::BelowMin))
        } else {
            None
        }
    }
}

impl Autoscaler {
    /// One that already ran: with its recommendations and the changes that it made.
    #[must_use]
    pub fn with_history(recommendations: Recommendations, events: ScaleEvents) -> Self {
        Self { recommendations, events, proposals: Vec::new() }
    }

    /// A sync: `current` is how many replicas the workload should have so far.
    pub fn sync(
        &mut self,
        flags: &ControllerFlags,
        spec: &HpaSpec,
        current: u32,
        observations: &Observations<'_>,
        now: SimTime,
    ) -> Decision {
        let mut proposals = std::mem::take(&mut self.proposals);
        proposals.clear();
        if spec.at_once(current).is_none() {
            let (tolerances, start_up) = (spec.tolerances(flags), flags.start_up);
            let calculator = ReplicaCalculator { version: flags.version, tolerances, start_up };
            proposals.extend(spec.metrics.iter().enumerate().map(|(index, metric)| {
                let readings = observations.readings.get(index).ok_or(MetricError::NoMetrics)?;
                calculator.propose(*metric, *readings, observations, current, now)
            }));
        }
        let proposed = proposals.iter().map(|proposal| proposal.ok().map(|it| it.replicas));
        let decision = self.sync_proposals(flags, spec, current, proposed, now);
        self.proposals = proposals;
        decision
    }

    /// A sync in which it is known what every metric proposes; absent: it failed.
    pub fn sync_proposals(
        &mut self,
        flags: &ControllerFlags,
        spec: &HpaSpec,
        current: u32,
        proposals: impl IntoIterator<Item = Option<i32>>,
        now: SimTime,
    ) -> Decision {
        self.recommendations.begin(current, now);
        let decision = spec.at_once(current).unwrap_or_else(|| match largest(current, proposals) {
            Some(largest) => self.normalized(flags, spec, current, largest, now),
            None => Decision::at_once(current, current, Reason::InvalidMetrics),
        });
        if let Some(behavior) = spec.behavior.as_ref().filter(|_| decision.rescales()) {
            self.events.store(behavior, current, decision.replicas, now);
        }
        decision
    }

    /// What each metric asked for in the last sync, in their order; empty if none was asked.
    pub fn proposals(&self) -> &[Result<Proposal, MetricError>] {
        &self.proposals
    }

    /// Stabilizes and limits what the metrics ask for.
    fn normalized(
        &mut self,
        flags: &ControllerFlags,
        spec: &HpaSpec,
        current: u32,
        largest: Largest,
        now: SimTime,
    ) -> Decision {
        let desired = u32::try_from(largest.replicas).unwrap_or(0);
        let bounds = Bounds { min: spec.min_replicas, max: spec.max_replicas };
        let (stabilized, (replicas, reason)) = if let Some(behavior) = &spec.behavior {
            let windows = Windows {
                up: behavior.scale_up.stabilization_window.unwrap_or_default(),
                down: behavior.scale_down.stabilization_window.unwrap_or(flags.downscale_stabilization),
            };
            let stabilized = self.recommendations.stabilized(current, desired, windows, now);
            let limited = behavior.limited(flags.version, &self.events, bounds, current, stabilized, now);
            (stabilized, limited)
        } else {
            let stabilized = self.recommendations.highest(desired, flags.downscale_stabilization, now);
            (stabilized, limited_by_default(bounds, current, stabilized))
        };
        Decision { current, replicas, largest: Some(largest), stabilized: Some(stabilized), reason }
    }
}

#[cfg(test)]
mod tests;
