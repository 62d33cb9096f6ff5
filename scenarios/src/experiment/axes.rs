//! The parameters of a sweep, and which of their values are taken together.
//!
//! # Models
//! An axis is a path and its values: a list, in which `5ms..300ms:10` stands for ten values at equal distances and
//! `5ms..300ms:10 log` for ten at equal ratios, ends included. Axes are combined in one of three ways: every value with
//! every other one (the last axis runs fastest), the first values together and then the second ones (*zip*; one value is for all), or a *Latin
//! hypercube*: of n points each has, on every axis `5ms..300ms`, a value of another n-th of its range, in an order of its
//! own, at random within it; so each axis is covered evenly by n points however many axes there are.
//!
//! # Assumptions
//! Values of ranges have six significant digits. Effect: none that a simulation shows.
//!
//! # Source
//! McKay, Beckman and Conover, A comparison of three methods for selecting values of input variables in the analysis of
//! output from a computer code, Technometrics 21, 1979.

use crate::document::Setting;
use crate::problem::{Checked, Problem, clip};
use meshsim_core::SimDuration;
use meshsim_core::elementary::{exp, ln};
use meshsim_core::random::{Address, uniform, uniform_index};
use meshsim_models::units::{BitsPerSecond, Bytes, Cores, PerSecond};
use std::fmt;
use std::str::FromStr;

/// The values of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The path of the value.
    pub path: String,
    /// As they are written, for one who reads it.
    written: String,
    /// What it takes.
    pub values: Vec<String>,
    /// Whether they are the ends of a range that has no number of values.
    is_range: Option<Scale>,
}

/// How the values of a range are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// By equal differences.
    Linear,
    /// By equal ratios.
    Log,
}

/// Which values of several axes are taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// Every one with every other one.
    #[default]
    Cross,
    /// The first ones, then the second ones.
    Zip,
    /// So many points in a Latin hypercube.
    LatinHypercube(usize),
}

/// A value of an axis as a number in its base unit, where it is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseValue {
    /// The number.
    pub number: f64,
    /// Its unit; empty for a plain number.
    pub unit: &'static str,
}

/// Most points of a sweep: each is resolved before anything runs.
const POINTS_MAX: usize = 100_000;

/// Of a Latin hypercube: nothing else of a sweep is random.
const HYPERCUBE_SEED: u64 = 1979;
const ORDER: u32 = 0;
const WITHIN: u32 = 1;

impl Axis {
    /// Reads `path=a,b,c`, in which ranges are written out. A list in brackets is one value.
    ///
    /// # Errors
    /// If it is not a setting, a value is empty, or a range is none.
    pub fn parse(text: &str) -> Checked<Self> {
        let Setting { path, value } = Setting::parse(text)?;
        Self::new(path, &value)
    }

    /// The axis of a path with these values, as they are written after `=`.
    ///
    /// # Errors
    /// As [`Axis::parse`].
    pub fn new(path: String, written: &str) -> Checked<Self> {
        Self::of(path, &split_values(written))
    }

    /// The axis of a path with these values, some of which may be ranges.
    ///
    /// # Errors
    /// As [`Axis::parse`].
    pub fn of(path: String, parts: &[String]) -> Checked<Self> {
        let written = parts.join(",");
        let (mut values, mut is_range) = (Vec::new(), None);
        if parts.iter().any(String::is_empty) {
            return Err(Problem::new(format!("`{path}={}` has an empty value", clip(&written)))
                .help("write PATH=VALUE,VALUE,... without a comma at an end")
                .into());
        }
        for part in parts {
            match ValueRange::of(&path, part)? {
                None => values.push(part.clone()),
                Some(range) => match range.count {
                    Some(count) => {
                        values.extend((0..count).map(|it| range.at(it as f64 / (count - 1) as f64)));
                    }
                    None if parts.len() == 1 => {
                        values = vec![range.at(0.0), range.at(1.0)];
                        is_range = Some(range.scale);
                    }
                    None => return Err(without_count(&path, part)),
                },
            }
        }
        Ok(Self { path, written, values, is_range })
    }

    /// The base unit of its values, if all of them are numbers of one kind.
    #[must_use]
    pub fn base_unit(&self) -> Option<&'static str> {
        let mut units = self.values.iter().map(|text| BaseValue::of(&self.path, text).map(|it| it.unit));
        let first = units.next()??;
        units.all(|unit| unit == Some(first)).then_some(first)
    }

    /// The value at a share of a range without a number of values, from 0 to 1; of a list the one that is there.
    #[must_use]
    pub fn at(&self, share: f64) -> String {
        let range = self.is_range.and_then(|scale| ValueRange::between(&self.path, &self.values, scale));
        match range {
            Some(range) => range.at(share),
            None => {
                self.values[((share * self.values.len() as f64) as usize).min(self.values.len() - 1)].clone()
            }
        }
    }

    /// Whether it has several values: one with one value is a setting.
    #[must_use]
    pub const fn is_varied(&self) -> bool {
        self.values.len() > 1
    }

    /// Whether it is a range without a number of values.
    #[must_use]
    pub const fn is_range(&self) -> bool {
        self.is_range.is_some()
    }
}

/// As it is typed.
impl fmt::Display for Axis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}={}", self.path, self.written)
    }
}

impl Combine {
    /// The points: per point a value of each axis.
    ///
    /// # Errors
    /// If a parameter is varied twice, there are too many points, or the axes cannot be combined so.
    pub fn points(self, axes: &[Axis]) -> Checked<Vec<Vec<String>>> {
        check_paths(axes)?;
        let range = axes.iter().find(|axis| axis.is_range());
        if let (Some(axis), Self::Cross | Self::Zip) = (range, self) {
            return Err(without_count(&axis.path, &axis.written));
        }
        let lengths = || axes.iter().map(|axis| axis.values.len());
        let count = match self {
            Self::Cross => lengths().fold(1, usize::saturating_mul),
            Self::Zip => lengths().filter(|it| *it > 1).min().unwrap_or(1),
            Self::LatinHypercube(points) => points,
        };
        if count == 0 {
            return Err(Problem::new("the sweep has no point").help("give it an axis with a value").into());
        }
        if count > POINTS_MAX {
            let message = format!("the sweep has {count} points");
            return Err(Problem::new(message).help(format!("it has at most {POINTS_MAX}")).into());
        }
        match self {
            Self::Cross => Ok(cross(axes)),
            Self::Zip => zip(axes),
            Self::LatinHypercube(points) => Ok(latin_hypercube(axes, points)),
        }
    }
}

/// The same as an option or a file names it, without the number of points.
impl FromStr for Combine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cross" => Ok(Self::Cross),
            "zip" => Ok(Self::Zip),
            "latin_hypercube" | "latin-hypercube" => Ok(Self::LatinHypercube(0)),
            _ => Err(format!("`{}` is none of \"cross\", \"zip\" and \"latin_hypercube\"", clip(text))),
        }
    }
}

impl Combine {
    /// With the number of points that is asked for, which a Latin hypercube needs and nothing else has.
    ///
    /// # Errors
    /// If it is missing or of no use.
    pub fn with_points(self, points: Option<usize>) -> Checked<Self> {
        match (self, points) {
            (Self::LatinHypercube(_), Some(points)) if points > 0 => Ok(Self::LatinHypercube(points)),
            (Self::LatinHypercube(_), _) => Err(Problem::new("a Latin hypercube needs a number of points")
                .help("--points 50, or points = 50 in [sweep]")
                .into()),
            (_, None) => Ok(self),
            (_, Some(_)) => Err(Problem::new("the number of points follows from the values of the axes")
                .help("points are for combine = \"latin_hypercube\" alone")
                .into()),
        }
    }
}

impl Combine {
    /// The points of a Latin hypercube.
    #[must_use]
    pub const fn own_points(self) -> Option<usize> {
        match self {
            Self::LatinHypercube(points) => Some(points),
            Self::Cross | Self::Zip => None,
        }
    }
}

/// The word of it.
impl fmt::Display for Combine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Cross => "cross",
            Self::Zip => "zip",
            Self::LatinHypercube(_) => "latin_hypercube",
        })
    }
}

fn cross(axes: &[Axis]) -> Vec<Vec<String>> {
    let mut grid: Vec<Vec<String>> = vec![Vec::new()];
    for axis in axes {
        let longer = |head: &Vec<String>| {
            let head = head.clone();
            axis.values.iter().map(move |value| [head.as_slice(), std::slice::from_ref(value)].concat())
        };
        grid = grid.iter().flat_map(longer).collect();
    }
    grid
}

fn zip(axes: &[Axis]) -> Checked<Vec<Vec<String>>> {
    let mut varied = axes.iter().filter(|axis| axis.is_varied());
    let first = varied.next().unwrap_or(&axes[0]);
    let count = first.values.len();
    if let Some(other) = varied.find(|axis| axis.values.len() != count) {
        let message =
            format!("`{}` has {count} values and `{}` has {}", first.path, other.path, other.values.len());
        let help = "values that are taken together are equally many, or one for all of them";
        return Err(Problem::new(message).help(help).into());
    }
    let value = |axis: &Axis, index: usize| axis.values[if axis.is_varied() { index } else { 0 }].clone();
    Ok((0..count).map(|index| axes.iter().map(|axis| value(axis, index)).collect()).collect())
}

fn latin_hypercube(axes: &[Axis], points: usize) -> Vec<Vec<String>> {
    let column = |(number, axis): (usize, &Axis)| -> Vec<String> {
        let address = Address::root(HYPERCUBE_SEED, 0).child(number as u64);
        let (mut order, mut within) = (address.draw(ORDER), address.draw(WITHIN));
        let mut strata: Vec<usize> = (0..points).collect();
        // Fisher and Yates.
        for last in (1..points).rev() {
            strata.swap(last, uniform_index(&mut order, last + 1));
        }
        strata.into_iter().map(|it| axis.at((it as f64 + uniform(&mut within)) / points as f64)).collect()
    };
    let columns: Vec<Vec<String>> = axes.iter().enumerate().map(column).collect();
    (0..points).map(|point| columns.iter().map(|column| column[point].clone()).collect()).collect()
}

/// Refuses a parameter that is varied twice.
fn check_paths(axes: &[Axis]) -> Checked<()> {
    for (index, axis) in axes.iter().enumerate() {
        if axes[..index].iter().any(|earlier| earlier.path == axis.path) {
            let message = format!("the parameter `{}` is varied twice", axis.path);
            return Err(Problem::new(message)
                .help("give all its values at once, PATH=VALUE,VALUE,...")
                .into());
        }
    }
    Ok(())
}

fn without_count(path: &str, written: &str) -> crate::problem::Problems {
    Problem::new(format!("the range `{path}={}` has no number of values", clip(written)))
        .help("write 5ms..300ms:10 for ten of them; a range alone is for a Latin hypercube and --break-even")
        .into()
}

/// The values between two.
struct ValueRange {
    ends: [f64; 2],
    /// What is written after the number, and how much one of it is in base units.
    suffix: String,
    one: f64,
    scale: Scale,
    count: Option<usize>,
}

impl ValueRange {
    /// Reads `5ms..300ms:10 log`, of which the number and the scale may be missing; nothing if it is no range.
    fn of(path: &str, text: &str) -> Checked<Option<Self>> {
        let text = text.trim().trim_matches('"');
        let (rest, scale) = match text.strip_suffix(" log") {
            Some(rest) => (rest.trim_end(), Scale::Log),
            None => (text, Scale::Linear),
        };
        let Some((low, rest)) = rest.split_once("..") else { return Ok(None) };
        let (high, count) = match rest.split_once(':') {
            Some((high, count)) => (high, Some(count)),
            None => (rest, None),
        };
        if BaseValue::of(path, low).is_none() || BaseValue::of(path, high).is_none() {
            // A path of a file, as in `../rates.csv`.
            return Ok(None);
        }
        let wrong = |why: &str, help: &str| {
            Problem::new(format!("the range `{path}={}` {why}", clip(text))).help(help.to_owned())
        };
        let ends = [low.to_owned(), high.to_owned()];
        let mut range = Self::between(path, &ends, scale).ok_or_else(|| {
            let help = "both ends are above zero for `log`, of one kind, and not the same";
            wrong("has ends that no range has", help)
        })?;
        if let Some(count) = count {
            let count = count.trim().parse().ok().filter(|count| (2..=POINTS_MAX).contains(count));
            let help = "write 5ms..300ms:10 for ten of them, 2 at least";
            range.count = Some(count.ok_or_else(|| wrong("has no number of values", help))?);
        }
        Ok(Some(range))
    }

    /// From the first value to the second.
    fn between(path: &str, ends: &[String], scale: Scale) -> Option<Self> {
        let [low, high] = [ends.first()?, ends.get(1)?].map(|end| end.trim());
        let suffix = low.trim_start_matches(|it: char| it.is_ascii_digit() || ".+-".contains(it)).to_owned();
        let (first, last) = (BaseValue::of(path, low)?, BaseValue::of(path, high)?);
        let one = BaseValue::of(path, &format!("1{suffix}"))?.number;
        let ends = [first.number, last.number];
        let is_good = first.unit == last.unit
            && ends[0] != ends[1]
            && (scale == Scale::Linear || ends[0].min(ends[1]) > 0.0);
        is_good.then_some(Self { ends, suffix, one, scale, count: None })
    }

    /// The value at a share of it, from 0 to 1, in the unit of the first end.
    fn at(&self, share: f64) -> String {
        let [low, high] = self.ends;
        let number = match self.scale {
            Scale::Linear => low + (high - low) * share,
            Scale::Log => low * exp(ln(high / low) * share),
        };
        format!("{}{}", six_digits(number / self.one), self.suffix)
    }
}

/// A number with six significant digits, without zeros at its end.
fn six_digits(number: f64) -> String {
    let whole = (ln(number.abs().max(f64::MIN_POSITIVE)) / std::f64::consts::LN_10).floor() as i32 + 1;
    let decimals = (6 - whole).clamp(0, 12) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Axis {
        Axis::parse(text).unwrap()
    }

    #[test]
    fn values_are_split_at_commas_outside_brackets() {
        let of_two = axis("a.b=1ms, 2ms");
        assert_eq!((of_two.path.as_str(), of_two.values), ("a.b", vec!["1ms".to_owned(), "2ms".to_owned()]));
        assert_eq!(axis("c=[\"s0\",\"s1\"],[]").values, ["[\"s0\",\"s1\"]", "[]"]);
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
        let unit = |text| axis(text).base_unit();
        assert_eq!(unit("a=1ms,2s"), Some("s"));
        assert_eq!((unit("a=1ms,2"), unit("a=[],[\"s0\"]")), (None, None));
    }

    #[test]
    fn ranges_are_written_out_in_the_unit_of_their_first_end() {
        assert_eq!(axis("rtt=5ms..0.3s:3").values, ["5ms", "152.5ms", "300ms"]);
        assert_eq!(axis("rtt=1ms..1s:4 log").values, ["1ms", "10ms", "100ms", "1000ms"]);
        assert_eq!(axis("n=1..4:4").values, ["1", "2", "3", "4"]);
        assert_eq!(axis("rate=50/s..10/s:3").values, ["50/s", "30/s", "10/s"]);
        assert_eq!(axis("x.cpu_limit=500m..2000m:2").values, ["500m", "2000m"]);
        assert_eq!(axis("rtt=1ms,2ms..4ms:2,9ms").values, ["1ms", "2ms", "4ms", "9ms"]);
        assert_eq!(axis("a=0..1:4").values, ["0", "0.333333", "0.666667", "1"]);
        assert_eq!(axis("file=../rates.csv").values, ["../rates.csv"]);
        for bad in ["a=1ms..2:3", "a=1..2:1", "a=1..2:x", "a=0..1:3 log", "a=1..1:3", "a=1,2..3"] {
            assert!(Axis::parse(bad).is_err(), "{bad}");
        }
        // What is written is kept, so that it can be typed again.
        assert_eq!(axis("rtt=5ms..300ms:10 log").to_string(), "rtt=5ms..300ms:10 log");
    }

    #[test]
    fn axes_are_combined() {
        let axes = [axis("a=1,2"), axis("b=x,y")];
        let texts = |combine: Combine| -> Vec<String> {
            combine.points(&axes).unwrap().iter().map(|point| point.join("")).collect()
        };
        assert_eq!(texts(Combine::Cross), ["1x", "1y", "2x", "2y"]);
        assert_eq!(texts(Combine::Zip), ["1x", "2y"]);
        assert!(Combine::Zip.points(&[axis("a=1,2"), axis("b=1,2,3")]).is_err());
        // One value is for all.
        let with_one = Combine::Zip.points(&[axis("c=7"), axis("a=1,2"), axis("b=x,y")]).unwrap();
        assert_eq!(with_one, [["7", "1", "x"], ["7", "2", "y"]]);
        assert!(Combine::Cross.points(&[axis("a=1..2")]).is_err(), "no number of values");
        assert!(Combine::Cross.points(&[axis("a=1,2"), axis("a=3")]).is_err(), "twice");
        assert!(Combine::Cross.points(&[]).is_ok_and(|it| it.len() == 1), "{:?}", Combine::Cross.points(&[]));
        let many = axis("a=1..400:400");
        assert!(Combine::Cross.points(&[many.clone(), Axis { path: "b".into(), ..many }]).is_err());
    }

    #[test]
    fn a_latin_hypercube_has_each_stratum_of_each_axis_once() {
        let axes = [axis("a=0..100"), axis("b=1ms..1s log"), axis("c=x,y,z,u")];
        let points = Combine::LatinHypercube(20).points(&axes).unwrap();
        assert_eq!(points, Combine::LatinHypercube(20).points(&axes).unwrap(), "the same again");
        let number = |point: &Vec<String>, axis: usize| BaseValue::of("", &point[axis]).unwrap().number;
        let mut a: Vec<u32> = points.iter().map(|it| (number(it, 0) / 5.0) as u32).collect();
        let mut b: Vec<u32> = points
            .iter()
            .map(|it| ((ln(number(it, 1)) / std::f64::consts::LN_10 + 3.0) / 0.15) as u32)
            .collect();
        assert!(a != b, "each has an order of its own");
        a.sort_unstable();
        b.sort_unstable();
        assert!(a == (0..20).collect::<Vec<_>>() && b == a, "{a:?} {b:?}");
        assert_eq!(points.iter().filter(|it| it[2] == "x").count(), 5);
        assert!(Combine::LatinHypercube(0).with_points(None).is_err());
        assert!(Combine::Zip.with_points(Some(3)).is_err());
    }
}
