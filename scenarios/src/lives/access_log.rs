//! Access logs of the proxies that chosen requests passed, in Istio's default text and JSON.
//!
//! # Models
//! Every Envoy writes a line per request that it has answered: the gateway, the sidecar of the calling pod or the waypoint, and the
//! sidecar of the called pod. Lines of all proxies stand in the order of their starts. Times are whole milliseconds, as Envoy's are;
//! `x-request-id` is that of the user's request, which services pass on.
//!
//! # Assumptions
//! - Addresses of clients are those of pods, with a port that says nothing; the user's are not known.
//! - The time of the upstream is from when the request was sent until its answer was there.
//!
//! # Source
//! Istio, `pilot/pkg/model/telemetry_logging.go` (`EnvoyTextLogFormat`, `EnvoyJSONLogFormatIstio`); Envoy, access log
//! usage (`RESPONSE_CODE_DETAILS`, `UPSTREAM_CLUSTER_RAW`).

use super::Told;
use super::spans::{client_span, host, trace_number};
use super::words::Words;
use crate::results::openmetrics::http_code;
use crate::traces::time::rfc3339_ms;
use meshsim_core::SimTime;
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::ids::EndpointId;
use meshsim_models::request::answer::Status;
use meshsim_models::telemetry::trace::life::{Call, Life};
use serde::Serialize;
use std::io::{self, Write};

/// A line of a log, by Istio's keys in the order of its text.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    start_time: String,
    method: String,
    path: String,
    protocol: &'static str,
    response_code: u16,
    response_flags: String,
    response_code_details: &'static str,
    connection_termination_details: Option<String>,
    upstream_transport_failure_reason: Option<String>,
    bytes_received: u32,
    bytes_sent: u32,
    duration: u64,
    upstream_service_time: Option<String>,
    x_forwarded_for: Option<String>,
    user_agent: &'static str,
    request_id: String,
    authority: String,
    upstream_host: Option<String>,
    upstream_cluster: String,
    upstream_local_address: Option<String>,
    downstream_local_address: Option<String>,
    downstream_remote_address: Option<String>,
    requested_server_name: Option<String>,
    route_name: &'static str,
}

/// Writes the logs as text.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_text(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    for line in lines(told) {
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(
            out,
            "[{}] \"{} {} {}\" {} {} {} {} \"{}\" {} {} {} {} \"{}\" \"{}\" \"{}\" \"{}\" \"{}\" {} {} {} {} {} {}",
            line.start_time,
            line.method,
            line.path,
            line.protocol,
            line.response_code,
            line.response_flags,
            line.response_code_details,
            or(&line.connection_termination_details),
            or(&line.upstream_transport_failure_reason),
            line.bytes_received,
            line.bytes_sent,
            line.duration,
            or(&line.upstream_service_time),
            or(&line.x_forwarded_for),
            line.user_agent,
            line.request_id,
            line.authority,
            or(&line.upstream_host),
            line.upstream_cluster,
            or(&line.upstream_local_address),
            or(&line.downstream_local_address),
            or(&line.downstream_remote_address),
            or(&line.requested_server_name),
            line.route_name,
        )?;
    }
    Ok(())
}

/// The same as an object a line.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_json(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    for line in lines(told) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn lines(told: &Told) -> Vec<Line> {
    let words = Words::of(&told.topology);
    let mut lines: Vec<(SimTime, Line)> = Vec::new();
    for life in &told.lives {
        let logging = Logging { told, words: &words, id: request_id(told, life) };
        for call in &life.calls {
            lines.extend(logging.of_client(call));
            lines.extend(logging.of_servers(call));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// As Envoy makes them: a UUID of version 4.
fn request_id(told: &Told, life: &Life) -> String {
    let number = trace_number(told.root(life));
    let bits = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

struct Logging<'a> {
    told: &'a Told,
    words: &'a Words<'a>,
    id: String,
}

impl Logging<'_> {
    /// What the proxy of a call's client writes.
    fn of_client(&self, call: &Call) -> Option<(SimTime, Line)> {
        let (status, body) = call.answer.filter(|_| call.head.proxy.is_some())?;
        let (begins, ends) = client_span(call);
        let last = call.attempts.last()?;
        let host = host(self.words, self.words.topology.service_of(call.head.endpoint));
        let answered = last.sent.filter(|_| status.flag().is_empty());
        let upstream_ms =
            answered.map(|sent| (ends.saturating_since(sent).as_nanos() / 1_000_000).to_string());
        let addresses = &self.words.topology.addresses;
        let mut line = self.line(call.head.endpoint, (begins, ends), (status, body));
        line.upstream_host = last.sent.and(last.pod).map(|pod| addresses.address_of(pod));
        line.upstream_cluster = format!("outbound|80||{host}");
        line.upstream_service_time = upstream_ms;
        line.downstream_remote_address =
            call.head.caller.map(|pod| format!("{}:40000", addresses.ip_of(pod)));
        line.authority = host;
        Some((begins, line))
    }

    /// What the sidecars of called pods write.
    fn of_servers(&self, call: &Call) -> Vec<(SimTime, Line)> {
        let topology = self.words.topology;
        let of = |served: &meshsim_models::telemetry::trace::life::Served| {
            let answer = served.answer?;
            let ends = served.left?;
            let host = host(self.words, topology.service_of(call.head.endpoint));
            let addresses = &topology.addresses;
            let mut line = self.line(call.head.endpoint, (served.arrived, ends), answer);
            line.upstream_host = Some(addresses.address_of(served.pod));
            line.upstream_cluster = "inbound|8080||".to_owned();
            line.upstream_service_time = Some(line.duration.to_string());
            line.downstream_local_address = Some(addresses.address_of(served.pod));
            line.downstream_remote_address =
                call.head.caller.map(|pod| format!("{}:40000", addresses.ip_of(pod)));
            line.requested_server_name = Some(format!("outbound_.80_._.{host}"));
            line.authority = host;
            Some((served.arrived, line))
        };
        let served = call.attempts.iter().filter_map(|attempt| attempt.served.as_ref());
        served.filter(|served| topology.is_behind_sidecar(served.pod)).filter_map(of).collect()
    }

    fn line(
        &self,
        endpoint: EndpointId,
        (begins, ends): (SimTime, SimTime),
        (status, body): (Status, u32),
    ) -> Line {
        let description = &self.words.topology.description;
        let endpoint = &description.application.endpoints[endpoint];
        let speaks = description.services[endpoint.service].protocol;
        let flag = status.flag();
        Line {
            start_time: rfc3339_ms(self.told.unix_nanos(begins) / 1_000_000),
            method: endpoint.method.clone(),
            path: endpoint.path.clone(),
            protocol: if matches!(speaks, Protocol::Http2 | Protocol::Grpc) { "HTTP/2" } else { "HTTP/1.1" },
            response_code: http_code(speaks == Protocol::Grpc, status.code()),
            response_flags: if flag.is_empty() { "-".to_owned() } else { flag.to_owned() },
            response_code_details: details(status),
            connection_termination_details: None,
            upstream_transport_failure_reason: None,
            bytes_received: endpoint.request_bytes,
            bytes_sent: body,
            duration: ends.saturating_since(begins).as_nanos() / 1_000_000,
            upstream_service_time: None,
            x_forwarded_for: None,
            user_agent: "-",
            request_id: self.id.clone(),
            authority: String::new(),
            upstream_host: None,
            upstream_cluster: String::new(),
            upstream_local_address: None,
            downstream_local_address: None,
            downstream_remote_address: None,
            requested_server_name: None,
            route_name: "default",
        }
    }
}

/// Envoy's word for where a status comes from.
const fn details(status: Status) -> &'static str {
    match status {
        Status::Ok | Status::ServiceError | Status::ServiceFailure(_) | Status::ServerOverflow => {
            "via_upstream"
        }
        Status::UpstreamReset => "upstream_reset_before_response_started{connection_termination}",
        Status::ConnectFailure => "upstream_reset_before_response_started{connection_failure}",
        Status::NoHealthyUpstream => "no_healthy_upstream",
        Status::Overflow => "upstream_reset_before_response_started{overflow}",
        Status::Timeout => "response_timeout",
        Status::NoRoute => "route_not_found",
        Status::NoCluster => "cluster_not_found",
        Status::AccessDenied => "rbac_access_denied_matched_policy[none]",
        Status::Redirected(_) => "direct_response",
        Status::FaultInjected(_) => "fault_filter_abort",
        Status::CallerGone | Status::NoIngress => "downstream_remote_disconnect",
    }
}
