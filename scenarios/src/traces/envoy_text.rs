//! Reads Envoy's access log in the default text formats of Istio and Envoy.
//!
//! # Models
//! `[START] "METHOD PATH PROTOCOL" CODE FLAGS`, then (Istio from 1.9) details, termination details
//! and the quoted transport failure, or (Istio before) two quoted texts, or (Envoy) nothing; then
//! bytes received, bytes sent, duration (ms), upstream service time, and quoted: forwarded-for, user
//! agent, request id, authority, upstream host; then in Istio the upstream cluster. Lines of the
//! proxy's agent (a time, a tab, a level) are no requests and skipped.
//!
//! # Source
//! Istio, `pilot/pkg/model/telemetry_logging.go`, `EnvoyTextLogFormat`; Envoy documentation, Access
//! logging, default format string.

use super::collect::{Collector, RawSpan};
use super::envoy::{Hop, is_of_agent};
use super::field::{Fault, duration_ms, moment, number};
use super::input::Content;
use super::log_lines::each_log_line;
use super::model::Names;
use crate::problem::Checked;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    each_log_line(content, to, |to, text, line| {
        if is_of_agent(text) {
            return Ok(());
        }
        let span = span(text, &mut to.names).map_err(|fault| fault.of("field"));
        to.span(span, line)
    })
}

fn span(line: &str, names: &mut Names) -> Result<RawSpan, Fault> {
    let right = "it is in the default format of Istio or Envoy";
    let fields =
        Fields::of(line).ok_or_else(|| Fault::new("line", line, "is no line of an access log", right))?;
    let after_flags = if fields.is_quoted(4) {
        6
    } else if fields.is_quoted(6) {
        7
    } else {
        4
    };
    let field = |index: usize| fields.text(after_flags + index);
    let mut request = fields.text(1).split(' ');
    Hop {
        start_us: moment(fields.text(0), "start time")?,
        duration_ms: number(field(2), &duration_ms("duration"))?,
        status: (fields.text(2), "response code"),
        sent: (field(1), "bytes sent"),
        request_id: field(6),
        authority: field(7),
        upstream_cluster: field(9),
        request: [request.next().unwrap_or_default(), request.next().unwrap_or_default()],
    }
    .span(names)
}

/// More than the formats have.
const MOST: usize = 24;

/// The fields of a line: in brackets, in quotes, or up to a blank.
struct Fields<'t>(Vec<(&'t str, bool)>);

impl<'t> Fields<'t> {
    /// None if a bracket or quote is not closed, or there are too few fields.
    fn of(line: &'t str) -> Option<Self> {
        let mut fields = Vec::with_capacity(MOST);
        let mut rest = line.strip_prefix('[')?;
        let (start, after) = rest.split_once(']')?;
        fields.push((start, false));
        rest = after.trim_start_matches(' ');
        while !rest.is_empty() && fields.len() < MOST {
            let (field, after, quoted) = match rest.strip_prefix('"') {
                Some(inner) => {
                    let (field, after) = inner.split_once('"')?;
                    (field, after, true)
                }
                None => {
                    let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
                    (field, after, false)
                }
            };
            fields.push((field, quoted));
            rest = after.trim_start_matches(' ');
        }
        (fields.len() >= 13 && fields[1].1).then_some(Self(fields))
    }

    fn text(&self, index: usize) -> &'t str {
        self.0.get(index).map_or("", |field| field.0)
    }

    fn is_quoted(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|field| field.1)
    }
}
