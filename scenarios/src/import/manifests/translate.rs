//! Fields that a manifest and a scenario both have, under two names.
//!
//! A table of them is what is known of a kind's fields; [`table`] takes them over. Whatever a manifest has beside them nobody
//! has read, and the report says so.

use super::node::Node;
use toml::{Table, Value};

/// A field of a manifest and the key of a scenario that says the same.
pub(super) struct Field {
    /// Its path in the manifest, with dots.
    pub(super) yaml: &'static str,
    /// Its path in the scenario, with dots.
    pub(super) toml: &'static str,
    /// How it is written.
    pub(super) kind: Kind,
}

/// How a field is written.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A text that is the same in both.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A length of time.
    Time,
    /// A number of seconds, in the scenario a length of time.
    Seconds,
    /// A number, or a text in percent.
    CountOrPercent,
    /// Texts.
    Texts,
    /// Texts by their keys.
    Labels,
    /// Whole numbers by their keys.
    Wholes,
    /// A table.
    Table(&'static [Field]),
    /// A list of tables.
    Tables(&'static [Field]),
    /// Tables by their keys.
    TablesByKey(&'static [Field]),
}

/// A field.
pub(super) const fn field(yaml: &'static str, toml: &'static str, kind: Kind) -> Field {
    Field { yaml, toml, kind }
}

/// Those of these fields that stand in a node.
pub(super) fn table(node: &Node, fields: &'static [Field]) -> Table {
    let mut all = Table::new();
    // A map without keys says that something is there.
    if node.entries().is_empty() {
        node.used();
    }
    for it in fields {
        if let Some(value) = node.get(it.yaml).and_then(|node| value(node, it.kind)) {
            put(&mut all, it.toml, value);
        }
    }
    all
}

/// Puts a value at a path with dots; tables on it are made.
pub(super) fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// A value of a field; nothing if it is wrong, which stands in the node then.
pub(super) fn value(node: &Node, kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Text => Value::String(node.text()?.to_owned()),
        Kind::Whole => Value::Integer(i64::from(node.whole()?)),
        Kind::Number => Value::Float(node.number()?),
        Kind::Flag => Value::Boolean(node.flag()?),
        Kind::Time => Value::String(node.time()?.to_string()),
        Kind::Seconds => Value::String(node.seconds()?.to_string()),
        Kind::CountOrPercent => match node.text()? {
            percent if percent.ends_with('%') => Value::String(percent.to_owned()),
            _ => Value::Integer(i64::from(node.whole()?)),
        },
        Kind::Texts => Value::Array(node.items().iter().filter_map(|it| value(it, Kind::Text)).collect()),
        Kind::Labels => Value::Table(by_key(node, Kind::Text)),
        Kind::Wholes => Value::Table(by_key(node, Kind::Whole)),
        Kind::Table(fields) => Value::Table(table(node, fields)),
        Kind::Tables(fields) => {
            Value::Array(node.items().iter().map(|it| Value::Table(table(it, fields))).collect())
        }
        Kind::TablesByKey(fields) => Value::Table(by_key(node, Kind::Table(fields))),
    })
}

fn by_key(node: &Node, kind: Kind) -> Table {
    node.entries().iter().filter_map(|(key, it)| Some((key.to_string(), value(it, kind)?))).collect()
}
