//! What a file of measurements holds, whatever its format.
//!
//! # Models
//! Three kinds of content. *Requests*: one record per request of a user. *Spans*: one record per
//! hop of a request, as tracing systems and proxies write; the outermost hop of each is its request.
//! *A histogram*: only how many latencies fell into which bucket.
//!
//! # Assumptions
//! Names (of services and clusters) are few. Effect: from the 65 535th different one on, records
//! have no name; latencies are not touched.

use super::format::Format;
use super::histogram::Histogram;
use crate::problem::Problem;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// A measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The requests of the users, in the order of their starts; none if the file has only buckets.
    pub requests: Vec<TraceRequest>,
    /// The hops, by request, then start; none if the format has no hops.
    pub spans: Vec<Span>,
    /// Only if the file has buckets instead of requests.
    pub histogram: Option<Histogram>,
    /// The names of services and clusters.
    pub names: Names,
    /// What was read, and what was left out.
    pub reading: Reading,
}

/// How a file was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its format; none if the trace was not read from a file.
    pub format: Option<Format>,
    /// Records that were read.
    pub good: u64,
    /// Records that were left out.
    pub bad: u64,
    /// What is wrong with the first few of these.
    pub first_bad: Vec<Problem>,
    /// Whether proxies recorded spans: the file says so, or it is a log of theirs.
    pub by_proxies: bool,
    /// What a reader should know of the file, in sentences.
    pub notes: Vec<String>,
}

/// One request of a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TraceRequest {
    /// When sending it began (us since 1970).
    pub start_us: u64,
    /// From the start of sending to the last byte received (ms).
    pub latency_ms: f64,
    /// Header and body received (bytes); 0 if the file does not say.
    pub bytes: u64,
    /// The service that was asked, or a load generator's label; if the file says it.
    pub service: Option<NameId>,
    /// The cluster of who recorded it, if the file says it.
    pub cluster: Option<NameId>,
    /// Whether who recorded it took it as successful.
    pub ok: bool,
}

/// Which side of a call recorded a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Who answers.
    Server,
    /// Who asks.
    Client,
    /// The gateway by which requests enter the mesh.
    Gateway,
    /// No call, or the file does not say.
    #[default]
    Other,
}

/// One hop of a request, or one piece of work in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// When it began (us since 1970).
    pub start_us: u64,
    /// How long it took (ms).
    pub duration_ms: f64,
    /// Number of the request that it belongs to: spans of equal number are of one trace.
    pub request: u32,
    /// Index in [`Trace::spans`] of the span that caused it, if the file has it.
    pub parent: Option<u32>,
    /// The service that did it, or (recorded by a client or gateway) that was asked.
    pub service: Option<NameId>,
    /// The cluster in which it was recorded.
    pub cluster: Option<NameId>,
    /// Who recorded it.
    pub side: Side,
    /// Whether it succeeded.
    pub ok: bool,
    /// What was asked for, as `GET /cart`, if the file says it (`operation`).
    pub operation: Option<NameId>,
    /// Bodies of the request and of the answer (bytes); 0 if the file does not say.
    pub bodies: [u32; 2],
}

/// A name in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameId(NonZeroU16);

/// Each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    list: Vec<String>,
    ids: BTreeMap<String, NameId>,
}

/// The longest name that is kept whole (bytes).
const MAX_NAME: usize = 256;

/// From so many names on nothing more is taken for an operation: services and clusters have room.
const MOST_OPERATIONS: usize = 4_096;

impl Names {
    /// The text of a name.
    #[must_use]
    pub fn text(&self, id: NameId) -> &str {
        self.list.get(usize::from(id.0.get()) - 1).map_or("", String::as_str)
    }

    /// The name of this text, if a record has it.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<NameId> {
        self.ids.get(text).copied()
    }

    /// That of what was asked for. None as below, and if it is new and there are many names already.
    pub(super) fn operation(&mut self, text: &str) -> Option<NameId> {
        self.find(text).or_else(|| (self.list.len() < MOST_OPERATIONS).then(|| self.id(text)).flatten())
    }

    /// The name of this text, which may be new. None for an empty text and if there are too many.
    pub(crate) fn id(&mut self, text: &str) -> Option<NameId> {
        if text.is_empty() {
            return None;
        }
        let end = (0..=text.len().min(MAX_NAME)).rev().find(|&at| text.is_char_boundary(at));
        let text = &text[..end.unwrap_or(0)];
        if let Some(id) = self.ids.get(text) {
            return Some(*id);
        }
        let id = NameId(NonZeroU16::new(u16::try_from(self.list.len() + 1).ok()?)?);
        self.list.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        Some(id)
    }
}

impl Trace {
    /// A trace of requests that were not read from a file; they are put in the order of their starts.
    #[must_use]
    pub fn of_requests(mut requests: Vec<TraceRequest>) -> Self {
        requests.sort_by_key(|request| request.start_us);
        Self { requests, ..Self::default() }
    }

    /// The same with the names of services by which a scenario knows them: the part before the first dot where it is one
    /// and the whole is none. Istio's proxies call a service `NAME.NAMESPACE`
    /// (its ProxyConfig, `tracingServiceName`, `APP_LABEL_AND_NAMESPACE`).
    #[must_use]
    pub fn named_as<'t>(trace: Cow<'t, Self>, is_known: impl Fn(&str) -> bool) -> Cow<'t, Self> {
        let short = |name: &String| {
            let (first, _) = name.split_once('.')?;
            (!is_known(name) && is_known(first)).then(|| first.to_owned())
        };
        let shortened: Vec<Option<String>> = trace.names.list.iter().map(short).collect();
        if shortened.iter().all(Option::is_none) {
            return trace;
        }
        let mut trace = trace.into_owned();
        let renamed: Vec<Option<NameId>> =
            shortened.iter().map(|name| trace.names.id(name.as_deref()?)).collect();
        let rename = |id: NameId| renamed.get(usize::from(id.0.get()) - 1).copied().flatten().unwrap_or(id);
        for service in trace.spans.iter_mut().map(|span| &mut span.service) {
            *service = service.map(rename);
        }
        for service in trace.requests.iter_mut().map(|request| &mut request.service) {
            *service = service.map(rename);
        }
        Cow::Owned(trace)
    }

    /// Without the first `seconds`, counted from the start of the first request: the warm-up.
    ///
    /// A number that is not positive takes nothing away. Nothing can be taken from a histogram; spans
    /// stay.
    #[must_use]
    pub fn after(mut self, seconds: f64) -> Self {
        // Saturates; NaN and negative numbers are 0.
        let warm_up_us = (seconds * 1e6) as u64;
        let first = self.requests.first().map_or(0, |request| request.start_us);
        let from = first.saturating_add(warm_up_us);
        self.requests.retain(|request| request.start_us >= from);
        self
    }

    /// How many requests there are, failed ones too.
    #[must_use]
    pub fn count(&self) -> u64 {
        let in_buckets = self.histogram.as_ref().map_or(0, |histogram| histogram.requests);
        self.requests.len() as u64 + in_buckets
    }

    /// The latencies of the successful requests (ms), ascending.
    #[must_use]
    pub fn sorted_latencies_ms(&self) -> Vec<f64> {
        let successful = self.requests.iter().filter(|request| request.ok);
        let mut latencies: Vec<f64> = successful.map(|request| request.latency_ms).collect();
        latencies.sort_unstable_by(f64::total_cmp);
        latencies
    }
}
