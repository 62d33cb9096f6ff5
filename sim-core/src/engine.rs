//! The run loop: every process handles its events up to its own safe horizon, then messages are
//! delivered, and so on in rounds.
//!
//! # Models
//! Conservative parallel simulation. The safe horizon of a process is the earliest time at which
//! a message that nobody has sent yet could still reach it: over all processes j, the time of j's
//! earliest pending event plus the shortest path of lookaheads from j, where the way from the
//! process back to itself counts too. One short link so does not slow down the others. Processes
//! of a round do not touch each other; here one thread runs them one after the other.
//!
//! # Source
//! Chandy and Misra, Distributed simulation, 1979; the bounds as in Nicol, The cost of
//! conservative synchronization in parallel discrete event simulations, 1993.

use crate::event_set::Key;
use crate::process::{EntityId, Outgoing, Process, Scheduler, UNREACHABLE};
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
}

impl Placement {
    /// All of so many entities in one process.
    pub(crate) fn of_one_process(entities: u32) -> Self {
        Self { homes: (0..entities).map(|slot| (0, slot)).collect(), links: Vec::new() }
    }

    /// The process of an entity, and its place among that process's entities.
    pub(crate) fn home_of(&self, entity: EntityId) -> (u32, usize) {
        let (process, slot) = self.homes[entity.0 as usize];
        (process, slot as usize)
    }

    pub(crate) fn direct_delay(&self, from: u32, to: u32) -> SimDuration {
        let pair = (from as usize, to as usize);
        let place = self.links.binary_search_by_key(&pair, |link| (link.from, link.to));
        place.map_or(UNREACHABLE, |at| self.links[at].delay)
    }
}

struct Slot<P: Process> {
    process: P,
    scheduler: Scheduler<P::Event, P::Message>,
}

/// A model of logical processes, and the loop that runs it.
pub struct Engine<P: Process> {
    slots: Vec<Slot<P>>,
    placement: Arc<Placement>,
    /// Scratch of a round: the earliest time at which each process may act, and its horizon.
    earliest: Vec<SimTime>,
    horizons: Vec<SimTime>,
    in_transit: Vec<Outgoing<P::Message>>,
}

/// A process hands over after so many events of a round, though its horizon be farther: the cancel
/// flag is looked at between rounds, and no process runs far ahead of what is reported.
const EVENTS_PER_ROUND: u64 = 1 << 15;

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
        let placement = Arc::new(Placement { homes, links });
        let slots = processes
            .into_iter()
            .enumerate()
            .map(|(index, (process, entities))| Slot {
                process,
                scheduler: Scheduler::new(index as u32, &entities, Arc::clone(&placement)),
            })
            .collect();
        Self {
            slots,
            placement,
            earliest: vec![SimTime::ZERO; count],
            horizons: vec![SimTime::ZERO; count],
            in_transit: Vec::new(),
        }
    }

    /// Schedules a first event for an entity.
    pub fn schedule(&mut self, entity: EntityId, at: SimTime, event: P::Event) {
        let (home, _) = self.placement.home_of(entity);
        self.slots[home as usize].scheduler.schedule_for(entity, at, event);
    }

    /// The processes, in the order of [`Engine::new`].
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &P> {
        self.slots.iter().map(|slot| &slot.process)
    }

    /// The processes, to be changed between runs.
    pub fn processes_mut(&mut self) -> impl ExactSizeIterator<Item = &mut P> {
        self.slots.iter_mut().map(|slot| &mut slot.process)
    }

    /// The number of events and messages handled so far.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.slots.iter().map(|slot| slot.scheduler.handled()).sum()
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
        let end = control.end();
        loop {
            let next = self.find_horizons(end);
            control.report(next.min(end));
            if next >= end {
                return RunEnd::ReachedEnd;
            }
            // Here no message is on its way, so that a cancelled run can be continued.
            if control.is_cancelled() {
                return RunEnd::Cancelled;
            }
            for (slot, &horizon) in self.slots.iter_mut().zip(&self.horizons) {
                slot.scheduler.run(&mut slot.process, horizon, EVENTS_PER_ROUND);
            }
            self.exchange();
        }
    }

    /// Computes the horizon of every process, at most `end`; tells the earliest pending time.
    fn find_horizons(&mut self, end: SimTime) -> SimTime {
        for (earliest, slot) in self.earliest.iter_mut().zip(&mut self.slots) {
            *earliest = slot.scheduler.events.peek().map_or(SimTime::MAX, Key::time);
        }
        let next = self.earliest.iter().copied().min().unwrap_or(SimTime::MAX);
        // The earliest time at which a process may act, woken by others or not: shortest paths.
        let mut changed = true;
        while changed {
            changed = false;
            for link in &self.placement.links {
                let reached = self.earliest[link.from].saturating_add(link.delay);
                if reached < self.earliest[link.to] {
                    self.earliest[link.to] = reached;
                    changed = true;
                }
            }
        }
        self.horizons.fill(end);
        for link in &self.placement.links {
            let reached = self.earliest[link.from].saturating_add(link.delay);
            self.horizons[link.to] = self.horizons[link.to].min(reached);
        }
        next
    }

    /// Hands the messages of the round to their receivers. Their keys order them.
    fn exchange(&mut self) {
        for slot in &mut self.slots {
            self.in_transit.append(&mut slot.scheduler.outbox);
        }
        for Outgoing { key, delivery } in self.in_transit.drain(..) {
            let (home, _) = self.placement.home_of(delivery.target);
            self.slots[home as usize].scheduler.deliver(key, delivery);
        }
    }
}
