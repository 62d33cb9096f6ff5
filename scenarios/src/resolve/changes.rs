//! What somebody changes during a run: Deployments, and what the mesh is told of services.

use super::check::Check;
use super::clusters::Network;
use super::ranges::{REPLICAS_MAX, bounded_u32};
use super::routes::RouteContext;
use super::services::{self, Written};
use super::versions::version_of;
use crate::schema::Scenario;
use crate::schema::changes::{self as typed, ChangeKind as Kind};
use crate::schema::quantity::OneOrMore;
use crate::schema::services::Route;
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use meshsim_models::world::description::{ConfigurationChange, Description, ServiceSettings};
use std::collections::BTreeMap;
use std::ops::Range;

/// The changes of Deployments, in the order of time.
pub(super) fn of_deployments(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Vec<Change> {
    let of_deployments = scenario.changes.iter().filter(|it| !configures(it));
    for change in of_deployments.clone().map(Spanned::get_ref) {
        let name = change.service.get_ref();
        if scenario.services.get(name).is_some_and(|it| it.get_ref().is_external()) {
            let help = "take the change out: nobody here can change it, but what goes wrong there is a fault";
            check.problem(format!("`{name}` is outside the clusters"), change.service.span(), help);
        }
    }
    let read = |it| Some((it, of_deployment(check, it, application, network, end)?));
    let mut changes: Vec<(&Spanned<typed::Change>, Change)> = of_deployments.filter_map(read).collect();
    changes.sort_by_key(|(_, it)| it.at);
    find_deployments(check, scenario, network, &changes);
    changes.into_iter().map(|(_, it)| it).collect()
}

/// What is scaled, rolled out or removed is there by then: from the start, or because it was offloaded.
fn find_deployments(
    check: &mut Check<'_>,
    scenario: &Scenario,
    network: &Network,
    changes: &[(&Spanned<typed::Change>, Change)],
) {
    let mut is_there: BTreeMap<(ServiceId, ClusterId), bool> = BTreeMap::new();
    for (written, change) in changes {
        let (service, cluster) =
            (written.get_ref().service.get_ref(), &network.clusters[change.cluster].name);
        let is_there = is_there.entry((change.service, change.cluster)).or_insert_with(|| {
            match scenario.clusters[cluster.as_str()].get_ref().services.get_ref() {
                OneOrMore::All => true,
                OneOrMore::Named(names) => names.iter().any(|it| it.get_ref() == service),
            }
        });
        if !*is_there && !matches!(change.kind, ChangeKind::Offload(_)) {
            let message =
                format!("there is no Deployment of `{service}` in cluster `{cluster}` at {}", change.at);
            let help = "write kind = \"offload\" to make one, or list the service in the cluster's services";
            check.problem(message, written.get_ref().kind.span(), help);
        }
        match change.kind {
            ChangeKind::Offload(_) => *is_there = true,
            ChangeKind::Remove => *is_there = false,
            ChangeKind::Scale(_) | ChangeKind::Rollout => {}
        }
    }
}

/// The changes of what the mesh is told of services, in the order of time. What a change does not name stays as the one
/// before has left it.
pub(super) fn of_configuration(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    (subsets, version): (&[String], IstioVersion),
    end: SimDuration,
) -> Vec<ConfigurationChange> {
    let names: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
    let clusters: Vec<&str> = network.clusters.iter().map(|it| it.name.as_str()).collect();
    let around =
        RouteContext { scenario, application, services: &names, clusters: &clusters, subsets, version };
    let of_mesh = services::rule_of_mesh(check, scenario);
    let mut changes = Vec::new();
    let mut known: BTreeMap<ServiceId, Written<'_>> = BTreeMap::new();
    for (at, service, it) in in_order(check, scenario, application, end) {
        let written = known.entry(service).or_insert_with(|| Written::of(scenario, names[service.index()]));
        if let Some(policy) = &it.traffic_policy {
            written.policy = Some(policy.get_ref());
            if let Some(tls) = &policy.get_ref().tls {
                let help = "take it out: how proxies encrypt stays from the start to the end";
                check.problem("a change has a tls", tls.span(), help);
            }
        }
        if let Some(subsets) = &it.subsets {
            written.subsets = Some(subsets.get_ref());
        }
        if let Some(routes) = &it.routes {
            written.routes = routes.get_ref();
        }
        let settings = services::service(check, &around, service, written, &of_mesh);
        changes.push(ConfigurationChange { at, service, settings });
    }
    changes
}

/// The routes that services get during the run: what they are, and how they are written.
pub(super) fn with_routes<'a>(
    scenario: &'a Scenario,
    description: &'a Description,
) -> impl Iterator<Item = (ServiceId, &'a ServiceSettings, &'a [Spanned<Route>])> {
    let written = in_time(scenario, &description.application);
    let changes = description.configuration_changes.iter().zip(written);
    changes.filter_map(|(change, (_, _, it))| {
        let routes = it.routes.as_ref()?.get_ref();
        Some((change.service, &change.settings, routes.as_slice()))
    })
}

/// Whether a change is of what the mesh is told.
fn configures(change: &Spanned<typed::Change>) -> bool {
    *change.get_ref().kind.get_ref() == Kind::Configure
}

/// The changes of services that there are, in the order of time.
fn in_time<'a>(
    scenario: &'a Scenario,
    application: &Application,
) -> Vec<(SimDuration, ServiceId, &'a typed::Change)> {
    let known = |it: &'a Spanned<typed::Change>| {
        let fields = it.get_ref();
        Some((fields.at.get_ref().0, application.service_named(fields.service.get_ref())?, fields))
    };
    let configure = scenario.changes.iter().filter(|it| configures(it));
    let mut changes: Vec<_> = configure.filter_map(known).collect();
    changes.sort_by_key(|(at, _, _)| *at);
    changes
}

/// The same, each checked by itself.
fn in_order<'a>(
    check: &mut Check<'_>,
    scenario: &'a Scenario,
    application: &Application,
    end: SimDuration,
) -> Vec<(SimTime, ServiceId, &'a typed::Change)> {
    for written in scenario.changes.iter().filter(|it| configures(it)) {
        let (span, it) = (written.span(), written.get_ref());
        service_of(check, it, application);
        time_of(check, it, end);
        let help = "take it out: the configuration of the mesh is written to every cluster";
        refuse(check, it, "cluster", it.cluster.as_ref().map(Spanned::span), help);
        refuse(check, it, "replicas", it.replicas.as_ref().map(Spanned::span), "take it out");
        if it.routes.is_none() && it.traffic_policy.is_none() && it.subsets.is_none() {
            let message = "a change of kind \"configure\" changes nothing";
            check.problem(
                message,
                span,
                "write routes = [...], traffic_policy = { ... } or subsets = { ... }",
            );
        }
        if let Some(front) = version_of(scenario, it.service.get_ref()) {
            let help = format!("change `{front}`: what the mesh is told of it holds for its versions");
            check.problem(
                format!("`{}` is a version of `{front}`", it.service.get_ref()),
                it.service.span(),
                help,
            );
        }
    }
    let changes = in_time(scenario, application).into_iter();
    changes.map(|(at, service, it)| (SimTime::ZERO + at, service, it)).collect()
}

fn of_deployment(
    check: &mut Check<'_>,
    written: &Spanned<typed::Change>,
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Option<Change> {
    let (span, it) = (written.span(), written.get_ref());
    let service = service_of(check, it, application);
    let kind = name_of(*it.kind.get_ref());
    if it.cluster.is_none() {
        let message = format!("a change of kind \"{kind}\" needs a cluster");
        check.problem(message, span.clone(), "write cluster = \"cloud\", or whichever it is in");
    }
    let help = "take it out, or write kind = \"configure\" in a change of its own";
    refuse(check, it, "routes", it.routes.as_ref().map(Spanned::span), help);
    refuse(check, it, "traffic_policy", it.traffic_policy.as_ref().map(Spanned::span), help);
    refuse(check, it, "subsets", it.subsets.as_ref().map(Spanned::span), help);
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = it.cluster.as_ref();
    let cluster = cluster.and_then(|it| check.reference(it.get_ref(), it.span(), clusters, "cluster"));
    let at = time_of(check, it, end);
    let replicas = bounded_u32(check, it.replicas.as_ref(), "replicas", 0, REPLICAS_MAX);
    let (service, cluster) = (service?, ClusterId::from_index(cluster?));
    let kind = match (it.kind.get_ref(), replicas) {
        (Kind::Scale, None) => {
            check.problem("a change of kind \"scale\" needs replicas", span, "write replicas = 3");
            return None;
        }
        (Kind::Rollout | Kind::Remove, Some(_)) => {
            let location = it.replicas.as_ref().map_or(span, Spanned::span);
            check.problem("only scale and offload have replicas", location, "take it out");
            return None;
        }
        (Kind::Scale, Some(replicas)) => ChangeKind::Scale(replicas),
        (Kind::Offload, Some(0)) => {
            let location = it.replicas.as_ref().map_or(span, Spanned::span);
            check.problem(
                "offload with 0 replicas",
                location,
                format!("it is 1 to {REPLICAS_MAX}, or not there: those of the service"),
            );
            return None;
        }
        (Kind::Offload, replicas) => {
            ChangeKind::Offload(replicas.unwrap_or(application.services[service].replicas).max(1))
        }
        (Kind::Remove, None) => ChangeKind::Remove,
        (Kind::Rollout, None) => ChangeKind::Rollout,
        (Kind::Configure, _) => return None,
    };
    Some(Change { at, service, cluster, kind })
}

fn service_of(check: &mut Check<'_>, it: &typed::Change, application: &Application) -> Option<ServiceId> {
    let services = application.services.iter().map(|it| it.name.as_str());
    let found = check.reference(it.service.get_ref(), it.service.span(), services, "service");
    found.map(ServiceId::from_index)
}

/// When a change comes: before the end of the run.
fn time_of(check: &mut Check<'_>, it: &typed::Change, end: SimDuration) -> SimTime {
    let at = check.duration(Some(&it.at), "at", SimDuration::ZERO, 0);
    if at >= end {
        let message = format!("the change comes at {at}, and the run ends at {end}");
        check.problem(message, it.at.span(), "it comes before; the warm-up is part of the run");
    }
    SimTime::ZERO + at
}

/// Refuses a key that a change of this kind does not have.
fn refuse(check: &mut Check<'_>, it: &typed::Change, key: &str, location: Option<Range<usize>>, help: &str) {
    if let Some(location) = location {
        let message = format!("a change of kind \"{}\" has no {key}", name_of(*it.kind.get_ref()));
        check.problem(message, location, help);
    }
}

/// How a kind is written.
const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Scale => "scale",
        Kind::Rollout => "rollout",
        Kind::Offload => "offload",
        Kind::Remove => "remove",
        Kind::Configure => "configure",
    }
}
