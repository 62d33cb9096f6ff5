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
use meshsim_models::telemetry::control_log::{PushCause, PushRecord};
use meshsim_models::telemetry::decision::{Decision, What};
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
    let (nothing, never) = (SimDuration::ZERO, SimDuration::from_secs(1_000_000));
    let times =
        IstiodSettings { prepare: nothing, push: nothing, full_push: nothing, ..IstiodSettings::default() };
    // A connection that ages in a test would be another push.
    IstiodSettings { max_connection_age: never, ..times }
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
    assert_eq!((push.cause, push.kind, push.proxies), (PushCause::IstiodIsBack, PushKind::Full, 43));
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
    assert!(matches!(push.cause, PushCause::News(News::Configuration(it)) if it.index() == 1));
    // Two gateways, one of the cloud, and three sidecars at the edge: quiet at 1,160 ms.
    assert_eq!((push.proxies, push.prepared), (5, at_ms(1_170)));
    assert_eq!(push.reached, Some(at_ms(1_250)));
    assert_eq!(record.control[EDGE].pushes, []);
    // One that a cut keeps from the edge is sent all the same; one that dies is forgotten.
    let mut dies = description.clone();
    dies.outages = vec![istiod_is_down(CLOUD, 1_165, 2_000)];
    let record = run(&dies, 0);
    let causes: Vec<PushCause> = record.control[CLOUD].pushes.iter().map(|it| it.cause).collect();
    assert_eq!(causes, [PushCause::IstiodIsBack]);
}

/// A service with 40 gateways before it, whose calls go elsewhere from some moment on, and an istiod of two replicas of a
/// core each.
fn with_two_replicas(seconds: u64, changes_at_ms: u64) -> Description {
    let mut description = world(seconds);
    change(&mut description, changes_at_ms, 2);
    description.gateway.replicas = 40;
    description.populations[0].users = 40;
    description.istiod = Some(IstiodSettings { cores: 1, replicas: 2, ..quick() });
    description
}

fn pushes(record: &Record, cluster: ClusterId) -> Vec<(PushCause, u32, Option<u64>)> {
    let took = |it: &PushRecord| it.reached.map(|at| (at - (it.changed + LOCAL_WAY)).as_nanos() / 1_000_000);
    record.control[cluster].pushes.iter().map(|it| (it.cause, it.proxies, took(it))).collect()
}

/// 43 proxies, 22 of them at the first replica. While that is down they are at the other, which lets 20 per second in;
/// nothing comes back with it. Where both die all connect, 40 per second.
#[test]
fn a_replica_that_dies_leaves_its_proxies_to_the_others() {
    let mut description = with_two_replicas(8, 2_500);
    let replica = |replica, from, to| Outage {
        of: Component::IstiodReplica { cluster: EDGE, replica },
        begins: at_ms(from),
        ends: Some(at_ms(to)),
    };
    description.outages = vec![replica(0, 1_000, 3_000)];
    let record = run(&description, 0);
    // The change is pushed by the one that is left, to all.
    comes_at(&record, |_| true, 2_600.0, 2.0);
    let [gone, (PushCause::News(_), 43, Some(100))] = pushes(&record, EDGE)[..] else {
        panic!("{:?}", pushes(&record, EDGE))
    };
    assert_eq!(gone, (PushCause::ReplicaIsGone(0), 22, Some(21 * 50)));
    // Both at a time, for 500 ms: nobody learns of the change before one is back, which has 20 per second.
    description.outages.push(replica(1, 2_000, 3_500));
    let record = run(&description, 0);
    // From 3,500 ms on there are two.
    for (gateway, ms) in [(0, 3_000.0), (10, 3_500.0), (20, 3_750.0), (39, 4_225.0)] {
        comes_at(&record, |number| number % 40 == gateway, ms, 50.0);
    }
    let all = pushes(&record, EDGE);
    assert_eq!(all[1].0, PushCause::IstiodIsBack, "{all:?}");
    assert_eq!((all[1].1, all[1].2), (43, Some(500 + 32 * 25)), "{all:?}");
}

/// A connection that is old is made anew, and takes a push.
#[test]
fn connections_age() {
    let mut description = world(100);
    description.istiod = Some(IstiodSettings { max_connection_age: SimDuration::from_secs(10), ..quick() });
    let record = run(&description, 0);
    let of_edge = pushes(&record, EDGE);
    assert!(
        of_edge.iter().all(|it| *it == (PushCause::ConnectionIsOld, 1, Some(0))),
        "one proxy each: {of_edge:?}"
    );
    // A gateway and three sidecars, the first after 0 to 10 s and then each 9 to 11 s.
    assert!((4 * 9..=4 * 12).contains(&of_edge.len()), "{}", of_edge.len());
    // The cloud has a gateway.
    assert!((9..=12).contains(&pushes(&record, CLOUD).len()));
}

/// Connections that age while older pushes are on their way: what a proxy is sent before it gets what it connected for does not
/// count as that, and each push reaches its last proxy.
#[test]
fn every_push_reaches_its_last_proxy_whatever_was_on_its_way() {
    let mut description = world(40);
    description.populations[0].arrivals = Arrivals::Constant { per_second: 10.0 };
    for half_seconds in 2..60 {
        change(&mut description, half_seconds * 500, 1 + (half_seconds % 2) as u32);
    }
    let times = IstiodSettings { max_connection_age: SimDuration::from_secs(5), ..quick() };
    description.istiod = Some(IstiodSettings { full_push: SimDuration::from_secs(1), ..times });
    let record = run(&description, 0);
    let of = |cause| {
        record.control[EDGE].pushes.iter().filter(move |it| matches!(it.cause, PushCause::News(_)) == cause)
    };
    assert!(of(true).count() > 50 && of(false).count() > 25, "changes, and connections that are old");
    // The last take a second, of four at a time, for what has come up meanwhile.
    for push in [true, false].into_iter().flat_map(of).filter(|it| it.prepared < at_ms(30_000)) {
        assert!(push.reached.is_some_and(|at| at > push.changed), "{push:?}");
    }
}

/// What istiod does takes CPU: a push to four proxies, and what these take at rest.
#[test]
fn the_cpu_of_an_istiod_is_that_of_its_pushes_and_proxies() {
    let mut description = world(8);
    change(&mut description, 1_000, 2);
    let ms = SimDuration::from_millis;
    let settings = IstiodSettings { prepare: ms(30), full_push: ms(10), cpu_per_proxy: 0.01, ..quick() };
    let used = |description: &Description| {
        let record = run(description, 0);
        [EDGE, CLOUD].map(|it| record.metrics_from(it, at_ms(0)).istiod_cpu_seconds)
    };
    description.istiod = Some(settings);
    let [edge, cloud] = used(&description);
    assert!((edge - (0.03 + 4.0 * 0.01 + 4.0 * 8.0 * 0.01)).abs() < 1e-9, "{edge}");
    assert!((cloud - (0.03 + 0.01 + 8.0 * 0.01)).abs() < 1e-9, "{cloud}");
    // Each replica prepares what it pushes.
    description.istiod = Some(IstiodSettings { replicas: 3, ..settings });
    assert!((used(&description)[0] - edge - 0.06).abs() < 1e-9);
    // What is down takes nothing, and then gives all to all.
    description.istiod = Some(settings);
    description.outages = vec![istiod_is_down(EDGE, 2_000, 6_000)];
    let [edge_that_was_down, _] = used(&description);
    let connects = [0.0, 0.04, 0.08, 0.12].map(|after: f64| 2.0 - after).iter().sum::<f64>();
    let expected = 0.03 + 8.0 * 0.01 + (4.0 * 2.0 + connects) * 0.01;
    assert!((edge_that_was_down - expected).abs() < 1e-9, "{edge_that_was_down} {expected}");
}

/// Certificates of a minute are asked for anew after 30 s. While istiod is away from 1 to 100 s those of the gateway and of the
/// server end between 30 and 60 s; until 100 s no connection can be made.
#[test]
fn certificates_end_while_istiod_is_away() {
    let pods = [(0, EDGE, 1)];
    let mut description = free_world(&[0], &[], &pods, Arrivals::Constant { per_second: 10.0 }, 120);
    description.keeps_decisions = true;
    let lifetime = SimDuration::from_secs(60);
    description.istiod = Some(IstiodSettings { certificate_lifetime: lifetime, ..quick() });
    let failing = |description: &Description| -> Vec<f64> {
        let record = run(description, 0);
        let ended = all_ended(&record);
        assert!(ended.len() > 1_190, "{}", ended.len());
        ended
            .iter()
            .filter(|(_, end)| !end.status.is_ok())
            .map(|(row, end)| {
                assert_eq!(end.status.code(), 503, "{:?}", end.status);
                row.arrival.as_secs_f64()
            })
            .collect()
    };
    let once = |description: &mut Description| {
        let policy = &mut description.services[S0].traffic_policy;
        policy.connection_pool.max_requests_per_connection = Some(1);
    };
    // A connection that is there goes on.
    let down = istiod_is_down(EDGE, 1_000, 100_000);
    description.outages = vec![down];
    assert_eq!(failing(&description), [0.0; 0]);
    once(&mut description);
    let without = failing(&description);
    let (first, last) = (without[0], without[without.len() - 1]);
    assert!((30.0..=60.0).contains(&first) && (99.8..100.0).contains(&last), "{first} to {last}");
    // The last one may be tried again when istiod is back.
    let all = ((100.0 - first) * 10.0).round() as usize;
    assert!((all - 1..=all).contains(&without.len()), "{} of {all}", without.len());
    // The time line says when, and since when it was asked for.
    let record = run(&description, 0);
    let ends: Vec<&Decision> =
        record.decisions.iter().filter(|it| matches!(it.what, What::CertificateEnds(_))).collect();
    assert_eq!(ends.len(), 2);
    assert!(
        (ends[0].at.as_secs_f64() - first).abs() <= 0.1
            && ends[0].at - ends[0].noticed.unwrap() == lifetime / 2
    );
    let news = record.decisions.iter().filter(|it| matches!(it.what, What::CertificateIsNew(_)));
    assert!(news.map(|it| it.at).eq([at_ms(100_000); 2]));
    // An istiod elsewhere that is cut off, a shorter outage, a longer lifetime, no mTLS.
    let mut far = description.clone();
    far.outages.clear();
    far.istiod = far.istiod.map(|it| IstiodSettings { cluster: Some(CLOUD), ..it });
    far.link_faults = vec![LinkFault {
        link: 0,
        toward: None,
        kind: LinkFaultKind::Blackhole,
        begins: at_ms(1_000),
        ends: Some(at_ms(100_000)),
    }];
    assert_eq!(failing(&far), without);
    let mut short = description.clone();
    short.outages = vec![istiod_is_down(EDGE, 1_000, 29_000)];
    assert_eq!(failing(&short), [0.0; 0]);
    let mut long = description.clone();
    long.istiod = Some(quick());
    assert_eq!(failing(&long), [0.0; 0]);
    let mut plain = description;
    plain.mesh.mtls = false;
    assert_eq!(failing(&plain), [0.0; 0]);
}
