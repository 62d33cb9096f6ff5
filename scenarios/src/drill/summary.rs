//! What a drill came to: a matrix of failures and strategies, and the worst failure of each strategy.

use super::failure::Failure;
use super::outcome::{Outcome, Ran};
use super::{DrillPlan, StrategyPlan};
use crate::analysis::figure::Cells;
use crate::analysis::objectives::{Judged, judge};
use crate::analysis::value::Value;
use crate::experiment::replication::Figures;
use crate::experiment::store::CellStore;
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
    /// After how long a request has failed that has no answer (s).
    pub patience_seconds: f64,
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
    /// Objectives that do not hold even undisturbed.
    pub objectives_missed: Vec<String>,
    /// The worst failure in a sentence.
    pub worst: String,
    /// Every failure that was finished, in the order of the plan.
    pub failures: Vec<FailureSummary>,
}

/// What a failure does to a strategy. Differences are those of pairs of runs over the same requests.
#[derive(Clone, Debug, Serialize)]
pub struct FailureSummary {
    /// Its name.
    pub failure: String,
    /// Replications that were finished.
    pub replications: u32,
    /// Share of the requests that fail because of it while it lasts: without a good answer in time.
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
    /// How much longer it is (ms).
    pub longer_p95_ms: Value,
    /// Pods that were evicted.
    pub evictions: Value,
    /// Services that had no endpoint at some time, in any replication.
    pub without_endpoints: Vec<String>,
    /// Objectives that hold undisturbed and do not hold with it.
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

/// How a figure of a failure is read.
pub type ReadFigure = fn(&FailureSummary) -> &Value;

impl FailureSummary {
    /// Its figures, by their names in result files.
    pub const FIGURES: [(&'static str, ReadFigure); 9] = [
        ("failing_during", |it| &it.failing_during),
        ("failing_after", |it| &it.failing_after),
        ("noticed_after_s", |it| &it.noticed_after),
        ("moved_after_s", |it| &it.moved_after),
        ("restored_after_s", |it| &it.restored_after),
        ("p95_ms", |it| &it.p95_ms),
        ("undisturbed_p95_ms", |it| &it.undisturbed_p95_ms),
        ("longer_p95_ms", |it| &it.longer_p95_ms),
        ("evictions", |it| &it.evictions),
    ];
}

impl DrillSummary {
    /// Sums up those cells of a plan that are in a store. Memory holds one failure's at a time.
    #[must_use]
    pub fn new(plan: &DrillPlan, store: &CellStore) -> Self {
        Self {
            seed: plan.strategies.first().map_or(0, |it| it.resolved.description.seed),
            replications: plan.replications,
            lasts_seconds: plan.lasts.as_secs_f64(),
            patience_seconds: plan.patience.as_secs_f64(),
            notes: plan.notes.clone(),
            strategies: plan.strategies.iter().map(|it| of_strategy(plan, store, it)).collect(),
        }
    }

    /// Replications of failures that were finished.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.strategies.iter().flat_map(|it| &it.failures).map(|it| it.replications as usize).sum()
    }

    /// Whether all objectives hold, whatever fails.
    #[must_use]
    pub fn objectives_hold(&self) -> bool {
        let holds = |it: &StrategyDrill| {
            it.objectives_missed.is_empty() && it.failures.iter().all(|of| of.objectives_broken.is_empty())
        };
        self.strategies.iter().all(holds)
    }
}

fn of_strategy(plan: &DrillPlan, store: &CellStore, strategy: &StrategyPlan) -> StrategyDrill {
    let objectives = &strategy.resolved.objectives;
    let undisturbed: Vec<Ran> = match objectives.is_empty() {
        true => Vec::new(),
        false => plan.undisturbed_in(store, strategy),
    };
    let missed = missed(strategy, undisturbed.iter().filter_map(|it| it.figures.as_ref()));
    let of = |failure: &Failure| {
        let outcomes = plan.outcomes_in(store, strategy, failure);
        (!outcomes.is_empty()).then(|| of_failure(strategy, failure, &outcomes, &missed))
    };
    let failures: Vec<FailureSummary> = strategy.failures.iter().filter_map(of).collect();
    StrategyDrill {
        name: strategy.resolved.strategy.clone(),
        worst: worst(&failures, plan.lasts.as_secs_f64()),
        objectives_missed: missed,
        failures,
    }
}

/// The objectives that do not hold; none if nothing was run.
fn missed<'a>(strategy: &StrategyPlan, figures: impl Iterator<Item = &'a Figures>) -> Vec<String> {
    let figures: Vec<&Figures> = figures.collect();
    if figures.is_empty() {
        return Vec::new();
    }
    let resolved = &strategy.resolved;
    let cells = Cells { description: &resolved.description, figures: &figures, settles: false };
    judge(&resolved.objectives, &cells).iter().filter(|it| !it.holds).map(Judged::name).collect()
}

fn of_failure(
    strategy: &StrategyPlan,
    failure: &Failure,
    outcomes: &[Outcome],
    missed_before: &[String],
) -> FailureSummary {
    let value = |of: &dyn Fn(&Outcome) -> Option<f64>| -> Value {
        let all: Vec<f64> = outcomes.iter().filter_map(of).collect();
        mean_estimate(&all, 0.95).into()
    };
    // What did not come to pass in some replication has no mean.
    let if_all = |of: &dyn Fn(&Outcome) -> Option<f64>| match outcomes.iter().all(|it| of(it).is_some()) {
        true => value(of),
        false => Value { value: f64::NAN, ci95: None },
    };
    let finite = |value: f64| Some(value).filter(|it| it.is_finite());
    let description = &strategy.resolved.description;
    let users = description.populations.iter().enumerate().map(|(number, population)| UsersDrill {
        users: population.name.clone(),
        failing_during: value(&|it| Some(it.failing[number][0])),
        failing_after: value(&|it| Some(it.failing[number][1])),
    });
    let services: BTreeSet<_> = outcomes.iter().flat_map(|it| it.without_endpoints.iter().copied()).collect();
    let mut broken = missed(strategy, outcomes.iter().filter_map(|it| it.figures.as_ref()));
    broken.retain(|it| !missed_before.contains(it));
    FailureSummary {
        failure: failure.name.clone(),
        replications: outcomes.len() as u32,
        failing_during: value(&|it| Some(it.failing_all[0])),
        failing_after: value(&|it| Some(it.failing_all[1])),
        users: users.collect(),
        noticed_after: value(&|it| it.noticed),
        moved_after: if_all(&|it| it.moved),
        restored_after: if_all(&|it| it.restored),
        p95_ms: value(&|it| finite(it.p95_ms[0])),
        undisturbed_p95_ms: value(&|it| finite(it.p95_ms[1])),
        longer_p95_ms: value(&|it| finite(it.p95_ms[0] - it.p95_ms[1])),
        evictions: value(&|it| Some(it.evictions)),
        without_endpoints: services
            .into_iter()
            .map(|it| description.application.services[it].name.clone())
            .collect(),
        objectives_broken: broken,
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
    let share = |it: &UsersDrill| it.failing_during.value + it.failing_after.value;
    let hit = it.users.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    // Where there are groups, a mean over all of them hides who it is.
    let who = match hit.filter(|hit| it.users.len() > 1 && share(hit) > badness(it) * 1.1) {
        Some(hit) => format!(" ({} of those of {})", percent(hit.failing_during.value), hit.users),
        None => String::new(),
    };
    format!("{}: {} of the requests fail{who}, {moved}{after}", it.failure, percent(it.failing_during.value))
}
