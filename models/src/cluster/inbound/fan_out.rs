//! A call's further calls: stage by stage, the groups of a stage in parallel, the calls of a group one after the
//! other.
//!
//! # Models
//! Whether a call is made is a coin of its own, or that of the first of several that are made together. A failed call
//! does not stop the others: when all groups are done the caller answers 500. A cache that has the answer calls nobody.
//!
//! # Assumptions
//! All work of a call runs in the worker process that accepted it, its groups' threads too.
//!
//! # Source
//! µBench, `ServiceCell/ExternalServiceExecutor.py`.

use super::Inbound;
use super::call::Call;
use super::cell::further_demand;
use super::exported::cell_notes;
use crate::application::call_graph::Group;
use crate::application::internal_service::CellCosts;
use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::job::Stage;
use crate::cluster::outbound::hop::{Caller, NewRequest, Origin};
use crate::draws::{Purpose, call_address, draw};
use crate::request::answer::{Answer, Status};
use crate::telemetry::trace::Rule;
use meshsim_core::Handle;
use meshsim_core::random::bernoulli;

impl Inbound {
    /// The internal service is done: the groups of the first stage begin.
    #[inline(always)]
    pub(crate) fn fan_out(&mut self, at: &mut Around<'_>, call: Handle<Call>) {
        cell_notes(at, call, |moments, now| moments.worked = Some(now));
        let state = &self.calls[call];
        let groups = groups_of(at, state);
        let hit_ratio = at.topology.application().endpoints[state.endpoint].hit_ratio;
        let is_hit = hit_ratio > 0.0 && bernoulli(&mut draw(state.address, Purpose::CacheHit), hit_ratio);
        if is_hit && at.recorder.traces() {
            self.trace_rule(at, call, Rule::CacheHit);
        }
        if groups.is_empty() || is_hit {
            self.write_response(at, call);
        } else {
            self.begin_stage(at, call, groups, 0);
        }
    }

    /// A stage begins, with all its groups: `first` is the first of them.
    fn begin_stage(&mut self, at: &mut Around<'_>, call: Handle<Call>, groups: &[Group], first: u16) {
        let of_stage = &groups[usize::from(first)..];
        let beside = of_stage.iter().take_while(|group| group.stage == of_stage[0].stage).count() as u16;
        self.calls[call].open_groups = beside;
        for group in first..first + beside {
            self.continue_group(at, call, group, 0);
        }
    }

    /// A call of a group was answered.
    pub(crate) fn call_answered(
        &mut self,
        at: &mut Around<'_>,
        call: Handle<Call>,
        group: u16,
        step: u16,
        answer: &Answer,
    ) {
        // The caller may have died meanwhile.
        if !self.calls.contains(call) {
            return;
        }
        if !answer.is_ok() {
            self.calls[call].answer.status = Status::ServiceError;
        }
        self.continue_group(at, call, group, step + 1);
    }

    /// The client's work for a call is done: the request leaves the cell.
    pub(crate) fn issue_call(&mut self, at: &mut Around<'_>, call: Handle<Call>, group: u16, step: u16) {
        if at.recorder.traces() {
            self.trace_calls(at, call, group, step);
        }
        at.hand(Handed::Call { call, group, step });
    }

    /// A call that was handed over.
    pub(crate) fn new_request(
        &self,
        at: &Around<'_>,
        call: Handle<Call>,
        group: u16,
        step: u16,
    ) -> NewRequest {
        let state = &self.calls[call];
        let selected = &groups_of(at, state)[usize::from(group)];
        let slot = selected.slot_of_step(state.address, group, step);
        NewRequest {
            origin: Origin::Call { call, group, step },
            work: state.work,
            caller: Some(Caller { pod: state.pod, cell_worker: state.cell_worker }),
            address: call_address(state.address, group, slot, 0),
            endpoint: selected.calls[usize::from(slot)].endpoint,
            path: state.path,
            reaches_proxy: at.now,
        }
    }

    /// Makes the next call of a group whose coin says so, from step `step` on.
    fn continue_group(&mut self, at: &mut Around<'_>, call: Handle<Call>, group: u16, step: u16) {
        let state = &self.calls[call];
        let (address, endpoint) = (state.address, state.endpoint);
        let groups = groups_of(at, state);
        let selected = &groups[usize::from(group)];
        let length = selected.sequence_length.min(selected.calls.len()) as u16;
        for step in step..length {
            let slot = selected.slot_of_step(address, group, step);
            if selected.is_made(slot, address, group) {
                let demand = further_demand(at, endpoint, CellCosts::call);
                if demand > 0.0 {
                    self.work(at, call, Stage::Calling { group, step }, demand);
                } else {
                    self.issue_call(at, call, group, step);
                }
                return;
            }
        }
        if at.recorder.traces() {
            self.trace_group_ends(at, call, group);
        }
        let state = &mut self.calls[call];
        state.open_groups -= 1;
        if state.open_groups > 0 {
            return;
        }
        let later = groups.iter().zip(0..).find(|(other, _)| other.stage > selected.stage);
        match later {
            Some((_, first)) => self.begin_stage(at, call, groups, first),
            None => self.write_response(at, call),
        }
    }
}

/// What a call may call.
fn groups_of<'a>(at: &Around<'a>, call: &Call) -> &'a [Group] {
    &at.topology.application().endpoints[call.endpoint].groups
}
