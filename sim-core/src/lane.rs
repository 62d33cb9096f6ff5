//! What one thread does in a round: it runs the processes of its lane and hands over what they send.
//!
//! # Models
//! A lane is a stretch of the engine's slots. A message to a process of the same lane is delivered at once: it arrives
//! at its receiver's horizon or later, so it makes no difference whether the receiver has had its turn. Messages to
//! other lanes are handed over ([`Elsewhere`]). A process and its events stay with the thread that ran them last. What a process
//! did so far tells what it will do: lanes are shared out by events so far, the largest process first, each to the
//! lane with least.

use crate::engine::{Lookahead, Slot};
use crate::event_set::Key;
use crate::process::{Outgoing, Process};
use crate::time::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::ops::Range;

/// A stretch of slots that one thread runs.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Its own number.
    pub(crate) number: usize,
    /// Its slots.
    pub(crate) slots: Range<usize>,
}

/// Takes messages to other lanes.
pub(crate) trait Elsewhere<M> {
    fn take(&mut self, lane: usize, slot_number: usize, message: Outgoing<M>);
}

/// There is one lane only.
pub(crate) struct Nobody;

impl<M> Elsewhere<M> for Nobody {
    fn take(&mut self, _: usize, _: usize, _: Outgoing<M>) {
        unreachable!("one lane has all slots");
    }
}

/// Where processes stand, and how messages get from one to another.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// By process: its lane, and its number among the slots.
    homes: Vec<(u32, u32)>,
    /// Least delays between slots.
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
) -> (Vec<Lane>, Ways) {
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
        lanes.push(Lane { number, slots: first..first + mine });
        first += mine;
    }
    (lanes, Ways::new(homes, lookahead))
}

impl Lane {
    /// Runs its `slots` up to their `horizons`, and keeps up what they have to do next; returns the number of events.
    pub(crate) fn run<P: Process>(
        &self,
        slots: &mut [Slot<P>],
        pending: &mut [SimTime],
        horizons: &[SimTime],
        ways: &Ways,
        elsewhere: &mut impl Elsewhere<P::Message>,
    ) -> u64 {
        let mut handled = 0;
        for at in 0..slots.len() {
            let horizon = horizons[at];
            if pending[at] >= horizon {
                continue;
            }
            let slot = &mut slots[at];
            handled += slot.scheduler.run(&mut slot.process, horizon, EVENTS_PER_ROUND);
            pending[at] = slot.next_time();
            self.send_out(at, slots, pending, ways, elsewhere);
        }
        handled
    }

    /// Delivers a message that has come from another lane. Keys order it.
    pub(crate) fn deliver<P: Process>(
        &self,
        slots: &mut [Slot<P>],
        message: &Outgoing<P::Message>,
        ways: &Ways,
    ) {
        let (_, slot_number) = ways.slot_of(message.receiver);
        slots[slot_number - self.slots.start].scheduler.deliver(message.key, message.delivery);
    }

    /// Sends out what the process at `at` has put into its outbox.
    fn send_out<P: Process>(
        &self,
        at: usize,
        slots: &mut [Slot<P>],
        pending: &mut [SimTime],
        ways: &Ways,
        elsewhere: &mut impl Elsewhere<P::Message>,
    ) {
        if slots[at].scheduler.outbox.is_empty() {
            return;
        }
        let mut outbox = std::mem::take(&mut slots[at].scheduler.outbox);
        for outgoing in outbox.drain(..) {
            let (lane, slot_number) = ways.slot_of(outgoing.receiver);
            let time = outgoing.key.time();
            if lane == self.number {
                let to = slot_number - self.slots.start;
                slots[to].scheduler.deliver(outgoing.key, outgoing.delivery);
                pending[to] = pending[to].min(time);
            } else {
                elsewhere.take(lane, slot_number, outgoing);
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
        let links = lookahead.iter().map(link).collect();
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
        // the pass in which nothing changes any more.
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
                    changed = true;
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
