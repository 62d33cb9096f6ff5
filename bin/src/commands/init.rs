//! `meshsim init`: a first scenario of one's own.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::problem::Problem;
use meshsim_scenarios::results::single_file::{prepare_file, write_text};
use meshsim_scenarios::starter::{self, OfWorkModel};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim init my.toml --from workmodel.json && meshsim compare my.toml")]
pub(crate) struct Args {
    /// The file to write; there is none of its name yet
    #[arg(default_value = "scenario.toml")]
    file: PathBuf,
    /// The application is this µBench work model's, in place of one of three services written out
    #[arg(long, value_name = "WORKMODEL")]
    from: Option<PathBuf>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let file = args.file.display();
    if args.file.symlink_metadata().is_ok() {
        let problem = Problem::new(format!("`{file}` is there already"));
        return Err(problem.help("name another file: meshsim init FILE").into());
    }
    prepare_file(&args.file, "init", "", false)?;
    let (text, note) = match &args.from {
        Some(model) => {
            let OfWorkModel { text, entries } = starter::of_work_model(model, &args.file)?;
            let note = match &entries[..] {
                [entry, others @ ..] if !others.is_empty() => {
                    format!("users call {entry}; nobody calls {}\n", others.join(", "))
                }
                _ => String::new(),
            };
            (text, note)
        }
        None => (starter::own_application(), String::new()),
    };
    write_text(&args.file, &text).map_err(Failure::machine)?;
    print(&format!("{note}wrote {file}\nnext: meshsim check {file}, then meshsim compare {file}\n"))?;
    Ok(Code::Ok)
}
