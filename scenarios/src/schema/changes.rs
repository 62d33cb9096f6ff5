//! What somebody changes during a run, as it is typed.

use super::Duration;
use super::services::{Route, Subset};
use super::spanned::Spanned;
use super::traffic::TrafficPolicy;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Something that somebody changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, from the start of the run.
    ///
    /// Range: 0s to the end of the run.
    pub at: Duration,
    /// Of which service.
    pub service: Spanned<String>,
    /// What.
    pub kind: Spanned<ChangeKind>,
    /// Of a Deployment: where.
    pub cluster: Option<Spanned<String>>,
    /// Of a Deployment: how many pods.
    ///
    /// Default: the work model's number, of an offload. Range: 0 to 10000.
    pub replicas: Option<Spanned<u32>>,
    /// Of the mesh's configuration: the routes of the service's VirtualService from then on.
    pub routes: Option<Spanned<Vec<Spanned<Route>>>>,
    /// Of the mesh's configuration: the subsets of its DestinationRule from then on.
    pub subsets: Option<Spanned<BTreeMap<String, Spanned<Subset>>>>,
    /// Of the mesh's configuration: its DestinationRule from then on, but for its subsets.
    pub traffic_policy: Option<Spanned<TrafficPolicy>>,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
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
    /// What the mesh is told of the service.
    Configure,
}
