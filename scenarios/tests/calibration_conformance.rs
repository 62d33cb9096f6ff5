//! Calibration on the traces of the testbed. They are not part of the repository: `MESHSIM_SHARED` names
//! their folder, and without it the tests say that they are skipped.

#![allow(clippy::unwrap_used)] // A test may panic.
#![allow(clippy::print_stdout)] // What was measured is the point.

use meshsim_scenarios::calibrate::parameter::Parameter;
use meshsim_scenarios::calibrate::report::Calibration;
use meshsim_scenarios::calibrate::{CalibrationPlan, Inputs};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::{Options, Trace, read};
use std::path::{Path, PathBuf};

/// The folder of the testbed, or nothing where it is missing.
fn testbed(test: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join("testbed");
    if !root.is_dir() {
        println!("skipped: {test}, for want of {}", root.display());
        return None;
    }
    Some(root)
}

fn calibrate(strategy: &str, trace: &Trace, spans: Option<&Trace>, fit: &[&str]) -> Calibration {
    let scenario = Scenario::open("fluidos-testbed", &[]).unwrap();
    let inputs = Inputs {
        scenario: &scenario,
        strategy: Some(strategy),
        seed: None,
        replications: Some(3),
        trace: (trace, "requests.csv.gz", ""),
        spans: spans.map(|spans| (spans, "jaeger.json", "")),
        parameters: fit.iter().map(|text| Parameter::parse(text).unwrap()).collect(),
        holdout: 1.0 / 3.0,
        draws: 10,
    };
    let watch = Watch::default();
    let plan = CalibrationPlan::new(inputs, &watch).unwrap().unwrap();
    plan.run(&watch).unwrap().unwrap()
}

fn show(it: &Calibration) {
    for fit in &it.parameters {
        println!("{} = {} {:?}", fit.path, fit.value, fit.ci95);
    }
    println!(
        "distance {:.4} ± {:.4}, {} points",
        it.objective.value, it.objective.noise, it.objective.evaluations
    );
    for part in std::iter::once(&it.fitted).chain(&it.held_out) {
        let figures: Vec<String> = part
            .figures
            .iter()
            .map(|it| format!("{} {:+.1} %", it.figure, it.relative_error * 100.0))
            .collect();
        println!("{}, KS {:.3}", figures.join(", "), part.kolmogorov_smirnov);
    }
    it.notes.iter().for_each(|note| println!("note: {note}"));
}

/// The search sees latencies alone and comes to what the CPU accounting says (1.19).
#[test]
fn the_speed_of_the_machine_is_found_from_latencies() {
    let Some(testbed) = testbed("the_speed_of_the_machine_is_found_from_latencies") else { return };
    let file = testbed.join("mesh-none-rtt160-8/requests.csv.gz");
    let trace = read(&file, &Options::default()).unwrap().after(20.0);
    let found = calibrate("none", &trace, None, &["cell.cpu_scale=0.5..2"]);
    show(&found);
    let scale: f64 = found.parameters[0].value.parse().unwrap();
    assert!((scale - 1.19).abs() < 0.12, "{scale}");
    assert!(found.parameters[0].identifiable, "{:?}", found.parameters);
    assert!(found.fitted.kolmogorov_smirnov < 0.06, "{:?}", found.fitted);
    assert_eq!(found.draws.len(), 10);
}

/// Every service has a law, and the scale of all is that of the machine in that run, within what 200 traces can tell.
#[test]
fn service_times_are_fitted_from_spans() {
    let Some(testbed) = testbed("service_times_are_fitted_from_spans") else { return };
    let folder = testbed.join("mesh-s0123-rtt160-8");
    let trace = read(&folder.join("requests.csv.gz"), &Options::default()).unwrap().after(20.0);
    let spans = read(&folder.join("jaeger.json"), &Options::default()).unwrap();
    let found = calibrate("s0-s3", &trace, Some(&spans), &["cell.cpu_scale=0.3..1.2"]);
    show(&found);
    for fit in &found.services {
        println!(
            "{}: {} of {}, mean {:.2} ms, {}",
            fit.service, fit.law, fit.observations, fit.mean_ms, fit.parameters
        );
    }
    assert!(found.services.len() == 10, "{:?}", found.services);
    let scale: f64 = found.parameters[0].value.parse().unwrap();
    assert!((0.5..1.0).contains(&scale), "{scale}");
    assert!(found.fitted.figures[0].relative_error.abs() < 0.05, "{:?}", found.fitted);
    // The machine was slower in the last third of this run: the measured mean is 19 % above that of the
    // rest, and no fit to the rest knows that.
    let held_out = &found.held_out.as_ref().unwrap().figures[0];
    assert!((-0.25..0.05).contains(&held_out.relative_error), "{held_out:?}");
}
