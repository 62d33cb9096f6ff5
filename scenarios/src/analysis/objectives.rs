//! Whether users get what they are to get.
//!
//! # Models
//! An objective is a bound of a figure of the catalogue ([`super::figures`]): mostly of the latency of successful requests, or of
//! the share that failed or succeeded among those that ended. It holds if the figure of all replications together keeps the
//! bound; how sure that is, the share of the replications tells that keep it each for itself.
//!
//! # Assumptions
//! Requests that had not ended when the run did are in no figure of latencies and failures.

use super::dimension::{Dimension, Labels};
use super::figure::{Cells, Row};
use super::figures::{HOLDS, PROBABILITY, added, named};
use super::value::Value;
use crate::experiment::groups::Groups;
use crate::experiment::objective::Objective;
use crate::experiment::replication::Figures;
use serde::{Serialize, Serializer};

/// What became of an objective under a strategy.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// What of the figure is meant, as the objective says it; all of it if that is nothing.
    #[serde(flatten, serialize_with = "as_keys")]
    pub whose: Labels,
    /// What is judged.
    pub figure: &'static str,
    /// The bound, in the figure's unit.
    pub bound: f64,
    /// Whether the figure is to be above the bound, where figures of its name may be on either side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<bool>,
    /// The figure.
    pub value: Value,
    /// Share of the replications that keep the bound.
    pub probability: f64,
    /// Whether all replications together do.
    pub holds: bool,
    /// The figure's unit.
    #[serde(skip)]
    pub unit: &'static str,
    /// Whether it is to be above the bound, not below.
    #[serde(skip)]
    pub is_above: bool,
    /// Whether the bound is written in percent.
    #[serde(skip)]
    pub in_percent: bool,
}

/// The key by which an objective says what tells values of a figure apart.
#[must_use]
pub const fn key(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::UserGroup => "users",
        Dimension::RequestKind => "request",
        other => other.name(),
    }
}

fn as_keys<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
    // Those of requests in the order of the scenario's keys.
    let first = [Dimension::UserGroup, Dimension::RequestKind, Dimension::Application];
    let others = labels.keys().copied().filter(|it| !first.contains(it));
    let all = first.into_iter().chain(others).filter_map(|it| Some((key(it), labels.get(&it)?)));
    serializer.collect_map(all)
}

impl Judged {
    /// What it is about, as in `edge3, browse: p95`.
    #[must_use]
    pub fn name(&self) -> String {
        let whose: Vec<&str> = self.whose.values().map(String::as_str).collect();
        let whose = if whose.is_empty() { String::new() } else { format!("{}: ", whose.join(", ")) };
        format!("{whose}{}", self.figure)
    }
}

/// What became of the objectives of a strategy over its replications.
#[must_use]
pub fn judge(objectives: &[Objective], cells: &Cells<'_>) -> Vec<Judged> {
    let groups = Groups::new(cells.description);
    objectives.iter().filter_map(|it| judged(it, &groups, cells)).collect()
}

fn judged(objective: &Objective, groups: &Groups, cells: &Cells<'_>) -> Option<Judged> {
    let figure = named(objective.figure)?;
    let group = groups.index_of(objective.which);
    let value = figure.value(cells, group, &objective.apart);
    let keeps = |it: &&&Figures| objective.is_kept_by(figure.of_cell(cells, it, group, &objective.apart));
    let kept = cells.figures.iter().filter(keeps).count();
    Some(Judged {
        whose: objective.written.clone(),
        figure: figure.short_name(),
        bound: objective.bound,
        above: (!figure.is_of_requests()).then_some(objective.is_above),
        value,
        probability: kept as f64 / cells.figures.len().max(1) as f64,
        holds: objective.is_kept_by(value.value),
        unit: figure.unit,
        is_above: objective.is_above,
        in_percent: objective.in_percent,
    })
}

/// What became of them, as figures.
pub(super) fn rows(judged: &[Judged]) -> Vec<Row> {
    let figure = |name, of: fn(&Judged) -> f64| {
        let values =
            (1..).zip(judged).map(|(number, it)| (labels(number, it), Value { value: of(it), ci95: None }));
        added(name, values)
    };
    let holds = figure(HOLDS, |it| f64::from(u8::from(it.holds)));
    figure(PROBABILITY, |it| it.probability).into_iter().chain(holds).collect()
}

fn labels(number: u32, it: &Judged) -> Labels {
    let number = (Dimension::Objective, number.to_string());
    it.whose.clone().into_iter().chain([number]).collect()
}
