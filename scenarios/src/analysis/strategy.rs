//! What the replications of a strategy come to.

use super::coefficients::{Coefficients, variance_ratio};
use super::figure::{Cells, Dimension, Labels, Row, labels};
use super::figures::{self, proxy_memory};
use super::objectives::{self, Judged, judge};
use super::served::{proxy_counters, sent, served, served_by_pod};
use super::value::Value;
use super::workloads::{Saturated, WorkloadSummary, growing_queues, saturated, workloads};
use crate::experiment::controls::ControlSum;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::replication::Figures;
use crate::experiment::settling::settles_at;
use crate::experiment::warm_up::WarmUp;
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_core::stats::Histogram;
use meshsim_models::ids::PopulationId;
use meshsim_models::world::description::Description;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

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

impl Strategy {
    /// What its replications come to, of which so much was cut.
    pub(super) fn new(resolved: &Resolved, warm_up: &WarmUp, figures: &[&Figures]) -> Self {
        let description = &resolved.description;
        let settles = description.what_varies().is_empty();
        let coefficients = Coefficients::of_all(figures);
        let means: Vec<f64> = figures.iter().filter_map(|it| Some(it.histogram.mean()? / 1e6)).collect();
        let luck = figures.iter().map(|it| coefficients.luck_ms(&ControlSum::means_of_all(&it.controls)));
        let freed: Vec<f64> = means.iter().zip(luck).map(|(mean, luck)| mean - luck).collect();
        let is_settled = !settles || settles_at(figures.iter().map(|f| &f.over_time)).is_settled;
        let cells = Cells { description, figures, settles };
        let mut rows = figures::rows(&cells);
        let groups = OfGroups { description, groups: Groups::new(description), figures, rows: &rows };
        let all = Labels::new();
        let (latency_ms, requests) = (Latency::of(&rows, &all), Requests::of(&rows, &all));
        let (users, request_kinds) = (groups.users(), groups.kinds(None));
        let applications = groups.applications();
        let objectives = judge(&resolved.objectives, &cells);
        rows.extend(objectives::rows(&objectives));
        let intervals = rows.iter().filter(|it| it.figure.is_plain());
        let ci95 = intervals.filter_map(|it| Some((it.plain_name(), it.value.ci95?))).collect();
        let seconds: f64 = figures.iter().map(|f| f.seconds).sum();
        Self {
            name: resolved.strategy.clone(),
            latency_ms,
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
            requests,
            users,
            request_kinds,
            applications,
            objectives,
            histogram: merge(figures.iter().map(|f| &f.histogram)),
            ci95,
            simulated_seconds: seconds,
            warm_up: warm_up.clone(),
            warm_up_not_found: if is_settled { 0 } else { figures.len() as u32 },
        }
    }

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

/// What requests that are reported together come to, from the figures of a strategy.
struct OfGroups<'a> {
    description: &'a Description,
    groups: Groups,
    figures: &'a [&'a Figures],
    rows: &'a [Row],
}

impl OfGroups<'_> {
    /// Those of the users of each population, where figures tell them apart.
    fn users(&self) -> BTreeMap<String, UserGroup> {
        let of_users = |(index, name): (usize, &String)| {
            let users = Some(PopulationId::from_index(index));
            let all = self.group(Which { users, ..Which::default() })?;
            Some((name.clone(), UserGroup { request_kinds: self.kinds(users), ..all }))
        };
        let names = self.description.populations.iter().map(|it| &it.name);
        names.enumerate().filter_map(of_users).collect()
    }

    /// Those of each kind, of some users or of all, likewise.
    fn kinds(&self, users: Option<PopulationId>) -> BTreeMap<String, UserGroup> {
        let of_kind = |kind| {
            let group = self.group(Which { users, request: Some(kind), tenant: None })?;
            Some((kind_name(self.description, kind), group))
        };
        self.groups.kinds().filter_map(of_kind).collect()
    }

    /// Those of each application, where there are several.
    fn applications(&self) -> BTreeMap<String, UserGroup> {
        let of_tenant = |(number, name): (u16, &String)| {
            Some((name.clone(), self.group(Which { tenant: Some(number), ..Which::default() })?))
        };
        (0..).zip(&self.description.application.tenants).filter_map(of_tenant).collect()
    }

    /// Nothing without a replication, or if they are not told apart.
    fn group(&self, which: Which) -> Option<UserGroup> {
        let index = self.groups.index_of(which)?;
        let labels = labels(self.description, which);
        Some(UserGroup {
            histogram: Some(merge(self.figures.iter().map(|it| &it.groups[index].histogram))?),
            latency_ms: Latency::of(self.rows, &labels),
            requests: Requests::of(self.rows, &labels),
            request_kinds: BTreeMap::new(),
        })
    }
}

/// The values of a figure for requests with these labels, with what tells them apart beside that.
fn values<'a>(
    rows: &'a [Row],
    name: &'a str,
    labels: &'a Labels,
) -> impl Iterator<Item = (Option<&'a String>, Value)> {
    let of_name = rows.iter().filter(move |it| it.figure.name == name);
    of_name.filter_map(move |it| {
        let outcome = it.labels.get(&Dimension::Outcome);
        let is_same = labels.iter().all(|(key, name)| it.labels.get(key) == Some(name));
        let others = it.labels.len() - usize::from(outcome.is_some());
        (is_same && others == labels.len()).then_some((outcome, it.value))
    })
}

impl Latency {
    /// From figures, of requests with these labels.
    fn of(rows: &[Row], labels: &Labels) -> Self {
        let value = |name| values(rows, name, labels).next().map_or_else(|| None.into(), |(_, value)| value);
        Self {
            mean: value("latency_ms.mean"),
            p50: value("latency_ms.p50"),
            p90: value("latency_ms.p90"),
            p95: value("latency_ms.p95"),
            p99: value("latency_ms.p99"),
        }
    }

    /// Its figures with their names.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Value); 5] {
        [("mean", self.mean), ("p50", self.p50), ("p90", self.p90), ("p95", self.p95), ("p99", self.p99)]
    }
}

impl Requests {
    /// From figures, of requests with these labels.
    fn of(rows: &[Row], labels: &Labels) -> Self {
        let count = |name| values(rows, name, labels).next().map(|(_, count)| count.value as u64);
        let outcomes = |name| {
            let all = values(rows, name, labels);
            all.filter_map(|(outcome, count)| Some((outcome?.clone(), count.value as u64))).collect()
        };
        Self {
            offered: count("requests.offered").unwrap_or(0),
            attempts: count("requests.attempts"),
            completed: count("requests.completed").unwrap_or(0),
            redirected: outcomes("requests.redirected"),
            failed: outcomes("requests.failed"),
            in_flight: count("requests.in_flight").unwrap_or(0),
        }
    }

    /// Those that failed.
    #[must_use]
    pub fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }
}

fn merge<'a>(mut histograms: impl Iterator<Item = &'a Histogram>) -> Option<Histogram> {
    let mut merged = histograms.next()?.clone();
    histograms.for_each(|histogram| merged.merge(histogram));
    Some(merged)
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
