//! The state of one cluster.

use crate::application::cell::Cell;
use crate::call::record::{Call, Hop};
use crate::ids::{ClusterId, PoolId, PopulationId, ProxyId, ServiceId};
use crate::mesh::connection_pool::ConnectionPools;
use crate::mesh::proxy::Proxy;
use crate::network::link::Link;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::request_log::RequestLog;
use crate::users::population::AccessConnections;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimDuration, Slab, Table};

/// Everything that changes in a cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Which one.
    pub id: ClusterId,
    /// Requests that its clients have sent.
    pub hops: Slab<Hop>,
    /// Requests that its pods serve.
    pub calls: Slab<Call>,
    /// Gateways, then the sidecars of its pods.
    pub proxies: Table<ProxyId, Proxy>,
    /// The connections of all its clients.
    pub pools: ConnectionPools,
    /// By the pod's place in the cluster.
    pub cells: Vec<Cell>,
    /// Without a mesh: the pools of each pod, by worker process and service.
    pub cell_pools: Vec<Vec<Option<PoolId>>>,
    /// The links that leave it, by their index in the description.
    pub links: Vec<Option<Link>>,
    /// Its users' connections, by population; empty for those of other clusters.
    pub access: Table<PopulationId, AccessConnections>,
    /// The number of requests sent so far by each population.
    pub sent: Table<PopulationId, u64>,
    /// Its users' requests.
    pub log: RequestLog,
    /// User requests without an answer.
    pub open_requests: u64,
    /// What it counts over time.
    pub metrics: Metrics,
    /// Draws of its own so far.
    pub draws: u64,
}

impl Cluster {
    /// A cluster in which nothing has happened.
    #[must_use]
    pub fn new(id: ClusterId, topology: &Topology, width: SimDuration, slices: usize) -> Self {
        let description = &topology.description;
        let services = description.application.services.len();
        let pods = topology.pods_of(id);
        let concurrency = description.mesh.concurrency;
        let sidecars = if topology.has_sidecars() { pods.len() } else { 0 };
        let gateways = usize::from(description.gateway.replicas);
        let gateway = Proxy::new(description.gateway.concurrency, services);
        let sidecar = Proxy::new(concurrency, services);
        let service_of =
            |pod: u32| &description.application.services[topology.pods[crate::ids::PodId(pod)].service];
        let threads = |pod: u32| usize::from(service_of(pod).workers) * usize::from(service_of(pod).threads);
        let room = pods.clone().map(threads).sum::<usize>().clamp(16, MOST_ROOM);
        let cells = pods
            .clone()
            .map(|pod| Cell::new(service_of(pod).workers, if sidecars > 0 { concurrency } else { 0 }));
        let cell_pools = pods.clone().map(|pod| {
            vec![None; if sidecars > 0 { 0 } else { usize::from(service_of(pod).workers) * services }]
        });
        let leaves = |link: &crate::world::description::LinkSpec| {
            link.between.contains(&id).then(|| Link::new(link.bits_per_second))
        };
        let populations = &description.populations;
        let users = |p: &crate::users::population::Population| if p.cluster == id { p.users } else { 0 };
        Self {
            id,
            hops: Slab::with_capacity(room),
            calls: Slab::with_capacity(room),
            proxies: std::iter::repeat_n(gateway, gateways)
                .chain(std::iter::repeat_n(sidecar, sidecars))
                .collect(),
            pools: ConnectionPools::with_capacity(room),
            cells: cells.collect(),
            cell_pools: cell_pools.collect(),
            links: description.links.iter().map(leaves).collect(),
            access: populations.iter().map(|p| AccessConnections::new(users(p))).collect(),
            sent: populations.iter().map(|_| 0).collect(),
            log: RequestLog::with_capacity(expected_requests(id, topology)),
            open_requests: 0,
            metrics: Metrics::new(width, slices, services),
            draws: 0,
        }
    }

    /// The place of a pool of worker process `worker` for `service` in `cell_pools`.
    #[must_use]
    pub fn cell_pool_index(worker: u16, service: ServiceId, services: usize) -> usize {
        usize::from(worker) * services + service.index()
    }
}

/// A cluster has room for as many calls as it has threads, but for no more than this, before it
/// allocates.
const MOST_ROOM: usize = 512;

/// Room for the log: the mean number of requests and six standard deviations.
fn expected_requests(id: ClusterId, topology: &Topology) -> usize {
    let description = &topology.description;
    let seconds = (description.warm_up + description.duration).as_secs_f64();
    let of = |p: &crate::users::population::Population| p.arrivals.offered_per_second(p.users) * seconds;
    let mean: f64 = description.populations.iter().filter(|p| p.cluster == id).map(of).sum();
    // Longer logs than this grow as they are needed.
    (mean + 6.0 * mean.sqrt() + 16.0).min(4e6) as usize
}
