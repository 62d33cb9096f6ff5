//! Callers that the mesh sends to a farther cluster than need be.
//!
//! Istio orders endpoints by region, zone and subzone, not by delay: clusters that share a region come before a
//! nearer one of another region, even if the way to them leads through that one.

use super::warning::Finding;
use crate::resolve::Resolved;
use meshsim_core::{Id, SimDuration, Table};
use meshsim_models::envoy::endpoint_list::Part;
use meshsim_models::ids::{ClusterId, ConfigurationId, EndpointId, ServiceId};
use meshsim_models::istiod::endpoints::SiteId;
use meshsim_models::world::description::{DataPlane, Description};
use meshsim_models::world::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};

/// One warning for all that is so under a strategy, with the call whose way is longest in comparison.
pub(super) fn farther_first(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    if description.mesh.data_plane == DataPlane::None || description.clusters.len() < 3 {
        // With two clusters the other one is the only other one.
        return None;
    }
    let mut search = Search::new(Topology::new(description.clone(), 0));
    let called = called(description);
    let detours: Vec<Detour> = called
        .enumerate()
        .flat_map(|(from, services)| services.iter().map(move |&service| (from, service)))
        .filter_map(|(from, service)| search.detour(from, service))
        .collect();
    let worst = detours.iter().max_by_key(|it| it.goes.1.as_nanos() - it.nearest.1.as_nanos())?;
    let callers: BTreeSet<ClusterId> = detours.iter().map(|it| it.from).collect();
    let name = |cluster: ClusterId| description.clusters[cluster].name.clone();
    Some(Finding::FartherFirst {
        callers: callers.len(),
        service: description.application.services[worst.service].name.clone(),
        from: name(worst.from),
        to: name(worst.goes.0),
        to_ms: worst.goes.1.as_millis_f64(),
        nearest: name(worst.nearest.0),
        nearest_ms: worst.nearest.1.as_millis_f64(),
    })
}

/// A service whose calls from a cluster go farther than the nearest cluster that has it.
struct Detour {
    from: ClusterId,
    service: ServiceId,
    /// The nearest of those that come first, and the round trip to it.
    goes: (ClusterId, SimDuration),
    /// The nearest of all, and the round trip to it.
    nearest: (ClusterId, SimDuration),
}

/// From each cluster the nearest of some, and the round trip to it.
type Nearest = Table<ClusterId, Option<(SimDuration, ClusterId)>>;

/// Looks for detours; what was searched for one cluster is there for the next.
struct Search {
    topology: Topology,
    /// By service: the nearest cluster that has it.
    nearest: BTreeMap<ServiceId, Nearest>,
    /// By service and part of its endpoints: the nearest cluster that has one of these.
    nearest_in: BTreeMap<(ServiceId, Part), Nearest>,
}

impl Search {
    fn new(topology: Topology) -> Self {
        Self { topology, nearest: BTreeMap::new(), nearest_in: BTreeMap::new() }
    }

    /// The way of a cluster's calls to a service, if it is a detour.
    fn detour(&mut self, from: ClusterId, service: ServiceId) -> Option<Detour> {
        let topology = &self.topology;
        let all = || topology.at_start(service).iter().map(|&pod| topology.pod_ids.cluster_of(pod));
        let nearest = self.nearest.entry(service).or_insert_with(|| nearest(topology, all()))[from]?;
        let goes =
            topology.sites_in(from).filter_map(|site| self.first(from, SiteId::from_index(site), service));
        let goes = goes.collect::<Vec<_>>().into_iter().min()?;
        let swap = |(round_trip, to)| (to, round_trip);
        // Gateways on the way make one way longer than itself.
        (nearest.0 < goes.0 && nearest.1 != goes.1).then(|| Detour {
            from,
            service,
            goes: swap(goes),
            nearest: swap(nearest),
        })
    }

    /// The nearest of those that come first at a site of a cluster.
    fn first(
        &mut self,
        from: ClusterId,
        site: SiteId,
        service: ServiceId,
    ) -> Option<(SimDuration, ClusterId)> {
        let topology = &self.topology;
        // All sites of a cluster share its ways.
        let view = topology.view(site, topology.upstreams.of_service(ConfigurationId(0), service));
        if view.is_empty() {
            return None;
        }
        let clusters = || view.level(0).map(|pod| topology.pod_ids.cluster_of(pod));
        if let Some(part) = view.part(0).filter(|_| view.positions(0).len() > FEW) {
            let found = self.nearest_in.entry((service, part));
            return found.or_insert_with(|| nearest(topology, clusters()))[from];
        }
        let round_trip = |to: ClusterId| match to == from {
            true => Some(SimDuration::ZERO),
            false => topology.route(from, to).map(|it| it.path.round_trip),
        };
        clusters().filter_map(|to| Some((round_trip(to)?, to))).min()
    }
}

/// So many endpoints are looked at one by one.
const FEW: usize = 16;

fn nearest(topology: &Topology, some: impl Iterator<Item = ClusterId>) -> Nearest {
    let some: BTreeSet<ClusterId> = some.collect();
    topology.ways.nearest(&topology.description.links, some)
}

/// The services that each cluster's users and pods call.
pub(super) fn called(description: &Description) -> Table<ClusterId, BTreeSet<ServiceId>> {
    let application = &description.application;
    let service_of = |endpoint: EndpointId| application.endpoints[endpoint].service;
    let mut by_service: Table<ServiceId, BTreeSet<ServiceId>> =
        application.services.iter().map(|_| BTreeSet::new()).collect();
    for endpoint in &application.endpoints {
        let calls = endpoint.groups.iter().flat_map(|group| &group.calls);
        by_service[endpoint.service].extend(calls.map(|call| service_of(call.endpoint)));
    }
    let mut called: Table<ClusterId, BTreeSet<ServiceId>> =
        description.clusters.iter().map(|_| BTreeSet::new()).collect();
    for it in &description.populations {
        it.visited().for_each(|cluster| {
            called[cluster].extend(it.requests.endpoints().map(service_of));
        });
    }
    for it in description.deployments.iter().filter(|it| it.replicas > 0) {
        called[it.cluster].extend(&by_service[it.service]);
    }
    called
}
