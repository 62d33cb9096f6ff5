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

use crate::envoy::endpoint_list::{Edits, EndpointList, Part};
use crate::envoy::endpoint_view::{Detail, Endpoint, SharedLevel};
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{ClusterId, NameId, PodId};
use crate::istiod::distribute::{Share, distribute};
use crate::istiod::failover_priority::{
    Caller, FailoverPriority, Labels, LocalityEndpoints, NETWORK_LABEL, prioritize,
};
use crate::istiod::locality_priority::{Locality, locality_priority, priorities};
use crate::istiod::locality_setting::{HOSTNAME_LABEL, InForce, REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL};
use crate::pod_id::PodIds;
use crate::world::description::{Description, NodeSpec};
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
    /// The same in numbers.
    pub names: Locality<NameId>,
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
    /// Its node, counted within its cluster.
    pub node: u32,
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
pub(crate) fn sites(description: &Description) -> (Table<SiteId, Site>, Table<ClusterId, Vec<SiteId>>) {
    let changed = description.configuration_changes.iter().map(|it| &it.settings);
    let by_node = description.services.iter().chain(changed).any(|service| {
        let settings = [service.locality.as_ref(), Some(&description.mesh.locality)];
        let listed = |label: &String| label.split('=').next() == Some(HOSTNAME_LABEL);
        let mut settings = settings.into_iter().flatten();
        settings.any(|setting| setting.failover_priority.iter().any(listed))
            || service.traffic_distribution.is_some()
    });
    let mut sites: Table<SiteId, Site> = Table::new();
    let mut numbers: BTreeMap<String, NameId> = BTreeMap::new();
    let of_nodes = description.clusters.enumerate().map(|(cluster, spec)| {
        let first = sites.len();
        let site_of = |(index, node): (usize, &NodeSpec)| {
            let known = (first..sites.len()).map(SiteId::from_index);
            let mut alike = known.filter(|&site| !by_node && sites[site].locality == node.locality);
            if let Some(site) = alike.next() {
                return site;
            }
            let hostname = by_node.then(|| format!("{}-{index}", spec.name));
            let labels = labels(&spec.name, &node.locality, &spec.labels, hostname.as_deref());
            let locality = node.locality.clone();
            let names = in_numbers(&locality, |name| number_of(&mut numbers, name));
            sites.push(Site { cluster, locality, names, labels })
        };
        spec.nodes.iter().enumerate().map(site_of).collect()
    });
    let of_nodes = of_nodes.collect();
    (sites, of_nodes)
}

/// The number of a name, given at its first use.
fn number_of(numbers: &mut BTreeMap<String, NameId>, name: &str) -> NameId {
    if let Some(&number) = numbers.get(name) {
        return number;
    }
    let number = NameId::from_index(numbers.len());
    numbers.insert(name.to_owned(), number);
    number
}

fn in_numbers(locality: &Locality, mut number: impl FnMut(&str) -> NameId) -> Locality<NameId> {
    let Locality { region, zone, subzone } = locality;
    Locality { region: number(region), zone: number(zone), subzone: number(subzone) }
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

/// What istiod sends the proxies of a site of these endpoints.
pub(crate) fn sent_to(
    description: &Description,
    sites: &Table<SiteId, Site>,
    site: SiteId,
    spec: &UpstreamSpec,
    known: &[Known],
) -> Vec<Endpoint> {
    let in_subset = in_subset(description, sites, spec);
    let sent = |it: &&Known| in_subset(it.pod, it.site) && (it.ready || spec.policy.unready_endpoints_sent);
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
    let Some(setting) = &spec.locality else { return endpoints };
    let outliers = spec.outlier_detection.is_some();
    let groups = Groups::new(sites, &known);
    let caller = &sites[site];
    if setting.priorities_applied(outliers) {
        groups.set_priorities(caller, setting, description, sites, &known, &mut endpoints);
    }
    // A locality that is alone in its level has all of its load, whatever it weighs: most are.
    let one_each = setting.weighs_always
        && setting.setting.distribute.is_empty()
        && groups.are_alone_in_their_levels(&endpoints);
    if setting.locality_weighted(outliers) && !one_each {
        groups.set_weights(caller, setting, &mut endpoints);
        endpoints.retain(|endpoint| endpoint.locality_weight != Some(REMOVED));
    }
    endpoints
}

/// Whether an endpoint is in the subset that an upstream is.
fn in_subset(
    description: &Description,
    sites: &Table<SiteId, Site>,
    spec: &UpstreamSpec,
) -> impl Fn(PodId, SiteId) -> bool {
    let ids = PodIds::new(description.clusters.len(), description.services.len());
    move |pod, site| {
        spec.subset.as_ref().is_none_or(|selector| {
            let own = &description.services[ids.service_of(pod)].labels;
            selector.selects(sites[site].cluster, own, &sites[site].labels)
        })
    }
}

/// How the views of an upstream are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// One level, all localities alike.
    OneLevel,
    /// Nearer localities first, none of them weighted.
    ByLocality,
    /// By labels, or with weights of localities.
    Other,
}

impl Order {
    /// How the views of an upstream are made.
    pub(crate) fn of(spec: &UpstreamSpec) -> Self {
        let Some(setting) = &spec.locality else { return Self::OneLevel };
        let outliers = spec.outlier_detection.is_some();
        match setting.priorities_applied(outliers) {
            _ if setting.locality_weighted(outliers) => Self::Other,
            true => Self::ByLocality,
            false => Self::OneLevel,
        }
    }
}

/// The list that the views of an upstream share, of all that is known before the run.
pub(crate) fn list_of(
    description: &Description,
    sites: &Table<SiteId, Site>,
    spec: &UpstreamSpec,
    known: impl Iterator<Item = Known>,
) -> EndpointList {
    let in_subset = in_subset(description, sites, spec);
    let known = known.filter(|it| in_subset(it.pod, it.site));
    EndpointList::new(known.map(|it| (it.pod, it.weight, sites[it.site].names)))
}

/// The levels that the proxies of a site are sent, as parts of the list of all: what [`sent_to`] comes to where
/// localities are not weighted. `changes` are the endpoints that are not as before the run, in ascending order: as
/// they are, and where they were.
pub(crate) fn levels_for(
    (description, sites): (&Description, &Table<SiteId, Site>),
    site: SiteId,
    (spec, order): (&UpstreamSpec, Order),
    list: &EndpointList,
    changes: &[Change],
) -> Vec<SharedLevel> {
    let viewer = &sites[site].names;
    let parts = match order {
        Order::OneLevel => vec![Some(list.world())],
        Order::ByLocality => list.by_distance(viewer).to_vec(),
        Order::Other => unreachable!("its views have lists of their own"),
    };
    let level_of = |site: SiteId| match order {
        Order::OneLevel => 0,
        _ => locality_priority(viewer, &sites[site].names) as usize,
    };
    let in_subset = in_subset(description, sites, spec);
    let mut levels: Vec<Changed> = parts.iter().map(|_| Changed::default()).collect();
    for change in changes {
        let sent = change
            .now
            .filter(|it| in_subset(it.pod, it.site) && (it.ready || spec.policy.unready_endpoints_sent));
        let before = change.before.filter(|&site| in_subset(change.pod, site));
        let detail = sent.map(|it| Detail { weight: it.weight, healthy: it.ready, added: it.added });
        let position = list.find(change.pod).unwrap_or_else(|position| position);
        match (before, sent) {
            (Some(from), Some(it)) if from == it.site => {
                levels[level_of(from)].details.extend(detail.map(|detail| (position as u32, detail)));
            }
            _ => {
                let rank = |level: usize| parts[level].map_or(0, |part| list.rank(part, position));
                if let Some(level) = before.map(level_of) {
                    levels[level].taken.push(rank(level));
                }
                if let Some(level) = sent.map(|it| level_of(it.site)) {
                    levels[level].added.extend(detail.map(|detail| (rank(level), (change.pod, detail))));
                }
            }
        }
    }
    let level = |(part, changed): (Option<Part>, Changed)| SharedLevel {
        part,
        edits: Edits::new(&changed.taken, changed.added),
        details: changed.details,
    };
    parts.into_iter().zip(levels).map(level).collect()
}

/// An endpoint that is not as before the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The pod.
    pub pod: PodId,
    /// Where it was before the run, if it was.
    pub before: Option<SiteId>,
    /// What is known of it now, if it is there.
    pub now: Option<Known>,
}

/// What changes in a level.
#[derive(Default)]
struct Changed {
    taken: Vec<u32>,
    added: Vec<(u32, (PodId, Detail))>,
    details: Vec<(u32, Detail)>,
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
        let mut groups: BTreeMap<[NameId; 3], usize> = BTreeMap::new();
        let mut group_of = |it: &Known| {
            let site = &sites[it.site];
            let Locality { region, zone, subzone } = site.names;
            *groups.entry([region, zone, subzone]).or_insert_with(|| {
                localities.push(&site.locality);
                localities.len() - 1
            })
        };
        let group = known.iter().map(&mut group_of).collect();
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
        let placed = prioritize(caller, &by_labels, &setting.failover, &groups);
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
