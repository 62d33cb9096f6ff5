//! What the proxies of a cluster know of endpoints that are no longer as before the run.
//!
//! # Models
//! Each cluster learns of a change when the news reaches it. Kept are the endpoints that have changed, and views over
//! these services, each made when it is first looked at after a change: what has not changed is shared by all
//! clusters (`world/topology`). What proxies are sent is numbered; where an istiod pushes to one after the other, a
//! proxy sees what has come up to its number, and what some still see is kept.

use super::news::EndpointNews;
use crate::envoy::endpoint_list::{Edits, Row};
use crate::envoy::endpoint_view::EndpointView;
use crate::envoy::proxies::Viewer;
use crate::ids::{ClusterId, ConfigurationId, PodId, ServiceId, UpstreamId};
use crate::istiod::endpoints::{Change, Known};
use crate::world::topology::Topology;
use meshsim_core::{Id, SimTime};
use std::sync::OnceLock;

/// The endpoints of a cluster's services that have changed, and what its proxies see of these services.
#[derive(Clone, Debug, Default)]
pub struct ChangedViews {
    /// By service, then by number; shorter where nothing has changed.
    services: Vec<Vec<ChangedService>>,
    /// Changes so far.
    changes: u32,
}

#[derive(Clone, Debug, Default)]
struct ChangedService {
    /// In ascending order of the pods.
    endpoints: Vec<Change>,
    /// In what the ready endpoints differ from those at the start.
    ready: Edits<PodId>,
    /// By site of the cluster and upstream.
    views: Vec<OnceLock<EndpointView>>,
    /// Which change was the last.
    generation: u32,
    /// The number under which it was sent.
    number: u32,
}

/// The endpoints of a service as kube-proxy sees them, in ascending order.
#[derive(Clone, Copy, Debug)]
pub struct ReadyPods<'a> {
    at_start: &'a [PodId],
    edits: Option<&'a Edits<PodId>>,
}

impl ChangedViews {
    /// The proxies of cluster `here`, under this configuration, are sent under this number what is new of an endpoint.
    /// Those that have least have all up to `least`.
    pub fn change(
        &mut self,
        topology: &Topology,
        here: ClusterId,
        (pod, news): (PodId, EndpointNews),
        configuration: ConfigurationId,
        (number, least): (u32, u32),
        now: SimTime,
    ) {
        let service = topology.front_of(pod);
        let known = self.known(topology, service, pod);
        let Some(changed) = news.change(known, topology, (pod, configuration), now) else { return };
        self.changes += 1;
        if self.services.len() <= service.index() {
            self.services.resize(service.index() + 1, Vec::new());
        }
        let views = topology.sites_in(here).len() * topology.upstreams.len();
        let versions = &mut self.services[service.index()];
        let seen = versions.iter().rposition(|it| it.number <= least).unwrap_or(0);
        versions.drain(..seen);
        if versions.is_empty() || least < number {
            let last = versions.last();
            let before = last.map(|it| (it.endpoints.clone(), it.ready.clone()));
            let (endpoints, ready) = before.unwrap_or_default();
            versions.push(ChangedService { endpoints, ready, ..ChangedService::default() });
        }
        let of_service = versions.last_mut().expect("there is one");
        of_service.number = number;
        of_service.put(Change { pod, before: topology.known_at_start(pod).map(|it| it.site), now: changed });
        of_service.ready = of_service.ready_edits(topology.at_start(service));
        of_service.views = (0..views).map(|_| OnceLock::new()).collect();
        of_service.generation = self.changes;
    }

    /// The node of a pod of another cluster, as this one has heard of it.
    #[must_use]
    pub fn node_of(&self, topology: &Topology, pod: PodId) -> Option<u32> {
        self.known(topology, topology.front_of(pod), pod).map(|it| it.node)
    }

    /// Since when this cluster knows an endpoint as it is; nothing if since before the run.
    #[must_use]
    pub fn added(&self, topology: &Topology, pod: PodId) -> Option<SimTime> {
        self.known(topology, topology.front_of(pod), pod)?.added
    }

    /// A pod of a service as this cluster has heard of it, if it is there.
    fn known(&self, topology: &Topology, service: ServiceId, pod: PodId) -> Option<Known> {
        let changed = self.newest(service).and_then(|it| Some(it.endpoints[it.find(pod).ok()?]));
        match changed {
            Some(change) => change.now,
            None => topology.known_at_start(pod),
        }
    }

    /// The endpoints of a service as kube-proxy sees them.
    #[must_use]
    pub fn ready_pods<'a>(&'a self, topology: &'a Topology, service: ServiceId) -> ReadyPods<'a> {
        ReadyPods { at_start: topology.at_start(service), edits: self.newest(service).map(|it| &it.ready) }
    }

    fn newest(&self, service: ServiceId) -> Option<&ChangedService> {
        self.services.get(service.index())?.last()
    }

    /// What has come up to a number.
    fn up_to(&self, service: ServiceId, number: u32) -> Option<&ChangedService> {
        self.services.get(service.index())?.iter().rfind(|it| it.number <= number)
    }
}

/// What a proxy of cluster `here` sees of an upstream.
#[must_use]
#[inline(always)]
pub fn view_of<'a>(
    changed: &'a ChangedViews,
    topology: &'a Topology,
    here: ClusterId,
    viewer: Viewer,
    upstream: UpstreamId,
) -> &'a EndpointView {
    // Nothing has changed in most runs.
    if changed.services.is_empty() {
        topology.view(viewer.site, upstream)
    } else {
        changed_view_of(changed, topology, here, viewer, upstream)
    }
}

#[inline(never)]
fn changed_view_of<'a>(
    changed: &'a ChangedViews,
    topology: &'a Topology,
    here: ClusterId,
    Viewer { site, pushed }: Viewer,
    upstream: UpstreamId,
) -> &'a EndpointView {
    let service = topology.upstreams.spec(false, upstream).service;
    let Some(it) = changed.up_to(service, pushed) else { return topology.view(site, upstream) };
    let view = &it.views[topology.row_in(here, site, upstream)];
    view.get_or_init(|| topology.make_view(site, upstream, &it.endpoints, it.generation))
}

impl ChangedService {
    fn find(&self, pod: PodId) -> Result<usize, usize> {
        self.endpoints.binary_search_by_key(&pod, |it| it.pod)
    }

    fn put(&mut self, change: Change) {
        match self.find(change.pod) {
            Ok(index) => self.endpoints[index] = change,
            Err(index) => self.endpoints.insert(index, change),
        }
    }

    /// In what the ready endpoints differ from these.
    fn ready_edits(&self, at_start: &[PodId]) -> Edits<PodId> {
        let (mut taken, mut added) = (Vec::new(), Vec::new());
        for change in &self.endpoints {
            let rank = at_start.partition_point(|&pod| pod < change.pod) as u32;
            match (change.before.is_some(), change.now.is_some_and(|it| it.ready)) {
                (true, false) => taken.push(rank),
                (false, true) => added.push((rank, change.pod)),
                (true, true) | (false, false) => {}
            }
        }
        Edits::new(&taken, added)
    }
}

impl ReadyPods<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let shared = self.at_start.len() as u32;
        self.edits.map_or(shared, |edits| edits.len(shared)) as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The endpoint of this rank.
    #[must_use]
    pub fn pod(&self, rank: usize) -> PodId {
        match self.edits.map(|edits| edits.row(rank as u32)) {
            None => self.at_start[rank],
            Some(Row::Shared(rank)) => self.at_start[rank as usize],
            Some(Row::Added(pod)) => *pod,
        }
    }
}

impl EndpointNews {
    /// What is known of an endpoint after these news; nothing if they change nothing.
    #[allow(clippy::option_option)] // Nothing changes; the endpoint is gone; it is there.
    fn change(
        self,
        known: Option<Known>,
        topology: &Topology,
        (pod, configuration): (PodId, ConfigurationId),
        now: SimTime,
    ) -> Option<Option<Known>> {
        let (mut it, ready) = match (self, known) {
            (Self::Appears(node), None) => {
                let site = topology.site_of_node(topology.pod_ids.cluster_of(pod), node);
                let broken = topology.faults.is_unready(pod, now);
                let weight = topology.weight_of(pod);
                let (ready, added) = (!broken, Some(now));
                return Some(Some(Known { pod, site, node, weight, ready, was_ready: ready, added }));
            }
            (Self::Leaves, Some(_)) => return Some(None),
            // What is not there cannot leave; a fault of a pod that is not there befalls nobody.
            (Self::Leaves | Self::Ready | Self::Unready, None) => return None,
            (Self::Appears(_) | Self::Ready, Some(it)) => (it, true),
            (Self::Unready, Some(it)) => (it, false),
        };
        if it.ready == ready {
            return None;
        }
        it.ready = ready;
        if ready {
            // Envoy keeps the host, and when it first was healthy, where it stayed as unhealthy.
            let upstream = topology.upstreams.of_service(configuration, topology.pod_ids.service_of(pod));
            let stayed = topology.upstreams.spec(false, upstream).policy.unready_endpoints_sent;
            if !(stayed && it.was_ready) {
                it.added = Some(now);
            }
            it.was_ready = true;
        }
        Some(Some(it))
    }
}
