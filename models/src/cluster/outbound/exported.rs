//! A client's proxy counts a request or a stream, and its pod bytes, where somebody scrapes.
//!
//! # Source
//! `telemetry/exporters/{http, streams, carried}`.

use super::hop::{Client, Hop, Origin};
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::network::path::{REQUEST_HEADER, RESPONSE_HEADER};
use crate::request::answer::Status;
use crate::telemetry::exporters::carried::Way;
use crate::telemetry::exporters::http::{HttpSeries, Reporter};
use crate::telemetry::exporters::instance::Instance;
use crate::telemetry::exporters::streams::StreamCounts;
use meshsim_core::{Handle, SimDuration};

/// From when a request reached its client's proxy to when its answer leaves it, where somebody scrapes.
#[cold]
pub(super) fn time_in_proxy(at: &Around<'_>, handle: Handle<Hop>, hop: &Hop) -> SimDuration {
    let to_caller = match hop.client {
        Client::Proxy { proxy, .. } => at.proxies[proxy].to_caller,
        Client::Cell => at.topology.description.mesh.loopback,
    };
    let began = at.recorder.hop_began(handle.slot());
    began.map_or(SimDuration::ZERO, |began| at.now.saturating_since(began).saturating_sub(to_caller))
}

/// The client of a hop has its answer, or its caller has given up, so long after it began.
#[cold]
pub(super) fn proxy_counts(at: &mut Around<'_>, hop: &Hop, took: SimDuration) {
    // A proxy has no stream of its own for a copy.
    let Some((instance, is_stream)) = who_counts(at, hop).filter(|_| !matches!(hop.origin, Origin::Mirror))
    else {
        return;
    };
    let mut series = series_of(at, hop, instance);
    let answer = match hop.answer.status {
        Status::CallerGone => 0,
        _ => RESPONSE_HEADER.saturating_add(hop.answer.body),
    };
    let body = at.topology.application().endpoints[hop.endpoint].request_bytes;
    let request = REQUEST_HEADER.saturating_add(body);
    let Some(exporters) = at.recorder.exporters() else { return };
    if is_stream {
        let more = StreamCounts { opened: 0, received: request.into(), sent: answer.into() };
        return exporters.count_stream(series, more);
    }
    (series.code, series.flag) = (hop.answer.status.code(), hop.answer.status.flag());
    exporters.count_request(series, took, [request, answer]);
}

/// A connection is opened for a hop, whose endpoint is chosen.
#[cold]
pub(super) fn connection_opens(at: &mut Around<'_>, hop: &Hop) {
    let Some((instance, true)) = who_counts(at, hop) else { return };
    let series = series_of(at, hop, instance);
    if let Some(exporters) = at.recorder.exporters() {
        exporters.count_stream(series, StreamCounts { opened: 1, ..StreamCounts::default() });
    }
}

/// The pod of a hop's client, if that is one, has sent its attempts, and has the answer if there is a good one of this body.
#[cold]
pub(super) fn pod_counts(at: &mut Around<'_>, hop: &Hop, answer: Option<u32>) {
    let Some(caller) = hop.caller.filter(|_| hop.attempts > 0) else { return };
    let server = (hop.pod, at.topology.pod_ids.cluster_of(hop.pod));
    let request = (REQUEST_HEADER, at.topology.application().endpoints[hop.endpoint].request_bytes);
    for _ in 0..hop.attempts {
        at.interface_counts((caller.pod, Way::Out), server, request);
    }
    if let Some(body) = answer {
        at.interface_counts((caller.pod, Way::In), server, (RESPONSE_HEADER, body));
    }
}

/// The proxy that counts a hop, and whether it sees no more of it than a stream.
fn who_counts(at: &Around<'_>, hop: &Hop) -> Option<(Instance, bool)> {
    let topology = at.topology;
    let protocol = topology.description.services[topology.service_of(hop.endpoint)].protocol;
    if protocol == Protocol::Udp || !topology.description.has_telemetry() {
        return None;
    }
    match hop.client {
        Client::Proxy { proxy, .. } => Some((at.instance(proxy)?, protocol == Protocol::Tcp)),
        Client::Cell if topology.is_ambient() => {
            let pod = hop.caller.map(|it| it.pod).filter(|pod| topology.has_ztunnel(*pod))?;
            Some((Instance::Ztunnel(at.pods[at.pods.slot_of(pod)].node), true))
        }
        Client::Cell => None,
    }
}

/// Whose counters those of a hop are, without what came of it.
fn series_of(at: &Around<'_>, hop: &Hop, instance: Instance) -> HttpSeries {
    let (topology, ids) = (at.topology, at.topology.pod_ids);
    let called = topology.service_of(hop.endpoint);
    let source = hop.caller.map(|caller| ids.service_of(caller.pod));
    let is_waypoint = matches!(instance, Instance::Waypoint(_));
    HttpSeries {
        instance,
        reporter: if is_waypoint { Reporter::Waypoint } else { Reporter::Source },
        source,
        source_cluster: at.here,
        called: topology.description.front_of(called),
        destination: (hop.attempts > 0).then(|| (ids.service_of(hop.pod), ids.cluster_of(hop.pod))),
        code: 0,
        flag: "",
        has_mtls: topology.is_mutual(source, called),
    }
}
