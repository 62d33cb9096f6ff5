//! Callers that the mesh sends to a farther cluster than need be.
//!
//! Istio orders endpoints by region, zone and subzone, not by delay: clusters that share a region come before a
//! nearer one of another region, even if the way to them leads through that one.

use super::Warning;
use crate::resolve::Resolved;
use meshsim_core::{Id, SimDuration};
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId, UpstreamId};
use meshsim_models::world::description::{DataPlane, Description};
use meshsim_models::world::topology::Topology;
use std::collections::BTreeSet;

/// One warning for all that is so under a strategy, with the call whose way is longest in comparison.
pub(super) fn farther_first(resolved: &Resolved) -> Option<Warning> {
    let description = &resolved.description;
    if description.mesh.data_plane == DataPlane::None || description.clusters.len() < 3 {
        // With two clusters the other one is the only other one.
        return None;
    }
    let topology = Topology::new(description.clone(), 0);
    let detours: Vec<Detour> =
        description.clusters.ids().flat_map(|cluster| detours_from(&topology, cluster)).collect();
    let worst = detours.iter().max_by_key(|it| it.goes.1.as_nanos() - it.nearest.1.as_nanos())?;
    let callers: BTreeSet<ClusterId> = detours.iter().map(|it| it.from).collect();
    let name = |cluster: ClusterId| description.clusters[cluster].name.clone();
    Some(Warning::FartherFirst {
        strategy: resolved.strategy.clone(),
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

fn detours_from(topology: &Topology, from: ClusterId) -> Vec<Detour> {
    let round_trip = |to: ClusterId| {
        let way = if to == from {
            Some(SimDuration::ZERO)
        } else {
            topology.route(from, to).map(|it| it.path.round_trip)
        };
        way.map(|round_trip| (round_trip, to))
    };
    let called = called_from(&topology.description, from);
    let detour = |service: ServiceId| {
        // The upstreams of services come first, in their order; all sites of a cluster share its ways.
        let upstream = UpstreamId::from_index(service.index());
        let sites = topology.sites_in(from).map(Id::from_index);
        let first = sites.flat_map(|site| {
            let view = topology.view(site, upstream);
            let level = if view.levels() == 0 { &[][..] } else { view.level(0) };
            level.iter().map(|&pod| topology.pods[pod].cluster)
        });
        let goes = first.filter_map(round_trip).min()?;
        let all = topology.at_start(service).iter().map(|&pod| topology.pods[pod].cluster);
        let nearest = all.filter_map(round_trip).min()?;
        let swap = |(round_trip, to)| (to, round_trip);
        (nearest.0 < goes.0).then(|| Detour { from, service, goes: swap(goes), nearest: swap(nearest) })
    };
    called.into_iter().filter_map(detour).collect()
}

/// The services that a cluster's users and pods call.
fn called_from(description: &Description, cluster: ClusterId) -> BTreeSet<ServiceId> {
    let application = &description.application;
    let service_of = |endpoint: EndpointId| application.endpoints[endpoint].service;
    let users = description.populations.iter().filter(|it| it.visits(cluster)).map(|it| service_of(it.entry));
    let deployed: BTreeSet<ServiceId> = description
        .deployments
        .iter()
        .filter(|it| it.cluster == cluster && it.replicas > 0)
        .map(|it| it.service)
        .collect();
    let endpoints = application.endpoints.iter().filter(|it| deployed.contains(&it.service));
    let calls = endpoints.flat_map(|it| &it.groups).flat_map(|group| &group.calls);
    users.chain(calls.map(|call| service_of(call.endpoint))).collect()
}
