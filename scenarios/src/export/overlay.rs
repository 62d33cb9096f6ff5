//! What manifests cannot say: the tables of a scenario that an import of them does not come to, each with the reason.

use crate::import::manifests::write;
use meshsim_core::SimDuration;
use meshsim_models::units::{Bytes, Cores, PerSecond};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Why no manifest says what stands at a path; `*` is any key.
const REASONS: [(&str, &str); 42] = [
    ("name", "a name for people"),
    ("description", "a text for people"),
    ("run", "how long and how often it is simulated"),
    ("sweep", "what is varied"),
    ("calibration", "what a calibration left open"),
    ("objective", "what users are to get"),
    ("federation", "what joins clusters is installed, and no object of the application"),
    ("liqo", "Liqo's installation"),
    ("east_west_gateway", "Istio's installation"),
    ("applications", "whose services are whose is a matter of namespaces, which say nothing of tenants"),
    ("cell", "what work costs"),
    ("hosts", "machines that nodes share"),
    ("clusters.*.nodes", "machines: `kubectl get nodes -o yaml` prints them"),
    ("clusters.*.region", "a label of its nodes"),
    ("clusters.*.zone", "a label of its nodes"),
    ("clusters.*.subzone", "a label of its nodes"),
    ("clusters.*.labels", "labels of a cluster, which an API server does not keep"),
    ("clusters.*.names", "what exported metrics call its objects"),
    ("clusters.*.weights", "pods have no weights"),
    ("clusters.*.hpa.*.metrics", "a metric that is none of Kubernetes"),
    ("clusters.*.hpa", "autoscalers of Deployments that come later"),
    ("clusters.*", "the network inside a cluster"),
    ("links", "the network between clusters"),
    ("users", "who requests what"),
    ("gateway", "Istio's installation"),
    ("mesh", "Istio's installation and what proxies cost"),
    ("istiod", "Istio's installation"),
    ("observability", "where Prometheus stands"),
    ("offloading", "a controller that moves services"),
    ("kubernetes", "the release"),
    ("controller_manager", "flags of the control plane"),
    ("metrics_server", "flags of metrics-server"),
    ("pods", "how long nodes take to pull and to start"),
    ("faults", "what goes wrong"),
    ("changes", "what somebody changes later"),
    ("services.*.pods.application_start", "how long applications take to start"),
    ("services.*.labels", "labels that no subset goes by"),
    ("services.*.routes", "a route to the pods of one cluster"),
    ("services.*", "what a service does and costs"),
    ("namespaces", "a namespace without a mesh"),
    ("peerings.*.slice", "an amount that no quantity of Kubernetes says"),
    ("peerings", "peerings where Liqo does not join the clusters"),
];

/// Why no manifest says what stands at a path; nothing if one should.
#[must_use]
pub fn reason(path: &str) -> Option<&'static str> {
    /// Keys of a service that manifests say.
    const SAID: [&str; 13] = [
        "protocol",
        "traffic_distribution",
        "traffic_policy",
        "waypoint",
        "subsets",
        "namespace",
        "sidecar",
        "version_of",
        "resources",
        "node_selector",
        "tolerations",
        "rolling_update",
        "external",
    ];
    /// Keys of all pods that manifests say, where they are whole seconds.
    const OF_PODS: [&str; 5] = [
        "termination_grace_period",
        "pre_stop",
        "readiness_probe",
        "sidecar_drain",
        "hold_application_until_proxy_starts",
    ];
    /// Keys of a cluster that manifests say.
    const OF_CLUSTER: [&str; 2] = ["services", "replicas"];
    let parts: Vec<&str> = path.split('.').collect();
    let fits = |pattern: &str| {
        let mut parts = parts.iter();
        pattern.split('.').all(|it| parts.next().is_some_and(|part| it == "*" || it == *part))
    };
    let (_, why) = REASONS.iter().find(|(pattern, _)| fits(pattern))?;
    let is_said = match parts.as_slice() {
        ["services", _, "pods", key, ..] | ["pods", key, ..] => OF_PODS.contains(key),
        ["services", _, key, ..] => SAID.contains(key),
        ["clusters", _, key, ..] => OF_CLUSTER.contains(key),
        ["mesh", "sidecar", key, ..] => matches!(*key, "requests" | "concurrency"),
        ["mesh", key, ..] => *key == "traffic_policy",
        ["liqo", "offloading", key, ..] => *key != "services",
        _ => false,
    };
    (!is_said).then_some(why)
}

/// The overlay as a text: what `whole` says and `again`, the same imported, does not.
pub(super) fn text(again: &Table, whole: &Table) -> String {
    let mut overlay = difference(again, whole);
    // Of a service that stands here the import assumes nothing.
    if let Some(Value::Table(services)) = whole.get("services") {
        let all = overlay.entry("services").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(all) = all {
            for name in services.keys() {
                all.entry(name).or_insert_with(|| Value::Table(Table::new()));
            }
        }
    }
    let mut comments = BTreeMap::new();
    for (key, value) in &overlay {
        // Of a cluster every key has a reason of its own.
        let inner = value.as_table().filter(|_| key == "clusters").into_iter().flatten();
        for (name, cluster) in inner {
            for inner in cluster.as_table().into_iter().flat_map(Table::keys) {
                let path = format!("{key}.{name}.{inner}");
                comments.extend(reason(&path).map(|why| (path, why.to_owned())));
            }
        }
        comments.extend(reason(key).map(|why| (key.clone(), why.to_owned())));
    }
    let head = "# What the manifests beside it cannot say, each with the reason: `meshsim import ... --overlay` takes it up.\n";
    write::scenario(head, &overlay, &comments)
}

/// What has to be merged over `base` to have all that `whole` has.
fn difference(base: &Table, whole: &Table) -> Table {
    let mut all = Table::new();
    for (key, value) in whole {
        let change = match (base.get(key), value) {
            (Some(old), new) if same(old, new) => None,
            (Some(Value::Table(old)), Value::Table(new)) => {
                let inner = difference(old, new);
                (!inner.is_empty()).then_some(Value::Table(inner))
            }
            (_, new) => Some(new.clone()),
        };
        all.extend(change.map(|change| (key.clone(), change)));
    }
    all
}

/// Whether two values mean the same, however they are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Table(a), Value::Table(b)) => {
            a.len() == b.len() && a.iter().all(|(key, it)| b.get(key).is_some_and(|other| same(it, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::String(a), Value::String(b)) => {
            a == b
                || equal::<SimDuration>(a, b)
                || equal::<Cores>(a, b)
                || equal::<Bytes>(a, b)
                || equal::<PerSecond>(a, b)
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

fn equal<T: std::str::FromStr + PartialEq>(a: &str, b: &str) -> bool {
    matches!((a.parse::<T>(), b.parse::<T>()), (Ok(a), Ok(b)) if a == b)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_is_missing_or_means_something_else() {
        let table = |text: &str| -> Table { text.parse().unwrap() };
        let base = table("a = { b = \"60s\", c = 1 }\nd = [\"1000m\"]\ne = 1");
        let whole = table("a = { b = \"1min\", c = 1.0, f = 2 }\nd = [\"1\"]\ne = 2");
        assert_eq!(difference(&base, &whole), table("a = { f = 2 }\ne = 2"));
    }

    #[test]
    fn every_path_that_manifests_say_has_no_reason() {
        assert_eq!(reason("services.a.traffic_policy.outlier_detection"), None);
        assert_eq!(reason("clusters.edge1.replicas.a"), None);
        assert_eq!(reason("hpa.max_replicas"), None);
        assert_eq!(reason("services.a.endpoints.b"), Some("what a service does and costs"));
        assert_eq!(reason("clusters.edge1.nodes"), Some("machines: `kubectl get nodes -o yaml` prints them"));
    }
}
