//! A server's pod counts bytes, its sidecar a request that is over for it, and its cell how far a call is, where somebody
//! scrapes.
//!
//! # Source
//! `telemetry/exporters/{http, streams, cells, carried}`.

use super::call::Call;
use crate::application::call_graph::Protocol;
use crate::cluster::around::Around;
use crate::cluster::pods::Before;
use crate::network::path::{REQUEST_HEADER, RESPONSE_HEADER};
use crate::request::answer::Status;
use crate::telemetry::exporters::carried::Way;
use crate::telemetry::exporters::cells::Moments;
use crate::telemetry::exporters::http::{HttpSeries, Reporter};
use crate::telemetry::exporters::instance::{Instance, PodName};
use crate::telemetry::exporters::streams::StreamCounts;
use meshsim_core::{Handle, SimTime};

/// The answer of a call leaves its pod at `leaves`.
#[cold]
pub(super) fn server_counts(at: &mut Around<'_>, call: &Call, leaves: SimTime) {
    let (server, request) =
        ((call.pod, call.client), at.topology.application().endpoints[call.endpoint].request_bytes);
    at.interface_counts((call.pod, Way::In), server, (REQUEST_HEADER, request));
    at.interface_counts((call.pod, Way::Out), server, (RESPONSE_HEADER, call.answer.body));
    let (topology, slot) = (at.topology, call.slot());
    let service = at.pods.service_of(slot);
    let is_tcp = topology.description.services[service].protocol == Protocol::Tcp;
    let (instance, is_stream) = match at.pods.before(slot) {
        _ if !topology.description.has_telemetry() => return,
        Before::Sidecar => (Instance::Pod(name_of(at, call)), is_tcp),
        Before::Ztunnel => (Instance::Ztunnel(at.pods[slot].node), true),
        Before::Nothing => return,
    };
    let source = topology.flows.table()[call.flow].caller;
    let mut series = HttpSeries {
        instance,
        reporter: Reporter::Destination,
        source,
        source_cluster: call.client,
        called: topology.description.front_of(service),
        destination: Some((service, at.here)),
        code: 0,
        flag: "",
        has_mtls: topology.is_mutual(source, service),
    };
    let (request, answer) =
        (REQUEST_HEADER.saturating_add(request), RESPONSE_HEADER.saturating_add(call.answer.body));
    let Some(exporters) = at.recorder.exporters() else { return };
    if is_stream {
        let more = StreamCounts { opened: 0, received: request.into(), sent: answer.into() };
        return exporters.count_stream(series, more);
    }
    series.code = call.answer.status.code();
    series.flag = match call.answer.status {
        Status::ServerOverflow => Status::Overflow.flag(),
        other => other.flag(),
    };
    exporters.count_request(series, leaves.saturating_since(call.arrived), [request, answer]);
}

/// A call gets further in its cell.
#[inline]
pub(super) fn cell_notes(at: &mut Around<'_>, call: Handle<Call>, note: impl FnOnce(&mut Moments, SimTime)) {
    let now = at.now;
    if let Some(exporters) = at.recorder.exporters() {
        note(exporters.moments_mut(call.slot()), now);
    }
}

/// The cell has answered a call.
#[cold]
pub(super) fn cell_answers(at: &mut Around<'_>, handle: Handle<Call>, call: &Call) {
    let (name, now) = (name_of(at, call), at.now);
    let body = (call.answer.status == Status::Ok).then_some(call.answer.body);
    if let Some(exporters) = at.recorder.exporters() {
        exporters.cell_answers(handle.slot(), (name, call.endpoint), now, body);
    }
}

fn name_of(at: &Around<'_>, call: &Call) -> PodName {
    PodName { pod: call.pod, generation: at.pods[call.slot()].generation }
}
