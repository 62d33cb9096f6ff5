//! Shows problems as the Rust compiler does: the line, an arrow, and what would be right.

use crate::table::broken;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstream::{AutoStream, ColorChoice};
use meshsim_scenarios::problem::{Location, Problem, Problems, acts_on_a_terminal};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{Write, stderr};

/// At most so many problems are shown; mending these will mend most of the others.
const SHOWN_MAX: usize = 20;

/// Longest line that is shown with its neighbours (bytes).
const LINE_MAX: usize = 400;

/// Writes problems to standard error.
pub(crate) fn show(problems: &Problems) {
    // As NO_COLOR, CLICOLOR, TERM and the stream itself have it.
    let renderer = match AutoStream::choice(&stderr()) {
        ColorChoice::Never => Renderer::plain(),
        ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => Renderer::styled(),
    };
    let mut out = stderr().lock();
    for problem in problems.0.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "{}", renderer.render(&[report(problem)]));
    }
    if problems.0.len() > SHOWN_MAX {
        let _ = writeln!(out, "error: {} more problems", problems.0.len() - SHOWN_MAX);
    }
}

/// Writes a warning to standard error.
pub(crate) fn warn(warning: &impl std::fmt::Display) {
    let text = format!("warning: {}\n", visible(&warning.to_string()));
    let width = terminal_size::terminal_size_of(stderr()).map(|(width, _)| width.0);
    // Nobody is left to be told if standard error is closed.
    let _ = stderr().write_all(broken(&text, width).as_bytes());
}

/// A text in which control characters, and those that turn the direction of writing, are shown as JSON writes them:
/// names of files, labels of a trace and the like may hold them. Ends of lines and tabs stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let acts = |c: char| acts_on_a_terminal(c) && c != '\n' && c != '\t';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            // All of them have four digits or fewer.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn report(problem: &Problem) -> Group<'_> {
    let title = Level::ERROR.primary_title(visible(&problem.message));
    let mut group = match &problem.location {
        Some(location) => {
            let text = location.source.text.as_str();
            let span = on_character_boundaries(text, location.span.clone());
            let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
            let line_end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
            let (line, column) = location.line_and_column();
            if line_end - line_start > LINE_MAX {
                // A huge line would be printed whole: show the value alone.
                let value: String = text[span.clone()].chars().take(60).collect();
                let note = format!("at {}:{line}:{column}: {value}", location.source.name);
                Group::with_title(title).element(Level::NOTE.message(visible(&note).into_owned()))
            } else {
                // The message is about the first line of what it marks.
                let end = span.end.min(line_end).max(span.start);
                let [before, marked, after] =
                    [line_start..span.start, span.start..end, end..line_end].map(|it| visible(&text[it]));
                let marks = before.len()..before.len() + marked.len();
                let snippet = Snippet::source(format!("{before}{marked}{after}"))
                    .line_start(line)
                    .path(visible(&location.source.name))
                    .annotation(AnnotationKind::Primary.span(marks));
                title.element(snippet)
            }
        }
        None => Group::with_title(title),
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    if problem.location.as_ref().is_some_and(sets_several_values) {
        group = group.element(Level::HELP.message("to run at several values, use `meshsim sweep`"));
    }
    group
}

/// Whether `--set` was given a text of several values, as `sweep` takes them.
fn sets_several_values(location: &Location) -> bool {
    let value =
        location.source.name.strip_prefix("--set ").and_then(|_| location.source.text.split_once(" = "));
    value.is_some_and(|(_, value)| value.starts_with('"') && value.contains(','))
}

fn on_character_boundaries(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_scenarios::problem::SourceText;
    use std::sync::Arc;

    #[test]
    fn several_values_are_for_sweep() {
        let of = |name: &str, text: &str| {
            let source = Arc::new(SourceText { name: name.into(), text: text.into() });
            let problem = Problem::new("bad").at(&source, 4..7);
            Renderer::plain().render(&[report(&problem)]).contains("meshsim sweep")
        };
        assert!(of("--set a", "a = \"1ms,2ms\""));
        assert!(!of("--set a", "a = [\"1ms\", \"2ms\"]"));
        assert!(!of("a.toml", "a = \"1ms,2ms\""));
    }

    #[test]
    fn nothing_that_is_shown_acts_on_a_terminal() {
        assert_eq!(visible("a\tb\nc"), "a\tb\nc");
        assert_eq!(visible("\u{1b}[31mé\r\u{9b}\u{7f}\u{202e}"), "\\u001b[31mé\\u000d\\u009b\\u007f\\u202e");
        let source = Arc::new(SourceText { name: "a\u{1b}.toml".into(), text: "a = \"\u{9b}31m\"".into() });
        let problem = Problem::new("bad \u{1b}").at(&source, 4..6).help("\u{7}");
        let shown = Renderer::plain().render(&[report(&problem)]);
        assert!(!shown.contains(|c: char| acts_on_a_terminal(c) && c != '\n'), "{shown:?}");
    }

    #[test]
    fn a_problem_in_a_huge_line_has_its_place_and_its_help() {
        let text = format!("{{\"a\": 1, {}}}", " ".repeat(LINE_MAX));
        let source = Arc::new(SourceText { name: "a.json".into(), text });
        let problem = Problem::new("bad").at(&source, 6..7).help("write 2");
        let shown = Renderer::plain().render(&[report(&problem)]);
        assert!(shown.contains("at a.json:1:7: 1") && shown.contains("help: write 2"), "{shown}");
        assert!(shown.len() < 200, "{shown}");
    }
}
