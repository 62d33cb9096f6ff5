//! The server's side of calls: what pods, and the sidecars beside them, have under way.

pub mod call;
mod cell;
mod exported;
mod fan_out;
mod pod_death;
mod push;
mod refusal;
mod sidecar;
mod traced;

use self::call::Call;
use super::around::Around;
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
    /// By the slot of their pods.
    cells: Vec<Cell>,
    /// The connections of sidecars to the applications beside them: a breaker per pod, a pool per worker of its
    /// sidecar.
    pools: ConnectionPools<Handle<Call>>,
}

impl Inbound {
    /// Nothing is under way, with room for so many requests.
    #[must_use]
    pub(super) fn new(here: ClusterId, topology: &Topology, room: usize) -> Self {
        let has_sidecars = topology.has_sidecars() && !topology.pods_at_start(here).is_empty();
        let pools = ConnectionPools::with_capacity(if has_sidecars { room } else { 0 });
        let mut inbound = Self { calls: Slab::with_capacity(room), cells: Vec::new(), pools };
        topology.pods_at_start(here).iter().for_each(|it| inbound.add(topology, it.pod, ConfigurationId(0)));
        inbound
    }

    /// A pod is made, and serves nothing yet.
    pub(super) fn pod_is_made(&mut self, at: &mut Around<'_>, pod: PodId) {
        self.add(at.topology, pod, at.proxies.configuration());
    }

    /// A pod has the next slot, and its sidecar this configuration.
    fn add(&mut self, topology: &Topology, pod: PodId, configuration: ConfigurationId) {
        let service = topology.pod_ids.service_of(pod);
        self.cells.push(Cell::new(topology.application().services[service].workers));
        if topology.has_sidecars() {
            let spec = topology.upstreams.spec(false, topology.upstreams.of_service(configuration, service));
            let breaker = self.pools.add_breaker(spec.limits_of_server());
            let workers = usize::from(topology.description.mesh.concurrency);
            self.pools.add(workers, Some(breaker), spec.protocol.shares_connections());
        }
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

    /// The cells, by the slot of their pods.
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
