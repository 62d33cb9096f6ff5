//! Reads `JMeter` results in XML.
//!
//! # Models
//! One element per sample right in `testResults`, `httpSample` or `sample`: its attributes `ts`
//! (start, ms), `t` (duration, ms) and `s` (success) are needed, `by` (bytes) and `lb` (label) are
//! read if they are there. Samples in samples are parts of these (embedded resources, redirects) and
//! skipped, but those in the sample of a Transaction Controller, which its message `rm` tells, are requests
//! like those beside it, and it is none (as in CSV). A file without its end (`JMeter` was stopped) is read as far as it goes.
//!
//! # Source
//! Apache `JMeter` user's manual, Listeners, section "XML Log format".

use super::TraceRequest;
use super::collect::Collector;
use super::field::{Fault, bytes, duration_ms, number, said, start_ms, truth};
use super::input::{Content, MAX_ELEMENT, problem_of, unreadable_at};
use super::jtl_csv::is_of_transaction;
use super::model::Names;
use crate::problem::{Checked, Problem};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};
use std::borrow::Cow;
use std::path::Path;

/// Deeper than `JMeter` nests; the parser keeps the name of each element that is open.
const MOST_DEPTH: usize = 1000;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let meter = content.meter();
    meter.limit(MAX_ELEMENT);
    let mut reader = Reader::from_reader(content);
    // How many of the open elements, from the outermost on, have samples that are requests.
    let (mut buffer, mut depth, mut holders) = (Vec::new(), 0_usize, 0_usize);
    loop {
        buffer.clear();
        meter.complete();
        let line = meter.line();
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| explain(to.path, meter.line(), &error))? {
            Event::Start(element) => {
                let holds = take(&element, depth, holders, line, to)?;
                holders += usize::from(holds);
                depth += 1;
                if depth > MOST_DEPTH {
                    let message = format!("line {line}: more than {MOST_DEPTH} elements within each other");
                    return Err(problem_of(to.path, message).help("it is a result file of JMeter").into());
                }
            }
            Event::Empty(element) => drop(take(&element, depth, holders, line, to)?),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                holders = holders.min(depth);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if depth > 0 {
        to.bad(problem_of(to.path, "ends before its last element does").help("was JMeter stopped?"))?;
    }
    Ok(())
}

/// Takes the element that starts within so many others, of which `holders` hold requests; says whether it
/// is one more.
fn take(
    element: &BytesStart<'_>,
    depth: usize,
    holders: usize,
    line: u64,
    to: &mut Collector<'_>,
) -> Result<bool, Problem> {
    let name = element.name();
    let name: &str = name.as_ref();
    if depth == 0 && name != "testResults" {
        let message = format!("line {line}: the outermost element is not testResults");
        return Err(problem_of(to.path, message).help("it is a result file of JMeter"));
    }
    if depth == 0 {
        return Ok(true);
    }
    if depth != holders || !matches!(name, "httpSample" | "sample") {
        return Ok(false);
    }
    let request = sample(element, &mut to.names).map_err(|fault| fault.of("attribute"));
    let is_transaction = attribute(element, "rm").is_some_and(|message| is_of_transaction(&message));
    if is_transaction {
        to.transaction(request, line)?;
    } else {
        to.request(request, line)?;
    }
    Ok(is_transaction)
}

/// The value of an attribute.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.attributes().with_checks(false).flatten().find(|a| {
        let key: &str = a.key.as_ref();
        key == name
    });
    attribute.and_then(|a| a.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned))
}

fn sample(element: &BytesStart<'_>, names: &mut Names) -> Result<TraceRequest, Fault> {
    let value = |name: &str| attribute(element, name);
    let needed = |name: &str| value(name).unwrap_or_default();
    Ok(TraceRequest {
        start_us: number(&needed("ts"), &start_ms("ts"))?.round() as u64,
        latency_ms: number(&needed("t"), &duration_ms("t"))?,
        ok: truth(&needed("s"), "s")?,
        bytes: value("by").map_or(Ok(0.0), |text| number(&text, &bytes("by")))?.round() as u64,
        service: value("lb").and_then(|label| names.id(&label)),
        cluster: None,
    })
}

fn explain(path: &Path, line: u64, error: &Error) -> Problem {
    match error {
        Error::Io(error) => unreadable_at(path, line, error),
        Error::Encoding(_) => {
            problem_of(path, format!("line {line}: not UTF-8 text")).help("write the file as UTF-8")
        }
        other => {
            let message = format!("line {line}: {}", said(&other.to_string()));
            problem_of(path, message).help("it is a result file of JMeter")
        }
    }
}
