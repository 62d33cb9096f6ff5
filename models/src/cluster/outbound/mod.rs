//! The client's side of calls: what proxies, and cells without them, have under way.

pub(super) mod blackhole;
mod choose_host;
mod client_pool;
mod connect;
mod deadlines;
mod exported;
mod from_cell;
mod give_up;
mod handshake;
pub mod hop;
mod kube_proxy;
mod outlier_detection;
mod pod_death;
mod push;
mod retry;
mod router;
mod traced;
mod tunnels;
mod upstreams;
mod ztunnel;

use self::hop::{Caller, Hop, Origin};
use self::tunnels::Tunnels;
use self::upstreams::Upstreams;
use super::around::Around;
use super::changed_views::{ChangedViews, ReadyPods};
use super::message::Response;
use crate::application::client_pool::ClientPool;
use crate::envoy::connection_pool::ConnectionPools;
use crate::envoy::load_balancer::hash_tables::HashTables;
use crate::envoy::previous_hosts::PreviousHosts;
use crate::envoy::timeout::Deadlines;
use crate::few_of_many::FewOfMany;
use crate::ids::{ClusterId, ConfigurationId, PodId, PoolId, PopulationId, QueueId, RouteId, ServiceId};
use crate::sparse_table::SparseTable;
use crate::users::session::Sessions;
use crate::world::topology::Topology;
use meshsim_core::{Handle, Id, Slab, Table};

/// What the clients of a cluster have under way, and what they know.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Requests that they have sent.
    hops: Slab<Hop>,
    /// Their connections.
    pools: ConnectionPools<Handle<Hop>>,
    /// What each proxy knows of what it calls.
    upstreams: Upstreams,
    /// What they are told of endpoints.
    endpoints: ChangedViews,
    /// The configurations that have come, each with its number.
    configurations: Vec<(u32, ConfigurationId)>,
    /// Tables of hashing load balancers, by site and upstream.
    tables: Vec<HashTables>,
    /// Where the pools of each pod's processes begin, by process and service; one after the other.
    of_processes: Vec<usize>,
    /// Without a mesh, and to `tcp` services: the connections of these processes.
    cell_pools: FewOfMany<Option<PoolId>>,
    /// What they may have of them, where a service limits that.
    client_pools: FewOfMany<Option<ClientPool<Handle<Hop>>>>,
    /// Endpoints that requests have tried.
    previous_hosts: PreviousHosts,
    /// Those of ztunnels.
    tunnels: Tunnels,
    /// Deadlines of requests and of attempts, by route.
    deadlines: [Table<RouteId, Deadlines>; 2],
    /// Deadlines of callers who give up, by queue (`give_up`); made as they are needed.
    patience: SparseTable<QueueId, Deadlines>,
    /// What gateways know of users, by the populations that are ever here.
    sessions: SparseTable<PopulationId, Sessions>,
    /// Answers that their callers, who are cut off, do not get yet.
    held: Slab<Response>,
    /// Room for requests that fail together.
    failed: Vec<Handle<Hop>>,
    /// Room for those whose callers give up together, with who waited.
    gone: Vec<(Handle<Hop>, Origin)>,
}

impl Outbound {
    /// Nothing is under way, with room for so many requests.
    #[must_use]
    pub(super) fn new(here: ClusterId, topology: &Topology, proxies: usize, room: usize) -> Self {
        let pods = topology.pods_at_start(here).iter();
        let mut all = 0;
        let ends = pods.map(|it| {
            all += pools_of(topology, it.pod);
            all
        });
        let of_processes: Vec<usize> = std::iter::once(0).chain(ends).collect();
        Self {
            hops: Slab::with_capacity(room),
            pools: ConnectionPools::with_capacity(room),
            upstreams: Upstreams::new(proxies, topology.upstreams.len()),
            endpoints: ChangedViews::default(),
            configurations: Vec::new(),
            tables: vec![HashTables::default(); topology.sites_in(here).len() * topology.upstreams.len()],
            of_processes,
            cell_pools: FewOfMany::new(all, None),
            client_pools: FewOfMany::new(if topology.limits_clients() { all } else { 0 }, None),
            previous_hosts: PreviousHosts::default(),
            tunnels: Tunnels::default(),
            deadlines: [(); 2].map(|()| topology.upstreams.routes().map(|_| Deadlines::default()).collect()),
            patience: SparseTable::new(),
            sessions: topology.visitors(here).iter().map(|&it| (it, Sessions::default())).collect(),
            held: Slab::new(),
            failed: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// A pod is made: it and its sidecar have called nobody.
    pub(super) fn pod_is_made(&mut self, at: &mut Around<'_>, pod: PodId) {
        let all = self.of_processes[self.of_processes.len() - 1] + pools_of(at.topology, pod);
        self.of_processes.push(all);
        self.cell_pools.grow(all);
        if at.topology.limits_clients() {
            self.client_pools.grow(all);
        }
        self.upstreams.make_room(at.proxies.ids().count());
    }

    /// The pool of a process to a service, by its number.
    fn pool_of_process(&self, at: &Around<'_>, caller: Caller, service: ServiceId) -> usize {
        let services = at.topology.application().services.len();
        let first = self.of_processes[at.pods.slot_of(caller.pod)];
        first + usize::from(caller.cell_worker) * services + service.index()
    }

    /// A request that a client has sent.
    pub(super) fn hop(&self, hop: Handle<Hop>) -> &Hop {
        &self.hops[hop]
    }

    /// The same, to change it.
    pub(super) fn hop_mut(&mut self, hop: Handle<Hop>) -> &mut Hop {
        &mut self.hops[hop]
    }

    /// Requests that clients have sent.
    pub fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.hops.handles().map(|hop| &self.hops[hop])
    }

    /// The clients' connections.
    #[must_use]
    pub fn pools(&self) -> &ConnectionPools<Handle<Hop>> {
        &self.pools
    }

    /// What each proxy knows of what it calls.
    #[must_use]
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// The endpoints of a service as kube-proxy sees them.
    #[must_use]
    pub fn ready_pods<'a>(&'a self, topology: &'a Topology, service: ServiceId) -> ReadyPods<'a> {
        self.endpoints.ready_pods(topology, service)
    }

    /// Memory that grows with the load (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.hops.bytes() + self.pools.bytes()
    }
}

/// Pools that a pod's processes may have, each to every service; none where its sidecar makes all connections and nobody
/// limits them.
fn pools_of(topology: &Topology, pod: PodId) -> usize {
    let services = &topology.application().services;
    let has_none = topology.has_sidecar(pod) && !topology.has_tcp() && !topology.limits_clients();
    if has_none {
        0
    } else {
        usize::from(services[topology.pod_ids.service_of(pod)].workers) * services.len()
    }
}
