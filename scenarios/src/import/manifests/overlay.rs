//! What stands beside manifests: the tables of a scenario that no manifest can say.
//!
//! An overlay is merged over what the manifests come to, as a strategy is over a scenario. Besides, it is asked while they are
//! read: which zones are of which cluster, who the consumer is, which services say what they do.

use crate::merge::merge;
use crate::problem::{Checked, Problem, SourceText};
use crate::scenario::read_text;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
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
}

impl Overlay {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is not TOML.
    pub fn read(path: &Path) -> Checked<Self> {
        Self::from_text(&path.display().to_string(), &read_text(path)?)
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
        Self { source: None, table, zones }
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
    pub(super) fn names(&self, table: &str) -> impl Iterator<Item = &String> {
        self.table.get(table).and_then(Value::as_table).into_iter().flat_map(Table::keys)
    }

    /// Whether it says something of a service: then it says what that does.
    pub(super) fn says_of_service(&self, name: &str) -> bool {
        self.names("services").any(|it| it == name)
    }

    /// Whether it says the nodes of a cluster.
    pub(super) fn says_nodes(&self, cluster: &str) -> bool {
        let clusters = self.table.get("clusters");
        clusters.and_then(|it| it.get(cluster)?.get("nodes")).is_some()
    }

    /// The pairs of clusters that it says are joined.
    pub(super) fn joined(&self) -> impl Iterator<Item = [&str; 2]> {
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
