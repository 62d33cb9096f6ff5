//! istiod, as it is typed.

use super::Duration;
use serde::Deserialize;
use toml::Spanned;

/// How istiod paces its pushes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Istiod {
    /// Where the only one stands; every cluster has one if absent.
    pub cluster: Option<Spanned<String>>,
    /// Its cores.
    pub cores: Option<Spanned<u32>>,
    /// `PILOT_DEBOUNCE_AFTER`.
    pub debounce_after: Option<Duration>,
    /// `PILOT_DEBOUNCE_MAX`.
    pub debounce_max: Option<Duration>,
    /// `PILOT_ENABLE_EDS_DEBOUNCE`.
    pub enable_eds_debounce: Option<bool>,
    /// `PILOT_PUSH_THROTTLE`.
    pub push_throttle: Option<Spanned<u32>>,
    /// What preparing a push takes.
    pub prepare: Option<Duration>,
    /// CPU time of a proxy's endpoints.
    pub push: Option<Duration>,
    /// CPU time of all that a proxy sees.
    pub full_push: Option<Duration>,
}
