//! What figures say: estimates with intervals, and a verdict.

pub mod demand;
pub mod estimates;
pub mod queue_growth;
pub mod ranking;
pub mod verdict;
