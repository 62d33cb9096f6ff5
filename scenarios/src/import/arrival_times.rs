//! Reads when requests came: a table of times, or a µBench workload.
//!
//! # Models
//! Text: one time a line, or a column of a table whose fields are separated by commas, semicolons or
//! tabs, with or without a line of names; empty lines and those that begin with `#` are left out. A time is a number
//! or a date as 2026-11-24 09:08:07.006, which is taken as UTC if it names no zone. Rows of `JMeter`'s Transaction
//! Controllers, which are no requests, are left out unless there are no others.
//! A workload of µBench: a list of `{"time": ms, "service": "s0"}`, of which those of the asked
//! service count. Either may be gzip.
//!
//! # Assumptions
//! µBench's Runner waits two seconds before a workload; that is not part of it.
//!
//! # Source
//! µBench, `Benchmarks/Runner/Runner.py`, `Benchmarks/TrafficGenerator/TrafficGenerator.py`.

use crate::problem::{Checked, Problem, Problems, SourceText, clip, nearest};
use crate::traces::jtl_csv::is_of_transaction;
use crate::traces::time::written_us;
use csv::{ReaderBuilder, StringRecord, Trim};
use flate2::read::MultiGzDecoder;
use meshsim_core::{SimDuration, SimTime};
use serde::Deserialize;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// How a file is to be read.
pub(crate) struct Layout<'a> {
    /// The column of the times, by name or number from 1; needed if there are several.
    pub(crate) column: Option<&'a str>,
    /// The unit of the times (ns); seconds if absent.
    pub(crate) unit: Option<u64>,
    /// Whose requests count in a workload of µBench.
    pub(crate) service: &'a str,
}

/// A file that is unpacked is at most so large (bytes).
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// So many bad lines are told.
const TOLD_MAX: usize = 10;

const SECOND: u64 = 1_000_000_000;

/// The times of a file, at least one, in ascending order.
///
/// # Errors
/// If it is damaged, has no times, or a line has none or one before the last line's.
pub(crate) fn read(name: &str, bytes: &[u8], layout: &Layout<'_>) -> Checked<Vec<SimTime>> {
    let text = unpack(name, bytes)?;
    let source = Arc::new(SourceText { name: name.to_owned(), text });
    let times = if source.text.trim_start().starts_with('[') {
        workload(&source, layout)?
    } else {
        column(&source, layout)?
    };
    if times.is_empty() {
        return Err(Problem::new(format!("`{name}` has no times"))
            .help("write one a line, in seconds")
            .into());
    }
    Ok(times)
}

fn unpack(name: &str, bytes: &[u8]) -> Checked<String> {
    const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
    let mut unpacked = Vec::new();
    let bytes = if bytes.starts_with(&GZIP_MAGIC) {
        let mut reader = MultiGzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1);
        let damaged = |error| Problem::new(format!("`{name}`: its gzip data is damaged ({error})"));
        reader.read_to_end(&mut unpacked).map_err(damaged)?;
        if unpacked.len() as u64 > UNPACKED_BYTES_MAX {
            let help = format!("at most {UNPACKED_BYTES_MAX} bytes are read");
            return Err(Problem::new(format!("`{name}` is too large once unpacked")).help(help).into());
        }
        unpacked
    } else {
        bytes.to_vec()
    };
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(format!("`{name}` is not UTF-8 text")))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// An event of a workload.
#[derive(Deserialize)]
struct Event {
    /// In milliseconds.
    time: f64,
    service: String,
}

fn workload(source: &Arc<SourceText>, layout: &Layout<'_>) -> Checked<Vec<SimTime>> {
    let name = &source.name;
    if layout.column.is_some() || layout.unit.is_some() {
        let message = format!("`{name}` is a workload of µBench, whose times are in milliseconds");
        return Err(Problem::new(message).help("take column and unit out").into());
    }
    let events: Vec<Event> = serde_json::from_str(&source.text).map_err(|error| {
        let help = "a workload is a list of { \"time\": MS, \"service\": \"NAME\" }";
        Problem::new(format!("{name}:{}:{}: {error}", error.line(), error.column())).help(help)
    })?;
    let own: Vec<&Event> = events.iter().filter(|it| it.service == layout.service).collect();
    if let Some(event) = own.iter().find(|event| event.time < 0.0) {
        return Err(Problem::new(format!("`{name}` has an event at {} ms", event.time)).into());
    }
    if own.is_empty() && !events.is_empty() {
        let message = format!("`{name}` has no request to `{}`, which these users request", layout.service);
        let names = events.iter().map(|it| it.service.as_str());
        let help = nearest(layout.service, names).map_or_else(
            || format!("its first one is to `{}`", clip(&events[0].service)),
            |near| format!("it has some to `{near}`"),
        );
        return Err(Problem::new(message).help(help).into());
    }
    let at = |event: &&Event| SimTime::ZERO + SimDuration::from_nanos_f64(event.time * 1e6);
    let mut times: Vec<SimTime> = own.iter().map(at).collect();
    // µBench's scheduler takes events in the order of time, however they are written.
    times.sort_unstable();
    Ok(times)
}

fn column(source: &Arc<SourceText>, layout: &Layout<'_>) -> Checked<Vec<SimTime>> {
    let unit = layout.unit.unwrap_or(SECOND);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter(&source.text))
        .from_reader(source.text.as_bytes());
    let (mut record, mut problems) = (StringRecord::new(), Vec::new());
    // Those of single requests, and those of transactions of JMeter.
    let [mut times, mut of_transactions]: [Vec<SimTime>; 2] = [Vec::new(), Vec::new()];
    let mut index: Option<usize> = None;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(Problem::new(format!("`{}`: {error}", source.name)).into()),
        }
        let begins = record.position().map_or(0, |it| it.byte() as usize);
        let is_first = index.is_none();
        let at = match index {
            Some(at) => at,
            None => *index.insert(find_column(source, &record, layout)?),
        };
        let field = record.get(at).unwrap_or("");
        let span = span_of(&source.text, begins, field);
        let is_transaction = record.iter().any(is_of_transaction);
        let list = if is_transaction { &mut of_transactions } else { &mut times };
        match (parse(field, unit), list.last()) {
            // A line of names.
            (None, _) if is_first && !field.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {}
            (None, _) => {
                let message = format!("`{}` is not a time", clip(field));
                problems.push(Problem::new(message).at(source, span).help("write a number, zero or more"));
            }
            (Some(time), Some(&before)) if time < before => {
                let message = format!("the time {field} comes before the one above it");
                problems.push(Problem::new(message).at(source, span).help("sort the file by time"));
            }
            (Some(time), _) => list.push(time),
        }
        if problems.len() == TOLD_MAX {
            break;
        }
    }
    if times.is_empty() {
        times = of_transactions;
    }
    if problems.is_empty() { Ok(times) } else { Err(Problems(problems)) }
}

/// What separates fields in the first line.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or("");
    [b',', b'\t', b';'].into_iter().find(|&byte| first.as_bytes().contains(&byte)).unwrap_or(b',')
}

/// The index of the column of times, by the first line.
fn find_column(source: &Arc<SourceText>, first: &StringRecord, layout: &Layout<'_>) -> Checked<usize> {
    let names = || first.iter().collect::<Vec<_>>().join(", ");
    let Some(column) = layout.column else {
        if first.len() > 1 {
            let message = format!("`{}` has {} columns", source.name, first.len());
            let help = format!("name one with column = \"...\": {}", clip(&names()));
            return Err(Problem::new(message).help(help).into());
        }
        return Ok(0);
    };
    if let Some(index) = first.iter().position(|name| name == column) {
        return Ok(index);
    }
    match column.parse::<usize>() {
        Ok(number) if (1..=first.len()).contains(&number) => Ok(number - 1),
        _ => {
            let message = format!("`{}` has no column `{}`", source.name, clip(column));
            let help = match nearest(column, first.iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}, or write a number from 1 to {}", clip(&names()), first.len()),
            };
            Err(Problem::new(message).help(help).into())
        }
    }
}

/// The index of a field in the record that begins at `begins`.
fn span_of(text: &str, begins: usize, field: &str) -> Range<usize> {
    let line = text.get(begins..).unwrap_or("");
    let blank = line.len() - line.trim_start_matches(['\n', '\r']).len();
    let end = line[blank..].find('\n').map_or(line.len(), |at| blank + at);
    let at = begins + line[..end].rfind(field).unwrap_or(blank);
    at..at + field.len()
}

/// A decimal number of units, to the nanosecond (epochs have more digits than a double), or a date.
fn parse(text: &str, unit: u64) -> Option<SimTime> {
    if text.contains(':') {
        return Some(SimTime::from_nanos(written_us(text)?.checked_mul(1_000)?));
    }
    if text.contains(['e', 'E']) {
        let nanos = text.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0)? * unit as f64;
        return Some(SimTime::ZERO + SimDuration::from_nanos_f64(nanos));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Beyond 18 digits nothing is left of any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let nanos = whole.checked_mul(u128::from(unit))? + (part * u128::from(unit) + scale / 2) / scale;
    u64::try_from(nanos).ok().map(SimTime::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn layout<'a>(column: Option<&'a str>, unit: Option<u64>) -> Layout<'a> {
        Layout { column, unit, service: "s0" }
    }

    fn nanos(bytes: &[u8], layout: &Layout<'_>) -> Vec<u64> {
        read("a.csv", bytes, layout).unwrap().iter().map(|time| time.as_nanos()).collect()
    }

    fn said(text: &str, layout: &Layout<'_>) -> String {
        read("a.csv", text.as_bytes(), layout).unwrap_err().to_string()
    }

    #[test]
    fn lines_columns_and_units_are_read() {
        let text = "# a recording\n0\n\n0.5\n1.000000001\n1e1\n";
        assert_eq!(
            nanos(text.as_bytes(), &layout(None, None)),
            [0, 500_000_000, 1_000_000_001, 10_000_000_000]
        );
        let table = "timeStamp,elapsed\n1700000000123,5\n1700000000124,7\n";
        let expected = [1_700_000_000_123_000_000, 1_700_000_000_124_000_000];
        for column in ["timeStamp", "1"] {
            assert_eq!(nanos(table.as_bytes(), &layout(Some(column), Some(1_000_000))), expected);
        }
        assert_eq!(nanos(b"a\t0.25\r\nb\t0.5\r\n", &layout(Some("2"), None)), [250_000_000, 500_000_000]);
        let epoch = nanos(b"1700000000.123456789", &layout(None, None));
        assert_eq!(epoch, [1_700_000_000_123_456_789]);
    }

    #[test]
    fn results_of_jmeter_have_dates_and_transactions() {
        let message = "\"Number of samples in transaction : 1, number of failing samples : 0\"";
        let table = format!(
            "timeStamp,elapsed,responseMessage\n2023/11/14 22:13:20.123,5,OK\n2023/11/14 22:13:20.123,6,{message}\n"
        );
        let by_time = layout(Some("timeStamp"), None);
        let at = 1_700_000_000_123_000_000;
        assert_eq!(nanos(table.as_bytes(), &by_time), [at]);
        assert_eq!(nanos(table.replace("OK", &message.replace('"', "")).as_bytes(), &by_time), [at, at]);
    }

    #[test]
    fn a_workload_of_mubench_is_read_in_the_order_of_time() {
        let text = r#"[{"time": 250, "service": "s0"}, {"time": 3, "service": "s1"}, {"time": 7.5, "service": "s0"}]"#;
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for bytes in [text.as_bytes(), &packed.finish().unwrap()] {
            assert_eq!(nanos(bytes, &layout(None, None)), [7_500_000, 250_000_000]);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(
            said("t\n1\nx\n0.5\n2\n", &layout(None, None)),
            "a.csv:3:1: `x` is not a time (write a number, zero or more)\n\
             a.csv:4:1: the time 0.5 comes before the one above it (sort the file by time)"
        );
        assert_eq!(
            said("a,b\n1,2\n", &layout(None, None)),
            "`a.csv` has 2 columns (name one with column = \"...\": a, b)"
        );
        assert_eq!(
            said("time,b\n1,2\n", &layout(Some("tim"), None)),
            "`a.csv` has no column `tim` (did you mean `time`?)"
        );
        assert_eq!(said("\n", &layout(None, None)), "`a.csv` has no times (write one a line, in seconds)");
        assert_eq!(
            said(r#"[{"time": 1, "service": "s7"}]"#, &layout(None, None)),
            "`a.csv` has no request to `s0`, which these users request (it has some to `s7`)"
        );
        assert!(said("[{\"time\": 1}]", &layout(None, None)).starts_with("a.csv:1:12: missing field"));
        assert!(said("[]", &layout(Some("x"), None)).contains("take column and unit out"));
    }
}
