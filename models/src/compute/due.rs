//! What is due when, and which event tells: an event that was scheduled stays, and is looked at when it comes.
//!
//! # Models
//! What is due moves more often than it comes. Later, it costs nothing: the event that comes first finds that it
//! is early and goes on to the time that is right by then. Only what is due earlier than all events that are under
//! way takes a new one, and the one that it overtook finds later that nobody waits for it.

use meshsim_core::SimTime;

/// A moment that moves, and the event that is to come then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    at: SimTime,
    /// The first event that is under way.
    event_at: SimTime,
}

/// What an event comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// It is due now.
    Due,
    /// It is due later, when another event is to be scheduled.
    Early(SimTime),
    /// Nothing: it was due earlier, or is not due at all.
    Overtaken,
}

impl Due {
    /// Never, and no event is under way.
    pub(super) const NEVER: Self = Self { at: SimTime::MAX, event_at: SimTime::MAX };

    /// It is due at `at` from now on: tells whether an event is to be scheduled then.
    #[inline]
    #[must_use]
    pub(super) fn set(&mut self, at: SimTime) -> bool {
        self.at = at;
        let is_first = at < self.event_at;
        if is_first {
            self.event_at = at;
        }
        is_first
    }

    /// It is not due any more.
    #[inline]
    pub(super) const fn clear(&mut self) {
        self.at = SimTime::MAX;
    }

    /// An event comes: tells what it comes for, and when another one is to be scheduled.
    #[inline]
    pub(super) fn event_comes(&mut self, now: SimTime) -> Comes {
        if self.event_at != now {
            return Comes::Overtaken;
        }
        self.event_at = SimTime::MAX;
        let at = self.at;
        if at == now {
            self.at = SimTime::MAX;
            return Comes::Due;
        }
        if self.set(at) { Comes::Early(at) } else { Comes::Overtaken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It comes when it is due, once, wherever it is moved meanwhile, and no event is in the past.
        #[test]
        fn it_comes_when_it_is_due(steps in prop::collection::vec((0..6_u64, 0..12_u64, any::<bool>()), 1..80)) {
            let (mut due, mut events, mut now, mut expected) = (Due::NEVER, Vec::new(), 0, None);
            for (gap, delay, is_off) in steps {
                for _ in 0..gap {
                    let mut comes = 0;
                    while let Some(index) = events.iter().position(|&it| it == now) {
                        events.swap_remove(index);
                        match due.event_comes(SimTime::from_nanos(now)) {
                            Comes::Due => comes += 1,
                            Comes::Early(at) => events.push(at.as_nanos()),
                            Comes::Overtaken => {}
                        }
                    }
                    let is_expected = expected == Some(now);
                    prop_assert_eq!(comes, i32::from(is_expected));
                    expected = expected.filter(|_| !is_expected);
                    now += 1;
                }
                if is_off {
                    due.clear();
                    expected = None;
                } else {
                    expected = Some(now + delay);
                    if due.set(SimTime::from_nanos(now + delay)) {
                        events.push(now + delay);
                    }
                }
                prop_assert!(events.iter().all(|&it| it >= now));
            }
        }
    }
}
