//! Which format a file has, by its content.
//!
//! # Models
//! The first bytes decide: XML, JSON and the bracket of an access log are told by their first
//! character, the others by their first line. Among JSON formats the keys decide that only one of
//! them has.

use super::csv_rows::separator;
use super::envoy::is_of_agent;
use super::field::quoted;
use super::format::Format;
use super::input::problem_of;
use super::log_lines::unwrap;
use super::spans_csv;
use super::time::written_us;
use crate::problem::Problem;
use serde_json::{Map, Value};
use std::path::Path;

/// The format of a file that begins like this.
pub(super) fn detect(path: &Path, beginning: &[u8]) -> Result<Format, Problem> {
    if beginning.trim_ascii().is_empty() {
        return Err(problem_of(path, "is empty").help("it has a record per request, hop or bucket"));
    }
    refuse_other_encodings(path, beginning)?;
    let text = String::from_utf8_lossy(beginning);
    let mut text = text.trim_start_matches('\u{feff}').trim_start();
    // A log may begin with lines of the proxy's agent.
    while let Some((_, rest)) = text.split_once('\n').filter(|(line, _)| is_no_access(line)) {
        text = rest.trim_start();
    }
    let line = text.lines().next().unwrap_or_default();
    let own = unwrap(line).text;
    if *own != *line {
        return of_text(&own).ok_or_else(|| unknown(path, text));
    }
    refuse_unusable(path, text)?;
    of_text(text).ok_or_else(|| unknown(path, text))
}

fn of_text(text: &str) -> Option<Format> {
    match text.chars().next() {
        Some('<') => Some(Format::JtlXml),
        Some('{') => of_json(text),
        Some('[') if text[1..].trim_start().starts_with(['{', '[', ']']) => of_json(text),
        Some('[') => Some(Format::EnvoyText),
        _ => of_first_line(text),
    }
}

/// Whether a line of a log is blank or none of its accesses.
fn is_no_access(line: &str) -> bool {
    let line = unwrap(line);
    line.is_of_other || line.text.trim().is_empty() || is_of_agent(&line.text)
}

fn unknown(path: &Path, text: &str) -> Problem {
    let names = Format::ALL.map(Format::name).join(", ");
    let first = text.lines().next().unwrap_or_default();
    let of_json = if text.starts_with(['{', '[']) {
        "; of JSON those with the keys resourceSpans or batches (OTLP), spans (Jaeger), DurationHistogram (Fortio), \
         data.result (Prometheus), metric and data (k6), start_time and duration (Envoy)"
    } else {
        ""
    };
    problem_of(path, format!("is of no known format; it begins with {}", quoted(first)))
        .help(format!("known are {names}{of_json}; --trace-format says which it is"))
}

/// Refuses files of known tools that have no distribution of latencies in them, and names the one that has.
fn refuse_unusable(path: &Path, text: &str) -> Result<(), Problem> {
    let first = text.lines().next().unwrap_or_default();
    let columns: Vec<&str> = columns(first).collect();
    let has = |name: &str| columns.contains(&name);
    let (what, right) = if has("Timestamp") && (has("User Count") || has("# requests")) {
        (
            "is Locust's history, whose quantiles are those of single moments",
            "use _stats.csv, which it wrote beside it",
        )
    } else if has("Error") && has("Occurrences") || has("Count") && has("Traceback") {
        ("lists errors of Locust", "use _stats.csv, which it wrote beside it")
    } else if text.starts_with('{') && text.contains("\"metrics\"") && text.contains("\"http_req") {
        (
            "is a summary of k6, which has no distribution of latencies",
            "write every request: k6 run --out csv=FILE, or --out json=FILE",
        )
    } else {
        return Ok(());
    };
    Err(problem_of(path, what).help(right))
}

fn refuse_other_encodings(path: &Path, beginning: &[u8]) -> Result<(), Problem> {
    const PACKERS: [(&[u8], &str); 4] =
        [(b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz")];
    for (magic, packer) in PACKERS {
        if beginning.starts_with(magic) {
            return Err(problem_of(path, format!("is compressed by {packer}"))
                .help("unpack it, or compress it by gzip"));
        }
    }
    if beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff") {
        return Err(problem_of(path, "line 1: not UTF-8 text, but UTF-16").help("write the file as UTF-8"));
    }
    Ok(())
}

/// A document, or lines of objects.
fn of_json(text: &str) -> Option<Format> {
    let first = text.lines().next().unwrap_or_default();
    if let Ok(keys) = serde_json::from_str::<Map<String, Value>>(first) {
        let any = |names: &[&str]| names.iter().any(|name| keys.contains_key(*name));
        if any(&["start_time", "us", "ms"]) && any(&["duration", "du", "d"]) {
            return Some(Format::EnvoyJson);
        }
        let kind = keys.get("type").and_then(Value::as_str);
        if matches!(kind, Some("Metric" | "Point")) && any(&["metric"]) && any(&["data"]) {
            return Some(Format::K6Json);
        }
    }
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    // Jaeger's answer without a trace has these.
    let of_jaeger = has("spans") || (has("total") && has("limit")) || has("errors");
    [
        (has("resourceSpans") || has("batches"), Format::Otlp),
        (has("DurationHistogram"), Format::Fortio),
        (has("resultType"), Format::Prometheus),
        (has("traceID") || (has("data") && of_jaeger), Format::Jaeger),
        (has("RunType") || has("RequestedQPS"), Format::Fortio),
        (has("status") && has("data"), Format::Prometheus),
    ]
    .into_iter()
    .find_map(|(is, format)| is.then_some(format))
}

/// The names in a header line.
fn columns(line: &str) -> impl Iterator<Item = &str> {
    line.split(separator(line)).map(|column| column.trim().trim_matches('"'))
}

fn of_first_line(text: &str) -> Option<Format> {
    let first = text.lines().next().unwrap_or_default();
    let columns: Vec<&str> = columns(first).collect();
    let has = |name: &str| columns.contains(&name);
    if has("metric_name") && has("metric_value") {
        return Some(Format::K6Csv);
    }
    if has("response_time_ms") && has("timestamp") {
        return Some(Format::LocustRequests);
    }
    if has("# requests") && has("50%") && !has("# failures") {
        return Some(Format::LocustDistribution);
    }
    if has("Request Count") || has("# requests") {
        return Some(Format::LocustStats);
    }
    if spans_csv::is_header(columns.iter().copied()) {
        return Some(Format::Spans);
    }
    // A header line that lacks something is explained by the reader.
    let is_time = |text: &str| text.len() == 13 && text.parse::<u64>().is_ok() || written_us(text).is_some();
    let without_header = columns.len() > 5 && is_time(columns[0]);
    if ["timeStamp", "elapsed", "start_us"].iter().any(|name| first.contains(name)) || without_header {
        return Some(Format::JtlCsv);
    }
    let mut fields = first.split('\t').map(|field| field.trim().parse::<f64>().is_ok());
    (fields.next() == Some(true) && fields.next() == Some(true)).then_some(Format::MuBench)
}
