//! What a route makes of the paths of the requests that it takes.

use super::check::Check;
use super::route_conditions::path_of;
use crate::schema::services::Route;
use meshsim_models::application::call_graph::{Application, Endpoint};
use meshsim_models::envoy::route::{Conditions, RequestHead, ValueMatch, WeightedDestination};
use meshsim_models::ids::{EndpointId, ServiceId};
use std::collections::BTreeSet;

/// Endpoints of a service, each with that of its destination which is asked for instead. Where requests are split between
/// services it is the first that has it, of which the others' counterparts are called.
pub(super) fn resolve(
    check: &mut Check<'_>,
    application: &Application,
    own: ServiceId,
    route: &Route,
    (conditions, destinations): (&Conditions, &[WeightedDestination]),
) -> Vec<(EndpointId, EndpointId)> {
    let Some(rewrite) = &route.rewrite else { return Vec::new() };
    let uri = &rewrite.get_ref().uri;
    if !uri.get_ref().starts_with('/') {
        let help = "write it as in \"/cart/add\"";
        check.problem(
            format!("a path is rewritten to `{}`, which is no path", uri.get_ref()),
            uri.span(),
            help,
        );
        return Vec::new();
    }
    let mut to: Vec<ServiceId> = destinations.iter().map(|it| it.destination.service).collect();
    if to.is_empty() {
        to.push(own);
    }
    let services: BTreeSet<ServiceId> = to.iter().copied().collect();
    let mut rewrites = Vec::new();
    let mut from: Vec<EndpointId> = application.services[own].endpoints().collect();
    from.sort_unstable();
    for endpoint in from.into_iter().filter(|&it| takes(conditions, &application.endpoints[it])) {
        let asked = &application.endpoints[endpoint];
        let path = rewritten(path_of(&asked.path), conditions, uri.get_ref());
        let is_asked = |it: &EndpointId| {
            let other = &application.endpoints[*it];
            path_of(&other.path) == path && other.method == asked.method
        };
        let found = to.iter().find_map(|&it| application.services[it].endpoints().find(&is_asked));
        match found {
            Some(found) if found == endpoint => {}
            Some(found) => rewrites.push((endpoint, found)),
            None => {
                let known = services.iter().flat_map(|&it| application.services[it].endpoints());
                let known: Vec<String> = known
                    .map(|it| &application.endpoints[it])
                    .map(|it| format!("{} {}", it.method, path_of(&it.path)))
                    .collect();
                let message = format!(
                    "`{} {}` is rewritten to `{path}`, which is no endpoint there",
                    asked.method,
                    path_of(&asked.path)
                );
                check.problem(
                    message,
                    uri.span(),
                    format!("it would be answered 404; there are {}", known.join(", ")),
                );
            }
        }
    }
    rewrites
}

/// Whether a route may take requests of an endpoint, whatever headers they have.
fn takes(conditions: &Conditions, Endpoint { method, path, .. }: &Endpoint) -> bool {
    let of_line = Conditions { headers: Vec::new(), ..conditions.clone() };
    of_line.hold(RequestHead { method, path, headers: &[] })
}

/// The path with another one in place of the prefix that is matched, or of all.
fn rewritten(path: &str, conditions: &Conditions, uri: &str) -> String {
    match &conditions.path {
        Some(ValueMatch::Prefix(prefix)) => format!("{uri}{}", &path[prefix.len()..]),
        _ => uri.to_owned(),
    }
}
