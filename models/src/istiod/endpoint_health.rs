//! What istiod makes of the conditions of an endpoint in an EndpointSlice, and whether it sends it.
//!
//! # Models
//! An endpoint is healthy if it is ready, or nobody says. One that is not ready and may be terminating, because
//! nobody says that it is not, is terminating; it drains instead where the Service has persistent sessions and it
//! still serves. Terminating endpoints are never sent, unhealthy ones only where the Service sends them, draining
//! ones only where there are persistent sessions.
//!
//! So an endpoint that Liqo reflects as not ready, of which it keeps no condition but that, is never sent.
//!
//! # Source
//! istio/istio (August 2026) `pilot/pkg/serviceregistry/kube/controller/endpointslice.go`,
//! `endpointHealthStatus`; `pilot/pkg/xds/endpoints/endpoint_builder.go`, `filterIstioEndpoint`.

use crate::kubernetes::endpoint_slice::Conditions;

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes requests.
    Healthy,
    /// It is not ready, and nobody deletes it.
    Unhealthy,
    /// It is being deleted and ends the sessions that it has.
    Draining,
    /// It is being deleted.
    Terminating,
}

/// How an endpoint is, by its conditions; `persistent_sessions` is of its Service.
#[must_use]
pub fn health(conditions: Conditions, persistent_sessions: bool) -> Health {
    let is_or_unknown = |condition: Option<bool>| condition.unwrap_or(true);
    if is_or_unknown(conditions.ready) {
        Health::Healthy
    } else if !is_or_unknown(conditions.terminating) {
        Health::Unhealthy
    } else if persistent_sessions && is_or_unknown(conditions.serving) {
        Health::Draining
    } else {
        Health::Terminating
    }
}

impl Health {
    /// Whether proxies are told of it, by what its Service says.
    #[must_use]
    pub const fn is_sent(self, send_unhealthy: bool, persistent_sessions: bool) -> bool {
        match self {
            Self::Healthy => true,
            Self::Unhealthy => send_unhealthy,
            Self::Draining => persistent_sessions,
            Self::Terminating => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::endpoint_slice::PodConditions;

    fn conditions(ready: bool, serving: Option<bool>, terminating: Option<bool>) -> Conditions {
        Conditions { ready: Some(ready), serving, terminating }
    }

    #[test]
    fn a_ready_endpoint_is_healthy_whatever_else_is_said() {
        for other in [None, Some(false), Some(true)] {
            assert_eq!(health(conditions(true, other, other), true), Health::Healthy);
        }
        assert_eq!(health(Conditions::default(), false), Health::Healthy);
    }

    #[test]
    fn what_is_not_known_to_stay_is_terminating_and_not_sent() {
        let reflected = health(conditions(false, None, None), false);
        assert_eq!(reflected, Health::Terminating);
        assert!(!reflected.is_sent(true, true));
        assert_eq!(health(conditions(false, Some(true), Some(true)), false), Health::Terminating);
        assert_eq!(health(conditions(false, Some(true), Some(true)), true), Health::Draining);
        assert_eq!(health(conditions(false, Some(false), Some(true)), true), Health::Terminating);
    }

    #[test]
    fn a_pod_that_fails_its_probe_is_sent_only_where_unhealthy_ones_are() {
        let pod = PodConditions { ready: false, terminating: false };
        let health = health(pod.endpoint(false), true);
        assert_eq!(health, Health::Unhealthy);
        assert_eq!([false, true].map(|sends| health.is_sent(sends, true)), [false, true]);
    }
}
