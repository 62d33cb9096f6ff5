//! The services that have no endpoint while something fails.

use super::times::DrillTimes;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::decision::{Decision, What};
use meshsim_models::world::description::Description;
use std::collections::{BTreeMap, BTreeSet};

/// The ready endpoints of each service, by cluster and ordinal.
type Ready = BTreeMap<ServiceId, BTreeSet<(ClusterId, u32)>>;

/// The services of which no endpoint is ready at some time from the failure on: those that are taken, and those whose
/// EndpointSlices say so.
pub(super) fn without_endpoints(
    description: &Description,
    times: &DrillTimes,
    taken: &BTreeSet<(ServiceId, ClusterId)>,
    decisions: &[Decision],
) -> BTreeSet<ServiceId> {
    let ids = PodIds::new(description.clusters.len(), description.application.services.len());
    let mut ready = at_start(description);
    let mut changes = decisions.iter().filter_map(|it| match it.what {
        What::Endpoint(pod, is_ready) => Some((it.at, pod, is_ready)),
        _ => None,
    });
    let mut without = BTreeSet::new();
    let mut look = |ready: &Ready, service: ServiceId, now| {
        let is_taken = |cluster| times.holds(now) && taken.contains(&(service, cluster));
        let mut of_service = ready.get(&service).into_iter().flatten();
        if !of_service.any(|(cluster, _)| !is_taken(*cluster)) {
            without.insert(service);
        }
    };
    let change = |ready: &mut Ready, pod, is_ready| {
        let service = ids.service_of(pod);
        let endpoint = (ids.cluster_of(pod), ids.ordinal_of(pod));
        let of_service = ready.entry(service).or_default();
        let _ = if is_ready { of_service.insert(endpoint) } else { of_service.remove(&endpoint) };
        service
    };
    let mut first = changes.by_ref().peekable();
    while let Some((_, pod, is_ready)) = first.next_if(|(at, ..)| *at < times.begins) {
        change(&mut ready, pod, is_ready);
    }
    ready.keys().for_each(|service| look(&ready, *service, times.begins));
    for (at, pod, is_ready) in first {
        let service = change(&mut ready, pod, is_ready);
        look(&ready, service, at);
    }
    without
}

/// What is ready before anything has changed.
fn at_start(description: &Description) -> Ready {
    let mut ready = Ready::new();
    let mut ordinals: BTreeMap<(ServiceId, ClusterId), u32> = BTreeMap::new();
    for it in &description.deployments {
        let next = ordinals.entry((it.service, it.cluster)).or_default();
        let of_service = ready.entry(it.service).or_default();
        of_service.extend((0..it.replicas).map(|number| (it.cluster, *next + number)));
        *next += it.replicas;
    }
    ready
}
