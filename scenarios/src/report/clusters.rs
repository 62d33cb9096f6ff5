//! The map of clusters: what their links carried, and who serves whom.

use super::chart::{Chart, Charts, name, quantity, spec, tooltip};
use super::metrics::{Metrics, label};
use super::number::{Shape, or_dash};
use super::source::{Results, Row, Table, distinct};
use crate::analysis::figure::Dimension;
use crate::problem::Checked;
use maud::{Markup, html};
use serde_json::{Value, json};

/// A map of more clusters than this is a tangle.
const CLUSTERS_MAX: usize = 40;

/// More ends of links than this of a strategy are not in its table.
const LINKS_MAX: usize = 60;

const SENT: &str = "sent_per_request";

/// The map, the matrix and the table of links; nothing of a single cluster.
pub(super) fn section(results: &Results, metrics: &Metrics<'_>, charts: &mut Charts) -> Checked<Markup> {
    let Some(table) = results.table("links.csv")? else { return Ok(html! {}) };
    let strategies = table.distinct("strategy");
    let clusters = counted(distinct(table.rows().flat_map(|row| [row.text("from"), row.text("to")])));
    let is_small = clusters.len() <= CLUSTERS_MAX;
    let shown = || strategies.iter().filter(|_| is_small);
    let map = charts.add(Chart {
        id: "clusters",
        caption: "Clusters and the links between them: the wider, the more of a link is used, by its busier direction.".to_owned(),
        picker: "Strategy",
        variants: shown().map(|it| (it.clone(), map(&table, it, &clusters))).collect(),
    });
    let matrix = charts.add(Chart {
        id: "serves",
        caption: "Who serves whom: attempts per user request from the clients of a cluster (down) to pods of a cluster (across)."
            .to_owned(),
        picker: "Strategy",
        variants: shown().map(|it| (it.clone(), matrix(metrics, it))).collect(),
    });
    Ok(html! {
        section #clusters {
            h2 { "Clusters and links" }
            @if !is_small { p.soft { "A map of " (clusters.len()) " clusters is a tangle: the table has the busiest links." } }
            div.figures { (map) (matrix) }
            @for strategy in &strategies {
                details {
                    summary { "Links under " (strategy) }
                    (links(&table, strategy))
                }
            }
        }
    })
}

/// Names with numbers in the order of these: `edge2` before `edge10`.
fn counted(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_cached_key(|name| {
        let word = name.trim_end_matches(|it: char| it.is_ascii_digit());
        (word.to_owned(), name[word.len()..].parse::<u64>().ok(), name.clone())
    });
    names
}

/// Clusters stand on a circle; the one with the most links in the middle, where it has a link to every other one.
fn map(table: &Table, strategy: &str, clusters: &[String]) -> Value {
    let ends = |row: &Row<'_>| [row.text("from").to_owned(), row.text("to").to_owned()];
    let own: Vec<Row<'_>> = table.rows().filter(|row| row.text("strategy") == strategy).collect();
    let neighbours = |cluster: &String| {
        let to = own.iter().filter(|row| row.text("from") == cluster).map(|row| row.text("to"));
        distinct(to).len()
    };
    let hub = clusters.iter().find(|it| clusters.len() > 3 && neighbours(it) + 1 == clusters.len());
    let around: Vec<&String> = clusters.iter().filter(|it| Some(*it) != hub).collect();
    // An angle as a share of the circle, and a distance from the middle; the page knows sines.
    let position = |cluster: &str| match around.iter().position(|it| *it == cluster) {
        Some(index) => (index as f64 / around.len() as f64, 1.0),
        None => (0.0, 0.0),
    };
    let mut lines: Vec<Value> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for row in &own {
        let link = row.text("link");
        if seen.contains(&link) {
            continue;
        }
        seen.push(link);
        let [from, to] = ends(row);
        let used = |row: &Row<'_>| row.value("utilization").unwrap_or(0.0);
        let back = own.iter().find(|it| it.text("link") == link && it.text("from") == to);
        let (there, back) = (used(row), back.map_or(0.0, used));
        let ((a, r), (a2, r2)) = (position(&from), position(&to));
        lines.push(json!({ "link": link, "a": a, "r": r, "a2": a2, "r2": r2, "used": there.max(back),
            "there": format!("{from} to {to}"), "use_there": there, "back": format!("{to} to {from}"), "use_back": back }));
    }
    let nodes: Vec<Value> = clusters
        .iter()
        .map(|it| {
            let (a, r) = position(it);
            json!({ "cluster": it, "a": a, "r": r })
        })
        .collect();
    let at = |x: &str, y: &str, a: &str, r: &str| {
        json!([{ "calculate": format!("datum.{r} * sin(2 * PI * datum.{a})"), "as": x },
               { "calculate": format!("datum.{r} * cos(2 * PI * datum.{a})"), "as": y }])
    };
    let joined = |one: Value, other: Value| {
        let all = [one, other].into_iter().flat_map(|it| it.as_array().cloned().unwrap_or_default());
        Value::from(
            all.chain([
                // In the middle; where links meet in a middle, nearer to the other end.
                json!({ "calculate": "0.5 + 0.2 * (datum.r - datum.r2)", "as": "near" }),
                json!({ "calculate": "datum.near * datum.x + (1 - datum.near) * datum.x2", "as": "mx" }),
                json!({ "calculate": "datum.near * datum.y + (1 - datum.near) * datum.y2", "as": "my" }),
            ])
            .collect::<Vec<_>>(),
        )
    };
    let x = |field: &str| quantity(field, "", json!({ "axis": null, "scale": { "domain": [-1.6, 1.6] } }));
    let y = |field: &str| quantity(field, "", json!({ "axis": null, "scale": { "domain": [-1.3, 1.3] } }));
    let said = tooltip(&[
        ("link", "link"),
        ("there", "there"),
        ("use_there", "use"),
        ("back", "back"),
        ("use_back", "use"),
    ]);
    let between = joined(at("x", "y", "a", "r"), at("x2", "y2", "a2", "r2"));
    // Names stand outside of the circle, that of the middle above it.
    let mut outside = at("lx", "ly", "a", "r").as_array().cloned().unwrap_or_default();
    outside.extend([
        json!({ "calculate": "datum.lx * 1.17", "as": "lx" }),
        json!({ "calculate": "datum.r > 0 ? datum.ly * 1.17 : 0.16", "as": "ly" }),
    ]);
    let side = "datum.lx > 0.2 ? 'left' : datum.lx < -0.2 ? 'right' : 'center'";
    // Of many links the numbers stand in the table only, where the page is narrow.
    let more = json!({ "usermeta": { "columns": lines.len() / 4 }, "layer": [
        { "transform": between, "mark": { "type": "rule", "strokeCap": "round", "opacity": 0.65 }, "encoding": {
            "x": x("x"), "y": y("y"), "x2": { "field": "x2" }, "y2": { "field": "y2" }, "tooltip": said,
            "strokeWidth": quantity("used", "use of the link", json!({ "scale": { "domain": [0, 1], "range": [1.5, 16], "clamp": true }, "legend": null })) } },
        { "transform": between, "mark": { "type": "text", "style": "in-cell", "dy": -8 }, "encoding": {
            "x": x("mx"), "y": y("my"), "text": { "field": "used", "type": "quantitative", "format": ".1%" } } },
        { "data": { "values": nodes }, "transform": at("x", "y", "a", "r"), "mark": { "type": "circle", "size": 260, "opacity": 1 },
          "encoding": { "x": x("x"), "y": y("y"), "tooltip": tooltip(&[("cluster", "cluster")]) } },
        { "data": { "values": nodes }, "transform": outside,
          "mark": { "type": "text", "align": { "expr": side }, "baseline": "middle", "fontWeight": "bold" },
          "encoding": { "x": x("lx"), "y": y("ly"), "text": { "field": "cluster" } } },
    ] });
    spec(320.0, lines, more)
}

fn matrix(metrics: &Metrics<'_>, strategy: &str) -> Value {
    let cells: Vec<Value> = metrics
        .labels_of(SENT)
        .iter()
        .filter_map(|labels| {
            let value = metrics.row(strategy, SENT, labels)?.value("value")?;
            let [from, to] = [Dimension::Cluster, Dimension::ToCluster].map(|of| label(labels, of));
            Some(json!({ "from": from, "to": to, "value": value }))
        })
        .collect();
    let names = |end: &str| counted(distinct(cells.iter().filter_map(|it| it[end].as_str())));
    let (from, to) = (names("from"), names("to"));
    let count = from.len();
    let few = count <= 12;
    let heat = json!({ "mark": "rect", "encoding": {
        "color": quantity("value", "attempts per user request", json!({ "scale": { "domainMin": 0 }, "legend": { "orient": "bottom", "direction": "horizontal" } })),
        "tooltip": tooltip(&[("from", "from"), ("to", "to"), ("value", "attempts per user request")]) } });
    let mut layer = vec![heat];
    if few {
        layer.push(json!({ "mark": { "type": "text", "style": "in-cell" }, "encoding": {
            "text": { "field": "value", "type": "quantitative", "format": ".3~f" } } }));
    }
    let more = json!({
        "encoding": { "x": name("to", "to", json!({ "sort": to, "axis": { "orient": "top", "labelAngle": if few { 0 } else { -60 }, "labelLimit": 90 } })),
            "y": name("from", "from", json!({ "sort": from, "axis": { "labelLimit": 110 } })) },
        "layer": layer,
    });
    spec((count as f64 * 34.0).clamp(90.0, 640.0), cells, more)
}

/// The busiest ends of links of a strategy.
fn links(table: &Table, strategy: &str) -> Markup {
    let mut rows: Vec<Row<'_>> = table.rows().filter(|row| row.text("strategy") == strategy).collect();
    let all = rows.len();
    let used = |row: &Row<'_>| row.value("utilization").unwrap_or(0.0);
    rows.sort_by(|a, b| used(b).total_cmp(&used(a)));
    rows.truncate(LINKS_MAX);
    let bytes = ["call_bytes", "passing_bytes", "control_bytes", "handshake_bytes"];
    html! {
        div.wide.tall tabindex="0" role="group" aria-label={ "Links under " (strategy) } {
            table {
                thead {
                    tr {
                        @for head in ["link", "from", "to", "used", "calls", "passing", "control planes", "handshakes", "connections"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for row in &rows {
                        tr {
                            th scope="row" { (row.text("link")) }
                            td.text { (row.text("from")) }
                            td.text { (row.text("to")) }
                            td { (or_dash(row.number("utilization").as_ref(), Shape::Percent)) }
                            @for column in bytes { td { (or_dash(row.number(column).as_ref(), Shape::Bytes)) } }
                            td { (or_dash(row.number("connections").as_ref(), Shape::Count)) }
                        }
                    }
                }
            }
        }
        @if all > rows.len() { p.soft { "The busiest " (rows.len()) " of " (all) "; links.csv has all." } }
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn names_with_numbers_are_in_the_order_of_these() {
        let names = ["edge10", "edge2", "cloud", "10", "edge", "edge2b", "edge02"].map(str::to_owned);
        assert_eq!(counted(names.to_vec()), ["10", "cloud", "edge", "edge02", "edge2", "edge10", "edge2b"]);
    }
}
