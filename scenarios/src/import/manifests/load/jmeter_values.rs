//! What stands in the fields of a plan of JMeter: numbers and texts with variables and properties in them.
//!
//! # Source
//! Apache JMeter 5.6, "Functions and Variables": `__P` and `__property` with their defaults.

use super::super::node::{Node, Value as NodeValue};
use std::collections::BTreeMap;

/// What of a plan is known where an element stands.
pub(super) struct Around<'a> {
    pub(super) properties: &'a BTreeMap<String, String>,
    pub(super) variables: BTreeMap<String, String>,
}

impl Around<'_> {
    /// Variables of the plan.
    pub(super) fn define(&mut self, arguments: Option<&Node>) {
        let Some(arguments) = arguments else { return };
        for it in arguments.child("Arguments.arguments").map(Node::items).unwrap_or_default() {
            it.child("Argument.metadata").into_iter().for_each(Node::used);
            let word = |key: &str| it.child(key).and_then(Node::text).map(str::to_owned);
            if let (Some(name), Some(value)) = (word("Argument.name"), word("Argument.value")) {
                self.variables.insert(name, value);
            }
        }
    }

    /// A text with its properties and variables; what has none is said, if it matters.
    pub(super) fn text(&self, node: &Node, is_needed: bool) -> Option<String> {
        let mut text = node.text()?.to_owned();
        // A variable may name a property.
        for _ in 0..10 {
            let Some(begin) = text.find("${") else { return Some(text) };
            let Some(end) = text[begin..].find('}').map(|it| begin + it) else { return Some(text) };
            let inner = text[begin + 2..end].to_owned();
            let (value, name) = self.value(&inner);
            match value {
                Some(value) => text.replace_range(begin..=end, &value),
                None if is_needed => {
                    node.wrong(
                        format!("`${{{}}}` has no value", crate::problem::clip(&inner)),
                        format!("--property {name}=VALUE says it"),
                    );
                    return None;
                }
                None => return None,
            }
        }
        None
    }

    /// What stands for a variable or a property, and the name of that.
    fn value(&self, inner: &str) -> (Option<String>, String) {
        let call = inner.strip_prefix("__P(").or(inner.strip_prefix("__property("));
        let Some(arguments) = call.and_then(|it| it.strip_suffix(')')) else {
            return (self.variables.get(inner).cloned(), inner.to_owned());
        };
        let parts: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let name = parts.first().copied().unwrap_or_default().to_owned();
        let default = if inner.starts_with("__P(") { parts.get(1) } else { parts.get(2) };
        let default = default.filter(|it| !it.is_empty()).map(|it| (*it).to_owned());
        (self.properties.get(&name).cloned().or(default), name)
    }

    /// The number of a field in which something stands.
    pub(super) fn given(&self, node: &Node, key: &str) -> Option<f64> {
        node.child(key).filter(|it| !is_empty(it)).and_then(|it| self.number(it))
    }

    pub(super) fn number(&self, node: &Node) -> Option<f64> {
        let text = self.text(node, true)?;
        let number = text.trim().parse::<f64>().ok().filter(|it| it.is_finite());
        if number.is_none() {
            node.wrong(format!("`{}` is no number", crate::problem::clip(&text)), "write a number");
        }
        number
    }
}

pub(super) fn is_empty(node: &Node) -> bool {
    matches!(&node.value, NodeValue::Scalar(text) if text.is_empty())
}
