//! When a container that has exited starts again (`CrashLoopBackOff`).
//!
//! # Models
//! The first exit is followed by a start at once, each further one by twice the wait before it, from 10 s to 300 s,
//! counted from the exit. The wait is 0 again after a run of more than 600 s; a run that is longer than the wait and
//! no longer than that still waits fully. All exits of a pod's container count alike: crashes, kills for want of
//! memory, failed liveness probes. A new pod begins at 0.
//!
//! # Assumptions
//! A kubelet looks when the wait is over. Older ones look every 10 to 15 s, so that waits are up to as much longer.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `doBackOff`; `pkg/kubelet/kubelet.go`
//! (10 s, 300 s; the reset is twice the longest wait).

use super::backoff::Backoff;
use meshsim_core::{SimDuration, SimTime};

/// How long a kubelet waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashLoopSettings {
    /// The first wait that is not 0.
    pub initial: SimDuration,
    /// The longest one.
    pub max: SimDuration,
    /// How long a container must run for the next wait to be 0.
    pub reset_after: SimDuration,
}

/// The restarts of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashLoop(Backoff);

impl Default for CrashLoopSettings {
    fn default() -> Self {
        let [initial, max, reset_after] = [10, 300, 600].map(SimDuration::from_secs);
        Self { initial, max, reset_after }
    }
}

impl CrashLoop {
    /// Of a container that has not exited yet.
    #[must_use]
    pub const fn new(settings: CrashLoopSettings) -> Self {
        Self(Backoff::new(settings.initial, settings.max, settings.reset_after))
    }

    /// It exits: when it starts again.
    pub fn exits(&mut self, at: SimTime) -> SimTime {
        let waits = self.0.is_in_backoff_since(at, at);
        let starts = if waits { at.saturating_add(self.0.wait()) } else { at };
        self.0.step(at, starts);
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_run_is_forgiven_and_one_that_is_just_not_longer_is_not() {
        let mut container = CrashLoop::new(CrashLoopSettings::default());
        let mut now = SimTime::ZERO;
        let mut wait_after = |run: u64| {
            let exit = now + SimDuration::from_secs(run);
            now = container.exits(exit);
            (now - exit).as_nanos() / 1_000_000_000
        };
        let runs = [5, 5, 5, 600, 601, 5];
        assert_eq!(runs.map(&mut wait_after), [0, 10, 20, 40, 0, 10]);
    }

    proptest! {
        /// Closed form: the n-th exit in a row of short runs waits 0, then min(10 x 2^(n - 1), 300) s.
        #[test]
        fn short_runs_wait_by_powers_of_two(runs in prop::collection::vec(0_u64..=600, 1..20)) {
            let mut container = CrashLoop::new(CrashLoopSettings::default());
            let mut now = SimTime::ZERO;
            for (n, run) in runs.into_iter().enumerate() {
                let exit = now + SimDuration::from_secs(run);
                now = container.exits(exit);
                let expected = if n == 0 { 0 } else { (10_u64 << (n - 1)).min(300) };
                prop_assert_eq!(now - exit, SimDuration::from_secs(expected));
            }
        }
    }
}
