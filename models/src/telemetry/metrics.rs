//! What a cluster counts over time, so that a warm-up can be cut off after the run.
//!
//! # Models
//! The whole run, warm-up included, is divided into slices ([`Slices`]); each has the calls served per pod, the work
//! that was done for users' requests, the CPU time of proxies, how long services took to answer and how long the way
//! to other clusters and back took, and what the cluster's proxies count per service that they call, by Envoy's names.
//! A slice begins where the warm-up ends.
//!
//! # Source
//! Envoy, configuration/upstream/cluster_manager/cluster_stats (names and meaning of the counters).

use super::slices::Slices;
use super::work::Work;
use crate::ids::{ClusterId, ServiceId};
use crate::sparse_table::SparseTable;
use meshsim_core::{Id, SimDuration, SimTime};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Something that proxies count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// `upstream_cx_total`: connections begun.
    Connections,
    /// `upstream_cx_connect_fail`: requests whose connection could not be made.
    ConnectFailures,
    /// `upstream_cx_overflow`: connections that a limit forbade.
    ConnectionOverflows,
    /// `upstream_rq_pending_overflow`: requests that a limit of requests or of waiting ones refused.
    RequestOverflows,
    /// `upstream_rq_retry`: further attempts.
    Retries,
    /// `upstream_rq_retry_overflow`: further attempts that a limit refused.
    RetryOverflows,
    /// `upstream_rq_timeout`: requests that took longer than their route allows.
    Timeouts,
    /// `upstream_rq_per_try_timeout`: attempts that took longer than their route allows.
    PerTryTimeouts,
    /// `outlier_detection.ejections_enforced_total`.
    Ejections,
    /// `outlier_detection.ejections_overflow`: detections that the maximum ejection percentage stopped.
    EjectionOverflows,
    /// Users' requests that went to another endpoint than the same user's one before (not Envoy's).
    SessionMoves,
    /// `downstream_rq_rx_reset`: requests whose caller gave up (Envoy counts them per listener).
    CallersGone,
    /// `rbac_denied`: requests, or connections, that policies denied, at the server's side.
    Denied,
    /// `no_filter_chain_match`: requests in plain text that a STRICT server reset (Envoy counts connections).
    PlainTextRefused,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Connections,
        Self::ConnectFailures,
        Self::ConnectionOverflows,
        Self::RequestOverflows,
        Self::Retries,
        Self::RetryOverflows,
        Self::Timeouts,
        Self::PerTryTimeouts,
        Self::Ejections,
        Self::EjectionOverflows,
        Self::SessionMoves,
        Self::CallersGone,
        Self::Denied,
        Self::PlainTextRefused,
    ];

    /// Envoy's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "upstream_cx_total",
            Self::ConnectFailures => "upstream_cx_connect_fail",
            Self::ConnectionOverflows => "upstream_cx_overflow",
            Self::RequestOverflows => "upstream_rq_pending_overflow",
            Self::Retries => "upstream_rq_retry",
            Self::RetryOverflows => "upstream_rq_retry_overflow",
            Self::Timeouts => "upstream_rq_timeout",
            Self::PerTryTimeouts => "upstream_rq_per_try_timeout",
            Self::Ejections => "ejections_enforced_total",
            Self::EjectionOverflows => "ejections_overflow",
            Self::SessionMoves => "session_moves",
            Self::CallersGone => "downstream_rq_rx_reset",
            Self::Denied => "rbac_denied",
            Self::PlainTextRefused => "no_filter_chain_match",
        }
    }
}

/// Counts per slice of time.
#[derive(Clone, Debug)]
pub struct Metrics {
    slices: Slices,
    /// The slice that it is, and its time: most counts fall into the same one.
    slice: usize,
    slice_time: Range<SimTime>,
    services: usize,
    /// By the slot of a pod, and slice.
    served: Vec<u32>,
    /// Each is empty until something is counted.
    counters: [Vec<u32>; Counter::ALL.len()],
    /// By slice.
    work: Vec<Work>,
    start_cpu: Vec<f64>,
    proxy_cpu: Vec<f64>,
    gateway_cpu: Vec<f64>,
    istiod_cpu: Vec<f64>,
    /// By slice and service.
    answered: Vec<Times>,
    /// By slice.
    crossings: Vec<Times>,
    /// Attempts of its clients from the end of the warm-up on, by the cluster of the chosen pod.
    sent: SparseTable<ClusterId, u64>,
    reported_from: SimTime,
}

/// How many things were timed, and how long they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// Sum of their times (ns).
    pub nanos: f64,
}

impl Times {
    /// Adds others.
    pub fn add(&mut self, others: Self) {
        self.count += others.count;
        self.nanos += others.nanos;
    }

    /// One thing more took so long.
    fn took(&mut self, time: SimDuration) {
        self.add(Self { count: 1, nanos: time.as_nanos_f64() });
    }
}

/// Sums over the slices after a cut.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsSum {
    /// Calls served, by the slot of the pods.
    pub served: Vec<u64>,
    /// What proxies counted, by counter and called service.
    pub counters: [Vec<u64>; Counter::ALL.len()],
    /// What was done for users' requests, of whichever cluster.
    pub work: Work,
    /// CPU time that applications took to start (s).
    pub start_cpu_seconds: f64,
    /// CPU time of the proxies (s).
    pub proxy_cpu_seconds: f64,
    /// CPU time of the gateways between clusters (s).
    pub gateway_cpu_seconds: f64,
    /// CPU time of the istiod that stands here (s).
    pub istiod_cpu_seconds: f64,
    /// By service: from a call's arrival at its pod to the moment at which the answer leaves it, the pod's
    /// sidecar included.
    pub answered: Vec<Times>,
    /// Attempts of this cluster's clients that another cluster answered: from the choice of the endpoint to the
    /// last byte of the answer, less the time that the pod took.
    pub crossings: Times,
    /// Attempts of this cluster's clients since the end of the warm-up, by the cluster of the pod that was chosen;
    /// copies for mirrors are left out.
    pub sent: SparseTable<ClusterId, u64>,
}

impl MetricsSum {
    /// CPU time of the cells, for requests and to start (s).
    #[must_use]
    pub fn cell_cpu_seconds(&self) -> f64 {
        self.work.cpu_nanos / 1e9 + self.start_cpu_seconds
    }
}

impl Metrics {
    /// Of a cluster with so many pods and services; reported from the end of the warm-up on.
    #[must_use]
    pub fn new(slices: Slices, reported_from: SimTime, pods: usize, services: usize) -> Self {
        let count = slices.count();
        Self {
            slices,
            slice: 0,
            slice_time: slices.span(0),
            services,
            served: vec![0; count * pods],
            counters: Default::default(),
            work: vec![Work::default(); count],
            start_cpu: vec![0.0; count],
            proxy_cpu: vec![0.0; count],
            gateway_cpu: vec![0.0; count],
            istiod_cpu: vec![0.0; count],
            answered: vec![Times::default(); count * services],
            crossings: vec![Times::default(); count],
            sent: SparseTable::new(),
            reported_from,
        }
    }

    /// Takes all that was counted: nothing may be counted any more.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.slices, self.reported_from, 0, 0))
    }

    /// The slice that it is now. Time does not go back.
    #[inline]
    fn slice(&mut self, now: SimTime) -> usize {
        debug_assert!(
            now >= self.slice_time.start,
            "{now} lies before the slice from {}",
            self.slice_time.start
        );
        if now >= self.slice_time.end {
            self.begin_slice(now);
        }
        self.slice
    }

    #[cold]
    fn begin_slice(&mut self, now: SimTime) {
        self.slice = self.slices.of(now);
        self.slice_time = self.slices.span(self.slice);
    }

    /// A client's attempt goes to a pod of a cluster.
    #[inline]
    pub fn count_sent(&mut self, now: SimTime, to: ClusterId) {
        // Its row is made in the warm-up, too: a warm run allocates nothing.
        *self.sent.or_default(to) += u64::from(now >= self.reported_from);
    }

    /// A call was served by the pod in this slot of the cluster.
    pub fn count_served(&mut self, now: SimTime, slot: usize) {
        let slice = self.slice(now);
        self.served[slot * self.slices.count() + slice] += 1;
    }

    /// A pod has the next slot from now on.
    pub(super) fn add_pod(&mut self) {
        self.served.resize(self.served.len() + self.slices.count(), 0);
    }

    /// A proxy has something to count about a service that it calls.
    pub fn count(&mut self, now: SimTime, service: ServiceId, counter: Counter) {
        let slice = self.slice(now);
        let counts = &mut self.counters[counter as usize];
        if counts.is_empty() {
            counts.resize(self.slices.count() * self.services, 0);
        }
        counts[slice * self.services + service.index()] += 1;
    }

    /// What is done for users' requests now.
    pub fn work_mut(&mut self, now: SimTime) -> &mut Work {
        let slice = self.slice(now);
        &mut self.work[slice]
    }

    /// An application was given CPU time to start with (ns).
    pub fn add_start_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.start_cpu[slice] += nanos;
    }

    /// A proxy used CPU time (ns).
    pub fn add_proxy_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.proxy_cpu[slice] += nanos;
    }

    /// A gateway between clusters used CPU time (ns).
    pub fn add_gateway_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.gateway_cpu[slice] += nanos;
    }

    /// An istiod used CPU time (ns).
    pub fn add_istiod_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.istiod_cpu[slice] += nanos;
    }

    /// An istiod used so many cores all the time from a moment to another.
    pub fn add_istiod_rest(&mut self, from: SimTime, to: SimTime, cores: f64) {
        for slice in self.slices.of(from)..=self.slices.of(to) {
            let span = self.slices.span(slice);
            let within = to.min(span.end).saturating_since(from.max(span.start));
            self.istiod_cpu[slice] += within.as_nanos_f64() * cores;
        }
    }

    /// The answer to a call of `service` leaves its pod, `time` after the call arrived there.
    pub fn add_answer(&mut self, now: SimTime, service: ServiceId, time: SimDuration) {
        let slice = self.slice(now);
        self.answered[slice * self.services + service.index()].took(time);
    }

    /// An answer of another cluster is there, after so much time on the way there and back.
    pub fn add_crossing(&mut self, now: SimTime, time: SimDuration) {
        let slice = self.slice(now);
        self.crossings[slice].took(time);
    }

    /// Sums over the slices that begin at `cut` or later.
    #[must_use]
    pub fn sum_from(&self, cut: SimTime) -> MetricsSum {
        let first = self.slices.first_from(cut);
        let sum = |counts: &[u32], columns: usize| sum_of(counts, columns, first..self.slices.count());
        let seconds = |cpu: &[f64]| cpu[first..].iter().sum::<f64>() / 1e9;
        let mut answered = vec![Times::default(); self.services];
        for slice in self.answered.chunks(self.services.max(1)).skip(first) {
            answered.iter_mut().zip(slice).for_each(|(sum, &times)| sum.add(times));
        }
        let (mut work, mut crossings) = (Work::default(), Times::default());
        self.work[first..].iter().for_each(|&it| work += it);
        self.crossings[first..].iter().for_each(|&it| crossings.add(it));
        MetricsSum {
            served: self.served_in(first..self.slices.count()),
            counters: std::array::from_fn(|counter| sum(&self.counters[counter], self.services)),
            work,
            start_cpu_seconds: seconds(&self.start_cpu),
            proxy_cpu_seconds: seconds(&self.proxy_cpu),
            gateway_cpu_seconds: seconds(&self.gateway_cpu),
            istiod_cpu_seconds: seconds(&self.istiod_cpu),
            answered,
            crossings,
            sent: self.sent.iter().filter(|(_, count)| **count > 0).map(|(to, &count)| (to, count)).collect(),
        }
    }

    /// Calls served in the slices that begin at `from` or later and before `to`, by the slot of the pods.
    #[must_use]
    pub fn served_between(&self, from: SimTime, to: SimTime) -> Vec<u64> {
        self.served_in(self.slices.first_from(from)..self.slices.first_from(to))
    }

    fn served_in(&self, slices: Range<usize>) -> Vec<u64> {
        let sum = |pod: &[u32]| pod[slices.clone()].iter().map(|&count| u64::from(count)).sum();
        self.served.chunks(self.slices.count()).map(sum).collect()
    }
}

/// Sums each column of a table over some of its rows.
fn sum_of(counts: &[u32], columns: usize, rows: Range<usize>) -> Vec<u64> {
    let mut sums = vec![0; columns];
    for row in counts.chunks(columns.max(1)).skip(rows.start).take(rows.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, &count)| *sum += u64::from(count));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_cut_is_left_out() {
        let at = |s| SimTime::ZERO + SimDuration::from_secs(s);
        let mut metrics =
            Metrics::new(Slices::of_width(SimDuration::from_secs(10), at(30), at(10)), at(10), 2, 4);
        for s in [5, 15, 25, 99] {
            metrics.count_served(at(s), 1);
            metrics.count(at(s), ServiceId(3), Counter::Retries);
            metrics.work_mut(at(s)).calls += 1;
            metrics.work_mut(at(s)).cpu_nanos += 1e9;
            metrics.add_proxy_cpu(at(s), 5e8);
            metrics.add_istiod_cpu(at(s), 1e9);
            metrics.add_answer(at(s), ServiceId(2), SimDuration::from_secs(s));
            metrics.add_crossing(at(s), SimDuration::from_secs(2 * s));
            metrics.count_sent(at(s), ClusterId(2));
        }
        // Of twenty seconds two before the cut.
        metrics.add_istiod_rest(at(8), at(28), 0.5);
        let sum = metrics.sum_from(at(10));
        assert!((sum.istiod_cpu_seconds - 3.0 - 9.0).abs() < 1e-9, "{}", sum.istiod_cpu_seconds);
        assert_eq!(sum.sent.iter().collect::<Vec<_>>(), [(ClusterId(2), &3)]);
        assert_eq!(sum.served, [0, 3]);
        assert_eq!(sum.counters[Counter::Retries as usize], [0, 0, 0, 3]);
        assert_eq!(sum.counters[Counter::Timeouts as usize], [0; 4]);
        assert_eq!((sum.work.calls, sum.work.cpu_nanos), (3, 3e9));
        assert!((sum.proxy_cpu_seconds - 1.5).abs() < 1e-12);
        assert_eq!(sum.answered[2], Times { count: 3, nanos: 139e9 });
        assert_eq!(sum.answered[3], Times::default());
        assert_eq!(sum.crossings, Times { count: 3, nanos: 278e9 });
        assert_eq!(metrics.sum_from(at(11)).served, [0, 2]);
        assert_eq!(metrics.served_between(at(10), at(20)), [0, 1]);
    }

    #[test]
    fn counters_stand_in_their_order() {
        for (index, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(index, counter as usize);
        }
    }
}
