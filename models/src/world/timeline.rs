//! What is known of a cluster before the run: one list in the order of time, and one event that goes from each moment
//! to the next.
//!
//! # Models
//! - Pods that a fault kills, and those that come back and burn CPU when they start.
//! - EndpointSlices of the cluster that change, because a fault begins or ends.
//! - What is changed of Deployments, and that they are there.
//! - What is changed of the mesh's configuration.
//! - The first scrape and sync of autoscalers, the first sample and the end of the first quarter: each says itself
//!   when it comes again.
//!
//! What is due at the same time happens in this order, after users who arrive for the first time then and before
//! everything that was scheduled during the run.
//!
//! # Assumptions
//! How often users come is not part of this: they are streams (`users/stream`).

use super::topology::Topology;
use crate::cluster::event::Event;
use crate::cluster::news::{EndpointNews, News};
use crate::draws::{Purpose, draw};
use crate::faults::pod::{FaultKind, PodFault};
use crate::ids::{ClusterId, ConfigurationId, PodId};
use meshsim_core::random::uniform;
use meshsim_core::{Id, SimDuration, SimTime, Table};

/// What is known of a cluster, and how far it has come.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// In the order of time.
    known: Vec<(SimTime, Event)>,
    taken: usize,
}

impl Timeline {
    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<SimTime> {
        self.known.get(self.taken).map(|(at, _)| *at)
    }

    /// What is due next.
    ///
    /// # Panics
    /// If there is nothing more.
    pub fn take(&mut self) -> Event {
        self.taken += 1;
        self.known[self.taken - 1].1
    }
}

/// The time lines of all clusters.
pub(crate) fn timelines(topology: &Topology) -> Table<ClusterId, Timeline> {
    let clusters = &topology.description.clusters;
    let mut known: Known = clusters.iter().map(|_| Timeline::default()).collect();
    if !topology.faults.is_empty() {
        pods_fail(&mut known, topology);
    }
    workloads_change(&mut known, topology);
    configuration_changes(&mut known, topology);
    for cluster in clusters.ids() {
        controllers_begin(&mut known[cluster], topology, cluster);
        samples_begin(&mut known[cluster], topology);
        // Stable: what is due at the same time stays in the order in which it was put here.
        known[cluster].known.sort_by_key(|(at, _)| *at);
    }
    known
}

type Known = Table<ClusterId, Timeline>;

/// The faults of pods that run from the start; those of others are their cluster's to know (`cluster/control`).
fn pods_fail(known: &mut Known, topology: &Topology) {
    for cluster in topology.description.clusters.ids() {
        for it in topology.pods_at_start(cluster) {
            let faults = topology.faults.of(it.pod).filter(|fault| fault.removes_endpoint());
            known[cluster].known.extend(faults.flat_map(|fault| events_of_fault(topology, it.pod, fault)));
        }
    }
}

/// What happens in the cluster of a pod that a fault befalls, and when: it dies and is back, and its EndpointSlice says
/// that it is not ready and that it is again.
pub(crate) fn events_of_fault(
    topology: &Topology,
    pod: PodId,
    fault: &PodFault,
) -> impl Iterator<Item = (SimTime, Event)> + use<> {
    let crashes = fault.kind == FaultKind::Crash;
    let burns = topology.description.kubernetes.workload(topology.pod_ids.service_of(pod)).start.is_some();
    let dies = crashes.then_some((fault.begins, Event::PodDies(pod)));
    let is_back = fault.ends.filter(|_| crashes && burns).map(|ends| (ends, Event::PodIsBack(pod)));
    let returns = fault.ends.filter(|&ends| !topology.faults.on(pod, ends).any(PodFault::removes_endpoint));
    let way = topology.description.clusters[fault.cluster].local_delay;
    let seen_after = fault.seen_after;
    let tell = move |at: Option<SimTime>, what| {
        let told = at?.saturating_add(seen_after?).saturating_add(way);
        Some((told, Event::ApiServerTells(News::Endpoint { pod, what })))
    };
    let told = [tell(Some(fault.begins), EndpointNews::Unready), tell(returns, EndpointNews::Ready)];
    dies.into_iter().chain(is_back).chain(told.into_iter().flatten())
}

/// Deployments are changed; where the scheduler has a say, pods that found no node try again from the start.
fn workloads_change(known: &mut Known, topology: &Topology) {
    let kubernetes = &topology.description.kubernetes;
    for (number, change) in kubernetes.changes.iter().enumerate() {
        known[change.cluster].known.push((change.at, Event::WorkloadChanges(number as u32)));
    }
    for cluster in topology.description.clusters.ids().filter(|&it| kubernetes.schedules(it)) {
        known[cluster].known.push((SimTime::ZERO, Event::WorkloadsStart));
    }
}

/// The mesh's configuration changes in all clusters.
fn configuration_changes(known: &mut Known, topology: &Topology) {
    let description = &topology.description;
    let delay = description.kubernetes.pods.endpoint_delay;
    for (index, change) in description.configuration_changes.iter().enumerate() {
        let event = Event::ApiServerTells(News::Configuration(ConfigurationId::from_index(index + 1)));
        for cluster in description.clusters.ids() {
            known[cluster].known.push((change.at.saturating_add(delay), event));
        }
    }
}

/// Autoscalers begin at random moments of their periods.
fn controllers_begin(known: &mut Timeline, topology: &Topology, cluster: ClusterId) {
    let settings = &topology.description.kubernetes;
    if !settings.autoscales(cluster) {
        return;
    }
    let first = |purpose, period: SimDuration| {
        let part = uniform(&mut draw(topology.draws.of_cluster(cluster, 0), purpose));
        SimTime::ZERO + SimDuration::from_nanos((part * period.as_nanos() as f64) as u64)
    };
    let scrape = first(Purpose::MetricsScrape, settings.metrics.resolution);
    let sync = first(Purpose::AutoscalerSync, settings.metrics.sync_period);
    known.known.push((scrape, Event::MetricsScraped));
    known.known.push((sync, Event::AutoscalersSync));
}

/// The first sample, if any is taken, and the end of the first quarter.
fn samples_begin(known: &mut Timeline, topology: &Topology) {
    let sample = topology.description.time_series.map(|it| (SimTime::ZERO + it, Event::SampleTaken));
    known.known.extend(sample);
    known.known.push((quarter_end(topology, 1), Event::QuarterEnds));
}

/// When so many quarters of the run are over.
pub(crate) fn quarter_end(topology: &Topology, number: u64) -> SimTime {
    SimTime::from_nanos(topology.description.end().as_nanos() / 4 * number)
}
