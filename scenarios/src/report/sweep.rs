//! A sweep: curves along one parameter, heat maps over two, points over more; and where two strategies are equal.

use super::chart::{Chart, Charts, by_strategy, name, quantity, spec, tooltip};
use super::number::{Shape, or_dash, with_interval};
use super::source::{Part, Results, Row, Table, distinct};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// What is drawn, by the name of the figure; of each the value of all.
const FIGURES: [(&str, &str); 8] = [
    ("latency_ms.mean", "mean latency [ms]"),
    ("latency_ms.p50", "p50 [ms]"),
    ("latency_ms.p90", "p90 [ms]"),
    ("latency_ms.p99", "p99 [ms]"),
    ("failures", "failed share"),
    ("mean_difference_to_baseline_ms", "difference to the baseline [ms]"),
    ("crossings_per_request", "crossings per request"),
    ("cross_cluster_bytes_per_request.wire", "bytes between clusters per request"),
];

/// More points than this are not in the table.
const POINTS_MAX: usize = 200;

/// An axis that takes several values.
struct Axis {
    path: String,
    /// The column of its numbers, where it has some.
    numbers: Option<String>,
    /// What stands beside it.
    title: String,
    /// As they are written, in their order.
    values: Vec<String>,
}

/// All of it; nothing of other results.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(table) = results.table("sweep.csv")? else { return Ok(html! {}) };
    let axes: Vec<Axis> = axes(&results.manifest.root(), &table);
    let strategies = table.distinct("strategy");
    let rows = of_all(&table);
    let charts = match &axes[..] {
        [] => html! {},
        [axis] => charts.add(Chart {
            id: "curves",
            caption: format!("Each strategy over {}, with 95 % intervals.", axis.path),
            picker: "Figure",
            variants: figures(&rows)
                .map(|it| (it.1.to_owned(), curve(&rows, it, axis, &strategies)))
                .collect(),
        }),
        [first, second] if is_grid(results) => {
            let best = charts.add(Chart {
                id: "fastest",
                caption: "The strategy with the lowest mean at each point; whether it is told from the others the tables say.".to_owned(),
                picker: "",
                variants: vec![(String::new(), fastest(&rows, [first, second], &strategies))],
            });
            let all = figures(&rows).flat_map(|it| strategies.iter().map(move |strategy| (it, strategy)));
            let maps = charts.add(Chart {
                id: "heat",
                caption: format!("A figure of a strategy over {} and {}.", first.path, second.path),
                picker: "Figure",
                variants: all
                    .map(|(it, strategy)| {
                        (format!("{}, {strategy}", it.1), heat(&rows, it, [first, second], strategy))
                    })
                    .collect(),
            });
            html! { (best) (maps) }
        }
        several => charts.add(Chart {
            id: "points",
            caption: "Each point of the sweep over one of its parameters.".to_owned(),
            picker: "Over",
            variants: several
                .iter()
                .map(|axis| (axis.path.clone(), points(&rows, axis, &strategies)))
                .collect(),
        }),
    };
    Ok(html! {
        section #sweep {
            h2 { "Sweep" }
            div.figures { (charts) }
            details open[rows.len() <= 60] {
                summary { "Every point" }
                (every_point(&rows, &axes, &strategies))
            }
        }
    })
}

/// Rows of figures of all requests.
fn of_all(table: &Table) -> Vec<Row<'_>> {
    let labels = [
        "cluster",
        "to_cluster",
        "service",
        "application",
        "user_group",
        "request_kind",
        "outcome",
        "objective",
    ];
    table.rows().filter(|row| labels.iter().all(|it| row.text(it).is_empty())).collect()
}

fn axes(manifest: &Part<'_>, table: &Table) -> Vec<Axis> {
    let of = |axis: Part<'_>| {
        let path = axis.text("path").to_owned();
        let values = axis
            .list("values")
            .iter()
            .filter_map(|it| it.value.as_str())
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let number = table
            .head()
            .iter()
            .find(|it| it.strip_prefix(&path).is_some_and(|it| it.starts_with(" [")))
            .cloned();
        let are_numbers = || values.iter().all(|it| it.parse::<f64>().is_ok());
        let numbers = number.clone().or_else(|| are_numbers().then(|| path.clone()));
        Axis { title: number.unwrap_or_else(|| path.clone()), path, numbers, values }
    };
    manifest.list("axes").into_iter().map(of).filter(|axis| axis.values.len() > 1).collect()
}

fn is_grid(results: &Results) -> bool {
    results.manifest.root().text("combine") == "cross"
}

/// The figures that are there.
fn figures(rows: &[Row<'_>]) -> impl Iterator<Item = (&'static str, &'static str)> {
    FIGURES.into_iter().filter(move |(figure, _)| rows.iter().any(|row| row.text("metric") == *figure))
}

/// How far along an axis a row is.
fn along(row: &Row<'_>, axis: &Axis) -> Value {
    match &axis.numbers {
        Some(column) => json!(row.value(column)),
        None => json!(row.text(&axis.path)),
    }
}

fn channel(axis: &Axis) -> Value {
    match axis.numbers {
        Some(_) => quantity("at", &axis.title, json!({ "scale": { "zero": false, "nice": false } })),
        None => name("at", &axis.title, json!({ "sort": axis.values })),
    }
}

fn curve(rows: &[Row<'_>], (figure, title): (&str, &str), axis: &Axis, strategies: &[String]) -> Value {
    let point = |row: &Row<'_>| {
        json!({ "strategy": row.text("strategy"), "at": along(row, axis), "written": row.text(&axis.path),
            "value": row.value("value"), "low": row.value("low"), "high": row.value("high") })
    };
    let points = rows.iter().filter(|row| row.text("metric") == figure).map(point).collect();
    let said = tooltip(&[
        ("strategy", "strategy"),
        ("written", &axis.path),
        ("value", title),
        ("low", "from"),
        ("high", "to"),
    ]);
    let colour = by_strategy(strategies);
    let more = json!({
        "encoding": { "x": channel(axis), "color": colour },
        "layer": [
            { "mark": { "type": "errorband" }, "encoding": {
                "y": quantity("low", title, json!({})), "y2": { "field": "high" } } },
            { "mark": { "type": "line", "strokeWidth": 2 }, "encoding": {
                "y": quantity("value", title, json!({})), "strokeDash": colour } },
            { "mark": { "type": "point", "filled": true, "size": 50, "opacity": 1 }, "encoding": {
                "y": quantity("value", title, json!({})), "shape": colour, "tooltip": said } },
        ],
    });
    spec(340.0, points, more)
}

fn heat(rows: &[Row<'_>], (figure, title): (&str, &str), axes: [&Axis; 2], strategy: &str) -> Value {
    let own = rows.iter().filter(|row| row.text("metric") == figure && row.text("strategy") == strategy);
    let cells = own.map(|row| {
        json!({ "one": row.text(&axes[0].path), "other": row.text(&axes[1].path), "value": row.value("value"),
            "low": row.value("low"), "high": row.value("high") })
    });
    let said = tooltip(&[
        ("one", &axes[0].path),
        ("other", &axes[1].path),
        ("value", title),
        ("low", "from"),
        ("high", "to"),
    ]);
    grid(
        cells.collect(),
        axes,
        &quantity("value", title, json!({ "legend": { "orient": "bottom", "direction": "horizontal" } })),
        &said,
        &json!({ "field": "value", "type": "quantitative", "format": ".4~g" }),
    )
}

fn fastest(rows: &[Row<'_>], axes: [&Axis; 2], strategies: &[String]) -> Value {
    let means: Vec<&Row<'_>> = rows.iter().filter(|row| row.text("metric") == FIGURES[0].0).collect();
    let mut cells = Vec::new();
    for one in &axes[0].values {
        for other in &axes[1].values {
            let here =
                means.iter().filter(|row| row.text(&axes[0].path) == one && row.text(&axes[1].path) == other);
            let with_value = here.filter_map(|row| Some((row.text("strategy"), row.value("value")?)));
            let best = with_value.min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((strategy, value)) = best {
                cells.push(json!({ "one": one, "other": other, "strategy": strategy, "value": value }));
            }
        }
    }
    let said = tooltip(&[
        ("one", &axes[0].path),
        ("other", &axes[1].path),
        ("strategy", "fastest"),
        ("value", "mean [ms]"),
    ]);
    grid(cells, axes, &by_strategy(strategies), &said, &json!({ "field": "strategy", "type": "nominal" }))
}

/// Cells over two axes, each with a text.
fn grid(cells: Vec<Value>, axes: [&Axis; 2], colour: &Value, said: &Value, text: &Value) -> Value {
    // A text over a strategy's colour is to be read.
    let (opacity, widths) = if text["field"] == "strategy" { (0.45, 2) } else { (1.0, 1) };
    let more = json!({
        "usermeta": { "columns": widths * axes[1].values.len() },
        "encoding": { "x": name("other", &axes[1].path, json!({ "sort": axes[1].values, "axis": { "labelAngle": if axes[1].values.len() < 9 { 0 } else { -60 } } })),
            "y": name("one", &axes[0].path, json!({ "sort": axes[0].values })) },
        "layer": [
            { "mark": { "type": "rect", "opacity": opacity }, "encoding": { "color": colour, "tooltip": said } },
            { "mark": { "type": "text", "style": "in-cell" }, "encoding": { "text": text } },
        ],
    });
    spec((axes[0].values.len() as f64 * 40.0).clamp(120.0, 640.0), cells, more)
}

fn points(rows: &[Row<'_>], axis: &Axis, strategies: &[String]) -> Value {
    let means = rows.iter().filter(|row| row.text("metric") == FIGURES[0].0);
    let points = means.map(|row| {
        json!({ "strategy": row.text("strategy"), "at": along(row, axis), "written": row.text(&axis.path), "value": row.value("value") })
    });
    let more = json!({
        "mark": { "type": "point", "filled": true, "size": 55 },
        "encoding": { "x": channel(axis), "y": quantity("value", FIGURES[0].1, json!({})), "color": by_strategy(strategies),
            "shape": by_strategy(strategies),
            "tooltip": tooltip(&[("strategy", "strategy"), ("written", &axis.path), ("value", FIGURES[0].1)]) },
    });
    spec(320.0, points.collect(), more)
}

/// A line per point, a column per strategy: the mean.
fn every_point(rows: &[Row<'_>], axes: &[Axis], strategies: &[String]) -> Markup {
    let means: Vec<&Row<'_>> = rows.iter().filter(|row| row.text("metric") == FIGURES[0].0).collect();
    let key = |row: &Row<'_>| axes.iter().map(|it| row.text(&it.path)).collect::<Vec<_>>().join("\n");
    let keys: Vec<String> = means.iter().map(|row| key(row)).collect();
    let all = distinct(keys.iter().map(String::as_str));
    html! {
        div.wide.tall tabindex="0" role="group" aria-label="Every point" {
            table {
                thead {
                    tr {
                        @for axis in axes { th scope="col" { (axis.path) } }
                        @for strategy in strategies { th scope="col" { (strategy) " ms" } }
                    }
                }
                tbody {
                    @for point in all.iter().take(POINTS_MAX) {
                        tr {
                            @for value in point.split('\n') { th scope="row" { (value) } }
                            @for strategy in strategies {
                                @let found = means.iter().zip(&keys).find(|(row, key)| *key == point && row.text("strategy") == strategy);
                                td {
                                    @if let Some((row, _)) = found {
                                        (with_interval(row.number("value").as_ref(), ["low", "high"].map(|it| row.number(it)), Shape::Ms))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if all.len() > POINTS_MAX { p.soft { "The first " (POINTS_MAX) " of " (all.len()) "; sweep.csv has all." } }
    }
}

/// Where two strategies are equally fast; nothing of other results.
pub(super) fn break_even(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let (Some(found), Some(table)) = (results.document("break_even.json")?, results.table("break_even.csv")?)
    else {
        return Ok(html! {});
    };
    let found = found.root();
    let head = table.head();
    let (path, number) = (head[0].clone(), head.get(1).cloned().unwrap_or_default());
    let point = |row: Row<'_>| {
        json!({ "at": row.value(&number), "written": row.text(&path), "value": row.value("difference_ms"),
            "low": row.value("low"), "high": row.value("high") })
    };
    let value = found.value.get("number").and_then(Value::as_f64);
    let ends = found.list("ci95_numbers");
    let end = |index: usize| ends.get(index).and_then(|it| it.value.as_f64());
    let names: Vec<&str> =
        found.value["strategies"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let title = format!("{} less {} [ms]", names.first().unwrap_or(&""), names.get(1).unwrap_or(&""));
    let x =
        quantity("at", &format!("{path} [{}]", found.text("unit")), json!({ "scale": { "zero": false } }));
    let mut layers = vec![
        json!({ "mark": { "type": "rule", "strokeDash": [4, 4] }, "encoding": { "y": { "datum": 0 } } }),
        json!({ "mark": "rule", "encoding": { "x": x, "y": quantity("low", &title, json!({})), "y2": { "field": "high" } } }),
        json!({ "mark": { "type": "line", "opacity": 0.6 }, "encoding": { "x": x, "y": quantity("value", &title, json!({})) } }),
        json!({ "mark": { "type": "point", "filled": true, "size": 55, "opacity": 1 }, "encoding": {
            "x": x, "y": quantity("value", &title, json!({})),
            "tooltip": tooltip(&[("written", &path), ("value", "ms"), ("low", "from"), ("high", "to")]) } }),
    ];
    if let Some(value) = value {
        layers.insert(
            0,
            json!({ "data": { "values": [{ "at": value }] }, "mark": { "type": "rule", "strokeWidth": 2 },
            "encoding": { "x": x } }),
        );
    }
    // An interval that has no end within the range reaches beyond it.
    let looked_at = || table.rows().filter_map(|row| row.value(&number));
    if value.is_some() {
        let low = end(0).unwrap_or_else(|| looked_at().fold(f64::INFINITY, f64::min));
        let high = end(1).unwrap_or_else(|| looked_at().fold(f64::NEG_INFINITY, f64::max));
        layers.insert(0, json!({ "data": { "values": [{ "at": low, "to": high }] }, "mark": { "type": "rect", "opacity": 0.15, "color": "gray" },
            "encoding": { "x": x, "x2": { "field": "to" } } }));
    }
    let chart = charts.add(Chart {
        id: "break-even",
        caption: format!("Difference of the mean latencies at every value that was looked at, with 95 % intervals; where it is zero \
                          {} are equally fast, grey its interval.", names.join(" and ")),
        picker: "",
        variants: vec![(String::new(), spec(320.0, table.rows().map(point).collect(), json!({ "layer": layers })))],
    });
    Ok(html! {
        section id="break-even" {
            h2 { "Break-even" }
            div.figures {
                (chart)
                div.wide.tall tabindex="0" role="group" aria-label="Values that were looked at" {
                    table {
                        thead { tr { th scope="col" { (path) } th scope="col" { "difference ms" } } }
                        tbody {
                            @for row in table.rows() {
                                tr {
                                    th scope="row" { (row.text(&path)) }
                                    td { (with_interval(row.number("difference_ms").as_ref(), ["low", "high"].map(|it| row.number(it)), Shape::SignedMs)) }
                                }
                            }
                        }
                    }
                    @if value.is_some() {
                        p { "Equal at " (or_dash(found.number("number").as_ref(), Shape::Plain)) " " (found.text("unit"))
                            @if let [low, high] = &ends[..] {
                                @if low.value.is_number() && high.value.is_number() {
                                    " (95 % interval " (or_dash(low.as_number().as_ref(), Shape::Plain)) " to "
                                    (or_dash(high.as_number().as_ref(), Shape::Plain)) ")"
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}
