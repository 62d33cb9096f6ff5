//! Where routes lead: those of the start and those that services get during the run.

use super::changes;
use super::check::Check;
use super::route_blocks;
use super::services::Written;
use crate::schema::Scenario;
use meshsim_models::envoy::route::Destination;
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::subset::Subset;
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use meshsim_models::world::description::Description;

/// Every route leads to pods that take requests.
pub(super) fn check(check: &mut Check<'_>, scenario: &Scenario, description: &Description, strategy: &str) {
    let name = |id: ServiceId| description.application.services[id].name.as_str();
    let at_start = description.services.enumerate().map(|(id, it)| {
        let written = Written::of(scenario, name(id)).routes;
        (id, it, written)
    });
    let later = changes::with_routes(scenario, description);
    for (id, it, written) in at_start.chain(later) {
        let blocks = it.routes.iter().zip(route_blocks::of(written));
        // What leads anywhere is the route's, not the block's.
        for (route, block) in blocks.filter(|(_, it)| it.number.block.is_none_or(|block| block == 0)) {
            let span = block.route.span();
            for to in route.led_to() {
                let leads = format!("a route of `{}` leads to `{}`", name(id), name(to.service));
                if let Some(speaks) = description.services[to.service].protocol.without_requests() {
                    let help = "requests go to services that speak http1 or http2";
                    check.problem(format!("{leads}, which speaks {speaks}"), span.clone(), help);
                } else if !has_pod(description, to) {
                    let whereabouts = match to.subset {
                        Some(Subset::Cluster(it)) => {
                            format!(" in cluster `{}`", description.clusters[it].name)
                        }
                        Some(Subset::Named(_)) | None => String::new(),
                    };
                    check.problem(
                        format!("{leads}{whereabouts}, where it has no pod under strategy `{strategy}`"),
                        span.clone(),
                        "add it to the services there, or leave it out of the route",
                    );
                }
            }
        }
    }
}

/// Whether a destination has a pod, at the start or later: a subset by labels may have none, as in reality, which is warned
/// of.
fn has_pod(description: &Description, to: Destination) -> bool {
    let only = match to.subset {
        Some(Subset::Cluster(cluster)) => Some(cluster),
        Some(Subset::Named(_)) | None => None,
    };
    let is_there = |service, cluster| {
        description.front_of(service) == to.service && only.is_none_or(|only| only == cluster)
    };
    let scales = |it: &Change| matches!(it.kind, ChangeKind::Scale(replicas) | ChangeKind::Offload(replicas) if replicas > 0);
    let mut changes = description.kubernetes.changes.iter().filter(|it| scales(it));
    let mut deployments = description.deployments.iter().filter(|it| it.replicas > 0);
    deployments.any(|it| is_there(it.service, it.cluster))
        || changes.any(|it| is_there(it.service, it.cluster))
}
