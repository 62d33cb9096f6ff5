//! All strategies over the same requests.

use super::Watch;
use super::replication::{self, Figures, Keep, Rows};
use super::warm_up::{self, WarmUp};
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use rayon::prelude::*;

/// A comparison that is ready to run.
#[derive(Clone, Debug)]
pub struct ComparisonPlan {
    /// The scenario under each strategy.
    pub strategies: Vec<Resolved>,
    /// The index of the strategy that the others are compared with.
    pub baseline: usize,
    /// Independent repetitions.
    pub replications: u32,
    /// Hash of the scenario.
    pub sha256: String,
}

/// What came of it: per finished replication, in order, the figures of each strategy.
#[derive(Clone, Debug)]
pub struct ComparisonOutcome {
    /// Numbers of the replications that finished, and their figures.
    pub replications: Vec<(u32, Vec<Figures>)>,
    /// Whether it was stopped before all of them had.
    pub interrupted: bool,
    /// What was cut from the replications of each strategy; nothing where none finished.
    pub warm_ups: Vec<WarmUp>,
}

/// What a caller chooses, beside the settings of the scenario.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// These strategies alone, in this order.
    pub strategies: Vec<String>,
    /// The baseline.
    pub baseline: Option<String>,
    /// The number of replications.
    pub replications: Option<u32>,
    /// The seed.
    pub seed: Option<u64>,
}

impl ComparisonPlan {
    /// Resolves the chosen strategies of a scenario: all of them if none is chosen, and the base as
    /// it stands if it has none.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario, or a name that it does not know.
    pub fn new(scenario: &Scenario, choice: &Choice) -> Checked<Self> {
        if let Some(twice) = duplicate(&choice.strategies) {
            let problem = Problem::new(format!("the strategy `{twice}` is chosen twice"));
            return Err(problem.help("name each strategy once").into());
        }
        let indices: Vec<Option<usize>> = if choice.strategies.is_empty() {
            match scenario.strategies().len() {
                0 => vec![None],
                count => (0..count).map(Some).collect(),
            }
        } else {
            choice.strategies.iter().map(|name| scenario.strategy(Some(name))).collect::<Checked<_>>()?
        };
        let mut strategies: Vec<Resolved> =
            indices.iter().map(|&index| scenario.resolve(index)).collect::<Checked<_>>()?;
        if let Some(seed) = choice.seed {
            strategies.iter_mut().for_each(|resolved| resolved.description.seed = seed);
        }
        let baseline = match &choice.baseline {
            Some(name) => {
                scenario.strategy(Some(name))?;
                find(&strategies, name).ok_or_else(|| {
                    Problem::new(format!("the baseline `{name}` is not among the chosen strategies"))
                        .help("add --strategy for it")
                })?
            }
            None => strategies[0].baseline.clone().and_then(|name| find(&strategies, &name)).unwrap_or(0),
        };
        Ok(Self {
            baseline,
            replications: choice.replications.unwrap_or(strategies[0].replications),
            sha256: scenario.sha256()?,
            strategies,
        })
    }

    /// Simulated time of the whole comparison, pilots included (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        let of = |it: &Resolved| it.description.end().as_secs_f64();
        self.strategies.iter().map(of).sum::<f64>() * f64::from(self.replications)
            + warm_up::pilot_seconds(&self.strategies)
    }

    /// Runs it on the threads of the current rayon pool.
    #[must_use]
    pub fn run(&self, rows: Rows<'_>, watch: &Watch<'_>) -> ComparisonOutcome {
        let Some(settled) = warm_up::settle(&self.strategies, watch) else {
            return ComparisonOutcome { replications: Vec::new(), interrupted: true, warm_ups: Vec::new() };
        };
        let (strategies, warm_ups): (Vec<Resolved>, Vec<WarmUp>) = settled.into_iter().unzip();
        let keep = Keep { rows, ..Keep::for_replications(self.replications) };
        let all: Vec<Option<(u32, Vec<Figures>)>> = (0..self.replications)
            .into_par_iter()
            .map(|number| Some((number, replication::run(&strategies, number, keep, watch)?)))
            .collect();
        let interrupted = all.iter().any(Option::is_none);
        ComparisonOutcome { replications: all.into_iter().flatten().collect(), interrupted, warm_ups }
    }
}

/// The first name that was there before.
fn duplicate(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| name)
}

fn find(strategies: &[Resolved], name: &str) -> Option<usize> {
    strategies.iter().position(|resolved| resolved.strategy == name)
}
