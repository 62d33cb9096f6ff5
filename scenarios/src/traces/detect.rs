//! Which format a file has, by its content.
//!
//! # Models
//! The first bytes decide: XML, JSON and the bracket of an access log are told by their first
//! character, the others by their first line. Among JSON formats the keys decide that only one of
//! them has.

use super::envoy::is_of_agent;
use super::field::quoted;
use super::problem_of;
use crate::problem::Problem;
use serde_json::{Map, Value};
use std::path::Path;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `JMeter` results in CSV.
    JtlCsv,
    /// `JMeter` results in XML.
    JtlXml,
    /// k6 `--out csv`.
    K6Csv,
    /// Locust's `CsvRequestLogger`: one row per request.
    LocustRequests,
    /// Locust's `--csv`, the file `_stats.csv`: quantiles only.
    LocustStats,
    /// Fortio's result: buckets only.
    Fortio,
    /// The results of µBench's runner.
    MuBench,
    /// Traces exported from Jaeger.
    Jaeger,
    /// OTLP traces in JSON, one or more documents.
    Otlp,
    /// An access log of Envoy in Istio's or Envoy's default text format.
    EnvoyText,
    /// An access log of Envoy in JSON, a line per request.
    EnvoyJson,
    /// An answer of Prometheus to a query of histogram buckets.
    Prometheus,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::JtlCsv,
        Self::JtlXml,
        Self::K6Csv,
        Self::LocustRequests,
        Self::LocustStats,
        Self::Fortio,
        Self::MuBench,
        Self::Jaeger,
        Self::Otlp,
        Self::EnvoyText,
        Self::EnvoyJson,
        Self::Prometheus,
    ];

    /// Its name in arguments and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JtlCsv => "jtl-csv",
            Self::JtlXml => "jtl-xml",
            Self::K6Csv => "k6",
            Self::LocustRequests => "locust",
            Self::LocustStats => "locust-stats",
            Self::Fortio => "fortio",
            Self::MuBench => "mubench",
            Self::Jaeger => "jaeger",
            Self::Otlp => "otlp",
            Self::EnvoyText => "envoy",
            Self::EnvoyJson => "envoy-json",
            Self::Prometheus => "prometheus",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The format of a file that begins like this.
pub(super) fn detect(path: &Path, beginning: &[u8]) -> Result<Format, Problem> {
    if beginning.trim_ascii().is_empty() {
        return Err(problem_of(path, "is empty").help("it has a record per request, hop or bucket"));
    }
    refuse_other_encodings(path, beginning)?;
    let text = String::from_utf8_lossy(beginning);
    let mut text = text.trim_start_matches('\u{feff}').trim_start();
    // An access log may begin with lines of the proxy's agent.
    while let Some((_, rest)) = text.split_once('\n').filter(|(line, _)| is_of_agent(line)) {
        text = rest.trim_start();
    }
    let found = match text.chars().next() {
        Some('<') => Some(Format::JtlXml),
        Some('{') => of_json(text),
        Some('[') if text[1..].trim_start().starts_with(['{', '[', ']']) => of_json(text),
        Some('[') => Some(Format::EnvoyText),
        _ => of_first_line(text),
    };
    found.ok_or_else(|| unknown(path, text))
}

fn unknown(path: &Path, text: &str) -> Problem {
    let names = Format::ALL.map(Format::name).join(", ");
    let first = text.lines().next().unwrap_or_default();
    problem_of(path, format!("is of no known format; it begins with {}", quoted(first))).help(format!(
        "known are {names} (k6 as it writes CSV: --out csv=FILE); --trace-format says which it is"
    ))
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
    }
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    [
        (has("resourceSpans"), Format::Otlp),
        (has("DurationHistogram"), Format::Fortio),
        (has("resultType"), Format::Prometheus),
        (has("traceID") || (has("data") && has("spans")), Format::Jaeger),
        (has("RunType") || has("RequestedQPS"), Format::Fortio),
        (has("status") && has("data"), Format::Prometheus),
    ]
    .into_iter()
    .find_map(|(is, format)| is.then_some(format))
}

fn of_first_line(text: &str) -> Option<Format> {
    let first = text.lines().next().unwrap_or_default();
    let columns: Vec<&str> = first.split(',').map(|column| column.trim().trim_matches('"')).collect();
    let has = |name: &str| columns.contains(&name);
    if has("metric_name") && has("metric_value") {
        return Some(Format::K6Csv);
    }
    if has("response_time_ms") && has("timestamp") {
        return Some(Format::LocustRequests);
    }
    if has("Request Count") || has("# requests") {
        return Some(Format::LocustStats);
    }
    // A header line with another separator, or none, is explained by the reader.
    let without_header = columns.len() > 5 && columns[0].len() == 13 && columns[0].parse::<u64>().is_ok();
    if ["timeStamp", "elapsed", "start_us"].iter().any(|name| first.contains(name)) || without_header {
        return Some(Format::JtlCsv);
    }
    let mut fields = first.split('\t').map(|field| field.trim().parse::<f64>().is_ok());
    (fields.next() == Some(true) && fields.next() == Some(true)).then_some(Format::MuBench)
}
