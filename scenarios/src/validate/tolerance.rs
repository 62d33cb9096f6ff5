//! What error is allowed, and whether it is kept.
//!
//! # Models
//! A figure *fails* if its error is above its tolerance. If not, and half the width of the
//! measurement's own interval is above the tolerance, the measurement is *too short to tell*: that
//! the simulation fits then says nothing. Otherwise it *holds*.

use super::figures::{FigureKey, Row};
use crate::problem::{Checked, Problem, clip, nearest};
use serde::Serialize;
use std::collections::BTreeMap;

/// The allowed error by figure: a share of the measured value, or absolute as
/// [`FigureKey::is_absolute`] says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerances(pub BTreeMap<FigureKey, f64>);

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The error is within the tolerance.
    Holds,
    /// It is above it.
    Fails,
    /// The measurement is too short to tell.
    TooShort,
}

/// A figure held against its tolerance.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Check {
    /// Which.
    pub figure: FigureKey,
    /// The allowed error.
    pub tolerance: f64,
    /// The error.
    pub error: f64,
    /// What that comes to.
    pub verdict: Verdict,
}

impl Check {
    /// Holds a figure against its tolerance.
    #[must_use]
    pub fn new(row: &Row, half_width: f64, tolerance: f64) -> Self {
        // An error that is no number is above every tolerance.
        let verdict = if row.error > tolerance || row.error.is_nan() {
            Verdict::Fails
        } else if half_width > tolerance {
            Verdict::TooShort
        } else {
            Verdict::Holds
        };
        Self { figure: row.figure, tolerance, error: row.error, verdict }
    }
}

/// Whether a list of checks is one that did not hold: one fails, or nothing could be told.
#[must_use]
pub fn did_not_hold<'a>(checks: impl IntoIterator<Item = &'a Check>) -> bool {
    let (mut any, mut held) = (false, false);
    for check in checks {
        match check.verdict {
            Verdict::Fails => return true,
            Verdict::Holds => held = true,
            Verdict::TooShort => {}
        }
        any = true;
    }
    any && !held
}

impl Tolerances {
    /// Reads `KEY=TOLERANCE`, as in `p99=10%` or `ks=0.05`.
    ///
    /// # Errors
    /// If there is no `=`, no figure of this name, or the tolerance is no number that is zero or more.
    pub fn parse_setting(text: &str) -> Checked<(FigureKey, f64)> {
        let Some((name, value)) = text.split_once('=') else {
            let problem = Problem::new(format!("`{}` gives no tolerance", clip(text)));
            return Err(problem.help("write KEY=TOLERANCE, as in p99=10% or ks=0.05").into());
        };
        let key = key(name.trim())?;
        Ok((key, parse(key, value.trim())?))
    }
}

/// The figure of this name.
pub(super) fn key(name: &str) -> Result<FigureKey, Problem> {
    FigureKey::of_name(name).ok_or_else(|| {
        let names = FigureKey::ALL.map(FigureKey::name);
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", names.join(", ")),
        };
        Problem::new(format!("no figure is called `{}`", clip(name))).help(help)
    })
}

/// Reads a tolerance: a percentage, or a plain number for a distance.
pub(super) fn parse(key: FigureKey, text: &str) -> Result<f64, Problem> {
    let (number, factor) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text, 1.0),
    };
    let percent = factor < 1.0;
    let distance = matches!(key, FigureKey::Ks | FigureKey::Wasserstein);
    let right = match key {
        FigureKey::Ks => "a distance from 0 to 1, as in ks=0.05",
        FigureKey::Wasserstein => "milliseconds, as in wasserstein=10",
        FigureKey::Failed | FigureKey::Served => "percentage points, as in failed=1%",
        _ => "a percentage of the measured value, as in mean=3%",
    };
    let value = number.parse::<f64>().ok().filter(|value| (0.0..=1e6).contains(value));
    let most = if key == FigureKey::Ks { 1.0 } else { 1e6 };
    match value {
        Some(value) if percent != distance && value <= most => Ok(value * factor),
        _ => {
            let message = format!("`{}` is no tolerance of {}", clip(text), key.name());
            Err(Problem::new(message).help(format!("it is {right}")))
        }
    }
}
