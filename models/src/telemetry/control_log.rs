//! What Kubernetes' controllers did in a cluster, so that a user can see why there were how many pods.

use crate::cluster::news::News;
use crate::ids::{ClusterId, ServiceId};
use crate::istiod::push_kind::PushKind;
use crate::kubernetes::hpa::Decision;
use crate::kubernetes::hpa::replica_calculator::{MetricError, Proposal};
use crate::kubernetes::scheduler::choice::Unfit;
use crate::offloading::belief::Believed;
use crate::offloading::policy::situation::Unanswered;
use crate::offloading::queries::{Input, Quantity};
use meshsim_core::SimTime;
use serde::{Deserialize, Serialize};

/// The decisions of the autoscalers and the lives of the pods, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlLog {
    /// Of every sync.
    pub decisions: Vec<ScalingDecision>,
    /// Of every pod that came or went.
    pub pods: Vec<PodRecord>,
    /// The pushes of the cluster's istiod, where these take time.
    pub pushes: Vec<PushRecord>,
    /// Of the offloading controllers that stand in the cluster.
    pub offloading: Vec<OffloadingDecision>,
    /// What offloading came to here, from scrape to scrape.
    pub offloading_samples: Vec<OffloadingSample>,
}

/// An offloading controller asks its strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffloadingDecision {
    /// When.
    pub at: SimTime,
    /// For which edge.
    pub edge: ClusterId,
    /// Whom it asks.
    pub policy: String,
    /// Whether services are to come, or to go back.
    pub offloads: bool,
    /// The mean delay that was measured (ms).
    pub measured_ms: f64,
    /// The one that is wanted (ms).
    pub target_ms: f64,
    /// Everything that was measured.
    pub inputs: Vec<Input>,
    /// The services at the edge, as autoscalers told them.
    pub before: Vec<ServiceId>,
    /// The services that it is to have, or why there is no answer.
    pub after: Result<Vec<ServiceId>, Unanswered>,
    /// What is believed of both.
    pub believed: [Option<Believed>; 2],
    /// What other strategies would have answered, by their names, if that is kept.
    pub others: Vec<(String, Result<Vec<ServiceId>, Unanswered>)>,
}

impl OffloadingDecision {
    /// What was measured of the edge as a whole.
    #[must_use]
    pub fn measured(&self, quantity: Quantity) -> f64 {
        let of_edge = |it: &&Input| it.quantity == quantity && it.service.is_none();
        self.inputs.iter().find(of_edge).map_or(0.0, |it| it.value)
    }
}

/// What an edge's users saw since the last sample, and what was paid for services in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffloadingSample {
    /// When.
    pub at: SimTime,
    /// Of which edge.
    pub edge: ClusterId,
    /// Since when (s); 0 in the cloud, where only its cost is sampled.
    pub seconds: f64,
    /// Requests that were answered well.
    pub ok: f64,
    /// Others.
    pub failed: f64,
    /// Sum of the delays of the good ones (ms).
    pub delays_ms: f64,
    /// What pods, and bytes from the cloud, have cost since then.
    pub cost: f64,
}

/// A push of an istiod to its proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRecord {
    /// Why.
    pub cause: PushCause,
    /// How many changes it sends.
    pub changes: u32,
    /// When the istiod learned of the first one, or of what else is the cause.
    pub changed: SimTime,
    /// What it sends.
    pub kind: PushKind,
    /// To how many proxies.
    pub proxies: u32,
    /// When it was prepared: its proxies wait in the queue from then on.
    pub prepared: SimTime,
    /// When it reached the last of them; absent: it has not yet.
    pub reached: Option<SimTime>,
}

/// Why an istiod pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushCause {
    /// For this change, the first of those that it sends.
    News(News),
    /// It is back, and sends all there is.
    IstiodIsBack,
    /// This replica is gone: its proxies connect to the others.
    ReplicaIsGone(u8),
    /// A connection was as old as it may be: its proxy connects anew.
    ConnectionIsOld,
}

/// A sync of an autoscaler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingDecision {
    /// When.
    pub at: SimTime,
    /// Whose pods.
    pub service: ServiceId,
    /// What it came to.
    pub decision: Decision,
    /// What each metric asked for, in their order; empty if none was asked.
    pub proposals: Vec<Result<Proposal, MetricError>>,
}

/// Something in the life of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRecord {
    /// When.
    pub at: SimTime,
    /// What it runs.
    pub service: ServiceId,
    /// Which of the pods of its service in the cluster it is.
    pub ordinal: u32,
    /// How many pods had this number before.
    pub generation: u32,
    /// What happened.
    pub step: PodStep,
}

/// A step in the life of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodStep {
    /// It was made.
    Created,
    /// No node takes it, for this reason.
    Unschedulable(Unfit),
    /// It has a node.
    Scheduled(u32),
    /// It is bound to a node that stands for another cluster.
    Offloaded(u32),
    /// The quota of that cluster does not let it in.
    Refused,
    /// It is ready.
    Ready,
    /// Its deletion was asked for.
    Deleted,
    /// It has ended; with so many requests that were not.
    Ended(u32),
}

impl PodStep {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unschedulable(_) => "unschedulable",
            Self::Scheduled(_) => "scheduled",
            Self::Offloaded(_) => "offloaded",
            Self::Refused => "refused",
            Self::Ready => "ready",
            Self::Deleted => "deleted",
            Self::Ended(_) => "ended",
        }
    }
}
