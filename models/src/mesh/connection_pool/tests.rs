//! Tests of connection pools.

use super::*;
use crate::network::tcp::TcpSettings;

const FAR: SimDuration = SimDuration::from_millis(80);

fn at(ms: u64) -> SimTime {
    SimTime::from_nanos(ms * 1_000_000)
}

fn window() -> Window {
    Window::new(at(0), &TcpSettings::default())
}

fn pool_with(closes_at: &[u64]) -> (ConnectionPools, PoolId) {
    let mut pools = ConnectionPools::<Hop>::with_capacity(0);
    let pool = pools.add(1, None, false);
    for &ms in closes_at {
        let connection = pools.open(at(0), pool, PodId(0), 0, window());
        pools[connection].closes_at = at(ms);
        pools.connected(connection);
        pools.check_in(connection, u32::MAX);
    }
    (pools, pool)
}

#[test]
fn the_connection_used_last_is_taken_first() {
    let (mut pools, pool) = pool_with(&[5_000, 6_000]);
    let Checkout::Kept(first) = pools.check_out(pool, at(100), |_| FAR) else { panic!() };
    assert_eq!(pools[first].closes_at, at(6_000));
}

#[test]
fn the_race_with_a_closing_server_is_one_round_trip_wide() {
    let checkout = |now| {
        let (mut pools, pool) = pool_with(&[2_000]);
        pools.check_out(pool, at(now), |_| FAR)
    };
    assert!(matches!(checkout(1_919), Checkout::Kept(_)));
    assert!(matches!(checkout(1_920), Checkout::Closed(PodId(0))));
    assert!(matches!(checkout(2_079), Checkout::Closed(PodId(0))));
    assert!(matches!(checkout(2_080), Checkout::None));
}

#[test]
fn a_full_pool_drops_what_comes_back() {
    let mut pools = ConnectionPools::<Hop>::with_capacity(0);
    let pool = pools.add(1, None, false);
    let (a, b) =
        (pools.open(at(0), pool, PodId(0), 0, window()), pools.open(at(0), pool, PodId(0), 0, window()));
    pools.check_in(a, 1);
    pools.check_in(b, 1);
    assert_eq!(pools.len(), 1);
}

#[derive(Clone, Copy)]
struct Request(Option<Handle<Request>>);

impl Waits for Request {
    fn next_waiting(&mut self) -> &mut Option<Handle<Self>> {
        &mut self.0
    }
}

#[test]
fn who_gives_up_waiting_leaves_the_order_of_the_others() {
    let limits = Thresholds { max_pending_requests: 3, ..Thresholds::ISTIO };
    for leaves in 0..4 {
        let mut requests = Slab::new();
        let all: Vec<_> = (0..4).map(|_| requests.insert(Request(None))).collect();
        let mut pools = ConnectionPools::with_capacity(0);
        let breaker = pools.add_breaker();
        let pool = pools.add(1, Some(breaker), false);
        let waits: Vec<_> = all.iter().map(|&it| pools.wait(pool, it, &mut requests, &limits)).collect();
        assert_eq!(waits, [true, true, true, false]);
        // The fourth never waited.
        assert_eq!(pools.give_up(pool, all[leaves], &mut requests), leaves < 3);
        let rest: Vec<_> = std::iter::from_fn(|| pools.take_waiting(pool, &mut requests)).collect();
        let expected: Vec<_> = (0..3).filter(|&it| it != leaves).map(|it| all[it]).collect();
        assert_eq!(rest, expected);
        assert_eq!(pools.breaker(breaker).count(Resource::PendingRequests), 0);
    }
}

#[test]
fn a_client_that_died_begins_with_nothing() {
    let mut requests = Slab::new();
    let mut pools = ConnectionPools::with_capacity(0);
    let (mine, other) = (pools.add_breaker(), pools.add_breaker());
    let (pool, beside) = (pools.add(2, Some(mine), false), pools.add(2, Some(other), false));
    for pool in [pool, PoolId(pool.0 + 1), beside] {
        assert_eq!(pools.may_open(pool, &Thresholds::ISTIO), Opening::Allowed);
        let connection = pools.open(at(0), pool, PodId(0), 0, window());
        pools.connected(connection);
        pools.check_in(connection, u32::MAX);
    }
    assert!(pools.wait(pool, requests.insert(Request(None)), &mut requests, &Thresholds::ISTIO));
    pools.clear(pool, 2);
    assert_eq!((pools.len(), pools.breaker(mine).count(Resource::Connections)), (1, 0));
    assert!(pools.take_waiting(pool, &mut requests).is_none());
    assert!(matches!(pools.check_out(pool, at(1), |_| FAR), Checkout::None));
    assert!(matches!(pools.check_out(beside, at(1), |_| FAR), Checkout::Kept(_)));
}
