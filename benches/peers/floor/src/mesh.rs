//! The mesh: calls go through the stations of proxies and pods.

use crate::event_set::{Event, EventSet};
use crate::histogram::Histogram;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal};
use std::collections::VecDeque;

const RATE: f64 = 50.0;
const PROBABILITY: f64 = 0.3;
const SERVICES: usize = 10;
/// Whom each service may call, in turn.
const CALLEES: [&[u8]; SERVICES] = [&[1, 2, 3, 9], &[5], &[], &[4, 8], &[], &[6, 7], &[], &[], &[], &[]];
/// Each way to a service (ns).
const NEAR: u64 = 250_000;
const FAR: u64 = 80_000_000;
const WAY: [u64; SERVICES] = [NEAR, NEAR, NEAR, NEAR, FAR, FAR, NEAR, NEAR, FAR, FAR];
/// Means (ns) and coefficient of variation of what takes time.
pub(crate) const PROXY_PASS: f64 = 60e3;
pub(crate) const BEGIN: f64 = 4e6;
pub(crate) const BEGIN_OF_S0: f64 = 14e6;
pub(crate) const WRITE: f64 = 1e6;
const SPREAD: f64 = 0.5;

const PROXY_WORKERS: u32 = 2;
const POD_WORKERS: u32 = 4;
/// The gateway is the first station, then come the sidecars, then the pods.
const GATEWAY: usize = 0;
const SIDECARS: usize = 1;
const PODS: usize = SIDECARS + SERVICES;
const STATIONS: usize = PODS + SERVICES;

/// No caller: a user's.
const NOBODY: u32 = u32::MAX;

/// What has happened to a call.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Step {
    /// A user has come.
    Arrives,
    /// The client's proxy has passed it on.
    Leaves,
    /// It is at the pod.
    Reaches,
    /// The sidecar has passed it on.
    Enters,
    /// A worker has begun it.
    Begun,
    /// A worker has written the answer.
    Written,
    /// The sidecar has passed the answer on.
    AnswerLeaves,
    /// The answer is back at the client's proxy.
    AnswerReaches,
    /// The client's proxy has passed the answer on.
    AnswerEnters,
    /// The user has the answer.
    Answered,
}

#[derive(Clone, Copy)]
struct Call {
    began: u64,
    caller: u32,
    service: u8,
    next_callee: u8,
}

/// A first come, first served queue with some workers.
struct Station {
    free: u32,
    waiting: VecDeque<(u32, Step)>,
}

pub(crate) struct Mesh {
    now: u64,
    events: EventSet,
    calls: Vec<Call>,
    unused: Vec<u32>,
    stations: [Station; STATIONS],
    random: SmallRng,
    gap: Exp<f64>,
    proxy_pass: LogNormal<f64>,
    begin: LogNormal<f64>,
    begin_of_s0: LogNormal<f64>,
    write: LogNormal<f64>,
    visits: [Histogram; SERVICES],
    latencies: Histogram,
    still_to_come: u64,
    handled: u64,
}

impl Mesh {
    pub(crate) fn new(seed: u64) -> Self {
        let law = |mean| LogNormal::from_mean_cv(mean, SPREAD).expect("a mean and a spread");
        let station = |index| Station {
            free: if index < PODS { PROXY_WORKERS } else { POD_WORKERS },
            waiting: VecDeque::new(),
        };
        Self {
            now: 0,
            events: EventSet::default(),
            calls: Vec::new(),
            unused: Vec::new(),
            stations: std::array::from_fn(station),
            random: SmallRng::seed_from_u64(seed),
            gap: Exp::new(RATE / 1e9).expect("a rate"),
            proxy_pass: law(PROXY_PASS),
            begin: law(BEGIN),
            begin_of_s0: law(BEGIN_OF_S0),
            write: law(WRITE),
            visits: std::array::from_fn(|_| Histogram::new()),
            latencies: Histogram::new(),
            still_to_come: 0,
            handled: 0,
        }
    }

    /// Lets so many users come, and runs until all are answered.
    pub(crate) fn run(&mut self, requests: u64) {
        self.still_to_come = requests;
        if requests > 0 {
            self.schedule(0, NOBODY, Step::Arrives);
        }
        while let Some(event) = self.events.pop() {
            self.now = event.time;
            self.handled += 1;
            self.handle(event.call, event.step);
        }
    }

    pub(crate) fn latencies(&self) -> &Histogram {
        &self.latencies
    }

    #[cfg(test)]
    pub(crate) fn visits(&self) -> &[Histogram; SERVICES] {
        &self.visits
    }

    pub(crate) fn handled(&self) -> u64 {
        self.handled
    }

    fn handle(&mut self, call: u32, step: Step) {
        match step {
            Step::Arrives => self.user_comes(),
            Step::Leaves => {
                self.release(self.client(call));
                self.schedule(self.way(call), call, Step::Reaches);
            }
            Step::Reaches => self.enter(self.sidecar(call), call, Step::Enters),
            Step::Enters => {
                self.release(self.sidecar(call));
                self.enter(self.pod(call), call, Step::Begun);
            }
            Step::Begun => {
                self.release(self.pod(call));
                self.go_on(call);
            }
            Step::Written => {
                self.release(self.pod(call));
                self.enter(self.sidecar(call), call, Step::AnswerLeaves);
            }
            Step::AnswerLeaves => {
                self.release(self.sidecar(call));
                self.schedule(self.way(call), call, Step::AnswerReaches);
            }
            Step::AnswerReaches => self.enter(self.client(call), call, Step::AnswerEnters),
            Step::AnswerEnters => {
                self.release(self.client(call));
                self.visit_ends(call);
            }
            Step::Answered => {
                self.latencies.record(self.now - self.calls[call as usize].began);
                self.unused.push(call);
            }
        }
    }

    fn user_comes(&mut self) {
        self.still_to_come -= 1;
        if self.still_to_come > 0 {
            let gap = self.gap.sample(&mut self.random) as u64;
            self.schedule(gap, NOBODY, Step::Arrives);
        }
        self.call(NOBODY, 0);
    }

    fn call(&mut self, caller: u32, service: u8) {
        let new = Call { began: self.now, caller, service, next_callee: 0 };
        let call = match self.unused.pop() {
            Some(call) => {
                self.calls[call as usize] = new;
                call
            }
            None => {
                self.calls.push(new);
                self.calls.len() as u32 - 1
            }
        };
        self.enter(self.client(call), call, Step::Leaves);
    }

    /// The pod makes the call's next call, or writes its answer.
    fn go_on(&mut self, call: u32) {
        loop {
            let state = &mut self.calls[call as usize];
            let Some(&callee) = CALLEES[usize::from(state.service)].get(usize::from(state.next_callee)) else {
                break self.enter(self.pod(call), call, Step::Written);
            };
            state.next_callee += 1;
            if self.random.random::<f64>() < PROBABILITY {
                break self.call(call, callee);
            }
        }
    }

    fn visit_ends(&mut self, call: u32) {
        let Call { began, caller, service, .. } = self.calls[call as usize];
        self.visits[usize::from(service)].record(self.now - began);
        if caller == NOBODY {
            return self.schedule(NEAR, call, Step::Answered);
        }
        self.unused.push(call);
        self.go_on(caller);
    }

    fn client(&self, call: u32) -> usize {
        let caller = self.calls[call as usize].caller;
        if caller == NOBODY { GATEWAY } else { self.sidecar(caller) }
    }

    fn sidecar(&self, call: u32) -> usize {
        SIDECARS + usize::from(self.calls[call as usize].service)
    }

    fn pod(&self, call: u32) -> usize {
        PODS + usize::from(self.calls[call as usize].service)
    }

    fn way(&self, call: u32) -> u64 {
        WAY[usize::from(self.calls[call as usize].service)]
    }

    fn enter(&mut self, station: usize, call: u32, done: Step) {
        let station = &mut self.stations[station];
        if station.free == 0 {
            station.waiting.push_back((call, done));
        } else {
            station.free -= 1;
            self.serve(call, done);
        }
    }

    fn release(&mut self, station: usize) {
        let station = &mut self.stations[station];
        match station.waiting.pop_front() {
            Some((call, done)) => self.serve(call, done),
            None => station.free += 1,
        }
    }

    fn serve(&mut self, call: u32, done: Step) {
        let law = match done {
            Step::Begun if self.calls[call as usize].service == 0 => &self.begin_of_s0,
            Step::Begun => &self.begin,
            Step::Written => &self.write,
            _ => &self.proxy_pass,
        };
        let takes = law.sample(&mut self.random) as u64;
        self.schedule(takes, call, done);
    }

    fn schedule(&mut self, after: u64, call: u32, step: Step) {
        self.events.push(Event { time: self.now + after, call, step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At a load of a fifth at most hardly anybody waits: a request takes the sum of its means.
    #[test]
    fn a_request_takes_the_time_and_the_events_that_add_up() {
        let mut mesh = Mesh::new(1);
        mesh.run(400_000);
        assert_eq!(mesh.latencies().count(), 400_000);
        // Per request: visits near and far, those of s0 apart.
        let (near, far) = (1.0 + 0.3 * 3.0 + 0.027 * 2.0, 0.3 + 0.09 * 3.0);
        let visits = near + far;
        let events = mesh.handled() as f64 / 400_000.0;
        assert!((events - (2.0 + 8.0 * visits)).abs() < 0.05, "{events} events a request");
        let ways = (2.0 * near + 1.0) * NEAR as f64 + 2.0 * far * FAR as f64;
        let work = BEGIN_OF_S0 - BEGIN + visits * (BEGIN + WRITE + 4.0 * PROXY_PASS);
        let (mean, sum) = (mesh.latencies().mean_ns(), ways + work);
        assert!(mean > sum * 0.995 && mean < sum * 1.01, "{mean} ns, not {sum}");
        let of_visits: u64 = mesh.visits().iter().map(Histogram::count).sum();
        assert!((of_visits as f64 / 400_000.0 - visits).abs() < 0.01);
    }
}
