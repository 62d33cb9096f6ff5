//! Results as JSON.

use crate::problem::{Checked, Problem};
use serde::Serialize;

/// A result as JSON, with a line break at its end.
///
/// # Errors
/// Never in practice: results are plain data.
pub fn to_json(result: &impl Serialize) -> Checked<String> {
    serde_json::to_string_pretty(result)
        .map(|text| text + "\n")
        .map_err(|error| Problem::new(format!("cannot write JSON: {error}")).into())
}
