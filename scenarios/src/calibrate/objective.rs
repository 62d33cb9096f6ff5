//! How far the simulated latencies are from the measured ones at a point of the searched ranges.
//!
//! # Models
//! The Wasserstein distance between the two distributions, over the measured mean: the mean shift that
//! would turn one into the other, as a share. It is in units of the latency, so that a shift of all
//! requests counts as much as it is large; it has no flat regions where distributions do not overlap,
//! as Kolmogorov-Smirnov has, and no single quantile decides it. Every point is simulated over the same
//! requests (common random numbers), all replications pooled, so that the distance changes with the
//! point and not with luck.
//!
//! # Source
//! Bernton, Jacob, Gerber and Robert, On parameter estimation with the Wasserstein distance,
//! Information and Inference 8(4), 2019.

use super::parameter::Parameter;
use crate::document::Setting;
use crate::experiment::Watch;
use crate::experiment::replication::{self, Keep};
use crate::problem::Checked;
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::validate::distance::wasserstein;
use meshsim_core::elementary::sqrt;
use rayon::prelude::*;

/// The distance where nothing can be simulated, or no request succeeds.
const FAR: f64 = 1e6;

/// What is simulated, and what it is held against.
#[derive(Clone, Debug)]
pub struct Objective<'a> {
    /// The scenario, fitted laws included.
    pub scenario: &'a Scenario,
    /// Under which strategy.
    pub strategy: Option<usize>,
    /// What is searched; a point has a position (0 to 1) in the range of each.
    pub parameters: &'a [Parameter],
    /// The seed, if not the scenario's.
    pub seed: Option<u64>,
    /// Independent repetitions.
    pub replications: u32,
    /// The measured latencies (ms), ascending; not empty.
    pub measured: &'a [f64],
}

/// Simulated latencies of successful requests.
#[derive(Clone, Debug)]
pub struct Sample {
    /// By replication (ms), ascending.
    pub replications: Vec<Vec<f64>>,
    /// Of all together (ms), ascending.
    pub pooled: Vec<f64>,
}

impl Objective<'_> {
    /// The settings of a point.
    #[must_use]
    pub fn settings(&self, point: &[f64]) -> Vec<Setting> {
        self.parameters.iter().zip(point).map(|(parameter, &position)| parameter.setting(position)).collect()
    }

    /// The scenario at a point.
    ///
    /// # Errors
    /// Everything that is wrong with it there.
    pub fn resolve(&self, point: &[f64]) -> Checked<Resolved> {
        let mut resolved = self.scenario.with_for("--fit", &self.settings(point))?.resolve(self.strategy)?;
        if let Some(seed) = self.seed {
            resolved.description.seed = seed;
        }
        Ok(resolved)
    }

    /// Simulates a point. Nothing if it was told to stop; an empty sample if nothing can be simulated
    /// there.
    #[must_use]
    pub fn simulate(&self, point: &[f64], watch: &Watch<'_>) -> Option<Sample> {
        let Ok(resolved) = self.resolve(point) else {
            return (!watch.is_cancelled()).then(|| Sample { replications: Vec::new(), pooled: Vec::new() });
        };
        let keep = Keep { latencies: true, ..Keep::default() };
        let strategies = [resolved];
        let one = |number| {
            let mut figures = replication::run(&strategies, number, keep, watch)?.pop()?;
            figures.latencies_ms.sort_unstable_by(f64::total_cmp);
            Some(figures.latencies_ms)
        };
        let replications: Vec<Vec<f64>> =
            (0..self.replications).into_par_iter().map(one).collect::<Option<_>>()?;
        let pooled = pool(replications.iter());
        Some(Sample { replications, pooled })
    }

    /// The distance of a sample (ms, ascending) to what was measured, over its mean.
    #[must_use]
    pub fn distance(&self, simulated: &[f64]) -> f64 {
        if simulated.is_empty() {
            return FAR;
        }
        let mean = self.measured.iter().sum::<f64>() / self.measured.len() as f64;
        (wasserstein(self.measured, simulated) / mean).min(FAR)
    }

    /// Standard error of the distance for want of more replications: the jackknife over them. Nothing
    /// with a single one.
    #[must_use]
    pub fn noise_of_simulation(&self, sample: &Sample) -> Option<f64> {
        let count = sample.replications.len();
        if count < 2 {
            return None;
        }
        let without = |left_out: usize| {
            let others = sample.replications.iter().enumerate().filter(|(index, _)| *index != left_out);
            self.distance(&pool(others.map(|(_, latencies)| latencies)))
        };
        let values: Vec<f64> = (0..count).into_par_iter().map(without).collect();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some(sqrt(squares * (count - 1) as f64 / count as f64))
    }
}

/// All of them, ascending.
fn pool<'a>(samples: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let mut pooled: Vec<f64> = samples.flatten().copied().collect();
    pooled.sort_unstable_by(f64::total_cmp);
    pooled
}
