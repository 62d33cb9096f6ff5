//! Reads `JMeter` results in CSV.
//!
//! # Models
//! A header line names the columns. Needed are a start, a duration and `success` (or, where that was not saved,
//! `responseCode`, which is not a number if there was no response); `bytes` and `label` are read if they are there, all
//! others are skipped. If a file has the start and the
//! duration in whole microseconds too (`start_us`, `elapsed_us`), those are taken. A start is a number
//! (ms) or a date, in one of the formats that `JMeter` itself guesses. Without a header line columns stand
//! where `JMeter` writes them by default; that of the bytes moved between versions.
//!
//! A Transaction Controller has a row of its own, as long as all its samples, which have theirs: it is told
//! by its message, as `JMeter`'s dashboard does, and is no request unless the file has nothing else
//! ("Generate parent sample", which in CSV keeps no samples).
//!
//! # Source
//! Apache `JMeter` user's manual, Listeners, section "CSV Log format" (columns and units);
//! `report/core/Sample.java` (`CONTROLLER_PATTERN`); `save/CSVSaveService.java` (order, dates).

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, column_of, missing_column};
use super::field::{
    Fault, Quantity, bytes, duration_ms, duration_us, is_success, number, start_ms, start_us, truth,
};
use super::input::{Content, problem_of};
use super::model::Names;
use super::time::written_us;
use crate::problem::{Checked, Problem, Problems};
use csv::StringRecord;
use std::path::Path;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let path = to.path;
    let mut rows = Rows::new(path, content, "a JTL file has a header line and a line per request")?;
    let columns = match Columns::by_default(rows.header()) {
        Some(columns) => {
            to.note("it has no header line: its columns are taken to stand as JMeter writes them by default");
            rows.has_no_header();
            columns
        }
        None => Columns::find(path, rows.header())?,
    };
    while let Some((row, line)) = rows.next(to)? {
        let request = columns.request(row, &mut to.names);
        if columns.message.and_then(|at| row.get(at)).is_some_and(is_of_transaction) {
            to.transaction(request, line)?;
        } else {
            to.request(request, line)?;
        }
    }
    Ok(())
}

/// Whether this is the message of a Transaction Controller.
pub(crate) fn is_of_transaction(message: &str) -> bool {
    message.starts_with("Number of samples in transaction")
}

/// The start (us), best column first.
const START: [Quantity; 2] = [start_us("start_us"), start_ms("timeStamp")];

/// The latency (ms), best column first.
const LATENCY: [Quantity; 2] = [duration_us("elapsed_us"), duration_ms("elapsed")];

const BYTES: Quantity = bytes("bytes");

const SUCCESS: &str = "success";

const CODE: &str = "responseCode";

/// Where it is told whether a request succeeded.
#[derive(Clone, Copy)]
enum Success {
    /// By `JMeter`, with its assertions.
    Said(usize),
    /// By the response's code.
    ByCode(usize),
}

/// Where in a row the needed values are.
struct Columns {
    start: (usize, &'static Quantity),
    latency: (usize, &'static Quantity),
    success: Success,
    bytes: Option<usize>,
    label: Option<usize>,
    message: Option<usize>,
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Checked<Self> {
        let best =
            |of: &'static [Quantity; 2]| of.iter().find_map(|q| column_of(header, q.name).map(|at| (at, q)));
        let said = column_of(header, SUCCESS).map(Success::Said);
        let success = said.or_else(|| column_of(header, CODE).map(Success::ByCode));
        match (best(&START), best(&LATENCY), success, twice(header)) {
            (Some(start), Some(latency), Some(success), None) => {
                let [bytes, label, message] =
                    [BYTES.name, "label", "responseMessage"].map(|name| column_of(header, name));
                Ok(Self { start, latency, success, bytes, label, message })
            }
            (start, latency, success, twice) => {
                let missing = [
                    start.is_none().then_some("timeStamp"),
                    latency.is_none().then_some("elapsed"),
                    success.is_none().then_some(SUCCESS),
                ];
                let right = "the first line names the columns, at least timeStamp,elapsed,success";
                let missing =
                    missing.into_iter().flatten().map(|name| missing_column(path, header, name, right));
                let twice =
                    twice.map(|name| problem_of(path, format!("line 1 has the column `{name}` twice")));
                Err(Problems(missing.chain(twice).collect::<Vec<Problem>>()))
            }
        }
    }

    /// If the first line is a row: `timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,
    /// success` of all versions, then `bytes`, since 2.13 after `failureMessage`.
    fn by_default(first: &StringRecord) -> Option<Self> {
        let [_, start] = &START;
        let [_, latency] = &LATENCY;
        let field = |at: usize| first.get(at).unwrap_or_default();
        let is_row = moment(field(0), start).is_ok() && number(field(1), latency).is_ok();
        (is_row && truth(field(7), SUCCESS).is_ok()).then(|| Self {
            start: (0, start),
            latency: (1, latency),
            success: Success::Said(7),
            bytes: [8, 9].into_iter().find(|&at| number(field(at), &BYTES).is_ok()),
            label: Some(2),
            message: Some(4),
        })
    }

    fn request(&self, row: &StringRecord, names: &mut Names) -> Result<TraceRequest, Fault> {
        let field = |index: usize| row.get(index).unwrap_or_default();
        let value = |(index, quantity): (usize, &Quantity)| number(field(index), quantity);
        Ok(TraceRequest {
            start_us: moment(field(self.start.0), self.start.1)?,
            latency_ms: value(self.latency)?,
            ok: match self.success {
                Success::Said(at) => truth(field(at), SUCCESS)?,
                Success::ByCode(at) => field(at).parse().is_ok_and(is_success),
            },
            bytes: self.bytes.map_or(Ok(0.0), |index| value((index, &BYTES)))?.round() as u64,
            service: self.label.and_then(|index| names.id(field(index))),
            cluster: None,
        })
    }
}

/// A moment as a number or a date (us since 1970).
fn moment(field: &str, quantity: &Quantity) -> Result<u64, Fault> {
    if !field.contains(['/', ':']) {
        return Ok(number(field, quantity)?.round() as u64);
    }
    let right = "milliseconds since 1970, or a date as 2026/11/24 09:08:07.006 or 11/24/26 09:08:07";
    written_us(field).ok_or_else(|| Fault::new(quantity.name, field, "is not a time", right))
}

/// A column that is read and there more than once.
fn twice(header: &StringRecord) -> Option<&'static str> {
    let read = START.iter().chain(&LATENCY).chain([&BYTES]).map(|quantity| quantity.name).chain([SUCCESS]);
    read.into_iter().find(|name| header.iter().filter(|column| column == name).count() > 1)
}
