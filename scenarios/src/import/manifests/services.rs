//! Services: what is called.
//!
//! # Assumptions
//! Callers call a Service's first port. Effect: one that speaks something else at a further port, which somebody calls, is
//! simulated with the first one's protocol.
//!
//! # Source
//! Kubernetes, Service v1; Istio, "Protocol Selection": `appProtocol`, or what a port's name begins with.

use super::model::Service;
use super::node::{Fate, Node};
use super::object::Object;
use super::translate::{Kind, value};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// The Services of all objects; `names` are those that they take.
pub(super) fn collect<'a>(objects: &'a [Object], names: &mut BTreeSet<String>) -> Vec<Service<'a>> {
    let mut all: Vec<Service<'_>> = Vec::new();
    for object in objects.iter().filter(|it| it.is("", "Service") && it.root.fate().is_none()) {
        let Some(spec) = object.root.child("spec") else {
            object.root.wrong("a Service without a spec", "write spec: with a selector and ports");
            continue;
        };
        let selector = spec.child("selector").map(Node::labels).unwrap_or_default();
        if spec.child("selector").is_some_and(|it| matches!(it.fate(), Some(Fate::Wrong(..)))) {
            continue;
        }
        if selector.is_empty() {
            object.root.matters("it selects no pods: who stands behind it is not in the manifests");
            continue;
        }
        let mut table = Table::new();
        ports(spec, &mut table);
        if let Some(it) = spec.child("trafficDistribution").and_then(|it| value(it, Kind::Text)) {
            table.insert("traffic_distribution".to_owned(), it);
        }
        if object.root.get("metadata.labels").and_then(|it| it.child(WAYPOINT)).is_some_and(is_waypoint) {
            table.insert("waypoint".to_owned(), Value::Boolean(true));
        }
        judge(spec);
        all.push(Service {
            name: name_in(names, object),
            hosts: vec![(object.name.clone(), object.namespace().to_owned())],
            selector,
            object: Some(object),
            has_namespace: object.namespace.is_some(),
            table,
        });
    }
    all
}

/// The label that gives a Service a waypoint.
pub(crate) const WAYPOINT: &str = "istio.io/use-waypoint";

fn is_waypoint(node: &Node) -> bool {
    node.text().is_some_and(|it| it != "none")
}

/// A name that no other service has.
pub(super) fn name_in(names: &mut BTreeSet<String>, object: &Object) -> String {
    // Paths of settings go by dots.
    let name = object.name.replace('.', "-");
    let name = match names.contains(&name) {
        true => format!("{name}-{}", object.namespace()),
        false => name,
    };
    names.insert(name.clone());
    name
}

pub(super) fn ports(spec: &Node, table: &mut Table) {
    let Some(ports) = spec.child("ports") else { return };
    let mut listed = ports.items().iter();
    let Some(first) = listed.next() else { return };
    first.used();
    let word = |key: &str| first.child(key).and_then(Node::text);
    let name = word("name").map(|name| name.split_once('-').map_or(name, |(word, _)| word));
    // A ServiceEntry says what is spoken, a Service what carries it.
    let spoken = word("protocol").filter(|it| !matches!(*it, "TCP" | "UDP" | "SCTP")).map(str::to_lowercase);
    let spoken = spoken.as_deref().or(word("appProtocol")).or(name);
    let protocol = match (word("protocol"), spoken) {
        (Some("UDP"), _) => Some("udp"),
        (Some("SCTP"), _) => {
            first.matters("SCTP is not simulated");
            None
        }
        (_, Some("grpc" | "grpc-web" | "kubernetes.io/h2c-grpc")) => Some("grpc"),
        (_, Some("http2" | "kubernetes.io/h2c")) => Some("http2"),
        (_, Some("tcp" | "tls" | "https" | "mongo" | "mysql" | "redis")) => Some("tcp"),
        _ => None,
    };
    if let Some(protocol) = protocol {
        table.insert("protocol".to_owned(), Value::String(protocol.to_owned()));
    }
    for further in listed {
        further.harmless("callers call the first port of a Service");
    }
}

/// What of a Service changes what happens to a call, and what does not.
fn judge(spec: &Node) {
    let says = |key: &str| spec.child(key).map(|node| (node, node.text().unwrap_or_default()));
    if let Some((node, word)) = says("type") {
        match word {
            "ExternalName" => node.matters("a name for something outside; write a ServiceEntry"),
            _ => node.harmless("users come in by the ingress gateway of their cluster"),
        }
    }
    if let Some((node, word)) = says("clusterIP") {
        match word {
            "None" => node.matters("clients of a headless Service choose among its pods by themselves"),
            _ => node.harmless("addresses are not simulated"),
        }
    }
    if let Some((node, word)) = says("sessionAffinity") {
        match word {
            "None" => node.harmless("it is the default"),
            _ => node.matters("kube-proxy that keeps clients at a pod is not simulated"),
        }
    }
    if let Some((node, word)) = says("internalTrafficPolicy") {
        match word {
            "Cluster" => node.harmless("it is the default"),
            _ => node.matters("kube-proxy that stays on the node is not simulated; see trafficDistribution"),
        }
    }
}
