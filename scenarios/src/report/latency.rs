//! How long users waited: by strategy, group of users and kind of request; and the differences between strategies.

use super::chart::{Chart, Charts, by_strategy, name, quantity, spec, tooltip};
use super::metrics::{Labels, Metrics, of_all, words};
use super::number::{Number, Shape, or_dash, with_interval};
use super::source::{Document, Part, Results, Row};
use crate::analysis::figures;
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MEAN: &str = "latency_ms.mean";

/// The figures of latency, with what they are called.
const STATISTICS: [(&str, &str); 5] = [
    (MEAN, "mean"),
    ("latency_ms.p50", "p50"),
    ("latency_ms.p90", "p90"),
    ("latency_ms.p95", "p95"),
    ("latency_ms.p99", "p99"),
];

/// More groups of users and kinds of requests than this have no table of their own.
const TABLES_MAX: usize = 40;

/// Latencies that differ by a larger factor are drawn on a logarithmic scale.
const LINEAR_UP_TO: f64 = 20.0;

/// A distribution function is drawn by so many points, that of a group by a third, and some more at its tail.
const POINTS: u64 = 150;

/// The table of all strategies, that of each group, quantiles and distribution functions.
pub(super) fn section(results: &Results, metrics: &Metrics<'_>, charts: &mut Charts) -> Checked<Markup> {
    let mut groups = metrics.labels_of(MEAN).to_vec();
    // All together first; files have it so but for what is left out.
    groups.sort_by_key(|it| it.iter().any(|label| !label.is_empty()));
    let others: Vec<&Labels> = groups.iter().filter(|it| **it != of_all()).collect();
    let shown = charts.add(Chart {
        id: "quantiles",
        caption: "Mean and quantiles of the latency of requests that succeeded, with their 95 % intervals, as far as there is room."
            .to_owned(),
        picker: "Of",
        variants: groups.iter().map(|it| (words(it), quantiles(metrics, it))).collect(),
    });
    let distributions = charts.add(Chart {
        id: "distribution",
        caption: "Share of the successful requests that were answered within a time, over all replications."
            .to_owned(),
        picker: "Of",
        variants: distributions(results, metrics)?,
    });
    Ok(html! {
        section #latency {
            h2 { "Latency" }
            p.soft { "In ms, of the requests that succeeded; below each figure its 95 % interval." }
            (table(metrics, &of_all()))
            div.figures { (shown) (distributions) }
            @if !others.is_empty() {
                details {
                    summary { "By users and kinds of requests (" (others.len()) ")" }
                    @for labels in others.iter().take(TABLES_MAX) {
                        h3 { (words(labels)) }
                        (table(metrics, labels))
                    }
                    @if others.len() > TABLES_MAX {
                        p.soft { "The first " (TABLES_MAX) "; metrics.csv has all." }
                    }
                }
            }
        }
    })
}

fn table(metrics: &Metrics<'_>, labels: &[String]) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label={ "Latency of " (words(labels)) } {
            table {
                thead {
                    tr {
                        th scope="col" { "strategy" }
                        @for (_, head) in STATISTICS { th scope="col" { (head) } }
                        th scope="col" { "failed" }
                        th scope="col" { "not ended" }
                        th scope="col" { "requests" }
                    }
                }
                tbody {
                    @for strategy in &metrics.strategies {
                        tr {
                            th scope="row" { (strategy) }
                            @for (figure, _) in STATISTICS { td { (metrics.cell(strategy, figure, labels)) } }
                            td { (metrics.cell(strategy, "failures", labels)) }
                            td { (metrics.cell(strategy, "requests.in_flight", labels)) }
                            td { (metrics.cell(strategy, "requests.offered", labels)) }
                        }
                    }
                }
            }
        }
    }
}

fn quantiles(metrics: &Metrics<'_>, labels: &[String]) -> Value {
    let mut rows = Vec::new();
    for strategy in &metrics.strategies {
        for (figure, statistic) in STATISTICS {
            let Some(row) = metrics.row(strategy, figure, labels) else { continue };
            let Some(value) = row.value("value") else { continue };
            rows.push(json!({ "strategy": strategy, "statistic": statistic, "value": value,
                "low": row.value("low"), "high": row.value("high") }));
        }
    }
    let names: Vec<&str> = STATISTICS.iter().map(|(_, name)| *name).collect();
    let colour =
        json!({ "field": "statistic", "type": "nominal", "title": null, "scale": { "domain": names } });
    let y = name("strategy", "", json!({ "sort": null, "axis": { "labelLimit": 190 } }));
    let (scale, title) = latency_scale(&rows);
    let x = |field| quantity(field, title, json!({ "scale": scale }));
    let more = json!({
        "encoding": { "y": y, "yOffset": { "field": "statistic", "type": "nominal", "sort": names }, "color": colour },
        "layer": [
            { "mark": { "type": "rule", "strokeWidth": 2, "clip": true }, "encoding": {
                "x": x("low"), "x2": { "field": "high" } } },
            { "mark": { "type": "point", "filled": true, "size": 60, "opacity": 1 }, "encoding": {
                "x": x("value"),
                "shape": colour,
                "tooltip": tooltip(&[("strategy", "strategy"), ("statistic", "figure"), ("value", "ms"), ("low", "from"), ("high", "to")]) } },
        ],
    });
    spec(60.0 + 62.0 * metrics.strategies.len() as f64, rows, more)
}

/// A scale with room for all values, and for intervals up to half as much again: one that is far longer would leave none for
/// the others. Where values differ by more than a factor it is logarithmic.
fn latency_scale(rows: &[Value]) -> (Value, &'static str) {
    let all = |field: &'static str| rows.iter().filter_map(move |row| row[field].as_f64());
    let (least, most) = (all("value").fold(f64::INFINITY, f64::min), all("value").fold(0.0, f64::max));
    let high = all("high").fold(most, f64::max).min(1.5 * most);
    let low = all("low").fold(least, f64::min);
    if low > 0.0 && most / least > LINEAR_UP_TO {
        let domain = [low.max(least / 1.5), high];
        return (json!({ "type": "log", "domain": domain }), "latency [ms], logarithmic");
    }
    (json!({ "domain": [0, high] }), "latency [ms]")
}

/// Files of histograms, with the column that names the group; the one of all has none.
const HISTOGRAMS: [(&str, &str); 4] = [
    ("latency_histogram.csv", ""),
    ("application_histogram.csv", "application"),
    ("user_histogram.csv", "users"),
    ("request_histogram.csv", "request"),
];

fn distributions(results: &Results, metrics: &Metrics<'_>) -> Checked<Vec<(String, Value)>> {
    let mut variants = Vec::new();
    for (file, column) in HISTOGRAMS {
        let Some(table) = results.table(file)? else { continue };
        let mut groups: BTreeMap<String, Vec<Row<'_>>> = BTreeMap::new();
        for row in table.rows() {
            groups.entry(row.text(column).to_owned()).or_default().push(row);
        }
        for group in table.distinct(column) {
            let name = if column.is_empty() { "all".to_owned() } else { group.clone() };
            let points = if column.is_empty() { POINTS } else { POINTS / 3 };
            variants.push((name, distribution(&metrics.strategies, &groups[&group], points)));
        }
    }
    Ok(variants)
}

/// The share up to the end of each bucket, at equal distances and at the tail.
fn distribution(strategies: &[String], buckets: &[Row<'_>], points: u64) -> Value {
    let mut rows = Vec::new();
    for strategy in strategies {
        let own = || buckets.iter().filter(|row| row.text("strategy") == strategy);
        let count = |row: &Row<'_>| row.text("count").parse::<u64>().unwrap_or(0);
        let total: u64 = own().map(count).sum();
        let (mut sum, mut next) = (0, 0);
        for row in own() {
            sum += count(row);
            if sum >= next {
                // Seven digits are more than anybody sees.
                let share = (sum as f64 / total as f64 * 1e7).round() / 1e7;
                rows.push(json!({ "strategy": strategy, "ms": row.value("upper_ms"), "share": share }));
                // Of the tail ever smaller parts.
                next = sum + (total / points).min((total - sum) / 5).max(1);
            }
        }
    }
    let more = json!({
        "mark": { "type": "line", "strokeWidth": 2, "interpolate": "monotone" },
        "encoding": {
            "x": quantity("ms", "latency [ms], logarithmic", json!({ "scale": { "type": "log", "nice": false } })),
            "y": quantity("share", "share answered within it", json!({ "axis": { "format": ".0%" } })),
            "color": by_strategy(strategies),
            "strokeDash": by_strategy(strategies),
            "tooltip": tooltip(&[("strategy", "strategy"), ("ms", "ms"), ("share", "share")]),
        },
    });
    spec(320.0, rows, more)
}

/// Each strategy against the baseline, over the same requests; nothing where there is one strategy.
pub(super) fn differences(summary: &Document, charts: &mut Charts) -> Markup {
    let root = summary.root();
    let paired = root.list("paired");
    let Some(first) = paired.first() else { return html! {} };
    let (rows, table) = (paired.iter().map(paired_row).collect(), paired_table(&paired, &root));
    let y = name("strategy", "", json!({ "sort": null, "axis": { "labelLimit": 190 } }));
    let more = json!({
        "layer": [
            { "mark": { "type": "rule", "strokeDash": [4, 4] }, "encoding": { "x": { "datum": 0, "type": "quantitative" } } },
            { "mark": { "type": "rule", "strokeWidth": 3 }, "encoding": {
                "y": y, "x": quantity("low", "difference of the mean [ms]", json!({})), "x2": { "field": "high" } } },
            { "mark": { "type": "point", "filled": true, "size": 70, "opacity": 1 }, "encoding": {
                "y": y, "x": quantity("value", "difference of the mean [ms]", json!({})),
                "tooltip": tooltip(&[("strategy", "strategy"), ("value", "ms"), ("low", "from"), ("high", "to")]) } },
        ],
    });
    let chart = charts.add(Chart {
        id: "differences",
        caption: format!(
            "Mean latency of each strategy less that of {}, over the same requests, with 95 % intervals: left of zero is faster.",
            first.text("baseline")
        ),
        picker: "",
        variants: vec![(String::new(), spec(50.0 + 30.0 * paired.len() as f64, rows, more))],
    });
    html! {
        section #differences {
            h2 { "Differences" }
            p.soft {
                "Against " (first.text("baseline")) ", replication by replication over the same requests. " em { "by chance" }
                ": the probability that the difference is, adjusted for all comparisons (Holm). " em { "against the best of the others" }
                ": 95 % intervals that hold together; one that is below zero is the fastest. All are of requests that succeeded: where many fail, the others \
                 may be the fast ones."
            }
            div.figures { (chart) (table) }
        }
    }
}

fn ends(of: &Part<'_>) -> [Option<Number>; 2] {
    let interval = of.list("ci95");
    [0, 1].map(|end| interval.get(end).and_then(Part::as_number))
}

/// A value with its interval, as JSON has it: `{ "value": .., "ci95": [.., ..] }`.
pub(super) fn value(of: Option<Part<'_>>, shape: Shape) -> Markup {
    match of {
        Some(of) => with_interval(of.number("value").as_ref(), ends(&of), shape),
        None => or_dash(None, shape),
    }
}

fn paired_row(of: &Part<'_>) -> Value {
    let difference = of.value.get("mean_difference_ms");
    let end = |index: usize| difference.and_then(|it| it.get("ci95")?.get(index)).cloned();
    json!({ "strategy": of.text("strategy"), "value": difference.and_then(|it| it.get("value")),
        "low": end(0), "high": end(1) })
}

fn paired_table(paired: &[Part<'_>], root: &Part<'_>) -> Markup {
    let best = root.get("against_best_of_others_ms");
    html! {
        div.wide tabindex="0" role="group" aria-label="Differences" {
            table {
                thead {
                    tr {
                        th scope="col" { "strategy" }
                        th scope="col" { "difference ms" }
                        th scope="col" { "by chance" }
                        @if best.is_some() { th scope="col" { "against the best of the others ms" } }
                    }
                }
                tbody {
                    @for of in paired {
                        tr {
                            th scope="row" { (of.text("strategy")) }
                            td { (value(of.get("mean_difference_ms"), Shape::SignedMs)) }
                            td { (or_dash(of.number("holm_probability").as_ref(), Shape::Probability)) }
                            @if let Some(best) = &best {
                                td {
                                    @if let Some(interval) = best.get(of.text("strategy")) {
                                        @for (index, end) in interval.items().iter().enumerate() {
                                            @if index > 0 { " to " }
                                            (or_dash(end.as_number().as_ref(), Shape::SignedMs))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether users got what they were to get; nothing without objectives.
pub(super) fn objectives(summary: &Document) -> Markup {
    let strategies = summary.root().list("strategies");
    let first = strategies.first().map(|it| it.list("objectives")).unwrap_or_default();
    if first.is_empty() {
        return html! {};
    }
    let shape = |of: &Part<'_>| {
        figures::called(of.text("figure")).map_or(Shape::Plain, |it| Shape::of(it.name, it.unit))
    };
    let name = |of: &Part<'_>| {
        let keys = ["cluster", "to_cluster", "service", "application", "users", "request"];
        let whose = keys.map(|key| of.text(key).to_owned());
        format!("{}: {}", words(&whose), of.text("figure"))
    };
    html! {
        section #objectives {
            h2 { "Objectives" }
            div.wide tabindex="0" role="group" aria-label="Objectives" {
                table {
                    thead {
                        tr {
                            th scope="col" { "objective" }
                            th scope="col" { "bound" }
                            @for strategy in &strategies { th scope="col" { (strategy.text("name")) } }
                        }
                    }
                    tbody {
                        @for (index, objective) in first.iter().enumerate() {
                            tr {
                                th scope="row" { (name(objective)) }
                                td { (or_dash(objective.number("bound").as_ref(), shape(objective))) }
                                @for strategy in &strategies {
                                    @let judged = strategy.list("objectives").into_iter().nth(index);
                                    td { @if let Some(judged) = judged { (verdict(&judged, shape(&judged))) } }
                                }
                            }
                        }
                    }
                }
            }
            p.soft { "✓ holds over all replications together, ✗ does not; below it the share of the replications that keep the bound each for itself." }
        }
    }
}

fn verdict(judged: &Part<'_>, shape: Shape) -> Markup {
    let holds = judged.value.get("holds").and_then(Value::as_bool).unwrap_or(false);
    let (class, sign, word) =
        if holds { ("good", "✓", "holds: ") } else { ("bad", "✗", "does not hold: ") };
    html! {
        span class=(class) { span aria-hidden="true" { (sign) " " } span.heard { (word) } }
        (or_dash(judged.get("value").and_then(|it| it.number("value")).as_ref(), shape))
        span.ci { (or_dash(judged.number("probability").as_ref(), Shape::Percent)) " of the replications" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_leaves_room_for_the_others() {
        let row = |value: f64, [low, high]: [f64; 2]| json!({ "value": value, "low": low, "high": high });
        let near = [row(10.0, [9.0, 11.0]), row(20.0, [1.0, 26_000.0])];
        assert_eq!(latency_scale(&near), (json!({ "domain": [0, 30.0] }), "latency [ms]"));
        let far = |low| [row(10.0, [low, 11.0]), row(1_000.0, [900.0, 1_100.0])];
        let scale = json!({ "type": "log", "domain": [10.0 / 1.5, 1_100.0] });
        assert_eq!(latency_scale(&far(0.1)), (scale, "latency [ms], logarithmic"));
        assert_eq!(latency_scale(&far(-5.0)), (json!({ "domain": [0, 1_100.0] }), "latency [ms]"));
    }
}
