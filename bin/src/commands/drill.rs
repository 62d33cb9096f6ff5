//! `meshsim drill`: what every single failure does to every strategy.

use super::common::{Output, Running, ScenarioArgs, interrupted, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table;
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::drill::summary::{DrillSummary, FailureSummary};
use meshsim_scenarios::drill::{DrillPlan, Lasts, Options};
use meshsim_scenarios::results::drill::write_drill;
use meshsim_scenarios::results::json::to_json;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Try every single failure on every strategy (N-1 analysis).
///
/// Each link is cut and degraded, each cluster and node lost, each gateway, istiod and API server down, and the pods
/// of each service crash in each cluster: one at a time, over the same requests as the undisturbed run.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    /// Try these strategies alone (may be given several times)
    #[arg(long, value_name = "NAME")]
    strategy: Vec<String>,
    /// Try these failures alone, as in link:* or pods:s1:cloud (may be given several times)
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// How long each failure lasts (default: 5min)
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Lasts>,
    /// How long each run goes on after it (default: as long, and at least 2min)
    #[arg(long, value_name = "TIME")]
    after: Option<Lasts>,
    /// Also show all figures of every failure
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let scenario = args.source.open()?;
    let choice = args.running.choice(args.strategy.clone(), None);
    let options = Options { only: args.only.clone(), lasts: args.lasts, after: args.after };
    let plan = DrillPlan::new(&scenario, &choice, &options)?;
    let mut folder = args.output.prepare()?;
    let outcome = args.running.watch(plan.simulated_seconds(), |watch| plan.run(watch))?;
    let summary = DrillSummary::new(&plan, &outcome);
    if summary.strategies.iter().all(|it| it.failures.is_empty()) {
        return interrupted("no failure was finished, nothing is kept");
    }
    plan.notes.iter().for_each(warn);
    let write = |folder: &mut _| write_drill(folder, &plan, &summary, outcome.interrupted);
    let written = folder.as_mut().map_or(Ok(()), write);
    if args.output.json {
        print(&to_json(&summary)?)?;
    } else {
        print(&table::fitted(&show(&summary, args.verbose)))?;
    }
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    if outcome.interrupted {
        let all: usize = plan.strategies.iter().map(|(_, failures, _)| failures.len()).sum();
        let done: usize = summary.strategies.iter().map(|it| it.failures.len()).sum();
        return interrupted(&format!("{done} of {all} failures are tried, some in fewer replications"));
    }
    Ok(Code::Ok)
}

fn show(summary: &DrillSummary, verbose: bool) -> String {
    let mut text = format!(
        "{} replications, seed {}; each failure lasts {:.0} s, alone; shares are those of the requests that fail because of \
         it while it lasts, ± the 95 % interval of the paired difference\n\n",
        summary.replications, summary.seed, summary.lasts_seconds
    );
    text += &matrix(summary);
    if verbose {
        for strategy in &summary.strategies {
            let _ = write!(text, "\n{}\n{}", strategy.name, details(&strategy.failures));
        }
    }
    text.push('\n');
    for strategy in &summary.strategies {
        let _ = writeln!(text, "worst for `{}`: {}", strategy.name, strategy.worst);
    }
    text
}

/// Failures and strategies: the share of requests that fail, and when traffic has moved.
fn matrix(summary: &DrillSummary) -> String {
    let mut head = vec!["failure".to_owned()];
    head.extend(summary.strategies.iter().map(|it| it.name.clone()));
    let mut rows = vec![head];
    let mut seen = BTreeSet::new();
    let names = summary.strategies.iter().flat_map(|it| &it.failures).map(|it| &it.failure);
    for name in names.filter(|&name| seen.insert(name.clone())) {
        let mut row = vec![name.clone()];
        for strategy in &summary.strategies {
            let found = strategy.failures.iter().find(|it| it.failure == *name);
            row.push(found.map_or_else(|| "-".to_owned(), cell));
        }
        rows.push(row);
    }
    table::align(&rows)
}

fn cell(it: &FailureSummary) -> String {
    let during = share(&it.failing_during);
    match it.moved_after.value {
        _ if it.failing_during.value.abs() < 0.000_05 => "0".to_owned(),
        seconds if seconds.is_nan() => format!("{during}, to the end"),
        seconds => format!("{during}, {seconds:.0} s"),
    }
}

fn share(value: &Value) -> String {
    match value.ci95 {
        Some([low, high]) if high - low > 0.001 => {
            format!("{:.1} ± {:.1} %", value.value * 100.0, (high - low) * 50.0)
        }
        _ => format!("{:.1} %", value.value * 100.0),
    }
}

fn details(failures: &[FailureSummary]) -> String {
    let head = [
        "failure",
        "during",
        "after",
        "noticed s",
        "moved s",
        "as before s",
        "p95 ms",
        "undisturbed",
        "evicted",
        "no endpoints",
        "objectives missed",
    ];
    let seconds = |value: f64| if value.is_finite() { format!("{value:.1}") } else { "never".to_owned() };
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for it in failures {
        rows.push(vec![
            it.failure.clone(),
            share(&it.failing_during),
            share(&it.failing_after),
            seconds(it.noticed_after.value),
            seconds(it.moved_after.value),
            seconds(it.restored_after.value),
            format!("{:.0}", it.p95_ms.value),
            format!("{:.0}", it.undisturbed_p95_ms.value),
            format!("{:.1}", it.evictions.value),
            it.without_endpoints.join(" "),
            it.objectives_broken.join("; "),
        ]);
    }
    table::align(&rows)
}
