//! The program as its users meet it: exit codes, output, files, determinism.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::path::Path;
use std::process::{Command, Output};

fn meshsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshsim")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A comparison that takes a second.
const SHORT: [&str; 9] = [
    "compare",
    "fluidos-mesh",
    "--set",
    "run.duration=60s",
    "--set",
    "run.warm_up=20s",
    "--replications",
    "3",
    "--quiet",
];

fn compare_into(directory: &Path, threads: &str) {
    let out = directory.to_str().unwrap();
    let output = meshsim(&[&SHORT[..], &["--threads", threads, "--out", out, "--request-log"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn the_number_of_threads_changes_no_byte_of_any_result_file() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two, three] = ["1", "2", "3"].map(|threads| {
        let out = directory.path().join(threads);
        compare_into(&out, threads);
        out
    });
    let mut names: Vec<_> =
        std::fs::read_dir(&one).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = [
        ".meshsim",
        "latency_histogram.csv",
        "links.csv",
        "manifest.json",
        "metrics.csv",
        "paired.csv",
        "proxy_counters.csv",
        "requests.csv",
        "served.csv",
        "summary.json",
        "traffic.csv",
    ];
    assert_eq!(names, expected);
    for name in names {
        let [a, b, c] = [&one, &two, &three].map(|directory| std::fs::read(directory.join(&name)).unwrap());
        assert!(!a.is_empty() && a == b && a == c, "{} differs", name.display());
    }
}

#[test]
fn the_summary_has_everything_that_is_promised() {
    let output = meshsim(&[&SHORT[..], &["--json"]].concat());
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["seed", "replications", "simulated_seconds", "version", "scenario_sha256"] {
        assert!(!summary["run"][key].is_null(), "run.{key}");
    }
    let strategy = &summary["strategies"][5];
    assert_eq!(strategy["name"], "all");
    for key in ["mean", "p50", "p90", "p95", "p99"] {
        assert!(strategy["latency_ms"][key]["value"].as_f64().unwrap() > 0.0, "{key}");
        assert_eq!(strategy["latency_ms"][key]["ci95"].as_array().unwrap().len(), 2, "{key}");
    }
    for key in ["dashboard_p90_ms", "crossings_per_request", "returns_per_request", "calls_per_request"] {
        assert!(strategy[key].is_number() && strategy["ci95"][key].is_array(), "{key}");
    }
    assert!(strategy["cross_cluster_bytes_per_request"]["wire"].is_number());
    assert_eq!(strategy["served"]["s0"]["edge1"], 1.0);
    let cloud_only = &summary["strategies"][0];
    let pods: f64 = cloud_only["served_by_pod"]["s0"]["cloud"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rate| rate.as_f64().unwrap())
        .sum();
    let both = cloud_only["served_per_second"]["s0"]["cloud"].as_f64().unwrap();
    assert!((pods - both).abs() < 1e-9 * both, "{pods} {both}");
    let counters = &cloud_only["proxy_counters"]["edge1"]["s0"];
    assert!(counters["upstream_cx_total"].as_u64().unwrap() > 0, "{counters}");
    assert!(counters["upstream_rq_timeout"].is_null(), "what is zero is left out: {counters}");
    assert!(strategy["cpu_seconds_per_second"]["edge1"].as_f64().unwrap() > 0.5);
    let requests = &strategy["requests"];
    let failed: u64 = requests["failed"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let number = |key: &str| requests[key].as_u64().unwrap();
    assert_eq!(number("offered"), number("completed") + failed + number("in_flight"));
    let paired = &summary["paired"][0];
    assert_eq!((paired["strategy"].as_str(), paired["baseline"].as_str()), (Some("s0"), Some("cloud-only")));
    assert!(paired["mean_difference_ms"]["value"].is_number() && paired["variance_ratio"].is_number());
}

#[test]
fn the_table_ends_with_a_verdict() {
    let output = meshsim(&SHORT);
    let last = text(&output.stdout).lines().last().unwrap().to_owned();
    assert!(last.starts_with("`all` is fastest:") && last.contains("baseline `cloud-only`"), "{last}");
}

#[test]
fn one_strategy_is_run_alone() {
    let output = meshsim(&[
        "run",
        "fluidos-mesh",
        "--strategy",
        "s0",
        "--set",
        "run.duration=60s",
        "--replications",
        "1",
        "--json",
        "--quiet",
    ]);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["strategies"].as_array().unwrap().len(), 1);
    let mean = &summary["strategies"][0]["latency_ms"]["mean"];
    assert!(
        mean["ci95"][0].as_f64() < mean["value"].as_f64(),
        "one replication has an interval from batch means"
    );
}

#[test]
fn a_sweep_is_one_tidy_table() {
    let directory = tempfile::tempdir().unwrap();
    let output = meshsim(&[
        "sweep",
        "fluidos-mesh",
        "--set",
        "links.edge1-cloud.rtt=20ms,160ms",
        "--set",
        "users.edge1.rate=5/s,10/s",
        "--strategy",
        "cloud-only",
        "--strategy",
        "s0-s3",
        "--replications",
        "2",
        "--quiet",
        "--out",
        directory.path().to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = std::fs::read_to_string(directory.path().join("sweep.csv")).unwrap();
    let mut lines = table.lines();
    let head = "links.edge1-cloud.rtt,links.edge1-cloud.rtt [s],users.edge1.rate,users.edge1.rate [1/s],strategy,metric,\
                value,low,high";
    assert_eq!(lines.next(), Some(head));
    let differences: Vec<&str> = table.lines().filter(|line| line.contains("mean_difference")).collect();
    assert_eq!(differences.len(), 4);
    assert!(differences[0].starts_with("20ms,0.02,5/s,5,s0-s3,"));
    assert!(differences[3].starts_with("160ms,0.16,10/s,10,s0-s3,"));
    let manifest = std::fs::read(directory.path().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["axes"][0]["path"], "links.edge1-cloud.rtt");
    assert_eq!(manifest["axes"][1]["values"][1], "10/s");
    assert_eq!(manifest["strategies"][1], "s0-s3");
    assert_eq!(manifest["scenario_sha256"].as_str().unwrap().len(), 64);
    assert_eq!((&manifest["points"], &manifest["finished_points"]), (&4.into(), &4.into()));
}

#[test]
fn a_directory_that_cannot_be_written_is_bad_usage() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = meshsim(&[&SHORT[..], &["--out", file.path().to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "nothing was simulated");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_bad_usage() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status =
        Command::new(env!("CARGO_BIN_EXE_meshsim")).arg("library").stdout(full).output().unwrap().status;
    assert_eq!(status.code(), Some(1));
}

#[test]
fn bad_input_ends_with_2_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let output = meshsim(&[
        "compare",
        "fluidos-mesh",
        "--set",
        "links.edge1-cloud.rtt=20xs",
        "--out",
        out.to_str().unwrap(),
        "--quiet",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("--set links.edge1-cloud.rtt:1:") && said.contains("`20xs` is not a duration"),
        "{said}"
    );
    assert!(!out.exists());
    for arguments in [
        vec!["compare", "no-such-scenario"],
        vec!["compare", "fluidos-mesh", "--strategy", "s9"],
        vec!["compare", "fluidos-mesh", "--strategy", "s0", "--strategy", "s0"],
    ] {
        let output = meshsim(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
    assert_eq!(meshsim(&["compare"]).status.code(), Some(2));
}

#[test]
fn a_setting_that_undoes_a_strategy_is_warned_of() {
    let arguments = ["check", "fluidos-mesh", "--set", "mesh.data_plane=sidecar"];
    let said = text(&meshsim(&arguments).stderr);
    assert!(
        said.contains("--set mesh.data_plane wins over what strategy `s0-s3-no-mesh` says there"),
        "{said}"
    );
    let others = said.lines().filter(|line| !line.contains("outlier detection never ejects"));
    assert_eq!(others.count(), 1, "{said}");
}

#[test]
fn every_library_scenario_is_good() {
    let list = text(&meshsim(&["library"]).stdout);
    let files = "a file of fluidos-mesh, fluidos-mesh-hpa, fluidos-testbed, multi-edge\n";
    assert!(list.contains(files), "{list}");
    let scenarios = list.lines().take_while(|line| !line.contains("a suite: validate"));
    for name in scenarios.filter_map(|line| line.split(' ').next()) {
        let output = meshsim(&["check", name]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        // Their outlier detection is that of the demonstration, which sets no max_ejection_percent.
        let said = text(&output.stderr);
        let known = ["outlier detection never ejects", "are sent farther than need be"];
        let other = said.lines().find(|line| !known.iter().any(|it| line.contains(it)));
        assert_eq!(other, None, "{name} has warnings");
    }
}

#[test]
fn a_sweep_refuses_to_vary_what_an_option_fixes() {
    let output = meshsim(&["sweep", "slow-endpoint", "--set", "run.seed=1,2", "--seed", "5"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--seed fixes run.seed, and --set run.seed varies it"), "{said}");
}

#[test]
fn every_line_of_the_library_names_something_that_it_prints() {
    let list = text(&meshsim(&["library"]).stdout);
    let suite = list.lines().find(|line| line.starts_with("testbed ")).unwrap_or_default();
    assert!(suite.ends_with("a suite: validate --suite testbed"), "{list}");
    let entries = list.lines().take_while(|line| !line.is_empty());
    for name in entries.filter_map(|line| line.split(' ').next()) {
        let output = meshsim(&["library", name]);
        assert!(output.status.success() && output.stdout.len() > 100, "{name}: {}", text(&output.stderr));
    }
    let unknown = meshsim(&["library", "testbet"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `testbed`?"), "{}", text(&unknown.stderr));
}

/// What is set for a short drill or run.
const BRIEF: [&str; 7] =
    ["--set", "run.warm_up=5s", "--set", "users.edge1.rate=5/s", "--replications", "1", "--quiet"];

#[test]
fn a_drill_prints_its_matrix_and_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("drill");
    let only = ["--only", "gateway:*", "--only", "link:*", "--for", "10s", "--after", "10s"];
    let drill = ["drill", "fluidos-mesh", "--strategy", "all", "--out", out.to_str().unwrap()];
    let output = meshsim(&[&drill[..], &only, &BRIEF].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("gateway:edge1") && printed.contains("100.0 %, to the end"), "{printed}");
    assert!(printed.contains("worst for `all`: gateway:edge1: 100.0 % of the requests fail"), "{printed}");
    assert!(text(&output.stderr).contains("the scenario has no [istiod]"), "{}", text(&output.stderr));
    let csv = std::fs::read_to_string(out.join("drill.csv")).unwrap();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.starts_with("strategy,failure,replications,failing_during,failing_during_low"), "{csv}");
    assert!(out.join("manifest.json").exists() && out.join("drill_users.csv").exists());
    let long = meshsim(&["drill", "fluidos-mesh", "--for", "100ms"]);
    assert_eq!(long.status.code(), Some(2));
}

#[test]
fn a_run_tells_every_decision_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let run = ["run", "locality-failover", "--timeline", "--out", out.to_str().unwrap()];
    let output = meshsim(&[&run[..], &["--replications", "1", "--quiet"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let csv = std::fs::read_to_string(out.join("timeline.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "strategy,replication,acted_s,noticed_s,cluster,who,rule,what");
    assert!(lines[1].contains(",fault,scenario,Crash of pods of"), "{}", lines[1]);
    assert!(
        csv.contains("EndpointSlice controller,endpoint conditions,endpoint front-0 in edge1 is not ready"),
        "{csv}"
    );
    let printed = text(&output.stdout);
    assert!(printed.contains("acted s") && printed.contains("EndpointSlice controller"), "{printed}");
}
