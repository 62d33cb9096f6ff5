//! How often the 95 % intervals of results contain the truth, over many seeds: the table of `docs/statistics.md`.
//!
//! `cargo run --release -p meshsim-benches --example coverage`; `-- 200` takes 200 seeds, `-- 2000 queues` or
//! `-- 2000 mesh` one of the two parts, `-- 2000 queues 0.9 200000` the rows of a utilization and a number of requests.
//!
//! # Models
//! M/M/1 queues in equilibrium, whose sojourn times are exponential with mean 1/(mu − lambda), by Lindley's recursion
//! (the n-th waits for what is left of the one before): they go through the same estimators as the results of a run,
//! in batches of equal numbers of requests. `fluidos-mesh` goes through the whole program; its truth is the mean and
//! the quantiles of far more simulated time than each run has, with an error of its own that is a tenth of an
//! interval's half width at most.
//! A cell whose share of hits, with its exact binomial interval (Clopper and Pearson), does not meet 93 to 97 % is
//! run again with twice as many new seeds, and that decides.
#![allow(clippy::print_stdout)] // It prints its table.

use meshsim_core::random::{Address, exponential};
use meshsim_core::stats::{Estimate, Histogram, Repeated, Resolution};
use meshsim_scenarios::analysis::summary::{Latency, Summary};
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::user_requests::BATCHES;
use meshsim_scenarios::scenario::Scenario;
use rayon::prelude::*;

/// Replications of a run.
const REPLICATIONS: [usize; 5] = [1, 2, 3, 5, 10];

/// Requests of a replication.
const LENGTHS: [usize; 3] = [2_000, 20_000, 200_000];

/// Figures: the mean, and quantiles.
const FIGURES: [(&str, Option<f64>); 5] =
    [("mean", None), ("p50", Some(0.5)), ("p90", Some(0.9)), ("p95", Some(0.95)), ("p99", Some(0.99))];

/// The promised share, with what is allowed.
const ALLOWED: [f64; 2] = [0.93, 0.97];

/// Hits, and runs that had an interval, of so many runs: by figure.
#[derive(Clone, Copy, Default)]
struct Cell {
    hits: u64,
    intervals: u64,
    runs: u64,
}

/// By number of replications and figure. Those of a run with more are those of one with fewer, and others.
type Cells = [[Cell; FIGURES.len()]; REPLICATIONS.len()];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(2_000, |it| it.parse().expect("a number of seeds"));
    let asked: Vec<String> = arguments.collect();
    let is_asked = |index: usize, name: &str| asked.get(index).is_none_or(|asked| asked == name);
    println!("| | requests | replications | mean | p50 | p90 | p95 | p99 |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let is_part = |name: &str| is_asked(0, name);
    for rho in [0.5, 0.8, 0.9].into_iter().filter(|rho| is_part("queues") && is_asked(1, &rho.to_string())) {
        for length in LENGTHS.into_iter().filter(|length| is_asked(2, &length.to_string())) {
            let run = |seed| queue_cells(rho, length, seed);
            report(&format!("M/M/1 at {rho}"), length, seeds, &run);
        }
    }
    if is_part("mesh") {
        let truth = values(&mesh(TRUTH, Seed::Truth)[0]).map(|it| it.value);
        report("`fluidos-mesh`", 50 * MESH_SECONDS, seeds, &|seed| mesh_cells(&truth, seed));
    }
}

/// Prints the rows of a length, with their doubtful cells run again.
fn report(name: &str, length: usize, seeds: u64, run: &(dyn Fn(u64) -> Cells + Sync)) {
    let over = |seeds: std::ops::Range<u64>| seeds.into_par_iter().map(run).reduce(Cells::default, merge);
    let first = over(0..seeds);
    let all_meet = first.iter().flatten().all(Cell::meets);
    let again = if all_meet { first } else { over(seeds..3 * seeds) };
    for ((row, again), replications) in first.iter().zip(&again).zip(REPLICATIONS) {
        let cells = row.iter().zip(again).map(|(cell, again)| match cell.meets() {
            true => cell.text(),
            false => again.text() + if again.meets() { " (again)" } else { " (!)" },
        });
        println!("| {name} | {length} | {replications} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

impl Cell {
    fn add(&mut self, interval: Option<[f64; 2]>, truth: f64) {
        self.runs += 1;
        if let Some([low, high]) = interval {
            self.intervals += 1;
            self.hits += u64::from(low <= truth && truth <= high);
        }
    }

    fn merge(&mut self, other: Self) {
        self.hits += other.hits;
        self.intervals += other.intervals;
        self.runs += other.runs;
    }

    /// Whether the exact 95 % interval of the share of hits meets what is allowed.
    fn meets(&self) -> bool {
        if self.intervals == 0 {
            return true;
        }
        let [low, high] = binomial_interval(self.hits, self.intervals);
        low <= ALLOWED[1] && high >= ALLOWED[0]
    }

    /// The share of hits, and that of runs without an interval, where there are some.
    fn text(&self) -> String {
        let without = (self.runs - self.intervals) as f64 / self.runs as f64 * 100.0;
        match self.intervals {
            0 => "-".to_owned(),
            all if all == self.runs => format!("{:.1}", self.hits as f64 / all as f64 * 100.0),
            some => format!("{:.1}, {without:.1} without", self.hits as f64 / some as f64 * 100.0),
        }
    }
}

fn merge(mut one: Cells, other: Cells) -> Cells {
    let cells = one.iter_mut().flatten().zip(other.into_iter().flatten());
    cells.for_each(|(cell, more)| cell.merge(more));
    one
}

/// Clopper and Pearson: the shares under which so many hits or more, or fewer, have 2.5 %.
fn binomial_interval(hits: u64, runs: u64) -> [f64; 2] {
    // P(B <= hits) falls with the share.
    let at_most = |hits: u64, share: f64| -> f64 {
        let (n, p) = (runs as f64, share);
        let mut term = n * (1.0 - p).ln();
        let mut sum = term.exp();
        for k in 1..=hits {
            term += ((n - k as f64 + 1.0) / k as f64 * p / (1.0 - p)).ln();
            sum += term.exp();
        }
        sum
    };
    let solve = |is_below: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (1e-12, 1.0 - 1e-12);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if is_below(middle) { low = middle } else { high = middle }
        }
        low
    };
    let low = if hits == 0 { 0.0 } else { solve(&|share| 1.0 - at_most(hits - 1, share) < 0.025) };
    let high = if hits == runs { 1.0 } else { solve(&|share| at_most(hits, share) > 0.025) };
    [low, high]
}

fn queue_cells(rho: f64, length: usize, seed: u64) -> Cells {
    let mean = 1e6 / (1.0 - rho);
    let most = REPLICATIONS[REPLICATIONS.len() - 1];
    let runs: Vec<Queue> = (0..most).map(|number| Queue::new(rho, length, seed, number as u32)).collect();
    let mut cells = Cells::default();
    for (row, replications) in cells.iter_mut().zip(REPLICATIONS) {
        let repeated = match &runs[..replications] {
            [only] => Repeated::one_run(&only.fine),
            several => Repeated::replications(several.iter().map(|it| (&it.all, &it.coarse[..]))),
        };
        let repeated = repeated.expect("there are requests");
        for (cell, (_, quantile)) in row.iter_mut().zip(FIGURES) {
            let estimate: Estimate =
                quantile.map_or_else(|| repeated.mean(0.95), |q| repeated.quantile(q, 0.95));
            let truth = quantile.map_or(mean, |q| -mean * (1.0 - q).ln());
            cell.add(estimate.interval.map(|it| [it.low, it.high]), truth);
        }
    }
    cells
}

/// Sojourn times (ns) of a queue in equilibrium whose server needs 1 ms, kept as those of a replication are.
struct Queue {
    all: Histogram,
    /// In batches, as where there are several replications.
    coarse: Vec<Histogram>,
    /// The same as where there is one.
    fine: Vec<Histogram>,
}

impl Queue {
    fn new(rho: f64, length: usize, seed: u64, number: u32) -> Self {
        let mut random = Address::root(seed, number).draw(0);
        let mut draw = |mean: f64| exponential(&mut random, mean);
        let is_busy = draw(1.0) < -(1.0 - rho).ln();
        let mut waiting = if is_busy { draw(1.0 / (1.0 - rho)) } else { 0.0 };
        let empty = |resolution| vec![Histogram::new(resolution); BATCHES];
        let [mut coarse, mut fine] = [Resolution::Percent, Resolution::PerMille].map(empty);
        let mut all = Histogram::new(Resolution::PerMille);
        for (coarse, fine) in coarse.iter_mut().zip(&mut fine) {
            for _ in 0..length / BATCHES {
                let sojourn = waiting + draw(1.0);
                waiting = (sojourn - draw(1.0 / rho)).max(0.0);
                let nanos = (sojourn * 1e6) as u64;
                coarse.record(nanos);
                if number == 0 {
                    fine.record(nanos);
                }
                all.record(nanos);
            }
        }
        Self { all, coarse, fine }
    }
}

/// Reported time of a run of `fluidos-mesh` (s): about 2,000 requests.
const MESH_SECONDS: usize = 40;

/// Replications behind what is taken as true: 200 times as many as the longest run has.
const TRUTH: u32 = 2_000;

/// Whose seed.
#[derive(Clone, Copy)]
enum Seed {
    /// That of the truth.
    Truth,
    /// That of a run.
    Run(u64),
}

/// Latencies of `fluidos-mesh`, strategy s0-s3: of so many replications and, of several, of the first few of them.
fn mesh(replications: u32, seed: Seed) -> Vec<Latency> {
    let settings = [
        ("run.duration", format!("{MESH_SECONDS}s")),
        ("run.warm_up", "20s".to_owned()),
        // What they do is the other example's.
        ("run.control_variates", "false".to_owned()),
    ];
    let settings = settings.map(|(path, value)| Setting { path: path.to_owned(), value });
    let scenario = Scenario::open("fluidos-mesh", &settings).expect("the library is good");
    let seed = match seed {
        Seed::Truth => 1 << 40,
        Seed::Run(seed) => seed,
    };
    let choice = Choice {
        strategies: vec!["s0-s3".to_owned()],
        replications: Some(replications),
        seed: Some(seed),
        ..Choice::default()
    };
    let plan = ComparisonPlan::new(&scenario, &choice).expect("the library is good");
    let mut outcome = plan.run(Rows::Dropped, &Watch::default());
    let mut of_first = |count: usize| {
        outcome.replications.truncate(count);
        Summary::new(&plan, &outcome).strategies[0].latency_ms
    };
    let fewer = REPLICATIONS.into_iter().rev().filter(|it| (2..replications as usize).contains(it));
    let counts = std::iter::once(replications as usize).chain(fewer.filter(|_| replications < TRUTH));
    counts.map(&mut of_first).collect()
}

fn values(it: &Latency) -> [Value; FIGURES.len()] {
    [it.mean, it.p50, it.p90, it.p95, it.p99]
}

fn mesh_cells(truth: &[f64], seed: u64) -> Cells {
    let most = REPLICATIONS[REPLICATIONS.len() - 1] as u32;
    let mut latencies = mesh(most, Seed::Run(seed));
    latencies.extend(mesh(1, Seed::Run(seed)));
    let mut cells = Cells::default();
    for (row, latency) in cells.iter_mut().rev().zip(&latencies) {
        for ((cell, value), &truth) in row.iter_mut().zip(values(latency)).zip(truth) {
            cell.add(value.ci95, truth);
        }
    }
    cells
}
