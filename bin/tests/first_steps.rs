//! What a new user types first, and what is said to that.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use std::process::Command;

/// What is said on standard error to something that is wrong, with exit code 2.
fn refusal(arguments: &[&str]) -> String {
    let output = meshsim(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    said
}

#[test]
fn a_scenario_of_the_library_can_be_saved_anywhere_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["fluidos-mesh", "multi-edge", "sidecar-ambient"] {
        let printed = meshsim(&["library", name]).stdout;
        let path = directory.path().join(format!("{name}.toml"));
        std::fs::write(&path, printed).unwrap();
        let output = meshsim(&["check", path.to_str().unwrap()]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_first_scenario_is_written_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let model = meshsim(&["library", "ten-services.workmodel.json"]).stdout;
    std::fs::write(path("model.json"), model).unwrap();
    let (own, from) = (path("own.toml"), path("from.toml"));
    let model = path("model.json");
    for (file, arguments) in [(&own, vec!["init", &own]), (&from, vec!["init", &from, "--from", &model])] {
        let output = meshsim(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        // Only a work model of one's own may need more CPU than it has.
        let warned = text(&meshsim(&["check", file]).stderr);
        assert!(warned.lines().all(|line| file == &from && line.contains("queues will grow")), "{warned}");
        let shorter = ["--set", "run.duration=20s", "--replications", "2", "--quiet"];
        let compared = meshsim(&[&["compare", file.as_str()][..], &shorter].concat());
        assert!(compared.status.success(), "{}", text(&compared.stderr));
        let table = text(&compared.stdout);
        assert!(["cloud-only", "entry", "all"].iter().all(|name| table.contains(name)), "{table}");
    }
    // What is there is not written over.
    let said = refusal(&["init", &own]);
    assert!(said.contains("is there already"), "{said}");
    assert!(refusal(&["init", &path("x.toml"), "--from", &own]).contains("own.toml"), "{said}");
    assert!(!directory.path().join("x.toml").exists());
}

#[test]
fn shells_and_manuals_know_every_command() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&meshsim(&["completions", shell]).stdout);
        assert!(script.contains("replications") && script.contains("calibrate"), "{shell}");
    }
    assert!(meshsim(&["man", directory.path().to_str().unwrap()]).status.success());
    for page in ["meshsim.1", "meshsim-compare.1", "meshsim-drill.1"] {
        assert!(std::fs::read_to_string(directory.path().join(page)).unwrap().contains(".SH"), "{page}");
    }
    assert!(refusal(&["man", "no/such/directory"]).contains("make it first"));
}

#[test]
fn every_command_has_an_example() {
    let help = text(&meshsim(&["--help"]).stdout);
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = commands
        .lines()
        .filter_map(|it| it.strip_prefix("  ")?.split(' ').next())
        .filter(|it| !it.is_empty());
    let mut count = 0;
    // These take nothing, or have commands of their own.
    for name in names.filter(|it| !["help", "schema", "export"].contains(it)) {
        let shown = text(&meshsim(&[name, "--help"]).stdout);
        let example = shown.rsplit_once("Example").unwrap_or_else(|| panic!("{name}: {shown}")).1;
        assert!(example.contains(&format!("meshsim {name} ")), "{name}: {example}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn the_list_says_what_each_scenario_is_about() {
    let list = text(&meshsim(&["library"]).stdout);
    let line = list.lines().find(|line| line.starts_with("retry-storm ")).unwrap();
    assert!(
        line.ends_with("Retries without a budget turn a lost pod into an outage that does not end"),
        "{line}"
    );
    assert!(list.lines().all(|line| !line.trim_end().is_empty() || line.is_empty()), "{list}");
}

#[test]
fn hints_lead_to_what_was_meant() {
    let check = |setting| refusal(&["check", "fluidos-mesh", "--set", setting]);
    for (setting, hint) in [
        ("users.edge1.service=[\"s0\",\"s1\"]", "one is meant here: write \"s0\""),
        ("services.s3.replicas=2", "clusters.CLUSTER.replicas.s3 = 2"),
        ("clusters.edge1.replicas.s33=2", "did you mean `s3`?"),
        ("users.edge1.rate=10/s,20/s", "to run at several values, use `meshsim sweep`"),
        ("mesh.load_balancer=RANDOM", "load_balancer.simple"),
    ] {
        let said = check(setting);
        assert!(said.contains(hint), "{setting}: {said}");
    }
    // Keys that are gone are not proposed.
    let said = check("mesh.foo=1");
    assert!(said.contains("data_plane") && !said.contains("locality_failover"), "{said}");
}

#[test]
fn another_format_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a.yaml"), "apiVersion: v1\nkind: Service\n").unwrap();
    std::fs::write(path("a.json"), "{\n  \"s0\": {}\n}\n").unwrap();
    assert!(refusal(&["check", &path("a.yaml")]).contains("this looks like YAML"));
    assert!(refusal(&["compare", &path("a.json")]).contains("this looks like JSON"));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_meshsim"))
        .args(["check", "fluidos-mesh", "--set", "run.seed=x"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn callers_that_are_sent_farther_than_need_be_are_told_of() {
    let said = text(&meshsim(&["check", "multi-edge"]).stderr);
    let line = said.lines().find(|line| line.contains("strategy `in-turn`") && line.contains("farther"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("though `cloud` is") && line.contains("`region`"), "{line}");
    // Where every edge has what it calls, or nobody but the cloud has, there is no detour.
    assert_eq!(said.matches("farther than need be").count(), 1, "{said}");
    let near = meshsim(&["check", "multi-edge", "--set", "clusters.cloud.region=edges"]);
    assert!(
        !String::from_utf8_lossy(&near.stderr).contains("`cloud` is"),
        "one region, no zone of the cloud's own"
    );
}

#[test]
fn a_sweep_has_its_settings_in_json_and_numbers_in_base_units() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let output = meshsim(&[
        "sweep",
        "slow-endpoint",
        "--set",
        "users.edge1.rate=10/s,20/s",
        "--set",
        "run.duration=5s",
        "--replications",
        "2",
        "--quiet",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let points: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let setting = &points[1]["settings"][0];
    assert_eq!(
        (setting["path"].as_str(), setting["value"].as_str()),
        (Some("users.edge1.rate"), Some("20/s"))
    );
    assert_eq!((setting["number"].as_f64(), setting["unit"].as_str()), (Some(20.0), Some("1/s")));
    assert!(points[1]["strategies"].is_array());
    let csv = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
    assert!(
        csv.starts_with("users.edge1.rate,users.edge1.rate [1/s],run.duration,run.duration [s],"),
        "{csv}"
    );
    assert!(csv.lines().nth(1).unwrap().starts_with("10/s,10,5s,5,"), "{csv}");
}

#[test]
fn each_group_of_users_has_rows_of_its_own_and_clusters_say_who_serves_whom() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let output = meshsim(&[
        "compare",
        "multi-edge",
        "--strategy",
        "cloud-only",
        "--strategy",
        "s0-s3",
        "--set",
        "cluster_template.edge.count=3",
        "--set",
        "run.duration=20s",
        "--replications",
        "2",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = text(&output.stdout);
    let groups = shown.lines().filter(|line| line.starts_with("edge"));
    assert_eq!(groups.count(), 6, "three groups under two strategies: {shown}");
    assert!(shown.contains("calls per user request, from cluster > to cluster"), "{shown}");
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    for strategy in summary["strategies"].as_array().unwrap() {
        let users = strategy["users"].as_object().unwrap();
        let offered: u64 = users.values().map(|it| it["requests"]["offered"].as_u64().unwrap()).sum();
        assert_eq!(strategy["requests"]["offered"].as_u64(), Some(offered));
        let sent = strategy["sent_per_request"].as_object().unwrap();
        let crossings: f64 = sent
            .iter()
            .flat_map(|(from, row)| row.as_object().unwrap().iter().filter(move |(to, _)| *to != from))
            .map(|(_, attempts)| attempts.as_f64().unwrap())
            .sum();
        let counted = strategy["crossings_per_request"].as_f64().unwrap();
        // One is of all requests, the other a mean over replications of unequal size.
        assert!((crossings / counted - 1.0).abs() < 0.02, "{crossings} and {counted}");
    }
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert!(metrics.contains("s0-s3,latency_ms.p95,ms,,,,,edge2,,,,"), "{metrics}");
    let histogram = std::fs::read_to_string(out.join("user_histogram.csv")).unwrap();
    assert!(
        histogram.starts_with("strategy,users,lower_ms,upper_ms,count\ncloud-only,edge1,"),
        "{histogram}"
    );
}

#[test]
fn a_sweep_of_lists_ends_with_its_best_point() {
    let output = meshsim(&[
        "sweep",
        "fluidos-mesh",
        "--strategy",
        "cloud-only",
        "--set",
        "clusters.edge1.services=[],[\"s0\"],\"all\"",
        "--set",
        "run.duration=60s",
        "--replications",
        "3",
        "--quiet",
    ]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = shown.lines().last().unwrap();
    assert!(last.starts_with("`cloud-only` at clusters.edge1.services=\"all\""), "{shown}");
    assert!(last.contains(" is fastest of 3: ") && last.contains("95 % interval"), "{last}");
}

#[test]
fn a_key_is_explained_and_an_unknown_one_is_told_what_is_near() {
    let said = text(&meshsim(&["explain", "links.edge1-cloud.jitter"]).stdout);
    assert!(said.starts_with("links.NAME.jitter: ") && said.contains("0s to 10 years"), "{said}");
    assert!(refusal(&["explain", "links.a.jiter"]).contains("did you mean `links.NAME.jitter`?"));
    let schema: serde_json::Value = serde_json::from_slice(&meshsim(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["strategy"]["items"]["properties"]["set"].is_object());
    assert!(!schema.to_string().contains("\"null\""));
}

#[test]
fn every_value_says_where_it_comes_from() {
    let arguments = ["check", "fluidos-mesh", "--resolved", "--strategy", "s0", "--set", "run.seed=9"];
    let said = text(&meshsim(&arguments).stdout);
    let line =
        |path: &str| said.lines().find(|it| it.starts_with(path)).unwrap_or_else(|| panic!("{path}: {said}"));
    assert!(line("run.seed ").ends_with("--set"), "{said}");
    assert!(line("pods.pre_stop ").ends_with("default"), "{said}");
    assert!(line("clusters.edge1.services ").contains("(strategy `s0`)"), "{said}");
    assert!(line("links.edge1-cloud.rtt ").contains("fluidos-mesh.toml:"), "{said}");
}

/// All items of STRESS-DES, from a scenario and from results.
#[test]
fn a_study_is_described() {
    let described = |of: &str| {
        let output = meshsim(&["describe", "--stress", of]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let of_scenario = described("fluidos-mesh");
    assert_eq!(of_scenario.matches("\n### ").count(), 24, "{of_scenario}");
    assert!(
        of_scenario.contains("100 users, 50/s requests") && of_scenario.contains("`s0-s3`"),
        "{of_scenario}"
    );
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let short = ["--replications", "2", "--set", "run.duration=20s", "--quiet", "--out", out];
    let strategies = ["--strategy", "cloud-only", "--strategy", "all"];
    assert!(meshsim(&[&["compare", "fluidos-mesh"], &short[..], &strategies[..]].concat()).status.success());
    let of_results = described(out);
    assert!(of_results.contains("2 independent replications"), "{of_results}");
    assert!(
        of_results.contains("meshsim compare scenario.toml") && of_results.contains("SHA-256"),
        "{of_results}"
    );
    assert!(!of_results.contains("- `s0-s3`:"), "{of_results}");
}

/// What every command says, and what is said to input that is wrong. `TRYCMD=overwrite` writes down what has changed. Each file has
/// a folder `.in` to begin with, which is copied because there is an `.out`: what files of it are to be in the end.
#[test]
fn snapshots_of_commands_and_of_wrong_input() {
    trycmd::TestCases::new()
        .register_bin("meshsim", std::path::Path::new(env!("CARGO_BIN_EXE_meshsim")))
        .env("NO_COLOR", "1")
        .case("tests/snapshots/*.trycmd");
}
