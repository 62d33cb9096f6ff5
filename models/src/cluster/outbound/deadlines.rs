//! Requests, and attempts, that take longer than their route allows: `timeout` and `perTryTimeout`.
//!
//! # Models
//! What has an answer in time costs no event (`envoy/timeout`): a route's deadlines come in the order in which they
//! were set, and one timer follows the first that still matters.
//!
//! # Source
//! Envoy `router.cc` (`onResponseTimeout`, `onPerTryTimeout`).

use super::Outbound;
use super::hop::{AttemptPhase, Hop};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::envoy::outlier_detection::HostResult;
use crate::envoy::retry::AttemptOutcome;
use crate::envoy::timeout::Deadline;
use crate::envoy::upstream::AttemptResult;
use crate::ids::RouteId;
use crate::request::answer::Status;
use crate::telemetry::metrics::Counter;
use meshsim_core::{Handle, SimDuration};

impl Outbound {
    /// A request, or its attempt of this number, must end after so long.
    pub(super) fn set_deadline(
        &mut self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        route: RouteId,
        timeout: SimDuration,
        attempt: u8,
    ) {
        let of_tries = attempt > 0;
        let deadlines = &mut self.deadlines[usize::from(of_tries)][route];
        let ends = at.now.saturating_add(timeout);
        if let Some(timer) = deadlines.add(Deadline { at: ends, hop, attempt }) {
            at.schedule(timer, Event::DeadlinesCome { route, of_tries });
        }
    }

    /// The first deadline of a route has come.
    pub(crate) fn deadlines_come(&mut self, at: &mut Around<'_>, route: RouteId, of_tries: bool) {
        loop {
            let Self { deadlines, hops, .. } = self;
            let deadlines = &mut deadlines[usize::from(of_tries)][route];
            let matters = |it: &Deadline| {
                hops.contains(it.hop) && {
                    let hop = &hops[it.hop];
                    if of_tries {
                        hop.attempts == it.attempt && hop.phase == AttemptPhase::Sent
                    } else {
                        hop.phase != AttemptPhase::Answered
                    }
                }
            };
            let Some(due) = deadlines.take_due(at.now, matters) else {
                if let Some(next) = deadlines.restart() {
                    at.schedule(next, Event::DeadlinesCome { route, of_tries });
                }
                return;
            };
            if of_tries { self.try_times_out(at, due.hop) } else { self.route_times_out(at, due.hop) }
        }
    }

    /// A request has taken as long as its route allows.
    fn route_times_out(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        match self.hops[hop].phase {
            AttemptPhase::Idle | AttemptPhase::Answered => {}
            AttemptPhase::Waiting => self.stop_waiting(at, hop),
            AttemptPhase::Sent => self.give_up_attempt(at, hop),
        }
        self.count(at, hop, Counter::Timeouts);
        self.answer_itself(at, hop, Status::Timeout);
    }

    /// An attempt has taken as long as its route allows for one.
    fn try_times_out(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.give_up_attempt(at, hop);
        self.count(at, hop, Counter::PerTryTimeouts);
        self.attempt_fails(at, hop, Status::Timeout, AttemptOutcome::PerTryTimeout);
    }

    /// The client of a request that was sent waits no longer.
    fn give_up_attempt(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        self.tell_server(at, hop);
        self.close_connection(at, hop, false);
        self.end_attempt(at, hop, AttemptResult::Local(HostResult::LocalOriginTimeout));
    }
}
