//! What users are to get.

use super::quantity::NumberOrText;
use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// A bound that a figure is to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Whose requests; those of all users if absent.
    ///
    /// Default: all.
    pub users: Option<Spanned<String>>,
    /// Which of them; all if absent.
    ///
    /// Default: all.
    pub request: Option<Spanned<String>>,
    /// Those of an application, where there are several.
    ///
    /// Default: all.
    pub application: Option<Spanned<String>>,
    /// What is judged.
    pub figure: Spanned<Figure>,
    /// The bound of a latency or of failures.
    pub below: Option<Spanned<NumberOrText>>,
    /// The bound of an availability.
    pub above: Option<Spanned<NumberOrText>>,
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Mean latency of the successful requests.
    Mean,
    /// Their median.
    P50,
    /// 90 % take at most this.
    P90,
    /// 95 %.
    P95,
    /// 99 %.
    P99,
    /// Share of the requests that failed, of those that ended.
    Failures,
    /// Share of those that succeeded.
    Availability,
}
