//! `meshsim validate`: a scenario against a measured trace, a suite of them, or a running Prometheus.

use super::common::{begin, kept_cells, not_whole, part_is_over, print, trace_warm_up};
use super::page;
use super::validate_arguments::{Args, ArrivalsArgument};
use super::validate_suite;
use super::validate_watch;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use crate::validation_table;
use meshsim_scenarios::experiment::compare::ComparisonPlan;
use meshsim_scenarios::origin::{measurement_called, scenario_called};
use meshsim_scenarios::problem::{Checked, Problem, Problems};
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::format::Format;
use meshsim_scenarios::validate::arrivals::ArrivalsFrom;
use meshsim_scenarios::validate::cpu_accounting::CpuAccounting;
use meshsim_scenarios::validate::cpu_scale::differences;
use meshsim_scenarios::validate::figures::FigureKey;
use meshsim_scenarios::validate::report;
use meshsim_scenarios::validate::run::{Measurement, run_cells, sha256};
use meshsim_scenarios::validate::suite::run::warm_up_of;
use meshsim_scenarios::validate::tolerance::{Tolerances, did_not_hold};
use meshsim_scenarios::warnings;
use std::path::Path;

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    if let Some(suite) = &args.suite {
        return validate_suite::exec(args, suite);
    }
    of_no_suite(args)?;
    if let Some(url) = &args.watching.prometheus {
        return validate_watch::exec(args, url);
    }
    let tolerances = tolerances(&args.tolerance)?;
    let scenario = scenario(args)?;
    let mut plan = args.running.plan_of_one(&scenario, args.strategy.as_deref())?;
    let claimed = args.prepare()?;
    let measurement = measurement(args, &mut plan)?;
    has_all(&measurement.keys(), &tolerances)?;
    warnings::before_run(&plan.strategies[0]).iter().for_each(warn);
    // Whoever keeps nothing need not read the measurements once more.
    let origin = if claimed.0.is_some() { args.origin(&scenario)? } else { None };
    let mut begun = begin(claimed, &args.continuing, &sha256(&plan), origin.as_ref())?;
    let count = plan.replications as usize;
    let part = args.continuing.part();
    let which = part.map_or(0..count, |part| part.share(&[count], 0));
    let seconds = plan.simulated_seconds() * which.len() as f64 / count as f64;
    let is_whole = args.running.watch(seconds, |watch| run_cells(&plan, &begun.store, which, watch))?;
    if let Some(part) = part {
        return part_is_over(begun, part, is_whole);
    }
    if let Some(problems) = begun.store.failure() {
        return Err(Failure::machine(problems));
    }
    let result = args.running.on_threads(|| measurement.validate(&plan, &tolerances, &begun.store))??;
    let Some(validation) = result else {
        let kept = kept_cells(args.out.is_some(), &begun.store);
        return not_whole(&begun.store.broken(), &format!("nothing is compared{kept}"));
    };
    let trace = args.trace.as_deref().map(measurement_called).unwrap_or_default();
    let validation = validation.of(&scenario_called(args.scenario.as_deref().unwrap_or_default()), &trace);
    let write = |folder: &mut Folder| {
        report::write_one(folder, &validation)?;
        folder.discard_cells()
    };
    let written = begun.folder.as_mut().map_or(Ok(()), write);
    let text = if args.json { to_json(&validation)? } else { fitted(&validation_table::one(&validation)) };
    print(&text)?;
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    page::write(begun.page.as_ref())?;
    Ok(if did_not_hold(&validation.checks) { Code::Failed } else { Code::Ok })
}

fn scenario(args: &Args) -> Checked<Scenario> {
    Scenario::open(args.scenario.as_deref().unwrap_or_default(), &args.settings()?)
}

/// Refuses what belongs to a suite. (clap's `requires` is silent where the suite conflicts with what is given.)
fn of_no_suite(args: &Args) -> Checked<()> {
    let given = [
        ("--traces", args.traces.is_some()),
        ("--only", !args.only.is_empty()),
        ("--markdown", args.markdown.is_some()),
    ];
    let problem =
        |(name, _): &(&str, bool)| Problem::new(format!("{name} belongs to a suite, and there is none"));
    let wrong = given.iter().find(|(_, given)| *given).map(problem);
    wrong.map_or(Ok(()), |it| Err(it.help("give --suite in place of a scenario, or leave it out").into()))
}

/// All tolerances, or everything that is wrong with them.
fn tolerances(texts: &[String]) -> Checked<Tolerances> {
    let (mut found, mut problems) = (Tolerances::default(), Vec::new());
    for text in texts {
        match Tolerances::parse_setting(text) {
            Ok((key, tolerance)) => {
                if found.0.insert(key, tolerance).is_some() {
                    let problem = Problem::new(format!("--tolerance {} is given twice", key.name()));
                    problems.push(problem.help("give one for each figure"));
                }
            }
            Err(Problems(more)) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Problems(problems)) }
}

/// Refuses a tolerance of a figure that was not measured.
fn has_all(measured: &[FigureKey], tolerances: &Tolerances) -> Checked<()> {
    let missing = tolerances.0.keys().filter(|key| !measured.contains(key));
    let problems: Vec<Problem> = missing
        .map(|key| {
            let help = match key {
                FigureKey::CpuSplit => "give the CPU accounting of the traced run with --cpu-from".to_owned(),
                FigureKey::Served | FigureKey::Rounds => {
                    "give spans or access logs of clients and servers in both clusters with --spans"
                        .to_owned()
                }
                _ => {
                    let names: Vec<&str> = measured.iter().map(|key| key.name()).collect();
                    format!("the trace has {}", names.join(", "))
                }
            };
            let message = format!("--tolerance {}: nothing measured it", key.name());
            Problem::new(message).help(help)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Reads all files of the measurement, and fits the plan to what they say of its load and machine.
fn measurement(args: &Args, plan: &mut ComparisonPlan) -> Checked<Measurement> {
    let accounting = args.cpu_from.as_deref().map(CpuAccounting::read).transpose()?;
    let from = args.arrivals.map(|it| match it {
        ArrivalsArgument::Rate => ArrivalsFrom::Rate,
        ArrivalsArgument::Replay => ArrivalsFrom::Replay,
        ArrivalsArgument::Scenario => ArrivalsFrom::Scenario,
    });
    if let Some(accounting) = &accounting {
        let own_rate = from == Some(ArrivalsFrom::Scenario);
        differences(&plan.strategies[0], accounting, own_rate).iter().for_each(warn);
    }
    let asked = trace_warm_up(args.trace_warm_up)?;
    let accounted = accounting.as_ref().map(|accounting| accounting.warm_up_seconds);
    let configured = plan.strategies[0].description.warm_up.as_secs_f64();
    let warm_up = warm_up_of(asked, accounted, configured)?;
    let format = args.trace_format.as_deref().and_then(Format::of_name);
    let trace =
        args.running.read_trace(args.trace.as_deref().unwrap_or(Path::new("")), format, args.strict)?;
    let spans =
        args.spans.as_deref().map(|path| args.running.read_trace(path, None, args.strict)).transpose()?;
    Measurement::new(plan, trace, spans.as_ref(), accounting.as_ref(), warm_up, from)
}
