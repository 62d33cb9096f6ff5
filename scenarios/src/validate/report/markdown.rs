//! A suite as a page of Markdown: the table, what does not fit, a figure per configuration.

use super::texts;
use crate::validate::suite::run::Report;
use std::fmt::Write;

/// How a page begins.
pub(super) const FIRST_LINE: &str = "<!-- Written by `meshsim validate --suite`; do not edit. -->\n";

/// The page; its figures are in the folder `figures` beside it.
pub(super) fn of_suite(report: &Report, figures: &str) -> String {
    let mut text = table(report);
    text.push_str("\n## What came of it\n\n");
    let remarks = &report.texts[1];
    for line in texts::conclusions(report) {
        let _ = writeln!(text, "- {}", escaped(&line));
    }
    for it in report.configurations.iter().filter(|it| !it.note.is_empty()) {
        let _ = writeln!(text, "- {}: {}", escaped(&it.name), escaped(&it.note));
    }
    if !remarks.is_empty() {
        let _ = write!(text, "\n{remarks}\n");
    }
    text.push_str("\n## Figures\n\n");
    text.push_str(
        "The share of the users' requests that were answered within a time, measured and simulated.\n",
    );
    for it in report.configurations.iter().filter(|it| !it.validation.measured_sorted_ms.is_empty()) {
        let name = escaped(&it.name);
        let _ = write!(
            text,
            "\n### {name}\n\n![Measured and simulated latencies of {name}]({figures}/{})\n",
            figure_name(&it.name)
        );
    }
    text
}

/// The page up to its table.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = String::from(FIRST_LINE);
    let _ = write!(
        text,
        "# Validation: {}\n\n{}.\n\n",
        escaped(&report.suite),
        escaped(report.description.trim_end_matches('.'))
    );
    if !report.texts[0].is_empty() {
        let _ = write!(text, "{}\n\n", report.texts[0]);
    }
    let _ = writeln!(text, "| {} |", texts::SUITE_HEAD.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(texts::SUITE_HEAD.len()));
    for it in &report.configurations {
        let mut cells = texts::suite_row(it);
        cells[0] = escaped(&cells[0]);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n{}", texts::SUITE_LEGEND);
    text
}

/// A text on one line in which nothing is Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if "\\`*_[]<>&|~".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// The name of a configuration's figure: letters, digits and dashes of its own.
pub(super) fn figure_name(configuration: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    configuration.chars().map(plain).collect::<String>() + ".svg"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_suite_says_is_no_markup() {
        assert_eq!(escaped("Other work ran (10.2 %)."), "Other work ran (10.2 %).");
        assert_eq!(
            escaped("<img src=x> a|b\n# [x](y) `z` *_w_* &amp; ~~v~~"),
            "\\<img src=x\\> a\\|b # \\[x\\](y) \\`z\\` \\*\\_w\\_\\* \\&amp; \\~\\~v\\~\\~"
        );
    }
}
