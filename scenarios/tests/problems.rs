//! One short bad scenario per message: each problem names its location and what would be right.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
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

fn plan_of(scenario: &str, workmodel: &str, settings: &[&str]) -> Result<ComparisonPlan, Problems> {
    let scenario = support::of_texts(&[("bad.toml", scenario), ("app.json", workmodel)], settings)?;
    ComparisonPlan::new(&scenario, &Choice::default())
}

/// The problems, a line each.
fn problems_of(scenario: &str, workmodel: &str, settings: &[&str]) -> String {
    match plan_of(scenario, workmodel, settings) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    }
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
fn what_nodes_send_with_and_links_lose() {
    let tcp = |new: &str, expected: &str| check("services = []", &format!("services = []\n{new}"), expected);
    let window = "bad.toml:11:26: initial_window 0 is out of range (it is 1 to 1000)";
    tcp("tcp = { initial_window = 0 }", window);
    let reno = "bad.toml:11:26: unknown value `reno` (it is one of cubic, bbr)";
    tcp("tcp.congestion_control = \"reno\"", reno);
    for (loss, said) in
        [("1.5", "1.5"), ("\"110%\"", "\"110%\""), ("\"often\"", "\"often\""), ("-0.1", "-0.1")]
    {
        let expected = format!(
            "bad.toml:15:8: a loss of {said} is not a share of the segments (write loss = 0.001, or \"0.1%\": it \
             is less than 1)"
        );
        check("\"1Gbit/s\"", &format!("\"1Gbit/s\"\nloss = {loss}"), &expected);
    }
}

#[test]
fn what_things_cost() {
    const NODE: &str = "nodes = [{ cores = \"4\" }]\nservices = \"all\"";
    let node = |new: &str, expected: &str| check(NODE, &format!("nodes = [{{ cores = \"4\"{new}"), expected);
    let power = "a power has either idle and full or points (write { idle = 60, full = 180 }, or { points = [60, 95, 120] })";
    node(", power = { idle = 60 } }]\nservices = \"all\"", &format!("bad.toml:6:33: {power}"));
    node(
        ", power = { idle = 60, full = -1 } }]\nservices = \"all\"",
        "bad.toml:6:53: -1 is not a power (W) (it is 0 to 1000000)",
    );
    node(
        ", power = { points = [1] } }]\nservices = \"all\"",
        "bad.toml:6:44: these are no powers at loads (write { idle = 60, full = 180 }, or { points = [60, 95, 120] }: 2 to \
         101 of 0 to 1000000)",
    );
    node(
        ", power = { idle = 1, full = 2 } }, { cores = \"4\" }]\nservices = \"all\"",
        "bad.toml:6:33: not all nodes of cluster `cloud` have a power (write one at each of them, or take this one out)",
    );
    node(
        " }]\nservices = \"all\"\ncarbon_intensity = 300",
        "bad.toml:8:20: electricity with carbon, and no power (write power = { idle = 60, full = 180 } at every node of \
         `cloud`)",
    );
    node(
        ", power = { idle = 1, full = 2 } }]\nservices = \"all\"\ncarbon_intensity = [1, 2]",
        "bad.toml:8:20: this is no carbon intensity (write 300, or 24 of them from midnight on: g per kWh, 0 to 1000000)",
    );
    node(
        " }]\nservices = \"all\"\nprices = { core_hour = -1 }",
        "bad.toml:8:24: -1 is not a price (it is 0 to 1000000)",
    );
    check(
        "\"1Gbit/s\"",
        "\"1Gbit/s\"\nenergy_per_gb = -2",
        "bad.toml:15:17: -2 is not an energy per GB (Wh) (it is 0 to 1000000)",
    );
}

#[test]
fn names_that_kubernetes_would_not_take() {
    let edge = |names: &str| format!("services = []\nnames = {{ {names} }}");
    check(
        "services = []",
        &edge("workload = \"edge\""),
        "bad.toml:11:22: workload \"edge\" is the same for all services (write {service} where the service's name is to \
         stand, as in \"{service}-edge\")",
    );
    check(
        "services = []",
        &edge("ingress = \"Istio_Ingress\""),
        "bad.toml:11:21: ingress \"Istio_Ingress\" is no name (write small letters, digits and `-`, as Kubernetes takes \
         them)",
    );
    check(
        "workmodel = \"app.json\"",
        "workmodel = \"app.json\"\nnamespace = \"a b\"",
        "bad.toml:5:13: namespace \"a b\" is no name (write small letters, digits and `-`, as Kubernetes takes them)",
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
fn what_is_wrong_under_a_strategy_alone_names_it() {
    let both = "[mesh.traffic_policy.load_balancer]\nsimple = \"ROUND_ROBIN\"\n[[strategy]]";
    let scenario = SCENARIO.replacen("[[strategy]]", both, 1)
        + "set.mesh.traffic_policy.load_balancer.consistent_hash = { use_source_ip = true }\n";
    assert_eq!(
        problems_of(&scenario, WORKMODEL, &[]),
        "bad.toml:20:10: strategy `near`: load_balancer has simple and consistent_hash (take one out: only one can \
         choose; what the strategy's `set` does not name is as the base has it)"
    );
    let said = problems_of(&SCENARIO.replace("rate = \"5/s\"", "rate = \"-5/s\""), WORKMODEL, &[]);
    assert!(!said.contains("strategy"), "it is the base's: {said}");
}

#[test]
fn numbers_that_are_too_large_are_said_to_be_so() {
    for (setting, said) in [
        (
            "users.edge.users=1000000000000",
            "the number `1000000000000` is too large (it is a whole number from 0 to",
        ),
        ("run.seed=-1", "the number `-1` is negative (it is a whole number from 0 to 18446744073709551615)"),
        ("run.duration=1e9h", "`1e9h` is not a duration: it is at most 584 years"),
        ("run.duration=1e6h", "duration 1000000h is out of range"),
    ] {
        let found = problems_of(SCENARIO, WORKMODEL, &[setting]);
        assert!(found.contains(said), "{setting}: {found}");
    }
}

#[test]
fn names_are_plain_text() {
    for (from, to, said) in [
        (
            "[clusters.edge]",
            "[clusters.\"e\\u001b\"]",
            "bad.toml:8:11: the name `e\\u{1b}` has the control character U+001B",
        ),
        (
            "[links.wan]",
            "[links.\"w\\tan\"]",
            "bad.toml:11:8: the name `w\\tan` has the control character U+0009",
        ),
        (
            "name = \"far\"",
            "name = \"f\\nar\"",
            "bad.toml:20:8: the text `f\\nar` has the control character U+000A",
        ),
        (
            "[users.edge]",
            "[users.\"u\\r\"]",
            "bad.toml:15:8: the name `u\\r` has the control character U+000D",
        ),
    ] {
        let found = problems_of(&SCENARIO.replace(from, to), WORKMODEL, &[]);
        assert!(found.contains(said), "{found}");
    }
    let found = problems_of(SCENARIO, &WORKMODEL.replace("\"back\":", "\"ba\\u0007ck\":"), &[]);
    assert!(found.contains("the name `ba\\u{7}ck` has the control character U+0007"), "{found}");
    let found = problems_of(SCENARIO, WORKMODEL, &["links.wan.rtt=\"2\\u001b[31m0ms\""]);
    assert!(found.contains("--set links.wan.rtt:1:") && found.contains("U+001B"), "{found}");
    let described = format!("description = \"\"\"Two\nlines,\ta tab\"\"\"\n{SCENARIO}");
    assert_eq!(problems_of(&described, WORKMODEL, &[]), "no problem");
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
    let near = "set.clusters.edge.services = [\"front\"]";
    let scenario = SCENARIO
        .replace("[application]\nworkmodel = \"app.json\"\n", "")
        .replace("set = {}", "set.application.workmodel = \"app.json\"")
        .replace(near, &format!("{near}\nset.application.workmodel = \"other.json\""));
    let hash = |other: &str| {
        let files = [("it.toml", &*scenario), ("app.json", WORKMODEL), ("other.json", other)];
        support::of_texts(&files, &[]).unwrap().sha256().unwrap()
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
        ComparisonPlan::new(&Scenario::open("fluidos-mesh", &[path]).unwrap(), &Choice::default())
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
    let said = problems_of(&missing, WORKMODEL, &[]);
    assert_eq!(said, "bad.toml:4:13: no text was given for the file `missing.json` (given are app.json)");
    let missing = support::open(directory.path(), &[("bad.toml", &missing)], &[]).unwrap();
    assert!(missing.resolve(None).unwrap_err().to_string().contains("bad.toml:4:13: cannot read"));
    let said = problems_of(SCENARIO, "{\n  \"front\": {\n    \"workers\": }\n}", &[]);
    assert_eq!(said, "app.json:3:16: expected value");
}

#[test]
fn a_library_name_that_is_mistyped_gets_a_suggestion() {
    let said = Scenario::open("fluidos-mehs", &[]).unwrap_err().to_string();
    assert!(said.contains("did you mean the library scenario `fluidos-mesh`?"), "{said}");
}

/// Asserts what is said of the good scenario with further lines before its strategies.
fn check_more(lines: &str, expected: &str) {
    let scenario = SCENARIO.replacen("[[strategy]]", &format!("{lines}\n[[strategy]]"), 1);
    assert_eq!(problems_of(&scenario, WORKMODEL, &[]), expected, "\n{lines}");
}

#[test]
fn keys_of_older_versions_name_the_new_ones() {
    check_more(
        "[mesh]\nlocality_failover = true",
        "bad.toml:20:21: mesh.locality_failover is no longer a key (write [mesh.traffic_policy] outlier_detection = \
         { consecutive_5xx_errors = 5 }: failover follows from it, and needs it; locality_lb_setting.enabled = false \
         switches it off)",
    );
    check_more(
        "[mesh]\nload_balancer = \"RANDOM\"",
        "bad.toml:20:17: mesh.load_balancer is no longer a key (write [mesh.traffic_policy] load_balancer.simple = \
         \"LEAST_REQUEST\")",
    );
}

#[test]
fn services_of_the_mesh() {
    check_more(
        "[services.frond]\nprotocol = \"http2\"",
        "bad.toml:19:1: there is no service `frond` (did you mean `front`?)",
    );
    check_more(
        "[services.front]\nprotocol = \"http3\"",
        "bad.toml:20:12: unknown value `http3` (did you mean `http1`?)",
    );
    check_more(
        "[services.front]\nprotocol = \"tcp\"",
        "bad.toml:17:11: users request `front`, which speaks tcp (a gateway's users send requests of HTTP)",
    );
    let said = "take it out, or write protocol = \"http1\" or \"http2\": proxies see no requests of tcp";
    check_more(
        "[services.back]\nprotocol = \"tcp\"\n[[services.back.routes]]\ntimeout = \"1s\"",
        &format!("bad.toml:21:1: service `back` speaks tcp and has routes ({said})"),
    );
    check_more(
        "[services.back]\nprotocol = \"tcp\"\n[services.back.traffic_policy]\nload_balancer.consistent_hash = { \
         use_source_ip = true }\nretry_budget = { percent = 5 }\nconnection_pool.http = { max_retries = 1 }",
        &format!(
            "bad.toml:22:33: service `back` speaks tcp and has consistent_hash ({said})\n\
             bad.toml:24:24: service `back` speaks tcp and has connection_pool.http ({said})\n\
             bad.toml:23:16: service `back` speaks tcp and has retry_budget ({said})"
        ),
    );
}

#[test]
fn traffic_policies() {
    check_more(
        "[mesh.traffic_policy]\nload_balancer.simple = \"PASSTHROUGH\"",
        "bad.toml:20:24: PASSTHROUGH sends a request where its client wanted it: a simulated client calls a service, \
         and has no endpoint in mind (write LEAST_REQUEST, ROUND_ROBIN or RANDOM)",
    );
    check_more(
        "[mesh.traffic_policy]\nload_balancer.simple = \"LEAST_REQUESTS\"",
        "bad.toml:20:24: unknown value `LEAST_REQUESTS` (did you mean `LEAST_REQUEST`?)",
    );
    check_more(
        "[mesh.traffic_policy]\nload_balancer.consistent_hash = { maglev = { table_size = 8 } }",
        "bad.toml:20:33: consistent_hash hashes 0 things (write one of http_header_name, http_cookie, use_source_ip, \
         http_query_parameter_name)",
    );
    check_more(
        "[mesh.traffic_policy]\nload_balancer.consistent_hash = { use_source_ip = true, maglev = { table_size = 8 } }",
        "bad.toml:20:33: consistent_hash: table_size is a prime number (Istio refuses it otherwise)",
    );
    check_more(
        "[mesh.traffic_policy]\nload_balancer = { simple = \"RANDOM\", consistent_hash = { http_header_name = \"u\" } }",
        "bad.toml:20:28: load_balancer has simple and consistent_hash (take one out: only one can choose)",
    );
    check_more(
        "[mesh.traffic_policy]\noutlier_detection = { max_ejection_percent = 101, interval = \"0s\", \
         consecutive_local_origin_failures = 3 }",
        "bad.toml:20:104: consecutive_local_origin_failures has no effect (write split_external_local_origin_errors = \
         true)\n\
         bad.toml:20:46: max_ejection_percent 101 is out of range (it is 0 to 100)\n\
         bad.toml:20:62: interval 0s is out of range (it is 1ms to 3650d)",
    );
    check_more(
        "[mesh.traffic_policy]\nretry_budget = {}",
        "bad.toml:20:16: retry_budget is empty (write { percent = 20, min_retry_concurrency = 3 }, or either)",
    );
    check_more(
        "[mesh.traffic_policy]\nload_balancer.warmup = { duration = \"1s\", aggression = 0.5 }",
        "bad.toml:20:56: 0.5 is not an aggression (it is 1 to 1000)",
    );
}

#[test]
fn localities() {
    check_more(
        "[mesh]\nlocality_lb_setting = { failover = [{ from = \"a\", to = \"b\" }], distribute = [{ from = \"a/*\", \
         to = { \"b/*\" = 90 } }] }",
        "bad.toml:20:78: distribute: the weights of `a/*` make 90 (they make 100)\n\
         bad.toml:20:23: distribute and failover are given together (take one out: Istio refuses both)",
    );
    check_more(
        "[mesh]\nlocality_lb_setting = { failover = [{ from = \"a\", to = \"a\" }, { from = \"a/b\", to = \"c\" }] }",
        "bad.toml:20:37: failover from `a` to itself (write { from = \"region1\", to = \"region2\" })\n\
         bad.toml:20:63: failover: `a/b` is not a region (write { from = \"region1\", to = \"region2\" })",
    );
}

#[test]
fn routes() {
    let check_route =
        |lines: &str, expected: &str| check_more(&format!("[[services.front.routes]]\n{lines}"), expected);
    check_route(
        "destinations = [{ cluster = \"edg\" }]",
        "bad.toml:20:29: there is no cluster `edg` (did you mean `edge`?)",
    );
    check_route(
        "destinations = [{ service = \"bak\" }]",
        "bad.toml:20:29: there is no service `bak` (did you mean `back`?)",
    );
    check_route(
        "destinations = [{ cluster = \"edge\" }]",
        "bad.toml:19:1: a route of `front` leads to `front` in cluster `edge`, where it has no pod under strategy \
         `far` (add it to the services there, or leave it out of the route)",
    );
    check_route(
        "destinations = [{ cluster = \"cloud\", weight = 0 }]",
        "bad.toml:20:16: the weights of a route's destinations make 0 (give one a weight)",
    );
    check_route(
        "destinations = [{ cluster = \"cloud\" }, { service = \"back\", weight = 1 }]",
        "bad.toml:20:17: a destination among several has no weight (write weight = 90)",
    );
    check_route(
        "headers = { x-a = { exact = \"a\", prefix = \"b\" }, x-b = { present = false } }",
        "bad.toml:20:19: header `x-a` is not compared with one thing (write one of { exact = \"beta\" }, { prefix = \
         \"b\" }, { regex = \"b.*\" }, { present = true })\n\
         bad.toml:20:56: header `x-b` is compared with present = false (write present = true under without_headers, \
         or under headers)",
    );
    check_route(
        "timeout = \"1s\"\n[[services.front.routes]]\ntimeout = \"2s\"",
        "bad.toml:21:1: route 2 of `front` is never reached (move it before route 1, which takes everything)",
    );
    check_route(
        "retries = { attempts = 201, retry_on = \"5xx,gateway_error,503,999\" }",
        "bad.toml:20:24: attempts 201 is out of range (it is 0 to 200)\n\
         bad.toml:20:40: retry_on: unknown condition `gateway_error` (did you mean `gateway-error`?)\n\
         bad.toml:20:40: retry_on: unknown condition `999` (it is a status, as in 503, or one of 5xx, gateway-error, \
         reset, reset-before-request, connect-failure, retriable-4xx, retriable-status-codes, refused-stream, \
         cancelled, deadline-exceeded, internal, resource-exhausted, unavailable)",
    );
    check_route(
        "fault = { abort = { http_status = 99, percentage = 101 } }",
        "bad.toml:20:35: http_status 99 is out of range (it is 200 to 599)\n\
         bad.toml:20:52: 101 is not a percentage (it is 0 to 100)",
    );
    let too_many = "[[services.front.routes]]\nheaders = { a = { present = true } }\n".repeat(256);
    check_more(&too_many, "bad.toml:529:1: service `front` has 256 routes (at most 255 are simulated)");
    check_more(
        "[services.back]\nprotocol = \"tcp\"\n[[services.front.routes]]\nmirror = { service = \"back\" }",
        "bad.toml:21:1: a route of `front` leads to `back`, which speaks tcp (requests go to services that speak http1 \
         or http2)",
    );
}

#[test]
fn headers_of_users() {
    let personal = "rate = \"5/s\"\nheaders = { X-User = \"a\" }\npersonal = [\"x-user\", \"x-group\"]\n\
                    [[services.front.routes]]\nheaders = { X-Group = { present = true } }\n";
    check(
        "rate = \"5/s\"\n",
        personal,
        "bad.toml:20:13: the header `x-user` is given twice (name it once, under headers or under personal)\n\
         bad.toml:20:23: routes ask for the header `x-group`, whose value is each user's own (take it out, or give \
         populations of their own the header's values under headers)",
    );
}

#[test]
fn faults() {
    let check_fault = |lines: &str, expected: &str| {
        check_more(&format!("[[faults]]\nservice = \"front\"\ncluster = \"cloud\"\n{lines}"), expected);
    };
    check_fault(
        "at = \"1h\"\nkind = \"crash\"",
        "bad.toml:22:6: the fault begins at 1h, and the run ends at 10s (it begins before; the warm-up is part of the \
         run)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"crashed\"",
        "bad.toml:23:8: unknown value `crashed` (did you mean `crash`?)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"crash\"\nfactor = 3\nshare = 0.5",
        "bad.toml:25:9: a fault of kind \"crash\" has no share (take it out)\n\
         bad.toml:24:10: a fault of kind \"crash\" has no factor (take it out)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"errors\"\nstatus = 404\nseen_after = \"1s\"",
        "bad.toml:19:1: a fault of kind \"errors\" needs a share (write share = 0.5)\n\
         bad.toml:24:10: status 404 is out of range (it is 500 to 599)\n\
         bad.toml:25:14: proxies are not told of errors and slowness: seen_after has no effect (take it out)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"degraded\"\ndelay = \"1ms\"",
        "bad.toml:23:8: a pod has no fault of kind \"degraded\" (write \"crash\", \"blackhole\", \"unready\", \"errors\" or \
         \"slow\", or name what else fails)\n\
         bad.toml:24:9: the fault of a pod has no delay (take it out, or name a link)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"slow\"",
        "bad.toml:19:1: a fault of kind \"slow\" needs a factor (write factor = 10)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"crash\"\npod = 1\nseen_after = \"soon\"",
        "bad.toml:25:14: `soon` is not a duration: its unit is one of ns, us, ms, s, min, h, d; or write \"never\"",
    );
    check_fault(
        "at = \"1s\"\nkind = \"crash\"\npod = 1",
        "bad.toml:24:7: service `front` has no pod 1 in cluster `cloud` (they are counted from 0 to 0)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"slow\"\nfactor = 2\nmtbf = \"10ms\"\nruns = \"5s\"",
        "bad.toml:25:8: mtbf 10ms is out of range (it is 1s to 3650d)\n\
         bad.toml:25:8: a fault that comes again by chance needs an mttr (write mttr = \"1min\": how long it takes \
         until it is repaired)\n\
         bad.toml:26:8: a fault of kind \"slow\" has no runs (take it out, or write kind = \"crash\")\n\
         bad.toml:25:8: a crash comes again by chance or by its runs (take mtbf and mttr out, or runs)",
    );
    check_fault(
        "at = \"1s\"\nkind = \"crash\"\nmttr = \"1min\"",
        "bad.toml:24:8: a fault that comes again by chance needs an mtbf (write mtbf = \"10min\": how long it takes until \
         it fails again)",
    );
}

#[test]
fn faults_of_components() {
    check_more(
        "[[faults]]\nat = \"1s\"\nnode = \"edge-2\"\nkind = \"lost\"",
        "bad.toml:21:8: there is no node `edge-2` (did you mean `edge-1`?)",
    );
    check_more(
        "[[faults]]\nat = \"1s\"\ngateway = \"edge\"\nkind = \"lost\"\nservice = \"front\"\nloss = 0.1",
        "bad.toml:23:11: the fault of a gateway has no service (take it out, or the gateway)\n\
         bad.toml:24:8: the fault of a gateway has no loss (take it out, or the gateway)\n\
         bad.toml:22:8: a gateway has no fault of kind \"lost\" (write kind = \"down\")",
    );
    check_more(
        "[[faults]]\nat = \"1s\"\ntunnel_gateway = \"edge\"\nkind = \"down\"",
        "bad.toml:21:18: only tunnels of Liqo have such gateways (write federation = \"liqo\", or take the fault out)",
    );
    check_more(
        "[[faults]]\nat = \"1s\"\ncluster = \"egde\"\nkind = \"isolated\"",
        "bad.toml:21:11: there is no cluster `egde` (did you mean `edge`?)",
    );
    check_more(
        "[istiod]\ncluster = \"cloud\"\n[[faults]]\nat = \"1s\"\nistiod = \"edge\"\nkind = \"down\"",
        "bad.toml:23:10: there is no istiod in cluster `edge` (it is in `cloud`, as [istiod] says)",
    );
    check_more(
        "[[faults]]\nat = \"1s\"\nistiod = \"edge\"\nkind = \"down\"\npod = 1",
        "bad.toml:23:7: there is no replica 1 of istiod (it has one, the pod 0: write [istiod] replicas = 2, or leave pod out)",
    );
    check_more(
        "[istiod]\nreplicas = 2\n[[faults]]\nat = \"1s\"\nistiod = \"edge\"\nkind = \"down\"\npod = 2",
        "bad.toml:25:7: there is no replica 2 of istiod (it has 2, from 0 to 1)",
    );
}

#[test]
fn users_without_an_ingress() {
    let with = |value: &str| format!("rate = \"5/s\"\non_ingress_loss = {value}");
    check(
        "rate = \"5/s\"",
        &with("{ to = \"edge\", after = \"30s\" }"),
        "bad.toml:19:26: users of `edge` are led to its own gateway (name another cluster)",
    );
    check(
        "rate = \"5/s\"",
        &with("{ to = \"clout\" }"),
        "bad.toml:19:26: there is no cluster `clout` (did you mean `cloud`?)",
    );
    check("rate = \"5/s\"", &with("\"away\""), "bad.toml:19:19: unknown value `away` (it is one of fail)");
}

#[test]
fn labels_of_nodes() {
    check_more(
        "[services.front]\nnode_selector = { zone = [\"eu west\"] }",
        "bad.toml:19:1: `front` asks for nodes with the label `zone` of `eu west`, which none can have (write `key = \
         [\"value\", ...]` of letters, digits, `-`, `_` and `.`, at most 63 of them)",
    );
}

#[test]
fn weights_of_endpoints() {
    check(
        "services = []",
        "services = []\nweights = { frond = 1, back = 129 }",
        "bad.toml:11:31: a weight 129 is out of range (it is 1 to 128)\n\
         bad.toml:11:21: there is no service with a weight in cluster `edge`: `frond` (did you mean `front`?)",
    );
}

/// Asserts what is said of a good scenario with `more` behind it, whose first line is then line 25.
fn check_after(more: &str, expected: &str) {
    let said = problems_of(&format!("{SCENARIO}{more}\n"), WORKMODEL, &[]);
    assert_eq!(said, expected, "\n{more}");
}

#[test]
fn autoscalers_that_cannot_decide() {
    check_after(
        "[hpa]\nmax_replicas = 5\nmetrics = [{ resource = \"cpu\", utilization = 60 }]",
        "no problem",
    );
    check_after(
        "[hpa]\nmin_replicas = 1",
        "bad.toml:25:1: the autoscaler of `front` in cluster `cloud` has no max_replicas (write max_replicas = 10)\n\
         bad.toml:25:1: the autoscaler of `back` in cluster `cloud` has no max_replicas (write max_replicas = 10)",
    );
    check_after(
        "[services.back.hpa]\nmin_replicas = 6\nmax_replicas = 5",
        "bad.toml:27:16: the autoscaler of `back` in cluster `cloud` has min_replicas 6 above max_replicas 5 \
         (min_replicas is at most max_replicas)",
    );
    check_after(
        "[hpa]\nmax_replicas = 0",
        "bad.toml:26:16: max_replicas 0 is out of range (it is 1 to 10000)",
    );
    check_after(
        "[hpa]\nmax_replicas = 5\nmetrics = [{ resource = \"memory\", utilization = 60 }]",
        "bad.toml:27:25: a metric of the resource `memory` is not simulated (write resource = \"cpu\": what pods \
         use of memory is not simulated)",
    );
    check_after(
        "[hpa]\nmax_replicas = 5\nmetrics = [{ pods = \"latency\", average_value = 5 }]",
        "bad.toml:27:21: there is no metric `latency` of pods (it is \"requests_per_second\", \"mean_latency\" or \
         \"requests_in_flight\")",
    );
    check_after(
        "[hpa]\nmax_replicas = 5\nmetrics = [{ pods = \"mean_latency\", average_value = \"5 apples\" }]",
        "bad.toml:27:53: \"5 apples\" is no average_value of this metric (write average_value = \"100ms\")",
    );
    check_after(
        "[hpa]\nmax_replicas = 5\n[hpa.behavior.scale_up]\npolicies = [{ period = \"15s\" }]",
        "bad.toml:28:13: a policy has pods or percent, and one of them (write { pods = 4, period = \"15s\" } or { \
         percent = 100, period = \"15s\" })",
    );
}

#[test]
fn starts_and_releases_that_cannot_be() {
    check_after(
        "[services.back]\nstart = { cpu = \"0\", for = \"40s\", until = \"ready\" }",
        "bad.toml:26:17: a start that wants 0 cores is out of range (it is \"1m\" to \"1000\")",
    );
    check_after(
        "[services.back]\nstart = { cpu = \"2 cores\", for = \"2h\", until = \"ready\" }",
        "bad.toml:26:34: for 2h is out of range (it is at most 1h)",
    );
    check_after(
        "[kubernetes]\nversion = \"1.36\"",
        "bad.toml:26:11: `1.36` is not a release that meshsim knows: 1.22 to 1.35",
    );
    check_after(
        "[kubernetes]\nversion = \"1.32\"\n[hpa]\nmax_replicas = 5\nbehavior.scale_up.tolerance = 0.2",
        "bad.toml:29:31: Kubernetes 1.32 does not know the tolerance of a behavior (take it out, write \
         controller_manager.hpa_tolerance for all autoscalers, or raise kubernetes.version to 1.33)",
    );
}

#[test]
fn pods_and_changes_that_cannot_be() {
    check_after(
        "[services.back]\ntolerations = [\"gpu=yes:PreferNoSchedule\"]",
        "bad.toml:26:16: a toleration with the effect `PreferNoSchedule` is not simulated (it is NoSchedule or \
         NoExecute, as in \"key=value:NoSchedule\")",
    );
    check_after(
        "[services.back]\nrolling_update = { max_surge = \"many\" }",
        "bad.toml:26:32: max_surge = \"many\" is neither a number of pods nor a percentage up to 1000 (write \
         max_surge = 1 or max_surge = \"25%\")",
    );
    check_after(
        "[services.back]\nrolling_update = { max_surge = 0, max_unavailable = \"0%\" }",
        "bad.toml:26:53: max_surge and max_unavailable are both 0: no pod could ever be replaced (one of them is at \
         least 1, or \"1%\")",
    );
    check_after(
        "[services.back]\nresources = { requests = { cpu = \"2\" }, limits = { cpu = \"1\" } }",
        "bad.toml:26:34: pods of `back` request 2 cores and may use 1 at most (a request is at most the limit: \
         Kubernetes refuses others)",
    );
    check_after(
        "[pods]\nhold_application_until_proxy_starts = false",
        "bad.toml:26:39: hold_application_until_proxy_starts = false has no effect (from Istio 1.27 on Kubernetes \
         1.33 on sidecars are ready before the application starts: take it out, or lower mesh.istio_version or \
         kubernetes.version)",
    );
    check_after(
        "[[changes]]\nat = \"5s\"\nservice = \"back\"\ncluster = \"cloud\"\nkind = \"scale\"\nreplicas = 10001",
        "bad.toml:30:12: replicas 10001 is out of range (it is 0 to 10000)",
    );
    check_after(
        "[[changes]]\nat = \"5s\"\nservice = \"back\"\ncluster = \"cloud\"\nkind = \"scale\"",
        "bad.toml:25:1: a change of kind \"scale\" needs replicas (write replicas = 3)",
    );
    check_after(
        "[[changes]]\nat = \"90s\"\nservice = \"back\"\ncluster = \"cloud\"\nkind = \"rollout\"",
        "bad.toml:26:6: the change comes at 90s, and the run ends at 10s (it comes before; the warm-up is part of \
         the run)",
    );
    check_after(
        "[[changes]]\nat = \"5s\"\nservice = \"bck\"\ncluster = \"cloud\"\nkind = \"remove\"",
        "bad.toml:27:11: there is no service `bck` (did you mean `back`?)",
    );
    check_after(
        "[istiod]\ncluster = \"clod\"",
        "bad.toml:26:11: there is no cluster `clod` (did you mean `cloud`?)",
    );
    check_after(
        "[observability]\ncluster = \"clod\"",
        "bad.toml:26:11: there is no cluster `clod` (did you mean `cloud`?)",
    );
    check_after(
        "[observability]\ncluster = \"cloud\"\nsampling = \"101%\"",
        "bad.toml:27:12: a sampling of \"101%\" is not a share of the calls (write sampling = 0.01, or \"1%\")",
    );
    let check_offloading = |keys: &str, expected: &str| {
        let good = SCENARIO.replacen(
            "workmodel = \"app.json\"",
            "workmodel = \"app.json\"\ncpu_request = \"500m\"",
            1,
        );
        let bad = format!("[offloading]\ncluster = \"cloud\"\nedges = [\"edge\"]\n{keys}\n{good}");
        assert_eq!(problems_of(&bad, WORKMODEL, &[]), expected, "{keys}");
    };
    check_offloading("", "no problem");
    check_offloading(
        "policy = \"mfu\"\nmax_sets = 3",
        "bad.toml:5:12: only sbmp has max_sets (take it out, or write policy = \"sbmp\")",
    );
    check_offloading(
        "policy = \"fixed\"",
        "bad.toml:1:1: policy \"fixed\" needs services (write services = [\"s0\"])",
    );
    check_offloading(
        "policy = \"fixed\"\nservices = [\"bck\"]",
        "bad.toml:5:13: there is no service to offload `bck` (did you mean `back`?)",
    );
    check_offloading(
        "locked = [\"back\"]",
        "bad.toml:4:10: the original does not honour locked (write compat = false: the original reads the key elsewhere)",
    );
    check_offloading(
        "query_period = \"20s\"",
        "bad.toml:4:16: a query_period of 20s has no two scrapes of 15s (it is at least 30s)",
    );
    check_offloading(
        "offload_delay = \"100ms\"",
        "bad.toml:4:17: unoffload_delay is longer than offload_delay (services go back below unoffload_delay and come \
         above offload_delay)",
    );
    check_offloading(
        "compat = false\npolicy_rtt_multiplier = 2.0",
        "bad.toml:5:25: one multiplier is enough (take it out, or write compat = true)",
    );
    check_offloading("[offloading.clusters.edge]\npolicy = \"fixed\"\nservices = [\"back\"]", "no problem");
    check_offloading("policy = \"fixed\"\n[offloading.clusters.edge]\nservices = [\"back\"]", "no problem");
    check_offloading(
        "[offloading.clusters.edg]\npolicy = \"mfu\"",
        "bad.toml:4:1: there is no edge `edg` (did you mean `edge`?)",
    );
    check_offloading(
        "policy = \"fixed\"\nservices = []\n[offloading.clusters.edge]\npolicy = \"mfu\"\nservices = []",
        "bad.toml:8:12: only policy \"fixed\" has services (take it out)",
    );
    check_offloading(
        "[offloading.clusters.edge]\nunoffload_delay = \"300ms\"",
        "bad.toml:5:19: unoffload_delay is longer than offload_delay (services go back below unoffload_delay and come \
         above offload_delay)",
    );
    check_offloading(
        "regret_horizon = \"20s\"",
        "bad.toml:4:18: regret_horizon 20s is out of range (it is 30s to 3650d)",
    );
    check_offloading("delay_quantile = 1.5", "bad.toml:4:18: 1.5 is not a quantile (it is 0 to 1)");
    check_after("[istiod]\ncores = 0", "bad.toml:26:9: cores 0 is out of range (it is 1 to 1000)");
    check_after(
        "[istiod]\nreplicas = 101\nmax_connection_age = \"9s\"\ncertificate_lifetime = \"0s\"\ncpu_per_proxy = \"2\"",
        "bad.toml:26:12: replicas 101 is out of range (it is 1 to 100)\n\
         bad.toml:29:17: cpu_per_proxy of 2 cores is out of range (it is \"0\" to \"1\", as in \"0.6m\")\n\
         bad.toml:27:22: max_connection_age 9s is out of range (it is 10s to 3650d)\n\
         bad.toml:28:24: certificate_lifetime 0s is out of range (it is 10s to 3650d)",
    );
    let configure =
        |keys: &str| format!("[[changes]]\nat = \"5s\"\nservice = \"back\"\nkind = \"configure\"\n{keys}");
    check_after(&configure("routes = [{ timeout = \"1s\" }]\ntraffic_policy = {}"), "no problem");
    check_after(
        &configure(""),
        "bad.toml:25:1: a change of kind \"configure\" changes nothing (write routes = [...], traffic_policy = { ... } \
         or subsets = { ... })",
    );
    check_after(
        &configure("routes = []\ncluster = \"cloud\"\nreplicas = 2"),
        "bad.toml:30:11: a change of kind \"configure\" has no cluster (take it out: the configuration of the mesh is \
         written to every cluster)\nbad.toml:31:12: a change of kind \"configure\" has no replicas (take it out)",
    );
    check_after(
        &configure("routes = [{ destinations = [{ service = \"bck\" }] }]"),
        "bad.toml:29:41: there is no service `bck` (did you mean `back`?)",
    );
    check_after(
        &configure("routes = [{ destinations = [{ cluster = \"edge\" }] }]"),
        "bad.toml:29:11: a route of `back` leads to `back` in cluster `edge`, where it has no pod under strategy `far` \
         (add it to the services there, or leave it out of the route)",
    );
    check_after(
        &configure("traffic_policy = { load_balancer = { simple = \"PASSTHROUGH\" } }"),
        "bad.toml:29:47: PASSTHROUGH sends a request where its client wanted it: a simulated client calls a service, \
         and has no endpoint in mind (write LEAST_REQUEST, ROUND_ROBIN or RANDOM)",
    );
    check_after(
        &format!("{}[services.back]\nprotocol = \"tcp\"", configure("routes = [{ timeout = \"1s\" }]\n")),
        "bad.toml:29:11: service `back` speaks tcp and has routes (take it out, or write protocol = \"http1\" or \
         \"http2\": proxies see no requests of tcp)",
    );
    check_after(
        "[[changes]]\nat = \"5s\"\nservice = \"back\"\nkind = \"remove\"\nroutes = []",
        "bad.toml:25:1: a change of kind \"remove\" needs a cluster (write cluster = \"cloud\", or whichever it is \
         in)\nbad.toml:29:10: a change of kind \"remove\" has no routes (take it out, or write kind = \"configure\" in a \
         change of its own)",
    );
    // The edge has no `back` unless somebody brings it.
    let change = |kind: &str, at: u32| {
        format!("[[changes]]\nat = \"{at}s\"\nservice = \"back\"\ncluster = \"edge\"\nkind = \"{kind}\"\n")
    };
    check_after(
        &format!(
            "{}{}",
            change("offload", 3),
            configure("routes = [{ destinations = [{ cluster = \"edge\" }] }]")
        ),
        "no problem",
    );
    check_after(
        &change("rollout", 5),
        "bad.toml:29:8: there is no Deployment of `back` in cluster `edge` at 5s (write kind = \"offload\" to make \
         one, or list the service in the cluster's services)",
    );
    check_after(
        &[change("remove", 7), change("offload", 5), change("rollout", 8)].concat(),
        "bad.toml:39:8: there is no Deployment of `back` in cluster `edge` at 8s (write kind = \"offload\" to make \
         one, or list the service in the cluster's services)",
    );
    check_after(
        &format!("{}replicas = 0", change("offload", 5)),
        "bad.toml:30:12: offload with 0 replicas (it is 1 to 10000, or not there: those of the service)",
    );
    check(
        "duration = \"10s\"",
        "time_series = \"0ms\"",
        "bad.toml:2:15: time_series 0s is out of range (it is 1ms to 3650d)",
    );
    check(
        "duration = \"10s\"",
        "duration = \"10s\"\ntime_series = \"2h\"",
        "bad.toml:3:15: time_series 2h is longer than the run of 10s (make it shorter: 15s is usual)",
    );
}

#[test]
fn laws_of_service_times() {
    let with = |law: &str| format!("[services.back]\nservice_time = {law}\n[[strategy]]");
    let said = |law: &str| problems_of(&SCENARIO.replacen("[[strategy]]", &with(law), 1), WORKMODEL, &[]);
    for good in [
        "{ law = \"deterministic\", mean = \"0ms\" }",
        "{ law = \"exponential\", mean = \"3ms\" }",
        "{ law = \"gamma\", mean = \"3ms\", cv = 0.5 }",
        "{ law = \"log-normal\", mean = \"3ms\", cv = 0.5 }",
        "{ law = \"empirical\", quantiles = [\"1ms\", \"1ms\", \"4ms\"] }",
    ] {
        assert_eq!(said(good), "no problem", "{good}");
    }
    for (bad, expected) in [
        ("{ law = \"gama\", mean = \"3ms\" }", "unknown value `gama` (did you mean `gamma`?)"),
        ("{ law = \"gamma\", mean = \"3ms\" }", "the law has no coefficient of variation"),
        ("{ law = \"gamma\", mean = \"3ms\", cv = 0 }", "cv 0 is out of range (it is 0.01 to 10"),
        ("{ law = \"exponential\", mean = \"3ms\", cv = 0.5 }", "this law has no cv"),
        ("{ law = \"exponential\", mean = \"0ms\" }", "mean 0ms is out of range (it is more than 0ms)"),
        ("{ law = \"deterministic\" }", "the law has no mean (write mean = \"3ms\")"),
        ("{ law = \"empirical\", quantiles = [\"2ms\", \"1ms\"] }", "the quantiles do not ascend"),
        ("{ law = \"empirical\", quantiles = [\"2ms\"] }", "the law has 1 quantiles (there are 2 to 10001)"),
        ("{ law = \"empirical\" }", "the law has no quantiles"),
    ] {
        let text = said(bad);
        assert!(text.starts_with("bad.toml:") && text.contains(expected), "{bad}: {text}");
    }
}

/// What is wrong with what joins the clusters: a line before all tables of the good scenario, and more after them.
fn check_federation(kind: &str, more: &str, expected: &str) {
    let said = problems_of(&format!("federation = \"{kind}\"\n{SCENARIO}{more}\n"), WORKMODEL, &[]);
    assert_eq!(said, expected, "\n{kind}, {more}");
}

#[test]
fn what_joins_clusters() {
    check_federation("flat", "", "no problem");
    check_federation("multi-network", "", "no problem");
    check_federation(
        "liqo",
        "[liqo]\nconsumer = \"cloud\"\ngateway = { cores = 2, per_packet = \"5us\" }",
        "no problem",
    );
    check_federation("liqo", "[peerings.wan]\nconsumer = \"cloud\"\nprovider = \"edge\"", "no problem");
    check_federation("lico", "", "bad.toml:1:14: unknown value `lico` (did you mean `liqo`?)");
    check_federation(
        "liqo",
        "",
        "bad.toml:1:14: nobody peers with anybody (write [liqo] consumer = \"cloud\", or [peerings.NAME] with a \
         consumer and a provider)",
    );
    check_federation(
        "liqo",
        "[liqo]\nconsumer = \"clod\"",
        "bad.toml:27:12: there is no cluster `clod` (did you mean `cloud`?)",
    );
    check_federation(
        "liqo",
        "[liqo]\nconsumer = \"cloud\"\ngateway = { cores = 0 }",
        "bad.toml:28:21: cores 0 is out of range (it is 1 to 1000)",
    );
    check_federation(
        "liqo",
        "[liqo]\nconsumer = \"cloud\"\n[peerings.own]\nconsumer = \"edge\"\nprovider = \"edge\"",
        "bad.toml:28:1: peering `own` joins a cluster to itself (write another cluster's name as provider)",
    );
    check_federation(
        "liqo",
        "[clusters.far]\nnodes = [{ cores = \"1\" }]\nservices = []\n[links.far]\nbetween = [\"edge\", \"far\"]\n\
         rtt = \"9ms\"\nbandwidth = \"1Gbit/s\"\n[liqo]\nconsumer = \"cloud\"",
        "bad.toml:1:14: no tunnel leads from cluster `cloud` to cluster `far` (add a peering: pods use no other link \
         under Liqo)",
    );
    check_federation(
        "liqo",
        "[peerings.one]\nconsumer = \"cloud\"\nprovider = \"edge\"\n[peerings.two]\nconsumer = \"cloud\"\nprovider = \
         \"edge\"",
        "bad.toml:29:1: peerings `one` and `two` have the same clusters (take one out)",
    );
    check_federation(
        "multi-network",
        "[mesh]\ndata_plane = \"ambient\"",
        "bad.toml:1:14: east-west gateways are simulated for sidecars alone (write mesh.data_plane = \"sidecar\", or \
         another federation)",
    );
    check_federation(
        "multi-network",
        "[east_west_gateway]\nreplicas = 0",
        "bad.toml:27:12: replicas 0 is out of range (it is 1 to 250)",
    );
}

#[test]
fn what_is_offloaded() {
    let offloads = |keys: &str| format!("[liqo]\nconsumer = \"cloud\"\n{keys}");
    let by_both =
        "offloading = { services = [\"back\"] }\n[offloading]\ncluster = \"cloud\"\nedges = [\"edge\"]";
    check_federation(
        "liqo",
        &offloads(by_both),
        "bad.toml:29:1: `back` is moved by a controller, and is offloaded by [liqo], too (take `back` out of \
         liqo.offloading.services: what decides on its pods is one of the two)",
    );
    check_federation("liqo", &offloads("offloading = { services = [\"back\"] }"), "no problem");
    check_federation(
        "liqo",
        &offloads("offloading = { services = [\"bck\"] }"),
        "bad.toml:28:28: there is no service `bck` (did you mean `back`?)",
    );
    let says = |keys: &str, expected: &str| {
        let text = format!("federation = \"liqo\"\n{SCENARIO}{}\n", offloads(keys));
        let said = problems_of(&text, WORKMODEL, &[]);
        assert!(said.contains(expected), "{keys}: {said}");
    };
    says(
        "offloading = { services = [\"back\"], pod_offloading_strategy = \"Remot\" }",
        "did you mean `Remote`?",
    );
    // Under the second strategy it runs at the provider.
    says(
        "offloading = { services = [\"front\"] }",
        "`front` is offloaded, and runs in cluster `edge` by itself",
    );
    says("slice = { pods = 0 }", "pods 0 is out of range (it is 1 to 100000)");
}
