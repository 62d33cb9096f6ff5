//! One short bad scenario per message: each problem names its place and what would be right.

#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::compare::{Choice, Plan};
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::scenario::Scenario;
use std::path::Path;

const WORKMODEL: &str = r#"{
  "front": {
    "external_services": [{"services": ["back"], "probabilities": {"back": 0.5}}],
    "internal_service": {"loader": {"sleep_stress": {"run": false}}}
  },
  "back": {"internal_service": {"loader": {"sleep_stress": {"run": false}}}}
}
"#;

const SCENARIO: &str = r#"[run]
duration = "10s"
[application]
workmodel = "app.json"
[clusters.cloud]
nodes = [{ cores = "4" }]
services = "all"
[clusters.edge]
nodes = [{ cores = "4" }]
services = []
[links.wan]
between = ["edge", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[users.edge]
cluster = "edge"
service = "front"
rate = "5/s"
[[strategy]]
name = "far"
set = {}
[[strategy]]
name = "near"
set.clusters.edge.services = ["front"]
"#;

fn plan_of(directory: &Path, scenario: &str, workmodel: &str, settings: &[&str]) -> Result<Plan, Problems> {
    std::fs::write(directory.join("app.json"), workmodel).unwrap();
    let path = directory.join("bad.toml");
    std::fs::write(&path, scenario).unwrap();
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let scenario = Scenario::open(path.to_str().unwrap(), &settings)?;
    Plan::new(&scenario, &Choice::default())
}

/// The problems, a line each, without the directory.
fn problems_of(scenario: &str, workmodel: &str, settings: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let problems = match plan_of(directory.path(), scenario, workmodel, settings) {
        Ok(_) => return "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    };
    let prefix = format!("{}/", directory.path().display());
    problems.replace(&prefix, "")
}

/// Asserts what is said if `old` in the good scenario becomes `new`.
fn check(old: &str, new: &str, expected: &str) {
    assert!(SCENARIO.contains(old), "{old}");
    let said = problems_of(&SCENARIO.replacen(old, new, 1), WORKMODEL, &[]);
    assert_eq!(said, expected, "\n{old} -> {new}");
}

#[test]
fn the_good_scenario_is_good() {
    assert_eq!(problems_of(SCENARIO, WORKMODEL, &[]), "no problem");
}

#[test]
fn keys_and_units() {
    check("rtt =", "rt =", "bad.toml:13:1: unknown key `rt` (did you mean `rtt`?)");
    check(
        "\"20ms\"",
        "\"20\"",
        "bad.toml:13:7: `20` is not a duration: write a unit, as in `250us`, `160ms`, `1.5s` or `10min`",
    );
    check(
        "\"20ms\"",
        "20",
        "bad.toml:13:7: a text in quotes, with its unit, as in \"160ms\", \"50/s\", \"1Gbit/s\" or \"500m\" is \
         expected, not the number `20`",
    );
    check(
        "duration = \"10s\"",
        "replications = \"5\"",
        "bad.toml:2:16: a whole number is expected, not the text \"5\"",
    );
    check("nodes = [{ cores = \"4\" }]", "nodes = 4", "bad.toml:6:9: a list is expected, not the number `4`");
    check(
        "\"1Gbit/s\"",
        "\"1Gbps\"",
        "bad.toml:14:13: `1Gbps` is not a rate of data: its unit is one of bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s",
    );
    check("rate = \"5/s\"\n", "", "bad.toml:15:1: the users `edge` have no rate (write rate = \"50/s\")");
    check("duration = ", "duration ", "bad.toml:2:10: key with no value, expected `=`");
    check(
        "[application]",
        "[aplication]",
        "bad.toml:3:2: unknown key `aplication` (did you mean `application`?)",
    );
}

#[test]
fn names_that_nobody_declared() {
    check(
        "\"edge\", \"cloud\"]",
        "\"edg\", \"cloud\"]",
        "bad.toml:12:12: there is no cluster `edg` (did you mean `edge`?)",
    );
    check(
        "services = []",
        "services = [\"frond\"]",
        "bad.toml:10:13: there is no service for cluster `edge` under strategy `far`: `frond` (did you mean `front`?)",
    );
    check(
        "[\"front\"]",
        "[\"frond\"]",
        "bad.toml:24:31: there is no service for cluster `edge` under strategy `near`: `frond` (did you mean \
         `front`?)",
    );
    check(
        "service = \"front\"",
        "service = \"backs\"",
        "bad.toml:17:11: there is no service `backs` (did you mean `back`?)",
    );
    check(
        "name = \"near\"",
        "name = \"far\"",
        "bad.toml:23:8: two strategies are named `far` (give each strategy a name of its own)",
    );
    check(
        "name = \"near\"",
        "name = \"\"",
        "bad.toml:23:8: a strategy has an empty name (give each strategy a name of its own)",
    );
}

#[test]
fn values_out_of_range() {
    check(
        "\"5/s\"",
        "\"0/s\"",
        "bad.toml:18:8: a rate of 0 requests per second is out of range (it is more than zero and at most \
         \"10000000/s\")",
    );
    check("\"20ms\"", "\"0ms\"", "bad.toml:13:7: rtt 0s is out of range (it is 2ns to 3650d)");
    check(
        "duration = \"10s\"",
        "replications = 0",
        "bad.toml:2:16: replications 0 is out of range (it is 1 to 100000)",
    );
}

#[test]
fn worlds_that_cannot_be() {
    check(
        "[links.wan]\nbetween = [\"edge\", \"cloud\"]\nrtt = \"20ms\"\nbandwidth = \"1Gbit/s\"\n",
        "",
        "bad.toml:8:1: cluster `edge` has no path to cluster `cloud` (add a link)",
    );
    check(
        "services = \"all\"",
        "services = [\"front\"]",
        "service `back` is called but runs in no cluster (add it to the services of a cluster)",
    );
    check(
        "set = {}\n",
        "",
        "bad.toml:19:1: strategy `far` changes nothing (write set = {} if it is the base as it stands)",
    );
    let cycle = WORKMODEL.replacen(
        "\"back\": {",
        "\"back\": {\"external_services\": [{\"services\": [\"front\", \"front\"]}], ",
        1,
    );
    assert_eq!(
        problems_of(SCENARIO, &cycle, &[]),
        "bad.toml:4:13: the calls front -> back -> front feed themselves: each generation of calls is 1.000 times \
         as large as the one before (lower a probability until it is below 1)"
    );
}

#[test]
fn all_problems_at_once() {
    let bad = SCENARIO.replace("\"5/s\"", "\"0/s\"").replace("\"20ms\"", "\"0ms\"");
    assert_eq!(problems_of(&bad, WORKMODEL, &[]).lines().count(), 2);
}

#[test]
fn a_strategy_does_not_change_the_run() {
    check(
        "set = {}",
        "set.run.replications = 3",
        "bad.toml:21:9: strategy `far` changes run.replications (replications, seed and durations are the same for \
         all strategies)",
    );
}

#[test]
fn a_long_value_is_not_repeated_whole() {
    let long = "x".repeat(10_000);
    let said = problems_of(&SCENARIO.replace("\"20ms\"", &format!("\"{long}\"")), WORKMODEL, &[]);
    assert!(said.len() < 300 && said.contains("xxx...` is not a duration"), "{said}");
    let said = problems_of(&SCENARIO.replace("rtt =", &format!("{long} =")), WORKMODEL, &[]);
    assert!(said.len() < 300 && said.contains("unknown key `xxx"), "{said}");
}

#[test]
fn a_text_that_reads_as_a_number_is_quoted() {
    let said = problems_of(SCENARIO, WORKMODEL, &["mesh.istio_version=1.23"]);
    assert!(said.ends_with("(write its unit or, if it has none, write it in quotes, as in --set 'mesh.istio_version=\"1.23\"')"), "{said}");
    assert_eq!(problems_of(SCENARIO, WORKMODEL, &["mesh.istio_version=\"1.23\""]), "no problem");
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let marked = |text: &str| format!("\u{feff}{text}");
    assert_eq!(problems_of(&marked(SCENARIO), &marked(WORKMODEL), &[]), "no problem");
}

#[test]
fn the_hash_is_of_the_work_models_of_all_strategies() {
    let directory = tempfile::tempdir().unwrap();
    let near = "set.clusters.edge.services = [\"front\"]";
    let scenario = SCENARIO
        .replace("[application]\nworkmodel = \"app.json\"\n", "")
        .replace("set = {}", "set.application.workmodel = \"app.json\"")
        .replace(near, &format!("{near}\nset.application.workmodel = \"other.json\""));
    let hash = |other: &str| {
        std::fs::write(directory.path().join("other.json"), other).unwrap();
        plan_of(directory.path(), &scenario, WORKMODEL, &[]).unwrap().sha256
    };
    assert_eq!(hash(WORKMODEL), hash(WORKMODEL));
    assert_ne!(hash(WORKMODEL), hash(&WORKMODEL.replace("0.5", "0.25")));
}

#[test]
fn a_library_scenario_takes_a_work_model_of_the_user_s() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.json");
    let text = meshsim_scenarios::library::file("ten-services.workmodel.json").unwrap();
    let open = || {
        let path = Setting::parse(&format!("application.workmodel={}", path.display())).unwrap();
        Plan::new(&Scenario::open("fluidos-mesh", &[path]).unwrap(), &Choice::default())
    };
    let said = open().unwrap_err().to_string();
    assert!(said.contains("the library has no file of this name"), "{said}");
    std::fs::write(&path, text).unwrap();
    assert!(open().is_ok());
}

#[test]
fn a_setting_is_blamed_by_its_own_name() {
    let said = problems_of(SCENARIO, WORKMODEL, &["links.wan.rtt=20"]);
    assert!(said.starts_with("--set links.wan.rtt:1:"), "{said}");
    let said = problems_of(SCENARIO, WORKMODEL, &["links.wam.rtt=20ms"]);
    assert!(said.starts_with("--set links.wam.rtt:1:"), "{said}");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| Scenario::open(path.to_str().unwrap(), &[]).unwrap_err().to_string();
    assert!(open(directory.path()).contains("is a directory"));
    assert!(open(&directory.path().join("none.toml")).contains("cannot read"));
    #[cfg(target_os = "linux")]
    assert!(open(Path::new("/dev/zero")).contains("`/dev/zero` is too large"));
    let binary = directory.path().join("binary.toml");
    std::fs::write(&binary, b"a = 1\n\xff\xfe").unwrap();
    assert!(open(&binary).contains("is not UTF-8 text: line 2"));
    let missing = SCENARIO.replace("app.json", "missing.json");
    assert!(problems_of(&missing, WORKMODEL, &[]).starts_with("bad.toml:4:13: cannot read"));
    let said = problems_of(SCENARIO, "{\n  \"front\": {\n    \"workers\": }\n}", &[]);
    assert_eq!(said, "app.json:3:16: expected value");
}

#[test]
fn a_library_name_that_is_mistyped_gets_a_suggestion() {
    let said = Scenario::open("fluidos-mehs", &[]).unwrap_err().to_string();
    assert!(said.contains("did you mean the library scenario `fluidos-mesh`?"), "{said}");
}
