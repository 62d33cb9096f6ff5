//! Spans as OTLP in JSON: one document, as the Jaeger UI takes it.
//!
//! # Models
//! Spans stand by the resource that made them, in the order of lives; identifiers are hexadecimal, 64-bit numbers texts, enums
//! numbers. Beside the attributes of the conventions each span says what of the latency was spent in it
//! (`meshsim.critical_path_ns`): these sum up to the latency of the request, whatever was called in parallel.
//!
//! # Source
//! OpenTelemetry specification, OTLP, "JSON Protobuf Encoding"; semantic conventions of HTTP spans and of resources;
//! Envoy, arch_overview/observability/tracing (`component`, `upstream_cluster`, `response_flags`).

use super::Told;
use super::spans::{Span, SpanKind};
use super::words::Words;
use meshsim_core::SimTime;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Attributes,
    scope_spans: [ScopeSpans; 1],
}

#[derive(Serialize)]
struct Attributes {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<OtlpSpan>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
}

#[derive(Serialize)]
struct Attribute {
    key: &'static str,
    value: Value,
}

#[derive(Serialize)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    /// 64 bits are a text.
    #[serde(rename = "intValue")]
    Number(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    status: Status,
}

#[derive(Serialize)]
struct Status {
    /// 2 is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

fn text(key: &'static str, value: impl Into<String>) -> Attribute {
    Attribute { key, value: Value::Text(value.into()) }
}

fn count(key: &'static str, value: u64) -> Attribute {
    Attribute { key, value: Value::Number(value.to_string()) }
}

/// Writes the spans of lives.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let words = Words::of(&told.topology);
    let mut by_resource: BTreeMap<_, Vec<OtlpSpan>> = BTreeMap::new();
    for span in told.spans(&words) {
        let converted = convert(&words, told, &span);
        by_resource.entry(span.resource).or_default().push(converted);
    }
    let resource_spans = by_resource.into_iter().map(|(resource, spans)| {
        let mut attributes =
            vec![text("service.name", resource.service), text("k8s.cluster.name", resource.cluster)];
        attributes.extend(resource.pod.map(|pod| text("k8s.pod.name", pod)));
        ResourceSpans {
            resource: Attributes { attributes },
            scope_spans: [ScopeSpans { scope: Scope { name: resource.scope }, spans }],
        }
    });
    let document = Document { resource_spans: resource_spans.collect() };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn convert(words: &Words<'_>, told: &Told, span: &Span) -> OtlpSpan {
    let endpoint = &words.topology.application().endpoints[span.endpoint];
    let is_proxy = span.resource.scope == "envoy";
    let mut attributes = vec![count("meshsim.critical_path_ns", span.own_nanos)];
    if span.kind != SpanKind::Internal {
        attributes.extend([
            text("http.request.method", endpoint.method.as_str()),
            text("url.path", endpoint.path.as_str()),
            count("http.request.body.size", endpoint.request_bytes.into()),
            count("http.response.body.size", span.body.into()),
        ]);
        if let Some(status) = span.status {
            attributes.push(count("http.response.status_code", status.code().into()));
            if is_proxy {
                let flag = status.flag();
                attributes.push(text("response_flags", if flag.is_empty() { "-" } else { flag }));
            }
        }
    }
    if is_proxy {
        let host = super::spans::host(words, endpoint.service);
        let upstream = match span.kind {
            SpanKind::Client => format!("outbound|80||{host}"),
            SpanKind::Server | SpanKind::Internal => "inbound|8080||".to_owned(),
        };
        attributes.extend([text("component", "proxy"), text("upstream_cluster", upstream)]);
    }
    if span.kind == SpanKind::Client {
        attributes.push(count("meshsim.attempts", span.attempts as u64));
        attributes
            .extend(span.peer.map(|pod| text("network.peer.address", words.topology.addresses.ip_of(pod))));
    }
    let failed = span.kind != SpanKind::Internal && span.status.is_none_or(|status| !status.is_ok());
    let nanos = |at: SimTime| told.unix_nanos(at).to_string();
    OtlpSpan {
        trace_id: format!("{:032x}", span.trace),
        span_id: format!("{:016x}", span.id),
        parent_span_id: span.parent.map_or_else(String::new, |parent| format!("{parent:016x}")),
        name: span.name.clone(),
        kind: span.kind as u8,
        start_time_unix_nano: nanos(span.begins),
        end_time_unix_nano: nanos(span.ends),
        attributes,
        status: Status { code: failed.then_some(2) },
    }
}
