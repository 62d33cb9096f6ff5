//! Connections that a client keeps to one upstream: an Envoy worker to an endpoint, or a cell's
//! worker process to a Service.
//!
//! # Models
//! HTTP/1.1: one request at a time per connection. A request takes the idle connection that was
//! used last; if there is none, a new one is made, which costs a round trip for TCP and one more
//! for TLS 1.3. In Envoy a request that waits for a new connection takes whichever connection is
//! free first: the new one, or one that another request gave back.
//! A server that closes an idle connection is noticed half a round trip later; a request that was
//! sent in between meets the close and is reset.
//!
//! # Assumptions
//! Connections are not limited in number, requests per connection neither (Istio's defaults).
//!
//! # Source
//! Envoy, arch_overview/upstream/connection_pooling, `conn_pool_base.cc`; urllib3
//! `HTTPConnectionPool` (last in first out, at most 10 kept).

use crate::call::record::Hop;
use crate::ids::{PodId, PoolId};
use crate::network::tcp::Window;
use meshsim_core::{Handle, SimDuration, SimTime, Slab, Table};

/// A connection, kept or in use.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Whose it is.
    pub pool: PoolId,
    /// Where it ends.
    pub pod: PodId,
    /// The server's worker that accepted it: of the pod's sidecar, or of the cell without one.
    pub server_worker: u16,
    /// The server's congestion window.
    pub window: Window,
    /// When the server closes it if it stays idle.
    pub closes_at: SimTime,
    /// The request for which it is made and which nothing else may take.
    pub bound: Option<Handle<Hop>>,
    /// The idle connection that was used before this one.
    next_idle: Option<Handle<Connection>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pool {
    last_used: Option<Handle<Connection>>,
    idle: u32,
    /// First and last of the requests that wait for a connection.
    waiting: Option<(Handle<Hop>, Handle<Hop>)>,
}

/// What a pool has for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// A kept connection.
    Kept(Handle<Connection>),
    /// A kept connection that its server has closed, which the client cannot know yet: the
    /// request will be reset. Tells where the connection ended.
    Closed(PodId),
    /// Nothing: a new one has to be made.
    None,
}

/// All pools and connections of the clients of a cluster.
#[derive(Clone, Debug, Default)]
pub struct ConnectionPools {
    pools: Table<PoolId, Pool>,
    connections: Slab<Connection>,
}

impl ConnectionPools {
    /// No pools yet; room for so many connections.
    #[must_use]
    pub fn with_capacity(connections: usize) -> Self {
        Self { pools: Table::new(), connections: Slab::with_capacity(connections) }
    }

    /// Adds `count` empty pools; tells the first.
    pub fn add(&mut self, count: usize) -> PoolId {
        let first = self.pools.push(Pool::default());
        for _ in 1..count {
            self.pools.push(Pool::default());
        }
        first
    }

    /// Takes an idle connection of a pool; `one_way` tells how far a pod is.
    pub fn check_out(
        &mut self,
        pool: PoolId,
        now: SimTime,
        one_way: impl Fn(PodId) -> SimDuration,
    ) -> Checkout {
        while let Some(handle) = self.pools[pool].last_used {
            let connection = self.connections[handle];
            self.pools[pool].last_used = connection.next_idle;
            self.pools[pool].idle -= 1;
            let one_way = one_way(connection.pod);
            if now.saturating_add(one_way) < connection.closes_at {
                return Checkout::Kept(handle);
            }
            self.connections.remove(handle);
            if now < connection.closes_at.saturating_add(one_way) {
                return Checkout::Closed(connection.pod);
            }
        }
        Checkout::None
    }

    /// Makes a connection.
    pub fn open(&mut self, now: SimTime, pool: PoolId, pod: PodId, server_worker: u16) -> Handle<Connection> {
        self.connections.insert(Connection {
            pool,
            pod,
            server_worker,
            window: Window::new(now),
            closes_at: SimTime::MAX,
            bound: None,
            next_idle: None,
        })
    }

    /// Gives a connection back to its pool, which keeps at most `kept_max`.
    pub fn check_in(&mut self, handle: Handle<Connection>, kept_max: u32) {
        let connection = &mut self.connections[handle];
        let pool = &mut self.pools[connection.pool];
        if pool.idle >= kept_max {
            self.connections.remove(handle);
            return;
        }
        connection.next_idle = pool.last_used;
        pool.last_used = Some(handle);
        pool.idle += 1;
    }

    /// A request starts to wait for a connection of `pool`. `hops` holds the requests.
    pub fn wait(&mut self, pool: PoolId, hop: Handle<Hop>, hops: &mut Slab<Hop>) {
        let waiting = &mut self.pools[pool].waiting;
        *waiting = match *waiting {
            None => Some((hop, hop)),
            Some((first, last)) => {
                hops[last].next_waiting = Some(hop);
                Some((first, hop))
            }
        };
    }

    /// The request that has waited longest for a connection of `pool`, which waits no more.
    pub fn take_waiting(&mut self, pool: PoolId, hops: &mut Slab<Hop>) -> Option<Handle<Hop>> {
        let (first, last) = self.pools[pool].waiting?;
        let next = hops[first].next_waiting.take();
        self.pools[pool].waiting = next.map(|next| (next, last));
        Some(first)
    }

    /// Connections that exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether none exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }
}

impl std::ops::Index<Handle<Connection>> for ConnectionPools {
    type Output = Connection;
    fn index(&self, handle: Handle<Connection>) -> &Connection {
        &self.connections[handle]
    }
}

impl std::ops::IndexMut<Handle<Connection>> for ConnectionPools {
    fn index_mut(&mut self, handle: Handle<Connection>) -> &mut Connection {
        &mut self.connections[handle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: SimDuration = SimDuration::from_millis(80);

    fn at(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    fn pool_with(closes_at: &[u64]) -> (ConnectionPools, PoolId) {
        let mut pools = ConnectionPools::default();
        let pool = pools.add(1);
        for &ms in closes_at {
            let connection = pools.open(at(0), pool, PodId(0), 0);
            pools[connection].closes_at = at(ms);
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
        assert_eq!(checkout(1_920), Checkout::Closed(PodId(0)));
        assert_eq!(checkout(2_079), Checkout::Closed(PodId(0)));
        assert_eq!(checkout(2_080), Checkout::None);
    }

    #[test]
    fn a_full_pool_drops_what_comes_back() {
        let mut pools = ConnectionPools::default();
        let pool = pools.add(1);
        let (a, b) = (pools.open(at(0), pool, PodId(0), 0), pools.open(at(0), pool, PodId(0), 0));
        pools.check_in(a, 1);
        pools.check_in(b, 1);
        assert_eq!(pools.len(), 1);
    }
}
