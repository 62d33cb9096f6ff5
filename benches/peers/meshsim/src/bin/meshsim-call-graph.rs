//! The call graph of meshsim's benchmarks on its kernel: `meshsim-call-graph REQUESTS` (about so many).

#[path = "../../../../src/call_graph.rs"]
#[allow(dead_code, reason = "the benchmarks' model, whole")]
mod call_graph;

use meshsim_core::RunControl;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(requests) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: meshsim-call-graph REQUESTS");
        return ExitCode::from(2);
    };
    let mut engine = call_graph::engine();
    engine.run(&mut RunControl::until(call_graph::end_after(requests)));
    for graph in engine.processes() {
        println!("units {}", graph.answered());
        println!("mean_ms {:.4}", graph.mean_latency().unwrap_or(0.0) * 1e3);
    }
    ExitCode::SUCCESS
}
