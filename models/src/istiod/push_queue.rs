//! Which proxies wait for a push, and how many are pushed to at a time.
//!
//! # Models
//! Proxies wait in the order in which they came. What else is to be sent to one that waits is merged into its request,
//! which keeps its place; to one that is being pushed to, it goes once more when that is done, at the end of the
//! queue. Up to so many pushes are under way at a time: 15 and 5 for each core, but no more than 100.
//!
//! # Source
//! istio/istio (August 2026) `pilot/pkg/xds/pushqueue.go`; `pilot/pkg/features/tuning.go`, `PILOT_PUSH_THROTTLE`.

use super::istio_version::IstioVersion;
use meshsim_core::{Id, Table};
use std::collections::VecDeque;

/// The most pushes under way at a time; `throttle` is what is asked for, 0 or less is by the cores.
#[must_use]
pub const fn concurrent_pushes(version: IstioVersion, cores: u32, throttle: i64) -> u32 {
    if throttle > 0 {
        return if throttle > u32::MAX as i64 { u32::MAX } else { throttle as u32 };
    }
    let by_cores = cores.saturating_mul(5).saturating_add(15);
    if by_cores < 100 && version.throttles_pushes_by_cores() { by_cores } else { 100 }
}

/// What is to be sent to a proxy.
pub trait Request {
    /// This, and that.
    fn merge(&mut self, other: Self);
}

/// The proxies of one istiod that wait or are pushed to.
#[derive(Clone, Debug)]
pub struct PushQueue<P, R> {
    waiting: VecDeque<P>,
    states: Table<P, State<R>>,
}

#[derive(Clone, Debug)]
enum State<R> {
    Idle,
    Waits(R),
    /// It is pushed to, and then again with this.
    IsPushedTo(Option<R>),
}

impl<P: Id, R: Request> PushQueue<P, R> {
    /// Of so many proxies, none of which waits.
    #[must_use]
    pub fn new(proxies: usize) -> Self {
        Self { waiting: VecDeque::new(), states: (0..proxies).map(|_| State::Idle).collect() }
    }

    /// There is one more proxy, which waits for nothing.
    pub fn add(&mut self) {
        self.states.push(State::Idle);
    }

    /// Something is to be sent to a proxy.
    pub fn enqueue(&mut self, proxy: P, request: R) {
        match &mut self.states[proxy] {
            State::Waits(more) | State::IsPushedTo(Some(more)) => more.merge(request),
            State::IsPushedTo(none) => *none = Some(request),
            idle => {
                *idle = State::Waits(request);
                self.waiting.push_back(proxy);
            }
        }
    }

    /// The next proxy that is pushed to, and with what.
    pub fn dequeue(&mut self) -> Option<(P, R)> {
        let proxy = self.waiting.pop_front()?;
        match std::mem::replace(&mut self.states[proxy], State::IsPushedTo(None)) {
            State::Waits(request) => Some((proxy, request)),
            State::Idle | State::IsPushedTo(_) => unreachable!("a proxy in the queue waits"),
        }
    }

    /// A push is done; of a proxy that is not pushed to it says nothing.
    pub fn is_done(&mut self, proxy: P) {
        if let State::IsPushedTo(more) = &mut self.states[proxy] {
            match more.take() {
                None => self.states[proxy] = State::Idle,
                Some(request) => {
                    self.states[proxy] = State::Waits(request);
                    self.waiting.push_back(proxy);
                }
            }
        }
    }

    /// Those that wait, in their order.
    pub fn waiting(&self) -> impl Iterator<Item = P> {
        self.waiting.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProxyId;
    use crate::istiod::istio_version::NEWEST;

    impl Request for u64 {
        fn merge(&mut self, other: Self) {
            *self |= other;
        }
    }

    #[test]
    fn a_proxy_is_in_the_queue_once_and_what_came_meanwhile_goes_after_it() {
        let [a, b] = [ProxyId(0), ProxyId(1)];
        let mut queue: PushQueue<ProxyId, u64> = PushQueue::new(2);
        for (proxy, request) in [(a, 1), (b, 1), (a, 2)] {
            queue.enqueue(proxy, request);
        }
        assert_eq!(queue.dequeue(), Some((a, 3)));
        queue.enqueue(a, 4);
        queue.enqueue(a, 8);
        assert_eq!(queue.waiting().collect::<Vec<_>>(), [b]);
        queue.is_done(a);
        assert_eq!(queue.waiting().collect::<Vec<_>>(), [b, a]);
        assert_eq!((queue.dequeue(), queue.dequeue(), queue.dequeue()), (Some((b, 1)), Some((a, 12)), None));
        queue.is_done(a);
        queue.is_done(a);
        queue.enqueue(a, 1);
        assert_eq!(queue.dequeue(), Some((a, 1)));
    }

    #[test]
    fn more_cores_push_more_at_a_time_up_to_100() {
        let by_cores = |cores| concurrent_pushes(NEWEST, cores, 0);
        assert_eq!([1, 2, 4, 16, 17, 18, u32::MAX].map(by_cores), [20, 25, 35, 95, 100, 100, 100]);
        assert_eq!(concurrent_pushes(NEWEST, 4, 7), 7);
        assert_eq!(concurrent_pushes(NEWEST, 4, -1), 35);
        assert_eq!(concurrent_pushes(IstioVersion::new(1, 20), 1, 0), 100);
    }
}
