//! Strategies over a grid of parameter values.

use super::Watch;
use super::compare::{Choice, ComparisonPlan};
use super::replication::Rows;
use crate::analysis::summary::Summary;
use crate::document::Setting;
use crate::problem::{Checked, Problem};
use crate::scenario::Scenario;
use meshsim_core::SimDuration;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores, PerSecond};
use rayon::prelude::*;

/// The values of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The path of the value.
    pub path: String,
    /// What it takes.
    pub values: Vec<String>,
}

/// A point of the grid with what came of it.
#[derive(Clone, Debug)]
pub struct Point {
    /// The value of each axis.
    pub values: Vec<String>,
    /// The comparison there.
    pub summary: Summary,
}

impl Axis {
    /// Splits `path=a,b,c`. A list in brackets is one value.
    ///
    /// # Errors
    /// If it is not a setting.
    pub fn parse(text: &str) -> Checked<Self> {
        let Setting { path, value } = Setting::parse(text)?;
        let values = split_values(&value);
        if values.iter().any(String::is_empty) {
            return Err(Problem::new(format!("`{text}` has an empty value"))
                .help("write PATH=VALUE,VALUE,... without a comma at an end")
                .into());
        }
        Ok(Self { path, values })
    }
}

/// A value of an axis as a number in its base unit, where it is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseValue {
    /// The number.
    pub number: f64,
    /// Its unit; empty for a plain number.
    pub unit: &'static str,
}

impl BaseValue {
    /// Reads a value of the setting at `path` as a scenario would: a plain number, a time, a rate, a size or an amount
    /// of CPU. `m` is a minute, and in settings of CPU a thousandth of a core.
    #[must_use]
    pub fn of(path: &str, text: &str) -> Option<Self> {
        let text = text.trim().trim_matches('"');
        let value = |number, unit| Some(Self { number, unit });
        if let Ok(number) = text.parse::<f64>() {
            return if number.is_finite() { value(number, "") } else { None };
        }
        if ["cpu", "cores"].iter().any(|it| path.contains(it))
            && let Ok(Cores(number)) = text.parse()
        {
            return value(number, "cores");
        }
        if let Ok(time) = text.parse::<SimDuration>() {
            return value(time.as_secs_f64(), "s");
        }
        if let Ok(BitsPerSecond(number)) = text.parse() {
            return value(number, "bit/s");
        }
        if let Ok(PerSecond(number)) = text.parse() {
            return value(number, "1/s");
        }
        text.parse().ok().and_then(|Bytes(number)| value(number, "bytes"))
    }
}

impl Axis {
    /// The base unit of its values, if all of them are numbers of one kind.
    #[must_use]
    pub fn base_unit(&self) -> Option<&'static str> {
        let mut units = self.values.iter().map(|text| BaseValue::of(&self.path, text).map(|it| it.unit));
        let first = units.next()??;
        units.all(|unit| unit == Some(first)).then_some(first)
    }
}

/// Splits at commas that are outside brackets, braces and quotes.
fn split_values(text: &str) -> Vec<String> {
    let (mut values, mut depth, mut quoted) = (vec![String::new()], 0_i32, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 && !quoted {
            values.push(String::new());
        } else if let Some(last) = values.last_mut() {
            last.push(c);
        }
    }
    values.into_iter().map(|value| value.trim().to_owned()).collect()
}

/// Most points of a grid: each is resolved, and kept, before anything runs.
const POINTS_MAX: usize = 100_000;

/// Refuses a grid that is too large, and a parameter that is varied twice.
fn check_grid(axes: &[Axis]) -> Checked<()> {
    for (index, axis) in axes.iter().enumerate() {
        if axes[..index].iter().any(|earlier| earlier.path == axis.path) {
            let message = format!("the parameter `{}` is varied twice", axis.path);
            return Err(Problem::new(message)
                .help("give all its values at once, PATH=VALUE,VALUE,...")
                .into());
        }
    }
    let points = axes.iter().fold(1_usize, |points, axis| points.saturating_mul(axis.values.len()));
    if points > POINTS_MAX {
        let message = format!("the sweep has {points} points");
        return Err(Problem::new(message).help(format!("it has at most {POINTS_MAX}")).into());
    }
    Ok(())
}

/// A sweep that is ready to run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Its parameters.
    pub axes: Vec<Axis>,
    /// The points of the grid with their comparisons, the last axis running fastest.
    pub points: Vec<(Vec<String>, ComparisonPlan)>,
}

impl Sweep {
    /// Resolves every point, so that a mistake is found before anything runs.
    ///
    /// # Errors
    /// Everything that is wrong with any point.
    pub fn new(scenario: &Scenario, axes: Vec<Axis>, choice: &Choice) -> Checked<Self> {
        check_grid(&axes)?;
        let mut grid: Vec<Vec<String>> = vec![Vec::new()];
        for axis in &axes {
            let longer = |head: &Vec<String>| {
                let head = head.clone();
                axis.values.iter().map(move |value| [head.as_slice(), std::slice::from_ref(value)].concat())
            };
            grid = grid.iter().flat_map(longer).collect();
        }
        let point = |values: Vec<String>| {
            let settings: Vec<Setting> = axes
                .iter()
                .zip(&values)
                .map(|(axis, value)| Setting { path: axis.path.clone(), value: value.clone() })
                .collect();
            Ok((values, ComparisonPlan::new(&scenario.with(&settings)?, choice)?))
        };
        let points = grid.into_iter().map(point).collect::<Checked<_>>()?;
        Ok(Self { axes, points })
    }

    /// Simulated time of all points (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        self.points.iter().map(|(_, plan)| plan.simulated_seconds()).sum()
    }

    /// Runs all points, and tells `finished` of each one, in any order; those that did not finish are left out.
    /// Also says whether it was stopped.
    #[must_use]
    pub fn run(&self, watch: &Watch<'_>, finished: &(dyn Fn(&Point) + Sync)) -> (Vec<Point>, bool) {
        let points: Vec<Option<Point>> = self
            .points
            .par_iter()
            .map(|(values, plan)| {
                let outcome = plan.run(Rows::Dropped, watch);
                if outcome.interrupted {
                    return None;
                }
                let mut point = Point { values: values.clone(), summary: Summary::new(plan, &outcome) };
                finished(&point);
                // No sweep writes them, and there may be 100,000 points.
                point.summary.forget_histograms();
                Some(point)
            })
            .collect();
        let interrupted = points.iter().any(Option::is_none);
        (points.into_iter().flatten().collect(), interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_commas_outside_brackets() {
        let axis = Axis::parse("a.b=1ms, 2ms").unwrap();
        assert_eq!((axis.path.as_str(), axis.values), ("a.b", vec!["1ms".to_owned(), "2ms".to_owned()]));
        let axis = Axis::parse("c=[\"s0\",\"s1\"],[]").unwrap();
        assert_eq!(axis.values, ["[\"s0\",\"s1\"]", "[]"]);
        assert!(Axis::parse("a=1,,2").is_err());
        assert!(Axis::parse("a").is_err());
    }

    #[test]
    fn values_are_numbers_in_base_units_where_they_are_of_one_kind() {
        let of = |text| BaseValue::of("application.cpu_limit", text).map(|it| (it.number, it.unit));
        assert_eq!(of("20ms"), Some((0.02, "s")));
        assert_eq!(of("\"5min\""), Some((300.0, "s")));
        assert_eq!(of("30/s"), Some((30.0, "1/s")));
        assert_eq!(of("1Gbit/s"), Some((1e9, "bit/s")));
        assert_eq!(of("500m"), Some((0.5, "cores")));
        assert_eq!(of("512Mi"), Some((536_870_912.0, "bytes")));
        assert_eq!((of("3"), of("[]"), of("inf")), (Some((3.0, "")), None, None));
        assert_eq!(BaseValue::of("run.duration", "5m").map(|it| it.number), Some(300.0));
        let unit = |text| Axis::parse(text).unwrap().base_unit();
        assert_eq!(unit("a=1ms,2s"), Some("s"));
        assert_eq!((unit("a=1ms,2"), unit("a=[],[\"s0\"]")), (None, None));
    }

    #[test]
    fn a_grid_is_not_too_large_and_has_no_axis_twice() {
        let axis = |path: &str, values: usize| Axis { path: path.into(), values: vec!["1".into(); values] };
        assert!(check_grid(&[axis("a", 100_000), axis("b", 1)]).is_ok());
        assert!(check_grid(&[axis("a", 100_000), axis("b", 2)]).is_err());
        assert!(check_grid(&[axis("a", 1), axis("a", 1)]).is_err());
    }
}
