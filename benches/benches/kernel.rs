//! The kernel as a whole: an M/M/1 queue at load 0.9, in which every arrival and every departure
//! is an event, every number is drawn at its customer's address, and every sojourn is recorded.
//! The goal is 10 million customers a second on one core.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use meshsim_core::random::{Address, exponential};
use meshsim_core::stats::{Histogram, Resolution, Tally};
use meshsim_core::{Engine, EntityId, Process, RunControl, Scheduler, SimDuration, SimTime};
use std::collections::VecDeque;

/// Customers served in one iteration, up to chance.
const CUSTOMERS: u64 = 1_000_000;
const MEAN_SERVICE_SECS: f64 = 1e-3;
const LOAD: f64 = 0.9;

const INTERARRIVAL: u32 = 0;
const SERVICE: u32 = 1;

#[derive(Clone, Copy)]
enum Event {
    Arrival,
    Departure,
}

struct Queue {
    root: Address,
    customers: VecDeque<SimTime>,
    arrived: u64,
    served: u64,
    sojourn: Tally,
    sojourns: Histogram,
}

impl Queue {
    fn new() -> Self {
        Self {
            root: Address::root(1, 0),
            customers: VecDeque::new(),
            arrived: 0,
            served: 0,
            sojourn: Tally::new(),
            sojourns: Histogram::new(Resolution::PerMille),
        }
    }

    fn draw(&self, purpose: u32, customer: u64, mean_secs: f64) -> SimDuration {
        let mut draw = self.root.child(customer).draw(purpose);
        SimDuration::from_secs_f64(exponential(&mut draw, mean_secs))
    }

    fn arrive(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        self.customers.push_back(now);
        self.arrived += 1;
        let gap = self.draw(INTERARRIVAL, self.arrived, MEAN_SERVICE_SECS / LOAD);
        scheduler.schedule(now + gap, Event::Arrival);
        if self.customers.len() == 1 {
            self.serve(scheduler);
        }
    }

    fn depart(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        let Some(arrival) = self.customers.pop_front() else {
            return;
        };
        let sojourn = scheduler.now() - arrival;
        self.sojourn.record(sojourn.as_secs_f64());
        self.sojourns.record(sojourn.as_nanos());
        self.served += 1;
        if !self.customers.is_empty() {
            self.serve(scheduler);
        }
    }

    fn serve(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        let service = self.draw(SERVICE, self.served, MEAN_SERVICE_SECS);
        scheduler.schedule(scheduler.now() + service, Event::Departure);
    }
}

impl Process for Queue {
    type Event = Event;
    type Message = ();

    fn handle(&mut self, _: EntityId, event: Event, scheduler: &mut Scheduler<Event, ()>) {
        match event {
            Event::Arrival => self.arrive(scheduler),
            Event::Departure => self.depart(scheduler),
        }
    }

    fn receive(&mut self, _: EntityId, (): (), _: &mut Scheduler<Event, ()>) {}
}

fn queue() -> Engine<Queue> {
    let mut engine = Engine::new(vec![(Queue::new(), vec![EntityId(0)])], &[]);
    engine.schedule(EntityId(0), SimTime::ZERO, Event::Arrival);
    engine
}

fn mm1(criterion: &mut Criterion) {
    let seconds = CUSTOMERS as f64 * MEAN_SERVICE_SECS / LOAD;
    let end = SimTime::ZERO + SimDuration::from_secs_f64(seconds);
    let mut group = criterion.benchmark_group("kernel");
    group.sample_size(20).throughput(Throughput::Elements(CUSTOMERS));
    group.bench_function("mm1", |bencher| {
        let run = |mut engine: Engine<Queue>| {
            engine.run(&mut RunControl::until(end));
            engine
        };
        bencher.iter_batched(queue, run, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, mm1);
criterion_main!(benches);
