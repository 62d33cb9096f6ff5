//! Callers that give up, and users who send so many requests and stop.
//!
//! Only delays, sleeps and laws of service times take time, so what a caller sees has a closed form.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::elementary::exp;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::{Group, Protocol};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::istiod::cluster_policy::{OutlierDetectionSettings, TrafficPolicy};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description};
use support::{CLOUD, EDGE, all_ended, at_ms, counted, free_world, is_binomial, run, same_ms, served};

const MS: fn(u64) -> SimDuration = SimDuration::from_millis;

const fn every_ms(ms: f64) -> Arrivals {
    Arrivals::Constant { per_second: 1_000.0 / ms }
}

const GREEDY: Arrivals = Arrivals::ClosedLoop { think_time: SimDuration::ZERO, exponential: false };

/// How often requests ended in this way.
fn count(record: &Record, status: &str) -> usize {
    all_ended(record).iter().filter(|(_, end)| end.status.to_string() == status).count()
}

#[test]
fn the_tail_of_the_service_time_gives_up_and_is_served_all_the_same() {
    let mut description = free_world(&[0], &[], &[(0, EDGE, 1)], every_ms(3_000.0), 12_000);
    let law = ServiceTime::Exponential(Exponential::new(100.0));
    description.application.endpoints[EndpointId(0)].service_time = Some(law);
    description.populations[0].timeout = Some(MS(150));
    let record = run(&description, 0);
    let (sent, given_up) = (record.requests.len() as u64, count(&record, "0 DC") as u64);
    // 0.2 ms of it are the way; one gives up on its way to a connection that is new.
    assert!(is_binomial(given_up, sent, exp(-1.498)), "{given_up} of {sent}");
    assert_eq!(counted(&record, Counter::CallersGone), given_up);
    for (_, end) in all_ended(&record) {
        let waited = end.latency.as_millis_f64();
        assert!(if end.status.is_ok() { waited <= 150.0 } else { waited == 150.0 }, "{end:?}");
    }
    assert_eq!(served(&record, EDGE), [sent]);
}

#[test]
fn users_who_wait_in_turn_go_on_when_they_give_up() {
    for one_way in [0, 10] {
        let mut description = free_world(&[100], &[], &[(0, EDGE, 1)], GREEDY, 6);
        let users = &mut description.populations[0];
        (users.users, users.timeout) = (1, Some(MS(60)));
        (users.access.round_trip, users.access.one_way) = (MS(2 * one_way), MS(one_way));
        let record = run(&description, 0);
        let sent: Vec<u64> = record.requests.iter().map(|it| it.arrival.as_nanos()).collect();
        assert_eq!(sent, (0..100).map(|round| round * 60_000_000).collect::<Vec<_>>());
        assert_eq!(count(&record, "0 DC"), 99);
        // Over HTTP/1.1 the connection upstream is closed with the request; the work goes on.
        assert_eq!(counted(&record, Counter::Connections), 100);
        let [served] = served(&record, EDGE)[..] else { panic!() };
        assert!((97..=99).contains(&served), "{served}");
        assert_eq!(counted(&record, Counter::Retries), 0);
    }
}

/// An answer that has left when its user gives up is late.
#[test]
fn an_answer_on_its_way_to_the_user_may_be_late() {
    let mut description = free_world(&[100], &[], &[(0, EDGE, 1)], every_ms(500.0), 20);
    let users = &mut description.populations[0];
    (users.users, users.timeout) = (1, Some(MS(115)));
    (users.access.round_trip, users.access.one_way) = (MS(20), MS(10));
    let record = run(&description, 0);
    for (_, end) in all_ended(&record) {
        assert_eq!((end.status.to_string().as_str(), end.latency), ("0 DC", MS(115)));
    }
    description.populations[0].timeout = Some(MS(141));
    let ended = run(&description, 0);
    assert_eq!(count(&ended, "200"), all_ended(&ended).len());
}

/// One pod near the users and one far away; the near one takes longer than a caller waits.
fn near_and_far() -> Description {
    let pods = [(0, EDGE, 1), (0, CLOUD, 1)];
    let mut description = free_world(&[500], &[], &pods, every_ms(1_000.0), 30);
    let outlier_detection = Some(OutlierDetectionSettings {
        consecutive_5xx_errors: Some(5),
        base_ejection_time: Some(SimDuration::from_secs(300)),
        max_ejection_percent: Some(100),
        ..OutlierDetectionSettings::default()
    });
    description.services[ServiceId(0)].traffic_policy =
        TrafficPolicy { outlier_detection, ..TrafficPolicy::default() };
    description
}

#[test]
fn a_caller_that_gives_up_ejects_nobody_where_a_route_s_timeout_does() {
    let mut route = near_and_far();
    let timed = RouteSettings { timeout: Some(MS(200)), ..RouteSettings::default() };
    route.services[ServiceId(0)].routes = vec![timed];
    let record = run(&route, 0);
    assert!(counted(&record, Counter::Ejections) > 0);
    let mut user = near_and_far();
    user.populations[0].timeout = Some(MS(200));
    let record = run(&user, 0);
    assert_eq!(counted(&record, Counter::Ejections), 0);
    assert_eq!(count(&record, "0 DC"), 29);
    // Both: whichever is first.
    for (of_user, status) in [(199, "0 DC"), (201, "504 UT")] {
        let mut both = route.clone();
        both.populations[0].timeout = Some(MS(of_user));
        let first: Vec<_> =
            all_ended(&run(&both, 0)).iter().map(|(_, end)| end.status.to_string()).take(5).collect();
        assert_eq!(first, [status; 5]);
    }
}

#[test]
fn who_gives_up_leaves_the_queue_for_a_connection() {
    let mut description = free_world(&[100], &[], &[(0, EDGE, 1)], every_ms(40.0), 20);
    let connections = &mut description.services[ServiceId(0)].traffic_policy.connection_pool;
    (connections.max_connections, connections.http1_max_pending_requests) = (Some(1), Some(4));
    description.populations[0].timeout = Some(MS(120));
    let record = run(&description, 0);
    // In 120 ms three requests come: there is always room for one more to wait. But each has waited for so
    // long that its answer is too late.
    assert_eq!(count(&record, "503 UO"), 0);
    assert!(count(&record, "0 DC") > 480, "{}", count(&record, "200"));
}

#[test]
fn a_cell_gives_up_on_its_call_and_answers_500() {
    let planes = [(DataPlane::Sidecar, 200.2), (DataPlane::Ambient, 200.2), (DataPlane::None, 200.4)];
    for (plane, latency) in planes {
        let pods = [(0, EDGE, 1), (1, EDGE, 1)];
        let mut description = free_world(&[0, 500], &[(0, 1)], &pods, every_ms(1_000.0), 20);
        description.mesh.data_plane = plane;
        description.cell.client_timeout = Some(MS(200));
        let record = run(&description, 0);
        assert_eq!(count(&record, "500"), 19, "{plane:?}");
        // The first requests make connections.
        for (row, end) in all_ended(&record).iter().skip(2) {
            assert!(same_ms(end.latency, latency), "{plane:?} {:?} {end:?}", row.arrival);
        }
        assert_eq!(served(&record, EDGE), [19, 19], "{plane:?}");
        // Those that are fast enough are not touched.
        description.cell.client_timeout = Some(MS(501));
        let record = run(&description, 0);
        assert_eq!(count(&record, "200"), all_ended(&record).len(), "{plane:?}");
    }
}

#[test]
fn a_cell_that_has_given_up_makes_its_next_call() {
    let pods = [(0, EDGE, 1), (1, EDGE, 1), (2, EDGE, 1)];
    let mut description = free_world(&[0, 500, 500], &[(0, 1), (0, 2)], &pods, every_ms(1_000.0), 20);
    description.cell.client_timeout = Some(MS(200));
    let record = run(&description, 0);
    assert_eq!(served(&record, EDGE), [19, 19, 19]);
    for (_, end) in all_ended(&record).iter().skip(2) {
        assert!(same_ms(end.latency, 400.2), "{end:?}");
        // What it did not wait for was done all the same.
        assert_eq!(end.totals.calls, 3);
    }
}

/// Two calls at once, and one connection that they share, so that what the first gives back the second could take at once.
#[test]
fn what_two_callers_give_up_at_once_goes_out_once() {
    let pods = [(0, EDGE, 1), (1, EDGE, 1)];
    let mut description = free_world(&[0, 500], &[], &pods, every_ms(1_000.0), 20);
    let called = description.application.services[ServiceId(1)].endpoint;
    let caller = description.application.services[ServiceId(0)].endpoint;
    description.application.endpoints[caller].groups = vec![Group::in_turn([(called, 1.0)]); 2];
    description.application.services[ServiceId(1)].pool_size = Some(1);
    description.services[ServiceId(1)].protocol = Protocol::Http2;
    description.services[ServiceId(0)].without_sidecar = true;
    description.cell.client_timeout = Some(MS(200));
    let record = run(&description, 0);
    assert_eq!(count(&record, "500"), 19);
    assert_eq!(counted(&record, Counter::CallersGone), 2 * 19);
    // The second of each has waited for nothing.
    assert_eq!(served(&record, EDGE), [19, 19]);
}

/// Istio's task: `fortio load -c 3 -n 30`.
#[test]
fn users_send_so_many_requests_each_and_stop() {
    let mut description = free_world(&[10], &[], &[(0, EDGE, 1)], GREEDY, 60);
    (description.populations[0].users, description.populations[0].requests_each) = (3, Some(10));
    let record = run(&description, 0);
    assert_eq!(record.requests.len(), 30);
    assert_eq!(count(&record, "200"), 30);
    for user in 0..3 {
        assert_eq!(record.requests.iter().filter(|row| row.number % 3 == user).count(), 10);
    }
    let last = record.requests.iter().map(|row| row.arrival).max().unwrap();
    assert!(last > SimTime::ZERO && last < at_ms(110), "{last:?}");
}
