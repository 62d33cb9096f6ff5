//! The headline comparison at several round trips, from a program: which strategy is best where?
//!
//! `cargo run --release -p meshsim-scenarios --example compare`
#![allow(clippy::print_stdout)] // It prints what it finds.

use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::verdict::verdict;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::scenario::Scenario;

fn main() -> Checked<()> {
    let choice = Choice {
        strategies: ["cloud-only", "s0", "s0-s3"].map(str::to_owned).to_vec(),
        replications: Some(5),
        ..Choice::default()
    };
    for round_trip in ["2ms", "20ms", "160ms"] {
        let settings = [
            Setting { path: "links.edge1-cloud.rtt".to_owned(), value: round_trip.to_owned() },
            Setting { path: "run.duration".to_owned(), value: "60s".to_owned() },
        ];
        let scenario = Scenario::open("fluidos-mesh", &settings)?;
        let plan = ComparisonPlan::new(&scenario, &choice)?;
        let summary = Summary::new(&plan, &plan.run(Rows::Dropped, &Watch::default()));
        println!("{round_trip}:");
        for strategy in &summary.strategies {
            let mean = &strategy.latency_ms.mean;
            let [low, high] = mean.ci95.unwrap_or([f64::NAN; 2]);
            println!("  {:10} {:6.1} ms ({low:.1} to {high:.1})", strategy.name, mean.value);
        }
        println!("  {}", verdict(&summary));
    }
    Ok(())
}
