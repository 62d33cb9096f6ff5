//! Metrics are scraped and autoscalers synced: acts on what `kubernetes/hpa` decides.
//!
//! # Models
//! All pods of a cluster are scraped at the same moments, and all its autoscalers synced at the same
//! moments, each from a random one on. A decision is written to the Deployment at once.
//!
//! Where observability stands in one cluster, metrics beside CPU are what Prometheus has (`central`), if it can be asked.
//!
//! # Assumptions
//! - The CPU time of handshakes is nobody's. Effect: a sidecar that makes many new connections shows
//!   less than it uses.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`; metrics-server, `--metric-resolution`.

use super::state::Control;
use crate::application::cell::Cell;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::envoy::proxies::Proxy;
use crate::kubernetes::hpa::observations::{Observations, PodReading, Readings};
use crate::kubernetes::hpa::pod_groups::PodState;
use crate::kubernetes::metrics_server::{Counters, CpuRequests, PodHistory, Reads};
use crate::kubernetes::pod::PodStage;
use crate::kubernetes::scheduler::resources::Resource;
use crate::telemetry::control_log::ScalingDecision;
use crate::world::topology::Topology;
use meshsim_core::SimTime;

impl Control {
    /// All pods, of which these are the cells, are scraped.
    pub(in crate::cluster) fn scrape_metrics(&mut self, at: &mut Around<'_>, cells: &[Cell]) {
        let settings = &at.topology.description.kubernetes.metrics;
        let kept = settings.scrapes_kept(settings.resolution);
        self.histories.resize_with(at.pods.len(), PodHistory::default);
        for (slot, cell) in cells.iter().enumerate() {
            let pod = at.pods[slot];
            // Of a container that has died a kubelet says nothing.
            let runs = !pod.offloaded
                && matches!(pod.stage, PodStage::Ready | PodStage::Starting | PodStage::Terminating)
                && pod.runs_from <= at.now
                && !at.topology.faults.is_dead(at.pods.pod_in(slot), at.now)
                && !at.is_node_lost(slot, at.now);
            if runs {
                let sidecar = at.topology.has_sidecars().then(|| at.proxies.sidecar(slot));
                let application_cpu = at.compute.used_at(at.pods.container_of(slot), at.now);
                let counters = counters_of(application_cpu, sidecar.map(|it| &at.proxies[it]), cell, at.now);
                self.histories[slot].scrape(at.now, counters, kept);
                self.tell_counters(at, slot);
            }
        }
        at.schedule(at.now.saturating_add(settings.resolution), Event::MetricsScraped);
    }

    /// All autoscalers are synced.
    pub(in crate::cluster) fn sync_autoscalers(&mut self, at: &mut Around<'_>) {
        // Without the API server nothing can be read or written.
        if at.has_api_server() {
            for deployment in 0..self.deployments.len() {
                let state = &self.deployments[deployment];
                if state.exists && state.autoscaler.is_some() {
                    self.sync_autoscaler(at, deployment);
                }
            }
        }
        let period = at.topology.description.kubernetes.metrics.sync_period;
        at.schedule(at.now.saturating_add(period), Event::AutoscalersSync);
    }

    fn sync_autoscaler(&mut self, at: &mut Around<'_>, deployment: usize) {
        let settings = &at.topology.description.kubernetes;
        let (now, listed) = (at.now, self.seen_by_autoscaler(at, deployment));
        let state = &mut self.deployments[deployment];
        let spec = settings.autoscaler(state.service, at.here);
        let Some((autoscaler, spec)) = state.autoscaler.as_mut().zip(spec) else { return };
        let requests = cpu_requests(at.topology, state.service);
        let unread = PodHistory::default();
        let is_central = at.topology.description.observability.is_some();
        let is_reached = at.observability_is_reached();
        // Of what runs at a provider its API server tells.
        let asks_prometheus =
            |slot: usize, reads: Reads| is_central && !reads.is_of_cpu() && !at.pods[slot].offloaded;
        let history = |slot: usize, reads: Reads| match asks_prometheus(slot, reads) {
            true => self.central.get(slot).filter(|_| is_reached),
            false => self.histories.get(slot),
        };
        let read = |reads| -> Vec<PodReading> {
            let window = settings.metrics.pods_window;
            let reading = |slot| history(slot, reads).unwrap_or(&unread).read(reads, requests, window);
            listed.iter().map(|(slot, _)| reading(*slot)).collect()
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
        let rescales = decision.rescales();
        at.recorder.autoscaler_decided(ScalingDecision { at: now, service, decision, proposals });
        if rescales {
            self.reconcile(at, deployment);
        }
        if self.offloading.is_some() {
            self.tell_offloading(at, deployment, status_replicas);
        }
    }

    /// The pods of a Deployment with their slots, as its autoscaler sees them.
    fn seen_by_autoscaler(&self, at: &Around<'_>, deployment: usize) -> Vec<(usize, PodState)> {
        let seen = |&slot: &u32| {
            let slot = slot as usize;
            Some((slot, at.pods[slot].seen_by_autoscaler(at.now, self.fault_seen(at, slot))?))
        };
        at.pods.slots_of(self.deployments[deployment].service).iter().filter_map(seen).collect()
    }
}

/// What the pods in a slot have used and done so far: CPU time of their application (ns), their sidecar, their cell.
pub(in crate::cluster) fn counters_of(
    application_cpu: f64,
    sidecar: Option<&Proxy>,
    cell: &Cell,
    now: SimTime,
) -> Counters {
    Counters {
        application_cpu,
        sidecar_cpu: sidecar.map_or(0.0, |it| it.cpu_used),
        served: cell.occupancy.served,
        in_cell: cell.occupancy.time_inside(now),
    }
}

/// What the containers of a service's pods request.
fn cpu_requests(topology: &Topology, service: crate::ids::ServiceId) -> CpuRequests {
    let workload = topology.description.kubernetes.workload(service);
    let has_sidecar = topology.access.is_injected(service);
    CpuRequests {
        application: workload.application.get(Resource::CPU),
        sidecar: workload.sidecar.get(Resource::CPU).filter(|_| has_sidecar),
        has_sidecar,
    }
}
