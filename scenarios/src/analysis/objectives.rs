//! Whether users get what they are to get.
//!
//! # Models
//! An objective is a bound of a figure: of the latency of successful requests, or of the share that failed or succeeded
//! among those that ended. It holds if the figure of all replications together keeps the bound; how sure that is, the share of
//! the replications tells that keep it each for itself.
//!
//! # Assumptions
//! Requests that had not ended when the run did are in no figure.

use super::figure::{Cells, Dimension, Labels, Row, labelled};
use super::figures::{HOLDS, PROBABILITY, added, of_statistic};
use super::value::Value;
use crate::experiment::groups::Groups;
use crate::experiment::objective::Objective;
use crate::experiment::replication::Figures;
use serde::Serialize;

/// What became of an objective under a strategy.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Whose requests; those of all users if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Which of them; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Those of which application, if of one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// What is judged.
    pub figure: &'static str,
    /// The bound: ms of a latency, else a share.
    pub bound: f64,
    /// The figure, in the same unit.
    pub value: Value,
    /// Share of the replications that keep the bound.
    pub probability: f64,
    /// Whether all replications together do.
    pub holds: bool,
}

impl Judged {
    /// Whether it is about a latency, in ms; else about a share.
    #[must_use]
    pub fn is_latency(&self) -> bool {
        !matches!(self.figure, "failures" | "availability")
    }

    /// What it is about, as in `edge3, browse: p95`.
    #[must_use]
    pub fn name(&self) -> String {
        let whose: Vec<&str> = [&self.application, &self.users, &self.request]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
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
    let figure = of_statistic(objective.figure)?;
    let group = groups.index_of(objective.which);
    let value: Value = figure.estimate(cells, group).into();
    let keeps = |it: &&&Figures| objective.is_kept_by(figure.of_cell(it, group));
    let kept = cells.figures.iter().filter(keeps).count();
    Some(Judged {
        users: objective.users.clone(),
        request: objective.request.clone(),
        application: objective.application.clone(),
        figure: objective.figure.name(),
        bound: objective.bound,
        value,
        probability: kept as f64 / cells.figures.len().max(1) as f64,
        holds: objective.is_kept_by(value.value),
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
    labelled([
        (Dimension::Application, it.application.clone()),
        (Dimension::UserGroup, it.users.clone()),
        (Dimension::RequestKind, it.request.clone()),
        (Dimension::Objective, Some(number.to_string())),
    ])
}
