//! What the mesh is told of each service.

use super::access;
use super::check::Check;
use super::clusters::Network;
use super::routes::{self, RouteContext};
use super::traffic_policy::{self, Rule};
use super::versions;
use crate::schema::Scenario;
use crate::schema::services::{
    Protocol as Speaks, Route, Service, Subset, TrafficDistribution as Distribution,
};
use crate::schema::spanned::Spanned;
use crate::schema::traffic::TrafficPolicy;
use meshsim_core::{Id, Table};
use meshsim_models::application::call_graph::{Application, Protocol};
use meshsim_models::ids::{ServiceId, SubsetId};
use meshsim_models::istiod::failover_priority::Labels;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::locality_setting::TrafficDistribution;
use meshsim_models::istiod::subset::SubsetSettings;
use meshsim_models::world::description::ServiceSettings;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    subsets: &[String],
    version: IstioVersion,
) -> Table<ServiceId, ServiceSettings> {
    let names: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
    let clusters: Vec<&str> = network.clusters.iter().map(|it| it.name.as_str()).collect();
    for (name, it) in scenario.services.iter().filter(|(name, _)| application.service_named(name).is_none()) {
        check.reference(name, it.span(), names.iter().copied(), "service");
    }
    let of_mesh = rule_of_mesh(check, scenario);
    let around =
        RouteContext { scenario, application, services: &names, clusters: &clusters, subsets, version };
    let mut of_service = |(index, name): (usize, &&str)| {
        let written = Written::of(scenario, name);
        service(check, &around, ServiceId::from_index(index), &written, &of_mesh)
    };
    let mut all: Table<ServiceId, ServiceSettings> = names.iter().enumerate().map(&mut of_service).collect();
    // What is said of a service holds for its versions.
    for id in all.ids().collect::<Vec<_>>() {
        if let Some(front) = all[id].version_of {
            let of_front = ServiceSettings { routes: Vec::new(), subsets: Vec::new(), ..all[front].clone() };
            let own = std::mem::take(&mut all[id]);
            let left_out =
                scenario.services.get(names[id.index()]).is_some_and(|it| it.get_ref().sidecar.is_some());
            all[id] = ServiceSettings {
                labels: own.labels,
                version_of: Some(front),
                waypoint: false,
                without_sidecar: if left_out { own.without_sidecar } else { of_front.without_sidecar },
                ..of_front
            };
        }
    }
    all
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
    /// The subsets of that.
    pub(super) subsets: Option<&'a BTreeMap<String, Spanned<Subset>>>,
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
            subsets: service.map(|it| &it.subsets).filter(|it| !it.is_empty()),
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
    let rule = match (written.policy, written.subsets) {
        (Some(own), _) => traffic_policy::resolve(check, own),
        // Who has subsets has a DestinationRule, and Istio takes the nearest one as a whole.
        (None, Some(_)) => Rule::default(),
        (None, None) => of_mesh.clone(),
    };
    if protocol == Protocol::Udp {
        refuse_proxies(check, around.services[id.index()], written);
    }
    if protocol == Protocol::Tcp {
        refuse_requests(check, around.services[id.index()], written, &rule);
    }
    let hashes = rule.hash.is_some();
    let subsets = written.subsets.into_iter().flatten();
    let subsets = subsets.map(|(name, it)| subset(check, around, name, it.get_ref(), &rule)).collect();
    ServiceSettings {
        protocol,
        traffic_distribution: service.and_then(|it| it.traffic_distribution).map(traffic_distribution),
        traffic_policy: rule.traffic_policy,
        locality: rule.locality,
        hash: rule.hash,
        plain_text: rule.plain_text,
        subsets,
        labels: service.map_or_else(Labels::new, |it| {
            it.labels.iter().map(|(key, value)| (key.clone(), value.get_ref().clone())).collect()
        }),
        version_of: versions::front_of(around.scenario, around.services, id),
        namespace: access::namespace_of(around.scenario, around.application, id).map(ToOwned::to_owned),
        without_sidecar: access::is_left_out(around.scenario, around.application, id),
        routes: routes::resolve(check, around, id, written.routes, hashes),
        waypoint: service.and_then(|it| it.waypoint.as_ref()).is_some_and(|it| *it.get_ref()),
        external: service.is_some_and(Service::is_external),
    }
}

/// A subset: what its policy does not say, the rule does.
fn subset(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    name: &str,
    written: &Subset,
    rule: &Rule,
) -> SubsetSettings {
    let number = around.subsets.iter().position(|it| it == name).expect("all names are collected");
    let rule = match &written.traffic_policy {
        Some(policy) => {
            if let Some(tls) = &policy.tls {
                let help =
                    "write it of the service: proxies encrypt what they send to all its pods, or nothing";
                check.problem(format!("subset `{name}` has a tls of its own"), tls.span(), help);
            }
            traffic_policy::resolve_over(check, rule.clone(), policy)
        }
        None => rule.clone(),
    };
    SubsetSettings {
        name: SubsetId::from_index(number),
        labels: written.labels.clone(),
        traffic_policy: rule.traffic_policy,
        locality: rule.locality,
        hash: rule.hash,
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
        ("subsets", written.subsets.and_then(|it| it.values().next()).map(Spanned::span)),
        (
            "connection_pool.http",
            own.and_then(|it| it.connection_pool.as_ref()?.http.as_ref()).map(Spanned::span),
        ),
        ("a waypoint", waypoint.map(Spanned::span)),
        ("retry_budget", own.and_then(|it| it.retry_budget.as_ref()).map(Spanned::span)),
    ];
    let help = "take it out, or write protocol = \"http1\" or \"http2\": proxies see no requests of tcp";
    check.refuse(locations, help, |key| format!("service `{name}` speaks tcp and has {key}"));
}

/// No proxy takes datagrams.
fn refuse_proxies(check: &mut Check<'_>, name: &str, written: &Written<'_>) {
    let Some(service) = written.service else { return };
    let span = || Some(written.span.clone());
    let locations = [
        ("routes", written.routes.first().map(Spanned::span)),
        ("subsets", written.subsets.and_then(|it| it.values().next()).map(Spanned::span)),
        ("a traffic_policy", service.traffic_policy.as_ref().and_then(|_| span())),
        ("a traffic_distribution", service.traffic_distribution.and_then(|_| span())),
        ("a waypoint", service.waypoint.as_ref().filter(|it| *it.get_ref()).map(Spanned::span)),
        ("a pool_size", service.pool_size.as_ref().map(Spanned::span)),
    ];
    let help = "take it out: no proxy takes datagrams, and there are no connections";
    check.refuse(locations, help, |key| format!("service `{name}` speaks udp and has {key}"));
}

pub(super) const fn protocol(protocol: Speaks) -> Protocol {
    match protocol {
        Speaks::Http1 => Protocol::Http1,
        Speaks::Http2 => Protocol::Http2,
        Speaks::Grpc => Protocol::Grpc,
        Speaks::Tcp => Protocol::Tcp,
        Speaks::Udp => Protocol::Udp,
    }
}

const fn traffic_distribution(it: Distribution) -> TrafficDistribution {
    match it {
        Distribution::PreferClose => TrafficDistribution::PreferClose,
        Distribution::PreferSameZone => TrafficDistribution::PreferSameZone,
        Distribution::PreferSameNode => TrafficDistribution::PreferSameNode,
    }
}
