//! How a cluster changes over time: samples at a fixed distance, and one at the end of the run.
//!
//! # Models
//! A sample covers the time since the one before. Of a service, as the clients of the cluster see it:
//! requests and their latency from the choice of the last attempt's endpoint to its answer, successes
//! only. Of its Deployment here: pods by state, CPU used, its part of what the ready pods request, and
//! in what part of the CFS periods its containers were stopped. Of a link: for what part of the time
//! it was sending. Of calls: what a scrape of the clients' counters (`call_counters`) has more than the last one.
//!
//! # Assumptions
//! Quantiles come from a histogram of 1 % resolution; CPU of handshakes is in none of the figures.

use super::call_counters::CallCounts;
use crate::ids::{ClusterId, FlowId, ServiceId};
use crate::kubernetes::metrics_server::Counters;
use crate::world::flows::Flow;
use meshsim_core::stats::{Histogram, Resolution};
use meshsim_core::{SimDuration, SimTime, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The samples of a cluster so far. What is only of use while the run goes on is not kept with them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TimeSeries {
    /// Of services.
    pub services: Vec<ServiceSample>,
    /// Of links that leave the cluster.
    pub links: Vec<LinkSample>,
    /// Of calls of its clients.
    pub calls: Vec<CallSample>,
    /// The last scrape.
    #[serde(skip)]
    last_calls: BTreeMap<(ClusterId, FlowId), CallCounts>,
    /// What the clients have seen since the last sample; empty if nothing is sampled.
    #[serde(skip)]
    clients: Table<ServiceId, Seen>,
    /// Counters of the pods at the last sample, and CFS periods in which they were stopped, by slot.
    #[serde(skip)]
    last_pods: Vec<(Counters, u64)>,
    /// When the last sample was taken.
    #[serde(skip)]
    sampled: SimTime,
    /// For how long each link that leaves the cluster had sent at the last sample.
    #[serde(skip)]
    last_links: Vec<SimDuration>,
}

/// A service in a cluster, at a time and since the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSample {
    /// When.
    pub at: SimTime,
    /// Which.
    pub service: ServiceId,
    /// Pods that its Deployment here wants, and those in each state.
    pub pods: PodCounts,
    /// Endpoints, in all clusters, that the proxies here are told of as ready.
    pub endpoints: u32,
    /// CPU of the applications (cores).
    pub application_cpu: f64,
    /// CPU of the sidecars (cores).
    pub sidecar_cpu: f64,
    /// CPU of both over what the ready pods request; absent if they request nothing.
    pub utilization: Option<f64>,
    /// Part of the CFS periods in which a container was stopped.
    pub throttled: f64,
    /// Calls answered by the pods here, per second.
    pub served_per_second: f64,
    /// Requests in its cells, in the mean.
    pub in_cells: f64,
    /// What its clients here saw.
    pub clients: ClientView,
}

/// Pods of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCounts {
    /// Wanted.
    pub wanted: u32,
    /// Without a node.
    pub pending: u32,
    /// With a node, not ready yet.
    pub starting: u32,
    /// Ready.
    pub ready: u32,
    /// Being deleted.
    pub terminating: u32,
}

/// What the clients of a cluster saw of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientView {
    /// Requests that ended, per second.
    pub requests_per_second: f64,
    /// Part of them that failed.
    pub failed: f64,
    /// Quantiles of the latency of the others: 0.5, 0.9, 0.99 (ms); absent if there are none.
    pub latency_ms: Option<[f64; 3]>,
}

/// A link's direction out of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkSample {
    /// When.
    pub at: SimTime,
    /// Its number among the links of the description.
    pub link: u32,
    /// For what part of the time it was sending.
    pub utilization: f64,
}

/// Calls of a service, or of users, in a cluster to a service in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallSample {
    /// When.
    pub at: SimTime,
    /// Since when (s).
    pub seconds: f64,
    /// Who calls whom.
    pub flow: Flow,
    /// The cluster of the called service's pods.
    pub server: ClusterId,
    /// What came of them in this time.
    pub counts: CallCounts,
}

#[derive(Clone, Debug)]
struct Seen {
    failed: u32,
    latency: Histogram,
}

impl TimeSeries {
    /// Of a cluster with so many services, pods and links that leave it.
    #[must_use]
    pub fn new(services: usize, pods: usize, links: usize) -> Self {
        let seen = |_| Seen { failed: 0, latency: Histogram::new(Resolution::Percent) };
        Self {
            clients: (0..services).map(seen).collect(),
            last_pods: vec![<(Counters, u64)>::default(); pods],
            last_links: vec![SimDuration::ZERO; links],
            ..Self::default()
        }
    }

    /// Whether anything is sampled.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }

    /// A client of this cluster has an answer.
    pub fn answered(&mut self, service: ServiceId, ok: bool, latency: SimDuration) {
        let seen = &mut self.clients[service];
        if ok {
            seen.latency.record(latency.as_nanos());
        } else {
            seen.failed += 1;
        }
    }

    /// A sample is taken now: the time since the last one, unless nothing is sampled or no time has passed.
    pub(super) fn begin(&mut self, now: SimTime) -> Option<SimDuration> {
        let since_last = now - self.sampled;
        if !self.is_on() || since_last == SimDuration::ZERO {
            return None;
        }
        self.sampled = now;
        Some(since_last)
    }

    /// A pod has the next slot from now on.
    pub(super) fn add_pod(&mut self) {
        if self.is_on() {
            self.last_pods.push(Default::default());
        }
    }

    /// What the pod in a slot has used and done since the last sample, and in how many CFS periods it was stopped.
    pub(super) fn pod_since_last(&mut self, slot: usize, now: (Counters, u64)) -> (Counters, u64) {
        let before = std::mem::replace(&mut self.last_pods[slot], now);
        (now.0.since(&before.0), now.1 - before.1)
    }

    /// What a scrape has more than the last one; what has not changed is left out.
    pub(super) fn calls_since_last(
        &mut self,
        scrape: impl Iterator<Item = ((ClusterId, FlowId), CallCounts)>,
    ) -> Vec<((ClusterId, FlowId), CallCounts)> {
        let since = |(key, now)| {
            let before = self.last_calls.insert(key, now).unwrap_or_default();
            (key, now - before)
        };
        scrape.map(since).filter(|(_, counts)| *counts != CallCounts::default()).collect()
    }

    /// For how long a link sent since the last sample.
    pub(super) fn link_since_last(&mut self, link: usize, busy: SimDuration) -> SimDuration {
        busy.saturating_sub(std::mem::replace(&mut self.last_links[link], busy))
    }

    /// What the clients saw of a service over `seconds`; the next time begins.
    pub(super) fn take_clients(&mut self, service: ServiceId, seconds: f64) -> ClientView {
        let seen = &mut self.clients[service];
        let (ok, failed) = (seen.latency.count() as f64, f64::from(seen.failed));
        let quantile = |q| seen.latency.quantile(q).map(|nanos| nanos as f64 / 1e6);
        let latency_ms = match [0.5, 0.9, 0.99].map(quantile) {
            [Some(p50), Some(p90), Some(p99)] => Some([p50, p90, p99]),
            _ => None,
        };
        let view = ClientView {
            requests_per_second: (ok + failed) / seconds,
            failed: if ok + failed > 0.0 { failed / (ok + failed) } else { 0.0 },
            latency_ms,
        };
        seen.failed = 0;
        seen.latency = Histogram::new(Resolution::Percent);
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_covers_what_came_since_the_last_one() {
        let mut series = TimeSeries::new(1, 0, 0);
        let service = ServiceId(0);
        for ms in 1..=100 {
            series.answered(service, true, SimDuration::from_millis(ms));
        }
        (0..25).for_each(|_| series.answered(service, false, SimDuration::ZERO));
        let view = series.take_clients(service, 10.0);
        assert!((view.requests_per_second - 12.5).abs() < 1e-12 && (view.failed - 0.2).abs() < 1e-12);
        let [p50, p90, p99] = view.latency_ms.unwrap();
        for (got, right) in [(p50, 50.0), (p90, 90.0), (p99, 99.0)] {
            assert!((got - right).abs() < 0.02 * right, "{got} for {right}");
        }
        assert_eq!(series.take_clients(service, 10.0), ClientView::default());
        assert!(series.is_on() && !TimeSeries::default().is_on());
    }
}
