//! What the simulation would say near the best point, without simulating.
//!
//! # Models
//! Every quantile of the latency is linear in each parameter, with the slope between simulations a
//! [`STEP`] of the range below and above the best point; changes by several parameters add up. So a
//! distance to other measurements costs no simulation: a bootstrap of the fit refits each drawn series by
//! it.
//!
//! # Assumptions
//! Quantiles are nearly linear within what the draws reach, and parameters do not act on each other.
//! Effect: near saturation, where latencies bend upwards, draws reach too far up.

use super::search::minimize_near;
use meshsim_core::stats::quantile_of_sorted;

/// How far from the best point slopes are taken, in shares of the range.
pub const STEP: f64 = 0.1;

/// Quantiles that are compared.
const LEVELS: usize = 400;

/// The quantiles of a sample (ms, ascending) in the middle of equal steps; none of an empty one.
#[must_use]
pub fn quantiles(sorted_ms: &[f64]) -> Option<Vec<f64>> {
    (0..LEVELS).map(|level| quantile_of_sorted(sorted_ms, (level as f64 + 0.5) / LEVELS as f64)).collect()
}

/// A position of a range beside the best one, and the quantiles there (ms).
pub type Beside = (f64, Vec<f64>);

/// Quantiles as functions of the point.
#[derive(Clone, Debug)]
pub struct Surrogate {
    best: Vec<f64>,
    at_best: Vec<f64>,
    /// By parameter.
    slopes: Vec<Vec<f64>>,
}

impl Surrogate {
    /// From quantiles at the best point and, by parameter, at the points below and above it. For one
    /// that is missing the best point stands.
    #[must_use]
    pub fn new(best: &[f64], at_best: Vec<f64>, around: &[[Option<Beside>; 2]]) -> Self {
        let slope = |(axis, [below, above]): (usize, &[Option<Beside>; 2])| {
            let here = (best[axis], at_best.clone());
            let [below, above] = [below, above].map(|side| side.as_ref().unwrap_or(&here));
            let width = above.0 - below.0;
            let rise = |(above, below): (&f64, &f64)| if width > 0.0 { (above - below) / width } else { 0.0 };
            above.1.iter().zip(&below.1).map(rise).collect()
        };
        let slopes = around.iter().enumerate().map(slope).collect();
        Self { best: best.to_vec(), at_best, slopes }
    }

    /// The same with other quantiles at the best point, as far from it as `away` (ms).
    #[must_use]
    pub fn moved(&self, away: &[f64]) -> Self {
        let at_best = self.at_best.iter().zip(away).map(|(here, away)| here + away).collect();
        Self { at_best, ..self.clone() }
    }

    /// Wasserstein distance (ms) at a point to measured quantiles.
    #[must_use]
    pub fn distance_ms(&self, point: &[f64], measured: &[f64]) -> f64 {
        let away: Vec<(f64, &Vec<f64>)> = point
            .iter()
            .zip(&self.best)
            .zip(&self.slopes)
            .map(|((position, best), slopes)| (position - best, slopes))
            .collect();
        let at = |level: usize| {
            let moved: f64 = away.iter().map(|(by, slopes)| by * slopes[level]).sum();
            (self.at_best[level] + moved - measured[level]).abs()
        };
        (0..measured.len()).map(at).sum::<f64>() / measured.len() as f64
    }

    /// The point at which the distance to measured quantiles is least, and that distance (ms).
    #[must_use]
    pub fn refit(&self, measured: &[f64]) -> (Vec<f64>, f64) {
        let scale = self.scale(measured);
        let (point, value) = minimize_near(&self.best, &|point| self.distance_ms(point, measured) / scale);
        (point, value * scale)
    }

    /// The least distance (ms) with one parameter held at a position, and the point.
    #[must_use]
    pub fn profile(&self, axis: usize, position: f64, measured: &[f64]) -> (Vec<f64>, f64) {
        let scale = self.scale(measured);
        let whole = |others: &[f64]| {
            let mut point = others.to_vec();
            point.insert(axis, position);
            point
        };
        let mut others = self.best.clone();
        others.remove(axis);
        if others.is_empty() {
            return (vec![position], self.distance_ms(&[position], measured));
        }
        let cost = |others: &[f64]| self.distance_ms(&whole(others), measured) / scale;
        let (others, value) = minimize_near(&others, &cost);
        (whole(&others), value * scale)
    }

    /// The measured mean (ms): searches look at shares.
    fn scale(&self, measured: &[f64]) -> f64 {
        (measured.iter().sum::<f64>() / measured.len() as f64).max(f64::MIN_POSITIVE)
    }
}
