//! Comparison of simulated with measured latencies: what was measured, how far it is to be trusted,
//! and how far a simulation is from it.

pub mod arrivals;
pub mod cpu_accounting;
pub mod cpu_scale;
pub mod distance;
pub mod figures;
pub mod groups;
pub mod hops;
pub mod measured;
pub mod report;
pub mod run;
pub mod simulated;
pub mod suite;
pub mod tolerance;
pub mod watch;

#[cfg(test)]
mod tests;
