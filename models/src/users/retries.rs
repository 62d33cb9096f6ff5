//! What a user, or its program, does when a request fails: it sends it again.
//!
//! # Models
//! After a failure that counts the user pauses and sends the same request again, over its own connection, at most so often.
//! Its time-out holds for each attempt. The pause before the n-th further attempt is the back-off times 2^(n-1), at most the
//! longest one; of that a part is drawn uniformly, so that users whose requests failed together do not come back together.
//! A request ends with its last attempt: its latency runs from its first sending, and it has failed only if no attempt
//! was answered well.
//!
//! # Assumptions
//! - What an attempt asks for is the request's own: its kind, and who sends it. What happens to further attempts on their
//!   way is others' luck, as with those of a proxy (`cluster/outbound/hop`).
//! - A user who moves while it pauses sends again to the gateway of its first attempt.
//!
//! # Source
//! Brooker, Exponential backoff and jitter, AWS Architecture Blog, 2015 ("full jitter" is a jitter of 1).

use crate::draws::{Purpose, draw};
use crate::request::answer::Status;
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, uniform};

/// When and how often users send a request again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Further attempts, at most.
    pub attempts: u8,
    /// Pause before the first of them.
    pub backoff: SimDuration,
    /// The longest pause.
    pub backoff_max: SimDuration,
    /// Which part of a pause is drawn: 0 (it is always as long) to 1 (it may be none).
    pub jitter: f64,
    /// After which failures.
    pub on: Retried,
}

/// The failures after which users try again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// They have waited for as long as they do, or found no gateway.
    pub timeout: bool,
    /// Their gateway is not there.
    pub no_ingress: bool,
    /// HTTP statuses, from the first to the last of each.
    pub statuses: Vec<[u16; 2]>,
}

impl Retried {
    /// Whether users try again after this.
    #[must_use]
    pub fn contains(&self, status: Status) -> bool {
        match status {
            Status::CallerGone => self.timeout,
            Status::NoIngress => self.no_ingress,
            _ => self.statuses.iter().any(|[first, last]| (*first..=*last).contains(&status.code())),
        }
    }
}

impl Retries {
    /// The pause after attempt number `attempt`, counted from 1, of the request at `address`; nothing if its user gives up.
    #[must_use]
    pub fn pause(&self, attempt: u8, status: Status, address: Address) -> Option<SimDuration> {
        if attempt > self.attempts || status.is_ok() || !self.on.contains(status) {
            return None;
        }
        let factor = 1_u64 << u32::from(attempt - 1).min(62);
        let whole = self.backoff.as_nanos().saturating_mul(factor).min(self.backoff_max.as_nanos());
        let drawn = uniform(&mut draw(address.child(u64::from(attempt)), Purpose::UserBackOff));
        Some(SimDuration::from_nanos_f64(whole as f64 * (1.0 - self.jitter * drawn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> SimDuration = SimDuration::from_millis;

    fn retries(jitter: f64) -> Retries {
        let on = Retried { statuses: vec![[500, 599]], ..Retried::default() };
        Retries { attempts: 4, backoff: MS(100), backoff_max: MS(500), jitter, on }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let address = Address::root(1, 0);
        let pauses: Vec<_> =
            (1..=5).map(|attempt| retries(0.0).pause(attempt, Status::Timeout, address)).collect();
        assert_eq!(pauses, [Some(MS(100)), Some(MS(200)), Some(MS(400)), Some(MS(500)), None]);
    }

    #[test]
    fn only_the_failures_that_count_are_tried_again() {
        let of = |status| retries(0.0).pause(1, status, Address::root(1, 0)).is_some();
        assert!(of(Status::ServiceError) && of(Status::ServiceFailure(503)) && of(Status::Overflow));
        assert!(!of(Status::Ok) && !of(Status::CallerGone) && !of(Status::NoRoute) && !of(Status::NoIngress));
        let on = Retried { timeout: true, no_ingress: true, statuses: Vec::new() };
        assert!(on.contains(Status::CallerGone) && on.contains(Status::NoIngress));
        assert!(!on.contains(Status::ServiceError));
    }

    /// A jitter of 1/2 leaves 3/4 of a pause in the mean; one of 1 leaves a half.
    #[test]
    fn a_part_of_a_pause_is_drawn() {
        for (jitter, expected) in [(0.5, 75.0), (1.0, 50.0)] {
            let of = |k| retries(jitter).pause(1, Status::Timeout, Address::root(1, 0).child(k)).unwrap();
            let pauses: Vec<f64> = (0..10_000).map(|k| of(k).as_millis_f64()).collect();
            let mean = pauses.iter().sum::<f64>() / 10_000.0;
            // A standard deviation of 0.29 jitter.
            assert!((mean - expected).abs() < 1.0, "{mean} ms, expected {expected}");
            assert!(pauses.iter().all(|it| (100.0 * (1.0 - jitter)..=100.0).contains(it)));
        }
    }
}
