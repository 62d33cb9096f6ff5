//! Envoy's earliest-deadline-first schedule: picks in proportion to weights, smoothly.
//!
//! # Models
//! Every entry has a deadline; the one with the earliest is picked and put back with a deadline
//! that is 1 / weight later, with its weight of that moment. Of equal deadlines the one that was
//! put in first is picked. Hosts that are waiting keep their deadlines when weights change. A host
//! whose weight is not positive is left out, or leaves when it would be put back. A schedule starts
//! with a random number of picks that are thrown away, so that proxies do not move in step.
//!
//! # Assumptions
//! Envoy's random number of thrown-away picks is any 32-bit one; here it is uniform over one period
//! of weights that are multiples of the least one. Effect: none in distribution for such weights.
//! Envoy reaches the state after so many picks by arithmetic, with weights shifted by 1e-13; here
//! the picks are made.
//!
//! # Source
//! Envoy `source/common/upstream/edf_scheduler.h`; arch_overview/upstream/load_balancing.

use meshsim_core::random::{Draw, uniform_index};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// The longest start that is thrown away (picks).
const MAX_THROWN_AWAY: f64 = 10_000.0;

/// A schedule over hosts, or over localities.
#[derive(Clone, Debug, Default)]
pub struct EarliestDeadline {
    queue: BinaryHeap<Entry>,
    now: f64,
    added: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline: f64,
    order: u64,
    host: u32,
}

impl EarliestDeadline {
    /// A schedule of `hosts` hosts in their order, with nothing thrown away.
    #[must_use]
    pub fn new(hosts: usize, weight: impl Fn(usize) -> f64) -> Self {
        let mut schedule = Self { queue: BinaryHeap::with_capacity(hosts), now: 0.0, added: 0 };
        for host in 0..hosts {
            if let Some(entry) = schedule.entry(host, weight(host)) {
                schedule.queue.push(entry);
            }
        }
        schedule
    }

    /// A schedule that starts at a random point.
    #[must_use]
    pub fn start(hosts: usize, weight: impl Fn(usize) -> f64, draw: &mut Draw) -> Self {
        let mut schedule = Self::new(hosts, &weight);
        let positive = || (0..hosts).map(&weight).filter(|&w| w > 0.0);
        let period = positive().sum::<f64>() / positive().fold(f64::INFINITY, f64::min);
        if period > 0.0 {
            let picks = uniform_index(draw, period.ceil().min(MAX_THROWN_AWAY) as usize);
            schedule.throw_away(picks, weight);
        }
        schedule
    }

    /// Makes picks that nobody uses.
    pub fn throw_away(&mut self, picks: usize, weight: impl Fn(usize) -> f64) {
        for _ in 0..picks {
            self.pick(&weight);
        }
    }

    /// The next host, put back with what `weight` says of it now; none if there is no host.
    pub fn pick(&mut self, weight: impl Fn(usize) -> f64) -> Option<usize> {
        let first = *self.queue.peek()?;
        let host = first.host as usize;
        self.now = first.deadline;
        let back = self.entry(host, weight(host));
        let mut first = self.queue.peek_mut()?;
        match back {
            Some(entry) => *first = entry,
            None => {
                PeekMut::pop(first);
            }
        }
        Some(host)
    }

    /// Hosts in the schedule.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is nothing to pick.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn entry(&mut self, host: usize, weight: f64) -> Option<Entry> {
        if weight > 0.0 {
            self.added += 1;
            Some(Entry { deadline: self.now + 1.0 / weight, order: self.added, host: host as u32 })
        } else {
            None
        }
    }
}

/// The greatest entry is the one to be picked.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.deadline.total_cmp(&self.deadline).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    fn picks(schedule: &mut EarliestDeadline, weights: &[f64], count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| schedule.pick(|host| weights[host])).collect()
    }

    #[test]
    fn picks_are_in_proportion_to_weights() {
        let weights = [2.0, 0.0, 1.0, 5.0];
        let mut schedule = EarliestDeadline::new(4, |host| weights[host]);
        assert_eq!(schedule.len(), 3);
        let picked = picks(&mut schedule, &weights, 800);
        let count = |host| picked.iter().filter(|&&p| p == host).count();
        assert_eq!([0, 1, 2, 3].map(count), [200, 0, 100, 500]);
    }

    #[test]
    fn of_equal_deadlines_the_first_put_in_goes_first() {
        let mut schedule = EarliestDeadline::new(3, |_| 1.0);
        assert_eq!(picks(&mut schedule, &[1.0; 3], 5), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn a_new_weight_is_read_when_the_host_is_put_back() {
        let mut schedule = EarliestDeadline::new(2, |_| 1.0);
        // Host 0 is put back at 1 with weight 4: it is due at 1.25, after host 1, which waits at 1.
        assert_eq!(picks(&mut schedule, &[4.0, 1.0], 6), [0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn a_host_whose_weight_falls_to_zero_leaves() {
        let mut schedule = EarliestDeadline::new(2, |_| 1.0);
        assert_eq!(picks(&mut schedule, &[0.0, 1.0], 4), [0, 1, 1, 1]);
        let mut schedule = EarliestDeadline::new(2, |_| 0.0);
        assert!(schedule.is_empty());
        assert_eq!(schedule.pick(|_| 1.0), None);
    }

    #[test]
    fn a_random_start_is_somewhere_in_the_period() {
        let weights = [1.0, 3.0];
        let mut first = [0; 2];
        for k in 0..4_000 {
            let draw = &mut Address::root(1, 0).child(k).draw(0);
            let mut schedule = EarliestDeadline::start(2, |host| weights[host], draw);
            first[picks(&mut schedule, &weights, 1)[0]] += 1;
        }
        // A quarter, with a standard deviation of 27.
        assert!((880..1_120).contains(&first[0]), "{first:?}");
    }
}
