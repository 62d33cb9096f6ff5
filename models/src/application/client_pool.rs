//! The connections that a process of a client keeps to a service: so many at most, each with a call at a time.
//!
//! # Models
//! A call takes a connection of its process's pool and gives it back when it is over or given up. Where all are taken it
//! waits, before anything is sent; who waits longest comes first. So the calls of a process that the service has under way
//! are at most as many as its pool is large, however many the process itself serves.
//!
//! # Assumptions
//! - A connection is taken for a call, not for a transaction of several.
//! - Nothing limits how many wait, or for how long, but the time that the caller gives its calls (`cell.client_timeout`),
//!   which runs from the call on behind a proxy, and without one from when it is sent.
//!
//! # Source
//! HikariCP, `maximumPoolSize`; Go, `database/sql`, `SetMaxOpenConns`; urllib3, `maxsize` with `block=True`.

use std::collections::VecDeque;

/// A pool of connections for calls that are told apart by a `C`.
#[derive(Clone, Debug)]
pub struct ClientPool<C> {
    size: u32,
    taken: u32,
    waiting: VecDeque<C>,
}

impl<C: Copy> ClientPool<C> {
    /// All of `size` connections are free.
    #[must_use]
    pub const fn new(size: u32) -> Self {
        Self { size, taken: 0, waiting: VecDeque::new() }
    }

    /// A call takes a connection, or waits for one: whether it has one.
    pub fn take(&mut self, call: C) -> bool {
        let is_free = self.taken < self.size;
        if is_free {
            self.taken += 1;
        } else {
            self.waiting.push_back(call);
        }
        is_free
    }

    /// A connection is free: the call that takes it, the first of those that still wait.
    ///
    /// # Panics
    /// If none was taken.
    pub fn give_back(&mut self, still_waits: impl Fn(C) -> bool) -> Option<C> {
        while let Some(call) = self.waiting.pop_front() {
            if still_waits(call) {
                return Some(call);
            }
        }
        self.taken = self.taken.checked_sub(1).expect("what is given back was taken");
        None
    }

    /// Its process has died: who waited.
    pub fn into_waiting(self) -> impl Iterator<Item = C> {
        self.waiting.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_wait_in_order_and_who_has_gone_is_passed_over() {
        let mut pool = ClientPool::new(2);
        assert_eq!([1, 2, 3, 4, 5].map(|call| pool.take(call)), [true, true, false, false, false]);
        assert_eq!(pool.give_back(|call| call != 3), Some(4));
        assert_eq!(pool.give_back(|_| true), Some(5));
        assert_eq!([pool.give_back(|_| true), pool.give_back(|_| true)], [None, None]);
        assert!(pool.take(6));
        assert_eq!([7, 8].map(|call| pool.take(call)), [true, false]);
        assert_eq!(pool.into_waiting().collect::<Vec<_>>(), [8]);
    }
}
