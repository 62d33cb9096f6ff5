//! A 4-ary heap of plain events of 16 bytes. The root is left vacant after a pop and filled by the next push.

use std::hint::select_unpredictable;

/// What happens to which call, and when (ns).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) time: u64,
    pub(crate) call: u32,
    pub(crate) step: crate::mesh::Step,
}

const _: () = assert!(size_of::<Event>() == 16);

#[derive(Default)]
pub(crate) struct EventSet {
    heap: Vec<Event>,
    root_vacant: bool,
}

const ARITY: usize = 4;

impl EventSet {
    pub(crate) fn push(&mut self, event: Event) {
        if self.root_vacant {
            self.root_vacant = false;
            return self.sift_down(event);
        }
        let mut hole = self.heap.len();
        self.heap.push(event);
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.heap[parent].time <= event.time {
                break;
            }
            self.heap[hole] = self.heap[parent];
            hole = parent;
        }
        self.heap[hole] = event;
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        if self.root_vacant {
            self.root_vacant = false;
            let last = self.heap.pop()?;
            if !self.heap.is_empty() {
                self.sift_down(last);
            }
        }
        let root = *self.heap.first()?;
        self.root_vacant = true;
        Some(root)
    }

    fn sift_down(&mut self, event: Event) {
        let heap = self.heap.as_mut_slice();
        let mut hole = 0;
        while let Some(least) = least_child(heap, hole) {
            if heap[least].time >= event.time {
                break;
            }
            heap[hole] = heap[least];
            hole = least;
        }
        heap[hole] = event;
    }
}

fn least_child(heap: &[Event], parent: usize) -> Option<usize> {
    let first = parent * ARITY + 1;
    let Some(children) = heap.get(first..first + ARITY) else {
        return (first..heap.len()).min_by_key(|&child| heap[child].time);
    };
    let earlier = |a: usize, b: usize| select_unpredictable(children[b].time < children[a].time, b, a);
    Some(first + earlier(earlier(0, 1), earlier(2, 3)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Step;

    #[test]
    fn events_come_in_the_order_of_their_times() {
        let mut events = EventSet::default();
        let mut time = 12_345_u64;
        let mut push = |events: &mut EventSet, now: u64| {
            time = time.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            events.push(Event { time: now + (time >> 54), call: 0, step: Step::Arrives });
        };
        (0..100).for_each(|_| push(&mut events, 0));
        let mut now = 0;
        for turn in 0..10_000 {
            let event = events.pop().expect("events are pending");
            assert!(event.time >= now);
            now = event.time;
            // The number of events grows and falls again.
            (0..if turn % 100 < 50 { 2 } else { 0 }).for_each(|_| push(&mut events, now));
        }
    }
}
