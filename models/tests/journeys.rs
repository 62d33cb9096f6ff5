//! Users who go through the steps of a journey, against closed forms.
//!
//! # Source
//! Kemeny and Snell, Finite Markov chains, 1960, theorem 4.1.4: the stationary shares of a chain.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::Endpoint;
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::requests::{Requests, Step};
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;
use support::{CLOUD, EDGE, all_ended, free_world, run, served, with_outlier_detection};

const SECONDS: u64 = 4_000;
const USERS: u32 = 20;

fn step(endpoint: u32, think_ms: u64, next: &[(u16, f64)]) -> Step {
    let think_time = Some(SimDuration::from_millis(think_ms));
    Step { endpoint: EndpointId(endpoint), think_time, next: next.to_vec() }
}

/// A shop of three kinds of requests, of which `cart` calls a stock in a cluster. From home to a product in 3 of 4 cases,
/// else to the cart; from a product to another or to the cart; from the cart home.
fn shop(stock: ClusterId, arrivals: Arrivals) -> Description {
    let mut world = free_world(&[0, 0], &[], &[(0, EDGE, 1), (1, stock, 1)], arrivals, SECONDS);
    let further = |name: &str| Endpoint {
        name: name.to_owned(),
        ..Endpoint::new(ServiceId(0), InternalService::idle())
    };
    let product = world.application.endpoints.push(further("product"));
    let cart = world.application.endpoints.push(further("cart"));
    world.application.services[ServiceId(0)].others = vec![product, cart];
    world.application.endpoints[cart].groups =
        vec![meshsim_models::application::call_graph::Group::in_turn([(EndpointId(1), 1.0)])];
    world.services[ServiceId(1)] = with_outlier_detection();
    world.populations[0].users = USERS;
    world.populations[0].requests = Requests::journey(vec![
        step(0, 400, &[(1, 3.0), (2, 1.0)]),
        step(2, 1_000, &[(1, 1.0), (2, 1.0)]),
        step(3, 200, &[(0, 1.0)]),
    ]);
    world
}

fn closed_loop() -> Arrivals {
    Arrivals::ClosedLoop { think_time: SimDuration::from_millis(600), exponential: true }
}

fn kinds(record: &Record) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    record.requests.iter().for_each(|row| *counts.entry(row.endpoint.0).or_default() += 1);
    counts
}

/// With shares of 1, 3/2 and 1 of 7/2, a step takes (400 + 1,500 + 200) / 3.5 = 600 ms of thinking in the mean, and the
/// way to the pod and back.
#[test]
fn users_of_a_chain_come_to_its_steps_by_their_stationary_shares_and_think_as_these_say() {
    let record = run(&shop(EDGE, closed_loop()), 0);
    let ended = all_ended(&record);
    let latency = ended.iter().map(|(_, it)| it.latency.as_secs_f64()).sum::<f64>() / ended.len() as f64;
    let expected = f64::from(USERS) * SECONDS as f64 / (0.6 + latency);
    let all = record.requests.len() as f64;
    assert!((all - expected).abs() < 0.01 * expected, "{all} requests, expected {expected}");
    let counts = kinds(&record);
    for (kind, share) in [(0, 1.0 / 3.5), (2, 1.5 / 3.5), (3, 1.0 / 3.5)] {
        let found = counts[&kind] as f64 / all;
        assert!((found - share).abs() < 0.005, "kind {kind}: {found}, expected {share}");
    }
    assert_eq!(counts.len(), 3);
    // Every cart looks into the stock, once; what is on its way at the end is not served.
    let looked = served(&record, EDGE)[1];
    assert!(counts[&3].abs_diff(looked) <= u64::from(USERS), "{looked} of {}", counts[&3]);
}

/// The n-th request of a user is the same under every strategy, whenever it comes.
#[test]
fn journeys_are_the_same_whatever_answers_take() {
    for arrivals in [closed_loop(), Arrivals::Poisson { per_second: 30.0 }] {
        let [near, far] = [EDGE, CLOUD].map(|stock| run(&shop(stock, arrivals.clone()), 1));
        let of = |record: &Record| -> BTreeMap<u32, (u32, Option<(u64, u32)>)> {
            let rows = record.requests.iter().zip(&record.work);
            rows.map(|(row, work)| {
                let done = row.end.map(|_| (work.calls, work.tree));
                (row.number, (row.endpoint.0, done))
            })
            .collect()
        };
        let (near, far) = (of(&near), of(&far));
        let common: Vec<u32> = near.keys().filter(|it| far.contains_key(it)).copied().collect();
        assert!(common.len() > 60_000, "{}", common.len());
        for number in common {
            let ((kind, done), (other, theirs)) = (near[&number], far[&number]);
            assert_eq!(kind, other, "request {number}");
            assert!(done == theirs || done.is_none() || theirs.is_none(), "request {number}");
        }
    }
}

/// A journey without a choice goes round: so many of each step, to the request.
#[test]
fn a_journey_of_steps_in_turn_goes_round_and_round() {
    let mut world = shop(EDGE, Arrivals::Constant { per_second: 10.0 });
    (world.duration, world.populations[0].users) = (SimDuration::from_millis(90_050), 3);
    world.populations[0].requests =
        Requests::journey(vec![step(0, 1, &[(1, 1.0)]), step(2, 1, &[(2, 1.0)]), step(2, 1, &[(0, 1.0)])]);
    let record = run(&world, 0);
    // 900 requests of three users in turn: 300 of each, 100 of each step.
    assert_eq!(kinds(&record), BTreeMap::from([(0, 300), (2, 600)]));
    let of_first: Vec<u32> = record.requests.iter().step_by(3).map(|it| it.endpoint.0).take(7).collect();
    assert_eq!(of_first, [0, 2, 2, 0, 2, 2, 0]);
}
