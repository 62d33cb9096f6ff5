//! Fits a scenario to the machine of a traced run, by that run's CPU accounting alone.
//!
//! # Models
//! The cost of CPU work is scaled by one factor, the slowness of the machine: the measured CPU time of
//! all application containers over what the scenario's costs give for the same number of requests
//! with the bodies that were measured, and for the cells when idle. Cells and proxies run on the same
//! cores, so the proxies' CPU cost is scaled by the applications' factor; how the CPU time is split
//! between the two stays a prediction. Nothing is taken from latencies.
//!
//! # Assumptions
//! The accounting covers the requests of the trace after its warm-up. Requests that failed cost as
//! much as others. Effect: with many failures the factor is too low.
//!
//! # Source
//! The testbed's README, "Configurations": the machine's own speed is not constant.

use super::cpu_accounting::CpuAccounting;
use crate::analysis::demand::demand_ms_per_request;
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::traces::Trace;
use crate::warnings::{Finding, Warning};
use meshsim_core::SimDuration;
use meshsim_core::stats::Estimate;
use meshsim_models::network::path::RESPONSE_HEADER;
use meshsim_models::world::description::Description;

/// CPU time of an idle cell per second at a factor of one: four worker processes that wake up each
/// second.
const IDLE_CELL_CORES: f64 = 0.0012;

/// CPU time of an idle proxy per second at a factor of one, where the accounting has none: the cloud's
/// gateway in the three runs without offloading, which nobody used (1.90, 1.96 and 1.99 ms; a log that
/// is flushed each second).
const IDLE_PROXY_CORES: f64 = 0.00195;

/// What the accounting calls a gateway.
const GATEWAY: &str = "gw";

/// What a number of idle containers use in the time of an accounting, on a machine of this factor (s).
fn idle_seconds(containers: usize, cores: f64, accounting: &CpuAccounting, factor: f64) -> f64 {
    containers as f64 * cores * accounting.seconds * factor
}

/// The proxies' share of the CPU time of applications and proxies that requests caused, on a machine
/// of this factor; none if the accounting has no proxies. A gateway of a cluster without users is
/// idle, and tells what the others use without requests.
#[must_use]
pub fn proxy_share(resolved: &Resolved, accounting: &CpuAccounting, factor: f64) -> Option<Estimate> {
    let users = resolved.description.populations.first()?.cluster;
    let users = resolved.description.clusters[users].name.as_str();
    let used = &accounting.proxy_cpu_seconds;
    let is_idle = |(name, _): &(&(String, String), &f64)| name.0 != users && name.1 == GATEWAY;
    let idle = used.iter().find(is_idle).map(|(_, &seconds)| used.len() as f64 * seconds);
    let idle = idle.unwrap_or_else(|| idle_seconds(used.len(), IDLE_PROXY_CORES, accounting, factor));
    let proxies = used.values().sum::<f64>() - idle;
    let cells = &accounting.app_cpu_seconds;
    let applications =
        cells.values().sum::<f64>() - idle_seconds(cells.len(), IDLE_CELL_CORES, accounting, factor);
    let value = proxies / (proxies + applications);
    let is_known = !accounting.proxy_cpu_seconds.is_empty() && value.is_finite();
    is_known.then_some(Estimate { value, interval: None, samples: 1 })
}

/// How the traced run, by its description, differs from the scenario: rate (unless it is taken from
/// the trace), round trip, and what runs in the users' cluster.
#[must_use]
pub fn differences(resolved: &Resolved, accounting: &CpuAccounting, own_rate: bool) -> Vec<Warning> {
    let description = &resolved.description;
    let Some(population) = description.populations.first() else { return Vec::new() };
    let mut found = Vec::new();
    let mut differ = |what: &str, trace: String, scenario: String| {
        found.push(Finding::TraceDiffers { what: what.to_owned(), trace, scenario }.into());
    };
    let rate = population.arrivals.offered_per_second(population.users, description.end());
    let other_rate = |traced: &f64| own_rate && (traced - rate).abs() > 0.01 * rate;
    if let Some(traced) = accounting.rate_per_s.filter(other_rate) {
        differ("rate", format!("{traced} requests/s"), format!("{rate} requests/s"));
    }
    let near = |traced: f64| {
        description.links.iter().any(|link| (link.round_trip.as_millis_f64() - traced).abs() <= 0.05 * traced)
    };
    if let Some(traced) = accounting.rtt_ms.filter(|traced| !near(*traced)) {
        let trips: Vec<String> = description.links.iter().map(|link| link.round_trip.to_string()).collect();
        differ("round trip", format!("{traced} ms"), trips.join(", "));
    }
    let mut offloaded: Vec<&str> = description
        .deployments
        .iter()
        .filter(|deployment| deployment.cluster == population.cluster && deployment.replicas > 0)
        .map(|deployment| description.application.services[deployment.service].name.as_str())
        .collect();
    let mut traced: Vec<&str> = accounting.offload.iter().map(String::as_str).collect();
    offloaded.sort_unstable();
    traced.sort_unstable();
    if offloaded != traced {
        let cluster = &description.clusters[population.cluster].name;
        let list =
            |services: &[&str]| if services.is_empty() { "nothing".to_owned() } else { services.join(", ") };
        differ(&format!("services in {cluster}"), list(&traced), list(&offloaded));
    }
    found
}

/// Scales the cost of CPU work of `resolved` to the CPU accounting of the traced run, whose
/// requests after the warm-up are `trace`. Tells the factor.
///
/// # Errors
/// If no CPU time was measured, the scenario's work costs nothing, or the trace has only buckets.
pub fn scale_cpu(resolved: &mut Resolved, trace: &Trace, accounting: &CpuAccounting) -> Checked<f64> {
    if trace.histogram.is_some() {
        let message =
            "the trace has only buckets: nobody knows how many of its requests came after the warm-up";
        let help = "give a trace with a record per request, or leave the CPU accounting out";
        return Err(Problem::new(message).help(help).into());
    }
    let used = &accounting.app_cpu_seconds;
    let measured: f64 = used.values().sum();
    let expected =
        expected_cpu_seconds(resolved, trace) + idle_seconds(used.len(), IDLE_CELL_CORES, accounting, 1.0);
    let factor = measured / expected;
    if !factor.is_finite() || factor <= 0.0 {
        let message = format!("the CPU accounting has {measured:.3} s for work that costs {expected:.3} s");
        return Err(Problem::new(message).help("give the accounting of the traced run").into());
    }
    let description = &mut resolved.description;
    description.cell.costs.cpu_scale *= factor;
    scale_proxies(description, factor);
    Ok(factor)
}

/// Scales the CPU cost of every kind of proxy.
fn scale_proxies(description: &mut Description, factor: f64) {
    let scale = |time: &mut SimDuration| *time = SimDuration::from_nanos_f64(time.as_nanos() as f64 * factor);
    let mesh = &mut description.mesh;
    let kinds = [&mut mesh.outbound, &mut mesh.inbound, &mut mesh.ztunnel, &mut mesh.waypoint];
    for cost in kinds.into_iter().chain([&mut description.gateway.cost]) {
        scale(&mut cost.cpu);
        scale(&mut cost.cpu_per_kb);
    }
    for extra in [&mut mesh.mtls_cost, &mut mesh.telemetry_cost] {
        scale(&mut extra.cpu);
        scale(&mut extra.cpu_per_kb);
    }
}

/// What the trace's requests cost by the scenario's table (s).
fn expected_cpu_seconds(resolved: &Resolved, trace: &Trace) -> f64 {
    let description = &resolved.description;
    let (application, costs) = (&description.application, &description.cell.costs);
    let Some(population) = description.populations.first() else { return 0.0 };
    let Some(demand) = demand_ms_per_request(description, &population.requests) else { return 0.0 };
    let per_request: f64 = demand.iter().sum();
    // The bodies that the users received are known: their mean is not quite the work model's.
    let ok: Vec<f64> = trace.requests.iter().filter(|r| r.ok).map(|r| r.bytes as f64).collect();
    let body_kb = (ok.iter().sum::<f64>() / ok.len() as f64 - f64::from(RESPONSE_HEADER)) / 1000.0;
    let entries = population.requests.shares();
    let mean_kb: f64 =
        entries.map(|(id, share)| share * application.endpoints[id].internal.mean_body_kb).sum();
    let more_kb = if body_kb > 0.0 { body_kb - mean_kb } else { 0.0 };
    let more_ms = more_kb * costs.body_ms_per_kb * costs.cpu_scale;
    trace.requests.len() as f64 * (per_request + more_ms) / 1000.0
}
