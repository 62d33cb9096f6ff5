//! Connections that a client keeps to one upstream: an Envoy worker to an endpoint, or a cell's
//! worker process to a Service.
//!
//! # Models
//! HTTP/1.1: one request at a time per connection. A request takes the idle connection that was
//! used last; if there is none, a new one is made, which costs a round trip for TCP and one more
//! for TLS 1.3. In Envoy a request that waits for a new connection takes whichever connection is
//! free first: the new one, or one that another request gave back.
//! HTTP/2: all requests of a pool share one connection; while it is made they wait. That of a cell's
//! worker without a proxy leads to the one endpoint that was chosen for it, until it is closed.
//! A server that closes an idle connection is noticed half a round trip later; a request that was
//! sent in between meets the close and is reset.
//! A connection is closed after its largest number of requests. Connections, waiting requests and
//! requests under way are counted by the circuit breaker of the pool's upstream; a pool without a
//! connection may make one beyond the limit.
//!
//! # Assumptions
//! - Connections that a server or the idle time-out closed are counted until their pool is asked
//!   again. Effect: none without a limit of connections.
//! - Under HTTP/2 each response starts from the congestion window that the last one left, and a
//!   connection whose requests are used up takes none while it lives.
//!
//! # Source
//! Envoy, arch_overview/upstream/connection_pooling, `conn_pool_base.cc`; urllib3
//! `HTTPConnectionPool` (last in first out, at most 10 kept).

use super::circuit_breaker::{CircuitBreaker, Resource, Thresholds};
use crate::call::record::Hop;
use crate::ids::{BreakerId, PodId, PoolId};
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
    /// When the client itself closes it if it stays idle, which meets no request.
    pub idle_until: SimTime,
    /// When the client itself lets it take no further requests.
    pub lives_until: SimTime,
    /// When it was asked for.
    pub opened: SimTime,
    /// The request for which it is made and which nothing else may take.
    pub bound: Option<Handle<Hop>>,
    /// Requests on it.
    streams: u32,
    /// Requests that it has had.
    served: u32,
    /// Whether it takes no further requests, and is closed when it has none.
    draining: bool,
    /// The idle connection that was used before this one.
    next_idle: Option<Handle<Connection>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pool {
    breaker: Option<BreakerId>,
    shares_connection: bool,
    of_cell: Option<PodId>,
    last_used: Option<Handle<Connection>>,
    idle: u32,
    /// Connections that exist or are being made, and of these the latter.
    connections: u32,
    connecting: u32,
    /// The one that was begun last.
    made_last: Option<Handle<Connection>>,
    /// First and last of the requests that wait for a connection, and their number.
    waiting: Option<(Handle<Hop>, Handle<Hop>)>,
    waits: u32,
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
    breakers: Table<BreakerId, CircuitBreaker>,
}

impl ConnectionPools {
    /// No pools yet; room for so many connections.
    #[must_use]
    pub fn with_capacity(connections: usize) -> Self {
        Self { pools: Table::new(), connections: Slab::with_capacity(connections), breakers: Table::new() }
    }

    /// Adds the counts of a proxy's upstream.
    pub fn add_breaker(&mut self) -> BreakerId {
        self.breakers.push(CircuitBreaker::default())
    }

    /// The counts of a proxy's upstream.
    pub fn breaker(&mut self, breaker: BreakerId) -> &mut CircuitBreaker {
        &mut self.breakers[breaker]
    }

    /// All counts.
    pub fn breakers(&self) -> impl Iterator<Item = &CircuitBreaker> {
        self.breakers.iter()
    }

    /// Adds `count` empty pools of an upstream whose requests share connections, or do not; tells
    /// the first.
    pub fn add(&mut self, count: usize, breaker: Option<BreakerId>, shares_connection: bool) -> PoolId {
        let pool = Pool { breaker, shares_connection, ..Pool::default() };
        let first = self.pools.push(pool);
        for _ in 1..count {
            self.pools.push(pool);
        }
        first
    }

    /// Takes a connection of a pool for a request; `one_way` tells how far a pod is.
    pub fn check_out(
        &mut self,
        pool: PoolId,
        now: SimTime,
        one_way: impl Fn(PodId) -> SimDuration,
    ) -> Checkout {
        while let Some(handle) = self.pools[pool].last_used {
            let connection = self.connections[handle];
            let idle_too_long = connection.streams == 0 && now >= connection.idle_until;
            if idle_too_long || now >= connection.lives_until {
                self.drain(handle);
                continue;
            }
            let one_way = one_way(connection.pod);
            if now.saturating_add(one_way) < connection.closes_at {
                if !self.pools[pool].shares_connection {
                    self.take_idle(pool, connection.next_idle);
                }
                return Checkout::Kept(handle);
            }
            // What is still on a shared connection ends by itself.
            self.drain(handle);
            if now < connection.closes_at.saturating_add(one_way) {
                return Checkout::Closed(connection.pod);
            }
        }
        Checkout::None
    }

    /// Whether a new connection is to be made for a request that waits: its pool may share the one
    /// that is being made, and the limit may forbid it.
    pub fn may_open(&mut self, pool: PoolId, thresholds: &Thresholds) -> Opening {
        let it = self.pools[pool];
        if it.shares_connection && it.connecting > 0 {
            return Opening::Shared;
        }
        let Some(breaker) = it.breaker else { return Opening::Allowed };
        let breaker = &mut self.breakers[breaker];
        if breaker.acquire(thresholds, Resource::Connections) {
            Opening::Allowed
        } else if it.connections == 0 {
            breaker.force(Resource::Connections);
            Opening::Forced
        } else {
            Opening::Refused
        }
    }

    /// Makes a connection, which `may_open` allowed.
    /// `window` is its server's.
    pub fn open(
        &mut self,
        now: SimTime,
        pool: PoolId,
        pod: PodId,
        server_worker: u16,
        window: Window,
    ) -> Handle<Connection> {
        self.pools[pool].connections += 1;
        self.pools[pool].connecting += 1;
        let handle = self.connections.insert(Connection {
            pool,
            pod,
            server_worker,
            window,
            closes_at: SimTime::MAX,
            idle_until: SimTime::MAX,
            lives_until: SimTime::MAX,
            opened: now,
            bound: None,
            streams: 0,
            served: 0,
            draining: false,
            next_idle: None,
        });
        self.pools[pool].made_last = Some(handle);
        handle
    }

    /// The connection that is being made and that all requests of a pool will share.
    #[must_use]
    pub fn shared_in_making(&self, pool: PoolId) -> Option<Handle<Connection>> {
        let it = &self.pools[pool];
        it.made_last.filter(|_| it.shares_connection && it.connecting > 0)
    }

    /// A handshake is done.
    pub fn connected(&mut self, handle: Handle<Connection>) {
        let pool = self.connections[handle].pool;
        self.pools[pool].connecting -= 1;
    }

    /// A handshake has failed: the connection is gone. Tells its pool.
    pub fn connect_failed(&mut self, handle: Handle<Connection>) -> PoolId {
        self.connected(handle);
        self.close(handle)
    }

    /// A request goes out on a connection, which carries at most so many.
    pub fn attach(&mut self, handle: Handle<Connection>, max_requests: Option<u32>) {
        let connection = &mut self.connections[handle];
        connection.streams += 1;
        connection.served += 1;
        if max_requests.is_some_and(|most| connection.served >= most) {
            self.drain(handle);
        }
    }

    /// Requests that a connection carries.
    #[must_use]
    pub fn streams(&self, handle: Handle<Connection>) -> u32 {
        self.connections[handle].streams
    }

    /// A request on a connection is over.
    pub fn detach(&mut self, handle: Handle<Connection>) {
        self.connections[handle].streams -= 1;
    }

    /// Adds the empty pool of a cell's worker whose requests share a connection, or do not; through a
    /// sidecar its connections count there.
    pub fn add_of_cell(&mut self, pod: PodId, breaker: Option<BreakerId>, shares_connection: bool) -> PoolId {
        self.pools.push(Pool { breaker, shares_connection, of_cell: Some(pod), ..Pool::default() })
    }

    /// Who connects: a number that differs between pods and proxies.
    #[must_use]
    pub fn owner(&self, pool: PoolId) -> u32 {
        let pool = &self.pools[pool];
        // Breakers are one per proxy and upstream; pods count from the other end.
        pool.of_cell.map_or_else(|| pool.breaker.map_or(0, |it| it.0), |pod| u32::MAX - pod.0)
    }

    /// Whether a pool is a cell's.
    #[must_use]
    pub fn is_of_cell(&self, pool: PoolId) -> bool {
        self.pools[pool].of_cell.is_some()
    }

    /// Whether a connection may take a request beside those that it has.
    #[must_use]
    pub fn is_shared(&self, pool: PoolId) -> bool {
        self.pools[pool].shares_connection
    }

    /// Whether a connection takes no further requests.
    #[must_use]
    pub fn is_draining(&self, handle: Handle<Connection>) -> bool {
        self.connections[handle].draining
    }

    /// Gives a connection back to its pool, which keeps at most `kept_max`.
    pub fn check_in(&mut self, handle: Handle<Connection>, kept_max: u32) {
        let connection = &mut self.connections[handle];
        let pool = &mut self.pools[connection.pool];
        if pool.shares_connection && pool.last_used == Some(handle) {
            return;
        }
        if pool.idle >= kept_max {
            self.close(handle);
            return;
        }
        connection.next_idle = pool.last_used;
        pool.last_used = Some(handle);
        pool.idle += 1;
    }

    /// A connection that nobody may take is closed; tells its pool.
    pub fn close(&mut self, handle: Handle<Connection>) -> PoolId {
        let connection = self.connections.remove(handle);
        let pool = &mut self.pools[connection.pool];
        pool.connections -= 1;
        if pool.last_used == Some(handle) {
            pool.last_used = connection.next_idle;
            pool.idle -= 1;
        }
        if let Some(breaker) = pool.breaker {
            self.breakers[breaker].release(Resource::Connections);
        }
        connection.pool
    }

    /// A connection takes no further requests.
    pub fn drain(&mut self, handle: Handle<Connection>) {
        self.connections[handle].draining = true;
        let connection = self.connections[handle];
        if self.pools[connection.pool].last_used == Some(handle) {
            self.take_idle(connection.pool, connection.next_idle);
        }
        if connection.streams == 0 {
            self.close(handle);
        }
    }

    /// The endpoint of some proxies' pools is gone for them: idle connections are closed, the others
    /// take no further requests.
    pub fn retire(&mut self, pod: PodId) {
        for handle in self.handles_to(pod) {
            // Gone with another one of its pool, or a cell's.
            if !self.connections.contains(handle) || self.is_of_cell(self.connections[handle].pool) {
                continue;
            }
            let pool = self.connections[handle].pool;
            while let Some(last) = self.pools[pool].last_used {
                self.drain(last);
            }
            if self.connections.contains(handle) {
                self.connections[handle].draining = true;
            }
        }
    }

    /// A pod closed the connections that cells have to it.
    pub fn server_closed(&mut self, pod: PodId, closed: SimTime) {
        for handle in self.handles_to(pod) {
            let connection = &mut self.connections[handle];
            connection.closes_at = connection.closes_at.min(closed);
        }
    }

    fn handles_to(&self, pod: PodId) -> Vec<Handle<Connection>> {
        self.connections.handles().filter(|&handle| self.connections[handle].pod == pod).collect()
    }

    /// A request starts to wait for a connection of `pool`, if the limit allows. `hops` holds the
    /// requests.
    pub fn wait(
        &mut self,
        pool: PoolId,
        hop: Handle<Hop>,
        hops: &mut Slab<Hop>,
        limits: &Thresholds,
    ) -> bool {
        let it = &mut self.pools[pool];
        let breaker = it.breaker.map(|breaker| &mut self.breakers[breaker]);
        if breaker.is_some_and(|breaker| !breaker.acquire(limits, Resource::PendingRequests)) {
            return false;
        }
        it.waits += 1;
        it.waiting = match it.waiting {
            None => Some((hop, hop)),
            Some((first, last)) => {
                hops[last].next_waiting = Some(hop);
                Some((first, hop))
            }
        };
        true
    }

    /// The request that has waited longest for a connection of `pool`, which waits no more.
    pub fn take_waiting(&mut self, pool: PoolId, hops: &mut Slab<Hop>) -> Option<Handle<Hop>> {
        let (first, last) = self.pools[pool].waiting?;
        let next = hops[first].next_waiting.take();
        self.pools[pool].waiting = next.map(|next| (next, last));
        self.waits_no_more(pool);
        Some(first)
    }

    /// A request that waits gives up.
    pub fn give_up(&mut self, pool: PoolId, hop: Handle<Hop>, hops: &mut Slab<Hop>) {
        let Some((first, last)) = self.pools[pool].waiting else { return };
        let next = hops[hop].next_waiting.take();
        if first == hop {
            self.pools[pool].waiting = next.map(|next| (next, last));
        } else {
            let mut before = first;
            while let Some(after) = hops[before].next_waiting.filter(|after| *after != hop) {
                before = after;
            }
            hops[before].next_waiting = next;
            self.pools[pool].waiting = Some((first, if last == hop { before } else { last }));
        }
        self.waits_no_more(pool);
    }

    /// Requests that wait for a connection of a pool, beyond those that are being made for them.
    #[must_use]
    pub fn lacks_connection(&self, pool: PoolId) -> bool {
        let it = &self.pools[pool];
        it.waits > it.connecting && !(it.shares_connection && it.connecting > 0)
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

    fn waits_no_more(&mut self, pool: PoolId) {
        let it = &mut self.pools[pool];
        it.waits -= 1;
        if let Some(breaker) = it.breaker {
            self.breakers[breaker].release(Resource::PendingRequests);
        }
    }

    fn take_idle(&mut self, pool: PoolId, next: Option<Handle<Connection>>) {
        self.pools[pool].last_used = next;
        self.pools[pool].idle -= 1;
    }
}

/// Whether a connection may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Yes.
    Allowed,
    /// Yes, though the limit is reached: the pool has none.
    Forced,
    /// It waits for the one that is being made.
    Shared,
    /// No: the limit is reached.
    Refused,
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
    use crate::network::tcp::TcpSettings;

    const FAR: SimDuration = SimDuration::from_millis(80);

    fn at(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    fn window() -> Window {
        Window::new(at(0), &TcpSettings::default())
    }

    fn pool_with(closes_at: &[u64]) -> (ConnectionPools, PoolId) {
        let mut pools = ConnectionPools::default();
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
        assert_eq!(checkout(1_920), Checkout::Closed(PodId(0)));
        assert_eq!(checkout(2_079), Checkout::Closed(PodId(0)));
        assert_eq!(checkout(2_080), Checkout::None);
    }

    #[test]
    fn a_full_pool_drops_what_comes_back() {
        let mut pools = ConnectionPools::default();
        let pool = pools.add(1, None, false);
        let (a, b) =
            (pools.open(at(0), pool, PodId(0), 0, window()), pools.open(at(0), pool, PodId(0), 0, window()));
        pools.check_in(a, 1);
        pools.check_in(b, 1);
        assert_eq!(pools.len(), 1);
    }
}
