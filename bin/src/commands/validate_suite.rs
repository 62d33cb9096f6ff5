//! `meshsim validate --suite`: every configuration of a suite against its measurement.

use super::common::{interrupted, print};
use super::validate::Args;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::validation_table;
use meshsim_scenarios::problem::{Problem, Problems};
use meshsim_scenarios::results::files::to_json;
use meshsim_scenarios::results::single_file::prepare_file;
use meshsim_scenarios::validate::report;
use meshsim_scenarios::validate::suite::read::Suite;
use meshsim_scenarios::validate::suite::run::Report;
use std::path::Path;

pub(super) fn exec(args: &Args, suite: &str) -> Outcome<Code> {
    let suite = Suite::open(suite)?.only(&args.only)?;
    args.prepare()?;
    let traces = args.traces.as_deref().unwrap_or(Path::new("."));
    if !traces.is_dir() {
        let problem = Problem::new(format!("there is no folder `{}`", traces.display()));
        return Err(problem.help("--traces names the folder that the suite's paths begin at").into());
    }
    if let Some(file) = &args.markdown {
        prepare_file(file, "--markdown")?;
    }
    let choice = args.running.choice(Vec::new(), None);
    let prepared = args.running.on_threads(|| suite.prepare(traces, &choice))??;
    prepared.warnings.iter().for_each(warn);
    let report = args.running.watch(prepared.simulated_seconds(), |watch| prepared.run(watch))??;
    if report.configurations.is_empty() {
        return Ok(interrupted("no configuration was finished, nothing is kept"));
    }
    let written = write(args, &report);
    print(&if args.json { to_json(&report)? } else { validation_table::suite(&report) })?;
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    if report.interrupted {
        let kept =
            format!("the results are those of {} finished configurations", report.configurations.len());
        return Ok(interrupted(&kept));
    }
    Ok(if report.holds() { Code::Ok } else { Code::Failed })
}

fn write(args: &Args, report: &Report) -> Result<(), Problems> {
    let out = |directory: &Path| report::write_suite(directory, report);
    args.out.as_deref().map_or(Ok(()), out)?;
    args.markdown.as_deref().map_or(Ok(()), |file| report::write_markdown(file, report))
}
