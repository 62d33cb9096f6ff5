//! What a change of strategy changes: objects that come and go, fields that are another, and what manifests cannot say.

use super::{Exported, Manifest, export};
use crate::problem::{Checked, Problem};
use crate::scenario::Scenario;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What changes from one strategy to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Objects that come, each with its file.
    pub added: Vec<String>,
    /// Objects that go.
    pub removed: Vec<String>,
    /// Objects that have other fields.
    pub changed: BTreeMap<String, Vec<FieldChange>>,
    /// What changes beside the manifests.
    pub beside: Vec<FieldChange>,
}

/// A value that is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path, with dots.
    pub path: String,
    /// What it was, if it was there.
    pub from: Option<String>,
    /// What it is, if it is there.
    pub to: Option<String>,
}

/// Compares the manifests of two strategies.
///
/// # Errors
/// As [`export`], or if the scenario has no strategies.
pub fn difference(scenario: &Scenario, from: &str, to: &str) -> Checked<Difference> {
    let of = |name: &str| -> Checked<Exported> { export(scenario, scenario.strategy(Some(name))?) };
    Ok(between(&of(from)?, &of(to)?)?)
}

fn between(from: &Exported, to: &Exported) -> Result<Difference, Problem> {
    let by_title = |all: &Exported| -> BTreeMap<String, Manifest> {
        all.manifests.iter().map(|it| (format!("{} ({})", it.title(), it.path()), it.clone())).collect()
    };
    let (old, new) = (by_title(from), by_title(to));
    let mut all = Difference {
        added: new.keys().filter(|it| !old.contains_key(*it)).cloned().collect(),
        removed: old.keys().filter(|it| !new.contains_key(*it)).cloned().collect(),
        ..Difference::default()
    };
    for (title, old) in &old {
        let Some(new) = new.get(title) else { continue };
        let changes = changes(&leaves(&old.object), &leaves(&new.object));
        if !changes.is_empty() {
            all.changed.insert(title.clone(), changes);
        }
    }
    let tables = |text: &str| -> Result<Json, Problem> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| Problem::new(error.message()))?;
        serde_json::to_value(table).map_err(|error| Problem::new(error.to_string()))
    };
    all.beside = changes(&leaves(&tables(&from.overlay)?), &leaves(&tables(&to.overlay)?));
    Ok(all)
}

fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FieldChange> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
    changed
        .map(|path| FieldChange {
            path: path.clone(),
            from: old.get(path).cloned(),
            to: new.get(path).cloned(),
        })
        .collect()
}

/// The values of an object by their paths.
fn leaves(value: &Json) -> BTreeMap<String, String> {
    fn add(path: &str, value: &Json, all: &mut BTreeMap<String, String>) {
        let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Json::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, it)| add(&inner(key), it, all));
            }
            Json::Array(list) if list.iter().any(|it| it.is_object() || it.is_array()) => {
                list.iter().enumerate().for_each(|(index, it)| add(&format!("{path}[{index}]"), it, all));
            }
            other => {
                all.insert(path.to_owned(), other.to_string());
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", value, &mut all);
    all
}

impl fmt::Display for Difference {
    /// A line each: `+` comes, `-` goes, `~` changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, listed) in [("+", &self.added), ("-", &self.removed)] {
            for it in listed {
                writeln!(f, "{sign} {it}")?;
            }
        }
        for (title, changes) in &self.changed {
            writeln!(f, "~ {title}")?;
            for it in changes {
                writeln!(f, "    {it}")?;
            }
        }
        if !self.beside.is_empty() {
            writeln!(f, "~ what no manifest says")?;
            for it in &self.beside {
                writeln!(f, "    {it}")?;
            }
        }
        if *self == Self::default() {
            writeln!(f, "nothing changes")?;
        }
        Ok(())
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        write!(f, "{}: {} -> {}", self.path, from.unwrap_or("nothing"), to.unwrap_or("nothing"))
    }
}
