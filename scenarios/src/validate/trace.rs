//! Reads what a load generator recorded: a JMeter JTL file in CSV, plain or gzip.
//!
//! # Models
//! A header line names the columns. Needed are a start, a duration and `success`; `bytes` is read
//! if it is there, all others are skipped. If a file has the start and the duration in whole
//! microseconds too (`start_us`, `elapsed_us`), those are taken.
//!
//! Rows are streamed: memory is that of the requests, and of one row, which is limited.
//!
//! # Source
//! Apache JMeter user's manual, Listeners, section "CSV Log format" (columns and units).

use super::open;
use crate::problem::{Checked, Problem, Problems, nearest};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The requests of a measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// In the order of their starts.
    pub requests: Vec<TraceRequest>,
}

/// One request of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceRequest {
    /// When sending it began (us since 1970).
    pub start_us: u64,
    /// From the start of sending to the last byte received (ms).
    pub latency_ms: f64,
    /// Whether the load generator took it as successful.
    pub ok: bool,
    /// Header and body received (bytes); 0 if the file does not say.
    pub bytes: u64,
}

impl Trace {
    /// Without the first `seconds`, counted from the start of the first request: the warm-up.
    ///
    /// A number that is not positive takes nothing away.
    #[must_use]
    pub fn after(&self, seconds: f64) -> Self {
        // Saturates; NaN and negative numbers are 0.
        let warm_up_us = (seconds * 1e6) as u64;
        let first = self.requests.first().map_or(0, |request| request.start_us);
        let from = first.saturating_add(warm_up_us);
        Self { requests: self.requests.iter().filter(|request| request.start_us >= from).copied().collect() }
    }

    /// The latencies of the successful requests (ms), ascending.
    #[must_use]
    pub fn sorted_latencies_ms(&self) -> Vec<f64> {
        let successful = self.requests.iter().filter(|request| request.ok);
        let mut latencies: Vec<f64> = successful.map(|request| request.latency_ms).collect();
        latencies.sort_unstable_by(f64::total_cmp);
        latencies
    }
}

/// Reads a JTL file with a header line, plain or gzip whatever its name.
///
/// # Errors
/// If it cannot be read, is a directory, is cut short (gzip), lacks a column, or has a row that is
/// too long, not UTF-8, of another number of fields than the header or with a value out of range;
/// if there is no request in it.
pub fn read_jtl(path: &Path) -> Checked<Trace> {
    let content = decompressed(open(path)?).map_err(|error| unreadable(path, &error))?;
    let mut rows = Rows::new(path, content);
    let mut requests = Vec::new();
    let columns = rows.header()?;
    while rows.advance()? {
        requests.push(columns.request(&rows.record).map_err(|fault| fault.at(path, rows.line()))?);
    }
    if requests.is_empty() {
        let problem = Problem::new(format!("{}: no request in it, only a header line", path.display()));
        return Err(problem.help("one line per request follows it").into());
    }
    requests.sort_by_key(|request| request.start_us);
    Ok(Trace { requests })
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("{}: cannot be read: {error}", path.display()))
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of a file that may be gzip.
fn decompressed(file: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::new(file);
    let is_gzip = file.fill_buf()?.starts_with(&GZIP_MAGIC);
    Ok(if is_gzip { Box::new(Gzip(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// A decompressor that says what its errors mean.
struct Gzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "its gzip data is cut short"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), format!("its gzip data is damaged ({error})"))
            }
            _ => error,
        })
    }
}

/// The longest row, give or take a buffer (bytes).
const MAX_ROW: usize = 1 << 20;

/// A reader that refuses to hand out more than [`MAX_ROW`] at once.
struct RowLimit<R> {
    inner: R,
    /// Handed out since the last row was complete.
    handed_out: usize,
}

#[derive(Debug)]
struct RowTooLong;

impl fmt::Display for RowTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line of more than {MAX_ROW} bytes")
    }
}

impl std::error::Error for RowTooLong {}

fn is_too_long(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<RowTooLong>())
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed_out > MAX_ROW {
            return Err(io::Error::other(RowTooLong));
        }
        let count = self.inner.read(buffer)?;
        self.handed_out += count;
        Ok(count)
    }
}

/// The rows of a CSV file, one at a time.
struct Rows<'a> {
    path: &'a Path,
    reader: csv::Reader<RowLimit<Box<dyn Read>>>,
    record: StringRecord,
    header: StringRecord,
    /// What csv's line numbers lack: with CRLF it counts a row's LF to the next one.
    uncounted_lines: u64,
}

impl<'a> Rows<'a> {
    fn new(path: &'a Path, content: Box<dyn Read>) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .trim(Trim::All)
            .from_reader(RowLimit { inner: content, handed_out: 0 });
        Self { path, reader, record: StringRecord::new(), header: StringRecord::new(), uncounted_lines: 0 }
    }

    /// Reads the header line.
    fn header(&mut self) -> Checked<Columns> {
        if !self.advance()? {
            let problem = Problem::new(format!("{}: is empty", self.path.display()));
            return Err(problem.help("a JTL file has a header line and a line per request").into());
        }
        self.header = self.record.clone();
        self.uncounted_lines = 2_u64.saturating_sub(self.reader.position().line());
        Columns::find(self.path, &self.header)
    }

    /// Reads the next row; false at the end.
    fn advance(&mut self) -> Result<bool, Problem> {
        let more = self.reader.read_record(&mut self.record).map_err(|error| self.explain(error))?;
        self.reader.get_mut().handed_out = 0;
        Ok(more)
    }

    /// The first line of the row just read, from 1. Empty lines right before it are not counted.
    fn line(&self) -> u64 {
        self.line_at(self.record.position())
    }

    fn line_at(&self, position: Option<&csv::Position>) -> u64 {
        self.uncounted_lines + position.map_or(1, csv::Position::line)
    }

    fn explain(&self, error: csv::Error) -> Problem {
        let file = self.path.display();
        let line = self.line_at(error.position().or(self.record.position()));
        match error.into_kind() {
            ErrorKind::Io(error) if is_too_long(&error) => {
                Problem::new(format!("{file}: line {line} is longer than {MAX_ROW} bytes"))
                    .help("is it a CSV file, and each quote closed?")
            }
            ErrorKind::Io(error) => unreadable(self.path, &error),
            ErrorKind::Utf8 { err, .. } => {
                let column = self.header.get(err.field()).map(|name| format!(", column {}", quoted(name)));
                let column = column.unwrap_or_default();
                Problem::new(format!("{file}: line {line}{column}: not UTF-8 text"))
                    .help("write the file as UTF-8; is it compressed by something other than gzip?")
            }
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                Problem::new(format!("{file}: line {line} has {len} fields, the header line {expected_len}"))
                    .help("every line has the columns of the header line; is the file cut short?")
            }
            other => Problem::new(format!("{file}: line {line}: {other:?}")),
        }
    }
}

/// A column of numbers, from 0.
struct Quantity {
    name: &'static str,
    /// To the unit in which it is kept.
    factor: f64,
    most: f64,
    right: &'static str,
}

/// Until the year 2255; in us it is then exact as f64, too.
const MOST_US: f64 = 9e15;

/// Half a year.
const MOST_LATENCY_MS: f64 = 1.5e10;

/// The start (us), best column first.
const START: [Quantity; 2] = [
    Quantity { name: "start_us", factor: 1.0, most: MOST_US, right: "microseconds since 1970" },
    Quantity {
        name: "timeStamp",
        factor: 1e3,
        most: MOST_US / 1e3,
        right: "milliseconds since 1970; jmeter.save.saveservice.timestamp_format=ms writes them",
    },
];

/// The latency (ms), best column first.
const LATENCY: [Quantity; 2] = [
    Quantity { name: "elapsed_us", factor: 1e-3, most: MOST_LATENCY_MS * 1e3, right: "microseconds" },
    Quantity { name: "elapsed", factor: 1.0, most: MOST_LATENCY_MS, right: "milliseconds" },
];

const BYTES: Quantity = Quantity { name: "bytes", factor: 1.0, most: 9e15, right: "bytes" };

const SUCCESS: &str = "success";

/// Where in a row the needed values are.
struct Columns {
    start: (usize, &'static Quantity),
    latency: (usize, &'static Quantity),
    success: usize,
    bytes: Option<usize>,
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Checked<Self> {
        let place = |name: &str| header.iter().position(|column| column == name);
        let best = |of: &'static [Quantity; 2]| of.iter().find_map(|q| place(q.name).map(|at| (at, q)));
        match (best(&START), best(&LATENCY), place(SUCCESS), twice(header)) {
            (Some(start), Some(latency), Some(success), None) => {
                Ok(Self { start, latency, success, bytes: place(BYTES.name) })
            }
            (start, latency, success, twice) => {
                let missing = [
                    start.is_none().then_some("timeStamp"),
                    latency.is_none().then_some("elapsed"),
                    success.is_none().then_some(SUCCESS),
                ];
                let missing = missing.into_iter().flatten().map(|name| missing_column(path, header, name));
                let twice = twice.map(|name| {
                    Problem::new(format!("{}: line 1 has the column `{name}` twice", path.display()))
                });
                Err(Problems(missing.chain(twice).collect()))
            }
        }
    }

    fn request<'r>(&self, row: &'r StringRecord) -> Result<TraceRequest, Fault<'r>> {
        let field = |index: usize| row.get(index).unwrap_or_default();
        let value = |(index, quantity): (usize, &Quantity)| number(field(index), quantity);
        Ok(TraceRequest {
            start_us: value(self.start)?.round() as u64,
            latency_ms: value(self.latency)?,
            ok: success(field(self.success))?,
            bytes: self.bytes.map_or(Ok(0.0), |index| value((index, &BYTES)))?.round() as u64,
        })
    }
}

/// A column that is read and there more than once.
fn twice(header: &StringRecord) -> Option<&'static str> {
    let read = START.iter().chain(&LATENCY).chain([&BYTES]).map(|quantity| quantity.name).chain([SUCCESS]);
    read.into_iter().find(|name| header.iter().filter(|column| column == name).count() > 1)
}

fn missing_column(path: &Path, header: &StringRecord, name: &str) -> Problem {
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
        "it is XML; jmeter.save.saveservice.output_format=csv writes CSV".to_owned()
    } else if only.contains([';', '\t', '|']) {
        "columns are separated by commas".to_owned()
    } else if let Some(near) = nearest(name, short) {
        format!("is it {}? rename that", quoted(near))
    } else {
        "the first line names the columns, at least timeStamp,elapsed,success".to_owned()
    };
    Problem::new(message).help(help)
}

/// What is wrong with one field.
struct Fault<'r> {
    column: &'static str,
    value: &'r str,
    what: &'static str,
    right: String,
}

impl Fault<'_> {
    fn at(&self, path: &Path, line: u64) -> Problem {
        let (file, column, value) = (path.display(), self.column, quoted(self.value));
        Problem::new(format!("{file}: line {line}, column `{column}`: {value} {}", self.what))
            .help(&*self.right)
    }
}

/// A number in the unit in which it is kept.
fn number<'r>(field: &'r str, quantity: &Quantity) -> Result<f64, Fault<'r>> {
    let Quantity { name: column, factor, most, right } = *quantity;
    let what = match field.parse::<f64>() {
        Ok(value) if (0.0..=most).contains(&value) => return Ok(value * factor),
        Ok(value) if !value.is_finite() => "is not a finite number",
        Ok(value) if value < 0.0 => "is negative",
        Ok(_) => "is too large",
        Err(_) if field.is_empty() => "is not there",
        Err(_) => "is not a number",
    };
    Err(Fault { column, value: field, what, right: format!("it is 0 to {most} {right}") })
}

fn success(field: &str) -> Result<bool, Fault<'_>> {
    if field.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if field.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        let right = "it is true or false".to_owned();
        Err(Fault { column: SUCCESS, value: field, what: "says neither yes nor no", right })
    }
}

/// Text of a file, short and safe to show.
fn quoted(text: &str) -> String {
    const MOST_SHOWN: usize = 40;
    let shown: String = text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(MOST_SHOWN).is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}
