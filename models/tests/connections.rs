//! Connections: how many there are, what they cost, when they end, and what sticks to them.
//!
//! Only delays and sleeps take time: a request on a kept connection takes a round trip and its sleep,
//! one that makes a connection one round trip more for TCP and another for TLS.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::proxy_cost::ProxyCost;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::envoy::session_affinity::{ConsistentHash, HashAlgorithm, HashPolicy};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{ConnectionPoolSettings, OutlierDetectionSettings};
use meshsim_models::multi_network::gateway::EastWestSettings;
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{Description, Federation, ServiceSettings};
use support::{
    CLOUD, EDGE, NO_PROXY_COST, all_ended, counted, free_world, is_binomial, run, same_ms, served,
};

const fn every_ms(ms: f64) -> Arrivals {
    Arrivals::Constant { per_second: 1_000.0 / ms }
}

const fn poisson(per_second: f64) -> Arrivals {
    Arrivals::Poisson { per_second }
}

fn one_pod(cluster: ClusterId, sleep_ms: u64, arrivals: Arrivals, seconds: u64) -> Description {
    free_world(&[sleep_ms], &[], &[(0, cluster, 1)], arrivals, seconds)
}

fn pool(description: &mut Description) -> &mut ConnectionPoolSettings {
    &mut description.services[ServiceId(0)].traffic_policy.connection_pool
}

fn all_ok(record: &Record) {
    for (row, end) in all_ended(record) {
        assert!(end.status.is_ok(), "{} at {:?}", end.status, row.arrival);
    }
}

/// The largest number of requests that were under way at once.
fn peak(record: &Record) -> usize {
    let mut changes: Vec<(SimTime, i32)> = Vec::new();
    for row in &record.requests {
        changes.push((row.arrival, 1));
        if let Some(end) = row.end {
            changes.push((row.arrival + end.latency, -1));
        }
    }
    changes.sort_unstable();
    let sums = changes.iter().scan(0, |sum, (_, change)| {
        *sum += change;
        Some(*sum)
    });
    sums.max().unwrap() as usize
}

#[test]
fn over_http2_a_worker_has_one_connection_to_each_endpoint() {
    let mut description = free_world(&[200], &[], &[(0, EDGE, 3)], poisson(100.0), 50);
    description.services[ServiceId(0)].protocol = Protocol::Http2;
    description.gateway.concurrency = 2;
    let record = run(&description, 0);
    all_ok(&record);
    assert!(peak(&record) > 20);
    assert_eq!(counted(&record, Counter::Connections), 6);
}

#[test]
fn over_http2_requests_wait_for_the_one_connection_that_is_made() {
    // The handshake takes 320 ms, in which a hundred requests come.
    let mut description = one_pod(CLOUD, 10, poisson(300.0), 20);
    description.services[ServiceId(0)].protocol = Protocol::Http2;
    let record = run(&description, 0);
    assert_eq!(counted(&record, Counter::Connections), 1);
    let first = record.requests[0].arrival;
    for (row, end) in all_ended(&record) {
        let ready = first + SimDuration::from_millis(320);
        let waits = ready.saturating_since(row.arrival).as_millis_f64();
        assert!(same_ms(end.latency, waits + 170.0), "{end:?}");
    }
}

#[test]
fn over_http1_there_are_as_many_connections_as_requests_at_once() {
    let record = run(&one_pod(EDGE, 50, poisson(100.0), 100), 0);
    all_ok(&record);
    assert_eq!(counted(&record, Counter::Connections), peak(&record) as u64);
}

/// Envoy makes a connection only if more requests wait than connections are being made
/// (`conn_pool_base.cc`, `shouldConnect`): one that is left over because its request got another
/// serves the next that waits.
#[test]
fn a_connection_that_is_being_made_for_nobody_is_for_the_next() {
    let record = run(&one_pod(CLOUD, 10, poisson(20.0), 100), 0);
    all_ok(&record);
    let (connections, peak) = (counted(&record, Counter::Connections), peak(&record) as u64);
    assert!(connections <= peak, "{connections} connections for {peak} requests at once");
}

#[test]
fn a_request_that_waits_takes_whichever_connection_is_free_first() {
    // 170 ms on a kept connection, 320 ms to make one: nobody waits for more than the handshake.
    let record = run(&one_pod(CLOUD, 10, poisson(20.0), 200), 0);
    let mut waited = 0;
    for (_, end) in all_ended(&record) {
        let wait = end.latency.as_millis_f64() - 170.0;
        assert!((-1e-4..320.0 + 1e-4).contains(&wait), "{wait} ms");
        assert!((end.totals.connect_nanos as f64 - wait * 1e6).abs() <= 1.0);
        waited += u32::from(wait > 1e-4 && wait < 320.0 - 1e-4);
    }
    assert!(waited > 0);
}

#[test]
fn a_connection_costs_a_round_trip_and_another_with_encryption() {
    for (cluster, round_trip) in [(EDGE, 0.2), (CLOUD, 160.0)] {
        for mtls in [false, true] {
            let mut description = one_pod(cluster, 5, every_ms(500.0), 50);
            description.mesh.mtls = mtls;
            let new = round_trip * if mtls { 3.0 } else { 2.0 } + 5.0;
            // Kept: only the first request pays.
            let record = run(&description, 0);
            for (row, end) in all_ended(&record) {
                let exact = if row.number == 0 { new } else { round_trip + 5.0 };
                assert!(same_ms(end.latency, exact), "{end:?}, not {exact} ms");
            }
            assert_eq!(counted(&record, Counter::Connections), 1);
            // Used once each: all pay.
            pool(&mut description).max_requests_per_connection = Some(1);
            let record = run(&description, 0);
            assert!(all_ended(&record).iter().all(|(_, end)| same_ms(end.latency, new)));
            assert_eq!(counted(&record, Counter::Connections), record.requests.len() as u64);
            // Used five times each: every fifth pays.
            pool(&mut description).max_requests_per_connection = Some(5);
            let record = run(&description, 0);
            for (row, end) in all_ended(&record) {
                let exact = if row.number % 5 == 0 { new } else { round_trip + 5.0 };
                assert!(same_ms(end.latency, exact), "{end:?}, not {exact} ms");
            }
        }
    }
}

#[test]
fn a_handshake_costs_each_side_its_time() {
    let mut description = one_pod(EDGE, 5, every_ms(100.0), 20);
    description.mesh.handshake = SimDuration::from_millis(1);
    pool(&mut description).max_requests_per_connection = Some(1);
    let record = run(&description, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| same_ms(end.latency, 0.6 + 5.0 + 2.0)));
    let cpu = record.metrics_from(EDGE, SimTime::ZERO).proxy_cpu_seconds;
    assert!((cpu - 0.002 * record.requests.len() as f64).abs() < 1e-9, "{cpu}");
}

/// A stream counts when it begins (`conn_pool_base.cc`, `attachStreamToClient`): a connection whose
/// requests are used up takes no more, whether or not they have been answered.
#[test]
fn over_http2_a_connection_takes_no_more_than_its_requests() {
    for most in [1, 4] {
        let mut description = one_pod(EDGE, 200, poisson(100.0), 50);
        description.services[ServiceId(0)].protocol = Protocol::Http2;
        pool(&mut description).max_requests_per_connection = Some(most);
        let record = run(&description, 0);
        all_ok(&record);
        let (connections, least) =
            (counted(&record, Counter::Connections), record.requests.len() as u64 / u64::from(most));
        assert!((least..=least + 2).contains(&connections), "{connections}, {least} for {most} each");
    }
}

#[test]
fn an_idle_connection_is_closed() {
    // Answers come 5.2 ms after the request; the next one 994.8 ms after that.
    for (idle_ms, new_each_time) in [(990, true), (1_000, false)] {
        for by_tcp in [false, true] {
            let mut description = one_pod(EDGE, 5, every_ms(1_000.0), 50);
            let idle = Some(SimDuration::from_millis(idle_ms));
            let limits = pool(&mut description);
            if by_tcp {
                limits.tcp_idle_timeout = idle;
            } else {
                limits.http_idle_timeout = idle;
                limits.tcp_idle_timeout = Some(SimDuration::from_millis(1));
            }
            let record = run(&description, 0);
            all_ok(&record);
            let expected = if new_each_time { record.requests.len() as u64 } else { 1 };
            assert_eq!(counted(&record, Counter::Connections), expected, "{idle_ms} ms");
        }
    }
}

/// The client itself closes what is idle or too old, so no request can meet that close, however far
/// the server is.
#[test]
fn a_proxy_s_own_time_outs_reset_nothing() {
    // 170 ms on a kept connection, so idle for 950 and 1,050 ms.
    for (every, new_each_time) in [(1_120.0, false), (1_220.0 + 320.0, true)] {
        let mut description = one_pod(CLOUD, 10, every_ms(every), 60);
        pool(&mut description).http_idle_timeout = Some(SimDuration::from_secs(1));
        let record = run(&description, 0);
        all_ok(&record);
        let expected = if new_each_time { record.requests.len() as u64 } else { 1 };
        assert_eq!(counted(&record, Counter::Connections), expected, "every {every} ms");
    }
}

/// A shared connection is idle only while nothing is under way on it.
#[test]
fn over_http2_a_connection_with_a_request_is_not_idle() {
    // Three requests are always under way, and an answer comes every second.
    let mut description = one_pod(EDGE, 3_000, every_ms(1_000.0), 50);
    description.services[ServiceId(0)].protocol = Protocol::Http2;
    pool(&mut description).http_idle_timeout = Some(SimDuration::from_millis(500));
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!(counted(&record, Counter::Connections), 1);
}

/// A connection's age, which none of these requests meets the end of within its way to the pod.
#[test]
fn a_connection_is_closed_at_its_age() {
    let mut description = one_pod(EDGE, 5, every_ms(10.3), 100);
    pool(&mut description).max_connection_duration = Some(SimDuration::from_secs(1));
    let record = run(&description, 0);
    all_ok(&record);
    // The first request after a second makes the next: every 98 x 10.3 ms.
    assert_eq!(counted(&record, Counter::Connections), 100_000 / 1_010 + 1);
}

/// Over a long way, too, a request at an age of 1,200 ms is safe under a limit of 1,250 ms: it is the
/// client that closes, and not while a request is under way.
#[test]
fn a_connection_that_grows_too_old_resets_nothing() {
    // 485 ms with a new connection and 165 ms on a kept one: one request at a time.
    let mut description = one_pod(CLOUD, 5, every_ms(600.0), 100);
    pool(&mut description).max_connection_duration = Some(SimDuration::from_millis(1_250));
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!(counted(&record, Counter::Connections), record.requests.len().div_ceil(3) as u64);
}

#[test]
fn a_handshake_may_take_too_long() {
    let mut description = one_pod(CLOUD, 5, every_ms(1_000.0), 60);
    // The handshake takes 320 ms.
    pool(&mut description).connect_timeout = Some(SimDuration::from_millis(321));
    all_ok(&run(&description, 0));
    pool(&mut description).connect_timeout = Some(SimDuration::from_millis(200));
    let record = run(&description, 0);
    for (_, end) in all_ended(&record) {
        assert_eq!((end.status.to_string().as_str(), end.totals.retries), ("503 UF", 2));
        let waits = end.latency.as_millis_f64() - 600.0;
        assert!((-1e-4..75.0).contains(&waits), "{waits}");
    }
    assert_eq!(served(&record, CLOUD), [0]);
    // Without encryption 160 ms are enough.
    description.mesh.mtls = false;
    all_ok(&run(&description, 0));
    // The mesh's own setting holds where the service has none.
    description.mesh.connect_timeout = SimDuration::from_millis(100);
    all_ok(&run(&description, 0));
    pool(&mut description).connect_timeout = None;
    let record = run(&description, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.to_string() == "503 UF"));
}

#[test]
fn a_time_out_closes_the_connection_over_http1_only() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut description = one_pod(EDGE, 100, every_ms(200.0), 50);
        let settings = &mut description.services[ServiceId(0)];
        settings.protocol = protocol;
        let timeout = Some(SimDuration::from_millis(50));
        settings.routes = vec![RouteSettings { timeout, ..RouteSettings::default() }];
        let record = run(&description, 0);
        assert!(all_ended(&record).iter().all(|(_, end)| end.status.to_string() == "504 UT"));
        let expected = if protocol == Protocol::Http1 { record.requests.len() as u64 } else { 1 };
        assert_eq!(counted(&record, Counter::Connections), expected);
    }
}

#[test]
fn a_request_that_gives_up_waiting_leaves_its_connection_to_the_next() {
    // A handshake of 200 ms and a time-out of 50: the first request is never sent.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut description = one_pod(EDGE, 5, every_ms(500.0), 50);
        description.mesh.handshake = SimDuration::from_millis(100);
        let timeout = Some(SimDuration::from_millis(50));
        let settings = &mut description.services[ServiceId(0)];
        settings.protocol = protocol;
        settings.routes = vec![RouteSettings { timeout, ..RouteSettings::default() }];
        settings.traffic_policy.connection_pool.http1_max_pending_requests = Some(1);
        let record = run(&description, 0);
        for (row, end) in all_ended(&record) {
            let (status, ms) = if row.number == 0 { ("504 UT", 50.0) } else { ("200", 5.2) };
            assert_eq!(end.status.to_string(), status);
            assert!(same_ms(end.latency, ms), "{end:?}");
        }
        assert_eq!(counted(&record, Counter::Connections), 1);
        assert!(served(&record, EDGE)[0] < record.requests.len() as u64);
    }
}

/// s0 calls s1, which has two pods and speaks `protocol`.
fn caller_of_two(protocol: Protocol) -> Description {
    let pods = [(0, EDGE, 1), (1, EDGE, 2)];
    let mut description = free_world(&[0, 5], &[(0, 1)], &pods, every_ms(50.0), 20);
    description.services[ServiceId(1)].protocol = protocol;
    description
}

#[test]
fn over_tcp_an_endpoint_is_chosen_once_per_connection() {
    let mut firsts = 0;
    for replication in 0..40 {
        let record = run(&caller_of_two(Protocol::Tcp), replication);
        all_ok(&record);
        let [_, first, second] = served(&record, EDGE)[..] else { panic!() };
        assert!(first.min(second) == 0 && first + second >= 398, "{first}, {second}");
        firsts += u64::from(first > 0);
        // The gateway's connection to s0, and this one.
        assert_eq!(counted(&record, Counter::Connections), 2);
        // Both handshakes at the first request, then none.
        for (row, end) in all_ended(&record) {
            let exact = 5.0 + 0.4 + if row.number == 0 { 0.8 } else { 0.0 };
            assert!(same_ms(end.latency, exact), "{end:?}");
        }
    }
    assert!(is_binomial(firsts, 40, 0.5), "{firsts}");
    let [_, first, second] = served(&run(&caller_of_two(Protocol::Http1), 0), EDGE)[..] else { panic!() };
    assert!(is_binomial(first, first + second, 0.5), "{first}, {second}");
}

fn dead(service: u32, cluster: ClusterId) -> PodFault {
    PodFault {
        service: ServiceId(service),
        cluster,
        pod: None,
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Crash,
        seen_after: None,
    }
}

#[test]
fn over_tcp_nothing_is_retried_and_refused_connections_eject() {
    let pods = [(0, EDGE, 1), (1, EDGE, 1), (1, CLOUD, 1)];
    let mut description = free_world(&[0, 5], &[(0, 1)], &pods, every_ms(500.0), 25);
    description.services[ServiceId(1)].protocol = Protocol::Tcp;
    description.services[ServiceId(1)].traffic_policy.outlier_detection = Some(OutlierDetectionSettings {
        max_ejection_percent: Some(100),
        ..OutlierDetectionSettings::default()
    });
    description.faults = vec![dead(1, EDGE)];
    let record = run(&description, 0);
    for (row, end) in all_ended(&record) {
        assert_eq!(end.totals.retries, 0);
        // Five failures, then the far pod: its connection is kept.
        let (status, crossings) = if row.number < 5 { ("500", 0) } else { ("200", 1) };
        assert_eq!((end.status.to_string().as_str(), end.totals.crossings), (status, crossings));
    }
    assert_eq!(counted(&record, Counter::ConnectFailures), 5);
    assert_eq!(counted(&record, Counter::Ejections), 1);
    assert_eq!(counted(&record, Counter::Retries), 0);
}

fn sessions(policy: HashPolicy, algorithm: Option<HashAlgorithm>) -> Description {
    let mut description = free_world(&[0], &[], &[(0, EDGE, 3)], every_ms(10.0), 100);
    description.services[ServiceId(0)] = ServiceSettings {
        hash: Some(ConsistentHash { policy, algorithm, minimum_ring_size: 0 }),
        ..ServiceSettings::default()
    };
    let users = &mut description.populations[0];
    users.users = 300;
    users.personal = vec!["x-user".into()];
    users.counts_session_moves = true;
    description
}

fn cookie(ttl: Option<SimDuration>) -> HashPolicy {
    HashPolicy::Cookie { name: "session".into(), ttl, path: String::new() }
}

#[test]
fn what_identifies_a_user_keeps_it_at_its_pod() {
    let kept = [
        HashPolicy::Header("x-user".into()),
        HashPolicy::QueryParameter("x-user".into()),
        cookie(Some(SimDuration::ZERO)),
        HashPolicy::SourceIp,
    ];
    for policy in kept {
        for algorithm in [
            None,
            Some(HashAlgorithm::RingHash { minimum_ring_size: 0 }),
            Some(HashAlgorithm::Maglev { table_size: 0 }),
        ] {
            let mut description = sessions(policy.clone(), algorithm);
            // New ports change nothing for these.
            description.populations[0].reconnects_after = Some(SimDuration::from_secs(20));
            let record = run(&description, 0);
            assert_eq!(counted(&record, Counter::SessionMoves), 0, "{policy:?}, {algorithm:?}");
            let served = served(&record, EDGE);
            assert!(served.iter().all(|&count| count > 1_500), "{policy:?}, {algorithm:?}: {served:?}");
        }
    }
}

#[test]
fn without_anything_to_hash_users_move_at_random() {
    let mut least_request = sessions(HashPolicy::SourceIp, None);
    least_request.services[ServiceId(0)].hash = None;
    let cases = [
        least_request,
        // Nobody sends this header, and nobody makes this cookie.
        sessions(HashPolicy::Header("x-other".into()), None),
        sessions(cookie(None), None),
    ];
    for description in cases {
        let record = run(&description, 0);
        let later = record.requests.len() as u64 - 300;
        let moves = counted(&record, Counter::SessionMoves);
        assert!(is_binomial(moves, later, 2.0 / 3.0), "{moves} of {later}");
    }
}

#[test]
fn a_cookie_that_expires_is_made_anew() {
    // A user comes every 3 s and from a new port every 20 s: a new cookie per connection, at most.
    let mut description = sessions(cookie(Some(SimDuration::from_secs(2))), None);
    description.populations[0].reconnects_after = Some(SimDuration::from_secs(20));
    let moves = counted(&run(&description, 0), Counter::SessionMoves);
    // Each user connects five times more, to another pod in two cases of three.
    assert!(moves.abs_diff(300 * 5 * 2 / 3) < 120, "{moves}");
}

#[test]
fn a_pod_that_leaves_moves_its_users_and_few_others() {
    let mut description = sessions(HashPolicy::Header("x-user".into()), None);
    let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
    description.faults = vec![PodFault {
        pod: Some(0),
        begins: at(30),
        ends: Some(at(60)),
        kind: FaultKind::Unready,
        seen_after: Some(SimDuration::ZERO),
        ..dead(0, EDGE)
    }];
    let record = run(&description, 0);
    all_ok(&record);
    // Each of its users moves away and back again. They take turns: a round is 3 s.
    let before = record.metrics_from(EDGE, at(3)).served[0] - record.metrics_from(EDGE, at(6)).served[0];
    let moves = counted(&record, Counter::SessionMoves);
    // A host has 342 points on the ring of three and 512 on that of two: 340 new points among 1,366 take
    // a quarter of the other users, half of them to the other pod; three standard deviations more.
    let most = 2 * before + 2 * (300 - before) / 8 + 30;
    assert!((2 * before..=most).contains(&moves) && before > 40, "{moves}, {before} users");
}

/// The same clusters as networks of their own, whose gateways take no time.
fn over_gateways(description: Description) -> Description {
    let settings = EastWestSettings { cost: NO_PROXY_COST, ..EastWestSettings::default() };
    Description { federation: Some(Federation::MultiNetwork(settings)), ..description }
}

/// Users at the edge, whose gateway calls one pod there and three in the cloud.
fn one_here_three_there(arrivals: Arrivals) -> Description {
    let mut description = free_world(&[5], &[], &[(0, EDGE, 1), (0, CLOUD, 3)], arrivals, 400);
    // In turn, by weights.
    description.gateway.load_balancer = Some(Policy::RoundRobin);
    description
}

#[test]
fn a_gateway_gets_as_many_requests_as_the_pods_behind_it() {
    for description in
        [one_here_three_there(poisson(50.0)), over_gateways(one_here_three_there(poisson(50.0)))]
    {
        let record = run(&description, 0);
        all_ok(&record);
        let (here, there) = (served(&record, EDGE)[0], served(&record, CLOUD));
        let all = here + there.iter().sum::<u64>();
        assert!(is_binomial(here, all, 0.25), "{here} of {all}");
        // Of those that go there each pod has a share, by request or by connection.
        assert!(there.iter().all(|&it| it > all / 8), "{there:?}");
    }
}

/// A proxy of HTTP/2 has one connection to the gateway, which passes it on to one pod: nobody balances requests there.
#[test]
fn behind_a_gateway_connections_are_balanced_and_not_requests() {
    let mut flat = one_here_three_there(poisson(50.0));
    flat.services[ServiceId(0)].protocol = Protocol::Http2;
    let busy = |description: &Description| {
        let record = run(description, 0);
        all_ok(&record);
        served(&record, CLOUD).into_iter().filter(|&calls| calls > 0).count()
    };
    assert_eq!([busy(&flat), busy(&over_gateways(flat))], [3, 1]);
}

/// A request passes the gateway and the way from there to its pod, and back; what makes a connection passes the way to the
/// pod twice more, for TCP and for TLS.
#[test]
fn a_gateway_is_one_more_proxy_on_the_way() {
    let us = SimDuration::from_micros;
    let flat = one_pod(CLOUD, 5, every_ms(1_000.0), 30);
    let cost = ProxyCost { request: us(30), response: us(50), ..NO_PROXY_COST };
    let settings = EastWestSettings { cost, ..EastWestSettings::default() };
    let split = Description {
        federation: Some(Federation::MultiNetwork(settings)),
        ..one_pod(CLOUD, 5, every_ms(1_000.0), 30)
    };
    let latencies = |description: &Description| -> Vec<f64> {
        let record = run(description, 0);
        all_ok(&record);
        all_ended(&record).iter().map(|(_, end)| end.latency.as_millis_f64()).collect()
    };
    let (flat, split) = (latencies(&flat), latencies(&split));
    for (n, (flat, split)) in flat.iter().zip(&split).enumerate() {
        let connects = if n == 0 { 0.4 } else { 0.0 };
        assert!((split - flat - 0.08 - 0.2 - connects).abs() < 1e-4, "request {n}: {split}, {flat}");
    }
}

/// Ejection hits all pods behind a gateway, and without mTLS nobody behind one is reached.
#[test]
fn a_gateway_is_one_host_and_needs_mtls() {
    let crash = |ordinal| PodFault {
        service: ServiceId(0),
        cluster: CLOUD,
        pod: Some(ordinal),
        kind: FaultKind::Errors { share: 1.0, status: 500 },
        begins: SimTime::ZERO,
        ends: None,
        seen_after: None,
    };
    let mut description = over_gateways(free_world(&[5], &[], &[(0, CLOUD, 3)], poisson(50.0), 60));
    let settings = &mut description.services[ServiceId(0)].traffic_policy;
    settings.outlier_detection =
        Some(OutlierDetectionSettings { max_ejection_percent: Some(100), ..Default::default() });
    description.faults = (0..3).map(crash).collect();
    let ejected = counted(&run(&description, 0), Counter::Ejections);
    assert!(ejected > 0 && ejected <= 6, "{ejected} ejections of one host");
    let mut plain = over_gateways(free_world(&[5], &[], &[(0, CLOUD, 3)], poisson(50.0), 10));
    plain.mesh.mtls = false;
    let record = run(&plain, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| !end.status.is_ok()));
}
