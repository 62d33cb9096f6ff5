//! What the benchmarks run on the bare kernel: two models without any mesh.

pub mod call_graph;
pub mod mm1;
