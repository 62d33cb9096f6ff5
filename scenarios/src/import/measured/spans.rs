//! What spans say of an application: who calls whom, in turn or at the same time, and what each service takes itself.
//!
//! # Models
//! A call is a server span whose nearest server span above is of another service, and its client's span stands between them. Calls of one
//! answer whose spans overlap are made at the same time. Self times (`calibrate::self_time`) give the law of each service by Akaike's criterion.
//! Beside metrics, spans say what these cannot: laws, order, in turn or not; how often, how many and the means stay those of the metrics, as spans may be
//! of some requests only.
//!
//! # Assumptions
//! - Alone, spans are of all requests, and a self time is CPU time and waiting for the CPU (`sharing`). Effect: a sample of the requests gives too few
//!   of them per second; the time of a server's own sidecar is counted twice, some 0.5 ms a call.
//! - Beside metrics, what self times have more than the CPU time is the same for all answers (the sidecar's time).
//! - Spans carry no sizes of bodies. Effect: alone, answers have a scenario's default size.
//!
//! # Source
//! Sigelman et al., Dapper, a large-scale distributed systems tracing infrastructure, 2010.

use super::application::{Application, Entry, Law, Service};
use super::shape::Shape;
use super::sharing::Load;
use crate::calibrate::fit_law::candidates;
use crate::calibrate::self_time::self_times;
use crate::problem::{Checked, Problem};
use crate::traces::model::{NameId, Side};
use crate::traces::{Span, Trace};
use meshsim_core::stats::quantile_of_sorted;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Self times of which fewer say nothing of a law.
const LEAST_OBSERVATIONS: usize = 30;

/// What waiting for the CPU makes of a mean time of one, from where on it is taken off the law.
const MORE_BY_LOAD: f64 = 1.05;

/// What spans say.
#[derive(Debug, Default)]
pub(super) struct Traced {
    seconds: f64,
    services: BTreeMap<String, OfService>,
    users: BTreeMap<(String, String), OfUsers>,
}

#[derive(Debug, Default)]
struct OfService {
    answers: f64,
    failed: f64,
    /// Self times (ms, ascending) of good answers.
    own_ms: Vec<f64>,
    clusters: BTreeSet<String>,
    /// By service: how often it is called, how often in vain, and the sum of its positions among the calls of an answer.
    calls: BTreeMap<String, (f64, f64, f64)>,
    /// Neighbouring calls of an answer, and those of them that overlap.
    pairs: f64,
    overlapping: f64,
}

#[derive(Debug, Default)]
struct OfUsers {
    good_ms: Vec<f64>,
    all: f64,
}

/// A call: the span of who is called, and that of who calls if there is one.
#[derive(Clone, Copy)]
struct Call<'a> {
    server: &'a Span,
    client: Option<&'a Span>,
}

impl Call<'_> {
    fn of(&self) -> &Span {
        self.client.unwrap_or(self.server)
    }
}

impl Traced {
    /// Reads spans.
    ///
    /// # Errors
    /// If there are no calls in them.
    pub(super) fn new(trace: &Trace) -> Checked<Self> {
        let shown = |it: &NameId| trace.names.text(*it);
        let full: BTreeSet<&str> =
            trace.spans.iter().filter_map(|it| it.service.as_ref()).map(shown).collect();
        let first = |name: &str| name.split_once('.').map(|(first, _)| first.to_owned());
        let mut short: BTreeMap<String, u32> = BTreeMap::new();
        full.iter().filter_map(|it| first(it)).for_each(|it| *short.entry(it).or_default() += 1);
        // Two services of one name in different namespaces keep their whole names.
        let trace = Trace::named_as(Cow::Borrowed(trace), |name| short.get(name) == Some(&1));
        let mut all = Self::default();
        let (begin, end) = trace
            .spans
            .iter()
            .fold((u64::MAX, 0), |(begin, end), span| (begin.min(span.start_us), end.max(span.start_us)));
        all.seconds = end.saturating_sub(begin) as f64 / 1e6;
        let mut of_answer: BTreeMap<usize, Vec<Call<'_>>> = BTreeMap::new();
        for (index, span) in trace.spans.iter().enumerate().filter(|(_, it)| it.side == Side::Server) {
            let Some(name) = name(&trace, span.service) else { continue };
            let service = all.services.entry(name.clone()).or_default();
            service.answers += 1.0;
            service.failed += f64::from(u8::from(!span.ok));
            service.clusters.extend(self::name(&trace, span.cluster));
            let (client, caller) = above(&trace.spans, index);
            match caller {
                Some(caller) => of_answer.entry(caller).or_default().push(Call { server: span, client }),
                None => {
                    let seen = client.unwrap_or(span);
                    let cluster = self::name(&trace, seen.cluster).unwrap_or_default();
                    let of_users = all.users.entry((cluster, name)).or_default();
                    of_users.all += 1.0;
                    of_users.good_ms.extend(seen.ok.then_some(seen.duration_ms));
                }
            }
        }
        for (caller, mut calls) in of_answer {
            calls.sort_by_key(|it| it.of().start_us);
            let Some(of) = name(&trace, trace.spans[caller].service).and_then(|it| all.services.get_mut(&it))
            else {
                continue;
            };
            of.take(&trace, &calls);
        }
        for (service, times) in self_times(&trace, |_, _| true) {
            if let Some(of) = all.services.get_mut(&service) {
                of.own_ms = times.into_iter().map(|(_, ms)| ms).collect();
                of.own_ms.sort_by(f64::total_cmp);
            }
        }
        if all.users.is_empty() || all.seconds <= 0.0 {
            let problem = Problem::new("the traces have no requests that come to a service");
            let help = "they have spans of servers, of more than one request: OTLP JSON, Jaeger's JSON, or a table of spans";
            return Err(problem.help(help).into());
        }
        all.users.values_mut().for_each(|it| it.good_ms.sort_by(f64::total_cmp));
        Ok(all)
    }

    /// Puts what spans alone can say over what metrics have said.
    pub(super) fn refine(&self, measured: &mut Application) {
        for (name, it) in &mut measured.services {
            let Some(traced) = self.services.get(name) else { continue };
            traced.order(it);
            if let Some(law) = traced.law(it.cpu_ms, it.wait_ms, it.load()) {
                it.cpu_law = law;
            }
        }
    }

    /// The application, of spans alone.
    pub(super) fn application(&self) -> Application {
        let mut all = Application::default();
        for (name, traced) in &self.services {
            let clusters = traced.clusters.iter().map(|it| (it.clone(), (1.0, None))).collect();
            let mut it = Service { rate: traced.answers / self.seconds, clusters, ..Service::default() };
            it.calls =
                traced.calls.iter().map(|(to, (count, ..))| (to.clone(), count / traced.answers)).collect();
            traced.order(&mut it);
            let in_vain: f64 = traced.calls.values().map(|(_, failed, _)| failed).sum();
            it.errors = ((traced.failed - in_vain) / traced.answers).max(0.0);
            let time_ms = traced.own_ms.iter().sum::<f64>() / traced.own_ms.len().max(1) as f64;
            let load = Load::of_times(it.rate, time_ms, it.capacity());
            it.cpu_ms = load.cpu(time_ms);
            it.cpu_law = match traced.law(it.cpu_ms, 0.0, load) {
                Some(law) => law,
                None => Law { shape: Shape::Exponential, why: "assumed: there are few spans of it" },
            };
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
        }
        all
    }
}

impl OfService {
    /// Takes the calls of one answer, in the order of their starts.
    fn take(&mut self, trace: &Trace, calls: &[Call<'_>]) {
        let mut reached = 0.0_f64;
        for (position, call) in calls.iter().enumerate() {
            let (start, ms) = (call.of().start_us as f64, call.of().duration_ms);
            if position > 0 {
                self.pairs += 1.0;
                self.overlapping += f64::from(u8::from(start < reached));
            }
            reached = reached.max(start + ms * 1e3);
            if let Some(name) = name(trace, call.server.service) {
                let of = self.calls.entry(name).or_default();
                *of = (
                    of.0 + 1.0,
                    of.1 + f64::from(u8::from(!call.server.ok)),
                    of.2 + position as f64 / calls.len() as f64,
                );
            }
        }
    }

    /// Whether calls are made at the same time, and, where they are not, in which order.
    fn order(&self, it: &mut Service) {
        if self.pairs == 0.0 {
            return;
        }
        it.in_parallel = self.overlapping > 0.5 * self.pairs;
        it.why_parallel = match it.in_parallel {
            true => "their spans overlap",
            false => "their spans follow each other, in this order",
        };
        let position = |name: &String| {
            self.calls.get(name).map_or(f64::INFINITY, |(count, _, positions)| positions / count)
        };
        it.calls.sort_by(|a, b| position(&a.0).total_cmp(&position(&b.0)));
    }

    /// The law of its CPU time and its wait, whose means are known (ms), under a load.
    fn law(&self, cpu_ms: f64, wait_ms: f64, load: Load) -> Option<Law> {
        if self.own_ms.len() < LEAST_OBSERVATIONS || cpu_ms <= 0.0 {
            return None;
        }
        let own = self.own_ms.iter().sum::<f64>() / self.own_ms.len() as f64;
        let load = load.seen_in(cpu_ms, own - wait_ms);
        let beside = (own - load.time(cpu_ms) - wait_ms).max(0.0);
        let without: Vec<f64> = self.own_ms.iter().map(|ms| (ms - beside).max(0.0)).collect();
        let all = candidates(&without);
        let best = Shape::of(&all.first()?.law);
        let smooth = all.iter().map(|it| Shape::of(&it.law)).find(|it| !matches!(it, Shape::Empirical(_)))?;
        let shape = if wait_ms > 0.0 {
            // Both vary by themselves.
            smooth.with_cv(smooth.cv() * (cpu_ms + wait_ms) / cpu_ms.hypot(wait_ms))
        } else if load.time(1.0) > MORE_BY_LOAD {
            smooth.with_cv(load.cv(smooth.cv()))
        } else {
            best
        };
        Some(Law { shape, why: "by the self times of its spans" })
    }
}

/// The nearest client's or gateway's span above a server span, if it is nearer than a server's, and the nearest server's.
fn above(spans: &[Span], index: usize) -> (Option<&Span>, Option<usize>) {
    let mut client = None;
    let mut at = spans[index].parent;
    // Parents stand in the same request; so many steps at most, should they go round.
    for _ in 0..spans.len().min(10_000) {
        let Some(parent) = at.map(|it| it as usize) else { break };
        match spans[parent].side {
            Side::Server => return (client, Some(parent)),
            Side::Client | Side::Gateway if client.is_none() => client = Some(&spans[parent]),
            _ => {}
        }
        at = spans[parent].parent;
    }
    (client, None)
}

fn name(trace: &Trace, id: Option<NameId>) -> Option<String> {
    id.map(|it| trace.names.text(it).to_owned()).filter(|it| !it.is_empty())
}
