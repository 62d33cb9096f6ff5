//! Connections that a client keeps to one upstream: an Envoy worker to an endpoint or to the application
//! beside it, or a cell's worker process to a Service.
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
//! connection may make one beyond the limit (`first_connection`).
//! A pool answers, whoever asks acts: on the client's side and on the server's alike (`cluster/pooling`).
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
use super::first_connection::{self, Opening};
use super::idle_timeout;
use crate::ids::{BreakerId, PodId, PoolId};
use crate::istiod::cluster_policy::ClusterPolicy;
use crate::network::retransmission::Fate;
use crate::network::tcp::Window;
use meshsim_core::{Handle, SimDuration, SimTime, Slab, Table};

/// A connection, kept or in use, for requests that are told apart by an `R`.
#[derive(Clone, Copy, Debug)]
pub struct Connection<R> {
    /// Whose it is.
    pub pool: PoolId,
    /// Where it ends.
    pub pod: PodId,
    /// The server's worker that accepted it: of the pod's sidecar, or of the cell without one.
    pub server_worker: u16,
    /// The worker that accepted it of the east-west gateway before the pod, if there is one.
    pub gateway_worker: u16,
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
    /// What becomes of what was sent on it last, if that was swallowed.
    pub stalled: Option<Fate>,
    /// The request for which it is made and which nothing else may take.
    pub bound: Option<R>,
    /// Requests on it.
    streams: u32,
    /// Requests that it has had.
    served: u32,
    /// Whether it takes no further requests, and is closed when it has none.
    draining: bool,
    /// The idle connection that was used before this one.
    next_idle: Option<Handle<Self>>,
}

#[derive(Clone, Copy, Debug)]
struct Pool<R> {
    breaker: Option<BreakerId>,
    shares_connection: bool,
    of_cell: Option<PodId>,
    /// It keeps at most so many idle connections.
    kept_most: u32,
    last_used: Option<Handle<Connection<R>>>,
    idle: u32,
    /// Connections that exist or are being made, and of these the latter.
    connections: u32,
    connecting: u32,
    /// The one that was begun last.
    made_last: Option<Handle<Connection<R>>>,
    /// First and last of the requests that wait for a connection, and their number.
    waiting: Option<Ends<R>>,
    waits: u32,
}

/// Whose a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A proxy's, for an upstream that this limits.
    Proxy(BreakerId),
    /// The cell's of a pod.
    Cell(PodId),
}

/// The first and the last of a queue.
type Ends<R> = (Handle<Waiting<R>>, Handle<Waiting<R>>);

/// A request that waits for a connection, and the one behind it.
#[derive(Clone, Copy, Debug)]
struct Waiting<R> {
    request: R,
    next: Option<Handle<Self>>,
}

impl<R> Pool<R> {
    const fn new(breaker: Option<BreakerId>, shares_connection: bool, of_cell: Option<PodId>) -> Self {
        Self {
            breaker,
            shares_connection,
            of_cell,
            kept_most: u32::MAX,
            last_used: None,
            idle: 0,
            connections: 0,
            connecting: 0,
            made_last: None,
            waiting: None,
            waits: 0,
        }
    }
}

/// What a pool has kept for a request.
#[derive(Clone, Copy, Debug)]
pub enum Kept<R> {
    /// A connection.
    Open(Handle<Connection<R>>),
    /// A connection that its server has closed, which the client cannot know yet: the request will be
    /// reset. Tells where the connection ended.
    Closed(PodId),
    /// Nothing.
    Nothing,
}

/// What a pool answers to a request.
#[derive(Clone, Copy, Debug)]
pub enum Taken<R> {
    /// It goes out on this connection.
    Sent(Handle<Connection<R>>),
    /// It goes out on a connection that its server has closed.
    MetClose,
    /// It waits, and a connection is to be made for those that do, or not.
    Waits(Opening),
    /// Too many wait already.
    Overflow,
}

/// What a pool answers when a request leaves its connection.
#[derive(Clone, Copy, Debug)]
pub enum Left<R> {
    /// The connection has fallen idle.
    Idle,
    /// Others wait for the connection: release it.
    Wanted(Handle<Connection<R>>),
    /// It is gone, or ends with what it has: its pool may need another for those that wait.
    Lost(PoolId),
    /// Others go on using it.
    Shared,
}

/// Pools and connections of a cluster for requests of one kind: those of its clients, or those of its
/// servers' sidecars to their applications.
#[derive(Clone, Debug)]
pub struct ConnectionPools<R> {
    pools: Table<PoolId, Pool<R>>,
    connections: Slab<Connection<R>>,
    waiting: Slab<Waiting<R>>,
    breakers: Table<BreakerId, CircuitBreaker>,
    /// Pools of clients that have died, by the first of each group and their number: for others, when the last of their
    /// connections has ended.
    left: Vec<(PoolId, u32)>,
    /// Likewise.
    left_breakers: Vec<BreakerId>,
}

impl<R: Copy + PartialEq> ConnectionPools<R> {
    /// No pools yet; room for so many connections.
    #[must_use]
    pub fn with_capacity(connections: usize) -> Self {
        Self {
            pools: Table::new(),
            connections: Slab::with_capacity(connections),
            waiting: Slab::with_capacity(connections),
            breakers: Table::new(),
            left: Vec::new(),
            left_breakers: Vec::new(),
        }
    }

    /// Memory of connections and of those that wait, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.connections.bytes() + self.waiting.bytes()
    }

    /// Adds what limits a proxy's upstream.
    pub fn add_breaker(&mut self, limits: Thresholds) -> BreakerId {
        let breakers = &self.breakers;
        if let Some(found) = self.left_breakers.iter().position(|&breaker| breakers[breaker].is_idle()) {
            let breaker = self.left_breakers.swap_remove(found);
            self.breakers[breaker] = CircuitBreaker::new(limits);
            return breaker;
        }
        self.breakers.push(CircuitBreaker::new(limits))
    }

    /// The proxy of an upstream has died: its counts are another's when nothing is under way any more.
    pub fn leave_breaker(&mut self, breaker: BreakerId) {
        self.left_breakers.push(breaker);
    }

    /// The client of `count` pools has died: idle connections are closed, the others take no further requests, and
    /// the pools are another's when they have none.
    pub fn leave(&mut self, first: PoolId, count: usize) {
        let mine = first.0..first.0 + count as u32;
        for pool in mine.clone().map(PoolId) {
            while let Some(last) = self.pools[pool].last_used {
                self.drain(last);
            }
        }
        if mine.clone().any(|pool| self.pools[PoolId(pool)].connections > 0) {
            let connections = &self.connections;
            let rest = |&connection: &Handle<Connection<R>>| mine.contains(&connections[connection].pool.0);
            for handle in connections.handles().filter(rest).collect::<Vec<_>>() {
                self.connections[handle].draining = true;
            }
        }
        self.left.push((first, count as u32));
    }

    /// Pools of those that have died, without a connection and in a row.
    fn take_left(&mut self, count: usize) -> Option<PoolId> {
        let pools = &self.pools;
        let is_unused = |pool| pools[pool].connections == 0 && pools[pool].waits == 0;
        let found = self.left.iter().position(|&(first, many)| {
            many as usize == count && (first.0..first.0 + many).map(PoolId).all(is_unused)
        })?;
        Some(self.left.swap_remove(found).0)
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
        let pool = Pool::new(breaker, shares_connection, None);
        if let Some(first) = self.take_left(count) {
            (first.0..first.0 + count as u32).for_each(|number| self.pools[PoolId(number)] = pool);
            return first;
        }
        let first = self.pools.push(pool);
        for _ in 1..count {
            self.pools.push(pool);
        }
        first
    }

    /// What limits the upstream of a pool, if anything does.
    #[must_use]
    pub fn breaker_of(&self, pool: PoolId) -> Option<BreakerId> {
        self.pools[pool].breaker
    }

    /// A request wants to go out at `now`; `one_way` tells how far a pod is. If it
    /// waits, whichever connection is ready first takes it.
    pub fn take(
        &mut self,
        pool: PoolId,
        request: R,
        now: SimTime,
        one_way: impl Fn(PodId) -> SimDuration,
    ) -> Taken<R> {
        match self.take_kept(pool, now, one_way) {
            Kept::Open(connection) => Taken::Sent(connection),
            Kept::Closed(_) => Taken::MetClose,
            Kept::Nothing if self.wait(pool, request) => Taken::Waits(self.opening(pool)),
            Kept::Nothing => Taken::Overflow,
        }
    }

    /// A connection that a pool has kept for a request that goes out at `now`.
    pub fn take_kept(
        &mut self,
        pool: PoolId,
        now: SimTime,
        one_way: impl Fn(PodId) -> SimDuration,
    ) -> Kept<R> {
        while let Some(handle) = self.pools[pool].last_used {
            let connection = &self.connections[handle];
            let idle_too_long = connection.streams == 0 && now >= connection.idle_until;
            if idle_too_long || now >= connection.lives_until {
                self.drain(handle);
                continue;
            }
            let &Connection { pod, closes_at, next_idle, .. } = connection;
            let one_way = one_way(pod);
            if now.saturating_add(one_way) < closes_at {
                if !self.pools[pool].shares_connection {
                    self.take_idle(pool, next_idle);
                }
                return Kept::Open(handle);
            }
            // What is still on a shared connection ends by itself.
            self.drain(handle);
            if now < closes_at.saturating_add(one_way) {
                return Kept::Closed(pod);
            }
        }
        Kept::Nothing
    }

    /// A connection has nothing to do: the request that waited longest takes it, else it falls idle, of
    /// which its pool keeps at most so many. What others share is asked again until nobody waits.
    pub fn release(&mut self, connection: Handle<Connection<R>>) -> Option<R> {
        let &Connection { pool, draining, .. } = &self.connections[connection];
        let shared = self.pools[pool].shares_connection;
        // One whose endpoint left while it was made carries those that wait for it, and no others.
        if shared && !draining {
            self.check_in(connection, u32::MAX);
        }
        let next = self.take_waiting(pool);
        if next.is_none() {
            if draining {
                self.drain(connection);
            } else if !shared {
                self.check_in(connection, self.pools[pool].kept_most);
            }
        }
        next
    }

    /// The request on a connection is over; its pool keeps at most so many idle ones, if one has one request.
    pub fn give_back(&mut self, connection: Handle<Connection<R>>) -> Left<R> {
        let state = &mut self.connections[connection];
        state.streams -= 1;
        let (pool, draining) = (state.pool, state.draining);
        if draining {
            self.drain(connection);
            return Left::Lost(pool);
        }
        let &Pool { waits, shares_connection, kept_most, .. } = &self.pools[pool];
        if waits > 0 {
            return Left::Wanted(connection);
        }
        self.check_in(connection, if shares_connection { u32::MAX } else { kept_most });
        Left::Idle
    }

    /// The request on a connection ends without an answer: the connection is closed, unless others share
    /// it and it is `sound`.
    pub fn abandon(&mut self, connection: Handle<Connection<R>>, sound: bool) -> Left<R> {
        self.detach(connection);
        let Connection { pool, draining, .. } = self.connections[connection];
        if sound && self.pools[pool].shares_connection && !draining {
            return Left::Shared;
        }
        self.drain(connection);
        Left::Lost(pool)
    }

    /// Whether a connection is to be made for those that wait in a pool: one that is being made and that
    /// nobody else waits for will do, and the limit may forbid it.
    pub fn opening(&mut self, pool: PoolId) -> Opening {
        let state = &self.pools[pool];
        let is_shared_soon = state.shares_connection && state.connecting > 0;
        if state.waits <= state.connecting || is_shared_soon {
            return Opening::NotNeeded;
        }
        let Some(breaker) = state.breaker else { return Opening::Allowed };
        first_connection::may_open(&mut self.breakers[breaker], state.connections)
    }

    /// Makes a connection, which [`ConnectionPools::opening`] allowed. `window` is its server's.
    pub fn open(
        &mut self,
        now: SimTime,
        pool: PoolId,
        pod: PodId,
        server_worker: u16,
        window: Window,
    ) -> Handle<Connection<R>> {
        self.pools[pool].connections += 1;
        self.pools[pool].connecting += 1;
        let handle = self.connections.insert(Connection {
            pool,
            pod,
            server_worker,
            gateway_worker: 0,
            window,
            closes_at: SimTime::MAX,
            idle_until: SimTime::MAX,
            lives_until: SimTime::MAX,
            opened: now,
            stalled: None,
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
    pub fn shared_in_making(&self, pool: PoolId) -> Option<Handle<Connection<R>>> {
        let state = &self.pools[pool];
        state.made_last.filter(|_| state.shares_connection && state.connecting > 0)
    }

    /// A handshake is done.
    pub fn connected(&mut self, handle: Handle<Connection<R>>) {
        let pool = self.connections[handle].pool;
        self.pools[pool].connecting -= 1;
    }

    /// A handshake has failed: the connection is gone. Tells its pool.
    pub fn connect_failed(&mut self, handle: Handle<Connection<R>>) -> PoolId {
        self.connected(handle);
        self.close(handle)
    }

    /// A request goes out on a connection, which carries at most so many.
    pub fn attach(&mut self, handle: Handle<Connection<R>>, max_requests: Option<u32>) -> &mut Connection<R> {
        let connection = &mut self.connections[handle];
        connection.streams += 1;
        connection.served += 1;
        if max_requests.is_some_and(|most| connection.served >= most) {
            self.drain(handle);
        }
        &mut self.connections[handle]
    }

    /// Whether no request has gone out on a connection yet.
    #[must_use]
    pub fn is_new(&self, handle: Handle<Connection<R>>) -> bool {
        self.connections[handle].served == 0
    }

    /// The request on a connection is being answered at `now`: if it is the last, the connection falls idle, and
    /// is closed as its policy says; the server closes it at `closes_at`.
    pub fn rest(
        &mut self,
        handle: Handle<Connection<R>>,
        now: SimTime,
        closes_at: SimTime,
        policy: Option<&ClusterPolicy>,
    ) -> &mut Connection<R> {
        let state = &mut self.connections[handle];
        // Its server closes a connection that others still use later.
        state.closes_at = if state.streams == 1 { closes_at } else { SimTime::MAX };
        state.idle_until = idle_timeout::idle_until(policy, now);
        state.lives_until = idle_timeout::lives_until(policy, state.opened);
        state
    }

    /// A request leaves a connection.
    pub fn detach(&mut self, handle: Handle<Connection<R>>) {
        self.connections[handle].streams -= 1;
    }

    /// Adds the empty pool of a cell's worker, of so many idle connections at most, whose requests share a connection, or do
    /// not; through a sidecar its connections count there.
    pub fn add_of_cell(
        &mut self,
        pod: PodId,
        breaker: Option<BreakerId>,
        shares_connection: bool,
        kept_most: u32,
    ) -> PoolId {
        let pool = Pool { kept_most, ..Pool::new(breaker, shares_connection, Some(pod)) };
        if let Some(left) = self.take_left(1) {
            self.pools[left] = pool;
            return left;
        }
        self.pools.push(pool)
    }

    /// Who connects.
    ///
    /// # Panics
    /// If the pool is neither a cell's nor limited.
    #[must_use]
    pub fn owner(&self, pool: PoolId) -> Owner {
        let pool = &self.pools[pool];
        match (pool.of_cell, pool.breaker) {
            (Some(pod), _) => Owner::Cell(pod),
            (None, breaker) => Owner::Proxy(breaker.expect("a proxy's pool is limited")),
        }
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

    /// Whether TCP has given a connection up.
    #[must_use]
    pub fn is_lost(&self, handle: Handle<Connection<R>>, now: SimTime) -> bool {
        matches!(self.connections[handle].stalled, Some(Fate::Lost(at)) if at <= now)
    }

    /// Whether a connection takes no further requests.
    #[must_use]
    pub fn is_draining(&self, handle: Handle<Connection<R>>) -> bool {
        self.connections[handle].draining
    }

    /// Gives a connection back to its pool, which keeps at most `kept_max`.
    pub fn check_in(&mut self, handle: Handle<Connection<R>>, kept_max: u32) {
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
    pub fn close(&mut self, handle: Handle<Connection<R>>) -> PoolId {
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
    pub fn drain(&mut self, handle: Handle<Connection<R>>) {
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

    /// The client of `count` pools has died, with its connections and requests; another begins with
    /// nothing. They are all the pools of their breaker.
    pub fn clear(&mut self, first: PoolId, count: usize) {
        let mine = first.0..first.0 + count as u32;
        let connections = &self.connections;
        let lost: Vec<_> =
            connections.handles().filter(|&it| mine.contains(&connections[it].pool.0)).collect();
        for handle in lost {
            self.connections.remove(handle);
        }
        // All of them count with the same breaker.
        for pool in mine.clone().map(PoolId) {
            while self.take_waiting(pool).is_some() {}
        }
        for pool in mine.map(PoolId) {
            let state = &mut self.pools[pool];
            let kept_most = state.kept_most;
            *state = Pool { kept_most, ..Pool::new(state.breaker, state.shares_connection, state.of_cell) };
            if let Some(breaker) = state.breaker {
                self.breakers[breaker].clear();
            }
        }
    }

    fn handles_to(&self, pod: PodId) -> Vec<Handle<Connection<R>>> {
        self.connections.handles().filter(|&handle| self.connections[handle].pod == pod).collect()
    }

    /// A request starts to wait for a connection of `pool`, if the limit allows.
    pub fn wait(&mut self, pool: PoolId, request: R) -> bool {
        let state = &mut self.pools[pool];
        let breaker = state.breaker.map(|breaker| &mut self.breakers[breaker]);
        if breaker.is_some_and(|breaker| !breaker.acquire(Resource::PendingRequests)) {
            return false;
        }
        state.waits += 1;
        let new = self.waiting.insert(Waiting { request, next: None });
        state.waiting = match state.waiting {
            None => Some((new, new)),
            Some((first, last)) => {
                self.waiting[last].next = Some(new);
                Some((first, new))
            }
        };
        true
    }

    /// The request that has waited longest for a connection of `pool`, which waits no more.
    pub fn take_waiting(&mut self, pool: PoolId) -> Option<R> {
        let (first, last) = self.pools[pool].waiting?;
        let Waiting { request, next } = self.waiting.remove(first);
        self.pools[pool].waiting = next.map(|next| (next, last));
        self.waits_no_more(pool);
        Some(request)
    }

    /// A request gives up waiting; tells whether it did wait.
    pub fn give_up(&mut self, pool: PoolId, request: R) -> bool {
        let Some((first, last)) = self.pools[pool].waiting else { return false };
        if self.waiting[first].request == request {
            return self.take_waiting(pool).is_some();
        }
        let mut before = first;
        let leaves = loop {
            match self.waiting[before].next {
                None => return false,
                Some(after) if self.waiting[after].request == request => break after,
                Some(after) => before = after,
            }
        };
        self.waiting[before].next = self.waiting.remove(leaves).next;
        self.pools[pool].waiting = Some((first, if last == leaves { before } else { last }));
        self.waits_no_more(pool);
        true
    }

    /// Connections that exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// How many lead to a pod.
    #[must_use]
    pub fn count_to(&self, pod: PodId) -> usize {
        self.connections.handles().filter(|&handle| self.connections[handle].pod == pod).count()
    }

    /// Whether none exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn waits_no_more(&mut self, pool: PoolId) {
        let state = &mut self.pools[pool];
        state.waits -= 1;
        if let Some(breaker) = state.breaker {
            self.breakers[breaker].release(Resource::PendingRequests);
        }
    }

    fn take_idle(&mut self, pool: PoolId, next: Option<Handle<Connection<R>>>) {
        self.pools[pool].last_used = next;
        self.pools[pool].idle -= 1;
    }
}

impl<R: Copy> std::ops::Index<Handle<Connection<R>>> for ConnectionPools<R> {
    type Output = Connection<R>;
    fn index(&self, handle: Handle<Connection<R>>) -> &Connection<R> {
        &self.connections[handle]
    }
}

impl<R: Copy> std::ops::IndexMut<Handle<Connection<R>>> for ConnectionPools<R> {
    fn index_mut(&mut self, handle: Handle<Connection<R>>) -> &mut Connection<R> {
        &mut self.connections[handle]
    }
}

#[cfg(test)]
mod tests;
