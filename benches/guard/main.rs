//! The guard: instructions and memory per unit of work, held against a committed table.
//!
//! `cargo bench --profile release --workspace --bench guard` runs every case of `cases` under callgrind, which counts
//! only while the case's world runs, and compares with `table.toml`. More than 2 % (kernel) or 3 %
//! (scenarios) above it fails; `-- --write "REASON"` writes what was counted, with the reason, for the
//! commit that changes it. Counts repeat to the digit on one compiler; under another than the table's
//! they are printed and judged by nobody.

#![allow(clippy::print_stdout)] // It prints its table.

mod callgrind;
mod cases;
mod table;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["case", name] => run_case(name),
        [] => check(None),
        ["--write", reason] => check(Some(reason)),
        _ => {
            eprintln!("usage: guard [--write REASON]");
            ExitCode::from(2)
        }
    }
}

/// One case, in a process of its own: prints how many units of work it did.
fn run_case(name: &str) -> ExitCode {
    match cases::find(name) {
        Some(case) => {
            println!("{}", (case.run)());
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("there is no case `{name}`");
            ExitCode::from(2)
        }
    }
}

fn check(reason: Option<&str>) -> ExitCode {
    if !callgrind::is_there() {
        println!("guard: skipped, valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    let before = table::read();
    let measured: Vec<table::Row> = cases::ALL.iter().map(measure).collect();
    let compiler = callgrind::compiler();
    if let Some(reason) = reason {
        table::write(&compiler, measured, &before, reason);
        return ExitCode::SUCCESS;
    }
    let is_judged = before.rustc == compiler;
    if !is_judged {
        println!("guard: the table is of rustc {}, this is {compiler}: nothing is judged", before.rustc);
    }
    let worse: Vec<_> = measured.iter().filter(|row| !before.show(row)).collect();
    if worse.is_empty() || !is_judged {
        return ExitCode::SUCCESS;
    }
    println!("guard: {} of {} figures are worse than the table allows", worse.len(), measured.len());
    println!(
        "find out why; if it must be so: cargo bench --profile release --workspace --bench guard -- --write \"REASON\""
    );
    ExitCode::FAILURE
}

fn measure(case: &cases::Case) -> table::Row {
    let value = match case.figure {
        cases::Figure::Instructions => callgrind::instructions_per_unit(case.name),
        cases::Figure::Bytes => (case.run)(),
    };
    table::Row {
        name: case.name.into(),
        unit: case.unit.into(),
        value,
        allowed_percent: case.allowed_percent,
        reason: String::new(),
    }
}
