//! Routes and policies change in a run: what is under way keeps what its proxy decided with, what comes after the push
//! follows the new ones.
//!
//! Only delays and sleeps take time, so it is known of each request when its proxy routes it.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::envoy::route::{Destination, RouteSettings, WeightedDestination};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{
    ConnectionPoolSettings, OutlierDetectionSettings, TrafficPolicy,
};
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::{ConfigurationChange, Description, ServiceSettings};
use support::{CLOUD, EDGE, all_ended, at_ms, counted, free_world, is_binomial, run, served};

const HUNDRED: Arrivals = Arrivals::Constant { per_second: 100.0 };
const S0: ServiceId = ServiceId(0);

fn split(weights: [u32; 2]) -> RouteSettings {
    let to = |(service, weight)| {
        let destination = Destination { service: ServiceId(service), subset: None };
        WeightedDestination { destination, weight }
    };
    let destinations = (1..).zip(weights).map(to).collect();
    RouteSettings { destinations, ..RouteSettings::default() }
}

fn with_routes(routes: Vec<RouteSettings>) -> ServiceSettings {
    ServiceSettings { routes, ..ServiceSettings::default() }
}

fn with_policy(traffic_policy: TrafficPolicy) -> ServiceSettings {
    ServiceSettings { traffic_policy, ..ServiceSettings::default() }
}

fn at_most(http2_max_requests: u32) -> TrafficPolicy {
    let http2_max_requests = Some(http2_max_requests);
    let connection_pool = ConnectionPoolSettings { http2_max_requests, ..ConnectionPoolSettings::default() };
    TrafficPolicy { connection_pool, ..TrafficPolicy::default() }
}

/// The settings of the first service become these at `ms`, and proxies have them `delay_ms` later.
fn change(description: &mut Description, ms: u64, delay_ms: u64, settings: ServiceSettings) {
    description.kubernetes.pods.endpoint_delay = SimDuration::from_millis(delay_ms);
    let change = ConfigurationChange { at: at_ms(ms), service: S0, settings };
    description.configuration_changes.push(change);
}

/// Behind the first service stand one at the edge that takes 10 ms and one in the cloud that takes half a second.
fn split_world(weights: [u32; 2]) -> Description {
    let pods = [(0, EDGE, 1), (1, EDGE, 1), (2, CLOUD, 1)];
    let mut description = free_world(&[0, 10, 500], &[], &pods, HUNDRED, 200);
    description.services[S0].routes = vec![split(weights)];
    description
}

#[test]
fn a_split_moves_when_the_push_has_arrived_and_no_request_before() {
    let mut description = split_world([90, 10]);
    change(&mut description, 100_000, 5_000, with_routes(vec![split([50, 50])]));
    let record = run(&description, 0);
    let goes_far = |description: &Description| -> Vec<bool> {
        let record = run(description, 0);
        all_ended(&record).iter().map(|(_, end)| end.latency > SimDuration::from_millis(400)).collect()
    };
    let [before, after] = [[90, 10], [50, 50]].map(|weights| goes_far(&split_world(weights)));
    let mut far = [[0_u64; 2]; 2];
    for (number, (row, end)) in all_ended(&record).iter().enumerate() {
        let pushed = row.arrival >= at_ms(105_000);
        let is_far = end.latency > SimDuration::from_millis(400);
        // The same request draws the same number whatever the weights: it goes where it goes in a run without a change.
        assert_eq!(is_far, if pushed { after[number] } else { before[number] }, "{row:?}");
        far[usize::from(pushed)][usize::from(is_far)] += 1;
    }
    let [[near_before, far_before], [near_after, far_after]] = far;
    assert!((10_499..=10_500).contains(&(near_before + far_before)), "{far:?}");
    assert!(is_binomial(far_before, near_before + far_before, 0.1), "{far:?}");
    assert!(is_binomial(far_after, near_after + far_after, 0.5), "{far:?}");
    // Those of the last half second are served and not back.
    let far = far_before + far_after;
    assert!((far..far + 40).contains(&served(&record, CLOUD)[0]), "{far}: {:?}", served(&record, CLOUD));
}

#[test]
fn a_limit_holds_from_the_push_on_and_counts_from_there() {
    // Ten requests at a time, each of which takes a second.
    let ten = Arrivals::Constant { per_second: 10.0 };
    let mut description = free_world(&[1_000], &[], &[(0, EDGE, 1)], ten, 30);
    change(&mut description, 10_050, 2_000, with_policy(at_most(3)));
    let record = run(&description, 0);
    for (row, end) in all_ended(&record).iter().filter(|(row, _)| row.arrival < at_ms(12_050)) {
        assert_eq!(end.status.to_string(), "200", "{row:?}");
    }
    let refused = |from, to| {
        let ended = all_ended(&record);
        let of = ended.iter().filter(|(row, _)| row.arrival >= at_ms(from) && row.arrival < at_ms(to));
        of.filter(|(_, end)| end.status.to_string().starts_with("503")).count()
    };
    // The gateway's new cluster counts from zero, but the server's sidecar counts what it has: of ten requests two are
    // left when the ninth after the push comes.
    assert_eq!(refused(12_050, 13_050), 8);
    // Three at a time are served, each in a little more than a second: every eleventh place of a tenth is taken again.
    assert!((72..=73).contains(&refused(15_050, 25_050)), "{}", refused(15_050, 25_050));
    assert_eq!(counted(&record, Counter::RequestOverflows), refused(0, 30_000) as u64);
}

#[test]
fn a_limit_that_goes_frees_whoever_comes() {
    let ten = Arrivals::Constant { per_second: 10.0 };
    let mut description = free_world(&[1_000], &[], &[(0, EDGE, 1)], ten, 30);
    description.services[S0].traffic_policy = at_most(3);
    change(&mut description, 10_050, 0, ServiceSettings::default());
    let record = run(&description, 0);
    let (before, after): (Vec<_>, Vec<_>) =
        all_ended(&record).into_iter().partition(|(row, _)| row.arrival < at_ms(10_050));
    assert!(before.iter().filter(|(_, end)| end.status.to_string() == "503 UO").count() > 50);
    assert!(after.iter().all(|(_, end)| end.status.to_string() == "200"));
}

/// All pods of the first service in a cluster answer 503.
fn fails(cluster: ClusterId) -> PodFault {
    PodFault {
        service: S0,
        cluster,
        pod: None,
        begins: at_ms(0),
        ends: None,
        kind: FaultKind::Errors { share: 1.0, status: 503 },
        seen_after: None,
    }
}

#[test]
fn hosts_are_ejected_from_the_push_on() {
    let pods = [(0, EDGE, 1), (0, CLOUD, 1)];
    let ten = Arrivals::Constant { per_second: 10.0 };
    let mut description = free_world(&[0], &[], &pods, ten, 60);
    description.services[S0].routes = vec![RouteSettings::default()];
    description.faults = vec![fails(EDGE)];
    let outlier_detection = Some(OutlierDetectionSettings {
        base_ejection_time: Some(SimDuration::from_secs(1_000)),
        max_ejection_percent: Some(100),
        ..OutlierDetectionSettings::default()
    });
    let policy = TrafficPolicy { outlier_detection, ..TrafficPolicy::default() };
    let settings = ServiceSettings { routes: vec![RouteSettings::default()], ..with_policy(policy) };
    change(&mut description, 30_000, 250, settings);
    let record = run(&description, 0);
    let failed = |from, to| {
        let ended = all_ended(&record);
        let of = ended.iter().filter(|(row, _)| row.arrival >= at_ms(from) && row.arrival < at_ms(to));
        of.filter(|(_, end)| end.status.to_string() == "503").count() as u64
    };
    // Either pod by a balancer that does not look where it is.
    assert!(is_binomial(failed(0, 30_250), 302, 0.5), "{}", failed(0, 30_250));
    // Near pods come first then, until five errors in a row.
    assert_eq!(failed(30_250, 60_000), 5);
    assert_eq!(counted(&record, Counter::Ejections), 1);
}

#[test]
fn a_request_under_way_is_tried_again_as_its_route_said() {
    // A call takes 3 s; its route gives up each of three tries after a second, and the next one never does.
    let tenth = Arrivals::Constant { per_second: 0.1 };
    let mut description = free_world(&[0, 3_000], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], tenth, 60);
    let per_try = RetrySettings {
        attempts: 2,
        retry_on: "5xx".into(),
        per_try_timeout: Some(SimDuration::from_secs(1)),
        ..RetrySettings::default()
    };
    let retry = RetryPolicy::new(NEWEST, Some(&per_try), false);
    description.services[ServiceId(1)].routes = vec![RouteSettings { retry, ..RouteSettings::default() }];
    // The request of 10 s is in its first try.
    change(&mut description, 10_500, 0, ServiceSettings::default());
    description.configuration_changes[0].service = ServiceId(1);
    let record = run(&description, 0);
    let ended = all_ended(&record);
    let of = |second: u64| {
        let found = ended.iter().find(|(row, _)| row.arrival >= at_ms(second * 1_000));
        let (_, end) = found.unwrap();
        (end.status.to_string(), end.totals.retries)
    };
    assert_eq!(of(9), ("500".into(), 2), "its route still holds");
    assert_eq!(of(19), ("200".into(), 0), "without a route it waits");
}

#[test]
fn a_change_that_changes_nothing_leaves_no_trace() {
    let still = split_world([90, 10]);
    let mut changed = still.clone();
    let same = still.services[S0].clone();
    change(&mut changed, 50_000, 0, same);
    let [still, changed] = [still, changed].map(|description| run(&description, 0));
    assert_eq!(still.requests, changed.requests);
}
