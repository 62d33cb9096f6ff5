//! A scenario's tables as TOML that people read: in the order in which they think, with comments.

use std::collections::BTreeMap;
use std::fmt::Write;
use toml::{Table, Value};

/// The first line of a scenario that was imported.
pub const BEGIN: &str = "# Imported by meshsim";

/// Tables of tables, each of which is written with a header of its own.
const BY_NAME: [&str; 10] = [
    "applications",
    "hosts",
    "clusters",
    "links",
    "peerings",
    "services",
    "namespaces",
    "authorization_policies",
    "peer_authentications",
    "users",
];

/// The order of the tables.
const ORDER: [&str; 14] = [
    "run",
    "application",
    "pods",
    "hpa",
    "clusters",
    "links",
    "liqo",
    "peerings",
    "mesh",
    "services",
    "namespaces",
    "authorization_policies",
    "peer_authentications",
    "users",
];

/// A whole scenario; comments stand before a table or a key of that path.
pub(crate) fn scenario(head: &str, scenario: &Table, comments: &BTreeMap<String, String>) -> String {
    let mut text = head.to_owned();
    for (key, value) in scenario.iter().filter(|(_, value)| !value.is_table()) {
        comment(&mut text, comments.get(key));
        let _ = writeln!(text, "{} = {value}", self::key(key));
    }
    let others = scenario.keys().map(String::as_str).filter(|name| !ORDER.contains(name));
    let names = ORDER.into_iter().chain(others);
    for (name, table) in names.filter_map(|name| Some((name, scenario.get(name)?.as_table()?))) {
        let inner = table.values().all(Value::is_table);
        if inner && BY_NAME.contains(&name) {
            for (inner, value) in table {
                let Some(table) = value.as_table() else { continue };
                section(
                    &mut text,
                    &format!("{name}.{}", key(inner)),
                    &format!("{name}.{inner}"),
                    table,
                    comments,
                );
            }
        } else {
            section(&mut text, name, name, table, comments);
        }
    }
    text
}

fn section(text: &mut String, header: &str, path: &str, table: &Table, comments: &BTreeMap<String, String>) {
    text.push('\n');
    comment(text, comments.get(path));
    let _ = writeln!(text, "[{header}]");
    for (name, value) in table {
        comment(text, comments.get(&format!("{path}.{name}")));
        let _ = writeln!(text, "{} = {value}", key(name));
    }
}

fn comment(text: &mut String, comment: Option<&String>) {
    for line in comment.into_iter().flat_map(|it| it.lines()) {
        let _ = writeln!(text, "# {line}");
    }
}

/// A key, in quotes if it needs them.
pub(crate) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => Value::String(name.to_owned()).to_string(),
    }
}
