//! The event set: what is still to happen, handed out in one total order.
//!
//! # Models
//! A tournament: pending items stand at the leaves of a binary tree whose every node names the earlier one of the
//! two below it, so the root names the earliest of all. A change at a leaf is played out along the way to the root:
//! as many comparisons as the tree is high, and no branch depends on how they end, which is what makes it twice as
//! fast as a heap. Most events schedule a successor, so the leaf of an item that was taken is left vacant for the
//! next one. The tree compares times alone; of equal times the rest of the key decides (source entity, that
//! entity's own sequence number), so two events never compare equal and the order depends neither on threads nor
//! on memory nor on which process holds which entity.
//!
//! # Source
//! Tree selection: Knuth, The art of computer programming, volume 3, 5.2.3. Measured in
//! `benches/benches/event_set.rs`.

use crate::memory::growing_bytes;
use crate::process::EntityId;
use crate::time::SimTime;
use std::hint::select_unpredictable;

const ENTITY_BITS: u32 = 24;
const SEQUENCE_BITS: u32 = 40;

/// The rank of an event in the order: its time, then 24 bits of entity and 40 of sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    time: SimTime,
    source: Source,
}

/// Which event of which entity: what decides between events of one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(u64);

impl Key {
    /// The key of `entity`'s event number `sequence` at `time`.
    ///
    /// # Panics
    /// If the entity's number or the sequence number has outgrown its bits.
    #[must_use]
    pub fn new(time: SimTime, entity: EntityId, sequence: u64) -> Self {
        assert!(sequence < 1 << SEQUENCE_BITS, "{TOO_MANY_EVENTS}");
        Self { time, source: Source(Source::first_of(entity).0 | sequence) }
    }

    pub(crate) const fn at(time: SimTime, source: Source) -> Self {
        Self { time, source }
    }

    /// When.
    #[must_use]
    pub const fn time(self) -> SimTime {
        self.time
    }

    /// Whose.
    #[must_use]
    pub const fn entity(self) -> EntityId {
        self.source.entity()
    }
}

const TOO_MANY_EVENTS: &str = "an entity has scheduled 2^40 events";

impl Source {
    /// After all others, and of no event.
    pub(crate) const NOBODY: Self = Self(u64::MAX);

    /// An entity's first event.
    ///
    /// # Panics
    /// If the entity's number has outgrown its bits.
    pub(crate) fn first_of(entity: EntityId) -> Self {
        assert!(entity.0 < 1 << ENTITY_BITS, "entity {} is beyond 2^24", entity.0);
        Self(u64::from(entity.0) << SEQUENCE_BITS)
    }

    pub(crate) const fn entity(self) -> EntityId {
        EntityId((self.0 >> SEQUENCE_BITS) as u32)
    }

    /// Hands this one out and goes on to the entity's next.
    ///
    /// # Panics
    /// If the sequence number has outgrown its bits.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        let taken = *self;
        self.0 = taken.0.wrapping_add(1);
        // Without the entity's bits.
        if self.0 << ENTITY_BITS == 0 {
            are_used_up();
        }
        taken
    }
}

#[cold]
#[inline(never)]
fn are_used_up() -> ! {
    panic!("{TOO_MANY_EVENTS}")
}

/// What stands at a leaf, beside its time.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    source: Source,
    item: T,
}

/// Pending items in the order of their keys.
#[derive(Clone, Debug)]
pub struct EventSet<T> {
    /// By node, from the root's children (2, 3) on, when the earliest below is due. The parent of node n is n / 2; the
    /// last half of the nodes are the leaves, a power of two.
    times: Vec<SimTime>,
    /// By node, at which leaf that stands.
    leaves: Vec<u32>,
    /// By leaf, of those that were ever taken.
    entries: Vec<Entry<T>>,
    /// Leaves that are empty again. At an empty leaf nobody is due, at the end of time.
    empty: Vec<u32>,
    /// When the earliest of all is due, and its leaf.
    earliest: SimTime,
    first: u32,
    /// The leaf of the item that was handed out last, or [`NO_LEAF`] once that is filled or empty.
    vacant: u32,
}

const NO_LEAF: u32 = u32::MAX;

/// No tree is made lower than with so many leaves: it would soon be higher again.
const LEAST_LEAVES: usize = 8;

impl<T: Copy> EventSet<T> {
    /// Nothing pending.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            times: Vec::new(),
            leaves: Vec::new(),
            entries: Vec::new(),
            empty: Vec::new(),
            earliest: SimTime::MAX,
            first: NO_LEAF,
            vacant: NO_LEAF,
        }
    }

    /// Nothing pending, with room for `capacity` items.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let nodes = 2 * capacity.next_power_of_two();
        Self {
            times: Vec::with_capacity(nodes),
            leaves: Vec::with_capacity(nodes),
            entries: Vec::with_capacity(capacity),
            empty: Vec::with_capacity(capacity),
            ..Self::new()
        }
    }

    /// How many items are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.empty.len() - usize::from(self.vacant != NO_LEAF)
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        // An entry has two nodes and room among the empty leaves.
        let size = size_of::<Entry<T>>() + 2 * (size_of::<SimTime>() + size_of::<u32>()) + size_of::<u32>();
        growing_bytes(self.entries.len(), self.entries.capacity(), size)
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item.
    ///
    /// # Panics
    /// If more than 2^31 items are pending.
    #[inline]
    pub fn push(&mut self, key: Key, item: T) {
        let leaf = self.vacant;
        // Where no leaf is vacant there is no such entry.
        match self.entries.get_mut(leaf as usize) {
            Some(vacant) => {
                *vacant = Entry { source: key.source, item };
                self.vacant = NO_LEAF;
                self.play(self.capacity() + leaf as usize, key.time, leaf);
            }
            None => self.push_anew(key, item),
        }
    }

    /// The same where no leaf is vacant.
    #[inline(never)]
    fn push_anew(&mut self, key: Key, item: T) {
        let entry = Entry { source: key.source, item };
        let leaf = match self.empty.pop() {
            Some(leaf) => {
                self.entries[leaf as usize] = entry;
                leaf
            }
            None => self.add_leaf(entry),
        };
        self.challenge(key.time, leaf);
    }

    /// At an empty leaf something is due: it goes up until it meets what is due earlier, which has won from there on
    /// already.
    fn challenge(&mut self, time: SimTime, leaf: u32) {
        let mut node = self.capacity() + leaf as usize;
        while node > 1 {
            (self.times[node], self.leaves[node]) = (time, leaf);
            let rival = self.times[node ^ 1];
            if rival < time {
                return;
            }
            node /= 2;
            if rival == time {
                return self.play_among_equals(node);
            }
        }
        (self.earliest, self.first) = (time, leaf);
    }

    /// The least key, without its item.
    pub fn peek(&mut self) -> Option<Key> {
        self.find_first()
            .then(|| Key { time: self.earliest, source: self.entries[self.first as usize].source })
    }

    /// Takes the item with the least key.
    pub fn pop(&mut self) -> Option<(Key, T)> {
        self.find_first().then(|| self.take_first())
    }

    /// Takes the item with the least key if its time is before `end`: tells that time. Until something is added the item
    /// stays where it was ([`EventSet::taken`]).
    #[inline]
    pub(crate) fn take_before(&mut self, end: SimTime) -> Option<SimTime> {
        self.empty_vacant();
        // Where nothing is pending the earliest is no time before any end.
        if self.earliest >= end {
            return None;
        }
        self.vacant = self.first;
        Some(self.earliest)
    }

    /// What was taken last, and its source. By reference, because an item that is copied in an option is copied in pieces.
    #[inline]
    pub(crate) fn taken(&self) -> (Source, &T) {
        let entry = &self.entries[self.first as usize];
        (entry.source, &entry.item)
    }

    fn take_first(&mut self) -> (Key, T) {
        let Entry { source, item } = self.entries[self.first as usize];
        self.vacant = self.first;
        (Key { time: self.earliest, source }, item)
    }

    /// Makes sure that `first` is what comes first; tells whether something is pending.
    fn find_first(&mut self) -> bool {
        self.empty_vacant();
        if self.earliest == SimTime::MAX
            && let Some(first) = (0..self.entries.len()).min_by_key(|&leaf| self.entries[leaf].source)
        {
            // The tree does not tell empty leaves from what is due at the end of time.
            self.first = first as u32;
        }
        !self.is_empty()
    }

    fn empty_vacant(&mut self) {
        if self.vacant != NO_LEAF {
            self.empty_leaf(self.vacant);
        }
    }

    #[inline(never)]
    fn empty_leaf(&mut self, leaf: u32) {
        self.vacant = NO_LEAF;
        self.entries[leaf as usize].source = Source::NOBODY;
        self.empty.push(leaf);
        // Up to where somebody is due: which of two empty leaves wins is all the same.
        let (mut node, mut rival) = (self.capacity() + leaf as usize, (SimTime::MAX, leaf));
        while node > 1 && rival.0 == SimTime::MAX {
            (self.times[node], self.leaves[node]) = (SimTime::MAX, leaf);
            rival = (self.times[node ^ 1], self.leaves[node ^ 1]);
            node /= 2;
        }
        self.play(node, rival.0, rival.1);
        if self.len() < self.capacity() / 4 && self.capacity() > LEAST_LEAVES {
            self.shrink();
        }
    }

    /// How many leaves there are.
    fn capacity(&self) -> usize {
        self.times.len() / 2
    }

    /// Puts an entry at the next leaf, at which there was never one.
    #[cold]
    #[inline(never)]
    fn add_leaf(&mut self, entry: Entry<T>) -> u32 {
        if self.entries.len() == self.capacity() {
            self.grow();
        }
        self.entries.push(entry);
        // Emptying every leaf must not allocate either.
        self.empty.reserve(self.entries.len());
        self.entries.len() as u32 - 1
    }

    /// At a node the earliest is due at `time`, and stands at `leaf`: plays that out.
    #[inline(never)]
    fn play(&mut self, mut node: usize, mut time: SimTime, mut leaf: u32) {
        let Self { times, leaves, .. } = self;
        let count = times.len();
        if count == 0 || leaves.len() != count {
            return; // Never: it lets the compiler see that the mask keeps indices within.
        }
        while node > 1 {
            let (mine, rivals) = (node & (count - 1), (node ^ 1) & (count - 1));
            times[mine] = time;
            leaves[mine] = leaf;
            let rival = times[rivals];
            node /= 2;
            if rival == time {
                return self.play_among_equals(node);
            }
            // Who is earlier cannot be foretold, and a mispredicted branch costs more than the selection.
            leaf = select_unpredictable(rival < time, leaves[rivals], leaf);
            time = time.min(rival);
        }
        (self.earliest, self.first) = (time, leaf);
    }

    /// Plays on from `node`, whose children are as they shall be.
    #[cold]
    #[inline(never)]
    fn play_among_equals(&mut self, mut node: usize) {
        while node > 1 {
            (self.times[node], self.leaves[node]) = self.winner(node);
            node /= 2;
        }
        (self.earliest, self.first) = self.winner(1);
    }

    /// The earlier one of a node's children.
    fn winner(&self, node: usize) -> (SimTime, u32) {
        // A leaf that was never taken is empty.
        let source = |leaf: u32| self.entries.get(leaf as usize).map_or(Source::NOBODY, |entry| entry.source);
        let [left, right] = [0, 1].map(|side| {
            let (time, leaf) = (self.times[2 * node + side], self.leaves[2 * node + side]);
            (time, source(leaf), leaf)
        });
        let (time, _, leaf) = left.min(right);
        (time, leaf)
    }

    /// Doubles the number of leaves.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let before = self.capacity();
        let count = (2 * before).max(2);
        assert!(count <= 1 << 31, "more than 2^31 events are pending");
        self.times.resize(2 * count, SimTime::MAX);
        self.leaves.resize(2 * count, 0);
        // The leaves move on.
        self.times.copy_within(before..2 * before, count);
        self.times[count + before..].fill(SimTime::MAX);
        self.play_all();
    }

    /// Halves the number of leaves: a tree that was high once is lower again when little is pending.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        let before = self.capacity();
        let count = before / 2;
        self.empty.retain(|&leaf| (leaf as usize) < count);
        for leaf in count..self.entries.len() {
            if self.entries[leaf].source != Source::NOBODY {
                let free = self.empty.pop().expect("less than a half is pending") as usize;
                self.entries[free] = self.entries[leaf];
                self.times[before + free] = self.times[before + leaf];
            }
        }
        self.entries.truncate(count);
        self.times.copy_within(before..before + count, count);
        self.times.truncate(2 * count);
        self.leaves.truncate(2 * count);
        self.play_all();
    }

    /// Plays everything anew, from the leaves up.
    fn play_all(&mut self) {
        let count = self.capacity();
        for leaf in 0..count {
            self.leaves[count + leaf] = leaf as u32;
        }
        for node in (2..count).rev() {
            (self.times[node], self.leaves[node]) = self.winner(node);
        }
        (self.earliest, self.first) = self.winner(1);
    }
}

impl<T: Copy> Default for EventSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        PushNever,
        Pop,
        Cancel(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..4_u64, 0..3_u32).prop_map(|(delay, entity)| Step::Push { delay, entity }),
            1 => Just(Step::PushNever),
            3 => Just(Step::Pop),
            1 => (0..64_usize).prop_map(Step::Cancel),
        ]
    }

    proptest! {
        /// Pops come in the order of a sorted list, ties by entity and then first in first out,
        /// and what was cancelled never comes.
        #[test]
        fn pops_equal_a_sorted_reference(steps in prop::collection::vec(step(), 1..400)) {
            let mut set = EventSet::new();
            // Whether each has neither come up nor been cancelled.
            let mut pending: Vec<bool> = Vec::new();
            let mut reference: Vec<(u64, u32, u64, usize)> = Vec::new();
            let (mut now, mut sequences) = (0, [0_u64; 3]);
            for step in steps {
                match step {
                    Step::Push { .. } | Step::PushNever => {
                        // What never happens stands behind everything, but stands there.
                        let (time, entity) = match step {
                            Step::Push { delay, entity } => (now + delay, entity),
                            _ => (u64::MAX, 0),
                        };
                        let sequence = &mut sequences[entity as usize];
                        pending.push(true);
                        let id = pending.len() - 1;
                        let key = Key::new(SimTime::from_nanos(time), EntityId(entity), *sequence);
                        set.push(key, id);
                        reference.push((time, entity, *sequence, id));
                        *sequence += 1;
                    }
                    Step::Cancel(which) => {
                        if !pending.is_empty() {
                            let id = which % pending.len();
                            pending[id] = false;
                            reference.retain(|entry| entry.3 != id);
                        }
                    }
                    Step::Pop => {
                        reference.sort_unstable();
                        let expected = if reference.is_empty() { None } else { Some(reference.remove(0)) };
                        let mut popped = None;
                        prop_assert_eq!(set.peek().is_none(), set.is_empty());
                        while let Some((key, id)) = set.pop() {
                            if std::mem::take(&mut pending[id]) {
                                popped = Some((key, id));
                                break;
                            }
                        }
                        prop_assert_eq!(popped.map(|p| p.1), expected.map(|e| e.3));
                        if let Some((key, _)) = popped
                            && key.time() != SimTime::MAX
                        {
                            now = key.time().as_nanos();
                        }
                    }
                }
            }
            prop_assert!(set.len() >= reference.len());
            reference.sort_unstable();
            // What was taken is what the reference has next, and none is before the end of time.
            while let Some(time) = set.take_before(SimTime::MAX) {
                prop_assert!(time < SimTime::MAX);
                let &id = set.taken().1;
                if std::mem::take(&mut pending[id]) {
                    prop_assert_eq!(id, reference.remove(0).3);
                }
            }
            let never = reference.iter().filter(|entry| entry.0 == u64::MAX).count();
            prop_assert!(set.len() >= never);
        }
    }
}
