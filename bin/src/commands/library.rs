//! `meshsim library`: what ships with the program.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::table;
use meshsim_scenarios::library;
use meshsim_scenarios::problem::{Problem, nearest};

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim library shop > shop.toml")]
pub(crate) struct Args {
    /// Print this scenario, suite or file instead of the list
    name: Option<String>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let Some(name) = &args.name else {
        print(&list())?;
        return Ok(Code::Ok);
    };
    let whole = || library::suite(name).or_else(|| library::file(name)).map(str::to_owned);
    let text = library::portable(name).or_else(whole);
    let text = text.ok_or_else(|| {
        let problem = Problem::new(format!("the library has no `{name}`"));
        let known = library::names().chain(library::suite_names());
        match nearest(name, known.chain(library::files().map(|(path, _)| path))) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`meshsim library` lists them"),
        }
    })?;
    print(&text)?;
    Ok(Code::Ok)
}

/// The scenarios with what each is about, then suites of `validate` and the files that scenarios name.
fn list() -> String {
    let scenarios = library::names().map(|name| (name, library::description(name).unwrap_or("").to_owned()));
    let suites = library::suite_names().map(|name| (name, format!("a suite: validate --suite {name}")));
    let files = library::files().map(|(path, users)| (path, format!("a file of {}", users.join(", "))));
    let rows = scenarios.chain(suites).chain(files).map(|(name, about)| vec![name.to_owned(), about]);
    let rows: Vec<Vec<String>> = rows.collect();
    table::text(&rows) + "\nmeshsim library NAME prints one, to be changed: meshsim library NAME > my.toml\n"
}
