//! Slow start: a host that has just come in gets less than its weight for a while.
//!
//! # Models
//! Inside the window a host's weight is multiplied by
//! max(minimum, (time since start / window)^(1 / aggression)), where the time is whole milliseconds
//! and at least one. At the end of the window and after it the weight is the host's own. The factor
//! is read when a host is put back into its schedule, so a host that is never picked does not grow.
//! A host starts when it first is healthy. One that stays in the endpoint set while it is not ready, as
//! an unhealthy one, has started already when it is ready again; one that left the set and came back is
//! another host, and starts anew.
//!
//! # Assumptions
//! The host is healthy: Envoy applies the factor to no other.
//!
//! # Source
//! Envoy `load_balancer_impl.cc`, `EdfLoadBalancerBase::applySlowStartFactor`;
//! `recalculateHostsInSlowStart`, where `lastHcPassTime` is set once;
//! arch_overview/upstream/load_balancing/slow_start; measured on Envoy 1.40. Istio: DestinationRule, `warmup`.

use meshsim_core::SimDuration;
use meshsim_core::elementary::pow;

/// How hosts warm up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// How long a host is in slow start.
    pub window: SimDuration,
    /// The least part of its weight (percent).
    pub min_weight_percent: f64,
    /// 1: the weight grows linearly; more: faster at first.
    pub aggression: f64,
}

impl SlowStart {
    /// Envoy's and Istio's defaults for a window: from 10 %, linearly.
    #[must_use]
    pub const fn new(window: SimDuration) -> Self {
        Self { window, min_weight_percent: 10.0, aggression: 1.0 }
    }

    /// Whether a host that started so long ago is in slow start.
    #[must_use]
    pub fn holds(&self, since_start: SimDuration) -> bool {
        millis(since_start) < millis(self.window)
    }

    /// What the weight of a host that started so long ago is multiplied by.
    #[must_use]
    pub fn factor(&self, since_start: SimDuration) -> f64 {
        if !self.holds(since_start) {
            return 1.0;
        }
        let passed = millis(since_start).max(1) as f64 / millis(self.window) as f64;
        let grown = if self.aggression == 1.0 { passed } else { pow(passed, 1.0 / self.aggression) };
        grown.max(self.min_weight_percent / 100.0)
    }
}

/// Whole milliseconds, as Envoy measures.
const fn millis(duration: SimDuration) -> u64 {
    duration.as_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SlowStart = SlowStart::new(SimDuration::from_secs(60));

    #[test]
    fn the_weight_grows_from_the_minimum_to_the_end_of_the_window() {
        let factor = |seconds| MINUTE.factor(SimDuration::from_secs(seconds));
        assert_eq!([0, 3, 12, 30, 60, 61].map(factor), [0.1, 0.1, 0.2, 0.5, 1.0, 1.0]);
        assert!(MINUTE.holds(SimDuration::from_millis(59_999)));
        assert!(!MINUTE.holds(SimDuration::from_secs(60)));
    }

    #[test]
    fn at_least_a_millisecond_has_passed() {
        let fast = SlowStart { min_weight_percent: 0.0, ..SlowStart::new(SimDuration::from_millis(10)) };
        assert_eq!(fast.factor(SimDuration::ZERO), 0.1);
    }

    #[test]
    fn aggression_makes_it_faster_at_first() {
        let bold = SlowStart { aggression: 2.0, ..MINUTE };
        assert!((bold.factor(SimDuration::from_secs(15)) - 0.5).abs() < 1e-12);
    }
}
