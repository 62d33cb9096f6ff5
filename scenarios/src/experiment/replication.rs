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

use super::application_cpu::{self, ApplicationCpu};
use super::controls::ControlSum;
use super::costs::{Costs, Measured, costs};
use super::groups::Groups;
use super::leg::{Leg, Ran};
use super::offloaded::{EdgeFigures, steered_edges};
use super::regret::{self, Regret};
use super::settling::Series;
use super::trunk::Trunk;
use super::user_requests::{Compared, Counts, Group, KeptRows, RequestSink, Tally, UserRequests, Wanted};
use super::user_series::UserSample;
use super::workloads::{Workload, workloads};
use super::{Stretch, Watch, stretch_of};
use crate::resolve::Resolved;
use crate::results::request_log::{CellLog, RequestLog};
use meshsim_core::Id;
use meshsim_core::stats::{Histogram, Resolution};
use meshsim_core::{SimDuration, SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::sparse_table::SparseTable;
use meshsim_models::telemetry::control_log::ControlLog;
use meshsim_models::telemetry::decision::Decision;
use meshsim_models::telemetry::exporters::samples::Samples;
use meshsim_models::telemetry::link_traffic::LinkBytes;
use meshsim_models::telemetry::metrics::{Counter, MetricsSum, Times};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::time_series::TimeSeries;
use meshsim_models::telemetry::traffic_matrix::TrafficRow;
use meshsim_models::telemetry::work::Work;
use meshsim_models::world::description::Description;
use meshsim_models::world::foreseen::Foresight;
use meshsim_models::world::{Record, World};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What one strategy came to in one replication. Requests and their latencies are not kept with it on the disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
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
    /// What each edge of an offloading controller came to, in the order of the description.
    pub offloading: Vec<EdgeFigures>,
    /// What else could have been decided, where that is asked for.
    pub regret: Vec<Regret>,
    /// Per cluster, how it changed over time.
    pub series: Table<ClusterId, TimeSeries>,
    /// What the users waited over time; empty if nothing is sampled.
    pub user_series: Vec<UserSample>,
    /// Calls served by each pod, by cluster, service and index among the service's pods there.
    pub served: Vec<Vec<Vec<u64>>>,
    /// Attempts of each cluster's clients, by the cluster of the chosen pod.
    pub sent: Vec<SparseTable<ClusterId, u64>>,
    /// What proxies counted, by cluster, called service and [`Counter`].
    pub counters: Vec<Vec<[u64; Counter::ALL.len()]>>,
    /// Who sent how much to whom.
    pub traffic: Vec<TrafficRow>,
    /// What the links carried.
    pub links: Vec<LinkBytes>,
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
    /// CPU time of gateways between clusters per second, by cluster.
    pub gateway_cpu: Vec<f64>,
    /// CPU time of the pods of each application per second, where there are several.
    pub application_cpu: Vec<ApplicationCpu>,
    /// CPU time of istiod per second, by cluster.
    pub istiod_cpu: Vec<f64>,
    /// What it cost, where anything of that is described.
    pub costs: Option<Costs>,
    /// Memory of the proxies, by cluster (bytes).
    pub proxy_memory: Vec<f64>,
    /// Where the requests went.
    pub counts: Counts,
    /// Latencies of successful requests (ns).
    pub histogram: Histogram,
    /// The same in ten batches of equal time, by arrival, of [`Keep::batches`].
    pub batches: Vec<Histogram>,
    /// What was drawn for all that arrived in each of these; empty if that is not kept.
    pub controls: Vec<ControlSum>,
    /// What requests that are reported together came to, in the order of [`Groups::which`].
    pub groups: Vec<Group>,
    /// What comparisons with other strategies take.
    pub compared: Compared,
    /// How it went over the reported time.
    pub over_time: Series,
    /// Successful latencies (ms), if they were asked for, in no order that means anything.
    #[serde(skip)]
    pub latencies_ms: Vec<f64>,
    /// What was decided, in the order of time, if that is kept.
    pub decisions: Vec<Decision>,
    /// Reported time (s).
    pub seconds: f64,
    /// All requests of the run, in the order of arrival, and what was done for each until its end, if they were asked
    /// for.
    #[serde(skip)]
    pub rows: Vec<(RequestRow, Work)>,
}

/// The quantiles that are reported.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// What to keep beside the figures.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// Latencies.
    pub latencies: bool,
    /// Every request.
    pub rows: Rows<'a>,
    /// How fine batches are: those of a single replication are what its intervals come from.
    pub batches: Resolution,
    /// Length of the stretches of `served_over_time` (s); none of 0.
    pub window_seconds: f64,
    /// Whether what was drawn for the requests is kept, where the scenario has control variates.
    pub controls: bool,
    /// Whether alternatives to the decisions of offloading controllers are run, where the scenario asks for them.
    pub regret: bool,
}

/// What becomes of the rows of user requests, with what was done for each.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// They are reduced to figures and forgotten.
    Dropped,
    /// They are among the figures, in memory.
    Kept,
    /// They are written to a log on the disk.
    Written(&'a RequestLog),
}

impl Default for Keep<'_> {
    fn default() -> Self {
        Self {
            latencies: false,
            rows: Rows::Dropped,
            batches: Resolution::Percent,
            window_seconds: 0.0,
            controls: false,
            regret: false,
        }
    }
}

impl Keep<'_> {
    /// What estimates over so many replications need.
    #[must_use]
    pub fn for_replications(count: u32) -> Self {
        let batches = if count == 1 { Resolution::PerMille } else { Resolution::Percent };
        // Coefficients come from several.
        Self { batches, controls: count > 1, regret: true, ..Self::default() }
    }
}

/// Runs replication `number` of every strategy, each cut at the warm-up of its description. Nothing if it was told to stop before the end.
#[must_use]
pub fn run(strategies: &[Resolved], number: u32, keep: Keep<'_>, watch: &Watch<'_>) -> Option<Vec<Figures>> {
    let one = |index| run_among(strategies, index, (number, None), keep, watch);
    (0..strategies.len()).into_par_iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

/// The same of one of the strategies, by its index, from the start or from a fork on. The others say which of its requests
/// are compared.
#[must_use]
pub(super) fn run_among(
    strategies: &[Resolved],
    index: usize,
    (number, trunk): (u32, Option<&Trunk>),
    keep: Keep<'_>,
    watch: &Watch<'_>,
) -> Option<Figures> {
    let reported: Vec<Stretch> = strategies.iter().map(|it| stretch_of(&it.description)).collect();
    let rows = match keep.rows {
        Rows::Dropped => KeptRows::Dropped,
        Rows::Kept => KeptRows::InMemory(Vec::new()),
        Rows::Written(log) => KeptRows::Written(CellLog::new(log, number, index)),
    };
    cell((&strategies[index], &reported), (number, trunk), (keep, rows), watch, |_| {})
}

/// Runs replication `number` of one strategy alone, and tells `also` of every user request, in no order that means anything.
pub(crate) fn run_one(
    resolved: &Resolved,
    number: u32,
    watch: &Watch<'_>,
    also: impl FnMut(&RequestRow),
) -> Option<Figures> {
    let reported = [stretch_of(&resolved.description)];
    cell((resolved, &reported), (number, None), (Keep::default(), KeptRows::Dropped), watch, also)
}

/// Runs the first replication of one strategy alone, and tells `also` of every user request: what Prometheus has scraped in
/// each cluster, as the description asks for it.
pub(crate) fn scrape(
    resolved: &Resolved,
    watch: &Watch<'_>,
    also: impl FnMut(&RequestRow),
) -> Option<Table<ClusterId, Samples>> {
    Some(Leg::begins(resolved, 0, false).finishes(watch, &mut Told(also))?.record.scraped)
}

/// Requests that are told, and not reduced.
struct Told<F>(F);

impl<F: FnMut(&RequestRow)> RequestSink for Told<F> {
    fn add(&mut self, row: &RequestRow, _: Option<&Work>) {
        (self.0)(row);
    }

    fn bytes(&self) -> usize {
        0
    }
}

fn cell<'a>(
    (resolved, reported): (&Resolved, &[Stretch]),
    (number, trunk): (u32, Option<&Trunk>),
    (keep, rows): (Keep<'a>, KeptRows<'a>),
    watch: &Watch<'_>,
    also: impl FnMut(&RequestRow),
) -> Option<Figures> {
    let description = &resolved.description;
    let wanted = Wanted {
        groups: Groups::new(description),
        populations: description.populations.len(),
        sampled: description.time_series,
        batches: keep.batches,
        latencies: keep.latencies,
    };
    let keeps_work = !matches!(rows, KeptRows::Dropped);
    let keeps_controls = keep.controls && resolved.control_variates;
    let foresight = keeps_controls.then(|| Foresight::new(description, number));
    let requests = UserRequests::new(wanted, stretch_of(description), reported, rows, foresight);
    let mut sink = Heard { requests, also };
    let leg = match trunk {
        None => Leg::begins(resolved, number, keeps_work),
        Some(trunk) => trunk.branch(resolved, &mut sink),
    };
    let Ran { record, used_before, mut share } = leg.finishes(watch, &mut sink)?;
    let seconds = (record.end - stretch_of(description).0).as_secs_f64();
    let application_cpu = application_cpu::per_application(description, &record, &used_before, seconds);
    let offered = sink.requests.offered();
    let costs = costs(&Measured { description, record: &record, used_before: &used_before, offered });
    let regret = match resolved.regret_horizon.filter(|_| keep.regret) {
        Some(horizon) => {
            let begins = || (World::new(description, number), SimTime::ZERO);
            let from = trunk.map_or_else(begins, |trunk| trunk.world(resolved));
            let logs: Vec<&ControlLog> = record.control.iter().collect();
            regret::of_run(resolved, from, &logs, horizon, watch)?
        }
        None => Vec::new(),
    };
    let figures = Figures { application_cpu, costs, regret, ..reduce(resolved, record, sink.requests, keep) };
    share.keep(size_of_val(&figures.rows[..]) + size_of_val(&figures.latencies_ms[..]));
    Some(figures)
}

/// Requests that somebody else hears of, too.
struct Heard<'a, F> {
    requests: UserRequests<'a>,
    also: F,
}

impl<F: FnMut(&RequestRow)> RequestSink for Heard<'_, F> {
    fn add(&mut self, row: &RequestRow, work: Option<&Work>) {
        self.requests.add(row, work);
        (self.also)(row);
    }

    fn bytes(&self) -> usize {
        self.requests.bytes()
    }
}

fn reduce(resolved: &Resolved, record: Record, requests: UserRequests<'_>, keep: Keep<'_>) -> Figures {
    let description = &resolved.description;
    let (cut, end) = stretch_of(description);
    let seconds = (end - cut).as_secs_f64();
    let metrics: Vec<_> = description.clusters.ids().map(|id| record.metrics_from(id, cut)).collect();
    let mut work = Work::default();
    metrics.iter().for_each(|it| work += it.work);
    let offered = requests.offered() as f64;
    let per_request = |sum: u64| sum as f64 / offered;
    let compared = requests.compared();
    let Group { counts, histogram, batches, controls } = requests.all.into_group();
    Figures {
        dashboard_p90_ms: requests.buckets.quantile(0.9).unwrap_or(f64::NAN),
        calls: per_request(work.calls),
        crossings: per_request(work.crossings),
        returns: per_request(work.returns),
        retries: per_request(work.retries),
        rounds: per_request(work.rounds),
        connect_ms: per_request(work.connect_nanos) / 1e6,
        demand_ms: work.cpu_nanos / offered / 1e6,
        cross_payload: per_request(work.cross_payload),
        cross_wire: per_request(work.cross_wire),
        workloads: workloads(description, &record, cut),
        user_series: requests.series.map_or_else(Vec::new, |series| series.samples()),
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
        gateway_cpu: metrics.iter().map(|m| m.gateway_cpu_seconds / seconds).collect(),
        application_cpu: Vec::new(),
        costs: None,
        regret: Vec::new(),
        istiod_cpu: metrics.iter().map(|m| m.istiod_cpu_seconds / seconds).collect(),
        offloading: steered_edges(description, &record.control),
        control: record.control,
        series: record.series,
        traffic: record.traffic,
        decisions: record.decisions,
        links: record.links,
        proxy_memory: record.proxy_memory.iter().copied().collect(),
        counts,
        histogram,
        batches,
        controls,
        groups: requests.groups.into_iter().map(Tally::into_group).collect(),
        compared,
        over_time: requests.over_time.series(),
        latencies_ms: requests.latencies_ms.unwrap_or_default(),
        seconds,
        rows: rows_of(requests.rows),
    }
}

/// The rows that were kept in memory; what is left of the others is written.
fn rows_of(rows: KeptRows<'_>) -> Vec<(RequestRow, Work)> {
    match rows {
        KeptRows::Dropped => Vec::new(),
        KeptRows::InMemory(mut rows) => {
            rows.sort_unstable_by_key(|(row, _)| row.order());
            rows
        }
        KeptRows::Written(log) => {
            log.finish();
            Vec::new()
        }
    }
}

/// What the pods of a cluster served, by service and pod.
fn by_service(description: &Description, deployments: &[(usize, Vec<u32>)], served: &[u64]) -> Vec<Vec<u64>> {
    let mut by_service = vec![Vec::new(); description.application.services.len()];
    for (number, slots) in deployments {
        let service = description.deployments[*number].service;
        by_service[service.index()].extend(slots.iter().map(|&slot| served[slot as usize]));
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
