//! When a client closes a connection by itself: after too long without a request, or too long at all.
//!
//! # Models
//! Envoy closes a connection that has been idle for an hour, or for as long as `http.idleTimeout` says; a
//! connection that has lived for `tcp.maxConnectionDuration` takes no further requests.
//!
//! # Source
//! Envoy, `config.core.v3.HttpProtocolOptions` (`idle_timeout`, default 1 h; `max_connection_duration`); Istio
//! `DestinationRule`, `ConnectionPoolSettings`.

use crate::istiod::cluster_policy::ClusterPolicy;
use meshsim_core::{SimDuration, SimTime};

/// Envoy's own, and Istio's default.
pub const DEFAULT_IDLE_TIMEOUT: SimDuration = SimDuration::from_secs(3600);

/// Until when a connection that falls idle at `now` is kept; without a policy it is a cell's.
#[must_use]
pub fn idle_until(policy: Option<&ClusterPolicy>, now: SimTime) -> SimTime {
    let idle = policy.and_then(|policy| policy.idle_timeout).unwrap_or(DEFAULT_IDLE_TIMEOUT);
    now.saturating_add(idle)
}

/// Until when a connection of this age takes requests.
#[must_use]
pub fn lives_until(policy: Option<&ClusterPolicy>, opened: SimTime) -> SimTime {
    let age = policy.and_then(|policy| policy.max_connection_duration);
    age.map_or(SimTime::MAX, |age| opened.saturating_add(age))
}
