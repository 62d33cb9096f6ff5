//! The users of a cluster: when they send, and what their answers come to.
//!
//! # Models
//! Latency runs from the user's sending to the last byte of the answer. A request whose answer is
//! not there when the run ends is in flight.
//!
//! # Assumptions
//! Users reach their cluster's gateway without TLS.

use super::around::Around;
use super::event::Event;
use super::outbound::hop::{NewRequest, Origin};
use crate::ids::{ClusterId, PopulationId};
use crate::network::path::{RESPONSE_HEADER, stream_bytes};
use crate::request::answer::{Answer, Status};
use crate::request::cluster_path::ClusterPath;
use crate::sparse_table::SparseTable;
use crate::telemetry::work::RequestId;
use crate::users::open_request::OpenRequest;
use crate::users::population::AccessConnections;
use crate::users::requests::BEFORE_THE_FIRST;
use crate::users::session::connection_number;
use crate::users::stream::Stream;
use crate::world::topology::Topology;
use meshsim_core::{Handle, Id, SimTime, Slab};

/// What is known of users.
#[derive(Clone, Debug)]
pub struct Users {
    /// Their connections, by the populations that are ever here.
    access: SparseTable<PopulationId, AccessConnections>,
    /// How far the cluster has followed these; nothing of those that send nothing here.
    streams: SparseTable<PopulationId, Box<Stream>>,
    /// The step of each user of the populations that make a journey.
    steps: SparseTable<PopulationId, Vec<u16>>,
    /// Their requests that have not ended.
    open: Slab<OpenRequest>,
}

impl Users {
    /// Nobody has sent anything.
    #[must_use]
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Self {
        let visitors = || topology.visitors(here).iter().copied();
        let users = |it: PopulationId| topology.description.populations[it.index()].users;
        Self {
            access: visitors().map(|it| (it, AccessConnections::new(users(it)))).collect(),
            streams: visitors()
                .filter_map(|it| Some((it, Box::new(topology.first_of(it, here)?.0))))
                .collect(),
            steps: visitors()
                .filter(|it| topology.description.populations[it.index()].requests.is_journey())
                .map(|it| (it, vec![BEFORE_THE_FIRST; users(it) as usize]))
                .collect(),
            open: Slab::new(),
        }
    }

    /// The next request of an open loop.
    pub(super) fn user_sends(&mut self, at: &mut Around<'_>, population: PopulationId) -> NewRequest {
        let source = at.topology.stream_source(population, at.here);
        let stream = &mut self.streams[population];
        let number = stream.number();
        if let Some(next) = stream.advance(&source) {
            at.schedule(next, Event::UserSends(population));
        }
        self.send(at, population, number)
    }

    /// The next request of a user of a closed loop.
    pub(super) fn user_thought(
        &mut self,
        at: &mut Around<'_>,
        population: PopulationId,
        number: u32,
    ) -> NewRequest {
        self.send(at, population, u64::from(number))
    }

    fn send(&mut self, at: &mut Around<'_>, population: PopulationId, number: u64) -> NewRequest {
        let users = &at.topology.description.populations[population.index()];
        let address = at.topology.draws.request(population, number);
        let user = users.arrivals.user(number, address, users.users);
        at.recorder.user_sent();
        let number = number as u32;
        let endpoint = if users.requests.is_journey() {
            let step = &mut self.steps[population][user as usize];
            *step = users.requests.step_after(*step, address);
            users.requests.of_step(*step)
        } else {
            users.requests.of(address)
        };
        let request = self.open.insert(OpenRequest { population, number, user, endpoint, sent: at.now });
        let work = at.recorder.work_begins(RequestId { population, number });
        let whereabouts = at.topology.whereabouts_of(population);
        let access = &mut self.access[population];
        if users.reconnects_after.is_some() || whereabouts.is_some() {
            let moves = whereabouts.map_or(0, |whereabouts| whereabouts.moves_before(user, at.now));
            access.reconnect(user, connection_number(users, user, at.now) + moves);
        }
        let tcp = &at.topology.description.clusters[at.here].tcp;
        let body = at.topology.application().endpoints[endpoint].request_bytes;
        let takes = access.send(user, at.now, body, &users.access, tcp);
        NewRequest {
            origin: Origin::User { request, population, user },
            work,
            caller: None,
            address,
            endpoint,
            path: ClusterPath::default().then(at.here),
            reaches_proxy: at.now + takes,
        }
    }

    /// The gateway has an answer for a user, or knows that the user is gone.
    pub(super) fn answered(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>, answer: &Answer) {
        if answer.status == Status::CallerGone {
            return self.is_done(at, request, at.now, answer);
        }
        let OpenRequest { population, user, sent, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        let stream = stream_bytes(RESPONSE_HEADER, answer.body, false);
        let tcp = &at.topology.description.clusters[at.here].tcp;
        let last_byte = self.access[population].answer(user, at.now, stream, &users.access, tcp);
        let gives_up = users.timeout.map(|timeout| sent.saturating_add(timeout));
        match gives_up.filter(|&gives_up| gives_up < last_byte) {
            None => self.is_done(at, request, last_byte, answer),
            // The answer is on its way.
            Some(gives_up) => {
                let late = Answer { status: Status::CallerGone, ..*answer };
                self.is_done(at, request, gives_up, &late);
            }
        }
    }

    /// A user has its answer, or has given up, at `end`.
    fn is_done(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>, end: SimTime, answer: &Answer) {
        let OpenRequest { population, number, user, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        if answer.status == Status::CallerGone {
            self.access[population].close(user);
        }
        if end < at.topology.description.end() {
            let ended = self.open.remove(request);
            at.recorder.user_answered(&ended, end, answer.status);
        }
        // The next request of a closed loop: its user's next number.
        let next = u64::from(number) + u64::from(users.users);
        if !users.arrivals.is_open() && users.sends(next) {
            let own = users.requests.is_journey().then(|| self.steps[population][user as usize]);
            let own = own.and_then(|step| users.requests.think_time(step));
            let think = users.arrivals.think(own, at.topology.draws.request(population, next), false);
            at.schedule(end + think, Event::UserThought { population, number: next as u32 });
        }
    }

    /// Requests that have not ended.
    pub fn open_requests(&self) -> impl Iterator<Item = &OpenRequest> {
        self.open.handles().map(|request| &self.open[request])
    }

    /// Memory that grows with the load (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.open.bytes()
    }
}
