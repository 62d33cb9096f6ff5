//! Calibration finds what a trace was made with, says what cannot be told, and writes a scenario that
//! can be compared over its draws.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::random::Address;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::verdict::ranking_over_draws;
use meshsim_scenarios::calibrate::parameter::Parameter;
use meshsim_scenarios::calibrate::report::Calibration;
use meshsim_scenarios::calibrate::{CalibrationPlan, Inputs, write};
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{self, Choice};
use meshsim_scenarios::experiment::over_draws::OverDraws;
use meshsim_scenarios::experiment::replication::{self, Keep, Rows};
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::{Options, Trace, read};
use std::fmt::Write;
use std::path::Path;

const WORKMODEL: &str = r#"{
  "front": {
    "external_services": [{"services": ["back"], "probabilities": {"back": 0.5}}],
    "internal_service": {"loader": {"mean_bandwidth": 20, "sleep_stress": {"run": false}}}
  },
  "back": {"internal_service": {"loader": {"mean_bandwidth": 5, "sleep_stress": {"run": false}}}}
}
"#;

const SCENARIO: &str = r#"# A front at the edge, a back in the cloud.
[run]
duration = "400s"
warm_up = "10s"
replications = 6
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
[cell]
cpu_scale = 1.0   # a guess
body_per_kb = "1ms"
[mesh.sidecar.inbound]
request = "5ms"
response = "5ms"
spread = 0.0
[users.edge]
cluster = "edge"
service = "front"
rate = "10/s"
[[strategy]]
name = "far"
set = {}
[[strategy]]
name = "near"
set.clusters.edge.services = ["front"]
"#;

fn files(directory: &Path) -> Scenario {
    support::open(directory, &[("scenario.toml", SCENARIO), ("app.json", WORKMODEL)], &[]).unwrap()
}

/// A file of a load generator as the scenario with these settings would make it, under other luck.
fn made_trace(directory: &Path, scenario: &Scenario, settings: &[&str]) -> Trace {
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let resolved = scenario.with(&settings).unwrap().resolve(Some(0)).unwrap();
    let watch = Watch::default();
    let figures =
        replication::run(&[resolved], 1_000, Keep { rows: Rows::Kept, ..Keep::default() }, &watch).unwrap();
    let mut text = "timeStamp,elapsed,label,responseCode,success,bytes,start_us,elapsed_us\n".to_owned();
    for (row, work) in &figures[0].rows {
        let Some(end) = row.end else { continue };
        let start_us = 1_795_561_000_000_000 + (row.arrival.as_secs_f64() * 1e6) as u64;
        let us = (end.latency.as_millis_f64() * 1e3).round();
        let (status, ok) = (end.status.code(), end.status.is_ok());
        let ms = (us / 1e3).round();
        writeln!(text, "{},{ms},front,{status},{ok},{},{start_us},{us}", start_us / 1000, work.body).unwrap();
    }
    let path = directory.join("trace.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, &Options::default()).unwrap().after(10.0)
}

fn inputs<'a>(scenario: &'a Scenario, trace: &'a Trace, fit: &[&str]) -> Inputs<'a> {
    Inputs {
        scenario,
        strategy: None,
        seed: None,
        replications: None,
        trace: (trace, "trace.csv", "0123"),
        spans: None,
        parameters: fit.iter().map(|text| Parameter::parse(text).unwrap()).collect(),
        holdout: 1.0 / 3.0,
        draws: 4,
    }
}

fn run(inputs: Inputs<'_>, threads: usize) -> Checked<Calibration> {
    let watch = Watch::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| Ok(CalibrationPlan::new(inputs, &watch)?.unwrap().run(&watch)?.unwrap()))
}

/// The number before the unit.
fn number(text: &str) -> f64 {
    text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().unwrap()
}

#[test]
fn what_a_trace_was_made_with_is_found_on_any_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = files(directory.path());
    let trace = made_trace(directory.path(), &scenario, &["cell.cpu_scale=1.4", "links.wan.rtt=37ms"]);
    let fit = ["cell.cpu_scale=0.5..3", "links.wan.rtt=10ms..60ms"];
    let found = run(inputs(&scenario, &trace, &fit), 1).unwrap();
    let [scale, rtt] = [0, 1].map(|index| &found.parameters[index]);
    assert!((number(&scale.value) - 1.4).abs() < 0.1, "{scale:?}");
    assert!((number(&rtt.value) - 37.0).abs() < 1.5, "{rtt:?}");
    assert_eq!((scale.before.as_deref(), rtt.before.as_deref()), (Some("1"), Some("20ms")));
    for it in [scale, rtt] {
        assert!(it.identifiable && !it.at_bound, "{it:?}");
        let [low, high] = it.ci95.as_ref().unwrap().each_ref().map(|end| number(end));
        assert!(low <= number(&it.value) && number(&it.value) <= high && low < high, "{it:?}");
    }
    assert!(found.held_out.as_ref().unwrap().kolmogorov_smirnov < 0.06, "{:?}", found.held_out);
    assert!(found.fitted.figures[0].relative_error.abs() < 0.02, "{:?}", found.fitted);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    assert_eq!(found.draws.len(), 4);
    let again = run(inputs(&scenario, &trace, &fit), 2).unwrap();
    assert_eq!(to_json(&found).unwrap(), to_json(&again).unwrap());
    compare_over_draws(directory.path(), &scenario, &found);
}

/// Spans of 40 requests, each 5 ms at the front, of a work model that sleeps 10 ms there.
#[test]
fn self_times_below_what_the_work_model_sleeps_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let asleep = WORKMODEL.replacen("\"run\": false", "\"run\": true", 1);
    let short = SCENARIO.replace("400s", "20s");
    let files = [("scenario.toml", &*short), ("app.json", &*asleep)];
    let scenario = support::open(directory.path(), &files, &[]).unwrap();
    let span = |k: u64| {
        let start = 1_795_561_705_000_000 + 100_000 * k;
        format!(r#"{{"traceID":"{k:x}","spanID":"1","startTime":{start},"duration":5000,"processID":"p"}}"#)
    };
    let spans: Vec<String> = (1..=40).map(span).collect();
    let text =
        format!(r#"{{"spans":[{}],"processes":{{"p":{{"serviceName":"front.shop"}}}}}}"#, spans.join(","));
    let path = directory.path().join("spans.json");
    std::fs::write(&path, text).unwrap();
    let trace = read(&path, &Options::default()).unwrap();
    let found =
        run(Inputs { replications: Some(1), holdout: 0.0, ..inputs(&scenario, &trace, &[]) }, 1).unwrap();
    let note = "40 of 40 self times of `front` are below the 10 ms for which its work model sleeps";
    assert!(found.notes.iter().any(|it| it.starts_with(note)), "{:?}", found.notes);
}

/// The written scenario opens, and its ranking is looked at over the draws.
fn compare_over_draws(directory: &Path, scenario: &Scenario, found: &Calibration) {
    let path = directory.join("calibrated.toml");
    write::write(&path, scenario, &[], found).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("   # a guess") && text.contains("trace.csv (SHA-256 0123)"), "{text}");
    let calibrated = Scenario::open(path.to_str().unwrap(), &[]).unwrap();
    let choice = Choice { replications: Some(2), ..Choice::default() };
    let plan = compare::ComparisonPlan::new(&calibrated, &choice).unwrap();
    let draws = OverDraws::new(&calibrated, &[], &plan, &choice, 3).unwrap();
    let watch = Watch::default();
    let summary = Summary::new(&plan, &plan.run(Rows::Dropped, &watch));
    let ranking = ranking_over_draws(&summary, &draws.run_in(&CellStore::temporary().unwrap(), &watch));
    assert_eq!((ranking.draws, ranking.pairs.len()), (3, 1));
    assert_eq!(ranking.winner_share, Some(1.0));
    assert_eq!(ranking.sentence(), "In all 3 draws of the calibration the ranking is the same.");
    let said = |settings: &[Setting], count| {
        OverDraws::new(&calibrated, settings, &plan, &choice, count).unwrap_err().to_string()
    };
    assert!(said(&[], 5).contains("the scenario has 4 draws of a calibration, not 5"));
    let clash = [Setting::parse("cell.cpu_scale=2").unwrap()];
    assert!(said(&clash, 2).contains("--set cell.cpu_scale changes a calibrated value"));
    let bare = compare::ComparisonPlan::new(scenario, &choice).unwrap();
    let problem = OverDraws::new(scenario, &[], &bare, &choice, 1).unwrap_err().to_string();
    assert!(problem.contains("has no draws of a calibration (`meshsim calibrate"), "{problem}");
}

#[test]
fn a_pair_that_makes_up_for_each_other_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = files(directory.path());
    let trace = made_trace(directory.path(), &scenario, &[]);
    let fit = ["mesh.sidecar.inbound.request=1ms..9ms", "mesh.sidecar.inbound.response=1ms..9ms"];
    let found = run(inputs(&scenario, &trace, &fit), 2).unwrap();
    let [request, response] = [0, 1].map(|index| &found.parameters[index]);
    // The measured mean has a standard error of 0.9 ms, and a request passes 1.5 sidecars.
    assert!((number(&request.value) + number(&response.value) - 10.0).abs() < 1.8, "{found:?}");
    assert!(!request.identifiable && !response.identifiable, "{:?}", found.parameters);
    assert_eq!(request.confounded_with, [fit[1].split('=').next().unwrap()]);
    // What has no effect is said, too.
    let found = run(inputs(&scenario, &trace, &["mesh.ztunnel.request=1ms..9ms"]), 2).unwrap();
    assert!(!found.parameters[0].identifiable && found.parameters[0].confounded_with.is_empty(), "{found:?}");
}

#[test]
fn a_value_beyond_its_range_is_at_the_end_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = files(directory.path());
    let trace = made_trace(directory.path(), &scenario, &["links.wan.rtt=37ms"]);
    let found = run(inputs(&scenario, &trace, &["links.wan.rtt=10ms..30ms"]), 2).unwrap();
    assert!(found.parameters[0].at_bound && number(&found.parameters[0].value) > 29.8, "{found:?}");
}

/// Traces of Jaeger in which the front takes a gamma time, and the back always 4 ms.
fn made_spans(directory: &Path, law: &ServiceTime) -> Trace {
    let one = |k: u64| {
        let start = 1_795_561_000_000_000 + k * 500_000;
        let own = (law.draw_ms(Address::root(5, 0).child(k)) * 1e3).round() as u64;
        let span = |id: &str, parent: &str, kind: &str, service: &str, start: u64, duration: u64| {
            let parent = if parent.is_empty() {
                String::new()
            } else {
                format!(r#"{{"refType":"CHILD_OF","spanID":"{parent}"}}"#)
            };
            format!(
                r#"{{"traceID":"{:x}","spanID":"{id}","references":[{parent}],"startTime":{start},"duration":{duration},"processID":"{service}","tags":[{{"key":"span.kind","value":"{kind}"}}]}}"#,
                k + 1
            )
        };
        let spans = [
            span("a", "", "server", "front", start, own + 30_000),
            span("b", "a", "client", "front", start + 100, 30_000),
            span("c", "b", "server", "back", start + 10_000, 4_000),
        ];
        format!(
            r#"{{"traceID":"{:x}","spans":[{}],"processes":{{"front":{{"serviceName":"front"}},"back":{{"serviceName":"back"}}}}}}"#,
            k + 1,
            spans.join(",")
        )
    };
    let traces: Vec<String> = (0..600).map(one).collect();
    let path = directory.join("jaeger.json");
    std::fs::write(&path, format!(r#"{{"data":[{}]}}"#, traces.join(","))).unwrap();
    read(&path, &Options::default()).unwrap()
}

#[test]
fn spans_give_each_service_its_law() {
    let directory = tempfile::tempdir().unwrap();
    // As seldom as the spans.
    let seldom = SCENARIO.replace("rate = \"10/s\"", "rate = \"2/s\"");
    let files = [("scenario.toml", &*seldom), ("app.json", WORKMODEL)];
    let scenario = support::open(directory.path(), &files, &[]).unwrap();
    let spans = made_spans(directory.path(), &ServiceTime::Gamma(Gamma::new(20.0, 0.4)));
    let found = run(inputs(&scenario, &spans, &[]), 2).unwrap();
    let [back, front] = [0, 1].map(|index| &found.services[index]);
    assert_eq!((back.service.as_str(), back.law, back.self_time_ms), ("back", "deterministic", 4.0));
    assert!((back.mean_ms - 4.0).abs() < 0.1, "{back:?}");
    assert_eq!((front.service.as_str(), front.law), ("front", "gamma"));
    assert!((front.mean_ms - 20.0).abs() < 1.2, "{front:?}");
    assert!(front.kolmogorov_smirnov_held_out.unwrap() < 0.15, "{front:?}");
    assert_eq!((front.observations, front.held_out), (400, 200));
    assert_eq!(front.candidates.len(), 5);
    assert_eq!((found.keys.len(), found.draws.len()), (2, 4));
    assert!(found.draws[0] != found.draws[1], "{:?}", found.draws);
    let path = directory.path().join("calibrated.toml");
    write::write(&path, &scenario, &[], &found).unwrap();
    let calibrated = Scenario::open(path.to_str().unwrap(), &[]).unwrap().resolve(Some(0)).unwrap();
    let laws: Vec<Option<&str>> = calibrated
        .description
        .application
        .endpoints
        .iter()
        .map(|it| it.service_time.as_ref().map(ServiceTime::name))
        .collect();
    assert_eq!(laws, [Some("gamma"), Some("deterministic")]);
}

#[test]
fn bad_inputs_are_said_with_what_would_be_right() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = files(directory.path());
    let trace = made_trace(directory.path(), &scenario, &[]);
    let said = |fit: &[&str]| match CalibrationPlan::new(inputs(&scenario, &trace, fit), &Watch::default()) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    };
    for (fit, expected) in [
        (
            "cell.cpu_scal=0.5..2",
            "--fit cell.cpu_scal:1:6: unknown key `cpu_scal` (did you mean `cpu_scale`?)",
        ),
        (
            "links.wan.rtt=1/s..2/s",
            "`links.wan.rtt` is 20ms, and its range is in `/s` (write the range in `ms`)",
        ),
        ("clusters.cloud.services=1..2", "`clusters.cloud.services` is no number and cannot be fitted"),
        ("clusters.edge.services=1..2", "`clusters.edge.services` is no number and cannot be fitted"),
        ("run.replications=1..5", "a whole number is expected"),
        ("mesh.sidecar.outbound.request=1..2", "--fit mesh.sidecar.outbound.request:1:"),
        ("cell.cpu_scale=0.5..5000", "5000 is not a CPU scale"),
    ] {
        let text = said(&[fit]);
        assert!(text.contains(expected), "{fit}: {text}");
    }
    assert!(said(&[]).contains("has no spans, and there is nothing to search (name what to search"));
    let twice = said(&["cell.cpu_scale=1..2", "cell.cpu_scale=1..3"]);
    assert!(twice.contains("`cell.cpu_scale` is searched twice"), "{twice}");
    let spans = Inputs { spans: Some((&trace, "other.csv", "")), ..inputs(&scenario, &trace, &[]) };
    assert!(
        CalibrationPlan::new(spans, &Watch::default())
            .err()
            .unwrap()
            .to_string()
            .contains("other.csv: has no spans")
    );
    let all = Inputs { holdout: 0.95, ..inputs(&scenario, &trace, &["cell.cpu_scale=1..2"]) };
    assert!(
        CalibrationPlan::new(all, &Watch::default())
            .err()
            .unwrap()
            .to_string()
            .contains("--holdout 0.95 is no share")
    );
    let short = trace.clone().after(399.0);
    let few = CalibrationPlan::new(inputs(&scenario, &short, &["cell.cpu_scale=1..2"]), &Watch::default());
    let text = few.err().unwrap().to_string();
    assert!(text.contains("succeeded in the part to fit"), "{text}");
}
