//! The state of one cluster.

use super::changed_views::{ChangedViews, EndpointNews, ReadyPods};
use super::message::Response;
use super::workloads::Workloads;
use crate::application::call_graph::Protocol;
use crate::application::cell::Cell;
use crate::call::record::{Call, Hop};
use crate::ids::{ClusterId, PodId, PoolId, PopulationId, ProxyId, QueueId, ServiceId, UpstreamId};
use crate::mesh::connection_pool::ConnectionPools;
use crate::mesh::load_balancer::HashTables;
use crate::mesh::previous_hosts::PreviousHosts;
use crate::mesh::proxy::Proxy;
use crate::mesh::timeout::Deadlines;
use crate::network::link::Link;
use crate::sparse_table::SparseTable;
use crate::telemetry::recorder::Recorder;
use crate::telemetry::slices::Slices;
use crate::users::open_request::OpenRequest;
use crate::users::population::AccessConnections;
use crate::users::session::Sessions;
use crate::users::stream::Stream;
use crate::world::topology::Topology;
use meshsim_core::{Handle, Id, SimTime, Slab, Table};
use std::collections::BTreeMap;

/// Everything that changes in a cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Which one.
    pub id: ClusterId,
    /// Requests that its clients have sent.
    pub hops: Slab<Hop>,
    /// Requests that its pods serve.
    pub calls: Slab<Call>,
    /// Gateways, then the sidecars of its pods, or the ztunnels of its nodes and the waypoints.
    pub proxies: Table<ProxyId, Proxy>,
    /// The connections of all its clients.
    pub pools: ConnectionPools<Handle<Hop>>,
    /// The connections of its pods' sidecars to the applications beside them: a breaker per pod, a pool per
    /// worker of its sidecar.
    pub inbound: ConnectionPools<Handle<Call>>,
    /// By the pod's place in the cluster.
    pub cells: Vec<Cell>,
    /// Without a mesh, and to `tcp` services: the pools of each pod, by worker process and service.
    pub cell_pools: Vec<Vec<Option<PoolId>>>,
    /// What its proxies know of endpoints that are no longer as before the run.
    pub changed_views: ChangedViews,
    /// Tables of hashing load balancers, by site and upstream.
    pub tables: Vec<HashTables>,
    /// Endpoints that its hops have tried.
    pub previous_hosts: PreviousHosts,
    /// Ambient: when each tunnel was last used to open a stream, by its two ends.
    pub tunnels: BTreeMap<(u32, u32), SimTime>,
    /// Deadlines of requests and of attempts, by route.
    pub deadlines: [Vec<Deadlines>; 2],
    /// Deadlines of callers who give up, by queue (`call/give_up`); made as they are needed.
    pub patience: SparseTable<QueueId, Deadlines>,
    /// Its Deployments, pods and nodes.
    pub workloads: Workloads,
    /// Answers that their callers, who are cut off, do not get yet.
    pub held: Slab<Response>,
    /// Room for requests that fail together.
    pub failed: Vec<Handle<Hop>>,
    /// The links that leave it, by their ports (`network/ways`).
    pub links: Vec<Link>,
    /// The connections of the users who are ever here, by population.
    pub access: SparseTable<PopulationId, AccessConnections>,
    /// What its gateways know of these users.
    pub sessions: SparseTable<PopulationId, Sessions>,
    /// How far it has followed their populations; nothing of those that send nothing here.
    pub streams: SparseTable<PopulationId, Box<Stream>>,
    /// Its users' requests that have not ended.
    pub open_requests: Slab<OpenRequest>,
    /// What is measured in it.
    pub recorder: Recorder,
    /// Draws of its own so far.
    pub draws: u64,
}

impl Cluster {
    /// A cluster in which nothing has happened.
    #[must_use]
    pub fn new(id: ClusterId, topology: &Topology, slices: Slices) -> Self {
        let description = &topology.description;
        let services = description.application.services.len();
        let pods = topology.pods_of(id);
        let concurrency = description.mesh.concurrency;
        let sidecars = if topology.has_sidecars() { pods.len() } else { 0 };
        let upstreams = topology.upstreams.len();
        let proxy = |place: usize| {
            let proxy = ProxyId::from_index(place);
            let workers =
                if topology.is_gateway(proxy) { description.gateway.concurrency } else { concurrency };
            Proxy::new(topology.site_of(id, proxy), workers, upstreams)
        };
        let cells_connect = sidecars == 0 || description.services.iter().any(|s| s.protocol == Protocol::Tcp);
        let service_of = |pod: u32| &description.application.services[topology.pods[PodId(pod)].service];
        let threads = |pod: u32| usize::from(service_of(pod).workers) * usize::from(service_of(pod).threads);
        let room = pods.clone().map(threads).sum::<usize>().clamp(16, MOST_ROOM);
        let cells = pods.clone().map(|pod| Cell::new(service_of(pod).workers));
        let mut inbound = ConnectionPools::with_capacity(if sidecars > 0 { room } else { 0 });
        for pod in pods.clone().take(sidecars) {
            let upstream = UpstreamId(topology.pods[PodId(pod)].service.0);
            let spec = topology.upstreams.spec(false, upstream);
            let breaker = inbound.add_breaker(spec.limits_of_server());
            inbound.add(usize::from(concurrency), Some(breaker), spec.protocol.shares_connections());
        }
        let cell_pools = pods.clone().map(|pod| {
            vec![None; if cells_connect { usize::from(service_of(pod).workers) * services } else { 0 }]
        });
        let ports = topology.ways.ports(id);
        let link = |&link: &u32| Link::new(description.links[link as usize].bits_per_second);
        let visitors = || topology.visitors(id).iter().copied();
        let users = |it: PopulationId| description.populations[it.index()].users;
        Self {
            id,
            hops: Slab::with_capacity(room),
            calls: Slab::with_capacity(room),
            proxies: (0..topology.proxies_in(id)).map(proxy).collect(),
            pools: ConnectionPools::with_capacity(room),
            inbound,
            cells: cells.collect(),
            cell_pools: cell_pools.collect(),
            changed_views: ChangedViews::default(),
            tables: vec![HashTables::default(); topology.sites_in(id).len() * upstreams],
            previous_hosts: PreviousHosts::default(),
            tunnels: BTreeMap::new(),
            deadlines: [(); 2].map(|()| vec![Deadlines::default(); topology.upstreams.routes()]),
            patience: SparseTable::new(),
            workloads: Workloads::new(id, topology),
            held: Slab::new(),
            failed: Vec::new(),
            links: ports.iter().map(link).collect(),
            access: visitors().map(|it| (it, AccessConnections::new(users(it)))).collect(),
            sessions: visitors().map(|it| (it, Sessions::default())).collect(),
            streams: visitors().filter_map(|it| Some((it, Box::new(topology.first_of(it, id)?.0)))).collect(),
            open_requests: Slab::with_capacity(room),
            recorder: Recorder::new(id, topology, slices),
            draws: 0,
        }
    }

    /// The cluster's proxies are told what is new of an endpoint.
    pub fn change_endpoint(&mut self, topology: &Topology, pod: PodId, news: EndpointNews, now: SimTime) {
        self.changed_views.change(topology, self.id, pod, news, now);
    }

    /// The endpoints of a service as kube-proxy sees them.
    #[must_use]
    pub fn ready_pods<'a>(&'a self, topology: &'a Topology, service: ServiceId) -> ReadyPods<'a> {
        self.changed_views.ready_pods(topology, service)
    }

    /// A pod closed all its connections at `closed`.
    pub fn close_connections(&mut self, pod: PodId, closed: SimTime) {
        self.pools.retire(pod);
        self.pools.server_closed(pod, closed);
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
