//! Result files of a validation and of a suite: JSON, tidy CSVs and a page.

use super::markdown;
use super::page;
use super::svg::distribution;
use crate::problem::{Checked, Problem};
use crate::results::files::{Csv, make_directory, remove, write, write_csv, write_json};
use crate::validate::figures::Row;
use crate::validate::run::{ServiceRow, Validation};
use crate::validate::suite::run::Report;
use meshsim_core::stats::quantile_of_sorted;
use serde::Serialize;
use std::path::Path;

/// All files that are ever written: what an earlier run left of them is not of this one.
const FILES: [&str; 8] = [
    "validation.json",
    "figures.csv",
    "cdf.csv",
    "qq.csv",
    "services.csv",
    "served_over_time.csv",
    "ranking.csv",
    "validation.html",
];

/// Steps of a distribution function, and orders of quantiles, in a file.
const STEPS: usize = 500;

/// Writes one validation: `validation.json`, `figures.csv`, `cdf.csv`, `qq.csv`, `services.csv`,
/// `served_over_time.csv` and `validation.html`.
///
/// # Errors
/// If the directory or a file cannot be written.
pub fn write_one(directory: &Path, validation: &Validation) -> Checked<()> {
    begin(directory, validation, &page::of_one(validation))?;
    write_tables(directory, &[(validation.strategy.as_str(), validation)])
}

/// Writes a suite: the files of [`write_one`] with a column `configuration`, and `ranking.csv`.
///
/// # Errors
/// If the directory or a file cannot be written.
pub fn write_suite(directory: &Path, report: &Report) -> Checked<()> {
    begin(directory, report, &page::of_suite(report))?;
    let named: Vec<(&str, &Validation)> =
        report.configurations.iter().map(|it| (it.name.as_str(), &it.validation)).collect();
    write_tables(directory, &named)?;
    write_csv(directory, "ranking.csv", |csv| {
        csv.write_record(["faster", "slower", "measured_ms", "low", "high", "simulated_ms", "holds"])?;
        for pair in &report.ranking {
            let it = &pair.measured_ms;
            let simulated = pair.simulated_ms.to_string();
            let holds = pair.holds.to_string();
            csv.write_record([
                &pair.faster,
                &pair.slower,
                &it.value_text(),
                &it.low(),
                &it.high(),
                &simulated,
                &holds,
            ])?;
        }
        Ok(())
    })
}

/// Writes a suite as a page of Markdown, with a figure for each configuration that has a trace in the
/// folder beside it that has the page's name without its ending.
///
/// # Errors
/// If the page has no name, or a file cannot be written.
pub fn write_markdown(file: &Path, report: &Report) -> Checked<()> {
    let names =
        file.file_name().and_then(|name| name.to_str()).zip(file.file_stem().and_then(|stem| stem.to_str()));
    let Some((name, stem)) = names else {
        return Err(Problem::new(format!("`{}` names no file", file.display())).into());
    };
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let figures = directory.join(stem);
    make_directory(&figures)?;
    for it in &report.configurations {
        let (measured, simulated) = (&it.validation.measured_sorted_ms, &it.validation.simulated_sorted_ms);
        if !measured.is_empty() {
            let svg = distribution(&it.name, measured, simulated);
            write(&figures, &markdown::figure_name(&it.name), |file| file.write_all(svg.as_bytes()))?;
        }
    }
    let text = markdown::of_suite(report, stem);
    write(directory, name, |file| file.write_all(text.as_bytes()))
}

fn begin(directory: &Path, result: &impl Serialize, page: &str) -> Checked<()> {
    make_directory(directory)?;
    remove(directory, &FILES)?;
    write_json(directory, "validation.json", result)?;
    write(directory, "validation.html", |file| file.write_all(page.as_bytes()))
}

fn write_tables(directory: &Path, all: &[(&str, &Validation)]) -> Checked<()> {
    write_csv(directory, "figures.csv", |csv| {
        csv.write_record([
            "configuration",
            "figure",
            "unit",
            "measured",
            "low",
            "high",
            "simulated",
            "simulated_low",
            "simulated_high",
            "difference",
            "error",
            "tolerance",
            "verdict",
        ])?;
        each(all, |name, it| it.figures.iter().try_for_each(|row| figure_row(csv, name, it, row)))
    })?;
    write_csv(directory, "cdf.csv", |csv| {
        csv.write_record(["configuration", "side", "latency_ms", "share"])?;
        each(all, |name, it| {
            let sides = [("measured", &it.measured_sorted_ms), ("simulated", &it.simulated_sorted_ms)];
            sides.into_iter().try_for_each(|(side, sorted)| {
                quantiles(sorted).try_for_each(|(share, value)| {
                    csv.write_record([name, side, &value.to_string(), &share.to_string()])
                })
            })
        })
    })?;
    write_csv(directory, "qq.csv", |csv| {
        csv.write_record(["configuration", "order", "measured_ms", "simulated_ms"])?;
        each(all, |name, it| {
            let pairs = quantiles(&it.measured_sorted_ms).zip(quantiles(&it.simulated_sorted_ms));
            let mut pairs = pairs.map(|((order, measured), (_, simulated))| [order, measured, simulated]);
            pairs.try_for_each(|values| {
                let [order, measured, simulated] = values.map(|value| value.to_string());
                csv.write_record([name, &order, &measured, &simulated])
            })
        })
    })?;
    write_csv(directory, "services.csv", |csv| service_rows(csv, all))?;
    write_csv(directory, "served_over_time.csv", |csv| {
        let head =
            ["configuration", "service", "cluster", "from_s", "measured_per_second", "simulated_per_second"];
        csv.write_record(head)?;
        each(all, |name, it| {
            it.over_time.iter().try_for_each(|row| {
                let numbers = [row.from_seconds, row.measured_per_second, row.simulated_per_second];
                let [from, measured, simulated] = numbers.map(|number| number.to_string());
                let cluster = row.cluster.as_deref().unwrap_or_default();
                csv.write_record([name, &row.service, cluster, &from, &measured, &simulated])
            })
        })
    })
}

fn each(
    all: &[(&str, &Validation)],
    mut write: impl FnMut(&str, &Validation) -> csv::Result<()>,
) -> csv::Result<()> {
    all.iter().try_for_each(|(name, validation)| write(name, validation))
}

/// Quantiles at equal distances, with their orders.
fn quantiles(sorted: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let order = |step: usize| step as f64 / STEPS as f64;
    (0..=STEPS).filter_map(move |step| Some((order(step), quantile_of_sorted(sorted, order(step))?)))
}

fn figure_row(csv: &mut Csv<'_>, name: &str, validation: &Validation, row: &Row) -> csv::Result<()> {
    use crate::validate::figures::Unit;
    let unit = match row.figure.unit() {
        Unit::Milliseconds => "ms",
        Unit::Share => "share",
        Unit::Distance => "distance",
    };
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let check = validation.checks.iter().find(|check| check.figure == row.figure);
    let verdict = check.map_or("", |check| super::texts::verdict(check.verdict));
    let texts = [
        row.measured.value_text(),
        row.measured.low(),
        row.measured.high(),
        row.simulated.value_text(),
        row.simulated.low(),
        row.simulated.high(),
        number(row.difference),
        number(row.error),
        check.map_or(String::new(), |check| check.tolerance.to_string()),
    ];
    let head = [name, row.figure.name(), unit].into_iter();
    csv.write_record(head.chain(texts.iter().map(String::as_str)).chain([verdict]))
}

fn service_rows(csv: &mut Csv<'_>, all: &[(&str, &Validation)]) -> csv::Result<()> {
    csv.write_record([
        "configuration",
        "service",
        "cluster",
        "requests",
        "measured_share",
        "share_low",
        "share_high",
        "simulated_share",
        "measured_server_ms",
        "server_low_ms",
        "server_high_ms",
        "simulated_server_ms",
    ])?;
    each(all, |name, it| it.services.iter().try_for_each(|row| service_row(csv, name, row)))
}

fn service_row(csv: &mut Csv<'_>, name: &str, row: &ServiceRow) -> csv::Result<()> {
    let (share, server) = (&row.measured_share, &row.measured_server_ms);
    let texts = [
        row.requests.to_string(),
        share.value_text(),
        share.low(),
        share.high(),
        row.simulated_share.to_string(),
        server.value_text(),
        server.low(),
        server.high(),
        row.simulated_server_ms.value_text(),
    ];
    let head = [name, &row.service, row.cluster.as_deref().unwrap_or_default()].into_iter();
    csv.write_record(head.chain(texts.iter().map(String::as_str)))
}
