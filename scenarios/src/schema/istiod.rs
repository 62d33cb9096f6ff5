//! istiod, as it is typed.

use super::Duration;
use super::quantity::Quantity;
use super::spanned::Spanned;
use meshsim_models::units::Cores;
use schemars::JsonSchema;
use serde::Deserialize;

/// How istiod paces its pushes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Istiod {
    /// Where the only one stands; every cluster has one if absent.
    ///
    /// Default: every cluster has one.
    pub cluster: Option<Spanned<String>>,
    /// Its replicas, each of which serves the proxies that are connected to it.
    ///
    /// Default: 1. Range: 1 to 100.
    pub replicas: Option<Spanned<u32>>,
    /// The cores of each.
    ///
    /// Default: 2. Range: 1 to 1000.
    pub cores: Option<Spanned<u32>>,
    /// `PILOT_DEBOUNCE_AFTER`.
    ///
    /// Default: 100ms. Range: 0s to 1h. Source: Istio.
    pub debounce_after: Option<Duration>,
    /// `PILOT_DEBOUNCE_MAX`.
    ///
    /// Default: 10s. Range: 0s to 1h. Source: Istio.
    pub debounce_max: Option<Duration>,
    /// `PILOT_ENABLE_EDS_DEBOUNCE`.
    ///
    /// Default: true. Source: Istio.
    pub enable_eds_debounce: Option<bool>,
    /// `PILOT_PUSH_THROTTLE`.
    ///
    /// Default: by the cores. Range: 1 to 100000. Source: Istio.
    pub push_throttle: Option<Spanned<u32>>,
    /// What preparing a push takes.
    ///
    /// Default: 10ms. Range: 0s to 1h. Source: assumed: nobody publishes it.
    pub prepare: Option<Duration>,
    /// CPU time of a proxy's endpoints.
    ///
    /// Default: 1ms. Range: 0s to 1h. Source: assumed: nobody publishes it.
    pub push: Option<Duration>,
    /// CPU time of all that a proxy sees.
    ///
    /// Default: 10ms. Range: 0s to 1h. Source: assumed: nobody publishes it.
    pub full_push: Option<Duration>,
    /// What serving a proxy at rest takes.
    ///
    /// Default: 0.6m. Range: 0 to 1. Source: AKS, 25,000 sidecars with 15 cores.
    pub cpu_per_proxy: Option<Spanned<Quantity<Cores>>>,
    /// `--keepaliveMaxServerConnectionAge`.
    ///
    /// Default: 30min. Range: 10s to 10 years. Source: Istio.
    pub max_connection_age: Option<Duration>,
    /// `SECRET_TTL`.
    ///
    /// Default: 24h. Range: 10s to 10 years. Source: Istio.
    pub certificate_lifetime: Option<Duration>,
}
