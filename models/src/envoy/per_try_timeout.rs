//! How long an attempt may take.
//!
//! # Models
//! A route's `perTryTimeout` holds for each attempt on its own, unless the whole request may not take longer
//! than that anyway. A copy for a mirror has none.
//!
//! # Source
//! Envoy `router.cc`, `FilterUtility::finalTimeout` ("If the per try timeout is greater than the global
//! timeout, disable it"); `upstream_request.cc`, `setupPerTryTimeout`.

use super::route::Route;
use meshsim_core::SimDuration;

/// How long an attempt of a request on this route may take, if that is limited.
#[must_use]
pub fn per_try_timeout(route: &Route, is_mirror: bool) -> Option<SimDuration> {
    let retry = route.retry.as_ref().filter(|_| !is_mirror)?;
    retry.per_try_timeout.filter(|per_try| route.timeout.is_none_or(|all| *per_try < all))
}
