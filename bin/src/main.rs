//! `meshsim`: parses arguments, calls the library, maps the outcome to an exit code.

mod commands;
mod diagnostics;
mod exit_code;
mod failure;
mod interrupt;
mod progress;
mod story;
mod table;
mod validation_table;

use clap::{CommandFactory, Parser, Subcommand};
use exit_code::Code;
use failure::Outcome;
use meshsim_scenarios::origin::{About, SCENARIO};
use meshsim_scenarios::problem::Problem;
use std::path::Path;
use std::process::ExitCode;

/// Deterministic discrete-event simulator of cloud-edge service meshes.
///
/// SCENARIO is the name of a library scenario or the path of a TOML file.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  meshsim compare fluidos-mesh                  which services to offload
  meshsim init my.toml                          a first scenario of one's own
  meshsim sweep fluidos-mesh --set links.edge1-cloud.rtt=20ms,80ms,160ms
  meshsim why fluidos-mesh --slowest            where the time of the slowest request went
  meshsim drill edge-outage --only 'link:*'     what a cut link does to each strategy
  meshsim compare shop --report shop.html       a page that tells somebody who did not run it";

#[derive(Subcommand)]
enum Command {
    /// Run all strategies over the same requests and say which is best
    Compare(commands::compare::Args),
    /// Run one strategy
    Run(commands::run::Args),
    /// Tell the life of one request: what befell it hop by hop, by which rules, and where its time went
    Why(commands::why::Args),
    /// Run all strategies over a grid of parameter values
    Sweep(commands::sweep::Args),
    /// Try every single failure on every strategy
    Drill(commands::drill::Args),
    /// Put together what several machines have run with --partition
    Merge(commands::merge::Args),
    /// Make results again and hold them against those that are there, byte by byte
    Rerun(commands::rerun::Args),
    /// Write one page of HTML about results
    Report(commands::report::Args),
    /// Hold a scenario against a measured trace, or a suite of them
    Validate(commands::validate_arguments::Args),
    /// Fit a scenario to a measured trace
    Calibrate(commands::calibrate::Args),
    /// Turn manifests of Kubernetes, Istio and Liqo into a scenario
    Import(commands::import::Args),
    /// Turn a scenario into manifests, or into a work model, or say what a change of strategy changes in them
    Export(commands::export::Args),
    /// Check a scenario without running it
    Check(commands::check::Args),
    /// Say what a report owes its readers, from a scenario or from results
    Describe(commands::describe::Args),
    /// Say what a key of a scenario is: its unit, range, default, source, and the keys below it
    Explain(commands::explain::Args),
    /// Print the JSON Schema of scenarios, for editors
    Schema,
    /// List the library scenarios, or print one
    Library(commands::library::Args),
    /// Write a first scenario of one's own, to be changed
    Init(commands::init::Args),
    /// Print what completes commands in a shell
    Completions(commands::completions::Args),
    /// Write the manual pages
    Man(commands::man::Args),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(asked) => return answer(&asked),
    };
    match exec(&arguments.command) {
        Ok(code) => code.into(),
        Err(failure) => {
            diagnostics::show(failure.problems());
            failure.code().into()
        }
    }
}

fn exec(command: &Command) -> Outcome<Code> {
    match command {
        Command::Compare(args) => commands::compare::exec(args),
        Command::Run(args) => commands::run::exec(args),
        Command::Why(args) => commands::why::exec(args),
        Command::Sweep(args) => commands::sweep::exec(args),
        Command::Merge(args) => commands::merge::exec(args),
        Command::Rerun(args) => commands::rerun::exec(args),
        Command::Drill(args) => commands::drill::exec(args),
        Command::Report(args) => commands::report::exec(args),
        Command::Validate(args) => commands::validate::exec(args),
        Command::Calibrate(args) => commands::calibrate::exec(args),
        Command::Import(args) => commands::import::exec(args),
        Command::Export(args) => commands::export::exec(args),
        Command::Check(args) => commands::check::exec(args),
        Command::Describe(args) => commands::describe::exec(args),
        Command::Explain(args) => commands::explain::exec(args),
        Command::Schema => commands::schema::exec(),
        Command::Library(args) => commands::library::exec(args),
        Command::Init(args) => commands::init::exec(args),
        Command::Completions(args) => commands::completions::exec(args, Arguments::command()),
        Command::Man(args) => commands::man::exec(args, Arguments::command()),
    }
}

/// Does what the command of results in `folder` says, on the scenario and the measurements that lie there, with further
/// arguments.
fn repeat(about: &About, folder: &Path, more: &[String]) -> Outcome<Code> {
    // The scenario is the first argument, or a suite the value of the first.
    let is_scenario = |(index, argument): (usize, &String)| index <= 2 && argument == SCENARIO;
    if !about.command.iter().enumerate().any(is_scenario) {
        return Err(Problem::new("the results do not say what command they come from").into());
    }
    let there = |(index, argument): (usize, &String)| {
        if is_scenario((index, argument)) {
            return folder.display().to_string();
        }
        let is_measurement = about.measurements.iter().any(|it| it.file == *argument);
        if is_measurement { folder.join(argument).display().to_string() } else { argument.clone() }
    };
    let command = about.command.iter().enumerate().map(there);
    let all = std::iter::once("meshsim".to_owned()).chain(command).chain(more.iter().cloned());
    let arguments = Arguments::try_parse_from(all).map_err(|error| {
        let help = "manifest.json was changed, or is of another version";
        Problem::new(format!("the command of the results is not understood: {error}")).help(help)
    })?;
    exec(&arguments.command)
}

/// Prints help, the version, or what is wrong with the arguments.
fn answer(asked: &clap::Error) -> ExitCode {
    let code = u8::try_from(asked.exit_code()).unwrap_or(2);
    match asked.print() {
        // Help that nobody got is no success.
        Err(_) if code == 0 => Code::Failed.into(),
        _ => code.into(),
    }
}
