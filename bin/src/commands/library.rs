//! `meshsim library`: what ships with the program.

use super::common::print;
use crate::exit_code::Code;
use meshsim_scenarios::library;
use meshsim_scenarios::problem::{Checked, Problem, nearest};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print this scenario or file instead of the list
    name: Option<String>,
}

pub(crate) fn exec(args: &Args) -> Checked<Code> {
    let Some(name) = &args.name else {
        print(&library::names().map(|name| format!("{name}\n")).collect::<String>())?;
        return Ok(Code::Ok);
    };
    let text = library::scenario(name).or_else(|| library::file(name)).ok_or_else(|| {
        let problem = Problem::new(format!("the library has no scenario `{name}`"));
        match nearest(name, library::names()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`meshsim library` lists them"),
        }
    })?;
    print(text)?;
    Ok(Code::Ok)
}
