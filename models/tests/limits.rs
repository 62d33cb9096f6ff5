//! Limits of proxies: requests, connections, waiting requests, retries.
//!
//! A gateway with one worker in front of one pod that sleeps and costs nothing is a queueing system
//! of the textbook: a limit of requests makes a loss system (Erlang B, which holds for any
//! distribution of the service time), one of connections a queue in front of as many servers. For
//! these a loop over the arrivals computes the fate of every single request.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::envoy::retry_budget::RetryBudget;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::cluster_policy::ConnectionPoolSettings;
use meshsim_models::istiod::istio_version::{IstioVersion, NEWEST};
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use std::collections::VecDeque;
use support::{EDGE, Ended, LOCAL_ROUND_TRIP_MS, all_ended, at_ms, counted, free_world, run, served};

const NO_LIMITS: ConnectionPoolSettings = ConnectionPoolSettings {
    max_connections: None,
    connect_timeout: None,
    tcp_idle_timeout: None,
    max_connection_duration: None,
    http1_max_pending_requests: None,
    http2_max_requests: None,
    max_retries: None,
    max_requests_per_connection: None,
    http_idle_timeout: None,
};

/// One pod that sleeps, behind the gateway.
fn one_pod(
    sleep_ms: u64,
    per_second: f64,
    seconds: u64,
    connection_pool: ConnectionPoolSettings,
) -> Description {
    let arrivals = Arrivals::Poisson { per_second };
    let mut description = free_world(&[sleep_ms], &[], &[(0, EDGE, 1)], arrivals, seconds);
    description.services[ServiceId(0)].traffic_policy.connection_pool = connection_pool;
    description
}

/// The probability that a call is lost by `servers` servers at an offered load.
fn erlang_b(servers: u32, offered: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, m| {
        let load = offered * blocked;
        load / (f64::from(m) + load)
    })
}

/// When each request leaves a system of `servers` servers with `waiting` indices, where it takes
/// `holds` to be served, first come, first served; none if it is refused.
fn departures(
    arrivals: &[SimTime],
    servers: usize,
    waiting: usize,
    holds: SimDuration,
) -> Vec<Option<SimTime>> {
    let mut leave: VecDeque<SimTime> = VecDeque::new(); // In ascending order.
    let each = arrivals.iter().map(|&now| {
        while leave.front().is_some_and(|&first| first <= now) {
            leave.pop_front();
        }
        if leave.len() >= servers + waiting {
            return None;
        }
        // It begins when all but `servers - 1` of those before it have left.
        let begins = leave.len().checked_sub(servers).map_or(now, |index| leave[index]);
        leave.push_back(begins + holds);
        Some(begins + holds)
    });
    each.collect()
}

/// Compares the fate of every request after the first two seconds, in which connections are made.
fn assert_same_fate(record: &Record, servers: usize, waiting: usize, holds: SimDuration) -> (u64, u64) {
    let arrivals: Vec<SimTime> = record.requests.iter().map(|row| row.arrival).collect();
    let expected = departures(&arrivals, servers, waiting, holds);
    let (mut all, mut lost) = (0, 0);
    for (row, leaves) in record.requests.iter().zip(expected) {
        let Some(end) = row.end.filter(|_| row.arrival > at_ms(2_000)) else { continue };
        all += 1;
        match leaves {
            Some(leaves) => {
                assert!(end.status.is_ok(), "request {} of {:?}: {}", row.number, row.arrival, end.status);
                let difference = (end.latency.as_nanos()).abs_diff((leaves - row.arrival).as_nanos());
                assert!(difference < 100, "request {}: {} ns", row.number, difference);
            }
            None => {
                assert_eq!(end.status.to_string(), "503 UO", "request {} at {:?}", row.number, row.arrival);
                assert_eq!(end.latency, SimDuration::ZERO);
                lost += 1;
            }
        }
    }
    (lost, all)
}

fn holds_ms(sleep_ms: u64) -> SimDuration {
    SimDuration::from_micros(sleep_ms * 1_000 + 200)
}

fn users_with(record: &Record, status: &str) -> u64 {
    all_ended(record).iter().filter(|(_, end)| end.status.to_string() == status).count() as u64
}

#[test]
fn a_limit_of_requests_loses_as_erlang_says() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let pool = ConnectionPoolSettings { http2_max_requests: Some(5), ..NO_LIMITS };
        let mut description = one_pod(40, 100.0, 400, pool);
        description.services[ServiceId(0)].protocol = protocol;
        let record = run(&description, 0);
        let (lost, all) = assert_same_fate(&record, 5, 0, holds_ms(40));
        let (share, exact) = (lost as f64 / all as f64, erlang_b(5, 100.0 * 0.0402));
        // 40,000 requests, each correlated with some of its neighbours.
        assert!((share - exact).abs() < 0.012, "{share}, Erlang B {exact}");
        assert_eq!(counted(&record, Counter::RequestOverflows), users_with(&record, "503 UO"));
        assert_eq!(counted(&record, Counter::ConnectionOverflows), 0);
    }
}

#[test]
fn requests_wait_for_a_connection_in_their_order() {
    let pool =
        ConnectionPoolSettings { max_connections: Some(4), http1_max_pending_requests: Some(5), ..NO_LIMITS };
    let record = run(&one_pod(20, 180.0, 200, pool), 0);
    let (lost, all) = assert_same_fate(&record, 4, 5, holds_ms(20));
    assert!(lost > 200 && lost < all / 10, "{lost} of {all}");
    assert_eq!(counted(&record, Counter::RequestOverflows), users_with(&record, "503 UO"));
    assert_eq!(counted(&record, Counter::Connections), 4);
    // Whoever has to wait, or is refused, would have liked a connection; who is refused asks for none.
    let waited = all_ended(&record).iter().filter(|(_, end)| end.latency > holds_ms(20)).count() as u64;
    let overflows = counted(&record, Counter::ConnectionOverflows);
    assert!((waited - 4..=waited + 9).contains(&overflows), "{overflows}, {waited}");
}

#[test]
fn a_single_connection_is_a_queue_with_one_server() {
    let pool = ConnectionPoolSettings { max_connections: Some(1), ..NO_LIMITS };
    let record = run(&one_pod(5, 100.0, 400, pool), 0);
    let (lost, _) = assert_same_fate(&record, 1, usize::MAX - 1, holds_ms(5));
    assert_eq!(lost, 0);
    // Pollaczek and Khinchine: a mean wait of rho x service / (2 (1 - rho)).
    let ended = all_ended(&record);
    let waits = |(_, end): &(_, Ended)| end.latency.as_millis_f64() - 5.2;
    let mean = ended.iter().map(waits).sum::<f64>() / ended.len() as f64;
    let rho = 0.52;
    let exact = rho * 5.2 / (2.0 * (1.0 - rho));
    assert!((mean / exact - 1.0).abs() < 0.06, "{mean} ms, exactly {exact}");
}

#[test]
fn limits_are_each_proxys_own() {
    // Two gateways with a limit of 2 each, which users are spread over, are not one with 4.
    let pool = ConnectionPoolSettings { http2_max_requests: Some(2), ..NO_LIMITS };
    let mut description = one_pod(40, 100.0, 400, pool);
    description.gateway.replicas = 2;
    // Many pods, so that their own limits are seldom reached.
    description.deployments[0].replicas = 30;
    let record = run(&description, 0);
    let (lost, all) = (users_with(&record, "503 UO"), all_ended(&record).len());
    let (share, exact) = (lost as f64 / all as f64, erlang_b(2, 50.0 * 0.0402));
    assert!((share - exact).abs() < 0.012, "{share}, Erlang B {exact}");
    // The workers of one proxy share its limit.
    description.gateway.replicas = 1;
    description.deployments[0].replicas = 1;
    description.gateway.concurrency = 4;
    description.services[ServiceId(0)].protocol = Protocol::Http2;
    description.services[ServiceId(0)].traffic_policy.connection_pool.http2_max_requests = Some(4);
    let record = run(&description, 0);
    assert_same_fate(&record, 4, 0, holds_ms(40));
}

#[test]
fn a_pool_without_a_connection_may_make_one_beyond_the_limit() {
    let pool = ConnectionPoolSettings { max_connections: Some(1), ..NO_LIMITS };
    let mut description = one_pod(1, 50.0, 100, pool);
    description.deployments[0].replicas = 3;
    let record = run(&description, 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
    assert_eq!(counted(&record, Counter::Connections), 3);
    assert!(served(&record, EDGE).iter().all(|&count| count > 1_000));
}

#[test]
fn what_times_out_on_the_only_connection_makes_room_for_a_new_one() {
    // For ten seconds everything takes a hundred times as long, so that all time out: those that are
    // sent and those that wait.
    let pool = ConnectionPoolSettings { max_connections: Some(1), ..NO_LIMITS };
    let mut description = one_pod(10, 20.0, 60, pool);
    let timeout = Some(SimDuration::from_millis(200));
    description.services[ServiceId(0)].routes = vec![RouteSettings { timeout, ..RouteSettings::default() }];
    let kind = FaultKind::Slow { factor: 100.0 };
    description.faults = vec![PodFault { ends: Some(at_ms(10_000)), kind, ..failing(0.0) }];
    let record = run(&description, 0);
    let ended = all_ended(&record);
    let (bad, good): (Vec<_>, Vec<_>) = ended.iter().partition(|(row, _)| row.arrival < at_ms(9_750));
    for (_, end) in bad {
        assert_eq!(end.status.to_string(), "504 UT");
        assert!((end.latency.as_millis_f64() - 200.0).abs() < 1e-4);
    }
    assert!(good.iter().filter(|(row, _)| row.arrival > at_ms(10_200)).all(|(_, end)| end.status.is_ok()));
    // A timed-out request closes its connection, one that only waited none.
    let connections = counted(&record, Counter::Connections);
    assert!(connections > 30 && connections <= counted(&record, Counter::Timeouts) + 1, "{connections}");
}

#[test]
fn what_a_limit_refuses_is_not_retried() {
    // Up to 1.23 an answer of 503 is retried, but this is none of the upstream's.
    let pool = ConnectionPoolSettings { http2_max_requests: Some(1), ..NO_LIMITS };
    for (version, retry_on) in [(IstioVersion::new(1, 23), ""), (NEWEST, "5xx,reset,503")] {
        let mut description = one_pod(10, 100.0, 50, pool);
        description.mesh.istio_version = version;
        let settings = RetrySettings { attempts: 2, retry_on: retry_on.into(), ..RetrySettings::default() };
        let retry = RetryPolicy::new(version, Some(&settings), false);
        description.services[ServiceId(0)].routes = vec![RouteSettings { retry, ..RouteSettings::default() }];
        let record = run(&description, 0);
        assert!(users_with(&record, "503 UO") > 1_000);
        assert!(all_ended(&record).iter().all(|(_, end)| end.totals.retries == 0));
    }
}

fn failing(share: f64) -> PodFault {
    PodFault {
        service: ServiceId(0),
        cluster: EDGE,
        pod: None,
        begins: SimTime::ZERO,
        ends: None,
        kind: FaultKind::Errors { share, status: 503 },
        seen_after: None,
    }
}

fn retrying(mut description: Description, share: f64) -> Description {
    let settings = RetrySettings { attempts: 2, retry_on: "5xx".into(), ..RetrySettings::default() };
    let retry = RetryPolicy::new(NEWEST, Some(&settings), false);
    description.services[ServiceId(0)].routes = vec![RouteSettings { retry, ..RouteSettings::default() }];
    description.faults = vec![failing(share)];
    description
}

/// A request that is retried holds its retry for two back-offs and two round trips, 37.9 ms in the
/// mean, and gives it back only for the moment in which it takes it again: a loss system again.
fn assert_retries_are_lost_as_erlang_says(description: &Description, at_once: u32) {
    let record = run(description, 0);
    let ended = all_ended(&record);
    assert!(ended.iter().all(|(_, end)| end.status.to_string() == "503"));
    let (mut lost, mut retried) = (0, 0);
    for (_, end) in &ended {
        match end.totals.retries {
            0 => lost += 1,
            2 => retried += 1,
            other => panic!("{other} retries"),
        }
    }
    let share = lost as f64 / ended.len() as f64;
    let exact = erlang_b(at_once, 100.0 * (37.5 + 2.0 * LOCAL_ROUND_TRIP_MS) / 1e3);
    assert!((share - exact).abs() < 0.012, "{share}, Erlang B {exact}");
    assert_eq!(counted(&record, Counter::RetryOverflows), lost);
    let begun = counted(&record, Counter::Retries);
    assert!((2 * retried..=2 * retried + 2 * u64::from(at_once)).contains(&begun), "{begun}, {retried}");
    let all = served(&record, EDGE)[0];
    assert!(all.abs_diff(ended.len() as u64 + begun) <= 2 * u64::from(at_once) + 1, "{all} served");
}

#[test]
fn no_more_retries_at_once_than_max_retries() {
    for at_once in [1, 3] {
        let pool = ConnectionPoolSettings { max_retries: Some(at_once), ..NO_LIMITS };
        assert_retries_are_lost_as_erlang_says(&retrying(one_pod(1, 100.0, 400, pool), 1.0), at_once);
    }
}

#[test]
fn the_least_of_a_retry_budget_is_a_limit_too() {
    let mut description = retrying(one_pod(1, 100.0, 400, NO_LIMITS), 1.0);
    let budget = RetryBudget { budget_percent: 0.0, min_retry_concurrency: 2 };
    description.services[ServiceId(0)].traffic_policy.retry_budget = Some(budget);
    assert_retries_are_lost_as_erlang_says(&description, 2);
}

#[test]
fn a_retry_budget_bounds_retries_by_the_load() {
    let budget = RetryBudget { budget_percent: 20.0, min_retry_concurrency: 1 };
    let mut description = retrying(one_pod(1_000, 200.0, 200, NO_LIMITS), 0.5);
    description.services[ServiceId(0)].traffic_policy.retry_budget = Some(budget);
    let record = run(&description, 0);
    let ended = all_ended(&record);
    // Retries and requests at once, in the mean (Little): a retry lasts from the first failure to the
    // end, a request from its sending to its answer.
    let seconds = 200.0;
    let (mut retrying, mut active) = (0.0, 0.0);
    for (_, end) in &ended {
        let latency = end.latency.as_secs_f64();
        if end.totals.retries > 0 {
            retrying += (latency - 0.000_2) / seconds;
        }
        active += if end.status.is_ok() { 1.000_2 } else { 0.000_2 } / seconds;
    }
    let budget = 0.2 * active;
    // Half of 200 requests/s ask for a retry of 1 s and get a fifth of that: the budget is used up.
    assert!(retrying <= budget && retrying > 0.85 * budget - 1.0, "{retrying} of {budget}");
    assert!(counted(&record, Counter::RetryOverflows) > 10_000);
    let amplification = served(&record, EDGE)[0] as f64 / ended.len() as f64;
    assert!(amplification < 1.4, "{amplification}");
}

#[test]
fn nothing_is_limited_by_default() {
    let record = run(&one_pod(1_000, 300.0, 20, NO_LIMITS), 0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
    let limits = [Counter::RequestOverflows, Counter::ConnectionOverflows, Counter::RetryOverflows];
    assert_eq!(limits.map(|counter| counted(&record, counter)), [0; 3]);
}
