//! What must hold of every scenario of the library, whatever it shows.
#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::library;
use meshsim_scenarios::results::files::write_comparison;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::request_log::RequestLog;
use meshsim_scenarios::scenario::Scenario;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Runs a scenario on so many threads and writes everything that it can write.
fn run(name: &str, threads: usize, directory: &Path) -> Summary {
    let series = Setting::parse("run.time_series=10s").unwrap();
    let scenario = Scenario::open(name, &[series]).unwrap();
    let choice = Choice { replications: Some(2), ..Choice::default() };
    let plan = ComparisonPlan::new(&scenario, &choice).unwrap();
    let watch = Watch::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut folder = Folder::claim(directory, false).unwrap();
    let log = RequestLog::new(folder.scratch().unwrap());
    let outcome = pool.install(|| plan.run(Rows::Written(&log), &watch));
    let summary = Summary::new(&plan, &outcome);
    write_comparison(&mut folder, &plan, &outcome, &summary, Some(&log)).unwrap();
    summary
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

#[test]
fn every_byte_is_the_same_on_one_thread_and_on_two_and_no_request_is_lost() {
    for name in library::names().filter(|name| !library::is_scale(name)) {
        let [one, two] = [1, 2].map(|threads| {
            let directory = tempfile::tempdir().unwrap();
            let summary = run(name, threads, directory.path());
            (summary, files(directory.path()))
        });
        assert_eq!(one.1.keys().collect::<Vec<_>>(), two.1.keys().collect::<Vec<_>>(), "{name}");
        assert!(one.1.contains_key("time_series.csv") && one.1.contains_key("requests.csv"), "{name}");
        for (file, bytes) in &one.1 {
            assert!(bytes == &two.1[file], "{name}: {file} differs between one thread and two");
        }
        for strategy in &one.0.strategies {
            let requests = &strategy.requests;
            let failed: u64 = requests.failed.values().sum();
            assert_eq!(
                requests.offered,
                requests.completed + failed + requests.in_flight,
                "{name}, {}",
                strategy.name
            );
            assert!(requests.completed > 0, "{name}, {}: nothing completed", strategy.name);
        }
    }
}

/// What cells keep on the disk is all that results are made of: with groups, autoscalers, samples, journeys and pilots.
#[test]
fn what_is_read_from_the_disk_is_what_was_in_memory() {
    for name in ["shop", "fluidos-mesh-hpa", "moving-users", "rolling-update", "circuit-breaking", "warm-up"]
    {
        let series = Setting::parse("run.time_series=10s").unwrap();
        let scenario = Scenario::open(name, &[series]).unwrap();
        let choice = Choice { replications: Some(2), ..Choice::default() };
        let plan = ComparisonPlan::new(&scenario, &choice).unwrap();
        let written = |outcome: &ComparisonOutcome| {
            let directory = tempfile::tempdir().unwrap();
            let mut folder = Folder::claim(directory.path(), false).unwrap();
            let summary = Summary::new(&plan, outcome);
            write_comparison(&mut folder, &plan, outcome, &summary, None).unwrap();
            files(directory.path())
        };
        let in_memory = written(&plan.run(Rows::Dropped, &Watch::default()));
        let store = CellStore::temporary().unwrap();
        assert!(in_memory == written(&plan.run_in(&store, &Watch::default())), "{name}");
        // Nothing runs any more.
        let none = Watch { cancel: &AtomicBool::new(true), ..Watch::default() };
        assert!(in_memory == written(&plan.run_in(&store, &none)), "{name}");
    }
}
