//! Fits a scenario to what was measured.
//!
//! # Models
//! Two steps. Where spans are given, the self times of each service give its law of service times
//! ([`self_time`], [`fit_law`]). Then named values are searched that bring the simulated latencies of
//! users nearest to the measured ones ([`objective`], [`search`]). Both are fitted to the first part of
//! the measurement; the residuals of the rest, which was held out, say what the fit is worth. How well a
//! value is known comes from refits to bootstrap series and from profiles ([`surrogate`], `identify`).
//! Values are written with their draws into a copy of the scenario ([`mod@write`]).
//!
//! # Assumptions
//! - The trace was taken under the scenario's own load. Effect: else what queueing adds goes into the
//!   parameters; a note says where the rates differ.
//! - Laws and searched values are drawn independently of each other. Effect: where both are fitted
//!   their draws spread more than they should.

pub mod fit_law;
mod identify;
pub mod objective;
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

#[cfg(test)]
mod tests;

pub use plan::{CalibrationPlan, Inputs};
