//! Kinds of requests: what users request, what each kind does, and what it calls, against closed forms.
//!
//! # Source
//! The maximum of n exponential times of mean m has the mean m (1 + 1/2 + ... + 1/n) (Feller, An introduction to
//! probability theory and its applications II, 1971, section I.6).

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::{Endpoint, Group, Service};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::envoy::route::{Destination, RouteSettings, WeightedDestination};
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::requests::Requests;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use support::{
    CLOUD, EDGE, Ended, LOCAL_ROUND_TRIP_MS, all_ended, free_world, is_binomial, run, same_ms,
    with_outlier_detection,
};

fn always_ms(ms: f64) -> ServiceTime {
    ServiceTime::Deterministic(Deterministic::new(ms))
}

fn exponential_ms(ms: f64) -> ServiceTime {
    ServiceTime::Exponential(Exponential::new(ms))
}

/// A front at the edge, which does nothing itself, and services beside it that wait as `laws` say.
fn front_with(laws: &[ServiceTime], per_second: f64, seconds: u64) -> Description {
    let count = laws.len() as u32 + 1;
    let pods: Vec<(u32, ClusterId, u32)> = (0..count).map(|service| (service, EDGE, 1)).collect();
    let sleeps = vec![0; count as usize];
    let mut world = free_world(&sleeps, &[], &pods, Arrivals::Constant { per_second }, seconds);
    for (endpoint, law) in (1..).zip(laws) {
        world.application.endpoints[EndpointId(endpoint)].wait = Some(law.clone());
    }
    world
}

/// A group of this stage.
fn group(stage: u16, calls: &[u32]) -> Group {
    Group { stage, ..Group::in_turn(calls.iter().map(|&to| (EndpointId(to), 1.0))) }
}

fn with_groups(mut world: Description, groups: Vec<Group>) -> Description {
    world.application.endpoints[EndpointId(0)].groups = groups;
    world
}

/// The latency of a request that finds all connections made (ms).
fn last_ms(world: &Description) -> f64 {
    let record = run(world, 0);
    all_ended(&record).last().unwrap().1.latency.as_millis_f64()
}

#[test]
fn stages_come_after_each_other_and_groups_of_a_stage_at_the_same_time() {
    let world = || front_with(&[10.0, 30.0, 5.0, 7.0].map(always_ms), 1.0, 10);
    let alone = last_ms(&world());
    let of = |groups| last_ms(&with_groups(world(), groups)) - alone;
    let call = LOCAL_ROUND_TRIP_MS;
    let cases = [
        (vec![group(0, &[1]), group(0, &[2])], 30.0 + call),
        (vec![group(0, &[1]), group(1, &[2])], 40.0 + 2.0 * call),
        (vec![group(0, &[1, 2])], 40.0 + 2.0 * call),
        // 7 ms, then the longer of 10 + 5 and 30, then 5.
        (vec![group(0, &[4]), group(3, &[1, 3]), group(3, &[2]), group(8, &[3])], 42.0 + 3.0 * call),
    ];
    for (number, (groups, expected)) in cases.into_iter().enumerate() {
        let took = of(groups);
        assert!((took - expected).abs() < 1e-4, "case {number}: {took} ms, expected {expected}");
    }
}

#[test]
fn calls_in_parallel_take_as_long_as_the_slowest() {
    let mut world = front_with(&[1.0; 5].map(|_| exponential_ms(20.0)), 20.0, 1_000);
    let alone = last_ms(&world);
    world = with_groups(world, (1..=5).map(|to| group(0, &[to])).collect());
    let record = run(&world, 0);
    let waits: Vec<f64> = all_ended(&record)
        .iter()
        .map(|(_, it)| it.latency.as_millis_f64() - alone - LOCAL_ROUND_TRIP_MS)
        .collect();
    let mean = waits.iter().sum::<f64>() / waits.len() as f64;
    let expected = 20.0 * (1.0 + 1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0 + 1.0 / 5.0);
    // The variance of the maximum is 400 (1 + 1/4 + 1/9 + 1/16 + 1/25) ms^2: 24.2 ms over 20,000 requests.
    assert!(
        waits.len() > 19_900 && (mean - expected).abs() < 5.0 * 24.2 / (waits.len() as f64).sqrt(),
        "{mean}"
    );
}

/// A shop with two kinds of requests, and a stock with two: `browse` calls `stock.list` three times in a row, `buy` calls
/// `stock.take` twice in 40 % of the requests, and `stock.list` always.
fn shop(stock: ClusterId) -> Description {
    let mut world = free_world(
        &[0, 0],
        &[],
        &[(0, EDGE, 1), (1, stock, 1)],
        Arrivals::Constant { per_second: 20.0 },
        1_000,
    );
    let further = |service: u32, name: &str, wait| Endpoint {
        name: name.to_owned(),
        wait: Some(always_ms(wait)),
        ..Endpoint::new(ServiceId(service), InternalService::idle())
    };
    let (browse, list) = (EndpointId(0), EndpointId(1));
    world.application.endpoints[browse] = further(0, "browse", 1.0);
    world.application.endpoints[list] = further(1, "list", 4.0);
    let buy = world.application.endpoints.push(further(0, "buy", 2.0));
    let take = world.application.endpoints.push(further(1, "take", 8.0));
    world.application.services[ServiceId(0)].others = vec![buy];
    world.application.services[ServiceId(1)].others = vec![take];
    world.application.endpoints[browse].groups = vec![Group::in_turn([(list, 1.0); 3])];
    let mut group = Group::in_turn([(take, 0.4), (take, 0.4), (list, 1.0)]);
    group.calls[1].coin = 0;
    world.application.endpoints[buy].groups = vec![group];
    world.populations[0].requests = Requests::weighted(&[(browse, 80.0), (buy, 20.0)]);
    world.services[ServiceId(1)] = with_outlier_detection();
    world
}

fn of_kind(record: &Record, kind: u32) -> Vec<Ended> {
    all_ended(record).iter().filter(|(row, _)| row.endpoint.0 == kind).map(|(_, it)| *it).collect()
}

#[test]
fn kinds_have_their_shares_and_each_its_own_calls() {
    let record = run(&shop(EDGE), 0);
    let [browse, buy] = [0, 2].map(|kind| of_kind(&record, kind));
    let all = (browse.len() + buy.len()) as u64;
    assert!(all > 19_900 && is_binomial(buy.len() as u64, all, 0.2), "{} of {all} buy", buy.len());
    assert!(browse.iter().all(|it| it.totals.calls == 4), "one and three");
    let with_take = buy.iter().filter(|it| it.totals.calls == 4).count() as u64;
    let without = buy.iter().filter(|it| it.totals.calls == 2).count() as u64;
    assert_eq!(with_take + without, buy.len() as u64, "both are taken or none");
    assert!(is_binomial(with_take, buy.len() as u64, 0.4), "{with_take} of {}", buy.len());
    // What a kind waits is its own and that of the endpoints that it calls. The first requests make connections.
    let kept = browse.last().unwrap().latency.as_millis_f64();
    assert!(browse.iter().skip(10).all(|it| same_ms(it.latency, kept)));
    let alone = kept - 1.0 - 3.0 * (4.0 + LOCAL_ROUND_TRIP_MS);
    for it in buy.iter().skip(10) {
        let taken = if it.totals.calls == 4 { 2.0 * (8.0 + LOCAL_ROUND_TRIP_MS) } else { 0.0 };
        assert!(same_ms(it.latency, alone + 2.0 + taken + 4.0 + LOCAL_ROUND_TRIP_MS), "{}", it.latency);
    }
    // As the matrix of expected calls has it.
    let visits = shop(EDGE).application.expected_visits(shop(EDGE).populations[0].requests.shares()).unwrap();
    let expected = [0.8, 0.8 * 3.0 + 0.2, 0.2, 0.2 * 0.4 * 2.0];
    for (endpoint, expected) in expected.into_iter().enumerate() {
        assert!((visits[EndpointId(endpoint as u32)] - expected).abs() < 1e-12, "endpoint {endpoint}");
    }
}

#[test]
fn request_k_is_of_the_same_kind_and_makes_the_same_calls_wherever_they_go() {
    let [near, far] = [EDGE, CLOUD].map(|stock| run(&shop(stock), 2));
    let (near, far) = (all_ended(&near), all_ended(&far));
    assert!(far.len() > 19_900 && far.len() < near.len());
    for ((one, mine), (other, theirs)) in near.iter().zip(&far) {
        assert_eq!((one.number, one.arrival, one.endpoint), (other.number, other.arrival, other.endpoint));
        assert_eq!((mine.totals.calls, mine.totals.tree), (theirs.totals.calls, theirs.totals.tree));
        assert!(mine.latency < theirs.latency);
    }
}

/// A cache before a store: what it has not is fetched there, every time.
#[test]
fn a_cache_that_has_the_answer_calls_nobody() {
    let mut world = front_with(&[1.0, 20.0].map(always_ms), 20.0, 1_000);
    world = with_groups(world, vec![group(0, &[1])]);
    world.application.endpoints[EndpointId(1)].groups = vec![group(0, &[2]), group(0, &[2])];
    world.application.endpoints[EndpointId(1)].hit_ratio = 0.9;
    let record = run(&world, 0);
    let ended = all_ended(&record);
    let hits = ended.iter().filter(|(_, it)| it.totals.calls == 2).count() as u64;
    let misses = ended.iter().filter(|(_, it)| it.totals.calls == 4).count() as u64;
    assert_eq!(hits + misses, ended.len() as u64, "both calls are made or none");
    assert!(is_binomial(hits, ended.len() as u64, 0.9), "{hits} of {}", ended.len());
    let of = |calls: u64| ended.iter().skip(100).find(|(_, it)| it.totals.calls == calls).unwrap().1.latency;
    let more = of(4).as_millis_f64() - of(2).as_millis_f64();
    assert!((more - 20.0 - LOCAL_ROUND_TRIP_MS).abs() < 1e-4, "{more} ms");
    let visits = world.application.expected_visits(world.populations[0].requests.shares()).unwrap();
    assert!((visits[EndpointId(2)] - 0.2).abs() < 1e-12);
}

/// A second version of the shop answers half of the requests, each kind by its endpoint of the same name.
#[test]
fn a_route_to_another_service_leads_to_its_endpoint_of_the_same_name() {
    let mut world = shop(EDGE);
    let other = |name: &str, wait| Endpoint {
        name: name.to_owned(),
        wait: Some(always_ms(wait)),
        ..Endpoint::new(ServiceId(2), InternalService::idle())
    };
    let buy = world.application.endpoints.push(other("buy", 60.0));
    let browse = world.application.endpoints.push(other("browse", 30.0));
    let mut service = Service::new("shop-2", buy);
    (service.workers, service.threads, service.others) = (1, 10_000, vec![browse]);
    world.application.services.push(service);
    world.services.push(Default::default());
    world.add_pods(ServiceId(2), EDGE, 1);
    let to = |service| WeightedDestination {
        destination: Destination { service: ServiceId(service), subset: None },
        weight: 1,
    };
    world.services[ServiceId(0)].routes =
        vec![RouteSettings { destinations: vec![to(0), to(2)], ..RouteSettings::default() }];
    let record = run(&world, 0);
    for (kind, wait) in [(0, 30.0), (2, 60.0)] {
        let ended = of_kind(&record, kind);
        let of_second: Vec<&Ended> = ended.iter().filter(|it| it.totals.calls == 1).collect();
        assert!(
            is_binomial(of_second.len() as u64, ended.len() as u64, 0.5),
            "{} {}",
            of_second.len(),
            ended.len()
        );
        let least = of_second.iter().map(|it| it.latency).min().unwrap().as_millis_f64();
        assert!(least > wait && least < wait + 1.0, "kind {kind}: {least} ms");
    }
}

/// A body of 100,000 bytes and its headers are 78 segments: 10, 20, 40 and 8, three round trips more than a request
/// without a body; 12,000 bytes go at once.
#[test]
fn the_body_of_a_request_takes_rounds_as_that_of_an_answer_on_a_new_connection() {
    let with_body = |bytes: u32| {
        let mut world = shop(CLOUD);
        world.duration = SimDuration::from_secs(20);
        world.populations[0].requests = Requests::only(EndpointId(0));
        world.application.endpoints[EndpointId(1)].request_bytes = bytes;
        last_ms(&world)
    };
    let without = with_body(0);
    assert!((with_body(12_000) - without).abs() < 1e-3);
    let took = with_body(100_000) - without;
    // Three calls.
    assert!((took - 3.0 * 3.0 * 160.0).abs() < 1e-3, "{took} ms");
    let mut world = shop(EDGE);
    (world.populations[0].access.round_trip, world.populations[0].access.one_way) =
        (SimDuration::from_millis(40), SimDuration::from_millis(20));
    let without = last_ms(&world);
    for endpoint in [0, 2] {
        world.application.endpoints[EndpointId(endpoint)].request_bytes = 100_000;
    }
    // 70 segments of 1448 bytes: 10, 20 and 40, to the gateway and on to the pod.
    let took = last_ms(&world) - without;
    assert!((took - 2.0 * (40.0 + LOCAL_ROUND_TRIP_MS)).abs() < 1e-3, "{took} ms");
}
