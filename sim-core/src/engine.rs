//! The run loop: every process handles its events up to its own safe horizon, then messages are
//! delivered, and so on in rounds.
//!
//! # Models
//! Conservative parallel simulation. The safe horizon of a process is the earliest time at which
//! a message that nobody has sent yet could still reach it: over all processes j, the time of j's
//! earliest pending event plus the shortest path of lookaheads from j, where the way from the
//! process back to itself counts too. One short link so does not slow down the others. Processes
//! of a round do not touch each other: one thread runs them one after the other, or several run a
//! lane of them each ([`RunControl::on_threads`]). Keys decide the order of messages, whoever
//! delivers them when, so the results are the same to the bit.
//!
//! # Source
//! Chandy and Misra, Distributed simulation, 1979; the bounds as in Nicol, The cost of
//! conservative synchronization in parallel discrete event simulations, 1993.

use crate::lane::{Lane, Round, Ways, deliver_all, exchange, run_lanes, share_out};
use crate::process::{EntityId, Process, Scheduler, UNREACHABLE};
use crate::run_control::{RunControl, RunEnd};
use crate::time::{SimDuration, SimTime};
use std::sync::Arc;

/// The least delay of every message between two processes (indices in the order of
/// [`Engine::new`]). Pairs that are not listed never exchange a message; of a pair that is listed
/// twice the lesser delay counts.
#[derive(Clone, Copy, Debug)]
pub struct Lookahead {
    /// The sending process.
    pub from: usize,
    /// The receiving process.
    pub to: usize,
    /// At least this long is every message on its way. More than zero.
    pub delay: SimDuration,
}

/// Which process holds which entity, and how far apart the processes are.
#[derive(Debug)]
pub(crate) struct Placement {
    /// By entity.
    homes: Vec<(u32, u32)>,
    /// Sorted by (from, to).
    links: Vec<Lookahead>,
    /// By process, where those from it begin; one more at the end.
    first_links: Vec<u32>,
}

impl Placement {
    /// All of so many entities in one process.
    pub(crate) fn of_one_process(entities: u32) -> Self {
        let homes = (0..entities).map(|slot| (0, slot)).collect();
        Self { homes, links: Vec::new(), first_links: vec![0; 2] }
    }

    /// The process of an entity, and its index among that process's entities.
    pub(crate) fn home_of(&self, entity: EntityId) -> (u32, usize) {
        let (process, slot) = self.homes[entity.0 as usize];
        (process, slot as usize)
    }

    pub(crate) fn direct_delay(&self, from: u32, to: u32) -> SimDuration {
        let [begins, ends] = [0, 1].map(|next| self.first_links[from as usize + next] as usize);
        let links = &self.links[begins..ends];
        let slot = links.binary_search_by_key(&(to as usize), |link| link.to);
        slot.map_or(UNREACHABLE, |at| links[at].delay)
    }
}

/// A process with its clock and its events.
#[derive(Clone)]
pub(crate) struct Slot<P: Process> {
    pub(crate) process: P,
    pub(crate) scheduler: Scheduler<P::Event, P::Message>,
}

/// A model of logical processes, and the loop that runs it. Between two runs it may be cloned: both go on from there.
#[derive(Clone)]
pub struct Engine<P: Process> {
    /// Lane by lane.
    slots: Vec<Slot<P>>,
    lanes: Vec<Lane<P::Message>>,
    ways: Ways,
    placement: Arc<Placement>,
    /// By slot: when it has something to do next.
    pending: Vec<SimTime>,
    /// Scratch of a round, by slot: when it may act at the earliest, and how far it may go.
    earliest: Vec<SimTime>,
    horizons: Vec<SimTime>,
    pace: Pace,
}

/// How much happens in a round.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    rounds: u64,
    /// In the mean over the last rounds.
    events_per_round: f64,
    /// So far, and when the slots were last shared out to lanes.
    events: u64,
    shared_out_at: u64,
}

impl Pace {
    /// Rounds that are averaged.
    const MEMORY: u64 = 32;

    fn note(&mut self, events: u64) {
        self.rounds += 1;
        self.events += events;
        let weight = 1.0 / self.rounds.min(Self::MEMORY) as f64;
        self.events_per_round += (events as f64 - self.events_per_round) * weight;
    }

    /// Whether a round has as many events as are worth several threads.
    fn reaches(&self, least: u64) -> bool {
        least == 0 || self.rounds >= Self::MEMORY && self.events_per_round >= least as f64
    }
}

impl<P: Process> Engine<P> {
    /// An engine over `processes`, each with the entities that it holds.
    ///
    /// # Panics
    /// If the entities are not numbered 0, 1, 2 ... over all processes, each in exactly one, or a
    /// lookahead is zero or names no process.
    #[must_use]
    pub fn new(processes: Vec<(P, Vec<EntityId>)>, lookahead: &[Lookahead]) -> Self {
        let count = processes.len();
        let total = processes.iter().map(|(_, entities)| entities.len()).sum();
        let mut homes = vec![(u32::MAX, 0); total];
        for (index, (_, entities)) in processes.iter().enumerate() {
            for (slot, entity) in entities.iter().enumerate() {
                let home = &mut homes[entity.0 as usize];
                assert_eq!(home.0, u32::MAX, "entity {} is in two processes", entity.0);
                *home = (index as u32, slot as u32);
            }
        }
        let mut links = lookahead.to_vec();
        for link in &links {
            assert!(link.from < count && link.to < count, "a lookahead names no process");
            assert!(link.delay > SimDuration::ZERO, "a lookahead of zero joins two processes");
        }
        links.sort_by_key(|link| (link.from, link.to, link.delay));
        links.dedup_by_key(|link| (link.from, link.to));
        let first_of = |process: usize| links.partition_point(|link| link.from < process) as u32;
        let first_links = (0..=count).map(first_of).collect();
        let placement = Arc::new(Placement { homes, links, first_links });
        let mut slots: Vec<Slot<P>> = processes
            .into_iter()
            .enumerate()
            .map(|(index, (process, entities))| Slot {
                process,
                scheduler: Scheduler::new(index as u32, &entities, Arc::clone(&placement)),
            })
            .collect();
        let (lanes, ways) = share_out(&mut slots, 1, &placement.links);
        Self {
            slots,
            lanes,
            ways,
            placement,
            pending: vec![SimTime::MAX; count],
            earliest: vec![SimTime::MAX; count],
            horizons: vec![SimTime::ZERO; count],
            pace: Pace::default(),
        }
    }

    /// Schedules a first event for an entity.
    pub fn schedule(&mut self, entity: EntityId, at: SimTime, event: P::Event) {
        let (home, _) = self.placement.home_of(entity);
        let (_, slot) = self.ways.slot_of(home);
        self.slots[slot].scheduler.schedule_for(entity, at, event);
    }

    /// The processes, in the order of [`Engine::new`].
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &P> {
        self.ways.slots().map(|slot| &self.slots[slot].process)
    }

    /// The processes, in the same order, to be changed between runs. Allocates nothing unless several threads have run
    /// them.
    pub fn processes_mut(&mut self) -> impl Iterator<Item = &mut P> {
        let in_order = self.ways.slots().enumerate().all(|(process, slot)| process == slot);
        let ordered = if in_order { self.slots.len() } else { 0 };
        let (ordered, shared_out) = self.slots.split_at_mut(ordered);
        let mut sorted: Vec<&mut Slot<P>> = shared_out.iter_mut().collect();
        sorted.sort_unstable_by_key(|slot| slot.scheduler.process());
        ordered.iter_mut().chain(sorted).map(|slot| &mut slot.process)
    }

    /// The number of events and messages handled so far.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.slots.iter().map(|slot| slot.scheduler.handled()).sum()
    }

    /// The same by process, in the order of [`Engine::new`].
    pub fn handled_by_process(&self) -> impl ExactSizeIterator<Item = u64> {
        self.ways.slots().map(|slot| self.slots[slot].scheduler.handled())
    }

    /// Rounds so far.
    #[must_use]
    pub const fn rounds(&self) -> u64 {
        self.pace.rounds
    }

    /// The number of events and messages that are still to come.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.slots.iter().map(|slot| slot.scheduler.events.len()).sum()
    }

    /// The messages that are still to come.
    pub fn messages(&self) -> impl Iterator<Item = &P::Message> {
        self.slots.iter().flat_map(|slot| slot.scheduler.messages())
    }

    /// Memory of all events and messages to come, with what it takes next where it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.scheduler.events.bytes() + slot.scheduler.deliveries.bytes()).sum()
    }

    /// Handles every event before the end that `control` gives. May be called again with a later
    /// end.
    pub fn run(&mut self, control: &mut RunControl<'_>) -> RunEnd {
        self.find_pending();
        let ended = loop {
            let threads = control.threads().min(self.slots.len());
            let in_parallel = threads > 1 && self.pace.reaches(control.least_events_per_round());
            if in_parallel && (self.lanes.len() != threads || self.pace.events >= 2 * self.pace.shared_out_at)
            {
                self.share_out(threads);
            }
            let next = self.pending.iter().copied().min().unwrap_or(SimTime::MAX);
            control.report(next.min(control.end()));
            if next >= control.end() {
                break RunEnd::ReachedEnd;
            }
            if control.is_cancelled() {
                break RunEnd::Cancelled;
            }
            self.run_round(control.end(), in_parallel);
        };
        // Between two runs no message is on its way, so that a cancelled one can be continued.
        deliver_all(&mut self.lanes, &mut self.slots, &self.ways);
        ended
    }

    fn run_round(&mut self, end: SimTime, in_parallel: bool) {
        self.ways.find_horizons(&self.pending, &mut self.earliest, &mut self.horizons, end);
        let round = Round { horizons: &self.horizons, ways: &self.ways };
        run_lanes(&mut self.lanes, &mut self.slots, &mut self.pending, &round, in_parallel);
        exchange(&mut self.lanes, &mut self.pending);
        self.pace.note(self.lanes.iter().map(Lane::handled).sum());
    }

    fn find_pending(&mut self) {
        for (pending, slot) in self.pending.iter_mut().zip(&mut self.slots) {
            *pending = slot.next_time();
        }
    }

    /// Shares the processes out to so many threads, by what they have done so far.
    fn share_out(&mut self, threads: usize) {
        deliver_all(&mut self.lanes, &mut self.slots, &self.ways);
        (self.lanes, self.ways) = share_out(&mut self.slots, threads, &self.placement.links);
        self.find_pending();
        self.pace.shared_out_at = self.pace.events;
    }
}
