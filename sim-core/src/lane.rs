//! What one thread does in a round: it runs the processes of its lane and hands over what they send.
//!
//! # Models
//! A lane is a stretch of the engine's slots. A message to a process of the same lane is delivered at once: it arrives
//! at its receiver's horizon or later, so it makes no difference whether the receiver has had its turn. Messages to
//! other lanes stand in boxes, one for each pair of lanes, until the next round begins, when the thread that runs
//! the receiver delivers them; before, all that is known of them is when the first one reaches each process. So a
//! process and its events stay with the thread that ran them last. What a process did so far tells what it will
//! do: lanes are shared out by events so far, the largest process first, each to the lane with least.

use crate::engine::{Lookahead, Slot};
use crate::event_set::Key;
use crate::process::{Outgoing, Process};
use crate::time::{SimDuration, SimTime};
use std::cmp::Reverse;

/// A stretch of slots that one thread runs.
#[derive(Clone)]
pub(crate) struct Lane<M> {
    /// Its own number.
    number: usize,
    /// The first of its slots, and how many there are.
    first: usize,
    count: usize,
    /// Messages to each other lane.
    outgoing: Vec<Vec<Outgoing<M>>>,
    /// Messages from each other lane, not delivered yet.
    incoming: Vec<Vec<Outgoing<M>>>,
    /// By slot, of all lanes: when the first message of the round from here to another lane arrives.
    arrivals: Vec<SimTime>,
    /// Events of the round.
    handled: u64,
}

/// What all lanes know of a round.
pub(crate) struct Round<'a> {
    /// By slot.
    pub(crate) horizons: &'a [SimTime],
    pub(crate) ways: &'a Ways,
}

/// Where processes stand, and how messages get from one to another.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// By process: its lane, and its number among the slots.
    homes: Vec<(u32, u32)>,
    /// Least delays between slots, in the order of those that send.
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    from: u32,
    to: u32,
    delay: SimDuration,
}

/// A process hands over after so many events of a round, though its horizon be farther: the cancel
/// flag is looked at between rounds, and no process runs far ahead of what is reported.
const EVENTS_PER_ROUND: u64 = 1 << 15;

/// Shares slots out to `count` lanes and puts them in the order of their lanes, those with most events first.
pub(crate) fn share_out<P: Process>(
    slots: &mut [Slot<P>],
    count: usize,
    lookahead: &[Lookahead],
) -> (Vec<Lane<P::Message>>, Ways) {
    slots.sort_by_cached_key(|slot| (Reverse(slot.scheduler.handled()), slot.scheduler.process()));
    let mut loads = vec![0; count];
    let mut lane_of = vec![0; slots.len()];
    for slot in &*slots {
        let (lane, load) = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load).expect("lanes");
        // What has done nothing yet is spread, too.
        *load += slot.scheduler.handled() + 1;
        lane_of[slot.scheduler.process() as usize] = lane;
    }
    // Keeps the order within a lane.
    slots.sort_by_cached_key(|slot| lane_of[slot.scheduler.process() as usize]);
    let mut homes = vec![(0, 0); slots.len()];
    for (number, slot) in slots.iter().enumerate() {
        let process = slot.scheduler.process() as usize;
        homes[process] = (lane_of[process] as u32, number as u32);
    }
    let mut lanes = Vec::with_capacity(count);
    let mut first = 0;
    for number in 0..count {
        let mine = lane_of.iter().filter(|lane| **lane == number).count();
        lanes.push(Lane::new(number, first..first + mine, count, slots.len()));
        first += mine;
    }
    (lanes, Ways::new(homes, lookahead))
}

/// Runs a round of some lanes and their slots, on the threads of the current pool if `in_parallel`.
pub(crate) fn run_lanes<P: Process>(
    lanes: &mut [Lane<P::Message>],
    slots: &mut [Slot<P>],
    pending: &mut [SimTime],
    round: &Round<'_>,
    in_parallel: bool,
) {
    if let [lane] = lanes {
        return lane.run(slots, pending, round);
    }
    let (left, right) = lanes.split_at_mut(lanes.len() / 2);
    let count = left.iter().map(|lane| lane.count).sum();
    let (left_slots, right_slots) = slots.split_at_mut(count);
    let (left_pending, right_pending) = pending.split_at_mut(count);
    let mut run_left = || run_lanes(left, left_slots, left_pending, round, in_parallel);
    let mut run_right = || run_lanes(right, right_slots, right_pending, round, in_parallel);
    if in_parallel {
        rayon::join(run_left, run_right);
    } else {
        run_left();
        run_right();
    }
}

/// Hands the boxes of a round over to the lanes of the receivers, and tells each slot when the first message comes.
pub(crate) fn exchange<M>(lanes: &mut [Lane<M>], pending: &mut [SimTime]) {
    if lanes.len() < 2 {
        return;
    }
    for lane in &*lanes {
        for (pending, &arrival) in pending.iter_mut().zip(&lane.arrivals) {
            *pending = arrival.min(*pending);
        }
    }
    for to in 1..lanes.len() {
        for from in 0..to {
            let [a, b] = lanes.get_disjoint_mut([from, to]).expect("two lanes");
            std::mem::swap(&mut a.outgoing[to], &mut b.incoming[from]);
            std::mem::swap(&mut b.outgoing[from], &mut a.incoming[to]);
        }
    }
}

/// Delivers what is still in boxes.
pub(crate) fn deliver_all<P: Process>(lanes: &mut [Lane<P::Message>], slots: &mut [Slot<P>], ways: &Ways) {
    for lane in lanes {
        lane.deliver(&mut slots[lane.first..lane.first + lane.count], ways);
    }
}

impl<M: Copy> Lane<M> {
    fn new(number: usize, slots: std::ops::Range<usize>, lanes: usize, all_slots: usize) -> Self {
        let boxes = || (0..lanes).map(|_| Vec::new()).collect();
        Self {
            number,
            first: slots.start,
            count: slots.len(),
            outgoing: boxes(),
            incoming: boxes(),
            arrivals: vec![SimTime::MAX; if lanes > 1 { all_slots } else { 0 }],
            handled: 0,
        }
    }

    /// Events of the last round.
    pub(crate) const fn handled(&self) -> u64 {
        self.handled
    }

    fn run<P: Process<Message = M>>(
        &mut self,
        slots: &mut [Slot<P>],
        pending: &mut [SimTime],
        round: &Round<'_>,
    ) {
        self.handled = 0;
        self.arrivals.fill(SimTime::MAX);
        self.deliver(slots, round.ways);
        for at in 0..slots.len() {
            let horizon = round.horizons[self.first + at];
            if pending[at] >= horizon {
                continue;
            }
            let slot = &mut slots[at];
            self.handled += slot.scheduler.run(&mut slot.process, horizon, EVENTS_PER_ROUND);
            pending[at] = slot.next_time();
            self.send_out(at, slots, pending, round.ways);
        }
    }

    /// Delivers what has come from other lanes. Keys order it.
    fn deliver<P: Process<Message = M>>(&mut self, slots: &mut [Slot<P>], ways: &Ways) {
        for messages in &mut self.incoming {
            for Outgoing { receiver, key, delivery } in messages.drain(..) {
                let (_, slot_number) = ways.slot_of(receiver);
                slots[slot_number - self.first].scheduler.deliver(key, delivery);
            }
        }
    }

    /// Sends out what the process at `at` has put into its outbox.
    fn send_out<P: Process<Message = M>>(
        &mut self,
        at: usize,
        slots: &mut [Slot<P>],
        pending: &mut [SimTime],
        ways: &Ways,
    ) {
        if slots[at].scheduler.outbox.is_empty() {
            return;
        }
        let mut outbox = std::mem::take(&mut slots[at].scheduler.outbox);
        for outgoing in outbox.drain(..) {
            let (lane, slot_number) = ways.slot_of(outgoing.receiver);
            let time = outgoing.key.time();
            if lane == self.number {
                let to = slot_number - self.first;
                slots[to].scheduler.deliver(outgoing.key, outgoing.delivery);
                pending[to] = pending[to].min(time);
            } else {
                self.outgoing[lane].push(outgoing);
                self.arrivals[slot_number] = self.arrivals[slot_number].min(time);
            }
        }
        slots[at].scheduler.outbox = outbox;
    }
}

impl Ways {
    fn new(homes: Vec<(u32, u32)>, lookahead: &[Lookahead]) -> Self {
        let slot_number = |process: usize| homes[process].1;
        let link =
            |it: &Lookahead| Link { from: slot_number(it.from), to: slot_number(it.to), delay: it.delay };
        let mut links: Vec<Link> = lookahead.iter().map(link).collect();
        links.sort_by_key(|link| link.from);
        Self { homes, links }
    }

    /// The lane of a process, and its number among the slots.
    pub(crate) fn slot_of(&self, process: u32) -> (usize, usize) {
        let (lane, slot_number) = self.homes[process as usize];
        (lane as usize, slot_number as usize)
    }

    /// The numbers of the slots of all processes, in their order.
    pub(crate) fn slots(&self) -> impl ExactSizeIterator<Item = usize> {
        self.homes.iter().map(|&(_, slot_number)| slot_number as usize)
    }

    /// Computes how far each slot may go, at most to `end`, from when each has something to do next; `earliest` is
    /// scratch.
    pub(crate) fn find_horizons(
        &self,
        pending: &[SimTime],
        earliest: &mut [SimTime],
        horizons: &mut [SimTime],
        end: SimTime,
    ) {
        // The earliest time at which a process may act, woken by others or not: shortest paths. The horizons are those of
        // the pass in which nothing changes of those that have been asked.
        earliest.copy_from_slice(pending);
        let mut changed = true;
        while changed {
            changed = false;
            horizons.fill(end);
            for link in &self.links {
                let reached = earliest[link.from as usize].saturating_add(link.delay);
                let to = link.to as usize;
                horizons[to] = reached.min(horizons[to]);
                if reached < earliest[to] {
                    earliest[to] = reached;
                    changed |= link.to <= link.from;
                }
            }
        }
    }
}

impl<P: Process> Slot<P> {
    /// When it has something to do next.
    pub(crate) fn next_time(&mut self) -> SimTime {
        self.scheduler.events.peek().map_or(SimTime::MAX, Key::time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// By definition: from each process the shortest way to every other, at least one link long.
        #[test]
        fn horizons_are_shortest_ways(
            links in prop::collection::vec((0..6_usize, 0..6_usize, 1..9_u64), 0..20),
            pending in prop::collection::vec(0..30_u64, 6),
        ) {
            let lookahead: Vec<Lookahead> = links
                .iter()
                .map(|&(from, to, delay)| Lookahead { from, to, delay: SimDuration::from_nanos(delay) })
                .collect();
            let end = 100;
            let mut ways = [[u64::MAX; 6]; 6];
            for &(from, to, delay) in &links {
                ways[from][to] = ways[from][to].min(delay);
            }
            for (via, from, to) in (0..6).flat_map(|via| (0..36).map(move |pair| (via, pair / 6, pair % 6))) {
                ways[from][to] = ways[from][to].min(ways[from][via].saturating_add(ways[via][to]));
            }
            let expected: Vec<SimTime> = (0..6)
                .map(|to| (0..6).map(|from| pending[from].saturating_add(ways[from][to])).fold(end, u64::min))
                .map(SimTime::from_nanos)
                .collect();
            let pending: Vec<SimTime> = pending.into_iter().map(SimTime::from_nanos).collect();
            let (mut earliest, mut horizons) = (pending.clone(), pending.clone());
            let homes = (0..6).map(|slot| (0, slot)).collect();
            let end = SimTime::from_nanos(end);
            Ways::new(homes, &lookahead).find_horizons(&pending, &mut earliest, &mut horizons, end);
            prop_assert_eq!(horizons, expected);
        }
    }
}
