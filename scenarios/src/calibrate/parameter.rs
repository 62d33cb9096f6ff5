//! A value of the scenario that is searched for, and the range in which it may be.

use crate::document::{Present, Setting};
use crate::problem::{Checked, Problem, clip};
use crate::scenario::Scenario;
use meshsim_core::SimDuration;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores, PerSecond};

/// A searched value, as in `links.edge1-cloud.rtt=100ms..200ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its path.
    pub path: String,
    /// Its unit as it is written; empty for a plain number.
    pub unit: String,
    /// The least value (in that unit).
    pub low: f64,
    /// The greatest value (in that unit).
    pub high: f64,
    /// Decimals that are written: a ten-thousandth of the range or finer.
    decimals: usize,
    /// Whether it is written as a text although it has no unit.
    is_text: bool,
}

impl Parameter {
    /// Splits `PATH=LOW..HIGH`.
    ///
    /// # Errors
    /// If it has another form, an end is no number or of another kind than the other, or the lower
    /// end is not below the upper.
    pub fn parse(text: &str) -> Checked<Self> {
        let form = |what: &str| {
            Problem::new(format!("--fit {}: {what}", clip(text)))
                .help("write PATH=LOW..HIGH, as in links.edge1-cloud.rtt=100ms..200ms")
        };
        let Setting { path, value } =
            Setting::parse(text).map_err(|_| form("it names no value and no range"))?;
        let plain = value.replace('"', "");
        let (low, high) = plain.split_once("..").ok_or_else(|| form("it has no range"))?;
        let ends = [low, high].map(|end| number_and_unit(end.trim()));
        let [Some((low, low_unit)), Some((high, high_unit))] = ends else {
            return Err(form("an end of its range is no number").into());
        };
        let factor = factor(low_unit, high_unit).ok_or_else(|| {
            form(&format!("`{low}{low_unit}` and `{high}{high_unit}` are not of one kind"))
                .help("write both ends in the same unit, as in 100ms..200ms")
        })?;
        let low = low * factor;
        if low >= high {
            let problem = form(&format!("{low}{high_unit} is not below {high}{high_unit}"));
            return Err(problem.help("the lower end comes first").into());
        }
        let decimals = decimals_of(high - low);
        let is_text = value.contains('"');
        Ok(Self { path, unit: high_unit.to_owned(), low, high, decimals, is_text })
    }

    /// Refuses a value that is there and is no number or of another kind, and tells the value that the
    /// scenario has under a strategy (in the range's unit), if it has one.
    ///
    /// # Errors
    /// As it says.
    pub fn bind(&mut self, scenario: &Scenario, strategy: Option<usize>) -> Checked<Option<f64>> {
        let document = scenario.document();
        let no_number = |span| {
            let message = format!("`{}` is no number and cannot be fitted", self.path);
            let help = "fit a number, or a quantity with its unit";
            Err(document.problem(message, span).help(help).into())
        };
        let (text, span) = match document.value_at(strategy, &self.path)? {
            Present::Absent => return Ok(None),
            Present::Number(number) => (number, None),
            Present::Text(text, span) => (text, Some(span)),
            Present::Other(span) => return no_number(span),
        };
        let Some((number, unit)) = number_and_unit(text.trim()) else {
            return no_number(span.unwrap_or(0..0));
        };
        let Some(factor) = factor(unit, &self.unit) else {
            let message = format!("`{}` is {}, and its range is in `{}`", self.path, clip(&text), self.unit);
            let problem = document.problem(message, span.unwrap_or(0..0));
            return Err(problem.help(format!("write the range in `{unit}`")).into());
        };
        self.is_text |= span.is_some();
        Ok(Some(number * factor))
    }

    /// The value at a position of the range, from 0 to 1, as it is written.
    #[must_use]
    pub fn setting(&self, position: f64) -> Setting {
        let text = self.text(position);
        // With a unit it reads as nothing but a text.
        let value = if self.is_text && self.unit.is_empty() { format!("\"{text}\"") } else { text };
        Setting { path: self.path.clone(), value }
    }

    /// The value at a position of the range with its unit.
    #[must_use]
    pub fn text(&self, position: f64) -> String {
        format!("{}{}", self.number(self.low + position * (self.high - self.low)), self.unit)
    }

    /// The position of a value in the range.
    #[must_use]
    pub fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The position that is left of one when its value has been written.
    #[must_use]
    pub fn rounded(&self, position: f64) -> f64 {
        let number = self.number(self.low + position * (self.high - self.low));
        // It has just been written from a number.
        number.parse().map_or(position, |value| self.position(value).clamp(0.0, 1.0))
    }

    fn number(&self, value: f64) -> String {
        let text = format!("{value:.*}", self.decimals);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        if text == "-0" { "0".to_owned() } else { text.to_owned() }
    }
}

/// Decimals that show a ten-thousandth of a range.
fn decimals_of(range: f64) -> usize {
    let mut decimals = 0;
    let mut step = 1.0;
    while step > range * 1e-4 && decimals < 12 {
        step /= 10.0;
        decimals += 1;
    }
    decimals
}

/// Splits `1.5ms` into 1.5 and `ms`.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let ends = (1..=text.len()).rev().filter(|&end| starts && text.is_char_boundary(end));
    let (number, end) = ends.filter_map(|end| Some((text[..end].parse::<f64>().ok()?, end))).next()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

/// What a number in one unit is to be multiplied with to be one in another; none if they are not of
/// one kind.
fn factor(from: &str, to: &str) -> Option<f64> {
    if from == to {
        return Some(1.0);
    }
    let kinds: [fn(&str) -> Option<f64>; 5] = [
        |one| one.parse::<SimDuration>().ok().map(|it| it.as_nanos() as f64),
        |one| one.parse::<PerSecond>().ok().map(|it| it.0),
        |one| one.parse::<BitsPerSecond>().ok().map(|it| it.0),
        |one| one.parse::<Bytes>().ok().map(|it| it.0),
        |one| one.parse::<Cores>().ok().map(|it| it.0),
    ];
    let one = |unit: &str| format!("1{unit}");
    kinds.iter().find_map(|size| Some(size(&one(from))? / size(&one(to))?))
}
