//! A law for each service from its self times, with a part of the measurement held out.

use super::fit_law::{candidates, kolmogorov_smirnov, refit};
use super::report::{Candidate, ServiceFit};
use super::resample::{Observation, resample_sorted};
use super::split::split_at;
use crate::document::Setting;
use meshsim_core::random::Address;
use meshsim_models::application::service_time::ServiceTime;

/// The law of a service, and what it was fitted to.
#[derive(Clone, Debug)]
pub(super) struct ServiceLaw {
    /// The service.
    pub(super) service: String,
    /// Its law.
    pub(super) law: ServiceTime,
    /// The self times that it was fitted to.
    pub(super) fitted: Vec<Observation>,
    /// What is reported of it.
    pub(super) report: ServiceFit,
}

/// The best law for a service; nothing without observations in the fitted part. From each the time for
/// which the service sleeps by its work model (ms) is taken away.
pub(super) fn fit_service(
    service: &str,
    observations: &[Observation],
    sleep_ms: f64,
    holdout: f64,
) -> Option<ServiceLaw> {
    let awake: Vec<Observation> =
        observations.iter().map(|&(at, ms)| (at, (ms - sleep_ms).max(0.0))).collect();
    let (fitted, held_out) = awake.split_at(split_at(&awake, |(at, _)| *at, holdout));
    let sample = sorted(fitted);
    let all = candidates(&sample);
    let best = all.first()?;
    let law = best.law.clone();
    let held_out = sorted(held_out);
    let report = ServiceFit {
        service: service.to_owned(),
        observations: sample.len(),
        held_out: held_out.len(),
        law: law.name(),
        parameters: literal(&law),
        mean_ms: law.mean_ms(),
        candidates: all
            .iter()
            .map(|it| Candidate { law: it.law.name(), ln_likelihood: it.ln_likelihood, aic: it.aic })
            .collect(),
        kolmogorov_smirnov_fitted: kolmogorov_smirnov(&law, &sample),
        kolmogorov_smirnov_held_out: (!held_out.is_empty()).then(|| kolmogorov_smirnov(&law, &held_out)),
    };
    Some(ServiceLaw { service: service.to_owned(), law, fitted: fitted.to_vec(), report })
}

impl ServiceLaw {
    /// The setting that gives the service its law.
    pub(super) fn setting(&self) -> Setting {
        self.setting_of(&self.law)
    }

    /// The same with a law of the family fitted to a drawn series.
    pub(super) fn drawn(&self, address: Address) -> Setting {
        let law = refit(&self.law, &resample_sorted(&self.fitted, address));
        self.setting_of(law.as_ref().unwrap_or(&self.law))
    }

    fn setting_of(&self, law: &ServiceTime) -> Setting {
        Setting { path: format!("services.\"{}\".service_time", self.service), value: literal(law) }
    }
}

fn sorted(observations: &[Observation]) -> Vec<f64> {
    let mut values: Vec<f64> = observations.iter().map(|(_, ms)| *ms).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// A law as a scenario writes it.
fn literal(law: &ServiceTime) -> String {
    let name = law.name();
    let ms = |ms: f64| format!("\"{}ms\"", digits(ms));
    match law {
        ServiceTime::Deterministic(_) | ServiceTime::Exponential(_) => {
            format!("{{ law = \"{name}\", mean = {} }}", ms(law.mean_ms()))
        }
        ServiceTime::Gamma(it) => {
            format!("{{ law = \"{name}\", mean = {}, cv = {} }}", ms(it.mean_ms()), digits(it.cv()))
        }
        ServiceTime::LogNormal(it) => {
            format!("{{ law = \"{name}\", mean = {}, cv = {} }}", ms(it.mean_ms()), digits(it.cv()))
        }
        ServiceTime::Empirical(it) => {
            let quantiles: Vec<String> = it.quantiles_ms().iter().map(|&quantile| ms(quantile)).collect();
            format!("{{ law = \"{name}\", quantiles = [{}] }}", quantiles.join(", "))
        }
    }
}

/// A number to five or six digits, for times to the nanosecond.
fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        3
    } else if value >= 1.0 {
        4
    } else {
        6
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
