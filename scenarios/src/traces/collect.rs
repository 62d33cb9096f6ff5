//! Gathers the records of a file, and decides what becomes of bad ones.
//!
//! # Models
//! Spans carry the identifiers of their trace, of themselves and of their parent. When all have been
//! read they are put in order by trace and start, and parents are found. The request of a trace is
//! its outermost span: among those whose parent is not in the file, the one that starts first, and
//! the longest of these.
//!
//! # Assumptions
//! An identifier is that of one trace. Effect: if a client sends the same `x-request-id` twice, only
//! the first of its requests is seen. Clocks of machines agree better than a hop takes. Effect: else
//! an inner hop may be taken as the request; durations themselves are of one clock each.

use super::Options;
use super::detect::Format;
use super::field::Fault;
use super::histogram::Histogram;
use super::model::{NameId, Names, Reading, Side, Span, Trace, TraceRequest};
use super::problem_of;
use crate::problem::{Checked, Problem, Problems};
use std::cmp::Reverse;
use std::ops::Range;
use std::path::Path;

/// So many bad records are described.
const MOST_DESCRIBED: usize = 5;

/// A span before its place is known.
#[derive(Clone, Debug, Default)]
pub(super) struct RawSpan {
    /// Its trace; none if it is one of its own.
    pub(super) trace: Option<u128>,
    /// Itself; 0 if the format has no identifier of spans.
    pub(super) id: u64,
    /// Its parent; 0 if it has none.
    pub(super) parent: u64,
    /// When it began (us since 1970).
    pub(super) start_us: u64,
    /// How long it took (ms).
    pub(super) duration_ms: f64,
    /// Sent to who asked (bytes).
    pub(super) bytes: u64,
    pub(super) service: Option<NameId>,
    pub(super) cluster: Option<NameId>,
    pub(super) side: Side,
    pub(super) ok: bool,
}

/// What has been read of a file.
pub(super) struct Collector<'a> {
    pub(super) path: &'a Path,
    pub(super) names: Names,
    options: &'a Options<'a>,
    requests: Vec<TraceRequest>,
    spans: Vec<RawSpan>,
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

    /// Takes a span, or says at which line what is wrong with it.
    pub(super) fn span(&mut self, read: Result<RawSpan, Fault>, line: u64) -> Result<(), Problem> {
        match read {
            Ok(span) => {
                self.room()?;
                self.spans.push(span);
                Ok(())
            }
            Err(fault) => self.bad(fault.at(self.path, line)),
        }
    }

    /// One more good record, if there is room for it.
    fn room(&mut self) -> Result<(), Problem> {
        let most = self.options.most_records;
        if self.requests.len() + 2 * self.spans.len() >= most {
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
        self.requests.sort_by_key(|request| request.start_us);
        if self.requests.is_empty() && self.histogram.is_none() {
            return Err(problem_of(self.path, format!("no request in it, read as {}", format.name())).into());
        }
        self.reading.format = Some(format);
        let Self { requests, histogram, names, reading, .. } = self;
        Ok(Trace { requests, spans, histogram, names, reading })
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
        let parent_of = |span: &RawSpan| {
            let place = by_id.partition_point(|(id, _)| *id < span.parent);
            by_id.get(place).filter(|(id, _)| span.parent != 0 && *id == span.parent).map(|(_, n)| *n)
        };
        let mut outermost = None;
        for span in &raw[group.clone()] {
            let parent = parent_of(span);
            if parent.is_none() && outermost.is_none() {
                outermost = Some(span);
            }
            spans.push(span.placed(request, parent));
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
            side: self.side,
            ok: self.ok,
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
