//! Ambient mode: what ztunnels and waypoints add, what they follow and what they do not.
//!
//! Users call `s0` through the gateway, `s0` calls `s1`. Only delays, sleeps and the passes of ztunnels
//! and waypoints take time.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::envoy::proxy_cost::ProxyCost;
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{SimpleBalancer, TrafficPolicy};
use meshsim_models::istiod::locality_setting::TrafficDistribution;
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description, ServiceSettings};
use support::{
    CLOUD, EDGE, NO_PROXY_COST, all_ended, counted, free_world, is_binomial, run, same_ms, served,
    with_outlier_detection,
};

/// A pass of 1 ms in each direction.
const ONE_MS: ProxyCost = ProxyCost {
    request: SimDuration::from_millis(1),
    response: SimDuration::from_millis(1),
    ..NO_PROXY_COST
};

const fn every_ms(ms: f64) -> Arrivals {
    Arrivals::Constant { per_second: 1_000.0 / ms }
}

/// `s0` at the edge calls `s1`, whose pods are these.
fn chain(of_s1: &[(ClusterId, u32)], every: f64, seconds: u64) -> Description {
    let mut pods = vec![(0, EDGE, 1)];
    pods.extend(of_s1.iter().map(|&(cluster, pods)| (1, cluster, pods)));
    let mut description = free_world(&[1, 5], &[(0, 1)], &pods, every_ms(every), seconds);
    description.mesh.data_plane = DataPlane::Ambient;
    description
}

/// Connections that a cell or a gateway opens are closed by the server before the next request.
fn connecting_each_time(mut description: Description) -> Description {
    description.cell.keep_alive = SimDuration::from_millis(1);
    description
}

fn all_ok(record: &Record) {
    assert!(all_ended(record).iter().all(|(_, end)| end.status.is_ok()));
}

/// The latencies of the requests after the first.
fn assert_later(record: &Record, ms: f64) {
    all_ok(record);
    for (row, end) in all_ended(record).into_iter().skip(1) {
        assert!(same_ms(end.latency, ms), "request {}: {}, not {ms} ms", row.number, end.latency);
    }
}

#[test]
fn a_call_passes_two_ztunnels_in_both_directions() {
    for cluster in [EDGE, CLOUD] {
        let mut description = chain(&[(cluster, 1)], 1_000.0, 30);
        let to_s1 = if cluster == EDGE { 0.2 } else { 160.0 };
        let free = 0.2 + 1.0 + to_s1 + 5.0;
        assert_later(&run(&description, 0), free);
        description.mesh.ztunnel = ONE_MS;
        // Two for the call, and that of the node of s0 for the gateway's request.
        assert_later(&run(&description, 0), free + 4.0 + 2.0);
        // Without ambient mode there are none.
        description.mesh.data_plane = DataPlane::None;
        assert_later(&run(&description, 0), free);
    }
}

#[test]
fn a_waypoint_is_a_way_and_a_pass_more() {
    let mut description = chain(&[(EDGE, 1)], 1_000.0, 30);
    description.mesh.ztunnel = ONE_MS;
    let without = 0.2 + 1.0 + 0.2 + 5.0 + 6.0;
    assert_later(&run(&description, 0), without);
    description.services[ServiceId(1)].waypoint = true;
    // There and back inside the cluster.
    assert_later(&run(&description, 0), without + 0.2);
    description.mesh.waypoint = ONE_MS;
    assert_later(&run(&description, 0), without + 0.2 + 2.0);
    // Where the pod is does not matter: the waypoint is in the caller's cluster.
    let mut far = chain(&[(CLOUD, 1)], 1_000.0, 30);
    far.services[ServiceId(1)].waypoint = true;
    assert_later(&run(&far, 0), 0.2 + 1.0 + 160.0 + 5.0 + 0.2);
    // A tcp service has none.
    description.services[ServiceId(1)].protocol = Protocol::Tcp;
    assert_later(&run(&description, 0), without);
}

#[test]
fn a_tunnel_costs_three_round_trips_and_a_stream_in_it_one() {
    // Every 10 s, and every 400 s, after which the tunnel is closed.
    for (every, trips_later) in [(10_000.0, 1.0), (299_000.0, 1.0), (400_000.0, 3.0)] {
        let mut description = connecting_each_time(chain(&[(CLOUD, 1)], every, 4_000));
        for mtls in [true, false] {
            description.mesh.mtls = mtls;
            let record = run(&description, 0);
            all_ok(&record);
            for (row, end) in all_ended(&record) {
                let new = if mtls { 3.0 } else { 2.0 };
                let trips = if row.number == 0 || trips_later > 1.0 { new } else { 1.0 };
                // The gateway's tunnel to s0 is no other.
                let exact = 0.2 * (1.0 + trips) + 1.0 + 160.0 * (1.0 + trips) + 5.0;
                assert!(same_ms(end.latency, exact), "{end:?}, not {exact} ms");
            }
            assert_eq!(counted(&record, Counter::Connections), 2 * record.requests.len() as u64);
        }
    }
}

#[test]
fn the_tunnels_of_a_gateway_end_with_it() {
    let pods = [(0, CLOUD, 1)];
    let mut description = free_world(&[1], &[], &pods, every_ms(10_000.0), 100);
    description.mesh.data_plane = DataPlane::Ambient;
    description.outages = vec![Outage {
        of: Component::Gateway(EDGE),
        begins: SimTime::ZERO + SimDuration::from_secs(45),
        ends: Some(SimTime::ZERO + SimDuration::from_secs(46)),
    }];
    let record = run(&connecting_each_time(description), 0);
    all_ok(&record);
    for (row, end) in all_ended(&record) {
        let is_first = row.number == 0 || matches!(row.arrival.as_nanos() / 1_000_000_000, 46..=55);
        let trips = if is_first { 3.0 } else { 1.0 };
        assert!(same_ms(end.latency, 1.0 + 160.0 * (1.0 + trips)), "{row:?} {end:?}");
    }
}

#[test]
fn each_pod_has_a_tunnel_of_its_own() {
    // Two pods: the first connection to each makes a tunnel, whichever is chosen when.
    let record = run(&connecting_each_time(chain(&[(CLOUD, 2)], 10_000.0, 1_000)), 0);
    let tunnels = all_ended(&record).iter().filter(|(_, end)| end.latency.as_millis_f64() > 600.0).count();
    assert_eq!(tunnels, 2);
    let calls = served(&record, CLOUD);
    assert!(is_binomial(calls[0], calls[0] + calls[1], 0.5), "{calls:?}");
}

#[test]
fn a_handshake_costs_its_time_once_per_tunnel() {
    let mut description = connecting_each_time(chain(&[(EDGE, 1)], 10_000.0, 200));
    description.mesh.handshake = SimDuration::from_millis(2);
    let record = run(&description, 0);
    for (row, end) in all_ended(&record) {
        let exact = if row.number == 0 { 2.0 * (0.8 + 4.0) } else { 2.0 * 0.4 };
        assert!(same_ms(end.latency, exact + 6.0), "{end:?}");
    }
}

/// `s1` at the edge is dead, and nobody knows.
fn dead_s1(waypoint: bool) -> Record {
    let mut description = chain(&[(EDGE, 1)], 1_000.0, 100);
    description.services[ServiceId(1)].waypoint = waypoint;
    description.faults = vec![PodFault {
        service: ServiceId(1),
        cluster: EDGE,
        pod: None,
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Crash,
        seen_after: None,
    }];
    run(&description, 0)
}

#[test]
fn only_a_waypoint_retries() {
    for (waypoint, retries) in [(false, 0), (true, 2)] {
        let record = dead_s1(waypoint);
        let ended = all_ended(&record);
        let n = ended.len() as u64;
        for (row, end) in ended {
            assert_eq!((end.status.to_string().as_str(), end.totals.retries), ("500", retries));
            if row.number > 0 {
                // The gateway's hop, the refusals, and the way to the waypoint.
                let known = 0.2 + 1.0 + 0.2 * (retries + 1) as f64 + if waypoint { 0.2 } else { 0.0 };
                let waits = end.latency.as_millis_f64() - known;
                assert!((-1e-4..if waypoint { 75.0 } else { 1e-4 }).contains(&waits), "{waits}");
            }
        }
        assert!(counted(&record, Counter::ConnectFailures).abs_diff(n * (retries + 1)) <= 3);
    }
}

#[test]
fn a_waypoint_does_not_retry_what_was_sent() {
    let mut description = chain(&[(EDGE, 1)], 1_000.0, 100);
    description.services[ServiceId(1)].waypoint = true;
    description.faults = vec![PodFault {
        service: ServiceId(1),
        cluster: EDGE,
        pod: None,
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Errors { share: 1.0, status: 503 },
        seen_after: None,
    }];
    let record = run(&description, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.totals.retries == 0 && !end.status.is_ok()));
}

#[test]
fn a_traffic_distribution_is_followed_and_a_destination_rule_is_not() {
    let crossings = |settings: ServiceSettings| {
        let mut description = connecting_each_time(chain(&[(EDGE, 1), (CLOUD, 3)], 5_000.0, 5_000));
        description.services[ServiceId(1)] = settings;
        let record = run(&description, 0);
        all_ok(&record);
        let ended = all_ended(&record);
        let crossings = ended.iter().map(|(_, end)| end.totals.crossings).sum::<u64>();
        (crossings, ended.len() as u64)
    };
    let close = ServiceSettings {
        traffic_distribution: Some(TrafficDistribution::PreferClose),
        ..ServiceSettings::default()
    };
    assert_eq!(crossings(close.clone()).0, 0);
    let mut rule = with_outlier_detection();
    rule.traffic_policy.simple = SimpleBalancer::Random;
    let random = ServiceSettings {
        traffic_policy: TrafficPolicy { simple: SimpleBalancer::Random, ..TrafficPolicy::default() },
        ..ServiceSettings::default()
    };
    for settings in [ServiceSettings::default(), rule.clone()] {
        let (crossed, n) = crossings(settings);
        assert!(is_binomial(crossed, n, 0.75), "{crossed} of {n}");
    }
    // With a waypoint it is.
    let with_waypoint = |settings| ServiceSettings { waypoint: true, ..settings };
    assert_eq!(crossings(with_waypoint(rule)).0, 0);
    assert_eq!(crossings(with_waypoint(close)).0, 0);
    let (crossed, n) = crossings(with_waypoint(random));
    assert!(is_binomial(crossed, n, 0.75), "{crossed} of {n}");
}

#[test]
fn limits_are_those_of_waypoints() {
    for (waypoint, overflows) in [(false, false), (true, true)] {
        let mut description = chain(&[(EDGE, 1)], 20.0, 20);
        description.populations[0].arrivals = Arrivals::Poisson { per_second: 200.0 };
        let s1 = &mut description.services[ServiceId(1)];
        s1.waypoint = waypoint;
        s1.traffic_policy.connection_pool.http2_max_requests = Some(1);
        let record = run(&description, 0);
        let failed = all_ended(&record).iter().filter(|(_, end)| !end.status.is_ok()).count() as u64;
        assert_eq!(failed > 100, overflows, "{failed}");
        let refused = counted(&record, Counter::RequestOverflows);
        assert!(refused.abs_diff(failed) <= 1, "{refused}, {failed}");
    }
}

#[test]
fn over_ambient_a_connection_keeps_its_pod() {
    // Kept connections of one cell worker: one, and always the same pod.
    let record = run(&chain(&[(EDGE, 3)], 100.0, 100), 0);
    all_ok(&record);
    let calls = &served(&record, EDGE)[1..];
    assert_eq!(calls.iter().filter(|&&count| count > 0).count(), 1, "{calls:?}");
    // A waypoint chooses for each request.
    let mut description = chain(&[(EDGE, 3)], 100.0, 100);
    description.services[ServiceId(1)].waypoint = true;
    let record = run(&description, 0);
    let calls = &served(&record, EDGE)[1..];
    assert!(calls.iter().all(|&count| is_binomial(count, calls.iter().sum(), 1.0 / 3.0)), "{calls:?}");
}

#[test]
fn a_ztunnel_chooses_no_pod_that_is_not_ready() {
    let mut description = connecting_each_time(chain(&[(EDGE, 3)], 1_500.0, 150));
    description.faults = vec![PodFault {
        service: ServiceId(1),
        cluster: EDGE,
        pod: Some(0),
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Unready,
        seen_after: Some(SimDuration::ZERO),
    }];
    // Istio sends unready endpoints too from 1.31 on.
    let calls = &served(&run(&description, 0), EDGE)[1..];
    assert_eq!(calls[0], 0, "{calls:?}");
    assert!(calls[1] > 20 && calls[2] > 20, "{calls:?}");
}

#[test]
fn over_grpc_a_ztunnel_chooses_once_per_channel() {
    let mut description = chain(&[(EDGE, 4)], 10.0, 50);
    description.populations[0].arrivals = Arrivals::Poisson { per_second: 100.0 };
    description.services[ServiceId(1)].protocol = Protocol::Http2;
    let mut chosen = Vec::new();
    for replication in 0..8 {
        let record = run(&description, replication);
        all_ok(&record);
        // The channel of the one worker, and the gateway's connections to s0.
        let calls = &served(&record, EDGE)[1..];
        let busy: Vec<usize> = (0..4).filter(|&pod| calls[pod] > 0).collect();
        assert_eq!(busy.len(), 1, "{calls:?}");
        chosen.extend(busy);
    }
    chosen.sort_unstable();
    chosen.dedup();
    assert!(chosen.len() > 1, "not always the same pod");
    // A waypoint sees requests.
    description.services[ServiceId(1)].waypoint = true;
    let calls = &served(&run(&description, 0), EDGE)[1..];
    assert!(calls.iter().all(|&count| count > 500), "{calls:?}");
}
