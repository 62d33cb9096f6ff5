//! What the manifests and the options come to, as the tables of a scenario.

use super::access::is_ambient;
use super::model::{Model, Says, Workload, agree};
use super::node::Node;
use super::object::{Found, Object};
use super::options::Options;
use super::overlay::Overlay;
use super::sidecars::is_of_sidecars;
use super::translate::{find, put, take};
use super::users;
use super::workloads::subset_labels;
use super::write;
use crate::problem::{Checked, Problem, Problems};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Most services, as in a scenario.
const SERVICES_MAX: usize = 50_000;

/// CPU time of a request where no work model says it.
const ASSUMED_SERVICE_TIME: &str = "1ms";

/// The rate of a link of which none is said: that of a node's interface.
const ASSUMED_BANDWIDTH: &str = "1Gbit/s";

/// What stands before tables and keys, by their paths.
type Comments = BTreeMap<String, String>;

/// The tables of the scenario; what was assumed is added to the model's list.
///
/// # Errors
/// If something is missing that an option says.
pub(super) fn tables(
    options: &Options,
    found: &Found,
    overlay: &Overlay,
    model: &mut Model<'_>,
) -> Checked<(Table, Comments)> {
    let mut all = Table::new();
    let mut comments = BTreeMap::new();
    all.insert("name".to_owned(), Value::String(options.name.clone()));
    let mut problems = missing(options, overlay, model);
    if model.services.len() > SERVICES_MAX {
        let message = format!("the manifests have {} services", model.services.len());
        let help = format!("at most {SERVICES_MAX} are simulated: import the application that is meant");
        problems.push(Problem::new(message).help(help));
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    for (key, value) in std::mem::take(&mut model.others) {
        all.insert(key, value);
    }
    if model.workmodel.is_some() {
        put(&mut all, "application.workmodel", Value::String("workmodel.json".to_owned()));
    }
    services(&mut all, overlay, model, &mut comments);
    pods(&mut all, model);
    clusters(&mut all, options, overlay, model);
    links(&mut all, options, model, &mut comments);
    users::add(&mut all, options, found, model)?;
    let (plane, why) = plane(&found.objects, model);
    put(&mut all, "mesh.data_plane", Value::String(plane.to_owned()));
    comments.insert("mesh.data_plane".to_owned(), format!("assumed: {why}"));
    model.assumed.push(format!("`mesh.data_plane = \"{plane}\"`: {why}"));
    Ok((all, comments))
}

/// The scenario as a text.
pub(super) fn text(tables: &Table, comments: &Comments) -> String {
    let head = format!(
        "{} {}. What became of every field of the manifests is in report.md.\n\
         # What no manifest says and nothing here says has the defaults of scenarios: `meshsim check --expand`.\n\n",
        write::BEGIN,
        env!("CARGO_PKG_VERSION")
    );
    let strategy = "\n# What the manifests say. Further strategies change it by paths, as in set.clusters.X.services = [\"a\", \"b\"].\n\
                    [[strategy]]\nname = \"as-deployed\"\nset = {}\n";
    write::scenario(&head, tables, comments) + strategy
}

/// How services reach each other, and what says so.
fn plane(objects: &[Object], model: &Model<'_>) -> (&'static str, &'static str) {
    let labels = |it: &Object, key: &str, value: &str| {
        let label = it.root.get("metadata.labels").and_then(|it| it.child(key));
        it.is("", "Namespace") && label.is_some_and(|it| it.is(value))
    };
    let has_routes = model.services.iter().any(|it| it.table.contains_key("routes"));
    if is_ambient(objects, model) {
        ("ambient", "all namespaces are")
    } else if objects.iter().any(|it| labels(it, "istio-injection", "enabled")) {
        ("sidecar", "a namespace says so: all pods have sidecars, but for those that say otherwise")
    } else if has_routes || objects.iter().any(|it| it.group.ends_with(".istio.io")) {
        ("sidecar", "there are rules of a mesh: all pods have sidecars, but for those that say otherwise")
    } else {
        ("none", "there are no rules of a mesh: kube-proxy alone")
    }
}

/// The clusters that anything is said of.
fn names(options: &Options, overlay: &Overlay, model: &Model<'_>) -> BTreeSet<String> {
    let workloads = model.workloads.iter().map(|it| it.cluster.clone());
    let users = options.users.iter().map(|it| it.cluster.clone());
    let nodes = options.nodes.iter().map(|it| it.cluster.clone()).chain(model.nodes.keys().cloned());
    workloads.chain(users).chain(nodes).chain(overlay.names("clusters").cloned()).collect()
}

/// What options have to say and do not, or say twice.
fn missing(options: &Options, overlay: &Overlay, model: &Model<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let all = names(options, overlay, model);
    for name in &all {
        let of_option = options.nodes.iter().any(|it| it.cluster == *name);
        if of_option && model.nodes.contains_key(name) {
            let message = format!(
                "--nodes {name}=... and objects of kind Node both say the machines of cluster `{name}`"
            );
            problems.push(Problem::new(message).help("take one of them out"));
        } else if !of_option && !model.nodes.contains_key(name) && !overlay.says_nodes(name) {
            let help = format!(
                "--nodes {name}=2x16 says two nodes of 16 cores; or give what `kubectl get nodes -o yaml` prints"
            );
            problems.push(Problem::new(format!("nothing says what nodes cluster `{name}` has")).help(help));
        }
    }
    if model.workloads.is_empty() && model.workmodel.is_some() && all.len() != 1 {
        let problem = Problem::new("nothing says in which cluster the services of the work model run");
        problems
            .push(problem.help("name one cluster by --nodes and --users, or import their Deployments, too"));
    }
    for (index, link) in options.links.iter().enumerate() {
        let [a, b] = &link.between;
        if options.links[..index].iter().any(|it| it.between.contains(a) && it.between.contains(b)) {
            let message = format!("--link says twice how clusters `{a}` and `{b}` are joined");
            problems.push(Problem::new(message).help("take one out, or add up their rates"));
        }
        for end in link.between.iter().filter(|end| !all.contains(*end)) {
            let known = all.iter().cloned().collect::<Vec<_>>().join(", ");
            let problem = Problem::new(format!("--link names `{end}`, which is no cluster"));
            problems.push(problem.help(format!("there are {known}")));
        }
    }
    let reached = reached(options, overlay, &all);
    if let Some(first) = all.first() {
        for name in all.iter().filter(|it| !reached.contains(it.as_str())) {
            let help = format!("--link {first}:{name}=160ms says a round trip of 160 ms");
            problems.push(
                Problem::new(format!("nothing says how clusters `{first}` and `{name}` are joined"))
                    .help(help),
            );
        }
    }
    let running = running(model);
    let measured = options.measured.iter().flat_map(|it| &it.services);
    for name in measured.filter(|it| !running.contains(it.as_str())) {
        let problem =
            Problem::new(format!("service `{name}` was measured, and no manifest says where it runs"));
        problems.push(problem.help("import its Deployment, too"));
    }
    for name in options.measured.iter().flat_map(|it| &it.clusters).filter(|it| !all.contains(*it)) {
        let known = all.iter().cloned().collect::<Vec<_>>().join(", ");
        let message =
            format!("users were measured in cluster `{name}`, and manifests and options have {known}");
        let help =
            format!("in a file for --overlay, `clusters.X.names.cluster = \"{name}\"` says that it is X");
        problems.push(Problem::new(message).help(help));
    }
    if options.users.is_empty() && overlay.names("users").next().is_none() {
        let cluster = all.last().map_or("edge1", String::as_str);
        let help = format!("--users {cluster}=50/s says 50 requests a second at the gateway of `{cluster}`");
        problems.push(Problem::new("nothing says where users are and how much they request").help(help));
    }
    problems
}

/// The services that have pods somewhere, or are outside.
fn running<'m>(model: &'m Model<'_>) -> BTreeSet<&'m str> {
    let inside = model.workloads.iter().map(|it| &model.services[it.service]);
    let outside = model.services.iter().filter(|it| it.is_external());
    inside.chain(outside).map(|it| it.name.as_str()).collect()
}

/// Clusters that can be reached from the first one.
fn reached<'a>(options: &'a Options, overlay: &'a Overlay, all: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    let mut joined: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let of_options = options.links.iter().map(|it| [it.between[0].as_str(), it.between[1].as_str()]);
    for [a, b] in of_options.chain(overlay.joined()) {
        joined.entry(a).or_default().push(b);
        joined.entry(b).or_default().push(a);
    }
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = all.first().map(String::as_str).into_iter().collect();
    while let Some(cluster) = next.pop() {
        if reached.insert(cluster) {
            next.extend(joined.get(cluster).into_iter().flatten());
        }
    }
    reached
}

fn services(all: &mut Table, overlay: &Overlay, model: &mut Model<'_>, comments: &mut Comments) {
    let of_work_model: BTreeSet<String> =
        model.application.services.iter().map(|it| it.name.clone()).collect();
    let has_work_model = model.workmodel.is_some();
    let mut of_service: Vec<Vec<&Workload<'_>>> = vec![Vec::new(); model.services.len()];
    model.workloads.iter().for_each(|it| of_service[it.service].push(it));
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (service, own) in model.services.iter().zip(&of_service) {
        if service.is_external() {
            match (has_work_model, service.object) {
                (false, _) => {
                    tables.insert(service.name.clone(), service.table.clone());
                }
                (true, Some(it)) if of_work_model.contains(&service.name) => {
                    it.root.matters("the work model has a cell of this name");
                }
                (true, it) => {
                    it.into_iter().for_each(|it| it.root.harmless("no cell of the work model calls it"));
                }
            }
            continue;
        }
        if has_work_model && !of_work_model.contains(&service.name) && !overlay.says_of_service(&service.name)
        {
            own.iter().for_each(|it| it.object.root.matters("the work model does not say what it does"));
            continue;
        }
        let keys = subset_labels(&service.table);
        for workload in own {
            let is_front = workload.name == service.name;
            let table = tables.entry(workload.name.clone()).or_insert_with(|| match is_front {
                true => service.table.clone(),
                false => Table::from_iter([("version_of".to_owned(), Value::String(service.name.clone()))]),
            });
            let labels = workload.labels.iter().filter(|(key, _)| keys.contains(key));
            let labels: Table =
                labels.map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
            if !labels.is_empty() {
                table.insert("labels".to_owned(), Value::Table(labels));
            }
            let of = format!("`{}`", workload.name);
            workload.says.iter().for_each(|it| agree(table, it, &of));
            if is_front && service.has_namespace && service.namespace() != "default" {
                table.insert("namespace".to_owned(), Value::String(service.namespace().to_owned()));
            }
        }
        silent(own);
    }
    for name in of_work_model.iter().filter(|it| !tables.contains_key(*it)) {
        model.assumed.push(format!("service `{name}` of the work model runs nowhere: calls to it fail"));
    }
    in_common(all, &mut tables);
    for (name, table) in &mut tables {
        let is_said = has_work_model || table.contains_key("version_of") || overlay.says_of_service(name);
        if !is_said {
            // What is outside takes none of the clusters' CPU.
            let key = if table.contains_key("external") { "wait" } else { "service_time" };
            table.insert(key.to_owned(), Value::String(ASSUMED_SERVICE_TIME.to_owned()));
            let what = "no work model says what it does: it takes so much time, and calls nobody";
            comments.insert(format!("services.{name}.{key}"), format!("assumed: {what}"));
            model.assumed.push(format!("the cell of `{name}`: `{key} = \"{ASSUMED_SERVICE_TIME}\"`; {what}"));
        }
    }
    tables.retain(|_, table| !table.is_empty());
    if !tables.is_empty() {
        let tables = tables.into_iter().map(|(name, table)| (name, Value::Table(table)));
        all.insert("services".to_owned(), Value::Table(tables.collect()));
    }
}

/// What some of the workloads of a service say and others do not: the scenario says it for all of them.
fn silent(own: &[&Workload<'_>]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for workload in own {
        *counts.entry(&workload.name).or_default() += 1;
        workload.says.iter().for_each(|it| *said.entry((&workload.name, &it.key)).or_default() += 1);
    }
    for workload in own {
        for it in &workload.says {
            if said[&(workload.name.as_str(), it.key.as_str())] < counts[workload.name.as_str()]
                && let Some(node) = it.node
            {
                let of = &workload.name;
                node.matters(format!(
                    "`{of}` has one `{}`, and some of its workloads say nothing of it",
                    it.key
                ));
            }
        }
    }
}

/// What all services say alike is said once.
fn in_common(all: &mut Table, tables: &mut BTreeMap<String, Table>) {
    let common = [
        ("resources.requests.cpu", "application.cpu_request"),
        ("resources.requests.memory", "application.memory_request"),
        ("resources.limits.cpu", "application.cpu_limit"),
        ("traffic_policy", "mesh.traffic_policy"),
    ];
    for (own, whole) in common {
        let is_policy = own == "traffic_policy";
        let mut those = tables.values().filter(|it| !is_policy || !it.contains_key("version_of"));
        let Some(first) = those.next().and_then(|it| find(it, own)).cloned() else { continue };
        let mut count = 1;
        let is_common = those.inspect(|_| count += 1).all(|it| find(it, own) == Some(&first));
        let has_subsets = tables.values().any(|it| it.contains_key("subsets"));
        if !is_common || count == 1 || find(all, whole).is_some() || (is_policy && has_subsets) {
            continue;
        }
        tables.values_mut().for_each(|it| take(it, own));
        put(all, whole, first);
    }
}

/// How pods come and go, and their sidecars: as most workloads say, and of a service as its own say where that may be.
fn pods(all: &mut Table, model: &mut Model<'_>) {
    let mut said: BTreeMap<&String, Vec<(&str, &Says<'_>)>> = BTreeMap::new();
    let taken = model.workloads.iter().filter(|it| it.object.root.fate().is_none());
    for (name, it) in taken.clone().flat_map(|of| of.pods.iter().map(|it| (of.name.as_str(), it))) {
        said.entry(&it.key).or_default().push((name, it));
    }
    let count = taken.count();
    let mut assumed = Vec::new();
    for (key, said) in said {
        let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
        for (_, it) in &said {
            counts.entry(it.value.to_string()).or_insert((0, &it.value)).0 += 1;
        }
        let most = counts.into_values().max_by_key(|(count, _)| *count).map(|(_, value)| value.clone());
        let Some(most) = most else { continue };
        if may_differ(key) {
            of_services(all, &said, &most);
        }
        for (_, other) in said.iter().filter(|(_, it)| !may_differ(key) && it.value != most) {
            match other.node {
                Some(node) => {
                    node.matters(format!("a scenario has one `{key}`, and most workloads say {most}"));
                }
                None => assumed.push(format!("`{key} = {most}`, of workloads that do not say it, too")),
            }
        }
        if is_of_sidecars(key) && said.len() < count {
            let silent = |node: &Node| {
                node.matters(format!("a scenario has one `{key}`, and some workloads say nothing of it"));
            };
            said.iter().filter_map(|(_, it)| it.node).for_each(silent);
        }
        if key != "pods.pre_stop" || most.as_str() != Some("0s") {
            put(all, key, most);
        }
    }
    assumed.dedup();
    model.assumed.extend(assumed);
}

/// Whether services may say it of their own pods, under the same key.
fn may_differ(key: &str) -> bool {
    ["pods.readiness_probe.", "pods.pre_stop", "pods.termination_grace_period"]
        .iter()
        .any(|it| key.starts_with(it))
}

/// What services say of their own pods that is not what most say.
fn of_services(all: &mut Table, said: &[(&str, &Says<'_>)], most: &Value) {
    let mut own: BTreeMap<&str, &Says<'_>> = BTreeMap::new();
    for &(name, it) in said {
        let first = *own.entry(name).or_insert(it);
        if let Some(node) = it.node.or(first.node).filter(|_| it.value != first.value) {
            let key = &it.key;
            node.matters(format!(
                "`{name}` has one `{key}`, and another of its workloads says {}",
                first.value
            ));
        }
    }
    for (name, it) in own.into_iter().filter(|(_, it)| it.value != *most) {
        let services = all.entry("services").or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(services) = services else { continue };
        let service = services.entry(name).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(service) = service {
            put(service, &it.key, it.value.clone());
        }
    }
}

fn clusters(all: &mut Table, options: &Options, overlay: &Overlay, model: &mut Model<'_>) {
    // One autoscaler for all is said once.
    let mut hpas = model.workloads.iter().map(|it| it.hpa.as_ref());
    let first = hpas.next().flatten().cloned();
    let is_common = model.workloads.len() > 1 && hpas.all(|it| it == first.as_ref());
    if let Some(hpa) = first.filter(|_| is_common) {
        all.insert("hpa".to_owned(), Value::Table(hpa));
    }
    let mut of_cluster: BTreeMap<&str, Vec<&Workload<'_>>> = BTreeMap::new();
    for it in model.workloads.iter().filter(|it| it.object.root.fate().is_none()) {
        of_cluster.entry(&it.cluster).or_default().push(it);
    }
    for name in names(options, overlay, model) {
        let mut cluster = Table::new();
        cluster.insert("zone".to_owned(), Value::String(name.clone()));
        let machine = |cores: &String| {
            Value::Table(Table::from_iter([("cores".to_owned(), Value::String(cores.clone()))]))
        };
        let of_options = options.nodes.iter().filter(|it| it.cluster == name);
        let mut nodes: Vec<Value> = of_options.flat_map(|it| vec![machine(&it.cores); it.count]).collect();
        nodes.extend(model.nodes.get(&name).cloned().unwrap_or_default());
        cluster.insert("nodes".to_owned(), Value::Array(nodes));
        let mut services: BTreeSet<&String> = BTreeSet::new();
        let (mut replicas, mut hpa) = (Table::new(), Table::new());
        for it in of_cluster.get(name.as_str()).into_iter().flatten() {
            services.insert(&it.name);
            replicas.insert(it.name.clone(), Value::Integer(i64::from(it.replicas)));
            if let Some(own) = it.hpa.clone().filter(|_| !is_common) {
                hpa.insert(it.name.clone(), Value::Table(own));
            }
        }
        let listed = services.into_iter().cloned().map(Value::String).collect();
        // A work model alone: everything runs in the only cluster.
        let everything = model.workloads.is_empty() && model.workmodel.is_some();
        let listed = if everything { Value::String("all".to_owned()) } else { Value::Array(listed) };
        cluster.insert("services".to_owned(), listed);
        for (key, table) in [("replicas", replicas), ("hpa", hpa)] {
            if !table.is_empty() {
                cluster.insert(key.to_owned(), Value::Table(table));
            }
        }
        let tables = all.entry("clusters").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(tables) = tables {
            tables.insert(name, Value::Table(cluster));
        }
    }
}

fn links(all: &mut Table, options: &Options, model: &mut Model<'_>, comments: &mut Comments) {
    let mut tables = Table::new();
    for link in &options.links {
        let [a, b] = &link.between;
        let name = format!("{a}-{b}");
        if link.bandwidth.is_none() {
            let why = format!(
                "a link has the rate of a node's interface unless --link {a}:{b}={},RATE says another",
                link.rtt
            );
            comments.insert(format!("links.{name}.bandwidth"), format!("assumed: {why}"));
            model.assumed.push(format!("`links.{name}.bandwidth = \"{ASSUMED_BANDWIDTH}\"`: {why}"));
        }
        let bandwidth = link.bandwidth.as_deref().unwrap_or(ASSUMED_BANDWIDTH);
        let table = Table::from_iter([
            ("between".to_owned(), Value::Array(link.between.iter().cloned().map(Value::String).collect())),
            ("rtt".to_owned(), Value::String(link.rtt.clone())),
            ("bandwidth".to_owned(), Value::String(bandwidth.to_owned())),
        ]);
        tables.insert(name, Value::Table(table));
    }
    if !tables.is_empty() {
        all.insert("links".to_owned(), Value::Table(tables));
    }
}
