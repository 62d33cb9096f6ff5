//! Deadlines of requests that all may take equally long: a route's time-out, that of a try, or what a caller
//! waits.
//!
//! # Models
//! What begins later ends later, so deadlines stand in a queue, and only the first that still
//! matters needs a timer: a request that was answered in time costs no event. When the timer fires,
//! requests that are over leave the queue, those whose time has come time out, and the timer is
//! set for the next one that is under way.
//!
//! # Source
//! Envoy `router.cc`, `onRequestComplete` (route time-out), `upstream_request.cc`,
//! `setupPerTryTimeout`.

use crate::cluster::outbound::hop::Hop;
use meshsim_core::{Handle, SimTime};
use std::collections::VecDeque;

/// A request, or one attempt of it, that must not take longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When it has taken too long.
    pub at: SimTime,
    /// The request.
    pub hop: Handle<Hop>,
    /// The attempt, counted from 1; 0: all of them.
    pub attempt: u8,
}

/// The deadlines of one route.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    queue: VecDeque<Deadline>,
    /// Whether its timer runs.
    runs: bool,
}

impl Deadlines {
    /// Adds a deadline, none of which is earlier than the last: when the timer is to be set, if it
    /// does not run.
    pub fn add(&mut self, deadline: Deadline) -> Option<SimTime> {
        debug_assert!(self.queue.back().is_none_or(|last| last.at <= deadline.at), "in their order");
        self.queue.push_back(deadline);
        (!std::mem::replace(&mut self.runs, true)).then_some(deadline.at)
    }

    /// The timer fires: the next deadline that has come, of those that `matters` keeps. Ask until
    /// there is none, then [`Deadlines::restart`].
    pub fn take_due(&mut self, now: SimTime, matters: impl Fn(&Deadline) -> bool) -> Option<Deadline> {
        while let Some(&first) = self.queue.front() {
            let counts = matters(&first);
            if counts && first.at > now {
                return None;
            }
            self.queue.pop_front();
            if counts {
                return Some(first);
            }
        }
        None
    }

    /// When the timer is to be set again, if there is anything left.
    pub fn restart(&mut self) -> Option<SimTime> {
        let next = self.queue.front().map(|deadline| deadline.at);
        self.runs = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::outbound::hop::{Client, NewRequest, Origin};
    use crate::ids::EndpointId;
    use crate::request::cluster_path::ClusterPath;
    use crate::telemetry::work::WorkId;
    use meshsim_core::Slab;
    use meshsim_core::random::Address;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    #[test]
    fn what_is_over_costs_no_timer() {
        let mut hops = Slab::new();
        let mut hop = || {
            let new = NewRequest {
                origin: Origin::Mirror,
                work: WorkId::default(),
                caller: None,
                address: Address::root(1, 0),
                endpoint: EndpointId(0),
                path: ClusterPath::default(),
                reaches_proxy: at(0),
            };
            hops.insert(Hop::new(&new, Client::Cell, at(0)))
        };
        let [a, b, c, d] = [(); 4].map(|()| hop());
        let mut deadlines = Deadlines::default();
        let mut add = |ends, hop| deadlines.add(Deadline { at: at(ends), hop, attempt: 0 });
        assert_eq!([add(10, a), add(20, b), add(20, c), add(40, d)], [Some(at(10)), None, None, None]);
        // The first two are over when the timer of the first fires.
        assert_eq!(deadlines.take_due(at(10), |it| it.hop != a && it.hop != b), None);
        assert_eq!(deadlines.restart(), Some(at(20)));
        assert_eq!(deadlines.take_due(at(20), |_| true).map(|it| it.hop), Some(c));
        assert_eq!(deadlines.take_due(at(20), |_| true), None);
        assert_eq!(deadlines.restart(), Some(at(40)));
        assert_eq!(deadlines.take_due(at(40), |_| false), None);
        assert_eq!(deadlines.restart(), None);
        assert_eq!(deadlines.add(Deadline { at: at(90), hop: a, attempt: 2 }), Some(at(90)));
    }
}
