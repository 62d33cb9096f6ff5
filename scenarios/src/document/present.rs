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
        let parts = path_parts(path);
        let Some((last, above)) = parts.split_last() else { return Self::Absent };
        let mut table = tree;
        for part in above {
            match table.get(part.as_str()).map(Spanned::get_ref) {
                Some(DeValue::Table(inner)) => table = inner,
                _ => return Self::Absent,
            }
        }
        table.get(last.as_str()).map_or(Self::Absent, |value| match value.get_ref() {
            DeValue::Integer(number) => Self::Number(number.to_string()),
            DeValue::Float(number) => Self::Number(number.to_string()),
            DeValue::String(text) => Self::Text(text.clone().into_owned(), value.span()),
            _ => Self::Other(value.span()),
        })
    }
}
