//! Reads Locust's CSV files: one row per request, or the quantiles of all.
//!
//! # Models
//! `CsvRequestLogger` writes a row per request: `timestamp` (start, s), `response_time_ms`,
//! `response_length` (body, bytes), `status_code` (0 without a response), `exception`.
//!
//! `--csv` writes `_stats.csv`: a row per endpoint and one of all, `Aggregated`, which is taken.
//! Between two quantiles of it latencies are spread evenly.
//!
//! # Assumptions
//! Locust rounds times above 100 ms to two digits before it takes quantiles, and counts failed
//! requests among them. Effect: distances to it are coarse; use the first file where there is one.
//!
//! # Source
//! Locust 2.x, `locust/contrib/csv_request_logger.py`; `locust/stats.py`, class `StatsCSV`, and
//! `StatsEntry._log_response_time` for the rounding.

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, place, places};
use super::field::{Fault, bytes, count, duration_ms, is_success, number, start_s};
use super::histogram::Histogram;
use super::input::Content;
use super::problem_of;
use crate::problem::Checked;
use csv::StringRecord;

pub(super) fn read_requests<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "it has a header line and a line per request")?;
    let columns = places(to.path, rows.header(), ["timestamp", "response_time_ms"])?;
    let optional =
        ["status_code", "exception", "response_length", "name"].map(|name| place(rows.header(), name));
    while let Some((row, line)) = rows.next(to)? {
        let [status, exception, length, name] =
            optional.map(|index| index.and_then(|index| row.get(index)).unwrap_or_default());
        let request =
            request(columns.map(|index| row.get(index).unwrap_or_default()), length).map(|request| {
                let answered = status.is_empty() || status.parse().is_ok_and(is_success);
                let service = to.names.id(name);
                TraceRequest { ok: answered && exception.is_empty(), service, ..request }
            });
        to.request(request, line)?;
    }
    Ok(())
}

fn request([start, latency]: [&str; 2], length: &str) -> Result<TraceRequest, Fault> {
    let body = if length.is_empty() { "0" } else { length };
    Ok(TraceRequest {
        start_us: number(start, &start_s("timestamp"))?.round() as u64,
        latency_ms: number(latency, &duration_ms("response_time_ms"))?,
        bytes: number(body, &bytes("response_length"))?.round() as u64,
        ..TraceRequest::default()
    })
}

pub(super) fn read_stats<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "it has a header line and a line per endpoint")?;
    let header = rows.header().clone();
    let [name] = places(to.path, &header, ["Name"])?;
    let mut found = None;
    let mut others = 0;
    while let Some((row, line)) = rows.next(to)? {
        if matches!(row.get(name), Some("Aggregated" | "Total")) {
            found = Some(aggregated(&header, row).map_err(|fault| fault.at(to.path, line))?);
        } else {
            others += 1;
        }
    }
    let Some(histogram) = found else {
        return Err(problem_of(to.path, "has no row named Aggregated")
            .help("it is the last of _stats.csv")
            .into());
    };
    to.note("the file has quantiles only, of all endpoints and with failed requests");
    to.set_histogram(histogram, others + 1);
    Ok(())
}

fn aggregated(header: &StringRecord, row: &StringRecord) -> Result<Histogram, Fault> {
    let field = |names: [&str; 2]| {
        let index = names.iter().find_map(|name| place(header, name));
        index.and_then(|index| row.get(index)).unwrap_or_default()
    };
    let all = number(field(["Request Count", "# requests"]), &count("Request Count", "requests"))?;
    let failed = number(field(["Failure Count", "# failures"]), &count("Failure Count", "requests"))?;
    let ms = |names: [&str; 2], column| number(field(names), &duration_ms(column));
    let low = ms(["Min Response Time", "Min response time"], "Min Response Time")?;
    let high = ms(["Max Response Time", "Max response time"], "Max Response Time")?;
    let mean = ms(["Average Response Time", "Average response time"], "Average Response Time")?;
    let mut points = Vec::new();
    for (column, value) in header.iter().zip(row) {
        let percent = column.strip_suffix('%').and_then(|percent| percent.parse::<f64>().ok());
        if let Some(percent) = percent.filter(|percent| (0.0..100.0).contains(percent)) {
            points.push((number(value, &duration_ms("percentile"))?, percent / 100.0 * all));
        }
    }
    points.push((high, all));
    points.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
    // Rounding may put a quantile above the maximum.
    let mut border = low;
    for point in &mut points {
        border = border.max(point.0);
        point.0 = border;
    }
    let exact_mean_ms = (all > 0.0).then_some(mean);
    let (requests, failed) = (all as u64, failed as u64);
    Ok(Histogram { exact_mean_ms, requests, failed, ..Histogram::of_cumulative(low, &points) })
}
