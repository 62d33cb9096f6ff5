//! What somebody changes during a run, as it is typed.

use super::Duration;
use serde::Deserialize;
use toml::Spanned;

/// Something that somebody changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, from the start of the run.
    pub at: Duration,
    /// Whose Deployment.
    pub service: Spanned<String>,
    /// Where.
    pub cluster: Spanned<String>,
    /// What.
    pub kind: Spanned<ChangeKind>,
    /// How many pods.
    pub replicas: Option<Spanned<u32>>,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The number of pods.
    Scale,
    /// The pods' version.
    Rollout,
    /// The service comes to the cluster.
    Offload,
    /// The service leaves the cluster.
    Remove,
}
