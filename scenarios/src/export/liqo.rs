//! What Liqo is told: whose pods may run elsewhere, what providers grant and ask.

use super::objects::{Exporter, Manifest, asked, node_term, object, push};
use crate::import::manifests::translate::find;
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::liqo::quota::LimitsEnforcement;
use meshsim_models::world::description::Federation;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use toml::Value;

/// The label by which Liqo's objects name the other cluster.
const REMOTE: &str = "liqo.io/remote-cluster-id";

/// Adds what Liqo is told, if it joins the clusters.
pub(super) fn add(exporter: &Exporter<'_>, all: &mut Vec<Manifest>) {
    let Some(Federation::Liqo(settings)) = &exporter.description.federation else { return };
    let name = |cluster| exporter.description.clusters[cluster].name.as_str();
    let mut consumers = BTreeSet::new();
    for it in &settings.peerings {
        let (consumer, provider) = (name(it.consumer), name(it.provider));
        consumers.insert(consumer);
        let resources = resources(&it.granted);
        let slice = json!({
            "class": "default",
            "consumerClusterID": consumer,
            "providerClusterID": provider,
            "resources": resources,
        });
        let api = "authentication.liqo.io/v1beta1";
        push(all, consumer, "liqo", object(api, "ResourceSlice", Some("default"), &it.name, Some(slice)));
        if it.enforcement != LimitsEnforcement::None {
            let word = if it.enforcement == LimitsEnforcement::Hard { "Hard" } else { "Soft" };
            let spec = json!({ "user": consumer, "limitsEnforcement": word, "resources": resources });
            let api = "offloading.liqo.io/v1beta1";
            let mut quota = object(api, "Quota", Some("default"), &it.name, Some(spec));
            quota["metadata"]["labels"] = json!({ REMOTE: consumer });
            push(all, provider, "liqo", quota);
        }
    }
    for consumer in consumers {
        offloadings(exporter, consumer, all);
    }
}

fn resources(granted: &ResourceList) -> Json {
    let amounts =
        [("cpu", Resource::CPU, "m"), ("memory", Resource::MEMORY, ""), ("pods", Resource::PODS, "")];
    let said = amounts
        .iter()
        .filter_map(|(key, resource, unit)| Some((*key, format!("{}{unit}", granted.get(*resource)?))));
    said.map(|(key, amount)| (key.to_owned(), json!(amount))).collect()
}

/// A NamespaceOffloading per namespace of which something is offloaded: which of its Deployments may go, their affinities say.
fn offloadings(exporter: &Exporter<'_>, consumer: &str, all: &mut Vec<Manifest>) {
    let Some(written) = find(exporter.whole, "liqo.offloading") else { return };
    let listed = written.get("services").and_then(Value::as_array).into_iter().flatten();
    let listed: BTreeSet<&str> = listed.filter_map(Value::as_str).collect();
    let here = exporter.running(consumer).filter(|it| listed.contains(it));
    let namespaces: BTreeSet<&str> = here.map(|it| exporter.namespace(it)).collect();
    for namespace in namespaces {
        let strategy = written.get("pod_offloading_strategy").and_then(Value::as_str);
        let mut spec = json!({
            "podOffloadingStrategy": strategy.unwrap_or("LocalAndRemote"),
            "namespaceMappingStrategy": "EnforceSameName",
        });
        let selector = written.get("cluster_selector").and_then(Value::as_table).filter(|it| !it.is_empty());
        if selector.is_some() {
            spec["clusterSelector"] = json!({ "nodeSelectorTerms": [node_term(asked(selector))] });
        }
        let api = "offloading.liqo.io/v1beta1";
        push(
            all,
            consumer,
            "liqo",
            object(api, "NamespaceOffloading", Some(namespace), "offloading", Some(spec)),
        );
    }
}
