//! What is wrong with an input: where, why, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that was read, with the name by which its reader knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// A path as it was given, or the name of a library scenario.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A stretch of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Of which source.
    pub source: Arc<SourceText>,
    /// Byte offsets into its text.
    pub span: Range<usize>,
}

/// Something that makes an input unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, with the bad value.
    pub message: String,
    /// Where, if it is in a text.
    pub location: Option<Location>,
    /// What would be right.
    pub help: Option<String>,
}

/// Everything that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// The result of reading an input.
pub type Checked<T> = Result<T, Problems>;

impl Problem {
    /// A problem that is nowhere in particular.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), location: None, help: None }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, source: &Arc<SourceText>, span: Range<usize>) -> Self {
        self.location = Some(Location { source: Arc::clone(source), span });
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Location {
    /// Line and column, both from 1; the column counts characters.
    #[must_use]
    pub fn line_and_column(&self) -> (usize, usize) {
        let start = self.span.start.min(self.source.text.len());
        let before = &self.source.text.as_bytes()[..start];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (before.iter().filter(|&&byte| byte == b'\n').count() + 1, column)
    }
}

impl fmt::Display for Problem {
    /// On one line: `file:line:column: message (help)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            let (line, column) = location.line_and_column();
            write!(f, "{}:{line}:{column}: ", location.source.name)?;
        }
        write!(f, "{}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Longest name that is looked up among those that are known: a longer one is no slip of the
/// finger, and comparing it takes time.
const TYPED_CHARS_MAX: usize = 40;

/// Most characters of a value that a message repeats.
const ECHOED_CHARS_MAX: usize = 60;

/// A value as a message repeats it: its beginning, if it is long.
pub(crate) fn clip(value: &str) -> String {
    match value.char_indices().nth(ECHOED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

/// Whether a character does something to a terminal other than to stand there: control characters, among them ends
/// of lines and tabs, and what separates lines or turns the direction of writing.
#[must_use]
pub fn acts_on_a_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first such character of a name, as a message says it; none of a plain name.
pub(crate) fn not_plain(name: &str) -> Option<String> {
    name.chars().find(|&c| acts_on_a_terminal(c)).map(|c| format!("U+{:04X}", u32::from(c)))
}

/// The candidate nearest to a mistyped name, if one is near.
#[must_use]
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.chars().count() > TYPED_CHARS_MAX {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(typed, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().max(typed.chars().count()) / 3
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_message_and_help() {
        let source = Arc::new(SourceText { name: "a.toml".into(), text: "x = 1\nµ = 2 three".into() });
        let problem = Problem::new("bad").at(&source, 13..18).help("write 3");
        assert_eq!(problem.to_string(), "a.toml:2:7: bad (write 3)");
    }

    #[test]
    fn only_near_names_are_suggested() {
        let keys = ["bandwidth", "rtt", "jitter"];
        assert_eq!(nearest("bandwith", keys), Some("bandwidth"));
        assert_eq!(nearest("rt", keys), Some("rtt"));
        assert_eq!(nearest("completely_else", keys), None);
        assert_eq!(nearest(&"x".repeat(41), ["x".repeat(41).as_str()]), None);
    }

    #[test]
    fn a_long_value_is_clipped() {
        assert_eq!(clip("short"), "short");
        assert_eq!(clip(&"µ".repeat(100)), "µ".repeat(60) + "...");
    }
}
