//! Writes the result files of a comparison.

use super::Compared;
use super::csv::{Csv, finite};
use super::draws;
use super::folder::Folder;
use super::offloading;
use super::over_time;
use super::regret;
use super::request_log::RequestLog;
use super::timeline;
use super::traffic;
use crate::analysis::figure::{Dimension, Row};
use crate::analysis::summary::{Strategy, Summary, UserGroup};
use crate::analysis::value::Value;
use crate::analysis::verdict::sentences;
use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use crate::problem::Checked;
use meshsim_core::stats::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// Writes a comparison: `summary.json`, `metrics.csv`, `paired.csv`, `served.csv`, `proxy_counters.csv`,
/// `traffic.csv`, `latency_histogram.csv`, and where there is something for it `links.csv`, `user_histogram.csv`,
/// `request_histogram.csv`, `application_histogram.csv`, `requests.csv`, `time_series.csv`, `link_series.csv`,
/// `traffic_series.csv`, `user_series.csv`, `pod_events.csv`, `decisions.csv`, `pushes.csv`, `timeline.csv` and, if it was
/// repeated over the draws
/// of a calibration, `calibration_draws.csv`; `manifest.json` last.
///
/// # Errors
/// If a file cannot be written.
pub fn write_comparison(
    folder: &mut Folder,
    plan: &ComparisonPlan,
    outcome: &ComparisonOutcome,
    summary: &Summary,
    log: Option<&RequestLog>,
) -> Checked<()> {
    write_comparison_and(folder, plan, outcome, summary, log, |_| Ok(()))
}

/// The same with files that `more` writes, before the manifest lists them all.
///
/// # Errors
/// If a file cannot be written.
pub fn write_comparison_and(
    folder: &mut Folder,
    plan: &ComparisonPlan,
    outcome: &ComparisonOutcome,
    summary: &Summary,
    log: Option<&RequestLog>,
    more: impl FnOnce(&mut Folder) -> Checked<()>,
) -> Checked<()> {
    let of = Compared { plan, outcome };
    folder.begin()?;
    folder.write_json("summary.json", summary)?;
    folder.write_csv("metrics.csv", |csv| {
        csv.write_record(metric_columns())?;
        metric_rows(summary).try_for_each(|row| csv.write_record(row))
    })?;
    folder.write_csv("paired.csv", |csv| paired_rows(csv, summary))?;
    folder.write_csv("served.csv", |csv| served_rows(csv, summary))?;
    folder.write_csv("proxy_counters.csv", |csv| counter_rows(csv, summary))?;
    folder.write_csv("traffic.csv", |csv| traffic::matrix_rows(csv, of))?;
    if plan.strategies.iter().any(|it| !it.description.links.is_empty()) {
        folder.write_csv("links.csv", |csv| traffic::link_rows(csv, of))?;
    }
    folder.write_csv("latency_histogram.csv", |csv| histogram_rows(csv, summary))?;
    if summary.strategies.iter().any(|it| !it.users.is_empty()) {
        folder.write_csv("user_histogram.csv", |csv| {
            group_histogram_rows(csv, summary, "users", |it| &it.users)
        })?;
    }
    if summary.strategies.iter().any(|it| !it.request_kinds.is_empty()) {
        folder.write_csv("request_histogram.csv", |csv| {
            group_histogram_rows(csv, summary, "request", |it| &it.request_kinds)
        })?;
    }
    if summary.strategies.iter().any(|it| !it.applications.is_empty()) {
        folder.write_csv("application_histogram.csv", |csv| {
            group_histogram_rows(csv, summary, "application", |it| &it.applications)
        })?;
    }
    if let Some(ranking) = &summary.calibration {
        folder.write_csv("calibration_draws.csv", |csv| draws::rows(csv, summary, ranking))?;
    }
    if let Some(log) = log {
        let replications = || outcome.replications.iter().map(|(replication, _)| *replication);
        folder.write_csv("requests.csv", |csv| log.write(csv, &plan.strategies, replications()))?;
    }
    if over_time::has_samples(plan) {
        folder.write_csv("time_series.csv", |csv| over_time::service_rows(csv, of))?;
        folder.write_csv("link_series.csv", |csv| over_time::link_rows(csv, of))?;
        folder.write_csv("traffic_series.csv", |csv| over_time::call_rows(csv, of))?;
        folder.write_csv("user_series.csv", |csv| over_time::user_rows(csv, of))?;
    }
    let [pods, decisions] = over_time::has_control(outcome);
    if pods {
        folder.write_csv("pod_events.csv", |csv| over_time::pod_rows(csv, of))?;
    }
    if decisions {
        folder.write_csv("decisions.csv", |csv| over_time::decision_rows(csv, of))?;
    }
    if plan.strategies.iter().any(|it| it.description.offloading.is_some()) {
        folder.write_csv("offloading.csv", |csv| offloading::decision_rows(csv, of))?;
        folder.write_csv("offloading_inputs.csv", |csv| offloading::input_rows(csv, of))?;
        folder.write_csv("offloading_edges.csv", |csv| offloading::edge_rows(csv, of))?;
        if plan.strategies.iter().any(|it| it.regret_horizon.is_some()) {
            folder.write_csv("offloading_regret.csv", |csv| regret::rows(csv, of))?;
        }
    }
    if plan.strategies.iter().any(|it| it.description.istiod_pace().is_some()) {
        folder.write_csv("pushes.csv", |csv| timeline::push_rows(csv, of))?;
    }
    if plan.strategies.iter().any(|it| it.description.keeps_decisions) {
        folder.write_csv("timeline.csv", |csv| timeline::rows(csv, of))?;
    }
    more(folder)?;
    folder.finish(&Manifest::new(plan, outcome, summary))
}

#[derive(Serialize)]
struct Manifest<'a> {
    scenario_sha256: &'a str,
    seed: u64,
    interrupted: bool,
    /// What it comes to, in sentences.
    conclusion: Vec<String>,
    cells: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    strategy: &'a str,
    replication: u32,
    reported_seconds: f64,
    offered: u64,
}

impl<'a> Manifest<'a> {
    fn new(plan: &'a ComparisonPlan, outcome: &'a ComparisonOutcome, summary: &Summary) -> Self {
        let cells = outcome.replications.iter().flat_map(|(replication, figures)| {
            plan.strategies.iter().zip(figures).map(|(it, figures)| Cell {
                strategy: &it.strategy,
                replication: *replication,
                reported_seconds: figures.seconds,
                offered: figures.counts.offered,
            })
        });
        Self {
            scenario_sha256: &plan.sha256,
            seed: plan.strategies[0].description.seed,
            interrupted: outcome.interrupted,
            conclusion: sentences(summary),
            cells: cells.collect(),
        }
    }
}

impl Value {
    pub(crate) fn value_text(&self) -> String {
        finite(self.value)
    }

    pub(crate) fn low(&self) -> String {
        self.ci95.map_or(String::new(), |[low, _]| low.to_string())
    }

    pub(crate) fn high(&self) -> String {
        self.ci95.map_or(String::new(), |[_, high]| high.to_string())
    }
}

/// The columns of a table of figures: one row per value.
pub fn metric_columns() -> impl Iterator<Item = &'static str> {
    let labels = Dimension::ALL.map(Dimension::name);
    ["strategy", "metric", "unit"].into_iter().chain(labels).chain(["value", "low", "high"])
}

/// Every value of every figure of every strategy, in these columns.
pub(super) fn metric_rows(summary: &Summary) -> impl Iterator<Item = Vec<String>> {
    let of_strategy = |strategy: &Strategy| -> Vec<Vec<String>> {
        let cells = |row: &Row| {
            let head = [strategy.name.clone(), row.figure.name.to_owned(), row.figure.unit.to_owned()];
            let labels = Dimension::ALL.iter().map(|it| row.labels.get(it).cloned().unwrap_or_default());
            let value = [row.value.value_text(), row.value.low(), row.value.high()];
            head.into_iter().chain(labels).chain(value).collect()
        };
        strategy.figures.iter().map(cells).collect()
    };
    summary.strategies.iter().flat_map(of_strategy)
}

fn paired_rows(csv: &mut Csv<'_>, summary: &Summary) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "baseline",
        "mean_difference_ms",
        "low",
        "high",
        "variance_ratio",
        "control_variance_ratio",
        "holm_probability",
    ])?;
    for paired in &summary.paired {
        let value = &paired.mean_difference_ms;
        let more = [paired.variance_ratio, paired.control_variance_ratio, paired.holm_probability];
        let [pairs, controls, holm] = more.map(|it| it.map_or(String::new(), |it| it.to_string()));
        let interval = [value.value_text(), value.low(), value.high()];
        let [mean, low, high] = &interval;
        csv.write_record([&paired.strategy, &paired.baseline, mean, low, high, &pairs, &controls, &holm])?;
    }
    Ok(())
}

/// A row per pod, numbered among its service's in the cluster.
fn served_rows(csv: &mut Csv<'_>, summary: &Summary) -> csv::Result<()> {
    csv.write_record(["strategy", "cluster", "service", "pod", "per_second"])?;
    for strategy in &summary.strategies {
        for (service, clusters) in &strategy.served_by_pod {
            for (cluster, pods) in clusters {
                for (pod, per_second) in pods.iter().enumerate() {
                    let (pod, per_second) = (pod.to_string(), per_second.to_string());
                    csv.write_record([&strategy.name, cluster, service, &pod, &per_second])?;
                }
            }
        }
    }
    Ok(())
}

/// A row per counter that is not zero.
fn counter_rows(csv: &mut Csv<'_>, summary: &Summary) -> csv::Result<()> {
    csv.write_record(["strategy", "cluster", "service", "counter", "count", "per_second"])?;
    for strategy in &summary.strategies {
        for (cluster, services) in &strategy.proxy_counters {
            for (service, counters) in services {
                for (counter, &count) in counters {
                    let per_second = (count as f64 / strategy.simulated_seconds).to_string();
                    let count = count.to_string();
                    csv.write_record([
                        strategy.name.as_str(),
                        cluster,
                        service,
                        counter,
                        &count,
                        &per_second,
                    ])?;
                }
            }
        }
    }
    Ok(())
}

fn histogram_rows(csv: &mut Csv<'_>, summary: &Summary) -> csv::Result<()> {
    csv.write_record(["strategy", "lower_ms", "upper_ms", "count"])?;
    for strategy in &summary.strategies {
        for bucket in buckets(strategy.histogram.as_ref()) {
            csv.write_record(std::iter::once(strategy.name.clone()).chain(bucket))?;
        }
    }
    Ok(())
}

/// The same for each group of requests, whose name stands in a column of this name.
fn group_histogram_rows(
    csv: &mut Csv<'_>,
    summary: &Summary,
    column: &str,
    of: impl Fn(&Strategy) -> &BTreeMap<String, UserGroup>,
) -> csv::Result<()> {
    csv.write_record(["strategy", column, "lower_ms", "upper_ms", "count"])?;
    for strategy in &summary.strategies {
        for (name, group) in of(strategy) {
            for bucket in buckets(group.histogram.as_ref()) {
                csv.write_record([strategy.name.clone(), name.clone()].into_iter().chain(bucket))?;
            }
        }
    }
    Ok(())
}

/// Ends (ms) and counts of the buckets of a histogram.
fn buckets(histogram: Option<&Histogram>) -> impl Iterator<Item = [String; 3]> {
    let ms = |nanos: u64| (nanos as f64 / 1e6).to_string();
    let buckets = histogram.into_iter().flat_map(Histogram::buckets);
    buckets.map(move |(lower, upper, count)| [ms(lower), ms(upper), count.to_string()])
}
