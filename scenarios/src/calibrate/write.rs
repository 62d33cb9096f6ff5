//! Writes a calibrated scenario: the text of the original with the calibrated values in place, comments
//! kept, where they come from above it, and their draws below.

use super::report::{Calibration, Residuals, TraceSource};
use crate::document::{Setting, path_parts};
use crate::problem::{Checked, Problem, acts_on_a_terminal};
use crate::results::single_file::write_text;
use crate::scenario::Scenario;
use std::fmt::Write;
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

/// First and last line of what is written above: a further calibration replaces it.
pub const BEGIN: &str = "# Calibrated by meshsim ";
const END: &str = "# End of the calibration's provenance.\n";

/// Writes the scenario with the calibrated values and the settings with which it was calibrated to
/// `path`, so that it can be opened from there.
///
/// # Errors
/// If a value cannot be put in place, a work model cannot be named from there, or the file cannot be
/// written.
pub fn write(
    path: &Path,
    scenario: &Scenario,
    settings: &[Setting],
    calibration: &Calibration,
) -> Checked<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let text = calibrated_text(scenario, settings, calibration, &|it| scenario.path_from(it, directory))?;
    write_text(path, &text)
}

/// The text of the calibrated scenario, with work models by the names that `rename` gives them.
///
/// # Errors
/// As [`write()`].
pub fn calibrated_text(
    scenario: &Scenario,
    settings: &[Setting],
    calibration: &Calibration,
    rename: &dyn Fn(&str) -> Checked<String>,
) -> Checked<String> {
    let original = without_provenance(&scenario.document().source().text);
    let mut document: DocumentMut =
        original.parse().map_err(|error| Problem::new(format!("the scenario cannot be edited: {error}")))?;
    for setting in settings {
        put(document.as_table_mut(), setting)?;
    }
    for (path, value) in calibration.keys.iter().zip(&calibration.values) {
        put(document.as_table_mut(), &Setting { path: path.clone(), value: value.clone() })?;
    }
    rename_work_models(&mut document, rename)?;
    document.remove("calibration");
    if !calibration.draws.is_empty() {
        document.insert("calibration", Item::Table(draws_table(calibration)));
    }
    Ok(format!("{}{document}", provenance(calibration)))
}

/// Puts a value in its place; what is around it stays as it is.
fn put(root: &mut Table, setting: &Setting) -> Checked<()> {
    let value: Value = setting
        .literal()
        .parse()
        .map_err(|error| Problem::new(format!("`{}` cannot be written: {error}", setting.path)))?;
    let parts = path_parts(&setting.path);
    let Some((last, above)) = parts.split_last() else { return Ok(()) };
    let mut table: &mut dyn TableLike = root;
    let mut is_inline = false;
    for part in above {
        let missing = if is_inline {
            Item::Value(Value::InlineTable(toml_edit::InlineTable::new()))
        } else {
            let mut table = Table::new();
            // No header of its own: only what is in it is written.
            table.set_implicit(true);
            Item::Table(table)
        };
        let item = table.entry(part).or_insert(missing);
        is_inline |= item.is_inline_table();
        table = item
            .as_table_like_mut()
            .ok_or_else(|| Problem::new(format!("`{}`: `{part}` is no table", setting.path)))?;
    }
    match table.get_mut(last).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(last, Item::Value(value));
        }
    }
    Ok(())
}

/// Work models are named by paths that hold where it is written.
fn rename_work_models(document: &mut DocumentMut, new: &dyn Fn(&str) -> Checked<String>) -> Checked<()> {
    let rename = |application: Option<&mut Item>| -> Checked<()> {
        let named = application.and_then(|it| it.as_table_like_mut()?.get_mut("workmodel")?.as_value_mut());
        let Some(value) = named else { return Ok(()) };
        let Some(path) = value.as_str() else { return Ok(()) };
        let decor = value.decor().clone();
        *value = Value::from(new(path)?);
        *value.decor_mut() = decor;
        Ok(())
    };
    let rename_all = |table: &mut dyn TableLike| -> Checked<()> {
        rename(table.get_mut("application"))?;
        let tenants = table.get_mut("applications").and_then(Item::as_table_like_mut);
        let Some(tenants) = tenants else { return Ok(()) };
        tenants.iter_mut().try_for_each(|(_, tenant)| rename(Some(tenant)))
    };
    rename_all(document.as_table_mut())?;
    let Some(strategies) = document.get_mut("strategy").and_then(Item::as_array_of_tables_mut) else {
        return Ok(());
    };
    for strategy in strategies.iter_mut() {
        if let Some(set) = strategy.get_mut("set").and_then(Item::as_table_like_mut) {
            rename_all(set)?;
        }
    }
    Ok(())
}

/// The table `[calibration]`, a line per draw.
fn draws_table(calibration: &Calibration) -> Table {
    let mut table = Table::new();
    table
        .decor_mut()
        .set_prefix("\n# Bootstrap draws of the calibrated values, for `compare --calibration-draws`.\n");
    table.insert("keys", Item::Value(calibration.keys.iter().map(String::as_str).collect::<Array>().into()));
    let mut draws = Array::new();
    for draw in &calibration.draws {
        let mut values = Value::Array(draw.iter().map(String::as_str).collect());
        values.decor_mut().set_prefix("\n  ");
        draws.push_formatted(values);
    }
    draws.set_trailing("\n");
    draws.set_trailing_comma(true);
    table.insert("draws", Item::Value(draws.into()));
    table
}

/// Where the values come from.
fn provenance(it: &Calibration) -> String {
    let mut text = format!("{BEGIN}{}, strategy {}, seed {}", it.version, it.strategy, it.seed);
    let _ = writeln!(text, ", {} replications.", it.replications);
    // The name of a file may hold what a comment may not.
    let plain = |line: String| line.replace(acts_on_a_terminal, "?");
    let mut line = |line: String| text.extend(["# ", &plain(line), "\n"]);
    line(source("trace", &it.trace));
    if let Some(spans) = &it.spans {
        line(source("spans", spans));
    }
    for fit in &it.services {
        let held_out = fit.kolmogorov_smirnov_held_out;
        line(format!(
            "services.{}.service_time: {} of {} self times, KS {:.3}{}",
            fit.service,
            fit.law,
            fit.observations,
            fit.kolmogorov_smirnov_fitted,
            held_out.map_or(String::new(), |ks| format!(", held out {ks:.3}"))
        ));
    }
    for fit in &it.parameters {
        let interval =
            fit.ci95.as_ref().map_or(String::new(), |[low, high]| format!(" (95 %: {low} to {high})"));
        let doubt = if fit.identifiable { "" } else { "; not identifiable" };
        let [low, high] = &fit.range;
        line(format!("{} = {}{interval}, searched {low}..{high}{doubt}", fit.path, fit.value));
    }
    line(residuals("fitted", &it.fitted));
    if let Some(held_out) = &it.held_out {
        line(residuals("held out", held_out));
    }
    for note in &it.notes {
        line(format!("note: {note}"));
    }
    text + END
}

fn source(kind: &str, it: &TraceSource) -> String {
    format!(
        "{kind} {} (SHA-256 {}), {} requests over {:.1} s, the first {} fitted",
        it.file, it.sha256, it.requests, it.seconds, it.fitted
    )
}

fn residuals(part: &str, it: &Residuals) -> String {
    let figures: Vec<String> = it
        .figures
        .iter()
        .map(|figure| format!("{} {:+.1} %", figure.figure, figure.relative_error * 100.0))
        .collect();
    format!("{part}: {}, KS {:.3}", figures.join(", "), it.kolmogorov_smirnov)
}

/// A scenario's text without what an earlier calibration wrote above it.
fn without_provenance(text: &str) -> &str {
    let Some(end) = text.starts_with(BEGIN).then(|| text.find(END)).flatten() else { return text };
    &text[end + END.len()..]
}
