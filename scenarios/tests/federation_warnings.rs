//! What `check` says of federations, a test for each: the list of what an operator is to hear before a run.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::warnings::before_runs;

/// A consumer with a node of its own, three providers, and a back end that runs in the cloud alone.
const SCENARIO: &str = r#"
name = "federation"
[run]
duration = "10s"
[clusters.cloud]
nodes = [{ cores = "8" }]
services = ["back"]
replicas = { back = 4 }
[clusters.edge1]
nodes = [{ cores = "4" }]
services = ["front"]
[clusters.edge2]
nodes = [{ cores = "4" }]
services = []
[clusters.edge3]
nodes = [{ cores = "4" }]
services = []
[links.edge1-cloud]
between = ["edge1", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[links.edge2-cloud]
between = ["edge2", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[links.edge3-cloud]
between = ["edge3", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[services.front]
service_time = "1ms"
endpoints.page = { calls = ["back"] }
[services.back]
service_time = "1ms"
[mesh.traffic_policy]
outlier_detection = { consecutive_5xx_errors = 5, max_ejection_percent = 100 }
[users.edge1]
cluster = "edge1"
service = "front"
rate = "10/s"
"#;

const OFFLOADING: &str =
    "liqo.offloading={ services = [\"back\"], pod_offloading_strategy = \"LocalAndRemote\" }";

/// What is said of the scenario under this federation, with these settings.
fn said(federation: &str, settings: &[&str]) -> Vec<String> {
    said_of(SCENARIO, federation, settings)
}

fn said_of(scenario: &str, federation: &str, settings: &[&str]) -> Vec<String> {
    let text = format!("federation = \"{federation}\"\n{scenario}");
    let scenario = support::of_texts(&[("scenario.toml", &text)], settings).unwrap();
    let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap_or_else(|it| panic!("{it}"));
    before_runs(&plan.strategies).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn is_said(federation: &str, settings: &[&str], part: &str) -> bool {
    said(federation, settings).iter().any(|it| it.contains(part))
}

/// What is so under every strategy is said once, with their names.
#[test]
fn what_strategies_have_in_common_is_said_once() {
    let strategies = "[[strategy]]\nname = \"a\"\nset = {}\n[[strategy]]\nname = \"b\"\nset.mesh.sidecar.concurrency = 3\n\
         [[strategy]]\nname = \"two\"\nset.liqo.gateway.replicas = 2\n";
    let scenario = format!("{SCENARIO}{strategies}");
    let said = said_of(&scenario, "liqo", &["liqo.consumer=cloud"]);
    let of = |part: &str| said.iter().filter(|it| it.contains(part)).cloned().collect::<Vec<_>>();
    let (gateways, cuts) = (of("one gateway"), of("while `edge1` is cut off"));
    let [gateway] = &gateways[..] else { panic!("{said:?}") };
    assert!(gateway.starts_with("strategies `a`, `b`: one gateway"), "{gateway}");
    let [cut] = &cuts[..] else { panic!("{said:?}") };
    assert!(cut.starts_with("strategies `a`, `b`, `two`: what users of `edge1` call needs back"), "{cut}");
}

#[test]
fn a_slice_that_is_larger_than_its_provider() {
    let of = |cpu: &str| {
        let slice = format!("liqo.slice={{ cpu = \"{cpu}\", memory = \"8Gi\" }}");
        is_said("liqo", &["liqo.consumer=cloud", OFFLOADING, &slice], "has 4: Liqo does not compare them")
    };
    assert!(of("5") && !of("4"));
}

#[test]
fn a_selector_that_chooses_no_provider() {
    let of = |labels: &[&str]| {
        let offloading =
            "liqo.offloading={ services = [\"back\"], cluster_selector = { tier = [\"near\"] } }";
        let settings = [&["liqo.consumer=cloud", offloading], labels].concat();
        is_said("liqo", &settings, "cluster_selector chooses no provider of `cloud`")
    };
    assert!(of(&[]) && !of(&["clusters.edge2.labels={ tier = \"near\" }"]));
}

#[test]
fn hard_enforcement_with_sidecars() {
    let of = |more: &[&str]| {
        let settings = [&["liqo.consumer=cloud", OFFLOADING], more].concat();
        is_said("liqo", &settings, "so nothing with a sidecar gets in")
    };
    assert!(of(&["liqo.enforcement=hard"]));
    assert!(!of(&["liqo.enforcement=soft"]) && !of(&["liqo.enforcement=hard", "mesh.data_plane=none"]));
}

#[test]
fn virtual_nodes_that_share_a_zone_with_few_local_ones() {
    // A virtual node has the labels of its slice, and no zone without them.
    let labels = ["edge1", "edge2", "edge3"]
        .map(|edge| format!("clusters.{edge}.labels={{ \"topology.kubernetes.io/zone\" = \"cloud\" }}"));
    let labels = labels.each_ref().map(String::as_str);
    let of = |more: &[&str]| {
        let settings = [&["liqo.consumer=cloud", OFFLOADING], &labels[..], more].concat();
        is_said(
            "liqo",
            &settings,
            "3 nodes of `cloud` that stand for providers are in one zone with 1 of its own",
        )
    };
    assert!(of(&[]));
    // A zone of its own for one of them leaves two, of which no loss is a disruption; more nodes of one's own do, too.
    assert!(!of(&["clusters.edge1.region=edge1"]));
    assert!(!of(&["clusters.cloud.nodes=[{ cores = \"8\" }, { cores = \"8\" }, { cores = \"8\" }]"]));
    // Without a node of the consumer's own all nodes of the zone are lost, which evicts at the usual rate.
    assert!(!of(&["clusters.cloud.region=home"]));
}

#[test]
fn one_gateway() {
    let of = |settings: &[&str]| is_said("multi-network", settings, "write east_west_gateway.replicas = 2");
    assert!(of(&["east_west_gateway.replicas=1"]) && !of(&["east_west_gateway.replicas=2"]));
    let of = |more: &[&str]| {
        is_said("liqo", &[&["liqo.consumer=cloud"], more].concat(), "write liqo.gateway.replicas = 2")
    };
    assert!(of(&[]) && !of(&["liqo.gateway.replicas=2"]));
}

#[test]
fn gateways_without_outlier_detection() {
    let part = "are reached through gateways, and nothing ejects one";
    let rule = "[mesh.traffic_policy]\noutlier_detection = { consecutive_5xx_errors = 5, max_ejection_percent = 100 }\n";
    let without = SCENARIO.replace(rule, "");
    let is_said_without = |kind| said_of(&without, kind, &[]).iter().any(|it| it.contains(part));
    assert!(is_said_without("multi-network") && !is_said_without("flat"));
    assert!(!is_said("multi-network", &[], part));
    assert!(is_said(
        "multi-network",
        &["mesh.mtls=false"],
        "without mesh.mtls no gateway can tell services apart"
    ));
}

#[test]
fn edge_services_that_call_cloud_only_services() {
    let part = "what users of `edge1` call needs back, which run in other clusters alone";
    for federation in ["liqo", "multi-network"] {
        let consumer: &[&str] = if federation == "liqo" { &["liqo.consumer=cloud"] } else { &[] };
        assert!(is_said(federation, consumer, part), "{federation}");
        let near = [consumer, &["clusters.edge1.services=[\"front\", \"back\"]"]].concat();
        assert!(!is_said(federation, &near, part), "{federation}");
    }
}
