//! What clients say of the lives of chosen requests (`telemetry/trace`): when no request is chosen, nobody comes here.

use super::Outbound;
use super::hop::{AttemptPhase, Client, Hop, Origin};
use crate::cluster::around::Around;
use crate::cluster::changed_views::view_of;
use crate::envoy::circuit_breaker::Resource;
use crate::envoy::connection_pool::Connection;
use crate::envoy::endpoint_view::EndpointView;
use crate::envoy::retry::{AttemptOutcome, Retry};
use crate::envoy::route::Route;
use crate::envoy::upstream::{Upstream, UpstreamSpec};
use crate::ids::{PodId, UpstreamId};
use crate::request::answer::Status;
use crate::telemetry::trace::{CallHead, LEVELS, Lane, Part, Refused, Rule, Tracer, What, earlier};
use meshsim_core::{Handle, SimDuration, SimTime};

/// Most hosts that are named as ejected.
const MOST_NAMED: usize = 8;

impl Outbound {
    /// The lane of the last attempt of a hop.
    fn lane<'t>(&self, at: &'t mut Around<'_>, hop: Handle<Hop>) -> Option<Tracer<'t>> {
        let state = &self.hops[hop];
        at.recorder.tracer(state.work, state.attempt_address(), Lane::Client)
    }

    /// A client has a request, of which it has done nothing yet: its time goes on so.
    #[cold]
    pub(in crate::cluster) fn trace_begins(&self, at: &mut Around<'_>, hop: Handle<Hop>, part: Part) {
        let state = &self.hops[hop];
        let head = CallHead {
            caller: state.caller.map(|caller| caller.pod),
            endpoint: state.endpoint,
            proxy: match state.client {
                Client::Proxy { proxy, .. } => Some(at.proxies[proxy].kind),
                Client::Cell => None,
            },
            is_copy: matches!(state.origin, Origin::Mirror),
        };
        let begins = state.routed;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.say(begins, What::Begins(head)).spends(begins, part);
        }
    }

    /// A copy of a request is made.
    #[cold]
    pub(super) fn trace_copy(&self, at: &mut Around<'_>, original: &Hop, copy: Handle<Hop>) {
        let (address, now) = (self.hops[copy].address, at.now);
        if let Some(mut lane) = at.recorder.tracer(original.work, original.attempt_address(), Lane::Client) {
            lane.say(now, What::Calls(address));
        }
        self.trace_begins(at, copy, Part::PoolQueue);
    }

    /// A request or an answer, which reaches a proxy at a moment, comes out of it; then its time goes on so.
    #[cold]
    pub(super) fn trace_passes(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        reaches: SimTime,
        (out, takes): (SimTime, SimDuration),
        then: Part,
    ) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.spends(now, Part::Loopback).spends(reaches, Part::ProxyQueue);
            lane.spends(earlier(out, takes), Part::Proxy).spends(out, then);
        }
    }

    /// A rule is applied to a request, and its time may be spent on something else from then on.
    #[cold]
    pub(super) fn trace_rule(&self, at: &mut Around<'_>, hop: Handle<Hop>, rule: Rule, part: Option<Part>) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.applies(now, rule);
            if let Some(part) = part {
                lane.spends(now, part);
            }
        }
    }

    /// A route takes a request, and says more than where to.
    #[cold]
    pub(super) fn trace_route(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        route: &Route,
        upstream: UpstreamId,
    ) {
        let (now, endpoint) = (at.now, self.hops[hop].endpoint);
        let Some(mut lane) = self.lane(at, hop) else { return };
        lane.applies(now, Rule::Route(route.number)).applies(now, Rule::Destination(upstream));
        if route.rewrites(endpoint) {
            lane.applies(now, Rule::Rewrite(endpoint));
        }
        if let Some(timeout) = route.timeout {
            lane.applies(now, Rule::Timeout(timeout));
        }
        if let Some((mirror, _)) = route.mirror {
            lane.applies(now, Rule::Mirror(mirror));
        }
    }

    /// An endpoint was chosen for an attempt, which waits for a connection.
    #[cold]
    pub(super) fn trace_attempt(&self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let state = self.hops[hop];
        let Hop { address, attempts: number, pod, .. } = state;
        let rules = match state.client {
            Client::Proxy { proxy, .. } if self.upstreams.get(proxy, state.upstream()).is_some() => {
                let id = state.upstream();
                let view = view_of(&self.endpoints, at.topology, at.here, at.proxies[proxy].viewer(), id);
                let upstream = self.upstreams.get(proxy, id).expect("it was there");
                let per_try = super::router::route_of(at, &state).retry.as_ref();
                let per_try = per_try.and_then(|retry| retry.per_try_timeout).map(Rule::PerTryTimeout);
                rules_of_choice(at.spec(proxy, id), upstream, view, pod).into_iter().chain(per_try).collect()
            }
            _ => vec![Rule::ConnectionTo(pod)],
        };
        let now = at.now;
        let Some(mut lane) = self.lane(at, hop) else { return };
        lane.say(now, What::Attempts { call: address, number, pod }).spends(now, Part::PoolQueue);
        for rule in rules {
            lane.applies(now, rule);
        }
    }

    /// A request leaves its client, over a connection if it has one.
    #[cold]
    pub(super) fn trace_sent(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        connection: Option<Handle<Connection<Handle<Hop>>>>,
    ) {
        let state = &self.hops[hop];
        let waited = state.phase == AttemptPhase::Waiting;
        if let Some(connection) = connection {
            // Who shares a connection has waited until it was made.
            let made_for_it =
                self.pools.is_new(connection) || self.pools.is_shared(self.pools[connection].pool);
            if waited && made_for_it {
                let from = self.pools[connection].opened.max(state.routed);
                self.trace_connecting(at, hop, from, Rule::NewConnection);
            } else if !waited {
                self.trace_rule(at, hop, Rule::KeptConnection, None);
            }
        }
        let now = at.now;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.say(now, What::IsSent).spends(now, Part::Way);
        }
    }

    /// A request has waited for a connection that was being made from a moment on, of which this has come.
    #[cold]
    pub(super) fn trace_connecting(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        from: SimTime,
        came_of_it: fn(SimDuration) -> Rule,
    ) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.spends(from, Part::Connecting).applies(now, came_of_it(now - from));
        }
    }

    /// Who made a request has its answer at a moment.
    #[cold]
    pub(in crate::cluster) fn trace_ends(&self, at: &mut Around<'_>, hop: Handle<Hop>, ends: SimTime) {
        let answer = self.hops[hop].answer;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.say(ends, What::Ends(Some((answer.status, answer.body))));
        }
    }

    /// Who made a request gives it up.
    #[cold]
    pub(super) fn trace_gives_up(&self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let now = at.now;
        if let Some(mut lane) = self.lane(at, hop) {
            lane.applies(now, Rule::CallerGivesUp).say(now, What::Ends(Some((Status::CallerGone, 0))));
        }
    }

    /// A limit of an upstream is reached.
    #[cold]
    pub(super) fn trace_overflow(&mut self, at: &mut Around<'_>, hop: Handle<Hop>) {
        let breaker = self.breaker_of(&self.hops[hop]);
        let breaker = self.pools.breaker(breaker);
        let is_full = |resource: &Resource| u64::from(breaker.count(*resource)) >= breaker.limit(*resource);
        let full = [Resource::Requests, Resource::PendingRequests].into_iter().find(is_full);
        if let Some(resource) = full {
            let rule = Rule::CircuitBreaker(resource, breaker.limit(resource));
            self.trace_rule(at, hop, rule, None);
        }
    }

    /// An attempt that came to this is followed by another one, so long after a moment.
    #[cold]
    pub(super) fn trace_retry(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        outcome: AttemptOutcome,
        retry: &Retry,
        (from, wait): (SimTime, SimDuration),
    ) {
        let number = self.hops[hop].attempts;
        let bound_ms = retry.back_off.upper_bound_ms(u32::from(number));
        let rule = Rule::Retry { number, most: retry.attempts, outcome, bound_ms, wait };
        if let Some(mut lane) = self.lane(at, hop) {
            lane.applies(from, rule).spends(from, Part::BackOff);
        }
    }

    /// An attempt that came to this is not followed by another one, of a limit or not.
    #[cold]
    pub(super) fn trace_no_retry(
        &self,
        at: &mut Around<'_>,
        hop: Handle<Hop>,
        outcome: AttemptOutcome,
        by_limit: bool,
    ) {
        if matches!(outcome, AttemptOutcome::Answered(status) if status < 400) {
            return;
        }
        let state = self.hops[hop];
        let retry = match state.client {
            Client::Proxy { .. } => super::router::route_of(at, &state).retry.as_ref(),
            Client::Cell => None,
        };
        let refused = match retry {
            _ if by_limit => Refused::Limit,
            Some(retry) if retry.covers(outcome) => Refused::Exhausted,
            _ => Refused::NotCovered,
        };
        self.trace_rule(at, hop, Rule::NoRetry(refused, outcome), None);
    }
}

/// How an endpoint came to be chosen.
fn rules_of_choice(spec: &UpstreamSpec, upstream: &Upstream, view: &EndpointView, pod: PodId) -> Vec<Rule> {
    let mut rules = Vec::new();
    let ejected: Vec<(PodId, SimTime)> = match &spec.outlier_detection {
        Some(config) => upstream.ejected_until(config, view).collect(),
        None => Vec::new(),
    };
    let loads = if upstream.loads().is_empty() { view.load().levels() } else { upstream.loads() };
    let found = (0..view.levels()).find(|&level| view.level(level).any(|other| other == pod));
    if let Some(level) = found {
        let mut first = [0; LEVELS];
        loads.iter().zip(&mut first).for_each(|(it, load)| *load = it.load.min(100) as u8);
        if view.levels() > 1 {
            rules.push(Rule::PriorityLoad { loads: first, levels: view.levels() as u8, level: level as u8 });
        }
        let is_ejected = |pod| ejected.iter().any(|(other, _)| *other == pod);
        let usable = |at: &usize| view.detail(*at).healthy && !is_ejected(view.pod(*at));
        let (all, healthy) = (view.positions(level).len(), view.positions(level).filter(usable).count());
        let panics = loads.get(level).is_some_and(|it| it.panic);
        if panics {
            let threshold = spec.panic_threshold;
            rules.push(Rule::Panic { healthy: healthy as u32, hosts: all as u32, threshold });
        }
        let hosts = if panics { all } else { healthy } as u32;
        rules.push(Rule::Balancer { policy: spec.balancer, hosts, active: upstream.active(pod) });
    }
    rules.extend(ejected.into_iter().take(MOST_NAMED).map(|(pod, until)| Rule::Ejected(pod, until)));
    rules
}
