//! Central observability, as it is typed.

use super::Duration;
use super::quantity::{NumberOrText, Quantity};
use super::spanned::Spanned;
use meshsim_models::units::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

/// Prometheus, Jaeger and Grafana in one cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    /// Which.
    pub cluster: Spanned<String>,
    /// Time between two scrapes, and between two batches of spans.
    ///
    /// Default: 15s. Range: 1ms to 10 years. Source: Prometheus in Istio's samples.
    pub scrape_interval: Option<Duration>,
    /// A scrape of a pod.
    ///
    /// Default: 10kB. Source: assumed.
    pub scrape_size: Option<Spanned<Quantity<Bytes>>>,
    /// Share of the calls whose spans are sent.
    ///
    /// Default: 0.01. Range: 0 to 1. Source: Istio's meshConfig.
    pub sampling: Option<Spanned<NumberOrText>>,
    /// The spans of a call.
    ///
    /// Default: 1kB. Source: assumed.
    pub span_size: Option<Spanned<Quantity<Bytes>>>,
}
