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
    values: Vec<T>,
    /// Odd while the slot is taken.
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl<T: Copy> Slab<T> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new(), generations: Vec::new(), free: Vec::new() }
    }

    /// An empty slab with room for `capacity` values.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            values: Vec::with_capacity(capacity),
            generations: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
        }
    }

    /// The number of values that live in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// Whether no value lives in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        // A value has its generation and room among the free slots.
        let size = size_of::<T>() + 2 * size_of::<u32>();
        growing_bytes(self.values.len(), self.values.capacity(), size)
    }

    /// Stores `value`.
    ///
    /// # Panics
    /// If more than 2^32 values live at a time.
    pub fn insert(&mut self, value: T) -> Handle<T> {
        if let Some(index) = self.free.pop() {
            let generation = self.generations[index as usize].wrapping_add(1);
            self.generations[index as usize] = generation;
            self.values[index as usize] = value;
            return Handle::new(index, generation);
        }
        let index = u32::try_from(self.values.len()).expect("a slab has at most 2^32 slots");
        self.values.push(value);
        self.generations.push(1);
        // Freeing every slot must not allocate either.
        self.free.reserve(self.values.capacity());
        Handle::new(index, 1)
    }

    /// Takes the value out and frees its slot.
    ///
    /// # Panics
    /// If the value is gone.
    pub fn remove(&mut self, handle: Handle<T>) -> T {
        self.check(handle);
        let index = handle.index as usize;
        self.generations[index] = handle.generation.get().wrapping_add(1);
        self.free.push(handle.index);
        self.values[index]
    }

    /// The handles of all values that live in it, in the order of their slots.
    pub fn handles(&self) -> impl Iterator<Item = Handle<T>> {
        let taken = self.generations.iter().enumerate().filter(|(_, generation)| **generation % 2 == 1);
        taken.map(|(index, &generation)| Handle::new(index as u32, generation))
    }

    /// Whether the value still lives.
    #[must_use]
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.generations.get(handle.index as usize) == Some(&handle.generation.get())
    }

    fn check(&self, handle: Handle<T>) {
        assert!(self.contains(handle), "stale handle {handle:?}");
    }
}

impl<T: Copy> std::ops::Index<Handle<T>> for Slab<T> {
    type Output = T;
    fn index(&self, handle: Handle<T>) -> &T {
        self.check(handle);
        &self.values[handle.index as usize]
    }
}

impl<T: Copy> std::ops::IndexMut<Handle<T>> for Slab<T> {
    fn index_mut(&mut self, handle: Handle<T>) -> &mut T {
        self.check(handle);
        &mut self.values[handle.index as usize]
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
