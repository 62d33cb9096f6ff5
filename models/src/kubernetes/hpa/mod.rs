//! The HorizontalPodAutoscaler: how many replicas a workload should have.
//!
//! # Models
//! One sync of one autoscaler, from what is measured to the number of replicas (`controller`): every
//! metric proposes a number (`replica_calculator`, from the pods as `pod_groups` sorts them), the
//! largest is taken (`metrics`), held back by what was proposed before (`stabilization`) and limited
//! by how fast the number may change (`scaling_policy`), the minimum and the maximum.
//!
//! What differs between releases is in `kubernetes/version`.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/`; kubernetes.io, Horizontal Pod Autoscaling.

pub mod controller;
pub mod metrics;
pub mod pod_groups;
pub mod replica_calculator;
pub mod scaling_policy;
pub mod stabilization;

pub use controller::{Autoscaler, ControllerFlags, Decision, Reason};
pub use metrics::{MetricResource, MetricSource, MetricSpec, Observations, PodReading, Readings};
pub use scaling_policy::Behavior;

/// What an autoscaler is told.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaSpec {
    /// Never fewer replicas than this; Kubernetes' default is 1.
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// What is measured; the metric that asks for the most replicas decides.
    pub metrics: Vec<MetricSpec>,
    /// How fast the number may change. Absent is not the same as the default behavior: the limits
    /// then are 2 x current or 4 upwards, and none downwards.
    pub behavior: Option<Behavior>,
}
