//! Scenarios for tests that write their own.
#![allow(dead_code)] // Each test uses a part of it.

use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::ComparisonPlan;
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::scenario::Scenario;
use std::path::Path;

/// The scenario of the first of these files, which have names and texts, with these settings.
pub(crate) fn of_texts(files: &[(&str, &str)], settings: &[&str]) -> Result<Scenario, Problems> {
    let (name, text) = files[0];
    Scenario::from_text(name, text, &files[1..], &parsed(settings))
}

/// The same, from files in a directory.
pub(crate) fn open(
    directory: &Path,
    files: &[(&str, &str)],
    settings: &[&str],
) -> Result<Scenario, Problems> {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    Scenario::open(directory.join(files[0].0).to_str().unwrap(), &parsed(settings))
}

fn parsed(settings: &[&str]) -> Vec<Setting> {
    settings.iter().map(|text| Setting::parse(text).unwrap()).collect()
}

/// What the runs of a plan come to.
pub(crate) fn summary(plan: &ComparisonPlan) -> Summary {
    Summary::new(plan, &plan.run(Rows::Dropped, &Watch::default()))
}
