//! Tables with few rows: a cluster has something of its own of some populations or clusters, and there are thousands.

use meshsim_core::Id;
use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// Rows of some ids, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseTable<I, T> {
    rows: Vec<(I, T)>,
}

impl<I: Id + Ord, T> SparseTable<I, T> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// The row of an id, if there is one.
    #[must_use]
    pub fn get(&self, id: I) -> Option<&T> {
        self.index_of(id).ok().map(|index| &self.rows[index].1)
    }

    /// The row of an id, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.index_of(id).ok().map(|index| &mut self.rows[index].1)
    }

    /// All rows with their ids, in ascending order of these.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (I, &T)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    #[inline]
    fn index_of(&self, id: I) -> Result<usize, usize> {
        // Most have one row.
        if let [(only, _)] = &self.rows[..]
            && *only == id
        {
            return Ok(0);
        }
        self.rows.binary_search_by_key(&id, |(id, _)| *id)
    }
}

impl<I: Id + Ord, T: Default> SparseTable<I, T> {
    /// The row of an id, made if there is none.
    #[inline]
    pub fn or_default(&mut self, id: I) -> &mut T {
        let index = match self.index_of(id) {
            Ok(index) => index,
            Err(index) => self.make(index, id),
        };
        &mut self.rows[index].1
    }

    #[cold]
    fn make(&mut self, index: usize, id: I) -> usize {
        self.rows.insert(index, (id, T::default()));
        index
    }
}

impl<I: Id + Ord, T> Default for SparseTable<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Id + Ord, T> FromIterator<(I, T)> for SparseTable<I, T> {
    /// Of rows in any order; each id once.
    fn from_iter<A: IntoIterator<Item = (I, T)>>(rows: A) -> Self {
        let mut rows: Vec<(I, T)> = rows.into_iter().collect();
        rows.sort_by_key(|(id, _)| *id);
        Self { rows }
    }
}

impl<I: Id + Ord, T> Index<I> for SparseTable<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        self.get(id).expect("it has a row of this id")
    }
}

impl<I: Id + Ord, T> IndexMut<I> for SparseTable<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        self.get_mut(id).expect("it has a row of this id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClusterId;

    #[test]
    fn rows_stand_in_the_order_of_their_ids_and_are_made_when_asked_for() {
        let mut table: SparseTable<ClusterId, u32> =
            [(ClusterId(900), 1), (ClusterId(7), 2)].into_iter().collect();
        *table.or_default(ClusterId(30)) += 5;
        *table.or_default(ClusterId(7)) += 5;
        table[ClusterId(900)] += 1;
        let rows: Vec<_> = table.iter().map(|(id, &row)| (id.0, row)).collect();
        assert_eq!(rows, [(7, 7), (30, 5), (900, 2)]);
        assert_eq!((table.get(ClusterId(8)), table[ClusterId(30)]), (None, 5));
    }
}
