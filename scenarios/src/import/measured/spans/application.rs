//! What spans come to: an application of their own, or what goes over that of metrics.
//!
//! # Assumptions
//! - Alone, spans are of all requests, and a self time is CPU time and waiting for the CPU (`sharing`). Effect: a sample of the requests gives too few
//!   of them per second; the time of a server's own sidecar is counted twice, some 0.5 ms a call.
//! - Beside metrics, what self times have more than the CPU time is the same for all answers (the sidecar's time). CPU time, and waits that are not
//!   for somebody outside, are shared out among kinds as the rest of their self times is.
//! - Calls of a kind are those of its spans, unless metrics count more or fewer of the service by more than [`CHANCE`]: spans are lost then, or
//!   sampled by kind. Calls of which there are no spans are made by every kind alike.

use super::super::application::{Application, Entry, Kind, Law, Service, Work};
use super::super::kinds::Named;
use super::super::seen::{Seen, Unfolded};
use super::super::shape::Shape;
use super::super::sharing::Load;
use super::{OfService, Traced};
use meshsim_core::stats::quantile_of_sorted;
use std::collections::{BTreeMap, BTreeSet};

/// By such a share counts of spans and of metrics differ by chance.
const CHANCE: f64 = 0.05;

/// A wait is for whom spans show if they make up so much of it.
const NEARLY_ALL: f64 = 0.9;

impl Traced {
    /// Puts what spans alone can say over what metrics have said.
    pub(in super::super) fn refine(&self, measured: &mut Application) {
        for (name, it) in &mut measured.services {
            let Some(traced) = self.services.get(name) else { continue };
            traced.all.order(&mut it.work, &mut it.calls, |to, seen| seen.service == *to);
            let unfolded = traced.all.unfolded(&it.work, it.load(), it.has_quota());
            if let Some(law) = traced.all.law(&it.work, unfolded) {
                it.work.cpu_law = law;
            }
            it.work.wait_law = wait_law(&traced.all, it.work.wait_ms);
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
    pub(in super::super) fn application(&self) -> Application {
        let mut all = Application::default();
        for (name, traced) in &self.services {
            let seen = &traced.all;
            let clusters = traced.clusters.iter().map(|it| (it.clone(), (1.0, None))).collect();
            let mut it = Service { rate: seen.answers / self.seconds, clusters, ..Service::default() };
            let called: BTreeSet<&String> = seen.calls.keys().map(|to| &to.service).collect();
            it.calls = called.into_iter().map(|to| (to.clone(), seen.count_to(to) / seen.answers)).collect();
            seen.order(&mut it.work, &mut it.calls, |to, seen| seen.service == *to);
            it.near_first = traced.near_first();
            it.work.errors = seen.errors();
            seen.bodies(&mut it.work);
            let time_ms = seen.own_ms.iter().fold(0.0, |sum, it| sum + it) / seen.own_ms.len().max(1) as f64;
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
        let named = self.kinds.named(name).iter().enumerate();
        let known: Vec<(&Named, &Seen)> =
            named.filter_map(|(index, it)| Some((it, traced.each.get(&index)?))).collect();
        let means = Means::new(&traced.all, &known, unfolded);
        let of = |&(named, seen): &(&Named, &Seen)| {
            let is_one = known.len() == 1;
            let mut work = whole.work.clone();
            let mut calls = calls_of(seen, &traced.all, &whole.calls, is_one);
            seen.order(&mut work, &mut calls, |to, seen| (&seen.service, &seen.kind) == (&to.0, &to.1));
            if !is_one {
                means.share_out(&mut work, seen);
            }
            let share = seen.answers / traced.all.answers;
            Kind { name: named.name.clone(), operation: named.operation.clone(), share, work, calls }
        };
        known.iter().map(of).collect()
    }
}

/// Calls per request of a kind, where so many are known of the service.
fn calls_of(
    seen: &Seen,
    all: &Seen,
    whole: &[(String, f64)],
    is_one: bool,
) -> Vec<((String, Option<String>), f64)> {
    let scale = |service: &String| {
        let measured = whole.iter().find(|(it, _)| it == service).map_or(0.0, |it| it.1);
        let more = measured / (all.count_to(service) / all.answers);
        if is_one || (more - 1.0).abs() > CHANCE { more } else { 1.0 }
    };
    let of = seen.calls.iter().map(|(to, made)| {
        ((to.service.clone(), to.kind.clone()), scale(&to.service) * made.count / seen.answers)
    });
    let unseen = whole.iter().filter(|(to, _)| all.count_to(to) == 0.0);
    of.chain(unseen.map(|(to, per_request)| ((to.clone(), None), *per_request))).collect()
}

/// Means over all kinds of a service, by which each has its share of what the service takes.
struct Means<'a> {
    all: &'a Seen,
    unfolded: Unfolded,
    /// What self times are without what is beside them (ms): of all answers, and of kinds.
    own_ms: f64,
    of_kinds_ms: f64,
    errors: f64,
}

impl<'a> Means<'a> {
    fn new(all: &'a Seen, kinds: &[(&Named, &Seen)], unfolded: Unfolded) -> Self {
        let own_ms = all.own(unfolded).unwrap_or(0.0);
        let mean = |of: &dyn Fn(&Seen) -> f64| {
            kinds.iter().map(|(_, seen)| seen.answers * of(seen)).sum::<f64>() / all.answers
        };
        let of_kinds_ms = mean(&|seen| seen.own(unfolded).unwrap_or(own_ms));
        Self { all, unfolded, own_ms, of_kinds_ms, errors: mean(&Seen::errors) }
    }

    /// Makes the work of a service that of one of its kinds.
    fn share_out(&self, work: &mut Work, seen: &Seen) {
        let own_ms = seen.own(self.unfolded).unwrap_or(self.own_ms);
        let share = if self.of_kinds_ms > 0.0 { own_ms / self.of_kinds_ms } else { 1.0 };
        work.cpu_ms *= share;
        let outside = self.all.wait_ms();
        let of_kind = if outside > 0.0 { seen.wait_ms() * (work.wait_ms / outside).min(1.0) } else { 0.0 };
        work.wait_ms = (work.wait_ms - outside).max(0.0) * share + of_kind;
        work.wait_law = wait_law(seen, work.wait_ms);
        if self.errors > 0.0 {
            work.errors = (work.errors * seen.errors() / self.errors).min(1.0);
        }
        bodies(seen, self.all, work);
        if let Some(law) = seen.law(work, self.unfolded) {
            work.cpu_law = law;
        }
    }
}

/// The law of a wait, if what spans show is nearly all of it.
fn wait_law(seen: &Seen, wait_ms: f64) -> Option<Law> {
    let is_theirs = wait_ms > 0.0 && seen.wait_ms() >= NEARLY_ALL * wait_ms;
    is_theirs.then(|| seen.wait_law()).flatten()
}

/// Bodies of a kind, whose means over all kinds stay those of the service.
fn bodies(seen: &Seen, all: &Seen, work: &mut Work) {
    let (mut of_all, whole) = (Work::default(), work.clone());
    all.bodies(&mut of_all);
    seen.bodies(work);
    if of_all.request_bytes > 0.0 && whole.request_bytes > 0.0 {
        work.request_bytes *= whole.request_bytes / of_all.request_bytes;
    }
    if let (Some(bytes), Some(seen), Some(mean)) =
        (work.response_bytes, of_all.response_bytes, whole.response_bytes)
    {
        work.response_bytes = Some(if seen > 0.0 { bytes * mean / seen } else { bytes });
    }
}
