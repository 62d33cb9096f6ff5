//! Routes: time-outs, faults that proxies inject, splits, mirrors, headers.
//!
//! Only delays and sleeps take time, so every latency is a sum that is known, and every share is a
//! draw per request.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Endpoint;
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::envoy::fault_injection::FaultInjection;
use meshsim_models::envoy::route::{
    Conditions, Destination, FieldMatch, Mirror, RouteSettings, ValueMatch, WeightedDestination,
};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId, SubsetId};
use meshsim_models::istiod::cluster_policy::{ConnectionPoolSettings, SimpleBalancer, TrafficPolicy};
use meshsim_models::istiod::failover_priority::Labels;
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::istiod::subset::{Subset, SubsetSettings};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::requests::Requests;
use meshsim_models::world::description::{DataPlane, Description};
use support::{
    CLOUD, EDGE, LOCAL_ROUND_TRIP_MS, all_ended, counted, counted_of, free_world, is_binomial, run, same_ms,
    served,
};

const TEN: Arrivals = Arrivals::Constant { per_second: 10.0 };
const HUNDRED: Arrivals = Arrivals::Constant { per_second: 100.0 };

/// TCP and TLS inside a cluster.
const HANDSHAKE_MS: f64 = 2.0 * LOCAL_ROUND_TRIP_MS;

fn ms(ms: u64) -> SimDuration {
    SimDuration::from_millis(ms)
}

fn retry(attempts: i32, retry_on: &str, per_try_timeout: Option<SimDuration>) -> Option<RetryPolicy> {
    let settings =
        RetrySettings { attempts, retry_on: retry_on.into(), per_try_timeout, ..RetrySettings::default() };
    RetryPolicy::new(NEWEST, Some(&settings), false)
}

fn with_route(mut description: Description, route: RouteSettings) -> Description {
    description.services[ServiceId(0)].routes.push(route);
    description
}

fn to(service: u32, subset: Option<ClusterId>, weight: u32) -> WeightedDestination {
    let subset = subset.map(Subset::Cluster);
    WeightedDestination { destination: Destination { service: ServiceId(service), subset }, weight }
}

/// All pods of a service answer 503.
fn fails(service: u32) -> PodFault {
    PodFault {
        service: ServiceId(service),
        cluster: EDGE,
        pod: None,
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Errors { share: 1.0, status: 503 },
        seen_after: None,
    }
}

#[test]
fn a_route_times_out_and_the_service_goes_on() {
    let description = free_world(&[1_000], &[], &[(0, EDGE, 1)], TEN, 20);
    let mut description =
        with_route(description, RouteSettings { timeout: Some(ms(200)), ..RouteSettings::default() });
    description.populations[0].users = 1;
    description.populations[0].access.one_way = ms(10);
    description.populations[0].access.round_trip = ms(20);
    description.cell.costs.request_ms = 1.0;
    description.cell.costs.response_ms = 2.0;
    let record = run(&description, 0);
    let ended = all_ended(&record);
    assert!(ended.len() > 190);
    for (row, end) in &ended {
        assert_eq!(end.status.to_string(), "504 UT");
        // The user's first request makes a connection to the gateway.
        let connects = if row.number == 0 { 20.0 } else { 0.0 };
        assert!(same_ms(end.latency, connects + 10.0 + 200.0 + 10.0), "{end:?}");
        assert_eq!(end.totals.retries, 0);
    }
    // Way, handshake, way, work, sleep, work: what began early enough is served, though nobody waits.
    let way = 10.0 + HANDSHAKE_MS + 0.1;
    let last_row = |ms: f64| {
        let until = record.end.as_secs_f64() * 1e3 - ms;
        record.requests.iter().filter(|row| row.arrival.as_secs_f64() * 1e3 < until).count() as u64
    };
    let calls = last_row(way + 1.0 + 1_000.0 + 2.0);
    assert_eq!(served(&record, EDGE), [calls]);
    let cpu = record.metrics_from(EDGE, SimTime::ZERO).work.cpu_nanos / 1e9;
    let begun = last_row(way) as f64 * 1e-3 + last_row(way + 1_001.0) as f64 * 2e-3;
    assert!((cpu - begun).abs() < 1e-9, "{cpu} s of CPU, not {begun}");
    assert_eq!(counted(&record, Counter::Timeouts), ended.len() as u64);
    // A connection whose request has no answer is closed.
    assert_eq!(counted(&record, Counter::Connections), last_row(10.0));
}

#[test]
fn tries_time_out_one_after_the_other() {
    let description = free_world(&[1_000], &[], &[(0, EDGE, 1)], TEN, 40);
    let route =
        RouteSettings { retry: retry(2, "5xx", Some(ms(50))), timeout: None, ..RouteSettings::default() };
    let record = run(&with_route(description, route), 0);
    let ended = all_ended(&record);
    let tries = 3.0 * (HANDSHAKE_MS + 50.0);
    let mut waits = 0.0;
    for (_, end) in &ended {
        assert_eq!(end.status.to_string(), "504 UT");
        assert_eq!(end.totals.retries, 2);
        let wait = end.latency.as_millis_f64() - tries;
        assert!((-1e-4..75.0).contains(&wait), "{wait} ms of back-offs");
        waits += wait;
    }
    // Uniform below 25 and below 50 ms: standard deviation 16.1 ms.
    let (n, mean) = (ended.len() as f64, waits / ended.len() as f64);
    assert!((mean - 37.5).abs() < 5.0 * 16.1 / n.sqrt(), "{mean}");
    // All three are served in the end: those of requests of the last 1.3 s perhaps not.
    let all = 3 * record.requests.len() as u64;
    assert!((all - 3 * 14..=all).contains(&served(&record, EDGE)[0]));
    let tried = counted(&record, Counter::PerTryTimeouts);
    assert!((3 * n as u64..=3 * n as u64 + 9).contains(&tried), "{tried}");
}

#[test]
fn a_try_that_times_out_is_not_retried_by_default() {
    let description = free_world(&[1_000], &[], &[(0, EDGE, 1)], TEN, 10);
    let route = RouteSettings { retry: retry(2, "", Some(ms(50))), ..RouteSettings::default() };
    let record = run(&with_route(description, route), 0);
    for (_, end) in all_ended(&record) {
        assert_eq!((end.status.to_string().as_str(), end.totals.retries), ("504 UT", 0));
        assert!(same_ms(end.latency, HANDSHAKE_MS + 50.0), "{end:?}");
    }
    assert_eq!(counted(&record, Counter::Retries), 0);
}

#[test]
fn the_whole_time_out_holds_over_all_tries() {
    let description = free_world(&[1_000], &[], &[(0, EDGE, 1)], TEN, 20);
    let route = RouteSettings {
        timeout: Some(ms(120)),
        retry: retry(10, "5xx", Some(ms(50))),
        ..RouteSettings::default()
    };
    let record = run(&with_route(description, route), 0);
    for (_, end) in all_ended(&record) {
        assert_eq!(end.status.to_string(), "504 UT");
        assert!(same_ms(end.latency, 120.0), "{end:?}");
        assert!((1..=2).contains(&end.totals.retries));
    }
}

/// Half of the requests are quick, so that their deadlines never strike, and the others are exactly on
/// time between them; each of two routes has a time of its own.
#[test]
fn deadlines_strike_those_that_are_late_and_on_time() {
    for (timeout, per_try) in [(Some(ms(200)), None), (None, Some(ms(200)))] {
        let pods = [(0, EDGE, 1), (1, EDGE, 1)];
        let arrivals = Arrivals::Poisson { per_second: 100.0 };
        let mut description = free_world(&[10, 1_000], &[], &pods, arrivals, 50);
        let mut beta = description.populations[0].clone();
        beta.name = "beta".into();
        beta.headers = vec![("x-group".into(), "beta".into())];
        description.populations.push(beta);
        let halves = vec![to(0, None, 50), to(1, None, 50)];
        let header = FieldMatch { name: "x-group".into(), value: ValueMatch::Present, invert: false };
        let half = |limit: Option<SimDuration>| limit.map(|it| it / 2);
        let route = |headers, timeout, per_try: Option<SimDuration>| RouteSettings {
            conditions: Conditions { headers, ..Conditions::default() },
            destinations: halves.clone(),
            timeout,
            retry: per_try.and_then(|per_try| retry(2, "", Some(per_try))),
            ..RouteSettings::default()
        };
        description = with_route(description, route(vec![header], half(timeout), half(per_try)));
        description = with_route(description, route(Vec::new(), timeout, per_try));
        let record = run(&description, 0);
        let ended = all_ended(&record);
        let mut late = 0;
        for (row, end) in &ended {
            let limit = if row.population.0 == 1 { 100.0 } else { 200.0 };
            let latency = end.latency.as_millis_f64();
            if end.status.is_ok() {
                assert!((10.2 - 1e-4..10.6 + 1e-4).contains(&latency), "{end:?}");
            } else {
                assert_eq!(end.status.to_string(), "504 UT");
                // A try's time begins when its connection is there, and each makes one.
                let connects = if per_try.is_some() { HANDSHAKE_MS } else { 0.0 };
                assert!(same_ms(end.latency, limit + connects), "{end:?}, not {limit}");
                late += 1;
            }
        }
        assert!(is_binomial(late, ended.len() as u64, 0.5), "{late} of {}", ended.len());
        let counter = if per_try.is_some() { Counter::PerTryTimeouts } else { Counter::Timeouts };
        assert_eq!(counted(&record, counter), late);
    }
}

#[test]
fn a_call_that_times_out_makes_its_caller_fail() {
    // s0 sleeps 3 ms and calls s1, whose route allows 100 ms; then it answers 500.
    let pods = [(0, EDGE, 1), (1, EDGE, 1)];
    let mut description = free_world(&[3, 1_000], &[(0, 1)], &pods, TEN, 20);
    description.services[ServiceId(1)].routes =
        vec![RouteSettings { timeout: Some(ms(100)), ..RouteSettings::default() }];
    let record = run(&description, 0);
    for (_, end) in all_ended(&record).into_iter().skip(2) {
        assert_eq!(end.status.to_string(), "500");
        assert!(same_ms(end.latency, LOCAL_ROUND_TRIP_MS + 3.0 + 100.0), "{end:?}");
    }
    let [_, of_s1] = counted_of(&record, EDGE, Counter::Timeouts)[..] else { panic!() };
    assert!(of_s1.abs_diff(all_ended(&record).len() as u64) <= 1);
}

#[test]
fn injected_delays_and_aborts_befall_their_shares() {
    let description = free_world(&[20], &[], &[(0, EDGE, 1)], HUNDRED, 50);
    let route = RouteSettings {
        fault: FaultInjection { delay: Some((ms(100), 30.0)), abort: Some((503, 10.0)) },
        // The delay alone is longer.
        timeout: Some(ms(50)),
        retry: retry(2, "5xx", None),
        ..RouteSettings::default()
    };
    let record = run(&with_route(description, route), 0);
    let ended = all_ended(&record);
    let (mut delayed, mut aborted) = (0, 0);
    for (_, end) in &ended {
        let latency = end.latency.as_millis_f64();
        let is_delayed = latency >= 100.0;
        delayed += u64::from(is_delayed);
        let rest = if is_delayed { latency - 100.0 } else { latency };
        if end.status.is_ok() {
            // With or without a new connection.
            assert!((20.2 - 1e-4..20.6 + 1e-4).contains(&rest), "{end:?}");
        } else {
            assert_eq!(end.status.to_string(), "503 FI");
            assert!(rest.abs() < 1e-4, "{end:?}");
            assert_eq!((end.totals.calls, end.totals.retries), (0, 0));
            aborted += 1;
        }
    }
    let n = ended.len() as u64;
    assert!(is_binomial(delayed, n, 0.3) && is_binomial(aborted, n, 0.1), "{delayed}, {aborted} of {n}");
    // Who was aborted never reached the service; some others are under way.
    let reached = served(&record, EDGE)[0];
    assert!((n - aborted..=n - aborted + 2).contains(&reached), "{reached}");
    assert_eq!(counted(&record, Counter::Retries), 0);
    assert_eq!(counted(&record, Counter::Timeouts), 0);
}

#[test]
fn a_split_has_its_shares_between_services() {
    let description = free_world(&[1, 1], &[], &[(0, EDGE, 1), (1, EDGE, 2)], HUNDRED, 100);
    let route =
        RouteSettings { destinations: vec![to(0, None, 90), to(1, None, 10)], ..RouteSettings::default() };
    let record = run(&with_route(description, route), 0);
    let n = record.requests.len() as u64;
    let [stable, canary, other] = served(&record, EDGE)[..] else { panic!() };
    assert!(n - (stable + canary + other) <= 1);
    assert!(is_binomial(canary + other, n, 0.1), "{canary} + {other} of {n}");
}

#[test]
fn a_split_has_its_shares_between_subsets() {
    let description = free_world(&[1], &[], &[(0, EDGE, 1), (0, CLOUD, 3)], HUNDRED, 100);
    let route = RouteSettings {
        destinations: vec![to(0, Some(EDGE), 90), to(0, Some(CLOUD), 10)],
        ..RouteSettings::default()
    };
    let record = run(&with_route(description, route), 0);
    let ended = all_ended(&record);
    let crossed = ended.iter().filter(|(_, end)| end.totals.crossings == 1).count() as u64;
    assert!(is_binomial(crossed, ended.len() as u64, 0.1), "{crossed} of {}", ended.len());
    assert_eq!(served(&record, CLOUD).iter().sum::<u64>(), crossed);
}

/// Version `v1` with two pods at the edge, `v2` with one there and two in the cloud, and subsets `v1`, `v2` and `v3` of
/// those labels. Which subset gets which weight is what the only route says.
fn versions(weights: &[(u32, u32)]) -> Description {
    let labels = |version: &str| -> Labels { [("version".to_owned(), version.to_owned())].into() };
    let mut description = free_world(&[1], &[], &[(0, EDGE, 2)], HUNDRED, 100);
    description.services[ServiceId(0)].labels = labels("v1");
    let canary = description.add_version(ServiceId(0), "s0-v2", labels("v2"));
    description.add_pods(canary, EDGE, 1);
    description.add_pods(canary, CLOUD, 2);
    for version in ["v1", "v2", "v3"] {
        let name = description.subsets.push(version.to_owned());
        description.services[ServiceId(0)].subsets.push(SubsetSettings {
            name,
            labels: labels(version),
            // The less busy would be the nearer.
            traffic_policy: TrafficPolicy { simple: SimpleBalancer::Random, ..TrafficPolicy::default() },
            locality: None,
            hash: None,
        });
    }
    let to = |&(subset, weight): &(u32, u32)| {
        let subset = Some(Subset::Named(SubsetId(subset)));
        WeightedDestination { destination: Destination { service: ServiceId(0), subset }, weight }
    };
    let destinations = weights.iter().map(to).collect();
    with_route(description, RouteSettings { destinations, ..RouteSettings::default() })
}

#[test]
fn all_versions_are_endpoints_of_their_service() {
    let mut description = versions(&[]);
    description.services[ServiceId(0)].traffic_policy.simple = SimpleBalancer::RoundRobin;
    let record = run(&description, 0);
    let (n, [v1, v2]) = (record.requests.len() as u64, [EDGE, CLOUD].map(|it| served(&record, it)));
    // Two pods of the first, one of the second and two more of that, in turn.
    let all: Vec<u64> = v1.iter().chain(&v2).copied().collect();
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|it| it.abs_diff(n / 5) <= 20), "{all:?} of {n}");
    // Without a mesh kube-proxy takes any of them for each connection, of which this user makes one per request.
    description.populations[0].users = 1;
    description.mesh.data_plane = DataPlane::None;
    let record = run(&description, 0);
    let reached = [EDGE, CLOUD].iter().flat_map(|it| served(&record, *it)).filter(|it| *it > 0).count();
    assert_eq!(reached, 5);
}

#[test]
fn versions_get_the_shares_of_their_subsets() {
    let record = run(&versions(&[(0, 90), (1, 10)]), 0);
    let ended = all_ended(&record);
    let n = ended.len() as u64;
    assert!(ended.iter().all(|(_, end)| end.status.is_ok()));
    let [edge, cloud] = [EDGE, CLOUD].map(|it| served(&record, it));
    let v2 = edge[2] + cloud[0] + cloud[1];
    assert!(is_binomial(v2, n, 0.1), "{edge:?}, {cloud:?}");
    // All of them are served, but for one that is on the way at the end, and each subset is balanced by itself.
    assert!(record.requests.len() as u64 - (edge[0] + edge[1] + v2) <= 20);
    assert!(is_binomial(edge[0], edge[0] + edge[1], 0.5), "{edge:?}");
    assert!(is_binomial(edge[2], v2, 1.0 / 3.0), "{edge:?}, {cloud:?}");
}

#[test]
fn a_subset_without_pods_has_no_host_and_one_that_no_rule_defines_is_no_upstream() {
    let mut description = versions(&[(0, 50), (2, 30), (3, 20)]);
    description.subsets.push("v4".to_owned());
    let record = run(&description, 0);
    let ended = all_ended(&record);
    let count =
        |status: &str| ended.iter().filter(|(_, end)| end.status.to_string() == status).count() as u64;
    let n = ended.len() as u64;
    let [good, no_host, no_cluster] = ["200", "503 UH", "503 NC"].map(count);
    assert_eq!(good + no_host + no_cluster, n);
    assert!(
        is_binomial(no_host, n, 0.3) && is_binomial(no_cluster, n, 0.2),
        "{no_host}, {no_cluster} of {n}"
    );
    for (_, end) in ended.iter().filter(|(_, end)| !end.status.is_ok()) {
        assert!(same_ms(end.latency, 0.0) && end.totals.calls == 0, "{end:?}");
    }
    // A copy for nobody is dropped, and nothing else befalls the request.
    let mut copied = versions(&[(0, 1)]);
    let plain = run(&copied, 0);
    let destination = Destination { service: ServiceId(0), subset: Some(Subset::Named(SubsetId(3))) };
    copied.services[ServiceId(0)].routes[0].mirror = Some(Mirror { destination, percent: 100.0 });
    let record = run(&copied, 0);
    assert_eq!((record.requests, record.work), (plain.requests, plain.work));
}

#[test]
fn the_limits_of_a_subset_are_its_own() {
    let mut description = versions(&[(0, 50), (1, 50)]);
    let http2_max_requests = Some(1);
    let connection_pool = ConnectionPoolSettings { http2_max_requests, ..ConnectionPoolSettings::default() };
    description.services[ServiceId(0)].subsets[1].traffic_policy =
        TrafficPolicy { connection_pool, ..TrafficPolicy::default() };
    let record = run(&description, 0);
    let ended = all_ended(&record);
    // A crossing takes 160 ms: while one is under way the second version takes no other.
    let refused = ended.iter().filter(|(_, end)| end.status.to_string() == "503 UO").count() as u64;
    let v2: u64 = served(&record, EDGE)[2] + served(&record, CLOUD).iter().sum::<u64>();
    let v1: u64 = served(&record, EDGE)[..2].iter().sum();
    assert!(refused > 1_000, "{refused}");
    assert!(is_binomial(v1, ended.len() as u64, 0.5), "{v1} of {}", ended.len());
    assert!(ended.len() as u64 - (v1 + v2 + refused) <= 1);
    assert_eq!(counted_of(&record, EDGE, Counter::RequestOverflows), [refused, 0]);
}

#[test]
fn retries_stay_with_the_destination_that_was_drawn() {
    let mut description = free_world(&[1, 1], &[], &[(0, EDGE, 1), (1, EDGE, 1)], TEN, 300);
    description.faults = vec![fails(1)];
    let route = RouteSettings {
        destinations: vec![to(0, None, 70), to(1, None, 30)],
        retry: retry(2, "5xx", None),
        ..RouteSettings::default()
    };
    let record = run(&with_route(description, route), 0);
    let ended = all_ended(&record);
    let failed = ended.iter().filter(|(_, end)| end.status.to_string() == "503").count() as u64;
    assert!(is_binomial(failed, ended.len() as u64, 0.3), "{failed} of {}", ended.len());
    let [good, bad] = served(&record, EDGE)[..] else { panic!() };
    assert_eq!(good, ended.len() as u64 - failed);
    assert!((3 * failed..=3 * failed + 2).contains(&bad), "{bad}, {failed}");
}

/// Envoy counts in the cluster that a request was sent to.
#[test]
fn what_is_counted_of_a_split_is_counted_at_its_destination() {
    let mut description = free_world(&[1, 1], &[], &[(0, EDGE, 1), (1, EDGE, 1)], TEN, 60);
    description.faults = vec![fails(1)];
    let route = RouteSettings {
        destinations: vec![to(1, None, 100)],
        retry: retry(2, "5xx", None),
        ..RouteSettings::default()
    };
    let record = run(&with_route(description, route), 0);
    let [of_s0, of_s1] = counted_of(&record, EDGE, Counter::Retries)[..] else { panic!() };
    assert!(of_s0 == 0 && of_s1 > 1_000, "{of_s0}, {of_s1}");
}

#[test]
fn a_mirror_gets_copies_and_nobody_notices() {
    let pods = [(0, EDGE, 1), (1, CLOUD, 1), (1, EDGE, 1)];
    let plain = free_world(&[5, 500], &[], &pods, HUNDRED, 30);
    let mirror = Mirror { destination: to(1, Some(CLOUD), 1).destination, percent: 100.0 };
    let mirrored = with_route(
        plain.clone(),
        RouteSettings { mirror: Some(mirror), ..RouteSettings::default_of(NEWEST, false) },
    );
    let [without, with] = [plain, mirrored].map(|description| run(&description, 0));
    assert_eq!(without.requests, with.requests);
    assert!(without.work.iter().all(|it| it.crossings == 0));
    assert!(with.work.iter().all(|it| it.crossings == 1), "the copy, and nothing else");
    assert_eq!(served(&without, CLOUD), [0]);
    // Connection, way there and sleep: the copies of the last 0.9 s may still be under way.
    let (n, copies) = (with.requests.len() as u64, served(&with, CLOUD)[0]);
    assert!((n - 91..=n - 50).contains(&copies), "{copies} of {n}");
    assert_eq!(served(&with, EDGE)[1], 0);
}

#[test]
fn a_part_of_the_requests_is_mirrored() {
    let description = free_world(&[1, 1], &[], &[(0, EDGE, 1), (1, EDGE, 1)], HUNDRED, 100);
    let mirror = Mirror { destination: Destination { service: ServiceId(1), subset: None }, percent: 25.0 };
    let route = RouteSettings { mirror: Some(mirror), ..RouteSettings::default() };
    let record = run(&with_route(description, route), 0);
    let [all, copies] = served(&record, EDGE)[..] else { panic!() };
    assert!(is_binomial(copies, all, 0.25), "{copies} of {all}");
}

/// Two populations of the same rate, of which the second is in the group `beta`.
fn two_groups() -> Description {
    let mut description = free_world(&[1, 1], &[], &[(0, EDGE, 1), (1, EDGE, 1)], TEN, 30);
    let mut beta = description.populations[0].clone();
    beta.name = "beta".into();
    beta.headers = vec![("x-group".into(), "beta".into())];
    description.populations.push(beta);
    let header =
        FieldMatch { name: "x-group".into(), value: ValueMatch::Exact("beta".into()), invert: false };
    with_route(
        description,
        RouteSettings {
            conditions: Conditions { headers: vec![header], ..Conditions::default() },
            destinations: vec![to(1, None, 1)],
            ..RouteSettings::default()
        },
    )
}

#[test]
fn a_header_decides_the_destination() {
    let record = run(&with_route(two_groups(), RouteSettings::default()), 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
    let n = record.requests.len() as u64 / 2;
    for served in served(&record, EDGE) {
        assert!((n - 1..=n + 1).contains(&served), "{served} of {n}");
    }
}

#[test]
fn what_no_route_takes_is_answered_404() {
    let record = run(&two_groups(), 0);
    let ended = all_ended(&record);
    for (row, end) in &ended {
        if row.population.0 == 1 {
            assert!(end.status.is_ok());
        } else {
            assert_eq!(end.status.to_string(), "404 NR");
            assert!(same_ms(end.latency, 0.0) && end.totals.calls == 0);
        }
    }
    assert_eq!(served(&record, EDGE)[0], 0);
    // Sidecars know no headers: the first route that asks for one does not take their calls.
    let mut description = two_groups();
    description.populations.truncate(1);
    let mut chain = free_world(&[1, 1, 1], &[(2, 0)], &[(0, EDGE, 1), (1, EDGE, 1), (2, EDGE, 1)], TEN, 5);
    chain.services[ServiceId(0)] = description.services[ServiceId(0)].clone();
    chain.populations[0].requests = Requests::only(EndpointId(2));
    chain.populations[0].headers = vec![("x-group".into(), "beta".into())];
    let record = run(&chain, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.to_string() == "500"));
    assert_eq!(served(&record, EDGE)[..2], [0, 0]);
}

/// Service `s0` with a second endpoint that sleeps 50 ms, and `s1`, which sleeps 20: users at the edge ask for both of the
/// first, equally often.
fn two_paths() -> Description {
    let mut description = free_world(&[1, 20], &[], &[(0, EDGE, 1), (1, EDGE, 1)], HUNDRED, 60);
    let application = &mut description.application;
    application.endpoints[EndpointId(0)].path = "/browse?kind=fast".into();
    let internal = InternalService { sleep: ms(50), ..InternalService::idle() };
    let buy = Endpoint {
        name: "buy".into(),
        path: "/buy".into(),
        method: "POST".into(),
        ..Endpoint::new(ServiceId(0), internal)
    };
    let buy = application.endpoints.push(buy);
    application.services[ServiceId(0)].others.push(buy);
    description.populations[0].requests = Requests::weighted(&[(EndpointId(0), 1.0), (buy, 1.0)]);
    description
}

fn asks(conditions: Conditions, to_service: u32) -> RouteSettings {
    RouteSettings { conditions, destinations: vec![to(to_service, None, 1)], ..RouteSettings::default() }
}

#[test]
fn the_first_route_whose_conditions_hold_takes_a_request() {
    let posts = || Some(ValueMatch::Exact("POST".into()));
    let fast = FieldMatch { name: "kind".into(), value: ValueMatch::Exact("fast".into()), invert: false };
    let buys = || Some(ValueMatch::Prefix("/bu".into()));
    for (condition, is_bought) in [
        (Conditions { method: posts(), ..Conditions::default() }, true),
        (Conditions { path: buys(), ..Conditions::default() }, true),
        (Conditions { query: vec![fast], ..Conditions::default() }, false),
        (Conditions { path: Some(ValueMatch::OneOf(vec!["/buy".into()])), ..Conditions::default() }, true),
    ] {
        let mut description = two_paths();
        let rest = RouteSettings::default();
        // What comes behind the first that holds is never asked.
        let never = RouteSettings { redirect: Some(308), ..asks(condition.clone(), 0) };
        description.services[ServiceId(0)].routes =
            vec![asks(condition, 1), RouteSettings { destinations: Vec::new(), ..never }, rest];
        let record = run(&description, 0);
        let ended = all_ended(&record);
        assert!(ended.iter().all(|(_, end)| end.status.is_ok() && end.status.code() == 200));
        let led_away = |row: &&RequestRow| (row.endpoint == EndpointId(2)) == is_bought;
        let n = record.requests.iter().filter(led_away).count() as u64;
        let [own, other] = served(&record, EDGE)[..] else { panic!() };
        assert!(other <= n && n - other <= 3, "{other} of {n}");
        let rest = record.requests.len() as u64 - n;
        assert!(own <= rest && rest - own <= 8, "{own} of {rest}");
    }
}

#[test]
fn a_redirect_is_the_answer_and_a_rewrite_another_endpoint() {
    let mut description = two_paths();
    let moved = Conditions { method: Some(ValueMatch::Exact("POST".into())), ..Conditions::default() };
    description.services[ServiceId(0)].routes = vec![
        RouteSettings { conditions: moved, redirect: Some(307), ..RouteSettings::default() },
        RouteSettings::default(),
    ];
    let record = run(&description, 0);
    let ended = all_ended(&record);
    for (row, end) in &ended {
        if row.endpoint == EndpointId(2) {
            assert_eq!((end.status.to_string().as_str(), end.totals.calls), ("307", 0));
            assert!(same_ms(end.latency, 0.0), "{end:?}");
        } else {
            assert_eq!(end.status.to_string(), "200");
        }
    }
    // All that is browsed is bought: the endpoint of the path that it becomes sleeps 50 ms, not 1.
    let mut description = two_paths();
    description.services[ServiceId(0)].routes =
        vec![RouteSettings { rewrites: vec![(EndpointId(0), EndpointId(2))], ..RouteSettings::default() }];
    for (_, end) in all_ended(&run(&description, 0)) {
        assert!((50.2 - 1e-4..50.6 + 1e-4).contains(&end.latency.as_millis_f64()), "{end:?}");
    }
    // A copy is a copy of what is sent.
    description.services[ServiceId(0)].routes[0].mirror =
        Some(Mirror { destination: to(0, None, 1).destination, percent: 100.0 });
    let record = run(&description, 0);
    let cpu_free = served(&record, EDGE)[0];
    assert!(cpu_free.abs_diff(2 * record.requests.len() as u64) <= 16, "{cpu_free}");
}
