//! What the guard runs. Each case returns how many units of work it did, or, for memory, bytes per unit.

use crate::callgrind::counted;
use meshsim_benches::{call_graph, mm1};
use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::scenario::Scenario;

/// One figure of the guard.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) figure: Figure,
    pub(crate) unit: &'static str,
    pub(crate) run: fn() -> f64,
    /// How much more than the table's figure is allowed (%).
    pub(crate) allowed_percent: f64,
}

/// What a case counts.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    Instructions,
    Bytes,
}

const KERNEL: f64 = 2.0;
const SCENARIO: f64 = 3.0;

pub(crate) const ALL: [Case; 8] = [
    instructions("mm1", "instructions per customer", run_mm1, KERNEL),
    instructions("call-graph", "instructions per user request", run_call_graph, KERNEL),
    instructions("headline", "instructions per user request", run_headline, SCENARIO),
    instructions("no-mesh", "instructions per user request", run_no_mesh, SCENARIO),
    instructions("limits", "instructions per user request", run_limits, SCENARIO),
    instructions("multi-edge-100", "instructions per user request", run_multi_edge, SCENARIO),
    instructions("start-300-edges", "instructions per edge", start_300_edges, SCENARIO),
    Case {
        name: "memory-headline",
        figure: Figure::Bytes,
        unit: "bytes kept per user request",
        run: bytes_kept,
        allowed_percent: SCENARIO,
    },
];

const fn instructions(
    name: &'static str,
    unit: &'static str,
    run: fn() -> f64,
    allowed_percent: f64,
) -> Case {
    Case { name, figure: Figure::Instructions, unit, run, allowed_percent }
}

/// The case of this name.
pub(crate) fn find(name: &str) -> Option<&'static Case> {
    ALL.iter().find(|case| case.name == name)
}

fn run_mm1() -> f64 {
    let mut engine = mm1::engine();
    counted(&mut || {
        engine.run(&mut RunControl::until(mm1::end_after(200_000)));
    });
    engine.processes().map(mm1::Queue::served).sum::<u64>() as f64
}

fn run_call_graph() -> f64 {
    let mut engine = call_graph::engine();
    counted(&mut || {
        engine.run(&mut RunControl::until(call_graph::end_after(50_000)));
    });
    engine.processes().map(call_graph::CallGraph::answered).sum::<u64>() as f64
}

fn run_headline() -> f64 {
    run_world(&describe("fluidos-mesh", "s0-s3", &[("run.duration", "4min"), ("run.warm_up", "0s")]))
}

fn run_no_mesh() -> f64 {
    run_world(&describe("fluidos-mesh", "s0-s3-no-mesh", &[("run.duration", "4min"), ("run.warm_up", "0s")]))
}

/// Containers with a CPU limit, and autoscalers.
fn run_limits() -> f64 {
    run_world(&describe("fluidos-mesh-hpa", "s0", &[("run.duration", "2min"), ("run.warm_up", "0s")]))
}

fn run_multi_edge() -> f64 {
    let settings = [("cluster_template.edge.count", "100"), ("run.duration", "10s"), ("run.warm_up", "0s")];
    run_world(&describe("multi-edge", "in-turn", &settings))
}

/// Counts the making of the world, not its run.
fn start_300_edges() -> f64 {
    let settings = [("cluster_template.edge.count", "300"), ("run.duration", "1s"), ("run.warm_up", "0s")];
    let description = describe("multi-edge", "s0-s3", &settings);
    let mut world = None;
    counted(&mut || world = Some(World::new(&description, 0)));
    assert!(world.is_some(), "a world was made");
    300.0
}

/// Runs a world; counts neither its making nor its end.
fn run_world(description: &Description) -> f64 {
    let mut world = World::new(description, 0);
    let end = world.end();
    counted(&mut || {
        world.run(&mut RunControl::until(end));
    });
    world.finish().requests.len() as f64
}

/// How far a world runs until its requests are taken: a part of each duration.
const STRIDE: SimDuration = SimDuration::from_secs(3);

/// By how much a world that runs for twice as long is larger at its end, per further user request.
fn bytes_kept() -> f64 {
    let (short, long) = (world_size("5min"), world_size("10min"));
    (long.0 - short.0) / (long.1 - short.1)
}

/// Bytes of a world that has run, its requests taken on the way, and how many there were.
fn world_size(duration: &str) -> (f64, f64) {
    let description = describe("fluidos-mesh", "s0-s3", &[("run.duration", duration), ("run.warm_up", "0s")]);
    let profiler = dhat::Profiler::builder().testing().build();
    let mut world = World::new(&description, 0);
    let (end, mut now, mut requests) = (world.end(), SimTime::ZERO, 0.0);
    while now < end {
        now += STRIDE;
        world.run(&mut RunControl::until(now));
        world.take_requests(|_| requests += 1.0);
    }
    let bytes = dhat::HeapStats::get().curr_bytes as f64;
    drop(profiler);
    (bytes, requests + world.finish().requests.len() as f64)
}

fn describe(scenario: &str, strategy: &str, settings: &[(&str, &str)]) -> Description {
    let setting = |&(path, value): &(&str, &str)| Setting { path: path.into(), value: value.into() };
    let settings: Vec<Setting> = settings.iter().map(setting).collect();
    let scenario = Scenario::open(scenario, &settings).expect("the library is good");
    let index = scenario.strategy(Some(strategy)).expect("the library has it");
    scenario.resolve(index).expect("the library is good").description
}
