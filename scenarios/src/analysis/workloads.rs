//! Deployments over the replications, by name.

use super::estimates::over_replications;
use super::queue_growth::{self, Origins, origins};
use super::value::Value;
use crate::experiment::replication::Figures;
use crate::experiment::workloads::Workload;
use meshsim_models::kubernetes::scheduler::choice::Unfit;
use meshsim_models::world::description::{Deployment, Description};
use serde::Serialize;
use std::collections::BTreeMap;

/// Pods that use more than this of the CPU that they may use, over a whole run, never catch up.
const SATURATED: f64 = 0.98;

/// A Deployment whose pods may come and go, over all replications.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadSummary {
    /// Ready pods, in the mean over time.
    pub ready_pods: Value,
    /// The most that were ready at a time, in any replication.
    pub most_ready: u32,
    /// Syncs of its autoscaler that asked for more pods.
    pub scaled_up: u32,
    /// Syncs that asked for fewer.
    pub scaled_down: u32,
    /// Pods that found no node at first.
    pub unschedulable: u32,
    /// Why, as Kubernetes says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unschedulable_because: Option<&'static str>,
    /// Pods that were made at least two minutes before the end and were never ready.
    pub never_ready: u32,
    /// Requests that were killed with their pod.
    pub killed_requests: u32,
}

/// The Deployments of the clusters in which pods come and go.
pub(super) fn workloads(
    description: &Description,
    figures: &[&Figures],
) -> BTreeMap<String, BTreeMap<String, WorkloadSummary>> {
    let mut table: BTreeMap<String, BTreeMap<String, WorkloadSummary>> = BTreeMap::new();
    for (index, it) in description.deployments.iter().enumerate() {
        let schedules = description.kubernetes.schedules(it.cluster) || description.is_offloaded(it.service);
        if !schedules || description.services[it.service].external {
            continue;
        }
        let sum = |of: fn(&Workload) -> u32| figures.iter().map(|f| of(&f.workloads[index])).sum();
        let unfit = figures.iter().find_map(|f| f.workloads[index].unfit);
        let summary = WorkloadSummary {
            ready_pods: over_replications(figures, |f: &Figures| f.workloads[index].ready_pods).into(),
            most_ready: figures.iter().map(|f| f.workloads[index].most_ready).max().unwrap_or(0),
            scaled_up: sum(|it| it.scaled_up),
            scaled_down: sum(|it| it.scaled_down),
            unschedulable: sum(|it| it.unschedulable),
            unschedulable_because: unfit.map(Unfit::name),
            never_ready: sum(|it| it.never_ready),
            killed_requests: sum(|it| it.killed_requests),
        };
        let (service, cluster) = names(description, index);
        table.entry(service).or_default().insert(cluster, summary);
    }
    table
}

/// A Deployment that used all the CPU that it may.
#[derive(Clone, Debug, PartialEq)]
pub struct Saturated {
    /// Its service.
    pub service: String,
    /// Where.
    pub cluster: String,
    /// CPU used over what it may use.
    pub share: f64,
    /// What bounds it.
    pub bound: CpuBound,
}

/// What bounds the CPU of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuBound {
    /// Its CPU limit.
    Limit,
    /// Its worker processes, of which each uses a core at most.
    Workers,
}

impl CpuBound {
    /// Of the pods of a Deployment.
    #[must_use]
    pub fn of(description: &Description, deployment: &Deployment) -> Self {
        let workers = f64::from(description.application.services[deployment.service].workers);
        if deployment.cpu_limit.is_some_and(|limit| limit.0 < workers) { Self::Limit } else { Self::Workers }
    }

    /// What to do if it is too tight.
    #[must_use]
    pub const fn raised(self) -> &'static str {
        match self {
            Self::Limit => "raise cpu_limit",
            Self::Workers => "give it more workers (each uses one core at most)",
        }
    }
}

/// Deployments that used all the CPU that they may and whose queues have no bound. The users of a closed loop
/// wait for their answers: alone they make no queue longer than they are many, and together with others a cell
/// may be busy without a queue that grows (`queue_growth` tells).
pub(super) fn saturated(description: &Description, figures: &[&Figures]) -> Vec<Saturated> {
    let (deployments, origins) = (description.deployments.iter(), origins(description));
    let saturated = |(index, it): (usize, &Deployment)| {
        let share = mean_of_bound(figures, index).filter(|share| *share > SATURATED)?;
        let (service, cluster) = names(description, index);
        let bound = CpuBound::of(description, it);
        (origins[it.service] == Origins::Open).then_some(Saturated { service, cluster, share, bound })
    };
    deployments.enumerate().filter_map(saturated).collect()
}

/// Deployments whose queues grow though they do not use all their CPU, with the requests in their cells at
/// first and in the end.
pub(super) fn growing_queues(
    description: &Description,
    figures: &[&Figures],
) -> BTreeMap<(String, String), [f64; 2]> {
    let saturated = saturated(description, figures);
    let is_overloaded = |index: &usize| {
        let (service, cluster) = names(description, *index);
        saturated.iter().any(|it| it.service == service && it.cluster == cluster)
    };
    let overloaded = (0..description.deployments.len()).filter(is_overloaded);
    let overloaded = overloaded.map(|index| description.deployments[index].service).collect();
    let growing = queue_growth::growing_queues(description, figures, &overloaded);
    let others = growing.iter().filter(|it| !is_overloaded(&it.deployment));
    others.map(|it| (names(description, it.deployment), [it.from, it.to])).collect()
}

fn mean_of_bound(figures: &[&Figures], index: usize) -> Option<f64> {
    let values: Vec<f64> = figures.iter().filter_map(|f| f.workloads[index].cpu_of_bound).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The service and the cluster of a Deployment.
fn names(description: &Description, index: usize) -> (String, String) {
    let deployment = &description.deployments[index];
    (
        description.application.services[deployment.service].name.clone(),
        description.clusters[deployment.cluster].name.clone(),
    )
}
