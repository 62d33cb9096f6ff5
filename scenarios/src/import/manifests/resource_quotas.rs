//! ResourceQuotas: what the pods of a namespace may request together.
//!
//! # Models
//! A scenario has none. One that all pods of its namespace fit into, as many as autoscalers may make, changes nothing; another
//! one is refused unless it is allowed.
//!
//! # Source
//! Kubernetes, ResourceQuota v1 core.

use super::model::{Model, Workload};
use super::node::Node;
use super::object::Object;
use super::translate::{bytes, find};
use meshsim_models::units::{Bytes, Cores};
use toml::Value;

/// Looks at the quotas; workloads and their autoscalers are known.
pub(super) fn judge(objects: &[Object], model: &Model<'_>) {
    for object in objects.iter().filter(|it| it.is("", "ResourceQuota") && it.root.fate().is_none()) {
        let own = model.workloads.iter().filter(|it| it.object.namespace() == object.namespace());
        let own = own.filter(|it| object.cluster.as_ref().is_none_or(|name| *name == it.cluster));
        let own: Vec<&Workload<'_>> = own.collect();
        for key in ["scopes", "scopeSelector"] {
            let scope = object.root.get("spec").and_then(|it| it.child(key));
            scope.into_iter().for_each(|it| it.matters("of which pods a quota holds is not looked into"));
        }
        for (key, node) in object.root.get("spec.hard").map(Node::entries).unwrap_or_default() {
            hard(key, node, &own);
        }
    }
}

fn hard(key: &str, node: &Node, own: &[&Workload<'_>]) {
    let sum = |path: &str, parse: fn(&str) -> Option<f64>| -> f64 {
        own.iter().map(|it| pods(it) * said(it, path).and_then(parse).unwrap_or(0.0)).sum()
    };
    let cores = |text: &str| text.parse::<Cores>().ok().map(|it| it.0);
    let size = |text: &str| text.parse::<Bytes>().ok().map(|it| it.0);
    let limit = |node: &Node| node.parsed("size, as in 8Gi", bytes).and_then(|it| it.parse::<Bytes>().ok());
    let (most, needed) = match key {
        "cpu" | "requests.cpu" => {
            (node.cores().and_then(|it| cores(&it)), sum("resources.requests.cpu", cores))
        }
        "limits.cpu" => (node.cores().and_then(|it| cores(&it)), sum("resources.limits.cpu", cores)),
        "memory" | "requests.memory" => (limit(node).map(|it| it.0), sum("resources.requests.memory", size)),
        "pods" => (node.whole().map(f64::from), own.iter().map(|it| pods(it)).sum()),
        "limits.memory" => {
            node.harmless("no pod of a scenario takes more memory than it requests");
            return;
        }
        _ => {
            node.harmless("it counts what is no pod");
            return;
        }
    };
    let Some(most) = most else { return };
    match needed <= most {
        true => node.harmless("all pods that its workloads and autoscalers may make fit into it"),
        false => node.matters(format!(
            "its workloads and autoscalers may ask for {needed}, and pods beyond the quota would be refused"
        )),
    }
}

/// What a workload says at a path.
fn said<'m>(workload: &'m Workload<'_>, path: &str) -> Option<&'m str> {
    workload.says.iter().find(|it| it.key == path).and_then(|it| it.value.as_str())
}

/// As many as there may be.
fn pods(workload: &Workload<'_>) -> f64 {
    let most = workload.hpa.as_ref().and_then(|it| find(it, "max_replicas")).and_then(Value::as_integer);
    most.map_or(f64::from(workload.replicas), |most| most.max(i64::from(workload.replicas)) as f64)
}
