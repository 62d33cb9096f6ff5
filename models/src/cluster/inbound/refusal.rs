//! What a server's sidecar cannot pass on, and clients that want it no more.
//!
//! # Models
//! What the sidecar refuses is an answer of 503 to the client's proxy: it counts for ejections, and is retried where
//! 503 is. From 1.23 on the sidecar tries twice again to reach an application that it could not connect to, after
//! back-offs, at the same pod; not over gRPC and TCP.
//! What policies deny is an answer of 403, over TCP a reset; what comes in plain text to a STRICT server is reset, and so is
//! what a ztunnel denies (`world/access`).
//! A client that gives up closes its connection (over HTTP/2 resets its stream), so the sidecar counts the
//! request no more and one that waits leaves its queue; the application goes on with what it has begun.
//!
//! # Assumptions
//! - Within a cluster the server knows at once that its client has given up. Requests that are in the
//!   sidecar's own queue at that moment go on to the application.
//! - Over a `tcp` service the sidecar's connections are counted from a request that needed one until they
//!   are closed; those that idle clients keep beside are not. The other limits do not hold for it.
//! - 1.23 itself tries again over gRPC too, its followers and this model do not.
//!
//! # Source
//! Istio `route.go`, `BuildDefaultHTTPInboundRoute` (from tag 1.23.0 on; istio/istio#52055).

use super::Inbound;
use super::call::Call;
use super::sidecar::{application_counts, inbound_of, pool_of, sent_by_sidecar};
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::{GivenUp, Request};
use crate::cluster::pooling::Pooling;
use crate::draws::Purpose;
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::connection_pool::Kept;
use crate::envoy::retry::{BackOff, back_off};
use crate::ids::PoolId;
use crate::request::answer::Status;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use crate::telemetry::trace::{Part, Rule};
use meshsim_core::{Handle, SimDuration};

impl Inbound {
    /// Whether a request is reset where it comes in, which counts it: in plain text at a STRICT server, or denied by the
    /// ztunnel of a service without a waypoint.
    #[cold]
    pub(super) fn is_reset(&mut self, at: &mut Around<'_>, request: &Request) -> bool {
        let (access, called) = (&at.topology.access, at.topology.pod_ids.service_of(request.pod));
        let caller = at.topology.flows.table()[request.flow].caller;
        let counter = if access.resets(caller, called) {
            Counter::PlainTextRefused
        } else if at.topology.has_ztunnel(request.pod)
            && at.proxies.waypoint(at.topology.front_of(request.pod)).is_none()
            && !access.allows(caller, request.endpoint)
        {
            Counter::Denied
        } else {
            return false;
        };
        at.recorder.counted(at.now, called, counter);
        at.hand(Handed::Reset(request.reset()));
        true
    }

    /// Whether policies deny a request at the sidecar of its pod, which answers it.
    #[cold]
    pub(super) fn is_denied(&mut self, at: &mut Around<'_>, call: Handle<Call>) -> bool {
        let state = &self.calls[call];
        let caller = at.topology.flows.table()[state.flow].caller;
        if at.topology.access.allows(caller, state.endpoint) {
            return false;
        }
        let service = at.topology.pod_ids.service_of(state.pod);
        at.recorder.counted(at.now, service, Counter::Denied);
        self.fail(at, call, Status::AccessDenied, SimDuration::ZERO);
        true
    }

    /// A TCP proxy has a connection for each of its client's, or closes that.
    #[cold]
    pub(super) fn enter_over_tcp(&mut self, at: &mut Around<'_>, call: Handle<Call>, pool: PoolId) {
        let state = self.calls[call];
        let (sent, loopback) = sent_by_sidecar(at);
        let connection = match self.pools.take_kept(pool, sent, |_| loopback) {
            Kept::Open(connection) => connection,
            Kept::Closed(_) => return self.meet_close(at, call),
            Kept::Nothing => {
                if !self.breaker_of(state.slot()).acquire(Resource::Connections) {
                    self.connection_overflows(at, call);
                    return self.fail(at, call, Status::ServerOverflow, SimDuration::ZERO);
                }
                self.open_at_server(at, &state, pool)
            }
        };
        if !self.dispatch(at, call, connection) {
            self.release(at, connection);
        }
    }

    /// A client has given up an attempt that it has sent here.
    #[cold]
    pub(crate) fn client_gives_up(&mut self, at: &mut Around<'_>, gone: &GivenUp) {
        let calls = &self.calls;
        let same = |it: &Call| it.hop == gone.hop && it.client == gone.client && it.address == gone.address;
        let Some(call) = calls.handles().find(|&call| same(&calls[call])) else { return };
        let state = self.calls[call];
        if let Some(connection) = self.calls[call].connection.take() {
            self.return_retry_of_server(call);
            self.breaker_of(state.slot()).release(Resource::Requests);
            let left = self.pools.abandon(connection, true);
            return self.has_left(at, left, call);
        }
        if self.pools.give_up(pool_of(at, &state), call) {
            self.return_retry_of_server(call);
            self.calls.remove(call);
        }
    }

    /// The application's port is closed: the sidecar tries again, or answers for it.
    #[cold]
    pub(super) fn cannot_connect(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        let state = self.calls[call];
        let service = at.pods.service_of(state.slot());
        at.recorder.counted(at.now, service, Counter::ConnectFailures);
        application_counts(at, state.slot(), Happens::Counted(Counter::ConnectFailures));
        self.return_retry_of_server(call);
        let back = at.topology.description.mesh.loopback * 2;
        if state.retries < inbound_of(at, state.slot()).inbound_retries {
            if self.breaker_of(state.slot()).acquire(Resource::Retries) {
                at.recorder.counted(at.now, service, Counter::Retries);
                application_counts(at, state.slot(), Happens::Counted(Counter::Retries));
                let n = state.retries + 1;
                let call_mut = &mut self.calls[call];
                (call_mut.retries, call_mut.holds_retry) = (n, true);
                let wait = back_off(BackOff::DEFAULT, n, state.address, Purpose::InboundBackOff);
                if at.recorder.traces() {
                    self.trace_rule(at, call, Rule::InboundRetry(n));
                    self.trace_waits(at, call, Part::BackOff);
                }
                return at.schedule(at.now + back + wait, Event::CellReceives(call));
            }
            at.recorder.counted(at.now, service, Counter::RetryOverflows);
            application_counts(at, state.slot(), Happens::Counted(Counter::RetryOverflows));
        }
        self.fail(at, call, Status::ConnectFailure, at.topology.description.mesh.loopback);
    }

    /// The sidecar answers for its application, of which it knows `after` so long; over TCP it closes the
    /// connection.
    pub(super) fn fail(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        status: Status,
        after: SimDuration,
    ) {
        if at.recorder.traces() {
            self.trace_rule(at, call, Rule::LocalReply(status));
        }
        let state = self.calls[call];
        if inbound_of(at, state.slot()).protocol == Protocol::Tcp {
            self.calls.remove(call);
            return at.hand(Handed::Reset(state.reset()));
        }
        let answer = &mut self.calls[call].answer;
        (answer.status, answer.body) = (status, status.local_body());
        self.respond_through_sidecar(at, call, after);
    }
}
