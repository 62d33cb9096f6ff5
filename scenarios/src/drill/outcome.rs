//! What a failure came to in a replication: how a run differs from the undisturbed one over the same requests.
//!
//! # Models
//! Request k is the same request in both runs. A request fails because of a failure if it has no good answer in time,
//! where it has one undisturbed. Time is looked at in windows of a second, by the requests' arrivals: a window is
//! disturbed if at least a hundredth of its requests more fail than undisturbed.
//!
//! # Assumptions
//! - Closed loops send other requests at other times once one is late: of these, only how many fail is compared.
//! - What noticed the failure first is the first decision that the undisturbed run does not have, which may, rarely,
//!   be another one that came of other chance.

use super::failure::Failure;
use super::heard::{Heard, WINDOW, Window, window_of};
use super::times::DrillTimes;
use super::without_endpoints::without_endpoints;
use crate::experiment::replication::Figures;
use meshsim_core::SimTime;
use meshsim_models::ids::ServiceId;
use meshsim_models::telemetry::decision::{Decision, What};
use meshsim_models::world::description::Description;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A run in which nothing fails, or what is kept of one in which something does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ran {
    pub(super) heard: Heard,
    /// What was decided, in the order of time.
    pub(super) decisions: Vec<Decision>,
    /// What the whole run came to, where objectives ask for it.
    pub(super) figures: Option<Figures>,
}

/// What a failure came to in a replication.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// By population: the shares of its requests that fail because of it, during and after.
    pub(super) failing: Vec<[f64; 2]>,
    /// The same of all users.
    pub(super) failing_all: [f64; 2],
    /// How long after the failure it was noticed (s).
    pub(super) noticed: Option<f64>,
    /// How long after the failure users were served again (s); absent: not before its end.
    pub(super) moved: Option<f64>,
    /// How long after its end all was as before (s); absent: not before that of the run.
    pub(super) restored: Option<f64>,
    /// p95 of good answers to requests of the meantime, disturbed and undisturbed (ms).
    pub(super) p95_ms: [f64; 2],
    pub(super) evictions: f64,
    /// Services without any ready endpoint at some time.
    pub(super) without_endpoints: BTreeSet<ServiceId>,
    /// What the whole run came to, where objectives ask for it.
    pub(super) figures: Option<Figures>,
}

/// How a run in which something fails differs from the undisturbed one.
pub(super) fn compare(
    description: &Description,
    times: &DrillTimes,
    failure: &Failure,
    undisturbed: &Ran,
    disturbed: Ran,
) -> Outcome {
    let (before, now) = (&undisturbed.heard, &disturbed.heard);
    let failing = |population| {
        [(times.begins, times.ends), (times.ends, times.over)]
            .map(|(from, to)| now.failing(population, from, to) - before.failing(population, from, to))
    };
    // How long after the begin of a span the last of its windows that is bad is over, if one of it is good after that.
    let good_after = |from: SimTime, to: SimTime, is_bad: fn(Window, Window) -> bool| {
        let mut windows = window_of(from)..window_of(to);
        match windows.rfind(|&it| is_bad(now.window(it), before.window(it))) {
            None => Some(0.0),
            Some(last) if last + 1 >= window_of(to) => None,
            Some(last) => Some((WINDOW.as_secs_f64() * (last + 1) as f64 - from.as_secs_f64()).max(0.0)),
        }
    };
    let others: Vec<&Decision> = differing(&disturbed.decisions, &undisturbed.decisions, times.begins);
    let evictions =
        others.iter().filter(|it| matches!(it.what, What::PodEvicted(_) | What::PodDrained(_))).count();
    Outcome {
        failing: (0..description.populations.len()).map(|it| failing(Some(it))).collect(),
        failing_all: failing(None),
        noticed: others.first().map(|it| (it.at - times.begins).as_secs_f64()),
        moved: good_after(times.begins, times.ends, Window::fails),
        restored: good_after(times.ends, times.over, Window::is_worse),
        p95_ms: [now.p95_ms(), before.p95_ms()],
        evictions: evictions as f64,
        without_endpoints: without_endpoints(
            description,
            times,
            &failure.takes(description),
            &disturbed.decisions,
        ),
        figures: disturbed.figures,
    }
}

/// The decisions from a moment on that others do not have, and that are no faults.
fn differing<'a>(all: &'a [Decision], others: &[Decision], from: SimTime) -> Vec<&'a Decision> {
    let is_reaction = |it: &&Decision| {
        let is_given = matches!(
            it.what,
            What::PodFault(..) | What::LinkFault(..) | What::Outage(..) | What::UsersMove(..)
        );
        it.at >= from && !is_given && {
            let begins = others.partition_point(|other| other.at < it.at);
            !others[begins..].iter().take_while(|other| other.at == it.at).any(|other| other == *it)
        }
    };
    all.iter().filter(is_reaction).collect()
}
