//! What a file is that is no object of Kubernetes, by its content.

use super::node::{Node, Value};

/// What such objects are of.
pub(super) const GROUP: &str = "mubench";

/// Parameters of a service graph.
pub(super) const GRAPH: &str = "ServiceGraphParameters";
/// Parameters of a work model.
pub(super) const MODEL: &str = "WorkModelParameters";

/// What a file without `kind` is, by its content.
pub(super) fn kind(root: &Node) -> Option<&'static str> {
    let has = |key: &str| root.child(key).is_some();
    match &root.value {
        Value::Map(_) if has("kind") || has("apiVersion") => None,
        Value::Map(_) if has(GRAPH) => Some(GRAPH),
        Value::Map(_) if has(MODEL) => Some(MODEL),
        Value::Map(services) => {
            let any = |key: &str| services.iter().any(|(_, it)| it.child(key).is_some());
            let all = services.iter().all(|(_, it)| it.child("external_services").is_some());
            match (any("internal_service"), all && !services.is_empty()) {
                (true, _) => Some("WorkModel"),
                (false, true) => Some("ServiceGraph"),
                (false, false) => None,
            }
        }
        _ => None,
    }
}
