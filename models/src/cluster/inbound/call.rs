//! A request as the pod that serves it sees it.

use crate::cluster::outbound::hop::Hop;
use crate::envoy::connection_pool::Connection;
use crate::ids::{ClusterId, EndpointId, FlowId, PodId};
use crate::network::tcp::Window;
use crate::request::answer::Answer;
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::work::WorkId;
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimTime};

/// A connection of a server's sidecar to its application.
pub type ServerConnection = Connection<Handle<Call>>;

/// A request as the pod that serves it sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose calls it is one of, to whom.
    pub flow: FlowId,
    /// Whose work it is.
    pub work: WorkId,
    /// The address of its draws.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// Who serves it.
    pub pod: PodId,
    /// The slot of that pod.
    pub slot: u32,
    /// The clusters that lead here, this one included.
    pub path: ClusterPath,
    /// The worker of the sidecar, or of the cell without one, that accepted the connection.
    pub server_worker: u16,
    /// The worker of the east-west gateway before the pod, if there is one.
    pub gateway_worker: u16,
    /// The worker process that serves it.
    pub cell_worker: u16,
    /// Groups that are not done.
    pub open_groups: u16,
    /// Further attempts of the sidecar to reach the application.
    pub retries: u8,
    /// Whether it counts as a retry for the sidecar's circuit breaker.
    pub holds_retry: bool,
    /// The connection between the sidecar and the application that carries it.
    pub connection: Option<Handle<ServerConnection>>,
    /// By how much its CPU time differs from the mean.
    pub speed: f64,
    /// What it will answer.
    pub answer: Answer,
    /// The congestion window of the connection, which travels with the request.
    pub window: Window,
    /// When it reached its pod.
    pub arrived: SimTime,
    /// From the answer on, when the server will close the connection if nothing follows.
    pub closes_at: SimTime,
    /// The call that waits behind it for a thread.
    pub next_in_queue: Option<Handle<Call>>,
}

impl Call {
    /// The slot of the pod that serves it.
    #[must_use]
    #[inline]
    pub const fn slot(&self) -> usize {
        self.slot as usize
    }
}

// A call in flight has one of each: at most 256 bytes of live memory, with their slots.
const _: () = assert!(size_of::<Call>() + size_of::<Hop>() + 2 * (4 + 4) <= 256);
