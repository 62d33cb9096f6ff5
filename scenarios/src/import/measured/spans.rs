//! What spans say of an application: who calls whom, in turn or at the same time, which kinds of requests there are, and what each service takes itself.
//!
//! # Models
//! A call is a server span whose nearest server span above is of another service, and its client's span stands between them. What was asked for tells
//! kinds of requests apart (`kinds`), each with its calls, bodies, errors and times (`seen`). Beside metrics, spans say what these cannot: laws, order, in
//! turn or not, kinds; how often, how many and the means of a service stay those of the metrics, as spans may be of some requests only.
//!
//! # Assumptions
//! - A server's span within one of the same service, with no client's between them, is of the same answer: a sidecar's and that of its application.
//! - Calls that nobody in the mesh answers are waited for as long as the answer lasts and no other call is waited for.
//! - Tries of one call are calls of their own. Effect: where calls are retried, more of them fail in a run than users saw.
//!
//! # Source
//! Sigelman et al., Dapper, a large-scale distributed systems tracing infrastructure, 2010.

mod application;
mod tree;

use super::kinds::Kinds;
use super::seen::{Callee, Seen};
use crate::calibrate::self_time::{covered_us, self_times_of_spans};
use crate::problem::{Checked, Problem};
use crate::traces::model::{NameId, Side};
use crate::traces::{Span, Trace};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use tree::Tree;

/// So many calls that stay near are by a rule.
const NEARLY_ALL: f64 = 0.9;

/// What spans say.
#[derive(Debug, Default)]
pub(super) struct Traced {
    seconds: f64,
    services: BTreeMap<String, OfService>,
    users: BTreeMap<(String, String), OfUsers>,
    kinds: Kinds,
}

#[derive(Debug, Default)]
struct OfService {
    clusters: BTreeSet<String>,
    /// How often callers in a cluster were served there, and how often they called.
    callers: BTreeMap<String, (f64, f64)>,
    all: Seen,
    /// By kind.
    each: BTreeMap<usize, Seen>,
}

#[derive(Debug, Default)]
struct OfUsers {
    good_ms: Vec<f64>,
    all: f64,
    /// How often they requested which kind.
    requests: BTreeMap<String, f64>,
}

/// A call: the span of who is called, and that of who calls if there is one.
#[derive(Clone, Copy)]
struct Call<'a> {
    server: &'a Span,
    client: Option<&'a Span>,
}

impl<'a> Call<'a> {
    /// That of who calls, if there is one.
    fn of(&self) -> &'a Span {
        self.client.unwrap_or(self.server)
    }
}

impl Traced {
    /// Reads spans of services that are known; others are outside of the mesh.
    ///
    /// # Errors
    /// If there are no calls in them.
    pub(super) fn new(trace: &Trace, is_known: impl Fn(&str) -> bool) -> Checked<Self> {
        let trace = by_first_names(trace);
        let mut all = Self { kinds: Kinds::new(&trace), ..Self::default() };
        let tree = Tree(&trace.spans);
        let is_known =
            |index: usize| name(&trace, trace.spans[index].service).is_some_and(|it| is_known(&it));
        let mut of_answer: BTreeMap<usize, Vec<Call<'_>>> = BTreeMap::new();
        let mut answered: BTreeSet<usize> = BTreeSet::new();
        let (mut first_us, mut last_us, mut requests) = (u64::MAX, 0, 0.0);
        for (index, span) in trace.spans.iter().enumerate().filter(|(_, it)| it.side == Side::Server) {
            let (clients, server) = tree.above(index);
            if !is_known(index) || tree.outer(index) != index {
                continue;
            }
            let Some(service) = name(&trace, span.service) else { continue };
            let kind = all.kinds.of(&service, span.operation);
            let of = all.services.entry(service.clone()).or_default();
            of.clusters.insert(name(&trace, span.cluster).unwrap_or_default());
            of.with(kind, |seen| seen.answer(span));
            let client = clients.first().map(|it| &trace.spans[*it]);
            let from = client.or(server.map(|it| &trace.spans[it])).and_then(|it| name(&trace, it.cluster));
            if let Some(from) = from {
                let is_near = name(&trace, span.cluster).as_ref() == Some(&from);
                let of = of.callers.entry(from).or_default();
                *of = (of.0 + f64::from(u8::from(is_near)), of.1 + 1.0);
            }
            answered.extend(clients);
            match server.map(|it| tree.outer(it)).filter(|it| is_known(*it)) {
                Some(caller) => of_answer.entry(caller).or_default().push(Call { server: span, client }),
                None => {
                    let seen = client.unwrap_or(span);
                    (first_us, last_us) = (first_us.min(seen.start_us), last_us.max(seen.start_us));
                    requests += 1.0;
                    let cluster = name(&trace, seen.cluster).unwrap_or_default();
                    let kind = all.kinds.named(&service)[kind].name.clone();
                    let of_users = all.users.entry((cluster, service)).or_default();
                    of_users.all += 1.0;
                    *of_users.requests.entry(kind).or_default() += 1.0;
                    of_users.good_ms.extend(seen.ok.then_some(seen.duration_ms));
                }
            }
        }
        // So many requests have one interval less between them.
        all.seconds =
            last_us.saturating_sub(first_us) as f64 / 1e6 * requests / f64::max(requests - 1.0, 1.0);
        let mut waited: BTreeMap<usize, Vec<&Span>> = BTreeMap::new();
        for (index, span) in trace.spans.iter().enumerate().filter(|(_, it)| it.side == Side::Client && it.ok)
        {
            if let (false, Some(server)) = (answered.contains(&index), tree.above(index).1) {
                waited.entry(tree.outer(server)).or_default().push(span);
            }
        }
        for (answer, outside) in waited {
            let calls: Vec<&Span> = of_answer.get(&answer).into_iter().flatten().map(Call::of).collect();
            let covered = |of: &[&Span]| covered_us(&trace.spans[answer], of.iter().copied()) / 1e3;
            let both = [calls.as_slice(), outside.as_slice()].concat();
            let ms = covered(&both) - covered(&calls);
            all.with(&trace, answer, |seen| seen.outside(ms));
        }
        for (caller, calls) in of_answer {
            all.take(&trace, &trace.spans[caller], calls);
        }
        let own: BTreeMap<usize, f64> = self_times_of_spans(&trace, |_, _| true)
            .into_iter()
            .map(|(index, (_, ms))| (index, ms))
            .collect();
        let mut of_answers: BTreeMap<usize, f64> = BTreeMap::new();
        for (index, ms) in &own {
            *of_answers.entry(tree.outer(*index)).or_default() += ms;
        }
        for (answer, ms) in of_answers.into_iter().filter(|(it, _)| own.contains_key(it)) {
            all.with(&trace, answer, |seen| seen.own_ms.push(ms));
        }
        let of_others: BTreeSet<String> =
            trace.spans.iter().filter_map(|it| name(&trace, it.service)).collect();
        if all.services.is_empty() && !of_others.is_empty() {
            let names: Vec<String> = of_others.iter().take(5).map(|it| format!("`{it}`")).collect();
            let problem = Problem::new("no server's span is of a service that metrics know");
            return Err(problem.help(format!("spans are of {}", names.join(", "))).into());
        }
        if all.users.is_empty() || all.seconds <= 0.0 {
            let problem = Problem::new("the traces have no requests that come to a service");
            let help = "they have spans of servers, of more than one request: OTLP JSON, Jaeger's JSON, or a table of spans";
            return Err(problem.help(help).into());
        }
        all.services.values_mut().for_each(OfService::sort);
        all.users.values_mut().for_each(|it| it.good_ms.sort_by(f64::total_cmp));
        Ok(all)
    }

    /// Does something with what was seen of the service, and of the kind, of a server span.
    fn with(&mut self, trace: &Trace, index: usize, change: impl FnMut(&mut Seen)) {
        let span = &trace.spans[index];
        let service = name(trace, span.service);
        if let Some((name, of)) = service.and_then(|it| self.services.get_mut(&it).map(|of| (it, of))) {
            of.with(self.kinds.of(&name, span.operation), change);
        }
    }

    /// Takes the calls of one answer.
    fn take(&mut self, trace: &Trace, caller: &Span, mut calls: Vec<Call<'_>>) {
        calls.sort_by_key(|it| it.of().start_us);
        let Some(service) = name(trace, caller.service) else { return };
        let Some(of) = self.services.get_mut(&service) else { return };
        let kinds = &self.kinds;
        let callee = |call: &Call<'_>| {
            let service = name(trace, call.server.service)?;
            let named = kinds.named(&service);
            let kind = &named[kinds.of(&service, call.server.operation)].name;
            let kind = (named.len() > 1).then(|| kind.clone());
            Some(Callee { service, kind })
        };
        let made: Vec<_> = calls.iter().filter_map(|it| Some((callee(it)?, it.server.ok, it.of()))).collect();
        of.with(kinds.of(&service, caller.operation), |seen| seen.calls_of_answer(&made));
    }
}

impl OfService {
    /// Does something with what was seen of all, and of a kind.
    fn with(&mut self, kind: usize, mut change: impl FnMut(&mut Seen)) {
        change(&mut self.all);
        change(self.each.entry(kind).or_default());
    }

    /// Whether most callers in clusters that have it were served there; absent if it is in one alone.
    fn near_first(&self) -> Option<bool> {
        let of = self.callers.iter().filter(|(from, _)| self.clusters.contains(*from)).map(|(_, it)| it);
        let (near, all) = of.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (self.clusters.len() > 1 && all > 0.0).then_some(near > NEARLY_ALL * all)
    }

    fn sort(&mut self) {
        std::iter::once(&mut self.all).chain(self.each.values_mut()).for_each(Seen::sort);
    }
}

/// Services by the first part of their names; two of one name in different namespaces keep their whole names.
fn by_first_names(trace: &Trace) -> Cow<'_, Trace> {
    let shown = |it: &NameId| trace.names.text(*it);
    let full: BTreeSet<&str> = trace.spans.iter().filter_map(|it| it.service.as_ref()).map(shown).collect();
    let first = |name: &str| name.split_once('.').map(|(first, _)| first.to_owned());
    let mut short: BTreeMap<String, u32> = BTreeMap::new();
    full.iter().filter_map(|it| first(it)).for_each(|it| *short.entry(it).or_default() += 1);
    Trace::named_as(Cow::Borrowed(trace), |name| short.get(name) == Some(&1))
}

fn name(trace: &Trace, id: Option<NameId>) -> Option<String> {
    id.map(|it| trace.names.text(it).to_owned()).filter(|it| !it.is_empty())
}
