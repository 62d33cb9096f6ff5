//! What Prometheus did not have, and what stands for it.

use super::answers::{Answers, Vector, label};
use super::application::Application;
use super::metrics::of_workloads;
use super::queries::{BEGIN, CALLS, CLIENT_COUNT, CPU_LIMITS, END, REPLICAS};
use crate::problem::Checked;
use std::collections::BTreeSet;

/// Sentences on what nothing says, and what Prometheus itself warned of.
///
/// # Errors
/// If an answer is missing.
pub(super) fn missing(answers: &Answers, window: &str, measured: &Application) -> Checked<Vec<String>> {
    let mut all: Vec<String> =
        answers.warnings().into_iter().map(|it| format!("Prometheus warns: {it}")).collect();
    let to = |query| answers.to(query, window);
    for (query, when, option) in [(BEGIN, "beginning", "--window"), (END, "end", "--at")] {
        if to(query)?.0.is_empty() {
            all.push(format!(
                "no calls had been counted at the {when} of the window: rates are means of the whole of it all the same (is {option} \
                 within what Prometheus has?)"
            ));
        }
    }
    let without_cpu: BTreeSet<&str> = measured
        .services
        .iter()
        .filter(|(_, it)| it.work.cpu_ms <= 0.0)
        .map(|(name, _)| name.as_str())
        .collect();
    if !without_cpu.is_empty() {
        all.push(format!(
            "no container_cpu_usage_seconds_total of pods of {}: what they take is a wait, which no CPU limits",
            names(without_cpu)
        ));
    }
    let mut calls = to(CALLS)?;
    calls.0.retain(|(_, count)| *count > 0.0);
    let known = of_workloads(&calls.0, &to(REPLICAS)?.0, "deployment");
    let workloads: BTreeSet<&str> = calls
        .0
        .iter()
        .map(|(it, _)| label(it, "destination_workload"))
        .filter(|it| !known.contains_key(*it))
        .collect();
    if !workloads.is_empty() {
        all.push(format!(
            "no kube_deployment_status_replicas of {}: one pod each, where manifests do not say more",
            names(workloads)
        ));
    }
    if to(CPU_LIMITS)?.0.is_empty() {
        all.push(
            "no kube_pod_container_resource_limits: no pod has a CPU limit, where manifests do not say one"
                .to_owned(),
        );
    }
    let pairs = |it: &Vector| -> BTreeSet<(String, String)> {
        let pair =
            |labels| (label(labels, "source_app").to_owned(), label(labels, "destination_app").to_owned());
        it.0.iter().map(|(labels, _)| pair(labels)).collect()
    };
    let timed = pairs(&to(CLIENT_COUNT)?);
    let untimed: Vec<String> =
        pairs(&calls).difference(&timed).map(|(from, to)| format!("{from} to {to}")).collect();
    if !untimed.is_empty() {
        all.push(format!(
            "no istio_request_duration_milliseconds of the callers' proxies for calls from {}: latencies of such users are not known, and such calls \
             of services count as what these take themselves",
            names(untimed.iter().map(String::as_str))
        ));
    }
    Ok(all)
}

fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    all.into_iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}
