//! What the objects come to, before it is written: services, and the workloads behind them.

use super::node::Node;
use super::object::Object;
use super::translate::put;
use meshsim_models::application::call_graph::Application;
use toml::{Table, Value};

/// A service of the scenario: a Kubernetes Service, or a workload that has none.
#[derive(Debug)]
pub(super) struct Service<'a> {
    /// What the scenario calls it.
    pub(super) name: String,
    /// What it is called where it is, and in which namespace; further Services in front of the same pods follow.
    pub(super) hosts: Vec<(String, String)>,
    /// Labels that its pods have.
    pub(super) selector: Vec<(String, String)>,
    /// Its Service.
    pub(super) object: Option<&'a Object>,
    /// Whether it has a namespace that is written.
    pub(super) has_namespace: bool,
    /// What `services.NAME` says.
    pub(super) table: Table,
}

/// A Deployment or a StatefulSet.
#[derive(Debug)]
pub(super) struct Workload<'a> {
    pub(super) object: &'a Object,
    /// Its service, by its position.
    pub(super) service: usize,
    /// Where it runs.
    pub(super) cluster: String,
    /// What the scenario calls it: its service, or a version of that.
    pub(super) name: String,
    /// Labels of its pods.
    pub(super) labels: Vec<(String, String)>,
    pub(super) replicas: u32,
    /// What it says of its service, with where it says it.
    pub(super) says: Vec<Says<'a>>,
    /// What it says of how pods come and go, which a scenario has once for all.
    pub(super) pods: Vec<Says<'a>>,
    /// Its autoscaler.
    pub(super) hpa: Option<Table>,
}

/// A key of the scenario with its value, and where that stands if it is no default.
#[derive(Debug)]
pub(super) struct Says<'a> {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) node: Option<&'a Node>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) services: Vec<Service<'a>>,
    pub(super) workloads: Vec<Workload<'a>>,
    /// Services that gateways lead users to, by their positions.
    pub(super) ingress: Vec<usize>,
    /// Tables of the scenario that are neither services nor clusters.
    pub(super) others: Table,
    /// Nodes that are objects, by cluster.
    pub(super) nodes: std::collections::BTreeMap<String, Vec<Value>>,
    /// The text of the work model.
    pub(super) workmodel: Option<String>,
    /// What it says; no service without one.
    pub(super) application: Application,
    /// What was assumed.
    pub(super) assumed: Vec<String>,
}

impl Service<'_> {
    /// The namespace that it is in.
    pub(super) fn namespace(&self) -> &str {
        &self.hosts[0].1
    }
}

impl Model<'_> {
    /// The service that a host names, as somebody in a namespace sees it.
    pub(super) fn of_host(&self, host: &str, namespace: &str) -> Option<usize> {
        let short = host.strip_suffix(".cluster.local").unwrap_or(host);
        let short = short.strip_suffix(".svc").unwrap_or(short);
        let (name, space) = short.split_once('.').unwrap_or((short, namespace));
        self.services.iter().position(|it| it.hosts.iter().any(|(n, s)| n == name && s == space))
    }

    /// The services whose pods have these labels and are in a namespace.
    pub(super) fn selected(&self, labels: &[(String, String)], namespace: Option<&str>) -> Vec<usize> {
        let all =
            self.workloads.iter().filter(|it| namespace.is_none_or(|name| it.object.namespace() == name));
        let mut found: Vec<usize> = all
            .filter(|it| labels.iter().all(|label| it.labels.contains(label)))
            .map(|it| it.service)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Puts a value that several objects may say: who says another one than the first is not heard, and is told so.
pub(super) fn agree(table: &mut Table, says: &Says<'_>, of: &str) {
    match find(table, &says.key) {
        None => put(table, &says.key, says.value.clone()),
        Some(first) if *first == says.value => {}
        Some(first) => {
            if let Some(node) = says.node {
                node.matters(format!("{of} has one `{}`, which another object says is {first}", says.key));
            }
        }
    }
}

/// Puts the table of an object under its name, with its namespace behind it if another has that name.
pub(super) fn put_named(others: &mut Table, key: &str, object: &Object, written: Table) {
    // Paths of settings go by dots.
    let name = object.name.replace('.', "-");
    let taken = others.get(key).and_then(Value::as_table).is_some_and(|it| it.contains_key(&name));
    let name = if taken { format!("{name}-{}", object.namespace()) } else { name };
    put(others, &format!("{key}.{name}"), Value::Table(written));
}

/// The value at a path with dots.
pub(super) fn find<'t>(table: &'t Table, path: &str) -> Option<&'t Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => find(table.get(first)?.as_table()?, rest),
    }
}
