//! What offloading controllers decided and what came of it: `offloading.csv`, and `offloading_edges.csv` in sum.
//!
//! # Models
//! After a decision the controller waits for its stabilization window; what came of the decision is the mean from then to
//! the next decision of the same edge, or to the end of the run, over what its gateways answered. Cost is that of the pods
//! that there were and of the bytes from the cloud. In sum only the reported part of a run counts.

use super::Compared;
use super::csv::{Csv, finite};
use super::over_time::{self, seconds};
use crate::experiment::replication::Figures;
use meshsim_core::SimTime;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::offloading::settings::PlacerSettings;
use meshsim_models::telemetry::control_log::{OffloadingDecision, OffloadingSample};
use meshsim_models::world::description::Description;

/// What an edge came to over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EdgeFigures {
    /// Simulated time (s).
    pub seconds: f64,
    /// Mean delay of what was answered well (ms); no number if nothing was.
    pub mean_ms: f64,
    /// Share of the requests that failed.
    pub failed: f64,
    /// Cost of an hour.
    pub cost_per_hour: f64,
    /// Share of the time in which the mean delay of a scrape was above the threshold.
    pub above: f64,
}

/// What an edge came to from one moment to another.
#[must_use]
pub fn edge_figures(figures: &Figures, edge: &PlacerSettings, from: SimTime, to: SimTime) -> EdgeFigures {
    let samples = || figures.control.iter().flat_map(|log| &log.offloading_samples);
    let within = |it: &&OffloadingSample| it.edge == edge.edge && it.at > from && it.at <= to;
    let sum = |of: fn(&OffloadingSample) -> f64| samples().filter(within).map(of).sum::<f64>();
    let (seconds, ok, failed) = (sum(|it| it.seconds), sum(|it| it.ok), sum(|it| it.failed));
    let is_above =
        |it: &&OffloadingSample| it.ok > 0.0 && it.delays_ms / it.ok > edge.controller.offload_mean_ms;
    let above: f64 = samples().filter(within).filter(is_above).map(|it| it.seconds).sum();
    EdgeFigures {
        seconds,
        mean_ms: sum(|it| it.delays_ms) / ok,
        failed: failed / (ok + failed),
        cost_per_hour: sum(|it| it.cost) / seconds * 3_600.0,
        above: above / seconds,
    }
}

/// The decisions of an edge's controller, in the order of time.
pub fn decisions(figures: &Figures, edge: ClusterId) -> impl Iterator<Item = &OffloadingDecision> {
    figures.control.iter().flat_map(|log| &log.offloading).filter(move |it| it.edge == edge)
}

/// Rows of `offloading.csv`.
pub(super) fn decision_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "time_s",
        "edge",
        "policy",
        "action",
        "measured_ms",
        "target_ms",
        "rate_per_s",
        "resource_scaling",
        "edge_before",
        "edge_after",
        "answer",
        "believed_before_ms",
        "believed_after_ms",
        "believed_before_cost",
        "believed_after_cost",
        "after_from_s",
        "after_to_s",
        "after_mean_ms",
        "after_failed",
        "after_cost",
    ])?;
    for (head, description, figures) in over_time::cells(of) {
        for edge in description.offloading.iter().flat_map(|it| &it.controllers) {
            let all: Vec<&OffloadingDecision> = decisions(figures, edge.edge).collect();
            for (index, it) in all.iter().enumerate() {
                let to = all.get(index + 1).map_or(description.end(), |next| next.at);
                let from = it.at.saturating_add(edge.controller.stabilization_window).min(to);
                let row = row(description, it, edge_figures(figures, edge, from, to), from, to);
                csv.write_record(head.iter().cloned().chain(row))?;
            }
        }
    }
    Ok(())
}

fn row(
    description: &Description,
    it: &OffloadingDecision,
    after: EdgeFigures,
    from: SimTime,
    to: SimTime,
) -> Vec<String> {
    let believed = |index: usize| {
        it.believed[index]
            .map_or([String::new(), String::new()], |it| [it.delay_ms.to_string(), it.cost.to_string()])
    };
    let ([before_ms, before_cost], [after_ms, after_cost]) = (believed(0), believed(1));
    vec![
        seconds(it.at),
        description.clusters[it.edge].name.clone(),
        it.policy.clone(),
        action(it).to_owned(),
        it.measured_ms.to_string(),
        it.target_ms.to_string(),
        it.rate.to_string(),
        it.scaling.to_string(),
        names(description, &it.before),
        it.after.as_ref().map_or_else(|_| String::new(), |after| names(description, after)),
        it.after.as_ref().map_or_else(|why| why.words(), |_| "decided").to_owned(),
        before_ms,
        after_ms,
        before_cost,
        after_cost,
        seconds(from),
        seconds(to),
        finite(after.mean_ms),
        finite(after.failed),
        finite(after.cost_per_hour),
    ]
}

/// Rows of `offloading_edges.csv`.
pub(super) fn edge_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "edge",
        "policy",
        "offloads",
        "unoffloads",
        "unanswered",
        "time_above_threshold",
        "mean_ms",
        "failed",
        "cost_per_hour",
    ])?;
    for (head, description, figures) in over_time::cells(of) {
        let begin = SimTime::ZERO + description.warm_up;
        for edge in description.offloading.iter().flat_map(|it| &it.controllers) {
            let of = edge_figures(figures, edge, begin, description.end());
            let count = |is: fn(&OffloadingDecision) -> bool| {
                decisions(figures, edge.edge).filter(|it| it.at >= begin && is(it)).count().to_string()
            };
            let row = [
                description.clusters[edge.edge].name.clone(),
                edge.policy.name().to_owned(),
                count(|it| it.after.is_ok() && it.offloads),
                count(|it| it.after.is_ok() && !it.offloads),
                count(|it| it.after.is_err()),
                finite(of.above),
                finite(of.mean_ms),
                finite(of.failed),
                finite(of.cost_per_hour),
            ];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}

/// A decision for the time line.
pub(super) fn words(description: &Description, it: &OffloadingDecision) -> String {
    let (measured, target) = (it.measured_ms, it.target_ms);
    let before = names(description, &it.before);
    let answer = match &it.after {
        Ok(after) => format!("from [{before}] to [{}]", names(description, after)),
        Err(why) => format!("{} from [{before}]: {}", it.policy, why.words()),
    };
    format!("{} at {measured:.1} ms, to {target:.1} ms: {answer}", action(it))
}

const fn action(it: &OffloadingDecision) -> &'static str {
    if it.offloads { "offload" } else { "unoffload" }
}

fn names(description: &Description, services: &[ServiceId]) -> String {
    let names: Vec<&str> =
        services.iter().map(|&it| description.application.services[it].name.as_str()).collect();
    names.join(" ")
}
