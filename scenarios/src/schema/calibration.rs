//! What a calibration left open: draws of the values that it fitted.

use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// Draws of a calibration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The paths of the values, as `--set` writes them.
    pub keys: Spanned<Vec<String>>,
    /// Each a value per key, as texts.
    pub draws: Vec<Spanned<Vec<String>>>,
}
