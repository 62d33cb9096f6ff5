//! The server's side of a call: sidecar in (on to `at_server`), cell, CPU, sidecar out, response round by
//! round.
//!
//! # Models
//! The internal service first (digits of pi, sleep, body), then the external services, then the
//! response; the worker's thread is held from the first to the last. Where a law says what a service
//! takes (`application/service_time`), all its work comes first. Between clusters each TCP
//! round enters the link's queue when the one before it is acknowledged.
//!
//! # Assumptions
//! - Requests and responses pass whole from hop to hop; a real proxy streams. Effect: none but for
//!   the proxies' time per kB.
//! - Only a response's last round has the random part of the link's delay, and what a loss costs.
//!
//! # Source
//! µBench, `ServiceCell/CellController-mp.py`.

use super::record::{Answer, Call, Hop, Status};
use crate::application::call_graph::{Endpoint, Protocol};
use crate::application::internal_service::{CellCosts, InternalService};
use crate::cluster::event::Event;
use crate::cluster::handle::{Context, Job, Stage};
use crate::cluster::message::{Body, Message, Request, Response};
use crate::draws::{Purpose, draw};
use crate::ids::PodId;
use crate::network::link::serialization;
use crate::network::path::{RESPONSE_HEADER, stream_bytes};
use crate::network::tcp::{Loss, Transfer};
use crate::telemetry::work::WorkId;
use meshsim_core::random::{Address, bernoulli, uniform_index};
use meshsim_core::{Handle, SimDuration, SimTime};

impl Context<'_> {
    /// A request from a client of the same cluster arrives.
    pub(crate) fn request_arrives(&mut self, hop: Handle<Hop>, attempt: u8) {
        // Its client may have given up while it was under way.
        if !self.is_under_way(hop, attempt) {
            return;
        }
        let connection = self.cluster.hops[hop].connection.expect("a request comes over a connection");
        let request = self.request_of(hop, connection);
        self.take_in(&request, self.cluster.hops[hop].work);
    }

    /// A request from another cluster arrives.
    pub(crate) fn remote_request_arrives(&mut self, request: &Request) {
        let work = self.cluster.recorder.work_begins(request.request);
        self.take_in(request, work);
    }

    /// A request arrives, wherever it comes from.
    fn take_in(&mut self, request: &Request, work: WorkId) {
        if self.is_down(request.pod) {
            return self.reset_client(request.client, request.hop, request.address, work);
        }
        let call = self.cluster.calls.insert(Call {
            client: request.client,
            hop: request.hop,
            work,
            address: request.address,
            endpoint: request.endpoint,
            pod: request.pod,
            path: request.path.then(self.cluster.id),
            server_worker: request.server_worker,
            cell_worker: request.server_worker,
            open_groups: 0,
            connection: None,
            retries: 0,
            holds_retry: false,
            answer: Answer::pending(),
            window: request.window,
            transfer: Transfer { remaining: 0, round: 0 },
            arrived_or_closes: self.now,
            took: SimDuration::ZERO,
            next_in_queue: None,
        });
        if !self.topology.has_sidecars() {
            if !self.topology.is_ambient() {
                return self.cell_receives(call);
            }
            let takes = self.topology.ztunnel_in.request(request.address);
            let at = self.pass_ztunnel(request.pod, request.server_worker, takes);
            return self.scheduler.schedule(at, Event::CellReceives(call));
        }
        let takes = self.topology.inbound_pass.request(request.address);
        let sidecar = self.topology.sidecar_of(request.pod);
        let out = self.cluster.proxies[sidecar].pass(request.server_worker, self.now, takes);
        let at = out + self.topology.description.mesh.loopback;
        self.scheduler.schedule(at, Event::CellReceives(call));
    }

    /// A request reaches a worker process of its pod.
    pub(crate) fn cell_receives(&mut self, call: Handle<Call>) {
        if !self.cluster.calls.contains(call) {
            return;
        }
        if self.topology.has_sidecars() {
            return self.enter_by_sidecar(call);
        }
        if !self.listens(self.cluster.calls[call].pod) {
            // The connection is refused.
            let it = self.cluster.calls.remove(call);
            return self.reset_client(it.client, it.hop, it.address, it.work);
        }
        self.enter_cell(call);
    }

    /// A request is in a worker process of its pod.
    pub(super) fn enter_cell(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls[call];
        let slot = self.topology.slot_of(it.pod);
        let service = &self.topology.application().services[self.topology.pods[it.pod].service];
        self.cluster.cells[slot].occupancy.enter(self.now);
        let worker = &mut self.cluster.cells[slot].workers[usize::from(it.cell_worker)];
        if worker.receive(self.now, service.threads) {
            self.start(call);
        } else {
            let ends = worker.queue().map_or((call, call), |(first, last)| {
                self.cluster.calls[last].next_in_queue = Some(call);
                (first, call)
            });
            worker.set_queue(Some(ends));
        }
    }

    /// A piece of CPU work is done.
    pub(crate) fn job_done(&mut self, call: Handle<Call>, stage: Stage) {
        match stage {
            Stage::Internal => {
                let it = self.cluster.calls[call];
                let endpoint = &self.topology.application().endpoints[it.endpoint];
                let pause = endpoint.internal.pause(&self.topology.description.cell.costs);
                if pause > SimDuration::ZERO {
                    let sleep = self.slowed(it.pod, pause.as_nanos() as f64);
                    let at = self.now + SimDuration::from_nanos_f64(sleep);
                    self.scheduler.schedule(at, Event::Slept(call));
                } else if endpoint.groups.is_empty() {
                    self.respond(call);
                } else {
                    self.fan_out(call);
                }
            }
            Stage::Body => self.fan_out(call),
            Stage::Calling { group, step } => self.issue_call(call, group, step),
            Stage::Response => self.respond(call),
        }
    }

    /// The sleep of the internal service is over.
    pub(crate) fn slept(&mut self, call: Handle<Call>) {
        if !self.cluster.calls.contains(call) {
            return;
        }
        let it = self.cluster.calls[call];
        let internal = self.internal_of(&it);
        let demand = self.further_demand(it.pod, |costs| internal.body_demand(it.answer.body, costs));
        self.work(call, Stage::Body, demand);
    }

    /// All groups are done: the response is written.
    pub(crate) fn write_response(&mut self, call: Handle<Call>) {
        let demand = self.further_demand(self.cluster.calls[call].pod, CellCosts::response);
        self.work(call, Stage::Response, demand);
    }

    /// CPU time (ns) of work after the first of a call; nothing where a law has said it all.
    pub(super) fn further_demand(&self, pod: PodId, of: impl Fn(&CellCosts) -> f64) -> f64 {
        match self.topology.service_time_of(pod) {
            Some(_) => 0.0,
            None => of(&self.topology.description.cell.costs),
        }
    }

    /// Gives a container CPU work of `demand` ns at the reference speed.
    pub(crate) fn work(&mut self, call: Handle<Call>, stage: Stage, demand: f64) {
        let it = self.cluster.calls[call];
        // A law of service times has a spread of its own.
        let speed = match self.topology.service_time_of(it.pod) {
            Some(_) => 1.0,
            None => self.topology.speed_factor(it.address),
        };
        let demand = self.slowed(it.pod, demand * speed);
        let container = self.topology.pods[it.pod].container;
        let worker = usize::from(it.cell_worker);
        self.cluster.recorder.work_done(self.now, it.work, |work| work.cpu_nanos += demand);
        self.compute.start(self.now, container, worker, demand, Job::Call { call, stage });
    }

    /// A response leaves the pod for the network.
    pub(crate) fn response_leaves(&mut self, call: Handle<Call>) {
        if !self.cluster.calls.contains(call) {
            return;
        }
        let Some(passes) = self.answer_passes_at(call) else { return };
        if passes > self.now {
            return self.scheduler.schedule(passes, Event::ResponseLeaves(call));
        }
        let it = self.cluster.calls[call];
        let path = self.topology.path(self.cluster.id, it.client);
        let stream = stream_bytes(RESPONSE_HEADER, it.answer.body, self.topology.encrypts());
        let segments = path.segments(stream);
        let lost = self.lost_of(&it, segments);
        let tcp = self.topology.tcp_of(it.pod);
        let call_mut = &mut self.cluster.calls[call];
        call_mut.transfer = call_mut.window.start(self.now, segments, lost, &path, tcp);
        if it.client != self.cluster.id {
            self.round_leaves(call);
            return;
        }
        // Nobody else queues on this path: all rounds at once.
        let wire_bytes = path.wire_bytes(stream, segments);
        let further_rounds = call_mut.transfer.further_rounds(&call_mut.window, &path);
        let last = self.now + path.round_trip * u64::from(further_rounds);
        call_mut.window.sent(last);
        let at = last + path.one_way + serialization(f64::from(wire_bytes), path.bits_per_second);
        self.scheduler.schedule(at, Event::ResponseArrives(call));
    }

    /// The next round of a response enters the link.
    pub(crate) fn round_leaves(&mut self, call: Handle<Call>) {
        if !self.cluster.calls.contains(call) {
            return;
        }
        let Some(passes) = self.answer_passes_at(call) else { return };
        if passes > self.now {
            return self.scheduler.schedule(passes, Event::RoundLeaves(call));
        }
        let it = &mut self.cluster.calls[call];
        let path = self.topology.path(self.cluster.id, it.client);
        let segments = it.transfer.next_round(&it.window, &path);
        it.window.sent(self.now);
        let (work, full) = (it.work, segments * path.segment_bytes());
        if it.transfer.remaining > 0 {
            let wire_bytes = path.wire_bytes(full, segments);
            self.cluster.recorder.work_done(self.now, work, |work| {
                work.rounds += 1;
                work.cross_wire += u64::from(wire_bytes);
            });
            let begins = self.transmit_round(call, wire_bytes);
            self.scheduler.schedule(begins + path.round_trip, Event::RoundLeaves(call));
            return;
        }
        let stream = stream_bytes(RESPONSE_HEADER, it.answer.body, self.topology.encrypts());
        let all = path.segments(stream);
        let last = stream - (all - segments) * path.segment_bytes();
        let wire_bytes = path.wire_bytes(last, segments);
        let mut it = self.cluster.calls.remove(call);
        self.cluster.recorder.work_done(self.now, work, |work| {
            work.cross_payload += u64::from(it.answer.body);
            work.cross_wire += u64::from(wire_bytes);
        });
        let mut late = SimDuration::ZERO;
        if let Some(lost) = self.lost_of(&it, all) {
            it.window.lose(self.topology.tcp_of(it.pod));
            late = lost.costs(&path);
        }
        let message = Message {
            to: it.client,
            wire_bytes,
            body: Body::Response(Response {
                hop: it.hop,
                address: it.address,
                answer: it.answer,
                took: it.took,
                window: it.window,
                closes_at: it.arrived_or_closes,
            }),
        };
        self.send_with(message, it.address, Purpose::LinkResponse, late);
    }

    /// The segment that a call's response loses on its way, if it loses one of so many.
    fn lost_of(&self, call: &Call, segments: u32) -> Option<Loss> {
        self.topology.loss(self.cluster.id, call.client, segments, call.address, Purpose::LossResponse)
    }

    /// A response has crossed the cluster.
    pub(crate) fn local_response_arrives(&mut self, call: Handle<Call>) {
        if !self.cluster.calls.contains(call) {
            return;
        }
        let it = self.cluster.calls.remove(call);
        self.response_arrives(&Response {
            hop: it.hop,
            address: it.address,
            answer: it.answer,
            took: it.took,
            window: it.window,
            closes_at: it.arrived_or_closes,
        });
    }

    /// A thread takes a call.
    fn start(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls[call];
        let endpoint = &self.topology.application().endpoints[it.endpoint];
        let costs = &self.topology.description.cell.costs;
        if let Some(status) = self.failure_of(&it) {
            self.cluster.calls[call].answer.status = Status::ServiceFailure(status);
            let demand = costs.request() + costs.response();
            self.work(call, Stage::Response, demand);
            return;
        }
        let body = endpoint.internal.body_bytes(it.address);
        let demand = match self.topology.service_time_of(it.pod) {
            Some(law) => costs.of_law(law.draw_ms(it.address)),
            None => first_demand(endpoint, costs, it.address, body),
        };
        self.cluster.calls[call].answer.body = body;
        self.work(call, Stage::Internal, demand);
    }

    /// The response is written: the thread is free, and the response goes to the sidecar.
    fn respond(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls[call];
        let slot = self.topology.slot_of(it.pod);
        self.cluster.recorder.call_served(self.now, slot);
        self.cluster.recorder.work_done(self.now, it.work, |work| {
            work.calls += 1;
            work.body += u64::from(it.answer.body);
            work.tree ^= (it.address.hash() >> 32) as u32;
        });
        let keep_alive = self.keep_alive_of(it.pod);
        let cell = &mut self.cluster.cells[slot];
        cell.occupancy.leave(self.now);
        let mut late = draw(it.address, Purpose::LoopRound);
        let closes_at = cell.workers[usize::from(it.cell_worker)].closes_at(self.now, keep_alive, &mut late);
        self.free_thread(slot, it.cell_worker);
        let body = if it.answer.status == Status::Ok { it.answer.body } else { ERROR_BODY };
        self.cluster.calls[call].answer.body = body;
        if self.topology.has_sidecars() {
            self.application_has_answered(call, closes_at);
            self.respond_through_sidecar(call, self.topology.description.mesh.loopback);
        } else if self.topology.is_ambient() {
            let pass = &self.topology.ztunnel_in;
            let (takes, cpu) = (pass.response(it.address, body), pass.cpu(body));
            self.cluster.recorder.proxy_used_cpu(self.now, cpu);
            let at = self.pass_ztunnel(it.pod, it.server_worker, takes);
            self.answer_is_ready(call, at, closes_at);
            self.scheduler.schedule(at, Event::ResponseLeaves(call));
        } else {
            self.answer_is_ready(call, self.now, closes_at);
            self.response_leaves(call);
        }
    }

    /// For how long a pod keeps an idle connection: gunicorn's keep-alive, unless it speaks HTTP/2.
    fn keep_alive_of(&self, pod: PodId) -> SimDuration {
        let description = &self.topology.description;
        match description.services[self.topology.pods[pod].service].protocol {
            Protocol::Http1 | Protocol::Tcp => description.cell.keep_alive,
            Protocol::Http2 | Protocol::Grpc => description.cell.http2_keep_alive,
        }
    }

    /// The answer of a call leaves its pod at `at`, over a connection that closes at `closes_at`.
    fn answer_is_ready(&mut self, call: Handle<Call>, at: SimTime, closes_at: SimTime) {
        let it = &mut self.cluster.calls[call];
        it.took = at - it.arrived_or_closes;
        it.arrived_or_closes = closes_at;
        let service = self.topology.pods[it.pod].service;
        self.cluster.recorder.answer_left(self.now, service, it.took);
    }

    /// A response passes the server's sidecar, which it reaches after so long.
    pub(super) fn respond_through_sidecar(&mut self, call: Handle<Call>, after: SimDuration) {
        let it = self.cluster.calls[call];
        let body = it.answer.body;
        let pass = &self.topology.inbound_pass;
        let (takes, cpu) = (pass.response(it.address, body), pass.cpu(body));
        let sidecar = self.topology.sidecar_of(it.pod);
        let reached = self.now + after;
        self.charge_proxy(sidecar, cpu);
        let at = self.cluster.proxies[sidecar].pass(it.server_worker, reached, takes);
        self.answer_is_ready(call, at, self.proxy_closes_at());
        self.scheduler.schedule(at, Event::ResponseLeaves(call));
    }

    /// A thread takes the next call of its worker's queue, or falls idle.
    fn free_thread(&mut self, slot: usize, cell_worker: u16) {
        let worker = &mut self.cluster.cells[slot].workers[usize::from(cell_worker)];
        let Some((first, last)) = worker.queue() else {
            worker.free_thread();
            return;
        };
        let next = self.cluster.calls[first].next_in_queue.take();
        worker.set_queue(next.map(|next| (next, last)));
        self.start(first);
    }

    pub(super) fn accepting_worker(&mut self, workers: u16) -> u16 {
        let address = self.next_draw();
        uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers)) as u16
    }

    fn transmit_round(&mut self, call: Handle<Call>, wire_bytes: u32) -> SimTime {
        let to = self.cluster.calls[call].client;
        let route = self.topology.route(self.cluster.id, to).expect("a way back");
        let link = &mut self.cluster.links[route.port as usize];
        link.transmit(self.now, wire_bytes).begins
    }

    /// The status with which a failing pod answers a call, if it does.
    fn failure_of(&self, call: &Call) -> Option<u16> {
        let faults = &self.topology.faults;
        if faults.is_empty() {
            return None;
        }
        let (share, status) = faults.errors(call.pod, self.now)?;
        bernoulli(&mut draw(call.address, Purpose::ServiceFailure), share).then_some(status)
    }

    /// What takes so long in a pod that may be slow.
    pub(crate) fn slowed(&self, pod: PodId, nanos: f64) -> f64 {
        let faults = &self.topology.faults;
        if faults.is_empty() { nanos } else { nanos * faults.slowness(pod, self.now) }
    }

    fn internal_of(&self, call: &Call) -> InternalService {
        self.topology.application().endpoints[call.endpoint].internal
    }
}

/// CPU time (ns) of a request until its thread waits for the disk, sleeps, calls others or answers.
fn first_demand(endpoint: &Endpoint, costs: &CellCosts, address: Address, body: u32) -> f64 {
    let internal = &endpoint.internal;
    let mut demand = costs.request() + internal.pi_demand(address, costs) + internal.storage_demand(costs);
    if internal.pause(costs) == SimDuration::ZERO {
        demand += internal.body_demand(body, costs);
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
