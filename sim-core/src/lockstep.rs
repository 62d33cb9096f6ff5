//! Rounds on several threads at once, a lane each.
//!
//! # Models
//! Threads go through the rounds in step: each finds the horizons of all slots for itself, runs its own, and meets the
//! others once a round. What they tell each other stands in *boards*: when each slot has something to do next, and the
//! messages from lane to lane. A board is written in one round, read in the next, and wiped by the owners of its slots in the one
//! after, so a round needs one meeting. All threads see the same boards and so come to the same end, but for a
//! cancelled run, which the first one says on the board. Whoever waits keeps its core for a while before it yields: a round takes
//! microseconds, and to be woken takes longer than that.
//!
//! # Assumptions
//! Each thread has a core. Where it has not, results are the same, and every round waits for whoever lacks one.

use crate::engine::{Pace, Slot};
use crate::lane::{Elsewhere, Lane, Ways};
use crate::process::{Outgoing, Process};
use crate::run_control::{RunControl, RunEnd};
use crate::time::SimTime;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the lanes of some rounds share.
pub(crate) struct Lockstep<'a, M> {
    boards: [Board<M>; 3],
    meeting: Meeting,
    lanes: usize,
    ways: &'a Ways,
    /// By slot: when it has something to do next, as the first round begins.
    pending: &'a [SimTime],
    pace: Pace,
    end: SimTime,
    least_events_per_round: u64,
}

/// What is told in one round.
struct Board<M> {
    /// By slot: when it has something to do next (ns).
    next: Vec<AtomicU64>,
    /// From each lane to each.
    boxes: Vec<Mutex<Vec<Outgoing<M>>>>,
    /// Events of all lanes.
    events: AtomicU64,
    cancelled: AtomicBool,
}

/// Where threads wait for each other.
struct Meeting {
    /// How often somebody has come, in all rounds.
    arrived: Apart<AtomicU64>,
    /// Somebody will not come any more.
    broken: Apart<AtomicBool>,
}

/// Has its lines of the cache to itself.
#[repr(align(128))]
struct Apart<T>(T);

/// So often a thread that waits looks before it lets others have its core: some 50 us.
const LOOKS: u32 = 1_000;

impl<'a, M: Copy> Lockstep<'a, M> {
    pub(crate) fn new(
        lanes: usize,
        ways: &'a Ways,
        pending: &'a [SimTime],
        pace: Pace,
        control: &RunControl<'_>,
    ) -> Self {
        let board = || Board {
            next: pending.iter().map(|_| AtomicU64::new(u64::MAX)).collect(),
            boxes: (0..lanes * lanes).map(|_| Mutex::default()).collect(),
            events: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        };
        let meeting = Meeting { arrived: Apart(AtomicU64::new(0)), broken: Apart(AtomicBool::new(false)) };
        Self {
            boards: [board(), board(), board()],
            meeting,
            lanes,
            ways,
            pending,
            pace,
            end: control.end(),
            least_events_per_round: control.least_events_per_round(),
        }
    }

    /// Runs one lane, with the others, until the end, or until the lanes are to be made anew; says how many events rounds
    /// have now, and how the run ended if it did. The thread that has the `control` speaks for all.
    pub(crate) fn run<P: Process<Message = M>>(
        &self,
        lane: &Lane,
        slots: &mut [Slot<P>],
        mut control: Option<&mut RunControl<'_>>,
    ) -> (Pace, Option<RunEnd>) {
        let _leaving = Leaving(&self.meeting);
        let mut pace = self.pace;
        let mut pending = self.pending.to_vec();
        let mut earliest = vec![SimTime::MAX; pending.len()];
        let mut horizons = vec![SimTime::ZERO; pending.len()];
        let mut outgoing: Vec<Vec<Outgoing<M>>> = (0..self.lanes).map(|_| Vec::new()).collect();
        let mut incoming = Vec::new();
        for round in 0.. {
            let [now, after, before] = [0, 1, 2].map(|later| &self.boards[(round + later) % 3]);
            if round > 0 {
                before.read(&mut pending);
                for from in (0..self.lanes).filter(|from| *from != lane.number) {
                    before.swap(from, lane.number, self.lanes, &mut incoming);
                    incoming.drain(..).for_each(|message| lane.deliver(slots, &message, self.ways));
                }
                pace.note(before.events.load(Ordering::Relaxed));
                if before.cancelled.load(Ordering::Relaxed) {
                    return (pace, Some(RunEnd::Cancelled));
                }
            }
            let next = pending.iter().copied().min().unwrap_or(SimTime::MAX);
            if let Some(control) = &mut control {
                control.report(next.min(self.end));
                // The others hear of it when this round is over.
                now.cancelled.store(control.is_cancelled(), Ordering::Relaxed);
            }
            if next >= self.end {
                return (pace, Some(RunEnd::ReachedEnd));
            }
            if pace.is_to_be_shared_out() || !pace.is_worth_threads(self.least_events_per_round, true) {
                return (pace, None);
            }
            after.wipe(lane);
            self.ways.find_horizons(&pending, &mut earliest, &mut horizons, self.end);
            let mine = lane.slots.clone();
            let handled = lane.run(
                slots,
                &mut pending[mine.clone()],
                &horizons[mine.clone()],
                self.ways,
                &mut Boxes { outgoing: &mut outgoing, board: now },
            );
            for (pending, next) in pending[mine.clone()].iter().zip(&now.next[mine]) {
                next.fetch_min(pending.as_nanos(), Ordering::Relaxed);
            }
            for (to, outgoing) in outgoing.iter_mut().enumerate().filter(|(to, _)| *to != lane.number) {
                now.swap(lane.number, to, self.lanes, outgoing);
            }
            now.events.fetch_add(handled, Ordering::Relaxed);
            if !self.meeting.meet((round as u64 + 1) * self.lanes as u64) {
                break;
            }
        }
        (pace, None)
    }

    /// No further thread will come: those that wait give up, between two rounds or in one that only some have run.
    pub(crate) fn break_up(&self) {
        self.meeting.broken.0.store(true, Ordering::Release);
    }

    /// Messages that nobody has taken: there are some if the meeting was broken up.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = Outgoing<M>> {
        let boxes = self.boards.into_iter().flat_map(|board| board.boxes);
        boxes.flat_map(|messages| messages.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Messages to other lanes, by lane, and the board that says when they come.
struct Boxes<'a, M> {
    outgoing: &'a mut [Vec<Outgoing<M>>],
    board: &'a Board<M>,
}

impl<M> Elsewhere<M> for Boxes<'_, M> {
    fn take(&mut self, lane: usize, slot_number: usize, message: Outgoing<M>) {
        self.board.next[slot_number].fetch_min(message.key.time().as_nanos(), Ordering::Relaxed);
        self.outgoing[lane].push(message);
    }
}

impl<M> Board<M> {
    fn read(&self, pending: &mut [SimTime]) {
        for (pending, next) in pending.iter_mut().zip(&self.next) {
            *pending = SimTime::from_nanos(next.load(Ordering::Relaxed));
        }
    }

    /// Makes a lane's part of it ready for the next round.
    fn wipe(&self, lane: &Lane) {
        for next in &self.next[lane.slots.clone()] {
            next.store(u64::MAX, Ordering::Relaxed);
        }
        if lane.number == 0 {
            self.events.store(0, Ordering::Relaxed);
        }
    }

    fn swap(&self, from: usize, to: usize, lanes: usize, messages: &mut Vec<Outgoing<M>>) {
        let mut there = self.boxes[from * lanes + to].lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *there, messages);
    }
}

impl Meeting {
    /// Waits until so many have come, in all rounds; whether they have.
    fn meet(&self, everyone: u64) -> bool {
        // What was told before is seen by all who see that it was told.
        self.arrived.0.fetch_add(1, Ordering::AcqRel);
        let mut looks = 0;
        while self.arrived.0.load(Ordering::Acquire) < everyone {
            if self.broken.0.load(Ordering::Acquire) {
                return false;
            }
            if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        true
    }
}

/// A thread that panics leaves nobody waiting.
struct Leaving<'a>(&'a Meeting);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.0.store(true, Ordering::Release);
        }
    }
}
