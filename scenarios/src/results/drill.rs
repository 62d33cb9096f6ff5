//! Writes the result files of a drill.

use super::csv::Csv;
use super::folder::Folder;
use crate::drill::DrillPlan;
use crate::drill::summary::{DrillSummary, FailureSummary};
use crate::problem::Checked;
use serde::Serialize;

#[derive(Serialize)]
struct Manifest<'a> {
    scenario_sha256: &'a str,
    seed: u64,
    interrupted: bool,
}

/// Writes a drill: `drill.json`, `drill.csv` and `drill_users.csv`; `manifest.json` last.
///
/// # Errors
/// If a file cannot be written.
pub fn write_drill(
    folder: &mut Folder,
    plan: &DrillPlan,
    summary: &DrillSummary,
    interrupted: bool,
) -> Checked<()> {
    folder.begin()?;
    folder.write_json("drill.json", summary)?;
    folder.write_csv("drill.csv", |csv| matrix_rows(csv, summary))?;
    folder.write_csv("drill_users.csv", |csv| user_rows(csv, summary))?;
    folder.finish(&Manifest { scenario_sha256: &plan.sha256, seed: summary.seed, interrupted })
}

fn matrix_rows(csv: &mut Csv<'_>, summary: &DrillSummary) -> csv::Result<()> {
    let mut head: Vec<String> = ["strategy", "failure", "replications"].map(str::to_owned).to_vec();
    for (name, _) in FailureSummary::FIGURES {
        head.extend([name.to_owned(), format!("{name}_low"), format!("{name}_high")]);
    }
    head.extend(["without_endpoints", "objectives_broken"].map(str::to_owned));
    csv.write_record(head)?;
    for strategy in &summary.strategies {
        for it in &strategy.failures {
            let mut row = vec![strategy.name.clone(), it.failure.clone(), it.replications.to_string()];
            let figures = FailureSummary::FIGURES.iter().map(|(_, of)| of(it));
            row.extend(figures.flat_map(|it| [it.value_text(), it.low(), it.high()]));
            row.extend([it.without_endpoints.join(" "), it.objectives_broken.join("; ")]);
            csv.write_record(row)?;
        }
    }
    Ok(())
}

fn user_rows(csv: &mut Csv<'_>, summary: &DrillSummary) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "failure",
        "users",
        "failing_during",
        "failing_during_low",
        "failing_during_high",
        "failing_after",
        "failing_after_low",
        "failing_after_high",
    ])?;
    for strategy in &summary.strategies {
        for failure in &strategy.failures {
            for it in &failure.users {
                let mut row = vec![strategy.name.clone(), failure.failure.clone(), it.users.clone()];
                let both = [&it.failing_during, &it.failing_after];
                row.extend(both.into_iter().flat_map(|it| [it.value_text(), it.low(), it.high()]));
                csv.write_record(row)?;
            }
        }
    }
    Ok(())
}
