//! istiod, as it is typed.

use super::Duration;
use super::spanned::Spanned;
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
    /// Its cores.
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
}
