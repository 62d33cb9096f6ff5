//! What else controllers could have decided: columns of `offloading.csv`, and `offloading_regret.csv`.
//!
//! # Models
//! Decisions of an edge are told apart by their numbers and alternatives by their names; over the replications in which both
//! occur, differences are paired: the same requests under the choice and under the alternative. Positive differences say that
//! the alternative was better. Which is the fastest in the mean, and the cheapest in the mean of those that hold the threshold
//! (`best`), says the regret of a choice with its interval: what that one has gained.
//!
//! # Assumptions
//! - A decision of the same number may be another one in another replication, of another moment and from another set. Effect:
//!   intervals are as wide as that makes them.
//! - What is fastest in a single replication is so by luck, too: the regret in `offloading.csv` is never negative. The
//!   differences in `offloading_regret.csv` are free of that, for each alternative is there.

use super::Compared;
use super::csv::{Csv, finite};
use crate::analysis::estimates::CONFIDENCE;
use crate::experiment::offloaded::EdgeFigures;
use crate::experiment::regret::{Alternative, Regret};
use crate::experiment::replication::Figures;
use meshsim_core::stats::{Estimate, mean_estimate};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::offloading::settings::PlacerSettings;
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;

/// Heads of the columns of `offloading.csv`.
pub(super) const COLUMNS: [&str; 4] = ["regret_ms", "fastest", "regret_cost", "cheapest"];

/// The values of a decision, by its number among those of its edge.
pub(super) fn columns(
    description: &Description,
    figures: &Figures,
    edge: &PlacerSettings,
    number: usize,
) -> [String; 4] {
    let is_it = |it: &&Regret| it.edge == edge.edge && it.decision as usize == number;
    let Some(regret) = figures.regret.iter().find(is_it) else { return Default::default() };
    let cheapest = regret.cheapest(edge.controller.offload_mean_ms);
    let set = |it: &Alternative| names(description, &it.services);
    let cost =
        cheapest.map_or(f64::NAN, |it| regret.chosen().came_to.cost_per_hour - it.came_to.cost_per_hour);
    [finite(regret.delay_ms()), set(regret.fastest()), finite(cost), cheapest.map_or_else(String::new, set)]
}

/// What a choice and an alternative to it came to in each replication.
type Pairs = Vec<(EdgeFigures, EdgeFigures)>;

/// Rows of `offloading_regret.csv`.
pub(super) fn rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "edge",
        "decision",
        "alternative",
        "best",
        "replications",
        "delay_ms",
        "delay_gained_ms",
        "delay_gained_low_ms",
        "delay_gained_high_ms",
        "cost_per_hour",
        "cost_gained",
        "cost_gained_low",
        "cost_gained_high",
        "time_above_gained",
    ])?;
    for (index, resolved) in of.plan.strategies.iter().enumerate() {
        let mut all: BTreeMap<(ClusterId, u32, &str), Pairs> = BTreeMap::new();
        for regret in of.outcome.replications.iter().flat_map(|(_, figures)| &figures[index].regret) {
            for it in &regret.alternatives {
                for name in &it.names {
                    let pair = (regret.chosen().came_to, it.came_to);
                    all.entry((regret.edge, regret.decision, name.as_str())).or_default().push(pair);
                }
            }
        }
        let thresholds: BTreeMap<ClusterId, f64> = resolved
            .description
            .offloading
            .iter()
            .flat_map(|it| &it.controllers)
            .map(|it| (it.edge, it.controller.offload_mean_ms))
            .collect();
        for (&(edge, decision, name), pairs) in &all {
            let of_decision =
                all.range((edge, decision, "")..).take_while(|(key, _)| key.0 == edge && key.1 == decision);
            let best = best(pairs, of_decision.map(|(_, pairs)| pairs), thresholds[&edge]);
            let head = [
                resolved.strategy.clone(),
                resolved.description.clusters[edge].name.clone(),
                (decision + 1).to_string(),
                name.to_owned(),
                best.to_owned(),
                pairs.len().to_string(),
            ];
            let mean = |of: fn(&EdgeFigures) -> f64| estimate(pairs.iter().map(|(_, it)| of(it)))[0].clone();
            let gained = |of: fn(&EdgeFigures) -> f64| estimate(pairs.iter().map(|(a, b)| of(a) - of(b)));
            let delay = gained(|it| it.mean_ms);
            let cost = gained(|it| it.cost_per_hour);
            let above = gained(|it| it.above)[0].clone();
            let values = std::iter::once(mean(|it| it.mean_ms))
                .chain(delay)
                .chain([mean(|it| it.cost_per_hour)])
                .chain(cost)
                .chain([above]);
            csv.write_record(head.into_iter().chain(values))?;
        }
    }
    Ok(())
}

/// Which of all alternatives to a decision this one is, among those that were there as often as any.
fn best<'a>(of: &Pairs, all: impl Iterator<Item = &'a Pairs> + Clone, threshold: f64) -> &'static str {
    let often = all.clone().map(Vec::len).max().unwrap_or(0);
    let mean = |pairs: &Pairs, of: fn(&EdgeFigures) -> f64| {
        pairs.iter().map(|(_, it)| of(it)).sum::<f64>() / pairs.len() as f64
    };
    let delay = |pairs: &Pairs| mean(pairs, |it| it.mean_ms);
    let cost = |pairs: &Pairs| mean(pairs, |it| it.cost_per_hour);
    let all = all.filter(|it| it.len() == often);
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let is_there = of.len() == often;
    let is_fastest = is_there && delay(of) <= least(&mut all.clone().map(delay));
    let holds = |it: &&Pairs| delay(it) <= threshold;
    let is_cheapest = is_there && holds(&of) && cost(of) <= least(&mut all.filter(holds).map(cost));
    match (is_fastest, is_cheapest) {
        (true, true) => "fastest and cheapest",
        (true, false) => "fastest",
        (false, true) => "cheapest",
        (false, false) => "",
    }
}

/// The mean of replications, and the ends of its interval.
fn estimate(values: impl Iterator<Item = f64>) -> [String; 3] {
    let values: Vec<f64> = values.filter(|it| it.is_finite()).collect();
    let Some(Estimate { value, interval, .. }) = mean_estimate(&values, CONFIDENCE) else {
        return Default::default();
    };
    let [low, high] = interval.map_or([f64::NAN; 2], |it| [it.low, it.high]);
    [finite(value), finite(low), finite(high)]
}

/// Services as they are written in a cell.
pub(super) fn names(description: &Description, services: &[ServiceId]) -> String {
    let names: Vec<&str> =
        services.iter().map(|&it| description.application.services[it].name.as_str()).collect();
    names.join(" ")
}
