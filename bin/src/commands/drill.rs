//! `meshsim drill`: what every single failure does to every strategy.

use super::common::{
    Begun, Continuing, Enforcement, Output, Running, ScenarioArgs, begin, each, kept_cells, not_whole,
    part_is_over, print,
};
use super::page;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table;
use meshsim_scenarios::analysis::value::Value;
use meshsim_scenarios::drill::summary::{DrillSummary, FailureSummary};
use meshsim_scenarios::drill::{DrillPlan, Lasts, Options};
use meshsim_scenarios::origin::SCENARIO;
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::results::drill::write_drill;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Try every single failure on every strategy (N-1 analysis).
///
/// Each link is cut and degraded, each cluster and node lost, each gateway, istiod and API server down, and the pods
/// of each service crash in each cluster: one at a time, over the same requests as the undisturbed run. Each run is a cell
/// of its own, as those of compare and sweep are: what is finished stays.
#[derive(clap::Args)]
#[command(after_help = "Example: meshsim drill edge-outage --only 'link:*' --for 60s")]
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
    /// How long each run goes on after it (default: 2min)
    #[arg(long, value_name = "TIME")]
    after: Option<Lasts>,
    /// A request without an answer after this time has failed (default: 10s)
    #[arg(long, value_name = "TIME")]
    patience: Option<Lasts>,
    /// Also show all figures of every failure, and of each group of users
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    #[command(flatten)]
    continuing: Continuing,
    #[command(flatten)]
    enforcement: Enforcement,
}

impl Args {
    /// What of it changes results.
    fn normal_form(&self) -> Checked<Vec<String>> {
        let mut command = vec!["drill".to_owned(), SCENARIO.to_owned()];
        command.extend(each("--set", &self.source.normal_form()?));
        command.extend(self.running.normal_form());
        command.extend(each("--strategy", &self.strategy));
        command.extend(each("--only", &self.only));
        for (name, time) in [("--for", self.lasts), ("--after", self.after), ("--patience", self.patience)] {
            command.extend(each(name, time.map(|it| it.to_string()).as_slice()));
        }
        Ok(command)
    }
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let Args { running, output, continuing, enforcement, .. } = args;
    let scenario = args.source.open()?;
    let choice = running.choice(args.strategy.clone(), None);
    let options =
        Options { only: args.only.clone(), lasts: args.lasts, after: args.after, patience: args.patience };
    let plan = DrillPlan::new(&scenario, &choice, &options)?;
    enforcement.needs_objectives(plan.strategies.iter().any(|it| !it.resolved.objectives.is_empty()))?;
    plan.notes.iter().for_each(warn);
    let origin = scenario.origin(args.normal_form()?, &args.source.settings()?, &[])?;
    let begun = begin(output.claim()?, continuing, &plan.sha256, Some(&origin))?;
    if let Some(part) = continuing.part() {
        let counts = [plan.cell_count()];
        let seconds = plan.simulated_seconds() * part.fraction(&counts);
        let is_whole =
            running.watch(seconds, |watch| plan.run_cells(&begun.store, part.share(&counts, 0), watch))?;
        return part_is_over(begun, part, is_whole);
    }
    let is_whole = running
        .watch(plan.simulated_seconds(), |watch| plan.run_cells(&begun.store, 0..plan.cell_count(), watch))?;
    if let Some(problems) = begun.store.failure() {
        return Err(Failure::machine(problems));
    }
    report(args, &plan, begun, is_whole)
}

/// Shows and writes what is finished.
fn report(args: &Args, plan: &DrillPlan, begun: Begun, is_whole: bool) -> Outcome<Code> {
    let Begun { folder, store, page, .. } = begun;
    let summary = DrillSummary::new(plan, &store);
    let broken = store.broken();
    let (done, all) = (summary.finished(), plan.cell_count());
    if done == 0 && all > 0 {
        let kept = kept_cells(args.output.has_folder(), &store);
        return not_whole(&broken, &format!("no failure was finished{kept}"));
    }
    let write = |mut folder: Folder| {
        write_drill(&mut folder, plan, &summary, !is_whole)?;
        if is_whole { folder.discard_cells() } else { Ok(()) }
    };
    let written = folder.map_or(Ok(()), write);
    if args.output.json {
        print(&to_json(&summary)?)?;
    } else {
        print(&table::fitted(&show(&summary, args.verbose)))?;
    }
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    page::write(page.as_ref())?;
    if !is_whole {
        let kept = kept_cells(args.output.has_folder(), &store);
        return not_whole(&broken, &format!("{done} of {all} failures and replications are tried{kept}"));
    }
    Ok(args.enforcement.code(Code::Ok, summary.objectives_hold()))
}

fn show(summary: &DrillSummary, verbose: bool) -> String {
    let mut text = format!(
        "{} replications, seed {}; each failure lasts {:.0} s, alone; shares are those of the requests that fail because of \
         it while it lasts (without a good answer in {:.0} s), ± the 95 % interval of the paired difference\n\n",
        summary.replications, summary.seed, summary.lasts_seconds, summary.patience_seconds
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
        if !strategy.objectives_missed.is_empty() {
            let missed = strategy.objectives_missed.join("; ");
            let _ = writeln!(text, "  `{}` misses without any failure: {missed}", strategy.name);
        }
        for (objective, failures) in broken(&strategy.failures) {
            let _ = writeln!(text, "  {objective} is broken by {}", failures.join(", "));
        }
    }
    text
}

/// Failures and strategies: the share of requests that fail, and when traffic has moved; where none fail, how much longer
/// users wait.
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
    let (longer, before) = (it.longer_p95_ms.value, it.undisturbed_p95_ms.value);
    match it.moved_after.value {
        _ if it.failing_during.value.abs() < 0.000_05 => match longer > (before * 0.1).max(5.0) {
            true => format!("0, p95 +{longer:.0} ms"),
            false => "0".to_owned(),
        },
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

/// The failures that break each objective.
fn broken(failures: &[FailureSummary]) -> BTreeMap<&str, Vec<&str>> {
    let mut broken: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for it in failures {
        for objective in &it.objectives_broken {
            broken.entry(objective).or_default().push(&it.failure);
        }
    }
    broken
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
        "longer by",
        "evicted",
        "no endpoints",
        "objectives broken",
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
            format!("{:.0}", it.longer_p95_ms.value),
            format!("{:.1}", it.evictions.value),
            it.without_endpoints.join(" "),
            it.objectives_broken.join("; "),
        ]);
        // Of one group there is nothing more to say.
        for of in it.users.iter().filter(|_| it.users.len() > 1) {
            rows.push(vec![
                format!("  users {}", of.users),
                share(&of.failing_during),
                share(&of.failing_after),
            ]);
        }
    }
    table::align(&rows)
}
