//! Compares what was expected with what came out.

use serde_json::Value;

/// Relative error of floating-point numbers, absolute below 1.
const TOLERANCE: f64 = 1e-9;

/// What is expected and did not come out, one line each.
pub(crate) fn differences(expected: &Value, got: &Value) -> Vec<String> {
    let expected = expected.as_object().expect("`expected` is an object");
    let mut found = Vec::new();
    for (key, value) in expected {
        match got.get(key) {
            Some(got) if same(key, value, got) => {}
            Some(got) => found.push(format!("`{key}` is {got}, expected {value}")),
            None => found.push(format!("`{key}` is not computed")),
        }
    }
    found
}

/// The rules that sections of the vectors grant to keys of theirs.
fn same(key: &str, expected: &Value, got: &Value) -> bool {
    match key {
        "success_rate" => equal(expected, got, 1e-6),
        "events" => equal(&any_order_within(expected), &any_order_within(got), TOLERANCE),
        "localities" => {
            let sort = |all: &Value| any_order(all, "endpoints");
            equal(&sort(expected), &sort(got), TOLERANCE)
        }
        "ejected" | "unready" | "missing" | "ignored" => sorted(expected) == sorted(got),
        "retry_on" => words(expected) == words(got),
        // Exactly these keys.
        "outlier_detection" | "not_enforced" => {
            keys(expected) == keys(got) && equal(expected, got, TOLERANCE)
        }
        _ => equal(expected, got, TOLERANCE),
    }
}

fn equal(expected: &Value, got: &Value, tolerance: f64) -> bool {
    match (expected, got) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| match found.get(key) {
                Some(got) if key == "retry_on" => same(key, value, got),
                Some(got) => equal(value, got, tolerance),
                None => false,
            })
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(value, got)| equal(value, got, tolerance))
        }
        (Value::Number(expected), Value::Number(got)) => {
            if !expected.is_f64() && !got.is_f64() {
                return expected == got;
            }
            let near = |(a, b): (f64, f64)| (a - b).abs() <= tolerance * a.abs().max(1.0);
            expected.as_f64().zip(got.as_f64()).is_some_and(near)
        }
        _ => expected == got,
    }
}

/// Events with the same time and action may come in any order.
fn any_order_within(events: &Value) -> Value {
    let mut events = events.as_array().cloned().unwrap_or_default();
    let moment = |event: &Value| (event["t"].as_f64(), event["action"].to_string());
    for together in events.chunk_by_mut(|a, b| moment(a) == moment(b)) {
        together.sort_by_key(|event| event["host"].to_string());
    }
    Value::Array(events)
}

/// The lists at a key, each of which may be in any order.
fn any_order(objects: &Value, key: &str) -> Value {
    let mut objects = objects.clone();
    for list in objects.as_array_mut().into_iter().flatten().filter_map(|it| it[key].as_array_mut()) {
        list.sort_by_key(Value::to_string);
    }
    objects
}

fn sorted(list: &Value) -> Vec<String> {
    let mut items: Vec<_> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
    items.sort();
    items
}

/// A set of words with commas between them.
fn words(text: &Value) -> Vec<&str> {
    let words = text.as_str().unwrap_or_default().split(',').map(str::trim);
    let mut words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn keys(object: &Value) -> Vec<&String> {
    let mut keys: Vec<_> = object.as_object().into_iter().flatten().map(|(key, _)| key).collect();
    keys.sort();
    keys
}
