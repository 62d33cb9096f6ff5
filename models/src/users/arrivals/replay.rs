//! Arrivals as they were recorded.

use meshsim_core::{SimDuration, SimTime};
use std::sync::Arc;

/// Recorded arrivals, shared by all who replay them.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// In ascending order.
    times: Arc<[SimTime]>,
    /// After how long everything comes again; absent: never.
    every: Option<SimDuration>,
}

/// Rates are counted over a window of this length.
const WINDOW: SimDuration = SimDuration::from_secs(60);

impl Replay {
    /// Arrivals at these times from the start of the run, in ascending order, once.
    ///
    /// # Panics
    /// If a time is before the one that precedes it.
    #[must_use]
    pub fn once(times: Arc<[SimTime]>) -> Self {
        assert!(times.is_sorted(), "recorded arrivals are in ascending order");
        Self { times, every: None }
    }

    /// The same again and again: a round begins a mean gap after the last arrival of the one before.
    /// Nothing if there are no two different times.
    #[must_use]
    pub fn repeated(self) -> Option<Self> {
        let (first, last) = (*self.times.first()?, *self.times.last()?);
        let span = last - first;
        let gaps = self.times.len() as u64 - 1;
        if span.as_nanos() == 0 {
            return None;
        }
        let every = span + SimDuration::from_nanos((span.as_nanos() / gaps).max(1));
        Some(Self { every: Some(every), ..self })
    }

    /// When request `number` comes; nothing if there are not so many.
    #[must_use]
    pub fn time_of(&self, number: u64) -> Option<SimTime> {
        if let Some(&time) = usize::try_from(number).ok().and_then(|index| self.times.get(index)) {
            return Some(time);
        }
        let (every, count) = (self.every?.as_nanos(), self.times.len() as u64);
        let shift = every.checked_mul(number / count)?;
        let time = self.times[(number % count) as usize].as_nanos().checked_add(shift)?;
        Some(SimTime::from_nanos(time))
    }

    /// How many come before `end`.
    #[must_use]
    pub fn count_before(&self, end: SimTime) -> u64 {
        let in_round = |end: SimTime| self.times.partition_point(|&time| time < end) as u64;
        let (Some(every), Some(&first)) = (self.every, self.times.first()) else { return in_round(end) };
        let rounds = end.saturating_since(first).as_nanos() / every.as_nanos();
        let shift = SimDuration::from_nanos(every.as_nanos() * rounds);
        rounds * self.times.len() as u64
            + in_round(SimTime::ZERO + (end - SimTime::ZERO).saturating_sub(shift))
    }

    /// Requests per second in the minute that begins at a moment.
    pub(super) fn rate_around(&self, at: SimTime) -> f64 {
        let count = self.count_before(at.saturating_add(WINDOW)) - self.count_before(at);
        count as f64 / WINDOW.as_secs_f64()
    }

    /// The beginnings of the minutes of the first round.
    pub(super) fn turning_points(&self, end: SimTime) -> Vec<SimTime> {
        let last = self.times.last().map_or(SimTime::ZERO, |&last| last.min(end));
        let minutes = (last.as_nanos() / WINDOW.as_nanos()).min(MOST_MINUTES);
        (0..=minutes).map(|minute| SimTime::ZERO + WINDOW * minute).collect()
    }
}

/// A year.
const MOST_MINUTES: u64 = 366 * 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    fn recorded() -> Replay {
        Replay::once([10, 20, 20, 70].map(at).into())
    }

    #[test]
    fn a_recording_ends_or_begins_anew() {
        let once = recorded();
        assert_eq!([0, 3, 4].map(|k| once.time_of(k)), [Some(at(10)), Some(at(70)), None]);
        assert_eq!([10, 11, 20, 1_000].map(|ms| once.count_before(at(ms))), [0, 1, 1, 4]);
        // 60 ms and a mean gap of 20.
        let again = recorded().repeated().unwrap();
        assert_eq!([3, 4, 5, 8].map(|k| again.time_of(k).unwrap()), [70, 90, 100, 170].map(at));
        assert_eq!([70, 71, 90, 91, 101, 171].map(|ms| again.count_before(at(ms))), [3, 4, 4, 5, 7, 9]);
    }

    #[test]
    fn one_moment_cannot_be_repeated() {
        assert_eq!(Replay::once([5, 5].map(at).into()).repeated(), None);
        assert_eq!(Replay::once([].into()).repeated(), None);
        assert_eq!(Replay::once([].into()).time_of(0), None);
    }
}
