//! Links that swallow packets for a while.
//!
//! # Models
//! Nothing comes over such a link in either direction, and nothing is refused: what crosses it waits, as at a
//! pod that swallows packets (`cluster/outbound/blackhole`). No other way is taken instead. What control planes tell each
//! other waits too, so proxies keep what they knew; it comes when TCP's next try passes, or at the end of the
//! fault if TCP has given up before.
//!
//! # Assumptions
//! A way over several links is cut as a whole from the moment at which one of them is: what is on its way on
//! the others arrives.

use meshsim_core::SimTime;

/// A link that swallows packets, in plain values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFault {
    /// The link, by its number in the description.
    pub link: u32,
    /// When it begins, from the start of the run, warm-up included.
    pub begins: SimTime,
    /// When it ends; absent: never.
    pub ends: Option<SimTime>,
}

impl LinkFault {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_on(&self, now: SimTime) -> bool {
        self.begins <= now && self.ends.is_none_or(|ends| now < ends)
    }
}
