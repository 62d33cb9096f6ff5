//! What servers say of the lives of chosen requests (`telemetry/trace`): when no request is chosen, nobody comes here.

use super::Inbound;
use super::call::Call;
use crate::cluster::around::Around;
use crate::cluster::job::Stage;
use crate::telemetry::trace::{Lane, Part, Rule, Tracer, What, earlier};
use meshsim_core::{Handle, SimDuration, SimTime};

impl Inbound {
    fn lane<'t>(&self, at: &'t mut Around<'_>, call: Handle<Call>, lane: Lane) -> Option<Tracer<'t>> {
        let state = &self.calls[call];
        at.recorder.tracer(state.work, state.address, lane)
    }

    /// A request is at its pod and passes what stands before it.
    #[cold]
    pub(super) fn trace_arrives(
        &self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        (out, takes): (SimTime, SimDuration),
        loopback: SimDuration,
    ) {
        let (now, pod) = (at.now, self.calls[call].pod);
        if let Some(mut lane) = self.lane(at, call, Lane::Server) {
            lane.say(now, What::Arrives(pod)).spends(now, Part::ProxyQueue);
            lane.spends(earlier(out, takes), Part::Proxy).spends(out, Part::Loopback);
            lane.spends(out + loopback, Part::WorkerQueue);
        }
    }

    /// A call waits for something from now on.
    #[cold]
    pub(super) fn trace_waits(&self, at: &mut Around<'_>, call: Handle<Call>, part: Part) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, call, Lane::Server) {
            lane.spends(now, part);
        }
    }

    /// A rule is applied to a call.
    #[cold]
    pub(super) fn trace_rule(&self, at: &mut Around<'_>, call: Handle<Call>, rule: Rule) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, call, Lane::Server) {
            lane.applies(now, rule);
        }
    }

    /// CPU work of a call begins.
    #[cold]
    pub(super) fn trace_works(&self, at: &mut Around<'_>, call: Handle<Call>, stage: Stage, demand: f64) {
        let (now, throttled) = (at.now, self.throttled(at, call));
        if let Some(mut lane) = self.lane(at, call, lane_of(stage)) {
            lane.say(now, What::Works { demand, throttled });
        }
    }

    /// It is over; what follows is calls unless something else is said.
    #[cold]
    pub(super) fn trace_has_worked(&self, at: &mut Around<'_>, call: Handle<Call>, stage: Stage) {
        let (now, throttled) = (at.now, self.throttled(at, call));
        if let Some(mut lane) = self.lane(at, call, lane_of(stage)) {
            lane.say(now, What::HasWorked { throttled }).spends(now, Part::Calls);
        }
    }

    /// A group makes a call.
    #[cold]
    pub(super) fn trace_calls(&self, at: &mut Around<'_>, call: Handle<Call>, group: u16, step: u16) {
        let (now, child) = (at.now, self.new_request(at, call, group, step).address);
        if let Some(mut lane) = self.lane(at, call, Lane::Group(group)) {
            lane.say(now, What::Calls(child)).spends(now, Part::Calls);
        }
    }

    /// A group has made its last call.
    #[cold]
    pub(super) fn trace_group_ends(&self, at: &mut Around<'_>, call: Handle<Call>, group: u16) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, call, Lane::Group(group)) {
            lane.say(now, What::Ends(None));
        }
    }

    /// An answer reaches what stands before its pod at a moment, and leaves.
    #[cold]
    pub(super) fn trace_answers(
        &self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        reaches: SimTime,
        (leaves, takes): (SimTime, SimDuration),
    ) {
        let (now, answer) = (at.now, self.calls[call].answer);
        if let Some(mut lane) = self.lane(at, call, Lane::Server) {
            lane.spends(now, Part::Loopback).spends(reaches, Part::ProxyQueue);
            lane.spends(earlier(leaves, takes), Part::Proxy);
            lane.say(leaves, What::Leaves(answer.status, answer.body));
        }
    }

    /// For how long the container of a call was stopped so far (ns).
    fn throttled(&self, at: &Around<'_>, call: Handle<Call>) -> u64 {
        at.compute.throttled_nanos(at.pods.container_of(self.calls[call].slot()), at.now)
    }
}

/// Whose time a piece of CPU work is.
const fn lane_of(stage: Stage) -> Lane {
    match stage {
        Stage::Calling { group, .. } => Lane::Group(group),
        Stage::Internal | Stage::Body | Stage::Response => Lane::Server,
    }
}
