//! Samples are taken: reads the state of a cluster into its time series, and how full its cells were.
//!
//! # Models
//! A sample is due at each multiple of the interval, and one at the end of the run: what is counted in all
//! samples together is what the run comes to. Where the run is no multiple of the interval, the last sample
//! covers a shorter time.

use super::control::counters_of;
use super::event::Event;
use super::job::Job;
use super::message::Message;
use super::state::{Cluster, Owners};
use crate::compute::{CFS_PERIOD, Compute};
use crate::ids::ServiceId;
use crate::kubernetes::metrics_server::Counters;
use crate::kubernetes::pod::PodStage;
use crate::kubernetes::scheduler::resources::Resource;
use crate::telemetry::time_series::{CallSample, LinkSample, PodCounts, ServiceSample};
use crate::world::timeline::quarter_end;
use crate::world::topology::Topology;
use meshsim_core::{Scheduler, SimTime};

/// A quarter of the run is over; the last one ends with the run.
pub(super) fn end_quarter(
    cluster: &mut Cluster,
    topology: &Topology,
    scheduler: &mut Scheduler<Event, Message>,
) {
    let ended = cluster.recorder.quarter_ended(cluster.owners.inbound.cells(), scheduler.now());
    if ended < 3 {
        scheduler.schedule(quarter_end(topology, ended + 1), Event::QuarterEnds);
    }
}

/// A sample is due.
pub(super) fn sample_is_due(
    cluster: &mut Cluster,
    topology: &Topology,
    compute: &Compute<Job>,
    scheduler: &mut Scheduler<Event, Message>,
) {
    let Some(interval) = topology.description.time_series else { return };
    take_sample(cluster, topology, compute, scheduler.now());
    scheduler.schedule(scheduler.now().saturating_add(interval), Event::SampleTaken);
}

/// Takes a sample of a cluster, if any are taken and time has passed since the last one.
pub(super) fn take_sample(cluster: &mut Cluster, topology: &Topology, compute: &Compute<Job>, now: SimTime) {
    let Some(since_last) = cluster.recorder.begin_sample(now) else { return };
    let nanos = since_last.as_nanos() as f64;
    let mut sampler = Sampler { cluster, topology, compute, now, nanos };
    topology.application().services.ids().for_each(|service| sampler.sample_service(service));
    sampler.sample_links();
    sampler.sample_calls();
}

/// A sample that is being taken.
struct Sampler<'a> {
    cluster: &'a mut Cluster,
    topology: &'a Topology,
    compute: &'a Compute<Job>,
    now: SimTime,
    /// Time since the last one (ns).
    nanos: f64,
}

impl Sampler<'_> {
    fn sample_links(&mut self) {
        let Cluster { id, owners: Owners { network, .. }, recorder, .. } = &mut *self.cluster;
        let links = self.topology.ways.ports(*id).iter().zip(network.links());
        for (port, (&link, state)) in links.enumerate() {
            let sent = recorder.link_since_last(port, state.busy_until(self.now));
            let utilization = sent.as_nanos() as f64 / self.nanos;
            recorder.link_sampled(LinkSample { at: self.now, link, utilization });
        }
    }

    fn sample_calls(&mut self) {
        let Cluster { recorder, .. } = &mut *self.cluster;
        for ((server, flow), counts) in recorder.calls_since_last() {
            let (flow, seconds) = (self.topology.flows.table()[flow], self.nanos / 1e9);
            recorder.calls_sampled(CallSample { at: self.now, seconds, flow, server, counts });
        }
    }

    fn sample_service(&mut self, service: ServiceId) {
        let nanos = self.nanos;
        let deployment = self.cluster.owners.control.deployment(service);
        let clients = self.cluster.recorder.clients_since_last(service, nanos / 1e9);
        let pods = deployment.map(|it| self.count_pods(it)).unwrap_or_default();
        let (mut used, mut throttled, mut count) = (Counters::default(), 0, 0_u32);
        for ordinal in 0..self.cluster.pods.slots_of(service).len() {
            let slot = self.cluster.pods.slots_of(service)[ordinal] as usize;
            let (counters, periods) = self.used_since_last(slot);
            used += counters;
            throttled += periods;
            count += u32::from(self.cluster.pods.is_reachable(slot));
        }
        let periods = nanos / CFS_PERIOD.as_nanos_f64() * f64::from(count.max(1));
        let requested = deployment
            .map_or(0, |it| self.cluster.owners.control.state(it).requests.requested.amount(Resource::CPU));
        let requested = requested as f64 / 1e3 * f64::from(pods.ready);
        let cores = [used.application_cpu / nanos, used.sidecar_cpu / nanos];
        // A service that has neither pods nor callers here is no line of the results.
        if deployment.is_none() && clients.requests_per_second == 0.0 {
            return;
        }
        let sample = ServiceSample {
            at: self.now,
            service,
            pods,
            endpoints: self.cluster.owners.outbound.ready_pods(self.topology, service).len() as u32,
            application_cpu: cores[0],
            sidecar_cpu: cores[1],
            utilization: (requested > 0.0).then(|| (cores[0] + cores[1]) / requested),
            throttled: throttled as f64 / periods,
            served_per_second: used.served as f64 / nanos * 1e9,
            in_cells: used.in_cell / nanos,
            clients,
        };
        self.cluster.recorder.service_sampled(sample);
    }

    fn count_pods(&self, deployment: usize) -> PodCounts {
        let state = self.cluster.owners.control.state(deployment);
        let count = |stage| self.cluster.pods.count(state.service, stage);
        PodCounts {
            wanted: state.wanted,
            pending: count(PodStage::Pending),
            starting: count(PodStage::Starting),
            ready: count(PodStage::Ready),
            terminating: count(PodStage::Terminating),
        }
    }

    /// What the pod in a slot has used and done since the last sample, and in how many CFS periods it
    /// was stopped.
    fn used_since_last(&mut self, slot: usize) -> (Counters, u64) {
        let Cluster { owners: Owners { inbound, .. }, proxies, pods, .. } = &*self.cluster;
        let container = pods.container_of(slot);
        let sidecar = self.topology.has_sidecars().then(|| &proxies[proxies.sidecar(slot)]);
        let used = self.compute.used_at(container, self.now);
        let counters = counters_of(used, sidecar, &inbound.cells()[slot], self.now);
        let now = (counters, self.compute.throttled_periods(container));
        self.cluster.recorder.pod_since_last(slot, now)
    }
}
