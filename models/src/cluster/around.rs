//! What surrounds the owners of a cluster's state: the clock, the map, the machines, and who is told.
//!
//! # Models
//! An owner's methods get this and never another owner. Nothing here is anybody's own: the topology never
//! changes, CPUs and proxies' workers serve whoever comes, pods are `control`'s to change and everybody's to see.

use super::event::Event;
use super::handed::Handed;
use super::job::Job;
use super::message::Message;
use super::news::Addressee;
use super::pods::Pods;
use crate::compute::{Compute, NextEvent};
use crate::envoy::proxies::{Proxies, ProxyKind};
use crate::envoy::proxy_cost::ProxyPass;
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{ClusterId, FlowId, PodId, ProxyId, ServiceId, UpstreamId};
use crate::network::path::{Path, stream_bytes};
use crate::telemetry::exporters::carried::Way;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::exporters::instance::{Instance, PodName};
use crate::telemetry::metrics::Counter;
use crate::telemetry::recorder::Recorder;
use crate::world::topology::Topology;
use meshsim_core::random::Address;
use meshsim_core::{Scheduler, SimDuration, SimTime};

/// What surrounds an owner.
pub(crate) struct Around<'a> {
    /// When.
    pub(crate) now: SimTime,
    /// In which cluster.
    pub(crate) here: ClusterId,
    /// What never changes.
    pub(crate) topology: &'a Topology,
    /// Where events of this cluster are put.
    pub(crate) scheduler: &'a mut Scheduler<Event, Message>,
    /// The CPUs of the hosts that this cluster's containers are on.
    pub(crate) compute: &'a mut Compute<Job>,
    /// Who is told what happens.
    pub(crate) recorder: &'a mut Recorder,
    /// The proxies of the cluster.
    pub(crate) proxies: &'a mut Proxies,
    /// The pods of the cluster.
    pub(crate) pods: &'a mut Pods,
    /// Random numbers that the cluster has drawn.
    pub(crate) draws: &'a mut u64,
    /// For the other owners.
    pub(crate) handed: &'a mut Vec<Handed>,
}

impl<'a> Around<'a> {
    /// The next random number of this cluster.
    pub(crate) fn next_draw(&mut self) -> Address {
        *self.draws += 1;
        self.topology.draws.of_cluster(self.here, *self.draws)
    }

    /// Something happens in this cluster at `at`.
    #[inline]
    pub(crate) fn schedule(&mut self, at: SimTime, event: Event) {
        self.scheduler.schedule(at, event);
    }

    /// Something is for another owner.
    #[inline]
    pub(crate) fn hand(&mut self, what: Handed) {
        self.handed.push(what);
    }

    /// A proxy has used CPU time (ns).
    #[inline]
    pub(crate) fn charge_proxy(&mut self, proxy: ProxyId, nanos: f64) {
        self.recorder.proxy_used_cpu(self.now, nanos);
        self.proxies.use_cpu(proxy, nanos);
    }

    /// Who a proxy is to those that scrape it; nobody if it has no counters.
    pub(crate) fn instance(&self, proxy: ProxyId) -> Option<Instance> {
        match self.proxies[proxy].kind {
            ProxyKind::Gateway => Some(Instance::Gateway(proxy.0)),
            ProxyKind::Sidecar(pod) => {
                let generation = self.pods[self.pods.slot_of(pod)].generation;
                Some(Instance::Pod(PodName { pod, generation }))
            }
            ProxyKind::Waypoint(service) => Some(Instance::Waypoint(service)),
            ProxyKind::Ztunnel(node) => Some(Instance::Ztunnel(node)),
            ProxyKind::EastWest => None,
        }
    }

    /// Something happens between a proxy and a service that it calls, or the application beside it: where somebody scrapes,
    /// it counts that.
    #[inline]
    pub(crate) fn proxy_counts(&mut self, proxy: ProxyId, called: Option<ServiceId>, what: Happens) {
        if self.recorder.exporters().is_some() {
            self.exporter_counts(proxy, called, what);
        }
    }

    /// A proxy counts what it does about a service that it calls, for the metrics of the run and for whoever scrapes it.
    #[inline]
    pub(crate) fn counted_by(&mut self, proxy: ProxyId, called: ServiceId, counter: Counter) {
        self.recorder.counted(self.now, called, counter);
        self.proxy_counts(proxy, Some(called), Happens::Counted(counter));
    }

    /// A message of a call to `server` passes the interface of a pod, to or from another cluster or within this one.
    #[cold]
    pub(crate) fn interface_counts(
        &mut self,
        (pod, way): (PodId, Way),
        (server, other): (PodId, ClusterId),
        (header, body): (u32, u32),
    ) {
        // The tunnel is further on.
        let path = Path { tunnel_overhead: 0, ..self.topology.path(self.here, other, self.now) };
        let bytes = if self.topology.takes_datagrams(server) {
            path.packet_bytes(body, path.packets(body))
        } else {
            let stream = stream_bytes(header, body, self.topology.encrypts());
            path.wire_bytes(stream, path.segments(stream))
        };
        let generation = self.pods[self.pods.slot_of(pod)].generation;
        if let Some(exporters) = self.recorder.exporters() {
            exporters.interface_carries(PodName { pod, generation }, way, bytes);
        }
    }

    #[cold]
    fn exporter_counts(&mut self, proxy: ProxyId, called: Option<ServiceId>, what: Happens) {
        let front = called.map(|called| self.topology.description.front_of(called));
        if let Some(instance) = self.instance(proxy)
            && let Some(exporters) = self.recorder.exporters()
        {
            exporters.count_upstream((instance, front), what);
        }
    }

    /// An answer that reaches a proxy's worker at `reached` passes it, for so much time there and CPU time (ns): when it comes
    /// out.
    #[inline]
    pub(crate) fn pass_with_answer(
        &mut self,
        proxy: ProxyId,
        worker: u16,
        reached: SimTime,
        takes: SimDuration,
        nanos: f64,
    ) -> SimTime {
        self.recorder.proxy_used_cpu(self.now, nanos);
        self.proxies.pass_using(proxy, worker, reached, takes, nanos)
    }

    /// What passing a proxy takes as a client's of a service, and the way from there to whoever calls.
    #[inline]
    pub(crate) fn pass_to(&self, proxy: ProxyId, called: ServiceId) -> (&'a ProxyPass, SimDuration) {
        let (row, topology) = (&self.proxies[proxy], self.topology);
        let is_plain = topology.access.some_is_plain() && !topology.access.has_mtls(called);
        let passes = &topology.passes;
        let pass = if is_plain { passes.plain_client(row.pass) } else { passes.client(row.pass) };
        (pass, row.to_caller)
    }

    /// What passing the sidecar of a called pod takes.
    #[inline]
    pub(crate) fn pass_in(&self, flow: FlowId, slot: usize) -> &'a ProxyPass {
        let topology = self.topology;
        let is_plain = topology.access.some_is_plain() && {
            let caller = topology.flows.table()[flow].caller;
            !topology.access.is_encrypted(caller, self.pods.service_of(slot))
        };
        topology.passes.server(is_plain)
    }

    /// A proxy of this cluster, as an istiod names it.
    #[must_use]
    pub(crate) fn proxy_of(&self, addressee: Addressee) -> ProxyId {
        match addressee {
            Addressee::Standing(proxy) => proxy,
            Addressee::SidecarOf(pod) => self.proxies.sidecar(self.pods.slot_of(pod)),
        }
    }

    /// What a proxy is told of an upstream.
    #[inline]
    pub(crate) fn spec(&self, proxy: ProxyId, upstream: UpstreamId) -> &'a UpstreamSpec {
        let topology = self.topology;
        topology.upstreams.spec(self.proxies[proxy].is_gateway(), upstream)
    }

    /// The network between this cluster and a pod.
    #[inline]
    pub(crate) fn path_to(&self, pod: PodId) -> Path {
        self.topology.path(self.here, self.topology.pod_ids.cluster_of(pod), self.now)
    }

    /// Whose call it is that a pod makes, or users do, to another pod.
    #[inline]
    pub(crate) fn flow(&self, caller: Option<PodId>, called: PodId) -> FlowId {
        let service_of = |pod| self.topology.pod_ids.service_of(pod);
        self.topology.flows.id(caller.map(service_of), service_of(called))
    }

    /// Something passes the ztunnel of a pod's node: when it comes out.
    pub(crate) fn pass_ztunnel(&mut self, pod: PodId, worker: u16, takes: SimDuration) -> SimTime {
        let node = self.pods[self.pods.slot_of(pod)].node;
        let ztunnel = self.proxies.ztunnel(node);
        let worker = worker % self.proxies[ztunnel].workers();
        self.proxies.pass(ztunnel, worker, self.now, takes)
    }

    /// Whether the API server of this cluster answers now.
    pub(crate) fn has_api_server(&self) -> bool {
        self.topology.outages.api_server_answers_from(self.here, self.now) <= self.now
    }

    /// Whether something waits for the API server: it is tried again when that answers, if it ever does.
    pub(crate) fn waits_for_api_server(&mut self, event: Event) -> bool {
        let answers = self.topology.outages.api_server_answers_from(self.here, self.now);
        if answers > self.now && answers < SimTime::MAX {
            self.schedule(answers, event);
        }
        answers > self.now
    }

    /// Whether there is a way to where observability stands and back, now.
    pub(crate) fn observability_is_reached(&self) -> bool {
        self.topology.description.observability.is_none_or(|it| self.is_reached(it.cluster))
    }

    /// Whether there is a way to a cluster and back, now.
    pub(crate) fn is_reached(&self, cluster: ClusterId) -> bool {
        let cut = |from, to| self.topology.is_cut(from, to, self.now);
        !cut(self.here, cluster) && !cut(cluster, self.here)
    }

    /// Whether a pod of this cluster, which has this slot, cannot be reached.
    #[inline]
    pub(crate) fn is_down(&self, pod: PodId, slot: usize) -> bool {
        let faults = &self.topology.faults;
        (!faults.is_empty() && faults.is_dead(pod, self.now)) || !self.pods.is_reachable(slot)
    }

    /// Whether what is sent to or by a pod of this cluster at `time` is swallowed by it or its node.
    #[must_use]
    pub(crate) fn is_swallowing(&self, pod: PodId, time: SimTime) -> bool {
        self.topology.faults.is_swallowing(pod, time)
            || (self.topology.outages.lose_nodes()
                && self.topology.pod_ids.cluster_of(pod) == self.here
                && self.is_node_lost(self.pods.slot_of(pod), time))
    }

    /// Whether the node of the pod in a slot is lost at `time`.
    #[must_use]
    pub(crate) fn is_node_lost(&self, slot: usize, time: SimTime) -> bool {
        // A node that stands for another cluster is not this one's to lose.
        let life = &self.pods[slot];
        !life.offloaded && self.topology.outages.is_node_lost(self.here, life.node, time)
    }

    /// What takes so long (ns) in a pod that may be slow.
    #[inline]
    pub(crate) fn slowed(&self, pod: PodId, nanos: f64) -> f64 {
        let faults = &self.topology.faults;
        if faults.is_empty() { nanos } else { nanos * faults.slowness(pod, self.now) }
    }
}

/// Puts events of CPUs where those of their clusters are.
pub(crate) fn cpu_events(scheduler: &mut Scheduler<Event, Message>) -> impl FnMut(NextEvent) {
    |NextEvent { entity, at, event }| scheduler.schedule_for(entity, at, Event::Compute(event))
}
