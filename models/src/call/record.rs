//! The records of a call in flight: the caller's [`Hop`] and the callee's [`Call`].
//!
//! # Models
//! A hop is one request as its client sees it (a proxy, or a cell without a mesh): whom it
//! serves, which endpoint and connection it got, how often it was tried. A call is the same
//! request as the pod that serves it sees it. They live in the clusters of their pods and know
//! each other by handle only.

use super::position::ClusterPath;
use crate::ids::{ClusterId, EndpointId, PodId, ProxyId, UpstreamId};
use crate::mesh::connection_pool::Connection;
use crate::network::tcp::{Transfer, Window};
use crate::telemetry::work::WorkId;
use crate::users::open_request::OpenRequest;
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimDuration, SimTime};

/// A connection of a client to an endpoint.
pub type ClientConnection = Connection<Handle<Hop>>;

/// A connection of a server's sidecar to its application.
pub type ServerConnection = Connection<Handle<Call>>;

/// Who waits for a hop.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// The user who sent this request.
    User(Handle<OpenRequest>),
    /// A call, in this step of this group.
    Call {
        /// The calling call.
        call: Handle<Call>,
        /// Its group.
        group: u16,
        /// The step of the group.
        step: u16,
    },
    /// Nobody: a copy for a mirror.
    Mirror,
    /// Nobody any more: who waited has given up.
    Gone,
}

/// How far a hop's attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No attempt is under way: before the first, between two, or when all is over.
    Idle,
    /// It waits for a connection.
    Waiting,
    /// It was sent over a connection that is the hop's until the answer comes.
    Sent,
    /// The client has the final answer.
    Answered,
}

/// Who sends a hop's request.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// A worker of a gateway or a sidecar.
    Proxy {
        /// The proxy.
        proxy: ProxyId,
        /// Its worker: there are at most 256.
        worker: u8,
        /// The upstream that the request's route chose.
        upstream: u16,
    },
    /// A worker process of the calling pod itself.
    Cell,
}

/// A request as its client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// Who waits for it.
    pub origin: Origin,
    /// Whose work it is, whoever waits.
    pub work: WorkId,
    /// Who sends it.
    pub client: Client,
    /// The address of the call's draws, without the attempt.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// The place of its route among those of the service.
    pub route: u8,
    /// How far the last attempt has come.
    pub phase: Phase,
    /// Whether it counts as a retry for the circuit breaker.
    pub holds_retry: bool,
    /// Attempts begun.
    pub attempts: u8,
    /// The endpoint that was chosen last.
    pub pod: PodId,
    /// When the last attempt's endpoint was chosen.
    pub routed: SimTime,
    /// The connection that carries it.
    pub connection: Option<Handle<ClientConnection>>,
    /// What came of it.
    pub answer: Answer,
}

/// A request as the pod that serves it sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose work it is.
    pub work: WorkId,
    /// The address of its draws.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// Who serves it.
    pub pod: PodId,
    /// The clusters that lead here, this one included.
    pub path: ClusterPath,
    /// The worker of the sidecar, or of the cell without one, that accepted the connection.
    pub server_worker: u16,
    /// The worker process that serves it.
    pub cell_worker: u16,
    /// Groups that are not done.
    pub open_groups: u16,
    /// The connection between the sidecar and the application that carries it.
    pub connection: Option<Handle<ServerConnection>>,
    /// Further attempts of the sidecar to reach the application.
    pub retries: u8,
    /// Whether it counts as a retry for the sidecar's circuit breaker.
    pub holds_retry: bool,
    /// What it will answer.
    pub answer: Answer,
    /// The congestion window of the connection, which travels with the request.
    pub window: Window,
    /// The response's rounds still to be sent.
    pub transfer: Transfer,
    /// When it reached its pod; from the answer on, when the server will close the connection if
    /// nothing follows. One word for both, as no call needs both.
    pub arrived_or_closes: SimTime,
    /// How long it took its pod from its arrival to the answer, which is under way then.
    pub took: SimDuration,
    /// The call that waits behind it for a thread.
    pub next_in_queue: Option<Handle<Call>>,
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: Status,
    /// Size of the body (bytes).
    pub body: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 200.
    Ok,
    /// 500: the service failed, because a call that it made failed.
    ServiceError,
    /// The service failed by itself, with this status.
    ServiceFailure(u16),
    /// 503 with Envoy's flag UC: the connection was reset after the request was sent. A cell's own
    /// client counts it as 505.
    UpstreamReset,
    /// 503 with flag UF: no connection could be made.
    ConnectFailure,
    /// 503 with flag UH: no host could be chosen.
    NoHealthyUpstream,
    /// 503 with flag UO: a limit of the proxy was reached.
    Overflow,
    /// 503: a limit of the server's own sidecar was reached. That one logs UO; to the client's proxy it is
    /// an answer as any other.
    ServerOverflow,
    /// 504 with flag UT: it took too long.
    Timeout,
    /// 404 with flag NR: no route takes it.
    NoRoute,
    /// This status with flag FI: injected in place of an answer.
    FaultInjected(u16),
    /// No status, shown as 0, with flag DC: the caller gave up and closed its connection.
    CallerGone,
}

impl Status {
    /// Whether a client takes it for a success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        !matches!(self, Self::CallerGone) && self.code() < 400
    }

    /// The HTTP status that a proxy shows; 0 where it has none.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NoRoute => 404,
            Self::ServiceError => 500,
            Self::UpstreamReset
            | Self::ConnectFailure
            | Self::NoHealthyUpstream
            | Self::Overflow
            | Self::ServerOverflow => 503,
            Self::Timeout => 504,
            Self::CallerGone => 0,
            Self::ServiceFailure(code) | Self::FaultInjected(code) => code,
        }
    }

    /// Envoy's response flag, empty where the upstream answered.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Ok | Self::ServiceError | Self::ServiceFailure(_) | Self::ServerOverflow => "",
            Self::UpstreamReset => "UC",
            Self::ConnectFailure => "UF",
            Self::NoHealthyUpstream => "UH",
            Self::Overflow => "UO",
            Self::Timeout => "UT",
            Self::NoRoute => "NR",
            Self::FaultInjected(_) => "FI",
            Self::CallerGone => "DC",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, flag) = (self.code(), self.flag());
        if flag.is_empty() { write!(f, "{code}") } else { write!(f, "{code} {flag}") }
    }
}

impl Hop {
    /// The upstream that its route chose.
    ///
    /// # Panics
    /// If no proxy is its client.
    #[must_use]
    pub fn upstream(&self) -> UpstreamId {
        let Client::Proxy { upstream, .. } = self.client else { unreachable!("a cell has no upstreams") };
        UpstreamId(u32::from(upstream))
    }

    /// A request that a client has begun and not sent yet.
    #[must_use]
    pub fn new(
        (origin, work): (Origin, WorkId),
        client: Client,
        address: Address,
        endpoint: EndpointId,
        now: SimTime,
    ) -> Self {
        Self {
            origin,
            work,
            client,
            address,
            endpoint,
            route: 0,
            phase: Phase::Idle,
            holds_retry: false,
            attempts: 0,
            pod: PodId(u32::MAX),
            routed: now,
            connection: None,
            answer: Answer::pending(),
        }
    }
}

impl Client {
    /// A worker of a proxy, with a request that has no route yet.
    #[must_use]
    pub const fn proxy(proxy: ProxyId, worker: u16) -> Self {
        Self::Proxy { proxy, worker: worker as u8, upstream: u16::MAX }
    }
}

impl Answer {
    /// Nothing done yet.
    #[must_use]
    pub fn pending() -> Self {
        Self { status: Status::Ok, body: 0 }
    }
}

// A call in flight has one of each: at most 256 bytes of live memory, with their slots.
const _: () = assert!(size_of::<Call>() + size_of::<Hop>() + 2 * (4 + 4) <= 256);
