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

use self::hop::{Hop, Origin};
use self::tunnels::Tunnels;
use self::upstreams::Upstreams;
use super::around::Around;
use super::changed_views::{ChangedViews, ReadyPods};
use super::message::Response;
use crate::application::call_graph::Protocol;
use crate::application::client_pool::ClientPool;
use crate::envoy::connection_pool::ConnectionPools;
use crate::envoy::load_balancer::hash_tables::HashTables;
use crate::envoy::previous_hosts::PreviousHosts;
use crate::envoy::timeout::Deadlines;
use crate::ids::{ClusterId, ConfigurationId, PodId, PoolId, PopulationId, QueueId, RouteId, ServiceId};
use crate::sparse_table::SparseTable;
use crate::users::session::Sessions;
use crate::world::topology::Topology;
use meshsim_core::{Handle, Slab, Table};

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
    /// Without a mesh, and to `tcp` services: the pools of each pod, by worker process and service.
    cell_pools: Vec<Vec<Option<PoolId>>>,
    /// Where a service limits them: the pools of each pod's processes, likewise.
    client_pools: Vec<Vec<ClientPool<Handle<Hop>>>>,
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
        Self {
            hops: Slab::with_capacity(room),
            pools: ConnectionPools::with_capacity(room),
            upstreams: Upstreams::new(proxies, topology.upstreams.len()),
            endpoints: ChangedViews::default(),
            configurations: Vec::new(),
            tables: vec![HashTables::default(); topology.sites_in(here).len() * topology.upstreams.len()],
            cell_pools: pods.map(|it| pools_of_cell(topology, it.pod)).collect(),
            client_pools: topology
                .pods_at_start(here)
                .iter()
                .map(|it| client_pools_of(topology, it.pod))
                .collect(),
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
        self.cell_pools.push(pools_of_cell(at.topology, pod));
        self.client_pools.push(client_pools_of(at.topology, pod));
        self.upstreams.make_room(at.proxies.ids().count());
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

/// No pools yet of a pod's cell, by worker process and service; none at all where its sidecar makes all connections.
fn pools_of_cell(topology: &Topology, pod: PodId) -> Vec<Option<PoolId>> {
    let description = &topology.description;
    let services = &description.application.services;
    let connects =
        !topology.has_sidecar(pod) || description.services.iter().any(|s| s.protocol == Protocol::Tcp);
    let workers = usize::from(services[topology.pod_ids.service_of(pod)].workers);
    vec![None; if connects { workers * services.len() } else { 0 }]
}

/// The pools of a pod's worker processes, by process and service; none where no service has a limit.
fn client_pools_of(topology: &Topology, pod: PodId) -> Vec<ClientPool<Handle<Hop>>> {
    let services = &topology.application().services;
    if !topology.limits_clients() {
        return Vec::new();
    }
    let of_worker = || services.iter().map(|it| ClientPool::new(it.pool_size.unwrap_or(u32::MAX)));
    let workers = services[topology.pod_ids.service_of(pod)].workers;
    (0..workers).flat_map(|_| of_worker()).collect()
}
