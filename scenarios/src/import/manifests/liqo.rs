//! NamespaceOffloadings and ResourceSlices of Liqo: whose pods may run elsewhere, and how much of it.
//!
//! # Source
//! Liqo 1.0, `offloading.liqo.io/v1beta1` and `authentication.liqo.io/v1beta1`: both kinds are objects of the consumer.

use super::model::{Model, put_named};
use super::node::Node;
use super::object::Object;
use super::overlay::Overlay;
use super::translate::{bytes, put};
use super::workloads::expressions;
use toml::{Table, Value};

/// Adds what the consumers say; workloads are known.
pub(super) fn apply(objects: &[Object], overlay: &Overlay, model: &mut Model<'_>) {
    let mut quotas = Vec::new();
    for object in objects.iter().filter(|it| it.root.fate().is_none()) {
        if object.is("offloading.liqo.io", "Quota") {
            quotas.push(object);
            continue;
        }
        let is_slice = object.is("authentication.liqo.io", "ResourceSlice");
        if !is_slice && !object.is("offloading.liqo.io", "NamespaceOffloading") {
            continue;
        }
        let named = object.root.get("spec.consumerClusterID").filter(|_| is_slice).and_then(Node::text);
        let Some(consumer) = named.or(object.cluster.as_deref()).or(overlay.consumer()) else {
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
    quotas.into_iter().for_each(|it| quota(it, model));
}

/// Which pods may run at providers.
fn offloading(object: &Object, consumer: &str, model: &mut Model<'_>) {
    if model.others.get("liqo").is_some_and(|it| it.get("offloading").is_some()) {
        object.root.matters("a scenario has one NamespaceOffloading");
        return;
    }
    let here = || {
        let all = model.workloads.iter().filter(|it| it.cluster == consumer);
        all.filter(|it| it.object.namespace() == object.namespace())
    };
    // Where some may run in several clusters by their own affinity, the others may not.
    let any = here().any(|it| it.is_offloaded);
    let mut services: Vec<String> = here()
        .filter(|it| it.keeps_home.is_none() && (it.is_offloaded || !any))
        .map(|it| it.name.clone())
        .collect();
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
    if strategy == "Remote" {
        let home = here().filter_map(|it| it.keeps_home);
        home.for_each(|it| it.matters("a NamespaceOffloading of `Remote` leaves it no node"));
    }
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

/// What a provider grants and asks, on its own side.
fn quota(object: &Object, model: &mut Model<'_>) {
    let label = object.root.get("metadata.labels").and_then(|it| it.child("liqo.io/remote-cluster-id"));
    let consumer = label.or(object.root.get("spec.user")).and_then(Node::text).map(str::to_owned);
    object.root.get("spec.user").into_iter().for_each(Node::used);
    let (Some(consumer), Some(provider)) = (consumer, object.cluster.clone()) else {
        let help = "name the provider, the cluster of its file, by --cluster NAME=PATH, and the consumer by the label \
                    liqo.io/remote-cluster-id";
        object.root.wrong(format!("{} does not say of whom it is", object.title()), help);
        return;
    };
    if object.root.get("spec.cordoned").and_then(Node::flag) == Some(true) {
        object.root.get("spec.cordoned").into_iter().for_each(|it| it.matters("a consumer that is shut out"));
    }
    let is_of = |table: &Value| {
        let word = |key: &str| table.get(key).and_then(Value::as_str);
        word("consumer") == Some(&consumer) && word("provider") == Some(&provider)
    };
    let peerings = model.others.get("peerings").and_then(Value::as_table);
    let known = peerings.and_then(|all| all.iter().find(|(_, it)| is_of(it)).map(|(name, _)| name.clone()));
    if known.is_some() {
        let resources = object.root.get("spec.resources");
        resources.into_iter().for_each(|it| it.harmless("as its ResourceSlice says"));
    }
    let name = known.unwrap_or_else(|| {
        let mut peering = Table::new();
        put(&mut peering, "consumer", Value::String(consumer));
        put(&mut peering, "provider", Value::String(provider));
        amounts(object, &mut peering);
        put(&mut model.others, "federation", Value::String("liqo".to_owned()));
        put_named(&mut model.others, "peerings", object, peering)
    });
    if let Some(word) = object.root.get("spec.limitsEnforcement").and_then(Node::text) {
        put(&mut model.others, &format!("peerings.{name}.enforcement"), Value::String(word.to_lowercase()));
    }
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
    amounts(object, &mut peering);
    for (key, why) in [("class", "a provider has one class"), ("csr", "it is about certificates")] {
        let field = object.root.get("spec").and_then(|it| it.child(key));
        field.into_iter().for_each(|it| it.harmless(why));
    }
    put_named(&mut model.others, "peerings", object, peering);
}

/// The resources that a slice or a quota names.
fn amounts(object: &Object, peering: &mut Table) {
    let amount = |key: &str| object.root.get("spec.resources").and_then(|it| it.child(key));
    let cores = amount("cpu").and_then(Node::cores);
    let memory = amount("memory").and_then(|it| it.parsed("size, as in 8Gi", bytes));
    for (key, text) in [("slice.cpu", cores), ("slice.memory", memory)] {
        text.into_iter().for_each(|text| put(peering, key, Value::String(text)));
    }
    if let Some(pods) = amount("pods").and_then(Node::whole) {
        put(peering, "slice.pods", Value::Integer(i64::from(pods)));
    }
}
