//! A validation, or a suite of them: measured against simulated.

use super::chart::{Chart, Charts, quantity, spec, tooltip};
use super::latency::value;
use super::metrics::words;
use super::number::{Shape, or_dash};
use super::source::{Part, Results, Row, Table};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Figures by their names in `validation.json`, with what they are called and how they are shown; whether their difference is
/// one of shares or distances, else it is relative.
const FIGURES: [(&str, &str, Shape, bool); 12] = [
    ("mean", "mean latency ms", Shape::Ms, false),
    ("p50", "median ms", Shape::Ms, false),
    ("p90", "90 % within ms", Shape::Ms, false),
    ("p95", "95 % within ms", Shape::Ms, false),
    ("p99", "99 % within ms", Shape::Ms, false),
    ("dashboard_p90", "90 % on a dashboard ms", Shape::Ms, false),
    ("ks", "Kolmogorov-Smirnov distance", Shape::Plain, true),
    ("wasserstein", "Wasserstein distance ms", Shape::Ms, true),
    ("failed", "failed requests", Shape::Percent, true),
    ("cpu_split", "proxies' share of CPU time", Shape::Percent, false),
    ("served", "served share (the worst)", Shape::Percent, true),
    ("rounds", "time per crossing ms", Shape::Ms, false),
];

/// Those of the overview of a suite.
const OVERVIEW: [&str; 7] = ["mean", "p50", "p90", "p95", "p99", "cpu_split", "rounds"];

/// A validation with its name.
struct Configuration<'a> {
    name: &'a str,
    note: &'a str,
    mark: &'a str,
    of: Part<'a>,
}

/// All of it; nothing of other results.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(document) = results.document("validation.json")? else { return Ok(html! {}) };
    let root = document.root();
    let listed = root.list("configurations");
    let mut all: Vec<Configuration<'_>> = listed
        .iter()
        .filter_map(|it| {
            let of = it.get("validation")?;
            Some(Configuration { name: it.text("name"), note: it.text("note"), mark: it.text("mark"), of })
        })
        .collect();
    if all.is_empty() {
        all.push(Configuration { name: root.text("strategy"), note: "", mark: "", of: root.clone() });
    }
    let names: Vec<&str> = all.iter().map(|it| it.name).collect();
    let pictures = pictures(results, &names, charts)?;
    Ok(html! {
        @if all.len() > 1 {
            section #overview {
                h2 { "All configurations" }
                p.soft { "Differences of the simulated to the measured figures; ✓ within its tolerance, ✗ not, ? the trace is too short to tell." }
                (overview(&all))
            }
        }
        section #distributions {
            h2 { "Measured and simulated" }
            (pictures)
        }
        @for it in &all { (one(it)) }
        (ranking(&root))
    })
}

fn overview(all: &[Configuration<'_>]) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label="All configurations" {
            table {
                thead {
                    tr {
                        th scope="col" { "configuration" }
                        th scope="col" { "mark" }
                        th scope="col" { "measured ms" }
                        th scope="col" { "simulated ms" }
                        @for name in OVERVIEW { th scope="col" { (name) } }
                        th scope="col" { "KS" }
                    }
                }
                tbody {
                    @for it in all {
                        @let figures = it.of.list("figures");
                        tr {
                            th scope="row" { (it.name) }
                            td.text { (it.mark) }
                            @for side in ["measured", "simulated"] {
                                td { (value(find(&figures, "mean").and_then(|it| it.get(side)), Shape::Ms)) }
                            }
                            @for name in OVERVIEW {
                                td {
                                    @if let Some(figure) = find(&figures, name) {
                                        (or_dash(figure.number("difference").as_ref(), Shape::SignedPercent))
                                        (verdict(&it.of, name))
                                    }
                                }
                            }
                            td {
                                @if let Some(figure) = find(&figures, "ks") {
                                    (or_dash(figure.get("measured").and_then(|it| it.number("value")).as_ref(), Shape::Plain))
                                    (verdict(&it.of, "ks"))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn find<'a>(figures: &[Part<'a>], name: &str) -> Option<Part<'a>> {
    figures.iter().find(|it| it.text("figure") == name).cloned()
}

fn check<'a>(of: &Part<'a>, figure: &str) -> Option<Part<'a>> {
    of.list("checks").into_iter().find(|it| it.text("figure") == figure)
}

/// The mark of a figure's check, if it is checked.
fn verdict(of: &Part<'_>, figure: &str) -> Markup {
    let Some(check) = check(of, figure) else { return html! {} };
    let (class, sign, word) = match check.text("verdict") {
        "holds" => ("good", "✓", "holds"),
        "fails" => ("bad", "✗", "FAILS"),
        _ => ("open", "?", "too short to tell"),
    };
    html! { span class=(class) title=(word) { span aria-hidden="true" { " " (sign) } span.heard { " " (word) } } }
}

fn one(it: &Configuration<'_>) -> Markup {
    let of = &it.of;
    let groups = of.list("groups");
    html! {
        section {
            h2 { (it.name) }
            @if !it.note.is_empty() { p { (it.note) } }
            p.soft {
                "Scenario " (of.text("scenario")) ", "
                @if of.text("trace").is_empty() { "published figures" } @else { "trace " (of.text("trace")) }
                ", strategy " (of.text("strategy")) ", seed " (or_dash(of.number("seed").as_ref(), Shape::Count)) ". "
                (or_dash(of.number("trace_requests").as_ref(), Shape::Count)) " measured requests after the warm-up, "
                (or_dash(of.number("blocks").as_ref(), Shape::Count)) " blocks of 30 s; "
                (or_dash(of.number("rate_per_second").as_ref(), Shape::Plain)) " requests per second simulated; CPU cost times "
                (or_dash(of.number("cpu_scale").as_ref(), Shape::Plain)) "."
            }
            (figures(of, &of.list("figures"), !of.list("checks").is_empty()))
            @if !groups.is_empty() {
                h3 { "Users and kinds of requests" }
                @for group in &groups {
                    h4 { (words(&["users", "request"].map(|key| group.text(key).to_owned()))) ", "
                        (or_dash(group.number("requests").as_ref(), Shape::Count)) " requests" }
                    (figures(of, &group.list("figures"), false))
                }
            }
            (services(of))
        }
    }
}

fn figures(of: &Part<'_>, figures: &[Part<'_>], are_checked: bool) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label="Figures" {
            table {
                thead {
                    tr {
                        @for head in ["figure", "measured", "simulated", "difference", "beyond the interval"] { th scope="col" { (head) } }
                        @if are_checked { th scope="col" { "allowed" } th scope="col" { "verdict" } }
                    }
                }
                tbody {
                    @for row in figures {
                        @let (name, title, shape, is_absolute) = of_name(row.text("figure"));
                        @let error = if is_absolute { shape } else { Shape::Percent };
                        @let is_distance = matches!(name, "ks" | "wasserstein");
                        tr {
                            th scope="row" { (title) }
                            td { (value(row.get("measured"), shape)) }
                            td { @if !is_distance { (value(row.get("simulated"), shape)) } }
                            td { @if !is_distance { (or_dash(row.number("difference").as_ref(), signed(error))) } }
                            td { (or_dash(row.number("error").as_ref(), error)) }
                            @if are_checked {
                                @let check = check(of, name);
                                td { @if let Some(check) = &check { (or_dash(check.number("tolerance").as_ref(), error)) } }
                                td { (verdict(of, name)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A figure of this name; one that has no row here is shown as it is.
fn of_name(name: &str) -> (&str, &str, Shape, bool) {
    FIGURES.iter().copied().find(|it| it.0 == name).unwrap_or((name, name, Shape::Plain, true))
}

const fn signed(shape: Shape) -> Shape {
    match shape {
        Shape::Percent => Shape::SignedPercent,
        Shape::Ms => Shape::SignedMs,
        other => other,
    }
}

fn services(of: &Part<'_>) -> Markup {
    let rows = of.list("services");
    if rows.is_empty() {
        return html! {};
    }
    html! {
        details {
            summary { "Services" }
            div.wide tabindex="0" role="group" aria-label="Services" {
                table {
                    thead {
                        tr {
                            @for head in ["service", "requests", "share", "simulated", "server ms", "simulated", "difference"] {
                                th scope="col" { (head) }
                            }
                        }
                    }
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" { (row.text("service")) @if !row.text("cluster").is_empty() { " in " (row.text("cluster")) } }
                                td { (or_dash(row.number("requests").as_ref(), Shape::Count)) }
                                td { (value(row.get("measured_share"), Shape::Percent)) }
                                td { (or_dash(row.number("simulated_share").as_ref(), Shape::Percent)) }
                                td { (value(row.get("measured_server_ms"), Shape::Ms)) }
                                td { (value(row.get("simulated_server_ms"), Shape::Ms)) }
                                td { (or_dash(row.number("server_difference").as_ref(), Shape::SignedPercent)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Distribution functions and quantiles of the configurations that have a trace.
fn pictures(results: &Results, names: &[&str], charts: &mut Charts) -> Checked<Markup> {
    let (Some(cdf), Some(qq)) = (results.table("cdf.csv")?, results.table("qq.csv")?) else {
        return Ok(html! {});
    };
    let with_trace = |table: &Table, draw: &dyn Fn(&[Row<'_>]) -> Value| -> Vec<(String, Value)> {
        let rows =
            |name: &str| table.rows().filter(|row| row.text("configuration") == name).collect::<Vec<_>>();
        let named = names.iter().map(|name| ((*name).to_owned(), rows(name)));
        named.filter(|(_, rows)| !rows.is_empty()).map(|(name, rows)| (name, draw(&rows))).collect()
    };
    let distributions = charts.add(Chart {
        id: "distribution",
        caption: "Share of the users' requests that were answered within a time, measured and simulated."
            .to_owned(),
        picker: "Configuration",
        variants: with_trace(&cdf, &distribution),
    });
    let quantiles = charts.add(Chart {
        id: "quantiles",
        caption: "Quantiles from 1 to 99 %, simulated over measured: on the dotted line both are equal."
            .to_owned(),
        picker: "Configuration",
        variants: with_trace(&qq, &quantiles),
    });
    Ok(html! { div.figures { (distributions) (quantiles) } })
}

/// Every so many quantiles are drawn of those in the file.
const STEP: usize = 4;

/// The last thousandth alone would make the rest of a picture narrow.
const ORDER_MAX: f64 = 0.995;

fn distribution(rows: &[Row<'_>]) -> Value {
    let shown = rows
        .iter()
        .enumerate()
        .filter(|(index, row)| index % STEP == 0 && row.value("share").is_some_and(|it| it <= ORDER_MAX));
    let point = |(_, row): (usize, &Row<'_>)| json!({ "side": row.text("side"), "ms": row.value("latency_ms"), "share": row.value("share") });
    let side = json!({ "field": "side", "type": "nominal", "title": null, "scale": { "domain": ["measured", "simulated"] } });
    let more = json!({
        "mark": { "type": "line", "strokeWidth": 2.2 },
        "encoding": {
            "x": quantity("ms", "latency of a user request [ms]", json!({})),
            "y": quantity("share", "share answered within it", json!({ "axis": { "format": ".0%" } })),
            "color": side, "strokeDash": side,
            "tooltip": tooltip(&[("side", "side"), ("ms", "ms"), ("share", "share")]),
        },
    });
    spec(320.0, shown.map(point).collect(), more)
}

fn quantiles(rows: &[Row<'_>]) -> Value {
    let shown = rows.iter().enumerate().filter(|(index, row)| {
        index % STEP == 0 && row.value("order").is_some_and(|it| (0.01..=0.99).contains(&it))
    });
    let points: Vec<Value> = shown
        .map(|(_, row)| {
            json!({ "order": row.value("order"), "measured": row.value("measured_ms"), "simulated": row.value("simulated_ms") })
        })
        .collect();
    let largest = |key: &str| points.iter().filter_map(|it| it[key].as_f64()).fold(0.0, f64::max);
    let top = largest("measured").max(largest("simulated"));
    let more = json!({ "layer": [
        { "data": { "values": [{ "from": 0, "to": top }] }, "mark": { "type": "rule", "strokeDash": [2, 3] }, "encoding": {
            "x": quantity("from", "measured [ms]", json!({})), "x2": { "field": "to" },
            "y": quantity("from", "simulated [ms]", json!({})), "y2": { "field": "to" } } },
        { "mark": { "type": "circle", "size": 28, "opacity": 0.9 }, "encoding": {
            "x": quantity("measured", "measured [ms]", json!({})), "y": quantity("simulated", "simulated [ms]", json!({})),
            "tooltip": tooltip(&[("order", "order"), ("measured", "measured ms"), ("simulated", "simulated ms")]) } },
    ] });
    spec(320.0, points, more)
}

/// Pairs whose measured means differ; nothing of a single validation.
fn ranking(root: &Part<'_>) -> Markup {
    let pairs = root.list("ranking");
    if pairs.is_empty() {
        return html! {};
    }
    html! {
        section #ranking {
            h2 { "Ranking" }
            details {
                summary { "Pairs whose measured means differ significantly (" (pairs.len()) ")" }
                div.wide.tall tabindex="0" role="group" aria-label="Pairs" {
                    table {
                        thead {
                            tr { @for head in ["faster", "slower", "measured ms", "simulated ms", "the same way"] { th scope="col" { (head) } } }
                        }
                        tbody {
                            @for pair in &pairs {
                                tr {
                                    th scope="row" { (pair.text("faster")) }
                                    td.text { (pair.text("slower")) }
                                    td { (value(pair.get("measured_ms"), Shape::Ms)) }
                                    td { (or_dash(pair.number("simulated_ms").as_ref(), Shape::Ms)) }
                                    td { @if pair.value["holds"] == true { span.good { "✓ yes" } } @else { span.bad { "✗ no" } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
