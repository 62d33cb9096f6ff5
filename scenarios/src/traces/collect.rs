//! Gathers the records of a file, and decides what becomes of bad ones.
//!
//! # Models
//! Spans carry the identifiers of their trace, of themselves and of their parent. When all have been
//! read they are put in order by trace and start, and parents are found. The request of a trace is
//! its outermost span: among those whose parent is not in the file, the one that starts first, and
//! the longest of these.
//!
//! Many tracers do not say which side of a call recorded a span. In a trace in which no span says it, one
//! whose parent is of another service, or that has none, is its server's.
//!
//! What stands for several requests of the file ([`Collector::transaction`]) is left out and counted, unless
//! there is nothing else.
//!
//! # Assumptions
//! An identifier is that of one trace. Effect: if a client sends the same `x-request-id` twice, only
//! the first of its requests is seen. Clocks of machines agree better than a hop takes. Effect: else
//! an inner hop may be taken as the request; durations themselves are of one clock each. Without sides, the
//! caller's own span of a call is not told from its other work. Effect: the way of the call counts as time
//! of the caller.

use super::field::Fault;
use super::format::Format;
use super::histogram::Histogram;
use super::input::problem_of;
use super::model::{NameId, Names, Reading, Side, Span, Trace, TraceRequest};
use super::options::Options;
use crate::problem::{Checked, Problem, Problems};
use std::cmp::Reverse;
use std::ops::Range;
use std::path::Path;

/// So many bad records are described.
const MOST_DESCRIBED: usize = 5;

/// A span before its index is known.
#[derive(Clone, Debug, Default)]
pub(super) struct RawSpan {
    /// Its trace; none if it is one of its own.
    pub(super) trace: Option<u128>,
    /// Itself; 0 if the format has no identifier of spans.
    pub(super) id: u64,
    /// Its parent; 0 if it has none.
    pub(super) parent: u64,
    /// Its parent if that one is not in the file; 0 if there is no other.
    pub(super) otherwise: u64,
    /// When it began (us since 1970).
    pub(super) start_us: u64,
    /// How long it took (ms).
    pub(super) duration_ms: f64,
    /// Sent to who asked (bytes).
    pub(super) bytes: u64,
    pub(super) service: Option<NameId>,
    pub(super) cluster: Option<NameId>,
    /// Who recorded it; none if the file does not say.
    pub(super) side: Option<Side>,
    /// Whether that was a proxy, as far as the file says it.
    pub(super) by_proxy: bool,
    pub(super) ok: bool,
    /// What was asked for, if the file says it.
    pub(super) operation: Option<NameId>,
    /// Body of the request (bytes); 0 if the file does not say it.
    pub(super) request_bytes: u64,
}

/// What has been read of a file.
pub(super) struct Collector<'a> {
    pub(super) path: &'a Path,
    pub(super) names: Names,
    options: &'a Options<'a>,
    requests: Vec<TraceRequest>,
    /// Each stands for several requests.
    transactions: Vec<TraceRequest>,
    spans: Vec<RawSpan>,
    /// Spans whose side was told by their parents; none if sides are not to be told so.
    sides_told: Option<u64>,
    histogram: Option<Histogram>,
    reading: Reading,
}

impl<'a> Collector<'a> {
    pub(super) fn new(path: &'a Path, options: &'a Options<'a>) -> Self {
        Self {
            path,
            names: Names::default(),
            options,
            requests: Vec::new(),
            transactions: Vec::new(),
            sides_told: None,
            spans: Vec::new(),
            histogram: None,
            reading: Reading::default(),
        }
    }

    /// Takes a request, or says at which line what is wrong with it.
    pub(super) fn request(&mut self, read: Result<TraceRequest, Fault>, line: u64) -> Result<(), Problem> {
        match read {
            Ok(request) => {
                self.room()?;
                self.requests.push(request);
                Ok(())
            }
            Err(fault) => self.bad(fault.at(self.path, line)),
        }
    }

    /// Takes what stands for several requests, each with a record of its own perhaps.
    pub(super) fn transaction(
        &mut self,
        read: Result<TraceRequest, Fault>,
        line: u64,
    ) -> Result<(), Problem> {
        match read {
            Ok(request) => {
                self.room()?;
                self.transactions.push(request);
                Ok(())
            }
            Err(fault) => self.bad(fault.at(self.path, line)),
        }
    }

    /// Tells sides by parents in traces that do not say them.
    pub(super) const fn tell_sides(&mut self) {
        self.sides_told = Some(0);
    }

    /// Takes a span, or says at which line what is wrong with it.
    pub(super) fn span(&mut self, read: Result<RawSpan, Fault>, line: u64) -> Result<(), Problem> {
        match read {
            Ok(span) => {
                self.room()?;
                self.reading.by_proxies |= span.by_proxy;
                self.spans.push(span);
                Ok(())
            }
            Err(fault) => self.bad(fault.at(self.path, line)),
        }
    }

    /// One more good record, if there is room for it.
    fn room(&mut self) -> Result<(), Problem> {
        let most = self.options.most_records;
        if self.requests.len() + self.transactions.len() + 2 * self.spans.len() >= most {
            return Err(problem_of(
                self.path,
                format!("has more than {most} requests (a span counts as two)"),
            )
            .help("split it, or take a shorter part of the measurement"));
        }
        self.reading.good += 1;
        Ok(())
    }

    /// A record that is left out.
    pub(super) fn bad(&mut self, problem: Problem) -> Result<(), Problem> {
        if self.options.strict {
            return Err(problem);
        }
        self.reading.bad += 1;
        if self.reading.first_bad.len() < MOST_DESCRIBED {
            self.reading.first_bad.push(problem);
        }
        Ok(())
    }

    /// The spans from this number on.
    pub(super) fn spans_from(&mut self, number: usize) -> &mut [RawSpan] {
        self.spans.get_mut(number..).unwrap_or_default()
    }

    /// How many spans have been taken.
    pub(super) fn span_count(&self) -> usize {
        self.spans.len()
    }

    /// What the file says of all latencies at once, read from so many records.
    pub(super) fn set_histogram(&mut self, histogram: Histogram, records: u64) {
        self.histogram = Some(histogram);
        self.reading.good += records;
    }

    /// Something to know of the file.
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.reading.notes.push(sentence.into());
    }

    /// The trace, unless there is too little in it.
    pub(super) fn finish(mut self, format: Format) -> Checked<Trace> {
        let Reading { good, bad, .. } = self.reading;
        if bad > good {
            let message = format!("{bad} of its {} records are bad", good + bad);
            let most = problem_of(self.path, message)
                .help(format!("it was read as {}; --trace-format says what it is", format.name()));
            let described = std::mem::take(&mut self.reading.first_bad);
            return Err(Problems(std::iter::once(most).chain(described).collect()));
        }
        if self.histogram.as_ref().is_some_and(|histogram| histogram.buckets.is_empty()) {
            return Err(problem_of(self.path, "no request is in its buckets").into());
        }
        if !self.spans.is_empty() {
            self.note("latencies are those of each request's outermost hop in the file, as recorded there");
        }
        let spans = self.order_spans();
        self.note_sides();
        self.take_transactions();
        self.requests.sort_by_key(|request| request.start_us);
        if self.requests.is_empty() && self.histogram.is_none() {
            return Err(problem_of(self.path, format!("no request in it, read as {}", format.name()))
                .help(format!("requests are {}", format.requests_are()))
                .into());
        }
        self.reading.format = Some(format);
        let Self { requests, histogram, names, reading, .. } = self;
        Ok(Trace { requests, spans, histogram, names, reading })
    }

    fn note_sides(&mut self) {
        if let Some(told @ 1..) = self.sides_told {
            self.note(format!(
                "{told} spans of traces without a span.kind are taken as those of servers: their parent is of another \
                 service, or they have none"
            ));
        }
    }

    /// What stands for several requests is one only if there are no others.
    fn take_transactions(&mut self) {
        let count = self.transactions.len();
        if count == 0 {
            return;
        }
        if self.requests.is_empty() {
            self.requests = std::mem::take(&mut self.transactions);
            self.note(format!(
                "all {count} requests are transactions of JMeter, each as long as its samples, which are not in the file"
            ));
        } else {
            self.note(format!(
                "{count} rows of JMeter's Transaction Controllers are left out: their samples are requests of their own"
            ));
        }
    }

    /// The spans by trace and start; the outermost of each trace becomes a request.
    fn order_spans(&mut self) -> Vec<Span> {
        let mut raw = std::mem::take(&mut self.spans);
        // Those without a trace of their own come first and stay apart.
        raw.sort_by_key(|span| (span.trace, span.start_us, Reverse(span.duration_ms.to_bits())));
        let mut spans = Vec::with_capacity(raw.len());
        let mut at = 0;
        while at < raw.len() {
            let trace = raw[at].trace;
            let same = raw[at..].iter().take_while(|span| trace.is_some() && span.trace == trace).count();
            let group = at..at + same.max(1);
            at = group.end;
            self.push_group(&raw, group, &mut spans);
        }
        spans
    }

    fn push_group(&mut self, raw: &[RawSpan], group: Range<usize>, spans: &mut Vec<Span>) {
        // Not above the limit of records, so numbers fit.
        let first = group.start as u32;
        let request = self.requests.len() as u32;
        let mut by_id: Vec<(u64, u32)> = (first..).zip(&raw[group.clone()]).map(|(n, s)| (s.id, n)).collect();
        by_id.sort_unstable();
        let find = |id: u64| {
            let index = by_id.partition_point(|(other, _)| *other < id);
            by_id.get(index).filter(|(other, _)| id != 0 && *other == id).map(|(_, n)| *n)
        };
        let parent_of = |span: &RawSpan| find(span.parent).or_else(|| find(span.otherwise));
        let sides_are_said =
            self.sides_told.is_none() || raw[group.clone()].iter().any(|span| span.side.is_some());
        let mut outermost = None;
        for span in &raw[group.clone()] {
            let parent = parent_of(span);
            if parent.is_none() && outermost.is_none() {
                outermost = Some(span);
            }
            let mut placed = span.placed(request, parent);
            let above = parent.map(|parent| raw[parent as usize].service);
            let enters = above.is_none_or(|above| above.is_some() && above != span.service);
            if !sides_are_said && enters && span.service.is_some() {
                placed.side = Side::Server;
                self.sides_told = self.sides_told.map(|told| told + 1);
            }
            spans.push(placed);
        }
        // Spans that are each other's parents have none: the first one stands for them.
        self.requests.push(outermost.unwrap_or(&raw[group.start]).as_request());
    }
}

impl RawSpan {
    fn placed(&self, request: u32, parent: Option<u32>) -> Span {
        Span {
            start_us: self.start_us,
            duration_ms: self.duration_ms,
            request,
            parent,
            service: self.service,
            cluster: self.cluster,
            side: self.side.unwrap_or_default(),
            ok: self.ok,
            operation: self.operation,
            // Larger ones are as large as can be told.
            bodies: [self.request_bytes, self.bytes].map(|it| u32::try_from(it).unwrap_or(u32::MAX)),
        }
    }

    fn as_request(&self) -> TraceRequest {
        TraceRequest {
            start_us: self.start_us,
            latency_ms: self.duration_ms,
            bytes: self.bytes,
            service: self.service,
            cluster: self.cluster,
            ok: self.ok,
        }
    }
}

/// An identifier in hexadecimal digits, with or without dashes; another text is hashed (FNV-1a).
pub(super) fn identifier(text: &str) -> Option<u128> {
    if text.is_empty() || text == "-" {
        return None;
    }
    let hex = |byte: u8| (byte as char).to_digit(16);
    let digits = text.bytes().filter(|&byte| byte != b'-');
    let short = text.len() <= 36 && digits.clone().count() <= 32;
    if short && digits.clone().all(|byte| hex(byte).is_some()) {
        return Some(digits.fold(0, |id, byte| id << 4 | u128::from(hex(byte).unwrap_or(0))));
    }
    Some(text.bytes().fold(FNV_BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME)))
}

/// Fowler, Noll and Vo, for 128 bits.
const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
