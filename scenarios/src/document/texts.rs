//! Refuses texts with control characters: names are printed in tables, messages and result files, where an escape
//! sequence or the end of a line does harm.

use crate::problem::{Problem, SourceText, clip, not_plain};
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Keys of texts that are sentences: they may have several lines.
const SENTENCES: [&str; 4] = ["description", "introduction", "note", "remarks"];

/// At most so many are collected.
const PROBLEMS_MAX: usize = 20;

/// Every key and every text of a source that is not plain.
pub(super) fn not_plain_in(table: &DeTable<'_>, source: &Arc<SourceText>) -> Vec<Problem> {
    let mut look = Look { source, problems: Vec::new() };
    look.table(table);
    // A table is in the order of its keys, a file in that of its lines.
    look.problems.sort_by_key(|problem| problem.location.as_ref().map(|location| location.span.start));
    look.problems
}

struct Look<'a> {
    source: &'a Arc<SourceText>,
    problems: Vec<Problem>,
}

impl Look<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.text("the name", key.get_ref(), key.span(), false);
            let is_sentence = SENTENCES.contains(&key.get_ref().as_ref());
            self.value(value.get_ref(), value.span(), is_sentence);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, is_sentence: bool) {
        match value {
            DeValue::String(text) => self.text("the text", text, span, is_sentence),
            DeValue::Array(values) => {
                values.iter().for_each(|value| self.value(value.get_ref(), value.span(), false));
            }
            DeValue::Table(table) => self.table(table),
            _ => {}
        }
    }

    fn text(&mut self, kind: &str, text: &str, span: Range<usize>, is_sentence: bool) {
        let looked_at = if is_sentence { text.replace(['\n', '\r', '\t'], " ") } else { text.to_owned() };
        let Some(character) = not_plain(&looked_at) else { return };
        if self.problems.len() < PROBLEMS_MAX {
            let shown: String = clip(text).chars().flat_map(char::escape_default).collect();
            let message = format!("{kind} `{shown}` has the control character {character}");
            self.problems.push(Problem::new(message).at(self.source, span).help("take it out"));
        }
    }
}
