//! The part of a world that never changes in a run, shared by all clusters.

use super::access::Access;
use super::description::{DataPlane, Deployment, Description};
use super::federation::is_tunnel;
use super::flows::Flows;
use super::placement::{Placed, addresses, by_service, deployments_by_cluster, place_pods};
use crate::application::call_graph::{Application, Protocol};
use crate::application::service_time::ServiceTime;
use crate::draws::{Draws, Purpose, draw};
use crate::envoy::endpoint_list::EndpointList;
use crate::envoy::endpoint_view::EndpointView;
use crate::envoy::proxies::ProxyPasses;
use crate::envoy::proxies::{Proxies, ProxyKind};
use crate::faults::link::{LinkFault, LinkFaultKind};
use crate::faults::outage::{Outage, Outages};
use crate::faults::pod::{PodFault, PodFaults};
use crate::faults::repeated::RepeatedFault;
use crate::ids::{ClusterId, EndpointId, HostId, PodId, PopulationId, ProxyId, ServiceId, UpstreamId};
use crate::istiod::endpoints::{Change, Known, Order, Site, SiteId, levels_for, list_of, sent_to, sites};
use crate::istiod::settings::IstiodSettings;
use crate::istiod::upstreams::Upstreams;
use crate::kubernetes::settings::StartWhen;
use crate::liqo::gateway_replicas::takes_over_after;
use crate::multi_network::endpoints::{
    NetworkDestination, NetworkEndpoint, NetworkGateway, NetworkGateways, NetworkProxy,
};
use crate::network::link_state::LinkStates;
use crate::network::path::Path;
use crate::network::retransmission::{Fate, of_segment};
use crate::network::tcp::{Loss, TcpSettings};
use crate::network::ways::{NextHop, Ways};
use crate::pod_id::{PodAddresses, PodIds};
use crate::users::mobility::Whereabouts;
use crate::users::stream::{Stream, StreamSource};
use meshsim_core::random::{Address, LogNormal, uniform};
use meshsim_core::{Id, SimDuration, SimTime, Table};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// What all clusters may read.
#[derive(Debug)]
pub struct Topology {
    /// The scenario in plain values.
    pub description: Description,
    /// The random numbers of this replication.
    pub draws: Draws,
    /// What the number of a pod says.
    pub pod_ids: PodIds,
    /// The addresses of pods.
    pub addresses: PodAddresses,
    /// The pods that run from the start, those of a cluster together.
    placed: Vec<Placed>,
    /// Where those of each cluster are.
    placed_in: Table<ClusterId, Range<usize>>,
    /// The Deployments of each cluster, by their numbers in the description and in that order.
    pub deployments_in: Table<ClusterId, Vec<usize>>,
    /// The same by service.
    deployments_of: Table<ClusterId, Vec<(ServiceId, usize)>>,
    /// The populations whose users are ever at each cluster, in ascending order.
    visitors: Table<ClusterId, Vec<PopulationId>>,
    /// What proxies are told of what they call, and of its routes.
    pub upstreams: Upstreams,
    /// Who may call whom.
    pub flows: Flows,
    /// Where proxies see the same endpoints.
    pub sites: Table<SiteId, Site>,
    /// The site of each node, by cluster.
    sites_of: Table<ClusterId, Vec<SiteId>>,
    /// By site and upstream, while no endpoint has changed; made when they are first looked at.
    views: Vec<OnceLock<EndpointView>>,
    /// What the views of an upstream share, where they do: the list of its endpoints, made when it is first needed.
    lists: Table<UpstreamId, (Order, OnceLock<Arc<EndpointList>>)>,
    /// Where users are, by population; nothing for those who stay.
    whereabouts: Vec<Option<Whereabouts>>,
    /// What goes wrong with pods.
    pub faults: PodFaults,
    /// What goes wrong with clusters, nodes and control planes.
    pub outages: Outages,
    /// The faults of pods and links that are named as such; empty unless decisions are kept.
    pub named_faults: NamedFaults,
    /// The service whose Service the pods of each stand behind.
    fronts: Table<ServiceId, ServiceId>,
    /// The endpoints that each service has at the start, as kube-proxy sees them; those of a version are the service's.
    at_start: Table<ServiceId, AtStart>,
    /// The services whose pods come and go, or that have pods without a node at the start.
    changing: Table<ServiceId, bool>,
    /// The number of each host within its process.
    pub local_hosts: Table<HostId, HostId>,
    /// When links and API servers change, in the order of time, where Liqo notices that.
    changes_of_peers: Vec<SimTime>,
    /// How messages go from cluster to cluster.
    pub ways: Ways,
    /// What the links on these ways are like at a time.
    pub links: LinkStates,
    /// Who speaks mTLS with whom, and what is refused.
    pub access: Access,
    /// The gateways before each cluster's pods, where clusters are networks of their own.
    networks: Option<NetworkGateways<ClusterId, ClusterId>>,
    /// What passing a proxy takes.
    pub passes: ProxyPasses,
    /// Spread of the CPU time at equal work, if there is any.
    pub speed: Option<LogNormal>,
    /// Whether the connections of some client's processes are limited.
    limits_clients: bool,
    /// Whether some service speaks UDP.
    has_datagrams: bool,
    /// Whether some service speaks plain TCP.
    has_tcp: bool,
    /// Whether some proxy may be without a certificate at some time.
    pub certificates_may_end: bool,
}

/// The faults of pods and links, each as often as it comes.
#[derive(Clone, Debug, Default)]
pub struct NamedFaults {
    /// Of pods.
    pub pods: Vec<PodFault>,
    /// Of links.
    pub links: Vec<LinkFault>,
}

/// The pods behind a Service that run from the start, in ascending order.
#[derive(Clone, Debug, Default)]
struct AtStart {
    pods: Vec<PodId>,
    /// The node of each, counted within its cluster.
    nodes: Vec<u32>,
}

impl Topology {
    /// Places the pods and computes every view and route.
    #[must_use]
    pub fn new(mut description: Description, replication: u32) -> Self {
        let draws = Draws::new(description.seed, replication);
        let nodes = description.clusters.iter().map(|it| it.nodes.len());
        let replicas = description.istiod_pace().map_or(1, |it| it.replicas);
        let outages = Outages::new(outages(&description, draws), nodes, replicas);
        if !outages.is_empty() {
            for it in &mut description.populations {
                it.lose_ingress(&outages.ingress_losses(it.cluster));
            }
        }
        let (sites, sites_of) = sites(&description);
        let deployments_in = deployments_by_cluster(&description);
        let services = &description.application.services;
        let pod_ids = PodIds::new(description.clusters.len(), services.len());
        let (placed, placed_in) = place_pods(&description, pod_ids, &deployments_in);
        let fronts: Table<ServiceId, ServiceId> = services.ids().map(|it| description.front_of(it)).collect();
        let mut at_start: Table<ServiceId, AtStart> = services.iter().map(|_| AtStart::default()).collect();
        let mut in_order: Vec<&Placed> = placed.iter().collect();
        in_order.sort_by_key(|it| it.pod);
        for it in in_order {
            let of_service = &mut at_start[fronts[pod_ids.service_of(it.pod)]];
            of_service.pods.push(it.pod);
            of_service.nodes.push(it.node);
        }
        let changing = changing(&description, &at_start);
        let mut faults = pod_faults(&description, &at_start, pod_ids, draws);
        let mut cuts = link_faults(&description, draws);
        let named_faults = match description.keeps_decisions {
            true => NamedFaults { pods: faults.clone(), links: cuts.clone() },
            false => NamedFaults::default(),
        };
        let services = description.application.services.len();
        faults.extend(outages.all().iter().flat_map(|it| it.of_pods(services)));
        cuts.extend(
            outages.all().iter().flat_map(|it| it.of_links(description.links.iter().map(|it| it.between))),
        );
        cuts.extend(tunnel_cuts(&description, outages.all(), draws));
        let populations = description.populations.iter().enumerate();
        let (links, is_used) = description.links_of_pods();
        let link_states = LinkStates::new(&links, &cuts);
        let is_always_reached = outages.is_empty() && link_states.are_always_up();
        let upstreams = Upstreams::new(&description);
        let order = |id| {
            let spec = upstreams.spec(false, id);
            // Of a service outside the clusters, and of gateways before other networks, each sees its own.
            let few = description.east_west().is_some()
                || at_start[spec.service].pods.len() < SHARED_FROM
                || description.services[spec.service].external;
            if few { Order::Other } else { Order::of(spec) }
        };
        Self {
            has_datagrams: description.services.iter().any(|it| it.protocol == Protocol::Udp),
            has_tcp: description.services.iter().any(|it| it.protocol == Protocol::Tcp),
            limits_clients: description.application.services.iter().any(|it| it.pool_size.is_some()),
            lists: upstreams.ids().map(|id| (order(id), OnceLock::new())).collect(),
            views: (0..sites.len() * upstreams.len()).map(|_| OnceLock::new()).collect(),
            whereabouts: populations
                .map(|(id, it)| Whereabouts::new(it, PopulationId::from_index(id), draws))
                .collect(),
            upstreams,
            flows: Flows::new(&description),
            sites,
            sites_of,
            faults: PodFaults::new(faults, pod_ids),
            draws,
            pod_ids,
            addresses: addresses(&description, pod_ids, &deployments_in),
            placed,
            placed_in,
            deployments_of: by_service(&description, &deployments_in),
            deployments_in,
            visitors: visitors(&description),
            fronts,
            at_start,
            changing,
            local_hosts: description.hosts.ids().collect(),
            changes_of_peers: changes_of_peers(&description, &cuts, outages.all()),
            certificates_may_end: description.certificates_may_end(is_always_reached),
            links: link_states,
            access: Access::new(&description),
            ways: Ways::over(description.clusters.len(), &links, |link| is_used[link as usize]),
            networks: description.east_west().map(|_| {
                let gateway = |cluster| NetworkGateway {
                    network: cluster,
                    cluster,
                    address: address_of(cluster),
                    port: EAST_WEST_PORT,
                };
                NetworkGateways::new(description.clusters.ids().map(gateway))
            }),
            passes: ProxyPasses::new(&description),
            speed: (description.cell.speed_spread > 0.0)
                .then(|| LogNormal::new(1.0, description.cell.speed_spread)),
            outages,
            named_faults,
            description,
        }
    }

    /// Whether the connections of some client's processes are limited.
    #[inline]
    #[must_use]
    pub const fn limits_clients(&self) -> bool {
        self.limits_clients
    }

    /// The law of the CPU time of an endpoint's requests, if one says it.
    #[must_use]
    #[inline]
    pub fn service_time_of(&self, endpoint: EndpointId) -> Option<&ServiceTime> {
        self.application().endpoints[endpoint].service_time.as_ref()
    }

    /// The application.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.description.application
    }

    /// Whether pods have sidecars, unless they are left out.
    #[must_use]
    pub fn has_sidecars(&self) -> bool {
        self.description.mesh.data_plane == DataPlane::Sidecar
    }

    /// Whether what comes to a pod passes a sidecar.
    #[must_use]
    #[inline]
    pub fn has_sidecar(&self, pod: PodId) -> bool {
        self.access.is_injected(self.pod_ids.service_of(pod))
    }

    /// Whether what a service, or a gateway, sends to another one has mTLS at both ends.
    #[must_use]
    pub fn is_mutual(&self, caller: Option<ServiceId>, called: ServiceId) -> bool {
        self.encrypts() && (self.is_ambient() || self.access.is_encrypted(caller, called))
    }

    /// Whether what comes to a pod passes its sidecar.
    #[must_use]
    #[inline]
    pub fn is_behind_sidecar(&self, pod: PodId) -> bool {
        self.has_sidecar(pod) && !self.takes_datagrams(pod)
    }

    /// Whether any service speaks UDP.
    #[must_use]
    pub const fn has_datagrams(&self) -> bool {
        self.has_datagrams
    }

    /// Whether any service speaks plain TCP: their clients' own connections lead to it, past their sidecars.
    #[must_use]
    pub const fn has_tcp(&self) -> bool {
        self.has_tcp
    }

    /// Whether a service speaks UDP.
    #[must_use]
    #[inline]
    pub fn is_datagram(&self, service: ServiceId) -> bool {
        self.has_datagrams && self.description.services[service].protocol == Protocol::Udp
    }

    /// Whether what comes to a pod are datagrams.
    #[must_use]
    #[inline]
    pub fn takes_datagrams(&self, pod: PodId) -> bool {
        self.has_datagrams && self.is_datagram(self.pod_ids.service_of(pod))
    }

    /// Whether what comes to a pod passes a ztunnel.
    #[must_use]
    #[inline]
    pub fn has_ztunnel(&self, pod: PodId) -> bool {
        self.is_ambient() && !self.is_outside(pod) && !self.takes_datagrams(pod)
    }

    /// Whether nodes have ztunnels instead of sidecars.
    #[must_use]
    pub fn is_ambient(&self) -> bool {
        self.description.mesh.data_plane == DataPlane::Ambient
    }

    /// Whether proxies encrypt what they send each other.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        self.description.mesh.data_plane != DataPlane::None && self.description.mesh.mtls
    }

    /// The pods of a cluster that run from the start: each has its index here as its slot in the cluster.
    #[must_use]
    pub fn pods_at_start(&self, cluster: ClusterId) -> &[Placed] {
        &self.placed[self.placed_in[cluster].clone()]
    }

    /// Whether a pod is outside the mesh: nothing stands before it.
    #[must_use]
    #[inline]
    pub fn is_outside(&self, pod: PodId) -> bool {
        self.description.services[self.pod_ids.service_of(pod)].external
    }

    /// The service whose Service a pod stands behind: what it runs, unless that is a version of another one.
    #[must_use]
    #[inline]
    pub fn front_of(&self, pod: PodId) -> ServiceId {
        self.fronts[self.pod_ids.service_of(pod)]
    }

    /// What the description says of a pod's Deployment, if it knows of one: of several of one service, that whose share
    /// of the ordinals it has, else the last.
    #[must_use]
    pub fn deployment_of(&self, pod: PodId) -> Option<&Deployment> {
        let (cluster, service) = (self.pod_ids.cluster_of(pod), self.pod_ids.service_of(pod));
        let all = &self.deployments_of[cluster];
        let of_service = &all[all.partition_point(|(of, _)| *of < service)..];
        let of_service = of_service.iter().take_while(|(of, _)| *of == service);
        let mut ordinal = self.pod_ids.ordinal_of(pod);
        let mut last = None;
        for it in of_service.map(|&(_, number)| &self.description.deployments[number]) {
            last = Some(it);
            if ordinal < it.replicas {
                break;
            }
            ordinal -= it.replicas;
        }
        last
    }

    /// Whether the proxies of a cluster reach a pod through an east-west gateway.
    #[must_use]
    pub fn is_behind_gateway(&self, here: ClusterId, pod: PodId) -> bool {
        self.networks.is_some() && self.pod_ids.cluster_of(pod) != here
    }

    /// The host by which the proxies of a cluster know a pod: itself, or the gateway before it.
    #[must_use]
    pub fn host_of(&self, here: ClusterId, pod: PodId) -> PodId {
        match self.is_behind_gateway(here, pod) {
            true => self.pod_ids.behind_gateway(self.pod_ids.cluster_of(pod), self.pod_ids.service_of(pod)),
            false => pod,
        }
    }

    /// What the proxies of a site are told of these endpoints, in ascending order: the gateways before those of other
    /// networks, of each version of a service by itself.
    fn through_gateways(&self, site: SiteId, known: Vec<Known>) -> Vec<Known> {
        let Some(networks) = &self.networks else { return known };
        let here = self.sites[site].cluster;
        let proxy = NetworkProxy { network: Some(here), ipv4: true, ipv6: false };
        let cluster_of = |it: &Known| self.pod_ids.cluster_of(it.pod);
        let versions: BTreeSet<ServiceId> = known.iter().map(|it| self.pod_ids.service_of(it.pod)).collect();
        let mut told: Vec<Known> = Vec::new();
        for version in versions {
            let of_version = known.iter().filter(|it| self.pod_ids.service_of(it.pod) == version);
            // A gateway passes nothing on to a pod that is not ready.
            let known: Vec<Known> =
                of_version.copied().filter(|it| it.ready || cluster_of(it) == here).collect();
            let endpoint = |it: &Known| NetworkEndpoint {
                network: Some(cluster_of(it)),
                cluster: cluster_of(it),
                has_address: true,
                weight: it.weight,
                mtls: self.access.has_mtls(version),
            };
            let endpoints: Vec<_> = known.iter().map(endpoint).collect();
            let seen = networks.seen_by(&proxy, &endpoints).into_iter();
            told.extend(seen.filter_map(|(destination, weight)| match destination {
                NetworkDestination::Endpoint(index) => Some(Known { weight, ..known[index] }),
                NetworkDestination::Gateway(address, _) => {
                    let first = known.partition_point(|it| address_of(cluster_of(it)) < address);
                    let first = known.get(first)?;
                    let pod = self.pod_ids.behind_gateway(cluster_of(first), version);
                    Some(Known { pod, weight, added: None, ..*first })
                }
            }));
        }
        told.sort_unstable_by_key(|it| it.pod);
        told
    }

    /// Load balancing weight of a pod's endpoint.
    #[must_use]
    pub fn weight_of(&self, pod: PodId) -> u32 {
        self.deployment_of(pod).map_or(1, |it| it.weight)
    }

    /// Draw number `n` of the pods that have a pod's number.
    #[must_use]
    pub fn draws_of_pod(&self, pod: PodId, n: u64) -> Address {
        self.draws.of_pod(self.addresses.number_of(pod), n)
    }

    /// Whether a pod's application burns CPU once it is ready.
    #[must_use]
    pub fn burns_after_ready(&self, pod: PodId) -> bool {
        let workload = self.description.kubernetes.workload(self.pod_ids.service_of(pod));
        workload.start.is_some_and(|it| it.when == StartWhen::AfterReady)
    }

    /// The service of an endpoint.
    #[must_use]
    pub fn service_of(&self, endpoint: EndpointId) -> ServiceId {
        self.application().endpoints[endpoint].service
    }

    /// What the proxies of a site see of an upstream while no endpoint has changed.
    #[must_use]
    #[inline(always)]
    pub fn view(&self, site: SiteId, upstream: UpstreamId) -> &EndpointView {
        match self.views[site.index() * self.upstreams.len() + upstream.index()].get() {
            Some(view) => view,
            None => self.first_view(site, upstream),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_view(&self, site: SiteId, upstream: UpstreamId) -> &EndpointView {
        let view = &self.views[site.index() * self.upstreams.len() + upstream.index()];
        view.get_or_init(|| self.make_view(site, upstream, &[], 0))
    }

    /// The site of a node.
    #[must_use]
    pub fn site_of_node(&self, cluster: ClusterId, node: u32) -> SiteId {
        self.sites_of[cluster][node as usize]
    }

    /// The sites of a cluster.
    #[must_use]
    pub fn sites_in(&self, cluster: ClusterId) -> Range<usize> {
        let of = &self.sites_of[cluster];
        let last = of.iter().max().expect("a cluster has a node");
        of[0].index()..last.index() + 1
    }

    /// The row of a site and an upstream in a cluster's tables by both.
    #[must_use]
    pub fn row_in(&self, cluster: ClusterId, site: SiteId, upstream: UpstreamId) -> usize {
        (site.index() - self.sites_in(cluster).start) * self.upstreams.len() + upstream.index()
    }

    /// The proxies of a cluster before anything has happened.
    #[must_use]
    pub fn proxies_of(&self, cluster: ClusterId) -> Proxies {
        let pods = self.pods_at_start(cluster).iter().map(|it| (it.pod, it.node));
        Proxies::new(cluster, &self.description, pods, |node| self.site_of_node(cluster, node))
    }

    /// Memory of an Envoy (bytes), with as many pods and endpoints as there are at the start.
    #[must_use]
    pub fn memory_of_proxy(&self) -> f64 {
        let endpoints = self.at_start.iter().map(|it| it.pods.len()).sum();
        let services = self.description.services.iter().filter(|it| it.version_of.is_none()).count();
        self.description.mesh.memory.of(services, endpoints)
    }

    /// Memory of all proxies of a cluster (bytes), with as many pods and endpoints as there are at the start.
    #[must_use]
    pub fn proxy_memory(&self, proxies: &Proxies) -> f64 {
        let each = self.memory_of_proxy();
        let is_ztunnel = |&proxy: &ProxyId| matches!(proxies[proxy].kind, ProxyKind::Ztunnel(_));
        let ztunnels = proxies.ids().filter(is_ztunnel).count();
        let was_there = |&proxy: &ProxyId| match proxies[proxy].kind {
            ProxyKind::Sidecar(pod) => self.node_at_start(pod).is_some() && self.has_sidecar(pod),
            ProxyKind::Gateway | ProxyKind::EastWest | ProxyKind::Ztunnel(_) | ProxyKind::Waypoint(_) => true,
        };
        let envoys = proxies.ids().filter(was_there).count() - ztunnels;
        envoys as f64 * each + ztunnels as f64 * ZTUNNEL_MEMORY
    }

    /// All endpoints of a service as istiod knows them before the run, in ascending order.
    pub fn known(&self, service: ServiceId) -> impl Iterator<Item = Known> {
        let AtStart { pods, nodes } = &self.at_start[service];
        pods.iter().zip(nodes).map(|(&pod, &node)| self.known_on(pod, node))
    }

    /// The same as a site is told: of a service outside the clusters, that of its own cluster.
    fn known_from(&self, site: SiteId, service: ServiceId) -> impl Iterator<Item = Known> {
        let external = self.description.services[service].external;
        let here = self.sites[site].cluster;
        self.known(service).filter(move |it| !external || self.pod_ids.cluster_of(it.pod) == here)
    }

    /// An endpoint as istiod knows it before the run, if it does.
    #[must_use]
    pub fn known_at_start(&self, pod: PodId) -> Option<Known> {
        self.node_at_start(pod).map(|node| self.known_on(pod, node))
    }

    /// The node of a pod that runs from the start.
    fn node_at_start(&self, pod: PodId) -> Option<u32> {
        let AtStart { pods, nodes } = &self.at_start[self.front_of(pod)];
        pods.binary_search(&pod).ok().map(|found| nodes[found])
    }

    /// An endpoint on a node as istiod knows it before the run.
    fn known_on(&self, pod: PodId, node: u32) -> Known {
        let site = self.site_of_node(self.pod_ids.cluster_of(pod), node);
        // One that is not ready from the first moment on never was.
        let was_ready = !self.faults.is_unready(pod, SimTime::ZERO);
        Known { pod, site, node, weight: self.weight_of(pod), ready: true, was_ready, added: None }
    }

    /// The view of the proxies of a site over all endpoints of an upstream, of which these have changed (in ascending
    /// order).
    #[must_use]
    pub fn make_view(
        &self,
        site: SiteId,
        upstream: UpstreamId,
        changes: &[Change],
        generation: u32,
    ) -> EndpointView {
        let spec = self.upstreams.spec(false, upstream);
        let (order, list) = &self.lists[upstream];
        let (most, threshold) = (self.levels_kept(upstream), spec.panic_threshold);
        if *order == Order::Other {
            let known = changed(self.known_from(site, spec.service), changes);
            let known = self.through_gateways(site, known);
            let endpoints = sent_to(&self.description, &self.sites, site, spec, &known);
            return EndpointView::new(endpoints, most, threshold, generation);
        }
        let list = list.get_or_init(|| {
            Arc::new(list_of(&self.description, &self.sites, spec, self.known(spec.service)))
        });
        let levels = levels_for((&self.description, &self.sites), site, (spec, *order), list, changes);
        EndpointView::shared(list, levels, most, threshold, generation)
    }

    /// Priority levels that a view keeps: only the first while nothing can make an endpoint
    /// unhealthy.
    fn levels_kept(&self, upstream: UpstreamId) -> u32 {
        let spec = self.upstreams.spec(false, upstream);
        let endpoints = self.at_start(spec.service).len() as u32;
        let ejects = spec.outlier_detection.is_some_and(|it| it.can_eject(endpoints));
        let changes = !self.faults.is_empty()
            || !self.outages.is_empty()
            || self.changing[spec.service]
            || self.watches_peers();
        if ejects || changes { u32::MAX } else { 1 }
    }

    /// The endpoints that a service has at the start.
    #[must_use]
    pub fn at_start(&self, service: ServiceId) -> &[PodId] {
        &self.at_start[service].pods
    }

    /// The way from a cluster to another, if there is one.
    #[must_use]
    pub fn route(&self, from: ClusterId, to: ClusterId) -> Option<NextHop> {
        self.ways.route(from, to)
    }

    /// The network between a cluster's proxies or pods and those of another or the same, for what leaves at `now`.
    ///
    /// # Panics
    /// If there is no way, which `resolve` refuses.
    #[must_use]
    #[inline]
    pub fn path(&self, from: ClusterId, to: ClusterId, now: SimTime) -> Path {
        if from == to {
            return self.path_within(from);
        }
        let path = self.route(from, to).expect("clusters that call each other are connected").path;
        if self.links.are_never_worse() { path } else { self.path_now(from, to, path, now) }
    }

    /// The network between two pods of a cluster.
    #[must_use]
    #[inline]
    pub fn path_within(&self, cluster: ClusterId) -> Path {
        let spec = &self.description.clusters[cluster];
        Path {
            round_trip: spec.local_delay * 2,
            one_way: spec.local_delay,
            bits_per_second: spec.local_bits_per_second,
            mtu: spec.mtu,
            tunnel_overhead: 0,
        }
    }

    /// A path between clusters as its links are now.
    #[cold]
    fn path_now(&self, from: ClusterId, to: ClusterId, path: Path, now: SimTime) -> Path {
        let nothing = SimDuration::ZERO;
        let mut now_is =
            Path { one_way: nothing, round_trip: nothing, bits_per_second: f64::INFINITY, ..path };
        for (here, route) in self.way(from, to) {
            let there = self.links.at(route.link, route.next, now);
            let back = self.links.at(route.link, here, now);
            now_is.one_way += there.delay;
            now_is.round_trip += there.delay + back.delay;
            now_is.bits_per_second = now_is.bits_per_second.min(there.bits_per_second);
        }
        now_is
    }

    /// The steps from a cluster to another, each with where it begins.
    pub(crate) fn way(&self, from: ClusterId, to: ClusterId) -> impl Iterator<Item = (ClusterId, NextHop)> {
        let mut here = from;
        std::iter::from_fn(move || {
            let route = (here != to).then(|| self.route(here, to)).flatten()?;
            Some((std::mem::replace(&mut here, route.next), route))
        })
    }

    /// Whether a pod, a link or a node swallows packets at any time.
    #[must_use]
    #[inline]
    pub fn swallows(&self) -> bool {
        self.faults.swallows() || !self.links.are_always_up() || self.outages.lose_nodes()
    }

    /// Whether anything may happen to the peers of a cluster that Liqo would notice.
    #[must_use]
    pub fn watches_peers(&self) -> bool {
        self.description.liqo().is_some()
            && (!self.links.are_always_up()
                || !self.links.are_never_worse()
                || self.outages.stop_api_servers())
    }

    /// When something last changed that Liqo notices of peers, at `now` or before, and when it does next; never is
    /// [`SimTime::MAX`].
    #[must_use]
    pub fn changes_around(&self, now: SimTime) -> (SimTime, SimTime) {
        let next = self.changes_of_peers.partition_point(|at| *at <= now);
        let last = next.checked_sub(1).map_or(SimTime::ZERO, |last| self.changes_of_peers[last]);
        (last, self.changes_of_peers.get(next).copied().unwrap_or(SimTime::MAX))
    }

    /// Whether the way between two clusters loses segments at `now`, one way or the other.
    #[must_use]
    pub fn loses_between(&self, a: ClusterId, b: ClusterId, now: SimTime) -> bool {
        let loses = |from, to| {
            self.way(from, to).any(|(_, route)| self.links.at(route.link, route.next, now).loss > 0.0)
        };
        loses(a, b) || loses(b, a)
    }

    /// Whether anything may happen to the nodes of a cluster, those that stand for its providers among them.
    #[must_use]
    pub fn watches_nodes(&self, cluster: ClusterId) -> bool {
        let has_providers =
            || self.description.liqo().is_some_and(|it| it.providers_of(cluster).next().is_some());
        self.outages.lose_nodes_of(cluster) || (self.watches_peers() && has_providers())
    }

    /// Whether the way from a cluster to another one leads over a third.
    #[must_use]
    pub fn leads_over(&self, from: ClusterId, to: ClusterId, over: ClusterId) -> bool {
        from != over && self.way(from, to).any(|(here, _)| here == over)
    }

    /// Whether a link on the way from one cluster to another swallows packets at `now`.
    #[must_use]
    pub fn is_cut(&self, from: ClusterId, to: ClusterId, now: SimTime) -> bool {
        !self.links.are_always_up()
            && self.way(from, to).any(|(_, route)| !self.links.is_up(route.link, route.next, now))
    }

    /// Whether routers tell who asks for a connection from one cluster to another at `now` that there is no way.
    #[must_use]
    pub fn is_unreachable(&self, from: ClusterId, to: ClusterId, now: SimTime) -> bool {
        !self.links.are_always_up()
            && self.way(from, to).any(|(_, route)| self.links.is_refusing(route.link, route.next, now))
    }

    /// When what a control plane sends at `now` leaves over the link to the next cluster on the way to
    /// another; never is [`SimTime::MAX`].
    #[must_use]
    pub fn told_at(&self, from: ClusterId, to: ClusterId, now: SimTime) -> SimTime {
        if self.links.are_always_up() {
            return now;
        }
        let Some(route) = self.route(from, to) else { return now };
        let NextHop { path, link, next, .. } = route;
        match of_segment(now, &path, |sent| !self.links.is_up(link, next, sent)) {
            Fate::Passes(at) => at,
            Fate::Lost(at) => self.links.up_from(link, next, at),
        }
    }

    /// From when on packets come from one cluster to another, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    fn open_from(&self, from: ClusterId, to: ClusterId, now: SimTime) -> SimTime {
        let mut open = now;
        while self.is_cut(from, to, open) && open < SimTime::MAX {
            let up = self.way(from, to).map(|(_, route)| self.links.up_from(route.link, route.next, open));
            open = up.max().unwrap_or(SimTime::MAX);
        }
        open
    }

    /// The cluster of the istiod that the proxies of a cluster listen to.
    #[must_use]
    pub fn istiod_of(&self, cluster: ClusterId) -> ClusterId {
        self.description.istiod_pace().and_then(|it| it.cluster).unwrap_or(cluster)
    }

    /// How the istiod that stands in a cluster paces its pushes, if there is one that does.
    #[must_use]
    pub fn istiod_in(&self, cluster: ClusterId) -> Option<IstiodSettings> {
        self.description.istiod_pace().filter(|_| self.istiod_of(cluster) == cluster)
    }

    /// From when on the proxies of a cluster can connect to their istiod, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    pub fn istiod_is_reached_from(&self, cluster: ClusterId, now: SimTime) -> SimTime {
        let istiod = self.istiod_of(cluster);
        let mut reached = now;
        loop {
            let works = self.outages.istiod_works_from(istiod, reached);
            let there = self.open_from(cluster, istiod, works);
            let back = self.open_from(istiod, cluster, there);
            if back == reached || back == SimTime::MAX {
                return back;
            }
            reached = back;
        }
    }

    /// How the nodes of a pod's cluster send.
    #[must_use]
    pub fn tcp_of(&self, pod: PodId) -> &TcpSettings {
        &self.description.clusters[self.pod_ids.cluster_of(pod)].tcp
    }

    /// The segment that a message of so many loses between two clusters at `now`, if it loses one; `purpose`
    /// tells its direction.
    #[must_use]
    pub fn loss(
        &self,
        (from, to): (ClusterId, ClusterId),
        now: SimTime,
        segments: u32,
        address: Address,
        purpose: Purpose,
    ) -> Option<Loss> {
        let mut p = self.route(from, to)?.loss;
        if !self.links.are_never_worse() {
            let passes = |(_, route): (_, NextHop)| 1.0 - self.links.at(route.link, route.next, now).loss;
            p = 1.0 - self.way(from, to).map(passes).product::<f64>();
        }
        if p > 0.0 { Loss::draw(p, segments, &mut draw(address, purpose)) } else { None }
    }

    /// Where the users of a population are, if they move.
    #[must_use]
    pub fn whereabouts_of(&self, population: PopulationId) -> Option<&Whereabouts> {
        self.whereabouts[population.index()].as_ref()
    }

    /// What a cluster follows of a population.
    #[must_use]
    pub fn stream_source(&self, population: PopulationId, cluster: ClusterId) -> StreamSource<'_> {
        StreamSource {
            population: &self.description.populations[population.index()],
            id: population,
            draws: self.draws,
            whereabouts: self.whereabouts_of(population),
            cluster,
            end: self.description.end(),
        }
    }

    /// The populations whose users are ever at a cluster, in ascending order.
    #[must_use]
    pub fn visitors(&self, cluster: ClusterId) -> &[PopulationId] {
        &self.visitors[cluster]
    }

    /// A cluster's stream of a population at its first request there, and when that comes; nothing if
    /// none ever does.
    #[must_use]
    pub fn first_of(&self, population: PopulationId, cluster: ClusterId) -> Option<(Stream, SimTime)> {
        let source = self.stream_source(population, cluster);
        let mut stream = Stream::new(&source);
        let at = stream.advance(&source)?;
        Some((stream, at))
    }
}

/// Of east-west gateways, for sidecars.
const EAST_WEST_PORT: u16 = 15_443;

/// The address of a cluster's east-west gateways.
fn address_of(cluster: ClusterId) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(cluster.0))
}

/// Views over as many endpoints share a list; a short list of one's own is faster.
const SHARED_FROM: usize = 64;

/// What is known, with changes; both in ascending order.
fn changed(known: impl Iterator<Item = Known>, changes: &[Change]) -> Vec<Known> {
    let mut changes = changes.iter().peekable();
    let mut all = Vec::new();
    for it in known {
        while let Some(change) = changes.next_if(|change| change.pod < it.pod) {
            all.extend(change.now);
        }
        match changes.next_if(|change| change.pod == it.pod) {
            Some(change) => all.extend(change.now),
            None => all.push(it),
        }
    }
    all.extend(changes.filter_map(|change| change.now));
    all
}

/// The populations whose users are ever at each cluster.
fn visitors(description: &Description) -> Table<ClusterId, Vec<PopulationId>> {
    let mut visitors: Table<ClusterId, Vec<PopulationId>> =
        description.clusters.iter().map(|_| Vec::new()).collect();
    for (number, it) in description.populations.iter().enumerate() {
        let visited: BTreeSet<ClusterId> = it.visited().collect();
        for cluster in visited {
            visitors[cluster].push(PopulationId::from_index(number));
        }
    }
    visitors
}

/// Of a ztunnel, on Istio's performance page (bytes).
const ZTUNNEL_MEMORY: f64 = 12e6;

/// The services whose pods come and go, or that have pods without a node at the start.
fn changing(description: &Description, at_start: &Table<ServiceId, AtStart>) -> Table<ServiceId, bool> {
    let mut wanted: Table<ServiceId, usize> = at_start.iter().map(|_| 0).collect();
    for it in &description.deployments {
        wanted[description.front_of(it.service)] += it.replicas as usize;
    }
    let changes = |(service, it): (ServiceId, &AtStart)| {
        let may_change = |version| description.kubernetes.may_change(version);
        wanted[service] > it.pods.len() || description.versions_of(service).any(may_change)
    };
    at_start.enumerate().map(changes).collect()
}

/// When pods fail, in the order in which it is said. What comes again befalls the pods that run from the start, or that
/// with its number.
fn pod_faults(
    description: &Description,
    at_start: &Table<ServiceId, AtStart>,
    ids: PodIds,
    draws: Draws,
) -> Vec<PodFault> {
    let mut faults = description.faults.clone();
    for (number, it) in (0..).zip(&description.repeated_faults) {
        let RepeatedFault::Pod { fault, repeats } = it else { continue };
        let times = description.kubernetes.pods_of(fault.service);
        let starting = times.container_start.saturating_add(times.application_start);
        let span = (fault.begins, fault.ends.unwrap_or(description.end()));
        let befalls =
            |&&pod: &&PodId| (ids.cluster_of(pod), ids.service_of(pod)) == (fault.cluster, fault.service);
        let here = at_start[description.front_of(fault.service)].pods.iter().filter(befalls);
        let befallen = match fault.pod {
            Some(only) => vec![only],
            None => here.map(|&pod| ids.ordinal_of(pod)).collect(),
        };
        for ordinal in befallen {
            let spans = repeats.within(span, starting, draws.of_fault(number, ordinal));
            let of_pod = PodFault { pod: Some(ordinal), ..*fault };
            faults.extend(spans.into_iter().map(|(begins, ends)| PodFault {
                begins,
                ends: Some(ends),
                ..of_pod
            }));
        }
    }
    faults
}

/// When clusters, nodes and control planes fail.
fn outages(description: &Description, draws: Draws) -> Vec<Outage> {
    let mut outages = description.outages.clone();
    for (number, it) in (0..).zip(&description.repeated_faults) {
        let RepeatedFault::Outage { outage, renewal } = it else { continue };
        let span = (outage.begins, outage.ends.unwrap_or(description.end()));
        let spans = renewal.within(span, draws.of_fault(number, 0)).into_iter();
        outages.extend(spans.map(|(begins, ends)| Outage { begins, ends: Some(ends), ..*outage }));
    }
    outages
}

/// When links and API servers change, in the order of time.
fn changes_of_peers(description: &Description, cuts: &[LinkFault], outages: &[Outage]) -> Vec<SimTime> {
    if description.liqo().is_none() {
        return Vec::new();
    }
    let of_links = cuts.iter().map(|it| (it.begins, it.ends));
    let spans = of_links.chain(outages.iter().map(|it| (it.begins, it.ends)));
    let mut changes: Vec<SimTime> = spans.flat_map(|(begins, ends)| [Some(begins), ends]).flatten().collect();
    changes.sort_unstable();
    changes
}

/// When tunnels are without a gateway at one of their ends.
fn tunnel_cuts(description: &Description, outages: &[Outage], draws: Draws) -> Vec<LinkFault> {
    let Some(liqo) = description.liqo() else { return Vec::new() };
    let cut = |it: &Outage| {
        let (cluster, with_node) = it.of_tunnels()?;
        let address = draws.of_cluster(cluster, it.begins.as_nanos());
        let parts = [0, 1].map(|part| uniform(&mut draw(address.child(part), Purpose::GatewayTakeOver)));
        let is_alone = description.clusters[cluster].nodes.len() == 1;
        let takes = match (liqo.gateways[cluster].replicas, with_node) {
            (2.., _) if !(with_node && is_alone) => Some(takes_over_after(parts[0], parts[1])),
            (_, true) if !is_alone => Some(description.replaces_pod_of_lost_node(parts)),
            _ => None,
        };
        let replaced = takes.map(|takes| it.begins.saturating_add(takes));
        let ends = it.ends.into_iter().chain(replaced).min();
        Some((
            cluster,
            LinkFault { link: 0, toward: None, kind: LinkFaultKind::Blackhole, begins: it.begins, ends },
        ))
    };
    let links = || (0..).zip(&description.links);
    let of_links = |(cluster, cut): (ClusterId, LinkFault)| {
        let its = links().filter(move |(_, link)| link.between.contains(&cluster) && is_tunnel(liqo, link));
        its.map(move |(link, _)| LinkFault { link, ..cut })
    };
    outages.iter().filter_map(cut).flat_map(of_links).collect()
}

/// When links are cut or worse than they should be.
fn link_faults(description: &Description, draws: Draws) -> Vec<LinkFault> {
    let mut faults = description.link_faults.clone();
    for (number, it) in (0..).zip(&description.repeated_faults) {
        let RepeatedFault::Link { fault, renewal } = it else { continue };
        let span = (fault.begins, fault.ends.unwrap_or(description.end()));
        let spans = renewal.within(span, draws.of_fault(number, 0)).into_iter();
        faults.extend(spans.map(|(begins, ends)| LinkFault { begins, ends: Some(ends), ..*fault }));
    }
    faults
}

#[cfg(test)]
mod tests;
