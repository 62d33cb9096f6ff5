//! What can happen inside one cluster. Stored by value in the event set.

use crate::call::record::{Call, Hop};
use crate::ids::{ContainerId, PopulationId};
use crate::mesh::connection_pool::Connection;
use meshsim_core::{Epoch, Handle};

/// Something that happens in a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A user of an open loop sends its population's next request.
    UserSends(PopulationId),
    /// A user of a closed loop has thought and sends its next request.
    UserThought {
        /// The population.
        population: PopulationId,
        /// The request's number.
        number: u32,
    },
    /// A user's request reaches the gateway.
    GatewayReceives(Handle<Hop>),
    /// A proxy has a request ready to be routed.
    Routes(Handle<Hop>),
    /// A new connection's handshake is done.
    ConnectionReady(Handle<Connection>),
    /// A request reaches a pod of the same cluster.
    RequestArrives(Handle<Hop>),
    /// A request has passed the sidecar and reaches the cell.
    CellReceives(Handle<Call>),
    /// A container's next work is done, or its quota changes. Stale if the epoch has moved on.
    CpuDone {
        /// The container.
        container: ContainerId,
        /// When the event was made.
        epoch: Epoch,
    },
    /// The internal service has slept.
    Slept(Handle<Call>),
    /// A response leaves the server's side for the network.
    ResponseLeaves(Handle<Call>),
    /// The next TCP round of a response leaves.
    RoundLeaves(Handle<Call>),
    /// A response reaches a client of the same cluster.
    ResponseArrives(Handle<Call>),
    /// A client learns that its request was reset.
    ResetArrives(Handle<Hop>),
    /// A response has passed the client's proxy.
    HopCompletes(Handle<Hop>),
}

const _: () = assert!(size_of::<Event>() <= 16);
