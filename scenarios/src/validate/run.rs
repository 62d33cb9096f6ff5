//! A scenario held against a measured trace.
//!
//! # Models
//! The scenario runs under one strategy; what its users waited is compared with what the trace's
//! users waited, both after their warm-ups, and so is what its services served, what crossing took
//! and how its CPU time was split where the measurement says these. The cost of the cells' work may
//! be scaled by the traced run's CPU accounting (`cpu_scale`); arrivals are the trace's as far as
//! `arrivals` can give them. Nothing is taken from the trace's latencies.
//!
//! # Source
//! Kleijnen, Verification and validation of simulation models, EJOR 82, 1995.

use super::arrivals::{ArrivalsFrom, rate_per_second, take_arrivals};
use super::cpu_accounting::CpuAccounting;
use super::cpu_scale::{proxy_share, scale_cpu};
use super::distance::{error_outside_interval, kolmogorov_smirnov, relative_error, wasserstein};
use super::figures::{FigureKey, Row};
use super::groups::{self, GroupRow};
use super::hops::{self, Hops, Served, ServiceInCluster};
use super::measured::{MIN_BLOCKS, Measured, measure, wilson};
use super::simulated::{Cells, Simulated, WINDOW_SECONDS};
use super::tolerance::{Check, Tolerances};
use crate::analysis::value::Value;
use crate::experiment::Watch;
use crate::experiment::compare::ComparisonPlan;
use crate::experiment::store::CellStore;
use crate::origin::last_part;
use crate::problem::{Checked, Problem};
use crate::traces::Trace;
use meshsim_core::stats::{Estimate, Interval};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Resamples of the trace for its intervals.
const RESAMPLES: usize = 1_000;

/// Length of a block of the bootstrap (s): longer than what queueing correlates.
pub const BLOCK_SECONDS: f64 = 30.0;

/// Points of the measured distribution function where only buckets are known.
const BUCKET_POINTS: usize = 1_000;

/// What was measured, and what of it the scenario was told.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The requests after the warm-up.
    trace: Trace,
    measured: Measured,
    hops: Option<Hops>,
    /// The proxies' share of the CPU time.
    proxy_share: Option<Estimate>,
    cpu_scale: f64,
    arrivals: ArrivalsFrom,
}

/// What a validation came to.
#[derive(Clone, Debug, Serialize)]
pub struct Validation {
    /// The scenario, by the name of a library scenario or of its file.
    pub scenario: String,
    /// The name of the trace's file; empty for published figures.
    pub trace: String,
    /// Version of meshsim.
    pub version: &'static str,
    /// Seed of the simulated requests.
    pub seed: u64,
    /// The strategy.
    pub strategy: String,
    /// By how much the cost of the cells' work was scaled.
    pub cpu_scale: f64,
    /// Where the simulated arrivals come from.
    pub arrivals: ArrivalsFrom,
    /// Simulated requests per second.
    pub rate_per_second: f64,
    /// Requests of the trace after its warm-up.
    pub trace_requests: u64,
    /// What the trace has: `requests`, or only `buckets`, which give no intervals of latencies.
    pub measured_from: &'static str,
    /// How many blocks of time the trace has for its intervals; at least 4 are needed.
    pub blocks: f64,
    /// The figures side by side.
    pub figures: Vec<Row>,
    /// How the simulated requests ended, by status and Envoy's flag: shares of those that did.
    pub simulated_statuses: BTreeMap<String, f64>,
    /// The figures of groups of users and kinds of requests, where both the trace and the scenario tell them apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRow>,
    /// Served requests by service and cluster; none if no hop was measured.
    pub services: Vec<ServiceRow>,
    /// Served requests over time, likewise.
    pub over_time: Vec<OverTime>,
    /// The figures held against their tolerances.
    pub checks: Vec<Check>,
    /// Measured latencies (ms), ascending; of buckets, quantiles at equal distances.
    #[serde(skip)]
    pub measured_sorted_ms: Vec<f64>,
    /// Simulated latencies (ms), ascending.
    #[serde(skip)]
    pub simulated_sorted_ms: Vec<f64>,
}

impl Validation {
    /// Says of which scenario, by name or path, and of which trace it is. Where the scenario lies is no result.
    #[must_use]
    pub fn of(self, scenario: &str, trace: &str) -> Self {
        Self { scenario: last_part(Path::new(scenario)), trace: trace.to_owned(), ..self }
    }
}

/// Runs these replications of the only strategy of `plan`, as a measurement has fitted it, on the threads of the current rayon
/// pool, without those that are in the store, and keeps each there as it finishes. False if not all are there then.
///
/// What cannot be kept interrupts it: see [`CellStore::failure`].
pub fn run_cells(plan: &ComparisonPlan, store: &CellStore, which: Range<usize>, watch: &Watch<'_>) -> bool {
    Cells::of(plan).run(store, which, watch)
}

/// Hash of everything that the replications of the only strategy of `plan` depend on.
#[must_use]
pub fn sha256(plan: &ComparisonPlan) -> String {
    Cells::of(plan).sha256
}

/// Holds the replications of `plan` that a store has against published figures. Nothing if not all are there.
///
/// # Errors
/// If no simulated request succeeded.
pub fn validate_stated(
    plan: &ComparisonPlan,
    stated: &BTreeMap<FigureKey, Estimate>,
    tolerances: &Tolerances,
    store: &CellStore,
) -> Checked<Option<Validation>> {
    let Some(simulated) = Simulated::from(plan, store)? else { return Ok(None) };
    let resolved = &plan.strategies[0];
    let row = |(&key, value): (&FigureKey, &Estimate)| Row::new(key, value, simulated.figure(key));
    let figures: Vec<Row> = stated.iter().map(row).collect();
    let check = |row: &Row| Some(Check::new(row, row.half_width(), *tolerances.0.get(&row.figure)?));
    let end = resolved.description.end();
    let populations = resolved.description.populations.iter();
    let rates = populations.map(|it| it.arrivals.offered_per_second(it.users, end));
    Ok(Some(Validation {
        scenario: String::new(),
        trace: String::new(),
        version: env!("CARGO_PKG_VERSION"),
        seed: resolved.description.seed,
        strategy: resolved.strategy.clone(),
        cpu_scale: 1.0,
        arrivals: ArrivalsFrom::Scenario,
        rate_per_second: rates.sum(),
        trace_requests: 0,
        measured_from: "published figures",
        blocks: 0.0,
        checks: figures.iter().filter_map(check).collect(),
        figures,
        simulated_statuses: simulated.statuses(),
        groups: Vec::new(),
        services: Vec::new(),
        over_time: Vec::new(),
        measured_sorted_ms: Vec::new(),
        simulated_sorted_ms: simulated.sorted_latencies_ms(),
    }))
}

/// What a service served in a cluster, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceRow {
    /// The service.
    pub service: String,
    /// The cluster, if the trace says it.
    pub cluster: Option<String>,
    /// Requests served in the trace.
    pub requests: u64,
    /// Share of the service's requests: measured, with its sampling error.
    pub measured_share: Value,
    /// The same, simulated.
    pub simulated_share: f64,
    /// Distance of the simulated share to the measured interval.
    pub share_error: f64,
    /// Mean time that the server took (ms): measured.
    pub measured_server_ms: Value,
    /// The same, simulated.
    pub simulated_server_ms: Value,
    /// The simulated time less the measured one, over the measured one; none if one is missing.
    pub server_difference: Option<f64>,
    /// Distance of the simulated time to the measured interval, over the measured one.
    pub server_error: Option<f64>,
}

/// Requests that a service served in a cluster in one stretch of time.
#[derive(Clone, Debug, Serialize)]
pub struct OverTime {
    /// The service.
    pub service: String,
    /// The cluster, if the trace says it.
    pub cluster: Option<String>,
    /// When the stretch begins, after the warm-up (s).
    pub from_seconds: f64,
    /// Per second: measured.
    pub measured_per_second: f64,
    /// Per second: simulated.
    pub simulated_per_second: f64,
}

impl Measurement {
    /// Takes a measurement, and fits the only strategy of `plan` to what it says of its load and
    /// machine: the cost of CPU work if there is CPU accounting, and the arrivals as `from` asks for, or else
    /// the rate if there is one. `trace` and `spans`, the file of hops if it is another one, still have their warm-up
    /// of `warm_up` seconds.
    ///
    /// # Errors
    /// If the scenario has several populations of users and arrivals are not its own, no request of the trace succeeded after the
    /// warm-up, `spans` has no hop of a server, or the accounting or the arrivals cannot be used.
    pub fn new(
        plan: &mut ComparisonPlan,
        trace: Trace,
        spans: Option<&Trace>,
        accounting: Option<&CpuAccounting>,
        warm_up: f64,
        from: Option<ArrivalsFrom>,
    ) -> Checked<Self> {
        let resolved = &mut plan.strategies[0];
        if resolved.description.populations.len() > 1 && from != Some(ArrivalsFrom::Scenario) {
            let help = "keep the population that the trace was taken of, or leave the arrivals to the scenario: \
                        --arrivals scenario";
            return Err(Problem::new("the scenario has more than one population of users").help(help).into());
        }
        let seed = resolved.description.seed;
        let application = &resolved.description.application;
        let is_service = |name: &str| application.service_named(name).is_some();
        let spans = spans.map(|spans| Trace::named_as(Cow::Borrowed(spans), is_service));
        let trace = Trace::named_as(Cow::Owned(trace), is_service).into_owned();
        let hops_in = |trace: &Trace| hops::read(trace, warm_up, BLOCK_SECONDS, WINDOW_SECONDS, seed);
        let hops = match spans {
            Some(spans) => Some(hops_in(&spans).ok_or_else(|| {
                Problem::new("the file of spans has no hop that a server recorded after the warm-up")
                    .help("give spans or an access log of the servers")
            })?),
            None => hops_in(&trace),
        };
        let arrivals = take_arrivals(resolved, &trace, warm_up, from)?;
        let all = trace.count();
        let trace = trace.after(warm_up);
        let measured = measure(&trace, BLOCK_SECONDS, RESAMPLES, seed)
            .ok_or_else(|| nothing_succeeded(all, trace.count(), warm_up))?;
        let cpu_scale = accounting.map_or(Ok(1.0), |accounting| scale_cpu(resolved, &trace, accounting))?;
        let proxy_share = accounting.and_then(|accounting| proxy_share(resolved, accounting, cpu_scale));
        Ok(Self { trace, measured, hops, proxy_share, cpu_scale, arrivals })
    }

    /// The figures that it can be held against.
    #[must_use]
    pub fn keys(&self) -> Vec<FigureKey> {
        let has = |key: &FigureKey| match key {
            FigureKey::DashboardP90 => false,
            FigureKey::CpuSplit => self.proxy_share.is_some(),
            FigureKey::Served => self.hops.is_some(),
            FigureKey::Rounds => self.hops.as_ref().is_some_and(|hops| hops.crossing_ms.is_some()),
            key => self.is_known(*key),
        };
        FigureKey::ALL.into_iter().filter(has).collect()
    }

    /// Compares with the replications of `plan`, that which it was made with, that a store has (see [`run_cells`]). Figures
    /// that were not measured have no row and no check. Nothing if not all are there.
    ///
    /// # Errors
    /// If no simulated request succeeded.
    pub fn validate(
        &self,
        plan: &ComparisonPlan,
        tolerances: &Tolerances,
        store: &CellStore,
    ) -> Checked<Option<Validation>> {
        let Some(simulated) = Simulated::from(plan, store)? else { return Ok(None) };
        let resolved = &plan.strategies[0];
        let end = resolved.description.end();
        let populations = resolved.description.populations.iter();
        let rates = populations.map(|it| it.arrivals.offered_per_second(it.users, end));
        let services = self.services(&simulated);
        let (measured_sorted_ms, simulated_sorted_ms) = (self.sorted_ms(), simulated.sorted_latencies_ms());
        let mut figures = self.rows(&simulated, &simulated_sorted_ms);
        figures.extend(served_row(&services));
        figures.sort_by_key(|row| row.figure);
        let check = |row: &Row| {
            let tolerance = *tolerances.0.get(&row.figure)?;
            let half_width = self.half_width(row, &services, tolerance);
            Some(Check::new(row, half_width, tolerance))
        };
        Ok(Some(Validation {
            scenario: String::new(),
            trace: String::new(),
            version: env!("CARGO_PKG_VERSION"),
            seed: resolved.description.seed,
            strategy: resolved.strategy.clone(),
            cpu_scale: self.cpu_scale,
            arrivals: self.arrivals,
            rate_per_second: rates.sum(),
            trace_requests: self.trace.count(),
            measured_from: if self.trace.histogram.is_some() { "buckets" } else { "requests" },
            blocks: self.blocks(),
            checks: figures.iter().filter_map(check).collect(),
            figures,
            simulated_statuses: simulated.statuses(),
            groups: groups::rows(&self.trace, &simulated, |part| {
                measure(part, BLOCK_SECONDS, RESAMPLES, resolved.description.seed)
            }),
            over_time: self.over_time(&simulated),
            services,
            measured_sorted_ms,
            simulated_sorted_ms,
        }))
    }

    /// Whether the trace has this figure of the latencies: some files have not all quantiles.
    fn is_known(&self, key: FigureKey) -> bool {
        let order = match key {
            FigureKey::P50 => 0.5,
            FigureKey::P90 => 0.9,
            FigureKey::P95 => 0.95,
            FigureKey::P99 | FigureKey::Wasserstein => 0.99,
            _ => 0.0,
        };
        self.trace.histogram.as_ref().is_none_or(|histogram| histogram.knows(order))
    }

    /// How many blocks the trace has.
    fn blocks(&self) -> f64 {
        let starts: Vec<u64> = self.trace.requests.iter().map(|request| request.start_us).collect();
        rate_per_second(&starts).map_or(0.0, |rate| starts.len() as f64 / rate / BLOCK_SECONDS)
    }

    /// Half the width of a figure's measured interval. The trace is too short for one if it has too few
    /// blocks; of served shares, one that can be told suffices.
    fn half_width(&self, row: &Row, services: &[ServiceRow], tolerance: f64) -> f64 {
        if row.figure == FigureKey::Served {
            let half = |row: &ServiceRow| row.measured_share.interval().map(|[low, high]| 0.5 * (high - low));
            return services.iter().filter_map(half).fold(f64::INFINITY, f64::min);
        }
        let needs_blocks =
            !matches!(row.figure, FigureKey::Failed | FigureKey::CpuSplit) && self.trace.histogram.is_none();
        let too_few = row.measured.interval().is_none() && self.blocks() < MIN_BLOCKS;
        if needs_blocks && too_few { 2.0 * tolerance + 1.0 } else { row.half_width() }
    }

    fn rows(&self, simulated: &Simulated<'_>, simulated_sorted_ms: &[f64]) -> Vec<Row> {
        let of_trace = &self.measured;
        let mut measured = vec![
            (FigureKey::Mean, of_trace.mean),
            (FigureKey::P50, of_trace.p50),
            (FigureKey::P90, of_trace.p90),
            (FigureKey::P95, of_trace.p95),
            (FigureKey::P99, of_trace.p99),
            (FigureKey::Failed, of_trace.failure_share),
        ];
        measured.extend(self.proxy_share.map(|share| (FigureKey::CpuSplit, share)));
        let crossing = self.hops.as_ref().and_then(|hops| hops.crossing_ms);
        measured.extend(crossing.map(|crossing| (FigureKey::Rounds, crossing)));
        let row = |(key, value): (FigureKey, Estimate)| Row::new(key, &value, simulated.figure(key));
        let mut rows: Vec<Row> = measured.into_iter().map(row).collect();
        let [largest, area] = self.distances(simulated_sorted_ms);
        let noise = of_trace.noise;
        rows.push(Row::of_distance(
            FigureKey::Ks,
            largest,
            noise.map(|it| it.kolmogorov_smirnov),
            of_trace.count,
        ));
        rows.push(Row::of_distance(
            FigureKey::Wasserstein,
            area,
            noise.map(|it| it.wasserstein_ms),
            of_trace.count,
        ));
        rows.retain(|row| self.is_known(row.figure));
        rows
    }

    /// Kolmogorov-Smirnov and Wasserstein (ms) distance to simulated latencies (ms, ascending).
    fn distances(&self, simulated: &[f64]) -> [f64; 2] {
        if let Some(histogram) = &self.trace.histogram {
            return [histogram.kolmogorov_smirnov(simulated), histogram.wasserstein_ms(simulated)];
        }
        let measured = self.trace.sorted_latencies_ms();
        [kolmogorov_smirnov(&measured, simulated), wasserstein(&measured, simulated)]
    }

    fn sorted_ms(&self) -> Vec<f64> {
        let Some(histogram) = &self.trace.histogram else { return self.trace.sorted_latencies_ms() };
        let order = |point: usize| (point as f64 + 0.5) / BUCKET_POINTS as f64;
        (0..BUCKET_POINTS).filter_map(|point| histogram.quantile_ms(order(point))).collect()
    }

    fn services(&self, simulated: &Simulated<'_>) -> Vec<ServiceRow> {
        let Some(hops) = &self.hops else { return Vec::new() };
        let mut rows = Vec::new();
        for (name, served) in &hops.served {
            // A service that the scenario does not have is none of its own.
            let Some(clusters) = simulated.clusters_of(&name.0) else { continue };
            rows.push(service_row(name, served, simulated));
            let last = hops.served.keys().rfind(|other| other.0 == name.0) == Some(name);
            let unknown =
                |cluster: &String| !hops.served.contains_key(&(name.0.clone(), Some(cluster.clone())));
            // What the simulation served where the trace has nothing.
            for cluster in clusters.into_iter().filter(unknown).filter(|_| last && name.1.is_some()) {
                let none = Served { requests: 0, share: wilson(0, served.share.samples), server_ms: None };
                rows.push(service_row(&(name.0.clone(), Some(cluster)), &none, simulated));
            }
        }
        rows
    }

    fn over_time(&self, simulated: &Simulated<'_>) -> Vec<OverTime> {
        let Some(hops) = &self.hops else { return Vec::new() };
        let mut rows = Vec::new();
        for (name, counts) in &hops.over_time {
            let pairs = counts.iter().zip(simulated.served_over_time(name)).enumerate();
            rows.extend(pairs.map(|(stretch, (&measured, simulated))| OverTime {
                service: name.0.clone(),
                cluster: name.1.clone(),
                from_seconds: stretch as f64 * WINDOW_SECONDS,
                measured_per_second: measured as f64 / WINDOW_SECONDS,
                simulated_per_second: simulated / WINDOW_SECONDS,
            }));
        }
        rows
    }
}

fn service_row(name: &ServiceInCluster, served: &Served, simulated: &Simulated<'_>) -> ServiceRow {
    let share = simulated.served_share(name);
    let time = simulated.server_ms(name);
    let both = served.server_ms.zip(time);
    let error = Row::new(
        FigureKey::Served,
        &served.share,
        Some(Estimate { value: share, interval: None, samples: 1 }),
    );
    ServiceRow {
        service: name.0.clone(),
        cluster: name.1.clone(),
        requests: served.requests,
        measured_share: served.share.into(),
        simulated_share: share,
        share_error: error.error,
        measured_server_ms: served.server_ms.into(),
        simulated_server_ms: time.into(),
        server_difference: both.map(|(measured, time)| relative_error(time.value, measured.value)),
        server_error: both.map(|(measured, time)| error_outside_interval(time.value, &measured)),
    }
}

/// Of `all` requests of a trace, `left` were sent after its warm-up (s), and none of these succeeded.
fn nothing_succeeded(all: u64, left: u64, warm_up: f64) -> Problem {
    if left == 0 {
        let message = format!("none of the trace's {all} requests was sent after its warm-up of {warm_up} s");
        return Problem::new(message).help("see the unit of its times, or set the warm-up: --trace-warm-up");
    }
    let which = if left == all {
        "the trace".to_owned()
    } else {
        format!("the trace after its {warm_up} s of warm-up")
    };
    Problem::new(format!("all {left} requests of {which} failed, and latencies are those of the others"))
        .help("see its statuses")
}

/// The service and cluster whose share is farthest from what was measured stands for all.
fn served_row(services: &[ServiceRow]) -> Option<Row> {
    let worst = services.iter().max_by(|a, b| a.share_error.total_cmp(&b.share_error))?;
    let interval = worst.measured_share.interval().map(|[low, high]| Interval { low, high });
    let measured = Estimate { value: worst.measured_share.value, interval, samples: worst.requests };
    let simulated = Estimate { value: worst.simulated_share, interval: None, samples: 1 };
    Some(Row::new(FigureKey::Served, &measured, Some(simulated)))
}
