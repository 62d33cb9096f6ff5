//! What joins clusters: Liqo's peerings, east-west gateways, or nothing that stands between them.

use super::check::Check;
use super::clusters::Network;
use super::mesh::proxy_cost;
use super::ranges::{at_least_one, bounded_u32};
use super::resources::{bytes, cores};
use crate::schema::federation::{self as typed, Enforcement, Federation as Kind, LiqoGateway};
use crate::schema::quantity::OneOrMore;
use crate::schema::spanned::Spanned;
use crate::schema::{DataPlane, Scenario};
use meshsim_core::{Id, Table};
use meshsim_models::application::call_graph::{Application, Protocol};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::scheduler::node_affinity::labels_in;
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::namespace_offloading::PodOffloadingStrategy;
use meshsim_models::liqo::quota::LimitsEnforcement;
use meshsim_models::liqo::resource_slice::{Class, Condition, Tenant, decide, default_resources, granted};
use meshsim_models::liqo::settings::{LiqoSettings, Offloading, Peering};
use meshsim_models::multi_network::gateway::EastWestSettings;
use meshsim_models::network::ways::Ways;
use meshsim_models::world::description::{Deployment, Federation, ServiceSettings};
use meshsim_models::world::federation::is_tunnel;
use std::collections::BTreeSet;
use std::ops::Range;

/// What joins the clusters, if the scenario says it.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
) -> Option<Federation> {
    let written = scenario.federation.as_ref()?;
    match written.get_ref() {
        Kind::MultiNetwork => Some(Federation::MultiNetwork(east_west(check, scenario, written.span()))),
        Kind::Flat => Some(Federation::Flat),
        Kind::Liqo => Some(Federation::Liqo(liqo(check, scenario, application, network, written.span()))),
    }
}

/// Only Liqo has tunnels whose gateways may fail.
pub(super) fn check_tunnel_gateways(check: &mut Check<'_>, scenario: &Scenario) {
    if scenario.federation.as_ref().is_some_and(|it| *it.get_ref() == Kind::Liqo) {
        return;
    }
    for name in scenario.faults.iter().filter_map(|it| it.get_ref().tunnel_gateway.as_ref()) {
        let help = "write federation = \"liqo\", or take the fault out";
        check.problem("only tunnels of Liqo have such gateways", name.span(), help);
    }
}

/// Datagrams pass no gateway that reads the name of a service from TLS.
pub(super) fn check_protocols(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    services: &Table<ServiceId, ServiceSettings>,
) {
    let Some(federation) = scenario.federation.as_ref().filter(|it| *it.get_ref() == Kind::MultiNetwork)
    else {
        return;
    };
    for (id, _) in services.enumerate().filter(|(_, it)| it.protocol == Protocol::Udp) {
        let message =
            format!("`{}` speaks udp, which no east-west gateway passes on", application.services[id].name);
        check.problem(message, federation.span(), "write federation = \"liqo\" or \"flat\"");
    }
}

fn east_west(check: &mut Check<'_>, scenario: &Scenario, span: Range<usize>) -> EastWestSettings {
    if !matches!(scenario.mesh.data_plane, None | Some(DataPlane::Sidecar)) {
        let help = "write mesh.data_plane = \"sidecar\", or another federation";
        check.problem("east-west gateways are simulated for sidecars alone", span, help);
    }
    let default = EastWestSettings::default();
    let Some(written) = scenario.east_west_gateway.as_ref().map(Spanned::get_ref) else { return default };
    let mut count = |value: &Option<Spanned<u16>>, key, most, default| match value {
        Some(n) => at_least_one(check, n, key, most),
        None => default,
    };
    EastWestSettings {
        replicas: count(&written.replicas, "replicas", 250, default.replicas),
        concurrency: count(&written.concurrency, "concurrency", 256, default.concurrency),
        cost: proxy_cost(check, &written.cost, default.cost),
    }
}

fn liqo(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    span: Range<usize>,
) -> LiqoSettings {
    let typed = scenario.liqo.as_ref().map(Spanned::get_ref);
    let peerings = peerings(check, scenario, network, &span);
    let of_all =
        typed.map_or_else(GatewayCost::default, |it| gateway(check, &it.gateway, GatewayCost::default()));
    let of_clusters = scenario.clusters.values().map(|it| gateway(check, &it.get_ref().liqo_gateway, of_all));
    let gateways = of_clusters.collect();
    let offloading = typed.and_then(|it| it.offloading.as_ref());
    let offloading =
        offloading.map(|it| self::offloading(check, scenario, application, network, &peerings, it));
    let settings = LiqoSettings { peerings, gateways, offloading };
    check_ways(check, network, &settings, span);
    settings
}

/// The peerings that are written, and those of the consumer with whoever else has a link to it.
fn peerings(
    check: &mut Check<'_>,
    scenario: &Scenario,
    network: &Network,
    span: &Range<usize>,
) -> Vec<Peering> {
    let names: Vec<&str> = network.clusters.iter().map(|it| it.name.as_str()).collect();
    let mut peerings: Vec<Peering> = Vec::new();
    for (name, peering) in &scenario.peerings {
        let typed = peering.get_ref();
        let mut end = |it: &Spanned<String>| check.reference_in(it.get_ref(), it.span(), &names, "cluster");
        let (consumer, provider) = (end(&typed.consumer), end(&typed.provider));
        let (Some(consumer), Some(provider)) = (consumer, provider) else { continue };
        let [consumer, provider] = [consumer, provider].map(ClusterId::from_index);
        let joins = |it: &[ClusterId; 2]| *it == [consumer, provider] || *it == [provider, consumer];
        if consumer == provider {
            let message = format!("peering `{name}` joins a cluster to itself");
            check.problem(message, peering.span(), "write another cluster's name as provider");
        } else if !network.links.iter().any(|it| joins(&it.between)) {
            let message = format!("no link joins the clusters of peering `{name}`");
            check.problem(message, peering.span(), "add a link between them, over which its tunnel leads");
        } else if let Some(other) =
            peerings.iter().find(|it| (it.consumer, it.provider) == (consumer, provider))
        {
            let message = format!("peerings `{}` and `{name}` have the same clusters", other.name);
            check.problem(message, peering.span(), "take one out");
        } else {
            let (granted, enforcement) = terms(check, scenario, Some(typed));
            peerings.push(Peering { name: name.clone(), consumer, provider, granted, enforcement });
        }
    }
    add_implied(check, scenario, network, &names, &mut peerings);
    if peerings.is_empty() && check.problems.is_empty() && network.clusters.len() > 1 {
        let help = "write [liqo] consumer = \"cloud\", or [peerings.NAME] with a consumer and a provider";
        check.problem("nobody peers with anybody", span.clone(), help);
    }
    peerings
}

/// The peerings of the one consumer, if there is one, with whoever else has a link to it and is no peer yet.
fn add_implied(
    check: &mut Check<'_>,
    scenario: &Scenario,
    network: &Network,
    names: &[&str],
    peerings: &mut Vec<Peering>,
) {
    let Some(written) = scenario.liqo.as_ref().and_then(|it| it.get_ref().consumer.as_ref()) else { return };
    let found = check.reference_in(written.get_ref(), written.span(), names, "cluster");
    let Some(consumer) = found.map(ClusterId::from_index) else { return };
    let (granted, enforcement) = terms(check, scenario, None);
    for link in &network.links {
        let provider = match link.between {
            [a, b] if a == consumer => b,
            [a, b] if b == consumer => a,
            _ => continue,
        };
        let pairs = [[consumer, provider], [provider, consumer]];
        if !peerings.iter().any(|it| pairs.contains(&[it.consumer, it.provider])) {
            let name = format!("{}-{}", names[consumer.index()], names[provider.index()]);
            peerings.push(Peering { name, consumer, provider, granted: granted.clone(), enforcement });
        }
    }
}

/// What a provider grants, and what it asks of pods: as a peering says, else as all do, else by Liqo's defaults. Whoever
/// may have nothing asks for its slice all the same.
fn terms(
    check: &mut Check<'_>,
    scenario: &Scenario,
    peering: Option<&typed::Peering>,
) -> (ResourceList, LimitsEnforcement) {
    let all = scenario.liqo.as_ref().map(Spanned::get_ref);
    let mut asked = ResourceList::default();
    for slice in all.map(|it| &it.slice).into_iter().chain(peering.map(|it| &it.slice)) {
        if let Some(cpu) = &slice.cpu {
            asked.set(Resource::CPU, cores(check, cpu, "a slice's CPU"));
        }
        if slice.memory.is_some() {
            let memory = bytes(check, slice.memory.as_ref(), "a slice's memory", 0.0);
            asked.set(Resource::MEMORY, memory as u64);
        }
        if let Some(pods) = &slice.pods {
            asked.set(Resource::PODS, u64::from(at_least_one(check, pods, "pods", 100_000)));
        }
    }
    let enforcement = match peering.and_then(|it| it.enforcement).or(all.and_then(|it| it.enforcement)) {
        Some(Enforcement::Soft) => LimitsEnforcement::Soft,
        Some(Enforcement::Hard) => LimitsEnforcement::Hard,
        Some(Enforcement::None) | None => LimitsEnforcement::None,
    };
    let tenant = match peering.and_then(|it| it.tenant) {
        Some(typed::Tenant::Cordoned) => Tenant::Cordoned,
        Some(typed::Tenant::Drained) => Tenant::Drained,
        Some(typed::Tenant::Active) | None => Tenant::Active,
    };
    let granted = match decide(Class::BuiltIn, true, tenant, None) {
        Some(Condition::Accepted) => granted(&default_resources(), &asked),
        Some(Condition::Denied) | None => ResourceList::default(),
    };
    (granted, enforcement)
}

/// The services whose pods may run at providers: they run at consumers and nowhere else.
fn offloading(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    peerings: &[Peering],
    written: &Spanned<typed::Offloading>,
) -> Offloading {
    let is_consumer = |cluster| peerings.iter().any(|it| it.consumer == cluster);
    let of_consumers = |it: &&Deployment| is_consumer(it.cluster);
    let fields = written.get_ref();
    let external = |id: ServiceId| {
        let settings = scenario.services.get(&application.services[id].name);
        settings.is_some_and(|it| it.get_ref().is_external())
    };
    let mut services: BTreeSet<ServiceId> = match fields.services.get_ref() {
        OneOrMore::All => network.deployments.iter().filter(of_consumers).map(|it| it.service).collect(),
        OneOrMore::Named(names) => {
            let known: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
            let mut find = |name: &Spanned<String>| {
                let found = check.reference(name.get_ref(), name.span(), known.iter().copied(), "service");
                let service = ServiceId::from_index(found?);
                if external(service) {
                    let message = format!("`{}` is outside the clusters", name.get_ref());
                    check.problem(message, name.span(), "take it out: it has no pods");
                }
                Some(service)
            };
            names.iter().filter_map(&mut find).collect()
        }
    };
    services.retain(|&it| !external(it));
    if let Some(both) = peerings.iter().find(|it| is_consumer(it.provider)) {
        let name = &network.clusters[both.provider].name;
        let message = format!("cluster `{name}` is a provider and a consumer");
        check.problem(
            message,
            fields.services.span(),
            "take one of its peerings out: nothing is offloaded twice",
        );
    }
    for &service in &services {
        let name = &application.services[service].name;
        let mut of_service = network.deployments.iter().filter(|it| it.service == service);
        if let Some(other) = of_service.clone().find(|it| !is_consumer(it.cluster) && it.replicas > 0) {
            let cluster = &network.clusters[other.cluster].name;
            let message = format!("`{name}` is offloaded, and runs in cluster `{cluster}` by itself");
            let help =
                "take it out of one of the two: a provider's scheduler places what its consumers offload";
            check.problem(message, fields.services.span(), help);
        } else if !of_service.any(|it| is_consumer(it.cluster)) {
            let message = format!("`{name}` is offloaded, and no consumer runs it");
            check.problem(message, fields.services.span(), "add it to the services of a consumer");
        }
    }
    let term = labels_in(&fields.cluster_selector);
    Offloading {
        services,
        strategy: match fields.pod_offloading_strategy {
            Some(typed::PodOffloadingStrategy::Local) => PodOffloadingStrategy::Local,
            Some(typed::PodOffloadingStrategy::Remote) => PodOffloadingStrategy::Remote,
            Some(typed::PodOffloadingStrategy::LocalAndRemote) => PodOffloadingStrategy::LocalAndRemote,
            None => PodOffloadingStrategy::default(),
        },
        cluster_selector: if term.is_empty() { Vec::new() } else { vec![term] },
    }
}

/// What may run at providers has a Deployment there, whose pods are the consumers' to make.
pub(super) fn place_offloaded(
    federation: Option<&Federation>,
    application: &Application,
    deployments: &mut Vec<Deployment>,
) {
    let Some(Federation::Liqo(liqo)) = federation else { return };
    let services = liqo.offloading.as_ref().map(|it| &it.services);
    for &service in services.into_iter().flatten() {
        let providers: BTreeSet<ClusterId> = liqo.peerings.iter().map(|it| it.provider).collect();
        for cluster in providers.into_iter().filter(|&it| liqo.provides(service, it)) {
            let cpu_limit = application.services[service].cpu_limit;
            deployments.retain(|it| (it.service, it.cluster) != (service, cluster));
            deployments.push(Deployment { service, cluster, replicas: 0, cpu_limit, weight: 1 });
        }
    }
}

fn gateway(check: &mut Check<'_>, written: &LiqoGateway, default: GatewayCost) -> GatewayCost {
    GatewayCost {
        replicas: match &written.replicas {
            Some(n) => at_least_one(check, n, "replicas", 100),
            None => default.replicas,
        },
        cores: bounded_u32(check, written.cores.as_ref(), "cores", 1, 1_000).unwrap_or(default.cores),
        per_packet: check.cost(written.per_packet.as_ref(), "per_packet", default.per_packet),
        per_request: check.cost(written.per_request.as_ref(), "per_request", default.per_request),
    }
}

/// Pods use tunnels alone: every cluster has a way to every other over these.
fn check_ways(check: &mut Check<'_>, network: &Network, settings: &LiqoSettings, span: Range<usize>) {
    if settings.peerings.is_empty() {
        return;
    }
    let is_used = |link: u32| is_tunnel(settings, &network.links[link as usize]);
    let ways = Ways::over(network.clusters.len(), &network.links, is_used);
    for (cluster, spec) in network.clusters.enumerate().skip(1) {
        if ways.route(ClusterId(0), cluster).is_none() {
            let message = format!(
                "no tunnel leads from cluster `{}` to cluster `{}`",
                network.clusters[ClusterId(0)].name,
                spec.name
            );
            check.problem(message, span.clone(), "add a peering: pods use no other link under Liqo");
        }
    }
}
