//! Controllers that move services between clusters: who stands where, and what each is told.

use super::check::{Check, MILLISECOND};
use super::clusters::{Network, rate};
use super::observability::SHORTEST_INTERVAL;
use super::ranges::{bounded, bounded_u32};
use crate::schema::Scenario;
use crate::schema::offloading::{self as typed, OfEdge, Policy, Prices as Written};
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::hpa::{MetricResource, MetricSource};
use meshsim_models::kubernetes::scheduler::resources::Resource;
use meshsim_models::offloading::analytic_model::Prices;
use meshsim_models::offloading::controller::ControllerSettings;
use meshsim_models::offloading::settings::{
    COMPAT_CPU_TARGET, ManagedDeployment, ManagedService, OffloadingSettings, PlacerSettings, PolicySettings,
};
use meshsim_models::units::BitsPerSecond;
use meshsim_models::world::description::{DataPlane, Deployment, Description};
use std::collections::BTreeMap;

/// Paths of a call graph may be as many as its services are many; so are rounds of a search.
const SERVICES_MAX: usize = 300;

/// What may be offloaded has a Deployment without pods at each edge.
pub(super) fn make_room(scenario: &Scenario, application: &Application, network: &mut Network) {
    let Some(written) = scenario.offloading.as_ref().map(Spanned::get_ref) else { return };
    let id_of = |name: &str| scenario.clusters.keys().position(|it| it == name).map(ClusterId::from_index);
    let Some(cloud) = id_of(written.cluster.get_ref()) else { return };
    let managed: Vec<ServiceId> = managed(scenario, application, &network.deployments, cloud);
    for edge in written.edges.get_ref().iter().filter_map(|it| id_of(it.get_ref())) {
        for &service in &managed {
            let is_there = network.deployments.iter().any(|it| (it.service, it.cluster) == (service, edge));
            if !is_there && edge != cloud {
                let cpu_limit = application.services[service].cpu_limit;
                network.deployments.push(Deployment {
                    service,
                    cluster: edge,
                    replicas: 0,
                    cpu_limit,
                    weight: 1,
                });
            }
        }
    }
}

/// The services that stand in the cloud, but for versions of others and what is outside.
fn managed(
    scenario: &Scenario,
    application: &Application,
    deployments: &[Deployment],
    cloud: ClusterId,
) -> Vec<ServiceId> {
    let is_whole = |service: &ServiceId| {
        let written = scenario.services.get(&application.services[*service].name);
        written.is_none_or(|it| !it.get_ref().is_external() && it.get_ref().version_of.is_none())
    };
    let stands = |service: &ServiceId| {
        deployments.iter().any(|it| (it.service, it.cluster) == (*service, cloud) && it.replicas > 0)
    };
    application.services.ids().filter(|it| is_whole(it) && stands(it)).collect()
}

/// The controllers, and who is steered.
pub(super) fn resolve(check: &mut Check<'_>, scenario: &Scenario, description: &mut Description) {
    let Some(spanned) = &scenario.offloading else { return };
    let written = spanned.get_ref();
    if description.mesh.data_plane != DataPlane::Sidecar {
        let help = "take [offloading] out, or write mesh.data_plane = \"sidecar\": the controller asks for what sidecars count";
        return check.problem(
            "without sidecars nobody counts requests for the controller",
            spanned.span(),
            help,
        );
    }
    let clusters = description.clusters.iter().map(|it| it.name.as_str());
    let cluster = &written.cluster;
    let cloud = check.reference(cluster.get_ref(), cluster.span(), clusters.clone(), "cluster");
    let mut edges = Vec::new();
    for edge in written.edges.get_ref() {
        let Some(number) = check.reference(edge.get_ref(), edge.span(), clusters.clone(), "cluster") else {
            continue;
        };
        if Some(number) == cloud || edges.contains(&ClusterId::from_index(number)) {
            let help = "list each edge once, and not the cluster in which the controllers stand";
            check.problem(format!("`{}` cannot be an edge here", edge.get_ref()), edge.span(), help);
            continue;
        }
        edges.push(ClusterId::from_index(number));
    }
    let Some(cloud) = cloud.map(ClusterId::from_index) else { return };
    if edges.is_empty() {
        return check.problem("no edge is steered", written.edges.span(), "write edges = [\"edge1\"]");
    }
    if let Some(central) = description.observability.filter(|it| it.cluster != cloud) {
        let name = &description.clusters[central.cluster].name;
        let help = format!(
            "write cluster = \"{}\" in [observability], or cluster = \"{name}\" here",
            cluster.get_ref()
        );
        return check.problem(
            format!("Prometheus stands in `{name}`, the controllers elsewhere"),
            cluster.span(),
            help,
        );
    }
    let managed = managed(scenario, &description.application, &description.deployments, cloud);
    if managed.is_empty() || managed.len() > SERVICES_MAX {
        let message = format!("there are {} services in `{}` to offload", managed.len(), cluster.get_ref());
        return check.problem(message, cluster.span(), format!("it is 1 to {SERVICES_MAX}"));
    }
    if let Some(&twice) = managed.iter().find(|&&it| description.is_offloaded(it)) {
        let name = &description.application.services[twice].name;
        let message = format!("`{name}` is moved by a controller, and is offloaded by [liqo], too");
        let help = format!(
            "take `{name}` out of liqo.offloading.services: what decides on its pods is one of the two"
        );
        return check.problem(message, spanned.span(), help);
    }
    let names = |check: &mut Check<'_>, list: &Option<Spanned<Vec<Spanned<String>>>>| -> Vec<ServiceId> {
        let known: Vec<&str> =
            managed.iter().map(|&it| description.application.services[it].name.as_str()).collect();
        let listed = list.iter().flat_map(Spanned::get_ref);
        let found = listed.filter_map(|it| {
            check.reference(it.get_ref(), it.span(), known.iter().copied(), "service to offload")
        });
        found.map(|number| managed[number]).collect()
    };
    let compat = written.compat.as_ref().is_none_or(|it| *it.get_ref());
    let locked = names(check, &written.locked);
    if let Some(locked) = written.locked.as_ref().filter(|_| compat) {
        let help = "write compat = false: the original reads the key elsewhere";
        check.problem("the original does not honour locked", locked.span(), help);
    }
    let steered: Vec<&str> = edges.iter().map(|&it| description.clusters[it].name.as_str()).collect();
    for (name, own) in &written.clusters {
        check.reference(name, own.span(), steered.iter().copied(), "edge");
    }
    let told: Vec<(ControllerSettings, PolicySettings)> = steered
        .iter()
        .map(|&edge| {
            let own = written.clusters.get(edge);
            let fixed = names(check, services_of(written, own.map(Spanned::get_ref)));
            let policy = policy(check, written, (own, spanned.span()), fixed);
            (controller(check, written, own.map(Spanned::get_ref), compat), policy)
        })
        .collect();
    if !told.iter().any(|(_, policy)| matches!(policy, PolicySettings::Sbmp { .. })) {
        refuse_keys_of_sbmp(check, written);
    }
    let (period, interval) = (written.query_period.as_ref(), written.scrape_interval.as_ref());
    let query_period =
        check.duration(period, "query_period", SimDuration::from_secs(120), 1_000 * MILLISECOND);
    let interval = check.duration(interval, "scrape_interval", SimDuration::from_secs(15), SHORTEST_INTERVAL);
    if let (Some(_), Some(written)) = (description.observability, &written.scrape_interval) {
        check.problem("[observability] says the scrape_interval", written.span(), "take it out here");
    }
    let scrape_interval = description.observability.map_or(interval, |it| it.scrape_interval);
    if query_period < scrape_interval * 2 {
        let location = written.query_period.as_ref().map_or(spanned.span(), Spanned::span);
        let message = format!("a query_period of {query_period} has no two scrapes of {scrape_interval}");
        check.problem(message, location, format!("it is at least {}", scrape_interval * 2));
    }
    let number = |check: &mut Check<'_>, value: &Option<Spanned<f64>>, what: &str, default, least, most| {
        bounded(check, value.as_ref(), what, default, least, most)
    };
    let multipliers = [
        number(check, &written.rtt_multiplier, "a multiplier of the round trip", 2.0, 0.0, 100.0),
        number(check, &written.policy_rtt_multiplier, "a multiplier of the round trip", 2.0, 0.0, 100.0),
    ];
    if let Some(again) = written.policy_rtt_multiplier.as_ref().filter(|_| !compat) {
        check.problem("one multiplier is enough", again.span(), "take it out, or write compat = true");
    }
    let quantile = number(check, &written.delay_quantile, "a quantile", 0.9, 0.0, 1.0);
    let scaling = number(check, &written.resource_scaling, "a share of the load", 1.0, 0.0, 1.0);
    let avoidance = number(check, &written.overshooting_avoidance, "a share of what is asked", 0.3, 0.0, 1.0);
    let cloud_prices = prices(check, &written.cloud_prices, Prices { cpu: 0.0208, memory: 0.0104 });
    let edge_prices = prices(check, &written.edge_prices, Prices { cpu: 0.028, memory: 0.014 });
    let network_price = number(check, &written.network_price, "a price", 0.02, 0.0, 1e9);
    let rtt = written.rtt.as_ref().map(|it| check.duration(Some(it), "rtt", SimDuration::ZERO, 0));
    let bandwidth = written.bandwidth.as_ref().map(|it| rate(check, Some(it), BitsPerSecond(1e9)));
    let mut requests: Vec<(ServiceId, f64)> = Vec::new();
    for &it in &managed {
        requests.extend(cpu_request(check, description, spanned, it, cloud).map(|cores| (it, cores)));
    }
    let mut controllers = Vec::new();
    for (edge, (controller, policy)) in edges.into_iter().zip(told) {
        let link =
            description.links.iter().find(|it| it.between == [edge, cloud] || it.between == [cloud, edge]);
        let (Some(rtt), Some(bandwidth)) =
            (rtt.or(link.map(|it| it.round_trip)), bandwidth.or(link.map(|it| it.bits_per_second)))
        else {
            let name = &description.clusters[edge].name;
            let message = format!("there is no link between `{name}` and `{}`", cluster.get_ref());
            check.problem(
                message,
                written.edges.span(),
                "write the rtt and the bandwidth that the controller is told",
            );
            continue;
        };
        let services = requests.iter().map(|&(it, cores)| service(description, it, cores, [cloud, edge]));
        controllers.push(PlacerSettings {
            edge,
            cluster: cloud,
            controller,
            query_period,
            delay_quantile: quantile,
            policy,
            asks_others: written.regret_horizon.is_some(),
            overshooting_avoidance: avoidance,
            locked: locked.clone(),
            round_trip: rtt.as_secs_f64(),
            bandwidth,
            round_trip_multipliers: multipliers,
            default_resource_scaling: scaling,
            cloud_prices,
            edge_prices,
            network_price,
            services: services.collect(),
        });
    }
    let most = |side: ManagedDeployment| side.bounds.1.max(1);
    let steered: BTreeMap<_, _> = controllers
        .iter()
        .flat_map(|it| {
            it.services.iter().flat_map(|of| {
                [((it.cluster, of.service), most(of.sides[0])), ((it.edge, of.service), most(of.sides[1]))]
            })
        })
        .collect();
    description.kubernetes.steered = steered;
    description.offloading = Some(OffloadingSettings { scrape_interval, controllers });
}

/// For how long alternatives to decisions run, if they do.
pub(super) fn regret_horizon(
    check: &mut Check<'_>,
    scenario: &Scenario,
    description: &Description,
) -> Option<SimDuration> {
    let written = scenario.offloading.as_ref()?.get_ref().regret_horizon.as_ref()?;
    let scrapes = description.offloading.as_ref()?.scrape_interval;
    let least = (scrapes * 2).as_nanos();
    Some(check.duration(Some(written), "regret_horizon", SimDuration::ZERO, least))
}

fn controller(
    check: &mut Check<'_>,
    written: &typed::Offloading,
    own: Option<&OfEdge>,
    compat: bool,
) -> ControllerSettings {
    let default = ControllerSettings::default();
    let second = 1_000 * MILLISECOND;
    let sync_period =
        check.duration(written.sync_period.as_ref(), "sync_period", default.sync_period, second);
    let window = written.stabilization_window.as_ref();
    let stabilization_window =
        check.duration(window, "stabilization_window", default.stabilization_window, second);
    let mut ms = |value: Option<&crate::schema::Duration>, key: &str, default: f64| {
        let default = SimDuration::from_nanos_f64(default * 1e6);
        check.duration(value, key, default, 0).as_nanos_f64() / 1e6
    };
    let offload = own.and_then(|it| it.offload_delay.as_ref()).or(written.offload_delay.as_ref());
    let unoffload = own.and_then(|it| it.unoffload_delay.as_ref()).or(written.unoffload_delay.as_ref());
    let settings = ControllerSettings {
        sync_period,
        stabilization_window,
        offload_mean_ms: ms(offload, "offload_delay", default.offload_mean_ms),
        unoffload_mean_ms: ms(unoffload, "unoffload_delay", default.unoffload_mean_ms),
        offload_quantile_ms: ms(
            written.offload_quantile_delay.as_ref(),
            "offload_quantile_delay",
            default.offload_quantile_ms,
        ),
        unoffload_quantile_ms: ms(
            written.unoffload_quantile_delay.as_ref(),
            "unoffload_quantile_delay",
            default.unoffload_quantile_ms,
        ),
        most_decrease_ms: ms(
            written.max_delay_reduction.as_ref(),
            "max_delay_reduction",
            default.most_decrease_ms,
        ),
        most_increase_ms: ms(
            written.max_delay_increase.as_ref(),
            "max_delay_increase",
            default.most_increase_ms,
        ),
        compat,
    };
    let location = unoffload.or(offload);
    if settings.unoffload_mean_ms > settings.offload_mean_ms {
        let message = "unoffload_delay is longer than offload_delay";
        let span = location.map_or(written.cluster.span(), Spanned::span);
        check.problem(message, span, "services go back below unoffload_delay and come above offload_delay");
    }
    settings
}

/// The services of a controller whose policy is fixed: its own, or those of all, unless it has a policy of its own.
fn services_of<'a>(
    written: &'a typed::Offloading,
    own: Option<&'a OfEdge>,
) -> &'a Option<Spanned<Vec<Spanned<String>>>> {
    match own {
        Some(own) if own.services.is_some() || own.policy.is_some() => &own.services,
        _ => &written.services,
    }
}

/// Keys that only sbmp has a use for.
fn refuse_keys_of_sbmp(check: &mut Check<'_>, written: &typed::Offloading) {
    let of_sbmp = [
        ("expanding_depth", written.expanding_depth.as_ref().map(Spanned::span)),
        ("max_sets", written.max_sets.as_ref().map(Spanned::span)),
        ("max_traces", written.max_traces.as_ref().map(Spanned::span)),
        ("overshooting_avoidance", written.overshooting_avoidance.as_ref().map(Spanned::span)),
    ];
    check.refuse(of_sbmp, "take it out, or write policy = \"sbmp\"", |key| format!("only sbmp has {key}"));
}

fn policy(
    check: &mut Check<'_>,
    written: &typed::Offloading,
    (own, table): (Option<&Spanned<OfEdge>>, std::ops::Range<usize>),
    fixed: Vec<ServiceId>,
) -> PolicySettings {
    let table = own.map_or(table, Spanned::span);
    let own = own.map(Spanned::get_ref);
    let policy = own.and_then(|it| it.policy.as_ref()).or(written.policy.as_ref());
    let policy = policy.map_or(Policy::Sbmp, |it| *it.get_ref());
    match (policy, services_of(written, own)) {
        (Policy::Fixed, None) => {
            check.problem("policy \"fixed\" needs services", table, "write services = [\"s0\"]");
        }
        (Policy::Fixed, Some(_)) | (_, None) => {}
        (_, Some(services)) => {
            check.problem("only policy \"fixed\" has services", services.span(), "take it out");
        }
    }
    let mut whole = |value: &Option<Spanned<u32>>, key: &str, default: u32, most: u32| {
        bounded_u32(check, value.as_ref(), key, 1, most).unwrap_or(default) as usize
    };
    match policy {
        Policy::Sbmp | Policy::CoPamp => PolicySettings::Sbmp {
            paths: policy == Policy::CoPamp,
            expanding_depth: whole(&written.expanding_depth, "expanding_depth", 2, 1_000),
            max_sets: whole(&written.max_sets, "max_sets", 256, 1_000_000),
            max_traces: whole(&written.max_traces, "max_traces", 2_048, 1_000_000),
        },
        Policy::Mfu => PolicySettings::Mfu,
        Policy::Ia => PolicySettings::Ia,
        Policy::Kahn => PolicySettings::Kahn,
        Policy::Ta => PolicySettings::Ta,
        Policy::Fixed => PolicySettings::Fixed(fixed),
    }
}

fn prices(check: &mut Check<'_>, written: &Written, default: Prices) -> Prices {
    Prices {
        cpu: bounded(check, written.cpu.as_ref(), "a price", default.cpu, 0.0, 1e9),
        memory: bounded(check, written.memory.as_ref(), "a price", default.memory, 0.0, 1e9),
    }
}

/// The CPU that the pods of a service request, by which a controller counts them (cores).
fn cpu_request(
    check: &mut Check<'_>,
    description: &Description,
    table: &Spanned<typed::Offloading>,
    service: ServiceId,
    cloud: ClusterId,
) -> Option<f64> {
    let requests = &description.kubernetes.workload(service).application;
    let deployment = description.deployments.iter().find(|it| (it.service, it.cluster) == (service, cloud));
    let limit = deployment.and_then(|it| it.cpu_limit);
    // Kubernetes takes a limit for the request where there is none.
    let request = requests.get(Resource::CPU).map(|milli| milli as f64 / 1e3).or(limit.map(|it| it.0));
    let request = request.filter(|it| *it > 0.0);
    if request.is_none() {
        let message = format!(
            "`{}` requests no CPU, by which the controller counts pods",
            description.application.services[service].name
        );
        check.problem(
            message,
            table.span(),
            "write application.cpu_request = \"1000m\", or services.NAME.resources.requests.cpu",
        );
    }
    request
}

/// What a controller reads in the manifests of a service.
fn service(
    description: &Description,
    service: ServiceId,
    cpu_request: f64,
    clusters: [ClusterId; 2],
) -> ManagedService {
    let workload = description.kubernetes.workload(service);
    let deployment =
        |cluster| description.deployments.iter().find(|it| (it.service, it.cluster) == (service, cluster));
    let side = |cluster: ClusterId| {
        let at_start = deployment(cluster).map_or(0, |it| it.replicas);
        let written = description.application.services[service].replicas.max(1);
        let hpa = description.kubernetes.autoscaler(service, cluster).map(|it| &it.hpa);
        let target = hpa.and_then(|it| {
            let cpu =
                it.metrics.iter().find(|it| it.source == MetricSource::Utilization(MetricResource::Cpu))?;
            Some(cpu.target as f64 / 100.0)
        });
        let own = if at_start > 0 { at_start } else { written };
        ManagedDeployment {
            bounds: hpa.map_or((own, own), |it| (it.min_replicas, it.max_replicas)),
            at_start,
            cpu_target: target.unwrap_or(COMPAT_CPU_TARGET),
        }
    };
    let memory_request = workload.application.get(Resource::MEMORY).map_or(0.0, |bytes| bytes as f64 / 1e9);
    ManagedService { service, cpu_request, memory_request, sides: clusters.map(side) }
}
