//! Which services a policy's `selector` names.
//!
//! # Models
//! Pods carry the labels of their Service, so a policy that selects a service holds for all its versions; one that selects a
//! version holds for that alone.
//!
//! # Source
//! Istio, `type.v1beta1.WorkloadSelector`.

use crate::ids::ServiceId;

/// Whether some services are named among which the pods of one are that stand behind `front`.
#[must_use]
pub fn names(services: &[ServiceId], service: ServiceId, front: ServiceId) -> bool {
    services.iter().any(|&named| named == service || named == front)
}
