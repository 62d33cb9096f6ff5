//! Writes what a calibration came to into a folder of results.

use super::folder::Folder;
use crate::calibrate::report::Calibration;
use crate::calibrate::write::calibrated_text;
use crate::document::Setting;
use crate::origin::Input;
use crate::problem::Checked;
use crate::scenario::Scenario;
use serde::Serialize;

/// What a manifest says beside the files.
#[derive(Serialize)]
struct Manifest {
    seed: u64,
    interrupted: bool,
}

/// Writes `calibration.json`, and `calibrated.toml`, which names the files that lie beside it, `inputs`; `manifest.json` last.
///
/// # Errors
/// If a value cannot be put in place, or a file cannot be written.
pub fn write_calibration(
    folder: &mut Folder,
    (scenario, settings, inputs): (&Scenario, &[Setting], &[Input]),
    calibration: &Calibration,
) -> Checked<()> {
    let beside = |path: &str| -> Checked<String> {
        let input = inputs.iter().find(|it| it.path == path);
        Ok(input.map_or_else(|| path.to_owned(), |it| it.file.clone()))
    };
    let text = calibrated_text(scenario, settings, calibration, &beside)?;
    folder.begin()?;
    folder.write_json("calibration.json", calibration)?;
    folder.write("calibrated.toml", |file| file.write_all(text.as_bytes()))?;
    folder.finish(&Manifest { seed: calibration.seed, interrupted: calibration.interrupted })
}
