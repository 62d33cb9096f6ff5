//! The call graph of meshsim's benchmarks on simcore: `simcore-call-graph REQUESTS`.
//!
//! What takes no time is a call, as simcore's documentation advises; what takes time is an event of the one component.

use hdrhistogram::Histogram;
use rand_distr::Exp;
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::rc::Rc;

const RATE: f64 = 50.0;
const PROBABILITY: f64 = 0.3;
const SERVERS: u32 = 4;
const ONE_WAY: f64 = 0.08;
const CALLEES: [&[usize]; 10] = [&[1, 2, 3, 9], &[5], &[], &[4, 8], &[], &[6, 7], &[], &[], &[], &[]];
const FAR: [bool; 10] = [false, false, false, false, true, true, false, false, true, true];

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Reaches {
    call: usize,
}

#[derive(Clone, Serialize)]
struct Served {
    call: usize,
}

#[derive(Clone, Serialize)]
struct Answered {
    call: usize,
}

#[derive(Clone, Copy)]
struct Call {
    caller: Option<usize>,
    began: f64,
    service: usize,
    next_callee: usize,
}

#[derive(Default)]
struct Station {
    busy: u32,
    queue: VecDeque<usize>,
}

struct CallGraph {
    context: SimulationContext,
    gap: Exp<f64>,
    service_of_s0: Exp<f64>,
    service: Exp<f64>,
    calls: Vec<Call>,
    unused: Vec<usize>,
    stations: [Station; 10],
    to_come: u64,
    /// In ns, to three digits.
    latencies: Histogram<u64>,
}

impl CallGraph {
    fn user_comes(&mut self) {
        self.to_come -= 1;
        if self.to_come > 0 {
            let gap = self.context.sample_from_distribution(&self.gap);
            self.context.emit_self(Arrival {}, gap);
        }
        let call = self.insert(None, 0);
        self.reaches(call);
    }

    fn insert(&mut self, caller: Option<usize>, service: usize) -> usize {
        let call = Call { caller, began: self.context.time(), service, next_callee: 0 };
        if let Some(index) = self.unused.pop() {
            self.calls[index] = call;
            return index;
        }
        self.calls.push(call);
        self.calls.len() - 1
    }

    fn reaches(&mut self, call: usize) {
        let station = &mut self.stations[self.calls[call].service];
        if station.busy == SERVERS {
            station.queue.push_back(call);
        } else {
            station.busy += 1;
            self.serve(call);
        }
    }

    fn serve(&self, call: usize) {
        let law = if self.calls[call].service == 0 { &self.service_of_s0 } else { &self.service };
        let takes = self.context.sample_from_distribution(law);
        self.context.emit_self(Served { call }, takes);
    }

    fn served(&mut self, call: usize) {
        let station = &mut self.stations[self.calls[call].service];
        match station.queue.pop_front() {
            Some(next) => self.serve(next),
            None => station.busy -= 1,
        }
        self.go_on(call);
    }

    fn go_on(&mut self, call: usize) {
        loop {
            let state = &mut self.calls[call];
            let Some(&callee) = CALLEES[state.service].get(state.next_callee) else {
                break;
            };
            state.next_callee += 1;
            if self.context.rand() >= PROBABILITY {
                continue;
            }
            let further = self.insert(Some(call), callee);
            if FAR[callee] {
                self.context.emit_self(Reaches { call: further }, ONE_WAY);
            } else {
                self.reaches(further);
            }
            return;
        }
        if FAR[self.calls[call].service] {
            self.context.emit_self(Answered { call }, ONE_WAY);
        } else {
            self.answered(call);
        }
    }

    fn answered(&mut self, call: usize) {
        self.unused.push(call);
        let Call { caller, began, .. } = self.calls[call];
        match caller {
            Some(caller) => self.go_on(caller),
            None => {
                let latency = self.context.time() - began;
                self.latencies.record((latency * 1e9) as u64).expect("a resizing histogram takes any");
            }
        }
    }
}

impl EventHandler for CallGraph {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                self.user_comes();
            }
            Reaches { call } => {
                self.reaches(call);
            }
            Served { call } => {
                self.served(call);
            }
            Answered { call } => {
                self.answered(call);
            }
        })
    }
}

fn main() -> ExitCode {
    let Some(requests) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: simcore-call-graph REQUESTS");
        return ExitCode::from(2);
    };
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("application");
    context.emit_self(Arrival {}, 0.0);
    let graph = Rc::new(RefCell::new(CallGraph {
        context,
        gap: Exp::new(RATE).expect("a rate"),
        service_of_s0: Exp::new(1.0 / 0.015).expect("a rate"),
        service: Exp::new(1.0 / 0.005).expect("a rate"),
        calls: Vec::new(),
        unused: Vec::new(),
        stations: Default::default(),
        to_come: requests,
        latencies: Histogram::new(3).expect("three digits"),
    }));
    simulation.add_handler("application", graph.clone());
    simulation.step_until_no_events();
    let graph = graph.borrow();
    println!("units {}", graph.latencies.len());
    println!("mean_ms {:.4}", graph.latencies.mean() / 1e6);
    ExitCode::SUCCESS
}
