//! How many replicas one metric asks for.
//!
//! # Models
//! ceil(usage / target x pods), unless usage / target is within the HPA tolerance around 1.
//! - Utilization: usage is the sum over the pods divided by the sum of what they request, cut to a
//!   whole percent; averages are cut to a whole number too. A container without a request makes the
//!   metric fail.
//! - Pods that are set aside (`pod_groups`) come in where they hold the change back: scaling up,
//!   missing and unready pods count as unused; scaling down, missing pods count as using
//!   max(100, target) % of their request (Utilization) or the target (averages). If the ratio over
//!   all of them is within the tolerance or on the other side of 1, or if it would change the
//!   replicas in the other direction, nothing changes.
//! - Metrics of pods that are not listed add to the pods, and to averages, as in Kubernetes.
//! - Value of an Object or External metric: over the running and ready pods; with 0 replicas,
//!   ceil(sum / target). `AverageValue`: ceil(sum / target), whatever the pods.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/replica_calculator.go`,
//! `metrics/utilization.go`.

use super::metrics::{MetricSource, MetricSpec};
use super::observations::{Observations, PodReading, Readings};
use super::pod_groups::{PodGroup, PodState, StartUp};
use crate::kubernetes::version::KubernetesVersion;
use meshsim_core::SimTime;
use serde::{Deserialize, Serialize};
use std::ops::Add;

/// How far usage / target may be from 1 before anything changes (parts of 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Above 1.
    pub up: f64,
    /// Below 1.
    pub down: f64,
}

/// The settings that a metric is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaCalculator {
    /// Whose rules hold.
    pub version: KubernetesVersion,
    /// How far a ratio may be from 1.
    pub tolerances: Tolerances,
    /// When the CPU of a pod is believed.
    pub start_up: StartUp,
}

/// What a metric asks for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Replicas, before any limit.
    pub replicas: i32,
    /// What was measured: percent of the requests, an average per pod, or the sum for a `Value`.
    pub usage: i64,
    /// Usage / target over the pods that count by their metrics.
    pub ratio: f64,
    /// The same with the pods that are set aside, where they come in.
    pub adjusted_ratio: Option<f64>,
    /// Pods that count by their metrics.
    pub ready: u32,
    /// Pods that are set aside because they are not ready.
    pub unready: u32,
    /// Pods that are set aside because they have no metric.
    pub missing: u32,
}

/// Why a metric asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetricError {
    /// There is no pod.
    NoPods,
    /// No pod that counts, or no object, has a metric.
    NoMetrics,
    /// A container requests nothing of the resource.
    NoRequest,
    /// The pods that are measured request nothing together.
    NothingRequested,
}

/// Pods that count alike.
#[derive(Clone, Copy, Default)]
struct Sum {
    pods: u32,
    value: i128,
    request: i128,
}

/// The pods of a metric, by how they count.
#[derive(Default)]
struct Groups {
    /// By their metrics.
    ready: Sum,
    /// As unused.
    unready: Sum,
    /// As what they count when scaling down.
    missing: Sum,
}

impl Default for Tolerances {
    /// 10 % either way (`--horizontal-pod-autoscaler-tolerance`).
    fn default() -> Self {
        Self { up: 0.1, down: 0.1 }
    }
}

impl Tolerances {
    /// Whether a ratio is near enough to 1, by the rules of a release.
    #[must_use]
    pub fn are_met(self, ratio: f64, version: KubernetesVersion) -> bool {
        if version.border_is_within_tolerance() {
            1.0 - self.down <= ratio && ratio <= 1.0 + self.up
        } else {
            (1.0 - ratio).abs() <= if ratio > 1.0 { self.up } else { self.down }
        }
    }
}

impl Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pods: self.pods + other.pods,
            value: self.value + other.value,
            request: self.request + other.request,
        }
    }
}

impl Sum {
    fn count(&mut self, value: i64, request: Option<i64>) {
        *self = *self + Self { pods: 1, value: value.into(), request: request.unwrap_or(0).into() };
    }

    const fn unused(self) -> Self {
        Self { value: 0, ..self }
    }

    /// Percent of the requests, or the average, cut.
    fn usage(self, source: MetricSource) -> Result<i64, MetricError> {
        let (part, whole) = match source {
            MetricSource::Utilization(_) if self.request == 0 => return Err(MetricError::NothingRequested),
            MetricSource::Utilization(_) => (self.value * 100, self.request),
            _ => (self.value, i128::from(self.pods)),
        };
        Ok((part / whole) as i64)
    }
}

impl ReplicaCalculator {
    fn tolerates(self, ratio: f64) -> bool {
        self.tolerances.are_met(ratio, self.version)
    }

    /// What `metric` asks for, with `current` replicas.
    ///
    /// # Errors
    /// Where it cannot tell.
    pub fn propose(
        self,
        metric: MetricSpec,
        readings: Readings<'_>,
        observations: &Observations<'_>,
        current: u32,
        now: SimTime,
    ) -> Result<Proposal, MetricError> {
        match (metric.source, readings) {
            (MetricSource::Value, Readings::Values(values)) => {
                by_value(self, metric, sum(values)?, observations.pods, current)
            }
            (MetricSource::AverageValue, Readings::Values(values)) => {
                Ok(by_average_value(self, metric, sum(values)?, observations.status_replicas))
            }
            (MetricSource::Value | MetricSource::AverageValue, Readings::Pods { .. })
            | (_, Readings::Values(_)) => Err(MetricError::NoMetrics),
            (_, Readings::Pods { listed, unlisted }) => {
                let groups = groups(metric, listed, observations.pods, self.start_up, now)?;
                by_pods(self, metric, &groups, unlisted, current)
            }
        }
    }
}

fn groups(
    metric: MetricSpec,
    listed: &[PodReading],
    pods: &[PodState],
    start_up: StartUp,
    now: SimTime,
) -> Result<Groups, MetricError> {
    if pods.is_empty() {
        return Err(MetricError::NoPods);
    }
    let of_requests = matches!(metric.source, MetricSource::Utilization(_));
    let mut groups = Groups::default();
    for (pod, &PodReading { metric: measured, request }) in pods.iter().zip(listed) {
        // Even an ignored pod must have its requests.
        if of_requests && request.is_none() {
            return Err(MetricError::NoRequest);
        }
        let value = measured.map_or(0, |measured| measured.value);
        match pod.group(measured.as_ref(), metric.source.is_of_cpu(), start_up, now) {
            PodGroup::Ready => groups.ready.count(value, request),
            PodGroup::Unready => groups.unready.count(0, request),
            PodGroup::Missing => groups.missing.count(busy(metric, of_requests, request), request),
            PodGroup::Ignored => {}
        }
    }
    Ok(groups)
}

/// What a pod without a metric counts as when scaling down.
fn busy(metric: MetricSpec, of_requests: bool, request: Option<i64>) -> i64 {
    if of_requests { request.unwrap_or(0) * metric.target.max(100) / 100 } else { metric.target }
}

fn by_pods(
    calculator: ReplicaCalculator,
    metric: MetricSpec,
    groups: &Groups,
    unlisted: &[i64],
    current: u32,
) -> Result<Proposal, MetricError> {
    let ratio_of = |usage: i64| usage as f64 / metric.target as f64;
    let measured = groups.ready + strangers(metric.source, unlisted);
    if measured.pods == 0 {
        return Err(MetricError::NoMetrics);
    }
    let usage = measured.usage(metric.source)?;
    let ratio = ratio_of(usage);
    let mut proposal = Proposal {
        replicas: clamped(current),
        usage,
        ratio,
        adjusted_ratio: None,
        ready: groups.ready.pods,
        unready: groups.unready.pods,
        missing: groups.missing.pods,
    };
    let unready_come_in = groups.unready.pods > 0 && ratio > 1.0;
    if !unready_come_in && groups.missing.pods == 0 {
        if !calculator.tolerates(ratio) {
            proposal.replicas = ceil(ratio * f64::from(groups.ready.pods));
        }
        return Ok(proposal);
    }
    let counted = measured + set_aside(groups, ratio);
    let adjusted = ratio_of(counted.usage(metric.source)?);
    proposal.adjusted_ratio = Some(adjusted);
    let turns = (ratio < 1.0 && adjusted > 1.0) || (ratio > 1.0 && adjusted < 1.0);
    if !calculator.tolerates(adjusted) && !turns {
        let asked = ceil(adjusted * f64::from(counted.pods));
        // More pods than the workload should have must not turn the direction either.
        let held = proposal.replicas;
        proposal.replicas = if adjusted < 1.0 { asked.min(held) } else { asked.max(held) };
    }
    Ok(proposal)
}

/// The pods that are set aside, as they count beside a ratio over the others. At exactly 1 no
/// missing pod comes in.
fn set_aside(groups: &Groups, ratio: f64) -> Sum {
    if ratio < 1.0 {
        groups.missing
    } else if ratio > 1.0 {
        groups.missing.unused() + groups.unready.unused()
    } else {
        Sum::default()
    }
}

/// Pods with a metric that are not listed: nobody knows their requests.
fn strangers(source: MetricSource, unlisted: &[i64]) -> Sum {
    let mut sum = Sum::default();
    for &value in unlisted {
        sum.count(if matches!(source, MetricSource::Utilization(_)) { 0 } else { value }, None);
    }
    sum
}

fn by_value(
    calculator: ReplicaCalculator,
    metric: MetricSpec,
    usage: i64,
    pods: &[PodState],
    current: u32,
) -> Result<Proposal, MetricError> {
    let ratio = usage as f64 / metric.target as f64;
    let ready = pods.iter().filter(|pod| pod.is_running_and_ready()).count() as u32;
    let replicas = if current == 0 {
        ceil(ratio)
    } else if calculator.tolerates(ratio) {
        clamped(current)
    } else if pods.is_empty() {
        return Err(MetricError::NoPods);
    } else {
        ceil(ratio * f64::from(ready))
    };
    Ok(Proposal { replicas, usage, ratio, adjusted_ratio: None, ready, unready: 0, missing: 0 })
}

fn by_average_value(calculator: ReplicaCalculator, metric: MetricSpec, sum: i64, replicas: u32) -> Proposal {
    let (sum, target, pods) = (sum as f64, metric.target as f64, f64::from(replicas));
    let ratio = sum / (target * pods);
    Proposal {
        replicas: if calculator.tolerates(ratio) { clamped(replicas) } else { ceil(sum / target) },
        usage: (sum / pods).ceil() as i64,
        ratio,
        adjusted_ratio: None,
        ready: 0,
        unready: 0,
        missing: 0,
    }
}

fn sum(values: &[i64]) -> Result<i64, MetricError> {
    let sum = values.iter().fold(0_i64, |sum, value| sum.saturating_add(*value));
    if values.is_empty() { Err(MetricError::NoMetrics) } else { Ok(sum) }
}

fn ceil(replicas: f64) -> i32 {
    replicas.ceil() as i32
}

fn clamped(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
