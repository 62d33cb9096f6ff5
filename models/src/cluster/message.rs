//! What may cross a link: the only way into a cluster from outside.

use super::news::{News, OffloadingNews, Push, ShadowNews};
use super::outbound::hop::Hop;
use crate::ids::{ClusterId, EndpointId, FlowId, PodId};
use crate::kubernetes::metrics_server::Counters;
use crate::network::tcp::Window;
use crate::request::answer::Answer;
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::work::{RequestId, WorkId};
use meshsim_core::random::Address;
use meshsim_core::{Handle, SimDuration, SimTime};

/// A message on its way to a cluster, perhaps over others.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Where it ends.
    pub to: ClusterId,
    /// Its size on the wire (bytes).
    pub wire_bytes: u32,
    /// The link that it came over last, by its number; [`NO_LINK`] before the first.
    pub link: u32,
    /// What it says.
    pub body: Body,
}

/// Of a message that is on no link yet.
pub const NO_LINK: u32 = u32::MAX;

impl Message {
    /// One that is on no link yet.
    #[must_use]
    pub const fn new(to: ClusterId, wire_bytes: u32, body: Body) -> Self {
        Self { to, wire_bytes, link: NO_LINK, body }
    }

    /// The user request that is worked for where it arrives, if that is kept.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match &self.body {
            Body::Request(request) => Some(request.request),
            _ => None,
        }
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// A request for a pod.
    Request(Request),
    /// The answer to a hop.
    Response(Response),
    /// The connection of a hop's attempt was lost.
    Reset(Reset),
    /// The client of a hop has given up its attempt.
    GivenUp(GivenUp),
    /// What the API server of a cluster tells the control planes of the others, which watch it.
    News(News),
    /// What an istiod sends to the proxies of another cluster.
    Push(Push),
    /// What one side of a peering tells the other of an offloaded pod.
    Shadow {
        /// Who tells it.
        from: ClusterId,
        /// What.
        news: ShadowNews,
        /// What was counted of it.
        counters: Counters,
    },
    /// Scrapes and spans.
    Telemetry,
    /// What offloading controllers and what they steer tell each other.
    Offloading(OffloadingNews),
    /// A pod has ended and with it all connections to it.
    PodEnded {
        /// The pod.
        pod: PodId,
    },
}

/// A request for a pod.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose calls it is one of, to whom.
    pub flow: FlowId,
    /// The user request that it is for, if that is kept.
    pub request: RequestId,
    /// Whose work it is in the cluster in which it is now.
    pub work: WorkId,
    /// The address of the call's draws.
    pub address: Address,
    /// What is called.
    pub endpoint: EndpointId,
    /// The pod that was chosen.
    pub pod: PodId,
    /// The clusters that lead here.
    pub path: ClusterPath,
    /// The worker that accepted the connection.
    pub server_worker: u16,
    /// The worker of the east-west gateway before the pod, if there is one.
    pub gateway_worker: u16,
    /// The congestion window of the connection.
    pub window: Window,
}

/// The answer to an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose calls it is one of, to whom.
    pub flow: FlowId,
    /// Whose work it is in the cluster in which it is now.
    pub work: WorkId,
    /// The address of the attempt's draws.
    pub address: Address,
    /// Who answers.
    pub pod: PodId,
    /// What came of it.
    pub answer: Answer,
    /// The worker of the east-west gateway before the pod, if there is one.
    pub gateway_worker: u16,
    /// How long the pod took.
    pub took: SimDuration,
    /// The congestion window of the connection.
    pub window: Window,
    /// When the server closes the connection if nothing follows.
    pub closes_at: SimTime,
}

/// The connection of an attempt is lost.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose calls it is one of, to whom.
    pub flow: FlowId,
    /// The address of the attempt's draws.
    pub address: Address,
    /// Whose work it is in the cluster in which it is now.
    pub work: WorkId,
}

impl Request {
    /// Its client is to learn that the connection is lost.
    #[must_use]
    pub const fn reset(&self) -> Reset {
        Reset { client: self.client, hop: self.hop, flow: self.flow, address: self.address, work: self.work }
    }
}

impl Response {
    /// Its client is to learn that the connection is lost.
    #[must_use]
    pub const fn reset(&self) -> Reset {
        Reset { client: self.client, hop: self.hop, flow: self.flow, address: self.address, work: self.work }
    }
}

/// A client has given up an attempt that it has sent.
#[derive(Clone, Copy, Debug)]
pub struct GivenUp {
    /// The cluster of the client.
    pub client: ClusterId,
    /// The client's hop.
    pub hop: Handle<Hop>,
    /// Whose calls it is one of, to whom.
    pub flow: FlowId,
    /// The address of the attempt's draws.
    pub address: Address,
    /// Where it was sent.
    pub pod: PodId,
    /// Whose work it is in the cluster in which it is now.
    pub work: WorkId,
}
