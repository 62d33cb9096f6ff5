//! What the objects come to, before it is written: services, and the workloads behind them.

use super::node::Node;
use super::object::Object;
use super::translate::{find, put};
use meshsim_models::application::call_graph::Application;
use std::collections::BTreeMap;
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
    /// Whether its pods may run in clusters beside its own.
    pub(super) is_offloaded: bool,
    /// What keeps its pods from nodes that stand for other clusters.
    pub(super) keeps_home: Option<&'a Node>,
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
    /// The services by what they are called where they are, `NAME.NAMESPACE`.
    hosts: BTreeMap<String, usize>,
    pub(super) workloads: Vec<Workload<'a>>,
    /// Services that gateways lead users to, by their positions.
    pub(super) ingress: Vec<usize>,
    /// Tables of the scenario that are neither services nor clusters.
    pub(super) others: Table,
    /// Nodes that are objects, by cluster.
    pub(super) nodes: BTreeMap<String, Vec<Value>>,
    /// The text of the work model.
    pub(super) workmodel: Option<String>,
    /// What it says; no service without one.
    pub(super) application: Application,
    /// Recorded arrivals, by the names of their files.
    pub(super) files: Vec<(String, String)>,
    /// What was assumed.
    pub(super) assumed: Vec<String>,
}

impl Service<'_> {
    /// The namespace that it is in.
    pub(super) fn namespace(&self) -> &str {
        &self.hosts[0].1
    }

    /// Whether it is outside the clusters.
    pub(super) fn is_external(&self) -> bool {
        self.table.contains_key("external")
    }
}

impl<'a> Model<'a> {
    /// Of these services nothing else is known yet.
    pub(super) fn of(services: Vec<Service<'a>>) -> Self {
        let mut model = Self { services, ..Self::default() };
        model.index_hosts();
        model
    }

    /// Looks up by what services are called from now on; of two of one name the first holds.
    pub(super) fn index_hosts(&mut self) {
        self.hosts.clear();
        for (index, service) in self.services.iter().enumerate() {
            for (name, namespace) in &service.hosts {
                if service.is_external() {
                    self.hosts.entry(name.clone()).or_insert(index);
                }
                self.hosts.entry(format!("{name}.{namespace}")).or_insert(index);
            }
        }
    }

    /// The service that a host names, as somebody in a namespace sees it.
    pub(super) fn of_host(&self, host: &str, namespace: &str) -> Option<usize> {
        let short = host.strip_suffix(".cluster.local").unwrap_or(host);
        let short = short.strip_suffix(".svc").unwrap_or(short);
        match short.contains('.') {
            true => self.hosts.get(short).copied(),
            false => self.hosts.get(&format!("{short}.{namespace}")).copied(),
        }
    }

    /// The workloads whose pods have a label, by their positions.
    pub(super) fn by_label(&self) -> BTreeMap<(String, String), Vec<usize>> {
        let mut all: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, it) in self.workloads.iter().enumerate() {
            it.labels.iter().for_each(|label| all.entry(label.clone()).or_default().push(index));
        }
        all
    }

    /// The services whose pods have these labels and are in a namespace.
    pub(super) fn selected(
        &self,
        by_label: &BTreeMap<(String, String), Vec<usize>>,
        labels: &[(String, String)],
        namespace: Option<&str>,
    ) -> Vec<usize> {
        let all: Vec<usize> = match labels.first() {
            Some(first) => by_label.get(first).cloned().unwrap_or_default(),
            None => (0..self.workloads.len()).collect(),
        };
        let all = all.into_iter().map(|index| &self.workloads[index]);
        let mut found: Vec<usize> = all
            .filter(|it| namespace.is_none_or(|name| it.object.namespace() == name))
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

/// Puts the table of an object under its name, with its namespace behind it if another has that name, and says the name.
pub(super) fn put_named(others: &mut Table, key: &str, object: &Object, written: Table) -> String {
    // Paths of settings go by dots.
    let name = object.name.replace('.', "-");
    let taken = others.get(key).and_then(Value::as_table).is_some_and(|it| it.contains_key(&name));
    let name = if taken { format!("{name}-{}", object.namespace()) } else { name };
    put(others, &format!("{key}.{name}"), Value::Table(written));
    name
}
