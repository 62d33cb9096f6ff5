//! VirtualServices: routes between services, and what gateways lead users to.
//!
//! # Models
//! Routes of the mesh become `services.X.routes`, one for each `match`. A route of a gateway says which service users
//! request: its match and its rewrite turn the users' paths into those that the service knows, which the scenario has from
//! the start. What else it says becomes a route of the service, if nobody in the mesh calls that: a scenario's routes hold
//! for all callers.
//!
//! # Source
//! Istio, VirtualService and Gateway (`networking/v1`); older versions have the same fields.

use super::model::Model;
use super::node::Node;
use super::object::Object;
use super::translate::Kind::{Flag, Number, Tables, TablesByKey, Text, Time, Whole};
use super::translate::{Field, Kind, field, older, table};
use std::collections::BTreeSet;
use toml::{Table, Value};

const STRING_MATCH: &[Field] =
    &[field("exact", "exact", Text), field("prefix", "prefix", Text), field("regex", "regex", Text)];

/// One of a route's matches.
pub(crate) const MATCH: &[Field] = &[
    field("uri", "uri", Kind::Table(STRING_MATCH)),
    field("method", "method", Kind::Table(STRING_MATCH)),
    field("headers", "headers", TablesByKey(STRING_MATCH)),
    field("withoutHeaders", "without_headers", TablesByKey(STRING_MATCH)),
    field("queryParams", "query_params", TablesByKey(STRING_MATCH)),
];

/// What a route does, but for where it goes.
pub(crate) const ROUTE: &[Field] = &[
    field("timeout", "timeout", Time),
    field("retries.attempts", "retries.attempts", Whole),
    field("retries.perTryTimeout", "retries.per_try_timeout", Time),
    field("retries.retryOn", "retries.retry_on", Text),
    field("retries.backoff", "retries.backoff", Time),
    field("retries.retryIgnorePreviousHosts", "retries.retry_ignore_previous_hosts", Flag),
    field("fault.delay.fixedDelay", "fault.delay.fixed_delay", Time),
    field("fault.delay.percentage.value", "fault.delay.percentage", Number),
    field("fault.abort.httpStatus", "fault.abort.http_status", Whole),
    field("fault.abort.percentage.value", "fault.abort.percentage", Number),
];

pub(crate) const REWRITE: &[Field] = &[
    field("rewrite.uri", "rewrite.uri", Text),
    field("redirect.redirectCode", "redirect.redirect_code", Whole),
];

const DESTINATIONS: &[Field] = &[field("route", "destinations", Tables(DESTINATION))];

pub(crate) const DESTINATION: &[Field] = &[
    field("destination.host", "service", Text),
    field("destination.subset", "subset", Text),
    field("weight", "weight", Whole),
];

pub(crate) const MIRROR: &[Field] = &[
    field("mirror.host", "mirror.service", Text),
    field("mirror.subset", "mirror.subset", Text),
    field("mirrorPercentage.value", "mirror.percentage", Number),
    older("mirrorPercent", "mirror.percentage", Number),
];

/// Gives services their routes, and the model the services that users are led to. `called` are those that others call.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>, called: &BTreeSet<String>) {
    for object in objects.iter().filter(|it| it.is("networking.istio.io", "VirtualService")) {
        if object.root.fate().is_some() {
            continue;
        }
        let Some(spec) = object.root.child("spec") else {
            object.root.wrong("a VirtualService without a spec", "write spec: with hosts and http");
            continue;
        };
        let gateways: Vec<&str> = spec
            .child("gateways")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::text)
            .collect();
        let hosts: Vec<(&str, &Node)> = spec
            .child("hosts")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|it| Some((it.text()?, it)))
            .collect();
        let (of_mesh, of_gateway) =
            (gateways.is_empty() || gateways.contains(&"mesh"), gateways.iter().any(|it| *it != "mesh"));
        for tcp in ["tcp", "tls"].into_iter().filter_map(|key| spec.child(key)) {
            tcp.matters("routes of connections are not simulated");
        }
        let listed = spec.child("http").map(Node::items).unwrap_or_default();
        if of_gateway {
            listed.iter().for_each(|it| ingress(object, it, model, called, of_mesh));
        }
        if of_mesh {
            mesh_routes(object, &hosts, listed, of_gateway, model);
        }
    }
    model.ingress.sort_unstable();
    model.ingress.dedup();
}

/// The routes of a host for whoever calls it in the mesh.
fn mesh_routes(
    object: &Object,
    hosts: &[(&str, &Node)],
    listed: &[Node],
    of_gateway: bool,
    model: &mut Model<'_>,
) {
    for (host, node) in hosts {
        let Some(service) = model.of_host(host, object.namespace()) else {
            if of_gateway && hosts.iter().any(|(it, _)| model.of_host(it, object.namespace()).is_some()) {
                node.harmless("users ask for hosts that their gateway has");
                continue;
            }
            node.matters("no Service of these manifests has this host: nobody calls it by that");
            continue;
        };
        let routes: Vec<Value> =
            listed.iter().flat_map(|it| routes(object, it, service, model)).map(Value::Table).collect();
        let known = model.services[service].table.entry("routes").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(known) = known {
            match known.is_empty() {
                true => known.extend(routes),
                false => node.matters("another VirtualService has routes for this host"),
            }
        }
    }
}

/// A route of a VirtualService, once for each of its matches.
fn routes(object: &Object, http: &Node, own: usize, model: &Model<'_>) -> Vec<Table> {
    judge(http);
    let mut common = table(http, ROUTE);
    common.extend(table(http, REWRITE));
    common.extend(mirror(object, http, own, model));
    common.extend(destinations(object, http, Some(own), model));
    let matches = http.child("match").map(Node::items).unwrap_or_default();
    let each = matches.iter().map(|it| {
        it.child("name").into_iter().for_each(|it| it.harmless("a name for logs"));
        let mut route = table(it, MATCH);
        // An empty comparison asks whether a header is there.
        for key in ["headers", "without_headers", "query_params"] {
            for (_, value) in route.get_mut(key).and_then(Value::as_table_mut).into_iter().flatten() {
                if value.as_table().is_some_and(Table::is_empty) {
                    *value = Value::Table(Table::from_iter([("present".to_owned(), Value::Boolean(true))]));
                }
            }
        }
        route.extend(common.clone());
        route
    });
    let mut all: Vec<Table> = each.collect();
    if matches.is_empty() {
        all.push(common);
    }
    all
}

/// Where a route goes; nothing is written of one destination that is the service itself.
fn destinations(object: &Object, http: &Node, own: Option<usize>, model: &Model<'_>) -> Table {
    let mut found = table(http, DESTINATIONS);
    let nodes = http.child("route").map(Node::items).unwrap_or_default();
    let listed = found.get_mut("destinations").and_then(Value::as_array_mut);
    for (value, node) in listed.into_iter().flatten().zip(nodes) {
        node.get("destination.port").into_iter().for_each(|it| it.harmless("a service has one port"));
        if let Some(headers) = node.child("headers") {
            headers.matters("headers that proxies change are not simulated");
        }
        named(object, value, node.get("destination.host"), own, model);
    }
    let is_itself = |it: &Vec<Value>| {
        it.len() == 1 && it[0].as_table().is_some_and(|it| it.keys().all(|key| key == "weight"))
    };
    if found.get("destinations").and_then(Value::as_array).is_some_and(is_itself) {
        found.clear();
    }
    found
}

fn mirror(object: &Object, http: &Node, own: usize, model: &Model<'_>) -> Table {
    let mut found = table(http, MIRROR);
    http.get("mirror.port").into_iter().for_each(|it| it.harmless("a service has one port"));
    if let Some(value) = found.get_mut("mirror") {
        named(object, value, http.get("mirror.host"), Some(own), model);
    }
    found
}

/// Puts the scenario's name of a service where a host stands; none where it is the route's own.
fn named(object: &Object, value: &mut Value, host: Option<&Node>, own: Option<usize>, model: &Model<'_>) {
    let (Some(value), Some(node)) = (value.as_table_mut(), host) else { return };
    let text = node.text().unwrap_or_default();
    match model.of_host(text, object.namespace()) {
        None => node.matters("no Service of these manifests has this host"),
        Some(found) if own == Some(found) => {
            value.remove("service");
        }
        Some(found) => {
            value.insert("service".to_owned(), Value::String(model.services[found].name.clone()));
        }
    }
}

/// A route of a gateway: the service that users request.
fn ingress(object: &Object, http: &Node, model: &mut Model<'_>, called: &BTreeSet<String>, of_mesh: bool) {
    let targets = http.child("route").map(Node::items).unwrap_or_default();
    let hosts = targets.iter().filter_map(|it| it.get("destination.host"));
    let mut services = Vec::new();
    for node in hosts {
        match node.text().and_then(|text| model.of_host(text, object.namespace())) {
            Some(service) => services.push(service),
            None => node.matters("no Service of these manifests has this host"),
        }
    }
    let Some(&first) = services.first() else { return };
    model.ingress.extend(&services);
    if of_mesh {
        return;
    }
    for key in ["match", "rewrite"] {
        http.child(key).into_iter().for_each(Node::used);
    }
    judge(http);
    let mut route = table(http, ROUTE);
    route.extend(mirror(object, http, first, model));
    route.extend(destinations(object, http, Some(first), model));
    if route.is_empty() {
        return;
    }
    let service = &mut model.services[first];
    if called.contains(&service.name) {
        http.matters(format!(
            "others than the gateway call `{}`, and a scenario's routes hold for all callers",
            service.name
        ));
    } else if service.table.contains_key("routes") {
        http.matters(format!("another route is for `{}`, too", service.name));
    } else {
        service.table.insert("routes".to_owned(), Value::Array(vec![Value::Table(route)]));
    }
}

/// What of a route is no key of a scenario, and why that does or does not matter.
fn judge(http: &Node) {
    http.child("name").into_iter().for_each(|it| it.harmless("a name for logs"));
    for (path, why) in [
        ("redirect.uri", "where a redirect leads is what users request next: users.X.journey"),
        ("redirect.authority", "where a redirect leads is what users request next: users.X.journey"),
        ("corsPolicy", "it is about browsers"),
    ] {
        http.get(path).into_iter().for_each(|it| it.harmless(why));
    }
    http.child("headers")
        .into_iter()
        .for_each(|it| it.matters("headers that proxies change are not simulated"));
    http.child("delegate")
        .into_iter()
        .for_each(|it| it.matters("routes that stand elsewhere are not looked up"));
}
