//! Sidecars and Telemetries of Istio: what proxies are told, and what they count.
//!
//! # Assumptions
//! All proxies are told of all services. Effect: a Sidecar that tells them less, whose proxies take less memory and get fewer
//! pushes, is refused unless it is allowed.
//!
//! # Source
//! Istio, Sidecar (`networking/v1`) and Telemetry (`telemetry/v1`).

use super::access::ROOT_NAMESPACE;
use super::model::Model;
use super::node::Node;
use super::object::Object;
use super::translate::put;
use toml::Value;

/// Adds what they say.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.root.fate().is_none()) {
        let Some(spec) = object.root.child("spec") else { continue };
        if object.is("networking.istio.io", "Sidecar") {
            sidecar(spec);
        } else if object.is("telemetry.istio.io", "Telemetry") {
            telemetry(object, spec, model);
        }
    }
}

fn sidecar(spec: &Node) {
    for it in spec.child("egress").map(Node::items).unwrap_or_default() {
        let hosts = it.child("hosts").map(Node::items).unwrap_or_default();
        let is_all = hosts.iter().any(|it| it.text() == Some("*/*"));
        match is_all {
            true => it.harmless("it is the default"),
            false => it.matters("proxies are told of all services: their memory and pushes are those of all"),
        }
    }
    if let Some(policy) = spec.child("outboundTrafficPolicy") {
        policy.harmless("nobody calls what no rule knows");
    }
    if let Some(selector) = spec.child("workloadSelector") {
        selector.harmless("whose proxies these are; what they say is judged by itself");
    }
}

fn telemetry(object: &Object, spec: &Node, model: &mut Model<'_>) {
    let is_disabled = |it: &Node| it.text() == Some("true");
    let mut off = [false; 2];
    for it in spec.child("metrics").map(Node::items).unwrap_or_default() {
        it.child("providers").into_iter().for_each(|it| it.harmless("who collects is [observability]"));
        it.child("reportingInterval").into_iter().for_each(|it| it.harmless("proxies count at once"));
        for over in it.child("overrides").map(Node::items).unwrap_or_default() {
            over.child("tagOverrides").into_iter().for_each(|it| it.harmless("labels of metrics"));
            let metric = over.get("match.metric").and_then(Node::text);
            over.get("match.mode").into_iter().for_each(Node::used);
            let is_all = metric.is_none_or(|it| it == "ALL_METRICS");
            match over.child("disabled") {
                Some(node) if is_disabled(node) && is_all => off[0] = true,
                Some(node) if is_disabled(node) => node.harmless("all metrics cost as much as some"),
                Some(_) | None => {}
            }
        }
    }
    for it in spec.child("accessLogging").map(Node::items).unwrap_or_default() {
        for key in ["providers", "filter", "match"] {
            it.child(key).into_iter().for_each(|it| it.harmless("what is logged where"));
        }
        off[1] |= it.child("disabled").is_some_and(is_disabled);
    }
    for it in spec.child("tracing").map(Node::items).unwrap_or_default() {
        it.child("providers").into_iter().for_each(|it| it.harmless("who collects spans"));
        it.child("customTags").into_iter().for_each(|it| it.harmless("labels of spans"));
        let is_off = it.child("disableSpanReporting").is_some_and(is_disabled);
        if let Some(share) = it.child("randomSamplingPercentage") {
            match is_off || share.number() == Some(0.0) {
                true => share.harmless("no spans are reported"),
                false => share.matters("what proxies take to report spans is not simulated"),
            }
        }
    }
    let is_of_all = object.namespace() == ROOT_NAMESPACE && spec.child("selector").is_none();
    let selector = spec.get("selector.matchLabels");
    selector
        .into_iter()
        .for_each(|it| it.harmless("whose proxies these are; what they say is judged by itself"));
    match off {
        [true, true] if is_of_all => put(&mut model.others, "mesh.telemetry", Value::Boolean(false)),
        [false, false] => {}
        _ => object.root.matters(
            "a scenario has metrics and logs of all proxies or none, mesh.telemetry: switch off both, in the root namespace",
        ),
    }
}
