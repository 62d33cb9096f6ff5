//! Reads `JMeter` results in XML.
//!
//! # Models
//! One element per sample right in `testResults`, `httpSample` or `sample`: its attributes `ts`
//! (start, ms), `t` (duration, ms) and `s` (success) are needed, `by` (bytes) and `lb` (label) are
//! read if they are there. Samples in samples are parts of these (embedded resources, redirects) and
//! skipped. A file without its end (`JMeter` was stopped) is read as far as it goes.
//!
//! # Source
//! Apache `JMeter` user's manual, Listeners, section "XML Log format".

use super::TraceRequest;
use super::collect::Collector;
use super::field::{Fault, bytes, duration_ms, number, said, start_ms, truth};
use super::input::{Content, MAX_ELEMENT, unreadable_at};
use super::model::Names;
use super::problem_of;
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
    let (mut buffer, mut depth) = (Vec::new(), 0_usize);
    loop {
        buffer.clear();
        meter.complete();
        let line = meter.line();
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| explain(to.path, meter.line(), &error))? {
            Event::Start(element) => {
                take(&element, depth, line, to)?;
                depth += 1;
                if depth > MOST_DEPTH {
                    let message = format!("line {line}: more than {MOST_DEPTH} elements within each other");
                    return Err(problem_of(to.path, message).help("it is a result file of JMeter").into());
                }
            }
            Event::Empty(element) => take(&element, depth, line, to)?,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => break,
            _ => {}
        }
    }
    if depth > 0 {
        to.bad(problem_of(to.path, "ends before its last element does").help("was JMeter stopped?"))?;
    }
    Ok(())
}

/// Takes the element that starts within so many others.
fn take(element: &BytesStart<'_>, depth: usize, line: u64, to: &mut Collector<'_>) -> Result<(), Problem> {
    let name = element.name();
    let name: &str = name.as_ref();
    if depth == 0 && name != "testResults" {
        let message = format!("line {line}: the outermost element is not testResults");
        return Err(problem_of(to.path, message).help("it is a result file of JMeter"));
    }
    if depth != 1 || !matches!(name, "httpSample" | "sample") {
        return Ok(());
    }
    let request = sample(element, &mut to.names);
    to.request(request.map_err(|fault| fault.of("attribute")), line)
}

fn sample(element: &BytesStart<'_>, names: &mut Names) -> Result<TraceRequest, Fault> {
    let value = |name: &str| {
        let attribute = element.attributes().with_checks(false).flatten().find(|a| {
            let key: &str = a.key.as_ref();
            key == name
        });
        attribute.and_then(|a| a.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned))
    };
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
