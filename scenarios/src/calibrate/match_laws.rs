//! The laws under which a simulation takes the self times that were measured.
//!
//! # Models
//! A self time is CPU time, waiting for the CPU and the time of the server's own sidecar. The scenario has models of the latter two,
//! so a law is moved until the self times of a simulated run, taken from its spans in the same way, have the mean and the spread
//! of the measured ones: by Newton's step, whose slope is that of the last two runs (one run: self time over CPU time, as under
//! processor sharing). Every family of laws is tried. Its likelihood is that of the measured self times in equally likely cells (as many as
//! an empirical law has) under the shares of the simulated ones. These have luck of their own, so that ln L falls below its best by 1 + n / m times
//! as much as under known shares, with n measured and m simulated: Akaike's criterion is AIC = 2 k - 2 ln L / (1 + n / m) with k fitted numbers. Of
//! those within [`ALIKE`] of the least the one with the fewest numbers is taken.
//!
//! # Assumptions
//! - The scenario waits as what was traced: same load, limits, cores, costs of proxies. Effect: else what differs goes into the laws; where
//!   no law makes up for it, a note says so.
//! - Spread is the variance, for a log-normal law that of the logarithms. Effect: few, of higher moments. A constant law is told by the lower
//!   quartile in place of the mean: who waits least shows it best.
//!
//! # Source
//! Gouriéroux, Monfort and Renault, Indirect inference, Journal of Applied Econometrics 8, 1993. Akaike, A new look at the
//! statistical model identification, IEEE TAC 19, 1974. Burnham and Anderson, Model selection and multimodel inference, 2nd ed., 2002,
//! section 2.6 (models more than 10 above the least AIC have no support).

use super::fit_law::{CV, LEAST_MS, cells_for, gamma, log_normal};
use meshsim_core::elementary::{exp, ln, sqrt};
use meshsim_core::stats::quantile_of_sorted;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;

/// Simulations that move the laws of a family.
pub(super) const STEPS: usize = 5;

/// Laws that are so near by Akaike's criterion are not told apart.
const ALIKE: f64 = 10.0;

/// Self times grow with laws at least so fast: as the least CPU scale that is thought of.
const FLATTEST: f64 = 0.25;

/// Two means of a law that are nearer to each other (as a share of one) tell no slope.
const MOVED: f64 = 0.01;

/// A family of laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Deterministic,
    Exponential,
    Gamma,
    LogNormal,
    Empirical,
}

impl Family {
    /// All of them, the simplest first.
    pub(super) const ALL: [Self; 5] =
        [Self::Deterministic, Self::Exponential, Self::Gamma, Self::LogNormal, Self::Empirical];

    /// The law from which the search for one that explains self times (ms, ascending, not empty) starts, of this mean (ms).
    fn first(self, measured: &[f64], mean_ms: f64) -> ServiceTime {
        let of = mean(measured).max(LEAST_MS);
        let scaled: Vec<f64> = measured.iter().map(|ms| (ms * mean_ms / of).max(LEAST_MS)).collect();
        match self {
            Self::Deterministic => ServiceTime::Deterministic(Deterministic::new(mean_ms)),
            Self::Exponential => ServiceTime::Exponential(Exponential::new(mean_ms)),
            Self::Gamma => gamma(&scaled, mean(&scaled)),
            Self::LogNormal => log_normal(&scaled),
            Self::Empirical => of_quantiles(quantiles(&scaled, cells_for(scaled.len()))),
        }
    }

    /// Fitted numbers.
    fn numbers(self, measured: usize) -> usize {
        match self {
            Self::Deterministic | Self::Exponential => 1,
            Self::Gamma | Self::LogNormal => 2,
            Self::Empirical => cells_for(measured) + 1,
        }
    }
}

/// The law of a service on its way.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    pub(super) family: Family,
    pub(super) law: ServiceTime,
    /// By how much self times grow with the mean of the law.
    slope: f64,
    /// By how much they spread more than the law: under processor sharing by as much as they are longer.
    stretch: f64,
    /// The mean of the law in the last run (ms), and what self times there tell it.
    last: Option<(f64, f64)>,
}

impl Moving {
    /// The first law of a family for self times (ms, ascending), of this mean.
    pub(super) fn new(family: Family, measured: &[f64], mean_ms: f64) -> Self {
        Self { family, law: family.first(measured, mean_ms), slope: 1.0, stretch: 1.0, last: None }
    }

    /// Goes on from a run under its law that took `simulated` (ms, both ascending).
    pub(super) fn step(&mut self, measured: &[f64], simulated: &[f64]) {
        if simulated.is_empty() {
            return;
        }
        let (of_law, of_self) = (self.law.mean_ms(), self.location(simulated));
        // Under processor sharing; where there is only a proxy's time beside, less.
        let likely = (of_self / of_law).max(FLATTEST);
        self.stretch = likely;
        self.slope = match self.last {
            None => likely,
            Some(last) if (of_law - last.0).abs() > MOVED * of_law => {
                ((of_self - last.1) / (of_law - last.0)).clamp(FLATTEST, FLATTEST.max(likely * likely))
            }
            // Too near to tell.
            Some(_) => self.slope,
        };
        self.last = Some((of_law, of_self));
        self.law = self.moved(measured, simulated);
    }

    /// By what the mean of the law is told (ms), of times that ascend.
    fn location(&self, times: &[f64]) -> f64 {
        match self.family {
            Family::Deterministic => quantile_of_sorted(times, 0.25).unwrap_or(LEAST_MS),
            _ => mean(times),
        }
    }

    /// The law that would take `measured` where this one takes `simulated` (ms, both ascending, neither empty).
    pub(super) fn moved(&self, measured: &[f64], simulated: &[f64]) -> ServiceTime {
        let at_least = |ms: f64, before: f64| ms.max(0.25 * before).max(LEAST_MS);
        let before = self.law.mean_ms();
        let apart = self.location(measured) - self.location(simulated);
        let mean_ms = at_least(before + apart / self.slope, before);
        let cv = |squared: f64| sqrt(squared.max(0.0)).clamp(CV.0, CV.1);
        match &self.law {
            ServiceTime::Deterministic(_) => ServiceTime::Deterministic(Deterministic::new(mean_ms)),
            ServiceTime::Exponential(_) => ServiceTime::Exponential(Exponential::new(mean_ms)),
            ServiceTime::Gamma(law) => {
                let more = (variance(measured) - variance(simulated)) / (self.stretch * self.stretch);
                let of_law = law.cv() * law.cv() * before * before;
                ServiceTime::Gamma(Gamma::new(mean_ms, cv((of_law + more) / (mean_ms * mean_ms))))
            }
            ServiceTime::LogNormal(law) => {
                let [wanted, there] = [measured, simulated].map(logarithms).map(|of| variance(&of));
                let squared = ln(1.0 + law.cv() * law.cv()) * wanted / there.max(1e-9);
                let squared = squared.min(ln(1.0 + CV.1 * CV.1));
                ServiceTime::LogNormal(LogNormal::new(mean_ms, cv(exp(squared) - 1.0)))
            }
            ServiceTime::Empirical(law) => {
                let cells = law.quantiles_ms().len() - 1;
                let [wanted, there] = [measured, simulated].map(|of| quantiles(of, cells));
                let ends = law.quantiles_ms().iter().zip(wanted.iter().zip(&there));
                of_quantiles(ends.map(|(at, (wanted, there))| at + (wanted - there) / self.slope).collect())
            }
        }
    }
}

/// A family as an explanation of self times.
#[derive(Clone, Debug)]
pub(super) struct Explanation {
    pub(super) moving: Moving,
    /// Logarithm of the likelihood.
    pub(super) ln_likelihood: f64,
    /// Akaike's criterion: the lower the better.
    pub(super) aic: f64,
}

impl Explanation {
    /// Of self times that were measured by those of a run under its law (ms, both ascending).
    pub(super) fn new(moving: Moving, measured: &[f64], simulated: &[f64]) -> Self {
        let ln_likelihood = ln_likelihood(measured, simulated);
        let numbers = moving.family.numbers(measured.len());
        let luck = 1.0 + measured.len() as f64 / simulated.len().max(1) as f64;
        Self { moving, ln_likelihood, aic: 2.0 * numbers as f64 - 2.0 * ln_likelihood / luck }
    }
}

/// Explanations in the order of families, the one that is taken first, the others by Akaike's criterion.
pub(super) fn ranked(mut all: Vec<Explanation>) -> Vec<Explanation> {
    let least = all.iter().map(|it| it.aic).fold(f64::INFINITY, f64::min);
    let simplest = all.iter().position(|it| it.aic <= least + ALIKE).map(|index| all.remove(index));
    all.sort_by(|a, b| a.aic.total_cmp(&b.aic));
    simplest.into_iter().chain(all).collect()
}

/// Of those measured in cells under the shares of those simulated (ms, both ascending). A cell has an end on either side of a
/// quantile, a clock's step away, so that times that are all alike have one of their own.
fn ln_likelihood(measured: &[f64], simulated: &[f64]) -> f64 {
    let ends = quantiles(measured, cells_for(measured.len()));
    let mut ends: Vec<f64> = ends.iter().flat_map(|at| [at - 2.0 * LEAST_MS, at + 2.0 * LEAST_MS]).collect();
    ends.sort_unstable_by(f64::total_cmp);
    let counts = |sample: &[f64]| {
        let mut below: Vec<usize> =
            ends.iter().map(|end| sample.partition_point(|value| value < end)).collect();
        below.push(sample.len());
        let mut before = 0;
        below.into_iter().map(|it| it - std::mem::replace(&mut before, it)).collect::<Vec<_>>()
    };
    let (of_measured, of_simulated) = (counts(measured), counts(simulated));
    // Half an observation in each: what was not seen is not impossible.
    let all = simulated.len() as f64 + 0.5 * of_simulated.len() as f64;
    let cell = |(&seen, &there): (&usize, &usize)| seen as f64 * ln((there as f64 + 0.5) / all);
    of_measured.iter().zip(&of_simulated).map(cell).sum()
}

/// The mean; not of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / values.len() as f64
}

fn logarithms(values: &[f64]) -> Vec<f64> {
    values.iter().map(|ms| ln(ms.max(LEAST_MS))).collect()
}

fn quantiles(sorted: &[f64], cells: usize) -> Vec<f64> {
    let at = |cell: usize| quantile_of_sorted(sorted, cell as f64 / cells as f64).unwrap_or(LEAST_MS);
    (0..=cells).map(at).collect()
}

/// Ends of cells that are at least as wide as a clock's step.
fn of_quantiles(mut ends: Vec<f64>) -> ServiceTime {
    ends.sort_unstable_by(f64::total_cmp);
    ends[0] = ends[0].max(LEAST_MS);
    for cell in 1..ends.len() {
        ends[cell] = ends[cell].max(ends[cell - 1] + 2.0 * LEAST_MS);
    }
    ServiceTime::Empirical(Empirical::new(ends.into()))
}
