//! Changes of a tree of values by another tree.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong in a tree: a message and its location.
pub(crate) type Wrong = (String, Range<usize>);

/// Changes `base` by `change`, table by table. A table whose `type` changes is another one: of the old
/// one nothing is left. A rule of a template is a value, and so is a law that is written as a whole.
pub(crate) fn merge<'i>(base: &mut DeTable<'i>, change: DeTable<'i>) -> Result<(), Wrong> {
    for (key, value) in change {
        let name = key.get_ref().clone().into_owned();
        let span = value.span();
        match (base.get_mut(name.as_str()).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(old)), DeValue::Table(new)) if !replaces(old, &new) => merge(old, new)?,
            (Some(DeValue::Table(old)), new) if !matches!(new, DeValue::Table(_)) && !is_value(old) => {
                return Err((format!("`{name}` is a table and cannot become a value"), span));
            }
            (Some(old), DeValue::Table(new)) if !matches!(old, DeValue::Table(_)) && !is_value(&new) => {
                return Err((
                    format!("`{name}` is a value and cannot become a table: set it as a whole"),
                    span,
                ));
            }
            (_, new) => {
                base.remove(name.as_str());
                base.insert(key, Spanned::new(span, new));
            }
        }
    }
    Ok(())
}

/// The paths that both tables set.
pub(crate) fn collect_common(
    setting: &DeTable<'_>,
    changes: &DeTable<'_>,
    above: &str,
    found: &mut Vec<String>,
) {
    for (key, value) in setting {
        let name = key.get_ref().as_ref();
        let Some(other) = changes.get(name) else { continue };
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        match (value.get_ref(), other.get_ref()) {
            (DeValue::Table(inner), DeValue::Table(other)) => collect_common(inner, other, &path, found),
            _ => found.push(path),
        }
    }
}

/// Whether a value of a template says how clusters differ.
pub(crate) fn is_rule(table: &DeTable<'_>) -> bool {
    let has = |key| table.contains_key(key);
    (table.len() == 1 && has("in_turn")) || (table.len() == 2 && has("from") && has("to"))
}

/// Whether a table stands for a value.
fn is_value(table: &DeTable<'_>) -> bool {
    is_rule(table) || is_law(table)
}

/// Whether a table is a law of times or sizes, and not only one of its keys.
fn is_law(table: &DeTable<'_>) -> bool {
    table.contains_key("law") && (table.contains_key("mean") || table.contains_key("quantiles"))
}

/// Whether a table takes the place of another one as a whole.
fn replaces(old: &DeTable<'_>, new: &DeTable<'_>) -> bool {
    let kind =
        |table: &DeTable<'_>| table.get("type").and_then(|it| it.get_ref().as_str()).map(str::to_owned);
    let is_other_type = matches!((kind(old), kind(new)), (Some(old), Some(new)) if old != new);
    is_other_type || is_value(new) || (is_rule(old) && new.contains_key("in_turn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, change: &str) -> Result<toml::Table, String> {
        use serde::Deserialize;
        let mut tree = DeTable::parse(base).unwrap();
        merge(tree.get_mut(), DeTable::parse(change).unwrap().into_inner())
            .map_err(|(message, _)| message)?;
        Ok(toml::Table::deserialize(toml::de::Deserializer::from(tree)).unwrap())
    }

    #[test]
    fn tables_merge_and_other_types_replace() {
        let base = "a = { type = \"x\", b = 1, c = 2 }";
        assert_eq!(merged(base, "a.b = 5").unwrap(), toml::toml! { a = { type = "x", b = 5, c = 2 } });
        assert_eq!(
            merged(base, "a = { type = \"y\", d = 1 }").unwrap(),
            toml::toml! { a = { type = "y", d = 1 } }
        );
        assert_eq!(merged(base, "a = 5").unwrap_err(), "`a` is a table and cannot become a value");
        assert_eq!(
            merged("a = 5", "a.b = 1").unwrap_err(),
            "`a` is a value and cannot become a table: set it as a whole"
        );
    }

    #[test]
    fn laws_are_values() {
        let law = "a = { law = \"gamma\", mean = \"5ms\", cv = 0.5 }";
        let whole = toml::toml! { a = { law = "gamma", mean = "5ms", cv = 0.5 } };
        assert_eq!(merged("a = \"3ms\"", law).unwrap(), whole);
        assert_eq!(
            merged("a = { law = \"empirical\", quantiles = [\"1ms\", \"2ms\"] }", law).unwrap(),
            whole
        );
        assert_eq!(merged(law, "a = \"3ms\"").unwrap(), toml::toml! { a = "3ms" });
        let mean = toml::toml! { a = { law = "gamma", mean = "7ms", cv = 0.5 } };
        assert_eq!(merged(law, "a.mean = \"7ms\"").unwrap(), mean);
        assert!(merged("a = \"3ms\"", "a.mean = \"7ms\"").unwrap_err().contains("cannot become a table"));
    }

    #[test]
    fn rules_of_templates_are_values() {
        let base = "a = { in_turn = [1, 2] }";
        assert_eq!(merged(base, "a = 5").unwrap(), toml::toml! { a = 5 });
        assert_eq!(merged("a = 5", base).unwrap(), toml::toml! { a = { in_turn = [1, 2] } });
        let span = "a = { from = \"1s\", to = \"2s\" }";
        assert_eq!(merged(base, span).unwrap(), toml::toml! { a = { from = "1s", to = "2s" } });
        assert_eq!(merged(span, base).unwrap(), toml::toml! { a = { in_turn = [1, 2] } });
        assert_eq!(merged(span, "a.to = \"9s\"").unwrap(), toml::toml! { a = { from = "1s", to = "9s" } });
    }
}
