//! Where the time of the median and of the p99 request went.
//!
//! # Models
//! Around a quantile are the successful requests of the first replication whose ranks by latency are within half a percent
//! of it, at most so many (`MOST`), at equal distances. What each latency was spent on is its critical path: of calls in parallel
//! the last one that was waited for counts, what came before the attempt whose answer was taken are retries. So the
//! parts sum up to the mean latency of these requests.
//!
//! # Assumptions
//! One replication tells which parts there are, not how precisely they are known.

use super::story::location;
use super::words::Words;
use crate::experiment::Watch;
use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use crate::experiment::lives::{follow, requests};
use crate::problem::Checked;
use crate::resolve::Resolved;
use crate::results::csv::Csv;
use crate::results::folder::Folder;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::request_log::RequestRow;
pub use meshsim_models::telemetry::trace::Kind;
use meshsim_models::telemetry::trace::critical_path::{Side, Stretch};
use meshsim_models::telemetry::trace::life::Life;
use meshsim_models::telemetry::work::RequestId;
use meshsim_models::world::topology::Topology;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The quantiles, with their names.
pub const AROUND: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// How often each strategy runs for it: once to find the requests, and once around each quantile.
pub const RUNS: f64 = 1.0 + AROUND.len() as f64;

/// Ranks on either side of a quantile, of all.
const HALF_WIDTH: f64 = 0.005;

/// Most requests around a quantile.
const MOST: usize = 400;

/// What was spent around a quantile.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// The strategy.
    pub strategy: String,
    /// The quantile's name.
    pub around: &'static str,
    /// How many requests are around it.
    pub requests: usize,
    /// Their mean latency (ms).
    pub latency_ms: f64,
    /// What was spent on what and where, in the mean (ms).
    pub rows: Vec<(Hop, Kind, f64)>,
}

/// Where time was spent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// Who calls: a service, or the name of a group of users.
    pub caller: String,
    /// Who is called; empty: it is the user's own time.
    pub service: String,
    /// The cluster in which it was spent.
    pub cluster: String,
    /// By the client, by the server, or on the way back.
    pub side: &'static str,
}

/// What was spent under each strategy of a plan that has run. Nothing if it was told to stop.
#[must_use]
pub fn around(plan: &ComparisonPlan, outcome: &ComparisonOutcome, watch: &Watch<'_>) -> Option<Vec<Spent>> {
    let cut = |index: usize| outcome.warm_ups.get(index).map_or(0.0, |it| it.seconds);
    let of = |(index, resolved): (usize, &Resolved)| {
        let from = SimTime::ZERO + SimDuration::from_secs_f64(cut(index));
        let rows = requests(resolved, 0, watch)?;
        AROUND.iter().map(|&(name, p)| spent(resolved, &rows, (name, p), from, watch)).collect()
    };
    let all: Vec<Option<Vec<Spent>>> = plan.strategies.par_iter().enumerate().map(of).collect();
    Some(all.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

fn spent(
    resolved: &Resolved,
    rows: &[RequestRow],
    (around, p): (&'static str, f64),
    from: SimTime,
    watch: &Watch<'_>,
) -> Option<Spent> {
    let chosen = chosen(rows, p, from);
    let lives = follow(resolved, 0, chosen, watch)?;
    let topology = Topology::new(resolved.description.clone(), 0);
    let words = Words::of(&topology);
    let mut sums: BTreeMap<(Hop, Kind), u64> = BTreeMap::new();
    for life in &lives {
        for stretch in life.critical_path() {
            let key = (hop(&words, life, &stretch), stretch.kind());
            *sums.entry(key).or_default() += stretch.length().as_nanos();
        }
    }
    let mean_ms = |nanos: u64| nanos as f64 / 1e6 / lives.len() as f64;
    let latencies = lives.iter().filter_map(|life| life.request.end).map(|end| end.latency.as_nanos());
    Some(Spent {
        strategy: resolved.strategy.clone(),
        around,
        requests: lives.len(),
        latency_ms: mean_ms(latencies.sum()),
        rows: sums.into_iter().map(|((hop, kind), nanos)| (hop, kind, mean_ms(nanos))).collect(),
    })
}

/// The requests around a quantile.
fn chosen(rows: &[RequestRow], p: f64, from: SimTime) -> Vec<RequestId> {
    let latency = |row: &RequestRow| row.end.filter(|end| end.status.is_ok()).map(|end| end.latency);
    let mut ok: Vec<(SimDuration, RequestId)> = rows
        .iter()
        .filter(|row| row.arrival >= from)
        .filter_map(|row| Some((latency(row)?, row.id())))
        .collect();
    ok.sort_unstable();
    let count = ok.len() as f64;
    let rank = |p: f64| (p * count).clamp(0.0, count) as usize;
    let (first, last) = (rank(p - HALF_WIDTH), rank(p + HALF_WIDTH));
    let around = &ok[first..last.max(first + 1).min(ok.len())];
    let taken = around.len().min(MOST);
    (0..taken).map(|index| around[index * around.len() / taken].1).collect()
}

fn hop(words: &Words<'_>, life: &Life, stretch: &Stretch) -> Hop {
    let (service, cluster) = location(words, life, stretch);
    let caller = stretch.call.and_then(|index| life.calls[index].head.caller);
    let caller = caller.map(|pod| words.topology.pod_ids.service_of(pod));
    Hop {
        caller: caller.map_or_else(|| words.users(life).to_owned(), |it| words.names.service(it).to_owned()),
        service: service.map_or_else(String::new, |it| words.names.service(it).to_owned()),
        cluster: words.names.cluster(cluster),
        side: match stretch.side {
            Side::User => "user",
            Side::Client => "client",
            Side::Server => "server",
            Side::Back => "way back",
        },
    }
}

impl Spent {
    /// What was spent on a kind of thing, wherever (ms).
    #[must_use]
    pub fn of(&self, kind: Kind) -> f64 {
        self.rows.iter().filter(|(_, other, _)| *other == kind).map(|(_, _, ms)| ms).sum()
    }
}

/// Writes `critical_path.csv`.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &mut Folder, all: &[Spent]) -> Checked<()> {
    folder.write_csv("critical_path.csv", |csv| rows(csv, all))
}

fn rows(csv: &mut Csv<'_>, all: &[Spent]) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "around",
        "requests",
        "latency_ms",
        "part",
        "caller",
        "service",
        "cluster",
        "side",
        "ms",
        "share",
    ])?;
    for it in all {
        for (hop, kind, ms) in &it.rows {
            csv.write_record([
                it.strategy.as_str(),
                it.around,
                &it.requests.to_string(),
                &it.latency_ms.to_string(),
                kind.name(),
                &hop.caller,
                &hop.service,
                &hop.cluster,
                hop.side,
                &ms.to_string(),
                &(ms / it.latency_ms).to_string(),
            ])?;
        }
    }
    Ok(())
}
