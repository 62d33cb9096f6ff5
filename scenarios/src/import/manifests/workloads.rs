//! Deployments and StatefulSets: what runs, where, and how many of it.
//!
//! # Models
//! A workload belongs to the Service of its namespace whose selector its pods' labels fulfil; one without is a service of
//! its own name. It runs in the cluster whose files it was in (`--cluster`), or in that which a required node affinity or a
//! node selector on `topology.kubernetes.io/zone` names, as FLUIDOS-MESH's manifests do.
//!
//! # Source
//! Kubernetes, Deployment and StatefulSet (`apps/v1`), Container v1 core; defaults: one replica, a grace period of 30 s,
//! probes every 10 s, a hundredth of which nothing is said here: what is left out stays as the scenario has it.

use super::model::{Model, Says, Service, Workload};
use super::node::Node;
use super::object::Object;
use super::services::name_in;
use super::translate::{Kind, value};
use crate::problem::clip;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// The label by which a cluster is told from others where one API server has the pods of several.
pub(super) const CLUSTER_LABEL: &str = "topology.kubernetes.io/zone";

/// The container that Istio adds.
const SIDECAR: &str = "istio-proxy";

/// Whether an object is a workload.
pub(super) fn is_workload(object: &Object) -> bool {
    matches!(object.group.as_str(), "apps" | "extensions")
        && matches!(object.kind.as_str(), "Deployment" | "StatefulSet")
}

/// Adds the workloads of all objects; `only` is the cluster of which alone something is said.
pub(super) fn collect<'a>(objects: &'a [Object], only: Option<&str>, model: &mut Model<'a>) {
    for object in objects.iter().filter(|it| is_workload(it) && it.root.fate().is_none()) {
        let Some(pod) = object.root.get("spec.template.spec") else {
            object.root.wrong(format!("a {} without pods", object.kind), "write spec.template.spec");
            continue;
        };
        let labels = object.root.get("spec.template.metadata.labels").map(Node::labels).unwrap_or_default();
        let mut says = Vec::new();
        let Some(cluster) = cluster(object, pod, only, &mut says) else { continue };
        let Some(replicas) = object.root.get("spec.replicas").map_or(Some(1), Node::whole) else { continue };
        container(pod, &mut says);
        tolerations(pod, &mut says);
        rolling_update(object, &mut says);
        sidecar(object, &mut says);
        let pods = pods(pod);
        let service = service_of(object, &labels, model);
        let name = String::new();
        model.workloads.push(Workload {
            object,
            service,
            cluster,
            name,
            labels,
            replicas,
            says,
            pods,
            hpa: None,
        });
    }
    name_versions(model);
    for (index, it) in model.services.iter().enumerate() {
        let has_pods = model.workloads.iter().any(|other| other.service == index);
        if let Some(object) = it.object.filter(|_| !has_pods) {
            object.root.matters("no Deployment and no StatefulSet of these manifests stands behind it");
        }
    }
}

/// The service of a workload, which is made if it has none.
fn service_of<'a>(object: &'a Object, labels: &[(String, String)], model: &mut Model<'a>) -> usize {
    let all = model.services.iter().enumerate();
    let behind = all.filter(|(_, it)| {
        it.namespace() == object.namespace()
            && !it.selector.is_empty()
            && it.selector.iter().all(|label| labels.contains(label))
    });
    let mut behind = behind.map(|(index, _)| index);
    if let Some(first) = behind.next() {
        let others: Vec<usize> = behind.collect();
        for other in others {
            let title = model.services[first].name.clone();
            let further = &mut model.services[other];
            if let Some(object) = further.object.take() {
                object.root.harmless(format!("its pods are those of `{title}`, by which they are called"));
            }
            further.selector.clear();
            // Nobody finds it under a name any more: it is the other one.
            let hosts = std::mem::replace(&mut further.hosts, vec![(String::new(), String::new())]);
            let table = std::mem::take(&mut further.table);
            let service = &mut model.services[first];
            service.hosts.extend(hosts);
            for (key, value) in table {
                service.table.entry(key).or_insert(value);
            }
        }
        return first;
    }
    model.services.push(Service {
        name: name_in(&model.services, object),
        hosts: vec![(object.name.clone(), object.namespace().to_owned())],
        selector: Vec::new(),
        object: None,
        has_namespace: object.namespace.is_some(),
        table: Table::new(),
    });
    model.services.len() - 1
}

/// Where it runs; labels of nodes that are no cluster's become its service's.
fn cluster<'a>(
    object: &Object,
    pod: &'a Node,
    only: Option<&str>,
    says: &mut Vec<Says<'a>>,
) -> Option<String> {
    let mut asked: Vec<(String, Vec<String>, &'a Node)> = Vec::new();
    let selector = pod.child("nodeSelector").map(Node::entries).unwrap_or_default();
    for (key, node) in selector {
        asked.extend(node.text().map(|text| (key.to_string(), vec![text.to_owned()], node)));
    }
    let terms =
        pod.get("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    match terms.map(Node::items) {
        Some([term]) => asked.extend(expressions(term)),
        Some([_, second, ..]) => second.matters("one of several terms is not simulated"),
        Some([]) | None => {}
    }
    let mut named = object.cluster.clone();
    let (mut labels, mut first) = (Table::new(), None);
    for (key, values, node) in asked {
        let is_cluster = key == CLUSTER_LABEL && values.len() == 1;
        if is_cluster && named.as_ref().is_none_or(|it| *it == values[0]) {
            named = values.into_iter().next();
        } else {
            labels.insert(key, Value::Array(values.into_iter().map(Value::String).collect()));
            first = first.or(Some(node));
        }
    }
    if first.is_some() {
        says.push(Says { key: "node_selector".to_owned(), value: Value::Table(labels), node: first });
    }
    let named = named.or_else(|| only.map(str::to_owned));
    if named.is_none() {
        object.root.wrong(
            format!("{} does not say in which cluster it runs", object.title()),
            format!(
                "name the cluster of its files, --cluster NAME=PATH, or require a node's {CLUSTER_LABEL}"
            ),
        );
    }
    named
}

/// Labels that a term asks for, each with its values.
pub(super) fn expressions(term: &Node) -> Vec<(String, Vec<String>, &Node)> {
    let mut asked = Vec::new();
    for it in term.child("matchExpressions").map(Node::items).unwrap_or_default() {
        let key = it.child("key").and_then(Node::text);
        match (key, it.child("operator").and_then(Node::text), it.child("values")) {
            (Some(key), Some("In"), Some(values)) => {
                let values = values.items().iter().filter_map(Node::text).map(str::to_owned);
                asked.push((key.to_owned(), values.collect(), it));
            }
            (_, operator, _) => it.matters(format!(
                "of a node's labels `In` alone is simulated, not `{}`",
                clip(operator.unwrap_or_default())
            )),
        }
    }
    asked
}

/// What its application's container requests and may use.
fn container<'a>(pod: &'a Node, says: &mut Vec<Says<'a>>) {
    let listed = pod.child("containers").map(Node::items).unwrap_or_default();
    let is_sidecar = |it: &&Node| it.child("name").and_then(Node::text) == Some(SIDECAR);
    for (index, it) in listed.iter().filter(|it| !is_sidecar(it)).enumerate() {
        if index > 0 {
            it.matters(
                "a pod has one container beside its sidecar: what a further one does and takes is missing",
            );
            continue;
        }
        let amounts = [("requests.cpu", true), ("requests.memory", false), ("limits.cpu", true)];
        for (key, is_cpu) in amounts {
            let Some(node) = it.get(&format!("resources.{key}")) else { continue };
            let amount = match is_cpu {
                true => node.cores(),
                false => node.parsed("size, as in 512Mi", bytes),
            };
            let value = amount.map(Value::String);
            says.extend(value.map(|value| Says { key: format!("resources.{key}"), value, node: Some(node) }));
        }
    }
}

/// A quantity of Kubernetes in bytes, as the scenario writes it.
pub(super) fn bytes(text: &str) -> Option<String> {
    const SUFFIXES: [(&str, f64); 12] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("", 1.0),
    ];
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
    let amount = number * factor;
    (amount.is_finite() && amount >= 0.0).then(|| match *suffix {
        "Ki" | "Mi" | "Gi" | "k" | "M" | "G" => text.to_owned(),
        _ => format!("{amount}B"),
    })
}

/// Taints that its pods do not mind, as the scenario writes them.
fn tolerations<'a>(pod: &'a Node, says: &mut Vec<Says<'a>>) {
    let Some(listed) = pod.child("tolerations") else { return };
    let mut written = Vec::new();
    for it in listed.items() {
        let word = |key: &str| it.child(key).and_then(Node::text);
        let (key, effect) = (word("key"), word("effect"));
        match (key, word("operator").unwrap_or("Equal"), effect) {
            (Some(key), operator @ ("Equal" | "Exists"), Some(effect))
                if it.child("tolerationSeconds").is_none() =>
            {
                let value = word("value").filter(|_| operator == "Equal");
                let value = value.map_or(String::new(), |value| format!("={value}"));
                written.push(Value::String(format!("{key}{value}:{effect}")));
            }
            _ => it.matters("a toleration has a key and an effect, and holds for ever"),
        }
    }
    let value = Value::Array(written);
    says.push(Says { key: "tolerations".to_owned(), value, node: Some(listed) });
}

/// How new pods take the place of old ones.
fn rolling_update<'a>(object: &'a Object, says: &mut Vec<Says<'a>>) {
    let Some(strategy) = object.root.get("spec.strategy") else { return };
    if let Some(kind) = strategy.child("type")
        && kind.text() != Some("RollingUpdate")
    {
        kind.matters("roll-outs that first delete all pods are not simulated");
    }
    for (yaml, key) in [("maxSurge", "max_surge"), ("maxUnavailable", "max_unavailable")] {
        let Some(node) = strategy.get(&format!("rollingUpdate.{yaml}")) else { continue };
        if let Some(value) = value(node, Kind::CountOrPercent) {
            says.push(Says { key: format!("rolling_update.{key}"), value, node: Some(node) });
        }
    }
}

/// Whether its pods have a sidecar, where they say so themselves.
fn sidecar<'a>(object: &'a Object, says: &mut Vec<Says<'a>>) {
    for map in ["labels", "annotations"] {
        let map = object.root.get(&format!("spec.template.metadata.{map}"));
        let Some(node) = map.and_then(|it| it.child("sidecar.istio.io/inject")) else { continue };
        if let Some(value) = node.flag().map(Value::Boolean) {
            says.push(Says { key: "sidecar".to_owned(), value, node: Some(node) });
            return;
        }
    }
}

/// How its pods come and go, with Kubernetes' defaults.
fn pods(pod: &Node) -> Vec<Says<'_>> {
    let mut all = Vec::new();
    let mut say = |key: &str, value: Value, node| all.push(Says { key: key.to_owned(), value, node });
    let time = |node: &Node| node.seconds().map(|it| Value::String(it.to_string()));
    let grace = pod.child("terminationGracePeriodSeconds");
    let value = grace.map_or(Some(Value::String("30s".to_owned())), time);
    value.into_iter().for_each(|value| say("termination_grace_period", value, grace));
    let application = pod.child("containers").and_then(|it| it.items().first());
    let hook = application.and_then(|it| it.get("lifecycle.preStop"));
    match hook.map(pre_stop) {
        None => say("pre_stop", Value::String("0s".to_owned()), None),
        Some(Some(value)) => say("pre_stop", value, hook),
        Some(None) => {
            if let Some(hook) = hook {
                hook.matters("how long this hook takes is not known: `sleep` is");
            }
        }
    }
    let probe = application.and_then(|it| it.child("readinessProbe"));
    let Some(probe) = probe else {
        say("readiness_probe.enabled", Value::Boolean(false), None);
        return all;
    };
    say("readiness_probe.enabled", Value::Boolean(true), Some(probe));
    for (yaml, key, default) in
        [("initialDelaySeconds", "initial_delay", "0s"), ("periodSeconds", "period", "10s")]
    {
        let node = probe.child(yaml);
        let value = node.map_or(Some(Value::String(default.to_owned())), time);
        value.into_iter().for_each(|value| say(&format!("readiness_probe.{key}"), value, node));
    }
    all
}

/// How long a hook sleeps: `sleep: {seconds: 5}`, or `exec` of `sleep 5`, in a shell or not.
fn pre_stop(hook: &Node) -> Option<Value> {
    if let Some(seconds) = hook.get("sleep.seconds") {
        return seconds.seconds().map(|it| Value::String(it.to_string()));
    }
    let words: Vec<&str> = hook
        .get("exec.command")?
        .items()
        .iter()
        .filter_map(Node::text)
        .flat_map(str::split_whitespace)
        .collect();
    let rest = match words.as_slice() {
        ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c", rest @ ..] => rest,
        all => all,
    };
    match rest {
        ["sleep" | "/bin/sleep", seconds] => {
            let seconds = seconds.strip_suffix('s').unwrap_or(seconds);
            seconds.parse::<u32>().ok().map(|it| Value::String(format!("{it}s")))
        }
        _ => None,
    }
}

/// A version of a service: the labels that tell it, its name, and the clusters that it is in.
type Version = (Vec<(String, String)>, String, BTreeSet<String>);

/// Names workloads: those of a service with the labels of the first are it, others are versions.
fn name_versions(model: &mut Model<'_>) {
    let mut taken: BTreeSet<String> = model.services.iter().map(|it| it.name.clone()).collect();
    for service in 0..model.services.len() {
        let own = model.services[service].name.clone();
        let keys: BTreeSet<String> = subset_labels(&model.services[service].table);
        let mut versions: Vec<Version> = Vec::new();
        for it in model.workloads.iter_mut().filter(|it| it.service == service) {
            let labels: Vec<(String, String)> =
                it.labels.iter().filter(|(key, _)| keys.contains(key)).cloned().collect();
            let same = versions
                .iter_mut()
                .find(|(known, _, clusters)| *known == labels && !clusters.contains(&it.cluster));
            if let Some((_, name, clusters)) = same {
                it.name.clone_from(name);
                clusters.insert(it.cluster.clone());
                continue;
            }
            let name = match versions.is_empty() {
                true => own.clone(),
                false => match taken.contains(&it.object.name) {
                    true => format!("{}-{}", it.object.name, versions.len() + 1),
                    false => it.object.name.clone(),
                },
            };
            taken.insert(name.clone());
            it.name.clone_from(&name);
            versions.push((labels, name, BTreeSet::from([it.cluster.clone()])));
        }
    }
}

/// The labels by which the subsets of a service tell pods apart.
pub(super) fn subset_labels(table: &Table) -> BTreeSet<String> {
    let subsets = table.get("subsets").and_then(Value::as_table);
    let labels = subsets.into_iter().flat_map(|it| it.values()).filter_map(|it| it.get("labels")?.as_table());
    labels.flat_map(|it| it.keys().cloned()).collect()
}
