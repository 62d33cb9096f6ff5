//! Fits a scenario to what was measured.
//!
//! # Models
//! Two steps. Where spans are given, the self times of each service ([`self_time`]) give its law of service times: the one under
//! which a run of the scenario has the same self times, waiting and all (`match_laws`). Then named values are searched that bring the simulated latencies of
//! users nearest to the measured ones ([`objective`], [`search`]). Both are fitted to the first part of
//! the measurement; the residuals of the rest, which was held out, say what the fit is worth. How well a
//! value is known comes from refits to bootstrap series and from profiles ([`surrogate`], `identify`).
//! Values are written with their draws into a copy of the scenario ([`mod@write`]).
//!
//! # Assumptions
//! - The trace was taken under the scenario's own load. Effect: else what queueing adds goes into the
//!   parameters and laws; a note says where the rates differ.
//! - Scale and laws are told by their product alone. Effect: with both, the laws hold the CPU time of a request that the scenario has
//!   (`service_laws`).
//! - Laws and searched values are drawn independently of each other. Effect: where both are fitted
//!   their draws spread more than they should.

pub mod fit_law;
mod identify;
mod match_laws;
pub mod objective;
mod own_times;
pub mod parameter;
mod plan;
pub mod report;
pub mod resample;
mod residuals;
mod run;
pub mod search;
pub mod self_time;
mod service_laws;
mod split;
pub mod surrogate;
pub mod write;
mod written_law;

#[cfg(test)]
mod tests;

pub use plan::{CalibrationPlan, Inputs};
