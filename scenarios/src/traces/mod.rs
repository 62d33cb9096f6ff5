//! Reads what was measured: files of load generators, tracing systems, proxies and Prometheus.
//!
//! # Models
//! Every file becomes a [`Trace`]: requests, hops, or a histogram. Its format is told by its content
//! (`detect`) unless it is given. A record that cannot be used is left out, counted and reported
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
mod detect;
mod envoy;
mod envoy_json;
mod envoy_text;
mod field;
pub mod format;
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
mod operation;
mod options;
mod otlp;
mod prometheus;
mod scalar;
mod spans_csv;
pub(crate) mod time;

#[cfg(test)]
mod tests;

use crate::problem::Checked;
use collect::Collector;
use detect::detect;
use format::Format;
pub use input::Progress;
use input::{Content, problem_of, unreadable};
pub use model::{Span, Trace, TraceRequest};
pub use options::Options;
use std::path::Path;

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
