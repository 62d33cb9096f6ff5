//! Whether to try again, and when.
//!
//! # Models
//! Up to 2 further attempts, after a back-off that is fully jittered: uniform below 25 ms x 2^(n-1)
//! before further attempt n, below 250 ms at most. What is retried here is a real answer of 503 from
//! the upstream, which Istio's default covers up to 1.23 and no longer since 1.24. A connection that
//! is reset after the request was sent is not covered by any release.
//! A retry prefers an endpoint that was not tried: it is chosen again up to 5 times.
//!
//! # Assumptions
//! Envoy draws whole milliseconds, the simulator any time below the bound. Effect: 0.5 ms on average.
//!
//! # Source
//! Envoy, `x-envoy-retry-on`; `source/common/common/backoff_strategy.cc`,
//! `JitteredExponentialBackOffStrategy`; `retry_state_impl.cc` (at most 10 x base). Istio:
//! `mesh/retry_policy`.

use crate::draws::{Purpose, draw};
use crate::mesh::istio_version::IstioVersion;
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, uniform};

/// Further attempts after the first.
pub const RETRIES: u8 = 2;

/// How often an endpoint is chosen anew because it was tried before.
pub const HOST_SELECTION_RETRIES: u32 = 5;

/// A jittered exponential back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// Bound of the first one (ms), at least 1.
    pub base_interval_ms: u64,
    /// The largest bound (ms), at least the first one.
    pub max_interval_ms: u64,
}

impl BackOff {
    /// Envoy's default, and Istio's: from 25 to 250 ms.
    pub const DEFAULT: Self = Self::new(25);

    /// From `base_interval_ms` to ten times as much, as Envoy does where no maximum is set.
    #[must_use]
    pub const fn new(base_interval_ms: u64) -> Self {
        Self { base_interval_ms, max_interval_ms: base_interval_ms.saturating_mul(10) }
    }

    /// Bound of the back-off before further attempt `n` (1, 2 ...), exclusive (ms).
    #[must_use]
    pub fn upper_bound_ms(self, n: u32) -> u64 {
        let mut bound = self.base_interval_ms;
        for _ in 1..n.min(65) {
            let doubles = bound < self.max_interval_ms / 2;
            bound = if doubles { bound * 2 } else { self.max_interval_ms };
        }
        bound
    }

    /// Envoy's back-off before further attempt `n` by a random number of any size (ms).
    #[must_use]
    pub fn jittered_ms(self, n: u32, random: u64) -> u64 {
        (random % self.upper_bound_ms(n)).min(self.max_interval_ms)
    }
}

/// Whether an answer with this status, after `attempts` attempts, is worth another one.
#[must_use]
pub const fn retries(version: IstioVersion, status: u16, attempts: u8) -> bool {
    status == 503 && version.retries_503() && attempts <= RETRIES
}

/// How long to wait before further attempt `n` (1, 2 ...) of the call at `address`.
#[must_use]
pub fn back_off(n: u8, address: Address) -> SimDuration {
    let bound = BackOff::DEFAULT.upper_bound_ms(u32::from(n)) as f64 * 1e6;
    let of_retry = address.child(u64::from(n));
    SimDuration::from_nanos_f64(uniform(&mut draw(of_retry, Purpose::RetryBackoff)) * bound)
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
    fn the_bound_doubles_up_to_ten_times_the_base() {
        let bounds = [1, 2, 3, 4, 5, 6, 200].map(|n| BackOff::DEFAULT.upper_bound_ms(n));
        assert_eq!(bounds, [25, 50, 100, 200, 250, 250, 250]);
        let odd = BackOff { base_interval_ms: 25, max_interval_ms: 101 };
        assert_eq!([1, 2, 3].map(|n| odd.upper_bound_ms(n)), [25, 50, 101]);
        assert_eq!(BackOff::DEFAULT.jittered_ms(2, 99), 49);
    }

    #[test]
    fn the_back_off_is_uniform_below_a_growing_bound() {
        for (n, bound_ms) in [(1, 25.0), (2, 50.0), (3, 100.0), (6, 250.0)] {
            let mean =
                (0..10_000).map(|k| back_off(n, Address::root(1, 0).child(k)).as_millis_f64()).sum::<f64>()
                    / 10_000.0;
            // Standard error: 0.3 % of the bound.
            assert!((mean - bound_ms / 2.0).abs() < 0.012 * bound_ms, "{n}: {mean}");
        }
    }
}
