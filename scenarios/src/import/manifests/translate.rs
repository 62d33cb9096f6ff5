//! Fields that a manifest and a scenario both have, under two names.
//!
//! A table of them is what is known of a kind's fields; [`table`] takes them over, and [`written`] writes them. Whatever a
//! manifest has beside them nobody has read, and the report says so.

use super::node::Node;
use meshsim_core::SimDuration;
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

/// A field of a manifest and the key of a scenario that says the same.
pub(crate) struct Field {
    /// Its path in the manifest, with dots.
    pub(super) yaml: &'static str,
    /// Its path in the scenario, with dots.
    pub(super) toml: &'static str,
    /// How it is written.
    pub(super) kind: Kind,
    /// Whether it is an older name of another field: read, and never written.
    is_older: bool,
}

/// How a field is written.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
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
    Field { yaml, toml, kind, is_older: false }
}

/// An older name of a field.
pub(super) const fn older(yaml: &'static str, toml: &'static str, kind: Kind) -> Field {
    Field { yaml, toml, kind, is_older: true }
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
pub(crate) fn put(table: &mut Table, path: &str, value: Value) {
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

/// The value at a path with dots.
pub(crate) fn find<'t>(table: &'t Table, path: &str) -> Option<&'t Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => find(table.get(first)?.as_table()?, rest),
    }
}

/// Takes a value out, and the tables that are empty without it.
pub(crate) fn take(table: &mut Table, path: &str) {
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

/// What a table of a scenario says, as a manifest says it, as far as these fields can: what they cannot is left out.
pub(crate) fn written(table: &Table, fields: &'static [Field]) -> Map<String, Json> {
    let mut all = Map::new();
    for it in fields.iter().filter(|it| !it.is_older) {
        if let Some(value) = find(table, it.toml).and_then(|value| as_written(value, it.kind)) {
            put_json(&mut all, it.yaml, value);
        }
    }
    all
}

/// Puts a value at a path with dots; maps on it are made.
pub(crate) fn put_json(map: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                put_json(inner, rest, value);
            }
        }
    }
}

fn as_written(value: &Value, kind: Kind) -> Option<Json> {
    let all = |values: &Value, kind| -> Option<Json> {
        values.as_array()?.iter().map(|it| as_written(it, kind)).collect::<Option<Vec<_>>>().map(Json::Array)
    };
    let each = |values: &Value, kind| -> Option<Json> {
        let each = values.as_table()?.iter().map(|(key, it)| Some((key.clone(), as_written(it, kind)?)));
        each.collect::<Option<Map<_, _>>>().map(Json::Object)
    };
    Some(match kind {
        Kind::Text => Json::from(value.as_str()?),
        Kind::Whole => Json::from(u64::try_from(value.as_integer()?).ok()?),
        Kind::Number => match value {
            Value::Integer(number) => Json::from(*number),
            other => Json::from(other.as_float()?),
        },
        Kind::Flag => Json::from(value.as_bool()?),
        Kind::Time => Json::from(as_go_duration(value.as_str()?.parse().ok()?)),
        Kind::Seconds => Json::from(whole_seconds(value.as_str()?)?),
        Kind::CountOrPercent => match value {
            Value::String(percent) => Json::from(percent.as_str()),
            other => Json::from(other.as_integer()?),
        },
        Kind::Texts => all(value, Kind::Text)?,
        Kind::Labels => each(value, Kind::Text)?,
        Kind::Wholes => each(value, Kind::Whole)?,
        Kind::Table(fields) => Json::Object(written(value.as_table()?, fields)),
        Kind::Tables(fields) => all(value, Kind::Table(fields))?,
        Kind::TablesByKey(fields) => each(value, Kind::Table(fields))?,
    })
}

/// A length of time in whole seconds, if it is one.
pub(crate) fn whole_seconds(text: &str) -> Option<u64> {
    let nanos = text.parse::<SimDuration>().ok()?.as_nanos();
    nanos.is_multiple_of(1_000_000_000).then_some(nanos / 1_000_000_000)
}

/// As Go writes it, whose units end with hours and have no `min`.
pub(crate) fn as_go_duration(time: SimDuration) -> String {
    let nanos = time.as_nanos();
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
    let (unit, length) =
        units.into_iter().find(|(_, length)| nanos.is_multiple_of(*length)).unwrap_or(("ns", 1));
    format!("{}{unit}", nanos / length)
}

/// A quantity of Kubernetes in bytes, as the scenario writes it.
pub(super) fn bytes(text: &str) -> Option<String> {
    const SUFFIXES: [(&str, f64); 12] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("", 1.0),
    ];
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
    let amount = number * factor;
    (amount.is_finite() && amount >= 0.0).then(|| match *suffix {
        "Ki" | "Mi" | "Gi" | "k" | "M" | "G" => text.to_owned(),
        _ => format!("{amount}B"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::manifests::destination_rules::TRAFFIC_POLICY;

    #[test]
    fn what_is_written_is_what_is_read() {
        let policy: Table =
            "connection_pool = { tcp = { connect_timeout = \"1500ms\", max_connections = 3 } }\n\
             load_balancer = { warmup = { duration = \"1min\", aggression = 2 } }\n\
             outlier_detection = { interval = \"250us\" }"
                .parse()
                .unwrap();
        let json = Json::Object(written(&policy, TRAFFIC_POLICY)).to_string();
        assert_eq!(
            json,
            "{\"connectionPool\":{\"tcp\":{\"connectTimeout\":\"1500ms\",\"maxConnections\":3}},\
             \"loadBalancer\":{\"warmup\":{\"aggression\":2,\"duration\":\"60s\"}},\
             \"outlierDetection\":{\"interval\":\"250us\"}}"
        );
    }

    #[test]
    fn what_a_manifest_cannot_say_is_left_out() {
        assert_eq!(whole_seconds("90s"), Some(90));
        assert_eq!(whole_seconds("1500ms"), None);
        const WHOLE: &[Field] = &[field("a", "a", Kind::Whole)];
        assert!(written(&"a = -1".parse().unwrap(), WHOLE).is_empty());
    }
}
