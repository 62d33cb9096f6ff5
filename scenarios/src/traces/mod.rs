//! Reads what was measured: files of load generators, tracing systems, proxies and Prometheus.
//!
//! # Models
//! Every file becomes a [`Trace`]: requests, hops, or a histogram. Its format is told by its content
//! ([`mod@detect`]) unless it is given. A record that cannot be used is left out, counted and reported
//! with its line; if that is more than half of them, or [`Options::strict`] is set, the file is
//! refused.
//!
//! # Assumptions
//! Memory is that of the records that are kept (32 bytes per request, some 100 per span while they
//! are put in order), plus one line or one element of a document, which are limited in length.
//! [`Options::most_records`] limits the former: to some 2 GB, far more than a file of 1 GB has.
//!
//! # Source
//! Each format's file here names its own.

mod collect;
mod csv_rows;
pub mod detect;
mod envoy;
mod envoy_json;
mod envoy_text;
mod field;
mod fortio;
pub mod histogram;
pub(crate) mod input;
mod jaeger;
mod json;
pub(crate) mod jtl_csv;
mod jtl_xml;
mod k6;
mod lines;
mod locust;
mod log_lines;
pub mod model;
mod mubench;
mod otlp;
mod prometheus;
mod scalar;
mod spans_csv;
pub(crate) mod time;

#[cfg(test)]
mod tests;

use crate::problem::{Checked, Problem};
use collect::Collector;
use detect::{Format, detect};
use input::{Content, unreadable};
pub use model::{Span, Trace, TraceRequest};
use std::path::Path;

/// How far reading a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Read so far (bytes of the file as it is, packed or not).
    pub read: u64,
    /// In all (bytes); 0 if the file has no length, as a pipe.
    pub total: u64,
}

/// How to read a file.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Its format; told by its content if none is given.
    pub format: Option<Format>,
    /// Whether the first bad record is an error.
    pub strict: bool,
    /// Called for each MiB or so that was read.
    pub progress: &'a dyn Fn(Progress),
    /// So many requests are kept at most, of which a span counts as two; a file with more is refused.
    pub most_records: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { format: None, strict: false, progress: &|_| {}, most_records: 32_000_000 }
    }
}

/// Reads a file of measurements, plain or gzip whatever its name.
///
/// # Errors
/// If it cannot be read, is a directory, is cut short (gzip, a JSON document), is of no known format
/// or has no record in it; if a line or element is too long; if it has more than
/// [`Options::most_records`]; if more than half of its records are bad or, if that is asked for, any.
pub fn read(path: &Path, options: &Options<'_>) -> Checked<Trace> {
    let mut content = Content::open(path, options.progress)?;
    let beginning = content.beginning().map_err(|error| unreadable(path, &error))?;
    let format = match options.format {
        Some(format) => format,
        None => detect(path, beginning)?,
    };
    let trailing = content.trailing();
    let mut collector = Collector::new(path, options);
    match format {
        Format::JtlCsv => jtl_csv::read(content, &mut collector)?,
        Format::JtlXml => jtl_xml::read(content, &mut collector)?,
        Format::K6Csv => k6::read_csv(content, &mut collector)?,
        Format::K6Json => k6::read_json(content, &mut collector)?,
        Format::LocustRequests => locust::read_requests(content, &mut collector)?,
        Format::LocustStats => locust::read_stats(content, &mut collector)?,
        Format::LocustDistribution => locust::read_distribution(content, &mut collector)?,
        Format::Fortio => fortio::read(content, &mut collector)?,
        Format::MuBench => mubench::read(content, &mut collector)?,
        Format::Jaeger => jaeger::read(content, &mut collector)?,
        Format::Otlp => otlp::read(content, &mut collector)?,
        Format::Spans => spans_csv::read(content, &mut collector)?,
        Format::EnvoyText => envoy_text::read(content, &mut collector)?,
        Format::EnvoyJson => envoy_json::read(content, &mut collector)?,
        Format::Prometheus => prometheus::read(content, &mut collector)?,
    }
    match trailing.get() {
        0 => {}
        bytes if options.strict => {
            let problem = problem_of(path, format!("{bytes} bytes after its gzip data are none"));
            return Err(problem.help("pack the file anew, or leave --strict out").into());
        }
        bytes => collector.note(format!("{bytes} bytes after its gzip data are none, and left out")),
    }
    collector.finish(format)
}

/// A problem of a file, without a line.
fn problem_of(path: &Path, what: impl std::fmt::Display) -> Problem {
    Problem::new(format!("{}: {what}", path.display()))
}
