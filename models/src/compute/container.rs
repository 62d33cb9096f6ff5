//! The application containers of a process and the hosts that they run on.
//!
//! # Assumptions
//! - A host's cores are shared by application containers only; what proxies and users' software
//!   use is accounted for but takes nothing away. Effect: on a host whose cores are scarce,
//!   latencies are low by about the proxies' share of the CPU.
//! - A worker runs at most on one core at a time and moves between cores at no cost.
//! - Work beside the workers (a start, a just-in-time compiler) is done by threads of its own, which
//!   want so many cores at any time and share quota and host like workers.

use super::{CfsQuota, ProcessorSharing, max_min_share};
use crate::ids::{ContainerId, HostId};
use meshsim_core::{EntityId, Epoch, SimTime, Table, Timer};

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

/// A container whose next change moved: an event is to be scheduled for `entity` at `at`.
#[derive(Clone, Copy, Debug)]
pub struct Retimed {
    /// Whose event it is.
    pub entity: EntityId,
    /// The container.
    pub container: ContainerId,
    /// Marks the event; older ones of this container are stale.
    pub epoch: Epoch,
    /// When.
    pub at: SimTime,
}

#[derive(Clone, Debug)]
struct Container<J> {
    host: HostId,
    entity: EntityId,
    weight: f64,
    workers: Vec<ProcessorSharing<J>>,
    busy_workers: u32,
    /// Work beside the workers.
    beside: Option<Beside<J>>,
    quota: Option<CfsQuota>,
    /// Cores that each busy worker has, and for each core that is wanted beside them.
    rate: f64,
    updated: SimTime,
    timer: Timer,
    /// CPU time used so far (ns).
    used: f64,
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
    crowded: bool,
}

/// All containers and hosts of a process. `J` is what identifies a job to the caller.
#[derive(Clone, Debug)]
pub struct Compute<J> {
    containers: Table<ContainerId, Container<J>>,
    hosts: Table<HostId, Host>,
    retimed: Vec<Retimed>,
    claims: Vec<(f64, f64)>,
    shares: Vec<f64>,
}

/// Work below this is done: a tenth of a nanosecond of CPU.
const TOLERANCE: f64 = 0.1;

impl<J: Copy> Compute<J> {
    /// Hosts with these numbers of cores, and nothing on them.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = f64>) -> Self {
        let host = |cores| Host { cores, containers: Vec::new(), runnable: 0.0, crowded: false };
        Self {
            containers: Table::new(),
            hosts: hosts.into_iter().map(host).collect(),
            retimed: Vec::with_capacity(16),
            claims: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Adds a container.
    pub fn add_container(&mut self, spec: &ContainerSpec) -> ContainerId {
        // A limit of all cores that it can want cannot be reached.
        let limit = spec.limit.filter(|limit| *limit < spec.workers as f64 + spec.beside);
        // One by one: a clone has no room.
        let server = |_| ProcessorSharing::with_capacity(spec.jobs_per_worker);
        let id = self.containers.push(Container {
            host: spec.host,
            entity: spec.entity,
            weight: spec.weight,
            workers: (0..spec.workers).map(server).collect(),
            busy_workers: 0,
            beside: None,
            quota: limit.map(|cores| CfsQuota::new(cores, spec.phase)),
            rate: 1.0,
            updated: SimTime::ZERO,
            timer: Timer::new(),
            used: 0.0,
        });
        self.hosts[spec.host].containers.push(id);
        let room = self.hosts[spec.host].containers.len();
        self.claims.reserve(room);
        self.shares.reserve(room);
        self.retimed.reserve(room);
        id
    }

    /// CPU time that a container used so far (ns).
    #[must_use]
    pub fn used(&self, container: ContainerId) -> f64 {
        self.containers[container].used
    }

    /// CPU time that a container will have used at `now`, if nothing happens before (ns).
    #[must_use]
    pub fn used_at(&self, container: ContainerId, now: SimTime) -> f64 {
        let it = &self.containers[container];
        it.used + (now - it.updated).as_nanos() as f64 * it.runnable() * it.rate
    }

    /// An idle container is on this host from now on, or on none.
    pub fn place(&mut self, container: ContainerId, host: Option<HostId>) {
        let before = self.containers[container].host;
        self.hosts[before].containers.retain(|other| *other != container);
        let Some(host) = host else { return };
        self.containers[container].host = host;
        let list = &mut self.hosts[host].containers;
        list.insert(list.partition_point(|other| *other < container), container);
        let room = list.len();
        self.claims.reserve(room);
        self.shares.reserve(room);
        self.retimed.reserve(room);
    }

    /// In how many CFS periods a container was stopped so far.
    #[must_use]
    pub fn throttled_periods(&self, container: ContainerId) -> u64 {
        self.containers[container].quota.as_ref().map_or(0, CfsQuota::throttled_periods)
    }

    /// A job of `demand` ns of CPU time begins in a worker.
    pub fn start(&mut self, now: SimTime, container: ContainerId, worker: usize, demand: f64, job: J) {
        let it = &mut self.containers[container];
        let runnable_before = it.runnable();
        it.advance(now);
        if it.workers[worker].is_empty() {
            it.busy_workers += 1;
        }
        it.workers[worker].add(demand, job);
        self.settle(now, container, runnable_before);
    }

    /// Work of `demand` ns of CPU time begins beside a container's workers, in place of what there was;
    /// it wants so many cores at a time.
    pub fn start_beside(&mut self, now: SimTime, container: ContainerId, cores: f64, demand: f64, job: J) {
        let it = &mut self.containers[container];
        let runnable_before = it.runnable();
        it.advance(now);
        it.beside = Some(Beside { cores, left: demand, job });
        self.settle(now, container, runnable_before);
    }

    /// A container's event comes up: its jobs that are done are pushed to `done`. Nothing happens
    /// if the event is stale.
    pub fn on_event(&mut self, now: SimTime, container: ContainerId, epoch: Epoch, done: &mut Vec<J>) {
        let it = &mut self.containers[container];
        if !it.timer.fires(epoch) {
            return;
        }
        let runnable_before = it.runnable();
        it.advance(now);
        for worker in it.workers.iter_mut().filter(|worker| !worker.is_empty()) {
            while let Some(job) = worker.take_done(TOLERANCE) {
                done.push(job);
            }
            if worker.is_empty() {
                it.busy_workers -= 1;
            }
        }
        if let Some(beside) = it.beside.filter(|beside| beside.left <= TOLERANCE) {
            done.push(beside.job);
            it.beside = None;
        }
        self.settle(now, container, runnable_before);
    }

    /// CPU time that a container's jobs still need at `now`, if nothing happens before (ns).
    #[must_use]
    pub fn left_at(&self, container: ContainerId, now: SimTime) -> f64 {
        let it = &self.containers[container];
        let left: f64 = it.workers.iter().map(ProcessorSharing::work_left).sum();
        let left = left + it.beside.as_ref().map_or(0.0, |beside| beside.left);
        left - (self.used_at(container, now) - it.used)
    }

    /// Everything that a container works on is lost: `lost` is told each job and the CPU time that it still
    /// needed (ns).
    pub fn clear(&mut self, now: SimTime, container: ContainerId, mut lost: impl FnMut(J, f64)) {
        let it = &mut self.containers[container];
        let runnable_before = it.runnable();
        it.advance(now);
        it.workers.iter_mut().flat_map(ProcessorSharing::drain).for_each(|(job, left)| lost(job, left));
        it.busy_workers = 0;
        it.beside.take().into_iter().for_each(|beside| lost(beside.job, beside.left));
        self.settle(now, container, runnable_before);
    }

    /// Whether the next change of a container moved since the last call.
    #[inline]
    #[must_use]
    pub fn has_retimed(&self) -> bool {
        !self.retimed.is_empty()
    }

    /// The containers whose next change moved since the last call.
    pub fn take_retimed(&mut self) -> std::vec::Drain<'_, Retimed> {
        self.retimed.drain(..)
    }

    /// After a change in `container`, which could use `runnable_before` cores before it: shares the
    /// host anew if need be and sets the timers.
    fn settle(&mut self, now: SimTime, container: ContainerId, runnable_before: f64) {
        let it = &self.containers[container];
        let id = it.host;
        let host = &mut self.hosts[id];
        host.runnable = host.runnable + it.runnable() - runnable_before;
        let crowded = host.runnable > host.cores;
        if crowded || host.crowded {
            // Who is brought up to date may stop or go on just then: the shares are others again.
            while self.share_host(now, id, container) {}
            let host = &mut self.hosts[id];
            host.crowded = host.runnable > host.cores;
        } else {
            let it = &mut self.containers[container];
            it.rate = 1.0;
            self.retime(now, container);
        }
    }

    /// Gives every container of a host its share. The timer of `changed` is set in any case, those
    /// of the others only if their rate moved. Tells whether one stopped or went on meanwhile.
    fn share_host(&mut self, now: SimTime, host: HostId, changed: ContainerId) -> bool {
        let count = self.hosts[host].containers.len();
        self.claims.clear();
        for &id in &self.hosts[host].containers {
            let it = &self.containers[id];
            self.claims.push((it.runnable(), it.weight));
        }
        max_min_share(self.hosts[host].cores, &self.claims, &mut self.shares);
        let mut again = false;
        for place in 0..count {
            let id = self.hosts[host].containers[place];
            let it = &mut self.containers[id];
            let runnable = it.runnable();
            let rate = if runnable == 0.0 { 1.0 } else { self.shares[place] / runnable };
            let moved = (rate - it.rate).abs() > 1e-12;
            if moved || id == changed {
                it.advance(now);
                it.rate = rate;
                let now_runnable = it.runnable();
                let host = &mut self.hosts[host];
                host.runnable = host.runnable + now_runnable - runnable;
                again |= now_runnable != runnable;
                self.retime(now, id);
            }
        }
        again
    }

    fn retime(&mut self, now: SimTime, container: ContainerId) {
        let it = &mut self.containers[container];
        match it.next_event(now) {
            Some(at) => {
                let (entity, epoch) = (it.entity, it.timer.arm());
                self.retimed.push(Retimed { entity, container, epoch, at });
            }
            None => it.timer.disarm(),
        }
    }
}

impl<J: Copy> Container<J> {
    /// Cores that it could use now.
    fn runnable(&self) -> f64 {
        if self.quota.as_ref().is_some_and(CfsQuota::is_throttled) { 0.0 } else { self.wanted() }
    }

    /// Cores that it could use now if it had no quota.
    fn wanted(&self) -> f64 {
        f64::from(self.busy_workers) + self.beside.as_ref().map_or(0.0, |beside| beside.cores)
    }

    /// Brings the jobs and the quota up to date.
    fn advance(&mut self, now: SimTime) {
        let running = self.runnable() * self.rate;
        if running > 0.0 {
            let span = (now - self.updated).as_nanos() as f64;
            let work = span * self.rate;
            for worker in self.workers.iter_mut().filter(|worker| !worker.is_empty()) {
                worker.advance(work);
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
    fn next_event(&self, now: SimTime) -> Option<SimTime> {
        let runnable = self.runnable();
        let running = runnable * self.rate;
        let beside = self.beside.as_ref().map(|it| it.left.max(0.0) / it.cores);
        let works = || self.workers.iter().filter_map(ProcessorSharing::work_to_next).chain(beside);
        let job = (runnable > 0.0)
            .then(|| works().min_by(f64::total_cmp))
            .flatten()
            .map(|work| SimTime::from_nanos(now.as_nanos().saturating_add((work / self.rate).ceil() as u64)));
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

#[cfg(test)]
mod tests;
