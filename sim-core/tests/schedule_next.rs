//! One event that goes on from moment to moment has the order of many that were scheduled at the start.

use meshsim_core::{Engine, EntityId, Process, RunControl, Scheduler, SimDuration, SimTime};

const MOMENTS: [u64; 5] = [3, 5, 5, 8, 20];

#[derive(Clone, Copy)]
enum Event {
    /// The moment of this number, scheduled at the start.
    Known(usize),
    /// The moment of this number, of the event that goes on.
    Next(usize),
    /// Every nanosecond, scheduled by the one before.
    Ticks,
}

#[derive(Default)]
struct Log(Vec<(u64, Option<usize>)>);

impl Process for Log {
    type Event = Event;
    type Message = ();

    fn handle(&mut self, _: EntityId, event: Event, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        let what = match event {
            Event::Ticks => {
                scheduler.schedule(now + SimDuration::from_nanos(1), Event::Ticks);
                None
            }
            Event::Known(number) => Some(number),
            Event::Next(number) => {
                if let Some(&at) = MOMENTS.get(number + 1) {
                    scheduler.schedule_next(SimTime::from_nanos(at), Event::Next(number + 1));
                }
                Some(number)
            }
        };
        self.0.push((now.as_nanos(), what));
    }

    fn receive(&mut self, _: EntityId, (): (), _: &mut Scheduler<Event, ()>) {}
}

fn run(schedule: impl Fn(&mut Engine<Log>)) -> Vec<(u64, Option<usize>)> {
    let mut engine = Engine::new(vec![(Log::default(), vec![EntityId(0)])], &[]);
    engine.schedule(EntityId(0), SimTime::from_nanos(8), Event::Ticks);
    schedule(&mut engine);
    engine.schedule(EntityId(0), SimTime::ZERO, Event::Ticks);
    engine.run(&mut RunControl::until(SimTime::from_nanos(30)));
    let log = engine.processes().map(|log| log.0.clone()).next();
    log.expect("there is a process")
}

#[test]
fn an_event_that_goes_on_keeps_its_place() {
    let at_once = run(|engine| {
        for (number, &at) in MOMENTS.iter().enumerate() {
            engine.schedule(EntityId(0), SimTime::from_nanos(at), Event::Known(number));
        }
    });
    let going_on =
        run(|engine| engine.schedule(EntityId(0), SimTime::from_nanos(MOMENTS[0]), Event::Next(0)));
    assert_eq!(going_on, at_once);
    let at_8: Vec<_> = going_on.iter().filter(|(at, _)| *at == 8).map(|(_, what)| *what).collect();
    assert_eq!(at_8, [None, Some(3), None], "after what was there before, before what came since");
}
