//! What changed during a run, row by row: samples, decisions of autoscalers, lives of pods.

use super::Compared;
use super::csv::Csv;
use super::traffic;
use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use crate::experiment::replication::Figures;
use meshsim_core::{Id, SimTime};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::hpa::replica_calculator::{MetricError, Proposal};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::telemetry::control_log::{PodStep, ScalingDecision};
use meshsim_models::telemetry::time_series::ServiceSample;
use meshsim_models::world::description::Description;

/// Every cluster of every strategy and replication.
pub(super) fn clusters(
    of: Compared<'_>,
) -> impl Iterator<Item = ([String; 2], &Description, ClusterId, &Figures)> {
    cells(of).flat_map(|(head, description, figures)| {
        description.clusters.ids().map(move |cluster| (head.clone(), description, cluster, figures))
    })
}

/// Every strategy and replication with its figures.
pub(super) fn cells(of: Compared<'_>) -> impl Iterator<Item = ([String; 2], &Description, &Figures)> {
    let Compared { plan, outcome } = of;
    outcome.replications.iter().flat_map(move |(replication, figures)| {
        plan.strategies.iter().zip(figures).map(move |(resolved, figures)| {
            ([resolved.strategy.clone(), replication.to_string()], &resolved.description, figures)
        })
    })
}

/// A moment in seconds.
pub(super) fn seconds(at: SimTime) -> String {
    at.as_secs_f64().to_string()
}

fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), |it| it.to_string())
}

fn service(description: &Description, id: ServiceId) -> String {
    description.application.services[id].name.clone()
}

/// Whether any sample was taken.
pub(super) fn has_samples(plan: &ComparisonPlan) -> bool {
    plan.strategies.iter().any(|it| it.description.time_series.is_some())
}

/// Whether pods could come and go, and whether an autoscaler was synced.
pub(super) fn has_control(outcome: &ComparisonOutcome) -> [bool; 2] {
    let all = || outcome.replications.iter().flat_map(|(_, all)| all).flat_map(|it| &it.control);
    [all().any(|it| !it.pods.is_empty()), all().any(|it| !it.decisions.is_empty())]
}

/// `time_series.csv`: a row per sample, cluster and service.
pub(super) fn service_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "cluster",
        "service",
        "wanted_pods",
        "pending_pods",
        "starting_pods",
        "ready_pods",
        "terminating_pods",
        "endpoints",
        "application_cpu_cores",
        "sidecar_cpu_cores",
        "cpu_utilization",
        "throttled_share",
        "served_per_second",
        "requests_in_cells",
        "client_requests_per_second",
        "client_failed_share",
        "client_p50_ms",
        "client_p90_ms",
        "client_p99_ms",
    ])?;
    for (head, description, cluster, figures) in clusters(of) {
        let name = &description.clusters[cluster].name;
        for sample in &figures.series[cluster].services {
            let whose = [seconds(sample.at), name.clone(), service(description, sample.service)];
            csv.write_record(head.iter().cloned().chain(whose).chain(values(sample)))?;
        }
    }
    Ok(())
}

fn values(sample: &ServiceSample) -> Vec<String> {
    let pods = &sample.pods;
    let counts = [pods.wanted, pods.pending, pods.starting, pods.ready, pods.terminating, sample.endpoints];
    let latency = sample.clients.latency_ms.map_or([None; 3], |it| it.map(Some));
    let numbers = [
        Some(sample.application_cpu),
        Some(sample.sidecar_cpu),
        sample.utilization,
        Some(sample.throttled),
        Some(sample.served_per_second),
        Some(sample.in_cells),
        Some(sample.clients.requests_per_second),
        Some(sample.clients.failed),
    ];
    let counts = counts.iter().map(u32::to_string);
    counts.chain(numbers.into_iter().chain(latency).map(optional)).collect()
}

/// `link_series.csv`: a row per sample, link and direction.
pub(super) fn link_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "link",
        "from",
        "utilization",
        "bits_per_second",
    ])?;
    for (head, description, cluster, figures) in clusters(of) {
        for sample in &figures.series[cluster].links {
            let link = &description.links[sample.link as usize];
            let row = [
                seconds(sample.at),
                link.name.clone(),
                description.clusters[cluster].name.clone(),
                sample.utilization.to_string(),
                (sample.utilization * link.bits_per_second).to_string(),
            ];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}

/// `traffic_series.csv`: a row per sample, calling cluster and service and called cluster and service, where there was
/// something.
pub(super) fn call_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "from_cluster",
        "from_service",
        "to_cluster",
        "to_service",
        "requests_per_second",
        "failed_share",
        "mean_ms",
        "response_bytes_per_second",
    ])?;
    for (head, description, cluster, figures) in clusters(of) {
        for sample in &figures.series[cluster].calls {
            let counts = &sample.counts;
            let (ok, all) = (counts.ok as f64, (counts.ok + counts.failed) as f64);
            let row = [
                seconds(sample.at),
                description.clusters[cluster].name.clone(),
                traffic::caller(description, sample.flow).to_owned(),
                description.clusters[sample.server].name.clone(),
                service(description, sample.flow.called),
                (all / sample.seconds).to_string(),
                (counts.failed as f64 / all).to_string(),
                optional((counts.ok > 0).then(|| counts.nanos as f64 / ok / 1e6)),
                (counts.body as f64 / sample.seconds).to_string(),
            ];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}

/// `user_series.csv`: a row per interval and population, by the time of arrival.
pub(super) fn user_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "population",
        "offered_per_second",
        "failed",
        "in_flight",
        "p50_ms",
        "p90_ms",
        "p99_ms",
    ])?;
    for (head, description, figures) in cells(of) {
        for sample in &figures.user_series {
            let population = &description.populations[sample.population.index()].name;
            let row = [
                seconds(sample.at),
                population.clone(),
                sample.offered_per_second.to_string(),
                sample.failed.to_string(),
                sample.in_flight.to_string(),
            ];
            let latency = sample.latency_ms.map_or([None; 3], |it| it.map(Some)).map(optional);
            csv.write_record(head.iter().cloned().chain(row).chain(latency))?;
        }
    }
    Ok(())
}

/// `decisions.csv`: a row per sync of an autoscaler and metric, with what it was decided from.
pub(super) fn decision_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "cluster",
        "service",
        "current",
        "replicas",
        "reason",
        "metric",
        "target",
        "usage",
        "ratio",
        "adjusted_ratio",
        "ready_pods",
        "unready_pods",
        "missing_pods",
        "proposed",
        "decides",
        "stabilized",
    ])?;
    for (head, description, cluster, figures) in clusters(of) {
        for decision in &figures.control[cluster].decisions {
            let Some(settings) = description.kubernetes.autoscaler(decision.service, cluster) else {
                continue;
            };
            let whose = [
                seconds(decision.at),
                description.clusters[cluster].name.clone(),
                service(description, decision.service),
                decision.decision.current.to_string(),
                decision.decision.replicas.to_string(),
                decision.decision.reason.name().to_owned(),
            ];
            if decision.proposals.is_empty() {
                let none = std::iter::repeat_n(String::new(), 11);
                csv.write_record(head.iter().cloned().chain(whose).chain(none))?;
                continue;
            }
            for (metric, proposal) in decision.proposals.iter().enumerate() {
                let target = settings.hpa.metrics[metric].target;
                let rest = metric_values(settings.reads[metric], target, metric, proposal, decision);
                csv.write_record(head.iter().cloned().chain(whose.clone()).chain(rest))?;
            }
        }
    }
    Ok(())
}

fn metric_values(
    reads: Reads,
    target: i64,
    metric: usize,
    proposal: &Result<Proposal, MetricError>,
    decision: &ScalingDecision,
) -> [String; 11] {
    let decides = decision.decision.largest.is_some_and(|largest| largest.metric == metric);
    let stabilized = decision.decision.stabilized.map_or(String::new(), |it| it.to_string());
    let [usage, ratio, adjusted, ready, unready, missing, proposed] = match proposal {
        Ok(it) => [
            it.usage.to_string(),
            it.ratio.to_string(),
            optional(it.adjusted_ratio),
            it.ready.to_string(),
            it.unready.to_string(),
            it.missing.to_string(),
            it.replicas.to_string(),
        ],
        Err(error) => {
            let mut values = [const { String::new() }; 7];
            values[6] = format!("{error:?}");
            values
        }
    };
    [
        reads.name().to_owned(),
        target.to_string(),
        usage,
        ratio,
        adjusted,
        ready,
        unready,
        missing,
        proposed,
        decides.to_string(),
        stabilized,
    ]
}

/// The provider that a node of a consumer stands for.
fn provider(description: &Description, consumer: ClusterId, node: u32) -> String {
    let own = description.clusters[consumer].nodes.len();
    let peering = description.liqo().and_then(|it| it.providers_of(consumer).nth(node as usize - own));
    peering.map_or_else(String::new, |it| description.clusters[it.provider].name.clone())
}

/// `pod_events.csv`: a row per step in the life of a pod.
pub(super) fn pod_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record(["strategy", "replication", "time_s", "cluster", "service", "pod", "event", "detail"])?;
    for (head, description, cluster, figures) in clusters(of) {
        let cluster_name = &description.clusters[cluster].name;
        for record in &figures.control[cluster].pods {
            let detail = match record.step {
                PodStep::Scheduled(node) => format!("{cluster_name}-{}", node + 1),
                PodStep::Offloaded(node) => provider(description, cluster, node),
                PodStep::Unschedulable(unfit) => unfit.name().to_owned(),
                PodStep::Ended(killed) if killed > 0 => format!("{killed} requests killed"),
                PodStep::Created
                | PodStep::Refused
                | PodStep::Ready
                | PodStep::Deleted
                | PodStep::Ended(_) => String::new(),
            };
            let name = service(description, record.service);
            let row = [
                seconds(record.at),
                cluster_name.clone(),
                name.clone(),
                format!("{name}-{}-{}", record.ordinal, record.generation),
                record.step.name().to_owned(),
                detail,
            ];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}
