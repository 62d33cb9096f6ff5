//! Routes of the Gateway API: HTTPRoute and GRPCRoute.
//!
//! # Models
//! A route of a Service (`parentRefs` of kind Service, as in GAMMA) is one of the mesh; one of a Gateway says which service
//! users request, as a VirtualService of a gateway does.
//!
//! # Assumptions
//! `PathPrefix` compares whole elements of a path, a scenario's prefix its letters. Effect: `/a` takes `/ab`, too.
//!
//! # Source
//! Gateway API 1.3, `gateway.networking.k8s.io/v1`; Istio's use of it (`createGRPCURIMatch` in
//! `pilot/pkg/config/kube/gateway/conversion.go`).

use super::model::Model;
use super::node::Node;
use super::object::Object;
use super::translate::put;
use toml::{Table, Value};

const GROUP: &str = "gateway.networking.k8s.io";

/// Gives services their routes, and the model the services that users are led to.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.is(GROUP, "HTTPRoute") || it.is(GROUP, "GRPCRoute")) {
        if object.root.fate().is_some() {
            continue;
        }
        let Some(spec) = object.root.child("spec") else {
            object
                .root
                .wrong(format!("a {} without a spec", object.kind), "write spec: with parentRefs and rules");
            continue;
        };
        let rules = spec.child("rules").map(Node::items).unwrap_or_default();
        for parent in spec.child("parentRefs").map(Node::items).unwrap_or_default() {
            parent.used();
            let word = |key: &str| parent.child(key).and_then(Node::text);
            match word("kind").unwrap_or("Gateway") {
                "Gateway" => rules.iter().for_each(|it| ingress(object, it, model)),
                "Service" => {
                    let namespace = word("namespace").unwrap_or(object.namespace());
                    match model.of_host(word("name").unwrap_or_default(), namespace) {
                        Some(service) => of_service(object, parent, rules, service, model),
                        None => parent.matters("no Service of these manifests has this name"),
                    }
                }
                _ => parent.matters("routes are of Gateways and Services"),
            }
        }
    }
    model.ingress.sort_unstable();
    model.ingress.dedup();
}

fn ingress(object: &Object, rule: &Node, model: &mut Model<'_>) {
    rule.child("matches").into_iter().for_each(Node::used);
    rule.child("name").into_iter().for_each(|it| it.harmless("a name for logs"));
    for node in rule.child("filters").map(Node::items).unwrap_or_default() {
        match node.child("type").and_then(Node::text) {
            Some("URLRewrite") => node.used(),
            _ => node.matters("of a gateway's filters, rewrites alone are taken over"),
        }
    }
    for (node, service) in backends(object, rule, model) {
        match service {
            Some(service) => model.ingress.push(service),
            None => node.matters("no Service of these manifests has this name"),
        }
    }
}

/// What a rule leads to.
fn backends<'a>(object: &Object, rule: &'a Node, model: &Model<'_>) -> Vec<(&'a Node, Option<usize>)> {
    let listed = rule.child("backendRefs").map(Node::items).unwrap_or_default();
    let each = listed.iter().map(|it| {
        it.child("port").into_iter().for_each(|it| it.harmless("a service has one port"));
        let is = |key: &str, known: &str| it.child(key).and_then(Node::text).is_none_or(|it| it == known);
        let is_service = [is("kind", "Service"), is("group", "")] == [true, true];
        let namespace = it.child("namespace").and_then(Node::text).unwrap_or(object.namespace());
        let name = it.child("name").and_then(Node::text).unwrap_or_default();
        (it, model.of_host(name, namespace).filter(|_| is_service))
    });
    each.collect()
}

fn of_service(object: &Object, parent: &Node, rules: &[Node], own: usize, model: &mut Model<'_>) {
    let routes: Vec<Value> =
        rules.iter().flat_map(|it| routes(object, it, own, model)).map(Value::Table).collect();
    let table = &mut model.services[own].table;
    match table.contains_key("routes") {
        true => parent.matters("another object has routes for this Service"),
        false => {
            table.insert("routes".to_owned(), Value::Array(routes));
        }
    }
}

/// A rule, once for each of its matches.
fn routes(object: &Object, rule: &Node, own: usize, model: &Model<'_>) -> Vec<Table> {
    rule.child("name").into_iter().for_each(|it| it.harmless("a name for logs"));
    let mut common = Table::new();
    if let Some(time) = rule.get("timeouts.request").and_then(Node::time) {
        put(&mut common, "timeout", Value::String(time.to_string()));
    }
    let matches = rule.child("matches").map(Node::items).unwrap_or_default();
    let of_whole = |it: &Node| it.get("path.type").is_some_and(|it| it.is("Exact"));
    let is_exact = !matches.is_empty() && matches.iter().all(of_whole);
    for node in rule.child("filters").map(Node::items).unwrap_or_default() {
        filter(node, is_exact, &mut common);
    }
    let mut destinations = Vec::new();
    let backends = backends(object, rule, model);
    let are_several = backends.len() > 1;
    for (node, service) in backends {
        let mut destination = Table::new();
        match service {
            Some(service) if service == own => {}
            Some(service) => {
                put(&mut destination, "service", Value::String(model.services[service].name.clone()));
            }
            None => node.matters("no Service of these manifests has this name"),
        }
        // The Gateway API's default; of one destination nothing is written.
        let weight = node.child("weight").map_or(are_several.then_some(1), Node::whole);
        if let Some(weight) = weight {
            put(&mut destination, "weight", Value::Integer(i64::from(weight)));
        }
        destinations.push(Value::Table(destination));
    }
    let is_itself = destinations.len() == 1 && destinations[0].get("service").is_none();
    if !destinations.is_empty() && !is_itself {
        common.insert("destinations".to_owned(), Value::Array(destinations));
    }
    let mut all: Vec<Table> = matches.iter().map(|it| condition(it, common.clone())).collect();
    if matches.is_empty() {
        all.push(common);
    }
    all
}

/// Whether a rule compares whole paths alone (`is_exact`) tells what a rewrite takes the place of.
fn filter(node: &Node, is_exact: bool, route: &mut Table) {
    match node.child("type").and_then(Node::text) {
        Some("URLRewrite") => {
            let path = node.get("urlRewrite.path");
            path.and_then(|it| it.child("type")).into_iter().for_each(Node::used);
            let of = |key: &str| path.and_then(|it| it.child(key));
            if let Some(uri) = of("replacePrefixMatch").or(of("replaceFullPath")).and_then(Node::text) {
                put(route, "rewrite.uri", Value::String(uri.to_owned()));
            }
            for it in of("replaceFullPath").into_iter().filter(|_| !is_exact) {
                it.matters(
                    "a rewrite takes the place of what a path was compared with, not of the whole path",
                );
            }
        }
        Some("RequestRedirect") => {
            let code = node.get("requestRedirect.statusCode").and_then(Node::whole).unwrap_or(302);
            put(route, "redirect.redirect_code", Value::Integer(i64::from(code)));
        }
        _ => node.matters("of filters, rewrites and redirects alone are taken over"),
    }
}

/// How paths are compared with what a method of gRPC comes to, and with what: they are `/SERVICE/METHOD`.
fn path_of_grpc(method: &Node) -> (&'static str, String) {
    let word = |key: &str| method.child(key).and_then(Node::text);
    let is_exact = method.child("type").is_none_or(|it| it.text() == Some("Exact"));
    match (word("service"), word("method")) {
        (Some(service), Some(name)) if is_exact => ("exact", format!("/{service}/{name}")),
        (Some(service), None) if is_exact => ("prefix", format!("/{service}/")),
        (service, name) => {
            let any = |it: Option<&str>| it.unwrap_or("[^/]+").to_owned();
            ("regex", format!("/{}/{}", any(service), any(name)))
        }
    }
}

fn condition(node: &Node, mut route: Table) -> Table {
    if let Some(method) = node.child("method").filter(|it| matches!(it.value, super::node::Value::Map(_))) {
        let (how, path) = path_of_grpc(method);
        put(&mut route, &format!("uri.{how}"), Value::String(path));
    }
    let mut compare = |path: &str, kind: Option<&str>, value: Option<&Node>| {
        let Some(text) = value.and_then(Node::text) else { return };
        let how = match kind {
            Some("PathPrefix") => "prefix",
            Some("RegularExpression") => "regex",
            _ => "exact",
        };
        put(&mut route, &format!("{path}.{how}"), Value::String(text.to_owned()));
    };
    let kind = |it: &Node| it.child("type").and_then(Node::text).map(str::to_owned);
    if let Some(path) = node.child("path") {
        compare("uri", Some(kind(path).as_deref().unwrap_or("PathPrefix")), path.child("value"));
    }
    match node.child("method") {
        Some(method) if matches!(method.value, super::node::Value::Map(_)) => {}
        Some(method) => compare("method", None, Some(method)),
        None => {}
    }
    for (yaml, toml) in [("headers", "headers"), ("queryParams", "query_params")] {
        for it in node.child(yaml).map(Node::items).unwrap_or_default() {
            let name = it.child("name").and_then(Node::text).unwrap_or_default().to_owned();
            match name.contains('.') {
                true => it.matters("a name with a dot is no key of a scenario's path"),
                false => compare(&format!("{toml}.{name}"), kind(it).as_deref(), it.child("value")),
            }
        }
    }
    route
}
