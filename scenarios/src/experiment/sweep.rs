//! Strategies over values of parameters.
//!
//! # Models
//! Each point is a comparison of its own. A cell whose run fails (a model breaks one of its invariants) is reported and
//! leaves its point out; the others go on.

use super::Watch;
use super::axes::{Axis, Combine};
use super::compare::{Choice, ComparisonPlan};
use super::plan::Part;
use super::store::CellStore;
use crate::analysis::summary::Summary;
use crate::document::Setting;
use crate::problem::Checked;
use crate::scenario::Scenario;
use rayon::prelude::*;

/// A point of the grid with what came of it.
#[derive(Clone, Debug)]
pub struct Point {
    /// The value of each axis.
    pub values: Vec<String>,
    /// The comparison there.
    pub summary: Summary,
}

/// A sweep that is ready to run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Its parameters.
    pub axes: Vec<Axis>,
    /// Which of their values are taken together.
    pub combine: Combine,
    /// The points, each with a value of each axis.
    pub points: Vec<Vec<String>>,
    scenario: Scenario,
    choice: Choice,
    simulated_seconds: f64,
    /// Cells of each point.
    cell_counts: Vec<usize>,
    /// All points have the same ones.
    strategies: Vec<String>,
    /// Of the first point.
    seed: u64,
}

impl Sweep {
    /// A point's settings as its name.
    #[must_use]
    pub fn name_of(&self, point: &Point) -> String {
        let settings = self.axes.iter().zip(&point.values);
        let is_only = !self.axes.iter().any(Axis::is_varied);
        let named = settings.filter(|(axis, _)| axis.is_varied() || is_only);
        named.map(|(axis, value)| format!("{}={value}", axis.path)).collect::<Vec<_>>().join(" ")
    }

    /// Resolves every point, so that a mistake is found before anything runs, and tells `look` of each one's comparison,
    /// which is forgotten then.
    ///
    /// # Errors
    /// Everything that is wrong with any point.
    pub fn new(
        scenario: &Scenario,
        (axes, combine): (Vec<Axis>, Combine),
        choice: &Choice,
        mut look: impl FnMut(&[String], &ComparisonPlan),
    ) -> Checked<Self> {
        let points = combine.points(&axes)?;
        let mut sweep = Self {
            axes,
            points,
            combine,
            scenario: scenario.clone(),
            choice: choice.clone(),
            simulated_seconds: 0.0,
            cell_counts: Vec::new(),
            strategies: Vec::new(),
            seed: 0,
        };
        let (mut seconds, mut counts, mut first) = (0.0, Vec::new(), None);
        for values in &sweep.points {
            let plan = sweep.plan(values)?;
            look(values, &plan);
            seconds += plan.simulated_seconds();
            counts.push(plan.cell_count());
            first.get_or_insert_with(|| {
                let names = plan.strategies.iter().map(|it| it.strategy.clone()).collect();
                (names, plan.strategies[0].description.seed)
            });
        }
        (sweep.strategies, sweep.seed) = first.unwrap_or_default();
        sweep.simulated_seconds = seconds;
        sweep.cell_counts = counts;
        Ok(sweep)
    }

    /// The scenario with these values of the axes.
    fn scenario_at(&self, values: &[String]) -> Checked<Scenario> {
        let setting =
            |(axis, value): (&Axis, &String)| Setting { path: axis.path.clone(), value: value.clone() };
        let settings: Vec<Setting> = self.axes.iter().zip(values).map(setting).collect();
        self.scenario.with(&settings)
    }

    /// The comparison at a point.
    fn plan(&self, values: &[String]) -> Checked<ComparisonPlan> {
        let plan = ComparisonPlan::new(&self.scenario_at(values)?, &self.choice)?;
        Ok(ComparisonPlan { of: format!("at {}", values.join(", ")), ..plan })
    }

    /// The scenario at every value that may name a file, the other axes at their first: so together all files are named.
    ///
    /// # Errors
    /// If a setting is none.
    pub fn variants(&self) -> Checked<Vec<Scenario>> {
        let Some(first) = self.points.first() else { return Ok(Vec::new()) };
        let mut variants = Vec::new();
        for (index, axis) in self.axes.iter().enumerate().filter(|(_, axis)| axis.base_unit().is_none()) {
            for value in &axis.values {
                let mut values = first.clone();
                values[index].clone_from(value);
                variants.push(self.scenario_at(&values)?);
            }
        }
        Ok(variants)
    }

    /// Simulated time of all points (s).
    #[must_use]
    pub const fn simulated_seconds(&self) -> f64 {
        self.simulated_seconds
    }

    /// Runs all cells that are not in the store and keeps them there, and tells `finished` of each point of which there are
    /// all, in any order. Memory holds the points that are under way, not those that are done.
    ///
    /// What cannot be kept ends it: see [`CellStore::failure`].
    pub fn run(&self, store: &CellStore, watch: &Watch<'_>, finished: &(dyn Fn(&Point) + Sync)) {
        self.points.par_iter().for_each(|values| {
            if store.failure().is_some() {
                return;
            }
            // It was good before.
            let Ok(plan) = self.plan(values) else { return };
            let outcome = plan.run_in(store, watch);
            if !outcome.interrupted {
                finished(&Point { values: values.clone(), summary: Summary::new(&plan, &outcome) });
            }
        });
    }

    /// The comparison at a point, by the point's index.
    ///
    /// # Errors
    /// None where the sweep is of a scenario whose files have not changed meanwhile.
    pub fn plan_at(&self, index: usize) -> Checked<ComparisonPlan> {
        self.plan(&self.points[index])
    }

    /// Cells of each point.
    #[must_use]
    pub fn cell_counts(&self) -> &[usize] {
        &self.cell_counts
    }

    /// Runs the cells of a part that are not in the store and keeps them there. False if not all are there then.
    #[must_use]
    pub fn run_part(&self, store: &CellStore, part: Part, watch: &Watch<'_>) -> bool {
        let one = |(index, values): (usize, &Vec<String>)| {
            let which = part.share(&self.cell_counts, index);
            let whole = |plan: ComparisonPlan| plan.run_cells(store, which.clone(), watch);
            which.is_empty() || store.failure().is_none() && self.plan(values).is_ok_and(whole)
        };
        self.points.par_iter().enumerate().map(one).reduce(|| true, |a, b| a && b)
    }

    /// The points all of whose cells are in the store, in the order of the grid, one at a time.
    pub fn finished<'a>(&'a self, store: &'a CellStore) -> impl Iterator<Item = Point> + 'a {
        self.points.iter().filter_map(|values| {
            let plan = self.plan(values).ok()?;
            let outcome = plan.outcome_in(store);
            let summary = (!outcome.interrupted).then(|| Summary::new(&plan, &outcome))?;
            Some(Point { values: values.clone(), summary })
        })
    }

    /// The first point's strategies and seed.
    #[must_use]
    pub fn strategies(&self) -> (&[String], u64) {
        (&self.strategies, self.seed)
    }
}
