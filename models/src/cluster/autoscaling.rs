//! Metrics are scraped and autoscalers synced: acts on what `kubernetes/hpa` decides.
//!
//! # Models
//! All pods of a cluster are scraped at the same moments, and all its autoscalers synced at the same
//! moments, each from a random one on. A decision is written to the Deployment at once.
//!
//! # Assumptions
//! - The CPU time of handshakes is nobody's. Effect: a sidecar that makes many new connections shows
//!   less than it uses.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`; metrics-server, `--metric-resolution`.

use super::event::Event;
use super::handle::{Context, Job};
use super::state::Cluster;
use crate::compute::Compute;
use crate::draws::{Purpose, draw};
use crate::ids::PodId;
use crate::kubernetes::hpa::metrics::{Observations, PodReading, Readings};
use crate::kubernetes::hpa::pod_groups::PodState;
use crate::kubernetes::metrics_server::{Counters, CpuRequests};
use crate::kubernetes::pod::Phase;
use crate::kubernetes::scheduler::resources::Resource;
use crate::telemetry::control_log::ScalingDecision;
use crate::world::topology::Topology;
use meshsim_core::random::uniform;
use meshsim_core::{EntityId, SimDuration, SimTime};

/// The first scrapes and syncs, in clusters that have autoscalers.
pub(super) fn first_events(topology: &Topology) -> Vec<(EntityId, SimTime, Event)> {
    let settings = &topology.description.kubernetes;
    let mut events = Vec::new();
    for cluster in topology.description.clusters.ids() {
        if !settings.autoscales(cluster) {
            continue;
        }
        let first = |purpose, period: SimDuration| {
            let part = uniform(&mut draw(topology.draws.of_cluster(cluster, 0), purpose));
            SimTime::ZERO + SimDuration::from_nanos((part * period.as_nanos() as f64) as u64)
        };
        let scrape = first(Purpose::MetricsScrape, settings.metrics.resolution);
        let sync = first(Purpose::AutoscalerSync, settings.metrics.sync_period);
        events.push((cluster.entity(), scrape, Event::MetricsScraped));
        events.push((cluster.entity(), sync, Event::AutoscalersSync));
    }
    events
}

impl Context<'_> {
    /// All pods are scraped.
    pub(super) fn scrape_metrics(&mut self) {
        let settings = &self.topology.description.kubernetes.metrics;
        let kept = settings.pods_window.as_nanos().div_ceil(settings.resolution.as_nanos().max(1)) as usize;
        for place in 0..self.cluster.workloads.pods.len() {
            let pod = self.cluster.workloads.pods[place];
            // Of a container that has died a kubelet says nothing.
            let runs = matches!(pod.phase, Phase::Ready | Phase::Starting | Phase::Terminating)
                && pod.runs_from <= self.now
                && !self.topology.faults.is_dead(self.pod_in(place), self.now);
            if runs {
                let counters = counters_of(self.cluster, self.topology, self.compute, self.now, place);
                self.cluster.workloads.histories[place].scrape(self.now, counters, kept);
            }
        }
        self.scheduler.schedule(self.now.saturating_add(settings.resolution), Event::MetricsScraped);
    }

    /// All autoscalers are synced.
    pub(super) fn sync_autoscalers(&mut self) {
        for deployment in 0..self.cluster.workloads.deployments.len() {
            if self.cluster.workloads.deployments[deployment].autoscaler.is_some() {
                self.sync_autoscaler(deployment);
            }
        }
        let period = self.topology.description.kubernetes.metrics.sync_period;
        self.scheduler.schedule(self.now.saturating_add(period), Event::AutoscalersSync);
    }

    fn sync_autoscaler(&mut self, deployment: usize) {
        let settings = &self.topology.description.kubernetes;
        let (now, listed) = (self.now, self.seen_by_autoscaler(deployment));
        let workloads = &mut self.cluster.workloads;
        let state = &mut workloads.deployments[deployment];
        let spec = settings.autoscaler(state.service, self.cluster.id);
        let Some((autoscaler, spec)) = state.autoscaler.as_mut().zip(spec) else { return };
        let requests = cpu_requests(self.topology, state.service);
        let read = |reads| -> Vec<PodReading> {
            let window = settings.metrics.pods_window;
            listed
                .iter()
                .map(|(place, _)| workloads.histories[*place].read(reads, requests, window))
                .collect()
        };
        let readings: Vec<Vec<PodReading>> = spec.reads.iter().map(|&reads| read(reads)).collect();
        let readings: Vec<Readings<'_>> =
            readings.iter().map(|listed| Readings::Pods { listed, unlisted: &[] }).collect();
        let pods: Vec<PodState> = listed.iter().map(|(_, state)| *state).collect();
        let status_replicas = pods.iter().filter(|it| !it.deleted).count() as u32;
        let observations = Observations { status_replicas, pods: &pods, readings: &readings };
        let decision = autoscaler.sync(&settings.controller, &spec.hpa, state.wanted, &observations, now);
        let proposals = autoscaler.proposals().to_vec();
        let service = state.service;
        state.wanted = decision.replicas;
        self.cluster.recorder.autoscaler_decided(ScalingDecision { at: now, service, decision, proposals });
        if decision.rescales() {
            self.reconcile(deployment);
        }
    }

    /// The pods of a Deployment with their places, as its autoscaler sees them.
    fn seen_by_autoscaler(&self, deployment: usize) -> Vec<(usize, PodState)> {
        let workloads = &self.cluster.workloads;
        let seen = |place: usize| {
            Some((place, workloads.pods[place].seen_by_autoscaler(self.now, self.fault_seen(place))?))
        };
        workloads.deployments[deployment].places.clone().filter_map(seen).collect()
    }
}

/// What the pods in a place of a cluster have used and done so far.
pub(super) fn counters_of(
    cluster: &Cluster,
    topology: &Topology,
    compute: &Compute<Job>,
    now: SimTime,
    place: usize,
) -> Counters {
    let pod = PodId(topology.pods_of(cluster.id).start + place as u32);
    let sidecar = topology.has_sidecars().then(|| cluster.proxies[topology.sidecar_of(pod)].cpu_used);
    let occupancy = &cluster.cells[place].occupancy;
    Counters {
        application_cpu: compute.used_at(topology.pods[pod].container, now),
        sidecar_cpu: sidecar.unwrap_or(0.0),
        served: occupancy.served,
        in_cell: occupancy.time_inside(now),
    }
}

/// What the containers of a service's pods request.
fn cpu_requests(topology: &Topology, service: crate::ids::ServiceId) -> CpuRequests {
    let workload = topology.description.kubernetes.workload(service);
    let has_sidecar = topology.has_sidecars();
    CpuRequests {
        application: workload.application.get(Resource::CPU),
        sidecar: workload.sidecar.get(Resource::CPU).filter(|_| has_sidecar),
        has_sidecar,
    }
}
