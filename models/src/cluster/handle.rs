//! Where events and messages are sent on to the code that acts on them.

use super::changed_views::EndpointNews;
use super::event::Event;
use super::message::{Body, Message};
use super::state::Cluster;
use super::{autoscaling, elastic, sampling};
use crate::call::record::Call;
use crate::compute::{Compute, ContainerSpec};
use crate::draws::{Purpose, draw};
use crate::faults::pod::FaultKind;
use crate::ids::{ClusterId, HostId, PodId, PopulationId};
use crate::network::link::jitter;
use crate::telemetry::slices::Slices;
use crate::world::topology::Topology;
use meshsim_core::random::{Address, uniform};
use meshsim_core::{EntityId, Handle, Id, Process, Scheduler, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a container's CPU works on.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// A part of a call.
    Call {
        /// Which call.
        call: Handle<Call>,
        /// Which part.
        stage: Stage,
    },
    /// The start of the application (`kubernetes/settings`, `StartWork`), by its place in the cluster.
    Start(u32),
}

/// The parts of a call's CPU work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the request to the external services; up to the sleep if there is one.
    Internal,
    /// The body, after a sleep.
    Body,
    /// The client's side of an external call.
    Calling {
        /// The group.
        group: u16,
        /// The step.
        step: u16,
    },
    /// Writing the response.
    Response,
}

/// The clusters of one process and the hosts that they share.
pub struct Shard {
    topology: Arc<Topology>,
    /// In ascending order.
    clusters: Vec<Cluster>,
    compute: Compute<Job>,
    done: Vec<Job>,
}

/// What the code that acts on an event may touch.
pub(crate) struct Context<'a> {
    pub(crate) now: SimTime,
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) topology: &'a Topology,
    pub(crate) compute: &'a mut Compute<Job>,
    pub(crate) scheduler: &'a mut Scheduler<Event, Message>,
}

impl Shard {
    /// Places the containers of a group of clusters on their hosts, and tells each pod its
    /// container.
    pub(crate) fn compute(topology: &mut Topology, group: &[ClusterId]) -> Compute<Job> {
        let mut hosts: BTreeMap<HostId, HostId> = BTreeMap::new();
        for &cluster in group {
            for host in topology.description.clusters[cluster].nodes.iter().map(|node| node.host) {
                let next = HostId::from_index(hosts.len());
                hosts.entry(host).or_insert(next);
            }
        }
        // In the order in which they were numbered.
        let mut cores = vec![0.0; hosts.len()];
        for (&host, &local) in &hosts {
            topology.local_hosts[host] = local;
            cores[local.index()] = topology.description.hosts[host].cores;
        }
        let mut compute = Compute::new(cores);
        for &cluster in group {
            for pod in topology.pods_of(cluster).map(PodId) {
                let it = topology.pods[pod];
                let node = it.starts_on.unwrap_or(0) as usize;
                let host = topology.description.clusters[cluster].nodes[node].host;
                let service = &topology.description.application.services[it.service];
                let phase = uniform(&mut draw(topology.draws.of_pod(pod, 0), Purpose::CfsPhase));
                let start = topology.description.kubernetes.workload(it.service).start;
                topology.pods[pod].container = compute.add_container(&ContainerSpec {
                    host: hosts[&host],
                    entity: cluster.entity(),
                    workers: usize::from(service.workers),
                    // A place that may never be taken gets no room in advance.
                    jobs_per_worker: if it.starts_on.is_some() {
                        usize::from(service.threads).min(64)
                    } else {
                        0
                    },
                    beside: start.map_or(0.0, |start| start.cores),
                    limit: it.cpu_limit,
                    weight: service.cpu_request.or(service.cpu_limit).map_or(1.0, |cores| cores.0.max(0.01)),
                    phase,
                });
                if it.starts_on.is_none() {
                    compute.place(topology.pods[pod].container, None);
                }
            }
        }
        compute
    }

    pub(crate) fn new(
        topology: &Arc<Topology>,
        group: &[ClusterId],
        compute: Compute<Job>,
        slices: Slices,
    ) -> Self {
        Self {
            clusters: group.iter().map(|&id| Cluster::new(id, topology, slices)).collect(),
            topology: Arc::clone(topology),
            compute,
            done: Vec::with_capacity(16),
        }
    }

    /// The first request of every population, or of every user of a closed loop.
    pub(crate) fn first_events(topology: &Topology) -> Vec<(EntityId, SimTime, Event)> {
        let mut events = Vec::new();
        for (index, it) in topology.description.populations.iter().enumerate() {
            let population = PopulationId::from_index(index);
            if it.arrivals.is_open() {
                let visited: BTreeSet<ClusterId> = it.visited().collect();
                let first = |cluster| Some((cluster, topology.first_of(population, cluster)?.1));
                let sends =
                    |(cluster, at): (ClusterId, _)| (cluster.entity(), at, Event::UserSends(population));
                events.extend(visited.into_iter().filter_map(first).map(sends));
                continue;
            }
            events.extend((0..it.users).filter(|&number| it.sends(number.into())).map(|number| {
                let address = topology.draws.request(population, u64::from(number));
                let think = it.arrivals.think(address, true);
                (it.cluster.entity(), SimTime::ZERO + think, Event::UserThought { population, number })
            }));
        }
        events.extend(Self::fault_events(topology));
        events.extend(elastic::first_events(topology));
        events.extend(autoscaling::first_events(topology));
        events.extend(sampling::first_events(topology));
        events
    }

    /// When pods die, and when the proxies of each cluster are told of what is not ready.
    fn fault_events(topology: &Topology) -> Vec<(EntityId, SimTime, Event)> {
        let mut events = Vec::new();
        let faults = topology.faults.all();
        let kubernetes = &topology.description.kubernetes;
        let burns = |pod: PodId| kubernetes.workload(topology.pods[pod].service).start.is_some();
        for (pod, fault) in faults.iter().filter(|(_, fault)| fault.removes_endpoint()) {
            if fault.kind == FaultKind::Crash {
                events.push((fault.cluster.entity(), fault.begins, Event::PodDies(*pod)));
                if let Some(ends) = fault.ends.filter(|_| burns(*pod)) {
                    events.push((fault.cluster.entity(), ends, Event::PodIsBack(*pod)));
                }
            }
            let Some(seen_after) = fault.seen_after else { continue };
            let returns = fault.ends.filter(|&ends| {
                let others = topology.faults.of(*pod).filter(|it| it.removes_endpoint());
                !others.into_iter().any(|it| it.is_on(ends))
            });
            for cluster in topology.description.clusters.ids() {
                if cluster != fault.cluster && topology.route(fault.cluster, cluster).is_none() {
                    continue;
                }
                let one_way = topology.path(fault.cluster, cluster).one_way;
                let mut tell = |at: SimTime, ready| {
                    let event = Event::EndpointChanges { pod: *pod, ready };
                    let leaves = topology.told_at(fault.cluster, cluster, at.saturating_add(seen_after));
                    events.push((cluster.entity(), leaves.saturating_add(one_way), event));
                };
                tell(fault.begins, false);
                if let Some(ends) = returns {
                    tell(ends, true);
                }
            }
        }
        events
    }

    /// CPU time that each place for a pod of a cluster has used (s).
    pub(crate) fn pod_cpu_seconds(&self, cluster: ClusterId, now: SimTime) -> Vec<f64> {
        let containers = self.topology.pods_of(cluster).map(|pod| self.topology.pods[PodId(pod)].container);
        containers.map(|it| self.compute.used_at(it, now) / 1e9).collect()
    }

    /// CPU time that the cells of all clusters still have to use for what they were given (s).
    pub(crate) fn cpu_seconds_left(&self, now: SimTime) -> f64 {
        let pods = self.clusters.iter().flat_map(|it| self.topology.pods_of(it.id));
        let left = |pod| self.compute.left_at(self.topology.pods[PodId(pod)].container, now);
        pods.map(left).sum::<f64>() / 1e9
    }

    /// The run is over: its last samples are taken.
    pub(crate) fn end(&mut self, now: SimTime) {
        for cluster in &mut self.clusters {
            sampling::take_sample(cluster, &self.topology, &self.compute, now);
        }
    }

    /// Every cluster keeps what it does for each request.
    pub(crate) fn keep_work(&mut self) {
        for cluster in &mut self.clusters {
            cluster.recorder.keep_work();
        }
    }

    /// What never changes.
    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Its clusters, to take from.
    pub(crate) fn clusters_mut(&mut self) -> impl Iterator<Item = &mut Cluster> {
        self.clusters.iter_mut()
    }

    /// Its clusters.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter()
    }

    fn context<'a>(
        &'a mut self,
        entity: EntityId,
        scheduler: &'a mut Scheduler<Event, Message>,
    ) -> Context<'a> {
        let place = match &self.clusters[..] {
            // Most share no host with others.
            [_] => 0,
            all => all.partition_point(|it| it.id.entity() < entity),
        };
        Context {
            now: scheduler.now(),
            cluster: &mut self.clusters[place],
            topology: &self.topology,
            compute: &mut self.compute,
            scheduler,
        }
    }

    /// The work of a container goes on to its next stage, job by job.
    fn cpu_done(&mut self, entity: EntityId, event: Event, scheduler: &mut Scheduler<Event, Message>) {
        let Event::CpuDone { container, epoch } = event else { return };
        let mut done = std::mem::take(&mut self.done);
        self.compute.on_event(scheduler.now(), container, epoch, &mut done);
        let mut context = self.context(entity, scheduler);
        for job in done.drain(..) {
            match job {
                Job::Call { call, stage } => context.job_done(call, stage),
                Job::Start(place) => context.start_work_is_done(place as usize),
            }
        }
        context.schedule_cpu();
        self.done = done;
    }
}

impl Process for Shard {
    type Event = Event;
    type Message = Message;

    fn handle(&mut self, entity: EntityId, event: Event, scheduler: &mut Scheduler<Event, Message>) {
        if let Event::CpuDone { .. } = event {
            self.cpu_done(entity, event, scheduler);
            return;
        }
        let mut context = self.context(entity, scheduler);
        match event {
            Event::UserSends(population) => context.user_sends(population),
            Event::UserThought { population, number } => context.user_thought(population, number),
            Event::ReachesProxy(hop) => context.proxy_receives(hop),
            Event::Routes(hop) => context.route(hop),
            Event::ConnectionReady(connection) => context.connection_ready(connection),
            Event::RequestArrives { hop, attempt } => context.request_arrives(hop, attempt),
            Event::CellReceives(call) => context.cell_receives(call),
            Event::Slept(call) => context.slept(call),
            Event::ResponseLeaves(call) => context.response_leaves(call),
            Event::RoundLeaves(call) => context.round_leaves(call),
            Event::ResponseArrives(call) => context.local_response_arrives(call),
            Event::HopCompletes(hop) => context.hop_completes(hop),
            rare => context.handle_rare(rare),
        }
        context.schedule_cpu();
    }

    fn receive(&mut self, entity: EntityId, message: Message, scheduler: &mut Scheduler<Event, Message>) {
        let mut context = self.context(entity, scheduler);
        if message.to != context.cluster.id {
            context.forward(message);
            return;
        }
        match message.body {
            Body::Request(request) => context.remote_request_arrives(&request),
            Body::Response(response) => context.response_arrives(&response),
            Body::Reset { hop, address } => context.reset_arrives(hop, address),
            Body::GivenUp { hop, client, address } => context.client_gives_up(hop, client, address),
            Body::Endpoint { pod, news } => context.endpoint_news(pod, news),
            Body::PodEnded { pod } => context.remote_pod_ended(pod),
        }
        context.schedule_cpu();
    }
}

impl Context<'_> {
    /// What happens so seldom that it must not make the others slower.
    #[cold]
    fn handle_rare(&mut self, event: Event) {
        match event {
            Event::FollowsRoute(hop) => self.follow_route(hop),
            Event::Attempts(hop) => self.attempt(hop),
            Event::DeadlinesCome { route, of_tries } => self.deadlines_come(route, of_tries),
            Event::RequestLeaves { hop, attempt } => self.request_leaves(hop, attempt),
            Event::HeldResponseArrives(held) => self.held_response_arrives(held),
            Event::CallersGiveUp(queue) => self.callers_give_up(queue),
            Event::CallerIsGone(hop) => self.caller_is_gone(hop),
            Event::ConnectionFails(connection) => self.connection_failed(connection),
            Event::LeavesNode(hop) => self.leave_node(hop),
            Event::AnswerReachesNode(hop) => self.answer_reaches_node(hop),
            Event::ResetArrives { hop, attempt } => self.attempt_is_reset(hop, attempt),
            Event::OutlierTick { proxy, upstream } => self.outlier_tick(proxy, upstream),
            Event::TakesOverHealth { proxy, upstream } => self.take_over_health(proxy, upstream),
            Event::PodDies(pod) => self.pod_dies(pod),
            Event::PodIsBack(pod) => self.pod_is_back(pod),
            Event::EndpointChanges { pod, ready } => {
                let news = if ready { EndpointNews::Ready } else { EndpointNews::Unready };
                self.cluster.change_endpoint(self.topology, pod, news, self.now);
                self.controller_sees_fault(pod);
            }
            Event::WorkloadsStart => self.workloads_start(),
            Event::WorkloadChanges(place) => self.workload_changes(place),
            Event::PodAdvances { place, incarnation } => self.pod_advances(place as usize, incarnation),
            Event::EndpointAnnounced { pod, appears } => self.endpoint_announced(pod, appears),
            Event::MetricsScraped => self.scrape_metrics(),
            Event::AutoscalersSync => self.sync_autoscalers(),
            Event::SampleTaken => self.take_sample(),
            Event::QuarterEnds => self.end_quarter(),
            _ => unreachable!("handled before"),
        }
    }

    /// Schedules the events of the containers whose next change moved.
    fn schedule_cpu(&mut self) {
        for retimed in self.compute.take_retimed() {
            let event = Event::CpuDone { container: retimed.container, epoch: retimed.epoch };
            self.scheduler.schedule_for(retimed.entity, retimed.at, event);
        }
    }

    /// The next random number of this cluster.
    pub(crate) fn next_draw(&mut self) -> Address {
        self.cluster.draws += 1;
        self.topology.draws.of_cluster(self.cluster.id, self.cluster.draws)
    }

    /// Sends a message that goes onto the first link of its way at once; tells when its first bit
    /// leaves.
    pub(crate) fn send(&mut self, message: Message, address: Address, purpose: Purpose) -> SimTime {
        self.send_with(message, address, purpose, SimDuration::ZERO)
    }

    /// The same of a message that has arrived so much later, because a part of it was lost.
    pub(crate) fn send_with(
        &mut self,
        message: Message,
        address: Address,
        purpose: Purpose,
        late: SimDuration,
    ) -> SimTime {
        let route = self.topology.route(self.cluster.id, message.to).expect("a way to every callee");
        let spec = &self.topology.description.links[route.link as usize];
        let link = &mut self.cluster.links[route.port as usize];
        let sent = link.transmit(self.now, message.wire_bytes);
        let mut at = sent.ends + spec.round_trip / 2 + jitter(spec.jitter, address, purpose) + late;
        // Requests and answers over a link that is cut are not sent at all.
        if !self.topology.description.link_faults.is_empty()
            && !matches!(message.body, Body::Request(_) | Body::Response(_))
        {
            let leaves = self.topology.told_at(self.cluster.id, message.to, self.now);
            at = at.saturating_add(leaves - self.now);
        }
        self.scheduler.send(route.next.entity(), at, message);
        sent.begins
    }

    fn forward(&mut self, message: Message) {
        let (address, purpose) = match &message.body {
            Body::Request(request) => (request.address, Purpose::TransitRequest),
            Body::GivenUp { address, .. } => (*address, Purpose::TransitRequest),
            Body::Response(response) => (response.address, Purpose::TransitResponse),
            Body::Reset { address, .. } => (*address, Purpose::TransitResponse),
            Body::Endpoint { .. } | Body::PodEnded { .. } => (self.next_draw(), Purpose::LinkControl),
        };
        self.cluster.recorder.other_bytes_sent(message.wire_bytes);
        self.send(message, address.child(u64::from(self.cluster.id.0)), purpose);
    }
}
