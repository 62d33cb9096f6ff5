//! Conformance with what was measured and published elsewhere: real traces and real work models.
//!
//! Their folder lies beside the workspace (or where `MESHSIM_SHARED` says) and is no part of the
//! product; without it each test says that it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it skips.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, Plan};
use meshsim_scenarios::import::mubench;
use meshsim_scenarios::problem::Source;
use meshsim_scenarios::results::summary::{Strategy, Summary};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::validate::figures::Key;
use meshsim_scenarios::validate::suite::read::Suite;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The folder, or nothing where it is missing.
fn shared(test: &str, folder: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join(folder);
    if !root.is_dir() {
        println!("skipped: {test}, for want of {}", root.display());
        return None;
    }
    Some(root)
}

/// Every configuration of the testbed against its traces: latencies, failures, rounds and served shares
/// are within the suite's tolerances, and strategies rank as measured.
#[test]
fn the_testbed_is_predicted() {
    let Some(testbed) = shared("the_testbed_is_predicted", "testbed") else { return };
    let prepared = Suite::open("testbed").unwrap().prepare(&testbed, &Choice::default()).unwrap();
    let (cancel, progress) = (AtomicBool::new(false), |_: f64| {});
    let report = prepared.run(&Watch { cancel: &cancel, progress: &progress }).unwrap();
    assert_eq!(report.configurations.len(), 14);
    for pair in &report.ranking {
        assert!(pair.holds, "{pair:?}");
    }
    assert!(report.checks.hold >= 70, "{:?}", report.checks);
    for it in &report.configurations {
        // The proxies' share of CPU is up to 10.4 % high where few services are near; all else holds.
        for row in it.validation.figures.iter().filter(|row| row.figure == Key::CpuSplit) {
            println!("{}: {row:?}", it.name);
            assert!(row.error < 0.12, "{}: {row:?}", it.name);
        }
    }
    assert!(report.checks.fail <= 2, "{:?}", report.checks);
}

/// What was counted in a run of the testbed in which a pod was killed.
struct KillRun {
    requests: f64,
    failed: f64,
    /// Requests to s1 that each cluster served.
    cloud: f64,
    edge: f64,
}

impl KillRun {
    fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        let number = |pointer: &str| summary.pointer(pointer).and_then(serde_json::Value::as_f64);
        Self {
            requests: number("/count").unwrap(),
            failed: number("/errors").unwrap(),
            cloud: number("/per_service/s1/cloud/requests").unwrap_or(0.0),
            edge: number("/per_service/s1/edge1/requests").unwrap(),
        }
    }
}

/// The same, simulated: s1 at the edge is dead from 60 s on, and its proxies are told nothing.
fn kill_run(ends_after: &str, seconds: u32, settings: &[&str]) -> Strategy {
    let fault = format!(
        "faults=[{{at=\"60s\",for=\"{ends_after}\",service=\"s1\",cluster=\"edge1\",kind=\"crash\",seen_after=\"never\"}}]"
    );
    let run = [fault, "users.edge1.rate=6/s".into(), format!("run.duration={seconds}s")];
    let all = run.iter().map(String::as_str).chain(settings.iter().copied());
    let settings: Vec<Setting> = all.map(|text| Setting::parse(text).unwrap()).collect();
    let scenario = Scenario::open("fluidos-testbed", &settings).unwrap();
    let choice = Choice { strategies: vec!["s0-s3".to_owned()], replications: Some(20), ..Choice::default() };
    let plan = Plan::new(&scenario, &choice).unwrap();
    let (cancel, progress) = (AtomicBool::new(false), |_: f64| {});
    let outcome = plan.run(false, &Watch { cancel: &cancel, progress: &progress });
    Summary::new(&plan, &outcome).strategies.remove(0)
}

/// Failed requests of all that ended, and the share of s1 that the cloud served.
fn shares(strategy: &Strategy) -> [f64; 2] {
    let failed: u64 = strategy.requests.failed.values().sum();
    let ended = failed + strategy.requests.completed;
    [failed as f64 / ended as f64, strategy.served["s1"]["cloud"]]
}

/// Whether a share is within three standard errors of one that was counted among `n`.
fn agrees(simulated: f64, measured: f64, n: f64) -> bool {
    let spread = simulated.max(1.0 / n);
    (simulated - measured).abs() <= 3.0 * (spread * (1.0 - spread) / n).sqrt()
}

#[test]
fn a_killed_pod_fails_its_calls_until_it_is_back_or_ejected() {
    let Some(testbed) = shared("a_killed_pod_fails_its_calls", "testbed") else { return };
    // At the default 10 % nothing is ejected.
    let measured = KillRun::read(&testbed.join("mesh-s0123-rtt160-6-kill-s1"));
    let [failed, cloud] = shares(&kill_run("90.66s", 200, &[]));
    println!("kill: failed: measured {:.3}, simulated {failed:.3}", measured.failed / measured.requests);
    assert!(agrees(failed, measured.failed / measured.requests, measured.requests), "{failed}");
    assert!(cloud == 0.0 && measured.cloud == 0.0, "{cloud}");
    // At 100 % the cloud takes over, for good: the second ejection outlasts the run.
    let measured = KillRun::read(&testbed.join("mesh-s0123-rtt160-6-kill-s1-eject100"));
    let eject = "mesh.traffic_policy.outlier_detection.max_ejection_percent=100";
    let strategy = kill_run("90.86s", 180, &[eject]);
    let [failed, cloud] = shares(&strategy);
    let calls = measured.cloud + measured.edge;
    println!(
        "kill, ejected: failed: measured {:.4}, simulated {failed:.4}; served by the cloud: measured {:.3}, \
         simulated {cloud:.3}",
        measured.failed / measured.requests,
        measured.cloud / calls
    );
    assert!(agrees(failed, measured.failed / measured.requests, measured.requests), "{failed}");
    assert!(agrees(cloud, measured.cloud / calls, calls), "{cloud}");
    // As measured: twice in a run, though the intervals of proxies begin at other moments.
    let ejections = strategy.proxy_counters["edge1"]["s1"]["ejections_enforced_total"];
    assert!((36..=44).contains(&ejections), "{ejections} in 20 runs");
}

/// Every work model that µBench ships is read, or refused with a place.
#[test]
fn real_work_models_are_read() {
    let Some(folder) = shared("real_work_models_are_read", "reference/mubench") else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("workmodel") {
            continue;
        }
        let source = Arc::new(Source { name: name.clone(), text: std::fs::read_to_string(&path).unwrap() });
        match mubench::read(&source) {
            Ok(application) => {
                assert!(application.services.len() >= 2, "{name}");
                read += 1;
            }
            Err(problems) => {
                println!("{name} is refused: {}", problems.0[0]);
                assert!(problems.0.iter().all(|problem| problem.place.is_some()), "{problems}");
            }
        }
    }
    assert!(read >= 5, "only {read} were read");
}
