//! What Liqo decides about pods, resources and endpoints.

use crate::read::{flag_at, list, required, set, text, text_at};
use crate::scheduler::Names;
use crate::selectors::{selector_at, taint, tolerations, written_selector, written_tolerations};
use meshsim_models::kubernetes::scheduler::node::Node;
use meshsim_models::kubernetes::scheduler::node_affinity::{NodeSelector, labels_in};
use meshsim_models::kubernetes::scheduler::resources::{NodeResources, ResourceList};
use meshsim_models::kubernetes::scheduler::topology_spread::Labels;
use meshsim_models::liqo::endpoint_reflection::{
    Cidr, Consumer, EndpointHost, PeerStatus, Remap, is_reflected,
};
use meshsim_models::liqo::namespace_offloading::{NamespaceMapping, PodOffloadingStrategy, twins};
use meshsim_models::liqo::pod_mutation::{OffloadedPod, mutate};
use meshsim_models::liqo::quota::{Container, LimitsEnforcement, Quota, counts};
use meshsim_models::liqo::resource_slice::{Class, Condition, Tenant, decide, default_resources, granted};
use meshsim_models::liqo::virtual_node::{Provider, TYPE_LABEL, VIRTUAL_NODE, taint as own_taint};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The pod as the webhook leaves it; absent: the strategy is not known.
fn mutated(input: &Value) -> Option<OffloadedPod> {
    let given = required(input, "pod");
    let runtime_class = text_at(given, "runtime_class");
    let mut pod = OffloadedPod {
        tolerations: tolerations(given),
        node_selector: selector_at(given, "node_selector_terms"),
        has_liqo_runtime_class: runtime_class == Some(text_at(input, "liqo_runtime_class").unwrap_or("liqo")),
    };
    let selector = selector_at(input, "cluster_selector").unwrap_or_default();
    match text_at(input, "strategy").map_or(Ok(PodOffloadingStrategy::default()), str::parse) {
        Ok(strategy) => mutate(strategy, &selector, &mut pod),
        // Liqo does not look at it then.
        Err(_) if pod.has_liqo_runtime_class => {}
        Err(_) => return None,
    }
    Some(pod)
}

pub(crate) fn pod_mutation(input: &Value) -> Value {
    let Some(pod) = mutated(input) else { return json!({"error": true}) };
    json!({
        "error": false,
        "tolerations": written_tolerations(&pod.tolerations),
        "node_selector_terms": pod.node_selector.as_ref().map(written_selector),
    })
}

fn labels(object: &Value, key: &str) -> Labels {
    let labels = set(object, key).and_then(Value::as_object).into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

pub(crate) fn node_placement(input: &Value) -> Value {
    let pod = mutated(input).expect("a strategy that is known");
    let own: BTreeMap<_, _> =
        labels(&input["pod"], "node_selector").into_iter().map(|(key, value)| (key, vec![value])).collect();
    let own: Option<NodeSelector> = (!own.is_empty()).then(|| vec![labels_in(&own)]);
    let takes = |given: &&Value| {
        let (mut labels, mut taints) =
            (labels(given, "labels"), list(given, "taints").iter().map(taint).collect::<Vec<_>>());
        if flag_at(given, "virtual").unwrap_or(false) {
            labels.insert(TYPE_LABEL.to_owned(), VIRTUAL_NODE.to_owned());
            taints.push(own_taint());
        }
        let node = Node { labels, taints, resources: NodeResources::default() };
        node.matches(pod.node_selector.as_ref())
            && node.matches(own.as_ref())
            && node.is_tolerated(&pod.tolerations)
    };
    let feasible: Vec<_> = list(input, "nodes").iter().filter(takes).map(|node| &node["name"]).collect();
    json!({"feasible": feasible})
}

pub(crate) fn namespace_mapping(input: &Value) -> Value {
    let nodes = list(input, "virtual_nodes");
    let all: Vec<Labels> = nodes.iter().map(|node| labels(node, "labels")).collect();
    let selector = selector_at(input, "cluster_selector").unwrap_or_default();
    let (chosen, verdict) = twins(&selector, &all.iter().collect::<Vec<_>>());
    let mut clusters: Vec<&str> =
        chosen.into_iter().map(|index| text(required(&nodes[index], "cluster"))).collect();
    clusters.sort_unstable();
    let mapping = match text_at(input, "mapping_strategy") {
        Some("EnforceSameName") => NamespaceMapping::EnforceSameName,
        Some("SelectedName") => {
            NamespaceMapping::SelectedName(text_at(input, "remote_name").unwrap_or_default())
        }
        // Liqo, too, takes one that it does not know for this one.
        _ => NamespaceMapping::DefaultName,
    };
    let consumer = text_at(input, "local_cluster").unwrap_or_default();
    let name = mapping.remote_name(text(required(input, "namespace")), consumer);
    json!({"error": verdict.is_err(), "remote_namespace": name, "clusters": clusters})
}

fn amounts_at(names: &mut Names, object: &Value, key: &str) -> Option<ResourceList> {
    Some(names.amounts(set(object, key)?))
}

pub(crate) fn resource_slice(input: &Value) -> Value {
    let mut names = Names::default();
    let defaults = amounts_at(&mut names, input, "defaults").unwrap_or_else(default_resources);
    let requested = amounts_at(&mut names, input, "requested").unwrap_or_default();
    let class = match text_at(input, "class").unwrap_or("default") {
        "default" | "" => Class::BuiltIn,
        _ => Class::Other,
    };
    let tenant = match text_at(input, "tenant").unwrap_or("Active") {
        "Active" => Tenant::Active,
        "Cordoned" => Tenant::Cordoned,
        "Drained" => Tenant::Drained,
        other => panic!("`{other}` is not what a provider thinks of a consumer"),
    };
    let before = flag_at(input, "already_accepted").unwrap_or(false).then_some(Condition::Accepted);
    let is_enabled = flag_at(input, "default_class_enabled").unwrap_or(true);
    let condition = decide(class, is_enabled, tenant, before);
    let is_granted = condition == Some(Condition::Accepted) && class == Class::BuiltIn;
    let resources = is_granted.then(|| names.written(&granted(&defaults, &requested)));
    let name = condition.map(|it| if it == Condition::Accepted { "Accepted" } else { "Denied" });
    json!({"condition": name, "resources": resources})
}

fn limits_enforcement(input: &Value) -> LimitsEnforcement {
    match text_at(input, "limits_enforcement").unwrap_or("None") {
        "None" => LimitsEnforcement::None,
        "Soft" => LimitsEnforcement::Soft,
        "Hard" => LimitsEnforcement::Hard,
        other => panic!("`{other}` is not how limits are enforced"),
    }
}

/// The containers of a pod and those that run before them; absent: it has none at all, which is refused.
fn containers(names: &mut Names, pod: &Value) -> Option<[Vec<Container>; 2]> {
    set(pod, "containers")?;
    Some(["containers", "init_containers"].map(|key| {
        let container = |it: &Value| Container {
            requests: amounts_at(names, it, "requests").unwrap_or_default(),
            limits: amounts_at(names, it, "limits").unwrap_or_default(),
        };
        list(pod, key).iter().map(container).collect()
    }))
}

pub(crate) fn pod_quota(input: &Value) -> Value {
    let mut names = Names::default();
    let quota = containers(&mut names, required(input, "pod"))
        .and_then(|[all, init]| counts(limits_enforcement(input), &all, &init));
    json!({"quota": quota.map(|it| names.written(&it))})
}

pub(crate) fn quota_admission(input: &Value) -> Value {
    let mut names = Names::default();
    let exists = flag_at(input, "quota_exists").unwrap_or(true);
    // Without enforcement nobody counts.
    let enforced = flag_at(input, "resource_enforcement").unwrap_or(true);
    let first = amounts_at(&mut names, input, "quota").filter(|_| exists);
    let mut quota = Quota::new(limits_enforcement(input), first);
    let mut allowed = |op: &Value| match text(required(op, "op")) {
        "create" => {
            let pod = required(op, "pod");
            let containers = containers(&mut names, pod);
            let creates = |[all, init]: [Vec<Container>; 2]| {
                quota.creates(text(required(pod, "name")).to_owned(), &all, &init)
            };
            json!(!enforced || containers.is_some_and(creates))
        }
        "delete" => {
            quota.deletes(&text(required(op, "name")).to_owned());
            json!(true)
        }
        "set_quota" => {
            quota.changes(names.amounts(required(op, "quota")));
            Value::Null
        }
        "cordon" | "uncordon" => {
            quota.cordons(op["op"] == "cordon");
            Value::Null
        }
        other => panic!("`{other}` is not an operation"),
    };
    let allowed: Vec<Value> = list(input, "operations").iter().map(&mut allowed).collect();
    let used = names.all().map(|(name, resource)| (name.to_owned(), json!(quota.used(resource))));
    json!({"allowed": allowed, "used": Value::Object(used.collect())})
}

pub(crate) fn virtual_node_conditions(input: &Value) -> Value {
    let mut names = Names::default();
    let provider = Provider {
        granted: amounts_at(&mut names, input, "hard"),
        has_networking: flag_at(input, "network_module_enabled"),
        is_connected: flag_at(input, "network_established").unwrap_or(false),
        checks_network: flag_at(input, "check_network").unwrap_or(true),
    };
    let said = provider.conditions();
    json!({
        "ready": said.ready,
        "memory_pressure": said.pressure,
        "disk_pressure": said.pressure,
        "pid_pressure": said.pressure,
        "network_unavailable": said.network_unavailable,
        "allocatable": provider.granted.map_or_else(|| json!({}), |it| names.written(&it)),
    })
}

pub(crate) fn endpoint_reflection(input: &Value) -> Value {
    let status = |key| match text_at(input, key).unwrap_or("Established") {
        "Established" => PeerStatus::Established,
        "Error" => PeerStatus::Error,
        "Pending" => PeerStatus::Pending,
        "None" => PeerStatus::None,
        other => panic!("`{other}` is not a status"),
    };
    let consumer = Consumer {
        has_networking: flag_at(input, "network_module_enabled").unwrap_or(true),
        network: status("network"),
        api_server: status("api_server"),
    };
    let remap = |pair: &Value| Remap { original: cidr(&pair[0]), remapped: cidr(&pair[1]) };
    let remaps: Vec<Remap> = list(input, "remap").iter().map(remap).collect();
    let provider = text(required(input, "destination_cluster"));
    let host = |endpoint: &Value| match text_at(endpoint, "node") {
        None => EndpointHost::External,
        Some(node) => match text_at(required(input, "nodes"), node) {
            None => EndpointHost::Unknown,
            Some("") => EndpointHost::Local,
            Some(cluster) => EndpointHost::Behind(cluster.to_owned()),
        },
    };
    let reflected = |endpoint: &Value| {
        let address = |it: &Value| {
            let address = text(it).parse().expect("an address");
            consumer.address(address, &remaps).to_string()
        };
        let said = consumer.conditions(flag_at(endpoint, "ready"));
        json!({
            "addresses": list(endpoint, "addresses").iter().map(address).collect::<Vec<_>>(),
            "ready": said.ready, "serving": said.serving, "terminating": said.terminating,
            "node": input["local_cluster"], "zone": text_at(endpoint, "zone"),
        })
    };
    let endpoints = list(input, "endpoints").iter();
    let endpoints = endpoints.filter(|it| is_reflected(&host(it), &provider.to_owned())).map(reflected);
    json!({"endpoints": endpoints.collect::<Vec<_>>()})
}

fn cidr(text_of: &Value) -> Cidr {
    let (address, prefix) = text(text_of).split_once('/').expect("an address and a prefix");
    Cidr { address: address.parse().expect("an address"), prefix: prefix.parse().expect("a prefix") }
}
