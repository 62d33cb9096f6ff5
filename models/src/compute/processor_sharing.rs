//! Egalitarian processor sharing of one server in O(log n).
//!
//! # Models
//! All jobs are served at equal rates, so they attain equal service. The server keeps the service
//! that a job present since the start would have attained; a job that comes when that is `a` and
//! demands `d` is done when it reaches `a + d`. The next job to be done is the top of a heap.
//!
//! # Source
//! Virtual time of fair queueing: Parekh and Gallager, IEEE/ACM Transactions on Networking, 1993.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A server shared equally by its jobs. Work is measured in whatever unit the caller likes.
#[derive(Clone, Debug)]
pub struct ProcessorSharing<J> {
    attained: f64,
    arrivals: u64,
    /// The job that is done first. Most servers have no other.
    next: Option<Share<J>>,
    others: BinaryHeap<Share<J>>,
}

#[derive(Clone, Copy, Debug)]
struct Share<J> {
    done_at: f64,
    arrival: u64,
    job: J,
}

impl<J: Copy> ProcessorSharing<J> {
    /// A server without jobs, with room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let others = BinaryHeap::with_capacity(capacity.saturating_sub(1));
        Self { attained: 0.0, arrivals: 0, next: None, others }
    }

    /// The number of jobs in service.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.next.is_some()) + self.others.len()
    }

    /// Whether nothing is in service.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.next.is_none()
    }

    /// A job of this demand begins.
    #[inline]
    pub fn add(&mut self, demand: f64, job: J) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let Some(next) = &mut self.next else {
            // Starting at zero again keeps the full precision of the sums.
            self.attained = 0.0;
            self.next = Some(Share { done_at: demand, arrival, job });
            return;
        };
        let share = Share { done_at: self.attained + demand, arrival, job };
        // Of equal ones, the one that came first goes first.
        let later = if share.done_at < next.done_at { std::mem::replace(next, share) } else { share };
        self.others.push(later);
    }

    /// All jobs are lost: those, each with the work that it still needed.
    pub fn drain(&mut self) -> impl Iterator<Item = (J, f64)> {
        let attained = self.attained;
        let lost = self.next.take().into_iter().chain(self.others.drain());
        lost.map(move |share| (share.job, (share.done_at - attained).max(0.0)))
    }

    /// The work that all jobs still need.
    #[must_use]
    pub fn work_left(&self) -> f64 {
        self.next.iter().chain(&self.others).map(|share| share.done_at - self.attained).sum()
    }

    /// The server has done `work`, which all jobs shared.
    #[inline]
    pub fn advance(&mut self, work: f64) {
        if self.next.is_some() {
            self.attained += work / self.len() as f64;
        }
    }

    /// The work after which the first job will be done, if no other comes or goes.
    #[inline]
    #[must_use]
    pub fn work_to_next(&self) -> Option<f64> {
        let next = self.next.as_ref()?;
        Some((next.done_at - self.attained).max(0.0) * self.len() as f64)
    }

    /// Takes a job that is done but for `tolerance`.
    #[inline(always)]
    pub fn take_done(&mut self, tolerance: f64) -> Option<J> {
        let next = self.next.as_ref()?;
        if next.done_at > self.attained + tolerance {
            return None;
        }
        let job = next.job;
        // No more is written than must be: most servers fall idle.
        if self.others.is_empty() {
            self.next = None;
        } else {
            self.next = self.others.pop();
        }
        Some(job)
    }
}

impl<J> Ord for Share<J> {
    /// The heap's top is the job that is done first; of equal ones, the one that came first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.done_at.total_cmp(&self.done_at).then(other.arrival.cmp(&self.arrival))
    }
}

impl<J> PartialOrd for Share<J> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<J> PartialEq for Share<J> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<J> Eq for Share<J> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by definition: every job loses its equal share at every step.
    #[derive(Default)]
    struct Plain(Vec<(f64, usize)>);

    impl Plain {
        fn advance(&mut self, work: f64) {
            let share = work / self.0.len().max(1) as f64;
            self.0.iter_mut().for_each(|job| job.0 -= share);
        }
        fn work_to_next(&self) -> Option<f64> {
            let least = self.0.iter().map(|job| job.0).min_by(f64::total_cmp)?;
            Some(least * self.0.len() as f64)
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_linear_twin(
            steps in prop::collection::vec((0.0_f64..2.0, 0.1_f64..5.0), 1..60)
        ) {
            let (mut fast, mut plain) = (ProcessorSharing::with_capacity(4), Plain::default());
            for (id, (gap, demand)) in steps.into_iter().enumerate() {
                let mut left = gap;
                while let Some(work) = plain.work_to_next().filter(|work| *work <= left) {
                    prop_assert!((fast.work_to_next().unwrap() - work).abs() < 1e-9);
                    fast.advance(work);
                    plain.advance(work);
                    left -= work;
                    let done = fast.take_done(1e-9).expect("the twin has a job that is done");
                    let index = plain.0.iter().position(|job| job.1 == done).unwrap();
                    prop_assert!(plain.0[index].0.abs() < 1e-9);
                    plain.0.remove(index);
                }
                fast.advance(left);
                plain.advance(left);
                fast.add(demand, id);
                plain.0.push((demand, id));
                prop_assert_eq!(fast.len(), plain.0.len());
                let left: f64 = plain.0.iter().map(|job| job.0).sum();
                prop_assert!((fast.work_left() - left).abs() < 1e-9);
            }
            for (id, left) in fast.drain() {
                let job = plain.0.iter().find(|job| job.1 == id).expect("the twin has it too");
                prop_assert!((job.0 - left).abs() < 1e-9);
            }
            prop_assert!(fast.is_empty());
        }
    }

    #[test]
    fn of_two_that_end_together_the_first_to_come_goes_first() {
        let mut server = ProcessorSharing::with_capacity(2);
        server.add(1.0, 'a');
        server.add(1.0, 'b');
        server.advance(2.0);
        assert_eq!((server.take_done(0.0), server.take_done(0.0)), (Some('a'), Some('b')));
    }
}
