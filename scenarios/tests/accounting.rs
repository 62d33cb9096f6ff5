//! What is told per user request is what was done, and samples sum to it.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::link_traffic::LinkBytes;
use meshsim_scenarios::analysis::summary::{Strategy, Summary};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::warnings::before_runs;
use std::collections::BTreeSet;
use support::of_texts;

const WORKMODEL: &str = r#"{
  "work": {"internal_service": {"loader": {"mean_response_size": 2}}, "workers": 4, "threads": 64},
  "copy": {"internal_service": {"loader": {"mean_response_size": 2}}, "workers": 4, "threads": 64}
}"#;

/// 8 ms of CPU a call, exponential; two pods at the edge, one for copies in the cloud.
const SCENARIO: &str = r#"[run]
duration = "407s"
warm_up = "0s"
replications = 2
time_series = "20s"
[application]
workmodel = "app.json"
[cell]
speed_spread = 0.0
keep_alive = "1000000s"
[clusters.edge]
nodes = [{ cores = "64" }]
services = ["work"]
replicas = { work = 2 }
[clusters.cloud]
nodes = [{ cores = "64" }]
services = ["copy"]
[links.wan]
between = ["edge", "cloud"]
rtt = "30ms"
bandwidth = "1Gbit/s"
[services.work]
service_time = { law = "exponential", mean = "8ms" }
[services.copy]
service_time = { law = "exponential", mean = "8ms" }
[users.edge]
cluster = "edge"
service = "work"
rate = "40/s"
[[strategy]]
name = "plain"
set = {}
[[strategy]]
name = "timeout"
set.services.work.routes = [{ retries = { attempts = 0 }, timeout = "3ms" }]
[[strategy]]
name = "tries"
set.services.work.routes = [{ retries = { attempts = 1, retry_on = "reset,gateway-error", per_try_timeout = "30ms", backoff = "1ms" } }]
[[strategy]]
name = "mirror"
set.services.work.routes = [{ mirror = { service = "copy", percentage = 25.0 } }]
"#;

fn outcome(rows: Rows<'_>, settings: &[&str]) -> (ComparisonPlan, ComparisonOutcome, Summary) {
    let scenario = of_texts(&[("it.toml", SCENARIO), ("app.json", WORKMODEL)], settings).unwrap();
    let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
    let outcome = plan.run(rows, &Watch::default());
    let summary = Summary::new(&plan, &outcome);
    (plan, outcome, summary)
}

fn served(it: &Strategy) -> f64 {
    it.served_per_second.values().flat_map(|clusters| clusters.values()).sum()
}

fn sum<'a>(values: impl Iterator<Item = &'a meshsim_scenarios::analysis::value::Value>) -> f64 {
    values.map(|it| it.value).sum()
}

/// Calls, CPU and bytes per user request are those of the pods; a request that is given up is none the cheaper.
#[test]
fn per_request_is_what_was_done_over_what_arrived() {
    let (_, _, summary) = outcome(Rows::Dropped, &[]);
    for it in &summary.strategies {
        let per_second = it.requests.offered as f64 / summary.run.simulated_seconds;
        let calls = it.figure("calls_per_request").unwrap().value;
        assert!((calls - served(it) / per_second).abs() < 1e-3 * calls, "{}: {calls} calls", it.name);
        let cells = sum(it.by_cluster("cpu_seconds_per_second").values())
            - sum(it.by_cluster("proxy_cpu_seconds_per_second").values());
        let cpu = it.figure("cpu_demand_ms_per_request").unwrap().value;
        assert!((cpu - cells / per_second * 1e3).abs() < 1e-3 * cpu, "{}: {cpu} ms", it.name);
        // A try that is given up is done all the same, and another one is made.
        let retries = it.figure("retries_per_request").unwrap().value;
        assert_eq!(retries > 0.02, it.name == "tries", "{}: {retries} retries", it.name);
        let right = match it.name.as_str() {
            "tries" => 1.0 + retries,
            "mirror" => 1.25,
            _ => 1.0,
        };
        assert!((calls - right).abs() < 0.02, "{}: {calls} calls, not {right}", it.name);
        assert!((cpu / calls - 8.0).abs() < 0.3, "{}: {cpu} ms of CPU for {calls} calls", it.name);
        let crossings = it.figure("crossings_per_request").unwrap().value;
        let copies = if it.name == "mirror" { 0.25 } else { 0.0 };
        assert!((crossings - copies).abs() < 0.02, "{}: {crossings} crossings", it.name);
        assert!(
            (it.figure("cross_cluster_bytes_per_request.payload").unwrap().value > 0.0) == (copies > 0.0),
            "{}",
            it.name
        );
        let failed: u64 = it.requests.failed.values().sum();
        assert!(it.name != "timeout" || failed > it.requests.offered / 2, "{failed} failed");
    }
}

/// Rows of the request log sum to the same.
#[test]
fn rows_sum_to_the_figures() {
    let (_, outcome, _) = outcome(Rows::Kept, &[]);
    for figures in outcome.replications.iter().flat_map(|(_, figures)| figures) {
        let offered = figures.counts.offered as f64;
        let calls: u64 = figures.rows.iter().map(|(_, work)| work.calls).sum();
        let wire: u64 = figures.rows.iter().map(|(_, work)| work.cross_wire).sum();
        assert_eq!(figures.rows.len() as u64, figures.counts.offered);
        assert!((calls as f64 / offered - figures.calls).abs() < 1e-9);
        assert!((wire as f64 / offered - figures.cross_wire).abs() < 1e-9 * (1.0 + figures.cross_wire));
    }
}

/// 407 s in samples of 20: the last covers 7, and all together are the run.
#[test]
fn samples_sum_to_the_run() {
    let (plan, outcome, _) = outcome(Rows::Dropped, &[]);
    let end = SimTime::ZERO + SimDuration::from_secs(407);
    for figures in outcome.replications.iter().flat_map(|(_, figures)| figures) {
        let users: BTreeSet<SimTime> = figures.user_series.iter().map(|it| it.at).collect();
        let times: Vec<SimTime> = users.iter().copied().collect();
        assert_eq!((times.len(), times.last()), (21, Some(&end)));
        let length = |at: SimTime| if at == end { 7.0 } else { 20.0 };
        for cluster in plan.strategies[0].description.clusters.ids() {
            let series = &figures.series[cluster];
            assert_eq!(series.services.iter().map(|it| it.at).collect::<BTreeSet<_>>(), users);
            assert_eq!(series.links.iter().map(|it| it.at).collect::<BTreeSet<_>>(), users);
        }
        let samples = || figures.series.iter().flat_map(|it| &it.services);
        let served: f64 = samples().map(|it| it.served_per_second * length(it.at)).sum();
        let calls: u64 = figures.served.iter().flatten().flatten().sum();
        assert!((served - calls as f64).abs() < 1e-6 * served, "{served} in samples, {calls} in all");
        let offered: f64 = figures.user_series.iter().map(|it| it.offered_per_second * length(it.at)).sum();
        assert!((offered - figures.counts.offered as f64).abs() < 1e-6 * offered, "{offered} arrived");
    }
}

/// Users of a service that is far and slower than they are patient: the answers that they do wait for took a
/// round trip of 30 ms at least beside their pod's time, and two more for a new connection, though the pods took
/// long for the others.
#[test]
fn crossing_is_the_time_of_those_that_were_waited_for() {
    let far = [
        "users.edge.service=copy",
        "services.copy.service_time={ law = \"exponential\", mean = \"100ms\" }",
        "services.copy.routes=[{ retries = { attempts = 0 }, timeout = \"200ms\" }]",
        "users.edge.rate=10/s",
    ];
    let (_, outcome, _) = outcome(Rows::Dropped, &far);
    for (_, figures) in &outcome.replications {
        let crossing = figures[0].crossing_ms;
        assert!((30.0..95.0).contains(&crossing), "{crossing} ms");
        assert!(figures[0].counts.failed.contains_key("504 UT"));
    }
}

/// 50 requests/s of 10 ms of CPU at the edge, each with a body of 100 kB from the cloud: half a core there, and 5 MB/s.
const COSTS: &str = r#"[run]
duration = "100s"
warm_up = "20s"
replications = 1
[mesh]
data_plane = "none"
[clusters.cloud]
nodes = [{ cores = "4", power = { points = [10, 30, 40] } }, { cores = "4", power = { points = [10, 30, 40] } }]
services = ["data"]
replicas = { data = 3 }
prices = { core_hour = 0.1, gib_hour = 0.01, egress_gb = 0.09, ingress_gb = 0.02 }
[clusters.edge]
nodes = [{ cores = "4", power = { idle = 50, full = 150 } }]
services = ["work"]
prices = { core_hour = 0.2, gib_hour = 0.5, egress_gb = 7, basis = "used" }
carbon_intensity = 400
[links.wan]
between = ["edge", "cloud"]
rtt = "2ms"
bandwidth = "1Gbit/s"
energy_per_gb = 6
[services.work]
service_time = "10ms"
resources = { requests = { cpu = "2", memory = "2Gi" } }
endpoints.get = { calls = ["data"] }
[services.data]
service_time = "2ms"
resources = { requests = { cpu = "500m", memory = "1Gi" } }
endpoints.get = { response_size = "100kB" }
[users.edge]
cluster = "edge"
service = "work"
rate = "50/s"
arrivals = "constant"
"#;

fn costs(settings: &[&str]) -> (Strategy, f64) {
    let scenario = of_texts(&[("it.toml", COSTS)], settings).unwrap();
    let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
    let outcome = plan.run(Rows::Dropped, &Watch::default());
    let bytes: u64 = outcome.replications[0].1[0].links.iter().map(LinkBytes::all).sum();
    (Summary::new(&plan, &outcome).strategies.remove(0), bytes as f64)
}

#[track_caller]
fn about(value: f64, expected: f64, within: f64) {
    assert!((value - expected).abs() <= within * expected.abs(), "{value}, and not {expected}");
}

/// Prices, power and carbon of a known load, by hand.
#[test]
fn what_a_known_load_costs() {
    let (it, bytes) = costs(&[]);
    let of = |name: &str, cluster: &str| it.by_cluster(name)[cluster].value;
    // Three pods of half a core and a GiB; no proxy but the users' gateway at the edge, and bodies of 100 kB that leave.
    about(of("cost_per_hour", "cloud") - of("traffic_cost_per_hour", "cloud"), 3.0 * (0.05 + 0.01), 1e-9);
    about(of("traffic_cost_per_hour", "cloud"), 0.09 * 50.0 * 100e3 * 3600.0 / 1e9, 0.1);
    about(of("traffic_cost_per_hour", "edge"), 7.0 * 50.0 * 500.0 * 3600.0 / 1e9, 0.9);
    // Half a core of work, and what the gateway takes.
    let [cores, proxies] =
        ["cpu_seconds_per_second", "proxy_cpu_seconds_per_second"].map(|name| of(name, "edge"));
    about(cores - proxies, 0.5, 0.03);
    let edge = of("cost_per_hour", "edge") - of("traffic_cost_per_hour", "edge");
    about(edge, 0.2 * cores + 2.0 * 0.5, 1e-6);
    about(of("proxy_cost_per_hour", "edge"), 0.2 * proxies, 1e-6);
    // 50 W, and 100 W times the load of four cores; two nodes of 10 W whose power rises twice as fast at first.
    about(of("power_watts", "edge"), 50.0 + 100.0 * cores / 4.0, 1e-6);
    about(of("proxy_power_watts", "edge"), 100.0 * proxies / 4.0, 1e-6);
    about(
        of("power_watts", "cloud"),
        2.0 * (10.0 + 40.0 * of("cpu_seconds_per_second", "cloud") / 8.0),
        1e-6,
    );
    assert_eq!(it.by_cluster("carbon_g_per_hour").keys().collect::<Vec<_>>(), [&"edge"]);
    about(of("carbon_g_per_hour", "edge"), 0.4 * of("power_watts", "edge"), 1e-9);
    // What the link carried in 100 s; half of its carbon would be the cloud's, of which nothing is said.
    let network = it.figure("network_power_watts").unwrap().value;
    about(network, bytes / 1e9 * 6.0 * 36.0, 1e-9);
    about(it.figure("network_carbon_g_per_hour").unwrap().value, 0.4 * network, 1e-9);
    // 50 requests/s are 0.18 million an hour.
    let sum = |name: &str| it.by_cluster(name).values().map(|it| it.value).sum::<f64>() / 0.18;
    let all = |name: &str| it.figure(name).unwrap().value;
    about(all("cost_per_million_requests"), sum("cost_per_hour"), 1e-3);
    about(all("energy_wh_per_million_requests"), sum("power_watts") + network / 0.18, 1e-3);
    about(all("carbon_g_per_million_requests"), sum("carbon_g_per_hour") + 0.4 * network / 0.18, 1e-3);
}

/// A node and a link whose electricity has 100 g before midnight and 300 g after it, half an hour each.
#[test]
fn carbon_follows_the_hour_of_the_day() {
    let mut hours = vec!["0"; 24];
    (hours[0], hours[23]) = ("300", "100");
    let hours = format!("[{}]", hours.join(", "));
    let edge = format!("clusters.edge.carbon_intensity={hours}");
    let link = format!("links.wan.carbon_intensity={hours}");
    let length = ["run.begin_at=23:29:00", "run.warm_up=60s", "run.duration=1h", "users.edge.rate=2/s"];
    let (it, _) = costs(&[&[edge.as_str(), link.as_str()], &length[..]].concat());
    let of = |name: &str| it.by_cluster(name)["edge"].value;
    about(of("carbon_g_per_hour"), 0.2 * of("power_watts"), 1e-3);
    let network = it.figure("network_power_watts").unwrap().value;
    about(it.figure("network_carbon_g_per_hour").unwrap().value, 0.2 * network, 1e-9);
}

/// What is paid for by requests that nobody makes is free, and `check` says so.
#[test]
fn pods_that_request_nothing_are_said_to_cost_nothing() {
    let said = |settings: &[&str]| {
        let scenario = of_texts(&[("it.toml", COSTS)], settings).unwrap();
        let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
        let all = before_runs(&plan.strategies).iter().map(ToString::to_string).collect::<Vec<_>>();
        all.iter().any(|it| {
            it.contains("`cloud` is paid for by what pods request, and those of data request no CPU")
        })
    };
    assert!(!said(&[]) && said(&["services.data.resources.requests.cpu=\"0\""]));
    assert!(!said(&["services.data.resources.requests.cpu=\"0\"", "clusters.cloud.prices.basis=used"]));
}

/// Where nothing is said of costs there is no figure of them.
#[test]
fn without_prices_nothing_costs() {
    let (_, _, summary) = outcome(Rows::Dropped, &["run.duration=30s"]);
    let names: Vec<&str> = summary.strategies[0].figures.iter().map(|it| it.figure.name).collect();
    assert!(
        names.len() > 10
            && !names.iter().any(|it| it.contains("cost_") || it.contains("carbon") || it.contains("watts"))
    );
}
