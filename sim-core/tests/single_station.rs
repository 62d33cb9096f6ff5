//! One queueing station against its closed forms.
//!
//! # Source
//! - M/M/1, and M/M/1/K with loss: Kleinrock, Queueing Systems I, 1975, sections 3.2 and 3.6.
//! - M/M/c, probability of waiting (Erlang C): Erlang, Solution of some problems in the theory of
//!   probabilities of significance in automatic telephone exchanges, 1917; Kleinrock I, 3.5.
//! - M/D/1, mean waiting time (Pollaczek-Khinchine): Kleinrock I, section 5.6.

mod queues;

use meshsim_core::random::{Address, Draw, exponential};
use meshsim_core::{Engine, EntityId, RunControl, RunEnd, SimTime};
use queues::{Event, Law, Measures, Plan, Stations, assert_agrees};

const REPLICATIONS: u32 = 25;
/// At the start the station is empty, which it forgets within some hundred services.
const WARM_UP: SimTime = SimTime::from_nanos(2_000 * 1_000_000_000);
const STATION: EntityId = EntityId(0);

/// A station with a mean service of one second, without end of room.
fn plan(arrival_rate: f64, servers: usize, law: Law) -> Plan {
    Plan {
        entity: STATION,
        arrival_rate,
        service: 1.0,
        law,
        servers,
        capacity: usize::MAX,
        routes: Vec::new(),
    }
}

fn constant(_: &mut Draw, mean: f64) -> f64 {
    mean
}

/// Independent replications of `customers` customers each.
struct Replications(Vec<Engine<Stations>>, SimTime);

impl Replications {
    fn run(seed: u64, plan: &Plan, customers: u64) -> Self {
        let seconds = customers as f64 / plan.arrival_rate;
        let end = SimTime::from_nanos((seconds * 1e9) as u64 + WARM_UP.as_nanos());
        let run = |replication| run_station(plan, Address::root(seed, replication), end);
        Self((0..REPLICATIONS).map(run).collect(), end)
    }

    fn of(&self, quantity: impl Fn(&Measures) -> f64) -> Vec<f64> {
        let processes = self.0.iter().flat_map(Engine::processes);
        processes.flat_map(Stations::measures).map(quantity).collect()
    }

    fn mean_waiting(&self) -> Vec<f64> {
        self.of(|measures| measures.waiting.mean().expect("customers came"))
    }

    fn mean_sojourn(&self) -> Vec<f64> {
        self.of(|measures| measures.sojourn.mean().expect("customers came"))
    }

    fn mean_present(&self) -> Vec<f64> {
        self.of(|measures| measures.present.mean(self.1).expect("time has passed"))
    }

    fn idle_share(&self) -> Vec<f64> {
        let measured = (self.1 - WARM_UP).as_secs_f64();
        self.of(|measures| {
            let idle = measures.idle.iter().map(|&(from, to)| (to - from).as_secs_f64());
            idle.sum::<f64>() / measured
        })
    }
}

fn run_station(plan: &Plan, replication: Address, end: SimTime) -> Engine<Stations> {
    let stations = Stations::new(std::slice::from_ref(plan), replication, WARM_UP);
    let entities = stations.entities();
    let mut engine = Engine::new(vec![(stations, entities)], &[]);
    engine.schedule(STATION, SimTime::ZERO, Event::Arrival);
    assert_eq!(engine.run(&mut RunControl::until(end)), RunEnd::ReachedEnd);
    engine
}

#[test]
fn one_exponential_server() {
    let load = 0.8;
    let runs = Replications::run(1, &plan(load, 1, exponential), 300_000);
    assert_agrees("M/M/1 mean sojourn", 1.0 / (1.0 - load), &runs.mean_sojourn());
    assert_agrees("M/M/1 mean number", load / (1.0 - load), &runs.mean_present());
    assert_agrees("M/M/1 idle share", 1.0 - load, &runs.idle_share());
}

/// The probability that all of `servers` are busy when `offered` Erlang come to them.
fn erlang_c(servers: usize, offered: f64) -> f64 {
    let mut erlang_b = 1.0;
    for server in 1..=servers {
        erlang_b = offered * erlang_b / (server as f64 + offered * erlang_b);
    }
    erlang_b / (1.0 - offered / servers as f64 * (1.0 - erlang_b))
}

#[test]
fn several_exponential_servers() {
    let (servers, offered) = (4, 3.2);
    let runs = Replications::run(2, &plan(offered, servers, exponential), 400_000);
    let delayed = erlang_c(servers, offered);
    let shares = runs.of(|measures| measures.delayed as f64 / measures.offered as f64);
    assert_agrees("M/M/4 share that waits", delayed, &shares);
    let waiting = delayed / (servers as f64 - offered);
    assert_agrees("M/M/4 mean waiting", waiting, &runs.mean_waiting());
    assert_agrees("M/M/4 mean sojourn", waiting + 1.0, &runs.mean_sojourn());
}

#[test]
fn one_deterministic_server() {
    let load = 0.8;
    let runs = Replications::run(3, &plan(load, 1, constant), 200_000);
    let waiting = load / (2.0 * (1.0 - load));
    assert_agrees("M/D/1 mean waiting", waiting, &runs.mean_waiting());
    assert_agrees("M/D/1 mean number", load * (waiting + 1.0), &runs.mean_present());
    assert_agrees("M/D/1 idle share", 1.0 - load, &runs.idle_share());
}

#[test]
fn loss_for_want_of_room() {
    let (load, capacity) = (0.9_f64, 5);
    let plan = Plan { capacity, ..plan(load, 1, exponential) };
    let runs = Replications::run(4, &plan, 100_000);
    let weights: Vec<f64> = (0..=capacity).map(|present| load.powi(present as i32)).collect();
    let total: f64 = weights.iter().sum();
    let lost = weights[capacity] / total;
    let present: f64 = (0..).zip(&weights).map(|(n, weight)| f64::from(n) * weight / total).sum();
    let shares = runs.of(|measures| measures.lost as f64 / measures.offered as f64);
    assert_agrees("M/M/1/5 share that is lost", lost, &shares);
    assert_agrees("M/M/1/5 mean number", present, &runs.mean_present());
    let sojourn = present / (load * (1.0 - lost));
    assert_agrees("M/M/1/5 mean sojourn", sojourn, &runs.mean_sojourn());
    assert_agrees("M/M/1/5 idle share", 1.0 / total, &runs.idle_share());
}
