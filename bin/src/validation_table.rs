//! How validations are shown: figures side by side, or a line per configuration.

use crate::table;
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::validate::arrivals::ArrivalsFrom;
use meshsim_scenarios::validate::figures::{FigureKey, Row};
use meshsim_scenarios::validate::groups::GroupRow;
use meshsim_scenarios::validate::report::texts;
use meshsim_scenarios::validate::run::{ServiceRow, Validation};
use meshsim_scenarios::validate::suite::run::Report;
use std::fmt::Write;

/// One validation.
pub(crate) fn one(validation: &Validation) -> String {
    let arrivals = match validation.arrivals {
        ArrivalsFrom::Rate => "the trace's rate",
        ArrivalsFrom::Replay => "the trace's moments",
        ArrivalsFrom::Scenario => "the scenario's",
    };
    let mut text = format!(
        "strategy {}, {} measured requests in {:.1} blocks of 30 s, {:.2} requests/s ({arrivals}), CPU cost x {:.3}\n\n{}",
        validation.strategy,
        validation.trace_requests,
        validation.blocks,
        validation.rate_per_second,
        validation.cpu_scale,
        table::align(&figures(validation))
    );
    if validation.measured_from == "buckets" {
        text.push_str("interval: none, the file has only buckets\n");
    } else if validation
        .figures
        .iter()
        .any(|row| row.figure == FigureKey::Mean && row.measured.interval().is_none())
    {
        text.push_str("interval: none, the trace is too short: it has fewer than four blocks of 30 s\n");
    }
    if !validation.groups.is_empty() {
        let _ =
            write!(text, "\nby users and kinds of requests\n{}", table::align(&groups(&validation.groups)));
    }
    if !validation.services.is_empty() {
        let _ = write!(text, "\n{}", table::align(&services(&validation.services)));
    }
    text
}

fn figures(validation: &Validation) -> Vec<Vec<String>> {
    let head =
        ["", "measured", "95 %", "simulated", "95 %", "difference", "beyond the interval", "allowed", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in &validation.figures {
        let check = validation.checks.iter().find(|check| check.figure == row.figure);
        let is_distance = matches!(row.figure, FigureKey::Ks | FigureKey::Wasserstein);
        let simulated = |text: String| if is_distance { "-".to_owned() } else { text };
        rows.push(vec![
            row.figure.name().to_owned(),
            value(row, row.measured.value),
            interval(row, &row.measured),
            simulated(value(row, row.simulated.value)),
            simulated(interval(row, &row.simulated)),
            simulated(texts::signed_error(row.figure, row.difference)),
            texts::error(row.figure, row.error),
            check.map_or(String::new(), |check| texts::error(row.figure, check.tolerance)),
            check.map_or("", |check| texts::verdict(check.verdict)).to_owned(),
        ]);
    }
    rows
}

/// The figures of groups of users and kinds of requests.
fn groups(groups: &[GroupRow]) -> Vec<Vec<String>> {
    let mut rows = vec![texts::GROUP_HEAD.map(str::to_owned).to_vec()];
    rows.extend(texts::group_rows(groups).map(|it| it.to_vec()));
    rows
}

fn value(row: &Row, value: f64) -> String {
    texts::value(row.figure, value)
}

fn interval(row: &Row, of: &Value) -> String {
    let text = texts::interval(row.figure, of);
    if text.is_empty() { "-".to_owned() } else { text }
}

fn services(rows: &[ServiceRow]) -> Vec<Vec<String>> {
    let head = [
        "service",
        "requests",
        "share %",
        "95 %",
        "simulated",
        "server ms",
        "95 %",
        "simulated",
        "difference",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    for row in rows {
        let whose = row.cluster.as_ref().map_or(String::new(), |cluster| format!(" in {cluster}"));
        let [low, high] = row.measured_share.interval().unwrap_or_default();
        let time = |value: f64| if value.is_finite() { format!("{value:.1}") } else { "-".to_owned() };
        let server = row.measured_server_ms.interval();
        table.push(vec![
            format!("{}{whose}", row.service),
            row.requests.to_string(),
            percent(row.measured_share.value),
            format!("{} to {}", percent(low), percent(high)),
            percent(row.simulated_share),
            time(row.measured_server_ms.value),
            server.map_or("-".to_owned(), |[low, high]| format!("{low:.1} to {high:.1}")),
            time(row.simulated_server_ms.value),
            row.server_difference.map_or("-".to_owned(), |it| format!("{:+.1} %", it * 100.0)),
        ]);
    }
    table
}

/// A suite: a line per configuration, the ranking, and what the checks came to.
pub(crate) fn suite(report: &Report) -> String {
    let mut rows = vec![texts::SUITE_HEAD.map(str::to_owned).to_vec()];
    rows.extend(report.configurations.iter().map(|it| texts::suite_row(it).to_vec()));
    let mut text = format!("{}: {}\n\n{}\n", report.suite, report.description, table::align(&rows));
    text.push_str(texts::SUITE_LEGEND);
    text.push_str("\n\n");
    for line in texts::conclusions(report) {
        let _ = writeln!(text, "{line}");
    }
    text
}
