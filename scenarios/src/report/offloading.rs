//! What offloading controllers decided in the first replication, what they believed, and what came of it (`offloading.csv`).

use super::number::{Shape, or_dash};
use super::source::{Results, Row};
use crate::problem::Checked;
use maud::{Markup, html};

/// More decisions than this are not shown.
const LINES_MAX: usize = 80;

/// Columns that are numbers: their heads, and how they are shown.
const NUMBERS: [(&str, &str, Shape); 5] = [
    ("measured_ms", "measured ms", Shape::Ms),
    ("target_ms", "target ms", Shape::Ms),
    ("believed_after_ms", "believed after it ms", Shape::Ms),
    ("after_mean_ms", "came to ms", Shape::Ms),
    ("after_failed", "failed after it", Shape::Percent),
];

/// A table of all decisions; nothing where no controller decided anything.
pub(super) fn section(results: &Results) -> Checked<Markup> {
    let Some(table) = results.first_replication("offloading.csv")? else { return Ok(html! {}) };
    let rows: Vec<Row<'_>> = table.rows().collect();
    if rows.is_empty() {
        return Ok(html! {});
    }
    Ok(html! {
        section #offloading {
            h2 { "Offloading" }
            p.soft {
                "What controllers decided in the first replication. Measured is what their queries said, 0 where they found nothing; what a decision \
                 came to is the mean from when it has taken effect to the next one."
            }
            div.wide.tall tabindex="0" role="group" aria-label="Decisions about offloading" {
                table {
                    thead {
                        tr {
                            @for head in ["strategy", "at s", "edge", "asked", "answer"] { th scope="col" { (head) } }
                            @for (_, head, _) in NUMBERS { th scope="col" { (head) } }
                            @for head in ["at the edge before", "and then"] { th scope="col" { (head) } }
                        }
                    }
                    tbody { @for row in rows.iter().take(LINES_MAX) { (decision(*row)) } }
                }
            }
            @if rows.len() > LINES_MAX { p.soft { "The first " (LINES_MAX) " of " (rows.len()) "; offloading.csv has all." } }
        }
    })
}

fn decision(row: Row<'_>) -> Markup {
    let services = |column: &str| if row.text(column).is_empty() { "nothing" } else { row.text(column) };
    html! {
        tr {
            th scope="row" { (row.text("strategy")) }
            td { (or_dash(row.number("time_s").as_ref(), Shape::Plain)) }
            td.text { (row.text("edge")) }
            td.text { (row.text("policy")) " to " (row.text("action")) }
            td.text { (row.text("answer")) }
            @for (column, _, shape) in NUMBERS { td { (or_dash(row.number(column).as_ref(), shape)) } }
            td.text { (services("edge_before")) }
            td.text {
                @if row.text("answer") == "decided" { (services("edge_after")) } @else { span.none { "–" } }
            }
        }
    }
}
