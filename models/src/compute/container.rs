//! The application containers of a process and the hosts that they run on.
//!
//! # Models
//! Where nothing is scarce, workers are *apart*: on a host that is not crowded, in a container without a quota and with
//! nothing to do beside its workers, each has a core of its own, and whatever comes or goes concerns one worker. All
//! others of a container go on *together*, at one rate: what changes there concerns them all, and on a crowded host the
//! containers of that host. Times are the same either way, to the bit: sums of thirds, or of a crowded host's rates,
//! depend on the steps in which they are added up, so such a worker takes part in what happens to the others of its
//! container until it is idle again.
//!
//! # Assumptions
//! - A host's cores are shared by application containers only; what proxies and users' software
//!   use is accounted for but takes nothing away. Effect: on a host whose cores are scarce,
//!   latencies are low by about the proxies' share of the CPU.
//! - A worker runs at most on one core at a time and moves between cores at no cost.
//! - Work beside the workers (a start, a just-in-time compiler) is done by threads of its own, which
//!   want so many cores at any time and share quota and host like workers.

use super::due::{Comes, Due};
use super::moments::{after, nanos};
use super::{CfsQuota, ProcessorSharing, max_min_share};
use crate::ids::{ContainerId, HostId, WorkerId};
use meshsim_core::{EntityId, Id, SimTime, Table};
use std::ops::Range;

/// What a container is given.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// The host that it runs on.
    pub host: HostId,
    /// Whose events tell that its jobs are done.
    pub entity: EntityId,
    /// Worker processes.
    pub workers: usize,
    /// Jobs for which a worker has room before it has to allocate.
    pub jobs_per_worker: usize,
    /// Most cores that work beside the workers wants.
    pub beside: f64,
    /// CPU limit (cores), none if absent.
    pub limit: Option<f64>,
    /// Its weight on a crowded host (its CPU request) (cores).
    pub weight: f64,
    /// Where in a CFS period the run begins, 0 to 1.
    pub phase: f64,
}

/// Something that happens by itself. It may be early or late: what is due moves, events stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeEvent {
    /// The next job of a worker that is apart is done.
    WorkerDone(WorkerId),
    /// The next job of a container is done, or its quota stops it or lets it go on.
    ContainerChanges(ContainerId),
}

/// An event that is to be scheduled.
#[derive(Clone, Copy, Debug)]
pub struct NextEvent {
    /// Whose event it is.
    pub entity: EntityId,
    /// When.
    pub at: SimTime,
    /// What it is.
    pub event: ComputeEvent,
}

#[derive(Clone, Debug)]
struct Container<J> {
    host: HostId,
    entity: EntityId,
    /// Its workers: those from this one on.
    first_worker: u32,
    workers: u32,
    /// Whether its workers are apart.
    is_apart: bool,
    /// While they are: those whose sums are not exact.
    inexact_workers: u32,
    /// While they are together: those that have jobs.
    busy_workers: u32,
    /// While they are together: when the next job is done, or the quota changes the state.
    due: Due,
    /// Cores that each busy worker has, and for each core that is wanted beside them.
    rate: f64,
    /// When anything changed in it, or its share.
    updated: SimTime,
    /// CPU time used so far, but for what workers apart have used since they were looked at (ns).
    used: f64,
    weight: f64,
    quota: Option<CfsQuota>,
    /// Work beside the workers.
    beside: Option<Beside<J>>,
}

#[derive(Clone, Debug)]
struct Worker<J> {
    jobs: ProcessorSharing<J>,
    container: ContainerId,
    /// Whether it has had two jobs at most, at full rate, since it was idle: what it has attained is a sum of halves then,
    /// in which ever steps it is added up.
    is_exact: bool,
    /// When its next job is done and up to when its work is accounted for, while it is apart.
    due: Due,
    updated: SimTime,
}

/// CPU work of threads beside the workers.
#[derive(Clone, Copy, Debug)]
struct Beside<J> {
    /// Cores that it wants.
    cores: f64,
    /// CPU time that is left of it (ns).
    left: f64,
    job: J,
}

#[derive(Clone, Debug)]
struct Host {
    cores: f64,
    containers: Vec<ContainerId>,
    /// Cores that are wanted now.
    runnable: f64,
    is_crowded: bool,
}

/// All containers and hosts of a process. `J` is what identifies a job to the caller.
///
/// Whatever begins or ends moves the next changes of workers and containers: `schedule` is told each event that
/// is to come then, and [`Compute::on_event`] is called when it does. An event that is told stays.
#[derive(Clone, Debug)]
pub struct Compute<J> {
    containers: Table<ContainerId, Container<J>>,
    workers: Vec<Worker<J>>,
    /// Of each container whose workers are together: those that have jobs, ascending, from its first worker's number on.
    busy: Vec<u32>,
    hosts: Table<HostId, Host>,
    claims: Vec<(f64, f64)>,
    shares: Vec<f64>,
}

/// The sums of a worker with more jobs at a time are not exact.
const EXACT_JOBS: usize = 2;

/// Work below this is done: a tenth of a nanosecond of CPU.
const TOLERANCE: f64 = 0.1;

impl<J: Copy> Compute<J> {
    /// Hosts with these numbers of cores, and nothing on them.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = f64>) -> Self {
        let host = |cores| Host { cores, containers: Vec::new(), runnable: 0.0, is_crowded: false };
        Self {
            containers: Table::new(),
            workers: Vec::new(),
            busy: Vec::new(),
            hosts: hosts.into_iter().map(host).collect(),
            claims: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Adds a container.
    ///
    /// # Panics
    /// If there are 2^32 workers.
    pub fn add_container(&mut self, spec: &ContainerSpec) -> ContainerId {
        // A limit of all cores that it can want cannot be reached.
        let limit = spec.limit.filter(|limit| *limit < spec.workers as f64 + spec.beside);
        let quota = limit.map(|cores| CfsQuota::new(cores, spec.phase));
        let id = self.containers.push(Container {
            host: spec.host,
            entity: spec.entity,
            first_worker: u32::try_from(self.workers.len()).expect("at most 2^32 workers"),
            workers: u32::try_from(spec.workers).expect("at most 2^32 workers"),
            is_apart: quota.is_none(),
            inexact_workers: 0,
            busy_workers: 0,
            due: Due::NEVER,
            rate: 1.0,
            updated: SimTime::ZERO,
            used: 0.0,
            weight: spec.weight,
            quota,
            beside: None,
        });
        // One by one: a clone has no room.
        self.workers.extend((0..spec.workers).map(|_| Worker {
            jobs: ProcessorSharing::with_capacity(spec.jobs_per_worker),
            container: id,
            is_exact: true,
            due: Due::NEVER,
            updated: SimTime::ZERO,
        }));
        self.busy.resize(self.workers.len(), 0);
        self.is_on(id, spec.host);
        id
    }

    /// An idle container is on this host from now on, or on none.
    pub fn put_on(&mut self, container: ContainerId, host: Option<HostId>) {
        let state = &mut self.containers[container];
        self.hosts[state.host].containers.retain(|other| *other != container);
        let Some(host) = host else { return };
        state.host = host;
        state.is_apart = state.can_be_apart() && !self.hosts[host].is_crowded;
        (state.inexact_workers, state.busy_workers) = (0, 0);
        self.is_on(container, host);
    }

    /// A container joins those of its host.
    fn is_on(&mut self, container: ContainerId, host: HostId) {
        let list = &mut self.hosts[host].containers;
        list.insert(list.partition_point(|other| *other < container), container);
        let room = list.len();
        self.claims.reserve(room);
        self.shares.reserve(room);
    }

    /// CPU time that a container will have used at `now`, if nothing happens before (ns).
    #[must_use]
    pub fn used_at(&self, container: ContainerId, now: SimTime) -> f64 {
        let state = &self.containers[container];
        if state.is_apart {
            let busy = self.workers[state.workers()].iter().filter(|worker| !worker.jobs.is_empty());
            return state.used + busy.map(|worker| nanos(worker.updated, now)).sum::<f64>();
        }
        state.used + nanos(state.updated, now) * state.runnable() * state.rate
    }

    /// CPU time that a container's jobs still need at `now`, if nothing happens before (ns).
    #[must_use]
    pub fn left_at(&self, container: ContainerId, now: SimTime) -> f64 {
        let state = &self.containers[container];
        let left: f64 = self.workers[state.workers()].iter().map(|worker| worker.jobs.work_left()).sum();
        let left = left + state.beside.as_ref().map_or(0.0, |beside| beside.left);
        left - (self.used_at(container, now) - state.used)
    }

    /// In how many CFS periods a container was stopped so far.
    #[must_use]
    pub fn throttled_periods(&self, container: ContainerId) -> u64 {
        self.containers[container].quota.as_ref().map_or(0, CfsQuota::throttled_periods)
    }

    /// For how long a container was stopped by its quota until `now` (ns).
    #[must_use]
    pub fn throttled_nanos(&self, container: ContainerId, now: SimTime) -> u64 {
        let state = &self.containers[container];
        state.quota.as_ref().map_or(0, |quota| quota.throttled_nanos(state.updated, now))
    }

    /// A job of `demand` ns of CPU time begins in a worker of a container.
    #[inline]
    pub fn start(
        &mut self,
        now: SimTime,
        container: ContainerId,
        worker: usize,
        demand: f64,
        job: J,
        mut schedule: impl FnMut(NextEvent),
    ) {
        let state = &mut self.containers[container];
        let id = state.first_worker as usize + worker;
        let server = &mut self.workers[id];
        let host = &mut self.hosts[state.host];
        let is_idle = server.jobs.is_empty();
        if !state.is_apart || (is_idle && host.runnable + 1.0 > host.cores) {
            return self.start_together(now, container, id, (demand, job), &mut schedule);
        }
        if is_idle {
            host.runnable += 1.0;
            server.updated = now;
        } else {
            state.used += server.advance(now);
        }
        server.jobs.add(demand, job);
        state.updated = now;
        if server.is_exact && server.jobs.len() > EXACT_JOBS {
            server.is_exact = false;
            state.inexact_workers += 1;
        }
        if let Some(at) = server.retime() {
            let event = ComputeEvent::WorkerDone(WorkerId::from_index(id));
            schedule(NextEvent { entity: state.entity, at, event });
        }
        if state.inexact_workers > 0 {
            self.advance_inexact(now, container, id, None, &mut schedule);
        }
    }

    #[inline(never)]
    fn start_together(
        &mut self,
        now: SimTime,
        container: ContainerId,
        worker: usize,
        (demand, job): (f64, J),
        schedule: &mut impl FnMut(NextEvent),
    ) {
        let runnable_before = self.advance(now, container);
        let server = &mut self.workers[worker];
        if server.jobs.is_empty() {
            self.containers[container].falls_busy(worker as u32, &mut self.busy);
        }
        server.jobs.add(demand, job);
        server.is_exact &= server.jobs.len() <= EXACT_JOBS;
        self.settle(now, container, runnable_before, schedule);
    }

    /// Work of `demand` ns of CPU time begins beside a container's workers, in place of what there was;
    /// it wants so many cores at a time.
    pub fn start_beside(
        &mut self,
        now: SimTime,
        container: ContainerId,
        cores: f64,
        demand: f64,
        job: J,
        mut schedule: impl FnMut(NextEvent),
    ) {
        let runnable_before = self.advance(now, container);
        self.containers[container].beside = Some(Beside { cores, left: demand, job });
        self.settle(now, container, runnable_before, &mut schedule);
    }

    /// An event comes: tells the first job that is done, none if nothing is due yet or any more; if others are done
    /// with it, which is rare, they are pushed to `others`.
    #[inline]
    pub fn on_event(
        &mut self,
        now: SimTime,
        event: ComputeEvent,
        others: &mut Vec<J>,
        mut schedule: impl FnMut(NextEvent),
    ) -> Option<J> {
        match event {
            ComputeEvent::WorkerDone(id) => self.worker_event(now, id, others, &mut schedule),
            ComputeEvent::ContainerChanges(id) => self.container_event(now, id, others, &mut schedule),
        }
    }

    #[inline]
    fn worker_event(
        &mut self,
        now: SimTime,
        id: WorkerId,
        others: &mut Vec<J>,
        schedule: &mut impl FnMut(NextEvent),
    ) -> Option<J> {
        let worker = &mut self.workers[id.index()];
        let container = worker.container;
        let state = &mut self.containers[container];
        let event = ComputeEvent::WorkerDone(id);
        match worker.due.event_comes(now) {
            Comes::Due => {}
            Comes::Early(at) => {
                schedule(NextEvent { entity: state.entity, at, event });
                return None;
            }
            Comes::Overtaken => return None,
        }
        state.updated = now;
        state.used += worker.advance(now);
        let first = worker.jobs.take_done(TOLERANCE);
        if !worker.jobs.is_empty() {
            worker.take_further(others);
        }
        if worker.jobs.is_empty() {
            state.falls_idle(worker, &mut self.hosts[state.host]);
        } else if let Some(at) = worker.retime() {
            schedule(NextEvent { entity: state.entity, at, event });
        }
        if state.inexact_workers > 0 {
            self.advance_inexact(now, container, id.index(), Some(others), schedule);
        }
        first
    }

    /// Something has happened to a worker apart: those of its container whose sums are not exact are brought up to
    /// date and, if it was an end, their jobs are looked at, too.
    #[inline(never)]
    fn advance_inexact(
        &mut self,
        now: SimTime,
        container: ContainerId,
        touched: usize,
        mut done: Option<&mut Vec<J>>,
        schedule: &mut impl FnMut(NextEvent),
    ) {
        let state = &mut self.containers[container];
        for id in state.workers().filter(|id| *id != touched) {
            let worker = &mut self.workers[id];
            if worker.is_exact {
                continue;
            }
            state.used += worker.advance(now);
            if let Some(done) = &mut done {
                worker.take_further(done);
            }
            if worker.jobs.is_empty() {
                state.falls_idle(worker, &mut self.hosts[state.host]);
                worker.due.clear();
            } else if let Some(at) = worker.retime() {
                let event = ComputeEvent::WorkerDone(WorkerId::from_index(id));
                schedule(NextEvent { entity: state.entity, at, event });
            }
        }
    }

    #[inline(never)]
    fn container_event(
        &mut self,
        now: SimTime,
        id: ContainerId,
        others: &mut Vec<J>,
        schedule: &mut impl FnMut(NextEvent),
    ) -> Option<J> {
        let state = &mut self.containers[id];
        match state.due.event_comes(now) {
            Comes::Due => {}
            Comes::Early(at) => {
                schedule(NextEvent { entity: state.entity, at, event: ComputeEvent::ContainerChanges(id) });
                return None;
            }
            Comes::Overtaken => return None,
        }
        let runnable_before = self.advance(now, id);
        let state = &mut self.containers[id];
        let mut first = None;
        let mut is_done = |job| match first {
            None => first = Some(job),
            Some(_) => others.push(job),
        };
        let mut still_busy = state.first_worker as usize;
        for at in state.busy() {
            let id = self.busy[at];
            let worker = &mut self.workers[id as usize];
            while let Some(job) = worker.jobs.take_done(TOLERANCE) {
                is_done(job);
            }
            if worker.jobs.is_empty() {
                worker.is_exact = true;
            } else {
                self.busy[still_busy] = id;
                still_busy += 1;
            }
        }
        state.busy_workers = still_busy as u32 - state.first_worker;
        if let Some(beside) = state.beside.filter(|beside| beside.left <= TOLERANCE) {
            is_done(beside.job);
            state.beside = None;
        }
        self.settle(now, id, runnable_before, schedule);
        first
    }

    /// Everything that a container works on is lost: `lost` is told each job and the CPU time that it still
    /// needed (ns).
    pub fn clear(
        &mut self,
        now: SimTime,
        container: ContainerId,
        mut lost: impl FnMut(J, f64),
        mut schedule: impl FnMut(NextEvent),
    ) {
        let runnable_before = self.advance(now, container);
        let state = &mut self.containers[container];
        for worker in &mut self.workers[state.workers()] {
            worker.jobs.drain().for_each(|(job, left)| lost(job, left));
            worker.is_exact = true;
        }
        state.busy_workers = 0;
        state.beside.take().into_iter().for_each(|beside| lost(beside.job, beside.left));
        self.settle(now, container, runnable_before, &mut schedule);
    }

    /// Brings a container up to date before something changes in it, its workers together: tells how many cores it
    /// could use.
    fn advance(&mut self, now: SimTime, container: ContainerId) -> f64 {
        let state = &mut self.containers[container];
        if state.is_apart {
            state.come_together(&mut self.workers, &mut self.busy);
        }
        let runnable = state.runnable();
        state.advance(now, &mut self.workers, &self.busy);
        runnable
    }

    /// After a change in `container`, which could use `runnable_before` cores before it: shares the
    /// host anew if need be and sets what is due next.
    fn settle(
        &mut self,
        now: SimTime,
        container: ContainerId,
        runnable_before: f64,
        schedule: &mut impl FnMut(NextEvent),
    ) {
        let state = &mut self.containers[container];
        let id = state.host;
        let host = &mut self.hosts[id];
        host.runnable = host.runnable + state.runnable() - runnable_before;
        let is_crowded = host.runnable > host.cores;
        if !is_crowded && !host.is_crowded {
            state.rate = 1.0;
            self.retime(now, container, schedule);
            return;
        }
        if !host.is_crowded {
            self.bring_together(id, schedule);
        }
        // Who is brought up to date may stop or go on just then: the shares are others again.
        while self.share_host(now, id, container, schedule) {}
        let host = &mut self.hosts[id];
        host.is_crowded = host.runnable > host.cores;
        if !host.is_crowded {
            for index in 0..host.containers.len() {
                let container = self.hosts[id].containers[index];
                let state = &mut self.containers[container];
                state.is_apart = state.can_be_apart();
                if state.is_apart {
                    self.part(container, schedule);
                }
            }
        }
    }

    /// A host becomes crowded: nobody on it is apart any more.
    fn bring_together(&mut self, host: HostId, schedule: &mut impl FnMut(NextEvent)) {
        self.hosts[host].is_crowded = true;
        for index in 0..self.hosts[host].containers.len() {
            let id = self.hosts[host].containers[index];
            let state = &mut self.containers[id];
            if state.is_apart {
                state.come_together(&mut self.workers, &mut self.busy);
                let updated = state.updated;
                self.retime(updated, id, schedule);
            }
        }
    }

    /// Gives every container of a host its share. What is due in `changed` is set in any case, in
    /// the others only if their rate moved. Tells whether one stopped or went on meanwhile.
    fn share_host(
        &mut self,
        now: SimTime,
        host: HostId,
        changed: ContainerId,
        schedule: &mut impl FnMut(NextEvent),
    ) -> bool {
        let count = self.hosts[host].containers.len();
        self.claims.clear();
        for &id in &self.hosts[host].containers {
            let state = &self.containers[id];
            self.claims.push((state.runnable(), state.weight));
        }
        max_min_share(self.hosts[host].cores, &self.claims, &mut self.shares);
        let mut again = false;
        for index in 0..count {
            let id = self.hosts[host].containers[index];
            let state = &mut self.containers[id];
            let runnable = state.runnable();
            let rate = if runnable == 0.0 { 1.0 } else { self.shares[index] / runnable };
            let moved = (rate - state.rate).abs() > 1e-12;
            if moved || id == changed {
                state.advance(now, &mut self.workers, &self.busy);
                state.rate = rate;
                let now_runnable = state.runnable();
                let host = &mut self.hosts[host];
                host.runnable = host.runnable + now_runnable - runnable;
                again |= now_runnable != runnable;
                self.retime(now, id, schedule);
            }
        }
        again
    }

    /// A container is up to date: sets what is due next, with its workers apart if they can be.
    fn retime(&mut self, now: SimTime, container: ContainerId, schedule: &mut impl FnMut(NextEvent)) {
        let state = &mut self.containers[container];
        if state.can_be_apart() && !self.hosts[state.host].is_crowded {
            return self.part(container, schedule);
        }
        match state.next_change(now, &self.workers, &self.busy) {
            Some(at) => {
                if state.due.set(at) {
                    schedule(NextEvent {
                        entity: state.entity,
                        at,
                        event: ComputeEvent::ContainerChanges(container),
                    });
                }
            }
            None => state.due.clear(),
        }
    }

    /// The workers of a container go apart: they can.
    fn part(&mut self, container: ContainerId, schedule: &mut impl FnMut(NextEvent)) {
        let state = &mut self.containers[container];
        state.is_apart = true;
        state.due.clear();
        state.inexact_workers = 0;
        for id in state.workers() {
            let worker = &mut self.workers[id];
            worker.updated = state.updated;
            state.inexact_workers += u32::from(!worker.is_exact);
            if let Some(at) = worker.retime() {
                let event = ComputeEvent::WorkerDone(WorkerId::from_index(id));
                schedule(NextEvent { entity: state.entity, at, event });
            }
        }
    }
}

impl<J: Copy> Container<J> {
    /// Its workers' numbers among those of all containers.
    const fn workers(&self) -> Range<usize> {
        let first = self.first_worker as usize;
        first..first + self.workers as usize
    }

    /// Whether its workers do not concern each other on a host that is not crowded.
    fn can_be_apart(&self) -> bool {
        // A share may lack what rounding took until the container changes again.
        self.quota.is_none() && self.beside.is_none() && self.rate == 1.0
    }

    /// Cores that it could use now.
    fn runnable(&self) -> f64 {
        if self.quota.as_ref().is_some_and(CfsQuota::is_throttled) { 0.0 } else { self.wanted() }
    }

    /// Cores that it could use now if it had no quota.
    fn wanted(&self) -> f64 {
        f64::from(self.busy_workers) + self.beside.as_ref().map_or(0.0, |beside| beside.cores)
    }

    /// One of its workers, which are apart, has nothing to do any more.
    #[inline]
    fn falls_idle(&mut self, worker: &mut Worker<J>, host: &mut Host) {
        host.runnable -= 1.0;
        if !worker.is_exact {
            worker.is_exact = true;
            self.inexact_workers -= 1;
        }
    }

    /// Where its workers that have jobs stand among those of all containers, while they are together.
    const fn busy(&self) -> Range<usize> {
        let first = self.first_worker as usize;
        first..first + self.busy_workers as usize
    }

    /// One of its workers, which are together, has something to do from now on.
    #[inline]
    fn falls_busy(&mut self, worker: u32, busy: &mut [u32]) {
        let mut at = self.first_worker as usize + self.busy_workers as usize;
        self.busy_workers += 1;
        while at > self.first_worker as usize && busy[at - 1] > worker {
            busy[at] = busy[at - 1];
            at -= 1;
        }
        busy[at] = worker;
    }

    /// Its workers, which were apart, go on together from its last change on.
    fn come_together(&mut self, workers: &mut [Worker<J>], busy: &mut [u32]) {
        (self.is_apart, self.busy_workers) = (false, 0);
        for id in self.workers() {
            let worker = &mut workers[id];
            if !worker.jobs.is_empty() {
                self.used += worker.advance(self.updated);
                worker.due.clear();
                self.falls_busy(id as u32, busy);
            }
        }
    }

    /// Brings the jobs and the quota up to date.
    fn advance(&mut self, now: SimTime, workers: &mut [Worker<J>], busy: &[u32]) {
        let running = self.runnable() * self.rate;
        if running > 0.0 {
            let span = nanos(self.updated, now);
            let work = span * self.rate;
            for &id in &busy[self.busy()] {
                let worker = &mut workers[id as usize];
                worker.jobs.advance(work);
                worker.is_exact &= self.rate == 1.0;
            }
            if let Some(beside) = &mut self.beside {
                beside.left -= work * beside.cores;
            }
            self.used += span * running;
        }
        if let Some(quota) = &mut self.quota {
            quota.advance(self.updated, now, running);
        }
        self.updated = now;
    }

    /// When the first job is done or the quota changes the state.
    fn next_change(&self, now: SimTime, workers: &[Worker<J>], busy: &[u32]) -> Option<SimTime> {
        let runnable = self.runnable();
        let running = runnable * self.rate;
        let job = (runnable > 0.0).then(|| {
            let beside = self.beside.as_ref().map_or(f64::INFINITY, |it| it.left.max(0.0) / it.cores);
            let works = busy[self.busy()].iter().filter_map(|&id| workers[id as usize].jobs.work_to_next());
            after(now, works.fold(beside, f64::min) / self.rate)
        });
        let change = match &self.quota {
            Some(quota) if self.wanted() > 0.0 => quota.next_change(now, running),
            _ => None,
        };
        match (job, change) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// What follows is of workers apart.
impl<J: Copy> Worker<J> {
    /// Brings the jobs up to date: tells how much CPU time they were given (ns).
    #[inline]
    fn advance(&mut self, now: SimTime) -> f64 {
        let span = nanos(self.updated, now);
        self.jobs.advance(span);
        self.updated = now;
        span
    }

    /// Takes what else is done.
    #[inline(never)]
    fn take_further(&mut self, done: &mut Vec<J>) {
        while let Some(job) = self.jobs.take_done(TOLERANCE) {
            done.push(job);
        }
    }

    /// Sets when the next job is done: tells when an event is to be scheduled, if it is.
    #[inline]
    fn retime(&mut self) -> Option<SimTime> {
        let at = after(self.updated, self.jobs.work_to_next()?);
        self.due.set(at).then_some(at)
    }
}

#[cfg(test)]
mod tests;
