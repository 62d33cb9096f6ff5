//! `meshsim validate --suite`: every configuration of a suite against its measurement.

use super::common::{begin, each, kept_cells, not_whole, part_is_over, print};
use super::page;
use super::validate_arguments::Args;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use crate::validation_table;
use meshsim_scenarios::origin::SCENARIO;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::validate::report::{self, MarkdownPage};
use meshsim_scenarios::validate::suite::read::Suite;
use meshsim_scenarios::validate::suite::run::Report;

pub(super) fn exec(args: &Args, suite: &str) -> Outcome<Code> {
    let suite = Suite::open(suite)?.only(&args.only)?;
    let claimed = args.prepare()?;
    let mut markdown =
        args.markdown.as_deref().map(|file| MarkdownPage::claim(file, args.force)).transpose()?;
    let traces = args.traces.clone().unwrap_or_else(|| suite.folder.clone());
    if args.traces.is_some() && !traces.is_dir() {
        let problem = Problem::new(format!("there is no folder `{}`", traces.display()));
        return Err(problem.help("--traces names the folder that the suite's paths begin at").into());
    }
    let choice = args.running.choice(Vec::new(), None);
    let mut command = ["validate", "--suite", SCENARIO].map(str::to_owned).to_vec();
    command.extend(args.running.normal_form());
    command.extend(each("--only", &args.only));
    let origin = if claimed.0.is_some() { suite.origin(command, &traces)? } else { None };
    let prepared = args.running.on_threads(|| suite.prepare(&traces, &choice))??;
    prepared.warnings.iter().for_each(warn);
    let mut begun = begin(claimed, &args.continuing, &prepared.sha256(), origin.as_ref())?;
    let (counts, part) = (prepared.cell_counts(), args.continuing.part());
    let which = |index: usize| part.map_or(0..counts[index], |part| part.share(&counts, index));
    let seconds = prepared.simulated_seconds() * part.map_or(1.0, |part| part.fraction(&counts));
    let is_whole = args.running.watch(seconds, |watch| prepared.run_cells(&begun.store, which, watch))?;
    if let Some(part) = part {
        return part_is_over(begun, part, is_whole);
    }
    if let Some(problems) = begun.store.failure() {
        return Err(Failure::machine(problems));
    }
    let report = args.running.on_threads(|| prepared.report(&begun.store))??;
    let broken = begun.store.broken();
    if report.configurations.is_empty() {
        let kept = kept_cells(args.out.is_some(), &begun.store);
        return not_whole(&broken, &format!("no configuration was finished{kept}"));
    }
    let written = write(begun.folder.as_mut(), markdown.as_mut(), &report);
    print(&if args.json { to_json(&report)? } else { fitted(&validation_table::suite(&report)) })?;
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    page::write(begun.page.as_ref())?;
    if report.interrupted {
        let kept = kept_cells(args.out.is_some(), &begun.store);
        let count = report.configurations.len();
        return not_whole(
            &broken,
            &format!("the results are those of {count} finished configurations{kept}"),
        );
    }
    Ok(if report.holds() { Code::Ok } else { Code::Failed })
}

fn write(folder: Option<&mut Folder>, markdown: Option<&mut MarkdownPage>, report: &Report) -> Checked<()> {
    let write = |folder: &mut Folder| {
        report::write_suite(folder, report)?;
        if report.interrupted { Ok(()) } else { folder.discard_cells() }
    };
    folder.map_or(Ok(()), write)?;
    markdown.map_or(Ok(()), |markdown| markdown.write(report))
}
