//! An M/M/1 queue at load 0.9, in which every arrival and every departure is an event, every number is
//! drawn at its customer's address, and every sojourn is recorded.

use meshsim_core::random::{Address, exponential};
use meshsim_core::stats::{Histogram, Resolution, Tally};
use meshsim_core::{Engine, EntityId, Process, Scheduler, SimDuration, SimTime};
use std::collections::VecDeque;

/// Mean service time (s).
pub const MEAN_SERVICE_SECS: f64 = 1e-3;
/// Offered load.
pub const LOAD: f64 = 0.9;

const INTERARRIVAL: u32 = 0;
const SERVICE: u32 = 1;

/// What happens at the queue.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A customer comes.
    Arrival,
    /// A customer has been served.
    Departure,
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
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

    /// Customers served so far.
    #[must_use]
    pub const fn served(&self) -> u64 {
        self.served
    }

    /// Their mean time in the system (s).
    #[must_use]
    pub fn mean_sojourn(&self) -> Option<f64> {
        self.sojourn.mean()
    }

    #[inline]
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

/// The queue in an engine, its first customer at zero.
#[must_use]
pub fn engine() -> Engine<Queue> {
    let mut engine = Engine::new(vec![(Queue::new(), vec![EntityId(0)])], &[]);
    engine.schedule(EntityId(0), SimTime::ZERO, Event::Arrival);
    engine
}

/// When about so many customers have come.
#[must_use]
pub fn end_after(customers: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(customers as f64 * MEAN_SERVICE_SECS / LOAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::RunControl;

    #[test]
    fn its_mean_sojourn_is_that_of_theory() {
        let mut engine = engine();
        engine.run(&mut RunControl::until(end_after(1_000_000)));
        let queue = engine.processes().next().expect("there is one");
        let mean = queue.mean_sojourn().expect("customers were served");
        // 1 / (mu - lambda); the standard error of a million customers is some 2 % at this load.
        let theory = MEAN_SERVICE_SECS / (1.0 - LOAD);
        assert!((mean / theory - 1.0).abs() < 0.08, "{mean} s, not {theory}");
    }
}
