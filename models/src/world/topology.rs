//! The part of a world that never changes in a run, shared by all clusters.
//!
//! # Assumptions
//! - Pods stand on a cluster's nodes in turn, in the order of the deployments.
//! - Between two clusters messages take the path with the least delay; ties go to the fewest
//!   links. On a path of several links each link's queue is passed by whole messages, and only
//!   the first one by each TCP round. Effect: none with direct links.

use super::description::{DataPlane, Description};
use crate::application::call_graph::Application;
use crate::draws::Draws;
use crate::ids::{ClusterId, ContainerId, EndpointId, HostId, PodId, ProxyId, ServiceId};
use crate::mesh::endpoint_view::EndpointView;
use crate::mesh::proxy_cost::{ProxyPass, Side};
use crate::network::path::Path;
use meshsim_core::random::LogNormal;
use meshsim_core::{Id, Table};
use std::ops::Range;

/// Priority levels that a view keeps: nothing makes an endpoint unhealthy, so that the first one
/// has all the load.
const LEVELS_KEPT: u32 = 1;

/// What all clusters may read.
#[derive(Debug)]
pub struct Topology {
    /// The scenario in plain values.
    pub description: Description,
    /// The random numbers of this replication.
    pub draws: Draws,
    /// All pods, those of a cluster together.
    pub pods: Table<PodId, Pod>,
    /// Pods of each cluster.
    pods_of: Table<ClusterId, Range<u32>>,
    /// By cluster and service.
    views: Vec<EndpointView>,
    /// All endpoints of each service, as kube-proxy sees them.
    everywhere: Table<ServiceId, Vec<PodId>>,
    /// By cluster and cluster.
    routes: Vec<Option<Route>>,
    /// Passing a gateway.
    pub gateway_pass: ProxyPass,
    /// Passing a sidecar on the client's side.
    pub outbound_pass: ProxyPass,
    /// Passing a sidecar on the server's side.
    pub inbound_pass: ProxyPass,
    /// Spread of the CPU time at equal work, if there is any.
    pub speed: Option<LogNormal>,
}

/// A pod.
#[derive(Clone, Copy, Debug)]
pub struct Pod {
    /// What it runs.
    pub service: ServiceId,
    /// Where it runs.
    pub cluster: ClusterId,
    /// The host of its node.
    pub host: HostId,
    /// Its container, numbered within the process of its cluster.
    pub container: ContainerId,
    /// CPU limit (cores).
    pub cpu_limit: Option<f64>,
}

/// The way from a cluster to another.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// As TCP sees it.
    pub path: Path,
    /// The link that leaves the cluster (index into the description's links).
    pub link: u32,
    /// Where that link leads.
    pub next: ClusterId,
}

impl Topology {
    /// Places the pods and computes every view and route.
    #[must_use]
    pub fn new(description: Description, replication: u32) -> Self {
        let (pods, pods_of) = place_pods(&description);
        let mut everywhere: Table<ServiceId, Vec<PodId>> =
            description.application.services.iter().map(|_| Vec::new()).collect();
        for (id, pod) in pods.enumerate() {
            everywhere[pod.service].push(id);
        }
        let mut topology = Self {
            draws: Draws::new(description.seed, replication),
            pods,
            pods_of,
            views: Vec::new(),
            everywhere,
            routes: find_routes(&description),
            gateway_pass: ProxyPass::new(description.gateway.cost, Side::Client),
            outbound_pass: ProxyPass::new(description.mesh.outbound, Side::Client),
            inbound_pass: ProxyPass::new(description.mesh.inbound, Side::Server),
            speed: (description.cell.speed_spread > 0.0)
                .then(|| LogNormal::new(1.0, description.cell.speed_spread)),
            description,
        };
        topology.views = topology.make_views();
        topology
    }

    /// The application.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.description.application
    }

    /// Whether every pod has a sidecar.
    #[must_use]
    pub fn has_sidecars(&self) -> bool {
        self.description.mesh.data_plane == DataPlane::Sidecar
    }

    /// Whether proxies encrypt what they send each other.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        self.has_sidecars() && self.description.mesh.mtls
    }

    /// The pods of a cluster.
    #[must_use]
    pub fn pods_of(&self, cluster: ClusterId) -> Range<u32> {
        self.pods_of[cluster].clone()
    }

    /// The place of a pod among those of its cluster.
    #[must_use]
    pub fn slot_of(&self, pod: PodId) -> usize {
        (pod.0 - self.pods_of[self.pods[pod].cluster].start) as usize
    }

    /// A pod's sidecar: gateways come first.
    #[must_use]
    pub fn sidecar_of(&self, pod: PodId) -> ProxyId {
        ProxyId::from_index(usize::from(self.description.gateway.replicas) + self.slot_of(pod))
    }

    /// The service of an endpoint.
    #[must_use]
    pub fn service_of(&self, endpoint: EndpointId) -> ServiceId {
        self.application().endpoints[endpoint].service
    }

    /// What the proxies of a cluster see of a service.
    #[must_use]
    pub fn view(&self, cluster: ClusterId, service: ServiceId) -> &EndpointView {
        &self.views[cluster.index() * self.application().services.len() + service.index()]
    }

    /// All endpoints of a service.
    #[must_use]
    pub fn everywhere(&self, service: ServiceId) -> &[PodId] {
        &self.everywhere[service]
    }

    /// The way from a cluster to another, if there is one.
    #[must_use]
    pub fn route(&self, from: ClusterId, to: ClusterId) -> Option<&Route> {
        self.routes[from.index() * self.description.clusters.len() + to.index()].as_ref()
    }

    /// The network between a cluster's proxies or pods and those of another or the same.
    ///
    /// # Panics
    /// If there is no way, which `resolve` refuses.
    #[must_use]
    pub fn path(&self, from: ClusterId, to: ClusterId) -> Path {
        if from == to {
            let spec = &self.description.clusters[from];
            return Path {
                round_trip: spec.local_delay * 2,
                one_way: spec.local_delay,
                bits_per_second: spec.local_bits_per_second,
                mtu: spec.mtu,
                tunnel_overhead: 0,
            };
        }
        self.route(from, to).expect("clusters that call each other are connected").path
    }

    fn make_views(&self) -> Vec<EndpointView> {
        let clusters = &self.description.clusters;
        let failover = self.has_sidecars() && self.description.mesh.locality_failover;
        let endpoints: Vec<Vec<(PodId, ClusterId)>> = self
            .everywhere
            .iter()
            .map(|pods| pods.iter().map(|&pod| (pod, self.pods[pod].cluster)).collect())
            .collect();
        let locality_of = |cluster: ClusterId| clusters[cluster].locality.clone();
        clusters
            .iter()
            .flat_map(|proxy| {
                endpoints.iter().map(|of_service| {
                    EndpointView::new(&proxy.locality, of_service, locality_of, failover, LEVELS_KEPT)
                })
            })
            .collect()
    }
}

fn place_pods(description: &Description) -> (Table<PodId, Pod>, Table<ClusterId, Range<u32>>) {
    let mut pods: Table<PodId, Pod> = Table::new();
    let mut ranges = Table::new();
    for (cluster, spec) in description.clusters.enumerate() {
        let first = pods.len();
        for deployment in description.deployments.iter().filter(|d| d.cluster == cluster) {
            for _ in 0..deployment.replicas {
                let node = (pods.len() - first) % spec.nodes.len();
                pods.push(Pod {
                    service: deployment.service,
                    cluster,
                    host: spec.nodes[node],
                    container: ContainerId(0),
                    cpu_limit: deployment.cpu_limit.map(|cores| cores.0),
                });
            }
        }
        ranges.push(first as u32..pods.len() as u32);
    }
    (pods, ranges)
}

/// Least delays from every cluster to every other, by relaxing all links until nothing changes.
fn find_routes(description: &Description) -> Vec<Option<Route>> {
    let n = description.clusters.len();
    let mut routes: Vec<Option<Route>> = vec![None; n * n];
    for (index, link) in description.links.iter().enumerate() {
        for [from, to] in [link.between, [link.between[1], link.between[0]]] {
            let route = Route { path: path_of(link), link: index as u32, next: to };
            let place = &mut routes[from.index() * n + to.index()];
            if place.is_none_or(|known| route.path.round_trip < known.path.round_trip) {
                *place = Some(route);
            }
        }
    }
    for via in 0..n {
        for from in (0..n).filter(|&from| from != via) {
            let Some(first) = routes[from * n + via] else { continue };
            for to in (0..n).filter(|&to| to != from && to != via) {
                let Some(second) = routes[via * n + to] else { continue };
                let path = join(&first.path, &second.path);
                let place = &mut routes[from * n + to];
                if place.is_none_or(|known| path.round_trip < known.path.round_trip) {
                    *place = Some(Route { path, ..first });
                }
            }
        }
    }
    routes
}

fn path_of(link: &super::description::LinkSpec) -> Path {
    Path {
        round_trip: link.round_trip,
        one_way: link.round_trip / 2,
        bits_per_second: link.bits_per_second,
        mtu: link.mtu,
        tunnel_overhead: link.tunnel_overhead,
    }
}

fn join(first: &Path, second: &Path) -> Path {
    Path {
        round_trip: first.round_trip + second.round_trip,
        one_way: first.one_way + second.one_way,
        bits_per_second: first.bits_per_second.min(second.bits_per_second),
        mtu: first.mtu.min(second.mtu),
        tunnel_overhead: first.tunnel_overhead.max(second.tunnel_overhead),
    }
}
