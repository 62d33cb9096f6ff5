//! Comparison of simulated with measured latencies: what was measured, how far it is to be trusted,
//! and how far a simulation is from it.

pub mod cpu_accounting;
pub mod distance;
pub mod measured;
pub mod run;

#[cfg(test)]
mod tests;
