//! Conformance vectors: small published cases of Envoy, Istio, Kubernetes and Liqo, run through the rooms.
//!
//! Every `*.json` below the directory that `MESHSIM_VECTORS` names (a relative path is taken from the
//! workspace root; default `../shared/vectors`) is a list of cases of one mechanism. Each case is fed
//! to the very functions that the simulator uses; only the keys that are in `expected` are compared.
//! A mechanism that nobody here knows fails the test. Where the directory is missing the test says so and does nothing.

#[path = "vectors/compare.rs"]
mod compare;
#[path = "vectors/envoy.rs"]
mod envoy;
#[path = "vectors/gma.rs"]
mod gma;
#[path = "vectors/istio.rs"]
mod istio;
#[path = "vectors/istiod.rs"]
mod istiod;
#[path = "vectors/kubernetes.rs"]
mod kubernetes;
#[path = "vectors/liqo.rs"]
mod liqo;
#[path = "vectors/liqo_failure.rs"]
mod liqo_failure;
#[path = "vectors/multi_network.rs"]
mod multi_network;
#[path = "vectors/nodes.rs"]
mod nodes;
#[path = "vectors/outliers.rs"]
mod outliers;
#[path = "vectors/read.rs"]
mod read;
#[path = "vectors/scheduler.rs"]
mod scheduler;
#[path = "vectors/selectors.rs"]
mod selectors;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// What the rooms make of an input, as the key-value pairs that a case may expect.
type Run = fn(&Value) -> Value;

/// What differs from what a file expects.
type RunWhole = fn(&Value, &Path) -> Vec<String>;

/// What is done with a mechanism.
enum Mechanism {
    Simulated(Run),
    /// A file is a case, or of several of them.
    Whole(RunWhole),
    Unknown,
}

/// Cases of a mechanism over all its files.
#[derive(Default)]
struct Tally {
    passed: usize,
    total: usize,
}

#[test]
fn vectors_agree() {
    let directory = directory();
    if !directory.is_dir() {
        say(&format!("vectors: skipped, there is no directory {}", directory.display()));
        return;
    }
    let (mut tallies, mut failures) = (BTreeMap::new(), Vec::new());
    for file in json_files(&directory) {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let content: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{} is not JSON: {error}", file.display()));
        let mechanism = mechanism_of(&content, &file);
        let tally: &mut Tally = tallies.entry(mechanism.clone()).or_default();
        match known(&mechanism) {
            Mechanism::Simulated(run) => run_cases(&content, &mechanism, run, tally, &mut failures),
            Mechanism::Whole(run) => run_whole(&content, &file, run, tally, &mut failures),
            Mechanism::Unknown => failures.push(format!("{mechanism}: unknown mechanism")),
        }
    }
    assert!(!tallies.is_empty(), "there is no JSON file below {}", directory.display());
    for (mechanism, tally) in &tallies {
        say(&format!("vectors: {mechanism} {}/{}", tally.passed, tally.total));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn known(mechanism: &str) -> Mechanism {
    let run: Run = match mechanism {
        "envoy.priority_load" | "envoy.panic" => envoy::priority_load,
        "envoy.priority_choice" => envoy::priority_choice,
        "envoy.locality_weights" => envoy::locality_weights,
        "envoy.edf_sequence" => envoy::edf_sequence,
        "envoy.least_request_weight" => envoy::least_request_weight,
        "envoy.least_request_choice" => envoy::least_request_choice,
        "envoy.least_request_sequence" => envoy::least_request_sequence,
        "envoy.slow_start" => envoy::slow_start,
        "envoy.outlier_detection" => outliers::outlier_detection,
        "envoy.retry_backoff" => envoy::retry_backoff,
        "envoy.retry_budget" => envoy::retry_budget,
        "envoy.circuit_breaker" => envoy::circuit_breaker,
        "envoy.host_selection" => envoy::host_selection,
        "istio.locality_priority" => istio::locality_priority,
        "istio.failover_priority" => istio::failover_priority,
        "istio.distribute" => istio::distribute,
        "istio.locality_setting" => istio::locality_setting,
        "istio.cluster_policy" => istio::cluster_policy,
        "istio.retry_policy" => istio::retry_policy,
        "kubernetes.hpa_replicas" => kubernetes::hpa_replicas,
        "kubernetes.hpa_group_pods" => kubernetes::hpa_group_pods,
        "kubernetes.hpa_behavior" => kubernetes::hpa_behavior,
        "kubernetes.hpa_metrics" => kubernetes::hpa_metrics,
        "kubernetes.hpa_timeline" => kubernetes::hpa_timeline,
        "kubernetes.scheduler_score" => scheduler::scheduler_score,
        "kubernetes.topology_spread" => scheduler::topology_spread,
        "istio.endpoint_health" => istiod::endpoint_health,
        "istiod.debounce" => istiod::debounce,
        "istiod.push_kind" => istiod::push_kind,
        "istiod.push_queue" => istiod::push_queue,
        "istiod.push_throttle" => istiod::push_throttle,
        "kubernetes.endpoint_conditions" => kubernetes::endpoint_conditions,
        "kubernetes.backoff" => nodes::backoff,
        "kubernetes.crash_loop" => nodes::crash_loop,
        "kubernetes.node_lifecycle" => nodes::node_lifecycle,
        "kubernetes.taint_eviction" => nodes::taint_eviction,
        "kubernetes.zone_state" => nodes::zone_state,
        "liqo.endpoint_reflection" => liqo::endpoint_reflection,
        "liqo.namespace_mapping" => liqo::namespace_mapping,
        "liqo.node_placement" => liqo::node_placement,
        "liqo.pod_mutation" => liqo::pod_mutation,
        "liqo.pod_quota" => liqo::pod_quota,
        "liqo.quota_admission" => liqo::quota_admission,
        "liqo.resource_slice" => liqo::resource_slice,
        "liqo.virtual_node_conditions" => liqo::virtual_node_conditions,
        "liqo.connection_check" => liqo_failure::connection_check,
        "liqo.failure_timeline" => liqo_failure::failure_timeline,
        "istio.multi_network_endpoints" => multi_network::endpoints,
        "gma.analytic" => return Mechanism::Whole(gma::analytic),
        "gma.offload" | "gma.unoffload" | "gma.special" => return Mechanism::Whole(gma::strategies),
        "gma.controller" => return Mechanism::Whole(gma::controller),
        "gma.optimum" | "gma.pareto" => return Mechanism::Whole(gma::listed_sets),
        _ => return Mechanism::Unknown,
    };
    Mechanism::Simulated(run)
}

fn run_cases(content: &Value, mechanism: &str, run: Run, tally: &mut Tally, failures: &mut Vec<String>) {
    for case in read::list(content, "cases") {
        tally.total += 1;
        let expected = &case["expected"];
        // A case that cannot be read is a failure of its own, not the end of all others.
        let verdict = match catch_unwind(|| run(&case["input"])) {
            Ok(got) => compare::differences(expected, &got),
            Err(_) => vec!["it panicked".to_owned()],
        };
        if verdict.is_empty() {
            tally.passed += 1;
        } else {
            failures.push(format!("{mechanism}: {}: {}", case["name"], verdict.join("; ")));
        }
    }
}

fn run_whole(content: &Value, file: &Path, run: RunWhole, tally: &mut Tally, failures: &mut Vec<String>) {
    tally.total += 1;
    let verdict = catch_unwind(|| run(content, file)).unwrap_or_else(|_| vec!["it panicked".to_owned()]);
    if verdict.is_empty() {
        tally.passed += 1;
    } else {
        failures.push(format!("{}: {}", file.display(), verdict.join("; ")));
    }
}

/// The files of the analytic model carry no mechanism: it is the first word of their names.
fn mechanism_of(content: &Value, file: &Path) -> String {
    if let Some(mechanism) = content.get("mechanism") {
        return mechanism.as_str().expect("a mechanism is a string").to_owned();
    }
    let in_gma = file.parent().and_then(Path::file_name).is_some_and(|folder| folder == "gma");
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if in_gma || content.get("case_id").is_some() {
        return format!("gma.{}", stem.split('-').next().unwrap_or_default());
    }
    format!("(none, in {})", file.display())
}

fn directory() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned();
    let named = std::env::var_os("MESHSIM_VECTORS").filter(|name| !name.is_empty());
    root.join(named.unwrap_or_else(|| "../shared/vectors".into()))
}

/// All JSON files below a directory, in the order of their paths.
fn json_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a readable directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.sort();
    let below = |path: PathBuf| {
        if path.is_dir() {
            json_files(&path)
        } else if path.extension().is_some_and(|extension| extension == "json") {
            vec![path]
        } else {
            Vec::new()
        }
    };
    paths.into_iter().flat_map(below).collect()
}

/// Prints a line that the test harness does not capture.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output is open");
}
