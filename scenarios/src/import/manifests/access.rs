//! AuthorizationPolicies, PeerAuthentications and namespaces: who may call whom, and who has a sidecar.
//!
//! # Source
//! Istio, AuthorizationPolicy and PeerAuthentication (`security/v1`, `v1beta1`); the label `istio-injection`.

use super::model::{Model, put_named};
use super::node::Node;
use super::object::Object;
use super::translate::Kind::{Tables, TablesByKey, Text, Texts};
use super::translate::{Field, field, put, table};
use std::collections::BTreeSet;
use toml::Value;

/// Istio's root namespace: policies there are for the whole mesh.
pub(crate) const ROOT_NAMESPACE: &str = "istio-system";

pub(crate) const POLICY: &[Field] = &[field("action", "action", Text), field("rules", "rules", Tables(RULE))];
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

pub(crate) const PEER: &[Field] = &[
    field("mtls.mode", "mtls.mode", Text),
    field("portLevelMtls", "port_level_mtls", TablesByKey(&[field("mode", "mode", Text)])),
];

/// The label that makes a namespace ambient.
const AMBIENT: &str = "istio.io/dataplane-mode";

/// Whether all namespaces in which something runs are ambient.
pub(super) fn is_ambient(objects: &[Object], model: &Model<'_>) -> bool {
    let label = |it: &Object| {
        let label = it.root.get("metadata.labels").and_then(|it| it.child(AMBIENT));
        label.is_some_and(|it| it.is("ambient"))
    };
    let ambient: BTreeSet<&str> =
        objects.iter().filter(|it| it.is("", "Namespace") && label(it)).map(|it| it.name.as_str()).collect();
    !ambient.is_empty() && model.workloads.iter().all(|it| ambient.contains(it.object.namespace()))
}

/// Adds what policies and namespaces say.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    let inhabited: BTreeSet<String> =
        model.workloads.iter().map(|it| it.object.namespace().to_owned()).collect();
    let (by_label, is_ambient) = (model.by_label(), is_ambient(objects, model));
    for object in objects.iter().filter(|it| it.root.fate().is_none()) {
        let (key, fields) = match (object.group.as_str(), object.kind.as_str()) {
            ("security.istio.io", "AuthorizationPolicy") => ("authorization_policies", POLICY),
            ("security.istio.io", "PeerAuthentication") => ("peer_authentications", PEER),
            ("", "Namespace") => {
                namespace(object, inhabited.contains(&object.name), is_ambient, model);
                continue;
            }
            _ => continue,
        };
        let empty = Node::new(super::node::Value::Null, 0..0);
        let mut written = table(object.root.child("spec").unwrap_or(&empty), fields);
        if object.namespace() != ROOT_NAMESPACE {
            if !inhabited.contains(object.namespace()) {
                object.root.harmless("nothing of these manifests runs in its namespace");
                continue;
            }
            written.insert("namespace".to_owned(), Value::String(object.namespace().to_owned()));
        }
        if let Some(selector) = object.root.get("spec.selector.matchLabels") {
            let namespace = Some(object.namespace()).filter(|it| *it != ROOT_NAMESPACE);
            let found = model.selected(&by_label, &selector.labels(), namespace);
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
fn namespace(object: &Object, runs_here: bool, is_ambient: bool, model: &mut Model<'_>) {
    let labels = object.root.get("metadata.labels");
    if let Some(mode) = labels.and_then(|it| it.child(AMBIENT)) {
        match mode.text() {
            Some("ambient") if !is_ambient && runs_here => {
                mode.matters("a mesh has one data plane: some namespaces are ambient and others are not");
            }
            Some("ambient" | "none") => {}
            _ => mode.wrong(format!("{AMBIENT} is ambient or none"), "write ambient"),
        }
    }
    let Some(injection) = labels.and_then(|it| it.child("istio-injection")) else { return };
    match (injection.text(), runs_here) {
        (Some(word @ ("enabled" | "disabled")), true) => {
            let value = Value::Boolean(word == "enabled");
            put(&mut model.others, &format!("namespaces.{}.injection", object.name), value);
        }
        (_, false) => injection.harmless("nothing of these manifests runs in it"),
        (_, true) => injection.wrong("istio-injection is enabled or disabled", "write enabled"),
    }
}
