//! What a comparison came to, as `summary.json` has it.

use super::coefficients::{Coefficients, variance_ratio};
use super::estimates::{CONFIDENCE, Latencies};
use super::figure::{Cells, Dimension, Labels, Row};
use super::figures::{self, MEAN_DIFFERENCE, added, proxy_memory, try_again};
use super::objectives::{self, Judged, judge};
use super::ranking::Ranking;
use super::served::{proxy_counters, sent, served, served_by_pod};
use super::value::Value;
use super::workloads::{Saturated, WorkloadSummary, growing_queues, saturated, workloads};
use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use crate::experiment::controls::{ControlSum, Controls};
use crate::experiment::decide::Decision;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::replication::Figures;
use crate::experiment::settling::settles_at;
use crate::experiment::user_requests::{Compared, Counts};
use crate::experiment::warm_up::WarmUp;
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_core::stats::selection::{against_the_best, holm, probability_by_chance};
use meshsim_core::stats::{Histogram, paired_difference};
use meshsim_models::ids::{EndpointId, PopulationId};
use meshsim_models::users::population::Population;
use meshsim_models::world::description::Description;
use serde::{Serialize, Serializer};
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
    /// What differences between any two strategies come from.
    #[serde(skip)]
    compared: Vec<ComparedStrategy>,
    /// The groups of users that are told apart, each with its index among the groups of requests.
    #[serde(skip)]
    users: Vec<(String, usize)>,
}

/// What differences with other strategies come from, by replication.
#[derive(Clone, Debug)]
struct ComparedStrategy {
    name: String,
    /// As it was measured.
    plain: Vec<Compared>,
    /// Freed of what is known of its luck.
    freed: Vec<Compared>,
}

impl ComparedStrategy {
    fn new(name: &str, figures: &[&Figures]) -> Self {
        let all = Coefficients::of_all(figures);
        let count = figures.first().map_or(0, |it| it.groups.len());
        let groups: Vec<Coefficients> =
            (0..count).map(|index| Coefficients::of_group(figures, index)).collect();
        let luck_ms = |group: Option<usize>, controls: &Controls| {
            group.map_or(&all, |index| &groups[index]).luck_ms(controls)
        };
        let plain: Vec<Compared> = figures.iter().map(|it| it.compared.clone()).collect();
        let freed = plain.iter().map(|it| it.less(luck_ms)).collect();
        Self { name: name.to_owned(), plain, freed }
    }
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
}

/// One strategy.
#[derive(Clone, Debug, Serialize)]
pub struct Strategy {
    /// Its name.
    pub name: String,
    /// Latency of successful requests.
    pub latency_ms: Latency,
    /// What a unit of each control variate was found to be worth (ms): so much of the luck of each replication is taken off
    /// the mean latency. Those that do not help are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub control_coefficients_ms: BTreeMap<&'static str, f64>,
    /// Variance of the mean latency of replications over what is left of it without that luck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_variance_ratio: Option<f64>,
    /// Every value of every figure, in the order of the catalogue; numbers that have their intervals elsewhere are here.
    #[serde(flatten, serialize_with = "plain_numbers")]
    pub figures: Vec<Row>,
    /// Attempts per user request, by the cluster of the client and that of the pod that was chosen.
    pub sent_per_request: BTreeMap<String, BTreeMap<String, f64>>,
    /// Share of each service's calls that each cluster served.
    pub served: BTreeMap<String, BTreeMap<String, f64>>,
    /// Calls per second of each service in each cluster.
    pub served_per_second: BTreeMap<String, BTreeMap<String, f64>>,
    /// Calls per second of each pod of each service in each cluster.
    pub served_by_pod: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    /// Deployments whose pods may come and go, by service and cluster.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<String, BTreeMap<String, WorkloadSummary>>,
    /// Deployments that used all the CPU that they may, over the whole run, while nothing bounds their queues.
    #[serde(skip)]
    pub saturated: Vec<Saturated>,
    /// Requests in the cells of Deployments whose queues grow, by service and cluster: from how many to how many.
    #[serde(skip)]
    pub growing_queues: BTreeMap<(String, String), [f64; 2]>,
    /// What the proxies of each cluster counted about each service that they called, over all
    /// replications, by Envoy's names; what is zero is left out.
    pub proxy_counters: BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, u64>>>,
    /// Memory of each cluster's proxies, as much as they need for what they are told (bytes).
    pub proxy_memory_bytes: BTreeMap<String, f64>,
    /// 95 % intervals of the figures above that are written as plain numbers, by their name.
    pub ci95: BTreeMap<String, [f64; 2]>,
    /// Where the requests went, over all replications.
    pub requests: Requests,
    /// The same of each group of users, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, UserGroup>,
    /// The same of each kind of request, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_kinds: BTreeMap<String, UserGroup>,
    /// The same of each application, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub applications: BTreeMap<String, UserGroup>,
    /// What became of the objectives, in the order of the scenario.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Judged>,
    /// Latencies of successful requests over all replications (ns).
    #[serde(skip)]
    pub histogram: Option<Histogram>,
    /// Reported time, over all replications (s).
    pub simulated_seconds: f64,
    /// What was cut from the start of each replication.
    pub warm_up: WarmUp,
    /// Replications that had not settled after it: all or none, for their average tells.
    pub warm_up_not_found: u32,
}

/// Latencies of successful requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Mean.
    pub mean: Value,
    /// Median.
    pub p50: Value,
    /// 90 % are at most this.
    pub p90: Value,
    /// 95 %.
    pub p95: Value,
    /// 99 %.
    pub p99: Value,
}

/// What requests that are reported together came to.
#[derive(Clone, Debug, Serialize)]
pub struct UserGroup {
    /// Latency of the successful ones.
    pub latency_ms: Latency,
    /// Where they went, over all replications.
    pub requests: Requests,
    /// The same of each kind of request of a group of users, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_kinds: BTreeMap<String, Self>,
    /// Latencies of the successful ones over all replications (ns).
    #[serde(skip)]
    pub histogram: Option<Histogram>,
}

/// Where the requests went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Requests {
    /// Arrived.
    pub offered: u64,
    /// How often users sent these, where they try again after failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Succeeded.
    pub completed: u64,
    /// Of these, redirected by a route, by status.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redirected: BTreeMap<String, u64>,
    /// Failed, by status and Envoy's flag, as in `503 UF`.
    pub failed: BTreeMap<String, u64>,
    /// Not ended when the run did.
    pub in_flight: u64,
}

/// A strategy against the baseline, replication by replication.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// The strategy.
    pub strategy: String,
    /// The baseline.
    pub baseline: String,
    /// Mean latency of the strategy less that of the baseline.
    pub mean_difference_ms: Value,
    /// Variance of the difference if the requests were not the same, over what it is: the gain of
    /// common random numbers. Nothing if there is no variance.
    pub variance_ratio: Option<f64>,
    /// Variance of the difference over what control variates leave of it; nothing where none helps.
    pub control_variance_ratio: Option<f64>,
    /// The probability that the difference is by chance, adjusted by Holm's procedure for all strategies that are compared
    /// with the baseline: those below 0.05 differ from it, of which any is wrong in at most 5 %.
    pub holm_probability: Option<f64>,
}

impl Summary {
    /// Sums up what came of a plan.
    #[must_use]
    pub fn new(plan: &ComparisonPlan, outcome: &ComparisonOutcome) -> Self {
        let of_strategy = |index: usize| -> Vec<&Figures> {
            outcome.replications.iter().map(|(_, figures)| &figures[index]).collect()
        };
        let strategies = (0..plan.strategies.len())
            .map(|index| strategy(&plan.strategies[index], &outcome.warm_ups[index], &of_strategy(index)));
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
            },
            strategies: strategies.collect(),
            paired: Vec::new(),
            against_best_of_others_ms: BTreeMap::new(),
            calibration: None,
            decision: None,
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
        let paired = self.paired(strategy, other, &|it, other| it.group_mean_ms(group, other));
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
        self.paired(strategy, baseline, &Compared::mean_ms)
    }

    /// A strategy against another one by the mean of a replication of one of them that both have in common.
    fn paired(
        &self,
        strategy: &str,
        baseline: &str,
        mean_ms: &dyn Fn(&Compared, &Compared) -> Option<f64>,
    ) -> Option<Paired> {
        let (mine, theirs) = (self.compared(strategy)?, self.compared(baseline)?);
        let means = |of: &[Compared], others: &[Compared]| -> Option<Vec<f64>> {
            of.iter()
                .zip(others)
                .map(|(it, other)| mean_ms(it, other).filter(|mean| mean.is_finite()))
                .collect()
        };
        let pairs = |of: fn(&ComparedStrategy) -> &Vec<Compared>| {
            Some([means(of(mine), of(theirs))?, means(of(theirs), of(mine))?])
        };
        let (plain, freed) = (pairs(|it| &it.plain)?, pairs(|it| &it.freed)?);
        let differences = |[a, b]: &[Vec<f64>; 2]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        Some(Paired {
            strategy: strategy.to_owned(),
            baseline: baseline.to_owned(),
            mean_difference_ms: paired_difference(&freed[0], &freed[1], CONFIDENCE)?.difference.into(),
            variance_ratio: paired_difference(&plain[0], &plain[1], CONFIDENCE)?.variance_ratio,
            control_variance_ratio: variance_ratio(&differences(&plain), &differences(&freed)),
            holm_probability: probability_by_chance(&differences(&freed)),
        })
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

fn strategy(resolved: &Resolved, warm_up: &WarmUp, figures: &[&Figures]) -> Strategy {
    let description = &resolved.description;
    let groups = Groups::new(description);
    let settles = description.what_varies().is_empty();
    let latencies = Latencies::new(figures, settles);
    let coefficients = Coefficients::of_all(figures);
    let means: Vec<f64> = figures.iter().filter_map(|it| Some(it.histogram.mean()? / 1e6)).collect();
    let luck = figures.iter().map(|it| coefficients.luck_ms(&ControlSum::means_of_all(&it.controls)));
    let freed: Vec<f64> = means.iter().zip(luck).map(|(mean, luck)| mean - luck).collect();
    let is_settled = !settles || settles_at(figures.iter().map(|f| &f.over_time)).is_settled;
    let cells = Cells { description, figures, settles };
    let mut rows = figures::rows(&cells);
    let objectives = judge(&resolved.objectives, &cells);
    rows.extend(objectives::rows(&objectives));
    let intervals = rows.iter().filter(|it| it.figure.is_plain());
    let ci95 = intervals.filter_map(|it| Some((it.plain_name(), it.value.ci95?))).collect();
    let seconds: f64 = figures.iter().map(|f| f.seconds).sum();
    Strategy {
        name: resolved.strategy.clone(),
        latency_ms: Latency::of(&latencies),
        control_coefficients_ms: coefficients.named(),
        control_variance_ratio: variance_ratio(&means, &freed),
        figures: rows,
        sent_per_request: sent(description, figures),
        served: served(description, figures, &|count, total| count / total),
        served_per_second: served(description, figures, &|count, _| count / seconds),
        served_by_pod: served_by_pod(description, figures, seconds),
        workloads: workloads(description, figures),
        saturated: saturated(description, figures),
        growing_queues: growing_queues(description, figures),
        proxy_counters: proxy_counters(description, figures),
        proxy_memory_bytes: proxy_memory(description, figures),
        requests: requests(description, figures.iter().map(|f| &f.counts)),
        users: user_groups((description, &groups), figures, settles),
        request_kinds: request_kinds((description, &groups), figures, settles, None),
        applications: applications((description, &groups), figures, settles),
        objectives,
        histogram: merge(figures.iter().map(|f| &f.histogram)),
        ci95,
        simulated_seconds: seconds,
        warm_up: warm_up.clone(),
        warm_up_not_found: if is_settled { 0 } else { figures.len() as u32 },
    }
}

impl Strategy {
    /// A figure of all requests, by its name in the catalogue.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<Value> {
        self.figures.iter().find(|it| it.figure.name == name && it.labels.is_empty()).map(|it| it.value)
    }

    /// A figure of every cluster, by its name in the catalogue.
    #[must_use]
    pub fn by_cluster(&self, name: &str) -> BTreeMap<&str, Value> {
        self.by(name, Dimension::Cluster)
    }

    /// A figure of everything of a kind, likewise.
    #[must_use]
    pub fn by(&self, name: &str, dimension: Dimension) -> BTreeMap<&str, Value> {
        let of_name = self.figures.iter().filter(|it| it.figure.name == name);
        of_name.filter_map(|it| Some((it.labels.get(&dimension)?.as_str(), it.value))).collect()
    }
}

impl Row {
    /// The name of a plain number among the intervals.
    fn plain_name(&self) -> String {
        match self.labels.values().next() {
            Some(label) => format!("{}.{label}", self.figure.name),
            None => self.figure.name.to_owned(),
        }
    }
}

/// Plain numbers by name: those of clusters and the like, and those whose name has two parts, are in tables.
fn plain_numbers<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Node<'a> {
        Number(Option<f64>),
        Table(BTreeMap<&'a str, Option<f64>>),
    }
    let mut nodes: Vec<(&str, Node<'_>)> = Vec::new();
    for row in rows.iter().filter(|it| it.figure.is_plain()) {
        let number = row.value.value.is_finite().then_some(row.value.value);
        let label = row.labels.values().next().map(|it| (row.figure.name, it.as_str()));
        let Some((name, inner)) = label.or_else(|| row.figure.name.split_once('.')) else {
            nodes.push((row.figure.name, Node::Number(number)));
            continue;
        };
        match nodes.last_mut() {
            Some((last, Node::Table(table))) if *last == name => {
                table.insert(inner, number);
            }
            _ => nodes.push((name, Node::Table(BTreeMap::from([(inner, number)])))),
        }
    }
    serializer.collect_map(nodes)
}

/// What the users of each population got, where figures tell them apart.
fn user_groups(
    (description, groups): (&Description, &Groups),
    figures: &[&Figures],
    settles: bool,
) -> BTreeMap<String, UserGroup> {
    let of_users = |(index, population): (usize, &Population)| {
        let users = Some(PopulationId::from_index(index));
        let index = groups.index_of(Which { users, ..Which::default() })?;
        let request_kinds = request_kinds((description, groups), figures, settles, users);
        Some((
            population.name.clone(),
            UserGroup { request_kinds, ..group(description, figures, index, settles)? },
        ))
    };
    description.populations.iter().enumerate().filter_map(of_users).collect()
}

/// What requests of each kind came to, those of some users or of all, where figures tell them apart.
fn request_kinds(
    (description, groups): (&Description, &Groups),
    figures: &[&Figures],
    settles: bool,
    users: Option<PopulationId>,
) -> BTreeMap<String, UserGroup> {
    let of_kind = |kind: EndpointId| {
        let index = groups.index_of(Which { users, request: Some(kind), tenant: None })?;
        Some((kind_name(description, kind), group(description, figures, index, settles)?))
    };
    groups.kinds().filter_map(of_kind).collect()
}

/// What requests of each application came to, where there are several.
fn applications(
    (description, groups): (&Description, &Groups),
    figures: &[&Figures],
    settles: bool,
) -> BTreeMap<String, UserGroup> {
    let of_tenant = |(number, name): (u16, &String)| {
        let index = groups.index_of(Which { tenant: Some(number), ..Which::default() })?;
        Some((name.clone(), group(description, figures, index, settles)?))
    };
    (0..).zip(&description.application.tenants).filter_map(of_tenant).collect()
}

/// What the requests of a group came to, by its index; nothing without a replication.
fn group(description: &Description, figures: &[&Figures], index: usize, settles: bool) -> Option<UserGroup> {
    (!figures.is_empty()).then(|| UserGroup {
        latency_ms: Latency::of(&Latencies::of_group(figures, index, settles)),
        requests: requests(description, figures.iter().map(|f| &f.groups[index].counts)),
        request_kinds: BTreeMap::new(),
        histogram: merge(figures.iter().map(|f| &f.groups[index].histogram)),
    })
}

impl Latency {
    fn of(latencies: &Latencies<'_>) -> Self {
        let quantile = |index| Value::from(latencies.quantile(index));
        Self {
            mean: latencies.mean().into(),
            p50: quantile(0),
            p90: quantile(1),
            p95: quantile(2),
            p99: quantile(3),
        }
    }

    /// Its figures with their names.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Value); 5] {
        [("mean", self.mean), ("p50", self.p50), ("p90", self.p90), ("p95", self.p95), ("p99", self.p99)]
    }
}

impl Requests {
    /// Those that failed.
    #[must_use]
    pub fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }
}

fn requests<'a>(description: &Description, counts: impl Iterator<Item = &'a Counts>) -> Requests {
    let attempts = try_again(description).then_some(0);
    let mut requests = Requests { attempts, ..Requests::default() };
    for it in counts {
        requests.offered += it.offered;
        requests.attempts.iter_mut().for_each(|attempts| *attempts += it.attempts);
        requests.completed += it.completed;
        requests.in_flight += it.in_flight;
        for (cause, count) in &it.failed {
            *requests.failed.entry(cause.clone()).or_default() += count;
        }
        for (status, count) in &it.redirected {
            *requests.redirected.entry(status.clone()).or_default() += count;
        }
    }
    requests
}

fn merge<'a>(mut histograms: impl Iterator<Item = &'a Histogram>) -> Option<Histogram> {
    let mut merged = histograms.next()?.clone();
    histograms.for_each(|histogram| merged.merge(histogram));
    Some(merged)
}
