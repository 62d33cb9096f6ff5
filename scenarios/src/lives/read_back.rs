//! Spans of lives as who reads them from a file has them, so that those of a run and measured ones are compared alike.

use super::Told;
use super::spans::{SpanKind, spans};
use super::words::Words;
use crate::traces::model::Side;
use crate::traces::{Span, Trace};
use meshsim_core::SimTime;
use meshsim_models::request::answer::Status;
use std::collections::BTreeMap;

/// Which spans a tracer makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracer {
    /// Sidecars make those of servers, where there are some; else the services themselves do, inside of them.
    pub(crate) by_proxies: bool,
    /// Who calls makes spans, too.
    pub(crate) of_clients: bool,
}

impl Told {
    /// Their spans, by request and start.
    pub(crate) fn trace(&self, tracer: Tracer) -> Trace {
        let words = Words::of(&self.topology);
        let mut trace = Trace::default();
        let us = |at: SimTime| self.unix_nanos(at) / 1000;
        for (request, life) in (0..).zip(&self.lives) {
            let mut made = spans(&words, life, self.root(life));
            made.sort_by_key(|span| span.begins);
            let first = trace.spans.len() as u32;
            let by_id: BTreeMap<u64, u32> = made.iter().map(|span| span.id).zip(first..).collect();
            for span in made {
                let is_proxy = span.resource.scope == "envoy";
                let side = match span.kind {
                    SpanKind::Client if tracer.of_clients => Side::Client,
                    SpanKind::Server if tracer.by_proxies || !is_proxy => Side::Server,
                    SpanKind::Internal if !tracer.by_proxies => Side::Server,
                    _ => Side::Other,
                };
                trace.spans.push(Span {
                    start_us: us(span.begins),
                    duration_ms: (span.ends - span.begins).as_millis_f64(),
                    request,
                    parent: span.parent.and_then(|id| by_id.get(&id).copied()),
                    service: trace.names.id(&span.resource.service),
                    cluster: None,
                    side,
                    ok: span.status.is_some_and(Status::is_ok),
                    // Laws are of services, whatever they are asked for.
                    ..Span::default()
                });
            }
        }
        trace
    }
}
