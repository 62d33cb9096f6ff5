//! `meshsim compare`: all strategies over the same requests.

use super::common::{Output, Running, Source, interrupted, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::table;
use meshsim_scenarios::analysis::verdict::verdict;
use meshsim_scenarios::experiment::compare::Plan;
use meshsim_scenarios::results::files::{to_json, write_comparison};
use meshsim_scenarios::results::summary::Summary;
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    /// Compare these strategies alone (may be given several times)
    #[arg(long, value_name = "NAME")]
    strategy: Vec<String>,
    /// The strategy that the others are compared with (default: the scenario's, or the first)
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Also write every user request to requests.csv
    #[arg(long, requires = "out")]
    request_log: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let choice = args.running.choice(args.strategy.clone(), args.baseline.clone());
    let plan = Plan::new(&args.source.open()?, &choice)?;
    run(&plan, &args.running, &args.output, args.request_log)
}

/// Runs a plan and reports it.
pub(super) fn run(plan: &Plan, running: &Running, output: &Output, request_log: bool) -> Outcome<Code> {
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    output.prepare()?;
    let outcome = running.watch(plan.simulated_seconds(), |watch| plan.run(request_log, watch))?;
    if outcome.replications.is_empty() {
        return Ok(interrupted("no replication was finished, nothing is kept"));
    }
    let summary = Summary::new(plan, &outcome);
    let written = output.write(|directory| write_comparison(directory, plan, &outcome, &summary));
    warnings::after_run(&summary).iter().for_each(warn);
    if output.json {
        print(&to_json(&summary)?)?;
    } else {
        let sentence = if summary.strategies.len() > 1 { verdict(&summary) + "\n" } else { String::new() };
        print(&format!("{}{}\n{sentence}", header(&summary), table::comparison(&summary)))?;
    }
    // What was simulated is shown even if it cannot be kept.
    written?;
    if outcome.interrupted {
        let kept = format!("the results are those of {} finished replications", summary.run.replications);
        return Ok(interrupted(&kept));
    }
    let completed = summary.strategies.iter().all(|it| it.requests.completed > 0);
    Ok(if completed { Code::Ok } else { Code::Failed })
}

fn header(summary: &Summary) -> String {
    let run = &summary.run;
    format!(
        "{} replications, {:.0} simulated seconds per strategy, seed {}; ± is the 95 % interval\n\n",
        run.replications, run.simulated_seconds, run.seed
    )
}
