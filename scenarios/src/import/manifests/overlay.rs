//! What stands beside manifests: the tables of a scenario that no manifest can say.
//!
//! An overlay is merged over what the manifests come to, as a strategy is over a scenario. Besides, it is asked while they are
//! read: which zones are of which cluster, who the consumer is, which services say what they do.

use super::write;
use crate::library::FILE_OF_LIBRARY;
use crate::merge::merge;
use crate::problem::{Checked, Problem, SourceText};
use crate::scenario::read_text;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use toml::de::{DeTable, Deserializer};
use toml::{Table, Value};

/// An overlay.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    source: Option<Arc<SourceText>>,
    table: Table,
    /// The clusters whose nodes are in a zone.
    zones: BTreeMap<String, BTreeSet<String>>,
    /// Recorded arrivals that it names, with their paths as it writes them.
    pub(in crate::import) recordings: Vec<(String, String)>,
}

impl Overlay {
    /// Reads a file.
    ///
    /// # Errors
    /// If it, or a recording that it names, cannot be read or is not TOML.
    pub fn read(path: &Path) -> Checked<Self> {
        let mut overlay = Self::from_text(&path.display().to_string(), &read_text(path)?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for name in recordings(&overlay.table) {
            let text = read_text(&beside(folder, &name)?)?;
            overlay.recordings.push((name, text));
        }
        Ok(overlay)
    }

    /// Takes a text, which messages call `name`.
    ///
    /// # Errors
    /// If it is not TOML, or has strategies: it is of one.
    pub fn from_text(name: &str, text: &str) -> Checked<Self> {
        let source = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().unwrap_or(0..1);
            Problem::new(error.message()).at(&source, at).help("an overlay is a piece of a scenario, in TOML")
        })?;
        if table.contains_key("strategy") {
            let problem = Problem::new("an overlay has no strategies").at(&source, 0..1);
            return Err(problem.help("add them to the scenario that is imported").into());
        }
        Ok(Self { source: Some(source), ..Self::of(table) })
    }

    /// The same with the recordings that it names.
    pub(crate) fn with_recordings(self, recordings: Vec<(String, String)>) -> Self {
        Self { recordings, ..self }
    }

    /// A table that is asked, and not merged.
    pub(crate) fn of(table: Table) -> Self {
        let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, cluster) in table.get("clusters").and_then(Value::as_table).into_iter().flatten() {
            let own = cluster.get("zone").and_then(Value::as_str).unwrap_or(name);
            let nodes = cluster.get("nodes").and_then(Value::as_array);
            let of_nodes =
                nodes.into_iter().flatten().map(|it| it.get("zone").and_then(Value::as_str).unwrap_or(own));
            let all = match nodes.is_some_and(|it| !it.is_empty()) {
                true => of_nodes.collect(),
                false => vec![own],
            };
            for zone in all {
                zones.entry(zone.to_owned()).or_default().insert(name.clone());
            }
        }
        Self { source: None, table, zones, recordings: Vec::new() }
    }

    /// The clusters that have nodes in these zones; a zone of which nothing is said is a cluster's name. None where a zone is
    /// of several.
    pub(super) fn clusters_of(&self, zones: &[String]) -> Option<BTreeSet<String>> {
        let mut clusters = BTreeSet::new();
        for zone in zones {
            match self.zones.get(zone) {
                None => clusters.insert(zone.clone()),
                Some(known) => match known.first() {
                    Some(one) if known.len() == 1 => clusters.insert(one.clone()),
                    _ => return None,
                },
            };
        }
        Some(clusters)
    }

    /// The consumer of Liqo.
    pub(super) fn consumer(&self) -> Option<&str> {
        self.table.get("liqo")?.get("consumer")?.as_str()
    }

    /// It, and those of further peerings.
    pub(super) fn consumers(&self) -> impl Iterator<Item = &str> {
        let peerings =
            self.table.get("peerings").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let of_peerings = peerings.filter_map(|it| it.get("consumer")?.as_str());
        self.consumer().into_iter().chain(of_peerings)
    }

    /// Names in a table of tables.
    pub(in crate::import) fn names(&self, table: &str) -> impl Iterator<Item = &String> {
        self.table.get(table).and_then(Value::as_table).into_iter().flat_map(Table::keys)
    }

    /// Whether it says something of a service: then it says what that does.
    pub(super) fn says_of_service(&self, name: &str) -> bool {
        self.names("services").any(|it| it == name)
    }

    /// Whether it has something under a key of its own.
    pub(super) fn says(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether it says an autoscaler of a cluster.
    pub(super) fn autoscales(&self) -> bool {
        let mut clusters =
            self.table.get("clusters").and_then(Value::as_table).into_iter().flat_map(Table::values);
        clusters.any(|it| it.get("hpa").is_some())
    }

    /// Whether it says how long applications take to start, of all pods or of those of a service.
    pub(super) fn says_start(&self) -> bool {
        let of_pods = |it: &Value| it.get("application_start").is_some();
        let mut services =
            self.table.get("services").and_then(Value::as_table).into_iter().flat_map(Table::values);
        self.table.get("pods").is_some_and(of_pods)
            || services.any(|it| it.get("start").is_some() || it.get("pods").is_some_and(of_pods))
    }

    /// Whether it says the nodes of a cluster.
    pub(in crate::import) fn says_nodes(&self, cluster: &str) -> bool {
        self.nodes_listed(cluster).is_some()
    }

    /// How many nodes of a cluster it says.
    pub(super) fn nodes_of(&self, cluster: &str) -> usize {
        self.nodes_listed(cluster).and_then(Value::as_array).map_or(0, Vec::len)
    }

    fn nodes_listed(&self, cluster: &str) -> Option<&Value> {
        self.table.get("clusters")?.get(cluster)?.get("nodes")
    }

    /// Whether it says who requests what, and not only more of users that something else says.
    pub(in crate::import) fn says_users(&self) -> bool {
        let users = self.table.get("users").and_then(Value::as_table).into_iter().flat_map(Table::values);
        users.filter_map(Value::as_table).any(|it| it.contains_key("cluster"))
    }

    /// What metrics call its clusters (`clusters.X.names.cluster`), with their names.
    pub(in crate::import) fn clusters_by_name(&self) -> BTreeMap<String, String> {
        let clusters = self.table.get("clusters").and_then(Value::as_table).into_iter().flatten();
        let named = |(cluster, it): (&String, &Value)| {
            Some((it.get("names")?.get("cluster")?.as_str()?.to_owned(), cluster.clone()))
        };
        clusters.filter_map(named).collect()
    }

    /// What is asked where this one goes over another one.
    ///
    /// # Errors
    /// As [`Self::over`].
    pub(super) fn asked_over(&self, other: &Self) -> Checked<Self> {
        Ok(Self::of(self.over(other.table.clone())?))
    }

    /// A scenario's text with what it says over it; the same text if it says nothing.
    ///
    /// # Errors
    /// As [`Self::over`].
    pub(in crate::import) fn over_text(&self, text: &str) -> Checked<String> {
        if self.source.is_none() {
            return Ok(text.to_owned());
        }
        let tables: Table = text.parse().map_err(|error: toml::de::Error| Problem::new(error.message()))?;
        Ok(write::scenario("", &self.over(tables)?, &BTreeMap::new()))
    }

    /// The pairs of clusters that it says are joined.
    pub(in crate::import) fn joined(&self) -> impl Iterator<Item = [&str; 2]> {
        let links = self.table.get("links").and_then(Value::as_table).into_iter().flat_map(Table::values);
        links.filter_map(|it| match it.get("between")?.as_array()?.as_slice() {
            [a, b] => Some([a.as_str()?, b.as_str()?]),
            _ => None,
        })
    }

    /// The tables of a scenario with what it says over them.
    ///
    /// # Errors
    /// If a table would become a value, or a value a table.
    pub(super) fn over(&self, tables: Table) -> Checked<Table> {
        let Some(source) = &self.source else { return Ok(tables) };
        let unreadable = |error: toml::de::Error| Problem::new(error.message()).at(source, 0..1);
        let text = toml::to_string(&tables).map_err(|error| Problem::new(error.to_string()))?;
        let mut base = DeTable::parse(&text).map_err(unreadable)?;
        let change = DeTable::parse(&source.text).map_err(unreadable)?.into_inner();
        merge(base.get_mut(), change).map_err(|(message, at)| {
            Problem::new(message).at(source, at).help("as in the scenario of the manifests")
        })?;
        Ok(Table::deserialize(Deserializer::from(base)).map_err(unreadable)?)
    }
}

/// The recorded arrivals that tables of a scenario name; those of the library need no file.
pub(crate) fn recordings(tables: &Table) -> BTreeSet<String> {
    let users = tables.get("users").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let arrivals = users.filter_map(|it| it.get("arrivals")?.as_table());
    let named = arrivals.filter_map(|it| it.get("file").or_else(|| it.get("points_from"))?.as_str());
    named.filter(|it| !it.starts_with(FILE_OF_LIBRARY)).map(ToOwned::to_owned).collect()
}

/// The path of a recording in a folder, in which it stays when the folder is copied.
///
/// # Errors
/// If it leads out of the folder.
pub(crate) fn beside(folder: &Path, name: &str) -> Checked<PathBuf> {
    let is_inside =
        Path::new(name).components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir));
    if !is_inside {
        let problem = Problem::new(format!("the recording `{name}` is in another folder"));
        return Err(problem.help("put it beside the file that names it").into());
    }
    Ok(folder.join(name))
}
