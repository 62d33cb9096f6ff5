//! Whether users get what they are to get.
//!
//! # Models
//! An objective is a bound of a figure: of the latency of successful requests, or of the share that failed or succeeded
//! among those that ended. It holds if the figure of all replications together keeps the bound; how sure that is, the share of
//! the replications tells that keep it each for itself.
//!
//! # Assumptions
//! Requests that had not ended when the run did are in no figure.

use super::estimates::{Latencies, over_replications};
use super::value::Value;
use crate::experiment::groups::Groups;
use crate::experiment::objective::{Figure, Objective};
use crate::experiment::replication::{Figures, QUANTILES};
use crate::experiment::user_requests::Counts;
use meshsim_core::stats::Histogram;
use meshsim_models::world::description::Description;
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

/// What became of objectives over the replications of a strategy.
#[must_use]
pub fn judge(
    objectives: &[Objective],
    description: &Description,
    figures: &[&Figures],
    settles: bool,
) -> Vec<Judged> {
    let groups = Groups::new(description);
    objectives.iter().map(|it| judged(it, &groups, figures, settles)).collect()
}

fn judged(objective: &Objective, groups: &Groups, figures: &[&Figures], settles: bool) -> Judged {
    let index = groups.index_of(objective.which);
    let of = |it: &Figures| match index {
        Some(index) => figure(objective.figure, &it.groups[index].counts, &it.groups[index].histogram),
        None => figure(objective.figure, &it.counts, &it.histogram),
    };
    let latencies = || match index {
        Some(index) => Latencies::of_group(figures, index, settles),
        None => Latencies::new(figures, settles),
    };
    let value: Value = match objective.figure {
        Figure::Mean => latencies().mean().into(),
        Figure::Quantile(index) => latencies().quantile(index).into(),
        Figure::Failures | Figure::Availability => over_replications(figures, of).into(),
    };
    let kept = figures.iter().filter(|it| objective.is_kept_by(of(it))).count();
    Judged {
        users: objective.users.clone(),
        request: objective.request.clone(),
        application: objective.application.clone(),
        figure: objective.figure.name(),
        bound: objective.bound,
        value,
        probability: kept as f64 / figures.len().max(1) as f64,
        holds: objective.is_kept_by(value.value),
    }
}

/// A figure of requests that ended so, and of these latencies (ns): ms, or a share.
fn figure(figure: Figure, counts: &Counts, histogram: &Histogram) -> f64 {
    let failed = counts.failed.values().sum::<u64>() as f64;
    let ended = failed + counts.completed as f64;
    let nanos = match figure {
        Figure::Mean => histogram.sum() as f64 / histogram.count() as f64,
        Figure::Quantile(index) => histogram.quantile(QUANTILES[index]).map_or(f64::NAN, |it| it as f64),
        Figure::Failures => return failed / ended,
        Figure::Availability => return counts.completed as f64 / ended,
    };
    nanos / 1e6
}
