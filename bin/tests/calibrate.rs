//! `calibrate` and `compare --calibration-draws` as their users meet them.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Results of a load generator over 400 s: latencies from 40 to 140 ms.
fn trace(directory: &Path) -> PathBuf {
    let mut rows = "timeStamp,elapsed,label,responseCode,success,bytes\n".to_owned();
    for k in 0..2_000_u64 {
        let start = 1_795_561_000_000 + k * 200;
        writeln!(rows, "{start},{},s0,200,true,1000", 40 + k * 37 % 101).unwrap();
    }
    let path = directory.join("results.csv");
    std::fs::write(&path, rows).unwrap();
    path
}

/// A calibration that takes a second or two.
fn calibrate(trace: &Path, out: &Path, threads: &str) -> Output {
    let arguments = [
        "calibrate",
        "slow-endpoint",
        "--set",
        "run.duration=60s",
        "--replications",
        "2",
        "--fit",
        "cell.cpu_scale=0.2..3",
        "--draws",
        "3",
        "--quiet",
        "--trace-warm-up",
        "0",
        "--threads",
        threads,
        "--trace",
        trace.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    meshsim(&arguments)
}

#[test]
fn a_calibrated_scenario_is_compared_over_its_draws() {
    let directory = tempfile::tempdir().unwrap();
    let trace = trace(directory.path());
    let [one, two] = ["one.toml", "two.toml"].map(|name| directory.path().join(name));
    let output = calibrate(&trace, &one, "1");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("cell.cpu_scale") && shown.contains("held out"), "{shown}");
    let again = calibrate(&trace, &two, "2");
    assert_eq!(shown, text(&again.stdout));
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let written = std::fs::read_to_string(&one).unwrap();
    assert!(written.contains("results.csv") && !written.contains(directory.path().to_str().unwrap()));
    assert_eq!(
        text(&meshsim(&["calibrate", "slow-endpoint", "--trace", trace.to_str().unwrap(), "--force"]).stderr)
            .matches("nothing is to be written")
            .count(),
        1
    );
    let out = directory.path().join("out");
    let output = meshsim(&[
        "compare",
        one.to_str().unwrap(),
        "--calibration-draws",
        "3",
        "--replications",
        "2",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("draws of the calibration"), "{}", text(&output.stdout));
    let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
    assert!(summary.contains("\"winner_share\""));
    let rows = std::fs::read_to_string(out.join("calibration_draws.csv")).unwrap();
    assert!(rows.starts_with("draw,strategy,mean_ms\n1,") && rows.lines().count() > 3, "{rows}");
    let output = meshsim(&["compare", one.to_str().unwrap(), "--calibration-draws", "4", "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has 3 draws of a calibration, not 4"), "{}", text(&output.stderr));
}

/// From results alone, wherever scenario and trace were.
#[test]
fn a_calibration_is_made_again_to_the_byte() {
    let directory = tempfile::tempdir().unwrap();
    let trace = trace(directory.path());
    let model = directory.path().join("models");
    std::fs::create_dir(&model).unwrap();
    let library = |name: &str| text(&meshsim(&["library", name]).stdout);
    std::fs::write(model.join("w.json"), library("two-services.workmodel.json")).unwrap();
    let scenario = library("slow-endpoint").replace("library:two-services.workmodel.json", "models/w.json");
    let own = directory.path().join("own.toml");
    std::fs::write(&own, scenario).unwrap();
    let results = directory.path().join("results");
    let fit = ["--set", "run.duration=30s", "--replications", "2", "--fit", "cell.cpu_scale=0.2..3"];
    let more = ["--draws", "3", "--quiet", "--trace-warm-up", "0", "--trace", trace.to_str().unwrap()];
    let paths = ["calibrate", own.to_str().unwrap(), "--results", results.to_str().unwrap()];
    let output = meshsim(&[&paths[..], &fit, &more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::remove_file(&trace).unwrap();
    std::fs::remove_file(&own).unwrap();
    std::fs::remove_dir_all(&model).unwrap();
    let rerun = meshsim(&["rerun", results.to_str().unwrap(), "--threads", "1", "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    assert!(text(&rerun.stdout).contains("the same bytes in all 7 files"), "{}", text(&rerun.stdout));
    // Beside the files that it names.
    let checked = meshsim(&["check", results.join("calibrated.toml").to_str().unwrap()]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let interval = std::fs::read_to_string(results.join("calibration.json")).unwrap();
    assert!(interval.contains("\"results.csv\""), "{interval}");
}

#[test]
fn all_mistakes_of_the_ranges_are_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let trace = trace(directory.path());
    let trace = trace.to_str().unwrap();
    let fits = ["--fit", "cell.cpu_scale=2..1", "--fit", "cell.request"];
    let output = meshsim(&[&["calibrate", "slow-endpoint", "--trace", trace], &fits[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("2 is not below 1") && said.contains("it names no value and no range"), "{said}");
    let output = meshsim(&["calibrate", "slow-endpoint", "--trace", trace]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nothing to search"), "{}", text(&output.stderr));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let trace = trace(directory.path());
    for out in [directory.path().to_owned(), directory.path().join("no/such/folder/x.toml")] {
        let output = calibrate(&trace, &out, "1");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains("cannot write") && said.contains("--out names a file"), "{said}");
    }
}

/// What a run of a library scenario wrote as spans, under another seed, is calibrated from the scenario as it is given.
fn there_and_back(scenario: &str, made: &[&str], given: &[&str], more: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let [out, results] = ["out", "results"].map(|name| directory.path().join(name));
    let [out, results] = [&out, &results].map(|path| path.to_str().unwrap());
    let set = |settings: &[&str]| {
        settings.iter().flat_map(|it| ["--set".to_owned(), (*it).to_owned()]).collect::<Vec<_>>()
    };
    let run = [
        "run",
        scenario,
        "--seed",
        "77",
        "--replications",
        "1",
        "--spans",
        "100000",
        "--out",
        out,
        "--quiet",
    ];
    let owned = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let call = |arguments: Vec<String>| {
        let output = meshsim(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    call([owned(&run), set(made)].concat());
    let trace = format!("{out}/spans.json");
    let calibrate =
        ["calibrate", scenario, "--trace", &trace, "--strict", "--trace-warm-up", "0", "--holdout", "0"];
    let how = ["--replications", "2", "--draws", "2", "--results", results, "--quiet"];
    call([owned(&calibrate), owned(&how), owned(more), set(given)].concat());
    serde_json::from_str(&std::fs::read_to_string(format!("{results}/calibration.json")).unwrap()).unwrap()
}

/// The laws that were found are these, and what they were made with is in their intervals.
fn assert_laws(found: &Value, expected: &[(&str, &str, f64, Option<f64>)]) {
    assert_eq!(found["services"].as_array().unwrap().len(), expected.len());
    for (service, law, mean_ms, cv) in expected {
        let of = found["services"].as_array().unwrap().iter().find(|it| it["service"] == *service).unwrap();
        assert_eq!(of["law"], *law, "{of}");
        let interval = |key: &str| [0, 1].map(|end| of[key][end].as_f64().unwrap());
        let [low, high] = interval("mean_ms_ci95");
        assert!(low <= *mean_ms && *mean_ms <= high && high - low < 0.3 * mean_ms, "{service}: {of}");
        if let Some(cv) = cv {
            let [low, high] = interval("cv_ci95");
            assert!(low <= *cv && *cv <= high && high - low < 0.3, "{service}: {of}");
        }
    }
}

const SHORT: [&str; 3] = ["run.duration=200s", "run.warm_up=10s", "users.edge1.rate=10/s"];

#[test]
fn spans_of_a_run_lead_back_to_an_exponential_law() {
    let other = [
        "services.front.service_time={ law = \"gamma\", mean = \"4ms\", cv = 1.5 }",
        "services.back.service_time=9ms",
    ];
    let found = there_and_back("wan-degraded", &SHORT, &[&SHORT[..], &other].concat(), &[]);
    assert_laws(&found, &[("front", "deterministic", 2.0, None), ("back", "exponential", 5.0, None)]);
}

/// Of pods that are busy half of the time: self times are twice as long as what is done in them.
#[test]
fn spans_of_a_busy_run_lead_back_to_its_constant_laws() {
    let run = ["run.duration=200s", "users.edge1.rate=10/s", "services.advice.workers=2"];
    let other = ["services.advice.service_time=60ms", "services.pictures.service_time=2ms"];
    let found = there_and_back("cost-and-carbon", &run, &[&run[..], &other].concat(), &[]);
    let constant = "deterministic";
    let laws =
        [("page", constant, 2.0, None), ("pictures", constant, 1.0, None), ("advice", constant, 100.0, None)];
    assert_laws(&found, &laws);
    let advice = found["services"].as_array().unwrap().iter().find(|it| it["service"] == "advice").unwrap();
    assert!(advice["self_time_ms"].as_f64().unwrap() > 150.0, "{advice}");
}

/// Of a scenario whose work model says what services take.
#[test]
fn spans_of_a_run_lead_back_to_a_log_normal_law() {
    let law = ["services.back.service_time={ law = \"log-normal\", mean = \"12ms\", cv = 0.8 }"];
    let run = ["run.duration=200s", "users.edge1.rate=10/s", "faults=[]"];
    let found = there_and_back("slow-endpoint", &[&run[..], &law].concat(), &run, &[]);
    let of = found["services"].as_array().unwrap().iter().find(|it| it["service"] == "back").unwrap();
    assert_laws(&serde_json::json!({ "services": [of] }), &[("back", "log-normal", 12.0, Some(0.8))]);
}

/// Laws and scale together: self times tell the product, and the CPU time of a request is held at the scenario's.
#[test]
fn spans_of_a_run_on_a_slower_machine_lead_back_to_its_cpu_scale_and_its_laws() {
    let slower = [&SHORT[..], &["cell.cpu_scale=1.3"]].concat();
    let found = there_and_back("wan-degraded", &slower, &SHORT, &["--fit", "cell.cpu_scale=0.6..2"]);
    assert_laws(&found, &[("front", "deterministic", 2.0, None), ("back", "exponential", 5.0, None)]);
    let scale = &found["parameters"][0];
    let end = |index: usize| scale["ci95"][index].as_str().unwrap().parse::<f64>().unwrap();
    assert!(end(0) <= 1.3 && 1.3 <= end(1) && end(1) - end(0) < 0.4, "{scale}");
    assert!(
        found["notes"][0].as_str().unwrap().contains("is held at the scenario's 7.000 ms"),
        "{}",
        found["notes"]
    );
}
