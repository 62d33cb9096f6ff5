//! What a link is like at a time.
//!
//! # Models
//! A link is up, or swallows packets for a while (`faults/link`); it has a rate and a delay, a floor and the mean of
//! a random part. Faults are a time line that is known from the start. Whoever uses a link asks here, with the time;
//! nobody else reads the description's links during a run.
//!
//! # Assumptions
//! Only whether a link is up changes: faults leave rate, delay and loss as they are described.

use crate::faults::link::LinkFault;
use crate::world::description::LinkSpec;
use meshsim_core::{SimDuration, SimTime};

/// A link at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkState {
    /// Whether packets come over it.
    pub is_up: bool,
    /// One way, without queueing and without the random part.
    pub delay: SimDuration,
    /// Mean of the random part, one way.
    pub jitter: SimDuration,
    /// Rate of each direction (bit/s).
    pub bits_per_second: f64,
}

/// All links at all times.
#[derive(Clone, Debug)]
pub struct LinkStates {
    /// Where no fault holds.
    sound: Vec<LinkState>,
    /// By link, then by time: when it goes down and when it is up again; they neither meet nor overlap.
    outages: Vec<(u32, SimTime, SimTime)>,
}

impl LinkStates {
    /// These links under these faults.
    #[must_use]
    pub fn new(links: &[LinkSpec], faults: &[LinkFault]) -> Self {
        let sound = |it: &LinkSpec| LinkState {
            is_up: true,
            delay: it.round_trip / 2,
            jitter: it.jitter,
            bits_per_second: it.bits_per_second,
        };
        let of = |it: &LinkFault| (it.link, it.begins, it.ends.unwrap_or(SimTime::MAX));
        let mut faults: Vec<_> = faults.iter().map(of).filter(|(_, begins, ends)| begins < ends).collect();
        faults.sort_unstable();
        let mut outages: Vec<(u32, SimTime, SimTime)> = Vec::new();
        for (link, begins, ends) in faults {
            match outages.last_mut() {
                Some(last) if last.0 == link && begins <= last.2 => last.2 = last.2.max(ends),
                _ => outages.push((link, begins, ends)),
            }
        }
        Self { sound: links.iter().map(sound).collect(), outages }
    }

    /// A link at `now`.
    #[must_use]
    #[inline]
    pub fn at(&self, link: u32, now: SimTime) -> LinkState {
        LinkState { is_up: self.is_up(link, now), ..self.sound[link as usize] }
    }

    /// Whether packets come over a link at `now`.
    #[must_use]
    #[inline]
    pub fn is_up(&self, link: u32, now: SimTime) -> bool {
        self.outages.is_empty() || self.up_from(link, now) == now
    }

    /// From when on packets come over a link, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    pub fn up_from(&self, link: u32, now: SimTime) -> SimTime {
        let after = self.outages.partition_point(|&(of, begins, _)| (of, begins) <= (link, now));
        match self.outages[..after].last() {
            Some(&(of, _, ends)) if of == link && now < ends => ends,
            _ => now,
        }
    }

    /// Whether no link is ever down.
    #[must_use]
    #[inline]
    pub fn are_always_up(&self) -> bool {
        self.outages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClusterId;
    use meshsim_core::random::{Address, bernoulli, uniform_index};

    fn links(count: u32) -> Vec<LinkSpec> {
        let link = |number: u32| LinkSpec {
            name: number.to_string(),
            between: [ClusterId(number), ClusterId(number + 1)],
            round_trip: SimDuration::from_millis(20),
            jitter: SimDuration::from_millis(1),
            bits_per_second: 1e9,
            mtu: 1500,
            tunnel_overhead: 0,
            loss: 0.0,
        };
        (0..count).map(link).collect()
    }

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn faults_of_a_link_may_follow_each_other() {
        let fault =
            |link, begins, ends: Option<u64>| LinkFault { link, begins: at(begins), ends: ends.map(at) };
        let states =
            LinkStates::new(&links(2), &[fault(0, 20, Some(30)), fault(0, 10, Some(20)), fault(1, 5, None)]);
        assert_eq!([9, 10, 20, 30].map(|s| states.at(0, at(s)).is_up), [true, false, false, true]);
        assert_eq!([9, 10, 25, 30].map(|s| states.up_from(0, at(s))), [9, 30, 30, 30].map(at));
        assert_eq!(states.up_from(1, at(6)), SimTime::MAX);
        let state = states.at(0, at(9));
        assert_eq!((state.delay, state.jitter), (SimDuration::from_millis(10), SimDuration::from_millis(1)));
    }

    #[test]
    fn a_link_is_down_while_one_of_its_faults_holds() {
        for seed in 0..200 {
            let mut rng = Address::root(seed, 0).draw(0);
            let faults: Vec<LinkFault> = (0..uniform_index(&mut rng, 8))
                .map(|_| {
                    let begins = uniform_index(&mut rng, 12) as u64;
                    let ends = begins + uniform_index(&mut rng, 6) as u64;
                    let ends = bernoulli(&mut rng, 0.9).then_some(at(ends));
                    LinkFault { link: uniform_index(&mut rng, 3) as u32, begins: at(begins), ends }
                })
                .collect();
            let states = LinkStates::new(&links(3), &faults);
            for (link, second) in (0..3).flat_map(|link| (0..20).map(move |second| (link, second))) {
                let is_down = |now| faults.iter().any(|it| it.link == link && it.is_on(now));
                assert_eq!(states.is_up(link, at(second)), !is_down(at(second)), "seed {seed}");
                let next_up = (second..40).map(at).find(|&now| !is_down(now)).unwrap_or(SimTime::MAX);
                assert_eq!(states.up_from(link, at(second)), next_up, "seed {seed}");
            }
            assert_eq!(states.are_always_up(), states.outages.is_empty());
        }
    }
}
