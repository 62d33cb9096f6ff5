//! Rates of requests from a file: a moment and a rate a line.
//!
//! # Models
//! Two columns, separated by a comma, a semicolon, a tab or blanks: a moment (seconds, a duration as `90s` or `5min`, or a
//! time of day as `18:00`) and a rate (requests per second, or as `50/s`, `600/min`). Empty lines and those that begin with
//! `#` are passed over, and a first line that is no point is a head.

use super::check::Check;
use crate::problem::{Problem, SourceText, clip};
use crate::schema::spanned::Spanned;
use crate::schema::time_of_day::TimeOfDay;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::units::PerSecond;
use meshsim_models::users::arrivals::piecewise::Point;
use std::sync::Arc;

/// A table has at most so many points.
const POINTS_MAX: usize = 1_000_000;

/// The points of a table; nothing if something is wrong with it.
pub(super) fn read(check: &mut Check<'_>, file: &Spanned<String>) -> Option<Vec<Point>> {
    let name = file.get_ref();
    let location = check.document.location(file.span());
    let placed = |problem: Problem| Problem {
        location: problem.location.clone().or_else(|| location.clone()),
        ..problem
    };
    let bytes = match (check.files)(name) {
        Ok(bytes) => bytes,
        Err(problem) => {
            check.problems.push(placed(problem));
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        check.problem(format!("`{name}` is not UTF-8 text"), file.span(), "a table of rates is a CSV file");
        return None;
    };
    match points(name, text) {
        Ok(points) => Some(points),
        Err(problem) => {
            check.problems.push(placed(problem));
            None
        }
    }
}

fn points(name: &str, text: String) -> Result<Vec<Point>, Problem> {
    let source = Arc::new(SourceText { name: name.to_owned(), text });
    let mut points: Vec<Point> = Vec::new();
    let (mut offset, mut is_first) = (0, true);
    for line in source.text.split_inclusive('\n') {
        let (begins, written) = (offset, line.trim().trim_start_matches('\u{feff}'));
        offset += line.len();
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let may_be_head = std::mem::take(&mut is_first);
        let wrong = |message: String, help: &str| {
            Problem::new(message).help(help).at(&source, begins..begins + line.trim_end().len().max(1))
        };
        let point = match point(written) {
            Ok(point) => point,
            Err(_) if may_be_head && !written.starts_with(|c: char| c.is_ascii_digit()) => continue,
            Err(message) => {
                return Err(wrong(message, "a line is a moment and a rate, as in `0s,50/s` or `18:00,50`"));
            }
        };
        if points.last().is_some_and(|before| before.at >= point.at) {
            let message = format!("the point `{}` does not come after the one before it", clip(written));
            return Err(wrong(message, "write points in the order of time"));
        }
        if points.is_empty() && point.at > SimTime::ZERO {
            let message = format!("the first point is at {}", point.at - SimTime::ZERO);
            return Err(wrong(message, "begin with one at 0s"));
        }
        if points.len() >= POINTS_MAX {
            return Err(wrong(format!("there are more than {POINTS_MAX} points"), "fewer are read"));
        }
        points.push(point);
    }
    if points.is_empty() {
        return Err(Problem::new(format!("`{name}` has no point"))
            .help("a line is a moment and a rate, as in `0s,50/s`"));
    }
    Ok(points)
}

fn point(line: &str) -> Result<Point, String> {
    let mut cells =
        line.split([',', ';', '\t', ' ']).map(|it| it.trim().trim_matches('"')).filter(|it| !it.is_empty());
    let (Some(at), Some(rate)) = (cells.next(), cells.next()) else {
        return Err(format!("`{}` has no two columns", clip(line)));
    };
    if cells.next().is_some() {
        return Err(format!("`{}` has more than two columns", clip(line)));
    }
    let seconds =
        at.parse::<f64>().ok().filter(|it| (0.0..=1e9).contains(it)).map(SimDuration::from_secs_f64);
    let of_day = || at.parse::<TimeOfDay>().ok().map(|it| it.0);
    let at = match seconds.or_else(|| at.parse().ok()).or_else(of_day) {
        Some(at) => SimTime::ZERO + at,
        None => return Err(format!("`{}` is no moment", clip(at))),
    };
    let plain = rate.parse::<f64>().ok();
    match plain.or_else(|| rate.parse::<PerSecond>().ok().map(|it| it.0)) {
        Some(per_second) if (0.0..=1e7).contains(&per_second) => Ok(Point { at, per_second }),
        Some(per_second) => Err(format!("a rate of {per_second} requests per second is out of range")),
        None => Err(format!("`{}` is no rate", clip(rate))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(f64, f64)>, String> {
        let pair = |it: &Point| ((it.at - SimTime::ZERO).as_secs_f64(), it.per_second);
        points("rates.csv", text.to_owned())
            .map(|it| it.iter().map(pair).collect())
            .map_err(|it| it.to_string())
    }

    #[test]
    fn moments_and_rates_are_read_as_people_write_them() {
        let expected = vec![(0.0, 10.0), (60.0, 5.0), (64_800.0, 2.0)];
        for text in [
            "time,rate\n0,10\n60,5\n64800,2\n",
            "# of a day\n0s;10/s\n\n1min;5/s\n18:00;120/min",
            "\u{feff}00:00\t10\r\n00:01\t5\r\n18:00:00\t2\r\n",
        ] {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("0,10\n60\n", "rates.csv:2:1: `60` has no two columns"),
            ("0;1,5\n60;2,5\n", "rates.csv:1:1: `0;1,5` has more than two columns"),
            ("0,10\nx,5\n", "rates.csv:2:1: `x` is no moment"),
            ("0,10\n60,five\n", "rates.csv:2:1: `five` is no rate"),
            ("0,10\n60,-5\n", "rates.csv:2:1: a rate of -5 requests per second is out of range"),
            ("0,10\n0,5\n", "rates.csv:2:1: the point `0,5` does not come after"),
            ("time,rate\n5,10\n", "rates.csv:2:1: the first point is at 5s"),
            ("time,rate\n", "`rates.csv` has no point"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
