//! The spans of a request: what tracing would have seen of it.
//!
//! # Models
//! The user has a span of its own from sending to the last byte; below it is the gateway's, then those of sidecars, as
//! Istio's tracing makes them: one of kind client for each request that a proxy sends, its retries included, one of kind
//! server for each that a sidecar takes in. Inside the latter is the service's own, from when it has the request until the answer is
//! written; without a sidecar that is the server's, and calls are spans of the calling service. What a service calls is a child of its own
//! span: services pass the context on. Time on the critical path is attributed to one span each, so these sum up to the
//! latency.
//!
//! # Assumptions
//! - The span of an attempt that was given up ends when its server has answered, after its parent.
//! - Waypoints are clients' proxies, and ztunnels, which see no requests, have no spans.
//!
//! # Source
//! Istio, distributed tracing, overview; Envoy, arch_overview/observability/tracing; OpenTelemetry, semantic
//! conventions of HTTP spans and of resources.

use super::words::Words;
use meshsim_core::SimTime;
use meshsim_core::random::Address;
use meshsim_models::envoy::proxies::ProxyKind;
use meshsim_models::ids::{ClusterId, EndpointId, PodId, ServiceId};
use meshsim_models::request::answer::Status;
use meshsim_models::telemetry::trace::Part;
use meshsim_models::telemetry::trace::critical_path::{Side, Stretch};
use meshsim_models::telemetry::trace::life::{Call, Life, Served};

/// Who made a span, as OpenTelemetry numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A piece of work inside a service.
    Internal = 1,
    /// Who answers.
    Server = 2,
    /// Who asks.
    Client = 3,
}

/// What makes spans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// The name of the service, with its namespace where a proxy says it.
    pub service: String,
    /// In which cluster.
    pub cluster: String,
    /// Which pod, where it is one's.
    pub pod: Option<String>,
    /// What makes them: a user's client, Envoy, or the service itself.
    pub scope: &'static str,
}

/// A span.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Who made it.
    pub resource: Resource,
    /// The number of its trace.
    pub trace: u128,
    /// Its own.
    pub id: u64,
    /// That of the span that caused it.
    pub parent: Option<u64>,
    /// What it is of.
    pub name: String,
    /// Whose side.
    pub kind: SpanKind,
    /// When it begins.
    pub begins: SimTime,
    /// When it ends.
    pub ends: SimTime,
    /// What it came to.
    pub status: Option<Status>,
    /// The body of the answer (bytes).
    pub body: u32,
    /// What was asked for.
    pub endpoint: EndpointId,
    /// Of the latency, what was spent here (ns).
    pub own_nanos: u64,
    /// Attempts of a client.
    pub attempts: usize,
    /// Where the last of them went.
    pub peer: Option<PodId>,
}

/// The numbers of the spans at an address.
const CLIENT: u64 = 1 << 40;
const SERVER: u64 = CLIENT + 1;
const CELL: u64 = CLIENT + 2;
const USER: u64 = CLIENT + 3;

fn number(address: Address, of: u64) -> u64 {
    address.child(of).hash().max(1)
}

/// The number of a request's trace.
#[must_use]
pub(super) fn trace_number(root: Address) -> u128 {
    (u128::from(root.hash()) << 64 | u128::from(root.child(USER).hash())).max(1)
}

/// The spans of a life, those above before those below; nothing of a request in flight.
pub(super) fn spans(words: &Words<'_>, life: &Life, root: Address) -> Vec<Span> {
    let Some(end) = life.request.end else { return Vec::new() };
    let path = life.critical_path();
    let (trace, user) = (trace_number(root), number(root, USER));
    let users = words.users(life).to_owned();
    let cluster = life.calls.first().map_or_else(String::new, |call| words.names.cluster(call.cluster));
    let base = Span {
        resource: Resource { service: users, cluster, pod: None, scope: "user" },
        trace,
        id: user,
        parent: None,
        name: format!("GET {}", words.called(life.request.endpoint)),
        kind: SpanKind::Client,
        begins: life.request.arrival,
        ends: life.request.arrival + end.latency,
        status: Some(end.status),
        body: 0,
        endpoint: life.request.endpoint,
        own_nanos: own(&path, |it| it.call.is_none()),
        attempts: usize::from(life.request.attempts),
        peer: None,
    };
    let mut making = Making { words, life, path, spans: vec![base] };
    for &call in &life.attempts {
        making.call(call, user);
    }
    making.spans
}

fn own(path: &[Stretch], of: impl Fn(&Stretch) -> bool) -> u64 {
    path.iter().filter(|it| of(it)).map(|it| it.length().as_nanos()).sum()
}

/// What of a pod's time is its service's own: from when it may wait for a thread until the answer is written.
fn within(served: &Served) -> Option<(SimTime, SimTime)> {
    let is_own = |part: Part| {
        !matches!(part, Part::ProxyQueue | Part::Proxy | Part::Loopback | Part::ServerPool | Part::BackOff)
    };
    let mut own = served.track.pieces.iter().filter(|piece| is_own(piece.part));
    let first = own.next()?;
    Some((first.from, own.next_back().unwrap_or(first).until))
}

struct Making<'a> {
    words: &'a Words<'a>,
    life: &'a Life,
    path: Vec<Stretch>,
    spans: Vec<Span>,
}

impl Making<'_> {
    /// The spans of a call, of which who has made it has this one.
    fn call(&mut self, index: usize, parent: u64) {
        let life = self.life;
        let call = &life.calls[index];
        let Some(first) = call.attempts.first() else { return };
        let (begins, ends) = client_span(call);
        let id = number(first.address, CLIENT);
        let mut span = Span {
            resource: self.client(call),
            trace: self.spans[0].trace,
            id,
            parent: Some(parent),
            name: self.name(call.head.endpoint),
            kind: SpanKind::Client,
            begins,
            ends,
            status: call.answer.map(|(status, _)| status),
            body: call.answer.map_or(0, |(_, body)| body),
            endpoint: call.head.endpoint,
            own_nanos: own(&self.path, |it| it.call == Some(index) && it.side != Side::Server),
            attempts: call.attempts.len(),
            peer: call.attempts.last().and_then(|it| it.pod),
        };
        // The way between an application and its proxy is time of who calls.
        if begins > call.begins || call.ends.is_some_and(|end| ends < end) {
            let outside = own(&self.path, |it| {
                it.call == Some(index)
                    && it.side != Side::Server
                    && (it.piece.from < begins || it.piece.from >= ends)
            });
            span.own_nanos -= outside;
            if let Some(above) = self.spans.iter_mut().find(|it| it.id == parent) {
                above.own_nanos += outside;
            }
        }
        self.spans.push(span);
        for (number, attempt) in call.attempts.iter().enumerate() {
            if let Some(served) = &attempt.served {
                self.served((index, number), served, attempt.address, id);
            }
            for &copy in &attempt.copies {
                self.call(copy, id);
            }
        }
    }

    fn served(&mut self, (call, attempt): (usize, usize), served: &Served, address: Address, parent: u64) {
        let endpoint = self.life.calls[call].head.endpoint;
        let has_sidecar = self.words.topology.is_behind_sidecar(served.pod);
        // What has never left was lost, or is still there: nobody sees it longer than its client.
        let over = served.left.or(self.life.calls[call].ends);
        let ends = over.unwrap_or(served.arrived).max(served.arrived);
        let of_server =
            |it: &Stretch| it.call == Some(call) && it.attempt == attempt && it.side == Side::Server;
        let inside = within(served);
        let is_inside =
            |it: &Stretch| inside.is_some_and(|(from, until)| it.piece.from >= from && it.piece.from < until);
        let base = Span {
            resource: self.server(served, if has_sidecar { "envoy" } else { "service" }),
            trace: self.spans[0].trace,
            id: number(address, SERVER),
            parent: Some(parent),
            name: self.name(endpoint),
            kind: SpanKind::Server,
            begins: served.arrived,
            ends,
            status: served.answer.map(|(status, _)| status),
            body: served.answer.map_or(0, |(_, body)| body),
            endpoint,
            own_nanos: own(&self.path, |it| of_server(it) && !(has_sidecar && is_inside(it))),
            attempts: 1,
            peer: None,
        };
        let mut above = base.id;
        let cell = inside.filter(|_| has_sidecar).map(|(begins, until)| Span {
            resource: self.server(served, "service"),
            id: number(address, CELL),
            parent: Some(base.id),
            kind: SpanKind::Internal,
            begins: begins.min(ends),
            ends: until.min(ends),
            own_nanos: own(&self.path, |it| of_server(it) && is_inside(it)),
            ..base.clone()
        });
        self.spans.push(base);
        if let Some(cell) = cell {
            above = cell.id;
            self.spans.push(cell);
        }
        for &call in served.groups.iter().flat_map(|group| &group.calls) {
            self.call(call, above);
        }
    }

    fn client(&self, call: &Call) -> Resource {
        let (names, topology) = (&self.words.names, self.words.topology);
        let cluster = names.cluster(call.cluster);
        let of_service = |service: ServiceId, pod: Option<PodId>, scope| Resource {
            service: qualified(self.words, service, scope),
            cluster: cluster.clone(),
            pod: pod.map(|pod| pod_name(self.words, pod)),
            scope,
        };
        match (call.head.proxy, call.head.caller) {
            (Some(ProxyKind::Gateway | ProxyKind::EastWest), _) | (None, None) => Resource {
                service: "istio-ingressgateway.istio-system".to_owned(),
                cluster: cluster.clone(),
                pod: None,
                scope: "envoy",
            },
            (Some(ProxyKind::Waypoint(service)), _) => of_service(service, None, "envoy"),
            (Some(_), Some(pod)) => of_service(topology.pod_ids.service_of(pod), Some(pod), "envoy"),
            (None, Some(pod)) => of_service(topology.pod_ids.service_of(pod), Some(pod), "service"),
            (Some(_), None) => of_service(topology.service_of(call.head.endpoint), None, "envoy"),
        }
    }

    fn server(&self, served: &Served, scope: &'static str) -> Resource {
        Resource {
            service: qualified(self.words, self.words.topology.pod_ids.service_of(served.pod), scope),
            cluster: self.words.names.cluster(served.cluster),
            pod: Some(pod_name(self.words, served.pod)),
            scope,
        }
    }

    /// As Istio names them: the host, and the path of all its routes.
    fn name(&self, endpoint: EndpointId) -> String {
        format!("{}:80/*", host(self.words, self.words.topology.service_of(endpoint)))
    }
}

/// When a client's span begins and ends: its proxy's, without the way to and from the application or the user.
pub(super) fn client_span(call: &Call) -> (SimTime, SimTime) {
    let ends = call.ends.unwrap_or(call.begins);
    let outside = |part: Part| matches!(part, Part::Access | Part::Loopback | Part::ClientPool);
    let first = call.attempts.first().and_then(|it| it.client.pieces.first());
    let last = call.attempts.last().and_then(|it| it.client.pieces.last());
    let begins =
        first.filter(|piece| outside(piece.part) && piece.until <= ends).map_or(call.begins, |it| it.until);
    let until = last.filter(|piece| outside(piece.part) && piece.from >= begins).map_or(ends, |it| it.from);
    (begins, until.clamp(begins, ends.max(begins)))
}

/// The name of a service, as who makes spans says it: Istio's proxies add the namespace.
fn qualified(words: &Words<'_>, service: ServiceId, scope: &str) -> String {
    let name = words.names.service(service);
    match scope {
        "envoy" => format!("{name}.{}", words.topology.description.namespace_of(service)),
        _ => name.to_owned(),
    }
}

/// The host name of a service.
pub(super) fn host(words: &Words<'_>, service: ServiceId) -> String {
    let namespace = words.topology.description.namespace_of(service);
    format!("{}.{namespace}.svc.cluster.local", words.names.service(service))
}

/// The name of a pod, of all clusters.
pub(super) fn pod_name(words: &Words<'_>, pod: PodId) -> String {
    let ids = words.topology.pod_ids;
    let cluster: ClusterId = ids.cluster_of(pod);
    let service = words.names.service(ids.service_of(pod));
    format!("{service}-{}-{}", words.names.cluster(cluster), ids.ordinal_of(pod))
}
