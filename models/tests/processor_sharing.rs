//! A server shared by all its jobs, against the closed form that knows only the mean service.
//!
//! In M/G/1 with processor sharing the mean sojourn is S / (1 - load) and the mean number present
//! load / (1 - load) for every law of service with mean S; a job of size x spends x / (1 - load)
//! on average, so the mean of sojourn / size is 1 / (1 - load) as well.
//!
//! # Source
//! Kleinrock, Queueing Systems II, 1976, section 4.4; Sakata, Noguchi and Oizumi, An analysis of
//! the M/G/1 queue under round-robin scheduling, Operations Research 19, 1971.

use meshsim_core::random::{Address, Draw, LogNormal, bernoulli, exponential};
use meshsim_core::stats::{Tally, TimeAverage, mean_estimate};
use meshsim_core::{Engine, EntityId, Process, RunControl, RunEnd, Scheduler, SimDuration, SimTime};
use meshsim_models::compute::ProcessorSharing;

const REPLICATIONS: u32 = 25;
const WARM_UP: SimTime = SimTime::from_nanos(1_000 * 1_000_000_000);
const END: SimTime = SimTime::from_nanos(241_000 * 1_000_000_000);
const SERVER: EntityId = EntityId(0);

/// Mean service is one second, so this is the rate of arrivals, too.
const LOAD: f64 = 0.6;

/// Times are rounded to nanoseconds: a job that lacks no more than this is done [s].
const TOLERANCE: f64 = 1e-9;

const INTERARRIVAL: u32 = 0;
const SERVICE: u32 = 1;

#[derive(Clone, Copy)]
enum Event {
    Arrival,
    /// A job may be done, unless others came or went since: then more have been awaited than so many.
    Completion(u32),
}

#[derive(Clone, Copy)]
struct Job {
    arrival: SimTime,
    /// The service that it demands [s].
    size: f64,
}

struct Server<'a> {
    replication: Address,
    size: &'a (dyn Fn(&mut Draw) -> f64 + Sync),
    arrived: u64,
    jobs: ProcessorSharing<Job>,
    advanced: SimTime,
    /// Completions that were awaited.
    awaited: u32,
    present: TimeAverage,
    sojourn: Tally,
    /// Sojourn over size.
    slowdown: Tally,
}

impl<'a> Server<'a> {
    fn new(replication: Address, size: &'a (dyn Fn(&mut Draw) -> f64 + Sync)) -> Self {
        Self {
            replication,
            size,
            arrived: 0,
            jobs: ProcessorSharing::with_capacity(64),
            advanced: SimTime::ZERO,
            awaited: 0,
            present: TimeAverage::new(SimTime::ZERO, 0.0),
            sojourn: Tally::new(),
            slowdown: Tally::new(),
        }
    }

    fn arrive(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        let address = self.replication.child(self.arrived);
        self.arrived += 1;
        let size = (self.size)(&mut address.draw(SERVICE));
        self.jobs.add(size, Job { arrival: now, size });
        let gap = exponential(&mut address.draw(INTERARRIVAL), 1.0 / LOAD);
        scheduler.schedule(now + SimDuration::from_secs_f64(gap), Event::Arrival);
    }

    fn complete(&mut self, now: SimTime) {
        while let Some(job) = self.jobs.take_done(TOLERANCE) {
            if job.arrival >= WARM_UP {
                let sojourn = (now - job.arrival).as_secs_f64();
                self.sojourn.record(sojourn);
                self.slowdown.record(sojourn / job.size);
            }
        }
    }

    /// The jobs share what the server did since it was last looked at.
    fn catch_up(&mut self, now: SimTime) {
        self.jobs.advance((now - self.advanced).as_secs_f64());
        self.advanced = now;
    }

    fn await_completion(&mut self, scheduler: &mut Scheduler<Event, ()>) {
        self.awaited += 1;
        if let Some(work) = self.jobs.work_to_next() {
            let done = scheduler.now() + SimDuration::from_secs_f64(work);
            scheduler.schedule(done, Event::Completion(self.awaited));
        }
    }

    fn note_present(&mut self, now: SimTime) {
        if now < WARM_UP {
            self.present = TimeAverage::new(now, 0.0);
        }
        self.present.set(now, self.jobs.len() as f64);
    }
}

impl Process for Server<'_> {
    type Event = Event;
    type Message = ();

    fn handle(&mut self, _: EntityId, event: Event, scheduler: &mut Scheduler<Event, ()>) {
        let now = scheduler.now();
        if let Event::Completion(awaited) = event
            && awaited != self.awaited
        {
            return;
        }
        self.catch_up(now);
        match event {
            Event::Arrival => self.arrive(scheduler),
            Event::Completion(_) => self.complete(now),
        }
        self.note_present(now);
        self.await_completion(scheduler);
    }

    fn receive(&mut self, _: EntityId, (): (), _: &mut Scheduler<Event, ()>) {}
}

/// Mean sojourn, mean slowdown and mean number present of one replication.
fn replicate(replication: Address, size: &(dyn Fn(&mut Draw) -> f64 + Sync)) -> [f64; 3] {
    let server = Server::new(replication, size);
    let mut engine = Engine::new(vec![(server, vec![SERVER])], &[]);
    engine.schedule(SERVER, SimTime::ZERO, Event::Arrival);
    assert_eq!(engine.run(&mut RunControl::until(END)), RunEnd::ReachedEnd);
    let server = engine.processes().next().expect("there is one process");
    let present = server.present.mean(END).expect("time has passed");
    [server.sojourn.mean().expect("jobs were done"), server.slowdown.mean().expect("jobs were done"), present]
}

/// Holds the law with this name and mean 1 against the closed form.
fn assert_insensitive(name: &str, seed: u64, size: impl Fn(&mut Draw) -> f64 + Sync) {
    let runs: Vec<[f64; 3]> =
        (0..REPLICATIONS).map(|number| replicate(Address::root(seed, number), &size)).collect();
    let exact = [1.0 / (1.0 - LOAD), 1.0 / (1.0 - LOAD), LOAD / (1.0 - LOAD)];
    let quantities = ["mean sojourn", "mean slowdown", "mean number"];
    for (index, (quantity, exact)) in quantities.into_iter().zip(exact).enumerate() {
        let values: Vec<f64> = runs.iter().map(|run| run[index]).collect();
        assert_agrees(&format!("{name}: {quantity}"), exact, &values);
    }
}

/// Checks independent replications of one quantity against its exact value: it lies inside their
/// 99.9 % Student interval, and the interval is narrow enough to find an error of 2 %.
#[expect(clippy::print_stdout, reason = "shown for a failed test and on request")]
fn assert_agrees(name: &str, exact: f64, replications: &[f64]) {
    let estimate = mean_estimate(replications, 0.999).expect("there are replications");
    let interval = estimate.interval.expect("there are several replications");
    let half_width = interval.half_width();
    println!("{name}: exact {exact:.5}, simulated {:.5} +- {half_width:.5}", estimate.value);
    assert!(half_width < 0.02 * exact, "{name}: half width {half_width} shows nothing of {exact}");
    assert!(interval.contains(exact), "{name}: {interval:?} misses {exact}");
}

#[test]
fn sojourns_with_deterministic_service() {
    assert_insensitive("deterministic", 1, |_| 1.0);
}

#[test]
fn sojourns_with_exponential_service() {
    assert_insensitive("exponential", 2, |draw| exponential(draw, 1.0));
}

#[test]
fn sojourns_with_log_normal_service() {
    let law = LogNormal::new(1.0, 1.5);
    assert_insensitive("log-normal", 3, |draw| law.sample(draw));
}

/// One job in six is nine times as long as the others on average.
#[test]
fn sojourns_with_hyperexponential_service() {
    let (share, short) = (1.0 / 6.0, 3.0 / 7.0);
    assert_insensitive("hyperexponential", 4, |draw| {
        let mean = if bernoulli(draw, share) { 9.0 * short } else { short };
        exponential(draw, mean)
    });
}
