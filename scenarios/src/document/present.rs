//! What a scenario says at a path.

use super::setting::path_parts;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Absent,
    /// A number, as it is written.
    Number(String),
    /// A text, and its location for [`Document::problem`](super::Document::problem).
    Text(String, Range<usize>),
    /// A list, a table, a truth value or a date, and its location.
    Other(Range<usize>),
}

impl Present {
    /// What stands in a tree at a path.
    pub(super) fn at(tree: &DeTable<'_>, path: &str) -> Self {
        let Some(value) = value_in(tree, &path_parts(path)) else { return Self::Absent };
        match value.get_ref() {
            DeValue::Integer(number) => Self::Number(number.to_string()),
            DeValue::Float(number) => Self::Number(number.to_string()),
            DeValue::String(text) => Self::Text(text.clone().into_owned(), value.span()),
            _ => Self::Other(value.span()),
        }
    }
}

/// The value in a tree at a path, with its location.
pub(crate) fn value_in<'t, 'i>(tree: &'t DeTable<'i>, path: &[String]) -> Option<&'t Spanned<DeValue<'i>>> {
    let (last, above) = path.split_last()?;
    let mut table = tree;
    for part in above {
        let DeValue::Table(inner) = table.get(part.as_str())?.get_ref() else { return None };
        table = inner;
    }
    table.get(last.as_str())
}
