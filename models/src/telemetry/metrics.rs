//! What a cluster counts over time, so that a warm-up can be cut off after the run.
//!
//! # Models
//! The whole run, warm-up included, is divided into equal slices; each has the calls served per pod, the CPU time
//! of cells and proxies, and what the cluster's proxies count per service that they call, by Envoy's names. A cut
//! is made at the border of a slice.
//!
//! # Source
//! Envoy, configuration/upstream/cluster_manager/cluster_stats (names and meaning of the counters).

use crate::ids::ServiceId;
use meshsim_core::{Id, SimDuration, SimTime};

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
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 11] = [
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
        }
    }
}

/// Counts per slice of time.
#[derive(Clone, Debug)]
pub struct Metrics {
    width: SimDuration,
    slices: usize,
    pods: usize,
    services: usize,
    served: Vec<u32>,
    /// Each is empty until something is counted.
    counters: [Vec<u32>; Counter::ALL.len()],
    cell_cpu: Vec<f64>,
    proxy_cpu: Vec<f64>,
}

/// Sums over the slices after a cut.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsSum {
    /// Calls served, by the pod's place in the cluster.
    pub served: Vec<u64>,
    /// What proxies counted, by counter and called service.
    pub counters: [Vec<u64>; Counter::ALL.len()],
    /// CPU time of the cells (s).
    pub cell_cpu_seconds: f64,
    /// CPU time of the proxies (s).
    pub proxy_cpu_seconds: f64,
}

impl Metrics {
    /// `slices` slices of `width` each; what happens after them counts in the last.
    #[must_use]
    pub fn new(width: SimDuration, slices: usize, pods: usize, services: usize) -> Self {
        Self {
            width,
            slices,
            pods,
            services,
            served: vec![0; slices * pods],
            counters: Default::default(),
            cell_cpu: vec![0.0; slices],
            proxy_cpu: vec![0.0; slices],
        }
    }

    /// A call was served by the pod in this place of the cluster.
    pub fn count_served(&mut self, now: SimTime, slot: usize) {
        let slice = self.slice(now);
        self.served[slice * self.pods + slot] += 1;
    }

    /// A proxy has something to count about a service that it calls.
    pub fn count(&mut self, now: SimTime, service: ServiceId, counter: Counter) {
        let slice = self.slice(now);
        let counts = &mut self.counters[counter as usize];
        if counts.is_empty() {
            counts.resize(self.slices * self.services, 0);
        }
        counts[slice * self.services + service.index()] += 1;
    }

    /// A cell was asked for CPU time (ns).
    pub fn add_cell_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.cell_cpu[slice] += nanos;
    }

    /// A proxy used CPU time (ns).
    pub fn add_proxy_cpu(&mut self, now: SimTime, nanos: f64) {
        let slice = self.slice(now);
        self.proxy_cpu[slice] += nanos;
    }

    /// Sums over the slices that begin at `cut` or later.
    #[must_use]
    pub fn sum_from(&self, cut: SimTime) -> MetricsSum {
        let first = (cut.as_nanos().div_ceil(self.width.as_nanos().max(1)) as usize).min(self.slices);
        let sum = |counts: &[u32], columns: usize| {
            let mut sums = vec![0; columns];
            for slice in counts.chunks(columns.max(1)).skip(first) {
                sums.iter_mut().zip(slice).for_each(|(sum, &count)| *sum += u64::from(count));
            }
            sums
        };
        let seconds = |cpu: &[f64]| cpu[first..].iter().sum::<f64>() / 1e9;
        MetricsSum {
            served: sum(&self.served, self.pods),
            counters: std::array::from_fn(|counter| sum(&self.counters[counter], self.services)),
            cell_cpu_seconds: seconds(&self.cell_cpu),
            proxy_cpu_seconds: seconds(&self.proxy_cpu),
        }
    }

    fn slice(&self, now: SimTime) -> usize {
        ((now.as_nanos() / self.width.as_nanos().max(1)) as usize).min(self.slices - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_cut_is_left_out() {
        let at = |s| SimTime::ZERO + SimDuration::from_secs(s);
        let mut metrics = Metrics::new(SimDuration::from_secs(10), 3, 2, 4);
        for s in [5, 15, 25, 99] {
            metrics.count_served(at(s), 1);
            metrics.count(at(s), ServiceId(3), Counter::Retries);
            metrics.add_cell_cpu(at(s), 1e9);
            metrics.add_proxy_cpu(at(s), 5e8);
        }
        let sum = metrics.sum_from(at(10));
        assert_eq!(sum.served, [0, 3]);
        assert_eq!(sum.counters[Counter::Retries as usize], [0, 0, 0, 3]);
        assert_eq!(sum.counters[Counter::Timeouts as usize], [0; 4]);
        assert!((sum.cell_cpu_seconds - 3.0).abs() < 1e-12);
        assert!((sum.proxy_cpu_seconds - 1.5).abs() < 1e-12);
        assert_eq!(metrics.sum_from(at(11)).served, [0, 2]);
    }

    #[test]
    fn counters_stand_in_their_order() {
        for (place, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(place, counter as usize);
        }
    }
}
