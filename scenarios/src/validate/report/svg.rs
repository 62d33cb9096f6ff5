//! Figures of a page of Markdown, as SVG: two distribution functions.
//!
//! Each stands alone: it loads nothing, follows the reader's light or dark scheme, and says in words
//! what it shows.

use meshsim_core::stats::quantile_of_sorted;
use std::fmt::Write;

/// Points of a curve.
const POINTS: usize = 240;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 48.0;

/// The colours of a light page, then those of a dark one. Blue and orange can be told apart by the colour-blind, and
/// one line is dashed.
const STYLE: &str = "<style>.plot{--ink:#1f2328;--soft:#59636e;--grid:#d8dee4;--one:#0072b2;--two:#d55e00}\
@media (prefers-color-scheme:dark){.plot{--ink:#e6edf3;--soft:#9198a1;--grid:#3d444d;--one:#56b4e9;--two:#f0a04b}}\
.plot text{font:12px system-ui,sans-serif;fill:var(--soft)}.plot .name{fill:var(--ink)}\
.plot .grid{stroke:var(--grid);stroke-width:1}.plot .axis{stroke:var(--soft);stroke-width:1}\
.plot .line{fill:none;stroke-width:2.2;stroke-linejoin:round}.plot .one{stroke:var(--one)}\
.plot .two{stroke:var(--two);stroke-dasharray:7 4}.plot .dot{fill:var(--one)}.plot .even{stroke:var(--soft);stroke-dasharray:2 3}\
</style>";

/// The share of requests answered within a time: measured and simulated latencies (ms, ascending).
pub(super) fn distribution(name: &str, measured: &[f64], simulated: &[f64]) -> String {
    let right = at(measured, 0.995).max(at(simulated, 0.995)).max(1e-3);
    let x = Axis::new(right, LEFT, WIDTH - RIGHT);
    let y = Axis::new(1.0, HEIGHT - BOTTOM, TOP);
    let words = format!(
        "Distribution functions of {name}. Measured: median {:.0} ms, 90 % within {:.0} ms, 99 % within {:.0} ms. Simulated: {:.0}, {:.0} \
         and {:.0} ms.",
        at(measured, 0.5),
        at(measured, 0.9),
        at(measured, 0.99),
        at(simulated, 0.5),
        at(simulated, 0.9),
        at(simulated, 0.99)
    );
    let mut svg = begin(&words);
    grid(&mut svg, &x, &y, "latency of a user request [ms]", "share answered within it");
    for (class, sorted) in [("one", measured), ("two", simulated)] {
        let points = (0..=POINTS).map(|k| k as f64 / POINTS as f64).filter_map(|share| {
            let value = quantile_of_sorted(sorted, share)?;
            (value <= right).then(|| (x.position(value), y.position(share)))
        });
        line(&mut svg, class, points);
    }
    legend(&mut svg);
    svg + "</svg>\n"
}

/// A stretch of numbers from 0, and where they are on the page.
struct Axis {
    to: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    fn new(to: f64, begin: f64, end: f64) -> Self {
        Self { to, begin, end }
    }

    fn position(&self, value: f64) -> f64 {
        self.begin + (self.end - self.begin) * value / self.to
    }

    /// Round numbers, six at most.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (mut step, mut factors) = (1e-3, [2.0, 2.5, 2.0].into_iter().cycle());
        while self.to / step > 5.5 {
            step *= factors.next().unwrap_or(2.0);
        }
        (0..=(self.to / step + 1e-9) as u32).map(move |k| f64::from(k) * step)
    }
}

fn at(sorted: &[f64], share: f64) -> f64 {
    quantile_of_sorted(sorted, share).unwrap_or(0.0)
}

fn begin(words: &str) -> String {
    let words = escape(words);
    format!(
        "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{words}\"><title>{words}</title>{STYLE}"
    )
}

fn grid(svg: &mut String, x: &Axis, y: &Axis, below: &str, beside: &str) {
    for tick in x.ticks() {
        let at = x.position(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0,
            number(tick)
        );
    }
    for tick in y.ticks() {
        let at = y.position(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            number(tick)
        );
    }
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\"/><text x=\"{2:.1}\" y=\"{3:.1}\" \
         text-anchor=\"middle\">{below}</text><text transform=\"translate(15 {4:.1}) rotate(-90)\" \
         text-anchor=\"middle\">{beside}</text>",
        HEIGHT - BOTTOM,
        WIDTH - RIGHT,
        0.5 * (LEFT + WIDTH - RIGHT),
        HEIGHT - 10.0,
        0.5 * (TOP + HEIGHT - BOTTOM)
    );
}

fn line(svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(svg, "<polyline class=\"line {class}\" points=\"{}\"/>", points.join(" "));
}

/// At the lower right, where a distribution function is not.
fn legend(svg: &mut String) {
    let x = WIDTH - RIGHT - 130.0;
    for (row, (class, name)) in [("one", "measured"), ("two", "simulated")].into_iter().enumerate() {
        let y = HEIGHT - BOTTOM - 46.0 + 22.0 * row as f64;
        let _ = write!(
            svg,
            "<line class=\"line {class}\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/><text class=\"name\" x=\"{:.1}\" \
             y=\"{:.1}\">{name}</text>",
            x + 36.0,
            x + 46.0,
            y + 4.0
        );
    }
}

/// Without the digits that only rounding made.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A text as XML and HTML have it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let ticks = |to| Axis::new(to, 0.0, 1.0).ticks().map(number).collect::<Vec<_>>();
        assert_eq!(ticks(1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(ticks(1700.0), ["0", "500", "1000", "1500"]);
        assert!(ticks(3.3e7).len() <= 6);
    }

    #[test]
    fn a_figure_is_xml_with_words_and_both_lines() {
        let sorted: Vec<f64> = (0..100).map(f64::from).collect();
        let svg = distribution("a <b> & \"c\"", &sorted, &sorted);
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;") && svg.contains("median 50 ms"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 2);
        // An empty side is a figure too.
        assert!(distribution("none", &[], &sorted).ends_with("</svg>\n"));
    }
}
