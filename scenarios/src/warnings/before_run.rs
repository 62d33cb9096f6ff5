//! What a description tells before it is run.

use super::farther_first::farther_first;
use super::federation::of_federation;
use super::joined::takes_in;
use super::spread::spread;
use super::warning::{Finding, Warning};
use crate::analysis::demand::demand_ms_per_request;
use crate::analysis::workloads::CpuBound;
use crate::problem::Problem;
use crate::resolve::Resolved;
use meshsim_core::{Id, SimTime, Table};
use meshsim_models::application::call_graph::{Protocol, Service};
use meshsim_models::cost::{Basis, ClusterCost};
use meshsim_models::envoy::outlier_detection::OutlierDetection;
use meshsim_models::envoy::route::RouteSettings;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::faults::repeated::RepeatedFault;
use meshsim_models::ids::{ClusterId, ConfigurationId, ServiceId, SubsetId};
use meshsim_models::istiod::failover_priority::Labels;
use meshsim_models::istiod::locality_setting::{LocalitySetting, in_force};
use meshsim_models::istiod::subset::Subset;
use meshsim_models::istiod::upstreams::Upstreams;
use meshsim_models::kubernetes::hpa::MetricSource;
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::kubernetes::scheduler::resources::Resource;
use meshsim_models::kubernetes::settings::{AutoscalerSettings, Change, ChangeKind, StartWhen, StartWork};
use meshsim_models::users::arrivals::Extreme;
use meshsim_models::users::population::Population;
use meshsim_models::world::description::{
    ConfigurationChange, DataPlane, Deployment, Description, ServiceSettings,
};
use std::collections::{BTreeMap, BTreeSet};

/// What can be told before a run of these strategies; what is the same under several is told once.
#[must_use]
pub fn before_runs(strategies: &[Resolved]) -> Vec<Warning> {
    let mut all: Vec<Warning> = Vec::new();
    for mut warning in strategies.iter().flat_map(before_run) {
        if let Finding::WithoutEffect { keys } = &mut warning.finding {
            // What another strategy has a use for belongs to the comparison.
            let follows = |path: &str| {
                let all = strategies.iter().flat_map(|it| &it.plane_keys);
                all.into_iter().any(|it| it.path == path && it.has_effect)
            };
            keys.retain(|(path, _)| !follows(path));
            if keys.is_empty() {
                continue;
            }
        }
        if !all.iter_mut().any(|it| takes_in(it, &warning)) {
            all.push(warning);
        }
    }
    all
}

/// What can be told before a run of one.
#[must_use]
pub fn before_run(resolved: &Resolved) -> Vec<Warning> {
    let overridden = resolved.overridden.iter().map(|path| Finding::Overridden { path: path.clone() });
    let mut findings: Vec<Finding> = overridden.collect();
    findings.extend(without_effect(resolved));
    findings.extend(overloads(resolved));
    if resolved.description.mesh.data_plane != DataPlane::None {
        findings.extend(never_ejects(resolved));
        findings.extend(failover_without_detection(resolved));
        findings.extend(unknown_traffic_distribution(resolved));
        findings.extend(farther_first(resolved));
        findings.extend(spread(resolved));
        findings.extend(subsets_without_pods(resolved));
    }
    findings.extend(lost_for_ever(resolved));
    findings.extend(of_federation(resolved));
    findings.extend(faults_without_pods(resolved));
    findings.extend(sent_in_warm_up(resolved));
    findings.extend(changes_without_effect(resolved));
    findings.extend(configuration_without_effect(resolved));
    findings.extend(starts_without_effect(resolved));
    findings.extend(utilization_without_request(resolved));
    findings.extend(priced_without_requests(resolved));
    // One work model serves all strategies.
    let of_workmodel = |problem: &Problem| Warning::from(Finding::WorkModel { what: problem.to_string() });
    let of_strategy = findings.into_iter().map(|it| it.under(&resolved.strategy));
    resolved.workmodel_warnings.iter().map(of_workmodel).chain(of_strategy).collect()
}

/// Calls over UDP that may be lost, and whose callers wait for ever.
fn lost_for_ever(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    let loses = description.links.iter().any(|it| it.loss > 0.0)
        || !description.faults.is_empty()
        || !description.link_faults.is_empty()
        || !description.repeated_faults.is_empty();
    if description.cell.client_timeout.is_some() || !loses {
        return None;
    }
    let datagrams = description.services.enumerate().filter(|(_, it)| it.protocol == Protocol::Udp);
    let services: Vec<String> =
        datagrams.map(|(id, _)| description.application.services[id].name.clone()).collect();
    (!services.is_empty()).then_some(Finding::LostForEver { services })
}

/// Keys that the data plane has no use for.
fn without_effect(resolved: &Resolved) -> Option<Finding> {
    let idle = resolved.plane_keys.iter().filter(|it| !it.has_effect);
    let keys: Vec<_> = idle.map(|it| (it.path.clone(), it.needs)).collect();
    (!keys.is_empty()).then_some(Finding::WithoutEffect { keys })
}

/// Services that need more CPU than they have: on average, or at the peak of the load.
fn overloads(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let application = &description.application;
    let end = description.end();
    let demands = demands(description);
    let mean = needed(&demands, |it| it.arrivals.offered_per_second(it.users, end));
    if mean.is_empty() {
        return Vec::new();
    }
    let mut peaks = vec![0.0_f64; mean.len()];
    for at in moments(description) {
        let needed = needed(&demands, |it| it.arrivals.rate_at(it.users, at, Extreme::Most));
        peaks.iter_mut().zip(needed).for_each(|(peak, needed)| *peak = peak.max(needed));
    }
    let allowed = |service| -> f64 {
        let workers = f64::from(application.services[service].workers);
        // An autoscaler may ask for as many as it is allowed to.
        let most = |d: &Deployment| {
            let settings = &description.kubernetes;
            let autoscaler = settings.autoscaler(d.service, d.cluster);
            autoscaler.map_or(d.replicas, |it| it.hpa.max_replicas.max(d.replicas))
        };
        let of =
            |d: &Deployment| f64::from(most(d)) * d.cpu_limit.map_or(workers, |cores| cores.0.min(workers));
        description.deployments.iter().filter(|d| description.front_of(d.service) == service).map(of).sum()
    };
    // Where pods differ, the limit is what people can raise.
    let bound = |service| {
        let mut of_service = description.deployments.iter().filter(|d| d.service == service);
        let limited = of_service.any(|d| CpuBound::of(description, d) == CpuBound::Limit);
        if limited { CpuBound::Limit } else { CpuBound::Workers }
    };
    let warning = |(id, it): (ServiceId, &Service)| {
        let (service, allowed) = (it.name.clone(), allowed(id));
        let (at_peak, needed) = (peaks[id.index()], mean[id.index()]);
        if needed >= allowed && needed > 0.0 {
            return Some(Finding::Overload { service, needed, allowed, bound: bound(id) });
        }
        let peak = Finding::PeakOverload { service, needed: at_peak, allowed, bound: bound(id) };
        (at_peak >= allowed && at_peak > 0.0).then_some(peak)
    };
    application.services.enumerate().filter_map(warning).collect()
}

/// What a request of each population needs of each service (core seconds).
fn demands(description: &Description) -> Vec<(&Population, Vec<f64>)> {
    let application = &description.application;
    // The users of a closed loop wait: they cannot ask for more than there is.
    let open = description.populations.iter().filter(|p| p.arrivals.is_open());
    let of = |requests| -> Vec<f64> {
        let mut needed = vec![0.0; application.services.len()];
        let demand = demand_ms_per_request(description, requests);
        for (id, ms) in demand.iter().flat_map(Table::enumerate) {
            needed[application.endpoints[id].service.index()] += ms / 1000.0;
        }
        needed
    };
    open.map(|population| (population, of(&population.requests))).collect()
}

/// CPU that each service needs at a rate of each population (cores).
fn needed(demands: &[(&Population, Vec<f64>)], rate: impl Fn(&Population) -> f64) -> Vec<f64> {
    let mut needed = vec![0.0; demands.first().map_or(0, |(_, of)| of.len())];
    for (population, demand) in demands {
        let rate = rate(population);
        needed.iter_mut().zip(demand).for_each(|(needed, demand)| *needed += rate * demand);
    }
    needed
}

/// Moments of the run among which the load of all users together is highest, or nearly so.
fn moments(description: &Description) -> BTreeSet<SimTime> {
    let end = description.end();
    let turning = description.populations.iter().flat_map(|it| it.arrivals.turning_points(end));
    let grid = (0..GRID).map(|index| SimTime::from_nanos(end.as_nanos() / GRID * index));
    turning.chain(grid.take(if description.load_varies() { GRID as usize } else { 1 })).collect()
}

/// Moments at which a load that varies is looked at, beside those at which it turns.
const GRID: u64 = 200;

/// Services whose outlier detection is switched on and can do nothing, by percentage.
fn never_ejects(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let upstreams = Upstreams::new(description);
    let mut by_percent: BTreeMap<u32, BTreeMap<String, u32>> = BTreeMap::new();
    for (id, service) in description.application.services.enumerate() {
        let upstream = upstreams.of_service(ConfigurationId(0), id);
        let Some(config) = upstreams.spec(false, upstream).outlier_detection else { continue };
        if description.services[id].version_of.is_some() {
            continue;
        }
        let of_service = description.deployments.iter().filter(|it| description.front_of(it.service) == id);
        let endpoints: u32 = of_service.map(|it| it.replicas).sum();
        // Of what is outside, a proxy knows one endpoint, and nothing else to go to.
        if endpoints > 0
            && !description.services[id].external
            && detects(&config)
            && !config.can_eject(endpoints)
        {
            let services = by_percent.entry(config.max_ejection_percent).or_default();
            services.insert(service.name.clone(), endpoints);
        }
    }
    let warning = |(percent, services)| Finding::NeverEjects { services, percent };
    by_percent.into_iter().map(warning).collect()
}

/// Whether anything at all is to eject.
const fn detects(config: &OutlierDetection) -> bool {
    config.enforcing_consecutive_5xx
        || config.enforcing_consecutive_gateway_failure
        || (config.split_external_local_origin_errors && config.enforcing_consecutive_local_origin_failure)
        || config.judges_statistics()
}

fn failover_without_detection(resolved: &Resolved) -> Option<Finding> {
    let (mesh, services) = (&resolved.description.mesh, &resolved.description.services);
    let has_no_effect = |it: &ServiceSettings| {
        let (rule, service) = (it.locality.as_ref(), it.traffic_distribution);
        in_force(mesh.istio_version, Some(&mesh.locality), rule, service).is_some_and(|it_holds| {
            let setting = &it_holds.setting;
            // The mesh's default says nothing, and is silently without effect.
            let says_something = *setting != LocalitySetting::default() && setting.distribute.is_empty();
            let detects = it.traffic_policy.outlier_detection.is_some();
            says_something && !it_holds.priorities_applied(detects)
        })
    };
    let own = services.enumerate().filter(|(_, it)| it.version_of.is_none());
    let services = names(resolved, own.filter(|(_, it)| has_no_effect(it)).map(|(id, _)| id));
    (!services.is_empty()).then_some(Finding::FailoverWithoutDetection { services })
}

fn unknown_traffic_distribution(resolved: &Resolved) -> Option<Finding> {
    let version = resolved.description.mesh.istio_version;
    let is_unknown =
        |it: &ServiceSettings| it.traffic_distribution.is_some_and(|value| value.labels(version).is_none());
    let settings = resolved.description.services.enumerate();
    let services = names(resolved, settings.filter(|(_, it)| is_unknown(it)).map(|(id, _)| id));
    (!services.is_empty()).then_some(Finding::UnknownTrafficDistribution { services, version })
}

/// Subsets that routes lead to and that no rule defines at that time, or that select no pod.
fn subsets_without_pods(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let mut told: Table<ServiceId, &ServiceSettings> = description.services.iter().collect();
    let mut moments = vec![(SimTime::ZERO, told.clone())];
    for change in &description.configuration_changes {
        told[change.service] = &change.settings;
        moments.push((change.at, told.clone()));
    }
    let mut warnings: Vec<Finding> = Vec::new();
    let mut known: BTreeSet<(ServiceId, SubsetId, bool)> = BTreeSet::new();
    for (index, (at, settings)) in moments.iter().enumerate() {
        // What is changed at one time is looked at together.
        if moments.get(index + 1).is_some_and(|(next, _)| next == at) {
            continue;
        }
        let routes = settings.iter().flat_map(|it| &it.routes);
        for to in routes.flat_map(RouteSettings::led_to) {
            let Some(Subset::Named(name)) = to.subset else { continue };
            let defined = settings[to.service].subsets.iter().find(|it| it.name == name);
            let is_defined = defined.is_some();
            if defined.is_some_and(|it| selects_any(description, to.service, &it.labels))
                || !known.insert((to.service, name, is_defined))
            {
                continue;
            }
            warnings.push(Finding::SubsetWithoutPods {
                service: description.application.services[to.service].name.clone(),
                subset: description.subsets[name].clone(),
                is_defined,
                at: at.as_secs_f64(),
            });
        }
    }
    warnings
}

/// Whether labels select a pod of a service or of one of its versions, that runs at the start or is made.
fn selects_any(description: &Description, service: ServiceId, labels: &Labels) -> bool {
    let topology_says = |key: &str| key.starts_with("topology.");
    let mut deployments =
        description.deployments.iter().filter(|it| description.front_of(it.service) == service);
    deployments.any(|it| {
        let (own, around) =
            (&description.services[it.service].labels, &description.clusters[it.cluster].labels);
        // Labels of nodes are looked at where pods are.
        labels.iter().all(|(key, value)| {
            let found = own.get(key).or_else(|| around.get(key));
            found == Some(value) || (found.is_none() && topology_says(key))
        })
    })
}

fn faults_without_pods(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let befalls = |(fault, _): &(&PodFault, bool)| {
        let here = |it: &&Deployment| (it.service, it.cluster) == (fault.service, fault.cluster);
        description.deployments.iter().find(here).is_some_and(|it| it.replicas > 0)
    };
    let warning = |(fault, _): (&PodFault, bool)| Finding::FaultWithoutPods {
        service: description.application.services[fault.service].name.clone(),
        cluster: description.clusters[fault.cluster].name.clone(),
    };
    pod_faults(description).filter(|fault| !befalls(fault)).map(warning).collect()
}

/// The faults of pods, and whether they end during the run.
fn pod_faults(description: &Description) -> impl Iterator<Item = (&PodFault, bool)> {
    let once = description.faults.iter().map(|fault| (fault, fault.ends.is_some()));
    once.chain(description.repeated_faults.iter().filter_map(|it| match it {
        RepeatedFault::Pod { fault, .. } => Some((fault, true)),
        RepeatedFault::Link { .. } | RepeatedFault::Outage { .. } => None,
    }))
}

/// Services whose pods would burn CPU when they start, and none does.
fn starts_without_effect(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    let settings = &description.kubernetes;
    let starts = |it: &Deployment, work: StartWork| {
        let changed = |change: &Change| (change.service, change.cluster) == (it.service, it.cluster);
        let is_back = |(fault, ends): (&PodFault, bool)| {
            let here = (fault.service, fault.cluster) == (it.service, it.cluster);
            here && fault.kind == FaultKind::Crash && ends
        };
        settings.autoscaler(it.service, it.cluster).is_some()
            || settings.changes.iter().any(changed)
            || (work.when == StartWhen::AfterReady && pod_faults(description).any(is_back))
    };
    let has_no_effect = |service: &ServiceId| {
        let of_service = || description.deployments.iter().filter(|it| it.service == *service);
        settings.workload(*service).start.is_some_and(|work| !of_service().any(|it| starts(it, work)))
    };
    let services = names(resolved, description.application.services.ids().filter(has_no_effect));
    (!services.is_empty()).then_some(Finding::StartWithoutEffect { services })
}

fn sent_in_warm_up(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    let warm_up = description.warm_up.as_secs_f64();
    let counted = description.populations.iter().filter(|it| it.requests_each.is_some());
    let users: Vec<String> = counted.map(|it| it.name.clone()).collect();
    (warm_up > 0.0 && !users.is_empty()).then_some(Finding::SentInWarmUp { users, warm_up })
}

/// Changes that ask for as many pods as there are, as far as no autoscaler has a say.
fn changes_without_effect(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let of = |it: &Deployment| ((it.service, it.cluster), it.replicas);
    let mut wanted: BTreeMap<(ServiceId, ClusterId), u32> = description.deployments.iter().map(of).collect();
    let mut warnings = Vec::new();
    for change in &description.kubernetes.changes {
        let now = wanted.entry((change.service, change.cluster)).or_default();
        let (before, after) = match change.kind {
            ChangeKind::Scale(replicas) | ChangeKind::Offload(replicas) => {
                (std::mem::replace(now, replicas), replicas)
            }
            ChangeKind::Remove => (std::mem::take(now), 0),
            ChangeKind::Rollout => (*now, u32::from(*now > 0) + *now),
        };
        let scales = description.kubernetes.autoscaler(change.service, change.cluster).is_some();
        if before == after && (before == 0 || !scales) {
            warnings.push(Finding::ChangeWithoutEffect {
                service: description.application.services[change.service].name.clone(),
                cluster: description.clusters[change.cluster].name.clone(),
                at: change.at.as_secs_f64(),
            });
        }
    }
    warnings
}

/// Changes of what the mesh is told of services that are told it already.
fn configuration_without_effect(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let mut told: BTreeMap<ServiceId, &ServiceSettings> = description.services.enumerate().collect();
    let warning = |it: &'_ ConfigurationChange| Finding::ConfigurationWithoutEffect {
        service: description.application.services[it.service].name.clone(),
        at: it.at.as_secs_f64(),
    };
    let mut warnings = Vec::new();
    for it in &description.configuration_changes {
        if told.insert(it.service, &it.settings) == Some(&it.settings) {
            warnings.push(warning(it));
        }
    }
    warnings
}

/// Services whose autoscalers look at the utilization of containers without a request.
fn utilization_without_request(resolved: &Resolved) -> Option<Finding> {
    let description = &resolved.description;
    let has_sidecars = description.mesh.data_plane == DataPlane::Sidecar;
    let lacks = |service: ServiceId, reads: Reads| {
        let workload = description.kubernetes.workload(service);
        let [application, sidecar] =
            [&workload.application, &workload.sidecar].map(|it| it.get(Resource::CPU).is_some());
        match reads {
            Reads::PodCpu => !application || (has_sidecars && !sidecar),
            Reads::ApplicationCpu => !application,
            Reads::SidecarCpu => !has_sidecars || !sidecar,
            Reads::RequestsPerSecond | Reads::MeanLatency | Reads::RequestsInFlight => false,
        }
    };
    let autoscalers = description.kubernetes.autoscalers.iter();
    let fails = |(&(_, service), it): (&(ClusterId, ServiceId), &AutoscalerSettings)| {
        let mut metrics = it.hpa.metrics.iter().zip(&it.reads);
        let wrong = metrics.any(|(metric, &reads)| {
            matches!(metric.source, MetricSource::Utilization(_)) && lacks(service, reads)
        });
        wrong.then_some(service)
    };
    let services: BTreeSet<ServiceId> = autoscalers.filter_map(fails).collect();
    let services = names(resolved, services.into_iter());
    (!services.is_empty()).then_some(Finding::NoRequest { services })
}

/// Clusters that are paid for by requests of which their pods have none.
fn priced_without_requests(resolved: &Resolved) -> Vec<Finding> {
    let description = &resolved.description;
    let requests_nothing = |it: &Deployment| {
        let workload = description.kubernetes.workload(it.service);
        !description.services[it.service].external && workload.application.amount(Resource::CPU) == 0
    };
    let finding = |(cluster, it): (ClusterId, &ClusterCost)| {
        it.prices.filter(|prices| prices.core_hour > 0.0 && prices.basis == Basis::Requested)?;
        let of_cluster = description.deployments.iter().filter(|it| it.cluster == cluster);
        let services = names(resolved, of_cluster.filter(|it| requests_nothing(it)).map(|it| it.service));
        let cluster = description.clusters[cluster].name.clone();
        (!services.is_empty()).then_some(Finding::PricedWithoutRequests { cluster, services })
    };
    description.costs.iter().flat_map(|it| it.clusters.enumerate()).filter_map(finding).collect()
}

fn names(resolved: &Resolved, services: impl Iterator<Item = ServiceId>) -> Vec<String> {
    services.map(|id| resolved.description.application.services[id].name.clone()).collect()
}
