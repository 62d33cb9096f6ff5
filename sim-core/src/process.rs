//! Logical processes: the parts of a model that share no memory, only messages that take time.
//!
//! # Models
//! An *entity* is a thing that acts: a cluster, or a queue of a test model. A *process* holds one
//! or more entities and one event set. An entity schedules events for itself; whatever concerns
//! another entity is a message. Messages between entities of different processes take at least the
//! processes' lookahead, which is what lets each run ahead of the others.

use crate::engine::Placement;
use crate::event_set::{EventSet, Key, Source};
use crate::slab::{Handle, Slab};
use crate::time::{SimDuration, SimTime};
use std::sync::Arc;

/// An entity, numbered from 0 over the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub u32);

/// A part of a model with its own state and its own event set. Any thread may run it.
pub trait Process: Send {
    /// What its entities schedule for themselves: a small plain value.
    type Event: Copy + Send;
    /// What its entities tell each other, also across processes.
    type Message: Copy + Send;

    /// `event`, scheduled for `entity`, happens now.
    fn handle(
        &mut self,
        entity: EntityId,
        event: Self::Event,
        scheduler: &mut Scheduler<Self::Event, Self::Message>,
    );

    /// `message` reaches `entity` now.
    fn receive(
        &mut self,
        entity: EntityId,
        message: Self::Message,
        scheduler: &mut Scheduler<Self::Event, Self::Message>,
    );
}

/// A message on its way to an entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<M> {
    pub(crate) target: EntityId,
    pub(crate) message: M,
}

/// A message that leaves the process.
#[derive(Clone)]
pub(crate) struct Outgoing<M> {
    /// The process of its target.
    pub(crate) receiver: u32,
    pub(crate) key: Key,
    pub(crate) delivery: Delivery<M>,
}

#[derive(Clone, Copy)]
pub(crate) enum Pending<E, M> {
    Event(E),
    Message(Handle<Delivery<M>>),
}

/// So many events, and so many messages, may be pending before a process allocates.
const ROOM: usize = 128;

/// The clock, the event set and the outbox of one process, as its handlers see them.
#[derive(Clone)]
pub struct Scheduler<E, M> {
    now: SimTime,
    /// Who acts, and which of this process's entities that is.
    entity: EntityId,
    slot: usize,
    /// What it schedules next.
    source: Source,
    /// The rank of the event that is being handled among those of its time; nobody's once it was used again.
    rank: Source,
    pub(crate) events: EventSet<Pending<E, M>>,
    pub(crate) deliveries: Slab<Delivery<M>>,
    pub(crate) outbox: Vec<Outgoing<M>>,
    /// What each entity of this process schedules next, but for the one that acts.
    sources: Vec<Source>,
    process: u32,
    placement: Arc<Placement>,
    handled: u64,
}

impl<E: Copy, M: Copy> Scheduler<E, M> {
    pub(crate) fn new(process: u32, entities: &[EntityId], placement: Arc<Placement>) -> Self {
        let entity = entities.first().copied().unwrap_or(EntityId(0));
        Self {
            now: SimTime::ZERO,
            entity,
            slot: 0,
            source: Source::first_of(entity),
            rank: Source::NOBODY,
            events: EventSet::with_capacity(ROOM),
            deliveries: Slab::with_capacity(ROOM),
            outbox: Vec::with_capacity(ROOM),
            sources: entities.iter().map(|&entity| Source::first_of(entity)).collect(),
            process,
            placement,
            handled: 0,
        }
    }

    /// The scheduler of a process that nobody runs, with so many entities: for tests of what is scheduled.
    #[must_use]
    pub fn alone(entities: u32) -> Self {
        let all: Vec<EntityId> = (0..entities).map(EntityId).collect();
        Self::new(0, &all, Arc::new(Placement::of_one_process(entities)))
    }

    /// Takes what is scheduled, in its order, unhandled: messages are left out.
    pub fn take_scheduled(&mut self) -> Vec<(SimTime, E)> {
        let mut scheduled = Vec::new();
        while let Some((key, pending)) = self.events.pop() {
            match pending {
                Pending::Event(event) => scheduled.push((key.time(), event)),
                Pending::Message(handle) => {
                    self.deliveries.remove(handle);
                }
            }
        }
        scheduled
    }

    /// Takes the messages that are on their way, each with its target and when it arrives; events are left out.
    pub fn take_messages(&mut self) -> Vec<(EntityId, SimTime, M)> {
        let mut messages = Vec::new();
        while let Some((key, pending)) = self.events.pop() {
            if let Pending::Message(handle) = pending {
                let delivery = self.deliveries.remove(handle);
                messages.push((delivery.target, key.time(), delivery.message));
            }
        }
        messages
    }

    /// The current simulated time.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }

    /// The number of events and messages handled so far by this process.
    #[must_use]
    pub const fn handled(&self) -> u64 {
        self.handled
    }

    /// The number of the process.
    pub(crate) const fn process(&self) -> u32 {
        self.process
    }

    /// Schedules `event` for the entity whose event is being handled.
    ///
    /// # Panics
    /// If `at` has passed.
    #[inline]
    pub fn schedule(&mut self, at: SimTime, event: E) {
        let key = self.next_key(at);
        self.events.push(key, Pending::Event(event));
    }

    /// Schedules `event` for another entity of the same process, which shares state with this one.
    ///
    /// # Panics
    /// If `at` has passed, or the entity belongs to another process.
    pub fn schedule_for(&mut self, entity: EntityId, at: SimTime, event: E) {
        if entity == self.entity {
            return self.schedule(at, event);
        }
        self.assert_to_come(at);
        let slot = self.slot_of(entity);
        self.events.push(Key::at(at, self.sources[slot].take()), Pending::Event(event));
    }

    /// Schedules an event with the rank of the one that is being handled: among the entity's events of its time it
    /// comes where that one came among those of its own. So one event that goes from each moment of a time line to
    /// the next has the order that an event per moment would have, all scheduled when the first one was.
    ///
    /// # Panics
    /// If `at` has passed, a message is being handled, or the rank was taken before.
    pub fn schedule_next(&mut self, at: SimTime, event: E) {
        self.assert_to_come(at);
        let rank = std::mem::replace(&mut self.rank, Source::NOBODY);
        assert!(rank != Source::NOBODY, "an event goes on once");
        self.events.push(Key::at(at, rank), Pending::Event(event));
    }

    /// Sends `message` to `target`, where it arrives at `at`.
    ///
    /// # Panics
    /// If `at` has passed or, to another process, is nearer than the lookahead.
    pub fn send(&mut self, target: EntityId, at: SimTime, message: M) {
        let key = self.next_key(at);
        let delivery = Delivery { target, message };
        let (receiver, _) = self.placement.home_of(target);
        if receiver == self.process {
            self.deliver(key, delivery);
        } else {
            let least = self.placement.direct_delay(self.process, receiver);
            assert!(
                at.saturating_since(self.now) >= least,
                "a message to entity {} is sent with less than the lookahead of {least}",
                target.0
            );
            self.outbox.push(Outgoing { receiver, key, delivery });
        }
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &M> {
        self.deliveries.handles().map(|it| &self.deliveries[it].message)
    }

    pub(crate) fn deliver(&mut self, key: Key, delivery: Delivery<M>) {
        let handle = self.deliveries.insert(delivery);
        self.events.push(key, Pending::Message(handle));
    }

    /// Handles everything before `end`, at most `budget` events; tells how many there were.
    pub(crate) fn run<P>(&mut self, process: &mut P, end: SimTime, budget: u64) -> u64
    where
        P: Process<Event = E, Message = M>,
    {
        let mut count = 0;
        while count < budget {
            let Some(time) = self.events.take_before(end) else { break };
            self.now = time;
            match self.events.taken() {
                (source, &Pending::Event(event)) => {
                    self.acts(source.entity());
                    self.rank = source;
                    process.handle(self.entity, event, self);
                }
                (_, &Pending::Message(handle)) => {
                    let delivery = self.deliveries.remove(handle);
                    self.acts(delivery.target);
                    self.rank = Source::NOBODY;
                    process.receive(delivery.target, delivery.message, self);
                }
            }
            count += 1;
        }
        self.handled += count;
        count
    }

    /// From now on `entity` acts.
    #[inline]
    fn acts(&mut self, entity: EntityId) {
        if entity != self.entity {
            self.change_to(entity);
        }
    }

    #[inline(never)]
    fn change_to(&mut self, entity: EntityId) {
        self.sources[self.slot] = self.source;
        self.slot = self.slot_of(entity);
        self.source = self.sources[self.slot];
        self.entity = entity;
    }

    fn slot_of(&self, entity: EntityId) -> usize {
        let (process, slot) = self.placement.home_of(entity);
        assert!(process == self.process, "entity {} belongs to another process", entity.0);
        slot
    }

    /// The key of what the acting entity does next.
    #[inline]
    fn next_key(&mut self, at: SimTime) -> Key {
        self.assert_to_come(at);
        Key::at(at, self.source.take())
    }

    #[inline]
    fn assert_to_come(&self, at: SimTime) {
        if at < self.now {
            goes_back(at, self.now);
        }
    }
}

#[cold]
#[inline(never)]
fn goes_back(at: SimTime, now: SimTime) -> ! {
    panic!("time never goes back: {at} is before {now}")
}

/// The least time that a message needs from one process to another.
pub(crate) const UNREACHABLE: SimDuration = SimDuration::MAX;
