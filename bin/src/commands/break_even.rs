//! `meshsim sweep --break-even`: the value at which two strategies are equally fast.

use super::common::{Begun, Continuing, Output, Running, begin, kept_cells, not_whole, print};
use super::page;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::axes::Axis;
use meshsim_scenarios::experiment::break_even::BreakEven;
use meshsim_scenarios::problem::Problem;
use meshsim_scenarios::results::break_even::{Report, write_break_even};
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::warnings;

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) running: &'a Running,
    pub(super) output: &'a Output,
    pub(super) continuing: &'a Continuing,
    /// The command in normal form.
    pub(super) command: Vec<String>,
    /// The two strategies.
    pub(super) strategies: Vec<String>,
}

pub(super) fn exec(args: Asked<'_>, scenario: &Scenario, axes: Vec<Axis>) -> Outcome<Code> {
    // What has one value is a setting.
    let (varied, fixed): (Vec<Axis>, Vec<Axis>) = axes.into_iter().partition(Axis::is_varied);
    let Ok([axis]) = <[Axis; 1]>::try_from(varied) else {
        let problem = Problem::new("--break-even looks along one parameter");
        return Err(problem.help("give one --set PATH=LOW..HIGH").into());
    };
    let fixed = fixed.into_iter().map(|axis| Setting { value: axis.at(0.0), path: axis.path });
    let set = scenario.with(&fixed.collect::<Vec<_>>())?;
    let choice = args.running.choice(args.strategies, None);
    let asked = BreakEven::new(&set, axis, choice)?;
    let sha256 = set.sha256()?;
    let origin = scenario.origin(args.command, &[], std::slice::from_ref(&set))?;
    let Begun { mut folder, store, page, .. } =
        begin(args.output.claim()?, args.continuing, &sha256, Some(&origin))?;
    warnings::before_runs(&asked.plan().strategies).iter().for_each(warn);
    let found = args
        .running
        .watch(asked.simulated_seconds(), |watch| (asked.find(&store, watch), watch.is_cancelled()))?;
    if let Some(problems) = store.failure() {
        return Err(Failure::machine(problems));
    }
    let found = match found {
        (Some(found), _) => found,
        (None, is_stopped) if is_stopped || !store.broken().is_empty() => {
            let kept = kept_cells(args.output.has_folder(), &store);
            return not_whole(&store.broken(), &format!("nothing was found{kept}"));
        }
        (None, _) => {
            let problem = Problem::new("at some value a strategy answers no request, or has no interval");
            return Err(Failure::machine(problem.help("choose a narrower range, or more replications")));
        }
    };
    let report = Report::new(&asked, &found);
    let write = |folder: &mut _| write_break_even(folder, (&asked, &found), &report, &sha256);
    let written = folder.as_mut().map_or(Ok(()), write);
    if args.output.json {
        print(&to_json(&report)?)?;
    } else {
        print(&fitted(&format!("{}\n", report.sentence())))?;
    }
    written.map_err(Failure::machine)?;
    page::write(page.as_ref())?;
    Ok(Code::Ok)
}
