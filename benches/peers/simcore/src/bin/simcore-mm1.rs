//! An M/M/1 queue at load 0.9 on simcore: `simcore-mm1 CUSTOMERS`.

use hdrhistogram::Histogram;
use rand_distr::Exp;
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::rc::Rc;

const MEAN_SERVICE_SECS: f64 = 1e-3;
const LOAD: f64 = 0.9;

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Departure {}

struct Queue {
    context: SimulationContext,
    gap: Exp<f64>,
    service: Exp<f64>,
    customers: VecDeque<f64>,
    to_come: u64,
    /// In ns, to three digits.
    sojourns: Histogram<u64>,
}

impl Queue {
    fn arrive(&mut self) {
        self.to_come -= 1;
        if self.to_come > 0 {
            let gap = self.context.sample_from_distribution(&self.gap);
            self.context.emit_self(Arrival {}, gap);
        }
        self.customers.push_back(self.context.time());
        if self.customers.len() == 1 {
            self.serve();
        }
    }

    fn depart(&mut self) {
        if let Some(arrival) = self.customers.pop_front() {
            let sojourn = self.context.time() - arrival;
            self.sojourns.record((sojourn * 1e9) as u64).expect("a resizing histogram takes any");
        }
        if !self.customers.is_empty() {
            self.serve();
        }
    }

    fn serve(&self) {
        let service = self.context.sample_from_distribution(&self.service);
        self.context.emit_self(Departure {}, service);
    }
}

impl EventHandler for Queue {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                self.arrive();
            }
            Departure {} => {
                self.depart();
            }
        })
    }
}

fn main() -> ExitCode {
    let Some(customers) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: simcore-mm1 CUSTOMERS");
        return ExitCode::from(2);
    };
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("queue");
    context.emit_self(Arrival {}, 0.0);
    let queue = Rc::new(RefCell::new(Queue {
        context,
        gap: Exp::new(LOAD / MEAN_SERVICE_SECS).expect("a rate"),
        service: Exp::new(1.0 / MEAN_SERVICE_SECS).expect("a rate"),
        customers: VecDeque::new(),
        to_come: customers,
        sojourns: Histogram::new(3).expect("three digits"),
    }));
    simulation.add_handler("queue", queue.clone());
    simulation.step_until_no_events();
    let queue = queue.borrow();
    println!("units {}", queue.sojourns.len());
    println!("mean_ms {:.4}", queue.sojourns.mean() / 1e6);
    ExitCode::SUCCESS
}
