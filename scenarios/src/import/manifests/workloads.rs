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
use super::overlay::Overlay;
use super::pod_life::pods;
use super::services::name_in;
use super::translate::{Kind, bytes, value};
use crate::problem::clip;
use meshsim_models::liqo::virtual_node::{TYPE_LABEL, VIRTUAL_NODE};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// The label by which a cluster is told from others where one API server has the pods of several.
pub(crate) const CLUSTER_LABEL: &str = "topology.kubernetes.io/zone";

/// Where a pod says on which nodes it must run.
const REQUIRED_NODES: &str =
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

/// The container that Istio adds.
const SIDECAR: &str = "istio-proxy";

/// Whether an object is a workload.
pub(super) fn is_workload(object: &Object) -> bool {
    matches!(object.group.as_str(), "apps" | "extensions")
        && matches!(object.kind.as_str(), "Deployment" | "StatefulSet")
}

/// What is known of clusters.
pub(super) struct Around<'o> {
    /// The cluster of which alone something is said.
    pub(super) only: Option<&'o str>,
    pub(super) overlay: &'o Overlay,
}

/// Adds the workloads of all objects.
pub(super) fn collect<'a>(objects: &'a [Object], around: &Around<'_>, model: &mut Model<'a>) {
    let mut fronts = Fronts::of(&model.services);
    let mut nowhere = Vec::new();
    for object in objects.iter().filter(|it| is_workload(it) && it.root.fate().is_none()) {
        let Some(pod) = object.root.get("spec.template.spec") else {
            object.root.wrong(format!("a {} without pods", object.kind), "write spec.template.spec");
            continue;
        };
        let labels = object.root.get("spec.template.metadata.labels").map(Node::labels).unwrap_or_default();
        let mut says = Vec::new();
        let Some((cluster, is_offloaded)) = cluster(object, pod, around, &mut says) else {
            nowhere.push(object);
            continue;
        };
        let keeps_home = keeps_home(pod);
        keeps_home.into_iter().for_each(Node::used);
        let Some(replicas) = object.root.get("spec.replicas").map_or(Some(1), Node::whole) else { continue };
        container(pod, &mut says);
        tolerations(pod, &mut says);
        rolling_update(object, &mut says);
        sidecar(object, &mut says);
        let pods = pods(object, pod, around.overlay);
        let service = fronts.service_of(object, &labels, model);
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
            is_offloaded,
            keeps_home,
        });
    }
    run_nowhere(&nowhere);
    name_versions(model);
    model.index_hosts();
    let with_pods: BTreeSet<usize> = model.workloads.iter().map(|it| it.service).collect();
    for (index, it) in model.services.iter().enumerate().filter(|(_, it)| !it.is_external()) {
        if let Some(object) = it.object.filter(|_| !with_pods.contains(&index)) {
            object.root.matters("no Deployment and no StatefulSet of these manifests stands behind it");
        }
    }
}

/// Services by what they select, for a directory may have 50,000 objects.
struct Fronts {
    /// By their namespace and the first label of their selector.
    by_label: BTreeMap<(String, String, String), Vec<usize>>,
    names: BTreeSet<String>,
}

impl Fronts {
    fn of(services: &[Service<'_>]) -> Self {
        let mut by_label: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, it) in services.iter().enumerate() {
            if let Some((key, value)) = it.selector.first() {
                let label = (it.namespace().to_owned(), key.clone(), value.clone());
                by_label.entry(label).or_default().push(index);
            }
        }
        Self { by_label, names: services.iter().map(|it| it.name.clone()).collect() }
    }

    /// The service of a workload, which is made if it has none.
    fn service_of<'a>(
        &mut self,
        object: &'a Object,
        labels: &[(String, String)],
        model: &mut Model<'a>,
    ) -> usize {
        let mut behind = BTreeSet::new();
        for (key, value) in labels {
            let label = (object.namespace().to_owned(), key.clone(), value.clone());
            behind.extend(self.by_label.get(&label).into_iter().flatten().copied());
        }
        behind.retain(|it| {
            let selector = &model.services[*it].selector;
            !selector.is_empty() && selector.iter().all(|label| labels.contains(label))
        });
        let mut behind = behind.into_iter();
        if let Some(first) = behind.next() {
            behind.for_each(|other| join(first, other, model));
            return first;
        }
        model.services.push(Service {
            name: name_in(&mut self.names, object),
            hosts: vec![(object.name.clone(), object.namespace().to_owned())],
            selector: Vec::new(),
            object: None,
            has_namespace: object.namespace.is_some(),
            table: Table::new(),
        });
        model.services.len() - 1
    }
}

/// Two Services in front of the same pods are one, by the name of the first.
fn join(first: usize, other: usize, model: &mut Model<'_>) {
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

/// Where it runs, and whether its pods may run elsewhere, too; labels of nodes that are no cluster's become its service's.
fn cluster<'a>(
    object: &Object,
    pod: &'a Node,
    around: &Around<'_>,
    says: &mut Vec<Says<'a>>,
) -> Option<(String, bool)> {
    let mut asked: Vec<(String, Vec<String>, &'a Node)> = Vec::new();
    let selector = pod.child("nodeSelector").map(Node::entries).unwrap_or_default();
    for (key, node) in selector {
        asked.extend(node.text().map(|text| (key.to_string(), vec![text.to_owned()], node)));
    }
    match pod.get(REQUIRED_NODES).map(Node::items) {
        Some([term]) => asked.extend(expressions(term)),
        Some([_, second, ..]) => second.matters("one of several terms is not simulated"),
        Some([]) | None => {}
    }
    let mut named = object.cluster.clone();
    let (mut labels, mut first, mut is_offloaded) = (Table::new(), None, false);
    for (key, values, node) in asked {
        let clusters = (key == CLUSTER_LABEL).then(|| around.overlay.clusters_of(&values)).flatten();
        let mut consumers = around.overlay.consumers().map(str::to_owned).chain(named.clone());
        let found = match clusters.as_ref().and_then(BTreeSet::first) {
            Some(one) if clusters.as_ref().is_some_and(|it| it.len() == 1) => Some(one.clone()),
            // Zones of a consumer and of its providers: its scheduler may choose.
            _ => consumers
                .find(|it| clusters.as_ref().is_some_and(|all| all.contains(it)))
                .inspect(|_| is_offloaded = true),
        };
        match found {
            Some(found) if named.as_ref().is_none_or(|it| *it == found) => named = Some(found),
            _ => {
                labels.insert(key, Value::Array(values.into_iter().map(Value::String).collect()));
                first = first.or(Some(node));
            }
        }
    }
    if first.is_some() {
        says.push(Says { key: "node_selector".to_owned(), value: Value::Table(labels), node: first });
    }
    named.or_else(|| around.only.map(str::to_owned)).map(|it| (it, is_offloaded))
}

/// What keeps its pods from the nodes that stand for other clusters, if something does.
fn keeps_home(pod: &Node) -> Option<&Node> {
    let [term] = pod.get(REQUIRED_NODES)?.items() else { return None };
    term.child("matchExpressions")?.items().iter().find(|it| {
        let is = |key: &str, text: &str| it.child(key).is_some_and(|it| it.is(text));
        let names = |node: &Node| node.items().iter().any(|it| it.is(VIRTUAL_NODE));
        let is_none = is("operator", "NotIn") && it.child("values").is_some_and(names);
        is("key", TYPE_LABEL) && (is_none || is("operator", "DoesNotExist"))
    })
}

/// Says once of all workloads of which nothing says in which cluster they run.
fn run_nowhere(all: &[&Object]) {
    const NAMED: usize = 5;
    let Some(first) = all.first() else { return };
    let who = match all.len() {
        1 => format!("{} does not say in which cluster it runs", first.title()),
        count => {
            let names: Vec<&str> = all.iter().take(NAMED).map(|it| it.name.as_str()).collect();
            let more = if count > NAMED { ", ..." } else { "" };
            format!("{count} workloads do not say in which cluster they run: {}{more}", names.join(", "))
        }
    };
    let help = format!(
        "name the cluster of a file or a directory, as in --cluster cloud=PATH, or require a node's {CLUSTER_LABEL}"
    );
    first.root.wrong(who, help);
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

/// A version of a service: the labels that tell it, its name, and the clusters that it is in.
type Version = (Vec<(String, String)>, String, BTreeSet<String>);

/// Names workloads: those of a service with the labels of the first are it, others are versions.
fn name_versions(model: &mut Model<'_>) {
    let mut taken: BTreeSet<String> = model.services.iter().map(|it| it.name.clone()).collect();
    let mut versions: Vec<Vec<Version>> = vec![Vec::new(); model.services.len()];
    let keys: Vec<BTreeSet<String>> = model.services.iter().map(|it| subset_labels(&it.table)).collect();
    // By service, so that numbers in names do not depend on the order of others' files; first who is called as it is.
    let mut order: Vec<usize> = (0..model.workloads.len()).collect();
    order.sort_by_key(|it| {
        let workload = &model.workloads[*it];
        (workload.service, own_name(workload) != model.services[workload.service].name)
    });
    for index in order {
        let workload = &mut model.workloads[index];
        let keys = &keys[workload.service];
        let labels: Vec<(String, String)> =
            workload.labels.iter().filter(|(key, _)| keys.contains(key)).cloned().collect();
        let versions = &mut versions[workload.service];
        let same = versions
            .iter_mut()
            .find(|(known, _, clusters)| *known == labels && !clusters.contains(&workload.cluster));
        if let Some((_, name, clusters)) = same {
            workload.name.clone_from(name);
            clusters.insert(workload.cluster.clone());
            continue;
        }
        let own = own_name(workload);
        let name = match versions.is_empty() {
            true => model.services[workload.service].name.clone(),
            false => match taken.contains(own) {
                true => format!("{}-{}", workload.object.name, versions.len() + 1),
                false => own.replace('.', "-"),
            },
        };
        taken.insert(name.clone());
        workload.name.clone_from(&name);
        versions.push((labels, name, BTreeSet::from([workload.cluster.clone()])));
    }
}

/// What a workload is called but for its cluster, after which a Deployment per cluster is often called, too.
fn own_name<'a>(workload: &Workload<'a>) -> &'a str {
    let name = workload.object.name.as_str();
    name.strip_suffix(workload.cluster.as_str()).and_then(|it| it.strip_suffix('-')).unwrap_or(name)
}

/// The labels by which the subsets of a service tell pods apart.
pub(super) fn subset_labels(table: &Table) -> BTreeSet<String> {
    let subsets = table.get("subsets").and_then(Value::as_table);
    let labels = subsets.into_iter().flat_map(|it| it.values()).filter_map(|it| it.get("labels")?.as_table());
    labels.flat_map(|it| it.keys().cloned()).collect()
}
