//! Istio's default retries.
//!
//! # Models
//! Up to 2 further attempts, after a back-off that is fully jittered: uniform in
//! [0, 25 ms x (2^n - 1)) before attempt n, at most 250 ms. What is retried here is a real answer
//! of 503 from the upstream, which Istio's default covers up to 1.23 and no longer since 1.24. A
//! connection that is reset after the request was sent is not covered by any release.
//! A retry prefers an endpoint that was not tried: it is chosen again up to 5 times.
//!
//! # Source
//! Istio `pilot/pkg/networking/core/route/retry/retry.go`; Envoy, `x-envoy-retry-on`, and
//! `JitteredExponentialBackOffStrategy`.

use crate::draws::{Purpose, draw};
use crate::mesh::istio_version::IstioVersion;
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, uniform};

/// Further attempts after the first.
pub const RETRIES: u8 = 2;

/// How often an endpoint is chosen anew because it was tried before.
pub const HOST_SELECTION_RETRIES: u32 = 5;

/// Base of the back-off (ns).
const BASE: f64 = 25e6;

/// Whether an answer with this status, after `attempts` attempts, is worth another one.
#[must_use]
pub const fn retries(version: IstioVersion, status: u16, attempts: u8) -> bool {
    status == 503 && version.retries_503() && attempts <= RETRIES
}

/// How long to wait before further attempt `n` (1, 2 ...) of the call at `address`.
#[must_use]
pub fn back_off(n: u8, address: Address) -> SimDuration {
    let ceiling = BASE * f64::from((1_u32 << n.min(16)) - 1);
    let wait =
        uniform(&mut draw(address.child(u64::from(n)), Purpose::RetryBackoff)) * ceiling.min(10.0 * BASE);
    SimDuration::from_nanos_f64(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_503_is_retried_twice_up_to_istio_1_23() {
        let old = IstioVersion::new(1, 23);
        assert!(retries(old, 503, 1) && retries(old, 503, 2) && !retries(old, 503, 3));
        assert!(!retries(old, 500, 1));
        assert!(!retries(IstioVersion::new(1, 24), 503, 1));
    }

    #[test]
    fn the_back_off_is_uniform_below_a_growing_ceiling() {
        for (n, ceiling_ms) in [(1, 25.0), (2, 75.0), (3, 175.0), (6, 250.0)] {
            let mean =
                (0..10_000).map(|k| back_off(n, Address::root(1, 0).child(k)).as_millis_f64()).sum::<f64>()
                    / 10_000.0;
            // Standard error: 0.3 % of the ceiling.
            assert!((mean - ceiling_ms / 2.0).abs() < 0.012 * ceiling_ms, "{n}: {mean}");
        }
    }
}
