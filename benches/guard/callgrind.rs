//! Counting instructions: a case runs in a process of its own under callgrind.

use std::process::{Command, Stdio};

/// Runs what is to be counted. Callgrind is told to count while it is in this function.
#[inline(never)]
pub(crate) fn counted(run: &mut dyn FnMut()) {
    run();
    // A last statement of its own: the call above must not become a jump out of this function.
    std::hint::black_box(());
}

/// Whether valgrind can be run.
pub(crate) fn is_there() -> bool {
    let status = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The compiler's version.
pub(crate) fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("a compiler is there");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(1).unwrap_or("unknown").into()
}

/// Instructions of a case per unit of its work.
pub(crate) fn instructions_per_unit(case: &str) -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*callgrind::counted*")
        .arg(program)
        .args(["case", case])
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {said}");
    let units: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of units");
    // "==123== Collected : 602123456"
    let counted = said.lines().filter_map(|line| line.split_once("Collected :")).next_back();
    let counted: f64 = counted.and_then(|(_, count)| count.trim().parse().ok()).expect("a count");
    assert!(counted > 0.0, "{case}: callgrind did not see the function that is counted");
    counted / units
}
