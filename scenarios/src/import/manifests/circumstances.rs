//! Fields of workloads on which results hang in some circumstances alone: whether a pod starts during the run, how many pods
//! there are, and what their nodes are.
//!
//! # Models
//! - The pods that a run begins with started long ago. How long init containers, a postStart hook and a startup probe take counts
//!   for further ones alone: where an autoscaler, a provider, a fault or a change makes some.
//! - An application that serves answers its probes at once, as for readiness. So a liveness probe fails while an application
//!   starts, or hangs (`[[faults]]`), and never else.
//! - Pods of a workload start side by side, as those of a Deployment. A StatefulSet starts one after the other unless its policy
//!   is `Parallel`.
//! - Where nothing but a workload's own pods is to be kept apart, and pods stand on the nodes of a cluster in turn, those of a
//!   workload differ by one in number from node to node. Where there is one node, nothing that is only preferred decides.
//!
//! # Assumptions
//! - A container that is too busy to answer for as long as its liveness probe waits goes on. Effect: where services are
//!   overloaded for that long, Kubernetes would start them anew and lose what they have under way.
//!
//! # Source
//! Kubernetes, PodSpec v1 core (defaults: every 10 s, three failures); kubernetes/kubernetes `pkg/kubelet/prober/worker.go`
//! (other probes wait for the startup probe), `pkg/scheduler/framework/plugins/{interpodaffinity, podtopologyspread}`.

use super::model::{Model, Workload};
use super::node::{Node, Value};
use super::options::Options;
use super::overlay::Overlay;
use super::pod_life;
use std::collections::BTreeSet;

const STAYS: &str =
    "no pod of it starts during the run: nothing scales it, and neither a fault nor a change is described";
const ANSWERS: &str =
    "an application that serves answers its probe at once: one that is too busy for that is not started anew";
const NO_ROLL_OUT: &str = "nothing is rolled out unless [[changes]] of a scenario say so";
const SIDE_BY_SIDE: &str = "pods of a workload start side by side";
const ONE_NODE: &str = "its cluster has one node";
const ONE_POD: &str = "it has one pod";
const IN_TURN: &str = "its pods stand on the nodes of its cluster in turn";

/// The label that names a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Says of these fields where no result hangs on them; elsewhere they are refused (`matters`).
pub(super) fn judge(options: &Options, overlay: &Overlay, model: &mut Model<'_>) {
    let tables = ["faults", "changes", "offloading", "hpa", "liqo", "peerings"];
    let others =
        tables.iter().any(|it| overlay.says(it) || model.others.contains_key(*it)) || overlay.autoscales();
    let mut answers = BTreeSet::new();
    for workload in model.workloads.iter().filter(|it| it.object.root.fate().is_none()) {
        let Some(pod) = workload.object.root.get("spec.template.spec") else { continue };
        let starts = others || workload.hpa.is_some() || workload.is_offloaded;
        let application = pod.child("containers").and_then(|it| it.items().first());
        if !starts {
            let fields =
                [pod.child("initContainers"), application.and_then(|it| it.get("lifecycle.postStart"))];
            fields.into_iter().flatten().for_each(|it| it.harmless(STAYS));
        }
        let recreate = workload.object.root.get("spec.strategy.type").filter(|it| it.is("Recreate"));
        let update = workload.object.root.get("spec.updateStrategy");
        let rolled_out = [recreate, update].into_iter().flatten();
        rolled_out.filter(|_| !overlay.says("changes")).for_each(|it| it.harmless(NO_ROLL_OUT));
        order(workload, starts);
        if let Some(probe) = application.and_then(|it| it.child("livenessProbe"))
            && !overlay.says("faults")
            && (!starts
                || application.is_some_and(|it| it.child("startupProbe").is_some())
                || pod_life::outlasts_start(probe, overlay))
        {
            probe.harmless(ANSWERS);
            answers.insert(workload.name.clone());
        }
        let spread =
            Spread { workload, starts, model, nodes: nodes(&workload.cluster, options, overlay, model) };
        spread.judge(pod);
    }
    if !answers.is_empty() {
        let names: Vec<String> = answers.iter().map(|it| format!("`{it}`")).collect();
        let where_not = "a run that warns of growing queues at one of these, or in which requests wait there for longer than its probe does, is one without the probe";
        model.assumed.push(format!("no liveness probe fails: {ANSWERS} ({}); {where_not}", names.join(", ")));
    }
}

/// Whether pods that start wait for each other.
fn order(workload: &Workload<'_>, starts: bool) {
    let root = &workload.object.root;
    if workload.object.kind != "StatefulSet" {
        return;
    }
    match (root.get("spec.podManagementPolicy"), starts) {
        (Some(policy), _) if policy.is("Parallel") => policy.harmless(SIDE_BY_SIDE),
        (Some(policy), false) => policy.harmless(STAYS),
        (None, false) => {}
        (policy, true) => {
            let said = policy.or_else(|| root.child("kind"));
            let why = "its pods start one after the other, which only podManagementPolicy: Parallel ends: here they start side by side";
            said.into_iter().for_each(|it| it.matters(why));
        }
    }
}

/// How many nodes a cluster has, as far as it is said.
fn nodes(cluster: &str, options: &Options, overlay: &Overlay, model: &Model<'_>) -> usize {
    let of_options =
        options.nodes.iter().filter(|it| it.cluster == cluster).map(|it| it.count).sum::<usize>();
    of_options + model.nodes.get(cluster).map_or(0, Vec::len) + overlay.nodes_of(cluster)
}

/// What keeps the pods of a workload together or apart.
struct Spread<'m, 'a> {
    workload: &'m Workload<'a>,
    /// Whether further pods of it may start.
    starts: bool,
    model: &'m Model<'a>,
    nodes: usize,
}

impl Spread<'_, '_> {
    fn judge(&self, pod: &Node) {
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let in_affinity = |kind: &str| pod.child("affinity").and_then(|it| it.child(kind));
        let soft = in_affinity("nodeAffinity").and_then(|it| it.child(preferred));
        soft.filter(|_| self.nodes == 1).into_iter().for_each(|it| it.harmless(ONE_NODE));
        for kind in ["podAffinity", "podAntiAffinity"] {
            let Some(node) = in_affinity(kind) else { continue };
            let is_apart = kind == "podAntiAffinity";
            let soft = listed(node.child(preferred)).map(|it| (it.child("podAffinityTerm"), false));
            let hard = listed(node.child(required)).map(|it| (Some(it), true));
            let terms = soft.chain(hard).map(|(term, is_hard)| self.of_term(term?, is_hard, is_apart));
            say(node, terms);
        }
        if let Some(node) = pod.child("topologySpreadConstraints") {
            say(node, node.items().iter().map(|it| self.of_constraint(it)));
        }
    }

    /// Why a term of another pod's kind decides nothing.
    fn of_term(&self, term: &Node, is_hard: bool, is_apart: bool) -> Option<&'static str> {
        if self.nodes == 1 && !is_hard {
            return Some(ONE_NODE);
        }
        if !is_apart || !self.is_of_own_pods(term) {
            return None;
        }
        let pods = self.workload.replicas as usize;
        match pods {
            0 | 1 if !self.starts => Some(ONE_POD),
            _ => (self.is_in_turn(term) && pods <= self.nodes).then_some(IN_TURN),
        }
    }

    /// Why a constraint decides nothing.
    fn of_constraint(&self, constraint: &Node) -> Option<&'static str> {
        let is_hard = !holds(constraint, "whenUnsatisfiable", "ScheduleAnyway");
        if self.nodes == 1 && !is_hard {
            return Some(ONE_NODE);
        }
        (self.is_of_own_pods(constraint) && self.is_in_turn(constraint)).then_some(IN_TURN)
    }

    /// Whether a selector is met by the workload's pods and by no others.
    fn is_of_own_pods(&self, of: &Node) -> bool {
        let plain = ["namespaces", "namespaceSelector", "matchLabelKeys", "mismatchLabelKeys", "minDomains"];
        let Some(selector) =
            of.child("labelSelector").filter(|_| plain.iter().all(|it| of.child(it).is_none()))
        else {
            return false;
        };
        let namespace = self.workload.object.namespace();
        let is_met = |it: &&Workload<'_>| it.object.namespace() == namespace && selects(selector, &it.labels);
        let met: Vec<_> = self.model.workloads.iter().filter(is_met).collect();
        met.len() == 1 && std::ptr::eq(met[0], self.workload)
    }

    /// Whether it is about nodes, and pods stand on these in turn: nothing in the cluster makes the scheduler decide.
    fn is_in_turn(&self, of: &Node) -> bool {
        let cluster = &self.workload.cluster;
        let here = || self.model.workloads.iter().filter(|it| it.cluster == *cluster);
        let asks = |it: &Workload<'_>| {
            it.hpa.is_some() || it.says.iter().any(|it| ["node_selector", "tolerations"].contains(&&*it.key))
        };
        let has_taints =
            self.model.nodes.get(cluster).into_iter().flatten().any(|it| it.get("taints").is_some());
        holds(of, "topologyKey", HOSTNAME) && !self.starts && !has_taints && !here().any(asks)
    }
}

/// One reason for all of it, if each of its parts has one.
fn say(node: &Node, parts: impl Iterator<Item = Option<&'static str>>) {
    if let Some(whys) = parts.collect::<Option<BTreeSet<_>>>().filter(|it| !it.is_empty()) {
        node.harmless(whys.into_iter().collect::<Vec<_>>().join("; "));
    }
}

fn listed(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    node.map(Node::items).unwrap_or_default().iter()
}

fn holds(of: &Node, key: &str, text: &str) -> bool {
    of.child(key).is_some_and(|it| it.is(text))
}

/// Whether labels meet a selector; one that is not understood is met.
fn selects(selector: &Node, labels: &[(String, String)]) -> bool {
    let has = |key: &str, value: &Node| labels.iter().any(|(own, text)| own == key && value.is(text));
    let map = match selector.child("matchLabels").map(|it| &it.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    let of_map = map.iter().all(|(key, value)| has(key, value));
    let of_expressions = listed(selector.child("matchExpressions")).all(|it| {
        let Some(Value::Scalar(key)) = it.child("key").map(|it| &it.value) else { return true };
        match holds(it, "operator", "In") {
            true => listed(it.child("values")).any(|value| has(key, value)),
            false => true,
        }
    });
    of_map && of_expressions
}
