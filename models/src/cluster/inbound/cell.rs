//! The server's side of a call: the cell, its threads and its CPU, and the answer on its way out.
//!
//! # Models
//! The internal service first (digits of pi, sleep, body), then the external services, then the
//! response; the worker's thread is held from the first to the last. Where a law says what a service
//! takes (`application/service_time`), all its work comes first.
//!
//! # Assumptions
//! - Requests and responses pass whole from hop to hop; a real proxy streams. Effect: none but for
//!   the proxies' time per kB.
//!
//! # Source
//! µBench, `ServiceCell/CellController-mp.py`.

use super::Inbound;
use super::call::Call;
use super::exported::{cell_answers, cell_notes};
use crate::application::call_graph::{Endpoint, Protocol};
use crate::application::internal_service::CellCosts;
use crate::cluster::around::{Around, cpu_events};
use crate::cluster::event::Event;
use crate::cluster::job::{Job, Stage};
use crate::cluster::message::Reset;
use crate::draws::{Purpose, draw};
use crate::ids::EndpointId;
use crate::request::answer::Status;
use crate::telemetry::exporters::cells::Moments;
use crate::telemetry::trace::{Part, Rule};
use meshsim_core::random::{Address, bernoulli, uniform_index};
use meshsim_core::{Handle, SimDuration};

impl Inbound {
    /// A request is in a worker process of its pod.
    pub(super) fn enter_cell(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = &self.calls[call];
        let slot = state.slot();
        let service = &at.topology.application().services[at.pods.service_of(slot)];
        let cell = &mut self.cells[slot];
        cell.occupancy.enter(at.now);
        let worker = &mut cell.workers[usize::from(state.cell_worker)];
        if worker.receive(at.now, service.threads) {
            self.start(at, call);
        } else {
            let ends = worker.queue().map_or((call, call), |(first, last)| {
                self.calls[last].next_in_queue = Some(call);
                (first, call)
            });
            worker.set_queue(Some(ends));
            if at.recorder.traces() {
                self.trace_waits(at, call, Part::WorkerQueue);
            }
        }
    }

    /// A piece of CPU work is done.
    pub(crate) fn job_done(&mut self, at: &mut Around<'_>, call: Handle<Call>, stage: Stage) {
        if at.recorder.traces() {
            self.trace_has_worked(at, call, stage);
        }
        match stage {
            Stage::Internal => {
                let state = &self.calls[call];
                let endpoint = &at.topology.application().endpoints[state.endpoint];
                let pause = endpoint.pause(state.address, &at.topology.description.cell.costs);
                if pause > SimDuration::ZERO {
                    let sleep = at.slowed(state.pod, pause.as_nanos() as f64);
                    if at.recorder.traces() {
                        self.trace_waits(at, call, Part::Sleep);
                    }
                    at.schedule(at.now + SimDuration::from_nanos_f64(sleep), Event::Slept(call));
                } else if endpoint.groups.is_empty() {
                    self.respond(at, call);
                } else {
                    self.fan_out(at, call);
                }
            }
            Stage::Body => self.fan_out(at, call),
            Stage::Calling { group, step } => self.issue_call(at, call, group, step),
            Stage::Response => self.respond(at, call),
        }
    }

    /// The sleep of the internal service is over.
    pub(crate) fn slept(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        if !self.calls.contains(call) {
            return;
        }
        let Call { endpoint, answer, .. } = self.calls[call];
        let internal = at.topology.application().endpoints[endpoint].internal;
        let demand =
            further_demand(at, endpoint, |costs| internal.body_demand(f64::from(answer.body), costs));
        self.work(at, call, Stage::Body, demand);
    }

    /// All groups are done: the response is written.
    pub(crate) fn write_response(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        cell_notes(at, call, |moments, now| moments.called = Some(now));
        let demand = further_demand(at, self.calls[call].endpoint, CellCosts::response);
        self.work(at, call, Stage::Response, demand);
    }

    /// Gives a container CPU work of `demand` ns at the reference speed.
    pub(crate) fn work(&mut self, at: &mut Around<'_>, call: Handle<Call>, stage: Stage, demand: f64) {
        let state = &self.calls[call];
        let demand = at.slowed(state.pod, demand * state.speed);
        let container = at.pods.container_of(state.slot());
        let worker = usize::from(state.cell_worker);
        at.recorder.work_done(at.now, state.work, |work| work.cpu_nanos += demand);
        if at.recorder.traces() {
            self.trace_works(at, call, stage, demand);
        }
        let job = Job::Call { call, stage };
        at.compute.start(at.now, container, worker, demand, job, cpu_events(at.scheduler));
    }

    /// A thread takes a call.
    fn start(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = &mut self.calls[call];
        let endpoint = &at.topology.application().endpoints[state.endpoint];
        let costs = &at.topology.description.cell.costs;
        let failure = failure_of(at, endpoint, state);
        cell_notes(at, call, |moments, now| {
            *moments = Moments { started: now, fails: failure.is_some(), ..Moments::default() };
        });
        // A law of service times has a spread of its own.
        state.speed = match &endpoint.service_time {
            Some(_) => 1.0,
            None => at.topology.speed_factor(state.address),
        };
        if let Some(status) = failure {
            if at.recorder.traces() {
                self.trace_rule(at, call, Rule::Fails(status));
            }
            let state = &mut self.calls[call];
            state.answer.status = Status::ServiceFailure(status);
            let demand = costs.request() + costs.response();
            self.work(at, call, Stage::Response, demand);
            return;
        }
        let body = endpoint.body_bytes(state.address);
        let demand = match &endpoint.service_time {
            Some(law) => costs.of_law(law.draw_ms(state.address)),
            None => first_demand(endpoint, costs, state.address, body),
        };
        state.answer.body = body;
        self.work(at, call, Stage::Internal, demand);
    }

    /// The response is written: the thread is free, and the response goes to the sidecar.
    fn respond(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = &mut self.calls[call];
        let slot = state.slot();
        at.recorder.call_served(at.now, slot);
        at.recorder.work_done(at.now, state.work, |work| {
            work.calls += 1;
            work.body += u64::from(state.answer.body);
            work.tree ^= (state.address.hash() >> 32) as u32;
        });
        if at.recorder.exporters().is_some() {
            cell_answers(at, call, state);
        }
        let keep_alive = keep_alive_of(at, slot);
        let cell = &mut self.cells[slot];
        cell.occupancy.leave(at.now);
        let mut late = draw(state.address, Purpose::LoopRound);
        let cell_worker = state.cell_worker;
        let closes_at = cell.workers[usize::from(cell_worker)].closes_at(at.now, keep_alive, &mut late);
        if state.answer.status != Status::Ok {
            state.answer.body = ERROR_BODY;
        }
        self.free_thread(at, slot, cell_worker);
        self.answer_is_written(at, call, closes_at);
    }

    /// A thread takes the next call of its worker's queue, or falls idle.
    fn free_thread(&mut self, at: &mut Around<'_>, slot: usize, cell_worker: u16) {
        let worker = &mut self.cells[slot].workers[usize::from(cell_worker)];
        let Some((first, last)) = worker.queue() else {
            worker.free_thread();
            return;
        };
        let next = self.calls[first].next_in_queue.take();
        worker.set_queue(next.map(|next| (next, last)));
        self.start(at, first);
    }
}

impl Call {
    /// Its client is to learn that the connection is lost.
    pub(super) const fn reset(&self) -> Reset {
        Reset { client: self.client, hop: self.hop, flow: self.flow, address: self.address, work: self.work }
    }
}

/// The worker, of so many, that accepts a new connection.
pub(super) fn accepting_worker(at: &mut Around<'_>, workers: u16) -> u16 {
    let address = at.next_draw();
    uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers)) as u16
}

/// For how long the pod in a slot keeps an idle connection: gunicorn's keep-alive, unless it speaks HTTP/2.
fn keep_alive_of(at: &Around<'_>, slot: usize) -> SimDuration {
    let description = &at.topology.description;
    match description.services[at.pods.service_of(slot)].protocol {
        Protocol::Http1 | Protocol::Tcp | Protocol::Udp => description.cell.keep_alive,
        Protocol::Http2 | Protocol::Grpc => description.cell.http2_keep_alive,
    }
}

/// CPU time (ns) of work after the first of a call; nothing where a law has said it all.
pub(super) fn further_demand(at: &Around<'_>, endpoint: EndpointId, of: impl Fn(&CellCosts) -> f64) -> f64 {
    match at.topology.service_time_of(endpoint) {
        Some(_) => 0.0,
        None => of(&at.topology.description.cell.costs),
    }
}

/// The status with which an endpoint or a failing pod answers a call, if it does.
fn failure_of(at: &Around<'_>, endpoint: &Endpoint, call: &Call) -> Option<u16> {
    if endpoint.errors > 0.0 && bernoulli(&mut draw(call.address, Purpose::EndpointError), endpoint.errors) {
        return Some(endpoint.error_status);
    }
    let faults = &at.topology.faults;
    if faults.is_empty() {
        return None;
    }
    let (share, status) = faults.errors(call.pod, at.now)?;
    bernoulli(&mut draw(call.address, Purpose::ServiceFailure), share).then_some(status)
}

/// CPU time (ns) of a request until its thread waits for the disk, sleeps, calls others or answers.
fn first_demand(endpoint: &Endpoint, costs: &CellCosts, address: Address, body: u32) -> f64 {
    let internal = &endpoint.internal;
    let mut demand = costs.request() + internal.pi_demand(address, costs) + internal.storage_demand(costs);
    if internal.pause(costs) == SimDuration::ZERO {
        demand += internal.body_demand(f64::from(body), costs);
        // Nothing comes between the body and the response.
        if endpoint.groups.is_empty() {
            demand += costs.response();
        }
    }
    demand + endpoint.groups.len() as f64 * costs.group()
}

/// Flask's page for an internal error (bytes).
const ERROR_BODY: u32 = 290;

impl crate::world::topology::Topology {
    /// By how much the CPU time of the call at `address` differs from its mean.
    fn speed_factor(&self, address: Address) -> f64 {
        match &self.speed {
            Some(law) => law.sample(&mut draw(address, Purpose::CpuSpeed)),
            None => 1.0,
        }
    }
}
