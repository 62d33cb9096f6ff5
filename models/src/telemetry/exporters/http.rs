//! Istio's standard metrics of HTTP and gRPC, as each proxy counts them.
//!
//! # Models
//! A request is counted once it is over for the proxy, with the duration from its first byte to the last of the answer,
//! retries and all, in whole ms that are rounded down; its bytes are those of HTTP, with headers and without TLS. Both ends
//! of a call report: the proxy of the client (`source`) and that of the server (`destination`); a waypoint reports for
//! itself. A copy for a mirror is counted at its server alone.
//!
//! # Assumptions
//! - Envoy keeps durations and sizes in bins of two digits (libcircllhist) and takes a histogram's sum from these; here
//!   sums are those of the values. Effect: Envoy's sums are off by up to 1 %.
//! - A request whose client has given up is counted by its server when the answer leaves, as if somebody took it.
//! - The flags `URX` and `DI` (a delay that was injected) are not set.
//!
//! # Source
//! istio/proxy, `istio_stats.cc` (`log`, `populatePeerInfo`: what is counted, and which labels each reporter knows); Istio,
//! standard metrics; Envoy, `stats_config.proto` (buckets).

use super::instance::Instance;
use crate::ids::{ClusterId, ServiceId};
use crate::telemetry::istio_buckets::IstioHistogram;
use meshsim_core::SimDuration;

/// At which end of a call a proxy reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reporter {
    /// The client's.
    Source,
    /// The server's.
    Destination,
    /// Between them.
    Waypoint,
}

impl Reporter {
    /// The value of the label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Waypoint => "waypoint",
        }
    }
}

/// Requests, or streams, that a proxy does not tell apart; of streams there is no status and no flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpSeries {
    /// Whose counters they are.
    pub instance: Instance,
    /// At which end.
    pub reporter: Reporter,
    /// The calling service; absent: users, through an ingress gateway.
    pub source: Option<ServiceId>,
    /// The cluster of the caller.
    pub source_cluster: ClusterId,
    /// The service that was called, as its clients name it.
    pub called: ServiceId,
    /// What the chosen pod runs, and where; absent if none was chosen.
    pub destination: Option<(ServiceId, ClusterId)>,
    /// HTTP status, 0 if there was none.
    pub code: u16,
    /// Envoy's response flag, empty if there is none.
    pub flag: &'static str,
    /// Whether both ends had certificates.
    pub has_mtls: bool,
}

/// A distribution as Prometheus has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// By Istio's buckets.
    pub buckets: IstioHistogram,
    /// The sum of all values.
    pub sum: u64,
}

impl Distribution {
    fn add(&mut self, other: &Self) {
        self.buckets.add(&other.buckets);
        self.sum += other.sum;
    }

    fn record(&mut self, value: u64) {
        self.buckets.record(value as f64);
        self.sum += value;
    }
}

/// What came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCounts {
    /// How many.
    pub requests: u64,
    /// How long they took (ms).
    pub duration: Distribution,
    /// Bytes of requests.
    pub request: Distribution,
    /// Bytes of answers.
    pub response: Distribution,
}

impl HttpCounts {
    /// Adds those of requests that are not told apart from these.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.duration.add(&other.duration);
        self.request.add(&other.request);
        self.response.add(&other.response);
    }

    pub(super) fn count(&mut self, took: SimDuration, [request, response]: [u32; 2]) {
        self.requests += 1;
        self.duration.record(took.as_nanos() / 1_000_000);
        self.request.record(request.into());
        self.response.record(response.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_ms() {
        let mut counts = HttpCounts::default();
        counts.count(SimDuration::from_micros(5_999), [400, 10_250]);
        counts.count(SimDuration::from_micros(900), [400, 250]);
        assert_eq!((counts.requests, counts.duration.sum, counts.response.sum), (2, 5, 10_500));
        // 0 and 5 ms: up to 0.5 ms, and up to 5 ms.
        assert_eq!(counts.duration.buckets.counts()[..4], [1, 0, 1, 0]);
    }
}
