//! User requests per second on one core: the headline scenario, strategy `s0-s3`, ten simulated
//! minutes after a warm-up of one.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meshsim_core::RunControl;
use meshsim_models::world::World;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::scenario::Scenario;
use std::hint::black_box;

fn headline(criterion: &mut Criterion) {
    let duration = Setting { path: "run.duration".into(), value: "10min".into() };
    let scenario = Scenario::open("fluidos-mesh", &[duration]).expect("the library is good");
    let mut group = criterion.benchmark_group("headline");
    group.sample_size(10);
    for strategy in ["s0-s3", "cloud-only", "s0-s3-no-mesh"] {
        let index = scenario.strategy(Some(strategy)).expect("the library has it");
        let description = scenario.resolve(index).expect("the library is good").description;
        let run = || {
            let mut world = World::new(&description, 0);
            let end = world.end();
            world.run(&mut RunControl::until(end));
            world.finish()
        };
        let record = run();
        eprintln!(
            "{strategy}: {:.1} events per request",
            record.events as f64 / record.requests.len() as f64
        );
        group.throughput(Throughput::Elements(record.requests.len() as u64));
        group.bench_function(strategy, |bencher| bencher.iter(|| black_box(run().requests.len())));
    }
    group.finish();
}

criterion_group!(benches, headline);
criterion_main!(benches);
