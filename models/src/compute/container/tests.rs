//! Containers by hand-computed cases, and against a plain twin that remembers nothing.

use super::*;
use proptest::prelude::*;

fn compute(cores: f64, limits: &[Option<f64>]) -> (Compute<u32>, Vec<ContainerId>) {
    let mut compute = Compute::new([cores]);
    let ids = limits
        .iter()
        .map(|&limit| {
            compute.add_container(&ContainerSpec {
                host: HostId(0),
                entity: EntityId(0),
                workers: 4,
                jobs_per_worker: 16,
                beside: 0.0,
                limit,
                weight: 1.0,
                phase: 1.0,
            })
        })
        .collect();
    (compute, ids)
}

/// When all is done.
const LATER: SimTime = SimTime::from_nanos(1 << 60);

/// CPU work that begins at a moment (ns) in a worker of a container and demands so much (ns).
#[derive(Clone, Copy, Debug)]
struct Work {
    at: u64,
    container: usize,
    worker: usize,
    demand: f64,
}

/// Does the works, which are in the order of their beginnings, and tells when each is done (ns).
/// Events at the same time come in the order in which they were set, as the kernel has them; some are `pending`.
fn drive(compute: &mut Compute<u32>, mut pending: Vec<NextEvent>, works: &[Work]) -> Vec<u64> {
    let mut done_at = vec![u64::MAX; works.len()];
    let (mut others, mut begun) = (Vec::new(), 0);
    loop {
        let next = (0..pending.len()).min_by_key(|&i| pending[i].at);
        let event_at = next.map_or(u64::MAX, |i| pending[i].at.as_nanos());
        match (works.get(begun), next) {
            (Some(work), _) if work.at <= event_at => {
                let (now, container) = (SimTime::from_nanos(work.at), ContainerId(work.container as u32));
                let schedule = |event| pending.push(event);
                compute.start(now, container, work.worker, work.demand, begun as u32, schedule);
                begun += 1;
            }
            (_, Some(next)) => {
                let NextEvent { at, event, .. } = pending.remove(next);
                let first = compute.on_event(at, event, &mut others, |event| pending.push(event));
                for job in first.into_iter().chain(others.drain(..)) {
                    // Work that is not in the list is nobody's.
                    if let Some(at) = done_at.get_mut(job as usize) {
                        *at = event_at;
                    }
                }
            }
            (_, None) => return done_at,
        }
    }
}

/// Starts jobs (container, worker, demand in ms) together and tells when each is done (ms).
fn run(compute: &mut Compute<u32>, jobs: &[(ContainerId, usize, f64)]) -> Vec<f64> {
    run_with(compute, Vec::new(), jobs)
}

/// The same beside work that has begun, whose events are `pending`.
fn run_with(
    compute: &mut Compute<u32>,
    pending: Vec<NextEvent>,
    jobs: &[(ContainerId, usize, f64)],
) -> Vec<f64> {
    let work = |&(container, worker, ms): &(ContainerId, usize, f64)| Work {
        at: 0,
        container: container.0 as usize,
        worker,
        demand: ms * 1e6,
    };
    let works: Vec<Work> = jobs.iter().map(work).collect();
    drive(compute, pending, &works).into_iter().map(|ns| (ns as f64 / 1e3).round() / 1e3).collect()
}

#[test]
fn threads_of_one_worker_share_one_core() {
    let (mut compute, id) = compute(8.0, &[None]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 10.0), (id[0], 0, 20.0)]), [20.0, 30.0]);
}

#[test]
fn workers_run_side_by_side() {
    let (mut compute, id) = compute(8.0, &[None]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 10.0), (id[0], 1, 20.0)]), [10.0, 20.0]);
}

#[test]
fn a_limit_of_one_core_stops_two_workers_halfway_through_the_period() {
    let (mut compute, id) = compute(8.0, &[Some(1.0)]);
    // 60 ms each: both run 50 ms, wait until 100, then 10 more.
    assert_eq!(run(&mut compute, &[(id[0], 0, 60.0), (id[0], 1, 60.0)]), [110.0, 110.0]);
    assert_eq!(compute.throttled_periods(id[0]), 1);
    assert!((compute.used_at(id[0], LATER) - 120e6).abs() < 1.0);
}

#[test]
fn a_limit_that_the_workers_cannot_reach_changes_nothing() {
    let (mut compute, id) = compute(8.0, &[Some(4.0)]);
    assert_eq!(run(&mut compute, &[(id[0], 0, 60.0), (id[0], 1, 60.0)]), [60.0, 60.0]);
}

#[test]
fn containers_of_a_crowded_host_share_its_cores() {
    let (mut compute, id) = compute(2.0, &[None, None]);
    // Three workers on two cores, two containers of equal weight: one core each at first, so the
    // lone worker is done after 10 ms; then two workers on two cores.
    let jobs = [(id[0], 0, 10.0), (id[0], 1, 10.0), (id[1], 0, 10.0)];
    assert_eq!(run(&mut compute, &jobs), [15.0, 15.0, 10.0]);
}

#[test]
fn workers_go_apart_again_when_a_host_is_no_longer_crowded() {
    let (mut compute, id) = compute(2.0, &[None, None]);
    let work = |at_ms: u64, container: usize, worker, ms: f64| Work {
        at: at_ms * 1_000_000,
        container,
        worker,
        demand: ms * 1e6,
    };
    // Apart until 4 ms; then two workers of the first have half a core each, the second's has one until 10 ms.
    let works = [work(0, 0, 0, 10.0), work(0, 0, 1, 10.0), work(4, 1, 0, 6.0)];
    assert_eq!(drive(&mut compute, Vec::new(), &works), [13_000_000, 13_000_000, 10_000_000]);
    assert!(compute.containers.iter().all(|it| it.is_apart));
    assert_eq!([0, 1].map(|index| compute.used_at(id[index], LATER)), [20e6, 6e6]);
}

#[test]
fn what_workers_apart_have_used_and_still_need_is_known_at_any_time() {
    let (mut compute, id) = compute(8.0, &[None]);
    for (at_ms, worker, ms) in [(0, 0, 30.0), (10, 0, 30.0), (20, 1, 30.0)] {
        let now = SimTime::from_nanos(at_ms * 1_000_000);
        compute.start(now, id[0], worker, ms * 1e6, 0, |_| {});
    }
    let now = SimTime::from_nanos(25_000_000);
    assert_eq!(compute.used_at(id[0], now), 30e6);
    assert_eq!(compute.left_at(id[0], now), 60e6);
    let mut lost = 0.0;
    compute.clear(now, id[0], |_, left| lost += left, |_| {});
    assert_eq!((lost, compute.used_at(id[0], LATER), compute.left_at(id[0], LATER)), (60e6, 30e6, 0.0));
    assert_eq!(compute.hosts[HostId(0)].runnable, 0.0);
}

#[test]
fn a_stopped_container_leaves_its_cores_to_the_others() {
    let (mut compute, id) = compute(2.0, &[Some(0.5), None]);
    // The first uses one core for 50 ms and is stopped; the second's two workers then have both.
    let jobs = [(id[0], 0, 60.0), (id[1], 0, 50.0), (id[1], 1, 50.0)];
    assert_eq!(run(&mut compute, &jobs), [110.0, 75.0, 75.0]);
}

/// When work beside the workers is done that wants so many cores and so much CPU time (ms).
fn run_beside(compute: &mut Compute<u32>, container: ContainerId, cores: f64, demand: f64) -> f64 {
    let mut pending = Vec::new();
    compute.start_beside(SimTime::ZERO, container, cores, demand * 1e6, 7, |event| pending.push(event));
    loop {
        let NextEvent { at, event, .. } = pending.pop().expect("it goes on");
        let done = compute.on_event(at, event, &mut Vec::new(), |event| pending.push(event));
        if done == Some(7) {
            return at.as_nanos() as f64 / 1e6;
        }
    }
}

#[test]
fn work_beside_the_workers_has_as_many_cores_as_it_wants_or_as_are_there() {
    let alone = |limit, cores, demand| {
        let (mut compute, id) = compute(2.0, &[limit]);
        run_beside(&mut compute, id[0], cores, demand)
    };
    assert_eq!(alone(None, 2.0, 120.0), 60.0);
    assert_eq!(alone(None, 0.5, 120.0), 240.0);
    // Three cores' threads on a host of two.
    assert_eq!(alone(None, 3.0, 120.0), 60.0);
    // A quota of 100 ms is used up after 50 ms.
    assert_eq!(alone(Some(1.0), 2.0, 120.0), 110.0);
}

proptest! {
    /// Threads beside the workers are what so many busy workers would be.
    #[test]
    fn whole_cores_beside_the_workers_are_like_workers(
        limit in prop_oneof![Just(None), (0.3_f64..3.5).prop_map(Some)],
        cores in 1..3_usize,
        each in 1.0_f64..300.0,
        jobs in prop::collection::vec((0..2_usize, 0..2_usize, 0.1_f64..200.0), 0..6),
    ) {
        let works = |compute: &mut Compute<u32>, pending, id: &[ContainerId]| {
            let jobs: Vec<_> = jobs.iter().map(|&(which, worker, ms)| (id[which], worker, ms)).collect();
            run_with(compute, pending, &jobs)
        };
        let (mut events, mut events_beside) = (Vec::new(), Vec::new());
        let (mut plain, id) = compute(3.0, &[limit, None]);
        for worker in 2..2 + cores {
            plain.start(SimTime::ZERO, id[0], worker, each * 1e6, u32::MAX, |event| events.push(event));
        }
        let (mut beside, id_beside) = compute(3.0, &[limit, None]);
        let (wanted, demand) = (cores as f64, cores as f64 * each * 1e6);
        let schedule = |event| events_beside.push(event);
        beside.start_beside(SimTime::ZERO, id_beside[0], wanted, demand, u32::MAX, schedule);
        let (expected, got) = (works(&mut plain, events, &id), works(&mut beside, events_beside, &id_beside));
        for (a, b) in expected.iter().zip(&got) {
            prop_assert!((a - b).abs() < 0.01, "{expected:?} {got:?}");
        }
        prop_assert!((plain.used_at(id[0], LATER) - beside.used_at(id_beside[0], LATER)).abs() < 1e3);
    }
}

/// Two containers that use up equal quotas at the same moment: the one whose event comes first
/// must not make the other one's stop, or its going on, pass unnoticed.
#[test]
fn containers_that_stop_and_go_on_together_share_the_host_all_along() {
    let (mut compute, id) = compute(1.0, &[Some(0.25), Some(0.25)]);
    // Half a core for each, so that 25 ms of CPU take the first 50 ms of a period. Both get that in
    // three periods, and the last 15 ms in the first 30 ms of the fourth.
    let jobs = [(id[0], 0, 45.0), (id[0], 1, 45.0), (id[1], 0, 45.0), (id[1], 1, 45.0)];
    assert_eq!(run(&mut compute, &jobs), [330.0; 4]);
    assert_eq!([compute.throttled_periods(id[0]), compute.throttled_periods(id[1])], [3, 3]);
    assert_eq!(compute.hosts[HostId(0)].runnable, 0.0);
}

/// The length of a CFS period (ns).
const PERIOD: f64 = 100e6;

/// What is less than this is nothing (ns).
const NOTHING: f64 = 1e-3;

/// Two times or works that differ by less than this may come in another order where times are whole
/// nanoseconds (ns).
const CLOSE: f64 = 5_000.0;

/// The same by definition: real time, and every job, every quota and every share looked at in every
/// step. Nothing is remembered that could be wrong.
struct Plain {
    cores: Vec<f64>,
    containers: Vec<PlainContainer>,
    now: f64,
    done_at: Vec<f64>,
    /// From when on a tie may have been decided otherwise, after which all times are others.
    doubtful: f64,
}

struct PlainContainer {
    host: usize,
    weight: f64,
    quota: f64,
    left: f64,
    period_end: f64,
    stopped: bool,
    stops: u64,
    /// The works of each worker: what remains, and which it is.
    workers: Vec<Vec<(f64, usize)>>,
    /// Cores of each busy worker.
    rate: f64,
}

impl PlainContainer {
    fn new(spec: &ContainerSpec) -> Self {
        let quota = spec.limit.map_or(f64::INFINITY, |cores| cores * PERIOD);
        Self {
            host: spec.host.0 as usize,
            weight: spec.weight,
            quota,
            left: quota,
            period_end: (PERIOD * spec.phase).floor().max(1.0),
            stopped: false,
            stops: 0,
            workers: vec![Vec::new(); spec.workers],
            rate: 0.0,
        }
    }

    fn runnable(&self) -> f64 {
        let busy = self.workers.iter().filter(|works| !works.is_empty()).count();
        if self.stopped { 0.0 } else { busy as f64 }
    }

    /// How long nothing changes, from `now` on.
    fn step(&self, now: f64) -> f64 {
        let running = self.rate * self.runnable();
        let mut step = self.period_end - now;
        if running > 0.0 {
            step = step.min(self.left / running);
            for works in &self.workers {
                let time = |work: &(f64, usize)| work.0 * works.len() as f64 / self.rate;
                step = works.iter().map(time).fold(step, f64::min);
            }
        }
        step
    }

    fn advance(&mut self, step: f64) {
        if self.stopped {
            return;
        }
        self.left -= step * self.rate * self.runnable();
        for works in &mut self.workers {
            let each = step * self.rate / works.len().max(1) as f64;
            works.iter_mut().for_each(|work| work.0 -= each);
        }
    }

    /// Takes out what is done; tells it.
    fn take_done(&mut self) -> Vec<usize> {
        let mut done = Vec::new();
        for works in &mut self.workers {
            done.extend(works.iter().filter(|work| work.0 <= NOTHING).map(|work| work.1));
            works.retain(|work| work.0 > NOTHING);
        }
        done
    }

    fn settle_quota(&mut self, now: f64) {
        if now >= self.period_end - NOTHING {
            (self.left, self.stopped) = (self.quota, false);
            self.period_end += PERIOD;
        } else if !self.stopped && self.left <= NOTHING {
            self.stopped = true;
            self.stops += 1;
        }
    }

    /// Whether a work would have been done had the quota been a little more.
    fn stops_before_an_end(&self) -> bool {
        self.stopped && self.workers.iter().flatten().any(|work| work.0 < CLOSE)
    }
}

impl Plain {
    fn new(cores: &[f64], specs: &[ContainerSpec]) -> Self {
        Self {
            cores: cores.to_vec(),
            containers: specs.iter().map(PlainContainer::new).collect(),
            now: 0.0,
            done_at: Vec::new(),
            doubtful: f64::INFINITY,
        }
    }

    fn run(&mut self, works: &[Work]) {
        self.done_at = vec![f64::INFINITY; works.len()];
        let mut begun = 0;
        while self.done_at.iter().any(|at| at.is_infinite()) {
            self.share();
            let begins = works.get(begun).map_or(f64::INFINITY, |work| work.at as f64);
            let step = self.containers.iter().map(|it| it.step(self.now)).fold(begins - self.now, f64::min);
            self.advance(step.max(0.0));
            while let Some(work) = works.get(begun).filter(|work| work.at as f64 <= self.now + NOTHING) {
                self.containers[work.container].workers[work.worker].push((work.demand, begun));
                begun += 1;
            }
        }
    }

    /// Raises the level of every host until its cores are used up or everybody has enough.
    fn share(&mut self) {
        for (host, &cores) in self.cores.iter().enumerate() {
            let of_host = || self.containers.iter().filter(|it| it.host == host);
            let used = |level: f64| of_host().map(|it| it.runnable().min(level * it.weight)).sum::<f64>();
            let (mut low, mut high) = (0.0, 1e6);
            for _ in 0..100 {
                let middle = f64::midpoint(low, high);
                if used(middle) <= cores { low = middle } else { high = middle }
            }
            for it in self.containers.iter_mut().filter(|it| it.host == host) {
                it.rate = (low * it.weight / it.runnable().max(1.0)).min(1.0);
            }
        }
    }

    fn advance(&mut self, step: f64) {
        self.now += step;
        for it in &mut self.containers {
            let busy = it.runnable();
            it.advance(step);
            let done = it.take_done();
            let ends_before_a_stop = !done.is_empty() && it.left < CLOSE * busy;
            done.into_iter().for_each(|work| self.done_at[work] = self.now);
            let stopped = it.stopped;
            it.settle_quota(self.now);
            if ends_before_a_stop || (!stopped && it.stops_before_an_end()) {
                self.doubtful = self.doubtful.min(self.now - CLOSE);
            }
        }
    }
}

fn any_container() -> impl Strategy<Value = ContainerSpec> {
    let limit = prop_oneof![1 => Just(None), 3 => (0.05_f64..2.5).prop_map(Some)];
    (0..2_u32, 1..4_usize, limit, 0.1_f64..4.0, 0.0_f64..1.0).prop_map(
        |(host, workers, limit, weight, phase)| {
            let host = HostId(host);
            let (entity, beside) = (EntityId(0), 0.0);
            ContainerSpec { host, entity, workers, jobs_per_worker: 4, beside, limit, weight, phase }
        },
    )
}

/// Works: gap to the one before (ns), container, worker, demand (ns). `works_of` wraps container and
/// worker to those that there are.
fn any_works() -> impl Strategy<Value = Vec<(u64, usize, usize, f64)>> {
    let gap = prop_oneof![1 => Just(0), 3 => 0..60_000_000_u64];
    prop::collection::vec((gap, 0..3_usize, 0..3_usize, 1e3..50e6), 1..50)
}

fn works_of(specs: &[ContainerSpec], drawn: &[(u64, usize, usize, f64)]) -> Vec<Work> {
    let mut at = 0;
    let work = |&(gap, container, worker, demand): &(u64, usize, usize, f64)| {
        at += gap;
        let container = container % specs.len();
        Work { at, container, worker: worker % specs[container].workers, demand }
    };
    drawn.iter().map(work).collect()
}

/// Containers without quotas that are now apart and now together, as their hosts are crowded or not.
fn any_container_without_quota() -> impl Strategy<Value = ContainerSpec> {
    any_container().prop_map(|spec| ContainerSpec { limit: None, ..spec })
}

proptest! {
    /// The border between hosts that are crowded and hosts that are not is crossed both ways, at any moment.
    #[test]
    fn agrees_with_the_plain_twin_across_the_border(
        cores in prop::collection::vec(0.8_f64..5.0, 2),
        specs in prop::collection::vec(any_container_without_quota(), 2..4),
        drawn in any_works(),
    ) {
        let works = works_of(&specs, &drawn);
        let mut plain = Plain::new(&cores, &specs);
        plain.run(&works);
        let mut compute = Compute::new(cores);
        let ids: Vec<ContainerId> = specs.iter().map(|spec| compute.add_container(spec)).collect();
        let done_at = drive(&mut compute, Vec::new(), &works);
        for (work, (&fast, &slow)) in done_at.iter().zip(&plain.done_at).enumerate() {
            // Ends are rounded up to whole nanoseconds, which delays whoever has a small share by more.
            prop_assert!((fast as f64 - slow).abs() < 2_000.0, "work {work}: {fast} against {slow}");
        }
        for (index, &id) in ids.iter().enumerate() {
            let demand: f64 = works.iter().filter(|work| work.container == index).map(|work| work.demand).sum();
            let used = compute.used_at(id, LATER);
            prop_assert!((used - demand).abs() < 1_000.0, "{used} of {demand}");
            prop_assert!(compute.left_at(id, LATER).abs() < 1.0);
        }
        prop_assert!(compute.hosts.iter().all(|host| host.runnable == 0.0 && !host.is_crowded));
    }

    /// Workers apart are done when they would be done together: work beside them that wants no core keeps them together
    /// and takes nothing.
    #[test]
    fn workers_apart_are_done_when_they_would_be_together(
        cores in prop::collection::vec(0.8_f64..5.0, 2),
        specs in prop::collection::vec(any_container_without_quota(), 2..4),
        drawn in any_works(),
    ) {
        let mut works = works_of(&specs, &drawn);
        // Whole demands, whose thirds round to either side of whole times.
        works.iter_mut().for_each(|work| work.demand = work.demand.floor());
        let (mut apart, mut together) = (Compute::new(cores.clone()), Compute::new(cores));
        for spec in &specs {
            apart.add_container(spec);
            let id = together.add_container(spec);
            together.start_beside(SimTime::ZERO, id, 0.0, f64::INFINITY, u32::MAX, |_| unreachable!("it never ends"));
        }
        let done_at = [&mut apart, &mut together].map(|compute| drive(compute, Vec::new(), &works));
        for (a, b) in done_at[0].iter().zip(&done_at[1]) {
            prop_assert_eq!(a, b);
        }
        for id in apart.containers.ids() {
            prop_assert!((apart.used_at(id, LATER) - together.used_at(id, LATER)).abs() < 1.0);
            prop_assert!(apart.containers[id].is_apart && !together.containers[id].is_apart);
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_the_plain_twin(
        cores in prop::collection::vec(0.3_f64..4.0, 2),
        specs in prop::collection::vec(any_container(), 2..4),
        drawn in any_works(),
    ) {
        let works = works_of(&specs, &drawn);
        let mut plain = Plain::new(&cores, &specs);
        plain.run(&works);
        let mut compute = Compute::new(cores);
        let ids: Vec<ContainerId> = specs.iter().map(|spec| compute.add_container(spec)).collect();
        let done_at = drive(&mut compute, Vec::new(), &works);
        for (work, (&fast, &slow)) in done_at.iter().zip(&plain.done_at).enumerate() {
            let agree = (fast as f64 - slow).abs() < 2_000.0;
            prop_assert!(agree || slow >= plain.doubtful, "work {work}: {fast} against {slow}");
        }
        for (index, &id) in ids.iter().enumerate() {
            let demand: f64 = works.iter().filter(|work| work.container == index).map(|work| work.demand).sum();
            let used = compute.used_at(id, LATER);
            prop_assert!((used - demand).abs() < 1_000.0, "{used} of {demand}");
            let stops = [compute.throttled_periods(id), plain.containers[index].stops];
            prop_assert!(stops[0] == stops[1] || plain.doubtful.is_finite(), "{stops:?}");
        }
        prop_assert!(compute.hosts.iter().all(|host| host.runnable == 0.0));
    }
}
