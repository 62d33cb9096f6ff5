//! Which endpoints of an upstream istiod sends to the proxies of a site, and how they are ordered.
//!
//! # Models
//! A *site* is what the proxies on some nodes of a cluster have in common: their locality, and their
//! node where a label asks for it. All proxies of a site see the same endpoints. Priorities and
//! weights of localities follow the setting that is in force (`locality_setting`): failover by
//! locality or by labels, or explicit weights, or neither, and then all endpoints of all clusters
//! are alike. Pods that are not ready are left out, or sent as unhealthy.
//!
//! # Source
//! Istio `endpoint_builder.go`, `BuildClusterLoadAssignment`; `loadbalancer.go`,
//! `ApplyLocalityLoadBalancer`.

use super::description::{DataPlane, Description, NodeSpec};
use crate::ids::{ClusterId, PodId};
use crate::mesh::distribute::{Share, distribute};
use crate::mesh::endpoint_view::Endpoint;
use crate::mesh::failover_priority::{
    Caller, FailoverPriority, Labels, LocalityEndpoints, NETWORK_LABEL, place,
};
use crate::mesh::locality_priority::{Locality, priorities};
use crate::mesh::locality_setting::{
    HOSTNAME_LABEL, InForce, REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL, in_force,
};
use crate::mesh::upstream::UpstreamSpec;
use meshsim_core::{Id, SimTime, Table, id_type};
use std::collections::BTreeMap;

id_type!(
    /// A site; those of a cluster stand together.
    SiteId
);

/// What proxies of some nodes have in common.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where.
    pub cluster: ClusterId,
    /// The locality of its nodes.
    pub locality: Locality,
    /// Labels of its proxies and pods.
    pub labels: Labels,
}

/// An endpoint that istiod knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// The pod.
    pub pod: PodId,
    /// Where it is.
    pub site: SiteId,
    /// Its load balancing weight.
    pub weight: u32,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it was ready once since it came to be known.
    pub was_ready: bool,
    /// When it began to warm up; absent: before the run.
    pub added: Option<SimTime>,
}

/// The sites of all clusters, and the site of each of their nodes.
pub(super) fn sites(description: &Description) -> (Table<SiteId, Site>, Table<ClusterId, Vec<SiteId>>) {
    let by_node = description.services.iter().any(|service| {
        let settings = [service.locality.as_ref(), Some(&description.mesh.locality)];
        let listed = |label: &String| label.split('=').next() == Some(HOSTNAME_LABEL);
        let mut settings = settings.into_iter().flatten();
        settings.any(|setting| setting.failover_priority.iter().any(listed))
            || service.traffic_distribution.is_some()
    });
    let mut sites: Table<SiteId, Site> = Table::new();
    let of_nodes = description.clusters.enumerate().map(|(cluster, spec)| {
        let first = sites.len();
        let place = |(index, node): (usize, &NodeSpec)| {
            let known = (first..sites.len()).map(SiteId::from_index);
            let mut alike = known.filter(|&site| !by_node && sites[site].locality == node.locality);
            if let Some(site) = alike.next() {
                return site;
            }
            let hostname = by_node.then(|| format!("{}-{index}", spec.name));
            let labels = labels(&spec.name, &node.locality, &spec.labels, hostname.as_deref());
            sites.push(Site { cluster, locality: node.locality.clone(), labels })
        };
        spec.nodes.iter().enumerate().map(place).collect()
    });
    let of_nodes = of_nodes.collect();
    (sites, of_nodes)
}

fn labels(cluster: &str, locality: &Locality, own: &Labels, hostname: Option<&str>) -> Labels {
    let mut labels = own.clone();
    let mut set = |key: &str, value: &str| {
        if !value.is_empty() {
            labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
    };
    set(REGION_LABEL, &locality.region);
    set(ZONE_LABEL, &locality.zone);
    set(SUBZONE_LABEL, &locality.subzone);
    set("topology.istio.io/cluster", cluster);
    set(HOSTNAME_LABEL, hostname.unwrap_or_default());
    // One network, as Liqo makes it, unless a cluster says otherwise.
    labels.entry(NETWORK_LABEL.to_owned()).or_default();
    labels
}

/// The locality setting that is in force for a service.
pub(super) fn setting_of(description: &Description, spec: &UpstreamSpec) -> Option<InForce> {
    let (mesh, service) = (&description.mesh, &description.services[spec.service]);
    let is_ambient = mesh.data_plane == DataPlane::Ambient;
    if is_ambient && !description.waypoints().any(|other| other == spec.service) {
        // A ztunnel knows the Service alone.
        return in_force(mesh.istio_version, None, None, service.traffic_distribution);
    }
    in_force(
        mesh.istio_version,
        Some(&mesh.locality),
        service.locality.as_ref(),
        service.traffic_distribution,
    )
}

/// What istiod sends the proxies of a site of these endpoints.
pub(crate) fn sent_to(
    description: &Description,
    sites: &Table<SiteId, Site>,
    site: SiteId,
    spec: &UpstreamSpec,
    known: &[Known],
) -> Vec<Endpoint> {
    let in_subset = |it: &Known| spec.subset.is_none_or(|cluster| sites[it.site].cluster == cluster);
    let sent = |it: &&Known| in_subset(it) && (it.ready || spec.policy.unready_endpoints_sent);
    let known: Vec<Known> = known.iter().filter(sent).copied().collect();
    let mut endpoints: Vec<Endpoint> = known
        .iter()
        .map(|it| Endpoint {
            pod: it.pod,
            priority: 0,
            locality: 0,
            locality_weight: None,
            weight: it.weight,
            healthy: it.ready,
            added: it.added,
        })
        .collect();
    if description.mesh.data_plane == DataPlane::None {
        return endpoints;
    }
    let Some(setting) = setting_of(description, spec) else { return endpoints };
    let outliers = spec.outlier_detection.is_some();
    let groups = Groups::new(sites, &known);
    let caller = &sites[site];
    if setting.priorities_applied(outliers) {
        groups.set_priorities(caller, &setting, description, sites, &known, &mut endpoints);
    }
    // A locality that is alone in its level has all of its load, whatever it weighs: most are.
    let one_each = setting.weighs_always
        && setting.setting.distribute.is_empty()
        && groups.are_alone_in_their_levels(&endpoints);
    if setting.locality_weighted(outliers) && !one_each {
        groups.set_weights(caller, &setting, &mut endpoints);
        endpoints.retain(|endpoint| endpoint.locality_weight != Some(REMOVED));
    }
    endpoints
}

/// Marks an endpoint that `distribute` removes; no locality weighs so much.
const REMOVED: u32 = u32::MAX;

/// Endpoints by locality, in the order of their first endpoint.
struct Groups<'a> {
    localities: Vec<&'a Locality>,
    /// By endpoint.
    group: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn new(sites: &'a Table<SiteId, Site>, known: &[Known]) -> Self {
        let mut localities: Vec<&Locality> = Vec::new();
        let mut of_site: Vec<Option<usize>> = vec![None; sites.len()];
        let group = known
            .iter()
            .map(|it| {
                *of_site[it.site.index()].get_or_insert_with(|| {
                    let locality = &sites[it.site].locality;
                    let known = localities.iter().position(|other| *other == locality);
                    known.unwrap_or_else(|| {
                        localities.push(locality);
                        localities.len() - 1
                    })
                })
            })
            .collect();
        Self { localities, group }
    }

    fn set_priorities(
        &self,
        caller: &Site,
        setting: &InForce,
        description: &Description,
        sites: &Table<SiteId, Site>,
        known: &[Known],
        endpoints: &mut [Endpoint],
    ) {
        let setting = &setting.setting;
        if setting.failover_priority.is_empty() {
            let localities: Vec<Locality> = self.localities.iter().map(|&it| it.clone()).collect();
            let levels = priorities(&caller.locality, &localities, &setting.failover);
            for (endpoint, &group) in endpoints.iter_mut().zip(&self.group) {
                endpoint.priority = levels[group];
            }
            return;
        }
        let prefers_network = description.mesh.istio_version.prefers_network();
        let by_labels = FailoverPriority::new(&setting.failover_priority, prefers_network);
        let mut groups: Vec<LocalityEndpoints> = self
            .localities
            .iter()
            .map(|&it| LocalityEndpoints { locality: it.clone(), endpoints: Vec::new() })
            .collect();
        for (it, &group) in known.iter().zip(&self.group) {
            groups[group].endpoints.push((sites[it.site].labels.clone(), it.weight));
        }
        let caller = Caller { locality: &caller.locality, labels: &caller.labels };
        let placed = place(caller, &by_labels, &setting.failover, &groups);
        let mut next = vec![0; groups.len()];
        for (endpoint, &group) in endpoints.iter_mut().zip(&self.group) {
            endpoint.priority = placed[group][next[group]].priority;
            next[group] += 1;
        }
    }

    /// Whether no level has endpoints of two localities.
    fn are_alone_in_their_levels(&self, endpoints: &[Endpoint]) -> bool {
        let mut of_level: BTreeMap<u32, usize> = BTreeMap::new();
        let mut each = endpoints.iter().zip(&self.group);
        each.all(|(endpoint, &group)| *of_level.entry(endpoint.priority).or_insert(group) == group)
    }

    /// The weight of a locality in a level is that of its endpoints there, or what `distribute` says.
    fn set_weights(&self, caller: &Site, setting: &InForce, endpoints: &mut [Endpoint]) {
        let mut sums: BTreeMap<(u32, usize), u32> = BTreeMap::new();
        for (endpoint, &group) in endpoints.iter().zip(&self.group) {
            *sums.entry((endpoint.priority, group)).or_default() += endpoint.weight;
        }
        let own = |group| sums.get(&(0, group)).copied();
        let localities: Vec<_> =
            self.localities.iter().enumerate().map(|(group, &it)| (it.clone(), own(group))).collect();
        let shares = distribute(&caller.locality, &setting.setting.distribute, &localities);
        for (endpoint, &group) in endpoints.iter_mut().zip(&self.group) {
            let unchanged = sums[&(endpoint.priority, group)];
            endpoint.locality = group as u32;
            endpoint.locality_weight = Some(match shares.as_ref().map(|shares| shares[group]) {
                None | Some(Share::Unchanged) => unchanged,
                Some(Share::Weight(weight)) => weight,
                Some(Share::Removed) => REMOVED,
            });
        }
    }
}
