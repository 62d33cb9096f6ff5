//! Numbers that have bounds.

use super::check::{Check, MILLISECOND};
use crate::schema;
use crate::schema::spanned::Spanned;
use meshsim_core::SimDuration;
use std::fmt::Display;

/// A Deployment has no more pods.
pub(super) const REPLICAS_MAX: u32 = 10_000;

/// A whole number from 1 to `most`.
pub(super) fn at_least_one<T>(check: &mut Check<'_>, value: &Spanned<T>, key: &str, most: T) -> T
where
    T: Copy + PartialOrd + Display + From<u8>,
{
    let number = *value.get_ref();
    if number < T::from(1) || number > most {
        check.problem(format!("{key} {number} is out of range"), value.span(), format!("it is 1 to {most}"));
        return T::from(1);
    }
    number
}

/// How long somebody waits before it gives up: at least a millisecond; for ever if nothing is written.
pub(super) fn patience(
    check: &mut Check<'_>,
    value: Option<&schema::Duration>,
    key: &str,
) -> Option<SimDuration> {
    value.map(|value| check.duration(Some(value), key, SimDuration::ZERO, MILLISECOND))
}

/// A coefficient of variation.
pub(super) fn spread(check: &mut Check<'_>, value: Option<&Spanned<f64>>, default: f64) -> f64 {
    bounded(check, value, "a spread", default, 0.0, 10.0)
}

/// A number from `least` to `most`.
pub(super) fn bounded(
    check: &mut Check<'_>,
    value: Option<&Spanned<f64>>,
    what: &str,
    default: f64,
    least: f64,
    most: f64,
) -> f64 {
    let Some(value) = value else { return default };
    let number = *value.get_ref();
    if !(least..=most).contains(&number) {
        let help = format!("it is {least} to {most}");
        check.problem(format!("{number} is not {what}"), value.span(), help);
        return default;
    }
    number
}

/// A whole number from `least` to `most`.
pub(super) fn bounded_u32(
    check: &mut Check<'_>,
    value: Option<&Spanned<u32>>,
    key: &str,
    least: u32,
    most: u32,
) -> Option<u32> {
    let value = value?;
    let number = *value.get_ref();
    if !(least..=most).contains(&number) {
        let help = format!("it is {least} to {most}");
        check.problem(format!("{key} {number} is out of range"), value.span(), help);
    }
    Some(number.clamp(least, most))
}
