//! What a comparison came to, as `summary.json` has it.

use super::estimates::CONFIDENCE;
use super::figure::Labels;
use super::figures::{MEAN_DIFFERENCE, added};
use super::paired::ComparedStrategy;
pub use super::paired::Paired;
use super::ranking::Ranking;
pub use super::strategy::{Latency, Requests, Strategy, UserGroup};
use super::value::Value;
use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use crate::experiment::decide::Decision;
use crate::experiment::groups::{Groups, Which};
use crate::experiment::precision::Precision;
use crate::experiment::replication::Figures;
use crate::experiment::user_requests::Compared;
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_core::stats::paired_difference;
use meshsim_core::stats::selection::{against_the_best, holm};
use meshsim_models::ids::PopulationId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is reported of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// How it was run.
    pub run: Run,
    /// Each strategy.
    pub strategies: Vec<Strategy>,
    /// Each strategy against the baseline.
    pub paired: Vec<Paired>,
    /// Mean latency of each strategy less that of the best of the others: 95 % intervals that hold together. One that is below
    /// zero is the fastest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub against_best_of_others_ms: BTreeMap<String, [f64; 2]>,
    /// Whether the ranking holds over the draws of a calibration, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Ranking>,
    /// What a selection came to, if that was asked for; the figures are those of the replications that all strategies have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// How well a latency is known, if so many replications were made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// What differences between any two strategies come from.
    #[serde(skip)]
    compared: Vec<ComparedStrategy>,
    /// The groups of users that are told apart, each with its index among the groups of requests.
    #[serde(skip)]
    users: Vec<(String, usize)>,
}

/// How a comparison was run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Replications that finished.
    pub replications: u32,
    /// Reported time, over all replications of the first strategy (s).
    pub simulated_seconds: f64,
    /// Version of meshsim.
    pub version: &'static str,
    /// Hash of the scenario, its settings and its work model.
    pub scenario_sha256: String,
    /// Whether not all replications have finished: it was stopped, or runs have failed.
    pub interrupted: bool,
    /// Whose state all strategies go on from, and when that is (s), if they do (`--fork-at`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<(String, f64)>,
}

impl Summary {
    /// Sums up what came of a plan.
    #[must_use]
    pub fn new(plan: &ComparisonPlan, outcome: &ComparisonOutcome) -> Self {
        let of_strategy = |index: usize| -> Vec<&Figures> {
            outcome.replications.iter().map(|(_, figures)| &figures[index]).collect()
        };
        let strategies = (0..plan.strategies.len())
            .map(|it| Strategy::new(&plan.strategies[it], &outcome.warm_ups[it], &of_strategy(it)));
        let names = plan.strategies.iter().map(|it| &it.strategy);
        let compared = names.enumerate().map(|(index, it)| ComparedStrategy::new(it, &of_strategy(index)));
        let compared = compared.collect();
        let seconds: f64 = of_strategy(0).iter().map(|f| f.seconds).sum();
        let mut summary = Self {
            run: Run {
                seed: plan.strategies[0].description.seed,
                replications: outcome.replications.len() as u32,
                simulated_seconds: seconds,
                version: env!("CARGO_PKG_VERSION"),
                scenario_sha256: plan.sha256.clone(),
                interrupted: outcome.interrupted,
                forked_from: plan
                    .fork_at
                    .map(|at| (plan.strategies[plan.baseline].strategy.clone(), at.as_secs_f64())),
            },
            strategies: strategies.collect(),
            paired: Vec::new(),
            against_best_of_others_ms: BTreeMap::new(),
            calibration: None,
            decision: None,
            precision: None,
            compared,
            users: told_apart(&plan.strategies),
        };
        let baseline = plan.strategies[plan.baseline].strategy.clone();
        let others = plan.strategies.iter().map(|it| &it.strategy).filter(|name| **name != baseline);
        summary.paired = others.filter_map(|name| summary.pair(name, &baseline)).collect();
        let by_chance: Option<Vec<f64>> = summary.paired.iter().map(|it| it.holm_probability).collect();
        let adjusted = by_chance.map(|it| holm(&it)).unwrap_or_default();
        summary.paired.iter_mut().zip(adjusted).for_each(|(it, of)| it.holm_probability = Some(of));
        let names: Vec<&str> = plan.strategies.iter().map(|it| it.strategy.as_str()).collect();
        let values = summary.in_pairs(&names);
        let intervals = values.and_then(|it| against_the_best(&it, CONFIDENCE)).unwrap_or_default();
        let names = names.into_iter().map(str::to_owned);
        summary.against_best_of_others_ms = names.zip(intervals).collect();
        for strategy in &mut summary.strategies {
            let paired = summary.paired.iter().filter(|it| it.strategy == strategy.name);
            let values = paired.map(|it| (Labels::new(), it.mean_difference_ms));
            strategy.figures.extend(added(MEAN_DIFFERENCE, values));
        }
        summary
    }

    /// Mean latency of `strategy` less that of `other`, paired by replication (ms).
    #[must_use]
    pub fn difference(&self, strategy: &str, other: &str) -> Option<Value> {
        self.pair(strategy, other).map(|paired| paired.mean_difference_ms)
    }

    /// The groups of users that are told apart, in the order of the scenario; none where there is one only.
    pub fn groups_of_users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|(name, _)| name.as_str())
    }

    /// The same as [`Summary::difference`] for a group of users.
    #[must_use]
    pub fn difference_for(&self, users: &str, strategy: &str, other: &str) -> Option<Value> {
        let group = self.group(users)?;
        let mean_ms = |it: &Compared, other: &Compared| it.group_mean_ms(group, other);
        let paired = self.compared(strategy)?.against(self.compared(other)?, &mean_ms);
        paired.map(|it| it.mean_difference_ms)
    }

    /// A strategy against the baseline.
    #[must_use]
    pub fn against_baseline(&self, strategy: &str) -> Option<&Paired> {
        self.paired.iter().find(|paired| paired.strategy == strategy)
    }

    /// Whether all objectives hold under every strategy.
    #[must_use]
    pub fn objectives_hold(&self) -> bool {
        self.strategies.iter().flat_map(|it| &it.objectives).all(|it| it.holds)
    }

    /// Whether every request of every replication arrived at the same time, took as long and ended in the same way
    /// under both strategies.
    #[must_use]
    pub fn are_same(&self, strategy: &str, other: &str) -> bool {
        let requests = |name: &str| -> Vec<u64> {
            self.compared(name).into_iter().flat_map(|it| &it.plain).map(|it| it.requests).collect()
        };
        let mine = requests(strategy);
        !mine.is_empty() && mine == requests(other)
    }

    /// Mean latency of `strategy` less that of another one of another comparison over the same requests, paired by
    /// replication (ms).
    #[must_use]
    pub fn difference_to(&self, strategy: &str, others: &Self, other: &str) -> Option<Value> {
        self.unpaired(strategy, others, other, &|_, it| it.mean_ms(it))
    }

    /// The same for a group of users of both.
    #[must_use]
    pub fn difference_to_for(
        &self,
        users: &str,
        strategy: &str,
        others: &Self,
        other: &str,
    ) -> Option<Value> {
        self.unpaired(strategy, others, other, &|summary, it| it.group_mean_ms(summary.group(users)?, it))
    }

    fn unpaired(
        &self,
        strategy: &str,
        others: &Self,
        other: &str,
        mean_ms: &dyn Fn(&Self, &Compared) -> Option<f64>,
    ) -> Option<Value> {
        let means = |summary: &Self, name: &str| -> Option<Vec<f64>> {
            let own = summary.compared(name)?;
            own.freed.iter().map(|it| mean_ms(summary, it).filter(|mean| mean.is_finite())).collect()
        };
        let (mine, theirs) = (means(self, strategy)?, means(others, other)?);
        let same = mine.len() == theirs.len();
        same.then(|| paired_difference(&mine, &theirs, CONFIDENCE)).flatten().map(|it| it.difference.into())
    }

    /// The index of a group of users among the groups of requests.
    fn group(&self, users: &str) -> Option<usize> {
        self.users.iter().find(|(name, _)| name == users).map(|(_, group)| *group)
    }

    /// Mean latencies of some strategies by replication, over the requests that count under all of them (ms).
    #[must_use]
    pub fn in_pairs(&self, strategies: &[&str]) -> Option<Vec<Vec<f64>>> {
        let all: Vec<&Vec<Compared>> =
            strategies.iter().map(|name| Some(&self.compared(name)?.freed)).collect::<Option<_>>()?;
        // What is reported of the one that is cut last is reported of all.
        let last = all.iter().max_by_key(|of| of.first().map(|it| it.reported.0))?;
        let means = |of: &&Vec<Compared>| -> Option<Vec<f64>> {
            let pairs = of.iter().zip(*last);
            pairs.map(|(it, last)| it.mean_ms(last).filter(|mean| mean.is_finite())).collect()
        };
        all.iter().map(means).collect()
    }

    fn compared(&self, strategy: &str) -> Option<&ComparedStrategy> {
        self.compared.iter().find(|it| it.name == strategy)
    }

    fn pair(&self, strategy: &str, baseline: &str) -> Option<Paired> {
        self.compared(strategy)?.against(self.compared(baseline)?, &Compared::mean_ms)
    }
}

/// The groups of users that figures tell apart under every strategy, by the name and index of each.
fn told_apart(strategies: &[Resolved]) -> Vec<(String, usize)> {
    let of = |resolved: &Resolved| -> Vec<(String, usize)> {
        let groups = Groups::new(&resolved.description);
        let index = |number| {
            groups.index_of(Which { users: Some(PopulationId::from_index(number)), ..Which::default() })
        };
        let populations = resolved.description.populations.iter().enumerate();
        populations.filter_map(|(number, it)| Some((it.name.clone(), index(number)?))).collect()
    };
    let mut all = strategies.iter().map(of);
    let first = all.next().unwrap_or_default();
    if all.all(|it| it == first) { first } else { Vec::new() }
}
