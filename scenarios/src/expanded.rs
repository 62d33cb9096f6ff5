//! A scenario with its templates written out, as TOML again.

use crate::document::Document;
use crate::problem::{Checked, Problem};
use serde::Deserialize;
use toml::de::Deserializer;
use toml::{Table, Value};

/// The scenario as it stands with its settings, as a file without templates. Strategies say what
/// they change in the clusters, links and users that templates write.
///
/// # Errors
/// If the scenario is not TOML, or its templates or changes are wrong.
pub fn expanded(document: &Document) -> Checked<String> {
    let table = |strategy| tables(document, strategy);
    let base = table(None)?;
    let mut strategies = Vec::new();
    for (index, head) in document.strategies()?.into_iter().enumerate() {
        let mut strategy = Table::new();
        strategy.insert("name".to_owned(), Value::String(head.name.into_inner()));
        if let Some(description) = head.description {
            strategy.insert("description".to_owned(), Value::String(description));
        }
        strategy.insert("set".to_owned(), Value::Table(difference(&base, &table(Some(index))?)));
        strategies.push(Value::Table(strategy));
    }
    let mut all = base;
    if !strategies.is_empty() {
        all.insert("strategy".to_owned(), Value::Array(strategies));
    }
    toml::to_string(&all).map_err(|error| Problem::new(error.to_string()).into())
}

/// What is written of the scenario under a strategy, without templates and strategies.
///
/// # Errors
/// If the scenario is not TOML, or its templates or changes are wrong.
pub(crate) fn tables(document: &Document, strategy: Option<usize>) -> Checked<Table> {
    let tree = document.tree(strategy)?;
    Table::deserialize(Deserializer::from(tree)).map_err(|error| Problem::new(error.message()).into())
}

/// What a strategy changes: nothing that the base has is ever missing, but for tables of another type.
fn difference(base: &Table, changed: &Table) -> Table {
    let mut all = Table::new();
    for (key, value) in changed {
        let change = match (base.get(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if old.get("type") == new.get("type") => {
                let inner = difference(old, new);
                (!inner.is_empty()).then_some(Value::Table(inner))
            }
            (Some(old), new) if old == new => None,
            (_, new) => Some(new.clone()),
        };
        all.extend(change.map(|change| (key.clone(), change)));
    }
    all
}
