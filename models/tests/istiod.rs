//! istiod in runs: changes are merged, pushes are paced, and what a proxy knows waits for its push.
//!
//! Only delays take time, so it is known of each request when its proxy routes it.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{Id, SimDuration};
use meshsim_models::cluster::news::News;
use meshsim_models::envoy::route::{Destination, RouteSettings, WeightedDestination};
use meshsim_models::faults::link::{LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::push_kind::PushKind;
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{ConfigurationChange, Description, ServiceSettings};
use support::{CLOUD, EDGE, LOCAL_ROUND_TRIP_MS, all_ended, at_ms, free_world, run};

const S0: ServiceId = ServiceId(0);

fn all_to(service: u32) -> ServiceSettings {
    let destination = Destination { service: ServiceId(service), subset: None };
    let destinations = vec![WeightedDestination { destination, weight: 1 }];
    ServiceSettings {
        routes: vec![RouteSettings { destinations, ..RouteSettings::default() }],
        ..Default::default()
    }
}

/// A service whose calls go to one that answers at once, or, from some moment on, to one that takes half a second.
fn world(seconds: u64) -> Description {
    let pods = [(0, EDGE, 1), (1, EDGE, 1), (2, EDGE, 1)];
    let arrivals = Arrivals::Constant { per_second: 1_000.0 };
    let mut description = free_world(&[0, 0, 500], &[], &pods, arrivals, seconds);
    description.kubernetes.pods.endpoint_delay = SimDuration::ZERO;
    description.services[S0] = all_to(1);
    description
}

fn change(description: &mut Description, ms: u64, service: u32) {
    let settings = all_to(service);
    description.configuration_changes.push(ConfigurationChange { at: at_ms(ms), service: S0, settings });
}

fn quick() -> IstiodSettings {
    let nothing = SimDuration::ZERO;
    IstiodSettings { prepare: nothing, push: nothing, full_push: nothing, ..IstiodSettings::default() }
}

/// The first request of these numbers that went to the slow service (ms), and whether all after it did.
fn first_slow(record: &Record, is_of: impl Fn(u32) -> bool) -> (f64, bool) {
    let slow = |latency: SimDuration| latency > SimDuration::from_millis(400);
    let ended = all_ended(record);
    let of: Vec<_> = ended.iter().filter(|(row, _)| is_of(row.number)).collect();
    let first = of.iter().position(|(_, end)| slow(end.latency)).unwrap();
    let all = of[first..].iter().all(|(_, end)| slow(end.latency));
    (of[first].0.arrival.as_secs_f64() * 1e3, all)
}

#[track_caller]
fn comes_at(record: &Record, is_of: impl Fn(u32) -> bool, ms: f64, within: f64) {
    let (first, all) = first_slow(record, is_of);
    assert!(all, "the proxy goes back");
    assert!(first >= ms && first <= ms + within, "{first} ms, not {ms}");
}

#[test]
fn a_change_waits_until_it_has_been_quiet_and_crosses_the_link() {
    let mut description = world(5);
    change(&mut description, 1_000, 2);
    for (cluster, way) in [(EDGE, 0.0), (CLOUD, 80.0)] {
        description.istiod = Some(IstiodSettings { cluster: Some(cluster), ..quick() });
        comes_at(&run(&description, 0), |_| true, 1_100.0 + way, 2.0);
    }
    // One in each cluster has no link to cross.
    description.istiod = Some(quick());
    comes_at(&run(&description, 0), |_| true, 1_100.0, 2.0);
}

#[test]
fn changes_that_come_in_between_wait_together() {
    let mut description = world(5);
    for (ms, service) in [(1_000, 1), (1_060, 1), (1_120, 2)] {
        change(&mut description, ms, service);
    }
    description.istiod = Some(quick());
    comes_at(&run(&description, 0), |_| true, 1_220.0, 2.0);
}

#[test]
fn proxies_are_pushed_to_so_many_at_a_time() {
    let mut description = world(5);
    // 40 gateways and three sidecars; each push takes 10 ms of CPU and twenty share one core: 200 ms.
    // Users take turns, and each has a gateway of its own.
    description.gateway.replicas = 40;
    description.populations[0].users = 40;
    change(&mut description, 1_000, 2);
    let full_push = SimDuration::from_millis(10);
    description.istiod = Some(IstiodSettings { cores: 1, full_push, ..quick() });
    let record = run(&description, 0);
    // The first begin alone: 10, 20, 30 ms and so on; each makes room for one more, which shares with nineteen.
    for gateway in [0, 7, 19] {
        comes_at(&record, |number| number % 40 == gateway, 1_100.0 + 10.0 * f64::from(gateway + 1), 45.0);
    }
    for gateway in [20, 31, 39] {
        comes_at(
            &record,
            |number| number % 40 == gateway,
            1_100.0 + 10.0 * f64::from(gateway - 19) + 200.0,
            45.0,
        );
    }
}

#[test]
fn a_proxy_behind_a_cut_link_keeps_what_it_has() {
    let mut description = world(12);
    change(&mut description, 2_000, 2);
    description.istiod = Some(IstiodSettings { cluster: Some(CLOUD), ..quick() });
    description.link_faults = vec![LinkFault {
        link: 0,
        toward: None,
        kind: LinkFaultKind::Blackhole,
        begins: at_ms(1_000),
        ends: Some(at_ms(6_000)),
    }];
    let (first, all) = first_slow(&run(&description, 0), |_| true);
    assert!(all && (6_000.0..12_000.0).contains(&first), "{first} ms");
}

/// A pod is not ready for a while: its client's proxy leaves it a debounce later, and comes back as much later.
#[test]
fn endpoints_wait_for_their_push_like_all_else() {
    let arrivals = Arrivals::Constant { per_second: 1_000.0 };
    let pods = [(0, EDGE, 1), (0, CLOUD, 1)];
    let mut description = free_world(&[0], &[], &pods, arrivals, 8);
    description.services[S0] = support::with_outlier_detection();
    description.istiod = Some(IstiodSettings { push: SimDuration::from_millis(50), ..quick() });
    description.faults = vec![PodFault {
        service: S0,
        cluster: EDGE,
        pod: Some(0),
        begins: at_ms(2_000),
        ends: Some(at_ms(5_000)),
        kind: FaultKind::Unready,
        seen_after: Some(SimDuration::ZERO),
    }];
    let record = run(&description, 0);
    let ended = all_ended(&record);
    let far: Vec<f64> = ended
        .iter()
        .filter(|(_, end)| end.latency > SimDuration::from_millis(100))
        .map(|(row, _)| row.arrival.as_secs_f64() * 1e3)
        .collect();
    // Within the cluster the news take half a round trip, then it is quiet for 100 ms, and a push takes 50 ms or so.
    let (first, last) = (far[0], far[far.len() - 1]);
    let way = LOCAL_ROUND_TRIP_MS / 2.0;
    assert!((2_150.0 + way..2_205.0).contains(&first), "{first}");
    assert!((5_149.0 + way..5_205.0).contains(&last), "{last}");
}

fn istiod_is_down(cluster: ClusterId, from_ms: u64, to_ms: u64) -> Outage {
    Outage { of: Component::Istiod(cluster), begins: at_ms(from_ms), ends: Some(at_ms(to_ms)) }
}

/// What changes while istiod is down waits for it; then proxies connect one after the other, and each gets all there is.
#[test]
fn proxies_connect_again_one_after_the_other() {
    let mut description = world(8);
    description.outages = vec![istiod_is_down(EDGE, 1_000, 3_000)];
    change(&mut description, 2_000, 2);
    // Where pushes take no time all have it at once.
    comes_at(&run(&description, 0), |_| true, 3_000.0, 2.0);
    description.gateway.replicas = 40;
    description.populations[0].users = 40;
    description.istiod = Some(IstiodSettings { cores: 1, ..quick() });
    let record = run(&description, 0);
    // Twenty per second.
    for gateway in [0, 1, 20, 39] {
        comes_at(&record, |number| number % 40 == gateway, 3_000.0 + 50.0 * f64::from(gateway), 45.0);
    }
    let [push] = &record.control[EDGE].pushes[..] else { panic!("{:?}", record.control[EDGE].pushes) };
    // The gateways, and three sidecars after them.
    assert_eq!((push.cause, push.kind, push.proxies), (None, PushKind::Full, 43));
    assert_eq!((push.changed, push.reached), (at_ms(3_000), Some(at_ms(3_000 + 42 * 50) + LOCAL_WAY)));
}

const LOCAL_WAY: SimDuration = SimDuration::from_micros((LOCAL_ROUND_TRIP_MS * 500.0) as u64);

/// A push has its cause, and the time from the change to the last proxy: over the link to the edge.
#[test]
fn pushes_are_recorded_from_the_change_to_the_last_proxy() {
    let mut description = world(8);
    for (ms, service) in [(1_000, 1), (1_060, 2)] {
        change(&mut description, ms, service);
    }
    let settings = IstiodSettings { cluster: Some(CLOUD), prepare: SimDuration::from_millis(10), ..quick() };
    description.istiod = Some(settings);
    let record = run(&description, 0);
    let [push] = &record.control[CLOUD].pushes[..] else { panic!("{:?}", record.control[CLOUD].pushes) };
    assert_eq!((push.changes, push.kind, push.changed), (2, PushKind::Full, at_ms(1_000)));
    assert!(matches!(push.cause, Some(News::Configuration(it)) if it.index() == 1));
    // Two gateways, one of the cloud, and three sidecars at the edge: quiet at 1,160 ms.
    assert_eq!((push.proxies, push.prepared), (5, at_ms(1_170)));
    assert_eq!(push.reached, Some(at_ms(1_250)));
    assert_eq!(record.control[EDGE].pushes, []);
    // One that a cut keeps from the edge is sent all the same; one that dies is forgotten.
    let mut dies = description.clone();
    dies.outages = vec![istiod_is_down(CLOUD, 1_165, 2_000)];
    let record = run(&dies, 0);
    assert_eq!(record.control[CLOUD].pushes.iter().map(|it| it.cause).collect::<Vec<_>>(), [None]);
}
