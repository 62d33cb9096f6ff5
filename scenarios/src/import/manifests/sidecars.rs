//! What annotations of pods say of their sidecars, which a scenario has once for all.
//!
//! # Source
//! Istio, "Resource Annotations" (`sidecar.istio.io/proxyCPU` and the like, `proxy.istio.io/config` with the fields of
//! ProxyConfig).

use super::model::Says;
use super::node::Node;
use super::object::Object;
use super::translate::{Kind, bytes, value};
use super::yaml;
use crate::problem::SourceText;
use std::sync::Arc;
use toml::Value;

/// The annotation with the configuration of a proxy, a text that is YAML itself.
pub(crate) const PROXY_CONFIG: &str = "proxy.istio.io/config";

/// The annotations with what a sidecar requests.
pub(crate) const PROXY_CPU: &str = "sidecar.istio.io/proxyCPU";
/// Memory of it.
pub(crate) const PROXY_MEMORY: &str = "sidecar.istio.io/proxyMemory";

/// Fields of a proxy's configuration, and the keys of a scenario.
const FIELDS: [(&str, &str, Kind); 3] = [
    ("concurrency", "mesh.sidecar.concurrency", Kind::Whole),
    ("terminationDrainDuration", "pods.sidecar_drain", Kind::Time),
    (HOLD, "pods.hold_application_until_proxy_starts", Kind::Flag),
];

const HOLD: &str = "holdApplicationUntilProxyStarts";

/// Whether a key is one that sidecars say.
pub(super) fn is_of_sidecars(key: &str) -> bool {
    key.starts_with("mesh.sidecar.") || FIELDS.iter().any(|(_, known, _)| *known == key)
}

/// What the annotations of a workload's pods say.
pub(super) fn says(object: &Object) -> Vec<Says<'_>> {
    let Some(annotations) = object.root.get("spec.template.metadata.annotations") else { return Vec::new() };
    let mut all = Vec::new();
    let mut say = |key: &str, value: Option<Value>, node| {
        all.extend(value.map(|value| Says { key: key.to_owned(), value, node: Some(node) }));
    };
    if let Some(node) = annotations.child(PROXY_CPU) {
        say("mesh.sidecar.requests.cpu", node.cores().map(Value::String), node);
    }
    if let Some(node) = annotations.child(PROXY_MEMORY) {
        say("mesh.sidecar.requests.memory", node.parsed("size, as in 128Mi", bytes).map(Value::String), node);
    }
    if let Some(node) = annotations.child(PROXY_CONFIG) {
        for (key, value) in config(node) {
            say(key, Some(value), node);
        }
    }
    all
}

/// The keys that a proxy's configuration says.
fn config(node: &Node) -> Vec<(&'static str, Value)> {
    let Some(text) = node.text() else { return Vec::new() };
    let source = Arc::new(SourceText { name: PROXY_CONFIG.to_owned(), text: text.to_owned() });
    // As many values as anybody writes by hand.
    let parsed = yaml::documents(&source, &mut 1_000);
    let Ok(Some((_, root))) = parsed.map(|it| it.into_iter().next()) else {
        node.wrong("this is no configuration of a proxy", "write YAML, as in `concurrency: 2`");
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, inner) in root.entries() {
        let Some((_, toml, kind)) = FIELDS.iter().find(|(yaml, ..)| *yaml == &**key) else {
            node.matters(format!("`{key}` of a proxy's configuration is not taken over"));
            continue;
        };
        match value(inner, *kind) {
            // Sidecars of today's releases hold it anyway.
            Some(Value::Boolean(false)) => {}
            Some(value) => all.push((*toml, value)),
            None => node.wrong(format!("`{key}` is none"), "write what the ProxyConfig of Istio takes"),
        }
    }
    all
}
