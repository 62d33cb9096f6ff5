//! Laws of service times in a whole world, against closed forms.
//!
//! # Source
//! Kleinrock, Queueing Systems II, 1976, section 4.4: with processor sharing the mean sojourn is
//! S / (1 - load) for every law of service with mean S.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_core::stats::mean_estimate;
use meshsim_models::application::internal_service::{CellCosts, DiskStress, MemoryStress};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;
use meshsim_models::ids::EndpointId;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::Description;
use support::{EDGE, NO_COSTS, all_ended, free_world, run};

/// A service at the edge that costs only what `laws` say, and calls the one after it.
fn chain(laws: &[ServiceTime], arrivals: Arrivals, seconds: u64) -> Description {
    let count = laws.len() as u32;
    let calls: Vec<(u32, u32)> = (1..count).map(|to| (to - 1, to)).collect();
    let pods: Vec<_> = (0..count).map(|service| (service, EDGE, 1)).collect();
    let sleeps = vec![0; laws.len()];
    let mut world = free_world(&sleeps, &calls, &pods, arrivals, seconds);
    for (service, law) in (0..).zip(laws) {
        world.application.endpoints[EndpointId(service)].service_time = Some(law.clone());
    }
    world
}

fn mean_latency_ms(world: &Description, replication: u32) -> f64 {
    let record = run(world, replication);
    let ended = all_ended(&record);
    ended.iter().map(|(_, end)| end.latency.as_millis_f64()).sum::<f64>() / ended.len() as f64
}

/// Latency of a request that waits for nothing.
fn alone_ms(laws: &[ServiceTime]) -> f64 {
    mean_latency_ms(&chain(laws, Arrivals::Constant { per_second: 1.0 }, 10), 0)
}

/// The latency of a request alone is that of the network, the CPU time and the wait for the disk.
#[test]
fn memory_and_disk_stress_take_cpu_time_and_make_wait() {
    let mut world = free_world(&[10], &[], &[(0, EDGE, 1)], Arrivals::Constant { per_second: 1.0 }, 10);
    let network_and_sleep = mean_latency_ms(&world, 0);
    let internal = &mut world.application.endpoints[EndpointId(0)].internal;
    internal.memory_stress = Some(MemoryStress { size_kb: 2_000, operations: 500 });
    internal.disk_stress = Some(DiskStress { blocks: 100, block_bytes: 5_000 });
    world.cell.costs = CellCosts {
        memory_ms_per_kb: 0.001,
        memory_ms_per_operation: 0.002,
        disk_ms_per_block: 0.03,
        disk_ms_per_kb: 0.004,
        disk_sync_ms: 5.0,
        disk_sync_ms_per_kb: 0.02,
        ..NO_COSTS
    };
    // 2 + 1 ms in memory, 3 + 2 ms for what is written and read, 5 + 10 ms until it is on the disk.
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network_and_sleep - 23.0).abs() < 1e-3, "{latency} of {network_and_sleep}");
    // A slower CPU makes the work longer, and not the wait.
    world.cell.costs.cpu_scale = 2.0;
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network_and_sleep - 31.0).abs() < 1e-3, "{latency} of {network_and_sleep}");
    // A law says what the work takes, and the disk is waited for all the same.
    let law = ServiceTime::Deterministic(Deterministic::new(1.0));
    world.application.endpoints[EndpointId(0)].service_time = Some(law);
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network_and_sleep - 17.0).abs() < 1e-3, "{latency} of {network_and_sleep}");
}

#[test]
fn a_law_takes_the_place_of_all_the_cell_s_costs() {
    let laws = [3.0, 5.0].map(|ms| ServiceTime::Deterministic(Deterministic::new(ms)));
    let nothing = [0.0, 0.0].map(|ms| ServiceTime::Deterministic(Deterministic::new(ms)));
    let network = alone_ms(&nothing);
    let mut world = chain(&laws, Arrivals::Constant { per_second: 1.0 }, 10);
    let dear = CellCosts {
        request_ms: 7.0,
        response_ms: 11.0,
        body_ms_per_kb: 13.0,
        call_ms: 17.0,
        group_ms: 19.0,
        ..NO_COSTS
    };
    world.cell.costs = dear;
    world.cell.speed_spread = 2.0;
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network - 8.0).abs() < 1e-3, "{latency}, of it network {network}");
    // The speed of the cores still counts.
    world.cell.costs.cpu_scale = 2.0;
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network - 16.0).abs() < 1e-3, "{latency}, of it network {network}");
    // A service without a law costs what it did.
    world.application.endpoints[EndpointId(1)].service_time = None;
    world.cell.costs = CellCosts { body_ms_per_kb: 0.0, ..dear };
    world.cell.speed_spread = 0.0;
    let latency = mean_latency_ms(&world, 0);
    assert!((latency - network - 3.0 - 18.0).abs() < 1e-3, "{latency}, of it network {network}");
}

#[test]
fn the_mean_sojourn_knows_only_the_mean_of_the_law() {
    let mean = 10.0;
    let even = Empirical::new((0..=10).map(|k| f64::from(k) * 0.2 * mean).collect());
    let laws = [
        ServiceTime::Deterministic(Deterministic::new(mean)),
        ServiceTime::Exponential(Exponential::new(mean)),
        ServiceTime::Gamma(Gamma::new(mean, 1.5)),
        ServiceTime::LogNormal(LogNormal::new(mean, 0.7)),
        ServiceTime::Empirical(even),
    ];
    let network = alone_ms(&[ServiceTime::Deterministic(Deterministic::new(0.0))]);
    for law in laws {
        let name = law.name();
        let mut world = chain(&[law], Arrivals::Poisson { per_second: 60.0 }, 1_000);
        world.warm_up = SimDuration::from_secs(10);
        let means: Vec<f64> = (0..8).map(|number| mean_latency_ms(&world, number) - network).collect();
        let estimate = mean_estimate(&means, 0.999).unwrap();
        let interval = estimate.interval.unwrap();
        let exact = mean / (1.0 - 0.6);
        assert!(interval.half_width() < 0.05 * exact, "{name}: {interval:?} shows nothing");
        assert!(interval.contains(exact), "{name}: {interval:?} misses {exact}");
    }
}
