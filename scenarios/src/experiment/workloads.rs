//! How many pods there were, and what became of those that came and went.
//!
//! # Models
//! From what Kubernetes' controllers did in a run: a pod counts as ready from the moment at which its
//! containers answered to that of its deletion. Counts and means are over the reported time, from the
//! cut to the end; what a Deployment used of its CPU limit is over the whole run.

use meshsim_core::{Id, SimTime};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::scheduler::choice::Unfit;
use meshsim_models::telemetry::control_log::{ControlLog, PodStep, ScalingDecision};
use meshsim_models::world::Record;
use meshsim_models::world::description::{Deployment, Description};

/// A Deployment over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Workload {
    /// Pods that were ready, in the mean.
    pub ready_pods: f64,
    /// The most that were ready at a time.
    pub most_ready: u32,
    /// Syncs of its autoscaler that asked for more.
    pub scaled_up: u32,
    /// Syncs that asked for less.
    pub scaled_down: u32,
    /// Pods that found no node at first.
    pub unschedulable: u32,
    /// Why, of the last one.
    pub unfit: Option<Unfit>,
    /// Pods that were made and neither ready in the end nor deleted before.
    pub never_ready: u32,
    /// Requests that were killed with their pod.
    pub killed_requests: u32,
    /// CPU used over the CPU that its ready pods might have used; absent without a limit.
    pub cpu_of_limit: Option<f64>,
    /// Whether its pods may come and go.
    pub is_elastic: bool,
}

/// Every Deployment of a description, in its order.
#[must_use]
pub fn workloads(description: &Description, record: &Record, cut: SimTime) -> Vec<Workload> {
    let mut first = vec![0_usize; description.clusters.len()];
    let of = |it: &Deployment| {
        let cluster = it.cluster;
        let places = description.kubernetes.places(it.service, cluster, it.replicas) as usize;
        let start = first[cluster.index()];
        first[cluster.index()] += places;
        let used: f64 = record.pod_cpu_seconds[cluster][start..start + places].iter().sum();
        workload(description, it, &record.control[cluster], used, cut, record.end)
    };
    description.deployments.iter().map(of).collect()
}

fn workload(
    description: &Description,
    deployment: &Deployment,
    log: &ControlLog,
    cpu_seconds: f64,
    cut: SimTime,
    end: SimTime,
) -> Workload {
    let (service, cluster) = (deployment.service, deployment.cluster);
    let mut so_far =
        Workload { is_elastic: description.kubernetes.is_elastic(cluster), ..Workload::default() };
    count_pods(&mut so_far, deployment, log, description, cut, end);
    let syncs = log.decisions.iter().filter(|it| it.service == service && it.at >= cut);
    let rescales = |up: bool| {
        move |it: &&ScalingDecision| {
            it.decision.rescales() && (it.decision.replicas > it.decision.current) == up
        }
    };
    so_far.scaled_up = syncs.clone().filter(rescales(true)).count() as u32;
    so_far.scaled_down = syncs.filter(rescales(false)).count() as u32;
    so_far.cpu_of_limit = deployment.cpu_limit.and_then(|limit| {
        let workers = f64::from(description.application.services[service].workers);
        let possible = ready_seconds(deployment, log, description, SimTime::ZERO, end) * limit.0.min(workers);
        (possible > 0.0).then(|| cpu_seconds / possible)
    });
    so_far
}

/// Pods of a Deployment that are ready at the start.
fn ready_at_start(description: &Description, deployment: &Deployment, log: &ControlLog) -> u32 {
    if !description.kubernetes.is_elastic(deployment.cluster) {
        return deployment.replicas;
    }
    // Those that found no node then are in the log as the first pods of their places.
    let waiting = log.pods.iter().filter(|it| {
        it.service == deployment.service
            && it.at == SimTime::ZERO
            && it.incarnation == 1
            && it.step == PodStep::Created
    });
    deployment.replicas - (waiting.count() as u32).min(deployment.replicas)
}

fn ready_seconds(
    deployment: &Deployment,
    log: &ControlLog,
    description: &Description,
    from: SimTime,
    end: SimTime,
) -> f64 {
    let (mut ready, mut at, mut sum) = (ready_at_start(description, deployment, log), SimTime::ZERO, 0.0);
    let mut until = |now: SimTime, ready: u32| {
        let (begin, finish) = (at.max(from), now.max(from));
        sum += (finish - begin).as_secs_f64() * f64::from(ready);
        at = now;
    };
    let mut serving = Serving::default();
    for record in log.pods.iter().filter(|it| it.service == deployment.service) {
        until(record.at, ready);
        ready = serving.after(record.step, (record.place, record.incarnation), ready);
    }
    until(end, ready);
    sum
}

/// Which of the pods that came later are ready: a deletion before that takes nothing away.
#[derive(Default)]
struct Serving(std::collections::BTreeSet<(u32, u32)>);

impl Serving {
    fn after(&mut self, step: PodStep, pod: (u32, u32), ready: u32) -> u32 {
        match step {
            PodStep::Ready => {
                self.0.insert(pod);
                ready + 1
            }
            // The first pods of their places were ready from the start.
            PodStep::Deleted if self.0.remove(&pod) || pod.1 == 0 => ready - 1,
            _ => ready,
        }
    }
}

fn count_pods(
    so_far: &mut Workload,
    deployment: &Deployment,
    log: &ControlLog,
    description: &Description,
    cut: SimTime,
    end: SimTime,
) {
    let mut ready = ready_at_start(description, deployment, log);
    so_far.most_ready = ready;
    let mut serving = Serving::default();
    let mut unborn = std::collections::BTreeSet::new();
    for record in log.pods.iter().filter(|it| it.service == deployment.service) {
        let pod = (record.place, record.incarnation);
        if record.at <= cut {
            so_far.most_ready = ready;
        }
        ready = serving.after(record.step, pod, ready);
        so_far.most_ready = so_far.most_ready.max(ready);
        match record.step {
            PodStep::Created => {
                unborn.insert(pod);
            }
            PodStep::Ready | PodStep::Deleted => {
                unborn.remove(&pod);
            }
            PodStep::Unschedulable(unfit) => {
                so_far.unschedulable += 1;
                so_far.unfit = Some(unfit);
            }
            PodStep::Ended(killed) if record.at >= cut => so_far.killed_requests += killed,
            PodStep::Ended(_) | PodStep::Scheduled(_) => {}
        }
    }
    // A pod that is only on its way when the run ends is none of them.
    let long_ago = |it: &(u32, u32)| {
        let made = log.pods.iter().find(|record| {
            record.service == deployment.service
                && (record.place, record.incarnation) == *it
                && record.step == PodStep::Created
        });
        made.is_some_and(|record| (end - record.at).as_secs_f64() > UNBORN_SECONDS)
    };
    so_far.never_ready = unborn.iter().filter(|it| long_ago(it)).count() as u32;
    let seconds = (end - cut).as_secs_f64();
    so_far.ready_pods = ready_seconds(deployment, log, description, cut, end) / seconds;
}

/// A pod that is older than this and was never ready is a problem (s).
const UNBORN_SECONDS: f64 = 120.0;

/// The Deployment of a service in a cluster among all.
#[must_use]
pub fn place_of(description: &Description, service: ServiceId, cluster: ClusterId) -> Option<usize> {
    description.deployments.iter().position(|it| (it.service, it.cluster) == (service, cluster))
}
