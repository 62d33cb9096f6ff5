//! Every decision of the first replication in order, as a picture and a table (`run --timeline`).

use super::chart::{Chart, Charts, name, quantity, spec, tooltip};
use super::number::{Shape, or_dash};
use super::source::{Results, Row, Table};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// More decisions than this are not shown.
const LINES_MAX: usize = 400;

/// The time line; nothing where decisions were not kept.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(table) = results.first_replication("timeline.csv")? else { return Ok(html! {}) };
    let strategies = table.distinct("strategy");
    let rows = |strategy: &str| -> Vec<Row<'_>> {
        table.rows().filter(|row| row.text("strategy") == strategy).take(LINES_MAX).collect()
    };
    let variants = strategies.iter().map(|it| (it.clone(), picture(&rows(it)))).collect();
    let chart = charts.add(Chart {
        id: "incident",
        caption: "Who decided what and when, in the first replication: from when it was noticed to when it was acted.".to_owned(),
        picker: "Strategy",
        variants,
    });
    Ok(html! {
        section #incident {
            h2 { "What happened" }
            (chart)
            @for strategy in &strategies {
                details open[strategies.len() == 1] {
                    summary { "Every decision" @if strategies.len() > 1 { " under " (strategy) } }
                    (lines(&table, &rows(strategy)))
                }
            }
        }
    })
}

fn picture(rows: &[Row<'_>]) -> Value {
    let mut whose: Vec<String> = Vec::new();
    let mut points = Vec::new();
    for row in rows {
        let who = format!("{} of {}", row.text("who"), row.text("cluster"));
        if !whose.contains(&who) {
            whose.push(who.clone());
        }
        points.push(json!({ "who": who, "noticed": row.value("noticed_s"), "acted": row.value("acted_s"),
            "rule": row.text("rule"), "what": row.text("what") }));
    }
    let said = tooltip(&[
        ("who", "who"),
        ("rule", "rule"),
        ("what", "what"),
        ("noticed", "noticed [s]"),
        ("acted", "acted [s]"),
    ]);
    let y = name("who", "", json!({ "sort": whose, "axis": { "labelLimit": 160 } }));
    let more = json!({ "layer": [
        { "mark": { "type": "rule", "strokeWidth": 3, "opacity": 0.5 }, "encoding": { "y": y,
            "x": quantity("noticed", "time [s]", json!({})), "x2": { "field": "acted" }, "tooltip": said } },
        { "mark": { "type": "tick", "thickness": 2 }, "encoding": { "y": y,
            "x": quantity("acted", "time [s]", json!({})), "tooltip": said } },
    ] });
    spec(50.0 + 24.0 * whose.len() as f64, points, more)
}

fn lines(table: &Table, rows: &[Row<'_>]) -> Markup {
    html! {
        div.wide.tall tabindex="0" role="group" aria-label="Every decision" {
            table.texts {
                thead {
                    tr {
                        @for head in ["acted s", "noticed s", "cluster", "who", "rule", "what"] { th scope="col" { (head) } }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            td { (or_dash(row.number("acted_s").as_ref(), Shape::Plain)) }
                            td { (or_dash(row.number("noticed_s").as_ref(), Shape::Plain)) }
                            @for column in ["cluster", "who", "rule", "what"] { td { (row.text(column)) } }
                        }
                    }
                }
            }
        }
        @if table.rows().count() > rows.len() && rows.len() == LINES_MAX {
            p.soft { "The first " (LINES_MAX) "; timeline.csv has all." }
        }
    }
}
