//! When the simulated users send their requests: as the traced ones did, or as the scenario says.
//!
//! # Models
//! *Rate*: the rate of an open loop that does not vary becomes that of the trace, its requests after
//! the warm-up over their span; how arrivals are spaced stays the scenario's. *Replay*: every request
//! of the trace, those of its warm-up too, comes at its own moment; the run is as long as the trace.
//!
//! # Assumptions
//! A closed loop sends when its answers come: its rate is an outcome, and stays. So does a rate that
//! the scenario lets vary. A replay makes all replications send at the same moments. Effect: the
//! simulated interval does not have what other arrivals would change.

use crate::resolve::Resolved;
use crate::traces::Trace;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::arrivals::replay::Replay;
use serde::{Deserialize, Serialize};

/// Where the arrivals come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsFrom {
    /// The trace's rate.
    Rate,
    /// The trace's moments.
    Replay,
    /// The scenario.
    Scenario,
}

/// Gives the only population of `resolved` its arrivals, as far as `trace`, which still has its
/// warm-up of `warm_up` seconds, can say them. Tells where they come from.
pub fn take_arrivals(
    resolved: &mut Resolved,
    trace: &Trace,
    warm_up: f64,
    from: ArrivalsFrom,
) -> ArrivalsFrom {
    let taken = match from {
        ArrivalsFrom::Rate => take_rate(resolved, trace, warm_up),
        ArrivalsFrom::Replay => replay(resolved, trace, warm_up),
        ArrivalsFrom::Scenario => None,
    };
    if taken.is_some() { from } else { ArrivalsFrom::Scenario }
}

fn take_rate(resolved: &mut Resolved, trace: &Trace, warm_up: f64) -> Option<()> {
    let from = trace.requests.first()?.start_us.saturating_add((warm_up * 1e6) as u64);
    let begin = trace.requests.partition_point(|request| request.start_us < from);
    let reported: Vec<u64> = trace.requests[begin..].iter().map(|request| request.start_us).collect();
    let rate = rate_per_second(&reported)?;
    match &mut resolved.description.populations.first_mut()?.arrivals {
        Arrivals::Poisson { per_second } | Arrivals::Constant { per_second } => *per_second = rate,
        _ => return None,
    }
    Some(())
}

fn replay(resolved: &mut Resolved, trace: &Trace, warm_up: f64) -> Option<()> {
    let first = trace.requests.first()?.start_us;
    let after = |request: &crate::traces::TraceRequest| SimDuration::from_micros(request.start_us - first);
    let times: Vec<SimTime> = trace.requests.iter().map(|request| SimTime::ZERO + after(request)).collect();
    let warm_up = SimDuration::from_secs_f64(warm_up);
    let description = &mut resolved.description;
    description.duration = (*times.last()? - SimTime::ZERO).saturating_sub(warm_up);
    description.warm_up = warm_up;
    description.populations.first_mut()?.arrivals = Arrivals::Replay(Replay::once(times.into()));
    Some(())
}

/// Requests per second, from their starts (us, ascending); none of too few.
#[must_use]
pub fn rate_per_second(starts_us: &[u64]) -> Option<f64> {
    let seconds = starts_us.last()?.saturating_sub(*starts_us.first()?) as f64 / 1e6;
    // Between n requests there are n - 1 gaps.
    let rate = (starts_us.len() - 1) as f64 / seconds;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
