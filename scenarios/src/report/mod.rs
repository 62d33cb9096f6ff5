//! One page of HTML about results: it stands alone, loads nothing, and is made from nothing but their folder.
//!
//! # Models
//! `meshsim report DIR` and `--report FILE` write it. Sections ask the folder for the files that they speak of, and are not there
//! where it has none; so run, comparison, sweep, break-even, drill, validation and suite have one page. A number says in which file it stands
//! (`number`); a chart is a specification of Vega-Lite (`chart`), which `meshsim report --charts` gives to notebooks. Vega draws
//! them in the page: of the libraries that take plain data it is the one whose specifications notebooks know too.
//!
//! # Assumptions
//! Series over time are those of the first replication: what happened in it is marked, and the mean of several runs shows no incident.
//! Long tables and charts of many groups are cut, and say so; the files have all.

mod calls;
mod catalogue;
mod chart;
mod clusters;
mod critical_path;
mod drill;
mod incident;
mod latency;
mod marks;
mod metrics;
mod number;
mod offloading;
mod over_time;
mod page;
mod source;
mod sweep;
mod validation;

use crate::problem::{Checked, Problem};
use crate::results::single_file::write_text;
use chart::Charts;
use maud::{Markup, html};
use metrics::Metrics;
use serde_json::Value;
use source::Results;
use std::path::Path;

/// How a page begins: who finds such a file knows that it may be replaced.
pub const FIRST_LINE: &str = page::FIRST_LINE;

/// The page of the results in a folder. The same results give the same bytes.
///
/// # Errors
/// If the folder holds no whole results, or a file that cannot be read.
pub fn page(folder: &Path) -> Checked<String> {
    let results = whole(folder)?;
    let (sections, charts) = sections(&results)?;
    if sections.0.is_empty() {
        let problem = Problem::new(format!("`{}` holds nothing that a page shows", folder.display()));
        return Err(problem
            .help("name a directory of `run`, `compare`, `sweep`, `drill` or `validate`")
            .into());
    }
    page::page(&results, &sections, &charts)
}

/// The charts of the results in a folder, by name: of each a list of variants with `name` and `spec`, a specification of Vega-Lite.
///
/// # Errors
/// As [`page()`].
pub fn charts(folder: &Path) -> Checked<Value> {
    Ok(sections(&whole(folder)?)?.1.specifications())
}

/// Refuses what holds no results of its own.
fn whole(folder: &Path) -> Checked<Results> {
    let results = Results::open(folder)?;
    let part = results.manifest.root().text("part").to_owned();
    if part.is_empty() {
        return Ok(results);
    }
    let message = format!("`{}` has part {part} of an experiment, and no results", folder.display());
    Err(Problem::new(message).help("`meshsim merge` puts all parts together").into())
}

/// Writes the page of the results in a folder into a file, whole or not at all.
///
/// # Errors
/// As [`page()`], or if the file cannot be written.
pub fn write(folder: &Path, file: &Path) -> Checked<()> {
    write_text(file, &page(folder)?)
}

/// The sections that have something to say, and their charts.
fn sections(results: &Results) -> Checked<(Markup, Charts)> {
    let mut charts = Charts::default();
    let comparison = comparison(results, &mut charts)?;
    let sweep = sweep::section(results, &mut charts)?;
    let break_even = sweep::break_even(results, &mut charts)?;
    let drill = drill::section(results, &mut charts)?;
    let validation = validation::section(results, &mut charts)?;
    Ok((html! { (comparison) (sweep) (break_even) (drill) (validation) }, charts))
}

/// What a run or a comparison came to; nothing of other results.
fn comparison(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let (Some(summary), Some(table)) = (results.document("summary.json")?, results.table("metrics.csv")?)
    else {
        return Ok(html! {});
    };
    let metrics = Metrics::new(&table);
    let latency = latency::section(results, &metrics, charts)?;
    let differences = latency::differences(&summary, charts);
    let objectives = latency::objectives(&summary);
    let path = critical_path::section(results, charts)?;
    let over_time = over_time::section(results, &metrics.strategies, charts)?;
    let incident = incident::section(results, charts)?;
    let offloading = offloading::section(results)?;
    let calls = calls::section(results, charts)?;
    let clusters = clusters::section(results, &metrics, charts)?;
    let cost = catalogue::cost(&metrics);
    let figures = catalogue::section(&metrics);
    Ok(html! {
        (latency) (differences) (objectives) (path) (over_time) (incident) (offloading) (calls) (clusters) (cost) (figures)
    })
}
