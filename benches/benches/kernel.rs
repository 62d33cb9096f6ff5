//! The kernel as a whole: the M/M/1 queue and the call graph of `src/`, everything counted.
//! The goal for the first is 10 million customers a second on one core.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use meshsim_benches::{call_graph, mm1};
use meshsim_core::{Engine, Process, RunControl, SimTime};

/// Customers, or users, in one iteration, up to chance.
const CUSTOMERS: u64 = 1_000_000;

fn kernel(criterion: &mut Criterion) {
    bench(criterion, "mm1", mm1::engine, mm1::end_after(CUSTOMERS));
    bench(criterion, "call_graph", call_graph::engine, call_graph::end_after(CUSTOMERS));
}

fn bench<P: Process>(criterion: &mut Criterion, name: &str, engine: fn() -> Engine<P>, end: SimTime) {
    let mut group = criterion.benchmark_group("kernel");
    group.sample_size(20).throughput(Throughput::Elements(CUSTOMERS));
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        let run = |mut engine: Engine<P>| {
            engine.run(&mut RunControl::until(end));
            engine
        };
        bencher.iter_batched(engine, run, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
