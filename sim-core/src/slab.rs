//! Slots that are reused: what lives for a while (calls, connections) without an allocation each.
//!
//! A [`Handle`] carries the generation of its slot, so a handle that outlived its value is found
//! out instead of reading a stranger's. Once the slab has grown to the greatest number of values
//! that live at a time, it allocates no more.

use crate::memory::growing_bytes;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// Where a value of a [`Slab`] lives.
pub struct Handle<T> {
    index: u32,
    /// Odd, so that `Option<Handle<T>>` is no larger than the handle.
    generation: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

/// Reused slots for plain values.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The free slot that is taken next, or the end of the list of them.
    free: u32,
    taken: usize,
}

/// A value and whose it is: whoever checks a handle has the value at hand.
#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    /// Odd while the slot is taken.
    generation: u32,
    /// While it is free: the slot that was freed before it.
    next_free: u32,
    value: T,
}

/// The end of the list of free slots.
const NONE: u32 = u32::MAX;

impl<T: Copy> Slab<T> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: NONE, taken: 0 }
    }

    /// An empty slab with room for `capacity` values.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), ..Self::new() }
    }

    /// The number of values that live in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.taken
    }

    /// Whether no value lives in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub const fn bytes(&self) -> usize {
        growing_bytes(self.slots.len(), self.slots.capacity(), size_of::<Slot<T>>())
    }

    /// Stores `value`.
    ///
    /// # Panics
    /// If 2^32 values live at a time.
    #[inline]
    pub fn insert(&mut self, value: T) -> Handle<T> {
        self.taken += 1;
        let index = self.free;
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return self.insert_behind(value);
        };
        self.free = slot.next_free;
        slot.generation = slot.generation.wrapping_add(1);
        slot.value = value;
        Handle::new(index, slot.generation)
    }

    /// Stores `value` in a slot that there was not before.
    #[cold]
    fn insert_behind(&mut self, value: T) -> Handle<T> {
        let index = u32::try_from(self.slots.len()).ok().filter(|index| *index != NONE);
        let index = index.expect("a slab has fewer than 2^32 slots");
        self.slots.push(Slot { generation: 1, next_free: NONE, value });
        Handle::new(index, 1)
    }

    /// Takes the value out and frees its slot.
    ///
    /// # Panics
    /// If the value is gone.
    #[inline]
    pub fn remove(&mut self, handle: Handle<T>) -> T {
        let before = self.free;
        let slot = self.slot_mut(handle);
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = before;
        let value = slot.value;
        self.free = handle.index;
        self.taken -= 1;
        value
    }

    /// The handles of all values that live in it, in the order of their slots.
    pub fn handles(&self) -> impl Iterator<Item = Handle<T>> {
        let taken = self.slots.iter().enumerate().filter(|(_, slot)| slot.generation % 2 == 1);
        taken.map(|(index, slot)| Handle::new(index as u32, slot.generation))
    }

    /// Whether the value still lives.
    #[inline]
    #[must_use]
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.get(handle).is_some()
    }

    /// The value, if it still lives.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: Handle<T>) -> Option<&T> {
        let slot = self.slots.get(handle.index as usize)?;
        (slot.generation == handle.generation.get()).then_some(&slot.value)
    }

    /// The value, to be changed, if it still lives.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(handle.index as usize)?;
        (slot.generation == handle.generation.get()).then_some(&mut slot.value)
    }

    #[inline]
    fn slot_mut(&mut self, handle: Handle<T>) -> &mut Slot<T> {
        match self.slots.get_mut(handle.index as usize) {
            Some(slot) if slot.generation == handle.generation.get() => slot,
            _ => is_stale(handle.index, handle.generation),
        }
    }
}

/// A handle outlived its value.
#[cold]
#[inline(never)]
fn is_stale(index: u32, generation: NonZeroU32) -> ! {
    panic!("stale handle {index}#{generation}")
}

impl<T: Copy> std::ops::Index<Handle<T>> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, handle: Handle<T>) -> &T {
        match self.get(handle) {
            Some(value) => value,
            None => is_stale(handle.index, handle.generation),
        }
    }
}

impl<T: Copy> std::ops::IndexMut<Handle<T>> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, handle: Handle<T>) -> &mut T {
        &mut self.slot_mut(handle).value
    }
}

impl<T: Copy> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Handle<T> {
    fn new(index: u32, generation: u32) -> Self {
        let generation = NonZeroU32::new(generation).expect("the generation of a taken slot is odd");
        Self { index, generation, of: PhantomData }
    }

    /// The number of its slot, for tables that stand beside the slab.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.index as usize
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_and_old_handles_found_out() {
        let mut slab = Slab::new();
        let a = slab.insert(1);
        assert_eq!(slab.remove(a), 1);
        let b = slab.insert(2);
        assert_eq!((a.index, slab[b], slab.len()), (b.index, 2, 1));
        assert!(!slab.contains(a));
    }

    #[test]
    #[should_panic(expected = "stale handle")]
    fn reading_through_an_old_handle_panics() {
        let mut slab = Slab::new();
        let a = slab.insert(1);
        slab.remove(a);
        let _ = slab[a];
    }
}
