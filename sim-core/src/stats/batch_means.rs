//! Confidence interval for the mean of one long, autocorrelated run.
//!
//! Non-overlapping batch means (Law, Simulation Modeling and Analysis, 5th ed.,
//! 9.5.3; Schmeiser, Batch Size Effects in the Analysis of Simulation Output,
//! Operations Research 30(3), 1982): means of batches much longer than the
//! correlation time are nearly independent and normal, so Student's t applies
//! to them. Whether they are independent shows in their lag-one
//! autocorrelation; 10 to 30 batches are usual.

use super::interval::Estimate;
use super::tally::Tally;

/// The mean of a stationary run and its Student-t interval from `batches`
/// batches of equal length.
///
/// Samples that do not divide evenly are dropped from the front, which is the
/// part closest to the warm-up; [`Estimate::samples`] counts the ones kept.
/// `confidence` is between 0 and 1. `None` for no batches or fewer samples than
/// batches; the interval is `None` for one batch.
pub fn batch_means(samples: &[f64], batches: usize, confidence: f64) -> Option<Estimate> {
    let length = samples.len().checked_div(batches)?;
    if length == 0 {
        return None;
    }
    let kept = &samples[samples.len() % batches..];
    let means: Tally = kept.chunks_exact(length).map(mean).collect();
    let of_batches = Estimate::of_mean(&means, confidence)?;
    Some(Estimate { samples: kept.len() as u64, ..of_batches })
}

/// Correlation of each sample with its successor, between −1 and 1:
/// `Σ (x[i] − x̄)(x[i+1] − x̄) / Σ (x[i] − x̄)²` (Box, Jenkins & Reinsel, Time
/// Series Analysis, 2.1.5).
///
/// Of `n` independent samples it is about normal with mean −1/n and variance
/// 1/n. `None` under two samples or if they do not vary.
pub fn lag_one_autocorrelation(samples: &[f64]) -> Option<f64> {
    let tally: Tally = samples.iter().copied().collect();
    let mean = tally.mean()?;
    let neighbours = samples.windows(2);
    let products = neighbours.map(|pair| (pair[0] - mean) * (pair[1] - mean));
    let spread = tally.squared_deviations();
    (spread > 0.0).then(|| products.sum::<f64>() / spread)
}

fn mean(batch: &[f64]) -> f64 {
    batch.iter().sum::<f64>() / batch.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::interval::mean_estimate;
    use super::super::test_random::Lcg;
    use super::*;

    #[test]
    fn batches_of_one_are_the_plain_mean() {
        let samples = [3.0, 1.0, 4.0, 1.0, 5.0];
        assert_eq!(batch_means(&samples, 5, 0.9), mean_estimate(&samples, 0.9));
    }

    #[test]
    fn remainder_is_dropped_from_the_front() {
        let samples = [1e6, 1e6, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0];
        let estimate = batch_means(&samples, 3, 0.95).unwrap();
        let of_means = mean_estimate(&[2.0, 6.0, 10.0], 0.95).unwrap();
        assert_eq!(estimate.value, 6.0);
        assert_eq!(estimate.interval, of_means.interval);
        assert_eq!(estimate.samples, 6);
    }

    #[test]
    fn degenerate_requests() {
        assert_eq!(batch_means(&[], 4, 0.95), None);
        assert_eq!(batch_means(&[1.0, 2.0, 3.0], 4, 0.95), None);
        assert_eq!(batch_means(&[1.0, 2.0, 3.0], 0, 0.95), None);
        let single = batch_means(&[1.0, 2.0, 3.0], 1, 0.95).unwrap();
        assert_eq!((single.value, single.interval), (2.0, None));
    }

    #[test]
    fn autocorrelation_of_known_sequences() {
        assert_eq!(lag_one_autocorrelation(&[]), None);
        assert_eq!(lag_one_autocorrelation(&[1.0]), None);
        assert_eq!(lag_one_autocorrelation(&[0.1; 9]), None);
        // Deviations −1, 0, 1, 0: the products are all 0.
        assert_eq!(lag_one_autocorrelation(&[0.0, 1.0, 2.0, 1.0]), Some(0.0));
        // Deviations −1, 1, −1, 1: three products of −1 over 4.
        assert_eq!(lag_one_autocorrelation(&[0.0, 2.0, 0.0, 2.0]), Some(-0.75));
    }

    #[test]
    fn autocorrelation_of_a_process_is_its_coefficient() {
        for phi in [-0.5, 0.0, 0.9] {
            let samples = Lcg::new(41).autoregressive(phi, 40_000);
            let r = lag_one_autocorrelation(&samples).unwrap();
            assert!((r - phi).abs() < 0.02, "phi {phi}: {r}");
        }
    }

    /// Coverage of 90 % intervals for the mean 0 of AR(1) runs, phi 0.8.
    fn coverage(estimate: impl Fn(&[f64]) -> Option<Estimate>) -> f64 {
        let mut lcg = Lcg::new(42);
        let repetitions = 1000;
        let covered = (0..repetitions).filter(|_| {
            let run = lcg.autoregressive(0.8, 2000);
            estimate(&run).unwrap().interval.unwrap().contains(0.0)
        });
        covered.count() as f64 / f64::from(repetitions)
    }

    #[test]
    fn long_batches_cover_where_plain_samples_do_not() {
        let batched = coverage(|run| batch_means(run, 10, 0.9));
        assert!((0.87..0.93).contains(&batched), "batched {batched}");
        let naive = coverage(|run| mean_estimate(run, 0.9));
        assert!(naive < 0.6, "naive {naive}");
    }

    #[test]
    fn batching_removes_the_correlation() {
        let run = Lcg::new(43).autoregressive(0.8, 20_000);
        let means: Vec<f64> = run.chunks_exact(200).map(mean).collect();
        assert!(lag_one_autocorrelation(&run).unwrap() > 0.75);
        assert!(lag_one_autocorrelation(&means).unwrap().abs() < 0.3);
    }
}
