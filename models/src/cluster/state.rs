//! The state of one cluster.

use super::message::Response;
use super::workloads::Workloads;
use crate::application::call_graph::Protocol;
use crate::application::cell::Cell;
use crate::call::record::{Call, Hop};
use crate::ids::{ClusterId, PodId, PoolId, PopulationId, ProxyId, QueueId, ServiceId, UpstreamId};
use crate::mesh::connection_pool::ConnectionPools;
use crate::mesh::endpoint_view::EndpointView;
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
use crate::world::endpoints::{Known, SiteId};
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
    /// What its proxies see, by site and upstream, where it is no longer as before the run; empty if
    /// nothing has changed.
    pub changed_views: Vec<Option<EndpointView>>,
    /// Endpoints of the services of which one has changed.
    known: BTreeMap<ServiceId, Vec<Known>>,
    /// The ready ones among them.
    ready: BTreeMap<ServiceId, Vec<PodId>>,
    /// Changes of endpoints so far.
    changes: u32,
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
            changed_views: Vec::new(),
            known: BTreeMap::new(),
            ready: BTreeMap::new(),
            changes: 0,
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
        let service = topology.pods[pod].service;
        let known = self.known.entry(service).or_insert_with(|| topology.known(service).collect());
        if !news.change(known, topology, pod, now) {
            return;
        }
        let ready = known.iter().filter(|it| it.ready).map(|it| it.pod).collect();
        self.ready.insert(service, ready);
        self.changes += 1;
        let sites = topology.sites_in(self.id);
        let upstreams = topology.upstreams.len();
        self.changed_views.resize(sites.len() * upstreams, None);
        for (place, site) in sites.enumerate() {
            for id in
                topology.upstreams.ids().filter(|&id| topology.upstreams.spec(false, id).service == service)
            {
                let view = topology.make_view(SiteId::from_index(site), id, known, self.changes);
                self.changed_views[place * upstreams + id.index()] = Some(view);
            }
        }
    }

    /// A pod closed all its connections at `closed`.
    pub fn close_connections(&mut self, pod: PodId, closed: SimTime) {
        self.pools.retire(pod);
        self.pools.server_closed(pod, closed);
    }

    /// The endpoints of a service as kube-proxy sees them.
    #[must_use]
    pub fn ready_pods<'a>(&'a self, topology: &'a Topology, service: ServiceId) -> &'a [PodId] {
        match self.ready.get(&service) {
            Some(ready) => ready,
            None => topology.at_start(service),
        }
    }

    /// The place of a pool of worker process `worker` for `service` in `cell_pools`.
    #[must_use]
    pub fn cell_pool_index(worker: u16, service: ServiceId, services: usize) -> usize {
        usize::from(worker) * services + service.index()
    }
}

/// What is new of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointNews {
    /// There is a new one, on this site.
    Appears(SiteId),
    /// It is gone.
    Leaves,
    /// It is ready again.
    Ready,
    /// It is no longer ready.
    Unready,
}

impl EndpointNews {
    /// Changes what is known of a service's endpoints; tells whether anything did change.
    fn change(self, known: &mut Vec<Known>, topology: &Topology, pod: PodId, now: SimTime) -> bool {
        let place = known.iter().position(|it| it.pod == pod);
        let ready = match (self, place) {
            (Self::Appears(site), None) => {
                let after = known.partition_point(|it| it.pod < pod);
                let broken = topology.faults.of(pod).any(|it| it.removes_endpoint() && it.is_on(now));
                let weight = topology.pods[pod].weight;
                let (ready, added) = (!broken, Some(now));
                known.insert(after, Known { pod, site, weight, ready, was_ready: ready, added });
                return true;
            }
            (Self::Leaves, Some(place)) => {
                known.remove(place);
                return true;
            }
            // What is not there cannot leave; a fault of a place without a pod befalls nobody.
            (Self::Leaves | Self::Ready | Self::Unready, None) => return false,
            (Self::Appears(_) | Self::Ready, Some(_)) => true,
            (Self::Unready, Some(_)) => false,
        };
        let it = place.map(|place| &mut known[place]).expect("it is known");
        if it.ready == ready {
            return false;
        }
        it.ready = ready;
        if ready {
            // Envoy keeps the host, and when it first was healthy, where it stayed as unhealthy.
            let upstream = UpstreamId(topology.pods[pod].service.0);
            let stayed = topology.upstreams.spec(false, upstream).policy.unready_endpoints_sent;
            if !(stayed && it.was_ready) {
                it.added = Some(now);
            }
            it.was_ready = true;
        }
        true
    }
}

/// What the proxies of a site of cluster `here` see of an upstream.
#[must_use]
pub fn view_of<'a>(
    changed: &'a [Option<EndpointView>],
    topology: &'a Topology,
    here: ClusterId,
    site: SiteId,
    upstream: UpstreamId,
) -> &'a EndpointView {
    // Nothing has changed in most runs.
    if changed.is_empty() {
        return topology.view(site, upstream);
    }
    let place = site.index() - topology.sites_in(here).start;
    let now = changed[place * topology.upstreams.len() + upstream.index()].as_ref();
    now.unwrap_or_else(|| topology.view(site, upstream))
}

/// A cluster has room for as many calls as it has threads, but for no more than this, before it
/// allocates.
const MOST_ROOM: usize = 512;
