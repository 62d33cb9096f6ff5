//! What a link is like at a time, and one way.
//!
//! # Models
//! A link has a rate and a delay, a floor and the mean of a random part, and loses a share of the segments. Faults
//! stop it or make it worse for a while, perhaps one way only (`faults/link`); they are a time line that is known
//! from the start. Whoever uses a link asks here, with the time and where it leads; nobody else reads the
//! description's links during a run.

use crate::faults::link::{Degradation, LinkFault, LinkFaultKind};
use crate::faults::spans::Spans;
use crate::ids::ClusterId;
use crate::world::description::LinkSpec;
use meshsim_core::{SimDuration, SimTime};

/// One direction of a link at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkState {
    /// Whether packets come over it.
    pub is_up: bool,
    /// One way, without queueing and without the random part.
    pub delay: SimDuration,
    /// Mean of the random part, one way.
    pub jitter: SimDuration,
    /// Its rate (bit/s).
    pub bits_per_second: f64,
    /// Probability that a segment is lost.
    pub loss: f64,
}

/// All links at all times.
#[derive(Clone, Debug)]
pub struct LinkStates {
    /// Where no fault holds.
    sound: Vec<LinkState>,
    /// The second end of each link: it tells the directions apart.
    ends: Vec<ClusterId>,
    /// By direction, two for each link: when nothing comes over it.
    outages: Spans,
    /// Likewise: when new connections are refused.
    refusals: Spans,
    /// By direction, then by time: what it is like instead while packets come over it; they do not overlap.
    worse: Vec<(Span, LinkState)>,
}

/// A direction, and from when to when.
type Span = (u32, SimTime, SimTime);

impl LinkStates {
    /// These links under these faults.
    #[must_use]
    pub fn new(links: &[LinkSpec], faults: &[LinkFault]) -> Self {
        let sound = |it: &LinkSpec| LinkState {
            is_up: true,
            delay: it.round_trip / 2,
            jitter: it.jitter,
            bits_per_second: it.bits_per_second,
            loss: it.loss,
        };
        let mut states = Self {
            sound: links.iter().map(sound).collect(),
            ends: links.iter().map(|it| it.between[1]).collect(),
            outages: Spans::default(),
            refusals: Spans::default(),
            worse: Vec::new(),
        };
        let spans = |which: fn(&LinkFault) -> bool| {
            let of = |it: LinkFault| states.directions(&it).map(move |on| span(on, &it));
            Spans::new(faults.iter().copied().filter(which).flat_map(of))
        };
        let outages = spans(LinkFault::cuts);
        let refusals = spans(|it| it.kind == LinkFaultKind::Down);
        let worse = states.pieces(faults);
        (states.outages, states.refusals, states.worse) = (outages, refusals, worse);
        states
    }

    /// A link at `now`, on the way to the end of it that is `toward`.
    #[must_use]
    #[inline]
    pub fn at(&self, link: u32, toward: ClusterId, now: SimTime) -> LinkState {
        let sound = self.sound[link as usize];
        if self.are_always_sound() {
            sound
        } else {
            self.with_faults(sound, self.direction(link, toward), now)
        }
    }

    /// Whether packets come over a link at `now`, on the way to `toward`.
    #[must_use]
    #[inline]
    pub fn is_up(&self, link: u32, toward: ClusterId, now: SimTime) -> bool {
        self.outages.is_empty() || !self.outages.hold(self.direction(link, toward), now)
    }

    /// From when on packets come over a link, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    pub fn up_from(&self, link: u32, toward: ClusterId, now: SimTime) -> SimTime {
        self.outages.over_from(self.direction(link, toward), now)
    }

    /// Whether new connections over a link are refused at `now`.
    #[must_use]
    #[inline]
    pub fn is_refusing(&self, link: u32, toward: ClusterId, now: SimTime) -> bool {
        !self.refusals.is_empty() && self.refusals.hold(self.direction(link, toward), now)
    }

    /// Whether no link is ever down.
    #[must_use]
    #[inline]
    pub fn are_always_up(&self) -> bool {
        self.outages.is_empty()
    }

    /// Whether the delay, loss and rate of no link ever change.
    #[must_use]
    #[inline]
    pub fn are_never_worse(&self) -> bool {
        self.worse.is_empty()
    }

    #[inline]
    fn are_always_sound(&self) -> bool {
        self.are_always_up() && self.are_never_worse()
    }

    #[cold]
    fn with_faults(&self, sound: LinkState, direction: u32, now: SimTime) -> LinkState {
        let begun = self.worse.partition_point(|&((on, begins, _), _)| (on, begins) <= (direction, now));
        let piece = self.worse[..begun].last().filter(|&&((on, _, ends), _)| on == direction && now < ends);
        let is_up = !self.outages.hold(direction, now);
        LinkState { is_up, ..piece.map_or(sound, |(_, state)| *state) }
    }

    #[inline]
    fn direction(&self, link: u32, toward: ClusterId) -> u32 {
        link * 2 + u32::from(self.ends[link as usize] == toward)
    }

    /// Those that a fault befalls.
    fn directions(&self, fault: &LinkFault) -> impl Iterator<Item = u32> + use<> {
        let both = [0, 1].map(|side| fault.link * 2 + side);
        let only = fault.toward.map(|toward| self.direction(fault.link, toward));
        both.into_iter().filter(move |&it| only.is_none_or(|only| only == it))
    }

    /// What directions are like while some of these faults make them worse.
    fn pieces(&self, faults: &[LinkFault]) -> Vec<(Span, LinkState)> {
        let worse = |it: &LinkFault| match it.kind {
            LinkFaultKind::Degraded(by) => Some((*it, by)),
            LinkFaultKind::Blackhole | LinkFaultKind::Down => None,
        };
        let spans =
            |(it, by): (LinkFault, Degradation)| self.directions(&it).map(move |on| (span(on, &it), by));
        let mut all: Vec<(Span, Degradation)> = faults.iter().filter_map(worse).flat_map(spans).collect();
        all.sort_by_key(|&(span, _)| span);
        let mut pieces = Vec::new();
        for of_direction in all.chunk_by(|((a, ..), _), ((b, ..), _)| a == b) {
            let ((on, ..), _) = of_direction[0];
            let mut moments: Vec<SimTime> =
                of_direction.iter().flat_map(|&((_, begins, ends), _)| [begins, ends]).collect();
            moments.sort_unstable();
            moments.dedup();
            for two in moments.windows(2) {
                let mut state = self.sound[on as usize / 2];
                let holds = |(_, begins, ends): Span| begins <= two[0] && two[0] < ends;
                for (_, by) in of_direction.iter().filter(|(span, _)| holds(*span)) {
                    state.delay = state.delay.saturating_add(by.delay);
                    state.loss = 1.0 - (1.0 - state.loss) * (1.0 - by.loss);
                    state.bits_per_second = by
                        .bits_per_second
                        .map_or(state.bits_per_second, |rate| state.bits_per_second.min(rate));
                }
                if state != self.sound[on as usize / 2] {
                    pieces.push(((on, two[0], two[1]), state));
                }
            }
        }
        pieces
    }
}

fn span(on: u32, fault: &LinkFault) -> Span {
    (on, fault.begins, fault.ends_at())
}

#[cfg(test)]
mod tests {
    use super::*;
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

    fn cut(link: u32, begins: u64, ends: Option<u64>) -> LinkFault {
        let kind = LinkFaultKind::Blackhole;
        LinkFault { link, toward: None, kind, begins: at(begins), ends: ends.map(at) }
    }

    #[test]
    fn faults_of_a_link_may_follow_each_other() {
        let states =
            LinkStates::new(&links(2), &[cut(0, 20, Some(30)), cut(0, 10, Some(20)), cut(1, 5, None)]);
        for toward in [0, 1].map(ClusterId) {
            assert_eq!(
                [9, 10, 20, 30].map(|s| states.at(0, toward, at(s)).is_up),
                [true, false, false, true]
            );
            assert_eq!([9, 10, 25, 30].map(|s| states.up_from(0, toward, at(s))), [9, 30, 30, 30].map(at));
        }
        assert_eq!(states.up_from(1, ClusterId(2), at(6)), SimTime::MAX);
        let state = states.at(0, ClusterId(0), at(9));
        assert_eq!((state.delay, state.jitter), (SimDuration::from_millis(10), SimDuration::from_millis(1)));
    }

    #[test]
    fn a_fault_may_hold_one_way_only() {
        let [home, away] = [0, 1].map(ClusterId);
        let down = LinkFault { toward: Some(away), kind: LinkFaultKind::Down, ..cut(0, 10, Some(20)) };
        let states = LinkStates::new(&links(1), &[down]);
        assert_eq!([home, away].map(|toward| states.is_up(0, toward, at(10))), [true, false]);
        assert_eq!([home, away].map(|toward| states.is_refusing(0, toward, at(19))), [false, true]);
        assert!(!states.is_refusing(0, away, at(20)));
        let swallows = LinkStates::new(&links(1), &[cut(0, 10, Some(20))]);
        assert!(!swallows.is_refusing(0, away, at(15)));
    }

    #[test]
    fn what_makes_a_link_worse_adds_up() {
        let ms = SimDuration::from_millis;
        let worse = |begins, ends, delay, loss, rate| LinkFault {
            kind: LinkFaultKind::Degraded(Degradation { delay: ms(delay), loss, bits_per_second: rate }),
            ..cut(0, begins, Some(ends))
        };
        let faults = [worse(10, 30, 5, 0.5, Some(1e6)), worse(20, 40, 7, 0.5, Some(1e8))];
        let states = LinkStates::new(&links(2), &faults);
        let of = |second| {
            let state = states.at(0, ClusterId(1), at(second));
            assert_eq!(states.at(1, ClusterId(2), at(second)), states.sound[1]);
            (state.delay.as_nanos() / 1_000_000, state.loss, state.bits_per_second, state.is_up)
        };
        assert_eq!([of(9), of(40)], [(10, 0.0, 1e9, true); 2]);
        assert_eq!(of(10), (15, 0.5, 1e6, true));
        assert_eq!(of(25), (22, 0.75, 1e6, true));
        assert_eq!(of(39), (17, 0.5, 1e8, true));
        assert!(states.are_always_up() && !states.are_never_worse());
    }

    #[test]
    fn a_link_is_down_while_one_of_its_faults_holds() {
        for seed in 0..200 {
            let mut rng = Address::root(seed, 0).draw(0);
            let faults: Vec<LinkFault> = (0..uniform_index(&mut rng, 8))
                .map(|_| {
                    let begins = uniform_index(&mut rng, 12) as u64;
                    let ends = begins + uniform_index(&mut rng, 6) as u64;
                    let ends = bernoulli(&mut rng, 0.9).then_some(ends);
                    let link = uniform_index(&mut rng, 3) as u32;
                    let toward = [None, Some(ClusterId(link)), Some(ClusterId(link + 1))];
                    LinkFault { toward: toward[uniform_index(&mut rng, 3)], ..cut(link, begins, ends) }
                })
                .collect();
            let states = LinkStates::new(&links(3), &faults);
            for (direction, second) in (0..6).flat_map(|it| (0..20).map(move |second| (it, second))) {
                let (link, toward) = (direction / 2, ClusterId(direction / 2 + direction % 2));
                let is_on = |it: &LinkFault, now| it.begins <= now && now < it.ends_at();
                let is_down = |now| {
                    faults.iter().any(|it| {
                        it.link == link && it.toward.is_none_or(|it| it == toward) && is_on(it, now)
                    })
                };
                assert_eq!(states.is_up(link, toward, at(second)), !is_down(at(second)), "seed {seed}");
                let next_up = (second..40).map(at).find(|&now| !is_down(now)).unwrap_or(SimTime::MAX);
                assert_eq!(states.up_from(link, toward, at(second)), next_up, "seed {seed}");
            }
            assert_eq!(states.are_always_up(), states.outages.is_empty());
        }
    }
}
