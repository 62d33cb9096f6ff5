//! A suite as a page of Markdown: the table, what does not fit, a figure per configuration.

use super::texts;
use crate::validate::suite::run::Report;
use std::fmt::Write;

/// The page; its figures are in the folder `figures` beside it.
pub(super) fn of_suite(report: &Report, figures: &str) -> String {
    let mut text = table(report);
    text.push_str("\n## What came of it\n\n");
    for line in texts::conclusions(report) {
        let _ = writeln!(text, "- {line}");
    }
    for it in report.configurations.iter().filter(|it| !it.note.is_empty()) {
        let _ = writeln!(text, "- {}: {}", it.name, it.note);
    }
    text.push_str("\n## Figures\n\n");
    text.push_str(
        "The share of the users' requests that were answered within a time, measured and simulated.\n",
    );
    for it in report.configurations.iter().filter(|it| !it.validation.measured_sorted_ms.is_empty()) {
        let name = &it.name;
        let _ = write!(
            text,
            "\n### {name}\n\n![Measured and simulated latencies of {name}]({figures}/{})\n",
            figure_name(name)
        );
    }
    text
}

/// The table alone, with its head.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = String::from("<!-- Written by `meshsim validate --suite`; do not edit. -->\n");
    let _ =
        write!(text, "# Validation: {}\n\n{}.\n\n", report.suite, report.description.trim_end_matches('.'));
    let _ = writeln!(text, "| {} |", texts::SUITE_HEAD.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(texts::SUITE_HEAD.len()));
    for it in &report.configurations {
        let cells = texts::suite_row(it).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n{}", texts::SUITE_LEGEND);
    text
}

/// The name of a configuration's figure: letters, digits and dashes of its own.
pub(super) fn figure_name(configuration: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    configuration.chars().map(plain).collect::<String>() + ".svg"
}
