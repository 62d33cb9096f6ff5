//! What is measured, and what several metrics come to.
//!
//! # Models
//! The largest proposal of all metrics. A metric that fails proposes nothing; as long as one fails,
//! nothing is scaled down, and if all fail nothing is scaled at all.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`, `computeReplicasForMetrics`.

use meshsim_core::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// A resource that containers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricResource {
    /// CPU: pods that still start do not count.
    Cpu,
    /// Memory.
    Memory,
}

/// What a metric is of, and how its target is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricSource {
    /// Resource, `Utilization`: the target is a percentage of what the pods request.
    Utilization(MetricResource),
    /// Resource, `AverageValue`: the target is an amount per pod.
    AverageUsage(MetricResource),
    /// Pods: the target is an amount per pod of a metric that every pod has.
    Pods,
    /// Object or External, `Value`: the target is for the sum, whatever the number of pods.
    Value,
    /// Object or External, `AverageValue`: the target is for the sum divided by the replicas.
    AverageValue,
}

/// One metric of an autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// What is measured.
    pub source: MetricSource,
    /// What it should be: percent for a utilization, else in the unit of the values (Kubernetes
    /// counts in thousandths of the metric's own unit).
    pub target: i64,
}

/// A metric of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodMetric {
    /// The amount; thousandths of a core for CPU, else in the unit of the target.
    pub value: i64,
    /// The end of the window that it was measured over.
    pub timestamp: SimTime,
    /// The length of that window.
    pub window: SimDuration,
}

/// The metric that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Largest {
    /// Replicas that it proposes.
    pub replicas: i32,
    /// Its index among the metrics.
    pub metric: usize,
}

impl MetricSource {
    /// Whether it is of CPU.
    #[must_use]
    pub const fn is_of_cpu(self) -> bool {
        matches!(self, Self::Utilization(MetricResource::Cpu) | Self::AverageUsage(MetricResource::Cpu))
    }
}

/// What metrics with these proposals (absent: it failed) come to with so many replicas; nothing if
/// nothing may be scaled.
pub fn largest(current: u32, proposals: impl IntoIterator<Item = Option<i32>>) -> Option<Largest> {
    let (mut largest, mut failed) = (None::<Largest>, false);
    for (metric, proposal) in proposals.into_iter().enumerate() {
        let Some(replicas) = proposal else {
            failed = true;
            continue;
        };
        // As Kubernetes does: a zero so far gives way to whatever follows.
        if largest.is_none_or(|so_far| so_far.replicas == 0 || replicas > so_far.replicas) {
            largest = Some(Largest { replicas, metric });
        }
    }
    largest.filter(|largest| !failed || i64::from(largest.replicas) >= i64::from(current))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(current: u32, proposals: &[Option<i32>]) -> Option<i32> {
        largest(current, proposals.iter().copied()).map(|largest| largest.replicas)
    }

    #[test]
    fn the_largest_decides() {
        assert_eq!(largest(3, [Some(2), Some(5), Some(4)]), Some(Largest { replicas: 5, metric: 1 }));
        assert_eq!(replicas(3, &[Some(0), Some(0)]), Some(0));
    }

    #[test]
    fn a_failed_metric_forbids_scaling_down_only() {
        assert_eq!(replicas(3, &[Some(4), None]), Some(4));
        assert_eq!(replicas(3, &[None, Some(3)]), Some(3));
        assert_eq!(replicas(5, &[Some(3), None]), None);
        assert_eq!(replicas(5, &[None, None]), None);
        assert_eq!(replicas(5, &[]), None);
    }
}
