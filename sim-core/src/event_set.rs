//! The event set: what is still to happen, handed out in one total order.
//!
//! # Models
//! A 4-ary heap of 128-bit keys with the items stored beside them. The key is (time, source
//! entity, that entity's own sequence number), so two events never compare equal and the order
//! depends neither on threads nor on memory nor on which process holds which entity. The root is
//! left vacant after a pop and filled by the next push, because most events schedule a successor.
//!
//! # Source
//! LaMarca and Ladner, The influence of caches on the performance of heaps, 1996. Measured in
//! `benches/benches/event_set.rs`.

use crate::memory::growing_bytes;
use crate::process::EntityId;
use crate::time::SimTime;
use std::hint::select_unpredictable;

/// Children of a node. 4 measured best of 2, 4 and 8 between 1e3 and 1e5 pending events (2 is as
/// good at 1e3 and below, 8 better at 1e6).
const ARITY: usize = 4;

const ENTITY_BITS: u32 = 24;
const SEQUENCE_BITS: u32 = 40;

/// The place of an event in the order: 64 bits of time, 24 of entity, 40 of sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u128);

impl Key {
    /// The key of `entity`'s event number `sequence` at `time`.
    ///
    /// # Panics
    /// If the entity's number or the sequence number has outgrown its bits.
    #[must_use]
    pub fn new(time: SimTime, entity: EntityId, sequence: u64) -> Self {
        assert!(entity.0 < 1 << ENTITY_BITS && sequence < 1 << SEQUENCE_BITS, "event key overflows");
        let low = (u64::from(entity.0) << SEQUENCE_BITS) | sequence;
        Self((u128::from(time.as_nanos()) << 64) | u128::from(low))
    }

    /// When.
    #[must_use]
    pub const fn time(self) -> SimTime {
        SimTime::from_nanos((self.0 >> 64) as u64)
    }

    /// Whose.
    #[must_use]
    pub const fn entity(self) -> EntityId {
        EntityId((self.0 as u64 >> SEQUENCE_BITS) as u32)
    }

    /// Which of its entity's.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.0 as u64 & ((1 << SEQUENCE_BITS) - 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    key: Key,
    item: T,
}

/// Pending items in the order of their keys.
#[derive(Clone, Debug)]
pub struct EventSet<T> {
    heap: Vec<Entry<T>>,
    /// The root was handed out and not yet replaced.
    root_vacant: bool,
}

impl<T: Copy> EventSet<T> {
    /// Nothing pending.
    #[must_use]
    pub const fn new() -> Self {
        Self { heap: Vec::new(), root_vacant: false }
    }

    /// Nothing pending, with room for `capacity` items.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { heap: Vec::with_capacity(capacity), root_vacant: false }
    }

    /// How many items are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len() - usize::from(self.root_vacant)
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        growing_bytes(self.heap.len(), self.heap.capacity(), size_of::<Entry<T>>())
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item.
    pub fn push(&mut self, key: Key, item: T) {
        let entry = Entry { key, item };
        if self.root_vacant {
            self.root_vacant = false;
            self.sift_down(entry);
        } else {
            self.heap.push(entry);
            self.sift_up(entry);
        }
    }

    /// The least key, without its item.
    pub fn peek(&mut self) -> Option<Key> {
        self.fill_root();
        self.heap.first().map(|entry| entry.key)
    }

    /// Takes the item with the least key.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        self.fill_root();
        let root = *self.heap.first()?;
        self.root_vacant = true;
        Some((root.key, root.item))
    }

    /// Takes the item with the least key if its time is before `end`.
    pub fn pop_before(&mut self, end: SimTime) -> Option<(Key, T)> {
        self.fill_root();
        let root = *self.heap.first()?;
        if root.key.time() >= end {
            return None;
        }
        self.root_vacant = true;
        Some((root.key, root.item))
    }

    fn fill_root(&mut self) {
        if !self.root_vacant {
            return;
        }
        self.root_vacant = false;
        let last = self.heap.pop().expect("a vacant root is an entry");
        if !self.heap.is_empty() {
            self.sift_down(last);
        }
    }

    /// Lets `entry` sink from the root, whose old content is overwritten.
    fn sift_down(&mut self, entry: Entry<T>) {
        let heap = self.heap.as_mut_slice();
        let mut hole = 0;
        while let Some(least) = least_child(heap, hole) {
            if heap[least].key > entry.key {
                break;
            }
            heap[hole] = heap[least];
            hole = least;
        }
        heap[hole] = entry;
    }

    /// Lets `entry` rise from the last place, whose old content is overwritten.
    fn sift_up(&mut self, entry: Entry<T>) {
        let heap = self.heap.as_mut_slice();
        let mut hole = heap.len() - 1;
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if heap[parent].key < entry.key {
                break;
            }
            heap[hole] = heap[parent];
            hole = parent;
        }
        heap[hole] = entry;
    }
}

/// The child of the node at `parent` with the least key, if it has children.
fn least_child<T>(heap: &[Entry<T>], parent: usize) -> Option<usize> {
    let first = parent * ARITY + 1;
    let Some(children) = heap.get(first..first + ARITY) else {
        return (first..heap.len()).min_by_key(|&child| heap[child].key);
    };
    // Which one it is cannot be foretold, and a mispredicted branch costs more than the selection.
    let (mut least, mut least_key) = (first, children[0].key);
    for (child, entry) in (first..).zip(children).skip(1) {
        let is_less = entry.key < least_key;
        least = select_unpredictable(is_less, child, least);
        least_key = select_unpredictable(is_less, entry.key, least_key);
    }
    Some(least)
}

impl<T: Copy> Default for EventSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::Timer;
    use proptest::prelude::*;

    #[test]
    fn a_key_gives_back_its_parts() {
        let key = Key::new(SimTime::from_nanos(7), EntityId(3), 9);
        assert_eq!((key.time(), key.entity()), (SimTime::from_nanos(7), EntityId(3)));
    }

    /// One step of a random schedule.
    #[derive(Clone, Debug)]
    enum Step {
        Push { delay: u64, entity: u32 },
        Pop,
        Cancel(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..4_u64, 0..3_u32).prop_map(|(delay, entity)| Step::Push { delay, entity }),
            2 => Just(Step::Pop),
            1 => (0..64_usize).prop_map(Step::Cancel),
        ]
    }

    proptest! {
        /// Pops come in the order of a sorted list, ties by entity and then first in first out,
        /// and what was cancelled never comes.
        #[test]
        fn pops_equal_a_sorted_reference(steps in prop::collection::vec(step(), 1..400)) {
            let mut set = EventSet::new();
            let mut timers: Vec<Timer> = Vec::new();
            let mut reference: Vec<(u64, u32, u64, usize)> = Vec::new();
            let (mut now, mut sequences) = (0, [0_u64; 3]);
            for step in steps {
                match step {
                    Step::Push { delay, entity } => {
                        let sequence = &mut sequences[entity as usize];
                        let time = now + delay;
                        timers.push(Timer::new());
                        let id = timers.len() - 1;
                        let epoch = timers[id].arm();
                        let key = Key::new(SimTime::from_nanos(time), EntityId(entity), *sequence);
                        set.push(key, (id, epoch));
                        reference.push((time, entity, *sequence, id));
                        *sequence += 1;
                    }
                    Step::Cancel(which) => {
                        if !timers.is_empty() {
                            let id = which % timers.len();
                            timers[id].disarm();
                            reference.retain(|entry| entry.3 != id);
                        }
                    }
                    Step::Pop => {
                        reference.sort_unstable();
                        let expected = if reference.is_empty() { None } else { Some(reference.remove(0)) };
                        let mut popped = None;
                        while let Some((key, (id, epoch))) = set.pop() {
                            if timers[id].fires(epoch) {
                                popped = Some((key, id));
                                break;
                            }
                        }
                        prop_assert_eq!(popped.map(|p| p.1), expected.map(|e| e.3));
                        if let Some((key, _)) = popped {
                            now = key.time().as_nanos();
                        }
                    }
                }
            }
            prop_assert!(set.len() >= reference.len());
        }
    }
}
