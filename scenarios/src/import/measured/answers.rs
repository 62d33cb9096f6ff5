//! What Prometheus answers: from its server, or as it was saved.
//!
//! # Source
//! Prometheus, "HTTP API" (`/api/v1/query`, `resultType` vector). A saved file is a JSON object in which each query's expression has
//! the body of its answer.

use super::queries::{self, Query};
use crate::problem::{Checked, Problem, Problems, clip};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// Series with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Vector(pub(super) Vec<(Labels, f64)>);

/// The answers to all queries, by their expressions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answers(BTreeMap<String, Body>);

/// The body of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Body {
    status: String,
    /// As of a store that did not answer: it is a part of the answer then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Vec<Sample>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sample {
    metric: Labels,
    value: (f64, String),
}

impl Answers {
    /// Those of queries, by their expressions.
    pub(super) const fn new(all: BTreeMap<String, Body>) -> Self {
        Self(all)
    }

    /// Reads answers that were saved.
    ///
    /// # Errors
    /// If the file cannot be read, or is none.
    pub fn read(path: &Path) -> Checked<Self> {
        let cannot = |why: String| {
            let problem = Problem::new(format!("cannot read `{}`: {why}", path.display()));
            Problems::from(
                problem.help("it is answers.json of an earlier import, or what was saved of `meshsim import --queries`: {\"QUERY\": ANSWER, ...}"),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))
    }

    /// As they are saved.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// What Prometheus warned of, once each.
    pub(super) fn warnings(&self) -> BTreeSet<&str> {
        self.0.values().flat_map(|it| &it.warnings).map(String::as_str).collect()
    }

    /// What was answered to a query over a window.
    ///
    /// # Errors
    /// If it was not asked, or the answer is an error or no vector.
    pub(super) fn to(&self, query: Query, window: &str) -> Checked<Vector> {
        let expression = query.over(window);
        let wrong = |why: &str| {
            let problem = Problem::new(format!("the answer to `{expression}` is of no use: {why}"));
            Problems::from(problem)
        };
        let body = self.0.get(&expression).ok_or_else(|| wrong("there is none (is --window the same?)"))?;
        let data = match (&body.error, &body.data) {
            (Some(error), _) => return Err(wrong(error)),
            (None, Some(data)) if body.status == "success" && data.result_type == "vector" => data,
            _ => return Err(wrong("it is no vector")),
        };
        let series = data.result.iter().filter_map(|it| match it.value.1.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Some(Ok((it.metric.clone(), value))),
            // A quantile of nothing.
            Ok(value) if value.is_nan() && query == queries::QUANTILE => None,
            _ => Some(Err(wrong(&format!("`{}` is the value of {:?}", clip(&it.value.1), it.metric)))),
        });
        series.collect::<Checked<_>>().map(Vector)
    }
}

impl Body {
    /// What could not be done.
    pub(super) const fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }
}

impl Vector {
    /// The sum of the values by what `key` makes of their labels.
    pub(super) fn by<K: Ord>(&self, key: impl Fn(&Labels) -> Option<K>) -> BTreeMap<K, f64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in &self.0 {
            if let Some(key) = key(labels) {
                *sums.entry(key).or_insert(0.0) += value;
            }
        }
        sums
    }
}

/// The value of a label; empty if it is not there.
pub(super) fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}
