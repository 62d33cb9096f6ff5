//! Writes result files, each whole or not at all.

use super::draws;
use super::over_time;
use super::summary::{Summary, Value};
use crate::experiment::compare::{Outcome, Plan};
use crate::experiment::sweep::{Axis, BaseValue, Point, Sweep};
use crate::problem::{Checked, Problem, Problems};
use csv::Writer;
use meshsim_core::stats::Histogram;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// All files that are ever written: what an earlier run left of them is not of this one.
const RESULT_FILES: [&str; 15] = [
    "summary.json",
    "manifest.json",
    "metrics.csv",
    "paired.csv",
    "served.csv",
    "proxy_counters.csv",
    "latency_histogram.csv",
    "requests.csv",
    "sweep.csv",
    "time_series.csv",
    "link_series.csv",
    "user_series.csv",
    "decisions.csv",
    "pod_events.csv",
    "calibration_draws.csv",
];

/// Writes a comparison: `summary.json`, `manifest.json`, `metrics.csv`, `paired.csv`, `served.csv`,
/// `proxy_counters.csv`, `latency_histogram.csv`, and where there is something for it `requests.csv`,
/// `time_series.csv`, `link_series.csv`, `user_series.csv`, `pod_events.csv`, `decisions.csv` and, if it
/// was repeated over the draws of a calibration, `calibration_draws.csv`.
///
/// # Errors
/// If the directory or a file cannot be written.
pub fn write_comparison(directory: &Path, plan: &Plan, outcome: &Outcome, summary: &Summary) -> Checked<()> {
    make_directory(directory)?;
    remove_stale(directory)?;
    write_json(directory, "summary.json", summary)?;
    write_json(directory, "manifest.json", &Manifest::new(plan, outcome))?;
    write_csv(directory, "metrics.csv", |csv| {
        csv.write_record(["strategy", "metric", "value", "low", "high"])?;
        metric_rows(summary).try_for_each(|(strategy, metric, value)| {
            csv.write_record([strategy, metric, value.value_text(), value.low(), value.high()])
        })
    })?;
    write_csv(directory, "paired.csv", |csv| paired_rows(csv, summary))?;
    write_csv(directory, "served.csv", |csv| served_rows(csv, summary))?;
    write_csv(directory, "proxy_counters.csv", |csv| counter_rows(csv, summary))?;
    write_csv(directory, "latency_histogram.csv", |csv| histogram_rows(csv, summary))?;
    if let Some(ranking) = &summary.calibration {
        write_csv(directory, "calibration_draws.csv", |csv| draws::rows(csv, summary, ranking))?;
    }
    if outcome.replications.iter().any(|(_, figures)| figures.iter().any(|f| !f.rows.is_empty())) {
        write_csv(directory, "requests.csv", |csv| request_rows(csv, plan, outcome))?;
    }
    if over_time::has_samples(outcome) {
        write_csv(directory, "time_series.csv", |csv| over_time::service_rows(csv, plan, outcome))?;
        write_csv(directory, "link_series.csv", |csv| over_time::link_rows(csv, plan, outcome))?;
        write_csv(directory, "user_series.csv", |csv| over_time::user_rows(csv, plan, outcome))?;
    }
    let [pods, decisions] = over_time::has_control(outcome);
    if pods {
        write_csv(directory, "pod_events.csv", |csv| over_time::pod_rows(csv, plan, outcome))?;
    }
    if decisions {
        write_csv(directory, "decisions.csv", |csv| over_time::decision_rows(csv, plan, outcome))?;
    }
    Ok(())
}

/// Writes a sweep: `sweep.csv`, a row per point, strategy and metric, and `manifest.json`, with the
/// hash of the scenario before its axes change it. Beside an axis of numbers stands a column with them in their base
/// unit, as in `links.a.rtt [s]`.
///
/// # Errors
/// If the directory or a file cannot be written.
pub fn write_sweep(directory: &Path, sweep: &Sweep, points: &[Point], scenario_sha256: &str) -> Checked<()> {
    make_directory(directory)?;
    remove_stale(directory)?;
    write_json(directory, "manifest.json", &SweepManifest::new(sweep, points, scenario_sha256))?;
    write_csv(directory, "sweep.csv", |csv| {
        let head = ["strategy", "metric", "value", "low", "high"].map(str::to_owned);
        csv.write_record(sweep.axes.iter().flat_map(axis_heads).chain(head))?;
        for point in points {
            let place: Vec<String> = sweep
                .axes
                .iter()
                .zip(&point.values)
                .flat_map(|(axis, value)| axis_cells(axis, value))
                .collect();
            for (strategy, metric, value) in metric_rows(&point.summary) {
                let row = [strategy, metric, value.value_text(), value.low(), value.high()];
                csv.write_record(place.iter().cloned().chain(row))?;
            }
        }
        Ok(())
    })
}

/// The columns of an axis: its values as they are written and, where they are numbers, these.
fn axis_heads(axis: &Axis) -> Vec<String> {
    let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" [{unit}]") };
    // Plain numbers need no second column.
    let number = axis.base_unit().filter(|it| !it.is_empty()).map(|it| format!("{}{}", axis.path, unit(it)));
    std::iter::once(axis.path.clone()).chain(number).collect()
}

/// A value of an axis in its columns.
fn axis_cells(axis: &Axis, value: &str) -> Vec<String> {
    let number = axis.base_unit().filter(|it| !it.is_empty()).and_then(|_| BaseValue::of(value));
    std::iter::once(value.to_owned()).chain(number.map(|it| it.number.to_string())).collect()
}

/// A point of a sweep as JSON has it: its settings, and all of its summary.
#[derive(Serialize)]
pub struct PointReport<'a> {
    settings: Vec<SettingReport<'a>>,
    #[serde(flatten)]
    summary: &'a Summary,
}

#[derive(Serialize)]
struct SettingReport<'a> {
    path: &'a str,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

/// The points of a sweep as JSON has them.
#[must_use]
pub fn point_reports<'a>(sweep: &'a Sweep, points: &'a [Point]) -> Vec<PointReport<'a>> {
    let setting = |(axis, value): (&'a Axis, &'a String)| {
        let base = BaseValue::of(value);
        let unit = base.map(|it| it.unit).filter(|it| !it.is_empty());
        SettingReport { path: &axis.path, value, number: base.map(|it| it.number), unit }
    };
    let report = |point: &'a Point| PointReport {
        settings: sweep.axes.iter().zip(&point.values).map(setting).collect(),
        summary: &point.summary,
    };
    points.iter().map(report).collect()
}

/// The summary as JSON.
///
/// # Errors
/// Never in practice: a summary is plain data.
pub fn to_json(summary: &impl Serialize) -> Checked<String> {
    serde_json::to_string_pretty(summary)
        .map(|text| text + "\n")
        .map_err(|error| Problem::new(format!("cannot write JSON: {error}")).into())
}

#[derive(Serialize)]
struct Manifest<'a> {
    version: &'static str,
    scenario_sha256: &'a str,
    seed: u64,
    cells: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct SweepManifest<'a> {
    version: &'static str,
    scenario_sha256: &'a str,
    seed: Option<u64>,
    axes: Vec<SweepAxis<'a>>,
    strategies: Vec<&'a str>,
    points: usize,
    finished_points: usize,
}

#[derive(Serialize)]
struct SweepAxis<'a> {
    path: &'a str,
    values: &'a [String],
}

impl<'a> SweepManifest<'a> {
    fn new(sweep: &'a Sweep, points: &[Point], scenario_sha256: &'a str) -> Self {
        // All points have the same strategies.
        let strategies = sweep.points.first().map_or(&[][..], |(_, plan)| &plan.strategies);
        let axes = sweep.axes.iter().map(|axis| SweepAxis { path: &axis.path, values: &axis.values });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            scenario_sha256,
            seed: strategies.first().map(|it| it.description.seed),
            axes: axes.collect(),
            strategies: strategies.iter().map(|it| it.strategy.as_str()).collect(),
            points: sweep.points.len(),
            finished_points: points.len(),
        }
    }
}

#[derive(Serialize)]
struct Cell<'a> {
    strategy: &'a str,
    replication: u32,
    reported_seconds: f64,
    offered: u64,
}

impl<'a> Manifest<'a> {
    fn new(plan: &'a Plan, outcome: &'a Outcome) -> Self {
        let cells = outcome.replications.iter().flat_map(|(replication, figures)| {
            plan.strategies.iter().zip(figures).map(|(it, figures)| Cell {
                strategy: &it.strategy,
                replication: *replication,
                reported_seconds: figures.seconds,
                offered: figures.counts.offered,
            })
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            scenario_sha256: &plan.sha256,
            seed: plan.strategies[0].description.seed,
            cells: cells.collect(),
        }
    }
}

impl Value {
    pub(crate) fn value_text(&self) -> String {
        if self.value.is_finite() { self.value.to_string() } else { String::new() }
    }

    pub(crate) fn low(&self) -> String {
        self.ci95.map_or(String::new(), |[low, _]| low.to_string())
    }

    pub(crate) fn high(&self) -> String {
        self.ci95.map_or(String::new(), |[_, high]| high.to_string())
    }
}

/// Every figure of every strategy as (strategy, metric, value).
fn metric_rows(summary: &Summary) -> impl Iterator<Item = (String, String, Value)> {
    summary.strategies.iter().flat_map(|strategy| {
        let plain = |value: f64| Value { value, ci95: None };
        let mut rows: Vec<(String, Value)> = vec![
            ("latency_ms.mean".into(), strategy.latency_ms.mean),
            ("latency_ms.p50".into(), strategy.latency_ms.p50),
            ("latency_ms.p90".into(), strategy.latency_ms.p90),
            ("latency_ms.p95".into(), strategy.latency_ms.p95),
            ("latency_ms.p99".into(), strategy.latency_ms.p99),
            ("requests.offered".into(), plain(strategy.requests.offered as f64)),
            ("requests.completed".into(), plain(strategy.requests.completed as f64)),
            ("requests.in_flight".into(), plain(strategy.requests.in_flight as f64)),
        ];
        for (cause, &count) in &strategy.requests.failed {
            rows.push((format!("requests.failed.{cause}"), plain(count as f64)));
        }
        for (service, clusters) in &strategy.served {
            rows.extend(clusters.iter().map(|(c, &share)| (format!("served.{service}.{c}"), plain(share))));
        }
        for (service, clusters) in &strategy.workloads {
            rows.extend(clusters.iter().map(|(c, it)| (format!("ready_pods.{service}.{c}"), it.ready_pods)));
        }
        for (cluster, &bytes) in &strategy.proxy_memory_bytes {
            rows.push((format!("proxy_memory_bytes.{cluster}"), plain(bytes)));
        }
        rows.extend(strategy.plain_figures());
        if let Some(paired) = summary.against_baseline(&strategy.name) {
            rows.push(("mean_difference_to_baseline_ms".into(), paired.mean_difference_ms));
        }
        rows.into_iter().map(|(metric, value)| (strategy.name.clone(), metric, value))
    })
}

pub(crate) type Csv<'a> = Writer<&'a mut dyn Write>;

fn paired_rows(csv: &mut Csv<'_>, summary: &Summary) -> csv::Result<()> {
    csv.write_record(["strategy", "baseline", "mean_difference_ms", "low", "high", "variance_ratio"])?;
    for paired in &summary.paired {
        let value = &paired.mean_difference_ms;
        let ratio = paired.variance_ratio.map_or(String::new(), |ratio| ratio.to_string());
        let row =
            [&paired.strategy, &paired.baseline, &value.value_text(), &value.low(), &value.high(), &ratio];
        csv.write_record(row)?;
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
        for (lower, upper, count) in strategy.histogram.iter().flat_map(Histogram::buckets) {
            let ms = |nanos: u64| (nanos as f64 / 1e6).to_string();
            csv.write_record([strategy.name.clone(), ms(lower), ms(upper), count.to_string()])?;
        }
    }
    Ok(())
}

fn request_rows(csv: &mut Csv<'_>, plan: &Plan, outcome: &Outcome) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "population",
        "number",
        "arrival_s",
        "latency_ms",
        "status",
        "flag",
        "calls",
        "crossings",
        "returns",
        "retries",
        "body_bytes",
        "demand_us",
        "call_tree",
    ])?;
    for (replication, figures) in &outcome.replications {
        for (resolved, figures) in plan.strategies.iter().zip(figures) {
            for row in &figures.rows {
                let population = &resolved.description.populations[row.population.0 as usize].name;
                let head = [
                    resolved.strategy.clone(),
                    replication.to_string(),
                    population.clone(),
                    row.number.to_string(),
                    row.arrival.as_secs_f64().to_string(),
                ];
                csv.write_record(head.into_iter().chain(end_of(row.end.as_ref())))?;
            }
        }
    }
    Ok(())
}

fn end_of(end: Option<&meshsim_models::telemetry::request_log::RequestEnd>) -> [String; 10] {
    let Some(end) = end else { return [const { String::new() }; 10] };
    let totals = &end.totals;
    [
        end.latency.as_millis_f64().to_string(),
        end.status.code().to_string(),
        end.status.flag().to_owned(),
        totals.calls.to_string(),
        totals.crossings.to_string(),
        totals.returns.to_string(),
        totals.retries.to_string(),
        totals.body.to_string(),
        totals.demand_us.to_string(),
        format!("{:08x}", totals.tree),
    ]
}

pub(crate) fn make_directory(directory: &Path) -> Checked<()> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Problem::new(format!("cannot make the directory `{}`: {error}", directory.display()))
            .help("--out names a directory that exists or can be made")
            .into()
    })
}

/// Makes the directory and tries to write in it, so that a run need not end to find out.
///
/// # Errors
/// If it cannot be made, or not be written in.
pub fn prepare_directory(directory: &Path) -> Checked<()> {
    make_directory(directory)?;
    // It is removed at once.
    tempfile::NamedTempFile::new_in(directory).map(drop).map_err(|error| {
        Problem::new(format!("cannot write in the directory `{}`: {error}", directory.display()))
            .help("--out names a directory that can be written in")
            .into()
    })
}

/// Removes result files of an earlier run; whatever else there is stays.
fn remove_stale(directory: &Path) -> Checked<()> {
    remove(directory, &RESULT_FILES)
}

/// Removes files of these names, where there are such.
pub(crate) fn remove(directory: &Path, names: &[&str]) -> Checked<()> {
    for path in names.iter().map(|name| directory.join(name)) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Problem::new(format!("cannot replace `{}`: {error}", path.display())).into());
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn write_json(directory: &Path, name: &str, value: &impl Serialize) -> Checked<()> {
    let text = to_json(value)?;
    write(directory, name, |file| file.write_all(text.as_bytes()))
}

pub(crate) fn write_csv(
    directory: &Path,
    name: &str,
    rows: impl FnOnce(&mut Csv<'_>) -> csv::Result<()>,
) -> Checked<()> {
    write(directory, name, |file| {
        let mut writer = Writer::from_writer(file);
        rows(&mut writer).map_err(std::io::Error::other)?;
        writer.flush()
    })
}

/// Writes beside the place, then renames.
pub(crate) fn write(
    directory: &Path,
    name: &str,
    content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Checked<()> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        {
            let mut buffered = std::io::BufWriter::new(file.as_file_mut());
            content(&mut buffered)?;
            buffered.flush()?;
        }
        set_readable(&file)?;
        file.persist(directory.join(name)).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| {
        let path = directory.join(name);
        Problems::from(Problem::new(format!("cannot write `{}`: {error}", path.display())))
    })
}

/// A temporary file is private; a result file is as others are.
#[cfg(unix)]
fn set_readable(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable(_: &tempfile::NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
