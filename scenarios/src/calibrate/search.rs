//! Where in a box a function is least.
//!
//! # Models
//! First a scan: the points of a Halton sequence and those that are given, all at once. Then the
//! simplex method of Nelder and Mead from the best of them, begun anew from where it ends with a
//! smaller simplex as long as that gains something, for a simplex may collapse. Points outside the box
//! count as the nearest point of it, and a little more the farther they are.
//!
//! # Assumptions
//! The deepest valley holds a point of the scan. Effect: else a lesser one is found.
//!
//! # Source
//! Nelder and Mead, A simplex method for function minimization, Computer Journal 7, 1965, through the
//! crate `argmin`. Halton, Numerische Mathematik 2, 1960.

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::neldermead::NelderMead;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Points of a scan per dimension.
const SCAN_PER_DIMENSION: usize = 8;

/// Sides of the simplexes, in shares of the box.
const SIDES: [f64; 3] = [0.1, 0.03, 0.01];

/// A simplex whose values spread less is done, and a new one that gains less is the last.
const TOLERANCE: f64 = 1e-4;

/// Steps of a simplex per dimension.
const STEPS_PER_DIMENSION: u64 = 12;

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best point, in shares of the box.
    pub point: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// Points that were looked at.
    pub evaluations: usize,
    /// Whether it was told to stop before the end.
    pub interrupted: bool,
}

/// Points that a search of so many dimensions looks at, about.
#[must_use]
pub const fn evaluations_expected(dimensions: usize) -> usize {
    2 + SCAN_PER_DIMENSION * dimensions + 14 * dimensions + 6
}

/// Looks for the least value of `cost` in the unit box, from `starts` and a scan. `rounded` is what is
/// left of a point when it is written; equal ones are looked at once. A cost of `None` stops the
/// search. Nothing if it was stopped before anything was found.
pub fn minimize(
    dimensions: usize,
    starts: Vec<Vec<f64>>,
    rounded: &(dyn Fn(&[f64]) -> Vec<f64> + Sync),
    cost: &(dyn Fn(&[f64]) -> Option<f64> + Sync),
) -> Option<Found> {
    let memory = Memory { rounded, cost, known: Mutex::new(BTreeMap::new()) };
    let scan = (1..=SCAN_PER_DIMENSION * dimensions).map(|number| halton(number, dimensions));
    let mut interrupted = !memory.all(&starts.into_iter().chain(scan).collect::<Vec<_>>());
    let mut before = f64::INFINITY;
    for side in SIDES {
        let Some((best, value)) =
            memory.best().filter(|(_, value)| !interrupted && before - value > TOLERANCE)
        else {
            break;
        };
        before = value;
        // The last value of a simplex is only beaten if a new one is worth it.
        interrupted = !memory.simplex(&best, side);
    }
    let (point, value) = memory.best()?;
    Some(Found { point, value, evaluations: memory.count(), interrupted })
}

/// Looks for the least value of a cheap function in the unit box near `start`.
pub fn minimize_near(start: &[f64], cost: &(dyn Fn(&[f64]) -> f64 + Sync)) -> (Vec<f64>, f64) {
    let whole = |point: &[f64]| point.to_vec();
    let cost = |point: &[f64]| Some(cost(point));
    let memory = Memory { rounded: &whole, cost: &cost, known: Mutex::new(BTreeMap::new()) };
    memory.all(&[start.to_vec()]);
    for side in SIDES {
        if let Some((best, _)) = memory.best() {
            memory.simplex(&best, side);
        }
    }
    memory.best().unwrap_or_else(|| (start.to_vec(), f64::INFINITY))
}

/// The number of a point in the order of its bits, which is that of its values: none is negative.
type Key = Vec<u64>;

/// A function that remembers.
struct Memory<'a> {
    rounded: &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync),
    cost: &'a (dyn Fn(&[f64]) -> Option<f64> + Sync),
    known: Mutex<BTreeMap<Key, f64>>,
}

impl Memory<'_> {
    /// The value at a point of the box; none if it was told to stop.
    fn at(&self, point: &[f64]) -> Option<f64> {
        let inside: Vec<f64> = point.iter().map(|position| position.clamp(0.0, 1.0)).collect();
        let written = (self.rounded)(&inside);
        let key: Key = written.iter().map(|position| (position + 0.0).to_bits()).collect();
        if let Some(value) = self.known().get(&key) {
            return Some(*value);
        }
        let value = (self.cost)(&written)?;
        self.known().insert(key, value);
        Some(value)
    }

    /// Looks at all of them, at the same time; false if it was told to stop.
    fn all(&self, points: &[Vec<f64>]) -> bool {
        points.par_iter().map(|point| self.at(point)).collect::<Vec<_>>().iter().all(Option::is_some)
    }

    /// Nelder and Mead's method with a simplex of this side at `start`; false if it was told to stop.
    fn simplex(&self, start: &[f64], side: f64) -> bool {
        if start.is_empty() {
            return true;
        }
        let corner = |axis: usize| {
            let mut point = start.to_vec();
            point[axis] += if point[axis] + side > 1.0 { -side } else { side };
            point
        };
        let corners: Vec<Vec<f64>> =
            std::iter::once(start.to_vec()).chain((0..start.len()).map(corner)).collect();
        // The crate cannot stop while it looks at these one by one.
        if !self.all(&corners) {
            return false;
        }
        let steps = STEPS_PER_DIMENSION * start.len() as u64;
        let Ok(solver) = NelderMead::new(corners).with_sd_tolerance(TOLERANCE * 0.3) else { return true };
        let run = Executor::new(Bounded(self), solver).configure(|state| state.max_iters(steps)).timer(false);
        run.run().is_ok_and(|result| result.state().get_iter() <= steps)
    }

    /// The best point and its value; of equals the first in the order of positions.
    fn best(&self) -> Option<(Vec<f64>, f64)> {
        let known = self.known();
        let best = known.iter().min_by(|a, b| a.1.total_cmp(b.1))?;
        Some((best.0.iter().map(|bits| f64::from_bits(*bits)).collect(), *best.1))
    }

    fn count(&self) -> usize {
        self.known().len()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, f64>> {
        // Nobody panics with the lock in hand.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A function over all space that is the remembered one in the box.
struct Bounded<'m, 'a>(&'m Memory<'a>);

impl CostFunction for Bounded<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, Error> {
        let outside: f64 = point.iter().map(|position| (position - position.clamp(0.0, 1.0)).abs()).sum();
        let value = self.0.at(point).ok_or_else(|| Error::msg("told to stop"))?;
        Ok(value + outside)
    }
}

/// Point number `number` (from 1) of the Halton sequence.
fn halton(number: usize, dimensions: usize) -> Vec<f64> {
    const PRIMES: [usize; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
    let inverse = |base: usize| {
        let (mut rest, mut position, mut sum) = (number, 1.0, 0.0);
        while rest > 0 {
            position /= base as f64;
            sum += position * (rest % base) as f64;
            rest /= base;
        }
        sum
    };
    PRIMES.iter().take(dimensions).map(|&base| inverse(base)).collect()
}

/// Most dimensions of a search.
pub const DIMENSIONS_MAX: usize = 8;
