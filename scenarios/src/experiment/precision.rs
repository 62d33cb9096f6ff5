//! As many replications as it takes to know a latency.
//!
//! # Models
//! A comparison has its replications, at least ten, and then as many more as the figure needs under every strategy to be known
//! to a share of it with 95 % (`meshsim_core::stats::precision`). All strategies have equally many: they are compared in pairs.

use super::Watch;
use super::compare::{ComparisonOutcome, ComparisonPlan};
use super::replication::Figures;
use super::store::CellStore;
use super::warm_up::FIRST_PILOT;
use crate::analysis::figure::{Cells, Figure};
use crate::analysis::figures;
use crate::problem::{Checked, Problem, clip};
use meshsim_core::stats::precision::replications_for;
use serde::{Serialize, Serializer};

/// How well which latency is to be known.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Precision {
    /// The mean, or a quantile.
    #[serde(serialize_with = "by_name")]
    figure: &'static Figure,
    /// How far its interval may reach (percent of the value).
    percent: f64,
}

fn by_name<S: Serializer>(figure: &&'static Figure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(figure.short_name())
}

impl Precision {
    /// As people write it, `2%` and `p95`, about a plan.
    ///
    /// # Errors
    /// If it is no share between 0 and 100 %, no latency, or the plan has a single replication.
    pub fn parse(share: &str, figure: &str, plan: &ComparisonPlan) -> Checked<Self> {
        let percent = share.trim().strip_suffix('%').and_then(|it| it.trim().parse::<f64>().ok());
        let percent = percent.filter(|it| *it > 0.0 && *it < 100.0).ok_or_else(|| {
            Problem::new(format!("--precision {} is no share of a figure", clip(share)))
                .help("write one above 0% and below 100%, as in 2%")
        })?;
        let figure = figures::latencies().find(|it| it.short_name() == figure).ok_or_else(|| {
            let names: Vec<&str> = figures::latencies().map(Figure::short_name).collect();
            Problem::new(format!("--figure {} is no latency", clip(figure)))
                .help(format!("one of {}", names.join(", ")))
        })?;
        if plan.replications < 2 {
            let problem = Problem::new("--precision: one replication has no interval");
            return Err(problem.help("two or more to begin with; it takes ten in any case").into());
        }
        Ok(Self { figure, percent })
    }

    /// What was reached with so many replications, in a sentence.
    #[must_use]
    pub fn sentence(&self, replications: u32) -> String {
        let (figure, percent) = (self.figure.short_name(), self.percent);
        format!(
            "The {figure} latency under every strategy is known to {percent} % after {replications} replications."
        )
    }

    /// How many replications there are to be, by those that there are of all strategies.
    fn wanted(&self, plan: &ComparisonPlan, outcome: &ComparisonOutcome) -> Checked<u32> {
        let mut wanted = plan.replications;
        for (index, resolved) in plan.strategies.iter().enumerate() {
            let figures: Vec<&Figures> = outcome.replications.iter().map(|(_, it)| &it[index]).collect();
            let description = &resolved.description;
            let cells =
                Cells { description, figures: &figures, settles: description.what_varies().is_empty() };
            let needed = self.replications(&cells).ok_or_else(|| {
                let (figure, name) = (self.figure.short_name(), &resolved.strategy);
                Problem::new(format!("the {figure} latency under `{name}` has no interval"))
                    .help("a replication has too few requests beyond it: raise run.duration")
            })?;
            wanted = wanted.max(needed);
        }
        Ok(wanted)
    }

    /// How many replications there are to be, by those that there are of a strategy.
    fn replications(&self, cells: &Cells<'_>) -> Option<u32> {
        replications_for(&self.figure.estimate(cells, None)?, self.percent / 100.0)
    }
}

impl ComparisonPlan {
    /// The same with as many replications as that takes, and what came of them, which is in the store then; less where it was
    /// told to stop, or a run has failed: see [`ComparisonOutcome::interrupted`]. Each cell is read once.
    ///
    /// # Errors
    /// If replications have no interval, or more than there can be would be needed.
    pub fn precise_in(
        &self,
        store: &CellStore,
        precision: Precision,
        watch: &Watch<'_>,
    ) -> Checked<(Self, ComparisonOutcome)> {
        let mut plan = self.clone();
        let mut outcome = plan.run_in(store, watch);
        loop {
            if outcome.interrupted {
                return Ok((plan, outcome));
            }
            let wanted = precision.wanted(&plan, &outcome)?;
            if wanted == plan.replications {
                return Ok((plan, outcome));
            }
            if wanted >= FIRST_PILOT {
                let problem = Problem::new(format!("{FIRST_PILOT} replications do not reach --precision"));
                return Err(problem.help("ask for less, or raise run.duration").into());
            }
            let known = plan.replications;
            plan.replications = wanted;
            plan.run_cells(store, known as usize * plan.strategies.len()..plan.cell_count(), watch);
            outcome.extend(plan.outcome_of(store, known..wanted));
        }
    }
}
