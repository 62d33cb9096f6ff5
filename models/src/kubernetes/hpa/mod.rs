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
pub mod decision;
pub mod metrics;
pub mod observations;
pub mod pod_groups;
pub mod replica_calculator;
pub mod scaling_policy;
pub mod spec;
pub mod stabilization;

pub use controller::{Autoscaler, ControllerFlags};
pub use decision::{Decision, Reason};
pub use metrics::{MetricResource, MetricSource, MetricSpec};
pub use observations::{Observations, PodReading, Readings};
pub use scaling_policy::Behavior;
pub use spec::HpaSpec;
