//! HorizontalPodAutoscalers, versions v1 to v2.
//!
//! # Source
//! Kubernetes, HorizontalPodAutoscaler (`autoscaling/v2`, `autoscaling/v1`, and both betas of v2, gone since 1.26).

use super::model::Model;
use super::node::Node;
use super::object::Object;
use super::translate::Kind::{Number, Seconds, Text, Whole};
use super::translate::{Field, Kind, field, table};
use meshsim_models::units::Cores;
use std::collections::BTreeMap;
use toml::{Table, Value};

pub(crate) const HPA: &[Field] = &[
    field("minReplicas", "min_replicas", Whole),
    field("maxReplicas", "max_replicas", Whole),
    field("behavior.scaleUp", "behavior.scale_up", Kind::Table(RULES)),
    field("behavior.scaleDown", "behavior.scale_down", Kind::Table(RULES)),
];

const RULES: &[Field] = &[
    field("stabilizationWindowSeconds", "stabilization_window", Seconds),
    field("selectPolicy", "select_policy", Text),
    field("tolerance", "tolerance", Number),
];

/// Gives workloads their autoscalers.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    let mut by_name: BTreeMap<(String, String, String), Vec<usize>> = BTreeMap::new();
    for (index, it) in model.workloads.iter().enumerate() {
        let key = [it.object.kind.as_str(), &it.object.name, it.object.namespace()].map(str::to_owned);
        by_name.entry(key.into()).or_default().push(index);
    }
    for object in objects.iter().filter(|it| it.is("autoscaling", "HorizontalPodAutoscaler")) {
        if object.root.fate().is_some() {
            continue;
        }
        let Some((spec, target)) =
            object.root.child("spec").and_then(|it| Some((it, it.child("scaleTargetRef")?)))
        else {
            object.root.wrong("an autoscaler without a target", "write spec.scaleTargetRef");
            continue;
        };
        target.child("apiVersion").into_iter().for_each(Node::used);
        let words = ["kind", "name"].map(|key| target.child(key).and_then(Node::text).unwrap_or_default());
        let [kind, name] = words;
        let mut whole = table(spec, HPA);
        for (yaml, key) in [("scaleUp", "scale_up"), ("scaleDown", "scale_down")] {
            let Some(policies) = spec.get(&format!("behavior.{yaml}.policies")) else { continue };
            let listed = policies.items().iter().filter_map(policy).map(Value::Table).collect();
            super::translate::put(&mut whole, &format!("behavior.{key}.policies"), Value::Array(listed));
        }
        if let Some(percent) = spec.child("targetCPUUtilizationPercentage").and_then(Node::whole) {
            whole.insert("metrics".to_owned(), Value::Array(vec![utilization(percent)]));
        }
        if let Some(metrics) = spec.child("metrics") {
            let listed: Vec<Value> = metrics.items().iter().filter_map(metric).collect();
            // Without any that is simulated, Kubernetes' default would stand in for those that are not.
            match listed.is_empty() {
                true => whole.insert("enabled".to_owned(), Value::Boolean(false)),
                false => whole.insert("metrics".to_owned(), Value::Array(listed)),
            };
        }
        let named = [kind, name, object.namespace()].map(str::to_owned);
        let mut named = by_name.get(&named.into()).into_iter().flatten();
        let found = named.find(|&&it| {
            object.cluster.as_ref().is_none_or(|cluster| *cluster == model.workloads[it].cluster)
        });
        let found = found.map(|&it| &mut model.workloads[it]);
        match found {
            None => target.matters(format!("these manifests have no {kind} {name} for it to scale")),
            Some(workload) if workload.hpa.is_some() => {
                object.root.wrong(
                    format!("{kind} {name} has two autoscalers"),
                    "take one out: they would undo each other's work",
                );
            }
            Some(workload) => workload.hpa = Some(whole),
        }
    }
}

fn policy(node: &Node) -> Option<Table> {
    let (value, period) = (node.child("value")?.whole()?, node.child("periodSeconds")?.seconds()?);
    let key = match node.child("type")?.text()? {
        "Pods" => "pods",
        "Percent" => "percent",
        _ => {
            node.child("type")?.wrong("a policy is of Pods or of Percent", "write type: Pods");
            return None;
        }
    };
    Some(Table::from_iter([
        (key.to_owned(), Value::Integer(i64::from(value))),
        ("period".to_owned(), Value::String(period.to_string())),
    ]))
}

fn utilization(percent: u32) -> Value {
    Value::Table(Table::from_iter([
        ("resource".to_owned(), Value::String("cpu".to_owned())),
        ("utilization".to_owned(), Value::Integer(i64::from(percent))),
    ]))
}

/// A metric that is simulated: CPU of pods, or of one of their containers.
fn metric(node: &Node) -> Option<Value> {
    let kind = node.child("type")?.text()?;
    let source = match kind {
        "Pods" => return of_pods(node),
        "Resource" => node.child("resource")?,
        "ContainerResource" => node.child("containerResource")?,
        _ => {
            node.matters("of metrics, CPU and those of pods are taken over: others hang on what an adapter makes of them");
            return None;
        }
    };
    if source.child("name").and_then(Node::text) != Some("cpu") {
        node.matters("what pods use of memory is not simulated");
        return None;
    }
    let target = source.child("target").unwrap_or(source);
    target.child("type").into_iter().for_each(Node::used);
    let percent = target.child("averageUtilization").or_else(|| source.child("targetAverageUtilization"));
    let amount = target.child("averageValue").or_else(|| source.child("targetAverageValue"));
    let mut metric = match (percent, amount) {
        (Some(percent), None) => utilization(percent.whole()?),
        (None, Some(amount)) => Value::Table(Table::from_iter([
            ("resource".to_owned(), Value::String("cpu".to_owned())),
            ("average_value".to_owned(), Value::String(amount.cores()?)),
        ])),
        _ => {
            node.wrong("a metric has one target", "write averageUtilization or averageValue");
            return None;
        }
    };
    if let (Some(container), Value::Table(table)) = (source.child("container"), &mut metric) {
        let which = if container.text()? == "istio-proxy" { "sidecar" } else { "application" };
        table.insert("container".to_owned(), Value::String(which.to_owned()));
    }
    Some(metric)
}

/// Metrics of pods that a scenario knows, by the names that it has for them.
pub(crate) const OF_PODS: [&str; 3] = ["requests_per_second", "requests_in_flight", LATENCY];

/// In seconds, as Prometheus has it.
const LATENCY: &str = "mean_latency";

/// A metric of pods by another name than these hangs on what an adapter makes of it.
fn of_pods(node: &Node) -> Option<Value> {
    let pods = node.child("pods")?;
    let name = pods.get("metric.name").and_then(Node::text).unwrap_or_default();
    if !OF_PODS.contains(&name) {
        node.matters(format!("of metrics of pods, {} are taken over", OF_PODS.join(", ")));
        return None;
    }
    pods.get("target.type").into_iter().for_each(Node::used);
    let value = pods.get("target.averageValue")?;
    let amount = value.cores()?.parse::<Cores>().ok()?.0;
    let amount = match name {
        LATENCY => Value::String(format!("{}ms", amount * 1e3)),
        "requests_per_second" => Value::String(format!("{amount}/s")),
        _ => Value::Float(amount),
    };
    Some(Value::Table(Table::from_iter([
        ("pods".to_owned(), Value::String(name.to_owned())),
        ("average_value".to_owned(), amount),
    ])))
}
