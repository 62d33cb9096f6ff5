//! Tests of all formats; `samples` has one small valid file of each.

mod buckets;
mod hops;
mod hostile;
mod jtl_csv;
mod requests;
mod samples;

use super::format::Format;
use super::{Options, Trace, read};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// A directory with this file in it.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("trace");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn read_with(content: impl AsRef<[u8]>, options: &Options<'_>) -> Result<Trace, String> {
    let (_directory, path) = file(content.as_ref());
    read(&path, options)
        .map_err(|problems| problems.to_string().replace(&path.display().to_string(), "trace"))
}

/// Reads a file whose format is to be found out; bad records are left out.
fn read_any(content: impl AsRef<[u8]>) -> Result<Trace, String> {
    read_with(content, &Options::default())
}

/// Reads a file of this format.
fn read_as(format: Format, strict: bool, content: impl AsRef<[u8]>) -> Result<Trace, String> {
    read_with(content, &Options { format: Some(format), strict, ..Options::default() })
}

/// The service of each request.
fn services(trace: &Trace) -> Vec<&str> {
    trace.requests.iter().map(|request| request.service.map_or("", |id| trace.names.text(id))).collect()
}
