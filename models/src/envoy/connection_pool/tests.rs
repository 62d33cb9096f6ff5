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

fn pool_with(closes_at: &[u64]) -> (ConnectionPools<u32>, PoolId) {
    let mut pools = ConnectionPools::<u32>::with_capacity(0);
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
    let Kept::Open(first) = pools.take_kept(pool, at(100), |_| FAR) else { panic!() };
    assert_eq!(pools[first].closes_at, at(6_000));
}

#[test]
fn the_race_with_a_closing_server_is_one_round_trip_wide() {
    let checkout = |now| {
        let (mut pools, pool) = pool_with(&[2_000]);
        pools.take_kept(pool, at(now), |_| FAR)
    };
    assert!(matches!(checkout(1_919), Kept::Open(_)));
    assert!(matches!(checkout(1_920), Kept::Closed(PodId(0))));
    assert!(matches!(checkout(2_079), Kept::Closed(PodId(0))));
    assert!(matches!(checkout(2_080), Kept::Nothing));
}

#[test]
fn a_full_pool_drops_what_comes_back() {
    let mut pools = ConnectionPools::<u32>::with_capacity(0);
    let pool = pools.add(1, None, false);
    let (a, b) =
        (pools.open(at(0), pool, PodId(0), 0, window()), pools.open(at(0), pool, PodId(0), 0, window()));
    pools.check_in(a, 1);
    pools.check_in(b, 1);
    assert_eq!(pools.len(), 1);
}

#[test]
fn who_gives_up_waiting_leaves_the_order_of_the_others() {
    let limits = Thresholds { max_pending_requests: 3, ..Thresholds::ISTIO };
    for leaves in 0..4 {
        let all = [10, 11, 12, 13];
        let mut pools = ConnectionPools::with_capacity(0);
        let breaker = pools.add_breaker(limits);
        let pool = pools.add(1, Some(breaker), false);
        let waits: Vec<_> = all.iter().map(|&it| pools.wait(pool, it)).collect();
        assert_eq!(waits, [true, true, true, false]);
        // The fourth never waited.
        assert_eq!(pools.give_up(pool, all[leaves]), leaves < 3);
        let rest: Vec<_> = std::iter::from_fn(|| pools.take_waiting(pool)).collect();
        let expected: Vec<_> = (0..3).filter(|&it| it != leaves).map(|it| all[it]).collect();
        assert_eq!(rest, expected);
        assert_eq!(pools.breaker(breaker).count(Resource::PendingRequests), 0);
    }
}

#[test]
fn a_client_that_died_begins_with_nothing() {
    let mut pools = ConnectionPools::with_capacity(0);
    let (mine, other) = (pools.add_breaker(Thresholds::ISTIO), pools.add_breaker(Thresholds::ISTIO));
    let (pool, beside) = (pools.add(2, Some(mine), false), pools.add(2, Some(other), false));
    for pool in [pool, PoolId(pool.0 + 1), beside] {
        assert!(pools.wait(pool, 1));
        assert_eq!(pools.opening(pool), Opening::Allowed);
        assert_eq!(pools.take_waiting(pool), Some(1));
        let connection = pools.open(at(0), pool, PodId(0), 0, window());
        pools.connected(connection);
        pools.check_in(connection, u32::MAX);
    }
    assert!(pools.wait(pool, 2));
    pools.clear(pool, 2);
    assert_eq!((pools.len(), pools.breaker(mine).count(Resource::Connections)), (1, 0));
    assert!(pools.take_waiting(pool).is_none());
    assert!(matches!(pools.take_kept(pool, at(1), |_| FAR), Kept::Nothing));
    assert!(matches!(pools.take_kept(beside, at(1), |_| FAR), Kept::Open(_)));
}

#[test]
fn a_pool_says_what_becomes_of_a_request() {
    let limits = Thresholds { max_connections: 1, max_pending_requests: 2, ..Thresholds::ISTIO };
    let mut pools = ConnectionPools::with_capacity(0);
    let breaker = pools.add_breaker(limits);
    let pool = pools.add(1, Some(breaker), false);
    let take = |pools: &mut ConnectionPools<u32>, request| pools.take(pool, request, at(0), |_| FAR);
    assert!(matches!(take(&mut pools, 1), Taken::Waits(Opening::Allowed)));
    let connection = pools.open(at(0), pool, PodId(0), 0, window());
    assert!(matches!(take(&mut pools, 2), Taken::Waits(Opening::Refused)));
    assert!(matches!(take(&mut pools, 3), Taken::Overflow));
    // The first that waits takes it, then the second, then nobody.
    pools.connected(connection);
    assert_eq!(pools.release(connection), Some(1));
    pools.attach(connection, None);
    let Left::Wanted(connection) = pools.give_back(connection) else { panic!("others wait") };
    assert_eq!(pools.release(connection), Some(2));
    pools.attach(connection, Some(2));
    // It has had its two requests, and nobody waits for another connection.
    assert!(matches!(pools.give_back(connection), Left::Lost(it) if it == pool));
    assert_eq!(pools.opening(pool), Opening::NotNeeded);
    assert!(pools.is_empty());
}

/// One connection is idle, one has a request: the pools are another's when that has its answer.
#[test]
fn pools_of_a_dead_client_are_used_again_when_their_connections_have_ended() {
    let mut pools = ConnectionPools::<u32>::with_capacity(4);
    let breaker = pools.add_breaker(Thresholds::ISTIO);
    let mine = pools.add(2, Some(breaker), false);
    let open = |pools: &mut ConnectionPools<u32>| {
        assert!(pools.breaker(breaker).acquire(Resource::Connections));
        let connection = pools.open(at(0), mine, PodId(0), 0, window());
        pools.connected(connection);
        connection
    };
    let (idle, busy) = (open(&mut pools), open(&mut pools));
    pools.attach(busy, None);
    assert_eq!(pools.release(idle), None);
    pools.leave(mine, 2);
    pools.leave_breaker(breaker);
    let other = pools.add_breaker(Thresholds::ISTIO);
    assert!(pools.add(2, Some(other), false) != mine && other != breaker);
    pools.detach(busy);
    assert_eq!(pools.release(busy), None);
    assert_ne!(pools.add(1, Some(other), false), mine, "another number of workers");
    assert_eq!(pools.add_breaker(Thresholds::ISTIO), breaker);
    assert_eq!(pools.add(2, Some(breaker), false), mine);
    assert_ne!(pools.add(2, Some(breaker), false), mine, "once");
}
