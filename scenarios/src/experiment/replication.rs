//! One replication: every strategy over the same requests, reduced to figures.
//!
//! # Models
//! Each strategy is cut at its own warm-up, whatever the others do (see `warm_up`). A request counts if it arrives
//! after the cut; one that has not ended when the run does counts as in flight. Two strategies are compared over
//! the requests that count under both: those that arrive after the later of their cuts.
//! What requests take (calls, CPU, crossings, bytes) is counted where it is done, from the cut on, whoever waits for
//! it, and divided by the requests that arrived from the cut on: sums over users are sums over pods and links.
//!
//! # Assumptions
//! Work from the cut on for requests that came before it counts, and work after the end does not. Effect: none in the
//! mean where the load is steady; where requests pile up, what is still to be done for them is in no figure.

use super::Watch;
use super::memory::Share;
use super::user_series::{UserSample, user_series};
use super::warm_up::Series;
use super::workloads::{Workload, workloads};
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_core::stats::{Histogram, Resolution};
use meshsim_core::{Outcome, RunControl, SimDuration, SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::sparse_table::SparseTable;
use meshsim_models::telemetry::control_log::ControlLog;
use meshsim_models::telemetry::istio_buckets::IstioHistogram;
use meshsim_models::telemetry::metrics::{Counter, MetricsSum, Times};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::time_series::TimeSeries;
use meshsim_models::telemetry::work::Work;
use meshsim_models::world::description::Description;
use meshsim_models::world::placement::DeploymentPlaces;
use meshsim_models::world::{Record, World};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh64::Xxh64;

/// What one strategy came to in one replication.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Mean latency of successful requests (ms).
    pub mean_ms: f64,
    /// What a dashboard would show as p90 (ms).
    pub dashboard_p90_ms: f64,
    /// Calls that cells answered, per request that arrived, as all of these.
    pub calls: f64,
    /// Attempts that left the client's cluster.
    pub crossings: f64,
    /// Crossings into a cluster on the path.
    pub returns: f64,
    /// Further attempts.
    pub retries: f64,
    /// TCP rounds beyond the first between clusters.
    pub rounds: f64,
    /// Waiting for connections (ms).
    pub connect_ms: f64,
    /// CPU time of the cells (ms).
    pub demand_ms: f64,
    /// Bodies that crossed between clusters (bytes).
    pub cross_payload: f64,
    /// Everything that crossed (bytes).
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
    /// Attempts of each cluster's clients, by the cluster of the chosen pod.
    pub sent: Vec<SparseTable<ClusterId, u64>>,
    /// What proxies counted, by cluster, called service and [`Counter`].
    pub counters: Vec<Vec<[u64; Counter::ALL.len()]>>,
    /// How long each service took to answer, from a call's arrival to the answer's leaving, by cluster and service.
    pub answered: Vec<Vec<Times>>,
    /// Time between the clusters per crossing whose answer was waited for, there and back, without the time that the
    /// answering pod took (ms); NaN without crossings.
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
    /// The same in [`BATCHES`] batches of equal time, by arrival, of [`Keep::batches`].
    pub batches: Vec<Histogram>,
    /// What the users of each population got, where there are several, up to [`GROUPS_MAX`].
    pub groups: Vec<Group>,
    /// What comparisons with other strategies take.
    pub compared: Compared,
    /// How it went over the reported time.
    pub over_time: Series,
    /// Successful latencies in the order of arrival (ms), if they were asked for.
    pub latencies_ms: Vec<f64>,
    /// Reported time (s).
    pub seconds: f64,
    /// All rows, if they were asked for.
    pub rows: Vec<RequestRow>,
    /// What was done for each of them until the end of the run.
    pub work: Vec<Work>,
}

/// What the users of one population got.
#[derive(Clone, Debug)]
pub struct Group {
    /// Where their requests went.
    pub counts: Counts,
    /// Latencies of the successful ones (ns).
    pub histogram: Histogram,
    /// The same in [`BATCHES`] batches of equal time, by arrival.
    pub batches: Vec<Histogram>,
}

/// More groups of users than this are reported together only: each takes some 100 kB a replication.
pub const GROUPS_MAX: usize = 64;

/// A stretch of a run: its first moment, and the first after it.
pub type Stretch = (SimTime, SimTime);

/// What two strategies are compared by.
#[derive(Clone, Debug)]
pub struct Compared {
    /// From the cut to the end.
    pub reported: Stretch,
    /// Mean latency of the successful requests (ms) that arrive in what is reported of this strategy and of another
    /// one, for every such stretch.
    pub means_ms: Vec<(Stretch, f64)>,
    /// Equal where every request of the run arrived at the same time, took as long and ended in the same way.
    pub requests: u64,
}

impl Compared {
    /// Mean latency of the requests that count under this strategy and another one (ms).
    #[must_use]
    pub fn mean_ms(&self, other: &Self) -> Option<f64> {
        let common = common(self.reported, other.reported);
        self.means_ms.iter().find(|(stretch, _)| *stretch == common).map(|(_, mean)| *mean)
    }
}

/// What is in both stretches.
fn common(one: Stretch, other: Stretch) -> Stretch {
    (one.0.max(other.0), one.1.min(other.1))
}

/// Batches of a replication: enough to see how long neighbours are alike, long enough to be of use each.
pub const BATCHES: usize = 10;

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
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Latencies in the order of arrival.
    pub latencies: bool,
    /// Every request.
    pub rows: bool,
    /// How fine batches are: those of a single replication are what its intervals come from.
    pub batches: Resolution,
    /// Length of the stretches of `served_over_time` (s); none of 0.
    pub window_seconds: f64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { latencies: false, rows: false, batches: Resolution::Percent, window_seconds: 0.0 }
    }
}

impl Keep {
    /// What estimates over so many replications need.
    #[must_use]
    pub fn for_replications(count: u32) -> Self {
        let batches = if count == 1 { Resolution::PerMille } else { Resolution::Percent };
        Self { batches, ..Self::default() }
    }
}

/// Runs replication `number` of every strategy, each cut at the warm-up of its description. Nothing if it was told to stop before the end.
#[must_use]
pub fn run(strategies: &[Resolved], number: u32, keep: Keep, watch: &Watch<'_>) -> Option<Vec<Figures>> {
    let records: Vec<Option<(Record, Share)>> =
        strategies.par_iter().map(|resolved| run_cell(resolved, number, keep, watch)).collect();
    // The shares are held until all is reduced.
    let (records, mut shares): (Vec<Record>, Vec<Share>) =
        records.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
    if keep.rows {
        shares.iter_mut().for_each(Share::leave);
    }
    let reported: Vec<Stretch> = strategies.iter().map(|it| stretch_of(&it.description)).collect();
    let reduced = strategies.iter().zip(records);
    Some(reduced.map(|(resolved, record)| reduce(resolved, record, &reported, keep)).collect())
}

/// What is reported of a description.
fn stretch_of(description: &Description) -> Stretch {
    (SimTime::ZERO + description.warm_up, description.end())
}

/// Runs one strategy.
pub(super) fn run_cell(
    resolved: &Resolved,
    replication: u32,
    keep: Keep,
    watch: &Watch<'_>,
) -> Option<(Record, Share)> {
    if watch.is_cancelled() {
        return None;
    }
    let make = if keep.rows { World::keeping_work } else { World::new };
    let mut world = make(&resolved.description, replication);
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
    let mut share = Share::default();
    for step in 1..=MEMORY_STEPS {
        let until = SimTime::from_nanos((u128::from(end.as_nanos()) * step / MEMORY_STEPS) as u64);
        let mut control = RunControl::until(until).cancelled_by(watch.cancel).reporting_to(&mut hear);
        let outcome = world.run(&mut control);
        let (open, rows) = world.open_and_all_requests();
        if outcome == Outcome::Cancelled || watch.is_cancelled() || !share.hold(world.bytes(), open, rows) {
            return None;
        }
    }
    (watch.progress)(end.as_secs_f64() - reported);
    let record = world.finish();
    share.keep_rows(record.requests.len(), record.work.len());
    Some((record, share))
}

/// So often in a run its memory is looked at.
const MEMORY_STEPS: u128 = 200;

/// The latency of a request that succeeded.
fn latency_ms(row: &RequestRow) -> Option<f64> {
    row.end.filter(|end| end.status.is_ok()).map(|end| end.latency.as_millis_f64())
}

fn reduce(resolved: &Resolved, record: Record, all_reported: &[Stretch], keep: Keep) -> Figures {
    let description = &resolved.description;
    let (cut, end) = stretch_of(description);
    let seconds = (end - cut).as_secs_f64();
    let rows: Vec<&RequestRow> = record.requests.iter().filter(|row| row.arrival >= cut).collect();
    let latencies: Vec<f64> = rows.iter().filter_map(|row| latency_ms(row)).collect();
    let (histogram, batches) = histograms(&rows, (cut, end), keep.batches);
    let over_time = Series::new(&record, cut);
    let mut buckets = IstioHistogram::default();
    latencies.iter().for_each(|&ms| buckets.record(ms));
    let metrics: Vec<_> = description.clusters.ids().map(|id| record.metrics_from(id, cut)).collect();
    let mut work = Work::default();
    metrics.iter().for_each(|it| work += it.work);
    let per_request = |sum: u64| sum as f64 / rows.len() as f64;
    Figures {
        mean_ms: latencies.iter().sum::<f64>() / latencies.len() as f64,
        dashboard_p90_ms: buckets.quantile(0.9).unwrap_or(f64::NAN),
        calls: per_request(work.calls),
        crossings: per_request(work.crossings),
        returns: per_request(work.returns),
        retries: per_request(work.retries),
        rounds: per_request(work.rounds),
        connect_ms: per_request(work.connect_nanos) / 1e6,
        demand_ms: work.cpu_nanos / rows.len() as f64 / 1e6,
        cross_payload: per_request(work.cross_payload),
        cross_wire: per_request(work.cross_wire),
        workloads: workloads(description, &record, cut),
        user_series: description.time_series.map_or_else(Vec::new, |interval| {
            user_series(&record.requests, description.populations.len(), interval, record.end)
        }),
        served: record
            .deployments
            .iter()
            .zip(&metrics)
            .map(|(deployments, it)| by_service(description, deployments, &it.served))
            .collect(),
        sent: metrics.iter().map(|it| it.sent.clone()).collect(),
        counters: metrics.iter().map(|it| counters(description, it)).collect(),
        answered: metrics.iter().map(|m| m.answered.clone()).collect(),
        crossing_ms: crossing_ms(&metrics),
        served_over_time: served_over_time(description, &record, cut, keep.window_seconds),
        cell_cpu: metrics.iter().map(|m| m.cell_cpu_seconds() / seconds).collect(),
        proxy_cpu: metrics.iter().map(|m| m.proxy_cpu_seconds / seconds).collect(),
        control: record.control,
        series: record.series,
        proxy_memory: record.proxy_memory.iter().copied().collect(),
        counts: count(&rows),
        histogram,
        batches,
        groups: groups(&rows, description.populations.len(), (cut, end), keep.batches),
        compared: compared(&record.requests, (cut, end), all_reported),
        over_time,
        latencies_ms: if keep.latencies { latencies } else { Vec::new() },
        seconds,
        rows: if keep.rows { record.requests } else { Vec::new() },
        work: record.work,
    }
}

/// Latencies of successful requests (ns): all, and in batches by their arrival.
fn histograms(rows: &[&RequestRow], (cut, end): Stretch, batches: Resolution) -> (Histogram, Vec<Histogram>) {
    let mut all = Histogram::new(Resolution::PerMille);
    let mut parts = vec![Histogram::new(batches); BATCHES];
    let width = (end - cut).as_nanos().div_ceil(BATCHES as u64).max(1);
    for row in rows {
        if let Some(ended) = row.end.filter(|ended| ended.status.is_ok()) {
            let nanos = ended.latency.as_nanos();
            all.record(nanos);
            parts[(((row.arrival - cut).as_nanos() / width) as usize).min(BATCHES - 1)].record(nanos);
        }
    }
    (all, parts)
}

/// What the users of each of several populations got.
fn groups(rows: &[&RequestRow], populations: usize, reported: Stretch, batches: Resolution) -> Vec<Group> {
    if !(2..=GROUPS_MAX).contains(&populations) {
        return Vec::new();
    }
    let mut by_population = vec![Vec::new(); populations];
    rows.iter().for_each(|&row| by_population[row.population.index()].push(row));
    let group = |rows: Vec<&RequestRow>| {
        let counts = count(&rows);
        let (histogram, batches) = histograms(&rows, reported, batches);
        Group { counts, histogram, batches }
    };
    by_population.into_iter().map(group).collect()
}

/// What comparisons of this strategy with those that are reported over `all` need.
fn compared(rows: &[RequestRow], reported: Stretch, all: &[Stretch]) -> Compared {
    let mut stretches: Vec<Stretch> = all.iter().map(|&other| common(reported, other)).collect();
    stretches.sort_unstable();
    stretches.dedup();
    let mean = |(from, until): Stretch| {
        let within = rows.iter().filter(|row| from <= row.arrival && row.arrival < until);
        let (sum, count) =
            within.filter_map(latency_ms).fold((0.0, 0_u64), |(sum, count), ms| (sum + ms, count + 1));
        sum / count as f64
    };
    let means_ms = stretches.into_iter().map(|stretch| (stretch, mean(stretch))).collect();
    Compared { reported, means_ms, requests: fingerprint(rows) }
}

/// Of when each request arrived and how it ended.
fn fingerprint(rows: &[RequestRow]) -> u64 {
    let mut hasher = Xxh64::new(0);
    for row in rows {
        (row.population.index(), row.number, row.arrival.as_nanos()).hash(&mut hasher);
        let end = row.end.map(|end| (end.latency.as_nanos(), end.status.code(), end.status.flag()));
        end.hash(&mut hasher);
    }
    hasher.finish()
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
fn by_service(description: &Description, deployments: &[DeploymentPlaces], served: &[u64]) -> Vec<Vec<u64>> {
    let mut by_service = vec![Vec::new(); description.application.services.len()];
    for DeploymentPlaces { number, places } in deployments {
        let service = description.deployments[*number].service;
        by_service[service.index()].extend_from_slice(&served[places.clone()]);
    }
    by_service
}

/// The mean time between clusters of an answered crossing.
fn crossing_ms(metrics: &[MetricsSum]) -> f64 {
    let mut crossings = Times::default();
    metrics.iter().for_each(|it| crossings.add(it.crossings));
    crossings.nanos / crossings.count as f64 / 1e6
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
            by_service(description, &record.deployments[cluster], &by_pod)
                .iter()
                .map(|pods| pods.iter().sum())
                .collect()
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
