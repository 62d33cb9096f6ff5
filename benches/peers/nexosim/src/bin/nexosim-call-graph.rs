//! The call graph of meshsim's benchmarks on NeXosim, on one thread: `nexosim-call-graph REQUESTS`.
//!
//! What takes no time is a call; what takes time is scheduled by the one model for itself.

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_slot};
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

const RATE: f64 = 50.0;
const PROBABILITY: f64 = 0.3;
const SERVERS: u32 = 4;
const ONE_WAY: Duration = Duration::from_millis(80);
const CALLEES: [&[usize]; 10] = [&[1, 2, 3, 9], &[5], &[], &[4, 8], &[], &[6, 7], &[], &[], &[], &[]];
const FAR: [bool; 10] = [false, false, false, false, true, true, false, false, true, true];

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Call {
    caller: Option<usize>,
    began: MonotonicTime,
    service: usize,
    next_callee: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Station {
    busy: u32,
    queue: VecDeque<usize>,
}

#[derive(Serialize, Deserialize)]
struct CallGraph {
    /// Requests answered and their mean latency (s), when the last one is.
    result: Output<(u64, f64)>,
    random: Pcg64Mcg,
    gap: Exp<f64>,
    service_of_s0: Exp<f64>,
    service: Exp<f64>,
    calls: Vec<Call>,
    unused: Vec<usize>,
    stations: [Station; 10],
    requests: u64,
    to_come: u64,
    answered: u64,
    latencies: f64,
}

#[Model]
impl CallGraph {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>) {
        // Nothing is scheduled for now: the first user comes after a gap, too.
        self.schedule_arrival(context);
    }

    #[nexosim(schedulable)]
    fn user_comes(&mut self, _: (), context: &Context<Self>) {
        self.to_come -= 1;
        if self.to_come > 0 {
            self.schedule_arrival(context);
        }
        let call = self.insert(None, 0, context);
        self.enter(call, context);
    }

    #[nexosim(schedulable)]
    fn reaches(&mut self, call: usize, context: &Context<Self>) {
        self.enter(call, context);
    }

    #[nexosim(schedulable)]
    async fn served(&mut self, call: usize, context: &Context<Self>) {
        let station = &mut self.stations[self.calls[call].service];
        match station.queue.pop_front() {
            Some(next) => self.serve(next, context),
            None => station.busy -= 1,
        }
        self.go_on(call, context);
        self.tell().await;
    }

    #[nexosim(schedulable)]
    async fn answer_reaches(&mut self, call: usize, context: &Context<Self>) {
        self.answered(call, context);
        self.tell().await;
    }

    async fn tell(&mut self) {
        if self.answered == self.requests {
            self.result.send((self.answered, self.latencies / self.answered as f64)).await;
        }
    }

    fn schedule_arrival(&mut self, context: &Context<Self>) {
        let gap = after(self.gap.sample(&mut self.random));
        context.schedule_event(gap, schedulable!(Self::user_comes), ()).expect("it is to come");
    }

    fn insert(&mut self, caller: Option<usize>, service: usize, context: &Context<Self>) -> usize {
        let call = Call { caller, began: context.time(), service, next_callee: 0 };
        if let Some(index) = self.unused.pop() {
            self.calls[index] = call;
            return index;
        }
        self.calls.push(call);
        self.calls.len() - 1
    }

    fn enter(&mut self, call: usize, context: &Context<Self>) {
        let station = &mut self.stations[self.calls[call].service];
        if station.busy == SERVERS {
            station.queue.push_back(call);
        } else {
            station.busy += 1;
            self.serve(call, context);
        }
    }

    fn serve(&mut self, call: usize, context: &Context<Self>) {
        let law = if self.calls[call].service == 0 { &self.service_of_s0 } else { &self.service };
        let takes = after(law.sample(&mut self.random));
        context.schedule_event(takes, schedulable!(Self::served), call).expect("it is to come");
    }

    fn go_on(&mut self, call: usize, context: &Context<Self>) {
        loop {
            let state = &mut self.calls[call];
            let Some(&callee) = CALLEES[state.service].get(state.next_callee) else {
                break;
            };
            state.next_callee += 1;
            if self.random.random::<f64>() >= PROBABILITY {
                continue;
            }
            let further = self.insert(Some(call), callee, context);
            if FAR[callee] {
                context.schedule_event(ONE_WAY, schedulable!(Self::reaches), further).expect("it is to come");
            } else {
                self.enter(further, context);
            }
            return;
        }
        if FAR[self.calls[call].service] {
            context.schedule_event(ONE_WAY, schedulable!(Self::answer_reaches), call).expect("it is to come");
        } else {
            self.answered(call, context);
        }
    }

    fn answered(&mut self, call: usize, context: &Context<Self>) {
        self.unused.push(call);
        let Call { caller, began, .. } = self.calls[call];
        match caller {
            Some(caller) => self.go_on(caller, context),
            None => {
                self.answered += 1;
                self.latencies += context.time().duration_since(began).as_secs_f64();
            }
        }
    }
}

/// NeXosim schedules nothing for now.
fn after(secs: f64) -> Duration {
    Duration::from_secs_f64(secs).max(Duration::from_nanos(1))
}

fn main() -> ExitCode {
    let Some(requests) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: nexosim-call-graph REQUESTS");
        return ExitCode::from(2);
    };
    match run(requests) {
        Ok((answered, mean)) => {
            println!("units {answered}");
            println!("mean_ms {:.4}", mean * 1e3);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(requests: u64) -> Result<(u64, f64), SimulationError> {
    let mut graph = CallGraph {
        result: Output::default(),
        random: Pcg64Mcg::seed_from_u64(1),
        gap: Exp::new(RATE).expect("a rate"),
        service_of_s0: Exp::new(1.0 / 0.015).expect("a rate"),
        service: Exp::new(1.0 / 0.005).expect("a rate"),
        calls: Vec::new(),
        unused: Vec::new(),
        stations: Default::default(),
        requests,
        to_come: requests,
        answered: 0,
        latencies: 0.0,
    };
    let (sink, mut result) = event_slot(SinkState::Enabled);
    graph.result.connect_sink(sink);
    let mut simulation = SimInit::with_num_threads(1)
        .add_model(graph, Mailbox::new(), "application")
        .init(MonotonicTime::EPOCH)?;
    simulation.run()?;
    Ok(result.try_read().expect("the last request is answered"))
}
