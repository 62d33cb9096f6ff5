//! What a replica of istiod counts of itself.
//!
//! # Models
//! Updates that it has learned; of each push of all that waited, how long the first change had waited and what preparing it
//! took; of each push to a proxy, how long that stood in the queue and how long it took from there until it was sent; and
//! what was sent, by type: endpoints (EDS) alone, or clusters, endpoints, listeners and routes, where it is a full push.
//!
//! # Assumptions
//! - A full push sends all four types, where Istio leaves out those that a change does not concern. Effect: `pilot_xds_pushes`
//!   of `cds`, `lds` and `rds` is an upper bound after a change of routes alone.
//! - What a proxy gets when it connects counts as pushes and not as time in the queue, as it passes none in Istio.
//!
//! # Source
//! istio/istio `pilot/pkg/xds/monitoring.go` (names, buckets), `discovery.go` (`ConfigUpdate`, `StartPush`, `doSendPushes`),
//! `eds.go` (`EDSUpdate`), `ads.go` (`pushConnection`).

use super::observed::Observed;
use crate::istiod::push_kind::PushKind;
use meshsim_core::SimDuration;

/// Bounds of `pilot_proxy_queue_time` and `pilot_proxy_convergence_time` (ms).
pub const PROXY_BOUNDS_MS: [f64; 8] = [100.0, 500.0, 1e3, 3e3, 5e3, 10e3, 20e3, 30e3];
/// Bounds of `pilot_debounce_time` (ms).
pub const DEBOUNCE_BOUNDS_MS: [f64; 8] = [10.0, 100.0, 1e3, 3e3, 5e3, 10e3, 20e3, 30e3];
/// Bounds of `pilot_pushcontext_init_seconds` (ms).
pub const CONTEXT_BOUNDS_MS: [f64; 6] = [10.0, 100.0, 500.0, 1e3, 3e3, 5e3];

/// Types of what is pushed, by their names in Istio's metrics.
pub const TYPES: [&str; 4] = ["cds", "eds", "lds", "rds"];
/// Kinds of updates, likewise: each that leads to a push, and those of endpoints.
pub const UPDATES: [&str; 2] = ["config", "eds"];

/// What a replica has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IstiodCounts {
    /// `pilot_inbound_updates`, by [`UPDATES`].
    pub updates: [u64; UPDATES.len()],
    /// `pilot_xds_pushes`, by [`TYPES`].
    pub pushes: [u64; TYPES.len()],
    /// `pilot_debounce_time`.
    pub debounce: Observed<{ DEBOUNCE_BOUNDS_MS.len() + 1 }>,
    /// `pilot_pushcontext_init_seconds`.
    pub context: Observed<{ CONTEXT_BOUNDS_MS.len() + 1 }>,
    /// `pilot_proxy_queue_time`.
    pub queue: Observed<{ PROXY_BOUNDS_MS.len() + 1 }>,
    /// `pilot_proxy_convergence_time`.
    pub convergence: Observed<{ PROXY_BOUNDS_MS.len() + 1 }>,
    /// `pilot_xds`, when it is scraped: proxies that are connected.
    pub connected: u32,
}

impl IstiodCounts {
    /// It learns something, of endpoints or not, that leads to a push or not.
    pub(crate) fn learns(&mut self, of_endpoints: bool, is_pushed: bool) {
        self.updates[0] += u64::from(is_pushed);
        self.updates[1] += u64::from(of_endpoints);
    }

    /// A push is prepared: what that took, and how long its first change waited, if it did.
    pub(crate) fn prepares(&mut self, took: SimDuration, waited: Option<SimDuration>) {
        self.context.observe(took, &CONTEXT_BOUNDS_MS);
        if let Some(waited) = waited {
            self.debounce.observe(waited, &DEBOUNCE_BOUNDS_MS);
        }
    }

    /// A proxy has stood in the queue for so long.
    pub(crate) fn dequeues(&mut self, waited: SimDuration) {
        self.queue.observe(waited, &PROXY_BOUNDS_MS);
    }

    /// A push is sent to a proxy, so long after it was put in the queue, if it was.
    pub(crate) fn sends(&mut self, kind: PushKind, converged: Option<SimDuration>) {
        for (pushes, name) in self.pushes.iter_mut().zip(TYPES) {
            *pushes += u64::from(kind == PushKind::Full || name == "eds");
        }
        if let Some(took) = converged {
            self.convergence.observe(took, &PROXY_BOUNDS_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_push_is_one_of_each_type() {
        let mut counts = IstiodCounts::default();
        let ms = SimDuration::from_millis;
        counts.learns(true, false);
        counts.learns(true, true);
        counts.prepares(ms(10), Some(ms(110)));
        counts.dequeues(ms(0));
        counts.sends(PushKind::Incremental, Some(ms(101)));
        counts.sends(PushKind::Full, None);
        assert_eq!((counts.updates, counts.pushes), ([1, 2], [1, 2, 1, 1]));
        assert_eq!(counts.context.buckets, [1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(counts.debounce.buckets, [0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((counts.queue.buckets[0], counts.convergence.buckets[1]), (1, 1));
        assert_eq!((counts.convergence.count, counts.convergence.nanos), (1, 101_000_000));
    }
}
