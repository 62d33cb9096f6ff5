//! Two strategies over the same requests, replication by replication.

use super::coefficients::{Coefficients, variance_ratio};
use super::estimates::CONFIDENCE;
use super::value::Value;
use crate::experiment::controls::Controls;
use crate::experiment::replication::Figures;
use crate::experiment::user_requests::Compared;
use meshsim_core::stats::paired_difference;
use meshsim_core::stats::selection::probability_by_chance;
use serde::Serialize;

/// A strategy against the baseline, replication by replication.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// The strategy.
    pub strategy: String,
    /// The baseline.
    pub baseline: String,
    /// Mean latency of the strategy less that of the baseline.
    pub mean_difference_ms: Value,
    /// Variance of the difference if the requests were not the same, over what it is: the gain of
    /// common random numbers. Nothing if there is no variance.
    pub variance_ratio: Option<f64>,
    /// Variance of the difference over what control variates leave of it; nothing where none helps.
    pub control_variance_ratio: Option<f64>,
    /// The probability that the difference is by chance, adjusted by Holm's procedure for all strategies that are compared
    /// with the baseline: those below 0.05 differ from it, of which any is wrong in at most 5 %.
    pub holm_probability: Option<f64>,
}

/// What differences with other strategies come from, by replication.
#[derive(Clone, Debug)]
pub(super) struct ComparedStrategy {
    pub(super) name: String,
    /// As it was measured.
    pub(super) plain: Vec<Compared>,
    /// Freed of what is known of its luck.
    pub(super) freed: Vec<Compared>,
}

impl ComparedStrategy {
    pub(super) fn new(name: &str, figures: &[&Figures]) -> Self {
        let all = Coefficients::of_all(figures);
        let count = figures.first().map_or(0, |it| it.groups.len());
        let groups: Vec<Coefficients> =
            (0..count).map(|index| Coefficients::of_group(figures, index)).collect();
        let luck_ms = |group: Option<usize>, controls: &Controls| {
            group.map_or(&all, |index| &groups[index]).luck_ms(controls)
        };
        let plain: Vec<Compared> = figures.iter().map(|it| it.compared.clone()).collect();
        let freed = plain.iter().map(|it| it.less(luck_ms)).collect();
        Self { name: name.to_owned(), plain, freed }
    }

    /// It against another one by the mean of a replication of one of them that both have in common.
    pub(super) fn against(
        &self,
        other: &Self,
        mean_ms: &dyn Fn(&Compared, &Compared) -> Option<f64>,
    ) -> Option<Paired> {
        let means = |of: &[Compared], others: &[Compared]| -> Option<Vec<f64>> {
            of.iter()
                .zip(others)
                .map(|(it, other)| mean_ms(it, other).filter(|mean| mean.is_finite()))
                .collect()
        };
        let pairs = |of: fn(&Self) -> &Vec<Compared>| {
            Some([means(of(self), of(other))?, means(of(other), of(self))?])
        };
        let (plain, freed) = (pairs(|it| &it.plain)?, pairs(|it| &it.freed)?);
        let differences = |[a, b]: &[Vec<f64>; 2]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        Some(Paired {
            strategy: self.name.clone(),
            baseline: other.name.clone(),
            mean_difference_ms: paired_difference(&freed[0], &freed[1], CONFIDENCE)?.difference.into(),
            variance_ratio: paired_difference(&plain[0], &plain[1], CONFIDENCE)?.variance_ratio,
            control_variance_ratio: variance_ratio(&differences(&plain), &differences(&freed)),
            holm_probability: probability_by_chance(&differences(&freed)),
        })
    }
}
