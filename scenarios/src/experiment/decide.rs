//! Which strategy is the fastest, with as many replications of each as that takes.
//!
//! # Models
//! Kim and Nelson's procedure (`meshsim_core::stats::selection`) over the mean latencies of replications, freed of what control
//! variates know of their luck: all strategies have the first replications, then those that may still be the fastest have one more
//! at a time.

use super::Watch;
use super::cell::Purpose;
use super::compare::ComparisonPlan;
use super::replication::Figures;
use super::store::CellStore;
use super::warm_up::FIRST_PILOT;
use crate::analysis::coefficients::Coefficients;
use crate::problem::{Checked, Problem, clip};
use meshsim_core::SimDuration;
use meshsim_core::stats::selection::Sequential;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// How sure a selection is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decide {
    /// Probability that the fastest is selected, or one within the indifference of it.
    pub confidence: f64,
    /// A difference that does not matter (ms).
    pub indifference_ms: f64,
}

impl Decide {
    /// As people write it, `95%` and `1ms`, about a plan.
    ///
    /// # Errors
    /// If it is neither a share from 50 % on nor a time above zero, or there is nothing to decide.
    pub fn parse(confidence: &str, indifference: &str, plan: &ComparisonPlan) -> Checked<Self> {
        let share = confidence.trim().strip_suffix('%').and_then(|it| it.trim().parse::<f64>().ok());
        let share = share.filter(|it| (50.0..100.0).contains(it)).ok_or_else(|| {
            let problem = Problem::new(format!("--decide {} is no share that decides", clip(confidence)));
            problem.help("write one from 50% to less than 100%, as in 95%")
        })?;
        let time = indifference.parse::<SimDuration>().ok().filter(|it| *it > SimDuration::ZERO).ok_or_else(
            || {
                let problem =
                    Problem::new(format!("--indifference {} is no time above zero", clip(indifference)));
                problem.help("write a difference that does not matter, as in 1ms")
            },
        )?;
        if plan.strategies.len() < 2 || plan.replications < 2 {
            let problem = Problem::new("--decide has nothing to decide");
            return Err(problem.help("it needs two strategies, and two first replications of each").into());
        }
        Ok(Self { confidence: share / 100.0, indifference_ms: time.as_millis_f64() })
    }
}

/// A strategy that was selected by Kim and Nelson's procedure, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// Which; nothing if too many replications would be needed.
    pub selected: Option<String>,
    /// Probability that it is the fastest, or within the indifference of it.
    pub confidence: f64,
    /// A difference that does not matter (ms).
    pub indifference_ms: f64,
    /// Replications that all strategies have.
    pub first_replications: u32,
    /// Replications of each strategy.
    pub replications: BTreeMap<String, u32>,
}

impl ComparisonPlan {
    /// Runs one more cell of each strategy that is left, until one is (see [`Sequential`]), and keeps them in the store.
    /// The first replications, all of the plan, are run under every strategy. Nothing if it was told to stop before that, or
    /// some replication of a strategy answers no request.
    #[must_use]
    pub fn decide_in(&self, store: &CellStore, decide: Decide, watch: &Watch<'_>) -> Option<Decision> {
        let count = self.strategies.len();
        if !self.run_cells(store, 0..self.cell_count(), watch) {
            return None;
        }
        let cells = self.cells();
        let latest = self.settled(store, &cells, None)?.0;
        let last = latest.iter().map(|it| it.description.warm_up).max()?;
        let cut_last = latest.iter().position(|it| it.description.warm_up == last)?;
        let figures = |index: usize, replication: u32| -> Option<Figures> {
            store.get(cells.id(Purpose::Figures, index, replication))
        };
        // What the first replications say of control variates holds for all.
        let coefficients = |index: usize| {
            let first: Vec<Figures> =
                (0..self.replications).map(|it| figures(index, it)).collect::<Option<_>>()?;
            Some(Coefficients::of_all(&first.iter().collect::<Vec<_>>()))
        };
        let coefficients: Vec<Coefficients> = (0..count).map(coefficients).collect::<Option<_>>()?;
        // Of the requests that count under all strategies.
        let mean = |index: usize, replication: u32, of_last: &Figures| -> Option<f64> {
            let freed = figures(index, replication)?.compared.less(|group, drawn| match group {
                None => coefficients[index].luck_ms(drawn),
                Some(_) => 0.0,
            });
            freed.mean_ms(&of_last.compared).filter(|mean| mean.is_finite())
        };
        let reference = figures(cut_last, 0)?;
        let first = |index| {
            (0..self.replications).map(|it| mean(index, it, &reference)).collect::<Option<Vec<f64>>>()
        };
        let mut values: Vec<Vec<f64>> = (0..count).map(first).collect::<Option<_>>()?;
        let mut sequential = Sequential::new(&values, decide.confidence, decide.indifference_ms);
        sequential.screen(&values);
        let mut replication = self.replications;
        // No selection takes more replications: pilots have higher numbers.
        while sequential.alive().len() > 1 && replication < FIRST_PILOT {
            let ran: Vec<bool> = sequential
                .alive()
                .par_iter()
                .map(|&index| {
                    let number = replication as usize * count + index;
                    self.run_cells(store, number..number + 1, watch)
                })
                .collect();
            if ran.contains(&false) {
                return None;
            }
            for &index in sequential.alive() {
                values[index].push(mean(index, replication, &reference)?);
            }
            sequential.screen(&values);
            replication += 1;
        }
        let selected = match sequential.alive() {
            [only] => Some(self.strategies[*only].strategy.clone()),
            _ => None,
        };
        Some(Decision {
            selected,
            confidence: decide.confidence,
            indifference_ms: decide.indifference_ms,
            first_replications: self.replications,
            replications: self
                .strategies
                .iter()
                .zip(&values)
                .map(|(it, of)| (it.strategy.clone(), of.len() as u32))
                .collect(),
        })
    }
}
