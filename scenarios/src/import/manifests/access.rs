//! AuthorizationPolicies, PeerAuthentications and namespaces: who may call whom, and who has a sidecar.
//!
//! # Source
//! Istio, AuthorizationPolicy and PeerAuthentication (`security/v1`, `v1beta1`); the label `istio-injection`.

use super::model::{Model, put_named};
use super::node::Node;
use super::object::Object;
use super::translate::Kind::{Tables, TablesByKey, Text, Texts};
use super::translate::{Field, field, put, table};
use toml::Value;

/// Istio's root namespace: policies there are for the whole mesh.
const ROOT_NAMESPACE: &str = "istio-system";

const POLICY: &[Field] = &[field("action", "action", Text), field("rules", "rules", Tables(RULE))];
const RULE: &[Field] = &[field("from", "from", Tables(SOURCE)), field("to", "to", Tables(OPERATION))];

const SOURCE: &[Field] = &[
    field("source.principals", "principals", Texts),
    field("source.notPrincipals", "not_principals", Texts),
    field("source.namespaces", "namespaces", Texts),
    field("source.notNamespaces", "not_namespaces", Texts),
];

const OPERATION: &[Field] = &[
    field("operation.methods", "methods", Texts),
    field("operation.notMethods", "not_methods", Texts),
    field("operation.paths", "paths", Texts),
    field("operation.notPaths", "not_paths", Texts),
];

const PEER: &[Field] = &[
    field("mtls.mode", "mtls.mode", Text),
    field("portLevelMtls", "port_level_mtls", TablesByKey(&[field("mode", "mode", Text)])),
];

/// Adds what policies and namespaces say.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.root.fate().is_none()) {
        let (key, fields) = match (object.group.as_str(), object.kind.as_str()) {
            ("security.istio.io", "AuthorizationPolicy") => ("authorization_policies", POLICY),
            ("security.istio.io", "PeerAuthentication") => ("peer_authentications", PEER),
            ("", "Namespace") => {
                namespace(object, model);
                continue;
            }
            _ => continue,
        };
        let empty = Node::new(super::node::Value::Null, 0..0);
        let mut written = table(object.root.child("spec").unwrap_or(&empty), fields);
        if object.namespace() != ROOT_NAMESPACE {
            let has_pods = model.workloads.iter().any(|it| it.object.namespace() == object.namespace());
            if !has_pods {
                object.root.harmless("nothing of these manifests runs in its namespace");
                continue;
            }
            written.insert("namespace".to_owned(), Value::String(object.namespace().to_owned()));
        }
        if let Some(selector) = object.root.get("spec.selector.matchLabels") {
            let namespace = Some(object.namespace()).filter(|it| *it != ROOT_NAMESPACE);
            let found = model.selected(&selector.labels(), namespace);
            if found.is_empty() {
                selector.matters("it selects no pods of these manifests");
                continue;
            }
            let names = found.iter().map(|it| Value::String(model.services[*it].name.clone()));
            written.insert("services".to_owned(), Value::Array(names.collect()));
        }
        put_named(&mut model.others, key, object, written);
    }
}

/// Whether the pods of a namespace get sidecars.
fn namespace(object: &Object, model: &mut Model<'_>) {
    let labels = object.root.get("metadata.labels");
    let Some(injection) = labels.and_then(|it| it.child("istio-injection")) else { return };
    let runs_here = model.workloads.iter().any(|it| it.object.namespace() == object.name);
    match (injection.text(), runs_here) {
        (Some(word @ ("enabled" | "disabled")), true) => {
            let value = Value::Boolean(word == "enabled");
            put(&mut model.others, &format!("namespaces.{}.injection", object.name), value);
        }
        (_, false) => injection.harmless("nothing of these manifests runs in it"),
        (_, true) => injection.wrong("istio-injection is enabled or disabled", "write enabled"),
    }
}
