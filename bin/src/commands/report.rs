//! `meshsim report`: the page of results that are there.

use super::common::print;
use super::page::prepare;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::report;
use meshsim_scenarios::results::folder::PAGE;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::single_file::write_text;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim report results")]
pub(crate) struct Args {
    /// The directory of the results
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write the page into this file (default: report.html in the directory)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace a file that meshsim has not written
    #[arg(long)]
    force: bool,
    /// Print the charts instead, as specifications of Vega-Lite by their names, for notebooks
    #[arg(long, conflicts_with_all = ["report", "force"])]
    charts: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    if args.charts {
        print(&to_json(&report::charts(&args.folder)?)?)?;
        return Ok(Code::Ok);
    }
    let page = report::page(&args.folder)?;
    let file = args.report.clone().unwrap_or_else(|| args.folder.join(PAGE));
    prepare(&file, &args.folder, args.force)?;
    write_text(&file, &page).map_err(Failure::machine)?;
    print(&format!("{}\n", file.display()))?;
    Ok(Code::Ok)
}
