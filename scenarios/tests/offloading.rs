//! Offloading controllers as scenarios write them: what is decided, what it comes to, and forks.

#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_core::SimTime;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::replication::{Figures, Rows};
use meshsim_scenarios::results::offloading::{EdgeFigures, decisions, edge_figures};
use meshsim_scenarios::scenario::Scenario;

fn plan(settings: &[&str], strategies: &[&str]) -> ComparisonPlan {
    let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
    let scenario = Scenario::open("offloading-loop", &settings).unwrap();
    let strategies = strategies.iter().map(|&it| it.to_owned()).collect();
    let choice = Choice { strategies, replications: Some(1), ..Choice::default() };
    ComparisonPlan::new(&scenario, &choice).unwrap()
}

fn outcome(plan: &ComparisonPlan) -> ComparisonOutcome {
    plan.run(Rows::Dropped, &Watch::default())
}

fn of_edge(plan: &ComparisonPlan, figures: &Figures, index: usize) -> EdgeFigures {
    let description = &plan.strategies[index].description;
    let edge = &description.offloading.as_ref().unwrap().controllers[0];
    edge_figures(figures, edge, SimTime::ZERO + description.warm_up, description.end())
}

/// Without an action the edge is above its threshold all the time; with one it is for as long as the alarm lasts and the
/// pods take to come.
#[test]
fn the_loop_holds_its_target_where_the_strategy_can() {
    let plan = plan(&["run.duration=8min"], &["nothing", "mfu", "kahn"]);
    let outcome = outcome(&plan);
    let (_, all) = &outcome.replications[0];
    let of: Vec<EdgeFigures> = (0..3).map(|index| of_edge(&plan, &all[index], index)).collect();
    let edge = plan.strategies[0].description.offloading.as_ref().unwrap().controllers[0].edge;
    assert!(of[0].above > 0.7, "{:?}", of[0]);
    assert!(decisions(&all[0], edge).all(|it| it.after.as_ref() == Ok(&it.before)), "nothing is done");
    for index in [1, 2] {
        let first = decisions(&all[index], edge).next().unwrap();
        assert!(first.offloads && first.after.is_ok(), "{first:?}");
        // Two minutes of alarm, on looks of half a minute.
        assert!((119.0..200.0).contains(&first.at.as_secs_f64()), "{first:?}");
        assert!(of[index].above < of[0].above - 0.2, "{:?}", of[index]);
        assert!(of[index].failed < 0.001);
    }
}
