//! What the results of a run tell.

use super::warning::{Finding, Warning};
use crate::analysis::summary::{Strategy, Summary};
use crate::analysis::workloads::Saturated;

/// What can be told after a run.
#[must_use]
pub fn after_run(summary: &Summary) -> Vec<Warning> {
    let of = |it: &Strategy| {
        of_strategy(it).into_iter().map(|finding| finding.under(&it.name)).collect::<Vec<_>>()
    };
    summary.strategies.iter().flat_map(of).collect()
}

fn of_strategy(it: &Strategy) -> Vec<Finding> {
    let mut findings = Vec::new();
    if it.requests.completed == 0 {
        findings.push(Finding::NoRequestCompleted);
        findings.extend(of_workloads(it));
        return findings;
    }
    let failed: u64 = it.requests.failed.values().sum();
    let share = failed as f64 / (failed + it.requests.completed) as f64;
    if share > MANY_FAILURES {
        findings.push(Finding::Failures { share });
    }
    let share = it.requests.in_flight as f64 / it.requests.offered as f64;
    if share > MANY_IN_FLIGHT {
        findings.push(Finding::InFlight { share });
    }
    if it.warm_up_not_found > 0 {
        findings.push(Finding::WarmUpNotFound);
    }
    findings.extend(of_workloads(it));
    let mean = it.latency_ms.mean;
    if let Some([low, high]) = mean.ci95 {
        let relative = (high - low) / 2.0 / mean.value;
        if relative > WIDE {
            findings.push(Finding::WideInterval { relative });
        }
    }
    findings
}

/// What went wrong with pods.
fn of_workloads(it: &Strategy) -> Vec<Finding> {
    let mut warnings = Vec::new();
    for (service, clusters) in &it.workloads {
        for (cluster, workload) in clusters {
            let (service, cluster) = (service.clone(), cluster.clone());
            if let Some(because) = workload.unschedulable_because {
                let pods = workload.unschedulable;
                let warning = Finding::Unschedulable { service, cluster, pods, because };
                warnings.push(warning);
            } else if workload.never_ready > 0 {
                let pods = workload.never_ready;
                warnings.push(Finding::NeverReady { service, cluster, pods });
            }
        }
    }
    for deployment in it.saturated.iter().cloned() {
        let Saturated { service, cluster, share, bound } = deployment;
        warnings.push(Finding::Saturated { service, cluster, share, bound });
    }
    for ((service, cluster), &[from, to]) in &it.growing_queues {
        let (service, cluster) = (service.clone(), cluster.clone());
        warnings.push(Finding::QueueGrows { service, cluster, from, to });
    }
    warnings
}

/// A relative half width above this is worth a warning.
const WIDE: f64 = 0.1;

/// A share of failures above this is worth a warning.
const MANY_FAILURES: f64 = 0.001;

/// A share of requests in flight above this is worth a warning.
const MANY_IN_FLIGHT: f64 = 0.01;
