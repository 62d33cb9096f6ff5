//! A scenario held against a measured trace.
//!
//! # Models
//! The scenario runs under one strategy with its own arrivals; what its users waited is compared
//! with what the trace's users waited, both after their warm-ups. If the CPU accounting of the
//! traced run is given, the cost of the cells' work is scaled to it: measured CPU time of all
//! application containers, less what they use when idle, over what the scenario's costs give for
//! the same number of requests with the bodies that were measured. Nothing is taken from the
//! trace's latencies.
//!
//! # Source
//! Kleijnen, Verification and validation of simulation models, EJOR 82, 1995.

use super::cpu_accounting::CpuAccounting;
use super::distance::{error_outside_interval, kolmogorov_smirnov, relative_error, wasserstein};
use super::measured::{Measured, measure};
use crate::analysis::demand::demand_ms_per_request;
use crate::analysis::estimates::{latency_quantile, mean_latency};
use crate::experiment::Watch;
use crate::experiment::compare::Plan;
use crate::experiment::replication::{self, Counts, Figures, Keep};
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::results::summary::Value;
use crate::traces::Trace;
use crate::warnings::Warning;
use meshsim_core::stats::Estimate;
use meshsim_models::network::path::RESPONSE_HEADER;
use rayon::prelude::*;
use serde::Serialize;

/// Resamples of the trace for its intervals.
const RESAMPLES: usize = 2_000;

/// Length of a block of the bootstrap (s): longer than what queueing correlates.
const BLOCK_SECONDS: f64 = 15.0;

/// CPU time of an idle cell per second: four worker processes that wake up each second.
const IDLE_CELL_CORES: f64 = 0.0012;

/// What a validation came to.
#[derive(Clone, Debug, Serialize)]
pub struct Validation {
    /// The strategy.
    pub strategy: String,
    /// By how much the cost of the cells' work was scaled.
    pub cpu_scale: f64,
    /// Requests of the trace after its warm-up.
    pub trace_requests: u64,
    /// What the trace has: `requests`, or only `buckets`, which give no intervals of latencies.
    pub measured_from: &'static str,
    /// The figures side by side.
    pub figures: Vec<Row>,
    /// Largest distance between the two distribution functions; of buckets, at their borders.
    pub kolmogorov_smirnov: f64,
    /// Mean distance between the two distributions (ms).
    pub wasserstein_ms: f64,
    /// Share of requests that failed: measured, with its interval.
    pub measured_failure_share: Value,
    /// The same, simulated.
    pub simulated_failure_share: f64,
}

/// One figure, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub figure: &'static str,
    /// Measured, with a block-bootstrap interval (ms).
    pub measured_ms: Value,
    /// Simulated, with an interval over replications (ms).
    pub simulated_ms: Value,
    /// (simulated - measured) / measured.
    pub relative_error: f64,
    /// Distance to the nearer end of the measured interval, over the measured value; 0 inside.
    pub error_outside_interval: f64,
}

/// How the traced run, by its description, differs from the scenario: rate, round trip, and what
/// runs in the users' cluster.
#[must_use]
pub fn differences(resolved: &Resolved, accounting: &CpuAccounting) -> Vec<Warning> {
    let description = &resolved.description;
    let Some(population) = description.populations.first() else { return Vec::new() };
    let mut found = Vec::new();
    let mut differ = |what: &str, trace: String, scenario: String| {
        found.push(Warning::TraceDiffers { what: what.to_owned(), trace, scenario });
    };
    let rate = population.arrivals.offered_per_second(population.users, description.end());
    if let Some(traced) = accounting.rate_per_s.filter(|traced| (traced - rate).abs() > 0.01 * rate) {
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

/// Scales the cost of the cells' work of `resolved` to the CPU accounting of the traced run, whose
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
    let pods = accounting.app_cpu_seconds.len() as f64;
    let used: f64 = accounting.app_cpu_seconds.values().sum();
    let measured = used - pods * IDLE_CELL_CORES * accounting.seconds;
    let expected = expected_cpu_seconds(resolved, trace);
    let factor = measured / expected;
    if !factor.is_finite() || factor <= 0.0 {
        let message = format!("the CPU accounting has {measured:.3} s for work that costs {expected:.3} s");
        return Err(Problem::new(message).help("give the accounting of the traced run").into());
    }
    resolved.description.cell.costs.cpu_scale *= factor;
    Ok(factor)
}

/// What the trace's requests cost by the scenario's table (s).
fn expected_cpu_seconds(resolved: &Resolved, trace: &Trace) -> f64 {
    let description = &resolved.description;
    let (application, costs) = (&description.application, &description.cell.costs);
    let Some(population) = description.populations.first() else { return 0.0 };
    let Some(demand) = demand_ms_per_request(description, population.entry) else { return 0.0 };
    let per_request: f64 = demand.iter().sum();
    // The bodies that the users received are known: their mean is not quite the work model's.
    let ok: Vec<f64> = trace.requests.iter().filter(|r| r.ok).map(|r| r.bytes as f64).collect();
    let body_kb = (ok.iter().sum::<f64>() / ok.len() as f64 - f64::from(RESPONSE_HEADER)) / 1000.0;
    let entry = &application.endpoints[population.entry].internal;
    let more_kb = if body_kb > 0.0 { body_kb - entry.mean_body_kb } else { 0.0 };
    let more_ms = more_kb * costs.body_ms_per_kb * costs.cpu_scale;
    trace.requests.len() as f64 * (per_request + more_ms) / 1000.0
}

/// Runs the only strategy of `plan` and holds it against `trace`, from which the warm-up was taken.
/// Nothing if it was told to stop.
///
/// # Errors
/// If no request of the trace or of the simulation succeeded.
pub fn run(plan: &Plan, trace: &Trace, cpu_scale: f64, watch: &Watch<'_>) -> Checked<Option<Validation>> {
    let description = &plan.strategies[0].description;
    if description.populations.len() > 1 {
        let help = "keep the population that the trace was taken of";
        return Err(Problem::new("the scenario has more than one population of users").help(help).into());
    }
    let seed = description.seed;
    let measured = measure(trace, BLOCK_SECONDS, RESAMPLES, seed)
        .ok_or_else(|| Problem::new("no request of the trace succeeded after its warm-up"))?;
    let keep = Keep { latencies: true, rows: false };
    let figures: Option<Vec<Figures>> = (0..plan.replications)
        .into_par_iter()
        .map(|number| replication::run(&plan.strategies[..1], number, keep, watch)?.pop())
        .collect();
    let Some(figures) = figures else { return Ok(None) };
    let mut simulated: Vec<f64> = figures.iter().flat_map(|f| f.latencies_ms.iter().copied()).collect();
    simulated.sort_unstable_by(f64::total_cmp);
    if simulated.is_empty() {
        return Err(Problem::new("no simulated request succeeded").help("make the run longer").into());
    }
    let [kolmogorov_smirnov, wasserstein_ms] = distances(trace, &simulated);
    let refs: Vec<&Figures> = figures.iter().collect();
    Ok(Some(Validation {
        strategy: plan.strategies[0].strategy.clone(),
        cpu_scale,
        trace_requests: trace.count(),
        measured_from: if trace.histogram.is_some() { "buckets" } else { "requests" },
        figures: rows(&measured, &refs),
        kolmogorov_smirnov,
        wasserstein_ms,
        measured_failure_share: measured.failure_share.into(),
        simulated_failure_share: failure_share(&refs),
    }))
}

/// Kolmogorov-Smirnov and Wasserstein (ms) distance to simulated latencies (ms, ascending).
fn distances(trace: &Trace, simulated: &[f64]) -> [f64; 2] {
    if let Some(histogram) = &trace.histogram {
        return [histogram.kolmogorov_smirnov(simulated), histogram.wasserstein_ms(simulated)];
    }
    let measured = trace.sorted_latencies_ms();
    [kolmogorov_smirnov(&measured, simulated), wasserstein(&measured, simulated)]
}

fn rows(measured: &Measured, figures: &[&Figures]) -> Vec<Row> {
    let pairs: [(&str, &Estimate, Option<Estimate>); 5] = [
        ("mean", &measured.mean, mean_latency(figures)),
        ("p50", &measured.p50, latency_quantile(figures, 0)),
        ("p90", &measured.p90, latency_quantile(figures, 1)),
        ("p95", &measured.p95, latency_quantile(figures, 2)),
        ("p99", &measured.p99, latency_quantile(figures, 3)),
    ];
    let row = |(figure, measured, simulated): (&'static str, &Estimate, Option<Estimate>)| {
        let value = simulated.map_or(f64::NAN, |estimate| estimate.value);
        Row {
            figure,
            measured_ms: (*measured).into(),
            simulated_ms: simulated.into(),
            relative_error: relative_error(value, measured.value),
            error_outside_interval: error_outside_interval(value, measured),
        }
    };
    pairs.into_iter().map(row).collect()
}

fn failure_share(figures: &[&Figures]) -> f64 {
    let sum = |of: fn(&Counts) -> u64| figures.iter().map(|f| of(&f.counts)).sum::<u64>() as f64;
    let failed = sum(|c| c.failed.values().sum());
    failed / (failed + sum(|c| c.completed))
}
