//! An open network of three stations, each a process of its own, against the product form.
//!
//! The messages between the stations take time; a delay is a station with endless servers, which
//! keeps the product form whatever its law. With gamma the stream from outside, lambda_i the
//! solution of the traffic equations and rho_i the load, station i is on its own an M/M/1 queue, the
//! stations are independent of each other at any one time, and by Little's law a passage takes
//! sum of lambda_i / gamma * (sojourn at i + mean delay after i).
//!
//! # Source
//! Jackson, Networks of waiting lines, Operations Research 5, 1957. Delays: Baskett, Chandy, Muntz
//! and Palacios, Open, closed, and mixed networks of queues, Journal of the ACM 22, 1975.

mod queues;

use meshsim_core::random::{Address, exponential};
use meshsim_core::stats::Tally;
use meshsim_core::{Engine, EntityId, Lookahead, RunControl, RunEnd, SimDuration, SimTime};
use queues::{Event, Measures, Plan, Route, Stations, assert_agrees};

const SEED: u64 = 5;
const REPLICATIONS: u32 = 25;
const WARM_UP: SimTime = SimTime::from_nanos(1_000 * 1_000_000_000);
const END: SimTime = SimTime::from_nanos(61_000 * 1_000_000_000);

const ARRIVAL_RATE: [f64; 3] = [0.5, 0.3, 0.0];
const SERVICE_RATE: [f64; 3] = [2.5, 2.0, 1.6];
/// Per station: to which others, how likely, and how far in milliseconds. The rest leaves.
const ROUTES: [&[(usize, f64, u64)]; 3] =
    [&[(1, 0.5, 300), (2, 0.3, 700)], &[(0, 0.2, 400), (2, 0.5, 250)], &[(0, 0.3, 900)]];

fn plan(station: usize) -> Plan {
    let routes = ROUTES[station].iter().map(|&(to, probability, millis)| Route {
        to: EntityId(to as u32),
        probability,
        delay: SimDuration::from_millis(millis),
    });
    Plan {
        entity: EntityId(station as u32),
        arrival_rate: ARRIVAL_RATE[station],
        service: 1.0 / SERVICE_RATE[station],
        law: exponential,
        servers: 1,
        capacity: usize::MAX,
        routes: routes.collect(),
    }
}

fn lookaheads() -> Vec<Lookahead> {
    let links = |from: usize| {
        ROUTES[from].iter().map(move |&(to, _, millis)| Lookahead {
            from,
            to,
            delay: SimDuration::from_millis(millis),
        })
    };
    (0..3).flat_map(links).collect()
}

fn run_network(replication: u32) -> Engine<Stations> {
    let process = |station| {
        let stations = Stations::new(&[plan(station)], Address::root(SEED, replication), WARM_UP);
        let entities = stations.entities();
        (stations, entities)
    };
    let mut engine = Engine::new((0..3).map(process).collect(), &lookaheads());
    for station in (0..3).filter(|&station| ARRIVAL_RATE[station] > 0.0) {
        engine.schedule(EntityId(station as u32), SimTime::ZERO, Event::Arrival);
    }
    assert_eq!(engine.run(&mut RunControl::until(END)), RunEnd::ReachedEnd);
    engine
}

/// The measures of the stations in their order.
fn measures(network: &Engine<Stations>) -> impl Iterator<Item = &Measures> {
    network.processes().flat_map(Stations::measures)
}

/// Customers per second through each station: the traffic equations, iterated.
fn throughputs() -> [f64; 3] {
    let mut rates = ARRIVAL_RATE;
    for _ in 0..200 {
        let mut next = ARRIVAL_RATE;
        for (from, routes) in ROUTES.iter().enumerate() {
            for &(to, probability, _) in *routes {
                next[to] += rates[from] * probability;
            }
        }
        rates = next;
    }
    rates
}

fn mean_passage(rates: [f64; 3]) -> f64 {
    let through = |station: usize| {
        let sojourn = 1.0 / (SERVICE_RATE[station] - rates[station]);
        let delays = ROUTES[station].iter().map(|&(_, share, millis)| share * millis as f64 / 1e3);
        rates[station] * (sojourn + delays.sum::<f64>())
    };
    (0..3).map(through).sum::<f64>() / ARRIVAL_RATE.iter().sum::<f64>()
}

/// The share of time in which all stations are idle together.
fn all_idle(network: &Engine<Stations>) -> f64 {
    let idle: Vec<&Measures> = measures(network).collect();
    let common = idle[1..].iter().fold(idle[0].idle.clone(), |a, b| intersection(&a, &b.idle));
    let seconds = common.iter().map(|&(from, to)| (to - from).as_secs_f64());
    seconds.sum::<f64>() / (END - WARM_UP).as_secs_f64()
}

fn intersection(a: &[(SimTime, SimTime)], b: &[(SimTime, SimTime)]) -> Vec<(SimTime, SimTime)> {
    let (mut i, mut j, mut common) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        let (from, to) = (a[i].0.max(b[j].0), a[i].1.min(b[j].1));
        if from < to {
            common.push((from, to));
        }
        if a[i].1 < b[j].1 { i += 1 } else { j += 1 }
    }
    common
}

/// The mean time from entrance to exit over all customers, wherever they left.
fn passage(network: &Engine<Stations>) -> f64 {
    let mut all = Tally::new();
    measures(network).for_each(|station| all.merge(&station.passage));
    all.mean().expect("customers left")
}

#[test]
fn three_stations_have_the_product_form() {
    let networks: Vec<Engine<Stations>> = (0..REPLICATIONS).map(run_network).collect();
    let rates = throughputs();
    let of_station = |station: usize, quantity: &dyn Fn(&Measures) -> f64| -> Vec<f64> {
        networks.iter().map(|network| quantity(measures(network).nth(station).unwrap())).collect()
    };
    for station in 0..3 {
        let (rate, load) = (rates[station], rates[station] / SERVICE_RATE[station]);
        let number = of_station(station, &|measures| measures.present.mean(END).unwrap());
        assert_agrees(&format!("station {station} mean number"), load / (1.0 - load), &number);
        let sojourn = of_station(station, &|measures| measures.sojourn.mean().unwrap());
        let exact = 1.0 / (SERVICE_RATE[station] - rate);
        assert_agrees(&format!("station {station} mean sojourn"), exact, &sojourn);
    }
    let idle: f64 = (0..3).map(|station| 1.0 - rates[station] / SERVICE_RATE[station]).product();
    let all_idle: Vec<f64> = networks.iter().map(all_idle).collect();
    assert_agrees("share of time with all stations idle", idle, &all_idle);
    let passages: Vec<f64> = networks.iter().map(passage).collect();
    assert_agrees("mean passage through the network", mean_passage(rates), &passages);
}
