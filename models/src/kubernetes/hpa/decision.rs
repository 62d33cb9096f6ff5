//! What a sync of an autoscaler comes to, and what limited it.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`, `reconcileAutoscaler`,
//! `normalizeDesiredReplicas`.

use super::metrics::Largest;
use serde::{Deserialize, Serialize};

/// What limited a decision, by Kubernetes' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing: it is as the metrics and the windows want it.
    DesiredWithinRange,
    /// The rate of scaling up.
    ScaleUpLimit,
    /// The rate of scaling down.
    ScaleDownLimit,
    /// The maximum.
    TooManyReplicas,
    /// The minimum.
    TooFewReplicas,
    /// There were more replicas than the maximum.
    AboveMax,
    /// There were fewer replicas than the minimum.
    BelowMin,
    /// There are no replicas: scaling is switched off.
    ScalingDisabled,
    /// All metrics failed, or one did and the others would scale down.
    InvalidMetrics,
}

/// What a sync comes to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Replicas before.
    pub current: u32,
    /// Replicas to have from now on.
    pub replicas: u32,
    /// The metric that decided, and what it asked for; absent if no metric was asked or too many
    /// failed.
    pub largest: Option<Largest>,
    /// Replicas after stabilization; absent if it did not come to that.
    pub stabilized: Option<u32>,
    /// What limited it.
    pub reason: Reason,
}

impl Reason {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::AboveMax => "AboveMax",
            Self::BelowMin => "BelowMin",
            Self::ScalingDisabled => "ScalingDisabled",
            Self::InvalidMetrics => "InvalidMetrics",
        }
    }
}

impl Decision {
    /// Whether the number of replicas changes.
    #[must_use]
    pub const fn rescales(&self) -> bool {
        self.replicas != self.current
    }

    /// One that no metric was asked for.
    pub(super) const fn at_once(current: u32, replicas: u32, reason: Reason) -> Self {
        Self { current, replicas, largest: None, stabilized: None, reason }
    }
}
