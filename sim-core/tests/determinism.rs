//! The same results whatever the run: twice with one seed, however the entities are spread over
//! processes, and on however many threads.
//!
//! No closed form: the yardstick is the trace of a run in a single process. Five gossips live on a
//! coarse grid of time, so that nearly every event happens together with another one; whom one
//! writes to next depends on the order in which it heard everything before. Why the order does
//! not depend on the split: the total order of keys (time, source entity, its own sequence number)
//! of Chandy and Misra, Distributed simulation, 1979, made unique.

use meshsim_core::random::{Address, Draw, uniform_index};
use meshsim_core::{
    Engine, EntityId, Lookahead, Process, RunControl, RunEnd, Scheduler, SimDuration, SimTime,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const GOSSIPS: usize = 5;
/// Times are multiples of this.
const TICK: u64 = 1_000;
const TICKS: u64 = 120;

/// The least delay of messages from one gossip to another in ticks; 0 if it never writes to it.
type Distances = [[u64; GOSSIPS]; GOSSIPS];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Thought,
    Rumour,
}

/// One line of a trace: when, what, and from whom.
type Line = (SimTime, Kind, EntityId);

#[derive(Clone, Copy)]
struct Rumour {
    from: EntityId,
    /// It is passed on so many times more.
    lives: u8,
}

struct Gossip {
    /// Everything heard so far, in its order.
    memory: Address,
    trace: Vec<Line>,
}

/// The gossips of one process.
struct Circle {
    gossips: BTreeMap<EntityId, Gossip>,
    distances: Distances,
}

fn ticks(count: u64) -> SimDuration {
    SimDuration::from_nanos(count * TICK)
}

impl Circle {
    fn new(seed: u64, entities: &[EntityId], distances: &Distances) -> Self {
        let gossip = |&entity: &EntityId| {
            let memory = Address::root(seed, 0).child(u64::from(entity.0));
            (entity, Gossip { memory, trace: Vec::new() })
        };
        Self { gossips: entities.iter().map(gossip).collect(), distances: *distances }
    }

    /// Writes a line down and gives the draw that depends on it and all before.
    fn note(&mut self, entity: EntityId, line: Line) -> Draw {
        let gossip = self.gossips.get_mut(&entity).expect("the entity lives here");
        gossip.trace.push(line);
        let (time, kind, from) = line;
        gossip.memory = gossip.memory.child(time.as_nanos()).child(kind as u64);
        gossip.memory = gossip.memory.child(u64::from(from.0));
        gossip.memory.draw(0)
    }

    /// Sends a rumour to some gossip within reach, itself included, after the least delay or more.
    fn tell(&self, draw: &mut Draw, from: EntityId, lives: u8, scheduler: &mut Scheduler<(), Rumour>) {
        let to = uniform_index(draw, GOSSIPS);
        let distance = self.distances[from.0 as usize][to];
        if distance > 0 || to == from.0 as usize {
            let delay = ticks(distance + uniform_index(draw, 2) as u64);
            scheduler.send(EntityId(to as u32), scheduler.now() + delay, Rumour { from, lives });
        }
    }
}

impl Process for Circle {
    type Event = ();
    type Message = Rumour;

    fn handle(&mut self, entity: EntityId, _: (), scheduler: &mut Scheduler<(), Rumour>) {
        let now = scheduler.now();
        let mut draw = self.note(entity, (now, Kind::Thought, entity));
        self.tell(&mut draw, entity, 3, scheduler);
        // Half of the thoughts come at once, the others within three ticks.
        let pause = uniform_index(&mut draw, 6).saturating_sub(2);
        scheduler.schedule(now + ticks(pause as u64), ());
    }

    fn receive(&mut self, entity: EntityId, rumour: Rumour, scheduler: &mut Scheduler<(), Rumour>) {
        let mut draw = self.note(entity, (scheduler.now(), Kind::Rumour, rumour.from));
        if rumour.lives > 0 {
            self.tell(&mut draw, entity, rumour.lives - 1, scheduler);
            self.tell(&mut draw, entity, 0, scheduler);
        }
    }
}

/// The least delay between any two gossips of two processes, where there is one.
fn lookaheads(members: &[Vec<EntityId>], distances: &Distances) -> Vec<Lookahead> {
    let mut links = Vec::new();
    for (from, senders) in members.iter().enumerate() {
        for (to, receivers) in members.iter().enumerate().filter(|&(to, _)| to != from) {
            let pairs = senders.iter().flat_map(|a| receivers.iter().map(move |b| (a, b)));
            let delays = pairs.map(|(a, b)| distances[a.0 as usize][b.0 as usize]);
            if let Some(least) = delays.filter(|&delay| delay > 0).min() {
                links.push(Lookahead { from, to, delay: ticks(least) });
            }
        }
    }
    links
}

/// The gossips, of which number k lives in process `homes[k]`, before anything has happened.
fn engine(seed: u64, distances: &Distances, homes: [usize; GOSSIPS]) -> Engine<Circle> {
    let processes = homes.iter().max().map_or(0, |last| last + 1);
    let mut members = vec![Vec::new(); processes];
    for (entity, &home) in homes.iter().enumerate() {
        members[home].push(EntityId(entity as u32));
    }
    let links = lookaheads(&members, distances);
    let circle = |members: Vec<EntityId>| (Circle::new(seed, &members, distances), members);
    let mut engine = Engine::new(members.into_iter().map(circle).collect(), &links);
    for entity in 0..GOSSIPS as u32 {
        engine.schedule(EntityId(entity), SimTime::ZERO, ());
    }
    engine
}

fn traces_of(engine: &Engine<Circle>) -> Vec<Vec<Line>> {
    let gossips = |circle: &Circle| -> Vec<(EntityId, Vec<Line>)> {
        circle.gossips.iter().map(|(&entity, gossip)| (entity, gossip.trace.clone())).collect()
    };
    let by_entity: BTreeMap<EntityId, Vec<Line>> = engine.processes().flat_map(gossips).collect();
    by_entity.into_values().collect()
}

fn at_tick(tick: u64) -> SimTime {
    SimTime::from_nanos(tick * TICK)
}

/// The traces of all gossips, where gossip k lives in process `homes[k]`.
fn traces(seed: u64, distances: &Distances, homes: [usize; GOSSIPS]) -> Vec<Vec<Line>> {
    let mut engine = engine(seed, distances, homes);
    assert_eq!(engine.run(&mut RunControl::until(at_tick(TICKS))), RunEnd::ReachedEnd);
    traces_of(&engine)
}

fn distances() -> impl Strategy<Value = Distances> {
    prop::array::uniform5(prop::array::uniform5(0..4_u64))
}

/// Any order of the five, each in a process of its own.
fn apart() -> impl Strategy<Value = [usize; GOSSIPS]> {
    Just([0, 1, 2, 3, 4]).prop_shuffle()
}

fn in_two() -> impl Strategy<Value = [usize; GOSSIPS]> {
    prop::array::uniform5(0..2_usize)
}

const TOGETHER: [usize; GOSSIPS] = [0; GOSSIPS];

proptest! {
    #[test]
    fn one_seed_gives_one_trace(seed: u64, distances in distances(), homes in in_two()) {
        let first = traces(seed, &distances, homes);
        prop_assert_eq!(&first, &traces(seed, &distances, homes));
        prop_assert!(first != traces(seed ^ 1, &distances, homes));
    }

    #[test]
    fn the_split_does_not_matter(
        seed: u64, distances in distances(), two in in_two(), five in apart()
    ) {
        let together = traces(seed, &distances, TOGETHER);
        prop_assert_eq!(&together, &traces(seed, &distances, two));
        prop_assert_eq!(&together, &traces(seed, &distances, five));
    }
}

proptest! {
    /// A run in stages, each on another number of threads, is that of one thread, stage by stage.
    #[test]
    fn threads_do_not_matter(
        seed: u64, distances in distances(), two in in_two(), five in apart(),
        mut stages in prop::collection::vec((0..=TICKS, 1..4_usize), 1..5)
    ) {
        stages.sort_unstable();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads can be started");
        for homes in [two, five] {
            let mut alone = engine(seed, &distances, homes);
            let mut threaded = engine(seed, &distances, homes);
            for &(tick, threads) in &stages {
                let control = || RunControl::until(at_tick(tick));
                alone.run(&mut control());
                pool.install(|| threaded.run(&mut control().on_threads(threads).from_events_per_round(0)));
                prop_assert_eq!(traces_of(&alone), traces_of(&threaded));
                prop_assert_eq!(alone.pending(), threaded.pending());
                prop_assert_eq!(alone.messages().count(), threaded.messages().count());
                prop_assert_eq!(alone.handled(), threaded.handled());
            }
        }
    }
}

/// The tests above mean something: most of what a gossip meets comes at the same time as something
/// else that it meets.
#[test]
fn ties_are_frequent() {
    let traces = traces(1, &[[1; GOSSIPS]; GOSSIPS], TOGETHER);
    let lines: usize = traces.iter().map(Vec::len).sum();
    let tied = |trace: &Vec<Line>| trace.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    let ties: usize = traces.iter().map(tied).sum();
    assert!(lines > 1_000 && 2 * ties > lines, "{ties} ties in {lines} lines");
}
