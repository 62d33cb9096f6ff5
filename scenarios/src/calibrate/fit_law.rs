//! The law of service times that explains a sample best.
//!
//! # Models
//! Maximum likelihood for each candidate, then the lowest value of Akaike's criterion
//! AIC = 2 k - 2 ln L, with k fitted numbers. Exponential: the mean (k = 1). Gamma: the shape solves
//! ln shape - digamma(shape) = ln mean - mean of logarithms, by Minka's iteration (k = 2).
//! Log-normal: mean and variance of the logarithms (k = 2). Empirical: a histogram of c equally likely
//! cells, whose likelihood is that of its density; its c + 1 borders are the fitted numbers
//! (k = c + 1), which charges it for following the sample. c is 2 n^(2/5), at most 200. Deterministic
//! is a candidate only without spread, and then the only one: its likelihood has no bound.
//!
//! # Assumptions
//! Observations are independent and above zero. Zeros (a self time below the clock's step) count as
//! half a microsecond. Effect: none on the mean; with many of them no smooth law fits.
//!
//! # Source
//! Akaike, A new look at the statistical model identification, IEEE TAC 19, 1974. Minka, Estimating a
//! gamma distribution, 2002, (9). Number of cells: Mann and Wald, Annals of Mathematical Statistics 13,
//! 1942, up to the constant.

use meshsim_core::elementary::{digamma, exp, ln, pow, sqrt, trigamma};
use meshsim_core::stats::quantile_of_sorted;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;

/// A law that was fitted.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The law.
    pub law: ServiceTime,
    /// Logarithm of its likelihood; infinite for the deterministic law.
    pub ln_likelihood: f64,
    /// Akaike's criterion: the lower the better; minus infinity for the deterministic law.
    pub aic: f64,
}

/// The least time that counts (ms): half the step of a clock of microseconds.
pub(super) const LEAST_MS: f64 = 0.0005;

/// Spread over mean below which there is none.
const NO_SPREAD: f64 = 1e-6;

/// Fewer observations give no law but the constant or the exponential.
const SAMPLE_MIN: usize = 8;

/// Coefficients of variation that a law may have in a scenario.
pub(super) const CV: (f64, f64) = (0.01, 10.0);

/// All candidates for a sample (ms, ascending), the best first. None of an empty sample.
#[must_use]
pub fn candidates(sorted_ms: &[f64]) -> Vec<Fitted> {
    let sample: Vec<f64> = sorted_ms.iter().map(|&ms| ms.max(LEAST_MS)).collect();
    let (Some(first), Some(last)) = (sample.first(), sample.last()) else { return Vec::new() };
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    if last - first <= NO_SPREAD * mean {
        let law = ServiceTime::Deterministic(Deterministic::new(mean));
        return vec![Fitted { law, ln_likelihood: f64::INFINITY, aic: f64::NEG_INFINITY }];
    }
    let mut fitted = vec![of_law(ServiceTime::Exponential(Exponential::new(mean)), 1, &sample)];
    if sample.len() >= SAMPLE_MIN {
        fitted.push(of_law(gamma(&sample, mean), 2, &sample));
        fitted.push(of_law(log_normal(&sample), 2, &sample));
        let cells = cells_for(sample.len());
        fitted.push(of_law(empirical(&sample, cells), cells + 1, &sample));
    }
    // Ties keep the order of the list: the simpler law first.
    fitted.sort_by(|a, b| a.aic.total_cmp(&b.aic));
    fitted
}

fn of_law(law: ServiceTime, parameters: usize, sample: &[f64]) -> Fitted {
    let ln_likelihood: f64 = sample.iter().map(|&ms| law.ln_density(ms)).sum();
    Fitted { aic: 2.0 * parameters as f64 - 2.0 * ln_likelihood, law, ln_likelihood }
}

pub(super) fn gamma(sample: &[f64], mean: f64) -> ServiceTime {
    let logarithms = sample.iter().map(|&ms| ln(ms)).sum::<f64>() / sample.len() as f64;
    // Above zero but for rounding: the arithmetic mean is above the geometric one.
    let gap = (ln(mean) - logarithms).max(1e-12);
    let mut shape = (3.0 - gap + sqrt((gap - 3.0) * (gap - 3.0) + 24.0 * gap)) / (12.0 * gap);
    for _ in 0..50 {
        let error = ln(shape) - digamma(shape) - gap;
        let slope = 1.0 / shape - trigamma(shape);
        let inverse = 1.0 / shape + error / (shape * shape * slope);
        let next = if inverse > 0.0 { 1.0 / inverse } else { 2.0 * shape };
        let done = (next - shape).abs() <= 1e-12 * shape;
        shape = next;
        if done {
            break;
        }
    }
    ServiceTime::Gamma(Gamma::new(mean, (1.0 / sqrt(shape)).clamp(CV.0, CV.1)))
}

pub(super) fn log_normal(sample: &[f64]) -> ServiceTime {
    let n = sample.len() as f64;
    let mu = sample.iter().map(|&ms| ln(ms)).sum::<f64>() / n;
    let variance = sample.iter().map(|&ms| (ln(ms) - mu) * (ln(ms) - mu)).sum::<f64>() / n;
    let cv = sqrt(exp(variance) - 1.0).clamp(CV.0, CV.1);
    ServiceTime::LogNormal(LogNormal::new(exp(mu + 0.5 * variance), cv))
}

/// Borders at the sample's quantiles. Cells are at least as wide as a clock's step, so that equal
/// times make no cell of infinite density.
fn empirical(sample: &[f64], cells: usize) -> ServiceTime {
    let quantile = |cell: usize| {
        let p = cell as f64 / cells as f64;
        quantile_of_sorted(sample, p).unwrap_or(LEAST_MS)
    };
    let mut borders: Vec<f64> = (0..=cells).map(quantile).collect();
    borders[0] = sample[0];
    borders[cells] = sample[sample.len() - 1];
    for cell in 1..=cells {
        borders[cell] = borders[cell].max(borders[cell - 1] + 2.0 * LEAST_MS);
    }
    ServiceTime::Empirical(Empirical::new(borders.into()))
}

pub(super) fn cells_for(count: usize) -> usize {
    let cells = 2.0 * pow(count as f64, 0.4);
    (cells as usize).clamp(4, 200).min(count / 2)
}
