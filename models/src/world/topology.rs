//! The part of a world that never changes in a run, shared by all clusters.

use super::description::{DataPlane, Description};
use super::placement::{DeploymentPlaces, Pod, deployments_by_cluster, place_pods};
use crate::application::call_graph::Application;
use crate::application::service_time::ServiceTime;
use crate::draws::{Draws, Purpose, draw};
use crate::envoy::endpoint_list::EndpointList;
use crate::envoy::endpoint_view::EndpointView;
use crate::envoy::proxies::ProxyPasses;
use crate::envoy::proxies::{Proxies, ProxyKind};
use crate::faults::link::LinkFault;
use crate::faults::pod::{PodFault, PodFaults};
use crate::faults::repeated::RepeatedFault;
use crate::ids::{ClusterId, EndpointId, HostId, PodId, PopulationId, ProxyId, ServiceId, UpstreamId};
use crate::istiod::endpoints::{Change, Known, Order, Site, SiteId, levels_for, list_of, sent_to, sites};
use crate::istiod::upstreams::Upstreams;
use crate::kubernetes::settings::StartWhen;
use crate::network::link_state::LinkStates;
use crate::network::path::Path;
use crate::network::retransmission::{Fate, of_segment};
use crate::network::tcp::{Loss, TcpSettings};
use crate::network::ways::{NextHop, Ways};
use crate::users::mobility::Places;
use crate::users::stream::{Stream, StreamSource};
use meshsim_core::random::{Address, LogNormal};
use meshsim_core::{Id, SimTime, Table};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

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
    /// The Deployments of each cluster.
    pub deployments_in: Table<ClusterId, Vec<DeploymentPlaces>>,
    /// The populations whose users are ever at each cluster, in ascending order.
    visitors: Table<ClusterId, Vec<PopulationId>>,
    /// What proxies are told of what they call, and of its routes.
    pub upstreams: Upstreams,
    /// Where proxies see the same endpoints.
    pub sites: Table<SiteId, Site>,
    /// The site of each node, by cluster.
    sites_of: Table<ClusterId, Vec<SiteId>>,
    /// By site and upstream, while no endpoint has changed; made when they are first looked at.
    views: Vec<OnceLock<EndpointView>>,
    /// What the views of an upstream share, where they do: the list of its endpoints, made when it is first needed.
    lists: Table<UpstreamId, (Order, OnceLock<Arc<EndpointList>>)>,
    /// Where users are, by population; nothing for those who stay.
    places: Vec<Option<Places>>,
    /// What goes wrong with pods.
    pub faults: PodFaults,
    /// All places for endpoints of each service.
    everywhere: Table<ServiceId, Vec<PodId>>,
    /// Those in which there is one at the start, as kube-proxy sees them.
    at_start: Table<ServiceId, Vec<PodId>>,
    /// The place of each host within its process.
    pub local_hosts: Table<HostId, HostId>,
    /// How messages go from cluster to cluster.
    pub ways: Ways,
    /// What the links on these ways are like at a time.
    pub links: LinkStates,
    /// What passing a proxy takes.
    pub passes: ProxyPasses,
    /// Spread of the CPU time at equal work, if there is any.
    pub speed: Option<LogNormal>,
}

impl Topology {
    /// Places the pods and computes every view and route.
    #[must_use]
    pub fn new(description: Description, replication: u32) -> Self {
        let (sites, sites_of) = sites(&description);
        let deployments_in = deployments_by_cluster(&description);
        let (pods, pods_of) = place_pods(&description, &deployments_in);
        let mut everywhere: Table<ServiceId, Vec<PodId>> =
            description.application.services.iter().map(|_| Vec::new()).collect();
        let mut at_start = everywhere.clone();
        for (id, pod) in pods.enumerate() {
            everywhere[pod.service].push(id);
            if pod.starts_on.is_some() {
                at_start[pod.service].push(id);
            }
        }
        let draws = Draws::new(description.seed, replication);
        let faults = faults_of(&description, &pods, draws);
        let populations = description.populations.iter().enumerate();
        let upstreams = Upstreams::new(&description);
        let order = |id| {
            let spec = upstreams.spec(false, id);
            // Of a service outside the clusters each sees its own.
            let few =
                at_start[spec.service].len() < SHARED_FROM || description.services[spec.service].external;
            if few { Order::Other } else { Order::of(spec) }
        };
        Self {
            lists: upstreams.ids().map(|id| (order(id), OnceLock::new())).collect(),
            views: (0..sites.len() * upstreams.len()).map(|_| OnceLock::new()).collect(),
            places: populations
                .map(|(id, it)| Places::new(it, PopulationId::from_index(id), draws))
                .collect(),
            upstreams,
            sites,
            sites_of,
            faults,
            draws,
            pods,
            pods_of,
            deployments_in,
            visitors: visitors(&description),
            everywhere,
            at_start,
            local_hosts: description.hosts.ids().collect(),
            links: LinkStates::new(&description.links, &link_faults(&description, draws)),
            ways: Ways::new(description.clusters.len(), &description.links),
            passes: ProxyPasses::new(&description),
            speed: (description.cell.speed_spread > 0.0)
                .then(|| LogNormal::new(1.0, description.cell.speed_spread)),
            description,
        }
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

    /// Whether every pod has a sidecar.
    #[must_use]
    pub fn has_sidecars(&self) -> bool {
        self.description.mesh.data_plane == DataPlane::Sidecar
    }

    /// Whether a pod has a sidecar.
    #[must_use]
    #[inline]
    pub fn has_sidecar(&self, pod: PodId) -> bool {
        self.has_sidecars() && !self.pods[pod].is_outside
    }

    /// Whether what comes to a pod passes a ztunnel.
    #[must_use]
    #[inline]
    pub fn has_ztunnel(&self, pod: PodId) -> bool {
        self.is_ambient() && !self.pods[pod].is_outside
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

    /// The pods of a cluster.
    #[must_use]
    pub fn pods_of(&self, cluster: ClusterId) -> Range<u32> {
        self.pods_of[cluster].clone()
    }

    /// The pod in a place of a cluster.
    #[must_use]
    pub fn pod_in(&self, cluster: ClusterId, place: usize) -> PodId {
        PodId(self.pods_of[cluster].start + place as u32)
    }

    /// Whether a pod's application burns CPU once it is ready.
    #[must_use]
    pub fn burns_after_ready(&self, pod: PodId) -> bool {
        let workload = self.description.kubernetes.workload(self.pods[pod].service);
        workload.start.is_some_and(|it| it.when == StartWhen::AfterReady)
    }

    /// The place of a pod among those of its cluster.
    #[must_use]
    #[inline]
    pub fn slot_of(&self, pod: PodId) -> usize {
        self.pods[pod].place as usize
    }

    /// The service of an endpoint.
    #[must_use]
    pub fn service_of(&self, endpoint: EndpointId) -> ServiceId {
        self.application().endpoints[endpoint].service
    }

    /// What the proxies of a site see of an upstream while no endpoint has changed.
    #[must_use]
    pub fn view(&self, site: SiteId, upstream: UpstreamId) -> &EndpointView {
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

    /// The proxies of a cluster before anything has happened.
    #[must_use]
    pub fn proxies_of(&self, cluster: ClusterId) -> Proxies {
        let node = |pod| (pod, self.pods[pod].starts_on.unwrap_or(0));
        let pods = self.pods_of(cluster).map(|pod| node(PodId(pod)));
        Proxies::new(cluster, &self.description, pods, |node| self.site_of_node(cluster, node))
    }

    /// Memory of all proxies of a cluster (bytes), with as many pods and endpoints as there are at the start.
    #[must_use]
    pub fn proxy_memory(&self, proxies: &Proxies) -> f64 {
        let endpoints = self.at_start.iter().map(Vec::len).sum();
        let each = self.description.mesh.memory.of(self.everywhere.len(), endpoints);
        let is_ztunnel = |&proxy: &ProxyId| matches!(proxies[proxy].kind, ProxyKind::Ztunnel(_));
        let ztunnels = proxies.ids().filter(is_ztunnel).count();
        let is_outside = |&proxy: &ProxyId| matches!(proxies[proxy].kind, ProxyKind::Sidecar(pod) if self.pods[pod].is_outside);
        let envoys = proxies.ids().count() - ztunnels - proxies.ids().filter(is_outside).count();
        envoys as f64 * each + ztunnels as f64 * ZTUNNEL_MEMORY
    }

    /// All endpoints of a service as istiod knows them before the run, in ascending order.
    pub fn known(&self, service: ServiceId) -> impl Iterator<Item = Known> {
        self.at_start[service].iter().filter_map(|&pod| self.known_at_start(pod))
    }

    /// The same as a site is told: of a service outside the clusters, that of its own cluster.
    fn known_from(&self, site: SiteId, service: ServiceId) -> impl Iterator<Item = Known> {
        let external = self.description.services[service].external;
        let here = self.sites[site].cluster;
        self.known(service).filter(move |it| !external || self.pods[it.pod].cluster == here)
    }

    /// An endpoint as istiod knows it before the run, if it does.
    #[must_use]
    pub fn known_at_start(&self, pod: PodId) -> Option<Known> {
        let it = &self.pods[pod];
        let site = self.site_of_node(it.cluster, it.starts_on?);
        // One that is not ready from the first moment on never was.
        let was_ready = !self.faults.on(pod, SimTime::ZERO).any(PodFault::removes_endpoint);
        Some(Known { pod, site, weight: it.weight, ready: true, was_ready, added: None })
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
            let endpoints = sent_to(&self.description, &self.sites, site, spec, &known);
            return EndpointView::new(endpoints, most, threshold, generation);
        }
        let list = list.get_or_init(|| Arc::new(list_of(&self.sites, spec, self.known(spec.service))));
        let levels = levels_for(&self.sites, site, (spec, *order), list, changes);
        EndpointView::shared(list, levels, most, threshold, generation)
    }

    /// Priority levels that a view keeps: only the first while nothing can make an endpoint
    /// unhealthy.
    fn levels_kept(&self, upstream: UpstreamId) -> u32 {
        let spec = self.upstreams.spec(false, upstream);
        let endpoints = self.everywhere[spec.service].len() as u32;
        let ejects = spec.outlier_detection.is_some_and(|it| it.can_eject(endpoints));
        let changes = !self.faults.is_empty() || endpoints != self.at_start[spec.service].len() as u32;
        if ejects || changes { u32::MAX } else { 1 }
    }

    /// The endpoints that a service has at the start.
    #[must_use]
    pub fn at_start(&self, service: ServiceId) -> &[PodId] {
        &self.at_start[service]
    }

    /// All places for endpoints of a service, in ascending order.
    #[must_use]
    pub fn everywhere(&self, service: ServiceId) -> &[PodId] {
        &self.everywhere[service]
    }

    /// The way from a cluster to another, if there is one.
    #[must_use]
    pub fn route(&self, from: ClusterId, to: ClusterId) -> Option<NextHop> {
        self.ways.route(from, to)
    }

    /// The network between a cluster's proxies or pods and those of another or the same.
    ///
    /// # Panics
    /// If there is no way, which `resolve` refuses.
    #[must_use]
    pub fn path(&self, from: ClusterId, to: ClusterId) -> Path {
        self.path_if_any(from, to).expect("clusters that call each other are connected")
    }

    /// The same, if there is a way.
    #[must_use]
    #[inline]
    pub fn path_if_any(&self, from: ClusterId, to: ClusterId) -> Option<Path> {
        if from == to {
            let spec = &self.description.clusters[from];
            return Some(Path {
                round_trip: spec.local_delay * 2,
                one_way: spec.local_delay,
                bits_per_second: spec.local_bits_per_second,
                mtu: spec.mtu,
                tunnel_overhead: 0,
            });
        }
        self.route(from, to).map(|it| it.path)
    }

    /// Whether a pod or a link swallows packets at any time.
    #[must_use]
    #[inline]
    pub fn swallows(&self) -> bool {
        self.faults.swallows() || !self.links.are_always_up()
    }

    /// Whether a link on the way from one cluster to another swallows packets at `now`.
    #[must_use]
    pub fn is_cut(&self, from: ClusterId, to: ClusterId, now: SimTime) -> bool {
        let mut here = from;
        while here != to && !self.links.are_always_up() {
            let Some(route) = self.route(here, to) else { return false };
            if !self.links.is_up(route.link, now) {
                return true;
            }
            here = route.next;
        }
        false
    }

    /// When what a control plane sends at `now` leaves over the link to the next cluster on the way to
    /// another; never is [`SimTime::MAX`].
    #[must_use]
    pub fn told_at(&self, from: ClusterId, to: ClusterId, now: SimTime) -> SimTime {
        if self.links.are_always_up() {
            return now;
        }
        let Some(route) = self.route(from, to) else { return now };
        match of_segment(now, &route.path, |sent| !self.links.is_up(route.link, sent)) {
            Fate::Passes(at) => at,
            Fate::Lost(at) => self.links.up_from(route.link, at),
        }
    }

    /// How the nodes of a pod's cluster send.
    #[must_use]
    pub fn tcp_of(&self, pod: PodId) -> &TcpSettings {
        &self.description.clusters[self.pods[pod].cluster].tcp
    }

    /// The segment that a message of so many loses between two clusters, if it loses one; `purpose`
    /// tells its direction.
    #[must_use]
    pub fn loss(
        &self,
        from: ClusterId,
        to: ClusterId,
        segments: u32,
        address: Address,
        purpose: Purpose,
    ) -> Option<Loss> {
        let p = self.route(from, to)?.loss;
        if p > 0.0 { Loss::draw(p, segments, &mut draw(address, purpose)) } else { None }
    }

    /// Where the users of a population are, if they move.
    #[must_use]
    pub fn places_of(&self, population: PopulationId) -> Option<&Places> {
        self.places[population.index()].as_ref()
    }

    /// What a cluster follows of a population.
    #[must_use]
    pub fn stream_source(&self, population: PopulationId, cluster: ClusterId) -> StreamSource<'_> {
        StreamSource {
            population: &self.description.populations[population.index()],
            id: population,
            draws: self.draws,
            places: self.places_of(population),
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

/// The faults of each pod that they befall.
fn faults_of(description: &Description, pods: &Table<PodId, Pod>, draws: Draws) -> PodFaults {
    let mut faults = Vec::new();
    for fault in &description.faults {
        faults.extend(befallen(pods, fault).map(|(_, id)| (id, *fault)));
    }
    let times = &description.kubernetes.pods;
    let starting = times.container_start.saturating_add(times.application_start);
    for (number, it) in (0..).zip(&description.repeated_faults) {
        let RepeatedFault::Pod { fault, repeats } = it else { continue };
        let span = (fault.begins, fault.ends.unwrap_or(description.end()));
        for (place, id) in befallen(pods, fault) {
            let spans = repeats.within(span, starting, draws.of_fault(number, place as u32));
            let within = |(begins, ends)| (id, PodFault { begins, ends: Some(ends), ..*fault });
            faults.extend(spans.into_iter().map(within));
        }
    }
    PodFaults::new(faults)
}

/// The pods that a fault befalls, with their places among those of their service and cluster.
fn befallen(pods: &Table<PodId, Pod>, fault: &PodFault) -> impl Iterator<Item = (usize, PodId)> {
    let (service, cluster, pod) = (fault.service, fault.cluster, fault.pod);
    let of_service =
        pods.enumerate().filter(move |(_, pod)| (pod.service, pod.cluster) == (service, cluster));
    let all = of_service.enumerate().map(|(place, (id, _))| (place, id));
    all.filter(move |(place, _)| pod.is_none_or(|it| it as usize == *place))
}

/// When links swallow packets.
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
