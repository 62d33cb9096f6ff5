//! The figures of `metrics.csv`, found by strategy, name and labels.

use super::number::{Number, Shape, or_dash, with_interval};
use super::source::{Row, Table};
use crate::analysis::figure::Dimension;
use maud::Markup;
use std::collections::{BTreeMap, BTreeSet};

/// What tells the values of a figure apart: a text per dimension, in the order of the columns.
pub(super) type Labels = Vec<String>;

/// All figures of a comparison.
pub(super) struct Metrics<'a> {
    pub(super) strategies: Vec<String>,
    rows: BTreeMap<(&'a str, &'a str, Labels), Row<'a>>,
    /// Each with the labels of its values, in the order of the file.
    pub(super) figures: Vec<Listed<'a>>,
}

/// A figure of the file.
pub(super) struct Listed<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a str,
    pub(super) labels: Vec<Labels>,
}

impl<'a> Metrics<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        let mut rows = BTreeMap::new();
        let mut figures: Vec<Listed<'a>> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for row in table.rows() {
            let (name, labels) = (row.text("metric"), labels(row));
            let number = *numbers.entry(name).or_insert_with(|| {
                figures.push(Listed { name, unit: row.text("unit"), labels: Vec::new() });
                figures.len() - 1
            });
            if seen.insert((number, labels.clone())) {
                figures[number].labels.push(labels.clone());
            }
            rows.insert((row.text("strategy"), name, labels), row);
        }
        Self { strategies: table.distinct("strategy"), rows, figures }
    }

    /// The row of a figure of a strategy, with these labels.
    pub(super) fn row(&self, strategy: &str, figure: &str, labels: &[String]) -> Option<Row<'a>> {
        self.rows.get(&(strategy, figure, labels.to_vec())).copied()
    }

    /// A value, shown with its interval.
    pub(super) fn cell(&self, strategy: &str, figure: &str, labels: &[String]) -> Markup {
        let Some(row) = self.row(strategy, figure, labels) else { return or_dash(None, Shape::Plain) };
        let shape = Shape::of(figure, row.text("unit"));
        let ends: [Option<Number>; 2] = ["low", "high"].map(|it| row.number(it));
        with_interval(row.number("value").as_ref(), ends, shape)
    }

    /// The labels of a figure's values.
    pub(super) fn labels_of(&self, figure: &str) -> &[Labels] {
        self.figures.iter().find(|it| it.name == figure).map_or(&[], |it| &it.labels)
    }
}

fn labels(row: Row<'_>) -> Labels {
    Dimension::ALL.iter().map(|it| row.text(it.name()).to_owned()).collect()
}

/// A label of one dimension.
pub(super) fn label(labels: &[String], of: Dimension) -> &str {
    let index = Dimension::ALL.iter().position(|it| *it == of);
    index.and_then(|index| labels.get(index)).map_or("", String::as_str)
}

/// Those that are there, with commas; `all` without any.
pub(super) fn words(labels: &[String]) -> String {
    let given: Vec<&str> = labels.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    if given.is_empty() { "all".to_owned() } else { given.join(", ") }
}

/// The labels of all.
pub(super) fn of_all() -> Labels {
    vec![String::new(); Dimension::ALL.len()]
}
