//! Kubernetes' scheduler.

use crate::read::{flag_at, list, required, set, small, small_at, text, whole, whole_at};
use meshsim_models::kubernetes::scheduler::resources::{
    DEFAULT_RESOURCES, NodeResources, PodRequests, Resource, ResourceList, WeightedResource,
};
use meshsim_models::kubernetes::scheduler::topology_spread::{
    Constraint, ConstraintOrigin, Labels, SpreadNode,
};
use meshsim_models::kubernetes::scheduler::{
    balanced_allocation, least_allocated, topology_spread as spread,
};
use meshsim_models::kubernetes::version::NEWEST;
use serde_json::{Value, json};

/// Pods that a node may have where nobody says.
const ALLOWED_PODS: u64 = 110;

/// Names of extended resources, which the rooms know by number.
#[derive(Default)]
pub(crate) struct Names(Vec<String>);

/// The others.
const RESOURCES: [(&str, Resource); 4] = [
    ("cpu", Resource::CPU),
    ("memory", Resource::MEMORY),
    ("ephemeral-storage", Resource::EPHEMERAL_STORAGE),
    ("pods", Resource::PODS),
];

impl Names {
    pub(crate) fn resource(&mut self, name: &str) -> Resource {
        match RESOURCES.iter().find(|(known, _)| *known == name) {
            Some((_, resource)) => *resource,
            None => Resource::extended(self.0.iter().position(|known| known == name).unwrap_or_else(|| {
                self.0.push(name.to_owned());
                self.0.len() - 1
            })),
        }
    }

    /// All resources that were named.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Resource)> {
        let extended = self.0.iter().enumerate();
        let extended = extended.map(|(n, name)| (name.as_str(), Resource::extended(n)));
        RESOURCES.iter().copied().chain(extended)
    }

    /// Amounts as they are written.
    pub(crate) fn written(&self, amounts: &ResourceList) -> Value {
        let said =
            self.all().filter_map(|(name, resource)| Some((name.to_owned(), json!(amounts.get(resource)?))));
        Value::Object(said.collect())
    }

    pub(crate) fn amounts(&mut self, given: &Value) -> ResourceList {
        let mut amounts = ResourceList::default();
        for (name, amount) in given.as_object().expect("amounts by name") {
            if !amount.is_null() {
                amounts.set(self.resource(name), whole(amount));
            }
        }
        amounts
    }

    fn pod(&mut self, given: &Value) -> PodRequests {
        let containers: Vec<_> = list(given, "containers").iter().map(|it| self.amounts(it)).collect();
        PodRequests::of(&containers)
    }

    fn node(&mut self, given: &Value) -> NodeResources {
        let allocatable = self.amounts(required(given, "allocatable"));
        let mut node = NodeResources::new(allocatable, ALLOWED_PODS);
        list(given, "pods").iter().for_each(|pod| node.add(&self.pod(pod)));
        node
    }
}

pub(crate) fn scheduler_score(input: &Value) -> Value {
    let mut names = Names::default();
    let weighted = |it: &Value| WeightedResource {
        resource: names.resource(text(required(it, "name"))),
        weight: whole_at(it, "weight").unwrap_or(1),
    };
    let resources: Vec<_> = match set(input, "resources") {
        Some(_) => list(input, "resources").iter().map(weighted).collect(),
        None => DEFAULT_RESOURCES.to_vec(),
    };
    let pod = names.pod(required(input, "pod"));
    let nodes: Vec<_> = list(input, "nodes").iter().map(|node| names.node(node)).collect();
    let scores: Option<Vec<_>> = match text(required(input, "strategy")) {
        "LeastAllocated" => {
            nodes.iter().map(|node| Some(least_allocated::score(&resources, &pod, node))).collect()
        }
        "BalancedAllocation" => {
            let resources: Vec<_> = resources.iter().map(|it| it.resource).collect();
            nodes.iter().map(|node| balanced_allocation::score(NEWEST, &resources, &pod, node)).collect()
        }
        other => panic!("`{other}` is not a strategy"),
    };
    json!({"scores": scores})
}

pub(crate) fn topology_spread(input: &Value) -> Value {
    let constraint = |it: &Value| Constraint {
        topology_key: text(required(it, "topology_key")).to_owned(),
        max_skew: small_at(it, "max_skew").unwrap_or(1),
    };
    let constraints: Vec<_> = list(input, "constraints").iter().map(constraint).collect();
    let all_keys = flag_at(input, "require_all_keys").unwrap_or(true);
    let origin = if all_keys { ConstraintOrigin::Own } else { ConstraintOrigin::SystemDefaults };
    let read = |node: &Value| {
        let matching: Vec<_> = list(node, "matching").iter().map(|pods| small(whole(pods))).collect();
        (labels(node), flag_at(node, "candidate").unwrap_or(true), matching)
    };
    let read: Vec<_> = list(input, "nodes").iter().map(read).collect();
    let nodes: Vec<_> = read
        .iter()
        .map(|(labels, candidate, matching)| SpreadNode { labels, candidate: *candidate, matching })
        .collect();
    let found = spread::score(&constraints, origin, &nodes);
    let each = |of: fn(&spread::SpreadScore) -> u64| {
        found.as_ref().map(|scores| scores.iter().map(of).collect::<Vec<_>>())
    };
    json!({"raw": each(|it| it.raw), "scores": each(|it| it.score)})
}

fn labels(node: &Value) -> Labels {
    let labels = set(node, "labels").and_then(Value::as_object).into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}
