//! Ends, cancellation, continuation and progress of a run, and what the kernel refuses.
//!
//! No closed form: the yardstick is the same model run once without interruption.

use meshsim_core::random::Address;
use meshsim_core::{
    Engine, EntityId, Lookahead, Process, RunControl, RunEnd, Scheduler, SimDuration, SimTime,
};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// The least delay of a message from one walker to the next, of which there are three.
const LOOKAHEAD: SimDuration = SimDuration::from_nanos(3);
const WALKERS: u32 = 3;

/// Steps on at random times, sends its digest round, and digests everything that it meets.
struct Walker {
    digest: Address,
    sends: bool,
}

impl Walker {
    fn new(sends: bool) -> Self {
        Self { digest: Address::root(1, 0), sends }
    }

    fn take_in(&mut self, now: SimTime, from: u32) {
        self.digest = self.digest.child(now.as_nanos()).child(u64::from(from));
    }
}

impl Process for Walker {
    type Event = ();
    type Message = u64;

    fn handle(&mut self, entity: EntityId, _: (), scheduler: &mut Scheduler<(), u64>) {
        self.take_in(scheduler.now(), entity.0);
        let (next, now) = (EntityId((entity.0 + 1) % WALKERS), scheduler.now());
        if self.sends && self.digest.hash().is_multiple_of(4) {
            let on_top = SimDuration::from_nanos(self.digest.hash() / 4 % 4);
            scheduler.send(next, now + LOOKAHEAD + on_top, self.digest.hash());
        }
        scheduler.schedule(now + SimDuration::from_nanos(self.digest.hash() >> 62), ());
    }

    fn receive(&mut self, entity: EntityId, message: u64, scheduler: &mut Scheduler<(), u64>) {
        self.take_in(scheduler.now(), WALKERS + entity.0);
        self.digest = self.digest.child(message);
    }
}

fn walkers(send: bool) -> Engine<Walker> {
    let process = |entity| (Walker::new(send), vec![EntityId(entity)]);
    let link = |from: u32| {
        let to = ((from + 1) % WALKERS) as usize;
        Lookahead { from: from as usize, to, delay: LOOKAHEAD }
    };
    let links: Vec<Lookahead> = if send { (0..WALKERS).map(link).collect() } else { Vec::new() };
    let mut engine = Engine::new((0..WALKERS).map(process).collect(), &links);
    for entity in 0..WALKERS {
        engine.schedule(EntityId(entity), SimTime::ZERO, ());
    }
    engine
}

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

fn digests(engine: &Engine<Walker>) -> (Vec<Address>, u64) {
    (engine.processes().map(|walker| walker.digest).collect(), engine.handled())
}

/// The state after one run without interruption.
fn at_once(end: u64) -> (Vec<Address>, u64) {
    let mut engine = walkers(true);
    assert_eq!(engine.run(&mut RunControl::until(at(end))), RunEnd::ReachedEnd);
    digests(&engine)
}

proptest! {
    #[test]
    fn a_run_in_parts_equals_one_run(mut ends in prop::collection::vec(0..400_u64, 1..6)) {
        let mut engine = walkers(true);
        ends.sort_unstable();
        for &end in &ends {
            prop_assert_eq!(engine.run(&mut RunControl::until(at(end))), RunEnd::ReachedEnd);
        }
        prop_assert_eq!(digests(&engine), at_once(ends[ends.len() - 1]));
    }

    /// The progress hook pulls the brake, so a run stops between any two rounds, with messages on
    /// their way.
    #[test]
    fn a_cancelled_run_can_be_continued(brakes in prop::collection::vec(0..400_u64, 1..6)) {
        let mut engine = walkers(true);
        for brake in brakes {
            let cancel = AtomicBool::new(false);
            let mut hook = |reached| cancel.store(reached >= at(brake), Ordering::Relaxed);
            let mut control = RunControl::until(at(400)).cancelled_by(&cancel).reporting_to(&mut hook);
            engine.run(&mut control);
        }
        engine.run(&mut RunControl::until(at(400)));
        prop_assert_eq!(digests(&engine), at_once(400));
    }
}

#[test]
fn cancellation_stops_a_run_without_end() {
    let cancel = AtomicBool::new(false);
    let mut engine = walkers(false);
    let mut hook = |reached| cancel.store(reached >= at(1_000_000), Ordering::Relaxed);
    let mut control = RunControl::until(SimTime::MAX).cancelled_by(&cancel).reporting_to(&mut hook);
    assert_eq!(engine.run(&mut control), RunEnd::Cancelled);
    assert!(engine.pending() > 0);
}

#[test]
fn a_run_that_is_cancelled_before_it_starts_does_nothing() {
    let cancel = AtomicBool::new(true);
    let mut engine = walkers(false);
    let mut control = RunControl::until(SimTime::MAX).cancelled_by(&cancel);
    assert_eq!(engine.run(&mut control), RunEnd::Cancelled);
    assert_eq!(engine.handled(), 0);
}

/// With links the rounds are short; without, every process could run to the end at once.
#[test]
fn progress_never_goes_back() {
    for send in [false, true] {
        let (mut reports, mut engine) = (Vec::new(), walkers(send));
        for end in [300_000, 600_000] {
            let mut hook = |reached| reports.push(reached);
            engine.run(&mut RunControl::until(at(end)).reporting_to(&mut hook));
            assert_eq!(reports.last(), Some(&at(end)));
        }
        assert!(reports.len() > 4, "{reports:?}");
        assert!(reports.is_sorted(), "{reports:?}");
    }
}

#[test]
fn what_happens_at_the_end_itself_is_left_for_later() {
    let mut engine = walkers(false);
    engine.run(&mut RunControl::until(SimTime::ZERO));
    assert_eq!((engine.handled(), engine.pending()), (0, WALKERS as usize));
}

/// Sends one message to entity 1 after this delay, or schedules an event in the past.
#[derive(Clone, Copy)]
enum Fault {
    Send { delay: u64 },
    Schedule,
    ScheduleForOther,
}

impl Process for Fault {
    type Event = ();
    type Message = ();

    fn handle(&mut self, _: EntityId, _: (), scheduler: &mut Scheduler<(), ()>) {
        match *self {
            Self::Send { delay } => {
                let arrival = scheduler.now() + SimDuration::from_nanos(delay);
                scheduler.send(EntityId(1), arrival, ());
            }
            Self::Schedule => scheduler.schedule(at(4), ()),
            Self::ScheduleForOther => scheduler.schedule_for(EntityId(1), at(9), ()),
        }
    }

    fn receive(&mut self, _: EntityId, _: (), _: &mut Scheduler<(), ()>) {}
}

/// Two processes with a link of 3 ns from the first to the second and, if they are `far`, to the
/// second by way of a third only. One event at 5 ns commits the fault.
fn commit(fault: Fault, far: bool) -> u64 {
    let process = |entity| (fault, vec![EntityId(entity)]);
    let link = |from, to| Lookahead { from, to, delay: LOOKAHEAD };
    let links = if far { vec![link(0, 2), link(2, 1)] } else { vec![link(0, 1)] };
    let mut engine = Engine::new((0..3).map(process).collect(), &links);
    engine.schedule(EntityId(0), at(5), ());
    engine.run(&mut RunControl::until(at(100)));
    engine.handled()
}

#[test]
fn a_message_may_take_just_the_lookahead() {
    assert_eq!(commit(Fault::Send { delay: 3 }, false), 2);
}

#[test]
#[should_panic(expected = "less than the lookahead of 3ns")]
fn a_message_below_the_lookahead_panics() {
    commit(Fault::Send { delay: 2 }, false);
}

#[test]
#[should_panic(expected = "less than the lookahead")]
fn a_message_where_there_is_no_link_panics() {
    commit(Fault::Send { delay: 50 }, true);
}

#[test]
fn of_two_lookaheads_the_lesser_counts() {
    let lookahead = |delay| Lookahead { from: 0, to: 1, delay: SimDuration::from_nanos(delay) };
    for links in [[lookahead(7), lookahead(2)], [lookahead(2), lookahead(7)]] {
        let process = |entity| (Fault::Send { delay: 2 }, vec![EntityId(entity)]);
        let mut engine = Engine::new((0..2).map(process).collect(), &links);
        engine.schedule(EntityId(0), at(5), ());
        engine.run(&mut RunControl::until(at(100)));
        assert_eq!(engine.handled(), 2);
    }
}

#[test]
#[should_panic(expected = "time never goes back")]
fn an_event_in_the_past_panics() {
    commit(Fault::Schedule, false);
}

#[test]
#[should_panic(expected = "belongs to another process")]
fn an_event_for_an_entity_elsewhere_panics() {
    commit(Fault::ScheduleForOther, false);
}

#[test]
#[should_panic(expected = "a lookahead of zero")]
fn a_lookahead_of_zero_is_refused() {
    let link = Lookahead { from: 0, to: 1, delay: SimDuration::ZERO };
    let process = |entity| (Fault::Schedule, vec![EntityId(entity)]);
    let _ = Engine::new((0..2).map(process).collect(), &[link]);
}

#[test]
#[should_panic(expected = "is in two processes")]
fn an_entity_in_two_processes_is_refused() {
    let process = |entity| (Fault::Schedule, vec![EntityId(entity)]);
    let _ = Engine::new([0, 0].map(process).into(), &[]);
}
