//! Numbers of the page: each says in which file it stands, so that whoever doubts one finds it, and a test does.
//!
//! `<data value="0.0061" data-from="summary.json#/strategies/0/..." data-scale="100">0.61</data>`: the file, behind it a
//! pointer (JSON) or row and column (CSV, rows from 0); what is shown is `value` times the scale, rounded.

use crate::analysis::verdict::decimals;
use maud::{Markup, html};

/// A number of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) value: f64,
    source: String,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A time or a difference in ms: a decimal, or two digits of what is small.
    Ms,
    /// The same with its sign.
    SignedMs,
    /// A share in percent.
    Percent,
    /// The same with its sign.
    SignedPercent,
    /// A probability, however small.
    Probability,
    /// Whole.
    Count,
    /// As it is, whole or with few decimals.
    Plain,
    /// Bytes in the unit that fits.
    Bytes,
}

impl Number {
    pub(super) const fn new(value: f64, source: String) -> Self {
        Self { value, source }
    }

    #[cfg(test)]
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// As it stands on the page.
    pub(super) fn show(&self, shape: Shape) -> Markup {
        let (scale, unit) = shape.scale(self.value);
        let exact = self.value * scale;
        let digits = shape.digits(exact);
        // What is rounded to zero has no sign.
        let is_zero = format!("{:.digits$}", exact.abs()).parse() == Ok(0.0);
        let scaled = if is_zero && shape != Shape::Probability { 0.0 } else { exact };
        let text = match shape {
            Shape::SignedMs | Shape::SignedPercent => format!("{scaled:+.digits$}"),
            Shape::Probability if scaled > 0.0 && scaled < 0.001 => format!("{scaled:.1e}"),
            _ => format!("{scaled:.digits$}"),
        };
        let given = (scale != 1.0).then_some(scale);
        html! {
            data value=(self.value) data-from=(self.source) data-scale=[given] { (text) }
            (unit)
        }
    }
}

impl Shape {
    /// That of a figure of results, by its name and unit.
    pub(super) fn of(name: &str, unit: &str) -> Self {
        const SHARES: [&str; 6] = [
            "failures",
            "availability",
            "proxy_cpu_share",
            "served",
            "objectives.probability",
            "utilization",
        ];
        match unit {
            "ms" if name.contains("difference") => Self::SignedMs,
            "ms" => Self::Ms,
            "requests" => Self::Count,
            "bytes" => Self::Bytes,
            "1" if SHARES.contains(&name) => Self::Percent,
            _ => Self::Plain,
        }
    }

    /// What the number is multiplied with, and the unit behind it.
    fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Self::Percent | Self::SignedPercent => (100.0, " %"),
            Self::Bytes if value >= 1e9 => (1e-9, " GB"),
            Self::Bytes if value >= 1e6 => (1e-6, " MB"),
            Self::Bytes if value >= 1e3 => (1e-3, " kB"),
            Self::Bytes => (1.0, " B"),
            _ => (1.0, ""),
        }
    }

    /// Whether a number of this shape may have a value.
    fn may_be(self, value: f64) -> bool {
        match self {
            Self::SignedMs | Self::SignedPercent => true,
            Self::Percent | Self::Probability => (0.0..=1.0).contains(&value),
            _ => value >= 0.0,
        }
    }

    fn digits(self, scaled: f64) -> usize {
        let size = scaled.abs();
        match self {
            Self::Ms | Self::SignedMs => decimals(size),
            Self::Percent | Self::SignedPercent if size < 10.0 => 2,
            Self::Percent | Self::SignedPercent => 1,
            Self::Probability => 3,
            Self::Count => 0,
            Self::Plain | Self::Bytes => match size {
                size if size == size.trunc() && size < 1e15 => 0,
                size if size < 1.0 => decimals(size).max(3),
                size if size < 100.0 => 2,
                size if size < 1000.0 => 1,
                _ => 0,
            },
        }
    }
}

/// A number, or a dash where there is none.
pub(super) fn or_dash(number: Option<&Number>, shape: Shape) -> Markup {
    match number {
        Some(number) => number.show(shape),
        None => html! { span.none { "–" } },
    }
}

/// A number with the ends of its interval below it, of which those are left out that the number cannot have: few replications
/// make wide intervals, and no share is below zero.
pub(super) fn with_interval(value: Option<&Number>, ends: [Option<Number>; 2], shape: Shape) -> Markup {
    let may_be = |it: &Number| shape.may_be(it.value) || value.is_none_or(|value| !shape.may_be(value.value));
    html! {
        (or_dash(value, shape))
        @if let [Some(low), Some(high)] = ends {
            span.ci {
                @match (may_be(&low), may_be(&high)) {
                    (true, true) => { (low.show(shape)) " to " (high.show(shape)) }
                    (false, true) => { "up to " (high.show(shape)) }
                    (true, false) => { (low.show(shape)) " or more" }
                    (false, false) => { "not known" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_tell() {
        let shown = |value: f64, shape: Shape| {
            let markup = Number::new(value, "f#0/v".to_owned()).show(shape).into_string();
            markup.split(">").nth(1).unwrap().replace("</data", "") + markup.rsplit('>').next().unwrap()
        };
        assert_eq!(shown(267.204, Shape::Ms), "267.2");
        assert_eq!(shown(0.0032, Shape::Ms), "0.0032");
        assert_eq!(shown(-0.0, Shape::SignedMs), "+0.0");
        assert_eq!(shown(0.006_13, Shape::Percent), "0.61 %");
        assert_eq!(shown(-0.000_01, Shape::Percent), "0.00 %");
        assert_eq!(shown(6.1e-9, Shape::Probability), "6.1e-9");
        assert_eq!(shown(99_837.9, Shape::Bytes), "99.84 kB");
        assert_eq!(shown(600_447.0, Shape::Count), "600447");
        assert_eq!(shown(2.5242, Shape::Plain), "2.52");
    }

    #[test]
    fn intervals_end_where_the_number_does() {
        let shown = |value: f64, ends: [f64; 2], shape: Shape| {
            let number = |value: f64| Number::new(value, "f#0/v".to_owned());
            let markup =
                with_interval(Some(&number(value)), ends.map(|it| Some(number(it))), shape).into_string();
            let (_, interval) = markup.split_once("<span class=\"ci\">").unwrap();
            interval.split(['<', '>']).step_by(2).collect::<String>()
        };
        assert_eq!(shown(0.5, [0.25, 0.75], Shape::Percent), "25.0 % to 75.0 %");
        assert_eq!(shown(0.01, [-0.5, 0.75], Shape::Percent), "up to 75.0 %");
        assert_eq!(shown(0.9, [0.25, 1.5], Shape::Percent), "25.0 % or more");
        assert_eq!(shown(0.5, [-0.5, 1.5], Shape::Percent), "not known");
        assert_eq!(shown(2.0, [-1.0, 5.0], Shape::Ms), "up to 5.0");
        assert_eq!(shown(2.0, [-1.0, 5.0], Shape::SignedMs), "-1.0 to +5.0");
        // A difference of shares may be negative.
        assert_eq!(shown(-0.5, [-0.75, -0.25], Shape::Percent), "-75.0 % to -25.0 %");
    }

    #[test]
    fn the_number_itself_and_its_source_are_there() {
        let markup = Number::new(0.5, "a.json#/x\"y".to_owned()).show(Shape::Percent).into_string();
        assert_eq!(
            markup,
            "<data value=\"0.5\" data-from=\"a.json#/x&quot;y\" data-scale=\"100\">50.0</data> %"
        );
    }
}
