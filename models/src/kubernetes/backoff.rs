//! An exponential back-off that is forgotten after a while without events.
//!
//! # Models
//! Each step doubles the wait, from `initial` to `max`. A step whose event came more than `reset_after` after the last
//! step begins anew with `initial`. Whether an event is in back-off is asked for with the time of the event: it is
//! as long as less than the wait has passed since.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `staging/src/k8s.io/client-go/util/flowcontrol/backoff.go`, without jitter.

use meshsim_core::{SimDuration, SimTime};

/// The back-off of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: SimDuration,
    max: SimDuration,
    reset_after: SimDuration,
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    wait: SimDuration,
    updated: SimTime,
}

impl Backoff {
    /// Nothing has happened.
    #[must_use]
    pub const fn new(initial: SimDuration, max: SimDuration, reset_after: SimDuration) -> Self {
        Self { initial, max, reset_after, entry: None }
    }

    /// The wait; 0 if nothing has happened.
    #[must_use]
    pub fn wait(&self) -> SimDuration {
        self.entry.map_or(SimDuration::ZERO, |entry| entry.wait)
    }

    /// One step, because of an event at `event`.
    pub fn step(&mut self, event: SimTime, now: SimTime) {
        let wait = match self.entry.filter(|entry| !self.is_over(entry, event)) {
            Some(entry) => entry.wait.saturating_add(entry.wait).min(self.max),
            None => self.initial,
        };
        self.entry = Some(Entry { wait, updated: now });
    }

    /// The wait of an event at `event`, unless there is none or it is forgotten.
    fn wait_of(&self, event: SimTime) -> Option<SimDuration> {
        self.entry.filter(|entry| !self.is_over(entry, event)).map(|entry| entry.wait)
    }

    /// Whether less than the wait has passed since an event.
    #[must_use]
    pub fn is_in_backoff_since(&self, event: SimTime, now: SimTime) -> bool {
        self.wait_of(event).is_some_and(|wait| now.saturating_since(event) < wait)
    }

    /// Whether an event came less than the wait after the last step.
    #[must_use]
    pub fn is_in_backoff_since_update(&self, event: SimTime) -> bool {
        let updated = self.entry.map_or(SimTime::ZERO, |entry| entry.updated);
        self.wait_of(event).is_some_and(|wait| event.saturating_since(updated) < wait)
    }

    /// Nothing has happened any more.
    pub const fn reset(&mut self) {
        self.entry = None;
    }

    /// Forgets what is older than twice the longest wait.
    pub fn collect_garbage(&mut self, now: SimTime) {
        let kept = self.max.saturating_add(self.max);
        self.entry = self.entry.filter(|entry| now.saturating_since(entry.updated) <= kept);
    }

    /// Whether anything is remembered.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.entry.is_some()
    }

    fn is_over(&self, entry: &Entry, event: SimTime) -> bool {
        event.saturating_since(entry.updated) > self.reset_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn backoff(initial: u64, max: u64) -> Backoff {
        let [initial, max, reset] = [initial, max, 2 * max].map(SimDuration::from_secs);
        Backoff::new(initial, max, reset)
    }

    #[test]
    fn a_wait_doubles_up_to_the_longest_one_and_is_forgotten_strictly_after_the_reset() {
        let mut waits = backoff(1, 5);
        let mut steps = |at: SimTime| {
            waits.step(at, at);
            waits.wait().as_nanos() / 1_000_000_000
        };
        assert_eq!([1, 2, 3, 4, 5].map(|second| steps(at(second))), [1, 2, 4, 5, 5]);
        assert_eq!([15, 26].map(|second| steps(at(second))), [5, 1]);
    }

    #[test]
    fn an_event_is_in_backoff_for_less_than_the_wait() {
        let mut waits = backoff(4, 8);
        assert!(!waits.is_in_backoff_since(at(0), at(0)));
        waits.step(at(0), at(0));
        assert_eq!([3, 4].map(|second| waits.is_in_backoff_since(at(0), at(second))), [true, false]);
        assert_eq!([3, 4].map(|second| waits.is_in_backoff_since_update(at(second))), [true, false]);
        // What came long after the last step begins anew.
        assert!(!waits.is_in_backoff_since(at(17), at(17)));
        waits.collect_garbage(at(16));
        assert!(waits.is_present());
        waits.collect_garbage(at(17));
        assert!(!waits.is_present());
    }

    proptest! {
        #[test]
        fn no_wait_is_outside_its_bounds(gaps in prop::collection::vec(0_u64..40, 1..50)) {
            let (mut it, mut now) = (backoff(2, 9), 0);
            for gap in gaps {
                now += gap;
                it.step(at(now), at(now));
                prop_assert!((2..=9).contains(&(it.wait().as_nanos() / 1_000_000_000)));
            }
        }
    }
}
