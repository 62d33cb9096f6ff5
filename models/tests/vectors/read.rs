//! Reads the values of a case: what is missing or null is "not set"; what is malformed panics.

use meshsim_core::{SimDuration, SimTime};
use serde_json::Value;

/// The list at a key; empty if it is not set.
pub(crate) fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    match set(object, key) {
        Some(value) => value.as_array().unwrap_or_else(|| panic!("`{key}` is a list")),
        None => &[],
    }
}

/// The value at a key, if it is set.
pub(crate) fn set<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The value at a key that must be set.
pub(crate) fn required<'a>(object: &'a Value, key: &str) -> &'a Value {
    set(object, key).unwrap_or_else(|| panic!("`{key}` is missing"))
}

/// A whole number, which may be written with a point.
pub(crate) fn whole(value: &Value) -> u64 {
    let rounded = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    value
        .as_u64()
        .or(rounded.map(|number| number as u64))
        .unwrap_or_else(|| panic!("{value} is a whole number"))
}

/// A whole number, which may be negative.
pub(crate) fn signed(value: &Value) -> i64 {
    let rounded = value.as_f64().filter(|number| number.fract() == 0.0);
    value
        .as_i64()
        .or(rounded.map(|number| number as i64))
        .unwrap_or_else(|| panic!("{value} is a whole number"))
}

/// A whole number at a key, if it is set.
pub(crate) fn whole_at(object: &Value, key: &str) -> Option<u64> {
    set(object, key).map(whole)
}

/// A whole number at a key, if it is set.
pub(crate) fn small_at(object: &Value, key: &str) -> Option<u32> {
    whole_at(object, key).map(small)
}

/// A number of 32 bits.
pub(crate) fn small(number: u64) -> u32 {
    u32::try_from(number).expect("a number of 32 bits")
}

/// A number at a key, if it is set.
pub(crate) fn real_at(object: &Value, key: &str) -> Option<f64> {
    set(object, key).map(real)
}

/// A number.
pub(crate) fn real(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// True or false at a key, if it is set.
pub(crate) fn flag_at(object: &Value, key: &str) -> Option<bool> {
    set(object, key).map(|value| value.as_bool().unwrap_or_else(|| panic!("`{key}` is true or false")))
}

/// A text at a key, if it is set.
pub(crate) fn text_at<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    set(object, key).map(text)
}

/// A text.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

/// Milliseconds at a key, if they are set.
pub(crate) fn millis_at(object: &Value, key: &str) -> Option<SimDuration> {
    real_at(object, key).map(|millis| SimDuration::from_nanos_f64(millis * 1e6))
}

/// A moment at a key (ms).
pub(crate) fn moment_at(object: &Value, key: &str) -> SimTime {
    SimTime::ZERO + millis_at(object, key).expect("a moment")
}

/// Seconds at a key, if they are set.
pub(crate) fn secs_at(object: &Value, key: &str) -> Option<SimDuration> {
    real_at(object, key).map(SimDuration::from_secs_f64)
}
