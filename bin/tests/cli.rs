//! The program as its users meet it: exit codes, output, files, determinism.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use std::path::Path;
use std::process::{Command, Output};

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
        "input-1.ten-services.workmodel.json",
        "latency_histogram.csv",
        "links.csv",
        "manifest.json",
        "metrics.csv",
        "paired.csv",
        "proxy_counters.csv",
        "requests.csv",
        "scenario.expanded.toml",
        "scenario.toml",
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

/// The number of threads changes none of these either.
#[test]
fn requests_that_are_followed_are_told_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["1", "2"].map(|threads| {
        let out = directory.path().join(threads);
        let asked =
            ["--spans", "20", "--spans-of", "slowest", "--chrome-trace", "--access-logs", "--critical-path"];
        let run = [
            "run",
            "fluidos-mesh",
            "--strategy",
            "s0",
            "--set",
            "run.duration=20s",
            "--set",
            "run.warm_up=5s",
        ];
        let of = ["--replications", "1", "--quiet", "--threads", threads, "--out", out.to_str().unwrap()];
        let output = meshsim(&[&run[..], &asked, &of].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("where the time went, ms"), "{}", text(&output.stdout));
        out
    });
    for name in ["spans.json", "chrome_trace.json", "access_log.txt", "access_log.json", "critical_path.csv"]
    {
        let [a, b] = [&one, &two].map(|it| std::fs::read(it.join(name)).unwrap());
        assert!(!a.is_empty() && a == b, "{name} differs");
    }
    let rerun = meshsim(&["rerun", one.to_str().unwrap(), "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    // The parts around each quantile sum up to the mean latency of the requests there.
    let rows = std::fs::read_to_string(one.join("critical_path.csv")).unwrap();
    let rows: Vec<Vec<&str>> = rows.lines().skip(1).map(|line| line.split(',').collect()).collect();
    for around in ["p50", "p99"] {
        let of = || rows.iter().filter(|row| row[1] == around);
        let sum: f64 = of().map(|row| row[9].parse::<f64>().unwrap()).sum();
        let latency: f64 = of().next().unwrap()[3].parse().unwrap();
        assert!((sum - latency).abs() < 1e-6, "{around}: {sum} of {latency} ms");
    }
}

/// Metrics, spans and access logs have one clock.
#[test]
fn a_run_begins_for_everybody_when_it_is_said_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (out, metrics) = (path("out"), path("metrics.txt"));
    let run =
        ["run", "fluidos-mesh", "--strategy", "s0", "--set", "run.duration=20s", "--set", "run.warm_up=0s"];
    let start = ["--start-time", "2020-02-03T05:05:06+01:00"];
    let few = ["--replications", "1", "--quiet"];
    let asked = ["--spans", "3", "--access-logs", "--out", &out, "--openmetrics", &metrics];
    let output = meshsim(&[&run[..], &few, &start, &asked].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let begins = 1_580_702_706_u64;
    let is_within = |second: u64| (begins..=begins + 21).contains(&second);
    let log = read(&format!("{out}/access_log.txt"));
    assert!(log.lines().all(|it| it.starts_with("[2020-02-03T04:05:")), "{log}");
    let spans = read(&format!("{out}/spans.json"));
    let starts = spans.split("\"startTimeUnixNano\":\"").skip(1).map(|it| it[..10].parse().unwrap());
    assert!(starts.clone().count() > 10 && starts.clone().all(is_within), "{spans}");
    let samples = read(&metrics);
    let at = |line: &str| line.rsplit(' ').next().unwrap().split('.').next().unwrap().parse().unwrap();
    assert!(samples.lines().filter(|it| !it.starts_with('#')).all(|line| is_within(at(line))));
    assert!(read(&format!("{out}/manifest.json")).contains("2020-02-03T04:05:06.000Z"));
    let rerun = meshsim(&["rerun", &out, "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    // Metrics alone are written too, also into somebody else's file if that is meant.
    std::fs::write(&metrics, "mine").unwrap();
    let alone = [&run[..], &few, &["--openmetrics", &metrics]].concat();
    let refused = meshsim(&alone);
    assert!(text(&refused.stderr).contains("--force replaces this one") && read(&metrics) == "mine");
    assert!(
        meshsim(&[&alone[..], &["--force"]].concat()).status.success() && read(&metrics).ends_with("# EOF\n")
    );
    let nothing = meshsim(&[&run[..], &start].concat());
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing.stderr));
}

#[test]
fn the_story_of_a_request_fits_the_terminal_and_sums_up() {
    let short =
        ["fluidos-mesh", "--set", "run.duration=20s", "--set", "run.warm_up=5s", "--quiet", "--strategy"];
    let output = meshsim(&[&["why"], &short[..], &["s0-s1", "--slowest"]].concat());
    let told = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let too_long = told.lines().find(|line| line.chars().count() > 80 && !line.starts_with('['));
    assert_eq!(too_long, None);
    for part in ["where its time went", "LEAST_REQUEST: the only host", "calls s0", "[1] "] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json = meshsim(&[&["why"], &short[..], &["s0-s1", "--slowest", "--json"]].concat());
    let story: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let latency = story["latency_ms"].as_f64().unwrap();
    let sum = |rows: &str, key: &str| -> f64 {
        story[rows].as_array().unwrap().iter().map(|it| it[key].as_f64().unwrap()).sum()
    };
    for (rows, key) in [("parts", "ms"), ("critical_path", "took_ms")] {
        assert!((sum(rows, key) - latency).abs() < 1e-3, "{rows}: {} of {latency}", sum(rows, key));
    }
    // The same one by its number.
    let number = story["number"].to_string();
    let again = meshsim(&[&["why"], &short[..], &["s0-s1", "--request", &number]].concat());
    assert_eq!(text(&again.stdout), told);
    for (asked, said) in [
        (&["--failed"][..], "no request fails in this replication"),
        (&["--request", "x"], "x is no number"),
        (&["--request", "nobody:1"], "there are no users `nobody`"),
        (&["--request", "99999999"], "there is no request 99999999"),
        (&[], "required"),
    ] {
        let output = meshsim(&[&["why"], &short[..], &["all"], asked].concat());
        assert_eq!(output.status.code(), Some(2), "{asked:?}");
        assert!(text(&output.stderr).contains(said), "{asked:?}: {}", text(&output.stderr));
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
                unit,cluster,to_cluster,service,application,user_group,request_kind,outcome,objective,value,low,high";
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
        said.contains("strategy `s0-s3-no-mesh`: --set mesh.data_plane wins over what is said there"),
        "{said}"
    );
    let others = said.lines().filter(|line| !line.contains("outlier detection never ejects"));
    assert_eq!(others.count(), 1, "{said}");
}

#[test]
fn every_library_scenario_is_good() {
    let list = text(&meshsim(&["library"]).stdout);
    let files = "a file of fluidos-mesh, fluidos-mesh-hpa, fluidos-testbed, multi-edge, ";
    assert!(list.contains(files), "{list}");
    let scenarios = list.lines().take_while(|line| !line.contains("a suite: validate"));
    for name in scenarios.filter_map(|line| line.split(' ').next()) {
        let output = meshsim(&["check", name]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        // Their outlier detection is that of the demonstration, which sets no max_ejection_percent.
        let said = text(&output.stderr);
        // Others show what becomes of a slice that is too large, and of a link that is cut.
        let known = [
            "outlier detection never ejects",
            "are sent farther than need be",
            "Liqo does not compare them",
            "which run in other clusters alone",
            "nothing ejects one behind a link that is cut",
            "one gateway stands before each cluster",
        ];
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
fn a_selection_runs_on_with_those_that_may_be_the_fastest() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let few = ["compare", "fluidos-mesh", "--quiet", "--set", "run.duration=20s", "--replications", "4"];
    let decide = ["--decide", "95%", "--indifference", "5ms", "--out", out.to_str().unwrap()];
    let output = meshsim(&[&few[..], &decide].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("`all` is selected: with 95 % it is the fastest, or within 5 ms of it; "),
        "{said}"
    );
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    let decision = &summary["decision"];
    let replications: Vec<u64> =
        decision["replications"].as_object().unwrap().values().map(|it| it.as_u64().unwrap()).collect();
    assert_eq!((&decision["selected"], &decision["first_replications"]), (&"all".into(), &4.into()));
    assert!(
        replications.iter().min() == Some(&4) && replications.iter().max() > Some(&4),
        "{replications:?}"
    );
    let rerun = meshsim(&["rerun", out.to_str().unwrap(), "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    for (wrong, why) in [
        (["--decide", "95", "--indifference", "1ms"], "--decide 95 is no share"),
        (["--decide", "95%", "--indifference", "0ms"], "--indifference 0ms is no time above zero"),
    ] {
        let said = text(&meshsim(&[&few[..], &wrong].concat()).stderr);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn replications_go_on_until_a_latency_is_precise() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let run = ["run", "fluidos-mesh", "--quiet", "--set", "run.duration=20s", "--set", "run.warm_up=5s"];
    let asked = ["--replications", "3", "--precision", "1%", "--figure", "mean"];
    let output = meshsim(&[&run[..], &asked, &["--out", out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    let replications = summary["run"]["replications"].as_u64().unwrap();
    let mean = &summary["strategies"][0]["latency_ms"]["mean"];
    let [value, low, high] =
        [&mean["value"], &mean["ci95"][0], &mean["ci95"][1]].map(|it| it.as_f64().unwrap());
    assert!(high - value <= 0.01 * value && value - low <= 0.01 * value, "{mean}");
    // Once more than the ten that it takes in any case.
    assert!((11..200).contains(&replications), "{replications}");
    let said = text(&output.stdout);
    let sentence =
        format!("The mean latency under every strategy is known to 1 % after {replications} replications.");
    assert!(said.contains(&sentence), "{said}");
    assert_eq!(summary["precision"], serde_json::json!({ "figure": "mean", "percent": 1.0 }));
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["conclusion"], serde_json::json!([sentence]));
    let rerun = meshsim(&["rerun", out.to_str().unwrap(), "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    for (wrong, why, code) in [
        (&["--precision", "2"][..], "--precision 2 is no share", 2),
        (&["--precision", "2%", "--figure", "p42"], "--figure p42 is no latency", 2),
        (&["--precision", "2%", "--replications", "1"], "one replication has no interval", 2),
        (&["--figure", "p95"], "--precision", 2),
        (&["--precision", "2%", "--figure", "p99"], "the p99 latency under `cloud-only` has no interval", 1),
    ] {
        let output = meshsim(&[&run[..], wrong].concat());
        let said = text(&output.stderr);
        assert!(said.contains(why) && output.status.code() == Some(code), "{said}");
    }
}

/// A sweep of the library's smallest scenario.
fn sweep(scenario: &str, more: &[&str]) -> Output {
    meshsim(&[&["sweep", scenario, "--quiet", "--replications", "2"], more].concat())
}

#[test]
fn a_sweep_in_a_file_has_ranges_and_options_win_over_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.toml");
    let library = text(&meshsim(&["library", "slow-endpoint"]).stdout);
    let table = "[sweep]\ncombine = \"zip\"\n[[sweep.axis]]\npath = \"users.edge1.rate\"\nvalues = \"10/s..30/s:3\"\n\
                 [[sweep.axis]]\npath = \"run.seed\"\nvalues = [1, 2, 3]\n[[sweep.axis]]\npath = \"run.duration\"\n\
                 values = [\"20s\", \"21s\", \"22s\"]\n";
    std::fs::write(&file, library + table).unwrap();
    let scenario = file.to_str().unwrap();
    let out = directory.path().join("out");
    let output = sweep(scenario, &["--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let points = |out: &Path| -> Vec<String> {
        let table = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
        let rows = table.lines().filter(|line| line.contains(",round-robin,latency_ms.mean,"));
        rows.map(|row| row.split(",round-robin,").next().unwrap().to_owned()).collect()
    };
    assert_eq!(points(&out), ["10/s,10,1,20s,20", "20/s,20,2,21s,21", "30/s,30,3,22s,22"]);
    // Three axes make no grid.
    let said = text(&output.stdout);
    let best = "at users.edge1.rate=10/s run.seed=1 run.duration=20s has the lowest mean of 12";
    assert!(!said.contains("round-robin [ms]") && said.contains(best), "{said}");
    let rerun = meshsim(&["rerun", out.to_str().unwrap(), "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    let crossed = directory.path().join("crossed");
    let more = ["--set", "run.seed=7", "--set", "run.duration=20s", "--combine", "cross"];
    let output = sweep(scenario, &[&more[..], &["--out", crossed.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(points(&crossed), ["10/s,10,7,20s,20", "20/s,20,7,20s,20", "30/s,30,7,20s,20"]);
    // One axis that varies: a row per point and a column per strategy.
    let said = text(&output.stdout);
    assert!(said.contains("\nusers.edge1.rate  round-robin [ms]"), "{said}");
    // Other commands run the scenario itself.
    assert!(meshsim(&["check", scenario]).status.success());
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("\"zip\"", "\"zap\"")).unwrap();
    let said = text(&sweep(scenario, &[]).stderr);
    assert!(said.contains("`zap` is none of") && said.contains("mine.toml:"), "{said}");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("30/s:3", "30/s:1")).unwrap();
    let said = text(&sweep(scenario, &[]).stderr);
    assert!(said.contains("has no number of values") && said.contains("mine.toml:"), "{said}");
}

#[test]
fn a_latin_hypercube_and_a_dry_run() {
    let axes = ["--set", "users.edge1.rate=10/s..50/s", "--set", "run.duration=20s..40s"];
    let dry = sweep(
        "slow-endpoint",
        &[&axes[..], &["--combine", "latin_hypercube", "--points", "8", "--dry-run"]].concat(),
    );
    let said = text(&dry.stdout);
    assert!(
        said.starts_with("8 points (latin_hypercube), ") && said.contains(" of CPU time, "),
        "{said}{}",
        text(&dry.stderr)
    );
    for (wrong, why) in [
        (&["--combine", "latin_hypercube"][..], "needs a number of points"),
        (&[], "has no number of values"),
        (&["--combine", "zip", "--points", "3"], "follows from the values"),
    ] {
        let output = sweep("slow-endpoint", &[&axes[..], wrong].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
    assert!(text(&sweep("slow-endpoint", &[]).stderr).contains("the sweep varies nothing"));
}

/// The round trip at which the longer way is worth the shorter queue, of the experiment in the README.
#[test]
fn the_break_even_of_two_strategies_has_an_interval() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let short =
        ["sweep", "fluidos-mesh", "--quiet", "--replications", "3", "--break-even", "cloud-only,s0-s3"];
    let range = ["--set", "links.edge1-cloud.rtt=1ms..160ms"];
    let output = meshsim(&[&short[..], &range, &["--out", out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("break_even.json")).unwrap()).unwrap();
    let number = report["number"].as_f64().unwrap();
    let said = text(&output.stdout);
    assert!((0.001..0.1).contains(&number) && report["unit"] == "s", "{report} {said}");
    assert!(said.contains("`cloud-only` and `s0-s3` are equally fast at links.edge1-cloud.rtt = "), "{said}");
    assert!(said.contains("towards the last `s0-s3`."), "{said}");
    let table = std::fs::read_to_string(out.join("break_even.csv")).unwrap();
    assert!(table.lines().count() > 10 && table.starts_with("links.edge1-cloud.rtt,number [s],"), "{table}");
    assert!(
        text(&meshsim(&[&short[..], &["--set", "links.edge1-cloud.rtt=1ms,2ms"]].concat()).stderr)
            .contains("is no range")
    );
    let ends = report["at_ends_ci95"].as_array().unwrap();
    assert!(ends.len() == 2 && ends.iter().all(|it| it[0].as_f64() < it[1].as_f64()), "{report}");
    let points = meshsim(&[&short[..], &range, &["--points", "3"]].concat());
    assert_eq!(points.status.code(), Some(2), "{}", text(&points.stderr));
    let apart = ["--set", "links.edge1-cloud.rtt=100ms..160ms"];
    let said = text(&meshsim(&[&short[..], &apart].concat()).stdout);
    assert!(said.contains("is faster at both ends") && said.matches("95 % interval").count() == 2, "{said}");
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
    assert!(lines[1].contains(",fault,scenario,crash of pods of"), "{}", lines[1]);
    assert!(
        csv.contains("EndpointSlice controller,endpoint conditions,endpoint front-0 in edge1 is not ready"),
        "{csv}"
    );
    let printed = text(&output.stdout);
    assert!(printed.contains("acted s") && printed.contains("EndpointSlice controller"), "{printed}");
}
