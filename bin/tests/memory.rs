//! Too little memory: a message and exit code 1, and what is finished is kept.

#![allow(clippy::unwrap_used)] // A test may panic.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

/// Runs `circuit-breaking` at a rate that nothing serves, with so much address space (kB).
fn limited(kilobytes: u64, settings: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_meshsim");
    let line = format!(
        "ulimit -v {kilobytes}; exec {program} run circuit-breaking --quiet --threads 1 --replications 1 {settings}"
    );
    Command::new("bash").args(["-c", &line]).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn requests_that_pile_up_end_the_run_with_a_message() {
    let output = limited(300_000, "--set users.edge1.rate=10000/s --set run.duration=60s");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: not enough memory: ") && said.contains(" requests in flight and "),
        "{said}"
    );
    assert!(!said.contains("memory allocation of") && !said.contains("backtrace"), "{said}");
}

#[test]
fn what_is_finished_before_the_memory_is_used_up_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    // The first point takes next to nothing, at the second requests pile up.
    let output = Command::new(env!("CARGO_BIN_EXE_meshsim"))
        .args(["sweep", "circuit-breaking", "--quiet", "--threads", "1", "--replications", "1"])
        .args(["--max-memory", "100MB", "--set", "run.duration=60s"])
        .args(["--set", "users.edge1.rate=10/s,20000/s", "--out", out])
        .output()
        .unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("and --max-memory is 100 MB; 1 of 2 points are finished"), "{said}");
    let table = std::fs::read_to_string(directory.path().join("sweep.csv")).unwrap();
    assert!(table.contains("10/s") && !table.contains("20000/s"), "{table}");
}
