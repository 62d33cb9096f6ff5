//! The server's side of calls: what pods, and the sidecars beside them, have under way.

pub mod call;
mod cell;
mod fan_out;
mod pod_death;
mod push;
mod refusal;
mod sidecar;

use self::call::Call;
use crate::application::cell::Cell;
use crate::envoy::connection_pool::ConnectionPools;
use crate::ids::{ClusterId, ConfigurationId, PodId};
use crate::world::topology::Topology;
use meshsim_core::{Handle, Slab};

/// What the servers of a cluster have under way.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Requests that its pods serve.
    calls: Slab<Call>,
    /// By the pod's place in the cluster.
    cells: Vec<Cell>,
    /// The connections of sidecars to the applications beside them: a breaker per pod, a pool per worker of its
    /// sidecar.
    pools: ConnectionPools<Handle<Call>>,
}

impl Inbound {
    /// Nothing is under way, with room for so many requests.
    #[must_use]
    pub(super) fn new(here: ClusterId, topology: &Topology, room: usize) -> Self {
        let description = &topology.description;
        let pods = || topology.pods_of(here).map(PodId);
        let cell = |pod| Cell::new(description.application.services[topology.pods[pod].service].workers);
        let sidecars = if topology.has_sidecars() { pods().len() } else { 0 };
        let mut pools = ConnectionPools::with_capacity(if sidecars > 0 { room } else { 0 });
        for pod in pods().take(sidecars) {
            let upstream = topology.upstreams.of_service(ConfigurationId(0), topology.pods[pod].service);
            let spec = topology.upstreams.spec(false, upstream);
            let breaker = pools.add_breaker(spec.limits_of_server());
            let workers = usize::from(description.mesh.concurrency);
            pools.add(workers, Some(breaker), spec.protocol.shares_connections());
        }
        Self { calls: Slab::with_capacity(room), cells: pods().map(cell).collect(), pools }
    }

    /// Requests that pods serve.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.handles().map(|call| &self.calls[call])
    }

    /// How many requests a pod serves.
    #[must_use]
    pub fn open_at(&self, pod: PodId) -> u32 {
        self.calls().filter(|call| call.pod == pod).count() as u32
    }

    /// The cells, by the pod's place in the cluster.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The connections of sidecars to the applications beside them.
    #[must_use]
    pub fn pools(&self) -> &ConnectionPools<Handle<Call>> {
        &self.pools
    }

    /// Memory that grows with the load (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.calls.bytes() + self.pools.bytes()
    }
}
