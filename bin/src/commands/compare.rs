//! `meshsim compare`: all strategies over the same requests.

use super::common::{Detail, Enforcement, Output, Running, ScenarioArgs, interrupted, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::verdict::{about_objectives, ranking_over_draws, verdict};
use meshsim_scenarios::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::over_draws::OverDraws;
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::warm_up::{Rule, WarmUp};
use meshsim_scenarios::results::files::write_comparison;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::request_log::RequestLog;
use meshsim_scenarios::results::timeline::{self, Line};
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
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
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    enforcement: Enforcement,
    /// Compare again at so many draws of the scenario's calibration, and say whether the ranking holds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    calibration_draws: Option<u32>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let choice = args.running.choice(args.strategy.clone(), args.baseline.clone());
    let scenario = args.source.open()?;
    let plan = ComparisonPlan::new(&scenario, &choice)?;
    let settings = args.source.settings()?;
    let draws = args
        .calibration_draws
        .map(|count| OverDraws::new(&scenario, &settings, &plan, &choice, count as usize))
        .transpose()?;
    args.enforcement.has_objectives(&plan.strategies)?;
    run(&plan, draws.as_ref(), &args.running, &args.output, (&args.detail, &args.enforcement))
}

/// Runs a plan and reports it; also over draws of a calibration, if there are some.
pub(super) fn run(
    plan: &ComparisonPlan,
    draws: Option<&OverDraws>,
    running: &Running,
    output: &Output,
    (detail, enforcement): (&Detail, &Enforcement),
) -> Outcome<Code> {
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    let mut folder = output.prepare()?;
    let scratch = folder.as_ref().filter(|_| detail.request_log).map(Folder::scratch).transpose()?;
    let log = scratch.map(RequestLog::new);
    let seconds = plan.simulated_seconds() + draws.map_or(0.0, OverDraws::simulated_seconds);
    let (outcome, drawn) = running.watch(seconds, |watch| {
        let outcome = plan.run(log.as_ref().map_or(Rows::Dropped, Rows::Written), watch);
        (outcome, draws.map(|draws| draws.run(watch)))
    })?;
    if outcome.replications.is_empty() {
        return interrupted("no replication was finished, nothing is kept");
    }
    let mut summary = Summary::new(plan, &outcome);
    summary.calibration = drawn.map(|drawn| ranking_over_draws(&summary, &drawn));
    let write = |folder: &mut Folder| write_comparison(folder, plan, &outcome, &summary, log.as_ref());
    let written = folder.as_mut().map_or(Ok(()), write);
    warnings::after_run(&summary).iter().for_each(warn);
    if output.json {
        print(&to_json(&summary)?)?;
    } else {
        let mut sentence =
            if summary.strategies.len() > 1 { verdict(&summary) + "\n" } else { String::new() };
        sentence += &Some(about_objectives(&summary))
            .filter(|it| !it.is_empty())
            .map_or(String::new(), |it| it + "\n");
        if let Some(ranking) = &summary.calibration {
            sentence += &(ranking.sentence() + "\n");
        }
        let tables = table::comparison(&summary, detail.verbose);
        print(&table::fitted(&format!("{}{tables}\n{sentence}", header(&summary))))?;
        if let Some(lines) = timeline_of_first(plan, &outcome) {
            print(&table::fitted(&format!("\n{}", table::timeline(&lines))))?;
        }
    }
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    if outcome.interrupted {
        let kept = format!("the results are those of {} finished replications", summary.run.replications);
        return interrupted(&kept);
    }
    if let (Some(draws), Some(ranking)) = (draws, &summary.calibration)
        && ranking.draws < draws.count()
    {
        return interrupted(&format!("{} of {} draws are finished", ranking.draws, draws.count()));
    }
    let completed = summary.strategies.iter().all(|it| it.requests.completed > 0);
    Ok(enforcement.code(if completed { Code::Ok } else { Code::Failed }, [&summary]))
}

/// The time line of the first replication, if decisions are kept.
fn timeline_of_first(plan: &ComparisonPlan, outcome: &ComparisonOutcome) -> Option<Vec<Line>> {
    let resolved = plan.strategies.first().filter(|it| it.description.keeps_decisions)?;
    let (_, figures) = outcome.replications.first()?;
    Some(timeline::lines(&resolved.description, &figures[0]))
}

fn header(summary: &Summary) -> String {
    let run = &summary.run;
    let seconds = summary.strategies.iter().map(|it| it.simulated_seconds);
    let (least, most) = seconds.fold((f64::INFINITY, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
    let seconds = if least < most { format!("{least:.0} to {most:.0}") } else { format!("{most:.0}") };
    format!(
        "{} replications, {seconds} simulated seconds per strategy, seed {}; ± is the 95 % interval\n{}\n\n",
        run.replications,
        run.seed,
        cut(summary)
    )
}

/// How much is cut from the start of each replication, and why.
fn cut(summary: &Summary) -> String {
    let warm_ups = || summary.strategies.iter().map(|it| &it.warm_up);
    if let Some(varies) = warm_ups().find(|it| it.rule == Rule::Varies) {
        return format!(
            "warm-up: nothing is cut, for there are {} (run.warm_up = \"auto\")",
            varies.because.join(", ")
        );
    }
    let seconds = |it: &WarmUp| format!("{} s", it.seconds);
    let why = match warm_ups().any(|it| it.rule == Rule::Settled) {
        true => "of each replication, where pilot replications had settled (run.warm_up = \"auto\")",
        false => "of each replication, as run.warm_up says",
    };
    let mut all: Vec<String> = warm_ups().map(seconds).collect();
    all.dedup();
    match &all[..] {
        [only] => format!("warm-up: cut are the first {only} {why}"),
        _ => {
            let named = summary.strategies.iter().map(|it| format!("`{}` {}", it.name, seconds(&it.warm_up)));
            format!("warm-up: cut are {} {why}", named.collect::<Vec<_>>().join(", "))
        }
    }
}
