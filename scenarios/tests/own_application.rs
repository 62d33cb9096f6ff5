//! Applications that a scenario says itself: services, their endpoints, and users who request several of them.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::ids::EndpointId;
use meshsim_scenarios::analysis::figure::Dimension;
use meshsim_scenarios::analysis::summary::UserGroup;
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::results::files::write_comparison;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::request_log::RequestLog;
use std::collections::BTreeMap;
use support::{of_texts, summary};

/// Proxies, gateways and the network inside a cluster take no time: what is left is what the endpoints say.
const SHOP: &str = r#"[run]
duration = "500s"
warm_up = "0s"
replications = 2
[mesh]
mtls = false
traffic_policy.outlier_detection.max_ejection_percent = 100
telemetry = false
sidecar = { loopback = "0us", outbound = { request = "0us", response = "0us", response_per_kb = "0us", spread = 0 }, inbound = { request = "0us", response = "0us", response_per_kb = "0us", spread = 0 } }
[gateway]
cost = { request = "0us", response = "0us", response_per_kb = "0us", spread = 0 }
[clusters.edge]
nodes = [{ cores = "16" }]
services = ["front"]
local_delay = "0us"
local_bandwidth = "1000Gbit/s"
[clusters.cloud]
nodes = [{ cores = "16" }]
services = ["front", "stock", "ads"]
local_delay = "0us"
local_bandwidth = "1000Gbit/s"
[links.wan]
between = ["edge", "cloud"]
rtt = "20ms"
bandwidth = "100Gbit/s"
[services.front]
service_time = "1ms"
[services.front.endpoints.browse]
calls = [{ in_parallel = ["stock.list", "ads"] }]
[services.front.endpoints.buy]
service_time = "2ms"
request_size = "2kB"
response_size = { law = "exponential", mean = "4kB" }
calls = ["stock.list", { service = "stock", endpoint = "take", probability = 0.5, count = 2 }]
[services.stock]
workers = 2
threads = 8
[services.stock.endpoints.list]
service_time = "1ms"
wait = "3ms"
[services.stock.endpoints.take]
service_time = "4ms"
[services.ads]
service_time = "7ms"
[users.north]
cluster = "edge"
service = "front"
requests = { browse = 80, buy = 20 }
rate = "4/s"
access = { bandwidth = "1000Gbit/s" }
[users.south]
cluster = "cloud"
requests = { "front.browse" = 1 }
rate = "2/s"
access = { bandwidth = "1000Gbit/s" }
[[strategy]]
name = "as it is"
set = {}
[[strategy]]
name = "cloud only"
set.clusters.edge.services = []
"#;

fn plan(text: &str) -> Result<ComparisonPlan, Problems> {
    ComparisonPlan::new(&of_texts(&[("shop.toml", text)], &[])?, &Choice::default())
}

fn shop() -> ComparisonPlan {
    plan(SHOP).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn services_endpoints_and_calls_are_what_was_written() {
    let plan = shop();
    let description = &plan.strategies[0].description;
    let application = &description.application;
    let names: Vec<String> = application
        .endpoints
        .iter()
        .map(|it| format!("{}.{}", application.services[it.service].name, it.name))
        .collect();
    assert_eq!(names, ["ads.default", "front.browse", "front.buy", "stock.list", "stock.take"]);
    let stock = &application.services[application.service_named("stock").unwrap()];
    assert_eq!((stock.workers, stock.threads, stock.others.len()), (2, 8, 1));
    let [browse, buy] = [1, 2].map(|id| &application.endpoints[EndpointId(id)]);
    let calls = |endpoint: &meshsim_models::application::call_graph::Endpoint| -> Vec<Vec<(u32, u16, f64)>> {
        let of = |group: &meshsim_models::application::call_graph::Group| {
            group.calls.iter().map(|it| (it.endpoint.0, it.coin, it.probability)).collect()
        };
        endpoint.groups.iter().map(of).collect()
    };
    assert_eq!(calls(browse), [vec![(3, 0, 1.0)], vec![(0, 0, 1.0)]]);
    assert_eq!(browse.groups.iter().map(|it| it.stage).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(calls(buy), [vec![(3, 0, 1.0), (4, 1, 0.5), (4, 1, 0.5)]]);
    assert_eq!(buy.request_bytes, 2_000);
    let visits = application.expected_visits(description.populations[0].requests.shares()).unwrap();
    let expected = [0.8, 0.8, 0.2, 1.0, 0.2];
    assert!(
        visits.iter().zip(expected).all(|(visits, expected)| (visits - expected).abs() < 1e-12),
        "{visits:?}"
    );
}

/// Requests of both groups, of both kinds, and of the kinds of each group; each sort sums to all.
#[test]
fn results_have_rows_for_groups_and_kinds_whose_sums_are_those_of_all() {
    let summary = summary(&shop());
    let near = |it: &UserGroup, ms: f64| {
        let found = it.latency_ms.p50.value;
        assert!((found - ms).abs() < 0.02 * ms + 0.1, "{found} ms, expected {ms}");
    };
    for (strategy, way) in summary.strategies.iter().zip([20.0, 20.0]) {
        let [north, south] = ["north", "south"].map(|name| &strategy.users[name]);
        let [browse, buy] = ["browse", "buy"].map(|name| &strategy.request_kinds[name]);
        let all = &strategy.requests;
        for sort in [[north, south], [browse, buy]] {
            assert_eq!(sort.map(|it| it.requests.offered).iter().sum::<u64>(), all.offered);
            assert_eq!(sort.map(|it| it.requests.completed).iter().sum::<u64>(), all.completed);
        }
        let of_north = ["browse", "buy"].map(|name| &north.request_kinds[name]);
        assert_eq!(of_north.map(|it| it.requests.offered).iter().sum::<u64>(), north.requests.offered);
        assert_eq!(south.request_kinds.keys().collect::<Vec<_>>(), ["browse"]);
        let share = of_north[1].requests.offered as f64 / north.requests.offered as f64;
        // Some 4,000 requests: a standard deviation of 0.0063.
        assert!((share - 0.2).abs() < 0.03, "{share}");
        // One way or another, every request of the north crosses once at least. The longer of 4 and 7 ms.
        near(of_north[0], way + 1.0 + 7.0);
        near(&south.request_kinds["browse"], 1.0 + 7.0);
        let buy = of_north[1].latency_ms.mean.value;
        // Two or four crossings, or one: 2 + 4 and, in half of them, twice 4 ms.
        let crossings = if strategy.name == "cloud only" { 1.0 } else { 2.0 };
        let expected = way * crossings + 2.0 + 4.0 + 0.5 * 2.0 * 4.0;
        assert!((buy - expected).abs() < 0.05 * expected, "{}: {buy} ms, expected {expected}", strategy.name);
    }
}

#[test]
fn files_name_the_kinds_and_one_kind_is_not_told_apart() {
    let written = |text: &str, file: &str| {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let plan = plan(text).unwrap_or_else(|problems| panic!("{problems}"));
        let log = RequestLog::new(tempfile::tempfile().unwrap());
        let outcome = plan.run(Rows::Written(&log), &Watch::default());
        let summary = meshsim_scenarios::analysis::summary::Summary::new(&plan, &outcome);
        let mut folder = Folder::claim(&out, false).unwrap();
        write_comparison(&mut folder, &plan, &outcome, &summary, Some(&log)).unwrap();
        std::fs::read_to_string(out.join(file)).unwrap_or_default()
    };
    let short = SHOP.replace("500s", "20s");
    let requests = written(&short, "requests.csv");
    assert!(
        requests.starts_with("strategy,replication,population,request,number,arrival_s"),
        "{requests:.99}"
    );
    assert!(requests.contains("as it is,0,north,buy,"), "{requests:.999}");
    let metrics = written(&short, "metrics.csv");
    for row in ["latency_ms.mean,ms,,,,,,buy,,,", "requests.offered,requests,,,,,north,browse,,,"] {
        assert!(metrics.contains(row), "{row}: {metrics}");
    }
    assert!(written(&short, "request_histogram.csv").contains("cloud only,browse,"));
    assert!(requests.lines().next().unwrap().ends_with(",call_tree"), "{requests:.199}");
    let again = with_retries("retries = { attempts = 3 }").replace("500s", "20s");
    let attempts = written(&again, "requests.csv");
    assert!(attempts.lines().next().unwrap().ends_with(",call_tree,attempts"), "{attempts:.199}");
    let most =
        attempts.lines().skip(1).map(|it| it.rsplit_once(',').unwrap().1.parse::<u32>().unwrap()).max();
    assert_eq!(most, Some(4));
    assert!(written(&again, "metrics.csv").contains("requests.attempts,requests,,,,,south,,,,"));
    let one_kind = short.replace("requests = { browse = 80, buy = 20 }", "requests = { browse = 80 }");
    assert!(written(&one_kind, "requests.csv").starts_with("strategy,replication,population,number,"));
    assert!(!written(&one_kind, "metrics.csv").contains(",browse,"));
    assert_eq!(written(&one_kind, "request_histogram.csv"), "");
}

/// The south has everything near under both strategies, so that common random numbers leave it as it is but for the queues
/// that the north shares; a table of the north's own has its difference, and the sentence says for whom it holds.
#[test]
fn the_verdict_says_for_whom_it_holds() {
    let summary = summary(&shop());
    let of_north = summary.difference_for("north", "cloud only", "as it is").unwrap();
    let found = summary.strategies[1].users["north"].latency_ms.mean.value
        - summary.strategies[0].users["north"].latency_ms.mean.value;
    // Replications count alike in the one, requests in the other.
    assert!((of_north.value - found).abs() < 0.2 && found < -1.0, "{} and {found}", of_north.value);
    assert!(summary.difference_for("west", "cloud only", "as it is").is_none());
    let text = meshsim_scenarios::analysis::verdict::verdict(&summary);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("`cloud only` is fastest: "), "{text}");
    assert!(lines[1].starts_with("`cloud only` is fastest for north; for south "), "{text}");
}

#[test]
fn a_server_of_ones_own_keeps_connections_for_longer_than_that_of_a_work_model() {
    let plan = shop();
    assert_eq!(plan.strategies[0].description.cell.keep_alive, SimDuration::from_secs(75));
}

/// What is said if `old` in the good scenario becomes `new`.
fn said(old: &str, new: &str) -> String {
    assert!(SHOP.contains(old), "{old}");
    match plan(&SHOP.replacen(old, new, 1)) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn wrong_inputs_are_said_with_what_would_be_right() {
    let cases = [
        (
            "\"stock.list\", \"ads\"",
            "\"stok.list\", \"ads\"",
            "shop.toml:29:27: there is no service `stok` (did you mean `stock`?)",
        ),
        (
            "\"stock.list\", \"ads\"",
            "\"stock.lst\", \"ads\"",
            "there is no endpoint of `stock`: `lst` (did you mean `list`?)",
        ),
        ("\"stock.list\", \"ads\"", "\"stock\", \"ads\"", "`stock` has 2 endpoints (say which: list, take)"),
        (
            "\"stock.list\", \"ads\"",
            "{ in_parallel = [\"ads\"] }",
            "in_parallel lists calls and lists of calls",
        ),
        (
            "{ in_parallel = [\"stock.list\", \"ads\"] }",
            "[\"stock.list\", \"ads\"]",
            "a list of calls in a list of calls",
        ),
        ("{ in_parallel = [", "{ count = 2, in_parallel = [", "count has no effect beside in_parallel"),
        ("{ in_parallel = [", "{ in_paralel = [", "unknown key `in_paralel` (did you mean `in_parallel`?)"),
        ("endpoint = \"take\", ", "", "`stock` has 2 endpoints (say which: list, take)"),
        ("service = \"stock\", ", "", "the call names no service"),
        ("probability = 0.5", "probability = 1.5", "1.5 is not a probability (it is 0 to 1)"),
        ("probability = 0.5", "probability = \"half\"", "a number is expected, not the text \"half\""),
        ("count = 2", "count = 0", "count 0 is out of range (it is 1 to 1000)"),
        ("count = 2", "count = 2.5", "a whole number is expected, not the number `2.5`"),
        ("calls = [\"stock.list\", {", "calls = [7, {", "a call, as in \"cart.add\""),
        ("request_size = \"2kB\"", "request_size = \"2\"", "is not a size"),
        (
            "request_size = \"2kB\"",
            "request_size = \"2GB\"",
            "request_size of 2000000000 bytes is out of range",
        ),
        ("mean = \"4kB\"", "mean = \"0kB\"", "mean 0B is out of range (it is more than 0B)"),
        ("mean = \"4kB\"", "cv = 0.5", "the law has no mean (write mean = \"20kB\")"),
        (
            "law = \"exponential\"",
            "law = \"exponentiel\"",
            "unknown value `exponentiel` (did you mean `exponential`?)",
        ),
        ("wait = \"3ms\"", "wait = \"3\"", "`3` is not a duration"),
        ("wait = \"3ms\"", "wait = 3", "a text in quotes for what is always the same, or a table"),
        ("wait = \"3ms\"", "wait = \"2h\"", "wait 2h is out of range (it is at most 1h)"),
        ("wait = \"3ms\"", "sleep = \"3ms\"", "unknown key `sleep`"),
        (
            "[services.front]\nservice_time = \"1ms\"\n",
            "",
            "nothing says what CPU time `browse` takes (write service_time",
        ),
        (
            "[services.ads]\nservice_time = \"7ms\"\n",
            "[services.ads]\n",
            "nothing says what CPU time `default` takes",
        ),
        (
            "[services.stock]\n",
            "[services.stock]\nservice_time = \"1ms\"\n",
            "no endpoint of `stock` follows this: each has a service_time of its own",
        ),
        (
            "threads = 8\n[services.stock.endpoints.list]\nservice_time = \"1ms\"\nwait = \"3ms\"\n[services.stock.endpoints.take]\n",
            "wait = \"1ms\"\n[services.stock.endpoints.list]\nservice_time = \"1ms\"\nwait = \"3ms\"\n[services.stock.endpoints.take]\nwait = \"2ms\"\n",
            "no endpoint of `stock` follows this: each has a wait of its own",
        ),
        ("workers = 2", "workers = 0", "workers 0 is out of range (it is 1 to 1000)"),
        ("threads = 8", "threads = 10001", "threads 10001 is out of range (it is 1 to 10000)"),
        (
            "endpoints.take]",
            "endpoints.\"take.it\"]",
            "an endpoint is named `take.it` (a point stands between",
        ),
        (
            "requests = { browse = 80, buy = 20 }",
            "requests = { browse = 80, by = 20 }",
            "there is no endpoint of `front`: `by` (did you mean `buy`?)",
        ),
        (
            "requests = { browse = 80, buy = 20 }",
            "requests = { browse = 0, buy = 0 }",
            "all requests have the weight 0",
        ),
        ("requests = { browse = 80, buy = 20 }", "requests = { browse = -1, buy = 2 }", "-1 is not a weight"),
        ("requests = { browse = 80, buy = 20 }", "", "`front` has 2 endpoints (say which: browse, buy)"),
        (
            "requests = { browse = 80, buy = 20 }",
            "requests = { \"stock.list\" = 1 }",
            "the users request nothing of this service",
        ),
        ("requests = { \"front.browse\" = 1 }", "", "nothing says what the users request"),
        (
            "requests = { \"front.browse\" = 1 }",
            "requests = { \"front.\" = 1 }",
            "there is no endpoint of `front`: ``",
        ),
        (
            "[services.stock]\n",
            "[services.stock]\nprotocol = \"tcp\"\n[users.east]\ncluster = \"edge\"\nrate = \"1/s\"\nrequests = { \"stock.list\" = 1 }\n[services.stock.x]\n",
            "unknown key `x`",
        ),
        (
            "[gateway]",
            "[cell]\nrequest = \"1ms\"\n[gateway]",
            "cell.request is of the services of a work model, and there is none",
        ),
        (
            "[gateway]",
            "[cell]\nspeed_spread = 0.1\n[gateway]",
            "cell.speed_spread is of the services of a work model",
        ),
        (
            "services = [\"front\", \"stock\", \"ads\"]",
            "services = [\"front\", \"ads\"]",
            "service `stock` is called but runs in no cluster",
        ),
        (
            "calls = [\"stock.list\", {",
            "calls = [\"front.buy\", \"stock.list\", {",
            "the calls front -> front feed themselves",
        ),
    ];
    let of_users = [
        ("retries = { }", "the key `attempts` is missing"),
        ("retries = { attempts = 0 }", "attempts 0 is out of range (it is 1 to 100)"),
        ("retries = { attempts = 2, backoff = \"1\" }", "`1` is not a duration"),
        (
            "retries = { attempts = 2, backoff = \"2s\", backoff_max = \"1s\" }",
            "backoff_max 1s is below the backoff of 2s",
        ),
        (
            "retries = { attempts = 1, backoff_max = \"1s\" }",
            "backoff_max has no effect on one further attempt",
        ),
        (
            "retries = { attempts = 1, backoff = \"0s\", jitter = 0.5 }",
            "jitter has no effect without a pause",
        ),
        ("retries = { attempts = 1, jitter = 2 }", "2 is not a share of a pause (it is 0 to 1)"),
        ("retries = { attempts = 1, on = [] }", "users try again after no failure"),
        (
            "retries = { attempts = 1, on = [\"timeout\"] }",
            "these users have no timeout after which they could try",
        ),
        ("retries = { attempts = 1, on = [\"5x\"] }", "`5x` is no failure of a request (it is \"timeout\""),
        ("retries = { attempts = 1, on = [200] }", "`200` is no failure of a request"),
        ("retries = { attempt = 1 }", "unknown key `attempt` (did you mean `attempts`?)"),
    ];
    let of_users = of_users.map(|(line, said)| (format!("rate = \"2/s\"\n{line}"), said));
    let of_users = of_users.iter().map(|(new, said)| ("rate = \"2/s\"", new.as_str(), *said));
    let cases: Vec<(&str, &str, &str)> = cases.into_iter().chain(of_users).collect();
    let wrong = cases.iter().filter_map(|(old, new, expected)| {
        let said = said(old, new);
        let is_placed = said.starts_with("shop.toml:") || said.contains("runs in no cluster");
        (!is_placed || !said.contains(expected)).then(|| format!("{new}: {said}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A journey in place of the north's requests, with these steps.
fn with_journey(steps: &str) -> String {
    SHOP.replace("requests = { browse = 80, buy = 20 }\nrate = \"4/s\"", steps)
}

#[test]
fn users_make_journeys() {
    let closed = "users = 8\narrivals = \"closed-loop\"\n";
    let chain = "journey = [{ request = \"browse\", think_time = \"1s\", next = { browse = 3, buy = 1 } }, \
                 { request = \"buy\", think_time = \"3s\" }]";
    let plan =
        plan(&with_journey(&format!("{closed}{chain}"))).unwrap_or_else(|problems| panic!("{problems}"));
    let north = &plan.strategies[0].description.populations[0];
    let shares: Vec<f64> = north.requests.shares().map(|(_, share)| share).collect();
    assert!((shares[0] - 0.8).abs() < 1e-9 && (shares[1] - 0.2).abs() < 1e-9, "{shares:?}");
    let thinks = north.arrivals.think(None, meshsim_core::random::Address::root(1, 0), false);
    assert!(thinks > SimDuration::ZERO);
    assert!(format!("{:?}", north.arrivals).contains("1400000000"), "{:?}", north.arrivals);
    let summary = summary(&plan);
    let kinds = &summary.strategies[0].users["north"].request_kinds;
    let [browse, buy] = ["browse", "buy"].map(|kind| kinds[kind].requests.offered as f64);
    assert!((buy / (browse + buy) - 0.2).abs() < 0.02, "{browse} and {buy}");
    // 8 users over twice 500 s, who think 1.4 s in the mean and wait some 30 ms.
    assert!((browse + buy - 8.0 * 1_000.0 / 1.435).abs() < 300.0, "{browse} and {buy}");
    let in_open_loop = "rate = \"4/s\"\njourney = [{ request = \"browse\" }, { request = \"browse\" }, { request = \"buy\" }]";
    let plan = self::plan(&with_journey(in_open_loop)).unwrap_or_else(|problems| panic!("{problems}"));
    let shares: Vec<f64> =
        plan.strategies[0].description.populations[0].requests.shares().map(|it| it.1).collect();
    assert!((shares[0] - 2.0 / 3.0).abs() < 1e-9, "{shares:?}");
}

#[test]
fn wrong_journeys_are_said() {
    let closed = "users = 8\narrivals = \"closed-loop\"\n";
    for (steps, expected) in [
        (
            "journey = [{ request = \"browse\", think_time = \"1s\" }, { request = \"buy\" }]",
            "the users `north` are a closed loop without a think_time",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"browse\", think_time = \"1s\" }]",
            "each step of the journey has a think_time of its own",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"brows\" }]",
            "there is no endpoint of `front`: `brows` (did you mean `browse`?)",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"browse\", next = { by = 1 } }, { request = \"buy\" }]",
            "there is no step `by` (did you mean `buy`?)",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"browse\", next = { browse = 1 } }, { request = \"buy\" }]",
            "no user ever comes to the step `buy`",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"browse\", next = { buy = 0 } }, { request = \"buy\" }]",
            "no step follows this one",
        ),
        (
            "think_time = \"1s\"\njourney = [{ request = \"browse\", next = { buy = 1 } }, { request = \"buy\" }, { request = \"buy\" }]",
            "several steps are named `buy` (give each a name of its own",
        ),
        ("think_time = \"1s\"\njourney = [{ name = \"a\" }]", "the key `request` is missing"),
        (
            "think_time = \"1s\"\nrequests = { buy = 1 }\njourney = [{ request = \"browse\" }]",
            "the users have requests and a journey",
        ),
    ] {
        let said = plan(&with_journey(&format!("{closed}{steps}")))
            .err()
            .map_or_else(String::new, |it| it.to_string());
        assert!(said.starts_with("shop.toml:") && said.contains(expected), "{steps}: {said}");
    }
    let open = "rate = \"4/s\"\njourney = [{ request = \"browse\", think_time = \"1s\" }]";
    let said = plan(&with_journey(open)).err().unwrap().to_string();
    assert!(said.contains("an open loop has no think_time"), "{said}");
    let moving =
        "rate = \"4/s\"\njourney = [{ request = \"browse\" }]\nmoves = [{ at = \"1s\", to = \"cloud\" }]";
    let said = plan(&with_journey(moving)).err().unwrap().to_string();
    assert!(said.contains("users who make a journey do not move"), "{said}");
}

#[test]
fn caches_have_something_to_call() {
    let cached = SHOP.replace("wait = \"3ms\"", "wait = \"3ms\"\nhit_ratio = 0.75\ncalls = [\"ads\"]");
    let plan = plan(&cached).unwrap_or_else(|problems| panic!("{problems}"));
    let description = &plan.strategies[0].description;
    let visits =
        description.application.expected_visits(description.populations[0].requests.shares()).unwrap();
    assert!((visits[EndpointId(0)] - 0.8 - 0.25).abs() < 1e-12, "{visits:?}");
    assert!(
        said("wait = \"3ms\"", "hit_ratio = 0.5")
            .contains("`list` calls nobody, whether it has the answer or not")
    );
    assert!(
        said("request_size = \"2kB\"", "hit_ratio = 1.5").contains("1.5 is not a hit ratio (it is 0 to 1)")
    );
}

/// The ads are another company's, who answers in 17 ms wherever it is called from.
#[test]
fn a_service_outside_the_clusters_is_as_near_to_each_of_them() {
    let outside = SHOP
        .replace("[services.ads]\nservice_time = \"7ms\"", "[services.ads]\nexternal = true\nwait = \"17ms\"")
        .replace(", \"ads\"]\nlocal_delay", "]\nlocal_delay");
    let summary = summary(&plan(&outside).unwrap_or_else(|problems| panic!("{problems}")));
    let [as_it_is, cloud_only] = [0, 1].map(|index| &summary.strategies[index]);
    let browse = |it: &meshsim_scenarios::analysis::summary::Strategy, users: &str| {
        it.users[users].request_kinds["browse"].latency_ms.p50.value
    };
    // From the edge, the stock is farther away than the ads; in the cloud, the ads take longer.
    for (found, expected) in [
        (browse(as_it_is, "north"), 1.0 + 24.0),
        (browse(cloud_only, "north"), 20.0 + 1.0 + 17.0),
        (browse(as_it_is, "south"), 1.0 + 17.0),
    ] {
        assert!((found - expected).abs() < 0.02 * expected + 0.1, "{found} ms, expected {expected}");
    }
    // Who calls it is served beside itself.
    let share = as_it_is.served["ads"]["edge"];
    assert!((share - 3.2 / 5.2).abs() < 0.05, "{share}");
    assert_eq!(cloud_only.served["ads"]["edge"], 0.0);
    assert!(as_it_is.served_per_second["ads"]["edge"] > 2.5);
    // It costs no CPU of the clusters but its callers' sidecars'.
    let none_failed = |it: &meshsim_scenarios::analysis::summary::Strategy| it.requests.failed.is_empty();
    assert!(none_failed(as_it_is) && none_failed(cloud_only));
    for plane in ["none", "ambient"] {
        let text = outside.replace("mtls = false", &format!("mtls = false\ndata_plane = \"{plane}\""));
        let summary = support::summary(&plan(&text).unwrap_or_else(|problems| panic!("{plane}: {problems}")));
        // Whoever carries them, a call goes to the endpoint beside its caller.
        let crossings = summary.strategies[1].figure("crossings_per_request").unwrap().value;
        assert!((crossings - 4.0 / 6.0).abs() < 0.05, "{plane}: {crossings}");
    }
}

#[test]
fn what_is_outside_has_nothing_inside() {
    let outside = |rest: &str| {
        let text = SHOP.replace(
            "[services.ads]\nservice_time = \"7ms\"",
            &format!("[services.ads]\nexternal = true\n{rest}"),
        );
        plan(&text).err().map_or_else(String::new, |it| it.to_string())
    };
    assert!(
        outside("wait = \"7ms\"")
            .contains("`ads` is outside the clusters (take it out, or its external = true")
    );
    let listed = SHOP.replace(", \"ads\"]\nlocal_delay", "]\nlocal_delay");
    for (rest, expected) in [
        ("", "nothing says how long `default` takes (write wait = \"120ms\""),
        (
            "wait = \"7ms\"\nservice_time = \"1ms\"",
            "`ads` is outside the clusters and has no service_time here",
        ),
        (
            "wait = \"7ms\"\nimage = { name = \"ads\", size = \"10MB\" }",
            "`ads` is outside the clusters and has no image here",
        ),
        (
            "wait = \"7ms\"\nrolling_update = { max_unavailable = 1 }",
            "`ads` is outside the clusters and has no rolling_update here",
        ),
        ("wait = \"7ms\"\npods.pre_stop = \"3s\"", "`ads` is outside the clusters and has no pods here"),
        (
            "wait = \"7ms\"\nresources.requests.cpu = \"500m\"",
            "`ads` is outside the clusters and has no resources here",
        ),
        ("wait = \"7ms\"\nthreads = 2", "`ads` is outside the clusters and has no threads here"),
        ("wait = \"7ms\"\nhpa = { enabled = true }", "`ads` is outside the clusters and has no hpa here"),
        (
            "wait = \"7ms\"\nendpoints.default = { calls = [\"stock.list\"] }",
            "`ads` is outside the clusters and has no calls here",
        ),
        (
            "wait = \"7ms\"\nendpoints.default = { errors = \"1\" }",
            "errors of \"1\" are no share of the requests (write errors = 0.01, or \"1%\")",
        ),
        (
            "wait = \"7ms\"\nendpoints.default = { error_status = 503 }",
            "error_status has no effect without errors",
        ),
        (
            "wait = \"7ms\"\nendpoints.default = { errors = 0.5, error_status = 200 }",
            "error_status 200 is out of range (it is 400 to 599)",
        ),
    ] {
        let text = listed.replace(
            "[services.ads]\nservice_time = \"7ms\"",
            &format!("[services.ads]\nexternal = true\n{rest}"),
        );
        let said = plan(&text).err().map_or_else(String::new, |it| it.to_string());
        assert!(said.starts_with("shop.toml:") && said.contains(expected), "{rest}: {said}");
    }
    let good = listed
        .replace("[services.ads]\nservice_time = \"7ms\"", "[services.ads]\nexternal = true\nwait = \"1ms\"");
    let changed = format!(
        "{good}[[changes]]\nat = \"1s\"\nservice = \"ads\"\ncluster = \"cloud\"\nkind = \"rollout\"\n"
    );
    assert!(
        plan(&changed)
            .err()
            .unwrap()
            .to_string()
            .contains("`ads` is outside the clusters (take the change out")
    );
    let entered = listed
        .replace("[services.ads]\nservice_time = \"7ms\"", "[services.ads]\nexternal = true\nwait = \"1ms\"")
        .replace("\"front.browse\" = 1", "ads = 1");
    assert!(
        plan(&entered)
            .err()
            .unwrap()
            .to_string()
            .contains("users request `ads`, which is outside the clusters")
    );
}

/// Half of the calls to the ads fail, and with them half of those who browse.
#[test]
fn errors_of_an_endpoint_come_to_its_callers() {
    let failing = SHOP.replace(
        "[services.ads]\nservice_time = \"7ms\"",
        "[services.ads]\nservice_time = \"7ms\"\nendpoints.show = { errors = \"50%\", error_status = 503 }",
    );
    // Nobody ejects the ads for it.
    let failing = failing.replace("max_ejection_percent = 100", "consecutive_5xx_errors = 1_000_000");
    let summary = summary(&plan(&failing).unwrap_or_else(|problems| panic!("{problems}")));
    let [browse, buy] = ["browse", "buy"].map(|kind| &summary.strategies[0].request_kinds[kind].requests);
    let share = browse.failed["500"] as f64 / browse.offered as f64;
    // Some 5,200 requests: a standard deviation of 0.007.
    assert!((share - 0.5).abs() < 0.035, "{share}");
    assert!(buy.failed.is_empty());
}

/// Half of what is browsed fails at once. The south sends it up to three times again, after 100, 200 and 400 ms: one in 16
/// fails after all, and it sends 1 + 1/2 + 1/4 + 1/8 attempts a request.
fn with_retries(retries: &str) -> String {
    SHOP.replace("[services.front.endpoints.browse]", "[services.front.endpoints.browse]\nerrors = 0.5")
        .replace("max_ejection_percent = 100", "consecutive_5xx_errors = 1_000_000")
        .replace("rate = \"2/s\"", &format!("rate = \"2/s\"\n{retries}"))
}

#[test]
fn users_try_again_and_a_request_fails_once_all_its_attempts_have() {
    let of = |retries: &str| summary(&plan(&with_retries(retries)).unwrap_or_else(|it| panic!("{it}")));
    let [without, with] =
        ["", "retries = { attempts = 3, backoff = \"100ms\", jitter = 0 }"].map(of).map(|it| it.strategies);
    let (before, after) = (&without[0].users["south"], &with[0].users["south"]);
    let share = |it: &UserGroup| it.requests.all_failed() as f64 / it.requests.offered as f64;
    // Some 2,000 requests: standard deviations of 0.011 and 0.005.
    assert!((share(before) - 0.5).abs() < 0.05 && (share(after) - 0.0625).abs() < 0.02, "{}", share(after));
    assert_eq!(before.requests.attempts, None);
    let attempts = after.requests.attempts.unwrap() as f64 / after.requests.offered as f64;
    // A standard deviation of 0.025.
    assert!((attempts - 1.875).abs() < 0.1, "{attempts}");
    // Of the successes 8/15 take one attempt, 4/15 two, 2/15 three, 1/15 four.
    let latency = &after.latency_ms;
    for (found, expected) in [(latency.p50, 8.0), (latency.p90, 308.0), (latency.p95, 708.0)] {
        assert!((found.value - expected).abs() < 10.0, "{} ms, expected {expected}", found.value);
    }
    // The first attempt is the same request as without others: who succeeds at once does so in both, and nobody else is
    // touched.
    for kind in ["browse", "buy"] {
        let of = |it: &UserGroup| it.request_kinds[kind].requests.offered;
        assert_eq!(of(&without[0].users["north"]), of(&with[0].users["north"]));
    }
    assert_eq!(before.requests.offered, after.requests.offered);
    assert_eq!(with[0].users["north"].requests.attempts, Some(with[0].users["north"].requests.offered));
}

/// Which request it is, for what and when, how often it was sent and how it ended.
type Fate = (u32, u32, u32, u64, u8, Option<u16>);

/// Request k is the same one under every strategy, kind by kind, and so are its attempts; who tries again changes nothing
/// of the first.
#[test]
fn attempts_are_the_same_under_every_strategy() {
    let fates = |retries: &str| -> Vec<Vec<Fate>> {
        let plan = plan(&with_retries(retries).replace("500s", "200s")).unwrap_or_else(|it| panic!("{it}"));
        let outcome = plan.run(Rows::Kept, &Watch::default());
        let of = |strategy: usize| {
            let figures = outcome.replications.iter().map(|(_, figures)| &figures[strategy]);
            let rows = figures.flat_map(|it| &it.rows);
            rows.map(|(row, _)| {
                let status = row.end.map(|end| end.status.code());
                (row.population.0, row.number, row.endpoint.0, row.arrival.as_nanos(), row.attempts, status)
            })
            .collect()
        };
        (0..plan.strategies.len()).map(of).collect()
    };
    let with = fates("retries = { attempts = 3 }");
    let ended = |it: &&Fate| it.5.is_some();
    let both = with[0].iter().zip(&with[1]).filter(|(one, other)| ended(one) && ended(other));
    assert!(both.clone().count() > 2_000 && both.clone().any(|(it, _)| it.4 == 4));
    both.for_each(|(one, other)| assert_eq!(one, other));
    let without = fates("");
    for (before, after) in without[0].iter().zip(&with[0]).filter(|(one, other)| ended(one) && ended(other)) {
        assert_eq!(
            (before.0, before.1, before.2, before.3, before.4),
            (after.0, after.1, after.2, after.3, 1)
        );
        assert_eq!(before.5 == Some(200), after.4 == 1 && after.5 == Some(200), "{before:?}, {after:?}");
    }
}

/// An attempt that takes too long is given up; its work is done all the same.
#[test]
fn users_try_again_after_a_timeout_of_each_attempt() {
    let text = SHOP.replace("[services.ads]", "[services.ads]\nwait = \"500ms\"").replace(
        "rate = \"2/s\"",
        "rate = \"2/s\"\ntimeout = \"100ms\"\nretries = { attempts = 2, backoff = \"0s\" }",
    );
    let summary = summary(&plan(&text).unwrap_or_else(|it| panic!("{it}")));
    let south = &summary.strategies[0].users["south"].requests;
    assert_eq!(
        (south.completed, south.failed.keys().map(String::as_str).collect::<Vec<_>>()),
        (0, vec!["0 DC"])
    );
    let ended = south.all_failed();
    assert!(south.attempts.unwrap() >= 3 * ended && ended > 1_000, "{south:?}");
}

/// Calls come independently of each other to a pool of three connections, each with a call of 50 ms in the mean: M/M/3. A
/// call waits with Erlang's probability, 4/9 at 40 requests/s, and then 1/(60 - 40) s.
#[test]
fn calls_wait_for_a_connection_of_their_process_s_pool() {
    let text = |pool: &str, threads: u32| {
        format!(
            "{}\n[services.front]\nservice_time = \"0ms\"\nworkers = 1\nendpoints.load = {{ calls = [\"base\"] }}\n\
             [services.base]\nprotocol = \"tcp\"\nworkers = 1\nthreads = {threads}\nservice_time = \"0ms\"\n\
             wait = {{ law = \"exponential\", mean = \"50ms\" }}\n{pool}\n[users.all]\ncluster = \"edge\"\nservice = \"front\"\n\
             rate = \"40/s\"\naccess = {{ bandwidth = \"1000Gbit/s\" }}\n",
            &SHOP[..SHOP.find("[clusters.cloud]").unwrap()]
                .replace("replications = 2", "replications = 8")
                .replace("services = [\"front\"]", "services = \"all\"")
        )
    };
    let mean = |pool: &str, threads| {
        summary(&plan(&text(pool, threads)).unwrap_or_else(|it| panic!("{it}"))).strategies[0]
            .latency_ms
            .mean
            .value
    };
    let queue = 4.0 / 9.0 / 20.0 * 1e3;
    // Eight replications of 20,000 requests, of 50 and 72 ms.
    for (pool, threads, expected) in
        [("", 1_000, 50.0), ("pool_size = 3", 1_000, 50.0 + queue), ("", 3, 50.0 + queue)]
    {
        let found = mean(pool, threads);
        assert!(
            (found - expected).abs() < 0.03 * expected,
            "{pool}, {threads}: {found} ms, expected {expected}"
        );
    }
    for (pool, said) in [
        ("pool_size = 0", "pool_size 0 is out of range (it is 1 to 100000)"),
        ("protocol = \"grpc\"\npool_size = 2", "pool_size has no effect: calls to `base` share a connection"),
        (
            "[services.front.resources]\n[services.idle]\nservice_time = \"1ms\"\npool_size = 2",
            "no service calls `idle`",
        ),
    ] {
        let text = text(pool, 10).replace("protocol = \"tcp\"\nworkers", "workers");
        let found = plan(&text).err().map_or_else(String::new, |it| it.to_string());
        assert!(found.starts_with("shop.toml:") && found.contains(said), "{pool}: {found}");
    }
}

/// The ads are asked by datagrams over a link that loses a tenth of them: a call is lost with its request or its answer, in 19
/// of 100 cases, and its caller waits for half a second. Over TCP the same link makes calls late, and none fails.
#[test]
fn what_udp_loses_nobody_sends_again() {
    let text = |protocol: &str, more: &str| {
        SHOP.replace("[services.ads]\n", &format!("[services.ads]\nprotocol = \"{protocol}\"\n"))
            .replace("bandwidth = \"100Gbit/s\"", &format!("bandwidth = \"100Gbit/s\"\n{more}"))
            .replace("[clusters.cloud]", "[cell]\nclient_timeout = \"500ms\"\n[clusters.cloud]")
            .replace("services = [\"front\"]", "services = [\"front\", \"stock\"]")
    };
    let run = |protocol, more| summary(&plan(&text(protocol, more)).unwrap_or_else(|it| panic!("{it}")));
    let of_north = |it: &meshsim_scenarios::analysis::summary::Summary| {
        it.strategies[0].users["north"].request_kinds["browse"].clone()
    };
    let failed = |it: &UserGroup| it.requests.all_failed() as f64 / it.requests.offered as f64;
    let (udp, tcp) = (run("udp", "loss = 0.1"), run("tcp", "loss = 0.1"));
    // Some 3,200 requests: a standard deviation of 0.007.
    assert!((failed(&of_north(&udp)) - 0.19).abs() < 0.03, "{}", failed(&of_north(&udp)));
    assert_eq!(failed(&of_north(&tcp)), 0.0);
    assert_eq!(udp.strategies[0].figure("retries_per_request").unwrap().value, 0.0);
    // Proxies know nothing of it.
    let counters = |it: &meshsim_scenarios::analysis::summary::Summary| {
        it.strategies[0].proxy_counters.values().any(|services| {
            services.get("ads").is_some_and(|counters| counters.contains_key("upstream_cx_total"))
        })
    };
    assert!(counters(&tcp) && !counters(&udp), "{:?}", udp.strategies[0].proxy_counters);
    // What is not lost takes a way there and back: no handshake, no proxies.
    let without_loss = of_north(&run("udp", ""));
    assert_eq!(without_loss.requests.all_failed(), 0);
    let expected = 20.0 + 1.0 + 7.0;
    assert!((without_loss.latency_ms.p50.value - expected).abs() < 0.3, "{:?}", without_loss.latency_ms);
    assert!(without_loss.latency_ms.p99.value < expected + 10.0, "{:?}", without_loss.latency_ms);
    for (line, said) in [
        ("routes = [{ timeout = \"1s\" }]", "service `ads` speaks udp and has routes"),
        (
            "traffic_policy.load_balancer.simple = \"RANDOM\"",
            "service `ads` speaks udp and has a traffic_policy",
        ),
        ("traffic_distribution = \"PreferClose\"", "service `ads` speaks udp and has a traffic_distribution"),
        ("waypoint = true", "service `ads` speaks udp and has a waypoint"),
        ("pool_size = 3", "service `ads` speaks udp and has a pool_size"),
    ] {
        let text = text("udp", "").replace("protocol = \"udp\"\n", &format!("protocol = \"udp\"\n{line}\n"));
        let found = plan(&text).err().map_or_else(String::new, |it| it.to_string());
        assert!(found.starts_with("shop.toml:") && found.contains(said), "{line}: {found}");
    }
    let entered = text("udp", "").replace("\"front.browse\" = 1", "ads = 1");
    assert!(plan(&entered).err().unwrap().to_string().contains("users request `ads`, which speaks udp"));
    let patient = text("udp", "loss = 0.1").replace("[cell]\nclient_timeout = \"500ms\"\n", "");
    let plan = plan(&patient).unwrap_or_else(|it| panic!("{it}"));
    let warned: Vec<String> = meshsim_scenarios::warnings::before_run(&plan.strategies[0])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        warned.iter().any(|it| it.contains("calls over udp (to ads) whose datagrams are lost never end")),
        "{warned:?}"
    );
}

/// A load of a day, of which the run sees a part: 100 requests/s at 18:00, ten at 19:00.
#[test]
fn loads_follow_the_time_of_day_from_a_table_too() {
    let rates = "time,rate\n00:00,1\n18:00,100\n19:00,10\n";
    let piecewise = |rest: &str| format!("arrivals = {{ type = \"piecewise\", {rest} }}");
    let from_table = piecewise("points_from = \"rates.csv\", between = \"ramps\"");
    let offered = |arrivals: &str, begin_at: &str| -> Result<f64, String> {
        let text = SHOP
            .replace("rate = \"4/s\"", arrivals)
            .replace("warm_up = \"0s\"\n", &format!("warm_up = \"0s\"\n{begin_at}\n"));
        let scenario =
            of_texts(&[("shop.toml", &text), ("rates.csv", rates)], &[]).map_err(|it| it.to_string())?;
        let plan = ComparisonPlan::new(&scenario, &Choice::default()).map_err(|it| it.to_string())?;
        let description = &plan.strategies[0].description;
        Ok(description.populations[0].arrivals.offered_per_second(1, description.end()))
    };
    let at = |begin_at: &str| offered(&from_table, begin_at).unwrap();
    assert!((at("begin_at = \"18:00\"") - (100.0 - 90.0 * 250.0 / 3_600.0)).abs() < 1e-6);
    assert!((at("begin_at = \"23:30\"") - 10.0).abs() < 1e-9);
    assert!(at("") < 3.0);
    let points = piecewise(
        "points = [{ at = \"0s\", rate = \"1/s\" }, { at = \"18h\", rate = \"100/s\" }, { at = \"19h\", rate = \"10/s\" }], between = \"ramps\"",
    );
    assert!((offered(&points, "begin_at = \"18:00\"").unwrap() - at("begin_at = \"18:00\"")).abs() < 1e-9);
    let day = "arrivals = { type = \"diurnal\", mean = \"10/s\", amplitude = 0.5, peak_at = \"18h\" }";
    assert!((offered(day, "begin_at = \"18:00\"").unwrap() - 15.0).abs() < 0.01);
    assert!((offered(day, "begin_at = \"06:00\"").unwrap() - 5.0).abs() < 0.01);
    for (arrivals, begin_at, expected) in [
        ("rate = \"4/s\"", "begin_at = \"18:00\"", "no load follows the time of day"),
        (day, "begin_at = \"6pm\"", "`6pm` is not a time of day: write it as in `18:00` or `18:00:30`"),
        (&piecewise("between = \"ramps\""), "", "arrivals of type \"piecewise\" need points"),
        (&piecewise("points_from = \"rate.csv\""), "", "no text was given for the file `rate.csv`"),
        (&piecewise("points_from = \"rates.csv\", points = []"), "", "the rates have points and points_from"),
    ] {
        let said = offered(arrivals, begin_at).unwrap_err();
        assert!(said.starts_with("shop.toml:") && said.contains(expected), "{said}");
    }
}

/// Objectives after the users of the shop.
fn with_objectives(objectives: &str) -> String {
    SHOP.replace(
        "[[strategy]]\nname = \"as it is\"",
        &format!("{objectives}\n[[strategy]]\nname = \"as it is\""),
    )
}

/// Browsing takes 28 ms in the north and 8 ms in the south, buying some 50 ms, or 30 ms where all is in the cloud.
#[test]
fn objectives_are_judged_for_whom_they_are() {
    let text = with_objectives(
        "[[objective]]\nusers = \"north\"\nrequest = \"browse\"\nfigure = \"p50\"\nbelow = \"20ms\"\n\
         [[objective]]\nusers = \"south\"\nfigure = \"p50\"\nbelow = \"20ms\"\n\
         [[objective]]\nrequest = \"buy\"\nfigure = \"mean\"\nbelow = \"40ms\"\n\
         [[objective]]\nfigure = \"p50\"\nbelow = \"30ms\"\n\
         [[objective]]\nfigure = \"failures\"\nbelow = \"1%\"\n\
         [[objective]]\nusers = \"north\"\nfigure = \"availability\"\nabove = 0.999",
    );
    let summary = summary(&plan(&text).unwrap_or_else(|problems| panic!("{problems}")));
    let [as_it_is, cloud_only] = [0, 1].map(|index| &summary.strategies[index].objectives);
    let holds = |judged: &Vec<meshsim_scenarios::analysis::objectives::Judged>| -> Vec<(bool, f64)> {
        judged.iter().map(|it| (it.holds, it.probability)).collect()
    };
    let (yes, no) = ((true, 1.0), (false, 0.0));
    assert_eq!(holds(as_it_is), [no, yes, no, yes, yes, yes], "{as_it_is:?}");
    assert_eq!(holds(cloud_only), [no, yes, yes, yes, yes, yes], "{cloud_only:?}");
    assert!(!summary.objectives_hold());
    assert_eq!(as_it_is[0].name(), "north, browse: p50");
    assert_eq!(as_it_is[3].value.value, summary.strategies[0].latency_ms.p50.value);
    assert_eq!(
        as_it_is[0].value.value,
        summary.strategies[0].users["north"].request_kinds["browse"].latency_ms.p50.value
    );
    let sentence = meshsim_scenarios::analysis::verdict::about_objectives(&summary);
    let expected =
        "All objectives hold under no strategy: `cloud only` misses 1 of 6 (`north, browse: p50`).";
    assert_eq!(sentence, expected);
}

/// A page's advertisements are served in the cloud alone, which asks nothing of the edge.
#[test]
fn any_figure_can_be_bounded() {
    let text = with_objectives(
        "[[objective]]\nfigure = \"served\"\nservice = \"ads\"\ncluster = \"cloud\"\nabove = \"99%\"\n\
         [[objective]]\nfigure = \"served\"\nservice = \"ads\"\ncluster = \"edge\"\nabove = \"1%\"\n\
         [[objective]]\nfigure = \"sent_per_request\"\ncluster = \"cloud\"\nto_cluster = \"edge\"\nbelow = 0.001\n\
         [[objective]]\nfigure = \"cpu_seconds_per_second\"\ncluster = \"cloud\"\nbelow = 0.001\n\
         [[objective]]\nfigure = \"latency_ms.p50\"\nbelow = \"30ms\"\n\
         [[objective]]\nfigure = \"crossings_per_request\"\nabove = 0.5",
    );
    let summary = summary(&plan(&text).unwrap_or_else(|problems| panic!("{problems}")));
    let strategy = &summary.strategies[0];
    let judged = &strategy.objectives;
    let holds: Vec<(bool, f64)> = judged.iter().map(|it| (it.holds, it.probability)).collect();
    let (yes, no) = ((true, 1.0), (false, 0.0));
    assert_eq!(holds, [yes, no, yes, no, yes, yes], "{judged:?}");
    let cores = strategy.by_cluster("cpu_seconds_per_second")["cloud"].value;
    assert_eq!((judged[2].value.value, judged[3].value.value), (0.0, cores));
    assert_eq!(judged[0].name(), "cloud, ads: served");
    let json = serde_json::to_value(judged).unwrap();
    assert_eq!((&json[0]["cluster"], &json[0]["above"]), (&"cloud".into(), &true.into()));
    assert!(json[4]["above"].is_null() && json[4]["figure"] == "p50", "as it was before: {json}");
    let rows = strategy.figures.iter().filter(|it| it.figure.name == "objectives.holds");
    assert_eq!(rows.filter(|it| it.labels.contains_key(&Dimension::Cluster)).count(), 4);
}

#[test]
fn wrong_objectives_are_said() {
    for (objective, expected) in [
        ("figure = \"p95\"", "the objective has no bound (write below = \"300ms\")"),
        ("figure = \"p95\"\nabove = \"1s\"", "the bound is on the other side (write below = \"300ms\")"),
        ("figure = \"p95\"\nbelow = 300", "below = 300 is no bound of this figure (write below = \"300ms\")"),
        ("figure = \"p95\"\nbelow = \"300\"", "below = \"300\" is no bound of this figure"),
        ("figure = \"p94\"\nbelow = \"300ms\"", "there is no figure `p94` (did you mean `p90`?)"),
        (
            "figure = \"failures\"\nbelow = \"101%\"",
            "below = \"101%\" is no bound of this figure (write below = \"1%\")",
        ),
        (
            "figure = \"availability\"\nbelow = \"99%\"",
            "the bound is on the other side (write above = \"99.9%\")",
        ),
        (
            "users = \"nort\"\nfigure = \"p95\"\nbelow = \"300ms\"",
            "there is no group of users `nort` (did you mean `north`?)",
        ),
        (
            "users = \"south\"\nrequest = \"buy\"\nfigure = \"p95\"\nbelow = \"300ms\"",
            "there is no kind of request `buy` (declared: browse)",
        ),
        (
            "figure = \"p95\"\ncluster = \"west\"\nbelow = \"300ms\"",
            "values of `p95` are not told apart by `cluster` (they are by application, users, request)",
        ),
        (
            "figure = \"requests.failed\"\nbelow = 3",
            "`requests.failed` cannot be bounded (it grows with the length",
        ),
        (
            "figure = \"served\"\nservice = \"ads\"\nabove = \"1%\"",
            "`served` has a value of each cluster (say of which",
        ),
        (
            "figure = \"crossings_per_request\"\nusers = \"north\"\nbelow = 1",
            "values of `crossings_per_request` are not told apart by `users` (it has one value: take `users` out)",
        ),
        (
            "figure = \"gateway_cpu_seconds_per_second\"\ncluster = \"edge\"\nbelow = 1",
            "`gateway_cpu_seconds_per_second` has no such value in this scenario",
        ),
        ("figure = \"crossings_per_request\"\nbelow = 1\nabove = 0", "the objective has two bounds"),
        ("below = \"300ms\"", "the key `figure` is missing"),
    ] {
        let said = plan(&with_objectives(&format!("[[objective]]\n{objective}"))).err();
        let said = said.map_or_else(String::new, |it| it.to_string());
        assert!(said.starts_with("shop.toml:") && said.contains(expected), "{objective}: {said}");
    }
}

#[test]
fn what_a_work_model_says_is_not_said_again() {
    let scenario = "[application]\nworkmodel = \"library:two-services.workmodel.json\"\n[clusters.a]\nnodes = [{ cores = \"4\" }]\n\
                    services = \"all\"\n[users.a]\ncluster = \"a\"\nservice = \"front\"\nrate = \"1/s\"\n[services.front]\n";
    for (key, name) in [
        ("endpoints.x = { service_time = \"1ms\" }", "endpoints"),
        ("workers = 2", "workers"),
        ("threads = 2", "threads"),
    ] {
        let text = format!("{scenario}{key}\n");
        let said = plan(&text).err().unwrap().to_string();
        assert!(said.starts_with("shop.toml:11:"), "{said}");
        assert!(said.contains(&format!("the work model says the {name} of services")), "{said}");
    }
    let without = "[clusters.a]\nnodes = [{ cores = \"4\" }]\nservices = \"all\"\n[users.a]\ncluster = \"a\"\nservice = \"x\"\nrate = \"1/s\"\n";
    let said = plan(without).err().unwrap().to_string();
    assert!(said.contains("the scenario has no application (write what its services do:"), "{said}");
}

/// The shop beside a work model of two services, of which one has a name of the shop's.
fn two_applications() -> String {
    SHOP.replace(
        "[services.front]\n",
        "[applications.shop]\nservices = [\"front\", \"stock\", \"ads\"]\n[applications.sensors]\n\
         workmodel = \"sensors.json\"\ncpu_limit = \"500m\"\n[services.front]\n",
    )
    .replace("services = [\"front\", \"stock\", \"ads\"]\nlocal", "services = \"all\"\nlocal")
    .replace(
        "[users.south]",
        "[users.things]\ncluster = \"edge\"\nservice = \"front.sensors\"\nrate = \"3/s\"\n\
         access = { bandwidth = \"1000Gbit/s\" }\n[users.south]",
    )
}

const SENSORS: &str = r#"{
  "front": {"external_services": [{"services": ["store"]}], "internal_service": {"loader": {"sleep_stress": {"run": false}}}},
  "store": {"internal_service": {"loader": {"sleep_stress": {"run": true, "sleep_time": 0.05}}}}
}"#;

fn plan_of_two(text: &str) -> Result<ComparisonPlan, Problems> {
    ComparisonPlan::new(
        &of_texts(&[("shop.toml", text), ("sensors.json", SENSORS)], &[])?,
        &Choice::default(),
    )
}

#[test]
fn several_applications_are_told_apart() {
    let plan = plan_of_two(&two_applications()).unwrap_or_else(|problems| panic!("{problems}"));
    let application = &plan.strategies[0].description.application;
    let of = |it: &meshsim_models::application::call_graph::Service| {
        format!(
            "{} {} {:?}",
            it.name,
            application.tenants[usize::from(it.tenant)],
            it.cpu_limit.map(|it| it.0)
        )
    };
    let services: Vec<String> = application.services.iter().map(of).collect();
    let expected = [
        "front.sensors sensors Some(0.5)",
        "store sensors Some(0.5)",
        "ads shop None",
        "front shop None",
        "stock shop None",
    ];
    assert_eq!(services, expected);
    let summary = summary(&plan);
    let strategy = &summary.strategies[0];
    let [of_shop, sensors] = ["shop", "sensors"].map(|name| &strategy.applications[name]);
    let offered = |it: &UserGroup| it.requests.offered;
    assert_eq!(offered(of_shop) + offered(sensors), strategy.requests.offered);
    assert_eq!(offered(sensors), offered(&strategy.users["things"]));
    assert_eq!(sensors.latency_ms.p50.value, strategy.users["things"].latency_ms.p50.value);
    // The calls of a work model stay with its own services: one way to the cloud and back, and the sleep.
    assert!(sensors.latency_ms.p50.value > 70.0 && of_shop.latency_ms.p50.value < 40.0, "{strategy:?}");
    assert_eq!(strategy.served["store"]["cloud"], 1.0);
    // The shop alone is what it was without the other application, but for the CPU that they share.
    let alone = self::summary(&shop());
    assert_eq!(offered(&alone.strategies[0].users["north"]), offered(&strategy.users["north"]));
}

/// Where gateways take nothing, what all pods take is what the pods of the applications take; and each takes what it would take
/// without the other.
#[test]
fn each_application_has_its_cpu_time() {
    let free = |text: &str| {
        let cost = "cost = { cpu = \"0us\", cpu_per_kb = \"0us\", request";
        text.replace("cost = { request", cost).replace("warm_up = \"0s\"", "warm_up = \"100s\"")
    };
    let summary = summary(&plan_of_two(&free(&two_applications())).unwrap_or_else(|it| panic!("{it}")));
    let strategy = &summary.strategies[0];
    let of =
        |name: &str| strategy.by("application_cpu_seconds_per_second", Dimension::Application)[name].value;
    let sidecars = |name: &str| {
        strategy.by("application_sidecar_cpu_seconds_per_second", Dimension::Application)[name].value
    };
    let all = |values: &BTreeMap<&str, Value>| values.values().map(|it| it.value).sum::<f64>();
    let is_near = |one: f64, other: f64| (one / other - 1.0).abs() < 2e-3;
    let cpu = all(&strategy.by_cluster("cpu_seconds_per_second"));
    assert!(is_near(of("shop") + of("sensors"), cpu), "{} and {}, not {cpu}", of("shop"), of("sensors"));
    let proxies = all(&strategy.by_cluster("proxy_cpu_seconds_per_second"));
    assert!(is_near(sidecars("shop") + sidecars("sensors"), proxies), "{proxies}");
    assert!(of("sensors") > sidecars("sensors") && sidecars("sensors") > 0.0);
    let alone = self::summary(&plan(&free(SHOP)).unwrap_or_else(|it| panic!("{it}")));
    let alone = &alone.strategies[0];
    assert!(
        alone.by("application_cpu_seconds_per_second", Dimension::Application).is_empty(),
        "there is one"
    );
    let cpu = all(&alone.by_cluster("cpu_seconds_per_second"));
    assert!(is_near(of("shop"), cpu), "{}, and {cpu} alone", of("shop"));
}

#[test]
fn an_objective_may_be_an_application_s() {
    let objective = "[[objective]]\napplication = \"sensors\"\nfigure = \"p50\"\nbelow = \"50ms\"\n\
                     [[objective]]\napplication = \"shop\"\nfigure = \"p50\"\nbelow = \"50ms\"\n";
    let text = two_applications() + objective;
    let summary = summary(&plan_of_two(&text).unwrap_or_else(|problems| panic!("{problems}")));
    let judged = &summary.strategies[0].objectives;
    assert_eq!(judged.iter().map(|it| it.holds).collect::<Vec<_>>(), [false, true]);
    assert_eq!(judged[0].name(), "sensors: p50");
}

#[test]
fn wrong_applications_are_said() {
    let good = two_applications();
    for (old, new, expected) in [
        (
            "services = [\"front\", \"stock\", \"ads\"]\n[app",
            "services = [\"front\", \"stock\"]\n[app",
            "`ads` belongs to no application",
        ),
        (
            "\"stock\", \"ads\"]\n[app",
            "\"stock\", \"ads\", \"adds\"]\n[app",
            "there is no service `adds` (did you mean `ads`?)",
        ),
        ("\"stock\", \"ads\"]\n[app", "\"stock\", \"ads\", \"ads\"]\n[app", "`ads` is listed twice"),
        (
            "workmodel = \"sensors.json\"",
            "workmodel = \"sensor.json\"",
            "no text was given for the file `sensor.json`",
        ),
        ("workmodel = \"sensors.json\"\n", "", "nothing says what `sensors` is made of"),
        (
            "workmodel = \"sensors.json\"\n",
            "workmodel = \"sensors.json\"\nservices = [\"front\"]\n",
            "`sensors` has a work model and services",
        ),
        ("[applications.sensors]", "[applications.\"a.b\"]", "an application is named `a.b`"),
        ("cpu_limit = \"500m\"", "cpu_limit = \"500u\"", "`500u` is not"),
        ("cpu_limit = \"500m\"", "cpulimit = \"500m\"", "unknown key `cpulimit` (did you mean `cpu_limit`?)"),
        (
            "service = \"front.sensors\"",
            "service = \"front.sensor\"",
            "there is no service `front.sensor` (did you mean `front.sensors`?)",
        ),
        (
            "[applications.shop]",
            "[application]\nworkmodel = \"sensors.json\"\n[applications.shop]",
            "there are several applications, and this is none of them",
        ),
        (
            "[users.south]",
            "[[objective]]\napplication = \"sensor\"\nfigure = \"p50\"\nbelow = \"1s\"\n[users.south]",
            "there is no application `sensor` (did you mean `sensors`?)",
        ),
        (
            "[users.south]",
            "[[objective]]\napplication = \"shop\"\nusers = \"north\"\nfigure = \"p50\"\nbelow = \"1s\"\n[users.south]",
            "an objective of an application and of some requests of it",
        ),
    ] {
        assert!(good.contains(old), "{old}");
        let said =
            plan_of_two(&good.replacen(old, new, 1)).err().map_or_else(String::new, |it| it.to_string());
        assert!(said.contains(expected), "{new}: {said}");
    }
}
