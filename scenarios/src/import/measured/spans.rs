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

use super::application::near_first;
use super::kinds::Kinds;
use super::seen::{Callee, Seen};
use crate::calibrate::self_time::{covered_us, self_times_of_spans};
use crate::problem::{Checked, Problem};
use crate::traces::model::{NameId, Side};
use crate::traces::{Span, Trace};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use tree::Tree;

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
        let tree = Tree(&trace.spans);
        let is_known =
            |index: usize| name(&trace, trace.spans[index].service).is_some_and(|it| is_known(&it));
        let servers = (0..trace.spans.len()).filter(|it| trace.spans[*it].side == Side::Server);
        let answers: Vec<usize> = servers.filter(|it| is_known(*it) && tree.outer(*it) == *it).collect();
        let mut reader = Reader {
            trace: &trace,
            tree,
            of_answer: BTreeMap::new(),
            answered: BTreeSet::new(),
            requested_us: Vec::new(),
            all: Self { kinds: Kinds::new(&trace, &answers), ..Self::default() },
        };
        answers.into_iter().for_each(|it| reader.answer(it, is_known));
        reader.waits();
        reader.self_times();
        reader.calls();
        reader.finish()
    }
}

/// Reads spans.
struct Reader<'t> {
    trace: &'t Trace,
    tree: Tree<'t>,
    /// The calls that were made for an answer, by its server's span.
    of_answer: BTreeMap<usize, Vec<Call<'t>>>,
    /// Spans of clients whom somebody in the mesh answered.
    answered: BTreeSet<usize>,
    /// When users' requests began (us since 1970).
    requested_us: Vec<u64>,
    all: Traced,
}

impl<'t> Reader<'t> {
    fn name(&self, id: Option<NameId>) -> Option<String> {
        name(self.trace, id)
    }

    /// Does something with what was seen of the service, and of the kind, of a server's span.
    fn with(&mut self, index: usize, change: impl FnMut(&mut Seen)) {
        let span = &self.trace.spans[index];
        let Some(service) = self.name(span.service) else { return };
        let kind = self.all.kinds.of(&service, span.operation);
        if let Some(of) = self.all.services.get_mut(&service) {
            of.with(kind, change);
        }
    }

    /// Takes the answer of a server's span that is of no other one.
    fn answer(&mut self, index: usize, is_known: impl Fn(usize) -> bool) {
        let span = &self.trace.spans[index];
        let Some(service) = self.name(span.service) else { return };
        let (clients, server) = self.tree.above(index);
        let client = clients.first().map(|it| &self.trace.spans[*it]);
        let from = client.or(server.map(|it| &self.trace.spans[it])).and_then(|it| self.name(it.cluster));
        let cluster = self.name(span.cluster).unwrap_or_default();
        let of = self.all.services.entry(service.clone()).or_default();
        if let Some(from) = from {
            let is_near = cluster == from;
            let of = of.callers.entry(from).or_default();
            *of = (of.0 + f64::from(u8::from(is_near)), of.1 + 1.0);
        }
        of.clusters.insert(cluster);
        self.with(index, |seen| seen.answer(span));
        self.answered.extend(clients);
        match server.map(|it| self.tree.outer(it)).filter(|it| is_known(*it)) {
            Some(caller) => {
                self.of_answer.entry(caller).or_default().push(Call { server: span, client });
            }
            None => self.request(service, span, client.unwrap_or(span)),
        }
    }

    /// Takes a user's request of a service, as the outermost of its mesh has seen it.
    fn request(&mut self, service: String, server: &Span, seen: &Span) {
        self.requested_us.push(seen.start_us);
        let kind = self.all.kinds.of(&service, server.operation);
        let kind = self.all.kinds.named(&service)[kind].name.clone();
        let cluster = self.name(seen.cluster).unwrap_or_default();
        let of_users = self.all.users.entry((cluster, service)).or_default();
        of_users.all += 1.0;
        *of_users.requests.entry(kind).or_default() += 1.0;
        of_users.good_ms.extend(seen.ok.then_some(seen.duration_ms));
    }

    /// Takes what answers waited for that nobody in the mesh answered.
    fn waits(&mut self) {
        let mut waited: BTreeMap<usize, Vec<&Span>> = BTreeMap::new();
        for (index, span) in self.trace.spans.iter().enumerate() {
            let is_outside = span.side == Side::Client && span.ok && !self.answered.contains(&index);
            if let (true, Some(server)) = (is_outside, self.tree.above(index).1) {
                waited.entry(self.tree.outer(server)).or_default().push(span);
            }
        }
        for (answer, outside) in waited {
            let calls: Vec<&Span> = self.of_answer.get(&answer).into_iter().flatten().map(Call::of).collect();
            let covered = |of: &[&Span]| covered_us(&self.trace.spans[answer], of.iter().copied()) / 1e3;
            let ms = covered(&[calls.as_slice(), outside.as_slice()].concat()) - covered(&calls);
            self.with(answer, |seen| seen.outside(ms));
        }
    }

    /// Takes self times, which are those of all spans of an answer together.
    fn self_times(&mut self) {
        let own = self_times_of_spans(self.trace, |_, _| true).into_iter();
        let own: BTreeMap<usize, f64> = own.map(|(index, (_, ms))| (index, ms)).collect();
        let mut of_answers: BTreeMap<usize, f64> = BTreeMap::new();
        for (index, ms) in &own {
            *of_answers.entry(self.tree.outer(*index)).or_default() += ms;
        }
        for (answer, ms) in of_answers.into_iter().filter(|(it, _)| own.contains_key(it)) {
            self.with(answer, |seen| seen.own_ms.push(ms));
        }
    }

    /// Takes the calls of all answers, each in the order of their starts.
    fn calls(&mut self) {
        for (caller, mut calls) in std::mem::take(&mut self.of_answer) {
            calls.sort_by_key(|it| it.of().start_us);
            let made = calls.iter().filter_map(|it| Some((self.callee(it.server)?, it.server.ok, it.of())));
            let made: Vec<_> = made.collect();
            self.with(caller, |seen| seen.calls_of_answer(&made));
        }
    }

    fn callee(&self, server: &Span) -> Option<Callee> {
        let service = self.name(server.service)?;
        let named = self.all.kinds.named(&service);
        let kind = &named[self.all.kinds.of(&service, server.operation)].name;
        let kind = (named.len() > 1).then(|| kind.clone());
        Some(Callee { service, kind })
    }

    fn finish(mut self) -> Checked<Traced> {
        let others = self.trace.spans.iter().filter_map(|it| self.name(it.service));
        let others: BTreeSet<String> =
            if self.all.services.is_empty() { others.collect() } else { BTreeSet::new() };
        if !others.is_empty() {
            let names: Vec<String> = others.iter().take(5).map(|it| format!("`{it}`")).collect();
            let problem = Problem::new("no server's span is of a service that metrics know");
            return Err(problem.help(format!("spans are of {}", names.join(", "))).into());
        }
        let [first, last] = [self.requested_us.iter().min(), self.requested_us.iter().max()];
        let between_us = first.zip(last).map_or(0, |(first, last)| last - first);
        if between_us == 0 {
            let problem = Problem::new("the traces have no requests that come to a service");
            let help = "they have spans of servers, of more than one request: OTLP JSON, Jaeger's JSON, or a table of spans";
            return Err(problem.help(help).into());
        }
        // So many requests have one interval less between them.
        let requests = self.requested_us.len() as f64;
        self.all.seconds = between_us as f64 / 1e6 * requests / (requests - 1.0);
        self.all.services.values_mut().for_each(OfService::sort);
        self.all.users.values_mut().for_each(|it| it.good_ms.sort_by(f64::total_cmp));
        Ok(self.all)
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
        near_first(self.clusters.len(), of.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1)))
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
