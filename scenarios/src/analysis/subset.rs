//! The strategies among which the best is, told over all comparisons at once.

use super::estimates::CONFIDENCE;
use super::names::quoted;
use super::summary::{Strategy, Summary};
use meshsim_core::stats::selection::{replications_to_decide, subset_with_best};

/// More replications than this are not asked of anybody.
const REPLICATIONS_MAX: u64 = 100_000;

/// A difference that nobody feels (ms).
pub(super) const TINY_MS: f64 = 0.1;

/// The strategies among which the best is.
pub(super) struct Subset<'a> {
    /// The fastest first.
    pub(super) names: Vec<&'a str>,
    /// Replications that would leave one, by what is known.
    replications: Option<u64>,
    /// Those that there were.
    now: usize,
}

impl<'a> Subset<'a> {
    /// Of those that are ranked, the fastest first.
    pub(super) fn of(summary: &Summary, ranked: &[&'a Strategy]) -> Self {
        let names: Vec<&str> = ranked.iter().map(|it| it.name.as_str()).collect();
        let Some(values) = summary.in_pairs(&names) else {
            return Self { names, replications: None, now: 0 };
        };
        let now = values.iter().map(Vec::len).min().unwrap_or(0);
        let subset = subset_with_best(&values, CONFIDENCE);
        let replications = replications_to_decide(&values, CONFIDENCE);
        Self { names: subset.into_iter().map(|index| names[index]).collect(), replications, now }
    }

    /// Whether they are two or more, of which none is told to be farther from the fastest than anybody feels.
    pub(super) fn is_within_tiny(&self, summary: &Summary) -> bool {
        let Some((best, others)) = self.names.split_first() else { return false };
        let is_near = |other: &&str| {
            let interval = summary.difference(best, other).and_then(|it| it.interval());
            interval.is_some_and(|ends| ends.iter().all(|end| end.abs() < TINY_MS))
        };
        !others.is_empty() && others.iter().all(is_near)
    }

    /// Which they are.
    pub(super) fn sentence(&self) -> String {
        format!("the fastest is one of {} (95 % over all comparisons)", quoted(&self.names))
    }

    /// What would leave one of them.
    pub(super) fn what_would_tell(&self) -> String {
        match self.replications {
            Some(count) if count > self.now as u64 && count <= REPLICATIONS_MAX => {
                format!("about {count} replications would tell")
            }
            Some(count) if count > self.now as u64 => {
                "no number of replications that one waits for would tell".to_owned()
            }
            _ => "more replications would tell".to_owned(),
        }
    }
}
