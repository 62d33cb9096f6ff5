//! How often intervals of paired differences, of means freed of luck, and of replications that stopped when they were
//! precise contain the truth, and what control variates take off variances: tables of `docs/statistics.md`.
//!
//! `cargo run --release -p meshsim-benches --example controls`; `-- 200` makes 200 experiments in place of 2,000, `-- 200 60s` of
//! a minute each, without those that stop.
//!
//! # Models
//! `fluidos-mesh` under three strategies, ten seconds after [`WARM_UP`]: short runs, whose luck is large. Each experiment has
//! a seed of its own and ten replications, of which the first few make the experiments with fewer; with control variates and
//! without (their sums are taken out of the figures). What is taken as true is the mean over all experiments, with an
//! error of a forty-fifth of the deviation of one with ten replications.
#![allow(clippy::print_stdout)] // It prints its tables.

use meshsim_core::stats::Tally;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::precision::Precision;
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::scenario::Scenario;
use rayon::prelude::*;

/// Reported time of a run: about 500 requests, if nothing else is said.
fn duration() -> String {
    std::env::args().nth(2).unwrap_or_else(|| "10s".to_owned())
}

/// Time before it.
const WARM_UP: &str = "3s";

/// The baseline first.
const STRATEGIES: [&str; 3] = ["cloud-only", "s0", "s0-s3"];

/// Replications of an experiment.
const REPLICATIONS: [usize; 4] = [2, 3, 5, 10];

/// Figures: mean and difference to the baseline of the second strategy, and of the third; each without controls and with.
const FIGURES: [&str; 4] = ["mean, s0", "mean, s0-s3", "difference, s0", "difference, s0-s3"];

type Values = [[Option<Value>; 2]; FIGURES.len()];

fn main() {
    let experiments = std::env::args().nth(1).map_or(2_000, |it| it.parse().expect("a number"));
    let all: Vec<[Values; REPLICATIONS.len()]> = (0..experiments).into_par_iter().map(experiment).collect();
    let most = REPLICATIONS.len() - 1;
    let truths: Vec<f64> = (0..FIGURES.len()).map(|figure| mean(&all, most, figure, 1)).collect();
    println!("| figure | replications | without controls | with controls | variance ratio |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (figure, name) in FIGURES.into_iter().enumerate() {
        for (row, count) in REPLICATIONS.into_iter().enumerate() {
            let [plain, freed] = [0, 1].map(|which| covered(&all, row, figure, which, truths[figure]));
            let [wide, narrow] = [0, 1].map(|which| variance(&all, row, figure, which));
            println!("| {name} | {count} | {plain} | {freed} | {:.2} |", wide / narrow);
        }
        let bias = mean(&all, most, figure, 0) - truths[figure];
        let error = (variance(&all, most, figure, 0) / experiments as f64).sqrt();
        eprintln!(
            "{name}: {:.3} ms; without controls {bias:+.4} ms, standard error {error:.4} ms",
            truths[figure]
        );
    }
    if std::env::args().nth(2).is_some() {
        return;
    }
    println!("\n| figure | precision | covered after the stop | replications |");
    println!("| --- | ---: | ---: | ---: |");
    for (strategy, truth) in [(1, truths[0]), (2, truths[1])] {
        for precision in ["3%", "2%"] {
            let found: Vec<(bool, u32)> = (0..experiments)
                .into_par_iter()
                .map(|seed| stopped(seed, strategy, precision, truth))
                .collect();
            let hits = found.iter().filter(|it| it.0).count() as f64 / found.len() as f64 * 100.0;
            let taken = found.iter().map(|it| f64::from(it.1)).sum::<f64>() / found.len() as f64;
            println!("| mean, {} | {precision} | {hits:.1} | {taken:.1} |", STRATEGIES[strategy]);
        }
    }
}

fn plan(strategies: &[&str], replications: u32, seed: u64) -> ComparisonPlan {
    let settings = [("run.duration", duration()), ("run.warm_up", WARM_UP.to_owned())];
    let settings = settings.map(|(path, value)| Setting { path: path.into(), value });
    let scenario = Scenario::open("fluidos-mesh", &settings).expect("the library is good");
    let choice = Choice {
        strategies: strategies.iter().map(|it| (*it).to_owned()).collect(),
        replications: Some(replications),
        seed: Some(seed),
        ..Choice::default()
    };
    ComparisonPlan::new(&scenario, &choice).expect("the library is good")
}

/// What an experiment of each size comes to.
fn experiment(seed: u64) -> [Values; REPLICATIONS.len()] {
    let plan = plan(&STRATEGIES, 10, seed);
    let mut outcome = plan.run(Rows::Dropped, &Watch::default());
    let mut all = [[[None; 2]; FIGURES.len()]; REPLICATIONS.len()];
    for (values, count) in all.iter_mut().zip(REPLICATIONS).rev() {
        outcome.replications.truncate(count);
        let mut plain = outcome.clone();
        without_controls(&mut plain);
        for (which, outcome) in [&plain, &outcome].into_iter().enumerate() {
            let summary = Summary::new(&plan, outcome);
            for strategy in [1, 2] {
                let name = STRATEGIES[strategy];
                values[strategy - 1][which] = Some(summary.strategies[strategy].latency_ms.mean);
                values[strategy + 1][which] = summary.difference(name, STRATEGIES[0]);
            }
        }
    }
    all
}

fn without_controls(outcome: &mut ComparisonOutcome) {
    let figures = outcome.replications.iter_mut().flat_map(|(_, of)| of);
    figures.for_each(|it| it.controls.clear());
}

/// Whether the interval of a run that stopped when it was precise covers, and its replications.
fn stopped(seed: u64, strategy: usize, precision: &str, truth: f64) -> (bool, u32) {
    let plan = plan(&[STRATEGIES[strategy]], 10, (1 << 40) + seed);
    let store = CellStore::temporary().expect("a file");
    let precision = Precision::parse(precision, "mean", &plan).expect("it is one");
    let (plan, outcome) = plan.precise_in(&store, precision, &Watch::default()).expect("it has intervals");
    let mean = Summary::new(&plan, &outcome).strategies[0].latency_ms.mean;
    let covers = mean.ci95.is_some_and(|[low, high]| low <= truth && truth <= high);
    (covers, plan.replications)
}

fn values(
    all: &[[Values; REPLICATIONS.len()]],
    row: usize,
    figure: usize,
    which: usize,
) -> impl Iterator<Item = Value> {
    all.iter().filter_map(move |it| it[row][figure][which])
}

fn mean(all: &[[Values; REPLICATIONS.len()]], row: usize, figure: usize, which: usize) -> f64 {
    values(all, row, figure, which).map(|it| it.value).sum::<f64>() / all.len() as f64
}

fn variance(all: &[[Values; REPLICATIONS.len()]], row: usize, figure: usize, which: usize) -> f64 {
    values(all, row, figure, which).map(|it| it.value).collect::<Tally>().variance().unwrap_or(f64::NAN)
}

/// The share of experiments (percent) whose interval has the truth.
fn covered(
    all: &[[Values; REPLICATIONS.len()]],
    row: usize,
    figure: usize,
    which: usize,
    truth: f64,
) -> String {
    let hit = |it: &Value| it.ci95.is_some_and(|[low, high]| low <= truth && truth <= high);
    let hits = values(all, row, figure, which).filter(hit).count();
    format!("{:.1}", hits as f64 / all.len() as f64 * 100.0)
}
