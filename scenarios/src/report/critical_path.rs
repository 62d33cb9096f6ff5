//! Where the time of the requests around the median and the p99 went: by part, and by service (`critical_path.csv`).

use super::chart::{Chart, Charts, name, spec};
use super::number::{Shape, or_dash};
use super::source::{Results, Row, Table};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// More lines than this of a strategy and quantile are not in its table.
const LINES_MAX: usize = 40;

/// Bars and tables; nothing where no request was followed.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(table) = results.table("critical_path.csv")? else { return Ok(html! {}) };
    let around = table.distinct("around");
    let by = [("part", "by part"), ("service", "by service and cluster")];
    let variants = by.iter().flat_map(|(by, words)| {
        let table = &table;
        around.iter().map(move |quantile| (format!("{quantile} {words}"), bars(table, quantile, by)))
    });
    let chart = charts.add(Chart {
        id: "critical-path",
        caption: "What users waited for, in the mean of the requests around a quantile: of calls in parallel the last one, and what \
                  came before the attempt that was answered is retries."
            .to_owned(),
        picker: "Around",
        variants: variants.collect(),
    });
    Ok(html! {
        section id="where" {
            h2 { "Where the time went" }
            (chart)
            @for strategy in table.distinct("strategy") {
                details {
                    summary { "Every part under " (strategy) }
                    @for quantile in &around { (parts(&table, &strategy, quantile)) }
                }
            }
        }
    })
}

fn whose(row: &Row<'_>) -> String {
    match row.text("service") {
        "" => "users".to_owned(),
        service => format!("{service} in {}", row.text("cluster")),
    }
}

fn bars(table: &Table, around: &str, by: &str) -> Value {
    let own = table.rows().filter(|row| row.text("around") == around);
    let what = |row: &Row<'_>| if by == "part" { row.text("part").to_owned() } else { whose(row) };
    let point =
        |row: Row<'_>| json!({ "strategy": row.text("strategy"), "what": what(&row), "ms": row.value("ms") });
    // A part has the same colour around every quantile.
    let mut all: Vec<String> = table.rows().map(|row| what(&row)).collect();
    all.sort();
    all.dedup();
    let rows: Vec<Value> = own.map(point).collect();
    let strategies = table.distinct("strategy").len();
    let more = json!({
        "mark": { "type": "bar" },
        "encoding": {
            "y": name("strategy", "", json!({ "sort": null, "axis": { "labelLimit": 190 } })),
            "x": { "aggregate": "sum", "field": "ms", "type": "quantitative", "title": "mean latency [ms]" },
            "color": name("what", "", json!({ "scale": { "domain": all } })),
            "tooltip": [{ "field": "strategy", "title": "strategy" }, { "field": "what", "title": "what" },
                { "aggregate": "sum", "field": "ms", "title": "ms" }],
        },
    });
    spec(40.0 + 34.0 * strategies as f64, rows, more)
}

/// The largest parts of a strategy around a quantile.
fn parts(table: &Table, strategy: &str, around: &str) -> Markup {
    let is_own = |row: &Row<'_>| row.text("strategy") == strategy && row.text("around") == around;
    let mut rows: Vec<Row<'_>> = table.rows().filter(is_own).collect();
    let all = rows.len();
    let ms = |row: &Row<'_>| row.value("ms").unwrap_or(0.0);
    rows.sort_by(|a, b| ms(b).total_cmp(&ms(a)));
    rows.truncate(LINES_MAX);
    html! {
        @if let Some(first) = rows.first() {
            h3 { "Around the " (around) }
            p.soft {
                (or_dash(first.number("requests").as_ref(), Shape::Count)) " requests, "
                (or_dash(first.number("latency_ms").as_ref(), Shape::Ms)) " ms in the mean"
            }
            div.wide.tall tabindex="0" role="group" aria-label={ "Parts around the " (around) " under " (strategy) } {
                table {
                    thead {
                        tr { @for head in ["part", "of", "called by", "side", "ms", "share"] { th scope="col" { (head) } } }
                    }
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" { (row.text("part")) }
                                td.text { (whose(row)) }
                                td.text { (row.text("caller")) }
                                td.text { (row.text("side")) }
                                td { (or_dash(row.number("ms").as_ref(), Shape::Ms)) }
                                td { (or_dash(row.number("share").as_ref(), Shape::Percent)) }
                            }
                        }
                    }
                }
            }
            @if all > rows.len() { p.soft { "The largest " (rows.len()) " of " (all) "; critical_path.csv has all." } }
        }
    }
}
