//! What Prometheus has of Istio's counters and of containers' CPU, instance by instance.
//!
//! # Models
//! Each pod that calls, and each gateway, has counters of its own (`reporter="source"`): requests by success, the sum of
//! durations and their buckets, the bytes of answers, by called service and the cluster of its pods. A pod that comes begins
//! at zero, one that goes takes its counters along; what was scraped of it stays in windows for as long as these are.
//! Durations are whole ms and answers have their headers, as `exporters/http` has them. CPU is
//! `container_cpu_usage_seconds_total` of the application's container.
//!
//! # Assumptions
//! - All is counted at the client's side, where the original asks the server's (`reporter="destination"`) for what services
//!   call each other. Effect: in a cut the calls of a cluster that is cut off are missing altogether.
//! - The CPU counter of a pod that has the number of an earlier one goes on from that one's.
//!
//! # Source
//! Istio, standard metrics; cAdvisor; mSvcBench/muPlacer `GMA.py` (which series its queries name).

use super::istio_buckets::{BOUNDS_MS, IstioHistogram};
use super::promql::Samples;
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::network::path::RESPONSE_HEADER;
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// The counters of one client.
#[derive(Clone, Debug, Default)]
struct Counts {
    ok: u64,
    failed: u64,
    /// Durations of the good ones as they are (ns), and as they are counted (ms).
    nanos: u64,
    millis: u64,
    /// Bytes of good answers, with their headers.
    bytes: u64,
    buckets: IstioHistogram,
}

/// Whose counters they are, and of calls to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// The calling pod; absent: a gateway.
    pub pod: Option<PodId>,
    /// How many pods had its number before, or the number of the gateway.
    pub instance: u32,
    /// The called service.
    pub called: ServiceId,
    /// The cluster of its pods.
    pub server: ClusterId,
}

/// The counters of all clients of a cluster, as a scraper finds them.
#[derive(Clone, Debug, Default)]
pub struct ClientCounters {
    clients: BTreeMap<Client, Counts>,
    /// Bytes of all good answers, by the cluster of the server: also of clients that are no more.
    bytes: BTreeMap<ClusterId, u64>,
}

impl ClientCounters {
    /// A call is over for its client: its body if it was answered well.
    pub(super) fn count(&mut self, client: Client, body: Option<u32>, took: SimDuration) {
        let counts = self.clients.entry(client).or_default();
        match body {
            Some(body) => {
                counts.ok += 1;
                let millis = took.as_nanos() / 1_000_000;
                counts.nanos += took.as_nanos();
                counts.millis += millis;
                counts.bytes += u64::from(RESPONSE_HEADER) + u64::from(body);
                *self.bytes.entry(client.server).or_default() += u64::from(body);
                counts.buckets.record(millis as f64);
            }
            None => counts.failed += 1,
        }
    }

    /// Counters of clients that are no more go with them.
    pub(super) fn keep(&mut self, mut is_there: impl FnMut(&Client) -> bool) {
        self.clients.retain(|client, _| is_there(client));
    }

    /// Bytes of good answers that came from other clusters than this one.
    pub(super) fn bytes_from_elsewhere(&self, here: ClusterId) -> u64 {
        self.bytes.iter().filter(|(server, _)| **server != here).map(|(_, bytes)| bytes).sum()
    }

    /// Of users: how many were answered well, how many not, and the durations of the former (ms).
    pub(super) fn of_users(&self) -> [f64; 3] {
        let users = self.clients.iter().filter(|(client, _)| client.pod.is_none());
        users.fold([0.0; 3], |[ok, failed, ms], (_, it)| {
            [ok + it.ok as f64, failed + it.failed as f64, ms + it.nanos as f64 / 1e6]
        })
    }

    /// All series, of the clients of a cluster.
    pub(super) fn series(&self, cluster: ClusterId) -> impl Iterator<Item = (SeriesId, f64)> {
        self.clients.iter().flat_map(move |(&client, counts)| {
            let scalars = [
                (Metric::Requests { ok: true }, counts.ok as f64),
                (Metric::Requests { ok: false }, counts.failed as f64),
                (Metric::DurationSum, counts.millis as f64),
                (Metric::ResponseBytes, counts.bytes as f64),
            ];
            // A quantile is asked for of users alone.
            let buckets = client.pod.is_none().then(|| cumulative(counts.buckets.counts()));
            let buckets = buckets.into_iter().flatten().zip(0_u8..);
            let of = move |metric| SeriesId { cluster, client, metric };
            let scalars = scalars.into_iter().filter(|(_, value)| *value > 0.0);
            let all = scalars.chain(buckets.map(|(count, le)| (Metric::Bucket { le }, count)));
            all.map(move |(metric, value)| (of(metric), value))
        })
    }
}

fn cumulative(counts: &[u64; BOUNDS_MS.len() + 1]) -> [f64; BOUNDS_MS.len() + 1] {
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        sum as f64
    })
}

/// What a series counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// `istio_requests_total`: those answered with 200, or others.
    Requests {
        /// Whether answered well.
        ok: bool,
    },
    /// `istio_request_duration_milliseconds_sum` of the good ones; their `_count` is that of the requests.
    DurationSum,
    /// `istio_request_duration_milliseconds_bucket` of the good ones.
    Bucket {
        /// Its number; the last has no bound.
        le: u8,
    },
    /// `istio_response_bytes_sum` of the good ones.
    ResponseBytes,
    /// `container_cpu_usage_seconds_total`, of the application's container of the client.
    Cpu,
}

/// A series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId {
    /// In which cluster it was scraped.
    pub cluster: ClusterId,
    /// Whose it is.
    pub client: Client,
    /// What it counts.
    pub metric: Metric,
}

/// What Prometheus has.
#[derive(Clone, Debug, Default)]
pub struct Scrapes {
    series: BTreeMap<SeriesId, Samples>,
}

impl Scrapes {
    /// A sample of a series has come, scraped at `at`.
    pub fn take(&mut self, series: SeriesId, at: SimTime, value: f64) {
        self.series.entry(series).or_default().push(millis(at), value);
    }

    /// What no window of so long a time asks for is forgotten.
    pub fn forget(&mut self, now: SimTime, longest: SimDuration) {
        let from = millis(now).saturating_sub(longest.as_nanos() / 1_000_000);
        self.series.retain(|_, samples| samples.forget_before(from));
    }

    /// All series with their samples.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesId, &Samples)> {
        self.series.iter()
    }

    /// `sum(rate(...))` over the series that `of` names, over a window that ends now; absent if none has two samples.
    #[must_use]
    pub fn rate(&self, now: SimTime, window: SimDuration, of: impl Fn(&SeriesId) -> bool) -> Option<f64> {
        let window = window.as_nanos() / 1_000_000;
        let rates = self.series.iter().filter(|(id, _)| of(id));
        rates.filter_map(|(_, samples)| samples.rate(millis(now), window)).reduce(|a, b| a + b)
    }
}

/// Prometheus' clock.
#[must_use]
pub const fn millis(at: SimTime) -> u64 {
    at.as_nanos() / 1_000_000
}
