//! NamespaceOffloadings and ResourceSlices of Liqo: whose pods may run elsewhere, and how much of it.
//!
//! # Source
//! Liqo 1.0, `offloading.liqo.io/v1beta1` and `authentication.liqo.io/v1beta1`: both kinds are objects of the consumer.

use super::model::{Model, put_named};
use super::node::Node;
use super::object::Object;
use super::translate::put;
use super::workloads::{bytes, expressions};
use toml::{Table, Value};

/// Adds what the consumers say; workloads are known.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.root.fate().is_none()) {
        let is_slice = object.is("authentication.liqo.io", "ResourceSlice");
        if !is_slice && !object.is("offloading.liqo.io", "NamespaceOffloading") {
            continue;
        }
        let named = object.root.get("spec.consumerClusterID").filter(|_| is_slice).and_then(Node::text);
        let Some(consumer) = named.or(object.cluster.as_deref()) else {
            object.root.wrong(
                format!("{} does not say of which consumer it is", object.title()),
                "name the cluster of its file, --cluster NAME=PATH",
            );
            continue;
        };
        put(&mut model.others, "federation", Value::String("liqo".to_owned()));
        match is_slice {
            true => slice(object, consumer, model),
            false => offloading(object, consumer, model),
        }
    }
}

/// Which pods may run at providers.
fn offloading(object: &Object, consumer: &str, model: &mut Model<'_>) {
    if model.others.get("liqo").is_some_and(|it| it.get("offloading").is_some()) {
        object.root.matters("a scenario has one NamespaceOffloading");
        return;
    }
    let here = model
        .workloads
        .iter()
        .filter(|it| it.cluster == consumer && it.object.namespace() == object.namespace());
    let mut services: Vec<String> = here.map(|it| it.name.clone()).collect();
    services.sort();
    services.dedup();
    if services.is_empty() {
        object.root.matters(format!("nothing of its namespace runs at `{consumer}`"));
        return;
    }
    let mut written = Table::new();
    written.insert("services".to_owned(), Value::Array(services.into_iter().map(Value::String).collect()));
    let strategy =
        object.root.get("spec.podOffloadingStrategy").and_then(Node::text).unwrap_or("LocalAndRemote");
    written.insert("pod_offloading_strategy".to_owned(), Value::String(strategy.to_owned()));
    match object.root.get("spec.clusterSelector.nodeSelectorTerms").map(Node::items) {
        Some([term]) => {
            let labels = expressions(term).into_iter();
            let labels = labels
                .map(|(key, values, _)| (key, values.into_iter().map(Value::String).collect::<Vec<_>>()));
            let labels: Table = labels.map(|(key, values)| (key, Value::Array(values))).collect();
            written.insert("cluster_selector".to_owned(), Value::Table(labels));
        }
        Some([_, second, ..]) => second.matters("one of several terms is not simulated"),
        Some([]) | None => {}
    }
    for key in ["namespaceMappingStrategy", "remoteNamespaceName"] {
        let names = object.root.get("spec").and_then(|it| it.child(key));
        names.into_iter().for_each(|it| it.harmless("what the namespace is called at providers"));
    }
    put(&mut model.others, "liqo.consumer", Value::String(consumer.to_owned()));
    put(&mut model.others, "liqo.offloading", Value::Table(written));
}

/// What a provider grants.
fn slice(object: &Object, consumer: &str, model: &mut Model<'_>) {
    let Some(provider) = object.root.get("spec.providerClusterID").and_then(Node::text) else {
        object.root.wrong("a ResourceSlice without a provider", "write spec.providerClusterID");
        return;
    };
    let mut peering = Table::new();
    put(&mut peering, "consumer", Value::String(consumer.to_owned()));
    put(&mut peering, "provider", Value::String(provider.to_owned()));
    let amount = |key: &str| object.root.get("spec.resources").and_then(|it| it.child(key));
    let cores = amount("cpu").and_then(Node::cores);
    let memory = amount("memory").and_then(|it| it.parsed("size, as in 8Gi", bytes));
    for (key, text) in [("slice.cpu", cores), ("slice.memory", memory)] {
        text.into_iter().for_each(|text| put(&mut peering, key, Value::String(text)));
    }
    if let Some(pods) = amount("pods").and_then(Node::whole) {
        put(&mut peering, "slice.pods", Value::Integer(i64::from(pods)));
    }
    for (key, why) in [("class", "a provider has one class"), ("csr", "it is about certificates")] {
        let field = object.root.get("spec").and_then(|it| it.child(key));
        field.into_iter().for_each(|it| it.harmless(why));
    }
    put_named(&mut model.others, "peerings", object, peering);
}
