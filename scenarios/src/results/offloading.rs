//! What offloading controllers decided and what came of it: `offloading.csv`, from what in `offloading_inputs.csv`, and
//! `offloading_edges.csv` in sum.
//!
//! # Models
//! After a decision the controller waits for its stabilization window; what came of the decision is the mean from then to
//! the next decision of the same edge, or to the end of the run, over what its gateways answered. Cost is that of the pods
//! that there were and of the bytes from the cloud. In sum only the reported part of a run counts.

use super::Compared;
use super::csv::{Csv, finite};
use super::over_time::{self, seconds};
use super::regret::{self, names};
use crate::experiment::offloaded::{EdgeFigures, decisions, edge_figures};
use meshsim_core::SimTime;
use meshsim_models::ids::ServiceId;
use meshsim_models::offloading::queries::Quantity;
use meshsim_models::telemetry::control_log::{ControlLog, OffloadingDecision};
use meshsim_models::world::description::Description;

/// Rows of `offloading.csv`.
pub(super) fn decision_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    let has_regret = of.plan.strategies.iter().any(|it| it.regret_horizon.is_some());
    let head = [
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
    ];
    csv.write_record(head.into_iter().chain(regret::COLUMNS.into_iter().filter(|_| has_regret)))?;
    for (head, description, figures) in over_time::cells(of) {
        for edge in description.offloading.iter().flat_map(|it| &it.controllers) {
            let logs: Vec<&ControlLog> = figures.control.iter().collect();
            let all: Vec<&OffloadingDecision> = decisions(logs.iter().copied(), edge.edge).collect();
            for (index, it) in all.iter().enumerate() {
                let to = all.get(index + 1).map_or(description.end(), |next| next.at);
                let from = it.at.saturating_add(edge.controller.stabilization_window).min(to);
                let row = row(description, it, edge_figures(&logs, edge, from, to), from, to);
                let regret = regret::columns(description, figures, edge, index);
                let regret = regret.into_iter().filter(|_| has_regret);
                csv.write_record(head.iter().cloned().chain(row).chain(regret))?;
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
        it.measured(Quantity::UserRate).to_string(),
        it.measured(Quantity::ResourceScaling).to_string(),
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

/// Rows of `offloading_inputs.csv`: what is not listed of a service or a call is 0.
pub(super) fn input_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record(["strategy", "replication", "time_s", "edge", "input", "caller", "service", "value"])?;
    for (head, description, figures) in over_time::cells(of) {
        let name = |it: ServiceId| description.application.services[it].name.clone();
        for decision in figures.control.iter().flat_map(|it| &it.offloading) {
            for it in &decision.inputs {
                let of_calls = it.quantity == Quantity::Calls;
                let row = [
                    seconds(decision.at),
                    description.clusters[decision.edge].name.clone(),
                    it.quantity.name().to_owned(),
                    it.caller.map_or_else(|| if of_calls { "gateway".into() } else { String::new() }, name),
                    it.service.map_or_else(String::new, name),
                    it.value.to_string(),
                ];
                csv.write_record(head.iter().cloned().chain(row))?;
            }
        }
    }
    Ok(())
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
        "moves",
        "time_above_threshold",
        "mean_ms",
        "failed",
        "cost_per_hour",
    ])?;
    for (head, description, figures) in over_time::cells(of) {
        let edges = description.offloading.iter().flat_map(|it| &it.controllers);
        for (edge, of) in edges.zip(&figures.offloading) {
            let [offloads, unoffloads, unanswered] = of.decisions.map(|it| it.to_string());
            let row = [
                description.clusters[edge.edge].name.clone(),
                edge.policy.name().to_owned(),
                offloads,
                unoffloads,
                unanswered,
                of.moves.to_string(),
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
