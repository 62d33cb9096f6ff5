//! What a law looks like, whatever its mean is, and the law that counts in buckets speak for.
//!
//! # Models
//! The mean is known, for metrics have sums beside counts; of each family the coefficient of variation is searched under which
//! the counts in the buckets are likeliest, and the family is chosen by Akaike's criterion. Where all that was counted is in one bucket,
//! nothing speaks against its being always the same.
//!
//! # Assumptions
//! Buckets of Istio are wide: two and a half times to five times their lower bound. Effect: what is spread within one looks as if it were always
//! the same, and a coefficient of variation is known to some 10 %.
//!
//! # Source
//! Akaike, A new look at the statistical model identification, IEEE TAC 19, 1974; for grouped observations the likelihood is multinomial.

use meshsim_core::elementary::{exp, ln};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;

/// Coefficients of variation that are searched.
const CV: [f64; 2] = [0.05, 5.0];

/// A smaller one is none, by buckets as wide as these.
const LEAST_CV: f64 = 0.1;

/// Steps of the search, of 6 % each.
const STEPS: u32 = 80;

/// A share that a law takes for impossible is no more unlikely than this.
const LEAST_SHARE: f64 = 1e-9;

/// Share of the counts in one bucket with which nothing is known of a spread.
const ALL: f64 = 0.999;

/// A coefficient of variation so near to one is that of the exponential law.
const NEAR_ONE: f64 = 0.1;

/// A law of mean one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Shape {
    Deterministic,
    #[default]
    Exponential,
    Gamma(f64),
    LogNormal(f64),
    /// Its quantiles at equal steps.
    Empirical(Vec<f64>),
}

impl Shape {
    /// Of a law.
    pub(super) fn of(law: &ServiceTime) -> Self {
        match law {
            ServiceTime::Deterministic(_) => Self::Deterministic,
            ServiceTime::Exponential(_) => Self::Exponential,
            ServiceTime::Gamma(it) => Self::Gamma(it.cv()),
            ServiceTime::LogNormal(it) => Self::LogNormal(it.cv()),
            ServiceTime::Empirical(it) => {
                let mean = law.mean_ms();
                Self::Empirical(it.quantiles_ms().iter().map(|quantile| quantile / mean).collect())
            }
        }
    }

    /// The law of this mean.
    pub(super) fn with_mean(&self, mean: f64) -> ServiceTime {
        match self {
            Self::Deterministic => ServiceTime::Deterministic(Deterministic::new(mean)),
            Self::Exponential => ServiceTime::Exponential(Exponential::new(mean)),
            Self::Gamma(cv) => ServiceTime::Gamma(Gamma::new(mean, *cv)),
            Self::LogNormal(cv) => ServiceTime::LogNormal(LogNormal::new(mean, *cv)),
            Self::Empirical(of_one) => {
                ServiceTime::Empirical(Empirical::new(of_one.iter().map(|it| it * mean).collect()))
            }
        }
    }

    /// Standard deviation over mean; of an empirical law that of its cells' middles.
    pub(super) fn cv(&self) -> f64 {
        match self {
            Self::Deterministic => 0.0,
            Self::Exponential => 1.0,
            Self::Gamma(cv) | Self::LogNormal(cv) => *cv,
            Self::Empirical(of_one) => {
                let middles = of_one.windows(2).map(|it| 0.5 * (it[0] + it[1]) - 1.0);
                (middles.map(|it| it * it).sum::<f64>() / (of_one.len() - 1).max(1) as f64).sqrt()
            }
        }
    }

    /// The law of this family that has another coefficient of variation; the exponential one where that is near one.
    pub(super) fn with_cv(&self, cv: f64) -> Self {
        if cv < LEAST_CV {
            return Self::Deterministic;
        }
        if (cv - 1.0).abs() <= NEAR_ONE {
            return Self::Exponential;
        }
        match self {
            Self::LogNormal(_) => Self::LogNormal(cv.min(CV[1])),
            _ => Self::Gamma(cv.min(CV[1])),
        }
    }

    /// Its name in scenarios.
    pub(super) fn name(&self) -> &'static str {
        self.with_mean(1.0).name()
    }

    /// As a scenario writes it, with a unit that is one of its mean.
    pub(super) fn written(&self, mean: f64, unit: &str, number: impl Fn(f64) -> String) -> String {
        let name = self.name();
        let with_unit = |value: f64| format!("\"{}{unit}\"", number(value));
        match self {
            Self::Deterministic => with_unit(mean),
            Self::Exponential => format!("{{ law = \"{name}\", mean = {} }}", with_unit(mean)),
            Self::Gamma(cv) | Self::LogNormal(cv) => {
                format!("{{ law = \"{name}\", mean = {}, cv = {} }}", with_unit(mean), number(*cv))
            }
            Self::Empirical(of_one) => {
                // Its quantiles may be near each other.
                let all: Vec<String> =
                    of_one.iter().map(|it| format!("\"{:.6}{unit}\"", it * mean)).collect();
                format!("{{ law = \"{name}\", quantiles = [{}] }}", all.join(", "))
            }
        }
    }
}

/// How often values were counted up to which bound: bounds ascend, and the last one is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Of counts up to bounds, as Prometheus has them. What was rounded down to whole numbers before it was counted is up to one larger.
    pub(super) fn new(mut cumulative: Vec<(f64, f64)>, is_rounded_down: bool) -> Self {
        cumulative.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0.0;
        let each = cumulative.into_iter().map(|(bound, count)| {
            let own = f64::max(count - below, 0.0);
            below = f64::max(count, below);
            (if is_rounded_down { bound.floor() + 1.0 } else { bound }, own)
        });
        Self(each.collect())
    }

    /// The shape of the law of this mean for which the counts speak, if there are any; and whether all of them are in one bucket.
    pub(super) fn shape(&self, mean: f64) -> Option<(Shape, bool)> {
        let all: f64 = self.0.iter().map(|(_, count)| count).sum();
        if all < 1.0 || mean <= 0.0 {
            return None;
        }
        if self.0.iter().any(|(_, count)| *count >= ALL * all) {
            return Some((Shape::Deterministic, true));
        }
        Some((self.likeliest(|_| mean)?, false))
    }

    /// The shape of the law of this median for which values speak of which those above the last bound are not known.
    pub(super) fn shape_by_median(&self, median: f64) -> Option<Shape> {
        if median <= 0.0 {
            None
        } else {
            self.likeliest(|shape| median / shape.with_mean(1.0).quantile_ms(0.5))
        }
    }

    /// The shape for which the counts speak, under the mean that goes with each.
    fn likeliest(&self, mean: impl Fn(&Shape) -> f64) -> Option<Shape> {
        let cv = |step: u32| CV[0] * exp(ln(CV[1] / CV[0]) * f64::from(step) / f64::from(STEPS));
        let fitted = (0..=STEPS).map(cv).flat_map(|cv| [Shape::Gamma(cv), Shape::LogNormal(cv)]);
        let likelihood = |shape: &Shape| self.ln_likelihood(&shape.with_mean(mean(shape)));
        let best = fitted.map(|shape| (likelihood(&shape), shape)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        // One number more is fitted than for the exponential law.
        let is_exponential = likelihood(&Shape::Exponential) >= best.0 - 1.0;
        Some(if is_exponential { Shape::Exponential } else { best.1.with_cv(best.1.cv()) })
    }

    fn ln_likelihood(&self, law: &ServiceTime) -> f64 {
        let (mut below, mut sum) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            let share = if bound.is_finite() { law.share_below(*bound) } else { 1.0 };
            if *count > 0.0 {
                sum += count * ln((share - below).max(LEAST_SHARE));
            }
            below = share;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;

    /// What would be counted of a law, whole ms or as it is.
    fn counted(law: &ServiceTime, is_rounded_down: bool) -> Buckets {
        let up_to = |bound: f64| {
            law.share_below(if is_rounded_down { bound.floor() + 1.0 } else { bound }) * 10_000.0
        };
        let all = BOUNDS_MS.iter().map(|bound| (*bound, up_to(*bound)));
        Buckets::new(all.chain([(f64::INFINITY, 10_000.0)]).collect(), is_rounded_down)
    }

    #[test]
    fn counts_speak_for_the_law_that_they_are_of() {
        for mean in [8.0, 30.0, 120.0, 4_000.0] {
            for shape in [Shape::Exponential, Shape::Gamma(0.5), Shape::LogNormal(0.6), Shape::LogNormal(1.5)]
            {
                for is_rounded_down in [true, false] {
                    let (found, _) = counted(&shape.with_mean(mean), is_rounded_down).shape(mean).unwrap();
                    assert!((found.cv() - shape.cv()).abs() <= 0.1 * shape.cv(), "{shape:?}: {found:?}");
                    assert_eq!(found.name(), shape.name(), "{mean}: {shape:?} {found:?}");
                }
            }
        }
    }

    #[test]
    fn the_lower_part_of_a_sample_tells_its_law() {
        for shape in [Shape::Exponential, Shape::Gamma(0.5), Shape::LogNormal(0.6), Shape::LogNormal(1.5)] {
            let law = shape.with_mean(4.0);
            let up_to = (1..=12)
                .map(|it| 0.05 * f64::from(it))
                .map(|share| (law.quantile_ms(share), share * 10_000.0));
            let buckets = Buckets::new(up_to.chain([(f64::INFINITY, 10_000.0)]).collect(), false);
            let found = buckets.shape_by_median(law.quantile_ms(0.5)).unwrap();
            assert!((found.cv() - shape.cv()).abs() <= 0.1 * shape.cv(), "{shape:?}: {found:?}");
            assert_eq!(found.name(), shape.name(), "{found:?}");
        }
    }

    #[test]
    fn what_is_in_one_bucket_is_always_the_same() {
        let always = Shape::Deterministic.with_mean(7.0);
        assert_eq!(counted(&always, true).shape(7.0), Some((Shape::Deterministic, true)));
        assert_eq!(Buckets::default().shape(7.0), None);
        assert_eq!(Shape::Gamma(0.7).with_cv(0.95), Shape::Exponential);
        assert_eq!(Shape::LogNormal(0.7).with_cv(0.5), Shape::LogNormal(0.5));
    }
}
