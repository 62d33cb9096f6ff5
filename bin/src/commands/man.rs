//! `meshsim man`: the manual pages, one for the program and one for each command.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::problem::Problem;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim man ~/.local/share/man/man1 && man meshsim-compare")]
pub(crate) struct Args {
    /// Into this directory, which is there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn exec(args: &Args, program: clap::Command) -> Outcome<Code> {
    if !args.folder.is_dir() {
        let problem = Problem::new(format!("there is no directory `{}`", args.folder.display()));
        return Err(problem.help("make it first").into());
    }
    clap_mangen::generate_to(program, &args.folder).map_err(|error| {
        Failure::machine(Problem::new(format!("cannot write into `{}`: {error}", args.folder.display())))
    })?;
    print(&format!("manual pages are in {}\n", args.folder.display()))?;
    Ok(Code::Ok)
}
