//! What a service took itself, from the spans of a trace.
//!
//! # Models
//! Self time: a server span less the union of the calls that its service made meanwhile. Calls are
//! client spans that the server span caused; where a tracer has no client spans, the server spans of
//! those who were called. Where spans do not say what caused them (access logs), a call belongs to the
//! innermost server span of the same request that contains it and whose service calls the other by the
//! call graph. A server span that failed, or in which a call failed, is left out.
//!
//! # Assumptions
//! - Waiting for the CPU (other requests of the pod, a limit's throttling) and, in spans of proxies, the time of the server's own
//!   sidecar are in it. Effect: none on laws, which are fitted with both (`calibrate::match_laws`, `import::measured::sharing`).
//! - Clocks of the two sides of a call need not agree, but those of one pod do.
//!
//! # Source
//! Sigelman et al., Dapper, a large-scale distributed systems tracing infrastructure, 2010 (spans);
//! LatenSeer, SoCC 2023, section 4 (self times).

use super::resample::Observation;
use crate::traces::model::Side;
use crate::traces::{Span, Trace};
use std::collections::BTreeMap;
use std::ops::Range;

/// Self times by service, in the order of their times. `calls` says whether a service may call another.
#[must_use]
pub fn self_times(trace: &Trace, calls: impl Fn(&str, &str) -> bool) -> BTreeMap<String, Vec<Observation>> {
    let mut times: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
    for (index, observation) in self_times_of_spans(trace, calls) {
        if let Some(service) = trace.spans[index].service {
            times.entry(trace.names.text(service).to_owned()).or_default().push(observation);
        }
    }
    for observations in times.values_mut() {
        observations.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    }
    times
}

/// Self times by the index of their server spans.
pub(crate) fn self_times_of_spans(
    trace: &Trace,
    calls: impl Fn(&str, &str) -> bool,
) -> Vec<(usize, Observation)> {
    let of = |group| Request { trace, group, calls: &calls }.self_times();
    groups(&trace.spans).flat_map(of).collect()
}

/// The indices of the spans of each request.
fn groups(spans: &[Span]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let request = spans.get(at)?.request;
        let count = spans[at..].iter().take_while(|span| span.request == request).count();
        at += count;
        Some(at - count..at)
    })
}

/// The spans of one request.
struct Request<'a, C> {
    trace: &'a Trace,
    group: Range<usize>,
    calls: &'a C,
}

impl<C: Fn(&str, &str) -> bool> Request<'_, C> {
    fn self_times(&self) -> Vec<(usize, Observation)> {
        let spans = &self.trace.spans;
        let has_parents = self.group.clone().any(|index| spans[index].parent.is_some());
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in self.group.clone() {
            let server = if has_parents { self.caused_by(index) } else { self.contained_in(index) };
            if let Some(server) = server {
                parts.entry(server).or_default().push(index);
            }
        }
        let servers = self.group.clone().filter(|&index| spans[index].side == Side::Server);
        let time_of = |index: usize| {
            let calls = parts.get(&index).map(Vec::as_slice).unwrap_or_default();
            let good = spans[index].ok && calls.iter().all(|&call| spans[call].ok);
            let known = good && spans[index].service.is_some();
            known.then(|| (index, (spans[index].start_us, self.time_alone(index, calls))))
        };
        servers.filter_map(time_of).collect()
    }

    /// The server span that caused this call, by its parents.
    fn caused_by(&self, index: usize) -> Option<usize> {
        let spans = &self.trace.spans;
        let parent = |index: usize| spans[index].parent.map(|parent| parent as usize);
        if !matches!(spans[index].side, Side::Client | Side::Server) {
            return None;
        }
        let mut above = parent(index)?;
        // Work inside a service has spans of its own; so many at most, should they go round.
        for _ in self.group.clone() {
            match spans[above].side {
                Side::Server => return Some(above),
                Side::Client | Side::Gateway => return None,
                Side::Other => above = parent(above)?,
            }
        }
        None
    }

    /// The server span that made this call, by its time.
    fn contained_in(&self, index: usize) -> Option<usize> {
        let spans = &self.trace.spans;
        let call = &spans[index];
        if call.side != Side::Client {
            return None;
        }
        let name = |span: &Span| span.service.map_or("", |id| self.trace.names.text(id));
        let contains = |server: &Span| server.start_us <= call.start_us && end_us(server) >= end_us(call);
        let made = |&server: &usize| {
            let server = &spans[server];
            server.side == Side::Server && contains(server) && (self.calls)(name(server), name(call))
        };
        self.group.clone().filter(made).max_by_key(|&server| spans[server].start_us)
    }

    /// The server span less the union of its calls (ms).
    fn time_alone(&self, index: usize, calls: &[usize]) -> f64 {
        let spans = &self.trace.spans;
        let covered = covered_us(&spans[index], calls.iter().map(|&call| &spans[call]));
        (spans[index].duration_ms - covered / 1e3).max(0.0)
    }
}

/// For how long of a span any of these lasts (us).
pub(crate) fn covered_us<'a>(of: &Span, by: impl IntoIterator<Item = &'a Span>) -> f64 {
    let (start, end) = (of.start_us as f64, end_us(of));
    let mut by: Vec<&Span> = by.into_iter().collect();
    by.sort_by_key(|it| it.start_us);
    let (mut covered, mut reached) = (0.0, start);
    for it in by {
        let from = (it.start_us as f64).clamp(reached, end);
        let to = end_us(it).clamp(from, end);
        covered += to - from;
        reached = reached.max(to);
    }
    covered
}

fn end_us(span: &Span) -> f64 {
    span.start_us as f64 + span.duration_ms * 1e3
}
