//! The runs of a drill as cells: a strategy in a replication, undisturbed or with a failure, each kept as it is finished.
//!
//! # Models
//! Cells are numbered strategy by strategy, replication by replication, failure by failure. The undisturbed run of a
//! strategy in a replication is run by whoever has one of its failures, as pilots of a comparison are.

use super::failure::Failure;
use super::heard::Heard;
use super::outcome::{Outcome, Ran, compare};
use super::{DrillPlan, StrategyPlan};
use crate::experiment::Watch;
use crate::experiment::cell::CellId;
use crate::experiment::compare::run_if_missing;
use crate::experiment::replication::run_one;
use crate::experiment::store::{Broken, CellStore};
use crate::resolve::Resolved;
use rayon::prelude::*;
use std::ops::Range;

/// A strategy in a replication.
struct Trial<'a> {
    plan: &'a DrillPlan,
    strategy: &'a StrategyPlan,
    replication: u32,
    /// The numbers of its cells.
    cells: Range<usize>,
}

impl DrillPlan {
    /// How many cells it has, without undisturbed runs.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.strategies.iter().map(|it| it.failures.len()).sum::<usize>() * self.replications as usize
    }

    /// Runs these of its cells that are not in the store, on the threads of the current rayon pool, and keeps each there as
    /// it finishes. False if not all are there then.
    ///
    /// What cannot be kept interrupts it: see [`CellStore::failure`].
    pub fn run_cells(&self, store: &CellStore, which: Range<usize>, watch: &Watch<'_>) -> bool {
        let chosen = |trial: &Trial<'_>| {
            let of = |number: usize| number.clamp(trial.cells.start, trial.cells.end) - trial.cells.start;
            of(which.start)..of(which.end)
        };
        let trials: Vec<Trial<'_>> = self.trials().filter(|it| !chosen(it).is_empty()).collect();
        let one = |trial: &Trial<'_>| {
            trial.run_undisturbed(store, watch);
            let failures = &trial.strategy.failures[chosen(trial)];
            failures.par_iter().for_each(|failure| trial.run_failure(failure, store, watch));
            failures.iter().all(|it| store.holds(trial.id(Some(it))))
        };
        trials.par_iter().map(one).reduce(|| true, |a, b| a && b)
    }

    /// What is in the store of the undisturbed runs of a strategy, by replication.
    pub(super) fn undisturbed_in(&self, store: &CellStore, strategy: &StrategyPlan) -> Vec<Ran> {
        (0..self.replications).filter_map(|it| store.get(self.id(strategy, it, None))).collect()
    }

    /// What is in the store of a failure under a strategy, by replication.
    pub(super) fn outcomes_in(
        &self,
        store: &CellStore,
        strategy: &StrategyPlan,
        failure: &Failure,
    ) -> Vec<Outcome> {
        (0..self.replications).filter_map(|it| store.get(self.id(strategy, it, Some(failure)))).collect()
    }

    fn trials(&self) -> impl Iterator<Item = Trial<'_>> {
        let each = self.strategies.iter().flat_map(|it| (0..self.replications).map(move |of| (it, of)));
        let mut first = 0;
        each.map(move |(strategy, replication)| {
            let cells = first..first + strategy.failures.len();
            first = cells.end;
            Trial { plan: self, strategy, replication, cells }
        })
    }

    fn id(&self, strategy: &StrategyPlan, replication: u32, failure: Option<&Failure>) -> CellId {
        let StrategyPlan { resolved, times, .. } = strategy;
        CellId::of(&[
            "drill",
            &self.sha256,
            &resolved.strategy,
            &resolved.description.seed.to_string(),
            &replication.to_string(),
            failure.map_or("", |it| &it.name),
            &format!("{times:?}"),
        ])
    }
}

impl Trial<'_> {
    fn id(&self, failure: Option<&Failure>) -> CellId {
        self.plan.id(self.strategy, self.replication, failure)
    }

    fn seconds(&self) -> f64 {
        self.strategy.times.over.as_secs_f64()
    }

    /// What is said of a run of it that has failed.
    fn broken(&self, failure: Option<&Failure>, why: String) -> Broken {
        Broken {
            of: failure.map_or("undisturbed", |it| &it.name).to_owned(),
            strategy: self.strategy.resolved.strategy.clone(),
            run: format!("replication {}", self.replication),
            why,
        }
    }

    fn run_undisturbed(&self, store: &CellStore, watch: &Watch<'_>) {
        let run = || self.hear(&self.strategy.resolved, watch);
        run_if_missing(store, self.id(None), (watch, self.seconds()), run, |why| self.broken(None, why));
    }

    /// Runs it with a failure, and holds it against the undisturbed run, which is there.
    fn run_failure(&self, failure: &Failure, store: &CellStore, watch: &Watch<'_>) {
        let StrategyPlan { resolved, times, .. } = self.strategy;
        let run = || {
            let undisturbed: Ran = store.get(self.id(None))?;
            let mut disturbed = resolved.clone();
            failure.befall(&mut disturbed.description, times.begins, times.ends);
            let ran = self.hear(&disturbed, watch)?;
            Some(compare(&resolved.description, times, failure, &undisturbed, ran))
        };
        let broken = |why| self.broken(Some(failure), why);
        run_if_missing(store, self.id(Some(failure)), (watch, self.seconds()), run, broken);
    }

    /// Runs the strategy so, and listens to its users.
    fn hear(&self, resolved: &Resolved, watch: &Watch<'_>) -> Option<Ran> {
        let mut heard = Heard::new(resolved.description.populations.len());
        let mut figures =
            run_one(resolved, self.replication, watch, |row| heard.add(row, &self.strategy.times))?;
        let decisions = std::mem::take(&mut figures.decisions);
        // Histograms are large.
        Some(Ran { heard, decisions, figures: Some(figures).filter(|_| !resolved.objectives.is_empty()) })
    }
}
