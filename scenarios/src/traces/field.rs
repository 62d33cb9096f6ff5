//! Single values of a file: numbers in range, yes or no, times; and how a bad one is shown.

use super::time;
use crate::problem::Problem;
use std::path::Path;

/// Until the year 2255; in us it is then exact as f64, too.
pub(super) const MOST_US: f64 = 9e15;

/// Half a year.
pub(super) const MOST_LATENCY_MS: f64 = 1.5e10;

/// A number with its unit and range.
pub(super) struct Quantity {
    /// The name of the column, attribute or key.
    pub(super) name: &'static str,
    /// To the unit in which it is kept.
    pub(super) factor: f64,
    /// The largest that makes sense, in the file's unit.
    pub(super) most: f64,
    /// What it counts.
    pub(super) right: &'static str,
}

/// A start in microseconds, kept as it is.
pub(super) const fn start_us(name: &'static str) -> Quantity {
    Quantity { name, factor: 1.0, most: MOST_US, right: "microseconds since 1970" }
}

/// A start in milliseconds, kept in microseconds.
pub(super) const fn start_ms(name: &'static str) -> Quantity {
    Quantity { name, factor: 1e3, most: MOST_US / 1e3, right: "milliseconds since 1970" }
}

/// A start in seconds, kept in microseconds.
pub(super) const fn start_s(name: &'static str) -> Quantity {
    Quantity { name, factor: 1e6, most: MOST_US / 1e6, right: "seconds since 1970" }
}

/// A duration in microseconds, kept in milliseconds.
pub(super) const fn duration_us(name: &'static str) -> Quantity {
    Quantity { name, factor: 1e-3, most: MOST_LATENCY_MS * 1e3, right: "microseconds" }
}

/// A duration in milliseconds, kept as it is.
pub(super) const fn duration_ms(name: &'static str) -> Quantity {
    Quantity { name, factor: 1.0, most: MOST_LATENCY_MS, right: "milliseconds" }
}

/// A duration in seconds, kept in milliseconds.
pub(super) const fn duration_s(name: &'static str) -> Quantity {
    Quantity { name, factor: 1e3, most: MOST_LATENCY_MS / 1e3, right: "seconds" }
}

/// A number of bytes.
pub(super) const fn bytes(name: &'static str) -> Quantity {
    Quantity { name, factor: 1.0, most: 9e15, right: "bytes" }
}

/// A number of things.
pub(super) const fn count(name: &'static str, right: &'static str) -> Quantity {
    Quantity { name, factor: 1.0, most: 9e15, right }
}

/// What is wrong with one value.
#[derive(Debug)]
pub(super) struct Fault {
    /// What it is called, as in "column `elapsed`".
    kind: &'static str,
    name: &'static str,
    value: String,
    what: &'static str,
    right: String,
}

impl Fault {
    pub(super) fn new(name: &'static str, value: &str, what: &'static str, right: impl Into<String>) -> Self {
        Self { kind: "column", name, value: quoted(value), what, right: right.into() }
    }

    /// Says what the value is: a column (which it is otherwise), an attribute, a key.
    pub(super) fn of(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// As a problem of a file as a whole.
    pub(super) fn in_file(&self, path: &Path) -> Problem {
        let (file, kind, name, value) = (path.display(), self.kind, self.name, &self.value);
        Problem::new(format!("{file}: {kind} `{name}`: {value} {}", self.what)).help(&*self.right)
    }

    /// As a problem of a line.
    pub(super) fn at(&self, path: &Path, line: u64) -> Problem {
        let (file, kind, name, value) = (path.display(), self.kind, self.name, &self.value);
        Problem::new(format!("{file}: line {line}, {kind} `{name}`: {value} {}", self.what))
            .help(&*self.right)
    }
}

/// A number in the unit in which it is kept.
pub(super) fn number(field: &str, quantity: &Quantity) -> Result<f64, Fault> {
    let Quantity { name, factor, most, right } = *quantity;
    let what = match field.parse::<f64>() {
        Ok(value) if (0.0..=most).contains(&value) => return Ok(value * factor),
        Ok(value) if !value.is_finite() => "is not a finite number",
        Ok(value) if value < 0.0 => "is negative",
        Ok(_) => "is too large",
        Err(_) if field.is_empty() => "is not there",
        Err(_) => "is not a number",
    };
    Err(Fault::new(name, field, what, format!("it is 0 to {most} {right}")))
}

/// A moment as text, in RFC 3339 (us since 1970).
pub(super) fn moment(field: &str, name: &'static str) -> Result<u64, Fault> {
    let right = "it is a time as 2026-11-24T09:08:07.006Z";
    time::rfc3339_us(field).ok_or_else(|| Fault::new(name, field, "is not a time", right))
}

/// True or false, in any case.
pub(super) fn truth(field: &str, name: &'static str) -> Result<bool, Fault> {
    if field.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if field.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Fault::new(name, field, "says neither yes nor no", "it is true or false"))
    }
}

/// Whether an HTTP status means success: not 0 (no response), not 4xx, not 5xx.
pub(super) fn is_success(status: f64) -> bool {
    (100.0..400.0).contains(&status)
}

/// What a parser says, which may repeat a text of the file: short and safe to show.
pub(super) fn said(message: &str) -> String {
    const MOST_SHOWN: usize = 160;
    // serde_json appends the location.
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    message.chars().take(MOST_SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Text of a file, short and safe to show.
pub(super) fn quoted(text: &str) -> String {
    const MOST_SHOWN: usize = 40;
    let shown: String = text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(MOST_SHOWN).is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}
