//! What Prometheus answers: from its server, or as it was saved.
//!
//! # Source
//! Prometheus, "HTTP API" (`/api/v1/query`, `resultType` vector). A saved file is a JSON object in which each query's expression has
//! the body of its answer.

use super::queries::{self, Query};
use crate::problem::{Checked, Problem, Problems, clip};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer is at most so large (bytes).
const LARGEST: u64 = 256 << 20;

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
struct Body {
    status: String,
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
    /// Asks a server for all that is to be known, at a moment (s since 1970) over a window before it.
    ///
    /// # Errors
    /// If it cannot be reached, or answers something else.
    pub fn ask(url: &str, at: f64, window: &str) -> Checked<Self> {
        let base = url.trim_end_matches('/');
        if !base.starts_with("http://") {
            let help = "name a server as in http://localhost:9090; what is behind TLS, `kubectl port-forward` brings here";
            return Err(Problem::new(format!("--prometheus `{}` is no http:// address", clip(url)))
                .help(help)
                .into());
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let ask = |query: Query| {
            let expression = query.over(window);
            let cannot = |why: String| {
                let problem =
                    Problem::new(format!("Prometheus at {base} does not answer `{expression}`: {why}"));
                Problems::from(problem.help("is it the right address, and does it run?"))
            };
            let mut response = agent
                .get(format!("{base}/api/v1/query"))
                .query("query", &expression)
                .query("time", format!("{at:.3}"))
                .call()
                .map_err(|error| cannot(error.to_string()))?;
            let text = response.body_mut().with_config().limit(LARGEST).read_to_string();
            let text = text.map_err(|error| cannot(error.to_string()))?;
            let body: Body = serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))?;
            Checked::Ok((expression, body))
        };
        queries::ALL.into_iter().map(ask).collect::<Checked<_>>().map(Self)
    }

    /// Reads answers that were saved.
    ///
    /// # Errors
    /// If the file cannot be read, or is none.
    pub fn read(path: &Path) -> Checked<Self> {
        let cannot = |why: String| {
            let problem = Problem::new(format!("cannot read `{}`: {why}", path.display()));
            Problems::from(
                problem.help("it is a file answers.json that `meshsim import --prometheus` has written"),
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

    /// Whether there is not a single call in the window.
    ///
    /// # Errors
    /// If the answer is an error.
    pub fn has_no_calls(&self, window: &str) -> Checked<bool> {
        Ok(self.to(queries::CALLS, window)?.0.iter().all(|(_, count)| *count <= 0.0))
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
        let value = |it: &Sample| it.value.1.parse::<f64>().map_err(|_| wrong("a value is no number"));
        let series = data.result.iter().map(|it| Checked::Ok((it.metric.clone(), value(it)?)));
        // What was never counted in the window has no value.
        let known = |it: &Checked<(Labels, f64)>| {
            it.as_ref().is_err() || it.as_ref().is_ok_and(|(_, v)| v.is_finite())
        };
        series.filter(known).collect::<Checked<_>>().map(Vector)
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
