//! Pods that swallow packets: who calls them waits, and for how long.
//!
//! Only delays and sleeps take time, and TCP's tries come at known moments, so every latency is known.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{
    ConnectionPoolSettings, OutlierDetectionSettings, TrafficPolicy,
};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description, ServiceSettings};
use support::{CLOUD, EDGE, Ended, all_ended, at_ms, counted, free_world, run, same_ms, served};

const SECONDS: fn(u64) -> SimDuration = SimDuration::from_secs;

const fn every_s(seconds: f64) -> Arrivals {
    Arrivals::Constant { per_second: 1.0 / seconds }
}

/// The first pod of a service in a cluster swallows packets, and nobody is told.
fn blackhole(service: u32, cluster: ClusterId, from_ms: u64, to_ms: Option<u64>) -> PodFault {
    PodFault {
        service: ServiceId(service),
        cluster,
        pod: Some(0),
        begins: at_ms(from_ms),
        ends: to_ms.map(at_ms),
        kind: FaultKind::Blackhole,
        seen_after: None,
    }
}

/// Without retries, and with this `connectTimeout`.
fn policy(connect_timeout: u64) -> ServiceSettings {
    let connection_pool = ConnectionPoolSettings {
        connect_timeout: Some(SECONDS(connect_timeout)),
        ..ConnectionPoolSettings::default()
    };
    let traffic_policy = TrafficPolicy { connection_pool, ..TrafficPolicy::default() };
    ServiceSettings { traffic_policy, routes: vec![RouteSettings::default()], ..ServiceSettings::default() }
}

/// How the request that came at this moment ended.
fn of(record: &Record, ms: u64) -> Ended {
    let ended = all_ended(record);
    ended.iter().find(|(row, _)| row.arrival == at_ms(ms)).unwrap_or_else(|| panic!("none came at {ms} ms")).1
}

#[track_caller]
fn ends(record: &Record, arrival_ms: u64, status: &str, latency_ms: f64) {
    let end = of(record, arrival_ms);
    assert_eq!(end.status.to_string(), status, "{end:?}");
    assert!(same_ms(end.latency, latency_ms), "{end:?}, not {latency_ms} ms");
}

/// What TCP waits for first inside a cluster, between requests and answers (ms).
const RTO: f64 = 200.2;

#[test]
fn a_new_connection_fails_after_the_connect_timeout() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 1)], every_s(4.0), 100);
    description.services[ServiceId(0)] = policy(3);
    description.faults = vec![blackhole(0, EDGE, 0, None)];
    let record = run(&description, 0);
    assert_eq!(all_ended(&record).len(), 24);
    for (_, end) in all_ended(&record) {
        assert_eq!((end.status.to_string().as_str(), end.latency), ("503 UF", SECONDS(3)));
    }
    assert_eq!(counted(&record, Counter::ConnectFailures), 24);
}

/// istio/istio#46724: whoever is first decides whether the host is ejected.
#[test]
fn a_caller_that_gives_up_first_hides_a_connect_timeout_from_ejection() {
    let world = |connect_timeout, patience: Option<u64>| {
        let pods = [(0, EDGE, 1), (0, CLOUD, 1)];
        let mut description = free_world(&[1], &[], &pods, every_s(12.0), 180);
        description.services[ServiceId(0)] = policy(connect_timeout);
        description.services[ServiceId(0)].traffic_policy.outlier_detection =
            Some(OutlierDetectionSettings {
                consecutive_5xx_errors: Some(5),
                base_ejection_time: Some(SECONDS(600)),
                max_ejection_percent: Some(100),
                ..OutlierDetectionSettings::default()
            });
        description.populations[0].timeout = patience.map(SECONDS);
        description.faults = vec![blackhole(0, EDGE, 0, None)];
        run(&description, 0)
    };
    let gives_up = world(10, Some(5));
    assert_eq!(counted(&gives_up, Counter::Ejections), 0);
    for (_, end) in all_ended(&gives_up) {
        assert_eq!((end.status.to_string().as_str(), end.latency), ("0 DC", SECONDS(5)));
    }
    for (connect_timeout, patience) in [(10, None), (4, Some(5))] {
        let waits = world(connect_timeout, patience);
        assert_eq!(counted(&waits, Counter::Ejections), 1);
        let failed = all_ended(&waits).iter().filter(|(_, end)| end.status.to_string() == "503 UF").count();
        assert_eq!((failed, served(&waits, CLOUD)[0]), (5, 9));
    }
}

/// Envoy `UpstreamRequest::onPoolReady` tells of a connection before it sends the request.
#[test]
fn with_split_origins_connecting_begins_the_count_of_local_failures_anew() {
    let ejected = |cut: &[u64]| {
        let mut description = free_world(&[1], &[], &[(0, EDGE, 1), (0, CLOUD, 1)], every_s(12.0), 130);
        description.services[ServiceId(0)] = policy(3);
        let policy = &mut description.services[ServiceId(0)].traffic_policy;
        policy.connection_pool.max_requests_per_connection = Some(1);
        policy.outlier_detection = Some(OutlierDetectionSettings {
            split_external_local_origin_errors: true,
            consecutive_local_origin_failures: Some(2),
            base_ejection_time: Some(SECONDS(600)),
            max_ejection_percent: Some(100),
            ..OutlierDetectionSettings::default()
        });
        let fault = |&number: &u64| blackhole(0, EDGE, 12_000 * number - 500, Some(12_000 * number + 5_000));
        description.faults = cut.iter().map(fault).collect();
        let record = run(&description, 0);
        let failed = all_ended(&record).iter().filter(|(_, end)| end.status.to_string() == "503 UF").count();
        (failed, counted(&record, Counter::Ejections))
    };
    assert_eq!(ejected(&[2, 4, 6, 8]), (4, 0));
    assert_eq!(ejected(&[2, 4, 5, 8]), (3, 1));
}

#[test]
fn the_next_syn_after_the_fault_connects() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 1)], every_s(20.0), 50);
    description.services[ServiceId(0)] = policy(10);
    description.faults = vec![blackhole(0, EDGE, 0, Some(22_500))];
    let record = run(&description, 0);
    // SYNs at 20, 21 and 23 s. The last passes: TCP, TLS, request and answer.
    ends(&record, 20_000, "200", 3_000.0 + 3.0 * 0.2 + 1.0);
    ends(&record, 40_000, "200", 1.2);
}

/// A pod that is asked every second and sleeps for 100 ms is cut off from 10.05 to 14 s.
fn cut_off_for_four_seconds(plane: DataPlane) -> Description {
    let mut description = free_world(&[100], &[], &[(0, EDGE, 1)], every_s(1.0), 40);
    description.services[ServiceId(0)] = policy(10);
    description.mesh.data_plane = plane;
    description.faults = vec![blackhole(0, EDGE, 10_050, Some(14_000))];
    description
}

#[test]
fn what_is_under_way_is_sent_again_until_it_passes() {
    let record = run(&cut_off_for_four_seconds(DataPlane::Sidecar), 0);
    ends(&record, 9_000, "200", 100.2);
    // The answer is ready 50.1 ms after the cut, and sent again after 1, 3, 7, 15, 31 times 200.2 ms: at 16.3 s.
    ends(&record, 10_000, "200", 100.2 + 31.0 * RTO);
    // That connection is in use: the request at 11 s makes a new one with its third SYN, at 14 s. Those after
    // it wait for whichever is first: the one at 12 s for that, then its own.
    ends(&record, 11_000, "200", 3_000.0 + 0.4 + 100.2);
    for ms in [18_000, 19_000, 38_000] {
        ends(&record, ms, "200", 100.2);
    }
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
}

#[test]
fn a_request_over_a_kept_connection_is_lost_after_tcp_s_limit() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 1)], every_s(2_000.0), 12_000);
    description.faults = vec![blackhole(0, EDGE, 3_000_000, None)];
    description.services[ServiceId(0)] = policy(10);
    let record = run(&description, 0);
    ends(&record, 2_000_000, "200", 1.6);
    // 1,023 times 200.2 ms, then six times two minutes: the first time-out after 924.6 s.
    ends(&record, 4_000_000, "503 UC", 1_023.0 * RTO + 720_000.0);
    // Then its connection is gone.
    ends(&record, 6_000_000, "503 UF", 10_000.0);
    // A route's time-out is sooner, and leaves the host a failure of its own.
    description.services[ServiceId(0)].routes[0].timeout = Some(SECONDS(15));
    let record = run(&description, 0);
    ends(&record, 4_000_000, "504 UT", 15_000.0);
}

#[test]
fn over_http2_those_behind_a_lost_request_wait_with_it() {
    let mut description = cut_off_for_four_seconds(DataPlane::Sidecar);
    description.services[ServiceId(0)].protocol = Protocol::Http2;
    let record = run(&description, 0);
    // Lost at 11 s, sent again at 11 s and 15 times 200.2 ms: 14.003 s; those of 12, 13 and 14 s with it.
    let resumes = 15.0 * RTO;
    for (ms, behind) in [(11_000, 0.0), (12_000, 1_000.0), (13_000, 2_000.0), (14_000, 3_000.0)] {
        ends(&record, ms, "200", resumes - behind + 100.2);
    }
    ends(&record, 15_000, "200", 100.2);
    assert_eq!(counted(&record, Counter::Connections), 1);
}

#[test]
fn a_cell_without_a_mesh_waits_for_tcp_or_for_its_own_timeout() {
    for (patience, waits) in [(None, 127_000.0), (Some(5), 5_000.0)] {
        let mut description =
            free_world(&[0, 1], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], every_s(200.0), 1_000);
        description.mesh.data_plane = DataPlane::None;
        description.cell.client_timeout = patience.map(SECONDS);
        description.faults = vec![blackhole(1, EDGE, 0, None)];
        let record = run(&description, 0);
        for ms in [400_000, 600_000] {
            ends(&record, ms, "500", waits + 0.2);
        }
    }
}

#[test]
fn the_calls_of_a_pod_that_is_cut_off_wait_too() {
    for plane in [DataPlane::Sidecar, DataPlane::None, DataPlane::Ambient] {
        let pods = [(0, EDGE, 1), (1, EDGE, 1)];
        let mut description = free_world(&[0, 1_000], &[(0, 1)], &pods, every_s(10.0), 60);
        description.mesh.data_plane = plane;
        description.faults = vec![blackhole(0, EDGE, 20_500, Some(22_000))];
        let record = run(&description, 0);
        ends(&record, 10_000 * 3, "200", 1_000.4);
        // The answer reaches the caller's node at 21.0003 s and comes again after 1, 3, 7 times 200.2 ms.
        ends(&record, 20_000, "200", 1_000.4 + 7.0 * RTO);
        assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
    }
}

#[test]
fn proxies_that_are_told_leave_it() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 2)], every_s(0.1), 60);
    description.faults =
        vec![PodFault { seen_after: Some(SECONDS(5)), ..blackhole(0, EDGE, 20_000, Some(40_000)) }];
    description.services[ServiceId(0)] = policy(1);
    let record = run(&description, 0);
    for (row, end) in all_ended(&record) {
        // While nobody knows, a part of the requests goes to it.
        let told = row.arrival < at_ms(20_000) || row.arrival >= at_ms(25_000);
        assert!(!told || same_ms(end.latency, 1.2) || same_ms(end.latency, 1.6), "{row:?}");
    }
    assert!(all_ended(&record).iter().any(|(_, end)| !end.status.is_ok()));
}

#[test]
fn in_every_data_plane_all_is_well_again_afterwards() {
    for plane in [DataPlane::Sidecar, DataPlane::None, DataPlane::Ambient] {
        let pods = [(0, EDGE, 2), (1, EDGE, 2), (1, CLOUD, 1)];
        let mut description = free_world(&[1, 10], &[(0, 1)], &pods, every_s(0.05), 200);
        description.mesh.data_plane = plane;
        description.services[ServiceId(1)].waypoint = true;
        description.faults = vec![
            blackhole(0, EDGE, 20_000, Some(25_000)),
            blackhole(1, EDGE, 22_000, Some(28_000)),
            blackhole(1, CLOUD, 24_000, Some(26_000)),
        ];
        let record = run(&description, 0);
        let late =
            record.requests.iter().filter(|row| row.arrival > at_ms(60_000) && row.arrival < at_ms(199_000));
        let slow = late.clone().filter(|row| row.end.is_none_or(|end| !end.status.is_ok()));
        assert_eq!((late.count() > 2_000, slow.count()), (true, 0), "{plane:?}");
        let hangs =
            record.requests.iter().filter(|row| row.end.is_some_and(|end| end.latency > SECONDS(1))).count();
        assert!(hangs > 10, "{plane:?}: {hangs}");
    }
}

/// A pod in the cloud that is asked from the edge every ten seconds and sleeps for a millisecond, behind a link with
/// this fault from 25 to 31 s.
fn over_a_link(kind: LinkFaultKind, toward: Option<ClusterId>) -> Description {
    let mut description = free_world(&[1], &[], &[(0, CLOUD, 1)], every_s(10.0), 60);
    description.services[ServiceId(0)] = policy(10);
    description.link_faults =
        vec![LinkFault { link: 0, toward, kind, begins: at_ms(25_000), ends: Some(at_ms(31_000)) }];
    description
}

#[test]
fn a_link_that_is_degraded_delays_both_ways_or_one() {
    let delay = SimDuration::from_millis(100);
    let kind = LinkFaultKind::Degraded(Degradation { delay, ..Degradation::default() });
    for (toward, further) in [(None, 200.0), (Some(CLOUD), 100.0), (Some(EDGE), 100.0)] {
        let record = run(&over_a_link(kind, toward), 0);
        ends(&record, 20_000, "200", 161.0);
        ends(&record, 30_000, "200", 161.0 + further);
        ends(&record, 40_000, "200", 161.0);
        // TCP, TLS, request and answer.
        let mut anew = over_a_link(kind, toward);
        anew.services[ServiceId(0)].traffic_policy.connection_pool.max_requests_per_connection = Some(1);
        ends(&run(&anew, 0), 30_000, "200", 3.0 * (160.0 + further) + 1.0);
    }
}

#[test]
fn a_link_that_is_degraded_loses_segments_and_has_its_rate() {
    let worse = Degradation { loss: 1.0 - 1e-12, ..Degradation::default() };
    let record = run(&over_a_link(LinkFaultKind::Degraded(worse), Some(CLOUD)), 0);
    // A request of one segment is sent again after a time-out.
    ends(&record, 30_000, "200", 161.0 + 360.0);
    ends(&record, 40_000, "200", 161.0);
    let worse = Degradation { bits_per_second: Some(8e3), ..Degradation::default() };
    let record = run(&over_a_link(LinkFaultKind::Degraded(worse), Some(CLOUD)), 0);
    // 400 bytes of headers and 22 of TLS in a packet with headers of 52 and a tunnel's of 60, a millisecond each.
    ends(&record, 30_000, "200", 161.0 + 534.0);
}

#[test]
fn an_answer_waits_where_only_its_way_is_cut() {
    let record = run(&over_a_link(LinkFaultKind::Blackhole, Some(EDGE)), 0);
    // It leaves at 30.081 s, and again after 1 and 3 times 360 ms.
    ends(&record, 30_000, "200", 161.0 + 3.0 * 360.0);
    // Where the other way is cut the request is sent again: at 30.36 and 31.08 s.
    let record = run(&over_a_link(LinkFaultKind::Blackhole, Some(CLOUD)), 0);
    ends(&record, 30_000, "200", 161.0 + 3.0 * 360.0);
    // A connection needs both: SYNs at 30 and 31 s.
    for toward in [CLOUD, EDGE] {
        let mut anew = over_a_link(LinkFaultKind::Blackhole, Some(toward));
        anew.services[ServiceId(0)].traffic_policy.connection_pool.max_requests_per_connection = Some(1);
        ends(&run(&anew, 0), 30_000, "200", 1_000.0 + 3.0 * 160.0 + 1.0);
    }
}

#[test]
fn who_connects_over_a_link_that_is_down_knows_at_once() {
    let mut description = over_a_link(LinkFaultKind::Down, None);
    description.services[ServiceId(0)].traffic_policy.connection_pool.max_requests_per_connection = Some(1);
    let record = run(&description, 0);
    ends(&record, 30_000, "503 UF", 0.2);
    ends(&record, 40_000, "200", 3.0 * 160.0 + 1.0);
    // A connection that is there waits, as at a black hole.
    ends(&run(&over_a_link(LinkFaultKind::Down, None), 0), 30_000, "200", 161.0 + 3.0 * 360.0);
}
