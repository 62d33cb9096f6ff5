//! Reads what k6 writes with `--out csv` or `--out json`.
//!
//! # Models
//! One row (CSV) or one line (JSON, of the type `Point`) per metric and request; those of
//! `http_req_duration` and `grpc_req_duration` are taken (`metric_value` or `value`, ms), all others
//! skipped. The time is when the request ended: in CSV in a unit that depends on k6's `timeFormat`, told by
//! its size, in JSON a text. A request succeeded if `expected_response` says so, or else by `status` and
//! `error_code`.
//!
//! # Assumptions
//! The duration of k6 has no time to connect. Effect: latencies of requests on new connections are
//! shorter than `JMeter`'s. By default k6 writes whole seconds into CSV: starts are as coarse.
//!
//! # Source
//! Grafana k6 documentation, Results output, CSV and JSON; k6's metrics reference, `http_req_duration`.

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, column_of, columns_of};
use super::field::{Fault, Quantity, duration_ms, is_success, moment, number, quoted, said, start_s};
use super::input::{Content, problem_of};
use super::lines::each_line;
use super::model::Names;
use super::scalar::Scalar;
use crate::problem::Checked;
use csv::StringRecord;
use serde::Deserialize;

const METRICS: [&str; 2] = ["http_req_duration", "grpc_req_duration"];

pub(super) fn read_csv<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "a k6 file has a header line and a line per metric")?;
    let header = rows.header();
    let [metric, time, value] = columns_of(to.path, header, ["metric_name", "timestamp", "metric_value"])?;
    let optional =
        ["status", "error_code", "expected_response", "name", "url"].map(|name| column_of(header, name));
    let columns = Columns { time, value, optional };
    while let Some((row, line)) = rows.next(to)? {
        if METRICS.contains(&row.get(metric).unwrap_or_default()) {
            let request = columns.request(row, &mut to.names);
            to.request(request, line)?;
        }
    }
    Ok(())
}

struct Columns {
    time: usize,
    value: usize,
    /// Status, error code, expected response, name, URL.
    optional: [Option<usize>; 5],
}

impl Columns {
    fn request(&self, row: &StringRecord, names: &mut Names) -> Result<TraceRequest, Fault> {
        let field = |index: usize| row.get(index).unwrap_or_default();
        let latency_ms = number(field(self.value), &duration_ms("metric_value"))?;
        let end_us = end_us(field(self.time))?;
        Ok(request(end_us, latency_ms, self.optional.map(|index| index.map_or("", field)), names))
    }
}

/// A request, by its end and what is said of it: status, error code, expected response, name, URL.
fn request(
    end_us: u64,
    latency_ms: f64,
    [status, error, expected, name, url]: [&str; 5],
    names: &mut Names,
) -> TraceRequest {
    let ok = if expected.is_empty() {
        let status = if status.is_empty() { Ok(200.0) } else { status.parse() };
        // gRPC has no HTTP status: its OK is 0.
        error.is_empty() && status.is_ok_and(is_success)
    } else {
        expected == "true"
    };
    TraceRequest {
        start_us: end_us.saturating_sub((latency_ms * 1e3).round() as u64),
        latency_ms,
        bytes: 0,
        service: names.id(if name.is_empty() { url } else { name }),
        cluster: None,
        ok,
    }
}

/// A moment in seconds, milli-, micro- or nanoseconds, or as text (us since 1970).
fn end_us(field: &str) -> Result<u64, Fault> {
    const NAME: &str = "timestamp";
    if field.contains('T') {
        return moment(field, NAME);
    }
    let seconds = start_s(NAME);
    let factor = factor_by_size(field.parse::<f64>().unwrap_or(0.0));
    let most = seconds.most * 1e6 / factor;
    Ok(number(field, &Quantity { factor, most, ..seconds })?.round() as u64)
}

/// What a moment since 1970 is to be multiplied by to be in microseconds.
pub(super) fn factor_by_size(moment: f64) -> f64 {
    // Until 5138 seconds are below 1e11, and from 1973 on milliseconds are not.
    let unit = [1e11, 1e14, 1e17].into_iter().filter(|least| moment >= *least).count();
    [1e6, 1e3, 1.0, 1e-3][unit]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonLine {
    #[serde(rename = "type")]
    kind: Scalar,
    metric: Scalar,
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    time: Scalar,
    value: Scalar,
    tags: Option<Tags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tags {
    status: Scalar,
    error_code: Scalar,
    expected_response: Scalar,
    name: Scalar,
    url: Scalar,
}

pub(super) fn read_json<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    each_line(content, to, |to, text, line| match serde_json::from_str::<JsonLine>(text) {
        Ok(found) if found.kind.as_str() == "Point" && METRICS.contains(&found.metric.as_str()) => {
            let request = found.data.unwrap_or_default().request(&mut to.names);
            to.request(request.map_err(|fault| fault.of("key")), line)
        }
        Ok(_) => Ok(()),
        Err(error) => {
            let message = said(&error.to_string());
            let problem = problem_of(to.path, format!("line {line}: {message}, in {}", quoted(text)));
            to.bad(problem.help("each line is one JSON object"))
        }
    })
}

impl Data {
    fn request(&self, names: &mut Names) -> Result<TraceRequest, Fault> {
        let latency_ms = self.value.number(&duration_ms("value"))?;
        let end_us = moment(&self.time.text(), "time")?;
        let tags = self.tags.as_ref().map_or_else(Default::default, Tags::texts);
        Ok(request(end_us, latency_ms, tags.each_ref().map(String::as_str), names))
    }
}

impl Tags {
    fn texts(&self) -> [String; 5] {
        [&self.status, &self.error_code, &self.expected_response, &self.name, &self.url].map(Scalar::text)
    }
}
