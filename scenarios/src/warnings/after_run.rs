//! What the results of a run tell.

use super::warning::Warning;
use crate::analysis::summary::{Strategy, Summary};
use crate::analysis::workloads::Saturated;

/// What can be told after a run.
#[must_use]
pub fn after_run(summary: &Summary) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for it in &summary.strategies {
        let strategy = it.name.clone();
        if it.requests.completed == 0 {
            warnings.push(Warning::NoRequestCompleted { strategy });
            warnings.extend(of_workloads(it));
            continue;
        }
        let failed: u64 = it.requests.failed.values().sum();
        let share = failed as f64 / (failed + it.requests.completed) as f64;
        if share > MANY_FAILURES {
            warnings.push(Warning::Failures { strategy: strategy.clone(), share });
        }
        let share = it.requests.in_flight as f64 / it.requests.offered as f64;
        if share > MANY_IN_FLIGHT {
            warnings.push(Warning::InFlight { strategy: strategy.clone(), share });
        }
        if it.warm_up_not_found > 0 {
            warnings.push(Warning::WarmUpNotFound { strategy: strategy.clone() });
        }
        warnings.extend(of_workloads(it));
        let mean = it.latency_ms.mean;
        if let Some([low, high]) = mean.ci95 {
            let relative = (high - low) / 2.0 / mean.value;
            if relative > WIDE {
                warnings.push(Warning::WideInterval { strategy, relative });
            }
        }
    }
    warnings
}

/// What went wrong with pods.
fn of_workloads(it: &Strategy) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (service, clusters) in &it.workloads {
        for (cluster, workload) in clusters {
            let (strategy, service, cluster) = (it.name.clone(), service.clone(), cluster.clone());
            if let Some(because) = workload.unschedulable_because {
                let pods = workload.unschedulable;
                let warning = Warning::Unschedulable { strategy, service, cluster, pods, because };
                warnings.push(warning);
            } else if workload.never_ready > 0 {
                let pods = workload.never_ready;
                warnings.push(Warning::NeverReady { strategy, service, cluster, pods });
            }
        }
    }
    for deployment in it.saturated.iter().cloned() {
        let Saturated { service, cluster, share, bound } = deployment;
        warnings.push(Warning::Saturated { strategy: it.name.clone(), service, cluster, share, bound });
    }
    for ((service, cluster), &[from, to]) in &it.growing_queues {
        let (strategy, service, cluster) = (it.name.clone(), service.clone(), cluster.clone());
        warnings.push(Warning::QueueGrows { strategy, service, cluster, from, to });
    }
    warnings
}

/// A relative half width above this is worth a warning.
const WIDE: f64 = 0.1;

/// A share of failures above this is worth a warning.
const MANY_FAILURES: f64 = 0.001;

/// A share of requests in flight above this is worth a warning.
const MANY_IN_FLIGHT: f64 = 0.01;
