//! What is measured of pods, and how it reaches the autoscaler.
//!
//! # Models
//! All pods are scraped at the same moment, at a fixed distance. CPU is a rate between the last two
//! scrapes: a pod's first value comes with its second scrape. Metrics of pods beside CPU (requests,
//! latency) are rates over a window of whole scrapes, or over the pod's life if that is shorter.
//!
//! # Assumptions
//! - A scrape sees the moment at which it is made: a kubelet's own housekeeping (10 to 15 s) is left
//!   out. Effect: an autoscaler sees a change up to that much earlier.
//! - The mean latency of a pod is the time that requests were in its cell, over how many it answered
//!   (Little's law): exact over a window that is long beside a request.
//!
//! # Source
//! kubernetes-sigs/metrics-server, `pkg/storage/pod.go` (`Store`, `GetMetrics`); KNOWN_ISSUES.md;
//! kubernetes-sigs/prometheus-adapter, `pkg/custom-provider/provider.go` (`metricFor`: NaN is 0).

use super::hpa::metrics::PodMetric;
use super::hpa::observations::PodReading;
use meshsim_core::{SimDuration, SimTime};
use std::collections::VecDeque;
use std::ops::AddAssign;

/// What a metric of an autoscaler is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// CPU of all containers of a pod (thousandths of a core).
    PodCpu,
    /// CPU of the application's container (`ContainerResource`).
    ApplicationCpu,
    /// CPU of the sidecar (`ContainerResource`).
    SidecarCpu,
    /// Requests answered per second (thousandths).
    RequestsPerSecond,
    /// Mean time that a request was in the cell (us, that is thousandths of a ms).
    MeanLatency,
    /// Requests in the cell, in the mean (thousandths).
    RequestsInFlight,
}

impl Reads {
    /// Whether it is CPU, which the metrics server has.
    #[must_use]
    pub const fn is_of_cpu(self) -> bool {
        matches!(self, Self::PodCpu | Self::ApplicationCpu | Self::SidecarCpu)
    }

    /// Its name and unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PodCpu => "cpu (percent or millicores)",
            Self::ApplicationCpu => "cpu of the application (percent or millicores)",
            Self::SidecarCpu => "cpu of the sidecar (percent or millicores)",
            Self::RequestsPerSecond => "requests_per_second (thousandths)",
            Self::MeanLatency => "mean_latency (us)",
            Self::RequestsInFlight => "requests_in_flight (thousandths)",
        }
    }
}

/// Counters of a pod, and of all that had its slot before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// CPU time of the application (ns).
    pub application_cpu: f64,
    /// CPU time of the sidecar (ns).
    pub sidecar_cpu: f64,
    /// Requests answered.
    pub served: u64,
    /// Time that requests were in the cell, added up (ns).
    pub in_cell: f64,
}

impl Counters {
    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            application_cpu: self.application_cpu - before.application_cpu,
            sidecar_cpu: self.sidecar_cpu - before.sidecar_cpu,
            served: self.served - before.served,
            in_cell: self.in_cell - before.in_cell,
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.application_cpu += other.application_cpu;
        self.sidecar_cpu += other.sidecar_cpu;
        self.served += other.served;
        self.in_cell += other.in_cell;
    }
}

/// What a pod requests of CPU (thousandths of a core); absent: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuRequests {
    /// The application's container.
    pub application: Option<u64>,
    /// The sidecar; absent too if there is none.
    pub sidecar: Option<u64>,
    /// Whether there is one.
    pub has_sidecar: bool,
}

/// The scrapes of a pod that still count.
#[derive(Clone, Debug, Default)]
pub struct PodHistory {
    scrapes: VecDeque<(SimTime, Counters)>,
}

impl PodHistory {
    /// A scrape; `kept` are needed beside it.
    pub fn scrape(&mut self, now: SimTime, counters: Counters, kept: usize) {
        // Counters that begin anew are of another container: there is no rate before the next scrape.
        if self.newest().is_some_and(|last| {
            counters.served < last.served || counters.application_cpu < last.application_cpu
        }) {
            self.clear();
        }
        self.scrapes.push_back((now, counters));
        while self.scrapes.len() > kept.max(1) + 1 {
            self.scrapes.pop_front();
        }
    }

    /// What was scraped last.
    #[must_use]
    pub fn newest(&self) -> Option<Counters> {
        self.scrapes.back().map(|(_, counters)| *counters)
    }

    /// The pod is gone; another may take its slot.
    pub fn clear(&mut self) {
        self.scrapes.clear();
    }

    /// CPU of all containers over the last two scrapes (cores); absent: not measured yet.
    #[must_use]
    pub fn cpu(&self) -> Option<f64> {
        let (from, to, window) = self.last(1)?;
        let used = to.application_cpu + to.sidecar_cpu - from.application_cpu - from.sidecar_cpu;
        Some(used / window.as_nanos() as f64)
    }

    /// What an autoscaler reads.
    #[must_use]
    pub fn read(&self, reads: Reads, requests: CpuRequests, pods_window: SimDuration) -> PodReading {
        let request = match reads {
            Reads::PodCpu if requests.has_sidecar => {
                requests.application.zip(requests.sidecar).map(|(a, b)| a + b)
            }
            Reads::PodCpu | Reads::ApplicationCpu => requests.application,
            Reads::SidecarCpu => requests.sidecar,
            Reads::RequestsPerSecond | Reads::MeanLatency | Reads::RequestsInFlight => None,
        };
        let back = if reads.is_of_cpu() { 1 } else { self.back(pods_window) };
        let metric = self.last(back).and_then(|(from, to, window)| {
            let nanos = window.as_nanos() as f64;
            let served = (to.served - from.served) as f64;
            let application = thousandths(1e3 * (to.application_cpu - from.application_cpu) / nanos);
            let sidecar = thousandths(1e3 * (to.sidecar_cpu - from.sidecar_cpu) / nanos);
            let value = match reads {
                // Each container's is a quantity of its own.
                Reads::PodCpu => application + sidecar,
                Reads::ApplicationCpu => application,
                Reads::SidecarCpu if !requests.has_sidecar => return None,
                Reads::SidecarCpu => sidecar,
                Reads::RequestsPerSecond => thousandths(1e3 * served * 1e9 / nanos),
                // Nothing answered: the adapter takes 0 / 0 for 0.
                Reads::MeanLatency if served == 0.0 => 0,
                Reads::MeanLatency => thousandths((to.in_cell - from.in_cell) / served / 1e3),
                Reads::RequestsInFlight => thousandths(1e3 * (to.in_cell - from.in_cell) / nanos),
            };
            Some(PodMetric { value, timestamp: self.scrapes.back()?.0, window })
        });
        PodReading { metric, request: request.map(|it| it as i64) }
    }

    /// How many scrapes back a window begins.
    fn back(&self, window: SimDuration) -> usize {
        let Some(&(last, _)) = self.scrapes.back() else { return 1 };
        let begins = self.scrapes.iter().rev().take_while(|(at, _)| last - *at < window).count();
        begins.min(self.scrapes.len().saturating_sub(1)).max(1)
    }

    fn last(&self, back: usize) -> Option<(Counters, Counters, SimDuration)> {
        let index = self.scrapes.len().checked_sub(1 + back)?;
        let (from, to) = (self.scrapes[index], self.scrapes.back()?);
        Some((from.1, to.1, to.0 - from.0))
    }
}

/// A quantity is rounded up to thousandths; what is not exact in binary must not be.
fn thousandths(value: f64) -> i64 {
    (value - 1e-6).ceil().max(0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: CpuRequests =
        CpuRequests { application: Some(1_000), sidecar: Some(100), has_sidecar: true };

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    /// Half a core and a tenth in the sidecar, 20 requests/s of 50 ms each.
    fn steady(scrapes: u64) -> PodHistory {
        let mut history = PodHistory::default();
        for scrape in 0..scrapes {
            let seconds = (15 * scrape) as f64;
            let counters = Counters {
                application_cpu: 0.5e9 * seconds,
                sidecar_cpu: 0.1e9 * seconds,
                served: 20 * 15 * scrape,
                in_cell: 20.0 * seconds * 50e6,
            };
            history.scrape(at(15 * scrape), counters, 4);
        }
        history
    }

    #[test]
    fn the_first_value_comes_with_the_second_scrape() {
        let window = SimDuration::from_secs(60);
        let reading = steady(1).read(Reads::PodCpu, REQUESTS, window);
        assert_eq!((reading.metric, reading.request), (None, Some(1_100)));
        let metric = steady(2).read(Reads::PodCpu, REQUESTS, window).metric.unwrap();
        assert_eq!((metric.value, metric.timestamp), (600, at(15)));
        assert_eq!(metric.window, SimDuration::from_secs(15));
    }

    #[test]
    fn each_metric_is_what_it_says() {
        let history = steady(10);
        let read = |reads| history.read(reads, REQUESTS, SimDuration::from_secs(60)).metric.unwrap();
        assert_eq!(read(Reads::ApplicationCpu).value, 500);
        assert_eq!(read(Reads::SidecarCpu).value, 100);
        assert_eq!(read(Reads::RequestsPerSecond).value, 20_000);
        assert_eq!(read(Reads::MeanLatency).value, 50_000);
        assert_eq!(read(Reads::RequestsInFlight).value, 1_000);
        assert_eq!(read(Reads::RequestsPerSecond).window, SimDuration::from_secs(60));
    }

    #[test]
    fn a_container_that_requests_nothing_leaves_the_pod_without_a_request() {
        let window = SimDuration::from_secs(60);
        let none = CpuRequests { sidecar: None, ..REQUESTS };
        assert_eq!(steady(2).read(Reads::PodCpu, none, window).request, None);
        assert_eq!(steady(2).read(Reads::ApplicationCpu, none, window).request, Some(1_000));
        let alone = CpuRequests { has_sidecar: false, ..none };
        assert_eq!(steady(2).read(Reads::PodCpu, alone, window).request, Some(1_000));
    }

    #[test]
    fn what_each_container_uses_is_rounded_up_by_itself() {
        let mut history = PodHistory::default();
        history.scrape(at(0), Counters::default(), 1);
        let used =
            Counters { application_cpu: 0.5994 * 15e9, sidecar_cpu: 0.0103 * 15e9, ..Counters::default() };
        history.scrape(at(15), used, 1);
        let read = |requests| history.read(Reads::PodCpu, requests, SimDuration::ZERO).metric.unwrap().value;
        assert_eq!(read(REQUESTS), 600 + 11);
        // Of a sidecar that is not there nothing can be read.
        let alone = CpuRequests { sidecar: None, has_sidecar: false, ..REQUESTS };
        assert_eq!(history.read(Reads::SidecarCpu, alone, SimDuration::ZERO).metric, None);
    }

    #[test]
    fn a_pod_that_answered_nothing_has_a_mean_latency_of_0() {
        let mut history = PodHistory::default();
        history.scrape(at(0), Counters::default(), 4);
        history.scrape(at(15), Counters::default(), 4);
        let window = SimDuration::from_secs(60);
        assert_eq!(history.read(Reads::MeanLatency, REQUESTS, window).metric.unwrap().value, 0);
        assert_eq!(history.read(Reads::RequestsPerSecond, REQUESTS, window).metric.unwrap().value, 0);
    }
}
