//! Makes processes of a description and runs them.
//!
//! # Models
//! Each cluster is an entity. Clusters that share a host form one process, because each sees at
//! once what the others do to its cores; all others are processes of their own.

use super::containers::place_containers;
use super::decisions;
use super::description::Description;
use super::timeline::timelines;
use super::topology::Topology;
use crate::cluster::event::Event;
use crate::cluster::handle::Shard;
use crate::cluster::job::Job;
use crate::cluster::message::Message;
use crate::cluster::state::Cluster;
use crate::compute::Compute;
use crate::ids::{ClusterId, ContainerId, HostId};
use crate::telemetry::control_log::ControlLog;
use crate::telemetry::decision::Decision;
use crate::telemetry::exporters::samples::Samples;
use crate::telemetry::link_traffic::{LinkBytes, LinkTraffic};
use crate::telemetry::metrics::{Metrics, MetricsSum};
use crate::telemetry::pod_cpu::PodCpu;
use crate::telemetry::request_log::RequestRow;
use crate::telemetry::scrapes::Scrapes;
use crate::telemetry::slices::Slices;
use crate::telemetry::time_series::TimeSeries;
use crate::telemetry::trace::Traces;
use crate::telemetry::traffic_matrix::{TrafficMatrix, TrafficRow};
use crate::telemetry::work::{RequestId, Work};
use meshsim_core::{Engine, EntityId, Id, Lookahead, RunControl, RunEnd, SimTime, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A world that is ready to run. A clone goes on from where it is.
#[derive(Clone)]
pub struct World {
    engine: Engine<Shard>,
    replication: u32,
    end: SimTime,
    /// Requests that have ended and for which something may still be done.
    ended: Vec<RequestRow>,
}

/// What a run reports.
#[derive(Clone, Debug)]
pub struct Record {
    /// Every user request that was not taken before ([`World::take_requests`]), in the order of arrival (ties in the
    /// order of the populations); among them all that are in flight.
    pub requests: Vec<RequestRow>,
    /// What was done for each of them until the end of the run, in the same order; empty unless it was asked for.
    pub work: Vec<Work>,
    /// The Deployments of each cluster, by their numbers in the description, and the slots of their pods.
    pub deployments: Table<ClusterId, Vec<(usize, Vec<u32>)>>,
    /// Per cluster, what it counted over time.
    pub metrics: Table<ClusterId, Metrics>,
    /// Simulated end of the run.
    pub end: SimTime,
    /// Events and messages handled.
    pub events: u64,
    /// Memory of the proxies of each cluster (bytes).
    pub proxy_memory: Table<ClusterId, f64>,
    /// What pods used over the run, by cluster and slot.
    pub pod_cpu: Table<ClusterId, Vec<PodCpu>>,
    /// Requests in the cells of pods, by cluster and slot, in the mean over each quarter of the run.
    pub in_cells: Table<ClusterId, Vec<[f64; 4]>>,
    /// Per cluster, what Kubernetes' controllers did.
    pub control: Table<ClusterId, ControlLog>,
    /// Per cluster, how it changed over time.
    pub series: Table<ClusterId, TimeSeries>,
    /// Who sent how much to whom from the end of the warm-up on, by the client's cluster, its service, the called
    /// service and the server's cluster.
    pub traffic: Vec<TrafficRow>,
    /// What every link carried from the end of the warm-up on, each way.
    pub links: Vec<LinkBytes>,
    /// What was decided, in the order of time, if that is kept.
    pub decisions: Vec<Decision>,
    /// Per cluster, what Prometheus has scraped, if that is kept.
    pub scraped: Table<ClusterId, Samples>,
}

impl World {
    /// Builds replication `replication` of a description.
    #[must_use]
    pub fn new(description: &Description, replication: u32) -> Self {
        let groups = share_hosts(description);
        let (topology, machines) = map_of(description, replication, &groups);
        let end = description.end();
        let slices = Slices::new(end, SimTime::ZERO + description.warm_up);
        let processes = groups.iter().zip(machines).map(|(group, machines)| {
            let entities = group.iter().map(|cluster| cluster.entity()).collect();
            (Shard::new(&topology, group, machines, slices), entities)
        });
        let mut engine = Engine::new(processes.collect(), &lookahead(description, &groups));
        for (entity, at, event) in Shard::first_events(&topology) {
            engine.schedule(entity, at, event);
        }
        let mut timelines = timelines(&topology);
        for (cluster, timeline) in timelines.enumerate() {
            if let Some(at) = timeline.next() {
                engine.schedule(cluster.entity(), at, Event::KnownIsDue);
            }
        }
        engine.processes_mut().for_each(|shard| shard.set_timelines(&mut timelines));
        Self { engine, replication, end, ended: Vec::new() }
    }

    /// The same world as it is now, but for what offloading controllers are told from now on.
    ///
    /// The description differs from this world's in that alone, and has as many controllers of the same edges: nothing else
    /// of it is looked at that would not be the same.
    #[must_use]
    pub fn fork(&self, description: &Description) -> Self {
        let (topology, _) = map_of(description, self.replication, &share_hosts(description));
        let mut fork = self.clone();
        fork.engine.processes_mut().for_each(|shard| shard.adopt(&topology));
        fork
    }

    /// What Prometheus has in a cluster for its offloading controllers, if any stand there.
    #[must_use]
    pub fn scrapes(&self, cluster: ClusterId) -> Option<&Scrapes> {
        let mut clusters = self.engine.processes().flat_map(Shard::clusters);
        clusters.find(|it| it.id == cluster)?.owners.control.scrapes()
    }

    /// What the controllers of each cluster have done so far.
    pub fn control_logs(&self) -> impl Iterator<Item = &ControlLog> {
        self.engine.processes().flat_map(Shard::clusters).map(|it| it.recorder.control())
    }

    /// The same world, which also keeps what is done for each request.
    #[must_use]
    pub fn keeping_work(description: &Description, replication: u32) -> Self {
        let mut world = Self::new(description, replication);
        world.engine.processes_mut().for_each(Shard::keep_work);
        world
    }

    /// The same world, which also keeps all that befalls these requests.
    #[must_use]
    pub fn tracing(description: &Description, replication: u32, mut chosen: Vec<RequestId>) -> Self {
        chosen.sort_unstable();
        let chosen: Arc<[RequestId]> = chosen.into();
        let mut world = Self::new(description, replication);
        let clusters = world.engine.processes_mut().flat_map(Shard::clusters_mut);
        clusters.for_each(|it| it.recorder.trace(Arc::clone(&chosen)));
        world
    }

    /// Takes what befell chosen requests so far, with nothing left of them; what befalls them later is not kept.
    pub fn take_traces(&mut self) -> Traces {
        let clusters = self.engine.processes_mut().flat_map(Shard::clusters_mut);
        let mut entries: Vec<_> = clusters.map(|it| (it.id, it.recorder.take_trace())).collect();
        entries.sort_by_key(|(cluster, _)| *cluster);
        Traces { entries }
    }

    /// Runs to the end of the described time.
    pub fn run(&mut self, control: &mut RunControl<'_>) -> RunEnd {
        self.engine.run(control)
    }

    /// What pods have used until `now`, to which the world has run, by cluster and slot.
    #[must_use]
    pub fn pod_cpu(&self, now: SimTime) -> Table<ClusterId, Vec<PodCpu>> {
        let mut by_cluster: BTreeMap<EntityId, Vec<PodCpu>> = BTreeMap::new();
        for shard in self.engine.processes() {
            by_cluster.extend(shard.clusters().map(|it| (it.id.entity(), shard.pod_cpu(it, now))));
        }
        by_cluster.into_values().collect()
    }

    /// When the described time ends.
    #[must_use]
    pub const fn end(&self) -> SimTime {
        self.end
    }

    /// Checks that what every cluster counts is what it has.
    ///
    /// # Panics
    /// If an invariant does not hold: a bug of the simulator.
    pub fn check_invariants(&self) {
        self.engine.processes().for_each(Shard::check_invariants);
    }

    /// Takes the last samples, checks the invariants and takes the report.
    ///
    /// # Panics
    /// If an invariant does not hold: a bug of the simulator.
    #[must_use]
    pub fn finish(mut self) -> Record {
        let end = self.end;
        self.engine.processes_mut().for_each(|shard| shard.end(end));
        let mut clusters: BTreeMap<EntityId, &Cluster> = BTreeMap::new();
        let pod_cpu = self.pod_cpu(end);
        for shard in self.engine.processes() {
            shard.check_invariants();
            clusters.extend(shard.clusters().map(|it| (it.id.entity(), it)));
        }
        let events = self.engine.handled();
        let topology = self.engine.processes().next().map(Shard::topology).expect("a world has a cluster");
        let proxy_memory = clusters.values().map(|it| topology.proxy_memory(&it.proxies)).collect();
        let all = || clusters.values();
        let mut requests: Vec<RequestRow> = all().flat_map(|it| it.recorder.log().rows()).copied().collect();
        requests.append(&mut self.ended);
        requests.extend(all().flat_map(|it| in_flight(it)));
        requests.sort_unstable_by_key(RequestRow::order);
        let mut record = Record {
            work: by_request(&requests, all().flat_map(|it| it.recorder.work().entries())),
            requests,
            deployments: all().map(|it| slots_of_deployments(it, topology)).collect(),
            metrics: Table::new(),
            end: self.end,
            events,
            proxy_memory,
            pod_cpu,
            in_cells: all()
                .map(|it| it.recorder.quarters().means(it.owners.inbound.cells(), self.end))
                .collect(),
            control: Table::new(),
            series: Table::new(),
            traffic: TrafficMatrix::merged(
                all().map(|it| (it.id, it.recorder.traffic())),
                topology.flows.table(),
            ),
            links: LinkTraffic::per_link(all().map(|it| (it.id, it.recorder.links())), topology),
            decisions: Vec::new(),
            scraped: Table::new(),
        };
        if topology.description.keeps_decisions {
            let decided = all().flat_map(|it| it.recorder.decisions().iter().copied());
            record.decisions = decisions::in_order(topology, decided);
        }
        let clusters = self.engine.processes_mut().flat_map(Shard::clusters_mut);
        let reports: BTreeMap<_, _> = clusters
            .map(|it| (it.id.entity(), (it.recorder.take_report(), it.recorder.take_samples())))
            .collect();
        for ((metrics, control, series), scraped) in reports.into_values() {
            record.metrics.push(metrics);
            record.control.push(control);
            record.series.push(series);
            record.scraped.push(scraped);
        }
        record
    }

    /// Takes the user requests that have ended since they were last taken, in no order that means anything.
    pub fn take_requests(&mut self, mut each: impl FnMut(&RequestRow)) {
        for cluster in self.engine.processes_mut().flat_map(Shard::clusters_mut) {
            cluster.recorder.take_requests().for_each(|row| each(&row));
        }
    }

    /// Takes the user requests that are over, with all that was done for each, in no order that means anything: they
    /// have ended, and nothing is done for them any more. Of a world that keeps what is done.
    pub fn take_finished(&mut self, mut each: impl FnMut(&RequestRow, &Work)) {
        let mut ended = std::mem::take(&mut self.ended);
        self.take_requests(|row| ended.push(*row));
        let goes_on = self.worked_for();
        let (finished, ended): (Vec<RequestRow>, Vec<RequestRow>) =
            ended.into_iter().partition(|row| goes_on.binary_search(&row.id()).is_err());
        self.ended = ended;
        let mut indices: Vec<(RequestId, usize)> = finished.iter().map(RequestRow::id).zip(0..).collect();
        indices.sort_unstable();
        let mut work = vec![Work::default(); finished.len()];
        for cluster in self.engine.processes_mut().flat_map(Shard::clusters_mut) {
            cluster.recorder.take_work(|request, part| {
                let found = indices.binary_search_by_key(&request, |(id, _)| *id);
                found.is_ok_and(|found| {
                    work[indices[found].1] += *part;
                    true
                })
            });
        }
        finished.iter().zip(&work).for_each(|(row, work)| each(row, work));
    }

    /// The requests for which something may still be done, ended or not, in ascending order.
    fn worked_for(&self) -> Vec<RequestId> {
        let in_transit = self.engine.messages().filter_map(Message::request);
        let mut requests: Vec<RequestId> = in_transit.collect();
        for it in self.engine.processes().flat_map(Shard::clusters) {
            requests.extend(it.works().map(|work| it.recorder.request_of(work)));
            requests.extend(it.owners.network.requests_in_gateways());
        }
        requests.sort_unstable();
        requests.dedup();
        requests
    }

    /// Memory of what grows with the load (bytes): requests and calls in flight, connections, events to come and the
    /// rows of user requests that nobody has taken, which are copied at the end. What is nearly full counts with what it takes next.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let clusters = self.engine.processes().flat_map(Shard::clusters);
        self.engine.bytes()
            + self.ended.capacity() * size_of::<RequestRow>()
            + clusters.map(Cluster::bytes).sum::<usize>()
    }

    /// Events and messages handled by each process: a cluster, or those that share a host.
    #[must_use]
    pub fn events_by_process(&self) -> Vec<u64> {
        self.engine.handled_by_process().collect()
    }

    /// Rounds of the engine so far.
    #[must_use]
    pub const fn rounds(&self) -> u64 {
        self.engine.rounds()
    }

    /// User requests without an answer, and all so far.
    #[must_use]
    pub fn open_and_all_requests(&self) -> (u64, u64) {
        self.engine.processes().flat_map(Shard::clusters).fold((0, 0), |(open, all), cluster| {
            (open + cluster.owners.users.open_requests().count() as u64, all + cluster.recorder.log().sent())
        })
    }

    /// CPU time that the cells still have to use for what they were given (s).
    #[must_use]
    pub fn cpu_seconds_left(&self) -> f64 {
        self.engine.processes().map(|it| it.cpu_seconds_left(self.end)).sum()
    }

    /// Calls and hops in flight, over all clusters.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        self.engine.processes().flat_map(Shard::clusters).fold((0, 0), |(calls, hops), cluster| {
            (calls + cluster.owners.inbound.calls().count(), hops + cluster.owners.outbound.hops().count())
        })
    }
}

impl Record {
    /// What a cluster counted after a cut: exactly at the end of the warm-up, else from the next slice of the run on.
    #[must_use]
    pub fn metrics_from(&self, cluster: ClusterId, cut: SimTime) -> MetricsSum {
        self.metrics[cluster].sum_from(cut)
    }

    /// Calls that each pod of a cluster served from `from` to `to`, rounded to slices of the run.
    #[must_use]
    pub fn served_between(&self, cluster: ClusterId, from: SimTime, to: SimTime) -> Vec<u64> {
        self.metrics[cluster].served_between(from, to)
    }
}

/// The Deployments of a cluster and the slots of their pods.
fn slots_of_deployments(cluster: &Cluster, topology: &Topology) -> Vec<(usize, Vec<u32>)> {
    let deployments = &topology.description.deployments;
    let slots = |&number: &usize| (number, cluster.pods.slots_of(deployments[number].service).to_vec());
    topology.deployments_in[cluster.id].iter().map(slots).collect()
}

/// The user requests of a cluster that have not ended.
fn in_flight(cluster: &Cluster) -> impl Iterator<Item = RequestRow> {
    cluster.owners.users.open_requests().map(RequestRow::open)
}

/// What all clusters together did for each request; nothing if they have kept nothing.
///
/// # Panics
/// If something was done for a request that nobody sent.
fn by_request<'a>(
    requests: &[RequestRow],
    entries: impl Iterator<Item = &'a (RequestId, Work)>,
) -> Vec<Work> {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return Vec::new();
    }
    let mut indices: Vec<(RequestId, usize)> = requests.iter().map(RequestRow::id).zip(0..).collect();
    indices.sort_unstable();
    let mut work = vec![Work::default(); requests.len()];
    for &(request, part) in entries {
        let found = indices.binary_search_by_key(&request, |(id, _)| *id).expect("somebody sent it");
        work[indices[found].1] += part;
    }
    work
}

/// A description's map, and the containers of each group of clusters.
fn map_of(
    description: &Description,
    replication: u32,
    groups: &[Vec<ClusterId>],
) -> (Arc<Topology>, Vec<Machines>) {
    let mut topology = Topology::new(description.clone(), replication);
    let machines = groups.iter().map(|group| place_containers(&mut topology, group)).collect();
    (Arc::new(topology), machines)
}

/// The CPUs of a group of clusters, and the containers on them.
type Machines = (Compute<Job>, Vec<Vec<ContainerId>>);

/// Clusters by the hosts that they share, each group in ascending order.
fn share_hosts(description: &Description) -> Vec<Vec<ClusterId>> {
    // Each cluster points at a lower one of its group; the lowest points at itself.
    let mut leader: Vec<usize> = (0..description.clusters.len()).collect();
    let mut first_on: BTreeMap<HostId, usize> = BTreeMap::new();
    for (cluster, spec) in description.clusters.enumerate() {
        for host in spec.nodes.iter().map(|node| node.host) {
            let other = *first_on.entry(host).or_insert(cluster.index());
            let (a, b) = (lowest(&mut leader, other), lowest(&mut leader, cluster.index()));
            leader[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<ClusterId>> = BTreeMap::new();
    for cluster in description.clusters.ids() {
        groups.entry(lowest(&mut leader, cluster.index())).or_default().push(cluster);
    }
    groups.into_values().collect()
}

/// The lowest cluster of a group; the way there becomes shorter.
fn lowest(leader: &mut [usize], mut cluster: usize) -> usize {
    while leader[cluster] != cluster {
        leader[cluster] = leader[leader[cluster]];
        cluster = leader[cluster];
    }
    cluster
}

/// The least delay of a message between any two processes: that of their shortest link.
fn lookahead(description: &Description, groups: &[Vec<ClusterId>]) -> Vec<Lookahead> {
    let mut process_of = vec![0; description.clusters.len()];
    for (process, group) in groups.iter().enumerate() {
        group.iter().for_each(|cluster| process_of[cluster.index()] = process);
    }
    let mut least: BTreeMap<(usize, usize), Lookahead> = BTreeMap::new();
    for link in &description.links {
        let [a, b] = link.between.map(|cluster| process_of[cluster.index()]);
        for (from, to) in [(a, b), (b, a)] {
            let delay = link.round_trip / 2;
            let entry = least.entry((from, to)).or_insert(Lookahead { from, to, delay });
            entry.delay = entry.delay.min(delay);
        }
    }
    least.into_values().filter(|lookahead| lookahead.from != lookahead.to).collect()
}
