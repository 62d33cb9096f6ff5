//! What the answers of Prometheus say of an application.
//!
//! # Models
//! A service's own time is what an answer takes at it less what its calls take for it; its spread is that of the answers less that of
//! the calls, if these vary less than it takes itself, by the counts in Istio's buckets (`shape`). CPU time has cAdvisor's mean and that spread, less what
//! waiting for the CPU adds (`sharing`). Of a service that calls others it is no larger than its mean: what is left may be kinds of requests, not
//! work. What is much longer than the CPU time, at the load that there was, is a wait of its own.
//!
//! # Assumptions
//! - A source that nobody calls is the users' gateway. What it sends its own proxy counts, so that what nobody serves is among it; where it has none,
//!   its servers do.
//! - A pod belongs to the workload whose name its own begins with; of several the longest.
//! - A caller answers with an error if one of its calls fails: what is left of its errors is its own.
//! - Calls are made in turn, unless they take longer together than their caller; which kind of request calls what is not told apart.
//! - A service speaks gRPC if most of its requests do; HTTP/2 is not told from HTTP/1.1.
//!
//! # Source
//! mSvcBench/muPlacer, `GMA.py`: F, L and U of its telemetry, here of all clusters.

use super::answers::{Answers, Labels, Vector, label};
use super::application::{Application, Entry, Law, Service};
use super::queries::{
    CALLS, CLIENT_BUCKETS, CLIENT_COUNT, CLIENT_TIME, CPU, CPU_LIMITS, QUANTILE, REPLICAS, REQUEST_BYTES,
    RESPONSE_BUCKETS, RESPONSE_BYTES, SENT, SERVER_BUCKETS, SERVER_COUNT, SERVER_TIME, is_failed_by_grpc,
};
use super::shape::{Buckets, Shape};
use crate::problem::Checked;
use meshsim_models::network::path::{REQUEST_HEADER, RESPONSE_HEADER};
use std::collections::{BTreeMap, BTreeSet};

/// Istio rounds durations down to whole milliseconds: half of one is missing in the mean (ms).
const ROUNDED_MS: f64 = 0.5;

/// What a service takes beside its CPU time is a wait of its own from so long on (ms), as its proxy takes some time, too,
const LEAST_WAIT_MS: f64 = 5.0;

/// and from this share of its own time on.
const LEAST_WAIT_SHARE: f64 = 0.25;

const TOO_FEW: &str = "assumed: nothing says how it is spread";

/// Who calls, and from where.
type Caller = (String, String);

/// What is known of calls, or of answers.
#[derive(Default)]
struct Times {
    mean_ms: f64,
    shape: Option<(Shape, bool)>,
}

impl Times {
    fn variance(&self) -> f64 {
        let cv = self.shape.as_ref().map_or(1.0, |(shape, _)| shape.cv());
        (cv * self.mean_ms) * (cv * self.mean_ms)
    }
}

impl Application {
    /// Reads answers over a window of so many seconds.
    ///
    /// # Errors
    /// If an answer is missing.
    pub(super) fn of_answers(answers: &Answers, (window, seconds): (&str, f64)) -> Checked<Self> {
        let to = |query| answers.to(query, window);
        let [mut calls, mut sent] = [to(CALLS)?, to(SENT)?];
        // A counter that stood still is of nobody.
        for it in [&mut calls, &mut sent] {
            it.0.retain(|(_, count)| *count > 0.0);
        }
        let own = |it: &Labels| label(it, "destination_app").to_owned();
        let counts = calls.by(|it| Some(own(it)));
        let mut measured = Self::default();
        let cpu = of_workloads(&calls.0, &to(CPU)?.0, "pod");
        let limits = of_workloads(&calls.0, &to(CPU_LIMITS)?.0, "pod");
        let replicas = of_workloads(&calls.0, &to(REPLICAS)?.0, "deployment");
        let [client_time, client_count] = [to(CLIENT_TIME)?, to(CLIENT_COUNT)?];
        let client_ms = mean_by(&client_time.0, &client_count.0, |it| (caller(it), own(it)));
        let pair = |it: &Labels| (label(it, "source_app").to_owned(), own(it));
        let good = to(SERVER_COUNT)?;
        let of_calls =
            times(mean_by(&client_time.0, &client_count.0, pair), &buckets(&to(CLIENT_BUCKETS)?, true, pair));
        let of_answers =
            times(mean_by(&to(SERVER_TIME)?.0, &good.0, own), &buckets(&to(SERVER_BUCKETS)?, true, own));
        let requests = mean_by(&to(REQUEST_BYTES)?.0, &good.0, own);
        let responses = mean_by(&to(RESPONSE_BYTES)?.0, &good.0, own);
        let sizes = buckets(&to(RESPONSE_BUCKETS)?, false, own);
        let with_proxies: BTreeSet<&str> = sent.0.iter().map(|(it, _)| label(it, "source_app")).collect();
        let failed_sent = sent.by(|it| is_failed(it).then(|| label(it, "source_app").to_owned()));
        let failed = calls.by(|it| is_failed(it).then(|| own(it)));
        let by_grpc = calls.by(|it| (label(it, "request_protocol") == "grpc").then(|| own(it)));
        let share = |name: &str| failed.get(name).copied().unwrap_or(0.0) / counts[name];
        let by_both = calls.by(|it| Some(pair(it)));
        for (labels, count) in &calls.0 {
            let of = measured.services.entry(own(labels)).or_default();
            label(labels, "destination_workload_namespace").clone_into(&mut of.namespace);
            let workload = label(labels, "destination_workload").to_owned();
            let pods = replicas.get(&workload).map_or(1.0, |(sum, _)| *sum);
            let limit = limits.get(&workload).map(|(sum, count)| sum / count);
            *of.answers_in.entry(label(labels, "destination_cluster").to_owned()).or_default() +=
                count / counts[&own(labels)];
            of.clusters.insert(label(labels, "destination_cluster").to_owned(), (pods, limit));
        }
        for (name, it) in &mut measured.services {
            let workloads: BTreeSet<&str> = calls
                .0
                .iter()
                .filter(|(labels, _)| own(labels) == *name)
                .map(|(labels, _)| label(labels, "destination_workload"))
                .collect();
            let cores: f64 =
                workloads.iter().filter_map(|it| cpu.get(*it)).fold(0.0, |all, (sum, _)| all + sum);
            it.rate = counts[name] / seconds;
            it.is_grpc = by_grpc.get(name).is_some_and(|of_grpc| *of_grpc > 0.5 * counts[name]);
            it.work.cpu_ms = cores / it.rate * 1e3;
            it.work.request_bytes =
                (requests.get(name).map_or(0.0, |(mean, _)| *mean) - f64::from(REQUEST_HEADER)).max(0.0);
            sizes_of_answers(it, responses.get(name).map(|(mean, _)| *mean), sizes.get(name));
            let all = by_both.iter().filter(|((from, _), count)| from == name && **count > 0.0);
            it.calls = all.map(|((_, to), count)| (to.clone(), count / counts[name])).collect();
            // As its own proxy counts them: who is dead counts nothing.
            let of_others = match with_proxies.contains(name.as_str()) {
                true => failed_sent.get(name).map_or(0.0, |failed| failed / counts[name]),
                false => it.calls.iter().map(|(to, per_request)| per_request * share(to)).sum(),
            };
            it.work.errors = (share(name) - of_others).clamp(0.0, 1.0);
            let its: Vec<(f64, &Times)> = it
                .calls
                .iter()
                .filter_map(|(to, count)| Some((*count, of_calls.get(&(name.clone(), to.clone()))?)))
                .collect();
            own_times(it, of_answers.get(name), &its);
            it.near_first = near_first(&calls.0, name, &it.clusters);
        }
        let called: BTreeSet<String> =
            counts.keys().cloned().chain(sent.0.iter().map(|(it, _)| asked(it))).collect();
        let without = calls.0.iter().filter(|(it, _)| !with_proxies.contains(label(it, "source_app")));
        let mut failed = BTreeMap::new();
        for (labels, count) in sent.0.iter().chain(without).filter(|(it, _)| !called.contains(&caller(it).0))
        {
            let (from, to) = (caller(labels), asked(labels));
            let key = (from.1.clone(), to.clone());
            if is_failed(labels) {
                *failed.entry(key.clone()).or_insert(0.0) += count / seconds;
            }
            let entry = measured.users.entry(key).or_insert(Entry::NOBODY);
            entry.rate += count / seconds;
            entry.mean_ms = client_ms.get(&(from, to)).map_or(f64::NAN, |(mean, _)| mean + ROUNDED_MS);
        }
        for (key, Entry { rate, errors, .. }) in &mut measured.users {
            *errors = failed.get(key).map_or(0.0, |failed| failed / *rate);
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

/// What a service takes itself: the law of its CPU time, its wait, and whether it makes its calls at the same time.
fn own_times(it: &mut Service, answers: Option<&Times>, calls: &[(f64, &Times)]) {
    it.work.cpu_law.why = TOO_FEW;
    let Some(answers) = answers else { return };
    let waited: f64 = calls.iter().map(|(count, call)| count * call.mean_ms).sum();
    it.work.in_parallel = calls.len() > 1 && waited > answers.mean_ms;
    it.work.why_parallel = match it.work.in_parallel {
        true => "together they take longer than it",
        false => "together they take no longer than it",
    };
    if it.work.in_parallel {
        it.work.cpu_law.why = "assumed: it makes calls at the same time, which hide what it takes itself";
        return;
    }
    let own_ms = answers.mean_ms - waited;
    let load = it.load().seen_in(it.work.cpu_ms, own_ms);
    let wait_ms = own_ms - load.time(it.work.cpu_ms);
    if wait_ms > LEAST_WAIT_MS && wait_ms > LEAST_WAIT_SHARE * own_ms {
        it.work.wait_ms = wait_ms;
    }
    let of_calls: f64 = calls.iter().map(|(count, call)| variance_of_calls(*count, call)).sum();
    let Some((shape, is_in_one)) = &answers.shape else { return };
    if of_calls > own_ms * own_ms {
        it.work.cpu_law.why = "assumed: its calls vary more than what it takes itself";
        return;
    }
    let spread = (answers.variance() - of_calls).max(0.0).sqrt();
    // A wait and the CPU time vary by themselves; what waiting for the CPU adds is taken off.
    let mut cv = if it.work.wait_ms > 0.0 {
        spread / it.work.cpu_ms.hypot(it.work.wait_ms)
    } else {
        load.cv(spread / load.time(it.work.cpu_ms))
    };
    let is_too_much = !calls.is_empty() && cv > 1.0;
    cv = if is_too_much { 1.0 } else { cv };
    it.work.cpu_law.shape = shape.with_cv(cv);
    it.work.cpu_law.why = match (is_in_one, calls.is_empty()) {
        _ if is_too_much => {
            "assumed: kinds of requests that call differently may be what spreads its answers more than that"
        }
        (true, _) => "all its answers are in one bucket",
        (false, true) => "by the buckets of its answers",
        (false, false) => "by the buckets of its answers, less those of its calls",
    };
}

/// Of the sum of so many calls a request in the mean: whole ones, and one more with what is left.
fn variance_of_calls(count: f64, call: &Times) -> f64 {
    let left = count - count.floor();
    let square = call.mean_ms * call.mean_ms;
    count * call.variance() + left * (1.0 - left) * square
}

fn sizes_of_answers(it: &mut Service, mean: Option<f64>, buckets: Option<&Buckets>) {
    let Some(whole) = mean else { return };
    let body = (whole - f64::from(RESPONSE_HEADER)).max(1.0);
    it.work.response_bytes = Some(body);
    it.work.response_law = match buckets.and_then(|it| it.shape(whole)) {
        None => Law { shape: Shape::Exponential, why: TOO_FEW },
        Some((_, true)) => Law { shape: Shape::Deterministic, why: "all its answers are in one bucket" },
        Some((shape, false)) => {
            Law { shape: shape.with_cv(shape.cv() * whole / body), why: "by the buckets of its answers" }
        }
    };
}

/// Means, and what the buckets say of the same keys.
fn times<K: Ord>(means: BTreeMap<K, (f64, f64)>, buckets: &BTreeMap<K, Buckets>) -> BTreeMap<K, Times> {
    let times = |(key, (mean, _)): (K, (f64, f64))| {
        let mean_ms = mean + ROUNDED_MS;
        let shape = buckets.get(&key).and_then(|it| it.shape(mean_ms));
        (key, Times { mean_ms, shape })
    };
    means.into_iter().map(times).collect()
}

/// Buckets by what `key` makes of the labels.
fn buckets<K: Ord>(
    series: &Vector,
    is_rounded_down: bool,
    key: impl Fn(&Labels) -> K,
) -> BTreeMap<K, Buckets> {
    let mut all: BTreeMap<K, Vec<(f64, f64)>> = BTreeMap::new();
    for (labels, count) in &series.0 {
        if let Ok(bound) = label(labels, "le").parse() {
            all.entry(key(labels)).or_default().push((bound, *count));
        }
    }
    all.into_iter().map(|(key, counts)| (key, Buckets::new(counts, is_rounded_down))).collect()
}

/// Whether a server has failed: by the status of HTTP, or of gRPC.
fn is_failed(labels: &Labels) -> bool {
    label(labels, "response_code").starts_with('5')
        || is_failed_by_grpc(label(labels, "grpc_response_status"))
}

/// Who is called, by its Service where no pod of it was found.
fn asked(labels: &Labels) -> String {
    match label(labels, "destination_app") {
        "" | "unknown" => label(labels, "destination_service_name").to_owned(),
        known => known.to_owned(),
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
pub(super) fn of_workloads(
    calls: &[(Labels, f64)],
    series: &[(Labels, f64)],
    of: &str,
) -> BTreeMap<String, (f64, f64)> {
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
    super::application::near_first(clusters.len(), (near, all))
}
