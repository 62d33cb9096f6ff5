//! A user's request: sent, received by the gateway, answered.
//!
//! # Models
//! Latency runs from the user's sending to the last byte of the answer. A request whose answer is
//! not there when the run ends is in flight.
//!
//! # Assumptions
//! Users reach their cluster's gateway without TLS.

use super::record::{Answer, Client, Hop, Origin, Status};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::draws::{Purpose, draw};
use crate::ids::{PopulationId, ProxyId};
use crate::network::path::{RESPONSE_HEADER, stream_bytes};
use crate::telemetry::work::RequestId;
use crate::users::open_request::OpenRequest;
use crate::users::session::connection_number;
use meshsim_core::random::uniform_index;
use meshsim_core::{Handle, Id, SimTime};

impl Context<'_> {
    /// The next request of an open loop.
    pub(crate) fn user_sends(&mut self, population: PopulationId) {
        let source = self.topology.stream_source(population, self.cluster.id);
        let stream = &mut self.cluster.streams[population];
        let number = stream.number();
        if let Some(at) = stream.advance(&source) {
            self.scheduler.schedule(at, Event::UserSends(population));
        }
        self.send_request(population, number);
    }

    /// The next request of a user of a closed loop.
    pub(crate) fn user_thought(&mut self, population: PopulationId, number: u32) {
        self.send_request(population, u64::from(number));
    }

    fn send_request(&mut self, population: PopulationId, number: u64) {
        let it = &self.topology.description.populations[population.index()];
        self.cluster.recorder.user_sent();
        let request = OpenRequest { population, number: number as u32, sent: self.now };
        let request = self.cluster.open_requests.insert(request);
        let address = self.topology.draws.request(population, number);
        let user = it.arrivals.user(number, address, it.users);
        let gateways = u32::from(self.topology.description.gateway.replicas);
        let workers = usize::from(self.topology.description.gateway.concurrency);
        let of_user = self.topology.draws.of_user(population, user);
        let worker = uniform_index(&mut draw(of_user, Purpose::AcceptingWorker), workers);
        let origin = Origin::User(request);
        let work = self.cluster.recorder.work_begins(RequestId { population, number: number as u32 });
        // A user's connection ends in one worker of one gateway.
        let client = Client::proxy(ProxyId(user % gateways), worker as u16);
        let hop = self.cluster.hops.insert(Hop::new((origin, work), client, address, it.entry, self.now));
        self.user_waits(hop, population);
        let places = self.topology.places_of(population);
        if it.reconnects_after.is_some() || places.is_some() {
            let moves = places.map_or(0, |places| places.moves_before(user, self.now));
            let connection = connection_number(it, user, self.now) + moves;
            self.cluster.access[population].reconnect(user, connection);
        }
        let tcp = &self.topology.description.clusters[self.cluster.id].tcp;
        let delay = self.cluster.access[population].send(user, self.now, &it.access, tcp);
        if delay.as_nanos() == 0 {
            self.proxy_receives(hop);
        } else {
            self.scheduler.schedule(self.now + delay, Event::ReachesProxy(hop));
        }
    }

    /// A gateway takes a user's request in, or a waypoint a call.
    pub(crate) fn proxy_receives(&mut self, hop: Handle<Hop>) {
        // The calling pod may have died.
        if !self.cluster.hops.contains(hop) {
            return;
        }
        let it = self.cluster.hops[hop];
        let Client::Proxy { proxy, worker, .. } = it.client else { return };
        let takes = self.pass_of(proxy).0.request(it.address);
        let at = self.cluster.proxies[proxy].pass(u16::from(worker), self.now, takes);
        self.scheduler.schedule(at, Event::Routes(hop));
    }

    /// The gateway has an answer for a user.
    pub(crate) fn answer_user(&mut self, request: Handle<OpenRequest>, answer: &Answer) {
        let OpenRequest { population, number, sent } = self.cluster.open_requests[request];
        let it = &self.topology.description.populations[population.index()];
        let address = self.topology.draws.request(population, u64::from(number));
        let user = it.arrivals.user(u64::from(number), address, it.users);
        let stream = stream_bytes(RESPONSE_HEADER, answer.body, false);
        let tcp = &self.topology.description.clusters[self.cluster.id].tcp;
        let at = self.cluster.access[population].answer(user, self.now, stream, &it.access, tcp);
        let gives_up = it.timeout.map(|timeout| sent.saturating_add(timeout));
        match gives_up.filter(|&gives_up| gives_up < at) {
            None => self.user_is_done(request, at, answer),
            // The answer is on its way.
            Some(gives_up) => {
                let late = Answer { status: Status::CallerGone, ..*answer };
                self.user_is_done(request, gives_up, &late);
            }
        }
    }

    /// A user has its answer, or has given up, at `at`.
    pub(super) fn user_is_done(&mut self, request: Handle<OpenRequest>, at: SimTime, answer: &Answer) {
        let OpenRequest { population, number, .. } = self.cluster.open_requests[request];
        let it = &self.topology.description.populations[population.index()];
        if answer.status == Status::CallerGone {
            let address = self.topology.draws.request(population, u64::from(number));
            let user = it.arrivals.user(u64::from(number), address, it.users);
            self.cluster.access[population].close(user);
        }
        if at < self.topology.description.end() {
            let ended = self.cluster.open_requests.remove(request);
            self.cluster.recorder.user_answered(&ended, at, answer.status);
        }
        // The next request of a closed loop: its user's next number.
        let next = u64::from(number) + u64::from(it.users);
        if !it.arrivals.is_open() && it.sends(next) {
            let think = it.arrivals.think(self.topology.draws.request(population, next), false);
            self.scheduler.schedule(at + think, Event::UserThought { population, number: next as u32 });
        }
    }
}
