//! Callers that have a service in their own cluster and ask all clusters in turn.
//!
//! Istio orders endpoints by locality only where a rule looks for failures (`istiod/locality_setting`): without that, what is
//! brought to an edge is asked for there as seldom as anywhere else.

use super::farther_first::called;
use super::warning::Finding;
use crate::resolve::Resolved;
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::locality_setting::{LocalitySetting, in_force};
use meshsim_models::world::description::{DataPlane, Description};
use std::collections::{BTreeMap, BTreeSet};

/// One warning for all that is so under a strategy, with a cluster as an example.
pub(super) fn spread(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    if description.mesh.data_plane != DataPlane::Sidecar {
        return None;
    }
    let mut clusters: BTreeMap<ServiceId, BTreeSet<ClusterId>> = BTreeMap::new();
    for it in description.deployments.iter().filter(|it| it.replicas > 0) {
        clusters.entry(description.front_of(it.service)).or_default().insert(it.cluster);
    }
    let is_here =
        |from, service| clusters.get(&service).is_some_and(|all| all.len() > 1 && all.contains(&from));
    let called = called(description);
    let calls = called.enumerate().flat_map(|(from, services)| services.iter().map(move |&it| (from, it)));
    let spread: Vec<(ClusterId, ServiceId)> =
        calls.filter(|&(from, service)| is_here(from, service) && takes_all(description, service)).collect();
    let (from, _) = *spread.first()?;
    let services: BTreeSet<ServiceId> = spread.iter().map(|(_, service)| *service).collect();
    Some(Finding::SpreadOverClusters {
        services: services.iter().map(|&it| description.application.services[it].name.clone()).collect(),
        from: description.clusters[from].name.clone(),
    })
}

/// Whether proxies take the endpoints of a service wherever they are, and nobody has said anything of localities.
fn takes_all(description: &Description, service: ServiceId) -> bool {
    let (mesh, settings) = (&description.mesh, &description.services[service]);
    let (rule, distribution) = (settings.locality.as_ref(), settings.traffic_distribution);
    let detects = settings.traffic_policy.outlier_detection.is_some();
    settings.protocol != Protocol::Udp
        && !settings.external
        && in_force(mesh.istio_version, Some(&mesh.locality), rule, distribution)
            .is_some_and(|it| it.setting == LocalitySetting::default() && !it.priorities_applied(detects))
}
