//! Where events and messages are sent on to the owner that they concern, and what owners hand to each other is
//! passed on.
//!
//! # Models
//! A request passes each owner once: users, outbound, network, inbound, network, outbound, users. Control acts
//! between requests; the recorder hears of everything.

use super::around::{Around, cpu_events};
use super::crossing::Crossing;
use super::event::Event;
use super::handed::{Answered, Handed};
use super::job::Job;
use super::message::{Body, Message};
use super::news::{OffloadingNews, Push};
use super::outbound::hop::Origin;
use super::state::{Cluster, Owners};
use super::{sampling, scraping};
use crate::compute::{Compute, ComputeEvent};
use crate::ids::{ClusterId, ContainerId, PodId, PopulationId};
use crate::telemetry::pod_cpu::PodCpu;
use crate::telemetry::slices::Slices;
use crate::world::timeline::Timeline;
use crate::world::topology::Topology;
use meshsim_core::{EntityId, Id, Process, Scheduler, SimTime, Table};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A pod, an order, or a status, as API servers send it (bytes).
const SHADOW_BYTES: u32 = 4_000;

/// Calls a method of an owner, with what surrounds it.
macro_rules! to {
    ($self:ident . $owner:ident . $method:ident ($($argument:expr),*)) => {{
        walk::passes(stringify!($owner));
        $self.owners.$owner.$method(&mut $self.at, $($argument),*)
    }};
}

/// The clusters of one process and the hosts that they share.
#[derive(Clone)]
pub struct Shard {
    topology: Arc<Topology>,
    /// In ascending order.
    clusters: Vec<Cluster>,
    compute: Compute<Job>,
    /// Done at the same moment as the job that is told.
    others_done: Vec<Job>,
    handed: Vec<Handed>,
}

/// The owners of a cluster's state, and what surrounds them while something happens.
pub(super) struct Dispatcher<'a> {
    pub(super) owners: &'a mut Owners,
    pub(super) at: Around<'a>,
}

impl Shard {
    pub(crate) fn new(
        topology: &Arc<Topology>,
        group: &[ClusterId],
        (compute, containers): (Compute<Job>, Vec<Vec<ContainerId>>),
        slices: Slices,
    ) -> Self {
        let cluster = |(&id, containers)| Cluster::new(id, topology, containers, slices);
        Self {
            clusters: group.iter().zip(containers).map(cluster).collect(),
            topology: Arc::clone(topology),
            compute,
            others_done: Vec::with_capacity(16),
            handed: Vec::with_capacity(16),
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
                let think = it.arrivals.think(None, address, true);
                (it.cluster.entity(), SimTime::ZERO + think, Event::UserThought { population, number })
            }));
        }
        events
    }

    /// What is known in advance of its clusters.
    pub(crate) fn set_timelines(&mut self, timelines: &mut Table<ClusterId, Timeline>) {
        for cluster in &mut self.clusters {
            cluster.timeline = std::mem::take(&mut timelines[cluster.id]);
        }
    }

    /// What the pods of a cluster have used until `now`, by slot.
    pub(crate) fn pod_cpu(&self, cluster: &Cluster, now: SimTime) -> Vec<PodCpu> {
        let has_sidecars = self.topology.has_sidecars();
        let used = |(slot, container)| PodCpu {
            application: self.compute.used_at(container, now) / 1e9,
            sidecar: match has_sidecars {
                true => cluster.proxies[cluster.proxies.sidecar(slot)].cpu_used / 1e9,
                false => 0.0,
            },
        };
        cluster.pods.containers().enumerate().map(used).collect()
    }

    /// CPU time that the cells of all clusters still have to use for what they were given (s).
    pub(crate) fn cpu_seconds_left(&self, now: SimTime) -> f64 {
        let containers = self.clusters.iter().flat_map(|it| it.pods.containers());
        containers.map(|it| self.compute.left_at(it, now)).sum::<f64>() / 1e9
    }

    /// The run is over: its last samples are taken.
    pub(crate) fn end(&mut self, now: SimTime) {
        for cluster in &mut self.clusters {
            cluster.owners.control.ends(&mut cluster.recorder, now);
            sampling::take_sample(cluster, &self.topology, &self.compute, now);
        }
    }

    /// Every cluster keeps what it does for each request.
    pub(crate) fn keep_work(&mut self) {
        for cluster in &mut self.clusters {
            cluster.recorder.keep_work();
        }
    }

    /// Its controllers go by another description from now on.
    pub(crate) fn adopt(&mut self, topology: &Arc<Topology>) {
        self.topology = Arc::clone(topology);
        self.clusters.iter_mut().for_each(|it| it.owners.control.adopt_offloading(topology));
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

    /// What concerns more than the owners: what is known in advance is due, or a cluster's state is read.
    #[cold]
    fn handle_outside_owners(
        &mut self,
        entity: EntityId,
        event: Event,
        scheduler: &mut Scheduler<Event, Message>,
    ) {
        if let Event::KnownIsDue = event {
            let due = self.take_known(entity, scheduler);
            return self.handle(entity, due, scheduler);
        }
        let (cluster, topology) = (cluster_of(&mut self.clusters, entity), &*self.topology);
        match event {
            Event::SampleTaken => sampling::sample_is_due(cluster, topology, &self.compute, scheduler),
            Event::TargetsScraped => scraping::scrape(cluster, topology, &self.compute, scheduler),
            _ => sampling::end_quarter(cluster, topology, scheduler),
        }
    }

    fn dispatcher<'a>(
        &'a mut self,
        entity: EntityId,
        scheduler: &'a mut Scheduler<Event, Message>,
    ) -> Dispatcher<'a> {
        let Self { topology, clusters, compute, handed, .. } = self;
        Dispatcher::new(cluster_of(clusters, entity), topology, compute, scheduler, handed)
    }

    /// What is due of all that is known in advance of a cluster.
    fn take_known(&mut self, entity: EntityId, scheduler: &mut Scheduler<Event, Message>) -> Event {
        let timeline = &mut cluster_of(&mut self.clusters, entity).timeline;
        let due = timeline.take();
        if let Some(at) = timeline.next() {
            scheduler.schedule_next(at, Event::KnownIsDue);
        }
        due
    }

    /// CPU work that is done goes on to its next stage, job by job.
    fn cpu_event(
        &mut self,
        entity: EntityId,
        event: ComputeEvent,
        scheduler: &mut Scheduler<Event, Message>,
    ) {
        let now = scheduler.now();
        let done = self.compute.on_event(now, event, &mut self.others_done, cpu_events(scheduler));
        let Some(job) = done else { return };
        let Self { topology, clusters, compute, handed, others_done } = self;
        let cluster = cluster_of(clusters, entity);
        let mut dispatcher = Dispatcher::new(cluster, topology, compute, scheduler, handed);
        dispatcher.job_done(job);
        if !others_done.is_empty() {
            dispatcher.jobs_done(others_done);
        }
    }
}

/// An entity's cluster, of all in ascending order.
#[inline]
fn cluster_of(clusters: &mut [Cluster], entity: EntityId) -> &mut Cluster {
    match clusters {
        // Most share no host with others.
        [only] => only,
        all => {
            let index = all.partition_point(|cluster| cluster.id.entity() < entity);
            &mut all[index]
        }
    }
}

impl Process for Shard {
    type Event = Event;
    type Message = Message;

    fn handle(&mut self, entity: EntityId, event: Event, scheduler: &mut Scheduler<Event, Message>) {
        match event {
            Event::Compute(event) => return self.cpu_event(entity, event, scheduler),
            Event::KnownIsDue | Event::SampleTaken | Event::TargetsScraped | Event::QuarterEnds => {
                return self.handle_outside_owners(entity, event, scheduler);
            }
            _ => {}
        }
        let mut dispatcher = self.dispatcher(entity, scheduler);
        dispatcher.handle(event);
        dispatcher.pass_on();
    }

    fn receive(&mut self, entity: EntityId, message: Message, scheduler: &mut Scheduler<Event, Message>) {
        let mut dispatcher = self.dispatcher(entity, scheduler);
        dispatcher.receive(message);
        dispatcher.pass_on();
    }
}

impl<'a> Dispatcher<'a> {
    /// A cluster's owners, what surrounds them, and where they put what is for others.
    #[inline]
    pub(super) fn new(
        cluster: &'a mut Cluster,
        topology: &'a Topology,
        compute: &'a mut Compute<Job>,
        scheduler: &'a mut Scheduler<Event, Message>,
        handed: &'a mut Vec<Handed>,
    ) -> Self {
        let Cluster { id, owners, recorder, proxies, pods, draws, .. } = cluster;
        let at = Around {
            now: scheduler.now(),
            here: *id,
            topology,
            scheduler,
            compute,
            recorder,
            proxies,
            pods,
            draws,
            handed,
        };
        Self { owners, at }
    }
}

impl Dispatcher<'_> {
    /// Something happens.
    #[inline(always)]
    fn handle(&mut self, event: Event) {
        match event {
            Event::UserSends(population) => {
                if let Some(new) = to!(self.users.user_sends(population)) {
                    to!(self.outbound.begins(&new));
                }
            }
            Event::UserThought { population, number } => {
                if let Some(new) = to!(self.users.user_thought(population, number)) {
                    to!(self.outbound.begins(&new));
                }
            }
            Event::ReachesProxy(hop) => to!(self.outbound.proxy_receives(hop)),
            Event::Routes(hop) => to!(self.outbound.route(hop)),
            Event::ConnectionReady(connection) => to!(self.outbound.connection_ready(connection)),
            Event::HopCompletes(hop) => {
                if let Some(answered) = to!(self.outbound.hop_completes(hop)) {
                    self.answered(&answered);
                }
            }
            Event::Arrives(crossing) => {
                match &self.owners.network.crossings[crossing] {
                    Crossing::Request(request) => to!(self.inbound.request_arrives(request)),
                    Crossing::Response(response) => to!(self.outbound.response_arrives(response)),
                    Crossing::Reset(reset) => to!(self.outbound.reset_arrives(reset.hop, reset.address)),
                }
                self.owners.network.crossings.remove(crossing);
            }
            Event::RoundLeaves(sending) => to!(self.network.round_leaves(sending)),
            Event::CellReceives(call) => to!(self.inbound.cell_receives(call)),
            Event::Slept(call) => to!(self.inbound.slept(call)),
            Event::ResponseLeaves(call) => {
                if let Some(response) = to!(self.inbound.response_leaves(call)) {
                    to!(self.network.carry_response(response));
                }
            }
            rare => self.handle_rare(rare),
        }
    }

    /// What happens so seldom that it must not make the others slower.
    #[cold]
    fn handle_rare(&mut self, event: Event) {
        match event {
            Event::UserTriesAgain(request) => {
                if let Some(new) = to!(self.users.user_tries_again(request)) {
                    to!(self.outbound.begins(&new));
                }
            }
            Event::LeavesGateway(message) => {
                let message = self.owners.network.leave_gateway(message);
                self.take_in(message);
            }
            Event::AnswerLeavesGateway(answer) => to!(self.network.answer_leaves_gateway(answer)),
            Event::FollowsRoute(hop) => to!(self.outbound.follow_route(hop)),
            Event::Attempts(hop) => to!(self.outbound.attempt(hop)),
            Event::DeadlinesCome { route, of_tries } => to!(self.outbound.deadlines_come(route, of_tries)),
            Event::RequestLeaves { hop, attempt } => to!(self.outbound.request_leaves(hop, attempt)),
            Event::HeldResponseArrives(held) => to!(self.outbound.held_response_arrives(held)),
            Event::CallersGiveUp(queue) => to!(self.outbound.callers_give_up(queue)),
            Event::CallerIsGone(hop) => to!(self.outbound.caller_is_gone(hop)),
            Event::ConnectionFails(connection) => to!(self.outbound.connection_failed(connection)),
            Event::LeavesNode(hop) => to!(self.outbound.leave_node(hop)),
            Event::AnswerReachesNode(hop) => to!(self.outbound.answer_reaches_node(hop)),
            Event::ResetArrives { hop, attempt } => to!(self.outbound.attempt_is_reset(hop, attempt)),
            Event::OutlierTick { proxy, upstream } => to!(self.outbound.outlier_tick(proxy, upstream)),
            Event::TakesOverHealth { proxy, upstream } => {
                to!(self.outbound.take_over_health(proxy, upstream));
            }
            Event::PodDies(pod) => self.pod_dies(pod),
            Event::PodIsBack(pod) => to!(self.control.pod_is_back(pod)),
            Event::WorkloadsStart => to!(self.control.workloads_start()),
            Event::WorkloadChanges(number) => to!(self.control.workload_changes(number)),
            Event::PodAdvances { slot, generation } => self.pod_advances(slot as usize, generation),
            Event::ApiServerTells(news) => to!(self.control.api_server_tells(news)),
            Event::IstiodSteps(step) => to!(self.control.istiod_steps(step)),
            Event::PeerIsWatched(step) => to!(self.control.watches_peer(step)),
            Event::MetricsScraped => to!(self.control.scrape_metrics(self.owners.inbound.cells())),
            Event::CentrallyScraped => to!(self.control.scrape_centrally(self.owners.inbound.cells())),
            Event::OffloadingScrapes => to!(self.control.scrape_for_offloading()),
            Event::OffloadingWakes(number) => to!(self.control.offloading_wakes(number)),
            Event::AutoscalersSync => to!(self.control.sync_autoscalers()),
            Event::GatewaysDie => to!(self.outbound.gateways_die()),
            Event::IstiodDiesOrIsBack => to!(self.control.istiod_dies_or_is_back()),
            Event::ApiServerIsBack => to!(self.control.api_server_is_back()),
            Event::NodesChecked => to!(self.control.nodes_are_checked()),
            Event::NodesTainted => to!(self.control.nodes_are_tainted()),
            Event::KubeletPosts(node) => to!(self.control.kubelet_posts(node as usize)),
            Event::NodeDrains(node) => to!(self.control.node_drains(node as usize)),
            Event::NodeIsUncordoned(node) => to!(self.control.node_is_uncordoned(node as usize)),
            Event::PodIsEvicted { slot, generation } => {
                to!(self.control.pod_is_evicted(slot as usize, generation));
            }
            _ => unreachable!("handled before"),
        }
    }

    /// A message reaches the cluster.
    fn receive(&mut self, message: Message) {
        if !self.owners.network.has_gateways() {
            self.take_in(message);
        } else if let Some(message) = to!(self.network.enter_gateway(message)) {
            self.take_in(message);
        }
    }

    /// A message is in the cluster.
    #[inline]
    fn take_in(&mut self, message: Message) {
        if message.to != self.at.here {
            return to!(self.network.forward(message));
        }
        match message.body {
            Body::Request(mut request) => {
                request.work = self.at.recorder.work_begins(request.request);
                to!(self.inbound.request_arrives(&request));
            }
            Body::Response(response) => to!(self.outbound.response_arrives(&response)),
            Body::Reset(reset) => to!(self.outbound.reset_arrives(reset.hop, reset.address)),
            Body::GivenUp(gone) => to!(self.inbound.client_gives_up(&gone)),
            Body::News(news) => to!(self.control.istiod_learns(news)),
            Body::Push(push) => self.take_push(push),
            Body::Shadow { from, news, counters } => {
                to!(self.control.shadow_news(from, news, &counters));
            }
            Body::Offloading(news) => to!(self.control.takes_offloading(news)),
            // What it says is in the histories of whoever sent it.
            Body::Telemetry => {}
            Body::PodEnded { pod } => to!(self.outbound.remote_pod_ended(pod)),
        }
    }

    /// Pieces of CPU work are done at the same moment as another.
    #[cold]
    fn jobs_done(&mut self, jobs: &mut Vec<Job>) {
        jobs.drain(..).for_each(|job| self.job_done(job));
    }

    /// A piece of CPU work is done.
    #[inline(always)]
    fn job_done(&mut self, job: Job) {
        match job {
            Job::Call { call, stage } => to!(self.inbound.job_done(call, stage)),
            Job::Start(slot) => to!(self.control.start_work_is_done(slot as usize)),
        }
        self.pass_on();
    }

    /// Passes on what owners have handed over, in that order, until there is nothing left.
    #[inline(always)]
    fn pass_on(&mut self) {
        // After most events there is nothing, after most others one thing.
        let mut next = 0;
        while next < self.at.handed.len() {
            self.pass_on_one(next);
            next += 1;
        }
        self.at.handed.clear();
    }

    /// By itself, so that what one kind of thing needs is not prepared for the others.
    #[inline(never)]
    fn pass_on_one(&mut self, index: usize) {
        match self.at.handed[index] {
            Handed::Call { call, group, step } => {
                let new = self.owners.inbound.new_request(&self.at, call, group, step);
                to!(self.outbound.begins(&new));
            }
            Handed::Request(hop) => {
                let request = self.owners.outbound.request_of(&self.at, hop);
                to!(self.network.carry_request(&request));
            }
            Handed::Response(call) => {
                let response = self.owners.inbound.take_response(&self.at, call);
                to!(self.network.carry_response(response));
            }
            Handed::Answered(answered) => self.answered(&answered),
            rare => self.pass_on_rare(rare),
        }
    }

    #[cold]
    fn pass_on_rare(&mut self, what: Handed) {
        match what {
            Handed::Reset(reset) => to!(self.network.carry_reset(&reset)),
            Handed::GivenUp(gone) => {
                if let Some(gone) = to!(self.network.carry_given_up(&gone)) {
                    to!(self.inbound.client_gives_up(&gone));
                }
            }
            Handed::PodMade(pod) => {
                to!(self.inbound.pod_is_made(pod));
                to!(self.outbound.pod_is_made(pod));
            }
            Handed::Push { to, push, .. } if to == self.at.here => self.take_push(push),
            Handed::Push { to, push, wire_bytes } => {
                to!(self.network.push(to, Body::Push(push), wire_bytes));
            }
            Handed::News { news, to } => to!(self.network.tell(news, to)),
            Handed::Telemetry { to, wire_bytes } => {
                to!(self.network.push(to, Body::Telemetry, wire_bytes));
            }
            Handed::Shadow { to, news } => {
                let counters = self.owners.control.counters_of(to, news);
                let body = Body::Shadow { from: self.at.here, news, counters };
                to!(self.network.push(to, body, SHADOW_BYTES));
            }
            Handed::Offloading { to, number } => {
                if let Some(news) = self.owners.control.offloading_news(number) {
                    // A scrape is paid for as such, where observability stands in one cluster.
                    let is_sample = matches!(news, OffloadingNews::Sample { .. });
                    let wire_bytes = if is_sample { 0 } else { SHADOW_BYTES };
                    to!(self.network.push(to, Body::Offloading(news), wire_bytes));
                }
            }
            _ => unreachable!("passed on before"),
        }
    }

    /// A request is over for whoever made it.
    #[inline(always)]
    fn answered(&mut self, Answered { origin, answer }: &Answered) {
        match *origin {
            Origin::User { request, .. } => to!(self.users.answered(request, answer)),
            Origin::Call { call, group, step } => {
                to!(self.inbound.call_answered(call, group, step, answer));
            }
            Origin::Mirror | Origin::Gone => {}
        }
    }

    /// The proxies of this cluster take over what istiod sends.
    fn take_push(&mut self, push: Push) {
        if to!(self.outbound.take_push(push)) {
            to!(self.inbound.take_push(push));
        }
    }

    /// A pod dies, with all that it has under way.
    fn pod_dies(&mut self, pod: PodId) {
        to!(self.inbound.pod_dies(pod));
        to!(self.network.pod_dies(pod));
        to!(self.outbound.pod_dies(pod));
        self.owners.control.pod_dies(self.at.pods.slot_of(pod));
        self.pass_on();
    }

    /// The next step in the life of a pod is due.
    fn pod_advances(&mut self, slot: usize, generation: u32) {
        if !to!(self.control.pod_advances(slot, generation)) {
            return;
        }
        let pod = self.at.pods.pod_in(slot);
        let open = self.owners.inbound.open_at(pod) + self.owners.network.sending_of(pod);
        if !to!(self.control.ends_with(slot, open)) {
            return;
        }
        self.pod_dies(pod);
        self.owners.outbound.close_connections(pod, self.at.now);
        to!(self.network.tell_others(Body::PodEnded { pod }));
        to!(self.control.pod_has_ended(slot, open));
    }
}

/// What a request passes: nobody asks but the test below.
#[cfg(not(test))]
mod walk {
    #[inline(always)]
    pub(super) const fn passes(_owner: &'static str) {}
}

#[cfg(test)]
mod walk {
    use crate::application::internal_service::InternalService;
    use crate::users::arrivals::Arrivals;
    use crate::world::World;
    use crate::world::description::{DataPlane, Description};
    use meshsim_core::{RunControl, SimDuration};
    use std::cell::RefCell;

    thread_local! {
        static PASSED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }

    /// An owner is passed; staying with it is no further step.
    pub(super) fn passes(owner: &'static str) {
        PASSED.with_borrow_mut(|passed| {
            if passed.last() != Some(&owner) {
                passed.push(owner);
            }
        });
    }

    /// One user request to the only pod of the only cluster.
    fn walk(data_plane: DataPlane) -> Vec<&'static str> {
        let mut description = Description::new(SimDuration::from_secs(1));
        description.mesh.data_plane = data_plane;
        let edge = description.add_cluster("edge", 4.0);
        let shop = description.add_service("shop", InternalService::idle());
        description.add_pods(shop, edge, 1);
        description.add_users(edge, shop, Arrivals::Constant { per_second: 1.1 });
        let mut world = World::new(&description, 0);
        PASSED.take();
        world.run(&mut RunControl::until(description.end()));
        let record = world.finish();
        assert_eq!(record.requests.iter().filter(|it| it.end.is_some()).count(), 1);
        PASSED.take()
    }

    #[test]
    fn a_local_request_passes_each_owner_once() {
        let expected = ["users", "outbound", "network", "inbound", "network", "outbound", "users"];
        for data_plane in [DataPlane::Sidecar, DataPlane::None, DataPlane::Ambient] {
            assert_eq!(walk(data_plane), expected, "{data_plane:?}");
        }
    }
}
