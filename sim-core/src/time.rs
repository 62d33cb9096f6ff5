//! Simulated time: whole nanoseconds, so that equal is equal.
//!
//! # Models
//! [`SimTime`] is a point on the clock of a run, which starts at zero; [`SimDuration`] is a length
//! of time. Both are unsigned 64-bit nanoseconds (584 years). Going below zero or beyond the end is
//! a bug in a model and panics, it never wraps.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

/// A point in simulated time (ns since the start of the run).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SimTime(u64);

/// A length of simulated time (ns).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SimDuration(u64);

const NANOS_PER_SECOND: f64 = 1e9;

impl SimTime {
    /// The start of every run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `nanos` nanoseconds after the start.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start.
    #[must_use]
    #[inline]
    pub fn as_secs_f64(self) -> f64 {
        as_float(self.0) / NANOS_PER_SECOND
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `duration`, or the last representable time.
    #[must_use]
    #[inline]
    pub const fn saturating_add(self, duration: SimDuration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest length of time.
    pub const MAX: Self = Self(u64::MAX);

    /// A length of `nanos` nanoseconds.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A length of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// A length of `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A length of `secs` seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// The nearest whole number of nanoseconds; negative and NaN become zero, too large becomes
    /// the longest.
    #[must_use]
    #[inline]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self::from_nanos_f64(secs * NANOS_PER_SECOND)
    }

    /// The nearest whole number of nanoseconds, clamped as in [`SimDuration::from_secs_f64`].
    #[must_use]
    #[inline]
    pub fn from_nanos_f64(nanos: f64) -> Self {
        let rounded = nanos + 0.5;
        // Signed, because that takes fewer instructions: right between zero and the largest.
        let whole = rounded as i64 as u64;
        if whole < i64::MAX as u64 { Self(whole) } else { Self::from_extreme(rounded) }
    }

    #[cold]
    #[inline(never)]
    fn from_extreme(nanos: f64) -> Self {
        Self(nanos as u64)
    }

    /// Nanoseconds.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Nanoseconds, or the nearest float to them.
    #[must_use]
    #[inline]
    pub fn as_nanos_f64(self) -> f64 {
        as_float(self.0)
    }

    /// Seconds.
    #[must_use]
    #[inline]
    pub fn as_secs_f64(self) -> f64 {
        as_float(self.0) / NANOS_PER_SECOND
    }

    /// Milliseconds.
    #[must_use]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This length and `other`, or the longest.
    #[must_use]
    #[inline]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The length that is left after `other`; zero if `other` is longer.
    #[must_use]
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// The nearest float: signed where that is the same, because it takes fewer instructions.
#[inline]
fn as_float(nanos: u64) -> f64 {
    if nanos <= i64::MAX as u64 { nanos as i64 as f64 } else { extreme_as_float(nanos) }
}

#[cold]
#[inline(never)]
fn extreme_as_float(nanos: u64) -> f64 {
    nanos as f64
}

const OVERFLOW: &str = "simulated time overflows 64 bits";

impl Add<SimDuration> for SimTime {
    type Output = Self;
    #[inline]
    fn add(self, rhs: SimDuration) -> Self {
        Self(self.0.checked_add(rhs.0).expect(OVERFLOW))
    }
}

impl AddAssign<SimDuration> for SimTime {
    #[inline]
    fn add_assign(&mut self, rhs: SimDuration) {
        *self = *self + rhs;
    }
}

impl Sub for SimTime {
    type Output = SimDuration;
    #[inline]
    fn sub(self, rhs: Self) -> SimDuration {
        SimDuration(self.0.checked_sub(rhs.0).expect("simulated time goes back"))
    }
}

impl Add for SimDuration {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self(self.0.checked_add(rhs.0).expect(OVERFLOW))
    }
}

impl AddAssign for SimDuration {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        *self = *self + rhs;
    }
}

impl Mul<u64> for SimDuration {
    type Output = Self;
    #[inline]
    fn mul(self, rhs: u64) -> Self {
        Self(self.0.checked_mul(rhs).expect(OVERFLOW))
    }
}

impl Div<u64> for SimDuration {
    type Output = Self;
    #[inline]
    fn div(self, rhs: u64) -> Self {
        Self(self.0 / rhs)
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// The units of a written duration, longest first so that printing finds the largest exact one.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl fmt::Display for SimDuration {
    /// As people write it: `250us`, `1.5s`, `10min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |limit: u64| UNITS.iter().find(move |(_, nanos)| *nanos <= limit);
        // Whole seconds in the largest unit that divides them, the rest in the largest that fits.
        let whole = |&&(_, nanos): &&(&str, u64)| self.0.is_multiple_of(nanos) && nanos >= 1_000_000_000;
        match UNITS.iter().find(whole).filter(|_| self.0 > 0) {
            Some((unit, nanos)) => write!(f, "{}{unit}", self.0 / nanos),
            None => match of(self.0.min(1_000_000_000)) {
                Some((unit, nanos)) => write!(f, "{}{unit}", self.0 as f64 / *nanos as f64),
                None => f.write_str("0s"),
            },
        }
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SimDuration(self.0))
    }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDurationError(String);

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseDurationError {}

impl FromStr for SimDuration {
    type Err = ParseDurationError;

    /// A non-negative decimal number, with or without an exponent, and one unit of `ns us ms s min h d`, as in `250us` or `1.5s`.
    ///
    /// # Errors
    /// No number, no unit, an unknown unit, a negative number, or more than 584 years.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // The number may have an exponent, as in `1e3s`: the unit is what ends the text.
        let end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == 'µ').len();
        let (number, unit) = (text[..end].trim(), text[end..].trim());
        let error = |why: &str| ParseDurationError(format!("`{text}` is not a duration: {why}"));
        if unit.is_empty() {
            return Err(error("write a unit, as in `250us`, `160ms`, `1.5s` or `10min`"));
        }
        let unit = if unit == "µs" { "us" } else { unit };
        let &(_, nanos) = UNITS
            .iter()
            .find(|(name, _)| *name == unit || (unit == "m" && *name == "min"))
            .ok_or_else(|| error("its unit is one of ns, us, ms, s, min, h, d"))?;
        let number: f64 = number.parse().map_err(|_| error("it starts with a decimal number"))?;
        if number.is_nan() || number < 0.0 {
            return Err(error("it is zero or more"));
        }
        // Infinite where the exponent is beyond that of a double.
        let nanos = number * nanos as f64;
        if nanos >= u64::MAX as f64 {
            return Err(error("it is at most 584 years"));
        }
        Ok(Self::from_nanos_f64(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_people_write() {
        for text in ["250us", "1.5s", "10min", "160ms", "2h", "0s", "1ns", "90s", "1.28ms", "3d"] {
            assert_eq!(text.parse::<SimDuration>().unwrap().to_string(), text);
        }
        assert_eq!("0.5min".parse::<SimDuration>().unwrap().to_string(), "30s");
        assert_eq!("20m".parse::<SimDuration>(), "20min".parse::<SimDuration>());
    }

    #[test]
    fn refuses_what_is_not_a_duration() {
        for text in ["", "5", "ms", "-1s", "1 fortnight", "1e40s", "nans", "infs"] {
            assert!(text.parse::<SimDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn exponents_are_part_of_the_number() {
        assert_eq!("1e3s".parse::<SimDuration>().unwrap().to_string(), "1000s");
        assert_eq!("25e-1ms".parse::<SimDuration>().unwrap().to_string(), "2.5ms");
        for text in ["1e9h", "1e400s"] {
            let said = text.parse::<SimDuration>().unwrap_err().to_string();
            assert!(said.ends_with("it is at most 584 years"), "{said}");
        }
    }

    #[test]
    #[should_panic(expected = "overflows")]
    fn overflow_is_an_error_and_does_not_wrap() {
        let _ = SimTime::MAX + SimDuration::from_nanos(1);
    }

    #[test]
    fn rounds_to_the_nearest_nanosecond() {
        assert_eq!(SimDuration::from_secs_f64(1.4e-9).as_nanos(), 1);
        assert_eq!(SimDuration::from_secs_f64(-1.0), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(f64::NAN), SimDuration::ZERO);
    }
}
