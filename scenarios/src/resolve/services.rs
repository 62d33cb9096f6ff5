//! What the mesh is told of each service.

use super::check::Check;
use super::clusters::Network;
use super::endpoints::is_external;
use super::routes::{self, RouteContext};
use super::traffic_policy::{self, Rule};
use crate::schema::Scenario;
use crate::schema::services::{Protocol as Speaks, Route, Service, TrafficDistribution as Distribution};
use crate::schema::traffic::TrafficPolicy;
use meshsim_core::{Id, Table};
use meshsim_models::application::call_graph::{Application, Protocol};
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::locality_setting::TrafficDistribution;
use meshsim_models::world::description::ServiceSettings;
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
    let of_mesh = rule_of_mesh(check, scenario);
    let around = RouteContext { services: &names, clusters: &clusters, version };
    let mut of_service = |(index, name): (usize, &&str)| {
        let written = Written::of(scenario, name);
        service(check, &around, ServiceId::from_index(index), &written, &of_mesh)
    };
    names.iter().enumerate().map(&mut of_service).collect()
}

/// The DestinationRule of services without one of their own.
pub(super) fn rule_of_mesh(check: &mut Check<'_>, scenario: &Scenario) -> Rule {
    let written = scenario.mesh.traffic_policy.as_ref();
    written.map(|it| traffic_policy::resolve(check, it)).unwrap_or_default()
}

/// What is written of a service.
#[derive(Clone)]
pub(super) struct Written<'a> {
    span: Range<usize>,
    service: Option<&'a Service>,
    /// Its DestinationRule.
    pub(super) policy: Option<&'a TrafficPolicy>,
    /// The routes of its VirtualService.
    pub(super) routes: &'a [Spanned<Route>],
}

impl<'a> Written<'a> {
    /// What is written of a service for the start of the run.
    pub(super) fn of(scenario: &'a Scenario, name: &str) -> Self {
        let spanned = scenario.services.get(name);
        let service = spanned.map(Spanned::get_ref);
        Self {
            span: spanned.map_or(0..0, Spanned::span),
            service,
            policy: service.and_then(|it| it.traffic_policy.as_ref()),
            routes: service.map_or(&[], |it| &it.routes),
        }
    }
}

/// What the mesh is told of a service.
pub(super) fn service(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    id: ServiceId,
    written: &Written<'_>,
    of_mesh: &Rule,
) -> ServiceSettings {
    let service = written.service;
    let protocol = service.and_then(|it| it.protocol.as_ref());
    let protocol = protocol.map_or_else(Protocol::default, |it| self::protocol(*it.get_ref()));
    let rule = match written.policy {
        Some(own) => traffic_policy::resolve(check, own),
        None => of_mesh.clone(),
    };
    if protocol == Protocol::Tcp {
        refuse_requests(check, around.services[id.index()], written, &rule);
    }
    let hashes = rule.hash.is_some();
    ServiceSettings {
        protocol,
        traffic_distribution: service.and_then(|it| it.traffic_distribution).map(traffic_distribution),
        traffic_policy: rule.traffic_policy,
        locality: rule.locality,
        hash: rule.hash,
        routes: routes::resolve(check, around, id, written.routes, hashes),
        waypoint: service.and_then(|it| it.waypoint.as_ref()).is_some_and(|it| *it.get_ref()),
        external: service.is_some_and(is_external),
    }
}

/// Nobody sees the requests of a service that speaks TCP.
fn refuse_requests(check: &mut Check<'_>, name: &str, written: &Written<'_>, rule: &Rule) {
    let own = written.policy;
    let hash = own.and_then(|it| it.load_balancer.as_ref()?.consistent_hash.as_ref());
    let waypoint = written.service.and_then(|it| it.waypoint.as_ref()).filter(|it| *it.get_ref());
    let span = written.span.clone();
    let locations = [
        ("routes", written.routes.first().map(Spanned::span)),
        ("consistent_hash", hash.map(Spanned::span).or(rule.hash.is_some().then_some(span))),
        ("connection_pool.http", own.and_then(|it| it.connection_pool.http.as_ref()).map(Spanned::span)),
        ("a waypoint", waypoint.map(Spanned::span)),
        ("retry_budget", own.and_then(|it| it.retry_budget.as_ref()).map(Spanned::span)),
    ];
    for (key, span) in locations {
        let Some(span) = span else { continue };
        let message = format!("service `{name}` speaks tcp and has {key}");
        let help = "take it out, or write protocol = \"http1\" or \"http2\": proxies see no requests of tcp";
        check.problem(message, span, help);
    }
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
