//! Every name and label that a real exporter has is in the file, with a value; those of control planes are in `control_planes`.
//!
//! # Source
//! Istio, "Standard metrics", and istio/proxy `istio_stats.cc`; google/cadvisor `docs/storage/prometheus.md`;
//! kubernetes/kube-state-metrics `docs/metrics/workload/{deployment,horizontalpodautoscaler,pod}-metrics.md`; mSvcBench/muBench
//! `CellController-mp.py`; labels of targets: prometheus-community/helm-charts, kube-prometheus-stack.

use super::server::folder;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::results::openmetrics::{Export, ScrapeInterval};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::start_time::StartTime;
use std::collections::{BTreeMap, BTreeSet};

const OF_REQUESTS: &[&str] = &[
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "source_canonical_service",
    "source_canonical_revision",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "destination_canonical_service",
    "destination_canonical_revision",
    "request_protocol",
    "response_code",
    "response_flags",
    "connection_security_policy",
    "namespace",
    "pod",
    "instance",
    "job",
];
/// Those of requests that connections have, too.
fn of_connections() -> impl Iterator<Item = &'static str> {
    OF_REQUESTS.iter().copied().filter(|label| *label != "response_code")
}

const OF_UPSTREAMS: &[&str] = &["cluster_name", "namespace", "pod", "instance", "job"];
const OF_CONTAINERS: &[&str] = &["container", "pod", "namespace", "id", "image", "name", "job"];
const OF_INTERFACES: &[&str] = &["interface", "pod", "namespace", "id", "image", "name", "job"];
const OF_DEPLOYMENTS: &[&str] = &["namespace", "deployment", "container", "job", "instance"];
const OF_AUTOSCALERS: &[&str] = &["namespace", "horizontalpodautoscaler", "job"];
const OF_CELLS: &[&str] = &["zone", "app_name", "method", "endpoint", "pod", "namespace"];
const OF_ASKED_CELLS: &[&str] =
    &["zone", "app_name", "method", "endpoint", "from", "kubernetes_service", "pod", "namespace"];

const NAMES: &[(&str, &[&str])] = &[
    ("istio_requests_total", OF_REQUESTS),
    ("istio_request_duration_milliseconds_bucket", OF_REQUESTS),
    ("istio_request_duration_milliseconds_sum", OF_REQUESTS),
    ("istio_request_duration_milliseconds_count", OF_REQUESTS),
    ("istio_request_bytes_bucket", OF_REQUESTS),
    ("istio_request_bytes_sum", OF_REQUESTS),
    ("istio_request_bytes_count", OF_REQUESTS),
    ("istio_response_bytes_bucket", OF_REQUESTS),
    ("istio_response_bytes_sum", OF_REQUESTS),
    ("istio_response_bytes_count", OF_REQUESTS),
    ("envoy_cluster_upstream_rq_total", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_xx", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_retry", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_retry_overflow", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_pending_overflow", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_timeout", OF_UPSTREAMS),
    ("envoy_cluster_upstream_rq_per_try_timeout", OF_UPSTREAMS),
    ("envoy_cluster_upstream_cx_total", OF_UPSTREAMS),
    ("envoy_cluster_upstream_cx_connect_fail", OF_UPSTREAMS),
    ("envoy_cluster_upstream_cx_overflow", OF_UPSTREAMS),
    ("envoy_cluster_outlier_detection_ejections_enforced_total", OF_UPSTREAMS),
    ("envoy_cluster_outlier_detection_ejections_overflow", OF_UPSTREAMS),
    ("container_cpu_usage_seconds_total", OF_CONTAINERS),
    ("container_cpu_cfs_periods_total", OF_CONTAINERS),
    ("container_cpu_cfs_throttled_periods_total", OF_CONTAINERS),
    ("container_memory_usage_bytes", OF_CONTAINERS),
    ("container_memory_working_set_bytes", OF_CONTAINERS),
    ("container_network_receive_bytes_total", OF_INTERFACES),
    ("container_network_transmit_bytes_total", OF_INTERFACES),
    ("kube_deployment_spec_replicas", OF_DEPLOYMENTS),
    ("kube_deployment_status_replicas", OF_DEPLOYMENTS),
    ("kube_deployment_status_replicas_ready", OF_DEPLOYMENTS),
    ("kube_deployment_status_replicas_available", OF_DEPLOYMENTS),
    ("kube_deployment_status_replicas_unavailable", OF_DEPLOYMENTS),
    ("kube_horizontalpodautoscaler_spec_min_replicas", OF_AUTOSCALERS),
    ("kube_horizontalpodautoscaler_spec_max_replicas", OF_AUTOSCALERS),
    ("kube_horizontalpodautoscaler_status_current_replicas", OF_AUTOSCALERS),
    ("kube_horizontalpodautoscaler_status_desired_replicas", OF_AUTOSCALERS),
    (
        "kube_pod_info",
        &["namespace", "pod", "node", "pod_ip", "host_ip", "created_by_kind", "created_by_name"],
    ),
    ("kube_pod_status_phase", &["namespace", "pod", "phase"]),
    ("kube_pod_status_ready", &["namespace", "pod", "condition"]),
    ("kube_pod_container_resource_requests", &["namespace", "pod", "container", "node", "resource", "unit"]),
    ("kube_pod_container_resource_limits", &["namespace", "pod", "container", "node", "resource", "unit"]),
    ("mub_internal_processing_latency_milliseconds_sum", OF_CELLS),
    ("mub_internal_processing_latency_milliseconds_count", OF_CELLS),
    ("mub_internal_processing_latency_milliseconds_bucket_bucket", OF_CELLS),
    ("mub_external_processing_latency_milliseconds_sum", OF_CELLS),
    ("mub_external_processing_latency_milliseconds_count", OF_CELLS),
    ("mub_request_processing_latency_milliseconds_sum", OF_ASKED_CELLS),
    ("mub_request_processing_latency_milliseconds_count", OF_ASKED_CELLS),
    ("mub_response_size_sum", OF_ASKED_CELLS),
    ("mub_response_size_count", OF_ASKED_CELLS),
    ("up", &["job", "instance"]),
];

/// The labels of a sample's line, by their names.
pub(super) fn labels_of(line: &str) -> BTreeMap<&str, &str> {
    let (_, labels) = line.split_once('{').unwrap();
    let (labels, _) = labels.rsplit_once('}').unwrap();
    labels.split("\",").filter_map(|it| it.trim_end_matches('"').split_once("=\"")).collect()
}

#[test]
fn every_name_and_label_of_the_real_exporters_is_there() {
    let settings = ["run.duration=1min", "run.warm_up=0s"].map(|it| Setting::parse(it).unwrap());
    let scenario = Scenario::open("fluidos-mesh-hpa", &settings).unwrap();
    let resolved = scenario.resolve(scenario.strategy(Some("s0-s3")).unwrap()).unwrap();
    let file = folder("names-and-labels").join("metrics.txt");
    let export = Export { file, start: StartTime::DEFAULT, interval: ScrapeInterval::DEFAULT };
    assert!(export.run(&resolved, &Watch::default()).unwrap());
    let text = std::fs::read_to_string(&export.file).unwrap();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut families = BTreeSet::new();
    for line in text.lines() {
        match line.split_once('{') {
            Some((name, _)) => {
                seen.entry(name).or_insert(line);
            }
            None if line.starts_with("# TYPE") => assert!(families.insert(line), "{line} comes twice"),
            None => assert!(line.starts_with('#'), "{line}"),
        }
    }
    for (name, labels) in NAMES {
        let line = seen.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        let found = labels_of(line);
        for label in *labels {
            assert!(found.get(label).is_some_and(|it| !it.is_empty()), "{name} has no {label}: {line}");
        }
    }
    // Of the gateway in the edge cluster, as the dashboard of the demonstration looks for it.
    let gateway = text.lines().find(|it| it.contains("source_workload=\"istio-ingress\"")).unwrap();
    let labels = labels_of(gateway);
    let spiffe = "spiffe://cluster.local/ns/fluidosmesh/sa/s0";
    for (label, value) in [
        ("destination_service", "s0.fluidosmesh.svc.cluster.local"),
        ("destination_workload_namespace", "fluidosmesh"),
        ("destination_principal", spiffe),
        ("source_workload_namespace", "istio-ingress-provider1"),
        ("source_cluster", "provider1"),
        ("response_flags", "-"),
        ("source_canonical_revision", "latest"),
    ] {
        assert_eq!(labels[label], value, "{gateway}");
    }
}

/// What a run of a library scenario exports.
fn exported(scenario: &str, strategy: &str, settings: &[&str], name: &str) -> String {
    let settings: Vec<Setting> =
        settings.iter().chain(&["run.warm_up=0s"]).map(|it| Setting::parse(it).unwrap()).collect();
    let scenario = Scenario::open(scenario, &settings).unwrap();
    let resolved = scenario.resolve(scenario.strategy(Some(strategy)).unwrap()).unwrap();
    let file = folder(name).join("metrics.txt");
    let export = Export { file, start: StartTime::DEFAULT, interval: ScrapeInterval::DEFAULT };
    assert!(export.run(&resolved, &Watch::default()).unwrap());
    std::fs::read_to_string(&export.file).unwrap()
}

/// Calls of gRPC have its status, connections of TCP all labels but those of answers.
#[test]
fn what_is_not_http_has_labels_of_its_own() {
    let settings = ["run.duration=30s", "services.currency.endpoints.list.errors=0.2"];
    let shop = exported("online-boutique", "cloud-only", &settings, "grpc-and-tcp");
    let of = |name: &str, needle: &str| {
        let line = shop.lines().find(|it| it.starts_with(name) && it.contains(needle));
        labels_of(line.unwrap_or_else(|| panic!("there is no {name} with {needle}")))
    };
    assert_eq!(of("istio_requests_total", "request_protocol=\"grpc\"")["grpc_response_status"], "0");
    // What fails is an answer of HTTP, too.
    let failed = of("istio_requests_total", "grpc_response_status=\"2\"");
    assert_eq!((failed["destination_app"], failed["response_code"]), ("currency", "200"));
    assert!(!of("istio_requests_total", "request_protocol=\"http\"").contains_key("grpc_response_status"));
    for name in
        ["istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total", "istio_tcp_connections_opened_total"]
    {
        let found = of(name, "reporter=\"source\"");
        for label in of_connections() {
            assert!(found.get(label).is_some_and(|it| !it.is_empty()), "{name} has no {label}: {found:?}");
        }
        assert!(!found.contains_key("response_code"), "{found:?}");
    }
}

/// Without a mesh there is nothing of Istio's; with waypoints these report for themselves.
#[test]
fn a_data_plane_has_its_own_reporters() {
    let text = |scenario: &str, strategy: &str, name: &str| {
        exported(scenario, strategy, &["run.duration=3min"], name)
    };
    let none = text("fluidos-mesh", "s0-s3-no-mesh", "without-a-mesh");
    assert!(!none.contains("istio_request") && none.contains("mub_response_size_sum"));
    let containers: Vec<&str> = none.lines().filter(|it| it.starts_with("container_")).collect();
    assert!(!containers.is_empty() && !containers.iter().any(|it| it.contains("istio-proxy")));
    let requests = |text: &str, reporter: &str| {
        let told = format!("reporter=\"{reporter}\"");
        text.lines().any(|it| it.starts_with("istio_requests_total") && it.contains(&told))
    };
    let waypoints = text("sidecar-ambient", "ambient-waypoints", "waypoints");
    assert!(requests(&waypoints, "waypoint") && !requests(&waypoints, "destination"));
    let ztunnels = text("sidecar-ambient", "ambient", "ztunnels");
    assert!(!requests(&ztunnels, "waypoint") && !requests(&ztunnels, "destination"));
    for reporter in ["source", "destination"] {
        let told = format!("reporter=\"{reporter}\"");
        let is_told = |it: &str| it.starts_with("istio_tcp_sent_bytes_total") && it.contains(&told);
        assert!(ztunnels.lines().any(is_told), "{reporter}");
    }
}
