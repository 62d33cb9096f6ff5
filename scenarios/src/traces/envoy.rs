//! What access logs of Envoy have in common, as text or JSON.
//!
//! # Models
//! A line per request and proxy: start, duration (first byte received to last byte sent), status,
//! size of the body, `x-request-id`. The lines of one `x-request-id` are the hops of one user
//! request. Istio names Envoy's clusters `inbound|PORT|SUBSET|HOST` and `outbound|PORT|SUBSET|HOST`,
//! which tells the side and, of an outbound one, the service.
//!
//! # Assumptions
//! Files of several proxies may be put together, but the outermost hop of a request must be there:
//! the gateway's or, without one, the first sidecar's. Effect: else latencies are those of what is
//! outermost in the file. Durations are taken inside Envoy: they lack the way to the user and, at a
//! loaded proxy, the time until it is scheduled.
//!
//! # Source
//! Envoy documentation, Access logging, command operators; Istio, `pilot/pkg/model`
//! (`BuildSubsetKey`, `BuildInboundSubsetKey`).

use super::collect::{RawSpan, identifier};
use super::field::{Fault, Quantity, bytes, is_success, number};
use super::model::{Names, Side};
use super::operation::of_path;

/// The status 0 means that no response was sent.
pub(super) const fn status(name: &'static str) -> Quantity {
    Quantity { name, factor: 1.0, most: 999.0, right: "(a status of HTTP, or 0)" }
}

/// What both forms of a log have, as texts; `-` or empty is not there.
pub(super) struct Hop<'t> {
    pub(super) start_us: u64,
    pub(super) duration_ms: f64,
    pub(super) status: (&'t str, &'static str),
    pub(super) sent: (&'t str, &'static str),
    pub(super) request_id: &'t str,
    pub(super) authority: &'t str,
    pub(super) upstream_cluster: &'t str,
    /// Method and path.
    pub(super) request: [&'t str; 2],
}

impl Hop<'_> {
    pub(super) fn span(&self, names: &mut Names) -> Result<RawSpan, Fault> {
        let (side, service) = self.side_and_service();
        let sent = match self.sent.0 {
            "" | "-" => 0.0,
            text => number(text, &bytes(self.sent.1))?,
        };
        Ok(RawSpan {
            trace: identifier(self.request_id),
            start_us: self.start_us,
            duration_ms: self.duration_ms,
            bytes: sent.round() as u64,
            service: names.id(service),
            side: Some(side),
            by_proxy: true,
            operation: of_path(self.request).and_then(|it| names.operation(&it)),
            ok: is_success(number(self.status.0, &status(self.status.1))?),
            ..RawSpan::default()
        })
    }

    fn side_and_service(&self) -> (Side, &str) {
        let mut parts = self.upstream_cluster.split('|');
        let side = match parts.next() {
            Some("inbound") => Side::Server,
            Some("outbound") => Side::Client,
            _ => return (Side::Other, short_host(self.authority)),
        };
        let host = short_host(parts.nth(2).unwrap_or_default());
        (side, if host.is_empty() { short_host(self.authority) } else { host })
    }
}

/// `s3` of `s3.fluidosmesh.svc.cluster.local:80`; an address as it is.
fn short_host(host: &str) -> &str {
    let host = if host == "-" { "" } else { host };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let first = name.split('.').next().unwrap_or_default();
    let is_address = first.starts_with('[') || first.bytes().all(|byte| byte.is_ascii_digit());
    if is_address { name } else { first }
}

/// Whether a line is none of an access log but of the same stream: of the proxy's agent (Istio: a time, a tab,
/// a level, a tab, a text; or an object with a level and a text), of Envoy's own log (`[TIME][THREAD][LEVEL]`), or of
/// kubectl, which says what container it shows.
pub(super) fn is_of_agent(text: &str) -> bool {
    if text.starts_with('[') {
        let is_next = |(_, rest): (&str, &str)| rest.starts_with('[');
        return text.starts_with("[Envoy (") || text.split_once(']').is_some_and(is_next);
    }
    if text.starts_with('{') {
        let has = |key: &str| text.contains(key);
        return has("\"level\":") && has("\"msg\":") && !has("\"duration\":");
    }
    if text.starts_with("Defaulted container ") || text.starts_with("Defaulting container name to ") {
        return true;
    }
    let mut parts = text.split('\t');
    parts.next().is_some()
        && matches!(parts.next(), Some("debug" | "info" | "warn" | "warning" | "error" | "critical"))
}

#[cfg(test)]
mod tests {
    use super::{is_of_agent, short_host};

    #[test]
    fn other_lines_of_the_stream_are_known() {
        for line in [
            "2020-11-25T21:26:17.000000Z\tinfo\tEnvoy proxy is ready",
            "[2023-01-01 10:00:00.123][1][info][main] [source/server/server.cc:338] initializing epoch 0",
            "{\"level\":\"info\",\"time\":\"2020-11-25T21:26:17Z\",\"msg\":\"Envoy proxy is ready\"}",
            "Defaulted container \"istio-proxy\" out of: istio-proxy, app",
            "[Envoy (Epoch 0)] [2019-03-06 09:31:27.360][21][warning][misc] a text",
        ] {
            assert!(is_of_agent(line), "{line}");
        }
        assert!(!is_of_agent("[2023-01-01T10:00:00.123Z] \"GET / HTTP/1.1\" 200 -"));
        assert!(!is_of_agent("{\"level\":1,\"msg\":2,\"duration\": 3}"));
    }

    #[test]
    fn hosts_are_shortened() {
        assert_eq!(short_host("s3.fluidosmesh.svc.cluster.local:80"), "s3");
        assert_eq!(short_host("httpbin:8000"), "httpbin");
        assert_eq!(short_host("10.44.1.27:80"), "10.44.1.27");
        assert_eq!(short_host("-"), "");
        assert_eq!(short_host(""), "");
    }
}
