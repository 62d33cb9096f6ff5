//! Every key of a scenario: what it is, its unit, its range, its default and where that comes from.
//!
//! # Models
//! The types of [`crate::schema`] are the list: names and kinds of values follow from what serde reads, sentences, ranges,
//! defaults and sources stand in their comments (`Default: 2s. Range: 1ms to 1h. Source: ...`), and units with the types that
//! are parsed. [`json_schema()`] derives a JSON Schema from them, which editors take and which everything else here reads.
//!
//! # Assumptions
//! `NAME` stands for whatever the scenario calls a thing. What lists hold has the path of the list.

mod json_schema;
pub mod values;

use json_schema::inner;
pub use json_schema::json_schema;

use crate::document::path_parts;
use crate::problem::{Checked, Problem, clip, nearest};
use serde_json::Value;

/// What stands for a name that the scenario gives.
pub const NAME: &str = "NAME";

/// A key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Its path, with dots.
    pub path: String,
    /// What it is.
    pub sentence: String,
    /// What it is written as.
    pub unit: String,
    /// Which values it takes, where that is more than its unit says.
    pub range: Option<String>,
    /// What holds where it is not written.
    pub default: Option<String>,
    /// Where its default or its meaning comes from.
    pub source: Option<String>,
    /// The words that it takes, each with what it means.
    pub words: Vec<(String, String)>,
    /// The keys below it, each with its sentence.
    pub below: Vec<(String, String)>,
    /// Whether it must be written where what it belongs to is.
    pub is_needed: bool,
}

/// Whether a node, this very one, is among some.
fn is_among(all: &[&Value], node: &Value) -> bool {
    all.iter().any(|it| std::ptr::eq(*it, node))
}

/// Everything that a value may be, what lists hold in place of the lists.
fn alternatives<'a>(node: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let mut all = Vec::new();
    find_alternatives(node, root, &mut Vec::new(), &mut all);
    all
}

/// The same, but for nodes that have been seen: a list may hold lists of its own kind.
fn find_alternatives<'a>(
    node: &'a Value,
    root: &'a Value,
    seen: &mut Vec<&'a Value>,
    all: &mut Vec<&'a Value>,
) {
    let node = inner(node, root);
    if is_among(seen, node) {
        return;
    }
    seen.push(node);
    if node["items"].is_object() {
        return find_alternatives(&node["items"], root, seen, all);
    }
    match node["anyOf"].as_array().or_else(|| node["oneOf"].as_array()) {
        Some(several) => several.iter().for_each(|it| find_alternatives(it, root, seen, all)),
        None => all.push(node),
    }
}

/// The keys below a value, by name, and whether each is needed.
fn keys_below<'a>(node: &'a Value, root: &'a Value) -> Vec<(&'a str, &'a Value, bool)> {
    let mut keys: Vec<(&str, &Value, bool)> = Vec::new();
    for it in alternatives(node, root) {
        let needed =
            |name: &str| it["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
        let named = it["properties"].as_object().into_iter().flatten();
        keys.extend(named.map(|(name, value)| (name.as_str(), value, needed(name))));
        if it["additionalProperties"].is_object() {
            keys.push((NAME, &it["additionalProperties"], false));
        }
    }
    keys
}

/// What a value is written as.
fn unit(node: &Value, root: &Value) -> String {
    unit_within(node, root, &mut Vec::new())
}

/// The same, within values that are being told.
fn unit_within<'a>(node: &'a Value, root: &'a Value, within: &mut Vec<&'a Value>) -> String {
    let node = inner(node, root);
    if is_among(within, node) {
        return "such a value".to_owned();
    }
    if let Some(unit) = node["x-unit"].as_str() {
        return unit.to_owned();
    }
    if let Some(word) = node["const"].as_str() {
        return format!("\"{word}\"");
    }
    within.push(node);
    let several = if node["items"].is_object() {
        Some(format!("a list, each {}", unit_within(&node["items"], root, within)))
    } else if !words(node, root).is_empty() {
        Some("a word".to_owned())
    } else {
        node["anyOf"].as_array().map(|all| {
            let mut units: Vec<String> = all.iter().map(|it| unit_within(it, root, within)).collect();
            units.dedup();
            units.join(", or ")
        })
    };
    within.pop();
    if let Some(several) = several {
        return several;
    }
    let of_kind = |kind: &str| match kind {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "a text",
    };
    match &node["type"] {
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).map(of_kind).collect::<Vec<_>>().join(", or ")
        }
        kind => of_kind(kind.as_str().unwrap_or("string")).to_owned(),
    }
}

/// The words that a value may be, or that its list holds, each with what it means.
fn words(node: &Value, root: &Value) -> Vec<(String, String)> {
    let words_of = |it: &Value| -> Vec<(String, String)> {
        let single = it["const"].as_str().map(|word| (word.to_owned(), text(it).0));
        let listed = it["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        single.into_iter().chain(listed.map(|word| (word.to_owned(), String::new()))).collect()
    };
    alternatives(node, root).into_iter().flat_map(words_of).collect()
}

/// The sentence of a node, and the rest of its comment.
fn text(node: &Value) -> (String, &str) {
    let all = node["description"].as_str().unwrap_or_default();
    let (sentence, rest) = all.split_once("\n\n").unwrap_or((all, ""));
    (sentence.split_whitespace().collect::<Vec<_>>().join(" "), rest)
}

/// What the comment of a key says after a word, as in `Default: 2s.`
fn said(rest: &str, word: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["Default: ", "Range: ", "Source: "];
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    let begin = rest.find(word)? + word.len();
    let rest = &rest[begin..];
    let ends = WORDS.iter().filter_map(|it| rest.find(it));
    let end = ends.min().unwrap_or(rest.len());
    Some(rest[..end].trim().trim_end_matches('.').to_owned())
}

/// The key at a path; `above` is the sentence of what it belongs to.
fn key(path: String, (node, is_needed): (&Value, bool), above: &str, root: &Value) -> Key {
    let own = text(node);
    let rest = if own.0.is_empty() { text(inner(node, root)).1 } else { own.1 };
    let sentence = sentence(node, above, root);
    let below = keys_below(node, root);
    let below = below.into_iter().map(|(name, it, needed)| {
        let own = self::sentence(it, &sentence, root);
        (name.to_owned(), if needed { format!("{own} (needed)") } else { own })
    });
    let below: Vec<(String, String)> = below.collect();
    Key {
        path,
        unit: unit(node, root),
        range: said(rest, "Range: "),
        default: said(rest, "Default: "),
        source: said(rest, "Source: "),
        words: words(node, root),
        below,
        sentence,
        is_needed,
    }
}

/// The sentence of a value. What has no comment of its own, as the elements of a map, has that of its type, else of the map.
fn sentence(node: &Value, above: &str, root: &Value) -> String {
    let of_types = alternatives(node, root).first().map(|it| text(it).0);
    let all = [text(node).0, text(inner(node, root)).0, of_types.unwrap_or_default()];
    all.into_iter().find(|it| !it.is_empty()).unwrap_or_else(|| above.to_owned())
}

/// All keys, each before those below it. What holds itself, as calls do, is written out once.
#[must_use]
pub fn all() -> Vec<Key> {
    let root = json_schema();
    let mut keys = Vec::new();
    walk(("", ""), &root, &root, &mut Vec::new(), &mut keys);
    keys
}

fn walk<'a>(
    (path, sentence): (&str, &str),
    node: &'a Value,
    root: &'a Value,
    above: &mut Vec<&'a Value>,
    keys: &mut Vec<Key>,
) {
    for (name, value, needed) in keys_below(node, root) {
        let path = joined(path, name);
        let found = key(path.clone(), (value, needed), sentence, root);
        let sentence = found.sentence.clone();
        keys.push(found);
        let own = alternatives(value, root);
        if own.iter().any(|it| it["properties"].is_object() && is_among(above, it)) {
            continue;
        }
        let depth = above.len();
        above.extend(own);
        walk((&path, &sentence), value, root, above, keys);
        above.truncate(depth);
    }
}

/// The key at a path, in which names are those of a scenario or `NAME`.
///
/// # Errors
/// If there is none: with what is near.
pub fn explain(path: &str) -> Checked<Key> {
    let root = json_schema();
    let (mut node, mut found) = (&root, Key::default());
    for part in path_parts(path) {
        let below = keys_below(node, &root);
        let named = below.iter().find(|(name, ..)| *name == part);
        let Some((name, value, is_needed)) = named.or_else(|| below.iter().find(|(name, ..)| *name == NAME))
        else {
            return Err(unknown(&part, &found.path, &below).into());
        };
        found = key(joined(&found.path, name), (value, *is_needed), &found.sentence, &root);
        node = value;
    }
    Ok(found)
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn unknown(part: &str, above: &str, known: &[(&str, &Value, bool)]) -> Problem {
    let message = match above {
        "" => format!("a scenario has no key `{}`", clip(part)),
        above => format!("`{above}` has no key `{}`", clip(part)),
    };
    let elsewhere: Vec<String> =
        all().into_iter().map(|it| it.path).filter(|it| it.rsplit('.').next() == Some(part)).collect();
    let help = if !elsewhere.is_empty() {
        let shown = elsewhere.len().min(5);
        format!("did you mean {}?", elsewhere[..shown].join(", "))
    } else if let Some(near) = nearest(part, known.iter().map(|(name, ..)| *name)) {
        let near = if above.is_empty() { near.to_owned() } else { format!("{above}.{near}") };
        format!("did you mean `{near}`?")
    } else if known.is_empty() {
        "nothing stands below it".to_owned()
    } else {
        let names: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
        format!("it is one of {}", names.join(", "))
    };
    Problem::new(message).help(help)
}

/// A table of keys: a type of the schema.
#[derive(Clone, Debug)]
pub struct KeyTable {
    /// What it is.
    pub sentence: String,
    /// The paths at which it stands.
    pub paths: Vec<String>,
    /// Its keys, each by its own name.
    pub keys: Vec<Key>,
}

/// The tables of keys, in the order in which a scenario leads to them.
#[must_use]
pub fn tables() -> Vec<KeyTable> {
    let root = json_schema();
    let mut tables = Vec::new();
    collect("", &root, &root, &mut Vec::new(), &mut tables);
    tables.into_iter().map(|(_, table)| table).collect()
}

/// Tables, each with its node of the schema.
fn collect<'a>(
    path: &str,
    node: &'a Value,
    root: &'a Value,
    above: &mut Vec<&'a Value>,
    tables: &mut Vec<(&'a Value, KeyTable)>,
) {
    for own in alternatives(node, root) {
        if is_among(above, own) {
            continue;
        }
        if let Some(properties) = own["properties"].as_object() {
            if let Some((_, known)) = tables.iter_mut().find(|(it, _)| std::ptr::eq(*it, own)) {
                known.paths.push(path.to_owned());
                continue;
            }
            let below = keys_below(own, root).into_iter().filter(|(name, ..)| properties.contains_key(*name));
            let keys = below.map(|(name, it, needed)| key(name.to_owned(), (it, needed), "", root)).collect();
            let table = KeyTable { sentence: text(own).0, paths: vec![path.to_owned()], keys };
            tables.push((own, table));
        }
        above.push(own);
        for (name, value, _) in keys_below(own, root) {
            collect(&joined(path, name), value, root, above, tables);
        }
        above.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_is() {
        let keys = all();
        assert!(keys.len() > 400, "{}", keys.len());
        for it in keys {
            assert!(it.sentence.len() >= 3 && it.sentence.ends_with('.'), "{}: {}", it.path, it.sentence);
            assert!(!it.unit.is_empty(), "{}", it.path);
        }
    }

    #[test]
    fn a_key_is_explained_whatever_the_scenario_calls_things() {
        let key = explain("links.edge1-cloud.rtt").unwrap();
        assert_eq!((key.path.as_str(), key.is_needed), ("links.NAME.rtt", true));
        assert_eq!(key.unit, "a time with its unit, as in \"160ms\"");
        assert_eq!(explain("run.duration").unwrap().default.as_deref(), Some("20min"));
        assert_eq!(explain("services.s0.start.for").unwrap().path, "services.NAME.start.for");
        assert!(explain("faults.kind").unwrap().words.iter().any(|(word, _)| word == "blackhole"));
        assert!(
            explain("mesh.traffic_policy").unwrap().below.iter().any(|(name, _)| name == "load_balancer")
        );
        assert_eq!(explain("strategy.set").unwrap().unit, "a table");
    }

    #[test]
    fn what_is_near_an_unknown_key_is_said() {
        let said = |path: &str| explain(path).unwrap_err().to_string();
        assert!(said("links.a.rt").contains("did you mean `links.NAME.rtt`?"), "{}", said("links.a.rt"));
        assert!(said("jitterr").contains("no key `jitterr`"));
        assert!(said("rtt").contains("links.NAME.rtt"), "{}", said("rtt"));
    }
}
