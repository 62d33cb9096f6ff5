//! Reads Locust's CSV files: one row per request, or the quantiles of all.
//!
//! # Models
//! `CsvRequestLogger` writes a row per request: `timestamp` (start, s), `response_time_ms`,
//! `response_length` (body, bytes), `status_code` (0 without a response), `exception`.
//!
//! `--csv` writes `_stats.csv` (before 0.13 `_requests.csv`): a row per endpoint and one of all,
//! `Aggregated` (`Total`), which is taken. Between two quantiles of it latencies are spread evenly. Old files have the
//! median only: nothing is told between it and the maximum. `_distribution.csv` (before 0.13) has the quantiles, but
//! neither failures nor a mean nor the least latency.
//!
//! # Assumptions
//! Locust rounds times above 100 ms to two digits before it takes quantiles, and counts failed
//! requests among them. Effect: distances to it are coarse; use the first file where there is one.
//! Without a least latency it is taken as 0. Effect: the mean of `_distribution.csv` is too small, by at most half the
//! least latency.
//!
//! # Source
//! Locust 2.x, `locust/contrib/csv_request_logger.py`; `locust/stats.py`, class `StatsCSV`, and
//! `StatsEntry._log_response_time` for the rounding. Locust 0.11, `locust/stats.py`, `requests_csv` and
//! `distribution_csv`.

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, column_of, columns_of};
use super::field::{Fault, bytes, count, duration_ms, is_success, number, start_s};
use super::histogram::Histogram;
use super::input::{Content, problem_of};
use crate::problem::Checked;
use csv::StringRecord;

pub(super) fn read_requests<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "it has a header line and a line per request")?;
    let columns = columns_of(to.path, rows.header(), ["timestamp", "response_time_ms"])?;
    let optional =
        ["status_code", "exception", "response_length", "name"].map(|name| column_of(rows.header(), name));
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
    let (histogram, rows) = of_last_row(content, to, "_stats.csv", aggregated)?;
    to.note("the file has quantiles only, of all endpoints and with failed requests");
    if let Some(share) = histogram.unknown_above {
        let percent = share * 100.0;
        to.note(format!(
            "of its quantiles the file has those up to {percent} % only: the others are in _distribution.csv, which \
             Locust wrote beside it"
        ));
    }
    to.set_histogram(histogram, rows);
    Ok(())
}

pub(super) fn read_distribution<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let (histogram, rows) = of_last_row(content, to, "_distribution.csv", distribution)?;
    to.note(
        "the file has quantiles only, of all endpoints and with failed requests; how many failed, the mean and the least \
         latency are in _requests.csv, which Locust wrote beside it: the mean is that of the quantiles, with no failure",
    );
    to.set_histogram(histogram, rows);
    Ok(())
}

/// The histogram of the row of all endpoints, and how many rows there are.
fn of_last_row<'a>(
    content: Content<'a>,
    to: &mut Collector<'a>,
    file: &str,
    histogram_of: fn(&StringRecord, &StringRecord) -> Result<Histogram, Fault>,
) -> Checked<(Histogram, u64)> {
    let mut rows = Rows::new(to.path, content, "it has a header line and a line per endpoint")?;
    let header = rows.header().clone();
    let [name] = columns_of(to.path, &header, ["Name"])?;
    let (mut found, mut count) = (None, 0);
    while let Some((row, line)) = rows.next(to)? {
        count += 1;
        if matches!(row.get(name), Some("Aggregated" | "Total")) {
            found = Some(histogram_of(&header, row).map_err(|fault| fault.at(to.path, line))?);
        }
    }
    let right = format!("it is the last of {file}");
    let found =
        found.ok_or_else(|| problem_of(to.path, "has no row named Aggregated or Total").help(right))?;
    Ok((found, count))
}

fn aggregated(header: &StringRecord, row: &StringRecord) -> Result<Histogram, Fault> {
    let field = |names: [&str; 2]| field(header, row, names);
    let all = number(field(["Request Count", "# requests"]), &count("Request Count", "requests"))?;
    let failed = number(field(["Failure Count", "# failures"]), &count("Failure Count", "requests"))?;
    let ms = |names: [&str; 2], column| number(field(names), &duration_ms(column));
    let low = ms(["Min Response Time", "Min response time"], "Min Response Time")?;
    let high = ms(["Max Response Time", "Max response time"], "Max Response Time")?;
    let mean = ms(["Average Response Time", "Average response time"], "Average Response Time")?;
    let mut quantiles = quantiles(header, row)?;
    let median = field(["Median Response Time", "Median response time"]);
    let has_median_only = quantiles.is_empty() && !matches!(median, "" | "N/A");
    if has_median_only {
        quantiles.push((0.5, number(median, &duration_ms("Median Response Time"))?));
    }
    quantiles.push((1.0, high));
    Ok(Histogram {
        exact_mean_ms: (all > 0.0).then_some(mean),
        failed: failed as u64,
        unknown_above: has_median_only.then_some(0.5),
        ..of_quantiles(low, all, quantiles)
    })
}

fn distribution(header: &StringRecord, row: &StringRecord) -> Result<Histogram, Fault> {
    let all = number(field(header, row, ["# requests"; 2]), &count("# requests", "requests"))?;
    let high = number(field(header, row, ["100%"; 2]), &duration_ms("100%"))?;
    let mut quantiles = quantiles(header, row)?;
    quantiles.push((1.0, high));
    Ok(of_quantiles(0.0, all, quantiles))
}

/// What a row has in the column of the first of these names that is there.
fn field<'r>(header: &StringRecord, row: &'r StringRecord, names: [&str; 2]) -> &'r str {
    let index = names.iter().find_map(|name| column_of(header, name));
    index.and_then(|index| row.get(index)).unwrap_or_default()
}

/// Share and value (ms) of the columns that are called by a percentage, below 100 %.
fn quantiles(header: &StringRecord, row: &StringRecord) -> Result<Vec<(f64, f64)>, Fault> {
    let mut found = Vec::new();
    for (column, value) in header.iter().zip(row).filter(|(_, value)| *value != "N/A") {
        let percent = column.strip_suffix('%').and_then(|percent| percent.parse::<f64>().ok());
        if let Some(percent) = percent.filter(|percent| (0.0..100.0).contains(percent)) {
            found.push((percent / 100.0, number(value, &duration_ms("percentile"))?));
        }
    }
    Ok(found)
}

/// A histogram of `all` latencies from `low` (ms) on, of which quantiles are known, also that of 1.
fn of_quantiles(low: f64, all: f64, mut quantiles: Vec<(f64, f64)>) -> Histogram {
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    // Rounding may put a quantile above the maximum.
    let mut border = low;
    let rising = |(share, value): (f64, f64)| {
        border = border.max(value);
        (border, share * all)
    };
    let points: Vec<(f64, f64)> = quantiles.into_iter().map(rising).collect();
    Histogram { requests: all as u64, ..Histogram::of_cumulative(low, &points) }
}
