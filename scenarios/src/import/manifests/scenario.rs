//! What the manifests and the options come to, as the tables of a scenario.

use super::model::{Model, Says, agree, find};
use super::options::Options;
use super::translate::put;
use super::workloads::subset_labels;
use super::write;
use crate::problem::{Checked, Problem, Problems};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// CPU time of a request where no work model says it.
const ASSUMED_SERVICE_TIME: &str = "1ms";

/// The rate of a link of which none is said: that of a node's interface.
const ASSUMED_BANDWIDTH: &str = "1Gbit/s";

/// Writes the scenario; what was assumed is added to the model's list.
///
/// # Errors
/// If something is missing that an option says.
pub(super) fn write(options: &Options, model: &mut Model<'_>, has_mesh: bool) -> Checked<String> {
    let mut all = Table::new();
    let mut comments = BTreeMap::new();
    all.insert("name".to_owned(), Value::String(options.name.clone()));
    let problems = missing(options, model);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    for (key, value) in std::mem::take(&mut model.others) {
        all.insert(key, value);
    }
    if model.workmodel.is_some() {
        put(&mut all, "application.workmodel", Value::String("workmodel.json".to_owned()));
    }
    services(&mut all, model, &mut comments);
    pods(&mut all, model);
    clusters(&mut all, options, model);
    links(&mut all, options, model, &mut comments);
    users(&mut all, options, model)?;
    let plane = if has_mesh { "sidecar" } else { "none" };
    put(&mut all, "mesh.data_plane", Value::String(plane.to_owned()));
    let why = match has_mesh {
        true => "there are rules of a mesh: all pods have sidecars, but for those that say otherwise",
        false => "there are no rules of a mesh: kube-proxy alone",
    };
    comments.insert("mesh.data_plane".to_owned(), format!("assumed: {why}"));
    model.assumed.push(format!("`mesh.data_plane = \"{plane}\"`: {why}"));
    let head = format!(
        "{} {}. What became of every field of the manifests is in report.md.\n\
         # What no manifest says and nothing here says has the defaults of scenarios: `meshsim check --expand`.\n\n",
        write::BEGIN,
        env!("CARGO_PKG_VERSION")
    );
    let strategy = "\n# What the manifests say. Further strategies change it by paths, as in set.clusters.X.services = [\"a\", \"b\"].\n\
                    [[strategy]]\nname = \"as-deployed\"\nset = {}\n";
    Ok(write::scenario(&head, &all, &comments) + strategy)
}

/// The clusters that anything is said of.
fn names(options: &Options, model: &Model<'_>) -> BTreeSet<String> {
    let workloads = model.workloads.iter().map(|it| it.cluster.clone());
    let users = options.users.iter().map(|it| it.cluster.clone());
    let nodes = options.nodes.iter().map(|it| it.cluster.clone()).chain(model.nodes.keys().cloned());
    workloads.chain(users).chain(nodes).collect()
}

/// What options have to say and do not, or say twice.
fn missing(options: &Options, model: &Model<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let all = names(options, model);
    for name in &all {
        let of_option = options.nodes.iter().any(|it| it.cluster == *name);
        if of_option && model.nodes.contains_key(name) {
            let message = format!(
                "--nodes {name}=... and objects of kind Node both say the machines of cluster `{name}`"
            );
            problems.push(Problem::new(message).help("take one of them out"));
        } else if !of_option && !model.nodes.contains_key(name) {
            let help = format!(
                "--nodes {name}=2x16 says two nodes of 16 cores; or give what `kubectl get nodes -o yaml` prints"
            );
            problems.push(Problem::new(format!("nothing says what nodes cluster `{name}` has")).help(help));
        }
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
    // Clusters that can be reached from the first one.
    let mut reached: BTreeSet<&String> = all.iter().take(1).collect();
    loop {
        let before = reached.len();
        for link in &options.links {
            let [a, b] = &link.between;
            if reached.contains(a) || reached.contains(b) {
                reached.extend([a, b]);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    if let Some(first) = all.first() {
        for name in all.iter().filter(|it| !reached.contains(it)) {
            let help = format!("--link {first}:{name}=160ms says a round trip of 160 ms");
            problems.push(
                Problem::new(format!("nothing says how clusters `{first}` and `{name}` are joined"))
                    .help(help),
            );
        }
    }
    if options.users.is_empty() {
        let cluster = all.last().map_or("edge1", String::as_str);
        let help = format!("--users {cluster}=50/s says 50 requests a second at the gateway of `{cluster}`");
        problems.push(Problem::new("nothing says where users are and how much they request").help(help));
    }
    problems
}

fn services(all: &mut Table, model: &mut Model<'_>, comments: &mut BTreeMap<String, String>) {
    let of_work_model: BTreeSet<String> =
        model.application.services.iter().map(|it| it.name.clone()).collect();
    let has_work_model = model.workmodel.is_some();
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (index, service) in model.services.iter().enumerate() {
        let own: Vec<_> = model.workloads.iter().filter(|it| it.service == index).collect();
        if own.is_empty() {
            continue;
        }
        if has_work_model && !of_work_model.contains(&service.name) {
            own.iter().for_each(|it| it.object.root.matters("the work model does not say what it does"));
            continue;
        }
        let keys = subset_labels(&service.table);
        for workload in &own {
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
            silent(
                &workload.says,
                &own.iter().filter(|it| it.name == workload.name).map(|it| &it.says[..]).collect::<Vec<_>>(),
                &of,
            );
            if is_front && service.has_namespace && service.namespace() != "default" {
                table.insert("namespace".to_owned(), Value::String(service.namespace().to_owned()));
            }
        }
    }
    for name in of_work_model.iter().filter(|it| !tables.contains_key(*it)) {
        model.assumed.push(format!("service `{name}` of the work model runs nowhere: calls to it fail"));
    }
    in_common(all, &mut tables);
    for (name, table) in &mut tables {
        if !has_work_model && !table.contains_key("version_of") {
            table.insert("service_time".to_owned(), Value::String(ASSUMED_SERVICE_TIME.to_owned()));
            let what = "no work model says what it does: it takes so much CPU, and calls nobody";
            comments.insert(format!("services.{name}.service_time"), format!("assumed: {what}"));
            model
                .assumed
                .push(format!("the cell of `{name}`: `service_time = \"{ASSUMED_SERVICE_TIME}\"`; {what}"));
        }
    }
    tables.retain(|_, table| !table.is_empty());
    if !tables.is_empty() {
        let tables = tables.into_iter().map(|(name, table)| (name, Value::Table(table)));
        all.insert("services".to_owned(), Value::Table(tables.collect()));
    }
}

/// What some of the workloads of a service say and others do not: the scenario says it for all of them.
fn silent(says: &[Says<'_>], all: &[&[Says<'_>]], of: &str) {
    for it in says {
        let is_said = |other: &&&[Says<'_>]| other.iter().any(|that| that.key == it.key);
        if !all.iter().all(|other| is_said(&other))
            && let Some(node) = it.node
        {
            node.matters(format!("{of} has one `{}`, and some of its workloads say nothing of it", it.key));
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

/// Takes a value out, and the tables that are empty without it.
fn take(table: &mut Table, path: &str) {
    match path.split_once('.') {
        None => {
            table.remove(path);
        }
        Some((first, rest)) => {
            let Some(inner) = table.get_mut(first).and_then(Value::as_table_mut) else { return };
            take(inner, rest);
            if inner.is_empty() {
                table.remove(first);
            }
        }
    }
}

/// How pods come and go: as most workloads say.
fn pods(all: &mut Table, model: &mut Model<'_>) {
    let keys: BTreeSet<&String> = model.workloads.iter().flat_map(|it| &it.pods).map(|it| &it.key).collect();
    for key in keys {
        let said = || model.workloads.iter().flat_map(|it| &it.pods).filter(|it| it.key == *key);
        let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
        for it in said() {
            counts.entry(it.value.to_string()).or_insert((0, &it.value)).0 += 1;
        }
        let most = counts.into_values().max_by_key(|(count, _)| *count).map(|(_, value)| value.clone());
        let Some(most) = most else { continue };
        for other in said().filter(|it| it.value != most) {
            match other.node {
                Some(node) => {
                    node.matters(format!("a scenario has one `pods.{key}`, and most workloads say {most}"));
                }
                None => {
                    model
                        .assumed
                        .push(format!("`pods.{key} = {most}`, of workloads that do not say it, too"));
                }
            }
        }
        if key != "pre_stop" || most.as_str() != Some("0s") {
            put(all, &format!("pods.{key}"), most);
        }
    }
    model.assumed.dedup();
}

fn clusters(all: &mut Table, options: &Options, model: &mut Model<'_>) {
    // One autoscaler for all is said once.
    let mut hpas = model.workloads.iter().map(|it| it.hpa.as_ref());
    let first = hpas.next().flatten().cloned();
    let is_common = model.workloads.len() > 1 && hpas.all(|it| it == first.as_ref());
    if let Some(hpa) = first.filter(|_| is_common) {
        all.insert("hpa".to_owned(), Value::Table(hpa));
    }
    for name in names(options, model) {
        let mut cluster = Table::new();
        cluster.insert("zone".to_owned(), Value::String(name.clone()));
        let machine = |cores: &String| {
            Value::Table(Table::from_iter([("cores".to_owned(), Value::String(cores.clone()))]))
        };
        let of_options = options.nodes.iter().filter(|it| it.cluster == name);
        let mut nodes: Vec<Value> = of_options.flat_map(|it| vec![machine(&it.cores); it.count]).collect();
        nodes.extend(model.nodes.remove(&name).unwrap_or_default());
        cluster.insert("nodes".to_owned(), Value::Array(nodes));
        let mut services: BTreeSet<&String> = BTreeSet::new();
        let (mut replicas, mut hpa) = (Table::new(), Table::new());
        for it in model.workloads.iter().filter(|it| it.cluster == name && it.object.root.fate().is_none()) {
            services.insert(&it.name);
            replicas.insert(it.name.clone(), Value::Integer(i64::from(it.replicas)));
            if let Some(own) = it.hpa.clone().filter(|_| !is_common) {
                hpa.insert(it.name.clone(), Value::Table(own));
            }
        }
        let listed = services.into_iter().cloned().map(Value::String).collect();
        cluster.insert("services".to_owned(), Value::Array(listed));
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

fn links(all: &mut Table, options: &Options, model: &mut Model<'_>, comments: &mut BTreeMap<String, String>) {
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

/// Who requests what: what gateways lead to, unless the option says it.
fn users(all: &mut Table, options: &Options, model: &Model<'_>) -> Checked<()> {
    let mut tables = Table::new();
    for it in &options.users {
        let service = match &it.service {
            Some(name) => match model.services.iter().any(|known| known.name == *name) {
                true => name.clone(),
                false => {
                    let known: Vec<&str> = model.services.iter().map(|it| it.name.as_str()).collect();
                    let problem = Problem::new(format!("--users names `{name}`, which is no service"));
                    return Err(problem.help(format!("there are {}", known.join(", "))).into());
                }
            },
            None => requested(model, &it.cluster, &it.rate)?,
        };
        let name = match tables.contains_key(&it.cluster) {
            true => format!("{}-{service}", it.cluster),
            false => it.cluster.clone(),
        };
        let table = Table::from_iter([
            ("cluster".to_owned(), Value::String(it.cluster.clone())),
            ("service".to_owned(), Value::String(service)),
            ("rate".to_owned(), Value::String(it.rate.clone())),
        ]);
        if tables.insert(name.clone(), Value::Table(table)).is_some() {
            let problem = Problem::new(format!("--users says twice what the users of `{name}` request"));
            return Err(problem.help("add the rates up").into());
        }
    }
    all.insert("users".to_owned(), Value::Table(tables));
    Ok(())
}

fn requested(model: &Model<'_>, cluster: &str, rate: &str) -> Checked<String> {
    let names = |indices: &[usize]| -> Vec<&str> {
        indices.iter().map(|it| model.services[*it].name.as_str()).collect()
    };
    let running: Vec<usize> = {
        let running: BTreeSet<usize> = model.workloads.iter().map(|it| it.service).collect();
        running.into_iter().collect()
    };
    let candidates = if model.ingress.is_empty() { running } else { model.ingress.clone() };
    match names(&candidates).as_slice() {
        [one] => Ok((*one).to_owned()),
        several => {
            let why = if model.ingress.is_empty() {
                "no gateway says"
            } else {
                "gateways lead to several services"
            };
            let problem = Problem::new(format!("{why} which service the users of `{cluster}` request"));
            let example = several.first().copied().unwrap_or("SERVICE");
            let known = several.join(", ");
            Err(problem.help(format!("write --users {cluster}:{example}={rate}; there are {known}")).into())
        }
    }
}
