//! The conditions of an endpoint in an EndpointSlice: readiness, serving, terminating.
//!
//! # Models
//! An endpoint serves if its pod is ready, terminates if its pod is being deleted, and is ready if it serves and does
//! not terminate, or if its Service publishes addresses that are not ready. Only the pod's condition counts, never
//! that of its node.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `staging/src/k8s.io/endpointslice/utils.go`, `podToEndpoint`.

/// What an EndpointSlice says of an endpoint; absent: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// It takes new connections.
    pub ready: Option<bool>,
    /// It would, but for its deletion.
    pub serving: Option<bool>,
    /// It is being deleted.
    pub terminating: Option<bool>,
}

/// What is known of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodConditions {
    /// Its condition Ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl PodConditions {
    /// What Kubernetes' own controller says of its endpoint; `publish_not_ready` is `publishNotReadyAddresses`.
    #[must_use]
    pub const fn endpoint(self, publish_not_ready: bool) -> Conditions {
        Conditions {
            ready: Some(publish_not_ready || (self.ready && !self.terminating)),
            serving: Some(self.ready),
            terminating: Some(self.terminating),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_is_deleted_serves_and_is_not_ready() {
        let conditions = |ready, terminating, publishes| {
            let said = PodConditions { ready, terminating }.endpoint(publishes);
            [said.ready, said.serving, said.terminating].map(Option::unwrap)
        };
        assert_eq!(conditions(true, true, false), [false, true, true]);
        assert_eq!(conditions(true, false, false), [true, true, false]);
        assert_eq!(conditions(false, false, false), [false, false, false]);
        assert_eq!(conditions(false, true, true), [true, false, true]);
    }
}
