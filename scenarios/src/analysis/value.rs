//! A figure as it is reported: a number with its interval.

use meshsim_core::stats::Estimate;
use serde::Serialize;

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Value {
    /// The estimate.
    #[serde(serialize_with = "finite")]
    pub value: f64,
    /// Its interval; nothing where there are too few values for one.
    pub ci95: Option<[f64; 2]>,
}

impl Value {
    /// Its interval.
    #[must_use]
    pub const fn interval(&self) -> Option<[f64; 2]> {
        self.ci95
    }
}

impl From<Estimate> for Value {
    fn from(estimate: Estimate) -> Self {
        // Adding zero makes a negative zero positive.
        let ci95 = estimate.interval.map(|interval| [interval.low + 0.0, interval.high + 0.0]);
        Self { value: estimate.value + 0.0, ci95 }
    }
}

impl From<Option<Estimate>> for Value {
    fn from(estimate: Option<Estimate>) -> Self {
        estimate.map_or(Self { value: f64::NAN, ci95: None }, Self::from)
    }
}

/// JSON has no NaN: where nothing was measured it has null.
fn finite<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_none() }
}
