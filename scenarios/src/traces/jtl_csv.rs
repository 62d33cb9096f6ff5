//! Reads `JMeter` results in CSV.
//!
//! # Models
//! A header line names the columns. Needed are a start, a duration and `success`; `bytes` and
//! `label` are read if they are there, all others are skipped. If a file has the start and the
//! duration in whole microseconds too (`start_us`, `elapsed_us`), those are taken.
//!
//! # Source
//! Apache `JMeter` user's manual, Listeners, section "CSV Log format" (columns and units).

use super::TraceRequest;
use super::collect::Collector;
use super::csv_rows::{Rows, missing_column, place};
use super::field::{Fault, Quantity, bytes, duration_ms, duration_us, number, start_ms, start_us, truth};
use super::input::Content;
use super::model::Names;
use super::problem_of;
use crate::problem::{Checked, Problem, Problems};
use csv::StringRecord;
use std::path::Path;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let path = to.path;
    let mut rows = Rows::new(path, content, "a JTL file has a header line and a line per request")?;
    let columns = Columns::find(path, rows.header())?;
    while let Some((row, line)) = rows.next(to)? {
        let request = columns.request(row, &mut to.names);
        to.request(request, line)?;
    }
    Ok(())
}

/// The start (us), best column first.
const START: [Quantity; 2] = [
    start_us("start_us"),
    Quantity {
        right: "milliseconds since 1970; jmeter.save.saveservice.timestamp_format=ms writes them",
        ..start_ms("timeStamp")
    },
];

/// The latency (ms), best column first.
const LATENCY: [Quantity; 2] = [duration_us("elapsed_us"), duration_ms("elapsed")];

const BYTES: Quantity = bytes("bytes");

const SUCCESS: &str = "success";

/// Where in a row the needed values are.
struct Columns {
    start: (usize, &'static Quantity),
    latency: (usize, &'static Quantity),
    success: usize,
    bytes: Option<usize>,
    label: Option<usize>,
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Checked<Self> {
        let best =
            |of: &'static [Quantity; 2]| of.iter().find_map(|q| place(header, q.name).map(|at| (at, q)));
        match (best(&START), best(&LATENCY), place(header, SUCCESS), twice(header)) {
            (Some(start), Some(latency), Some(success), None) => {
                let (bytes, label) = (place(header, BYTES.name), place(header, "label"));
                Ok(Self { start, latency, success, bytes, label })
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

    fn request(&self, row: &StringRecord, names: &mut Names) -> Result<TraceRequest, Fault> {
        let field = |index: usize| row.get(index).unwrap_or_default();
        let value = |(index, quantity): (usize, &Quantity)| number(field(index), quantity);
        Ok(TraceRequest {
            start_us: value(self.start)?.round() as u64,
            latency_ms: value(self.latency)?,
            ok: truth(field(self.success), SUCCESS)?,
            bytes: self.bytes.map_or(Ok(0.0), |index| value((index, &BYTES)))?.round() as u64,
            service: self.label.and_then(|index| names.id(field(index))),
            cluster: None,
        })
    }
}

/// A column that is read and there more than once.
fn twice(header: &StringRecord) -> Option<&'static str> {
    let read = START.iter().chain(&LATENCY).chain([&BYTES]).map(|quantity| quantity.name).chain([SUCCESS]);
    read.into_iter().find(|name| header.iter().filter(|column| column == name).count() > 1)
}
