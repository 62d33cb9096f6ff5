//! Where the warm-up of each strategy ends.
//!
//! # Models
//! What is written as `run.warm_up` is what is cut. With `"auto"`, or where nothing is written, a few pilot
//! replications say where a strategy settles (`settling`); that one has not settled is warned of.
//! The pilots are not among the replications that are reported: what these happen to show never
//! decides what is left of them (a rule that looks at the data it then averages cuts runs that begin high, and
//! keeps those that begin low).
//! Where faults, changes, autoscalers, moves or the load make one part of the run differ from another, under any
//! of the strategies that are run together, `"auto"` cuts nothing under any of them.

use super::Watch;
use super::leg::Leg;
use super::settling::{OverTime, SLICES, Series, settles_at};
use super::user_requests::RequestSink;
use crate::resolve::Resolved;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::Work;
use rayon::prelude::*;
use serde::Serialize;

/// Pilot replications: enough for an average that is smooth, few enough to cost little.
const PILOTS: u32 = 5;

/// The number of the first pilot: no reported replication has one as high.
pub(super) const FIRST_PILOT: u32 = 100_000;

/// What is cut from each replication of a strategy, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarmUp {
    /// How much (s).
    pub seconds: f64,
    /// Why so much.
    pub rule: Rule,
    /// What makes one part of the run differ from another, where nothing is cut because of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<&'static str>,
}

/// Why a warm-up is as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It is written in the scenario.
    Written,
    /// The pilots settled there.
    Settled,
    /// Nothing is cut: the run is not meant to settle.
    Varies,
}

/// Strategies whose warm-ups are known, with what is to be said of these, by pilots that `pilot` runs, or has kept, by the
/// strategy's index and the pilot's number. Nothing if there is none of a pilot.
pub(super) fn settle_by(
    strategies: &[Resolved],
    pilot: &(dyn Fn(usize, u32) -> Option<Series> + Sync),
) -> Option<Vec<(Resolved, WarmUp)>> {
    let because = what_varies(strategies);
    let one = |(index, resolved): (usize, &Resolved)| {
        if !resolved.auto_warm_up {
            let seconds = resolved.description.warm_up.as_secs_f64();
            let written = WarmUp { seconds, rule: Rule::Written, because: Vec::new() };
            return Some((resolved.clone(), written));
        }
        if !because.is_empty() {
            let nothing = WarmUp { seconds: 0.0, rule: Rule::Varies, because: because.clone() };
            return Some((resolved.clone(), nothing));
        }
        let cut = cut_of_pilots(resolved, &|number| pilot(index, number))?;
        let mut resolved = resolved.clone();
        resolved.description.warm_up = cut;
        resolved.description.duration = resolved.description.duration.saturating_sub(cut);
        let seconds = cut.as_secs_f64();
        Some((resolved, WarmUp { seconds, rule: Rule::Settled, because: Vec::new() }))
    };
    strategies.par_iter().enumerate().map(one).collect()
}

/// Simulated time of the pilots that these strategies need (s).
#[must_use]
pub fn pilot_seconds(strategies: &[Resolved]) -> f64 {
    if !what_varies(strategies).is_empty() {
        return 0.0;
    }
    let auto = strategies.iter().filter(|it| it.auto_warm_up);
    auto.map(|it| it.description.end().as_secs_f64()).sum::<f64>() * f64::from(PILOTS)
}

/// What makes one part of the run differ from another, under any of the strategies.
fn what_varies(strategies: &[Resolved]) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for what in strategies.iter().flat_map(|it| it.description.what_varies()) {
        if !all.contains(&what) {
            all.push(what);
        }
    }
    all
}

/// How a pilot of a strategy went over time. Nothing if it was told to stop.
pub(super) fn run_pilot(resolved: &Resolved, number: u32, watch: &Watch<'_>) -> Option<Series> {
    let mut pilot = Pilot(OverTime::new((SimTime::ZERO, resolved.description.end())));
    Leg::begins(resolved, number, false).finishes(watch, &mut pilot)?;
    Some(pilot.0.series())
}

fn cut_of_pilots(resolved: &Resolved, pilot: &(dyn Fn(u32) -> Option<Series> + Sync)) -> Option<SimDuration> {
    let pilots: Vec<Option<Series>> =
        (FIRST_PILOT..FIRST_PILOT + PILOTS).into_par_iter().map(pilot).collect();
    let pilots: Vec<Series> = pilots.into_iter().collect::<Option<_>>()?;
    let slice = resolved.description.end().as_nanos() / SLICES as u64;
    Some(SimDuration::from_nanos(slice * settles_at(pilots.iter()).slice as u64))
}

/// What is known so far of a pilot.
struct Pilot(OverTime);

impl RequestSink for Pilot {
    fn add(&mut self, row: &RequestRow, _: Option<&Work>) {
        self.0.add(row);
    }

    fn bytes(&self) -> usize {
        0
    }
}
