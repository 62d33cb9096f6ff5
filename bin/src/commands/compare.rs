//! `meshsim compare`: all strategies over the same requests.

use super::common::{
    Begun, Continuing, Detail, Enforcement, Output, Precise, Running, ScenarioArgs, begin, each, kept_cells,
    not_whole, part_is_over, print,
};
use super::page;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::verdict::{ranking_over_draws, sentences};
use meshsim_scenarios::experiment::compare::{ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::decide::{Decide, Decision};
use meshsim_scenarios::experiment::fork;
use meshsim_scenarios::experiment::over_draws::OverDraws;
use meshsim_scenarios::experiment::precision::Precision;
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::warm_up::{Rule, WarmUp};
use meshsim_scenarios::lives::critical_path::{self, Spent};
use meshsim_scenarios::lives::{Following, Told};
use meshsim_scenarios::origin::{Origin, SCENARIO};
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::results::files::write_comparison_and;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::openmetrics::Export;
use meshsim_scenarios::results::request_log::RequestLog;
use meshsim_scenarios::results::timeline::{self, Line};
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim compare fluidos-mesh --set links.edge1-cloud.rtt=80ms --report page.html"
)]
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
    continuing: Continuing,
    #[command(flatten)]
    enforcement: Enforcement,
    #[command(flatten)]
    precise: Precise,
    /// Compare again at so many draws of the scenario's calibration, and say whether the ranking holds
    #[arg(long, value_name = "N", conflicts_with = "precision", value_parser = clap::value_parser!(u32).range(1..=1000))]
    calibration_draws: Option<u32>,
    /// Run the baseline to this moment once, as in 1203s or 20:03, and have all strategies go on from its state: they may differ in
    /// what `[offloading]` tells the controllers (all its keys but cluster, edges and scrape_interval) and in nothing else
    #[arg(long, value_name = "MOMENT", conflicts_with_all = ["partition", "resume", "calibration_draws", "decide", "precision", "critical_path"])]
    fork_at: Option<String>,
    /// Go on with the strategies that may be the fastest until one is selected with this probability, as in 95%
    #[arg(long, value_name = "PERCENT", requires = "indifference", conflicts_with_all = ["partition", "request_log", "calibration_draws", "precision"])]
    decide: Option<String>,
    /// A difference of mean latency that does not matter, as in 1ms
    #[arg(long, value_name = "TIME", requires = "decide")]
    indifference: Option<String>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let choice = args.running.choice(args.strategy.clone(), args.baseline.clone());
    let scenario = args.source.open()?;
    let mut plan = ComparisonPlan::new(&scenario, &choice)?;
    if let Some(moment) = &args.fork_at {
        plan.fork_at = Some(fork::fork_at(moment, &scenario, &plan)?);
    }
    let plan = plan;
    let settings = args.source.settings()?;
    let draws = args
        .calibration_draws
        .map(|count| OverDraws::new(&scenario, &settings, &plan, &choice, count as usize))
        .transpose()?;
    args.enforcement.needs_objectives(plan.has_objectives())?;
    let Args { running, output, detail, continuing, enforcement, .. } = args;
    let mut command = vec!["compare".to_owned(), SCENARIO.to_owned()];
    command.extend(each("--set", &args.source.normal_form()?));
    command.extend(running.normal_form());
    command.extend(each("--strategy", &args.strategy));
    command.extend(each("--baseline", args.baseline.as_slice()));
    command.extend(each("--calibration-draws", args.calibration_draws.map(|it| it.to_string()).as_slice()));
    command.extend(detail.normal_form());
    command.extend(args.precise.normal_form());
    command.extend(each("--fork-at", args.fork_at.as_slice()));
    command.extend(each("--decide", args.decide.as_slice()));
    command.extend(each("--indifference", args.indifference.as_slice()));
    let decide = match (&args.decide, &args.indifference) {
        (Some(confidence), Some(indifference)) => Some(Decide::parse(confidence, indifference, &plan)?),
        _ => None,
    };
    let precision = args.precise.of(&plan)?;
    let origin = scenario.origin(command, &settings, &[])?;
    run(
        &plan,
        draws.as_ref(),
        &origin,
        &Asked {
            decide,
            precision,
            spans: None,
            metrics: None,
            running,
            output,
            detail,
            continuing,
            enforcement,
        },
    )
}

/// What is asked for beside a plan.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) decide: Option<Decide>,
    pub(super) precision: Option<Precision>,
    /// Requests that are followed.
    pub(super) spans: Option<Following>,
    /// What Prometheus would have of it.
    pub(super) metrics: Option<&'a Export>,
    pub(super) running: &'a Running,
    pub(super) output: &'a Output,
    pub(super) detail: &'a Detail,
    pub(super) continuing: &'a Continuing,
    pub(super) enforcement: &'a Enforcement,
}

/// Runs a plan and reports it; also over draws of a calibration, if there are some.
pub(super) fn run(
    plan: &ComparisonPlan,
    draws: Option<&OverDraws>,
    origin: &Origin,
    asked: &Asked<'_>,
) -> Outcome<Code> {
    let Asked { running, output, detail, continuing, .. } = *asked;
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    let begun = begin(output.claim_beside(asked.metrics.is_some())?, continuing, &plan.sha256, Some(origin))?;
    let mut seconds = plan.simulated_seconds() + draws.map_or(0.0, OverDraws::simulated_seconds);
    let ends = plan.strategies.iter().map(|it| it.description.end().as_secs_f64());
    seconds += ends.sum::<f64>() * if detail.critical_path { critical_path::RUNS } else { 0.0 };
    seconds += asked.spans.map_or(0.0, |it| it.simulated_seconds(&plan.strategies[0]));
    seconds += asked.metrics.map_or(0.0, |_| plan.strategies[0].description.end().as_secs_f64());
    if let Some(part) = continuing.part() {
        let plans: Vec<&ComparisonPlan> =
            std::iter::once(plan).chain(draws.into_iter().flat_map(OverDraws::plans)).collect();
        let counts: Vec<usize> = plans.iter().map(|it| it.cell_count()).collect();
        let is_whole = running.watch(seconds * part.fraction(&counts), |watch| {
            let mut each = plans.iter().enumerate();
            each.all(|(index, plan)| plan.run_cells(&begun.store, part.share(&counts, index), watch))
        })?;
        return part_is_over(begun, part, is_whole);
    }
    let scratch = begun.folder.as_ref().filter(|_| detail.request_log).map(Folder::scratch).transpose()?;
    let log = scratch.map(RequestLog::new);
    let done = running
        .watch(seconds, |watch| {
            let (plan, outcome) = match (asked.precision, &log) {
                (Some(precision), _) => plan.precise_in(&begun.store, precision, watch)?,
                // Rows of requests are in no cell, and what goes on from a fork is no strategy's alone.
                (None, Some(log)) => (plan.clone(), plan.run(Rows::Written(log), watch)),
                (None, None) if plan.fork_at.is_some() => (plan.clone(), plan.run(Rows::Dropped, watch)),
                (None, None) => (plan.clone(), plan.run_in(&begun.store, watch)),
            };
            let decision = asked.decide.and_then(|decide| plan.decide_in(&begun.store, decide, watch));
            let drawn = draws.map(|draws| (draws.run_in(&begun.store, watch), draws.count()));
            let paths = detail.critical_path.then(|| critical_path::around(&plan, &outcome, watch));
            let cut = || outcome.warm_ups.first().map_or(0.0, |it| it.seconds);
            let told = asked.spans.map(|it| it.follow(&plan.strategies[0], cut(), watch));
            let scraped = asked.metrics.map(|it| it.run(&plan.strategies[0], watch)).transpose()?;
            Checked::Ok(Done { plan, outcome, decision, drawn, paths, told, scraped })
        })?
        .map_err(Failure::machine)?;
    if let Some(problems) = begun.store.failure() {
        return Err(Failure::machine(problems));
    }
    report(done, begun, log.as_ref(), asked)
}

/// What has run.
struct Done {
    /// With as many replications as there are to be.
    plan: ComparisonPlan,
    outcome: ComparisonOutcome,
    decision: Option<Decision>,
    /// Over draws of a calibration, of which there are so many.
    drawn: Option<(Vec<Summary>, usize)>,
    /// Where time went, and the lives of requests, where that was asked for; nothing if it was stopped.
    paths: Option<Option<Vec<Spent>>>,
    told: Option<Option<Told>>,
    /// Whether metrics are written, if they were asked for.
    scraped: Option<bool>,
}

/// Shows and writes what has run.
fn report(done: Done, mut begun: Begun, log: Option<&RequestLog>, asked: &Asked<'_>) -> Outcome<Code> {
    let Asked { output, detail, .. } = *asked;
    let Done { plan, outcome, decision, drawn, paths, told, scraped } = done;
    let broken = [&outcome.broken[..], &begun.store.broken()].concat();
    if outcome.replications.is_empty() {
        let kept = kept_cells(output.has_folder(), &begun.store);
        return not_whole(&broken, &format!("no replication was finished{kept}"));
    }
    let mut summary = Summary::new(&plan, &outcome);
    summary.decision = decision;
    summary.precision = asked.precision.filter(|_| !summary.run.interrupted);
    let all_draws = drawn.as_ref().map(|(_, all)| *all);
    summary.calibration = drawn.map(|(drawn, _)| ranking_over_draws(&summary, &drawn));
    let missing = what_is_missing(&summary, all_draws, asked.decide.is_some()).or_else(|| {
        let is_stopped = matches!(paths, Some(None)) || matches!(told, Some(None));
        is_stopped.then(|| "no request was followed".to_owned())
    });
    let missing = missing.or_else(|| (scraped == Some(false)).then(|| "no metrics are written".to_owned()));
    let (paths, told) = (paths.flatten(), told.flatten());
    let write = |folder: &mut Folder| {
        write_comparison_and(folder, &plan, &outcome, &summary, log, |folder| {
            paths.iter().try_for_each(|paths| critical_path::write(folder, paths))?;
            told.iter().try_for_each(|told| told.write(folder))
        })?;
        if missing.is_none() { folder.discard_cells() } else { Ok(()) }
    };
    let written = begun.folder.as_mut().map_or(Ok(()), write);
    warnings::after_run(&summary).iter().for_each(warn);
    if output.json {
        print(&to_json(&summary)?)?;
    } else {
        let tables = table::comparison(&summary, detail.verbose);
        let said: String = sentences(&summary).into_iter().map(|it| it + "\n").collect();
        let spent = paths.as_deref().map_or_else(String::new, |paths| table::critical_paths(paths) + "\n");
        print(&table::fitted(&format!("{}{tables}\n{spent}{said}", header(&summary))))?;
        if let Some(lines) = timeline_of_first(&plan, &outcome) {
            let begins = plan.strategies[0].begin_at;
            print(&table::fitted(&format!("\n{}", table::timeline(&lines, begins))))?;
        }
    }
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    page::write(begun.page.as_ref())?;
    if let Some(missing) = missing {
        return not_whole(&broken, &(missing + &kept_cells(output.has_folder(), &begun.store)));
    }
    let completed = summary.strategies.iter().all(|it| it.requests.completed > 0);
    let code = if completed { Code::Ok } else { Code::Failed };
    Ok(asked.enforcement.code(code, summary.objectives_hold()))
}

/// Which part of what was asked for is there, if that is not all.
fn what_is_missing(summary: &Summary, all_draws: Option<usize>, is_to_decide: bool) -> Option<String> {
    if summary.run.interrupted {
        let count = summary.run.replications;
        return Some(format!("the results are those of {count} finished replications"));
    }
    if let (Some(all), Some(ranking)) = (all_draws, &summary.calibration)
        && ranking.draws < all
    {
        return Some(format!("{} of {all} draws are finished", ranking.draws));
    }
    (is_to_decide && summary.decision.is_none()).then(|| "nothing is selected yet".to_owned())
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
    let forked = run.forked_from.as_ref();
    let forked = forked.map(|(baseline, at)| format!("all strategies go on from `{baseline}` at {at} s\n"));
    format!(
        "{} replications, {seconds} simulated seconds per strategy, seed {}; ± is the 95 % interval\n{}{}\n\n",
        run.replications,
        run.seed,
        forked.unwrap_or_default(),
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
