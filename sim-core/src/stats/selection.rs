//! Which of several configurations is best, from observations in pairs.
//!
//! The best has the lowest mean. Configurations are observed under common random numbers, so that observation number r of
//! one belongs to number r of the others and only differences count.
//!
//! - **Subset.** A configuration stays unless another one is below it by more than t s/√n, s the standard deviation of their
//!   n differences and t Student's quantile at 1 − α/(2(k − 1)). The best of k is lost with a probability of at most α:
//!   each of k − 1 others throws it out with α/(2(k − 1)) (Bonferroni; Nelson, Swann, Goldsman and Song, Simple Procedures
//!   for Selecting the Best Simulated System when the Number of Alternatives is Large, Operations Research 49, 2001). Half
//!   of α would do; with it a subset of one says the same as the two-sided interval of a difference where k = 2.
//! - **Sequential.** Kim and Nelson's procedure: after n₀ observations of all, one more of each that is left at a time; i is
//!   thrown out once another one is below it by δ/2 (h² s²/(δ² r) − 1) or more, with s² from the first n₀ and
//!   h² = (n₀ − 1)((2α/(k − 1))^(−2/(n₀ − 1)) − 1). The best is selected with a probability of at least 1 − α if it is
//!   better than all others by δ, the *indifference*; where others are within δ, one within δ of the best is
//!   (Kim and Nelson, A Fully Sequential Procedure for Indifference-Zone Selection in Simulation, ACM TOMACS 11, 2001).
//! - **With the best.** Of each configuration the interval of how much more it has than the best of the others, all of them true
//!   together: the ends are the largest ones of its intervals of differences, which hold for all pairs together by Bonferroni
//!   (multiple comparisons with the best: Hsu, Multiple Comparisons, 1996, chapter 4; under common random numbers: Nelson and
//!   Matejcik, Using Common Random Numbers for Indifference-Zone Selection and Multiple Comparisons in Simulation,
//!   Management Science 41, 1995).
//! - **Holm.** Probabilities of several differences by chance, adjusted so that calling those below α different is wrong for any
//!   of them with a probability of at most α (Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
//!   Journal of Statistics 6, 1979).
//!
//! # Assumptions
//! Differences are normal; an observation is commonly the mean of a replication.

use super::student_t::{student_t_beyond, student_t_quantile};
use super::tally::Tally;
use crate::elementary::{exp, ln, sqrt};

/// Mean and standard deviation of what one has more than another.
fn difference(one: &[f64], other: &[f64]) -> (f64, f64) {
    let differences: Tally = one.iter().zip(other).map(|(a, b)| a - b).collect();
    (differences.mean().unwrap_or(f64::NAN), sqrt(differences.variance().unwrap_or(f64::NAN)))
}

/// Student's quantile of the comparison of one of `count` with another one, over `replications`.
fn quantile(count: usize, replications: f64, confidence: f64) -> f64 {
    let alpha = (1.0 - confidence) / (2.0 * (count as f64 - 1.0));
    student_t_quantile(1.0 - alpha, replications - 1.0)
}

/// The probability that the mean of paired differences is as far from 0 by chance; nothing with fewer than two.
#[must_use]
pub fn probability_by_chance(differences: &[f64]) -> Option<f64> {
    let all: Tally = differences.iter().copied().collect();
    let (mean, count) = (all.mean()?, differences.len() as f64);
    let error = sqrt(all.variance()? / count);
    // Differences that are all alike are certain.
    let t = if mean == 0.0 { 0.0 } else { mean.abs() / error };
    Some(student_t_beyond(t, count - 1.0))
}

/// Probabilities by chance, adjusted by Holm's procedure, in their order.
#[must_use]
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let (mut adjusted, mut least) = (vec![1.0; probabilities.len()], 0.0_f64);
    for (before, index) in order.into_iter().enumerate() {
        let others = (probabilities.len() - before) as f64;
        least = least.max((probabilities[index] * others).min(1.0));
        adjusted[index] = least;
    }
    adjusted
}

/// Of each configuration how much more it has than the best of the others, in intervals that hold together with `confidence`
/// (between 0 and 1). `values` as of [`subset_with_best`]; nothing with fewer than two configurations or observations.
#[must_use]
pub fn against_the_best(values: &[Vec<f64>], confidence: f64) -> Option<Vec<[f64; 2]>> {
    let (count, replications) = (values.len() as f64, values.iter().map(Vec::len).min()? as f64);
    if values.len() < 2 || replications < 2.0 {
        return None;
    }
    let pairs = count * (count - 1.0) / 2.0;
    let t = student_t_quantile(1.0 - (1.0 - confidence) / (2.0 * pairs), replications - 1.0);
    let of = |index: usize| {
        let others = values.iter().enumerate().filter(move |(other, _)| *other != index);
        others.fold([f64::NEG_INFINITY; 2], |[low, high], (_, theirs)| {
            let (mean, spread) = difference(&values[index], theirs);
            let half = t * spread / sqrt(replications);
            [low.max(mean - half), high.max(mean + half)]
        })
    };
    Some((0..values.len()).map(of).collect())
}

/// The configurations, by index, among which the best is with a probability of at least `confidence` (between 0 and 1).
///
/// `values` has the observations of each, equally many, in pairs. All of them with fewer than two observations.
#[must_use]
pub fn subset_with_best(values: &[Vec<f64>], confidence: f64) -> Vec<usize> {
    let replications = values.iter().map(Vec::len).min().unwrap_or(0) as f64;
    if values.len() < 2 || replications < 2.0 {
        return (0..values.len()).collect();
    }
    let t = quantile(values.len(), replications, confidence);
    let is_beaten = |index: usize| {
        values.iter().enumerate().any(|(other, theirs)| {
            let (mean, spread) = difference(&values[index], theirs);
            other != index && mean > t * spread / sqrt(replications)
        })
    };
    (0..values.len()).filter(|&index| !is_beaten(index)).collect()
}

/// About how many replications would leave the best alone in its subset, by the means and variances that were
/// observed; nothing if others have the same mean, or there are fewer than two observations.
#[must_use]
pub fn replications_to_decide(values: &[Vec<f64>], confidence: f64) -> Option<u64> {
    let mean = |of: &Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
    let best = values.iter().min_by(|a, b| mean(a).total_cmp(&mean(b)))?;
    let needed = |other: &Vec<f64>| -> Option<f64> {
        let (mean, spread) = difference(other, best);
        if !(mean > 0.0 && spread.is_finite()) {
            return None;
        }
        // The quantile hangs on the number that is looked for, less and less.
        let mut replications = 10.0_f64;
        for _ in 0..50 {
            let half = quantile(values.len(), replications, confidence) * spread / mean;
            replications = (half * half).clamp(2.0, 1e12);
        }
        Some(replications.ceil())
    };
    let others = values.iter().filter(|it| !std::ptr::eq(*it, best));
    let most = others.map(needed).collect::<Option<Vec<f64>>>()?.into_iter().fold(2.0, f64::max);
    Some(most as u64)
}

/// Kim and Nelson's procedure under way.
#[derive(Clone, Debug)]
pub struct Sequential {
    /// How much better than all others the best must be to be selected for sure.
    indifference: f64,
    /// h² (n₀ observations of k configurations).
    h2: f64,
    /// Variances of the differences of the first observations, by the indices of both.
    variances: Vec<Vec<f64>>,
    alive: Vec<usize>,
}

impl Sequential {
    /// Of configurations of which so many first observations are known, ten or so each. `indifference` is positive, in
    /// the unit of the observations; `confidence` is between 0 and 1.
    ///
    /// # Panics
    /// With fewer than two configurations or observations.
    #[must_use]
    pub fn new(first: &[Vec<f64>], confidence: f64, indifference: f64) -> Self {
        let count = first[0].len();
        assert!(first.len() > 1 && count > 1, "two configurations, each with two observations");
        let degrees = count as f64 - 1.0;
        let alpha = 1.0 - confidence;
        let power = exp(ln(2.0 * alpha / (first.len() as f64 - 1.0)) * -2.0 / degrees);
        let variance = |one: &Vec<f64>, other: &Vec<f64>| {
            let (_, spread) = difference(one, other);
            spread * spread
        };
        let row = |one: &Vec<f64>| first.iter().map(|other| variance(one, other)).collect();
        Self {
            indifference,
            h2: degrees * (power - 1.0),
            variances: first.iter().map(row).collect(),
            alive: (0..first.len()).collect(),
        }
    }

    /// Those that are left, by index.
    #[must_use]
    pub fn alive(&self) -> &[usize] {
        &self.alive
    }

    /// Throws out who is beaten, by all observations so far, of which those that are left have equally many. The one
    /// that is left alone is selected.
    pub fn screen(&mut self, values: &[Vec<f64>]) {
        let Some(replications) = self.alive.iter().map(|&it| values[it].len()).min() else { return };
        let r = replications as f64;
        let delta = self.indifference;
        let mean = |index: usize| values[index][..replications].iter().sum::<f64>() / r;
        let means: Vec<(usize, f64)> = self.alive.iter().map(|&it| (it, mean(it))).collect();
        let is_beaten = |&(index, mean): &(usize, f64)| {
            means.iter().any(|&(other, theirs)| {
                let width =
                    delta / 2.0 * (self.h2 * self.variances[index][other] / (delta * delta * r) - 1.0);
                other != index && mean > theirs + width.max(0.0)
            })
        };
        let left: Vec<usize> = means.iter().filter(|it| !is_beaten(it)).map(|(index, _)| *index).collect();
        // Of equal ones the first is as good as any; the procedure never throws out all.
        self.alive = left;
        let widest =
            |index: &usize| self.alive.iter().map(|other| self.variances[*index][*other]).fold(0.0, f64::max);
        let is_over = self.alive.iter().all(|index| self.h2 * widest(index) <= delta * delta * r);
        if self.alive.len() > 1 && is_over {
            let best = self.alive.iter().copied().min_by(|a, b| mean(*a).total_cmp(&mean(*b)));
            self.alive = best.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_random::Lcg;
    use super::*;
    use crate::stats::normal_quantile;

    const EXPERIMENTS: usize = 1_000;

    /// Observations of configurations with these means, of which common random numbers take half of the variance.
    struct Observed {
        lcg: Lcg,
        means: Vec<f64>,
    }

    impl Observed {
        fn next(&mut self) -> Vec<f64> {
            let mut normal = || normal_quantile(self.lcg.uniform().clamp(1e-12, 1.0 - 1e-12));
            let common = normal();
            self.means.iter().map(|mean| mean + (common + normal()) / std::f64::consts::SQRT_2).collect()
        }

        fn add(&mut self, values: &mut [Vec<f64>]) {
            self.next().into_iter().zip(values).for_each(|(value, of)| of.push(value));
        }

        fn several(&mut self, count: usize) -> Vec<Vec<f64>> {
            let mut values = vec![Vec::new(); self.means.len()];
            (0..count).for_each(|_| self.add(&mut values));
            values
        }
    }

    /// One is better than all others by so much: nothing is harder.
    fn slippage(count: usize, by: f64) -> Vec<f64> {
        (0..count).map(|index| if index == count / 2 { 0.0 } else { by }).collect()
    }

    #[test]
    fn the_subset_contains_the_best() {
        for (seed, count) in [(1, 2), (2, 8), (3, 64)] {
            let mut observed = Observed { lcg: Lcg::new(seed), means: slippage(count, 0.5) };
            let (mut hits, mut size) = (0, 0);
            for _ in 0..EXPERIMENTS {
                let subset = subset_with_best(&observed.several(10), 0.95);
                hits += usize::from(subset.contains(&(count / 2)));
                size += subset.len();
            }
            assert!(hits >= EXPERIMENTS * 95 / 100, "{hits} of {count}");
            assert!(size < EXPERIMENTS * count, "it throws some out: {size} of {count}");
        }
    }

    /// Means 0, 0.5, 1.0 ...: the first is 0.5 below the best of the others, all others are above the first by their means.
    #[test]
    fn intervals_with_the_best_hold_together() {
        for (seed, count) in [(1, 2), (2, 8)] {
            let means: Vec<f64> = (0..count).map(|it| 0.5 * f64::from(it)).collect();
            let mut observed = Observed { lcg: Lcg::new(seed), means: means.clone() };
            let truth = |index: usize| if index == 0 { -0.5 } else { means[index] };
            let holds = |[low, high]: [f64; 2], truth: f64| low <= truth && truth <= high;
            let hits = (0..EXPERIMENTS).filter(|_| {
                let found = against_the_best(&observed.several(10), 0.95).unwrap();
                found.into_iter().enumerate().all(|(index, it)| holds(it, truth(index)))
            });
            let hits = hits.count();
            assert!(hits >= EXPERIMENTS * 94 / 100, "{hits} of {count}");
        }
        assert_eq!(against_the_best(&[vec![1.0, 2.0]], 0.95), None);
    }

    #[test]
    fn adjusted_probabilities_keep_what_they_promise() {
        // Holm's own rule by hand: 3 x 0.01, 2 x 0.02, and not below those before.
        let adjusted = holm(&[0.02, 0.01, 0.03]);
        assert!(adjusted.iter().zip([0.04, 0.03, 0.04]).all(|(a, b)| (a - b).abs() < 1e-12), "{adjusted:?}");
        // No difference at all: one of seven is called one in at most 5 %.
        let mut observed = Observed { lcg: Lcg::new(11), means: vec![0.0; 8] };
        let wrong = (0..EXPERIMENTS).filter(|_| {
            let values = observed.several(10);
            let difference =
                |it: &Vec<f64>| it.iter().zip(&values[0]).map(|(a, b)| a - b).collect::<Vec<_>>();
            let all: Vec<f64> =
                values[1..].iter().map(|it| probability_by_chance(&difference(it)).unwrap()).collect();
            holm(&all).iter().any(|it| *it < 0.05)
        });
        let wrong = wrong.count();
        assert!((5..=EXPERIMENTS * 6 / 100).contains(&wrong), "{wrong}");
        assert_eq!(probability_by_chance(&[1.0]), None);
        assert_eq!(probability_by_chance(&[0.0, 0.0]), Some(1.0));
        assert_eq!(probability_by_chance(&[2.0, 2.0]), Some(0.0));
    }

    #[test]
    fn as_many_replications_as_are_named_decide() {
        let mut observed = Observed { lcg: Lcg::new(9), means: slippage(8, 0.5) };
        let count = replications_to_decide(&observed.several(400), 0.95).unwrap();
        // t = 2.69 or so, s = 1, d = 0.5: half of the subsets are of one then where one other is the hardest.
        assert!((20..90).contains(&count), "{count}");
        let alone = |observed: &mut Observed, count: usize| {
            (0..200).filter(|_| subset_with_best(&observed.several(count), 0.95).len() == 1).count()
        };
        let [few, enough] = [count as usize / 4, count as usize * 2].map(|it| alone(&mut observed, it));
        assert!(few < 20 && enough > 150, "{few} {enough}");
        assert_eq!(replications_to_decide(&[vec![1.0, 2.0], vec![1.0, 2.0]], 0.95), None);
        assert_eq!(subset_with_best(&[vec![1.0], vec![2.0]], 0.95), [0, 1]);
    }

    /// What the procedure takes, in observations of one configuration, and how often it is right.
    fn sequential(means: &[f64], indifference: f64, seed: u64) -> (usize, f64) {
        let mut observed = Observed { lcg: Lcg::new(seed), means: means.to_vec() };
        let best = means.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let (mut right, mut taken) = (0, 0);
        for _ in 0..EXPERIMENTS {
            let mut values = observed.several(10);
            let mut sequential = Sequential::new(&values, 0.95, indifference);
            taken += 10 * means.len();
            sequential.screen(&values);
            while sequential.alive().len() > 1 {
                observed.add(&mut values);
                taken += sequential.alive().len();
                sequential.screen(&values);
            }
            right += usize::from(sequential.alive() == [best]);
        }
        (right, taken as f64 / EXPERIMENTS as f64)
    }

    /// The least equal number of observations of all with which the lowest mean is the best's as often as that.
    fn equal_number(means: &[f64], right: usize, seed: u64) -> usize {
        let best = means.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let mut observed = Observed { lcg: Lcg::new(seed), means: means.to_vec() };
        let share = |observed: &mut Observed, count: usize| {
            let one = |observed: &mut Observed| {
                let values = observed.several(count);
                let mean = |it: usize| values[it].iter().sum::<f64>();
                (0..means.len()).min_by(|a, b| mean(*a).total_cmp(&mean(*b))) == Some(best)
            };
            (0..EXPERIMENTS).filter(|_| one(observed)).count()
        };
        let (mut low, mut high) = (1, 400);
        while low < high {
            let middle = usize::midpoint(low, high);
            if share(&mut observed, middle) >= right { high = middle } else { low = middle + 1 }
        }
        low
    }

    #[test]
    fn the_sequential_procedure_selects_the_best() {
        for (seed, count) in [(1, 2), (2, 8), (3, 64)] {
            let (right, _) = sequential(&slippage(count, 0.5), 0.5, seed);
            assert!(right >= EXPERIMENTS * 95 / 100, "{right} of {count}");
        }
    }

    /// Means at equal distances, as strategies have them that put more and more services somewhere.
    #[test]
    fn the_sequential_procedure_takes_less_than_equal_numbers() {
        for (seed, count, most) in [(1, 2, 1.0), (2, 8, 2.0 / 3.0), (3, 64, 1.0 / 3.0)] {
            let means: Vec<f64> = (0..count).map(|it| 0.5 * it as f64).collect();
            let (right, taken) = sequential(&means, 0.5, seed);
            let equal = equal_number(&means, right.min(EXPERIMENTS - 1), seed + 10) * count;
            eprintln!("{count}: right in {right} of {EXPERIMENTS}, takes {taken:.0} against {equal}");
            assert!(right >= EXPERIMENTS * 95 / 100, "{right} of {count}");
            assert!(taken <= most * equal as f64, "{taken} {equal}");
        }
    }
}
