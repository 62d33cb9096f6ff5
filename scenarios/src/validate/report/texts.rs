//! Values, errors and verdicts as people read them, and a suite as lines of a table.

use crate::analysis::value::Value;
use crate::validate::figures::{FigureKey, Row, Unit};
use crate::validate::groups::GroupRow;
use crate::validate::run::Validation;
use crate::validate::suite::run::{Finished, Report};
use crate::validate::suite::schema::Mark;
use crate::validate::tolerance::Verdict;

/// A figure's value with its unit.
#[must_use]
pub fn value(key: FigureKey, value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    match key.unit() {
        Unit::Milliseconds => format!("{value:.1} ms"),
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::Distance => format!("{value:.3}"),
    }
}

/// An interval of a figure, its unit once; empty without one.
#[must_use]
pub fn interval(key: FigureKey, of: &Value) -> String {
    let unit = match key.unit() {
        Unit::Milliseconds => " ms",
        Unit::Share => " %",
        Unit::Distance => "",
    };
    of.interval().map_or(String::new(), |[low, high]| {
        let low = value(key, low);
        format!("{} to {}", low.strip_suffix(unit).unwrap_or(&low), value(key, high))
    })
}

/// An error or a tolerance in its own measure.
#[must_use]
pub fn error(key: FigureKey, error: f64) -> String {
    if !error.is_finite() {
        return "-".to_owned();
    }
    match (key.is_absolute(), key.unit()) {
        (true, Unit::Share) => format!("{:.2} points", error * 100.0),
        (true, _) => value(key, error),
        (false, _) => format!("{:.1} %", error * 100.0),
    }
}

/// The same with its sign.
#[must_use]
pub fn signed_error(key: FigureKey, difference: f64) -> String {
    let text = error(key, difference);
    if difference >= 0.0 { format!("+{text}") } else { text }
}

/// What a check came to.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "FAILS",
        Verdict::TooShort => "too short to tell",
    }
}

/// The columns of [`suite_row`].
pub const SUITE_HEAD: [&str; 15] = [
    "configuration",
    "mark",
    "CPU x",
    "measured ms",
    "simulated",
    "mean",
    "p50",
    "p90",
    "p95",
    "p99",
    "KS",
    "failed %",
    "CPU split",
    "served",
    "rounds",
];

/// What the cells of [`suite_row`] mean.
pub const SUITE_LEGEND: &str = "Differences in percent of the measured value; in brackets, where it is not zero, how far beyond the measured 95 % \
interval. KS: distance. failed: measured / simulated. CPU split: the proxies' share of CPU time. served: the largest distance of a \
served share to its sampling interval, in points. rounds: time per crossing. ! fails its tolerance, ? the trace is too short to tell.";

/// A configuration as a line of a table.
#[must_use]
pub fn suite_row(it: &Finished) -> [String; 15] {
    let validation = &it.validation;
    let mark = match it.mark {
        Mark::Train => "train",
        Mark::Test => "test",
    };
    let mean = validation.figures.iter().find(|row| row.figure == FigureKey::Mean);
    let measured = mean.map_or("-".to_owned(), |row| match row.measured.interval() {
        Some([low, high]) => format!("{:.1} ({low:.0} to {high:.0})", row.measured.value),
        None => format!("{:.1}", row.measured.value),
    });
    let p90 = if validation.figures.iter().any(|row| row.figure == FigureKey::P90) {
        FigureKey::P90
    } else {
        FigureKey::DashboardP90
    };
    let cell = |key| cell(validation, key);
    [
        it.name.clone(),
        mark.to_owned(),
        format!("{:.3}", validation.cpu_scale),
        measured,
        mean.map_or("-".to_owned(), |row| format!("{:.1}", row.simulated.value)),
        cell(FigureKey::Mean),
        cell(FigureKey::P50),
        cell(p90),
        cell(FigureKey::P95),
        cell(FigureKey::P99),
        cell(FigureKey::Ks),
        cell(FigureKey::Failed),
        cell(FigureKey::CpuSplit),
        cell(FigureKey::Served),
        cell(FigureKey::Rounds),
    ]
}

/// A figure of a configuration, with the mark of its check.
fn cell(validation: &Validation, key: FigureKey) -> String {
    let Some(row) = validation.figures.iter().find(|row| row.figure == key) else { return "-".to_owned() };
    let check = validation.checks.iter().find(|check| check.figure == key);
    let mark = match check.map(|check| check.verdict) {
        Some(Verdict::Fails) => "!",
        Some(Verdict::TooShort) => "?",
        Some(Verdict::Holds) | None => "",
    };
    let text = match key {
        FigureKey::Ks => format!("{:.3}", row.measured.value),
        FigureKey::Failed => {
            format!("{:.2} / {:.2}", row.measured.value * 100.0, row.simulated.value * 100.0)
        }
        FigureKey::Served => format!("{:.1}", row.error * 100.0),
        _ if row.error > 0.0005 => format!("{:+.1} ({:.1})", row.difference * 100.0, row.error * 100.0),
        _ => format!("{:+.1}", row.difference * 100.0),
    };
    text + mark
}

/// The columns of [`group_rows`].
pub const GROUP_HEAD: [&str; 9] =
    ["", "requests", "figure", "measured", "95 %", "simulated", "95 %", "difference", "beyond the interval"];

/// The figures of groups of users and kinds of requests, a row for each.
pub fn group_rows(groups: &[GroupRow]) -> impl Iterator<Item = [String; 9]> {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let cells = move |group: &GroupRow, row: &Row| {
        [
            group.name(),
            group.requests.to_string(),
            row.figure.name().to_owned(),
            value(row.figure, row.measured.value),
            or_dash(interval(row.figure, &row.measured)),
            value(row.figure, row.simulated.value),
            or_dash(interval(row.figure, &row.simulated)),
            signed_error(row.figure, row.difference),
            error(row.figure, row.error),
        ]
    };
    groups.iter().flat_map(move |group| group.figures.iter().map(move |row| cells(group, row)))
}

/// What a suite came to, in sentences.
#[must_use]
pub fn conclusions(report: &Report) -> Vec<String> {
    let counts = report.checks;
    let wrong: Vec<String> = report
        .ranking
        .iter()
        .filter(|pair| !pair.holds)
        .map(|pair| format!("{} before {}", pair.faster, pair.slower))
        .collect();
    let ranking = if report.ranking.is_empty() {
        "Ranking: no two measured means differ significantly.".to_owned()
    } else if wrong.is_empty() {
        let pairs = match report.ranking.len() {
            1 => "the one pair".to_owned(),
            several => format!("all {several} pairs"),
        };
        format!(
            "Ranking: in {pairs} whose measured means differ significantly, the simulated ones differ the same way."
        )
    } else {
        format!(
            "Ranking: {} of {} significant pairs are the other way round: {}.",
            wrong.len(),
            report.ranking.len(),
            wrong.join("; ")
        )
    };
    let mut lines = vec![ranking];
    lines.push(format!(
        "Checks: {} hold, {} fail, {} cannot be told because the trace is too short.",
        counts.hold, counts.fail, counts.too_short
    ));
    for it in &report.configurations {
        for check in it.validation.checks.iter().filter(|check| check.verdict == Verdict::Fails) {
            lines.push(format!(
                "Fails: {} of {}: {} beyond the measured interval, {} allowed.",
                check.figure.name(),
                it.name,
                error(check.figure, check.error),
                error(check.figure, check.tolerance)
            ));
        }
    }
    lines.extend(averages(report));
    lines
}

/// Plain errors on average over the predicted configurations that have a trace: what others publish.
fn averages(report: &Report) -> Option<String> {
    let predicted: Vec<&Finished> = report
        .configurations
        .iter()
        .filter(|it| it.mark == Mark::Test && it.validation.trace_requests > 0)
        .collect();
    let average = |key: FigureKey| {
        let rows = predicted.iter().flat_map(|it| &it.validation.figures).filter(|row| row.figure == key);
        let values: Vec<f64> = rows.map(|row| row.difference.abs()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let percent = |key| format!("{:.1} %", average(key) * 100.0);
    (!predicted.is_empty()).then(|| {
        format!(
            "Plain errors, on average over the {} predicted configurations with a trace: mean {}, p50 {}, p90 {}, p95 {}, p99 {}, \
             Kolmogorov-Smirnov distance {:.3}.",
            predicted.len(),
            percent(FigureKey::Mean),
            percent(FigureKey::P50),
            percent(FigureKey::P90),
            percent(FigureKey::P95),
            percent(FigureKey::P99),
            average(FigureKey::Ks)
        )
    })
}
