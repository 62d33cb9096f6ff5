//! What a proxy does with connections, on either side of a call: a client's towards endpoints
//! (`connection`), a server's sidecar towards its own application (`at_server`).
//!
//! # Models
//! A request takes the idle connection of its worker's pool that was used last, or waits for the first
//! that is free, for which a new one is made if the limits allow. A connection that its request has left
//! goes to whoever waits, or falls idle; one that takes no further requests is closed, and another is
//! made for those that wait.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `newStreamImpl`, `onUpstreamReady`, `tryCreateNewConnection`,
//! `onStreamClosed`.

use crate::ids::PoolId;
use crate::mesh::circuit_breaker::Thresholds;
use crate::mesh::connection_pool::{Checkout, Connection, ConnectionPools, Opening, Waits};
use meshsim_core::{Handle, Slab};

/// A side of a call, whose requests are of kind `R`.
pub(super) trait Pooling<R: Waits> {
    /// Its connections, and its requests.
    fn pools(&mut self) -> (&mut ConnectionPools<R>, &mut Slab<R>);

    /// The limits that hold for a request.
    fn limits(&self, request: &R) -> Thresholds;

    /// What a pool has kept for a request that comes now.
    fn take_kept(&mut self, pool: PoolId) -> Checkout<R>;

    /// A request goes out over its connection, unless a limit forbids it. Tells whether the connection
    /// is in use.
    fn dispatch(&mut self, request: Handle<R>, connection: Handle<Connection<R>>) -> bool;

    /// A request goes out on a connection that its server has closed.
    fn meet_close(&mut self, request: Handle<R>);

    /// A limit of requests is reached.
    fn overflows(&mut self, request: Handle<R>);

    /// A request waits for a connection.
    fn waits(&mut self, request: Handle<R>);

    /// Begins to make a connection to where a request goes.
    fn connect(&mut self, request: &R, pool: PoolId);

    /// A request would have liked a connection that the limit forbids.
    fn connection_overflows(&mut self, request: &R);

    /// How many idle connections a pool keeps.
    fn kept_most(&self, pool: PoolId) -> u32;

    /// A request gets a connection of its pool, now or later.
    fn take_connection(&mut self, request: Handle<R>, pool: PoolId) {
        match self.take_kept(pool) {
            Checkout::Kept(connection) => {
                if !self.dispatch(request, connection) {
                    self.release(connection);
                }
            }
            Checkout::Closed(_) => self.meet_close(request),
            Checkout::None => {
                let it = self.pools().1[request];
                let limits = self.limits(&it);
                let (pools, requests) = self.pools();
                if !pools.wait(pool, request, requests, &limits) {
                    return self.overflows(request);
                }
                self.waits(request);
                // Whichever connection is ready first takes the request.
                self.open_if_allowed(&it, pool);
            }
        }
    }

    /// A connection has nothing to do: the next waiting request takes it, or it falls idle.
    fn release(&mut self, connection: Handle<Connection<R>>) {
        let pools = self.pools().0;
        let pool = pools[connection].pool;
        let shared = pools.is_shared(pool);
        // One whose endpoint left while it was made carries those that wait for it, and no others.
        if shared && !pools.is_draining(connection) {
            pools.check_in(connection, u32::MAX);
        }
        loop {
            let (pools, requests) = self.pools();
            let Some(request) = pools.take_waiting(pool, requests) else { break };
            // The pool of a worker is one pod's.
            if self.dispatch(request, connection) {
                if !shared {
                    return;
                }
                let (pools, requests) = self.pools();
                if pools.is_draining(connection) {
                    let it = requests[request];
                    return self.replace_connection(&it, pool);
                }
            }
        }
        let most = self.kept_most(pool);
        let pools = self.pools().0;
        if pools.is_draining(connection) {
            pools.drain(connection);
        } else if !shared {
            pools.check_in(connection, most);
        }
    }

    /// The request on a connection is over, and the connection free for others.
    fn give_back(&mut self, request: &R, connection: Handle<Connection<R>>) {
        let pools = self.pools().0;
        pools.detach(connection);
        if pools.is_draining(connection) {
            let pool = pools[connection].pool;
            pools.drain(connection);
            self.replace_connection(request, pool);
        } else {
            self.release(connection);
        }
    }

    /// The request on a connection ends without an answer: the connection is closed, unless others
    /// share it and it is `sound`.
    fn abandon(&mut self, request: &R, connection: Handle<Connection<R>>, sound: bool) {
        let pools = self.pools().0;
        let pool = pools[connection].pool;
        pools.detach(connection);
        if !(sound && pools.is_shared(pool)) || pools.is_draining(connection) {
            pools.drain(connection);
            self.replace_connection(request, pool);
        }
    }

    /// A pool has lost a connection for which requests may wait.
    fn replace_connection(&mut self, request: &R, pool: PoolId) {
        if self.pools().0.lacks_connection(pool) {
            self.open_if_allowed(request, pool);
        }
    }

    /// Begins to make a connection for whoever waits, if the limits allow.
    fn open_if_allowed(&mut self, request: &R, pool: PoolId) {
        // One that is being made and that nobody else waits for will do.
        if !self.pools().0.lacks_connection(pool) {
            return;
        }
        let limits = self.limits(request);
        match self.pools().0.may_open(pool, &limits) {
            Opening::Shared => {}
            Opening::Refused => self.connection_overflows(request),
            Opening::Forced => {
                self.connection_overflows(request);
                self.connect(request, pool);
            }
            Opening::Allowed => self.connect(request, pool),
        }
    }
}
