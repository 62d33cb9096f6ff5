//! How long a tunnel is without a gateway when the pod that carries it has died.
//!
//! # Models
//! Of several replicas one is active: it holds a lease of 15 s, which it renews every 2 s; the others look as often, and one of
//! them takes it when it has run out: 13 to 17 s after the death. A single one is there again when its container is, or, if its
//! node is lost, when the pod has been evicted from there and started on another node.
//!
//! # Assumptions
//! - A gateway stands on the first node of its cluster, its other replicas and what takes its part on another one. In a cluster of one
//!   node there is no other.
//! - The tunnel works as soon as the other gateway is active: a WireGuard handshake takes a round trip more.
//! - Nobody goes back to the first gateway.
//!
//! # Source
//! liqotech/liqo v1.2.0 `deployments/liqo/values.yaml` (`networking.gatewayTemplates.replicas`), `pkg/gateway/concurrent`,
//! `pkg/gateway/flags.go` (lease duration 15 s, renew deadline 10 s, retry period 2 s).

use meshsim_core::SimDuration;

/// How long a lease holds.
const LEASE: SimDuration = SimDuration::from_secs(15);
/// How often it is renewed, and looked at by the others.
const RETRY: SimDuration = SimDuration::from_secs(2);

/// Time from the death of the active one of several replicas until another is active; both parts (0 to 1) are of periods: how long ago the
/// lease was renewed, and how long it is until the others look once it has run out.
#[must_use]
pub fn takes_over_after(renewed: f64, looks: f64) -> SimDuration {
    let part = |of: f64| SimDuration::from_nanos_f64(RETRY.as_nanos() as f64 * of);
    LEASE.saturating_sub(part(renewed)).saturating_add(part(looks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_takes_over_after_13_to_17_s() {
        let seconds = |renewed, looks| takes_over_after(renewed, looks).as_secs_f64();
        assert_eq!([seconds(1.0, 0.0), seconds(0.0, 0.0), seconds(0.0, 1.0)], [13.0, 15.0, 17.0]);
    }
}
