//! Reads a table of spans in CSV, by the names of its columns.
//!
//! # Models
//! Needed are a trace, a service, a start, and a duration or an end; a span's own and its parent's identifier,
//! its kind, its status and its cluster are read if they are there. Names may be written in any case, with or without
//! blanks and underscores; `trace`, `traceid` and `trace_id` are the same. A unit may follow the name of a time:
//! `start_us`, `duration_ms`, `startTimeUnixNano`.
//!
//! Tables of calls (Alibaba: `um` calls `dm`) have no spans of their own but an `rpcid` as `0.1.2`, made by the call
//! `0.1`. A call between two services is there twice, with a negative response time as its server took it; if
//! no time of the file is negative (LatenSeer takes those out), a call stands for what its server did.
//!
//! # Assumptions
//! Without a unit a start is in s, ms, us or ns since 1970 by its size, and the duration is in the same unit, as in all
//! tables that were made of traces. A note says so. Times of Alibaba's are in ms.
//!
//! # Source
//! Alibaba, `cluster-trace-microservices-v2021/README.md` and `-v2022`, table `MS_CallGraph`; LatenSeer, SoCC 2023,
//! `myparser.py` (`convert_json_to_csv`: times of Jaeger, in us).

use super::collect::{Collector, RawSpan, identifier};
use super::csv_rows::{Rows, missing_column};
use super::field::{Fault, MOST_LATENCY_MS, MOST_US, Quantity, is_success, number, quoted};
use super::input::{Content, problem_of};
use super::k6::factor_by_size;
use super::model::Side;
use super::time::written_us;
use crate::problem::{Checked, Problem, Problems};
use csv::StringRecord;

/// Names of columns, the best first; without case, blanks and underscores.
const TRACE: &[&str] = &["traceid", "trace"];
const SPAN: &[&str] = &["spanid", "span", "rpcid"];
const PARENT: &[&str] = &["parentspanid", "parentid", "parentspan", "parent"];
/// Who was called comes before `service`, which in Alibaba's second trace is where the request entered.
const SERVICE: &[&str] = &["dm", "servicename", "service", "microservice", "msname", "processservicename"];
const START: &[&str] = &["starttime", "start", "starttimestamp", "timestamp", "begin", "begintime"];
const DURATION: &[&str] = &["duration", "rt", "latency", "elapsed", "responsetime"];
const END: &[&str] = &["endtime", "end", "endtimestamp", "finish", "finishtime"];
const KIND: &[&str] = &["spankind", "kind"];
const STATUS: &[&str] = &["httpstatuscode", "statuscode", "responsecode", "status"];
const ERROR: &[&str] = &["error", "iserror"];
const CLUSTER: &[&str] = &["cluster", "k8sclustername"];

/// Units of times with what they are in microseconds.
const UNITS: &[(&str, f64)] = &[
    ("unixnano", 1e-3),
    ("nanoseconds", 1e-3),
    ("nanos", 1e-3),
    ("ns", 1e-3),
    ("microseconds", 1.0),
    ("micros", 1.0),
    ("us", 1.0),
    ("milliseconds", 1e3),
    ("millis", 1e3),
    ("ms", 1e3),
    ("seconds", 1e6),
    ("sec", 1e6),
    ("s", 1e6),
];

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut rows = Rows::new(to.path, content, "it has a header line and a line per span")?;
    let mut columns = Columns::find(to, rows.header())?;
    to.tell_sides();
    let first = to.span_count();
    while let Some((row, line)) = rows.next(to)? {
        columns.tell_units(row, to)?;
        let span = columns.span(row, to);
        to.span(span, line)?;
    }
    if columns.is_of_calls && !columns.has_servers {
        // The caller's time stands for what was called: as spans whose side nobody said.
        to.spans_from(first).iter_mut().for_each(|span| span.side = None);
    }
    Ok(())
}

/// Whether a line of names is that of such a table.
pub(super) fn is_header<'h>(names: impl Iterator<Item = &'h str>) -> bool {
    let header: StringRecord = names.collect();
    let has = |of| Times::find(&header, of).is_some();
    find(&header, TRACE).is_some()
        && find(&header, SERVICE).is_some()
        && has(START)
        && (has(DURATION) || has(END))
}

/// A name as it is compared.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where the column of one of these names is.
fn find(header: &StringRecord, names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| header.iter().position(|column| plain(column) == *name))
}

/// Where a time is.
#[derive(Clone, Copy)]
struct Times {
    column: usize,
    /// To microseconds; none until it is told by size.
    factor: Option<f64>,
}

impl Times {
    fn find(header: &StringRecord, names: &[&str]) -> Option<Self> {
        let of_name = |name: &&str| {
            header.iter().enumerate().find_map(|(column, found)| {
                let found = plain(found);
                let unit = found.strip_prefix(name)?;
                let factor = UNITS.iter().find(|(known, _)| *known == unit).map(|(_, factor)| *factor);
                (unit.is_empty() || factor.is_some()).then_some(Self { column, factor })
            })
        };
        names.iter().find_map(of_name)
    }

    fn field<'r>(&self, row: &'r StringRecord) -> &'r str {
        row.get(self.column).unwrap_or_default()
    }

    /// A moment (us since 1970): a number or a date.
    fn moment_us(&self, row: &StringRecord, name: &'static str) -> Result<f64, Fault> {
        let field = self.field(row);
        if field.contains([':', '/']) {
            let right = "it is a number or a time as 2026-11-24T09:08:07.006Z";
            let found = written_us(field).ok_or_else(|| Fault::new(name, field, "is not a time", right));
            return found.map(|us| us as f64);
        }
        let factor = self.factor.unwrap_or(1.0);
        number(field, &Quantity { name, factor, most: MOST_US / factor, right: "since 1970" })
    }
}

/// Where in a row the values are.
struct Columns {
    trace: usize,
    service: usize,
    start: Times,
    /// Or the end, if there is no duration.
    duration: Option<Times>,
    end: Option<Times>,
    /// Span, parent, kind, status, error, cluster.
    optional: [Option<usize>; 6],
    /// Spans are numbered as calls, `0.1.2`.
    is_of_calls: bool,
    /// A call of its server's was there.
    has_servers: bool,
    units_are_told: bool,
}

impl Columns {
    fn find(to: &Collector<'_>, header: &StringRecord) -> Checked<Self> {
        let duration = Times::find(header, DURATION);
        let end = Times::find(header, END).filter(|_| duration.is_none());
        let found = (find(header, TRACE), find(header, SERVICE), Times::find(header, START));
        let ((Some(trace), Some(service), Some(start)), true) = (found, duration.is_some() || end.is_some())
        else {
            let missing = [
                found.0.is_none().then_some("trace"),
                found.1.is_none().then_some("service"),
                found.2.is_none().then_some("start"),
                (duration.is_none() && end.is_none()).then_some("duration"),
            ];
            let right = "the first line names the columns, at least trace,service,start,duration";
            let problem = |name| missing_column(to.path, header, name, right);
            return Err(Problems(missing.into_iter().flatten().map(problem).collect()));
        };
        let optional = [SPAN, PARENT, KIND, STATUS, ERROR, CLUSTER].map(|names| find(header, names));
        let has = |name: &str| header.iter().any(|column| plain(column) == name);
        let is_of_calls = has("rpcid") && optional[1].is_none();
        let mut columns = Self {
            trace,
            service,
            start,
            duration,
            end,
            optional,
            is_of_calls,
            has_servers: false,
            units_are_told: false,
        };
        if is_of_calls && has("um") {
            columns.set_factors(1e3);
        }
        Ok(columns)
    }

    /// Sets the unit of the times that have none.
    fn set_factors(&mut self, factor: f64) {
        let times = [Some(&mut self.start), self.duration.as_mut(), self.end.as_mut()];
        for times in times.into_iter().flatten() {
            times.factor = times.factor.or(Some(factor));
        }
    }

    /// Tells the units that the header does not say by the first start.
    fn tell_units(&mut self, row: &StringRecord, to: &mut Collector<'_>) -> Result<(), Problem> {
        if std::mem::replace(&mut self.units_are_told, true) {
            return Ok(());
        }
        let is_said = |times: Option<Times>| times.is_none_or(|times| times.factor.is_some());
        if is_said(Some(self.start)) && is_said(self.duration) && is_said(self.end) {
            return Ok(());
        }
        let first = self.start.field(row);
        let is_date = first.contains([':', '/']);
        if is_date && is_said(self.duration) {
            return Ok(());
        }
        let Some(size) = first.parse::<f64>().ok().or(is_date.then_some(0.0)) else {
            // The row is bad; another one tells.
            self.units_are_told = false;
            return Ok(());
        };
        // From 2001 on.
        if is_date || size < 1e9 {
            let message = format!("the first start, {}, does not tell the unit of its times", quoted(first));
            let right = "name the columns with their units, as start_us and duration_us";
            return Err(problem_of(to.path, message).help(right));
        }
        let factor = self.start.factor.unwrap_or_else(|| factor_by_size(size));
        let unit = UNITS.iter().rfind(|(_, known)| *known == factor).map_or("us", |(name, _)| *name);
        to.note(format!(
            "its times are taken as {unit}, by their size; names as start_{unit} and duration_{unit} say it"
        ));
        self.set_factors(factor);
        Ok(())
    }

    fn span(&mut self, row: &StringRecord, to: &mut Collector<'_>) -> Result<RawSpan, Fault> {
        let field = |index: usize| row.get(index).unwrap_or_default();
        let trace = Some(field(self.trace)).filter(|text| !is_nothing(text)).and_then(identifier);
        if trace.is_none() {
            return Err(Fault::new("trace", field(self.trace), "names no trace", "it is a text or a number"));
        }
        let [span, parent, kind, status, error, cluster] = self
            .optional
            .map(|index| index.map_or("", field))
            .map(|text| if is_nothing(text) { "" } else { text });
        let start = self.start.moment_us(row, "start")?;
        let (duration_ms, is_server) = self.duration_ms(row, start)?;
        self.has_servers |= is_server;
        let mut found = RawSpan {
            trace,
            id: id(span),
            parent: id(parent),
            start_us: start.round() as u64,
            duration_ms,
            service: Some(field(self.service))
                .filter(|name| !is_nothing(name))
                .and_then(|it| to.names.id(it)),
            cluster: to.names.id(cluster),
            side: side(kind),
            ok: succeeded(status, error),
            ..RawSpan::default()
        };
        if self.is_of_calls {
            place_call(&mut found, span, is_server);
        }
        Ok(found)
    }

    /// A duration (ms), and whether its sign says that it is the server's.
    fn duration_ms(&self, row: &StringRecord, start_us: f64) -> Result<(f64, bool), Fault> {
        let right = "(a duration)";
        if let Some(duration) = &self.duration {
            let factor = duration.factor.unwrap_or(1.0) / 1e3;
            let field = duration.field(row);
            let positive = field.strip_prefix('-').filter(|_| self.is_of_calls);
            let quantity = Quantity { name: "duration", factor, most: MOST_LATENCY_MS / factor, right };
            return Ok((number(positive.unwrap_or(field), &quantity)?, positive.is_some()));
        }
        let Some(end) = &self.end else { return Ok((0.0, false)) };
        let duration_ms = (end.moment_us(row, "end")? - start_us) / 1e3;
        if !(0.0..=MOST_LATENCY_MS).contains(&duration_ms) {
            let right = "a span ends after its start";
            return Err(Fault::new("end", end.field(row), "is not soon after the start", right));
        }
        Ok((duration_ms, false))
    }
}

/// What tables write where there is nothing.
fn is_nothing(text: &str) -> bool {
    text.is_empty()
        || ["none", "nan", "null", "nil", "-", "(?)"].iter().any(|it| text.eq_ignore_ascii_case(it))
}

/// An identifier; 0 of nothing only.
fn id(text: &str) -> u64 {
    let number = identifier(text).map_or(0, |id| id as u64);
    // Spans that are counted from 0 have a first one, too.
    if number == 0 && !text.is_empty() { u64::MAX } else { number }
}

/// A call's own identifier and its parent's, of which each side of it has another one.
fn place_call(span: &mut RawSpan, rpc: &str, is_server: bool) {
    let of = |rpc: &str, side: &str| id(&format!("rpc {rpc} {side}"));
    let (above, _) = rpc.rsplit_once('.').unwrap_or_default();
    let caller = (!above.is_empty()).then(|| (of(above, "server"), of(above, "client")));
    let (server, client) = caller.unwrap_or_default();
    if is_server {
        span.side = Some(Side::Server);
        span.id = of(rpc, "server");
        // Its caller's record of it, or what made the call.
        (span.parent, span.otherwise) = (of(rpc, "client"), server);
    } else {
        span.side = Some(Side::Client);
        span.id = of(rpc, "client");
        (span.parent, span.otherwise) = (server, client);
    }
}

fn side(kind: &str) -> Option<Side> {
    let kind = plain(kind);
    match kind.strip_prefix("spankind").unwrap_or(&kind) {
        "" | "0" | "unspecified" => None,
        "server" | "2" => Some(Side::Server),
        "client" | "3" => Some(Side::Client),
        _ => Some(Side::Other),
    }
}

/// By a status of HTTP or OpenTelemetry, and by what says whether there was an error.
fn succeeded(status: &str, error: &str) -> bool {
    let failed = match status.parse::<f64>() {
        // OpenTelemetry's codes are 0, 1 and 2.
        Ok(code) => code == 2.0 || code > 2.0 && !is_success(code),
        Err(_) => plain(status).ends_with("error"),
    };
    !failed && matches!(plain(error).as_str(), "" | "false" | "0")
}
