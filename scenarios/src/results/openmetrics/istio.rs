//! Istio's standard metrics.
//!
//! # Source
//! istio/proxy, `istio_stats.cc` (`populatePeerInfo`: what each reporter knows of both ends); Envoy,
//! `prometheus_stats.cc` (how buckets are written), `Grpc::Utility::httpToGrpcStatus`.

use super::identity::{Identities, Workload};
use super::text::{Labels, Text};
use meshsim_core::{SimTime, Table};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::http::{Distribution, HttpCounts, HttpSeries, Reporter};
use meshsim_models::telemetry::exporters::instance::Instance;
use meshsim_models::telemetry::exporters::samples::{Samples, Target};
use meshsim_models::telemetry::exporters::streams::StreamCounts;
use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;
use meshsim_models::world::description::DataPlane;
use std::collections::BTreeMap;
use std::io::Result;

/// A distribution of requests: its name, what it is, and how it is found in their counts.
type Family = (&'static str, &'static str, fn(&HttpCounts) -> &Distribution);

const DISTRIBUTIONS: [Family; 3] = [
    ("istio_request_duration_milliseconds", "Duration of requests.", |it| &it.duration),
    ("istio_request_bytes", "Size of requests with their headers.", |it| &it.request),
    ("istio_response_bytes", "Size of answers with their headers.", |it| &it.response),
];

/// Writes all that proxies count of requests.
pub(super) fn write(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    write_streams(text, all, identities)?;
    // What labels do not tell apart is one series.
    let mut series: BTreeMap<Labels, BTreeMap<SimTime, HttpCounts>> = BTreeMap::new();
    for (cluster, samples) in all.enumerate() {
        for (of, samples) in &samples.http {
            let labelled = series.entry(labels(identities, cluster, of, false)).or_default();
            samples.iter().for_each(|(at, counts)| labelled.entry(*at).or_default().add(counts));
        }
    }
    if series.is_empty() {
        return Ok(());
    }
    text.family("istio_requests", "counter", "Requests that a proxy has handled.")?;
    for (labels, samples) in &series {
        for (at, counts) in samples {
            text.sample("istio_requests_total", (labels, None), counts.requests, *at)?;
        }
    }
    let bounds: Vec<String> = BOUNDS_MS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]).collect();
    for (name, help, of) in DISTRIBUTIONS {
        text.family(name, "histogram", help)?;
        for (labels, samples) in &series {
            for (at, counts) in samples {
                distribution(text, name, (labels, &bounds), of(counts), *at)?;
            }
        }
    }
    Ok(())
}

/// A counter of streams: its name without its ending, what it is, and how it is found in their counts.
type StreamFamily = (&'static str, &'static str, fn(&StreamCounts) -> u64);

const STREAMS: [StreamFamily; 3] = [
    ("istio_tcp_received_bytes", "Bytes from clients.", |it| it.received),
    ("istio_tcp_sent_bytes", "Bytes to clients.", |it| it.sent),
    ("istio_tcp_connections_opened", "Connections that were opened.", |it| it.opened),
];

/// Writes all that proxies count of streams.
fn write_streams(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    let mut series: BTreeMap<Labels, BTreeMap<SimTime, StreamCounts>> = BTreeMap::new();
    for (cluster, samples) in all.enumerate() {
        for (of, samples) in &samples.streams {
            let labelled = series.entry(labels(identities, cluster, of, true)).or_default();
            samples.iter().for_each(|(at, counts)| labelled.entry(*at).or_default().add(counts));
        }
    }
    for (name, help, of) in STREAMS.into_iter().filter(|_| !series.is_empty()) {
        text.family(name, "counter", help)?;
        let total = format!("{name}_total");
        for (labels, samples) in &series {
            for (at, counts) in samples {
                text.sample(&total, (labels, None), of(counts), *at)?;
            }
        }
    }
    Ok(())
}

fn distribution(
    text: &mut Text<'_>,
    name: &str,
    (labels, bounds): (&Labels, &[String]),
    values: &Distribution,
    at: SimTime,
) -> Result<()> {
    let mut below = 0;
    let bucket = format!("{name}_bucket");
    for (bound, count) in bounds.iter().zip(values.buckets.counts()) {
        below += count;
        text.sample(&bucket, (labels, Some(("le", bound))), below, at)?;
    }
    text.sample(&format!("{name}_sum"), (labels, None), values.sum, at)?;
    text.sample(&format!("{name}_count"), (labels, None), below, at)
}

/// The labels of requests that the proxies of a cluster count.
fn labels(identities: &Identities<'_>, cluster: ClusterId, series: &HttpSeries, is_stream: bool) -> Labels {
    let is_ambient = identities.description.mesh.data_plane == DataPlane::Ambient;
    let is_known = |service| identities.description.is_injected(service) || is_ambient;
    let source = match series.source {
        None => Some(identities.ingress(series.source_cluster)),
        Some(service) if is_known(service) => Some(identities.workload(service, series.source_cluster)),
        Some(_) => None,
    };
    let destination = series.destination.map(|(service, cluster)| identities.workload(service, cluster));
    let is_ztunnel = matches!(series.instance, Instance::Ztunnel(_));
    let security = match (series.reporter, series.has_mtls) {
        // A client's Envoy does not say it.
        (Reporter::Source, _) if !is_ztunnel => "unknown",
        (_, true) => "mutual_tls",
        (_, false) => "none",
    };
    let is_grpc = identities.description.services[series.called].protocol == Protocol::Grpc;
    let (protocol, grpc_status) = if is_grpc { ("grpc", grpc_status(series.code)) } else { ("http", "") };
    let flags = if series.flag.is_empty() { "-" } else { series.flag };
    let code = http_code(is_grpc, series.code).to_string();
    let (host, name) = (identities.host(series.called), identities.service(series.called));
    let labels = identities.target(Target::Proxy(series.instance), cluster);
    let labels = labels.with("reporter", series.reporter.name());
    let labels = end(labels, "source", source.as_ref(), series.has_mtls && destination.is_some());
    let labels = end(labels, "destination", destination.as_ref(), series.has_mtls);
    let namespace = destination.as_ref().map_or("unknown", |it| &it.namespace);
    let labels = labels.and([
        ("destination_service", &*host),
        ("destination_service_name", name),
        ("destination_service_namespace", namespace),
        ("response_flags", flags),
        ("connection_security_policy", security),
    ]);
    if is_stream {
        return labels.with("request_protocol", "tcp");
    }
    labels.and([
        ("request_protocol", protocol),
        ("response_code", &*code),
        ("grpc_response_status", grpc_status),
    ])
}

/// One end of a call, as far as it is known.
fn end(labels: Labels, side: &str, workload: Option<&Workload>, has_mtls: bool) -> Labels {
    let key = |what: &str| format!("{side}_{what}");
    let known = |of: fn(&Workload) -> &str| {
        workload.map(of).filter(|it| !it.is_empty()).unwrap_or("unknown").to_owned()
    };
    let principal = match workload.filter(|_| has_mtls) {
        Some(workload) => format!("spiffe://{}", workload.principal),
        None => "unknown".to_owned(),
    };
    let version = known(|it| &it.version);
    let revision = if version == "unknown" { "latest" } else { &version };
    labels.and([
        (&key("workload"), &known(|it| &it.name)),
        (&key("canonical_service"), &known(|it| &it.app)),
        (&key("canonical_revision"), revision),
        (&key("workload_namespace"), &known(|it| &it.namespace)),
        (&key("principal"), &principal),
        (&key("app"), &known(|it| &it.app)),
        (&key("version"), &version),
        (&key("cluster"), &known(|it| &it.cluster)),
    ])
}

/// The HTTP status of an answer, which of gRPC is 200 whatever comes in its trailers, Envoy's own answers too
/// (`Utility::prepareLocalReply`; istio#12846, envoy#16667); none where the client was gone.
pub(crate) const fn http_code(is_grpc: bool, code: u16) -> u16 {
    if is_grpc && code > 0 { 200 } else { code }
}

/// What gRPC makes of an HTTP status.
const fn grpc_status(code: u16) -> &'static str {
    match code {
        200 => "0",
        400 => "13",
        401 => "16",
        403 => "7",
        404 => "12",
        429 | 502..=504 => "14",
        _ => "2",
    }
}
