//! A caller that gives up: a user, or a cell whose call takes too long.
//!
//! # Models
//! A user waits its `timeout` for the last byte of its answer, and a cell its `client_timeout` for that of a
//! call. Then it closes its connection and goes on: the user to its next request, on a connection that is new,
//! the cell to its next call, and to a 500 at the end. When the proxy between learns of it (Envoy's flag DC,
//! with a status of 0), it waits for nothing more: a request that waits for a connection leaves the queue, one
//! that was sent is reset upstream, with its connection over HTTP/1.1, and no retry follows. Outlier
//! detection is told nothing: it was not the host that ended the request. What the request asked for is still
//! done where it is, and counted. Time-outs of routes and of tries hold beside: whichever is first.
//! What is answered in time costs no event (`envoy/timeout`).
//!
//! # Assumptions
//! - A cell's time runs from its call to the last byte of the answer. That of Python's `requests` runs between
//!   any two bytes, so there an answer of several round trips may take longer in all.
//! - Without a mesh the time runs twice, as there: for the connection, then for the answer. With a proxy
//!   between, the connection is made to that, at once.
//! - The server's sidecar learns of it where it counts what it has (`inbound/sidecar`).
//!
//! # Source
//! Envoy `router.cc` (`onDestroy`, `onResetStream`: a downstream reset puts no result), `conn_pool_base.cc`
//! (`onPendingStreamCancel`: the connection is made all the same), access log flag `DC`; requests,
//! "Timeouts"; µBench, `ExternalServiceExecutor.py` (any exception makes the cell answer 500).

use super::Outbound;
use super::hop::{AttemptPhase, Client, Hop, Origin};
use super::router::client_is_done;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::{Answered, Handed};
use crate::cluster::message::GivenUp;
use crate::envoy::timeout::Deadline;
use crate::ids::{PopulationId, QueueId};
use crate::request::answer::{Answer, Status};
use crate::telemetry::metrics::Counter;
use crate::world::description::DataPlane;
use meshsim_core::{Handle, Id, SimDuration};

/// The queue of the cells' deadlines; that of a population stands at its number, counted from 1.
const OF_CELLS: u32 = 0;

impl Outbound {
    /// A user waits for the answer to its request, for so long.
    pub(super) fn user_waits(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        population: PopulationId,
        timeout: SimDuration,
    ) {
        self.caller_waits(at, hop, population.0 + 1, timeout);
    }

    /// A cell waits so long for the answer to a call that it makes: from now on behind a proxy, without a mesh from
    /// when it is sent.
    pub(super) fn cell_waits(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, timeout: SimDuration) {
        if at.topology.description.mesh.data_plane != DataPlane::None {
            self.caller_waits(at, hop, OF_CELLS, timeout);
        }
    }

    /// A cell waits for the answer to a request that it has sent without a mesh.
    pub(super) fn cell_waits_without_mesh(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        if let Some(timeout) = at.topology.description.cell.client_timeout
            && at.topology.description.mesh.data_plane == DataPlane::None
        {
            self.caller_waits(at, hop, OF_CELLS, timeout);
        }
    }

    fn caller_waits(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, queue: u32, timeout: SimDuration) {
        let deadline = Deadline { at: at.now.saturating_add(timeout), hop, attempt: 0 };
        if let Some(timer) = self.patience.or_default(QueueId(queue)).add(deadline) {
            at.schedule(timer, Event::CallersGiveUp(queue));
        }
    }

    /// The time of some callers may be up. Those whose time it is are known before any of them makes room for others: what
    /// nobody waits for any more does not go out.
    pub(crate) fn callers_give_up(&mut self, at: &mut Around<'_>, queue: u32) {
        let mut gone = std::mem::take(&mut self.gone);
        let Self { patience, hops, .. } = self;
        let deadlines = &mut patience[QueueId(queue)];
        loop {
            let waits = |it: &Deadline| hops.contains(it.hop) && !matches!(hops[it.hop].origin, Origin::Gone);
            let Some(due) = deadlines.take_due(at.now, waits) else { break };
            gone.push((due.hop, std::mem::replace(&mut hops[due.hop].origin, Origin::Gone)));
        }
        if let Some(next) = deadlines.restart() {
            at.schedule(next, Event::CallersGiveUp(queue));
        }
        for (hop, origin) in gone.drain(..) {
            self.gives_up(at, hop, origin);
        }
        self.gone = gone;
    }

    /// A caller has waited for as long as it does.
    fn gives_up(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, origin: Origin) {
        let state = &mut self.hops[hop];
        let answer = Answer { status: Status::CallerGone, body: 0 };
        let was_pooled = std::mem::take(&mut state.pooled);
        let state = *state;
        if was_pooled {
            self.gives_back_pooled(at, &state);
        }
        let service = at.topology.service_of(state.endpoint);
        at.recorder.counted(at.now, service, Counter::CallersGone);
        client_is_done(at, hop, &Hop { answer, ..state }, None);
        if at.recorder.traces() {
            self.trace_gives_up(at, hop);
        }
        let learns_after = match (origin, state.client) {
            (Origin::User { population, .. }, _) => {
                at.topology.description.populations[population.index()].access_to(at.here).one_way
            }
            (_, Client::Proxy { proxy, .. }) => at.proxies[proxy].to_caller,
            (_, Client::Cell) => SimDuration::ZERO,
        };
        if learns_after == SimDuration::ZERO {
            self.caller_is_gone(at, hop);
        } else {
            at.schedule(at.now + learns_after, Event::CallerIsGone(hop));
        }
        at.hand(Handed::Answered(Answered { origin, answer }));
    }

    /// A client learns that nobody waits for a request of its any more.
    pub(crate) fn caller_is_gone(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        // It may have been answered meanwhile.
        if !self.hops.contains(hop) {
            return;
        }
        match self.hops[hop].phase {
            AttemptPhase::Idle | AttemptPhase::Answered => {}
            AttemptPhase::Waiting => self.stop_waiting(at, hop),
            AttemptPhase::Sent => {
                self.tell_server(at, hop);
                self.close_connection(at, hop, false);
                self.release_request(hop);
            }
        }
        self.return_retry(hop);
        self.hops.remove(hop);
    }

    /// The server of an attempt is told that its client has given up, where that counts what it has.
    pub(super) fn tell_server(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let state = &self.hops[hop];
        let service = at.topology.pod_ids.service_of(state.pod);
        let counts =
            at.topology.is_behind_sidecar(state.pod) && at.topology.upstreams.limits_servers(service);
        if let Some(connection) = state.connection.filter(|_| counts) {
            at.hand(Handed::GivenUp(GivenUp {
                client: at.here,
                hop,
                flow: at.flow(state.caller.map(|caller| caller.pod), state.pod),
                address: state.attempt_address(),
                pod: self.pools[connection].pod,
                work: state.work,
            }));
        }
    }
}
