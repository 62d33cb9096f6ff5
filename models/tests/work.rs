//! Work counts for the request that it is done for, whoever still waits for the answer.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::envoy::route::{Destination, Mirror, RouteSettings};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::istiod::subset::Subset;
use meshsim_models::telemetry::work::Work;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use support::{CLOUD, EDGE, at_ms, free_world, run, served};

/// A request a second.
const SLOW: Arrivals = Arrivals::Constant { per_second: 1.0 };

const RETRIED_TWICE: &str = "reset,gateway-error";

fn with_route(mut description: Description, route: RouteSettings) -> Description {
    description.services[ServiceId(0)].routes = vec![route];
    description
}

fn always(ms: f64) -> ServiceTime {
    ServiceTime::Deterministic(Deterministic::new(ms))
}

/// Calls of `s0` need 10 ms of CPU each.
fn ten_ms_of_cpu(mut description: Description) -> Description {
    description.application.endpoints[EndpointId(0)].service_time = Some(always(10.0));
    description
}

fn of_whole(record: &Record, ms_before_end: u64) -> Vec<&Work> {
    let until = record.end.as_secs_f64() - ms_before_end as f64 / 1e3;
    let rows = record.requests.iter().zip(&record.work);
    rows.filter(|(row, _)| row.arrival.as_secs_f64() < until).map(|(_, work)| work).collect()
}

#[test]
fn a_call_that_nobody_waits_for_is_a_call() {
    let route = RouteSettings { timeout: Some(SimDuration::from_millis(4)), ..RouteSettings::default() };
    let plain = ten_ms_of_cpu(free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 60));
    let record = run(&with_route(plain, route), 0);
    assert!(record.requests.iter().all(|row| row.end.is_none_or(|end| end.status.to_string() == "504 UT")));
    let all = of_whole(&record, 100);
    assert!(all.len() >= 58);
    for it in all {
        assert_eq!((it.calls, it.retries), (1, 0));
        assert!((it.cpu_nanos - 10e6).abs() < 1.0, "{it:?}");
    }
}

#[test]
fn every_try_counts_that_was_given_up() {
    let retry = RetrySettings {
        attempts: 2,
        retry_on: RETRIED_TWICE.into(),
        per_try_timeout: Some(SimDuration::from_millis(4)),
        ..RetrySettings::default()
    };
    let retry = RetryPolicy::new(NEWEST, Some(&retry), false);
    let route = RouteSettings { retry, ..RouteSettings::default() };
    let plain = ten_ms_of_cpu(free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 60));
    let record = run(&with_route(plain, route), 0);
    let all = of_whole(&record, 500);
    assert!(all.len() >= 58);
    for it in all {
        assert_eq!((it.calls, it.retries), (3, 2));
        assert!((it.cpu_nanos - 30e6).abs() < 1.0, "{it:?}");
    }
    assert!(record.requests.iter().all(|row| row.end.is_none_or(|end| end.status.to_string() == "504 UT")));
}

#[test]
fn a_mirrors_copy_is_work_for_the_same_request() {
    let pods = [(0, EDGE, 1), (1, CLOUD, 1)];
    let plain = free_world(&[5, 500], &[], &pods, SLOW, 60);
    let mirror = Mirror {
        destination: Destination { service: ServiceId(1), subset: Some(Subset::Cluster(CLOUD)) },
        percent: 100.0,
    };
    let route = RouteSettings { mirror: Some(mirror), ..RouteSettings::default() };
    let record = run(&with_route(plain, route), 0);
    let far = record.metrics_from(CLOUD, SimTime::ZERO).work;
    assert_eq!((far.calls, served(&record, CLOUD)), (far.calls, vec![far.calls]));
    let all = of_whole(&record, 2_000);
    assert!(all.len() >= 56);
    for it in all {
        assert_eq!((it.calls, it.crossings, it.returns), (2, 1, 0));
        assert!(it.cross_payload > 0 && it.cross_wire > it.cross_payload);
    }
}

fn crash(service: u32, begins: SimTime) -> PodFault {
    PodFault {
        service: ServiceId(service),
        cluster: EDGE,
        pod: None,
        begins,
        ends: None,
        kind: FaultKind::Crash,
        seen_after: None,
    }
}

#[test]
fn what_a_dead_caller_had_asked_for_is_done_for_the_user() {
    // Its first request calls `s1` at once, which sleeps for half a second; `s0` dies meanwhile.
    let mut description = free_world(&[0, 500], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], SLOW, 3);
    let first = run(&description, 0).requests[0].arrival;
    description.faults = vec![crash(0, first + SimDuration::from_millis(200))];
    let record = run(&description, 0);
    assert!(!record.requests[0].end.unwrap().status.is_ok());
    assert_eq!(record.work[0].calls, 1, "that of `s1`, and not that of `s0`");
}

#[test]
fn cpu_time_that_a_dead_pod_never_used_is_taken_back() {
    let mut description = free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 3);
    description.application.endpoints[EndpointId(0)].service_time = Some(always(900.0));
    let arrival = run(&description, 0).requests[0].arrival;
    description.faults = vec![crash(0, arrival + SimDuration::from_millis(400))];
    let record = run(&description, 0);
    let used: f64 = record.pod_cpu[EDGE].iter().map(|it| it.application).sum();
    let told = record.work[0].cpu_nanos / 1e9;
    assert!(told > 0.3 && told < 0.4 && (told - used).abs() < 1e-6, "{told} s of CPU, {used} used");
    assert_eq!(record.work[0].calls, 0);
    assert!(
        record.requests[0].end.is_some_and(|end| !end.status.is_ok() && at_ms(0) + end.latency > at_ms(400))
    );
}

#[test]
fn waiting_that_ends_without_a_connection_is_waiting() {
    // A connection to the cloud takes 320 ms; the route gives up after 100.
    let route = RouteSettings { timeout: Some(SimDuration::from_millis(100)), ..RouteSettings::default() };
    let record = run(&with_route(free_world(&[0], &[], &[(0, CLOUD, 1)], SLOW, 3), route), 0);
    assert_eq!((record.work[0].connect_nanos, record.work[0].calls), (100_000_000, 0));
}
