//! Every value of a scenario, and where each comes from.

use super::{NAME, inner, joined, keys_below, said, text};
use crate::document::{Document, value_in};
use crate::problem::Checked;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// A value of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its path.
    pub path: String,
    /// What it is: as it is written, or as the list of keys says it of a default.
    pub value: String,
    /// `FILE:LINE`, with a strategy or a template where it is theirs, `--set`, or `default`.
    pub origin: String,
}

/// The values that hold under a strategy, or in the base, in the order of their paths: those that are written, and the
/// defaults of tables that hold although nobody writes them.
pub(crate) fn resolved(
    document: &Document,
    strategy: Option<usize>,
    schema: &Value,
) -> Checked<Vec<Resolved>> {
    let tree = document.tree(strategy)?;
    let base = document.tree(None)?;
    let own = document.parse()?;
    let name = match strategy {
        Some(index) => document.strategies()?.get(index).map(|it| it.name.get_ref().clone()),
        None => None,
    };
    let all = All { document, base: base.get_ref(), own: own.get_ref(), strategy: name, schema };
    let mut found = Vec::new();
    all.table("", &mut Vec::new(), Some(tree.get_ref()), Some(schema), &mut found);
    Ok(found)
}

struct All<'a> {
    document: &'a Document,
    /// Without the strategy.
    base: &'a DeTable<'a>,
    /// As the file has it.
    own: &'a DeTable<'a>,
    strategy: Option<String>,
    schema: &'a Value,
}

impl All<'_> {
    fn table(
        &self,
        path: &str,
        names: &mut Vec<String>,
        written: Option<&DeTable<'_>>,
        schema: Option<&Value>,
        found: &mut Vec<Resolved>,
    ) {
        let known = schema.map(|it| keys_below(it, self.schema)).unwrap_or_default();
        let of = |name: &str| {
            known.iter().find(|it| it.0 == name).or_else(|| known.iter().find(|it| it.0 == NAME))
        };
        for (name, value) in written.into_iter().flatten() {
            let name: &str = name.get_ref();
            names.push(name.to_owned());
            let below = of(name).map(|it| it.1);
            match value.get_ref() {
                DeValue::Table(table) => self.table(&joined(path, name), names, Some(table), below, found),
                other => {
                    let value_text = crate::document::inline(other);
                    let origin = self.origin(names, value.span());
                    found.push(Resolved { path: joined(path, name), value: value_text, origin });
                }
            }
            names.pop();
        }
        for (name, node, _) in known.iter().filter(|it| it.0 != NAME) {
            if written.is_some_and(|it| it.contains_key(*name)) {
                continue;
            }
            if let Some(default) = said(text(node).1, "Default: ") {
                found.push(Resolved {
                    path: joined(path, name),
                    value: default,
                    origin: "default".to_owned(),
                });
            } else if node["x-optional"] != true && inner(node, self.schema)["properties"].is_object() {
                self.table(&joined(path, name), names, None, Some(node), found);
            }
        }
    }

    fn origin(&self, names: &[String], span: std::ops::Range<usize>) -> String {
        let Some(location) = self.document.location(span.clone()) else { return String::new() };
        if !std::sync::Arc::ptr_eq(&location.source, self.document.source()) {
            // A setting is named as it was typed, up to its path.
            return location.source.name.split(' ').next().unwrap_or_default().to_owned();
        }
        let (line, _) = location.line_and_column();
        let there = format!("{}:{line}", location.source.name);
        let is_own = value_in(self.own, names).is_some_and(|it| it.span() == span);
        let is_base = value_in(self.base, names).is_some_and(|it| it.span() == span);
        match &self.strategy {
            _ if is_own => there,
            Some(strategy) if !is_base => format!("{there} (strategy `{strategy}`)"),
            _ => format!("{there} (template)"),
        }
    }
}
