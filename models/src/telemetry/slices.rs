//! A run in slices of time, of which one begins where the warm-up ends.
//!
//! # Models
//! All slices are a two-hundredth of the run long, but the first and the last, which are what is left at
//! the ends: so what is counted per slice can be summed up from the end of the warm-up on, to the nanosecond.

use meshsim_core::{SimDuration, SimTime};
use std::ops::Range;

/// Slices of a run, more or less.
const SLICES: u64 = 200;

/// Which slice a moment is in.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    /// Length of a slice (ns).
    width: u64,
    /// How much the first one is shorter (ns).
    missing: u64,
    count: usize,
}

impl Slices {
    /// Of a run that ends at `end`, with a border at `cut`.
    #[must_use]
    pub fn new(end: SimTime, cut: SimTime) -> Self {
        Self::of_width(SimDuration::from_nanos((end.as_nanos() / SLICES).max(1)), end, cut)
    }

    /// Slices of a length.
    pub(super) fn of_width(width: SimDuration, end: SimTime, cut: SimTime) -> Self {
        let width = width.as_nanos();
        let missing = (width - cut.as_nanos() % width) % width;
        let count = (end.as_nanos() + missing).div_ceil(width).max(1) as usize;
        Self { width, missing, count }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The slice that a moment is in; what comes after the end is in the last.
    #[must_use]
    pub fn of(&self, time: SimTime) -> usize {
        (((time.as_nanos() + self.missing) / self.width) as usize).min(self.count - 1)
    }

    /// When a slice begins, and when the next one does; after the last one nothing follows.
    #[must_use]
    pub fn span(&self, slice: usize) -> Range<SimTime> {
        let border = |slice: usize| (slice as u64 * self.width).saturating_sub(self.missing);
        let ends = if slice + 1 < self.count { border(slice + 1) } else { u64::MAX };
        SimTime::from_nanos(border(slice))..SimTime::from_nanos(ends)
    }

    /// The first slice that begins at `time` or later.
    #[must_use]
    pub fn first_from(&self, time: SimTime) -> usize {
        // The first slice begins at zero, shorter or not.
        if time == SimTime::ZERO {
            return 0;
        }
        ((time.as_nanos() + self.missing).div_ceil(self.width) as usize).min(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    #[test]
    fn a_moment_lies_in_the_span_of_its_slice() {
        for (end, cut) in [(1_000, 0), (1_000, 7), (1_003, 999), (50, 3)] {
            let slices = Slices::new(at(end), at(cut));
            for nanos in 0..end {
                let span = slices.span(slices.of(at(nanos)));
                assert!(span.contains(&at(nanos)), "{nanos} of {end}, cut at {cut}: {span:?}");
            }
        }
    }

    #[test]
    fn the_first_slice_is_what_the_others_leave() {
        let slices = Slices::of_width(SimDuration::from_nanos(10), at(45), at(13));
        // 0 to 3, 3 to 13, 13 to 23, 23 to 33, 33 to 43, 43 to 45.
        assert_eq!(slices.count(), 6);
        assert_eq!(
            [0, 2, 3, 12, 13, 42, 43, 45, 99].map(|it| slices.of(at(it))),
            [0, 0, 1, 1, 2, 4, 5, 5, 5]
        );
        assert_eq!([0, 1, 3, 4, 13, 14, 45].map(|it| slices.first_from(at(it))), [0, 1, 1, 2, 2, 3, 6]);
    }

    proptest! {
        #[test]
        fn a_slice_begins_at_the_cut(end in 1..10_000_000_000_u64, share in 0.0..1.0_f64, other in 0.0..1.0_f64) {
            let (cut, time) = (at((end as f64 * share) as u64), at((end as f64 * other) as u64));
            let slices = Slices::new(at(end), cut);
            prop_assert!(slices.count() <= 402);
            prop_assert_eq!(slices.of(time) >= slices.first_from(cut), time >= cut);
        }
    }
}
