//! From when on, and in what, strategies may go on from the same state (`trunk`).
//!
//! # Models
//! From the fork on each offloading controller goes by what its strategy says. So all of them answer the same incident.
//!
//! # Assumptions
//! - Strategies may differ in what `[offloading]` tells the controllers ([`MAY_DIFFER`]) and in nothing else: everything else
//!   is in force from the start of a run.
//! - What is cut as warm-up is the baseline's.

use super::compare::ComparisonPlan;
use crate::problem::{Checked, Problem, Problems, clip};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::schema::time_of_day::TimeOfDay;
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// What strategies of a fork may say differently: everything below this but [`IS_COMMON`].
pub const MAY_DIFFER: &str = "offloading.";

/// What says who is steered by whom, and what is measured.
pub const IS_COMMON: [&str; 3] = ["offloading.cluster", "offloading.edges", "offloading.scrape_interval"];

/// Reads a moment, as in `20:03` where the run begins at a time of day, or `1203s` from its start, and checks that a plan's
/// strategies differ in what a fork can change alone.
///
/// # Errors
/// If it is no moment of the run, or a strategy differs in anything else.
pub fn fork_at(text: &str, scenario: &Scenario, plan: &ComparisonPlan) -> Checked<SimTime> {
    let base = &plan.strategies[plan.baseline];
    let wrong = |why: &str| {
        let help = "write a moment of the run, as in 1203s, or 20:03 where run.begin_at says when it begins";
        Problems::from(Problem::new(format!("--fork-at {} {why}", clip(text))).help(help))
    };
    let day = SimDuration::from_secs(86_400);
    let since_start = match (text.parse::<TimeOfDay>(), base.begin_at, text.parse::<SimDuration>()) {
        (Ok(TimeOfDay(time)), Some(begins), _) => {
            let begins = SimDuration::from_nanos_f64(begins * 1e9);
            let time = if time < begins { time + day } else { time };
            time.saturating_sub(begins)
        }
        (Ok(_), None, _) => return Err(wrong("is a time of day, and the run begins at none")),
        (_, _, Ok(time)) => time,
        _ => return Err(wrong("is no moment")),
    };
    let at = SimTime::ZERO.saturating_add(since_start);
    if at == SimTime::ZERO || at >= base.description.end() {
        return Err(wrong("is not within the run"));
    }
    if base.description.offloading.is_none() {
        let problem = Problem::new("a fork changes what offloading controllers are told, and there is none");
        return Err(problem.help("write [offloading], or leave --fork-at out").into());
    }
    let values_of = |resolved: &Resolved| -> Checked<BTreeMap<String, (String, String)>> {
        let name = (!scenario.strategies().is_empty()).then_some(resolved.strategy.as_str());
        let all = scenario.values(scenario.strategy(name)?)?.into_iter().filter(|it| !may_differ(&it.path));
        Ok(all.map(|it| (it.path, (it.value, it.origin))).collect())
    };
    let common = values_of(base)?;
    for resolved in &plan.strategies {
        let own = values_of(resolved)?;
        let mut keys = common.keys().chain(own.keys());
        let value = |of: &BTreeMap<String, (String, String)>, key: &str| of.get(key).map(|it| it.0.clone());
        if let Some(key) = keys.find(|key| value(&common, key) != value(&own, key)) {
            let (_, origin) = own.get(key).or_else(|| common.get(key)).cloned().unwrap_or_default();
            let (name, baseline) = (&resolved.strategy, &base.strategy);
            let message = format!("`{name}` cannot go on from `{baseline}`: it differs in {key} ({origin})");
            let help = format!(
                "from a fork on strategies may differ in keys of [offloading] alone, but for {}; leave `{name}` out, \
                 or compare whole runs",
                IS_COMMON.map(|it| it.trim_start_matches(MAY_DIFFER)).join(", ")
            );
            return Err(Problem::new(message).help(help).into());
        }
    }
    Ok(at)
}

fn may_differ(path: &str) -> bool {
    path.starts_with(MAY_DIFFER) && !IS_COMMON.contains(&path)
}
