//! How many pods there were, and what became of those that came and went.
//!
//! # Models
//! From what Kubernetes' controllers did in a run: a pod counts as ready from the moment at which its
//! containers answered to that of its deletion. Counts and means are over the reported time, from the
//! cut to the end; what a Deployment used of the CPU that it may use is over the whole run. A pod may use a core per
//! worker process, and no more than its CPU limit.

use meshsim_core::SimTime;
use meshsim_models::kubernetes::scheduler::choice::Unfit;
use meshsim_models::telemetry::control_log::{ControlLog, PodRecord, PodStep};
use meshsim_models::world::Record;
use meshsim_models::world::description::{Deployment, Description};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A Deployment over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// CPU used over the CPU that its pods might have used, from readiness to their end; absent without pods.
    pub cpu_of_bound: Option<f64>,
    /// Requests in the cells of its pods together, in the mean over each quarter of the whole run.
    pub in_cells: [f64; 4],
    /// Calls that its pods served in each quarter of the whole run.
    pub served: [u64; 4],
}

/// Every Deployment of a description, in its order.
#[must_use]
pub fn workloads(description: &Description, record: &Record, cut: SimTime) -> Vec<Workload> {
    let mut all = vec![Workload::default(); description.deployments.len()];
    let ends: Vec<SimTime> = (0..=4).map(|it| SimTime::from_nanos(record.end.as_nanos() / 4 * it)).collect();
    for cluster in description.clusters.ids() {
        let served = [0, 1, 2, 3].map(|it| record.served_between(cluster, ends[it], ends[it + 1]));
        for (number, slots) in &record.deployments[cluster] {
            let (number, slots) = (*number, || slots.iter().map(|&slot| slot as usize));
            let deployment = &description.deployments[number];
            let used: f64 = slots().map(|slot| record.pod_cpu[cluster][slot].application).sum();
            let lives = Lives::new(deployment, &record.control[cluster], cut);
            all[number] = lives.sum_up(description, deployment, used, cut, record.end);
            count_syncs(&mut all[number], deployment, &record.control[cluster], cut);
            for (quarter, served) in served.iter().enumerate() {
                all[number].in_cells[quarter] =
                    slots().map(|slot| record.in_cells[cluster][slot][quarter]).sum();
                all[number].served[quarter] = slots().map(|slot| served[slot]).sum();
            }
        }
    }
    all
}

/// The lives of a Deployment's pods.
struct Lives {
    /// From when on how many were ready.
    ready: Vec<(SimTime, u32)>,
    /// When those were made that were neither ready nor deleted.
    unborn: BTreeMap<Pod, SimTime>,
    /// When those were deleted that served and have not ended.
    ending: BTreeMap<Pod, SimTime>,
    /// Time that pods went on after their deletion, added up (s).
    ending_seconds: f64,
    counted: Workload,
}

/// The ordinal and the generation of a pod.
type Pod = (u32, u32);

impl Lives {
    fn new(deployment: &Deployment, log: &ControlLog, cut: SimTime) -> Self {
        let records = || log.pods.iter().filter(|it| it.service == deployment.service);
        // Those that found no node at the start were made then.
        let waits = |it: &&PodRecord| {
            it.at == SimTime::ZERO && it.step == PodStep::Created && it.ordinal < deployment.replicas
        };
        let at_start = deployment.replicas - records().filter(waits).count() as u32;
        let mut lives = Self {
            ready: vec![(SimTime::ZERO, at_start)],
            unborn: BTreeMap::new(),
            ending: BTreeMap::new(),
            ending_seconds: 0.0,
            counted: Workload::default(),
        };
        let mut serving = BTreeSet::new();
        for record in records() {
            lives.add(record, &mut serving, cut);
        }
        lives
    }

    fn add(&mut self, record: &PodRecord, serving: &mut BTreeSet<Pod>, cut: SimTime) {
        let pod = (record.ordinal, record.generation);
        let ready = self.ready.last().map_or(0, |(_, ready)| *ready);
        match record.step {
            PodStep::Created => {
                self.unborn.insert(pod, record.at);
            }
            PodStep::Ready => {
                self.unborn.remove(&pod);
                serving.insert(pod);
                self.ready.push((record.at, ready + 1));
            }
            PodStep::Deleted => {
                self.unborn.remove(&pod);
                // The first generation was ready from the start.
                if serving.remove(&pod) || record.generation == 0 {
                    self.ready.push((record.at, ready - 1));
                    self.ending.insert(pod, record.at);
                }
            }
            PodStep::Unschedulable(unfit) => {
                self.counted.unschedulable += 1;
                self.counted.unfit = Some(unfit);
            }
            PodStep::Ended(killed) => {
                self.counted.killed_requests += if record.at >= cut { killed } else { 0 };
                self.ending_seconds +=
                    self.ending.remove(&pod).map_or(0.0, |it| (record.at - it).as_secs_f64());
            }
            // What runs of it is a pod of the other cluster's.
            PodStep::Offloaded(_) => {
                self.unborn.remove(&pod);
            }
            PodStep::Scheduled(_) | PodStep::Refused => {}
        }
    }

    fn sum_up(
        self,
        description: &Description,
        deployment: &Deployment,
        cpu_seconds: f64,
        cut: SimTime,
        end: SimTime,
    ) -> Workload {
        let workers = f64::from(description.application.services[deployment.service].workers);
        // A pod that is being deleted uses CPU until it has ended.
        let ending: f64 = self.ending.values().map(|it| (end - *it).as_secs_f64()).sum();
        let seconds = self.ready_seconds(SimTime::ZERO, end) + self.ending_seconds + ending;
        let possible = seconds * deployment.cpu_limit.map_or(workers, |limit| limit.0.min(workers));
        let is_late = |made: &&SimTime| (end - **made).as_secs_f64() > UNBORN_SECONDS;
        Workload {
            ready_pods: self.ready_seconds(cut, end) / (end - cut).as_secs_f64(),
            most_ready: self
                .stretches(end)
                .filter(|(_, until, _)| *until > cut)
                .map(|it| it.2)
                .max()
                .unwrap_or(0),
            cpu_of_bound: (possible > 0.0).then(|| cpu_seconds / possible),
            // A pod that is only on its way when the run ends is none of them.
            never_ready: self.unborn.values().filter(is_late).count() as u32,
            ..self.counted
        }
    }

    /// From when to when how many were ready.
    fn stretches(&self, end: SimTime) -> impl Iterator<Item = (SimTime, SimTime, u32)> {
        let ends = self.ready.iter().skip(1).map(|(at, _)| *at).chain([end]);
        self.ready.iter().zip(ends).map(|(&(from, ready), until)| (from, until, ready))
    }

    /// Ready pods, added up over the time from a moment on (s).
    fn ready_seconds(&self, from: SimTime, end: SimTime) -> f64 {
        let area = |(begin, until, ready): (SimTime, SimTime, u32)| {
            (until.max(from) - begin.max(from)).as_secs_f64() * f64::from(ready)
        };
        self.stretches(end).map(area).sum()
    }
}

/// A pod that is older than this and was never ready is a problem (s).
const UNBORN_SECONDS: f64 = 120.0;

/// How often an autoscaler asked for another number of pods.
fn count_syncs(so_far: &mut Workload, deployment: &Deployment, log: &ControlLog, cut: SimTime) {
    let syncs = log.decisions.iter().filter(|it| it.service == deployment.service && it.at >= cut);
    for decision in syncs.map(|it| it.decision) {
        so_far.scaled_up += u32::from(decision.replicas > decision.current);
        so_far.scaled_down += u32::from(decision.replicas < decision.current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::compare::{Choice, ComparisonPlan};
    use crate::scenario::Scenario;
    use meshsim_core::SimDuration;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn record(description: &Description, seconds: u64, pod: Pod, step: PodStep) -> PodRecord {
        let service = description.application.service_named("back").unwrap();
        PodRecord { at: at(seconds), service, ordinal: pod.0, generation: pod.1, step }
    }

    /// What `rolling-update`, whose `back` has four pods, comes to with these steps, from 50 to 100 s.
    fn summed_up(steps: &[(u64, Pod, PodStep)]) -> Workload {
        let scenario = Scenario::open("rolling-update", &[]).unwrap();
        let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
        let description = &plan.strategies[0].description;
        let pods = steps.iter().map(|&(seconds, pod, step)| record(description, seconds, pod, step));
        let log = ControlLog { pods: pods.collect(), ..ControlLog::default() };
        let service = description.application.service_named("back").unwrap();
        let back = description.deployments.iter().find(|it| it.service == service).unwrap();
        Lives::new(back, &log, at(50)).sum_up(description, back, 30.0, at(50), at(100))
    }

    #[test]
    fn pods_count_from_their_readiness_to_their_deletion() {
        let steps = [
            (20, (4, 1), PodStep::Created),
            (60, (4, 1), PodStep::Ready),
            (70, (0, 0), PodStep::Deleted),
            (80, (0, 0), PodStep::Ended(3)),
            (90, (4, 1), PodStep::Deleted),
        ];
        let sums = summed_up(&steps);
        // 4 for ten seconds, 5 for ten, 4 for twenty, 3 for ten; with 400 s before.
        assert!((sums.ready_pods - 200.0 / 50.0).abs() < 1e-9, "{sums:?}");
        assert_eq!((sums.most_ready, sums.killed_requests, sums.never_ready), (5, 3, 0));
        // 400 pod seconds, and 10 each between deletion and end, or the end of the run.
        assert!((sums.cpu_of_bound.unwrap() - 30.0 / 420.0).abs() < 1e-9, "{sums:?}");
    }

    #[test]
    fn what_is_asked_for_at_the_very_start_does_not_take_a_pod_away() {
        let steps = [(0, (4, 1), PodStep::Created), (10, (4, 1), PodStep::Ready)];
        assert!((summed_up(&steps).ready_pods - 5.0).abs() < 1e-9);
        // In place of the first four it is a pod that found no node then.
        let steps = [(0, (3, 1), PodStep::Created), (10, (3, 1), PodStep::Ready)];
        assert!((summed_up(&steps).ready_pods - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_most_of_long_before_the_cut_is_forgotten() {
        let steps = [(10, (1, 0), PodStep::Deleted), (11, (1, 0), PodStep::Ended(0))];
        assert_eq!(summed_up(&steps).most_ready, 3);
        assert_eq!(summed_up(&[(10, (1, 0), PodStep::Deleted)]).most_ready, 3);
    }
}
