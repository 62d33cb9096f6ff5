//! When the simulated users send their requests: as the traced ones did, or as the scenario says.
//!
//! # Models
//! The rate of an open loop becomes that of the trace: its requests after the warm-up over their
//! span. How arrivals are spaced stays the scenario's.
//!
//! # Assumptions
//! A closed loop sends when its answers come: its rate is an outcome, and stays. So does a rate that
//! varies, or a recording: the scenario says when requests come, and the trace does not replace it.

use crate::resolve::Resolved;
use crate::traces::Trace;
use meshsim_models::users::arrivals::Arrivals;
use serde::Serialize;

/// Where the arrivals come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsFrom {
    /// The trace's rate.
    Trace,
    /// The scenario's rate.
    Scenario,
}

/// Gives the only population of `resolved` its arrivals, as far as `trace`, from which the warm-up
/// was taken, can say them. Tells where they come from.
#[must_use]
pub fn take_arrivals(resolved: &mut Resolved, trace: &Trace, from: ArrivalsFrom) -> ArrivalsFrom {
    let (ArrivalsFrom::Trace, Some(rate)) = (from, rate_per_second(trace)) else {
        return ArrivalsFrom::Scenario;
    };
    let Some(population) = resolved.description.populations.first_mut() else {
        return ArrivalsFrom::Scenario;
    };
    match &mut population.arrivals {
        Arrivals::Poisson { per_second } | Arrivals::Constant { per_second } => *per_second = rate,
        Arrivals::ClosedLoop { .. } | Arrivals::Varying { .. } | Arrivals::Mmpp(_) | Arrivals::Replay(_) => {
            return ArrivalsFrom::Scenario;
        }
    }
    ArrivalsFrom::Trace
}

/// Requests per second of a trace; none if it has too few or only buckets.
#[must_use]
pub fn rate_per_second(trace: &Trace) -> Option<f64> {
    let (first, last) = (trace.requests.first()?.start_us, trace.requests.last()?.start_us);
    let seconds = last.saturating_sub(first) as f64 / 1e6;
    // Between n requests there are n - 1 gaps.
    let rate = (trace.requests.len() - 1) as f64 / seconds;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
