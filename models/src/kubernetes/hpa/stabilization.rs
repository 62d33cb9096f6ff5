//! What was proposed lately holds a change back: `stabilizationWindowSeconds`.
//!
//! # Models
//! Without a behavior: the highest recommendation that is at most one window old, this one included.
//! With one: the current number, raised to the lowest recommendation of the window for scaling up and
//! lowered to the highest of the window for scaling down, where a recommendation that is exactly one
//! window old counts no more. Recommendations are remembered as they came, before any limit; one that
//! no window reaches gives its place to the newest.
//! The first sync of an autoscaler recommends the replicas that it finds, so that nothing is scaled
//! down before a window has passed.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`, `stabilizeRecommendation`,
//! `stabilizeRecommendationWithBehaviors`, `recordInitialRecommendation`.

use meshsim_core::{SimDuration, SimTime};

/// What the metrics asked for at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Replicas.
    pub replicas: u32,
    /// When.
    pub at: SimTime,
}

/// What the metrics of an autoscaler asked for lately.
#[derive(Clone, Debug, Default)]
pub struct Recommendations {
    /// Whether there was a sync.
    begun: bool,
    list: Vec<Recommendation>,
}

/// The windows of a behavior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// For scaling up.
    pub up: SimDuration,
    /// For scaling down.
    pub down: SimDuration,
}

impl Recommendations {
    /// Those of an autoscaler that already runs.
    #[must_use]
    pub fn of(list: Vec<Recommendation>) -> Self {
        Self { begun: true, list }
    }

    /// A sync begins with so many replicas.
    pub fn begin(&mut self, current: u32, now: SimTime) {
        if !self.begun {
            self.begun = true;
            self.list.push(Recommendation { replicas: current, at: now });
        }
    }

    /// Remembers a recommendation and returns the highest of a window, where there is no behavior.
    pub fn highest(&mut self, desired: u32, window: SimDuration, now: SimTime) -> u32 {
        let is_old = |age: SimDuration| age > window;
        let recent = self.list.iter().filter(|it| !is_old(now.saturating_since(it.at)));
        let highest = recent.map(|it| it.replicas).fold(desired, u32::max);
        self.remember(desired, now, is_old);
        highest
    }

    /// Remembers a recommendation and returns what the windows of a behavior make of it.
    pub fn stabilized(&mut self, current: u32, desired: u32, windows: Windows, now: SimTime) -> u32 {
        let (mut lowest, mut highest) = (desired, desired);
        for it in &self.list {
            let age = now.saturating_since(it.at);
            if age < windows.up {
                lowest = lowest.min(it.replicas);
            }
            if age < windows.down {
                highest = highest.max(it.replicas);
            }
        }
        self.remember(desired, now, |age| age > windows.up && age > windows.down);
        current.max(lowest).min(highest)
    }

    fn remember(&mut self, replicas: u32, now: SimTime, is_old: impl Fn(SimDuration) -> bool) {
        let newest = Recommendation { replicas, at: now };
        match self.list.iter().rposition(|it| is_old(now.saturating_since(it.at))) {
            Some(old) => self.list[old] = newest,
            None => self.list.push(newest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: SimDuration = SimDuration::from_secs(300);

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(secs)
    }

    fn begun(current: u32) -> Recommendations {
        let mut recommendations = Recommendations::default();
        recommendations.begin(current, at(0));
        recommendations
    }

    #[test]
    fn the_first_replicas_hold_for_a_window_whose_edge_counts_without_a_behavior() {
        let mut without = begun(10);
        assert_eq!([0, 300, 301].map(|secs| without.highest(4, WINDOW, at(secs))), [10, 10, 4]);
        let (mut with, windows) = (begun(10), Windows { up: SimDuration::ZERO, down: WINDOW });
        assert_eq!([0, 299, 300].map(|secs| with.stabilized(10, 4, windows, at(secs))), [10, 10, 4]);
    }

    #[test]
    fn up_takes_the_lowest_and_down_the_highest_of_its_window() {
        let list = vec![
            Recommendation { replicas: 4, at: at(1_000) },
            Recommendation { replicas: 5, at: at(1_060) },
        ];
        let both = Windows { up: WINDOW, down: WINDOW };
        let made_of = |current, desired| {
            Recommendations::of(list.clone()).stabilized(current, desired, both, at(1_120))
        };
        assert_eq!([made_of(1, 7), made_of(100, 3), made_of(4, 9), made_of(6, 3)], [4, 5, 4, 5]);
    }

    #[test]
    fn only_the_first_sync_recommends_what_it_finds() {
        let mut recommendations = begun(3);
        recommendations.begin(9, at(15));
        assert_eq!(recommendations.highest(1, WINDOW, at(15)), 3);
        let mut running = Recommendations::of(Vec::new());
        running.begin(9, at(15));
        assert_eq!(running.highest(1, WINDOW, at(15)), 1);
    }

    #[test]
    fn memory_does_not_grow_beyond_a_window() {
        let mut recommendations = begun(3);
        for sync in 0..1_000 {
            recommendations.highest(3, WINDOW, at(15 * sync));
        }
        assert!(recommendations.list.len() <= 22, "{}", recommendations.list.len());
    }
}
