//! Where the warm-up of a run ends: the truncation rule MSER-5.
//!
//! MSER drops the beginning that minimises the squared standard error of the
//! mean of the rest, `Σ (y − ȳ)² / n²`: dropping biased samples lowers the sum,
//! dropping good ones lowers n (White, An Effective Truncation Heuristic for
//! Bias Reduction in Simulation Output, Simulation 69(6), 1997). MSER-5 applies
//! it to means of five successive samples (White, Cobb & Spratt, A Comparison of
//! Five Steady-State Truncation Heuristics for Simulation, WSC 2000). A minimum
//! in the second half of the run is not trusted, so only the first half is
//! searched.

use super::tally::Tally;

/// How many samples to drop from the front of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// Number of leading samples to drop, a multiple of 5 and at most half of
    /// the run.
    pub cut: usize,
    /// Whether the end of the warm-up was found. False if the run is shorter
    /// than 50 samples (nothing is cut then), or if the best cut is the last
    /// one searched: the warm-up may go on beyond it.
    pub reliable: bool,
}

/// Finds the end of the warm-up in samples taken at equal distances.
///
/// Up to four samples at the end that do not fill a batch are disregarded. Of
/// equally good cuts the shortest is taken. O(n), without allocation.
pub fn mser5(samples: &[f64]) -> Truncation {
    if samples.len() < MIN_SAMPLES {
        return Truncation { cut: 0, reliable: false };
    }
    let last_candidate = samples.len() / BATCH / 2;
    let best = best_cut(samples, last_candidate);
    Truncation { cut: best * BATCH, reliable: best < last_candidate }
}

const BATCH: usize = 5;
const MIN_SAMPLES: usize = 50;

/// The number of batches in `0..=last_candidate` to drop for the smallest MSER.
///
/// Walks from the end to the front, so that one tally holds each suffix in turn.
fn best_cut(samples: &[f64], last_candidate: usize) -> usize {
    let mut suffix = Tally::new();
    let mut best = (f64::INFINITY, last_candidate);
    for (cut, batch) in samples.chunks_exact(BATCH).enumerate().rev() {
        suffix.record(batch.iter().sum::<f64>() / BATCH as f64);
        let remaining = suffix.count() as f64;
        let error = suffix.squared_deviations() / (remaining * remaining);
        if cut <= last_candidate && error <= best.0 {
            best = (error, cut);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::super::test_random::Lcg;
    use super::*;
    use proptest::prelude::*;

    /// The definition, O(n²).
    fn best_cut_by_definition(samples: &[f64]) -> usize {
        let means: Vec<f64> = samples.chunks_exact(5).map(|batch| batch.iter().sum::<f64>() / 5.0).collect();
        let error = |cut: usize| {
            let rest = &means[cut..];
            let n = rest.len() as f64;
            let mean = rest.iter().sum::<f64>() / n;
            rest.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / (n * n)
        };
        let by_error = |a: &usize, b: &usize| error(*a).total_cmp(&error(*b));
        (0..=means.len() / 2).min_by(by_error).unwrap()
    }

    #[test]
    fn cuts_an_obvious_transient() {
        let mut lcg = Lcg::new(31);
        let samples: Vec<f64> = (0..1000).map(|i| if i < 200 { 50.0 } else { 10.0 } + lcg.normal()).collect();
        let truncation = mser5(&samples);
        assert!(truncation.reliable);
        assert!((200..=225).contains(&truncation.cut), "{truncation:?}");
    }

    #[test]
    fn cuts_an_exponential_transient_without_noise_exactly() {
        let samples: Vec<f64> = (0..600).map(|i| if i < 100 { f64::from(i) } else { 100.0 }).collect();
        let expected = Truncation { cut: 100, reliable: true };
        assert_eq!(mser5(&samples), expected);
    }

    #[test]
    fn cuts_nothing_from_a_constant_run() {
        let expected = Truncation { cut: 0, reliable: true };
        assert_eq!(mser5(&[0.1; 200]), expected);
    }

    #[test]
    fn a_trend_to_the_end_is_unreliable() {
        let samples: Vec<f64> = (0..400).map(|i| f64::from(i) * 0.5).collect();
        let expected = Truncation { cut: 200, reliable: false };
        assert_eq!(mser5(&samples), expected);
    }

    #[test]
    fn short_runs_are_left_alone() {
        let mut samples = vec![1000.0; 10];
        samples.resize(49, 1.0);
        let nothing = Truncation { cut: 0, reliable: false };
        assert_eq!(mser5(&samples), nothing);
        assert_eq!(mser5(&[]), nothing);
        samples.push(1.0);
        let transient = Truncation { cut: 10, reliable: true };
        assert_eq!(mser5(&samples), transient);
    }

    #[test]
    fn an_incomplete_last_batch_is_disregarded() {
        let mut samples: Vec<f64> = (0..100).map(|i| f64::from(i % 7)).collect();
        let complete = mser5(&samples);
        samples.extend([1e9; 4]);
        assert_eq!(mser5(&samples), complete);
    }

    #[test]
    fn a_small_signal_on_a_large_mean_is_seen() {
        let samples: Vec<f64> =
            (0..500).map(|i| 1e9 + if i < 50 { 3.0 } else { f64::from(i % 5) * 0.25 }).collect();
        assert_eq!(mser5(&samples).cut, 50);
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            seed in any::<u64>(), n in 50..300_usize, level in 0.0..5.0_f64, phi in 0.0..0.9_f64,
        ) {
            let mut samples = Lcg::new(seed).autoregressive(phi, n);
            samples.iter_mut().take(n / 4).for_each(|x| *x += level);
            prop_assert_eq!(mser5(&samples).cut, 5 * best_cut_by_definition(&samples));
        }
    }
}
