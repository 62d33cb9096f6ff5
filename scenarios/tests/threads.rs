//! A run on several threads reports what it reports on one, to the last bit: every strategy of the library.
#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_core::{RunControl, SimTime};
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::drill::summary::{DrillSummary, StrategyDrill};
use meshsim_scenarios::drill::{DrillPlan, Options};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::Choice;
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::library;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::scenario::Scenario;

/// So much of every run (ns of simulated time).
const END: u64 = 40_000_000_000;

fn report(description: &Description, threads: usize) -> String {
    let mut world = World::keeping_work(description, 0);
    let end = SimTime::from_nanos(END).min(world.end());
    world.run(&mut RunControl::until(end).on_threads(threads).from_events_per_round(0));
    format!("{:?}", world.finish())
}

#[test]
fn every_strategy_of_the_library_is_the_same_on_one_two_and_three_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let no_warm_up = Setting::parse("run.warm_up=0s").unwrap();
    for name in library::names().filter(|name| !library::is_scale(name)) {
        let scenario = Scenario::open(name, std::slice::from_ref(&no_warm_up)).unwrap();
        for number in 0..scenario.strategies().len() {
            let description = scenario.resolve(Some(number)).unwrap().description;
            let one = report(&description, 1);
            for threads in [2, 3] {
                let several = pool.install(|| report(&description, threads));
                assert!(one == several, "{name}, strategy {number}: on {threads} threads it is another run");
            }
        }
    }
}

/// The matrix of a drill is the same, too, and says what fails.
#[test]
fn a_drill_is_the_same_on_one_two_and_three_threads() {
    let settings = ["users.edge1.rate=10/s", "run.warm_up=10s"].map(|it| Setting::parse(it).unwrap());
    let scenario = Scenario::open("fluidos-mesh", &settings).unwrap();
    let choice = Choice {
        strategies: vec!["s0-s3".to_owned(), "all".to_owned()],
        replications: Some(2),
        ..Choice::default()
    };
    let options = Options {
        only: ["link:*", "gateway:*", "cluster:edge1:*", "pods:s3:*", "istiod:*"].map(str::to_owned).to_vec(),
        lasts: Some("20s".parse().unwrap()),
        after: Some("40s".parse().unwrap()),
        patience: None,
    };
    let plan = DrillPlan::new(&scenario, &choice, &options).unwrap();
    assert!(plan.notes[0].contains("`cloud` as consumer"), "{:?}", plan.notes);
    assert!(plan.notes[1].contains("[istiod]"), "{:?}", plan.notes);
    let [one, two, three] = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let store = CellStore::temporary().unwrap();
        assert!(pool.install(|| plan.run_cells(&store, 0..plan.cell_count(), &Watch::default())));
        DrillSummary::new(&plan, &store)
    });
    let json = |summary: &DrillSummary| to_json(summary).unwrap();
    assert!(json(&one) == json(&two) && json(&one) == json(&three));
    let [some, all] = &one.strategies[..] else { panic!() };
    let of = |strategy: &StrategyDrill, name: &str| {
        strategy.failures.iter().find(|it| it.failure == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    // Who comes to a gateway that is down is refused until it is back, and all is well a second later.
    let gateway = of(some, "gateway:edge1");
    assert!(gateway.failing_during.value > 0.99 && gateway.moved_after.value.is_nan());
    assert!(gateway.restored_after.value <= 20.0 && gateway.failing_after.value.abs() < 0.01, "{gateway:?}");
    assert_eq!(gateway.users.len(), 1);
    // With everything at the edge a cut changes nothing; where the rest is in the cloud users wait for it.
    assert!(of(all, "link:edge1-cloud:cut").failing_during.value.abs() < 1e-9);
    let cut = of(some, "link:edge1-cloud:cut");
    assert!(cut.p95_ms.value > 2.0 * cut.undisturbed_p95_ms.value, "{cut:?}");
    let degraded = of(some, "link:edge1-cloud:degraded");
    assert!(degraded.p95_ms.value > 1.3 * degraded.undisturbed_p95_ms.value, "{degraded:?}");
    // Pods that crash leave the endpoints after a second, and others are asked.
    let pods = of(all, "pods:s3:edge1");
    assert!((1.0..=2.0).contains(&pods.noticed_after.value), "{pods:?}");
    assert!(pods.moved_after.value <= 4.0 && pods.without_endpoints.is_empty(), "{pods:?}");
    // Nobody needs istiod while nothing changes.
    assert!(of(all, "istiod:cloud").failing_during.value.abs() < 1e-9);
    assert!(
        all.worst.starts_with("cluster:edge1:lost") || all.worst.starts_with("gateway:edge1"),
        "{}",
        all.worst
    );
    let wrong = Options { only: vec!["links:*".to_owned()], ..Options::default() };
    let problem = DrillPlan::new(&scenario, &choice, &wrong).unwrap_err().to_string();
    assert!(problem.contains("--only links:*: no failure has such a name"), "{problem}");
}
