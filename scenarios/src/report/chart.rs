//! Charts: specifications of Vega-Lite, which the page draws and notebooks take as they are.
//!
//! A specification holds its data and names fields of our own choice only; names of strategies and clusters are data. Colours,
//! fonts and the light or dark ground are the page's (`assets/page.js`), not the specification's.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

/// The version of Vega-Lite that specifications are of.
const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v6.json";

/// More variants than this are not offered,
const VARIANTS_MAX: usize = 24;

/// nor those whose data would make the page longer than somebody sends (bytes).
const BYTES_MAX: usize = 400_000;

/// A chart, of which the reader may choose one of several variants.
pub(super) struct Chart {
    /// Its name, of letters and dashes.
    pub(super) id: &'static str,
    /// What it shows, in a sentence; it stands below the chart, and is read out in its stead.
    pub(super) caption: String,
    /// What is chosen.
    pub(super) picker: &'static str,
    /// Each with what is said of it; one at least.
    pub(super) variants: Vec<(String, Value)>,
}

/// The charts of a page, in their order.
#[derive(Default)]
pub(super) struct Charts(Vec<Chart>);

impl Charts {
    /// Takes a chart, and gives the figure that is to stand for it; nothing if it shows nothing.
    pub(super) fn add(&mut self, mut chart: Chart) -> Markup {
        let all = chart.variants.len();
        let mut bytes = 0;
        let is_short = |(_, spec): &&(String, Value)| {
            bytes += compact(spec).to_string().len();
            bytes <= BYTES_MAX
        };
        // The first is there in any case.
        let short = chart.variants.iter().take(VARIANTS_MAX).take_while(is_short).count().max(1);
        chart.variants.truncate(short);
        if chart.variants.is_empty() {
            return html! {};
        }
        let markup = html! {
            figure {
                @if chart.variants.len() > 1 {
                    label.pick {
                        (chart.picker) " "
                        select data-picks=(chart.id) {
                            @for (index, (name, _)) in chart.variants.iter().enumerate() {
                                option value=(index) { (name) }
                            }
                        }
                        @if all > chart.variants.len() {
                            span.soft { " the first of " (all) }
                        }
                    }
                }
                div.chart data-chart=(chart.id) role="img" aria-label=(chart.caption) {}
                figcaption { (chart.caption) }
            }
        };
        self.0.push(chart);
        markup
    }

    /// All specifications, by the names of charts: a list of a name and a specification each.
    pub(super) fn specifications(&self) -> Value {
        let one = |(name, spec): &(String, Value)| json!({ "name": name, "spec": spec });
        let all = self.0.iter().map(|it| (it.id.to_owned(), it.variants.iter().map(one).collect()));
        Value::Object(all.collect::<Map<_, _>>())
    }

    /// The same as the page has it, half as long.
    pub(super) fn compact(&self) -> Value {
        compact(&self.specifications())
    }
}

/// A value in which each list of rows names its columns once: `{ "columns": [..], "rows": [[..], ..] }`.
fn compact(value: &Value) -> Value {
    match value {
        Value::Array(rows) => match columns(rows) {
            Some(columns) => {
                let cells = |row: &Value| columns.iter().map(|it| row[*it].clone()).collect::<Value>();
                json!({ "columns": columns, "rows": rows.iter().map(cells).collect::<Vec<_>>() })
            }
            None => rows.iter().map(compact).collect(),
        },
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), compact(value))).collect())
        }
        other => other.clone(),
    }
}

/// The columns of a list of rows: of several objects that have the same members, all plain.
fn columns(rows: &[Value]) -> Option<Vec<&str>> {
    let first = rows.first().filter(|_| rows.len() > 1)?.as_object()?;
    let is_like_it = |row: &Value| {
        let own = row.as_object();
        own.is_some_and(|it| {
            it.keys().eq(first.keys()) && it.values().all(|it| !it.is_object() && !it.is_array())
        })
    };
    rows.iter().all(is_like_it).then(|| first.keys().map(String::as_str).collect())
}

/// A specification as wide as the page has room, of `height` pixels, over these rows.
pub(super) fn spec(height: f64, rows: Vec<Value>, more: Value) -> Value {
    let mut spec = json!({
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": { "type": "fit-x", "contains": "padding" },
        "data": { "values": Value::Array(rows) },
    });
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    spec
}

/// The colours, dashes and shapes of strategies are the same in all charts: more than seven can be told apart, also
/// by those who see fewer colours.
pub(super) fn by_strategy(strategies: &[String]) -> Value {
    json!({ "field": "strategy", "type": "nominal", "scale": { "domain": strategies }, "title": null })
}

/// A quantity with a title and more settings.
pub(super) fn quantity(field: &str, title: &str, more: Value) -> Value {
    channel(field, "quantitative", title, more)
}

/// A name with a title and more settings.
pub(super) fn name(field: &str, title: &str, more: Value) -> Value {
    channel(field, "nominal", title, more)
}

fn channel(field: &str, kind: &str, title: &str, more: Value) -> Value {
    let mut channel = json!({ "field": field, "type": kind, "title": (!title.is_empty()).then_some(title) });
    if let (Value::Object(channel), Value::Object(more)) = (&mut channel, more) {
        channel.extend(more);
    }
    channel
}

/// What is said of a mark that one points at: fields with their titles.
pub(super) fn tooltip(fields: &[(&str, &str)]) -> Value {
    let one = |(field, title): &(&str, &str)| json!({ "field": field, "title": title });
    fields.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_their_columns_once() {
        let spec = json!({ "data": { "values": [{ "a": 1, "b": "x" }, { "a": null, "b": "y" }] },
            "layer": [{ "mark": "line" }, { "mark": { "type": "rule" } }], "sort": ["p", "q"] });
        let compact = compact(&spec);
        assert_eq!(
            compact["data"]["values"],
            json!({ "columns": ["a", "b"], "rows": [[1, "x"], [null, "y"]] })
        );
        assert_eq!((&compact["layer"], &compact["sort"]), (&spec["layer"], &spec["sort"]));
    }

    #[test]
    fn a_chart_without_variants_is_no_figure() {
        let chart = |variants| Chart { id: "a", caption: "c".to_owned(), picker: "Of", variants };
        let mut charts = Charts::default();
        assert_eq!(charts.add(chart(Vec::new())).into_string(), "");
        let large = || ("n".to_owned(), json!({ "text": "x".repeat(BYTES_MAX) }));
        assert!(charts.add(chart(vec![large(), large()])).into_string().contains("<figure>"));
        assert_eq!(charts.specifications()["a"].as_array().map(Vec::len), Some(1));
    }
}
