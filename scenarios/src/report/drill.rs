//! A drill: failures and strategies as a matrix, and what each failure does.

use super::chart::{Chart, Charts, name, quantity, spec, tooltip};
use super::latency::value;
use super::number::{Shape, or_dash};
use super::page::{breakable, with_names};
use super::source::{Part, Results, distinct};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// What is said of a failure: its member in `drill.json`, its title, and how it is shown.
const FIGURES: [(&str, &str, Shape); 9] = [
    ("failing_during", "fail while it lasts", Shape::Percent),
    ("failing_after", "fail after it", Shape::Percent),
    ("noticed_after", "noticed after s", Shape::Plain),
    ("moved_after", "served again after s", Shape::Plain),
    ("restored_after", "as before after s", Shape::Plain),
    ("p95_ms", "p95 ms", Shape::Ms),
    ("undisturbed_p95_ms", "undisturbed ms", Shape::Ms),
    ("longer_p95_ms", "longer by ms", Shape::SignedMs),
    ("evictions", "evicted pods", Shape::Plain),
];

/// All of it; nothing of other results.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(drill) = results.document("drill.json")? else { return Ok(html! {}) };
    let root = drill.root();
    let strategies = root.list("strategies");
    let all: Vec<Part<'_>> = strategies.iter().flat_map(|it| it.list("failures")).collect();
    let failures = distinct(all.iter().map(|it| it.text("failure")));
    let shown = charts.add(Chart {
        id: "drill",
        caption: "Failures and strategies: darker is worse.".to_owned(),
        picker: "What",
        variants: FIGURES
            .iter()
            .map(|(key, title, shape)| {
                ((*title).to_owned(), matrix(&strategies, &failures, key, title, *shape))
            })
            .collect(),
    });
    Ok(html! {
        section #drill {
            h2 { "Drill" }
            p.soft {
                "Each failure by itself lasts " (or_dash(root.number("lasts_seconds").as_ref(), Shape::Plain))
                " s; a request without an answer after " (or_dash(root.number("patience_seconds").as_ref(), Shape::Plain))
                " s has failed. Shares are those of the requests that fail because of it, with 95 % intervals of the paired difference; –: never, or not in every replication."
            }
            @for strategy in &strategies {
                p { strong { (strategy.text("name")) } ": " (strategy.text("worst"))
                    @for missed in strategy.list("objectives_missed") {
                        span.bad { " misses without any failure: " (missed.value.as_str().unwrap_or_default()) }
                    }
                }
            }
            @for note in root.list("notes") { p.soft { (with_names(note.value.as_str().unwrap_or_default())) } }
            (shown)
            div.wide tabindex="0" role="group" aria-label="Requests that fail" {
                table {
                    thead {
                        tr {
                            th scope="col" { "failure" }
                            @for strategy in &strategies { th scope="col" { (strategy.text("name")) } }
                        }
                    }
                    tbody {
                        @for failure in &failures {
                            tr {
                                th scope="row" { (breakable(failure)) }
                                @for strategy in &strategies {
                                    td { @if let Some(found) = find(strategy, failure) { (value(found.get("failing_during"), Shape::Percent)) } }
                                }
                            }
                        }
                    }
                }
            }
            @for strategy in &strategies {
                details {
                    summary { "Everything about " (strategy.text("name")) }
                    (details(strategy))
                }
            }
        }
    })
}

fn find<'a>(strategy: &Part<'a>, failure: &str) -> Option<Part<'a>> {
    strategy.list("failures").into_iter().find(|it| it.text("failure") == failure)
}

fn matrix(strategies: &[Part<'_>], failures: &[String], key: &str, title: &str, shape: Shape) -> Value {
    let mut cells = Vec::new();
    for strategy in strategies {
        for failure in strategy.list("failures") {
            let number = failure.get(key).and_then(|it| it.number("value")).map(|it| it.value);
            cells.push(json!({ "strategy": strategy.text("name"), "failure": failure.text("failure"), "value": number }));
        }
    }
    let names: Vec<&str> = strategies.iter().map(|it| it.text("name")).collect();
    let format = if shape == Shape::Percent { ".1%" } else { ".4~g" };
    let more = json!({
        "usermeta": { "columns": names.len() },
        "encoding": {
            "x": name("strategy", "", json!({ "sort": names, "axis": { "orient": "top", "labelAngle": -25, "labelLimit": 110 } })),
            "y": name("failure", "", json!({ "sort": failures, "axis": { "labelLimit": 140 } })),
        },
        "layer": [
            { "mark": "rect", "encoding": {
                "color": quantity("value", title, json!({ "legend": { "format": format, "orient": "bottom", "direction": "horizontal" } })),
                "tooltip": tooltip(&[("strategy", "strategy"), ("failure", "failure"), ("value", title)]) } },
            { "mark": { "type": "text", "style": "in-cell" }, "encoding": {
                "text": { "field": "value", "type": "quantitative", "format": format } } },
        ],
    });
    spec(60.0 + 26.0 * failures.len() as f64, cells, more)
}

fn details(strategy: &Part<'_>) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label={ "Failures under " (strategy.text("name")) } {
            table {
                thead {
                    tr {
                        th scope="col" { "failure" }
                        @for (_, title, _) in FIGURES { th scope="col" { (title) } }
                        th scope="col" { "without endpoints" }
                        th scope="col" { "objectives broken" }
                    }
                }
                tbody {
                    @for failure in strategy.list("failures") {
                        tr {
                            th scope="row" { (breakable(failure.text("failure"))) }
                            @for (key, _, shape) in FIGURES { td { (value(failure.get(key), shape)) } }
                            @for key in ["without_endpoints", "objectives_broken"] {
                                td.text { (failure.list(key).iter().filter_map(|it| it.value.as_str()).collect::<Vec<_>>().join(", ")) }
                            }
                        }
                        @let users = failure.list("users");
                        @for of in users.iter().filter(|_| users.len() > 1) {
                            tr {
                                th.below scope="row" { "users " (of.text("users")) }
                                @for (key, _, shape) in FIGURES.iter().take(2) { td { (value(of.get(key), *shape)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
