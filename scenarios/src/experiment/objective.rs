//! What users are to get: a bound of a figure.

use super::groups::Which;
use crate::analysis::dimension::Labels;

/// A bound that a figure is to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The name of the figure in the catalogue.
    pub figure: &'static str,
    /// Whose requests they are, as figures tell them apart.
    pub which: Which,
    /// What tells its value apart from others, whose requests apart.
    pub apart: Labels,
    /// All that it says of whose value is meant, as it is written.
    pub written: Labels,
    /// The bound, in the unit of the figure.
    pub bound: f64,
    /// Whether the figure is to be above it, not below.
    pub is_above: bool,
    /// Whether it is written in percent.
    pub in_percent: bool,
}

impl Objective {
    /// Whether a figure keeps the bound; one that is not a number does not.
    #[must_use]
    pub fn is_kept_by(&self, value: f64) -> bool {
        if self.is_above { value > self.bound } else { value < self.bound }
    }
}
