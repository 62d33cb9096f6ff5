//! Writes a sweep: each point as it finishes, and all of them in the order of the grid at the end.
//!
//! # Models
//! `sweep.csv` has a row per point, strategy and metric. While the sweep runs it grows by whole points, in the
//! order in which they finish: what stops the program without notice costs the points that were under way. Beside an
//! axis of numbers stands a column with them in their base unit, as in `links.a.rtt [s]`.

use super::csv::Csv;
use super::files::{metric_columns, metric_rows};
use super::folder::Folder;
use crate::analysis::best_of_points::BestOfPoints;
use crate::analysis::summary::Summary;
use crate::experiment::axes::{Axis, BaseValue};
use crate::experiment::sweep::{Point, Sweep};
use crate::problem::{Checked, Problem, Problems};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

const TABLE: &str = "sweep.csv";

/// The files of a sweep that runs.
pub struct SweepFiles<'a> {
    sweep: &'a Sweep,
    state: Mutex<State>,
}

struct State {
    folder: Folder,
    /// The table, from the first point on.
    table: Option<File>,
    /// Why it grows no more.
    failure: Option<Problems>,
}

impl<'a> SweepFiles<'a> {
    /// The files of `sweep` in `folder`, where nothing is touched before the first point.
    #[must_use]
    pub const fn new(folder: Folder, sweep: &'a Sweep) -> Self {
        Self { sweep, state: Mutex::new(State { folder, table: None, failure: None }) }
    }

    /// Writes a point that has finished. What cannot be written is said by [`SweepFiles::finish`].
    pub fn keep(&self, point: &Point) {
        // A thread that panicked ends the program anyway.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_none() {
            state.failure = state.append(self.sweep, point).err();
        }
    }

    /// Writes the finished points, which come in the order of the grid, and the manifest with the hash of the scenario
    /// before its axes change it. Where all are finished their cells go.
    ///
    /// # Errors
    /// If a file cannot be written, now or before.
    pub fn finish(self, points: &mut dyn Iterator<Item = Point>, scenario_sha256: &str) -> Checked<()> {
        let State { mut folder, failure, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let (mut count, mut best) = (0, BestOfPoints::default());
        folder.write_csv(TABLE, |csv| {
            head(csv, self.sweep)?;
            let mut counted = points.inspect(|point| {
                count += 1;
                best.add(&self.sweep.name_of(point), &point.summary);
            });
            counted.try_for_each(|point| rows(csv, self.sweep, &point))
        })?;
        let conclusion = best.sentence();
        folder.finish(&Manifest::new(self.sweep, count, &conclusion, scenario_sha256))?;
        if count < self.sweep.points.len() { Ok(()) } else { folder.discard_cells() }
    }
}

impl State {
    fn append(&mut self, sweep: &Sweep, point: &Point) -> Checked<()> {
        let is_first = self.table.is_none();
        let table = match &mut self.table {
            Some(table) => table,
            none => none.insert(self.folder.grow(TABLE)?),
        };
        let mut bytes = Vec::new();
        let mut csv = Csv::new(&mut bytes);
        let written = if is_first { head(&mut csv, sweep) } else { Ok(()) }
            .and_then(|()| rows(&mut csv, sweep, point))
            .and_then(|()| Ok(csv.flush()?));
        drop(csv);
        // In one piece: a point is there or is not.
        let written = written.map_err(std::io::Error::other).and_then(|()| table.write_all(&bytes));
        written.map_err(|error| Problem::new(format!("cannot write `{TABLE}`: {error}")).into())
    }
}

fn head(csv: &mut Csv<'_>, sweep: &Sweep) -> csv::Result<()> {
    let figures = metric_columns().map(str::to_owned);
    csv.write_record(sweep.axes.iter().flat_map(axis_heads).chain(figures))
}

fn rows(csv: &mut Csv<'_>, sweep: &Sweep, point: &Point) -> csv::Result<()> {
    let cells = |(axis, value): (&Axis, &String)| axis_cells(axis, value);
    let values: Vec<String> = sweep.axes.iter().zip(&point.values).flat_map(cells).collect();
    for row in metric_rows(&point.summary) {
        csv.write_record(values.iter().cloned().chain(row))?;
    }
    Ok(())
}

/// The columns of an axis: its values as they are written and, where they are numbers, these.
fn axis_heads(axis: &Axis) -> Vec<String> {
    let number = unit_of_column(axis).map(|unit| format!("{} [{unit}]", axis.path));
    std::iter::once(axis.path.clone()).chain(number).collect()
}

/// A value of an axis in its columns.
fn axis_cells(axis: &Axis, value: &str) -> Vec<String> {
    let number = unit_of_column(axis).and_then(|_| BaseValue::of(&axis.path, value));
    std::iter::once(value.to_owned()).chain(number.map(|it| it.number.to_string())).collect()
}

/// The unit of an axis's column of numbers: plain numbers need no second column.
fn unit_of_column(axis: &Axis) -> Option<&'static str> {
    axis.base_unit().filter(|unit| !unit.is_empty())
}

/// A point of a sweep as JSON has it: its settings, and all of its summary.
#[derive(Serialize)]
pub struct PointReport<'a> {
    settings: Vec<SettingReport<'a>>,
    #[serde(flatten)]
    summary: &'a Summary,
}

#[derive(Serialize)]
struct SettingReport<'a> {
    path: &'a str,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

/// A point of a sweep as JSON has it.
#[must_use]
pub fn point_report<'a>(sweep: &'a Sweep, point: &'a Point) -> PointReport<'a> {
    let setting = |(axis, value): (&'a Axis, &'a String)| {
        let base = BaseValue::of(&axis.path, value);
        let unit = base.map(|it| it.unit).filter(|it| !it.is_empty());
        SettingReport { path: &axis.path, value, number: base.map(|it| it.number), unit }
    };
    PointReport {
        settings: sweep.axes.iter().zip(&point.values).map(setting).collect(),
        summary: &point.summary,
    }
}

#[derive(Serialize)]
struct Manifest<'a> {
    scenario_sha256: &'a str,
    seed: u64,
    axes: Vec<ListedAxis<'a>>,
    combine: String,
    strategies: &'a [String],
    points: usize,
    finished_points: usize,
    /// What it comes to, in sentences.
    conclusion: Vec<&'a str>,
}

#[derive(Serialize)]
struct ListedAxis<'a> {
    path: &'a str,
    values: &'a [String],
}

impl<'a> Manifest<'a> {
    fn new(sweep: &'a Sweep, finished_points: usize, conclusion: &'a str, scenario_sha256: &'a str) -> Self {
        let (strategies, seed) = sweep.strategies();
        let axes = sweep.axes.iter().map(|axis| ListedAxis { path: &axis.path, values: &axis.values });
        Self {
            scenario_sha256,
            seed,
            axes: axes.collect(),
            combine: sweep.combine.to_string(),
            strategies,
            points: sweep.points.len(),
            finished_points,
            conclusion: conclusion.lines().collect(),
        }
    }
}
