//! `meshsim describe`: what a report of a study says of it.

use super::common::{ScenarioArgs, print};
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::origin::{About, is_of_results, manifest};
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::stress::stress;
use std::path::Path;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim describe --stress fluidos-mesh")]
pub(crate) struct Args {
    /// The answers to the STRESS-DES checklist, as Markdown; of results, with what they came from and how they were made
    #[arg(long, required = true)]
    stress: bool,
    #[command(flatten)]
    source: ScenarioArgs,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    debug_assert!(args.stress, "it is the only description, and asked for");
    let folder = Path::new(&args.source.scenario);
    let results = is_of_results(folder).then_some(folder);
    let mut settings = match results {
        Some(folder) => {
            let about: About = manifest(folder)?;
            about.settings.iter().map(|text| Setting::parse(text)).collect::<Checked<Vec<_>>>()?
        }
        None => Vec::new(),
    };
    settings.extend(args.source.settings()?);
    let scenario = Scenario::open(&args.source.scenario, &settings)?;
    let plan = ComparisonPlan::new(&scenario, &Choice::default())?;
    print(&stress(&scenario, &plan, results)?)?;
    Ok(Code::Ok)
}
