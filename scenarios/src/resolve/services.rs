//! What the mesh is told of each service.

use super::check::Check;
use super::clusters::Network;
use super::routes::{self, RouteContext};
use super::traffic_policy::{self, Rule};
use crate::schema::Scenario;
use crate::schema::services::{Protocol as Speaks, Service, TrafficDistribution as Distribution};
use meshsim_core::{Id, Table};
use meshsim_models::application::call_graph::{Application, Protocol};
use meshsim_models::envoy::route::Destination;
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::locality_setting::TrafficDistribution;
use meshsim_models::world::description::{Description, ServiceSettings};
use std::ops::Range;
use toml::Spanned;

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    version: IstioVersion,
) -> Table<ServiceId, ServiceSettings> {
    let names: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
    let clusters: Vec<&str> = network.clusters.iter().map(|it| it.name.as_str()).collect();
    for (name, it) in &scenario.services {
        check.reference(name, it.span(), names.iter().copied(), "service");
    }
    let of_mesh = scenario.mesh.traffic_policy.as_ref().map(|it| traffic_policy::resolve(check, it));
    let of_mesh = of_mesh.unwrap_or_default();
    let around = RouteContext { services: &names, clusters: &clusters, version };
    let bare = Spanned::new(0..0, Service::default());
    let mut of_service = |(place, name): (usize, &&str)| {
        let written = scenario.services.get(*name).unwrap_or(&bare);
        service(check, &around, ServiceId::from_index(place), written, &of_mesh)
    };
    names.iter().enumerate().map(&mut of_service).collect()
}

fn service(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    id: ServiceId,
    written: &Spanned<Service>,
    of_mesh: &Rule,
) -> ServiceSettings {
    let (span, written) = (written.span(), written.get_ref());
    let protocol = written.protocol.as_ref().map_or_else(Protocol::default, |it| protocol(*it.get_ref()));
    let rule = match &written.traffic_policy {
        Some(own) => traffic_policy::resolve(check, own),
        None => of_mesh.clone(),
    };
    if protocol == Protocol::Tcp {
        refuse_requests(check, around.services[id.index()], written, &rule, span);
    }
    let hashes = rule.hash.is_some();
    ServiceSettings {
        protocol,
        traffic_distribution: written.traffic_distribution.map(traffic_distribution),
        traffic_policy: rule.traffic_policy,
        locality: rule.locality,
        hash: rule.hash,
        routes: routes::resolve(check, around, id, &written.routes, hashes),
        waypoint: written.waypoint.as_ref().is_some_and(|it| *it.get_ref()),
    }
}

/// Nobody sees the requests of a service that speaks TCP.
fn refuse_requests(check: &mut Check<'_>, name: &str, written: &Service, rule: &Rule, span: Range<usize>) {
    let own = written.traffic_policy.as_ref();
    let hash = own.and_then(|it| it.load_balancer.as_ref()?.consistent_hash.as_ref());
    let places = [
        ("routes", written.routes.first().map(Spanned::span)),
        ("consistent_hash", hash.map(Spanned::span).or(rule.hash.is_some().then_some(span))),
        ("connection_pool.http", own.and_then(|it| it.connection_pool.http.as_ref()).map(Spanned::span)),
        ("a waypoint", written.waypoint.as_ref().filter(|it| *it.get_ref()).map(Spanned::span)),
        ("retry_budget", own.and_then(|it| it.retry_budget.as_ref()).map(Spanned::span)),
    ];
    for (key, span) in places {
        let Some(span) = span else { continue };
        let message = format!("service `{name}` speaks tcp and has {key}");
        let help = "take it out, or write protocol = \"http1\" or \"http2\": proxies see no requests of tcp";
        check.problem(message, span, help);
    }
}

/// Every route leads to pods that take requests.
pub(super) fn check_destinations(
    check: &mut Check<'_>,
    scenario: &Scenario,
    description: &Description,
    strategy: &str,
) {
    let name = |id: ServiceId| description.application.services[id].name.as_str();
    for (id, it) in description.services.enumerate() {
        for (place, route) in it.routes.iter().enumerate() {
            let span = scenario.services[name(id)].get_ref().routes[place].span();
            let listed = route.destinations.iter().map(|it| it.destination);
            for to in listed.chain(route.mirror.map(|it| it.destination)) {
                let leads = format!("a route of `{}` leads to `{}`", name(id), name(to.service));
                if description.services[to.service].protocol == Protocol::Tcp {
                    let help = "requests go to services that speak http1 or http2";
                    check.problem(format!("{leads}, which speaks tcp"), span.clone(), help);
                } else if !has_pod(description, to) {
                    let place =
                        to.subset.map(|it| format!(" in cluster `{}`", description.clusters[it].name));
                    let place = place.unwrap_or_default();
                    check.problem(
                        format!("{leads}{place}, where it has no pod under strategy `{strategy}`"),
                        span.clone(),
                        "add it to the services there, or leave it out of the route",
                    );
                }
            }
        }
    }
}

fn has_pod(description: &Description, to: Destination) -> bool {
    description.deployments.iter().any(|it| {
        it.service == to.service && it.replicas > 0 && to.subset.is_none_or(|cluster| cluster == it.cluster)
    })
}

const fn protocol(protocol: Speaks) -> Protocol {
    match protocol {
        Speaks::Http1 => Protocol::Http1,
        Speaks::Http2 => Protocol::Http2,
        Speaks::Grpc => Protocol::Grpc,
        Speaks::Tcp => Protocol::Tcp,
    }
}

const fn traffic_distribution(it: Distribution) -> TrafficDistribution {
    match it {
        Distribution::PreferClose => TrafficDistribution::PreferClose,
        Distribution::PreferSameZone => TrafficDistribution::PreferSameZone,
        Distribution::PreferSameNode => TrafficDistribution::PreferSameNode,
    }
}
