//! What spans say of an application: who calls whom, in turn or at the same time, which kinds of requests there are, and what each service takes itself.
//!
//! # Models
//! A call is a server span whose nearest server span above is of another service, and its client's span stands between them. What was asked for tells
//! kinds of requests apart (`kinds`), each with its calls, bodies, errors and times (`seen`). Beside metrics, spans say what these cannot: laws, order, in
//! turn or not, kinds; how often, how many and the means of a service stay those of the metrics, as spans may be of some requests only.
//!
//! # Assumptions
//! - Alone, spans are of all requests, and a self time is CPU time and waiting for the CPU (`sharing`). Effect: a sample of the requests gives too few
//!   of them per second; the time of a server's own sidecar is counted twice, some 0.5 ms a call.
//! - Beside metrics, what self times have more than the CPU time is the same for all answers (the sidecar's time). CPU time and waits are shared out
//!   among kinds as the rest of their self times is.
//! - Calls of a kind are those of its spans, unless metrics count more or fewer of the service by more than [`CHANCE`]: spans are lost then, or
//!   sampled by kind.
//!
//! # Source
//! Sigelman et al., Dapper, a large-scale distributed systems tracing infrastructure, 2010.

use super::application::{Application, Entry, Kind, Law, Service};
use super::kinds::Kinds;
use super::seen::{Callee, Seen, Unfolded};
use super::shape::Shape;
use super::sharing::Load;
use crate::calibrate::self_time::self_times_of_spans;
use crate::problem::{Checked, Problem};
use crate::traces::model::{NameId, Side};
use crate::traces::{Span, Trace};
use meshsim_core::stats::quantile_of_sorted;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// So many calls that stay near are by a rule.
const NEARLY_ALL: f64 = 0.9;

/// By such a share counts of spans and of metrics differ by chance.
const CHANCE: f64 = 0.05;

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
        let (begin, end) = trace
            .spans
            .iter()
            .fold((u64::MAX, 0), |(begin, end), span| (begin.min(span.start_us), end.max(span.start_us)));
        all.seconds = end.saturating_sub(begin) as f64 / 1e6;
        let mut of_answer: BTreeMap<usize, Vec<Call<'_>>> = BTreeMap::new();
        let mut answered: BTreeSet<usize> = BTreeSet::new();
        for (index, span) in trace.spans.iter().enumerate().filter(|(_, it)| it.side == Side::Server) {
            let Some(service) = name(&trace, span.service).filter(|it| is_known(it)) else { continue };
            let kind = all.kinds.of(&service, span.operation);
            let of = all.services.entry(service.clone()).or_default();
            of.clusters.extend(name(&trace, span.cluster));
            of.with(kind, |seen| seen.answer(span));
            let (client, caller) = above(&trace.spans, index);
            answered.extend(client);
            let client = client.map(|it| &trace.spans[it]);
            if let Some(from) =
                client.or(caller.map(|it| &trace.spans[it])).and_then(|it| name(&trace, it.cluster))
            {
                let is_near = name(&trace, span.cluster).as_ref() == Some(&from);
                let of = all.services.entry(service.clone()).or_default().callers.entry(from).or_default();
                *of = (of.0 + f64::from(u8::from(is_near)), of.1 + 1.0);
            }
            match caller {
                Some(caller) => of_answer.entry(caller).or_default().push(Call { server: span, client }),
                None => {
                    let seen = client.unwrap_or(span);
                    let cluster = name(&trace, seen.cluster).unwrap_or_default();
                    let kind = all.kinds.named(&service)[kind].name.clone();
                    let of_users = all.users.entry((cluster, service)).or_default();
                    of_users.all += 1.0;
                    *of_users.requests.entry(kind).or_default() += 1.0;
                    of_users.good_ms.extend(seen.ok.then_some(seen.duration_ms));
                }
            }
        }
        for (caller, calls) in of_answer {
            all.take(&trace, &trace.spans[caller], calls);
        }
        let mut outside_ms: BTreeMap<usize, f64> = BTreeMap::new();
        for (index, span) in trace.spans.iter().enumerate().filter(|(_, it)| it.side == Side::Client && it.ok)
        {
            if let (false, (None, Some(caller))) = (answered.contains(&index), above(&trace.spans, index)) {
                *outside_ms.entry(caller).or_default() += span.duration_ms;
            }
        }
        for (caller, ms) in outside_ms {
            all.with(&trace, caller, |seen| seen.outside(ms));
        }
        for (index, (_, ms)) in self_times_of_spans(&trace, |_, _| true) {
            all.with(&trace, index, |seen| seen.own_ms.push(ms));
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

    /// Puts what spans alone can say over what metrics have said.
    pub(super) fn refine(&self, measured: &mut Application) {
        for (name, it) in &mut measured.services {
            let Some(traced) = self.services.get(name) else { continue };
            traced.all.order(&mut it.work, &mut it.calls, |to, seen| seen.service == *to);
            let unfolded = traced.all.unfolded(&it.work, it.load(), it.has_quota());
            if let Some(law) = traced.all.law(&it.work, unfolded) {
                it.work.cpu_law = law;
            }
            if it.work.wait_ms > 0.0 {
                it.work.wait_law = traced.all.wait_law();
            }
            it.kinds = self.kinds_of(name, traced, it, unfolded);
        }
        for (cluster, service) in measured.users.keys() {
            let key = (cluster.clone(), service.clone());
            let requests = match self.users.get(&key) {
                Some(it) => it.requests.clone(),
                // Spans may call the cluster otherwise.
                None => self.requests_anywhere(service),
            };
            measured.requests.insert(key, requests);
        }
    }

    fn requests_anywhere(&self, service: &str) -> BTreeMap<String, f64> {
        let mut all: BTreeMap<String, f64> = BTreeMap::new();
        let of = self.users.iter().filter(|((_, to), _)| to == service).flat_map(|(_, it)| &it.requests);
        of.for_each(|(kind, count)| *all.entry(kind.clone()).or_default() += count);
        all
    }

    /// The application, of spans alone.
    pub(super) fn application(&self) -> Application {
        let mut all = Application::default();
        for (name, traced) in &self.services {
            let seen = &traced.all;
            let clusters = traced.clusters.iter().map(|it| (it.clone(), (1.0, None))).collect();
            let mut it = Service { rate: seen.answers / self.seconds, clusters, ..Service::default() };
            for (to, calls) in &seen.calls {
                match it.calls.iter_mut().find(|(service, _)| *service == to.service) {
                    Some((_, per_request)) => *per_request += calls.count / seen.answers,
                    None => it.calls.push((to.service.clone(), calls.count / seen.answers)),
                }
            }
            seen.order(&mut it.work, &mut it.calls, |to, seen| seen.service == *to);
            it.near_first = traced.near_first();
            it.work.errors = seen.errors();
            seen.bodies(&mut it.work);
            let time_ms = seen.own_ms.iter().sum::<f64>() / seen.own_ms.len().max(1) as f64;
            let load = Load::of_times(it.rate, time_ms, it.capacity());
            it.work.cpu_ms = load.cpu(time_ms);
            it.work.wait_ms = seen.wait_ms();
            it.work.wait_law = seen.wait_law();
            let unfolded = seen.unfolded(&it.work, load, false);
            it.work.cpu_law = match seen.law(&it.work, unfolded) {
                Some(law) => law,
                None => Law { shape: Shape::Exponential, why: "assumed: there are few spans of it" },
            };
            it.kinds = self.kinds_of(name, traced, &it, unfolded);
            all.services.insert(name.clone(), it);
        }
        for (key, it) in &self.users {
            let count = it.good_ms.len() as f64;
            let entry = Entry {
                rate: it.all / self.seconds,
                mean_ms: it.good_ms.iter().sum::<f64>() / count,
                p90_ms: quantile_of_sorted(&it.good_ms, 0.9).unwrap_or(f64::NAN),
                errors: 1.0 - count / it.all,
            };
            all.users.insert(key.clone(), entry);
            all.requests.insert(key.clone(), it.requests.clone());
        }
        all
    }

    /// The kinds of requests of a service of which this is known as a whole.
    fn kinds_of(&self, name: &str, traced: &OfService, whole: &Service, unfolded: Unfolded) -> Vec<Kind> {
        let named = self.kinds.named(name);
        let known = named.iter().enumerate().filter_map(|(index, it)| Some((it, traced.each.get(&index)?)));
        let known: Vec<_> = known.collect();
        let mean = |of: fn(&Seen, Unfolded) -> Option<f64>, or: f64| {
            let sum = |(_, seen): &(_, &Seen)| seen.answers * of(seen, unfolded).unwrap_or(or);
            known.iter().map(sum).sum::<f64>() / traced.all.answers
        };
        let own_ms = traced.all.own(unfolded).unwrap_or(0.0);
        let (mean_own, mean_errors) = (mean(Seen::own, own_ms), mean(|seen, _| Some(seen.errors()), 0.0));
        let is_one = known.len() == 1;
        let of = |&(named, seen): &(&super::kinds::Named, &Seen)| {
            let mut work = whole.work.clone();
            let mut calls: Vec<((String, Option<String>), f64)> = Vec::new();
            for (to, made) in &seen.calls {
                let traced: f64 = traced.all.count_to(&to.service) / traced.all.answers;
                let measured = whole.calls.iter().find(|(it, _)| *it == to.service).map_or(0.0, |it| it.1);
                let more = measured / traced;
                let scale = if is_one || (more - 1.0).abs() > CHANCE { more } else { 1.0 };
                calls.push(((to.service.clone(), to.kind.clone()), scale * made.count / seen.answers));
            }
            seen.order(&mut work, &mut calls, |to, seen| (&seen.service, &seen.kind) == (&to.0, &to.1));
            if !is_one {
                let share =
                    if mean_own > 0.0 { seen.own(unfolded).unwrap_or(own_ms) / mean_own } else { 1.0 };
                work.cpu_ms *= share;
                let mean_outside = traced.all.wait_ms();
                work.wait_ms *= if mean_outside > 0.0 { seen.wait_ms() / mean_outside } else { share };
                work.wait_law = (work.wait_ms > 0.0).then(|| seen.wait_law()).flatten();
                if mean_errors > 0.0 {
                    work.errors = (work.errors * seen.errors() / mean_errors).min(1.0);
                }
                seen.bodies(&mut work);
                if let Some(law) = seen.law(&work, unfolded) {
                    work.cpu_law = law;
                }
            }
            Kind {
                name: named.name.clone(),
                operation: named.operation.clone(),
                share: seen.answers / traced.all.answers,
                work,
                calls,
            }
        };
        known.iter().map(of).collect()
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

/// The nearest client's or gateway's span above a server span, if it is nearer than a server's, and the nearest server's.
fn above(spans: &[Span], index: usize) -> (Option<usize>, Option<usize>) {
    let mut client = None;
    let mut at = spans[index].parent;
    // Parents stand in the same request; so many steps at most, should they go round.
    for _ in 0..spans.len().min(10_000) {
        let Some(parent) = at.map(|it| it as usize) else { break };
        match spans[parent].side {
            Side::Server => return (client, Some(parent)),
            Side::Client | Side::Gateway if client.is_none() => client = Some(parent),
            _ => {}
        }
        at = spans[parent].parent;
    }
    (client, None)
}

fn name(trace: &Trace, id: Option<NameId>) -> Option<String> {
    id.map(|it| trace.names.text(it).to_owned()).filter(|it| !it.is_empty())
}
