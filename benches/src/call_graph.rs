//! The benchmark application's call graph without proxies, on the bare kernel.
//!
//! Users come in a Poisson stream of 50/s. s0 calls s1, s2, s3 and s9 one after the other, each with
//! probability 0.3; s1 calls s5; s3 calls s4, s8; s5 calls s6, s7; all 0.3. Every service is a first come,
//! first served station of 4 servers, exponential with a mean of 5 ms (s0: 15 ms), and a server is held
//! for its own work only. It takes 80 ms each way to s9, s5, s4 and s8. In theory a request takes
//! 113.86 ms and 4.66 events at which time goes on.

use meshsim_core::random::{Address, bernoulli, exponential};
use meshsim_core::stats::{Histogram, Resolution, Tally};
use meshsim_core::{Engine, EntityId, Handle, Process, Scheduler, SimDuration, SimTime, Slab};
use std::collections::VecDeque;

const RATE: f64 = 50.0;
const PROBABILITY: f64 = 0.3;
const SERVERS: u32 = 4;
const ONE_WAY: SimDuration = SimDuration::from_millis(80);

const INTERARRIVAL: u32 = 0;
const SERVICE: u32 = 1;
const CALLS: u32 = 2;

/// Whom each service may call, in turn.
const CALLEES: [&[u8]; 10] = [&[1, 2, 3, 9], &[5], &[], &[4, 8], &[], &[6, 7], &[], &[], &[], &[]];
/// Those on the far side of the link from their callers.
const FAR: [bool; 10] = [false, false, false, false, true, true, false, false, true, true];

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A user comes.
    Arrival,
    /// A call has crossed the link to its service.
    Reaches(Handle<Call>),
    /// A server is done with a call.
    Served(Handle<Call>),
    /// An answer has crossed the link back to the call's caller.
    Answered(Handle<Call>),
}

/// A call in flight.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    caller: Option<Handle<Call>>,
    address: Address,
    began: SimTime,
    service: u8,
    next_callee: u8,
}

#[derive(Clone, Debug, Default)]
struct Station {
    busy: u32,
    queue: VecDeque<Handle<Call>>,
}

/// All stations.
#[derive(Clone, Debug)]
pub struct CallGraph {
    root: Address,
    calls: Slab<Call>,
    stations: [Station; 10],
    arrived: u64,
    latency: Tally,
    latencies: Histogram,
}

impl CallGraph {
    fn new() -> Self {
        Self {
            root: Address::root(1, 0),
            calls: Slab::new(),
            stations: std::array::from_fn(|_| Station::default()),
            arrived: 0,
            latency: Tally::new(),
            latencies: Histogram::new(Resolution::PerMille),
        }
    }

    /// User requests answered so far.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.latency.count()
    }

    /// Their mean latency (s).
    #[must_use]
    pub fn mean_latency(&self) -> Option<f64> {
        self.latency.mean()
    }

    fn user_comes(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        self.arrived += 1;
        let address = self.root.child(self.arrived);
        let gap = exponential(&mut address.draw(INTERARRIVAL), 1.0 / RATE);
        scheduler.schedule(now + SimDuration::from_secs_f64(gap), Event::Arrival);
        let call = Call { caller: None, address, began: now, service: 0, next_callee: 0 };
        let call = self.calls.insert(call);
        self.reaches(call, scheduler);
    }

    fn reaches(&mut self, call: Handle<Call>, scheduler: &mut Scheduler<Event, ()>) {
        let station = &mut self.stations[usize::from(self.calls[call].service)];
        if station.busy == SERVERS {
            station.queue.push_back(call);
        } else {
            station.busy += 1;
            self.serve(call, scheduler);
        }
    }

    fn serve(&mut self, call: Handle<Call>, scheduler: &mut Scheduler<Event, ()>) {
        let state = &self.calls[call];
        let mean = if state.service == 0 { 0.015 } else { 0.005 };
        let takes = exponential(&mut state.address.draw(SERVICE), mean);
        scheduler.schedule(scheduler.now() + SimDuration::from_secs_f64(takes), Event::Served(call));
    }

    fn served(&mut self, call: Handle<Call>, scheduler: &mut Scheduler<Event, ()>) {
        let station = &mut self.stations[usize::from(self.calls[call].service)];
        match station.queue.pop_front() {
            Some(next) => self.serve(next, scheduler),
            None => station.busy -= 1,
        }
        self.go_on(call, scheduler);
    }

    /// The call makes its next call, or is answered.
    fn go_on(&mut self, call: Handle<Call>, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        loop {
            let state = &mut self.calls[call];
            let Some(&callee) = CALLEES[usize::from(state.service)].get(usize::from(state.next_callee))
            else {
                break;
            };
            state.next_callee += 1;
            let address = state.address.child(u64::from(callee));
            if !bernoulli(&mut address.draw(CALLS), PROBABILITY) {
                continue;
            }
            let further = Call { caller: Some(call), address, began: now, service: callee, next_callee: 0 };
            let further = self.calls.insert(further);
            if FAR[usize::from(callee)] {
                scheduler.schedule(now + ONE_WAY, Event::Reaches(further));
            } else {
                self.reaches(further, scheduler);
            }
            return;
        }
        if FAR[usize::from(self.calls[call].service)] {
            scheduler.schedule(now + ONE_WAY, Event::Answered(call));
        } else {
            self.answered_at_caller(call, scheduler);
        }
    }

    fn answered_at_caller(&mut self, call: Handle<Call>, scheduler: &mut Scheduler<Event, ()>) {
        let state = self.calls.remove(call);
        if let Some(caller) = state.caller {
            return self.go_on(caller, scheduler);
        }
        let latency = scheduler.now() - state.began;
        self.latency.record(latency.as_secs_f64());
        self.latencies.record(latency.as_nanos());
    }
}

impl Process for CallGraph {
    type Event = Event;
    type Message = ();

    fn handle(&mut self, _: EntityId, event: Event, scheduler: &mut Scheduler<Event, ()>) {
        match event {
            Event::Arrival => self.user_comes(scheduler),
            Event::Reaches(call) => self.reaches(call, scheduler),
            Event::Served(call) => self.served(call, scheduler),
            Event::Answered(call) => self.answered_at_caller(call, scheduler),
        }
    }

    fn receive(&mut self, _: EntityId, (): (), _: &mut Scheduler<Event, ()>) {}
}

/// The call graph in an engine, its first user at zero.
#[must_use]
pub fn engine() -> Engine<CallGraph> {
    let mut engine = Engine::new(vec![(CallGraph::new(), vec![EntityId(0)])], &[]);
    engine.schedule(EntityId(0), SimTime::ZERO, Event::Arrival);
    engine
}

/// When about so many users have come.
#[must_use]
pub fn end_after(users: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(users as f64 / RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::RunControl;

    #[test]
    fn a_request_takes_the_time_and_the_events_of_theory() {
        let mut engine = engine();
        engine.run(&mut RunControl::until(end_after(400_000)));
        let graph = engine.processes().next().expect("there is one");
        let mean = graph.mean_latency().expect("users were answered") * 1e3;
        // The standard error of 400,000 requests is some 0.2 ms.
        assert!((mean - 113.86).abs() < 0.8, "{mean} ms");
        let events = engine.handled() as f64 / graph.answered() as f64;
        assert!((events - 4.664).abs() < 0.02, "{events} events a request");
    }
}
