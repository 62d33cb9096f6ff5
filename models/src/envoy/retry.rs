//! Whether to try again, and when.
//!
//! # Models
//! A route's policy (`retryOn`) says which outcomes are worth another attempt and how many there may be. Istio's
//! default is 2, of connections that could not be made; up to 1.23 also of a real answer of 503. A
//! connection that is reset after the request was sent is not covered by it, nor an attempt that
//! took too long; an overflow never is.
//! The back-off is fully jittered: uniform below 25 ms x 2^(n-1) before further attempt n, below 250
//! ms at most. A retry prefers an endpoint that was not tried: it is chosen again up to 5 times.
//!
//! # Assumptions
//! - Envoy draws whole milliseconds, the simulator any time below the bound. Effect: 0.5 ms on average.
//! - `refused-stream` never comes up (no server refuses streams), nor do conditions on gRPC statuses
//!   and on headers. `reset-before-request` covers only connections that could not be made.
//! - Hedging (`hedge_on_per_try_timeout`) is left out: Istio has no setting for it.
//!
//! # Source
//! Envoy, `x-envoy-retry-on`; `source/common/common/backoff_strategy.cc`,
//! `JitteredExponentialBackOffStrategy`; `retry_state_impl.cc`, `wouldRetryFromReset`,
//! `wouldRetryFromHeaders` (at most 10 x base). Istio: `istiod/retry_policy`.

use crate::draws::{Purpose, draw};
use crate::istiod::retry_policy::RetryPolicy;
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, uniform};

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

/// What came of an attempt, as far as retries depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The upstream answered with this status.
    Answered(u16),
    /// No connection could be made.
    ConnectFailure,
    /// The connection was lost under the request.
    Reset,
    /// The attempt took too long.
    PerTryTimeout,
    /// A limit of the proxy was reached, or no host could be chosen.
    Refused,
}

/// When a route's requests are tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Further attempts after the first.
    pub attempts: u8,
    on_5xx: bool,
    on_gateway_error: bool,
    on_reset: bool,
    on_reset_before_request: bool,
    on_connect_failure: bool,
    on_409: bool,
    on_statuses: Vec<u16>,
    /// How long an attempt may take once it has a connection.
    pub per_try_timeout: Option<SimDuration>,
    /// The waits between attempts.
    pub back_off: BackOff,
    /// How often an endpoint is chosen anew because it was tried before.
    pub host_selection_attempts: u32,
}

impl Retry {
    /// A policy, ready to be asked.
    #[must_use]
    pub fn new(policy: &RetryPolicy) -> Self {
        let on = |condition: &str| policy.retry_on.iter().any(|it| it == condition);
        let base_ms = |base: SimDuration| (base.as_nanos() / 1_000_000).max(1);
        Self {
            attempts: policy.num_retries.min(u32::from(MAX_ATTEMPTS)) as u8,
            on_5xx: on("5xx"),
            on_gateway_error: on("gateway-error"),
            on_reset: on("reset"),
            on_reset_before_request: on("reset-before-request"),
            on_connect_failure: on("connect-failure"),
            on_409: on("retriable-4xx"),
            on_statuses: policy.retriable_status_codes.clone(),
            per_try_timeout: policy.per_try_timeout.filter(|timeout| *timeout > SimDuration::ZERO),
            back_off: policy.base_interval.map_or(BackOff::DEFAULT, |base| BackOff::new(base_ms(base))),
            host_selection_attempts: if policy.previous_hosts {
                policy.host_selection_retry_max_attempts
            } else {
                0
            },
        }
    }

    /// Whether an outcome is worth another attempt.
    #[must_use]
    pub fn covers(&self, outcome: AttemptOutcome) -> bool {
        let any_reset = self.on_reset || self.on_5xx || self.on_gateway_error;
        match outcome {
            AttemptOutcome::Answered(status) => {
                (self.on_5xx && (500..600).contains(&status))
                    || (self.on_gateway_error && (502..=504).contains(&status))
                    || (self.on_409 && status == 409)
                    || self.on_statuses.contains(&status)
            }
            AttemptOutcome::ConnectFailure => {
                any_reset || self.on_connect_failure || self.on_reset_before_request
            }
            AttemptOutcome::Reset | AttemptOutcome::PerTryTimeout => any_reset,
            AttemptOutcome::Refused => false,
        }
    }
}

/// Most further attempts that are simulated.
pub const MAX_ATTEMPTS: u8 = 200;

/// How long to wait before further attempt `n` (1, 2 ...) of the call at `address`, which who makes it
/// draws for its own purpose.
#[must_use]
pub fn back_off(back_off: BackOff, n: u8, address: Address, purpose: Purpose) -> SimDuration {
    let bound = back_off.upper_bound_ms(u32::from(n)) as f64 * 1e6;
    let of_retry = address.child(u64::from(n));
    SimDuration::from_nanos_f64(uniform(&mut draw(of_retry, purpose)) * bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istiod::istio_version::{IstioVersion, NEWEST};
    use crate::istiod::retry_policy::RetrySettings;

    fn retry(retry_on: &str) -> Retry {
        let settings = RetrySettings { attempts: 2, retry_on: retry_on.into(), ..RetrySettings::default() };
        Retry::new(&RetryPolicy::new(NEWEST, Some(&settings), false).unwrap())
    }

    #[test]
    fn by_default_only_connections_that_could_not_be_made_are_retried_and_503_up_to_1_23() {
        let default = |minor| Retry::new(&RetryPolicy::default_of(IstioVersion::new(1, minor), false));
        assert_eq!(default(24).attempts, 2);
        assert!(default(24).covers(AttemptOutcome::ConnectFailure));
        for outcome in [
            AttemptOutcome::Reset,
            AttemptOutcome::PerTryTimeout,
            AttemptOutcome::Refused,
            AttemptOutcome::Answered(500),
        ] {
            assert!(!default(23).covers(outcome), "{outcome:?}");
        }
        let covers_503 = [23, 24].map(|minor| default(minor).covers(AttemptOutcome::Answered(503)));
        assert_eq!(covers_503, [true, false]);
    }

    #[test]
    fn each_condition_covers_what_envoy_says() {
        let outcomes = [
            AttemptOutcome::Answered(500),
            AttemptOutcome::Answered(503),
            AttemptOutcome::Answered(409),
            AttemptOutcome::ConnectFailure,
            AttemptOutcome::Reset,
            AttemptOutcome::PerTryTimeout,
            AttemptOutcome::Refused,
        ];
        let covered = |retry_on: &str| outcomes.map(|outcome| u8::from(retry(retry_on).covers(outcome)));
        assert_eq!(covered("5xx"), [1, 1, 0, 1, 1, 1, 0]);
        assert_eq!(covered("gateway-error"), [0, 1, 0, 1, 1, 1, 0]);
        assert_eq!(covered("reset"), [0, 0, 0, 1, 1, 1, 0]);
        assert_eq!(covered("connect-failure"), [0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(covered("retriable-4xx"), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(covered("500"), [1, 0, 0, 0, 0, 0, 0]);
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
            let mean = (0..10_000)
                .map(|k| Address::root(1, 0).child(k))
                .map(|it| back_off(BackOff::DEFAULT, n, it, Purpose::RetryBackoff).as_millis_f64())
                .sum::<f64>()
                / 10_000.0;
            // Standard error: 0.3 % of the bound.
            assert!((mean - bound_ms / 2.0).abs() < 0.012 * bound_ms, "{n}: {mean}");
        }
    }
}
