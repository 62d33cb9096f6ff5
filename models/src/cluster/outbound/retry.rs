//! An attempt that ends without an answer, or with a bad one: the request is tried again, or that is its answer.
//!
//! # Models
//! A request is tried again if its route covers what came of the attempt, its number of attempts is not used up, and
//! the upstream's limit of retries allows it; after a back-off, during which it holds its place among the retries.
//!
//! # Source
//! Envoy `router.cc` (`onUpstreamReset`, `doRetry`), `retry_state_impl.cc`.

use super::Outbound;
use super::hop::{AttemptPhase, Client, Hop, Origin};
use super::router::{charge_attempt, route_of};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::draws::Purpose;
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::outlier_detection::HostResult;
use crate::envoy::retry::{AttemptOutcome, back_off};
use crate::envoy::upstream::AttemptResult;
use crate::request::answer::Status;
use crate::telemetry::metrics::Counter;
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimTime};

impl Outbound {
    /// The client learns that the connection of its attempt was lost.
    pub(crate) fn reset_arrives(&mut self, at: &mut Around<'_>, hop: Handle<Hop>, address: Address) {
        if !self.is_awaited(hop, address) {
            return;
        }
        self.close_connection(at, hop, true);
        if let Client::Proxy { .. } = self.hops[hop].client {
            let result = AttemptResult::Local(HostResult::LocalOriginConnectFailed);
            self.end_attempt(at, hop, result);
        }
        self.attempt_fails(at, hop, Status::UpstreamReset, AttemptOutcome::Reset);
    }

    /// An attempt has ended without an answer: the request is tried again, or that is its answer.
    pub(super) fn attempt_fails(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        status: Status,
        outcome: AttemptOutcome,
    ) {
        self.hops[hop].phase = AttemptPhase::Idle;
        if self.try_again(at, hop, outcome, at.now) {
            charge_attempt(at, &self.hops[hop]);
        } else {
            self.answer_itself(at, hop, status);
        }
    }

    /// Schedules another attempt of a request if its route and its limits allow: whether they do.
    pub(super) fn try_again(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        outcome: AttemptOutcome,
        from: SimTime,
    ) -> bool {
        self.return_retry(hop);
        let state = self.hops[hop];
        let retry = match (state.client, state.origin) {
            (Client::Cell, _) | (_, Origin::Mirror) => return false,
            _ => route_of(at, &state).retry.as_ref().filter(|_| !self.is_tcp(at, &state)),
        };
        let Some(retry) = retry.filter(|retry| retry.covers(outcome) && state.attempts <= retry.attempts)
        else {
            if at.recorder.traces() {
                self.trace_no_retry(at, hop, outcome, false);
            }
            return false;
        };
        let breaker = self.breaker_of(&state);
        if !self.pools.breaker(breaker).acquire(Resource::Retries) {
            self.count(at, hop, Counter::RetryOverflows);
            if at.recorder.traces() {
                self.trace_no_retry(at, hop, outcome, true);
            }
            return false;
        }
        self.count(at, hop, Counter::Retries);
        let wait = back_off(retry.back_off, state.attempts, state.address, Purpose::RetryBackoff);
        if at.recorder.traces() {
            self.trace_retry(at, hop, outcome, retry, (from, wait));
        }
        self.previous_hosts.remember(hop.slot(), state.attempts, state.pod);
        let state = &mut self.hops[hop];
        state.holds_retry = true;
        state.phase = AttemptPhase::Idle;
        let work = state.work;
        at.recorder.work_done(at.now, work, |work| work.retries += 1);
        at.schedule(from + wait, Event::Attempts(hop));
        true
    }

    /// A retry is over.
    #[inline(always)]
    pub(super) fn return_retry(&mut self, hop: Handle<Hop>) {
        if self.hops[hop].holds_retry {
            let state = self.hops[hop];
            let breaker = self.breaker_of(&state);
            self.pools.breaker(breaker).release(Resource::Retries);
            self.hops[hop].holds_retry = false;
        }
    }
}
