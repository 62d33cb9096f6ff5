//! The rows of a CSV file, one at a time.
//!
//! # Models
//! A header line names the columns. What separates them is what is there most often of comma, semicolon, tab and
//! bar. Rows are streamed: memory is that of one row, which is limited.
//! A row of another number of fields than the header, or not UTF-8, is bad; the next one is read.
//!
//! # Source
//! RFC 4180.

use super::collect::Collector;
use super::field::quoted;
use super::input::{Content, problem_of, too_long, unreadable};
use crate::problem::{Problem, Problems, nearest};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use std::path::Path;

pub(super) struct Rows<'a> {
    path: &'a Path,
    reader: csv::Reader<Content<'a>>,
    record: StringRecord,
    header: StringRecord,
    /// What csv's line numbers lack: with CRLF it counts a row's LF to the next one.
    uncounted_lines: u64,
    /// The first line is a row, and has not been taken.
    first_is_row: bool,
}

impl<'a> Rows<'a> {
    /// Reads the header line; `right` says what a file should have.
    pub(super) fn new(path: &'a Path, mut content: Content<'a>, right: &str) -> Result<Self, Problem> {
        let beginning = content.beginning().map_err(|error| unreadable(path, &error))?;
        let separator = separator(&String::from_utf8_lossy(beginning)) as u8;
        let mut builder = ReaderBuilder::new();
        let reader = builder.has_headers(false).trim(Trim::All).delimiter(separator).from_reader(content);
        let (record, header) = (StringRecord::new(), StringRecord::new());
        let mut rows = Self { path, reader, record, header, uncounted_lines: 0, first_is_row: false };
        let more = rows.reader.read_record(&mut rows.record).map_err(|error| rows.explain(error).0)?;
        rows.reader.get_mut().meter().complete();
        if !more {
            return Err(problem_of(path, "is empty").help(right));
        }
        rows.header = rows.record.clone();
        rows.uncounted_lines = 2_u64.saturating_sub(rows.reader.position().line());
        Ok(rows)
    }

    pub(super) const fn header(&self) -> &StringRecord {
        &self.header
    }

    /// The first line names nothing: it is handed out as a row.
    pub(super) const fn has_no_header(&mut self) {
        self.first_is_row = true;
    }

    /// Reads the next good row; none at the end.
    pub(super) fn next(&mut self, to: &mut Collector<'_>) -> Result<Option<(&StringRecord, u64)>, Problem> {
        if std::mem::take(&mut self.first_is_row) {
            return Ok(Some((&self.header, 1)));
        }
        loop {
            let read = self.reader.read_record(&mut self.record);
            self.reader.get_mut().meter().complete();
            match read {
                Ok(false) => return Ok(None),
                Ok(true) => return Ok(Some((&self.record, self.line_at(self.record.position())))),
                Err(error) => {
                    let (problem, fatal) = self.explain(error);
                    if fatal {
                        return Err(problem);
                    }
                    to.bad(problem)?;
                }
            }
        }
    }

    /// The first line of a row, from 1. Empty lines right before it are not counted.
    fn line_at(&self, position: Option<&csv::Position>) -> u64 {
        self.uncounted_lines + position.map_or(1, csv::Position::line)
    }

    /// What is wrong, and whether it is the end.
    fn explain(&self, error: csv::Error) -> (Problem, bool) {
        let file = self.path.display();
        let line = self.line_at(error.position().or(self.record.position()));
        match error.into_kind() {
            ErrorKind::Io(error) => match too_long(&error) {
                Some(most) => {
                    let message = format!("{file}: line {line} is longer than {most} bytes");
                    (Problem::new(message).help("is it a CSV file, and each quote closed?"), true)
                }
                None => (unreadable(self.path, &error), true),
            },
            ErrorKind::Utf8 { err, .. } => {
                let column = self.header.get(err.field()).map(|name| format!(", column {}", quoted(name)));
                let column = column.unwrap_or_default();
                let problem = Problem::new(format!("{file}: line {line}{column}: not UTF-8 text"))
                    .help("write the file as UTF-8; is it compressed by something other than gzip?");
                (problem, self.header.is_empty())
            }
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                let message = format!("{file}: line {line} has {len} fields, the header line {expected_len}");
                let right = "every line has the columns of the header line; is the file cut short?";
                (Problem::new(message).help(right), false)
            }
            other => (Problem::new(format!("{file}: line {line}: {other:?}")), true),
        }
    }
}

/// What separates the columns of a text's first line.
pub(super) fn separator(text: &str) -> char {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let count = |separator: &char| first.matches(*separator).count();
    // Of several that are there equally often, the last one.
    ['|', '\t', ';', ','].into_iter().max_by_key(count).unwrap_or(',')
}

/// Where a column is.
pub(super) fn column_of(header: &StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|column| column == name)
}

/// Where columns are that must be there.
pub(super) fn columns_of<const N: usize>(
    path: &Path,
    header: &StringRecord,
    names: [&str; N],
) -> Result<[usize; N], Problems> {
    let missing: Vec<Problem> = names
        .iter()
        .filter(|name| column_of(header, name).is_none())
        .map(|name| missing_column(path, header, name, &format!("there are {}", names.join(", "))))
        .collect();
    if missing.is_empty() {
        Ok(names.map(|name| column_of(header, name).unwrap_or(0)))
    } else {
        Err(Problems(missing))
    }
}

/// A column that should be there, and why it is not.
pub(super) fn missing_column(path: &Path, header: &StringRecord, name: &str, right: &str) -> Problem {
    const MOST_LISTED: usize = 20;
    let mut there: Vec<String> = header.iter().take(MOST_LISTED).map(quoted).collect();
    if header.len() > MOST_LISTED {
        there.push(format!("{} more", header.len() - MOST_LISTED));
    }
    let message = format!("{}: line 1 has no column `{name}`, only {}", path.display(), there.join(", "));
    let only = header.get(0).filter(|_| header.len() == 1).unwrap_or_default();
    // Comparing is slow, and a long name is near to nothing.
    let short = header.iter().take(1000).filter(|column| column.len() < 40);
    let help = if only.starts_with('<') {
        "it is XML; leave the format to be found out".to_owned()
    } else if let Some(near) = nearest(name, short) {
        format!("is it {}? rename that", quoted(near))
    } else {
        right.to_owned()
    };
    Problem::new(message).help(help)
}
