//! What users are to get.

use super::quantity::NumberOrText;
use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// A bound that a figure is to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Whose requests, of a latency, `failures` or `availability`; those of all users if absent.
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
    /// The cluster, of figures that clusters tell apart.
    pub cluster: Option<Spanned<String>>,
    /// The cluster of the pod that was chosen, of `sent_per_request`.
    pub to_cluster: Option<Spanned<String>>,
    /// The service, of figures that services tell apart.
    pub service: Option<Spanned<String>>,
    /// What is judged: a figure by its name in `metrics.csv`, as in `crossings_per_request`; a latency is `mean`, `p50`, `p90`, `p95`
    /// or `p99`.
    pub figure: Spanned<String>,
    /// What it is to be below: a time of a latency, a size of a figure in bytes, a number, or a share as in "1%".
    pub below: Option<Spanned<NumberOrText>>,
    /// What it is to be above: the bound of `availability`, and of any figure that is neither a latency nor `failures`.
    pub above: Option<Spanned<NumberOrText>>,
}
