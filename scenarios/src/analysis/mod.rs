//! What figures say: estimates with intervals, a summary of them, and a verdict.

pub mod best_of_points;
pub mod coefficients;
pub mod demand;
pub mod dimension;
pub mod estimates;
pub mod figure;
pub mod figures;
mod names;
pub mod objectives;
mod paired;
pub mod queue_growth;
pub mod ranking;
mod served;
mod strategy;
mod subset;
pub mod summary;
pub mod value;
pub mod verdict;
pub mod workloads;
