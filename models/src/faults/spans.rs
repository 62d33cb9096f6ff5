//! When something does not work, by what it is.
//!
//! # Models
//! Known from the start: whoever asks tells which one, by number, and the time.

use meshsim_core::SimTime;

/// Spans of time by the number of what they befall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// By number, then by time; those of a number neither meet nor overlap.
    spans: Vec<(u32, SimTime, SimTime)>,
}

impl Spans {
    /// The union of these spans, each with its number, its beginning and its end.
    #[must_use]
    pub fn new(spans: impl IntoIterator<Item = (u32, SimTime, SimTime)>) -> Self {
        let mut spans: Vec<_> = spans.into_iter().filter(|(_, begins, ends)| begins < ends).collect();
        spans.sort_unstable();
        let mut apart: Vec<(u32, SimTime, SimTime)> = Vec::new();
        for (number, begins, ends) in spans {
            match apart.last_mut() {
                Some(last) if last.0 == number && begins <= last.2 => last.2 = last.2.max(ends),
                _ => apart.push((number, begins, ends)),
            }
        }
        Self { spans: apart }
    }

    /// Whether there is none at any time.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether one holds at `now`.
    #[must_use]
    #[inline]
    pub fn hold(&self, number: u32, now: SimTime) -> bool {
        !self.is_empty() && self.over_from(number, now) != now
    }

    /// From when on none holds, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    pub fn over_from(&self, number: u32, now: SimTime) -> SimTime {
        let begun = self.spans.partition_point(|&(of, begins, _)| (of, begins) <= (number, now));
        match self.spans[..begun].last() {
            Some(&(of, _, ends)) if of == number && now < ends => ends,
            _ => now,
        }
    }

    /// All spans of a number, in the order of time.
    pub fn of(&self, number: u32) -> impl Iterator<Item = (SimTime, SimTime)> {
        let first = self.spans.partition_point(|&(of, ..)| of < number);
        self.spans[first..]
            .iter()
            .take_while(move |&&(of, ..)| of == number)
            .map(|&(_, begins, ends)| (begins, ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn spans_that_meet_are_one() {
        let spans = Spans::new([
            (1, at(20), at(30)),
            (0, at(5), SimTime::MAX),
            (1, at(10), at(20)),
            (1, at(40), at(40)),
        ]);
        assert_eq!(spans.of(1).collect::<Vec<_>>(), [(at(10), at(30))]);
        assert_eq!([9, 10, 29, 30].map(|second| spans.hold(1, at(second))), [false, true, true, false]);
        assert_eq!((spans.over_from(0, at(4)), spans.over_from(0, at(6))), (at(4), SimTime::MAX));
        assert!(!spans.hold(2, at(15)) && spans.of(2).next().is_none());
    }
}
