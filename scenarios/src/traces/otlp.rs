//! Reads OTLP traces in JSON: one document, or one per line as the collector's file exporter writes.
//!
//! # Models
//! `resourceSpans` has lists of spans per resource; the resource's attributes `service.name` and
//! `k8s.cluster.name` name the service and cluster of its spans. A span has its start and end in
//! nanoseconds, as texts. It failed if its status is an error or its HTTP status says so. Answers wrap
//! these: Jaeger's API v3 has them in `result`, one object or one a line; Tempo's has `batches` in place of
//! `resourceSpans`, or `trace.resourceSpans`, and writes identifiers in base 64.
//!
//! # Source
//! opentelemetry-proto, `opentelemetry/proto/trace/v1/trace.proto`; OpenTelemetry specification,
//! OTLP, "JSON Protobuf Encoding" (hexadecimal identifiers, numbers of enums); semantic conventions
//! of HTTP spans and of resources. Jaeger, `api_v3/query_service.proto` (`GetTrace` streams, which grpc-gateway
//! wraps in `result`); Grafana Tempo documentation, HTTP API, "Query" and "Query V2".

use super::collect::{Collector, RawSpan, identifier};
use super::field::{Fault, MOST_LATENCY_MS, is_success};
use super::input::Content;
use super::json::{Each, Object, Parts, Sink, documents};
use super::model::{NameId, Names, Side};
use super::operation::operation;
use super::scalar::Scalar;
use crate::problem::{Checked, Problem};
use serde::Deserialize;
use serde::de::MapAccess;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    to.tell_sides();
    documents(content, to, &mut Document)
}

struct Document;

impl Parts for Document {
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            "resourceSpans" | "batches" => {
                map.next_value_seed(Object { parts: &mut ResourceSpans::default(), sink })?;
            }
            "result" | "trace" => map.next_value_seed(Object { parts: &mut Document, sink })?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The spans of one resource, which may be named after them.
#[derive(Default)]
struct ResourceSpans {
    /// Number of its first span.
    first: usize,
    service: Option<NameId>,
    cluster: Option<NameId>,
}

impl Parts for ResourceSpans {
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
            "resource" => {
                let resource: Option<Resource> = map.next_value()?;
                let attributes = resource.unwrap_or_default().attributes.unwrap_or_default();
                let mut name = |key: &str| sink.to.names.id(&value_of(&attributes, key)?.text());
                self.service = name("service.name");
                self.cluster = name("k8s.cluster.name");
            }
            "scopeSpans" | "instrumentationLibrarySpans" => {
                map.next_value_seed(Object { parts: &mut ScopeSpans, sink })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(&mut self, sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
        for span in sink.to.spans_from(self.first) {
            (span.service, span.cluster) = (self.service, self.cluster);
        }
        Ok(())
    }
}

struct ScopeSpans;

impl Parts for ScopeSpans {
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        if key != "spans" {
            return Ok(false);
        }
        map.next_value_seed(Each::new(sink, |to: &mut Collector<'_>, span: OtlpSpan, line| {
            let read = span.raw(&mut to.names).map_err(|fault| fault.of("key"));
            to.span(read, line)
        }))?;
        Ok(true)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    attributes: Option<Vec<Attribute>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    key: Scalar,
    value: Option<AnyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnyValue {
    string_value: Scalar,
    int_value: Scalar,
    double_value: Scalar,
    bool_value: Scalar,
}

/// The value of an attribute, of one of the simple types.
fn value_of<'t>(attributes: &'t [Attribute], key: &str) -> Option<&'t Scalar> {
    let value = attributes.iter().find(|attribute| attribute.key.as_str() == key)?.value.as_ref()?;
    let all = [&value.string_value, &value.int_value, &value.double_value, &value.bool_value];
    all.into_iter().find(|value| **value != Scalar::Missing)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OtlpSpan {
    trace_id: Scalar,
    span_id: Scalar,
    parent_span_id: Scalar,
    kind: Scalar,
    start_time_unix_nano: Scalar,
    end_time_unix_nano: Scalar,
    attributes: Option<Vec<Attribute>>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Scalar,
}

impl OtlpSpan {
    fn raw(&self, names: &mut Names) -> Result<RawSpan, Fault> {
        let trace = identifier(self.trace_id.as_str());
        if trace.is_none_or(|trace| trace == 0) {
            let found = self.trace_id.text();
            return Err(Fault::new("traceId", &found, "names no trace", "it has 32 hexadecimal digits"));
        }
        let right = "nanoseconds since 1970, as a text or a number";
        let start = self.start_time_unix_nano.whole("startTimeUnixNano", right)?;
        let end = self.end_time_unix_nano.whole("endTimeUnixNano", right)?;
        let duration_ms = end.checked_sub(start).map(|nanoseconds| nanoseconds as f64 / 1e6);
        let Some(duration_ms) = duration_ms.filter(|duration| *duration <= MOST_LATENCY_MS) else {
            let found = self.end_time_unix_nano.text();
            return Err(Fault::new("endTimeUnixNano", &found, "is not soon after the start", right));
        };
        let attributes = self.attributes.as_deref().unwrap_or_default();
        let size = |of: [&str; 2]| {
            let size = of.into_iter().find_map(|key| value_of(attributes, key)?.as_f64());
            size.map_or(0, |size| size as u64)
        };
        let operation = operation(|key| Some(value_of(attributes, key)?.text()));
        let id = |of: &Scalar| identifier(of.as_str()).map_or(0, |id| id as u64);
        Ok(RawSpan {
            trace,
            id: id(&self.span_id),
            parent: id(&self.parent_span_id),
            start_us: start / 1000,
            duration_ms,
            bytes: size(["http.response.body.size", "response_size"]),
            request_bytes: size(["http.request.body.size", "request_size"]),
            operation: operation.and_then(|it| names.operation(&it)),
            service: None,
            cluster: None,
            side: match &*self.kind.text() {
                "" | "0" | "SPAN_KIND_UNSPECIFIED" => None,
                "2" | "SPAN_KIND_SERVER" => Some(Side::Server),
                "3" | "SPAN_KIND_CLIENT" => Some(Side::Client),
                _ => Some(Side::Other),
            },
            // Envoy's tracers: of its own format and of OpenTelemetry alike.
            by_proxy: value_of(attributes, "component").is_some_and(|it| it.as_str() == "proxy"),
            otherwise: 0,
            ok: self.succeeded(attributes),
        })
    }

    fn succeeded(&self, attributes: &[Attribute]) -> bool {
        let code = self.status.as_ref().map(|status| status.code.text()).unwrap_or_default();
        let status = ["http.response.status_code", "http.status_code"].into_iter();
        let status = status.filter_map(|key| value_of(attributes, key)?.as_f64()).next();
        !matches!(&*code, "2" | "STATUS_CODE_ERROR") && status.is_none_or(is_success)
    }
}
