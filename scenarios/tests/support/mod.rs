//! Scenarios for tests that write their own.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::scenario::Scenario;
use std::path::Path;

/// Writes files of these names and texts into a directory and opens the first one with these settings.
pub(crate) fn open(
    directory: &Path,
    files: &[(&str, &str)],
    settings: &[&str],
) -> Result<Scenario, Problems> {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    Scenario::open(directory.join(files[0].0).to_str().unwrap(), &settings)
}
