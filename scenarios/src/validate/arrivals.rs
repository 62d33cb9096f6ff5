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

use crate::problem::{Checked, Problem};
use crate::resolve::{Resolved, too_many_requests, too_many_samples};
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

/// Gives the only population of `resolved` its arrivals: as it is asked for, or else at the rate of
/// `trace`, which still has its warm-up of `warm_up` seconds, as far as there is one. Tells where they
/// come from.
///
/// # Errors
/// If the trace or the scenario's users do not allow what is asked for, or the run would be too long.
pub fn take_arrivals(
    resolved: &mut Resolved,
    trace: &Trace,
    warm_up: f64,
    from: Option<ArrivalsFrom>,
) -> Checked<ArrivalsFrom> {
    let taken = match from {
        Some(ArrivalsFrom::Scenario) => Some(()),
        Some(ArrivalsFrom::Replay) => replay(resolved, trace, warm_up)?,
        Some(ArrivalsFrom::Rate) | None => take_rate(resolved, trace, warm_up),
    };
    if let Some(problem) = too_many_requests(&resolved.description) {
        return Err(problem.into());
    }
    match (from, taken) {
        (Some(from), Some(())) => Ok(from),
        (None, Some(())) => Ok(ArrivalsFrom::Rate),
        (None, None) => Ok(ArrivalsFrom::Scenario),
        (Some(from), None) => Err(Problem::new(format!("the simulated arrivals cannot be a {}", from.name()))
            .help(
                "it takes a trace with the moments of two requests or more and, for a rate, users of an open loop \
                 that does not vary; arrivals = \"scenario\" leaves the scenario's",
            )
            .into()),
    }
}

impl ArrivalsFrom {
    const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate of the trace",
            Self::Replay => "replay of the trace",
            Self::Scenario => "matter of the scenario",
        }
    }
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

/// A replay lasts at most this long: a longer one has a moment that is wrong.
const LONGEST: SimDuration = SimDuration::from_secs(100 * 86_400);

fn replay(resolved: &mut Resolved, trace: &Trace, warm_up: f64) -> Checked<Option<()>> {
    let [first, .., last] = &trace.requests[..] else { return Ok(None) };
    let first = first.start_us;
    let length = SimDuration::from_micros(last.start_us - first);
    if length > LONGEST {
        let days = length.as_secs_f64() / 86_400.0;
        let problem = Problem::new(format!("the requests of the trace span {days:.0} days"));
        return Err(problem.help("a replay lasts at most 100: is a moment in it wrong?").into());
    }
    let after = |request: &crate::traces::TraceRequest| SimDuration::from_micros(request.start_us - first);
    let times: Vec<SimTime> = trace.requests.iter().map(|request| SimTime::ZERO + after(request)).collect();
    let warm_up = SimDuration::from_secs_f64(warm_up);
    let description = &mut resolved.description;
    description.duration = length.saturating_sub(warm_up);
    description.warm_up = warm_up;
    if let Some(population) = description.populations.first_mut() {
        population.arrivals = Arrivals::Replay(Replay::once(times.into()));
    }
    let end = description.end();
    if let Some(change) = description.kubernetes.changes.iter().find(|change| change.at >= end) {
        let problem =
            Problem::new(format!("a change comes at {}, and the replayed trace ends at {end}", change.at));
        return Err(problem.help("take it out, or take --arrivals rate").into());
    }
    if let Some(problem) = description.time_series.and_then(|it| too_many_samples(it, length)) {
        return Err(problem.into());
    }
    Ok(Some(()))
}

/// Requests per second, from their starts (us, ascending); none of too few.
#[must_use]
pub fn rate_per_second(starts_us: &[u64]) -> Option<f64> {
    let seconds = starts_us.last()?.saturating_sub(*starts_us.first()?) as f64 / 1e6;
    // Between n requests there are n - 1 gaps.
    let rate = (starts_us.len() - 1) as f64 / seconds;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
