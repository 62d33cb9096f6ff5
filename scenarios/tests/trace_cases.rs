//! Conformance of the readers with files as people bring them: each case's folder says what is right.
//!
//! They lie beside the workspace (or where `MESHSIM_SHARED` says) and are no part of the product; without
//! them each test says that it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it skips.

use meshsim_models::ids::EndpointId;
use meshsim_scenarios::calibrate::report::Calibration;
use meshsim_scenarios::calibrate::{CalibrationPlan, Inputs};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::{Options, Trace, read};
use meshsim_scenarios::validate::measured::{Measured, measure};
use meshsim_scenarios::warnings::before_run;
use std::path::{Path, PathBuf};

/// The folder of a case, or nothing where it is missing.
fn case(test: &str, folder: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root =
        std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join("cases/files").join(folder);
    if !root.is_dir() {
        println!("skipped: {test}, for want of {}", root.display());
        return None;
    }
    Some(root)
}

fn strictly(path: &Path) -> Trace {
    read(path, &Options { strict: true, ..Options::default() }).unwrap()
}

fn figures(trace: &Trace) -> Measured {
    measure(trace, 30.0, 100, 1).unwrap()
}

/// Asserts the number of all requests, of failed ones, and the mean and median (ms) of the others.
fn check(path: &Path, [all, failed]: [u64; 2], [mean, median]: [f64; 2]) -> Trace {
    let trace = strictly(path);
    let found = figures(&trace);
    assert_eq!((trace.count(), found.failed), (all, failed), "{}", path.display());
    for (found, right) in [(found.mean.value, mean), (found.p50.value, median)] {
        assert!((found - right).abs() < 1e-6, "{}: {found} instead of {right}", path.display());
    }
    trace
}

fn has_note(trace: &Trace, text: &str) -> bool {
    trace.reading.notes.iter().any(|note| note.contains(text))
}

#[test]
fn logs_of_containers_are_those_of_their_proxies() {
    let Some(folder) = case("logs_of_containers_are_those_of_their_proxies", "envoy-log-prefix") else {
        return;
    };
    for name in ["plain.log", "cri.log", "kubectl-prefix.log", "kubectl-timestamps.log"] {
        check(&folder.join(name), [12, 0], [15.5, 15.5]);
    }
}

#[test]
fn traces_of_jaeger_may_stand_alone() {
    let Some(folder) = case("traces_of_jaeger_may_stand_alone", "jaeger-bare-trace") else { return };
    let one = strictly(&folder.join("one.json"));
    assert_eq!((one.requests.len(), one.spans.len()), (1, 2));
    assert!((one.requests[0].latency_ms - 8.044).abs() < 1e-9);
    assert_eq!(strictly(&folder.join("list.json")).requests.len(), 4);
}

fn calibrate(folder: &Path, name: &str) -> Calibration {
    let scenario = Scenario::open(folder.join("two.toml").to_str().unwrap(), &[]).unwrap();
    let trace = strictly(&folder.join(name));
    let inputs = Inputs {
        scenario: &scenario,
        strategy: None,
        seed: None,
        replications: None,
        trace: (&trace, name, ""),
        spans: None,
        parameters: Vec::new(),
        holdout: 0.0,
        draws: 0,
    };
    let watch = Watch::default();
    let plan = CalibrationPlan::new(inputs, &watch).unwrap().unwrap();
    plan.run(&watch).unwrap().unwrap()
}

/// Service, self times, and their mean (ms).
fn self_times(it: &Calibration) -> Vec<(String, usize, f64)> {
    it.services.iter().map(|it| (it.service.clone(), it.observations, it.self_time_ms)).collect()
}

#[test]
fn spans_without_a_kind_are_told_by_their_parents() {
    let Some(folder) = case("spans_without_a_kind_are_told_by_their_parents", "jaeger-no-span-kind") else {
        return;
    };
    let found = self_times(&calibrate(&folder, "traces.json"));
    assert_eq!(found, self_times(&calibrate(&folder, "with-kind.json")));
    for ((service, count, mean), (name, right)) in found.iter().zip([("back", 4.5), ("front", 3.6)]) {
        assert_eq!((&**service, *count), (name, 120));
        assert!((mean - right).abs() < 0.06, "{service}: {mean}");
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn istio_s_names_are_those_of_the_services() {
    let Some(folder) = case("istio_s_names_are_those_of_the_services", "jaeger-istio-service-names") else {
        return;
    };
    let found = self_times(&calibrate(&folder, "traces.json"));
    let names: Vec<(&str, usize)> = found.iter().map(|(name, count, _)| (&**name, *count)).collect();
    assert_eq!(names, [("back", 120), ("front", 120)]);
}

#[test]
fn transactions_of_jmeter_are_no_requests() {
    let Some(folder) = case("transactions_of_jmeter_are_no_requests", "jtl-transactions") else { return };
    for name in ["results.jtl", "results.xml"] {
        let trace = check(&folder.join(name), [40, 0], [159.5, 159.5]);
        assert!(has_note(&trace, "20 rows of JMeter's Transaction Controllers are left out"), "{name}");
    }
}

#[test]
fn k6_s_lines_are_read_and_its_summary_is_explained() {
    let Some(folder) = case("k6_s_lines_are_read_and_its_summary_is_explained", "k6-json") else { return };
    check(&folder.join("results.json"), [30, 3], [55.0, 55.0]);
    let said = read(&folder.join("summary.json"), &Options::default()).unwrap_err().to_string();
    assert!(said.contains("no distribution of latencies"), "{said}");
}

#[test]
fn old_files_of_locust_say_what_they_have() {
    let Some(folder) = case("old_files_of_locust_say_what_they_have", "locust-old-requests") else { return };
    let trace = check(&folder.join("old_requests.csv"), [600, 2], [8.0, 7.0]);
    assert!(has_note(&trace, "_distribution.csv"));
    let distribution = figures(&strictly(&folder.join("old_distribution.csv")));
    let found = [distribution.p50, distribution.p90, distribution.p95, distribution.p99].map(|it| it.value);
    assert_eq!(found, [7.0, 10.0, 13.0, 50.0]);
    let said = read(&folder.join("run_stats_history.csv"), &Options::default()).unwrap_err().to_string();
    assert!(said.contains("_stats.csv"), "{said}");
}

#[test]
fn spans_of_otlp_may_be_in_answers() {
    let Some(folder) = case("spans_of_otlp_may_be_in_answers", "otlp-in-answers") else { return };
    for name in ["plain.json", "jaeger-api-v3.json", "tempo-batches.json", "tempo-v2.json"] {
        check(&folder.join(name), [10, 0], [24.5, 24.5]);
    }
}

#[test]
fn work_models_may_have_more_than_is_simulated() {
    let test = "work_models_may_have_more_than_is_simulated";
    let cases = [
        ("workmodel-labels", Some("the keys `shop_ref`, `pod_antiaffinity` are none of µBench's"), 2.0),
        ("workmodel-extra-probability", Some("the probability of `third` has no effect"), 1.5),
        ("workmodel-custom-function", None, 2.0),
    ];
    for (folder, warning, calls) in cases {
        let Some(folder) = case(test, folder) else { return };
        let scenario = Scenario::open(folder.join("two.toml").to_str().unwrap(), &[]).unwrap();
        let resolved = scenario.resolve(scenario.strategy(Some("base")).unwrap()).unwrap();
        let visits = resolved.description.application.expected_visits([(EndpointId(0), 1.0)]).unwrap();
        assert!((visits.iter().sum::<f64>() - calls).abs() < 1e-12, "{}", folder.display());
        let said: Vec<String> = before_run(&resolved).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), usize::from(warning.is_some()), "{said:?}");
        assert!(said.iter().zip(warning).all(|(said, text)| said.contains(text)), "{said:?}");
    }
}
