//! Closed forms at light load: calls, crossings and latencies over the call tree.
//!
//! At light load nothing queues, so a request's latency is the sum of its service times and
//! network delays. Crossings follow from the tree alone: with locality failover a call crosses if
//! and only if its callee is not where its caller is.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_core::stats::{Estimate, mean_estimate};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::Description;
use support::{CALLS, Ended, cloud_and_edge, ended, run, without_mesh};

/// The mean of a figure of each request over replications, with its 99.9 % interval.
fn estimate(description: &Description, replications: u32, figure: impl Fn(&Ended) -> f64) -> Estimate {
    let means: Vec<f64> = (0..replications)
        .map(|replication| {
            let record = run(description, replication);
            let ended = ended(description, &record);
            ended.iter().map(|(_, end)| figure(end)).sum::<f64>() / ended.len() as f64
        })
        .collect();
    mean_estimate(&means, 0.999).unwrap()
}

fn assert_contains(name: &str, estimate: &Estimate, exact: f64, half_width: f64) {
    let interval = estimate.interval.unwrap();
    assert!(interval.contains(exact), "{name}: {} in {interval:?}, not {exact}", estimate.value);
    assert!(interval.half_width() < half_width, "{name}: {interval:?} is too wide to mean anything");
}

fn tiny_bodies(offloaded: &[u32]) -> Description {
    let mut description = cloud_and_edge(|_| 0.001, offloaded, 20.0);
    description.cell.costs.request_ms = 1.0;
    description
}

#[test]
fn a_user_request_makes_2_524_calls() {
    let calls = estimate(&tiny_bodies(&[0]), 10, |end| end.totals.calls as f64);
    assert_contains("calls", &calls, 2.524, 0.03);
}

#[test]
fn crossings_with_the_mesh_are_those_of_the_tree() {
    let cases: [(&[u32], f64); 6] = [
        (&[], 1.0),
        (&[0], 1.2),
        (&[0, 1], 0.99),
        (&[0, 1, 2], 0.69),
        (&[0, 1, 2, 3], 0.57),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0.0),
    ];
    for (offloaded, exact) in cases {
        let crossings = estimate(&tiny_bodies(offloaded), 10, |end| end.totals.crossings as f64);
        // Without randomness (1 and 0 crossings) the interval is a point.
        let interval = crossings.interval.unwrap();
        assert!(interval.contains(exact), "{offloaded:?}: {interval:?}, not {exact}");
        assert!(interval.half_width() < 0.03, "{offloaded:?}: {interval:?}");
    }
}

#[test]
fn with_the_mesh_nothing_returns() {
    let returns = estimate(&tiny_bodies(&[0, 1, 2, 3]), 2, |end| end.totals.returns as f64);
    assert_eq!(returns.value, 0.0);
}

/// Without a mesh every call to a service with a pod in each cluster crosses with probability 1/2
/// (kube-proxy, and a gateway that takes turns). kube-proxy's choice lasts as long as a connection,
/// and under load a client that has a near and a far connection finds the near one idle more often;
/// so the load is very light here and the replications are many. Nothing is closed for idleness,
/// which would reset some requests and leave out what they would have called.
#[test]
fn crossings_without_the_mesh_are_those_of_coin_flips() {
    let mut description = without_mesh(tiny_bodies(&[0, 1, 2, 3]));
    description.populations[0].arrivals = Arrivals::Poisson { per_second: 0.5 };
    description.cell.keep_alive = SimDuration::from_secs(100_000);
    description.duration = SimDuration::from_secs(600);
    let crossings = estimate(&description, 800, |end| end.totals.crossings as f64);
    assert_contains("crossings", &crossings, 1.235, 0.03);
    description.deployments[0].replicas = 2;
    let crossings = estimate(&description, 800, |end| end.totals.crossings as f64);
    assert_contains("crossings with two pods of s0 in the cloud", &crossings, 1.352, 0.03);
}

/// Fixed service times, tiny bodies, warm connections: what differs between two strategies is the
/// number of crossings, each a round trip.
#[test]
fn two_strategies_differ_by_their_crossings_times_the_round_trip() {
    let (far, near) = (tiny_bodies(&[]), tiny_bodies(&[0, 1, 2, 3]));
    let latency = |end: &Ended| end.latency.as_millis_f64();
    let mut differences = Vec::new();
    for replication in 0..10 {
        let [far, near] = [&far, &near].map(|description| {
            let record = run(description, replication);
            let ended = ended(description, &record);
            let mean = |f: &dyn Fn(&Ended) -> f64| {
                ended.iter().map(|(_, end)| f(end)).sum::<f64>() / ended.len() as f64
            };
            (mean(&latency), mean(&|end| end.totals.crossings as f64))
        });
        differences.push((far.0 - near.0) - (far.1 - near.1) * 160.0);
    }
    // Connections that are made beyond the warm-up, serialization and local delays: below 2 ms of
    // 69.
    let difference = mean_estimate(&differences, 0.999).unwrap();
    assert!(difference.value.abs() < 2.0, "{difference:?}");
}

/// The mean latency, computed here from the tree: every call costs 2 ms of CPU (one before, one
/// after its calls), a crossing 160 ms, a local hop 0.2 ms, and so on down.
#[test]
fn the_mean_latency_is_the_sum_over_the_expected_tree() {
    let offloaded = [0, 1, 2, 3];
    let mut description = tiny_bodies(&offloaded);
    description.cell.costs.response_ms = 1.0;
    let at_edge = |service: u32| offloaded.contains(&service);
    // Visits to each service, and to each hop between clusters and inside one.
    let mut visits = [0.0; 10];
    visits[0] = 1.0;
    let (mut local, mut crossing) = (1.0, 0.0); // the gateway's hop to s0
    for (from, to) in CALLS {
        let calls = visits[from as usize] * 0.3;
        visits[to as usize] += calls;
        // A callee that is not offloaded is called from the edge over the link, from the cloud not.
        if at_edge(from) && !at_edge(to) { crossing += calls } else { local += calls }
    }
    let exact = 2.0 * visits.iter().sum::<f64>() + 160.0 * crossing + 0.2 * local;
    let latency = estimate(&description, 10, |end| end.latency.as_millis_f64());
    // Header bytes take microseconds to serialize, some connections are new, and now and then two
    // requests share a worker.
    assert!((latency.value - exact).abs() < 0.012 * exact, "{latency:?}, not {exact}");
    assert!(latency.interval.unwrap().half_width() < 0.02 * exact, "{latency:?}");
}
