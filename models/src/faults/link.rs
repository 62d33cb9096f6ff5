//! Links that swallow packets for a while.
//!
//! # Models
//! Nothing comes over such a link in either direction, and nothing is refused: what crosses it waits, as at a
//! pod that swallows packets (`call/blackhole`). No other way is taken instead. What control planes tell each
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
    /// The link, by its place in the description.
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

/// Whether a link swallows packets at `now`.
#[must_use]
pub fn is_cut(faults: &[LinkFault], link: u32, now: SimTime) -> bool {
    faults.iter().any(|fault| fault.link == link && fault.is_on(now))
}

/// When a link that is cut at `now` no longer is; never is [`SimTime::MAX`].
#[must_use]
pub fn ends(faults: &[LinkFault], link: u32, now: SimTime) -> SimTime {
    let mut at = now;
    while let Some(fault) = faults.iter().find(|fault| fault.link == link && fault.is_on(at)) {
        match fault.ends {
            Some(ends) => at = ends,
            None => return SimTime::MAX,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    #[test]
    fn faults_of_a_link_may_follow_each_other() {
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        let fault =
            |link, begins, ends: Option<u64>| LinkFault { link, begins: at(begins), ends: ends.map(at) };
        let faults = [fault(0, 10, Some(20)), fault(0, 20, Some(30)), fault(1, 5, None)];
        assert_eq!([9, 10, 20, 30].map(|s| is_cut(&faults, 0, at(s))), [false, true, true, false]);
        assert_eq!([9, 10, 25, 30].map(|s| ends(&faults, 0, at(s))), [9, 30, 30, 30].map(at));
        assert_eq!(ends(&faults, 1, at(6)), SimTime::MAX);
    }
}
