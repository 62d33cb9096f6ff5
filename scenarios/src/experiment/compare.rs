//! All strategies over the same requests.

use super::Watch;
use super::cell::{CellId, Cells, Purpose};
use super::replication::{self, Figures, Keep, Rows};
use super::store::{Broken, CellStore};
use super::trunk::Trunk;
use super::warm_up::{self, FIRST_PILOT, WarmUp};
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use meshsim_core::SimTime;
use rayon::prelude::*;
use serde::Serialize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

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
    /// Which one it is of an experiment's comparisons, as in `at 20ms`; empty if it is the only one.
    pub of: String,
    /// When all strategies go on from the baseline's state; absent: each runs from the start. Such runs are kept in no store.
    pub fork_at: Option<SimTime>,
}

/// What came of it: per finished replication, in order, the figures of each strategy.
#[derive(Clone, Debug)]
pub struct ComparisonOutcome {
    /// Numbers of the replications that finished, and their figures.
    pub replications: Vec<(u32, Vec<Figures>)>,
    /// Whether not all of them have: it was stopped, or runs have failed.
    pub interrupted: bool,
    /// The runs that have failed, where they are kept in no store, which knows them else.
    pub broken: Vec<Broken>,
    /// What was cut from the replications of each strategy; nothing where none finished.
    pub warm_ups: Vec<WarmUp>,
}

impl ComparisonOutcome {
    /// Further replications of the same.
    pub(super) fn extend(&mut self, more: Self) {
        self.replications.extend(more.replications);
        self.interrupted |= more.interrupted;
    }
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
            of: String::new(),
            fork_at: None,
            strategies,
        })
    }

    /// Whether the scenario has objectives.
    #[must_use]
    pub fn has_objectives(&self) -> bool {
        self.strategies.iter().any(|it| !it.objectives.is_empty())
    }

    /// Simulated time of the whole comparison, pilots included (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        let (trunk, forked) = match self.fork_at {
            Some(at) => (at.as_secs_f64(), at),
            None => (0.0, SimTime::ZERO),
        };
        let of = |it: &Resolved| (it.description.end() - forked).as_secs_f64();
        (trunk + self.strategies.iter().map(of).sum::<f64>()) * f64::from(self.replications)
            + warm_up::pilot_seconds(&self.strategies)
    }

    /// Runs it on the threads of the current rayon pool.
    #[must_use]
    pub fn run(&self, rows: Rows<'_>, watch: &Watch<'_>) -> ComparisonOutcome {
        let broken = Mutex::new(Vec::new());
        let note = |it| broken.lock().unwrap_or_else(PoisonError::into_inner).push(it);
        let pilot = |index: usize, number: u32| {
            self.attempt(index, number, || warm_up::run_pilot(&self.strategies[index], number, watch), note)
        };
        let settled = warm_up::settle_by(&self.strategies, &pilot).unwrap_or_default();
        let (mut strategies, mut warm_ups): (Vec<Resolved>, Vec<WarmUp>) = settled.into_iter().unzip();
        if self.fork_at.is_some() && !strategies.is_empty() {
            let cut = (strategies[self.baseline].description.warm_up, warm_ups[self.baseline].clone());
            strategies.iter_mut().for_each(|it| it.description.warm_up = cut.0);
            warm_ups.fill(cut.1);
        }
        let keep = Keep { rows, ..Keep::for_replications(self.replications) };
        let keeps_work = !matches!(rows, Rows::Dropped);
        let one = |number: u32| {
            let grow = |at| Trunk::grows(&strategies[self.baseline], (number, at), keeps_work, watch);
            let trunk = match self.fork_at {
                Some(at) => Some(self.attempt(self.baseline, number, || grow(at), note)?),
                None => None,
            };
            let of = |index: usize| {
                let run =
                    || replication::run_among(&strategies, index, (number, trunk.as_ref()), keep, watch);
                self.attempt(index, number, run, note)
            };
            let figures: Vec<Option<Figures>> = (0..self.strategies.len()).into_par_iter().map(of).collect();
            Some((number, figures.into_iter().collect::<Option<Vec<Figures>>>()?))
        };
        let is_settled = strategies.len() == self.strategies.len();
        let numbers = if is_settled { 0..self.replications } else { 0..0 };
        let all: Vec<Option<(u32, Vec<Figures>)>> = numbers.into_par_iter().map(one).collect();
        let replications: Vec<(u32, Vec<Figures>)> = all.into_iter().flatten().collect();
        let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
        broken.sort_unstable();
        let interrupted = replications.len() < self.replications as usize;
        ComparisonOutcome { replications, interrupted, broken, warm_ups }
    }

    /// Runs a strategy, by its index, in a replication or a pilot, and notes if that fails.
    fn attempt<T>(
        &self,
        index: usize,
        number: u32,
        run: impl FnOnce() -> Option<T>,
        note: impl FnOnce(Broken),
    ) -> Option<T> {
        unless_it_breaks(run).unwrap_or_else(|why| {
            note(self.broken(index, number, why));
            None
        })
    }

    /// What is said of a run of a strategy, by its index, that has failed in a replication or a pilot.
    pub(crate) fn broken(&self, index: usize, number: u32, why: String) -> Broken {
        let run = match number.checked_sub(FIRST_PILOT) {
            Some(pilot) => format!("pilot {}", pilot + 1),
            None => format!("replication {number}"),
        };
        Broken { of: self.of.clone(), strategy: self.strategies[index].strategy.clone(), run, why }
    }

    pub(super) fn cells(&self) -> Cells {
        Cells::of(&self.sha256, &self.strategies, Keep::for_replications(self.replications).batches)
    }

    /// Runs those of its cells that are not in the store, on the threads of the current rayon pool, and keeps each there as
    /// it finishes; then takes the outcome from there. Memory holds no cell while others run.
    ///
    /// What cannot be kept interrupts it: see [`CellStore::failure`].
    #[must_use]
    pub fn run_in(&self, store: &CellStore, watch: &Watch<'_>) -> ComparisonOutcome {
        self.run_cells(store, 0..self.cell_count(), watch);
        self.outcome_in(store)
    }

    /// How many cells it has, without pilots.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.replications as usize * self.strategies.len()
    }

    /// Runs these of its cells, which are numbered replication by replication, without those that are in the store, and
    /// keeps them there. False if not all are there then.
    pub fn run_cells(&self, store: &CellStore, which: Range<usize>, watch: &Watch<'_>) -> bool {
        if which.is_empty() {
            return true;
        }
        let cells = self.cells();
        if let Some((strategies, _)) = self.settled(store, &cells, Some(watch)) {
            let keep = Keep::for_replications(self.replications);
            let count = strategies.len();
            which.clone().into_par_iter().for_each(|number| {
                let (replication, index) = ((number / count) as u32, number % count);
                let id = cells.id(Purpose::Figures, index, replication);
                let seconds = strategies[index].description.end().as_secs_f64();
                let run = || replication::run_among(&strategies, index, (replication, None), keep, watch);
                let broken = |why| self.broken(index, replication, why);
                run_if_missing(store, id, (watch, seconds), run, broken);
            });
        }
        let count = self.strategies.len();
        let id = |number| cells.id(Purpose::Figures, number % count, (number / count) as u32);
        which.into_iter().all(|number| store.holds(id(number)))
    }

    /// What the cells of a store come to, those of whole replications; nothing runs.
    #[must_use]
    pub fn outcome_in(&self, store: &CellStore) -> ComparisonOutcome {
        self.outcome_of(store, 0..self.replications)
    }

    /// The same of these replications alone.
    pub(super) fn outcome_of(&self, store: &CellStore, which: Range<u32>) -> ComparisonOutcome {
        let cells = self.cells();
        let broken = Vec::new();
        let Some((strategies, warm_ups)) = self.settled(store, &cells, None) else {
            return ComparisonOutcome {
                replications: Vec::new(),
                interrupted: true,
                broken,
                warm_ups: Vec::new(),
            };
        };
        let of = |index, replication| store.get(cells.id(Purpose::Figures, index, replication));
        let whole = |replication| {
            let figures: Option<Vec<Figures>> =
                (0..strategies.len()).map(|index| of(index, replication)).collect();
            Some((replication, figures?))
        };
        let replications: Vec<(u32, Vec<Figures>)> = which.clone().filter_map(whole).collect();
        let interrupted = replications.len() < which.len();
        ComparisonOutcome { replications, interrupted, broken, warm_ups }
    }

    /// The strategies cut where they settle, by pilots that are in the store or, if there is a watch, are run and kept.
    pub(super) fn settled(
        &self,
        store: &CellStore,
        cells: &Cells,
        watch: Option<&Watch<'_>>,
    ) -> Option<(Vec<Resolved>, Vec<WarmUp>)> {
        let pilot = |index: usize, number: u32| {
            let resolved = &self.strategies[index];
            let id = cells.id(Purpose::Pilot, index, number);
            if store.holds(id) || store.is_broken(id) {
                watch.iter().for_each(|watch| (watch.progress)(resolved.description.end().as_secs_f64()));
                return store.get(id);
            }
            let run = || warm_up::run_pilot(resolved, number, watch?);
            let series = self.attempt(index, number, run, |why| store.breaks(id, why))?;
            store.put(id, &series).then_some(series)
        };
        Some(warm_up::settle_by(&self.strategies, &pilot)?.into_iter().unzip())
    }
}

/// Runs a cell that neither is in a store nor has failed, and keeps it there; so many seconds of simulated time are done
/// then either way.
pub(crate) fn run_if_missing<T: Serialize>(
    store: &CellStore,
    id: CellId,
    (watch, seconds): (&Watch<'_>, f64),
    run: impl FnOnce() -> Option<T>,
    broken: impl FnOnce(String) -> Broken,
) {
    if store.holds(id) || store.is_broken(id) {
        (watch.progress)(seconds);
    } else if store.failure().is_none() {
        match unless_it_breaks(run) {
            Ok(Some(result)) => {
                store.put(id, &result);
            }
            Ok(None) => {}
            Err(why) => store.breaks(id, broken(why)),
        }
    }
}

/// What a run comes to, or why it fails: a model that breaks an invariant of its own panics.
fn unless_it_breaks<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // Nothing of a world that breaks is used again.
    catch_unwind(AssertUnwindSafe(run)).map_err(|why| {
        let text = why.downcast_ref::<&str>().map(|it| (*it).to_owned());
        text.or_else(|| why.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "for no reason that it says".into())
    })
}

/// The first name that was there before.
fn duplicate(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| name)
}

fn find(strategies: &[Resolved], name: &str) -> Option<usize> {
    strategies.iter().position(|resolved| resolved.strategy == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Setting;

    #[test]
    fn a_run_that_breaks_says_why_and_stops_no_other() {
        assert_eq!(unless_it_breaks(|| 7), Ok(7));
        let number = 3;
        assert_eq!(
            unless_it_breaks(|| assert!(number == 4, "{number} is not four")),
            Err("3 is not four".into())
        );
        let settings =
            [Setting::parse("run.duration=2s").unwrap(), Setting::parse("run.warm_up=0s").unwrap()];
        let scenario = Scenario::open("slow-endpoint", &settings).unwrap();
        let plan =
            ComparisonPlan::new(&scenario, &Choice { replications: Some(3), ..Choice::default() }).unwrap();
        let store = CellStore::temporary().unwrap();
        // As if the second replication had failed under the first strategy.
        let fails = |purpose, number| {
            let note = |why| store.breaks(plan.cells().id(purpose, 0, number), why);
            let nothing: Option<()> = plan.attempt(0, number, || panic!("so"), note);
            assert!(nothing.is_none());
        };
        fails(Purpose::Figures, 1);
        let outcome = plan.run_in(&store, &Watch::default());
        assert!(outcome.interrupted && store.count() == 3 * plan.strategies.len() - 1, "it is not run again");
        let numbers: Vec<u32> = outcome.replications.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 2], "what is whole is reported");
        fails(Purpose::Pilot, FIRST_PILOT + 1);
        let name = &plan.strategies[0].strategy;
        let words: Vec<String> = store.broken().iter().map(ToString::to_string).collect();
        let expected = ["pilot 2", "replication 1"].map(|run| format!("{run} of `{name}` failed: so"));
        assert_eq!(words, expected);
    }

    #[test]
    fn a_pilot_that_breaks_leaves_its_comparison_out() {
        let settings = [Setting::parse("run.duration=2s").unwrap()];
        let scenario = Scenario::open("fluidos-mesh", &settings).unwrap();
        let choice = Choice { replications: Some(2), strategies: vec!["all".into()], ..Choice::default() };
        let mut plan = ComparisonPlan::new(&scenario, &choice).unwrap();
        plan.strategies.iter_mut().for_each(|it| it.auto_warm_up = true);
        plan.of = "at 2s".into();
        let store = CellStore::temporary().unwrap();
        let id = plan.cells().id(Purpose::Pilot, 0, FIRST_PILOT);
        let nothing: Option<()> = plan.attempt(0, FIRST_PILOT, || panic!("so"), |why| store.breaks(id, why));
        assert!(nothing.is_none() && plan.run_in(&store, &Watch::default()).replications.is_empty());
        assert!(store.broken()[0].to_string().starts_with("at 2s: pilot 1 of `"), "{:?}", store.broken());
    }
}
