//! Central observability, as it is typed.

use super::Duration;
use super::quantity::{NumberOrText, Quantity};
use meshsim_models::units::Bytes;
use serde::Deserialize;
use toml::Spanned;

/// Prometheus, Jaeger and Grafana in one cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    /// Which.
    pub cluster: Spanned<String>,
    /// Time between two scrapes, and between two batches of spans.
    pub scrape_interval: Option<Duration>,
    /// A scrape of a pod.
    pub scrape_size: Option<Spanned<Quantity<Bytes>>>,
    /// Share of the calls whose spans are sent.
    pub sampling: Option<Spanned<NumberOrText>>,
    /// The spans of a call.
    pub span_size: Option<Spanned<Quantity<Bytes>>>,
}
