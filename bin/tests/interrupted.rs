//! Runs that are stopped, and outputs that nobody reads.

#![allow(clippy::unwrap_used)] // A test may panic.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(arguments: &[&str], out: &Path) -> Child {
    // Whoever runs the tests may ignore a hang-up.
    Command::new("env")
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_meshsim")])
        .args(arguments)
        .args(["--threads", "1", "--quiet", "--out", out.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn summary(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

/// Waits until something that a child does is there.
fn wait_for(mut is_there: impl FnMut() -> bool) {
    for _ in 0..1_500 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come");
}

#[test]
fn each_signal_to_end_keeps_what_is_finished() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let directory = tempfile::tempdir().unwrap();
        let endless = ["compare", "slow-endpoint", "--replications", "10000", "--set", "run.duration=20s"];
        let mut child = start(&endless, directory.path());
        std::thread::sleep(Duration::from_secs(2));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "SIG{name}");
        let summary = summary(directory.path());
        let finished = summary["run"]["replications"].as_u64().unwrap();
        assert!((1..10_000).contains(&finished), "SIG{name}: {finished}");
        assert_eq!(summary["run"]["interrupted"], true);
        let manifest = std::fs::read_to_string(directory.path().join("manifest.json")).unwrap();
        assert!(manifest.contains("\"interrupted\": true"), "{manifest}");
    }
}

const ENDLESS_SWEEP: [&str; 8] = [
    "sweep",
    "slow-endpoint",
    "--set",
    "users.edge1.rate=10/s,11/s,12/s,13/s,14/s,15/s,16/s,17/s,18/s,19/s,20/s,21/s,22/s,23/s,24/s",
    "--set",
    "run.seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32",
    "--set",
    "run.duration=20s",
];

/// Points of a table that may still grow: whole ones alone.
fn points(out: &Path) -> usize {
    let table = std::fs::read_to_string(out.join("sweep.csv")).unwrap_or_default();
    assert!(table.is_empty() || table.ends_with('\n'), "a row is cut: {table}");
    let means = table.lines().filter(|line| line.contains(",latency_ms.mean,")).count();
    let last = table.lines().filter(|line| line.contains(",requests.in_flight,")).count();
    assert_eq!(means, last, "a point is cut");
    means
}

#[test]
fn a_killed_sweep_keeps_the_points_that_were_finished() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start(&ENDLESS_SWEEP, directory.path());
    wait_for(|| points(directory.path()) >= 4);
    signal(&child, "KILL");
    child.wait().unwrap();
    assert!(points(directory.path()) >= 4);
    assert!(!directory.path().join("manifest.json").exists(), "it is not whole");
    assert!(directory.path().join(".meshsim").exists(), "it is meshsim's: the next run takes it");
    let again = ["sweep", "slow-endpoint", "--set", "users.edge1.rate=10/s", "--set", "run.duration=20s"];
    assert_eq!(start(&again, directory.path()).wait().unwrap().code(), Some(0));
    assert!(directory.path().join("manifest.json").exists());
}

#[test]
fn a_terminated_sweep_keeps_its_points_in_the_order_of_the_grid() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start(&ENDLESS_SWEEP, directory.path());
    wait_for(|| points(directory.path()) >= 4);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let manifest = std::fs::read(directory.path().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let finished = manifest["finished_points"].as_u64().unwrap();
    assert!((1..480).contains(&finished) && manifest["points"] == 480, "{manifest}");
}

#[test]
fn a_run_that_was_told_to_ignore_a_hang_up_does_so() {
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_meshsim");
    let out = directory.path().join("out");
    let mut child = Command::new("nohup")
        .args([program, "compare", "slow-endpoint", "--replications", "10000", "--set", "run.duration=20s"])
        .args(["--threads", "1", "--quiet", "--out", out.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_result_that_nobody_has_got_is_no_success() {
    let program = env!("CARGO_BIN_EXE_meshsim");
    for arguments in ["library fluidos-mesh", "check slow-endpoint", "--help", "--version"] {
        // The reader is gone before anything is written.
        let line = format!("sleep 0.2; {program} {arguments}; echo $? >&2");
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(said.ends_with("\n1\n") || said == "1\n", "{arguments}: {said}");
        assert!(!said.contains("panicked"), "{arguments}: {said}");
    }
}
