//! What is said of a service that does not keep up.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::analysis::workloads::CpuBound;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::warnings::{Finding, Warning, after_run};
use support::{of_texts, summary};

/// `front` calls `back`, whose single thread sleeps for 100 ms: ten requests per second are all it can do,
/// and no CPU limit is ever near.
const WORKMODEL: &str = r#"{
  "front": {"internal_service": {"loader": {"sleep_stress": {"run": true, "sleep_time": 0.001}}}, "external_services": [{"services": ["back"]}], "workers": 4, "threads": 256},
  "back": {
    "internal_service": {"loader": {"sleep_stress": {"run": true, "sleep_time": 0.1}}},
    "workers": 1,
    "threads": 1
  }
}"#;

const SCENARIO: &str = r#"[run]
duration = "400s"
warm_up = "100s"
replications = 3
[application]
workmodel = "app.json"
[clusters.edge]
nodes = [{ cores = "16" }]
services = "all"
[users.edge]
cluster = "edge"
service = "front"
"#;

/// What is said after a run at such a rate of the users.
fn warnings(users: &str, settings: &[&str]) -> Vec<Warning> {
    warnings_of(WORKMODEL, users, settings)
}

fn warnings_of(workmodel: &str, users: &str, settings: &[&str]) -> Vec<Warning> {
    let text = format!("{SCENARIO}{users}\n");
    let scenario = of_texts(&[("it.toml", &text), ("app.json", workmodel)], settings).unwrap();
    after_run(&summary(&ComparisonPlan::new(&scenario, &Choice::default()).unwrap()))
}

fn growing(warnings: &[Warning]) -> Vec<(&str, f64, f64)> {
    let growing = warnings.iter().filter_map(|it| match &it.finding {
        Finding::QueueGrows { service, from, to, .. } => Some((service.as_str(), *from, *to)),
        _ => None,
    });
    growing.collect()
}

#[test]
fn a_queue_that_grows_without_any_cpu_is_said_at_its_cause_alone() {
    let said = warnings("rate = \"12/s\"", &[]);
    let [("back", from, to)] = growing(&said)[..] else { panic!("{said:?}") };
    // Beside its sleep a request needs some ms of CPU: 2.0 to 2.6/s more come than go, from the start on. The
    // middle of the second quarter is at 187.5 s, that of the last at 437.5 s.
    assert!(from > 2.0 * 187.5 * 0.85 && from < 2.6 * 187.5 * 1.15, "{said:?}");
    assert!(to > 2.0 * 437.5 * 0.9 && to < 2.6 * 437.5 * 1.1, "{said:?}");
}

#[test]
fn a_queue_that_does_not_grow_is_not_spoken_of() {
    assert!(growing(&warnings("rate = \"8/s\"", &[])).is_empty());
    // A load that rises fills the cells, and more calls are served.
    let rises = "arrivals = { type = \"piecewise\", points = [{ at = \"0s\", rate = \"1/s\" }, { at = \"250s\", rate = \"9/s\" }] }";
    let said = warnings(rises, &[]);
    assert!(growing(&said).is_empty(), "{said:?}");
}

#[test]
fn a_limit_of_cpu_is_said_as_such() {
    let settings = [
        "services.back.service_time={ law = \"deterministic\", mean = \"200ms\" }",
        "services.back.resources={ limits = { cpu = \"500m\" } }",
    ];
    let said = warnings("rate = \"4/s\"", &settings);
    assert_eq!(saturated(&said), [("back", CpuBound::Limit)], "{said:?}");
    assert!(growing(&said).is_empty(), "{said:?}");
}

fn saturated(warnings: &[Warning]) -> Vec<(&str, CpuBound)> {
    let saturated = warnings.iter().filter_map(|it| match &it.finding {
        Finding::Saturated { service, bound, .. } => Some((service.as_str(), *bound)),
        _ => None,
    });
    saturated.collect()
}

/// The same, where nobody sleeps.
const AWAKE: &str = r#"{
  "front": {"internal_service": {"loader": {"mean_response_size": 1}}, "external_services": [{"services": ["back"]}], "workers": 4, "threads": 256},
  "back": {"internal_service": {"loader": {"mean_response_size": 1}}, "workers": 1, "threads": 64}
}"#;

/// `back` has one worker, which needs 50 ms of CPU for a request: 20/s at most, whatever the limit is.
const BUSY: &str = "services.back.service_time={ law = \"deterministic\", mean = \"50ms\" }";

#[test]
fn a_worker_uses_one_core_whatever_the_limit_is() {
    let limit = "services.back.resources={ limits = { cpu = \"4000m\" } }";
    for settings in [&[BUSY][..], &[BUSY, limit]] {
        let said = warnings_of(AWAKE, "rate = \"30/s\"", settings);
        assert_eq!(saturated(&said), [("back", CpuBound::Workers)], "{said:?}");
        let text = said.iter().map(ToString::to_string).find(|it| it.contains("their queues grow")).unwrap();
        assert!(text.contains("worker processes") && !text.contains("cpu_limit"), "{text}");
    }
}

#[test]
fn the_queue_of_a_closed_loop_has_a_bound() {
    let users = "arrivals = \"closed-loop\"\nthink_time = \"500ms\"\nusers = 40";
    let said = warnings_of(AWAKE, users, &[BUSY]);
    assert!(saturated(&said).is_empty() && growing(&said).is_empty(), "{said:?}");
    assert!(!said.iter().any(|it| it.to_string().contains("queues grow")), "{said:?}");
}

/// A closed loop that keeps the worker busy all the time, and an open one beside it.
fn mixed(per_second: u32) -> Vec<Warning> {
    let users = format!(
        "arrivals = \"closed-loop\"\nthink_time = \"100ms\"\nusers = 10\n\
         [users.open]\ncluster = \"edge\"\nservice = \"front\"\nrate = \"{per_second}/s\""
    );
    warnings_of(AWAKE, &users, &[BUSY])
}

#[test]
fn where_open_loops_come_too_a_queue_grows_if_they_alone_are_too_much() {
    let said = mixed(8);
    assert!(saturated(&said).is_empty() && growing(&said).is_empty(), "{said:?}");
    let said = mixed(24);
    assert!(!growing(&said).is_empty(), "{said:?}");
}

/// Nothing changes in the cluster: where its pods may stand, the scheduler says all the same.
#[test]
fn taints_and_selectors_hold_in_every_cluster() {
    let unschedulable = |settings: &[&str]| -> Vec<(String, u32)> {
        let pending = |it: Warning| match it.finding {
            Finding::Unschedulable { service, pods, .. } => Some((service, pods)),
            _ => None,
        };
        warnings("rate = \"1/s\"", settings).into_iter().filter_map(pending).collect()
    };
    assert_eq!(unschedulable(&[]), []);
    // In each of three replications.
    let tainted = "clusters.edge.nodes=[{ cores = \"16\", taints = [\"gpu=yes:NoSchedule\"] }]";
    assert_eq!(unschedulable(&[tainted]), [("back".to_owned(), 3), ("front".to_owned(), 3)]);
    assert_eq!(unschedulable(&[tainted, "services.back.tolerations=[\"gpu\"]"]), [("front".to_owned(), 3)]);
    let selector = "services.back.node_selector={ disk = [\"ssd\"] }";
    assert_eq!(unschedulable(&[selector]), [("back".to_owned(), 3)]);
}

/// `front` has 1,024 threads: when all wait for `back`, the queue stands before `front`.
#[test]
fn a_queue_before_a_caller_whose_threads_all_wait_is_said_there() {
    let said = warnings("rate = \"20/s\"", &["run.warm_up=300s"]);
    let [("front", from, to)] = growing(&said)[..] else { panic!("{said:?}") };
    assert!(from > 1024.0 && to > from, "{said:?}");
}
