//! What the hops of a trace say: who served what, how long it took, what crossing took.
//!
//! # Models
//! A hop that its server recorded was *served* by that service in that cluster, and took as long as
//! the server says. A hop that a client or a gateway recorded *crosses* if the server's record of the
//! same hop is of another cluster; crossing took as long as the client waited less the time that the
//! server took. The two records of a hop belong to one request and one service; the server's begins
//! and ends within the client's.
//!
//! # Assumptions
//! Clocks of the clusters agree better than a crossing takes. Effect: else hops are not matched, and
//! their crossings not counted; the times themselves are differences of one clock each. A server
//! hands a response to its kernel at once, so its record ends before the response's rounds.
//!
//! # Source
//! Envoy documentation, Access logging (`DURATION`); the testbed's README, "What the traces show", 1.

use super::measured::{measure, wilson};
use crate::traces::model::{NameId, Side};
use crate::traces::{Span, Trace, TraceRequest};
use meshsim_core::stats::Estimate;
use std::collections::BTreeMap;

/// Resamples for the intervals of means of hops.
const RESAMPLES: usize = 500;

/// A service in a cluster; without a name of the cluster where the trace has none.
pub type ServiceInCluster = (String, Option<String>);

/// What a service served in a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// Requests served, failed ones too.
    pub requests: u64,
    /// Their share of all requests of the service, with its sampling error.
    pub share: Estimate,
    /// Mean time that the server took (ms), of the successful ones, with its bootstrap interval.
    pub server_ms: Option<Estimate>,
}

/// What the hops of a trace say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hops {
    /// By service and cluster.
    pub served: BTreeMap<ServiceInCluster, Served>,
    /// Mean time between clusters per crossing (ms), with its bootstrap interval.
    pub crossing_ms: Option<Estimate>,
    /// Served per stretch of time, by service and cluster: as many as the trace has whole stretches.
    pub over_time: BTreeMap<ServiceInCluster, Vec<u64>>,
}

/// Reads the hops that begin `warm_up` seconds after the first request of `trace`, which still has
/// its warm-up, or later. Blocks of the bootstrap are `block_seconds` long, stretches of time
/// `window_seconds`. Nothing if no server has recorded a hop.
#[must_use]
pub fn read(trace: &Trace, warm_up: f64, block_seconds: f64, window_seconds: f64, seed: u64) -> Option<Hops> {
    let first = trace.requests.first()?.start_us;
    // Saturates; NaN and negative numbers are 0.
    let from = first.saturating_add((warm_up * 1e6) as u64);
    let last = trace.requests.last()?.start_us;
    let spans: Vec<&Span> = trace.spans.iter().filter(|span| span.start_us >= from).collect();
    let mut served: BTreeMap<(NameId, Option<NameId>), Vec<TraceRequest>> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.side == Side::Server) {
        if let Some(service) = span.service {
            served.entry((service, span.cluster)).or_default().push(as_request(span, span.duration_ms));
        }
    }
    if served.is_empty() {
        return None;
    }
    let mean = |times: Vec<TraceRequest>| {
        measure(&Trace::of_requests(times), block_seconds, RESAMPLES, seed).map(|measured| measured.mean)
    };
    let mut hops = Hops { crossing_ms: mean(crossings(&spans)), ..Hops::default() };
    let stretches = ((last.saturating_sub(from)) as f64 / 1e6 / window_seconds) as usize;
    for (&(service, cluster), times) in &served {
        let of_service = served.iter().filter(|((other, _), _)| *other == service);
        let all: u64 = of_service.map(|(_, times)| times.len() as u64).sum();
        let name = (trace.names.text(service).to_owned(), cluster.map(|it| trace.names.text(it).to_owned()));
        let requests = times.len() as u64;
        let served = Served { requests, share: wilson(requests, all), server_ms: mean(times.clone()) };
        hops.served.insert(name.clone(), served);
        hops.over_time.insert(name, count_over_time(times, from, window_seconds, stretches));
    }
    Some(hops)
}

fn as_request(span: &Span, latency_ms: f64) -> TraceRequest {
    TraceRequest { start_us: span.start_us, latency_ms, ok: span.ok, ..TraceRequest::default() }
}

fn count_over_time(times: &[TraceRequest], from: u64, window_seconds: f64, stretches: usize) -> Vec<u64> {
    let mut counts = vec![0; stretches];
    for request in times {
        let stretch = (request.start_us - from) as f64 / 1e6 / window_seconds;
        if let Some(count) = counts.get_mut(stretch as usize) {
            *count += 1;
        }
    }
    counts
}

/// The time between clusters of every crossing that was answered well. The spans stand by request,
/// then start.
fn crossings(spans: &[&Span]) -> Vec<TraceRequest> {
    let mut found = Vec::new();
    for of_request in spans.chunk_by(|a, b| a.request == b.request) {
        let mut taken = vec![false; of_request.len()];
        for client in of_request.iter().filter(|span| matches!(span.side, Side::Client | Side::Gateway)) {
            let matches = |(index, server): (usize, &&Span)| !taken[index] && is_same_hop(client, server);
            let Some(index) = of_request.iter().enumerate().position(matches) else { continue };
            taken[index] = true;
            let server = of_request[index];
            let crosses =
                client.cluster.is_some() && server.cluster.is_some() && client.cluster != server.cluster;
            if crosses && client.ok {
                found.push(as_request(client, client.duration_ms - server.duration_ms));
            }
        }
    }
    found
}

/// Whether a server's record is of the hop that a client recorded.
fn is_same_hop(client: &Span, server: &Span) -> bool {
    let end_us = |span: &Span| span.start_us as f64 + span.duration_ms * 1e3;
    server.side == Side::Server
        && server.service == client.service
        && server.start_us >= client.start_us
        && end_us(server) <= end_us(client)
}
