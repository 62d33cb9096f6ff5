//! What happened over time: users, services and links of the first replication, with what was decided marked.

use super::chart::{Chart, Charts, by_strategy, quantity, spec, tooltip};
use super::marks::{Mark, joined, kinds, marks};
use super::source::{Results, Row, Table};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// What users waited, by column.
const OF_USERS: [(&str, &str); 6] = [
    ("p50_ms", "p50 [ms]"),
    ("p90_ms", "p90 [ms]"),
    ("p99_ms", "p99 [ms]"),
    ("offered_per_second", "requests per second"),
    ("failed", "failed requests"),
    ("in_flight", "requests in flight"),
];

/// What services did, by column.
const OF_SERVICES: [(&str, &str); 6] = [
    ("ready_pods", "ready pods"),
    ("application_cpu_cores", "CPU of the services [cores]"),
    ("cpu_utilization", SHARES[1]),
    ("throttled_share", SHARES[2]),
    ("served_per_second", "served per second"),
    ("client_p90_ms", "p90 at clients [ms]"),
];

/// Which of all that is drawn are shares.
const SHARES: [&str; 3] = ["use of the link", "use of the requested CPU", "throttled share"];

/// More lines than this of one chart are more than can be told apart.
const LINES_MAX: usize = 6;

/// Latencies that differ by a larger factor are drawn on a logarithmic scale.
const LINEAR_UP_TO: f64 = 100.0;

/// More points than this of one chart are thinned.
const POINTS_MAX: usize = 600;

/// All series that there are; nothing without any.
pub(super) fn section(results: &Results, strategies: &[String], charts: &mut Charts) -> Checked<Markup> {
    let Some(users) = results.first_replication("user_series.csv")? else { return Ok(html! {}) };
    // A scenario says what happens under all its strategies, of which these are some.
    let mut marks = marks(results)?;
    marks.retain(|it| it.strategy.is_empty() || strategies.contains(&it.strategy));
    let of_users = charts.add(Chart {
        id: "users-over-time",
        caption: "What users saw over time, in the first replication; grey is a fault, lines are what was decided or changed."
            .to_owned(),
        picker: "What",
        variants: of_users(&users, strategies, &marks),
    });
    let services = match results.first_replication("time_series.csv")? {
        Some(table) => charts.add(Chart {
            id: "services-over-time",
            caption: "What services did over time, in the first replication: those that did most, each in its cluster.".to_owned(),
            picker: "What",
            variants: of_services(&table, &marks),
        }),
        None => html! {},
    };
    let links = match results.first_replication("link_series.csv")? {
        Some(table) => charts.add(Chart {
            id: "links-over-time",
            caption: "Use of the links over time, in the first replication, by the end that sends."
                .to_owned(),
            picker: "Strategy",
            variants: of_links(&table, &marks),
        }),
        None => html! {},
    };
    Ok(html! {
        section #time {
            h2 { "Over time" }
            div.figures.wide-figures { (of_users) (services) (links) }
        }
    })
}

/// A series per strategy for each column and population.
fn of_users(table: &Table, strategies: &[String], marks: &[Mark]) -> Vec<(String, Value)> {
    let populations = table.distinct("population");
    let mut variants = Vec::new();
    for population in &populations {
        for (column, title) in OF_USERS {
            let of = |row: &Row<'_>| row.text("population") == population;
            let rows = points(table, column, &of, |row| row.text("strategy").to_owned());
            if rows.iter().all(|row| row["value"].is_null()) {
                continue;
            }
            let name =
                if populations.len() > 1 { format!("{population}: {title}") } else { title.to_owned() };
            variants.push((name, series(rows, title, &by_strategy(strategies), marks, None)));
        }
    }
    variants
}

/// The services that have most of it, for each strategy and column.
fn of_services(table: &Table, marks: &[Mark]) -> Vec<(String, Value)> {
    let mut variants = Vec::new();
    for (column, title) in OF_SERVICES {
        for strategy in table.distinct("strategy") {
            let whose = |row: &Row<'_>| format!("{} in {}", row.text("service"), row.text("cluster"));
            let of = |row: &Row<'_>| row.text("strategy") == strategy;
            let lines = largest(table, column, &of, &whose);
            let rows = points(table, column, &|row| of(row) && lines.contains(&whose(row)), whose);
            if !lines.is_empty() {
                let colour = lines_of(&lines);
                variants.push((
                    format!("{title}, {strategy}"),
                    series(rows, title, &colour, marks, Some(&strategy)),
                ));
            }
        }
    }
    variants
}

fn of_links(table: &Table, marks: &[Mark]) -> Vec<(String, Value)> {
    let of_strategy = |strategy: String| {
        let whose = |row: &Row<'_>| format!("{} from {}", row.text("link"), row.text("from"));
        let of = |row: &Row<'_>| row.text("strategy") == strategy;
        let lines = largest(table, "utilization", &of, &whose);
        let rows = points(table, "utilization", &|row| of(row) && lines.contains(&whose(row)), whose);
        let chart = series(rows, SHARES[0], &lines_of(&lines), marks, Some(&strategy));
        (!lines.is_empty()).then_some((strategy, chart))
    };
    table.distinct("strategy").into_iter().filter_map(of_strategy).collect()
}

fn lines_of(lines: &[String]) -> Value {
    json!({ "field": "strategy", "type": "nominal", "title": null, "scale": { "domain": lines } })
}

/// The lines whose largest value is largest, in their order; only those that are somewhere above zero.
fn largest(
    table: &Table,
    column: &str,
    of: &dyn Fn(&Row<'_>) -> bool,
    whose: &dyn Fn(&Row<'_>) -> String,
) -> Vec<String> {
    let mut peaks: Vec<(String, f64)> = Vec::new();
    for row in table.rows().filter(|row| of(row)) {
        let (name, value) = (whose(&row), row.value(column).unwrap_or(0.0));
        match peaks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, peak)) => *peak = peak.max(value),
            None => peaks.push((name, value)),
        }
    }
    peaks.retain(|(_, peak)| *peak > 0.0);
    let mut order = peaks.clone();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order.truncate(LINES_MAX);
    peaks.into_iter().map(|(name, _)| name).filter(|name| order.iter().any(|(it, _)| it == name)).collect()
}

/// Points of a column, each with the name of its line; of many every second, third and so on of each line.
fn points(
    table: &Table,
    column: &str,
    of: &dyn Fn(&Row<'_>) -> bool,
    line: impl Fn(&Row<'_>) -> String,
) -> Vec<Value> {
    let rows: Vec<Row<'_>> = table.rows().filter(|row| of(row)).collect();
    let step = rows.len().div_ceil(POINTS_MAX).max(1);
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let point = |row: &Row<'_>| {
        let line = line(row);
        let count = counts.entry(line.clone()).or_default();
        *count += 1;
        (*count - 1)
            .is_multiple_of(step)
            .then(|| json!({ "strategy": line, "time": row.value("time_s"), "value": row.value(column) }))
    };
    rows.iter().filter_map(point).collect()
}

/// Lines over time, with the marks of a strategy, or of all.
fn series(rows: Vec<Value>, title: &str, colour: &Value, marks: &[Mark], strategy: Option<&str>) -> Value {
    let own = joined(marks.iter().filter(|it| strategy.is_none_or(|name| it.is_of(name))));
    let of_mark = |it: &Mark| {
        let whose = if it.strategy.is_empty() { "all" } else { &it.strategy };
        json!({ "at": it.at, "until": it.until, "kind": it.kind, "what": it.what, "whose": whose })
    };
    let said = tooltip(&[("kind", "what"), ("what", "which"), ("whose", "strategy"), ("at", "s")]);
    let dash =
        json!({ "field": "kind", "type": "nominal", "title": null, "scale": { "domain": kinds(&own) } });
    let (lasting, moments): (Vec<&Mark>, Vec<&Mark>) = own.iter().partition(|it| it.until.is_some());
    // A fault may outlast the run.
    let end = rows.iter().filter_map(|row| row["time"].as_f64()).fold(0.0, f64::max);
    let time = |field| quantity(field, "time [s]", json!({ "scale": { "domain": [0, end], "nice": false } }));
    let values = || rows.iter().filter_map(|row| row["value"].as_f64());
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let is_wide = title.ends_with("[ms]") && least > 0.0 && most / least > LINEAR_UP_TO;
    let (how, scale) = if is_wide { (", logarithmic", "log") } else { ("", "linear") };
    let axis = match title {
        "ready pods" => json!({ "tickMinStep": 1 }),
        _ if SHARES.contains(&title) => json!({ "format": "~%" }),
        _ => json!({}),
    };
    let y = quantity("value", &format!("{title}{how}"), json!({ "scale": { "type": scale }, "axis": axis }));
    let mut layers = Vec::new();
    if !lasting.is_empty() {
        layers.push(json!({
            "data": { "values": lasting.into_iter().map(of_mark).collect::<Vec<_>>() },
            "mark": { "type": "rect", "opacity": 0.13, "color": "gray", "clip": true },
            "encoding": { "x": time("at"), "x2": { "field": "until" }, "tooltip": said },
        }));
    }
    if !moments.is_empty() {
        layers.push(json!({
            "data": { "values": moments.into_iter().map(of_mark).collect::<Vec<_>>() },
            "mark": { "type": "rule", "opacity": 0.85, "clip": true },
            "encoding": { "x": time("at"), "strokeDash": dash, "tooltip": said },
        }));
    }
    layers.push(json!({
        "mark": { "type": "line", "strokeWidth": 1.8 },
        "encoding": {
            "x": time("time"),
            "y": y,
            "color": colour,
            "strokeDash": colour,
            "tooltip": tooltip(&[("strategy", "which"), ("time", "s"), ("value", title)]),
        },
    }));
    spec(
        260.0,
        rows,
        json!({ "layer": layers, "resolve": { "scale": { "strokeDash": "independent", "color": "independent" } } }),
    )
}
