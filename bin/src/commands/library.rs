//! `meshsim library`: what ships with the program.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::library;
use meshsim_scenarios::problem::{Problem, nearest};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print this scenario, suite or file instead of the list
    name: Option<String>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let Some(name) = &args.name else {
        print(&list())?;
        return Ok(Code::Ok);
    };
    let text = library::scenario(name).or_else(|| library::suite(name)).or_else(|| library::file(name));
    let text = text.ok_or_else(|| {
        let problem = Problem::new(format!("the library has no `{name}`"));
        let known = library::names().chain(library::suite_names());
        match nearest(name, known.chain(library::files().map(|(path, _)| path))) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`meshsim library` lists them"),
        }
    })?;
    print(text)?;
    Ok(Code::Ok)
}

/// The scenarios, a name per line, then suites of `validate` and the files that scenarios name.
fn list() -> String {
    let scenarios = library::names().map(|name| format!("{name}\n"));
    let files = library::files().map(|(path, users)| format!("{path}  (a file of {})\n", users.join(", ")));
    let suites = library::suite_names().map(|name| format!("{name}  (a suite: validate --suite {name})\n"));
    scenarios.chain(suites).chain(files).collect()
}
