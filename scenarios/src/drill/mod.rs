//! What every single failure does to every strategy: N-1 analysis, as grid operators do it.
//!
//! # Models
//! Every failure of [`Failure::all`] happens alone, at the end of the warm-up, for a time, and is looked at for a
//! time after. Each is run over the same requests as the same strategy undisturbed, replication by replication, so
//! that differences are due to the failure. Cells are independent and are put together in their order: threads change
//! nothing.
//!
//! # Assumptions
//! - A warm-up that is to be found (`"auto"`) is a minute.
//! - Where a scenario says nothing of istiod, its defaults hold (debounce, pushes that take time), one in each cluster.
//! - Faults and changes of the scenario itself stay what they are.
//!
//! # Source
//! N-1 criterion: ENTSO-E, Operation Handbook, policy 3.

mod cell;
pub mod failure;
pub mod summary;
pub mod times;

use self::cell::{Heard, Outcome, compare};
use self::failure::{Failure, matches};
use self::times::DrillTimes;
use crate::experiment::Watch;
use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::experiment::replication::{Figures, run_one};
use crate::problem::{Checked, Problem, nearest};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::world::description::DataPlane;
use rayon::prelude::*;
use std::str::FromStr;

/// How long a failure lasts if nobody says.
const DEFAULT_LASTS: SimDuration = SimDuration::from_secs(300);

/// Where the warm-up is to be found.
const WARM_UP: SimDuration = SimDuration::from_secs(60);

/// After the failure it is looked for as long as that lasts, but for no less than this.
const LEAST_AFTER: SimDuration = SimDuration::from_secs(120);

/// Replications that a drill has at most if nobody asks for more.
const MOST_REPLICATIONS: u32 = 5;

/// A length of time that somebody asks for: from a second to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasts(SimDuration);

impl FromStr for Lasts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time: SimDuration = text.parse().map_err(|error| format!("{error}"))?;
        let [least, most] = [1, 86_400].map(SimDuration::from_secs);
        match (least..=most).contains(&time) {
            true => Ok(Self(time)),
            false => Err(format!("{time} is out of range: it is {least} to {most}")),
        }
    }
}

/// What a caller chooses beside what a comparison has.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Patterns of failures; empty: all.
    pub only: Vec<String>,
    /// How long each lasts; absent: five minutes.
    pub lasts: Option<Lasts>,
    /// How long each run goes on after it; absent: as long as it lasts, and at least two minutes.
    pub after: Option<Lasts>,
}

impl Options {
    fn lasts(&self) -> SimDuration {
        self.lasts.map_or(DEFAULT_LASTS, |it| it.0)
    }
}

/// A drill that is ready to run.
#[derive(Clone, Debug)]
pub struct DrillPlan {
    /// The scenario under each strategy, with what fails under it and when.
    pub strategies: Vec<(Resolved, Vec<Failure>, DrillTimes)>,
    /// Independent repetitions.
    pub replications: u32,
    /// How long a failure lasts.
    pub lasts: SimDuration,
    /// What is said before the results.
    pub notes: Vec<String>,
    /// Hash of the scenario.
    pub sha256: String,
}

/// What came of it: per strategy and failure, per finished replication.
pub struct DrillOutcome {
    cells: Vec<Vec<Vec<(u32, Outcome)>>>,
    /// Whether it was stopped before all was done.
    pub interrupted: bool,
}

impl DrillPlan {
    /// Prepares the chosen strategies of a scenario.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario, a name that it does not know, or a pattern that no failure fits.
    pub fn new(scenario: &Scenario, choice: &Choice, options: &Options) -> Checked<Self> {
        let plan = ComparisonPlan::new(scenario, choice)?;
        let mut notes = Vec::new();
        let replications = choice.replications.unwrap_or(plan.replications.min(MOST_REPLICATIONS));
        if plan.strategies.iter().any(takes_defaults) {
            notes.push(
                "the scenario has no [istiod]: its defaults hold here (debounce of 100 ms, 2 cores, one in each \
                 cluster), so pushes take time"
                    .to_owned(),
            );
        }
        let strategies: Vec<_> = plan.strategies.into_iter().map(|it| prepare(it, options)).collect();
        for pattern in &options.only {
            let names = || strategies.iter().flat_map(|(_, failures, _)| failures).map(|it| it.name.as_str());
            if !names().any(|name| matches(pattern, name)) {
                let problem = Problem::new(format!("--only {pattern}: no failure has such a name"));
                let help = match nearest(pattern, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "names are like link:edge1-cloud:cut, cluster:edge1:lost, node:edge1-1, gateway:edge1, \
                             istiod:cloud, api-server:cloud, pods:s1:cloud; * is any text"
                        .to_owned(),
                };
                return Err(problem.help(help).into());
            }
        }
        let is_chosen =
            |it: &Failure| options.only.is_empty() || options.only.iter().any(|one| matches(one, &it.name));
        let strategies = strategies
            .into_iter()
            .map(|(resolved, failures, times)| {
                (resolved, failures.into_iter().filter(|it| is_chosen(it)).collect(), times)
            })
            .collect();
        Ok(Self { strategies, replications, lasts: options.lasts(), notes, sha256: plan.sha256 })
    }

    /// Simulated time of all runs (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        let of = |(_, failures, times): &(Resolved, Vec<Failure>, DrillTimes)| {
            times.over.as_secs_f64() * (failures.len() + 1) as f64
        };
        self.strategies.iter().map(of).sum::<f64>() * f64::from(self.replications)
    }

    /// Runs it on the threads of the current rayon pool.
    #[must_use]
    pub fn run(&self, watch: &Watch<'_>) -> DrillOutcome {
        let undisturbed: Vec<Vec<Option<(Heard, Figures)>>> = self
            .strategies
            .par_iter()
            .map(|(resolved, _, times)| {
                let one = |number| hear(resolved, times, number, watch);
                (0..self.replications).into_par_iter().map(one).collect()
            })
            .collect();
        let cells: Vec<Vec<Tried>> = self
            .strategies
            .par_iter()
            .zip(&undisturbed)
            .map(|((resolved, failures, times), bases)| {
                let of_failure = |failure: &Failure| {
                    let one = |number: u32| {
                        let (base, figures) = bases[number as usize].as_ref()?;
                        let outcome = try_out(resolved, failure, times, (base, figures), number, watch)?;
                        Some((number, outcome))
                    };
                    (0..self.replications).into_par_iter().map(one).collect()
                };
                failures.par_iter().map(of_failure).collect()
            })
            .collect();
        let interrupted = cells.iter().flatten().flatten().any(Option::is_none);
        let finished = |it: Tried| it.into_iter().flatten().collect();
        let cells = cells.into_iter().map(|it| it.into_iter().map(finished).collect()).collect();
        DrillOutcome { cells, interrupted }
    }
}

/// The replications of a failure under a strategy; nothing of those that were stopped.
type Tried = Vec<Option<(u32, Outcome)>>;

/// Whether a strategy has an istiod of which the scenario says nothing.
fn takes_defaults(resolved: &Resolved) -> bool {
    let description = &resolved.description;
    description.istiod.is_none() && description.mesh.data_plane != DataPlane::None
}

/// A strategy as the drill runs it, and what fails under it.
fn prepare(mut resolved: Resolved, options: &Options) -> (Resolved, Vec<Failure>, DrillTimes) {
    if takes_defaults(&resolved) {
        resolved.description.istiod = Some(IstiodSettings::default());
    }
    let description = &mut resolved.description;
    if resolved.auto_warm_up {
        description.warm_up = WARM_UP;
        resolved.auto_warm_up = false;
    }
    let lasts = options.lasts();
    let after = options.after.map_or(lasts.max(LEAST_AFTER), |it| it.0);
    description.duration = lasts.saturating_add(after);
    description.keeps_decisions = true;
    description.time_series = None;
    let begins = SimTime::ZERO + description.warm_up;
    let times = DrillTimes { begins, ends: begins + lasts, over: description.end() };
    let failures = Failure::all(description);
    (resolved, failures, times)
}

/// Runs a strategy and listens to its users.
fn hear(resolved: &Resolved, times: &DrillTimes, number: u32, watch: &Watch<'_>) -> Option<(Heard, Figures)> {
    let mut heard = Heard::new(resolved.description.populations.len());
    let figures = run_one(resolved, number, watch, |row| heard.add(row, times))?;
    Some((heard, figures))
}

/// Runs a strategy in which something fails, and holds it against the undisturbed one.
fn try_out(
    resolved: &Resolved,
    failure: &Failure,
    times: &DrillTimes,
    (base, base_figures): (&Heard, &Figures),
    number: u32,
    watch: &Watch<'_>,
) -> Option<Outcome> {
    let mut disturbed = resolved.clone();
    failure.befall(&mut disturbed.description, times.begins, times.ends);
    let (heard, figures) = hear(&disturbed, times, number, watch)?;
    let taken = failure.takes(&resolved.description);
    Some(compare(resolved, times, &taken, (base, base_figures), (&heard, figures)))
}
