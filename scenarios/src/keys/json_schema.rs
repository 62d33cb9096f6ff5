//! How the JSON Schema of a scenario is made: from the types of [`crate::schema`], and what is read before these are.

use crate::schema::{Scenario, StrategyHead};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// JSON Schema (draft 7) of a scenario.
#[must_use]
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let head = generator.subschema_for::<StrategyHead>();
    let root = generator.into_root_schema_for::<Scenario>();
    let mut root = root.to_value();
    let head = inner(head.as_value(), &root).clone();
    if let Some(properties) = root["properties"].as_object_mut() {
        properties.insert("strategy".to_owned(), strategies(head));
        properties.insert("cluster_template".to_owned(), templates());
    }
    root["title"] = json!("a scenario of meshsim");
    without_null(&mut root);
    root
}

/// The list of strategies, which are taken out before a scenario is read.
fn strategies(mut head: Value) -> Value {
    head["properties"]["set"] = json!({
        "type": "object",
        "description": "What it changes: values by their paths, as in set.clusters.edge1.services = [\"s0\"]."
    });
    if let Some(needed) = head["required"].as_array_mut() {
        needed.push(json!("set"));
    }
    json!({ "type": "array", "items": head, "description": "The strategies that are compared, each a named set of changes." })
}

/// Templates, which are written out before a scenario is read: their values have rules that no type knows.
fn templates() -> Value {
    let described = |kind: &str, text: &str| json!({ "type": kind, "description": text });
    json!({
        "type": "array",
        "description": "Templates that write many clusters, each with a link and users: keys of a cluster, and these.",
        "items": {
            "type": "object",
            "required": ["name", "count"],
            "properties": {
                "name": described("string", "What the clusters are called; {n} stands for the number of each, as in edge{n}."),
                "count": described("integer", "How many it writes.\n\nRange: 1 to 10000."),
                "first": described("integer", "The number of the first.\n\nDefault: 1."),
                "link": {
                    "type": ["object", "array"],
                    "description": "The link, or the links, of each: keys of a link, and `to`, the cluster at its other end."
                },
                "users": described("object", "The users of each: keys of users."),
            }
        }
    })
}

/// Takes out that a value may be null, which TOML has not: such keys may be left out, and `x-optional` says so.
fn without_null(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if let Some(Value::Array(kinds)) = map.get_mut("type")
                && kinds.contains(&json!("null"))
            {
                kinds.retain(|kind| kind != "null");
                if let [only] = &kinds[..] {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
                map.insert("x-optional".to_owned(), json!(true));
            }
            if let Some(Value::Array(words)) = map.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if let Some(Value::Array(all)) = map.get_mut("anyOf")
                && all.iter().any(|it| it["type"] == "null")
            {
                all.retain(|it| it["type"] != "null");
                if let [only] = &all[..] {
                    let only = only.clone();
                    map.remove("anyOf");
                    // Of draft 7 a reference stands alone.
                    map.insert("allOf".to_owned(), json!([only]));
                }
                map.insert("x-optional".to_owned(), json!(true));
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(all) => all.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// What a node is once references are followed.
pub(super) fn inner<'a>(node: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(reference) = node["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return inner(&root["definitions"][name], root);
    }
    match node["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) => inner(only, root),
        _ => node,
    }
}
