//! Objects of manifests, and what all that write them go by.

use crate::import::manifests::workloads::CLUSTER_LABEL;
use crate::problem::{Checked, Problem, Problems, clip};
use meshsim_models::ids::ServiceId;
use meshsim_models::world::description::{DEFAULT_NAMESPACE, Description};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// The folder of what all clusters have.
pub(super) const SHARED: &str = "shared";

/// The label by which a Service selects its pods, of their service or of that of which they are a version.
pub(super) const APP: &str = "app";

/// An object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The cluster to whose API server it belongs, or `shared` by all.
    pub folder: String,
    /// The name of its file, without its ending.
    pub file: String,
    /// The object.
    pub object: Json,
}

impl Manifest {
    /// The path of its file.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}.yaml", self.folder, self.file)
    }

    /// What it is called: kind, namespace and name.
    #[must_use]
    pub fn title(&self) -> String {
        let word = |path: &str| self.object.pointer(path).and_then(Json::as_str);
        let namespace = word("/metadata/namespace").map_or_else(String::new, |it| format!("{it}/"));
        format!(
            "{} {namespace}{}",
            word("/kind").unwrap_or_default(),
            word("/metadata/name").unwrap_or_default()
        )
    }

    /// The object as YAML.
    ///
    /// # Panics
    /// Never: values of JSON are values of YAML.
    #[must_use]
    pub fn text(&self) -> String {
        serde_saphyr::to_string(&self.object).expect("JSON is YAML")
    }
}

/// What is exported.
pub(super) struct Exporter<'a> {
    /// The scenario's tables, written out.
    pub(super) whole: &'a Table,
    pub(super) description: &'a Description,
    /// The clusters by name, each with the zones of its nodes.
    pub(super) clusters: BTreeMap<String, Vec<String>>,
    /// The numbers of services by their names.
    numbers: BTreeMap<&'a str, ServiceId>,
}

impl<'a> Exporter<'a> {
    /// # Errors
    /// If a name cannot be one of Kubernetes.
    pub(super) fn new(whole: &'a Table, description: &'a Description) -> Checked<Self> {
        let clusters = whole.get("clusters").and_then(Value::as_table).into_iter().flatten();
        let clusters = clusters.map(|(name, cluster)| (name.clone(), zones(name, cluster))).collect();
        let services = description.application.services.enumerate();
        let numbers = services.map(|(id, it)| (it.name.as_str(), id)).collect();
        let exporter = Self { whole, description, clusters, numbers };
        let problems = exporter.names_that_are_none();
        if problems.is_empty() { Ok(exporter) } else { Err(Problems(problems)) }
    }

    fn names_that_are_none(&self) -> Vec<Problem> {
        let services = self.numbers.keys().map(|it| ("service", (*it).to_owned()));
        let clusters = self.clusters.keys().map(|it| ("cluster", it.clone()));
        let namespaces =
            self.numbers.values().map(|it| ("namespace", self.description.namespace_of(*it).to_owned()));
        let all: BTreeSet<(&str, String)> = services.chain(clusters).chain(namespaces).collect();
        let wrong = all.iter().filter(|(_, name)| !is_label(name));
        let problem = |(kind, name): &(&str, String)| {
            let message =
                format!("the {kind} `{}` has a name that no object of Kubernetes can have", clip(name));
            Problem::new(message).help("write a name of small letters, digits and `-`, at most 63 of them")
        };
        wrong.map(problem).collect()
    }

    /// What is written of a service.
    pub(super) fn service(&self, name: &str) -> Option<&'a Table> {
        self.whole.get("services")?.get(name)?.as_table()
    }

    /// A text that is written of a service.
    pub(super) fn word(&self, service: &str, key: &str) -> Option<&'a str> {
        self.service(service)?.get(key)?.as_str()
    }

    /// The service behind whose Service the pods of this one stand.
    pub(super) fn front<'s>(&'s self, service: &'s str) -> &'s str {
        self.word(service, "version_of").unwrap_or(service)
    }

    pub(super) fn is_external(&self, service: &str) -> bool {
        self.service(service).is_some_and(|it| it.get("external").and_then(Value::as_bool) == Some(true))
    }

    /// The services that have a Service, with Deployments behind it, or a ServiceEntry.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &'a str> {
        let running = self.clusters.keys().flat_map(|it| self.running(it));
        let fronts: BTreeSet<&str> = running.map(|it| self.word(it, "version_of").unwrap_or(it)).collect();
        self.numbers.keys().copied().filter(move |it| fronts.contains(it) || self.is_external(it))
    }

    pub(super) fn namespace(&self, service: &str) -> &'a str {
        self.numbers.get(service).map_or(DEFAULT_NAMESPACE, |it| self.description.namespace_of(*it))
    }

    pub(super) fn number(&self, service: &str) -> Option<ServiceId> {
        self.numbers.get(service).copied()
    }

    /// The host by which a service is called.
    pub(super) fn host(&self, service: &str) -> String {
        match self.is_external(service) {
            true => format!("{service}.example.com"),
            false => format!("{service}.{}.svc.cluster.local", self.namespace(service)),
        }
    }

    /// The services that run in a cluster.
    pub(super) fn running(&self, cluster: &str) -> impl Iterator<Item = &'a str> {
        let listed = self.whole.get("clusters").and_then(|it| it.get(cluster)?.get("services")?.as_array());
        listed.into_iter().flatten().filter_map(Value::as_str)
    }

    /// What a cluster's table has for a service.
    pub(super) fn of_cluster(&self, cluster: &str, key: &str, service: &str) -> Option<&'a Value> {
        self.whole.get("clusters")?.get(cluster)?.get(key)?.get(service)
    }
}

/// Adds an object.
pub(super) fn push(all: &mut Vec<Manifest>, folder: &str, file: &str, object: Json) {
    all.push(Manifest { folder: folder.to_owned(), file: file.to_owned(), object });
}

/// An object with a name.
pub(super) fn object(api: &str, kind: &str, namespace: Option<&str>, name: &str, spec: Option<Json>) -> Json {
    let mut metadata = Map::from_iter([("name".to_owned(), json!(name))]);
    metadata.extend(namespace.map(|it| ("namespace".to_owned(), json!(it))));
    let mut all = Map::from_iter([
        ("apiVersion".to_owned(), json!(api)),
        ("kind".to_owned(), json!(kind)),
        ("metadata".to_owned(), Json::Object(metadata)),
    ]);
    all.extend(spec.map(|it| ("spec".to_owned(), it)));
    Json::Object(all)
}

/// A term by which a node has one of some values for each of some labels.
pub(super) fn node_term(labels: impl Iterator<Item = (String, Json)>) -> Json {
    let expressions = labels.map(|(key, values)| json!({ "key": key, "operator": "In", "values": values }));
    json!({ "matchExpressions": expressions.collect::<Vec<_>>() })
}

/// Labels of nodes that a scenario asks for.
pub(super) fn asked(table: Option<&Table>) -> impl Iterator<Item = (String, Json)> {
    table.into_iter().flatten().map(|(key, values)| {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        (key.clone(), json!(values.collect::<Vec<_>>()))
    })
}

/// The zones in which a cluster has nodes.
fn zones(name: &str, cluster: &Value) -> Vec<String> {
    let own = cluster.get("zone").and_then(Value::as_str).unwrap_or(name);
    let nodes = cluster.get("nodes").and_then(Value::as_array).into_iter().flatten();
    let zones: BTreeSet<&str> =
        nodes.map(|it| it.get("zone").and_then(Value::as_str).unwrap_or(own)).collect();
    zones.into_iter().map(str::to_owned).collect()
}

/// The label of the zones of some clusters.
pub(super) fn zone_label(zones: impl Iterator<Item = String>) -> (String, Json) {
    (CLUSTER_LABEL.to_owned(), json!(zones.collect::<Vec<_>>()))
}

/// A label of DNS (RFC 1123), as Services and clusters of Liqo have it.
fn is_label(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
