//! Conformance with what was measured and published elsewhere: real traces and real work models.
//!
//! Their folder lies beside the workspace (or where `MESHSIM_SHARED` says) and is no part of the
//! product; without it each test says that it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it skips.

use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::Choice;
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::import::mubench;
use meshsim_scenarios::problem::SourceText;
use meshsim_scenarios::validate::report::{self, texts};
use meshsim_scenarios::validate::suite::read::Suite;
use meshsim_scenarios::validate::suite::run::{Finished, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// Every configuration of the testbed, as the library's suite has it.
fn run_suite(testbed: &Path, only: &[&str]) -> Report {
    let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
    let suite = Suite::open("testbed").unwrap().only(&only).unwrap();
    let prepared = suite.prepare(testbed, &Choice::default()).unwrap();
    let store = CellStore::temporary().unwrap();
    let counts = prepared.cell_counts();
    assert!(prepared.run_cells(&store, |index| 0..counts[index], &Watch::default()));
    prepared.report(&store).unwrap()
}

#[test]
fn the_testbed_is_predicted_and_the_page_about_it_is_true() {
    let Some(testbed) = shared("the_testbed_is_predicted", "testbed") else { return };
    let report = run_suite(&testbed, &[]);
    let lines = texts::conclusions(&report);
    println!("{}\n{}", report::table(&report), lines.join("\n"));
    assert_eq!(report.configurations.len(), 16);
    assert!(report.holds(), "{lines:?}");
    // Configurations rank as measured, not for want of pairs.
    assert!(report.ranking.len() > 40, "{}", report.ranking.len());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/validation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let anew = "`meshsim validate --suite testbed --traces DIR --markdown docs/validation.md` writes it anew";
    assert!(page.starts_with(&report::table(&report)), "the table is not that of the suite: {anew}");
    for line in lines {
        assert!(page.contains(&line), "`{line}` is missing: {anew}");
    }
}

/// Requests of a trace by status.
fn statuses(folder: &Path) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let codes = summary["codes"].as_object().unwrap();
    codes.iter().map(|(code, count)| (code.clone(), count.as_f64().unwrap())).collect()
}

/// Whether a share is within three standard errors of one that was counted among `n`.
fn agrees(simulated: f64, measured: f64, n: f64) -> bool {
    let spread = simulated.max(1.0 / n);
    (simulated - measured).abs() <= 3.0 * (spread * (1.0 - spread) / n).sqrt()
}

const KILL: &str = "mesh-s0123-rtt160-6-kill-s1";
const KILL_EJECTED: &str = "mesh-s0123-rtt160-6-kill-s1-eject100";
const NO_MESH: &str = "nomesh-s0123-rtt160-8";

#[test]
fn failures_have_the_statuses_that_were_measured() {
    let Some(testbed) = shared("failures_have_the_statuses", "testbed") else { return };
    for it in run_suite(&testbed, &[KILL, KILL_EJECTED, NO_MESH]).configurations {
        let measured = statuses(&testbed.join(&it.name));
        let all: f64 = measured.values().sum();
        // Envoy's flag comes after the status.
        let simulated = |code: &str| -> f64 {
            let of_code =
                it.validation.simulated_statuses.iter().filter(|(status, _)| status.starts_with(code));
            of_code.map(|(_, share)| share).sum()
        };
        println!("{}: measured {measured:?}, simulated {:?}", it.name, it.validation.simulated_statuses);
        for code in ["200", "500", "503"] {
            let count = measured.get(code).copied().unwrap_or(0.0);
            assert!(agrees(simulated(code), count / all, all), "{}: {code}", it.name);
        }
        let other: f64 = it.validation.simulated_statuses.values().sum::<f64>()
            - ["200", "500", "503"].map(simulated).iter().sum::<f64>();
        assert!(other.abs() < 1e-9, "{}", it.name);
    }
}

/// Requests to s1 per stretch of 20 s that a cluster served: from when (s), measured and simulated.
fn served_s1(it: &Finished, cluster: &str) -> Vec<(f64, f64, f64)> {
    let rows = it.validation.over_time.iter();
    let of = rows.filter(|row| row.service == "s1" && row.cluster.as_deref() == Some(cluster));
    of.map(|row| (row.from_seconds, 20.0 * row.measured_per_second, 20.0 * row.simulated_per_second))
        .collect()
}

/// The pod dies 40 s after the warm-up and is back after 131 s; one run's counts vary as Poisson's.
#[test]
fn who_serves_over_time_is_who_was_measured() {
    let Some(testbed) = shared("who_serves_over_time", "testbed") else { return };
    for it in run_suite(&testbed, &[KILL, KILL_EJECTED]).configurations {
        let edge = served_s1(&it, "edge1");
        assert!(edge.len() >= 8, "{edge:?}");
        println!("{}: s1 at the edge from s, measured, simulated: {edge:?}", it.name);
        for &(from, measured, simulated) in &edge {
            let near = (measured - simulated).abs() <= 3.5 * (simulated + 1.0).sqrt();
            assert!(near, "{}: from {from} s: {measured} against {simulated}", it.name);
            let dead = (40.0..120.0).contains(&from);
            assert!(!dead || measured + simulated == 0.0, "{}: from {from} s", it.name);
        }
        let cloud = served_s1(&it, "cloud");
        println!("{}: in the cloud: {cloud:?}", it.name);
        assert_eq!(cloud.is_empty(), it.name == KILL, "{cloud:?}");
        for (from, measured, simulated) in cloud {
            let near = (measured - simulated).abs() <= 3.5 * (simulated + 1.0).sqrt();
            assert!(near, "{}: from {from} s: {measured} against {simulated}", it.name);
        }
    }
}

/// Every work model that µBench ships is read, or refused with a location.
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
        let source =
            Arc::new(SourceText { name: name.clone(), text: std::fs::read_to_string(&path).unwrap() });
        match mubench::read(&source) {
            Ok(found) => {
                assert!(found.application.services.len() >= 2, "{name}");
                read += 1;
            }
            Err(problems) => {
                println!("{name} is refused: {}", problems.0[0]);
                assert!(problems.0.iter().all(|problem| problem.location.is_some()), "{problems}");
            }
        }
    }
    assert!(read >= 5, "only {read} were read");
}
