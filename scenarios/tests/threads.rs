//! A run on several threads reports what it reports on one, to the last bit: every strategy of the library.
#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_core::{RunControl, SimTime};
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::library;
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
