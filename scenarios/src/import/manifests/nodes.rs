//! Nodes: the machines of clusters.
//!
//! # Source
//! Kubernetes, Node v1 core; Liqo, `liqo.io/type: virtual-node`.

use super::model::Model;
use super::node::Node;
use super::object::Object;
use super::translate::{bytes, put};
use super::workloads::CLUSTER_LABEL;
use meshsim_models::liqo::virtual_node::{TYPE_LABEL, VIRTUAL_NODE};
use toml::{Table, Value};

/// The cluster that a real node's label names.
pub(super) fn zone(node: &Object) -> Option<&str> {
    let labels = node.root.get("metadata.labels")?;
    let is_virtual = labels.child(TYPE_LABEL).and_then(Node::text) == Some(VIRTUAL_NODE);
    labels.child(CLUSTER_LABEL).filter(|_| !is_virtual).and_then(Node::text)
}

/// Adds the nodes that are objects.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.is("", "Node") && it.root.fate().is_none()) {
        let labels = object.root.get("metadata.labels");
        let label = |key: &str| labels.and_then(|it| it.child(key)).and_then(Node::text);
        if label(TYPE_LABEL) == Some(VIRTUAL_NODE) {
            object.root.harmless("it stands for another cluster, which has nodes of its own");
            continue;
        }
        let zone = label(CLUSTER_LABEL);
        let Some(cluster) = object.cluster.as_deref().or(zone) else {
            object.root.wrong(
                format!("node {} is of no cluster", object.name),
                format!(
                    "name the cluster of its file, --cluster NAME=PATH, or give it the label {CLUSTER_LABEL}"
                ),
            );
            continue;
        };
        let Some(capacity) = object.root.get("status.capacity.cpu") else {
            object.root.wrong(
                format!("node {} does not say how many cores it has", object.name),
                "`kubectl get nodes -o yaml` prints status.capacity.cpu",
            );
            continue;
        };
        let Some(cores) = capacity.cores() else { continue };
        let mut node = Table::from_iter([("cores".to_owned(), Value::String(cores))]);
        let allocatable = object.root.get("status.allocatable");
        let of = |key: &str| allocatable.and_then(|it| it.child(key));
        if let Some(cpu) = of("cpu").and_then(Node::cores) {
            put(&mut node, "allocatable.cpu", Value::String(cpu));
        }
        if let Some(memory) = of("memory").and_then(|it| it.parsed("size, as in 16Gi", bytes)) {
            put(&mut node, "allocatable.memory", Value::String(memory));
        }
        if let Some(pods) = of("pods").and_then(Node::whole) {
            put(&mut node, "allocatable.pods", Value::Integer(i64::from(pods)));
        }
        for (key, name) in
            [("topology.kubernetes.io/region", "region"), ("topology.istio.io/subzone", "subzone")]
        {
            if let Some(text) = label(key) {
                node.insert(name.to_owned(), Value::String(text.to_owned()));
            }
        }
        // The cluster's own zone is its name.
        if let Some(zone) = zone.filter(|it| *it != cluster) {
            node.insert("zone".to_owned(), Value::String(zone.to_owned()));
        }
        let own = labels.map(Node::labels).unwrap_or_default();
        let own = own.into_iter().filter(|(key, _)| !key.starts_with("topology."));
        let own: Table = own.map(|(key, value)| (key, Value::String(value))).collect();
        if !own.is_empty() {
            node.insert("labels".to_owned(), Value::Table(own));
        }
        let taints: Vec<Value> = object
            .root
            .get("spec.taints")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(taint)
            .collect();
        if !taints.is_empty() {
            node.insert("taints".to_owned(), Value::Array(taints));
        }
        model.nodes.entry(cluster.to_owned()).or_default().push(Value::Table(node));
    }
}

/// A taint as the scenario writes it; those of a condition come and go with that.
fn taint(node: &Node) -> Option<Value> {
    let (key, effect) = (node.child("key")?.text()?, node.child("effect")?.text()?);
    if key.starts_with("node.kubernetes.io/") {
        node.harmless("Kubernetes sets it while a condition holds");
        return None;
    }
    let value = node.child("value").and_then(Node::text).map_or(String::new(), |value| format!("={value}"));
    Some(Value::String(format!("{key}{value}:{effect}")))
}
