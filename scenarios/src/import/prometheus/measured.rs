//! What the answers say of an application: who calls whom how often, and what each service costs.
//!
//! # Assumptions
//! - A source that nobody calls is the users' gateway.
//! - A pod belongs to the workload whose name its own begins with; of several the longest.
//! - A caller answers with an error if one of its calls fails: what is left of its errors is its own.
//!
//! # Source
//! mSvcBench/muPlacer, `GMA.py`: F, L and U of its telemetry, here of all clusters.

use super::answers::{Answers, Labels, label};
use super::queries::{
    CALLS, CLIENT_COUNT, CLIENT_TIME, CPU, CPU_LIMITS, QUANTILE, REPLICAS, REQUEST_BYTES, RESPONSE_BYTES,
    SERVER_COUNT, SERVER_TIME,
};
use crate::problem::{Checked, Problem};
use meshsim_models::network::path::{REQUEST_HEADER, RESPONSE_HEADER};
use std::collections::{BTreeMap, BTreeSet};

/// Istio rounds durations down to whole milliseconds: half of one is missing in the mean (ms).
const ROUNDED_MS: f64 = 0.5;

/// An application as it was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) services: BTreeMap<String, Service>,
    /// What users request: by their cluster and service, per second.
    pub(super) users: BTreeMap<(String, String), Entry>,
    /// Deployments that had no calls.
    pub(super) idle: BTreeSet<String>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Service {
    pub(super) namespace: String,
    /// Answers per second.
    pub(super) rate: f64,
    /// By cluster: pods, of which there are so many in the mean, and the CPU limit of each (cores), if there is one.
    pub(super) clusters: BTreeMap<String, (f64, Option<f64>)>,
    /// CPU time of an answer (ms).
    pub(super) cpu_ms: f64,
    /// Bodies (bytes).
    pub(super) request_bytes: f64,
    pub(super) response_bytes: f64,
    /// Share of the requests that it fails by itself.
    pub(super) errors: f64,
    /// Calls per request, by service.
    pub(super) calls: BTreeMap<String, f64>,
    /// Whether its calls take longer together than it takes itself: they are made at the same time.
    pub(super) in_parallel: bool,
    /// Whether callers are served by their own cluster where it has the service; absent: it is in one cluster.
    pub(super) near_first: Option<bool>,
}

/// What users of a cluster request of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) rate: f64,
    pub(super) mean_ms: f64,
    pub(super) p90_ms: f64,
}

/// Who calls, and from where.
type Caller = (String, String);

impl Measured {
    /// Reads answers over a window of so many seconds.
    ///
    /// # Errors
    /// If an answer is missing, or there are no calls.
    pub(super) fn new(answers: &Answers, (window, seconds): (&str, f64)) -> Checked<Self> {
        let to = |query| answers.to(query, window);
        let calls = to(CALLS)?;
        let app = |it: &Labels| Some(label(it, "destination_app").to_owned());
        let counts = calls.by(app);
        if counts.values().sum::<f64>() <= 0.0 {
            let problem = Problem::new("there are no calls in the window");
            return Err(problem.help("is --at within what Prometheus has, and is there a mesh?").into());
        }
        let called: BTreeSet<&String> = counts.keys().collect();
        let mut measured = Self::default();
        let cpu = of_workloads(&calls.0, &to(CPU)?.0, "pod");
        let limits = of_workloads(&calls.0, &to(CPU_LIMITS)?.0, "pod");
        let replicas = of_workloads(&calls.0, &to(REPLICAS)?.0, "deployment");
        let client_ms = mean_by(&to(CLIENT_TIME)?.0, &to(CLIENT_COUNT)?.0, |it| {
            (caller(it), label(it, "destination_app").to_owned())
        });
        let own = |it: &Labels| label(it, "destination_app").to_owned();
        let pair_ms = mean_by(&to(CLIENT_TIME)?.0, &to(CLIENT_COUNT)?.0, |it| {
            (label(it, "source_app").to_owned(), own(it))
        });
        let good = to(SERVER_COUNT)?;
        let server_ms = mean_by(&to(SERVER_TIME)?.0, &good.0, own);
        let requests = mean_by(&to(REQUEST_BYTES)?.0, &good.0, own);
        let responses = mean_by(&to(RESPONSE_BYTES)?.0, &good.0, own);
        let failed = calls.by(|it| label(it, "response_code").starts_with('5').then(|| own(it)));
        let share = |name: &str| failed.get(name).copied().unwrap_or(0.0) / counts[name];
        let by_both = calls.by(|it| Some((label(it, "source_app").to_owned(), own(it))));
        for (labels, _) in &calls.0 {
            let of = measured.services.entry(own(labels)).or_default();
            label(labels, "destination_workload_namespace").clone_into(&mut of.namespace);
            let workload = label(labels, "destination_workload").to_owned();
            let pods = replicas.get(&workload).map_or(1.0, |(sum, _)| *sum);
            let limit = limits.get(&workload).map(|(sum, count)| sum / count);
            of.clusters.insert(label(labels, "destination_cluster").to_owned(), (pods, limit));
        }
        for (name, it) in &mut measured.services {
            let workloads: BTreeSet<&str> = calls
                .0
                .iter()
                .filter(|(labels, _)| own(labels) == *name)
                .map(|(labels, _)| label(labels, "destination_workload"))
                .collect();
            let cores: f64 = workloads.iter().filter_map(|it| cpu.get(*it)).map(|(sum, _)| sum).sum();
            it.rate = counts[name] / seconds;
            it.cpu_ms = cores / it.rate * 1e3;
            it.request_bytes =
                (requests.get(name).map_or(0.0, |(mean, _)| *mean) - f64::from(REQUEST_HEADER)).max(0.0);
            it.response_bytes =
                (responses.get(name).map_or(0.0, |(mean, _)| *mean) - f64::from(RESPONSE_HEADER)).max(1.0);
            let all = by_both.iter().filter(|((from, _), count)| from == name && **count > 0.0);
            it.calls = all.map(|((_, to), count)| (to.clone(), count / counts[name])).collect();
            let of_calls: f64 = it.calls.iter().map(|(to, per_request)| per_request * share(to)).sum();
            it.errors = (share(name) - of_calls).clamp(0.0, 1.0);
            let waited: f64 = it
                .calls
                .iter()
                .filter_map(|(to, per_request)| {
                    Some(per_request * pair_ms.get(&(name.clone(), to.clone()))?.0)
                })
                .sum();
            let takes = server_ms.get(name).map_or(f64::INFINITY, |(mean, _)| *mean);
            it.in_parallel = it.calls.len() > 1 && waited > takes;
            it.near_first = near_first(&calls.0, name, &it.clusters);
        }
        for (labels, count) in calls.0.iter().filter(|(labels, _)| !called.contains(&caller(labels).0)) {
            let (from, to) = (caller(labels), own(labels));
            let entry = measured.users.entry((from.1.clone(), to.clone())).or_default();
            entry.rate += count / seconds;
            entry.mean_ms = client_ms.get(&(from, to)).map_or(f64::NAN, |(mean, _)| mean + ROUNDED_MS);
        }
        for (labels, p90) in &to(QUANTILE)?.0 {
            let key = (caller(labels).1, own(labels));
            if let Some(entry) = measured.users.get_mut(&key).filter(|_| !called.contains(&caller(labels).0))
            {
                entry.p90_ms = *p90;
            }
        }
        let busy: BTreeSet<&str> = calls.0.iter().map(|(it, _)| label(it, "destination_workload")).collect();
        let deployments = to(REPLICAS)?.0;
        let names = deployments.iter().map(|(it, _)| label(it, "deployment"));
        measured.idle = names.filter(|it| !busy.contains(it)).map(ToOwned::to_owned).collect();
        Ok(measured)
    }
}

fn caller(labels: &Labels) -> Caller {
    (label(labels, "source_app").to_owned(), label(labels, "source_cluster").to_owned())
}

/// Means and counts by what `key` makes of the labels.
fn mean_by<K: Ord>(
    sums: &[(Labels, f64)],
    counts: &[(Labels, f64)],
    key: impl Fn(&Labels) -> K,
) -> BTreeMap<K, (f64, f64)> {
    let mut both: BTreeMap<K, (f64, f64)> = BTreeMap::new();
    sums.iter().for_each(|(labels, sum)| both.entry(key(labels)).or_default().0 += sum);
    counts.iter().for_each(|(labels, count)| both.entry(key(labels)).or_default().1 += count);
    both.retain(|_, (_, count)| *count > 0.0);
    both.values_mut().for_each(|(sum, count)| *sum /= *count);
    both
}

/// The sum of values by workload, and how many there are, of series whose label `of` begins with a workload's name.
fn of_workloads(calls: &[(Labels, f64)], series: &[(Labels, f64)], of: &str) -> BTreeMap<String, (f64, f64)> {
    let workloads: BTreeSet<&str> = calls.iter().map(|(it, _)| label(it, "destination_workload")).collect();
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (labels, value) in series {
        let name = label(labels, of);
        let is_of = |workload: &&&str| {
            name.strip_prefix(**workload).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        if let Some(workload) = workloads.iter().filter(is_of).max_by_key(|it| it.len()) {
            let sum = sums.entry((*workload).to_owned()).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    sums
}

/// Whether most calls from clusters that have a service stay there; absent if it is in one alone.
fn near_first(
    calls: &[(Labels, f64)],
    name: &str,
    clusters: &BTreeMap<String, (f64, Option<f64>)>,
) -> Option<bool> {
    let has_choice = |(labels, _): &&(Labels, f64)| {
        label(labels, "destination_app") == name && clusters.contains_key(label(labels, "source_cluster"))
    };
    let (mut near, mut all) = (0.0, 0.0);
    for (labels, count) in calls.iter().filter(has_choice) {
        all += count;
        if label(labels, "source_cluster") == label(labels, "destination_cluster") {
            near += count;
        }
    }
    (clusters.len() > 1 && all > 0.0).then_some(near > 0.9 * all)
}
