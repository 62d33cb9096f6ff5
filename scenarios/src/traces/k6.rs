//! Reads what k6 writes with `--out csv`.
//!
//! # Models
//! One row per metric and request; those of `http_req_duration` and `grpc_req_duration` are taken
//! (`metric_value`, ms), all others skipped. `timestamp` is when the request ended, in a unit that
//! depends on k6's `timeFormat`, told by its size. A request succeeded if `expected_response` says
//! so, or else by `status` and `error_code`.
//!
//! # Assumptions
//! The duration of k6 has no time to connect. Effect: latencies of requests on new connections are
//! shorter than `JMeter`'s. By default k6 writes whole seconds: starts are as coarse.
//!
//! # Source
//! Grafana k6 documentation, Results output, CSV; k6's metrics reference, `http_req_duration`.

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, place, places};
use super::field::{Fault, Quantity, duration_ms, is_success, moment, number, start_s};
use super::input::Content;
use super::model::Names;
use crate::problem::Checked;
use csv::StringRecord;

const METRICS: [&str; 2] = ["http_req_duration", "grpc_req_duration"];

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "a k6 file has a header line and a line per metric")?;
    let header = rows.header();
    let [metric, time, value] = places(to.path, header, ["metric_name", "timestamp", "metric_value"])?;
    let optional =
        ["status", "error_code", "expected_response", "name", "url"].map(|name| place(header, name));
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
        let [status, error, expected, name, url] = self.optional.map(|index| index.map_or("", field));
        let latency_ms = number(field(self.value), &duration_ms("metric_value"))?;
        let end_us = end_us(field(self.time))?;
        let ok = if expected.is_empty() {
            let status = if status.is_empty() { Ok(200.0) } else { status.parse() };
            // gRPC has no HTTP status: its OK is 0.
            error.is_empty() && status.is_ok_and(is_success)
        } else {
            expected == "true"
        };
        Ok(TraceRequest {
            start_us: end_us.saturating_sub((latency_ms * 1e3).round() as u64),
            latency_ms,
            bytes: 0,
            service: names.id(if name.is_empty() { url } else { name }),
            cluster: None,
            ok,
        })
    }
}

/// A moment in seconds, milli-, micro- or nanoseconds, or as text (us since 1970).
fn end_us(field: &str) -> Result<u64, Fault> {
    const NAME: &str = "timestamp";
    if field.contains('T') {
        return moment(field, NAME);
    }
    let seconds = start_s(NAME);
    // Until 5138 seconds are below 1e11, and from 1973 on milliseconds are not.
    let size = field.parse::<f64>().unwrap_or(0.0);
    let unit = [1e11, 1e14, 1e17].into_iter().filter(|least| size >= *least).count();
    let factor = [1e6, 1e3, 1.0, 1e-3][unit];
    let most = seconds.most * 1e6 / factor;
    Ok(number(field, &Quantity { factor, most, ..seconds })?.round() as u64)
}
