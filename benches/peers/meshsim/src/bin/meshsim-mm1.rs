//! An M/M/1 queue at load 0.9 on meshsim's kernel: `meshsim-mm1 CUSTOMERS` (about so many).

#[path = "../../../../src/mm1.rs"]
#[allow(dead_code, reason = "the benchmarks' model, whole")]
mod mm1;

use meshsim_core::RunControl;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(customers) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: meshsim-mm1 CUSTOMERS");
        return ExitCode::from(2);
    };
    let mut engine = mm1::engine();
    engine.run(&mut RunControl::until(mm1::end_after(customers)));
    for queue in engine.processes() {
        println!("units {}", queue.served());
        println!("mean_ms {:.4}", queue.mean_sojourn().unwrap_or(0.0) * 1e3);
    }
    ExitCode::SUCCESS
}
