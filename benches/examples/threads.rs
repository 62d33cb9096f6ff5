//! What several threads gain in one run, by the number of clusters and the delay of their links.
//!
//! `cargo run --profile bench -p meshsim-benches --example threads`
//!
//! # Models
//! `multi-edge` with so many edges at one distance from the cloud, run on one thread and on two in turn. A round is as
//! long as the links' delay allows (the lookahead), so its events grow with the delay and with the load; the run
//! cannot be faster than its busiest cluster. Rounds are handed over however short they are, to show where it begins
//! to pay. What the machine itself gives is what two runs gain that have nothing to do with each other and run at once:
//! twice where each thread has a core with its caches to itself, less where two share one. Prints, for each world, the
//! median of the paired ratios of wall time.

#![allow(clippy::print_stdout)] // It prints its table.

use meshsim_core::RunControl;
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::scenario::Scenario;
use std::time::Instant;

const PAIRS: usize = 7;
const THREADS: usize = 2;
/// User requests of a run, about: edges have 10/s each in the mean.
const REQUESTS: usize = 40_000;

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads can be started");
    println!(
        "edges  round trip  events a round  busiest cluster  bound  {THREADS} runs at once  {THREADS} threads (range)"
    );
    for edges in [20, 100, 300, 1_000] {
        for round_trip in ["2ms", "10ms", "40ms", "160ms"] {
            let description = describe(edges, round_trip);
            let (events, busiest) = shape(&description);
            let mut ratios: Vec<f64> = (0..PAIRS)
                .map(|_| {
                    let [one, several] =
                        [1, THREADS].map(|threads| pool.install(|| seconds(&description, threads)));
                    one / several
                })
                .collect();
            ratios.sort_unstable_by(f64::total_cmp);
            let bound = 1.0 / busiest.max(1.0 / THREADS as f64);
            let mut at_once: Vec<f64> = (0..PAIRS)
                .map(|_| {
                    let alone = seconds(&description, 1);
                    let (a, b) = pool.join(|| seconds(&description, 1), || seconds(&description, 1));
                    THREADS as f64 * alone / a.max(b)
                })
                .collect();
            at_once.sort_unstable_by(f64::total_cmp);
            println!(
                "{edges:>5}  {round_trip:>10}  {events:>14.0}  {busiest:>14.0}%  {bound:>5.2}  {:>14.2}  {:.2} ({:.2} to {:.2})",
                at_once[PAIRS / 2],
                ratios[PAIRS / 2],
                ratios[0],
                ratios[PAIRS - 1],
                busiest = busiest * 100.0,
            );
        }
    }
}

/// Events of a round in the mean, and the share of all events that the busiest cluster has.
fn shape(description: &Description) -> (f64, f64) {
    let mut world = World::new(description, 0);
    let end = world.end();
    world.run(&mut RunControl::until(end));
    let events = world.events_by_process();
    let all: u64 = events.iter().sum();
    let busiest = events.iter().copied().max().unwrap_or(0);
    (all as f64 / world.rounds() as f64, busiest as f64 / all as f64)
}

/// Wall time of a run, without making its world.
fn seconds(description: &Description, threads: usize) -> f64 {
    let mut world = World::new(description, 0);
    let mut control = RunControl::until(world.end()).on_threads(threads).from_events_per_round(0);
    let began = Instant::now();
    world.run(&mut control);
    began.elapsed().as_secs_f64()
}

fn describe(edges: usize, round_trip: &str) -> Description {
    let settings = [
        ("cluster_template.edge.count", edges.to_string()),
        ("cluster_template.edge.link.rtt", round_trip.into()),
        ("run.duration", format!("{}ms", REQUESTS * 100 / edges)),
        ("run.warm_up", "0s".into()),
    ];
    let settings: Vec<Setting> =
        settings.into_iter().map(|(path, value)| Setting { path: path.into(), value }).collect();
    let scenario = Scenario::open("multi-edge", &settings).expect("the library is good");
    let strategy = scenario.strategy(Some("s0-s3")).expect("the library has it");
    scenario.resolve(strategy).expect("the library is good").description
}
