//! Reads traces exported from Jaeger.
//!
//! # Models
//! `data` is a list of traces, or the file is such a list or a single trace, as people cut it out; each has
//! `spans` and `processes`, which name the service of the spans by `processID`. A span's start and duration are in microseconds; its parent is the `CHILD_OF`
//! among its references, or what it `FOLLOWS_FROM`. A span failed if it has the tag `error` or an HTTP status that says so. The
//! cluster is the tag `cluster`, or `k8s.cluster.name`, of the process.
//!
//! # Source
//! Jaeger, `internal/uimodel/model.go` (the JSON of its query service); OpenTracing semantic
//! conventions, 1.1.

use super::collect::{Collector, RawSpan, identifier};
use super::field::{Fault, duration_us, is_success, start_us};
use super::input::Content;
use super::json::{Each, Object, Parts, Sink, documents};
use super::model::{NameId, Names, Side};
use super::operation::operation;
use super::scalar::Scalar;
use crate::problem::{Checked, Problem};
use serde::Deserialize;
use serde::de::MapAccess;
use std::collections::BTreeMap;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    to.tell_sides();
    documents(content, to, &mut Document::default())
}

/// The export, or a single trace.
#[derive(Default)]
struct Document {
    trace: OneTrace,
}

impl Parts for Document {
    fn begin(&mut self, sink: &mut Sink<'_, '_>) {
        self.trace.begin(sink);
    }

    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        if key != "data" {
            return self.trace.part(key, map, sink);
        }
        map.next_value_seed(Object { parts: &mut OneTrace::default(), sink })?;
        // Those of the export's traces have their names.
        self.trace.begin(sink);
        Ok(true)
    }

    fn end(&mut self, sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
        self.trace.end(sink)
    }
}

/// A trace: its spans may come before the processes that they name.
#[derive(Default)]
struct OneTrace {
    /// Number of its first span.
    first: usize,
    /// The process of each span.
    process_of: Vec<Option<NameId>>,
    processes: BTreeMap<String, Process>,
}

impl Parts for OneTrace {
    fn begin(&mut self, sink: &mut Sink<'_, '_>) {
        *self = Self { first: sink.to.span_count(), ..Self::default() };
    }

    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            "spans" => {
                let process_of = &mut self.process_of;
                map.next_value_seed(Each::new(sink, |to: &mut Collector<'_>, span: JaegerSpan, line| {
                    let read = span.raw(&mut to.names).map_err(|fault| fault.of("key"));
                    if read.is_ok() {
                        process_of.push(to.names.id(span.process_id.as_str()));
                    }
                    to.span(read, line)
                }))?;
            }
            "processes" => self.processes = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(&mut self, sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
        let named: BTreeMap<NameId, [Option<NameId>; 2]> = std::mem::take(&mut self.processes)
            .into_iter()
            .filter_map(|(key, process)| Some((sink.to.names.id(&key)?, process.names(sink.to))))
            .collect();
        for (span, process) in sink.to.spans_from(self.first).iter_mut().zip(&self.process_of) {
            let found = process.and_then(|process| named.get(&process));
            [span.service, span.cluster] = found.copied().unwrap_or_default();
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Process {
    #[serde(rename = "serviceName")]
    service_name: Scalar,
    tags: Option<Vec<Tag>>,
}

impl Process {
    /// Service and cluster.
    fn names(&self, to: &mut Collector<'_>) -> [Option<NameId>; 2] {
        let tags = self.tags.as_deref().unwrap_or_default();
        let cluster = ["cluster", "k8s.cluster.name"].into_iter().find_map(|key| value_of(tags, key));
        [to.names.id(self.service_name.as_str()), cluster.and_then(|cluster| to.names.id(cluster.as_str()))]
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tag {
    key: Scalar,
    value: Scalar,
}

fn value_of<'t>(tags: &'t [Tag], key: &str) -> Option<&'t Scalar> {
    tags.iter().find(|tag| tag.key.as_str() == key).map(|tag| &tag.value)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "traceID")]
    trace_id: Scalar,
    #[serde(rename = "spanID")]
    span_id: Scalar,
    /// In exports of old versions.
    #[serde(rename = "parentSpanID")]
    parent_span_id: Scalar,
    #[serde(rename = "processID")]
    process_id: Scalar,
    start_time: Scalar,
    duration: Scalar,
    references: Option<Vec<Reference>>,
    tags: Option<Vec<Tag>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(rename = "refType")]
    kind: Scalar,
    #[serde(rename = "spanID")]
    span_id: Scalar,
}

impl JaegerSpan {
    fn raw(&self, names: &mut Names) -> Result<RawSpan, Fault> {
        let trace = identifier(self.trace_id.as_str());
        if trace.is_none() {
            return Err(Fault::new("traceID", &self.trace_id.text(), "names no trace", "it is hexadecimal"));
        }
        let tags = self.tags.as_deref().unwrap_or_default();
        let references = self.references.as_deref().unwrap_or_default();
        let cause = |kind: &str| references.iter().find(|reference| reference.kind.as_str() == kind);
        let parent = cause("CHILD_OF").or_else(|| cause("FOLLOWS_FROM"));
        let parent = parent.map_or(&self.parent_span_id, |reference| &reference.span_id);
        let id = |of: &Scalar| identifier(of.as_str()).map_or(0, |id| id as u64);
        let size = |of: [&str; 2]| {
            let size = of.into_iter().find_map(|key| value_of(tags, key)?.as_f64());
            size.map_or(0, |size| size as u64)
        };
        let operation = operation(|key| Some(value_of(tags, key)?.text()));
        Ok(RawSpan {
            trace,
            id: id(&self.span_id),
            parent: id(parent),
            start_us: self.start_time.number(&start_us("startTime"))?.round() as u64,
            duration_ms: self.duration.number(&duration_us("duration"))?,
            bytes: size(["response_size", "http.response.body.size"]),
            request_bytes: size(["request_size", "http.request.body.size"]),
            operation: operation.and_then(|it| names.operation(&it)),
            service: None,
            cluster: None,
            side: value_of(tags, "span.kind").map(|kind| match kind.as_str() {
                "server" => Side::Server,
                "client" => Side::Client,
                _ => Side::Other,
            }),
            by_proxy: value_of(tags, "component").is_some_and(|it| it.as_str() == "proxy"),
            otherwise: 0,
            ok: succeeded(tags),
        })
    }
}

fn succeeded(tags: &[Tag]) -> bool {
    let error = value_of(tags, "error").is_some_and(|error| error.text() == "true");
    let status = ["http.status_code", "http.response.status_code"].into_iter();
    let status = status.filter_map(|key| value_of(tags, key)?.as_f64()).next();
    !error && status.is_none_or(is_success)
}
