//! One replication: every strategy over the same requests, cut at the same moment, reduced to
//! figures.
//!
//! # Models
//! The warm-up ends at the configured time, or at the latest of the strategies' MSER-5 points if
//! that is later, rounded up to a slice of the run (1/200). Where the load is meant to differ between
//! parts of the run, latencies never settle: there the configured time is all. A request counts if it arrives after
//! the cut; one that has not ended when the run does counts as in flight.

use super::Watch;
use super::user_series::{UserSample, user_series};
use super::workloads::{Workload, workloads};
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_core::stats::{Histogram, Resolution, mser5, quantile_of_sorted};
use meshsim_core::{Outcome, RunControl, SimDuration, SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::control_log::ControlLog;
use meshsim_models::telemetry::istio_buckets::IstioHistogram;
use meshsim_models::telemetry::metrics::{Counter, MetricsSum, Times};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::time_series::TimeSeries;
use meshsim_models::world::description::Description;
use meshsim_models::world::placement::places_in;
use meshsim_models::world::{Record, World, slice_of};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What one strategy came to in one replication.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Mean latency of successful requests (ms).
    pub mean_ms: f64,
    /// Quantiles of the same, by [`QUANTILES`] (ms).
    pub quantiles_ms: [f64; QUANTILES.len()],
    /// What a dashboard would show as p90 (ms).
    pub dashboard_p90_ms: f64,
    /// Per ended request.
    pub calls: f64,
    /// Attempts that left the client's cluster, per ended request.
    pub crossings: f64,
    /// Crossings into a cluster on the path, per ended request.
    pub returns: f64,
    /// Further attempts, per ended request.
    pub retries: f64,
    /// TCP rounds beyond the first between clusters, per ended request.
    pub rounds: f64,
    /// Waiting for connections, per ended request (ms).
    pub connect_ms: f64,
    /// CPU demand of the cells, per ended request (ms).
    pub demand_ms: f64,
    /// Bodies that crossed between clusters, per ended request (bytes).
    pub cross_payload: f64,
    /// Everything that crossed, per ended request (bytes).
    pub cross_wire: f64,
    /// Every Deployment, in the order of the description.
    pub workloads: Vec<Workload>,
    /// Per cluster, what Kubernetes' controllers did.
    pub control: Table<ClusterId, ControlLog>,
    /// Per cluster, how it changed over time.
    pub series: Table<ClusterId, TimeSeries>,
    /// What the users waited over time; empty if nothing is sampled.
    pub user_series: Vec<UserSample>,
    /// Calls served by each pod, by cluster, service and place among the service's pods there.
    pub served: Vec<Vec<Vec<u64>>>,
    /// What proxies counted, by cluster, called service and [`Counter`].
    pub counters: Vec<Vec<[u64; Counter::ALL.len()]>>,
    /// How long each service took to answer, from a call's arrival to the answer's leaving, by cluster and service.
    pub answered: Vec<Vec<Times>>,
    /// Time between the clusters per crossing that was answered, there and back, without the time that the answering
    /// pod took (ms); NaN without crossings.
    pub crossing_ms: f64,
    /// Calls served from the cut on in stretches of [`Keep::window_seconds`], by stretch, cluster and service.
    pub served_over_time: Vec<Vec<Vec<u64>>>,
    /// CPU time of cells per second, by cluster.
    pub cell_cpu: Vec<f64>,
    /// CPU time of proxies per second, by cluster.
    pub proxy_cpu: Vec<f64>,
    /// Memory of the proxies, by cluster (bytes).
    pub proxy_memory: Vec<f64>,
    /// Where the requests went.
    pub counts: Counts,
    /// Latencies of successful requests (ns).
    pub histogram: Histogram,
    /// Successful latencies in the order of arrival (ms); kept for one replication alone, whose
    /// intervals need them.
    pub latencies_ms: Vec<f64>,
    /// Reported time (s).
    pub seconds: f64,
    /// Whether MSER-5 found the end of the warm-up in the first half of the run.
    pub warm_up_found: bool,
    /// All rows, if they were asked for.
    pub rows: Vec<RequestRow>,
}

/// Requests after the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Arrived.
    pub offered: u64,
    /// Answered with a success.
    pub completed: u64,
    /// Answered otherwise, by status and flag, as in `503 UF`.
    pub failed: BTreeMap<String, u64>,
    /// Not ended.
    pub in_flight: u64,
}

/// The quantiles that are reported.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// What to keep beside the figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Latencies in the order of arrival.
    pub latencies: bool,
    /// Every request.
    pub rows: bool,
    /// Cut at the configured warm-up, whatever MSER-5 says: as a trace was cut.
    pub fixed_cut: bool,
    /// Length of the stretches of `served_over_time` (s); none of 0.
    pub window_seconds: f64,
}

/// Runs replication `number` of every strategy. Nothing if it was told to stop before the end.
#[must_use]
pub fn run(strategies: &[Resolved], number: u32, keep: Keep, watch: &Watch<'_>) -> Option<Vec<Figures>> {
    let records: Vec<Option<Record>> =
        strategies.par_iter().map(|resolved| run_cell(resolved, number, watch)).collect();
    let records: Vec<Record> = records.into_iter().collect::<Option<_>>()?;
    let warm_ups: Vec<(SimTime, bool)> =
        strategies.iter().zip(&records).map(|(resolved, record)| warm_up(resolved, record, keep)).collect();
    let cut = warm_ups.iter().map(|(cut, _)| *cut).max()?;
    let reduced = strategies.iter().zip(records).zip(warm_ups);
    Some(reduced.map(|((resolved, record), (_, found))| reduce(resolved, record, cut, found, keep)).collect())
}

/// Runs one strategy.
fn run_cell(resolved: &Resolved, replication: u32, watch: &Watch<'_>) -> Option<Record> {
    if watch.is_cancelled() {
        return None;
    }
    let mut world = World::new(&resolved.description, replication);
    let end = world.end();
    let mut reported = 0.0;
    let mut hear = |now: SimTime| {
        let now = now.as_secs_f64();
        // Not every round is worth the lock of a progress bar.
        if now - reported >= end.as_secs_f64() / 50.0 {
            (watch.progress)(now - reported);
            reported = now;
        }
    };
    let mut control = RunControl::until(end).cancelled_by(watch.cancel).reporting_to(&mut hear);
    let outcome = world.run(&mut control);
    (watch.progress)(end.as_secs_f64() - reported);
    (outcome == Outcome::ReachedEnd).then(|| world.finish())
}

/// When the warm-up ends, and whether MSER-5 is sure of it.
fn warm_up(resolved: &Resolved, record: &Record, keep: Keep) -> (SimTime, bool) {
    let configured = SimTime::ZERO + resolved.description.warm_up;
    if keep.fixed_cut || resolved.description.load_varies() {
        return (configured, true);
    }
    let latencies: Vec<f64> = record.requests.iter().filter_map(latency_ms).collect();
    let truncation = mser5(&latencies);
    let first = record.requests.iter().filter(|row| latency_ms(row).is_some()).nth(truncation.cut);
    let found = first.map_or(SimTime::ZERO, |row| row.arrival);
    // Without enough requests there is nothing to find.
    let reliable = truncation.reliable || latencies.len() < MSER_SAMPLES_MIN;
    (configured.max(if reliable { found } else { configured }), reliable)
}

/// Below this many requests MSER-5 says nothing.
const MSER_SAMPLES_MIN: usize = 50;

/// The latency of a request that succeeded.
fn latency_ms(row: &RequestRow) -> Option<f64> {
    row.end.filter(|end| end.status.is_ok()).map(|end| end.latency.as_millis_f64())
}

fn reduce(resolved: &Resolved, record: Record, cut: SimTime, warm_up_found: bool, keep: Keep) -> Figures {
    let description = &resolved.description;
    let slice = slice_of(record.end).as_nanos();
    let cut = SimTime::from_nanos(cut.as_nanos().div_ceil(slice) * slice).min(record.end);
    let seconds = (record.end - cut).as_secs_f64();
    let rows: Vec<&RequestRow> = record.requests.iter().filter(|row| row.arrival >= cut).collect();
    let latencies: Vec<f64> = rows.iter().filter_map(|row| latency_ms(row)).collect();
    let (mut histogram, mut buckets) = (Histogram::new(Resolution::PerMille), IstioHistogram::default());
    for row in &rows {
        if let Some(ms) = latency_ms(row) {
            histogram.record(row.end.map_or(0, |end| end.latency.as_nanos()));
            buckets.record(ms);
        }
    }
    let mut sorted = latencies.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let quantile = |q| quantile_of_sorted(&sorted, q).unwrap_or(f64::NAN);
    let ended: Vec<_> = rows.iter().filter_map(|row| row.end).collect();
    let per_request = |of: &dyn Fn(&meshsim_models::call::record::Totals) -> f64| {
        ended.iter().map(|end| of(&end.totals)).sum::<f64>() / ended.len() as f64
    };
    let metrics: Vec<_> = description.clusters.ids().map(|id| record.metrics_from(id, cut)).collect();
    Figures {
        mean_ms: latencies.iter().sum::<f64>() / latencies.len() as f64,
        quantiles_ms: QUANTILES.map(quantile),
        dashboard_p90_ms: buckets.quantile(0.9).unwrap_or(f64::NAN),
        calls: per_request(&|t| f64::from(t.calls)),
        crossings: per_request(&|t| f64::from(t.crossings)),
        returns: per_request(&|t| f64::from(t.returns)),
        retries: per_request(&|t| f64::from(t.retries)),
        rounds: per_request(&|t| f64::from(t.rounds)),
        connect_ms: per_request(&|t| f64::from(t.connect_us)) / 1000.0,
        demand_ms: per_request(&|t| f64::from(t.demand_us)) / 1000.0,
        cross_payload: per_request(&|t| f64::from(t.cross_payload)),
        cross_wire: per_request(&|t| f64::from(t.cross_wire)),
        workloads: workloads(description, &record, cut),
        user_series: description.time_series.map_or_else(Vec::new, |interval| {
            user_series(&record.requests, description.populations.len(), interval, record.end)
        }),
        served: description
            .clusters
            .ids()
            .zip(&metrics)
            .map(|(cluster, it)| by_service(description, cluster, &it.served))
            .collect(),
        counters: metrics.iter().map(|it| counters(description, it)).collect(),
        answered: metrics.iter().map(|m| m.answered.clone()).collect(),
        crossing_ms: crossing_ms(&metrics),
        served_over_time: served_over_time(description, &record, cut, keep.window_seconds),
        cell_cpu: metrics.iter().map(|m| m.cell_cpu_seconds / seconds).collect(),
        proxy_cpu: metrics.iter().map(|m| m.proxy_cpu_seconds / seconds).collect(),
        control: record.control,
        series: record.series,
        proxy_memory: record.proxy_memory.iter().copied().collect(),
        counts: count(&rows),
        histogram,
        latencies_ms: if keep.latencies { latencies } else { Vec::new() },
        seconds,
        warm_up_found,
        rows: if keep.rows { record.requests } else { Vec::new() },
    }
}

fn count(rows: &[&RequestRow]) -> Counts {
    let mut counts = Counts { offered: rows.len() as u64, ..Counts::default() };
    for row in rows {
        match row.end.map(|end| end.status) {
            None => counts.in_flight += 1,
            Some(status) if status.is_ok() => counts.completed += 1,
            Some(status) => *counts.failed.entry(status.to_string()).or_default() += 1,
        }
    }
    counts
}

/// What the pods of a cluster served, by service and pod.
fn by_service(description: &Description, cluster: ClusterId, served: &[u64]) -> Vec<Vec<u64>> {
    let mut by_service = vec![Vec::new(); description.application.services.len()];
    for (_, deployment, places) in places_in(description, cluster) {
        by_service[deployment.service.index()].extend_from_slice(&served[places]);
    }
    by_service
}

/// What the clusters' clients waited for answers from others, less what these took to answer.
fn crossing_ms(metrics: &[MetricsSum]) -> f64 {
    let (mut waited, mut served) = (Times::default(), Times::default());
    for it in metrics {
        waited.add(it.crossings);
        served.add(it.crossings_served);
    }
    // Those under way at the cut, and those at the end, are in one of the two: means, not sums, are taken.
    (waited.nanos / waited.count as f64 - served.nanos / served.count as f64) / 1e6
}

/// Calls served by stretch of time, cluster and service.
fn served_over_time(
    description: &Description,
    record: &Record,
    cut: SimTime,
    seconds: f64,
) -> Vec<Vec<Vec<u64>>> {
    let mut stretches = Vec::new();
    let length = SimDuration::from_nanos_f64(seconds * 1e9);
    let mut from = cut;
    while length > SimDuration::ZERO && from + length <= record.end {
        let of = |cluster| {
            let by_pod = record.served_between(cluster, from, from + length);
            by_service(description, cluster, &by_pod).iter().map(|pods| pods.iter().sum()).collect()
        };
        stretches.push(description.clusters.ids().map(of).collect());
        from += length;
    }
    stretches
}

fn counters(description: &Description, metrics: &MetricsSum) -> Vec<[u64; Counter::ALL.len()]> {
    let of = |service: usize| Counter::ALL.map(|counter| metrics.counters[counter as usize][service]);
    (0..description.application.services.len()).map(of).collect()
}
