//! What a DestinationRule's `connectionPool` does at the server: the sidecar of every pod has the same
//! limits towards its own application, for all clients together, and the same time-outs; and how often that
//! sidecar tries again to reach an application that is gone.
//!
//! Sources: Istio `cluster_builder.go`, `buildInboundCluster` (tags 1.14.0 to 1.26.0), istio/istio#31346,
//! #47416 (limits), #31393 (idle time-outs); `route.go`, `BuildDefaultHTTPInboundRoute` (from tag 1.23.0 on).

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::{Endpoint, Protocol};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::envoy::proxy_cost::ExtraCost;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::istiod::authorization_policy::{
    Action, AuthorizationPolicy, Field, GATEWAY_PRINCIPAL, Operation, Pattern, Rule, Source,
};
use meshsim_models::istiod::cluster_policy::{
    ConnectionPoolSettings, OutlierDetectionSettings, SimpleBalancer,
};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::peer_authentication::{MutualTls, PeerAuthentication};
use meshsim_models::kubernetes::scheduler::resources::ResourceList;
use meshsim_models::kubernetes::settings::{Change, ChangeKind, PodTimes, ReadinessProbe, WorkloadSettings};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::requests::Requests;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description};
use support::{
    CLOUD, EDGE, LOCAL_ROUND_TRIP_MS, all_ended, at_ms, counted, counted_of, free_world, is_binomial, run,
    served,
};

const fn per_second(per_second: f64) -> Arrivals {
    Arrivals::Constant { per_second }
}

fn limited(set: impl FnOnce(&mut ConnectionPoolSettings)) -> ConnectionPoolSettings {
    let mut pool = ConnectionPoolSettings::default();
    set(&mut pool);
    pool
}

fn requests(most: u32) -> ConnectionPoolSettings {
    limited(|pool| pool.http2_max_requests = Some(most))
}

/// One service that sleeps, with so many pods in the users' cluster, behind so many gateways.
fn behind(
    gateways: u16,
    pods: u32,
    sleep_ms: u64,
    arrivals: Arrivals,
    seconds: u64,
    pool: ConnectionPoolSettings,
) -> Description {
    let mut description = free_world(&[sleep_ms], &[], &[(0, EDGE, pods)], arrivals, seconds);
    description.gateway.replicas = gateways;
    description.mesh.istio_version = IstioVersion::new(1, 26);
    description.services[ServiceId(0)].traffic_policy.connection_pool = pool;
    description
}

/// How many requests that arrived before a moment ended with each of these statuses.
fn of_statuses<const N: usize>(record: &Record, before_ms: u64, statuses: [&str; N]) -> [usize; N] {
    let ended: Vec<_> =
        all_ended(record).into_iter().filter(|(row, _)| row.arrival < at_ms(before_ms)).collect();
    let of = |status: &str| ended.iter().filter(|(_, end)| end.status.to_string() == status).count();
    let counts = statuses.map(of);
    assert_eq!(counts.iter().sum::<usize>(), ended.len(), "{statuses:?}: {counts:?}");
    counts
}

/// Requests of 3 s each, 100/s: what comes in the first two seconds beyond the limit of two is refused, by
/// whichever proxy, however many gateways there are.
#[test]
fn a_limit_of_requests_holds_for_all_clients_of_a_pod_together() {
    let first = |gateways, pods| {
        let description = behind(gateways, pods, 3_000, per_second(100.0), 6, requests(2));
        of_statuses(&run(&description, 0), 2_000, ["200", "503 UO", "503"])
    };
    let [ok, at_client, at_server] = first(1, 1);
    assert_eq!((ok, at_server), (2, 0));
    let refused = at_client;
    for gateways in [2, 4] {
        let [ok, at_client, at_server] = first(gateways, 1);
        assert_eq!((ok, at_client + at_server), (2, refused), "{gateways} gateways");
        // Each gateway may have two under way, most of which the server refuses at once.
        assert!(at_server > 10, "{at_server}");
    }
    // With two pods each of them has a limit of its own, and the gateway one for both.
    assert_eq!(first(1, 2)[0], 2);
    let [ok, ..] = first(4, 2);
    assert!((3..=4).contains(&ok), "{ok}");
}

/// A limit of five requests loses as Erlang's formula says, whoever the clients are.
#[test]
fn the_server_is_the_loss_system_not_each_client() {
    let arrivals = Arrivals::Poisson { per_second: 100.0 };
    let record = run(&behind(3, 1, 40, arrivals, 300, requests(5)), 0);
    let [ok, at_client, at_server] = of_statuses(&record, 300_000, ["200", "503 UO", "503"]);
    let lost = (at_client + at_server) as f64 / (ok + at_client + at_server) as f64;
    let offered = 100.0 * 0.04;
    let erlang_b = (1..=5).fold(1.0, |blocked, m| offered * blocked / (f64::from(m) + offered * blocked));
    // 30,000 requests, each correlated with some of its neighbours.
    assert!((lost - erlang_b).abs() < 0.015, "{lost}, Erlang B {erlang_b}");
    assert!(at_server > 100 * at_client.max(1) / 10, "{at_server}, {at_client}");
    let overflows = counted(&record, Counter::RequestOverflows) as usize;
    assert!(overflows.abs_diff(at_client + at_server) <= 2, "{overflows}");
}

/// One connection to the application serves one request of 50 ms after the other: 20/s, not 20/s per client.
#[test]
fn connections_are_limited_per_pod_over_http1_only() {
    let pool = limited(|pool| pool.max_connections = Some(1));
    let description = behind(3, 1, 50, per_second(100.0), 20, pool);
    let rate = |description: &Description| served(&run(description, 0), EDGE)[0] as f64 / 20.0;
    let got = rate(&description);
    assert!((got - 20.0).abs() < 0.5, "{got}");
    // Over HTTP/2 requests share a connection, and nothing waits.
    for protocol in [Protocol::Http2, Protocol::Grpc] {
        let mut shared = description.clone();
        shared.services[ServiceId(0)].protocol = protocol;
        let got = rate(&shared);
        assert!((got - 100.0).abs() < 1.0, "{protocol:?}: {got}");
    }
    // Two workers of a sidecar have pools of their own: one may open a connection beyond the limit.
    let mut two = description;
    two.mesh.concurrency = 2;
    let got = rate(&two);
    assert!((20.0..=40.5).contains(&got), "{got}");
}

/// Three clients with a connection each, 30 requests/s of 50 ms: the server serves one, and one may wait.
#[test]
fn what_waits_at_the_server_is_limited_too() {
    let pool = limited(|pool| {
        pool.max_connections = Some(1);
        pool.http1_max_pending_requests = Some(1);
    });
    let record = run(&behind(4, 1, 50, per_second(60.0), 20, pool), 0);
    let [ok, at_client, at_server] = of_statuses(&record, 19_000, ["200", "503 UO", "503"]);
    assert!((ok as f64 / 19.0 - 20.0).abs() < 0.6, "{ok}");
    assert!(at_server > 0 && at_client + at_server > 700, "{at_client}, {at_server}");
    // Behind the one that is served and the one that waits nobody has waited longer than that at the server,
    // and one more request at its client.
    assert!(all_ended(&record).iter().all(|(_, end)| end.latency < SimDuration::from_millis(210)));
}

/// A refusal by the server is a 503 of the host: it is retried where 503 is, and ejects.
#[test]
fn a_refusal_by_the_server_is_an_answer_of_the_host() {
    let of = |minor| {
        let mut description = behind(4, 1, 3_000, per_second(100.0), 4, requests(2));
        description.mesh.istio_version = IstioVersion::new(1, minor);
        run(&description, 0)
    };
    let refused_after = |record: &Record| {
        let refused = all_ended(record).into_iter().filter(|(_, end)| end.status.to_string() == "503");
        refused.map(|(_, end)| end.totals.retries).collect::<Vec<_>>()
    };
    let (old, new) = (of(23), of(24));
    assert!(!refused_after(&old).is_empty() && refused_after(&old).iter().all(|&retries| retries == 2));
    assert!(!refused_after(&new).is_empty() && refused_after(&new).iter().all(|&retries| retries == 0));
    let ejections = |limit| {
        let mut description = behind(4, 2, 100, per_second(200.0), 10, requests(limit));
        description.services[ServiceId(0)].traffic_policy.outlier_detection =
            Some(OutlierDetectionSettings {
                consecutive_5xx_errors: Some(1),
                max_ejection_percent: Some(100),
                ..OutlierDetectionSettings::default()
            });
        counted(&run(&description, 0), Counter::Ejections)
    };
    assert!(ejections(3) > 0);
    assert_eq!(ejections(1_000), 0);
}

/// The application takes a second, of which a client waits a quarter, so its proxy has at most three under
/// way: the server counts no more than that, though the application works on ten at a time. Far away a
/// connection takes 320 ms to be made, and the request another 80.
#[test]
fn what_clients_have_given_up_does_not_count_at_the_server() {
    for (cluster, waits_ms) in [(EDGE, 250), (CLOUD, 650)] {
        let mut description = free_world(&[1_000], &[], &[(0, cluster, 1)], per_second(10.0), 20);
        description.services[ServiceId(0)].traffic_policy.connection_pool = requests(5);
        let timeout = Some(SimDuration::from_millis(waits_ms));
        description.services[ServiceId(0)].routes =
            vec![RouteSettings { timeout, ..RouteSettings::default() }];
        let record = run(&description, 0);
        let [timed_out] = of_statuses(&record, 20_000, ["504 UT"]);
        assert!(timed_out > 185, "{timed_out}");
        assert!(served(&record, cluster)[0] > 170, "{cluster:?}");
    }
}

/// One connection, and clients that give up after 300 ms: each request in turn gets it for the 100 ms that its
/// own client still waits, so the application begins all ten per second, not the one that it can finish.
#[test]
fn the_connection_of_who_gave_up_is_the_next_ones() {
    let pool = limited(|pool| pool.max_connections = Some(1));
    let mut description = behind(4, 1, 1_000, per_second(10.0), 20, pool);
    let timeout = Some(SimDuration::from_millis(300));
    description.services[ServiceId(0)].routes = vec![RouteSettings { timeout, ..RouteSettings::default() }];
    let record = run(&description, 0);
    let [timed_out] = of_statuses(&record, 20_000, ["504 UT"]);
    assert!(timed_out > 190, "{timed_out}");
    let served = served(&record, EDGE)[0];
    assert!((180..=190).contains(&served), "{served}");
}

/// The application closes idle connections after 2 to 3 s, and a request that meets the close is reset. An
/// idle time-out, an age or a number of requests that make the sidecar close first cure it.
#[test]
fn the_sidecar_closes_first_if_it_is_told_to() {
    let resets = |pool| {
        let arrivals = Arrivals::Poisson { per_second: 0.4 };
        let mut description = behind(1, 1, 0, arrivals, 20_000, pool);
        description.cell.keep_alive = SimDuration::from_secs(2);
        description.mesh.loopback = SimDuration::from_millis(20);
        let [_, resets] = of_statuses(&run(&description, 0), 19_999_000, ["200", "503 UC"]);
        resets
    };
    let seconds = SimDuration::from_secs;
    let race = resets(ConnectionPoolSettings::default());
    assert!(race > 20, "{race}");
    // Longer than the application keeps them: no cure.
    assert_eq!(resets(limited(|pool| pool.http_idle_timeout = Some(seconds(10)))), race);
    assert_eq!(resets(limited(|pool| pool.http_idle_timeout = Some(seconds(1)))), 0);
    assert_eq!(resets(limited(|pool| pool.tcp_idle_timeout = Some(seconds(1)))), 0);
    assert_eq!(resets(limited(|pool| pool.max_connection_duration = Some(seconds(1)))), 0);
    assert_eq!(resets(limited(|pool| pool.max_requests_per_connection = Some(1))), 0);
}

/// Over `tcp` a sidecar closes the connection that it has none for.
#[test]
fn over_tcp_connections_are_limited_at_the_server() {
    let of = |limit| {
        let pods = [(0, EDGE, 1), (1, EDGE, 3), (2, EDGE, 1)];
        let mut description = free_world(&[0, 0, 500], &[(0, 1), (1, 2)], &pods, per_second(20.0), 20);
        let settings = &mut description.services[ServiceId(2)];
        settings.protocol = Protocol::Tcp;
        settings.traffic_policy.connection_pool = limited(|pool| pool.max_connections = limit);
        let record = run(&description, 0);
        (served(&record, EDGE)[4], counted(&record, Counter::ConnectionOverflows))
    };
    let (all, none) = of(None);
    assert!(all > 370 && none == 0, "{all}, {none}");
    // Two at a time, of half a second each: 4/s.
    let (some, overflows) = of(Some(2));
    assert!((70..=82).contains(&some) && overflows > 250, "{some}, {overflows}");
}

/// A pod of the edge is replaced without a hook: its application is gone before its sidecar, for as long as
/// proxies are not told.
fn replaced(minor: u16, protocol: Protocol) -> Description {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 3)], per_second(2_000.0), 30);
    description.services[ServiceId(0)].traffic_policy.simple = SimpleBalancer::Random;
    description.mesh.istio_version = IstioVersion::new(1, minor);
    description.services[ServiceId(0)].protocol = protocol;
    let probe = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(1) };
    description.kubernetes.pods = PodTimes {
        start_spread: 0.0,
        readiness: Some(probe),
        sidecar_image_bytes: 0.0,
        ..PodTimes::default()
    };
    let workload = WorkloadSettings {
        application: ResourceList::new(1_000, 0),
        sidecar: ResourceList::new(0, 0),
        ..WorkloadSettings::default()
    };
    description.kubernetes.workloads = description.services.iter().map(|_| workload.clone()).collect();
    let change = |at, cluster: ClusterId, kind| Change { at, service: ServiceId(0), cluster, kind };
    description.kubernetes.changes = vec![change(at_ms(10_000), EDGE, ChangeKind::Rollout)];
    description
}

#[test]
fn from_1_23_on_the_sidecar_tries_its_application_three_times() {
    let failed = |minor, protocol| {
        let record = run(&replaced(minor, protocol), 0);
        let ended = all_ended(&record);
        let failed = ended.iter().filter(|(_, end)| end.status.to_string() == "503 UF");
        let latencies: Vec<f64> = failed.map(|(_, end)| end.latency.as_millis_f64()).collect();
        (latencies, counted(&record, Counter::ConnectFailures))
    };
    let mean = |latencies: &[f64]| latencies.iter().sum::<f64>() / latencies.len() as f64;
    // 1.22 tries again elsewhere, because it retries a 503: so this is about the sidecar's own attempts.
    for minor in [24, 31] {
        let (latencies, attempts) = failed(minor, Protocol::Http1);
        let n = latencies.len();
        assert!(n > 200, "1.{minor}: {n}");
        assert!(attempts as usize >= 3 * n, "1.{minor}: {attempts} attempts for {n}");
        // 0.2 ms there and back, and back-offs below 25 and 50 ms: 37.5 ms; the mean of n, with a standard
        // deviation of 16.1 ms each.
        let expected = 37.7;
        let error = 16.1 / (n as f64).sqrt();
        assert!((mean(&latencies) - expected).abs() < 5.0 * error, "1.{minor}: {}", mean(&latencies));
        assert!(latencies.iter().all(|&ms| ms < 75.3), "1.{minor}");
        let (latencies, attempts) = failed(minor, Protocol::Grpc);
        assert_eq!(attempts as usize, latencies.len());
        assert!(latencies.len() > 200 && latencies.iter().all(|&ms| ms < 0.3), "1.{minor}");
    }
}

/// Users ask `s0`, which calls `s1`: nothing takes time but the network, and 20 ms in `s1`.
fn chain() -> Description {
    let mut description = free_world(
        &[0, 20],
        &[(0, 1)],
        &[(0, EDGE, 1), (1, EDGE, 1)],
        Arrivals::Constant { per_second: 20.0 },
        30,
    );
    // All have ended when the run does: each user sends a few and stops.
    description.populations[0].users = 10;
    description.populations[0].arrivals =
        Arrivals::ClosedLoop { think_time: SimDuration::from_millis(300), exponential: false };
    description.populations[0].requests_each = Some(40);
    description
}

fn policy(action: Action, services: &[u32], rules: Vec<Rule>) -> AuthorizationPolicy {
    let services = services.iter().map(|&it| ServiceId(it)).collect();
    AuthorizationPolicy { namespace: None, services, action, rules }
}

fn from(principal: &str) -> Rule {
    let principals = Field { one_of: vec![Pattern::new(principal)], none_of: Vec::new() };
    Rule { from: vec![Source { principals, ..Source::default() }], to: Vec::new() }
}

fn statuses(record: &Record) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for (_, end) in all_ended(record) {
        let status = end.status.to_string();
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => counts.push((status, 1)),
        }
    }
    counts
}

#[test]
fn what_a_policy_denies_is_answered_by_the_servers_sidecar_and_its_application_sees_nothing() {
    let mut description = chain();
    description.authorization_policies =
        vec![policy(Action::Deny, &[1], vec![from("cluster.local/ns/default/sa/s0")])];
    description.mesh.inbound.cpu = SimDuration::from_micros(300);
    let record = run(&description, 0);
    let n = record.requests.len() as u64;
    let [s0, s1] = served(&record, EDGE)[..] else { panic!() };
    assert_eq!((s0, s1), (n, 0));
    assert_eq!(counted_of(&record, EDGE, Counter::Denied), [0, n]);
    assert_eq!(statuses(&record), [("500".to_owned(), n)], "a 403 is no answer that s0 can use");
    // Each of them passes the sidecar of `s0` and that of `s1`, which answers.
    let cpu = record.metrics_from(EDGE, SimTime::ZERO).proxy_cpu_seconds;
    assert!((cpu - 2.0 * n as f64 * 300e-6).abs() < 1e-9, "{cpu} s of CPU for {n} requests");
    // Nobody waits for the 20 ms of `s1`.
    assert!(all_ended(&record).iter().all(|(_, end)| end.latency.as_millis_f64() < 5.0));
    // Who is not named may ask.
    description.authorization_policies[0].rules = vec![from("cluster.local/ns/default/sa/other")];
    let allowed = run(&description, 0);
    assert_eq!((served(&allowed, EDGE)[1], counted(&allowed, Counter::Denied)), (n, 0));
}

#[test]
fn users_come_by_the_gateway_and_are_told_403() {
    let mut description = chain();
    description.authorization_policies = vec![policy(Action::Allow, &[0], vec![from("*/sa/s1")])];
    let record = run(&description, 0);
    let n = record.requests.len() as u64;
    assert_eq!(statuses(&record), [("403".to_owned(), n)]);
    assert_eq!((served(&record, EDGE), counted(&record, Counter::Denied)), (vec![0, 0], n));
    assert_eq!(counted(&record, Counter::Ejections), 0);
    description.authorization_policies[0].rules = vec![from(GATEWAY_PRINCIPAL)];
    let record = run(&description, 0);
    assert_eq!(statuses(&record), [("200".to_owned(), n)]);
    // `s1` has no ALLOW policy: everybody may.
    assert_eq!(served(&record, EDGE), [n, n]);
}

#[test]
fn a_policy_goes_by_method_and_path() {
    let mut description = chain();
    let internal = InternalService::idle();
    let buy = Endpoint {
        name: "buy".into(),
        path: "/cart/buy?fast".into(),
        method: "POST".into(),
        ..Endpoint::new(ServiceId(0), internal)
    };
    let buy = description.application.endpoints.push(buy);
    description.application.services[ServiceId(0)].others.push(buy);
    let browse = EndpointId(0);
    description.populations[0].requests = Requests::weighted(&[(browse, 3.0), (buy, 1.0)]);
    let patterns = |text: &str| Field { one_of: vec![Pattern::new(text)], none_of: Vec::new() };
    for (methods, paths) in [
        (patterns("POST"), Field::default()),
        (Field::default(), patterns("/cart/*")),
        (patterns("P*"), patterns("*/buy")),
    ] {
        let to = vec![Operation { methods, paths }];
        description.authorization_policies =
            vec![policy(Action::Deny, &[0], vec![Rule { from: Vec::new(), to }])];
        let record = run(&description, 0);
        for (row, end) in all_ended(&record) {
            assert_eq!(end.status.code(), if row.endpoint == buy { 403 } else { 200 });
        }
        let bought = record.requests.iter().filter(|row| row.endpoint == buy).count() as u64;
        assert!(is_binomial(bought, record.requests.len() as u64, 0.25));
        assert_eq!(counted(&record, Counter::Denied), bought);
    }
}

#[test]
fn who_has_no_sidecar_speaks_plain_text_which_a_strict_server_resets() {
    let mut plain = chain();
    plain.services[ServiceId(0)].without_sidecar = true;
    (plain.populations[0].users, plain.populations[0].requests_each) = (1, Some(60));
    let permissive = run(&plain, 0);
    let n = permissive.requests.len() as u64;
    assert_eq!(statuses(&permissive), [("200".to_owned(), n)]);
    // The first request makes two connections of one round trip each, without TLS; the others find them.
    let latencies: Vec<f64> =
        all_ended(&permissive).iter().map(|(_, it)| it.latency.as_millis_f64()).collect();
    let way = LOCAL_ROUND_TRIP_MS * 2.0 + 20.0;
    let first = way + 2.0 * LOCAL_ROUND_TRIP_MS;
    assert!((latencies[0] - first).abs() < 1e-3, "{} and not {first}", latencies[0]);
    assert!(latencies[1..].iter().all(|it| (it - way).abs() < 1e-3), "{latencies:?}");
    // With sidecars everywhere each connection is one round trip more.
    let mut meshed = chain();
    (meshed.populations[0].users, meshed.populations[0].requests_each) = (1, Some(60));
    let meshed = run(&meshed, 0);
    let latency = all_ended(&meshed)[0].1.latency.as_millis_f64();
    assert!((latency - first - 2.0 * LOCAL_ROUND_TRIP_MS).abs() < 1e-3, "{latency}");

    let strict = |services: Vec<ServiceId>| PeerAuthentication {
        namespace: Some("default".into()),
        services,
        mode: Some(MutualTls::Strict),
        mode_of_port: None,
    };
    let mut refused = plain.clone();
    refused.peer_authentications = vec![strict(vec![ServiceId(1)])];
    let record = run(&refused, 0);
    assert_eq!(statuses(&record), [("500".to_owned(), n)]);
    assert_eq!(served(&record, EDGE), [n, 0]);
    assert_eq!(counted_of(&record, EDGE, Counter::PlainTextRefused), [0, n]);
    // STRICT everywhere: gateways have certificates, and `s0` has no sidecar that could ask for one.
    refused.peer_authentications = vec![strict(Vec::new())];
    assert_eq!(counted_of(&run(&refused, 0), EDGE, Counter::PlainTextRefused), [0, n]);
    // Where the client speaks mTLS nothing changes but who might come.
    let mut meshed = chain();
    let before = run(&meshed, 0);
    let n = before.requests.len() as u64;
    meshed.peer_authentications = vec![strict(Vec::new())];
    let after = run(&meshed, 0);
    assert_eq!((before.requests, before.work), (after.requests, after.work));
    // DISABLE takes TLS off, and certificates with it: nobody has a principal.
    meshed.peer_authentications[0].mode = Some(MutualTls::Disable);
    meshed.authorization_policies = vec![policy(Action::Allow, &[1], vec![from("*")])];
    let record = run(&meshed, 0);
    assert_eq!(statuses(&record), [("500".to_owned(), n)]);
    assert_eq!(counted_of(&record, EDGE, Counter::Denied), [0, n]);
}

/// Encryption takes 1 ms of time each way at each of both proxies, and 2 ms of CPU: what is plain text takes none of it.
#[test]
fn plain_text_costs_no_encryption_at_either_proxy() {
    let run_with = |change: &dyn Fn(&mut Description)| {
        let mut description = chain();
        (description.populations[0].users, description.populations[0].requests_each) = (1, Some(60));
        description.mesh.mtls_cost = ExtraCost {
            time: SimDuration::from_millis(1),
            cpu: SimDuration::from_millis(2),
            cpu_per_kb: SimDuration::ZERO,
        };
        change(&mut description);
        let record = run(&description, 0);
        let n = record.requests.len() as u64;
        assert_eq!(statuses(&record), [("200".to_owned(), n)]);
        // The first makes connections.
        let later: Vec<f64> =
            all_ended(&record)[1..].iter().map(|(_, it)| it.latency.as_millis_f64()).collect();
        assert!(later.iter().all(|it| (it - later[0]).abs() < 1e-6), "{later:?}");
        let cpu = record.metrics_from(EDGE, SimTime::ZERO).proxy_cpu_seconds * 1e3 / n as f64;
        (later[0], cpu)
    };
    let disable = |services: Vec<ServiceId>| PeerAuthentication {
        namespace: Some("default".into()),
        services,
        mode: Some(MutualTls::Disable),
        mode_of_port: None,
    };
    let (plain, nothing) = run_with(&|it| it.mesh.mtls = false);
    assert!(nothing.abs() < 1e-9, "{nothing}");
    // The gateway and the sidecar of `s0`, that of `s0` and that of `s1`: so many of these four encrypt.
    type Change<'a> = &'a dyn Fn(&mut Description);
    let cases: [(&str, f64, Change<'_>); 5] = [
        ("all", 4.0, &|_| {}),
        ("s1 disables it", 2.0, &|it| it.peer_authentications = vec![disable(vec![ServiceId(1)])]),
        ("all disable it", 0.0, &|it| it.peer_authentications = vec![disable(Vec::new())]),
        ("s1 has no sidecar", 2.0, &|it| it.services[ServiceId(1)].without_sidecar = true),
        ("s0 has none, s1 is PERMISSIVE", 0.0, &|it| it.services[ServiceId(0)].without_sidecar = true),
    ];
    let found = cases.map(|(what, encrypting, change)| (what, encrypting, run_with(change)));
    for (what, encrypting, (latency, cpu)) in found {
        assert!((latency - plain - 2.0 * encrypting).abs() < 1e-3, "{what}: {found:?} against {plain} ms");
        assert!((cpu - 2.0 * encrypting).abs() < 1e-3, "{what}: {found:?}");
    }
}

/// In ambient mode a ztunnel resets what is denied, a waypoint answers.
#[test]
fn in_ambient_mode_ztunnels_and_waypoints_deny() {
    let mut description = chain();
    description.mesh.data_plane = DataPlane::Ambient;
    description.authorization_policies = vec![policy(Action::Deny, &[1], vec![from("*/sa/s0")])];
    for waypoint in [false, true] {
        description.services[ServiceId(1)].waypoint = waypoint;
        let record = run(&description, 0);
        let n = record.requests.len() as u64;
        assert_eq!(statuses(&record), [("500".to_owned(), n)]);
        assert_eq!((served(&record, EDGE)[1], counted_of(&record, EDGE, Counter::Denied)[1]), (0, n));
        // To a waypoint connections are kept; to a pod each that is reset is a new one.
        let connections = counted_of(&record, EDGE, Counter::Connections)[1];
        assert_eq!(connections, if waypoint { 0 } else { n });
    }
}

/// No proxy takes datagrams: nobody asks policies about them, and nobody resets them.
#[test]
fn datagrams_pass_whatever_policies_say() {
    let mut description = chain();
    description.services[ServiceId(1)].protocol = Protocol::Udp;
    description.services[ServiceId(0)].without_sidecar = true;
    let plain = run(&description, 0);
    let n = plain.requests.len() as u64;
    assert_eq!(statuses(&plain), [("200".to_owned(), n)]);
    description.authorization_policies = vec![policy(Action::Deny, &[1], vec![Rule::default()])];
    description.peer_authentications =
        vec![PeerAuthentication { mode: Some(MutualTls::Strict), ..PeerAuthentication::default() }];
    let record = run(&description, 0);
    assert_eq!((plain.requests, plain.work), (record.requests, record.work));
}
