//! What scrapes have left, and when each target is scraped.
//!
//! # Models
//! Every target is scraped once an interval, at a phase of its own that its name gives: Prometheus spreads targets so. The
//! phase is a multiple of a sixtieth of the interval. A scrape sees the moment at which it is made.
//!
//! # Assumptions
//! cAdvisor gives its samples times of its own, up to its housekeeping interval before the scrape; here they have the
//! scrape's.
//!
//! # Source
//! Prometheus, `scrape/target.go` (`offset`: a hash of the target modulo the interval).

use super::cells::CellCounts;
use super::envoy::EnvoyCounts;
use super::http::{HttpCounts, HttpSeries};
use super::instance::{Instance, PodName};
use super::istiod::IstiodCounts;
use super::streams::StreamCounts;
use crate::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Phases that there are.
pub const PHASES: u64 = 60;

/// A sixtieth of the interval.
#[must_use]
pub fn phase_length(interval: SimDuration) -> SimDuration {
    SimDuration::from_nanos((interval.as_nanos() / PHASES).max(1))
}

/// What is scraped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A proxy (port 15020).
    Proxy(Instance),
    /// A µBench cell (port 8080).
    Cell(PodName),
    /// cAdvisor in the kubelet of a node.
    Kubelet(u32),
    /// kube-state-metrics.
    KubeState,
    /// A replica of istiod (port 15014).
    Istiod(u32),
    /// Liqo's gateway to a peer (port 8084).
    TunnelGateway(ClusterId),
}

impl Target {
    /// When it is scraped, in sixtieths of the interval.
    #[must_use]
    pub fn phase(self) -> u64 {
        let pod = |it: PodName| u64::from(it.pod.0) << 32 | u64::from(it.generation);
        let (kind, number) = match self {
            Self::Proxy(Instance::Gateway(number)) => (0, u64::from(number)),
            Self::Proxy(Instance::Pod(name)) => (1, pod(name)),
            Self::Proxy(Instance::Waypoint(service)) => (2, u64::from(service.0)),
            Self::Cell(name) => (3, pod(name)),
            Self::Kubelet(node) => (4, u64::from(node)),
            Self::KubeState => (5, 0),
            Self::Proxy(Instance::Ztunnel(node)) => (6, u64::from(node)),
            Self::Istiod(replica) => (7, u64::from(replica)),
            Self::TunnelGateway(peer) => (8, u64::from(peer.0)),
        };
        // The finalizer of splitmix64 spreads numbers that follow each other.
        let mut mixed = number.wrapping_mul(7).wrapping_add(kind).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % PHASES
    }
}

/// A container of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Container {
    /// The application's.
    Application,
    /// `istio-proxy`.
    Sidecar,
}

/// A metric whose value is a number. The name is the real one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerMetric {
    /// `container_cpu_usage_seconds_total`.
    CpuSeconds,
    /// `container_cpu_cfs_periods_total`.
    CfsPeriods,
    /// `container_cpu_cfs_throttled_periods_total`.
    ThrottledPeriods,
    /// `container_memory_usage_bytes` and `container_memory_working_set_bytes`, which are alike here.
    Memory,
}

/// What a pod's network interface has carried: the metric's name is the real one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceMetric {
    /// `container_network_receive_bytes_total`.
    Received,
    /// `container_network_transmit_bytes_total`.
    Transmitted,
}

/// What Liqo's gateway says of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TunnelMetric {
    /// `liqo_peer_receive_bytes_total`.
    Received,
    /// `liqo_peer_transmit_bytes_total`.
    Transmitted,
    /// `liqo_peer_latency_us`.
    Latency,
    /// `liqo_peer_is_connected`.
    IsConnected,
}

/// What kube-state-metrics says of a Deployment or its autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadMetric {
    /// `kube_deployment_spec_replicas`.
    Wanted,
    /// `kube_deployment_status_replicas`.
    Replicas,
    /// `kube_deployment_status_replicas_ready` and `_available`.
    Ready,
    /// `kube_deployment_status_replicas_unavailable`.
    Unavailable,
    /// `kube_horizontalpodautoscaler_status_current_replicas`.
    HpaCurrent,
    /// `kube_horizontalpodautoscaler_status_desired_replicas`.
    HpaDesired,
}

/// What kube-state-metrics says of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodMetric {
    /// `kube_pod_status_phase{phase="Pending"}`.
    Pending,
    /// `kube_pod_status_phase{phase="Running"}`.
    Running,
    /// `kube_pod_status_ready{condition="true"}`.
    Ready,
    /// `kube_pod_info`: the node, counted from 0.
    Node,
}

/// A series of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// `up`: whether a target could be scraped.
    Up(Target),
    /// What cAdvisor says of a container.
    Container(PodName, Container, ContainerMetric),
    /// What cAdvisor says of the interface of a pod.
    Interface(PodName, InterfaceMetric),
    /// What Liqo's gateway to a peer says.
    Tunnel(ClusterId, TunnelMetric),
    /// What kube-state-metrics says of the Deployment of a service.
    Workload(ServiceId, WorkloadMetric),
    /// What kube-state-metrics says of a pod.
    Pod(PodName, PodMetric),
}

/// Samples of a series, in the order of time.
pub type SamplesOf<T> = Vec<(SimTime, T)>;

/// Everything that was scraped in a cluster.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Requests, as proxies count them.
    pub http: BTreeMap<HttpSeries, SamplesOf<HttpCounts>>,
    /// Streams, as proxies count them.
    pub streams: BTreeMap<HttpSeries, SamplesOf<StreamCounts>>,
    /// What proxies count of the services that they call, and of the application beside.
    pub envoy: BTreeMap<(Instance, Option<ServiceId>), SamplesOf<EnvoyCounts>>,
    /// Requests, as cells count them.
    pub cells: BTreeMap<(PodName, EndpointId), SamplesOf<CellCounts>>,
    /// What replicas of istiod count.
    pub istiod: BTreeMap<u32, SamplesOf<IstiodCounts>>,
    /// Numbers.
    pub numbers: BTreeMap<Series, SamplesOf<f64>>,
}

impl Samples {
    /// A number is found at a moment.
    pub(crate) fn push(&mut self, series: Series, now: SimTime, value: f64) {
        self.numbers.entry(series).or_default().push((now, value));
    }

    /// Memory of all of them (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(self.http.values())
            + bytes_of(self.streams.values())
            + bytes_of(self.envoy.values())
            + bytes_of(self.cells.values())
            + bytes_of(self.istiod.values())
            + bytes_of(self.numbers.values())
    }
}

fn bytes_of<'a, T: 'a>(series: impl Iterator<Item = &'a SamplesOf<T>>) -> usize {
    series.map(|it| it.capacity() * size_of::<(SimTime, T)>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PodId;

    #[test]
    fn targets_are_spread_over_the_interval() {
        let phases = (0..600).map(|pod| Target::Cell(PodName { pod: PodId(pod), generation: 0 }).phase());
        let mut counts = [0_u32; PHASES as usize];
        phases.for_each(|phase| counts[phase as usize] += 1);
        assert!(counts.iter().all(|count| (1..30).contains(count)), "{counts:?}");
        assert_ne!(Target::Proxy(Instance::Gateway(0)).phase(), Target::Proxy(Instance::Gateway(1)).phase());
    }
}
