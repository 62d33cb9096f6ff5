//! Observability that stands in one cluster: what it asks of the others, and how large that is.
//!
//! # Models
//! Prometheus scrapes the pods of all clusters at a fixed distance, and the spans of sampled requests go to Jaeger in
//! batches, as often. For the clusters in which neither stands both cross the links. While the way there is cut nothing is
//! scraped of them and spans are lost; metrics of pods beside CPU, which an adapter reads from Prometheus, are not to be
//! had at all for autoscalers of a cluster that is cut off. CPU is the metrics server's, which every cluster has.
//!
//! # Assumptions
//! - How large a scrape is follows from the number of ready pods, not from what they count. The default is of the order of
//!   what Istio's sidecars expose with some services, compressed; nobody has published it.
//! - Scrapes and spans take no CPU of pods and proxies beside what telemetry costs them anyway (`mesh.telemetry_cost`).
//! - What was not scraped in a cut is missing from rates for as long as their window is.
//!
//! # Source
//! Prometheus, `scrape_interval` (15 s in Istio's sample); Istio, `samples/addons`, `meshConfig.defaultConfig.tracing.sampling`
//! (1 %); kubernetes-sigs/prometheus-adapter.

use crate::ids::ClusterId;
use meshsim_core::SimDuration;

/// Observability that stands in one cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CentralObservability {
    /// Which.
    pub cluster: ClusterId,
    /// Time between two scrapes, and between two batches of spans.
    pub scrape_interval: SimDuration,
    /// A scrape of a pod (bytes).
    pub scrape_bytes: u32,
    /// Share of the calls whose spans are sent.
    pub sampling: f64,
    /// The spans of a call (bytes).
    pub span_bytes: u32,
}

impl CentralObservability {
    /// In this cluster, as Istio's samples have it.
    #[must_use]
    pub const fn new(cluster: ClusterId) -> Self {
        Self {
            cluster,
            scrape_interval: SimDuration::from_secs(15),
            scrape_bytes: 10_000,
            sampling: 0.01,
            span_bytes: 1_000,
        }
    }

    /// What a cluster with so many ready pods, which have answered so many calls since the last time, sends (bytes).
    #[must_use]
    pub fn bytes(&self, pods: u32, calls: u64) -> u32 {
        let spans = calls as f64 * self.sampling * f64::from(self.span_bytes);
        self.scrape_bytes.saturating_mul(pods).saturating_add(spans as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapes_go_by_pods_and_spans_by_calls() {
        let central = CentralObservability::new(ClusterId(0));
        assert_eq!(central.bytes(3, 0), 30_000);
        assert_eq!(central.bytes(3, 2_000), 30_000 + 20 * 1_000);
    }
}
