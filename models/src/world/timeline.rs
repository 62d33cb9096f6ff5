//! What is known of a cluster before the run: one list in the order of time, and one event that goes from each moment
//! to the next.
//!
//! # Models
//! - Pods that a fault kills, and those that come back and burn CPU when they start.
//! - EndpointSlices of the cluster that change, because a fault begins or ends.
//! - Gateways, istiods, API servers and nodes that fail and are back.
//! - Whoever looks after the nodes of a cluster, and after its peers.
//! - What is changed of Deployments, and that they are there.
//! - What is changed of the mesh's configuration.
//! - The first look of offloading controllers, the first scrape and sync of autoscalers, the first sample and the end of the first quarter: each says itself
//!   when it comes again.
//!
//! What is due at the same time happens in this order, after users who arrive for the first time then and before
//! everything that was scheduled during the run.
//!
//! # Assumptions
//! How often users come is not part of this: they are streams (`users/stream`).

use super::topology::Topology;
use crate::cluster::event::Event;
use crate::cluster::news::{EndpointNews, IstiodStep, News, PeerCheck, PeerStep};
use crate::draws::{Purpose, draw};
use crate::faults::pod::{FaultKind, PodFault};
use crate::ids::{ClusterId, ConfigurationId, PodId};
use crate::kubernetes::node_lifecycle::LEASE_RENEWAL;
use crate::liqo::api_server_check::ApiServerCheckSettings;
use crate::liqo::connection_check::PingSettings;
use crate::liqo::virtual_kubelet::VirtualKubeletSettings;
use crate::telemetry::exporters::samples::phase_length;
use meshsim_core::random::{Draw, uniform};
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
    if !topology.outages.is_empty() {
        components_fail(&mut known, topology);
    }
    for cluster in clusters.ids() {
        watches_begin(&mut known[cluster], topology, cluster);
    }
    workloads_change(&mut known, topology);
    configuration_changes(&mut known, topology);
    for cluster in clusters.ids() {
        controllers_begin(&mut known[cluster], topology, cluster);
        observability_begins(&mut known[cluster], topology, cluster);
        offloading_begins(&mut known[cluster], topology, cluster);
        connections_age(&mut known[cluster], topology, cluster);
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
    let returns = fault.ends.filter(|&ends| !topology.faults.is_unready(pod, ends));
    let way = topology.description.clusters[fault.cluster].local_delay;
    let seen_after = fault.seen_after;
    let tell = move |at: Option<SimTime>, what| {
        let told = at?.saturating_add(seen_after?).saturating_add(way);
        Some((told, Event::ApiServerTells(News::Endpoint { pod, what })))
    };
    let told = [tell(Some(fault.begins), EndpointNews::Unready), tell(returns, EndpointNews::Ready)];
    dies.into_iter().chain(is_back).chain(told.into_iter().flatten())
}

/// Gateways and control planes fail and are back; nodes are lost, and drained.
fn components_fail(known: &mut Known, topology: &Topology) {
    let Topology { outages, description, .. } = topology;
    for (cluster, spec) in description.clusters.enumerate() {
        let mut events: Vec<(SimTime, Event)> = Vec::new();
        events.extend(outages.ingress_losses(cluster).iter().map(|(dies, _)| (*dies, Event::GatewaysDie)));
        events
            .extend(outages.changes_of_istiod(cluster).into_iter().map(|at| (at, Event::IstiodDiesOrIsBack)));
        events.extend(outages.losses_of_api_server(cluster).map(|(_, back)| (back, Event::ApiServerIsBack)));
        for node in 0..spec.nodes.len() as u32 {
            let posts = |(_, back)| next_renewal(topology, cluster, node, back);
            let losses = outages.losses_of_node(cluster, node).filter(|(_, back)| *back < SimTime::MAX);
            events.extend(losses.map(|loss| (posts(loss), Event::KubeletPosts(node))));
            for (begins, ends) in outages.drains_of_node(cluster, node) {
                events.extend([(begins, Event::NodeDrains(node)), (ends, Event::NodeIsUncordoned(node))]);
            }
        }
        known[cluster].known.extend(events.into_iter().filter(|(at, _)| *at < SimTime::MAX));
    }
}

/// Whoever looks after the nodes of a cluster begins, and after its peers.
fn watches_begin(known: &mut Timeline, topology: &Topology, cluster: ClusterId) {
    if topology.watches_nodes(cluster) {
        let period = topology.description.kubernetes.node_lifecycle().monitor_period;
        known.known.push((first(topology, cluster, Purpose::NodeMonitor, period), Event::NodesChecked));
    }
    if !topology.watches_peers() {
        return;
    }
    for (peer, it) in (0..).zip(topology.description.peers(cluster)) {
        let of_tunnel = [PeerCheck::Ping, PeerCheck::Look];
        let of_provider = [PeerCheck::Ask, PeerCheck::KubeletPing, PeerCheck::Lease, PeerCheck::Status];
        let checks = of_tunnel.into_iter().chain(of_provider.into_iter().filter(|_| it.provider.is_some()));
        known.known.extend(checks.map(|check| {
            let step = PeerStep { peer, check };
            (first_check(topology, cluster, step), Event::PeerIsWatched(step))
        }));
    }
}

/// When a check of a peer begins: at a random moment of its period. A virtual kubelet posts its first status that long after
/// its first ping.
pub(crate) fn first_check(topology: &Topology, cluster: ClusterId, step: PeerStep) -> SimTime {
    let is_status = step.check == PeerCheck::Status;
    let check = if is_status { PeerCheck::KubeletPing } else { step.check };
    let number = match check {
        PeerCheck::Ping | PeerCheck::Pong(_) => 0,
        PeerCheck::Look => 1,
        PeerCheck::Ask | PeerCheck::Answer(_) => 2,
        PeerCheck::KubeletPing | PeerCheck::Status => 3,
        PeerCheck::Lease => 4,
    };
    let period = period_of(check).expect("only what comes again begins by itself");
    let address = topology.draws.of_cluster(cluster, 0).child(step.peer.into()).child(number);
    let begins = SimTime::ZERO + part_of(period, draw(address, Purpose::PeerCheck));
    if is_status { begins + VirtualKubeletSettings::default().status } else { begins }
}

/// When a check of a peer is due again; absent: whoever needs it says so.
pub(crate) fn period_of(check: PeerCheck) -> Option<SimDuration> {
    let (pings, kubelet) = (PingSettings::default(), VirtualKubeletSettings::default());
    Some(match check {
        PeerCheck::Ping => pings.interval,
        PeerCheck::Look => pings.observed_every(),
        PeerCheck::Ask => ApiServerCheckSettings::default().interval,
        PeerCheck::KubeletPing => kubelet.ping,
        PeerCheck::Lease => kubelet.lease,
        PeerCheck::Pong(_) | PeerCheck::Answer(_) | PeerCheck::Status => return None,
    })
}

/// When a kubelet renews its lease last, at `now` or before, if it is not lost; each begins at a random moment of its period.
pub(crate) fn last_renewal(
    topology: &Topology,
    cluster: ClusterId,
    node: u32,
    now: SimTime,
) -> Option<SimTime> {
    let address = topology.draws.of_cluster(cluster, 0).child(u64::from(node));
    let first = SimTime::ZERO + part_of(LEASE_RENEWAL, draw(address, Purpose::KubeletRenewal));
    let periods = now.as_nanos().checked_sub(first.as_nanos())? / LEASE_RENEWAL.as_nanos();
    Some(first + LEASE_RENEWAL * periods)
}

/// The same of the next one, at `now` or later.
fn next_renewal(topology: &Topology, cluster: ClusterId, node: u32, now: SimTime) -> SimTime {
    let within = now.saturating_add(SimDuration::from_nanos(LEASE_RENEWAL.as_nanos() - 1));
    last_renewal(topology, cluster, node, within).expect("a period has passed")
}

/// A random moment of the first period of something in a cluster.
fn first(topology: &Topology, cluster: ClusterId, purpose: Purpose, period: SimDuration) -> SimTime {
    SimTime::ZERO + part_of(period, draw(topology.draws.of_cluster(cluster, 0), purpose))
}

fn part_of(period: SimDuration, mut draws: Draw) -> SimDuration {
    SimDuration::from_nanos((uniform(&mut draws) * period.as_nanos() as f64) as u64)
}

/// Deployments are changed; where the scheduler has a say, pods that found no node try again from the start.
fn workloads_change(known: &mut Known, topology: &Topology) {
    let kubernetes = &topology.description.kubernetes;
    for (number, change) in kubernetes.changes.iter().enumerate() {
        known[change.cluster].known.push((change.at, Event::WorkloadChanges(number as u32)));
    }
    let begins = |&it: &ClusterId| kubernetes.schedules(it) || topology.description.offloads_any(it);
    for cluster in topology.description.clusters.ids().filter(begins) {
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
    let scrapes = settings.autoscales(cluster) || topology.description.scrapes_for_others(cluster);
    if !scrapes {
        return;
    }
    let scrape = first(topology, cluster, Purpose::MetricsScrape, settings.metrics.resolution);
    let sync = first(topology, cluster, Purpose::AutoscalerSync, settings.metrics.sync_period);
    known.known.push((scrape, Event::MetricsScraped));
    if settings.autoscales(cluster) {
        known.known.push((sync, Event::AutoscalersSync));
    }
}

/// Prometheus begins at a random moment of its interval.
fn observability_begins(known: &mut Timeline, topology: &Topology, cluster: ClusterId) {
    let Some(central) = topology.description.observability else { return };
    let scrape = first(topology, cluster, Purpose::CentralScrape, central.scrape_interval);
    known.known.push((scrape, Event::CentrallyScraped));
}

/// Offloading controllers begin at once; their Prometheus begins at a random moment of its interval.
fn offloading_begins(known: &mut Timeline, topology: &Topology, cluster: ClusterId) {
    let Some(offloading) = &topology.description.offloading else { return };
    let scrape = first(topology, cluster, Purpose::CentralScrape, offloading.scrape_interval);
    known.known.push((scrape, Event::OffloadingScrapes));
    let here = (0_u32..).zip(&offloading.controllers).filter(|(_, it)| it.cluster == cluster);
    known.known.extend(here.map(|(number, _)| (SimTime::ZERO, Event::OffloadingWakes(number))));
}

/// An istiod that paces its pushes looks how old its connections are.
fn connections_age(known: &mut Timeline, topology: &Topology, cluster: ClusterId) {
    if topology.istiod_in(cluster).is_some() {
        known.known.push((SimTime::ZERO, Event::IstiodSteps(IstiodStep::ConnectionsAge)));
    }
}

/// The first sample, if any is taken, and the end of the first quarter.
fn samples_begin(known: &mut Timeline, topology: &Topology) {
    let sample = topology.description.time_series.map(|it| (SimTime::ZERO + it, Event::SampleTaken));
    known.known.extend(sample);
    let scrape = topology
        .description
        .scraped_every
        .map(|it| (SimTime::ZERO + phase_length(it), Event::TargetsScraped));
    known.known.extend(scrape);
    known.known.push((quarter_end(topology, 1), Event::QuarterEnds));
}

/// When so many quarters of the run are over.
pub(crate) fn quarter_end(topology: &Topology, number: u64) -> SimTime {
    SimTime::from_nanos(topology.description.end().as_nanos() / 4 * number)
}
