//! The client's side of a call: route, attempts, answer.
//!
//! # Models
//! The client is a proxy (gateway or sidecar), or without a mesh the calling cell itself. A proxy
//! finds the request's route, injects faults, chooses an endpoint (`choice`) and a connection
//! (`connection`), sends, waits, and tries again or gives up. An attempt whose endpoint is in another
//! cluster is a crossing, into a cluster that was on the way already also a return.
//! A request whose client has given up goes on where it is: what it asked for is still done.
//!
//! # Assumptions
//! - A request that is reset has sent no bytes.
//! - A response whose client has given up still crosses the link between clusters, but not within.
//! - An answer that a proxy gives itself costs no time on its worker.
//! - A time-out per try runs until the whole answer is there, where Envoy's ends at its headers.
//!
//! # Source
//! Envoy `router.cc`; the rules are cited where they are kept, in `mesh/*` and `kube_proxy`.

use super::pooling::Pooling;
use super::position::ClusterPath;
use super::record::{Answer, Client, ClientConnection, Hop, Origin, Phase, Status};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::cluster::message::{Request, Response};
use crate::cluster::state::Cluster;
use crate::draws::{Purpose, call_address, draw};
use crate::ids::{EndpointId, PodId, ProxyId, UpstreamId};
use crate::mesh::circuit_breaker::Resource;
use crate::mesh::outlier_detection::HostResult;
use crate::mesh::proxy_cost::ProxyPass;
use crate::mesh::retry::{Outcome, back_off};
use crate::mesh::route::Route;
use crate::mesh::timeout::Deadline;
use crate::mesh::upstream::AttemptResult;
use crate::telemetry::metrics::Counter;
use crate::users::open_request::OpenRequest;
use meshsim_core::random::{Address, bernoulli, uniform};
use meshsim_core::{Handle, Id, SimDuration, SimTime};

/// Envoy's body for "upstream connect error or disconnect/reset before headers" (bytes).
pub(super) const LOCAL_REPLY_BODY: u32 = 95;

/// The group number of a mirrored request's address: no call graph has so many groups.
const MIRRORED: u16 = u16::MAX;

impl Context<'_> {
    /// A client's proxy has a request ready: it looks for its route.
    pub(crate) fn route(&mut self, hop: Handle<Hop>) {
        // Its proxy may have died meanwhile.
        if !self.cluster.hops.contains(hop) {
            return;
        }
        let it = self.cluster.hops[hop];
        let service = self.topology.service_of(it.endpoint);
        let upstreams = &self.topology.upstreams;
        let route = match it.origin {
            Origin::User(request) => {
                upstreams.route_of_users(self.cluster.open_requests[request].population, service)
            }
            Origin::Call { .. } | Origin::Mirror | Origin::Gone => upstreams.plain_route(service),
        };
        let Some(route) = route else { return self.answer_itself(hop, Status::NoRoute) };
        self.cluster.hops[hop].route = route;
        let route = upstreams.route(service, route);
        if let Some(upstream) = route.plain {
            self.set_upstream(hop, upstream);
            return self.attempt(hop);
        }
        match route.fault.delay_of(it.address) {
            Some(delay) => self.scheduler.schedule(self.now + delay, Event::FollowsRoute(hop)),
            None => self.follow_route(hop),
        }
    }

    /// A request goes where its route says.
    pub(crate) fn follow_route(&mut self, hop: Handle<Hop>) {
        // Its client may have died while it was held up.
        if !self.cluster.hops.contains(hop) {
            return;
        }
        let it = self.cluster.hops[hop];
        let route = self.route_of(&it);
        if let Some(status) = route.fault.abort_of(it.address) {
            return self.answer_itself(hop, Status::FaultInjected(status));
        }
        let upstream = route
            .only_destination()
            .unwrap_or_else(|| route.destination(uniform(&mut draw(it.address, Purpose::TrafficSplit))));
        self.set_upstream(hop, upstream);
        if let Some(timeout) = route.timeout {
            self.set_deadline(hop, route.number, timeout, 0);
        }
        if let Some((mirror, percent)) = route.mirror
            && bernoulli(&mut draw(it.address, Purpose::Mirror), percent / 100.0)
        {
            self.send_copy(&it, mirror);
        }
        self.attempt(hop);
    }

    /// An attempt begins: a proxy chooses an endpoint for a request and gives it a connection.
    pub(crate) fn attempt(&mut self, hop: Handle<Hop>) {
        // It may have timed out in its back-off.
        if !self.cluster.hops.contains(hop) {
            return;
        }
        let it = self.cluster.hops[hop];
        let Client::Proxy { proxy, worker, .. } = it.client else { return };
        let worker = u16::from(worker);
        if it.phase == Phase::Answered {
            return;
        }
        if let Some(pool) = self.pool_of_caller(&it) {
            return self.attempt_over_tcp(hop, pool, proxy, worker);
        }
        let Some((pod, pool)) = self.choose_endpoint(hop, proxy, worker) else {
            return self.answer_itself(hop, Status::NoHealthyUpstream);
        };
        self.begin_attempt(hop, pod);
        self.take_connection(hop, pool);
    }

    /// The answer of a pod of this or another cluster reaches the client.
    pub(crate) fn response_arrives(&mut self, response: &Response) {
        let hop = response.hop;
        if !self.is_awaited(hop, response.address) {
            return;
        }
        if self.topology.swallows() && self.answer_is_swallowed(response) {
            return;
        }
        let it = &mut self.cluster.hops[hop];
        it.answer = response.answer;
        let it = *it;
        if self.topology.pods[it.pod].cluster != self.cluster.id {
            let waited = self.now - it.routed;
            self.cluster.recorder.crossing_answered(self.now, waited.saturating_sub(response.took));
        }
        self.connection_is_free(hop, response);
        let Client::Proxy { proxy, worker, .. } = it.client else {
            self.cluster.hops[hop].phase = Phase::Answered;
            if self.topology.is_ambient() {
                return self.answer_reaches_node(hop);
            }
            return self.hop_completes(hop);
        };
        let status = response.answer.status.code();
        self.end_attempt(hop, AttemptResult::Status(status));
        let body = response.answer.body;
        let (pass, loopback) = self.pass_of(proxy);
        let (takes, cpu) = (pass.response(it.address, body), pass.cpu(body));
        self.charge_proxy(proxy, cpu);
        let at = self.cluster.proxies[proxy].pass(u16::from(worker), self.now, takes);
        // Most answers are good ones to a first attempt.
        let settled = response.answer.is_ok() && !it.holds_retry;
        if settled || !self.try_again(hop, Outcome::Answered(status), at) {
            self.cluster.hops[hop].phase = Phase::Answered;
            let by_waypoint = self.topology.is_ambient() && !self.topology.is_gateway(proxy);
            let event = if by_waypoint { Event::AnswerReachesNode(hop) } else { Event::HopCompletes(hop) };
            self.scheduler.schedule(at + loopback, event);
        }
    }

    /// The client learns that the connection of its attempt was lost.
    pub(crate) fn reset_arrives(&mut self, hop: Handle<Hop>, address: Address) {
        if !self.is_awaited(hop, address) {
            return;
        }
        self.close_connection(hop, true);
        if let Client::Proxy { .. } = self.cluster.hops[hop].client {
            let result = AttemptResult::Local(HostResult::LocalOriginConnectFailed);
            self.end_attempt(hop, result);
        }
        self.attempt_fails(hop, Status::UpstreamReset, Outcome::Reset);
    }

    /// A request, or its attempt of this number, must end after so long.
    pub(super) fn set_deadline(&mut self, hop: Handle<Hop>, route: u32, timeout: SimDuration, attempt: u8) {
        let of_tries = attempt > 0;
        let deadlines = &mut self.cluster.deadlines[usize::from(of_tries)][route as usize];
        let at = self.now.saturating_add(timeout);
        if let Some(timer) = deadlines.add(Deadline { at, hop, attempt }) {
            self.scheduler.schedule(timer, Event::DeadlinesCome { route, of_tries });
        }
    }

    /// The first deadline of a route has come.
    pub(crate) fn deadlines_come(&mut self, route: u32, of_tries: bool) {
        loop {
            let Cluster { deadlines, hops, .. } = &mut *self.cluster;
            let deadlines = &mut deadlines[usize::from(of_tries)][route as usize];
            let matters = |it: &Deadline| {
                hops.contains(it.hop) && {
                    let hop = &hops[it.hop];
                    if of_tries {
                        hop.attempts == it.attempt && hop.phase == Phase::Sent
                    } else {
                        hop.phase != Phase::Answered
                    }
                }
            };
            let Some(due) = deadlines.take_due(self.now, matters) else {
                if let Some(at) = deadlines.restart() {
                    self.scheduler.schedule(at, Event::DeadlinesCome { route, of_tries });
                }
                return;
            };
            if of_tries { self.try_times_out(due.hop) } else { self.route_times_out(due.hop) }
        }
    }

    /// A request has taken as long as its route allows.
    fn route_times_out(&mut self, hop: Handle<Hop>) {
        match self.cluster.hops[hop].phase {
            Phase::Idle | Phase::Answered => {}
            Phase::Waiting => self.stop_waiting(hop),
            Phase::Sent => self.give_up_attempt(hop),
        }
        self.count(hop, Counter::Timeouts);
        self.answer_itself(hop, Status::Timeout);
    }

    /// An attempt has taken as long as its route allows for one.
    fn try_times_out(&mut self, hop: Handle<Hop>) {
        self.give_up_attempt(hop);
        self.count(hop, Counter::PerTryTimeouts);
        self.attempt_fails(hop, Status::Timeout, Outcome::PerTryTimeout);
    }

    /// An attempt has ended without an answer: the request is tried again, or that is its answer.
    pub(super) fn attempt_fails(&mut self, hop: Handle<Hop>, status: Status, outcome: Outcome) {
        self.cluster.hops[hop].phase = Phase::Idle;
        if self.try_again(hop, outcome, self.now) {
            self.charge_attempt(self.cluster.hops[hop].client);
        } else {
            self.answer_itself(hop, status);
        }
    }

    /// The client's proxy, or its own library, answers in place of the upstream.
    pub(super) fn answer_itself(&mut self, hop: Handle<Hop>, status: Status) {
        let it = &mut self.cluster.hops[hop];
        (it.answer.status, it.answer.body) = (status, LOCAL_REPLY_BODY);
        it.phase = Phase::Answered;
        let client = it.client;
        let wait = match client {
            Client::Proxy { proxy, .. } => self.pass_of(proxy).1,
            Client::Cell => SimDuration::ZERO,
        };
        self.charge_attempt(client);
        self.scheduler.schedule(self.now + wait, Event::HopCompletes(hop));
    }

    /// What an attempt costs a proxy that has no answer for it.
    fn charge_attempt(&mut self, client: Client) {
        if let Client::Proxy { proxy, .. } = client {
            let cpu = self.pass_of(proxy).0.cpu(LOCAL_REPLY_BODY);
            self.charge_proxy(proxy, cpu);
        }
    }

    /// A proxy has used CPU time (ns).
    pub(super) fn charge_proxy(&mut self, proxy: ProxyId, cpu: f64) {
        self.cluster.recorder.proxy_used_cpu(self.now, cpu);
        self.cluster.proxies[proxy].cpu_used += cpu;
    }

    /// A request is over for its client.
    pub(crate) fn hop_completes(&mut self, hop: Handle<Hop>) {
        if !self.cluster.hops.contains(hop) {
            return;
        }
        self.return_retry(hop);
        let it = self.cluster.hops.remove(hop);
        if !matches!(it.origin, Origin::Gone) {
            let service = self.topology.service_of(it.endpoint);
            self.cluster.recorder.client_answered(service, it.answer.is_ok(), self.now - it.routed);
        }
        match it.origin {
            Origin::User(request) => self.answer_user(request, &it.answer),
            Origin::Call { call, group, step } => self.call_answered(call, group, step, &it.answer),
            Origin::Mirror | Origin::Gone => {}
        }
    }

    /// Schedules another attempt of a request if its route and its limits allow: whether they do.
    fn try_again(&mut self, hop: Handle<Hop>, outcome: Outcome, from: SimTime) -> bool {
        self.return_retry(hop);
        let it = self.cluster.hops[hop];
        let retry = match (it.client, it.origin) {
            (Client::Cell, _) | (_, Origin::Mirror) => return false,
            _ => self.route_of(&it).retry.as_ref().filter(|_| !self.is_tcp(&it)),
        };
        let Some(retry) = retry.filter(|retry| retry.covers(outcome) && it.attempts <= retry.attempts) else {
            return false;
        };
        let breaker = self.breaker_of(&it);
        if !self.cluster.pools.breaker(breaker).acquire(Resource::Retries) {
            self.count(hop, Counter::RetryOverflows);
            return false;
        }
        self.count(hop, Counter::Retries);
        let wait = back_off(retry.back_off, it.attempts, it.address, Purpose::RetryBackoff);
        self.cluster.previous_hosts.remember(hop.slot(), it.attempts, it.pod);
        let it = &mut self.cluster.hops[hop];
        it.holds_retry = true;
        it.phase = Phase::Idle;
        let work = it.work;
        self.cluster.recorder.work_done(self.now, work, |work| work.retries += 1);
        self.scheduler.schedule(from + wait, Event::Attempts(hop));
        true
    }

    /// A retry is over.
    #[inline(always)]
    pub(super) fn return_retry(&mut self, hop: Handle<Hop>) {
        if self.cluster.hops[hop].holds_retry {
            let it = self.cluster.hops[hop];
            let breaker = self.breaker_of(&it);
            self.cluster.pools.breaker(breaker).release(Resource::Retries);
            self.cluster.hops[hop].holds_retry = false;
        }
    }

    /// The client of a request that was sent waits no longer.
    fn give_up_attempt(&mut self, hop: Handle<Hop>) {
        self.tell_server(hop);
        self.close_connection(hop, false);
        self.end_attempt(hop, AttemptResult::Local(HostResult::LocalOriginTimeout));
    }

    /// Whether a client still waits for what came of the attempt at `address`.
    fn is_awaited(&self, hop: Handle<Hop>, address: Address) -> bool {
        self.cluster.hops.contains(hop) && {
            let it = &self.cluster.hops[hop];
            it.phase == Phase::Sent && it.attempt_address() == address
        }
    }

    fn set_upstream(&mut self, hop: Handle<Hop>, upstream: UpstreamId) {
        if let Client::Proxy { upstream: chosen, .. } = &mut self.cluster.hops[hop].client {
            *chosen = upstream.0 as u16;
        }
    }

    fn send_copy(&mut self, original: &Hop, mirror: UpstreamId) {
        let service = self.topology.upstreams.spec(false, mirror).service;
        let endpoint = self.topology.application().services[service].endpoint;
        let address = call_address(original.address, MIRRORED, 0, 0);
        let copy = Hop::new((Origin::Mirror, original.work), original.client, address, endpoint, self.now);
        let copy = self.cluster.hops.insert(copy);
        self.set_upstream(copy, mirror);
        self.attempt(copy);
    }

    /// Counts an attempt at `pod`.
    #[inline]
    pub(super) fn begin_attempt(&mut self, hop: Handle<Hop>, pod: PodId) {
        let target = self.topology.pods[pod].cluster;
        let crosses = target != self.cluster.id;
        let returns = crosses && self.clusters_before(self.cluster.hops[hop].origin).contains(target);
        let it = &mut self.cluster.hops[hop];
        it.pod = pod;
        it.routed = self.now;
        it.attempts += 1;
        let it = *it;
        if !matches!(it.origin, Origin::Mirror) {
            self.cluster.recorder.attempt_sent(self.now, target);
        }
        if crosses {
            self.cluster.recorder.work_done(self.now, it.work, |work| {
                work.crossings += 1;
                work.returns += u64::from(returns);
            });
        }
        if let Origin::User(request) = it.origin {
            self.follow_session(&it, request);
        }
    }

    /// Counts users' sessions that move.
    fn follow_session(&mut self, hop: &Hop, request: Handle<OpenRequest>) {
        let OpenRequest { population, number, .. } = self.cluster.open_requests[request];
        let it = &self.topology.description.populations[population.index()];
        if it.counts_session_moves {
            let user = it.arrivals.user(u64::from(number), hop.address, it.users);
            if self.cluster.sessions[population].moves(it, user, hop.pod) {
                let service = self.topology.service_of(hop.endpoint);
                self.cluster.recorder.counted(self.now, service, Counter::SessionMoves);
            }
        }
    }

    /// The clusters that lead to a hop, this one included.
    fn clusters_before(&self, origin: Origin) -> ClusterPath {
        match origin {
            // The caller may have died meanwhile.
            Origin::Call { call, .. } if self.cluster.calls.contains(call) => self.cluster.calls[call].path,
            _ => ClusterPath::default().then(self.cluster.id),
        }
    }

    /// What the server learns of a hop.
    pub(crate) fn request_of(&self, hop: Handle<Hop>, connection: Handle<ClientConnection>) -> Request {
        let it = &self.cluster.hops[hop];
        let connection = &self.cluster.pools[connection];
        Request {
            client: self.cluster.id,
            hop,
            request: self.cluster.recorder.request_of(it.work),
            address: it.attempt_address(),
            endpoint: self.endpoint_of(it),
            pod: it.pod,
            path: self.clusters_before(it.origin),
            server_worker: connection.server_worker,
            window: connection.window,
        }
    }

    /// What is asked of a pod: another service's endpoint if the request was split off to that.
    fn endpoint_of(&self, hop: &Hop) -> EndpointId {
        let service = self.topology.pods[hop.pod].service;
        if service == self.topology.service_of(hop.endpoint) {
            hop.endpoint
        } else {
            self.topology.application().services[service].endpoint
        }
    }
}

impl<'a> Context<'a> {
    /// What passing a client-side proxy takes, and the way from there to its cell.
    pub(super) fn pass_of(&self, proxy: ProxyId) -> (&'a ProxyPass, SimDuration) {
        let topology = self.topology;
        if topology.is_gateway(proxy) {
            (&topology.gateway_pass, SimDuration::ZERO)
        } else if topology.is_ambient() {
            let local_delay = topology.description.clusters[self.cluster.id].local_delay;
            (&topology.waypoint_pass, local_delay)
        } else {
            (&topology.outbound_pass, topology.description.mesh.loopback)
        }
    }

    /// The route that a hop takes.
    pub(super) fn route_of(&self, hop: &Hop) -> &'a Route {
        let topology = self.topology;
        topology.upstreams.route(topology.service_of(hop.endpoint), hop.route)
    }
}

impl Hop {
    /// The address of the draws of its last attempt: that of the first is common to all strategies;
    /// further ones are others' luck.
    #[must_use]
    pub(crate) fn attempt_address(&self) -> Address {
        match self.attempts {
            0 | 1 => self.address,
            further => self.address.child(u64::from(further - 1)),
        }
    }
}

impl Answer {
    /// Whether the client got what it asked for.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.is_ok()
    }
}
