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
//! What is answered in time costs no event (`mesh/timeout`).
//!
//! # Assumptions
//! - A cell's time runs from its call to the last byte of the answer. That of Python's `requests` runs between
//!   any two bytes, so there an answer of several round trips may take longer in all.
//! - Without a mesh the time runs twice, as there: for the connection, then for the answer. With a proxy
//!   between, the connection is made to that, at once.
//! - The server's sidecar learns of it where it counts what it has (`at_server`).
//!
//! # Source
//! Envoy `router.cc` (`onDestroy`, `onResetStream`: a downstream reset puts no result), `conn_pool_base.cc`
//! (`onPendingStreamCancel`: the connection is made all the same), access log flag `DC`; requests,
//! "Timeouts"; µBench, `ExternalServiceExecutor.py` (any exception makes the cell answer 500).

use super::record::{Answer, Client, Hop, Origin, Phase, Status};
use crate::cluster::event::Event;
use crate::cluster::handle::Context;
use crate::ids::{PopulationId, QueueId};
use crate::mesh::timeout::Deadline;
use crate::telemetry::metrics::Counter;
use crate::world::description::DataPlane;
use meshsim_core::{Handle, Id, SimDuration};

/// The queue of the cells' deadlines; that of a population stands at its number, counted from 1.
const OF_CELLS: u32 = 0;

impl Context<'_> {
    /// A user waits for the answer to its request, for as long as it does.
    #[inline]
    pub(super) fn user_waits(&mut self, hop: Handle<Hop>, population: PopulationId) {
        if let Some(timeout) = self.topology.description.populations[population.index()].timeout {
            self.caller_waits(hop, population.0 + 1, timeout);
        }
    }

    /// A cell waits for the answer to a call that it has made through a proxy.
    #[inline]
    pub(super) fn cell_waits(&mut self, hop: Handle<Hop>) {
        if let Some(timeout) = self.topology.description.cell.client_timeout
            && self.topology.description.mesh.data_plane != DataPlane::None
        {
            self.caller_waits(hop, OF_CELLS, timeout);
        }
    }

    /// A cell waits for the answer to a request that it has sent without a mesh.
    #[inline]
    pub(super) fn cell_waits_without_mesh(&mut self, hop: Handle<Hop>) {
        if let Some(timeout) = self.topology.description.cell.client_timeout
            && self.topology.description.mesh.data_plane == DataPlane::None
        {
            self.caller_waits(hop, OF_CELLS, timeout);
        }
    }

    fn caller_waits(&mut self, hop: Handle<Hop>, queue: u32, timeout: SimDuration) {
        let deadline = Deadline { at: self.now.saturating_add(timeout), hop, attempt: 0 };
        if let Some(timer) = self.cluster.patience.or_default(QueueId(queue)).add(deadline) {
            self.scheduler.schedule(timer, Event::CallersGiveUp(queue));
        }
    }

    /// The time of some callers may be up.
    pub(crate) fn callers_give_up(&mut self, queue: u32) {
        loop {
            let cluster = &mut *self.cluster;
            let deadlines = &mut cluster.patience[QueueId(queue)];
            let waits = |it: &Deadline| cluster.hops.contains(it.hop);
            let Some(due) = deadlines.take_due(self.now, waits) else {
                if let Some(at) = deadlines.restart() {
                    self.scheduler.schedule(at, Event::CallersGiveUp(queue));
                }
                return;
            };
            self.gives_up(due.hop);
        }
    }

    /// A caller has waited for as long as it does.
    fn gives_up(&mut self, hop: Handle<Hop>) {
        let it = &mut self.cluster.hops[hop];
        let origin = std::mem::replace(&mut it.origin, Origin::Gone);
        let answer = Answer { status: Status::CallerGone, body: 0 };
        let it = *it;
        let service = self.topology.service_of(it.endpoint);
        self.cluster.recorder.counted(self.now, service, Counter::CallersGone);
        self.cluster.recorder.client_answered(service, false, self.now - it.routed);
        let learns_after = match (origin, it.client) {
            (Origin::User(request), _) => {
                let population = self.cluster.open_requests[request].population;
                self.topology.description.populations[population.index()].access.one_way
            }
            (_, Client::Proxy { proxy, .. }) => self.pass_of(proxy).1,
            (_, Client::Cell) => SimDuration::ZERO,
        };
        if learns_after == SimDuration::ZERO {
            self.caller_is_gone(hop);
        } else {
            self.scheduler.schedule(self.now + learns_after, Event::CallerIsGone(hop));
        }
        match origin {
            Origin::User(request) => self.user_is_done(request, self.now, &answer),
            Origin::Call { call, group, step } => self.call_answered(call, group, step, &answer),
            Origin::Mirror | Origin::Gone => unreachable!("nobody waits"),
        }
    }

    /// A client learns that nobody waits for a request of its any more.
    pub(crate) fn caller_is_gone(&mut self, hop: Handle<Hop>) {
        // It may have been answered meanwhile.
        if !self.cluster.hops.contains(hop) {
            return;
        }
        match self.cluster.hops[hop].phase {
            Phase::Idle | Phase::Answered => {}
            Phase::Waiting => self.stop_waiting(hop),
            Phase::Sent => {
                self.tell_server(hop);
                self.close_connection(hop, false);
                self.release_request(hop);
            }
        }
        self.return_retry(hop);
        self.cluster.hops.remove(hop);
    }
}
