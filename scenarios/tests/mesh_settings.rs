//! What a scenario says of the mesh and of faults shows in warnings and in results.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::results::files::write_comparison;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::warnings::before_run;

const WORKMODEL: &str = r#"{
  "front": {"external_services": [{"services": ["back"]}], "internal_service": {"loader": {}}},
  "back": {"internal_service": {"loader": {}}}
}
"#;

const SCENARIO: &str = r#"[run]
warm_up = "10s"
duration = "60s"
replications = 2
[application]
workmodel = "app.json"
[clusters.cloud]
nodes = [{ cores = "8" }]
services = "all"
replicas = { back = 3 }
[clusters.edge]
nodes = [{ cores = "8" }]
services = ["front"]
[links.wan]
between = ["edge", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[users.edge]
cluster = "edge"
service = "front"
rate = "20/s"
"#;

fn plan(lines: &str) -> ComparisonPlan {
    let text = format!("{SCENARIO}{lines}");
    let scenario = support::of_texts(&[("scenario.toml", &text), ("app.json", WORKMODEL)], &[]).unwrap();
    ComparisonPlan::new(&scenario, &Choice::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn all_warnings(plan: &ComparisonPlan) -> Vec<String> {
    before_run(&plan.strategies[0]).iter().map(ToString::to_string).collect()
}

/// Without what is so in most of these scenarios, which have no outlier detection.
fn warnings_of(plan: &ComparisonPlan) -> Vec<String> {
    let spread = |it: &String| it.contains("callers ask the pods of all clusters in turn");
    all_warnings(plan).into_iter().filter(|it| !spread(it)).collect()
}

fn warnings(lines: &str) -> Vec<String> {
    warnings_of(&plan(lines))
}

fn summary(plan: &ComparisonPlan, directory: Option<&std::path::Path>) -> Summary {
    let outcome = plan.run(Rows::Dropped, &Watch::default());
    let summary = Summary::new(plan, &outcome);
    if let Some(directory) = directory {
        write_comparison(&mut Folder::claim(directory, false).unwrap(), plan, &outcome, &summary, None)
            .unwrap();
    }
    summary
}

#[test]
fn outlier_detection_that_never_ejects_is_warned_of_once() {
    let rule = "[mesh.traffic_policy.outlier_detection]\nconsecutive_5xx_errors = 5\n";
    let said = warnings(rule);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(
            "strategy `base`: outlier detection never ejects an endpoint of back, front: 10 % of 3 or fewer is \
             none; if it is to, write max_ejection_percent = 100"
        ),
        "{said:?}"
    );
    for cure in [
        "max_ejection_percent = 50\n",
        "[mesh.outlier_detection]\nalways_eject_one_host = true\n",
        // Up to 1.22 Envoy always ejects one host.
        "[mesh]\nistio_version = \"1.22\"\n",
    ] {
        assert_eq!(warnings(&format!("{rule}{cure}")), [""; 0], "{cure}");
    }
    let without = warnings(&format!("{rule}[mesh]\ndata_plane = \"none\"\n"));
    assert_eq!(without.len(), 1, "{without:?}");
    assert!(without[0].contains("nothing follows mesh.traffic_policy (needs sidecars or a waypoint);"));
    let off = "[mesh.traffic_policy.outlier_detection]\nconsecutive_5xx_errors = 0\n";
    assert_eq!(warnings(off), [""; 0], "nothing is to eject: it is there for failover");
    let half = "[services.back.traffic_policy.outlier_detection]\nmax_ejection_percent = 33\n";
    assert!(warnings(half)[0].contains("of back: 33 % of 3"), "{:?}", warnings(half));
}

#[test]
fn who_asks_all_clusters_for_what_is_near_is_told() {
    let said = all_warnings(&plan(""));
    assert_eq!(said.len(), 1, "{said:?}");
    let expected = "strategy `base`: callers ask the pods of all clusters in turn for front, though some are in their own, \
                    as in `edge`: Istio prefers near ones only where it looks for failures; write outlier_detection = { ";
    assert!(said[0].starts_with(expected), "{said:?}");
    for cure in [
        "[mesh.traffic_policy.outlier_detection]\nmax_ejection_percent = 100\n",
        "[services.front]\ntraffic_distribution = \"PreferClose\"\n",
        "[mesh]\nlocality_lb_setting.enabled = false\n",
        "[mesh]\ndata_plane = \"none\"\n",
    ] {
        assert_eq!(all_warnings(&plan(cure)), [""; 0], "{cure}");
    }
}

#[test]
fn failover_without_outlier_detection_is_warned_of() {
    let failover = "[mesh]\nlocality_lb_setting.failover_priority = [\"team\"]\n";
    let said = warnings(failover);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("the locality_lb_setting of front, back has no effect without outlier detection")
    );
    let detection = "[mesh.traffic_policy]\noutlier_detection.max_ejection_percent = 100\n";
    assert_eq!(warnings(&format!("{failover}{detection}")), [""; 0]);
    // A trafficDistribution forces failover, and holds before the mesh-wide setting.
    let close = "[services.front]\ntraffic_distribution = \"PreferClose\"\n";
    assert!(warnings(&format!("{failover}{close}"))[0].contains("locality_lb_setting of back has"));
    assert_eq!(warnings("[mesh]\nlocality_lb_setting.enabled = false\n"), [""; 0]);
    let weights = "[mesh]\nlocality_lb_setting.distribute = [{ from = \"*\", to = { \"*\" = 100 } }]\n";
    assert_eq!(warnings(weights), [""; 0], "explicit weights need no outlier detection");
}

#[test]
fn what_the_release_does_not_know_is_warned_of() {
    let service = "[services.back]\ntraffic_distribution = \"PreferSameZone\"\n";
    let said = warnings(&format!("{service}[mesh]\nistio_version = \"1.26\"\n"));
    assert!(said[0].contains("Istio 1.26 ignores the traffic_distribution of back;"), "{said:?}");
    assert_eq!(warnings(&format!("{service}[mesh]\nistio_version = \"1.27\"\n")), [""; 0]);
}

#[test]
fn a_fault_of_no_pod_is_warned_of() {
    let fault = "[[faults]]\nat = \"1s\"\nservice = \"back\"\ncluster = \"edge\"\nkind = \"crash\"\n";
    let said = warnings(fault);
    assert!(said[0].contains("the fault of `back` in cluster `edge` befalls no pod"), "{said:?}");
}

#[test]
fn a_change_that_changes_nothing_is_warned_of() {
    let change = |service: &str, kind: &str| {
        format!("[[changes]]\nat = \"30s\"\nservice = \"{service}\"\ncluster = \"edge\"\nkind = \"{kind}\"\n")
    };
    let said = |lines: &str| warnings(lines).into_iter().filter(|it| it.contains("changes nothing")).count();
    for (service, kind, useless) in
        [("front", "offload", 1), ("front", "rollout", 0), ("front", "remove", 0), ("back", "offload", 0)]
    {
        assert_eq!(said(&change(service, kind)), useless, "{kind} of {service}");
    }
}

#[test]
fn a_start_that_never_comes_is_warned_of() {
    let says = |until: &str, more: &str| {
        let start = format!("start = {{ cpu = \"2 cores\", for = \"40s\", until = \"{until}\" }}");
        let said = warnings(&format!("[services.back]\n{start}\n{more}"));
        said.iter().any(|it| it.contains("the start of back burns no CPU"))
    };
    let at = "at = \"10s\"\nservice = \"back\"\ncluster = \"cloud\"\n";
    let rollout = format!("[[changes]]\n{at}kind = \"rollout\"\n");
    let crash = format!("[[faults]]\n{at}kind = \"crash\"\nfor = \"10s\"\n");
    assert_eq!(["ready", "after-ready"].map(|until| says(until, "")), [true, true]);
    assert_eq!(["ready", "after-ready"].map(|until| says(until, &rollout)), [false, false]);
    assert_eq!(["ready", "after-ready"].map(|until| says(until, &crash)), [true, false]);
    assert!(!says(
        "ready",
        "[hpa]\nmax_replicas = 3\nmetrics = [{ resource = \"cpu\", average_value = \"1\" }]\n"
    ));
}

#[test]
fn utilization_without_a_request_is_warned_of() {
    let hpa = |metrics: &str| format!("[hpa]\nmax_replicas = 3\nmetrics = [{{ {metrics} }}]\n");
    let says = |lines: &str| warnings(lines).iter().any(|it| it.contains("cannot scale by utilization"));
    let by_utilization = hpa("resource = \"cpu\", utilization = 60");
    assert!(says(&by_utilization));
    let requests =
        "[services.back]\nresources.requests.cpu = \"1\"\n[services.front]\nresources.requests.cpu = \"1\"\n";
    assert!(!says(&format!("{by_utilization}{requests}")));
    assert!(!says(&hpa("resource = \"cpu\", average_value = \"500m\"")));
}

#[test]
fn failures_counters_and_pods_are_reported() {
    let lines = "[[services.back.routes]]\ndestinations = [{ cluster = \"cloud\" }]\n\
                 [[services.front.routes]]\nretries.attempts = 0\n\
                 fault.abort = { http_status = 418, percentage = 10 }\n\
                 [[faults]]\nat = \"0s\"\nservice = \"back\"\ncluster = \"cloud\"\npod = 2\nkind = \"crash\"\n\
                 seen_after = \"never\"\n";
    let directory = tempfile::tempdir().unwrap();
    let summary = summary(&plan(lines), Some(directory.path()));
    let strategy = &summary.strategies[0];
    let requests = &strategy.requests;
    let failed: u64 = requests.failed.values().sum();
    assert_eq!(requests.offered, requests.completed + failed + requests.in_flight);
    let injected = requests.failed["418 FI"] as f64 / requests.offered as f64;
    // Some 2400 requests: four standard deviations are 0.024.
    assert!((injected - 0.1).abs() < 0.03, "{injected}");
    let pods = &strategy.served_by_pod["back"]["cloud"];
    assert_eq!((pods.len(), pods[2]), (3, 0.0));
    let sum: f64 = pods.iter().sum();
    assert!((sum - strategy.served_per_second["back"]["cloud"]).abs() < 1e-9);
    let fails = |cluster: &str| {
        let counters = strategy.proxy_counters.get(cluster).and_then(|it| it.get("back"));
        counters.and_then(|it| it.get("upstream_cx_connect_fail")).copied().unwrap_or(0)
    };
    assert!(fails("edge") + fails("cloud") > 0, "{:?}", strategy.proxy_counters);
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(read("served.csv").starts_with("strategy,cluster,service,pod,per_second\nbase,cloud,back,0,"));
    let counters = read("proxy_counters.csv");
    assert!(counters.starts_with("strategy,cluster,service,counter,count,per_second\nbase,"), "{counters}");
    assert!(counters.contains(",back,upstream_cx_connect_fail,"), "{counters}");
    assert!(read("metrics.csv").contains("base,requests.failed,requests,,,,,,,418 FI,,"));
}

/// `back` in two versions, `v1` with three pods and `v2` with one, and a rule that tells them apart.
const VERSIONS: &str = r#"[clusters.cloud.replicas]
back = 3
[services.back]
labels = { version = "v1" }
traffic_policy = { connection_pool = { tcp = { max_connections = 50 }, http = { max_retries = 7 } }, outlier_detection = { max_ejection_percent = 100 } }
[services.back.subsets.v1]
labels = { version = "v1" }
[services.back.subsets.v2]
labels = { version = "v2" }
traffic_policy = { connection_pool = { http = { http2_max_requests = 9 } } }
[services.back-v2]
version_of = "back"
labels = { version = "v2" }
"#;

/// The scenario with these versions and more.
fn with_versions(lines: &str) -> String {
    let base = SCENARIO.replace("replicas = { back = 3 }\n", "");
    format!("{base}{VERSIONS}{lines}")
}

fn plan_of(text: &str) -> Result<ComparisonPlan, meshsim_scenarios::problem::Problems> {
    let scenario = support::of_texts(&[("scenario.toml", text), ("app.json", WORKMODEL)], &[])?;
    ComparisonPlan::new(&scenario, &Choice::default())
}

const CANARY: &str = "[[services.back.routes]]\ndestinations = [{ subset = \"v1\", weight = 80 }, { subset = \"v2\", weight = 20 }]\n";

#[test]
fn versions_are_told_apart_in_results() {
    let plan = plan_of(&with_versions(CANARY)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(warnings_of(&plan), [""; 0]);
    let directory = tempfile::tempdir().unwrap();
    let summary = summary(&plan, Some(directory.path()));
    let strategy = &summary.strategies[0];
    let rate = |service: &str| strategy.served_by_pod[service]["cloud"].iter().sum::<f64>();
    // Some 2400 calls: four standard deviations are 0.033.
    let share = rate("back-v2") / (rate("back") + rate("back-v2"));
    assert!((share - 0.2).abs() < 0.033, "{share}");
    assert_eq!(strategy.served_by_pod["back-v2"]["cloud"].len(), 1);
    assert!((rate("back") + rate("back-v2") - 20.0).abs() < 1.5);
    assert_eq!(strategy.requests.completed, strategy.requests.offered - strategy.requests.in_flight);
    let traffic = std::fs::read_to_string(directory.path().join("traffic.csv")).unwrap();
    let called = |service: &str| {
        let row = |from: &str| format!("base,{from},front,cloud,{service},");
        let rows = ["cloud", "edge"].map(row);
        let found = traffic.lines().filter(|line| rows.iter().any(|row| line.starts_with(row)));
        found.map(|line| line.split(',').nth(5).unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    let [v1, v2] = ["back", "back-v2"].map(called);
    assert!((v2 as f64 / (v1 + v2) as f64 - 0.2).abs() < 0.033, "{v1}, {v2}");
}

#[test]
fn a_subset_takes_whole_parts_of_its_rule() {
    let plan = plan_of(&with_versions(CANARY)).unwrap_or_else(|problems| panic!("{problems}"));
    let description = &plan.strategies[0].description;
    let back = description.application.service_named("back").unwrap();
    let [v1, v2] = &description.services[back].subsets[..] else { panic!() };
    let rule = description.services[back].traffic_policy;
    assert_eq!(v1.traffic_policy, rule);
    // What it says of limits is all that there is of limits; what it does not say is the rule's.
    let (pool, of_rule) = (v2.traffic_policy.connection_pool, rule.connection_pool);
    assert_eq!((pool.http2_max_requests, pool.max_connections, pool.max_retries), (Some(9), None, None));
    assert_eq!((of_rule.max_connections, of_rule.max_retries), (Some(50), Some(7)));
    assert_eq!(v2.traffic_policy.outlier_detection, rule.outlier_detection);
    // Who has subsets has a rule of its own, and nothing of the mesh's.
    let text = with_versions(CANARY).replacen("traffic_policy = { connection_pool = { tcp", "# ", 1)
        + "[mesh.traffic_policy]\nload_balancer.simple = \"RANDOM\"\n";
    let plan = plan_of(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let description = &plan.strategies[0].description;
    assert_eq!(description.services[back].subsets[0].traffic_policy, Default::default());
}

#[test]
fn subsets_that_nobody_has_or_reaches_are_warned_of() {
    let said = |lines: &str| -> String {
        let plan = plan_of(&with_versions(lines)).unwrap_or_else(|problems| panic!("{problems}"));
        before_run(&plan.strategies[0]).iter().map(|it| format!("{it}\n")).collect()
    };
    let unused = said("");
    for key in
        ["services.back.subsets.v1 (needs a route to it)", "services.back.subsets.v2 (needs a route to it)"]
    {
        assert!(unused.contains(key), "{unused}");
    }
    let undefined = said(&CANARY.replace("v2", "v3"));
    let expected = "from 0 s on a route leads to subset `v3` of `back`, which has none of that name: its requests are \
                    answered 503 (NC)";
    assert!(undefined.contains(expected), "{undefined}");
    let empty = said(&format!(
        "{}[services.back.subsets.v3]\nlabels = {{ version = \"v3\" }}\n",
        CANARY.replace("v2", "v3")
    ));
    assert!(empty.contains("subset `v3` of `back`, whose labels no pod has"), "{empty}");
    let labels = said(&format!("{CANARY}[services.front]\nlabels = {{ tier = \"web\" }}\n"));
    assert!(labels.contains("nothing follows services.front.labels (needs a subset by them)"), "{labels}");
    // A rule that comes after the route: until then the subset is not defined.
    let later = said(
        "[[services.back.routes]]\ndestinations = [{ subset = \"v1\", weight = 1 }, { subset = \"v9\", weight = 1 }]\n\
         [[changes]]\nat = \"20s\"\nservice = \"back\"\nkind = \"configure\"\n\
         subsets = { v1 = { labels = { version = \"v1\" } }, v9 = { labels = { version = \"v2\" } } }\n",
    );
    assert!(
        later.contains("from 0 s on a route leads to subset `v9`") && !later.contains("from 20 s"),
        "{later}"
    );
}

#[test]
fn what_is_wrong_with_versions_and_subsets_is_said() {
    let wrong = |old: &str, new: &str, expected: &str| {
        let text = with_versions(CANARY);
        assert!(text.contains(old), "{old}");
        let said = plan_of(&text.replacen(old, new, 1)).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(expected), "{new}\n{said}");
    };
    let version = "version_of = \"back\"\n";
    wrong(version, "version_of = \"bakc\"\n", "there is no service `bakc` (did you mean `back`?)");
    wrong(version, "version_of = \"back-v2\"\n", "there is no service `back-v2` (did you mean `back`?)");
    let other = "version_of = \"back\"\n[services.back-v3]\nversion_of = \"back-v2\"\n[services.back-v2.x]\n";
    wrong(
        "version_of = \"back\"\nlabels = { version = \"v2\" }\n",
        &other.replace("[services.back-v2.x]\n", ""),
        "`back-v3` is a version of `back-v2`, which is one itself (write version_of = \"back\")",
    );
    for (key, line) in [
        ("protocol", "protocol = \"http2\"\n"),
        ("traffic_policy", "traffic_policy = { load_balancer = { simple = \"RANDOM\" } }\n"),
        ("traffic_distribution", "traffic_distribution = \"PreferClose\"\n"),
        ("routes", "routes = [{ timeout = \"1s\" }]\n"),
        ("subsets", "subsets = { v1 = { labels = {} } }\n"),
        ("waypoint", "waypoint = true\n"),
    ] {
        let expected =
            format!("`back-v2` is a version of `back` and has no {key} of its own (write it of `back`");
        wrong(version, &format!("{version}{line}"), &expected);
    }
    wrong(
        "{ subset = \"v2\", weight = 20 }",
        "{ service = \"back-v2\", weight = 20 }",
        "`back-v2` is a version of `back` and no service (write subset = ",
    );
    wrong(
        "{ subset = \"v2\", weight = 20 }",
        "{ subset = \"v2\", cluster = \"cloud\", weight = 20 }",
        "a destination has subset and cluster",
    );
    wrong(
        "service = \"front\"\n",
        "service = \"back-v2\"\n",
        "`edge` calls `back-v2`, which is a version of `back`",
    );
    let configure = "[[changes]]\nat = \"1s\"\nservice = \"back-v2\"\nkind = \"configure\"\nroutes = []\n";
    wrong(CANARY, &format!("{CANARY}{configure}"), "`back-v2` is a version of `back` (change `back`");
    let scale = "[[changes]]\nat = \"1s\"\nservice = \"back\"\nkind = \"scale\"\ncluster = \"cloud\"\nreplicas = 2\nsubsets = {}\n";
    wrong(CANARY, &format!("{CANARY}{scale}"), "a change of kind \"scale\" has no subsets");
    wrong(
        "labels = { version = \"v1\" }\n[services.back.subsets.v2]",
        "[services.back.subsets.v2]",
        "labels",
    );
    wrong(
        version,
        &format!("{version}endpoints.buy.service_time = \"1ms\"\n"),
        "the work model says the endpoints",
    );
    let tcp = "[services.back]\nprotocol = \"tcp\"\n";
    wrong("[services.back]\n", tcp, "service `back` speaks tcp and has subsets");
}

/// A shop whose application says paths, and a service behind it.
const SHOP: &str = r#"[run]
warm_up = "0s"
duration = "60s"
replications = 1
[clusters.edge]
nodes = [{ cores = "16" }]
services = "all"
[services.shop.endpoints.browse]
service_time = "1ms"
path = "/browse?kind=fast"
[services.shop.endpoints.buy]
service_time = "1ms"
method = "POST"
[services.cart.endpoints.add]
service_time = "1ms"
path = "/add"
method = "POST"
[services.cart.endpoints.list]
service_time = "1ms"
path = "/list"
[users.edge]
cluster = "edge"
service = "shop"
requests = { browse = 1, buy = 1 }
rate = "20/s"
"#;

fn shop(routes: &str) -> Result<ComparisonPlan, meshsim_scenarios::problem::Problems> {
    let scenario =
        support::of_texts(&[("shop.toml", &format!("{SHOP}[services.shop]\nroutes = [{routes}]\n"))], &[])?;
    ComparisonPlan::new(&scenario, &Choice::default())
}

#[test]
fn routes_go_by_path_method_and_query() {
    let add = "destinations = [{ service = \"cart\" }], rewrite = { uri = \"/add\" }";
    for (condition, share) in [
        ("uri = { exact = \"/buy\" }", 0.5),
        ("uri = { prefix = \"/buy\" }, method = { exact = \"POST\" }", 0.5),
        ("uri = { regex = \"/b[a-z]y\" }", 0.5),
        ("method = { regex = \"P(OST|UT)\" }", 0.5),
        ("query_params = { kind = { present = true } }", 0.0),
    ] {
        let routes = format!("{{ {condition}, {add} }}, {{}}");
        if share == 0.0 {
            let list = routes.replace("/add", "/list");
            let plan = shop(&list).unwrap_or_else(|problems| panic!("{problems}"));
            let strategy = &summary(&plan, None).strategies[0];
            assert!(strategy.requests.failed.is_empty());
            let served = |service: &str| strategy.served_by_pod[service]["edge"][0];
            assert!((served("cart") / 20.0 - 0.5).abs() < 0.06 && (served("shop") / 20.0 - 0.5).abs() < 0.06);
            continue;
        }
        let plan = shop(&routes).unwrap_or_else(|problems| panic!("{condition}: {problems}"));
        assert_eq!(before_run(&plan.strategies[0]).len(), 0, "{condition}");
        let strategy = &summary(&plan, None).strategies[0];
        let served = |service: &str| strategy.served_by_pod[service]["edge"][0];
        assert!((served("cart") / 20.0 - share).abs() < 0.06, "{condition}: {}", served("cart"));
        assert!(strategy.requests.failed.is_empty(), "{condition}");
    }
    // A redirect is no failure, and shows as what it is.
    let redirect = "{ method = { exact = \"POST\" }, redirect = { redirect_code = 308 } }, {}";
    let plan = shop(redirect).unwrap_or_else(|problems| panic!("{problems}"));
    let strategy = &summary(&plan, None).strategies[0];
    assert!(strategy.requests.failed.is_empty());
    let redirected = strategy.requests.redirected["308"] as f64 / strategy.requests.offered as f64;
    assert!((redirected - 0.5).abs() < 0.06, "{redirected}");
    assert_eq!(strategy.requests.completed + strategy.requests.in_flight, strategy.requests.offered);
}

#[test]
fn a_route_takes_what_any_of_its_blocks_takes() {
    let add = "destinations = [{ service = \"cart\" }]";
    for (blocks, share) in [
        ("{ uri = { exact = \"/buy\" } }, { uri = { prefix = \"/browse\" } }", 1.0),
        (
            "{ method = { exact = \"PUT\" } }, { uri = { exact = \"/buy\" }, method = { exact = \"POST\" } }",
            0.5,
        ),
        // The conditions of a block must all hold.
        (
            "{ uri = { exact = \"/buy\" }, method = { exact = \"GET\" } }, { headers = { x = { present = true } } }",
            0.0,
        ),
        (
            "{ without_headers = { x = { present = true } }, query_params = { kind = { exact = \"fast\" } } }",
            0.5,
        ),
    ] {
        let routes = format!("{{ match = [{blocks}], {add} }}, {{}}");
        let plan = shop(&routes).unwrap_or_else(|problems| panic!("{blocks}: {problems}"));
        let strategy = &summary(&plan, None).strategies[0];
        let served = |service: &str| strategy.served_by_pod[service]["edge"][0];
        assert!((served("cart") / 20.0 - share).abs() < 0.06, "{blocks}: {}", served("cart"));
        assert!(strategy.requests.failed.is_empty(), "{blocks}");
    }
    // Each block's own prefix is rewritten.
    let rewriting = "{ match = [{ uri = { prefix = \"/bu\" } }, { uri = { prefix = \"/brow\" } }], destinations = \
                     [{ service = \"cart\" }], rewrite = { uri = \"/\" } }";
    let said = shop(rewriting).map(|_| ()).unwrap_err().to_string();
    for lost in ["`POST /buy` is rewritten to `/y`", "`GET /browse` is rewritten to `/se`"] {
        assert_eq!(said.matches(lost).count(), 1, "{said}");
    }
}

#[test]
fn conditions_that_nothing_meets_are_warned_of() {
    let said = |routes: &str| -> String {
        let plan = shop(routes).unwrap_or_else(|problems| panic!("{problems}"));
        before_run(&plan.strategies[0]).iter().map(|it| format!("{it}\n")).collect()
    };
    let nobody = said("{ uri = { regex = \"/sell.*\" }, timeout = \"1s\" }, {}");
    assert!(nobody.contains("services.shop.routes.0 (needs a request that it matches)"), "{nobody}");
    let of_block = said(
        "{ match = [{ uri = { exact = \"/buy\" } }, { uri = { exact = \"/sell\" } }], timeout = \"1s\" }, {}",
    );
    assert!(
        of_block.contains("services.shop.routes.0.match.1 (needs a request that it matches)"),
        "{of_block}"
    );
    assert!(!of_block.contains("routes.0.match.0"), "{of_block}");
    let unseen = said("{ timeout = \"1s\" }");
    for key in ["browse.path", "buy.method"] {
        assert!(
            unseen.contains(&format!(
                "services.shop.endpoints.{key} (needs a route or policy that looks at it)"
            )),
            "{unseen}"
        );
    }
}

#[test]
fn what_is_wrong_with_conditions_rewrites_and_redirects_is_said() {
    for (routes, expected) in [
        ("{ uri = { present = true } }", "uri is not compared with one thing (write one of { exact = "),
        ("{ uri = { exact = \"/a\", prefix = \"/b\" } }", "uri is not compared with one thing"),
        ("{ uri = { regex = \"/(a\" } }", "uri is compared with `/(a`, which is no regular expression"),
        (
            "{ query_params = { kind = { present = false } } }",
            "parameter `kind` is compared with present = false",
        ),
        ("{ headers = { x = {} } }", "header `x` is not compared with one thing"),
        ("{}, { method = { exact = \"GET\" } }", "route 2 of `shop` is never reached"),
        (
            "{ match = [{}, { method = { exact = \"GET\" } }] }",
            "block 2 of route 1 of `shop` is never reached (move it before block 1 of route 1, which takes everything)",
        ),
        (
            "{ match = [] }",
            "a match has no block (take it out, and the route takes everything, or write match = [",
        ),
        (
            "{ match = [{ uri = { prefix = \"/b\" } }], method = { exact = \"GET\" } }",
            "a route has a match and method (write it in each block of match that it is for)",
        ),
        ("{ match = [{ uri = { prefix = \"/b\" }, port = 80 }] }", "unknown key `port`"),
        ("{ rewrite = { uri = \"add\" } }", "a path is rewritten to `add`, which is no path"),
        (
            "{ method = { exact = \"POST\" }, rewrite = { uri = \"/sell\" } }",
            "`POST /buy` is rewritten to `/sell`, which is no endpoint there (it would be answered 404; there are \
             GET /browse, POST /buy)",
        ),
        ("{ uri = { exact = \"/buy\" }, rewrite = { uri = \"/buy\" } }", "the rewrite changes no path"),
        ("{ redirect = { redirect_code = 300 } }", "redirect_code 300 is none of Envoy's"),
        ("{ redirect = {}, timeout = \"1s\" }", "a route has a redirect and a timeout"),
        (
            "{ redirect = {}, destinations = [{ service = \"cart\" }] }",
            "a route has a redirect and destinations",
        ),
        ("{ redirect = {}, retries = { attempts = 1 } }", "a route has a redirect and retries"),
    ] {
        let said = shop(routes).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(expected), "{routes}\n{said}");
    }
    let wrong = |old: &str, new: &str| {
        let text = SHOP.replacen(old, new, 1);
        assert_ne!(text, SHOP);
        let scenario = support::of_texts(&[("shop.toml", &text)], &[]).unwrap();
        ComparisonPlan::new(&scenario, &Choice::default()).map(|_| ()).unwrap_err().to_string()
    };
    let said = wrong("path = \"/add\"", "path = \"add\"");
    assert!(said.contains("`add` is no path (write it as in \"/cart/add\""), "{said}");
    let said = wrong("method = \"POST\"", "method = \"post\"");
    assert!(said.contains("there is no method of HTTP `post`"), "{said}");
    let said = wrong(
        "[services.cart.endpoints.list]",
        "[services.cart]\nprotocol = \"grpc\"\n[services.cart.endpoints.list]\nmethod = \"PUT\"",
    );
    assert!(said.contains("a request of gRPC is none of PUT"), "{said}");
}

/// The shop in a namespace of its own, whose `shop` calls `cart` for each purchase.
fn guarded(lines: &str) -> Result<ComparisonPlan, meshsim_scenarios::problem::Problems> {
    let text = SHOP
        .replace(
            "method = \"POST\"\n[services.cart.endpoints.add]",
            "method = \"POST\"\ncalls = [\"cart.add\"]\n[services.cart.endpoints.add]",
        )
        .replace(
            "[services.cart.endpoints.add]",
            "[services.cart]\nnamespace = \"store\"\n[services.cart.endpoints.add]",
        );
    let scenario = support::of_texts(&[("shop.toml", &format!("{text}{lines}"))], &[])?;
    ComparisonPlan::new(&scenario, &Choice::default())
}

/// How many requests of a strategy ended otherwise than well, by status, and how many were refused at `cart`.
fn refusals(lines: &str) -> (Vec<(String, u64)>, u64, u64) {
    let plan = guarded(lines).unwrap_or_else(|problems| panic!("{problems}"));
    let strategy = &summary(&plan, None).strategies[0];
    let of_cart = |counter: &str| {
        let counters = strategy.proxy_counters.get("edge").and_then(|it| it.get("cart"));
        counters.and_then(|it| it.get(counter)).copied().unwrap_or(0)
    };
    let failed = strategy.requests.failed.iter().map(|(status, count)| (status.clone(), *count)).collect();
    (failed, of_cart("rbac_denied"), of_cart("no_filter_chain_match"))
}

#[test]
fn what_is_refused_is_counted() {
    let namespace = "[services.shop]\nnamespace = \"web\"\n";
    let allow = "[authorization_policies.store]\nnamespace = \"store\"\naction = \"ALLOW\"\n\
                 [[authorization_policies.store.rules]]\n";
    let web = "from = [{ principals = [\"cluster.local/ns/web/sa/shop\"] }]\nto = [{ methods = [\"POST\"], paths = [\"/add\"] }]\n";
    assert_eq!(refusals(&format!("{namespace}{allow}{web}")), (Vec::new(), 0, 0));
    let (failed, denied, reset) = refusals(&format!("{namespace}{allow}{}", web.replace("/add", "/list")));
    let [(status, count)] = &failed[..] else { panic!("{failed:?}") };
    // One that is refused may be on its way back when the run ends.
    assert!(status == "500" && denied - count <= 1 && reset == 0, "{failed:?}, {denied}, {reset}");
    assert!((500..700).contains(&denied), "{denied}");
    let deny = "[authorization_policies.no-web]\naction = \"DENY\"\nservices = [\"cart\"]\n\
                rules = [{ from = [{ namespaces = [\"web\"] }] }]\n";
    assert_eq!(refusals(&format!("{namespace}{deny}")).1, denied);
    let gateways = "[authorization_policies.none]\naction = \"DENY\"\nservices = [\"shop\"]\n\
                    rules = [{ from = [{ namespaces = [\"istio-system\"] }] }]\n";
    let (failed, ..) = refusals(gateways);
    assert_eq!(failed.len(), 1);
    assert!(failed[0].0 == "403" && failed[0].1 > 1_000, "{failed:?}");
    // Callers without a sidecar: of their namespace, or by themselves.
    let strict = "[peer_authentications.store]\nnamespace = \"store\"\nmtls = { mode = \"STRICT\" }\n";
    assert_eq!(refusals(&format!("{namespace}{strict}")), (Vec::new(), 0, 0));
    // Callers who are told to speak plain text: the gateway does not call it.
    let plain = "[services.cart.traffic_policy]\ntls = { mode = \"DISABLE\" }\n";
    assert_eq!(refusals(&format!("{namespace}{plain}")), (Vec::new(), 0, 0));
    let (failed, denied, reset) = refusals(&format!("{namespace}{plain}{strict}"));
    assert!(failed.len() == 1 && denied == 0 && (500..700).contains(&reset), "{failed:?}, {denied}, {reset}");
    let mutual = plain.replace("DISABLE", "ISTIO_MUTUAL");
    assert_eq!(refusals(&format!("{namespace}{mutual}{strict}")), (Vec::new(), 0, 0));
    for left_out in [
        "[services.shop]\nsidecar = false\n",
        "[services.shop]\nnamespace = \"web\"\n[namespaces.web]\ninjection = false\n",
    ] {
        let (failed, denied, reset) = refusals(&format!("{left_out}{strict}"));
        let [(status, count)] = &failed[..] else { panic!("{failed:?}") };
        assert!(
            status == "500" && reset - count <= 1 && denied == 0 && (500..700).contains(&reset),
            "{reset}"
        );
        let port = strict.replace("mtls = ", "services = [\"cart\"]\nmtls = ")
            + "port_level_mtls = { 8080 = { mode = \"PERMISSIVE\" } }\n";
        assert_eq!(refusals(&format!("{left_out}{port}")), (Vec::new(), 0, 0));
    }
}

#[test]
fn what_is_wrong_with_policies_is_said() {
    let policy = "[authorization_policies.p]\n";
    let peer = "[peer_authentications.p]\n";
    for (lines, expected) in [
        (
            format!("{policy}namespace = \"stores\"\n"),
            "there is no namespace with a service in it: `stores` (did you mean `store`?)",
        ),
        (format!("{policy}services = [\"card\"]\n"), "there is no service `card` (did you mean `cart`?)"),
        (
            format!("{policy}namespace = \"default\"\nservices = [\"cart\"]\n"),
            "`cart` is in namespace `store` (a policy of `default` selects pods there alone)",
        ),
        (
            format!("{policy}action = \"DENY\"\n"),
            "the policy `p` denies nothing (write rules = [{}] to deny everything)",
        ),
        (format!("{policy}action = \"CUSTOM\"\n"), "unknown value `CUSTOM`"),
        (format!("{policy}rules = [{{ from = [] }}]\n"), "a rule with an empty `from` matches nothing"),
        (format!("{policy}rules = [{{ to = [] }}]\n"), "a rule with an empty `to` matches nothing"),
        (format!("{policy}rules = [{{ from = [{{}}] }}]\n"), "a source names nobody"),
        (format!("{policy}rules = [{{ to = [{{}}] }}]\n"), "an operation names nothing"),
        (
            format!(
                "{policy}rules = [{{ from = [{{ principals = [\"cluster.local/ns/store/sa/card\"] }}] }}]\n"
            ),
            "there is no principal `cluster.local/ns/store/sa/card` (did you mean `cluster.local/ns/store/sa/cart`?)",
        ),
        (
            format!("{policy}rules = [{{ from = [{{ principals = [\"*/sa/bank\"] }}] }}]\n"),
            "there is no principal like `*/sa/bank` (there are cluster.local/",
        ),
        (
            format!("{policy}rules = [{{ from = [{{ namespaces = [\"st*re\"] }}] }}]\n"),
            "`st*re` is no namespace",
        ),
        (
            format!("{policy}rules = [{{ to = [{{ methods = [\"get\"] }}] }}]\n"),
            "there is no method of HTTP `get`",
        ),
        (format!("{policy}rules = [{{ to = [{{ paths = [\"add\"] }}] }}]\n"), "`add` is no path"),
        (peer.to_owned(), "`p` says nothing (write mtls = { mode = \"STRICT\" })"),
        (format!("{peer}mtls = {{ mode = \"UNSET\" }}\n"), "unknown value `UNSET`"),
        (
            format!("{peer}services = [\"cart\"]\nmtls = {{ mode = \"STRICT\" }}\n"),
            "`p` selects services of no namespace",
        ),
        (
            format!("{peer}port_level_mtls = {{ 8080 = {{ mode = \"STRICT\" }} }}\n"),
            "`p` names a port and selects no service",
        ),
        (
            format!(
                "{peer}namespace = \"store\"\nservices = [\"cart\"]\nport_level_mtls = {{ 80 = {{ mode = \"STRICT\" }} }}\n"
            ),
            "nobody listens on port 80 (all services listen on 8080)",
        ),
        (
            format!("{peer}mtls = {{ mode = \"STRICT\" }}\n[mesh]\nmtls = false\n"),
            "servers are STRICT and mesh.mtls is false",
        ),
        (
            format!(
                "{peer}mtls = {{ mode = \"STRICT\" }}\n[peer_authentications.q]\nmtls = {{ mode = \"DISABLE\" }}\n"
            ),
            "`p` and `q` are for the same pods",
        ),
        (
            "[namespaces.bank]\ninjection = false\n".to_owned(),
            "there is no namespace with a service in it: `bank`",
        ),
        (
            "[services.cart.subsets.s]\nlabels = { a = \"b\" }\ntraffic_policy = { tls = { mode = \"DISABLE\" } }\n".to_owned(),
            "subset `s` has a tls of its own",
        ),
        (
            "[[changes]]\nat = \"1s\"\nkind = \"configure\"\nservice = \"cart\"\ntraffic_policy = { tls = { mode = \"DISABLE\" } }\n".to_owned(),
            "a change has a tls",
        ),
        (
            format!(
                "[mesh]\ndata_plane = \"ambient\"\n{policy}rules = [{{ to = [{{ methods = [\"GET\"] }}] }}]\n"
            ),
            "the policy `p` looks at requests to `cart`, which has no waypoint",
        ),
    ] {
        let said = guarded(&lines).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(expected), "{lines}\n{said}");
    }
}

#[test]
fn the_services_of_a_tenant_are_in_its_namespace() {
    let own = "[services.cart]\nnamespace = \"store\"\n[services.cart.endpoints.list]";
    let text = SHOP.replace("[services.cart.endpoints.list]", own)
        + "[applications.web]\nservices = [\"shop\"]\n[applications.back]\nservices = [\"cart\"]\n";
    let scenario = support::of_texts(&[("shop.toml", &text)], &[]).unwrap();
    let plan =
        ComparisonPlan::new(&scenario, &Choice::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let description = &plan.strategies[0].description;
    let namespace =
        |name: &str| description.namespace_of(description.application.service_named(name).unwrap());
    assert_eq!(["shop", "cart"].map(namespace), ["web", "store"]);
}
