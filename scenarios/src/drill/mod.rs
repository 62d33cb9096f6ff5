//! What every single failure does to every strategy: N-1 analysis, as grid operators do it.
//!
//! # Models
//! Every failure of [`Failure::all`] happens alone, at the end of the warm-up, for a time, and is looked at for a
//! time after. Each is run over the same requests as the same strategy undisturbed, replication by replication, so
//! that differences are due to the failure. Cells are independent and are put together in their order: threads change
//! nothing.
//!
//! # Assumptions
//! - Who waits longer than ten seconds has been served no better than who got an error: such a request has failed, where
//!   users say no time-out of their own, too.
//! - A warm-up that is to be found (`"auto"`) is a minute.
//! - What a scenario does not say of what joins and steers its clusters is as [`defaults`] has it.
//! - Faults and changes of the scenario itself stay what they are.
//!
//! # Source
//! N-1 criterion: ENTSO-E, Operation Handbook, policy 3. Ten seconds: Nielsen, Usability Engineering, 1993, section 5.5.

mod cells;
pub mod defaults;
pub mod failure;
mod heard;
mod outcome;
pub mod summary;
pub mod times;
mod without_endpoints;

use self::failure::{Failure, matches};
use self::times::DrillTimes;
use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::problem::{Checked, Problem, nearest};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use meshsim_core::{SimDuration, SimTime};
use std::fmt;
use std::str::FromStr;

/// How long a failure lasts if nobody says.
const DEFAULT_LASTS: SimDuration = SimDuration::from_secs(300);

/// How long it is looked for after the failure: longer than anything takes that is known to come back by itself.
const DEFAULT_AFTER: SimDuration = SimDuration::from_secs(120);

/// How long users wait if nobody says: "about the limit for keeping the user's attention".
const DEFAULT_PATIENCE: SimDuration = SimDuration::from_secs(10);

/// Where the warm-up is to be found.
const WARM_UP: SimDuration = SimDuration::from_secs(60);

/// Replications that a drill has at most if nobody asks for more: differences are paired, and most failures show in one.
const MOST_REPLICATIONS: u32 = 3;

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

impl fmt::Display for Lasts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What a caller chooses beside what a comparison has.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Patterns of failures; empty: all.
    pub only: Vec<String>,
    /// How long each lasts; absent: five minutes.
    pub lasts: Option<Lasts>,
    /// How long each run goes on after it; absent: two minutes.
    pub after: Option<Lasts>,
    /// After how long a request has failed that has no answer; absent: ten seconds.
    pub patience: Option<Lasts>,
}

impl Options {
    fn lasts(&self) -> SimDuration {
        self.lasts.map_or(DEFAULT_LASTS, |it| it.0)
    }

    fn patience(&self) -> SimDuration {
        self.patience.map_or(DEFAULT_PATIENCE, |it| it.0)
    }

    fn chooses(&self, failure: &Failure) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| matches(one, &failure.name))
    }
}

/// A drill that is ready to run.
#[derive(Clone, Debug)]
pub struct DrillPlan {
    /// The strategies.
    pub strategies: Vec<StrategyPlan>,
    /// Independent repetitions.
    pub replications: u32,
    /// How long a failure lasts.
    pub lasts: SimDuration,
    /// After how long a request has failed that has no answer.
    pub patience: SimDuration,
    /// What is said before the results.
    pub notes: Vec<String>,
    /// Hash of the scenario.
    pub sha256: String,
}

/// A strategy of a drill.
#[derive(Clone, Debug)]
pub struct StrategyPlan {
    /// The scenario under it, as it is run.
    pub resolved: Resolved,
    /// What fails under it.
    pub failures: Vec<Failure>,
    /// When.
    pub times: DrillTimes,
}

impl DrillPlan {
    /// Prepares the chosen strategies of a scenario.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario, a name that it does not know, or a pattern that no failure fits.
    pub fn new(scenario: &Scenario, choice: &Choice, options: &Options) -> Checked<Self> {
        let plan = ComparisonPlan::new(scenario, choice)?;
        let replications = choice.replications.unwrap_or(plan.replications.min(MOST_REPLICATIONS));
        let mut notes = Vec::new();
        let mut strategies: Vec<StrategyPlan> = Vec::new();
        for mut resolved in plan.strategies {
            for note in defaults::add(&mut resolved.description) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            strategies.push(StrategyPlan::new(resolved, options));
        }
        for pattern in &options.only {
            let names = || strategies.iter().flat_map(|it| &it.failures).map(|it| it.name.as_str());
            if !names().any(|name| matches(pattern, name)) {
                let problem = Problem::new(format!("--only {pattern}: no failure has such a name"));
                let help = match nearest(pattern, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "names are like link:edge1-cloud:cut, cluster:edge1:lost, node:edge1-1, gateway:edge1, \
                             istiod:cloud, api-server:cloud, pods:s1:cloud, external:payment; * is any text"
                        .to_owned(),
                };
                return Err(problem.help(help).into());
            }
        }
        strategies.iter_mut().for_each(|it| it.failures.retain(|failure| options.chooses(failure)));
        Ok(Self {
            strategies,
            replications,
            lasts: options.lasts(),
            patience: options.patience(),
            notes,
            sha256: plan.sha256,
        })
    }

    /// Simulated time of all runs (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        let of = |it: &StrategyPlan| it.times.over.as_secs_f64() * (it.failures.len() + 1) as f64;
        self.strategies.iter().map(of).sum::<f64>() * f64::from(self.replications)
    }
}

impl StrategyPlan {
    /// A strategy as the drill runs it, and all that may fail under it.
    fn new(mut resolved: Resolved, options: &Options) -> Self {
        let description = &mut resolved.description;
        if resolved.auto_warm_up {
            description.warm_up = WARM_UP;
            resolved.auto_warm_up = false;
        }
        let lasts = options.lasts();
        description.duration = lasts.saturating_add(options.after.map_or(DEFAULT_AFTER, |it| it.0));
        description.keeps_decisions = true;
        description.time_series = None;
        let begins = SimTime::ZERO + description.warm_up;
        let patience = options.patience();
        let times = DrillTimes { begins, ends: begins + lasts, over: description.end(), patience };
        let failures = Failure::all(description);
        Self { resolved, failures, times }
    }
}
