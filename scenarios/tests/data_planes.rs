//! All keys of the mesh and of services under all data planes: each changes what comes out, or is refused,
//! or is warned of. No option is parsed and ignored.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::warnings::{before_run, before_runs};
use support::{of_texts, summary};

const WORKMODEL: &str = r#"{
  "front": {"external_services": [{"services": ["back"]}],
            "internal_service": {"loader": {"sleep_stress": {"run": false}, "mean_response_size": 2}}},
  "back": {"internal_service": {"loader": {"sleep_stress": {"sleep_time": 0.02}, "mean_response_size": 30}}}
}
"#;

/// Two zones, failures, and pods that come and go: something for every key to change.
const SCENARIO: &str = r#"[run]
warm_up = "0s"
duration = "40s"
replications = 1
[application]
workmodel = "app.json"
cpu_request = "100m"
[clusters.cloud]
nodes = [{ cores = "8", allocatable = { cpu = "4" } }]
services = "all"
replicas = { back = 3 }
[clusters.edge]
nodes = [{ cores = "8" }]
services = ["front", "back"]
replicas = { front = 2 }
[links.wan]
between = ["edge", "cloud"]
rtt = "60ms"
bandwidth = "1Gbit/s"
[mesh]
istio_version = "1.26"
[users.edge]
cluster = "edge"
service = "front"
rate = "20/s"
headers = { x-group = "beta" }
[[faults]]
at = "5s"
for = "20s"
service = "back"
cluster = "cloud"
pod = 0
kind = "crash"
seen_after = "never"
[[faults]]
at = "5s"
for = "25s"
service = "front"
cluster = "edge"
pod = 0
kind = "errors"
share = 0.3
status = 503
[[changes]]
at = "2s"
service = "back"
cluster = "cloud"
kind = "rollout"
"#;

/// The data planes, each as settings of its own.
const PLANES: [(&str, &[&str]); 4] = [
    ("sidecar", &["mesh.data_plane=sidecar"]),
    (
        "waypoints",
        &["mesh.data_plane=ambient", "services.back.waypoint=true", "services.front.waypoint=true"],
    ),
    ("ztunnels", &["mesh.data_plane=ambient"]),
    ("none", &["mesh.data_plane=none"]),
];

/// Keys with a value that matters, where anything follows them; settings after the first are what it
/// needs to matter, and are there without it too.
const KEYS: [&[&str]; 54] = [
    &["mesh.data_plane=ambient"],
    &["mesh.istio_version=1.22"],
    &["mesh.connect_timeout=20ms"],
    &["mesh.locality_lb_setting.distribute=[{ from = \"*\", to = { \"*\" = 100 } }]"],
    &["mesh.locality_lb_setting.failover_priority=[\"topology.kubernetes.io/region\"]", DETECTION],
    &["mesh.outlier_detection.always_eject_one_host=true", DETECTION],
    &["mesh.outlier_detection.enforcing_success_rate=true", STATISTICS, ANYWHERE, BUSY, MANY],
    &["mesh.outlier_detection.enforcing_failure_percentage=true", PERCENTAGE, ANYWHERE, BUSY, MANY],
    &["mesh.traffic_policy.load_balancer.simple=ROUND_ROBIN"],
    &["mesh.mtls=false"],
    &["mesh.handshake=9ms"],
    &["mesh.mtls_cost.time=3ms"],
    &["mesh.telemetry=false"],
    &["mesh.telemetry_cost.cpu=3ms"],
    &["mesh.proxy_memory.base=99MB"],
    &["mesh.sidecar.concurrency=1"],
    &["mesh.sidecar.loopback=2ms"],
    &["mesh.sidecar.requests.cpu=1"],
    &["mesh.sidecar.outbound.request=2ms"],
    &["mesh.sidecar.inbound.response=2ms"],
    &["mesh.ztunnel.request=2ms"],
    &["mesh.waypoint.request=2ms"],
    &["services.back.protocol=grpc"],
    &["services.back.protocol=http2"],
    &["services.back.protocol=tcp"],
    &["services.front.protocol=grpc"],
    &["services.back.traffic_distribution=PreferClose"],
    &["services.back.traffic_policy.load_balancer.simple=ROUND_ROBIN"],
    &["services.back.traffic_policy.outlier_detection.max_ejection_percent=100"],
    &["services.back.traffic_policy.connection_pool.http.http2_max_requests=1"],
    &["services.back.traffic_policy.connection_pool.tcp.connect_timeout=20ms"],
    &["services.back.waypoint=true"],
    &["services.back.pool_size=1"],
    &["services.back.routes=[{ timeout = \"40ms\" }]"],
    &["services.back.routes=[{ fault = { delay = { fixed_delay = \"10ms\" } } }]"],
    &["services.front.routes=[{ fault = { abort = { http_status = 418, percentage = 10 } } }]"],
    &["services.back.subsets.far={ labels = { \"topology.istio.io/cluster\" = \"cloud\" } }", TO_A_SUBSET],
    &["services.back.labels={ tier = \"far\" }", TO_A_SUBSET, A_SUBSET],
    &["services.front.labels={ tier = \"far\" }"],
    &["services.back.sidecar=false"],
    &["services.back.namespace=store", NO_NEIGHBOURS],
    &["gateway.load_balancer=RANDOM"],
    &["gateway.replicas=3"],
    &["gateway.concurrency=1"],
    &["gateway.cost.request=2ms"],
    &["pods.sidecar_start=4s"],
    &["pods.sidecar_drain=1s"],
    &["pods.sidecar_image_size=900MB", ELSEWHERE, FAR, OFFLOAD],
    &["pods.hold_application_until_proxy_starts=true", ELSEWHERE, FAR, OFFLOAD],
    &[CONFIGURE_ROUTES],
    &["istiod={ debounce_after = \"5s\" }"],
    &[CONFIGURE_POLICY],
    &["clusters.cloud.tcp.slow_start_after_idle=false"],
    &["links.wan.loss=0.1"],
];

/// Ejection by statistics looks at five hosts or more with a hundred requests each.
const STATISTICS: &str = "mesh.traffic_policy.outlier_detection={ max_ejection_percent = 100, interval = \"12s\", \
                          consecutive_5xx_errors = 0 }";
/// Ejection by failure percentage, at fifty requests each.
const PERCENTAGE: &str = "mesh.traffic_policy.outlier_detection={ max_ejection_percent = 100, interval = \"5s\", \
                          consecutive_5xx_errors = 0 }";
const ANYWHERE: &str = "mesh.locality_lb_setting.enabled=false";
const BUSY: &str = "users.edge.rate=300/s";
const MANY: &str = "clusters.cloud.replicas.back=6";

/// A node that has no image yet gets a pod.
const ELSEWHERE: &str = "clusters.far={ nodes = [{ cores = \"8\" }], services = [] }";
const FAR: &str = "links.far={ between = [\"far\", \"cloud\"], rtt = \"10ms\", bandwidth = \"1Gbit/s\" }";
const OFFLOAD: &str = "changes=[{ at = \"2s\", service = \"back\", cluster = \"far\", kind = \"offload\" }]";

/// A service gets a time-out, or a limit, during the run, beside the change that there is.
const CONFIGURE_ROUTES: &str = "changes=[{ at = \"2s\", service = \"back\", cluster = \"cloud\", kind = \"rollout\" }, \
                                { at = \"3s\", service = \"back\", kind = \"configure\", \
                                routes = [{ timeout = \"1ms\" }] }]";
const CONFIGURE_POLICY: &str = "changes=[{ at = \"2s\", service = \"back\", cluster = \"cloud\", kind = \"rollout\" }, \
                                { at = \"3s\", service = \"back\", kind = \"configure\", \
                                traffic_policy = { connection_pool = { tcp = { max_connections = 1 } } } }]";

/// All requests go to a subset, which no pod is in but for its labels.
const TO_A_SUBSET: &str = "services.back.routes=[{ destinations = [{ subset = \"far\" }] }]";
const A_SUBSET: &str = "services.back.subsets.far.labels={ tier = \"far\" }";

/// In the namespace `default` nobody may ask his neighbours.
const NO_NEIGHBOURS: &str = "authorization_policies.none={ namespace = \"default\", action = \"DENY\", \
                             rules = [{ from = [{ namespaces = [\"default\"] }] }] }";

const DETECTION: &str = "mesh.traffic_policy.outlier_detection.consecutive_5xx_errors=3";

/// Keys of services that are no business of the data plane, and those whose effect others have tests for.
const NOT_OF_THE_MESH: [&str; 15] = [
    "services.resources",
    "services.image",
    "services.node_selector",
    "services.tolerations",
    "services.pods",
    "services.rolling_update",
    "services.hpa",
    "services.service_time",
    "services.start",
    "services.endpoints",
    "services.workers",
    "services.threads",
    "services.wait",
    "services.external",
    "services.version_of",
];

fn plan(settings: &[&str]) -> Result<ComparisonPlan, Problems> {
    let scenario = of_texts(&[("scenario.toml", SCENARIO), ("app.json", WORKMODEL)], settings)?;
    ComparisonPlan::new(&scenario, &Choice::default())
}

/// What comes out, as text.
fn results(plan: &ComparisonPlan) -> String {
    format!("{:?}", summary(plan).strategies)
}

fn warnings(plan: &ComparisonPlan) -> String {
    before_run(&plan.strategies[0]).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_key_is_simulated_refused_or_warned_of_under_every_data_plane() {
    let mut wrong = Vec::new();
    for (plane, of_plane) in PLANES {
        for key in KEYS {
            let (set, needed) = key.split_first().unwrap();
            let path = set.split('=').next().unwrap();
            // Of the data plane itself there is one.
            if of_plane.contains(set) || (path == "mesh.data_plane" && plane != "none") {
                continue;
            }
            let base: Vec<&str> = of_plane.iter().chain(needed).copied().collect();
            let with: Vec<&str> =
                of_plane.iter().filter(|it| !it.starts_with(path)).chain(key).copied().collect();
            let before = plan(&base).unwrap_or_else(|problems| panic!("{plane}, {key:?}: {problems}"));
            let Ok(after) = plan(&with) else { continue };
            let changes = results(&before) != results(&after);
            let said = warnings(&after);
            let follows = said.lines().find(|line| line.contains("nothing follows")).unwrap_or_default();
            let depth = match path {
                "services.back.subsets.far" => 4,
                _ if path.starts_with("services") || path.starts_with("mesh.sidecar") => 3,
                _ => 2,
            };
            let told: Vec<&str> = path.split('.').take(depth).collect();
            // Of the changes it is told which.
            let told =
                if path == "changes" { "changes.1.".into() } else { format!("{} (needs", told.join(".")) };
            let is_told = follows.contains(&told);
            if changes == is_told {
                wrong.push(format!("{plane}: {set}: changes {changes}, {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The names of the keys that a table knows, as the message about one that it does not know has them.
fn known(table: &str) -> Vec<String> {
    let problems = plan(&[&format!("{table}.zzzzzzzz=1")]).map(|_| ()).unwrap_err().to_string();
    let listed = problems.split("it is one of ").nth(1).unwrap_or_else(|| panic!("{problems}"));
    let listed = listed.split(')').next().unwrap();
    listed.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn the_walk_leaves_no_key_out() {
    for (table, name) in [("mesh", "mesh"), ("mesh.sidecar", "mesh.sidecar"), ("services.back", "services")] {
        let keys = known(table);
        assert!(keys.len() >= 5, "{keys:?}");
        for key in keys {
            let walked = KEYS.iter().any(|it| it[0].starts_with(&format!("{table}.{key}")));
            let path = format!("{name}.{key}");
            let other = NOT_OF_THE_MESH.contains(&path.as_str());
            assert!(
                walked || other,
                "`{path}` is not in the walk over all data planes: write a line in KEYS"
            );
        }
    }
}

#[test]
fn what_another_strategy_follows_belongs_to_a_comparison() {
    let strategies = "[[strategy]]\nname = \"mesh\"\nset = {}\n\
                      [[strategy]]\nname = \"none\"\nset.mesh.data_plane = \"none\"\n";
    let told = |extra: &str| {
        let text = format!("{SCENARIO}{strategies}{extra}");
        let files = [("scenario.toml", text.as_str()), ("app.json", WORKMODEL)];
        let scenario = of_texts(&files, &["mesh.mtls=true"]).unwrap();
        let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
        let all: Vec<String> = before_runs(&plan.strategies).iter().map(ToString::to_string).collect();
        all.into_iter().filter(|it| it.contains("nothing follows")).collect::<Vec<_>>()
    };
    assert_eq!(told(""), [""; 0]);
    let said = told("set.mesh.ztunnel.request = \"1ms\"\n");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("strategy `none`: nothing follows mesh.ztunnel (needs ambient mode);"),
        "{said:?}"
    );
    let of_both = told("[mesh.ztunnel]\nrequest = \"1ms\"\n");
    assert_eq!(of_both.len(), 1, "{of_both:?}");
    assert!(of_both[0].starts_with("strategies `mesh`, `none`: nothing follows mesh.ztunnel"), "{of_both:?}");
}

/// A caller of one worker process and four servers.
const CHANNEL_MODEL: &str = r#"{
  "quay": {"external_services": [{"services": ["crane"]}], "workers": 1, "threads": 16,
           "internal_service": {"loader": {"sleep_stress": {"run": false}, "mean_response_size": 1}}},
  "crane": {"internal_service": {"loader": {"sleep_stress": {"run": false}, "mean_response_size": 1}}}
}
"#;

const CHANNEL: &str = r#"[run]
warm_up = "5s"
duration = "30s"
replications = 1
[application]
workmodel = "app.json"
[clusters.port]
nodes = [{ cores = "64" }]
services = "all"
replicas = { quay = 1, crane = 4 }
[users.ships]
cluster = "port"
service = "quay"
rate = "60/s"
"#;

/// Calls per second of each server.
fn served(settings: &[&str], seed: u64) -> Vec<f64> {
    let scenario = of_texts(&[("scenario.toml", CHANNEL), ("app.json", CHANNEL_MODEL)], settings).unwrap();
    let plan = ComparisonPlan::new(&scenario, &Choice { seed: Some(seed), ..Choice::default() }).unwrap();
    summary(&plan).strategies[0].served_by_pod["crane"]["port"].clone()
}

/// Without a mesh a gRPC channel is one connection, and one server gets all 60 requests/s; which one,
/// kube-proxy draws anew in each run, in ambient mode the ztunnel (kubernetes.io, blog of 2018-11-07).
#[test]
fn grpc_without_a_mesh_is_one_connection() {
    for plane in ["none", "ambient"] {
        let plane = format!("mesh.data_plane={plane}");
        let mut busiest = Vec::new();
        for seed in 0..6 {
            let rates = served(&[&plane, "services.crane.protocol=grpc"], seed);
            let most = (0..4).max_by(|&a, &b| rates[a].total_cmp(&rates[b])).unwrap();
            assert!((rates[most] - 60.0).abs() < 8.0, "{rates:?}");
            assert!((0..4).all(|pod| pod == most || rates[pod] == 0.0), "{rates:?}");
            busiest.push(most);
        }
        busiest.sort_unstable();
        busiest.dedup();
        assert!(busiest.len() > 1, "{busiest:?}");
        let rates = served(&[&plane], 0);
        // Over HTTP/1.1 each connection has one request at a time, and a choice of its own.
        assert!(rates.iter().filter(|&&rate| rate > 0.0).count() > 1, "{rates:?}");
    }
    // Proxies that see requests spread them.
    for (plane, waypoint) in [("sidecar", false), ("ambient", true)] {
        let [plane, waypoint] =
            [format!("mesh.data_plane={plane}"), format!("services.crane.waypoint={waypoint}")];
        let rates = served(&[&plane, "services.crane.protocol=grpc", &waypoint], 0);
        assert!(rates.iter().all(|&rate| rate > 10.0), "{rates:?}");
    }
}
