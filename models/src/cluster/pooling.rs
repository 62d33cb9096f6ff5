//! What a proxy does with connections, on either side of a call: a client's towards endpoints
//! (`outbound/connect`), a server's sidecar towards its own application (`inbound/sidecar`).
//!
//! # Models
//! A request takes the idle connection of its worker's pool that was used last, or waits for the first
//! that is free, for which a new one is made if the limits allow. A connection that its request has left
//! goes to whoever waits, or falls idle; one that takes no further requests is closed, and another is
//! made for those that wait. What comes of it is the pool's answer (`envoy/connection_pool`); here it is
//! acted on.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `newStreamImpl`, `onUpstreamReady`, `tryCreateNewConnection`,
//! `onStreamClosed`; `ConnectionPool::Callbacks` (`onPoolReady`, `onPoolFailure`).

use super::around::Around;
use crate::envoy::connection_pool::{Connection, ConnectionPools, Left, Taken};
use crate::envoy::first_connection::Opening;
use crate::ids::PoolId;
use meshsim_core::Handle;

/// A side of a call, whose requests are told apart by an `R`.
pub(crate) trait Pooling<R: Copy + PartialEq> {
    /// Its connections.
    fn pools(&mut self) -> &mut ConnectionPools<R>;

    /// A request goes out over its connection, unless a limit forbids it. Tells whether the connection
    /// is in use.
    fn dispatch(&mut self, at: &mut Around<'_>, request: R, connection: Handle<Connection<R>>) -> bool;

    /// A request goes out on a connection that its server has closed.
    fn meet_close(&mut self, at: &mut Around<'_>, request: R);

    /// A limit of requests is reached.
    fn overflows(&mut self, at: &mut Around<'_>, request: R);

    /// A request waits for a connection.
    fn waits(&mut self, at: &mut Around<'_>, request: R);

    /// Begins to make a connection to where a request goes.
    fn connect(&mut self, at: &mut Around<'_>, request: R, pool: PoolId);

    /// A request would have liked a connection that the limit forbids.
    fn connection_overflows(&mut self, at: &mut Around<'_>, request: R);

    /// A pool has not sent a request at once: `taken` is what it answered.
    fn is_not_sent(&mut self, at: &mut Around<'_>, taken: Taken<R>, request: R, pool: PoolId) {
        match taken {
            Taken::Sent(_) => unreachable!("sent at once"),
            Taken::MetClose => self.meet_close(at, request),
            Taken::Overflow => self.overflows(at, request),
            Taken::Waits(opening) => {
                self.waits(at, request);
                self.open_if_allowed(at, opening, request, pool);
            }
        }
    }

    /// A connection has nothing to do: the next waiting request takes it, or it falls idle.
    fn release(&mut self, at: &mut Around<'_>, connection: Handle<Connection<R>>) {
        let pools = self.pools();
        let pool = pools[connection].pool;
        let shared = pools.is_shared(pool);
        while let Some(request) = self.pools().release(connection) {
            // The pool of a worker is one pod's.
            if !self.dispatch(at, request, connection) {
                continue;
            }
            if !shared {
                return;
            }
            if self.pools().is_draining(connection) {
                return self.replace_connection(at, request, pool);
            }
        }
    }

    /// A request has left its connection.
    fn has_left(&mut self, at: &mut Around<'_>, left: Left<R>, request: R) {
        match left {
            Left::Wanted(connection) => self.release(at, connection),
            Left::Lost(pool) => self.replace_connection(at, request, pool),
            Left::Shared | Left::Idle => {}
        }
    }

    /// A pool has lost a connection for which requests may wait.
    fn replace_connection(&mut self, at: &mut Around<'_>, request: R, pool: PoolId) {
        let opening = self.pools().opening(pool);
        self.open_if_allowed(at, opening, request, pool);
    }

    /// Begins to make a connection for whoever waits, if the pool says so.
    fn open_if_allowed(&mut self, at: &mut Around<'_>, opening: Opening, request: R, pool: PoolId) {
        match opening {
            Opening::NotNeeded => {}
            Opening::Refused => self.connection_overflows(at, request),
            Opening::Forced => {
                self.connection_overflows(at, request);
                self.connect(at, request, pool);
            }
            Opening::Allowed => self.connect(at, request, pool),
        }
    }
}
