//! What a strategy is asked about, and what all of them do alike.

use crate::offloading::analytic_model::{AnalyticModel, Delay, EdgeSet, Usage};
use serde::{Deserialize, Serialize};

/// What is asked of a strategy. Differences of the mean delay (s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// Shorter by so much.
    Decrease {
        /// What is to be reached.
        target: f64,
        /// At what the search may stop.
        stop: f64,
    },
    /// Longer by no more than so much.
    Increase {
        /// What is allowed.
        target: f64,
        /// With what the search counts.
        stop: f64,
    },
}

/// The edge as it is.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// What is believed of it.
    pub model: &'a AnalyticModel,
    /// The services that it has.
    pub edge: EdgeSet,
    /// What is in use.
    pub usage: &'a Usage,
    /// Services that may not come.
    pub locked: EdgeSet,
    /// Whether the answer is the original's, with its quirks; else it is as its authors are likely to have meant it.
    pub compat: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unanswered {
    /// What is asked cannot be reached; the original crashes or never ends.
    NotReachable,
    /// Calls go in circles, which the original does not survive.
    Cyclic,
    /// The strategy takes nothing back.
    TakesNothingBack,
}

impl Unanswered {
    /// What is said of it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotReachable => "not reachable",
            Self::Cyclic => "not reachable: calls go in circles",
            Self::TakesNothingBack => "takes nothing back",
        }
    }
}

impl Situation<'_> {
    pub(super) fn now(&self) -> Delay {
        self.model.delay(&self.edge)
    }

    /// Takes services one after the other, by `next`, until the delay is shorter by `target`.
    ///
    /// # Errors
    /// If `next` has none before that, though some are not at the edge yet.
    pub(super) fn add_until(
        &self,
        target: f64,
        mut next: impl FnMut(&EdgeSet) -> Option<Vec<usize>>,
    ) -> Result<EdgeSet, Unanswered> {
        let mut edge = self.edge.clone();
        let before = self.now().total;
        let mut gained = 0.0;
        while gained < target && edge.contains(&false) {
            let added = next(&edge).ok_or(Unanswered::NotReachable)?;
            added.into_iter().for_each(|service| edge[service] = true);
            gained = before - self.model.delay(&edge).total;
        }
        // All were there already: the original looks for one more, and crashes.
        if gained < target && edge == self.edge { Err(Unanswered::NotReachable) } else { Ok(edge) }
    }

    /// Takes services back one after the other, by `next`, as long as the delay is longer by at most `target`.
    pub(super) fn remove_while(
        &self,
        target: f64,
        mut next: impl FnMut(&EdgeSet) -> Option<usize>,
    ) -> EdgeSet {
        let mut edge = self.edge.clone();
        let before = self.now().total;
        while let Some(service) = next(&edge) {
            edge[service] = false;
            if self.model.delay(&edge).total - before > target {
                edge[service] = true;
                break;
            }
        }
        edge
    }
}

/// The services, without the gateway, that are at the edge.
pub(super) fn services_of(edge: &[bool]) -> impl Iterator<Item = usize> {
    (0..edge.len() - 1).filter(|&service| edge[service])
}

/// The first of those with the largest value.
pub(super) fn first_largest(of: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    of.reduce(|best, it| if it.1 > best.1 { it } else { best })
}

/// The first of those with the smallest value.
pub(super) fn first_smallest(of: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    of.reduce(|best, it| if it.1 < best.1 { it } else { best })
}
