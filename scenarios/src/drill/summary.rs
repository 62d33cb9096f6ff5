//! What a drill came to: a matrix of failures and strategies, and the worst failure of each strategy.

use super::cell::Outcome;
use super::{DrillOutcome, DrillPlan};
use crate::analysis::figure::Cells;
use crate::analysis::objectives::{Judged, judge};
use crate::analysis::value::Value;
use crate::experiment::replication::Figures;
use crate::resolve::Resolved;
use meshsim_core::stats::mean_estimate;
use serde::Serialize;
use std::collections::BTreeSet;

/// A drill.
#[derive(Clone, Debug, Serialize)]
pub struct DrillSummary {
    /// Seed.
    pub seed: u64,
    /// Replications that were planned.
    pub replications: u32,
    /// How long each failure lasts (s).
    pub lasts_seconds: f64,
    /// What is to be known of it.
    pub notes: Vec<String>,
    /// Each strategy.
    pub strategies: Vec<StrategyDrill>,
}

/// What the failures do to a strategy.
#[derive(Clone, Debug, Serialize)]
pub struct StrategyDrill {
    /// Its name.
    pub name: String,
    /// The worst failure in a sentence.
    pub worst: String,
    /// Every failure that was finished, in the order of the plan.
    pub failures: Vec<FailureSummary>,
}

/// What a failure does to a strategy.
#[derive(Clone, Debug, Serialize)]
pub struct FailureSummary {
    /// Its name.
    pub failure: String,
    /// Replications that were finished.
    pub replications: u32,
    /// Share of the requests that fail because of it while it lasts.
    pub failing_during: Value,
    /// The same of those that arrive after.
    pub failing_after: Value,
    /// The same per group of users.
    pub users: Vec<UsersDrill>,
    /// After how long it was noticed (s), in the mean of the replications in which it was.
    pub noticed_after: Value,
    /// After how long users were served again while it lasted (s); NaN if in some replication they were not.
    pub moved_after: Value,
    /// How long after its end all was as before (s); NaN if in some replication it was not.
    pub restored_after: Value,
    /// p95 of good answers in the meantime (ms).
    pub p95_ms: Value,
    /// The same undisturbed.
    pub undisturbed_p95_ms: Value,
    /// Pods that were evicted.
    pub evictions: Value,
    /// Services that had no endpoint at some time, in any replication.
    pub without_endpoints: Vec<String>,
    /// Objectives that do not hold.
    pub objectives_broken: Vec<String>,
}

/// What a failure does to a group of users.
#[derive(Clone, Debug, Serialize)]
pub struct UsersDrill {
    /// Its name.
    pub users: String,
    /// Share of its requests that fail because of it while it lasts.
    pub failing_during: Value,
    /// The same of those that arrive after.
    pub failing_after: Value,
}

impl DrillSummary {
    /// Sums up what is finished.
    #[must_use]
    pub fn new(plan: &DrillPlan, outcome: &DrillOutcome) -> Self {
        let strategies = plan.strategies.iter().zip(&outcome.cells);
        let strategies = strategies.map(|((resolved, failures, times), cells)| {
            let finished = failures.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
            let failures: Vec<FailureSummary> =
                finished.map(|(failure, cell)| of_failure(resolved, &failure.name, cell)).collect();
            let lasts = (times.ends - times.begins).as_secs_f64();
            StrategyDrill { name: resolved.strategy.clone(), worst: worst(&failures, lasts), failures }
        });
        Self {
            seed: plan.strategies.first().map_or(0, |it| it.0.description.seed),
            replications: plan.replications,
            lasts_seconds: plan.lasts.as_secs_f64(),
            notes: plan.notes.clone(),
            strategies: strategies.collect(),
        }
    }
}

fn of_failure(resolved: &Resolved, name: &str, cell: &[(u32, Outcome)]) -> FailureSummary {
    let outcomes = || cell.iter().map(|(_, it)| it);
    let value = |of: &dyn Fn(&Outcome) -> Option<f64>| -> Value {
        let all: Vec<f64> = outcomes().filter_map(of).collect();
        mean_estimate(&all, 0.95).into()
    };
    // What did not come to pass in some replication has no mean.
    let if_all = |of: &dyn Fn(&Outcome) -> Option<f64>| match outcomes().all(|it| of(it).is_some()) {
        true => value(of),
        false => Value { value: f64::NAN, ci95: None },
    };
    let description = &resolved.description;
    let users = description.populations.iter().enumerate().map(|(number, population)| UsersDrill {
        users: population.name.clone(),
        failing_during: value(&|it| Some(it.failing[number][0])),
        failing_after: value(&|it| Some(it.failing[number][1])),
    });
    let services: BTreeSet<_> = outcomes().flat_map(|it| it.without_endpoints.iter().copied()).collect();
    let figures: Vec<&Figures> = outcomes().filter_map(|it| it.figures.as_ref()).collect();
    let judged = judge(&resolved.objectives, &Cells { description, figures: &figures, settles: false });
    FailureSummary {
        failure: name.to_owned(),
        replications: cell.len() as u32,
        failing_during: value(&|it| Some(it.failing_all[0])),
        failing_after: value(&|it| Some(it.failing_all[1])),
        users: users.collect(),
        noticed_after: value(&|it| it.noticed),
        moved_after: if_all(&|it| it.moved),
        restored_after: if_all(&|it| it.restored),
        p95_ms: value(&|it| Some(it.p95_ms[0]).filter(|it| it.is_finite())),
        undisturbed_p95_ms: value(&|it| Some(it.p95_ms[1]).filter(|it| it.is_finite())),
        evictions: value(&|it| Some(it.evictions)),
        without_endpoints: services
            .into_iter()
            .map(|it| description.application.services[it].name.clone())
            .collect(),
        objectives_broken: judged.iter().filter(|it| !it.holds).map(Judged::name).collect(),
    }
}

/// The worst failure: that during and after which most requests fail, of equals the one with the longest latency.
fn worst(failures: &[FailureSummary], lasts: f64) -> String {
    let badness = |it: &FailureSummary| it.failing_during.value + it.failing_after.value;
    let p95 = |it: &FailureSummary| it.p95_ms.value;
    let worse = |a: &&FailureSummary, b: &&FailureSummary| {
        badness(a).total_cmp(&badness(b)).then(p95(a).total_cmp(&p95(b)))
    };
    let Some(it) = failures.iter().max_by(worse) else { return "no failure was tried".to_owned() };
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    if badness(it) < 0.000_5 {
        return match p95(it) > it.undisturbed_p95_ms.value * 1.1 {
            true => format!(
                "no failure costs requests; {} makes the p95 {:.0} ms, not {:.0}",
                it.failure,
                p95(it),
                it.undisturbed_p95_ms.value
            ),
            false => "no failure costs requests or time".to_owned(),
        };
    }
    let moved = match it.moved_after.value {
        seconds if seconds.is_nan() => format!("and as long as it lasts ({lasts:.0} s) nobody helps"),
        seconds => format!("until traffic has moved after {seconds:.0} s"),
    };
    let after = match it.failing_after.value {
        share if share >= 0.000_5 => format!(", {} of those after it", percent(share)),
        _ => String::new(),
    };
    format!("{}: {} of the requests fail, {moved}{after}", it.failure, percent(it.failing_during.value))
}
