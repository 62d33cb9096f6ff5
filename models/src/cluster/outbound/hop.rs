//! A request as its client sees it: a proxy, or a cell without one.
//!
//! # Models
//! It knows whom it serves, which endpoint and connection it got, and how often it was tried. The server
//! knows the same request as a [`Call`]; both know each other by handle
//! only.

use crate::cluster::inbound::call::Call;
use crate::envoy::connection_pool::Connection;
use crate::ids::{EndpointId, PodId, PopulationId, ProxyId, RouteId, UpstreamId};
use crate::request::answer::Answer;
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::work::WorkId;
use crate::users::open_request::OpenRequest;
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimTime};

/// A connection of a client to an endpoint.
pub type ClientConnection = Connection<Handle<Hop>>;

/// Who waits for a hop.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// A user.
    User {
        /// The user's request.
        request: Handle<OpenRequest>,
        /// The user's population.
        population: PopulationId,
        /// The user, counted within the population.
        user: u32,
    },
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
    /// Nobody any more: who waited has given up or died.
    Gone,
}

/// The worker process of a pod that sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pod.
    pub pod: PodId,
    /// Its worker process.
    pub cell_worker: u16,
}

/// How far a hop's attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptPhase {
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
    /// A worker of a gateway, a sidecar or a waypoint.
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

/// A request that somebody has made and that its client is to send.
#[derive(Clone, Copy, Debug)]
pub struct NewRequest {
    /// Who waits for it.
    pub origin: Origin,
    /// Whose work it is, whoever waits.
    pub work: WorkId,
    /// The pod that makes it, unless a user does.
    pub caller: Option<Caller>,
    /// The address of its draws, without the attempt.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// The clusters that lead here, this one included.
    pub path: ClusterPath,
    /// When it leaves the cell, or reaches the gateway.
    pub reaches_proxy: SimTime,
}

/// A request as its client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// Who waits for it.
    pub origin: Origin,
    /// Whose work it is, whoever waits.
    pub work: WorkId,
    /// The pod that makes it, unless a user does.
    pub caller: Option<Caller>,
    /// Who sends it.
    pub client: Client,
    /// The address of the call's draws, without the attempt.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// The clusters that lead here, this one included.
    pub path: ClusterPath,
    /// Its route.
    pub route: RouteId,
    /// How far the last attempt has come.
    pub phase: AttemptPhase,
    /// Whether it counts as a retry for the circuit breaker.
    pub holds_retry: bool,
    /// Whether it has a connection of its process's pool, where these are limited.
    pub pooled: bool,
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

impl Hop {
    /// A request that a client has begun and not sent yet.
    #[must_use]
    pub fn new(new: &NewRequest, client: Client, now: SimTime) -> Self {
        Self {
            origin: new.origin,
            work: new.work,
            caller: new.caller,
            client,
            address: new.address,
            endpoint: new.endpoint,
            path: new.path,
            route: RouteId(0),
            phase: AttemptPhase::Idle,
            holds_retry: false,
            pooled: false,
            attempts: 0,
            pod: PodId(u32::MAX),
            routed: now,
            connection: None,
            answer: Answer::pending(),
        }
    }

    /// The upstream that its route chose.
    ///
    /// # Panics
    /// If no proxy is its client.
    #[must_use]
    pub fn upstream(&self) -> UpstreamId {
        let Client::Proxy { upstream, .. } = self.client else { unreachable!("a cell has no upstreams") };
        UpstreamId(u32::from(upstream))
    }

    /// The worker process that waits for it; none once that has given up or died.
    #[must_use]
    pub fn waiting_caller(&self) -> Option<Caller> {
        self.caller.filter(|_| matches!(self.origin, Origin::Call { .. }))
    }

    /// The address of the draws of its last attempt: that of the first is common to all strategies;
    /// further ones are others' luck.
    #[must_use]
    pub fn attempt_address(&self) -> Address {
        match self.attempts {
            0 | 1 => self.address,
            further => self.address.child(u64::from(further - 1)),
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
