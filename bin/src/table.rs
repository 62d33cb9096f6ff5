//! A comparison as a table for people.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use meshsim_scenarios::analysis::figure::{Column, Dimension, Figure};
use meshsim_scenarios::analysis::figures::CATALOGUE;
use meshsim_scenarios::analysis::objectives::Judged;
use meshsim_scenarios::analysis::summary::{Requests, Strategy, Summary, UserGroup};
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::analysis::verdict::decimals;
use meshsim_scenarios::analysis::workloads::WorkloadSummary;
use meshsim_scenarios::lives::critical_path::{Kind, Spent};
use meshsim_scenarios::results::timeline::Line;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Share of requests still in flight at the end from which on it is shown: more than the few that
/// every run cuts off.
const IN_FLIGHT_SHOWN: f64 = 0.01;

/// The tables of a comparison: latencies first; what services and pods did only where it is asked for.
pub(crate) fn comparison(summary: &Summary, verbose: bool) -> String {
    let mut text = latency_table(summary, verbose);
    text.push('\n');
    text += &group_table(summary, verbose, "application", "applications", |it| it.applications.clone());
    text += &group_table(summary, verbose, "users", "groups of users", |it| it.users.clone());
    text += &group_table(summary, verbose, "request", "kinds of requests", |it| it.request_kinds.clone());
    if verbose {
        text += &variance_table(summary);
        text += &group_table(summary, verbose, "users, request", "groups and kinds", kinds_of_users);
    }
    text += &objective_table(summary);
    text += &offloading_table(summary);
    text += &traffic_table(summary);
    text.push('\n');
    text += &sent_table(summary, verbose);
    if verbose {
        text.push('\n');
        text += &served_table(summary);
        text += &pods_table(summary);
    }
    text
}

fn latency_table(summary: &Summary, verbose: bool) -> String {
    let mut head = ["strategy", "mean ms", "p50", "p90", "p95", "p99", "against baseline ms", "failed"]
        .map(str::to_owned)
        .to_vec();
    let some_in_flight = summary.strategies.iter().any(|it| in_flight(it) > IN_FLIGHT_SHOWN);
    head.extend(some_in_flight.then(|| "in flight".to_owned()));
    let some_try_again = summary.strategies.iter().any(|it| it.requests.attempts.is_some());
    head.extend(some_try_again.then(|| "attempts".to_owned()));
    // As a dashboard has it, from Istio's buckets.
    head.extend(verbose.then(|| "p90 shown".to_owned()));
    let mut rows = vec![head];
    for it in &summary.strategies {
        let latency = &it.latency_ms;
        let mut row = vec![
            it.name.clone(),
            latency_cell(it, [None; 3], ("mean", latency.mean)),
            latency_cell(it, [None; 3], ("p50", latency.p50)),
            latency_cell(it, [None; 3], ("p90", latency.p90)),
            latency_cell(it, [None; 3], ("p95", latency.p95)),
            latency_cell(it, [None; 3], ("p99", latency.p99)),
            against_baseline(summary, &it.name),
            failed_cell(it, [None; 3], &it.requests),
        ];
        row.extend(some_in_flight.then(|| format!("{:.2} %", in_flight(it) * 100.0)));
        row.extend(some_try_again.then(|| attempts(&it.requests)));
        row.extend(verbose.then(|| number(it.figure("dashboard_p90_ms").map_or(f64::NAN, |it| it.value), 1)));
        rows.push(row);
    }
    align(&rows)
}

/// Where the time of the requests around some quantiles went, under each strategy (ms).
pub(crate) fn critical_paths(all: &[Spent]) -> String {
    let is_there = |kind: &Kind| all.iter().any(|it| it.of(*kind) >= 0.05);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(is_there).collect();
    let head = ["where the time went, ms", "around", "latency"].map(str::to_owned);
    let mut rows =
        vec![head.into_iter().chain(kinds.iter().map(|it| it.name().to_owned())).collect::<Vec<_>>()];
    for it in all {
        let head = [it.strategy.clone(), it.around.to_owned(), number(it.latency_ms, 1)];
        let parts = kinds.iter().map(|kind| number(it.of(*kind), 1));
        rows.push(head.into_iter().chain(parts).collect());
    }
    align(&rows)
}

/// By which factors pairing and control variates make the variance of differences to the baseline smaller, and how likely they are
/// by chance.
fn variance_table(summary: &Summary) -> String {
    if summary.paired.is_empty() {
        return String::new();
    }
    let head = ["less variance against baseline", "by pairs", "by control variates", "by chance (Holm)"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for it in &summary.paired {
        let ratio =
            |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} x"));
        let chance = it.holm_probability.map_or_else(|| "-".to_owned(), |it| number(it, 4));
        let ratios = [it.variance_ratio, it.control_variance_ratio].map(ratio);
        let [pairs, controls] = ratios;
        rows.push(vec![it.strategy.clone(), pairs, controls, chance]);
    }
    align(&rows) + "\n"
}

/// A latency, marked where it misses an objective of these users and this kind of request.
fn latency_cell(strategy: &Strategy, whose: [Option<&str>; 3], (figure, value): (&str, Value)) -> String {
    with_interval(&value) + mark(strategy, whose, &[figure])
}

/// The share that failed, marked likewise.
fn failed_cell(strategy: &Strategy, whose: [Option<&str>; 3], requests: &Requests) -> String {
    failed(requests) + mark(strategy, whose, &["failures", "availability"])
}

/// What stands behind a figure that misses its objective. The only group of users, or kind of request, is all.
fn mark(strategy: &Strategy, whose: [Option<&str>; 3], figures: &[&str]) -> &'static str {
    let told_apart =
        [!strategy.applications.is_empty(), !strategy.users.is_empty(), !strategy.request_kinds.is_empty()];
    let misses = |it: &Judged| {
        let named = [Dimension::Application, Dimension::UserGroup, Dimension::RequestKind];
        let named = named.map(|dimension| it.whose.get(&dimension));
        let is_meant = |((name, apart), whose): ((Option<&String>, bool), Option<&str>)| {
            name.map(String::as_str).filter(|_| apart) == whose
        };
        !it.holds
            && named.into_iter().zip(told_apart).zip(whose).all(is_meant)
            && figures.contains(&it.figure)
    };
    if strategy.objectives.iter().any(misses) { " !" } else { "" }
}

/// What became of the objectives, where there are some.
fn objective_table(summary: &Summary) -> String {
    if summary.strategies.iter().all(|it| it.objectives.is_empty()) {
        return String::new();
    }
    let head = ["objective", "bound", "strategy", "value", "holds", "in replications"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    let count = summary.strategies.iter().map(|it| it.objectives.len()).max().unwrap_or(0);
    let replications = f64::from(summary.run.replications);
    for index in 0..count {
        for strategy in &summary.strategies {
            let Some(it) = strategy.objectives.get(index) else { continue };
            let side = if it.is_above { "above" } else { "below" };
            let (bound, value) = bound_and_value(it);
            let holds = if it.holds { "yes" } else { "no !" };
            let kept = format!("{:.0} of {replications}", it.probability * replications);
            let cells =
                [it.name(), format!("{side} {bound}"), strategy.name.clone(), value, holds.to_owned(), kept];
            rows.push(cells.to_vec());
        }
    }
    format!("objectives (! is missed)\n{}\n", align(&rows))
}

/// The bound of an objective and what became of it, with their unit.
fn bound_and_value(it: &Judged) -> (String, String) {
    if it.unit == "ms" {
        return (format!("{} ms", it.bound), format!("{} ms", with_interval(&it.value)));
    }
    let (factor, unit) = match it.unit {
        _ if it.in_percent => (100.0, " %".to_owned()),
        "1" => (1.0, String::new()),
        unit => (1.0, format!(" {unit}")),
    };
    let plain = |value: f64| {
        let digits = number(value * factor, 3);
        let digits =
            if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
        format!("{digits}{unit}")
    };
    (plain(it.bound), plain(it.value.value))
}

/// What the edges of offloading controllers came to, where there are some.
fn offloading_table(summary: &Summary) -> String {
    const COLUMNS: [(&str, &str, f64, usize); 5] = [
        ("offloading_time_above", "above offload_delay %", 100.0, 1),
        ("offloading_delay_ms", "delay ms", 1.0, 1),
        ("offloading_cost_per_hour", "cost per hour", 1.0, 4),
        ("offloading_actions", "actions", 1.0, 1),
        ("offloading_regret_ms", "regret ms", 1.0, 1),
    ];
    let is_there = |figure: &str| summary.strategies.iter().any(|it| !it.by_cluster(figure).is_empty());
    let columns = || COLUMNS.iter().filter(|(figure, ..)| is_there(figure));
    if columns().next().is_none() {
        return String::new();
    }
    let heads = columns().map(|(_, head, ..)| (*head).to_owned());
    let mut rows = vec![["strategy", "edge"].map(str::to_owned).into_iter().chain(heads).collect::<Vec<_>>()];
    for strategy in &summary.strategies {
        for edge in strategy.by_cluster(COLUMNS[0].0).into_keys() {
            let cell = |&(figure, _, factor, digits): &(&str, &str, f64, usize)| {
                let value = strategy.by_cluster(figure).get(edge).copied();
                let half = value.as_ref().and_then(Value::interval).map(|[low, high]| (high - low) / 2.0);
                let half =
                    half.map_or_else(String::new, |half| format!(" ±{}", number(half * factor, digits)));
                number(value.map_or(f64::NAN, |it| it.value * factor), digits) + &half
            };
            rows.push(
                [strategy.name.clone(), edge.to_owned()].into_iter().chain(columns().map(cell)).collect(),
            );
        }
    }
    format!("offloading controllers\n{}\n", align(&rows))
}

/// The kinds of requests of each group of users.
fn kinds_of_users(strategy: &Strategy) -> BTreeMap<String, UserGroup> {
    let of_users = |(users, it): (&String, &UserGroup)| {
        let kinds = it.request_kinds.iter();
        kinds.map(|(kind, it)| (format!("{users}, {kind}"), it.clone())).collect::<Vec<_>>()
    };
    strategy.users.iter().flat_map(of_users).collect()
}

/// What each group of requests got, where there are several: a mean over all hides those who fare badly.
fn group_table(
    summary: &Summary,
    verbose: bool,
    title: &str,
    what: &str,
    of: impl Fn(&Strategy) -> BTreeMap<String, UserGroup>,
) -> String {
    let all: Vec<(&Strategy, BTreeMap<String, UserGroup>)> =
        summary.strategies.iter().map(|it| (it, of(it))).collect();
    let groups = all.iter().map(|(_, it)| it.len()).max().unwrap_or(0);
    if groups == 0 {
        return String::new();
    }
    let shown = groups <= GROUPS_SHOWN || verbose;
    // What a group of users gains; of others nothing is paired.
    let gains = title == "users" && summary.strategies.len() > 1;
    let mut head = [title, "strategy", "mean ms", "p50", "p90", "p95", "p99"].map(str::to_owned).to_vec();
    head.extend(gains.then(|| "against baseline ms".to_owned()));
    head.push("failed".to_owned());
    let takes_cpu = title == "application";
    head.extend(takes_cpu.then(|| "CPU".to_owned()));
    let mut rows = vec![head];
    let names: BTreeSet<&String> = all.iter().flat_map(|(_, it)| it.keys()).collect();
    let row = |name: &str, strategy: &Strategy, group: &UserGroup| {
        let whose = whose(title, name);
        let latency = group.latency_ms.named().map(|it| latency_cell(strategy, whose, it));
        let head = [name.to_owned(), strategy.name.clone()];
        head.into_iter()
            .chain(latency)
            .chain(gains.then(|| group_against_baseline(summary, name, &strategy.name)))
            .chain([failed_cell(strategy, whose, &group.requests)])
            .chain(takes_cpu.then(|| cores_of(strategy, name)))
            .collect::<Vec<_>>()
    };
    if shown {
        for name in names {
            rows.extend(all.iter().filter_map(|(it, groups)| Some(row(name, it, groups.get(name)?))));
        }
        return format!("by {title}\n{}\n", align(&rows));
    }
    for (strategy, groups) in &all {
        let mean = |(_, group): &(&String, &UserGroup)| group.latency_ms.mean.value;
        let slowest = groups.iter().max_by(|a, b| mean(a).total_cmp(&mean(b)));
        rows.extend(slowest.map(|(name, group)| row(name, strategy, group)));
    }
    format!("the slowest of {groups} {what} (all with --verbose)\n{}\n", align(&rows))
}

/// CPU time per second of the pods of an application.
fn cores_of(strategy: &Strategy, application: &str) -> String {
    let cpu = strategy.by("application_cpu_seconds_per_second", Dimension::Application);
    cpu.get(application).map_or_else(|| "-".to_owned(), |it| number(it.value, 2))
}

/// The application, the users and the kind of request of a row of a table.
fn whose<'a>(title: &str, name: &'a str) -> [Option<&'a str>; 3] {
    match title {
        "application" => [Some(name), None, None],
        "users" => [None, Some(name), None],
        "request" => [None, None, Some(name)],
        _ => name.rsplit_once(", ").map_or([None; 3], |(users, request)| [None, Some(users), Some(request)]),
    }
}

/// More groups than this are not shown one by one.
const GROUPS_SHOWN: usize = 4;

/// The difference to the baseline; a dash if there is none, as where nothing was completed.
fn against_baseline(summary: &Summary, name: &str) -> String {
    let baseline = match summary.paired.first() {
        Some(paired) => Some(paired.baseline.as_str()),
        None => {
            summary.strategies.first().filter(|_| summary.strategies.len() == 1).map(|it| it.name.as_str())
        }
    };
    match summary.against_baseline(name) {
        Some(paired) if summary.are_same(name, &paired.baseline) => "the same".to_owned(),
        Some(paired) => signed(&paired.mean_difference_ms),
        None if baseline == Some(name) => "baseline".to_owned(),
        None => "-".to_owned(),
    }
}

/// The same of a group of users.
fn group_against_baseline(summary: &Summary, users: &str, name: &str) -> String {
    match summary.against_baseline(name) {
        None => against_baseline(summary, name),
        Some(paired) => match summary.difference_for(users, name, &paired.baseline) {
            Some(difference) => signed(&difference),
            None => "-".to_owned(),
        },
    }
}

/// Share of the offered requests that had not ended when the run did.
fn in_flight(it: &Strategy) -> f64 {
    it.requests.in_flight as f64 / it.requests.offered.max(1) as f64
}

fn traffic_table(summary: &Summary) -> String {
    let cpu = |it: &Strategy| -> BTreeMap<String, f64> {
        let all = it.by_cluster("cpu_seconds_per_second").into_iter();
        all.map(|(cluster, cores)| (cluster.to_owned(), cores.value)).collect()
    };
    // A strategy may have clusters that the first one does not.
    let clusters: BTreeSet<String> = summary.strategies.iter().flat_map(|it| cpu(it).into_keys()).collect();
    let is_there = |it: &&Figure| summary.strategies.iter().any(|of| of.figure(it.name).is_some());
    let columns = || CATALOGUE.iter().filter(is_there).filter_map(|it| Some((it, it.column.as_ref()?)));
    // By cluster, as far as a line can be read.
    let apart = clusters.len() <= CLUSTERS_SHOWN;
    let cpu_heads = clusters.iter().map(|cluster| format!("CPU {cluster}")).filter(|_| apart);
    let cpu_heads = cpu_heads.chain((!apart).then(|| format!("CPU {} clusters", clusters.len())));
    let heads = columns().map(|(_, column)| column.head.to_owned());
    let mut rows = vec![std::iter::once("strategy".to_owned()).chain(heads).chain(cpu_heads).collect()];
    for it in &summary.strategies {
        let cell = |(figure, column): (&Figure, &Column)| {
            let value = it.figure(figure.name).map_or(f64::NAN, |it| it.value);
            number(value / column.per, column.digits)
        };
        let mut row = vec![it.name.clone()];
        row.extend(columns().map(cell));
        let cpu = cpu(it);
        if apart {
            let cores = |cluster: &String| cpu.get(cluster).map_or("-".to_owned(), |&it| number(it, 2));
            row.extend(clusters.iter().map(cores));
        } else {
            row.push(number(cpu.values().sum(), 2));
        }
        rows.push(row);
    }
    "per user request; CPU in cores\n".to_owned() + &align(&rows)
}

/// Who serves whom: attempts per user request from the clients of a cluster to the pods of another or the same.
fn sent_table(summary: &Summary, verbose: bool) -> String {
    let pairs = |it: &Strategy| -> Vec<(String, String)> {
        let pairs = it.sent_per_request.iter();
        pairs.flat_map(|(from, row)| row.keys().map(|to| (from.clone(), to.clone()))).collect()
    };
    let all: BTreeSet<(String, String)> = summary.strategies.iter().flat_map(pairs).collect();
    if all.len() > PAIRS_SHOWN && !verbose {
        return format!(
            "{} pairs of clusters send each other requests: see --verbose or metrics.csv (--out)\n",
            all.len()
        );
    }
    let head = all.iter().map(|(from, to)| format!("{from} > {to}"));
    let mut rows: Vec<Vec<String>> = vec![std::iter::once("strategy".to_owned()).chain(head).collect()];
    for it in &summary.strategies {
        let sent = |(from, to): &(String, String)| it.sent_per_request.get(from).and_then(|row| row.get(to));
        let cells = all.iter().map(|pair| sent(pair).map_or("-".to_owned(), |&n| number(n, 3)));
        rows.push(std::iter::once(it.name.clone()).chain(cells).collect());
    }
    "calls per user request, from cluster > to cluster\n".to_owned() + &align(&rows)
}

/// More pairs of clusters than this are not shown one by one.
const PAIRS_SHOWN: usize = 9;

/// Share of each service's calls that each cluster served.
fn served_table(summary: &Summary) -> String {
    by_cluster(summary, "share served in", |it| &it.served, |share| format!("{:.0} %", share * 100.0))
}

/// Ready pods of each service in each cluster in which pods come and go: in the mean, and the most.
fn pods_table(summary: &Summary) -> String {
    let pods = |it: &WorkloadSummary| format!("{:.1} ({})", it.ready_pods.value, it.most_ready);
    by_cluster(summary, "ready pods, and the most at a time, in", |it| &it.workloads, pods)
}

/// More tables than this nobody reads.
const CLUSTERS_SHOWN: usize = 6;

/// A table per cluster, with a column per service.
fn by_cluster<T>(
    summary: &Summary,
    title: &str,
    of: impl Fn(&Strategy) -> &BTreeMap<String, BTreeMap<String, T>>,
    show: impl Fn(&T) -> String,
) -> String {
    let all = || summary.strategies.iter().flat_map(&of);
    let services: BTreeSet<&String> = all().map(|(service, _)| service).collect();
    let clusters: BTreeSet<&String> = all().flat_map(|(_, row)| row.keys()).collect();
    if clusters.len() > CLUSTERS_SHOWN {
        return format!("{title} {} clusters: in summary.json (--out, --json)\n", clusters.len());
    }
    let mut text = String::new();
    for cluster in &clusters {
        let mut head = vec!["strategy".to_owned()];
        head.extend(services.iter().map(|service| (*service).clone()));
        let mut rows = vec![head];
        for it in &summary.strategies {
            let cell = |service: &&String| {
                of(it).get(*service).and_then(|row| row.get(*cluster)).map_or("-".to_owned(), &show)
            };
            let mut row = vec![it.name.clone()];
            row.extend(services.iter().map(cell));
            rows.push(row);
        }
        let _ = write!(text, "{title} {cluster}\n{}", align(&rows));
    }
    text
}

fn failed(requests: &Requests) -> String {
    let failed = requests.all_failed();
    let ended = failed + requests.completed;
    if failed == 0 { "0".to_owned() } else { format!("{:.2} %", failed as f64 / ended as f64 * 100.0) }
}

/// How often users sent a request, in the mean.
fn attempts(requests: &Requests) -> String {
    let attempts = requests.attempts.map(|it| it as f64 / requests.offered as f64);
    attempts.map_or("-".to_owned(), |it| number(it, 3))
}

fn with_interval(value: &Value) -> String {
    match value.interval() {
        Some([low, high]) => format!("{} ±{}", number(value.value, 1), number((high - low) / 2.0, 1)),
        None => number(value.value, 1),
    }
}

fn signed(value: &Value) -> String {
    let plus = if value.value > 0.0 { "+" } else { "" };
    let half = value.interval().map(|[low, high]| (high - low) / 2.0);
    let decimals = decimals(value.value.abs().max(half.unwrap_or(0.0)));
    let half = half.map_or(String::new(), |half| format!(" ±{half:.decimals$}"));
    format!("{plus}{:.decimals$}{half}", value.value)
}

fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
}

/// The time line of a run, with the time of day, if the run begins at one (s since midnight).
pub(crate) fn timeline(lines: &[Line], begins: Option<f64>) -> String {
    let head = ["acted s", "noticed s", "cluster", "who", "rule", "what"].map(str::to_owned);
    let of_day = begins.map(|_| "clock".to_owned());
    let mut rows = vec![of_day.into_iter().chain(head).collect::<Vec<_>>()];
    for it in lines {
        let seconds = |at: f64| format!("{at:.3}");
        let noticed =
            if it.noticed.to_bits() == it.at.to_bits() { String::new() } else { seconds(it.noticed) };
        let cells = [
            seconds(it.at),
            noticed,
            it.cluster.clone(),
            it.who.clone(),
            it.rule.to_owned(),
            it.what.clone(),
        ];
        let of_day = begins.map(|begins| clock(begins + it.at));
        rows.push(of_day.into_iter().chain(cells).collect());
    }
    text(&rows)
}

/// A time of day to the millisecond, of so many seconds since midnight.
fn clock(seconds: f64) -> String {
    let ms = (seconds * 1e3) as u64;
    let [hours, minutes, seconds] = [ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1_000 % 60];
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1_000)
}

/// A table of numbers: the first column to the left, the others to the right. Where that does not fit a terminal, the
/// columns stand below each other in parts, each with the first.
pub(crate) fn align(rows: &[Vec<String>]) -> String {
    in_parts(rows, terminal_width())
}

/// A table of texts, all to the left; long ones on several lines of a terminal.
pub(crate) fn text(rows: &[Vec<String>]) -> String {
    layout(rows, CellAlignment::Left, terminal_width())
}

fn in_parts(rows: &[Vec<String>], width: Option<u16>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let room = width.map_or(usize::MAX, usize::from).saturating_sub(width_of(0));
    let (mut parts, mut used) = (vec![Vec::new()], 0);
    for column in 1..columns {
        let needs = usize::from(GAP) + width_of(column);
        if used + needs > room && used > 0 {
            parts.push(Vec::new());
            used = 0;
        }
        used += needs;
        parts.last_mut().expect("there is one from the start").push(column);
    }
    let part = |columns: &Vec<usize>| {
        let cells = |row: &Vec<String>| {
            let all = std::iter::once(&0).chain(columns);
            all.filter_map(|&column| row.get(column).cloned()).collect::<Vec<_>>()
        };
        layout(&rows.iter().map(cells).collect::<Vec<_>>(), CellAlignment::Right, None)
    };
    parts.iter().map(part).collect::<Vec<_>>().join("\n")
}

/// Columns as wide as their widest cell, or, where that does not fit so many columns, cells on several lines.
fn layout(rows: &[Vec<String>], others: CellAlignment, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        column.set_cell_alignment(if index == 0 { CellAlignment::Left } else { others });
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// Between two columns.
const GAP: u16 = 2;

/// Sentences and tables for standard output: a line that its terminal is too narrow for is broken between words.
pub(crate) fn fitted(text: &str) -> String {
    broken(text, terminal_width())
}

/// The same for so many columns, if they are known.
pub(crate) fn broken(text: &str, width: Option<u16>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let line = |line: &str| match line.chars().count() <= usize::from(width) {
        true => format!("{line}\n"),
        false => layout(&[vec![line.to_owned()]], CellAlignment::Left, Some(width)),
    };
    text.lines().map(line).collect()
}

/// Columns of the terminal that standard output goes to, if it goes to one.
fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "1 ±2".into()], vec!["long".into(), "10".into()]];
        assert_eq!(layout(&rows, CellAlignment::Right, None), "a     1 ±2\nlong    10\n");
    }

    #[test]
    fn sentences_are_broken_between_words() {
        let text = "a b\n\nalpha beta gamma delta\n";
        assert_eq!(broken(text, Some(14)), "a b\n\nalpha beta\ngamma delta\n");
        assert_eq!(broken(text, None), text);
    }

    #[test]
    fn a_table_fits_a_narrow_terminal() {
        let row = |name: &str| {
            let cells = std::iter::once(name.to_owned());
            cells.chain((0..7).map(|_| "1234.5 ±10.6".to_owned())).collect::<Vec<_>>()
        };
        let text = in_parts(&[row("cloud-only"), row("s0-s3-no-mesh")], Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert_eq!(text.matches("1234.5 ±10.6").count(), 14, "{text}");
        assert_eq!(text.matches("cloud-only").count(), 3, "{text}");
    }
}
