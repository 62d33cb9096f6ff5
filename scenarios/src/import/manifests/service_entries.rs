//! ServiceEntries: services outside the clusters.
//!
//! # Assumptions
//! All hosts of an entry are one service, and every cluster reaches an endpoint of its own. Effect: an entry of several
//! endpoints is refused unless it is allowed, for which of them answers hangs on where they are.
//!
//! # Source
//! Istio, ServiceEntry (`networking/v1`); older versions have the same fields.

use super::model::Service;
use super::node::Node;
use super::object::Object;
use super::services::{name_in, ports};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Adds the services that are outside.
pub(super) fn collect<'a>(objects: &'a [Object], names: &mut BTreeSet<String>, all: &mut Vec<Service<'a>>) {
    for object in objects.iter().filter(|it| it.is("networking.istio.io", "ServiceEntry")) {
        if object.root.fate().is_some() {
            continue;
        }
        let Some((spec, listed)) = object.root.child("spec").and_then(|it| Some((it, it.child("hosts")?)))
        else {
            object.root.wrong("a ServiceEntry without hosts", "write spec.hosts");
            continue;
        };
        let mut table = Table::from_iter([("external".to_owned(), Value::Boolean(true))]);
        ports(spec, &mut table);
        judge(spec);
        let hosts: Vec<(String, String)> = listed
            .items()
            .iter()
            .filter_map(Node::text)
            .map(|host| (host.to_owned(), object.namespace().to_owned()))
            .collect();
        if hosts.is_empty() {
            object.root.wrong("a ServiceEntry without hosts", "write spec.hosts");
            continue;
        }
        all.push(Service {
            name: name_in(names, object),
            hosts,
            selector: Vec::new(),
            object: Some(object),
            has_namespace: false,
            table,
        });
    }
}

fn judge(spec: &Node) {
    if let Some(location) = spec.child("location") {
        match location.text() {
            Some("MESH_INTERNAL") => {
                location.matters("machines of the mesh that are no pods are not simulated");
            }
            _ => location.used(),
        }
    }
    if let Some(endpoints) = spec.child("endpoints") {
        match endpoints.items().len() {
            0 | 1 => endpoints.harmless("every cluster reaches an endpoint of its own"),
            _ => endpoints.matters(
                "every cluster reaches one endpoint: of several, which answers hangs on where it is",
            ),
        }
    }
    if let Some(selector) = spec.child("workloadSelector") {
        selector.matters("pods and machines that a ServiceEntry selects are not looked up");
    }
}
