//! How fast the nodes of a zone are tainted when they fail.
//!
//! # Models
//! A zone without a ready node is fully disrupted; one of which at least 3 nodes and a part of `threshold` are not ready
//! partially. Its nodes are tainted one after the other: at the normal rate, at the secondary rate while a large zone
//! is partially disrupted, and not at all while a small one is. The token of a rate is there at first and again so long
//! after it was taken; who changes from a rate that has no token to another waits for the first token of that.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `pkg/controller/nodelifecycle/node_lifecycle_controller.go` (`ComputeZoneState`,
//! `ReducedQPSFunc`), `scheduler/rate_limited_queue.go` (`SwapLimiter`); `cmd/kube-controller-manager/app/options`.

use meshsim_core::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// Rates and their limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneSettings {
    /// The part of its nodes that is not ready in a partially disrupted zone (0 to 1).
    pub threshold: f64,
    /// Nodes per second that are tainted (`--node-eviction-rate`).
    pub rate: f64,
    /// The same in a large zone that is partially disrupted.
    pub secondary_rate: f64,
    /// A zone with more nodes is large.
    pub large: u32,
}

/// How a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZoneState {
    /// Most of its nodes are ready.
    Normal,
    /// Too many are not.
    PartialDisruption,
    /// None is.
    FullDisruption,
}

/// Lets one node pass at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimiter {
    /// Per second; 0: none passes.
    rate: f64,
    /// When the next one may.
    free_at: SimTime,
}

impl Default for ZoneSettings {
    fn default() -> Self {
        Self { threshold: 0.55, rate: 0.1, secondary_rate: 0.01, large: 50 }
    }
}

impl ZoneState {
    /// Of a zone with so many nodes that are ready and that are not.
    #[must_use]
    pub fn of(ready: u32, not_ready: u32, settings: &ZoneSettings) -> Self {
        // The controller compares in 32 bits.
        let part = not_ready as f32 / (ready as f32 + not_ready as f32);
        match (ready, not_ready) {
            (0, 1..) => Self::FullDisruption,
            (_, 3..) if part >= settings.threshold as f32 => Self::PartialDisruption,
            _ => Self::Normal,
        }
    }

    /// Nodes per second that are tainted in a zone with so many nodes, as long as another zone works.
    #[must_use]
    pub const fn rate(self, nodes: u32, settings: &ZoneSettings) -> f64 {
        match self {
            Self::Normal | Self::FullDisruption => settings.rate,
            Self::PartialDisruption if nodes > settings.large => settings.secondary_rate,
            Self::PartialDisruption => 0.0,
        }
    }

    /// As Kubernetes' metrics and logs name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::PartialDisruption => "PartialDisruption",
            Self::FullDisruption => "FullDisruption",
        }
    }
}

impl RateLimiter {
    /// With a token; `rate` is per second, 0 or less: none ever passes.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self { rate, free_at: SimTime::ZERO }
    }

    /// When the next one may pass; absent: never.
    #[must_use]
    pub fn free_at(&self) -> Option<SimTime> {
        (self.rate > 0.0).then_some(self.free_at)
    }

    /// One passes, if it may.
    pub fn passes(&mut self, now: SimTime) -> bool {
        let passes = self.free_at().is_some_and(|free_at| free_at <= now);
        if passes {
            self.free_at = now.saturating_add(SimDuration::from_secs_f64(1.0 / self.rate));
        }
        passes
    }

    /// From now on another rate.
    pub fn change(&mut self, rate: f64, now: SimTime) {
        if rate != self.rate {
            let has_token = self.passes(now);
            *self = Self::new(rate);
            if !has_token {
                self.passes(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn two_nodes_are_never_a_partial_disruption() {
        let settings = ZoneSettings::default();
        let of = |ready, not_ready| ZoneState::of(ready, not_ready, &settings);
        assert_eq!(
            [of(0, 0), of(1, 2), of(0, 1)],
            [ZoneState::Normal, ZoneState::Normal, ZoneState::FullDisruption]
        );
        assert_eq!([of(2, 3), of(3, 3)], [ZoneState::PartialDisruption, ZoneState::Normal]);
        let rate = |nodes| ZoneState::PartialDisruption.rate(nodes, &settings);
        assert_eq!([50, 51].map(rate), [0.0, 0.01]);
    }

    #[test]
    fn a_token_is_there_first_and_then_once_in_ten_seconds() {
        let mut limiter = RateLimiter::new(0.1);
        assert_eq!(
            [5, 6, 14, 15, 100, 109].map(|second| limiter.passes(at(second))),
            [true, false, false, true, true, false]
        );
    }

    #[test]
    fn after_a_rate_of_none_the_first_one_waits() {
        let mut limiter = RateLimiter::new(0.1);
        limiter.change(0.0, at(50));
        assert!(limiter.free_at().is_none() && !limiter.passes(at(60)));
        limiter.change(0.1, at(60));
        assert_eq!(limiter.free_at(), Some(at(70)));
        // The token that was there is not lost, but for the one that the change takes.
        limiter.change(0.01, at(80));
        assert!(limiter.passes(at(80)));
    }

    proptest! {
        #[test]
        fn no_more_pass_than_the_rate_says(tries in prop::collection::vec(0_u64..20, 1..60)) {
            let (mut limiter, mut now, mut passed) = (RateLimiter::new(0.1), 0, 0);
            for gap in tries {
                now += gap;
                passed += u64::from(limiter.passes(at(now)));
            }
            prop_assert!(passed <= 1 + now / 10);
        }
    }
}
