//! Reads the answer of Prometheus to a query of histogram buckets.
//!
//! # Models
//! Each series has the label `le`, the upper border of its bucket, inclusive; counts are cumulative
//! over borders. A series named `..._bucket` is a counter: what it grew over the range is taken, and
//! a value below the one before it is a restart from 0. A series without a name is the result of
//! `rate` or `increase`: its values are added up. Series of equal border are added up too, but those
//! of failed requests (by the labels `response_code`, `code` or `status`) count as failures. Borders
//! are in the unit that the name says, `_milliseconds_` or `_seconds_`.
//!
//! # Assumptions
//! Without a name, borders are seconds if the largest one is at most 300, else milliseconds. Growth
//! before the first value of the range is not seen. Of rates, only the shape is known.
//!
//! # Source
//! Prometheus documentation, HTTP API, "Range queries" and "Instant queries"; metric types,
//! histogram. Istio, standard metrics, `istio_request_duration_milliseconds`.

use super::collect::Collector;
use super::field::{Quantity, is_success, quoted};
use super::histogram::Histogram;
use super::input::{Content, problem_of};
use super::json::{Each, Object, Parts, Sink, documents};
use super::scalar::Scalar;
use crate::problem::{Checked, Problem};
use serde::de::MapAccess;
use std::collections::BTreeMap;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut answer = Answer::default();
    documents(content, to, &mut answer)?;
    if let Some(error) = &answer.error {
        let message = format!("Prometheus refused the query: {}", quoted(error));
        return Err(problem_of(to.path, message).into());
    }
    let histogram = answer.histogram(to)?;
    to.set_histogram(histogram, answer.values.max(1));
    Ok(())
}

#[derive(Default)]
struct Answer {
    error: Option<String>,
    /// Successful requests up to each border; the key is the border's bits, in the order of borders.
    up_to: BTreeMap<u64, f64>,
    failed_up_to: BTreeMap<u64, f64>,
    /// Series per border, of successful requests.
    series: BTreeMap<u64, u64>,
    values: u64,
    milliseconds: Option<bool>,
    without_border: u64,
}

impl Parts for Answer {
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            // The query's data is an object in the answer.
            "data" => map.next_value_seed(Object { parts: self, sink })?,
            "result" => map.next_value_seed(Object { parts: &mut Series::new(self), sink })?,
            "error" => self.error = Some(map.next_value::<Scalar>()?.text()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// One series, and then the next.
struct Series<'a> {
    answer: &'a mut Answer,
    metric: BTreeMap<String, Scalar>,
    /// The last value.
    last: Option<f64>,
    /// What the values grew, restarts taken into account.
    growth: f64,
    /// All values added up.
    sum: f64,
    /// The answer to an instant query.
    instant: bool,
}

const VALUE: Quantity = Quantity { name: "values", factor: 1.0, most: 1e15, right: "requests" };

/// More borders than anybody has.
const MOST_BORDERS: usize = 10_000;

impl Parts for Series<'_> {
    fn begin(&mut self, _: &mut Sink<'_, '_>) {
        self.metric.clear();
        (self.last, self.growth, self.sum, self.instant) = (None, 0.0, 0.0, false);
    }

    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            "metric" => self.metric = map.next_value()?,
            "values" => {
                map.next_value_seed(Each::new(
                    sink,
                    |to: &mut Collector<'_>, pair: (Scalar, Scalar), line| self.value(&pair.1, to, line),
                ))?;
            }
            "value" => {
                let (_, value): (Scalar, Scalar) = map.next_value()?;
                self.instant = true;
                let line = sink.line();
                let taken = self.value(&value, sink.to, line);
                sink.complete(taken)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(&mut self, sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
        let text = |key: &str| self.metric.get(key).map(Scalar::text);
        let border = text("le").and_then(|le| le.parse::<f64>().ok()).filter(|le| *le >= 0.0);
        let Some(border) = border else {
            self.answer.without_border += 1;
            return Ok(());
        };
        let name = text("__name__");
        if let Some(name) = &name {
            self.answer.milliseconds = Some(!name.contains("_seconds"));
        }
        let count = match (self.instant, name) {
            (true, _) => self.last.unwrap_or(0.0),
            (false, Some(_)) => self.growth,
            (false, None) => self.sum,
        };
        let status = ["response_code", "code", "status"].into_iter().find_map(text);
        let failed = status.and_then(|status| status.parse::<f64>().ok()).is_some_and(|s| !is_success(s));
        let answer = &mut *self.answer;
        let counts = if failed { &mut answer.failed_up_to } else { &mut answer.up_to };
        // Of numbers that are not negative, bits are in the order of their values; -0 is.
        *counts.entry(border.abs().to_bits()).or_insert(0.0) += count;
        *answer.series.entry(border.abs().to_bits()).or_insert(0) += u64::from(!failed);
        if answer.series.len() > MOST_BORDERS {
            return Err(problem_of(sink.to.path, format!("has more than {MOST_BORDERS} borders")));
        }
        Ok(())
    }
}

impl<'a> Series<'a> {
    const fn new(answer: &'a mut Answer) -> Self {
        Self { answer, metric: BTreeMap::new(), last: None, growth: 0.0, sum: 0.0, instant: false }
    }

    fn value(&mut self, value: &Scalar, to: &mut Collector<'_>, line: u64) -> Result<(), Problem> {
        let value = match value.number(&VALUE) {
            Ok(value) => value,
            Err(fault) => return to.bad(fault.at(to.path, line)),
        };
        self.growth += match self.last {
            Some(last) if value < last => value,
            Some(last) => value - last,
            None => 0.0,
        };
        self.sum += value;
        self.last = Some(value);
        self.answer.values += 1;
        Ok(())
    }
}

impl Answer {
    fn histogram(&self, to: &mut Collector<'_>) -> Result<Histogram, Problem> {
        if self.up_to.is_empty() && !self.failed_up_to.is_empty() {
            let failed = self.failed_up_to.values().copied().fold(0.0, f64::max).round();
            let message = format!("all {failed} requests failed, and latencies are those of the others");
            return Err(problem_of(to.path, message).help("query another stretch of time"));
        }
        let Some((&largest, _)) = self.up_to.range(..f64::INFINITY.to_bits()).next_back() else {
            let message = format!("has no series with the label `le` ({} without)", self.without_border);
            return Err(
                problem_of(to.path, message).help("query the buckets, as in NAME_bucket or sum by (le)")
            );
        };
        let milliseconds = self.milliseconds.unwrap_or(f64::from_bits(largest) > 300.0);
        if self.milliseconds.is_none() {
            let unit = if milliseconds { "milliseconds" } else { "seconds" };
            to.note(format!("the series have no name: borders are taken as {unit}, counts as shares"));
        }
        if self.series.values().any(|&series| series > 1) {
            to.note("several series of each border were added up; select in the query if they are not of the same");
        }
        to.note("the file has buckets only, with all of the range in them");
        let factor = if milliseconds { 1.0 } else { 1e3 };
        let mut points = Vec::new();
        let mut most = 0.0_f64;
        for (&border, &count) in &self.up_to {
            most = most.max(count);
            points.push((f64::from_bits(border) * factor, most));
        }
        let failed = self.failed_up_to.values().copied().fold(0.0, f64::max).round() as u64;
        let requests = most.round() as u64 + failed;
        Ok(Histogram { requests, failed, ..Histogram::of_cumulative(0.0, &points) })
    }
}
