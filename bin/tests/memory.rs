//! Too little memory: a message and exit code 1.

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
