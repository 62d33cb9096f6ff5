//! When istiod begins a push: changes are merged until it has been quiet for a while.
//!
//! # Models
//! - A push begins when no change has come for `after`, or when `max` is over since the first change that waits.
//!   Both are looked at only when a timer fires: one is set with the first change, `after` ahead, and again for the
//!   rest of the quiet time whenever it has fired too early. So a push may come up to `after` later than `max`.
//! - While a push is prepared none other begins; when it is, what waits is looked at at once.
//! - A merged push is incremental only if every change of it is of endpoints.
//! - Without debouncing of endpoints each change of endpoints alone is a push of its own, at once, beside all others.
//!
//! # Source
//! istio/istio (August 2026; the same since 1.20) `pilot/pkg/xds/discovery.go`, `debounce`;
//! `pilot/pkg/features/tuning.go` (`PILOT_DEBOUNCE_AFTER`, `PILOT_DEBOUNCE_MAX`, `PILOT_ENABLE_EDS_DEBOUNCE`).

use super::push_kind::PushKind;
use meshsim_core::{SimDuration, SimTime};

/// How long istiod waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebounceSettings {
    /// How long it must be quiet.
    pub after: SimDuration,
    /// How long a change waits at most.
    pub max: SimDuration,
    /// Whether changes of endpoints wait, too.
    pub endpoints: bool,
}

/// A push begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// What it sends.
    pub kind: PushKind,
    /// How many changes it has.
    pub changes: u32,
    /// When the first of them came.
    pub since: SimTime,
}

/// What waits in one istiod.
#[derive(Clone, Debug)]
pub struct Debounce {
    settings: DebounceSettings,
    /// What waits.
    waiting: Option<Push>,
    /// When the last change came.
    last: SimTime,
    timer: Option<SimTime>,
    /// Whether a push is being prepared.
    prepares: bool,
}

impl Default for DebounceSettings {
    fn default() -> Self {
        Self { after: SimDuration::from_millis(100), max: SimDuration::from_secs(10), endpoints: true }
    }
}

impl Debounce {
    /// Nothing waits.
    #[must_use]
    pub const fn new(settings: DebounceSettings) -> Self {
        Self { settings, waiting: None, last: SimTime::ZERO, timer: None, prepares: false }
    }

    /// Something has changed; of endpoints alone is [`PushKind::Incremental`]. A push that it begins at once is not one
    /// for which others wait, and [`Self::is_prepared`] is not told of it.
    pub fn changes(&mut self, kind: PushKind, now: SimTime) -> Option<Push> {
        if kind == PushKind::Incremental && !self.settings.endpoints {
            return Some(Push { kind, changes: 1, since: now });
        }
        self.last = now;
        match &mut self.waiting {
            Some(push) => {
                push.changes += 1;
                push.kind = push.kind.max(kind);
            }
            none => {
                *none = Some(Push { kind, changes: 1, since: now });
                self.timer = Some(now.saturating_add(self.settings.after));
            }
        }
        None
    }

    /// When [`Self::timer_fires`] is due.
    #[must_use]
    pub const fn timer(&self) -> Option<SimTime> {
        self.timer
    }

    /// The timer fires: a push begins, or none.
    pub fn timer_fires(&mut self, now: SimTime) -> Option<Push> {
        self.timer = None;
        if self.prepares { None } else { self.begins(now) }
    }

    /// The push that began is prepared: the next one begins, or none.
    pub fn is_prepared(&mut self, now: SimTime) -> Option<Push> {
        self.prepares = false;
        self.begins(now)
    }

    fn begins(&mut self, now: SimTime) -> Option<Push> {
        let push = self.waiting?;
        let quiet = now.saturating_since(self.last);
        if quiet < self.settings.after && now.saturating_since(push.since) < self.settings.max {
            self.timer = Some(now.saturating_add(self.settings.after.saturating_sub(quiet)));
            return None;
        }
        self.prepares = true;
        self.waiting.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    /// The pushes of changes of endpoints at these moments (ms), each prepared after `preparing`.
    fn pushes(settings: DebounceSettings, changes: &[u64], preparing: u64) -> Vec<(SimTime, Push)> {
        let mut debounce = Debounce::new(settings);
        let mut changes = changes.iter().map(|&millis| at(millis)).peekable();
        let (mut prepared, mut begun) = (None, Vec::new());
        loop {
            let moments = [changes.peek().copied(), debounce.timer(), prepared];
            let Some(now) = moments.into_iter().flatten().min() else { return begun };
            let push = if changes.peek() == Some(&now) {
                changes.next();
                debounce.changes(PushKind::Incremental, now)
            } else if debounce.timer() == Some(now) {
                debounce.timer_fires(now)
            } else {
                prepared = None;
                debounce.is_prepared(now)
            };
            if let Some(push) = push {
                begun.push((now, push));
                prepared = Some(now + SimDuration::from_millis(preparing));
            }
        }
    }

    #[test]
    fn the_maximum_is_looked_at_only_when_a_timer_fires() {
        // Changes every 99 ms: timers fire 100 ms after the first, then 1 ms less quiet each time.
        let changes: Vec<u64> = (0..200).map(|n| n * 99).collect();
        let begun = pushes(DebounceSettings::default(), &changes, 0);
        let first = begun[0].0;
        assert!(first >= at(10_000) && first < at(10_100), "{first:?}");
    }

    #[test]
    fn what_came_while_a_push_was_prepared_goes_when_it_is() {
        let begun = pushes(DebounceSettings::default(), &[0, 150], 500);
        assert_eq!(begun.iter().map(|(now, _)| *now).collect::<Vec<_>>(), [at(100), at(600)]);
    }

    #[test]
    fn one_change_of_configuration_makes_all_of_it_full() {
        let mut debounce = Debounce::new(DebounceSettings::default());
        for kind in [PushKind::Incremental, PushKind::Full, PushKind::Incremental] {
            assert_eq!(debounce.changes(kind, at(0)), None);
        }
        let push = Push { kind: PushKind::Full, changes: 3, since: at(0) };
        assert_eq!(debounce.timer_fires(at(100)), Some(push));
    }

    #[test]
    fn endpoints_that_do_not_wait_go_beside_all_others() {
        let settings = DebounceSettings { endpoints: false, ..DebounceSettings::default() };
        let mut debounce = Debounce::new(settings);
        assert!(debounce.changes(PushKind::Full, at(0)).is_none());
        let alone = Push { kind: PushKind::Incremental, changes: 1, since: at(10) };
        assert_eq!(debounce.changes(PushKind::Incremental, at(10)), Some(alone));
        assert_eq!(debounce.timer(), Some(at(100)));
    }

    proptest! {
        /// Every change is in exactly one push, none waits longer than the two settings together and the
        /// preparation, and none is pushed before it has been quiet or the maximum is over.
        #[test]
        fn each_change_is_pushed_once_and_in_time(
            gaps in prop::collection::vec(1_u64..400, 1..80),
            preparing in 0_u64..700,
        ) {
            let settings = DebounceSettings { max: SimDuration::from_secs(1), ..DebounceSettings::default() };
            let changes: Vec<u64> = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(*sum) }).collect();
            let begun = pushes(settings, &changes, preparing);
            let pushed: u32 = begun.iter().map(|(_, push)| push.changes).sum();
            prop_assert_eq!(pushed as usize, changes.len());
            let mut left = &changes[..];
            for (now, push) in &begun {
                let (merged, others) = left.split_at(push.changes as usize);
                left = others;
                prop_assert_eq!(push.since, at(merged[0]));
                let waited = *now - push.since;
                let quiet = *now - at(*merged.last().unwrap());
                prop_assert!(quiet >= settings.after || waited >= settings.max);
                let most = settings.max + settings.after + SimDuration::from_millis(preparing);
                prop_assert!(waited <= most);
            }
        }
    }
}
