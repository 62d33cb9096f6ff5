//! The process that runs a service: µBench's cell, a gunicorn server.
//!
//! # Models
//! A pod has W worker processes with T threads each. A connection belongs to the worker that
//! accepted it, any of them alike; a request on it waits, first in first out, for a thread of that
//! worker and holds it until the response is written. A connection that has been idle for the
//! keep-alive time is closed at the end of the worker's next round of its loop. A round waits for a
//! second at most, from the end of the one before, so it takes a second and its own work; one that a
//! request ends serves that request first, and closes what is idle then.
//! A server of HTTP/2 is not gunicorn: it closes no idle connection unless it is told to (gRPC's
//! MAX_CONNECTION_IDLE).
//!
//! # Assumptions
//! - The rounds of the loop are counted from the last request that the worker received before the
//!   connection fell idle; requests that come later would shift them and could close it earlier.
//!   Effect: a connection lives for 2 to 3 s, as measured; which moment of that second is random.
//! - All rounds until a connection is closed are late by as much. Effect: none but for requests at
//!   equal distances, which then meet the close as seldom as others do.
//! - The bounds of 1000 connections per worker and of the listen backlog are not reached.
//!
//! # Source
//! gunicorn 20.1, `gunicorn/workers/gthread.py` (`run`, `murder_keepalived`); Linux `fs/select.c`,
//! `select_estimate_accuracy`: a wait may end 0.1 % late; µBench, `ServiceCell/CellController-mp.py`.

use crate::cluster::inbound::call::Call;
use meshsim_core::random::{Draw, uniform};
use meshsim_core::{Handle, SimDuration, SimTime};

/// A round of a worker's loop waits at most this long (ns).
const LOOP_WAIT: f64 = 1e9;

/// What a round does beside waiting: it tells the arbiter that it lives, and looks for finished
/// requests and idle connections (ns).
const LOOP_WORK: f64 = 1e5;

/// How late Linux may end the wait at most (ns).
const WAIT_SLACK: f64 = 1e6;

/// A worker process of a pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worker {
    busy_threads: u16,
    queue: Option<(Handle<Call>, Handle<Call>)>,
    woken: SimTime,
}

/// The server of one pod.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its worker processes.
    pub workers: Vec<Worker>,
    /// How many requests are in it.
    pub occupancy: Occupancy,
}

/// How many requests are in a cell, waiting for a thread or holding one, and were so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Occupancy {
    /// Requests that it answered.
    pub served: u64,
    inside: u32,
    since: SimTime,
    /// Time that requests were inside, added up until `since` (ns).
    area: f64,
}

impl Cell {
    /// A cell in which nothing has happened.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self { workers: vec![Worker::default(); usize::from(workers)], occupancy: Occupancy::default() }
    }

    /// The server starts anew, empty; what it has counted goes on.
    pub fn restart(&mut self, now: SimTime, workers: u16) {
        *self = Self { occupancy: self.occupancy.emptied(now), ..Self::new(workers) };
    }
}

impl Occupancy {
    /// A request comes in.
    pub fn enter(&mut self, now: SimTime) {
        self.area = self.time_inside(now);
        self.since = now;
        self.inside += 1;
    }

    /// A request is answered.
    pub fn leave(&mut self, now: SimTime) {
        self.area = self.time_inside(now);
        self.since = now;
        self.inside -= 1;
        self.served += 1;
    }

    /// The same of a cell that has lost its requests.
    #[must_use]
    pub fn emptied(&self, now: SimTime) -> Self {
        Self { area: self.time_inside(now), since: now, inside: 0, ..*self }
    }

    /// Time that requests were inside so far, added up (ns).
    #[must_use]
    pub fn time_inside(&self, now: SimTime) -> f64 {
        self.area + f64::from(self.inside) * (now - self.since).as_nanos_f64()
    }
}

impl Worker {
    /// A request reaches the worker: tells whether a thread takes it at once.
    pub fn receive(&mut self, now: SimTime, threads: u16) -> bool {
        self.woken = now;
        let free = self.busy_threads < threads;
        if free {
            self.busy_threads += 1;
        }
        free
    }

    /// The last call of the queue and its first, if any waits.
    #[must_use]
    pub const fn queue(&self) -> Option<(Handle<Call>, Handle<Call>)> {
        self.queue
    }

    /// Replaces the queue's ends (first, last).
    pub fn set_queue(&mut self, ends: Option<(Handle<Call>, Handle<Call>)>) {
        self.queue = ends;
    }

    /// A thread is done with its request and takes no other.
    pub fn free_thread(&mut self) {
        self.busy_threads -= 1;
    }

    /// When a connection that falls idle now will be closed; `late` says how late the waits of the
    /// worker's loop end.
    #[must_use]
    pub fn closes_at(&self, now: SimTime, keep_alive: SimDuration, late: &mut Draw) -> SimTime {
        let expiry = now.saturating_add(keep_alive);
        if expiry == SimTime::MAX {
            return expiry;
        }
        let round = LOOP_WAIT + LOOP_WORK + uniform(late) * WAIT_SLACK;
        let rounds = (expiry.saturating_since(self.woken).as_nanos_f64() / round).ceil();
        self.woken.saturating_add(SimDuration::from_nanos_f64(rounds * round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Purpose, draw};
    use meshsim_core::random::Address;

    fn at(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn an_idle_connection_is_closed_at_the_next_round_after_two_seconds() {
        let mut worker = Worker::default();
        worker.receive(at(500), 16);
        let two = SimDuration::from_secs(2);
        // Rounds of 1000.1 to 1001.1 ms, from 500 ms on: the second is over after 2500.2 at least.
        for (idle_from, rounds) in [(500, 2), (600, 3), (1_500, 3), (1_600, 4)] {
            let mut closes = Vec::new();
            for k in 0..1_000 {
                let mut late = draw(Address::root(1, 0).child(k), Purpose::LoopRound);
                let closes_at = worker.closes_at(at(idle_from), two, &mut late);
                let after = (closes_at - at(500)).as_millis_f64();
                let least = f64::from(rounds) * 1_000.1;
                assert!((least..least + f64::from(rounds)).contains(&after), "{idle_from}: {after}");
                closes.push(closes_at);
            }
            closes.sort_unstable();
            assert!(closes[900] - closes[100] > SimDuration::from_micros(1_500), "they differ");
        }
        let never = SimDuration::from_nanos(u64::MAX);
        let mut late = draw(Address::root(1, 0), Purpose::LoopRound);
        assert_eq!(worker.closes_at(at(500), never, &mut late), SimTime::MAX);
    }

    #[test]
    fn threads_are_taken_until_none_is_free() {
        let mut worker = Worker::default();
        assert!(worker.receive(at(0), 2) && worker.receive(at(0), 2) && !worker.receive(at(0), 2));
        worker.free_thread();
        assert_eq!(worker.busy_threads, 1);
    }
}
