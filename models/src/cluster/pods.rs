//! The pods of a cluster as they are. Everybody reads them; only `control` changes them.

use crate::kubernetes::pod::{Phase, PodLife};
use meshsim_core::SimTime;
use std::ops::Index;

/// The pods of a cluster, by their place in it.
#[derive(Clone, Debug)]
pub struct Pods {
    lives: Vec<PodLife>,
    /// Whether any of them may come or go.
    changes: bool,
}

impl Pods {
    /// As they are at the start.
    #[must_use]
    pub(super) const fn new(lives: Vec<PodLife>, changes: bool) -> Self {
        Self { lives, changes }
    }

    /// Whether any of them may come or go.
    #[must_use]
    pub const fn change(&self) -> bool {
        self.changes
    }

    /// How many places there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// Whether the pod in a place can be reached.
    #[must_use]
    #[inline]
    pub fn is_reachable(&self, place: usize) -> bool {
        !self.changes || self.lives[place].is_reachable()
    }

    /// Whether the application of the pod in a place takes connections.
    #[must_use]
    #[inline]
    pub fn accepts(&self, place: usize, now: SimTime) -> bool {
        !self.changes || self.lives[place].accepts(now)
    }

    /// Pods in some places that are in a phase.
    #[must_use]
    pub fn count(&self, places: std::ops::Range<usize>, phase: Phase) -> u32 {
        self.lives[places].iter().filter(|it| it.phase == phase).count() as u32
    }

    /// The pod in a place, to be changed by whoever decides on its life.
    pub(super) fn life_mut(&mut self, place: usize) -> &mut PodLife {
        &mut self.lives[place]
    }
}

impl Index<usize> for Pods {
    type Output = PodLife;

    #[inline]
    fn index(&self, place: usize) -> &PodLife {
        &self.lives[place]
    }
}
