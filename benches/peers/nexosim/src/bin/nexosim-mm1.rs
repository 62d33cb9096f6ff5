//! An M/M/1 queue at load 0.9 on NeXosim, on one thread: `nexosim-mm1 CUSTOMERS`.

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_slot};
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

const MEAN_SERVICE_SECS: f64 = 1e-3;
const LOAD: f64 = 0.9;

#[derive(Serialize, Deserialize)]
struct Queue {
    /// Customers served and their mean sojourn (s), when the last one has gone.
    result: Output<(u64, f64)>,
    random: Pcg64Mcg,
    gap: Exp<f64>,
    service: Exp<f64>,
    customers: VecDeque<MonotonicTime>,
    to_come: u64,
    served: u64,
    sojourns: f64,
}

#[Model]
impl Queue {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>) {
        // Nothing is scheduled for now: the first customer comes after a gap, too.
        self.schedule_arrival(context);
    }

    #[nexosim(schedulable)]
    fn arrive(&mut self, _: (), context: &Context<Self>) {
        self.to_come -= 1;
        if self.to_come > 0 {
            self.schedule_arrival(context);
        }
        self.customers.push_back(context.time());
        if self.customers.len() == 1 {
            self.serve(context);
        }
    }

    #[nexosim(schedulable)]
    async fn depart(&mut self, _: (), context: &Context<Self>) {
        if let Some(arrival) = self.customers.pop_front() {
            self.served += 1;
            self.sojourns += context.time().duration_since(arrival).as_secs_f64();
        }
        if !self.customers.is_empty() {
            self.serve(context);
        } else if self.to_come == 0 {
            self.result.send((self.served, self.sojourns / self.served as f64)).await;
        }
    }

    fn schedule_arrival(&mut self, context: &Context<Self>) {
        let gap = after(self.gap.sample(&mut self.random));
        context.schedule_event(gap, schedulable!(Self::arrive), ()).expect("it is to come");
    }

    fn serve(&mut self, context: &Context<Self>) {
        let service = after(self.service.sample(&mut self.random));
        context.schedule_event(service, schedulable!(Self::depart), ()).expect("it is to come");
    }
}

/// NeXosim schedules nothing for now.
fn after(secs: f64) -> Duration {
    Duration::from_secs_f64(secs).max(Duration::from_nanos(1))
}

fn main() -> ExitCode {
    let Some(customers) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: nexosim-mm1 CUSTOMERS");
        return ExitCode::from(2);
    };
    match run(customers) {
        Ok((served, mean)) => {
            println!("units {served}");
            println!("mean_ms {:.4}", mean * 1e3);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(customers: u64) -> Result<(u64, f64), SimulationError> {
    let mut queue = Queue {
        result: Output::default(),
        random: Pcg64Mcg::seed_from_u64(1),
        gap: Exp::new(LOAD / MEAN_SERVICE_SECS).expect("a rate"),
        service: Exp::new(1.0 / MEAN_SERVICE_SECS).expect("a rate"),
        customers: VecDeque::new(),
        to_come: customers,
        served: 0,
        sojourns: 0.0,
    };
    let (sink, mut result) = event_slot(SinkState::Enabled);
    queue.result.connect_sink(sink);
    let mut simulation =
        SimInit::with_num_threads(1).add_model(queue, Mailbox::new(), "queue").init(MonotonicTime::EPOCH)?;
    simulation.run()?;
    Ok(result.try_read().expect("the last customer has gone"))
}
