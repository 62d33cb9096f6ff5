//! The law of a service's CPU time.

use super::check::Check;
use crate::schema::services::{Law, ServiceTime as Written};
use meshsim_core::SimDuration;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;
use toml::Spanned;

/// Coefficients of variation that a gamma or log-normal law may have. Below, it is deterministic to
/// all purposes; above, means are those of a few requests.
const CV: [f64; 2] = [0.01, 10.0];

/// Most quantiles of an empirical law.
const QUANTILES_MAX: usize = 10_001;

/// Nothing if something is wrong with it.
pub(super) fn resolve(check: &mut Check<'_>, written: &Spanned<Written>) -> Option<ServiceTime> {
    let before = check.problems.len();
    let it = written.get_ref();
    refuse_keys_of_other_laws(check, it);
    let law = match it.law.get_ref() {
        Law::Empirical => ServiceTime::Empirical(Empirical::new(quantiles(check, written)?)),
        Law::Deterministic => ServiceTime::Deterministic(Deterministic::new(mean(check, written, 0)?)),
        Law::Exponential => ServiceTime::Exponential(Exponential::new(mean(check, written, 1)?)),
        Law::Gamma => ServiceTime::Gamma(Gamma::new(mean(check, written, 1)?, cv(check, written)?)),
        Law::LogNormal => {
            ServiceTime::LogNormal(LogNormal::new(mean(check, written, 1)?, cv(check, written)?))
        }
    };
    (check.problems.len() == before).then_some(law)
}

/// Whether a law has a mean, a coefficient of variation and quantiles.
const fn keys(law: Law) -> [bool; 3] {
    match law {
        Law::Deterministic | Law::Exponential => [true, false, false],
        Law::Gamma | Law::LogNormal => [true, true, false],
        Law::Empirical => [false, false, true],
    }
}

fn refuse_keys_of_other_laws(check: &mut Check<'_>, it: &Written) {
    let written = [
        ("mean", it.mean.as_ref().map(Spanned::span)),
        ("cv", it.cv.as_ref().map(Spanned::span)),
        ("quantiles", it.quantiles.as_ref().map(Spanned::span)),
    ];
    for ((key, span), has) in written.into_iter().zip(keys(*it.law.get_ref())) {
        if let Some(span) = span.filter(|_| !has) {
            let help = "mean: every law but the empirical; cv: gamma and log-normal; quantiles: empirical";
            check.problem(format!("this law has no {key}"), span, help);
        }
    }
}

/// The mean (ms), of at least `least` ns.
fn mean(check: &mut Check<'_>, written: &Spanned<Written>, least: u64) -> Option<f64> {
    let Some(value) = &written.get_ref().mean else {
        check.problem("the law has no mean", written.span(), "write mean = \"3ms\"");
        return None;
    };
    let mean = check.cost(Some(value), "mean", SimDuration::ZERO);
    if mean.as_nanos() < least {
        check.problem(format!("mean {mean} is out of range"), value.span(), "it is more than 0ms");
        return None;
    }
    Some(mean.as_millis_f64())
}

fn cv(check: &mut Check<'_>, written: &Spanned<Written>) -> Option<f64> {
    let Some(value) = &written.get_ref().cv else {
        let help = "write cv = 0.5: the standard deviation over the mean";
        check.problem("the law has no coefficient of variation", written.span(), help);
        return None;
    };
    let [least, most] = CV;
    let cv = *value.get_ref();
    if !(least..=most).contains(&cv) {
        let help = format!("it is {least} to {most}; without spread the law is deterministic");
        check.problem(format!("cv {cv} is out of range"), value.span(), help);
        return None;
    }
    Some(cv)
}

/// The quantiles (ms).
fn quantiles(check: &mut Check<'_>, written: &Spanned<Written>) -> Option<Box<[f64]>> {
    let Some(values) = &written.get_ref().quantiles else {
        let help = "write quantiles = [\"1ms\", \"2ms\", \"5ms\"]: those of 0, 1/2 and 1";
        check.problem("the law has no quantiles", written.span(), help);
        return None;
    };
    let ms = |check: &mut Check<'_>, value| check.cost(Some(value), "a quantile", SimDuration::ZERO);
    let quantiles: Vec<SimDuration> = values.get_ref().iter().map(|value| ms(check, value)).collect();
    if quantiles.len() < 2 || quantiles.len() > QUANTILES_MAX {
        let help = format!("there are 2 to {QUANTILES_MAX}");
        check.problem(format!("the law has {} quantiles", quantiles.len()), values.span(), help);
        return None;
    }
    if let Some(place) = quantiles.windows(2).position(|pair| pair[0] > pair[1]) {
        let help = "they are those of equal steps from 0 to 1";
        check.problem("the quantiles do not ascend", values.get_ref()[place + 1].span(), help);
        return None;
    }
    Some(quantiles.iter().map(|it| it.as_millis_f64()).collect())
}
