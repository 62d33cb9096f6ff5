//! A comparison again and again, each time with another draw of what a calibration fitted.

use super::Watch;
use super::compare::{Choice, ComparisonPlan};
use super::store::CellStore;
use crate::analysis::summary::Summary;
use crate::document::{Setting, path_parts};
use crate::problem::{Checked, Problem};
use crate::scenario::Scenario;
use rayon::prelude::*;

/// Comparisons over draws that are ready to run.
#[derive(Clone, Debug)]
pub struct OverDraws {
    plans: Vec<ComparisonPlan>,
}

impl OverDraws {
    /// The first `count` draws of the scenario's calibration. `plan` is the comparison at the calibrated
    /// values, `settings` are those with which it was opened.
    ///
    /// # Errors
    /// If the scenario has no calibration or fewer draws, a setting changes a calibrated value, or
    /// something is wrong with a draw.
    pub fn new(
        scenario: &Scenario,
        settings: &[Setting],
        plan: &ComparisonPlan,
        choice: &Choice,
        count: usize,
    ) -> Checked<Self> {
        let draws = &plan.strategies[0].calibration_draws;
        if draws.len() < count {
            let message = match draws.len() {
                0 => "the scenario has no draws of a calibration".to_owned(),
                some => format!("the scenario has {some} draws of a calibration, not {count}"),
            };
            let help = "`meshsim calibrate SCENARIO --trace FILE --out FILE.toml --draws N` writes some";
            return Err(Problem::new(message).help(help).into());
        }
        let drawn = draws.first().into_iter().flatten();
        for it in drawn {
            let of_user = |setting: &&Setting| path_parts(&setting.path).starts_with(&path_parts(&it.path));
            if let Some(setting) = settings.iter().find(of_user) {
                let problem = Problem::new(format!("--set {} changes a calibrated value", setting.path));
                return Err(problem.help("each draw sets it: leave one of the two out").into());
            }
        }
        let plan_of = |(number, draw): (usize, &Vec<Setting>)| {
            let of = format!("draw {}", number + 1);
            let plan = ComparisonPlan::new(&scenario.with_for(&format!("{of}:"), draw)?, choice)?;
            Checked::Ok(ComparisonPlan { of, ..plan })
        };
        let plans = draws.iter().take(count).enumerate().map(plan_of).collect::<Checked<_>>()?;
        Ok(Self { plans })
    }

    /// The comparison at each draw.
    #[must_use]
    pub fn plans(&self) -> &[ComparisonPlan] {
        &self.plans
    }

    /// Simulated time of all draws (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        self.plans.iter().map(ComparisonPlan::simulated_seconds).sum()
    }

    /// Runs the cells of all of them that are not in the store; draws that did not finish are left out.
    #[must_use]
    pub fn run_in(&self, store: &CellStore, watch: &Watch<'_>) -> Vec<Summary> {
        let one = |plan: &ComparisonPlan| {
            let outcome = plan.run_in(store, watch);
            (!outcome.interrupted).then(|| Summary::new(plan, &outcome))
        };
        let summaries: Vec<Option<Summary>> = self.plans.par_iter().map(one).collect();
        summaries.into_iter().flatten().collect()
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.plans.len()
    }
}
