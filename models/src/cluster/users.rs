//! The users of a cluster: when they send, and what their answers come to.
//!
//! # Models
//! Latency runs from the user's sending to the last byte of the answer, of the last attempt where users try again
//! (`users/retries`). A request whose answer is
//! not there when the run ends is in flight.
//!
//! While a gateway takes nobody in (`faults/outage`), who comes is refused, or asks again as TCP does until it is
//! there, the user's patience or TCP's ends. Those whose requests a gateway has when it dies learn of it by a reset:
//! at once, or, if it is silent, when it is back.
//!
//! # Assumptions
//! - Users reach their cluster's gateway without TLS.
//! - To a silent gateway every request opens a connection of its own.

use super::around::Around;
use super::event::Event;
use super::outbound::hop::{NewRequest, Origin};
use crate::draws::user_attempt_address;
use crate::faults::outage::Ingress;
use crate::ids::{ClusterId, PopulationId};
use crate::network::path::{RESPONSE_HEADER, stream_bytes};
use crate::network::retransmission::{Fate, of_segment, of_syn};
use crate::request::answer::{Answer, Status};
use crate::request::cluster_path::ClusterPath;
use crate::sparse_table::SparseTable;
use crate::telemetry::trace::{Part, Rule, Tracer, What};
use crate::telemetry::work::RequestId;
use crate::users::open_request::OpenRequest;
use crate::users::population::AccessConnections;
use crate::users::requests::BEFORE_THE_FIRST;
use crate::users::session::connection_number;
use crate::users::stream::Stream;
use crate::world::topology::Topology;
use meshsim_core::random::Address;
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

    /// The next request of an open loop, if the gateway takes it in.
    pub(super) fn user_sends(&mut self, at: &mut Around<'_>, population: PopulationId) -> Option<NewRequest> {
        let source = at.topology.stream_source(population, at.here);
        let stream = &mut self.streams[population];
        let number = stream.number();
        if let Some(next) = stream.advance(&source) {
            at.schedule(next, Event::UserSends(population));
        }
        self.send(at, population, number)
    }

    /// The next request of a user of a closed loop, if the gateway takes it in.
    pub(super) fn user_thought(
        &mut self,
        at: &mut Around<'_>,
        population: PopulationId,
        number: u32,
    ) -> Option<NewRequest> {
        self.send(at, population, u64::from(number))
    }

    fn send(&mut self, at: &mut Around<'_>, population: PopulationId, number: u64) -> Option<NewRequest> {
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
        let (sent, sent_last) = (at.now, at.now);
        let request = OpenRequest { population, number, user, endpoint, sent, attempts: 0, sent_last };
        let request = self.open.insert(request);
        self.attempt(at, request, address)
    }

    /// A user sends a request again.
    pub(super) fn user_tries_again(
        &mut self,
        at: &mut Around<'_>,
        request: Handle<OpenRequest>,
    ) -> Option<NewRequest> {
        let OpenRequest { population, number, .. } = self.open[request];
        let address = at.topology.draws.request(population, u64::from(number));
        self.attempt(at, request, address)
    }

    /// A user sends the request at `address`, for the first time or again.
    fn attempt(
        &mut self,
        at: &mut Around<'_>,
        request: Handle<OpenRequest>,
        address: Address,
    ) -> Option<NewRequest> {
        let state = &mut self.open[request];
        state.attempts += 1;
        state.sent_last = at.now;
        let OpenRequest { population, number, user, endpoint, attempts, .. } = *state;
        let users = &at.topology.description.populations[population.index()];
        let work = at.recorder.work_begins(RequestId { population, number });
        let whereabouts = at.topology.whereabouts_of(population);
        let access = &mut self.access[population];
        if users.reconnects_after.is_some() || whereabouts.is_some() {
            let moves = whereabouts.map_or(0, |whereabouts| whereabouts.moves_before(user, at.now));
            access.reconnect(user, connection_number(users, user, at.now) + moves);
        }
        let tcp = &at.topology.description.clusters[at.here].tcp;
        let body = at.topology.application().endpoints[endpoint].request_bytes;
        let takes = access.send(user, at.now, body, &users.access_to(at.here), tcp);
        let mut reaches_proxy = at.now + takes;
        if at.recorder.traces() {
            let attempt = user_attempt_address(address, attempts);
            self.trace(at, request, |lane, now| {
                lane.say(now, What::Calls(attempt)).spends(now, Part::Access)
            });
        }
        if at.topology.outages.ingress(at.here, reaches_proxy) != Ingress::Up {
            reaches_proxy = self.is_met_by_nobody(at, request, reaches_proxy)?;
        }
        Some(NewRequest {
            origin: Origin::User { request, population, user },
            work,
            caller: None,
            address: user_attempt_address(address, attempts),
            endpoint,
            path: ClusterPath::default().then(at.here),
            reaches_proxy,
        })
    }

    /// A user's request comes to a gateway that takes nobody in: tells when it is taken in, if ever.
    #[cold]
    fn is_met_by_nobody(
        &mut self,
        at: &mut Around<'_>,
        request: Handle<OpenRequest>,
        comes: SimTime,
    ) -> Option<SimTime> {
        if at.recorder.traces() {
            self.trace(at, request, |lane, _| lane.applies(comes, Rule::NoIngress));
        }
        let OpenRequest { population, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        let (outages, here) = (&at.topology.outages, at.here);
        let tried = of_syn(comes, |now| outages.ingress(here, now) == Ingress::Silent);
        let ends = match tried {
            Fate::Passes(now) if outages.ingress(here, now) == Ingress::Up => return Some(now),
            Fate::Passes(now) => now.saturating_add(users.access_to(here).one_way),
            Fate::Lost(now) => now,
        };
        self.fails(at, request, ends);
        None
    }

    /// A user's request fails at a moment, for there is no ingress, unless its user gives it up before.
    fn fails(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>, ends: SimTime) {
        let OpenRequest { population, user, sent_last, .. } = self.open[request];
        self.access[population].close(user);
        let timeout = at.topology.description.populations[population.index()].timeout;
        let gives_up = timeout.map_or(SimTime::MAX, |timeout| sent_last.saturating_add(timeout));
        let status = if gives_up < ends { Status::CallerGone } else { Status::NoIngress };
        self.is_done(at, request, ends.min(gives_up), &Answer { status, body: 0 });
    }

    /// The gateway has died with a user's request.
    fn is_lost(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>) {
        let OpenRequest { population, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        let (outages, here, access) = (&at.topology.outages, at.here, users.access_to(at.here));
        // What is sent again to one that is back is refused there.
        let fate = of_segment(at.now, &access, |now| outages.ingress(here, now) == Ingress::Silent);
        let ends = match fate {
            Fate::Passes(now) => now.saturating_add(access.one_way),
            Fate::Lost(now) => now,
        };
        self.fails(at, request, ends);
    }

    /// The gateway has an answer for a user, or knows that the user is gone.
    pub(super) fn answered(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>, answer: &Answer) {
        if at.recorder.traces() {
            self.trace(at, request, |lane, now| lane.spends(now, Part::Access));
        }
        match answer.status {
            Status::CallerGone => return self.is_done(at, request, at.now, answer),
            Status::NoIngress => return self.is_lost(at, request),
            _ => {}
        }
        let OpenRequest { population, user, sent_last, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        let stream = stream_bytes(RESPONSE_HEADER, answer.body, false);
        let tcp = &at.topology.description.clusters[at.here].tcp;
        let last_byte = self.access[population].answer(user, at.now, stream, &users.access_to(at.here), tcp);
        let gives_up = users.timeout.map(|timeout| sent_last.saturating_add(timeout));
        match gives_up.filter(|&gives_up| gives_up < last_byte) {
            None => self.is_done(at, request, last_byte, answer),
            // The answer is on its way.
            Some(gives_up) => {
                let late = Answer { status: Status::CallerGone, ..*answer };
                self.is_done(at, request, gives_up, &late);
            }
        }
    }

    /// A user has the answer to an attempt, or has given that up, at `end`.
    fn is_done(&mut self, at: &mut Around<'_>, request: Handle<OpenRequest>, end: SimTime, answer: &Answer) {
        let OpenRequest { population, number, user, attempts, .. } = self.open[request];
        let users = &at.topology.description.populations[population.index()];
        if answer.status == Status::CallerGone {
            self.access[population].close(user);
        }
        if let Some(retries) = &users.retries {
            let address = at.topology.draws.request(population, u64::from(number));
            if let Some(pause) = retries.pause(attempts, answer.status, address) {
                if at.recorder.traces() {
                    let rule = Rule::UserRetry(attempts, pause);
                    self.trace(at, request, |lane, _| lane.applies(end, rule).spends(end, Part::BackOff));
                }
                return at.schedule(end.saturating_add(pause), Event::UserTriesAgain(request));
            }
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

    /// Something befalls a user's request, if that is one of those that are chosen.
    #[cold]
    fn trace(
        &self,
        at: &mut Around<'_>,
        request: Handle<OpenRequest>,
        say: impl for<'t, 'u> FnOnce(&'t mut Tracer<'u>, SimTime) -> &'t mut Tracer<'u>,
    ) {
        let OpenRequest { population, number, .. } = self.open[request];
        let address = at.topology.draws.request(population, u64::from(number));
        let now = at.now;
        if let Some(mut lane) = at.recorder.tracer_of(RequestId { population, number }, address) {
            say(&mut lane, now);
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
