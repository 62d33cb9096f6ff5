//! Result files of a validation and of a suite: JSON and tidy CSVs.

use super::markdown;
use super::svg::distribution;
use super::texts;
use crate::problem::{Checked, Problem};
use crate::results::csv::{Csv, finite};
use crate::results::folder::Folder;
use crate::results::single_file::{directory_of, prepare_file, write_text};
use crate::validate::figures::Row;
use crate::validate::run::{ServiceRow, Validation};
use crate::validate::suite::run::Report;
use meshsim_core::stats::quantile_of_sorted;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Steps of a distribution function, and orders of quantiles, in a file.
const STEPS: usize = 500;

/// Writes one validation: `validation.json`, `figures.csv`, `cdf.csv`, `qq.csv`, `services.csv` and
/// `served_over_time.csv`; `manifest.json` last.
///
/// # Errors
/// If a file cannot be written.
pub fn write_one(folder: &mut Folder, validation: &Validation) -> Checked<()> {
    begin(folder, validation)?;
    write_tables(folder, &[(validation.strategy.as_str(), validation)])?;
    folder.finish(&About { interrupted: false, conclusion: Vec::new() })
}

/// Writes a suite: the files of [`write_one`] with a column `configuration`, and `ranking.csv`.
///
/// # Errors
/// If a file cannot be written.
pub fn write_suite(folder: &mut Folder, report: &Report) -> Checked<()> {
    begin(folder, report)?;
    let named: Vec<(&str, &Validation)> =
        report.configurations.iter().map(|it| (it.name.as_str(), &it.validation)).collect();
    write_tables(folder, &named)?;
    folder.write_csv("ranking.csv", |csv| {
        csv.write_record(["faster", "slower", "measured_ms", "low", "high", "simulated_ms", "holds"])?;
        for pair in &report.ranking {
            let measured = &pair.measured_ms;
            let simulated = pair.simulated_ms.to_string();
            let holds = pair.holds.to_string();
            csv.write_record([
                &pair.faster,
                &pair.slower,
                &measured.value_text(),
                &measured.low(),
                &measured.high(),
                &simulated,
                &holds,
            ])?;
        }
        Ok(())
    })?;
    folder.finish(&About { interrupted: report.interrupted, conclusion: texts::conclusions(report) })
}

/// What a manifest says beside the files.
#[derive(Serialize)]
struct About {
    interrupted: bool,
    /// What it comes to, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conclusion: Vec<String>,
}

/// A page of Markdown that a suite is written to, and the folder of its figures.
#[derive(Debug)]
pub struct MarkdownPage {
    file: PathBuf,
    /// The name of the folder, beside the page.
    stem: String,
    figures: Folder,
}

impl MarkdownPage {
    /// Makes sure before any work that a page can be written, and takes the folder beside it that has the
    /// page's name without its ending. With `force`, what is in the way is replaced.
    ///
    /// # Errors
    /// If the page has no name or no ending, is there and not meshsim's, or its folder is refused.
    pub fn claim(file: &Path, force: bool) -> Checked<Self> {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let Some(stem) = stem.filter(|_| file.extension().is_some()) else {
            let problem = Problem::new(format!("`{}` is no name of a page", file.display()));
            return Err(problem.help("--markdown names a file as validation.md").into());
        };
        prepare_file(file, "--markdown", markdown::FIRST_LINE, force)?;
        let figures = Folder::claim(&directory_of(file).join(stem), force)?;
        Ok(Self { file: file.to_owned(), stem: stem.to_owned(), figures })
    }

    /// Writes a suite as a page, with a figure for each configuration that has a trace.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&mut self, report: &Report) -> Checked<()> {
        for it in &report.configurations {
            let (measured, simulated) =
                (&it.validation.measured_sorted_ms, &it.validation.simulated_sorted_ms);
            if !measured.is_empty() {
                let svg = distribution(&it.name, measured, simulated);
                let name = markdown::figure_name(&it.name);
                self.figures.write(&name, |file| file.write_all(svg.as_bytes()))?;
            }
        }
        write_text(&self.file, &markdown::of_suite(report, &self.stem))?;
        self.figures.finish(&About { interrupted: report.interrupted, conclusion: Vec::new() })
    }
}

fn begin(folder: &mut Folder, result: &impl Serialize) -> Checked<()> {
    folder.begin()?;
    folder.write_json("validation.json", result)
}

fn write_tables(folder: &mut Folder, all: &[(&str, &Validation)]) -> Checked<()> {
    folder.write_csv("figures.csv", |csv| {
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
    folder.write_csv("cdf.csv", |csv| {
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
    folder.write_csv("qq.csv", |csv| {
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
    folder.write_csv("services.csv", |csv| service_rows(csv, all))?;
    folder.write_csv("served_over_time.csv", |csv| {
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
    let check = validation.checks.iter().find(|check| check.figure == row.figure);
    let verdict = check.map_or("", |check| texts::verdict(check.verdict));
    let texts = [
        row.measured.value_text(),
        row.measured.low(),
        row.measured.high(),
        row.simulated.value_text(),
        row.simulated.low(),
        row.simulated.high(),
        finite(row.difference),
        finite(row.error),
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
