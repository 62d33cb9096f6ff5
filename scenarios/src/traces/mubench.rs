//! Reads the results of µBench's runner.
//!
//! # Models
//! One line per request, without a header: start (ms since 1970), latency (ms), HTTP status, and in
//! later versions the numbers of processed and pending requests; a tab and blanks are between them.
//!
//! # Assumptions
//! The runner takes the time to the response's header (`requests`' `elapsed`). Effect: latencies are
//! shorter than to the last byte, by the time that a body takes. A request without a response is not
//! written: failures are too few. A line of the oldest version has no status: it counts as success.
//!
//! # Source
//! µBench, `Benchmarks/Runner/Runner.py`, function `do_requests`.

use super::TraceRequest;
use super::collect::Collector;
use super::field::{Fault, Quantity, duration_ms, is_success, number, start_ms};
use super::input::Content;
use super::lines::each_line;
use crate::problem::Checked;

const STATUS: Quantity = Quantity { name: "status", factor: 1.0, most: 999.0, right: "(a status of HTTP)" };

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    each_line(content, to, |to, text, line| {
        to.request(request(text).map_err(|fault| fault.of("field")), line)
    })
}

fn request(line: &str) -> Result<TraceRequest, Fault> {
    let mut fields = line.split('\t').map(str::trim);
    let start = number(fields.next().unwrap_or_default(), &start_ms("start"))?;
    let latency_ms = number(fields.next().unwrap_or_default(), &duration_ms("latency"))?;
    let status = fields.next().map_or(Ok(200.0), |field| number(field, &STATUS))?;
    Ok(TraceRequest {
        start_us: start.round() as u64,
        latency_ms,
        ok: is_success(status),
        ..TraceRequest::default()
    })
}
