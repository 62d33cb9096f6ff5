//! What an autoscaler sees in one sync: pods, and what is read for each metric.

use super::metrics::PodMetric;
use super::pod_groups::PodState;

/// What is read of a pod for one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodReading {
    /// What was measured; absent if nothing was.
    pub metric: Option<PodMetric>,
    /// What its containers request together, in the unit of the metric's value; absent if one of
    /// them, sidecars included, requests nothing.
    pub request: Option<i64>,
}

/// What is read for one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readings<'a> {
    /// Of pods.
    Pods {
        /// Of the pods of [`Observations::pods`], in their order.
        listed: &'a [PodReading],
        /// Values of pods that the metrics server still knows but that are not listed any more.
        unlisted: &'a [i64],
    },
    /// Of an object or from outside: the values, which are summed.
    Values(&'a [i64]),
}

/// All that an autoscaler sees in one sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observations<'a> {
    /// Replicas that the workload has, where `current` is how many it should have.
    pub status_replicas: u32,
    /// Its pods.
    pub pods: &'a [PodState],
    /// What is read for every metric of the autoscaler, in their order.
    pub readings: &'a [Readings<'a>],
}
