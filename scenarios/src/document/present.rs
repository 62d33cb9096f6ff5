//! What a scenario says at a path.

use super::Document;
use super::setting::split_outside_quotes;
use crate::problem::Checked;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Absent,
    /// A number, as it is written.
    Number(String),
    /// A text, and its place for [`Document::problem`].
    Text(String, Range<usize>),
    /// A list, a table, a truth value or a date, and its place.
    Other(Range<usize>),
}

/// The parts of a path, without quotes.
#[must_use]
pub fn path_parts(path: &str) -> Vec<String> {
    let (mut parts, mut rest) = (Vec::new(), path);
    let unquoted = |part: &str| part.trim().trim_matches('"').to_owned();
    while let Some((part, tail)) = split_outside_quotes(rest, '.') {
        parts.push(unquoted(part));
        rest = tail;
    }
    parts.push(unquoted(rest));
    parts
}

impl Document {
    /// The value at a path under a strategy, settings included.
    ///
    /// # Errors
    /// If the text is not TOML, or a table would become a value.
    pub fn value_at(&self, strategy: Option<usize>, path: &str) -> Checked<Present> {
        let tree = self.tree(strategy)?;
        let parts = path_parts(path);
        let Some((last, above)) = parts.split_last() else { return Ok(Present::Absent) };
        let mut table = tree.get_ref();
        for part in above {
            match table.get(part.as_str()).map(Spanned::get_ref) {
                Some(DeValue::Table(inner)) => table = inner,
                _ => return Ok(Present::Absent),
            }
        }
        Ok(table.get(last.as_str()).map_or(Present::Absent, |value| match value.get_ref() {
            DeValue::Integer(number) => Present::Number(number.to_string()),
            DeValue::Float(number) => Present::Number(number.to_string()),
            DeValue::String(text) => Present::Text(text.clone().into_owned(), value.span()),
            _ => Present::Other(value.span()),
        }))
    }
}
