//! What can happen inside one cluster. Stored by value in the event set.

use super::crossing::{Crossing, Sending};
use super::inbound::call::Call;
use super::message::{Message, Response};
use super::news::{IstiodStep, News, PeerStep};
use super::outbound::hop::{ClientConnection, Hop};
use crate::compute::ComputeEvent;
use crate::ids::{PodId, PopulationId, ProxyId, RouteId, UpstreamId};
use crate::users::open_request::OpenRequest;
use meshsim_core::Handle;

/// Something that happens in a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Something happens to CPU work: some of it may be done.
    Compute(ComputeEvent),
    /// A user of an open loop sends its population's next request.
    UserSends(PopulationId),
    /// A user of a closed loop has thought and sends its next request.
    UserThought {
        /// The population.
        population: PopulationId,
        /// The request's number.
        number: u32,
    },
    /// A user sends a request again that has failed.
    UserTriesAgain(Handle<OpenRequest>),
    /// A request reaches its client's proxy: a gateway or a waypoint.
    ReachesProxy(Handle<Hop>),
    /// A call without a waypoint has passed the ztunnel of its node.
    LeavesNode(Handle<Hop>),
    /// The answer to a call is back at the ztunnel of its node.
    AnswerReachesNode(Handle<Hop>),
    /// A proxy has a request ready to be routed.
    Routes(Handle<Hop>),
    /// A request has been delayed by fault injection and follows its route.
    FollowsRoute(Handle<Hop>),
    /// A request has waited for its next attempt.
    Attempts(Handle<Hop>),
    /// Some requests, or attempts, may have taken as long as their route allows.
    DeadlinesCome {
        /// The route.
        route: RouteId,
        /// Whether attempts, not requests.
        of_tries: bool,
    },
    /// A request that was swallowed on its way is sent again.
    RequestLeaves {
        /// The request.
        hop: Handle<Hop>,
        /// The attempt, counted from 1.
        attempt: u8,
    },
    /// An answer that was swallowed on its way comes again.
    HeldResponseArrives(Handle<Response>),
    /// The time of some callers may be up: cells (0), or users of a population (its number, from 1).
    CallersGiveUp(u32),
    /// A client learns that nobody waits for a request any more.
    CallerIsGone(Handle<Hop>),
    /// A new connection's handshake is done.
    ConnectionReady(Handle<ClientConnection>),
    /// A new connection was refused.
    ConnectionFails(Handle<ClientConnection>),
    /// What crossed the cluster is there.
    Arrives(Handle<Crossing>),
    /// A message from another cluster has passed the gateway.
    LeavesGateway(Handle<Message>),
    /// An answer to another cluster has passed the gateway.
    AnswerLeavesGateway(Handle<Response>),
    /// A request has passed the sidecar and reaches the cell.
    CellReceives(Handle<Call>),
    /// The internal service has slept.
    Slept(Handle<Call>),
    /// A response leaves the server's side for the network.
    ResponseLeaves(Handle<Call>),
    /// The next TCP round of a response leaves.
    RoundLeaves(Handle<Sending>),
    /// A client learns that its request was reset.
    ResetArrives {
        /// The request.
        hop: Handle<Hop>,
        /// The attempt, counted from 1.
        attempt: u8,
    },
    /// A response has passed the client's proxy.
    HopCompletes(Handle<Hop>),
    /// A proxy's interval of outlier detection is over.
    OutlierTick {
        /// The proxy.
        proxy: ProxyId,
        /// The upstream.
        upstream: UpstreamId,
    },
    /// A proxy takes over changes of health that were merged.
    TakesOverHealth {
        /// The proxy.
        proxy: ProxyId,
        /// The upstream.
        upstream: UpstreamId,
    },
    /// A pod dies, with all that it has under way.
    PodDies(PodId),
    /// A pod that died, and whose application burns CPU when it starts, is back.
    PodIsBack(PodId),
    /// The scheduler begins: pods that found no node before the run are made.
    WorkloadsStart,
    /// Somebody changes a Deployment, by the change's number in the list.
    WorkloadChanges(u32),
    /// The next step in the life of a pod is due. Stale if another generation has its number.
    PodAdvances {
        /// The pod's slot in the cluster.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
    /// The API server of this cluster tells those who watch it of a change.
    ApiServerTells(News),
    /// The istiod of this cluster goes on with its pushes.
    IstiodSteps(IstiodStep),
    /// How a peer is watched goes on.
    PeerIsWatched(PeerStep),
    /// The gateways of this cluster die.
    GatewaysDie,
    /// The istiod of this cluster dies or is back, or some of its replicas.
    IstiodDiesOrIsBack,
    /// The API server of this cluster is back.
    ApiServerIsBack,
    /// The node lifecycle controller looks at all nodes.
    NodesChecked,
    /// Nodes that wait for a taint may get it.
    NodesTainted,
    /// The kubelet of a node that was lost posts its status.
    KubeletPosts(u32),
    /// Somebody drains a node.
    NodeDrains(u32),
    /// A node that was drained takes pods again.
    NodeIsUncordoned(u32),
    /// A pod has tolerated the taints of its node for as long as it does. Stale if another generation has its number.
    PodIsEvicted {
        /// The pod's slot in the cluster.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
    /// The metrics server asks all kubelets.
    MetricsScraped,
    /// Prometheus scrapes all pods, from where it stands.
    CentrallyScraped,
    /// Prometheus scrapes for offloading controllers.
    OffloadingScrapes,
    /// An offloading controller wakes up, by its number in the description.
    OffloadingWakes(u32),
    /// The autoscalers look at their metrics.
    AutoscalersSync,
    /// What comes next of all that is known in advance is due (`world/timeline`).
    KnownIsDue,
    /// A sample of the time series is due.
    SampleTaken,
    /// Prometheus scrapes those targets whose turn it is.
    TargetsScraped,
    /// A quarter of the run is over.
    QuarterEnds,
}

const _: () = assert!(size_of::<Event>() <= 16);
