//! What is told per user request is what was done, and samples sum to it.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_scenarios::analysis::summary::{Strategy, Summary};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
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
