//! What a calibration left open: draws of the values that it fitted.

use serde::Deserialize;
use toml::Spanned;

/// Draws of a calibration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The paths of the values, as `--set` writes them.
    pub keys: Spanned<Vec<String>>,
    /// Each a value per key, as texts.
    pub draws: Vec<Spanned<Vec<String>>>,
}
