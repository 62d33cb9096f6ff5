//! Writes where two strategies are equal.
//!
//! # Models
//! `break_even.json` has the value and its interval, `break_even.csv` a row per value that was looked at.

use super::folder::Folder;
use crate::analysis::verdict::ms;
use crate::experiment::axes::BaseValue;
use crate::experiment::break_even::{BreakEven, Found};
use crate::problem::Checked;
use serde::Serialize;

/// What is reported of a search.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The parameter.
    pub path: String,
    /// The strategies whose means are compared, the first less the second.
    pub strategies: [String; 2],
    /// The value at which they are equal; none if one is faster at both ends of the range.
    pub value: Option<String>,
    /// The ends of its 95 % interval; nothing where it reaches beyond the range.
    pub ci95: [Option<String>; 2],
    /// The same in base units.
    pub number: Option<f64>,
    /// In base units.
    pub ci95_numbers: [Option<f64>; 2],
    /// The base unit.
    pub unit: &'static str,
    /// The difference at the ends of the range (ms).
    pub at_ends_ms: [f64; 2],
    /// Its 95 % intervals there.
    pub at_ends_ci95: [[f64; 2]; 2],
}

impl Report {
    /// Of what was found.
    #[must_use]
    pub fn new(asked: &BreakEven, found: &Found) -> Self {
        let axis = &asked.axis;
        let text = |share: f64| axis.at(share);
        let number = |share: f64| BaseValue::of(&axis.path, &axis.at(share)).map(|it| it.number);
        let differences = &found.differences;
        // Both ends of the range were looked at.
        let ends = [differences.first(), differences.last()];
        Self {
            path: axis.path.clone(),
            strategies: asked.strategies.clone(),
            value: found.root.map(text),
            ci95: found.interval.map(|it| it.map(text)),
            number: found.root.and_then(number),
            ci95_numbers: found.interval.map(|it| it.and_then(number)),
            unit: axis.base_unit().unwrap_or_default(),
            at_ends_ms: ends.map(|it| it.map_or(f64::NAN, |it| it.difference_ms)),
            at_ends_ci95: ends.map(|it| it.map_or([f64::NAN; 2], |it| it.ci95)),
        }
    }

    /// What it says.
    #[must_use]
    pub fn sentence(&self) -> String {
        let [one, other] = &self.strategies;
        let path = &self.path;
        let [first, last] = self.at_ends_ms;
        let by = |end: usize| {
            let [low, high] = self.at_ends_ci95[end].map(|it| if first < 0.0 { -it } else { it });
            let (low, high) = (low.min(high), low.max(high));
            let surely = if low <= 0.0 && 0.0 <= high { ", which may be chance" } else { "" };
            format!(
                "{} ms (95 % interval {} to {} ms{surely})",
                ms(self.at_ends_ms[end].abs()),
                ms(low),
                ms(high)
            )
        };
        let Some(value) = &self.value else {
            let faster = if first < 0.0 { one } else { other };
            return format!(
                "`{faster}` is faster at both ends of {path}: by {} at the first and {} at the last value.",
                by(0),
                by(1)
            );
        };
        let [low, high] = &self.ci95;
        let end =
            |it: &Option<String>, beyond: &str| it.as_ref().map_or_else(|| beyond.to_owned(), |it| short(it));
        let (value, low, high) = (short(value), end(low, "below the range"), end(high, "beyond the range"));
        let (before, after) = if first < last { (one, other) } else { (other, one) };
        format!(
            "`{one}` and `{other}` are equally fast at {path} = {value} (95 % interval {low} to {high}); towards the first \
             value `{before}` is faster, towards the last `{after}`."
        )
    }
}

/// A value as it is written, with three digits: more than its interval allows.
fn short(written: &str) -> String {
    let digits = written.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(written.len());
    let (number, unit) = written.split_at(digits);
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 => {
            let (mut size, mut decimals) = (number, 0);
            while size < 100.0 && decimals < 9 {
                (size, decimals) = (size * 10.0, decimals + 1);
            }
            format!("{number:.decimals$}{unit}")
        }
        _ => written.to_owned(),
    }
}

#[derive(Serialize)]
struct Manifest<'a> {
    scenario_sha256: &'a str,
    seed: u64,
    /// What it comes to, in sentences.
    conclusion: [String; 1],
}

/// Writes what was found, and the manifest with the hash of the scenario before its axis changes it.
///
/// # Errors
/// If a file cannot be written.
pub fn write_break_even(
    folder: &mut Folder,
    (asked, found): (&BreakEven, &Found),
    report: &Report,
    scenario_sha256: &str,
) -> Checked<()> {
    folder.begin()?;
    folder.write_json("break_even.json", report)?;
    folder.write_csv("break_even.csv", |csv| {
        let unit = report.unit;
        let number = if unit.is_empty() { "number".to_owned() } else { format!("number [{unit}]") };
        csv.write_record([asked.axis.path.as_str(), &number, "difference_ms", "low", "high"])?;
        for it in &found.differences {
            let number =
                BaseValue::of(&asked.axis.path, &it.value).map_or(f64::NAN, |it| it.number).to_string();
            let [low, high] = it.ci95.map(|it| it.to_string());
            csv.write_record([&it.value, &number, &it.difference_ms.to_string(), &low, &high])?;
        }
        Ok(())
    })?;
    let seed = asked.plan().strategies[0].description.seed;
    folder.finish(&Manifest { scenario_sha256, seed, conclusion: [report.sentence()] })?;
    folder.discard_cells()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_sentence_has_three_digits() {
        let texts = ["9.64459ms", "45.7764ms", "1234.56kB", "0.054321", "20/s", "-3", "many"].map(short);
        assert_eq!(texts, ["9.64ms", "45.8ms", "1235kB", "0.0543", "20.0/s", "-3", "many"]);
    }
}
