//! Manifests of the FLUIDOS-MESH demonstration, as they are published, no line edited.
//!
//! Their folder lies beside the workspace (or where `MESHSIM_SHARED` says) and is no part of the
//! product; without it each test says that it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it skips.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::import::manifests::{Imported, Input, Link, Nodes, Options, Overlay, Users, import};
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::scenario::Scenario;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The folder, or nothing where it is missing.
fn shared(test: &str, folder: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join(folder);
    if !root.is_dir() {
        println!("skipped: {test}, for want of {}", root.display());
        return None;
    }
    Some(root)
}

fn options(path: PathBuf, [cloud, edge]: [&str; 2]) -> Options {
    Options {
        name: "imported".to_owned(),
        inputs: vec![Input { path, cluster: None }],
        nodes: vec![
            Nodes::parse(&format!("{cloud}=2x16")).unwrap(),
            Nodes::parse(&format!("{edge}=1x16")).unwrap(),
        ],
        links: vec![Link::parse(&format!("{cloud}:{edge}=160ms")).unwrap()],
        users: vec![Users::parse(&format!("{edge}=50/s")).unwrap()],
        ..Options::default()
    }
}

fn opened(imported: &Imported) -> Result<Scenario, Problems> {
    let workmodel = imported.workmodel.as_deref().map(|text| ("workmodel.json", text));
    let files: Vec<(&str, &str)> = workmodel.into_iter().collect();
    let scenario = Scenario::from_text("scenario.toml", &imported.scenario, &files, &[])?;
    ComparisonPlan::new(&scenario, &Choice::default())?;
    Ok(scenario)
}

/// The values of a scenario by their paths.
fn leaves(table: &Table) -> BTreeMap<String, String> {
    fn add(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
        match value {
            Value::Table(table) => {
                table.iter().for_each(|(key, value)| add(&format!("{path}.{key}"), value, all));
            }
            other => {
                all.insert(path.trim_start_matches('.').to_owned(), other.to_string());
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", &Value::Table(table.clone()), &mut all);
    all
}

#[test]
fn the_demonstration_imports_to_what_the_library_says_of_it() {
    let Some(root) = shared("the_demonstration_imports", "reference/istio-for-liqo/mubench-app") else {
        return;
    };
    let imported = import(&options(root, ["cloud", "edge1"])).unwrap();
    opened(&imported).unwrap();
    assert!(imported.workmodel.is_some());
    let mut own = leaves(&imported.scenario.parse().unwrap());
    let library = Scenario::open("fluidos-mesh-hpa", &[]).unwrap();
    let mut known = leaves(&library.expanded().unwrap().parse().unwrap());
    own.remove("strategy");
    known.remove("strategy");
    // Every value that one has and the other has not, with the reason.
    let differences = [
        ("name", "its own"),
        ("description", "no manifest has one"),
        ("run.duration", "no manifest says how long a run is"),
        ("run.warm_up", "no manifest says how long a run is"),
        ("run.replications", "no manifest says how often"),
        ("run.seed", "no manifest has one"),
        ("run.baseline", "no manifest has strategies"),
        ("run.time_series", "no manifest says what is written"),
        ("application.workmodel", "the ConfigMap's, as it is"),
        ("application.namespace", "only exported metrics say it"),
        ("clusters.cloud.names.cluster", "only exported metrics say it"),
        ("clusters.cloud.names.workload", "only exported metrics say it"),
        ("clusters.edge1.names.cluster", "only exported metrics say it"),
        ("clusters.edge1.names.workload", "only exported metrics say it"),
        ("clusters.edge1.names.ingress", "only exported metrics say it"),
        ("clusters.edge1.names.ingress_namespace", "only exported metrics say it"),
        ("cell.cpu_scale", "fitted to the demonstration's mean, by `meshsim calibrate`"),
        ("pods.image_size", "assumed in the library"),
        (
            "pods.readiness_probe.enabled",
            "the Deployments have no probe; the library has Kubernetes' period for one",
        ),
        ("clusters.cloud.services", "a list of all"),
        ("clusters.edge1.services", "all, as the library's strategy `all`: manifests are of one state"),
        ("links.edge1-cloud.between", "the name of a link has no meaning"),
        ("links.edge1-cloud.rtt", "the name of a link has no meaning"),
        ("links.edge1-cloud.bandwidth", "the name of a link has no meaning"),
        ("links.edge1-cloud.mtu", "Liqo's tunnel, which no manifest here describes"),
        ("links.edge1-cloud.tunnel_overhead", "Liqo's tunnel, which no manifest here describes"),
        ("links.cloud-edge1.between", "the name of a link has no meaning"),
        ("links.cloud-edge1.rtt", "the name of a link has no meaning"),
        ("links.cloud-edge1.bandwidth", "the name of a link has no meaning"),
        ("mesh.data_plane", "the library's is the default"),
        ("mesh.istio_version", "no manifest says the release"),
        ("mesh.traffic_policy.load_balancer.simple", "the default, which the rules do not say"),
        (
            "mesh.traffic_policy.outlier_detection.interval",
            "the rules say 30s; the library's default of 10s differs and nothing is ejected of two endpoints",
        ),
        ("mesh.traffic_policy.outlier_detection.base_ejection_time", "the rules say the default"),
        ("users.edge1.users", "no manifest says how many there are"),
        ("users.edge1.access.rtt", "no manifest says how they come in"),
        ("users.edge1.access.bandwidth", "no manifest says how they come in"),
    ];
    let replicas = |path: &str| path.contains(".replicas.") && !path.ends_with(".s0");
    for (path, value) in own.iter().filter(|(path, _)| replicas(path)) {
        assert_eq!(value, "1", "{path}: the work model's number");
    }
    let differs = |path: &String| own.get(path) != known.get(path) && !replicas(path);
    let mut paths: Vec<&String> = own.keys().chain(known.keys()).filter(|path| differs(path)).collect();
    paths.sort();
    paths.dedup();
    let mut expected: Vec<&str> = differences.iter().map(|(path, _)| *path).collect();
    expected.sort_unstable();
    assert_eq!(paths, expected, "{}", imported.scenario);
    for (path, value) in [
        ("application.cpu_limit", "\"1000m\""),
        ("application.cpu_request", "\"1000m\""),
        ("hpa.max_replicas", "10"),
        ("pods.termination_grace_period", "\"3s\""),
        ("clusters.edge1.replicas.s0", "2"),
        ("users.edge1.service", "\"s0\""),
        ("links.cloud-edge1.rtt", "\"160ms\""),
    ] {
        assert_eq!(own.get(path).map(String::as_str), Some(value), "{path}");
    }
    assert!(imported.report.contains("GMATest.jmx"), "files that are no YAML are named");
}

#[test]
fn the_sample_imports_with_an_assumed_cell() {
    let Some(root) = shared("the_sample_imports", "reference/istio-for-liqo/sample-app") else { return };
    let imported = import(&options(root, ["consumer", "provider1"])).unwrap();
    opened(&imported).unwrap();
    assert_eq!(imported.workmodel, None);
    assert!(imported.report.contains("the cell of `s0`"), "{}", imported.report);
    let own = leaves(&imported.scenario.parse().unwrap());
    for (path, value) in [
        ("services.s0.namespace", "\"fluidosmesh\""),
        ("services.s0.traffic_policy.outlier_detection.consecutive_5xx_errors", "7"),
        ("clusters.provider1.services", "[\"s0\"]"),
        ("users.provider1.service", "\"s0\""),
        ("hpa.metrics", "[{ resource = \"cpu\", utilization = 60 }]"),
    ] {
        assert_eq!(own.get(path).map(String::as_str), Some(value), "{path}\n{}", imported.scenario);
    }
}

#[test]
fn the_references_plans_are_users() {
    for name in ["jmeter/fluidosmesh.jmx", "mubench-app/jmeter/GMATest.jmx"] {
        let Some(root) = shared("the_references_plans", "reference/istio-for-liqo") else { return };
        let users = vec![Users::parse(&format!("edge1={}", root.join(name).display())).unwrap()];
        let properties = BTreeMap::from([("throughput".to_owned(), "50".to_owned())]);
        let own = options(root.join("mubench-app"), ["cloud", "edge1"]);
        let imported = import(&Options { users, properties, ..own }).unwrap();
        opened(&imported).unwrap();
        let own = leaves(&imported.scenario.parse().unwrap());
        for (path, value) in
            [("rate", "\"50/s\""), ("users", "100"), ("service", "\"s0\""), ("cluster", "\"edge1\"")]
        {
            let path = format!("users.edge1.{path}");
            assert_eq!(
                own.get(&path).map(String::as_str),
                Some(value),
                "{name}: {path}\n{}",
                imported.scenario
            );
        }
    }
}

/// What no manifest of the demonstration holds, as its scenario in the library has it.
const BESIDE: &str = "[run]\nduration = \"3min\"\nwarm_up = \"1min\"\n[cell]\ncpu_scale = 0.43\n[pods]\nimage_size = \"400MB\"\n\
    [links.cloud-edge1]\nmtu = \"1340B\"\ntunnel_overhead = \"110B\"\n\
    [users.edge1]\nusers = 100\naccess = { rtt = \"1ms\", bandwidth = \"1Gbit/s\" }\n";

/// Its manifests and that come to the figures of the library, request by request: what else differs (the test before) has no effect.
#[test]
fn the_demonstrations_manifests_give_its_figures() {
    let Some(root) = shared("the_demonstrations_figures", "reference/istio-for-liqo/mubench-app") else {
        return;
    };
    let overlay = Some(Overlay::from_text("overlay.toml", BESIDE).unwrap());
    let imported = import(&Options { overlay, ..options(root, ["cloud", "edge1"]) }).unwrap();
    let latencies = |scenario: &Scenario, strategy: &str| {
        let strategies = vec![strategy.to_owned()];
        let choice = Choice { strategies, replications: Some(1), ..Choice::default() };
        let plan = ComparisonPlan::new(scenario, &choice).unwrap();
        let outcome = plan.run(Rows::Kept, &Watch::default());
        let rows = &outcome.replications[0].1[0].rows;
        rows.iter().filter_map(|(row, _)| Some(row.end?.latency)).collect::<Vec<_>>()
    };
    let settings = ["run.duration=3min", "run.warm_up=1min"].map(|it| Setting::parse(it).unwrap());
    let library = Scenario::open("fluidos-mesh-hpa", &settings).unwrap();
    let [own, known] = [(opened(&imported).unwrap(), "as-deployed"), (library, "all")]
        .map(|(scenario, strategy)| latencies(&scenario, strategy));
    assert!(own.len() > 8_000 && own == known, "{} and {} requests", own.len(), known.len());
}
