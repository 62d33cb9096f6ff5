//! Work counts for the request that it is done for, whoever still waits for the answer; lives of requests say what each took.

mod support;

use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::application::call_graph::Group;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::draws::Draws;
use meshsim_models::envoy::route::{Destination, Mirror, RouteSettings};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::istiod::subset::Subset;
use meshsim_models::telemetry::trace::life::{self, Life};
use meshsim_models::telemetry::trace::{Kind, Part, Rule};
use meshsim_models::telemetry::work::Work;
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::Description;
use meshsim_models::world::{Record, World};
use support::{CLOUD, EDGE, at_ms, free_world, run, served};

/// A request a second.
const SLOW: Arrivals = Arrivals::Constant { per_second: 1.0 };

const RETRIED_TWICE: &str = "reset,gateway-error";

/// Three tries of 4 ms each.
fn three_tries() -> RouteSettings {
    let retry = RetrySettings {
        attempts: 2,
        retry_on: RETRIED_TWICE.into(),
        per_try_timeout: Some(SimDuration::from_millis(4)),
        ..RetrySettings::default()
    };
    RouteSettings { retry: RetryPolicy::new(NEWEST, Some(&retry), false), ..RouteSettings::default() }
}

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
    let plain = ten_ms_of_cpu(free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 60));
    let record = run(&with_route(plain, three_tries()), 0);
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

/// The life of the first request of a world.
fn first_life(description: &Description) -> Life {
    let row = run(description, 0).requests[0];
    let mut world = World::tracing(description, 0, vec![row.id()]);
    world.run(&mut RunControl::until(description.end()));
    let (traces, draws) = (world.take_traces(), Draws::new(description.seed, 0));
    let mut lives = life::lives(&traces, &[row], |id| draws.request(id.population, id.number.into()));
    lives.pop().expect("it was followed")
}

/// What it was spent on (us), in the order of time, with neighbours put together.
fn spent(life: &Life) -> Vec<(Part, u64)> {
    let mut spent: Vec<(Part, u64)> = Vec::new();
    for it in life.critical_path() {
        let (part, micros) = (it.piece.part, it.length().as_nanos() / 1_000);
        match spent.last_mut() {
            Some((last, sum)) if *last == part => *sum += micros,
            _ => spent.push((part, micros)),
        }
    }
    spent
}

fn rules(life: &Life) -> Vec<Rule> {
    let attempts = life.calls.iter().flat_map(|call| &call.attempts);
    attempts.flat_map(|it| it.client.rules.iter().chain(&it.back.rules)).map(|it| it.rule).collect()
}

/// Over 160 ms: TCP and TLS take two round trips, 100 kB over a new connection three further rounds.
#[test]
fn the_life_of_a_call_to_the_cloud_is_its_round_trips() {
    let mut description = free_world(&[50], &[], &[(0, CLOUD, 1)], SLOW, 3);
    description.application.endpoints[EndpointId(0)].response_size = Some(always(100_000.0));
    let life = first_life(&description);
    let ways = [(Part::Connecting, 320_000), (Part::Way, 80_000), (Part::Sleep, 50_000)];
    let back = [(Part::Rounds, 480_000), (Part::Way, 80_000)];
    let among: Vec<_> = spent(&life).into_iter().filter(|(part, _)| *part != Part::Access).collect();
    assert_eq!(among, [&ways[..], &back[..]].concat());
    let rounds: Vec<_> = rules(&life).into_iter().filter(|it| matches!(it, Rule::Round { .. })).collect();
    assert_eq!(
        rounds[..2],
        [Rule::Round { segments: 10, remaining: 68 }, Rule::Round { segments: 20, remaining: 48 }]
    );
    assert_eq!(rounds.len(), 3);
    let window = Rule::Window { window: 10, segments: 78, decayed: false };
    assert!(rules(&life).contains(&window), "{:?}", rules(&life));
}

/// 10 ms of work on 0.01 cores: 1 ms of each period of 100 ms, the first of which has begun before.
#[test]
fn what_a_quota_takes_is_throttling() {
    let mut description = ten_ms_of_cpu(free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 3));
    description.deployments[0].cpu_limit = Some(Cores(0.01));
    let life = first_life(&description);
    let of = |part| spent(&life).iter().filter(|(other, _)| *other == part).map(|(_, us)| us).sum::<u64>();
    assert_eq!((of(Part::Cpu), of(Part::RunQueue)), (10_000, 0));
    assert!((8 * 99_000..=9 * 99_000).contains(&of(Part::Throttled)), "{:?}", spent(&life));
}

/// Two calls at once on one core: each is on the CPU for 10 ms and ready for 10, and the user waits for one of them.
#[test]
fn who_shares_a_core_is_ready_meanwhile() {
    let mut description = free_world(&[0, 0], &[], &[(0, EDGE, 1), (1, EDGE, 1)], SLOW, 3);
    let group = || Group::in_turn([(EndpointId(1), 1.0)]);
    description.application.endpoints[EndpointId(0)].groups = vec![group(), group()];
    description.application.endpoints[EndpointId(1)].service_time = Some(always(10.0));
    let life = first_life(&description);
    let of = |part| spent(&life).iter().filter(|(other, _)| *other == part).map(|(_, us)| us).sum::<u64>();
    assert_eq!((of(Part::Cpu), of(Part::RunQueue)), (10_000, 10_000), "{:?}", spent(&life));
    assert_eq!(life.calls.len(), 3);
}

/// Three tries of 4 ms each: the first two, and the waits after them, are retries.
#[test]
fn tries_that_were_given_up_are_retries() {
    let plain = ten_ms_of_cpu(free_world(&[0], &[], &[(0, EDGE, 1)], SLOW, 3));
    let life = first_life(&with_route(plain, three_tries()));
    let waits = rules(&life).into_iter().filter_map(|it| match it {
        Rule::Retry { number, most: 2, wait, .. } => Some((number, wait)),
        _ => None,
    });
    let waits: Vec<_> = waits.collect();
    assert_eq!(waits.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    let path = life.critical_path();
    let retries: u64 =
        path.iter().filter(|it| it.kind() == Kind::Retries).map(|it| it.length().as_nanos()).sum();
    let tries = 2 * 4_000_000 + waits.iter().map(|(_, wait)| wait.as_nanos()).sum::<u64>();
    let gap = retries.abs_diff(tries);
    assert!(gap < 1_500_000, "{retries} ns of retries, of {tries} in tries and waits: {:?}", spent(&life));
    assert_eq!(life.calls[0].attempts.len(), 3);
}
