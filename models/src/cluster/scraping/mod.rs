//! Prometheus scrapes a cluster: the counters of its proxies and cells, what kubelets say of containers, what
//! kube-state-metrics says of objects, istiods and Liqo's gateways of themselves.
//!
//! # Models
//! At each sixtieth of the interval those targets are scraped whose phase it is. A target that does not run, has died, or
//! swallows what it is sent is down. Where observability stands in one cluster, targets of others are down while the way there
//! is cut; else each cluster has a Prometheus of its own.
//!
//! Memory of a cell is a base, a part per worker process, and 8 bytes per element of the lists that memory stress has in use: its
//! elements are one and the same kB. That of a sidecar is what the mesh says of proxies.
//!
//! # Assumptions
//! - A scrape takes no time, and costs pods, proxies and links nothing beside what `[observability]` says.
//! - Periods of the CFS are counted from the start of a container with a limit, whether or not it ran in them.
//! - The memory of a cell is of the order of a Flask application under gunicorn; µBench has published none.
//!
//! # Source
//! google/cadvisor, `metrics/prometheus.go`; kubernetes/kube-state-metrics, `docs/metrics`; `telemetry/exporters`.

mod control_planes;
mod objects;

use super::event::Event;
use super::job::Job;
use super::message::Message;
use super::state::{Cluster, Owners};
use crate::compute::{CFS_PERIOD, Compute};
use crate::envoy::proxies::ProxyKind;
use crate::kubernetes::pod::PodStage;
use crate::telemetry::exporters::Exporters;
use crate::telemetry::exporters::carried::Carried;
use crate::telemetry::exporters::instance::{Instance, PodName};
use crate::telemetry::exporters::samples::{
    Container, ContainerMetric, InterfaceMetric, PHASES, Series, Target, phase_length,
};
use crate::world::topology::Topology;
use meshsim_core::{Scheduler, SimTime};

/// Memory of a cell without workers, and of each worker (bytes).
const CELL_MEMORY: f64 = 30e6;
const WORKER_MEMORY: f64 = 25e6;

/// An element of a list in Python (bytes).
const ELEMENT_BYTES: f64 = 8.0;

/// The next sixtieth of the interval has come.
pub(super) fn scrape(
    cluster: &mut Cluster,
    topology: &Topology,
    compute: &Compute<Job>,
    scheduler: &mut Scheduler<Event, Message>,
) {
    let Some(interval) = topology.description.scraped_every else { return };
    let Some(mut exporters) = cluster.recorder.take_exporters() else { return };
    let now = scheduler.now();
    let step = phase_length(interval);
    let phase = now.as_nanos() / step.as_nanos() % PHASES;
    Scrape { cluster, topology, compute, now, phase }.take(&mut exporters);
    cluster.recorder.set_exporters(exporters);
    scheduler.schedule(now.saturating_add(step), Event::TargetsScraped);
}

/// Targets of a phase that are being scraped.
struct Scrape<'a> {
    cluster: &'a Cluster,
    topology: &'a Topology,
    compute: &'a Compute<Job>,
    now: SimTime,
    phase: u64,
}

impl Scrape<'_> {
    fn take(&self, exporters: &mut Exporters) {
        let pods = &self.cluster.pods;
        exporters.keep(|pod| {
            let life = &pods[pods.slot_of(pod.pod)];
            life.generation == pod.generation && life.stage.has_node()
        });
        if self.is_due(Target::KubeState) {
            self.objects(exporters);
        }
        for node in 0..self.topology.description.clusters[self.cluster.id].nodes.len() as u32 {
            if self.is_due(Target::Kubelet(node)) {
                self.containers(exporters, node);
            }
        }
        self.proxies_and_cells(exporters);
        self.istiods(exporters);
        self.tunnels(exporters);
    }

    fn is_due(&self, target: Target) -> bool {
        target.phase() == self.phase
    }

    /// Whether Prometheus can reach this cluster.
    fn is_reached(&self) -> bool {
        let here = self.cluster.id;
        self.topology.description.observability.is_none_or(|it| {
            let cut = |from, to| self.topology.is_cut(from, to, self.now);
            !cut(here, it.cluster) && !cut(it.cluster, here)
        })
    }

    /// Notes whether a target that is due is up: tells it, too.
    fn up(&self, exporters: &mut Exporters, target: Target, is_up: bool) -> bool {
        let is_up = is_up && self.is_reached();
        exporters.samples.push(Series::Up(target), self.now, f64::from(u8::from(is_up)));
        is_up
    }

    fn name(&self, slot: usize) -> PodName {
        let pods = &self.cluster.pods;
        PodName { pod: pods.pod_in(slot), generation: pods[slot].generation }
    }

    /// Whether the containers of the pod in a slot run here.
    fn runs(&self, slot: usize) -> bool {
        let life = &self.cluster.pods[slot];
        let has_begun = life.stage.has_node() && !life.offloaded && life.runs_from <= self.now;
        has_begun && !self.topology.outages.is_node_lost(self.cluster.id, life.node, self.now)
    }

    /// Whether the pod in a slot answers a scrape.
    fn answers(&self, slot: usize) -> bool {
        let (pod, faults) = (self.cluster.pods.pod_in(slot), &self.topology.faults);
        self.runs(slot) && !faults.is_dead(pod, self.now) && !faults.is_swallowing(pod, self.now)
    }

    fn proxies_and_cells(&self, exporters: &mut Exporters) {
        let Cluster { proxies, pods, .. } = self.cluster;
        for id in proxies.ids() {
            let instance = match proxies[id].kind {
                ProxyKind::Gateway => Instance::Gateway(id.0),
                ProxyKind::Waypoint(service) => Instance::Waypoint(service),
                ProxyKind::Sidecar(pod) => Instance::Pod(self.name(pods.slot_of(pod))),
                ProxyKind::Ztunnel(node) => Instance::Ztunnel(node),
                ProxyKind::EastWest => continue,
            };
            let target = Target::Proxy(instance);
            let slot = instance.pod().map(|it| pods.slot_of(it.pod));
            let is_there =
                slot.is_none_or(|slot| self.runs(slot) && self.topology.has_sidecar(pods.pod_in(slot)));
            if self.is_due(target)
                && is_there
                && self.up(exporters, target, slot.is_none_or(|slot| self.answers(slot)))
            {
                exporters.scrape_proxies(self.now, |it| it == instance);
            }
        }
        for slot in 0..pods.len() {
            let name = self.name(slot);
            let target = Target::Cell(name);
            if self.is_due(target) && self.runs(slot) && self.up(exporters, target, self.answers(slot)) {
                exporters.scrape_cells(self.now, |it| it == name);
            }
        }
    }

    /// What the kubelet of a node says of its containers.
    fn containers(&self, exporters: &mut Exporters, node: u32) {
        let Cluster { id, proxies, pods, .. } = self.cluster;
        let is_up = !self.topology.outages.is_node_lost(*id, node, self.now);
        if !self.up(exporters, Target::Kubelet(node), is_up) {
            return;
        }
        let proxy_memory = self.topology.memory_of_proxy();
        for slot in 0..pods.len() {
            let sidecar = self.topology.has_sidecar(pods.pod_in(slot)).then(|| proxies.sidecar(slot));
            let container = pods.container_of(slot);
            let used = [
                self.compute.used_at(container, self.now),
                sidecar.map_or(0.0, |sidecar| proxies[sidecar].cpu_used),
            ];
            let before = exporters.used_before(slot);
            if pods[slot].stage == PodStage::Absent {
                // The next pod of the slot begins at zero.
                *before = used;
                continue;
            }
            let used = [used[0] - before[0], used[1] - before[1]];
            if pods[slot].node != node || !self.runs(slot) {
                continue;
            }
            let name = self.name(slot);
            let mut say = |container, metric, value| {
                exporters.samples.push(Series::Container(name, container, metric), self.now, value);
            };
            say(Container::Application, ContainerMetric::CpuSeconds, used[0] / 1e9);
            say(Container::Application, ContainerMetric::Memory, self.cell_memory(slot));
            if self.has_limit(slot) {
                let periods = (self.now - pods[slot].runs_from).as_nanos() / CFS_PERIOD.as_nanos();
                let throttled = self.compute.throttled_periods(container);
                say(Container::Application, ContainerMetric::CfsPeriods, periods as f64);
                say(Container::Application, ContainerMetric::ThrottledPeriods, throttled as f64);
            }
            if sidecar.is_some() {
                say(Container::Sidecar, ContainerMetric::CpuSeconds, used[1] / 1e9);
                say(Container::Sidecar, ContainerMetric::Memory, proxy_memory);
            }
            let Carried { received, transmitted } = exporters.interface(name);
            for (metric, bytes) in
                [(InterfaceMetric::Received, received), (InterfaceMetric::Transmitted, transmitted)]
            {
                exporters.samples.push(Series::Interface(name, metric), self.now, bytes as f64);
            }
        }
    }

    fn has_limit(&self, slot: usize) -> bool {
        let service = self.cluster.pods.service_of(slot);
        let deployments = &self.topology.description.deployments;
        let own = deployments.iter().find(|it| it.service == service && it.cluster == self.cluster.id);
        own.is_some_and(|it| it.cpu_limit.is_some())
    }

    /// Memory of the cell in a slot (bytes).
    fn cell_memory(&self, slot: usize) -> f64 {
        let Owners { inbound, .. } = &self.cluster.owners;
        let application = self.topology.application();
        let workers = application.services[self.cluster.pods.service_of(slot)].workers;
        let in_use = |endpoint| {
            let stress = application.endpoints[endpoint].internal.memory_stress;
            stress.map_or(0.0, |it| f64::from(it.size_kb) * ELEMENT_BYTES)
        };
        let lists: f64 = inbound.calls().filter(|it| it.slot() == slot).map(|it| in_use(it.endpoint)).sum();
        CELL_MEMORY + f64::from(workers) * WORKER_MEMORY + lists
    }
}
