//! Laws: of CPU times, waits and sizes.

use super::check::Check;
use crate::schema::law::{Family, Law as Written, LawTable};
use crate::schema::quantity::Quantity;
use crate::schema::spanned::Spanned;
use meshsim_core::SimDuration;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;
use meshsim_models::units::Bytes;
use std::ops::Range;

/// Coefficients of variation that a gamma or log-normal law may have. Below, it is deterministic to
/// all purposes; above, means are those of a few requests.
const CV: [f64; 2] = [0.01, 10.0];

/// Most quantiles of an empirical law.
const QUANTILES_MAX: usize = 10_001;

/// What laws are of.
pub(super) trait Measure: Copy {
    /// A value in the unit of the models' law; zero, and a problem, if it is out of range.
    fn number(check: &mut Check<'_>, written: &Spanned<Quantity<Self>>, key: &str) -> f64;
    /// A mean as people write it.
    const EXAMPLE: &'static str;
    /// Nothing as people write it.
    const ZERO: &'static str;
    /// Three quantiles as people write them.
    const QUANTILES: &'static str;
}

impl Measure for SimDuration {
    /// In ms.
    fn number(check: &mut Check<'_>, written: &Spanned<Quantity<Self>>, key: &str) -> f64 {
        check.cost(Some(written), key, Self::ZERO).as_millis_f64()
    }

    const EXAMPLE: &'static str = "3ms";
    const ZERO: &'static str = "0ms";
    const QUANTILES: &'static str = r#""1ms", "2ms", "5ms""#;
}

impl Measure for Bytes {
    /// In bytes.
    fn number(check: &mut Check<'_>, written: &Spanned<Quantity<Self>>, key: &str) -> f64 {
        size(check, written, key)
    }

    const EXAMPLE: &'static str = "20kB";
    const ZERO: &'static str = "0B";
    const QUANTILES: &'static str = r#""1kB", "2kB", "5kB""#;
}

/// The size of a body (bytes): at most a GB.
pub(super) fn size(check: &mut Check<'_>, written: &Spanned<Quantity<Bytes>>, key: &str) -> f64 {
    const MOST: f64 = 1e9;
    let bytes = written.get_ref().0.0;
    if !(0.0..=MOST).contains(&bytes) {
        check.problem(
            format!("{key} of {bytes} bytes is out of range"),
            written.span(),
            "it is at most \"1GB\"",
        );
        return 0.0;
    }
    bytes
}

/// Nothing if something is wrong with it.
pub(super) fn resolve<T: Measure>(
    check: &mut Check<'_>,
    written: &Spanned<Written<T>>,
    key: &str,
) -> Option<ServiceTime> {
    let before = check.problems.len();
    let (span, table) = match written.get_ref() {
        Written::Always(value) => {
            let always = T::number(check, &Spanned::new(written.span(), *value), key);
            let law = ServiceTime::Deterministic(Deterministic::new(always));
            return (check.problems.len() == before).then_some(law);
        }
        Written::Table(table) => (written.span(), &**table),
    };
    refuse_keys_of_other_laws(check, table);
    let may_be_zero = *table.law.get_ref() == Family::Deterministic;
    let mean = |check: &mut Check<'_>| mean(check, table, span.clone(), may_be_zero);
    let law = match table.law.get_ref() {
        Family::Empirical => ServiceTime::Empirical(Empirical::new(quantiles(check, table, span)?)),
        Family::Deterministic => ServiceTime::Deterministic(Deterministic::new(mean(check)?)),
        Family::Exponential => ServiceTime::Exponential(Exponential::new(mean(check)?)),
        Family::Gamma => ServiceTime::Gamma(Gamma::new(mean(check)?, cv(check, table, span)?)),
        Family::LogNormal => ServiceTime::LogNormal(LogNormal::new(mean(check)?, cv(check, table, span)?)),
    };
    (check.problems.len() == before).then_some(law)
}

/// Whether a law has a mean, a coefficient of variation and quantiles.
const fn keys(law: Family) -> [bool; 3] {
    match law {
        Family::Deterministic | Family::Exponential => [true, false, false],
        Family::Gamma | Family::LogNormal => [true, true, false],
        Family::Empirical => [false, false, true],
    }
}

fn refuse_keys_of_other_laws<T>(check: &mut Check<'_>, it: &LawTable<T>) {
    let written = [
        ("mean", it.mean.as_ref().map(Spanned::span)),
        ("cv", it.cv.as_ref().map(Spanned::span)),
        ("quantiles", it.quantiles.as_ref().map(Spanned::span)),
    ];
    let has = keys(*it.law.get_ref());
    let strange = written.into_iter().zip(has).map(|((key, span), has)| (key, span.filter(|_| !has)));
    let help = "mean: every law but the empirical; cv: gamma and log-normal; quantiles: empirical";
    check.refuse(strange, help, |key| format!("this law has no {key}"));
}

/// The mean, in the unit of the models' law.
fn mean<T: Measure>(
    check: &mut Check<'_>,
    table: &LawTable<T>,
    span: Range<usize>,
    may_be_zero: bool,
) -> Option<f64> {
    let Some(value) = &table.mean else {
        check.problem("the law has no mean", span, format!("write mean = \"{}\"", T::EXAMPLE));
        return None;
    };
    let mean = T::number(check, value, "mean");
    if mean == 0.0 && !may_be_zero {
        let message = format!("mean {} is out of range", T::ZERO);
        check.problem(message, value.span(), format!("it is more than {}", T::ZERO));
        return None;
    }
    Some(mean)
}

fn cv<T>(check: &mut Check<'_>, table: &LawTable<T>, span: Range<usize>) -> Option<f64> {
    let Some(value) = &table.cv else {
        let help = "write cv = 0.5: the standard deviation over the mean";
        check.problem("the law has no coefficient of variation", span, help);
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

/// The quantiles, in the unit of the models' law.
fn quantiles<T: Measure>(
    check: &mut Check<'_>,
    table: &LawTable<T>,
    span: Range<usize>,
) -> Option<Box<[f64]>> {
    let Some(values) = &table.quantiles else {
        let help = format!("write quantiles = [{}]: those of 0, 1/2 and 1", T::QUANTILES);
        check.problem("the law has no quantiles", span, help);
        return None;
    };
    let quantiles: Vec<f64> =
        values.get_ref().iter().map(|value| T::number(check, value, "a quantile")).collect();
    if quantiles.len() < 2 || quantiles.len() > QUANTILES_MAX {
        let help = format!("there are 2 to {QUANTILES_MAX}");
        check.problem(format!("the law has {} quantiles", quantiles.len()), values.span(), help);
        return None;
    }
    if let Some(index) = quantiles.windows(2).position(|pair| pair[0] > pair[1]) {
        let help = "they are those of equal steps from 0 to 1";
        check.problem("the quantiles do not ascend", values.get_ref()[index + 1].span(), help);
        return None;
    }
    Some(quantiles.into())
}
