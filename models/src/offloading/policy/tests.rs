//! What the original does where its reference cases do not look: edges that are full or empty, requests of nothing, ties.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/{MFU, IA, TA, Kahn}.py`, branch by branch.

use super::sbmp::candidates::Candidates;
use super::*;
use crate::offloading::analytic_model::{AnalyticModel, Prices, Usage};

/// 0 calls 1 and 2, which are alike; 3 is never called; users enter at 0.
fn model() -> AnalyticModel {
    let mut calls = vec![vec![0.0; 5]; 5];
    (calls[4][0], calls[0][1], calls[0][2]) = (1.0, 0.4, 0.4);
    let free = Prices { cpu: 0.02, memory: 0.0 };
    AnalyticModel {
        calls,
        response_bytes: vec![1e4, 1e4, 1e4, 1e4, 0.0],
        internal_delay: vec![0.0; 10],
        round_trip: 0.1,
        bandwidth: 1e9,
        rate: 10.0,
        cpu_request: vec![1.0; 10],
        memory_request: vec![0.0; 10],
        cpu_target: vec![0.6; 10],
        cloud_prices: free,
        edge_prices: free,
        network_price: 0.0,
        floors_pods: false,
    }
}

fn all() -> [Policy; 5] {
    let sbmp = Sbmp { candidates: Candidates::Paths, expanding_depth: 2, max_sets: 256 };
    [Policy::Sbmp(sbmp), Policy::Mfu, Policy::Ia, Policy::Kahn, Policy::Ta]
}

/// What each answers, in the order of `all`, with these services at the edge and these locked.
fn answers(
    model: &AnalyticModel,
    (edge, locked): (&[usize], &[usize]),
    request: Request,
    compat: bool,
) -> [Result<Vec<usize>, Unanswered>; 5] {
    let set = |services: &[usize], mut set: EdgeSet| {
        services.iter().for_each(|&service| set[service] = true);
        set
    };
    let usage = Usage { cpu: vec![0.1; 10], memory: vec![0.0; 10] };
    let (edge, locked) = (set(edge, model.void_edge()), set(locked, vec![false; 5]));
    let situation = Situation { model, edge, usage: &usage, locked, compat };
    let services = |set: EdgeSet| situation::services_of(&set).collect();
    all().map(|policy| policy.decide(&situation, request).map(services))
}

fn decrease(target: f64) -> Request {
    Request::Decrease { target, stop: target }
}

fn increase(target: f64) -> Request {
    Request::Increase { target, stop: target }
}

const NOT_REACHABLE: Result<Vec<usize>, Unanswered> = Err(Unanswered::NotReachable);

/// MFU takes the gateway for one more service and is done; the others crash, but SBMP, which has no candidate.
#[test]
fn a_full_edge_cannot_be_faster() {
    let full = Ok(vec![0, 1, 2, 3]);
    let of = |compat| answers(&model(), (&[0, 1, 2, 3], &[]), decrease(0.05), compat);
    assert_eq!(of(true), [full.clone(), full.clone(), NOT_REACHABLE, NOT_REACHABLE, NOT_REACHABLE]);
    assert_eq!(of(false), [full, NOT_REACHABLE, NOT_REACHABLE, NOT_REACHABLE, NOT_REACHABLE]);
}

/// Where what is locked is needed MFU never ends; IA, Kahn and TA take no notice of locks.
#[test]
fn locked_services_make_a_request_unreachable_for_mfu() {
    let [sbmp, mfu, ia, kahn, ta] = answers(&model(), (&[], &[0]), decrease(0.1), true);
    assert_eq!(mfu, NOT_REACHABLE);
    assert!(!sbmp.unwrap().contains(&0));
    for it in [ia, kahn, ta] {
        assert!(it.unwrap().contains(&0));
    }
}

/// Nothing is asked: MFU and IA do nothing, Kahn and TA take back what costs no time, as their direction is the sign.
#[test]
fn a_request_of_nothing_takes_back_what_nobody_calls() {
    let [_, mfu, ia, kahn, ta] = answers(&model(), (&[0, 3], &[]), decrease(0.0), true);
    assert_eq!([mfu, ia], [Ok(vec![0, 3]), Ok(vec![0, 3])]);
    // Kahn tries the service of the highest rank alone, which is 0.
    assert_eq!([kahn, ta], [Ok(vec![0, 3]), Ok(vec![0])]);
}

/// An empty edge has nothing to take back: MFU never ends, Kahn and TA crash, SBMP searches and finds nothing.
#[test]
fn an_empty_edge_has_nothing_to_take_back() {
    let found = answers(&model(), (&[], &[]), increase(0.1), true);
    let nothing = Err(Unanswered::TakesNothingBack);
    assert_eq!(found, [Ok(vec![]), NOT_REACHABLE, nothing, NOT_REACHABLE, NOT_REACHABLE]);
}

/// Where all may go MFU never ends in the original; Kahn and TA stop at the empty edge.
#[test]
fn everything_may_go() {
    let of = |compat| answers(&model(), (&[0, 1], &[]), increase(10.0), compat);
    let [sbmp, mfu, _, kahn, ta] = of(true);
    assert_eq!([sbmp, kahn, ta], [Ok(vec![]), Ok(vec![]), Ok(vec![])]);
    assert_eq!([mfu, of(false)[1].clone()], [NOT_REACHABLE, Ok(vec![])]);
}

/// Of two that are alike the first comes first.
#[test]
fn ties_go_to_the_lowest_number() {
    let found = answers(&model(), (&[0], &[]), decrease(0.04), true);
    let first = Ok(vec![0, 1]);
    // Ways of SBMP are in the order of their bit strings, and Kahn's sort begins with what nobody calls.
    assert_eq!(found, [Ok(vec![0, 2]), first.clone(), first.clone(), Ok(vec![0, 1, 3]), first]);
}

/// What calls itself has no place in Kahn's sort and stays at its head; the model does not count such calls.
#[test]
fn a_service_that_calls_itself_is_at_the_head_of_kahns_sort() {
    let mut model = model();
    model.calls[1][1] = 0.3;
    let [sbmp, mfu, _, kahn, _] = answers(&model, (&[0], &[]), decrease(0.04), true);
    assert_eq!(sbmp, Err(Unanswered::Cyclic));
    assert_eq!([mfu, kahn], [Ok(vec![0, 1]), Ok(vec![0, 1])]);
    let visits = model.visits_in_one_cluster();
    assert_eq!(visits, [1.0, 0.4, 0.4, 0.0, 1.0]);
}
