//! A HorizontalPodAutoscaler as it is written.
//!
//! # Source
//! Kubernetes, API `autoscaling/v2`, `HorizontalPodAutoscalerSpec`.

use super::metrics::MetricSpec;
use super::scaling_policy::Behavior;

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
