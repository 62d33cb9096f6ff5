//! `meshsim validate --suite`: every configuration of a suite against its measurement.

use super::common::{interrupted, print};
use super::page;
use super::validate_arguments::Args;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use crate::validation_table;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::validate::report::{self, MarkdownPage};
use meshsim_scenarios::validate::suite::read::Suite;
use meshsim_scenarios::validate::suite::run::Report;

pub(super) fn exec(args: &Args, suite: &str) -> Outcome<Code> {
    let suite = Suite::open(suite)?.only(&args.only)?;
    let (mut folder, page) = args.prepare()?;
    let mut markdown =
        args.markdown.as_deref().map(|file| MarkdownPage::claim(file, args.force)).transpose()?;
    let traces = args.traces.clone().unwrap_or_else(|| suite.folder.clone());
    if args.traces.is_some() && !traces.is_dir() {
        let problem = Problem::new(format!("there is no folder `{}`", traces.display()));
        return Err(problem.help("--traces names the folder that the suite's paths begin at").into());
    }
    let choice = args.running.choice(Vec::new(), None);
    let prepared = args.running.on_threads(|| suite.prepare(&traces, &choice))??;
    prepared.warnings.iter().for_each(warn);
    let report = args.running.watch(prepared.simulated_seconds(), |watch| prepared.run(watch))??;
    if report.configurations.is_empty() {
        return interrupted("no configuration was finished, nothing is kept");
    }
    let written = write(folder.as_mut(), markdown.as_mut(), &report);
    print(&if args.json { to_json(&report)? } else { fitted(&validation_table::suite(&report)) })?;
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    page::write(page.as_ref())?;
    if report.interrupted {
        let kept =
            format!("the results are those of {} finished configurations", report.configurations.len());
        return interrupted(&kept);
    }
    Ok(if report.holds() { Code::Ok } else { Code::Failed })
}

fn write(folder: Option<&mut Folder>, markdown: Option<&mut MarkdownPage>, report: &Report) -> Checked<()> {
    folder.map_or(Ok(()), |folder| report::write_suite(folder, report))?;
    markdown.map_or(Ok(()), |markdown| markdown.write(report))
}
