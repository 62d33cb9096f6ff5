use crate::calibrate::report::{Calibration, Objective, Residuals, TraceSource};
use crate::calibrate::write::{calibrated_text, write};
use crate::document::Setting;
use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::scenario::Scenario;

fn calibration(changes: &[(&str, &str)], draws: Vec<Vec<String>>) -> Calibration {
    let residuals =
        Residuals { requests: 2, figures: Vec::new(), kolmogorov_smirnov: 0.1, wasserstein: 0.01 };
    let owned = |text: &&str| (*text).to_owned();
    Calibration {
        version: "0.1.0",
        strategy: "none".to_owned(),
        seed: 1,
        replications: 2,
        trace: TraceSource {
            file: "trace.csv".to_owned(),
            sha256: "ab".to_owned(),
            requests: 3,
            seconds: 1.0,
            fitted: 2,
        },
        spans: None,
        services: Vec::new(),
        parameters: Vec::new(),
        objective: Objective { value: 0.0, noise: 0.0, evaluations: 1 },
        fitted: residuals.clone(),
        held_out: Some(residuals),
        notes: vec!["a note".to_owned()],
        interrupted: false,
        keys: changes.iter().map(|(key, _)| owned(key)).collect(),
        values: changes.iter().map(|(_, value)| owned(value)).collect(),
        draws,
    }
}

#[test]
fn values_change_in_place_and_comments_stay() {
    let scenario = Scenario::open("fluidos-testbed", &[]).unwrap();
    let changes = [
        ("links.edge1-cloud.rtt", "\"150ms\""),
        ("mesh.sidecar.outbound.request", "\"300us\""),
        ("services.\"s0\".service_time", "{ law = \"gamma\", mean = \"3ms\", cv = 0.5 }"),
        ("cell.cpu_scale", "1.25"),
    ];
    let draw = changes.map(|(_, value)| value.to_owned()).to_vec();
    let calibrated = calibration(&changes, vec![draw.clone(), draw]);
    let settings = [Setting::parse("users.edge1.rate=7/s").unwrap()];
    let directory = tempfile::tempdir().unwrap();
    let text =
        calibrated_text(&scenario, &settings, &calibrated, &|it| scenario.path_from(it, directory.path()))
            .unwrap();
    for line in [
        "# Calibrated by meshsim 0.1.0, strategy none, seed 1, 2 replications.",
        "# trace trace.csv (SHA-256 ab), 3 requests over 1.0 s, the first 2 fitted",
        "# note: a note",
        "rtt = \"150ms\"          # measured with one byte; 160 ms were set",
        "outbound = { request = \"300us\", response = \"130us\", response_per_kb = \"6us\", spread = 0.7,",
        "service_time = { law = \"gamma\", mean = \"3ms\", cv = 0.5 }",
        "cpu_scale = 1.25",
        "rate = \"7/s\"",
        "workmodel = \"library:ten-services.workmodel.json\"   # CPU limit of one core per pod",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches("request = \"300us\"").count(), 1);
    let path = directory.path().join("calibrated.toml");
    write(&path, &scenario, &settings, &calibrated).unwrap();
    let again = Scenario::open(path.to_str().unwrap(), &[]).unwrap();
    let plan = ComparisonPlan::new(&again, &Choice::default()).unwrap();
    assert_eq!(plan.strategies.len(), 6);
    let first = &plan.strategies[0];
    assert_eq!(first.calibration_draws.len(), 2);
    assert_eq!(first.calibration_draws[0].len(), 4);
    let s0 = first.description.application.service_named("s0").unwrap();
    assert_eq!(
        first.description.application.endpoints[first.description.application.services[s0].endpoint]
            .service_time
            .as_ref()
            .unwrap()
            .name(),
        "gamma"
    );
    // A calibration of what was calibrated replaces what was written above.
    let text = calibrated_text(&again, &[], &calibration(&changes, Vec::new()), &|it| {
        again.path_from(it, directory.path())
    })
    .unwrap();
    assert_eq!(text.matches("# Calibrated by").count(), 1);
    assert!(!text.contains("[calibration]"), "{text}");
}

#[test]
fn a_work_model_is_found_from_another_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (directory.path().join("here"), directory.path().join("there/deep"));
    std::fs::create_dir_all(&here).unwrap();
    std::fs::create_dir_all(&there).unwrap();
    let model = crate::library::file("ten-services.workmodel.json").unwrap();
    std::fs::write(here.join("ten-services.workmodel.json"), model).unwrap();
    let path = here.join("scenario.toml");
    std::fs::write(&path, crate::library::scenario("fluidos-testbed").unwrap()).unwrap();
    let scenario = Scenario::open(path.to_str().unwrap(), &[]).unwrap();
    let calibrated = calibration(&[("cell.cpu_scale", "1.25")], Vec::new());
    let target = there.join("calibrated.toml");
    write(&target, &scenario, &[], &calibrated).unwrap();
    let text = std::fs::read_to_string(&target).unwrap();
    assert!(text.contains("workmodel = \"../../here/ten-services.workmodel.json\""), "{text}");
    ComparisonPlan::new(&Scenario::open(target.to_str().unwrap(), &[]).unwrap(), &Choice::default()).unwrap();
    // In the same directory the path stays.
    let beside = here.join("calibrated.toml");
    write(&beside, &scenario, &[], &calibrated).unwrap();
    assert!(
        std::fs::read_to_string(&beside).unwrap().contains("workmodel = \"ten-services.workmodel.json\"")
    );
}
