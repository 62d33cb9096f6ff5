//! An open network of queueing stations to test the kernel with, and the yardstick for its results.
//!
//! A station is an entity. Customers come to it from outside in a Poisson stream or as messages
//! from other stations, are served first come first served by one or more servers, and go on to
//! another station or leave. Every random number has the address (replication, station, number of
//! the customer at that station).

use meshsim_core::random::{Address, Draw, exponential, uniform};
use meshsim_core::stats::{Tally, TimeAverage, mean_estimate};
use meshsim_core::{EntityId, Process, Scheduler, SimDuration, SimTime};
use std::collections::VecDeque;

const INTERARRIVAL: u32 = 0;
const SERVICE: u32 = 1;
const ROUTE: u32 = 2;

/// Draws how long a service takes, given its mean [s].
pub(crate) type Law = fn(&mut Draw, f64) -> f64;

/// Where some of the customers go after their service.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) to: EntityId,
    pub(crate) probability: f64,
    pub(crate) delay: SimDuration,
}

/// What a station is.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) entity: EntityId,
    /// Customers from outside [1/s].
    pub(crate) arrival_rate: f64,
    /// Mean service [s].
    pub(crate) service: f64,
    pub(crate) law: Law,
    pub(crate) servers: usize,
    /// At most so many customers are here, those in service included.
    pub(crate) capacity: usize,
    pub(crate) routes: Vec<Route>,
}

/// What was seen of the customers that came after the warm-up.
pub(crate) struct Measures {
    /// Came, whether or not there was room.
    pub(crate) offered: u64,
    /// Found no room.
    pub(crate) lost: u64,
    /// Had to wait.
    pub(crate) delayed: u64,
    /// Waiting time [s].
    pub(crate) waiting: Tally,
    /// Time in the station [s].
    pub(crate) sojourn: Tally,
    /// Time since the customer came from outside, of those that leave the network here [s].
    pub(crate) passage: Tally,
    /// Customers here.
    pub(crate) present: TimeAverage,
    /// When nobody was here, from and to.
    pub(crate) idle: Vec<(SimTime, SimTime)>,
}

/// A customer at a station.
#[derive(Clone, Copy)]
pub(crate) struct Customer {
    number: u64,
    entered_network: SimTime,
    entered_station: SimTime,
}

#[derive(Clone, Copy)]
pub(crate) enum Event {
    Arrival,
    Departure(Customer),
}

/// A customer comes from another station.
#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    entered_network: SimTime,
}

struct Station {
    plan: Plan,
    address: Address,
    /// So many came from outside, and so many in all.
    from_outside: u64,
    customers: u64,
    queue: VecDeque<Customer>,
    in_service: usize,
    warm_up: SimTime,
    measuring: bool,
    idle_since: SimTime,
    measures: Measures,
}

/// The stations of one process.
pub(crate) struct Stations(Vec<Station>);

impl Stations {
    /// Empty stations, which draw below `replication` and measure from `warm_up` on.
    pub(crate) fn new(plans: &[Plan], replication: Address, warm_up: SimTime) -> Self {
        Self(plans.iter().map(|plan| Station::new(plan, replication, warm_up)).collect())
    }

    pub(crate) fn entities(&self) -> Vec<EntityId> {
        self.0.iter().map(|station| station.plan.entity).collect()
    }

    pub(crate) fn measures(&self) -> impl Iterator<Item = &Measures> {
        self.0.iter().map(|station| &station.measures)
    }

    fn station(&mut self, entity: EntityId) -> &mut Station {
        let found = self.0.iter_mut().find(|station| station.plan.entity == entity);
        found.expect("an event reaches a station of this process")
    }
}

impl Process for Stations {
    type Event = Event;
    type Message = Transfer;

    fn handle(&mut self, entity: EntityId, event: Event, scheduler: &mut Scheduler<Event, Transfer>) {
        let station = self.station(entity);
        match event {
            Event::Arrival => {
                station.admit(scheduler.now(), scheduler);
                station.schedule_arrival(scheduler);
            }
            Event::Departure(customer) => station.complete(customer, scheduler),
        }
    }

    fn receive(&mut self, entity: EntityId, message: Transfer, scheduler: &mut Scheduler<Event, Transfer>) {
        self.station(entity).admit(message.entered_network, scheduler);
    }
}

impl Station {
    fn new(plan: &Plan, replication: Address, warm_up: SimTime) -> Self {
        Self {
            plan: plan.clone(),
            address: replication.child(u64::from(plan.entity.0)),
            from_outside: 0,
            customers: 0,
            queue: VecDeque::new(),
            in_service: 0,
            warm_up,
            measuring: false,
            idle_since: SimTime::ZERO,
            measures: Measures {
                offered: 0,
                lost: 0,
                delayed: 0,
                waiting: Tally::new(),
                sojourn: Tally::new(),
                passage: Tally::new(),
                present: TimeAverage::new(SimTime::ZERO, 0.0),
                idle: Vec::new(),
            },
        }
    }

    fn schedule_arrival(&mut self, scheduler: &mut Scheduler<Event, Transfer>) {
        self.from_outside += 1;
        let mut draw = self.address.child(self.from_outside).draw(INTERARRIVAL);
        let gap = exponential(&mut draw, 1.0 / self.plan.arrival_rate);
        scheduler.schedule(scheduler.now() + SimDuration::from_secs_f64(gap), Event::Arrival);
    }

    fn admit(&mut self, entered_network: SimTime, scheduler: &mut Scheduler<Event, Transfer>) {
        let now = scheduler.now();
        self.customers += 1;
        let counts = now >= self.warm_up;
        let here = self.queue.len() + self.in_service;
        let has_room = here < self.plan.capacity;
        self.measures.offered += u64::from(counts);
        self.measures.lost += u64::from(counts && !has_room);
        if !has_room {
            return;
        }
        self.count_present(1.0, now);
        if here == 0 {
            self.note_idle(now);
        }
        let customer = Customer { number: self.customers, entered_network, entered_station: now };
        if self.in_service < self.plan.servers {
            self.begin(customer, scheduler);
        } else {
            self.measures.delayed += u64::from(counts);
            self.queue.push_back(customer);
        }
    }

    fn begin(&mut self, customer: Customer, scheduler: &mut Scheduler<Event, Transfer>) {
        let now = scheduler.now();
        self.in_service += 1;
        if customer.entered_station >= self.warm_up {
            self.measures.waiting.record((now - customer.entered_station).as_secs_f64());
        }
        let mut draw = self.address.child(customer.number).draw(SERVICE);
        let duration = (self.plan.law)(&mut draw, self.plan.service);
        let done = now + SimDuration::from_secs_f64(duration);
        scheduler.schedule(done, Event::Departure(customer));
    }

    fn complete(&mut self, customer: Customer, scheduler: &mut Scheduler<Event, Transfer>) {
        let now = scheduler.now();
        self.in_service -= 1;
        self.count_present(-1.0, now);
        if customer.entered_station >= self.warm_up {
            self.measures.sojourn.record((now - customer.entered_station).as_secs_f64());
        }
        self.pass_on(customer, scheduler);
        if let Some(next) = self.queue.pop_front() {
            self.begin(next, scheduler);
        } else if self.in_service == 0 {
            self.idle_since = now;
        }
    }

    fn pass_on(&mut self, customer: Customer, scheduler: &mut Scheduler<Event, Transfer>) {
        let now = scheduler.now();
        let mut left = uniform(&mut self.address.child(customer.number).draw(ROUTE));
        for route in &self.plan.routes {
            if left < route.probability {
                let transfer = Transfer { entered_network: customer.entered_network };
                scheduler.send(route.to, now + route.delay, transfer);
                return;
            }
            left -= route.probability;
        }
        if customer.entered_network >= self.warm_up {
            self.measures.passage.record((now - customer.entered_network).as_secs_f64());
        }
    }

    fn count_present(&mut self, change: f64, now: SimTime) {
        let present = &mut self.measures.present;
        present.add(now, change);
        // The first change after the warm-up starts the measurement: a gap of no consequence.
        if now >= self.warm_up && !self.measuring {
            present.restart(now);
            self.measuring = true;
        }
    }

    fn note_idle(&mut self, now: SimTime) {
        let since = self.idle_since.max(self.warm_up);
        if since < now {
            self.measures.idle.push((since, now));
        }
    }
}

/// Checks independent replications of one quantity against its exact value: it lies inside their
/// 99.9 % Student interval, and the interval is narrow enough to find an error of 2 %.
#[expect(clippy::print_stdout, reason = "shown for a failed test and on request")]
pub(crate) fn assert_agrees(name: &str, exact: f64, replications: &[f64]) {
    let estimate = mean_estimate(replications, 0.999).expect("there are replications");
    let interval = estimate.interval.expect("there are several replications");
    let tally: Tally = replications.iter().copied().collect();
    let deviation = tally.variance().expect("there are several replications").sqrt();
    let standard_error = deviation / (replications.len() as f64).sqrt();
    println!(
        "{name}: exact {exact:.5}, simulated {:.5}, standard error {standard_error:.5} ({:+.2})",
        estimate.value,
        (estimate.value - exact) / standard_error
    );
    assert!(
        interval.half_width() < 0.02 * exact,
        "{name}: half width {} shows nothing about {exact}",
        interval.half_width()
    );
    assert!(interval.contains(exact), "{name}: {interval:?} misses {exact}");
}
