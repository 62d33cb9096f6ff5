//! How well each parameter is known.
//!
//! # Models
//! *Interval*: the middle 95 % of refits to bootstrap series of the fitted part, each with replications
//! drawn with replacement. *Profile*: each parameter is held at positions of its range, and the others are
//! fitted anew; where the distance rises by less than its noise the data cannot tell. If that is more
//! than half of the range, the parameter is not identifiable, and those that make up for it move by a
//! tenth of theirs or more. Both by the surrogate.
//!
//! # Source
//! Raue et al., Structural and practical identifiability analysis of partially observed dynamical
//! models by exploiting the profile likelihood, Bioinformatics 25, 2009.

use super::parameter::Parameter;
use super::report::ParameterFit;
use super::surrogate::Surrogate;
use meshsim_core::elementary::sqrt;
use meshsim_core::stats::quantile_of_sorted;

/// Positions of the range at which a profile is taken.
const PLACES: usize = 41;

/// So near to an end of its range a value is at the end.
const AT_BOUND: f64 = 0.005;

/// A parameter of whose range more than this is within the noise is not identifiable.
const IDENTIFIABLE_MAX: f64 = 0.5;

/// What makes up for another moves by this much of its range.
const MOVES: f64 = 0.1;

/// What is known at the end of a search.
pub(super) struct Known<'a> {
    pub(super) parameters: &'a [Parameter],
    /// What the scenario said.
    pub(super) before: &'a [Option<f64>],
    /// The best point.
    pub(super) best: &'a [f64],
    /// Nothing if it was told to stop before it was made.
    pub(super) surrogate: Option<&'a Surrogate>,
    /// Quantiles of the fitted part.
    pub(super) measured: &'a [f64],
    /// Noise of the distance (ms).
    pub(super) noise_ms: f64,
    /// Refits to bootstrap series.
    pub(super) refits: &'a [Vec<f64>],
}

impl Known<'_> {
    pub(super) fn of(&self, axis: usize) -> ParameterFit {
        let parameter = &self.parameters[axis];
        let ends = self.surrogate.map(|surrogate| self.within_noise(surrogate, axis));
        let identifiable = ends.is_none_or(|[low, high]| high - low <= IDENTIFIABLE_MAX);
        let text = |position: f64| parameter.text(position);
        let confounded = match (self.surrogate, ends) {
            (Some(surrogate), Some(ends)) if !identifiable => self.moving(surrogate, axis, ends),
            _ => Vec::new(),
        };
        ParameterFit {
            path: parameter.path.clone(),
            range: [text(0.0), text(1.0)],
            before: self.before[axis].map(|value| text(parameter.position(value))),
            value: text(self.best[axis]),
            ci95: self.interval(axis).map(|ends| ends.map(text)),
            within_noise: ends.map(|ends| ends.map(text)),
            at_bound: self.best[axis] < AT_BOUND || self.best[axis] > 1.0 - AT_BOUND,
            identifiable,
            confounded_with: confounded,
        }
    }

    /// The stretch around the best position in which the profile stays within the noise.
    fn within_noise(&self, surrogate: &Surrogate, axis: usize) -> [f64; 2] {
        let (_, least) = surrogate.refit(self.measured);
        let flat =
            |position: &f64| surrogate.profile(axis, *position, self.measured).1 - least <= self.noise_ms;
        let best = self.best[axis];
        let positions = (0..PLACES).map(|number| number as f64 / (PLACES - 1) as f64);
        let above = positions.clone().filter(|position| *position > best).take_while(flat).last();
        let below = positions.rev().filter(|position| *position < best).take_while(flat).last();
        [below.unwrap_or(best), above.unwrap_or(best)]
    }

    /// The parameters that move when this one is at the ends of what cannot be told apart.
    fn moving(&self, surrogate: &Surrogate, axis: usize, ends: [f64; 2]) -> Vec<String> {
        let points = ends.map(|position| surrogate.profile(axis, position, self.measured).0);
        let moves = |&other: &usize| {
            other != axis && points.iter().any(|point| (point[other] - self.best[other]).abs() > MOVES)
        };
        let others = (0..self.parameters.len()).filter(moves);
        others.map(|other| self.parameters[other].path.clone()).collect()
    }

    fn interval(&self, axis: usize) -> Option<[f64; 2]> {
        let mut positions: Vec<f64> = self.refits.iter().map(|point| point[axis]).collect();
        positions.sort_unstable_by(f64::total_cmp);
        Some([quantile_of_sorted(&positions, 0.025)?, quantile_of_sorted(&positions, 0.975)?])
    }
}

/// Standard deviation; zero of fewer than two values.
pub(super) fn spread(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    sqrt(squares / (values.len() - 1) as f64)
}
