//! A scenario that uses every key of the mesh, of users and of faults at once.

use super::{Resolved, resolve};
use crate::document::Document;
use crate::problem::{Problem, SourceText};
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::envoy::fault_injection::FaultInjection;
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::envoy::proxy_cost::{ExtraCost, ProxyCost, ProxyMemory};
use meshsim_models::envoy::retry_budget::RetryBudget;
use meshsim_models::envoy::route::{Destination, FieldMatch, Mirror, ValueMatch, WeightedDestination};
use meshsim_models::envoy::session_affinity::{ConsistentHash, HashAlgorithm, HashPolicy};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{
    self, ConnectionPoolSettings, OutlierDetectionSettings, SimpleBalancer,
};
use meshsim_models::istiod::distribute::Distribute;
use meshsim_models::istiod::locality_priority::Failover;
use meshsim_models::istiod::locality_setting::{LocalitySetting, TrafficDistribution};
use meshsim_models::istiod::retry_policy::RetryPolicy;
use meshsim_models::istiod::subset::Subset;
use meshsim_models::kubernetes::settings::ReadinessProbe;
use meshsim_models::network::tcp::{CongestionControl, TcpSettings};
use meshsim_models::world::description::{DataPlane, MeshSettings};
use std::sync::Arc;

/// The scenario names no files.
fn no_files(path: &str) -> Result<Vec<u8>, Problem> {
    Err(Problem::new(format!("there is no `{path}`")))
}

const WORKMODEL: &str = r#"{
  "back": {"internal_service": {"loader": {}}},
  "cache": {"internal_service": {"loader": {}}},
  "front": {"external_services": [{"services": ["back", "cache"]}], "internal_service": {"loader": {}}}
}"#;

const SCENARIO: &str = r#"
[run]
warm_up = "10s"
duration = "5min"
[application]
workmodel = "app.json"
[clusters.cloud]
region = "r2"
nodes = [{ cores = "4" }, { cores = "4", region = "r1", zone = "near", subzone = "rack" }]
services = "all"
replicas = { front = 2 }
weights = { front = 3 }
labels = { "team" = "a" }
tcp = { slow_start_after_idle = false, congestion_control = "bbr", initial_window = 30 }
[clusters.edge]
nodes = [{ cores = "4" }]
services = ["front"]
[pods]
pre_stop = "3s"
readiness_probe = { enabled = false, initial_delay = "20s", period = "5s" }
[services.cache.pods]
application_start = "8s"
termination_grace_period = "60s"
readiness_probe = { enabled = true, period = "2s" }
[links.wan]
between = ["edge", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
loss = "0.5%"
[mesh]
istio_version = "1.27"
connect_timeout = "3s"
handshake = "2ms"
data_plane = "ambient"
telemetry = false
mtls_cost = { time = "1us", cpu = "2us", cpu_per_kb = "3us" }
telemetry_cost = { time = "4us", cpu = "5us", cpu_per_kb = "6us" }
proxy_memory = { base = "20MB", per_service = "30kB", per_endpoint = "400B" }
ztunnel = { request = "7us" }
waypoint = { response = "8us" }
locality_lb_setting = { enabled = true, failover = [{ from = "r1", to = "r2" }], failover_priority = ["team"] }
[mesh.outlier_detection]
always_eject_one_host = true
enforcing_success_rate = true
enforcing_failure_percentage = true
[mesh.traffic_policy]
load_balancer = { simple = "RANDOM" }
[services.cache]
protocol = "tcp"
traffic_policy = { load_balancer.simple = "LEAST_CONN", connection_pool.tcp.max_connections = 7 }
[services.back]
protocol = "grpc"
waypoint = true
traffic_distribution = "PreferSameZone"
[services.back.traffic_policy]
load_balancer.locality_lb_setting.distribute = [{ from = "*", to = { "r1/*" = 30, "r2/*" = 70 } }]
load_balancer.simple = "ROUND_ROBIN"
load_balancer.warmup = { duration = "60s", minimum_percent = 20, aggression = 2 }
retry_budget = { percent = 25, min_retry_concurrency = 5 }
[services.back.traffic_policy.connection_pool]
tcp = { max_connections = 1, connect_timeout = "2s", idle_timeout = "3s", max_connection_duration = "4s" }
[services.back.traffic_policy.connection_pool.http]
http1_max_pending_requests = 5
http2_max_requests = 6
max_requests_per_connection = 7
max_retries = 8
idle_timeout = "9s"
[services.back.traffic_policy.outlier_detection]
consecutive_5xx_errors = 1
consecutive_gateway_errors = 2
consecutive_local_origin_failures = 3
split_external_local_origin_errors = true
interval = "4s"
base_ejection_time = "5s"
max_ejection_percent = 60
min_health_percent = 7
[services.front.traffic_policy.load_balancer.consistent_hash]
http_cookie = { name = "session", ttl = "0s", path = "/shop" }
maglev = { table_size = 251 }
[[services.front.routes]]
headers = { X-Group = { exact = "beta" }, x-b = { prefix = "a" }, x-c = { present = true } }
without_headers = { x-bot = { present = true } }
destinations = [{ cluster = "edge", weight = 90 }, { service = "back", weight = 10 }]
timeout = "2s"
fault = { delay = { fixed_delay = "5s", percentage = 10 }, abort = { http_status = 503, percentage = 2.5 } }
mirror = { service = "back", cluster = "cloud", percentage = 50 }
[services.front.routes.retries]
attempts = 3
retry_on = "5xx,503"
per_try_timeout = "1s"
backoff = "30ms"
retry_ignore_previous_hosts = true
[[services.front.routes]]
retries = { attempts = 0 }
[[services.back.routes]]
[gateway]
load_balancer = "ROUND_ROBIN"
[users.edge]
cluster = "edge"
service = "front"
rate = "5/s"
headers = { X-Group = "beta" }
personal = ["X-User"]
reconnects_after = "5min"
sessions = true
[[faults]]
at = "60s"
for = "90s"
service = "front"
cluster = "cloud"
pod = 1
kind = "crash"
seen_after = "never"
[[faults]]
at = "0s"
service = "back"
cluster = "cloud"
kind = "errors"
share = 0.5
status = 502
[[faults]]
at = "1s"
service = "back"
cluster = "cloud"
kind = "slow"
factor = 10
[[faults]]
at = "1s"
service = "back"
cluster = "cloud"
kind = "unready"
seen_after = "2s"
"#;

const BACK: ServiceId = ServiceId(0);
const CACHE: ServiceId = ServiceId(1);
const FRONT: ServiceId = ServiceId(2);
const CLOUD: ClusterId = ClusterId(0);
const EDGE: ClusterId = ClusterId(1);

fn seconds(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn resolved() -> Resolved {
    let document = Document::new("all.toml", SCENARIO);
    let workmodel = Arc::new(SourceText { name: "app.json".into(), text: WORKMODEL.into() });
    let scenario = document.read(None).unwrap();
    resolve(&document, &scenario, &[(String::new(), workmodel)].into(), &no_files, "base")
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn how_nodes_send_and_what_links_lose() {
    let description = resolved().description;
    let cloud = TcpSettings {
        slow_start_after_idle: false,
        congestion_control: CongestionControl::Bbr,
        initial_window: 30,
    };
    assert_eq!(description.clusters[CLOUD].tcp, cloud);
    assert_eq!(description.clusters[EDGE].tcp, TcpSettings::default());
    assert!((description.links[0].loss - 0.005).abs() < 1e-12);
    // Linux' defaults.
    let linux = TcpSettings {
        slow_start_after_idle: true,
        congestion_control: CongestionControl::Cubic,
        initial_window: 10,
    };
    assert_eq!(TcpSettings::default(), linux);
}

#[test]
fn the_mesh_as_a_whole() {
    let description = resolved().description;
    let mesh = &description.mesh;
    assert_eq!((mesh.connect_timeout, mesh.handshake), (seconds(3), SimDuration::from_millis(2)));
    assert_eq!(mesh.always_eject_one_host, Some(true));
    assert!(mesh.enforcing_success_rate && mesh.enforcing_failure_percentage);
    let locality = LocalitySetting {
        enabled: Some(true),
        failover: vec![Failover { from: "r1".into(), to: "r2".into() }],
        failover_priority: vec!["team".into()],
        distribute: Vec::new(),
    };
    assert_eq!(mesh.locality, locality);
    assert_eq!(description.gateway.load_balancer, Some(Policy::RoundRobin));
}

#[test]
fn what_proxies_cost() {
    let description = resolved().description;
    let mesh = &description.mesh;
    let us = SimDuration::from_micros;
    assert_eq!(mesh.data_plane, DataPlane::Ambient);
    assert!(!mesh.telemetry);
    assert_eq!(mesh.mtls_cost, ExtraCost { time: us(1), cpu: us(2), cpu_per_kb: us(3) });
    assert_eq!(mesh.telemetry_cost, ExtraCost { time: us(4), cpu: us(5), cpu_per_kb: us(6) });
    assert_eq!(mesh.memory, ProxyMemory { base: 20e6, per_service: 30e3, per_endpoint: 400.0 });
    let default = MeshSettings::default();
    assert_eq!(mesh.ztunnel, ProxyCost { request: us(7), ..default.ztunnel });
    assert_eq!(mesh.waypoint, ProxyCost { response: us(8), ..default.waypoint });
    assert_eq!(description.waypoints().collect::<Vec<_>>(), [BACK]);
    assert!(description.populations[0].counts_session_moves);
}

#[test]
fn clusters_nodes_and_weights() {
    let description = resolved().description;
    let cloud = &description.clusters[CLOUD];
    let localities: Vec<_> = cloud.nodes.iter().map(|node| node.locality.clone()).collect();
    assert_eq!(localities, ["r2/cloud".into(), "r1/near/rack".into()]);
    assert_eq!(cloud.labels.get("team").map(String::as_str), Some("a"));
    let pods = description.deployments.iter().map(|it| (it.service, it.cluster, it.replicas, it.weight));
    let expected = [(BACK, CLOUD, 1, 1), (CACHE, CLOUD, 1, 1), (FRONT, CLOUD, 2, 3), (FRONT, EDGE, 1, 1)];
    assert_eq!(pods.collect::<Vec<_>>(), expected);
}

#[test]
fn pods_of_a_service_are_as_those_of_all_but_for_what_it_says() {
    let kubernetes = resolved().description.kubernetes;
    // There is no probe but for who asks for one, which is as that of all would be.
    assert_eq!(kubernetes.pods.readiness, None);
    let of_all = ReadinessProbe { initial_delay: seconds(20), period: seconds(5) };
    let cache = kubernetes.pods_of(CACHE);
    assert_eq!(cache.readiness, Some(ReadinessProbe { period: seconds(2), ..of_all }));
    assert_eq!((cache.grace, cache.pre_stop), (seconds(60), seconds(3)));
    assert_eq!(cache.application_start, seconds(8));
    assert_eq!(kubernetes.pods_of(BACK), &kubernetes.pods);
}

#[test]
fn a_destination_rule() {
    let services = resolved().description.services;
    let back = &services[BACK];
    assert_eq!(back.protocol, Protocol::Grpc);
    assert_eq!(back.traffic_distribution, Some(TrafficDistribution::PreferSameZone));
    let distribute =
        vec![Distribute { from: "*".into(), to: vec![("r1/*".into(), 30), ("r2/*".into(), 70)] }];
    assert_eq!(back.locality, Some(LocalitySetting { distribute, ..LocalitySetting::default() }));
    assert_eq!((back.hash.as_ref(), back.traffic_policy.consistent_hash), (None, None));
    let policy = &back.traffic_policy;
    assert_eq!(policy.simple, SimpleBalancer::RoundRobin);
    let warmup = SlowStart { window: seconds(60), min_weight_percent: 20.0, aggression: 2.0 };
    assert_eq!(policy.warmup, Some(warmup));
    let budget = RetryBudget { budget_percent: 25.0, min_retry_concurrency: 5 };
    assert_eq!(policy.retry_budget, Some(budget));
    let pool = ConnectionPoolSettings {
        max_connections: Some(1),
        connect_timeout: Some(seconds(2)),
        tcp_idle_timeout: Some(seconds(3)),
        max_connection_duration: Some(seconds(4)),
        http1_max_pending_requests: Some(5),
        http2_max_requests: Some(6),
        max_requests_per_connection: Some(7),
        max_retries: Some(8),
        http_idle_timeout: Some(seconds(9)),
    };
    assert_eq!(policy.connection_pool, pool);
    let outliers = OutlierDetectionSettings {
        consecutive_5xx_errors: Some(1),
        consecutive_gateway_errors: Some(2),
        consecutive_local_origin_failures: Some(3),
        split_external_local_origin_errors: true,
        interval: Some(seconds(4)),
        base_ejection_time: Some(seconds(5)),
        max_ejection_percent: Some(60),
        min_health_percent: 7,
    };
    assert_eq!(policy.outlier_detection, Some(outliers));
}

#[test]
fn a_service_s_own_rule_replaces_the_mesh_s() {
    let services = resolved().description.services;
    let cache = &services[CACHE];
    assert_eq!((cache.protocol, cache.traffic_policy.simple), (Protocol::Tcp, SimpleBalancer::LeastRequest));
    assert_eq!(cache.traffic_policy.connection_pool.max_connections, Some(7));
    // The hash is all that its rule says: the mesh's RANDOM is gone.
    assert_eq!(services[FRONT].traffic_policy.simple, SimpleBalancer::Unspecified);
    let inherited =
        SCENARIO.replace("[services.cache]\n", "[services.cache]\n#").replace("traffic_policy = {", "#");
    let document = Document::new("all.toml", &inherited);
    let workmodel = Arc::new(SourceText { name: "app.json".into(), text: WORKMODEL.into() });
    let services = resolve(
        &document,
        &document.read(None).unwrap(),
        &[(String::new(), workmodel)].into(),
        &no_files,
        "base",
    );
    assert_eq!(services.unwrap().description.services[CACHE].traffic_policy.simple, SimpleBalancer::Random);
}

#[test]
fn routes() {
    let services = resolved().description.services;
    let front = &services[FRONT];
    let cookie =
        HashPolicy::Cookie { name: "session".into(), ttl: Some(SimDuration::ZERO), path: "/shop".into() };
    let maglev = Some(HashAlgorithm::Maglev { table_size: 251 });
    let hash = ConsistentHash { policy: cookie, algorithm: maglev, minimum_ring_size: 0 };
    assert_eq!(front.hash, Some(hash));
    assert_eq!(front.traffic_policy.consistent_hash, Some(cluster_policy::ConsistentHash::Maglev));
    let [beta, rest] = front.routes.as_slice() else { panic!("{:?}", front.routes) };
    let header = |name: &str, value, invert| FieldMatch { name: name.into(), value, invert };
    let headers = [
        header("x-group", ValueMatch::Exact("beta".into()), false),
        header("x-b", ValueMatch::Prefix("a".into()), false),
        header("x-c", ValueMatch::Present, false),
        header("x-bot", ValueMatch::Present, true),
    ];
    assert_eq!(beta.conditions.headers, headers);
    let to = |service, subset: Option<ClusterId>, weight| WeightedDestination {
        destination: Destination { service, subset: subset.map(Subset::Cluster) },
        weight,
    };
    assert_eq!(beta.destinations, [to(FRONT, Some(EDGE), 90), to(BACK, None, 10)]);
    assert_eq!(beta.timeout, Some(seconds(2)));
    let retry = beta.retry.as_ref().unwrap();
    assert_eq!((retry.num_retries, retry.retriable_status_codes.as_slice()), (3, [503].as_slice()));
    assert_eq!(retry.retry_on, ["5xx", "retriable-status-codes"]);
    let times = (retry.per_try_timeout, retry.base_interval);
    assert_eq!(times, (Some(seconds(1)), Some(SimDuration::from_millis(30))));
    assert!(retry.previous_hosts, "asked for in spite of the hash");
    let fault = FaultInjection { delay: Some((seconds(5), 10.0)), abort: Some((503, 2.5)) };
    assert_eq!(beta.fault, fault);
    let copy = Destination { service: BACK, subset: Some(Subset::Cluster(CLOUD)) };
    assert_eq!(beta.mirror, Some(Mirror { destination: copy, percent: 50.0 }));
    assert_eq!((rest.conditions.are_none(), rest.destinations.len(), rest.retry.as_ref()), (true, 0, None));
    let default = RetryPolicy::default_of("1.27".parse().unwrap(), false);
    assert_eq!(services[BACK].routes[0].retry, Some(default));
}

#[test]
fn users() {
    let users = &resolved().description.populations[0];
    assert_eq!(users.headers, [("x-group".to_owned(), "beta".to_owned())]);
    assert_eq!(users.personal, ["x-user"]);
    assert_eq!(users.reconnects_after, Some(seconds(300)));
}

#[test]
fn faults() {
    let faults = resolved().description.faults;
    let at = |second| SimTime::ZERO + seconds(second);
    let of_back = |begins, kind, seen_after| PodFault {
        service: BACK,
        cluster: CLOUD,
        pod: None,
        begins: at(begins),
        ends: None,
        kind,
        seen_after: Some(seconds(seen_after)),
    };
    let crash = PodFault {
        service: FRONT,
        pod: Some(1),
        ends: Some(at(150)),
        seen_after: None,
        ..of_back(60, FaultKind::Crash, 0)
    };
    let errors = FaultKind::Errors { share: 0.5, status: 502 };
    let expected = [
        crash,
        of_back(0, errors, 1),
        of_back(1, FaultKind::Slow { factor: 10.0 }, 1),
        of_back(1, FaultKind::Unready, 2),
    ];
    assert_eq!(faults, expected);
}
