//! What Istio is told: DestinationRules, VirtualServices, gateways, what is outside, and who may call whom.

use super::objects::{APP, Exporter, Manifest, SHARED, object, push};
use crate::import::manifests::access::{PEER, POLICY, ROOT_NAMESPACE};
use crate::import::manifests::destination_rules::TRAFFIC_POLICY;
use crate::import::manifests::translate::{find, put_json, written};
use crate::import::manifests::virtual_services::{DESTINATION, MATCH, MIRROR, REWRITE, ROUTE};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use toml::{Table, Value};

const NETWORKING: &str = "networking.istio.io/v1";
const SECURITY: &str = "security.istio.io/v1";

/// The Gateway by which users come in.
const INGRESS: &str = "ingress";

/// Adds what Istio is told.
pub(super) fn add(exporter: &Exporter<'_>, all: &mut Vec<Manifest>) {
    for name in exporter.fronts() {
        if exporter.is_external(name) {
            all.extend(service_entry(exporter, name).map(|it| shared(name, it)));
        }
        all.extend(destination_rule(exporter, name).map(|it| shared(name, it)));
    }
    let requested = requested(exporter);
    if !requested.is_empty() {
        let server = json!({ "port": { "number": 80, "name": "http", "protocol": "HTTP" }, "hosts": ["*"] });
        let spec = json!({ "selector": { "istio": "ingressgateway" }, "servers": [server] });
        push(
            all,
            SHARED,
            "gateway",
            object(NETWORKING, "Gateway", Some(ROOT_NAMESPACE), INGRESS, Some(spec)),
        );
    }
    let is_only = requested.len() == 1;
    for name in exporter.fronts() {
        let is_requested = requested.contains(name);
        all.extend(virtual_service(exporter, name, is_requested, is_only).map(|it| shared(name, it)));
    }
    waypoints(exporter, all);
    policies(exporter, all);
}

fn shared(file: &str, object: Json) -> Manifest {
    Manifest { folder: SHARED.to_owned(), file: file.to_owned(), object }
}

fn service_entry(exporter: &Exporter<'_>, name: &str) -> Option<Json> {
    let (protocol, port) = match exporter.word(name, "protocol") {
        None | Some("http1") => ("HTTP", "http"),
        Some("http2") => ("HTTP2", "http2"),
        Some("grpc") => ("GRPC", "grpc"),
        Some("tcp") => ("TCP", "tcp"),
        Some(_) => return None,
    };
    let spec = json!({
        "hosts": [exporter.host(name)],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "ports": [{ "number": 80, "name": port, "protocol": protocol }],
    });
    Some(object(NETWORKING, "ServiceEntry", Some(exporter.namespace(name)), name, Some(spec)))
}

fn destination_rule(exporter: &Exporter<'_>, name: &str) -> Option<Json> {
    let own = exporter.service(name)?;
    let policy = own.get("traffic_policy").and_then(Value::as_table);
    let subsets = own.get("subsets").and_then(Value::as_table).filter(|it| !it.is_empty());
    if policy.is_none() && subsets.is_none() {
        return None;
    }
    let mut spec = Map::from_iter([("host".to_owned(), json!(exporter.host(name)))]);
    if let Some(policy) = policy {
        spec.insert("trafficPolicy".to_owned(), Json::Object(written(policy, TRAFFIC_POLICY)));
    }
    if let Some(subsets) = subsets {
        let listed = subsets.iter().map(|(name, subset)| {
            let mut all = json!({ "name": name, "labels": labels(subset) });
            if let Some(policy) = subset.get("traffic_policy").and_then(Value::as_table) {
                all["trafficPolicy"] = Json::Object(written(policy, TRAFFIC_POLICY));
            }
            all
        });
        spec.insert("subsets".to_owned(), listed.collect());
    }
    Some(object(
        NETWORKING,
        "DestinationRule",
        Some(exporter.namespace(name)),
        name,
        Some(Json::Object(spec)),
    ))
}

fn labels(subset: &Value) -> Json {
    let labels = subset.get("labels").and_then(Value::as_table).into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), json!(value.as_str()?)))).collect()
}

/// The services that users request.
fn requested<'a>(exporter: &Exporter<'a>) -> BTreeSet<&'a str> {
    let known: BTreeSet<&str> = exporter.fronts().collect();
    let mut all = BTreeSet::new();
    for (_, users) in exporter.whole.get("users").and_then(Value::as_table).into_iter().flatten() {
        all.extend(users.get("service").and_then(Value::as_str));
        let weights = users.get("requests").and_then(Value::as_table).into_iter().flat_map(Table::keys);
        let steps = users.get("journey").and_then(Value::as_array).into_iter().flatten();
        let steps = steps.filter_map(|it| it.get("request")?.as_str());
        for request in weights.map(String::as_str).chain(steps) {
            all.extend(request.split_once('.').map(|(service, _)| service));
        }
    }
    all.retain(|it| known.contains(it));
    all
}

/// The routes of a service, and the way to it from the gateway; nothing where it has neither.
fn virtual_service(exporter: &Exporter<'_>, name: &str, is_requested: bool, is_only: bool) -> Option<Json> {
    let routes =
        exporter.service(name).and_then(|it| it.get("routes")?.as_array()).filter(|it| !it.is_empty());
    if routes.is_none() && !is_requested {
        return None;
    }
    let outside = format!("{name}.example.com");
    let (mut hosts, mut gateways, mut http) = (Vec::new(), Vec::new(), Vec::new());
    match routes {
        Some(routes) => {
            hosts.push(exporter.host(name));
            http.extend(routes.iter().filter_map(Value::as_table).map(|it| route(exporter, name, it)));
            if is_requested {
                hosts.push(outside);
                gateways.extend(["mesh".to_owned(), format!("{ROOT_NAMESPACE}/{INGRESS}")]);
            }
        }
        None => {
            hosts.push(if is_only { "*".to_owned() } else { outside });
            gateways.push(format!("{ROOT_NAMESPACE}/{INGRESS}"));
            http.push(json!({ "route": [{ "destination": { "host": exporter.host(name) } }] }));
        }
    }
    let mut spec = json!({ "hosts": hosts, "http": http });
    if !gateways.is_empty() {
        spec["gateways"] = json!(gateways);
    }
    Some(object(NETWORKING, "VirtualService", Some(exporter.namespace(name)), name, Some(spec)))
}

fn route(exporter: &Exporter<'_>, own: &str, route: &Table) -> Json {
    let mut all = written(route, ROUTE);
    all.extend(written(route, REWRITE));
    let alternatives = route.get("match").and_then(Value::as_array);
    let matches: Vec<Json> = match alternatives {
        Some(listed) => listed.iter().filter_map(Value::as_table).map(conditions).collect(),
        None => [conditions(route)]
            .into_iter()
            .filter(|it| it.as_object().is_some_and(|it| !it.is_empty()))
            .collect(),
    };
    if !matches.is_empty() {
        all.insert("match".to_owned(), Json::Array(matches));
    }
    if let Some(redirect) = route.get("redirect") {
        let code = redirect.get("redirect_code").and_then(Value::as_integer).unwrap_or(301);
        put_json(&mut all, "redirect.redirectCode", json!(code));
    } else {
        let listed = route.get("destinations").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_table);
        let mut to: Vec<Json> = listed.map(|it| destination(exporter, own, it)).collect();
        if to.is_empty() {
            to.push(json!({ "destination": { "host": exporter.host(own) } }));
        }
        all.insert("route".to_owned(), Json::Array(to));
    }
    if route.contains_key("mirror") {
        let mirror = written(route, MIRROR);
        all.extend(mirror);
        let to = find(route, "mirror.service").and_then(Value::as_str).unwrap_or(own);
        put_json(&mut all, "mirror.host", json!(exporter.host(to)));
    }
    Json::Object(all)
}

/// What a route compares; a header that must be there is compared with nothing.
fn conditions(table: &Table) -> Json {
    Json::Object(written(table, MATCH))
}

fn destination(exporter: &Exporter<'_>, own: &str, table: &Table) -> Json {
    let mut all = written(table, DESTINATION);
    let to = table.get("service").and_then(Value::as_str).unwrap_or(own);
    put_json(&mut all, "destination.host", json!(exporter.host(to)));
    Json::Object(all)
}

/// The waypoints that Services name.
fn waypoints(exporter: &Exporter<'_>, all: &mut Vec<Manifest>) {
    let has_one =
        |it: &&str| exporter.service(it).is_some_and(|it| it.get("waypoint") == Some(&Value::Boolean(true)));
    let namespaces: BTreeSet<&str> =
        exporter.fronts().filter(has_one).map(|it| exporter.namespace(it)).collect();
    for namespace in namespaces {
        let listener = json!({ "name": "mesh", "port": 15008, "protocol": "HBONE" });
        let spec = json!({ "gatewayClassName": "istio-waypoint", "listeners": [listener] });
        let api = "gateway.networking.k8s.io/v1";
        push(all, SHARED, "gateway", object(api, "Gateway", Some(namespace), "waypoint", Some(spec)));
    }
}

const POLICIES: [(&str, &str); 2] =
    [("authorization_policies", "AuthorizationPolicy"), ("peer_authentications", "PeerAuthentication")];

fn policies(exporter: &Exporter<'_>, all: &mut Vec<Manifest>) {
    for (table, kind) in POLICIES {
        for (name, policy) in exporter.whole.get(table).and_then(Value::as_table).into_iter().flatten() {
            let Some(policy) = policy.as_table() else { continue };
            let fields = if kind == "PeerAuthentication" { PEER } else { POLICY };
            let mut spec = written(policy, fields);
            let selector = match selected(policy).as_slice() {
                [] => None,
                [one] => Some(json!({ APP: one })),
                _ => Some(json!({ selected_by(name): "true" })),
            };
            if let Some(labels) = selector {
                put_json(&mut spec, "selector.matchLabels", labels);
            }
            let namespace = policy.get("namespace").and_then(Value::as_str).unwrap_or(ROOT_NAMESPACE);
            push(
                all,
                SHARED,
                "policies",
                object(SECURITY, kind, Some(namespace), name, Some(Json::Object(spec))),
            );
        }
    }
}

fn selected(policy: &Table) -> Vec<&str> {
    policy.get("services").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The policies that select a service among several.
pub(super) fn policies_of_several<'a>(exporter: &Exporter<'a>, service: &str) -> Vec<&'a String> {
    let tables = POLICIES.iter().filter_map(|(table, _)| exporter.whole.get(*table)?.as_table());
    let several = tables.flatten().filter(|(_, it)| {
        let names = it.as_table().map(selected).unwrap_or_default();
        names.len() > 1 && names.contains(&service)
    });
    several.map(|(name, _)| name).collect()
}

/// The label of the pods that such a policy selects.
pub(super) fn selected_by(policy: &str) -> String {
    format!("selected-by/{policy}")
}
