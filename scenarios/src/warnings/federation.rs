//! What is to be known of what joins clusters before it is run.

use super::warning::Finding;
use crate::resolve::Resolved;
use meshsim_core::Id;
use meshsim_models::ids::{ClusterId, ConfigurationId, ServiceId};
use meshsim_models::istiod::locality_setting::REGION_LABEL;
use meshsim_models::istiod::upstreams::Upstreams;
use meshsim_models::kubernetes::scheduler::resources::Resource;
use meshsim_models::kubernetes::scheduler::topology_spread::ZONE;
use meshsim_models::kubernetes::zone_state::ZoneState;
use meshsim_models::liqo::namespace_offloading::twins;
use meshsim_models::liqo::quota::LimitsEnforcement;
use meshsim_models::liqo::settings::{LiqoSettings, Peering};
use meshsim_models::liqo::virtual_node::{TYPE_LABEL, VIRTUAL_NODE};
use meshsim_models::world::description::{DataPlane, Description};
use meshsim_models::world::placement::{empty_nodes, own_nodes};
use std::collections::{BTreeMap, BTreeSet};

/// Istio's sidecar may use so much, whatever it requests: thousandths of a core.
const SIDECAR_MILLI_CPU: u64 = 2_000;

pub(super) fn of_federation(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let mut warnings = Vec::new();
    if let Some(liqo) = description.liqo() {
        warnings.extend(slices(resolved, liqo));
        warnings.extend(hard(resolved, liqo));
        warnings.extend(zones(resolved, liqo));
        warnings.extend(chooses_nobody(resolved, liqo));
        let has_one =
            |it: &Peering| [it.consumer, it.provider].iter().any(|end| liqo.gateways[*end].replicas == 1);
        warnings.extend(
            liqo.peerings.iter().any(has_one).then_some(Finding::OneGateway { key: "liqo.gateway.replicas" }),
        );
    }
    if let Some(settings) = description.east_west() {
        warnings.extend(gateways(resolved));
        warnings.extend(
            (settings.replicas == 1).then_some(Finding::OneGateway { key: "east_west_gateway.replicas" }),
        );
    }
    if description.has_gateways_between_clusters() {
        warnings.extend(cut_off(resolved));
    }
    warnings
}

/// Slices that are larger than all nodes of their provider.
fn slices(resolved: &Resolved, liqo: &LiqoSettings) -> Vec<Finding> {
    let description = &resolved.description;
    // Without offloaded services nobody uses one.
    let used = liqo.peerings.iter().filter(|it| description.offloads_any(it.consumer));
    let mut warnings = Vec::new();
    for it in used {
        let nodes = own_nodes(description, it.provider);
        for (what, resource, unit) in
            [("cores", Resource::CPU, 1e3), ("GiB of memory", Resource::MEMORY, (1_u64 << 30) as f64)]
        {
            let has: u64 = nodes.iter().map(|node| node.resources.allocatable.amount(resource)).sum();
            let granted = it.granted.amount(resource);
            if granted > has {
                let name = |id: ClusterId| description.clusters[id].name.clone();
                warnings.push(Finding::SliceLargerThanProvider {
                    consumer: name(it.consumer),
                    provider: name(it.provider),
                    what,
                    granted: granted as f64 / unit,
                    has: has as f64 / unit,
                });
            }
        }
    }
    warnings
}

/// Providers that let no sidecar in.
fn hard(resolved: &Resolved, liqo: &LiqoSettings) -> Vec<Finding> {
    let description = &resolved.description;
    let offloading = liqo.offloading.as_ref();
    let is_limited = |service: ServiceId| {
        description.kubernetes.workload(service).sidecar.amount(Resource::CPU) == SIDECAR_MILLI_CPU
    };
    let mut services = offloading.into_iter().flat_map(|it| &it.services);
    if description.mesh.data_plane != DataPlane::Sidecar || services.all(|&it| is_limited(it)) {
        return Vec::new();
    }
    let hard = liqo.peerings.iter().filter(|it| it.enforcement == LimitsEnforcement::Hard);
    let providers: BTreeSet<ClusterId> = hard.map(|it| it.provider).collect();
    let warning = |provider: ClusterId| Finding::HardWithSidecar {
        provider: description.clusters[provider].name.clone(),
    };
    providers.into_iter().map(warning).collect()
}

/// Consumers none of whose providers the cluster selector chooses.
fn chooses_nobody(resolved: &Resolved, liqo: &LiqoSettings) -> Vec<Finding> {
    let description = &resolved.description;
    let Some(offloading) = &liqo.offloading else { return Vec::new() };
    let consumers: BTreeSet<ClusterId> = liqo.peerings.iter().map(|it| it.consumer).collect();
    let chooses_none = |consumer: &ClusterId| {
        let nodes: Vec<_> = liqo.providers_of(*consumer).map(|it| description.virtual_node(it)).collect();
        let labels: Vec<_> = nodes.iter().map(|it| &it.labels).collect();
        twins(&offloading.cluster_selector, &labels).0.is_empty()
    };
    let finding = |consumer: ClusterId| Finding::SelectorChoosesNobody {
        consumer: description.clusters[consumer].name.clone(),
    };
    consumers.into_iter().filter(chooses_none).map(finding).collect()
}

/// Zones whose nodes for providers may all be lost without anything being evicted.
fn zones(resolved: &Resolved, liqo: &LiqoSettings) -> Vec<Finding> {
    let description = &resolved.description;
    let rules = description.kubernetes.node_lifecycle().zones;
    let consumers: BTreeSet<ClusterId> = liqo.peerings.iter().map(|it| it.consumer).collect();
    let mut warnings = Vec::new();
    // Who has nothing there has nothing to be evicted.
    for consumer in consumers.into_iter().filter(|&it| description.offloads_any(it)) {
        let mut zones: BTreeMap<[Option<String>; 2], [u32; 2]> = BTreeMap::new();
        for node in empty_nodes(description, consumer) {
            let zone =
                [REGION_LABEL, ZONE].map(|key| node.labels.get(key).filter(|it| !it.is_empty()).cloned());
            let is_virtual = node.labels.get(TYPE_LABEL).is_some_and(|it| it == VIRTUAL_NODE);
            zones.entry(zone).or_default()[usize::from(is_virtual)] += 1;
        }
        let evicts_nothing =
            |[own, others]: &[u32; 2]| ZoneState::of(*own, *others, &rules).rate(own + others, &rules) <= 0.0;
        warnings.extend(zones.values().filter(|it| evicts_nothing(it)).map(|[own, others]| {
            Finding::ZoneEvictsNothing {
                consumer: description.clusters[consumer].name.clone(),
                virtual_nodes: *others as usize,
                own_nodes: *own as usize,
            }
        }));
    }
    warnings
}

/// Gateways that nobody ejects, or that pass nothing on.
fn gateways(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    if !description.mesh.mtls {
        return Some(Finding::GatewaysWithoutMtls);
    }
    let upstreams = Upstreams::new(description);
    let detects = |service: ServiceId| {
        let upstream = upstreams.of_service(ConfigurationId(0), service);
        upstreams.spec(false, upstream).outlier_detection.is_some()
    };
    // No gateway stands before what is outside, and versions are behind their service's.
    let is_behind = |service: ServiceId| {
        let settings = &description.services[service];
        settings.version_of.is_none() && !settings.external
    };
    let services = description.application.services.enumerate();
    let undetected = services.filter(|(id, _)| is_behind(*id) && !detects(*id));
    let services: Vec<String> = undetected.map(|(_, it)| it.name.clone()).collect();
    (!services.is_empty()).then_some(Finding::GatewaysWithoutDetection { services })
}

/// What users of a cluster need and their cluster has not.
fn cut_off(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let clusters: BTreeSet<ClusterId> = description.populations.iter().map(|it| it.cluster).collect();
    let of_cluster = |cluster: ClusterId| {
        let is_here = |service: ServiceId| {
            let mut here = description.deployments.iter().filter(|it| it.cluster == cluster);
            // What is offloaded may be anywhere.
            here.any(|it| {
                let runs = it.replicas > 0 || description.is_offloaded(it.service);
                description.front_of(it.service) == service && runs
            })
        };
        let missing = needed(description, cluster).into_iter().filter(|&it| !is_here(it));
        let services: Vec<String> =
            missing.map(|it| description.application.services[it].name.clone()).collect();
        let cluster = description.clusters[cluster].name.clone();
        (!services.is_empty()).then_some(Finding::FailsWhenCut { cluster, services })
    };
    clusters.into_iter().filter_map(of_cluster).collect()
}

/// The services that requests of users of a cluster come to.
fn needed(description: &Description, cluster: ClusterId) -> BTreeSet<ServiceId> {
    let application = &description.application;
    let of_users = description.populations.iter().filter(|it| it.cluster == cluster);
    let mut endpoints: Vec<_> = of_users.flat_map(|it| it.requests.endpoints()).collect();
    let mut known: BTreeSet<usize> = endpoints.iter().map(|it| it.index()).collect();
    let mut services = BTreeSet::new();
    while let Some(id) = endpoints.pop() {
        let endpoint = &application.endpoints[id];
        services.insert(endpoint.service);
        for call in endpoint.groups.iter().flat_map(|group| &group.calls) {
            if known.insert(call.endpoint.index()) {
                endpoints.push(call.endpoint);
            }
        }
    }
    services
}
