//! Who calls whom and where each call was served: a graph with a lane per cluster, and the flows as a table.

use super::chart::{Chart, Charts, quantity, spec, tooltip};
use super::number::{Shape, or_dash};
use super::source::{Results, Row, Table, distinct};
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A graph of more services in clusters than this is a tangle.
const NODES_MAX: usize = 90;

/// More flows than this of a strategy are not in its table.
const FLOWS_MAX: usize = 60;

/// A service in a cluster.
type Node<'a> = (&'a str, &'a str);

/// The graph and the table of each strategy; nothing where no call was made.
pub(super) fn section(results: &Results, charts: &mut Charts) -> Checked<Markup> {
    let Some(table) = results.table("traffic.csv")? else { return Ok(html! {}) };
    let strategies = table.distinct("strategy");
    let columns = depths(&table);
    let nodes: BTreeSet<Node<'_>> = table.rows().flat_map(ends).collect();
    let has_graph = nodes.len() <= NODES_MAX && !nodes.is_empty();
    let graphs = strategies.iter().filter(|_| has_graph);
    let variants = graphs.map(|it| (it.clone(), graph(&table, it, &nodes, &columns))).collect();
    let chart = charts.add(Chart {
        id: "calls",
        caption: "Calls between services: a lane per cluster; a line from left to right is a call, the thicker the more, and one \
                  from lane to lane crosses a link."
            .to_owned(),
        picker: "Strategy",
        variants,
    });
    Ok(html! {
        section #calls {
            h2 { "Calls" }
            (chart)
            @if !has_graph && !nodes.is_empty() {
                p.soft { "A graph of " (nodes.len()) " services in clusters is a tangle: the table has the largest flows." }
            }
            @for strategy in &strategies {
                details {
                    summary { "Calls under " (strategy) }
                    (flows(&table, strategy))
                }
            }
        }
    })
}

fn ends(row: Row<'_>) -> [Node<'_>; 2] {
    [("from_cluster", "from_service"), ("to_cluster", "to_service")]
        .map(|(cluster, service)| (row.text(cluster), row.text(service)))
}

/// How many calls away from the first ones a service is at least: its column of the graph.
fn depths(table: &Table) -> BTreeMap<&str, usize> {
    let calls: BTreeSet<(&str, &str)> =
        table.rows().map(|row| (row.text("from_service"), row.text("to_service"))).collect();
    let called: BTreeSet<&str> = calls.iter().filter(|(from, to)| from != to).map(|(_, to)| *to).collect();
    let mut depths: BTreeMap<&str, usize> =
        calls.iter().map(|(from, _)| *from).filter(|it| !called.contains(it)).map(|it| (it, 0)).collect();
    let all: BTreeSet<&str> = calls.iter().flat_map(|(from, to)| [*from, *to]).collect();
    if depths.is_empty() {
        // Who is in a circle that nobody enters is as good a beginning as any.
        depths.extend(all.first().map(|it| (*it, 0)));
    }
    let mut level = 0;
    while depths.values().any(|depth| *depth == level) {
        let of_level = calls.iter().filter(|(from, _)| depths.get(from) == Some(&level));
        let next: Vec<&str> = of_level.map(|(_, to)| *to).collect();
        level += 1;
        for to in next {
            depths.entry(to).or_insert(level);
        }
    }
    for service in all {
        depths.entry(service).or_insert(0);
    }
    depths
}

fn graph(
    table: &Table,
    strategy: &str,
    nodes: &BTreeSet<Node<'_>>,
    columns: &BTreeMap<&str, usize>,
) -> Value {
    let clusters = distinct(nodes.iter().map(|(cluster, _)| *cluster));
    let positions = positions(nodes, columns, &clusters);
    let height = positions.values().map(|(_, y)| *y).fold(0.0, f64::max) + 1.0;
    let width = columns.values().max().map_or(1, |it| it + 1);
    let calls = |row: &Row<'_>| row.value("requests_per_second").unwrap_or(0.0);
    let own: Vec<Row<'_>> = table.rows().filter(|row| row.text("strategy") == strategy).collect();
    let mut received: BTreeMap<Node<'_>, f64> = BTreeMap::new();
    let lines: Vec<Value> = own
        .iter()
        .map(|row| {
            let [from, to] = ends(*row);
            *received.entry(to).or_default() += calls(row);
            let crosses = if from.0 == to.0 { "within its cluster" } else { "to another cluster" };
            let ([x, y], [x2, y2]) =
                ([positions[&from].0, positions[&from].1], [positions[&to].0, positions[&to].1]);
            json!({ "x": x, "y": y, "x2": x2, "y2": y2, "per_second": calls(row), "crosses": crosses,
                "from": format!("{} in {}", from.1, from.0), "to": format!("{} in {}", to.1, to.0) })
        })
        .collect();
    let services: Vec<Value> = nodes
        .iter()
        .map(|(cluster, service)| {
            let (x, y) = positions[&(*cluster, *service)];
            let is_used = own.iter().any(|row| ends(*row).contains(&(*cluster, *service)));
            json!({ "x": x, "y": y, "service": service, "cluster": cluster, "used": is_used,
                "per_second": received.get(&(*cluster, *service)).copied().unwrap_or(0.0) })
        })
        .collect();
    let lanes: Vec<Value> = lanes(&positions, &clusters)
        .into_iter()
        .map(|(cluster, [top, bottom])| {
            json!({ "x": -0.5, "x2": width as f64 - 0.5, "top": top, "bottom": bottom, "cluster": cluster })
        })
        .collect();
    let x = |field: &str| {
        quantity(
            field,
            "",
            json!({ "axis": null, "scale": { "domain": [-0.5, width as f64 - 0.5], "nice": false } }),
        )
    };
    let y = |field: &str| {
        quantity(field, "", json!({ "axis": null, "scale": { "domain": [height, -0.9], "nice": false } }))
    };
    let kinds = json!({ "domain": ["within its cluster", "to another cluster"] });
    let crosses = json!({ "field": "crosses", "type": "nominal", "title": null, "scale": kinds });
    let said = tooltip(&[("from", "from"), ("to", "to"), ("per_second", "calls per second")]);
    let more = json!({ "layer": [
        { "data": { "values": lanes }, "mark": { "type": "rect", "opacity": 0.08, "color": "gray", "cornerRadius": 6 },
          "encoding": { "x": x("x"), "x2": { "field": "x2" }, "y": y("top"), "y2": { "field": "bottom" } } },
        { "mark": { "type": "rule", "opacity": 0.75, "strokeCap": "round" },
          "encoding": { "x": x("x"), "y": y("y"), "x2": { "field": "x2" }, "y2": { "field": "y2" },
            "color": crosses, "strokeDash": crosses, "tooltip": said,
            "strokeWidth": quantity("per_second", "calls per second", json!({ "scale": { "type": "sqrt", "range": [0.5, 9] }, "legend": null })) } },
        { "data": { "values": services }, "mark": { "type": "circle", "size": 130, "opacity": 1, "color": "gray" },
          "encoding": { "x": x("x"), "y": y("y"),
            "opacity": { "condition": { "test": "datum.used", "value": 1 }, "value": 0.25 },
            "tooltip": tooltip(&[("service", "service"), ("cluster", "cluster"), ("per_second", "calls per second")]) } },
        { "data": { "values": services }, "mark": { "type": "text", "dy": 16 },
          "encoding": { "x": x("x"), "y": y("y"), "text": { "field": "service" },
            "opacity": { "condition": { "test": "datum.used", "value": 1 }, "value": 0.45 } } },
        { "data": { "values": lanes }, "mark": { "type": "text", "align": "left", "baseline": "top", "dx": 6, "dy": 5, "fontWeight": "bold" },
          "encoding": { "x": x("x"), "y": y("top"), "text": { "field": "cluster" } } },
    ] });
    spec(60.0 + 36.0 * height, lines, more)
}

/// Column and line of each service in a cluster: lanes stand one below the other.
fn positions<'a>(
    nodes: &BTreeSet<Node<'a>>,
    columns: &BTreeMap<&str, usize>,
    clusters: &[String],
) -> BTreeMap<Node<'a>, (f64, f64)> {
    let mut positions = BTreeMap::new();
    let mut top = 0.0;
    for cluster in clusters {
        let mut filled: BTreeMap<usize, f64> = BTreeMap::new();
        for node in nodes.iter().filter(|(own, _)| own == cluster) {
            let column = columns.get(node.1).copied().unwrap_or(0);
            let line = filled.entry(column).or_insert(0.0);
            // Every second column a little lower: lines that pass a service do not hide it.
            let lower = if column % 2 == 1 { 0.5 } else { 0.0 };
            positions.insert(*node, (column as f64, top + *line + lower));
            *line += 1.0;
        }
        top += filled.values().copied().fold(0.0, f64::max) + 1.6;
    }
    positions
}

/// Top and bottom of each cluster's lane.
fn lanes<'a>(positions: &BTreeMap<Node<'_>, (f64, f64)>, clusters: &'a [String]) -> Vec<(&'a str, [f64; 2])> {
    let of = |cluster: &'a String| {
        let own = positions.iter().filter(|((name, _), _)| name == cluster).map(|(_, (_, y))| *y);
        let (low, high) = own.fold((f64::INFINITY, 0.0_f64), |(low, high), y| (low.min(y), high.max(y)));
        (cluster.as_str(), [low - 0.8, high + 0.9])
    };
    clusters.iter().map(of).collect()
}

/// The largest flows of a strategy.
fn flows(table: &Table, strategy: &str) -> Markup {
    let mut rows: Vec<Row<'_>> = table.rows().filter(|row| row.text("strategy") == strategy).collect();
    let all = rows.len();
    let calls = |row: &Row<'_>| row.value("requests").unwrap_or(0.0);
    rows.sort_by(|a, b| calls(b).total_cmp(&calls(a)));
    rows.truncate(FLOWS_MAX);
    html! {
        div.wide.tall tabindex="0" role="group" aria-label={ "Calls under " (strategy) } {
            table {
                thead {
                    tr {
                        @for head in ["from", "to", "calls per second", "requests on the wire", "answers on the wire"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for row in &rows {
                        @let [from, to] = ends(*row);
                        tr {
                            th scope="row" { (from.1) " in " (from.0) }
                            td.text { (to.1) " in " (to.0) }
                            td { (or_dash(row.number("requests_per_second").as_ref(), Shape::Plain)) }
                            td { (or_dash(row.number("request_wire_bytes").as_ref(), Shape::Bytes)) }
                            td { (or_dash(row.number("response_wire_bytes").as_ref(), Shape::Bytes)) }
                        }
                    }
                }
            }
        }
        @if all > rows.len() { p.soft { "The largest " (rows.len()) " of " (all) "; traffic.csv has all." } }
    }
}
