//! Reads Envoy's access log in JSON, a line per request: with Istio's keys or the testbed's.
//!
//! # Models
//! Istio: `start_time` (RFC 3339), `duration` (ms), `response_code`, `bytes_sent`, `request_id`,
//! `authority`, `upstream_cluster`. The testbed: `us` or `ms` (start), `du` (us) or `d` (ms), `rc`,
//! `bo`, `id`, `c`, and `p` (`CLUSTER/SERVICE` of the proxy) and `o` (`in`, `out` or `gw`). Values may
//! be numbers or texts.
//!
//! # Source
//! Istio, `pilot/pkg/model/telemetry_logging.go`, `EnvoyJSONLogFormatIstio`; the testbed's README,
//! "Files of a mesh or no-mesh configuration".

use super::collect::{Collector, RawSpan};
use super::envoy::{Hop, is_of_agent};
use super::field::{Fault, duration_ms, duration_us, moment, quoted, said, start_ms, start_us};
use super::input::{Content, problem_of};
use super::log_lines::each_log_line;
use super::model::{Names, Side};
use super::scalar::Scalar;
use crate::problem::Checked;
use serde::Deserialize;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    each_log_line(content, to, |to, text, line| {
        if is_of_agent(text) {
            return Ok(());
        }
        match serde_json::from_str::<LogLine>(text) {
            Ok(found) => {
                let span = found.span(&mut to.names).map_err(|fault| fault.of("key"));
                to.span(span, line)
            }
            Err(error) => {
                let message = said(&error.to_string());
                let problem = problem_of(to.path, format!("line {line}: {message}, in {}", quoted(text)));
                to.bad(problem.help("each line is one JSON object"))
            }
        }
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LogLine {
    start_time: Scalar,
    us: Scalar,
    ms: Scalar,
    duration: Scalar,
    du: Scalar,
    d: Scalar,
    response_code: Scalar,
    rc: Scalar,
    bytes_sent: Scalar,
    bo: Scalar,
    request_id: Scalar,
    id: Scalar,
    authority: Scalar,
    upstream_cluster: Scalar,
    c: Scalar,
    p: Scalar,
    o: Scalar,
    method: Scalar,
    path: Scalar,
    /// The experiment, in the testbed's measurements of single proxies.
    e: Scalar,
}

/// The first of two that is there, with its name.
fn either<'s>(one: (&'s Scalar, &'static str), other: (&'s Scalar, &'static str)) -> (String, &'static str) {
    let (scalar, name) = if *one.0 == Scalar::Missing { other } else { one };
    (scalar.text(), name)
}

impl LogLine {
    fn span(&self, names: &mut Names) -> Result<RawSpan, Fault> {
        let status = either((&self.response_code, "response_code"), (&self.rc, "rc"));
        let sent = either((&self.bytes_sent, "bytes_sent"), (&self.bo, "bo"));
        let hop = Hop {
            start_us: self.start_us()?,
            duration_ms: self.duration_ms()?,
            status: (&status.0, status.1),
            sent: (&sent.0, sent.1),
            request_id: &either((&self.request_id, ""), (&self.id, "")).0,
            authority: self.authority.as_str(),
            upstream_cluster: &either((&self.upstream_cluster, ""), (&self.c, "")).0,
            request: [self.method.as_str(), self.path.as_str()],
        };
        let mut span = hop.span(names)?;
        self.put(&mut span, names);
        Ok(span)
    }

    fn start_us(&self) -> Result<u64, Fault> {
        let number = match (&self.us, &self.ms) {
            (Scalar::Missing, Scalar::Missing) => return moment(&self.start_time.text(), "start_time"),
            (Scalar::Missing, ms) => ms.number(&start_ms("ms"))?,
            (us, _) => us.number(&start_us("us"))?,
        };
        Ok(number.round() as u64)
    }

    fn duration_ms(&self) -> Result<f64, Fault> {
        match (&self.du, &self.d) {
            (Scalar::Missing, Scalar::Missing) => self.duration.number(&duration_ms("duration")),
            (Scalar::Missing, d) => d.number(&duration_ms("d")),
            (du, _) => du.number(&duration_us("du")),
        }
    }

    /// The testbed's keys say who recorded it.
    fn put(&self, span: &mut RawSpan, names: &mut Names) {
        let Some((cluster, service)) = self.p.as_str().split_once('/') else {
            span.service = span.service.or_else(|| names.id(self.e.as_str()));
            return;
        };
        span.cluster = names.id(cluster);
        match self.o.as_str() {
            "in" => {
                span.side = Some(Side::Server);
                span.service = names.id(service);
            }
            "out" => span.side = Some(Side::Client),
            "gw" => span.side = Some(Side::Gateway),
            _ => {}
        }
    }
}
