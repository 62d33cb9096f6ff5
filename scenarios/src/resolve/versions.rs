//! Versions of services, and the subsets that tell them apart.

use super::check::Check;
use crate::schema::Scenario;
use crate::schema::services::{Route, Service};
use crate::schema::spanned::Spanned;
use meshsim_core::Id;
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::world::description::Description;
use std::collections::BTreeSet;
use std::ops::Range;

/// The service of which this one is a version, by what is written.
pub(super) fn version_of<'a>(scenario: &'a Scenario, name: &str) -> Option<&'a str> {
    scenario.services.get(name)?.get_ref().version_of.as_ref().map(|it| it.get_ref().as_str())
}

/// The same by number, if there is such a service and it has a Service of its own.
pub(super) fn front_of(scenario: &Scenario, services: &[&str], id: ServiceId) -> Option<ServiceId> {
    let front = version_of(scenario, services[id.index()])?;
    let found = services.iter().position(|it| *it == front)?;
    (found != id.index() && version_of(scenario, front).is_none()).then(|| ServiceId::from_index(found))
}

/// The names of all subsets that rules define or routes name, now or later, in their order.
pub(super) fn subset_names(scenario: &Scenario) -> Vec<String> {
    let services = || scenario.services.values().map(Spanned::get_ref);
    let changes = || scenario.changes.iter().map(Spanned::get_ref);
    let later = changes().filter_map(|it| it.subsets.as_ref()).flat_map(|it| it.get_ref().keys());
    let defined = services().flat_map(|it| it.subsets.keys()).chain(later).cloned();
    let changed = changes().filter_map(|it| it.routes.as_ref()).flat_map(Spanned::get_ref);
    let routes = services().flat_map(|it| &it.routes).chain(changed).map(Spanned::get_ref);
    defined.chain(routes.flat_map(named_by)).collect::<BTreeSet<String>>().into_iter().collect()
}

/// The subsets that a route names.
fn named_by(route: &Route) -> Vec<String> {
    let listed = route.destinations.iter().flat_map(Spanned::get_ref);
    let listed = listed.filter_map(|it| it.get_ref().subset.as_ref());
    let mirrored = route.mirror.iter().filter_map(|it| it.get_ref().subset.as_ref());
    listed.chain(mirrored).map(|it| it.get_ref().clone()).collect()
}

/// Adds the versions of its services that a work model does not know: they do what these do.
pub(super) fn add_to(application: &mut Application, scenario: &Scenario) {
    for name in scenario.services.keys() {
        let Some(front) = version_of(scenario, name).and_then(|it| application.service_named(it)) else {
            continue;
        };
        if application.service_named(name).is_some() {
            continue;
        }
        application.add_like(front, name);
    }
}

/// Whether services are versions of services, and say nothing that only a Service has.
pub(super) fn refuse_wrong(check: &mut Check<'_>, scenario: &Scenario, services: &[&str]) {
    for (name, written) in &scenario.services {
        let fields = written.get_ref();
        let Some(front) = &fields.version_of else { continue };
        let span = front.span();
        let front = front.get_ref().as_str();
        if check.reference(front, span.clone(), services.iter().copied(), "service").is_none() {
            continue;
        }
        if front == name {
            let help = "write the name of the service whose Service its pods stand behind";
            check.problem(format!("`{name}` is a version of itself"), span.clone(), help);
        } else if let Some(other) = version_of(scenario, front) {
            let help = format!("write version_of = \"{other}\"");
            check.problem(
                format!("`{name}` is a version of `{front}`, which is one itself"),
                span.clone(),
                help,
            );
        } else if scenario.services.get(front).is_some_and(|it| it.get_ref().is_external()) {
            let help = "versions are Deployments in clusters";
            check.problem(
                format!("`{name}` is a version of `{front}`, which is outside the clusters"),
                span,
                help,
            );
        }
        let help = format!("write it of `{front}`: it holds for all its versions");
        check.refuse(of_a_service(written), &help, |key| {
            format!("`{name}` is a version of `{front}` and has no {key} of its own")
        });
        let of_front = scenario.services.get(front).map(|it| &it.get_ref().endpoints);
        for (endpoint, it) in &fields.endpoints {
            if of_front.is_some_and(|known| !known.contains_key(endpoint)) {
                let message =
                    format!("`{front}` has no endpoint `{endpoint}`, and `{name}` is a version of it");
                check.problem(message, it.span(), "nobody would call it: write it of the service, too");
            }
        }
    }
}

/// What is said of a Service, and of no version.
fn of_a_service(written: &Spanned<Service>) -> [(&'static str, Option<Range<usize>>); 9] {
    let fields = written.get_ref();
    [
        ("protocol", fields.protocol.as_ref().map(Spanned::span)),
        ("traffic_policy", fields.traffic_policy.as_ref().map(|_| written.span())),
        ("traffic_distribution", fields.traffic_distribution.map(|_| written.span())),
        ("subsets", fields.subsets.values().next().map(Spanned::span)),
        ("routes", fields.routes.first().map(Spanned::span)),
        ("waypoint", fields.waypoint.as_ref().map(Spanned::span)),
        ("namespace", fields.namespace.as_ref().map(Spanned::span)),
        ("external", fields.external.as_ref().map(Spanned::span)),
        ("pool_size", fields.pool_size.as_ref().map(Spanned::span)),
    ]
}

/// Nobody calls a version: its service is called.
pub(super) fn check(check: &mut Check<'_>, scenario: &Scenario, description: &Description) {
    let application = &description.application;
    let is_version = |endpoint: EndpointId| {
        let service = application.endpoints[endpoint].service;
        description.services[service].version_of.map(|front| (service, front))
    };
    let name = |id: ServiceId| application.services[id].name.as_str();
    let calls = application.endpoints.iter().flat_map(|endpoint| {
        let calls = endpoint.groups.iter().flat_map(|group| &group.calls);
        calls.filter_map(|call| is_version(call.endpoint)).map(|it| (name(endpoint.service), it))
    });
    let users = description.populations.iter().flat_map(|users| {
        let asked = users.requests.ever_requested();
        asked.filter_map(is_version).map(|it| (users.name.as_str(), it)).collect::<Vec<_>>()
    });
    let all: BTreeSet<(&str, (ServiceId, ServiceId))> = calls.chain(users).collect();
    for (caller, (version, front)) in all {
        let written = scenario.services.get(name(version)).and_then(|it| it.get_ref().version_of.as_ref());
        let (version, front) = (name(version), name(front));
        let message =
            format!("`{caller}` calls `{version}`, which is a version of `{front}` and has no Service");
        let help = format!("call `{front}`, whose routes say which version gets how much");
        check.problem(message, written.map_or(0..1, Spanned::span), help);
    }
}
